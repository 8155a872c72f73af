//! The queue after damage: what can't be sent goes, with its name; the rest is counted anew.

use crate::api::StoreError;
use mailward_core::Address;
use rusqlite::{Connection, params};

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
             ELSE expires END;",
    )?;
    lanes_anew(connection)?;
    connection.execute_batch(
        "CREATE TEMP TABLE counted (lane INTEGER PRIMARY KEY, waiting INTEGER, held INTEGER, due INTEGER);
         INSERT INTO counted SELECT lane, sum(held = 0), sum(held), min(CASE WHEN held = 0 THEN due END)
             FROM queue_recipients GROUP BY lane;
         UPDATE queue_lanes SET
             waiting = coalesce((SELECT waiting FROM counted c WHERE c.lane = id), 0),
             held = coalesce((SELECT held FROM counted c WHERE c.lane = id), 0),
             due = (SELECT due FROM counted c WHERE c.lane = id);
         DROP TABLE counted;
         DELETE FROM queue_lanes WHERE waiting = 0 AND held = 0 AND paused = 0;",
    )?;
    Ok(())
}

/// Puts recipients whose lane is lost into the one of their domain.
fn lanes_anew(connection: &Connection) -> Result<(), StoreError> {
    let lost: Vec<(i64, i64, String)> = connection
        .prepare(
            "SELECT message, number, address FROM queue_recipients WHERE lane NOT IN (SELECT id FROM queue_lanes)",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (message, number, address) in lost {
        let lane = Address::parse(&address, true).map_or_else(|_| "lost".to_owned(), |a| a.host().to_string());
        connection.execute("INSERT OR IGNORE INTO queue_lanes (name) VALUES (?1)", [&lane])?;
        connection.execute(
            "UPDATE queue_recipients SET lane = (SELECT id FROM queue_lanes WHERE name = ?3)
             WHERE message = ?1 AND number = ?2",
            params![message, number, lane],
        )?;
    }
    Ok(())
}
