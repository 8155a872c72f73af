//! Lines of a file.

use super::{Plan, QmailError};
use mailward_core::limits::{MIGRATE_FILE_MAX, MIGRATE_LINE_MAX, MIGRATE_LINES_MAX};

/// Lines that say something, with their numbers, spaces behind them taken off. What can't be text is told.
///
/// # Errors
/// [`QmailError::TooLarge`].
pub(super) fn lines<'f>(name: &str, bytes: &'f [u8], plan: &mut Plan) -> Result<Vec<(usize, &'f str)>, QmailError> {
    if bytes.len() > MIGRATE_FILE_MAX {
        return Err(QmailError::TooLarge(name.to_owned()));
    }
    let mut lines = Vec::new();
    for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
        if index >= MIGRATE_LINES_MAX || line.len() > MIGRATE_LINE_MAX {
            return Err(QmailError::TooLarge(name.to_owned()));
        }
        let number = index.saturating_add(1);
        match std::str::from_utf8(line).map(str::trim_end) {
            Ok(line) if line.chars().any(char::is_control) => {
                plan.leave(name, number, "", "has control characters");
            }
            Ok("") => {}
            Ok(line) if line.starts_with('#') => {}
            Ok(line) => lines.push((number, line)),
            Err(_) => plan.leave(name, number, "", "has bytes that are not UTF-8"),
        }
    }
    Ok(lines)
}
