//! `mailward bench imap-fill` and `store-fill`: mailboxes with made-up mail in them.
//!
//! By IMAP any server gets the very same messages, byte for byte. Into a store that no server uses, a million of them
//! take minutes instead of an hour.

use super::BenchError;
use super::corpus::{Corpus, Facts, imap_date};
use super::imap::{Client, quoted};
use super::wire::{Dialler, Target};
use bytes::Bytes;
use mailward_core::{Address, Secret, Timestamp};
use mailward_message::Structure;
use mailward_store::records::{Content, Flags, NewMessage};
use mailward_store::{DirectoryStore as _, LocalStore, MailStore as _, StoreError};
use serde::Serialize;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// APPENDs that are on their way at once.
const WINDOW: usize = 16;
/// Messages of one append to the store.
const STEP: u64 = 1_000;

/// What was filled in.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// Words to search for, and how many messages have them.
    pub(crate) words: Facts,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let Facts { few, many, rare } = &self.words;
        format!(
            "{} messages, {} bytes in {:.1} s\nin subjects: {} in {}, {} in {}; in texts: {} in {}",
            self.messages,
            self.bytes,
            self.seconds,
            few.word,
            few.messages,
            many.word,
            many.messages,
            rare.word,
            rare.messages
        )
    }
}

/// Appends the corpus to an empty mailbox of a server, making it if it isn't there.
///
/// # Errors
/// The server can't be reached or refuses; the mailbox isn't empty; not all is there afterwards.
pub(crate) fn by_imap(
    target: &Target,
    user: &str,
    password: &Secret,
    mailbox: &str,
    corpus: &Corpus,
) -> Result<Report, BenchError> {
    let mut client = Client::open(&Dialler::new(target)?, user, password.expose())?;
    client.must_have_literal_plus()?;
    let name = quoted(mailbox)?;
    // It is there already, mostly.
    let _there = client.ask(&format!("CREATE {name}"));
    let exists = |client: &mut Client| -> Result<u64, BenchError> {
        let exists = client.ask(&format!("SELECT {name}"))?.exists.unwrap_or(0);
        client.ask("CLOSE")?;
        Ok(exists.into())
    };
    let before = exists(&mut client)?;
    if before > 0 {
        return Err(BenchError::Option(format!("{mailbox} has {before} messages: only an empty mailbox is filled")));
    }
    let begin = Instant::now();
    let mut bytes = 0_u64;
    let mut waiting = VecDeque::with_capacity(WINDOW);
    for number in 0..corpus.messages {
        if waiting.len() == WINDOW
            && let Some(tag) = waiting.pop_front()
        {
            client.answer(tag, "APPEND", b"")?;
        }
        let message = corpus.message(number);
        bytes = bytes.saturating_add(u64::try_from(message.bytes.len()).unwrap_or(0));
        waiting.push_back(client.say_append(mailbox, Some(&imap_date(message.date)), &message.bytes)?);
    }
    for tag in waiting {
        client.answer(tag, "APPEND", b"")?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = exists(&mut client)?;
    if after != corpus.messages {
        return Err(BenchError::server(mailbox, format!("{after} messages where {} must be", corpus.messages)));
    }
    client.logout()?;
    Ok(Report { messages: corpus.messages, bytes, seconds, words: corpus.facts() })
}

/// Appends the corpus to INBOX of an account, in the store of a directory that no server uses.
///
/// # Errors
/// The store is in use or refuses; there is no such account.
pub(crate) fn store(data: &Path, user: &Address, corpus: &Corpus) -> Result<Report, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(BenchError::Runtime)?;
    runtime.block_on(async {
        let store = LocalStore::open(data, mailward_store::Options::default())?;
        let filled = into_inbox(&store, user, corpus).await;
        store.close().await;
        filled
    })
}

async fn into_inbox(store: &LocalStore, user: &Address, corpus: &Corpus) -> Result<Report, BenchError> {
    let domains = store.domains().await?;
    let domain = domains.iter().find(|d| Some(&d.name) == user.domain()).ok_or(StoreError::NotFound("domain"))?;
    let accounts = store.accounts().await?;
    let account = accounts
        .iter()
        .find(|a| a.domain == domain.id && a.local == user.local().folded())
        .ok_or(StoreError::NotFound("account"))?;
    let mailboxes = store.mailboxes(account.id).await?;
    let inbox = mailboxes.iter().find(|m| m.name.is_inbox()).ok_or(StoreError::NotFound("mailbox"))?.id;
    let begin = Instant::now();
    let mut bytes = 0_u64;
    let mut number = 0;
    while number < corpus.messages {
        let end = number.saturating_add(STEP).min(corpus.messages);
        let new: Vec<NewMessage> = (number..end).map(|n| new_message(corpus, n, &mut bytes)).collect();
        store.append(inbox.into(), new).await?;
        number = end;
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Report { messages: corpus.messages, bytes, seconds, words: corpus.facts() })
}

fn new_message(corpus: &Corpus, number: u64, bytes: &mut u64) -> NewMessage {
    let message = corpus.message(number);
    *bytes = bytes.saturating_add(u64::try_from(message.bytes.len()).unwrap_or(0));
    let structure = Structure::parse(&message.bytes).to_bytes();
    NewMessage {
        content: Content::new(Bytes::from(message.bytes), Bytes::from(structure)),
        flags: Flags::NONE,
        keywords: Vec::new(),
        internal_date: i64::try_from(message.date).ok().map(Timestamp::from_secs),
    }
}
