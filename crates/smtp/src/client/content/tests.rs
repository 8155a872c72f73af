use super::*;
use crate::body::DataBody;
use proptest::prelude::*;

/// What goes out for pieces, end and all.
fn sent(form: Form, pieces: &[&[u8]]) -> Result<Vec<u8>, ContentFault> {
    let (mut lines, mut out) = (Lines::new(form), Vec::new());
    for piece in pieces {
        lines.feed(piece, &mut out)?;
        // A CR goes out together with its LF only.
        assert!(!has_stray(&out), "{out:?}");
    }
    lines.finish(&mut out)?;
    Ok(out)
}

/// A second, simpler reading: every CR is before an LF, every LF behind a CR, no NUL.
fn has_stray(bytes: &[u8]) -> bool {
    let text: Vec<Option<&u8>> = std::iter::once(None).chain(bytes.iter().map(Some)).chain([None]).collect();
    text.windows(2).any(|pair| (pair[0] == Some(&b'\r')) != (pair[1] == Some(&b'\n'))) || bytes.contains(&0)
}

/// Attacks A3, outbound.
#[test]
fn stray_line_ends_are_never_sent() {
    for form in [Form::Dotted, Form::Counted] {
        for (bytes, fault) in [
            (&b"a\n.\nb"[..], ContentFault::BareLf),
            (b"\n", ContentFault::BareLf),
            (b"\r\n\n", ContentFault::BareLf),
            (b"a\r.\r\n", ContentFault::BareCr),
            (b"a\r\r\n", ContentFault::BareCr),
            (b"a\r", ContentFault::BareCr),
            (b"a\0", ContentFault::Nul),
        ] {
            assert_eq!(sent(form, &[bytes]), Err(fault), "{bytes:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(sent(form, &single), Err(fault), "{bytes:?}");
        }
    }
}

#[test]
fn dots_are_doubled_after_every_crlf_however_it_was_cut() {
    assert_eq!(sent(Form::Dotted, &[b".\r\n..\r\n"]), Ok(b"..\r\n...\r\n.\r\n".to_vec()));
    assert_eq!(sent(Form::Dotted, &[b"a\r", b"\n", b".", b".b"]), Ok(b"a\r\n...b\r\n.\r\n".to_vec()));
    assert_eq!(sent(Form::Dotted, &[b"a", b".b\r", b"", b"\n.c"]), Ok(b"a.b\r\n..c\r\n.\r\n".to_vec()));
    assert_eq!(sent(Form::Dotted, &[]), Ok(b".\r\n".to_vec()));
    assert_eq!(sent(Form::Counted, &[b".\r", b"\n.x"]), Ok(b".\r\n.x".to_vec()));
}

#[test]
fn a_piece_is_looked_at_before_anything_is_said() {
    assert_eq!(Lines::check(b"a\r\n.b\r", false), Ok(()));
    assert_eq!(Lines::check(b"a\r\nb\n", false), Err(ContentFault::BareLf));
    assert_eq!(Lines::check("ä\r\n".as_bytes(), false), Err(ContentFault::EightBit));
    assert_eq!(Lines::check("ä\r\n".as_bytes(), true), Ok(()));
}

proptest! {
    #[test]
    fn what_is_sent_comes_back_the_same_and_holds_no_stray_line_end(
        parts in proptest::collection::vec(prop_oneof![
            6 => Just("\r\n"), 3 => Just("."), 3 => Just("a"), 1 => Just("ä"), 1 => Just("\r"), 1 => Just("\n"), 1 => Just("\0"),
        ], 0..14),
        cut in 1_usize..6,
    ) {
        let message = parts.concat().into_bytes();
        let pieces: Vec<&[u8]> = message.chunks(cut).collect();
        let dotted = sent(Form::Dotted, &pieces);
        prop_assert_eq!(dotted.is_err(), has_stray(&message));
        prop_assert_eq!(&dotted, &sent(Form::Dotted, &[&message]));
        let known = Lines::check(&message, true).is_err() || message.ends_with(b"\r");
        prop_assert_eq!(known, dotted.is_err());
        match dotted {
            Err(fault) => prop_assert_eq!(sent(Form::Counted, &pieces), Err(fault)),
            Ok(out) => {
                prop_assert_eq!(sent(Form::Counted, &pieces), Ok(message.clone()));
                prop_assert!(!has_stray(&out));
                let mut body = DataBody::new(Vec::new(), 10_000);
                let fed = body.feed(&out);
                prop_assert!(fed.ended && fed.consumed == out.len());
                let mut ended = message;
                if !ended.is_empty() && !ended.ends_with(b"\r\n") {
                    ended.extend_from_slice(b"\r\n");
                }
                prop_assert_eq!(body.finish(), Ok(ended));
            }
        }
    }
}
