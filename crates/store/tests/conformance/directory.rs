//! Domains, accounts and aliases.

use crate::support::*;
use mailward_store::StoreError;
use mailward_store::records::*;

#[tokio::test]
async fn what_is_put_in_is_read_back() {
    let w = world().await;
    let set = AccountChange::Set {
        id: w.alice,
        display_name: Some("Alice".into()),
        enabled: Some(false),
        credential: None,
        quota_bytes: Some(7),
        quota_messages: None,
    };
    w.store.change_account(set).await.unwrap();
    let alice = &w.store.accounts().await.unwrap()[0];
    assert_eq!((alice.local.as_str(), alice.enabled, alice.quota_bytes), ("alice", false, 7));
    assert_eq!(&alice.credential[..], b"credential");
    assert_eq!(w.store.usage(w.alice).await.unwrap().quota_bytes, 7);
    let put =
        AliasChange::Put { domain: w.domain.id, local: "all".into(), targets: vec!["a@b.c".into(), "d@e.f".into()] };
    w.store.change_alias(put).await.unwrap();
    assert_eq!(w.store.aliases().await.unwrap()[0].targets, ["a@b.c", "d@e.f"]);
    let catch = DomainChange::Set { id: w.domain.id, enabled: None, catch_all: Some(Some("x@y.z".into())) };
    assert_eq!(w.store.change_domain(catch).await.unwrap().catch_all.as_deref(), Some("x@y.z"));
}

#[tokio::test]
async fn an_account_and_an_alias_never_share_a_name() {
    let w = world().await;
    let put =
        |local: &str| AliasChange::Put { domain: w.domain.id, local: local.into(), targets: vec!["a@b.c".into()] };
    assert!(matches!(w.store.change_alias(put("alice")).await, Err(StoreError::Exists(_))));
    w.store.change_alias(put("carol")).await.unwrap();
    let add = AccountChange::Add {
        domain: w.domain.id,
        local: "carol".into(),
        display_name: String::new(),
        credential: [].into(),
        quota_bytes: 0,
        quota_messages: 0,
    };
    assert!(matches!(w.store.change_account(add).await, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn a_domain_in_use_can_t_go() {
    let w = world().await;
    let remove = || DomainChange::Remove { id: w.domain.id };
    assert!(matches!(w.store.change_domain(remove()).await, Err(StoreError::Refused(_))));
    for account in [w.alice, w.bob] {
        w.store.change_account(AccountChange::Remove { id: account }).await.unwrap();
    }
    w.store.change_domain(remove()).await.unwrap();
    assert!(w.store.domains().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_removed_account_takes_its_mail_along() {
    let w = world().await;
    w.deliver("x", &[w.alice, w.bob]).await;
    let inbox = w.inbox(w.alice).await;
    w.store.change_account(AccountChange::Remove { id: w.alice }).await.unwrap();
    assert!(w.store.mailbox_by_id(inbox.id).await.is_err());
    assert!(w.store.usage(w.alice).await.is_err());
    assert_eq!(w.texts(&w.inbox(w.bob).await).await, ["x"]);
}

#[tokio::test]
async fn the_version_rises_with_every_change() {
    let w = world().await;
    let mut version = w.store.directory_version();
    version.mark_unchanged();
    w.deliver("x", &[w.alice]).await;
    assert!(!version.has_changed().unwrap());
    w.account("new", 0, 0).await;
    assert!(version.has_changed().unwrap());
}
