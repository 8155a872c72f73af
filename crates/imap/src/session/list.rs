//! LIST, LSUB and STATUS (RFC 3501 §6.3.8 to §6.3.10; RFC 5258, 5819, 6154).

use super::Session;
use super::access::{Place, SHARED, is_shared, shared_name};
use super::reply::{Done, Stop};
use crate::command::{List, StatusItem};
use crate::glob::Glob;
use crate::respond;
use mailward_core::MailboxName;
use mailward_store::records::Rights;
use std::collections::{BTreeMap, BTreeSet};

/// One name as LIST tells it.
#[derive(Default)]
struct Entry {
    /// Nothing for a name that is subscribed only, and for the levels above what others share.
    place: Option<Place>,
    /// A level above what others share.
    level: bool,
    subscribed: bool,
    /// Something under it is subscribed (RFC 5258 §3.5).
    holds_subscribed: bool,
}

impl Session {
    pub(super) async fn list(&mut self, list: List) -> Result<Done, Stop> {
        if list.delimiter_only {
            self.io.line(&["* LIST (\\Noselect) \"/\" \"\""]);
            return Ok(Done::ok("that is the delimiter"));
        }
        let account = self.account()?;
        let subscriptions = if list.return_subscribed || list.subscribed_only {
            self.context.store.subscriptions(account).await?
        } else {
            Vec::new()
        };
        let mut all = self.places().await?;
        let names: BTreeSet<String> = all.keys().cloned().collect();
        select(&mut all, &subscriptions, &list);
        let globs: Vec<Glob> = list.patterns.iter().map(|p| Glob::new(p)).collect();
        for (index, (name, entry)) in all.into_iter().enumerate() {
            if index & 63 == 63 {
                // Many names times many patterns: others of this thread have their turn in between.
                tokio::task::yield_now().await;
            }
            if !globs.iter().any(|glob| glob.matches(&name)) {
                continue;
            }
            self.tell_entry(&names, &name, &entry, &list);
            if let Some(place) = entry.place.filter(|place| place.record.selectable) {
                if !list.status.is_empty() && place.rights.contains(Rights::READ) {
                    self.tell_status(&place, &list.status);
                }
                if list.return_rights {
                    self.tell_rights(&place);
                }
            }
            self.io.between().await?;
        }
        Ok(Done::ok("that is all"))
    }

    /// Every name that there is for this user, his own and what others share with him.
    async fn places(&self) -> Result<BTreeMap<String, Entry>, Stop> {
        let account = self.account()?;
        let mut all: BTreeMap<String, Entry> = BTreeMap::new();
        for record in self.context.store.mailboxes(account).await? {
            // One of that name from before there was sharing can't be reached.
            if !is_shared(record.name.as_str()) {
                let name = record.name.clone();
                let entry = all.entry(name.to_string()).or_default();
                entry.place = Some(Place { record, rights: Rights::ALL, name });
            }
        }
        for (record, rights) in self.context.store.shared_with(account).await? {
            let Some(owner) = self.context.directory.address_of(record.account) else { continue };
            let name = shared_name(&owner, record.name.as_str());
            let Ok(name) = MailboxName::parse(&name) else { continue };
            if rights.contains(Rights::LOOKUP) {
                for level in [SHARED.to_owned(), format!("{SHARED}/{owner}")] {
                    all.entry(level).or_default().level = true;
                }
                let entry = all.entry(name.to_string()).or_default();
                entry.place = Some(Place { record, rights, name });
            }
        }
        Ok(all)
    }

    fn tell_entry(&mut self, names: &BTreeSet<String>, name: &str, entry: &Entry, list: &List) {
        let mut attributes: Vec<&str> = Vec::new();
        match &entry.place {
            None if entry.level => attributes.extend(["\\Noselect", "\\HasChildren"]),
            None => attributes.extend(["\\NonExistent", "\\HasNoChildren"]),
            Some(place) => {
                if !place.record.selectable {
                    attributes.push("\\Noselect");
                }
                attributes.push(if has_children(names, name) { "\\HasChildren" } else { "\\HasNoChildren" });
                // What a mailbox is to its owner it isn't to others.
                attributes.extend(place.record.special_use.as_deref().filter(|_| place.name == place.record.name));
            }
        }
        if entry.subscribed && list.return_subscribed {
            attributes.push("\\Subscribed");
        }
        self.tell_listed("* LIST (", &attributes, name);
        if list.recursive && entry.holds_subscribed {
            self.io.out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
        }
        self.io.line(&[]);
    }

    fn tell_listed(&mut self, start: &str, attributes: &[&str], name: &str) {
        let out = &mut self.io.out;
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(attributes.join(" ").as_bytes());
        out.extend_from_slice(b") \"/\" ");
        self.tell_mailbox(name);
    }

    /// RFC 3501 §6.3.9.
    pub(super) async fn lsub(&mut self, pattern: &str) -> Result<Done, Stop> {
        let account = self.account()?;
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
            self.tell_listed("* LSUB (", if is_subscribed { &[] } else { &["\\Noselect"] }, &name);
            self.io.line(&[]);
            self.io.between().await?;
        }
        Ok(Done::ok("that is all"))
    }

    pub(super) async fn status(&mut self, name: MailboxName, items: &[StatusItem]) -> Result<Done, Stop> {
        let place = self.place(&name).await?;
        place.require_selectable()?;
        place.require(Rights::READ)?;
        if items.contains(&StatusItem::HighestModSeq) {
            self.use_condstore();
        }
        self.tell_status(&place, items);
        Ok(Done::ok("that is the status"))
    }

    fn tell_status(&mut self, place: &Place, items: &[StatusItem]) {
        let limit = self.context.settings.load().message_size;
        let record = &place.record;
        self.io.out.extend_from_slice(b"* STATUS ");
        self.tell_mailbox(place.name.as_str());
        let out = &mut self.io.out;
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
                StatusItem::MailboxId => {
                    out.extend_from_slice(b"MAILBOXID (");
                    respond::mailbox_id(out, record.id);
                    out.push(b')');
                    continue;
                }
            };
            out.extend_from_slice(name.as_bytes());
            respond::number(out, value);
        }
        out.extend_from_slice(b")\r\n");
    }
}

/// Leaves the names that the selection options ask for, before the patterns.
fn select(all: &mut BTreeMap<String, Entry>, subscriptions: &[MailboxName], list: &List) {
    for name in subscriptions {
        all.entry(name.as_str().to_owned()).or_default().subscribed = true;
        let mut above = name.parent();
        while let Some(parent) = above {
            all.entry(parent.as_str().to_owned()).or_default().holds_subscribed = true;
            above = parent.parent();
        }
    }
    all.retain(|_, entry| {
        let place = entry.place.as_ref();
        let special =
            !list.special_only || place.is_some_and(|p| p.name == p.record.name && p.record.special_use.is_some());
        let selected = if list.subscribed_only {
            entry.subscribed || (list.recursive && entry.holds_subscribed)
        } else {
            place.is_some() || entry.level
        };
        special && selected
    });
}

fn has_children(names: &BTreeSet<String>, name: &str) -> bool {
    let prefix = format!("{name}/");
    names.range(prefix.clone()..).next().is_some_and(|next| next.starts_with(&prefix))
}
