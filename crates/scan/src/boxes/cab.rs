//! Windows cabinets (MS-CAB): folders of blocks, each a stream that holds several files in a row.

mod blocks;

use crate::contents::Trait;
use crate::cursor::{Cursor, size32};
use crate::holder::{Found, Holder, Step};
use crate::meter::{End, Growth, Meter};
use crate::names;
use blocks::{Blocks, Method};
use bytes::Bytes;

/// A stream of files.
struct Folder {
    /// Where its blocks begin.
    start: usize,
    blocks: u16,
    method: Result<Method, &'static str>,
}

/// A file in a folder.
struct File {
    names: Vec<String>,
    size: u32,
    offset: u32,
    folder: u16,
}

/// None: its header can't be read.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut at = Cursor::new(bytes);
    if at.take(4)? != b"MSCF" {
        return None;
    }
    at.skip(12)?;
    let first_file = size32(at.u32()?);
    at.skip(6)?;
    let folder_count = at.u16()?;
    let file_count = at.u16()?;
    let flags = at.u16()?;
    at.skip(4)?;
    let (mut folder_reserve, mut block_reserve) = (0, 0);
    if flags & 4 != 0 {
        let reserve = at.u16()?;
        folder_reserve = usize::from(at.u8()?);
        block_reserve = usize::from(at.u8()?);
        at.skip(usize::from(reserve))?;
    }
    // Names of the cabinets before and after.
    for _ in 0..(flags & 1).saturating_add(flags >> 1 & 1).saturating_mul(2) {
        at.text()?;
    }
    let mut folders = Vec::new();
    for _ in 0..folder_count {
        let start = size32(at.u32()?);
        let blocks = at.u16()?;
        let method = at.u16()?;
        at.skip(folder_reserve)?;
        let method = match method & 15 {
            0 => Ok(Method::Stored),
            1 => Ok(Method::MsZip),
            3 => Method::lzx(method >> 8 & 31),
            2 => Err("packed by Quantum"),
            _ => Err("packed by a method that isn't known"),
        };
        folders.push(Folder { start, blocks, method });
    }
    let mut notes = Vec::new();
    if flags & 3 != 0 {
        notes.push(Trait::MultiVolume);
    }
    let mut files = Vec::new();
    let mut at = Cursor::at(bytes, first_file);
    for _ in 0..usize::from(file_count).min(most) {
        let Some(file) = file(&mut at) else {
            notes.push(Trait::Damaged("it ends before its end".to_owned()));
            break;
        };
        files.push(file);
    }
    // A stream is read once, from its beginning.
    files.sort_by_key(|file| (file.folder, file.offset));
    Some(Box::new(Cab {
        bytes: bytes.clone(),
        block_reserve,
        folders,
        notes,
        files: files.into_iter(),
        growth: Growth::of(bytes.len()),
        open: None,
    }))
}

fn file(at: &mut Cursor<'_>) -> Option<File> {
    let size = at.u32()?;
    let offset = at.u32()?;
    let folder = at.u16()?;
    at.skip(4)?;
    let attributes = at.u16()?;
    let name = at.text()?;
    Some(File { names: names::readings(name, attributes & 0x80 != 0), size, offset, folder })
}

struct Cab {
    bytes: Bytes,
    block_reserve: usize,
    folders: Vec<Folder>,
    notes: Vec<Trait>,
    files: std::vec::IntoIter<File>,
    growth: Growth,
    open: Option<Open>,
}

/// The folder that is read.
struct Open {
    folder: u16,
    stream: Result<Blocks, Trait>,
    /// How far it has been read.
    position: u64,
}

impl Cab {
    fn begin(&self, folder: u16) -> Result<Blocks, Trait> {
        let Some(found) = self.folders.get(usize::from(folder)) else {
            // 0xfffd to 0xffff: the file goes on in another cabinet.
            return Err(if folder >= 0xfffd {
                Trait::MultiVolume
            } else {
                Trait::Damaged("a folder that isn't there".to_owned())
            });
        };
        match found.method {
            Ok(method) => Ok(Blocks::new(self.bytes.clone(), found.start, found.blocks, self.block_reserve, method)),
            Err(why) => Err(Trait::NotOpened(why.to_owned())),
        }
    }

    fn file(&mut self, file: File, meter: &mut Meter<'_>) -> Found {
        let File { names, size, offset, folder } = file;
        let (size, offset) = (u64::from(size), u64::from(offset));
        let mut open = match self.open.take() {
            Some(open) if open.folder == folder => open,
            _ => Open { folder, stream: self.begin(folder), position: 0 },
        };
        let found = match (&mut open.stream, offset.checked_sub(open.position)) {
            (Err(why), _) => Found::closed(names, size, why.clone()),
            (Ok(_), None) => {
                self.notes.push(Trait::Overlaps);
                Found::closed(names, size, Trait::NotOpened("it lies over another entry".to_owned()))
            }
            (Ok(stream), Some(gap)) => {
                let mut end = meter.skip(stream, gap, &mut self.growth);
                let found = if end == End::Whole {
                    let unpacked = meter.unpack(stream, size, &mut self.growth);
                    if unpacked.end == End::Larger {
                        end = meter.skip(stream, size.saturating_sub(unpacked.read), &mut self.growth);
                    }
                    Found::unpacked(names, Some(size), unpacked)
                } else {
                    Found::closed(names, size, Trait::NotOpened("what stands before it can't be unpacked".to_owned()))
                };
                open.position = offset.saturating_add(size);
                let broken = found.traits.iter().find(|found| matches!(found, Trait::Damaged(_))).cloned();
                match (broken, end) {
                    (Some(why), _) | (None, End::Broken(why)) => open.stream = Err(why),
                    (None, End::Whole | End::Larger) => {}
                    (None, End::Stopped) => {
                        open.stream = Err(Trait::NotOpened("looking ended before its end".to_owned()));
                    }
                }
                found
            }
        };
        self.open = Some(open);
        found
    }
}

impl Holder for Cab {
    fn next(&mut self, meter: &mut Meter<'_>) -> Step {
        if let Some(note) = self.notes.pop() {
            return Step::Note(note);
        }
        match self.files.next() {
            Some(file) => Step::File(self.file(file, meter)),
            None => Step::End,
        }
    }
}
