//! What a header says, and how it is written.

use super::{Kind, Sink, words};
use mailward_core::limits::{SPAM_FIELD_MAX, SPAM_FIELDS_MAX};
use mailward_message::decode::header_text;
use mailward_message::header::{Field, fields, unfold};
use mailward_message::{EnvelopeAddress, Structure};

/// Fields that nothing is learned from: who it is for and how it was brought to them, what filters said, and numbers that
/// never come again.
const LEFT_OUT: &[&str] = &[
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "return-path",
    "authentication-results",
    "mailward-verdict",
    "received-spf",
    "dkim-signature",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "status",
    "x-status",
    "x-uid",
    "x-keywords",
    "x-uidl",
    "content-length",
    "lines",
    "to",
    "cc",
    "bcc",
    "from",
    "sender",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "received",
    "thread-index",
    "x-originalarrivaltime",
];

pub(super) fn header(message: &[u8], structure: &Structure, sink: &mut Sink<'_>) {
    let root = &structure.root().header;
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let header = message.get(at(root.start)..at(root.end)).unwrap_or_default();
    let envelope = structure.envelope();
    let mut before = String::new();
    for field in fields(header).take(SPAM_FIELDS_MAX) {
        let name = String::from_utf8_lossy(field.name.get(..64).unwrap_or(field.name)).to_ascii_lowercase();
        // A line that is no field, as mailboxes of the `mbox` kind put one before a message.
        if name.is_empty() || name.contains(' ') {
            continue;
        }
        if is_trace(&name) {
            if name == "received" {
                route(&field, sink);
            }
            continue;
        }
        // Which field follows which tells programs apart.
        sink.text(Kind::Order, &[&before, " ", &name]);
        if !LEFT_OUT.contains(&name.as_str()) {
            value(&name, &field, sink);
        }
        before = name;
    }
    if let Some(subject) = &envelope.subject {
        subject_words(&header_text(subject.as_bytes()), sink);
    }
    addresses("from", &envelope.from, sink);
    addresses("sender", &envelope.sender, sink);
    addresses("reply-to", &envelope.reply_to, sink);
    let recipients = envelope.to.len().saturating_add(envelope.cc.len());
    sink.text(Kind::Shape, &["recipients ", &recipients.min(20).to_string()]);
    if let Some(date) = &envelope.date {
        let zone = date.rsplit(' ').find(|word| word.starts_with(['+', '-'])).unwrap_or("none");
        sink.text(Kind::Shape, &["zone ", zone]);
        sink.text(Kind::Shape, &["date ", &shape(date)]);
    }
    if let Some(id) = &envelope.message_id {
        let (left, right) = id.split_once('@').unwrap_or((id, ""));
        sink.text(Kind::Shape, &["id ", &shape(left)]);
        sink.text(Kind::Shape, &["id@ ", right.trim_end_matches('>')]);
    }
    let same = |one: &[EnvelopeAddress], other: &[EnvelopeAddress]| {
        one.first().map(|a| (&a.mailbox, &a.host)) == other.first().map(|a| (&a.mailbox, &a.host))
    };
    if !envelope.reply_to.is_empty() {
        let answer = if same(&envelope.from, &envelope.reply_to) { "reply-to same" } else { "reply-to other" };
        sink.text(Kind::Shape, &[answer]);
    }
}

/// Fields of the way a message came, which stand wherever its hosts put them.
pub(in crate::spam) fn is_trace(name: &str) -> bool {
    matches!(
        name,
        "received"
            | "return-path"
            | "delivered-to"
            | "x-original-to"
            | "authentication-results"
            | "mailward-verdict"
            | "received-spf"
            | "status"
            | "x-status"
    ) || name.starts_with("arc-")
        || name.starts_with("x-spam")
}

/// Hosts and networks that a message says it came through.
fn route(field: &Field<'_>, sink: &mut Sink<'_>) {
    let text = unfold(field.value.get(..SPAM_FIELD_MAX).unwrap_or(field.value));
    let text = String::from_utf8_lossy(&text);
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-' && c != ':').take(64) {
        if let Ok(ip) = word.parse::<std::net::Ipv4Addr>() {
            let [a, b, c, _] = ip.octets();
            sink.text(Kind::Route, &[&format!("{a}.{b}.{c}")]);
            sink.text(Kind::Route, &[&format!("{a}.{b}")]);
        } else if word.contains('.') {
            let mut upper = word.trim_matches('.');
            sink.text(Kind::Route, &[upper]);
            while let Some((_, rest)) = upper.split_once('.') {
                sink.text(Kind::Route, &[rest]);
                upper = rest;
            }
        }
    }
}

fn value(name: &str, field: &Field<'_>, sink: &mut Sink<'_>) {
    let text = header_text(field.value.get(..SPAM_FIELD_MAX).unwrap_or(field.value));
    let kind = sink.number(Kind::Field, name.as_bytes());
    words::each(&text, |word| {
        let number = sink.number(Kind::Value, word.lower());
        sink.put(Kind::Value, super::TokenKey::pair(kind, number, 3));
    });
}

fn subject_words(subject: &str, sink: &mut Sink<'_>) {
    let mut before = 0u64;
    words::each(subject, |word| {
        let number = sink.number(Kind::Subject, word.lower());
        sink.put(Kind::Subject, number);
        if word.is_shouted() {
            sink.text(Kind::Shape, &["subject shouts"]);
        }
        if before != 0 {
            sink.put(Kind::Subject, super::TokenKey::pair(before, number, 1));
        }
        before = number;
    });
    sink.letters(Kind::Letters, subject);
    sink.text(Kind::Shape, &["subject ", &shape(subject)]);
    if subject.contains("   ") {
        sink.text(Kind::Shape, &["subject gap"]);
    }
}

fn addresses(field: &str, list: &[EnvelopeAddress], sink: &mut Sink<'_>) {
    for address in list.iter().take(4) {
        let name = address.name.as_ref().map(|name| header_text(name.as_bytes()));
        if let Some(name) = &name {
            words::each(name, |word| sink.word(Kind::Name, word));
        } else {
            sink.text(Kind::Shape, &[field, " no name"]);
        }
        let (mailbox, host) = (address.mailbox.as_deref().unwrap_or(""), address.host.as_deref().unwrap_or(""));
        let whole = format!("\"{}\" <{mailbox}@{host}>", name.as_deref().unwrap_or_default());
        sink.letters(Kind::NameLetters, &whole);
        sink.text(Kind::Address, &[field, " ", mailbox, "@", host]);
        sink.text(Kind::Shape, &[field, " ", &shape(mailbox)]);
        let mut upper = host;
        sink.text(Kind::Domain, &[upper]);
        while let Some((_, rest)) = upper.split_once('.') {
            sink.text(Kind::Domain, &[rest]);
            upper = rest;
        }
    }
}

/// How something is written: runs of letters, digits and others, at most eight.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut last = ' ';
    for byte in text.bytes().take(80) {
        let class = match byte {
            b'a'..=b'z' => 'a',
            b'A'..=b'Z' => 'A',
            b'0'..=b'9' => '0',
            0x80.. => 'u',
            other => char::from(other),
        };
        if class != last {
            shape.push(class);
            last = class;
            if shape.len() >= 12 {
                break;
            }
        }
    }
    shape
}
