//! SORT and THREAD (RFC 5256 §5; RFC 5267 §3 for RETURN; RFC 5957 §5): which order, and a search program with its
//! charset always before it.

use super::lexer::{Fault, Lex, Lexer};
use super::search::{charset, program, return_options};
use crate::command::{Command, SearchNode, Sort, Thread};
use crate::sort::{SortCriterion, SortKey};
use crate::thread::ThreadAlgorithm;
use mailward_core::limits::IMAP_SORT_CRITERIA_MAX;

pub(super) fn sort(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    lexer.space()?;
    let mut returns = None;
    if lexer.eat_word("RETURN") {
        lexer.space()?;
        returns = Some(return_options(lexer)?);
        lexer.space()?;
    }
    let criteria = criteria(lexer)?;
    Ok(Command::Sort(Sort {
        uid,
        returns,
        criteria,
        program: search_criteria(lexer, returns.is_some_and(|r| r.save))?,
    }))
}

pub(super) fn thread(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    lexer.space()?;
    let algorithm = match lexer.atom()?.to_ascii_uppercase().as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(Fault::Cannot("that THREAD algorithm isn't known here")),
    };
    Ok(Command::Thread(Thread { uid, algorithm, program: search_criteria(lexer, false)? }))
}

/// `(SUBJECT REVERSE DATE)`. A criterion that isn't known is no bad command: other servers may know it.
fn criteria(lexer: &mut Lexer) -> Lex<Vec<SortCriterion>> {
    if !lexer.open()? {
        return Err(Fault::Bad("SORT takes a list of criteria"));
    }
    let mut criteria = Vec::new();
    loop {
        let reverse = lexer.eat_word("REVERSE");
        if reverse {
            lexer.space()?;
        }
        let key = match lexer.word()?.as_str() {
            "ARRIVAL" => SortKey::Arrival,
            "CC" => SortKey::Cc,
            "DATE" => SortKey::Date,
            "DISPLAYFROM" => SortKey::DisplayFrom,
            "DISPLAYTO" => SortKey::DisplayTo,
            "FROM" => SortKey::From,
            "SIZE" => SortKey::Size,
            "SUBJECT" => SortKey::Subject,
            "TO" => SortKey::To,
            "REVERSE" => return Err(Fault::Bad("REVERSE stands before a criterion")),
            _ => return Err(Fault::Cannot("that SORT criterion isn't known here")),
        };
        if criteria.len() >= IMAP_SORT_CRITERIA_MAX {
            return Err(Fault::Bad("too many SORT criteria"));
        }
        criteria.push(SortCriterion { key, reverse });
        if lexer.close() {
            return Ok(criteria);
        }
        lexer.space()?;
    }
}

/// ` UTF-8 SINCE 1-Feb-1994`
fn search_criteria(lexer: &mut Lexer, save: bool) -> Lex<Vec<SearchNode>> {
    lexer.space()?;
    charset(lexer, save)?;
    lexer.space()?;
    program(lexer)
}
