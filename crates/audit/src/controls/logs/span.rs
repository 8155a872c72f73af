//! How far back the log reaches.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::{Finding, Verdict};
use crate::host::reading::{Answer, base, tell};
use crate::host::{Host, Missed};
use crate::scene::{Scene, day};
use mailward_core::Timestamp;

const LOGS: Control = base(Area::Logs);

pub(in crate::controls) const SPAN: &[Control] = &[Control {
    id: "LOG-04",
    question: "Does the log reach back at least 30 days, and not more than 400?",
    why: "A break-in is noticed weeks later, and then the log of that day is gone. What is kept for years is a list of who wrote to whom \
          that nobody may have.",
    verified: "The oldest line of the server's log file and of those that were rotated, or the oldest file of the journal, against the \
               age of the host (/etc/machine-id).",
    mend: "In /etc/systemd/journald.conf.d/keep.conf: MaxRetentionSec=1year, SystemMaxUse large enough; or `rotate 52` with `weekly` in \
           logrotate for the file that the server writes.",
    source: "ISO/IEC 27001 Annex A, logging; flaws of other servers whose logs last a day or two",
    check: Check::Look(|scene| tell(reaches_back(scene))),
    ..LOGS
}];

const DAYS_LEAST: i64 = 30;
const DAYS_MOST: i64 = 400;
const DAY: i64 = 86_400;
const JOURNAL: &str = "/var/log/journal";

fn reaches_back(scene: &Scene) -> Answer {
    let host = &scene.host;
    let file = match &scene.state()?.settings {
        Some(settings) => Some(settings.text("log.file")?).filter(|file| file != "stderr"),
        None => None,
    };
    let (oldest, place) = match file {
        Some(file) => {
            let data = host.ours_here().data.as_str();
            let path = if file.starts_with('/') { file } else { format!("{data}/{file}") };
            (of_file(host, &path)?, path)
        }
        None => (of_journal(host)?, JOURNAL.to_owned()),
    };
    let oldest = oldest.ok_or_else(|| Missed::Absent(format!("a log with a time at {place}")))?;
    let days = |at: i64| scene.now.secs().saturating_sub(at).div_euclid(DAY);
    let since = day(Timestamp::from_secs(oldest));
    let finding = match days(oldest) {
        DAYS_LEAST..=DAYS_MOST => Finding::pass(format!("the log reaches back to {since}")),
        more if more > DAYS_MOST => Finding {
            verdict: Verdict::Partial(50),
            ..Finding::fail(format!("it is kept since {since}, for {more} days"))
        },
        few => {
            let age = days(host.stat("/etc/machine-id")?.changed);
            if age < DAYS_LEAST {
                return Err(Missed::NotReached(format!("the host is {age} days old, and so is its log at most")));
            }
            Finding::fail(format!("it reaches back {few} days alone, to {since}"))
        }
    };
    Ok(finding.showing(place, format!("the oldest is of {}\n", Timestamp::from_secs(oldest).text())))
}

/// The time of the oldest line of a log file and what was rotated from it.
fn of_file(host: &Host, path: &str) -> Result<Option<i64>, Missed> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut oldest: Option<i64> = None;
    for (other, stat) in host.entries(directory)? {
        // `mail.log`, `mail.log.1`, `mail.log.2.gz`, `mail.log-20260101`.
        if !other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-'])) {
            continue;
        }
        let first = match other.rsplit_once('.').map(|(_, ending)| ending) {
            // What is packed is as old as when it was packed, at least.
            Some("gz" | "xz" | "zst" | "bz2") => Some(stat.changed),
            _ => first_time(&host.text(&format!("{directory}/{other}"))?),
        };
        oldest = [oldest, first].into_iter().flatten().min();
    }
    Ok(oldest)
}

/// The day that the first line with one begins with.
pub(crate) fn first_time(text: &str) -> Option<i64> {
    text.lines().find_map(|line| Some(Timestamp::of_day(line.get(..10)?)?.secs()))
}

/// The oldest file of the journal, by its name.
fn of_journal(host: &Host) -> Result<Option<i64>, Missed> {
    let mut oldest: Option<i64> = None;
    for machine in host.list(JOURNAL)? {
        let files = match host.list(&format!("{JOURNAL}/{machine}")) {
            Err(Missed::Absent(_)) => continue,
            other => other?,
        };
        oldest = files.iter().filter_map(|name| head_time(name)).chain(oldest).min();
    }
    Ok(oldest)
}

/// `system@ID-SEQNUM-TIME.journal`: the time of its first entry, microseconds in hexadecimal.
pub(crate) fn head_time(name: &str) -> Option<i64> {
    let name = name.strip_prefix("system@")?.strip_suffix(".journal")?;
    let micros = i64::from_str_radix(name.rsplit('-').next()?, 16).ok()?;
    Some(micros.div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_where_they_stand() {
        let name = "system@9a3c0bb2b2f94bb59e8c8e1b6e0a51d4-0000000000000001-00061f5e4c2a1b00.journal";
        assert_eq!(head_time(name), Some(0x0006_1f5e_4c2a_1b00 / 1_000_000));
        assert_eq!(head_time("system.journal"), None);
        assert_eq!(head_time("system@x-y-.journal"), None);
        let log = "\u{1b}[2J\n2026-01-02T03:04:05.678Z info server.started\n2026-01-01T00:00:00.000Z";
        assert_eq!(first_time(log), Some(1_767_312_000));
        assert_eq!(first_time("no time at all"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "[ -~\\n\\x1bé]{0,60}", hex in "[0-9a-g-]{0,40}") {
            let (_one, _other) = (first_time(&text), head_time(&format!("system@{hex}.journal")));
        }
    }
}
