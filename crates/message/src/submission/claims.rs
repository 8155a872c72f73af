//! Who a message claims to be from.

use crate::address_list::{Member, Seen, Stop, members};
use crate::bytes::{is_blank, sub, without_end};
use crate::decode::header_text;
use crate::envelope::EnvelopeAddress;
use crate::header::{Field, fields, header_end};
use mailward_core::limits::{ENVELOPE_STRING_MAX, SUBMISSION_CLAIMS_MAX};
use mailward_core::{Address, AddressError};
use memchr::memmem;

/// An address that a reader of the message will take for its author or sender. Whoever submits it must be allowed to
/// use each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The field it stands in.
    pub field: ClaimField,
    /// Where in the field.
    pub place: ClaimPlace,
    /// The address.
    pub address: Address,
}

/// Fields that say who a message is from (RFC 5322 §3.6.2, §3.6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimField {
    /// Who wrote it.
    From,
    /// Who sent it.
    Sender,
    /// Who sent it again.
    ResentFrom,
    /// Who sent it again for them.
    ResentSender,
}

/// Where an address is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimPlace {
    /// It is the field's address.
    Address,
    /// It is shown as the name before the address: many readers show nothing else.
    Name,
}

impl ClaimField {
    fn of(field: &Field<'_>) -> Option<Self> {
        [Self::From, Self::Sender, Self::ResentFrom, Self::ResentSender].into_iter().find(|f| field.is(f.name()))
    }

    /// As a header writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::From => "From",
            Self::Sender => "Sender",
            Self::ResentFrom => "Resent-From",
            Self::ResentSender => "Resent-Sender",
        }
    }

    /// Whether it holds one address (RFC 5322 §3.6.2).
    const fn is_single(self) -> bool {
        matches!(self, Self::Sender | Self::ResentSender)
    }
}

impl std::fmt::Display for ClaimField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why nobody can say for sure who a message claims to be from. It is refused: 550 5.6.0 with these words (attacks D1).
/// They hold nothing of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// RFC 5322 §3.6 demands one.
    #[error("the message has no From field: it must say who it is from")]
    NoFrom,
    /// RFC 5322 §3.6 allows one.
    #[error("the message has more than one {0} field: leave one")]
    Repeated(ClaimField),
    /// RFC 5322 §3.6.2 demands `Sender` then.
    #[error("the From field has several addresses and there is no Sender field: add the one who sends")]
    NoSender,
    /// More than one, of a message that doesn't come from one of ours.
    #[error("the From field has several addresses: write the one who wrote it")]
    Several,
    /// A NUL, a CR or LF that isn't a line end, in the header.
    #[error("the header has a NUL, or a CR or LF alone: lines end with CRLF")]
    LineEnd,
    /// What some readers take for a field or for the header's end, and others don't.
    #[error(
        "line {0} of the header is not a header field: a field is a name of printable ASCII, a colon right behind it \
         and a value; an empty line ends the header"
    )]
    Line(usize),
    /// Bytes that aren't UTF-8, or control characters.
    #[error("the {0} field has control characters or bytes that are not UTF-8: encode names by RFC 2047")]
    Characters(ClaimField),
    /// Nothing, or nothing between two commas.
    #[error("the {0} field lacks an address: write Name <local@domain>")]
    Empty(ClaimField),
    /// `Group: a@b;`
    #[error("the {0} field has a group: write the address itself")]
    Group(ClaimField),
    /// Something that mail programs read in different ways.
    #[error("the {0} field can be read in more than one way: write Name <local@domain>, and nothing behind it")]
    Ambiguous(ClaimField),
    /// Not an address.
    #[error("the {0} field has something that is no address: {1}")]
    Address(ClaimField, AddressError),
    /// An address is there to be decoded, which no address is (RFC 2047 §5).
    #[error("the {0} field has an encoded word where an address must be: write it plainly")]
    Encoded(ClaimField),
    /// The name looks like an address, and can't be read as one.
    #[error("the name in the {0} field looks like an address: write a name without @")]
    Name(ClaimField),
    /// See `limits::ENVELOPE_STRING_MAX`: what is behind isn't shown, nor looked at.
    #[error("the name in the {0} field is too long")]
    LongName(ClaimField),
    /// See `limits::SUBMISSION_CLAIMS_MAX`.
    #[error("the message claims to be from more than {SUBMISSION_CLAIMS_MAX} addresses")]
    TooMany,
}

/// Everybody a message claims to be from, in the order of its header: the addresses of its one `From`, of `Sender`, of
/// each `Resent-From` and `Resent-Sender`, and addresses that are shown as a name. At least one is of `From`, at most
/// `limits::SUBMISSION_CLAIMS_MAX` are told.
///
/// The message is whole, starts with its header, and is within the limits of [`crate::accept::check`]. It must be in
/// the form in which it is sent: ask after [`crate::submission::mend`].
///
/// # Errors
/// If anything in the way of the answer allows a second reading.
pub fn claims(message: &[u8]) -> Result<Vec<Claim>, ClaimFault> {
    let header = sub(message, 0..header_end(message));
    line_ends(header)?;
    let mut claims = Claims::default();
    let (mut from, mut sender) = (0_usize, 0_usize);
    let mut line = 1_usize;
    for field in fields(header) {
        let whole = sub(header, field.whole.clone());
        well_formed(&field, whole).map_err(|offset| ClaimFault::Line(line.saturating_add(offset)))?;
        line = line.saturating_add(memchr::memchr_iter(b'\n', whole).count());
        let Some(kind) = ClaimField::of(&field) else { continue };
        match kind {
            ClaimField::From => from = from.saturating_add(1),
            ClaimField::Sender => sender = sender.saturating_add(1),
            ClaimField::ResentFrom | ClaimField::ResentSender => {}
        }
        if from > 1 || sender > 1 {
            return Err(ClaimFault::Repeated(kind));
        }
        claims.read(kind, field.value)?;
    }
    if from == 0 {
        return Err(ClaimFault::NoFrom);
    }
    let authors = claims.list.iter().filter(|c| c.field == ClaimField::From && c.place == ClaimPlace::Address).count();
    if authors > 1 && sender == 0 {
        return Err(ClaimFault::NoSender);
    }
    Ok(claims.list)
}

/// Refuses what ends a line for some readers only, or a whole text.
fn line_ends(header: &[u8]) -> Result<(), ClaimFault> {
    let mut before = 0_u8;
    for (at, byte) in header.iter().copied().enumerate() {
        let alone = match byte {
            b'\r' => header.get(at.saturating_add(1)) != Some(&b'\n'),
            b'\n' => before != b'\r',
            _ => byte == 0,
        };
        if alone {
            return Err(ClaimFault::LineEnd);
        }
        before = byte;
    }
    Ok(())
}

/// Whether every reader finds the same field here; else which of its lines isn't one.
fn well_formed(field: &Field<'_>, whole: &[u8]) -> Result<(), usize> {
    let name = sub(whole, 0..field.name.len());
    let printable = !name.is_empty() && name.iter().all(|b| (b'!'..=b'~').contains(b));
    if !printable || whole.get(name.len()) != Some(&b':') {
        return Err(0);
    }
    // A line of blanks within a field ends the header for some.
    for (at, line) in whole.split_inclusive(|b| *b == b'\n').enumerate().skip(1) {
        if without_end(line).iter().copied().all(is_blank) {
            return Err(at);
        }
    }
    Ok(())
}

#[derive(Default)]
struct Claims {
    list: Vec<Claim>,
}

impl Claims {
    /// Takes the addresses of one field.
    fn read(&mut self, field: ClaimField, value: &[u8]) -> Result<(), ClaimFault> {
        let control = |b: &u8| (*b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n')) || *b == 0x7f;
        if std::str::from_utf8(value).is_err() || value.iter().any(control) {
            return Err(ClaimFault::Characters(field));
        }
        let mut found = 0_usize;
        for member in members(value) {
            self.member(field, value, member)?;
            found = found.saturating_add(1);
        }
        match found {
            0 => Err(ClaimFault::Empty(field)),
            1 => Ok(()),
            _ if field.is_single() => Err(ClaimFault::Ambiguous(field)),
            _ => Ok(()),
        }
    }

    fn member(&mut self, field: ClaimField, value: &[u8], member: Member) -> Result<(), ClaimFault> {
        alone(field, &member)?;
        if member.seen.doubt {
            return Err(ClaimFault::Ambiguous(field));
        }
        let (address, read) = written_there(field, value, member)?;
        self.push(Claim { field, place: ClaimPlace::Address, address })?;
        let name = read.name.unwrap_or_default();
        // One that was cut is as long, or shorter by less than a character.
        if name.len().saturating_add(4) > ENVELOPE_STRING_MAX {
            return Err(ClaimFault::LongName(field));
        }
        for shown in shown_addresses(&header_text(name.as_bytes())) {
            let address = Address::parse(&shown, true).map_err(|_| ClaimFault::Name(field))?;
            self.push(Claim { field, place: ClaimPlace::Name, address })?;
        }
        Ok(())
    }

    /// Adds a claim that isn't known.
    fn push(&mut self, claim: Claim) -> Result<(), ClaimFault> {
        if self.list.contains(&claim) {
            return Ok(());
        }
        if self.list.len() >= SUBMISSION_CLAIMS_MAX {
            return Err(ClaimFault::TooMany);
        }
        self.list.push(claim);
        Ok(())
    }
}

/// Refuses members of groups.
fn alone(field: ClaimField, member: &Member) -> Result<(), ClaimFault> {
    if member.grouped || member.end == Stop::GroupStart { Err(ClaimFault::Group(field)) } else { Ok(()) }
}

/// The address of a member, and how it is shown.
fn written_there(field: ClaimField, value: &[u8], member: Member) -> Result<(Address, EnvelopeAddress), ClaimFault> {
    let Some(read) = member.address else { return Err(ClaimFault::Empty(field)) };
    let text = sub(value, member.seen.start..member.seen.end);
    if text.is_empty() {
        return Err(ClaimFault::Empty(field));
    }
    if memmem::find(text, b"=?").is_some() {
        return Err(ClaimFault::Encoded(field));
    }
    let text = std::str::from_utf8(text).map_err(|_| ClaimFault::Characters(field))?;
    let address = Address::parse(text, true).map_err(|e| ClaimFault::Address(field, e))?;
    // What is shown by IMAP and searched is what is judged here (one parser).
    if read.mailbox.as_deref() != Some(address.local().as_str()) {
        return Err(ClaimFault::Ambiguous(field));
    }
    Ok((address, read))
}

/// Who a message of a stranger is from: the one address of its one `From` (attacks D1). `header` is what stands before the
/// body. Other fields aren't looked at, and names may be anything: that is for those who judge what people see. What other
/// readers could take for another author is refused, in `claims`' words.
///
/// # Errors
/// If there isn't one, or another reader could find another.
pub fn author(header: &[u8]) -> Result<Address, ClaimFault> {
    let from = ClaimField::From;
    let mut found = None;
    for field in fields(header).filter(|field| looks_like_from(field.name)) {
        let whole = sub(header, field.whole.clone());
        // `From :`, and names with what isn't seen in them, are a field to some.
        if !field.is("from") || well_formed(&field, whole).is_err() {
            return Err(ClaimFault::Ambiguous(from));
        }
        if found.replace(field).is_some() {
            return Err(ClaimFault::Repeated(from));
        }
    }
    let value = found.ok_or(ClaimFault::NoFrom)?.value;
    line_ends(value)?;
    if value.iter().any(|b| (*b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n')) || *b == 0x7f) {
        return Err(ClaimFault::Characters(from));
    }
    let mut members = members(value);
    let member = members.next().ok_or(ClaimFault::Empty(from))?;
    alone(from, &member)?;
    // Names with brackets and the like are written by many a program, and hide nothing where there is only one address to find.
    if member.seen.doubt && !is_plain(value, member.seen) {
        return Err(ClaimFault::Ambiguous(from));
    }
    let (address, _) = written_there(from, value, member)?;
    if members.next().is_some() { Err(ClaimFault::Several) } else { Ok(address) }
}

/// Whether a field's name is `From`, or is to whoever doesn't look at blanks, control characters and what isn't ASCII.
fn looks_like_from(name: &[u8]) -> bool {
    let mut letters = name.iter().filter(|b| b.is_ascii_graphic()).map(u8::to_ascii_lowercase);
    name.len() <= LOOK_ALIKE_MAX
        && b"from".iter().all(|wanted| letters.next() == Some(*wanted))
        && letters.next().is_none()
}

/// Longest name that is looked at for being `From` in disguise, bytes.
const LOOK_ALIKE_MAX: usize = 80;

/// Whether nobody can find another address in a value: it has one `@`, and one pair of angle brackets right around that.
fn is_plain(value: &[u8], seen: Seen) -> bool {
    let once = |wanted: u8| memchr::memchr_iter(wanted, value).count() == 1;
    let before = seen.start.checked_sub(1).and_then(|at| value.get(at));
    once(b'@') && once(b'<') && once(b'>') && before == Some(&b'<') && value.get(seen.end) == Some(&b'>')
}

/// What a person would take for an address in a name, decoded: something on both sides of an `@`, or of what looks like
/// one. With blanks around it, only if a dot is in what follows: "Max @ Work" is a name.
fn shown_addresses(name: &str) -> Vec<String> {
    let name: Vec<char> = name.chars().filter(|c| !unseen(*c)).collect();
    let mut shown = Vec::new();
    for (at, _) in name.iter().enumerate().filter(|(_, c)| is_at_sign(**c)) {
        let before = name.get(..at).unwrap_or_default();
        let after = name.get(at.saturating_add(1)..).unwrap_or_default();
        let spaced = [before.last(), after.first()].into_iter().flatten().any(|c| c.is_whitespace());
        let left: Vec<char> =
            before.iter().rev().skip_while(|c| c.is_whitespace()).take_while(|c| is_part(**c)).copied().collect();
        let right: String = after.iter().skip_while(|c| c.is_whitespace()).take_while(|c| is_part(**c)).collect();
        let right = right.trim_end_matches('.');
        if left.is_empty() || right.is_empty() || (spaced && !right.contains('.')) {
            continue;
        }
        let address = format!("{}@{right}", left.iter().rev().collect::<String>());
        if !shown.contains(&address) {
            shown.push(address);
        }
        // More are refused, whatever they are.
        if shown.len() > SUBMISSION_CLAIMS_MAX {
            break;
        }
    }
    shown
}

/// `@`, and what is shown like it.
const fn is_at_sign(c: char) -> bool {
    matches!(c, '@' | '\u{ff20}' | '\u{fe6b}')
}

/// What isn't seen: it can't make two addresses of one.
const fn unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What may be part of an address as a person sees it.
fn is_part(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !is_at_sign(c) && !"<>()[]{}\"',;:|/\\".contains(c)
}
