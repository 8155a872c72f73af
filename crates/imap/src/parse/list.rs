//! CREATE, LIST, LSUB and STATUS (RFC 3501 §6.3; RFC 5258, 5819, 6154).

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Command, List, StatusItem};
use mailward_core::limits::IMAP_LIST_PATTERNS_MAX;

/// RFC 6154 §3: `CREATE name (USE (\Sent))`.
pub(super) fn create(lexer: &mut Lexer) -> Lex<Command> {
    let mailbox = super::argument(lexer)?;
    let mut special_use = None;
    if lexer.eat(b' ') {
        if !lexer.open()? || !lexer.eat_word("USE") {
            return Err(Fault::Bad("no such CREATE parameter"));
        }
        lexer.space()?;
        if !lexer.open()? {
            return Err(Fault::Bad("USE takes a list"));
        }
        if !lexer.close() {
            lexer.expect(b'\\', "a special use begins with \\")?;
            special_use = Some(format!("\\{}", lexer.atom()?));
            if !lexer.close() {
                return Err(Fault::Cannot("a mailbox has one special use here"));
            }
        }
        if !lexer.close() {
            return Err(Fault::Bad("a parenthesis is missing"));
        }
    }
    Ok(Command::Create { mailbox, special_use })
}

pub(super) fn list(lexer: &mut Lexer) -> Lex<Command> {
    let mut list = List::default();
    lexer.space()?;
    if lexer.open()? {
        list.extended = true;
        selection(lexer, &mut list)?;
        lexer.space()?;
    }
    let reference = lexer.pattern()?;
    lexer.space()?;
    if lexer.open()? {
        list.extended = true;
        loop {
            list.patterns.push(joined(&reference, lexer.pattern()?));
            if list.patterns.len() > IMAP_LIST_PATTERNS_MAX {
                return Err(Fault::Bad("too many patterns"));
            }
            if lexer.close() {
                break;
            }
            lexer.space()?;
        }
    } else {
        let pattern = lexer.pattern()?;
        list.delimiter_only = pattern.is_empty() && !list.extended;
        list.patterns.push(joined(&reference, pattern));
    }
    if lexer.eat(b' ') {
        list.extended = true;
        if !lexer.eat_word("RETURN") {
            return Err(Fault::Bad("LIST ends in RETURN (…)"));
        }
        lexer.space()?;
        returns(lexer, &mut list)?;
    }
    if list.recursive && !list.subscribed_only {
        // RFC 5258 §3: it needs a selection to be about.
        return Err(Fault::Bad("RECURSIVEMATCH needs SUBSCRIBED"));
    }
    Ok(Command::List(list))
}

/// An empty pattern after a reference is the reference's root; none of ours has one.
fn joined(reference: &str, pattern: String) -> String {
    if reference.is_empty() { pattern } else { format!("{reference}{pattern}") }
}

fn selection(lexer: &mut Lexer, list: &mut List) -> Lex<()> {
    if lexer.close() {
        return Ok(());
    }
    loop {
        match lexer.word()?.as_str() {
            "SUBSCRIBED" => {
                list.subscribed_only = true;
                list.return_subscribed = true;
            }
            // There are no other servers here.
            "REMOTE" => {}
            "RECURSIVEMATCH" => list.recursive = true,
            "SPECIAL-USE" => list.special_only = true,
            _ => return Err(Fault::Bad("no such LIST selection option")),
        }
        if lexer.close() {
            return Ok(());
        }
        lexer.space()?;
    }
}

fn returns(lexer: &mut Lexer, list: &mut List) -> Lex<()> {
    if !lexer.open()? {
        return Err(Fault::Bad("RETURN takes a list"));
    }
    if lexer.close() {
        return Ok(());
    }
    loop {
        match lexer.word()?.as_str() {
            "SUBSCRIBED" => list.return_subscribed = true,
            // Told always.
            "CHILDREN" | "SPECIAL-USE" => {}
            "MYRIGHTS" => list.return_rights = true,
            "STATUS" => {
                lexer.space()?;
                list.status = status_items(lexer)?;
            }
            _ => return Err(Fault::Bad("no such LIST return option")),
        }
        if lexer.close() {
            return Ok(());
        }
        lexer.space()?;
    }
}

pub(super) fn lsub(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let reference = lexer.pattern()?;
    lexer.space()?;
    let pattern = lexer.pattern()?;
    Ok(Command::Lsub { pattern: joined(&reference, pattern) })
}

pub(super) fn status(lexer: &mut Lexer) -> Lex<Command> {
    let mailbox = super::argument(lexer)?;
    lexer.space()?;
    Ok(Command::Status { mailbox, items: status_items(lexer)? })
}

fn status_items(lexer: &mut Lexer) -> Lex<Vec<StatusItem>> {
    use StatusItem as S;
    if !lexer.open()? {
        return Err(Fault::Bad("a list of STATUS items is missing"));
    }
    let mut items = Vec::new();
    loop {
        let item = match lexer.word()?.as_str() {
            "MESSAGES" => S::Messages,
            "RECENT" => S::Recent,
            "UIDNEXT" => S::UidNext,
            "UIDVALIDITY" => S::UidValidity,
            "UNSEEN" => S::Unseen,
            "HIGHESTMODSEQ" => S::HighestModSeq,
            "SIZE" => S::Size,
            "DELETED" => S::Deleted,
            "APPENDLIMIT" => S::AppendLimit,
            "MAILBOXID" => S::MailboxId,
            _ => return Err(Fault::Bad("no such STATUS item")),
        };
        if !items.contains(&item) {
            items.push(item);
        }
        if lexer.close() {
            return Ok(items);
        }
        lexer.space()?;
    }
}
