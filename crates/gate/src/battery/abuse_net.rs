//! The relay test of `www.abuse.net/relay.html`, word for word and in its order, as transcripts of it show it; but that another
//! domain stands for its own, which is somebody's: a server that verifies recipients would ask there.

use super::{Battery, Expect, Probe, Step};

const fn say(say: &'static str, expect: Expect) -> Step {
    Step { say, expect }
}

/// One of its tests: RSET, a sender, a recipient.
macro_rules! test {
    ($id:literal, $says:literal, $from:literal, $to:literal) => {
        Probe {
            id: $id,
            says: $says,
            opening: None,
            steps: &[
                say("RSET", Expect::Whatever),
                say(concat!("MAIL FROM:<", $from, ">"), Expect::YesOrRefused),
                say(concat!("RCPT TO:<", $to, ">"), Expect::Refused),
            ],
        }
    };
}

/// The seventeen tests, asked in one session. A server that refuses a sender, as it may the second or all of them without a
/// login, isn't asked for the recipient: mistakes are counted.
pub const ABUSE_NET: Battery = Battery {
    name: "abuse-net",
    source: "the 17 probes of www.abuse.net/relay.html",
    one_session: true,
    opening: &[say("{HELO} www.{T}", Expect::Yes)],
    probes: &[
        test!("1", "a stranger to a stranger", "spamtest@{T}", "relaytest@{T}"),
        test!("2", "a sender without a domain", "spamtest", "relaytest@{T}"),
        test!("3", "the null sender", "", "relaytest@{T}"),
        test!("4", "a sender of ours", "spamtest@{S}", "relaytest@{T}"),
        test!("5", "a sender at our address", "spamtest@{I}", "relaytest@{T}"),
        test!("6", "the percent hack, by our name", "spamtest@{S}", "relaytest%{T}@{S}"),
        test!("7", "the percent hack, by our address", "spamtest@{S}", "relaytest%{T}@{I}"),
        test!("8", "a quoted address without a domain", "spamtest@{S}", "\"relaytest@{T}\""),
        test!("9", "a quoted percent hack without a domain", "spamtest@{S}", "\"relaytest%{T}\""),
        test!("10", "two at signs, by our name", "spamtest@{S}", "relaytest@{T}@{S}"),
        test!("11", "a quoted address at our name", "spamtest@{S}", "\"relaytest@{T}\"@{S}"),
        test!("12", "two at signs, by our address", "spamtest@{S}", "relaytest@{T}@{I}"),
        test!("13", "a source route by our name", "spamtest@{S}", "@{S}:relaytest@{T}"),
        test!("14", "a source route by our address", "spamtest@{S}", "@{I}:relaytest@{T}"),
        test!("15", "a bang path", "spamtest@{S}", "{T}!relaytest"),
        test!("16", "a bang path at our name", "spamtest@{S}", "{T}!relaytest@{S}"),
        test!("17", "a bang path at our address", "spamtest@{S}", "{T}!relaytest@{I}"),
    ],
};
