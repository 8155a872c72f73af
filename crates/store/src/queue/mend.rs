//! The queue after damage: what can't be sent goes, with its name; the rest is counted anew.

use crate::api::StoreError;
use rusqlite::Connection;

/// Names messages whose content is gone, and their recipients, for people; takes them out.
pub(crate) fn drop_lost(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut lost = connection.prepare(
        "SELECT 'queue ' || q.id || ' from ' || coalesce(q.sender, '<>') || ' to '
             || coalesce((SELECT group_concat(address, ', ') FROM queue_recipients r WHERE r.message = q.id), '?')
         FROM queue_messages q WHERE q.blob NOT IN (SELECT id FROM blobs) ORDER BY q.id",
    )?;
    let lost = lost.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    connection.execute("DELETE FROM queue_messages WHERE blob NOT IN (SELECT id FROM blobs)", [])?;
    Ok(lost)
}

/// Takes out rows that belong to nothing and sets every counter to what the rows add up to. Pauses stay.
pub(crate) fn count_anew(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(
        "DELETE FROM queue_recipients WHERE message NOT IN (SELECT id FROM queue_messages);
         DELETE FROM queue_messages WHERE id NOT IN (SELECT message FROM queue_recipients);
         DELETE FROM queue_attempts AS a WHERE NOT EXISTS (SELECT 1 FROM queue_recipients r
             WHERE r.message = a.message AND r.number = a.number AND r.attempts >= a.attempt);
         UPDATE queue_recipients AS r SET attempts = coalesce(
             (SELECT max(attempt) FROM queue_attempts a WHERE a.message = r.message AND a.number = r.number), 0);
         UPDATE queue_messages AS q SET
             size = (SELECT size FROM blobs b WHERE b.id = q.blob),
             remaining = (SELECT count(*) FROM queue_recipients r WHERE r.message = q.id),
             waiting = (SELECT count(*) FROM queue_recipients r WHERE r.message = q.id AND r.held = 0);
         UPDATE queue_messages AS q SET deadline = CASE
             WHEN waiting = 0 THEN NULL
             WHEN warn < expires AND EXISTS (SELECT 1 FROM queue_recipients r
                 WHERE r.message = q.id AND r.held = 0 AND r.warned = 0) THEN warn
             ELSE expires END;
         UPDATE queue_lanes SET waiting = 0, held = 0, due = NULL;
         INSERT INTO queue_lanes (name, waiting, held, due)
             SELECT lane, sum(held = 0), sum(held), min(CASE WHEN held = 0 THEN due END) FROM queue_recipients
             WHERE true GROUP BY lane
             ON CONFLICT (name) DO UPDATE SET waiting = excluded.waiting, held = excluded.held, due = excluded.due;
         DELETE FROM queue_lanes WHERE waiting = 0 AND held = 0 AND paused = 0;",
    )?;
    Ok(())
}
