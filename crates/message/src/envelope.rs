//! ENVELOPE.

use crate::address_list;
use crate::bytes::{string, trim};
use crate::header::unfold;
use mailward_core::limits::ENVELOPE_ADDRESSES_MAX;
use serde::{Deserialize, Serialize};

/// The fields of a header that IMAP's ENVELOPE tells (RFC 9051 §7.5.2): unfolded, blanks around them cut, encoded
/// words left as they are. `None`: no such field. Each string holds no CR, LF or NUL and at most
/// `limits::ENVELOPE_STRING_MAX` bytes; each list at most `limits::ENVELOPE_ADDRESSES_MAX` addresses. `T`: the texts, of
/// its own or borrowed from its stored form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T = String> {
    /// Date.
    pub date: Option<T>,
    /// Subject.
    pub subject: Option<T>,
    /// From.
    pub from: Vec<EnvelopeAddress<T>>,
    /// Sender as written; where it is missing or empty, ENVELOPE tells From (RFC 9051 §7.5.2).
    pub sender: Vec<EnvelopeAddress<T>>,
    /// Reply-To as written; where it is missing or empty, ENVELOPE tells From.
    pub reply_to: Vec<EnvelopeAddress<T>>,
    /// To.
    pub to: Vec<EnvelopeAddress<T>>,
    /// Cc.
    pub cc: Vec<EnvelopeAddress<T>>,
    /// Bcc.
    pub bcc: Vec<EnvelopeAddress<T>>,
    /// In-Reply-To.
    pub in_reply_to: Option<T>,
    /// Message-ID.
    pub message_id: Option<T>,
}

/// An address of an ENVELOPE, or a mark of group syntax: the start has only `mailbox` (the group's name), the end
/// has nothing. An address always has `mailbox` and `host`, empty where the header lacks them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeAddress<T = String> {
    /// Display name, quoting removed, encoded words left.
    pub name: Option<T>,
    /// Source route (`@a,@b`), obsolete.
    pub route: Option<T>,
    /// Local part, quoting removed.
    pub mailbox: Option<T>,
    /// Domain as written, comments and blanks removed.
    pub host: Option<T>,
}

impl Envelope {
    /// Takes a field if it is one of an ENVELOPE's; `left` counts the addresses that may yet be listed.
    pub(crate) fn take(&mut self, name: &[u8], value: &[u8], left: &mut usize) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            2 if is("to") => add(&mut self.to, value, left),
            2 if is("cc") => add(&mut self.cc, value, left),
            3 if is("bcc") => add(&mut self.bcc, value, left),
            4 if is("from") => first(&mut self.from, value, left),
            4 if is("date") => once(&mut self.date, value),
            6 if is("sender") => first(&mut self.sender, value, left),
            7 if is("subject") => once(&mut self.subject, value),
            8 if is("reply-to") => first(&mut self.reply_to, value, left),
            10 if is("message-id") => once(&mut self.message_id, value),
            11 if is("in-reply-to") => once(&mut self.in_reply_to, value),
            _ => {}
        }
    }
}

impl<T> EnvelopeAddress<T> {
    /// Whether it starts a group.
    #[must_use]
    pub fn is_group_start(&self) -> bool {
        self.host.is_none() && self.mailbox.is_some()
    }

    /// Whether it ends a group.
    #[must_use]
    pub fn is_group_end(&self) -> bool {
        self.host.is_none() && self.mailbox.is_none()
    }
}

/// A field's text, unless one came before.
pub(crate) fn once(slot: &mut Option<String>, value: &[u8]) {
    if slot.is_none() {
        *slot = Some(string(trim(&unfold(value))));
    }
}

/// A field's addresses, unless some came before.
fn first(list: &mut Vec<EnvelopeAddress>, value: &[u8], left: &mut usize) {
    if list.is_empty() {
        add(list, value, left);
    }
}

/// A field's addresses after those that came before.
fn add(list: &mut Vec<EnvelopeAddress>, value: &[u8], left: &mut usize) {
    let max = ENVELOPE_ADDRESSES_MAX.saturating_sub(list.len()).min(*left);
    let before = list.len();
    address_list::parse_into(&unfold(value), max, list);
    *left = left.saturating_sub(list.len().saturating_sub(before));
}
