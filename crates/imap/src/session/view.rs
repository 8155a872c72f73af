//! A selected mailbox as its session has been told of it, and the news of it.

use super::access::{Place, not_allowed};
use super::io::Io;
use super::reply::{Done, Stop};
use super::select::Enabled;
use crate::command::{SequenceSet, SetNumber};
use crate::respond;
use crate::seq::{UidMap, write_set};
use mailward_core::limits::KEYWORDS_MAX;
use mailward_core::{AccountId, MailboxId, ModSeq, Uid};
use mailward_store::records::{Changes, FlagOutcome, Flags, MessageRecord, Opened, Rights, UidRange};
use mailward_store::{MailStore, StoreError};
use std::collections::BTreeSet;
use tokio::sync::watch;

/// See the module.
pub(crate) struct View {
    pub(crate) mailbox: MailboxId,
    pub(crate) read_only: bool,
    /// What the user may do here.
    pub(crate) rights: Rights,
    /// News of the user's account, if the mailbox is another's: rights may be taken back.
    pub(crate) shared: Option<watch::Receiver<u64>>,
    pub(crate) uid_validity: u32,
    /// As it was when the mailbox was opened.
    pub(crate) uid_next: u32,
    pub(crate) map: UidMap,
    /// What the last SEARCH saved (RFC 5182).
    pub(crate) saved: Vec<UidRange>,
    /// The client knows of every change up to here, but for expunges that wait.
    pub(crate) mod_seq: ModSeq,
    /// The client knows of every change up to here, expunges included.
    complete: ModSeq,
    /// Highest of what was told of messages. It may be ahead of the news: rows are read as soon as they are committed.
    told: ModSeq,
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
        place: &Place,
        account: AccountId,
        read_only: bool,
    ) -> Result<Self, StoreError> {
        let shared = (place.record.account != account).then(|| {
            let mut watch = store.watch_account(account);
            watch.mark_changed();
            watch
        });
        // News that come after this are not lost.
        let watch = store.watch(place.record.id);
        let Opened { mailbox, uids } = store.open(place.record.id).await?;
        Ok(Self {
            mailbox: mailbox.id,
            read_only,
            rights: place.rights,
            shared,
            uid_validity: mailbox.uid_validity.0,
            uid_next: mailbox.uid_next.0,
            map: UidMap::new(&uids),
            saved: Vec::new(),
            mod_seq: mailbox.mod_seq,
            complete: mailbox.mod_seq,
            told: mailbox.mod_seq,
            keywords: mailbox.keywords,
            vanished: BTreeSet::new(),
            arrived: BTreeSet::new(),
            watch,
        })
    }

    /// Goes on only if the mailbox may be changed so.
    pub(crate) fn require_writable(&self, right: Rights) -> Result<(), Stop> {
        if self.read_only {
            return Err(Done::no("[READ-ONLY] the mailbox was opened to be read only").into());
        }
        if self.rights.contains(right) { Ok(()) } else { Err(not_allowed().into()) }
    }

    /// System flags that the user may change here (RFC 4314 §4).
    pub(crate) fn own_flags(&self) -> Flags {
        Flags::ALL
            .iter()
            .map(|(flag, _)| *flag)
            .filter(|flag| self.rights.contains(right_of(*flag)))
            .fold(Flags::NONE, Flags::union)
    }

    /// UID ranges of a set, none above what the client knows: a message that it hasn't been told of is never met.
    pub(crate) fn resolve(&self, set: &SequenceSet, uid: bool) -> Result<Vec<UidRange>, Stop> {
        let mut ranges = if set.0.first().is_some_and(|(first, _)| *first == SetNumber::Saved) {
            // RFC 5182 §2.1: the saved result, whether it is named as numbers or as UIDs; what is gone is no error.
            self.saved.clone()
        } else if uid {
            self.map.resolve_uids(set)
        } else {
            let ranges = self.map.resolve_sequence(set);
            ranges.map_err(|_| Done::bad("there is no message of that number"))?
        };
        let last = self.map.last();
        ranges.retain(|range| range.first.0 <= last);
        if let Some(range) = ranges.last_mut() {
            range.last = Uid(range.last.0.min(last));
        }
        Ok(ranges)
    }

    /// UIDs that a set of a UID command names, whether or not they are there.
    pub(crate) fn requested(&self, set: &SequenceSet) -> Vec<UidRange> {
        if set.0.first().is_some_and(|(first, _)| *first == SetNumber::Saved) {
            return self.saved.clone();
        }
        self.map.resolve_uids(set)
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
        self.committed() > self.mod_seq || !self.vanished.is_empty() || !self.arrived.is_empty()
    }

    /// The same, where expunges that may not be told don't count.
    pub(crate) fn has_news_for(&self, expunges: Expunges) -> bool {
        self.has_news() && (expunges == Expunges::Tell || self.committed() > self.mod_seq)
    }

    /// Up to here there is something to know.
    fn committed(&self) -> ModSeq {
        (*self.watch.borrow()).max(self.told)
    }

    /// Notes what was told of a message: what came before it must be told before the command is answered.
    pub(crate) fn has_told(&mut self, mod_seq: ModSeq) {
        self.told = self.told.max(mod_seq);
    }

    /// Asks the store for what changed and tells it: FLAGS, FETCH, EXPUNGE if it may, EXISTS.
    pub(crate) async fn tell_news(
        &mut self,
        io: &mut Io,
        store: &dyn MailStore,
        enabled: Enabled,
        expunges: Expunges,
    ) -> Result<(), Stop> {
        let known = self.map.last();
        if self.vanished.is_empty() {
            self.complete = self.mod_seq;
        }
        loop {
            self.watch.mark_unchanged();
            let committed = self.committed();
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
                    self.tell_flags(io, sequence, &row, enabled.condstore);
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
            let sequences = self.map.remove(&gone);
            if enabled.qresync {
                // RFC 7162 §3.2.10.
                write_vanished(&mut io.out, "VANISHED", gone.iter().map(|uid| uid.0));
                io.between().await?;
            }
            for sequence in sequences.into_iter().filter(|_| !enabled.qresync) {
                io.out.extend_from_slice(b"* ");
                respond::number(&mut io.out, sequence.into());
                io.out.extend_from_slice(b" EXPUNGE\r\n");
                io.between().await?;
            }
        }
        if enabled.qresync && !self.vanished.is_empty() {
            // RFC 7162 §3.2: MODSEQs beyond an expunge that has to wait were told; who is cut off now has come so far.
            io.line(&["* OK [HIGHESTMODSEQ ", &self.complete.to_string(), "] an expunge has to wait"]);
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
    pub(super) fn tell_flags(&self, io: &mut Io, sequence: u32, row: &MessageRecord, condstore: bool) {
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
        rows: impl Iterator<Item = &MessageRecord>,
    ) -> Result<(), Stop> {
        let used = rows.fold(0u64, |bits, row| bits | row.keywords);
        let highest = 64u32.saturating_sub(used.leading_zeros());
        if usize::try_from(highest).unwrap_or(0) > self.keywords.len() {
            let record = store.mailbox_by_id(self.mailbox).await?;
            self.learn_keywords(io, &record.keywords);
        }
        Ok(())
    }

    /// Learns the keywords of the mailbox as they are now, if one of these isn't known.
    pub(crate) async fn know_keywords<'k>(
        &mut self,
        io: &mut Io,
        store: &dyn MailStore,
        mut wanted: impl Iterator<Item = &'k str>,
    ) -> Result<(), Stop> {
        let known = |name: &str| self.keywords.iter().any(|known| known.eq_ignore_ascii_case(name));
        if wanted.any(|name| !known(name)) {
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
            let writes = self.rights.contains(Rights::WRITE);
            let mut list = Vec::new();
            respond::flags(&mut list, self.own_flags(), if writes { u64::MAX } else { 0 }, &self.keywords);
            out.extend(list.iter().filter(|b| !matches!(b, b'(' | b')')));
            if writes && self.keywords.len() < KEYWORDS_MAX {
                out.extend_from_slice(b" \\*");
            }
        }
        out.extend_from_slice(b")] flags that stay\r\n");
    }
}

/// The right that changing a flag needs (RFC 4314 §4).
fn right_of(flag: Flags) -> Rights {
    match flag {
        Flags::SEEN => Rights::SEEN,
        Flags::DELETED => Rights::DELETE_MESSAGES,
        _ => Rights::WRITE,
    }
}

/// `* VANISHED 41,43:116`, if there is any.
pub(super) fn write_vanished(out: &mut Vec<u8>, word: &str, uids: impl Iterator<Item = u32>) {
    let mut uids = uids.peekable();
    if uids.peek().is_some() {
        out.extend_from_slice(b"* ");
        out.extend_from_slice(word.as_bytes());
        out.push(b' ');
        write_set(out, uids);
        out.extend_from_slice(b"\r\n");
    }
}
