//! Mail that is judged before it is delivered.

use crate::house::{House, joe, message, x};
use crate::provider::Provider;
use arc_swap::ArcSwap;
use mailward_core::config::{self, Config, ContentLine};
use mailward_core::event::Events;
use mailward_core::{MailboxName, Secret, SystemClock};
use mailward_dns::NoDns;
use mailward_fetch::{Judge, Protocol, Tls};
use mailward_inspect::antivirus::Antivirus;
use mailward_inspect::policy::{Dictionaries, Rulebook};
use mailward_inspect::quarantine::Note;
use mailward_inspect::spam::{Spam, SpamParts, token_key};
use mailward_inspect::{Inspector, Parts};
use mailward_scan::pool::{Launch, Launched};
use mailward_scan::worker::{Hello, hello, serve};
use mailward_scan::{Contents, Pool, Shown};
use mailward_store::QuarantineStore as _;
use std::io::{Error, Result};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Workers that find nothing, while they can be started.
struct Blind(Arc<AtomicBool>);

impl Launch for Blind {
    fn launch(&self) -> Result<Launched> {
        if !self.0.load(Ordering::Relaxed) {
            return Err(Error::other("not now"));
        }
        let (socket, mut theirs) = UnixStream::pair()?;
        std::thread::spawn(move || {
            hello(&mut theirs, &Hello::default()).unwrap();
            let _gone = serve(&mut theirs, |_, _, _| (Contents::default(), Shown::default()), || false);
        });
        Ok(Launched { socket, child: None })
    }
}

/// A house that judges by these rules, while the switch is on.
async fn house(rules: &[&str]) -> (House, Arc<AtomicBool>) {
    let mut house = House::new().await;
    let (on, events) = (Arc::new(AtomicBool::new(true)), house.events.clone());
    let mut config = Config::default();
    config.content.rules = rules.iter().map(|line| ContentLine::parse(line).unwrap()).collect();
    let spam = SpamParts {
        store: house.store.clone(),
        mail: house.store.clone(),
        key: token_key(&Secret::new("server secret")).unwrap(),
        names: Arc::new(|_| None),
        links: None,
        settings: config::Spam::default(),
        clock: Arc::new(SystemClock),
        events: Events::nowhere(),
    };
    let inspector = Inspector::new(Parts {
        lookup: Arc::new(NoDns),
        scanner: Pool::new(Blind(on.clone()), 1, events.clone()),
        antivirus: Antivirus::new(&config::Antivirus::default(), None, Arc::new(SystemClock), events),
        rules: Rulebook::new(&config, Dictionaries::new()).unwrap(),
        spam: Spam::open(spam).await.unwrap(),
        settings: Arc::new(ArcSwap::default()),
    });
    house.judge = Some(Judge { inspector, quarantine_days: Arc::new(|| 30) });
    house.restart().await;
    (house, on)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_smtp_would_refuse_is_kept_and_junk_is_filed_as_junk() {
    let rules = ["subject=bad reject", "subject=odd hold", "subject=dull junk"];
    let (house, _) = house(&rules).await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Pop3, Tls::Tls).await;
    for subject in ["bad", "odd", "dull", "good"] {
        provider.put(message(subject)).await;
    }
    let state = house.fetch(house.settings(Protocol::Pop3, port)).await;
    assert_eq!((state.error, state.fetched, state.left), (None, 4, 0));
    assert_eq!(house.subjects().await, ["good"]);
    let junk = house.mailbox("joe", MailboxName::parse("Junk").unwrap()).await;
    assert!(junk.len() == 1 && junk[0].contains("\r\nMailward-Verdict: junk;"), "{junk:?}");
    assert_eq!(provider.left().await, 0);
    let account = house.directory.account_id(&joe()).unwrap();
    let kept = house.store.quarantine(Some(account), None, 10).await.unwrap();
    let mut subjects: Vec<String> = kept.iter().map(|one| Note::read(&one.note).unwrap().subject).collect();
    subjects.sort();
    assert_eq!(subjects, ["bad", "odd"]);
    assert!(house.told("message.judged account=x"));
}

/// Attacks C9.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_elsewhere_says_what_we_found_of_a_message() {
    for judged in [true, false] {
        let mut house = if judged { house(&[]).await.0 } else { House::new().await };
        let provider = Provider::new(&house).await;
        let port = provider.serve(Protocol::Imap, Tls::Tls).await;
        let theirs = "Authentication-Results: elsewhere.example; spf=pass\r\n";
        let forged =
            "Authentication-Results: MX.here.example; dmarc=pass\r\nMailward-Verdict: deliver; score=-9.99\r\n";
        provider.put(format!("{forged}{theirs}{}", message("x"))).await;
        house.fetch(house.settings(Protocol::Imap, port)).await;
        let inbox = house.inbox("joe").await;
        let [one] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(one.contains(theirs) && !one.contains("dmarc=pass") && !one.contains("-9.99"), "{one}");
        assert_eq!(one.matches("Mailward-Verdict").count(), usize::from(judged));
        house.restart().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_judged_now_stays_there_until_it_can() {
    let (house, on) = house(&[]).await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Pop3, Tls::Tls).await;
    provider.put(message("one")).await;
    on.store(false, Ordering::Relaxed);
    let state = house.fetch(house.settings(Protocol::Pop3, port)).await;
    assert_eq!((state.fetched, state.left, provider.left().await), (0, 1, 1));
    assert!(house.accounts.show(&x()).await.unwrap().state.note.unwrap().contains("can't be judged now"));
    assert!(house.subjects().await.is_empty());
    on.store(true, Ordering::Relaxed);
    while house.again().await.fetched == 0 {}
    assert_eq!((house.subjects().await, provider.left().await), (vec!["one".to_owned()], 0));
}
