//! Doubts how a message is to be read, and its other readings: bounded, within the message, and the same every time.

use mailward_core::limits::{
    AMBIGUITIES_OF_A_KIND_MAX, AMBIGUITY_EVIDENCE_MAX, READINGS_MAX, READINGS_WORK, SCAN_NAME_MAX, SCAN_NAMES_MAX,
};
use mailward_message::ambiguity::{Kind, find, number, readings};
use mailward_message::{Structure, decode};

pub fn run(data: &[u8]) {
    let structure = Structure::parse(data);
    let doubts = find(data, &structure);
    assert_eq!(doubts, find(data, &structure));
    let count = structure.parts().count();
    for doubt in &doubts {
        assert!(doubt.part < count && doubt.at <= data.len() as u64, "{doubt:?}");
        assert!(doubt.evidence.len() <= AMBIGUITY_EVIDENCE_MAX && !doubt.evidence.contains(char::is_control));
        assert!(!number(&structure, doubt.part).is_empty());
    }
    for kind in Kind::ALL {
        assert!(doubts.iter().filter(|doubt| doubt.kind == *kind).count() <= AMBIGUITIES_OF_A_KIND_MAX);
    }
    let others = readings(data, &structure, &doubts);
    assert!(others.files.len() <= READINGS_MAX);
    let bytes: u64 = others.files.iter().map(|file| file.bytes.len() as u64).sum();
    // A character of a charset may take three bytes in UTF-8 for one.
    assert!(bytes <= 3 * (data.len() as u64 * READINGS_WORK + 4096), "{bytes} of {}", data.len());
    for file in &others.files {
        assert!(file.part < count && !file.bytes.is_empty() && file.names.len() <= SCAN_NAMES_MAX);
        assert!(file.names.iter().all(|name| name.len() <= SCAN_NAME_MAX));
        let leaves = structure.parts().filter(|part| !part.is_multipart() && !part.is_message());
        for part in leaves {
            assert!(*decode::part_bytes(data, part) != file.bytes, "what everybody sees is no other reading");
        }
    }
    if doubts.is_empty() {
        assert!(others.files.is_empty() && !others.cut);
    }
}
