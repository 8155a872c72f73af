//! Packets: a length of four bytes (big end first), a letter, and what the letter says (`mfdef.h` of libmilter).

use crate::Fault;
use mailward_core::limits::{MILTER_PACKET_MAX, MILTER_VALUE_MAX};

/// What we say.
pub(crate) mod command {
    pub(crate) const ABORT: u8 = b'A';
    pub(crate) const BODY: u8 = b'B';
    pub(crate) const CONNECT: u8 = b'C';
    pub(crate) const MACRO: u8 = b'D';
    pub(crate) const BODY_END: u8 = b'E';
    pub(crate) const HELLO: u8 = b'H';
    pub(crate) const QUIT_NEXT: u8 = b'K';
    pub(crate) const HEADER: u8 = b'L';
    pub(crate) const MAIL: u8 = b'M';
    pub(crate) const HEADER_END: u8 = b'N';
    pub(crate) const NEGOTIATE: u8 = b'O';
    pub(crate) const QUIT: u8 = b'Q';
    pub(crate) const RECIPIENT: u8 = b'R';
    pub(crate) const DATA: u8 = b'T';
    pub(crate) const UNKNOWN: u8 = b'U';
}

/// Bytes of a packet's length.
const LENGTH: usize = 4;

/// A packet that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'b> {
    /// What it is.
    pub letter: u8,
    /// The rest.
    pub data: &'b [u8],
}

/// Takes the packet at the beginning of what came: it, and how many bytes it has; `None`: more has to come. `most` is the
/// longest that is taken, letter included.
///
/// # Errors
/// [`Fault::Packet`]: it has no letter, or is longer.
pub fn take(bytes: &[u8], most: usize) -> Result<Option<(Packet<'_>, usize)>, Fault> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 || length > most.min(MILTER_PACKET_MAX) {
        return Err(Fault::Packet(length));
    }
    let Some((letter, data)) = rest.get(..length).and_then(<[u8]>::split_first) else { return Ok(None) };
    Ok(Some((Packet { letter: *letter, data }, length.saturating_add(LENGTH))))
}

/// Writes packets one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
}

impl Out {
    /// Writes a packet whose rest is made of these.
    pub(crate) fn packet(&mut self, letter: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).fold(1, usize::saturating_add);
        // What is written has limits far below.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.push(letter);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    /// Writes a packet of texts, each ended by a NUL.
    pub(crate) fn texts<'t>(&mut self, letter: u8, texts: impl Iterator<Item = &'t [u8]>) {
        let mut rest = Vec::new();
        for text in texts {
            rest.extend(text.iter().copied().filter(|byte| *byte != 0).take(MILTER_VALUE_MAX));
            rest.push(0);
        }
        self.packet(letter, &[&rest]);
    }
}

/// The texts of a packet, each of which a NUL has to end.
///
/// # Errors
/// [`Fault::Malformed`] if the last isn't ended.
pub(crate) fn texts(data: &[u8]) -> Result<Vec<&[u8]>, Fault> {
    match data.split_last() {
        None => Ok(Vec::new()),
        Some((0, texts)) => Ok(texts.split(|byte| *byte == 0).collect()),
        Some(_) => Err(Fault::Malformed("a text that no NUL ends")),
    }
}

/// The number at the beginning, and what follows.
pub(crate) fn number(data: &[u8]) -> Result<(u32, &[u8]), Fault> {
    let (number, rest) =
        data.split_first_chunk::<LENGTH>().ok_or(Fault::Malformed("a number of less than four bytes"))?;
    Ok((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_taken_once_it_is_whole() {
        let mut out = Out::default();
        out.texts(b'H', [b"mx.example".as_slice()].into_iter());
        out.packet(b'N', &[]);
        for cut in 0..15 {
            assert_eq!(take(&out.bytes[..cut], 100), Ok(None), "{cut}");
        }
        let (packet, length) = take(&out.bytes, 100).unwrap().unwrap();
        assert_eq!((packet.letter, packet.data, length), (b'H', b"mx.example\0".as_slice(), 16));
        assert_eq!(take(&out.bytes[16..], 100), Ok(Some((Packet { letter: b'N', data: b"" }, 5))));
    }

    #[test]
    fn a_packet_ends_at_its_limit_before_it_has_come() {
        let head = |length: u32| [&length.to_be_bytes()[..], b"c"].concat();
        assert_eq!(take(&head(100), 100), Ok(None));
        assert_eq!(take(&head(101), 100), Err(Fault::Packet(101)));
        assert_eq!(take(&head(0), 100), Err(Fault::Packet(0)));
        assert_eq!(take(&head(u32::MAX), usize::MAX), Err(Fault::Packet(usize::try_from(u32::MAX).unwrap())));
        let most = u32::try_from(MILTER_PACKET_MAX).unwrap();
        assert_eq!(take(&head(most), usize::MAX), Ok(None));
        assert!(take(&head(most + 1), usize::MAX).is_err());
    }

    #[test]
    fn nothing_of_ours_ends_a_text_early_or_is_too_long() {
        let mut out = Out::default();
        out.texts(b'H', [b"a\0b".as_slice(), &vec![b'x'; MILTER_VALUE_MAX + 1]].into_iter());
        let (packet, _) = take(&out.bytes, usize::MAX).unwrap().unwrap();
        let read = texts(packet.data).unwrap();
        assert_eq!((read.len(), read[0], read[1].len()), (2, b"ab".as_slice(), MILTER_VALUE_MAX));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(all in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8)) {
            let mut out = Out::default();
            all.iter().for_each(|(letter, data)| out.packet(*letter, &[data]));
            let mut rest = out.bytes.as_slice();
            for (letter, data) in &all {
                let (packet, length) = take(rest, usize::MAX).unwrap().unwrap();
                prop_assert_eq!((packet.letter, packet.data), (*letter, data.as_slice()));
                rest = &rest[length..];
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), most in 0..50usize) {
            if let Ok(Some((packet, length))) = take(&bytes, most) {
                prop_assert!(packet.data.len() < most && length <= bytes.len());
                let _ = texts(packet.data);
                let _ = number(packet.data);
            }
        }
    }
}
