//! Bytes of a whole command to a [`Command`]. No I/O, no recursion, every list and depth bounded; what can't be
//! read without doubt is refused.

mod append;
mod fetch;
mod lexer;
mod list;
mod metadata;
mod notify;
mod rights;
mod search;
mod sort;

use crate::command::{Command, Qresync, SequenceSet, Store, Tagged};
use base64::Engine as _;
use bytes::Bytes;
use lexer::{Lex, Lexer};
use mailward_core::limits::{IMAP_ID_NAME_MAX, IMAP_ID_PAIRS_MAX, IMAP_ID_VALUE_MAX, KEYWORD_LEN_MAX};
use mailward_core::{ModSeq, Secret};
use mailward_store::records::{FlagAction, Flags};

pub use lexer::Fault;
pub(crate) use lexer::is_atom_char;
pub(crate) use rights::{OLD_CREATE, OLD_DELETE};

/// A command that wasn't one, with its tag if it had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What to answer with; `*` stands in if there is none.
    pub tag: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// Reads a whole command as [`crate::frame::Framer`] delivers it: lines and literals, without the last line end.
/// With `utf8`, mailbox names are UTF-8 instead of modified UTF-7.
///
/// # Errors
/// [`ParseError`], with the tag if the command begins with one.
pub fn parse(command: &Bytes, utf8: bool) -> Result<Tagged, ParseError> {
    let mut lexer = Lexer::new(command.clone(), utf8);
    let tag = lexer.tag().map_err(|fault| ParseError { tag: None, fault })?;
    let tagged = |fault| ParseError { tag: Some(tag.clone()), fault };
    let command = command_after_tag(&mut lexer).map_err(tagged)?;
    lexer.end().map_err(tagged)?;
    Ok(Tagged { tag, command })
}

fn command_after_tag(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let verb = lexer.word()?;
    Ok(match verb.as_str() {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "CHECK" => Command::Check,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::StartTls,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "EXPUNGE" => Command::Expunge(None),
        "ID" => id(lexer)?,
        "LOGIN" => login(lexer)?,
        "AUTHENTICATE" => authenticate(lexer)?,
        "ENABLE" => enable(lexer)?,
        "SELECT" => select(lexer, false)?,
        "EXAMINE" => select(lexer, true)?,
        "CREATE" => list::create(lexer)?,
        "DELETE" => Command::Delete(argument(lexer)?),
        "RENAME" => Command::Rename { from: argument(lexer)?, to: argument(lexer)? },
        "SUBSCRIBE" => Command::Subscribe { mailbox: argument(lexer)?, subscribed: true },
        "UNSUBSCRIBE" => Command::Subscribe { mailbox: argument(lexer)?, subscribed: false },
        "LIST" => list::list(lexer)?,
        "LSUB" => list::lsub(lexer)?,
        "STATUS" => list::status(lexer)?,
        "APPEND" => append::append(lexer)?,
        "REPLACE" => append::replace(lexer, false)?,
        "COMPRESS" => compress(lexer)?,
        "UNAUTHENTICATE" => Command::Unauthenticate,
        "NOTIFY" => notify::notify(lexer)?,
        "GETACL" => Command::GetAcl(argument(lexer)?),
        "SETACL" => rights::set_acl(lexer)?,
        "DELETEACL" => rights::delete_acl(lexer)?,
        "LISTRIGHTS" => rights::list_rights(lexer)?,
        "MYRIGHTS" => Command::MyRights(argument(lexer)?),
        "GETMETADATA" => metadata::get(lexer)?,
        "SETMETADATA" => metadata::set(lexer)?,
        "GETQUOTAROOT" => Command::GetQuotaRoot(argument(lexer)?),
        "GETQUOTA" => {
            lexer.space()?;
            Command::GetQuota(lexer.astring()?)
        }
        "SETQUOTA" => set_quota(lexer)?,
        "SEARCH" => search::search(lexer, false)?,
        "SORT" => sort::sort(lexer, false)?,
        "THREAD" => sort::thread(lexer, false)?,
        "FETCH" => fetch::fetch(lexer, false)?,
        "STORE" => store(lexer, false)?,
        "COPY" => copy(lexer, false, false)?,
        "MOVE" => copy(lexer, false, true)?,
        "UID" => uid(lexer)?,
        _ => return Err(Fault::Bad("no such command")),
    })
}

fn uid(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    match lexer.word()?.as_str() {
        "SEARCH" => search::search(lexer, true),
        "SORT" => sort::sort(lexer, true),
        "THREAD" => sort::thread(lexer, true),
        "FETCH" => fetch::fetch(lexer, true),
        "STORE" => store(lexer, true),
        "COPY" => copy(lexer, true, false),
        "MOVE" => copy(lexer, true, true),
        "EXPUNGE" => Ok(Command::Expunge(Some(set(lexer)?))),
        "REPLACE" => append::replace(lexer, true),
        _ => Err(Fault::Bad("no such UID command")),
    }
}

fn argument(lexer: &mut Lexer) -> Lex<mailward_core::MailboxName> {
    lexer.space()?;
    lexer.mailbox()
}

fn set(lexer: &mut Lexer) -> Lex<SequenceSet> {
    lexer.space()?;
    lexer.sequence_set()
}

fn login(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let user = lexer.astring()?;
    lexer.space()?;
    let password = Secret::new(lexer.astring()?);
    Ok(Command::Login { user, password })
}

/// RFC 3501 §6.2.2 with the initial response of RFC 4959.
fn authenticate(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let mechanism = lexer.atom()?.to_ascii_uppercase();
    let initial = if lexer.eat(b' ') {
        let base64 = lexer.astring()?;
        let response = if base64.as_ref() == b"=" { Some(Secret::new(Vec::new())) } else { sasl_response(&base64) };
        Some(response.ok_or(Fault::Bad("the initial response isn't base64"))?)
    } else {
        None
    };
    Ok(Command::Authenticate { mechanism, initial })
}

/// Decodes a line of a SASL exchange, strictly; `None` if it isn't base64.
#[must_use]
pub fn sasl_response(base64: &[u8]) -> Option<Secret> {
    base64::engine::general_purpose::STANDARD.decode(base64).ok().map(Secret::new)
}

/// RFC 2971 §3.3. What is longer than it should be is cut: it is for people to read, and nothing depends on it.
fn id(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let mut pairs = Vec::new();
    if lexer.eat_word("NIL") {
        return Ok(Command::Id(pairs));
    }
    if !lexer.open()? {
        return Err(Fault::Bad("ID takes NIL or a list"));
    }
    if lexer.close() {
        return Ok(Command::Id(pairs));
    }
    while pairs.len() < IMAP_ID_PAIRS_MAX {
        let name = cut(&lexer.string()?, IMAP_ID_NAME_MAX);
        lexer.space()?;
        let value = if lexer.eat_word("NIL") { None } else { Some(cut(&lexer.string()?, IMAP_ID_VALUE_MAX)) };
        pairs.push((name, value));
        if lexer.close() {
            return Ok(Command::Id(pairs));
        }
        lexer.space()?;
    }
    Err(Fault::Bad("ID takes at most 30 pairs"))
}

/// The first bytes as text; what isn't UTF-8 shows as such.
fn cut(bytes: &Bytes, most: usize) -> String {
    String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes)).into_owned()
}

/// RFC 5161.
fn enable(lexer: &mut Lexer) -> Lex<Command> {
    const NAMES_MAX: usize = 100;
    let mut names = Vec::new();
    while lexer.eat(b' ') {
        names.push(lexer.atom()?.to_ascii_uppercase());
        if names.len() > NAMES_MAX {
            return Err(Fault::Bad("too many names"));
        }
    }
    if names.is_empty() { Err(Fault::Bad("ENABLE takes names of extensions")) } else { Ok(Command::Enable(names)) }
}

/// RFC 3501 §6.3.1 with RFC 7162 §3.1.8 and §3.2.5, and RFC 4466's form of parameters.
fn select(lexer: &mut Lexer, read_only: bool) -> Lex<Command> {
    let mailbox = argument(lexer)?;
    let (mut condstore, mut qresync) = (false, None);
    if lexer.eat(b' ') {
        if !lexer.open()? {
            return Err(Fault::Bad("SELECT takes a mailbox and a list of parameters"));
        }
        loop {
            match lexer.word()?.as_str() {
                "CONDSTORE" => condstore = true,
                "QRESYNC" if qresync.is_none() => {
                    lexer.space()?;
                    qresync = Some(resync(lexer)?);
                }
                _ => return Err(Fault::Bad("no such SELECT parameter")),
            }
            if lexer.close() {
                break;
            }
            lexer.space()?;
        }
    }
    Ok(Command::Select { mailbox, read_only, condstore, qresync })
}

/// `(67890007 20050715194045000 41,43:211 (1,3 41,43))`. The pairs of numbers and UIDs help a server that forgets what
/// was expunged; ours doesn't, so they are read and not needed.
fn resync(lexer: &mut Lexer) -> Lex<Qresync> {
    const SHAPE: Fault = Fault::Bad("QRESYNC takes (uidvalidity modseq [uids [(numbers uids)]])");
    if !lexer.open()? {
        return Err(SHAPE);
    }
    let uid_validity = lexer.positive()?;
    lexer.space()?;
    let mod_seq = ModSeq(lexer.number64()?);
    let mut known = None;
    if lexer.eat(b' ') {
        if lexer.peek() != Some(b'(') {
            known = Some(numbers(lexer)?);
        }
        if known.is_none() || lexer.eat(b' ') {
            if !lexer.open()? {
                return Err(SHAPE);
            }
            numbers(lexer)?;
            lexer.space()?;
            numbers(lexer)?;
            if !lexer.close() {
                return Err(SHAPE);
            }
        }
    }
    if !lexer.close() {
        return Err(SHAPE);
    }
    Ok(Qresync { uid_validity, mod_seq, known })
}

/// A set of numbers only (RFC 7162 §7, `known-uids`): neither `*` nor `$`.
fn numbers(lexer: &mut Lexer) -> Lex<SequenceSet> {
    use crate::command::SetNumber::Number;
    let set = lexer.sequence_set()?;
    let plain = set.0.iter().all(|pair| matches!(pair, (Number(_), Number(_))));
    if plain { Ok(set) } else { Err(Fault::Bad("the set holds numbers only")) }
}

/// RFC 4978 §3.
fn compress(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    if lexer.eat_word("DEFLATE") { Ok(Command::Compress) } else { Err(Fault::Bad("COMPRESS takes DEFLATE")) }
}

fn set_quota(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    lexer.astring()?;
    lexer.space()?;
    if !lexer.open()? {
        return Err(Fault::Bad("SETQUOTA takes a root and a list"));
    }
    while !lexer.close() {
        lexer.atom()?;
        lexer.space()?;
        lexer.number64()?;
        lexer.eat(b' ');
    }
    Ok(Command::SetQuota)
}

fn copy(lexer: &mut Lexer, uid: bool, remove: bool) -> Lex<Command> {
    let set = set(lexer)?;
    let mailbox = argument(lexer)?;
    Ok(Command::Copy { uid, set, mailbox, remove })
}

fn store(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    let set = set(lexer)?;
    lexer.space()?;
    let mut unchanged_since = None;
    if lexer.open()? {
        if !lexer.eat_word("UNCHANGEDSINCE") {
            return Err(Fault::Bad("no such STORE modifier"));
        }
        lexer.space()?;
        unchanged_since = Some(ModSeq(lexer.number64()?));
        if !lexer.close() {
            return Err(Fault::Bad("a parenthesis is missing"));
        }
        lexer.space()?;
    }
    let action = if lexer.eat(b'+') {
        FlagAction::Add
    } else if lexer.eat(b'-') {
        FlagAction::Remove
    } else {
        FlagAction::Replace
    };
    let silent = match lexer.word()?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Fault::Bad("STORE changes FLAGS")),
    };
    lexer.space()?;
    let (flags, keywords) = if lexer.peek() == Some(b'(') {
        flag_list(lexer)?
    } else {
        let mut both = (Flags::NONE, Vec::new());
        loop {
            flag(lexer, &mut both)?;
            if !lexer.eat(b' ') {
                break both;
            }
        }
    };
    Ok(Command::Store(Store { uid, set, action, silent, flags, keywords, unchanged_since }))
}

/// `(\Seen $Junk)`
fn flag_list(lexer: &mut Lexer) -> Lex<(Flags, Vec<String>)> {
    let mut both = (Flags::NONE, Vec::new());
    if !lexer.open()? {
        return Err(Fault::Bad("a list of flags is missing"));
    }
    if lexer.close() {
        return Ok(both);
    }
    loop {
        flag(lexer, &mut both)?;
        if lexer.close() {
            return Ok(both);
        }
        lexer.space()?;
    }
}

fn flag(lexer: &mut Lexer, (flags, keywords): &mut (Flags, Vec<String>)) -> Lex<()> {
    if lexer.eat(b'\\') {
        let name = lexer.atom()?;
        match Flags::ALL.iter().find(|(_, known)| known.trim_start_matches('\\').eq_ignore_ascii_case(&name)) {
            Some((known, _)) => *flags = flags.union(*known),
            // Only the server sets it; clients that copy flags send it all the same.
            None if name.eq_ignore_ascii_case("Recent") => {}
            None => return Err(Fault::Bad("no such system flag")),
        }
        return Ok(());
    }
    let keyword = keyword(lexer)?;
    if !keywords.iter().any(|known: &String| known.eq_ignore_ascii_case(&keyword)) {
        if keywords.len() >= mailward_core::limits::KEYWORDS_MAX {
            return Err(Fault::Limit("a mailbox holds no more keywords"));
        }
        keywords.push(keyword);
    }
    Ok(())
}

fn keyword(lexer: &mut Lexer) -> Lex<String> {
    let keyword = lexer.atom()?;
    if keyword.len() > KEYWORD_LEN_MAX { Err(Fault::Limit("the keyword is too long")) } else { Ok(keyword) }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
mod tests;
