//! Keys of the rate guard.

use super::Key;
use crate::config::value::quoted_texts;

/// Steps of one kind of source.
macro_rules! rate {
    ($name:ident, $help:literal) => {
        Key {
            path: concat!("rates.", stringify!($name)),
            form: "list of strings, or \"none\"",
            unit: "messages, recipients, refused recipients in an hour",
            help: $help,
            reloads: true,
            read: |c, v| v.rates().map(|limits| c.rates.$name = limits),
            write: |c| quoted_texts(&c.rates.$name.rules()),
        }
    };
}

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    rate!(
        host,
        "A host that brings mail: one IPv4 address, or one IPv6 /64. Beyond warn it is told; beyond block\nmore is put off until the hour has less; beyond alarm everything of it is refused for an hour."
    ),
    rate!(network, "All hosts of one IPv4 /24, or one IPv6 /48, together."),
    rate!(
        address,
        "A sending address elsewhere. One that SPF doesn't prove is counted for each network apart that it\ncomes from, so that who forges an address can't have mail put off that comes from elsewhere."
    ),
    rate!(domain, "All sending addresses of one domain elsewhere, those that aren't proven apart, as above."),
    rate!(
        account,
        "A user who sends, wherever to. Mail to other domains is held long before, by [user_limits]: this\nis for what a program at full speed does with a stolen password."
    ),
    rate!(own_domain, "All users of one domain here who send, together: by the domain of their sending address."),
    rate!(client, "A host that users log in from to send, all of them together."),
    Key {
        path: "rates.ignore",
        form: "list of addresses, domains, networks, or \"none\"",
        unit: "sources",
        help: "What isn't counted: senders and users by address or domain, and whatever comes from a network.\nA sender can be forged, so the host that it comes from is counted all the same.",
        reloads: true,
        read: |c, v| v.rates_ignored().map(|all| c.rates.ignore = all),
        write: |c| quoted_texts(&c.rates.ignore),
    },
];
