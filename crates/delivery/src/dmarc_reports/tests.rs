//! Reports on their way and reports that come, by a clock and a zone of the test's own.

use super::*;
use bytes::Bytes;
use mailward_core::Secret;
use mailward_core::limits::{
    DMARC_DOMAINS_KEPT, DMARC_HEARD_MAX, DMARC_HEARD_PER_ORGANIZATION_MAX, DMARC_REPORT_PARTS_MAX, DMARC_ROWS_MAX,
};
use mailward_dns_zone::Records;
use mailward_inspect::authenticate::{self, Authentication, Policy, Results};
use mailward_inspect::report;
use mailward_inspect::spf::{Identity, SpfOutcome};
use mailward_inspect::{Direction, Recipient, Subject};
use mailward_message::{Structure, decode};
use mailward_store::api::{MailStore as _, QueueStore as _};
use mailward_store::records::{NotifyOn, QueueFilter, QueuedMessage};
use mailward_store::{LocalStore, Options};
use mailward_vault::Seal;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
/// From noon to when every report of the day is due.
const NEXT_MORNING: i64 = 19 * HOUR;

struct Office {
    clock: Arc<Hand>,
    store: Arc<LocalStore>,
    ledger: Arc<Ledger>,
    directory: Arc<Directory>,
    lookup: Arc<Records>,
    reporter: Reporter,
    _dir: tempfile::TempDir,
}

impl Office {
    /// `s.example` is ours, and has keys.
    async fn new(zone: Records) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(20_000 * DAY + 12 * HOUR)));
        let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        let dkim = Arc::new(Dkim::new(directory.clone(), store.clone(), Seal::new(&Secret::new("secret")).unwrap()));
        dkim.add_domain(Domain::parse("s.example").unwrap()).await.unwrap();
        let ledger = Arc::new(Ledger::new(clock.clone()));
        let lookup = Arc::new(zone);
        let reporter = Reporter::new(Parts {
            ledger: Arc::clone(&ledger),
            shelf: store.clone(),
            directory: directory.clone(),
            dkim: Some(dkim),
            lookup: lookup.clone(),
            hostname: Domain::parse("mx.s.example").unwrap(),
            contact: "postmaster@mx.s.example".parse().unwrap(),
            send: true,
            clock: clock.clone(),
            events: Events::memory(),
        });
        Self { clock, store, ledger, directory, lookup, reporter, _dir: dir }
    }

    /// A message that comes, and what is found out of it.
    async fn comes(&self, author: &str, ip: &str, spf: Option<&str>, policy: &Policy) {
        let (subject, found) = self.seen(&format!("From: x@{author}\r\n\r\n"), ip, spf, policy).await;
        self.ledger.note(&subject, &found);
    }

    async fn seen(&self, message: &str, ip: &str, spf: Option<&str>, policy: &Policy) -> (Subject, Authentication) {
        let mut subject = subject(message, ip);
        subject.now = self.clock.now();
        subject.spf = spf.map(|name| SpfOutcome {
            result: mailward_core::SpfResult::Pass,
            identity: Identity::MailFrom,
            domain: mailward_dns::Name::parse(name).ok(),
            explanation: None,
            mechanism: None,
            why: String::new(),
            personal: false,
        });
        let found = authenticate::check(&subject, &*self.lookup, policy).await.unwrap();
        (subject, found)
    }

    async fn morning(&self) {
        self.reporter.write().await;
        self.clock.0.fetch_add(NEXT_MORNING, Ordering::Relaxed);
        self.reporter.send_due().await.unwrap();
    }

    async fn queued(&self) -> Vec<QueuedMessage> {
        self.store.queue_page(QueueFilter::default(), None, 1_000).await.unwrap().messages
    }

    async fn told(&self, domain: &str) -> Told {
        let all = self.store.shelf(Shelf::DmarcReports, None, 1_000).await.unwrap();
        all.iter().filter_map(Told::read).find(|(_, of, _)| of.as_str() == domain).unwrap().2
    }

    async fn states(&self, domain: &str) -> Vec<(String, SentState)> {
        self.told(domain).await.sent.into_iter().map(|sent| (sent.place, sent.state)).collect()
    }

    fn listener(&self) -> Arc<Listener> {
        Arc::new(Listener::new(self.directory.clone(), self.lookup.clone(), self.store.clone()))
    }
}

/// Reads a message, if it is one to be read.
async fn hear(listener: &Arc<Listener>, subject: &Subject, found: &Authentication) -> Option<Heard> {
    listener.due(subject, found).unwrap()?.read().await.unwrap()
}

fn subject(message: &str, ip: &str) -> Subject {
    let bytes = Bytes::from(message.to_owned());
    Subject {
        trace: 0,
        structure: Arc::new(Structure::parse(&bytes)),
        bytes,
        id: "1".into(),
        direction: Direction::Incoming,
        client: Some(ip.parse::<IpAddr>().unwrap()),
        hello: "x".into(),
        reverse: None,
        stranger: true,
        sender: Some("x@e.example".parse().unwrap()),
        recipients: Arc::new([Recipient { address: "dmarc@s.example".parse().ok(), accounts: Vec::new() }]),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: false,
        now: Timestamp(0),
    }
}

fn wanting(rua: &str) -> Records {
    Records::default().txt("_dmarc.t.example", &format!("v=DMARC1; p=reject; sp=none; rua={rua}"))
}

#[tokio::test]
async fn a_report_goes_by_mail_once_signed_and_tells_what_came() {
    let office = Office::new(wanting("mailto:dmarc@t.example")).await;
    for _ in 0..3 {
        office.comes("t.example", "192.0.2.1", Some("t.example"), &Policy::default()).await;
    }
    office.reporter.write().await;
    office.comes("t.example", "192.0.2.1", Some("t.example"), &Policy::default()).await;
    office.comes("t.example", "2001:db8::1", None, &Policy::default()).await;
    office.comes("a.t.example", "192.0.2.1", None, &Policy::default()).await;
    office.comes("nobody.example", "192.0.2.1", None, &Policy::default()).await;
    office.reporter.send_due().await.unwrap();
    assert!(office.queued().await.is_empty(), "the day isn't over");
    office.morning().await;
    office.reporter.send_due().await.unwrap();
    let queued = office.queued().await;
    assert_eq!(queued.len(), 1, "once");
    let (message, recipient) = (&queued[0], &queued[0].recipients[0]);
    assert_eq!(recipient.address.to_string(), "dmarc@t.example");
    assert_eq!((recipient.notify, message.envelope.submitter), (Some(NotifyOn::default()), None));
    let bytes = office.store.read(message.blob, 0, message.size).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.starts_with("DKIM-Signature:") && text.replace("\r\n", "").contains("d=s.example;"), "{text}");
    let subject = "Subject: Report Domain: t.example\r\n Submitter: mx.s.example\r\n Report-ID: <";
    assert!(
        text.contains(subject) && text.contains("filename=\"mx.s.example!t.example!1728000000!1728086399!"),
        "{text}"
    );
    let structure = Structure::parse(&bytes);
    let part = structure.parts().find(|part| part.subtype == "gzip").unwrap();
    let read = report::read(&report::unpack(&decode::part_bytes(&bytes, part)).unwrap()).unwrap();
    assert_eq!((read.published.p.as_str(), read.published.sp.as_deref(), read.rows.len()), ("reject", Some("none"), 3));
    assert_eq!((read.begin, read.end), (1_728_000_000, 1_728_086_399));
    let row = |n: usize| {
        let row = &read.rows[n];
        (row.count, row.disposition.as_str(), row.spf_aligned, row.header_from.as_str())
    };
    assert_eq!(row(0), (4, "pass", true, "t.example"));
    assert_eq!(row(1), (1, "reject", false, "t.example"));
    assert_eq!(row(2), (1, "none", false, "a.t.example"));
    assert_eq!(office.states("t.example").await, [("dmarc@t.example".to_owned(), SentState::Sent)]);
}

#[tokio::test]
async fn why_something_else_was_done_than_asked_is_told() {
    let office = Office::new(
        wanting("mailto:dmarc@t.example")
            .txt("_dmarc.u.example", "v=DMARC1; p=reject; t=y; rua=mailto:dmarc@u.example"),
    )
    .await;
    let lenient = Policy { reject: mailward_inspect::Action::Mark, ..Policy::default() };
    office.comes("t.example", "192.0.2.1", None, &lenient).await;
    office.comes("u.example", "192.0.2.1", None, &Policy::default()).await;
    office.reporter.write().await;
    for (domain, done, kind) in [("t.example", "none", "local_policy"), ("u.example", "quarantine", "policy_test_mode")]
    {
        let row = office.told(domain).await.rows.remove(0);
        assert_eq!((row.disposition.as_str(), row.reason.unwrap().0.as_str()), (done, kind));
    }
}

/// Attacks D10.
#[tokio::test]
async fn nobody_gets_reports_of_others_who_does_not_say_so() {
    let zone = wanting("mailto:a@victim.example,mailto:b@takes.example,mailto:c@other.example,mailto:d@away.example")
        .txt("t.example._report._dmarc.takes.example", "v=DMARC1")
        .txt("t.example._report._dmarc.other.example", "v=DMARC1; rua=mailto:instead@other.example")
        .txt("t.example._report._dmarc.away.example", "v=DMARC1; rua=mailto:x@victim.example");
    let office = Office::new(zone).await;
    office.comes("t.example", "192.0.2.1", None, &Policy::default()).await;
    office.morning().await;
    assert_eq!(
        office.states("t.example").await,
        [
            ("a@victim.example".to_owned(), SentState::Unwanted),
            ("b@takes.example".to_owned(), SentState::Sent),
            ("instead@other.example".to_owned(), SentState::Sent),
            ("d@away.example".to_owned(), SentState::Unwanted),
        ]
    );
    assert_eq!(office.queued().await.len(), 2);
}

/// Attacks D10.
#[tokio::test]
async fn no_domain_gets_more_reports_of_a_day_than_so_many() {
    let mut zone = Records::default().txt("_dmarc.t.example", "v=DMARC1; p=none; psd=n");
    for n in 0..=DMARC_REPORTS_PER_DESTINATION_MAX {
        // An organisation has as many names as it likes.
        let to = if n % 2 == 0 { "t.example".to_owned() } else { format!("h{n}.t.example") };
        zone = zone.txt(&format!("_dmarc.h{n}.t.example"), &format!("v=DMARC1; p=none; rua=mailto:v@{to}"));
    }
    let office = Office::new(zone).await;
    for n in 0..=DMARC_REPORTS_PER_DESTINATION_MAX {
        office.comes(&format!("h{n}.t.example"), "192.0.2.1", None, &Policy::default()).await;
    }
    office.morning().await;
    *office.reporter.tried.lock().await = new_tried(None);
    office.reporter.send_due().await.unwrap();
    assert_eq!(office.queued().await.len(), DMARC_REPORTS_PER_DESTINATION_MAX, "also after a restart");
}

#[tokio::test]
async fn what_cannot_be_known_or_sent_is_tried_for_a_day_and_dropped() {
    let zone = wanting("mailto:a@slow.example").failing("t.example._report._dmarc.slow.example", None);
    let office = Office::new(zone).await;
    office.comes("t.example", "192.0.2.1", None, &Policy::default()).await;
    office.morning().await;
    assert!(office.states("t.example").await.is_empty());
    office.clock.0.fetch_add(DAY, Ordering::Relaxed);
    office.reporter.send_due().await.unwrap();
    assert_eq!(office.states("t.example").await, [("a@slow.example".to_owned(), SentState::Dropped)]);
    assert!(office.queued().await.is_empty());
}

#[tokio::test]
async fn a_day_has_so_many_rows_and_the_memory_so_many_domains() {
    let mut zone = wanting("mailto:dmarc@t.example");
    zone = zone.txt("_dmarc.many.example", "v=DMARC1; p=none; rua=mailto:a@many.example");
    let office = Office::new(zone).await;
    for n in 0..DMARC_ROWS_MAX + 5 {
        office.comes("t.example", &format!("192.0.{}.{}", n / 250, n % 250), None, &Policy::default()).await;
    }
    office.reporter.write().await;
    let told = office.told("t.example").await;
    assert_eq!((told.sums().0, told.rows.len() <= DMARC_ROWS_MAX), (DMARC_ROWS_MAX as u64 + 5, true));
    let long = "x".repeat(200);
    let mut large = told.clone();
    large.rows.iter_mut().for_each(|row| row.spf = Some((long.clone(), long.clone())));
    let (_, _, kept) = Told::read(&large.record(Day(1), &Domain::parse("t.example").unwrap())).unwrap();
    assert!(kept.rows.len() < large.rows.len() && kept.sums().0 == large.sums().0);

    let (subject, found) = office.seen("From: x@many.example\r\n\r\n", "192.0.2.1", None, &Policy::default()).await;
    for n in 0..=DMARC_DOMAINS_KEPT {
        let mut found = found.clone();
        let policy = found.dmarc.as_mut().unwrap().policy.as_mut().unwrap();
        policy.domain = mailward_dns::Name::parse(&format!("d{n}.example")).unwrap();
        office.ledger.note(&subject, &found);
    }
    assert_eq!(office.ledger.write(&*office.store).await.unwrap(), 1);
}

#[tokio::test]
async fn only_what_strangers_bring_and_what_is_known_is_told() {
    let office = Office::new(wanting("mailto:dmarc@t.example")).await;
    let (mut subject, mut found) =
        office.seen("From: x@t.example\r\n\r\n", "192.0.2.1", None, &Policy::default()).await;
    found.counts = false;
    office.ledger.note(&subject, &found);
    found.counts = true;
    subject.client = None;
    office.ledger.note(&subject, &found);
    subject.client = "192.0.2.1".parse().ok();
    found.dmarc.as_mut().unwrap().result = mailward_inspect::dmarc::DmarcResult::TempError;
    office.ledger.note(&subject, &found);
    found.results = Results { dkim: Vec::new(), ..found.results };
    office.reporter.write().await;
    assert!(office.store.shelf(Shelf::DmarcReports, None, 10).await.unwrap().is_empty());
}

/// What another server reports of `s.example`.
fn theirs(id: &str, domain: &str) -> String {
    let day = Day(20_000);
    let row = report::Row {
        source: "192.0.2.200".parse().unwrap(),
        count: 7,
        disposition: "none".to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
        reason: None,
        header_from: domain.to_owned(),
        envelope_from: None,
        dkim: Vec::new(),
        spf: None,
    };
    let report = Report {
        organization: "r.example".to_owned(),
        email: "x@r.example".to_owned(),
        id: id.to_owned(),
        begin: day.begin().secs(),
        end: day.end().secs(),
        error: None,
        published: report::Published {
            domain: domain.to_owned(),
            p: "none".to_owned(),
            ..report::Published::default()
        },
        rows: vec![row],
        more: 0,
    };
    let hostname = Domain::parse("r.example").unwrap();
    let contact: Address = "x@r.example".parse().unwrap();
    let letter =
        Letter { day, domain: &Domain::parse(domain).unwrap(), hostname: &hostname, contact: &contact, id: "abc" };
    let to = "dmarc@s.example".parse().unwrap();
    String::from_utf8(letter.written(&report, &to, day.end()).unwrap()).unwrap()
}

fn zone_of_heard() -> Records {
    Records::default()
        .txt("_dmarc.s.example", "v=DMARC1; p=none; rua=mailto:dmarc@s.example")
        .txt("_dmarc.r.example", "v=DMARC1; p=none")
        .txt("_dmarc.o.example", "v=DMARC1; p=none; rua=mailto:dmarc@s.example")
}

#[tokio::test]
async fn what_others_report_of_our_domains_is_kept_once() {
    let office = Office::new(zone_of_heard()).await;
    let listener = office.listener();
    for id in ["1", "1", "2"] {
        let (subject, found) =
            office.seen(&theirs(id, "s.example"), "192.0.2.1", Some("r.example"), &Policy::default()).await;
        let heard = hear(&listener, &subject, &found).await.unwrap();
        assert_eq!((heard.proven.as_str(), heard.report.rows[0].count), ("r.example", 7));
    }
    let kept = office.store.shelf(Shelf::DmarcHeard, None, 10).await.unwrap();
    assert_eq!(kept.len(), 2, "the same report is kept once");
    assert!(kept.iter().all(|one| one.key.starts_with("s.example/2024-10-04/")));
    let heard: Heard = serde_json::from_slice(&kept[0].value).unwrap();
    assert_eq!(heard.report.published.domain, "s.example");
}

/// Attacks D9: reports that nobody asked for, of others' domains, from who knows whom.
#[tokio::test]
async fn reports_that_are_nobody_s_are_not_kept() {
    let office = Office::new(zone_of_heard()).await;
    let listener = office.listener();
    let message = theirs("1", "s.example");
    let heard = async |message: &str, spf: Option<&str>, change: fn(&mut Subject)| {
        let (mut subject, found) = office.seen(message, "192.0.2.1", spf, &Policy::default()).await;
        change(&mut subject);
        hear(&listener, &subject, &found).await
    };
    let proven = Some("r.example");
    assert!(heard(&message, None, |_| {}).await.is_none(), "it isn't proven who reports");
    assert!(heard(&theirs("1", "o.example"), proven, |_| {}).await.is_none(), "not ours");
    assert!(heard(&message.replace("Report Domain", "Reporting"), proven, |_| {}).await.is_none());
    assert!(heard(&message.replace("application/gzip", "image/png"), proven, |_| {}).await.is_none());
    assert!(heard(&message.replace("H4sI", "AAAA"), proven, |_| {}).await.is_none());
    let elsewhere: fn(&mut Subject) = |subject| {
        subject.recipients = Arc::new([Recipient { address: "x@s.example".parse().ok(), accounts: Vec::new() }]);
    };
    assert!(heard(&message, proven, elsewhere).await.is_none(), "not where the domain wants them");
    assert!(
        heard(&message, proven, |subject| subject.now = Timestamp(19_000 * DAY)).await.is_none(),
        "of days to come"
    );
    assert!(heard(&message, proven, |subject| subject.now = Timestamp(21_000 * DAY)).await.is_none(), "of long ago");
    assert!(heard(&message, proven, |subject| subject.direction = Direction::Internal).await.is_none());
    assert!(office.store.shelf(Shelf::DmarcHeard, None, 10).await.unwrap().is_empty());
    // Of another domain than the subject says.
    assert!(
        heard(&message.replace("Report Domain: s.example", "Report Domain: o.example"), proven, |_| {}).await.is_none()
    );
    assert!(office.store.shelf(Shelf::DmarcHeard, None, 10).await.unwrap().is_empty());
}

/// Attacks D9: who fills the days of a domain.
#[tokio::test]
async fn nobody_fills_a_day_alone_and_all_together_fill_no_more_than_so_much() {
    let mut zone = zone_of_heard();
    for n in 0..DMARC_HEARD_MAX {
        zone = zone.txt(&format!("_dmarc.r{n}.example"), "v=DMARC1; p=none");
        zone = zone.txt(&format!("_dmarc.r{n}.r.example"), "v=DMARC1; p=none");
    }
    let office = Office::new(zone).await;
    let listener = office.listener();
    let heard = async |id: &str, from: &str| {
        let message = theirs(id, "s.example").replace("@r.example", &format!("@{from}"));
        let (subject, found) = office.seen(&message, "192.0.2.1", Some(from), &Policy::default()).await;
        assert_eq!(found.proven().map(Domain::as_str), Some(from));
        hear(&listener, &subject, &found).await
    };
    for n in 0..DMARC_HEARD_PER_ORGANIZATION_MAX {
        assert!(heard(&n.to_string(), "r.example").await.is_some());
    }
    assert!(heard("more", "r.example").await.is_none(), "a flood");
    assert!(heard("more", "r7.r.example").await.is_none(), "by another name of the same organisation");
    assert!(heard("0", "r7.r.example").await.is_some(), "one that is known");
    for n in DMARC_HEARD_PER_ORGANIZATION_MAX..DMARC_HEARD_MAX {
        assert!(heard("1", &format!("r{n}.example")).await.is_some());
    }
    assert!(heard("1", "r0.example").await.is_none(), "enough of that day");
    assert!(heard("1", "r.example").await.is_some(), "one that is known");
}

/// Attacks D9: reports cost one at a time, and nothing before it is known that somebody here wants them.
#[tokio::test]
async fn reports_are_read_one_at_a_time_and_only_the_first_parts() {
    let office = Office::new(zone_of_heard()).await;
    let listener = office.listener();
    let message = theirs("1", "s.example");
    let (subject, found) = office.seen(&message, "192.0.2.1", Some("r.example"), &Policy::default()).await;
    let first = listener.due(&subject, &found).unwrap().unwrap();
    assert_eq!(listener.due(&subject, &found).unwrap_err(), Busy);
    let (other, of_other) =
        office.seen(&theirs("1", "o.example"), "192.0.2.1", Some("r.example"), &Policy::default()).await;
    assert!(listener.due(&other, &of_other).unwrap().is_none(), "nobody's, whoever is read");
    assert!(first.read().await.unwrap().is_some());
    drop(listener.due(&subject, &found).unwrap().unwrap());
    // What isn't one, so often that the report isn't reached.
    let boundary = message.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let chaff = |times: usize| {
        let part = format!("--{boundary}\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n");
        message.replacen(&format!("--{boundary}\r\n"), &format!("{}--{boundary}\r\n", part.repeat(times)), 1)
    };
    for (times, reached) in [(DMARC_REPORT_PARTS_MAX - 1, true), (DMARC_REPORT_PARTS_MAX, false)] {
        let (subject, found) = office.seen(&chaff(times), "192.0.2.1", Some("r.example"), &Policy::default()).await;
        assert_eq!(hear(&listener, &subject, &found).await.is_some(), reached);
    }
}
