//! Is every record, reference and counter as it should be?

use crate::api::StoreError;
use crate::index;
use crate::pack::content::{CONTENTS, ContentRow};
use crate::pack::files::PackFiles;
use crate::pack::{HEADER_LEN, PackKey};
use crate::readers::Reader;
use crate::tx::{PROVEN, int, unsigned};
use rusqlite::params;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Rows looked at before the caller hears of progress.
const STEP: i64 = 1_000;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What, for people.
    pub what: String,
    /// Where: pack and offset, table and row, mailbox and UID.
    pub place: String,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Message contents read and hashed.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Message rows whose content was looked for.
    pub messages: u64,
    /// Mailboxes whose counters were added up.
    pub mailboxes: u64,
    /// Recipients in the queue whose messages and lanes were looked for.
    pub queued: u64,
    /// What is wrong; empty if all is well.
    pub problems: Vec<Problem>,
}

impl Verified {
    fn problem(&mut self, what: impl Into<String>, place: impl Into<String>) {
        self.problems.push(Problem { what: what.into(), place: place.into() });
    }
}

/// Checks everything: the database's own structure, every record's head and hash, every reference, every
/// counter, and what the search index claims. Reads all message bytes. May run beside a server: it looks at one moment. `progress` is called now and
/// then with contents done and contents in all.
///
/// # Errors
/// What keeps it from looking at all; what it finds is in [`Verified::problems`].
pub fn verify(dir: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Verified, StoreError> {
    let database = dir.join("mailward.db");
    if !database.exists() {
        return Err(StoreError::NotFound("store in this directory"));
    }
    let reader = Reader::open(&database)?;
    let files = Arc::new(PackFiles::new(dir.join("packs")));
    let mut found = Verified::default();
    let claims = index::claims(dir, &reader);
    reader.moment(|reader| {
        structure(reader, &mut found)?;
        heads(reader, &files, &mut found)?;
        contents(reader, &database, &files, &mut found, &mut progress)?;
        references(reader, &mut found)?;
        counters(reader, &mut found)?;
        claims.check(reader, &files, |what, place| found.problem(what, place));
        Ok(())
    })?;
    Ok(found)
}

fn structure(reader: &Reader, found: &mut Verified) -> Result<(), StoreError> {
    let said: Vec<String> = reader.rows("PRAGMA integrity_check(100)", params![], |row| row.get(0))?;
    for line in said.into_iter().filter(|line| line != "ok") {
        found.problem(line, "mailward.db");
    }
    Ok(())
}

fn heads(reader: &Reader, files: &PackFiles, found: &mut Verified) -> Result<(), StoreError> {
    for (pack, key) in
        reader.rows("SELECT id, key FROM packs", params![], |row| Ok((row.get(0)?, PackKey(row.get(1)?))))?
    {
        // A pack whose file is gone shows with each of its contents.
        if files.key(pack).is_ok_and(|head| head != Some(key)) {
            found.problem("the pack's head is damaged; the next start writes it again", format!("pack {pack:08}"));
        }
    }
    Ok(())
}

fn contents(
    reader: &Reader,
    database: &Path,
    files: &PackFiles,
    found: &mut Verified,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), StoreError> {
    let total = unsigned(reader.row("SELECT count(*) FROM blobs", params![], |row| row.get(0))?.unwrap_or(0));
    let proven = reader.row(PROVEN, params![], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let proven = proven.unwrap_or((i64::MAX, 0));
    let mut after = 0i64;
    loop {
        let rows = reader.rows(CONTENTS, params![after, STEP], ContentRow::read)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in rows {
            if let Err(what) = row.check(files) {
                // A server may have rewritten the pack since our moment: look where it is now.
                let fresh = Reader::open(database)?;
                let now = fresh.row(CONTENTS, params![row.id.saturating_sub(1), 1], ContentRow::read)?;
                let now = now.filter(|now| now.id == row.id);
                let moved = now.filter(|now| (now.pack, now.place) != (row.pack, row.place));
                // A power cut may have torn the last batch, which nobody was told of: the next start takes it out.
                let unproven = (i64::from(row.pack), int(row.place)) >= proven;
                if !unproven && moved.is_none_or(|now| now.check(files).is_err()) {
                    found.problem(what, format!("pack {:08} offset {}", row.pack, row.place));
                }
            }
            found.contents = found.contents.saturating_add(1);
            found.bytes = found.bytes.saturating_add(row.size);
        }
        progress(found.contents, total);
    }
}

/// Each query finds rows that shouldn't be; its text says what is wrong with them.
const REFERENCES: &[(&str, &str)] = &[
    (
        "a message has no content",
        "SELECT 'mailbox ' || m.mailbox || ' UID ' || m.uid FROM messages m LEFT JOIN blobs b ON b.id = m.blob WHERE b.id IS NULL",
    ),
    (
        "a message's size is not its content's",
        "SELECT 'mailbox ' || m.mailbox || ' UID ' || m.uid FROM messages m JOIN blobs b ON b.id = m.blob WHERE b.size <> m.size",
    ),
    (
        "a content's references are miscounted",
        "SELECT 'content ' || b.id FROM blobs b
         LEFT JOIN (SELECT blob, count(*) n FROM messages GROUP BY blob) m ON m.blob = b.id
         LEFT JOIN (SELECT blob, count(*) n FROM queue_messages GROUP BY blob) q ON q.blob = b.id
         LEFT JOIN (SELECT blob, count(*) n FROM quarantine GROUP BY blob) k ON k.blob = b.id
         WHERE b.refs <> coalesce(m.n, 0) + coalesce(q.n, 0) + coalesce(k.n, 0)",
    ),
    (
        "a content can't be found by its hash",
        "SELECT 'content ' || b.id FROM blobs b WHERE NOT EXISTS (SELECT 1 FROM blob_hashes h WHERE h.blob = b.id)",
    ),
    (
        "a hash leads to no content",
        "SELECT 'content ' || h.blob FROM blob_hashes h WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.id = h.blob)",
    ),
    (
        "a message is in no mailbox",
        "SELECT 'mailbox ' || m.mailbox || ' UID ' || m.uid FROM messages m LEFT JOIN mailboxes x ON x.id = m.mailbox WHERE x.id IS NULL",
    ),
    (
        "a mailbox belongs to nobody",
        "SELECT 'mailbox ' || x.id FROM mailboxes x LEFT JOIN accounts a ON a.id = x.account WHERE a.id IS NULL",
    ),
    (
        "an account has no usage or no INBOX",
        "SELECT 'account ' || a.id FROM accounts a LEFT JOIN usage u ON u.account = a.id
         LEFT JOIN mailboxes x ON x.id = u.inbox AND x.name = 'INBOX' AND x.account = a.id WHERE x.id IS NULL",
    ),
    (
        "a UID or modification sequence lies beyond its mailbox's",
        "SELECT 'mailbox ' || m.mailbox || ' UID ' || m.uid FROM messages m JOIN mailboxes x ON x.id = m.mailbox
         WHERE m.uid >= x.uid_next OR m.mod_seq > x.mod_seq",
    ),
    (
        "a pack's live bytes are miscounted",
        "SELECT 'pack ' || p.id FROM packs p LEFT JOIN (SELECT pack, sum(size + 64) n FROM blobs GROUP BY pack) b
         ON b.pack = p.id WHERE p.live <> coalesce(b.n, 0)",
    ),
    (
        "a content lies in a pack that isn't known, or behind its end",
        "SELECT 'content ' || b.id FROM blobs b LEFT JOIN packs p ON p.id = b.pack
         WHERE p.id IS NULL OR b.place + b.size + 64 > p.ends",
    ),
];

/// What is kept must be found, by itself and by whom it is kept for.
const QUARANTINE: &[(&str, &str)] = &[
    (
        "a message in the quarantine has no content, or one of another size",
        "SELECT 'quarantine ' || q.id FROM quarantine q LEFT JOIN blobs b ON b.id = q.blob WHERE b.size IS NOT q.size",
    ),
    (
        "an account has a message in the quarantine that isn't there",
        "SELECT 'account ' || a.account || ' quarantine ' || a.message FROM quarantine_accounts a
         LEFT JOIN quarantine q ON q.id = a.message WHERE q.id IS NULL",
    ),
];

/// A mailbox's UIDs must be known without its messages: each below UIDNEXT is either there or in a run of those that
/// are gone.
const GONE: &[(&str, &str)] = &[
    (
        "a message's UID is listed as gone",
        "SELECT 'mailbox ' || m.mailbox || ' UID ' || m.uid FROM messages m
         WHERE m.uid <= (SELECT last FROM gone g WHERE g.mailbox = m.mailbox AND g.first <= m.uid ORDER BY first DESC LIMIT 1)",
    ),
    (
        "UIDs are neither there nor listed as gone",
        "SELECT 'mailbox ' || x.id FROM mailboxes x WHERE x.uid_next - 1 <> x.messages
         + (SELECT coalesce(sum(last - first + 1), 0) FROM gone g WHERE g.mailbox = x.id)",
    ),
    (
        "runs of UIDs that are gone overlap or touch",
        "SELECT 'mailbox ' || g.mailbox || ' UID ' || g.first FROM gone g JOIN gone h
         ON h.mailbox = g.mailbox AND h.first > g.first AND h.first <= g.last + 1",
    ),
];

/// What is owed must be found: by its message, by its lane, by the time it is due.
const QUEUE: &[(&str, &str)] = &[
    (
        "a message in the queue has no content",
        "SELECT 'queue ' || q.id FROM queue_messages q LEFT JOIN blobs b ON b.id = q.blob WHERE b.id IS NULL",
    ),
    (
        "a queued message's size is not its content's",
        "SELECT 'queue ' || q.id FROM queue_messages q JOIN blobs b ON b.id = q.blob WHERE b.size <> q.size",
    ),
    (
        "a queued message's recipients are miscounted",
        "SELECT 'queue ' || q.id FROM queue_messages q
         LEFT JOIN (SELECT message, count(*) n, sum(held = 0) waiting FROM queue_recipients GROUP BY message) r
         ON r.message = q.id WHERE r.n IS NULL OR q.remaining <> r.n OR q.waiting <> r.waiting",
    ),
    (
        "a queued message's deadline is another",
        "SELECT 'queue ' || id FROM queue_messages WHERE deadline IS NOT CASE
             WHEN waiting = 0 THEN NULL
             WHEN warn < expires AND EXISTS (SELECT 1 FROM queue_recipients r
                 WHERE r.message = id AND r.held = 0 AND r.warned = 0) THEN warn
             ELSE expires END",
    ),
    (
        "a recipient in the queue has no message",
        "SELECT 'queue ' || r.message || ' recipient ' || r.number FROM queue_recipients r
         LEFT JOIN queue_messages q ON q.id = r.message WHERE q.id IS NULL",
    ),
    (
        "a recipient's lane isn't there",
        "SELECT 'queue ' || r.message || ' recipient ' || r.number FROM queue_recipients r
         LEFT JOIN queue_lanes l ON l.id = r.lane WHERE l.id IS NULL",
    ),
    (
        "a lane's recipients are miscounted, or its time isn't that of the first",
        "SELECT 'lane ' || l.name FROM queue_lanes l LEFT JOIN (
             SELECT lane, sum(held = 0) waiting, sum(held) held, min(CASE WHEN held = 0 THEN due END) due
             FROM queue_recipients GROUP BY lane
         ) r ON r.lane = l.id
         WHERE l.waiting <> coalesce(r.waiting, 0) OR l.held <> coalesce(r.held, 0) OR l.due IS NOT r.due",
    ),
    (
        "an attempt is of no recipient, or a recipient's last attempt isn't there",
        "SELECT 'queue ' || a.message || ' recipient ' || a.number FROM queue_attempts a
         LEFT JOIN queue_recipients r ON r.message = a.message AND r.number = a.number
         WHERE r.attempts IS NULL OR a.attempt > r.attempts
         UNION ALL SELECT 'queue ' || r.message || ' recipient ' || r.number FROM queue_recipients r
         WHERE r.attempts > 0 AND NOT EXISTS (SELECT 1 FROM queue_attempts a
             WHERE a.message = r.message AND a.number = r.number AND a.attempt = r.attempts)",
    ),
];

fn references(reader: &Reader, found: &mut Verified) -> Result<(), StoreError> {
    for (what, sql) in REFERENCES.iter().chain(GONE).chain(QUEUE).chain(QUARANTINE) {
        for place in reader.rows(sql, params![], |row| row.get::<_, String>(0))? {
            found.problem(*what, place);
        }
    }
    let count = |sql: &str| -> Result<u64, StoreError> {
        Ok(unsigned(reader.row(sql, params![], |row| row.get(0))?.unwrap_or(0)))
    };
    found.messages = count("SELECT count(*) FROM messages")?;
    found.queued = count("SELECT count(*) FROM queue_recipients")?;
    Ok(())
}

/// A mailbox's counters beside what its rows add up to; bits 1 and 8 are `\Seen` and `\Deleted`.
const MAILBOX_COUNTERS: &str = "
    SELECT x.id, x.messages, x.unseen, x.deleted, x.bytes,
           coalesce(m.messages, 0), coalesce(m.unseen, 0), coalesce(m.deleted, 0), coalesce(m.bytes, 0)
    FROM mailboxes x LEFT JOIN (
        SELECT mailbox, count(*) messages, sum(flags & 1 = 0) unseen, sum(flags & 8 <> 0) deleted, sum(size) bytes
        FROM messages GROUP BY mailbox
    ) m ON m.mailbox = x.id";

fn counters(reader: &Reader, found: &mut Verified) -> Result<(), StoreError> {
    let rows = reader.rows(MAILBOX_COUNTERS, params![], |row| {
        let four = |from: usize| -> rusqlite::Result<[i64; 4]> {
            let at = |n: usize| row.get(from.saturating_add(n));
            Ok([at(0)?, at(1)?, at(2)?, at(3)?])
        };
        Ok((row.get::<_, i64>(0)?, four(1)?, four(5)?))
    })?;
    for (id, kept, counted) in rows {
        found.mailboxes = found.mailboxes.saturating_add(1);
        if kept != counted {
            found.problem(
                format!("the mailbox counts (messages, unseen, deleted, bytes) {kept:?}, its rows {counted:?}"),
                format!("mailbox {id}"),
            );
        }
    }
    let wrong = reader.rows(
        "SELECT u.account, u.bytes, u.messages, coalesce(m.bytes, 0), coalesce(m.messages, 0) FROM usage u LEFT JOIN (
             SELECT account, sum(bytes) bytes, sum(messages) messages FROM mailboxes GROUP BY account
         ) m ON m.account = u.account WHERE u.bytes <> coalesce(m.bytes, 0) OR u.messages <> coalesce(m.messages, 0)",
        params![],
        |row| {
            let (id, bytes, messages): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (real_bytes, real_messages): (i64, i64) = (row.get(3)?, row.get(4)?);
            Ok((id, format!("usage says {bytes} bytes in {messages} messages, the mailboxes hold {real_bytes} in {real_messages}")))
        },
    )?;
    for (id, what) in wrong {
        found.problem(what, format!("account {id}"));
    }
    debug_assert_eq!(int(HEADER_LEN), 64, "the queries above count on it");
    Ok(())
}
