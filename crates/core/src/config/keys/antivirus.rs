//! Keys of the scanner's workers and of virus scanners.

use super::{Key, name_of, one_of};
use crate::config::value::{quoted, quoted_texts};
use crate::config::{EngineLine, OnVirus, RescanEvery, WhenDown};
use crate::limits::{ANTIVIRUS_ENGINES_MAX, SCANNER_WORKERS_MAX};

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "scanner.workers",
        form: "integer",
        unit: "processes, 0 to 64",
        help: "Processes without any rights that open attachments; 0: as many as there are processors. See docs/scanner.md.",
        reloads: false,
        read: |c, v| v.count(0, SCANNER_WORKERS_MAX).map(|n| c.scanner.workers = n),
        write: |c| c.scanner.workers.to_string(),
    },
    Key {
        path: "antivirus.engines",
        form: "list of \"clamd PLACE\", \"icap URL\", \"command [clean=CODES] [infected=CODES] PATH [WORDS]\", or \"none\"",
        unit: "virus scanners",
        help: "Virus scanners that are asked of each message, all at the same time, such as\n[\"clamd unix:/run/clamav/clamd.ctl\"]. See docs/antivirus.md.",
        reloads: false,
        read: |c, v| {
            let what = "engines such as [\"clamd unix:/run/clamav/clamd.ctl\"]";
            v.each(what, ANTIVIRUS_ENGINES_MAX, EngineLine::parse).map(|all| c.antivirus.engines = all)
        },
        write: |c| quoted_texts(&c.antivirus.engines),
    },
    Key {
        path: "antivirus.action",
        form: "\"reject\" or \"quarantine\"",
        unit: "what is done with a virus",
        help: "What only looks like one (names that begin with Heuristics. or PUA.) goes into quarantine either way.",
        reloads: false,
        read: |c, v| one_of(v, &OnVirus::NAMES).map(|action| c.antivirus.action = action),
        write: |c| quoted(name_of(&OnVirus::NAMES, c.antivirus.action)),
    },
    Key {
        path: "antivirus.when_down",
        form: "\"defer\" or \"deliver-with-mark\"",
        unit: "what is done when no engine answers",
        help: "Refuse mail for now, so that it comes again, or take it with a mark that no virus scanner saw it. Either way\nthere is an alert.",
        reloads: false,
        read: |c, v| one_of(v, &WhenDown::NAMES).map(|when| c.antivirus.when_down = when),
        write: |c| quoted(name_of(&WhenDown::NAMES, c.antivirus.when_down)),
    },
    Key {
        path: "antivirus.signatures_age",
        form: "integer",
        unit: "hours, 1 to 8760",
        help: "Signatures of an engine that are older are told by an alert; of engines that say how old theirs are (clamd).",
        reloads: false,
        read: |c, v| {
            v.count(1, 8_760).map(|hours| c.antivirus.signatures_age = u64::try_from(hours).unwrap_or(u64::MAX))
        },
        write: |c| c.antivirus.signatures_age.to_string(),
    },
    Key {
        path: "antivirus.rescan",
        form: "\"never\", \"weekly\" or \"monthly\"",
        unit: "how often stored mail is looked at again",
        help: "Weekly what came in the last 35 days, monthly all of it; what is found goes into quarantine.\nNothing is done without engines.",
        reloads: true,
        read: |c, v| one_of(v, &RescanEvery::NAMES).map(|every| c.antivirus.rescan = every),
        write: |c| quoted(name_of(&RescanEvery::NAMES, c.antivirus.rescan)),
    },
    Key {
        path: "antivirus.rescan_hour",
        form: "integer",
        unit: "hour of the day, UTC, 0 to 23",
        help: "When that begins: an hour at which few of your users are awake.",
        reloads: true,
        read: |c, v| v.count(0, 23).map(|hour| c.antivirus.rescan_hour = u8::try_from(hour).unwrap_or(0)),
        write: |c| c.antivirus.rescan_hour.to_string(),
    },
];
