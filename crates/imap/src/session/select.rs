//! SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE, ENABLE.

use super::access::Place;
use super::reply::{Done, Stop};
use super::view::{View, write_vanished};
use super::{Session, State};
use crate::command::{Qresync, SequenceSet};
use crate::respond;
use crate::seq::plain_ranges;
use mailward_core::event::Event;
use mailward_core::limits::IMAP_COPY_MAX;
use mailward_core::{MailboxName, ModSeq, Uid};
use mailward_store::records::{Rights, UidRange};
use std::sync::Arc;

/// What the client has switched on (RFC 5161), or shown that it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enabled {
    /// MODSEQ is told (RFC 7162 §3.1).
    pub(crate) condstore: bool,
    /// VANISHED instead of EXPUNGE (RFC 7162 §3.2).
    pub(crate) qresync: bool,
    /// UTF8=ACCEPT (RFC 9755).
    pub(crate) utf8: bool,
    /// IMAP4rev2 (RFC 9051).
    pub(crate) rev2: bool,
}

impl Enabled {
    /// Mailbox names are UTF-8 on the wire.
    pub(crate) const fn utf8_names(self) -> bool {
        self.utf8 || self.rev2
    }
}

impl Session {
    /// RFC 5161.
    pub(super) fn enable(&mut self, names: &[String]) -> Done {
        let before = self.enabled;
        for name in names {
            match name.as_str() {
                "CONDSTORE" => self.enabled.condstore = true,
                "QRESYNC" => {
                    self.enabled.condstore = true;
                    self.enabled.qresync = true;
                }
                "UTF8=ACCEPT" => self.enabled.utf8 = true,
                "IMAP4REV2" => self.enabled.rev2 = true,
                _ => {}
            }
        }
        let mut text = String::new();
        for (was, is, name) in [
            (before.condstore, self.enabled.condstore, " CONDSTORE"),
            (before.qresync, self.enabled.qresync, " QRESYNC"),
            (before.utf8, self.enabled.utf8, " UTF8=ACCEPT"),
            (before.rev2, self.enabled.rev2, " IMAP4rev2"),
        ] {
            if is && !was {
                text.push_str(name);
            }
        }
        self.io.line(&["* ENABLED", &text]);
        Done::ok("enabled what I know")
    }

    /// From the first command that asks for MODSEQ on, it is told (RFC 7162 §3.1.2).
    pub(super) fn use_condstore(&mut self) {
        if self.enabled.condstore {
            return;
        }
        self.enabled.condstore = true;
        if let State::Selected(_, view) = &self.state {
            let highest = view.mod_seq.to_string();
            self.io.line(&["* OK [HIGHESTMODSEQ ", &highest, "] changes are told with their number"]);
        }
    }

    /// RFC 3501 §6.3.1, §6.3.2.
    pub(super) async fn select(
        &mut self,
        name: MailboxName,
        read_only: bool,
        qresync: Option<Qresync>,
    ) -> Result<Done, Stop> {
        if qresync.is_some() && !self.enabled.qresync {
            return Ok(Done::bad("ENABLE QRESYNC first"));
        }
        // A SELECT that fails leaves nothing selected.
        self.deselect();
        let place = self.place(&name).await?;
        place.require_selectable()?;
        place.require(Rights::READ)?;
        // RFC 4314 §5.2: who may change nothing is told so.
        let changing = [Rights::SEEN, Rights::WRITE, Rights::INSERT, Rights::DELETE_MESSAGES, Rights::EXPUNGE];
        let read_only = read_only || !changing.iter().any(|right| place.rights.contains(*right));
        let view = View::open(&*self.context.store, &place, self.account()?, read_only).await?;
        self.tell_selected(&view, &place);
        let event = Event::debug("imap.selected").with_peer(&self.peer).with("mailbox", &place.name);
        self.context.events.emit(event);
        self.entry.selected(Some(place.name.as_str()));
        if let Some(known) = qresync.filter(|q| q.uid_validity == view.uid_validity) {
            self.resynchronise(&view, known).await?;
        }
        self.state = match std::mem::replace(&mut self.state, nobody()) {
            State::Authenticated(user) | State::Selected(user, _) => State::Selected(user, view),
            guest @ State::NotAuthenticated { .. } => guest,
        };
        Ok(Done::ok(if read_only { "[READ-ONLY] selected" } else { "[READ-WRITE] selected" }))
    }

    fn tell_selected(&mut self, view: &View, place: &Place) {
        view.tell_keywords(&mut self.io);
        self.io.line(&["* ", &view.map.len().to_string(), " EXISTS"]);
        if self.enabled.rev2 {
            // RFC 9051 §6.3.2: no RECENT, and the name as LIST tells it.
            self.io.out.extend_from_slice(b"* LIST () \"/\" ");
            self.tell_mailbox(place.name.as_str());
            self.io.line(&[]);
        } else {
            self.io.line(&["* 0 RECENT"]);
        }
        let validity = view.uid_validity.to_string();
        self.io.line(&["* OK [UIDVALIDITY ", &validity, "] UIDs are good as long as this stands"]);
        self.io.line(&["* OK [UIDNEXT ", &view.uid_next.to_string(), "] the next message's"]);
        self.io.line(&["* OK [HIGHESTMODSEQ ", &view.mod_seq.to_string(), "] of all changes"]);
        self.io.out.extend_from_slice(b"* OK [MAILBOXID (");
        respond::mailbox_id(&mut self.io.out, view.mailbox);
        self.io.line(&[")] it keeps this whatever it is called"]);
    }

    /// What changed since the client was here last (RFC 7162 §3.2.5), of the messages it knows.
    async fn resynchronise(&mut self, view: &View, known: Qresync) -> Result<(), Stop> {
        let told = match &known.known {
            Some(set) => plain_ranges(set),
            None => vec![UidRange::ALL],
        };
        let is_known = |uid: Uid| {
            let at = told.partition_point(|range| range.last < uid);
            told.get(at).is_some_and(|range| range.first <= uid)
        };
        let mut since = known.mod_seq;
        loop {
            let changes = self.context.store.changes_since(view.mailbox, since).await?;
            // One that is gone since the mailbox was opened is news, and told as such.
            let gone = changes.vanished.iter().filter(|uid| is_known(**uid) && view.map.sequence_of(**uid).is_none());
            write_vanished(&mut self.io.out, "VANISHED (EARLIER)", gone.map(|uid| uid.0));
            for row in changes.changed.iter().filter(|row| is_known(row.uid)) {
                if let Some(sequence) = view.map.sequence_of(row.uid) {
                    self.io.between().await?;
                    view.tell_flags(&mut self.io, sequence, row, true);
                }
            }
            match changes.mod_seq {
                Some(upto) if changes.more && upto > since => since = upto,
                _ => return Ok(()),
            }
        }
    }

    /// Leaves the mailbox, if there is one (RFC 7162 §3.2.11: and says so).
    pub(super) fn deselect(&mut self) {
        match std::mem::replace(&mut self.state, nobody()) {
            State::Selected(user, _) => {
                self.state = State::Authenticated(user);
                self.entry.selected(None);
                self.io.line(&["* OK [CLOSED] the mailbox is closed"]);
            }
            other => self.state = other,
        }
    }

    /// CLOSE (RFC 3501 §6.4.2), which removes what is deleted without telling, and UNSELECT (RFC 3691).
    pub(super) async fn close(&mut self, expunge: bool) -> Result<Done, Stop> {
        let (view, _) = self.selected()?;
        let mut highest = None;
        if expunge && !view.read_only && view.rights.contains(Rights::EXPUNGE) {
            highest = self.expunge_ranges(vec![UidRange::ALL]).await?;
        }
        self.entry.selected(None);
        match std::mem::replace(&mut self.state, nobody()) {
            State::Selected(user, _) => self.state = State::Authenticated(user),
            other => self.state = other,
        }
        Ok(match highest {
            Some(highest) if self.enabled.condstore => Done::ok(format!("[HIGHESTMODSEQ {highest}] closed")),
            _ => Done::ok("closed"),
        })
    }

    /// EXPUNGE and UID EXPUNGE (RFC 4315). What goes is told by the news, in order with what others did.
    pub(super) async fn expunge(&mut self, set: Option<SequenceSet>) -> Result<Done, Stop> {
        let (view, _) = self.selected()?;
        view.require_writable(Rights::EXPUNGE)?;
        let ranges = match &set {
            Some(set) => view.resolve(set, true)?,
            None => vec![UidRange::ALL],
        };
        Ok(match self.expunge_ranges(ranges).await? {
            Some(highest) if self.enabled.condstore => Done::ok(format!("[HIGHESTMODSEQ {highest}] expunged")),
            _ => Done::ok("expunged"),
        })
    }

    /// Removes what is deleted, so many at a time that others' changes get their turn; answers the modification
    /// sequence after it if anything went.
    async fn expunge_ranges(&mut self, ranges: Vec<UidRange>) -> Result<Option<ModSeq>, Stop> {
        let store = Arc::clone(&self.context.store);
        let (view, _) = self.selected()?;
        let mut highest = None;
        let mut pieces = view.map.split(&ranges, u32::try_from(IMAP_COPY_MAX).unwrap_or(u32::MAX));
        // RFC 9051 §6.4.3: all that is marked goes, also what came after the last that the client was told of.
        let untold = Uid(view.map.last().saturating_add(1));
        pieces.push(
            ranges
                .into_iter()
                .filter(|range| range.last >= untold)
                .map(|range| UidRange { first: range.first.max(untold), last: range.last })
                .collect(),
        );
        for piece in pieces {
            let expunged = store.expunge(view.mailbox, piece, false).await?;
            if !expunged.uids.is_empty() {
                highest = Some(expunged.mod_seq);
            }
        }
        Ok(highest)
    }
}

/// Stands in while a state is taken apart and put together; never seen outside.
pub(super) fn nobody() -> State {
    State::NotAuthenticated { deadline: tokio::time::Instant::now() }
}
