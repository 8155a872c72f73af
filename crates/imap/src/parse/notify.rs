//! NOTIFY (RFC 5465 §8).

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Command, Notify, NotifyEvents, NotifyGroup, NotifyMailboxes};
use mailward_core::MailboxName;
use mailward_core::limits::{IMAP_NOTIFY_GROUPS_MAX, IMAP_NOTIFY_MAILBOXES_MAX};

/// `NOTIFY NONE`, `NOTIFY SET [STATUS] (mailboxes events) …`
pub(super) fn notify(lexer: &mut Lexer) -> Lex<Command> {
    lexer.space()?;
    let mut notify = Notify::default();
    if lexer.eat_word("NONE") {
        return Ok(Command::Notify(notify));
    }
    if !lexer.eat_word("SET") {
        return Err(Fault::Bad("NOTIFY takes SET or NONE"));
    }
    lexer.space()?;
    if lexer.eat_word("STATUS") {
        notify.status = true;
        lexer.space()?;
    }
    loop {
        if notify.groups.len() >= IMAP_NOTIFY_GROUPS_MAX {
            return Err(Fault::Bad("too many groups of mailboxes"));
        }
        if !lexer.open()? {
            return Err(Fault::Bad("NOTIFY SET takes groups in parentheses"));
        }
        let mailboxes = mailboxes(lexer)?;
        lexer.space()?;
        let events = events(lexer)?;
        if !lexer.close() {
            return Err(Fault::Bad("a parenthesis is missing"));
        }
        notify.groups.push(NotifyGroup { mailboxes, events });
        if lexer.end().is_ok() {
            return Ok(Command::Notify(notify));
        }
        lexer.space()?;
    }
}

fn mailboxes(lexer: &mut Lexer) -> Lex<NotifyMailboxes> {
    Ok(match lexer.word()?.as_str() {
        "SELECTED" => NotifyMailboxes::Selected { delayed: false },
        "SELECTED-DELAYED" => NotifyMailboxes::Selected { delayed: true },
        "INBOXES" => NotifyMailboxes::Inboxes,
        "PERSONAL" => NotifyMailboxes::Personal,
        "SUBSCRIBED" => NotifyMailboxes::Subscribed,
        "SUBTREE" => NotifyMailboxes::Subtree(names(lexer)?),
        "MAILBOXES" => NotifyMailboxes::Mailboxes(names(lexer)?),
        _ => return Err(Fault::Bad("no such mailboxes in NOTIFY")),
    })
}

/// One mailbox, or several in parentheses.
fn names(lexer: &mut Lexer) -> Lex<Vec<MailboxName>> {
    lexer.space()?;
    if !lexer.open()? {
        return Ok(vec![lexer.mailbox()?]);
    }
    let mut names = Vec::new();
    loop {
        names.push(lexer.mailbox()?);
        if names.len() > IMAP_NOTIFY_MAILBOXES_MAX {
            return Err(Fault::Bad("too many mailboxes"));
        }
        if lexer.close() {
            return Ok(names);
        }
        lexer.space()?;
    }
}

/// The events, or NONE. What this server doesn't know is answered with those it does (RFC 5465 §5).
fn events(lexer: &mut Lexer) -> Lex<NotifyEvents> {
    let mut events = NotifyEvents::default();
    if lexer.eat_word("NONE") {
        return Ok(events);
    }
    if !lexer.open()? {
        return Err(Fault::Bad("NOTIFY takes a list of events"));
    }
    let (mut new, mut expunge) = (false, false);
    loop {
        match lexer.word()?.as_str() {
            "MESSAGENEW" => {
                new = true;
                if lexer.peek_after_space() == Some(b'(') {
                    lexer.space()?;
                    events.fetch = super::fetch::items(lexer)?;
                }
            }
            "MESSAGEEXPUNGE" => expunge = true,
            "FLAGCHANGE" => events.flags = true,
            "MAILBOXNAME" => events.names = true,
            "SUBSCRIPTIONCHANGE" => events.subscriptions = true,
            _ => return Err(Fault::BadEvent),
        }
        if lexer.close() {
            break;
        }
        lexer.space()?;
    }
    // RFC 5465 §5: new and expunged messages come together, and flags with both only.
    if new != expunge || (events.flags && !new) {
        return Err(Fault::Bad("MessageNew and MessageExpunge go together, and FlagChange only with both"));
    }
    events.messages = new;
    Ok(events)
}
