//! Packs of message bytes, as a damaged disk or a stranger may leave them. Headers carry a checksum that no mutation
//! finds, so the input is also read as a recipe: records, junk, zeros, lying headers, and damage at the end.

use mailward_store::pack::{Found, HEADER_LEN, Header, PACK_HEAD_LEN, PackKey, Scan, fuzz_scan};
use std::ops::Range;

const KEY: PackKey = PackKey([7; 32]);

pub fn run(data: &[u8]) {
    let _records = fuzz_scan(data);
    let _key = data.first_chunk().and_then(PackKey::decode);
    let mut raw = KEY.encode().to_vec();
    raw.extend_from_slice(data);
    scan(&raw);
    let (pack, records) = cook(data);
    let found = scan(&pack);
    assert_eq!(fuzz_scan(&pack), found.len());
    for record in records {
        assert!(found.contains(&record.start), "the whole record at {} of {} is not found", record.start, pack.len());
    }
}

/// Walks a pack, checks that the walk misses no byte and tells nothing untrue, and answers where records begin.
fn scan(pack: &[u8]) -> Vec<usize> {
    let (mut at, mut records) = (PACK_HEAD_LEN, Vec::new());
    for found in Scan::new(pack, PACK_HEAD_LEN, KEY) {
        match found.expect("memory has no read errors") {
            Found::Record { offset, header } => {
                assert_eq!(offset, at);
                let start = usize::try_from(offset).expect("small");
                let content = start + 64..start + 64 + usize::try_from(header.length).expect("small");
                assert_eq!(blake3(&pack[content.clone()]), header.hash);
                records.push(start);
                at = content.end as u64;
            }
            Found::Damaged { offset, header } => {
                assert_eq!(offset, at);
                // Goes on somewhere behind the header; what comes next says where.
                let end = offset.checked_add(HEADER_LEN).and_then(|start| start.checked_add(header.length));
                let whole = end
                    .and_then(|end| usize::try_from(end).ok())
                    .and_then(|end| pack.get(usize::try_from(offset + HEADER_LEN).ok()?..end));
                assert!(whole.is_none_or(|content| blake3(content) != header.hash), "called damaged and isn't");
                at = next_header(pack, offset + HEADER_LEN);
            }
            Found::Junk { offset, length } => {
                assert!(offset == at && length > 0);
                at += length;
            }
        }
    }
    assert_eq!(at, pack.len() as u64, "every byte was looked at");
    records
}

fn next_header(pack: &[u8], from: u64) -> u64 {
    let from = usize::try_from(from).expect("small");
    (from..pack.len())
        .find(|at| {
            pack.get(*at..at + 64).and_then(|b| b.first_chunk()).is_some_and(|b| Header::decode(b, &KEY).is_some())
        })
        .unwrap_or(pack.len()) as u64
}

/// A pack, and where the records are that the damage has left whole.
fn cook(data: &[u8]) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut recipe = data.iter().copied();
    let mut next = || recipe.next();
    let (mut pack, mut records) = (KEY.encode().to_vec(), Vec::new());
    let damage = (next().unwrap_or(0), next().unwrap_or(0), next().unwrap_or(0));
    while let Some(kind) = next() {
        if pack.len() > 100_000 {
            break;
        }
        let size = usize::from(next().unwrap_or(0));
        let content: Vec<u8> = (0..size).map_while(|_| next()).collect();
        let mut header = Header { length: content.len() as u64, written: i64::from(kind) - 7, hash: blake3(&content) };
        match kind % 5 {
            0 | 1 => {
                records.push(pack.len()..pack.len() + 64 + content.len());
                pack.extend_from_slice(&header.encode(&KEY));
                pack.extend_from_slice(&content);
            }
            2 => pack.extend_from_slice(&content),
            3 => pack.resize(pack.len() + size, 0),
            _ => {
                header.length = match kind {
                    200.. => u64::MAX - u64::from(kind),
                    100.. => u64::from(kind) << 12,
                    _ => header.length + 1,
                };
                pack.extend_from_slice(&header.encode(&KEY));
                pack.extend_from_slice(&content);
            }
        }
    }
    let records_begin = KEY.encode().len();
    if damage.2 != 0 && pack.len() > records_begin {
        let at = records_begin + (usize::from(damage.0) << 8 | usize::from(damage.1)) % (pack.len() - records_begin);
        pack[at] ^= damage.2;
        records.retain(|r: &Range<usize>| !r.contains(&at));
    }
    (pack, records)
}

fn blake3(content: &[u8]) -> [u8; 32] {
    *blake3::hash(content).as_bytes()
}
