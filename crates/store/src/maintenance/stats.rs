//! How big the store is.

use crate::api::StoreError;
use crate::index::{self, Measured};
use crate::readers::Reader;
use crate::tx::unsigned;
use rusqlite::params;
use serde::Serialize;
use std::path::Path;

/// Sizes in bytes and counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Domains.
    pub domains: u64,
    /// Accounts.
    pub accounts: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages, each counted in every mailbox that shows it.
    pub messages: u64,
    /// Their sizes together.
    pub message_bytes: u64,
    /// Messages in the queue.
    pub queued: u64,
    /// Their recipients that are left.
    pub queued_recipients: u64,
    /// Different message contents.
    pub contents: u64,
    /// Their sizes together: what is stored once.
    pub content_bytes: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of the packs that some message refers to.
    pub live_bytes: u64,
    /// Bytes of the packs that `compact` could give back.
    pub dead_bytes: u64,
    /// Size of the database with its log.
    pub database_bytes: u64,
    /// Contents that are in the search index.
    pub indexed: u64,
    /// Contents that wait to be; until then searches read them.
    pub index_waiting: u64,
    /// Contents that can't be, and are read by every search.
    pub unindexed: u64,
    /// Size of the search index.
    pub index_bytes: u64,
}

/// Counts. May run beside a server.
///
/// # Errors
/// What the file system or database says; [`StoreError::NotFound`] if there is no store.
pub fn stats(dir: &Path) -> Result<Stats, StoreError> {
    let database = dir.join("mailward.db");
    if !database.exists() {
        return Err(StoreError::NotFound("store in this directory"));
    }
    let reader = Reader::open(&database)?;
    let two = |sql: &str| -> Result<(u64, u64), StoreError> {
        let pair = reader.row(sql, params![], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
        Ok(pair.unwrap_or_default())
    };
    reader.moment(|_| {
        let (domains, accounts) = two("SELECT (SELECT count(*) FROM domains), (SELECT count(*) FROM accounts)")?;
        let (mailboxes, messages) = two("SELECT count(*), coalesce(sum(messages), 0) FROM mailboxes")?;
        let (_, message_bytes) = two("SELECT 0, coalesce(sum(bytes), 0) FROM mailboxes")?;
        let (queued, queued_recipients) =
            two("SELECT (SELECT count(*) FROM queue_messages), (SELECT count(*) FROM queue_recipients)")?;
        let (contents, content_bytes) = two("SELECT count(*), coalesce(sum(size), 0) FROM blobs")?;
        let (packs, live_bytes) = two("SELECT count(*), coalesce(sum(live), 0) FROM packs")?;
        let (_, ends) = two("SELECT 0, coalesce(sum(ends - 64), 0) FROM packs")?;
        let Measured { entries, waiting, unindexed, bytes: index_bytes } = index::measure(dir, &reader)?;
        let size = |suffix: &str| std::fs::metadata(format!("{}{suffix}", database.display())).map_or(0, |m| m.len());
        Ok(Stats {
            domains,
            accounts,
            mailboxes,
            messages,
            message_bytes,
            queued,
            queued_recipients,
            contents,
            content_bytes,
            packs,
            live_bytes,
            dead_bytes: ends.saturating_sub(live_bytes),
            database_bytes: size("").saturating_add(size("-wal")),
            indexed: entries,
            index_waiting: waiting,
            unindexed,
            index_bytes,
        })
    })
}
