//! What holds whatever comes.

use super::fake::{FakeStore, House, PASSWORD, peer, tls13};
use crate::snapshot::Snapshot;
use crate::{Resolution, SaslStep, parse_sasl_plain};
use mailward_core::limits::ALIAS_TARGETS_MAX;
use mailward_core::{AccountId, Address, DomainId, Timestamp};
use mailward_store::records::{AccountRecord, AliasRecord, DomainRecord};
use proptest::prelude::*;

/// A directory with names a to h in two domains, some accounts, some aliases with any targets, circles included.
fn snapshot() -> impl Strategy<Value = Snapshot> {
    let target = prop_oneof!["[a-h]@(one|two|far)\\.test", "[a-c]\\+[a-b]@one\\.test"];
    let alias = prop::collection::vec(target.clone(), 1..4);
    let name = prop_oneof![alias.prop_map(Some), Just(None)];
    (
        prop::collection::vec(prop::option::of(name), 16),
        prop::collection::vec(prop::option::of(target), 2),
        prop::collection::vec(prop::bool::weighted(0.8), 18),
    )
        .prop_map(|(names, catch_alls, enabled)| {
            let domain = |index: usize, name: &str| DomainRecord {
                id: DomainId(i64::try_from(index).unwrap()),
                name: name.parse().unwrap(),
                enabled: enabled[index],
                catch_all: catch_alls[index].clone(),
                created: Timestamp(0),
            };
            let (mut accounts, mut aliases) = (Vec::new(), Vec::new());
            for (index, name) in names.into_iter().enumerate() {
                let domain = if index < 8 { 0 } else { 1 };
                let local = char::from(b"abcdefghabcdefgh"[index]).to_string();
                match name {
                    None => {}
                    Some(Some(targets)) => {
                        aliases.push(AliasRecord { domain: DomainId(domain), local, targets, created: Timestamp(0) });
                    }
                    Some(None) => accounts.push(AccountRecord {
                        id: AccountId(i64::try_from(index).unwrap()),
                        domain: DomainId(domain),
                        local,
                        display_name: String::new(),
                        enabled: enabled[2..][index],
                        credential: std::sync::Arc::from([]),
                        quota_bytes: 0,
                        quota_messages: 0,
                        created: Timestamp(0),
                    }),
                }
            }
            Snapshot::new(vec![domain(0, "one.test"), domain(1, "two.test")], accounts, aliases).unwrap()
        })
}

proptest! {
    #[test]
    fn resolving_ends_delivers_to_the_enabled_and_keeps_its_limits(
        snapshot in snapshot(), text in "([a-h]|postmaster)(\\+[a-c]?)?@(one|two|far)\\.test",
    ) {
        let address = Address::parse(&text, true).unwrap();
        let shouted = Address::parse(&text.to_uppercase(), true).unwrap();
        let account = |id: AccountId| snapshot.account(id).is_some_and(|a| a.record.enabled);
        match snapshot.resolve(&address) {
            Resolution::Deliver { local, remote } => {
                prop_assert!(!local.is_empty() || !remote.is_empty());
                prop_assert!(local.len().saturating_add(remote.len()) <= ALIAS_TARGETS_MAX);
                prop_assert!(local.iter().all(|target| account(target.account)));
                prop_assert!(local.iter().enumerate().all(|(i, t)| !local[..i].contains(t)));
                prop_assert!(remote.iter().enumerate().all(|(i, t)| !remote[..i].contains(t)));
                prop_assert!(remote.iter().all(|r| r.domain().is_some_and(|d| snapshot.domain(d).is_none())));
            }
            other => {
                prop_assert_eq!(matches!(other, Resolution::NotLocal), text.ends_with("far.test"));
                prop_assert_eq!(other, snapshot.resolve(&shouted), "case makes no difference");
            }
        }
    }

    #[test]
    fn an_enabled_account_always_gets_its_own_mail_and_alone(snapshot in snapshot()) {
        for account in snapshot.accounts(None) {
            let domain = account.address.domain().and_then(|d| snapshot.domain(d)).unwrap();
            let resolution = snapshot.resolve(&account.address);
            if account.record.enabled && domain.enabled {
                let alone = matches!(&resolution, Resolution::Deliver { local, remote }
                    if remote.is_empty() && local.len() == 1 && local[0].account == account.record.id);
                prop_assert!(alone, "{:?}", resolution);
            } else {
                prop_assert_eq!(resolution, Resolution::Disabled);
            }
        }
    }

    #[test]
    fn any_address_resolves_to_something(snapshot in snapshot(), text in "\\PC{1,30}@(one|far)\\.test") {
        if let Ok(address) = Address::parse(&text, true) {
            let _ = snapshot.resolve(&address);
        }
    }

    #[test]
    fn reading_plain_never_panics_and_loses_nothing(bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..60)) {
        if let Some((authorize, user, password)) = parse_sasl_plain(&bytes) {
            let again = [authorize.as_bytes(), user.as_bytes(), password].join(&0u8);
            prop_assert_eq!(again, bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Attacks C8: noise in any mechanism, in any number of messages, makes no login and no panic.
    #[test]
    fn noise_never_logs_in(
        mechanism in prop::sample::select(vec!["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]),
        messages in prop::collection::vec(prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "n,,n=alice,r=[a-z]{1,9}".prop_map(String::into_bytes),
            "p=tls-exporter,,n=alice,r=[a-z]{1,9}".prop_map(String::into_bytes),
            "c=biws,r=[a-z]{1,9},p=[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes),
            "\0alice\0[a-z]{1,9}".prop_map(String::into_bytes),
            Just(b"alice".to_vec()),
        ]), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let logged_in = runtime.block_on(async {
            let house = House::new(&["example.test"]).await;
            house.user_with_password("alice@example.test").await;
            let mut sasl = house.auth.begin(mechanism, Some(&tls13()), &peer()).unwrap();
            for message in &messages {
                if let Ok(SaslStep::Done(_)) = sasl.step(message.as_deref()).await {
                    return true;
                }
            }
            false
        });
        prop_assert!(!logged_in || messages.iter().flatten().any(|m| m.ends_with(PASSWORD.as_bytes())));
    }
}

/// The fake is what the properties stand on: a name given twice is damage and not a coin toss.
#[tokio::test]
async fn two_records_of_one_name_are_damage() {
    let store = FakeStore::new();
    let house = crate::Directory::open(store.clone()).await.unwrap();
    house.add_domain("one.test".parse().unwrap()).await.unwrap();
    let twice = store.change(|tables| {
        for _ in 0..2 {
            tables.aliases.push(AliasRecord {
                domain: tables.domains[0].id,
                local: "a".to_owned(),
                targets: vec!["x@far.test".to_owned()],
                created: Timestamp(0),
            });
        }
        Ok(())
    });
    twice.unwrap();
    assert!(house.refresh().await.is_err());
}
