#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test may stop at what it didn't expect")]

use super::*;
use proptest::prelude::*;

const LIMIT: u64 = 10_000;

/// What DATA is, on the whole input, as slowly and plainly as it can be said.
fn reference(input: &[u8]) -> Option<(usize, Result<Vec<u8>, ()>)> {
    let end = if input.starts_with(b".\r\n") { 0 } else { input.windows(5).position(|w| w == b"\r\n.\r\n")? + 2 };
    let text: Vec<char> = input[..end].iter().map(|b| char::from(*b)).collect();
    let text: String = text.into_iter().collect();
    let mut lines = Vec::new();
    for line in text.split("\r\n") {
        if line.contains(['\r', '\n', '\0']) {
            return Some((end + 3, Err(())));
        }
        lines.push(line.strip_prefix('.').unwrap_or(line));
    }
    let message = lines.join("\r\n").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    Some((end + 3, Ok(message)))
}

/// Feeds `input` in pieces of the given sizes, then what is left in one.
fn feed(input: &[u8], sizes: &[usize]) -> (Option<usize>, Result<Vec<u8>, Fault>) {
    let mut body = DataBody::new(Vec::new(), LIMIT);
    let mut rest = input;
    let mut total = 0;
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let fed = body.feed(piece);
        total += fed.consumed;
        if fed.ended {
            return (Some(total), body.finish());
        }
        assert_eq!(fed.consumed, piece.len(), "what isn't the end is consumed");
        rest = after;
    }
    (None, body.finish())
}

fn data(input: &[u8]) -> (Option<usize>, Result<Vec<u8>, Fault>) {
    feed(input, &[])
}

#[test]
fn dots_are_taken_off_and_the_end_is_not_kept() {
    assert_eq!(data(b"a\r\n..b\r\n.c\r\n\r\n.\r\nQUIT\r\n"), (Some(17), Ok(b"a\r\n.b\r\nc\r\n\r\n".to_vec())));
    assert_eq!(data(b".\r\n"), (Some(3), Ok(Vec::new())));
    assert_eq!(data(b"...\r\n.\r\n"), (Some(8), Ok(b"..\r\n".to_vec())));
}

/// Attacks A3: each form that some server, somewhere, took for the end.
#[test]
fn only_crlf_dot_crlf_ends_data() {
    let forms: [(&[u8], Fault); 16] = [
        (b"\n.\n", Fault::BareLf),
        (b"\n.\r\n", Fault::BareLf),
        (b"\r\n.\n", Fault::BareLf),
        (b"\r\n.\r", Fault::BareCr),
        (b"\r.\r", Fault::BareCr),
        (b"\r.\r\n", Fault::BareCr),
        (b"\r.\n", Fault::BareCr),
        (b"\n.\r", Fault::BareLf),
        (b"\r\n\0.\r\n", Fault::Nul),
        (b"\r\n.\0\r\n", Fault::Nul),
        (b"\r\r\n.\r\r\n", Fault::BareCr),
        (b"\n\n.\n\n", Fault::BareLf),
        (b"\n\r\n.\r", Fault::BareLf),
        (b"\r\n.\r\r\n", Fault::BareCr),
        (b"\r\n\n.\r\n", Fault::BareLf),
        (b"\r\n.\n\r\n", Fault::BareLf),
    ];
    for (form, fault) in forms {
        let mut input = b"Subject: x\r\n\r\nbody".to_vec();
        input.extend_from_slice(form);
        input.extend_from_slice(b"MAIL FROM:<evil@t.example>\r\nDATA\r\n");
        let smuggled = input.len();
        input.extend_from_slice(b"\r\n.\r\n");
        let (end, outcome) = data(&input);
        assert_eq!(end, Some(smuggled + 5), "{:?} ended the data", form.escape_ascii().to_string());
        assert_eq!(outcome, Err(fault), "{:?}", form.escape_ascii().to_string());
        for cut in 0..input.len() {
            assert_eq!(feed(&input, &[cut]), (Some(smuggled + 5), Err(fault)), "cut at {cut}");
        }
    }
}

#[test]
fn a_message_over_the_limit_is_read_to_its_end_without_being_held() {
    let mut body = DataBody::new(b"prefix".to_vec(), 10);
    assert!(!body.feed(b"0123456\r\n").ended);
    assert!(!body.feed(b"89").ended);
    assert_eq!(body.held(), 0);
    for _ in 0..1_000 {
        assert!(!body.feed(&[b'x'; 1_000]).ended);
        assert_eq!(body.held(), 0);
    }
    assert!(body.feed(b"\r\n.\r\n").ended);
    assert_eq!(body.finish(), Err(Fault::TooLarge));
}

#[test]
fn the_limit_is_met_without_prefix_and_stuffed_dots() {
    let mut body = DataBody::new(b"prefix".to_vec(), 6);
    assert!(body.feed(b"..ab\r\n.\r\n").ended);
    assert_eq!(body.finish(), Ok(b"prefix.ab\r\n".to_vec()));
}

#[test]
fn a_lasting_fault_is_told_rather_than_a_temporary_one() {
    let mut body = DataBody::new(Vec::new(), LIMIT);
    body.give_up(Fault::NoSpace);
    assert!(body.feed(b"a\nb\r\n.\r\n").ended);
    assert_eq!(body.finish(), Err(Fault::BareLf));
}

fn chunks(parts: &[&[u8]]) -> Result<Vec<u8>, Fault> {
    let mut body = ChunkBody::new(Vec::new(), LIMIT);
    for part in parts {
        body.feed(part);
    }
    body.finish()
}

#[test]
fn chunks_keep_their_dots_and_may_split_a_line_end() {
    assert_eq!(chunks(&[b".\r\n", b"..a\r", b"\nb\r\n.\r\n"]), Ok(b".\r\n..a\r\nb\r\n.\r\n".to_vec()));
    assert_eq!(chunks(&[b"a\r\n", b"no end"]), Ok(b"a\r\nno end\r\n".to_vec()));
    assert_eq!(chunks(&[]), Ok(Vec::new()));
}

#[test]
fn stray_bytes_are_refused_in_chunks_too() {
    assert_eq!(chunks(&[b"a\rb\r\n"]), Err(Fault::BareCr));
    assert_eq!(chunks(&[b"a\r", b"b\r\n"]), Err(Fault::BareCr));
    assert_eq!(chunks(&[b"a\r"]), Err(Fault::BareCr));
    assert_eq!(chunks(&[b"a", b"\n"]), Err(Fault::BareLf));
    assert_eq!(chunks(&[b"a\r\n\n"]), Err(Fault::BareLf));
    assert_eq!(chunks(&[b"a\0\r\n"]), Err(Fault::Nul));
}

/// Text made of what matters to the reader.
fn telling() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        3 => Just(&b"\r\n"[..]), 2 => Just(&b"."[..]), 1 => Just(&b"\r"[..]), 1 => Just(&b"\n"[..]),
        1 => Just(&b"\0"[..]), 3 => Just(&b"ab"[..]), 1 => Just(&b"\r\n.\r\n"[..]), 1 => Just(&b"\xff"[..]),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// The same without stray bytes, so that most messages are good.
fn clean() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![3 => Just(&b"\r\n"[..]), 2 => Just(&b"."[..]), 3 => Just(&b"ab"[..])];
    proptest::collection::vec(word, 0..40).prop_map(|words| [words.concat(), b"\r\n.\r\n".to_vec()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn however_it_is_cut_data_is_what_the_reference_says(
        input in prop_oneof![telling(), clean()],
        sizes in proptest::collection::vec(0usize..8, 0..40),
    ) {
        let (end, outcome) = feed(&input, &sizes);
        match reference(&input) {
            None => prop_assert_eq!(end, None, "ended early"),
            Some((at, expected)) => {
                prop_assert_eq!(end, Some(at));
                prop_assert_eq!(outcome.map_err(|_| ()), expected);
            }
        }
    }

    #[test]
    fn however_they_are_cut_chunks_are_their_bytes_or_refused(
        input in prop_oneof![telling(), clean()],
        sizes in proptest::collection::vec(0usize..8, 0..40),
    ) {
        let mut body = ChunkBody::new(Vec::new(), LIMIT);
        let mut rest = &input[..];
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            body.feed(piece);
            rest = after;
        }
        let stray = String::from_utf8_lossy(&input).replace("\r\n", "").contains(['\r', '\n', '\0']);
        let mut expected = input.clone();
        if !input.is_empty() && !input.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        match body.finish() {
            Ok(bytes) => prop_assert!(!stray && bytes == expected),
            Err(_) => prop_assert!(stray),
        }
    }
}
