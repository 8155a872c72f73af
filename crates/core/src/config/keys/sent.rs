//! Keys of how much users and domains may send.

use super::Key;
use crate::limits::SEND_LIMIT_CONFIG_MAX;

/// How much may be sent in some time, by a user or by all of a domain.
macro_rules! sent {
    ($section:ident, $name:ident, $unit:literal, $help:literal) => {
        Key {
            path: concat!(stringify!($section), ".", stringify!($name)),
            form: "0 to 1000000000; 0: no limit",
            unit: $unit,
            help: $help,
            reloads: true,
            read: |c, v| {
                v.count(0, SEND_LIMIT_CONFIG_MAX).map(|n| c.$section.$name = u64::try_from(n).unwrap_or(u64::MAX))
            },
            write: |c| c.$section.$name.to_string(),
        }
    };
}

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    sent!(
        user_limits,
        messages_per_hour,
        "messages",
        "Messages of one user to other domains in an hour. What goes beyond is accepted and held, and you\nare told. `mailward user limit` sets another for one of them."
    ),
    sent!(user_limits, messages_per_day, "messages", "The same in 24 hours."),
    sent!(
        user_limits,
        recipients_per_hour,
        "recipients",
        "Recipients at other domains in an hour: a message to ten counts ten."
    ),
    sent!(user_limits, recipients_per_day, "recipients", "The same in 24 hours."),
    sent!(
        user_limits,
        new_per_hour,
        "recipients",
        "Recipients in an hour that the user never wrote to before: what a stolen password is used for."
    ),
    sent!(user_limits, new_per_day, "recipients", "The same in 24 hours."),
    sent!(
        domain_limits,
        messages_per_hour,
        "messages",
        "Messages of all users of a domain to other domains in an hour. What goes beyond is accepted and\nheld, and you are told. `mailward domain limit` sets another for one of them."
    ),
    sent!(domain_limits, messages_per_day, "messages", "The same in 24 hours."),
    sent!(
        domain_limits,
        recipients_per_hour,
        "recipients",
        "Recipients at other domains in an hour: a message to ten counts ten."
    ),
    sent!(domain_limits, recipients_per_day, "recipients", "The same in 24 hours."),
    sent!(
        domain_limits,
        new_per_hour,
        "recipients",
        "Recipients in an hour that the users never wrote to before: what a stolen password is used for."
    ),
    sent!(domain_limits, new_per_day, "recipients", "The same in 24 hours."),
];
