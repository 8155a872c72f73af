//! An inside server on loopback, and what is remembered of it.

use super::*;
use mailward_core::Secret;
use mailward_directory::routes::{GatewayCheck, Routes};
use mailward_dns::Resolver;
use mailward_dns_zone::{Zone, Zones};
use mailward_store::{LocalStore, Options};
use mailward_vault::Seal;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Seen {
    asked: AtomicUsize,
    /// Nobody is answered while it is.
    held: AtomicBool,
    open: AtomicUsize,
    most: AtomicUsize,
    away: AtomicBool,
    /// It offers more.
    modern: AtomicBool,
    data: AtomicBool,
}

struct House {
    callout: Arc<Callout>,
    gateway: Gateway,
    clock: Arc<Hands>,
    seen: Arc<Seen>,
    routes: Arc<Routes>,
    _zones: Zones,
    _dir: tempfile::TempDir,
}

fn address(text: &str) -> Address {
    Address::parse(text, false).unwrap()
}

/// Takes mail for everybody but `no…`, of whom it never heard, and `busy…`, who come later.
async fn inside(listener: TcpListener, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            if seen.away.load(Ordering::Relaxed) {
                return;
            }
            let open = seen.open.fetch_add(1, Ordering::Relaxed) + 1;
            seen.most.fetch_max(open, Ordering::Relaxed);
            while seen.held.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
            let mut stream = BufReader::new(stream);
            drop(stream.write_all(b"220 inside\r\n").await);
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
                let who = line.split(['<', '>']).nth(1).unwrap_or_default();
                let answer = match line.get(..4).unwrap_or_default() {
                    "EHLO" if seen.modern.load(Ordering::Relaxed) => {
                        "250-inside\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-REQUIRETLS\r\n250 SIZE 5000\r\n"
                    }
                    "EHLO" => "250-inside\r\n250 SIZE 5000\r\n",
                    "MAIL" if who.is_empty() => "250 ok\r\n",
                    "RCPT" => {
                        seen.asked.fetch_add(1, Ordering::Relaxed);
                        if who.starts_with("no") {
                            "550 5.1.1 who?\r\n"
                        } else if who.starts_with("busy") {
                            "450 4.2.1 later\r\n"
                        } else {
                            "250 ok\r\n"
                        }
                    }
                    "RSET" | "QUIT" => "250 ok\r\n",
                    _ => {
                        seen.data.store(true, Ordering::Relaxed);
                        "502 what?\r\n"
                    }
                };
                // What was asked is answered: the next may come.
                if line.starts_with("RSET") {
                    seen.open.fetch_sub(1, Ordering::Relaxed);
                }
                drop(stream.write_all(answer.as_bytes()).await);
                line.clear();
            }
        });
    }
}

impl House {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        tokio::spawn(inside(listener, Arc::clone(&seen)));
        Self::leading(port, seen).await
    }

    async fn leading(port: u16, seen: Arc<Seen>) -> Self {
        let zones = Zones::start(&[Zone::plain("t.example.", "mx 300 IN A 127.0.0.1\n")]).await;
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let routes = Routes::open(store, Seal::new(&Secret::new("a server's secret")).unwrap()).await.unwrap();
        let words = ["host".to_owned(), format!("127.0.0.1:{port}")];
        let leads = Leads::parse(&words, None, None).unwrap();
        let gateway = Gateway { domain: "in.example".parse().unwrap(), leads, check: GatewayCheck::Callout };
        routes.put_gateway(gateway.clone()).await.unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(1_800_000_000_000)));
        let lookup = Arc::new(Resolver::new(&zones.config()).unwrap());
        let finder = Arc::new(Finder::new(Arc::clone(&routes), lookup, crate::queue::OwnDoors::default(), None));
        let callout = Callout::new(
            finder,
            "mx.s.example".parse().unwrap(),
            Outbound::trusting_system(),
            clock.clone(),
            Events::memory(),
        );
        Self { callout: Arc::new(callout), gateway, clock, seen, routes, _zones: zones, _dir: dir }
    }

    async fn ask(&self, who: &str) -> InsideAnswer {
        self.callout.ask(&self.gateway, &address(&format!("{who}@in.example"))).await
    }

    fn asked(&self) -> usize {
        self.seen.asked.load(Ordering::Relaxed)
    }

    fn forward(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

const TAKES: InsideAnswer =
    InsideAnswer::Takes(Offers { size: Some(5_000), utf8: false, eight_bit: false, require_tls: false });

#[tokio::test]
async fn the_inside_server_is_asked_and_its_answer_kept_for_a_while() {
    let house = House::new().await;
    assert_eq!(house.ask("Ann").await, TAKES);
    assert_eq!(house.ask("ann").await, TAKES);
    assert_eq!(house.ask("nobody").await, InsideAnswer::Refuses);
    assert_eq!(house.ask("nobody").await, InsideAnswer::Refuses);
    assert_eq!(house.asked(), 2);
    assert!(matches!(house.ask("busy").await, InsideAnswer::Unknown(why) if why.contains("later")));
    assert!(matches!(house.ask("busy").await, InsideAnswer::Unknown(_)));
    assert_eq!(house.asked(), 3, "who knocks at a full mailbox again and again keeps nobody busy");
    house.forward(CALLOUT_LATER_TIME);
    assert!(matches!(house.ask("busy").await, InsideAnswer::Unknown(why) if why.contains("later")));
    assert_eq!(house.asked(), 4);
    house.forward(CALLOUT_NO_TIME);
    house.ask("nobody").await;
    house.ask("ann").await;
    assert_eq!(house.asked(), 5, "a no is old sooner than a yes");
    house.forward(CALLOUT_YES_TIME);
    house.ask("ann").await;
    assert_eq!(house.asked(), 6);
    assert!(!house.seen.data.load(Ordering::Relaxed), "nothing was sent");
}

#[tokio::test]
async fn what_the_inside_server_takes_is_known_with_its_yes_and_an_address_that_it_can_t_be_told_is_not_asked_for() {
    let house = House::new().await;
    assert_eq!(house.ask("ann").await, TAKES);
    // No SMTPUTF8: nobody comes again and again for what it will never take.
    let unsayable = house.callout.ask(&house.gateway, &Address::parse("jörg@in.example", true).unwrap()).await;
    assert_eq!(unsayable, InsideAnswer::NotAscii);
    assert_eq!(house.asked(), 1);
    house.seen.modern.store(true, Ordering::Relaxed);
    let all = InsideAnswer::Takes(Offers { size: Some(5_000), utf8: true, eight_bit: true, require_tls: false });
    assert_eq!(house.ask("bob").await, all, "REQUIRETLS in clear is a promise that nobody can keep");
    assert_eq!(house.ask("bob").await, all);
    assert_eq!(house.callout.ask(&house.gateway, &Address::parse("jörg@in.example", true).unwrap()).await, unsayable);
    house.forward(CALLOUT_NO_TIME);
    assert_eq!(house.callout.ask(&house.gateway, &Address::parse("jörg@in.example", true).unwrap()).await, all);
    assert_eq!(house.asked(), 3);
}

#[tokio::test]
async fn while_it_is_away_who_is_known_gets_mail_and_nobody_else() {
    let house = House::new().await;
    assert_eq!(house.ask("ann").await, TAKES);
    house.seen.away.store(true, Ordering::Relaxed);
    house.forward(CALLOUT_YES_TIME);
    assert_eq!(house.ask("ann").await, TAKES, "better than nothing");
    assert!(matches!(house.ask("bob").await, InsideAnswer::Unknown(_)));
    house.seen.away.store(false, Ordering::Relaxed);
    assert!(matches!(house.ask("bob").await, InsideAnswer::Unknown(_)), "it rests");
    house.forward(CALLOUT_REST_TIME);
    assert_eq!(house.ask("bob").await, TAKES);
    house.seen.away.store(true, Ordering::Relaxed);
    house.forward(CALLOUT_KNOWN_TIME);
    assert!(matches!(house.ask("ann").await, InsideAnswer::Unknown(_)), "too long ago");
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_question() {
    let house = House::new().await;
    let asking = (0..50).map(|_| {
        let (callout, gateway) = (Arc::clone(&house.callout), house.gateway.clone());
        tokio::spawn(async move { callout.ask(&gateway, &address("ann@in.example")).await })
    });
    let asking: Vec<_> = asking.collect();
    for one in asking {
        assert_eq!(one.await.unwrap(), TAKES);
    }
    assert_eq!(house.asked(), 1);
    assert!(house.callout.memory().asked.is_empty());
}

#[tokio::test]
async fn no_more_are_asked_for_at_once_than_the_limit_and_who_hangs_up_leaves_nothing_behind() {
    let house = House::new().await;
    house.seen.held.store(true, Ordering::Relaxed);
    let ask = |number: usize| {
        let (callout, gateway) = (Arc::clone(&house.callout), house.gateway.clone());
        tokio::spawn(async move { callout.ask(&gateway, &address(&format!("u{number}@in.example"))).await })
    };
    let hung_up: Vec<_> = (0..5).map(ask).collect();
    while house.seen.open.load(Ordering::Relaxed) < 5 {
        tokio::task::yield_now().await;
    }
    for one in hung_up {
        one.abort();
        assert!(one.await.is_err());
    }
    assert!(house.callout.memory().asked.is_empty());
    house.seen.open.store(0, Ordering::Relaxed);
    let asking: Vec<_> = (10..10 + 9 * CALLOUTS_PER_GATEWAY).map(ask).collect();
    while house.seen.open.load(Ordering::Relaxed) < CALLOUTS_PER_GATEWAY {
        tokio::task::yield_now().await;
    }
    house.seen.held.store(false, Ordering::Relaxed);
    for one in asking {
        assert_eq!(one.await.unwrap(), TAKES);
    }
    assert_eq!(house.seen.most.load(Ordering::Relaxed), CALLOUTS_PER_GATEWAY);
}

#[tokio::test]
async fn another_inside_server_is_asked_anew() {
    let house = House::new().await;
    assert_eq!(house.ask("ann").await, TAKES);
    let words = ["host".to_owned(), "127.0.0.1:1".to_owned()];
    let gateway = Gateway { leads: Leads::parse(&words, None, None).unwrap(), ..house.gateway.clone() };
    house.routes.put_gateway(gateway.clone()).await.unwrap();
    let answer = house.callout.ask(&gateway, &address("ann@in.example")).await;
    assert!(matches!(answer, InsideAnswer::Unknown(_)), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = House::leading(listener.local_addr().unwrap().port(), Arc::new(Seen::default())).await;
    let began = tokio::time::Instant::now();
    assert!(matches!(house.ask("ann").await, InsideAnswer::Unknown(_)));
    assert!(began.elapsed() <= CALLOUT_TIME + Duration::from_secs(1));
    // It had its rest: one asks, and who stands behind them hears of it with them.
    house.forward(CALLOUT_REST_TIME);
    let began = tokio::time::Instant::now();
    let asking = (0..4 * CALLOUTS_PER_GATEWAY).map(|number| {
        let (callout, gateway) = (Arc::clone(&house.callout), house.gateway.clone());
        tokio::spawn(async move { callout.ask(&gateway, &address(&format!("u{number}@in.example"))).await })
    });
    for one in asking.collect::<Vec<_>>() {
        assert!(matches!(one.await.unwrap(), InsideAnswer::Unknown(_)));
    }
    assert!(began.elapsed() <= CALLOUT_TIME.max(CALLOUT_PLACE_TIME) + Duration::from_secs(1));
    assert!(house.callout.memory().asked.is_empty());
    drop(listener);
}

#[tokio::test]
async fn a_silent_server_of_one_gateway_leaves_the_others_their_places() {
    let house = House::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let words = ["host".to_owned(), silent.local_addr().unwrap().to_string()];
    let leads = Leads::parse(&words, None, None).unwrap();
    let slow = Gateway { domain: "slow.example".parse().unwrap(), leads, check: GatewayCheck::Callout };
    house.routes.put_gateway(slow.clone()).await.unwrap();
    let asking = (0..2 * CALLOUTS_AT_ONCE).map(|number| {
        let (callout, slow) = (Arc::clone(&house.callout), slow.clone());
        tokio::spawn(async move { callout.ask(&slow, &address(&format!("u{number}@slow.example"))).await })
    });
    let asking: Vec<_> = asking.collect();
    while house.callout.places.available_permits() > CALLOUTS_AT_ONCE - CALLOUTS_PER_GATEWAY {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.ask("ann").await, TAKES);
    assert_eq!(house.ask("nobody").await, InsideAnswer::Refuses);
    assert_eq!(house.callout.places.available_permits(), CALLOUTS_AT_ONCE - CALLOUTS_PER_GATEWAY);
    for one in asking {
        one.abort();
        assert!(one.await.is_err());
    }
    assert_eq!(house.ask("bob").await, TAKES);
    assert_eq!(house.callout.memory().places.len(), 1, "nobody waits for the silent one any more");
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_place_says_nothing_of_the_server() {
    let house = House::new().await;
    let all = house.callout.places.acquire_many(u32::try_from(CALLOUTS_AT_ONCE).unwrap()).await.unwrap();
    assert!(matches!(house.ask("ann").await, InsideAnswer::Unknown(_)));
    assert!(house.callout.memory().failed.is_empty());
    drop(all);
    tokio::time::resume();
    assert_eq!(house.ask("ann").await, TAKES);
}

#[test]
fn no_more_is_remembered_than_the_limits_and_a_no_never_takes_the_place_of_a_yes() {
    let mut memory = Memory::default();
    let leads = Leads::Socket("/x".into());
    let question = |number: usize| Question { domain: "in.example".parse().unwrap(), local: number.to_string() };
    memory.learn(&question(0), &leads, &InsideAnswer::Takes(Offers::ALL), Timestamp(0));
    for number in 1..=CALLOUT_NO_KEPT + 1 {
        memory.learn(&question(number), &leads, &InsideAnswer::Refuses, Timestamp(0));
    }
    assert!(memory.no.len() <= CALLOUT_NO_KEPT && memory.yes.len() == 1);
    for number in 0..=CALLOUT_YES_KEPT {
        memory.learn(&question(number), &leads, &InsideAnswer::Takes(Offers::ALL), Timestamp(0));
    }
    assert!(memory.yes.len() <= CALLOUT_YES_KEPT);
}
