//! Policies that are kept, and how long.

use crate::host::*;
use mailward_core::event::Events;
use mailward_core::limits::{SHELF_CHANGES_MAX, STS_FETCH_PAUSE, TLS_POLICIES_MAX};
use mailward_core::{Clock, Domain, Timestamp};
use mailward_dns::{Answer, Found, Lookup, LookupError, Mx, Name, TlsaRecord};
use mailward_store::api::ShelfStore as _;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{LocalStore, Options};
use mailward_sts::*;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// A DNS in which every host is in one place, and one name has texts, or isn't known.
#[derive(Clone)]
pub struct Texts(Arc<Mutex<Option<Vec<String>>>>, Vec<IpAddr>);

/// What isn't asked for here.
fn unreached<'a, T: Send + 'a>() -> Answer<'a, T> {
    panic!("nobody asks for that")
}

impl Texts {
    pub fn at(addresses: Vec<IpAddr>) -> Self {
        Self(Arc::default(), addresses)
    }
    fn found<T>(records: Vec<T>) -> Result<Found<T>, LookupError> {
        let valid_until = Instant::now() + Duration::from_secs(60);
        Ok(Found { records, secure: false, alias: None, valid_until })
    }
}

impl Lookup for Texts {
    fn mx<'a>(&'a self, _: &'a Domain) -> Answer<'a, Mx> {
        unreached()
    }
    fn addresses<'a>(&'a self, _: &'a Domain) -> Answer<'a, IpAddr> {
        Box::pin(async { Self::found(self.1.clone()) })
    }
    fn tlsa<'a>(&'a self, _: u16, _: &'a Domain) -> Answer<'a, TlsaRecord> {
        unreached()
    }
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        assert_eq!(name.as_str().trim_end_matches('.'), "_mta-sts.plain");
        let texts = self.0.lock().unwrap().clone();
        Box::pin(async move {
            match texts {
                Some(texts) => Self::found(texts.into_iter().map(String::into_bytes).collect()),
                None => {
                    Err(LookupError::Temporary { name: name.clone(), kind: mailward_dns::Kind::Txt, why: "x".into() })
                }
            }
        })
    }
    fn ptr(&self, _: IpAddr) -> Answer<'_, Domain> {
        unreached()
    }
    fn listed<'a>(&'a self, _: &'a Name) -> Answer<'a, IpAddr> {
        unreached()
    }
}

struct World {
    clock: Arc<Hand>,
    store: Arc<LocalStore>,
    texts: Texts,
    web: Web,
    sts: Sts,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let texts = Texts::at(vec![IpAddr::from([127, 0, 0, 1])]);
        let web = Web::start("mta-sts.plain", policy(text)).await;
        let sts = Self::sts(&store, &texts, &clock, web.port);
        let world = Self { clock, store, texts, web, sts, _dir: dir };
        world.id("1");
        world
    }

    fn sts(store: &Arc<LocalStore>, texts: &Texts, clock: &Arc<Hand>, port: u16) -> Sts {
        let lookup: Arc<dyn Lookup> = Arc::new(texts.clone());
        Sts::new(Parts {
            shelf: store.clone(),
            https: Https::new(Arc::clone(&lookup), trusting(), true),
            lookup,
            port,
            clock: clock.clone(),
            events: Events::memory(),
        })
    }

    fn id(&self, id: &str) {
        *self.texts.0.lock().unwrap() = Some(vec![format!("v=STSv1; id={id};")]);
    }
    fn no_dns(&self) {
        *self.texts.0.lock().unwrap() = None;
    }
    fn forward(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }
    async fn mode(&self) -> Option<Mode> {
        self.ask().await.policy.map(|policy| policy.mode)
    }
    async fn ask(&self) -> Sought {
        self.sts.policy(&Domain::parse("plain").unwrap()).await.unwrap()
    }
}

const DAY: i64 = 86_400;
const GOOD: &str = "version: STSv1\nmode: enforce\nmx: mx.plain\nmax_age: 86400\n";
const TESTING: &str = "version: STSv1\nmode: testing\nmx: mx.plain\nmax_age: 86400\n";
/// Past the time in which it isn't fetched again.
const LATER: i64 = STS_FETCH_PAUSE.as_secs().cast_signed();

#[tokio::test]
async fn a_policy_is_fetched_once_and_holds_though_the_dns_is_gone() {
    let world = World::new(GOOD).await;
    assert_eq!(
        (world.mode().await, world.mode().await, world.web.asked()),
        (Some(Mode::Enforce), Some(Mode::Enforce), 1)
    );
    world.no_dns();
    world.forward(DAY - 1);
    assert_eq!((world.mode().await, world.web.asked()), (Some(Mode::Enforce), 1));
    // After a restart, too: it is in the store.
    let again = World::sts(&world.store, &world.texts, &world.clock, world.web.port);
    let sought = again.policy(&Domain::parse("plain").unwrap()).await.unwrap();
    assert_eq!(sought.policy.unwrap().mode, Mode::Enforce);
    world.forward(1);
    assert_eq!(world.ask().await, Sought::default(), "its time is over");
    assert!(world.store.shelf(Shelf::MtaSts, None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn it_is_fetched_anew_when_its_id_changes_and_when_half_of_its_time_is_over() {
    let world = World::new(GOOD).await;
    assert_eq!(world.mode().await, Some(Mode::Enforce));
    world.web.says(policy(TESTING));
    world.forward(LATER);
    assert_eq!((world.mode().await, world.web.asked()), (Some(Mode::Enforce), 1), "nothing says that it changed");
    world.id("2");
    assert_eq!((world.mode().await, world.web.asked()), (Some(Mode::Testing), 2));
    world.web.says(policy(GOOD));
    world.forward(DAY / 2);
    assert_eq!((world.mode().await, world.web.asked()), (Some(Mode::Enforce), 3));
}

#[tokio::test]
async fn a_fetch_that_fails_keeps_what_there_is() {
    let world = World::new(GOOD).await;
    assert_eq!(world.mode().await, Some(Mode::Enforce));
    for (id, bad) in [("2", plain("404 Not Found", "text/plain", "")), ("3", policy("version: STSv2"))] {
        world.id(id);
        world.web.says(bad);
        world.forward(LATER);
        let before = world.web.asked();
        assert_eq!((world.mode().await, world.mode().await), (Some(Mode::Enforce), Some(Mode::Enforce)));
        assert_eq!(world.web.asked(), before + 1, "it isn't asked again at once");
    }
    *world.texts.0.lock().unwrap() = Some(vec!["v=STSv1; id=4;".to_owned(), "v=STSv1; id=5;".to_owned()]);
    world.forward(LATER);
    assert_eq!(world.mode().await, Some(Mode::Enforce), "several records are none, and what is kept holds");
}

#[tokio::test]
async fn why_there_is_no_policy_is_told_as_reports_call_it() {
    let world = World::new("no policy").await;
    for (say, result) in [
        (policy("no policy"), ResultType::StsPolicyInvalid),
        (plain("302 Found\r\nLocation: https://evil.plain/", "text/plain", GOOD), ResultType::StsPolicyFetchError),
    ] {
        world.web.says(say);
        world.forward(LATER);
        let sought = world.ask().await;
        assert_eq!((sought.policy, sought.trouble.unwrap().result), (None, result));
    }
    let wrong = Web::start("other.plain", policy(GOOD)).await;
    let sts = World::sts(&world.store, &world.texts, &world.clock, wrong.port);
    let sought = sts.policy(&Domain::parse("plain").unwrap()).await.unwrap();
    assert_eq!(sought.trouble.unwrap().result, ResultType::StsWebpkiInvalid);
    world.no_dns();
    assert_eq!(world.ask().await, Sought::default(), "no word of a policy, no trouble");
}

#[tokio::test]
async fn what_the_administrator_demands_is_for_a_domain_or_for_all_others() {
    let world = World::new(GOOD).await;
    let required = Required::new(world.store.clone());
    let domain = |name: &str| Domain::parse(name).unwrap();
    let set =
        async |whom: &str, demand: Demand| required.set(&TlsPolicy { domain: whom.parse().unwrap(), demand }).await;
    assert_eq!(required.demand(&domain("a.example")).await.unwrap(), Demand::None);
    set("*", Demand::Encrypt).await.unwrap();
    set("a.example", Demand::None).await.unwrap();
    let named = Demand::Verify { names: vec![domain("mx.other.example")] };
    set("b.example", named.clone()).await.unwrap();
    assert_eq!(required.demand(&domain("a.example")).await.unwrap(), Demand::None);
    assert_eq!(required.demand(&domain("b.example")).await.unwrap(), named);
    assert_eq!(required.demand(&domain("sub.b.example")).await.unwrap(), Demand::Encrypt);
    let list: Vec<String> = required.list().await.unwrap().iter().map(|one| one.domain.to_string()).collect();
    assert_eq!(list, ["*", "a.example", "b.example"]);
    required.remove(&Whom::Others).await.unwrap();
    assert!(matches!(required.remove(&Whom::Others).await, Err(RequiredError::NotThere(_))));
    let names = vec![domain("a.example"); mailward_core::limits::TLS_POLICY_NAMES_MAX + 1];
    assert!(matches!(set("c.example", Demand::Verify { names }).await, Err(RequiredError::Names)));
    let all: Vec<ShelfChange> = (2..TLS_POLICIES_MAX)
        .map(|number| {
            let value = b"{\"level\":\"none\"}".to_vec().into();
            ShelfChange::Add(
                Shelf::Sending,
                Shelved { key: format!("tls-policy/d{number}.example"), value, expires: None },
            )
        })
        .collect();
    for some in all.chunks(SHELF_CHANGES_MAX) {
        world.store.change_shelf(some.to_vec()).await.unwrap();
    }
    assert!(matches!(set("c.example", Demand::Encrypt).await, Err(RequiredError::Many)));
    set("d2.example", Demand::Encrypt).await.unwrap();
}
