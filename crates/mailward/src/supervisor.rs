//! # supervisor: a process beside the server that keeps the rights the server gives up
//!
//! **For**: what a server without rights can't do: run the command that the administrator chose for alerts, run virus scanners
//! that are programs, and keep banned networks in the host's firewall. It is made before the server gives up its rights, from
//! the same binary, and only if one of these is wanted.
//!
//! **In**: orders from the server, a line of JSON each ([`Order`]), over a socket that both have. **Out**: what came of them
//! ([`Report`]).
//!
//! What it runs it has read itself from the configuration when it started: no order can name a program, a word, a user or a
//! file. Of what outsiders wrote nothing reaches words or environment of a program; an alert goes to the command's standard
//! input as JSON, a message to a virus scanner's as it is, and what goes to `nft` is written out of networks and seconds. A server that were taken over could have
//! alerts run and networks banned, and nothing else: a command that runs as the server's user can gain no more rights than
//! the server can, and a supervisor of that user can't be looked into by it.
//!
//! **Limits**: `limits::SUPERVISOR_*`, `limits::ALERT_COMMAND_*`, `limits::FIREWALL_*`.
//!
//! **Failure**: it ends when its socket closes, so also when the server is killed; it then kills what it runs and takes its
//! table out of the firewall. If it ends before, the server tells by an alert, and bans act in the server alone.

mod command;
mod firewall;
mod lines;
mod link;
mod scans;
mod spawn;
mod work;

pub(crate) use command::notes;
pub(crate) use link::{ByCommand, Supervisor};
pub(crate) use scans::ByHand;
pub(crate) use spawn::{Made, make};
pub(crate) use work::work;

use mailward_core::Network;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the server wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Run the command with this on its standard input.
    Run {
        /// Comes back with what came of it.
        id: u64,
        /// One message of alerts, as it will be read.
        alert: Value,
    },
    /// Some of a message, behind what has come of it.
    Piece {
        /// Of the message, until it is scanned.
        id: u64,
        /// Its bytes in base64, at most `limits::SUPERVISOR_PIECE` of them.
        data: String,
    },
    /// All of the message is there: a program is to look at it.
    Scan {
        /// Comes back with what came of it.
        id: u64,
        /// Which engine, by its place in the configuration.
        engine: usize,
        /// How long it is.
        bytes: usize,
    },
    /// What has come of a message isn't needed any more.
    Forget {
        /// Which.
        id: u64,
    },
    /// No connection from this network begins at the server's ports for so long.
    Ban {
        /// `address/bits`.
        network: Net,
        /// Rounded up; at least one.
        seconds: u64,
        /// At which of them.
        at: Ports,
    },
    /// It does again.
    Unban {
        /// See `Ban`.
        network: Net,
    },
}

/// Which ports of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ports {
    /// All that it listens at.
    All,
    /// Those where somebody logs in.
    Logins,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Report {
    /// Of the command.
    Ran {
        /// That of the order.
        id: u64,
        /// Why it failed, if it did.
        failed: Option<String>,
        /// What it wrote, cut; anything may be in it.
        output: String,
    },
    /// Of a virus scanner.
    Scanned {
        /// That of the order.
        id: u64,
        /// Its exit code, if it ended by itself.
        code: Option<u8>,
        /// Why there is none.
        failed: Option<String>,
        /// What it wrote, cut; anything may be in it.
        output: String,
        /// It was started, and may have read of the message.
        started: bool,
    },
    /// The firewall has begun to fail, or works (again).
    Firewall {
        /// Why.
        failed: Option<String>,
    },
    /// More networks are banned than its set holds, or they fit again.
    Beyond {
        /// How many are left out; none: they fit.
        networks: usize,
    },
}

/// A network on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net(pub(crate) Network);

impl Serialize for Net {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Net {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Network::parse_any(&text).map(Net).map_err(serde::de::Error::custom)
    }
}

/// Why an alert isn't run, where too many wait: no fault of the supervisor's.
const TOO_MANY: &str = "too many alerts wait for the command";

/// Reads an order as it stands on the wire.
pub(crate) fn order(line: &[u8]) -> Result<Order, serde_json::Error> {
    serde_json::from_slice(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_say_what_is_known_and_nothing_else() {
        for good in [
            r#"{"do":"run","id":1,"alert":{"a":[1,"\n"]}}"#,
            r#"{"do":"ban","network":"192.0.2.0/24","seconds":5,"at":"all"}"#,
            r#"{"do":"ban","network":"192.0.2.0/24","seconds":5,"at":"logins"}"#,
            r#"{"do":"unban","network":"2001:db8::/64"}"#,
        ] {
            let read = order(good.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), good);
        }
        for bad in [
            "",
            "{}",
            r#"{"do":"run","id":1,"alert":{},"command":["/bin/sh"]}"#,
            r#"{"do":"exec","words":["/bin/sh"]}"#,
            r#"{"do":"ban","network":"192.0.2.1; drop","seconds":5,"at":"all"}"#,
            r#"{"do":"ban","network":"192.0.2.0/24","seconds":-5,"at":"all"}"#,
            r#"{"do":"ban","network":"192.0.2.0/24","at":"all"}"#,
            r#"{"do":"ban","network":"192.0.2.0/24","seconds":5,"at":"22"}"#,
            r#"{"do":"ban","network":"192.0.2.0/24","seconds":5}"#,
            r#"{"do":"unban","network":"192.0.2.1/24"}"#,
            r#"{"do":"unban","network":"a.example"}"#,
        ] {
            assert!(order(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = order(&bytes);
        }
    }
}
