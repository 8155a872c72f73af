//! Ways that end on this host: thrown away, into a Maildir, or on in another lane.

use super::super::maildir::{Maildir, Writing};
use super::super::outcome::Decision;
use super::super::reroute::moves;
use super::super::visit::Unreached;
use super::{Visited, Work};
use crate::queue::content::Stored;
use bytes::Bytes;
use mailward_core::{EnhancedStatus, Shutdown};
use mailward_smtp::client::Content as _;
use mailward_store::StoreError;
use mailward_store::records::{Attempt, QueuedMessage, QueuedRecipient, Settlement};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// RFC 3463 §3.4: the mail system is full, or can't do it.
const CANT_WRITE: EnhancedStatus = EnhancedStatus::of(4, 3, 0);

impl Work {
    /// Takes everything and keeps nothing. Nobody is told, whatever they asked for.
    pub(super) async fn discard(&self, text: &str, shutdown: &Shutdown) -> Result<(), StoreError> {
        while !shutdown.is_fired() {
            let Some((message, _)) = self.feed.next().await? else { break };
            let Some(_held) = self.shared.in_work.take(message.id) else { continue };
            let attempt = self.attempt(EnhancedStatus::of(2, 0, 0), "", text);
            let decided = message.recipients.iter().map(|r| (r, Decision::Delivered(attempt.clone()))).collect();
            self.settle(&message, decided, Visited::not(attempt.at)).await?;
            self.feed.done(message.id).await;
        }
        Ok(())
    }

    /// Everything goes on in the lanes where it leads now.
    pub(super) async fn elsewhere(&self, shutdown: &Shutdown) -> Result<(), StoreError> {
        while !shutdown.is_fired() {
            let Some((message, _)) = self.feed.next().await? else { break };
            let Some(_held) = self.shared.in_work.take(message.id) else { continue };
            let recipients = moves(&self.shared.routes.table(), &message, self.shared.clock.now());
            if recipients.is_empty() {
                // Its route has come back meanwhile: the next visit finds it.
                break;
            }
            self.shared.queue.settle(Settlement { recipients, ..Settlement::default() }).await?;
            self.feed.done(message.id).await;
        }
        Ok(())
    }

    /// Everything into a Maildir, a file for each recipient.
    pub(super) async fn file(&self, root: &Path, path: &Path, shutdown: &Shutdown) -> Result<(), StoreError> {
        let place = root.join(path).display().to_string();
        while !shutdown.is_fired() {
            // What comes of a message has to be written down: without room for that it would be filed again and again.
            self.shared.mail.admit(0)?;
            let Some((message, _)) = self.feed.next().await? else { break };
            let Some(held) = self.shared.in_work.take(message.id) else { continue };
            for recipient in &message.recipients {
                // Noted before the first byte, so that a crash is known to have come between; of each, as the note is gone
                // with what came of the one before.
                let look = match self.shared.queue.mark_trial(message.id).await {
                    Ok(trials) => trials > 1,
                    // Somebody removed it.
                    Err(StoreError::NotFound(_)) => break,
                    Err(error) => return Err(error),
                };
                match self.file_one(root, path, &message, recipient, look).await? {
                    Ok(()) => {
                        let attempt = self.attempt(EnhancedStatus::of(2, 0, 0), &place, "written into the Maildir");
                        let decided = vec![(recipient, Decision::Delivered(attempt.clone()))];
                        // Whoever reads it there confirms nothing: a confirmation that was asked for is ours.
                        let visited = Visited { host_pause: attempt.at, relayed: true, protection: "none" };
                        self.settle(&message, decided, visited).await?;
                    }
                    Err(error) => {
                        drop(held);
                        let text = format!("it can't be written: {error}");
                        let unreached = Unreached { host: place, code: 0, status: CANT_WRITE, text, busy: false };
                        return self.rest(unreached, vec![left_of(&message, recipient.number)]).await;
                    }
                }
            }
            self.feed.done(message.id).await;
        }
        Ok(())
    }

    /// The inner error is the Maildir's.
    async fn file_one(
        &self,
        root: &Path,
        path: &Path,
        message: &QueuedMessage,
        recipient: &QueuedRecipient,
        look: bool,
    ) -> Result<io::Result<()>, StoreError> {
        let (root, path) = (root.to_owned(), path.to_owned());
        let opened = tokio::task::spawn_blocking(move || Maildir::open(&root, &path)).await;
        let maildir = match opened.map_err(io::Error::other).and_then(|opened| opened) {
            Ok(maildir) => maildir,
            Err(error) => return Ok(Err(error)),
        };
        let sender = message.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        // RFC 5321 §4.4 and RFC 9228: the envelope, for whoever passes it on.
        let fields = format!("Return-Path: <{sender}>\r\nDelivered-To: {}\r\n", recipient.address);
        let mail = Arc::clone(&self.shared.mail);
        let mut content = Stored::open(mail, message.blob, message.size, Bytes::from(fields)).await?;
        let id = message.id.0;
        let name =
            format!("{}.Q{id}N{}.{}", message.envelope.arrived.0, recipient.number, self.shared.visitor.hostname);
        let writing = Writing::begin(maildir, name, look);
        loop {
            match content.next().await {
                Ok(Some(piece)) => writing.write(piece).await,
                Ok(None) => return Ok(writing.end().await),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn attempt(&self, status: EnhancedStatus, host: &str, text: &str) -> Attempt {
        let at = self.shared.clock.now();
        Attempt { at, host: host.to_owned(), code: 0, status: Some(status), text: text.to_owned() }
    }
}

/// A message with those of its recipients that haven't got it.
fn left_of(message: &QueuedMessage, from: u32) -> QueuedMessage {
    let mut left = message.clone();
    left.recipients.retain(|recipient| recipient.number >= from);
    left
}
