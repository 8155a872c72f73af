//! Files that an engine wouldn't find in a message by itself, as it is brought them.

use bytes::Bytes;
use mailward_core::limits::ANTIVIRUS_SHOWN_ALONE_MAX;

/// Bytes of a tar's block.
const BLOCK: usize = 512;

/// The first ones alone, as no engine has to open anything for them; the others in one tar, which all of them open.
pub(super) fn brought(files: &[Bytes]) -> Vec<Bytes> {
    // A tar of one is no gain.
    let alone = if files.len() <= ANTIVIRUS_SHOWN_ALONE_MAX.saturating_add(1) {
        files.len()
    } else {
        ANTIVIRUS_SHOWN_ALONE_MAX
    };
    let (alone, others) = files.split_at_checked(alone).unwrap_or((files, &[]));
    let mut all = alone.to_vec();
    if !others.is_empty() {
        all.push(Bytes::from(tar(others)));
    }
    all
}

/// A tar of files that have no names of their own (POSIX.1-1988, ustar).
fn tar(files: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, file) in files.iter().enumerate() {
        out.extend_from_slice(&head(number, file.len()));
        out.extend_from_slice(file);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len().saturating_add(2 * BLOCK), 0);
    out
}

fn head(number: usize, size: usize) -> Vec<u8> {
    let name = format!("file-{number}");
    let before = format!("{name:\0<100}0000600\00000000\00000000\0{size:011o}\000000000000\0");
    let behind = format!("0{:\0<100}ustar\000", "");
    // The sum is over all bytes, its own place taken for blanks.
    let sum = |text: &str| text.bytes().fold(0_u32, |sum, byte| sum.saturating_add(byte.into()));
    let sum = sum(&before).saturating_add(sum(&behind)).saturating_add(8 * u32::from(b' '));
    let mut head = format!("{before}{sum:06o}\0 {behind}").into_bytes();
    head.resize(BLOCK, 0);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::{ANTIVIRUS_READINGS_MAX, SCAN_SHOWN_FILES_MAX};
    use mailward_scan::{Budget, Kind};
    use std::time::Duration;

    fn files(count: usize) -> Vec<Bytes> {
        (0..count).map(|number| Bytes::from(format!("text number {number}\n").repeat(number % 90))).collect()
    }

    #[test]
    fn few_files_come_alone_and_many_fit_what_an_engine_is_brought() {
        for count in [0, 1, ANTIVIRUS_SHOWN_ALONE_MAX + 1] {
            assert_eq!(brought(&files(count)), files(count));
        }
        let many = brought(&files(SCAN_SHOWN_FILES_MAX));
        assert_eq!(many.len(), ANTIVIRUS_SHOWN_ALONE_MAX + 1);
        assert!(many.len() <= ANTIVIRUS_READINGS_MAX);
    }

    #[test]
    fn what_comes_together_is_a_tar_that_holds_them_all() {
        let given = files(200);
        let all = brought(&given);
        let elapsed = || Duration::ZERO;
        let mut message = b"Content-Type: application/x-tar\r\nContent-Transfer-Encoding: binary\r\n\r\n".to_vec();
        message.extend_from_slice(all.last().unwrap());
        let contents = mailward_scan::open(&message, Budget::within_limits(&elapsed));
        let (tar, inside) = contents.items.split_first().unwrap();
        assert_eq!((tar.kind, &*contents.stopped), (Kind::Tar, [].as_slice()));
        let sizes: Vec<usize> = inside.iter().map(|item| item.size as usize).collect();
        let wanted: Vec<usize> = given[ANTIVIRUS_SHOWN_ALONE_MAX..].iter().map(Bytes::len).collect();
        assert_eq!(sizes, wanted);
        assert!(tar.traits.is_empty(), "{:?}", tar.traits);
    }
}
