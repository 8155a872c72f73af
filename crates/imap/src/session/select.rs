//! SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE, ENABLE.

use super::reply::{Done, Stop};
use super::view::View;
use super::{Session, State};
use crate::command::SequenceSet;
use mailward_core::event::Event;
use mailward_core::{MailboxName, ModSeq};
use mailward_store::records::UidRange;

impl Session {
    /// RFC 5161; only CONDSTORE changes anything here.
    pub(super) fn enable(&mut self, names: &[String]) -> Done {
        let mut enabled = String::new();
        if names.iter().any(|name| name == "CONDSTORE") && !self.condstore {
            self.condstore = true;
            enabled.push_str(" CONDSTORE");
        }
        self.io.line(&["* ENABLED", &enabled]);
        Done::ok("enabled what I know")
    }

    /// From the first command that asks for MODSEQ on, it is told (RFC 7162 §3.1.2).
    pub(super) fn use_condstore(&mut self) {
        if self.condstore {
            return;
        }
        self.condstore = true;
        if let State::Selected(_, view) = &self.state {
            let highest = view.mod_seq.to_string();
            self.io.line(&["* OK [HIGHESTMODSEQ ", &highest, "] changes are told with their number"]);
        }
    }

    /// RFC 3501 §6.3.1, §6.3.2.
    pub(super) async fn select(&mut self, name: MailboxName, read_only: bool, condstore: bool) -> Result<Done, Stop> {
        // A SELECT that fails leaves nothing selected.
        self.deselect();
        self.condstore |= condstore;
        let State::Authenticated(user) = &self.state else { return Ok(Done::bad("log in first")) };
        let record = self.context.store.mailbox(user.account(), name).await?;
        if !record.selectable {
            return Ok(Done::no("[NONEXISTENT] the name only holds others"));
        }
        let (view, record) = View::open(&*self.context.store, record.id, read_only).await?;
        self.tell_selected(&view, record.uid_validity.0, record.uid_next.0);
        let event = Event::debug("imap.selected").with_peer(&self.peer).with("mailbox", &record.name);
        self.context.events.emit(event);
        self.state = match std::mem::replace(&mut self.state, nobody()) {
            State::Authenticated(user) | State::Selected(user, _) => State::Selected(user, view),
            guest @ State::NotAuthenticated { .. } => guest,
        };
        Ok(Done::ok(if read_only { "[READ-ONLY] selected" } else { "[READ-WRITE] selected" }))
    }

    fn tell_selected(&mut self, view: &View, uid_validity: u32, uid_next: u32) {
        view.tell_keywords(&mut self.io);
        self.io.line(&["* ", &view.map.len().to_string(), " EXISTS"]);
        self.io.line(&["* 0 RECENT"]);
        self.io.line(&["* OK [UIDVALIDITY ", &uid_validity.to_string(), "] UIDs are good as long as this stands"]);
        self.io.line(&["* OK [UIDNEXT ", &uid_next.to_string(), "] the next message's"]);
        self.io.line(&["* OK [HIGHESTMODSEQ ", &view.mod_seq.to_string(), "] of all changes"]);
    }

    /// Leaves the mailbox, if there is one (RFC 7162 §3.2.11: and says so).
    pub(super) fn deselect(&mut self) {
        match std::mem::replace(&mut self.state, nobody()) {
            State::Selected(user, _) => {
                self.state = State::Authenticated(user);
                self.io.line(&["* OK [CLOSED] the mailbox is closed"]);
            }
            other => self.state = other,
        }
    }

    /// CLOSE (RFC 3501 §6.4.2), which removes what is deleted without telling, and UNSELECT (RFC 3691).
    pub(super) async fn close(&mut self, expunge: bool) -> Result<Done, Stop> {
        let store = std::sync::Arc::clone(&self.context.store);
        let (_, view, _) = self.selected()?;
        let mut highest: Option<ModSeq> = None;
        if expunge && !view.read_only {
            let expunged = store.expunge(view.mailbox, vec![UidRange::ALL], false).await?;
            highest = (!expunged.uids.is_empty()).then_some(expunged.mod_seq);
        }
        match std::mem::replace(&mut self.state, nobody()) {
            State::Selected(user, _) => self.state = State::Authenticated(user),
            other => self.state = other,
        }
        Ok(match highest {
            Some(highest) if self.condstore => Done::ok(format!("[HIGHESTMODSEQ {highest}] closed")),
            _ => Done::ok("closed"),
        })
    }

    /// EXPUNGE and UID EXPUNGE (RFC 4315). What goes is told by the news, in order with what others did.
    pub(super) async fn expunge(&mut self, set: Option<SequenceSet>) -> Result<Done, Stop> {
        let store = std::sync::Arc::clone(&self.context.store);
        let condstore = self.condstore;
        let (_, view, _) = self.selected()?;
        if view.read_only {
            return Ok(Done::no("[READ-ONLY] the mailbox was opened with EXAMINE"));
        }
        let ranges = match &set {
            Some(set) => view.resolve(set, true)?,
            None => vec![UidRange::ALL],
        };
        let expunged = store.expunge(view.mailbox, ranges, false).await?;
        Ok(match condstore && !expunged.uids.is_empty() {
            true => Done::ok(format!("[HIGHESTMODSEQ {}] expunged", expunged.mod_seq)),
            false => Done::ok("expunged"),
        })
    }
}

/// Stands in while a state is taken apart and put together; never seen outside.
fn nobody() -> State {
    State::NotAuthenticated { failures: 0, deadline: tokio::time::Instant::now() }
}
