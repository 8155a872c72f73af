//! What is counted and noted for audits: what users log in over, when they did last, what the log says of itself, and when the
//! store was checked.

use crate::control::desk::Desk;
use crate::failure::Failure;
use bytes::Bytes;
use mailward_audit::{Clients, LastLogin, LastLogins, Log, Logins, Silence, Verified};
use mailward_core::limits::{AUDIT_SILENCE_BACK, AUDIT_SILENCES_MAX, LOG_ALIVE_EVERY};
use mailward_core::{Clock as _, SystemClock, Timestamp};
use mailward_gate::clients::Seen;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{DirectoryStore as _, ShelfStore as _, StoreError};
use std::path::Path;

/// Where the store's last check is noted.
const VERIFIED: &str = "verified";

impl Desk {
    /// What users logged in over.
    pub(super) fn clients(&self, seen: &Seen) -> Clients {
        let logins = seen.sums.iter().map(|sum| Logins {
            door: sum.kind.door.name().to_owned(),
            carrier: sum.kind.carrier.name().to_owned(),
            here: sum.kind.here,
            logins: sum.logins,
            last: sum.last.text().chars().take(10).collect(),
        });
        Clients { begun: Some(seen.begun), from_first: seen.from_first, logins: logins.collect() }
    }

    /// When users logged in: those who can.
    pub(super) async fn last_logins(&self, seen: &Seen) -> Result<LastLogins, StoreError> {
        let mut found = LastLogins { is_full: seen.is_full, ..LastLogins::default() };
        for account in self.store.accounts().await? {
            let Some(address) = self.directory.address_of(account.id) else { continue };
            // The audit's own is nobody's; it is younger than anything that is asked for.
            if account.enabled && !account.credential.is_empty() {
                let last = seen.last.get(&account.id).copied();
                found.accounts.insert(address.to_string(), LastLogin { made: account.created, last });
            }
        }
        Ok(found)
    }

    /// What the log of the last day says of itself; none where it can't be read.
    pub(super) async fn log_of_day(&self) -> Option<Log> {
        let file = self.server.as_ref()?.log_file()?;
        tokio::task::spawn_blocking(move || log_of(&file, SystemClock.now())).await.ok()?.ok()
    }

    /// Notes what came of checking the store.
    pub(super) async fn note_verified(&self, verified: Verified) -> Result<(), Failure> {
        // Numbers always become JSON.
        let value = Bytes::from(serde_json::to_vec(&verified).unwrap_or_default());
        let record = Shelved { key: VERIFIED.to_owned(), value, expires: None };
        Ok(self.store.change_shelf(vec![ShelfChange::Put(Shelf::Upkeep, record)]).await?)
    }

    /// What came of it last. What can't be read isn't known; where nothing is noted it never was.
    pub(super) async fn verified(&self) -> Option<Verified> {
        match self.store.shelved(Shelf::Upkeep, VERIFIED.to_owned()).await.ok()? {
            None => Some(Verified::default()),
            Some(record) => serde_json::from_slice(&record.value).ok(),
        }
    }
}

fn log_of(file: &Path, now: Timestamp) -> Result<Log, Failure> {
    let since = Timestamp::from_secs(now.secs().saturating_sub(AUDIT_SILENCE_BACK));
    let text = super::super::canary::end_of(file, since)?;
    Ok(Log { file: file.display().to_string(), ..silences(&text, now) })
}

/// Times without a line from the first sign of life on, up to now.
fn silences(text: &str, now: Timestamp) -> Log {
    let every = i64::try_from(LOG_ALIVE_EVERY.as_millis()).unwrap_or(i64::MAX);
    let most = every.saturating_mul(3);
    let mut log = Log { every: LOG_ALIVE_EVERY.as_secs(), ..Log::default() };
    let mut before: Option<(Timestamp, bool)> = None;
    for line in text.lines() {
        // `2026-01-02T03:04:05.678Z info server.alive ...`
        let mut words = line.split(' ');
        let Some(at) = words.next().and_then(Timestamp::of_text) else { continue };
        let event = words.nth(1).unwrap_or_default();
        match before {
            None if event != "server.alive" => continue,
            None => log.since = Some(at),
            Some((from, stopping)) => {
                let stopped = stopping && event == "server.started";
                silent(&mut log, Silence { from, to: at, stopped }, most);
            }
        }
        // A line may be written a little after a later one.
        let (last, was_stopping) = before.unwrap_or((at, false));
        let is_end = event == "server.stopping" || (was_stopping && event != "server.started");
        before = Some((at.max(last), is_end));
    }
    if let Some((from, _)) = before {
        log.until = Some(from);
        silent(&mut log, Silence { from, to: now, stopped: false }, most);
    }
    log
}

fn silent(log: &mut Log, silence: Silence, most: i64) {
    if silence.to.0.saturating_sub(silence.from.0) > most && log.silences.len() < AUDIT_SILENCES_MAX {
        log.silences.push(silence);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::*;
    use proptest::prelude::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + minutes * 60)
    }

    fn line(minutes: i64, event: &str) -> String {
        format!("{} info {event} a=b\n", at(minutes).text())
    }

    #[test]
    fn a_gap_is_seen_from_the_first_sign_of_life_on_and_a_stop_explains_one() {
        let text = [
            line(0, "smtp.connected"),
            line(100, "server.alive"),
            line(145, "imap.closed"),
            line(191, "server.alive"),
            line(192, "server.stopping"),
            line(193, "session.ended"),
            line(300, "server.started"),
            line(315, "server.alive"),
        ]
        .concat();
        let log = silences(&text, at(330));
        assert_eq!((log.since, log.until), (Some(at(100)), Some(at(315))));
        let of = |from, to, stopped| Silence { from: at(from), to: at(to), stopped };
        assert_eq!(log.silences, [of(145, 191, false), of(193, 300, true)]);
        assert_eq!(silences(&text, at(361)).silences.last(), Some(&of(315, 361, false)), "and now it is silent");
        // A start that no stop was before: it fell, or somebody took the lines out.
        let fell = [line(0, "server.alive"), line(60, "server.started")].concat();
        assert_eq!(silences(&fell, at(61)).silences, [of(0, 60, false)]);
        assert_eq!(silences(&line(0, "smtp.connected"), at(900)), Log { every: 900, ..Log::default() });
        // What an outsider says is no event: it stands in a field.
        let said = format!("{}{}", line(0, "server.alive"), line(60, "smtp.helo name=\"server.stopping\""));
        assert_eq!(silences(&said, at(61)).silences, [of(0, 60, false)]);
    }

    #[test]
    fn a_day_is_looked_back_and_three_signs_of_life_may_be_missed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, now) = (dir.path().join("mailward.log"), at(0));
        let back = |seconds: i64| Timestamp::from_secs(now.secs() - seconds).text();
        let every = i64::try_from(LOG_ALIVE_EVERY.as_secs()).unwrap();
        let lines = [AUDIT_SILENCE_BACK + 1, AUDIT_SILENCE_BACK, every * 7, every * 4, every * 3];
        let text: String = lines.iter().map(|seconds| format!("{} info server.alive\n", back(*seconds))).collect();
        std::fs::write(&file, text).unwrap();
        let log = log_of(&file, now).unwrap();
        assert_eq!(log.since.map(Timestamp::text), Some(back(AUDIT_SILENCE_BACK)));
        let told: Vec<String> = log.silences.iter().map(|silence| silence.from.text()).collect();
        assert_eq!(told, [back(AUDIT_SILENCE_BACK)], "the others are no longer than three");
    }

    #[test]
    fn so_many_silences_are_told() {
        let text: String = (0..100).map(|hour| line(hour * 60, "server.alive")).collect();
        assert_eq!(silences(&text, at(0)).silences.len(), AUDIT_SILENCES_MAX);
    }

    proptest! {
        #[test]
        fn no_log_breaks_the_reading(text in "(2027-01-15T08:00:0[0-9]\\.000Z |info |server\\.alive|server\\.stopping|\\n|\\PC|[\\x00-\\x7f]){0,60}") {
            let log = silences(&text, at(0));
            prop_assert!(log.silences.len() <= AUDIT_SILENCES_MAX);
        }
    }
}
