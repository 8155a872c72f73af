//! Delivery status notifications: bounces, delay notices and confirmations (RFC 3464 in RFC 6522's envelope, with RFC
//! 3461 §6 and RFC 6533).
//!
//! Three parts: words for a person, fields for a program, and what the person sent. Much of it is an outsider's: the
//! other server's words, its name, the message itself. None of it can end a line, a field or a part (attacks A4, F6):
//! values are made one line and folded where they have a blank, and the boundary is looked for in everything that it
//! parts before it is used.

use crate::accept;
use crate::bytes::sub;
use crate::date;
use crate::header::{first, header_end};
use crate::references::message_ids;
use mailward_core::limits::{REPORT_RECIPIENTS_MAX, REPORT_RETURNED_MAX};
use mailward_core::{Address, Domain, EnhancedStatus, Timestamp};
use std::fmt::Write as _;

mod boundary;
mod fields;
mod text;

/// What a notification tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Who reports: our name.
    pub reporting_mta: &'a Domain,
    /// The header's `From`, where answers go: a postmaster of ours. ASCII.
    pub from: &'a Address,
    /// Whom it is sent to: the reverse path of the message. The caller sends nothing where that is null, and sends this
    /// with the null reverse path (RFC 5321 §4.5.5, §6.1).
    pub to: &'a Address,
    /// Names this notification in `Message-ID` and in the boundary. Unique, and nobody outside can guess it, or they
    /// could write the boundary into a message in a form that this doesn't see. Only letters and digits are taken.
    pub id: &'a str,
    /// Now.
    pub date: Timestamp,
    /// When the message came.
    pub arrival: Timestamp,
    /// ENVID, decoded.
    pub envelope_id: Option<&'a str>,
    /// Whether the message was sent with SMTPUTF8: then its sender reads UTF-8 in headers (RFC 6533). A sender whose
    /// address isn't ASCII does in any case.
    pub smtputf8: bool,
    /// Whom it tells of: 1 to `limits::REPORT_RECIPIENTS_MAX`, the caller parts more. All that failed stand in one
    /// notification; what it is called goes by the worst.
    pub recipients: &'a [Recipient<'a>],
    /// For the person: what happened and what to do. Lines may end with LF; cut at `limits::REPORT_TEXT_MAX`.
    pub text: &'a str,
    /// The message, as it was accepted.
    pub original: &'a [u8],
    /// How much of it is given back.
    pub returned: Returned,
}

/// What is given back of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// All of it, if a recipient failed and it has at most `limits::REPORT_RETURNED_MAX` bytes; else its header (RET is
    /// for failures, RFC 3461 §4.3).
    Whole,
    /// Its header, cut after a line at `limits::REPORT_RETURNED_MAX` bytes.
    Header,
}

/// A recipient's fate.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Whom it was tried to deliver to.
    pub address: &'a Address,
    /// ORCPT: address type and decoded address (RFC 3461 §4.2).
    pub original: Option<(&'a str, &'a str)>,
    /// What became of it.
    pub action: Action,
    /// Why.
    pub status: EnhancedStatus,
    /// The server that said so, a name or an address literal.
    pub remote_mta: Option<&'a str>,
    /// What was said.
    pub diagnostic: Option<Diagnostic<'a>>,
    /// When it was last tried.
    pub last_attempt: Option<Timestamp>,
    /// Until when it is tried; told where [`Action::Delayed`].
    pub will_retry_until: Option<Timestamp>,
}

/// RFC 3464 §2.3.3, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It won't be tried again.
    Failed,
    /// It will.
    Delayed,
    /// It left for a place that doesn't report.
    Relayed,
    /// It went on to several, of whom nothing more will be told.
    Expanded,
    /// It is in a mailbox.
    Delivered,
}

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostic<'a> {
    /// The whole reply of an SMTP or LMTP server, with its codes; lines may end with LF.
    Smtp(&'a str),
    /// Ours: there was no reply.
    Local(&'a str),
}

/// A notification, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The message, lines ended with CRLF.
    pub bytes: Vec<u8>,
    /// Whether it must be sent with SMTPUTF8.
    pub smtputf8: bool,
    /// Whether it has bytes over 127, and must be sent with 8BITMIME.
    pub eight_bit: bool,
}

/// Why none is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// See [`Report::recipients`].
    #[error("a notification tells of 1 to {REPORT_RECIPIENTS_MAX} recipients, not {0}: make several")]
    Recipients(usize),
    /// See [`Report::from`].
    #[error("a notification's own address must be ASCII")]
    From,
    /// See [`Report::id`].
    #[error("a notification needs an id with letters or digits")]
    Id,
}

impl Action {
    /// As the field has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Delivered => "delivered",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Your message could not be delivered",
            Self::Delayed => "Your message is delayed, we keep trying",
            Self::Relayed => "Your message was passed on",
            Self::Expanded => "Your message was sent on to several people",
            Self::Delivered => "Your message was delivered",
        }
    }
}

/// How many characters of [`Report::id`] are taken: a boundary has at most 70 (RFC 2046 §5.1.1).
const ID_MAX: usize = 40;

/// Longest id of a message that is answered to, bytes: its field stays one line.
const ANSWERED_ID_MAX: usize = 900;

/// A part of the notification.
struct PartBytes {
    kind: &'static str,
    encoding: &'static str,
    body: Vec<u8>,
}

impl Report<'_> {
    /// Makes the message.
    ///
    /// # Errors
    /// If the caller didn't keep to what the fields say; nothing from outside makes it fail.
    pub fn build(&self) -> Result<Notification, ReportError> {
        if self.recipients.len() > REPORT_RECIPIENTS_MAX {
            return Err(ReportError::Recipients(self.recipients.len()));
        }
        let Some(worst) = self.recipients.iter().map(|r| r.action).min() else {
            return Err(ReportError::Recipients(0));
        };
        if !self.from.is_ascii() {
            return Err(ReportError::From);
        }
        let id: String = self.id.chars().filter(char::is_ascii_alphanumeric).take(ID_MAX).collect();
        if id.is_empty() {
            return Err(ReportError::Id);
        }
        let utf8 = self.smtputf8 || !self.to.is_ascii();
        let parts = [text::part(self.text), self.status_part(utf8), self.original_part(utf8, worst)];
        let boundary = boundary::choose(&id, parts.iter().map(|p| p.body.as_slice()));
        let eight_bit = !self.to.is_ascii() || parts.iter().any(|p| !p.body.is_ascii());
        let smtputf8 = !self.to.is_ascii() || parts.iter().any(|p| p.kind.starts_with("message/global"));

        let mut bytes = self.header(worst, &id, &boundary, eight_bit);
        for part in &parts {
            let head = format!("\r\n--{boundary}\r\nContent-Type: {}\r\n", part.kind);
            bytes.extend_from_slice(head.as_bytes());
            if part.encoding != "7bit" {
                bytes.extend_from_slice(format!("Content-Transfer-Encoding: {}\r\n", part.encoding).as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&part.body);
        }
        bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Ok(Notification { bytes, smtputf8, eight_bit })
    }

    fn header(&self, worst: Action, id: &str, boundary: &str, eight_bit: bool) -> Vec<u8> {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _infallible = write!(
            out,
            "From: Mail Delivery System <{}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{id}@{}>\r\n",
            self.from,
            self.to,
            worst.subject(),
            date::format_header(self.date),
            self.reporting_mta,
        );
        if let Some(answered) = self.answered() {
            let _infallible = write!(out, "In-Reply-To: <{answered}>\r\nReferences: <{answered}>\r\n");
        }
        out.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        let _infallible = write!(
            out,
            "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n"
        );
        if eight_bit {
            out.push_str("Content-Transfer-Encoding: 8bit\r\n");
        }
        out.into_bytes()
    }

    /// The id of the message that this is about, so that readers show both together.
    fn answered(&self) -> Option<String> {
        let header = sub(self.original, 0..header_end(self.original));
        let id = first(header, "Message-ID").map(message_ids)?.into_iter().next()?;
        let plain = id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>');
        (plain && id.len() <= ANSWERED_ID_MAX).then_some(id)
    }

    /// `message/delivery-status`: a group of fields for the message, and one for each recipient.
    fn status_part(&self, utf8: bool) -> PartBytes {
        let mut out = fields::Fields::new(utf8);
        if let Some(id) = self.envelope_id {
            out.text("Original-Envelope-Id", "", id);
        }
        out.text("Reporting-MTA", "dns; ", self.reporting_mta.as_str());
        out.date("Arrival-Date", self.arrival);
        for recipient in self.recipients {
            out.next_group();
            if let Some((kind, address)) = recipient.original {
                out.original(kind, address);
            }
            out.address("Final-Recipient", recipient.address);
            out.text("Action", "", recipient.action.name());
            out.text("Status", "", &recipient.status.to_string());
            if let Some(remote) = recipient.remote_mta {
                out.text("Remote-MTA", "dns; ", remote);
            }
            match recipient.diagnostic {
                Some(Diagnostic::Smtp(said)) => out.text("Diagnostic-Code", "smtp; ", said),
                Some(Diagnostic::Local(said)) => out.text("Diagnostic-Code", "x-mailward; ", said),
                None => {}
            }
            if let Some(time) = recipient.last_attempt {
                out.date("Last-Attempt-Date", time);
            }
            if let Some(time) = recipient.will_retry_until.filter(|_| recipient.action == Action::Delayed) {
                out.date("Will-Retry-Until", time);
            }
        }
        let body = out.finish();
        if body.is_ascii() {
            PartBytes { kind: "message/delivery-status", encoding: "7bit", body }
        } else {
            PartBytes { kind: "message/global-delivery-status", encoding: "8bit", body }
        }
    }

    fn original_part(&self, utf8: bool, worst: Action) -> PartBytes {
        let end = header_end(self.original);
        let utf8 = utf8 && !sub(self.original, 0..end).is_ascii();
        let small = self.original.len() <= REPORT_RETURNED_MAX;
        if self.returned == Returned::Whole && worst == Action::Failed && small {
            let body = text::lines_ended(self.original);
            let kind = if utf8 { "message/global" } else { "message/rfc822" };
            let encoding = if body.is_ascii() { "7bit" } else { "8bit" };
            return PartBytes { kind, encoding, body };
        }
        let header = text::lines_ended(header_cut(sub(self.original, 0..end)));
        match (header.is_ascii(), utf8) {
            (true, _) => PartBytes { kind: "text/rfc822-headers", encoding: "7bit", body: header },
            (false, true) => PartBytes { kind: "message/global-headers", encoding: "8bit", body: header },
            // RFC 6522 §4 allows it for headers that aren't legal as they stand.
            (false, false) => PartBytes {
                kind: "text/rfc822-headers",
                encoding: "quoted-printable",
                body: text::quoted_printable(&header),
            },
        }
    }
}

/// A header without its empty line, cut after the last line that is within the limit.
fn header_cut(header: &[u8]) -> &[u8] {
    let length = if accept::ends_with_empty_line(header) {
        let without = header.strip_suffix(b"\n").unwrap_or(header);
        without.strip_suffix(b"\r").unwrap_or(without).len()
    } else {
        header.len()
    };
    if length <= REPORT_RETURNED_MAX {
        return sub(header, 0..length);
    }
    let room = sub(header, 0..REPORT_RETURNED_MAX);
    let lines = memchr::memrchr(b'\n', room).map_or(0, |at| at.saturating_add(1));
    sub(header, 0..lines)
}

#[cfg(test)]
mod tests;
