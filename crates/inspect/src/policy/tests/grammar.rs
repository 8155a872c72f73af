//! Lines that are rules, and lines that aren't.

use super::*;
use mailward_core::limits::{
    CONTENT_AT_LEAST_MAX, CONTENT_CONDITIONS_MAX, CONTENT_LINE_MAX, CONTENT_REASON_MAX, CONTENT_VALUES_MAX,
};
use proptest::prelude::*;

#[test]
fn a_rule_is_read_and_written_the_same() {
    for text in [
        "ext=exe,scr quarantine",
        "name=*.doc,\u{e4}*.pdf kind!=pdf mark \"odd, \\\"isn't it\\\"\" as=odd",
        "name=\"a b*.exe\" reject",
        "direction=outgoing,internal for=@example.org,joe@example.net text=detect:card hold \"cards\" at-least=3",
        "from=x@a.example has=macro deliver until=2027-01-31 unproven",
        "from=<> to=@*.example client=192.0.2.7,2001:db8::/32,local junk",
        "subject=/a\\d+|b/ warn",
        "subject=\"/a \\\"b\\\"/\" warn",
        "header=\"x-mailer:odd one\" mark",
        "long=date:100 quarantine",
        "type=message/partial within=top,zip,archive size=5 larger=4 smaller=6 message-larger=9 mark",
        "text=dictionary:projects anywhere=detect:iban stopped=any,lost hold",
    ] {
        let read = Rule::parse(text).map(|rule| rule.to_string());
        assert_eq!(read.as_deref(), Ok(text));
    }
    assert_eq!(rule("ext=.EXE,exe  larger=20MiB  hold").to_string(), "ext=exe larger=20971520 hold");
}

#[test]
fn what_isn_t_understood_is_told_with_what_to_write() {
    for (text, words) in [
        ("", "CONDITION... ACTION"),
        ("ext=exe", "what is done isn't said"),
        ("quarantine", "is about all mail"),
        ("exe quarantine", "\"exe\" is neither a condition"),
        ("extension=exe mark", "\"extension\" is no condition: there are direction"),
        ("ext=exe defer", "\"defer\" is neither"),
        ("ext=exe refuse", "neither a condition (such as ext=exe) nor an action"),
        ("ext=*.exe mark", "what follows the last dot"),
        ("ext=exe, mark", "what follows the last dot"),
        ("kind=windows mark", "kind=\"windows\" isn't known; there are pe, dos"),
        ("family=programs mark", "there are executable, script"),
        ("has=macros mark", "there are encrypted"),
        ("stopped=never mark", "there are any, depth"),
        ("direction=out mark", "incoming, outgoing or internal"),
        ("from=example.org mark", "user@domain, @domain"),
        ("to=<> mark", "user@domain, @domain or @*.domain"),
        ("client=10.0.0.1/8 mark", "an address, a network"),
        ("larger=big mark", "with a unit: 20MiB"),
        ("long=date mark", "such as date:100"),
        ("long=date:0 mark", "such as date:100"),
        ("header=subject mark", "a colon, and what it has"),
        ("subject=/(/ mark", "unclosed group"),
        ("subject=/a mark", "between slashes"),
        ("subject=// mark", "between slashes"),
        ("subject=\"/(a{1000}){1000}{1000}/\" mark", "takes more than"),
        ("text=detect:names mark", "detect:card and detect:iban"),
        ("text=dictionary: mark", "no name of a dictionary"),
        ("text=\"  \" mark", "a word or a phrase"),
        ("ext=exe mark please", "\"please\" is no option"),
        ("ext=exe mark until=tomorrow", "until=2027-01-31"),
        ("ext=exe mark until=2027-02-30", "until=2027-01-31"),
        ("ext=exe mark as=a.b", "as=NAME"),
        ("ext=exe mark as=a as=b", "\"as\" stands there twice"),
        ("ext=exe mark at-least=3", "counts what sender="),
        ("text=a mark at-least=0", "counts what sender="),
        ("text=a mark at-least=+5", "counts what sender="),
        ("ext=exe deliver unproven", "for an exception of a sender"),
        ("from=a@b.example mark unproven", "for an exception of a sender"),
        ("ext=exe mark \"\"", "a reason has 1 to"),
        ("ext=exe mark \"a", "isn't closed"),
        ("ext=exe\tmark", "no control characters"),
    ] {
        let told = Rule::parse(text).expect_err(text).to_string();
        assert!(told.contains(words), "{text:?}: {told}");
    }
}

#[test]
fn lines_conditions_values_and_reasons_end_at_their_limits() {
    let padded = |bytes: usize| format!("ext=exe mark{}", " ".repeat(bytes - 12));
    assert!(Rule::parse(&padded(CONTENT_LINE_MAX)).is_ok());
    assert_eq!(Rule::parse(&padded(CONTENT_LINE_MAX + 1)), Err(RuleError::TooLong));
    let conditions = |count: usize| format!("{}mark", "ext=a ".repeat(count));
    assert!(Rule::parse(&conditions(CONTENT_CONDITIONS_MAX)).is_ok());
    assert_eq!(Rule::parse(&conditions(CONTENT_CONDITIONS_MAX + 1)), Err(RuleError::TooMany));
    let values =
        |count: usize| format!("ext={} mark", (0..count).map(|n| format!("x{n}")).collect::<Vec<_>>().join(","));
    assert!(Rule::parse(&values(CONTENT_VALUES_MAX)).is_ok());
    assert_eq!(Rule::parse(&values(CONTENT_VALUES_MAX + 1)), Err(RuleError::TooMany));
    let reason = |count: usize| format!("ext=a mark \"{}\"", "\u{fc}".repeat(count));
    assert!(Rule::parse(&reason(CONTENT_REASON_MAX)).is_ok());
    assert_eq!(Rule::parse(&reason(CONTENT_REASON_MAX + 1)), Err(RuleError::Reason));
    let least = |count: usize| format!("text=a mark at-least={count}");
    assert!(Rule::parse(&least(CONTENT_AT_LEAST_MAX)).is_ok());
    assert_eq!(Rule::parse(&least(CONTENT_AT_LEAST_MAX + 1)), Err(RuleError::AtLeast));
}

fn any_rule() -> impl Strategy<Value = String> {
    let condition = prop_oneof![
        "name!?=[a-z*?]{1,8}(,[a-z*.]{1,4})?",
        "ext=(exe|pdf|x1)",
        "kind!?=(pe|pdf|zip)",
        "family=(archive|script)",
        "has=(macro|encrypted)(,form)?",
        "(subject|text|anywhere)!?=(word|/a[bc]+/|\"two words\"|detect:iban|dictionary:d)",
        "(for|to|from)=(@a\\.example|x@b\\.example)",
        "(larger|smaller|size)=[0-9]{1,6}",
        "direction=(incoming|outgoing)",
    ];
    let action = "(deliver|mark|warn|junk|hold|quarantine|reject)( \"because [a-z]{1,5}\")?( as=n1)?( until=2027-0[1-9]-1[0-9])?";
    (proptest::collection::vec(condition, 1..4), action).prop_map(|(all, action)| format!("{} {action}", all.join(" ")))
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,200}") {
        if let Ok(rule) = Rule::parse(&text) {
            prop_assert_eq!(Rule::parse(&rule.to_string()), Ok(rule));
        }
    }
    #[test]
    fn what_is_written_reads_back_and_judges_without_a_panic(text in any_rule(), name in "\\PC{0,20}", words in "\\PC{0,60}") {
        let rule = Rule::parse(&text);
        prop_assert!(rule.is_ok(), "{text}: {rule:?}");
        let rule = rule.unwrap();
        prop_assert_eq!(Rule::parse(&rule.to_string()), Ok(rule.clone()));
        let book = Rulebook::default();
        book.set_kept(vec![Placed { source: Source::Kept(1), rule }]);
        let item = Item { text: words, ..file(&name, Kind::Pe) };
        let findings = book.judge(&plain(), &holding(vec![item.clone(), within(0, item)]), &[]);
        prop_assert!(findings.len() <= book.all().len());
    }
}
