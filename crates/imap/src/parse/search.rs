//! SEARCH (RFC 3501 §6.4.4; RFC 4466 and 4731 for RETURN; RFC 5032; RFC 7162 §3.1.5) into a flat program.

use super::append::day;
use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Command, DateTest, Search, SearchKey, SearchNode, SearchReturn};
use mailward_core::ModSeq;
use mailward_core::limits::IMAP_SEARCH_KEYS_MAX;
use mailward_message::decode::{EnvelopeField, fold};
use mailward_store::records::Flags;

pub(super) fn search(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    lexer.space()?;
    let mut returns = None;
    if lexer.eat_word("RETURN") {
        lexer.space()?;
        returns = Some(return_options(lexer)?);
        lexer.space()?;
    }
    if lexer.eat_word("CHARSET") {
        lexer.space()?;
        charset(lexer, returns.is_some_and(|returns: SearchReturn| returns.save))?;
        lexer.space()?;
    }
    Ok(Command::Search(Search { uid, returns, program: program(lexer)? }))
}

/// A charset's name that is known here: every string is UTF-8, which ASCII is too.
pub(super) fn charset(lexer: &mut Lexer, save: bool) -> Lex<()> {
    let charset = lexer.text_string()?;
    let known = ["UTF-8", "US-ASCII"].iter().any(|known| known.eq_ignore_ascii_case(&charset));
    if known { Ok(()) } else { Err(Fault::BadCharset { save }) }
}

/// `(MIN MAX ALL COUNT)` after RETURN.
pub(super) fn return_options(lexer: &mut Lexer) -> Lex<SearchReturn> {
    let mut options = SearchReturn::default();
    if !lexer.open()? {
        return Err(Fault::Bad("RETURN takes a list"));
    }
    if lexer.close() {
        // RFC 4731 §3.1: none is ALL.
        return Ok(SearchReturn { all: true, ..options });
    }
    loop {
        match lexer.word()?.as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            "PARTIAL" if options.partial.is_none() => {
                lexer.space()?;
                options.partial = Some(super::fetch::partial(lexer)?);
            }
            _ => return Err(Fault::Bad("no such SEARCH return option")),
        }
        if lexer.close() {
            break;
        }
        lexer.space()?;
    }
    // RFC 9394 §3.1: a window or all of it.
    if options.all && options.partial.is_some() {
        return Err(Fault::Bad("PARTIAL and ALL exclude each other"));
    }
    Ok(options)
}

/// What is open while keys are read.
enum Open {
    /// A list that began as the node of this index and has so many keys.
    Group(usize, usize),
    /// NOT and OR wait for so many keys.
    Awaits(usize),
}

/// Keys nest without recursion: NOT and OR may be as many as there may be keys, parentheses as deep as the lexer
/// lets them.
pub(super) fn program(lexer: &mut Lexer) -> Lex<Vec<SearchNode>> {
    let mut nodes = vec![SearchNode::And(0)];
    let mut open = vec![Open::Group(0, 0)];
    loop {
        if nodes.len() > IMAP_SEARCH_KEYS_MAX {
            return Err(Fault::Bad("too many SEARCH keys"));
        }
        // One key begins here.
        if lexer.open()? {
            open.push(Open::Group(nodes.len(), 0));
            nodes.push(SearchNode::And(0));
            continue;
        }
        match operator(lexer) {
            Some((node, awaits)) => {
                nodes.push(node);
                open.push(Open::Awaits(awaits));
                lexer.space()?;
                continue;
            }
            None => nodes.push(SearchNode::Leaf(key(lexer)?)),
        }
        // It has ended; what does it end with it?
        loop {
            match open.last_mut() {
                Some(Open::Awaits(missing)) => {
                    *missing = missing.saturating_sub(1);
                    if *missing > 0 {
                        break;
                    }
                    open.pop();
                }
                Some(Open::Group(at, keys)) => {
                    *keys = keys.saturating_add(1);
                    let (at, keys) = (*at, *keys);
                    let is_outermost = open.len() == 1;
                    if !is_outermost && lexer.close() {
                        open.pop();
                        if let Some(node) = nodes.get_mut(at) {
                            *node = SearchNode::And(keys);
                        }
                        continue;
                    }
                    if is_outermost && lexer.end().is_ok() {
                        if let Some(node) = nodes.first_mut() {
                            *node = SearchNode::And(keys);
                        }
                        return Ok(nodes);
                    }
                    break;
                }
                None => return Err(Fault::Bad("a SEARCH key is missing")),
            }
        }
        lexer.space()?;
    }
}

fn operator(lexer: &mut Lexer) -> Option<(SearchNode, usize)> {
    if lexer.eat_word("NOT") {
        Some((SearchNode::Not, 1))
    } else if lexer.eat_word("OR") {
        Some((SearchNode::Or, 2))
    } else {
        None
    }
}

fn key(lexer: &mut Lexer) -> Lex<SearchKey> {
    use SearchKey as K;
    if lexer.peek().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'*' | b'$')) {
        return Ok(K::Sequence(lexer.sequence_set()?));
    }
    let word = lexer.word()?;
    let flag = |flag, set| Ok(K::Flag(flag, set));
    match word.as_str() {
        // Of every message it is known when it came.
        "ALL" | "OLD" | "SAVEDATESUPPORTED" => Ok(K::All),
        "NEW" | "RECENT" => Ok(K::Nothing),
        "ANSWERED" => flag(Flags::ANSWERED, true),
        "UNANSWERED" => flag(Flags::ANSWERED, false),
        "DELETED" => flag(Flags::DELETED, true),
        "UNDELETED" => flag(Flags::DELETED, false),
        "DRAFT" => flag(Flags::DRAFT, true),
        "UNDRAFT" => flag(Flags::DRAFT, false),
        "FLAGGED" => flag(Flags::FLAGGED, true),
        "UNFLAGGED" => flag(Flags::FLAGGED, false),
        "SEEN" => flag(Flags::SEEN, true),
        "UNSEEN" => flag(Flags::SEEN, false),
        _ => {
            lexer.space()?;
            key_with_argument(lexer, &word)
        }
    }
}

fn key_with_argument(lexer: &mut Lexer, word: &str) -> Lex<SearchKey> {
    use SearchKey as K;
    Ok(match word {
        "KEYWORD" => K::Keyword(super::keyword(lexer)?, true),
        "UNKEYWORD" => K::Keyword(super::keyword(lexer)?, false),
        "UID" => K::Uid(lexer.sequence_set()?),
        "LARGER" => K::Larger(lexer.number64()?),
        "SMALLER" => K::Smaller(lexer.number64()?),
        "BEFORE" => K::Internal(DateTest::Before(day(lexer)?)),
        "ON" => K::Internal(DateTest::On(day(lexer)?)),
        "SINCE" => K::Internal(DateTest::Since(day(lexer)?)),
        "SAVEDBEFORE" => K::Saved(DateTest::Before(day(lexer)?)),
        "SAVEDON" => K::Saved(DateTest::On(day(lexer)?)),
        "SAVEDSINCE" => K::Saved(DateTest::Since(day(lexer)?)),
        "EMAILID" => K::EmailId(lexer.text_string()?),
        "THREADID" => K::ThreadId(lexer.text_string()?),
        "SENTBEFORE" => K::Sent(DateTest::Before(day(lexer)?)),
        "SENTON" => K::Sent(DateTest::On(day(lexer)?)),
        "SENTSINCE" => K::Sent(DateTest::Since(day(lexer)?)),
        "YOUNGER" => K::Within { seconds: lexer.positive()?, younger: true },
        "OLDER" => K::Within { seconds: lexer.positive()?, younger: false },
        "MODSEQ" => {
            if lexer.is_string_next() {
                // RFC 7162 §3.1.5: an entry name and type, which name no more than flags.
                lexer.string()?;
                lexer.space()?;
                lexer.word()?;
                lexer.space()?;
            }
            K::ModSeq(ModSeq(lexer.number64()?))
        }
        "SUBJECT" => K::Envelope { field: EnvelopeField::Subject, text: folded(lexer)? },
        "FROM" => K::Envelope { field: EnvelopeField::From, text: folded(lexer)? },
        "TO" => K::Envelope { field: EnvelopeField::To, text: folded(lexer)? },
        "CC" => K::Envelope { field: EnvelopeField::Cc, text: folded(lexer)? },
        "BCC" => K::Envelope { field: EnvelopeField::Bcc, text: folded(lexer)? },
        "HEADER" => {
            let name = lexer.text_string()?;
            lexer.space()?;
            K::Header { name, text: folded(lexer)? }
        }
        "BODY" => K::Body(folded(lexer)?),
        "TEXT" => K::Text(folded(lexer)?),
        _ => return Err(Fault::Bad("no such SEARCH key")),
    })
}

fn folded(lexer: &mut Lexer) -> Lex<String> {
    Ok(fold(&lexer.text_string()?))
}
