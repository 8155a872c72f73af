//! The catalogue of relay attempts: those of nmap's `smtp-open-relay`, of the relay test of abuse.net, and what research
//! found since. The numbers are the catalogue's; a letter tells apart what it has in one line.

use super::{Battery, Expect, Probe, Step};

const fn say(say: &'static str, expect: Expect) -> Step {
    Step { say, expect }
}

const EHLO: &[Step] = &[say("{EHLO} mail.{T}", Expect::Yes)];

/// A sender and a recipient.
macro_rules! form {
    ($id:literal, $says:literal, $from:literal, $to:literal) => {
        form!($id, $says, None, Expect::Refused, $from, $to)
    };
    ($id:literal, $says:literal, $opening:expr, $expect:expr, $from:literal, $to:literal) => {
        Probe {
            id: $id,
            says: $says,
            opening: $opening,
            steps: &[say(concat!("MAIL FROM:", $from), Expect::YesOrRefused), say(concat!("RCPT TO:", $to), $expect)],
        }
    };
}

/// A recipient of a form that no standard has, which is no address at all.
macro_rules! garbled {
    ($id:literal, $says:literal, $from:literal, $to:literal) => {
        form!($id, $says, None, Expect::Syntax, $from, $to)
    };
}

/// A greeting that gives no rights.
macro_rules! greeting {
    ($id:literal, $says:literal, $helo:literal) => {
        form!($id, $says, Some(&[say($helo, Expect::Whatever)]), Expect::Refused, "<a@{S}>", "<u@{T}>")
    };
}

/// Something said before a sender and a recipient, from which no right may come.
macro_rules! after {
    ($id:literal, $says:literal, $($step:expr),+) => {
        Probe {
            id: $id,
            says: $says,
            opening: None,
            steps: &[
                $($step,)+
                say("MAIL FROM:<a@{S}>", Expect::YesOrRefused),
                say("RCPT TO:<u@{T}>", Expect::Refused),
            ],
        }
    };
}

/// The catalogue: each attempt in a session of its own.
pub const CATALOGUE: Battery = Battery {
    name: "relay-forms",
    source: "nmap smtp-open-relay, abuse.net, and later research",
    one_session: false,
    opening: EHLO,
    probes: &[
        form!("1", "the null sender", "<>", "<u@{T}>"),
        form!("2", "a stranger to a stranger", "<a@{T}>", "<u@{T}>"),
        form!("3", "a sender of ours is no credential", "<a@{S}>", "<u@{T}>"),
        form!("4", "a sender at our address", "<a@{I}>", "<u@{T}>"),
        form!("5", "the percent hack, by our address", "<a@{I}>", "<u%{T}@{I}>"),
        form!("6", "the percent hack, by our name", "<a@{I}>", "<u%{T}@{S}>"),
        form!("7", "a quoted address without a domain", "<a@{I}>", "<\"u@{T}\">"),
        form!("8", "a quoted percent hack without a domain", "<a@{I}>", "<\"u%{T}\">"),
        garbled!("9", "two at signs, by our address", "<a@{I}>", "<u@{T}@{I}>"),
        form!("10", "a quoted address at our address: its inside is never read", "<a@{I}>", "<\"u@{T}\"@{I}>"),
        garbled!("11", "two at signs, by our name", "<a@{I}>", "<u@{T}@{S}>"),
        form!("12", "a source route by our address: the last domain counts", "<a@{I}>", "<@{I}:u@{T}>"),
        form!("13", "a source route by our name", "<a@{I}>", "<@{S}:u@{T}>"),
        form!("14", "a bang path", "<a@{I}>", "<{T}!u>"),
        form!("15", "a bang path at our address", "<a@{I}>", "<{T}!u@{I}>"),
        form!("16", "a bang path at our name", "<a@{I}>", "<{T}!u@{S}>"),
        form!("17", "a sender at localhost", "<a@localhost>", "<u@{T}>"),
        form!("18", "a sender without a domain", "<a>", "<u@{T}>"),
        form!("19a", "our postmaster", "<postmaster@{S}>", "<u@{T}>"),
        form!("19b", "an address of ours that bounces come from", "<bounce@{S}>", "<u@{T}>"),
        form!("20a", "a quoted sender, a quoted recipient", "<\"a\"@{S}>", "<\"u@{T}\"@{S}>"),
        form!("20b", "a blank before the sender's bracket", " <a@{S}>", "<\"u@{T}\"@{S}>"),
        form!("20c", "brackets doubled", "<<a@{S}>>", "<\"u@{T}\"@{S}>"),
        garbled!("21a", "a dot behind the domain", "<a@{T}>", "<u@{T}.>"),
        garbled!("21b", "an escaped NUL, and our name behind it", "<a@{T}>", "<u@{T}%00.{S}>"),
        garbled!("21c", "our name, an escaped NUL, and another's behind it", "<a@{T}>", "<u@{S}%00{T}>"),
        garbled!("21d", "the same with NUL itself", "<a@{T}>", "<u@{S}\0{T}>"),
        form!("22a", "a label that claims to be punycode", "<a@{T}>", "<u@xn--{T}>"),
        garbled!("22b", "an at sign of full width", "<a@{T}>", "<u\u{ff20}{T}>"),
        garbled!("22c", "an ideographic full stop", "<a@{T}>", "<u@{T}\u{3002}{S}>"),
        form!("22d", "an at sign of full width, with SMTPUTF8", "<a@{T}> SMTPUTF8", "<u\u{ff20}{T}>"),
        form!("22e", "an ideographic full stop, with SMTPUTF8", "<a@{T}> SMTPUTF8", "<u@{T}\u{3002}{S}>"),
        greeting!("23a", "who greets by our name", "{HELO} {S}"),
        greeting!("23b", "who greets by loopback", "{HELO} [127.0.0.1]"),
        greeting!("23c", "who greets as localhost", "{HELO} localhost"),
        after!("24a", "RSET leaves no right", say("RSET", Expect::Whatever)),
        after!("24b", "a second greeting leaves no right", say("{EHLO} {S}", Expect::Yes)),
        after!(
            "24c",
            "a login that failed leaves no right",
            say("AUTH PLAIN AGFAaW52YWxpZABub3RoaW5n", Expect::Whatever)
        ),
        after!("24d", "TLS leaves no right", say("STARTTLS", Expect::StartTls), say("{EHLO} {S}", Expect::Yes)),
        after!("25a", "a claim to be loopback by XCLIENT", say("XCLIENT ADDR=127.0.0.1 LOGIN=a", Expect::Whatever)),
        after!("25b", "a claim to be loopback by XFORWARD", say("XFORWARD ADDR=127.0.0.1", Expect::Whatever)),
        after!("25c", "a claim to be loopback by PROXY", say("PROXY TCP4 127.0.0.1 127.0.0.1 1 25", Expect::Whatever)),
        form!("26a", "an original recipient of ours", "<a@{T}>", "<u@{T}> ORCPT=rfc822;a@{S}"),
        form!("26b", "a wish to hear of success", "<a@{T}> RET=FULL ENVID=x", "<u@{T}> NOTIFY=SUCCESS,DELAY,FAILURE"),
    ],
};
