//! Reports on their way, by a clock, a zone and a web server of the test's own.

use super::*;
use mailward_core::Secret;
use mailward_dns::Resolver;
use mailward_dns_zone::{Fault, Zone, Zones};
use mailward_store::api::{MailStore as _, QueueStore as _};
use mailward_store::records::{NotifyOn, QueueFilter, QueuedMessage};
use mailward_store::{LocalStore, Options};
use mailward_sts::{Failure, PolicyKind, ResultType, Told};
use mailward_tls::outbound::Outbound;
use mailward_tls::{Acceptor, Wire, authority};
use mailward_vault::Seal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

/// Takes reports, or says what it is told to.
struct Web {
    port: u16,
    says: Arc<Mutex<&'static str>>,
    taken: Arc<Mutex<Vec<String>>>,
    /// Rings when a report came.
    bell: Arc<Notify>,
}

impl Web {
    async fn start(authority: &authority::Authority) -> Self {
        let issued = authority::issue(authority, &["web.t.example"], SystemTime::now()).unwrap();
        let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (says, taken) = (Arc::new(Mutex::new("201 Created")), Arc::new(Mutex::new(Vec::new())));
        let bell = Arc::new(Notify::new());
        let (said, seen, rings) = (Arc::clone(&says), Arc::clone(&taken), Arc::clone(&bell));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, said, seen, rings) = (acceptor.clone(), said.clone(), seen.clone(), rings.clone());
                tokio::spawn(async move {
                    let Ok(mut wire) = Wire::tcp(stream).accept_tls(&acceptor).await else { return };
                    let mut request = [0; 8192];
                    let Ok(count) = wire.read(&mut request).await else { return };
                    let head = String::from_utf8_lossy(&request[..count]).lines().next().unwrap_or_default().to_owned();
                    let says = *said.lock().unwrap();
                    let silent = head.contains("/silent");
                    seen.lock().unwrap().push(head);
                    rings.notify_one();
                    if silent {
                        return std::future::pending().await;
                    }
                    let _gone =
                        wire.write_all(format!("HTTP/1.1 {says}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
                    let _gone = wire.shutdown().await;
                });
            }
        });
        Self { port, says, taken, bell }
    }
}

struct Office {
    clock: Arc<Hand>,
    store: Arc<LocalStore>,
    ledger: Arc<Ledger>,
    web: Web,
    zones: Zones,
    reporter: Reporter,
    _dir: tempfile::TempDir,
}

impl Office {
    /// `s.example` is ours, with keys if so; `t.example` wants its reports at these places, `PORT` being the web's.
    async fn new(keys: bool, rua: &str) -> Self {
        Self::with(keys, &[("", rua)]).await
    }

    /// The same for domains below it, by the label before its name.
    async fn with(keys: bool, ruas: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(20_000 * DAY + 12 * HOUR)));
        let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        let dkim = Arc::new(Dkim::new(directory.clone(), store.clone(), Seal::new(&Secret::new("secret")).unwrap()));
        let ours = Domain::parse("s.example").unwrap();
        if keys {
            dkim.add_domain(ours).await.unwrap();
        } else {
            directory.add_domain(ours).await.unwrap();
        }
        let authority = authority::create(&["t.example"], SystemTime::now()).unwrap();
        let web = Web::start(&authority).await;
        let mut text = "@ 60 IN A 127.0.0.1\nweb 60 IN A 127.0.0.1\n".to_owned();
        for (label, rua) in ruas {
            let (dot, rua) = (if label.is_empty() { "" } else { "." }, rua.replace("PORT", &web.port.to_string()));
            text.push_str(&format!("_smtp._tls{dot}{label} 60 IN TXT \"v=TLSRPTv1;rua={rua}\"\n"));
        }
        let zones =
            Zones::start(&[Zone::plain("t.example.", &text), Zone::plain("u.example.", "@ 60 IN A 127.0.0.1\n")]).await;
        let lookup: Arc<dyn Lookup> = Arc::new(Resolver::new(&zones.config()).unwrap());
        let ledger = Arc::new(Ledger::new(clock.clone()));
        let reporter = Reporter::new(Parts {
            ledger: Arc::clone(&ledger),
            shelf: store.clone(),
            directory,
            dkim: Some(dkim),
            https: Https::new(
                Arc::clone(&lookup),
                Outbound::trusting(authority.certificate_pem.as_bytes()).unwrap(),
                true,
            ),
            lookup,
            hostname: Domain::parse("mx.s.example").unwrap(),
            contact: "postmaster@mx.s.example".parse().unwrap(),
            send: true,
            clock: clock.clone(),
            events: Events::memory(),
        });
        Self { clock, store, ledger, web, zones, reporter, _dir: dir }
    }

    async fn counts(&self, domain: &str) {
        let domain = Domain::parse(domain).unwrap();
        self.ledger.count(&domain, &Told::nothing(), None);
        let sts = Told::new(PolicyKind::Sts, [], []);
        self.ledger.count(&domain, &sts, Some(Failure::of_policy(ResultType::StsPolicyInvalid, "x")));
        self.reporter.write().await;
    }
    fn forward(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }
    /// A day with each of these labels, and the next morning.
    async fn had_a_day_with(&self, labels: &[(String, &str)]) {
        for (label, _) in labels {
            self.ledger.count(&Domain::parse(&format!("{label}.t.example")).unwrap(), &Told::nothing(), None);
        }
        self.reporter.write().await;
        self.forward(NEXT_MORNING);
    }
    async fn queued(&self) -> Vec<QueuedMessage> {
        self.store.queue_page(QueueFilter::default(), None, 100).await.unwrap().messages
    }
    async fn states(&self, domain: &str) -> Vec<SentState> {
        let all = self.store.shelf(Shelf::TlsReports, None, 1000).await.unwrap();
        let found = all.iter().filter_map(Results::read).find(|(_, of, _)| of.as_str() == domain).unwrap();
        found.2.sent.iter().map(|sent| sent.state).collect()
    }
}

/// From noon to when every report of the day is due.
const NEXT_MORNING: i64 = 17 * HOUR;

#[tokio::test]
async fn a_report_goes_by_mail_once_signed_and_without_need_of_tls() {
    let office = Office::new(true, "mailto:tls@r.example").await;
    office.counts("t.example").await;
    office.reporter.send_due().await.unwrap();
    assert!(office.queued().await.is_empty(), "the day isn't over");
    office.forward(NEXT_MORNING);
    for _ in 0..3 {
        office.reporter.send_due().await.unwrap();
    }
    let queued = office.queued().await;
    assert_eq!(queued.len(), 1, "once");
    let (message, recipient) = (&queued[0], &queued[0].recipients[0]);
    assert_eq!(recipient.address.to_string(), "tls@r.example");
    assert_eq!(recipient.notify, Some(NotifyOn::default()));
    assert!(message.envelope.needs.tls_optional && message.envelope.submitter.is_none());
    let text = office.store.read(message.blob, 0, message.size).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.starts_with("DKIM-Signature:") && text.replace("\r\n", "").contains("d=s.example;"), "{text}");
    assert!(text.contains("TLS-Report-Domain: t.example\r\n") && text.contains("From: <postmaster@mx.s.example>"));
    assert_eq!(office.states("t.example").await, [SentState::Sent]);
}

#[tokio::test]
async fn a_report_goes_by_https_and_is_tried_again_for_a_day() {
    let office = Office::new(true, "https://web.t.example:PORT/v1").await;
    office.counts("t.example").await;
    office.forward(NEXT_MORNING);
    *office.web.says.lock().unwrap() = "503 Later";
    office.reporter.send_due().await.unwrap();
    assert_eq!(office.states("t.example").await, [SentState::Failed]);
    *office.web.says.lock().unwrap() = "201 Created";
    office.reporter.send_due().await.unwrap();
    office.reporter.send_due().await.unwrap();
    assert_eq!(office.states("t.example").await, [SentState::Sent]);
    assert_eq!(*office.web.taken.lock().unwrap(), ["POST /v1 HTTP/1.1", "POST /v1 HTTP/1.1"]);
    // The next day's is never taken: it is dropped when a day has passed.
    *office.web.says.lock().unwrap() = "503 Later";
    office
        .store
        .change_shelf(vec![ShelfChange::Remove(Shelf::TlsReports, "2024-10-04/t.example".to_owned())])
        .await
        .unwrap();
    office.counts("t.example").await;
    office.forward(DAY);
    office.reporter.send_due().await.unwrap();
    assert_eq!(office.states("t.example").await, [SentState::Failed]);
    office.forward(DAY);
    office.reporter.send_due().await.unwrap();
    assert_eq!(
        (office.states("t.example").await, office.web.taken.lock().unwrap().len()),
        (vec![SentState::Dropped], 3)
    );
}

#[tokio::test]
async fn reports_to_more_domains_than_are_looked_at_in_one_step_are_all_sent() {
    let office = Office::new(true, "mailto:tls@r.example").await;
    let names: Vec<String> = (0..=TLS_REPORT_PAGE).map(|number| format!("d{number}.u.example")).collect();
    for name in &names {
        office.ledger.count(&Domain::parse(name).unwrap(), &Told::nothing(), None);
    }
    office.counts("t.example").await;
    office.forward(NEXT_MORNING);
    office.reporter.send_due().await.unwrap();
    for name in [&names[0], names.last().unwrap()] {
        assert_eq!(office.states(name).await, [SentState::Unwanted]);
    }
    assert_eq!(office.states("t.example").await, [SentState::Sent]);
}

#[tokio::test]
async fn what_was_begun_before_a_crash_is_not_sent_again() {
    let office = Office::new(true, "https://web.t.example:PORT/v1").await;
    office.counts("t.example").await;
    office.forward(NEXT_MORNING);
    // The server ends when the report is out and nothing of it is noted yet.
    tokio::select! {
        biased;
        () = office.web.bell.notified() => {}
        sent = office.reporter.send_due() => panic!("{sent:?}"),
    }
    for _ in 0..3 {
        office.reporter.send_due().await.unwrap();
    }
    assert_eq!((office.states("t.example").await, office.web.taken.lock().unwrap().len()), (vec![SentState::Begun], 1));
}

#[tokio::test]
async fn what_broke_off_in_the_middle_is_not_sent_again() {
    let office = Office::new(true, "https://web.t.example:PORT/v1").await;
    office.counts("t.example").await;
    // Whoever took it hangs up without a word that makes sense: it may have it.
    *office.web.says.lock().unwrap() = "\r\n\r\n";
    office.forward(NEXT_MORNING);
    for _ in 0..3 {
        office.reporter.send_due().await.unwrap();
    }
    assert_eq!((office.states("t.example").await, office.web.taken.lock().unwrap().len()), (vec![SentState::Begun], 1));
}

#[tokio::test]
async fn nobody_gets_a_report_who_wants_none_and_nobody_an_unsigned_one() {
    let office = Office::new(false, "mailto:tls@r.example").await;
    office.counts("t.example").await;
    office.counts("u.example").await;
    office.forward(NEXT_MORNING);
    // Whether it is wanted isn't known now: it is asked again.
    office.zones.fault("_smtp._tls.t.example.", None, Fault::ServFail);
    office.reporter.send_due().await.unwrap();
    assert_eq!(office.states("t.example").await, []);
    assert_eq!(office.states("u.example").await, [SentState::Unwanted]);
    office.zones.mend();
    let fresh = Resolver::new(&office.zones.config()).unwrap();
    let reporter = Reporter::new(Parts { lookup: Arc::new(fresh), ..office.reporter.parts });
    reporter.send_due().await.unwrap();
    let all = office.store.shelf(Shelf::TlsReports, None, 100).await.unwrap();
    let sent = Results::read(&all[0]).unwrap().2.sent;
    assert_eq!((sent[0].state, office.store.queue_totals(1).await.unwrap().messages), (SentState::Failed, 0));
    assert!(sent[0].why.as_ref().unwrap().contains("no DKIM key"));
}

/// Attacks F11: whoever has a domain, and names below it without number, has reports sent to somebody else.
#[tokio::test]
async fn nobody_is_brought_more_reports_than_a_few_whoever_asks_for_them() {
    for place in ["mailto:victim@r.example", "https://web.t.example:PORT/v1"] {
        let labels: Vec<(String, &str)> =
            (0..=TLS_REPORT_PER_DESTINATION_MAX).map(|number| (format!("d{number:03}"), place)).collect();
        let ruas: Vec<(&str, &str)> = labels.iter().map(|(label, place)| (label.as_str(), *place)).collect();
        let office = Office::with(true, &ruas).await;
        office.had_a_day_with(&labels).await;
        let brought = async || {
            office.store.queue_totals(1).await.unwrap().messages
                + u64::try_from(office.web.taken.lock().unwrap().len()).unwrap()
        };
        let most = u64::try_from(TLS_REPORT_PER_DESTINATION_MAX).unwrap();
        for _ in 0..2 {
            office.reporter.send_due().await.unwrap();
            assert_eq!(brought().await, most, "{place}");
        }
        let all = office.store.shelf(Shelf::TlsReports, None, 1000).await.unwrap();
        let left: Vec<Sent> = all.iter().filter_map(Results::read).flat_map(|(_, _, results)| results.sent).collect();
        let [left] = &left.into_iter().filter(|sent| sent.state != SentState::Sent).collect::<Vec<_>>()[..] else {
            panic!()
        };
        assert_eq!(left.state, SentState::Failed);
        assert!(left.why.as_ref().unwrap().starts_with("no more of that day"), "{left:?}");
        // What was brought is known after a restart as well.
        let Office { reporter, store, web, .. } = office;
        Reporter::new(reporter.parts).send_due().await.unwrap();
        let brought =
            store.queue_totals(1).await.unwrap().messages + u64::try_from(web.taken.lock().unwrap().len()).unwrap();
        assert_eq!(brought, most, "{place}");
    }
}

#[tokio::test]
async fn a_host_that_says_nothing_delays_nobody_else_s_report() {
    let mut labels: Vec<(String, &str)> =
        (1..TLS_REPORTS_AT_ONCE).map(|number| (format!("d{number:03}"), "https://web.t.example:PORT/silent")).collect();
    labels.push(("z".to_owned(), "https://web.t.example:PORT/quick"));
    let ruas: Vec<(&str, &str)> = labels.iter().map(|(label, place)| (label.as_str(), *place)).collect();
    let office = Office::with(true, &ruas).await;
    office.had_a_day_with(&labels).await;
    let quick = async {
        while !office.web.taken.lock().unwrap().iter().any(|head| head.contains("/quick")) {
            office.web.bell.notified().await;
        }
    };
    tokio::select! {
        () = quick => {}
        sent = office.reporter.send_due() => panic!("the silent ones were waited for: {sent:?}"),
    }
}

#[tokio::test]
async fn what_is_counted_is_written_while_a_host_says_nothing() {
    let mut office = Office::new(true, "https://web.t.example:PORT/silent").await;
    office.counts("t.example").await;
    office.forward(NEXT_MORNING);
    office.reporter.pause = Duration::from_millis(1);
    let (trigger, shutdown) = mailward_core::shutdown::channel();
    let Office { reporter, web, ledger, store, clock, zones, _dir } = office;
    let running = tokio::spawn(reporter.run(shutdown));
    web.bell.notified().await;
    ledger.count(&Domain::parse("u.example").unwrap(), &Told::nothing(), None);
    let written = || async {
        let all = store.shelf(Shelf::TlsReports, None, 100).await.unwrap();
        all.iter().any(|record| record.key.ends_with("/u.example"))
    };
    while !written().await {
        assert!(!running.is_finished());
    }
    assert_eq!(web.taken.lock().unwrap().len(), 1, "the report is still under way");
    trigger.fire();
    running.await.unwrap();
    drop((clock, zones, _dir));
}

#[tokio::test]
async fn what_is_counted_late_stays_when_the_report_is_noted() {
    let office = Office::new(true, "mailto:tls@r.example").await;
    office.counts("t.example").await;
    let (day, domain, mut old) =
        Results::read(&office.store.shelf(Shelf::TlsReports, None, 1).await.unwrap()[0]).unwrap();
    office.counts("t.example").await;
    old.sent.push(Sent { place: "mailto:tls@r.example".to_owned(), state: SentState::Sent, why: None });
    office.reporter.keep(day, &domain, &old).await.unwrap();
    let now = Results::read(&office.store.shelf(Shelf::TlsReports, None, 1).await.unwrap()[0]).unwrap().2;
    assert_eq!((now.sent, now.policies[0].success), (old.sent, 2));
}

#[test]
fn reports_go_to_no_more_destinations_than_can_be_counted() {
    let mut tried = new_tried(None);
    let to = |number: usize| Place::Https(Domain::parse(&format!("d{number}.example")).unwrap(), 443, "/".to_owned());
    let day = Day(20_000);
    assert!((0..TLS_REPORT_DESTINATIONS_MAX).all(|number| tried.count(day, host_of(&to(number)))));
    assert!(!tried.count(day, host_of(&to(TLS_REPORT_DESTINATIONS_MAX))));
    assert!(tried.count(day, host_of(&to(0))), "those that are known still get theirs");
    assert_eq!(tried.counts.len(), TLS_REPORT_DESTINATIONS_MAX);
}
