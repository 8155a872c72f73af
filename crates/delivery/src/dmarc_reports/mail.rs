//! A report as a message (RFC 9990 §3.5.2).

use base64::Engine as _;
use mailward_core::{Address, Domain, Timestamp};
use mailward_inspect::report::Report;
use mailward_message::date;
use mailward_sts::Day;
use std::fmt::Write as _;

/// What a report's message says beside the report.
pub(super) struct Letter<'a> {
    pub(super) day: Day,
    /// Whose policy it is about.
    pub(super) domain: &'a Domain,
    /// Who reports.
    pub(super) hostname: &'a Domain,
    /// Whom it is from.
    pub(super) contact: &'a Address,
    /// Names it: letters and digits.
    pub(super) id: &'a str,
}

impl Letter<'_> {
    /// The message to one place: ASCII, lines ended by CRLF.
    pub(super) fn written(&self, report: &Report, to: &Address, now: Timestamp) -> std::io::Result<Vec<u8>> {
        let Self { day, domain, hostname, contact, id } = *self;
        let packed = base64::engine::general_purpose::STANDARD.encode(report.gzip()?);
        // RFC 9990 §3.5.2 wants this name, the same if it is sent again.
        let name = format!("{hostname}!{domain}!{}!{}!{id}.xml.gz", report.begin, report.end);
        let boundary = format!("=_{id}");
        let messages = report.rows.iter().fold(report.more, |sum, row| sum.saturating_add(row.count));
        let mut text = String::with_capacity(packed.len().saturating_mul(2));
        // Writing to a String can't fail.
        let _infallible = write!(
            text,
            "From: <{contact}>\r\nTo: <{to}>\r\nDate: {}\r\nMessage-ID: <{id}.{day}@{hostname}>\r\n\
             Subject: Report Domain: {domain}\r\n Submitter: {hostname}\r\n Report-ID: <{id}.{day}@{hostname}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             How {messages} messages in the name of {domain}\r\nwere authenticated by {hostname}\r\non {day} (UTC), for \
             programs to read (RFC 9990).\r\n\
             --{boundary}\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n filename=\"{name}\"\r\n\r\n",
            date::format_header(now),
        );
        let mut rest = packed.as_str();
        while let Some((line, after)) = rest.split_at_checked(rest.len().min(76)).filter(|(line, _)| !line.is_empty()) {
            text.push_str(line);
            text.push_str("\r\n");
            rest = after;
        }
        let _infallible = write!(text, "--{boundary}--\r\n");
        Ok(text.into_bytes())
    }
}
