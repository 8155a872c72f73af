//! Counting a message, and finding out whether it is too much.

use super::rows;
use crate::api::StoreError;
use crate::records::{Exceeded, Meter, Metered, Queued, Scope, Submitted, Withheld};
use crate::tx::{Tx, int};
use mailward_core::limits::{KNOWN_RECIPIENT_DAYS, KNOWN_RECIPIENT_NOTE_DAYS, KNOWN_RECIPIENTS_SWEEP, SENT_HOURS_KEPT};
use mailward_core::{AccountId, Address, DomainId, Measure, PerMeasure, SendLimits, Timestamp};
use rusqlite::{Row, params};

const HOUR: i64 = 3_600_000;

/// The hour of a time, counted from 1970.
pub(super) const fn hour(now: Timestamp) -> i64 {
    now.0.div_euclid(HOUR)
}

/// The last hour that isn't of this day.
pub(super) const fn yesterday(hour: i64) -> i64 {
    hour.saturating_sub(24)
}

/// Counts a message to other domains, and says whether it is held.
pub(super) fn meter(
    tx: &Tx<'_>,
    meter: &Meter,
    queued: &[Queued],
    submitted: &mut Submitted,
) -> Result<(), StoreError> {
    let id = |row: &Row<'_>| Ok(DomainId(row.get(0)?));
    let (scope, domain) = match &meter.who {
        Metered::Account(account) => {
            let domain = tx.row("SELECT domain FROM accounts WHERE id = ?1", params![account.0], id)?;
            (Scope::Account(*account), Some(domain.ok_or(StoreError::NotFound("account"))?))
        }
        Metered::Insider(insider, None) => (Scope::Insider(*insider), None),
        Metered::Insider(insider, Some(domain)) => {
            let domain = tx.row("SELECT id FROM domains WHERE name = ?1", params![domain.as_str()], id)?;
            (Scope::Insider(*insider), domain)
        }
    };
    let (_, sender) = rows::key(scope);
    let recipients: Vec<&Address> = queued.iter().flat_map(|one| &one.recipients).map(|one| &one.address).collect();
    let mut fresh = 0u64;
    for address in &recipients {
        fresh = fresh.saturating_add(u64::from(meets(tx, sender, address)?));
    }
    let message = Message { recipients: recipients.len() as u64, fresh };
    let scopes = [(scope, &meter.user)].into_iter().chain(domain.map(|domain| (Scope::Domain(domain), &meter.domain)));
    let mut held = None;
    let mut counted = Vec::with_capacity(2);
    for (scope, configured) in scopes {
        let found = look(tx, scope, configured, &message)?;
        if let Some(frozen) = &found.frozen {
            held.get_or_insert_with(|| Withheld::Frozen(frozen.clone()));
        }
        if let Some(exceeded) = found.exceeded(scope) {
            held.get_or_insert(Withheld::Beyond(exceeded));
        }
        if !matches!(scope, Scope::Domain(_)) {
            submitted.sent = found.sent;
        }
        counted.push((scope, found));
    }
    for (scope, found) in &counted {
        submitted.newly.extend(found.newly(*scope));
        // Against the account counts what it alone did too much.
        let beyond = found.beyond != 0;
        add(tx, *scope, &message, beyond)?;
        if found.beyond != found.before {
            let (kind, id) = rows::key(*scope);
            tx.execute(
                "INSERT INTO senders (kind, id, beyond) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, id) DO UPDATE SET beyond = ?3",
                params![kind, id, found.beyond],
            )?;
            rows::tidy(tx, *scope)?;
        }
    }
    submitted.held = held;
    Ok(())
}

/// What a message adds.
struct Message {
    recipients: u64,
    fresh: u64,
}

/// What is known of an account or a domain, a message included.
struct Found {
    limits: SendLimits,
    sent: PerMeasure<u64>,
    frozen: Option<String>,
    /// Limits that were exceeded before, as bits, and are now.
    before: u8,
    beyond: u8,
}

impl Found {
    fn exceeded(&self, scope: Scope) -> Option<Exceeded> {
        self.limits.exceeded(&self.sent).map(|measure| self.of(scope, measure))
    }
    fn newly(&self, scope: Scope) -> impl Iterator<Item = Exceeded> {
        let new = self.beyond & !self.before;
        Measure::ALL.into_iter().filter(move |measure| new & measure.bit() != 0).map(move |m| self.of(scope, m))
    }
    const fn of(&self, scope: Scope, measure: Measure) -> Exceeded {
        Exceeded { scope, measure, limit: self.limits.get(measure), sent: self.sent.get(measure) }
    }
}

fn look(tx: &Tx<'_>, scope: Scope, configured: &SendLimits, message: &Message) -> Result<Found, StoreError> {
    let record = rows::find(tx, scope)?;
    let limits = record.effective(configured);
    let (kind, id) = rows::key(scope);
    let before = tx
        .row(TODAY, params![kind, id, hour(tx.now)], |row| {
            let number = |column: usize| Ok::<_, rusqlite::Error>(crate::tx::unsigned(row.get(column)?));
            Ok(SendLimits::of([number(0)?, number(1)?, number(2)?, number(3)?, number(4)?, number(5)?]))
        })?
        .unwrap_or_default();
    let sent = before.map(|measure, count| {
        count.saturating_add(match measure {
            Measure::MessagesPerHour | Measure::MessagesPerDay => 1,
            Measure::RecipientsPerHour | Measure::RecipientsPerDay => message.recipients,
            Measure::NewPerHour | Measure::NewPerDay => message.fresh,
        })
    });
    let bits = record.beyond.iter().fold(0, |bits, measure| bits | measure.bit());
    Ok(Found { limits, sent, frozen: record.frozen.map(|f| f.why), before: bits, beyond: limits.all_exceeded(&sent) })
}

/// What was sent in an hour and the 23 before it: along the primary key.
pub(super) const TODAY: &str = "
    SELECT coalesce(sum(CASE WHEN hour = ?3 THEN messages END), 0), coalesce(sum(messages), 0),
           coalesce(sum(CASE WHEN hour = ?3 THEN recipients END), 0), coalesce(sum(recipients), 0),
           coalesce(sum(CASE WHEN hour = ?3 THEN fresh END), 0), coalesce(sum(fresh), 0)
    FROM sent WHERE kind = ?1 AND id = ?2 AND hour > ?3 - 24 AND hour <= ?3";

/// Adds a message to this hour.
fn add(tx: &Tx<'_>, scope: Scope, message: &Message, beyond: bool) -> Result<(), StoreError> {
    let (kind, id) = rows::key(scope);
    let hour = hour(tx.now);
    let known = tx.execute(
        "UPDATE sent SET messages = messages + 1, recipients = recipients + ?4, fresh = fresh + ?5, held = held + ?6
         WHERE kind = ?1 AND id = ?2 AND hour = ?3",
        params![kind, id, hour, int(message.recipients), int(message.fresh), beyond],
    )?;
    if known == 0 {
        tx.execute(
            "INSERT INTO sent (kind, id, hour, messages, recipients, fresh, held) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)",
            params![kind, id, hour, int(message.recipients), int(message.fresh), beyond],
        )?;
        sweep(tx, kind, id, hour)?;
    }
    Ok(())
}

/// Along `known_recipients_day`.
const OLD: &str = "DELETE FROM known_recipients WHERE (account, hash) IN
    (SELECT account, hash FROM known_recipients WHERE day < ?1 ORDER BY day LIMIT ?2)";

/// Forgets what is old, once an hour for each that sends.
fn sweep(tx: &Tx<'_>, kind: i64, id: i64, hour: i64) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM sent WHERE kind = ?1 AND id = ?2 AND hour <= ?3",
        params![kind, id, hour.saturating_sub(SENT_HOURS_KEPT)],
    )?;
    tx.execute(
        OLD,
        params![hour.div_euclid(24).saturating_sub(KNOWN_RECIPIENT_DAYS), int(KNOWN_RECIPIENTS_SWEEP as u64)],
    )?;
    Ok(())
}

/// Notes that somebody writes to an address; whether it is for the first time. Numbers of insiders are none of accounts.
fn meets(tx: &Tx<'_>, sender: i64, address: &Address) -> Result<bool, StoreError> {
    let day = hour(tx.now).div_euclid(24);
    let hash = hash(address);
    let known =
        tx.row("SELECT day FROM known_recipients WHERE account = ?1 AND hash = ?2", params![sender, hash], |row| {
            row.get::<_, i64>(0)
        })?;
    if known.is_none_or(|noted| noted < day.saturating_sub(KNOWN_RECIPIENT_NOTE_DAYS)) {
        tx.execute(
            "INSERT INTO known_recipients (account, hash, day) VALUES (?1, ?2, ?3)
             ON CONFLICT (account, hash) DO UPDATE SET day = ?3",
            params![sender, hash, day],
        )?;
    }
    Ok(known.is_none())
}

/// Whether anybody wrote to an address (`hash` of [`hash`]) since a day: along `known_recipients_hash`.
pub(super) const WRITTEN_TO: &str =
    "SELECT 1 FROM known_recipients INDEXED BY known_recipients_hash WHERE hash = ?1 AND day >= ?2 LIMIT 1";

/// The first day that counts for [`WRITTEN_TO`].
pub(super) const fn known_since(now: Timestamp) -> i64 {
    hour(now).div_euclid(24).saturating_sub(KNOWN_RECIPIENT_DAYS)
}

/// Eight bytes of BLAKE3: two addresses of one account that share them would make one of them known too early.
pub(super) fn hash(address: &Address) -> i64 {
    let text = format!("{}@{}", address.local().folded(), address.host());
    crate::tx::head(blake3::hash(text.as_bytes()).as_bytes())
}

/// Counts recipients that were refused for good, against who submitted them.
pub(crate) fn count_refused(tx: &Tx<'_>, account: AccountId, recipients: u64) -> Result<(), StoreError> {
    if rows::must_exist(tx, Scope::Account(account)).is_err() {
        // The account is gone since: nobody would ever ask.
        return Ok(());
    }
    tx.execute(
        "INSERT INTO sent (kind, id, hour, refused) VALUES (0, ?1, ?2, ?3)
         ON CONFLICT (kind, id, hour) DO UPDATE SET refused = refused + ?3",
        params![account.0, hour(tx.now), int(recipients)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    /// Along a key, whatever is in the tables.
    #[test]
    fn no_question_reads_more_than_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let database = schema::open_writer(&dir.path().join("mailward.db")).unwrap();
        for (sql, key) in [
            (TODAY, "SEARCH sent USING PRIMARY KEY (kind=? AND id=? AND hour>? AND hour<?)"),
            (rows::SENT, "SEARCH sent USING PRIMARY KEY (kind=? AND id=? AND hour<?)"),
            (rows::SENDER, "SEARCH senders USING PRIMARY KEY (kind=? AND id=?)"),
            (OLD, "known_recipients_day (day<?)"),
            (WRITTEN_TO, "known_recipients_hash (hash=?)"),
        ] {
            let mut explain = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = explain.parameter_count();
            let steps: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert!(steps.iter().any(|step| step.contains(key)), "{sql}: {steps:?}");
            assert!(
                !steps.iter().any(|step| step.contains("SCAN") && !step.contains("LIST SUBQUERY")),
                "{sql}: {steps:?}"
            );
        }
    }
}
