//! What a worker and the pool say to each other, and the worker's side of it.
//!
//! On a stream socket between the two: the worker says [`Hello`]; then for each message that comes an [`Answer`]. A message
//! comes as three lengths, its own, that of [`Reading`]s of it, and how many bytes of [`Shown`] files are wanted; it and the readings
//! are behind them. What a worker says comes behind one length, and shown files behind that. A length has four bytes, the lowest first; but for the message all is in postcard's form. The worker is believed no
//! more than a message is: whoever wrote the message may speak in the worker's place.

use crate::contents::{Contents, Item, Stopped, Trait, Wrapping};
use crate::names;
use crate::shown::Shown;
use mailward_core::limits::{
    SCAN_ITEMS_MAX, SCAN_NAME_MAX, SCAN_NAMES_MAX, SCAN_SHOWN_FILES_MAX, SCAN_STOPPED_MAX, SCAN_TEXT_MAX,
    SCAN_TEXT_SUM_MAX, SCAN_TRAITS_MAX, SCAN_WORD_MAX, SCANNER_ANSWER_MAX,
};
use serde::{Deserialize, Serialize};
use std::io::{Error, ErrorKind, Read, Result, Write};

/// What a worker says first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Why it doesn't work: it can't close itself up.
    pub refused: Option<String>,
    /// What this host's kernel hasn't got of what closes it up, and it does without.
    pub without: Vec<String>,
}

/// What it says of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What is in it.
    pub contents: Contents,
    /// It has worked enough, and wants to be replaced.
    pub worn: bool,
    /// Lengths of the shown files that follow, and whether there would be more.
    pub shown: Vec<u32>,
    /// See [`Shown::cut`].
    pub cut: bool,
}

/// Another reading of a message, or of a part of it: why it is one, and its bytes.
pub type Reading = (String, Vec<u8>);

/// Bytes of a length.
pub(crate) const LENGTH: usize = 4;

/// A length as it stands before what it is of. Nothing is sent that is longer than it can say.
fn length_of(bytes: usize) -> Result<[u8; LENGTH]> {
    let bytes = u32::try_from(bytes).map_err(|_| Error::new(ErrorKind::InvalidInput, "it is too long"))?;
    Ok(bytes.to_le_bytes())
}

/// What is said beside a message.
pub(crate) struct Asked {
    /// They come before it.
    pub(crate) lengths: [u8; 3 * LENGTH],
    /// They come behind it.
    pub(crate) readings: Vec<u8>,
}

/// What is to be said beside a message of so many bytes, of which so many bytes of files are to be shown.
pub(crate) fn asked(message: usize, readings: &[Reading], room: usize) -> Result<Asked> {
    let readings =
        if readings.is_empty() { Vec::new() } else { postcard::to_stdvec(readings).map_err(Error::other)? };
    let mut lengths = [0; 3 * LENGTH];
    for (place, length) in lengths.chunks_exact_mut(LENGTH).zip([message, readings.len(), room]) {
        place.copy_from_slice(&length_of(length)?);
    }
    Ok(Asked { lengths, readings })
}

/// Says hello.
///
/// # Errors
/// Those of the socket.
pub fn hello(to: &mut impl Write, hello: &Hello) -> Result<()> {
    say(to, hello).map(drop)
}

/// Takes messages and answers what `open` finds in them and shows, at most so many bytes, until the other side is gone. `worn` is asked after each.
///
/// # Errors
/// Those of the socket; a message that breaks off.
pub fn serve(
    socket: &mut (impl Read + Write),
    mut open: impl FnMut(&[u8], Vec<Reading>, usize) -> (Contents, Shown),
    mut worn: impl FnMut() -> bool,
) -> Result<()> {
    loop {
        let mut lengths = [0; 3 * LENGTH];
        // All of them come at once, or it is the end.
        let begun = match socket.read(&mut lengths) {
            Ok(0) => return Ok(()),
            Ok(begun) => begun,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        socket.read_exact(lengths.get_mut(begun..).unwrap_or_default())?;
        let mut each = lengths.chunks_exact(LENGTH).map(|length| length.try_into().map_or(0, u32::from_le_bytes));
        let mut each = || usize::try_from(each.next().unwrap_or_default()).map_err(Error::other);
        let (length, of_readings, room) = (each()?, each()?, each()?);
        let message = read(socket, length)?;
        let readings = read(socket, of_readings)?;
        let readings = if readings.is_empty() {
            Vec::new()
        } else {
            whole(&readings).ok_or_else(|| Error::new(ErrorKind::InvalidData, "readings that are none"))?
        };
        let (mut contents, Shown { files, cut }) = open(&message, readings, room);
        fit(&mut contents);
        drop(message);
        let shown = files.iter().map(|file| u32::try_from(file.len()).map_err(Error::other)).collect::<Result<_>>()?;
        if say(socket, &Answer { contents, worn: worn(), shown, cut })? {
            for file in files {
                socket.write_all(&file)?;
            }
        }
    }
}

fn read(from: &mut impl Read, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Says it; `false`: it was too long, and something else was said.
fn say<T: Serialize>(to: &mut impl Write, what: &T) -> Result<bool> {
    let whole = |what: &dyn Fn(Vec<u8>) -> postcard::Result<Vec<u8>>| what(vec![0; LENGTH]).map_err(Error::other);
    let mut bytes = whole(&|room| postcard::to_extend(what, room))?;
    let fits = bytes.len().saturating_sub(LENGTH) <= SCANNER_ANSWER_MAX;
    if !fits {
        // Who gets this knows that the message wasn't seen whole.
        let contents = Contents { items: Vec::new(), stopped: vec![Stopped::Answer] };
        bytes = whole(&|room| {
            postcard::to_extend(&Answer { contents: contents.clone(), worn: true, ..Answer::default() }, room)
        })?;
    }
    let length = length_of(bytes.len().saturating_sub(LENGTH))?;
    if let Some(place) = bytes.first_chunk_mut::<LENGTH>() {
        *place = length;
    }
    to.write_all(&bytes)?;
    Ok(fits)
}

/// Reads what a worker said first; `None` if it is no such thing.
#[must_use]
pub fn read_hello(bytes: &[u8]) -> Option<Hello> {
    whole(bytes)
}

/// Reads what a worker said of a message; `None` if it is no such thing, or a tree that can't be.
#[must_use]
pub fn read_answer(bytes: &[u8]) -> Option<Answer> {
    whole(bytes).filter(|answer: &Answer| is_sound(&answer.contents) && answer.shown.len() <= SCAN_SHOWN_FILES_MAX)
}

fn whole<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((read, [])) => Some(read),
        _ => None,
    }
}

/// Cuts what is found to what may be told of it.
fn fit(contents: &mut Contents) {
    let mut short = false;
    for item in &mut contents.items {
        short |= item.names.len() > SCAN_NAMES_MAX || item.traits.len() > SCAN_TRAITS_MAX;
        item.names.truncate(SCAN_NAMES_MAX);
        item.traits.truncate(SCAN_TRAITS_MAX);
        for name in item.names.iter_mut().filter(|name| name.len() > SCAN_NAME_MAX) {
            *name = names::cut(name);
        }
        let of_traits = item.traits.iter_mut().filter_map(|found| match found {
            Trait::NameSays(word) | Trait::Damaged(word) | Trait::NotOpened(word) => Some(word),
            _ => None,
        });
        let wrapping = match &mut item.wrapping {
            Wrapping::Part(word) | Wrapping::Reading(word) => Some(word),
            Wrapping::Entry | Wrapping::Inline => None,
        };
        for word in of_traits.chain(wrapping).chain([&mut item.declared]) {
            let mut room = SCAN_WORD_MAX.min(word.len());
            while !word.is_char_boundary(room) {
                room = room.saturating_sub(1);
            }
            word.truncate(room);
        }
    }
    if short && !contents.stopped.contains(&Stopped::Answer) {
        contents.stopped.push(Stopped::Answer);
    }
}

/// Whether each item stands behind what it is in, and there are no more items, names, words and no more text than there may
/// be.
fn is_sound(contents: &Contents) -> bool {
    let text = contents.items.iter().fold(0_usize, |sum, item| sum.saturating_add(item.text.len()));
    let mut places = contents.items.iter().zip(0_u32..);
    contents.items.len() <= SCAN_ITEMS_MAX
        && contents.stopped.len() <= SCAN_STOPPED_MAX
        && text <= SCAN_TEXT_SUM_MAX
        && places.all(|(item, at)| item.parent.is_none_or(|parent| parent < at) && is_item(item))
}

fn is_item(item: &Item) -> bool {
    let is_word = |word: &str| word.len() <= SCAN_WORD_MAX;
    let wrapping = match &item.wrapping {
        Wrapping::Part(word) | Wrapping::Reading(word) => is_word(word),
        Wrapping::Entry | Wrapping::Inline => true,
    };
    wrapping
        && is_word(&item.declared)
        && item.text.len() <= SCAN_TEXT_MAX
        && item.names.len() <= SCAN_NAMES_MAX
        && item.names.iter().all(|name| name.len() <= SCAN_NAME_MAX)
        && item.traits.len() <= SCAN_TRAITS_MAX
        && item.traits.iter().all(|found| match found {
            Trait::NameSays(word) | Trait::Damaged(word) | Trait::NotOpened(word) => is_word(word),
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::{Item, Trait};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::os::unix::net::UnixStream;

    fn heard(from: &mut impl Read) -> Vec<u8> {
        let mut length = [0; LENGTH];
        from.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        from.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn found(names: usize, bytes: usize) -> Contents {
        let item = Item { names: vec!["n".repeat(bytes)], traits: vec![Trait::Macro], ..Item::default() };
        Contents { items: vec![item; names], stopped: Vec::new() }
    }

    #[test]
    fn a_worker_answers_each_message_and_ends_when_the_pool_is_gone() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let worker = std::thread::spawn(move || {
            hello(&mut theirs, &Hello { refused: None, without: vec!["landlock".to_owned()] }).unwrap();
            let mut seen = 0;
            let worn = || {
                seen += 1;
                seen == 2
            };
            let open = |message: &[u8], readings: Vec<Reading>, room| {
                let files = vec![Bytes::from(vec![b'x'; room])];
                (found(1 + readings.len(), message.len()), Shown { files, cut: true })
            };
            serve(&mut theirs, open, worn)
        });
        assert_eq!(read_hello(&heard(&mut ours)).unwrap().without, ["landlock"]);
        for (message, readings, worn) in
            [("", Vec::new(), false), ("Subject: x\r\n\r\n", vec![("why".to_owned(), b"otherwise".to_vec())], true)]
        {
            let asked = asked(message.len(), &readings, 3).unwrap();
            ours.write_all(&asked.lengths).unwrap();
            ours.write_all(message.as_bytes()).unwrap();
            ours.write_all(&asked.readings).unwrap();
            let answer = read_answer(&heard(&mut ours)).unwrap();
            let contents = found(1 + readings.len(), message.len());
            assert_eq!(answer, Answer { contents, worn, shown: vec![3], cut: true });
            let mut shown = [0; 3];
            ours.read_exact(&mut shown).unwrap();
            assert_eq!(&shown, b"xxx");
        }
        drop(ours);
        worker.join().unwrap().unwrap();
    }

    #[test]
    fn an_answer_that_would_be_too_long_says_that_not_all_was_seen() {
        let mut said = Vec::new();
        let answer = Answer { contents: found(SCAN_ITEMS_MAX, 1_000), shown: vec![1], ..Answer::default() };
        assert!(!say(&mut said, &answer).unwrap());
        let answer = read_answer(&heard(&mut said.as_slice())).unwrap();
        assert_eq!(answer.contents.stopped, [Stopped::Answer]);
        assert!(answer.worn && answer.shown.is_empty());
    }

    #[test]
    fn a_tree_that_can_t_be_is_no_answer() {
        let parents = |parents: &[Option<u32>]| {
            let items = parents.iter().map(|parent| Item { parent: *parent, ..Item::default() }).collect();
            let answer = Answer { contents: Contents { items, stopped: Vec::new() }, ..Answer::default() };
            read_answer(&postcard::to_stdvec(&answer).unwrap()).is_some()
        };
        assert!(parents(&[None, Some(0), Some(1), None]));
        assert!(!parents(&[Some(0)]));
        assert!(!parents(&[None, Some(2), None]));
        assert!(!parents(&vec![None; SCAN_ITEMS_MAX + 1]));
        let text = Item { text: "x".repeat(SCAN_TEXT_SUM_MAX + 1), ..Item::default() };
        let answer = Answer { contents: Contents { items: vec![text], stopped: Vec::new() }, ..Answer::default() };
        assert_eq!(read_answer(&postcard::to_stdvec(&answer).unwrap()), None);
        let answer = Answer { shown: vec![1; SCAN_SHOWN_FILES_MAX + 1], ..Answer::default() };
        assert_eq!(read_answer(&postcard::to_stdvec(&answer).unwrap()), None);
    }

    /// Attacks E3: whoever speaks in the worker's place tells no more than it may, and takes no more memory than that has.
    #[test]
    fn an_answer_with_more_of_anything_than_there_may_be_is_none() {
        let reads = |item: Item, stopped: usize| {
            let contents = Contents { items: vec![item], stopped: vec![Stopped::Time; stopped] };
            read_answer(&postcard::to_stdvec(&Answer { contents, ..Answer::default() }).unwrap()).is_some()
        };
        let names = |count: usize, bytes: usize| Item { names: vec!["n".repeat(bytes); count], ..Item::default() };
        let traits = |found: Trait, count: usize| Item { traits: vec![found; count], ..Item::default() };
        let word = |bytes: usize| "w".repeat(bytes);
        assert!(reads(names(SCAN_NAMES_MAX, SCAN_NAME_MAX), SCAN_STOPPED_MAX));
        assert!(reads(traits(Trait::Damaged(word(SCAN_WORD_MAX)), SCAN_TRAITS_MAX), 0));
        assert!(!reads(Item::default(), SCAN_STOPPED_MAX + 1));
        for odd in [
            names(SCAN_NAMES_MAX + 1, 1),
            names(1, SCAN_NAME_MAX + 1),
            traits(Trait::Macro, SCAN_TRAITS_MAX + 1),
            traits(Trait::NameSays(word(SCAN_WORD_MAX + 1)), 1),
            Item { declared: word(SCAN_WORD_MAX + 1), ..Item::default() },
            Item { wrapping: Wrapping::Part(word(SCAN_WORD_MAX + 1)), ..Item::default() },
            Item { text: word(SCAN_TEXT_MAX + 1), ..Item::default() },
        ] {
            let mut contents = Contents { items: vec![odd.clone()], stopped: Vec::new() };
            assert!(!reads(odd, 0), "{contents:?}");
            // A worker of ours says as much of it as it may.
            fit(&mut contents);
            assert!(is_sound(&contents) || contents.items.iter().any(|item| item.text.len() > SCAN_TEXT_MAX));
        }
    }

    proptest! {
        #[test]
        fn anything_a_worker_says_is_read_or_refused(bytes: Vec<u8>) {
            let _hello = read_hello(&bytes);
            if let Some(answer) = read_answer(&bytes) {
                prop_assert!(is_sound(&answer.contents));
            }
        }
        #[test]
        fn what_comes_behind_an_answer_makes_it_none(more in 1_usize..9) {
            let mut bytes = postcard::to_stdvec(&Answer { contents: found(2, 3), worn: true, ..Answer::default() }).unwrap();
            prop_assert!(read_answer(&bytes).is_some());
            bytes.extend(vec![0; more]);
            prop_assert_eq!(read_answer(&bytes), None);
        }
    }
}
