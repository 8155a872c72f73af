//! The header of a 7z archive: what streams there are, how each is packed, and what files they hold.

use super::count;
use crate::cursor::{Cursor, size};
use crate::names;
use mailward_core::limits::{SCAN_CODERS_MAX, SCAN_ITEMS_MAX};
use std::ops::Range;

/// What a header begins with.
const HEADER: u64 = 1;
const PACKED_HEADER: u64 = 0x17;
/// What follows.
const END: u64 = 0;
const PROPERTIES: u64 = 2;
const OTHER_STREAMS: u64 = 3;
const MAIN_STREAMS: u64 = 4;
const FILES: u64 = 5;
const PACK_INFO: u64 = 6;
const FOLDERS_INFO: u64 = 7;
const SUBSTREAMS_INFO: u64 = 8;
const SIZES: u64 = 9;
const SUMS: u64 = 0xa;
const FOLDERS: u64 = 0xb;
const FOLDER_SIZES: u64 = 0xc;
const COUNTS: u64 = 0xd;
const EMPTY_STREAMS: u64 = 0xe;
const EMPTY_FILES: u64 = 0xf;
const NAMES: u64 = 0x11;
const ATTRIBUTES: u64 = 0x15;

/// Streams and folders, and files with the directories among them, that are read: more than there are files to look at.
const STREAMS_MAX: usize = 4 * SCAN_ITEMS_MAX;

pub(super) enum Header {
    /// The archive's own.
    Files(Streams, Vec<File>),
    /// Packed: the streams to unpack it from.
    Packed(Streams),
}

/// What is packed in an archive.
#[derive(Default)]
pub(super) struct Streams {
    /// Where each packed stream is, after the first 32 bytes.
    pub(super) packed: Vec<Range<usize>>,
    pub(super) folders: Vec<Folder>,
    /// Files in each folder.
    pub(super) counts: Vec<usize>,
    /// Lengths of all files that have bytes.
    pub(super) sizes: Vec<u64>,
}

/// Streams that are packed together.
#[derive(Default)]
pub(super) struct Folder {
    pub(super) coders: Vec<Coder>,
    /// Inputs and the outputs that feed them.
    pairs: Vec<(usize, usize)>,
    /// Inputs that are packed streams.
    pub(super) packed: Vec<usize>,
    /// Which of the archive's packed streams is its first.
    pub(super) first_packed: usize,
    /// Length of each output.
    sizes: Vec<u64>,
}

/// One method, with one output: more nobody has written.
pub(super) struct Coder {
    pub(super) id: Vec<u8>,
    inputs: usize,
    /// Number of its first input among the folder's.
    pub(super) first_input: usize,
    pub(super) properties: Vec<u8>,
}

/// A file.
#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) name: String,
    /// Whether it has no bytes.
    pub(super) is_empty: bool,
    pub(super) is_link: bool,
    is_directory: bool,
}

impl Folder {
    /// The output that feeds no input.
    pub(super) fn main_output(&self) -> Option<usize> {
        (0..self.coders.len()).find(|output| !self.pairs.iter().any(|(_, bound)| bound == output))
    }

    /// The output that feeds an input.
    pub(super) fn bound_output(&self, input: usize) -> Option<usize> {
        self.pairs.iter().find(|(bound, _)| *bound == input).map(|(_, output)| *output)
    }

    /// Coders from an output down to what is packed, or to one with several inputs.
    pub(super) fn chain(&self, output: usize) -> Option<Vec<usize>> {
        let mut chain = vec![output];
        while let Some(coder) = chain.last().and_then(|last| self.coders.get(*last)) {
            if coder.inputs != 1 {
                break;
            }
            let Some(next) = self.bound_output(coder.first_input) else { break };
            chain.push(next);
            if chain.len() > SCAN_CODERS_MAX {
                return None;
            }
        }
        Some(chain)
    }

    /// Length of a coder's output.
    pub(super) fn size_of(&self, coder: usize) -> u64 {
        self.sizes.get(coder).copied().unwrap_or(0)
    }

    /// Length of what comes out of it.
    pub(super) fn unpacked(&self) -> u64 {
        self.main_output().map_or(0, |output| self.size_of(output))
    }
}

/// None: it can't be read. At most so many files.
pub(super) fn read(bytes: &[u8], most: usize) -> Option<Header> {
    let mut at = Cursor::new(bytes);
    match number(&mut at)? {
        PACKED_HEADER => return Some(Header::Packed(streams(&mut at)?)),
        HEADER => {}
        _ => return None,
    }
    let mut found = Streams::default();
    let mut files = Vec::new();
    loop {
        match number(&mut at)? {
            END => return Some(Header::Files(found, files)),
            PROPERTIES => {
                while number(&mut at)? != END {
                    let length = size(number(&mut at)?);
                    at.skip(length)?;
                }
            }
            OTHER_STREAMS => drop(streams(&mut at)?),
            MAIN_STREAMS => found = streams(&mut at)?,
            FILES => files = self::files(&mut at, most)?,
            _ => return None,
        }
    }
}

fn streams(at: &mut Cursor<'_>) -> Option<Streams> {
    let mut found = Streams::default();
    loop {
        match number(at)? {
            END => break,
            PACK_INFO => pack_info(at, &mut found)?,
            FOLDERS_INFO => folders_info(at, &mut found)?,
            SUBSTREAMS_INFO => substreams_info(at, &mut found)?,
            _ => return None,
        }
    }
    if found.counts.is_empty() {
        found.counts = vec![1; found.folders.len()];
        found.sizes = found.folders.iter().map(Folder::unpacked).collect();
    }
    Some(found)
}

fn pack_info(at: &mut Cursor<'_>, found: &mut Streams) -> Option<()> {
    let mut start = size(number(at)?);
    let streams = count(number(at)?, STREAMS_MAX)?;
    loop {
        match number(at)? {
            END => return Some(()),
            SIZES => {
                for _ in 0..streams {
                    let end = start.checked_add(size(number(at)?))?;
                    found.packed.push(start..end);
                    start = end;
                }
            }
            SUMS => drop(sums(at, streams)?),
            _ => return None,
        }
    }
}

fn folders_info(at: &mut Cursor<'_>, found: &mut Streams) -> Option<()> {
    if number(at)? != FOLDERS {
        return None;
    }
    let folders = count(number(at)?, STREAMS_MAX)?;
    // Not in another place.
    if at.u8()? != 0 {
        return None;
    }
    let mut first_packed = 0_usize;
    for _ in 0..folders {
        let folder = folder(at, first_packed)?;
        first_packed = first_packed.checked_add(folder.packed.len())?;
        found.folders.push(folder);
    }
    if number(at)? != FOLDER_SIZES {
        return None;
    }
    for folder in &mut found.folders {
        for _ in 0..folder.coders.len() {
            folder.sizes.push(number(at)?);
        }
    }
    loop {
        match number(at)? {
            END => return Some(()),
            SUMS => drop(sums(at, folders)?),
            _ => return None,
        }
    }
}

fn folder(at: &mut Cursor<'_>, first_packed: usize) -> Option<Folder> {
    let mut folder = Folder { first_packed, ..Folder::default() };
    let coders = count(number(at)?, SCAN_CODERS_MAX)?;
    let mut inputs = 0_usize;
    for _ in 0..coders {
        let flags = at.u8()?;
        let id = at.take(usize::from(flags & 15))?.to_vec();
        let (mut own_inputs, mut outputs) = (1, 1);
        if flags & 0x10 != 0 {
            own_inputs = count(number(at)?, SCAN_CODERS_MAX)?;
            outputs = number(at)?;
        }
        let mut properties = Vec::new();
        if flags & 0x20 != 0 {
            let length = size(number(at)?);
            properties = at.take(length)?.to_vec();
        }
        if outputs != 1 || own_inputs == 0 {
            return None;
        }
        folder.coders.push(Coder { id, inputs: own_inputs, first_input: inputs, properties });
        inputs = inputs.checked_add(own_inputs)?;
    }
    for _ in 0..coders.checked_sub(1)? {
        let input = size(number(at)?);
        let output = size(number(at)?);
        if input >= inputs || output >= coders {
            return None;
        }
        folder.pairs.push((input, output));
    }
    let packed = inputs.checked_sub(folder.pairs.len())?;
    folder.packed = if packed == 1 {
        vec![(0..inputs).find(|input| folder.bound_output(*input).is_none())?]
    } else {
        (0..packed).map(|_| number(at).map(size)).collect::<Option<_>>()?
    };
    Some(folder)
}

fn substreams_info(at: &mut Cursor<'_>, found: &mut Streams) -> Option<()> {
    let mut counts = vec![1; found.folders.len()];
    let mut next = number(at)?;
    if next == COUNTS {
        // A folder may hold no file; then nothing tells of it but its number.
        for of_folder in &mut counts {
            *of_folder = count(number(at)?, at.rest().len())?;
        }
        next = number(at)?;
    }
    let mut sizes = Vec::new();
    for (of_folder, folder) in counts.iter().zip(&found.folders) {
        let Some(but_last) = of_folder.checked_sub(1) else { continue };
        let mut left = folder.unpacked();
        if but_last > 0 && next != SIZES {
            return None;
        }
        for _ in 0..but_last {
            let length = number(at)?;
            left = left.saturating_sub(length);
            sizes.push(length);
        }
        sizes.push(left);
    }
    if next == SIZES {
        next = number(at)?;
    }
    found.counts = counts;
    found.sizes = sizes;
    // Sums of what has none in its folder. How many that are follows from the sums before, which aren't kept; they are the
    // last thing here, and their number is told by whether what follows can be read.
    if next == SUMS {
        skip_sums(at, found)?;
        next = number(at)?;
    }
    (next == END).then_some(())
}

fn skip_sums(at: &mut Cursor<'_>, found: &Streams) -> Option<()> {
    let all: usize = found.counts.iter().fold(0, |sum, of_folder| sum.saturating_add(*of_folder));
    let single = found.counts.iter().filter(|of_folder| **of_folder == 1).count();
    // Folders of one file have theirs already, or none has: programs write one or the other.
    for number_of in [all, all.saturating_sub(single)] {
        let mut ahead = *at;
        if sums(&mut ahead, number_of).is_some() && ahead.rest().starts_with(&[0]) && follows(ahead) {
            *at = ahead;
            return Some(());
        }
    }
    None
}

/// Whether what stands here may be the end of substreams, the end of streams, and what comes after them.
fn follows(mut at: Cursor<'_>) -> bool {
    number(&mut at) == Some(END) && number(&mut at) == Some(END) && matches!(number(&mut at), Some(END | FILES) | None)
}

/// Steps over sums: whether each is there, then four bytes each.
fn sums(at: &mut Cursor<'_>, of: usize) -> Option<()> {
    let there = flags(at, of, true)?.iter().filter(|there| **there).count();
    at.skip(there.checked_mul(4)?)
}

/// One flag each, eight in a byte, the first the highest; where `short`, a byte before says that all are set.
fn flags(at: &mut Cursor<'_>, of: usize, short: bool) -> Option<Vec<bool>> {
    if short && at.u8()? != 0 {
        // Each has something that follows.
        return (of <= at.rest().len()).then(|| vec![true; of]);
    }
    let bytes = at.take(of.div_ceil(8))?;
    Some(bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).take(of).collect())
}

fn files(at: &mut Cursor<'_>, most: usize) -> Option<Vec<File>> {
    // Each has a name, of which at least the end takes two bytes.
    let all = count(number(at)?, at.rest().len())?;
    let mut files = vec![File::default(); all.min(STREAMS_MAX)];
    let mut without: Vec<usize> = Vec::new();
    let mut empty_files: Vec<bool> = Vec::new();
    loop {
        let kind = number(at)?;
        if kind == END {
            break;
        }
        let length = size(number(at)?);
        let mut of_kind = Cursor::new(at.take(length)?);
        match kind {
            EMPTY_STREAMS => {
                let flags = flags(&mut of_kind, all, false)?;
                without = (0..all).zip(&flags).filter(|(_, flag)| **flag).map(|(file, _)| file).collect();
            }
            EMPTY_FILES => empty_files = flags(&mut of_kind, without.len(), false)?,
            NAMES => names(&mut of_kind, &mut files)?,
            ATTRIBUTES => attributes(&mut of_kind, &mut files)?,
            _ => {}
        }
    }
    for (number, file) in without.into_iter().enumerate() {
        if let Some(file) = files.get_mut(file) {
            file.is_empty = true;
            file.is_directory = !empty_files.get(number).copied().unwrap_or(false);
        }
    }
    files.retain(|file| !file.is_directory || crate::names::leads_out(&file.name));
    files.truncate(most);
    Some(files)
}

fn names(at: &mut Cursor<'_>, files: &mut [File]) -> Option<()> {
    if at.u8()? != 0 {
        return None;
    }
    for file in files {
        let rest = at.rest();
        let length = rest.chunks_exact(2).position(|unit| unit == [0, 0])?.checked_mul(2)?;
        file.name = names::utf16_le(at.take(length)?);
        at.skip(2)?;
    }
    Some(())
}

fn attributes(at: &mut Cursor<'_>, files: &mut [File]) -> Option<()> {
    let there = flags(at, files.len(), true)?;
    if at.u8()? != 0 {
        return None;
    }
    for (file, _) in files.iter_mut().zip(there).filter(|(_, there)| *there) {
        let attributes = at.u32()?;
        // The upper half is a Unix mode where a bit says so.
        file.is_link = attributes & 0x8000 != 0 && attributes >> 28 == 0o12;
    }
    Some(())
}

/// A number whose first byte tells by its leading ones how many follow (7zFormat.txt, "UINT64").
fn number(at: &mut Cursor<'_>) -> Option<u64> {
    let first = at.u8()?;
    let more = first.leading_ones();
    let mut value = 0_u64;
    for place in 0..more.min(8) {
        value |= u64::from(at.u8()?) << place.saturating_mul(8);
    }
    if more < 7 {
        let high = u64::from(first & 0xff_u8.checked_shr(more.saturating_add(1)).unwrap_or(0));
        value |= high << more.saturating_mul(8);
    }
    Some(value)
}
