//! What documents hold: what they do when they are opened, the objects in them, their text.

use crate::contents::{Trait, Wrapping};
use crate::kind::Kind;

/// What was found in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// What is remarkable about it, each once.
    pub traits: Vec<Trait>,
    /// Text in it, for rules; whoever keeps it cuts it.
    pub text: String,
    /// Files in it, to be opened further.
    pub inner: Vec<Inner>,
}

/// A file in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inner {
    /// Every name it may go by.
    pub names: Vec<String>,
    /// Its bytes, unwrapped.
    pub bytes: Vec<u8>,
    /// How it stood in the document.
    pub wrapping: Wrapping,
}

/// What may still be unwrapped. A look takes from it whatever it unpacks, text and inner files alike, and stops at
/// nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub items: usize,
    /// Whether something was left out because there was no room for it: the look sets it, and says so.
    pub short: bool,
}

impl Room {
    /// Takes so many bytes; `false`, and [`Room::short`] set, if that is more than is left.
    pub fn take(&mut self, bytes: u64) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => {
                self.short = true;
                false
            }
        }
    }
}

/// Looks into a document of this kind. Total: any bytes give an answer; work grows with their number and the room.
#[must_use]
pub fn look(_kind: Kind, _bytes: &[u8], _room: &mut Room) -> Looked {
    Looked::default()
}
