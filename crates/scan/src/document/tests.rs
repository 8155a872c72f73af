#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "small numbers of tests")]

use super::*;
use crate::made;
use proptest::prelude::*;

mod bombs;
mod limits;
mod office;
mod others;
mod pages;
mod pdf;
mod rtf;

/// A look with room for anything.
fn look_at(bytes: &[u8]) -> Looked {
    look_as(crate::kind::of(bytes), bytes)
}

fn look_as(kind: Kind, bytes: &[u8]) -> Looked {
    let mut room = Room { bytes: 200 << 20, items: 10_000, short: false };
    look(kind, bytes, &mut room)
}

fn traits(bytes: &[u8]) -> Vec<Trait> {
    look_at(bytes).traits
}

/// Source of a module, packed as \[MS-OVBA\] does, without saving a byte.
fn packed(source: &str) -> Vec<u8> {
    let mut out = vec![1];
    for chunk in source.as_bytes().chunks(3_600) {
        let mut data = Vec::new();
        for group in chunk.chunks(8) {
            data.push(0);
            data.extend_from_slice(group);
        }
        out.extend_from_slice(&(u16::try_from(data.len() - 1).unwrap() | 0xb000).to_le_bytes());
        out.extend_from_slice(&data);
    }
    out
}

/// A module's stream: compiled code, then its source.
fn module(source: &str) -> Vec<u8> {
    let mut out = vec![0x17; 700];
    out.extend(packed(&format!("Attribute VB_Name = \"Module1\"\r\n{source}")));
    out
}

const RUNS: &str = "Sub AutoOpen()\r\n  Shell \"calc.exe\"\r\nEnd Sub\r\n";
const WAITS: &str = "Sub Total()\r\n  MsgBox \"5\"\r\nEnd Sub\r\n";

proptest! {
    #[test]
    fn any_bytes_as_any_kind_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..1_500), kind in 0..Kind::ALL.len()) {
        let kind = Kind::ALL[kind];
        let mut room = Room { bytes: 1 << 20, items: 5, short: false };
        let looked = look(kind, &bytes, &mut room);
        prop_assert!(looked.inner.len() <= 5);
        prop_assert!(looked.text.len() <= SCAN_TEXT_MAX);
        let mut seen = looked.traits.clone();
        seen.sort();
        seen.dedup();
        prop_assert_eq!(seen.len(), looked.traits.len(), "each once");
    }

    #[test]
    fn damaged_documents_are_looked_at(sample in 0..12_usize, changes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..12), cut in any::<u16>()) {
        let mut bytes = SAMPLES[sample].clone();
        for (place, byte) in changes {
            let place = usize::from(place) % bytes.len();
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - usize::from(cut) % (bytes.len() / 4 + 1));
        let kind = crate::kind::of(&bytes);
        let _ = (look_as(kind, &bytes), crate::kind::others(&bytes));
    }

    #[test]
    fn no_room_is_never_passed(sample in 0..12_usize, room in 0..5_000_u64) {
        let bytes = SAMPLES[sample].clone();
        let mut left = Room { bytes: room, items: 100, short: false };
        let looked = look(crate::kind::of(&bytes), &bytes, &mut left);
        let given: usize = looked.inner.iter().map(|inner| inner.bytes.len()).sum();
        prop_assert!(u64::try_from(given).unwrap() <= room);
    }
}

static SAMPLES: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(samples);

/// One of everything.
fn samples() -> Vec<Vec<u8>> {
    vec![
        office::word(RUNS),
        office::workbook(),
        office::docx(&[("word/vbaProject.bin", &office::project(RUNS))]),
        office::packaged(),
        office::saved_message(),
        office::open_document(),
        rtf::with_object(),
        pdf::with_everything(),
        pages::smuggling().into_bytes(),
        others::notebook(),
        others::lnk(),
        b"BEGIN:VCALENDAR\r\nATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.exe:TVqQAAMAAAAEAAAA\r\nEND:VCALENDAR\r\n"
            .to_vec(),
    ]
}
