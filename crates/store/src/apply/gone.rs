//! UIDs that are gone, as runs: neighbours are merged as they go, so that a mailbox that is emptied from one end keeps
//! one run, and its UIDs are known without reading its messages.

use crate::api::StoreError;
use crate::tx::Tx;
use mailward_core::{MailboxId, Uid};
use rusqlite::params;

/// Notes that these UIDs (ascending) are gone.
pub(super) fn add(tx: &Tx<'_>, mailbox: MailboxId, uids: impl IntoIterator<Item = Uid>) -> Result<(), StoreError> {
    let mut run: Option<(u32, u32)> = None;
    for uid in uids {
        run = match run {
            Some((first, last)) if last.checked_add(1) == Some(uid.0) => Some((first, uid.0)),
            before => {
                if let Some((first, last)) = before {
                    add_run(tx, mailbox, first, last)?;
                }
                Some((uid.0, uid.0))
            }
        };
    }
    match run {
        Some((first, last)) => add_run(tx, mailbox, first, last),
        None => Ok(()),
    }
}

fn add_run(tx: &Tx<'_>, mailbox: MailboxId, mut first: u32, mut last: u32) -> Result<(), StoreError> {
    let before = tx.row(
        "SELECT first, last FROM gone WHERE mailbox = ?1 AND first < ?2 ORDER BY first DESC LIMIT 1",
        params![mailbox.0, first],
        |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)),
    )?;
    if let Some((start, end)) = before
        && end.checked_add(1) == Some(first)
    {
        first = start;
    }
    let after = tx.row(
        "DELETE FROM gone WHERE mailbox = ?1 AND first = ?2 RETURNING last",
        params![mailbox.0, last.saturating_add(1)],
        |row| row.get::<_, u32>(0),
    )?;
    last = after.unwrap_or(last);
    tx.execute(
        "INSERT INTO gone (mailbox, first, last) VALUES (?1, ?2, ?3)
         ON CONFLICT (mailbox, first) DO UPDATE SET last = ?3",
        params![mailbox.0, first, last],
    )?;
    Ok(())
}
