//! Message after message.

use super::keep::noted;
use super::record::{End, Place, Run};
use super::{Rescan, Whose};
use crate::inspector::Stored;
use crate::quarantine::Note;
use crate::verdict::Finding;
use mailward_core::event::Event;
use mailward_core::limits::{
    QUARANTINE_NOTE_MAX, RESCAN_CLEAN_MAX, RESCAN_NOTED_EVERY, RESCAN_NOTED_TIME, RESCAN_PAGE, RESCAN_REST_MAX,
    RESCAN_TRIES, RESCAN_WAIT,
};
use mailward_core::{AccountId, Address, BlobId, Shutdown, Timestamp, Uid};
use mailward_message::Structure;
use mailward_store::StoreError;
use mailward_store::records::{MailboxRecord, MessageRecord, UidRange};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// What a walk has in its memory alone.
struct Walk<'a> {
    rescan: &'a Rescan,
    shutdown: &'a mut Shutdown,
    /// Contents that nothing was found in.
    clean: HashSet<BlobId>,
    /// What was let go, so that the second round doesn't count it again.
    let_go: HashSet<BlobId>,
    noted: (u64, Instant),
}

/// What is to be done next.
enum Next {
    GoOn,
    /// The server stops: it goes on at the next start.
    Leave,
    End(End),
}

impl Rescan {
    /// Messages in the mailboxes that are meant.
    pub(super) async fn count(&self, scope: &super::Scope) -> Result<u64, StoreError> {
        let mut total = 0u64;
        for (account, _) in self.accounts(&scope.whose) {
            let mailboxes = self.mailboxes(account, scope).await?;
            let messages = mailboxes.iter().map(|mailbox| u64::from(mailbox.messages));
            total = messages.fold(total, u64::saturating_add);
        }
        Ok(total)
    }

    fn accounts(&self, whose: &Whose) -> Vec<(AccountId, Address)> {
        let mut accounts = (self.parts.accounts)(whose);
        accounts.sort_by_key(|(account, _)| *account);
        accounts
    }

    /// By their numbers: names change.
    async fn mailboxes(&self, account: AccountId, scope: &super::Scope) -> Result<Vec<MailboxRecord>, StoreError> {
        let mut mailboxes = match self.parts.mail.mailboxes(account).await {
            // It was removed meanwhile.
            Err(StoreError::NotFound(_)) => Vec::new(),
            found => found?,
        };
        mailboxes
            .retain(|mailbox| mailbox.selectable && scope.folder.as_ref().is_none_or(|folder| *folder == mailbox.name));
        mailboxes.sort_by_key(|mailbox| mailbox.id);
        Ok(mailboxes)
    }

    /// Looks at all that is left of it: how it ended; none: the server stops.
    pub(super) async fn walk(&self, run: &mut Run, shutdown: &mut Shutdown) -> Result<Option<End>, StoreError> {
        let mut walk = Walk {
            rescan: self,
            shutdown,
            clean: HashSet::new(),
            let_go: HashSet::new(),
            noted: (run.passed, Instant::now()),
        };
        let next = walk.all(run).await;
        if !matches!(next, Ok(Next::GoOn)) {
            // A kill costs what came since the last note; a stop needn't.
            let _noted_before = self.records.note(run).await;
        }
        Ok(match next? {
            Next::GoOn => Some(End::Done),
            Next::Leave => None,
            Next::End(end) => Some(end),
        })
    }
}

impl Walk<'_> {
    /// Twice: what was moved while it was under way may now be where it had been already.
    async fn all(&mut self, run: &mut Run) -> Result<Next, StoreError> {
        loop {
            match self.once(run).await? {
                Next::GoOn if run.again => return Ok(Next::GoOn),
                Next::GoOn => {
                    (run.again, run.place) = (true, None);
                    self.note(run).await?;
                }
                other => return Ok(other),
            }
        }
    }

    async fn once(&mut self, run: &mut Run) -> Result<Next, StoreError> {
        let from = run.place.clone();
        let begins = from.as_ref().map_or(AccountId(i64::MIN), |place| place.account);
        for (account, address) in self.rescan.accounts(&run.scope.whose) {
            if account < begins {
                continue;
            }
            for mailbox in self.rescan.mailboxes(account, &run.scope).await? {
                let after = match from.as_ref().filter(|place| place.account == account) {
                    Some(place) if mailbox.id < place.mailbox => continue,
                    Some(place) if mailbox.id == place.mailbox => place.uid,
                    _ => Uid(0),
                };
                match self.mailbox(run, &address, &mailbox, after).await? {
                    Next::GoOn => {}
                    other => return Ok(other),
                }
            }
        }
        Ok(Next::GoOn)
    }

    async fn mailbox(
        &mut self,
        run: &mut Run,
        whose: &Address,
        mailbox: &MailboxRecord,
        mut after: Uid,
    ) -> Result<Next, StoreError> {
        while let Some(first) = after.0.checked_add(1) {
            let rest = vec![UidRange { first: Uid(first), last: UidRange::ALL.last }];
            let page = match self.rescan.parts.mail.messages(mailbox.id, rest, RESCAN_PAGE).await {
                Err(StoreError::NotFound(_)) => return Ok(Next::GoOn),
                page => page?,
            };
            let Some(last) = page.last() else { return Ok(Next::GoOn) };
            after = last.uid;
            for message in &page {
                if self.shutdown.is_fired() {
                    return Ok(Next::Leave);
                }
                if self.rescan.stopping.load(Ordering::Relaxed) {
                    return Ok(Next::End(End::Stopped));
                }
                match self.message(run, whose, mailbox, message).await? {
                    Next::GoOn => {}
                    other => return Ok(other),
                }
                *self.rescan.current() = Some(run.clone());
                self.note_if_due(run).await?;
            }
        }
        Ok(Next::GoOn)
    }

    /// One message. It counts as looked at when it was, and withdrawn with the note that it was.
    async fn message(
        &mut self,
        run: &mut Run,
        whose: &Address,
        mailbox: &MailboxRecord,
        message: &MessageRecord,
    ) -> Result<Next, StoreError> {
        let mut then = run.clone();
        then.place = Some(Place {
            account: mailbox.account,
            mailbox: mailbox.id,
            uid: message.uid,
            told: format!("{whose}, mailbox {}, UID {}", mailbox.name, message.uid.0),
        });
        if !run.again {
            then.passed = then.passed.saturating_add(1);
        }
        let is_meant = run.scope.has(message) && (!run.again || message.saved_date >= run.began);
        if !is_meant || self.clean.contains(&message.blob) || (run.again && self.let_go.contains(&message.blob)) {
            // The second round comes by what the first one looked at as well.
            if is_meant && !run.again {
                then.looked = then.looked.saturating_add(1);
            }
            *run = then;
            return Ok(Next::GoOn);
        }
        let began = Instant::now();
        let seen = self.look(message).await?;
        let took = began.elapsed();
        let (envelope, stored) = match seen {
            Ok(Some(seen)) => seen,
            // It is gone.
            Ok(None) => {
                *run = then;
                return Ok(Next::GoOn);
            }
            Err(next) => return Ok(next),
        };
        then.looked = then.looked.saturating_add(1);
        then.bytes = then.bytes.saturating_add(message.size);
        match stored {
            Stored::Clean => {
                if self.clean.len() < RESCAN_CLEAN_MAX {
                    self.clean.insert(message.blob);
                }
            }
            Stored::Unscannable(why) => {
                then.unscannable = then.unscannable.saturating_add(1);
                let event = Event::info("antivirus.rescan_unscannable").with("user", whose).with("why", why);
                self.rescan.parts.events.emit(event.with("mailbox", &mailbox.name).with("uid", message.uid.0));
            }
            Stored::Later(why) => return Ok(Next::End(End::Broken(why))),
            Stored::Found(findings) => {
                let released = self.rescan.records.released(message.blob).await?;
                if findings.iter().all(|found| released.contains(&found.rule)) {
                    then.let_go = then.let_go.saturating_add(1);
                    if self.let_go.len() < RESCAN_CLEAN_MAX {
                        self.let_go.insert(message.blob);
                    }
                } else {
                    findings.iter().for_each(|found| then.name(&found.rule));
                    then.found = then.found.saturating_add(1);
                    let note = Note::of_stored(&envelope, whose, findings);
                    match self.withdraw(&then, whose, mailbox, message, &note).await {
                        Ok(()) => {}
                        Err(StoreError::NotFound(_)) => {
                            // It was moved or removed meanwhile; where it is now it is looked at once more.
                            (then.found, then.names) = (run.found, run.names.clone());
                        }
                        Err(error @ StoreError::QuarantineFull) => {
                            return Ok(Next::End(End::Broken(error.to_string())));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        *run = then;
        self.rest(took.min(RESCAN_REST_MAX)).await;
        Ok(Next::GoOn)
    }

    /// What is seen of it; none: it is gone. Whoever can't look now is waited for.
    async fn look(
        &mut self,
        message: &MessageRecord,
    ) -> Result<Result<Option<(mailward_message::Envelope, Stored)>, Next>, StoreError> {
        let parts = &self.rescan.parts;
        let Some(described) = parts.mail.blobs(vec![message.blob]).await?.pop() else { return Ok(Ok(None)) };
        let bytes = match parts.mail.read(message.blob, 0, described.size).await {
            Ok(bytes) => bytes,
            Err(StoreError::NotFound(_)) => return Ok(Ok(None)),
            Err(error @ StoreError::Damaged(_)) => {
                return Ok(Ok(Some((mailward_message::Envelope::default(), Stored::Unscannable(error.to_string())))));
            }
            Err(error) => return Err(error),
        };
        let structure =
            Arc::new(Structure::from_bytes(&described.structure).unwrap_or_else(|_| Structure::parse(&bytes)));
        let mut last = String::new();
        let mut shown_again = false;
        for _ in 0..RESCAN_TRIES {
            let looking = parts.inspector.look_at_stored(bytes.clone(), Arc::clone(&structure), self.rescan.now());
            let stored = tokio::select! {
                biased;
                () = self.shutdown.fired() => return Ok(Err(Next::Leave)),
                stored = looking => stored,
            };
            match stored {
                Stored::Later(why) => last = why,
                // An engine that is just started anew breaks off as one does that a message is too much for.
                Stored::Unscannable(_) if !shown_again => {
                    shown_again = true;
                    continue;
                }
                stored => return Ok(Ok(Some((structure.envelope().clone(), stored)))),
            }
            self.rest(RESCAN_WAIT).await;
            if self.shutdown.is_fired() {
                return Ok(Err(Next::Leave));
            }
            if self.rescan.stopping.load(Ordering::Relaxed) {
                return Ok(Err(Next::End(End::Stopped)));
            }
        }
        Ok(Ok(Some((structure.envelope().clone(), Stored::Later(last)))))
    }

    async fn withdraw(
        &mut self,
        run: &Run,
        whose: &Address,
        mailbox: &MailboxRecord,
        message: &MessageRecord,
        note: &Note,
    ) -> Result<(), StoreError> {
        let parts = &self.rescan.parts;
        let days = i64::try_from((parts.quarantine_days)()).unwrap_or(i64::MAX);
        let expires = Timestamp(self.rescan.now().0.saturating_add(days.saturating_mul(86_400_000)));
        let bytes = note.to_bytes(QUARANTINE_NOTE_MAX).into();
        let id = parts.quarantine.withdraw(mailbox.id, message.uid, bytes, expires, vec![noted(run)]).await?;
        self.noted = (run.passed, Instant::now());
        let found: Vec<String> = note.findings.iter().map(Finding::to_string).collect();
        let event = Event::info("quarantine.withdrawn").with("quarantine", id).with("by", "rescan").with("user", whose);
        parts.events.emit(event.with("mailbox", &mailbox.name).with("found", found.join("; ")));
        Ok(())
    }

    async fn note(&mut self, run: &Run) -> Result<(), StoreError> {
        self.noted = (run.passed, Instant::now());
        self.rescan.records.note(run).await
    }

    async fn note_if_due(&mut self, run: &Run) -> Result<(), StoreError> {
        let (passed, at) = self.noted;
        if run.passed.saturating_sub(passed) >= RESCAN_NOTED_EVERY || at.elapsed() >= RESCAN_NOTED_TIME {
            return self.note(run).await;
        }
        Ok(())
    }

    /// Arriving mail comes first.
    async fn rest(&mut self, time: Duration) {
        let heard = self.rescan.heard.notified();
        if self.rescan.stopping.load(Ordering::Relaxed) {
            return;
        }
        tokio::select! {
            () = self.shutdown.fired() => {}
            () = heard => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
