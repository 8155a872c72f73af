//! Keys of the audit.

use super::Key;
use crate::config::value::{quoted, quoted_texts};
use crate::config::{AuditMachine, AuditPeer, AuditPerson, AuditWeight};

/// Lines of people: an area each, and one for all.
const PEOPLE_MAX: usize = 64;
/// Lines of weights.
const WEIGHTS_MAX: usize = 18;
/// Lines of peers.
const PEERS_MAX: usize = 32;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "audit.hour",
        form: "string: an hour, \"0\" to \"23\", or \"never\"",
        unit: "hours of the host's day",
        help: "When a running server looks at itself and keeps what it found. See docs/audit.md.",
        reloads: true,
        read: |c, v| {
            let word = v.word()?;
            let hour = word.parse::<u8>().ok().filter(|hour| *hour < 24);
            match (word, hour) {
                ("never", _) => c.audit.hour = None,
                (_, Some(hour)) => c.audit.hour = Some(hour),
                (word, None) => return Err(format!("{word:?} must be an hour, \"0\" to \"23\", or \"never\"")),
            }
            Ok(())
        },
        write: |c| quoted(&c.audit.hour.map_or_else(|| "never".to_owned(), |hour| hour.to_string())),
    },
    Key {
        path: "audit.machine",
        form: "string: \"guess\", \"metal\", \"virtual\" or \"container\"",
        unit: "kind of machine",
        help: "What makes no sense on such a machine isn't asked of it, and leaves the sum.",
        reloads: true,
        read: |c, v| AuditMachine::parse(v.word()?).map(|machine| c.audit.machine = machine),
        write: |c| quoted(&c.audit.machine.to_string()),
    },
    Key {
        path: "audit.owners",
        form: "list of \"AREA|all ADDRESS\", or \"none\"",
        unit: "who answers for an area",
        help: "Who answers for which area: persons with an account here. A later line counts more, such as\n[\"all ada@example.org\", \"network bob@example.org\"].",
        reloads: true,
        read: |c, v| {
            let what = "strings such as [\"all ada@example.org\"]";
            v.each(what, PEOPLE_MAX, AuditPerson::parse).map(|all| c.audit.owners = all)
        },
        write: |c| quoted_texts(&c.audit.owners),
    },
    Key {
        path: "audit.deputies",
        form: "list of \"AREA|all ADDRESS\", or \"none\"",
        unit: "who stands in for them",
        help: "Who stands in for them.",
        reloads: true,
        read: |c, v| {
            let what = "strings such as [\"all bob@example.org\"]";
            v.each(what, PEOPLE_MAX, AuditPerson::parse).map(|all| c.audit.deputies = all)
        },
        write: |c| quoted_texts(&c.audit.deputies),
    },
    Key {
        path: "audit.weights",
        form: "list of \"AREA WEIGHT\", or \"none\"",
        unit: "0 to 10",
        help: "What areas count for, where you judge otherwise than the defaults, which docs/audit.md lists. The total\nis out of 1,000 whatever they sum to.",
        reloads: true,
        read: |c, v| {
            let what = "strings such as [\"physical 0.9\"]";
            v.each(what, WEIGHTS_MAX, AuditWeight::parse).map(|all| c.audit.weights = all)
        },
        write: |c| quoted_texts(&c.audit.weights),
    },
    Key {
        path: "audit.peers",
        form: "list of \"NAME KEY\", or \"none\"",
        unit: "whose looks from outside count",
        help: "Other installations that look at this one: a name, and the public key that `mailward probe --sign`\ntells there. Their files are put into DATA/audit/peers/. See docs/probe.md.",
        reloads: true,
        read: |c, v| {
            let what = "strings such as [\"second.example.org 3d40…\"]";
            v.each(what, PEERS_MAX, AuditPeer::parse).map(|all| c.audit.peers = all)
        },
        write: |c| quoted_texts(&c.audit.peers),
    },
];
