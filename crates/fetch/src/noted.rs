//! What is remembered of an account's messages, so that none comes twice and none is deleted that isn't here.
//!
//! Each message that was taken is noted in the commit that delivers it, under what the server calls it and where
//! ([`Key`]), with a digest of its bytes. The digest is for servers that don't keep their word: numbers that begin anew,
//! one name for two messages, a name given again.

use crate::account::{Name, Settings};
use crate::error::Trouble;
use bytes::Bytes;
use mailward_core::limits::{
    FETCH_FORGET_AFTER, FETCH_NOTED_MAX, FETCH_REFUSED_AGAIN, PAGE_ROWS_MAX, SHELF_CHANGES_MAX,
};
use mailward_core::{AccountId, Timestamp};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{ShelfStore, StoreError};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Bytes of a digest that are kept: enough that two messages never have the same one by chance, or by design.
const DIGEST: usize = 16;

/// Half of a BLAKE3 hash.
pub(crate) type Digest = [u8; DIGEST];

/// What a message is called, made of the place and the server's word for it.
pub(crate) type Key = [u8; DIGEST];

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// It is here: the digest of its bytes, and its size as the server listed it.
    Taken(Digest, u64),
    /// The same, and the server said that it was deleted there: another message may have these bytes.
    Deleted(Digest, u64),
    /// One of those whom it is for has it, and others not yet: the same of it. Under a key of theirs alone.
    Partly(Digest, u64),
    /// It can't be, for good.
    Refused,
}

/// All notes of an account.
pub(crate) struct Noted {
    prefix: String,
    place: String,
    notes: HashMap<Key, (Note, Option<Timestamp>)>,
}

/// Half of the hash of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    half(blake3::hash(bytes))
}

fn half(hash: blake3::Hash) -> [u8; DIGEST] {
    hash.as_bytes().first_chunk::<DIGEST>().copied().unwrap_or_default()
}

pub(crate) fn prefix(name: &Name) -> String {
    format!("n/{name}/")
}

impl Noted {
    /// Reads what is noted of an account.
    pub(crate) async fn read(store: &dyn ShelfStore, name: &Name, settings: &Settings) -> Result<Self, Trouble> {
        let prefix = prefix(name);
        let mut notes = HashMap::new();
        let mut after = Some(prefix.clone());
        // One visit notes no more than it fetches: a bound that is never met.
        for _ in 0..=FETCH_NOTED_MAX {
            let page = store.shelf(Shelf::Fetch, after.take(), PAGE_ROWS_MAX).await?;
            let whole = page.len() < PAGE_ROWS_MAX;
            for record in page {
                let Some(hex) = record.key.strip_prefix(&prefix) else {
                    return Ok(Self { prefix, place: settings.place(), notes });
                };
                // What can't be read is nothing that was noted: the message comes again rather than never.
                if let (Some(key), Some(note)) = (unhex(hex), Note::of(&record.value)) {
                    notes.insert(key, (note, record.expires));
                }
                after = Some(record.key);
            }
            if whole || after.is_none() {
                break;
            }
        }
        Ok(Self { prefix, place: settings.place(), notes })
    }

    /// What a message is called.
    pub(crate) fn key(&self, id: &str) -> Key {
        half(blake3::hash([&self.place, "\0", id].concat().as_bytes()))
    }

    /// What a message is called whose name isn't its alone.
    pub(crate) fn key_of_bytes(&self, id: &str, digest: &Digest) -> Key {
        half(blake3::hash(&[self.place.as_bytes(), b"\0", id.as_bytes(), b"\0\0", digest].concat()))
    }

    /// Where it is noted that one of those whom a message is for has it.
    fn key_of_account(key: &Key, account: AccountId) -> Key {
        half(blake3::hash(&[&key[..], b"\0account\0", &account.0.to_be_bytes()].concat()))
    }

    /// Whether one of those whom a message is for has it already.
    pub(crate) fn has(&self, key: &Key, account: AccountId, digest: &Digest) -> bool {
        let note = self.get(&Self::key_of_account(key, account));
        matches!(note, Some(Note::Partly(had, _)) if had == *digest)
    }

    /// The change that notes it, for the commit that delivers to them.
    pub(crate) fn having(&self, key: &Key, account: AccountId, digest: Digest, size: u64) -> ShelfChange {
        let key = Self::key_of_account(key, account);
        ShelfChange::Put(Shelf::Fetch, self.record(&key, Note::Partly(digest, size), None))
    }

    /// It was committed.
    pub(crate) fn had(&mut self, key: &Key, account: AccountId, digest: Digest, size: u64) {
        self.took(Self::key_of_account(key, account), Note::Partly(digest, size));
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Note> {
        self.notes.get(key).map(|(note, _)| *note)
    }

    /// Whether a message with these bytes was taken under a name that isn't in use any more: the server gave it another.
    pub(crate) fn is_renamed(&self, digest: &Digest, listed: &HashSet<Key>) -> bool {
        self.notes
            .iter()
            .any(|(key, (note, _))| matches!(note, Note::Taken(taken, _) if taken == digest) && !listed.contains(key))
    }

    /// The change that notes a message that is new, for the commit that delivers it. It fails if it was noted meanwhile.
    pub(crate) fn taking(&self, key: &Key, note: Note) -> ShelfChange {
        ShelfChange::Add(Shelf::Fetch, self.record(key, note, None))
    }

    /// It was committed.
    pub(crate) fn took(&mut self, key: Key, note: Note) {
        self.notes.insert(key, (note, None));
    }

    /// Notes something that needs no delivery.
    pub(crate) async fn put(
        &mut self,
        store: &dyn ShelfStore,
        key: Key,
        note: Note,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let expires = (note == Note::Refused).then(|| later(now, FETCH_REFUSED_AGAIN));
        store.change_shelf(vec![ShelfChange::Put(Shelf::Fetch, self.record(&key, note, expires))]).await?;
        self.notes.insert(key, (note, expires));
        Ok(())
    }

    /// The server said that these were deleted.
    pub(crate) async fn deleted(&mut self, store: &dyn ShelfStore, keys: &[Key]) -> Result<(), StoreError> {
        for some in keys.chunks(SHELF_CHANGES_MAX) {
            let mut changes = Vec::new();
            for key in some {
                if let Some((note @ Note::Taken(..), expires)) = self.notes.get(key).copied() {
                    let note = note.once_deleted();
                    changes.push(ShelfChange::Put(Shelf::Fetch, self.record(key, note, expires)));
                    self.notes.insert(*key, (note, expires));
                }
            }
            store.change_shelf(changes).await?;
        }
        Ok(())
    }

    /// After a visit that saw everything: forgets what the server lists no more, at once if it was deleted there by us
    /// (`kept: false`) or if too much is noted, else after a while; and remembers anew what it lists again.
    pub(crate) async fn tidy(
        &mut self,
        store: &dyn ShelfStore,
        listed: &HashSet<Key>,
        kept: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let at_once = forgets_at_once(kept, self.notes.len());
        let mut changes = Vec::new();
        for (key, (note, expires)) in &mut self.notes {
            if *note == Note::Refused {
                continue;
            }
            let wanted = match (listed.contains(key), *expires) {
                (true, Some(_)) => None,
                (false, _) if at_once => {
                    changes.push(ShelfChange::Remove(Shelf::Fetch, name_of(&self.prefix, key)));
                    continue;
                }
                (false, None) => Some(later(now, FETCH_FORGET_AFTER)),
                (true, None) | (false, Some(_)) => continue,
            };
            *expires = wanted;
            changes.push(ShelfChange::Put(Shelf::Fetch, record(&self.prefix, key, *note, wanted)));
        }
        for some in changes.chunks(SHELF_CHANGES_MAX) {
            match store.change_shelf(some.to_vec()).await {
                // The time of one was over meanwhile, or the account was removed: the next visit tidies what is left.
                Ok(()) | Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn record(&self, key: &Key, note: Note, expires: Option<Timestamp>) -> Shelved {
        record(&self.prefix, key, note, expires)
    }
}

/// Whether what isn't listed any more is forgotten without waiting.
const fn forgets_at_once(kept: bool, notes: usize) -> bool {
    !kept || notes > FETCH_NOTED_MAX
}

fn record(prefix: &str, key: &Key, note: Note, expires: Option<Timestamp>) -> Shelved {
    Shelved { key: name_of(prefix, key), value: note.to_bytes(), expires }
}

fn name_of(prefix: &str, key: &Key) -> String {
    let mut name = prefix.to_owned();
    for byte in key {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

fn unhex(hex: &str) -> Option<Key> {
    let mut key = Key::default();
    if hex.len() != DIGEST.saturating_mul(2) || !hex.is_ascii() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

fn later(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}

impl Note {
    /// A letter, and what belongs to it.
    fn to_bytes(self) -> Bytes {
        match self {
            Self::Taken(digest, size) => Bytes::from([&b"t"[..], &digest, &size.to_be_bytes()].concat()),
            Self::Deleted(digest, size) => Bytes::from([&b"d"[..], &digest, &size.to_be_bytes()].concat()),
            Self::Partly(digest, size) => Bytes::from([&b"p"[..], &digest, &size.to_be_bytes()].concat()),
            Self::Refused => Bytes::from_static(b"r"),
        }
    }
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            b"r" => Some(Self::Refused),
            [kind @ (b't' | b'd' | b'p'), rest @ ..] => {
                let (digest, size) = rest.split_first_chunk::<DIGEST>()?;
                let size = u64::from_be_bytes(size.try_into().ok()?);
                Some(match kind {
                    b'd' => Self::Deleted(*digest, size),
                    b'p' => Self::Partly(*digest, size),
                    _ => Self::Taken(*digest, size),
                })
            }
            _ => None,
        }
    }
    const fn once_deleted(self) -> Self {
        match self {
            Self::Taken(digest, size) => Self::Deleted(digest, size),
            other => other,
        }
    }
    /// Of a message that is here: the digest of its bytes, and its size as the server listed it.
    pub(crate) const fn taken(self) -> Option<(Digest, u64)> {
        match self {
            Self::Taken(digest, size) | Self::Deleted(digest, size) => Some((digest, size)),
            Self::Partly(..) | Self::Refused => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_with_ever_new_names_fills_nothing() {
        assert!(!forgets_at_once(true, FETCH_NOTED_MAX));
        assert!(forgets_at_once(true, FETCH_NOTED_MAX + 1));
        assert!(forgets_at_once(false, 1), "what we deleted there doesn't come back");
    }

    #[test]
    fn a_note_comes_back_as_it_was_written_and_nothing_else_is_one() {
        for note in [
            Note::Taken(digest(b"x"), 1 << 40),
            Note::Deleted(digest(b"x"), 1),
            Note::Partly(digest(b"x"), 7),
            Note::Refused,
        ] {
            assert_eq!(Note::of(&note.to_bytes()), Some(note));
        }
        for none in [&b""[..], b"t", b"rr", b"x", &[b't'; 30]] {
            assert_eq!(Note::of(none), None);
        }
        let key = digest(b"y");
        assert_eq!(unhex(name_of("n/joe/", &key).strip_prefix("n/joe/").unwrap()), Some(key));
        assert_eq!(unhex("zz"), None);
        assert_eq!(unhex(&"é".repeat(16)), None);
    }
}
