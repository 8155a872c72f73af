//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{BodySection, Command, Fetch, FetchItem, Partial, SectionText};
use mailward_core::ModSeq;
use mailward_core::limits::{IMAP_FETCH_ITEMS_MAX, IMAP_SECTION_DEPTH_MAX};

pub(super) fn fetch(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    let set = super::set(lexer)?;
    lexer.space()?;
    let items = if lexer.peek() == Some(b'(') {
        items(lexer)?
    } else {
        let mut items = Vec::new();
        item(lexer, &mut items, true)?;
        items
    };
    let mut fetch = Fetch { uid, set, items, changed_since: None, vanished: false, partial: None };
    if lexer.eat(b' ') {
        modifiers(lexer, &mut fetch)?;
    }
    Ok(Command::Fetch(fetch))
}

/// `(CHANGEDSINCE 12345 VANISHED PARTIAL 1:50)` (RFC 7162 §3.2.6, RFC 9394 §3.3)
fn modifiers(lexer: &mut Lexer, fetch: &mut Fetch) -> Lex<()> {
    if !lexer.open()? {
        return Err(Fault::Bad("no such FETCH modifier"));
    }
    loop {
        match lexer.word()?.as_str() {
            "CHANGEDSINCE" => {
                lexer.space()?;
                fetch.changed_since = Some(ModSeq(lexer.number64()?));
            }
            "VANISHED" if fetch.uid => fetch.vanished = true,
            "PARTIAL" if fetch.uid => {
                lexer.space()?;
                fetch.partial = Some(partial(lexer)?);
            }
            _ => return Err(Fault::Bad("no such FETCH modifier")),
        }
        if lexer.close() {
            break;
        }
        lexer.space()?;
    }
    if fetch.vanished && fetch.changed_since.is_none() {
        return Err(Fault::Bad("VANISHED needs CHANGEDSINCE"));
    }
    Ok(())
}

/// `1:100`, `-1:-100` (RFC 9394 §4)
pub(super) fn partial(lexer: &mut Lexer) -> Lex<Partial> {
    let from_end = lexer.eat(b'-');
    let first = lexer.positive()?;
    lexer.expect(b':', "a window is first:last")?;
    if lexer.eat(b'-') != from_end {
        return Err(Fault::Bad("a window counts from one end"));
    }
    let last = lexer.positive()?;
    Ok(Partial { first: first.min(last), last: first.max(last), from_end })
}

/// `(FLAGS UID)`
pub(super) fn items(lexer: &mut Lexer) -> Lex<Vec<FetchItem>> {
    let mut items = Vec::new();
    if !lexer.open()? {
        return Err(Fault::Bad("a list of FETCH items is missing"));
    }
    loop {
        item(lexer, &mut items, false)?;
        if items.len() > IMAP_FETCH_ITEMS_MAX {
            return Err(Fault::Bad("too many items"));
        }
        if lexer.close() {
            return Ok(items);
        }
        lexer.space()?;
    }
}

fn item(lexer: &mut Lexer, items: &mut Vec<FetchItem>, alone: bool) -> Lex<()> {
    use FetchItem as I;
    const FAST: [I; 3] = [I::Flags, I::InternalDate, I::Rfc822Size];
    let word = lexer.word()?;
    match word.as_str() {
        "FAST" if alone => items.extend(FAST),
        "ALL" if alone => items.extend(FAST.into_iter().chain([I::Envelope])),
        "FULL" if alone => items.extend(FAST.into_iter().chain([I::Envelope, I::Body])),
        "FLAGS" => items.push(I::Flags),
        "UID" => items.push(I::Uid),
        "INTERNALDATE" => items.push(I::InternalDate),
        "RFC822.SIZE" => items.push(I::Rfc822Size),
        "MODSEQ" => items.push(I::ModSeq),
        "ENVELOPE" => items.push(I::Envelope),
        "BODYSTRUCTURE" => items.push(I::BodyStructure),
        "RFC822" => items.push(I::Rfc822),
        "RFC822.HEADER" => items.push(I::Rfc822Header),
        "RFC822.TEXT" => items.push(I::Rfc822Text),
        "BODY" if lexer.peek() == Some(b'[') => items.push(I::Section(section(lexer, false)?)),
        "BODY" => items.push(I::Body),
        "BODY.PEEK" => items.push(I::Section(section(lexer, true)?)),
        "BINARY" => items.push(I::Binary(binary(lexer, false)?)),
        "BINARY.PEEK" => items.push(I::Binary(binary(lexer, true)?)),
        "BINARY.SIZE" => {
            let section = binary(lexer, true)?;
            if section.partial.is_some() {
                return Err(Fault::Bad("BINARY.SIZE is of whole parts"));
            }
            items.push(I::BinarySize(section.path));
        }
        "EMAILID" => items.push(I::EmailId),
        "THREADID" => items.push(I::ThreadId),
        "SAVEDATE" => items.push(I::SaveDate),
        "PREVIEW" => {
            // RFC 8970 §3.2: `(LAZY)` leaves it to the server.
            if lexer.peek_after_space() == Some(b'(') {
                lexer.space()?;
                let lazy = lexer.open()? && lexer.eat_word("LAZY") && lexer.close();
                if !lazy {
                    return Err(Fault::Bad("PREVIEW takes (LAZY) or nothing"));
                }
            }
            items.push(I::Preview);
        }
        _ => return Err(Fault::Bad("no such FETCH item")),
    }
    Ok(())
}

/// `[1.2.HEADER.FIELDS (A B)]<0.100>`
fn section(lexer: &mut Lexer, peek: bool) -> Lex<BodySection> {
    lexer.expect(b'[', "a section is missing")?;
    let mut path = Vec::new();
    let mut text = SectionText::All;
    if lexer.peek() != Some(b']') {
        loop {
            if lexer.peek().is_some_and(|b| b.is_ascii_digit()) {
                path.push(lexer.positive()?);
                if path.len() > IMAP_SECTION_DEPTH_MAX {
                    return Err(Fault::Bad("the section is too deep"));
                }
                if !lexer.eat(b'.') {
                    break;
                }
            } else {
                text = section_text(lexer, !path.is_empty())?;
                break;
            }
        }
    }
    lexer.expect(b']', "a section ends in ]")?;
    let mut partial = None;
    if lexer.eat(b'<') {
        let first = lexer.number64()?;
        lexer.expect(b'.', "a partial is <first.count>")?;
        let count = lexer.number64()?;
        lexer.expect(b'>', "a partial is <first.count>")?;
        if count == 0 {
            return Err(Fault::Bad("a partial has at least one byte"));
        }
        partial = Some((first, count));
    }
    Ok(BodySection { peek, path, text, partial })
}

/// `[1.2]<0.100>` (RFC 3516 §4.2): part numbers only.
fn binary(lexer: &mut Lexer, peek: bool) -> Lex<BodySection> {
    match section(lexer, peek)? {
        section @ BodySection { text: SectionText::All, .. } => Ok(section),
        _ => Err(Fault::Bad("BINARY takes part numbers only")),
    }
}

fn section_text(lexer: &mut Lexer, in_part: bool) -> Lex<SectionText> {
    Ok(match lexer.word()?.as_str() {
        "HEADER" => SectionText::Header,
        "TEXT" => SectionText::Text,
        "MIME" if in_part => SectionText::Mime,
        "HEADER.FIELDS" => SectionText::Fields { names: names(lexer)?, negate: false },
        "HEADER.FIELDS.NOT" => SectionText::Fields { names: names(lexer)?, negate: true },
        _ => return Err(Fault::Bad("no such section")),
    })
}

fn names(lexer: &mut Lexer) -> Lex<Vec<String>> {
    lexer.space()?;
    if !lexer.open()? {
        return Err(Fault::Bad("a list of field names is missing"));
    }
    let mut names = Vec::new();
    loop {
        names.push(lexer.text_string()?);
        if names.len() > IMAP_FETCH_ITEMS_MAX {
            return Err(Fault::Bad("too many field names"));
        }
        if lexer.close() {
            return Ok(names);
        }
        lexer.space()?;
    }
}
