//! Dates of header fields and of IMAP (RFC 5322 §3.3 with §4.3, RFC 9051 §9 `date-time`), by plain arithmetic on the
//! Gregorian calendar.

use mailward_core::Timestamp;

/// A date as written: the moment, and the wall clock it was written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The moment.
    pub timestamp: Timestamp,
    /// Minutes east of Greenwich that it was written with; 0 if none was given.
    pub offset: i32,
    /// Year as written.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
}

/// Reads a Date field's value, leniently.
#[must_use]
pub fn parse(value: &[u8]) -> Option<Date> {
    let _ = value;
    None
}

/// Reads IMAP's `date-time` (without its quotes): ` 1-Jul-1996 02:44:25 -0700`.
#[must_use]
pub fn parse_internal(value: &[u8]) -> Option<Timestamp> {
    let _ = value;
    None
}

/// As a header writes it: `Fri, 21 Nov 1997 09:55:06 +0000`, in UTC.
#[must_use]
pub fn format_header(time: Timestamp) -> String {
    let _ = time;
    String::new()
}

/// As IMAP's INTERNALDATE writes it (without its quotes): `21-Nov-1997 09:55:06 +0000`, in UTC.
#[must_use]
pub fn format_internal(time: Timestamp) -> String {
    let _ = time;
    String::new()
}

/// Year, month (1 to 12) and day (1 to 31) of a moment, in UTC.
#[must_use]
pub fn civil(time: Timestamp) -> (i32, u8, u8) {
    let _ = time;
    (1970, 1, 1)
}

/// The moment a day begins, in UTC.
#[must_use]
pub fn day_start(year: i32, month: u8, day: u8) -> Option<Timestamp> {
    let _ = (year, month, day);
    None
}
