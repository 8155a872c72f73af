//! CREATE, DELETE, RENAME, SUBSCRIBE, COPY, MOVE and quotas.

use super::Session;
use super::reply::{Done, Stop};
use crate::command::SequenceSet;
use crate::seq::write_set;
use mailward_core::{AccountId, MailboxName};
use mailward_store::StoreError;
use std::sync::Arc;

/// The uses of RFC 6154 §2 that a client may give. `\All` and `\Flagged` are no mailboxes here.
const SPECIAL_USES: [&str; 5] = ["\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"];

impl Session {
    pub(super) async fn create(
        &mut self,
        account: AccountId,
        name: MailboxName,
        special_use: Option<String>,
    ) -> Result<Done, Stop> {
        let special_use = match special_use {
            Some(asked) => match SPECIAL_USES.iter().find(|known| known.eq_ignore_ascii_case(&asked)) {
                Some(known) => Some((*known).to_owned()),
                None => return Ok(Done::no("[USEATTR] no such special use here")),
            },
            None => None,
        };
        if let Some(wanted) = &special_use {
            let all = self.context.store.mailboxes(account).await?;
            if all.iter().any(|mailbox| mailbox.special_use.as_ref() == Some(wanted)) {
                return Ok(Done::no("[USEATTR] another mailbox has that special use"));
            }
        }
        self.context.store.create_mailbox(account, name, special_use).await?;
        Ok(Done::ok("created"))
    }

    pub(super) async fn delete(&mut self, account: AccountId, name: MailboxName) -> Result<Done, Stop> {
        let record = self.context.store.mailbox(account, name.clone()).await?;
        self.context.store.delete_mailbox(account, name).await?;
        // A session that deletes the mailbox it is in leaves it.
        if self.selected().is_ok_and(|(_, view, _)| view.mailbox == record.id) {
            self.deselect();
        }
        Ok(Done::ok("deleted"))
    }

    pub(super) async fn rename(
        &mut self,
        account: AccountId,
        from: MailboxName,
        to: MailboxName,
    ) -> Result<Done, Stop> {
        self.context.store.rename_mailbox(account, from, to).await?;
        Ok(Done::ok("renamed"))
    }

    pub(super) async fn subscribe(
        &mut self,
        account: AccountId,
        name: MailboxName,
        subscribed: bool,
    ) -> Result<Done, Stop> {
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
        let (account, view, io) = self.selected()?;
        if remove && view.read_only {
            return Ok(Done::no("[READ-ONLY] the mailbox was opened with EXAMINE"));
        }
        let ranges = view.resolve(&set, uid)?;
        let target = match store.mailbox(account, name).await {
            Err(StoreError::NotFound(_)) => return Ok(Done::no("[TRYCREATE] there is no such mailbox")),
            other => other?,
        };
        if !target.selectable {
            return Ok(Done::no("[TRYCREATE] the name only holds others"));
        }
        if ranges.is_empty() {
            return Ok(Done::ok("there was nothing to do"));
        }
        let known = view.map.count(&ranges);
        let outcome = if remove {
            store.move_messages(view.mailbox, ranges, target.id).await?
        } else {
            store.copy(view.mailbox, ranges, target.id).await?
        };
        if outcome.uids.is_empty() {
            return Ok(if uid || known == 0 {
                Done::ok("there was nothing to do")
            } else {
                Done::no("[EXPUNGEISSUED] the messages are gone")
            });
        }
        // RFC 4315 §3: the two sets in the same order; the store numbers copies in the order of their UIDs, so both
        // rise together.
        let mut code = b"[COPYUID ".to_vec();
        crate::respond::number(&mut code, outcome.uid_validity.0.into());
        code.push(b' ');
        write_set(&mut code, outcome.uids.iter().map(|(_, here)| here.0));
        code.push(b' ');
        write_set(&mut code, outcome.uids.iter().map(|(there, _)| there.0));
        code.push(b']');
        let code = String::from_utf8_lossy(&code).into_owned();
        if remove {
            io.line(&["* OK ", &code, " moved"]);
            return Ok(Done::ok("moved"));
        }
        Ok(Done::ok(format!("{code} copied")))
    }

    /// RFC 9208 §4.2: one root for the whole account, if it has a quota.
    pub(super) async fn get_quota_root(&mut self, account: AccountId, name: MailboxName) -> Result<Done, Stop> {
        let record = self.context.store.mailbox(account, name).await?;
        let usage = self.context.store.usage(account).await?;
        let limited = usage.quota_bytes > 0 || usage.quota_messages > 0;
        self.io.out.extend_from_slice(b"* QUOTAROOT ");
        crate::respond::mailbox(&mut self.io.out, record.name.as_str());
        self.io.line(&[if limited { " \"\"" } else { "" }]);
        if limited {
            self.tell_quota(&usage);
        }
        Ok(Done::ok("that is the quota"))
    }

    pub(super) async fn get_quota(&mut self, account: AccountId, root: &[u8]) -> Result<Done, Stop> {
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
