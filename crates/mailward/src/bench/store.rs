//! The store by itself, without network or protocol: what the measurements of [`super::disk`] and
//! [`super::mailbox`] share.

use super::BenchError;
use super::timing::{count, ratio};
use bytes::Bytes;
use mailward_core::{AccountId, Domain};
use mailward_message::Structure;
use mailward_store::records::{AccountChange, Content, Delivery, DomainChange, Flags, Target};
use mailward_store::{DirectoryStore as _, LocalStore, MailStore as _, StoreError};
use std::cell::Cell;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A store with accounts, and the runtime it is driven by.
pub(super) struct Yard {
    pub(super) runtime: Runtime,
    pub(super) store: Arc<LocalStore>,
    pub(super) accounts: Vec<AccountId>,
    /// Makes every message different.
    serial: Cell<u64>,
}

impl Yard {
    /// A new store in `dir` with so many accounts.
    pub(super) fn open(dir: &Path, accounts: usize) -> Result<Self, BenchError> {
        std::fs::create_dir_all(dir).map_err(|source| BenchError::Disk { path: dir.to_owned(), source })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(BenchError::Runtime)?;
        let (store, accounts) = runtime.block_on(async {
            let store = LocalStore::open(dir, mailward_store::Options::default())?;
            let name = Domain::parse("example.test").map_err(|e| StoreError::Database(e.to_string()))?;
            let domain = store.change_domain(DomainChange::Add { name }).await?.id;
            let mut ids = Vec::with_capacity(accounts);
            for n in 1..=accounts {
                let added = AccountChange::Add {
                    domain,
                    local: format!("user{n}"),
                    display_name: String::new(),
                    credential: Arc::from([].as_slice()),
                    quota_bytes: 0,
                    quota_messages: 0,
                };
                ids.push(store.change_account(added).await?.id);
            }
            Ok::<_, StoreError>((store, ids))
        })?;
        Ok(Self { runtime, store, accounts, serial: Cell::new(0) })
    }

    /// A message unlike every other, of about `size` bytes.
    pub(super) fn content(&self, size: usize) -> Content {
        let serial = self.serial.get();
        self.serial.set(serial.saturating_add(1));
        let mut message = Vec::with_capacity(size.saturating_add(200));
        // Writing to memory can't fail.
        let _infallible = write!(
            message,
            "From: <bench@bench.invalid>\r\nTo: <user@example.test>\r\nSubject: Message {serial}\r\n\
             Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{serial}@bench.invalid>\r\n\r\n"
        );
        while message.len() < size {
            message.extend_from_slice(b"A line of text that is neither short nor long, as people write them.\r\n");
        }
        let structure = Structure::parse(&message).to_bytes();
        Content::new(Bytes::from(message), Bytes::from(structure))
    }

    /// A delivery to one account's INBOX.
    pub(super) fn delivery(&self, account: AccountId, size: usize) -> Delivery {
        Delivery {
            content: self.content(size),
            targets: vec![Target { account, mailbox: None, flags: Flags::NONE }],
            queued: Vec::new(),
            kept: None,
        }
    }

    /// Messages a second with so many deliveries waiting at any time, to the accounts in turn.
    pub(super) fn rate(&self, waiting: usize, size: usize, time: Duration) -> Result<f64, BenchError> {
        let mut accounts = self.accounts.iter().copied().cycle();
        let begin = Instant::now();
        let mut messages = 0_usize;
        self.runtime.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            loop {
                while running.len() < waiting && begin.elapsed() < time {
                    let Some(account) = accounts.next() else { break };
                    let (store, delivery) = (Arc::clone(&self.store), self.delivery(account, size));
                    running.spawn(async move { store.deliver(delivery).await });
                }
                match running.join_next().await {
                    Some(Ok(delivered)) => {
                        delivered?;
                        messages = messages.saturating_add(1);
                    }
                    Some(Err(_stopped)) => return Err(StoreError::Closed),
                    None => return Ok(()),
                }
            }
        })?;
        Ok(ratio(count(messages), begin.elapsed().as_secs_f64()))
    }

    /// Delivers one message to an account and waits until it is durable.
    pub(super) fn deliver_one(&self, account: AccountId, size: usize) -> Result<Duration, BenchError> {
        let delivery = self.delivery(account, size);
        let begin = Instant::now();
        self.runtime.block_on(self.store.deliver(delivery))?;
        Ok(begin.elapsed())
    }

    /// Delivers `many` messages to an account, all waiting at once, and waits until all are durable.
    pub(super) fn deliver_many(&self, account: AccountId, many: usize, size: usize) -> Result<Duration, BenchError> {
        let deliveries: Vec<_> = (0..many).map(|_| self.delivery(account, size)).collect();
        let begin = Instant::now();
        self.runtime.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for delivery in deliveries {
                let store = Arc::clone(&self.store);
                running.spawn(async move { store.deliver(delivery).await });
            }
            while let Some(delivered) = running.join_next().await {
                delivered.map_err(|_stopped| StoreError::Closed)??;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(begin.elapsed())
    }

    /// Ends the store cleanly.
    pub(super) fn close(self) -> Result<(), BenchError> {
        self.runtime.block_on(self.store.close());
        Ok(())
    }
}
