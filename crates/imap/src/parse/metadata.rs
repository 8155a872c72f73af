//! The commands of METADATA (RFC 5464 §4).

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Command, GetMetadata, MetadataEntry};
use mailward_core::MailboxName;
use mailward_core::limits::{METADATA_ENTRIES_MAX, METADATA_NAME_MAX};

/// `GETMETADATA [(options)] mailbox entries`; some clients write the options behind the mailbox, as a draft had it.
pub(super) fn get(lexer: &mut Lexer) -> Lex<Command> {
    let mut asked = GetMetadata { mailbox: None, max_size: None, depth: Some(0), entries: Vec::new() };
    lexer.space()?;
    if options(lexer, &mut asked)? {
        lexer.space()?;
    }
    asked.mailbox = mailbox(lexer)?;
    lexer.space()?;
    if lexer.open()? {
        loop {
            asked.entries.push(entry(lexer)?);
            if asked.entries.len() > METADATA_ENTRIES_MAX {
                return Err(Fault::Bad("too many entries"));
            }
            if lexer.close() {
                break;
            }
            lexer.space()?;
        }
    } else {
        asked.entries.push(entry(lexer)?);
    }
    Ok(Command::GetMetadata(asked))
}

fn options(lexer: &mut Lexer, asked: &mut GetMetadata) -> Lex<bool> {
    if !lexer.open()? {
        return Ok(false);
    }
    loop {
        let word = lexer.word()?;
        lexer.space()?;
        match word.as_str() {
            "MAXSIZE" => asked.max_size = Some(lexer.number64()?),
            "DEPTH" if lexer.eat_word("INFINITY") => asked.depth = None,
            "DEPTH" => match lexer.number()? {
                depth @ (0 | 1) => asked.depth = Some(depth),
                _ => return Err(Fault::Bad("DEPTH is 0, 1 or infinity")),
            },
            _ => return Err(Fault::Bad("no such GETMETADATA option")),
        }
        if lexer.close() {
            return Ok(true);
        }
        lexer.space()?;
    }
}

/// `SETMETADATA mailbox (entry value …)`
pub(super) fn set(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let mailbox = mailbox(lexer)?;
    lexer.space()?;
    if !lexer.open()? {
        return Err(Fault::Bad("SETMETADATA takes a list of entries and values"));
    }
    let mut entries = Vec::new();
    loop {
        let entry = entry(lexer)?;
        if entry.name.is_empty() {
            return Err(Fault::Bad("an entry has a name below /private or /shared"));
        }
        lexer.space()?;
        entries.push((entry, lexer.value()?));
        if entries.len() > METADATA_ENTRIES_MAX {
            return Err(Fault::Bad("too many entries"));
        }
        if lexer.close() {
            return Ok(Command::SetMetadata { mailbox, entries });
        }
        lexer.space()?;
    }
}

/// The empty name is the server.
fn mailbox(lexer: &mut Lexer) -> Lex<Option<MailboxName>> {
    if lexer.eat_text(b"\"\"") { Ok(None) } else { lexer.mailbox().map(Some) }
}

/// RFC 5464 §3.2: `/private/…` or `/shared/…`, no case, no wildcards, no empty level, ASCII.
fn entry(lexer: &mut Lexer) -> Lex<MetadataEntry> {
    let text = lexer.text_string()?.to_ascii_lowercase();
    let (shared, rest) = match (text.strip_prefix("/private"), text.strip_prefix("/shared")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(Fault::Bad("an entry begins with /private or /shared")),
    };
    if rest.is_empty() {
        return Ok(MetadataEntry { shared, name: String::new() });
    }
    let name = rest.strip_prefix('/').ok_or(Fault::Bad("an entry begins with /private or /shared"))?;
    let plain = name.bytes().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'*' | b'%'));
    if !plain || name.split('/').any(str::is_empty) {
        return Err(Fault::Bad("an entry's levels are neither empty nor hold * or %"));
    }
    if name.len() > METADATA_NAME_MAX {
        return Err(Fault::Limit("the entry's name is too long"));
    }
    Ok(MetadataEntry { shared, name: name.to_owned() })
}
