//! Rules that are made at run time.

use super::*;
use mailward_store::kept::{KeptPlace, New};
use mailward_store::records::Shelf;
use mailward_store::{LocalStore, Options, ShelfStore as _};

async fn open(dir: &std::path::Path) -> (Arc<LocalStore>, Arc<KeptContent>) {
    let store = LocalStore::open(dir, Options::default()).unwrap();
    let kept = KeptContent::open(store.clone(), with_defaults(&["ext=exe reject"])).await.unwrap();
    (store, kept)
}

fn new(text: &str) -> Vec<New<Rule>> {
    vec![New { rule: rule(text), comment: "as a test".to_owned() }]
}

#[tokio::test]
async fn an_exception_is_in_force_when_it_is_made_is_kept_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (store, kept) = open(dir.path()).await;
    let program = || vec![file("a.exe", Kind::Pe)];
    assert_eq!(action(kept.book(), &plain(), program()), Action::Reject);
    let line = "for=joe@example.org ext=exe deliver until=2027-01-31";
    let made = kept.add(new(line), KeptPlace::Last, "root", NOW).await.unwrap();
    assert_eq!(action(kept.book(), &plain(), program()), Action::Deliver);
    drop(kept);
    store.close().await;
    drop(store);
    let (store, kept) = open(dir.path()).await;
    assert_eq!(kept.list().await, made);
    let verdict = judge(kept.book(), &plain(), program());
    assert_eq!((verdict.action_for(0), verdict.action_for(1)), (Action::Deliver, Action::Reject));
    let february = Subject { now: Timestamp::of_day("2027-02-01").unwrap(), ..plain() };
    assert_eq!(action(kept.book(), &february, program()), Action::Reject);
    // It is shown for a month, then goes when another comes.
    for (ext, day) in [("q1", "2027-02-20"), ("q2", "2027-03-10")] {
        kept.add(new(&format!("ext={ext} mark")), KeptPlace::First, "root", Timestamp::of_day(day).unwrap())
            .await
            .unwrap();
        assert_eq!(kept.list().await.len(), 2, "{day}");
    }
    assert_eq!(store.shelf(Shelf::Attachments, None, 100).await.unwrap().len(), 3);
    store.close().await;
}

#[tokio::test]
async fn what_can_not_be_followed_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let (store, kept) = open(dir.path()).await;
    let add = |line: &str| kept.add(new(line), KeptPlace::Last, "root", NOW);
    assert!(
        matches!(add("text=dictionary:names hold").await, Err(ContentRulesError::Dictionary(name)) if name == "names")
    );
    assert!(matches!(add("ext=a mark until=2026-12-31").await, Err(ContentRulesError::Expired(_))));
    add("ext=a mark").await.unwrap();
    assert!(matches!(add("ext=a mark").await, Err(ContentRulesError::Exists(1))));
    assert!(matches!(kept.remove(7).await, Err(ContentRulesError::Unknown(7))));
    kept.remove(1).await.unwrap();
    assert_eq!(kept.list().await, []);
    store.close().await;
}

#[tokio::test]
async fn a_rule_whose_dictionary_went_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (store, kept) = open(dir.path()).await;
    let names = || Dictionaries::from([("names".to_owned(), Dictionary::parse(b"joe").unwrap())]);
    kept.book().set(&config(&[]), names()).unwrap();
    kept.add(new("text=dictionary:names hold"), KeptPlace::Last, "root", NOW).await.unwrap();
    assert_eq!(action(kept.book(), &plain(), vec![written("Joe")]), Action::Hold);
    assert_eq!(kept.book().lacks(&names()), None);
    assert_eq!(kept.book().lacks(&Dictionaries::new()), Some((Source::Kept(1), "names".to_owned())));
    store.close().await;
}

#[tokio::test]
async fn as_many_rules_as_there_may_be_and_no_more() {
    use mailward_core::limits::CONTENT_RULES_MAX;
    let dir = tempfile::tempdir().unwrap();
    let (store, kept) = open(dir.path()).await;
    let many = |count: usize| (0..count).flat_map(|n| new(&format!("ext=x{n} mark"))).collect::<Vec<_>>();
    assert!(matches!(
        kept.add(many(CONTENT_RULES_MAX + 1), KeptPlace::Last, "root", NOW).await,
        Err(ContentRulesError::Full)
    ));
    kept.add(many(CONTENT_RULES_MAX), KeptPlace::Last, "root", NOW).await.unwrap();
    assert_eq!(action(kept.book(), &plain(), vec![file("a.x1999", Kind::Data)]), Action::Mark);
    store.close().await;
}
