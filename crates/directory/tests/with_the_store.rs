//! The directory over the real store: what was changed is there after a restart, and other writers are seen.

#![expect(clippy::unwrap_used, reason = "a helper of tests may stop where something is not as it should be")]

use mailward_core::event::Events;
use mailward_core::{Address, Listener, Peer, Secret};
use mailward_directory::{
    Authenticator, Directory, DirectoryError, DomainSettings, LoginError, NewPassword, NewUser, Resolution,
    UserSettings,
};
use mailward_store::{LocalStore, MailStore, Options};
use mailward_vault::ChannelBindings;
use std::sync::Arc;

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

fn user(text: &str, password: NewPassword) -> NewUser {
    NewUser {
        address: address(text),
        password,
        display_name: "Somebody".to_owned(),
        quota_bytes: 1_000_000,
        quota_messages: 0,
    }
}

fn peer() -> Peer {
    Peer { session: 1, address: None, port: None, listener: Listener::Imaps }
}

#[tokio::test]
async fn a_house_is_set_up_and_is_still_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let password = {
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        directory.add_domain("example.test".parse().unwrap()).await.unwrap();
        let alice = user("Alice@example.test", NewPassword::Generated);
        let (info, password) = directory.add_user(alice).await.unwrap();
        assert_eq!(info.address, address("alice@example.test"));
        directory.add_user(user("bob@example.test", NewPassword::None)).await.unwrap();
        let targets = vec![address("alice@example.test"), address("bob@example.test"), address("x@far.example")];
        directory.put_alias(&address("sales@example.test"), targets).await.unwrap();
        let all = DomainSettings { catch_all: Some(Some(address("sales@example.test"))), ..Default::default() };
        directory.set_domain(&"example.test".parse().unwrap(), all).await.unwrap();
        drop(directory);
        store.close().await;
        password.unwrap()
    };

    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let directory = Directory::open(store.clone()).await.unwrap();
    let auth = Authenticator::new(Arc::clone(&directory), Events::nowhere());
    let login =
        auth.password("alice@example.test", &password, Some(&ChannelBindings::default()), &peer()).await.unwrap();
    assert!(directory.may_send_as(&login, &address("sales@example.test")));
    let mailboxes = store.mailboxes(login.account()).await.unwrap();
    assert!(mailboxes.iter().any(|m| m.name.is_inbox()), "an account has an INBOX from the first");
    let Resolution::Deliver { local, remote } = directory.resolve(&address("whoever@example.test")) else {
        panic!("the catch-all leads to the alias");
    };
    assert_eq!((local.len(), remote.len()), (2, 1));
    let mail: &dyn MailStore = store.as_ref();
    let users = directory.list_users(None, Some(mail)).await.unwrap();
    assert_eq!(users.len(), 2);
    assert_eq!(users[0].usage.unwrap().quota_bytes, 1_000_000);
    assert_eq!(users[0].usage.unwrap().bytes, 0);

    let off = UserSettings { enabled: Some(false), ..Default::default() };
    directory.set_user(&address("alice@example.test"), off).await.unwrap();
    let refused = auth.password("alice@example.test", &password, Some(&ChannelBindings::default()), &peer()).await;
    assert_eq!(refused.err(), Some(LoginError::Refused));
    let still = directory.remove_user(&address("bob@example.test")).await;
    assert!(matches!(still, Err(DirectoryError::StillTarget(..))));
    let none = DomainSettings { catch_all: Some(None), ..Default::default() };
    directory.set_domain(&"example.test".parse().unwrap(), none).await.unwrap();
    directory.remove_alias(&address("sales@example.test")).await.unwrap();
    directory.remove_user(&address("bob@example.test")).await.unwrap();
    directory.remove_user(&address("alice@example.test")).await.unwrap();
    directory.remove_domain(&"example.test".parse().unwrap()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_another_directory_over_the_same_store_changes_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let one = Directory::open(store.clone()).await.unwrap();
    let other = Directory::open(store.clone()).await.unwrap();
    one.add_domain("example.test".parse().unwrap()).await.unwrap();
    one.add_user(user("alice@example.test", NewPassword::Given(Secret::new("lantern otter violin")))).await.unwrap();
    let seen = async {
        while other.account_id(&address("alice@example.test")).is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), seen).await.expect("the version rose");
    store.close().await;
}
