//! Stories about what the administrator hears, when, and by which way. Time is the test's.

use crate::way::Brought;
use crate::{Alerts, Book, Item, Message, Parts, Runner, State, Way, WayError, told, wanted};
use mailward_core::event::{Event, Events, Happening};
use mailward_core::limits::{
    ALERT_GATHER_TIME, ALERT_ITEMS_MAX, ALERT_JSON_MAX, ALERT_KEY_MAX, ALERT_LINE_MAX, ALERT_LINES_MAX,
    ALERT_REPEAT_TIME, ALERT_REPEAT_TIME_MAX, ALERT_TOPICS_MAX, ALERT_TRIES, ALERT_WAY_TIME, ALERTS_PER_HOUR,
};
use mailward_core::{Clock, ShutdownTrigger, Timestamp, shutdown};
use mailward_store::api::Pending;
use mailward_store::records::{Accepted, Delivery, Shelf, ShelfChange, Shelved};
use mailward_store::{ShelfStore, StoreError};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// A day in 2026.
const START: i64 = 1_800_000_000_000;

fn at(after: i64) -> Timestamp {
    Timestamp(START + after)
}

fn heard(event: &Event) -> Happening {
    Happening::of(event, at(0))
}

fn disk() -> Happening {
    heard(&Event::alert("store.refuses").with("reason", "full"))
}

fn states(message: Option<Message>) -> Vec<(String, State, u64)> {
    let items = message.map(|message| message.items).unwrap_or_default();
    items.into_iter().map(|item: Item| (item.event, item.state, item.count)).collect()
}

fn one(event: &str, state: State, count: u64) -> Vec<(String, State, u64)> {
    vec![(event.to_owned(), state, count)]
}

const GATHER: i64 = 3 * SECOND;

#[test]
fn the_first_is_told_at_once_and_the_same_again_after_an_hour_then_two_then_a_day_at_most() {
    let mut book = Book::default();
    book.hear(&disk(), at(0));
    assert_eq!(book.due(at(0)), Some(at(GATHER)));
    assert_eq!(states(book.take(at(GATHER - 1))), []);
    assert_eq!(states(book.take(at(GATHER))), one("store.refuses", State::New, 1));
    assert_eq!(book.due(at(GATHER)), None);
    let (mut now, mut pauses) = (GATHER, Vec::new());
    for _ in 0..7 {
        // It comes all the time.
        let told = now;
        for _ in 0..5 {
            now += 60 * SECOND;
            book.hear(&disk(), at(now));
        }
        let due = book.due(at(now)).unwrap();
        assert_eq!(states(book.take(due)), one("store.refuses", State::Again, 5));
        now = due.0 - START;
        pauses.push((now - told) / HOUR);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 24, 24]);
    assert_eq!(ALERT_REPEAT_TIME_MAX, Duration::from_secs(86_400));
}

#[test]
fn what_was_quiet_for_long_is_told_at_once_again() {
    let mut book = Book::default();
    book.hear(&disk(), at(0));
    book.take(at(GATHER)).unwrap();
    let later = 3 * HOUR;
    book.hear(&disk(), at(later));
    assert_eq!(book.due(at(later)), Some(at(later + GATHER)));
    assert_eq!(states(book.take(at(later + GATHER))), one("store.refuses", State::Again, 1));
    // And rests for an hour only, as before.
    assert_eq!(book.topics().next().unwrap().1.pause, ALERT_REPEAT_TIME.as_secs());
}

#[test]
fn several_within_seconds_go_in_one_message_and_different_things_are_told_apart() {
    let mut book = Book::default();
    let frozen = |user: &str| heard(&Event::alert("user.frozen").with("user", user).with("why", "x"));
    book.hear(&frozen("a@s.example"), at(0));
    book.hear(&frozen("b@s.example"), at(SECOND));
    book.hear(&frozen("a@s.example"), at(2 * SECOND));
    book.hear(&disk(), at(GATHER - 1));
    let message = book.take(at(GATHER)).unwrap();
    assert_eq!(message.title(), "3 alerts: A user is frozen");
    assert_eq!(message.items.iter().map(|item| item.count).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(book.due(at(GATHER)), None);
}

#[test]
fn whom_a_reminder_is_about_gets_it_in_a_mail_of_their_own_that_holds_nothing_else() {
    let mut book = Book::default();
    let reminder = |who: &str| heard(&Event::alert("audit.reminder").with("overdue", 1).with("who", who));
    book.hear(&reminder("ada@s.example"), at(0));
    book.hear(&disk(), at(0));
    book.hear(&heard(&Event::alert("audit.reminder").with("overdue", 2)), at(0));
    // Words of whoever else: a field of that name in another alert leads nowhere.
    book.hear(&heard(&Event::alert("some.thing").with("who", "evil@elsewhere.example")), at(0));
    book.hear(&reminder("no address\r\nBcc: evil@elsewhere.example"), at(0));
    let message = book.take(at(GATHER)).unwrap();
    assert_eq!(message.items.len(), 5, "everybody else hears of all, in one message");
    let own = message.own_letters();
    let [(who, letter)] = own.as_slice() else { panic!("{own:?}") };
    assert_eq!((who.to_string().as_str(), letter.items.len(), letter.more), ("ada@s.example", 1, 0));
    assert!(letter.id.starts_with(&message.id) && letter.id != message.id);
    assert!(!letter.lines().join("\n").contains("store.refuses"));
}

#[test]
fn a_reminder_of_every_day_is_told_every_day() {
    let mut book = Book::default();
    let reminder = heard(&Event::alert("audit.reminder").with("overdue", 1).with("who", "ada@s.example"));
    for day in 0..5 {
        let now = day * 24 * HOUR;
        book.hear(&reminder, at(now));
        assert_eq!(book.due(at(now)), Some(at(now + GATHER)), "day {day}");
        assert_eq!(book.take(at(now + GATHER)).unwrap().items.len(), 1);
    }
}

#[test]
fn what_is_over_is_told_once_and_what_comes_and_goes_only_in_its_pauses() {
    let mut book = Book::default();
    let (on, off) = (heard(&Event::alert("stress.entered")), heard(&Event::info("stress.left")));
    // Over before it was ever on: nothing.
    book.hear(&off, at(0));
    assert_eq!(book.due(at(0)), None);
    book.hear(&on, at(0));
    assert_eq!(states(book.take(at(GATHER))), one("stress.entered", State::New, 1));
    book.hear(&off, at(60 * SECOND));
    assert_eq!(states(book.take(at(60 * SECOND + GATHER))), one("stress.entered", State::Over, 1));
    let mut now = 60 * SECOND + GATHER;
    let mut messages = 0;
    for _ in 0..590 {
        now += 6 * SECOND;
        book.hear(&on, at(now));
        book.hear(&off, at(now + SECOND));
        messages += usize::from(book.take(at(now + SECOND)).is_some());
    }
    assert_eq!(messages, 0, "an hour of it is told once");
    let due = book.due(at(now)).unwrap();
    assert_eq!(states(book.take(due)), one("stress.entered", State::Over, 590));
}

#[test]
fn a_clock_that_was_set_back_silences_nothing() {
    let mut book = Book::default();
    for n in 0..20 {
        let now = n * 10 * SECOND;
        book.hear(&heard(&Event::alert("user.frozen").with("user", n)), at(now));
        book.take(at(now + GATHER)).unwrap();
    }
    let back = -1_000 * HOUR;
    book.hear(&heard(&Event::alert("user.frozen").with("user", 0)), at(back));
    assert_eq!(states(book.take(at(back))), []);
    book.hear(&disk(), at(back));
    assert_eq!(states(book.take(at(back + GATHER))), one("store.refuses", State::New, 1));
    assert_eq!(states(book.take(at(back + HOUR + 2 * GATHER))), one("user.frozen", State::Again, 1));
}

#[test]
fn a_flood_is_gathered_and_the_hour_s_last_message_says_so() {
    let mut book = Book::default();
    let mut messages = Vec::new();
    for n in 0..300 {
        let now = n * 10 * SECOND;
        book.hear(&heard(&Event::alert("user.frozen").with("user", n)), at(now));
        messages.extend(book.take(at(now + GATHER)));
    }
    assert_eq!(messages.len(), ALERTS_PER_HOUR);
    assert!(messages.last().unwrap().lines().concat().contains("gathered until"));
    assert!(messages[0].then.is_none());
    let due = book.due(at(3_000 * SECOND)).unwrap();
    assert_eq!(due, at(GATHER + HOUR));
    let summary = book.take(due).unwrap();
    assert_eq!((summary.items.len(), summary.more), (ALERT_ITEMS_MAX, 300 - 20 - ALERT_ITEMS_MAX as u64));
    assert!(summary.lines().concat().contains("more: mailward alert list"));
}

/// Strangers make as many topics as they like: what they can't cause is told at once all the same, and first.
#[test]
fn strangers_hold_up_nothing_but_what_they_cause() {
    let mut book = Book::default();
    let alarm = |n: i64| heard(&Event::alert("rate.alarm").with("kind", "ip").with("source", n));
    let mut messages = 0;
    for n in 0..30 {
        let now = n * 10 * SECOND;
        book.hear(&alarm(n), at(now));
        messages += usize::from(book.take(at(now + GATHER)).is_some());
    }
    assert_eq!(messages, ALERTS_PER_HOUR);
    let now = 400 * SECOND;
    book.hear(&disk(), at(now));
    assert_eq!(states(book.take(at(now + GATHER))), one("store.refuses", State::New, 1), "and none of theirs with it");
    assert_eq!(book.due(at(now + GATHER)), Some(at(GATHER + HOUR)));
    // Within one message ours come first, however many theirs are.
    for n in 100..300 {
        book.hear(&alarm(n), at(HOUR));
    }
    book.hear(&heard(&Event::alert("user.frozen").with("user", "a@s.example")), at(HOUR));
    let message = book.take(at(HOUR + GATHER)).unwrap();
    assert_eq!((message.items[0].event.as_str(), message.items[1].event.as_str()), ("user.frozen", "rate.alarm"));
    // Nor do they make anybody forget what they didn't cause.
    for n in 0..2 * i64::try_from(ALERT_TOPICS_MAX).unwrap() {
        book.hear(&alarm(1_000 + n), at(HOUR + GATHER + n));
    }
    assert!(book.topics().any(|(key, _)| key == "store.refuses") && book.topics().count() == ALERT_TOPICS_MAX);
}

#[test]
fn users_whose_passwords_are_guessed_at_are_named_in_one_alert_an_hour() {
    let mut book = Book::default();
    let attacked = |n: i64| heard(&Event::alert("account.attacked").with("user", format!("u{n}@s.example")));
    book.hear(&attacked(1), at(0));
    assert_eq!(states(book.take(at(GATHER))), one("account.attacked", State::New, 1));
    for n in [2, 3, 2] {
        book.hear(&attacked(n), at(60 * SECOND * n));
    }
    let due = book.due(at(600 * SECOND)).unwrap();
    assert_eq!(due, at(GATHER + HOUR));
    let message = book.take(due).unwrap();
    assert_eq!(message.items[0].fields, [("user".to_owned(), "u2@s.example, u3@s.example".to_owned())]);
    for n in 0..1_000 {
        book.hear(&attacked(n), due);
    }
    let users = &book.take(book.due(due).unwrap()).unwrap().items[0].fields[0].1;
    assert!(users.starts_with("u0@s.example, u1@s.example") && users.ends_with(", …"), "{users}");
    assert!(users.chars().count() <= ALERT_LINE_MAX);
}

#[test]
fn viruses_that_are_refused_are_named_in_one_alert_an_hour() {
    let mut book = Book::default();
    let refused = |n: i64, direction: &str| {
        let event =
            Event::alert("virus.refused").with("finding", format!("antivirus/V{n}")).with("direction", direction);
        heard(&event.in_words(&format!("Refused: V{n}"), &[format!("MAIL FROM: <{n}@far.example>")]))
    };
    book.hear(&refused(1, "incoming"), at(0));
    assert_eq!(states(book.take(at(GATHER))), one("virus.refused", State::New, 1));
    for n in 2..200 {
        book.hear(&refused(n % 3, "incoming"), at(SECOND * n));
    }
    let due = book.due(at(600 * SECOND)).unwrap();
    assert_eq!(due, at(GATHER + HOUR), "whatever comes");
    let message = book.take(due).unwrap();
    let [item] = message.items.as_slice() else { panic!("{:?}", message.items) };
    assert_eq!((item.state, item.count), (State::Again, 198));
    assert_eq!(item.fields[0].1, "antivirus/V2, antivirus/V0, antivirus/V1");
    assert_eq!(item.lines, ["MAIL FROM: <1@far.example>"], "one of them in full");
    book.hear(&refused(1, "outgoing"), due);
    assert_eq!(
        states(book.take(book.due(due).unwrap())),
        one("virus.refused", State::New, 1),
        "users here are another matter"
    );
}

/// One that tries many users isn't another that tries one password, nor is it another host.
#[test]
fn attacks_on_many_users_are_told_apart_by_host() {
    let mut book = Book::default();
    for host in ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.1/32"] {
        book.hear(&heard(&Event::alert("logins.sprayed").with("network", host).with("users", 6)), at(0));
    }
    book.hear(&heard(&Event::alert("logins.sprayed").with("password", "the same").with("users", 6)), at(0));
    assert_eq!(book.take(at(GATHER)).unwrap().items.len(), 3);
}

#[test]
fn topics_are_counted_and_the_oldest_that_was_told_makes_room() {
    let mut book = Book::default();
    for n in 0..=ALERT_TOPICS_MAX {
        let user = format!("{n}{}", "u".repeat(ALERT_KEY_MAX));
        book.hear(&heard(&Event::alert("user.frozen").with("user", user)), at(n as i64));
        if n == 0 {
            book.take(at(GATHER)).unwrap();
        }
    }
    assert_eq!(book.topics().count(), ALERT_TOPICS_MAX);
    assert!(book.topics().all(|(key, topic)| key.chars().count() == ALERT_KEY_MAX && topic.told.is_none()));
}

#[test]
fn a_message_never_grows_beyond_what_ways_take() {
    let mut book = Book::default();
    for n in 0..ALERT_ITEMS_MAX {
        let lines = vec!["\u{fffd}\u{10ffff}é".repeat(80); ALERT_LINES_MAX];
        let event = (0..20).fold(Event::alert("user.frozen").with("user", n), |e, _| e.with("k", "é".repeat(250)));
        book.hear(&heard(&event.in_words("Frozen", &lines)), at(0));
    }
    let message = book.take(at(GATHER)).unwrap();
    assert_eq!(message.items.len(), ALERT_ITEMS_MAX);
    assert!(serde_json::to_vec(&message).unwrap().len() <= ALERT_JSON_MAX);
    let json = serde_json::to_vec(&message.json("mx.s.example")).unwrap();
    assert!(json.len() <= ALERT_JSON_MAX + 100, "{}", json.len());
}

#[test]
fn a_name_that_nobody_knows_is_told_in_general_words_with_its_fields_and_its_mend() {
    let mut book = Book::default();
    book.hear(&heard(&Event::alert("odd.thing").with("of", "x").with("mend", "turn it off")), at(0));
    let message = book.take(at(GATHER)).unwrap();
    assert_eq!(message.subject(), "Something needs you");
    let lines = message.lines();
    assert!(lines.contains(&"  of: x".to_owned()) && lines.contains(&"  event: odd.thing".to_owned()));
    assert_eq!(lines.last().unwrap(), "What to do: turn it off");
}

// ---- the runner --------------------------------------------------------------------------------------------

/// Wall-clock time that goes with tokio's.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        at(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// A way that fails so often first, or hangs.
#[derive(Default)]
struct Noted {
    name: &'static str,
    plan: Mutex<(u32, bool)>,
    got: Mutex<Vec<Message>>,
    tries: Mutex<u32>,
}

impl Noted {
    fn new(name: &'static str, failures: u32) -> Arc<Self> {
        Arc::new(Self { name, plan: Mutex::new((failures, false)), ..Self::default() })
    }
    fn titles(&self) -> Vec<String> {
        self.got.lock().unwrap().iter().map(Message::title).collect()
    }
}

impl Way for Noted {
    fn name(&self) -> &'static str {
        self.name
    }
    fn leads_to(&self) -> String {
        "a test".to_owned()
    }
    fn bring<'a>(&'a self, message: &'a Message) -> Brought<'a> {
        Box::pin(async move {
            *self.tries.lock().unwrap() += 1;
            let (fails, hangs) = {
                let mut plan = self.plan.lock().unwrap();
                let fails = plan.0 > 0;
                plan.0 = plan.0.saturating_sub(1);
                (fails, plan.1)
            };
            if hangs {
                std::future::pending::<()>().await;
            }
            if fails {
                return Err(WayError("no\r\nway".to_owned()));
            }
            self.got.lock().unwrap().push(message.clone());
            Ok(())
        })
    }
}

struct Desk {
    events: Events,
    alerts: Alerts,
    trigger: ShutdownTrigger,
    running: JoinHandle<()>,
}

impl Desk {
    fn start(store: &Arc<Memory>, ways: &[Arc<Noted>]) -> Self {
        let events = Events::memory();
        let heard = events.listen(wanted, 100).unwrap();
        let (runner, alerts) = Runner::new(Parts {
            heard,
            shelf: store.clone(),
            ways: ways.iter().map(|way| way.clone() as Arc<dyn Way>).collect(),
            events: events.clone(),
            clock: Arc::new(Paused(Instant::now())),
        });
        let (trigger, shutdown) = shutdown::channel();
        let running = tokio::spawn(runner.run(shutdown));
        Self { events, alerts, trigger, running }
    }
    async fn stop(self) {
        self.trigger.fire();
        self.running.await.unwrap();
    }
}

/// Lets time pass until it is so.
async fn until(question: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if question() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("never came");
}

/// A shelf in memory, as paused time waits for no disk; or one that fails.
#[derive(Default)]
struct Memory {
    records: Mutex<BTreeMap<String, Shelved>>,
    version: watch::Sender<u64>,
    fails: AtomicBool,
}

impl Memory {
    fn look<T>(&self, look: impl FnOnce(&mut BTreeMap<String, Shelved>) -> T) -> Result<T, StoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        Ok(look(&mut self.records.lock().unwrap()))
    }
}

impl ShelfStore for Memory {
    fn shelf_version(&self, _: Shelf) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
    fn shelf(&self, _: Shelf, after: Option<String>, limit: usize) -> Pending<'_, Vec<Shelved>> {
        let all = self.look(|records| {
            let there = |record: &&Shelved| record.expires.is_none_or(|expires| expires > at(0));
            let after = |record: &&Shelved| after.as_ref().is_none_or(|after| record.key > *after);
            records.values().filter(there).filter(after).take(limit).cloned().collect()
        });
        Box::pin(async move { all })
    }
    fn shelved(&self, _: Shelf, key: String) -> Pending<'_, Option<Shelved>> {
        let one = self.look(|records| records.get(&key).cloned());
        Box::pin(async move { one })
    }
    fn change_shelf(&self, changes: Vec<ShelfChange>) -> Pending<'_, ()> {
        let done = self.look(|records| {
            for change in changes {
                let ShelfChange::Put(_, record) = change else { panic!("what is gone is put as over") };
                records.insert(record.key.clone(), record);
            }
        });
        Box::pin(async move { done })
    }
    fn deliver_noted(&self, _: Delivery, _: Vec<ShelfChange>) -> Pending<'_, Accepted> {
        Box::pin(async { Err(StoreError::Closed) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_that_fails_is_told_by_the_others_tried_again_and_told_when_it_works() {
    let store = Arc::new(Memory::default());
    let (good, bad) = (Noted::new("good", 0), Noted::new("bad", 3));
    let desk = Desk::start(&store, &[good.clone(), bad.clone()]);
    desk.events.emit(Event::alert("store.refuses").with("reason", "full"));
    until(|| good.got.lock().unwrap().len() == 3).await;
    assert_eq!(
        good.titles(),
        ["The store refuses messages", "A way that alerts go doesn't work", "Over: A way that alerts go doesn't work"]
    );
    until(|| bad.titles().len() == 1).await;
    assert_eq!(bad.titles()[0], "The store refuses messages", "it isn't told by itself that it fails");
    let id = |way: &Noted| way.got.lock().unwrap()[0].id.clone();
    assert_eq!(id(&good), id(&bad));
    assert!(!desk.events.lines().iter().any(|line| line.contains('\r')));
    desk.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_way_that_hangs_or_never_works_is_given_up_after_its_tries() {
    let store = Arc::new(Memory::default());
    let (hangs, good) = (Noted::new("hangs", 0), Noted::new("good", 0));
    hangs.plan.lock().unwrap().1 = true;
    let desk = Desk::start(&store, &[hangs.clone(), good.clone()]);
    desk.events.emit(Event::alert("store.refuses").with("reason", "full"));
    until(|| desk.events.lines().iter().any(|line| line.contains("alert.given_up way=hangs"))).await;
    assert_eq!(*hangs.tries.lock().unwrap(), ALERT_TRIES);
    assert!(ALERT_WAY_TIME < Duration::from_secs(60) && !good.titles().is_empty());
    let outcomes = desk.alerts.test().await;
    assert_eq!(outcomes[0].failed.as_deref(), Some("it took longer than 30 seconds"));
    assert_eq!((outcomes[1].way, &outcomes[1].failed), ("good", &None));
    desk.stop().await;
    let kept = told(&*store).await.unwrap();
    let state = &kept.ways.iter().find(|(name, _)| name == "hangs").unwrap().1;
    assert_eq!(state.given_up, 1);
    assert!(state.failing.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_was_told_is_not_told_again_after_a_restart_and_what_was_not_is() {
    let store = Arc::new(Memory::default());
    let (good, bad) = (Noted::new("good", 0), Noted::new("bad", u32::MAX));
    let desk = Desk::start(&store, &[good.clone(), bad.clone()]);
    desk.events.emit(Event::alert("store.refuses").with("reason", "full"));
    until(|| good.titles().len() == 1).await;
    // Heard, and no time to tell it: the server stops.
    desk.events.emit(Event::alert("server.stopped").with("why", "x"));
    desk.stop().await;
    let kept = told(&*store).await.unwrap();
    assert!(kept.waiting.iter().any(|(_, ways)| ways == &["bad"]));
    let (good, bad) = (Noted::new("good", 0), Noted::new("bad", 0));
    let desk = Desk::start(&store, &[good.clone(), bad.clone()]);
    desk.events.emit(Event::alert("store.refuses").with("reason", "full"));
    until(|| bad.titles().len() >= 2).await;
    assert!(bad.titles().contains(&"The store refuses messages".to_owned()), "{:?}", bad.titles());
    assert!(!good.titles().iter().any(|title| title.contains("refuses")), "{:?}", good.titles());
    assert_eq!(ALERT_GATHER_TIME, Duration::from_secs(3));
    desk.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_no_reason_to_say_nothing() {
    let store = Arc::new(Memory::default());
    store.fails.store(true, Ordering::Relaxed);
    let good = Noted::new("good", 0);
    let desk = Desk::start(&store, std::slice::from_ref(&good));
    desk.events.emit(Event::alert("store.failed").with("error", "disk"));
    until(|| good.titles().len() == 1).await;
    desk.stop().await;
}
