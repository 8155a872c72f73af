//! Everything that was found in a message, as values.

use crate::kind::Kind;
use mailward_core::limits::{SCAN_ITEMS_MAX, SCAN_NAMES_MAX, SCAN_STOPPED_MAX, SCAN_TRAITS_MAX};
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// Everything in a message, as a flat tree: what holds comes before what it holds. It can't hold a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The leaves of the message and what is in them, in order.
    #[serde(deserialize_with = "few::<_, _, SCAN_ITEMS_MAX>")]
    pub items: Vec<Item>,
    /// What wasn't looked at to its end, and why. Empty: all of it was.
    #[serde(deserialize_with = "few::<_, _, SCAN_STOPPED_MAX>")]
    pub stopped: Vec<Stopped>,
}

/// One file, or one part of a message that could be one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Index of what it was found in; none: the message itself.
    pub parent: Option<u32>,
    /// How it stood there.
    pub wrapping: Wrapping,
    /// Every name it may go by, decoded, each once; those that programs most likely use first. Empty: none. Whoever sent it
    /// wrote them.
    #[serde(deserialize_with = "few::<_, _, SCAN_NAMES_MAX>")]
    pub names: Vec<String>,
    /// What it was declared to be (`type/subtype`, lower case), or empty.
    pub declared: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes, unwrapped.
    pub size: u64,
    /// SHA-256 of its bytes; zeros if it couldn't be unwrapped.
    pub hash: [u8; 32],
    /// What is remarkable about it, each once.
    #[serde(deserialize_with = "few::<_, _, SCAN_TRAITS_MAX>")]
    pub traits: Vec<Trait>,
    /// Text in it for rules to look at, at most `limits::SCAN_TEXT_MAX` bytes.
    pub text: String,
}

/// How a file stood in what it was found in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrapping {
    /// A part of a message, by its number as IMAP has it (`1.2`).
    Part(String),
    /// An entry of an archive, a compressed stream, an object in a document.
    #[default]
    Entry,
    /// Within text: uuencode, yEnc, BinHex, a `data:` URL, something that a script puts together.
    Inline,
    /// Another way to read the same bytes, which some program may take: why it is one.
    Reading(String),
}

/// What is remarkable about a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trait {
    /// It, or some of it, can't be read without a password.
    Encrypted,
    /// It is one of several volumes.
    MultiVolume,
    /// It has macros.
    Macro,
    /// A macro that runs by itself.
    MacroRuns,
    /// It loads something from elsewhere when it is opened: a template, a frame.
    Remote,
    /// Dynamic data exchange, or a formula that starts a program.
    Dde,
    /// It starts a program or opens another file.
    Launches,
    /// It has a script.
    Script,
    /// It puts a file together and hands it to its reader (HTML smuggling).
    Smuggles,
    /// It has a form that sends to elsewhere what is typed.
    Form,
    /// It has an object of another program in it.
    Object,
    /// Entries lie over each other.
    Overlaps,
    /// An entry's name leads out of the place where it is unpacked.
    LeadsOut,
    /// An entry is a link.
    Link,
    /// It is this as well.
    Also(Kind),
    /// Name and contents disagree: what the name says it is.
    NameSays(String),
    /// Declared type and contents disagree.
    TypeSays,
    /// The name hides what it is: a direction override, blanks before the last extension, two extensions, a NUL.
    NameHides,
    /// It ends before its end, or is damaged otherwise: the word says what.
    Damaged(String),
    /// It is larger or deeper than is looked at, or of a kind that isn't unwrapped.
    NotOpened(String),
}

/// Where looking ended before the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stopped {
    /// Deeper than `limits::SCAN_DEPTH_MAX`.
    Depth,
    /// More than `limits::SCAN_ITEMS_MAX` files, or `limits::READINGS_MAX` ways to read a message.
    Items,
    /// More than `limits::SCAN_BYTES_MAX` bytes unwrapped.
    Bytes,
    /// Something grew by more than `limits::SCAN_RATIO_MAX`.
    Ratio,
    /// The time was over.
    Time,
    /// Whoever looked died or hung.
    Lost,
    /// More was found than can be told.
    Answer,
}

/// Reads a list of at most so many, and no further: one of a byte each would take far more memory than it has bytes.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error> {
    struct Few<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Few<T, MOST> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MOST}")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while read.len() < MOST {
                match all.next_element()? {
                    Some(one) => read.push(one),
                    None => return Ok(read),
                }
            }
            match all.next_element::<T>()? {
                None => Ok(read),
                Some(_) => Err(A::Error::custom("more than there may be")),
            }
        }
    }
    from.deserialize_seq(Few::<T, MOST>(PhantomData))
}
