//! What users send to other domains: counted in the commit that accepts, held if it is too much.

use crate::queue::{attempt, only, queued, settled};
use crate::support::*;
use mailward_core::limits::{
    KNOWN_RECIPIENT_DAYS, NOTICE_BYTES_BEYOND_QUOTA, NOTICE_MESSAGES_BEYOND_QUOTA, QUEUE_REASON_MAX, SENT_HOURS_KEPT,
};
use mailward_core::{AccountId, Address, Clock, Measure, PerMeasure, SendLimits, Timestamp};
use mailward_store::records::*;
use mailward_store::{Options, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const HOUR: i64 = 3_600_000;
const NO_LIMIT: SendLimits = SendLimits::of([0; 6]);

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Sending {
    w: World,
    clock: Arc<Hand>,
    user: SendLimits,
    domain: SendLimits,
}

async fn sending() -> Sending {
    let clock = Arc::new(Hand(AtomicI64::new(100_000 * HOUR)));
    let w = world_with(Options { clock: clock.clone(), ..Options::default() }).await;
    Sending { w, clock, user: NO_LIMIT, domain: NO_LIMIT }
}

impl Sending {
    fn forward(&self, hours: i64) {
        self.clock.0.fetch_add(hours * HOUR, Ordering::SeqCst);
    }
    fn message(&self, account: AccountId, to: &[&str]) -> Delivery {
        let mut queued = queued(to);
        queued.envelope.submitter = Some(account);
        Delivery { content: content("text"), targets: vec![], queued: vec![queued], kept: None }
    }
    async fn send(&self, account: AccountId, to: &[&str]) -> Submitted {
        let meter = Meter { who: Metered::Account(account), user: self.user, domain: self.domain };
        self.w.store.accept(self.message(account, to), vec![], Some(meter)).await.unwrap()
    }
    async fn sent(&self, account: AccountId) -> SentRecord {
        self.w.store.sent(Scope::Account(account)).await.unwrap()
    }
    async fn held(&self, submitted: &Submitted) -> Vec<Option<String>> {
        let message = self.w.store.queued_message(submitted.accepted.queued[0]).await.unwrap();
        let state = |r: &QueuedRecipient| match &r.state {
            RecipientState::Held(why) => Some(why.clone()),
            RecipientState::Waiting => None,
        };
        message.recipients.iter().map(state).collect()
    }
}

#[tokio::test]
async fn who_sends_without_a_login_has_limits_too_and_their_domain_counts() {
    let s = sending().await;
    let user = SendLimits { messages_per_hour: 2, ..NO_LIMIT };
    let send = async |who: Insider, domain: Option<&str>| {
        let mut queued = queued(&["x@a.test"]);
        queued.envelope.submitter = None;
        let message = Delivery { content: content("text"), targets: vec![], queued: vec![queued], kept: None };
        let who = Metered::Insider(who, domain.map(|domain| domain.parse().unwrap()));
        let meter = Meter { who, user, domain: SendLimits { messages_per_hour: 5, ..NO_LIMIT } };
        s.w.store.accept(message, vec![], Some(meter)).await.unwrap()
    };
    let web = Insider::program(33);
    for _ in 0..2 {
        assert_eq!(send(web, Some("example.test")).await.held, None);
    }
    let third = send(web, Some("example.test")).await;
    let reason = "limit of the program or host: 2 messages an hour, this is number 3";
    assert_eq!(s.held(&third).await, [Some(reason.to_owned())]);
    assert_eq!(third.newly.len(), 1, "{third:?}");
    assert_eq!(third.sent.new_per_hour, 1);
    assert!(send(web, Some("example.test")).await.newly.is_empty(), "it was told");
    // Others have their own, and a domain is everybody's.
    let printer = Insider::host("192.0.2.9".parse().unwrap());
    assert_eq!(send(printer, Some("example.test")).await.held, None);
    assert!(send(printer, Some("example.test")).await.held.unwrap().to_string().starts_with("limit of the domain: 5"));
    assert_eq!(send(Insider::program(0), Some("elsewhere.test")).await.held, None);
    assert_eq!(send(Insider::program(1), None).await.held, None);
}

#[test]
fn no_two_insiders_are_one_except_in_one_network() {
    let host = |text: &str| Insider::host(text.parse().unwrap());
    let all = [
        Insider::program(0),
        Insider::program(u32::MAX),
        host("0.0.0.0"),
        host("192.0.2.9"),
        host("255.255.255.255"),
        host("2001:db8::1"),
        host("2001:db8:0:1::1"),
        host("fd00::1"),
    ];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    assert_eq!(host("2001:db8::1"), host("2001:db8::2"));
    assert_eq!(host("::ffff:192.0.2.9"), host("192.0.2.9"));
}

#[tokio::test]
async fn messages_recipients_and_new_recipients_are_counted_by_hour_and_day() {
    let s = sending().await;
    let alice = s.w.alice;
    assert_eq!(s.send(alice, &["x@a.test", "y@a.test"]).await.sent, SendLimits::of([1, 1, 2, 2, 2, 2]));
    // Known by now, however it is written.
    assert_eq!(s.send(alice, &["X@a.test", "z@a.test"]).await.sent, SendLimits::of([2, 2, 4, 4, 3, 3]));
    s.forward(1);
    assert_eq!(s.send(alice, &["x@a.test"]).await.sent, SendLimits::of([1, 3, 1, 5, 0, 3]));
    // Nobody else's: and somebody else may not know them.
    assert_eq!(s.send(s.w.bob, &["x@a.test"]).await.sent, SendLimits::of([1, 1, 1, 1, 1, 1]));
    assert_eq!(s.w.store.sent(Scope::Domain(s.w.domain.id)).await.unwrap().sent, SendLimits::of([2, 4, 2, 6, 1, 4]));
    s.forward(22);
    assert_eq!(s.sent(alice).await.sent, SendLimits::of([0, 3, 0, 5, 0, 3]));
    s.forward(1);
    assert_eq!(s.sent(alice).await.sent, SendLimits::of([0, 1, 0, 1, 0, 0]));
}

#[tokio::test]
async fn what_stays_here_or_can_not_be_accepted_is_not_counted() {
    let s = sending().await;
    let meter = Meter { who: Metered::Account(s.w.alice), user: NO_LIMIT, domain: NO_LIMIT };
    let local = Delivery { content: content("text"), targets: targets(&[s.w.bob]), queued: vec![], kept: None };
    s.w.store.accept(local, vec![], Some(meter.clone())).await.unwrap();
    let mut nowhere = s.message(s.w.alice, &["x@a.test"]);
    nowhere.targets = targets(&[AccountId(999)]);
    let refused = s.w.store.accept(nowhere, vec![], Some(meter)).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
    assert_eq!(s.sent(s.w.alice).await, SentRecord::default());
    assert_eq!(s.send(s.w.alice, &["x@a.test"]).await.sent.new_per_hour, 1, "still unknown");
    // Without a meter nothing is counted.
    s.w.store.accept(s.message(s.w.alice, &["x@a.test"]), vec![], None).await.unwrap();
    assert_eq!(s.sent(s.w.alice).await.sent.messages_per_hour, 1);
}

#[tokio::test]
async fn what_goes_beyond_a_limit_is_accepted_and_held_and_told_once() {
    let mut s = sending().await;
    s.user.recipients_per_hour = 3;
    let alice = s.w.alice;
    let first = s.send(alice, &["a@a.test", "b@a.test", "c@a.test"]).await;
    assert_eq!((first.held.clone(), s.held(&first).await), (None, vec![None; 3]), "at the limit is within it");
    let beyond = s.send(alice, &["d@a.test", "e@b.test"]).await;
    let exceeded = Exceeded { scope: Scope::Account(alice), measure: Measure::RecipientsPerHour, limit: 3, sent: 5 };
    assert_eq!((beyond.held.clone(), beyond.newly.clone()), (Some(Withheld::Beyond(exceeded)), vec![exceeded]));
    let why = "limit of the user: 3 recipients an hour, this is number 5".to_owned();
    assert_eq!(s.held(&beyond).await, [Some(why.clone()), Some(why)]);
    // Held, but not told again.
    let again = s.send(alice, &["f@a.test"]).await;
    assert!(again.held.is_some() && again.newly.is_empty());
    assert_eq!(s.sent(alice).await.held, 2);
    assert_eq!(s.w.store.sender(Scope::Account(alice)).await.unwrap().beyond, [Measure::RecipientsPerHour]);
    // Others aren't concerned.
    assert_eq!(s.send(s.w.bob, &["a@a.test"]).await.held, None);
    // Below again; and beyond again is news again.
    s.forward(1);
    assert_eq!(s.send(alice, &["a@a.test"]).await.held, None);
    assert_eq!(s.w.store.senders().await.unwrap(), []);
    assert_eq!(s.send(alice, &["a@a.test", "b@a.test", "c@a.test"]).await.newly.len(), 1);
    assert_eq!(s.w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_domain_s_users_have_a_limit_together() {
    let mut s = sending().await;
    s.domain.messages_per_day = 2;
    s.send(s.w.alice, &["a@a.test"]).await;
    s.send(s.w.bob, &["a@a.test"]).await;
    let third = s.send(s.w.alice, &["a@a.test"]).await;
    let Some(Withheld::Beyond(exceeded)) = third.held else { panic!("{third:?}") };
    assert_eq!((exceeded.scope, exceeded.sent), (Scope::Domain(s.w.domain.id), 3));
    // It isn't alice who did too much.
    assert_eq!(s.sent(s.w.alice).await.held, 0);
}

#[tokio::test]
async fn limits_of_one_s_own_stand_before_those_configured_and_zero_is_none() {
    let mut s = sending().await;
    s.user.messages_per_hour = 1;
    let of = |messages_per_hour| PerMeasure { messages_per_hour, ..PerMeasure::default() };
    let alice = Scope::Account(s.w.alice);
    assert_eq!(s.w.store.set_send_limits(alice, of(Some(Some(2)))).await.unwrap().messages_per_hour, Some(2));
    s.send(s.w.alice, &["a@a.test"]).await;
    assert_eq!(s.send(s.w.alice, &["a@a.test"]).await.held, None);
    assert!(s.send(s.w.alice, &["a@a.test"]).await.held.is_some());
    // One is set, the other stays.
    let day = PerMeasure { messages_per_day: Some(Some(9)), ..PerMeasure::default() };
    s.w.store.set_send_limits(alice, day).await.unwrap();
    s.w.store.set_send_limits(alice, of(Some(Some(0)))).await.unwrap();
    assert_eq!(s.send(s.w.alice, &["a@a.test"]).await.held, None);
    let record = s.w.store.sender(alice).await.unwrap();
    assert_eq!((record.limits.messages_per_hour, record.limits.messages_per_day), (Some(0), Some(9)));
    assert_eq!(record.effective(&s.user).messages_per_hour, 0);
    // As configured again: nothing is left of it.
    s.w.store.set_send_limits(alice, of(Some(None))).await.unwrap();
    let day = PerMeasure { messages_per_day: Some(None), ..PerMeasure::default() };
    assert_eq!(s.w.store.set_send_limits(alice, day).await.unwrap(), LimitChanges::default());
    assert_eq!(s.w.store.senders().await.unwrap(), []);
    for nobody in [Scope::Account(AccountId(999)), Scope::Domain(mailward_core::DomainId(999))] {
        let set = s.w.store.set_send_limits(nobody, of(Some(Some(1)))).await;
        assert!(matches!(set, Err(StoreError::NotFound(_))));
    }
}

#[tokio::test]
async fn whatever_a_frozen_account_sends_is_held_until_it_thaws() {
    let s = sending().await;
    let alice = s.w.alice;
    assert!(s.w.store.freeze(alice, format!("stolen{}", "!".repeat(QUEUE_REASON_MAX))).await.unwrap());
    assert!(!s.w.store.freeze(alice, "another reason".into()).await.unwrap());
    let frozen = s.w.store.sender(Scope::Account(alice)).await.unwrap().frozen.unwrap();
    assert_eq!((frozen.why.len(), frozen.since, frozen.unfinished), (QUEUE_REASON_MAX, s.clock.now(), true));
    s.w.store.froze_all(alice).await.unwrap();
    assert!(!s.w.store.sender(Scope::Account(alice)).await.unwrap().frozen.unwrap().unfinished);
    let held = s.send(alice, &["a@a.test"]).await;
    assert_eq!((held.held, held.newly), (Some(Withheld::Frozen(frozen.why)), vec![]));
    assert_eq!(s.send(s.w.bob, &["a@a.test"]).await.held, None);
    assert!(s.w.store.unfreeze(alice).await.unwrap());
    assert!(!s.w.store.unfreeze(alice).await.unwrap());
    assert_eq!(s.w.store.senders().await.unwrap(), []);
    // What it did is forgotten, whom it knows isn't.
    assert_eq!(s.send(alice, &["a@a.test"]).await.sent, SendLimits::of([1, 1, 1, 1, 0, 0]));
    assert!(matches!(s.w.store.freeze(AccountId(999), "x".into()).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn recipients_that_others_refuse_for_good_are_counted_against_who_wrote_to_them() {
    let s = sending().await;
    let id = s.send(s.w.alice, &["a@a.test", "b@a.test", "c@a.test", "d@a.test"]).await.accepted.queued[0];
    let failed = |number, code| {
        let mut one = settled(id, number, Outcome::Failed);
        one.attempt = Some(attempt(1, code, "no such user"));
        one
    };
    let mut expired = settled(id, 2, Outcome::Failed);
    expired.attempt = None;
    let parts = vec![failed(0, 550), failed(1, 553), expired, failed(3, 0)];
    s.w.store.settle(only(parts.clone())).await.unwrap();
    assert_eq!(s.sent(s.w.alice).await.refused, 2);
    // They are gone: nobody is counted twice.
    s.w.store.settle(only(parts)).await.unwrap();
    assert_eq!(s.sent(s.w.alice).await.refused, 2);
    s.forward(1);
    assert_eq!(s.sent(s.w.alice).await.refused, 0);
}

#[tokio::test]
async fn what_was_usual_is_known_for_four_weeks_and_a_recipient_for_a_year() {
    let s = sending().await;
    let alice = s.w.alice;
    s.send(alice, &["a@a.test", "b@a.test", "c@a.test"]).await;
    s.forward(30);
    s.send(alice, &["d@a.test"]).await;
    s.forward(1);
    let sent = s.sent(alice).await;
    assert_eq!((sent.busiest, sent.hours), (3, 2));
    s.forward(SENT_HOURS_KEPT - 30);
    assert_eq!(s.send(alice, &["a@a.test"]).await.sent.new_per_day, 0);
    let sent = s.sent(alice).await;
    assert_eq!((sent.busiest, sent.hours), (1, 1), "the first hour is forgotten");
    // Whoever isn't written to any more is forgotten at last; `a` was.
    s.forward(3 * 24);
    assert_eq!(s.send(alice, &["a@a.test"]).await.sent.new_per_day, 0);
    s.forward((KNOWN_RECIPIENT_DAYS - 20) * 24);
    s.send(alice, &["e@a.test"]).await;
    assert_eq!(s.send(alice, &["a@a.test", "b@a.test"]).await.sent.new_per_day, 2);
}

#[tokio::test]
async fn whom_anybody_wrote_to_is_known_for_a_year() {
    let s = sending().await;
    let asked = |text: &str| s.w.store.has_written_to(Address::parse(text, true).unwrap());
    s.send(s.w.alice, &["A@a.test"]).await;
    assert!(asked("a@A.test").await.unwrap(), "whatever the case");
    assert!(!asked("b@a.test").await.unwrap(), "a colleague isn't known");
    s.forward(KNOWN_RECIPIENT_DAYS * 24);
    assert!(asked("a@a.test").await.unwrap());
    s.forward(24);
    assert!(!asked("a@a.test").await.unwrap(), "forgotten, though nothing swept");
}

#[tokio::test]
async fn what_was_counted_goes_with_the_account() {
    let s = sending().await;
    s.send(s.w.alice, &["a@a.test"]).await;
    s.w.store.freeze(s.w.alice, "stolen".into()).await.unwrap();
    s.w.store.change_account(AccountChange::Remove { id: s.w.alice }).await.unwrap();
    assert_eq!(s.w.store.senders().await.unwrap(), []);
    assert_eq!(s.sent(s.w.alice).await, SentRecord::default());
}

#[tokio::test]
async fn a_notice_comes_with_the_message_and_a_little_beyond_the_quota() {
    let s = sending().await;
    let full = s.w.account("full", 0, 1).await;
    s.w.deliver("x", &[full]).await;
    let notice = |to| Delivery { content: content("notice"), targets: targets(&[to]), queued: vec![], kept: None };
    let message = || Delivery { content: content("text"), targets: targets(&[s.w.bob]), queued: vec![], kept: None };
    let done = s.w.store.accept(message(), vec![notice(full), notice(s.w.alice)], None).await.unwrap();
    assert_eq!((done.accepted.delivered.len(), done.told.len()), (1, 2));
    assert_eq!(s.w.inbox(full).await.messages, 2);
    for _ in 1..NOTICE_MESSAGES_BEYOND_QUOTA {
        s.w.store.accept(message(), vec![notice(full)], None).await.unwrap();
    }
    let before = s.w.inbox(s.w.bob).await.messages;
    let refused = s.w.store.accept(message(), vec![notice(full)], None).await;
    assert!(matches!(refused, Err(StoreError::OverQuota)));
    assert_eq!(s.w.inbox(s.w.bob).await.messages, before, "neither of them");
    // A mailbox that is full of bytes likewise; mail from others finds it full all the same.
    let small = s.w.account("small", 1, 0).await;
    let large = "y".repeat(usize::try_from(NOTICE_BYTES_BEYOND_QUOTA).unwrap());
    let bounce = |text: &str| Settlement { tell: vec![crate::queue::bounce(text, small)], ..Settlement::default() };
    s.w.store.settle(bounce(&large)).await.unwrap();
    assert!(matches!(s.w.store.settle(bounce("yz")).await, Err(StoreError::OverQuota)));
    let mail = Delivery { content: content("z"), targets: targets(&[small]), queued: vec![], kept: None };
    assert!(matches!(s.w.store.deliver(mail).await, Err(StoreError::OverQuota)));
    assert_eq!(s.w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn many_at_once_are_counted_exactly() {
    let mut s = sending().await;
    s.user.messages_per_hour = 10;
    let all = (0..30).map(|n| {
        let meter = Meter { who: Metered::Account(s.w.alice), user: s.user, domain: s.domain };
        let store = s.w.store.clone();
        let message = s.message(s.w.alice, &[&format!("r{n}@a.test")]);
        tokio::spawn(async move { store.accept(message, vec![], Some(meter)).await.unwrap() })
    });
    let (mut held, mut newly) = (0, 0);
    for one in all.collect::<Vec<_>>() {
        let submitted = one.await.unwrap();
        held += usize::from(submitted.held.is_some());
        newly += submitted.newly.len();
    }
    assert_eq!((held, newly), (20, 1));
    assert_eq!(s.sent(s.w.alice).await.sent, SendLimits::of([30, 30, 30, 30, 30, 30]));
    let filter = QueueFilter { held: Some(true), ..QueueFilter::default() };
    assert_eq!(s.w.page(filter).await.len(), 20);
}
