//! Directory records (ECMA-119 §9.1), and what Rock Ridge writes behind their names (RRIP, SUSP).

use crate::cursor::Cursor;
use crate::names;

const SECTOR: usize = 2_048;

/// A file or a directory.
#[derive(Clone)]
pub(super) struct Record {
    /// Every name: Rock Ridge's before its own. Of the directory itself and its parent none.
    pub(super) names: Vec<String>,
    /// Its first sector.
    pub(super) extent: u32,
    pub(super) size: u32,
    pub(super) is_directory: bool,
    pub(super) is_link: bool,
}

/// The records of a directory. None goes over the end of a sector.
pub(super) fn all(directory: &[u8], is_joliet: bool) -> impl Iterator<Item = Record> {
    directory.chunks(SECTOR).flat_map(move |sector| {
        let mut at = Cursor::new(sector);
        std::iter::from_fn(move || {
            let length = *at.rest().first()?;
            let record = at.take(usize::from(length))?;
            (length > 0).then_some(record)
        })
        .filter_map(move |record| read(record, is_joliet))
        .filter(|record| !record.names.is_empty())
    })
}

pub(super) fn read(record: &[u8], is_joliet: bool) -> Option<Record> {
    let mut at = Cursor::at(record, 2);
    let extent = at.u32()?;
    at.skip(4)?;
    let size = at.u32()?;
    at.skip(11)?;
    let flags = at.u8()?;
    at.skip(6)?;
    let length = usize::from(at.u8()?);
    let name = at.take(length)?;
    // The system's part begins at an even place.
    if length % 2 == 0 {
        at.skip(1.min(at.rest().len()))?;
    }
    let mut found = Record { names: Vec::new(), extent, size, is_directory: flags & 2 != 0, is_link: false };
    if matches!(name, [0 | 1]) {
        return Some(found);
    }
    rock_ridge(at.rest(), &mut found);
    let own = if is_joliet { vec![names::utf16_be(name)] } else { names::readings(name, false) };
    for name in own {
        let plain = name.split(';').next().unwrap_or_default();
        names::add(&mut found.names, plain.strip_suffix('.').unwrap_or(plain));
    }
    Some(found)
}

/// Entries of a sign, a length, a version and what they say. Those that go on elsewhere (`CE`) are read up to there.
fn rock_ridge(system: &[u8], found: &mut Record) {
    let mut at = Cursor::new(system);
    let mut name = Vec::new();
    while let (Some([a, b]), Some(length), Some(_)) = (at.array::<2>(), at.u8(), at.u8()) {
        let Some(content) = usize::from(length).checked_sub(4).and_then(|length| at.take(length)) else { break };
        match [a, b] {
            [b'N', b'M'] => name.extend_from_slice(content.get(1..).unwrap_or_default()),
            [b'S', b'L'] => found.is_link = true,
            _ => {}
        }
    }
    for name in names::readings(&name, true) {
        names::add(&mut found.names, &name);
    }
}
