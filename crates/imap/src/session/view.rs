//! A selected mailbox as its session has been told of it, and the news of it.

use super::io::Io;
use super::reply::Stop;
use crate::command::SequenceSet;
use crate::respond;
use crate::seq::UidMap;
use mailward_core::limits::KEYWORDS_MAX;
use mailward_core::{MailboxId, ModSeq, Uid};
use mailward_store::records::{Changes, FlagOutcome, Flags, MailboxRecord, MessageRecord, Opened, UidRange};
use mailward_store::{MailStore, StoreError};
use std::collections::BTreeSet;
use tokio::sync::watch;

/// See the module.
pub(crate) struct View {
    pub(crate) mailbox: MailboxId,
    pub(crate) read_only: bool,
    pub(crate) map: UidMap,
    /// The client knows of every change up to here.
    pub(crate) mod_seq: ModSeq,
    /// By bit.
    pub(crate) keywords: Vec<String>,
    /// Gone, and not yet told: their sequence numbers stand until they are.
    vanished: BTreeSet<Uid>,
    /// Come, and not yet told: kept here, so that a store that fails half-way through the news loses none.
    arrived: BTreeSet<Uid>,
    pub(crate) watch: watch::Receiver<ModSeq>,
}

/// When EXPUNGE may be told (RFC 3501 §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expunges {
    Tell,
    Hold,
}

impl View {
    /// Opens a mailbox.
    pub(crate) async fn open(
        store: &dyn MailStore,
        mailbox: MailboxId,
        read_only: bool,
    ) -> Result<(Self, MailboxRecord), StoreError> {
        // News that come after this are not lost.
        let watch = store.watch(mailbox);
        let Opened { mailbox: record, uids } = store.open(mailbox).await?;
        let view = Self {
            mailbox,
            read_only,
            map: UidMap::new(&uids),
            mod_seq: record.mod_seq,
            keywords: record.keywords.clone(),
            vanished: BTreeSet::new(),
            arrived: BTreeSet::new(),
            watch,
        };
        Ok((view, record))
    }

    /// UID ranges of a set, none above what the client knows: a message that it hasn't been told of is never met.
    pub(crate) fn resolve(&self, set: &SequenceSet, uid: bool) -> Result<Vec<UidRange>, Stop> {
        let mut ranges = if uid {
            self.map.resolve_uids(set)
        } else {
            let ranges = self.map.resolve_sequence(set);
            ranges.map_err(|_| super::reply::Done::bad("there is no message of that number"))?
        };
        let last = self.map.last();
        ranges.retain(|range| range.first.0 <= last);
        if let Some(range) = ranges.last_mut() {
            range.last = Uid(range.last.0.min(last));
        }
        Ok(ranges)
    }

    /// Every message that the client knows.
    pub(crate) fn all(&self) -> Vec<UidRange> {
        match self.map.last() {
            0 => Vec::new(),
            last => vec![UidRange { first: Uid(1), last: Uid(last) }],
        }
    }

    /// Whether there is something to tell.
    pub(crate) fn has_news(&self) -> bool {
        *self.watch.borrow() > self.mod_seq || !self.vanished.is_empty() || !self.arrived.is_empty()
    }

    /// Asks the store for what changed and tells it: FLAGS, FETCH, EXPUNGE if it may, EXISTS.
    pub(crate) async fn tell_news(
        &mut self,
        io: &mut Io,
        store: &dyn MailStore,
        condstore: bool,
        expunges: Expunges,
    ) -> Result<(), Stop> {
        let known = self.map.last();
        loop {
            let committed = *self.watch.borrow_and_update();
            if committed <= self.mod_seq {
                break;
            }
            let changes = store.changes_since(self.mailbox, self.mod_seq).await?;
            self.learn_keywords(io, &changes.keywords);
            let Changes { changed, vanished, mod_seq, more, .. } = changes;
            for row in changed {
                if row.uid.0 > known {
                    self.arrived.insert(row.uid);
                } else if let Some(sequence) = self.map.sequence_of(row.uid) {
                    io.between().await?;
                    self.tell_flags(io, sequence, &row, condstore);
                }
            }
            for uid in vanished {
                self.arrived.remove(&uid);
                if self.map.sequence_of(uid).is_some() {
                    self.vanished.insert(uid);
                }
            }
            let upto = mod_seq.unwrap_or(self.mod_seq);
            if more && upto <= self.mod_seq {
                // It promises more and doesn't move: rather late than for ever.
                break;
            }
            // What was committed before we asked, and all of it was answered, is known now, whatever its number.
            self.mod_seq = if more { upto } else { upto.max(committed).max(self.mod_seq) };
        }
        if expunges == Expunges::Tell && !self.vanished.is_empty() {
            let gone: Vec<Uid> = std::mem::take(&mut self.vanished).into_iter().collect();
            for sequence in self.map.remove(&gone) {
                io.out.extend_from_slice(b"* ");
                respond::number(&mut io.out, sequence.into());
                io.out.extend_from_slice(b" EXPUNGE\r\n");
                io.between().await?;
            }
        }
        if !self.arrived.is_empty() {
            for uid in std::mem::take(&mut self.arrived) {
                self.map.push(uid);
            }
            io.line(&["* ", &self.map.len().to_string(), " EXISTS"]);
        }
        Ok(())
    }

    /// `* n FETCH (UID u FLAGS (…) MODSEQ (m))`
    fn tell_flags(&self, io: &mut Io, sequence: u32, row: &MessageRecord, condstore: bool) {
        let out = &mut io.out;
        out.extend_from_slice(b"* ");
        respond::number(out, sequence.into());
        out.extend_from_slice(b" FETCH (UID ");
        respond::number(out, row.uid.0.into());
        out.extend_from_slice(b" FLAGS ");
        respond::flags(out, row.flags, row.keywords, &self.keywords);
        if condstore {
            out.extend_from_slice(b" MODSEQ (");
            respond::number(out, row.mod_seq.0);
            out.push(b')');
        }
        out.extend_from_slice(b")\r\n");
    }

    /// Our own change of flags: the client is told of it otherwise, so the news skip it, unless others changed
    /// something in between.
    pub(crate) fn own_change(&mut self, io: &mut Io, outcome: &FlagOutcome) {
        self.learn_keywords(io, &outcome.keywords);
        if let (Some(before), Some(after)) = (outcome.before, outcome.after)
            && before == self.mod_seq
        {
            self.mod_seq = after;
        }
    }

    /// Makes sure that every keyword of the rows has its name.
    pub(crate) async fn name_keywords(
        &mut self,
        io: &mut Io,
        store: &dyn MailStore,
        rows: &[MessageRecord],
    ) -> Result<(), Stop> {
        let used = rows.iter().fold(0u64, |bits, row| bits | row.keywords);
        let highest = 64u32.saturating_sub(used.leading_zeros());
        if usize::try_from(highest).unwrap_or(0) > self.keywords.len() {
            let record = store.mailbox_by_id(self.mailbox).await?;
            self.learn_keywords(io, &record.keywords);
        }
        Ok(())
    }

    fn learn_keywords(&mut self, io: &mut Io, keywords: &[String]) {
        if !keywords.is_empty() && self.keywords != keywords {
            self.keywords = keywords.to_vec();
            self.tell_keywords(io);
        }
    }

    /// FLAGS and PERMANENTFLAGS.
    pub(crate) fn tell_keywords(&self, io: &mut Io) {
        let all = Flags::ALL.iter().fold(Flags::NONE, |all, (flag, _)| all.union(*flag));
        let out = &mut io.out;
        out.extend_from_slice(b"* FLAGS ");
        respond::flags(out, all, u64::MAX, &self.keywords);
        out.extend_from_slice(b"\r\n* OK [PERMANENTFLAGS (");
        if !self.read_only {
            let mut list = Vec::new();
            respond::flags(&mut list, all, u64::MAX, &self.keywords);
            out.extend(list.iter().filter(|b| !matches!(b, b'(' | b')')));
            if self.keywords.len() < KEYWORDS_MAX {
                out.extend_from_slice(b" \\*");
            }
        }
        out.extend_from_slice(b")] flags that stay\r\n");
    }
}
