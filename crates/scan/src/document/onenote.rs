//! OneNote (\[MS-ONESTORE\]): files that lie in a notebook, and its text.

use super::Look;
use crate::bytes::{from, le64, longer, upto, utf16};
use crate::contents::{Trait, Wrapping};

/// Before each file's bytes: `{BDE316E7-2665-4511-A4C4-8D4D0B7A9EAC}`; then their number, and twelve bytes more.
const FILE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
/// Shortest text that is kept, characters.
const TEXT_MIN: usize = 8;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let mut plain = 0_usize;
    for at in memchr::memmem::find_iter(bytes, FILE) {
        let head = at.saturating_add(FILE.len());
        let Some(len) = le64(bytes, head).map(longer) else { break };
        let data = upto(bytes, head.saturating_add(20), len);
        let kind = crate::kind::of(data);
        // Pictures on a page are kept in the same way as files that somebody put there.
        look.remark_if(kind.family() != crate::kind::Family::Media, Trait::Object);
        // One that claims to reach over the next ones hides none of them.
        look.inner(Vec::new(), data.to_vec(), Wrapping::Entry);
        if at < plain {
            continue;
        }
        text(upto(bytes, plain, at.saturating_sub(plain)), look);
        plain = head.saturating_add(20).saturating_add(data.len());
    }
    text(from(bytes, plain), look);
}

/// Runs of characters in two bytes, Western ones.
fn text(bytes: &[u8], look: &mut Look<'_>) {
    let mut at = 0_usize;
    while at < bytes.len() && look.text_room() > 0 {
        let run = from(bytes, at)
            .chunks_exact(2)
            .take_while(|pair| matches!(pair, [0x20..=0x7e | 9 | 10 | 13 | 0xa0.., 0]))
            .count();
        let len = run.saturating_mul(2);
        if run >= TEXT_MIN {
            look.text(&utf16(upto(bytes, at, len)));
        }
        at = at.saturating_add(len.max(1));
    }
}
