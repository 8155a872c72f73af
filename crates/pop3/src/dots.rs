//! Multi-line answers: dot-stuffing, and the cut that TOP asks for (RFC 1939 §3, §7).

use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Where a dot has to be doubled, but for a piece's first byte.
static DOTTED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n."));

/// Turns the bytes of a message, in pieces of any size, into the body of a multi-line answer.
///
/// A line is what ends with LF, with or without CR: a client that takes a bare LF for a line end must not find a
/// lone dot behind it and take the rest of the message for our next reply (attacks A3).
#[derive(Debug)]
pub struct DotWriter {
    /// Bytes of the current line so far; only none, some and "only a CR" matter.
    line: Line,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    OnlyCr,
    Some,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Everything is sent.
    Whole,
    /// TOP, in the header; then this many lines.
    Header(u64),
    /// TOP, in the body: this many lines are left, at least one.
    Body(u64),
    /// TOP has all it asked for.
    Enough,
}

impl DotWriter {
    /// `lines`: of the body, for TOP; `None` sends the whole message.
    #[must_use]
    pub const fn new(lines: Option<u64>) -> Self {
        let part = match lines {
            None => Part::Whole,
            Some(lines) => Part::Header(lines),
        };
        Self { line: Line::Empty, part }
    }

    /// Writes the next piece of the message. Adds at most twice its length to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let end = self.cut(piece);
        let mut rest = piece.get(..end).unwrap_or(piece);
        let Some(last) = rest.last() else { return };
        let line = match (last, rest) {
            (b'\n', _) => Line::Empty,
            (b'\r', [.., b'\n', _]) => Line::OnlyCr,
            (b'\r', [_]) if self.line == Line::Empty => Line::OnlyCr,
            _ => Line::Some,
        };
        out.reserve(rest.len().saturating_add(8));
        if self.line == Line::Empty && rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        self.line = line;
        while let Some(at) = DOTTED.find(rest) {
            let (text, dot) = rest.split_at_checked(at.saturating_add(1)).unwrap_or((rest, &[]));
            out.extend_from_slice(text);
            out.push(b'.');
            rest = dot;
        }
        out.extend_from_slice(rest);
    }

    /// How much of a piece is asked for.
    fn cut(&mut self, piece: &[u8]) -> usize {
        let mut start = 0usize;
        for newline in memchr::memchr_iter(b'\n', piece) {
            let end = newline.saturating_add(1);
            self.part = match self.part {
                Part::Whole => return piece.len(),
                Part::Enough => return start,
                Part::Body(1) => Part::Enough,
                Part::Body(lines) => Part::Body(lines.saturating_sub(1)),
                Part::Header(lines) => {
                    let line = piece.get(start..end).unwrap_or_default();
                    let before = if start == 0 { self.line } else { Line::Empty };
                    let empty = match before {
                        Line::Empty => matches!(line, b"\r\n" | b"\n"),
                        Line::OnlyCr => line == b"\n",
                        Line::Some => false,
                    };
                    match (empty, lines) {
                        (true, 0) => Part::Enough,
                        (true, lines) => Part::Body(lines),
                        (false, lines) => Part::Header(lines),
                    }
                }
            };
            start = end;
        }
        if self.part == Part::Enough { start } else { piece.len() }
    }

    /// Whether TOP has all it asked for, so that nothing more needs to be read.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.part == Part::Enough
    }

    /// Ends the answer: a line end if the message has none, then the dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.line == Line::Empty { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(message: &[u8], lines: Option<u64>, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = DotWriter::new(lines);
        for piece in message.chunks(step.max(1)) {
            writer.push(piece, &mut out);
        }
        writer.finish(&mut out);
        out
    }

    fn text(message: &str, lines: Option<u64>) -> String {
        String::from_utf8(answer(message.as_bytes(), lines, 3)).unwrap()
    }

    /// What a client does (RFC 1939 §3): lines until a lone dot, one leading dot taken off.
    fn unstuff(mut answer: &[u8]) -> (Vec<u8>, &[u8]) {
        let mut message = Vec::new();
        while let Some(at) = memchr::memchr(b'\n', answer) {
            let (line, rest) = answer.split_at(at + 1);
            answer = rest;
            if line == b".\r\n" {
                return (message, answer);
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        panic!("no end");
    }

    #[test]
    fn dots_at_line_starts_are_doubled_wherever_the_piece_ends() {
        for step in 1..8 {
            assert_eq!(answer(b".\r\n..\r\na.b\r\n", None, step), b"..\r\n...\r\na.b\r\n.\r\n");
        }
    }

    #[test]
    fn a_dot_behind_a_bare_lf_ends_nothing() {
        assert_eq!(text("a\n.\r\nb", None), "a\n..\r\nb\r\n.\r\n");
    }

    #[test]
    fn top_gives_the_header_the_empty_line_and_no_more_than_asked() {
        let message = "A: b\r\n\r\none\r\n\r\nthree\r\n";
        assert_eq!(text(message, Some(0)), "A: b\r\n\r\n.\r\n");
        assert_eq!(text(message, Some(2)), "A: b\r\n\r\none\r\n\r\n.\r\n");
        assert_eq!(text(message, Some(99_999_999)), "A: b\r\n\r\none\r\n\r\nthree\r\n.\r\n");
        assert_eq!(text("A: b\r\n", Some(5)), "A: b\r\n.\r\n");
        assert_eq!(text("", Some(5)), ".\r\n");
        assert_eq!(text("\r\nbody\r\n", Some(0)), "\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn clients_get_back_what_was_stored(
            lines in proptest::collection::vec("[.\\r a]{0,4}", 0..20), step in 1usize..9, tail in any::<bool>(),
        ) {
            let mut message: Vec<u8> = lines.iter().flat_map(|l| format!("{l}\r\n").into_bytes()).collect();
            if tail {
                message.extend_from_slice(b"..");
            }
            let sent = answer(&message, None, step);
            if tail {
                message.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(unstuff(&sent), (message, &b""[..]));
        }

        #[test]
        fn any_bytes_end_with_exactly_one_end(
            message in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..60),
            lines in proptest::option::of(0u64..5),
            step in 1usize..9,
        ) {
            let sent = answer(&message, lines, step);
            let (_, rest) = unstuff(&sent);
            prop_assert!(rest.is_empty(), "the end came early");
            prop_assert_eq!(answer(&message, lines, 1000), sent, "pieces make no difference");
        }

        /// The same, line by line and byte by byte.
        #[test]
        fn it_does_what_the_plain_way_does(
            message in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..60),
            lines in proptest::option::of(0u64..5),
        ) {
            let (mut plain, mut body, mut left) = (Vec::new(), false, lines);
            for line in message.split_inclusive(|b| *b == b'\n') {
                if body && left == Some(0) {
                    break;
                }
                if body {
                    left = left.map(|left| left - 1);
                }
                body |= matches!(line, b"\r\n" | b"\n");
                plain.extend(line.starts_with(b".").then_some(b'.'));
                plain.extend_from_slice(line);
            }
            if !plain.is_empty() && !plain.ends_with(b"\n") {
                plain.extend_from_slice(b"\r\n");
            }
            plain.extend_from_slice(b".\r\n");
            prop_assert_eq!(answer(&message, lines, 1000), plain);
        }
    }
}
