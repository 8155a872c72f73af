//! Names of files: every one that a program could take, within limits, and without what moves a terminal.

use mailward_core::limits::{SCAN_NAME_MAX, SCAN_NAMES_MAX};
use mailward_message::{Structure, decode, names};

pub fn run(data: &[u8]) {
    let structure = Structure::parse(data);
    for part in structure.parts() {
        let (kept, all) = (names::of(part), names::in_message(data, part));
        for found in [&kept, &all] {
            assert!(found.len() <= SCAN_NAMES_MAX);
            for (at, name) in found.iter().enumerate() {
                assert!(
                    !name.is_empty() && name.len() <= SCAN_NAME_MAX && !name.contains(char::is_control),
                    "{name:?}"
                );
                assert!(!found.iter().skip(at + 1).any(|other| other == name), "each once");
            }
        }
        if let Some(first) = decode::file_name(part) {
            assert_eq!(kept.first(), all.first(), "what most programs take is the first");
            assert!(first.len() > SCAN_NAME_MAX || kept.first() == Some(&first));
        }
    }
}
