//! TLS and certificates, looked at from outside.

use crate::area::Area;
use crate::control::{Cap, Check, Control, Needs, Probe};
use crate::doors::ciphers::{good_ciphers, good_versions};
use crate::doors::{SMTP, TLS, certificates, ciphers, each, made_so, no_such_door};

pub(in crate::controls) const DOORS: &[Control] = &[
    Control {
        id: "ENC-12",
        weight: 10,
        question: "Can other servers bring mail encrypted?",
        why: "Without it mail to you is read, and changed, by everybody on its way.",
        verified: "EHLO at each door for servers must name STARTTLS, and TLS must begin when it is said.",
        mend: "Give `tls.certificate` and `tls.key` in mailward.toml, then `mailward reload`.",
        source: "Internet.nl MailTlsStarttlsExists; RFC 3207",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SMTP, no_such_door, |_, door| Box::pin(certificates::begins_tls(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Encryption, Probe::Doors)
    },
    Control {
        id: "ENC-13",
        weight: 10,
        question: "Are TLS 1.2 and 1.3 the only versions that are spoken?",
        why: "Older versions have been broken; whoever sits on the way makes clients fall back to them.",
        verified: "Each door is asked for SSL 3.0, TLS 1.0, 1.1, 1.2 and 1.3, each alone, by a first message of our own. The first \
                   three must be refused, one of the others taken.",
        mend: made_so!("Mailward speaks no older version"),
        source: "RFC 8996; Internet.nl MailTlsVersion; testssl.sh's caps",
        check: Check::Ask(|scene| Box::pin(each(scene, TLS, no_such_door, |_, door| Box::pin(good_versions(door))))),
        needs: Needs::Nothing,
        ..Control::of(Area::Encryption, Probe::Doors)
    },
    Control {
        id: "ENC-14",
        weight: 5,
        question: "Is only strong encryption agreed on, with keys that are forgotten afterwards?",
        why: "With weak ciphers, or without keys of the moment, what was recorded today is read once a key is stolen.",
        verified: "Each door is offered lists of 71 suites that shrink, in each version that it speaks: all that it takes must be AEAD \
                   with forward secrecy. Where others are taken too, it must pick by its own order. Curves below 256 bits and \
                   primes below 2048 are no good.",
        mend: made_so!("Mailward takes nothing else"),
        source: "RFC 9325 §4.2; Internet.nl MailTlsCiphers, MailTlsCipherOrder, MailTlsFsParams",
        check: Check::Ask(|scene| Box::pin(each(scene, TLS, no_such_door, |_, door| Box::pin(good_ciphers(door))))),
        needs: Needs::Nothing,
        ..Control::of(Area::Encryption, Probe::Doors)
    },
    Control {
        id: "ENC-15",
        weight: 5,
        question: "Is TLS free of the additions that broke it?",
        why: "Compression gave away what was encrypted, renegotiation let others put words before a user's, early data can be played \
              again.",
        verified: "Each door is offered compression, which it mustn't pick. In TLS 1.2 it must know secure renegotiation and the \
                   extended master secret, sign its part of the keys over SHA-256 or better though SHA-1 is offered first, and not \
                   begin anew when a client asks for it inside a session. Its tickets mustn't allow early data.",
        mend: made_so!("Mailward does none of it"),
        source: "RFC 9325 §3; RFC 5746; RFC 7627; RFC 9155; Internet.nl MailTlsCompression, MailTlsZeroRTT, \
                 MailTlsExtendedMasterSecret, MailTlsKexHashFunc",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, TLS, no_such_door, |_, door| Box::pin(ciphers::good_manners(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Encryption, Probe::Doors)
    },
    Control {
        id: "ENC-16",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Does every door show the same certificate, one that is trusted, for its name, strong, and good for two weeks more?",
        why: "With a certificate that isn't good, users learn to click warnings away, and then anybody can stand between.",
        verified: "TLS is begun at each door. The chain must lead to an authority that this host trusts and stand for the door's name \
                   now; the key must be RSA of 2048 bits, P-256 or better; all signatures but the authority's own over SHA-256 or \
                   better; 14 days must be left; and every door must show the same serial number. That it was renewed in time shows \
                   in the days that are left, nowhere else.",
        mend: "Renew the certificate, check that `tls.certificate` holds the server's own first and then those that signed it, then \
               `mailward reload`. Restart a door that still shows the old one.",
        source: "Internet.nl MailTlsCertTrust, MailTlsCertHostmatch; Lynis CRYP-7902; RFC 9525; RFC 9155",
        check: Check::Ask(|scene| Box::pin(certificates::good_everywhere(scene))),
        needs: Needs::Nothing,
        ..Control::of(Area::Encryption, Probe::Doors)
    },
    Control {
        id: "ENC-24",
        weight: 2,
        question: "Are keys agreed on in a way that a quantum computer to come won't undo?",
        why: "What is recorded today can be kept until it can be opened.",
        verified: "Each door is asked for TLS 1.3 with the group X25519MLKEM768 alone.",
        mend: made_so!("Mailward agrees to it"),
        source: "draft-ietf-tls-ecdhe-mlkem",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, TLS, no_such_door, |_, door| Box::pin(ciphers::is_hybrid(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Encryption, Probe::Doors)
    },
];
