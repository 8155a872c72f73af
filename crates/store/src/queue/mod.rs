//! The queue: what is owed to other hosts.
//!
//! A message has a row, each of its recipients has one, and each lane (the destination that recipients wait for) has
//! one that counts what is in it and knows when the first of it is due. So the runner finds lanes with work by one
//! index and the work of a lane by another, whatever waits elsewhere; accepting and settling touch a few pages. Nothing
//! is written for what is in work: a crash leaves it due.

mod browse;
pub(crate) mod changes;
mod mend;
mod rows;
mod runner;
mod settle;

pub(crate) use mend::{count_anew, drop_lost};
pub(crate) use rows::cut;

use crate::api::{Pending, QueueStore};
use crate::committer::Placing;
use crate::local::LocalStore;
use crate::records::{
    Delivery, DueLane, DuePage, DuePlace, Lane, LatePage, NextDue, QueueFilter, QueuePage, QueueTotals, QueuedMessage,
    SettleOutcome, Settlement, Steer, Steered,
};
use mailward_core::limits::QUEUE_PAGE;
use mailward_core::{QueueId, Timestamp};
use std::collections::HashSet;
use tokio::sync::watch;

impl QueueStore for LocalStore {
    fn due_lanes(&self, now: Timestamp, limit: usize, except: HashSet<Lane>) -> Pending<'_, Vec<DueLane>> {
        self.ask(move |reader| reader.moment(|reader| runner::due_lanes(reader, now, limit, &except)))
    }

    fn due_in_lane(&self, lane: Lane, now: Timestamp, after: Option<DuePlace>, limit: usize) -> Pending<'_, DuePage> {
        self.ask(move |reader| reader.moment(|reader| runner::due_in_lane(reader, &lane, now, after, limit)))
    }

    fn late(&self, now: Timestamp, after: Option<DuePlace>, limit: usize) -> Pending<'_, LatePage> {
        self.ask(move |reader| reader.moment(|reader| runner::late(reader, now, after, limit)))
    }

    fn next_due(&self, except: HashSet<Lane>) -> Pending<'_, NextDue> {
        self.ask(move |reader| reader.moment(|reader| runner::next_due(reader, &except)))
    }

    fn mark_trial(&self, message: QueueId) -> Pending<'_, u32> {
        self.change(move |tx| settle::mark_trial(tx, message))
    }

    fn postpone(&self, message: QueueId, until: Timestamp) -> Pending<'_, ()> {
        self.change(move |tx| settle::postpone(tx, message, until))
    }

    fn settle(&self, settlement: Settlement) -> Pending<'_, SettleOutcome> {
        let Settlement { recipients, lanes, pauses, tell } = settlement;
        let mut contents = Vec::with_capacity(tell.len());
        let mut parts = settle::Parts { recipients, lanes, pauses, tell: Vec::with_capacity(tell.len()) };
        for (content, places) in tell.into_iter().map(Delivery::split) {
            contents.push(content);
            parts.tell.push(places);
        }
        // A bounce whose bytes are lost to a power cut is lost with the recipient it tells of, which nobody sends again.
        let placing = if contents.is_empty() { Placing::Once } else { Placing::Before };
        self.submit(contents, placing, move |tx, placed| settle::settle(tx, placed, &parts))
    }

    fn watch_queue(&self) -> watch::Receiver<u64> {
        self.news().watch_queue()
    }

    fn queue_page(&self, filter: QueueFilter, after: Option<QueueId>, limit: usize) -> Pending<'_, QueuePage> {
        self.ask(move |reader| reader.moment(|reader| browse::page(reader, &filter, after, limit)))
    }

    fn queued_message(&self, message: QueueId) -> Pending<'_, QueuedMessage> {
        self.ask(move |reader| reader.moment(|reader| browse::show(reader, message)))
    }

    fn steer(&self, filter: QueueFilter, action: Steer, after: Option<QueueId>) -> Pending<'_, Steered> {
        // Looking is for a reader; the commit changes what was found and is still as it was.
        let found = self.queue_page(filter, after, QUEUE_PAGE);
        Box::pin(async move {
            let QueuePage { messages, next } = found.await?;
            if messages.is_empty() {
                return Ok(Steered { changed: 0, next });
            }
            let changed = self.change(move |tx| settle::steer(tx, &messages, &action)).await?;
            Ok(Steered { changed, next })
        })
    }

    fn pause(&self, lane: Option<Lane>, paused: bool) -> Pending<'_, ()> {
        self.change(move |tx| settle::pause(tx, lane.as_ref().map(Lane::as_str), paused))
    }

    fn queue_totals(&self, largest: usize) -> Pending<'_, QueueTotals> {
        self.ask(move |reader| reader.moment(|reader| browse::totals(reader, largest)))
    }
}
