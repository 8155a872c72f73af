//! A fetched message's bytes, made what a message is here: lines that end with CRLF.

/// What can't be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclean {
    /// IMAP can't serve it (RFC 9051 §4.3.1); the door for other servers refuses it as well.
    #[error("it holds a NUL byte")]
    Nul,
    /// Some programs end a line there and some don't: nobody can say what its header is (attacks A3).
    #[error("it holds a CR without LF")]
    BareCr,
}

/// Puts a message behind what is in `out`: an LF alone becomes CRLF, as mailboxes on Unix systems have them; a last line
/// without an end gets one.
///
/// # Errors
/// [`Unclean`]; `out` then holds some of the message.
pub fn clean(message: &[u8], out: &mut Vec<u8>) -> Result<(), Unclean> {
    if memchr::memchr(0, message).is_some() {
        return Err(Unclean::Nul);
    }
    for line in message.split_inclusive(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if memchr::memchr(b'\r', text).is_some() {
            return Err(Unclean::BareCr);
        }
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(message: &[u8]) -> Result<Vec<u8>, Unclean> {
        let mut out = b"X: y\r\n".to_vec();
        clean(message, &mut out).map(|()| out.split_off(6))
    }

    #[test]
    fn a_line_feed_alone_becomes_a_line_end_and_what_is_whole_stays() {
        assert_eq!(cleaned(b"a: b\n\nc\n").unwrap(), b"a: b\r\n\r\nc\r\n");
        assert_eq!(cleaned(b"a: b\r\n\r\nc\r\n").unwrap(), b"a: b\r\n\r\nc\r\n");
        assert_eq!(cleaned(b"a: b\n\r\nc").unwrap(), b"a: b\r\n\r\nc\r\n");
        assert_eq!(cleaned(b"").unwrap(), b"");
    }

    #[test]
    fn what_programs_read_in_two_ways_is_not_taken() {
        assert_eq!(cleaned(b"Subject: a\rFrom: b\r\n"), Err(Unclean::BareCr));
        assert_eq!(cleaned(b"a\r\r\n"), Err(Unclean::BareCr));
        assert_eq!(cleaned(b"a\0\r\n"), Err(Unclean::Nul));
    }

    proptest! {
        #[test]
        fn what_comes_out_has_whole_lines_and_is_the_same_again(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let Ok(out) = cleaned(&message) else { return Ok(()) };
            prop_assert!(out.is_empty() || out.ends_with(b"\r\n"));
            let text = String::from_utf8_lossy(&out).replace("\r\n", "");
            prop_assert!(!text.contains(['\r', '\n', '\0']));
            prop_assert_eq!(cleaned(&out).unwrap(), out);
        }
    }
}
