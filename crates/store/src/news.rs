//! News of changes to whoever watches.

use mailward_core::{MailboxId, ModSeq};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a commit changed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) mailboxes: HashMap<MailboxId, ModSeq>,
    pub(crate) directory: bool,
    /// Blobs that went.
    pub(crate) gone: u64,
}

/// Who watches what.
#[derive(Debug)]
pub(crate) struct News {
    mailboxes: Mutex<HashMap<MailboxId, watch::Sender<ModSeq>>>,
    directory: watch::Sender<u64>,
}

impl News {
    pub(crate) fn new() -> Self {
        Self { mailboxes: Mutex::default(), directory: watch::Sender::new(0) }
    }
    fn lock(&self) -> MutexGuard<'_, HashMap<MailboxId, watch::Sender<ModSeq>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        let mut mailboxes = self.lock();
        mailboxes.retain(|_, sender| sender.receiver_count() > 0);
        mailboxes.entry(mailbox).or_insert_with(|| watch::Sender::new(ModSeq(0))).subscribe()
    }
    pub(crate) fn watch_directory(&self) -> watch::Receiver<u64> {
        self.directory.subscribe()
    }
    pub(crate) fn tell(&self, touched: Touched) {
        if touched.directory {
            self.directory.send_modify(|version| *version = version.wrapping_add(1));
        }
        let mailboxes = self.lock();
        if mailboxes.is_empty() {
            return;
        }
        for (mailbox, mod_seq) in touched.mailboxes {
            if let Some(sender) = mailboxes.get(&mailbox) {
                sender.send_replace(mod_seq);
            }
        }
    }
}
