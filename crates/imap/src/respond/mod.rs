//! Writers: what a reply is made of. All of them write whole tokens into a buffer and never look at the network.

mod bodystructure;
mod envelope;

pub(crate) use bodystructure::body_structure;
pub(crate) use envelope::envelope;

use mailward_core::{MailboxId, Timestamp};
use mailward_store::records::Flags;

/// Longest text that is written quoted rather than as a literal, bytes.
const QUOTED_MAX: usize = 1_000;

/// Decimal digits.
pub(crate) fn number(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at = at.saturating_sub(1);
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0'.saturating_add(u8::try_from(n.checked_rem(10).unwrap_or(0)).unwrap_or(0));
        }
        n = n.checked_div(10).unwrap_or(0);
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// A string: quoted where it can be, else a literal. NUL can stand in neither and is left out.
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    // All are looked at, as that is done many at a time.
    let printable = |text: &[u8]| text.iter().fold(true, |so_far, b| so_far & matches!(b, b' '..=b'~'));
    if text.len() <= QUOTED_MAX && printable(text) {
        out.push(b'"');
        let mut rest = text;
        while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
            let (before, special) = rest.split_at_checked(at).unwrap_or_default();
            out.extend_from_slice(before);
            out.push(b'\\');
            out.extend(special.first());
            rest = special.get(1..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out.push(b'"');
        return;
    }
    let nuls = text.iter().filter(|b| **b == 0).count();
    literal_start(out, u64::try_from(text.len().saturating_sub(nuls)).unwrap_or(0));
    if nuls == 0 {
        out.extend_from_slice(text);
    } else {
        out.extend(text.iter().filter(|b| **b != 0));
    }
}

/// A string, or NIL.
pub(crate) fn nstring(out: &mut Vec<u8>, text: Option<impl AsRef<str>>) {
    match text {
        Some(text) => string(out, text.as_ref().as_bytes()),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `{n}` and its line end; n bytes must follow.
pub(crate) fn literal_start(out: &mut Vec<u8>, size: u64) {
    out.push(b'{');
    number(out, size);
    out.extend_from_slice(b"}\r\n");
}

/// A mailbox name as it stands on the wire: in modified UTF-7, or where the client has said so in UTF-8.
pub(crate) fn mailbox(out: &mut Vec<u8>, name: &str, utf8: bool) {
    if utf8 { string(out, name.as_bytes()) } else { string(out, crate::mutf7::encode(name).as_bytes()) }
}

/// MAILBOXID (RFC 8474 §4): the store never gives the same id to two mailboxes.
pub(crate) fn mailbox_id(out: &mut Vec<u8>, mailbox: MailboxId) {
    out.push(b'F');
    number(out, u64::try_from(mailbox.0).unwrap_or(0));
}

/// EMAILID (RFC 8474 §5.1): of the content, so that copies have the same. Sixteen bytes of its hash can't be the same
/// by chance.
pub(crate) fn email_id(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let head = hash.first_chunk::<16>().copied().unwrap_or_default();
    // Writing to a string doesn't fail.
    head.iter().fold("M".to_owned(), |mut id, byte| {
        let _never = write!(id, "{byte:02x}");
        id
    })
}

/// `(\Seen $Junk)`
pub(crate) fn flags(out: &mut Vec<u8>, flags: Flags, keywords: u64, names: &[String]) {
    out.push(b'(');
    let start = out.len();
    let separate = |out: &mut Vec<u8>| {
        if out.len() > start {
            out.push(b' ');
        }
    };
    for (flag, name) in Flags::ALL {
        if flags.contains(flag) {
            separate(out);
            out.extend_from_slice(name.as_bytes());
        }
    }
    for (bit, name) in names.iter().enumerate() {
        let mask = u32::try_from(bit).ok().and_then(|bit| 1u64.checked_shl(bit)).unwrap_or(0);
        if keywords & mask != 0 {
            separate(out);
            out.extend_from_slice(name.as_bytes());
        }
    }
    out.push(b')');
}

/// `"17-Jul-1996 02:44:25 +0000"`, always in UTC.
pub(crate) fn internal_date(out: &mut Vec<u8>, time: Timestamp) {
    out.push(b'"');
    out.extend_from_slice(mailward_message::date::format_internal(time).as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_can_t_be_quoted_is_a_literal() {
        assert_eq!(written(|o| string(o, b"a\"b\\c")), "\"a\\\"b\\\\c\"");
        assert_eq!(written(|o| string(o, "ä".as_bytes())), "{2}\r\nä");
        assert_eq!(written(|o| string(o, b"a\r\nb")), "{4}\r\na\r\nb");
        assert_eq!(written(|o| string(o, b"a\0\x01")), "{2}\r\na\x01");
        assert_eq!(written(|o| nstring(o, None::<&str>)), "NIL");
        assert_eq!(written(|o| mailbox(o, "Entwürfe", false)), "\"Entw&APw-rfe\"");
        assert_eq!(written(|o| mailbox(o, "Entwürfe", true)), "{9}\r\nEntwürfe");
    }

    #[test]
    fn flags_and_dates_are_written_as_the_rfc_says() {
        let names = ["$Junk".to_owned(), "b".to_owned()];
        assert_eq!(written(|o| flags(o, Flags::SEEN.union(Flags::DELETED), 2, &names)), "(\\Deleted \\Seen b)");
        assert_eq!(written(|o| flags(o, Flags::NONE, 0, &names)), "()");
        assert_eq!(written(|o| internal_date(o, Timestamp::from_secs(837_596_665))), "\"17-Jul-1996 09:44:25 +0000\"");
    }

    proptest! {
        #[test]
        fn a_string_reads_back_as_it_was(text in proptest::collection::vec(1u8..=255, 0..50)) {
            let mut line = b"a LOGIN ".to_vec();
            string(&mut line, &text);
            line.extend_from_slice(b" x");
            let tagged = crate::parse::parse(&line.into(), false);
            let Ok(crate::command::Command::Login { user, .. }) = tagged.map(|t| t.command) else {
                return Err(TestCaseError::fail("not a LOGIN"));
            };
            prop_assert_eq!(&user[..], &text[..]);
        }

        #[test]
        fn numbers_are_decimal(n in any::<u64>()) {
            prop_assert_eq!(written(|o| number(o, n)), n.to_string());
        }
    }
}
