//! What milters say.

use crate::answer::Answer;
use crate::changes::Edit;
use crate::packet::{Packet, number, texts};
use crate::terms::{Terms, actions, steps};
use crate::{Fault, NewSender};
use mailward_core::Address;
use mailward_core::limits::{MILTER_FIELD_NAME_MAX, MILTER_REASON_MAX};

/// One reply, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Go on.
    Continue,
    /// Taken, and not to be asked about again.
    Accept,
    /// Taken, and thrown away.
    Discard,
    /// Not taken.
    Reject,
    /// Not taken now.
    Tempfail,
    /// Not taken, in its own words.
    Answer(Answer),
    /// Nothing more of this kind.
    Skip,
    /// It is at work.
    Progress,
    /// The session ends.
    Shutdown,
    /// It can't go on with this session.
    Failed,
    /// A change of the header.
    Edit(Edit),
    /// A piece of another body.
    Body(Vec<u8>),
    /// One more recipient.
    AddRecipient(Address, String),
    /// One recipient less; as it was told, without brackets.
    RemoveRecipient(String),
    /// Another sender.
    Sender(NewSender),
    /// Not for its recipients, and why.
    Quarantine(String),
}

impl Reply {
    /// Reads a packet by the terms that were agreed.
    ///
    /// # Errors
    /// [`Fault`]: it can't be read, isn't known, or wasn't agreed.
    pub fn parse(packet: Packet<'_>, terms: &Terms) -> Result<Self, Fault> {
        let data = packet.data;
        let plain = match packet.letter {
            b'c' => Some(Self::Continue),
            b'a' => Some(Self::Accept),
            b'd' => Some(Self::Discard),
            b'r' => Some(Self::Reject),
            b't' => Some(Self::Tempfail),
            b's' => Some(Self::Skip),
            b'p' => Some(Self::Progress),
            b'4' => Some(Self::Shutdown),
            b'f' => Some(Self::Failed),
            _ => None,
        };
        if let Some(plain) = plain {
            return if data.is_empty() { Ok(plain) } else { Err(Fault::Malformed("something behind a plain reply")) };
        }
        let may = |action: u32, what: &'static str| terms.may(action).then_some(()).ok_or(Fault::NotAgreed(what));
        match packet.letter {
            b'y' => Answer::parse(one(data)?).map(Self::Answer),
            b'h' => {
                may(actions::ADD_FIELDS, "add fields")?;
                let (name, value) = field(data, terms)?;
                Ok(Self::Edit(Edit::Add { name, value }))
            }
            b'i' => {
                may(actions::ADD_FIELDS, "add fields")?;
                let (at, rest) = number(data)?;
                let (name, value) = field(rest, terms)?;
                Ok(Self::Edit(Edit::Insert { at, name, value }))
            }
            b'm' => {
                may(actions::CHANGE_FIELDS, "change fields")?;
                let (nth, rest) = number(data)?;
                let (name, value) = field(rest, terms)?;
                // It is the empty text that takes a field away, with or without the blank that we put before it.
                let is_gone = matches!(texts(rest)?.as_slice(), [_, []]);
                Ok(Self::Edit(if is_gone { Edit::Remove { nth, name } } else { Edit::Change { nth, name, value } }))
            }
            b'b' => {
                may(actions::CHANGE_BODY, "replace the body")?;
                Ok(Self::Body(data.to_vec()))
            }
            b'+' => {
                may(actions::ADD_RECIPIENTS, "add recipients")?;
                Ok(Self::AddRecipient(recipient(one(data)?)?, String::new()))
            }
            b'2' => {
                may(actions::ADD_RECIPIENTS_WITH, "add recipients with arguments")?;
                let (address, arguments) = with_arguments(data)?;
                Ok(Self::AddRecipient(recipient(address)?, arguments))
            }
            b'-' => {
                may(actions::REMOVE_RECIPIENTS, "take recipients away")?;
                Ok(Self::RemoveRecipient(utf8(bare(one(data)?))?.to_owned()))
            }
            b'e' => {
                may(actions::CHANGE_SENDER, "change the sender")?;
                let (address, arguments) = with_arguments(data)?;
                let address = match bare(address) {
                    [] => None,
                    _ => Some(recipient(address)?),
                };
                Ok(Self::Sender(NewSender { address, arguments }))
            }
            b'q' => {
                may(actions::QUARANTINE, "quarantine")?;
                let reason = String::from_utf8_lossy(one(data)?);
                let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
                Ok(Self::Quarantine(reason.take(MILTER_REASON_MAX).collect()))
            }
            _ => Err(Fault::Malformed("a reply that isn't known")),
        }
    }

    /// Its name, for people.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Accept => "accept",
            Self::Discard => "discard",
            Self::Reject => "reject",
            Self::Tempfail => "tempfail",
            Self::Answer(_) => "a reply code",
            Self::Skip => "skip",
            Self::Progress => "progress",
            Self::Shutdown => "shutdown",
            Self::Failed => "connection failure",
            Self::Edit(_) => "a change of the header",
            Self::Body(_) => "another body",
            Self::AddRecipient(..) => "one more recipient",
            Self::RemoveRecipient(_) => "one recipient less",
            Self::Sender(_) => "another sender",
            Self::Quarantine(_) => "quarantine",
        }
    }
}

/// The only text of a packet.
fn one(data: &[u8]) -> Result<&[u8], Fault> {
    match texts(data)?.as_slice() {
        [text] => Ok(text),
        _ => Err(Fault::Malformed("more or less than one text")),
    }
}

/// Name and value of a field; the value is all that stands behind the colon.
fn field(data: &[u8], terms: &Terms) -> Result<(String, Vec<u8>), Fault> {
    let texts = texts(data)?;
    let [name, value] = texts.as_slice() else { return Err(Fault::Malformed("no name and value of a field")) };
    let is_name = (1..=MILTER_FIELD_NAME_MAX).contains(&name.len())
        && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':');
    if !is_name {
        return Err(Fault::Malformed("a field's name that can't be one"));
    }
    let blank: &[u8] = if terms.has(steps::LEADING_BLANK) { b"" } else { b" " };
    Ok((utf8(name)?.to_owned(), [blank, value].concat()))
}

fn with_arguments(data: &[u8]) -> Result<(&[u8], String), Fault> {
    let texts = texts(data)?;
    let (address, arguments): (&[u8], &[u8]) = match texts.as_slice() {
        [address] => (address, b""),
        [address, arguments] => (address, arguments),
        _ => return Err(Fault::Malformed("no address with arguments")),
    };
    let arguments = utf8(arguments)?;
    if arguments.chars().any(char::is_control) {
        return Err(Fault::Malformed("arguments with control characters"));
    }
    Ok((address, arguments.to_owned()))
}

fn recipient(text: &[u8]) -> Result<Address, Fault> {
    Address::parse(utf8(bare(text))?, true).map_err(|_| Fault::Malformed("an address that can't be one"))
}

/// What stands between the brackets, if there are some.
fn bare(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    text.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(text)
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Malformed("text that isn't UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(actions: u32, steps: u32) -> Terms {
        Terms { version: 6, actions, steps, asked: crate::macros::Asked::default() }
    }

    fn read(letter: u8, data: &[u8]) -> Result<Reply, Fault> {
        Reply::parse(Packet { letter, data }, &terms(actions::ALL, 0))
    }

    #[test]
    fn every_reply_is_read() {
        let edit = |edit| Ok(Reply::Edit(edit));
        let (name, value) = ("X-A".to_owned(), b" b".to_vec());
        assert_eq!(read(b'c', b""), Ok(Reply::Continue));
        assert_eq!(read(b's', b""), Ok(Reply::Skip));
        assert_eq!(read(b'h', b"X-A\0b\0"), edit(Edit::Add { name: name.clone(), value: value.clone() }));
        assert_eq!(
            read(b'i', b"\0\0\0\x01X-A\0b\0"),
            edit(Edit::Insert { at: 1, name: name.clone(), value: value.clone() })
        );
        assert_eq!(read(b'm', b"\0\0\0\x02X-A\0b\0"), edit(Edit::Change { nth: 2, name: name.clone(), value }));
        assert_eq!(read(b'm', b"\0\0\0\x02X-A\0\0"), edit(Edit::Remove { nth: 2, name }));
        assert_eq!(read(b'b', b"a\0b"), Ok(Reply::Body(b"a\0b".to_vec())));
        let address = Address::parse("a@b.example", true).unwrap();
        assert_eq!(read(b'+', b"<a@b.example>\0"), Ok(Reply::AddRecipient(address.clone(), String::new())));
        let with = Ok(Reply::AddRecipient(address.clone(), "NOTIFY=NEVER".to_owned()));
        assert_eq!(read(b'2', b"a@b.example\0NOTIFY=NEVER\0"), with);
        assert_eq!(read(b'-', b"<a@b.example>\0"), Ok(Reply::RemoveRecipient("a@b.example".to_owned())));
        let sender = |address: Option<Address>| Ok(Reply::Sender(NewSender { address, arguments: String::new() }));
        assert_eq!(read(b'e', b"<a@b.example>\0"), sender(Some(address)));
        assert_eq!(read(b'e', b"<>\0"), sender(None));
        assert_eq!(read(b'q', b"a\nb\0"), Ok(Reply::Quarantine("a b".to_owned())));
        assert!(matches!(read(b'y', b"550 5.7.1 No\0"), Ok(Reply::Answer(_))));
    }

    #[test]
    fn what_cannot_be_read_is_a_fault() {
        for (letter, data) in [
            (b'c', b"x".as_slice()),
            (b'z', b""),
            (b'l', b"\0\0\0\0j\0"),
            (b'h', b"X-A\0b"),
            (b'h', b"X-A\0"),
            (b'h', b"X A\0b\0"),
            (b'h', b"X:A\0b\0"),
            (b'h', b"X\r\nA\0b\0"),
            (b'h', b"\0b\0"),
            (b'h', b"a\0b\0c\0"),
            (b'i', b"\0\0\0"),
            (b'+', b"<a b>\0"),
            (b'+', b"\0"),
            (b'+', b"a@b.example"),
            (b'-', b"\xff\0"),
            (b'e', b"<a@b.example>\0A\r\nB\0"),
            (b'y', b"250 2.0.0 Ok\0"),
        ] {
            assert!(matches!(read(letter, data), Err(Fault::Malformed(_))), "{letter} {data:?}");
        }
        let name = |length: usize| [vec![b'a'; length], b"\0b\0".to_vec()].concat();
        assert!(read(b'h', &name(MILTER_FIELD_NAME_MAX)).is_ok());
        assert!(read(b'h', &name(MILTER_FIELD_NAME_MAX + 1)).is_err());
        let reason = [vec![b'a'; MILTER_REASON_MAX + 1], b"\0".to_vec()].concat();
        assert_eq!(read(b'q', &reason), Ok(Reply::Quarantine("a".repeat(MILTER_REASON_MAX))));
    }

    #[test]
    fn what_was_not_agreed_is_a_fault() {
        for (letter, data) in [
            (b'h', b"a\0b\0".as_slice()),
            (b'i', b"\0\0\0\0a\0b\0"),
            (b'm', b"\0\0\0\x01a\0b\0"),
            (b'b', b"x"),
            (b'+', b"a@b.example\0"),
            (b'2', b"a@b.example\0"),
            (b'-', b"a@b.example\0"),
            (b'e', b"a@b.example\0"),
            (b'q', b"x\0"),
        ] {
            let reply = Reply::parse(Packet { letter, data }, &terms(0, 0));
            assert!(matches!(reply, Err(Fault::NotAgreed(_))), "{letter}");
        }
    }

    #[test]
    fn the_blank_behind_the_colon_is_ours_or_theirs() {
        let packet = Packet { letter: b'h', data: b"A\0b\0" };
        let value = |steps| match Reply::parse(packet, &terms(actions::ALL, steps)).unwrap() {
            Reply::Edit(Edit::Add { value, .. }) => value,
            other => panic!("{other:?}"),
        };
        assert_eq!((value(0), value(steps::LEADING_BLANK)), (b" b".to_vec(), b"b".to_vec()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(letter in any::<u8>(), data in prop::collection::vec(any::<u8>(), 0..60)) {
            let _either = read(letter, &data);
        }
    }
}
