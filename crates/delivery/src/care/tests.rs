//! Care over a store, a directory and a runner.

use super::{Given, Schedule, Schedules};
use crate::queue::tests::house::{House, LANE, address};
use crate::queue::tests::sink::{Plan, Sink};
use crate::send_on::{Addressed, Inside, Transaction};
use crate::{Fate, Keeping, prepare};
use mailward_core::limits::{
    FREEZE_HELD_MESSAGES, FREEZE_HISTORY_HOURS, FREEZE_NEW_RECIPIENTS, FREEZE_REFUSED_RECIPIENTS, FREEZE_SESSIONS_TOLD,
    SCHEDULES_MAX, SCHEDULES_PER_MESSAGE,
};
use mailward_core::{AccountId, GiveBack, Listener, NotifyOn, Peer, SendLimits, Timestamp};
use mailward_directory::routes::RouteTable;
use mailward_directory::{Authenticator, NewPassword, SaslStep};
use mailward_gate::{Recipient, RelayPermit, Sending, decide_recipient, decide_sender};
use mailward_smtp::params::{MailParameters, RecipientParameters};
use mailward_store::api::{QuarantineStore as _, QueueStore as _, SendingStore as _, ShelfStore as _, StoreError};
use mailward_store::records::{
    Accepted, Insider, QueueFilter, RecipientState, Scope, Shelf, ShelfChange, Shelved, Steer,
};
use std::time::Duration;

const ALICE: &str = "alice@s.example";
const HOUR: i64 = 3_600_000;

const SUCCESS: NotifyOn = NotifyOn { success: true, failure: false, delay: false };

/// What a user submits.
struct Desk {
    house: House,
    login: mailward_directory::Login,
}

async fn desk() -> Desk {
    let house = House::new().await;
    let password = mailward_core::Secret::new("quiet-Harbour-42-lantern");
    house.directory.set_password(&address(ALICE), NewPassword::Given(password)).await.unwrap();
    let auth = Authenticator::new(house.directory.clone(), house.events.clone());
    let bindings = mailward_vault::ChannelBindings::default();
    let peer = Peer { session: 1, address: None, port: None, listener: Listener::Submissions };
    let mut sasl = auth.begin("PLAIN", Some(&bindings), &peer).unwrap();
    let SaslStep::Done(login) = sasl.step(Some(b"\0alice@s.example\0quiet-Harbour-42-lantern")).await.unwrap() else {
        panic!("a login of one step");
    };
    house.care.set_limits(SendLimits::default(), SendLimits::default());
    Desk { house, login }
}

impl Desk {
    fn alice(&self) -> AccountId {
        self.login.account()
    }

    fn permit(&self, to: &str) -> RelayPermit {
        let directory = &self.house.directory;
        let sender =
            decide_sender(directory, Some(&self.login), Listener::Submissions, Some(&address(ALICE)), Sending::On);
        decide_recipient(directory, &sender.unwrap(), Recipient::Address(&address(to))).unwrap()
    }

    /// Submits a message with wishes for all its recipients.
    async fn ask(&self, to: &[&str], notify: Option<NotifyOn>) -> Result<Accepted, StoreError> {
        self.hand_in(to, notify, None, true).await
    }

    async fn ask_for(&self, to: &[&str], notify: Option<NotifyOn>, confirm: bool) -> Result<Accepted, StoreError> {
        self.hand_in(to, notify, None, confirm).await
    }

    /// The same by somebody without a login, if there is one.
    async fn hand_in(
        &self,
        to: &[&str],
        notify: Option<NotifyOn>,
        insider: Option<&Inside>,
        confirm: bool,
    ) -> Result<Accepted, StoreError> {
        self.hand_in_told(to, notify, insider, confirm, None).await
    }

    /// The same, and its sender is told something.
    async fn hand_in_told(
        &self,
        to: &[&str],
        notify: Option<NotifyOn>,
        insider: Option<&Inside>,
        confirm: bool,
        telling: Option<&super::Telling>,
    ) -> Result<Accepted, StoreError> {
        let content = prepare(b"From: alice@s.example\r\nSubject: x\r\n\r\nbody\r\n".to_vec(), 0).unwrap();
        let sender = address(ALICE);
        let parameters =
            MailParameters { envid: Some("ID7".into()), ret: Some(GiveBack::Headers), ..MailParameters::default() };
        let transaction = Transaction {
            sender: Some(&sender),
            parameters: &parameters,
            submitter: insider.is_none().then(|| self.alice()),
            insider,
            signed: false,
            now: self.house.now(),
            lifetime: Duration::from_secs(5 * 86_400),
            warn_after: Duration::from_secs(4 * 3_600),
            routes: &RouteTable::default(),
            keeping: None,
            telling,
        };
        let addresses: Vec<_> = to.iter().map(|to| address(to)).collect();
        let permits: Vec<_> = to.iter().map(|to| self.permit(to)).collect();
        let wishes = RecipientParameters { notify, ..RecipientParameters::default() };
        let given: Vec<Given<'_>> = addresses
            .iter()
            .zip(&permits)
            .map(|(address, permit)| Given {
                address: Some(address),
                to: Addressed { permit, parameters: &wishes },
                fate: Fate::Goes,
            })
            .collect();
        self.house.care.accept(content, &transaction, &given, confirm).await
    }

    async fn send(&self, to: &[&str]) {
        self.ask(to, None).await.unwrap();
    }

    async fn held(&self) -> Vec<String> {
        let filter = QueueFilter { held: Some(true), ..QueueFilter::default() };
        let page = self.house.store.queue_page(filter, None, 1_000).await.unwrap();
        let reason = |state: &RecipientState| match state {
            RecipientState::Held(why) => why.clone(),
            RecipientState::Waiting => String::new(),
        };
        page.messages.iter().flat_map(|m| &m.recipients).map(|r| reason(&r.state)).collect()
    }

    /// Why alice is frozen, once all that waited of her is held.
    async fn frozen(&self) -> Option<String> {
        loop {
            let record = self.house.store.sender(Scope::Account(self.alice())).await.unwrap();
            match record.frozen {
                Some(frozen) if frozen.unfinished => tokio::task::yield_now().await,
                frozen => return frozen.map(|frozen| frozen.why),
            }
        }
    }
}

#[tokio::test]
async fn a_web_form_sends_no_more_than_a_user_may_and_it_is_told() {
    let desk = desk().await;
    let user = SendLimits { messages_per_hour: 2, ..SendLimits::default() };
    desk.house.care.set_limits(user, SendLimits { messages_per_hour: 4, ..SendLimits::default() });
    let web = Inside { who: Insider::program(33), name: "uid 33 www-data".to_owned() };
    for _ in 0..4 {
        desk.hand_in(&["x@t.example"], None, Some(&web), true).await.unwrap();
    }
    assert_eq!(desk.held().await.len(), 2, "what is beyond the limit waits");
    assert!(desk.house.told("sending.limit"));
    desk.house.bring_alerts().await;
    let told = desk.house.inbox(ALICE).await;
    assert_eq!(told.len(), 1, "alice stands in for the postmaster, who hears it once");
    assert!(told[0].contains("uid 33 www-data has sent more to other domains than it may: 2 messages an hour"));
    // The domain that it sends for is its users' as well.
    desk.send(&["x@t.example"]).await;
    assert!(desk.held().await.last().unwrap().starts_with("limit of the domain: 4 messages"));
    assert_eq!(desk.frozen().await, None);
}

#[tokio::test]
async fn beyond_a_limit_mail_is_held_and_the_postmaster_told_once() {
    let desk = desk().await;
    desk.house.care.set_limits(SendLimits { messages_per_hour: 2, ..SendLimits::default() }, SendLimits::default());
    for _ in 0..4 {
        desk.send(&["ok@t.example"]).await;
    }
    assert_eq!(desk.held().await.len(), 2);
    desk.house.bring_alerts().await;
    let alerts = desk.house.inbox(ALICE).await;
    assert_eq!(alerts.len(), 1, "alice stands in for the postmaster");
    for part in [
        "Subject: Held: more mail than the limit allows\r\n",
        "2 messages an hour",
        "mailward queue release --user alice@s.example",
    ] {
        assert!(alerts[0].contains(part), "{part}: {}", alerts[0]);
    }
    let logged: Vec<String> = desk.house.events.lines().into_iter().filter(|l| l.contains("sending.limit")).collect();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].starts_with("alert ") && logged[0].contains("user=alice@s.example"));
    // What stays here isn't concerned.
    desk.send(&[ALICE]).await;
    assert_eq!(desk.frozen().await, None);
    // Others of the domain: their own limit.
    desk.house.care.set_limits(SendLimits::default(), SendLimits { messages_per_hour: 2, ..SendLimits::default() });
    desk.send(&["ok@t.example"]).await;
    assert!(desk.held().await.iter().any(|why| why.contains("limit of the domain")));
}

#[tokio::test]
async fn who_goes_beyond_again_and_again_is_frozen_and_all_that_waits_is_held() {
    let desk = desk().await;
    desk.send(&["waits@t.example"]).await;
    desk.house.care.set_limits(SendLimits { messages_per_hour: 1, ..SendLimits::default() }, SendLimits::default());
    for _ in 0..FREEZE_HELD_MESSAGES {
        assert_eq!(desk.frozen().await, None);
        desk.send(&["ok@t.example"]).await;
    }
    let why = desk.frozen().await.unwrap();
    assert!(why.contains("beyond its limits"), "{why}");
    assert_eq!(desk.held().await.len() as u64, FREEZE_HELD_MESSAGES + 1, "also what waited before");
    assert_eq!(desk.held().await[0], super::frozen_words(&why));
    // Nothing more goes, however little it is; and it is accepted.
    desk.house.care.set_limits(SendLimits::default(), SendLimits::default());
    desk.send(&["ok@t.example"]).await;
    assert_eq!(desk.held().await.len() as u64, FREEZE_HELD_MESSAGES + 2);
    // Let go, it isn't frozen again for what it was frozen for.
    assert!(desk.house.store.unfreeze(desk.alice()).await.unwrap());
    desk.send(&["ok@t.example"]).await;
    desk.house.care.look_at(desk.alice()).await;
    assert_eq!(desk.frozen().await, None);
}

#[tokio::test]
async fn a_burst_of_new_recipients_freezes_who_never_did_that_before() {
    let desk = desk().await;
    for hour in 0..FREEZE_HISTORY_HOURS {
        desk.send(&[&format!("friend{hour}@t.example")]).await;
        desk.house.forward(HOUR);
    }
    // Many messages to those who are known are no burst.
    for _ in 0..FREEZE_NEW_RECIPIENTS {
        desk.send(&["friend0@t.example"]).await;
    }
    for victim in 1..FREEZE_NEW_RECIPIENTS {
        desk.send(&[&format!("victim{victim}@t.example")]).await;
    }
    assert_eq!(desk.frozen().await, None);
    desk.send(&["last@t.example"]).await;
    let why = desk.frozen().await.unwrap();
    assert!(why.contains("new recipients"), "{why}");
}

#[tokio::test]
async fn many_recipients_who_do_not_exist_freeze_and_the_alert_names_the_sessions() {
    let desk = desk().await;
    let sink = Sink::start(Plan::default()).await;
    desk.house.leads_to(LANE, &sink);
    let mut permits = Vec::new();
    for number in 0..FREEZE_SESSIONS_TOLD as u64 + 2 {
        let peer = Peer {
            session: number,
            address: Some("192.0.2.9".parse().unwrap()),
            port: None,
            listener: Listener::Imaps,
        };
        let mut permit = desk.house.gate.admit(None).unwrap();
        let entry = permit.enter(&peer, &desk.house.shutdown);
        assert!(entry.logged_in(&desk.login, &desk.house.directory));
        entry.client_is("Odd Mailer 3\u{202e}");
        permits.push((permit, entry));
    }
    for _ in 1..FREEZE_REFUSED_RECIPIENTS {
        desk.send(&["never@t.example"]).await;
    }
    desk.house.turn().await;
    assert_eq!(desk.frozen().await, None);
    desk.send(&["never@t.example"]).await;
    desk.house.turn().await;
    let why = desk.frozen().await.unwrap();
    assert!(why.contains("refused for good"), "{why}");
    desk.house.bring_alerts().await;
    let told = desk.house.inbox(ALICE).await;
    let alert = told.iter().find(|text| text.contains("Subject: A user is frozen")).unwrap();
    for part in
        ["alice@s.example is frozen: 30 recipients", "session 7 imaps from 192.0.2.9: Odd Mailer 3", "and 2 more"]
    {
        assert!(alert.contains(part), "{part}: {alert}");
    }
    assert!(!alert.contains('\u{202e}'));
    assert!(desk.house.told("alert user.frozen user=alice@s.example"));
}

#[tokio::test]
async fn what_a_crash_broke_off_is_held_at_the_next_start() {
    let desk = desk().await;
    desk.send(&["a@t.example"]).await;
    desk.send(&["b@t.example"]).await;
    desk.house.store.freeze(desk.alice(), "stolen".to_owned()).await.unwrap();
    assert_eq!(desk.held().await.len(), 0);
    desk.house.care.resume().await;
    assert_eq!(desk.held().await, vec![super::frozen_words("stolen"); 2]);
    // Once: what was let go by hand since stays so.
    desk.house.store.steer(QueueFilter::default(), Steer::Release, None).await.unwrap();
    desk.house.care.resume().await;
    assert_eq!(desk.held().await.len(), 0);
}

#[tokio::test]
async fn who_asked_for_it_hears_that_it_was_delivered_or_sent_on_to_several() {
    let desk = desk().await;
    let directory = &desk.house.directory;
    let targets = ["small@s.example", "x@t.example"].map(address).to_vec();
    directory.put_alias(&address("team@s.example"), targets).await.unwrap();
    directory.put_alias(&address("one@s.example"), vec![address("y@t.example")]).await.unwrap();
    directory
        .set_user(
            &address("small@s.example"),
            mailward_directory::UserSettings { quota_bytes: Some(0), ..Default::default() },
        )
        .await
        .unwrap();
    desk.ask(&["small@s.example", "team@s.example", "one@s.example", "z@t.example"], Some(SUCCESS)).await.unwrap();
    let told = desk.house.inbox(ALICE).await;
    assert_eq!(told.len(), 1);
    let fields: Vec<&str> = told[0]
        .lines()
        .filter(|line| {
            ["Final-Recipient", "Action", "Status", "Original-Envelope-Id"].iter().any(|f| line.starts_with(f))
        })
        .collect();
    assert_eq!(
        fields,
        [
            "Original-Envelope-Id: ID7",
            "Final-Recipient: rfc822; small@s.example",
            "Action: delivered",
            "Status: 2.0.0",
            "Final-Recipient: rfc822; team@s.example",
            "Action: expanded",
            "Status: 2.0.0",
        ],
        "{}",
        told[0]
    );
    assert!(told[0].contains("Subject: x") && !told[0].contains("body"), "its header alone comes back");
    // The hosts of the others confirm by themselves; not for what stood for several.
    let message = desk.house.queued().await.remove(0);
    let wishes: Vec<_> = message.recipients.iter().map(|r| (r.address.to_string(), r.notify)).collect();
    assert_eq!(
        wishes,
        [
            ("x@t.example".to_owned(), Some(NotifyOn::default())),
            ("y@t.example".to_owned(), Some(SUCCESS)),
            ("z@t.example".to_owned(), Some(SUCCESS)),
        ]
    );
    // Nobody asked: nobody is told.
    desk.ask(&["small@s.example"], None).await.unwrap();
    assert_eq!(desk.house.inbox(ALICE).await.len(), 1);
}

#[tokio::test]
async fn one_that_stood_for_several_asks_no_host_for_success_though_nothing_is_confirmed_here() {
    let desk = desk().await;
    let team = vec![address("x@t.example"), address("y@t.example")];
    desk.house.directory.put_alias(&address("team@s.example"), team).await.unwrap();
    desk.ask_for(&["team@s.example", "z@t.example"], Some(SUCCESS), false).await.unwrap();
    assert_eq!(desk.house.inbox(ALICE).await.len(), 0);
    let message = desk.house.queued().await.remove(0);
    let asks = message.recipients.iter().filter(|r| r.notify.unwrap().success).map(|r| r.address.to_string());
    assert_eq!(asks.collect::<Vec<_>>(), ["z@t.example"]);
}

#[tokio::test]
async fn a_schedule_is_in_force_with_the_next_message() {
    let desk = desk().await;
    desk.send(&["a@t.example", "b@u.example"]).await;
    assert_eq!(desk.house.queued().await.len(), 1);
    let shelf = &*desk.house.store;
    let hours = |lifetime, warn_after| Schedule { lifetime: Some(lifetime), warn_after: Some(warn_after) };
    Schedules::set(shelf, &"to u.example".parse().unwrap(), &hours(2, 1)).await.unwrap();
    desk.house.remove_all().await;
    desk.send(&["a@t.example", "b@u.example"]).await;
    let times: Vec<_> = desk
        .house
        .queued()
        .await
        .iter()
        .map(|m| {
            let after = |at: mailward_core::Timestamp| (at.0 - m.envelope.arrived.0) / HOUR;
            (m.recipients[0].address.to_string(), after(m.envelope.expires), m.envelope.warn.map(after))
        })
        .collect();
    assert_eq!(times, [("b@u.example".to_owned(), 2, Some(1)), ("a@t.example".to_owned(), 120, Some(4))]);
    // Its sender's own stands before it.
    Schedules::set(shelf, &"from Alice@s.example".parse().unwrap(), &hours(3, 0)).await.unwrap();
    desk.house.remove_all().await;
    desk.send(&["a@t.example", "b@u.example"]).await;
    let message = desk.house.queued().await.remove(0);
    assert_eq!((message.recipients.len(), message.envelope.warn), (2, None));
    // One that can't be read is told and left out; one that is removed is gone.
    let odd =
        Shelved { key: "schedule:to t.example".into(), value: b"{\"life\":1}"[..].to_vec().into(), expires: None };
    shelf.change_shelf(vec![ShelfChange::Put(Shelf::Sending, odd)]).await.unwrap();
    Schedules::remove(shelf, &"from alice@s.example".parse().unwrap()).await.unwrap();
    assert!(matches!(Schedules::remove(shelf, &"from x.example".parse().unwrap()).await, Err(StoreError::NotFound(_))));
    desk.house.remove_all().await;
    desk.send(&["a@t.example", "b@u.example"]).await;
    assert_eq!(desk.house.queued().await.len(), 2);
    assert!(desk.house.told("alert schedule.unreadable"));
}

#[tokio::test]
async fn there_are_no_more_schedules_than_the_limit_and_no_more_parts_of_a_message() {
    let desk = desk().await;
    let shelf = &*desk.house.store;
    let record = |number: usize| {
        let value =
            serde_json::to_vec(&Schedule { lifetime: u32::try_from(number % 100 + 1).ok(), warn_after: None }).unwrap();
        Shelved { key: format!("schedule:to d{number}.example"), value: value.into(), expires: None }
    };
    for some in (0..SCHEDULES_MAX).collect::<Vec<_>>().chunks(100) {
        let changes = some.iter().map(|number| ShelfChange::Put(Shelf::Sending, record(*number))).collect();
        shelf.change_shelf(changes).await.unwrap();
    }
    let schedule = Schedule { lifetime: Some(1), warn_after: None };
    let more = Schedules::set(shelf, &"to more.example".parse().unwrap(), &schedule).await;
    assert!(matches!(more, Err(StoreError::Limit(_))));
    Schedules::set(shelf, &"to d1.example".parse().unwrap(), &schedule).await.unwrap();
    let to: Vec<String> = (0..SCHEDULES_PER_MESSAGE + 5).map(|number| format!("x@d{number}.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    desk.send(&to).await;
    assert!(desk.house.queued().await.len() <= SCHEDULES_PER_MESSAGE + 1);
    let all: usize = desk.house.queued().await.iter().map(|message| message.recipients.len()).sum();
    assert_eq!(all, to.len());
}

#[tokio::test]
async fn what_is_kept_for_one_alias_of_a_user_comes_by_no_other_also_where_each_has_an_answer_of_its_own() {
    let desk = desk().await;
    let directory = &desk.house.directory;
    for alias in ["one@s.example", "two@s.example"] {
        directory.put_alias(&address(alias), vec![address(ALICE)]).await.unwrap();
    }
    let content = prepare(b"From: x@t.example\r\nSubject: x\r\n\r\nbody\r\n".to_vec(), 0).unwrap();
    // The first has no room, so that each is tried by itself.
    let addresses = ["small@s.example", "one@s.example", "two@s.example"].map(address);
    let permits = addresses.each_ref().map(|address| desk.permit(&address.to_string()));
    let (parameters, wishes, routes) =
        (MailParameters::default(), RecipientParameters::default(), RouteTable::default());
    let given: Vec<Given<'_>> = addresses
        .iter()
        .zip(&permits)
        .zip([Fate::Goes, Fate::Goes, Fate::Kept])
        .map(|((address, permit), fate)| Given {
            address: Some(address),
            to: Addressed { permit, parameters: &wishes },
            fate,
        })
        .collect();
    let expires = Timestamp(desk.house.now().0 + HOUR);
    let keeping = Keeping { note: bytes::Bytes::from_static(b"{}"), expires, source: None };
    let transaction = |keeping| Transaction {
        sender: None,
        parameters: &parameters,
        submitter: None,
        insider: None,
        signed: false,
        now: desk.house.now(),
        lifetime: Duration::from_secs(86_400),
        warn_after: Duration::from_secs(3_600),
        routes: &routes,
        keeping,
        telling: None,
    };
    // It can't be kept: then nobody gets it in its stead.
    let answers = desk.house.care.accept_each(content.clone(), &transaction(None), &given, false).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    let answers = desk.house.care.accept_each(content, &transaction(Some(&keeping)), &given, false).await;
    assert!(matches!(answers.as_slice(), [Err(StoreError::OverQuota), Ok(()), Ok(())]), "{answers:?}");
    assert!(desk.house.inbox(ALICE).await.is_empty());
    assert_eq!(desk.house.store.quarantine_size().await.unwrap(), 1);
}

#[tokio::test]
async fn a_sender_here_hears_of_their_message_with_the_commit_that_takes_it() {
    let desk = desk().await;
    let lines = vec!["waits until \u{1b}[2Jsomebody".to_owned(), "content/hold: why".to_owned()];
    let telling = super::Telling { subject: "Your message waits".to_owned(), lines };
    desk.hand_in_told(&["ann@far.example"], None, None, false, Some(&telling)).await.unwrap();
    let inbox = desk.house.inbox("alice@s.example").await;
    let [told] = inbox.as_slice() else { panic!("one message: {inbox:?}") };
    assert!(told.contains("Subject: Your message waits\r\n") && told.contains("To: <alice@s.example>\r\n"), "{told}");
    assert!(told.contains("Auto-Submitted: auto-generated\r\n") && told.contains("Message-ID: <told."), "{told}");
    assert!(told.ends_with("\r\n\r\nwaits until \u{fffd}[2Jsomebody\r\ncontent/hold: why\r\n"), "{told}");
    // The same for what a program of this host sent as alice.
    let inside = Inside { who: Insider::program(33), name: "uid 33 www-data".to_owned() };
    desk.hand_in_told(&["ann@far.example"], None, Some(&inside), false, Some(&telling)).await.unwrap();
    assert_eq!(desk.house.inbox("alice@s.example").await.len(), 2);
}
