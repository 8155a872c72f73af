//! Any bytes: an answer, within the budget.

use crate::build::{INNER, Zipped, message, zip};
use mailward_scan::{Budget, Contents, open};
use proptest::prelude::*;
use std::time::Duration;

const BYTES: u64 = 4 << 20;

fn look(bytes: &[u8]) -> Contents {
    let none = || Duration::ZERO;
    let mut budget = Budget::within_limits(&none);
    budget.bytes = BYTES;
    budget.items = 200;
    open(bytes, budget)
}

fn holds(contents: &Contents) {
    assert!(contents.items.len() <= 200);
    let mut unwrapped = 0;
    for (index, item) in contents.items.iter().enumerate() {
        assert!(item.parent.is_none_or(|parent| (parent as usize) < index), "what holds comes first");
        let mut traits = item.traits.clone();
        traits.sort();
        traits.dedup();
        assert_eq!(traits.len(), item.traits.len(), "each trait once");
        if item.hash != [0; 32] {
            unwrapped += item.size;
        }
    }
    assert!(unwrapped <= BYTES);
}

/// What each container begins with.
const SIGNS: [&[u8]; 22] = [
    b"PK\x03\x04\x14\0\0\0\x08\0",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"BZh91AY&SY",
    b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\x02\0\x21\x01\x16\0\0\0",
    b"\x5d\0\0\x10\0\xff\xff\xff\xff\xff\xff\xff\xff\0",
    b"\x28\xb5\x2f\xfd\x04\x58",
    b"\x1f\x9d\x90",
    b"SZDD\x88\xf0\x27\x33Ae",
    b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\x01\x04\x06\0\x01\x09\x05\0\x07\x0b\x01\0",
    b"MSCF\0\0\0\0\0\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x03\x01\x01\0\x01\0\0\0",
    b"Rar!\x1a\x07\0\0\0\x73\0\0\x0d\0\0\0\0\0\0\0\0\0\x74",
    b"Rar!\x1a\x07\x01\0\0\0\0\0\x03\x01\0\0\0\0\0\0\x20\x02\x02",
    b"\x20\0-lh5-\x20\0\0\0\x40\0\0\0\0\0\0\0\x20\0\x01a",
    b"\x60\xea\x1e\0\x1e\x0b\x01\0\0\0\x02\0",
    b"070701",
    b"070707",
    b"\xc7\x71",
    b"!<arch>\n",
    b"\xed\xab\xee\xdb",
    b"\x78\x9f\x3e\x22\0\0\x02\x05\x90\x06\0",
    b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80",
    b"\0\x05\x16\x07\0\x02\0\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_looked_at_within_the_budget(
        sign in 0..SIGNS.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        holds(&look(&bytes));
        holds(&look(&message("a", &[SIGNS[sign], &bytes].concat())));
    }

    #[test]
    fn a_damaged_archive_is_looked_at_within_the_budget(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = zip(&[Zipped::deflated("a.exe", INNER), Zipped::stored("b", b"b"), Zipped::deflated("c", &[0; 5_000])]);
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        holds(&look(&message("a.zip", &bytes)));
        holds(&look(&message("a.zip", &bytes[..cut.index(bytes.len())])));
    }

    /// Whatever an entry by a method of old says, no more comes out than it tells, and it is whole or it is told.
    #[test]
    fn any_bytes_by_an_old_method_are_unpacked_or_told(
        method in 1_u16..=6,
        flags in prop::sample::select(vec![0_u16, 2, 4, 6]),
        codes in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        length in 0_u64..20_000,
    ) {
        // Codes of one length each, so that what follows them is unpacked at all.
        let tree = |symbols: usize, bits: u8| [vec![(symbols / 16 - 1) as u8], vec![0xf0 | (bits - 1); symbols / 16]].concat();
        let literals = if flags & 4 == 0 { Vec::new() } else { tree(256, 8) };
        let head = if codes && method == 6 { [literals, tree(64, 6), tree(64, 6)].concat() } else { Vec::new() };
        let entry = Zipped { flags, unpacked: length, ..Zipped::packed("it", method, b"", [head, bytes].concat()) };
        let contents = look(&message("a.zip", &zip(&[entry])));
        holds(&contents);
        for item in contents.items.iter().filter(|item| item.names == ["it"]) {
            prop_assert!(item.size <= length || item.hash == [0; 32], "{item:?}");
            prop_assert!(item.size == length || !item.traits.is_empty(), "{item:?}");
        }
    }

    #[test]
    fn any_text_is_looked_at(text in "(begin 644 a\n|=ybegin a\n|[ -~]{0,60}\n|\\(This file must be converted with BinHex\n:|:\n){0,12}") {
        holds(&look(format!("Subject: x\n\n{text}").as_bytes()));
    }
}
