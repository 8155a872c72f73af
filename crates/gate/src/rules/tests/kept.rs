//! Rules that are made at run time.

use super::*;
use crate::rules::kept::{KeptRules, NewRule, RulePlace, RulesError};
use mailward_core::Timestamp;
use mailward_core::limits::{RULE_COMMENT_MAX, RULES_MAX, RULES_STEP};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{LocalStore, Options, ShelfStore as _};
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

struct House {
    store: Arc<LocalStore>,
    rules: Arc<KeptRules>,
    dir: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let rules = KeptRules::open(store.clone(), book(&["192.0.2.0/24 refuse"])).await.unwrap();
        Self { store, rules, dir }
    }
    async fn again(self) -> Self {
        let Self { store, rules, dir } = self;
        store.close().await;
        drop((store, rules));
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let rules = KeptRules::open(store.clone(), book(&["192.0.2.0/24 refuse"])).await.unwrap();
        Self { store, rules, dir }
    }
    async fn add(&self, text: &str, place: RulePlace) -> Result<u32, RulesError> {
        Ok(self.rules.add(vec![new(text)], place, "root", NOW).await?[0].id)
    }
    async fn texts(&self) -> Vec<String> {
        self.rules.list().await.into_iter().map(|kept| format!("{} {}", kept.id, kept.rule)).collect()
    }
    async fn records(&self) -> usize {
        self.store.shelf(Shelf::Rules, None, 10_000).await.unwrap().len()
    }
}

fn new(text: &str) -> NewRule {
    NewRule { rule: Rule::parse(text).unwrap(), comment: "as a test".to_owned() }
}

#[tokio::test]
async fn a_rule_is_in_force_when_it_is_made_and_gone_when_it_is_removed() {
    let house = House::new().await;
    assert_eq!(action(house.rules.book(), "192.0.2.7"), "refuse");
    let id = house.add("192.0.2.7 skip", RulePlace::Last).await.unwrap();
    assert_eq!(action(house.rules.book(), "192.0.2.7"), "skip", "before those of the file");
    house.rules.remove(id).await.unwrap();
    assert_eq!(action(house.rules.book(), "192.0.2.7"), "refuse");
    assert!(matches!(house.rules.remove(id).await, Err(RulesError::Unknown(1))));
}

#[tokio::test]
async fn rules_stand_where_they_were_put_and_still_do_after_a_restart() {
    let house = House::new().await;
    house.add("192.0.2.1 allow", RulePlace::Last).await.unwrap();
    house.add("192.0.2.2 allow", RulePlace::Last).await.unwrap();
    house.add("192.0.2.3 allow", RulePlace::First).await.unwrap();
    house.add("192.0.2.4 allow", RulePlace::Before(2)).await.unwrap();
    house.add("192.0.2.5 allow", RulePlace::After(1)).await.unwrap();
    let order =
        ["3 192.0.2.3 allow", "1 192.0.2.1 allow", "5 192.0.2.5 allow", "4 192.0.2.4 allow", "2 192.0.2.2 allow"];
    assert_eq!(house.texts().await, order);
    let house = house.again().await;
    assert_eq!(house.texts().await, order);
    house.rules.move_to(2, RulePlace::First).await.unwrap();
    house.rules.move_to(3, RulePlace::After(4)).await.unwrap();
    assert!(matches!(house.rules.move_to(3, RulePlace::After(3)).await, Err(RulesError::Itself)));
    assert!(matches!(house.rules.move_to(3, RulePlace::After(9)).await, Err(RulesError::Unknown(9))));
    let house = house.again().await;
    let order =
        ["2 192.0.2.2 allow", "1 192.0.2.1 allow", "5 192.0.2.5 allow", "4 192.0.2.4 allow", "3 192.0.2.3 allow"];
    assert_eq!(house.texts().await, order);
    house.rules.remove(5).await.unwrap();
    assert_eq!(house.add("192.0.2.9 allow", RulePlace::Last).await.unwrap(), 6, "no number is given twice");
    assert_eq!(house.records().await, 6, "five rules and their order: what is removed is gone");
    assert_eq!(house.rules.list().await[0].by, "root");
}

#[tokio::test]
async fn the_same_rule_isn_t_made_twice_and_of_many_all_or_none_are() {
    let house = House::new().await;
    house.add("192.0.2.1 allow", RulePlace::Last).await.unwrap();
    let many = vec![new("192.0.2.2 allow"), new("192.0.2.1/32 allow")];
    assert!(matches!(house.rules.add(many, RulePlace::Last, "root", NOW).await, Err(RulesError::Exists(1))));
    let many = vec![new("192.0.2.2 allow"), new("192.0.2.2 allow")];
    assert!(house.rules.add(many, RulePlace::Last, "root", NOW).await.is_err());
    assert_eq!(house.texts().await, ["1 192.0.2.1 allow"]);
    let long = NewRule { comment: "x".repeat(RULE_COMMENT_MAX + 1), ..new("192.0.2.2 allow") };
    assert!(matches!(house.rules.add(vec![long], RulePlace::Last, "root", NOW).await, Err(RulesError::Comment)));
    let sly = NewRule { comment: "x\ny".to_owned(), ..new("192.0.2.2 allow") };
    assert!(matches!(house.rules.add(vec![sly], RulePlace::Last, "root", NOW).await, Err(RulesError::Comment)));
}

#[tokio::test]
async fn as_many_rules_as_there_may_be_are_made_in_one_go_and_no_more() {
    let house = House::new().await;
    let rule = |n: usize| new(&format!("any from @s{n}.example refuse"));
    let most: Vec<NewRule> = (0..RULES_MAX).map(rule).collect();
    house.rules.add(most, RulePlace::Last, "root", NOW).await.unwrap();
    assert!(matches!(house.add("192.0.2.1 allow", RulePlace::Last).await, Err(RulesError::Full)));
    let house = house.again().await;
    assert_eq!(house.texts().await.len(), RULES_MAX);
    let client = Client { ip: ip("198.51.100.1"), listener: Listener::Smtp, name: Name::None };
    assert!(house.rules.book().of(&client, Some(Some(&address("x@s9999.example"))), None).is_refused());
}

#[tokio::test]
async fn what_a_change_left_that_was_cut_off_is_no_rule_and_goes() {
    let house = House::new().await;
    house.add("192.0.2.1 allow", RulePlace::Last).await.unwrap();
    let record = house.store.shelved(Shelf::Rules, "rule/0000000001".to_owned()).await.unwrap().unwrap();
    let cut_off =
        |id: usize| ShelfChange::Put(Shelf::Rules, Shelved { key: format!("rule/{id:010}"), ..record.clone() });
    house.store.change_shelf((2..=RULES_STEP).map(cut_off).collect()).await.unwrap();
    let house = house.again().await;
    assert_eq!(house.texts().await, ["1 192.0.2.1 allow"]);
    assert_eq!(house.add("192.0.2.2 refuse", RulePlace::Last).await.unwrap(), 2);
    assert_eq!(house.records().await, 3);
    let house = house.again().await;
    assert_eq!(house.texts().await, ["1 192.0.2.1 allow", "2 192.0.2.2 refuse"]);
}

#[tokio::test]
async fn rules_that_can_t_be_read_are_told_and_not_left_out() {
    for (key, value) in [("rule/0000000001", "{\"rule\":\"any fly\"}"), ("order", "abc"), ("else", "")] {
        let house = House::new().await;
        house.add("192.0.2.1 allow", RulePlace::Last).await.unwrap();
        let odd = Shelved { key: key.to_owned(), value: value.into(), expires: None };
        house.store.change_shelf(vec![ShelfChange::Put(Shelf::Rules, odd)]).await.unwrap();
        let read = KeptRules::open(house.store.clone(), RuleBook::default()).await;
        assert!(matches!(read, Err(RulesError::Damaged(_))), "{key}");
    }
}
