//! LIST, LSUB and STATUS (RFC 3501 §6.3.8 to §6.3.10; RFC 5258, 5819, 6154).

use super::Session;
use super::reply::{Done, Stop};
use crate::command::{List, StatusItem};
use crate::glob::Glob;
use crate::respond;
use mailward_core::{AccountId, MailboxName};
use mailward_store::records::MailboxRecord;
use std::collections::{BTreeMap, BTreeSet};

/// One name as LIST tells it.
#[derive(Default)]
struct Entry<'a> {
    record: Option<&'a MailboxRecord>,
    subscribed: bool,
    /// Something under it is subscribed (RFC 5258 §3.5).
    holds_subscribed: bool,
}

impl Session {
    pub(super) async fn list(&mut self, account: AccountId, list: List) -> Result<Done, Stop> {
        if list.delimiter_only {
            self.io.line(&["* LIST (\\Noselect) \"/\" \"\""]);
            return Ok(Done::ok("that is the delimiter"));
        }
        let mailboxes = self.context.store.mailboxes(account).await?;
        let subscriptions = if list.return_subscribed || list.subscribed_only {
            self.context.store.subscriptions(account).await?
        } else {
            Vec::new()
        };
        let names: BTreeSet<&str> = mailboxes.iter().map(|m| m.name.as_str()).collect();
        let entries = entries(&mailboxes, &subscriptions, &list);
        let globs: Vec<Glob> = list.patterns.iter().map(|p| Glob::new(p)).collect();
        for (index, (name, entry)) in entries.into_iter().enumerate() {
            if index & 63 == 63 {
                // Many names times many patterns: others of this thread have their turn in between.
                tokio::task::yield_now().await;
            }
            if !globs.iter().any(|glob| glob.matches(&name)) {
                continue;
            }
            self.tell_entry(&names, &name, &entry, &list);
            if let (Some(record), false) = (entry.record.filter(|r| r.selectable), list.status.is_empty()) {
                self.tell_status(record, &list.status);
            }
            self.io.between().await?;
        }
        Ok(Done::ok("that is all"))
    }

    fn tell_entry(&mut self, names: &BTreeSet<&str>, name: &str, entry: &Entry<'_>, list: &List) {
        let mut attributes: Vec<&str> = Vec::new();
        match entry.record {
            None => attributes.extend(["\\NonExistent", "\\HasNoChildren"]),
            Some(record) => {
                if !record.selectable {
                    attributes.push("\\Noselect");
                }
                attributes.push(if has_children(names, name) { "\\HasChildren" } else { "\\HasNoChildren" });
                attributes.extend(record.special_use.as_deref());
            }
        }
        if entry.subscribed && list.return_subscribed {
            attributes.push("\\Subscribed");
        }
        self.tell_name("* LIST (", &attributes, name);
        if list.recursive && entry.holds_subscribed {
            self.io.out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
        }
        self.io.line(&[]);
    }

    fn tell_name(&mut self, start: &str, attributes: &[&str], name: &str) {
        let out = &mut self.io.out;
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(attributes.join(" ").as_bytes());
        out.extend_from_slice(b") \"/\" ");
        respond::mailbox(out, name);
    }

    /// RFC 3501 §6.3.9.
    pub(super) async fn lsub(&mut self, account: AccountId, pattern: &str) -> Result<Done, Stop> {
        let subscribed = self.context.store.subscriptions(account).await?;
        let glob = Glob::new(pattern);
        let all: BTreeSet<&MailboxName> = subscribed.iter().collect();
        // A name that lies deeper than the pattern reaches is told by the one above it that the pattern matches.
        let mut told: BTreeMap<String, bool> = BTreeMap::new();
        for name in &subscribed {
            if glob.matches(name.as_str()) {
                told.insert(name.as_str().to_owned(), true);
                continue;
            }
            let mut above = name.parent();
            while let Some(parent) = above {
                if glob.matches(parent.as_str()) && !all.contains(&parent) {
                    told.entry(parent.as_str().to_owned()).or_insert(false);
                }
                above = parent.parent();
            }
        }
        for (name, is_subscribed) in told {
            self.tell_name("* LSUB (", if is_subscribed { &[] } else { &["\\Noselect"] }, &name);
            self.io.line(&[]);
            self.io.between().await?;
        }
        Ok(Done::ok("that is all"))
    }

    pub(super) async fn status(
        &mut self,
        account: AccountId,
        name: MailboxName,
        items: &[StatusItem],
    ) -> Result<Done, Stop> {
        let record = self.context.store.mailbox(account, name).await?;
        if !record.selectable {
            return Ok(Done::no("[NONEXISTENT] the name only holds others"));
        }
        if items.contains(&StatusItem::HighestModSeq) {
            self.use_condstore();
        }
        self.tell_status(&record, items);
        Ok(Done::ok("that is the status"))
    }

    fn tell_status(&mut self, record: &MailboxRecord, items: &[StatusItem]) {
        let limit = self.context.settings.load().message_size;
        let out = &mut self.io.out;
        out.extend_from_slice(b"* STATUS ");
        respond::mailbox(out, record.name.as_str());
        for (index, item) in items.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b" (" } else { b" " });
            let (name, value) = match item {
                StatusItem::Messages => ("MESSAGES ", record.messages.into()),
                StatusItem::Recent => ("RECENT ", 0),
                StatusItem::UidNext => ("UIDNEXT ", record.uid_next.0.into()),
                StatusItem::UidValidity => ("UIDVALIDITY ", record.uid_validity.0.into()),
                StatusItem::Unseen => ("UNSEEN ", record.unseen.into()),
                StatusItem::HighestModSeq => ("HIGHESTMODSEQ ", record.mod_seq.0),
                StatusItem::Size => ("SIZE ", record.bytes),
                StatusItem::Deleted => ("DELETED ", record.deleted.into()),
                StatusItem::AppendLimit => ("APPENDLIMIT ", limit),
            };
            out.extend_from_slice(name.as_bytes());
            respond::number(out, value);
        }
        out.extend_from_slice(b")\r\n");
    }
}

/// The names that the selection options leave, before the patterns.
fn entries<'a>(
    mailboxes: &'a [MailboxRecord],
    subscriptions: &[MailboxName],
    list: &List,
) -> BTreeMap<String, Entry<'a>> {
    let mut all: BTreeMap<String, Entry<'a>> = BTreeMap::new();
    for record in mailboxes {
        all.entry(record.name.as_str().to_owned()).or_default().record = Some(record);
    }
    for name in subscriptions {
        all.entry(name.as_str().to_owned()).or_default().subscribed = true;
        let mut above = name.parent();
        while let Some(parent) = above {
            all.entry(parent.as_str().to_owned()).or_default().holds_subscribed = true;
            above = parent.parent();
        }
    }
    all.retain(|_, entry| {
        let special = !list.special_only || entry.record.is_some_and(|r| r.special_use.is_some());
        let selected = if list.subscribed_only {
            entry.subscribed || (list.recursive && entry.holds_subscribed)
        } else {
            entry.record.is_some()
        };
        special && selected
    });
    all
}

fn has_children(names: &BTreeSet<&str>, name: &str) -> bool {
    let prefix = format!("{name}/");
    names.range(prefix.as_str()..).next().is_some_and(|next| next.starts_with(&prefix))
}
