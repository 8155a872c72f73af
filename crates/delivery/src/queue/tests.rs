//! A runner on a real store, and hosts on loopback that say what each test wants.

mod by_hand;
mod forwarding;
pub(crate) mod house;
mod limits;
mod next_host;
mod routed;
pub(crate) mod sink;
mod trust;
mod ways;

use house::{House, LANE};
use mailward_smtp::client::Dialect;
use mailward_store::records::{GiveBack, Needs, NotifyOn, QueueFilter};
use mailward_tls::outbound::Proof;
use sink::{Plan, Sink};

const ALICE: &str = "alice@s.example";

#[tokio::test]
async fn a_message_goes_out_as_it_was_stored_without_our_return_path() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    let text = "Return-Path: <alice@s.example>\r\nReceived: by us;\r\n\tnow\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n";
    house.queue(ALICE, &["ok@t.example", "two@t.example"], text, |_| {}).await;
    house.turn().await;
    let taken = sink.taken();
    assert_eq!(taken.len(), 1, "both recipients in one transaction");
    assert_eq!(taken[0].sender, ALICE);
    assert_eq!(taken[0].recipients, ["ok@t.example", "two@t.example"]);
    assert_eq!(taken[0].text, "Received: by us;\r\n\tnow\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n");
    assert!(house.is_empty().await);
    assert_eq!(house.inbox(ALICE).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recipient_that_is_refused_bounces_alone() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example", "never@t.example"], "Subject: x\r\n\r\nbody\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 1);
    assert_eq!(sink.taken()[0].recipients, ["ok@t.example"]);
    assert!(house.is_empty().await);
    let bounces = house.inbox(ALICE).await;
    assert_eq!(bounces.len(), 1);
    for part in [
        "Action: failed",
        "Status: 5.1.1",
        "Final-Recipient: rfc822; never@t.example",
        "Diagnostic-Code: smtp; 550 5.1.1 never heard of",
        "Auto-Submitted: auto-replied",
        "Subject: x",
        "body",
    ] {
        assert!(bounces[0].contains(part), "{part}: {}", bounces[0]);
    }
    assert!(!bounces[0].contains("ok@t.example"));
}

#[tokio::test]
async fn a_recipient_that_is_refused_for_now_comes_again_and_others_are_not_kept() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["later@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.queue(ALICE, &["ok@t.example"], "Subject: 2\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 1);
    let waiting = house.queued().await;
    let recipient = &waiting[0].recipients[0];
    assert_eq!((recipient.attempts, recipient.answer.as_ref().unwrap().code), (1, 450));
    let pause = recipient.due.0 - house.now().0;
    assert!((54_000..=66_000).contains(&pause), "{pause}");
    // Before its time it isn't tried.
    house.turn().await;
    assert_eq!(sink.asked("later@t.example"), 1);
    house.forward(67_000);
    house.turn().await;
    assert_eq!(sink.asked("later@t.example"), 2);
    assert_eq!(house.queued().await[0].recipients[0].attempts, 2);
    assert_eq!(house.inbox(ALICE).await.len(), 0);
}

#[tokio::test]
async fn a_host_that_is_away_rests_and_other_lanes_go_on() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to("up.example", &sink);
    house.leads_to_nobody(LANE);
    house.queue(ALICE, &["a@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.queue(ALICE, &["b@up.example"], "Subject: 2\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 1);
    let waiting = house.queued().await;
    assert!(waiting[0].recipients[0].answer.as_ref().unwrap().text.contains("no connection"));
    let lane = house.lane(LANE).await;
    assert_eq!(lane.failures, 1);
    assert!(lane.blocked.unwrap() > house.now());
    // It is back: the host's failures are forgotten.
    house.leads_to(LANE, &sink);
    house.forward(70_000);
    house.turn().await;
    assert_eq!(sink.taken().len(), 2);
    assert!(house.is_empty().await);
}

#[tokio::test]
async fn what_a_host_did_is_not_counted_against_its_recipients() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to_nobody(LANE);
    house.queue(ALICE, &["later@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    for _ in 0..5 {
        house.turn().await;
        house.forward(40 * 60_000);
    }
    // Its first answer of its own: the pause is that of a first one, whatever its host did before.
    house.leads_to(LANE, &sink);
    house.turn().await;
    let recipient = &house.queued().await[0].recipients[0];
    assert_eq!((recipient.attempts, recipient.refusals), (6, 1));
    let pause = recipient.due.0 - house.now().0;
    assert!((54_000..=66_000).contains(&pause), "{pause}");
}

#[tokio::test]
async fn hosts_are_tried_in_their_order_and_the_second_takes_over() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    let closed = Sink::start(Plan { greeting: "554 no\r\n", ..Plan::default() }).await;
    house.leads_to_hosts(LANE, vec![closed.host(Proof::Nothing), sink.host(Proof::Nothing)]);
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 1);
    // The addresses of one host likewise.
    let mut both = closed.host(Proof::Nothing);
    both.addresses.extend(sink.host(Proof::Nothing).addresses);
    house.leads_to_hosts(LANE, vec![both]);
    house.queue(ALICE, &["ok@t.example"], "Subject: 2\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 2);
    assert!(house.is_empty().await);
}

#[tokio::test]
async fn where_there_is_no_way_the_sender_is_told_at_once() {
    let house = House::new().await;
    house.leads_nowhere(LANE, "the domain takes no mail");
    house.queue(ALICE, &["a@t.example", "b@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert!(house.is_empty().await);
    let bounces = house.inbox(ALICE).await;
    assert_eq!(bounces.len(), 1);
    assert!(bounces[0].contains("the domain takes no mail"));
    assert_eq!(bounces[0].matches("Final-Recipient").count(), 2);
}

#[tokio::test]
async fn nobody_is_told_of_what_had_no_sender() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue("", &["never@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert!(house.is_empty().await);
    assert_eq!(house.inbox(ALICE).await.len(), 0);
}

#[tokio::test]
async fn a_bounce_for_somebody_elsewhere_is_queued_with_the_null_path() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.leads_to("far.example", &sink);
    house.queue("x@far.example", &["never@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    house.turn().await;
    let taken = sink.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].sender.as_str(), taken[0].recipients[0].as_str()), ("", "x@far.example"));
    assert!(house.is_empty().await);
}

#[tokio::test]
async fn the_sender_chooses_what_to_hear() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    let never = NotifyOn::default();
    house.queue(ALICE, &["never@t.example"], "Subject: 1\r\n\r\n", |q| q.recipients[0].notify = Some(never)).await;
    house.turn().await;
    assert!(house.is_empty().await);
    assert_eq!(house.inbox(ALICE).await.len(), 0);
    // A host that confirms nothing: ours is the confirmation that it was passed on.
    let success = NotifyOn { success: true, ..NotifyOn::default() };
    house.queue(ALICE, &["ok@t.example"], "Subject: 2\r\n\r\n", |q| q.recipients[0].notify = Some(success)).await;
    house.turn().await;
    let told = house.inbox(ALICE).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("Action: relayed"), "{}", told[0]);
    // Headers only, if that was asked for.
    house
        .queue(ALICE, &["never@t.example"], "Subject: 3\r\n\r\nsecret\r\n", |q| {
            q.envelope.give_back = Some(GiveBack::Headers);
            q.envelope.envid = Some("QQ314".to_owned());
            q.recipients[0].original = Some("rfc822;first@t.example".to_owned());
        })
        .await;
    house.turn().await;
    let told = house.inbox(ALICE).await.pop().unwrap();
    assert!(
        told.contains("Original-Envelope-Id: QQ314") && told.contains("Original-Recipient: rfc822; first@t.example")
    );
    assert!(told.contains("Subject: 3") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn who_is_late_is_warned_once_and_given_up_in_the_end() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["later@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    house.forward(4 * 3_600_000);
    for _ in 0..3 {
        house.turn().await;
    }
    let told = house.inbox(ALICE).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("Action: delayed") && told[0].contains("Will-Retry-Until"), "{}", told[0]);
    house.forward(5 * 24 * 3_600_000);
    house.turn().await;
    assert!(house.is_empty().await);
    let told = house.inbox(ALICE).await;
    assert_eq!(told.len(), 2);
    assert!(told[1].contains("Action: failed"), "{}", told[1]);
}

#[tokio::test]
async fn what_expires_while_its_host_is_away_bounces_too() {
    let house = House::new().await;
    house.leads_to_nobody(LANE);
    house.queue(ALICE, &["a@t.example"], "Subject: 1\r\n\r\n", |q| q.envelope.warn = None).await;
    house.turn().await;
    house.forward(6 * 24 * 3_600_000);
    house.turn().await;
    assert!(house.is_empty().await);
    let told = house.inbox(ALICE).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("Action: failed"));
}

#[tokio::test]
async fn connections_are_used_again_and_a_session_that_ends_costs_nobody_an_attempt() {
    let house = House::new().await;
    let sink = Sink::start(Plan { messages: 3, ..Plan::default() }).await;
    house.leads_to(LANE, &sink);
    for number in 0..12 {
        house.queue(ALICE, &["ok@t.example"], &format!("Subject: {number}\r\n\r\n"), |_| {}).await;
    }
    for _ in 0..12 {
        house.turn().await;
        house.forward(70_000);
    }
    assert!(house.is_empty().await);
    let mut subjects: Vec<String> = sink.taken().into_iter().map(|taken| taken.text).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 12);
    assert_eq!(sink.taken().len(), 12, "none twice");
    assert!(sink.connections() >= 4);
}

#[tokio::test]
async fn tls_is_used_where_it_is_offered_and_given_up_where_it_does_not_work() {
    let house = House::new().await;
    for (plan, encrypted) in [
        (Plan { tls: sink::Tls::Works, ..Plan::default() }, true),
        (Plan { tls: sink::Tls::Refused, ..Plan::default() }, false),
        (Plan { tls: sink::Tls::Broken, ..Plan::default() }, false),
    ] {
        let sink = Sink::start(plan).await;
        house.leads_to(LANE, &sink);
        house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
        house.turn().await;
        assert_eq!(sink.taken().len(), 1, "{plan:?}");
        assert_eq!(sink.taken()[0].encrypted, encrypted, "{plan:?}");
    }
    assert!(house.is_empty().await);
}

#[tokio::test]
async fn a_host_that_must_prove_itself_gets_nothing_unless_it_does() {
    let house = House::new().await;
    let proof = || Proof::Names(vec!["mx.t.example".to_owned()]);
    for plan in [
        Plan::default(),
        Plan { tls: sink::Tls::Refused, ..Plan::default() },
        Plan { tls: sink::Tls::Broken, ..Plan::default() },
        Plan { tls: sink::Tls::OfAnother, ..Plan::default() },
    ] {
        let sink = Sink::start(plan).await;
        house.leads_to_hosts(LANE, vec![sink.host(proof())]);
        house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
        house.turn().await;
        assert_eq!((sink.taken().len(), house.queued().await.len()), (0, 1), "{plan:?}");
        assert_eq!(house.queued().await[0].recipients[0].answer.as_ref().unwrap().status.unwrap().to_string(), "4.7.5");
        house.remove_all().await;
        house.forward(3_600_000);
    }
    let sink = Sink::start(Plan { tls: sink::Tls::Works, ..Plan::default() }).await;
    house.leads_to_hosts(LANE, vec![sink.host(proof())]);
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert!(sink.taken()[0].encrypted);
}

#[tokio::test]
async fn what_must_travel_encrypted_is_not_given_to_a_host_that_proves_nothing() {
    let house = House::new().await;
    let sink = Sink::start(Plan { tls: sink::Tls::Works, ..Plan::default() }).await;
    house.leads_to(LANE, &sink);
    let needs = Needs { require_tls: true, ..Needs::default() };
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |q| q.envelope.needs = needs).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 0);
    assert!(house.inbox(ALICE).await[0].contains("Status: 5.7.30"));
}

#[tokio::test]
async fn a_connection_lost_after_the_last_byte_brings_the_message_again() {
    let house = House::new().await;
    let sink = Sink::start(Plan { drops: 1, ..Plan::default() }).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(house.queued().await.len(), 1);
    house.forward(70_000);
    house.turn().await;
    assert!(house.is_empty().await);
    assert_eq!(sink.taken().len(), 2, "twice, as nobody could know");
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let house = House::new().await;
    let sink = Sink::start(Plan { lmtp: true, ..Plan::default() }).await;
    let mut host = sink.host(Proof::Nothing);
    host.dialect = Dialect::Lmtp;
    house.leads_to_hosts(LANE, vec![host]);
    house.queue(ALICE, &["ok@t.example", "full@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    let waiting = house.queued().await;
    assert_eq!(waiting[0].recipients.len(), 1);
    assert_eq!(waiting[0].recipients[0].address.to_string(), "full@t.example");
    assert_eq!(waiting[0].recipients[0].answer.as_ref().unwrap().code, 452);
}

#[tokio::test]
async fn what_is_held_is_not_sent() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house
        .queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |q| q.recipients[0].held = Some("looks odd".into()))
        .await;
    house.turn().await;
    assert_eq!((sink.taken().len(), house.queued().await.len()), (0, 1));
    let held = QueueFilter { held: Some(true), ..QueueFilter::default() };
    house.release(held).await;
    house.turn().await;
    assert_eq!(sink.taken().len(), 1);
}

#[tokio::test]
async fn what_is_released_long_after_its_end_is_sent_and_not_given_up() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house
        .queue(ALICE, &["later@t.example", "ok@t.example"], "Subject: 1\r\n\r\n", |q| {
            q.recipients.iter_mut().for_each(|r| r.held = Some("over the limit".into()));
        })
        .await;
    house.forward(6 * 86_400_000);
    house.turn().await;
    house.release(QueueFilter::default()).await;
    house.turn().await;
    assert_eq!((sink.taken().len(), sink.asked("later@t.example")), (1, 1));
    assert_eq!((house.queued().await.len(), house.inbox(ALICE).await.len()), (1, 0), "nor is it late");
}

#[tokio::test]
async fn what_comes_while_a_connection_waits_goes_through_it() {
    let house = House::lingering(std::time::Duration::from_millis(400)).await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example"], "Subject: 0\r\n\r\n", |_| {}).await;
    let later = async {
        for number in 1..4 {
            while sink.taken().len() < number {
                tokio::task::yield_now().await;
            }
            house.queue(ALICE, &["ok@t.example"], &format!("Subject: {number}\r\n\r\n"), |_| {}).await;
        }
    };
    tokio::join!(house.turn(), later);
    assert_eq!((sink.taken().len(), sink.connections()), (4, 1));
    assert!(house.is_empty().await);
}
