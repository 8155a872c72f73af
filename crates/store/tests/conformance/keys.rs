//! Keys that sign for domains.

use crate::support::*;
use mailward_core::limits::DKIM_KEYS_MAX;
use mailward_core::{Domain, DomainId};
use mailward_store::StoreError;
use mailward_store::records::*;

fn key(selector: &str, state: DkimState) -> NewDkimKey {
    NewDkimKey {
        selector: selector.to_owned(),
        algorithm: "rsa-sha256".to_owned(),
        public: (*b"public").into(),
        sealed: (*b"sealed").into(),
        state,
    }
}

fn add(domain: DomainId, selectors: &[&str], state: DkimState) -> DkimChange {
    DkimChange::Add { domain, keys: selectors.iter().map(|selector| key(selector, state)).collect() }
}

fn told(keys: &[DkimKeyRecord]) -> Vec<(&str, DkimState)> {
    keys.iter().map(|key| (key.selector.as_str(), key.state)).collect()
}

#[tokio::test]
async fn keys_come_sign_retire_and_go() {
    let w = world().await;
    let id = w.domain.id;
    let there = w.store.change_dkim_keys(add(id, &["1r", "1e"], DkimState::Active)).await.unwrap();
    assert_eq!(told(&there), [("1r", DkimState::Active), ("1e", DkimState::Active)]);
    assert_eq!((&there[0].public[..], &there[0].sealed[..]), (&b"public"[..], &b"sealed"[..]));
    assert_eq!(there[0].created, there[0].since);
    w.store.change_dkim_keys(add(id, &["2r", "2e"], DkimState::Next)).await.unwrap();
    let there = w.store.change_dkim_keys(DkimChange::Activate { domain: id }).await.unwrap();
    assert_eq!(
        told(&there),
        [
            ("2r", DkimState::Active),
            ("2e", DkimState::Active),
            ("1r", DkimState::Retiring),
            ("1e", DkimState::Retiring)
        ]
    );
    let again = w.store.change_dkim_keys(DkimChange::Activate { domain: id }).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))), "nothing is to come");
    let remove = |selector: &str| DkimChange::Remove { domain: id, selector: selector.to_owned() };
    assert!(matches!(w.store.change_dkim_keys(remove("2r")).await, Err(StoreError::Refused(_))), "it signs");
    assert!(matches!(w.store.change_dkim_keys(remove("3r")).await, Err(StoreError::NotFound(_))));
    w.store.change_dkim_keys(remove("1r")).await.unwrap();
    let left = w.store.dkim_keys(Some(id)).await.unwrap();
    assert_eq!(told(&left), [("2r", DkimState::Active), ("2e", DkimState::Active), ("1e", DkimState::Retiring)]);
    assert_eq!(w.store.dkim_keys(None).await.unwrap(), left);
}

#[tokio::test]
async fn keys_are_added_all_or_none() {
    let w = world().await;
    let id = w.domain.id;
    w.store.change_dkim_keys(add(id, &["1r"], DkimState::Active)).await.unwrap();
    let taken = w.store.change_dkim_keys(add(id, &["2r", "1r"], DkimState::Next)).await;
    assert!(matches!(taken, Err(StoreError::Exists(_))));
    assert_eq!(told(&w.store.dkim_keys(Some(id)).await.unwrap()), [("1r", DkimState::Active)]);
    let stranger = w.store.change_dkim_keys(add(DomainId(99), &["1r"], DkimState::Active)).await;
    assert!(matches!(stranger, Err(StoreError::NotFound("domain"))));
}

#[tokio::test]
async fn a_domain_has_so_many_keys_and_no_more() {
    let w = world().await;
    let names: Vec<String> = (0..=DKIM_KEYS_MAX).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    w.store.change_dkim_keys(add(w.domain.id, &names[1..], DkimState::Next)).await.unwrap();
    let more = w.store.change_dkim_keys(add(w.domain.id, &names[..1], DkimState::Next)).await;
    assert!(matches!(more, Err(StoreError::Limit(_))));
}

#[tokio::test]
async fn keys_go_with_their_domain_and_others_stay() {
    let w = world().await;
    let name = Domain::parse("other.test").unwrap();
    let other = w.store.change_domain(DomainChange::Add { name }).await.unwrap().id;
    w.store.change_dkim_keys(add(w.domain.id, &["1r"], DkimState::Active)).await.unwrap();
    w.store.change_dkim_keys(add(other, &["1r"], DkimState::Active)).await.unwrap();
    w.store.change_domain(DomainChange::Remove { id: other }).await.unwrap();
    let left = w.store.dkim_keys(None).await.unwrap();
    assert_eq!(left.iter().map(|key| key.domain).collect::<Vec<_>>(), [w.domain.id]);
}

#[tokio::test]
async fn the_version_of_keys_rises_with_every_change() {
    let w = world().await;
    let mut version = w.store.keys_version();
    version.mark_unchanged();
    w.store.change_dkim_keys(add(w.domain.id, &["1r"], DkimState::Next)).await.unwrap();
    assert!(version.has_changed().unwrap());
}
