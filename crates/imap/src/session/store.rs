//! STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

use super::Session;
use super::access::not_allowed;
use super::reply::{Done, Stop};
use super::select::Enabled;
use super::view::View;
use crate::command::Store;
use crate::respond;
use crate::seq::write_set;
use mailward_core::Uid;
use mailward_core::limits::PAGE_ROWS_MAX;
use mailward_store::records::{FlagAction, FlagChange, Flags, MessageRecord, Rights, UidRange};
use std::sync::Arc;

impl Session {
    pub(super) async fn store(&mut self, command: Store) -> Result<Done, Stop> {
        if command.unchanged_since.is_some() {
            self.use_condstore();
        }
        let store = Arc::clone(&self.context.store);
        let enabled = self.enabled;
        let (view, io) = self.selected()?;
        view.require_writable(Rights::NONE)?;
        let ranges = view.resolve(&command.set, command.uid)?;
        let known = view.map.count(&ranges);
        let steps = steps(&command, view)?;
        let (mut met, mut modified) = (0u32, Vec::<Uid>::new());
        // So many at a time that what one commit answers stays small.
        for mut piece in view.map.split(&ranges, u32::try_from(PAGE_ROWS_MAX).unwrap_or(u32::MAX)) {
            let mut since = command.unchanged_since;
            for (number, step) in steps.iter().enumerate() {
                let change = FlagChange { ranges: piece.clone(), unchanged_since: since, ..step.clone() };
                let outcome = store.change_flags(view.mailbox, change).await?;
                view.own_change(io, &outcome);
                modified.extend(outcome.modified.iter().filter(|uid| view.map.sequence_of(**uid).is_some()));
                if number.saturating_add(1) < steps.len() {
                    // The next step is for the same messages, which this one has changed.
                    piece = outcome.messages.iter().map(|row| UidRange::one(row.uid)).collect();
                    since = None;
                    continue;
                }
                for row in &outcome.messages {
                    let Some(sequence) = view.map.sequence_of(row.uid) else { continue };
                    met = met.saturating_add(1);
                    view.has_told(row.mod_seq);
                    if !command.silent || enabled.condstore {
                        tell(&mut io.out, sequence, row, &command, enabled, &view.keywords);
                        io.between().await?;
                    }
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

/// The changes that a STORE comes to: one, or where the user may not change every flag (RFC 4314 §4), what he may set
/// and what he may take away. The ranges are still to be given.
fn steps(command: &Store, view: &View) -> Result<Vec<FlagChange>, Stop> {
    let step =
        |action, flags, keywords| FlagChange { ranges: Vec::new(), action, flags, keywords, unchanged_since: None };
    let own = view.own_flags();
    let all = Flags::ALL.iter().fold(Flags::NONE, |all, (flag, _)| all.union(*flag));
    let writes = view.rights.contains(Rights::WRITE);
    if own == all && writes {
        return Ok(vec![step(command.action, command.flags, command.keywords.clone())]);
    }
    let flags = command.flags.without(all.without(own));
    let keywords = if writes { command.keywords.clone() } else { Vec::new() };
    if own == Flags::NONE || (command.action != FlagAction::Replace && flags == Flags::NONE && keywords.is_empty()) {
        return Err(not_allowed().into());
    }
    if command.action != FlagAction::Replace {
        return Ok(vec![step(command.action, flags, keywords)]);
    }
    let others = if writes { view.keywords.clone() } else { Vec::new() };
    let others = others.into_iter().filter(|k| !keywords.iter().any(|kept| kept.eq_ignore_ascii_case(k))).collect();
    Ok(vec![step(FlagAction::Remove, own.without(flags), others), step(FlagAction::Add, flags, keywords)])
}

fn tell(out: &mut Vec<u8>, sequence: u32, row: &MessageRecord, command: &Store, enabled: Enabled, keywords: &[String]) {
    out.extend_from_slice(b"* ");
    respond::number(out, sequence.into());
    out.extend_from_slice(b" FETCH (");
    let start = out.len();
    // RFC 7162 §3.2.4: a server that knows QRESYNC tells the UID with every MODSEQ.
    if command.uid || enabled.condstore {
        out.extend_from_slice(b"UID ");
        respond::number(out, row.uid.0.into());
    }
    if !command.silent {
        out.extend_from_slice(if out.len() > start { b" FLAGS " } else { b"FLAGS " });
        respond::flags(out, row.flags, row.keywords, keywords);
    }
    if enabled.condstore {
        out.extend_from_slice(if out.len() > start { b" MODSEQ (" } else { b"MODSEQ (" });
        respond::number(out, row.mod_seq.0);
        out.push(b')');
    }
    out.extend_from_slice(b")\r\n");
}
