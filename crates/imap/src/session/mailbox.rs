//! CREATE, DELETE, RENAME, SUBSCRIBE, COPY, MOVE and quotas.

use super::Session;
use super::access::{Path, SHARED, not_allowed};
use super::reply::{Done, Stop};
use crate::command::SequenceSet;
use crate::seq::write_set;
use mailward_core::limits::IMAP_COPY_MAX;
use mailward_core::{MailboxName, UidValidity};
use mailward_store::StoreError;
use mailward_store::records::Rights;
use std::sync::Arc;

/// The uses of RFC 6154 §2 that a client may give. `\\All` and `\\Flagged` are no mailboxes here.
const SPECIAL_USES: [&str; 5] = ["\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"];

impl Session {
    pub(super) async fn create(&mut self, name: MailboxName, special_use: Option<String>) -> Result<Done, Stop> {
        let special_use = match special_use {
            Some(asked) => match SPECIAL_USES.iter().find(|known| known.eq_ignore_ascii_case(&asked)) {
                Some(known) => Some((*known).to_owned()),
                None => return Ok(Done::no("[USEATTR] no such special use here")),
            },
            None => None,
        };
        let path = self.new_path(&name).await?;
        if let Some(wanted) = &special_use {
            let all = self.context.store.mailboxes(path.owner).await?;
            if all.iter().any(|mailbox| mailbox.special_use.as_ref() == Some(wanted)) {
                return Ok(Done::no("[USEATTR] another mailbox has that special use"));
            }
        }
        let made = self.context.store.create_mailbox(path.owner, path.name, special_use).await?;
        let mut code = b"[MAILBOXID (".to_vec();
        crate::respond::mailbox_id(&mut code, made.id);
        code.extend_from_slice(b")] created");
        Ok(Done::ok(String::from_utf8_lossy(&code)))
    }

    /// Where a mailbox may be made: in the user's own tree, or below a mailbox of another that lets him (RFC 4314 §4,
    /// `k`).
    async fn new_path(&self, name: &MailboxName) -> Result<Path, Stop> {
        let reserved = || Done::no(format!("[CANNOT] {SHARED} is where others' mailboxes are seen"));
        let path = self.path(name).map_err(|_| reserved())?;
        if path.own {
            return Ok(path);
        }
        let mut above = name.parent();
        while let Some(parent) = above {
            match self.place(&parent).await {
                Ok(place) => {
                    place.require(Rights::CREATE)?;
                    return Ok(path);
                }
                Err(Stop::Store(StoreError::NotFound(_))) => above = parent.parent(),
                Err(other) => return Err(other),
            }
        }
        Err(not_allowed().into())
    }

    pub(super) async fn delete(&mut self, name: MailboxName) -> Result<Done, Stop> {
        let place = self.place(&name).await?;
        place.require(Rights::DELETE_MAILBOX)?;
        let path = self.path(&name)?;
        self.context.store.delete_mailbox(path.owner, path.name).await?;
        // A session that deletes the mailbox it is in leaves it.
        if self.selected().is_ok_and(|(view, _)| view.mailbox == place.record.id) {
            self.deselect();
        }
        Ok(Done::ok("deleted"))
    }

    pub(super) async fn rename(&mut self, from: MailboxName, to: MailboxName) -> Result<Done, Stop> {
        let place = self.place(&from).await?;
        place.require(Rights::DELETE_MAILBOX)?;
        let (from, to) = (self.path(&from)?, self.new_path(&to).await?);
        if from.owner != to.owner {
            return Ok(Done::no("[CANNOT] a mailbox stays its owner's: copy its messages instead"));
        }
        self.context.store.rename_mailbox(from.owner, from.name, to.name).await?;
        Ok(Done::ok("renamed"))
    }

    pub(super) async fn subscribe(&mut self, name: MailboxName, subscribed: bool) -> Result<Done, Stop> {
        let account = self.account()?;
        self.context.store.subscribe(account, name, subscribed).await?;
        Ok(Done::ok(if subscribed { "subscribed" } else { "unsubscribed" }))
    }

    /// COPY and MOVE (RFC 6851), with COPYUID (RFC 4315 §3). What a MOVE takes away is told by the news, after
    /// COPYUID.
    pub(super) async fn copy(
        &mut self,
        uid: bool,
        set: SequenceSet,
        name: MailboxName,
        remove: bool,
    ) -> Result<Done, Stop> {
        let store = Arc::clone(&self.context.store);
        let target = self.target(&name).await?;
        let (view, io) = self.selected()?;
        if remove {
            view.require_writable(Rights::DELETE_MESSAGES.union(Rights::EXPUNGE))?;
        }
        let ranges = view.resolve(&set, uid)?;
        if ranges.is_empty() {
            return Ok(Done::ok("there was nothing to do"));
        }
        let known = view.map.count(&ranges);
        let pieces = view.map.split(&ranges, u32::try_from(IMAP_COPY_MAX).unwrap_or(u32::MAX));
        if !remove && pieces.len() > 1 {
            return Ok(Done::no(format!("[LIMIT] one COPY takes at most {IMAP_COPY_MAX} messages")));
        }
        let mut copied = 0u32;
        let mut told = String::new();
        for piece in pieces {
            let outcome = if remove {
                store.move_messages(view.mailbox, piece, target.record.id).await?
            } else {
                store.copy(view.mailbox, piece, target.record.id).await?
            };
            if outcome.uids.is_empty() {
                continue;
            }
            copied = copied.saturating_add(u32::try_from(outcome.uids.len()).unwrap_or(u32::MAX));
            let code = copy_uid(outcome.uid_validity, &outcome.uids);
            if remove {
                io.line(&["* OK ", &code, " moved"]);
            } else {
                told = code;
            }
        }
        if copied == 0 {
            return Ok(if uid || known == 0 {
                Done::ok("there was nothing to do")
            } else {
                Done::no("[EXPUNGEISSUED] the messages are gone")
            });
        }
        Ok(if remove { Done::ok("moved") } else { Done::ok(format!("{told} copied")) })
    }

    /// RFC 9208 §4.2: one root for the whole account, if it has a quota.
    pub(super) async fn get_quota_root(&mut self, name: MailboxName) -> Result<Done, Stop> {
        let place = self.place(&name).await?;
        place.require(Rights::READ)?;
        // What others share counts for them, and how full they are is their affair.
        let own = place.record.account == self.account()?;
        let usage = self.context.store.usage(place.record.account).await?;
        let limited = own && (usage.quota_bytes > 0 || usage.quota_messages > 0);
        self.io.out.extend_from_slice(b"* QUOTAROOT ");
        self.tell_mailbox(place.name.as_str());
        self.io.line(&[if limited { " \"\"" } else { "" }]);
        if limited {
            self.tell_quota(&usage);
        }
        Ok(Done::ok("that is the quota"))
    }

    pub(super) async fn get_quota(&mut self, root: &[u8]) -> Result<Done, Stop> {
        let account = self.account()?;
        if !root.is_empty() {
            return Ok(Done::no("[NONEXISTENT] the only quota root is \"\""));
        }
        let usage = self.context.store.usage(account).await?;
        self.tell_quota(&usage);
        Ok(Done::ok("that is the quota"))
    }

    /// STORAGE counts 1,024 bytes (RFC 9208 §5.1).
    fn tell_quota(&mut self, usage: &mailward_store::records::Usage) {
        let mut list = Vec::new();
        if usage.quota_bytes > 0 {
            list.push(format!("STORAGE {} {}", usage.bytes.div_ceil(1024), usage.quota_bytes.div_ceil(1024)));
        }
        if usage.quota_messages > 0 {
            list.push(format!("MESSAGE {} {}", usage.messages, usage.quota_messages));
        }
        self.io.line(&["* QUOTA \"\" (", &list.join(" "), ")"]);
    }
}

/// RFC 4315 §3: the two sets in the same order; the store numbers copies in the order of their UIDs, so both rise
/// together.
fn copy_uid(uid_validity: UidValidity, uids: &[(mailward_core::Uid, mailward_core::Uid)]) -> String {
    let mut code = b"[COPYUID ".to_vec();
    crate::respond::number(&mut code, uid_validity.0.into());
    code.push(b' ');
    write_set(&mut code, uids.iter().map(|(_, here)| here.0));
    code.push(b' ');
    write_set(&mut code, uids.iter().map(|(there, _)| there.0));
    code.push(b']');
    String::from_utf8_lossy(&code).into_owned()
}
