//! Programs that unpack themselves: an archive behind their code.

use super::{Opened, cab, rar, seven};
use crate::kind::Kind;
use crate::meter::Meter;
use bytes::Bytes;
use mailward_core::limits::{SCAN_STUB_ARCHIVES_MAX, SCAN_STUB_MAX};

/// Signs that are looked at of each sort: such programs hold them in their code, too.
const TRIES_MAX: usize = 16;

/// Opens archives in a program.
pub(super) fn archives(bytes: &Bytes, most: usize, meter: &mut Meter<'_>, opened: &mut Opened) {
    let head = bytes.get(..bytes.len().min(SCAN_STUB_MAX)).unwrap_or_default();
    let signs: [(Kind, &[u8]); 3] =
        [(Kind::SevenZip, b"7z\xbc\xaf\x27\x1c\0"), (Kind::Rar, b"Rar!\x1a\x07"), (Kind::Cab, b"MSCF\0\0\0\0")];
    for (kind, sign) in signs {
        for at in memchr::memmem::find_iter(head, sign).take(TRIES_MAX) {
            if opened.holders.len() >= SCAN_STUB_ARCHIVES_MAX {
                return;
            }
            let archive = bytes.slice(at..);
            let holder = match kind {
                Kind::SevenZip => seven::open(&archive, most, meter),
                Kind::Rar => rar::open(&archive, most),
                _ => cab::open(&archive, most),
            };
            if let Some(holder) = holder {
                if !opened.also.contains(&kind) {
                    opened.also.push(kind);
                }
                opened.holders.push(holder);
                break;
            }
        }
    }
}
