//! The old PowerPoint: records within records (\[MS-PPT\]).

use super::Look;
use crate::bytes::{from, le16, le32, long, upto, utf16};
use crate::contents::{Trait, Wrapping};

/// Records that are looked at.
const RECORDS_MAX: usize = 1_000_000;
const TEXT_WIDE: u16 = 0x0fa0;
const TEXT: u16 = 0x0fa8;
const STORAGE: u16 = 0x1011;

pub(super) fn look(stream: &[u8], look: &mut Look<'_>) {
    let mut at = 0_usize;
    for _ in 0..RECORDS_MAX {
        let (Some(version), Some(kind), Some(len)) =
            (le16(stream, at), le16(stream, at.saturating_add(2)), le32(stream, at.saturating_add(4)).map(long))
        else {
            break;
        };
        let start = at.saturating_add(8);
        at = start;
        if version & 0xf == 0xf {
            // It holds others: they come next.
            continue;
        }
        let data = upto(stream, start, len);
        match kind {
            TEXT_WIDE => look.text(&utf16(data)),
            TEXT => look.text(&data.iter().map(|b| char::from(*b)).collect::<String>()),
            STORAGE => {
                look.remark(Trait::Object);
                // Packed, with its size before it; or as it is.
                let object = if version >> 4 == 1 { look.inflate(from(data, 4), true) } else { data.to_vec() };
                look.inner(Vec::new(), object, Wrapping::Entry);
            }
            _ => {}
        }
        at = start.saturating_add(len);
    }
}
