//! What is to be sent to whom, and the commands that say so.

use super::extensions::Extensions;
use super::outcome::{Need, Outcome, Step};
use super::{Dialect, Security};
use crate::params::{ENVID_MAX, ORCPT_MAX};
use crate::path::ReversePath;
use crate::xtext;
use mailward_core::{Address, GiveBack, NotifyOn};
use std::fmt::Write as _;

/// One message, its sender and its recipients at one server.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Where errors go.
    pub sender: ReversePath,
    /// Who gets it; [`Extensions::recipients`] tells how many a server takes at once.
    pub recipients: Vec<Recipient>,
    /// The message has bytes over 127 behind its header, by a look at them rather than by what its sender said: it needs
    /// 8BITMIME.
    pub eight_bit: bool,
    /// The message's header has them (RFC 6532): it needs SMTPUTF8. That addresses need it is found out here.
    pub utf8_header: bool,
    /// REQUIRETLS, RFC 8689: only to a server that offers it, over TLS. That the server is who it should be is for
    /// the caller to know.
    pub require_tls: bool,
    /// RET: how much of the message a DSN should give back. Passed on where DSN is offered, as are the others.
    pub ret: Option<GiveBack>,
    /// ENVID, decoded.
    pub envid: Option<Box<str>>,
}

/// One recipient.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Where it goes.
    pub address: Address,
    /// NOTIFY; `None` if nothing was said.
    pub notify: Option<NotifyOn>,
    /// ORCPT: type and decoded address, as [`crate::params::RecipientParameters`] has it.
    pub original: Option<(Box<str>, Box<str>)>,
}

impl From<Address> for Recipient {
    fn from(address: Address) -> Self {
        Self { address, notify: None, original: None }
    }
}

impl Transaction {
    /// A message for these recipients that needs nothing beyond ASCII.
    #[must_use]
    pub fn new(sender: ReversePath, recipients: impl IntoIterator<Item = Address>) -> Self {
        Self {
            sender,
            recipients: recipients.into_iter().map(Recipient::from).collect(),
            eight_bit: false,
            utf8_header: false,
            require_tls: false,
            ret: None,
            envid: None,
        }
    }
    /// Whether bytes over 127 are no surprise.
    pub(super) const fn may_hold_8bit(&self) -> bool {
        self.eight_bit || self.utf8_header
    }
}

/// What is to be said, after what can be known beforehand is known.
#[derive(Debug)]
pub(super) struct Plan {
    /// Per recipient: decided, or still open.
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// Indexes of those that are tried, in order.
    pub(super) tried: Vec<usize>,
    /// What the whole message needs and the server doesn't have.
    pub(super) need: Option<Need>,
    utf8: bool,
}

impl Plan {
    /// Decides what needs no question. `size` is the message's, bytes.
    pub(super) fn new(transaction: &Transaction, size: u64, offers: &Extensions, security: Security) -> Self {
        let utf8_sender = transaction.sender.address().is_some_and(|address| !address.is_ascii());
        let need = if transaction.require_tls && !(offers.requiretls && security == Security::Tls) {
            Some(Need::RequireTls)
        } else if utf8_sender && !offers.smtputf8 {
            Some(Need::Utf8Address)
        } else if transaction.utf8_header && !offers.smtputf8 {
            Some(Need::Utf8Header)
        } else if transaction.eight_bit && !offers.eight_bit {
            Some(Need::EightBit)
        } else {
            offers.size.filter(|limit| *limit != 0 && size > *limit).map(|limit| Need::Size { size, limit })
        };
        let mut utf8 = utf8_sender || transaction.utf8_header;
        let mut tried = Vec::with_capacity(transaction.recipients.len());
        let mut outcomes = Vec::with_capacity(transaction.recipients.len());
        for (index, recipient) in transaction.recipients.iter().enumerate() {
            let ascii = recipient.address.is_ascii();
            let unmet = match need {
                Some(need) => Some(need),
                None if !ascii && !offers.smtputf8 => Some(Need::Utf8Address),
                None if tried.len() >= offers.recipients() => Some(Need::AnotherTransaction),
                None => None,
            };
            if unmet.is_none() {
                tried.push(index);
                utf8 |= !ascii;
            }
            outcomes.push(unmet.map(Outcome::needs));
        }
        Self { outcomes, tried, need, utf8 }
    }
}

/// A command in a group of commands, and the bytes of the group up to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) step: Step,
    pub(super) end: usize,
}

/// Commands as they go out, and the questions in them.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) text: String,
    pub(super) questions: Vec<Question>,
}

impl Group {
    /// One command, with what `write` puts into its line.
    fn command(&mut self, step: Step, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.text.push_str("\r\n");
        self.questions.push(Question { step, end: self.text.len() });
    }
    /// One that has no arguments.
    pub(super) fn plain(&mut self, step: Step, verb: &str) {
        self.command(step, |line| line.push_str(verb));
    }
    /// MAIL with its parameters.
    pub(super) fn mail(&mut self, transaction: &Transaction, plan: &Plan, size: u64, offers: &Extensions) {
        self.command(Step::Mail, |line| {
            // Writing to a String can't fail; so below.
            let _infallible = write!(line, "MAIL FROM:<{}>", transaction.sender);
            if offers.size.is_some() {
                let _infallible = write!(line, " SIZE={size}");
            }
            if transaction.eight_bit {
                line.push_str(" BODY=8BITMIME");
            }
            if plan.utf8 {
                line.push_str(" SMTPUTF8");
            }
            if transaction.require_tls {
                line.push_str(" REQUIRETLS");
            }
            if !offers.dsn {
                return;
            }
            match transaction.ret {
                Some(GiveBack::Full) => line.push_str(" RET=FULL"),
                Some(GiveBack::Headers) => line.push_str(" RET=HDRS"),
                None => {}
            }
            let envid = transaction.envid.as_deref().map(xtext::encode);
            if let Some(envid) = envid.filter(|envid| !envid.is_empty() && envid.len() <= ENVID_MAX) {
                line.push_str(" ENVID=");
                line.push_str(&envid);
            }
        });
    }
    /// RCPT with its parameters.
    pub(super) fn recipient(&mut self, recipient: &Recipient, offers: &Extensions) {
        self.command(Step::Recipient, |line| {
            let _infallible = write!(line, "RCPT TO:<{}>", recipient.address);
            if !offers.dsn {
                return;
            }
            if let Some(notify) = recipient.notify {
                line.push_str(" NOTIFY=");
                line.push_str(&notify_words(notify));
            }
            if let Some((kind, address)) = &recipient.original {
                let address = xtext::encode(address);
                let named = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                let length = kind.len().saturating_add(address.len()).saturating_add(1);
                if named && !address.is_empty() && length <= ORCPT_MAX {
                    let _infallible = write!(line, " ORCPT={kind};{address}");
                }
            }
        });
    }
}

fn notify_words(notify: NotifyOn) -> String {
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let words: Vec<_> = words.into_iter().filter(|(wanted, _)| *wanted).map(|(_, word)| word).collect();
    if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }
}

/// EHLO or LHLO.
pub(super) const fn hello_verb(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Smtp => "EHLO",
        Dialect::Lmtp => "LHLO",
    }
}
