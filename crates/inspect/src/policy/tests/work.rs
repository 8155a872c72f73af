//! Work has an end.

use super::*;
use mailward_core::limits::{CONTENT_FILE_MAX, CONTENT_STEPS_MAX, SCAN_ITEMS_MAX};

#[test]
fn ten_thousand_files_are_judged_by_the_defaults_and_more_work_than_there_may_be_is_never_clean() {
    let items: Vec<Item> = (0..SCAN_ITEMS_MAX).map(|n| file(&format!("{n}.txt"), Kind::PlainText)).collect();
    assert_eq!(judge(&with_defaults(&[]), &plain(), items.clone()).findings, []);
    let many: Vec<String> = (0..CONTENT_FILE_MAX).map(|n| format!("larger={} within=zip mark", n + 9_999)).collect();
    let book = with_defaults(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let found = judge(&book, &plain(), items);
    assert!(u64::try_from(SCAN_ITEMS_MAX * CONTENT_FILE_MAX).unwrap() > CONTENT_STEPS_MAX);
    assert_eq!((found.findings[0].rule.as_str(), found.action_for(0)), ("unjudged", Action::Quarantine));
}

/// Attacks E2.
#[test]
fn a_pattern_that_other_engines_never_end_on_ends() {
    let book = only(&["text=/(a+)+$/ mark", "text=/(a|a)*b/ junk", "name=*a*a*a*a*a*a*b reject"]);
    let text = "a".repeat(256 * 1024) + "!";
    let found = judge(&book, &plain(), vec![Item { text, ..file(&"a".repeat(512), Kind::PlainText) }]);
    assert_eq!(found.action_for(0), Action::Deliver);
}

#[test]
fn a_rule_that_is_found_by_name_or_kind_is_asked_of_no_other_file() {
    let many: Vec<String> = (0..CONTENT_FILE_MAX).map(|n| format!("name=*x{n}.e{n} mark")).collect();
    let book = only(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let items: Vec<Item> = (0..SCAN_ITEMS_MAX).map(|n| file(&format!("x{n}.e{n}"), Kind::Data)).collect();
    let found = judge(&book, &plain(), items);
    assert_eq!(found.findings.len(), CONTENT_FILE_MAX, "each finds its file, and nothing is left undone");
}

#[test]
fn the_longest_list_of_recipients_is_told_apart() {
    let recipients: Vec<Recipient> = (0..1_000)
        .map(|n| Recipient {
            address: Some(address(&format!("u{n}@d{}.example", n % 2))),
            accounts: vec![AccountId(n)],
        })
        .collect();
    let subject = Subject { recipients: recipients.into(), ..plain() };
    let found = judge(&only(&["for=@d1.example ext=exe reject"]), &subject, vec![file("a.exe", Kind::Pe)]);
    assert_eq!(found.findings[0].only.as_ref().unwrap().len(), 500);
    assert_eq!((found.action_for(998), found.action_for(999)), (Action::Deliver, Action::Reject));
}
