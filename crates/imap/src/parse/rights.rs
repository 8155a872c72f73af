//! The commands of ACL (RFC 4314 §3).

use super::lexer::{Fault, Lex, Lexer};
use crate::command::Command;
use mailward_store::records::{FlagAction, Rights};

/// What the letters of RFC 2086 stand for (RFC 4314 §2.1.1).
pub(crate) const OLD_CREATE: Rights = Rights::CREATE.union(Rights::DELETE_MAILBOX);
/// See [`OLD_CREATE`].
pub(crate) const OLD_DELETE: Rights = Rights::DELETE_MESSAGES.union(Rights::EXPUNGE);

/// `SETACL mailbox identifier [+|-]rights`
pub(super) fn set_acl(lexer: &mut Lexer) -> Lex<Command> {
    let mailbox = super::argument(lexer)?;
    let identifier = identifier(lexer)?;
    lexer.space()?;
    let text = lexer.text_string()?;
    let (action, letters) = match text.as_bytes().first() {
        Some(b'+') => (FlagAction::Add, text.trim_start_matches('+')),
        Some(b'-') => (FlagAction::Remove, text.trim_start_matches('-')),
        _ => (FlagAction::Replace, text.as_str()),
    };
    Ok(Command::SetAcl { mailbox, identifier, action, rights: rights(letters)? })
}

pub(super) fn delete_acl(lexer: &mut Lexer) -> Lex<Command> {
    Ok(Command::DeleteAcl { mailbox: super::argument(lexer)?, identifier: identifier(lexer)? })
}

pub(super) fn list_rights(lexer: &mut Lexer) -> Lex<Command> {
    Ok(Command::ListRights { mailbox: super::argument(lexer)?, identifier: identifier(lexer)? })
}

fn identifier(lexer: &mut Lexer) -> Lex<String> {
    lexer.space()?;
    lexer.text_string()
}

/// Letters to rights. A letter that isn't one is refused (RFC 4314 §3.1).
fn rights(letters: &str) -> Lex<Rights> {
    letters.chars().try_fold(Rights::NONE, |all, letter| {
        let known = Rights::LETTERS.iter().find(|(_, known)| *known == letter).map(|(right, _)| *right);
        let right = match (known, letter) {
            (Some(right), _) => right,
            (None, 'c') => OLD_CREATE,
            (None, 'd') => OLD_DELETE,
            (None, _) => return Err(Fault::Bad("no such right; they are lrswipkxtea")),
        };
        Ok(all.union(right))
    })
}
