//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{BodySection, Command, Fetch, FetchItem, SectionText};
use mailward_core::ModSeq;
use mailward_core::limits::{IMAP_FETCH_ITEMS_MAX, IMAP_SECTION_DEPTH_MAX};

pub(super) fn fetch(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    let set = super::set(lexer)?;
    lexer.space()?;
    let mut items = Vec::new();
    if lexer.open()? {
        loop {
            item(lexer, &mut items, false)?;
            if items.len() > IMAP_FETCH_ITEMS_MAX {
                return Err(Fault::Bad("too many items"));
            }
            if lexer.close() {
                break;
            }
            lexer.space()?;
        }
    } else {
        item(lexer, &mut items, true)?;
    }
    let mut changed_since = None;
    if lexer.eat(b' ') {
        if !lexer.open()? || !lexer.eat_word("CHANGEDSINCE") {
            return Err(Fault::Bad("no such FETCH modifier"));
        }
        lexer.space()?;
        changed_since = Some(ModSeq(lexer.number64()?));
        if !lexer.close() {
            return Err(Fault::Bad("a parenthesis is missing"));
        }
    }
    Ok(Command::Fetch(Fetch { uid, set, items, changed_since }))
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
