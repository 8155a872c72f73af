//! GETMETADATA and SETMETADATA (RFC 5464 §4).

use super::Session;
use super::reply::{Done, Stop};
use crate::command::{GetMetadata, MetadataEntry};
use crate::respond;
use bytes::Bytes;
use mailward_core::limits::{METADATA_ENTRIES_MAX, METADATA_VALUE_MAX};
use mailward_core::{MailboxId, MailboxName};
use mailward_store::StoreError;
use mailward_store::records::{Metadata, MetadataChange, Rights};

impl Session {
    pub(super) async fn get_metadata(&mut self, asked: GetMetadata) -> Result<Done, Stop> {
        let account = self.account()?;
        let (mailbox, name) = self.annotated(asked.mailbox.as_ref(), Rights::READ).await?;
        let all = self.context.store.metadata(account, mailbox).await?;
        let mut found: Vec<&Metadata> = Vec::new();
        let mut longest = 0usize;
        for metadata in &all {
            if !asked.entries.iter().any(|entry| is_asked(entry, asked.depth, metadata)) {
                continue;
            }
            if asked.max_size.is_some_and(|max| metadata.value.len() as u64 > max) {
                longest = longest.max(metadata.value.len());
            } else {
                found.push(metadata);
            }
        }
        // RFC 5464 §4.2: what was asked for by its own name and isn't there is told as NIL.
        let absent: Vec<&MetadataEntry> = asked
            .entries
            .iter()
            .filter(|entry| {
                asked.depth == Some(0) && !entry.name.is_empty() && !all.iter().any(|m| is_asked(entry, Some(0), m))
            })
            .collect();
        if !found.is_empty() || !absent.is_empty() {
            self.io.out.extend_from_slice(b"* METADATA ");
            self.tell_mailbox(&name);
            let out = &mut self.io.out;
            let mut start: &[u8] = b" (";
            for metadata in found {
                out.extend_from_slice(start);
                write_name(out, metadata.account.is_none(), &metadata.entry);
                out.push(b' ');
                write_any(out, &metadata.value);
                start = b" ";
            }
            for entry in absent {
                out.extend_from_slice(start);
                write_name(out, entry.shared, &entry.name);
                out.extend_from_slice(b" NIL");
                start = b" ";
            }
            self.io.line(&[")"]);
        }
        Ok(match longest {
            0 => Done::ok("that is what is noted"),
            longest => Done::ok(format!("[METADATA LONGENTRIES {longest}] some are longer")),
        })
    }

    pub(super) async fn set_metadata(
        &mut self,
        mailbox: Option<MailboxName>,
        entries: Vec<(MetadataEntry, Option<Bytes>)>,
    ) -> Result<Done, Stop> {
        let account = self.account()?;
        let shared = entries.iter().any(|(entry, _)| entry.shared);
        if shared && mailbox.is_none() {
            return Ok(Done::no("[NOPERM] the server's shared annotations are the administrator's"));
        }
        let right = if shared { Rights::READ.union(Rights::WRITE) } else { Rights::READ };
        let (mailbox, _) = self.annotated(mailbox.as_ref(), right).await?;
        if entries.iter().any(|(_, value)| value.as_ref().is_some_and(|v| v.len() > METADATA_VALUE_MAX)) {
            return Ok(Done::no(format!("[METADATA MAXSIZE {METADATA_VALUE_MAX}] a value is too long")));
        }
        let changes = entries.into_iter().map(|(entry, value)| MetadataChange {
            account: (!entry.shared).then_some(account),
            entry: entry.name,
            value,
        });
        match self.context.store.annotate(mailbox, changes.collect()).await {
            Err(StoreError::Limit(_)) => {
                Ok(Done::no(format!("[METADATA TOOMANY] there are at most {METADATA_ENTRIES_MAX}")))
            }
            other => Ok(other.map(|()| Done::ok("noted"))?),
        }
    }

    async fn annotated(
        &self,
        mailbox: Option<&MailboxName>,
        right: Rights,
    ) -> Result<(Option<MailboxId>, String), Stop> {
        let Some(name) = mailbox else { return Ok((None, String::new())) };
        let place = self.place(name).await?;
        place.require(right)?;
        Ok((Some(place.record.id), place.name.to_string()))
    }
}

/// Whether an entry is the one asked for, or so many levels under it.
fn is_asked(entry: &MetadataEntry, depth: Option<u32>, metadata: &Metadata) -> bool {
    if entry.shared != metadata.account.is_none() {
        return false;
    }
    if metadata.entry == entry.name {
        return true;
    }
    let under = if entry.name.is_empty() {
        Some(metadata.entry.as_str())
    } else {
        metadata.entry.strip_prefix(&entry.name).and_then(|rest| rest.strip_prefix('/'))
    };
    under.is_some_and(|under| depth.is_none_or(|depth| depth > 0 && !under.contains('/')))
}

fn write_name(out: &mut Vec<u8>, shared: bool, name: &str) {
    respond::string(out, format!("{}/{name}", if shared { "/shared" } else { "/private" }).as_bytes());
}

/// A value of any bytes: with NUL in it only a literal of RFC 3516's form can hold it.
fn write_any(out: &mut Vec<u8>, value: &[u8]) {
    if memchr::memchr(0, value).is_none() {
        return respond::string(out, value);
    }
    out.push(b'~');
    respond::literal_start(out, value.len() as u64);
    out.extend_from_slice(value);
}
