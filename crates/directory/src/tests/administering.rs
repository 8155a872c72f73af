//! What administrators may do, and what they may not.

use super::fake::{House, PASSWORD, address, domain, peer, tls13};
use crate::{DirectoryError, DomainSettings, NewPassword, NewUser, UserSettings};
use mailward_core::Secret;
use mailward_core::limits::{ALIAS_DEPTH_MAX, ALIAS_TARGETS_MAX, DISPLAY_NAME_MAX};
use std::sync::atomic::Ordering;

fn new_user(text: &str) -> NewUser {
    NewUser {
        address: address(text),
        password: NewPassword::None,
        display_name: String::new(),
        quota_bytes: 0,
        quota_messages: 0,
    }
}

async fn add(house: &House, text: &str) -> Result<(), DirectoryError> {
    house.directory.add_user(new_user(text)).await.map(|_| ())
}

async fn put(house: &House, alias: &str, targets: &[&str]) -> Result<(), DirectoryError> {
    let targets = targets.iter().map(|t| address(t)).collect();
    house.directory.put_alias(&address(alias), targets).await.map(|_| ())
}

#[tokio::test]
async fn what_is_added_is_there_at_once_and_listed_in_order() {
    let house = House::new(&["b.test", "a.test"]).await;
    house.user("zoe@a.test").await;
    house.user("Adam@b.test").await;
    house.alias("info@b.test", &["zoe@a.test"]).await;
    house.catch_all("a.test", "zoe@a.test").await;
    let domains: Vec<_> =
        house.directory.list_domains().into_iter().map(|d| (d.name.to_string(), d.users, d.aliases)).collect();
    assert_eq!(domains, [("a.test".to_owned(), 1, 0), ("b.test".to_owned(), 1, 1)]);
    let users = house.directory.list_users(None, None).await.unwrap();
    assert_eq!(users.iter().map(|u| u.address.to_string()).collect::<Vec<_>>(), ["zoe@a.test", "adam@b.test"]);
    assert_eq!(house.directory.list_users(Some(&domain("b.test")), None).await.unwrap().len(), 1);
    assert_eq!(house.directory.list_aliases(Some(&domain("a.test"))).len(), 0);
    assert_eq!(house.directory.list_aliases(None).len(), 1);
}

#[tokio::test]
async fn listings_are_written_as_json() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    house.alias("info@a.test", &["zoe@a.test", "x@far.example"]).await;
    let json = |value: &dyn erased::Json| value.json();
    assert_eq!(
        json(&house.directory.list_domains()),
        r#"[{"name":"a.test","enabled":true,"catch_all":null,"users":1,"aliases":1,"created":0}]"#
    );
    assert_eq!(
        json(&house.directory.list_users(None, None).await.unwrap()),
        r#"[{"address":"zoe@a.test","display_name":"","enabled":true,"has_password":false,"quota_bytes":0,"quota_messages":0,"created":0}]"#
    );
    assert_eq!(
        json(&house.directory.list_aliases(None)),
        r#"[{"address":"info@a.test","targets":["zoe@a.test","x@far.example"],"created":0}]"#
    );
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

#[tokio::test]
async fn a_name_is_taken_once_whatever_its_case() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    house.alias("info@a.test", &["zoe@a.test"]).await;
    assert!(matches!(add(&house, "ZOE@a.test").await, Err(DirectoryError::Taken(_, "a user"))));
    assert!(matches!(add(&house, "Info@a.test").await, Err(DirectoryError::Taken(_, "an alias"))));
    assert!(matches!(put(&house, "Zoe@a.test", &["x@far.example"]).await, Err(DirectoryError::Taken(_, "a user"))));
    assert!(matches!(house.directory.add_domain(domain("A.test")).await, Err(DirectoryError::Taken(..))));
    assert!(put(&house, "INFO@a.test", &["x@far.example"]).await.is_ok(), "an alias may be replaced");
    assert_eq!(house.goes("info@a.test"), "x@far.example");
}

/// Attacks A5.
#[tokio::test]
async fn names_that_could_be_taken_for_something_else_are_refused() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    for bad in [
        "zoe+x@a.test",
        "\"zoe x\"@a.test",
        "-oQ@a.test",
        "|cmd@a.test",
        "/etc/passwd@a.test",
        "~/.x/@a.test",
        "u%far.example@a.test",
        "far!u@a.test",
        "\"u@far.example\"@a.test",
        "\"..\"@a.test",
        "\".x\"@a.test",
        "%{user}@a.test",
        "*@a.test",
        "o\u{308}@a.test",
        "`id`@a.test",
        "$HOME@a.test",
        "x;y@a.test",
    ] {
        let Ok(parsed) = mailward_core::Address::parse(bad, true) else {
            continue;
        };
        let user = NewUser { address: parsed.clone(), ..new_user("x@a.test") };
        assert!(matches!(house.directory.add_user(user).await, Err(DirectoryError::LocalPart(..))), "{bad}");
        let alias = house.directory.put_alias(&parsed, vec![address("zoe@a.test")]).await;
        assert!(matches!(alias, Err(DirectoryError::LocalPart(..))), "{bad}");
    }
    for good in ["o'neill@a.test", "a.b-c_d@a.test", "jörg@a.test", "1@a.test"] {
        assert!(add(&house, good).await.is_ok(), "{good}");
    }
    assert!(matches!(add(&house, "x@[192.0.2.1]").await, Err(DirectoryError::Literal(_))));
    assert!(matches!(add(&house, "x@far.example").await, Err(DirectoryError::NoDomain(_))));
}

#[tokio::test]
async fn a_target_of_ours_must_be_there_and_one_of_others_need_not() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    assert!(matches!(put(&house, "x@a.test", &["nobody@a.test"]).await, Err(DirectoryError::NoTargetUser(_))));
    assert!(matches!(put(&house, "x@a.test", &["u@[192.0.2.1]"]).await, Err(DirectoryError::Literal(_))));
    assert!(matches!(put(&house, "x@a.test", &[]).await, Err(DirectoryError::NoTarget(_))));
    assert!(put(&house, "x@a.test", &["zoe+tag@a.test", "nobody@far.example"]).await.is_ok());
    let lost = DomainSettings { catch_all: Some(Some(address("nobody@a.test"))), ..Default::default() };
    let refused = house.directory.set_domain(&domain("a.test"), lost).await;
    assert!(matches!(refused, Err(DirectoryError::NoTargetUser(_))));
}

/// Attacks A7.
#[tokio::test]
async fn a_circle_is_refused_before_it_is_written() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    assert!(matches!(put(&house, "a@a.test", &["A@a.test"]).await, Err(DirectoryError::Loop(_))));
    house.alias("a@a.test", &["zoe@a.test"]).await;
    assert!(matches!(put(&house, "a@a.test", &["a+x@a.test"]).await, Err(DirectoryError::Loop(_))));
    house.alias("b@a.test", &["a@a.test"]).await;
    house.alias("c@a.test", &["b@a.test"]).await;
    assert!(matches!(put(&house, "a@a.test", &["zoe@a.test", "c@a.test"]).await, Err(DirectoryError::Loop(_))));
    assert_eq!(house.goes("c@a.test"), "zoe", "nothing changed");
}

#[tokio::test]
async fn a_chain_over_the_depth_is_refused_wherever_it_grows() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    house.alias("a1@a.test", &["zoe@a.test"]).await;
    for n in 2..=ALIAS_DEPTH_MAX {
        house.alias(&format!("a{n}@a.test"), &[&format!("a{}@a.test", n - 1)]).await;
    }
    let last = format!("a{ALIAS_DEPTH_MAX}@a.test");
    assert!(matches!(put(&house, "top@a.test", &[&last]).await, Err(DirectoryError::Loop(_))));
    // At the bottom it would make the top too deep.
    house.alias("bottom@a.test", &["zoe@a.test"]).await;
    assert!(matches!(put(&house, "a1@a.test", &["bottom@a.test"]).await, Err(DirectoryError::Loop(_))));
    let deep = DomainSettings { catch_all: Some(Some(address(&last))), ..Default::default() };
    let refused = house.directory.set_domain(&domain("a.test"), deep).await;
    assert!(matches!(refused, Err(DirectoryError::Loop(_))), "the catch-all is a step too");
}

#[tokio::test]
async fn an_alias_ends_at_its_limit_of_targets() {
    let house = House::new(&["a.test"]).await;
    let many: Vec<String> = (0..=ALIAS_TARGETS_MAX).map(|n| format!("u{n}@far.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(put(&house, "x@a.test", &many[1..]).await.is_ok());
    assert!(matches!(put(&house, "x@a.test", &many).await, Err(DirectoryError::TooManyTargets(_))));
    // Also if another alias brings the one too many.
    assert!(matches!(put(&house, "y@a.test", &["x@a.test", many[0]]).await, Err(DirectoryError::TooManyTargets(_))));
}

#[tokio::test]
async fn what_is_in_use_is_not_removed() {
    let house = House::new(&["a.test", "b.test"]).await;
    house.user("zoe@a.test").await;
    house.alias("info@a.test", &["Zoe+x@a.test"]).await;
    house.catch_all("b.test", "info@a.test").await;
    assert!(matches!(house.directory.remove_user(&address("zoe@a.test")).await, Err(DirectoryError::StillTarget(..))));
    assert!(matches!(
        house.directory.remove_alias(&address("info@a.test")).await,
        Err(DirectoryError::StillTarget(..))
    ));
    assert!(matches!(house.directory.remove_domain(&domain("a.test")).await, Err(DirectoryError::InUse(..))));
    house.directory.remove_domain(&domain("b.test")).await.unwrap();
    house.directory.remove_alias(&address("info@a.test")).await.unwrap();
    house.directory.remove_user(&address("ZOE@a.test")).await.unwrap();
    house.directory.remove_domain(&domain("a.test")).await.unwrap();
    assert!(house.directory.list_domains().is_empty());
}

#[tokio::test]
async fn what_isn_t_there_can_t_be_changed_or_removed() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    house.alias("info@a.test", &["zoe@a.test"]).await;
    let d = &house.directory;
    let no = |text: &str| address(text);
    assert!(matches!(d.remove_user(&no("info@a.test")).await, Err(DirectoryError::NoUser(_))));
    assert!(matches!(d.remove_alias(&no("zoe@a.test")).await, Err(DirectoryError::NoAlias(_))));
    assert!(matches!(d.set_user(&no("x@a.test"), UserSettings::default()).await, Err(DirectoryError::NoUser(_))));
    assert!(matches!(d.set_password(&no("zoe+x@a.test"), NewPassword::None).await, Err(DirectoryError::NoUser(_))));
    assert!(matches!(d.user(&no("x@far.example"), None).await, Err(DirectoryError::NoUser(_))));
    assert!(matches!(d.remove_domain(&domain("far.example")).await, Err(DirectoryError::NoDomain(_))));
    assert!(matches!(d.list_users(Some(&domain("far.example")), None).await, Err(DirectoryError::NoDomain(_))));
}

#[tokio::test]
async fn settings_change_what_is_given_and_leave_the_rest() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    let first = UserSettings { display_name: Some("Zoë".to_owned()), quota_bytes: Some(5), ..Default::default() };
    house.directory.set_user(&address("zoe@a.test"), first).await.unwrap();
    let second = UserSettings { quota_messages: Some(7), enabled: Some(false), ..Default::default() };
    let info = house.directory.set_user(&address("ZOE@a.test"), second).await.unwrap();
    assert_eq!((info.display_name.as_str(), info.quota_bytes, info.quota_messages, info.enabled), ("Zoë", 5, 7, false));
    let long = UserSettings { display_name: Some("ë".repeat(DISPLAY_NAME_MAX + 1)), ..Default::default() };
    let refused = house.directory.set_user(&address("zoe@a.test"), long).await;
    assert!(matches!(refused, Err(DirectoryError::TooLong(..))));
    let forged = UserSettings { display_name: Some("Zoë\r\nBcc: x@y".to_owned()), ..Default::default() };
    let refused = house.directory.set_user(&address("zoe@a.test"), forged).await;
    assert!(matches!(refused, Err(DirectoryError::ControlCharacter(_))));
}

#[tokio::test]
async fn the_password_policy_holds_for_administrators_too() {
    let house = House::new(&["example.test"]).await;
    house.user("zoe.miller@example.test").await;
    for bad in ["short", "zoe.miller.1", "password123", "example.test"] {
        let given = NewPassword::Given(Secret::new(bad));
        let refused = house.directory.set_password(&address("zoe.miller@example.test"), given.clone()).await;
        assert!(matches!(refused, Err(DirectoryError::Password(_))), "{bad}");
        let user = NewUser { password: given, display_name: "Zoe Miller".to_owned(), ..new_user("zm@example.test") };
        assert!(matches!(house.directory.add_user(user).await, Err(DirectoryError::Password(_))), "{bad}");
    }
    let users = house.directory.list_users(None, None).await.unwrap();
    assert_eq!(users.len(), 1, "nobody was added with a bad password");
    assert!(!users[0].has_password);
}

#[tokio::test]
async fn a_generated_password_is_told_once_and_opens() {
    let house = House::new(&["example.test"]).await;
    let user = NewUser { password: NewPassword::Generated, ..new_user("zoe@example.test") };
    let (info, password) = house.directory.add_user(user).await.unwrap();
    assert!(info.has_password);
    let login = house.auth.password("zoe@example.test", &password.unwrap(), Some(&tls13()), &peer()).await.unwrap();
    assert_eq!(login.address().to_string(), "zoe@example.test");
    let given = NewPassword::Given(Secret::new(PASSWORD));
    let told = house.directory.set_password(&address("zoe@example.test"), given).await.unwrap();
    assert!(told.is_none(), "a given one is not told again");
}

#[tokio::test]
async fn a_store_that_fails_changes_nothing_and_says_so() {
    let house = House::new(&["a.test"]).await;
    house.user("zoe@a.test").await;
    house.store.broken.store(true, Ordering::SeqCst);
    assert!(matches!(add(&house, "bob@a.test").await, Err(DirectoryError::Store(_))));
    assert_eq!(house.goes("zoe@a.test"), "zoe");
    assert_eq!(house.goes("bob@a.test"), "UnknownUser");
}
