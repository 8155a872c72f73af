//! APPEND (RFC 3501 §6.3.11) and what a message must be to be stored.

use super::Session;
use super::reply::{Done, Stop};
use crate::command::Append;
use bytes::Bytes;
use mailward_core::AccountId;
use mailward_message::{Structure, accept};
use mailward_store::StoreError;
use mailward_store::records::{Content, NewMessage};

impl Session {
    pub(super) async fn append(&mut self, account: AccountId, append: Append) -> Result<Done, Stop> {
        let Append { mailbox, flags, keywords, date, message } = append;
        let record = match self.context.store.mailbox(account, mailbox).await {
            Err(StoreError::NotFound(_)) => return Ok(Done::no("[TRYCREATE] there is no such mailbox")),
            other => other?,
        };
        if !record.selectable {
            return Ok(Done::no("[TRYCREATE] the name only holds others"));
        }
        // A large message takes a while to check, walk and hash: not on a thread that others wait for.
        let content = tokio::task::spawn_blocking(move || {
            check(&message)?;
            let structure = Structure::parse(&message).to_bytes();
            Ok::<_, String>(Content::new(message, structure.into()))
        });
        let content = match content.await {
            Ok(Ok(content)) => content,
            Ok(Err(why)) => return Ok(Done::no(format!("[CANNOT] {why}"))),
            Err(_) => return Ok(Done::no("[SERVERBUG] the message can't be read")),
        };
        let new = NewMessage { content, flags, keywords, internal_date: date };
        let outcome = self.context.store.append(record.id, vec![new]).await?;
        let uid = outcome.uids.first().map_or(0, |uid| uid.0);
        Ok(Done::ok(format!("[APPENDUID {} {uid}] appended", outcome.uid_validity)))
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
