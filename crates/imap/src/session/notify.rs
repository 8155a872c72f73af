//! NOTIFY (RFC 5465): news of mailboxes that aren't selected, and of the selected one without IDLE.

use super::Session;
use super::fetch::{Plan, write_page};
use super::io::Io;
use super::reply::{Done, Stop};
use crate::command::{Notify, NotifyEvents, NotifyGroup, NotifyMailboxes};
use crate::respond;
use mailward_core::limits::{IMAP_FETCH_ROWS, IMAP_NOTIFY_PAUSE};
use mailward_core::{MailboxId, MailboxName, ModSeq, Uid};
use mailward_store::MailStore;
use mailward_store::records::{MailboxRecord, Rights, UidRange};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// The events that are known here, as BADEVENT tells them.
pub(super) const EVENTS: &str = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange";

/// What a session wants to be told of, and what it has been told.
pub(crate) struct Notifier {
    groups: Vec<NotifyGroup>,
    watch: watch::Receiver<u64>,
    /// When it was looked last: many changes of a moment are one look.
    looked: Instant,
    known: Known,
}

/// The account's mailboxes as the client knows them.
#[derive(Default)]
struct Known {
    mailboxes: BTreeMap<MailboxId, Seen>,
    subscriptions: BTreeSet<MailboxName>,
}

#[derive(Clone, PartialEq, Eq)]
struct Seen {
    name: MailboxName,
    selectable: bool,
    uid_next: Uid,
    messages: u32,
    mod_seq: ModSeq,
}

impl Seen {
    fn of(record: &MailboxRecord) -> Self {
        Self {
            name: record.name.clone(),
            selectable: record.selectable,
            uid_next: record.uid_next,
            messages: record.messages,
            mod_seq: record.mod_seq,
        }
    }
}

impl Notifier {
    fn selected(&self) -> Option<(bool, &NotifyEvents)> {
        self.groups.iter().find_map(|group| match group.mailboxes {
            NotifyMailboxes::Selected { delayed } => Some((delayed, &group.events)),
            _ => None,
        })
    }

    /// Whether the selected mailbox is told of at all: unless it was asked not to be.
    pub(crate) fn tells_selected(&self) -> bool {
        self.selected().is_none_or(|(_, events)| events.messages)
    }

    /// Whether it is told of without being asked, and then whether expunges wait (RFC 5465 §6.2).
    pub(crate) fn tells_selected_at_once(&self) -> Option<bool> {
        self.selected().filter(|(_, events)| events.messages).map(|(delayed, _)| delayed)
    }

    /// Comes when there may be something to tell.
    pub(crate) async fn changed(&mut self) {
        if self.watch.wait_for_change().await {
            tokio::time::sleep_until(self.looked.checked_add(IMAP_NOTIFY_PAUSE).unwrap_or(self.looked)).await;
        } else {
            // The store is closing; the word to stop is on its way.
            std::future::pending::<()>().await;
        }
    }

    /// What of a mailbox is wanted: by the first group that has it (RFC 5465 §3.1).
    fn events_of(&self, name: &MailboxName, subscriptions: &BTreeSet<MailboxName>) -> Option<&NotifyEvents> {
        let has = |group: &NotifyGroup| match &group.mailboxes {
            NotifyMailboxes::Selected { .. } => false,
            NotifyMailboxes::Inboxes => name.is_inbox(),
            NotifyMailboxes::Personal => true,
            NotifyMailboxes::Subscribed => subscriptions.contains(name),
            NotifyMailboxes::Subtree(roots) => roots.iter().any(|root| name == root || name.is_under(root)),
            NotifyMailboxes::Mailboxes(names) => names.contains(name),
        };
        self.groups.iter().find(|group| has(group)).map(|group| &group.events)
    }
}

/// What a watch says, with whether anybody is left to say it.
trait WaitForChange {
    async fn wait_for_change(&mut self) -> bool;
}

impl WaitForChange for watch::Receiver<u64> {
    /// The value stays unseen until it is looked at: a wait that is given up loses nothing.
    async fn wait_for_change(&mut self) -> bool {
        if self.has_changed().unwrap_or(false) {
            return true;
        }
        let mut other = self.clone();
        other.changed().await.is_ok()
    }
}

impl Session {
    pub(super) async fn notify(&mut self, notify: Notify) -> Result<Done, Stop> {
        let account = self.account()?;
        let other = notify.groups.iter().any(|group| {
            let selected = matches!(group.mailboxes, NotifyMailboxes::Selected { .. });
            if selected { group.events.names || group.events.subscriptions } else { !group.events.fetch.is_empty() }
        });
        if other {
            // RFC 5465 §5: what is fetched is of the selected mailbox, what is named is of the others.
            return Ok(Done::bad("that event doesn't go with those mailboxes"));
        }
        if notify.groups.is_empty() {
            self.notify = None;
            return Ok(Done::ok("nothing is told unasked"));
        }
        let mut watch = self.context.store.watch_account(account);
        watch.borrow_and_update();
        let mut notifier = Notifier { groups: notify.groups, watch, looked: Instant::now(), known: Known::default() };
        let (records, known) = self.look().await?;
        notifier.known = known;
        if notify.status {
            let selected = self.selected().ok().map(|(view, _)| view.mailbox);
            for record in records.iter().filter(|r| r.selectable && Some(r.id) != selected) {
                if notifier.events_of(&record.name, &notifier.known.subscriptions).is_some_and(|e| e.messages) {
                    self.tell_changed(record);
                    self.io.between().await?;
                }
            }
        }
        self.notify = Some(Box::new(notifier));
        Ok(Done::ok("that will be told"))
    }

    async fn look(&self) -> Result<(Vec<MailboxRecord>, Known), Stop> {
        let account = self.account()?;
        let records = self.context.store.mailboxes(account).await?;
        let subscriptions = self.context.store.subscriptions(account).await?.into_iter().collect();
        let mailboxes = records.iter().map(|record| (record.id, Seen::of(record))).collect();
        Ok((records, Known { mailboxes, subscriptions }))
    }

    /// Tells what has changed elsewhere since it was looked last.
    pub(super) async fn tell_unasked(&mut self) -> Result<(), Stop> {
        let Some(mut notifier) = self.notify.take() else { return Ok(()) };
        let told = self.tell_differences(&mut notifier).await;
        self.notify = Some(notifier);
        told
    }

    async fn tell_differences(&mut self, notifier: &mut Notifier) -> Result<(), Stop> {
        if !notifier.watch.has_changed().unwrap_or(false) {
            return Ok(());
        }
        notifier.watch.borrow_and_update();
        notifier.looked = Instant::now();
        let (records, now) = self.look().await?;
        let before = std::mem::replace(&mut notifier.known, now);
        let now = &notifier.known;
        let selected = self.selected().ok().map(|(view, _)| view.mailbox);
        for record in &records {
            let Some(events) = notifier.events_of(&record.name, &now.subscriptions) else { continue };
            let seen = before.mailboxes.get(&record.id);
            if events.names && seen.is_none_or(|seen| seen.name != record.name || seen.selectable != record.selectable)
            {
                self.tell_name(record.name.as_str(), if record.selectable { "" } else { "\\Noselect" });
                if let Some(old) = seen.filter(|seen| seen.name != record.name) {
                    // RFC 5465 §5.4, RFC 9051 §7.3.1.
                    self.io.out.extend_from_slice(b" (\"OLDNAME\" (");
                    self.tell_mailbox(old.name.as_str());
                    self.io.out.extend_from_slice(b"))");
                }
                self.io.line(&[]);
            }
            let came_or_went = seen.is_none_or(|s| (s.uid_next, s.messages) != (record.uid_next, record.messages));
            let changed = seen.is_none_or(|s| s.mod_seq != record.mod_seq);
            let wanted = events.messages && (came_or_went || (events.flags && changed));
            if wanted && record.selectable && Some(record.id) != selected {
                self.tell_changed(record);
            }
            self.io.between().await?;
        }
        for (id, seen) in &before.mailboxes {
            let events = notifier.events_of(&seen.name, &before.subscriptions);
            if !now.mailboxes.contains_key(id) && events.is_some_and(|events| events.names) {
                self.tell_name(seen.name.as_str(), "\\NonExistent");
                self.io.line(&[]);
            }
        }
        for name in before.subscriptions.symmetric_difference(&now.subscriptions) {
            let subscribed = now.subscriptions.contains(name);
            // RFC 5465 §5.5: one that is no longer subscribed was in the group until now.
            let with = if subscribed { &now.subscriptions } else { &before.subscriptions };
            if notifier.events_of(name, with).is_some_and(|events| events.subscriptions) {
                self.tell_name(name.as_str(), if subscribed { "\\Subscribed" } else { "" });
                self.io.line(&[]);
            }
        }
        Ok(())
    }

    fn tell_name(&mut self, name: &str, attribute: &str) {
        self.io.out.extend_from_slice(format!("* LIST ({attribute}) \"/\" ").as_bytes());
        self.tell_mailbox(name);
    }

    /// RFC 5465 §5.1 to §5.3.
    fn tell_changed(&mut self, record: &MailboxRecord) {
        self.io.out.extend_from_slice(b"* STATUS ");
        self.tell_mailbox(record.name.as_str());
        let counts = format!(
            " (MESSAGES {} UIDNEXT {} UIDVALIDITY {} UNSEEN {}",
            record.messages, record.uid_next, record.uid_validity, record.unseen
        );
        self.io.out.extend_from_slice(counts.as_bytes());
        if self.enabled.condstore {
            self.io.out.extend_from_slice(b" HIGHESTMODSEQ ");
            respond::number(&mut self.io.out, record.mod_seq.0);
        }
        self.io.line(&[")"]);
    }

    /// What NOTIFY wants fetched of each new message of the selected mailbox (RFC 5465 §5.1).
    pub(super) async fn fetch_new(&mut self, known: u32) -> Result<(), Stop> {
        let items = match self.notify.as_ref().and_then(|notify| notify.selected()) {
            Some((_, events)) if !events.fetch.is_empty() => events.fetch.clone(),
            _ => return Ok(()),
        };
        let store: Arc<dyn MailStore> = Arc::clone(&self.context.store);
        let memory = self.context.memory.clone();
        let condstore = self.enabled.condstore;
        let (view, io): (_, &mut Io) = self.selected()?;
        let last = view.map.last();
        if last <= known {
            return Ok(());
        }
        let seen = !view.read_only && view.rights.contains(Rights::SEEN);
        let plan = Plan::new(items, true, seen, false, condstore);
        let mut ranges = vec![UidRange { first: Uid(known.saturating_add(1)), last: Uid(last) }];
        for _page in 0..IMAP_FETCH_ROWS {
            let mut page = store.fetch(view.mailbox, ranges.clone(), plan.wanted()).await?;
            let Some(last) = page.last().map(|fetched| fetched.row.uid) else { break };
            ranges = super::fetch::after(&ranges, last);
            page.retain(|fetched| view.map.sequence_of(fetched.row.uid).is_some());
            write_page(io, &*store, &memory, view, &plan, page).await?;
        }
        Ok(())
    }
}
