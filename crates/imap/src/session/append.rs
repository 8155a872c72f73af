//! APPEND (RFC 3501 §6.3.11), REPLACE (RFC 8508) and what a message must be to be stored.

use super::Session;
use super::access::is_shared;
use super::reply::{Done, Stop};
use crate::command::{NewMail, SetNumber};
use crate::seq::write_set;
use bytes::Bytes;
use mailward_core::limits::BLOCKING_PREPARE_BYTES;
use mailward_core::{MailboxName, Uid};
use mailward_message::{Structure, accept};
use mailward_store::StoreError;
use mailward_store::records::{AppendOutcome, Content, Destination, Flags, NewMessage, Rights};
use std::sync::Arc;

impl Session {
    /// One message or several (RFC 3502), all of them or none.
    pub(super) async fn append(&mut self, name: &MailboxName, messages: Vec<NewMail>) -> Result<Done, Stop> {
        let small = messages.iter().all(|new| new.message.len() < BLOCKING_PREPARE_BYTES);
        // What the user owns is found by its name when the message is stored: one question less. What is large is not
        // written before there is a place for it.
        let (to, rights) = if small && !is_shared(name.as_str()) {
            (Destination::Named(self.account()?, name.clone()), Rights::ALL)
        } else {
            let place = self.target(name).await?;
            (place.record.id.into(), place.rights)
        };
        let mut new = Vec::with_capacity(messages.len());
        for message in messages {
            new.push(prepare(rights, message).await?);
        }
        match self.context.store.append(to, new).await {
            Ok(outcome) => Ok(Done::ok(format!("{} appended", append_uid(&outcome)))),
            Err(StoreError::NotFound(missing)) => {
                // Tells the client what it can do about it.
                self.target(name).await?;
                Err(StoreError::NotFound(missing).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// RFC 8508: the new message comes and the old one goes in one step.
    pub(super) async fn replace(
        &mut self,
        uid: bool,
        number: SetNumber,
        name: &MailboxName,
        message: NewMail,
    ) -> Result<Done, Stop> {
        let place = self.target(name).await?;
        let store = Arc::clone(&self.context.store);
        let (view, io) = self.selected()?;
        view.require_writable(Rights::DELETE_MESSAGES.union(Rights::EXPUNGE))?;
        let old = match number {
            SetNumber::Number(number) if uid => Some(Uid(number)).filter(|uid| view.map.sequence_of(*uid).is_some()),
            SetNumber::Number(number) => view.map.uid_of(number),
            SetNumber::Star => Some(Uid(view.map.last())).filter(|uid| uid.0 > 0),
            SetNumber::Saved => None,
        };
        let Some(old) = old else {
            return Ok(if uid {
                Done::no("[NONEXISTENT] there is no such message")
            } else {
                Done::bad("there is no message of that number")
            });
        };
        let mailbox = view.mailbox;
        let new = prepare(place.rights, message).await?;
        let outcome = store.replace((mailbox, old), place.record.id, new).await?;
        // RFC 8508 §4.1: the UID before the news of what went.
        io.line(&["* OK ", &append_uid(&outcome), " replaced"]);
        Ok(Done::ok("replaced"))
    }
}

/// `[APPENDUID 38505 3955:3957]` (RFC 4315 §3, RFC 3502 §4.3)
fn append_uid(outcome: &AppendOutcome) -> String {
    let mut code = format!("[APPENDUID {} ", outcome.uid_validity).into_bytes();
    write_set(&mut code, outcome.uids.iter().map(|uid| uid.0));
    code.push(b']');
    String::from_utf8_lossy(&code).into_owned()
}

/// Checks and describes a message; of its flags those are kept that the user may set there (RFC 4314 §4).
async fn prepare(rights: Rights, mail: NewMail) -> Result<NewMessage, Stop> {
    let NewMail { mut flags, mut keywords, date, message } = mail;
    for (right, of) in [(Rights::SEEN, Flags::SEEN), (Rights::DELETE_MESSAGES, Flags::DELETED)] {
        if !rights.contains(right) {
            flags = flags.without(of);
        }
    }
    if !rights.contains(Rights::WRITE) {
        flags = flags.without(Flags::ANSWERED.union(Flags::FLAGGED).union(Flags::DRAFT));
        keywords.clear();
    }
    let small = message.len() < BLOCKING_PREPARE_BYTES;
    let describe = move || {
        check(&message)?;
        let structure = Structure::parse(&message).to_bytes();
        Ok::<_, String>(Content::new(message, structure.into()))
    };
    // A large message takes a while to check, walk and hash: not on a thread that others wait for.
    let described = if small { Ok(describe()) } else { tokio::task::spawn_blocking(describe).await };
    match described {
        Ok(Ok(content)) => Ok(NewMessage { content, flags, keywords, internal_date: date }),
        Ok(Err(why)) => Err(Done::no(format!("[CANNOT] {why}")).into()),
        Err(_) => Err(Done::no("[SERVERBUG] the message can't be read").into()),
    }
}

/// What is stored is served and may be sent on as it is: whole lines only, no NUL, a header within its limits.
fn check(message: &Bytes) -> Result<(), String> {
    if message.is_empty() {
        return Err("an empty message isn't one".to_owned());
    }
    if memchr::memchr(0, message).is_some() {
        return Err("the message holds a NUL byte".to_owned());
    }
    if has_bare_line_end(message) {
        return Err("the message has a bare CR or LF; its lines must end in CRLF".to_owned());
    }
    accept::check(message).map_err(|fault| fault.to_string())?;
    Ok(())
}

/// Whether a CR stands without its LF or an LF without its CR.
fn has_bare_line_end(message: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', message).any(|at| match message.get(at) {
        Some(b'\r') => message.get(at.saturating_add(1)) != Some(&b'\n'),
        _ => at.checked_sub(1).and_then(|before| message.get(before)) != Some(&b'\r'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crlf_ends_a_line() {
        for good in ["a\r\n", "a", "\r\n\r\n"] {
            assert!(check(&Bytes::from_static(good.as_bytes())).is_ok(), "{good:?}");
        }
        for bad in ["a\n", "a\r", "\n", "a\r\r\n", "a\r\n\nb", "a\rb\r\n", "", "a\0"] {
            assert!(check(&Bytes::from_static(bad.as_bytes())).is_err(), "{bad:?}");
        }
    }
}
