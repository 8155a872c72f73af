//! What administrators do to accounts.

use crate::house::{House, PASSWORD, message, x};
use crate::provider::Provider;
use mailward_core::Secret;
use mailward_core::limits::{FETCH_ACCOUNTS_MAX, PASSWORD_MAX};
use mailward_fetch::{FetchError, Name, Protocol, SettingsChange, Tls, To};
use mailward_store::ShelfStore as _;
use mailward_store::records::Shelf;

fn secret() -> Secret {
    Secret::new(PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_added_changed_and_removed_with_all_that_is_known() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Imap, Tls::Tls).await;
    provider.put(message("one")).await;
    house.fetch_and_keep(house.settings(Protocol::Imap, port)).await;
    let again = house.accounts.add(x(), house.settings(Protocol::Imap, port), &secret()).await;
    assert!(matches!(again, Err(FetchError::Exists(_))));
    let change = SettingsChange { every: Some(7), ..SettingsChange::default() };
    assert_eq!(house.accounts.change(&x(), change, None).await.unwrap().settings.every, 7);
    let listed = house.accounts.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].own_authority, &listed[0].settings.authority), (1, true, &None));
    house.visited().await;
    house.accounts.remove(&x()).await.unwrap();
    assert!(matches!(house.accounts.show(&x()).await, Err(FetchError::NoAccount(_))));
    assert!(matches!(house.accounts.remove(&x()).await, Err(FetchError::NoAccount(_))));
    assert!(house.store.shelf(Shelf::Fetch, None, 100).await.unwrap().is_empty(), "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_account_is_left_alone() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Pop3, Tls::Tls).await;
    house.fetch(house.settings(Protocol::Pop3, port)).await;
    house.accounts.pause(&x(), true).await.unwrap();
    assert!(matches!(house.accounts.now(&x()).await, Err(FetchError::Paused(_))));
    provider.put(message("one")).await;
    // Another account is visited meanwhile, so this one would have been.
    let y = Name::parse("y").unwrap();
    house.accounts.add(y.clone(), house.settings(Protocol::Pop3, 1), &secret()).await.unwrap();
    let mut changes = house.store.shelf_version(Shelf::Fetch);
    while house.accounts.show(&y).await.unwrap().due {
        changes.changed().await.unwrap();
    }
    assert_eq!(provider.left().await, 1);
    house.accounts.pause(&x(), false).await.unwrap();
    house.visited().await;
    assert_eq!(provider.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_fetched_for_users_here_only() {
    let house = House::new().await;
    for address in ["stranger@there.example", "nobody@here.example"] {
        let address: mailward_core::Address = address.parse().unwrap();
        for to in [To::One(address.clone()), To::Envelope { header: None, otherwise: address }] {
            let mut settings = house.settings(Protocol::Pop3, 1);
            settings.to = to;
            let error = house.accounts.add(x(), settings, &secret()).await.unwrap_err().to_string();
            assert!(error.contains("never elsewhere"), "{error}");
        }
    }
    let alias = "away@here.example".parse().unwrap();
    house.directory.put_alias(&alias, vec!["stranger@there.example".parse().unwrap()]).await.unwrap();
    let mut settings = house.settings(Protocol::Pop3, 1);
    settings.to = To::One(alias);
    assert!(house.accounts.add(x(), settings, &secret()).await.is_err(), "an alias that leads elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_fits_its_line_and_is_kept_sealed() {
    let house = House::new().await;
    for bad in ["", "a\r\nQUIT", "a\0b", &"x".repeat(PASSWORD_MAX + 1)] {
        let added = house.accounts.add(x(), house.settings(Protocol::Pop3, 1), &Secret::new(bad)).await;
        assert!(matches!(added, Err(FetchError::Password)));
    }
    house.accounts.add(x(), house.settings(Protocol::Pop3, 1), &secret()).await.unwrap();
    let kept = house.store.shelved(Shelf::Fetch, "a/x".to_owned()).await.unwrap().unwrap();
    let kept = String::from_utf8(kept.value.to_vec()).unwrap();
    let bytes = format!("{:?}", PASSWORD.as_bytes()).replace(' ', "");
    assert!(!kept.contains(PASSWORD) && !kept.contains(bytes.trim_matches(['[', ']'])));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_so_many_accounts_and_no_more() {
    let house = House::new().await;
    let settings = house.settings(Protocol::Pop3, 1);
    house.accounts.add(x(), settings.clone(), &secret()).await.unwrap();
    house.accounts.pause(&x(), true).await.unwrap();
    let one = house.store.shelved(Shelf::Fetch, "a/x".to_owned()).await.unwrap().unwrap();
    let more = (1..FETCH_ACCOUNTS_MAX).map(|number| {
        let record = mailward_store::records::Shelved { key: format!("a/x{number}"), ..one.clone() };
        mailward_store::records::ShelfChange::Add(Shelf::Fetch, record)
    });
    house.store.change_shelf(more.collect()).await.unwrap();
    assert_eq!(house.accounts.list().await.unwrap().len(), FETCH_ACCOUNTS_MAX);
    let added = house.accounts.add(Name::parse("y").unwrap(), settings, &secret()).await;
    assert!(matches!(added, Err(FetchError::Full)));
}
