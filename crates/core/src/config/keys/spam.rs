//! Keys of the spam filter.

use super::Key;
use crate::config::value::{quoted, quoted_texts};
use crate::config::{SpamPeer, SpamPoints, TrainAddress};
use crate::limits::{SPAM_PEERS_MAX, SPAM_TRAIN_ADDRESSES_MAX, SPAM_TRAINERS_MAX};

/// A mark on the scale of points.
macro_rules! mark {
    ($name:ident, $help:literal) => {
        Key {
            path: concat!("spam.", stringify!($name)),
            form: "string: points such as \"7\" or \"7.5\", or \"none\"",
            unit: "points",
            help: $help,
            reloads: true,
            read: |c, v| SpamPoints::parse(v.word()?).map(|mark| c.spam.$name = mark),
            write: |c| quoted(&c.spam.$name.to_string()),
        }
    };
}

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    mark!(
        mark,
        "From so many points on a message is marked as spam in its header, and delivered as others.\nSee docs/spam.md."
    ),
    mark!(
        junk,
        "From so many points on it is filed as junk. Begin high, and come down with what\n`mailward spam evaluate` says of your own mail."
    ),
    mark!(
        reject,
        "From so many points on it is refused in the session. An honest sender learns of it from their own\nserver; leave it at \"none\" until junk has proven itself."
    ),
    Key {
        path: "spam.trainers",
        form: "list of addresses, or \"none\"",
        unit: "users here",
        help: "Users whose word counts for everybody: what they move into Junk and out of it is learned by the\nserver, too. What others say is learned for themselves alone.",
        reloads: true,
        read: |c, v| v.users(SPAM_TRAINERS_MAX).map(|all| c.spam.trainers = all),
        write: |c| quoted_texts(&c.spam.trainers),
    },
    Key {
        path: "spam.train_addresses",
        form: "list of \"ADDRESS spam|ham\", or \"none\"",
        unit: "addresses of domains here",
        help: "Where users who are logged in send what the filter is to learn, attached or redirected. It is\ndelivered nowhere. Such as [\"spam@example.org spam\", \"ham@example.org ham\"].",
        reloads: true,
        read: |c, v| {
            let what = "strings such as [\"spam@example.org spam\"]";
            v.each(what, SPAM_TRAIN_ADDRESSES_MAX, TrainAddress::parse).map(|all| c.spam.train_addresses = all)
        },
        write: |c| quoted_texts(&c.spam.train_addresses),
    },
    Key {
        path: "spam.peers",
        form: "list of \"spamd|rspamd tcp:HOST:PORT|unix:PATH [WEIGHT]\", or \"none\"",
        unit: "other filters",
        help: "Other filters that are asked as well, and what one of their points counts here. They see every\nmessage. Such as [\"spamd tcp:127.0.0.1:783 0.5\"].",
        reloads: true,
        read: |c, v| {
            let what = "strings such as [\"spamd tcp:127.0.0.1:783 0.5\"]";
            v.each(what, SPAM_PEERS_MAX, SpamPeer::parse).map(|all| c.spam.peers = all)
        },
        write: |c| quoted_texts(&c.spam.peers),
    },
];
