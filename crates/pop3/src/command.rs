//! One command line, read into a value (RFC 1939 §3, RFC 2449 §4, RFC 5034 §4, RFC 6856).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::Secret;

/// A command as it was asked for; nothing in it is checked against a mailbox yet.
#[derive(Clone, Debug)]
pub enum Command {
    /// What the server can do (RFC 2449 §5).
    Capa,
    /// Start TLS (RFC 2595 §4).
    Stls,
    /// Who logs in; text without control characters.
    User(String),
    /// The password: every byte after the one space, spaces too (RFC 1939 §7).
    Pass(Secret),
    /// SASL (RFC 5034 §4); `initial` is decoded, and `=` is an empty one.
    Auth {
        /// Mechanism in capitals.
        mechanism: String,
        /// Initial response, decoded.
        initial: Option<Secret>,
    },
    /// From now on messages go out as they are (RFC 6856 §2.1).
    Utf8,
    /// The languages of replies, or the choice of one (RFC 6856 §3): a language range in lower case, or `*`.
    Lang(Option<String>),
    /// Messages and octets.
    Stat,
    /// Sizes, of all or of one.
    List(Option<u32>),
    /// Unique ids, of all or of one.
    Uidl(Option<u32>),
    /// A whole message.
    Retr(u32),
    /// The header and this many lines of the body.
    Top(u32, u64),
    /// Mark to be deleted at QUIT.
    Dele(u32),
    /// Take the marks off.
    Rset,
    /// Nothing.
    Noop,
    /// The end; in a maildrop, with the deletions.
    Quit,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No word that we know.
    Unknown,
    /// The word is known, what follows isn't as it should be; the text says how it is written.
    Usage(&'static str),
    /// A browser, or somebody who steers one (attacks B8): no reply, the session ends.
    Http,
}

/// Reads one line without its CRLF. Whose bytes: anybody's. The caller holds it to
/// [`mailward_core::limits::POP3_LINE_MAX`]; time is linear in its length.
///
/// # Errors
/// [`CommandError`] says what is wrong.
pub fn parse(line: &[u8]) -> Result<Command, CommandError> {
    let (verb, rest) = match memchr::memchr(b' ', line).and_then(|at| line.split_at_checked(at)) {
        Some((verb, rest)) => (verb, Some(rest.get(1..).unwrap_or_default())),
        None => (line, None),
    };
    if is_http(verb) {
        return Err(CommandError::Http);
    }
    // The longest verb has four letters.
    let mut upper = [0u8; 4];
    let upper = match upper.get_mut(..verb.len()) {
        Some(upper) => {
            upper.copy_from_slice(verb);
            upper.make_ascii_uppercase();
            &*upper
        }
        None => return Err(CommandError::Unknown),
    };
    match upper {
        b"CAPA" => alone(rest, Command::Capa, "CAPA"),
        b"STLS" => alone(rest, Command::Stls, "STLS"),
        b"STAT" => alone(rest, Command::Stat, "STAT"),
        b"RSET" => alone(rest, Command::Rset, "RSET"),
        b"NOOP" => alone(rest, Command::Noop, "NOOP"),
        b"QUIT" => alone(rest, Command::Quit, "QUIT"),
        b"UTF8" => alone(rest, Command::Utf8, "UTF8"),
        b"LANG" => lang(rest).ok_or(CommandError::Usage("LANG [language]")),
        b"USER" => user(rest),
        b"PASS" => match rest {
            Some(secret) if !secret.contains(&0) => Ok(Command::Pass(Secret::new(secret))),
            _ => Err(CommandError::Usage("PASS password")),
        },
        b"AUTH" => auth(rest),
        b"LIST" => one_or_all(rest).map(Command::List).ok_or(CommandError::Usage("LIST [number]")),
        b"UIDL" => one_or_all(rest).map(Command::Uidl).ok_or(CommandError::Usage("UIDL [number]")),
        b"RETR" => one(rest).map(Command::Retr).ok_or(CommandError::Usage("RETR number")),
        b"DELE" => one(rest).map(Command::Dele).ok_or(CommandError::Usage("DELE number")),
        b"TOP" => top(rest).ok_or(CommandError::Usage("TOP number lines")),
        _ => Err(CommandError::Unknown),
    }
}

/// Decodes a line of a SASL exchange: base64, `*` gives the exchange up (RFC 5034 §4).
///
/// # Errors
/// Not base64.
pub fn sasl_response(line: &[u8]) -> Result<Option<Secret>, CommandError> {
    if line == b"*" {
        return Ok(None);
    }
    decode(line).map(Some)
}

fn decode(text: &[u8]) -> Result<Secret, CommandError> {
    STANDARD.decode(text).map(Secret::new).map_err(|_| CommandError::Usage("a response in base64, or * to give up"))
}

fn is_http(verb: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"PATCH", b"TRACE"];
    METHODS.contains(&verb)
}

/// Some clients put a space behind a command that takes nothing.
fn alone(rest: Option<&[u8]>, command: Command, usage: &'static str) -> Result<Command, CommandError> {
    match rest {
        None => Ok(command),
        Some(rest) if rest.iter().all(|b| *b == b' ') => Ok(command),
        Some(_) => Err(CommandError::Usage(usage)),
    }
}

fn user(rest: Option<&[u8]>) -> Result<Command, CommandError> {
    let name = rest.and_then(|rest| std::str::from_utf8(rest).ok()).map(str::trim);
    match name {
        Some(name) if !name.is_empty() && !name.chars().any(char::is_control) => Ok(Command::User(name.to_owned())),
        _ => Err(CommandError::Usage("USER name")),
    }
}

fn auth(rest: Option<&[u8]>) -> Result<Command, CommandError> {
    const USAGE: CommandError = CommandError::Usage("AUTH mechanism [response in base64]");
    let mut words = words(rest);
    let mechanism = words.next().ok_or(USAGE)?;
    let initial = words.next();
    // RFC 4422 §3.1: 1 to 20 capitals, digits, hyphens and underscores.
    let named =
        mechanism.len() <= 20 && mechanism.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !named || words.next().is_some() {
        return Err(USAGE);
    }
    let mechanism = mechanism.iter().map(|b| char::from(b.to_ascii_uppercase())).collect();
    let initial = match initial {
        None => None,
        Some(b"=") => Some(Secret::new(Vec::new())),
        Some(text) => Some(decode(text).map_err(|_| USAGE)?),
    };
    Ok(Command::Auth { mechanism, initial })
}

/// A basic language range (RFC 4647 §2.1).
fn lang(rest: Option<&[u8]>) -> Option<Command> {
    let mut words = words(rest);
    let Some(range) = words.next() else { return Some(Command::Lang(None)) };
    let mut subtags = range.split(|b| *b == b'-');
    let primary =
        subtags.next().is_some_and(|tag| (1..=8).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphabetic));
    let others = subtags.all(|tag| (1..=8).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric));
    if words.next().is_some() || !((primary && others) || range == b"*") {
        return None;
    }
    Some(Command::Lang(Some(range.iter().map(|b| char::from(b.to_ascii_lowercase())).collect())))
}

fn words(rest: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    rest.unwrap_or_default().split(|b| *b == b' ').filter(|word| !word.is_empty())
}

fn one_or_all(rest: Option<&[u8]>) -> Option<Option<u32>> {
    match words(rest).next() {
        None => Some(None),
        Some(_) => one(rest).map(Some),
    }
}

fn one(rest: Option<&[u8]>) -> Option<u32> {
    let mut words = words(rest);
    let number = number(words.next()?)?;
    // A number beyond what we count in is a message that isn't there, not an error of grammar.
    words.next().is_none().then(|| u32::try_from(number).unwrap_or(u32::MAX))
}

fn top(rest: Option<&[u8]>) -> Option<Command> {
    let mut words = words(rest);
    let message = number(words.next()?)?;
    let lines = number(words.next()?)?;
    words.next().is_none().then(|| Command::Top(u32::try_from(message).unwrap_or(u32::MAX), lines))
}

/// Digits only; stops growing at the top instead of turning over.
fn number(word: &[u8]) -> Option<u64> {
    word.iter().try_fold(0u64, |sum, b| {
        b.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u64::from(b.saturating_sub(b'0'))))
    })
}

#[cfg(test)]
mod tests;
