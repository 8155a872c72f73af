//! What is owed to other hosts. Times are small numbers that the stories choose.

mod accepting;
mod late;
mod limits;
mod model;
mod seeing;
mod settling;
mod steering;
mod working;

use crate::support::*;
use mailward_core::{Address, Host, QueueId, Timestamp};
use mailward_store::records::*;
use std::collections::HashSet;

pub(crate) fn at(time: i64) -> Timestamp {
    Timestamp(time)
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(crate) fn lane(text: &str) -> Lane {
    Lane::parse(text).unwrap()
}

/// Came at 100, is late at 500 and expires at 900.
pub(crate) fn envelope() -> Envelope {
    Envelope {
        sender: Some(address("alice@example.test")),
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: None,
        forwarded: None,
        arrived: at(100),
        warn: Some(at(500)),
        expires: at(900),
    }
}

/// Due at once, in the lane of its domain.
pub(crate) fn recipient(text: &str) -> NewRecipient {
    let address = address(text);
    let Host::Domain(domain) = address.host() else { panic!("{text}") };
    NewRecipient { lane: Lane::from(domain), address, notify: None, original: None, due: at(100), held: None }
}

pub(crate) fn queued(to: &[&str]) -> Queued {
    Queued { envelope: envelope(), recipients: to.iter().map(|text| recipient(text)).collect() }
}

pub(crate) fn attempt(time: i64, code: u16, text: &str) -> Attempt {
    let status = EnhancedStatus::of(4, 7, 1);
    Attempt { at: at(time), host: "mx.far.example [192.0.2.1]".into(), code, status: Some(status), text: text.into() }
}

pub(crate) fn settled(message: QueueId, number: u32, outcome: Outcome) -> Settled {
    Settled { message, number, outcome, attempt: None, refused: false, warned: false }
}

/// What came of recipients, and nothing else.
pub(crate) fn only(recipients: Vec<Settled>) -> Settlement {
    Settlement { recipients, ..Settlement::default() }
}

/// A bounce into a mailbox.
pub(crate) fn bounce(text: &str, to: mailward_core::AccountId) -> Delivery {
    Delivery { content: content(text), targets: targets(&[to]), queued: vec![], kept: None }
}

impl World {
    pub(crate) async fn enqueue(&self, text: &str, queued: Queued) -> QueueId {
        let delivery = Delivery { content: content(text), targets: vec![], queued: vec![queued], kept: None };
        self.store.deliver(delivery).await.unwrap().queued[0]
    }
    pub(crate) async fn queue(&self, text: &str, to: &[&str]) -> QueueId {
        self.enqueue(text, queued(to)).await
    }
    /// Names of the lanes that are due.
    pub(crate) async fn lanes(&self, now: i64) -> Vec<String> {
        let due = self.store.due_lanes(at(now), 100, HashSet::new()).await.unwrap();
        due.into_iter().map(|due| due.lane.to_string()).collect()
    }
    /// Messages and recipients' numbers that are due in a lane.
    pub(crate) async fn due(&self, name: &str, now: i64) -> Vec<(QueueId, Vec<u32>)> {
        let page = self.store.due_in_lane(lane(name), at(now), None, 100).await.unwrap();
        assert_eq!(page.next, None);
        numbers(&page.messages)
    }
    pub(crate) async fn page(&self, filter: QueueFilter) -> Vec<(QueueId, Vec<u32>)> {
        let page = self.store.queue_page(filter, None, 100).await.unwrap();
        assert_eq!(page.next, None);
        numbers(&page.messages)
    }
    pub(crate) async fn everything(&self) -> Vec<(QueueId, Vec<u32>)> {
        self.page(QueueFilter::default()).await
    }
}

pub(crate) fn numbers(messages: &[QueuedMessage]) -> Vec<(QueueId, Vec<u32>)> {
    messages.iter().map(|m| (m.id, m.recipients.iter().map(|r| r.number).collect())).collect()
}
