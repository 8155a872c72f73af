//! Where mail goes.

use super::fake::{House, address, domain};
use crate::{DomainSettings, Resolution};
use mailward_core::limits::{ALIAS_DEPTH_MAX, ALIAS_TARGETS_MAX};
use mailward_store::records::AliasRecord;
use std::time::Duration;

async fn house() -> House {
    let house = House::new(&["example.test", "other.test"]).await;
    house.user("alice@example.test").await;
    house.user("bob@example.test").await;
    house.user("carol@other.test").await;
    house
}

#[tokio::test]
async fn mail_for_a_user_goes_to_the_user_however_it_is_written() {
    let house = house().await;
    for form in ["alice@example.test", "ALICE@Example.TEST", "\"alice\"@example.test", "\"a\\lice\"@example.test"] {
        assert_eq!(house.goes(form), "alice", "{form}");
    }
    assert_eq!(house.goes("alice@other.test"), "UnknownUser");
    assert_eq!(house.goes("alice@elsewhere.test"), "NotLocal");
    assert_eq!(house.goes("alice@[127.0.0.1]"), "NotLocal");
}

/// Attacks A5 and A1: what only looks like a name of ours, or like a way through to somewhere else, is nobody.
#[tokio::test]
async fn an_address_that_hides_another_is_nobody() {
    let house = house().await;
    for odd in [
        "\"alice@example.test\"@example.test",
        "\"carol@other.test\"@example.test",
        "carol%other.test@example.test",
        "other.test!carol@example.test",
        "\" alice\"@example.test",
        "\"alice \"@example.test",
        "\"alice,bob\"@example.test",
        "=?utf-8?q?alice?=@example.test",
        "-oQ@example.test",
        "|alice@example.test",
        "/alice@example.test",
        "al\u{ed}ce@example.test",
        "\u{430}lice@example.test",
        "+alice@example.test",
        "+@example.test",
        "%{user}@example.test",
    ] {
        assert_eq!(house.goes(odd), "UnknownUser", "{odd}");
    }
}

#[tokio::test]
async fn what_follows_a_plus_is_the_users_own() {
    let house = house().await;
    assert_eq!(house.goes("alice+Lists@example.test"), "alice+Lists");
    assert_eq!(house.goes("ALICE+a+b@example.test"), "alice+a+b");
    assert_eq!(house.goes("alice+@example.test"), "alice");
    assert_eq!(house.goes("\"alice+../../etc\"@example.test"), "alice+../../etc", "a detail is opaque text");
    assert_eq!(house.goes("nobody+x@example.test"), "UnknownUser");
}

#[tokio::test]
async fn an_alias_leads_to_all_its_targets_once() {
    let house = house().await;
    house.alias("sales@example.test", &["alice@example.test", "bob@example.test", "x@elsewhere.test"]).await;
    house.alias("all@example.test", &["sales@example.test", "ALICE@example.test", "x@elsewhere.test"]).await;
    assert_eq!(house.goes("sales@example.test"), "alice bob x@elsewhere.test");
    assert_eq!(house.goes("ALL@example.test"), "alice bob x@elsewhere.test");
}

#[tokio::test]
async fn a_tag_goes_through_an_alias_to_users_and_not_to_others() {
    let house = house().await;
    house.alias("sales@example.test", &["alice@example.test", "bob+in@example.test", "x@elsewhere.test"]).await;
    assert_eq!(house.goes("sales+q@example.test"), "alice+q bob+in x@elsewhere.test");
}

#[tokio::test]
async fn a_catch_all_never_shadows_anybody() {
    let house = house().await;
    house.alias("sales@example.test", &["alice@example.test"]).await;
    house.catch_all("example.test", "carol@other.test").await;
    house.user("dora@example.test").await;
    house.disable("dora@example.test").await;
    assert_eq!(house.goes("alice@example.test"), "alice");
    assert_eq!(house.goes("alice+x@example.test"), "alice+x");
    assert_eq!(house.goes("sales@example.test"), "alice");
    assert_eq!(house.goes("sales+x@example.test"), "alice+x");
    assert_eq!(house.goes("dora@example.test"), "Disabled");
    assert_eq!(house.goes("postmaster@example.test"), "alice");
    assert_eq!(house.goes("whoever@example.test"), "carol");
    assert_eq!(house.goes("whoever@other.test"), "UnknownUser", "of the other domain");
}

#[tokio::test]
async fn nobody_gets_mail_while_disabled() {
    let house = house().await;
    house.alias("sales@example.test", &["alice@example.test", "bob@example.test"]).await;
    house.disable("alice@example.test").await;
    assert_eq!(house.goes("alice@example.test"), "Disabled");
    assert_eq!(house.goes("alice+x@example.test"), "Disabled");
    assert_eq!(house.goes("sales@example.test"), "bob", "the others do");
    house.disable("bob@example.test").await;
    assert_eq!(house.goes("sales@example.test"), "Disabled");
    let off = DomainSettings { enabled: Some(false), ..Default::default() };
    house.directory.set_domain(&domain("other.test"), off).await.unwrap();
    assert_eq!(house.goes("carol@other.test"), "Disabled");
    assert_eq!(house.goes("nobody@other.test"), "Disabled", "no difference to tell users by");
    assert!(house.directory.is_local_domain(&domain("other.test")), "still not somebody else's");
}

/// RFC 5321 §4.5.1.
#[tokio::test]
async fn every_domain_has_a_postmaster() {
    let house = house().await;
    assert_eq!(house.goes("Postmaster@other.test"), "alice", "nobody is called so: the oldest account");
    house.user("postmaster@example.test").await;
    assert_eq!(house.goes("Postmaster@other.test"), "postmaster", "that of the first domain");
    assert_eq!(house.goes("postmaster+x@other.test"), "postmaster");
    house.alias("postmaster@other.test", &["carol@other.test"]).await;
    assert_eq!(house.goes("postmaster@other.test"), "carol", "its own");
    house.disable("postmaster@example.test").await;
    assert_eq!(house.goes("postmaster@example.test"), "alice");
    assert_eq!(
        house.directory.resolve_postmaster(),
        house.directory.resolve(&address("postmaster@example.test")),
        "without a domain it is the first domain's"
    );
}

/// RFC 2142 §4: who is hurt by our users can say so.
#[tokio::test]
async fn every_domain_hears_of_abuse() {
    let house = house().await;
    assert_eq!(house.goes("Abuse@other.test"), "alice", "nobody is called so: the oldest account");
    house.user("postmaster@example.test").await;
    assert_eq!(house.goes("abuse@other.test"), "postmaster", "the postmaster of the first domain");
    house.alias("postmaster@other.test", &["carol@other.test"]).await;
    assert_eq!(house.goes("abuse+x@other.test"), "carol", "its own postmaster");
    house.alias("abuse@other.test", &["bob@example.test"]).await;
    assert_eq!(house.goes("abuse@other.test"), "bob", "whoever is called so");
    assert_eq!(house.goes("abused@other.test"), "UnknownUser");
    let all = DomainSettings { catch_all: Some(Some(address("bob@example.test"))), ..Default::default() };
    house.directory.set_domain(&domain("example.test"), all).await.unwrap();
    assert_eq!(house.goes("abuse@example.test"), "bob", "a catch-all is somebody");
}

/// Puts aliases in without the directory's checks.
fn smuggle(house: &House, aliases: &[(&str, &[&str])]) {
    let done = house.store.change(|tables| {
        for (local, targets) in aliases {
            tables.aliases.push(AliasRecord {
                domain: tables.domains[0].id,
                local: (*local).to_owned(),
                targets: targets.iter().map(|t| format!("{t}@example.test")).collect(),
                created: mailward_core::Timestamp(0),
            });
        }
        Ok(())
    });
    done.unwrap();
}

/// Attacks A7: whatever stands in the store, following it ends.
#[tokio::test]
async fn a_circle_of_aliases_is_a_loop_and_not_a_hang() {
    let house = house().await;
    smuggle(&house, &[("a", &["b"]), ("b", &["c", "alice"]), ("c", &["a"]), ("self", &["self"])]);
    house.directory.refresh().await.unwrap();
    for name in ["a@example.test", "b@example.test", "c@example.test", "self@example.test"] {
        assert_eq!(house.goes(name), "Loop", "{name}");
    }
    assert_eq!(house.goes("alice@example.test"), "alice");
}

#[tokio::test]
async fn two_ways_to_the_same_alias_are_no_circle() {
    let house = house().await;
    house.alias("c@example.test", &["alice@example.test"]).await;
    house.alias("b@example.test", &["c@example.test"]).await;
    house.alias("a@example.test", &["b@example.test", "c@example.test"]).await;
    assert_eq!(house.goes("a@example.test"), "alice");
}

#[tokio::test]
async fn aliases_are_followed_as_deep_as_the_limit_and_no_deeper() {
    let house = house().await;
    let names: Vec<String> = (0..=ALIAS_DEPTH_MAX).map(|n| format!("a{n}")).collect();
    smuggle(&house, &[("a0", &["alice"])]);
    for pair in names.windows(2) {
        smuggle(&house, &[(&pair[1], &[&pair[0]])]);
    }
    house.directory.refresh().await.unwrap();
    assert_eq!(house.goes(&format!("a{}@example.test", ALIAS_DEPTH_MAX - 1)), "alice");
    assert_eq!(house.goes(&format!("a{ALIAS_DEPTH_MAX}@example.test")), "Loop");
}

/// Attacks A7: aliases of aliases multiply.
#[tokio::test]
async fn mail_for_one_address_reaches_as_many_as_the_limit_and_no_more() {
    let house = house().await;
    let half = ALIAS_TARGETS_MAX / 2;
    let lists: Vec<Vec<String>> =
        (0..3).map(|l| (0..half).map(|n| format!("\"{l}.{n}\"@far.example")).collect()).collect();
    let done = house.store.change(|tables| {
        for (index, targets) in lists.into_iter().enumerate() {
            tables.aliases.push(AliasRecord {
                domain: tables.domains[0].id,
                local: format!("l{index}"),
                targets,
                created: mailward_core::Timestamp(0),
            });
        }
        Ok(())
    });
    done.unwrap();
    smuggle(&house, &[("two", &["l0", "l1"]), ("three", &["l0", "l1", "l2"])]);
    house.directory.refresh().await.unwrap();
    let Resolution::Deliver { remote, .. } = house.resolve("two@example.test") else {
        panic!("{:?}", house.resolve("two@example.test"));
    };
    assert_eq!(remote.len(), ALIAS_TARGETS_MAX);
    assert_eq!(house.goes("three@example.test"), "Loop");
}

#[tokio::test]
async fn a_change_by_somebody_else_is_seen() {
    let house = house().await;
    smuggle(&house, &[("news", &["alice"])]);
    let seen = async {
        while house.goes("news@example.test") != "alice" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the refresher saw the version rise");
}

/// A record that can't be read must not turn into "user unknown" for everybody.
#[tokio::test(start_paused = true)]
async fn damage_in_the_store_keeps_what_was_known_and_is_told() {
    let house = house().await;
    house
        .store
        .change(|tables| {
            tables.accounts[0].local = "not\r\na local part".to_owned();
            Ok(())
        })
        .unwrap();
    assert!(house.directory.refresh().await.is_err());
    assert_eq!(house.goes("alice@example.test"), "alice");
    while !house.events.lines().iter().any(|line| line.starts_with("alert directory.stale")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    house
        .store
        .change(|tables| {
            tables.accounts[0].local = "alison".to_owned();
            Ok(())
        })
        .unwrap();
    while house.goes("alison@example.test") != "alison" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
