//! The question: which messages have all trigrams of a text.

use super::IndexError;
use super::schema::{self, Identity};
use crate::readers::Reader;
use mailward_core::BlobId;
use mailward_core::limits::INDEX_TRIGRAMS_MAX;
use rusqlite::{Connection, params};

/// A text's trigrams as FTS5 asks for them: each in quotes, all of them wanted. `None` for a text of less than three
/// characters. Of a long text, trigrams all over it: what lacks one of these lacks the text.
pub(super) fn query(needle: &str) -> Option<String> {
    // NUL would end the question; no folded text has it.
    if needle.contains('\0') {
        return None;
    }
    let trigrams = queries(needle);
    let every = trigrams.len().div_ceil(INDEX_TRIGRAMS_MAX).max(1);
    let asked: Vec<String> = trigrams.into_iter().step_by(every).collect();
    (!asked.is_empty()).then(|| asked.join(" "))
}

/// Every trigram of a text, once, as FTS5 asks for it.
pub(super) fn queries(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut trigrams: Vec<&[char]> = characters.windows(3).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    trigrams.into_iter().map(quoted).collect()
}

fn quoted(trigram: &[char]) -> String {
    let mut query = String::from("\"");
    for character in trigram {
        if *character == '"' {
            query.push('"');
        }
        query.push(*character);
    }
    query.push('"');
    query
}

const HOLDERS: &str = "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid";
const UNINDEXED: &str = "SELECT blob FROM unindexed WHERE blob BETWEEN ?1 AND ?2 ORDER BY blob";

/// Those of the blobs that may hold the text: that have the trigrams, or that the index doesn't know.
pub(super) fn holders(
    reader: &Reader,
    identity: Identity,
    query: &str,
    mut among: Vec<BlobId>,
) -> Result<Option<Vec<BlobId>>, IndexError> {
    among.sort_unstable();
    among.dedup();
    let connection = reader.connection();
    // One moment: entries and claim belong together.
    let moment = connection.unchecked_transaction()?;
    let state = schema::state(connection, identity)?;
    let unknown = among.split_off(among.partition_point(|blob| blob.0 <= state.upto));
    let (Some(first), Some(last)) = (among.first().copied(), among.last().copied()) else {
        return Ok(None);
    };
    let mut found = common(connection, HOLDERS, params![query, first.0, last.0], &among)?;
    found.extend(common(connection, UNINDEXED, params![first.0, last.0], &among)?);
    found.extend(unknown);
    moment.finish()?;
    found.sort_unstable();
    Ok(Some(found))
}

/// What a query's ids, which ascend, have in common with these. No more is held than these, however much it finds.
fn common(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    among: &[BlobId],
) -> Result<Vec<BlobId>, IndexError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut among = among.iter().copied().peekable();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = BlobId(row.get(0)?);
        while among.next_if(|blob| *blob < id).is_some() {}
        found.extend(among.next_if_eq(&id));
        if among.peek().is_none() {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_asked_for_by_its_trigrams_once_each() {
        assert_eq!(query("ab"), None);
        assert_eq!(query(""), None);
        assert_eq!(query("äöü").as_deref(), Some("\"äöü\""));
        assert_eq!(query("aaaaab").as_deref(), Some("\"aaa\" \"aab\""));
        assert_eq!(query("a\"b c").as_deref(), Some("\"\"\"b \" \"a\"\"b\" \"b c\""));
        assert_eq!(query("a\0bcde"), None);
    }

    #[test]
    fn of_a_long_text_no_more_trigrams_are_asked_for_than_the_limit() {
        let long: String = (0..50_000_u32).filter_map(|n| char::from_u32(0x4e00 + n % 20_000)).collect();
        let asked = query(&long).unwrap().split_whitespace().count();
        assert!(asked <= INDEX_TRIGRAMS_MAX && asked > INDEX_TRIGRAMS_MAX / 2, "{asked}");
        let just: String = ('\u{4e00}'..).take(INDEX_TRIGRAMS_MAX + 2).collect();
        assert_eq!(query(&just).unwrap().split_whitespace().count(), INDEX_TRIGRAMS_MAX);
    }
}
