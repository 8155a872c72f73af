//! Keys of what strangers meet.

use super::Key;
use crate::limits::{
    GREETING_DELAY_MAX, GREYLIST_WAIT_MAX, GUARD_MARK_MAX, SMTP_RECIPIENTS_CONFIG_MAX, SMTP_RECIPIENTS_CONFIG_MIN,
};

macro_rules! count {
    ($name:ident, $unit:literal, $range:expr, $form:literal, $help:literal) => {
        Key {
            path: concat!("gate.", stringify!($name)),
            form: $form,
            unit: $unit,
            help: $help,
            reloads: true,
            read: |c, v| v.count($range.0, $range.1).map(|n| c.gate.$name = n),
            write: |c| c.gate.$name.to_string(),
        }
    };
}

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    count!(
        greylist_at,
        "points",
        (1, GUARD_MARK_MAX),
        "1 to 1000",
        "From so many points on a stranger looks bad: it is greeted late, and its mail is put off at first. What\ncounts how much is in docs/gate.md. No more than gate.refuse_at."
    ),
    count!(
        refuse_at,
        "points",
        (1, GUARD_MARK_MAX),
        "1 to 1000",
        "From so many points on mail of a stranger is refused; mail for postmaster and abuse is only put off."
    ),
    count!(
        greeting_delay,
        "seconds",
        (0, GREETING_DELAY_MAX),
        "0 to 30",
        "How long a stranger waits for the greeting who looks bad or isn't known yet. Who looks well doesn't wait."
    ),
    Key {
        path: "gate.refuse_early_talkers",
        form: "true or false",
        unit: "yes or no",
        help: "Refuse strangers who speak before they are greeted, as only programs do that send spam. Off, it counts\npoints.",
        reloads: true,
        read: |c, v| v.boolean().map(|on| c.gate.refuse_early_talkers = on),
        write: |c| c.gate.refuse_early_talkers.to_string(),
    },
    count!(
        greylist_wait,
        "seconds",
        (0, GREYLIST_WAIT_MAX),
        "0 to 300",
        "How long mail of strangers who look bad is put off: who tries again after it gets in. 0 puts nobody off."
    ),
    count!(
        recipients,
        "recipients",
        (SMTP_RECIPIENTS_CONFIG_MIN, SMTP_RECIPIENTS_CONFIG_MAX),
        "100 to 10000",
        "Recipients of one message of a stranger, if `limits.recipients` isn't less; the rest comes in parts."
    ),
];
