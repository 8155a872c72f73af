//! Every input that a fuzz target has kept, through the same functions: what once was found stays mended.
#![allow(clippy::arithmetic_side_effects, unreachable_pub, missing_docs, reason = "the targets are test code")]
#![allow(clippy::cast_possible_truncation, reason = "the targets are test code")]

#[cfg(test)]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use proptest::prelude::*;
use std::path::Path;

#[test]
fn the_corpus_of_every_target_finds_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, run) in targets::TARGETS {
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| run(&input));
            assert!(outcome.is_ok(), "a finding: {}", path.display());
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no corpus");
    }
}

#[test]
fn nothing_at_all_is_an_input_too() {
    for (_, run) in targets::TARGETS {
        run(b"");
        run(b"\0");
        run(&[0xff; 300]);
    }
}

proptest! {
    /// What has a form of its own here rather than a text's gets some of it without a fuzzer, too.
    #[test]
    fn conversations_of_any_bytes_are_whole(data in proptest::collection::vec(0_u8..12, 0..200), kinds in any::<u64>()) {
        // Small numbers are ids that meet each other; some are made into what comes between them.
        let shaped: Vec<u8> = data.iter().enumerate().map(|(at, byte)| if kinds >> (at % 64) & 1 == 1 { byte.wrapping_mul(21) } else { *byte }).collect();
        targets::thread::run(&data);
        targets::thread::run(&shaped);
    }

    /// What is signed is mostly about blanks, line ends and names, which random bytes rarely are.
    #[test]
    fn messages_of_blanks_and_line_ends_are_signed_as_the_standard_says(parts in proptest::collection::vec(0_usize..10, 0..60), steer in any::<u8>()) {
        const PARTS: [&[u8]; 10] =
            [b"\r\n", b"\r\n", b" ", b"\t", b":", b"From: a", b"\r\nTo: b", b"\r", b"\n", b"\xff\0"];
        let message: Vec<u8> = parts.iter().filter_map(|part| PARTS.get(*part)).copied().flatten().copied().collect();
        targets::dkim::run(&[[steer].as_slice(), &message].concat());
        targets::dkim::run(&[[steer].as_slice(), b"From: a\r\n", &message].concat());
        // Without what is never signed, so that more is.
        let lines: Vec<&[u8]> = parts.iter().filter_map(|part| PARTS.get(*part)).copied().filter(|p| !matches!(p, [b'\r' | b'\n'])).collect();
        targets::dkim::run(&[[steer].as_slice(), b"From: a\r\n", &lines.concat()].concat());
    }
}
