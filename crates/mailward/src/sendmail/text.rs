//! The message as a program writes it: lines that end as the system's do become lines that end as mail's do.

use crate::failure::Failure;
use mailward_core::limits::MESSAGE_SIZE_CONFIG_MAX;
use std::io::BufRead;

/// Why standard input is no message.
const DATA: u8 = 65;

/// Reads a message to its end, or to a line with one dot if `dot_ends`. LF becomes CRLF, CRLF stays, a last line gets its
/// end. A CR alone and a NUL are refused: mail can't carry them, and what they would be mended to is anybody's guess. A first
/// line `From …`, as mailbox files have it, is left out.
pub(super) fn read(from: impl BufRead, dot_ends: bool) -> Result<Vec<u8>, Failure> {
    let most = usize::try_from(MESSAGE_SIZE_CONFIG_MAX).unwrap_or(usize::MAX);
    read_at_most(from, dot_ends, most)
}

fn read_at_most(mut from: impl BufRead, dot_ends: bool, most: usize) -> Result<Vec<u8>, Failure> {
    let mut message = Vec::new();
    let mut line = Vec::new();
    let mut number = 0_usize;
    loop {
        line.clear();
        number = number.saturating_add(1);
        // A line that has no end may be as long as the message.
        let room = u64::try_from(most.saturating_sub(message.len()).saturating_add(2)).unwrap_or(u64::MAX);
        let read = std::io::Read::take(&mut from, room).read_until(b'\n', &mut line);
        if read.map_err(|e| Failure::io("standard input", e))? == 0 {
            return Ok(message);
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if dot_ends && text == b"." {
            return Ok(message);
        }
        if let Some(what) = text.iter().find_map(|byte| match byte {
            b'\r' => Some("a CR without LF"),
            0 => Some("a NUL"),
            _ => None,
        }) {
            return Err(wrong(format!("line {number} of the message has {what}: nothing was sent")));
        }
        if number == 1 && (text.starts_with(b"From ") || text.starts_with(b">From ")) {
            continue;
        }
        message.extend_from_slice(text);
        message.extend_from_slice(b"\r\n");
        if message.len() > most {
            return Err(wrong(format!("the message has more than {most} bytes: nothing was sent")));
        }
    }
}

/// Something is wrong with the message (EX_DATAERR).
pub(super) fn wrong(text: String) -> Failure {
    Failure::Answered { code: DATA, text: format!("sendmail: {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(input: &[u8], dot_ends: bool) -> String {
        String::from_utf8(read(input, dot_ends).unwrap()).unwrap()
    }

    #[test]
    fn lines_end_as_mail_s_do() {
        assert_eq!(text(b"a\nb\r\n\nc", true), "a\r\nb\r\n\r\nc\r\n");
        assert_eq!(text(b"", true), "");
        assert_eq!(
            text(b"From joe Thu Jan  1 00:00:00 1970\nSubject: x\n\nFrom here\n", true),
            "Subject: x\r\n\r\nFrom here\r\n"
        );
    }

    #[test]
    fn a_lone_dot_ends_it_unless_dots_are_text() {
        assert_eq!(text(b"a\n.\nb\n", true), "a\r\n");
        assert_eq!(text(b"a\r\n.\r\nb\n", true), "a\r\n");
        assert_eq!(text(b"a\n.\nb\n", false), "a\r\n.\r\nb\r\n");
        assert_eq!(text(b"a\n..\n.b\n", true), "a\r\n..\r\n.b\r\n");
    }

    #[test]
    fn what_mail_can_t_carry_is_refused_by_its_line() {
        for (input, what) in [
            (&b"a\nb\rc\n"[..], "line 2 of the message has a CR without LF"),
            (b"a\0\n", "line 1 of the message has a NUL"),
            (b"a\r\r\n", "line 1 of"),
        ] {
            let failure = read(input, true).unwrap_err();
            assert_eq!(failure.code(), 65);
            assert!(failure.to_string().contains(what), "{failure}");
        }
    }

    #[test]
    fn a_message_ends_at_its_limit_with_and_without_lines() {
        assert!(read_at_most(&b"12345678\n"[..], true, 10).is_ok());
        for input in [&b"123456789\n"[..], b"1234567890123456789012345", b"1\n2\n3\n4\n5\n"] {
            assert_eq!(read_at_most(input, true, 10).unwrap_err().code(), 65);
        }
    }

    proptest! {
        #[test]
        fn what_comes_of_any_bytes_is_whole_lines(input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'.'), any::<u8>()], 0..60)) {
            if let Ok(message) = read(&*input, false) {
                prop_assert!(message.is_empty() || message.ends_with(b"\r\n"));
                let bare = String::from_utf8_lossy(&message).replace("\r\n", "");
                prop_assert!(!bare.contains(['\r', '\n', '\0']));
            }
        }
    }
}
