//! STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

use super::Session;
use super::reply::{Done, Stop};
use crate::command::Store;
use crate::respond;
use crate::seq::write_set;
use mailward_core::Uid;
use mailward_core::limits::PAGE_ROWS_MAX;
use mailward_store::records::{FlagChange, MessageRecord};
use std::sync::Arc;

impl Session {
    pub(super) async fn store(&mut self, command: Store) -> Result<Done, Stop> {
        if command.unchanged_since.is_some() {
            self.use_condstore();
        }
        let store = Arc::clone(&self.context.store);
        let condstore = self.condstore;
        let (_, view, io) = self.selected()?;
        if view.read_only {
            return Ok(Done::no("[READ-ONLY] the mailbox was opened with EXAMINE"));
        }
        let ranges = view.resolve(&command.set, command.uid)?;
        let known = view.map.count(&ranges);
        let (mut met, mut modified) = (0u32, Vec::<Uid>::new());
        // So many at a time that what one commit answers stays small.
        for piece in view.map.split(&ranges, u32::try_from(PAGE_ROWS_MAX).unwrap_or(u32::MAX)) {
            let change = FlagChange {
                ranges: piece,
                action: command.action,
                flags: command.flags,
                keywords: command.keywords.clone(),
                unchanged_since: command.unchanged_since,
            };
            let outcome = store.change_flags(view.mailbox, change).await?;
            view.own_change(io, &outcome);
            modified.extend(outcome.modified.iter().filter(|uid| view.map.sequence_of(**uid).is_some()));
            for row in &outcome.messages {
                let Some(sequence) = view.map.sequence_of(row.uid) else { continue };
                met = met.saturating_add(1);
                if !command.silent || condstore {
                    tell(&mut io.out, sequence, row, &command, condstore, &view.keywords);
                    io.between().await?;
                }
            }
        }
        if !modified.is_empty() {
            let numbers: Vec<u32> = modified
                .iter()
                .filter_map(|uid| if command.uid { Some(uid.0) } else { view.map.sequence_of(*uid) })
                .collect();
            let mut code = b"[MODIFIED ".to_vec();
            write_set(&mut code, numbers);
            code.extend_from_slice(b"] some were changed by others since");
            return Ok(Done::ok(String::from_utf8_lossy(&code)));
        }
        if !command.uid && met < known {
            return Ok(Done::no("[EXPUNGEISSUED] some of the messages are gone"));
        }
        Ok(Done::ok("stored"))
    }
}

fn tell(out: &mut Vec<u8>, sequence: u32, row: &MessageRecord, command: &Store, condstore: bool, keywords: &[String]) {
    out.extend_from_slice(b"* ");
    respond::number(out, sequence.into());
    out.extend_from_slice(b" FETCH (");
    let start = out.len();
    if command.uid {
        out.extend_from_slice(b"UID ");
        respond::number(out, row.uid.0.into());
    }
    if !command.silent {
        out.extend_from_slice(if out.len() > start { b" FLAGS " } else { b"FLAGS " });
        respond::flags(out, row.flags, row.keywords, keywords);
    }
    if condstore {
        out.extend_from_slice(if out.len() > start { b" MODSEQ (" } else { b"MODSEQ (" });
        respond::number(out, row.mod_seq.0);
        out.push(b')');
    }
    out.extend_from_slice(b")\r\n");
}
