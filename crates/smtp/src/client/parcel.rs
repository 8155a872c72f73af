//! A message with its envelope in one piece, for a spool: what would be said in a session, then the message as it is.
//!
//! ```text
//! mailward parcel 1
//! MAIL FROM:<joe@localhost> RET=HDRS
//! RCPT TO:<ann@example.net> NOTIFY=NEVER
//! DATA
//! From: …
//! ```
//! Lines of the envelope are commands of RFC 5321 that end with LF; the message stands behind them, to the end, with CRLF
//! and without doubled dots. The envelope is read by the parser of commands, so that no second grammar judges it.

use super::Security;
use super::extensions::Extensions;
use super::outcome::Step;
use super::transaction::{Group, Plan, Recipient, Transaction};
use crate::command::{self, Command};
use crate::params::{self, Known};
use crate::path::{self, ForwardPath, ReversePath};
use mailward_core::limits::{PARCEL_ENVELOPE_MAX, SMTP_COMMAND_LINE_MAX, SMTP_RECIPIENTS_CONFIG_MAX};
use mailward_core::{Address, Domain, Host};
use memchr::memchr;

/// The first line of a parcel.
const MARK: &[u8] = b"mailward parcel 1";

/// What a parcel holds; the message is the bytes behind.
#[derive(Clone, Debug)]
pub struct Parcel<'a> {
    /// Sender, recipients and what the sender wants to hear. Addresses at `localhost` are users of the host it is on:
    /// see [`Transaction::at`].
    pub transaction: Transaction,
    /// The message.
    pub message: &'a [u8],
}

/// Why bytes are no parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParcelFault {
    /// Not even its first line.
    #[error("it isn't a spooled message")]
    Mark,
    /// The envelope doesn't end, within `limits::PARCEL_ENVELOPE_MAX` bytes.
    #[error("its envelope has no end")]
    Endless,
    /// A line of the envelope isn't what must stand there.
    #[error("line {0} of its envelope can't be read")]
    Line(usize),
    /// No recipient.
    #[error("it has no recipient")]
    NoRecipient,
    /// More than `limits::SMTP_RECIPIENTS_CONFIG_MAX`.
    #[error("it has too many recipients")]
    TooManyRecipients,
}

/// Reads a parcel. No bytes make it panic.
///
/// # Errors
/// [`ParcelFault`].
pub fn parse(bytes: &[u8]) -> Result<Parcel<'_>, ParcelFault> {
    let (mark, mut rest) = line(bytes).ok_or(ParcelFault::Mark)?;
    if mark != MARK {
        return Err(ParcelFault::Mark);
    }
    let mut transaction: Option<Transaction> = None;
    let mut number = 1_usize;
    loop {
        number = number.saturating_add(1);
        let fault = ParcelFault::Line(number);
        if bytes.len().saturating_sub(rest.len()) > PARCEL_ENVELOPE_MAX {
            return Err(ParcelFault::Endless);
        }
        let (text, after) = line(rest).ok_or(ParcelFault::Endless)?;
        rest = after;
        match (command::parse(text).map_err(|_| fault)?, &mut transaction) {
            (Command::Mail(given), None) => {
                let sender = path::reverse(given.path, true).map_err(|_| fault)?;
                let wishes =
                    params::mail(given.parameters, Known { auth: false, require_tls: false }).map_err(|_| fault)?;
                let mut begun = Transaction::new(sender, []);
                (begun.ret, begun.envid) = (wishes.ret, wishes.envid);
                transaction = Some(begun);
            }
            (Command::Rcpt(given), Some(transaction)) => {
                if transaction.recipients.len() >= SMTP_RECIPIENTS_CONFIG_MAX {
                    return Err(ParcelFault::TooManyRecipients);
                }
                let Ok(ForwardPath::Address(address)) = path::forward(given.path, true) else { return Err(fault) };
                let wishes = params::recipient(given.parameters).map_err(|_| fault)?;
                transaction.recipients.push(Recipient { address, notify: wishes.notify, original: wishes.original });
            }
            (Command::Data, Some(_)) => break,
            _ => return Err(fault),
        }
    }
    let mut transaction = transaction.filter(|t| !t.recipients.is_empty()).ok_or(ParcelFault::NoRecipient)?;
    transaction.look_at(rest);
    Ok(Parcel { transaction, message: rest })
}

/// Writes a parcel.
#[must_use]
pub fn write(transaction: &Transaction, message: &[u8]) -> Vec<u8> {
    let offers = Extensions { dsn: true, smtputf8: true, eight_bit: true, ..Extensions::default() };
    let size = u64::try_from(message.len()).unwrap_or(u64::MAX);
    let plan = Plan::new(transaction, size, &offers, Security::Clear);
    let mut group = Group::default();
    group.mail(transaction, &plan, size, &offers);
    for recipient in &transaction.recipients {
        group.recipient(recipient, &offers);
    }
    group.plain(Step::Data, "DATA");
    let envelope = group.text.replace("\r\n", "\n");
    let mut bytes =
        Vec::with_capacity(MARK.len().saturating_add(envelope.len()).saturating_add(message.len()).saturating_add(1));
    bytes.extend_from_slice(MARK);
    bytes.push(b'\n');
    bytes.extend_from_slice(envelope.as_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// A line of the envelope without its LF, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let room = bytes.get(..SMTP_COMMAND_LINE_MAX).unwrap_or(bytes);
    let end = memchr(b'\n', room)?;
    let (line, after) = bytes.split_at_checked(end)?;
    Some((line, after.get(1..).unwrap_or_default()))
}

impl Transaction {
    /// Notes which bytes the message has, by a look at it.
    pub fn look_at(&mut self, message: &[u8]) {
        let header = message.get(..header_end(message)).unwrap_or_default();
        self.utf8_header = !header.is_ascii();
        self.eight_bit = !message.is_ascii();
    }

    /// The same, with addresses at `localhost` at the host of this name.
    #[must_use]
    pub fn at(mut self, host: &Domain) -> Self {
        let here = |address: Address| match address.domain() {
            Some(domain) if domain.as_str() == "localhost" => {
                Address::new(address.local().clone(), Host::Domain(host.clone()))
            }
            _ => address,
        };
        if let ReversePath::Address(sender) = self.sender {
            self.sender = ReversePath::Address(here(sender));
        }
        for recipient in &mut self.recipients {
            recipient.address = here(recipient.address.clone());
        }
        self
    }
}

/// Where a header ends: behind its first empty line.
fn header_end(message: &[u8]) -> usize {
    memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at.saturating_add(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::NotifyOn;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text, true).unwrap()
    }

    #[test]
    fn a_parcel_comes_back_as_it_was_written() {
        let mut sent =
            Transaction::new(ReversePath::Address(address("joe@localhost")), [address("gr\u{fc}n@t.example")]);
        sent.recipients.push(Recipient {
            address: address("\"a b\"@t.example"),
            notify: Some(NotifyOn::default()),
            original: Some(("rfc822".into(), "x@t.example".into())),
        });
        sent.ret = Some(mailward_core::GiveBack::Headers);
        sent.envid = Some("a+b".into());
        let message = b"Subject: x\r\n\r\n.\r\nDATA\r\n";
        let bytes = write(&sent, message);
        let parcel = parse(&bytes).unwrap();
        assert_eq!(parcel.message, message);
        let found = parcel.transaction;
        assert_eq!(found.sender, sent.sender);
        assert_eq!((found.ret, found.envid.as_deref()), (sent.ret, Some("a+b")));
        let all: Vec<_> =
            found.recipients.iter().map(|r| (r.address.to_string(), r.notify, r.original.clone())).collect();
        let wanted: Vec<_> =
            sent.recipients.iter().map(|r| (r.address.to_string(), r.notify, r.original.clone())).collect();
        assert_eq!(all, wanted);
        let at = found.at(&Domain::parse("mx.s.example").unwrap());
        assert_eq!(at.sender.to_string(), "joe@mx.s.example");
        assert_eq!(at.recipients[1].address.to_string(), "\"a b\"@t.example");
    }

    #[test]
    fn what_is_no_parcel_is_told_by_its_line() {
        let whole = |lines: &str| format!("mailward parcel 1\n{lines}");
        for (text, fault) in [
            (String::new(), ParcelFault::Mark),
            ("#!/bin/sh\n".to_owned(), ParcelFault::Mark),
            ("mailward parcel 2\nDATA\n".to_owned(), ParcelFault::Mark),
            (whole(""), ParcelFault::Endless),
            (whole("MAIL FROM:<a@b.example>\n"), ParcelFault::Endless),
            (whole("RCPT TO:<a@b.example>\nDATA\n"), ParcelFault::Line(2)),
            (whole("MAIL FROM:<a@b.example>\nMAIL FROM:<a@b.example>\n"), ParcelFault::Line(3)),
            (whole("MAIL FROM:<a>\nDATA\n"), ParcelFault::Line(2)),
            (whole("MAIL FROM:<>\nRCPT TO:<postmaster>\nDATA\n"), ParcelFault::Line(3)),
            (whole("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\nDATA\n"), ParcelFault::Line(2)),
            (whole("MAIL FROM:<>\nRCPT TO:<a@b.example> NOTIFY=SOMETIMES\nDATA\n"), ParcelFault::Line(3)),
            (whole("MAIL FROM:<>\nQUIT\n"), ParcelFault::Line(3)),
            (whole("MAIL FROM:<>\nDATA\n"), ParcelFault::NoRecipient),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|_| ()), Err(fault), "{text}");
        }
    }

    #[test]
    fn an_envelope_ends_at_its_limits() {
        let mut many = String::from("mailward parcel 1\nMAIL FROM:<>\n");
        for _ in 0..=SMTP_RECIPIENTS_CONFIG_MAX {
            many.push_str("RCPT TO:<a@b.example>\n");
        }
        assert_eq!(parse(many.as_bytes()).map(|_| ()), Err(ParcelFault::TooManyRecipients));
        let line = format!("RCPT TO:<a@b.example>{}\n", " ".repeat(SMTP_COMMAND_LINE_MAX - 30));
        let long = format!("mailward parcel 1\nMAIL FROM:<>\n{}", line.repeat(PARCEL_ENVELOPE_MAX / line.len() + 1));
        assert_eq!(parse(long.as_bytes()).map(|_| ()), Err(ParcelFault::Endless));
        let endless = format!("mailward parcel 1\nMAIL FROM:<{}", "a".repeat(SMTP_COMMAND_LINE_MAX));
        assert_eq!(parse(endless.as_bytes()).map(|_| ()), Err(ParcelFault::Endless));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(lines in proptest::collection::vec("(MAIL FROM:<|RCPT TO:<|DATA\n|>\n|a@b.example| RET=FULL|\n|\r|\u{e9}){0,6}", 0..8)) {
            let bytes = format!("mailward parcel 1\n{}", lines.concat());
            if let Ok(parcel) = parse(bytes.as_bytes()) {
                let again = write(&parcel.transaction, parcel.message);
                let second = parse(&again).unwrap();
                prop_assert_eq!(second.message, parcel.message);
                prop_assert_eq!(write(&second.transaction, second.message), again);
            }
            let _ = parse(lines.concat().as_bytes());
        }
    }
}
