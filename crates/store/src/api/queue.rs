//! The queue in the domain's words.

use super::Pending;
use crate::records::{
    DueLane, DuePage, DuePlace, Lane, LatePage, NextDue, QueueFilter, QueuePage, QueueTotals, QueuedMessage,
    SettleOutcome, Settlement, Steer, Steered,
};
use mailward_core::{QueueId, Timestamp};
use std::collections::HashSet;
use tokio::sync::watch;

/// What is owed to other hosts. Entries come with [`super::MailStore::deliver`], in the commit that accepts; every
/// write is durable when it answers.
///
/// A runner asks which lanes are due, takes one, asks for its due messages, tries them, and settles what came of it.
/// What it has in work it remembers itself: the store writes nothing for it, so that after a crash all that wasn't
/// settled is simply due again. No question of the runner costs more than its answer and what it excepts, however long
/// the queue.
pub trait QueueStore: Send + Sync + 'static {
    // ---- the runner ----

    /// Lanes that can be worked on now, those due longest first, without those in `except`; at most `limit` (and never
    /// more than `limits::QUEUE_LANES_PAGE`). None while all is paused.
    fn due_lanes(&self, now: Timestamp, limit: usize, except: HashSet<Lane>) -> Pending<'_, Vec<DueLane>>;

    /// Messages of a lane that are due, in order, after a place in it; of each the recipients of this lane that are
    /// due. Ends after the message with which `limit` recipients are reached (at most `limits::QUEUE_PAGE`, and one
    /// message more). Nothing while the lane or all is paused, or while its host is given a rest. What is in work is
    /// answered again unless `after` is past it.
    fn due_in_lane(&self, lane: Lane, now: Timestamp, after: Option<DuePlace>, limit: usize) -> Pending<'_, DuePage>;

    /// Messages that are late or expired, by that deadline, after a place: their senders are to be warned, or they are
    /// to be given up. Comes whatever their lanes do (a host that is down for days answers for nobody), and while all is
    /// paused too. A message without waiting recipients isn't late. Bounded as [`QueueStore::due_in_lane`].
    fn late(&self, now: Timestamp, after: Option<DuePlace>, limit: usize) -> Pending<'_, LatePage>;

    /// When there is work next in a lane that isn't in `except`, and when a message is late next; may be past.
    fn next_due(&self, except: HashSet<Lane>) -> Pending<'_, NextDue>;

    /// Notes that something begins which may end the process, and answers how often that was noted since anything of
    /// the message was settled. [`super::StoreError::NotFound`] if the message isn't queued.
    fn mark_trial(&self, message: QueueId) -> Pending<'_, u32>;

    /// Recipients of a message that wait are due no earlier than then. Nothing was learned of them: trials stay.
    fn postpone(&self, message: QueueId, until: Timestamp) -> Pending<'_, ()>;

    /// Writes what came of recipients, with the bounces that tell it, in one commit: all of it or, if a delivery can't
    /// be made ([`super::StoreError::OverQuota`], …), nothing. These may exceed their readers' quotas by
    /// `limits::NOTICE_BYTES_BEYOND_QUOTA` and `limits::NOTICE_MESSAGES_BEYOND_QUOTA`. A recipient that another host refused
    /// for good is counted against the account that submitted it ([`super::SendingStore::sent`]). A recipient that was held or rerouted meanwhile stays so
    /// when it is deferred.
    fn settle(&self, settlement: Settlement) -> Pending<'_, SettleOutcome>;

    /// News: rises when something was queued, or became due by hand.
    fn watch_queue(&self) -> watch::Receiver<u64>;

    // ---- seeing and steering ----

    /// Messages that have recipients that fit, after an id; with all that a bounce needs. Ends early after
    /// `limits::QUEUE_PAGE` recipients that fit or `limits::QUEUE_SCAN_ROWS` that were looked at.
    fn queue_page(&self, filter: QueueFilter, after: Option<QueueId>, limit: usize) -> Pending<'_, QueuePage>;

    /// A message with all recipients and their histories.
    fn queued_message(&self, message: QueueId) -> Pending<'_, QueuedMessage>;

    /// Does something to recipients that fit, from after an id on: a step of bounded size. Ask again from `next` until
    /// there is none. A step is one commit.
    fn steer(&self, filter: QueueFilter, action: Steer, after: Option<QueueId>) -> Pending<'_, Steered>;

    /// Pauses or resumes a lane, or all; survives a restart. What is in work goes on. Deadlines go on, too: a pause is
    /// no hold.
    fn pause(&self, lane: Option<Lane>, paused: bool) -> Pending<'_, ()>;

    /// The queue in numbers, with its `largest` largest lanes (at most `limits::QUEUE_LANES_PAGE`).
    fn queue_totals(&self, largest: usize) -> Pending<'_, QueueTotals>;
}
