//! Answers over many messages: UIDL, LIST, and STAT where something is marked. Sizes come from the store page by page,
//! so that a listing of any length needs one page and one buffer.

use super::{Gone, Intent, Machine, State};
use mailward_core::Uid;
use mailward_core::limits::WRITE_BUFFER_MAX;
use mailward_store::records::UidRange;
use std::io::Write as _;

/// A walk over the maildrop that is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    kind: Kind,
    /// Number of the message that comes next.
    next: u32,
    /// Its first line is written, so that an error can't be said any more.
    begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// UIDL.
    UniqueIds,
    /// LIST.
    Sizes,
    /// LIST with a number.
    OneSize(Uid),
    /// STAT: octets so far.
    Sum(u64),
}

impl Listing {
    const fn new(kind: Kind, next: u32) -> Self {
        Self { kind, next, begun: false }
    }
    pub(super) const fn unique_ids() -> Self {
        Self::new(Kind::UniqueIds, 1)
    }
    pub(super) const fn sizes() -> Self {
        Self::new(Kind::Sizes, 1)
    }
    pub(super) const fn one_size(number: u32, uid: Uid) -> Self {
        Self::new(Kind::OneSize(uid), number)
    }
    pub(super) const fn sum() -> Self {
        Self::new(Kind::Sum(0), 1)
    }
}

impl Machine {
    /// Goes on with a listing: writes what it can until the output is full, or asks for what it needs.
    pub(super) fn list(&mut self, mut listing: Listing) -> Option<Intent> {
        let State::Transaction(maildrop) = &self.state else { return None };
        let output = &mut self.output;
        if listing.kind == Kind::UniqueIds {
            if !listing.begun {
                output.extend_from_slice(b"+OK\r\n");
                listing.begun = true;
            }
            while output.len() < WRITE_BUFFER_MAX {
                let Some((number, uid)) = maildrop.next_from(listing.next) else {
                    output.extend_from_slice(b".\r\n");
                    return None;
                };
                // Writing to a Vec can't fail.
                let _infallible = write!(output, "{number} {}\r\n", maildrop.unique_id(uid));
                listing.next = number.saturating_add(1);
            }
            self.listing = Some(listing);
            return None;
        }
        let wanted = match listing.kind {
            Kind::OneSize(uid) => Some(UidRange::one(uid)),
            _ => maildrop.uids_from(listing.next),
        };
        match wanted {
            Some(uids) => {
                self.listing = Some(listing);
                Some(Intent::Sizes(uids))
            }
            None => {
                self.end_listing(listing);
                None
            }
        }
    }

    /// UIDs and sizes that [`Intent::Sizes`] asked for. None at all: there are no more, these messages are gone.
    pub fn sizes(&mut self, found: impl IntoIterator<Item = (Uid, u64)>) {
        let Some(mut listing) = self.listing.take() else { return };
        let State::Transaction(maildrop) = &self.state else { return };
        if listing.kind == Kind::Sizes && !listing.begun {
            self.output.extend_from_slice(b"+OK\r\n");
            listing.begun = true;
        }
        let mut last = None;
        for (uid, size) in found {
            last = Some(uid);
            let Some(number) = maildrop.number(uid).filter(|number| *number >= listing.next) else { continue };
            // Writing to a Vec can't fail.
            let _infallible = match &mut listing.kind {
                Kind::UniqueIds => Ok(()),
                Kind::Sizes => write!(self.output, "{number} {size}\r\n"),
                Kind::OneSize(_) => {
                    let _infallible = write!(self.output, "+OK {number} {size}\r\n");
                    return;
                }
                Kind::Sum(sum) => {
                    *sum = sum.saturating_add(size);
                    Ok(())
                }
            };
        }
        match last.and_then(|last| maildrop.number_after(last)) {
            Some(next) if !matches!(listing.kind, Kind::OneSize(_)) => {
                listing.next = next;
                self.listing = Some(listing);
            }
            _ => self.end_listing(listing),
        }
    }

    /// The store didn't say. Gives whether the session can go on: half a listing must not pass for a whole one.
    pub fn sizes_failed(&mut self, gone: Gone) -> bool {
        match self.listing.take() {
            Some(listing) if listing.begun => false,
            _ => {
                self.reply(gone.reply());
                true
            }
        }
    }

    fn end_listing(&mut self, listing: Listing) {
        let State::Transaction(maildrop) = &self.state else { return };
        let messages = maildrop.left();
        match listing.kind {
            Kind::UniqueIds | Kind::Sizes => {
                self.reply(if listing.begun { ".\r\n" } else { "+OK\r\n.\r\n" });
            }
            Kind::OneSize(_) => self.message_gone(Gone::Elsewhere),
            Kind::Sum(sum) => self.write(format_args!("+OK {messages} {sum}\r\n")),
        }
    }
}
