//! How users read their mail, asked at the doors.

mod guessing;
mod limits;
mod login;

use crate::area::Area;
use crate::control::{Asked, Cap, Check, Control, Needs, Probe};
use crate::controls::denial::counts_connections;
use crate::doors::ciphers::{good_ciphers, good_versions};
use crate::doors::{IMAP, READING, Seen, clear, each, in_turn, made_so, no_such_door};
use crate::finding::{Finding, Verdict};
use crate::scene::{Protocol, Scene};

/// The doors for readers that begin in clear.
const IN_CLEAR: &[Protocol] = &[Protocol::Imap, Protocol::Pop3];

/// What is left to say where users' doors all begin with TLS.
fn none_in_clear() -> Finding {
    Finding::pass("no door for readers begins in clear")
}

macro_rules! control {
    ($id:literal, $weight:literal, $cap:expr, $needs:ident, $question:literal, $why:literal, $verified:literal, $mend:expr, $source:literal, $check:expr $(,)?) => {
        Control::new(
            $id,
            Area::Reading,
            $weight,
            Probe::Doors,
            Check::Ask($check),
            [$question, $why, $verified, $mend, $source],
        )
        .capped($cap)
        .needing(Needs::$needs)
    };
}

/// Where there is nothing to set.
const NOT_OURS: &str = made_so!("Mailward does so by itself");

/// Where Mailward itself may be found wanting.
const NEEDS_NEWER: &str = "Nothing can be set for it: it takes a version of the server that refuses them. Update it.";

pub(in crate::controls) const DOORS: &[Control] = &[
    control!(
        "POP-01",
        10,
        Some(Cap::Hole),
        Nothing,
        "Is no password for reading mail taken in clear?",
        "A password that is said in clear is read by everybody on the way: a hotel's network, a provider, a neighbour.",
        "Doors that begin in clear must be closed, or name LOGINDISABLED (IMAP) and no way to log in (POP3), and refuse LOGIN, USER \
         and AUTHENTICATE before TLS. No password is said: made-up names are.",
        NOT_OURS,
        "RFC 8314 §3; nmap imap-capabilities, pop3-capabilities",
        |scene| Box::pin(each(scene, IN_CLEAR, none_in_clear, |_, door| Box::pin(clear::takes_no_password(door)))),
    ),
    control!(
        "POP-02",
        10,
        None,
        Nothing,
        "Is reading mail encrypted with nothing older than TLS 1.2, and with keys that are forgotten afterwards?",
        "Old versions and ciphers have been broken, and passwords go through them.",
        "As ENC-13 and ENC-14, at the doors for readers.",
        NOT_OURS,
        "testssl.sh's caps; RFC 9325",
        tls_of_readers,
    ),
    control!(
        "POP-03",
        10,
        Some(Cap::Hole),
        Nothing,
        "Can nobody on the way put words into a reader's session, or make it one without TLS?",
        "Words that are put before TLS begins are taken for the user's; a session that says at once that somebody is logged in makes \
         programs skip TLS.",
        "As SVC-10 at the doors for readers that begin in clear; the greeting mustn't be PREAUTH; and after TLS began, STARTTLS must \
         be gone and the ways to log in be there: the server has begun anew.",
        NOT_OURS,
        "Why TLS is better without STARTTLS (USENIX Security 2021); RFC 3501 §6.2.1",
        |scene| Box::pin(each(scene, IN_CLEAR, none_in_clear, |_, door| Box::pin(clear::begins_anew(door)))),
    ),
    control!(
        "POP-04",
        5,
        None,
        Nothing,
        "Can users log in without showing the server their password, and in no old way?",
        "With SCRAM or a token the password isn't said. NTLM, CRAM-MD5 and DIGEST-MD5 have been broken, or need the password stored.",
        "Under TLS each door for readers must offer SCRAM-SHA-256 (or its PLUS form) or OAUTHBEARER, and none of NTLM, CRAM-MD5, \
         DIGEST-MD5, APOP.",
        NOT_OURS,
        "nmap imap-ntlm-info; RFC 7677; RFC 7628",
        |scene| Box::pin(each(scene, READING, no_such_door, |_, door| Box::pin(login::offers_good_ways(door)))),
    ),
    control!(
        "POP-05",
        5,
        None,
        Account,
        "Is a login that is bound to its TLS session refused in another one?",
        "The binding is what tells user and server that nobody stands between. A server that offers it and doesn't look gives a \
         promise that it doesn't keep.",
        "The audit's account logs in with SCRAM-SHA-256-PLUS, bound to the session, which must be taken; then with a binding of which \
         one bit is wrong, which must be refused.",
        NOT_OURS,
        "RFC 5802 §6; RFC 9266; CVE-2026-33603",
        |scene| Box::pin(each(scene, READING, no_such_door, |scene, door| Box::pin(login::looks_at_binding(
            scene, door
        )))),
    ),
    control!(
        "POP-06",
        10,
        None,
        Account,
        "Is a wrong password refused alike, in words and in time, whether or not there is such a user?",
        "Otherwise a stranger learns which users there are, and guesses at these alone.",
        "Fifty logins of the audit's account with a wrong password, and fifty of a user that isn't there, in turn. The words must be \
         the same; the times must not differ (Mann-Whitney, p > 0.01, in one of two rounds). Where the server slows down who fails, \
         as it should, fifty take too long: six of each are made, their words compared, and it is said that times weren't.",
        NOT_OURS,
        "CWE-208; CVE-2026-27856",
        |scene| Box::pin(guessing::tells_nobody_apart(scene)),
    ),
    control!(
        "POP-11",
        10,
        None,
        Nothing,
        "Does nobody make the server keep much before logging in?",
        "A stranger who makes it hold as much as they like takes its memory, and the server dies.",
        "Without a login, under TLS: a literal of 1,025 bytes must be refused (IMAP), and a line of 64 KiB that doesn't end must be \
         answered or end the session. How long a session without a login lasts isn't waited for.",
        NEEDS_NEWER,
        "CVE-2025-61600; CVE-2026-27857",
        |scene| Box::pin(each(scene, READING, no_such_door, |_, door| Box::pin(limits::before_login(door)))),
    ),
    control!(
        "POP-12",
        10,
        None,
        Account,
        "Are literals of one command limited in number and in sum, for users too?",
        "One user, or whoever has one password, takes the server's memory with a single command otherwise.",
        "The audit's account sends a SEARCH with 1,100 literals, and one with 300 literals of 4,096 bytes; both must be refused.",
        NOT_OURS,
        "CVE-2024-34055",
        |scene| Box::pin(each(scene, IMAP, no_such_door, |scene, door| Box::pin(limits::literals(scene, door)))),
    ),
    control!(
        "POP-13",
        5,
        None,
        Nothing,
        "Are brackets within brackets refused cheaply?",
        "A parser that follows them down as far as they go runs out of memory, and everybody's session ends.",
        "A LIST with 5,000 opening brackets is sent without its end. Meanwhile another session must be greeted; then the line is \
         ended, and must be refused.",
        NOT_OURS,
        "CVE-2026-27857; CVE-2026-42006",
        |scene| Box::pin(each(scene, IMAP, no_such_door, |_, door| Box::pin(limits::brackets(door)))),
    ),
    control!(
        "POP-14",
        5,
        None,
        Nothing,
        "Does a broken login end nobody else's session?",
        "Otherwise one stranger throws all users out, again and again.",
        "Two sessions under TLS: in one a login by SASL is answered with what isn't base64, which must be refused; the other must go \
         on to be answered.",
        NOT_OURS,
        "CVE-2025-59028",
        |scene| Box::pin(each(scene, READING, no_such_door, |_, door| Box::pin(login::breaks_alone(door)))),
    ),
    control!(
        "POP-16",
        5,
        None,
        Server,
        "Can no single address hold all places of readers?",
        "One computer that opens connection after connection keeps all users out.",
        "As DOS-01, at the doors for readers. How long idle sessions last, and how many one user may have, isn't tried.",
        "Set `limits.connections_per_address` in mailward.toml (200 unless you set it), then `mailward reload`.",
        "RFC 9051 §5.4",
        |scene| Box::pin(in_turn(scene, READING, no_such_door, |_, door| Box::pin(counts_connections(door)))),
    ),
    control!(
        "POP-18",
        5,
        None,
        Account,
        "Is what users pack unpacked only as far as it is read?",
        "A few bytes unpack to gigabytes, which take the server's memory.",
        "The audit's account begins COMPRESS=DEFLATE, if it is offered, and sends a line of 8 MiB that packs to a few kilobytes; it must \
         be answered or end the session before it ends.",
        NOT_OURS,
        "RFC 4978; CWE-409",
        |scene| Box::pin(each(scene, IMAP, no_such_door, |scene, door| Box::pin(limits::unpacks_little(scene, door)))),
    ),
    control!(
        "POP-20",
        10,
        None,
        Account,
        "Do names of mailboxes lead nowhere but to mailboxes?",
        "A name that is taken for a path of the host opens files of others.",
        "The audit's account asks for mailboxes with names that lead out of a directory, hold NUL, hide a slash, or have 1,000 levels; \
         none may be made or opened. What is made all the same is removed.",
        NEEDS_NEWER,
        "CWE-22",
        |scene| Box::pin(in_turn(scene, IMAP, no_such_door, |scene, door| Box::pin(limits::names_lead_nowhere(
            scene, door
        )))),
    ),
];

/// Both must be so.
fn tls_of_readers(scene: &Scene) -> Asked<'_> {
    Box::pin(async move {
        let versions = each(scene, READING, no_such_door, |_, door| Box::pin(good_versions(door))).await;
        if versions.verdict != Verdict::Pass {
            return versions;
        }
        let ciphers = each(scene, READING, no_such_door, |_, door| Box::pin(good_ciphers(door))).await;
        ciphers.showing_all(versions.exhibits)
    })
}

/// What isn't tried without a login.
fn no_canary() -> Seen {
    Seen::unknown(crate::doors::NO_CANARY)
}
