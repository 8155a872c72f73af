//! What is kept over a restart.

use super::*;
use mailward_core::limits::{RATE_KEPT_LEAST, RATE_KEPT_MAX};
use mailward_store::api::ShelfStore;
use mailward_store::records::Shelf;
use mailward_store::{LocalStore, Options};

fn open(dir: &std::path::Path) -> Arc<LocalStore> {
    let clock = Hand::at(BEGIN);
    LocalStore::open(dir, Options { clock, ..Options::default() }).unwrap()
}

async fn reopened(dir: &std::path::Path, before: Arc<LocalStore>) -> Arc<LocalStore> {
    before.close().await;
    drop(before);
    open(dir)
}

#[tokio::test]
async fn counts_and_alarms_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let config = of_host(&["warn 20/h, block 50/h, alarm 100/h"]);
    let world = World::with(&config);
    world.passing(&from("192.0.2.7"), 40);
    world.passing(&from("192.0.2.8"), 200);
    world.passing(&from("192.0.2.9"), 5);
    world.rates.save(&*store).await.unwrap();
    // What comes after the last time that it was written, a kill takes.
    world.passing(&from("192.0.2.7"), 5);
    let listed = world.rates.list(None);

    let store = reopened(dir.path(), store).await;
    let again = World::at(BEGIN + MINUTE, &config);
    again.rates.load(&*store).await.unwrap();
    assert_eq!(again.passing(&from("192.0.2.7"), 40), 10);
    assert_eq!(again.passing(&from("192.0.2.8"), 1), 0);
    assert!(again.rates.barred(&from("192.0.2.8")).is_some_and(|hit| hit.step == RateStep::Alarm));
    assert_eq!(again.told("rate.high") + again.told("rate.alarm"), 0, "what was told isn't told again");
    assert_eq!(again.passing(&from("192.0.2.9"), 60), 50, "few are forgotten");
    assert_eq!(listed.len(), again.rates.list(None).len() - 1);

    let later = World::at(BEGIN + 3 * HOUR, &config);
    later.rates.load(&*store).await.unwrap();
    assert_eq!(later.passing(&from("192.0.2.8"), 60), 50);
    store.close().await;
}

#[tokio::test]
async fn only_what_changed_is_written_and_what_is_over_is_written_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let world = World::with(&of_host(&["block 50/h"]));
    let version = store.shelf_version(Shelf::Rates);
    let least = usize::try_from(RATE_KEPT_LEAST).unwrap();
    world.passing(&from("192.0.2.7"), least - 1);
    world.rates.save(&*store).await.unwrap();
    assert!(!version.has_changed().unwrap(), "they are too few");
    world.passing(&from("192.0.2.7"), 1);
    world.rates.save(&*store).await.unwrap();
    assert!(version.has_changed().unwrap());
    world.passing(&from("192.0.2.7"), 50 - least);
    world.rates.save(&*store).await.unwrap();
    // Of the host and its neighbours, at most two parts of the table.
    assert!(store.shelf(Shelf::Rates, None, 1_000).await.unwrap().len() <= 4);
    world.pass(3 * HOUR);
    world.passing(&from("192.0.2.7"), 1);
    world.rates.save(&*store).await.unwrap();
    let again = World::at(BEGIN + 3 * HOUR, &of_host(&["block 50/h"]));
    again.rates.load(&*store).await.unwrap();
    assert_eq!(again.passing(&from("192.0.2.7"), 60), 50, "one is too few again");
    store.close().await;
}

#[tokio::test]
async fn records_of_all_that_may_be_written_fit_their_shelf() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let config = Config { domain: limits(&["warn 1/h"]), address: limits(&["warn 1/h"]), ..nothing() };
    let world = World::with(&config);
    let senders: Vec<Address> = (0..RATE_KEPT_MAX + 5_000)
        .map(|number| format!("{}{number:06}@x{number}.example", "a".repeat(50)).parse().unwrap())
        .collect();
    for sender in &senders {
        let ip = ip("ffff:ffff:ffff::1");
        world.rates.message(&Subjects { from: Some(sender), ip, incoming: true, ..Subjects::default() }, u32::MAX);
    }
    world.rates.save(&*store).await.unwrap();
    let records = store.shelf(Shelf::Rates, None, 1_000).await.unwrap();
    assert_eq!(records.len(), PARTS * 2);
    let again = World::with(&config);
    again.rates.load(&*store).await.unwrap();
    let kept: usize = again.rates.table.parts().map(|part| part.beside.kept.len()).sum();
    assert!(kept <= RATE_KEPT_MAX && kept > RATE_KEPT_MAX * 9 / 10, "{kept}");
    store.close().await;
}

#[tokio::test]
async fn a_record_that_can_t_be_read_is_told_of_and_hurts_nobody() {
    use bytes::Bytes;
    use mailward_store::records::{ShelfChange, Shelved};
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let record = |key: &str, value: &'static [u8]| {
        ShelfChange::Put(Shelf::Rates, Shelved { key: key.to_owned(), value: Bytes::from_static(value), expires: None })
    };
    let all = vec![record("c00", b"\xff\xff\xff\xff\x7f"), record("n01", b"\x05"), record("x", b"of another version")];
    store.change_shelf(all).await.unwrap();
    let world = World::with(&of_host(&["block 5/h"]));
    world.rates.load(&*store).await.unwrap();
    assert_eq!(world.told("rates.unreadable"), 2);
    assert_eq!(world.passing(&from("192.0.2.7"), 9), 5);
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against every message written down: in no hour more than twice the limit passes, and who stays below it is never put off.
    #[test]
    fn no_hour_lets_more_than_twice_the_limit_pass(
        steps in proptest::collection::vec((0_i64..20 * MINUTE, 1_usize..30), 1..60),
        limit in 5_usize..40,
    ) {
        let world = World::with(&of_host(&[&format!("block {limit}/h")]));
        let (host, mut passed, mut now) = (from("192.0.2.7"), VecDeque::new(), 0);
        for (wait, messages) in steps {
            world.pass(wait);
            now += wait;
            for _ in 0..messages {
                while passed.front().is_some_and(|at| *at <= now - HOUR) {
                    passed.pop_front();
                }
                let passes = world.passing(&host, 1) == 1;
                if passes {
                    passed.push_back(now);
                }
                prop_assert!(passed.len() <= 2 * limit, "{} passed", passed.len());
            }
        }
    }

    #[test]
    fn who_stays_below_the_limit_by_half_is_never_put_off(
        gaps in proptest::collection::vec(0_i64..4 * MINUTE, 1..300),
    ) {
        let world = World::with(&of_host(&["block 60/h"]));
        let (mut came, mut now) = (VecDeque::new(), 0);
        for gap in gaps {
            now += gap;
            world.pass(gap);
            while came.front().is_some_and(|at| *at <= now - HOUR) {
                came.pop_front();
            }
            if came.len() < 30 {
                came.push_back(now);
                prop_assert_eq!(world.passing(&from("192.0.2.7"), 1), 1);
            }
        }
    }
}

#[tokio::test]
async fn an_alarm_of_a_clock_that_went_wrong_is_read_as_one_that_begins_now() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let world = World::at(BEGIN + 100 * HOUR, &of_host(&["alarm 30/h"]));
    world.passing(&from("192.0.2.7"), 31);
    world.rates.save(&*store).await.unwrap();
    let again = World::with(&of_host(&["alarm 30/h"]));
    again.rates.load(&*store).await.unwrap();
    assert_eq!(again.passing(&from("192.0.2.7"), 1), 0);
    again.pass(HOUR + 1_000);
    assert_eq!(again.passing(&from("192.0.2.7"), 1), 1);
    store.close().await;
}
