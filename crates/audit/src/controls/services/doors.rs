//! Service control, asked at the doors.

use crate::area::Area;
use crate::control::{Cap, Check, Control, Needs, Probe};
use crate::doors::{
    LINES, SENDING, SMTP, SUBMISSION, Us, commands, content, each, made_so, no_such_door, relay, secured,
};
use crate::scene::Protocol;

/// Where TLS may begin after something was said in clear.
const IN_CLEAR: &[Protocol] = &[Protocol::Smtp, Protocol::Submission, Protocol::Lmtp, Protocol::Imap, Protocol::Pop3];

pub(in crate::controls) const DOORS: &[Control] = &[
    Control {
        id: "SVC-04",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Does the server refuse to pass on mail of strangers to strangers, in whatever form they ask?",
        why: "A server that relays sends other people's spam in your name within hours. It is listed everywhere, and your own mail \
              no longer arrives.",
        verified: "Both batteries of relay attempts (nmap's smtp-open-relay with later research, and the 17 probes of abuse.net) are \
                   made at each door of SMTP, submission and LMTP, without a login. Each must be refused: with 5yz, or with 4.7.z \
                   and words of relaying. A domain of RFC 2606 is the third party, and no message is sent. The server sees the address that this host has at that door; \
                   where hosts are let relay by their address, what holds for others has to be asked from elsewhere.",
        mend: "Take hosts out of `relay.from` in mailward.toml that you don't own, set `relay.any_sender = false`, then \
               `mailward reload`. `mailward rules list` shows rules that let clients relay.",
        source: "nmap smtp-open-relay; the relay test of abuse.net; RFC 5321 §7.1",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SENDING, no_such_door, |scene, door| {
                Box::pin(async move { relay::refused(&Us::of(scene, door), door).await })
            }))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-05",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Does nobody hand in mail at the doors for users without logging in?",
        why: "Who may hand in mail there without a login sends in the name of any of your users.",
        verified: "At each submission door MAIL is said without a login, before TLS (where it begins in clear) and after it; it must \
                   be refused, with 530 as the standard asks or another 5yz.",
        mend: made_so!("Mailward takes nothing there without a login"),
        source: "RFC 6409 §4.3",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SUBMISSION, no_such_door, |scene, door| {
                Box::pin(async move { relay::needs_login(&Us::of(scene, door), door).await })
            }))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-06",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Is no password taken by SMTP in clear, nor at all where other servers bring mail?",
        why: "A password that is said in clear is read by everybody on the way. A login at the door for servers is one more place to \
              guess at, which nobody needs.",
        verified: "EHLO is said at each door before TLS and after it. AUTH mustn't be named before TLS anywhere, and at port 25 not \
                   after it either; and AUTH PLAIN, without a password, mustn't be asked for one.",
        mend: made_so!("Mailward never does"),
        source: "RFC 4954 §4; RFC 8314 §3.3",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SENDING, no_such_door, |_, door| Box::pin(secured::no_login_in_clear(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-08",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Does nothing but CRLF, a dot and CRLF end a message?",
        why: "Where another sequence ends it as well, a sender hides a second message in the first, which then comes from your server \
              with your name and passes all checks (SMTP smuggling).",
        verified: "Eleven messages to the audit's account, or else the postmaster, each with one of the sequences that servers have \
                   been found to take for the end, and a command behind it. The command mustn't be answered: the reply to the \
                   message and the one to QUIT are all there may be. A server that takes such a message as one delivers it.",
        mend: made_so!("Mailward refuses such messages"),
        source: "CVE-2023-51764, CVE-2023-51765, CVE-2023-51766; Postfix smtpd_forbid_bare_newline; RFC 5321 §2.3.8, §4.1.1.4",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SMTP, no_such_door, |scene, door| {
                Box::pin(async move { content::ends_once(&Us::of(scene, door), door).await })
            }))
        }),
        needs: Needs::Mail,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-10",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Is what was said in clear forgotten when TLS begins?",
        why: "Otherwise somebody on the way puts commands of their own before a user's, inside the user's session: mail is sent, and \
              passwords are caught, in spite of TLS.",
        verified: "STARTTLS (STLS) is sent with a command behind it in the same segment, at each door that begins in clear. Neither \
                   in clear nor under TLS may that command be answered.",
        mend: made_so!("Mailward ends such a session"),
        source: "Why TLS is better without STARTTLS (USENIX Security 2021); Postfix smtpd_forbid_unauth_pipelining; RFC 3207 §6",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, IN_CLEAR, no_such_door, |_, door| Box::pin(secured::forgets_what_was_clear(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-11",
        weight: 5,
        question: "Can nobody find out the users by asking for names?",
        why: "A list of your users is what spammers and guessers of passwords begin with.",
        verified: "VRFY and EXPN of the postmaster and of a name that nobody has must be answered alike, and without an address. In \
                   one session recipients that nobody is are asked for, at most 120: the server must end it before.",
        mend: made_so!("Mailward ends such a session after 50 unknown recipients"),
        source: "Lynis MAIL-8820; nmap smtp-enum-users; RFC 5321 §7.3",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SMTP, no_such_door, |scene, door| {
                Box::pin(async move { commands::tells_no_users(&Us::of(scene, door), door).await })
            }))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-12",
        weight: 5,
        question: "Are strangers offered no command that is for other times or for friends?",
        why: "ETRN and TURN start the queue or turn a connection round, XCLIENT and XFORWARD let a client claim another address, NTLM \
              tells the names of the inside network.",
        verified: "EHLO is said at each door, before TLS and after it; the answer must name none of ETRN, TURN, ATRN, XCLIENT, \
                   XFORWARD, NTLM.",
        mend: made_so!("Mailward offers none of them"),
        source: "nmap smtp-commands, smtp-ntlm-info",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SENDING, no_such_door, |_, door| Box::pin(commands::offers_little(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-13",
        weight: 2,
        question: "Do greetings keep the versions of programs and system to themselves?",
        why: "Who knows the version knows the holes of it, and searches the Internet for all who have it.",
        verified: "What each door says in its greeting, its features, and to HELP (SMTP) or ID (IMAP), is searched for version \
                   numbers and names of systems.",
        mend: made_so!("Mailward says none"),
        source: "Lynis MAIL-8818",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, LINES, no_such_door, |_, door| Box::pin(commands::says_no_version(door))))
        }),
        needs: Needs::Nothing,
        ..Control::of(Area::Services, Probe::Doors)
    },
    Control {
        id: "SVC-17",
        weight: 5,
        question: "Is a message refused that goes round in circles?",
        why: "Two servers that pass a message to each other do so until a disk is full, unless one of them counts.",
        verified: "A message with 101 Received fields is sent to the audit's account, or else the postmaster; it must be refused with \
                   5yz. A server that doesn't count delivers it.",
        mend: made_so!("Mailward refuses beyond 50"),
        source: "RFC 5321 §6.3; Postfix hopcount_limit",
        check: Check::Ask(|scene| {
            Box::pin(each(scene, SMTP, no_such_door, |scene, door| {
                Box::pin(async move { content::counts_hops(&Us::of(scene, door), door).await })
            }))
        }),
        needs: Needs::Mail,
        ..Control::of(Area::Services, Probe::Doors)
    },
];
