//! Rules of qmail-scanner.

use super::super::defaults::NAMES;
use super::super::qmail_scanner::{QmailScannerError, translate};
use super::*;
use mailward_core::limits::{CONTENT_RULES_MAX, MIGRATE_FILE_MAX, MIGRATE_LINE_MAX, MIGRATE_LINES_MAX};
use proptest::prelude::*;

fn became(text: &str) -> Vec<String> {
    let done = translate(text.as_bytes()).unwrap();
    assert_eq!(done.left, [], "{text}");
    done.rules.into_iter().map(|became| became.rule.to_string()).collect()
}

fn one(line: &str) -> String {
    became(line).remove(0)
}

#[test]
fn each_type_of_rule_has_its_equal() {
    for (line, rule) in [
        ("message/partial\tVirus-Content-Type:\tpartial", "type=message/partial quarantine \"partial\""),
        ("message/partial.*\tVirus-Content-Type\tpartial", "type=message/partial quarantine \"partial\""),
        (
            "multipart/(x|y)\tVirus-Content-Type:\ta",
            "header=content-type:/^(?:multipart/(x|y))(?:\\s*;.*)?$/ quarantine \"a\"",
        ),
        (
            ".{100,}\tVirus-Date:\tMIME Header Buffer Overflow",
            "long=date:100 quarantine \"MIME Header Buffer Overflow\"",
        ),
        (".{100,}\tVirus-Mime-Version:\ta", "long=mime-version:100 quarantine \"a\""),
        (".{100,}\tVirus-Resent-Date:\ta", "long=resent-date:100 quarantine \"a\""),
        (".*@sex.example\tVirus-MAILFROM:\tSpam Mail", "from=@sex.example quarantine \"Spam Mail\""),
        ("joe\\@a\\.example\tVirus-MAILFROM:\ta", "from=joe@a.example quarantine \"a\""),
        ("(joe|ann)@a.*\tVirus-MAILFROM:\ta", "sender=/^(?:(joe|ann)@a.*)$/ quarantine \"a\""),
        (".* sex.*\tVirus-Subject:\tSpam Mail", "subject=\"/^(?:.* sex.*)$/\" quarantine \"Spam Mail\""),
        ("* sex.*\tVirus-Subject:\tSpam Mail", "subject=\"/^(?:.* sex.*)$/\" quarantine \"Spam Mail\""),
        ("205.158.62.24\tVirus-TCPREMOTEIP:\ta", "client=205.158.62.24 quarantine \"a\""),
        ("205\\.158\\..*\tVirus-TCPREMOTEIP:\ta", "client=205.158.0.0/16 quarantine \"a\""),
        (".*@play.example\tVirus-To:\ta", "header=to:/^(?:.*@play.example)$/ quarantine \"a\""),
        (".*@play.example\tVirus-RCPTTO:\ta", "to=@play.example quarantine \"a\""),
        (".exe\t0\tExecutable File (.exe)", "ext=exe quarantine \"Executable File (.exe)\""),
        ("Happy99.exe\t10000\tHappy99 Trojan", "name=happy99.exe size=10000 quarantine \"Happy99 Trojan\""),
        (".tar.gz\t0\t", "name=*.tar.gz quarantine"),
        ("a, b.doc\t5\tx", "name=\"a? b.doc\" size=5 quarantine \"x\""),
        ("x.*\tVirus-X-Mailer:\ta", "header=x-mailer:/^(?:x.*)$/ quarantine \"a\""),
    ] {
        assert_eq!(one(line), rule, "{line}");
    }
}

#[test]
fn each_type_of_rule_does_what_it_did() {
    let book = |line: &str| only(&[&one(line)]);
    let holds =
        |line: &str, subject: &Subject, items: Vec<Item>| action(&book(line), subject, items) == Action::Quarantine;
    let long = |field: &str, bytes: usize| subject(&format!("{field}: {}", "x".repeat(bytes)));
    for field in ["Date", "Mime-Version", "Resent-Date"] {
        let line = format!(".{{100,}}\tVirus-{field}:\ta");
        assert!(holds(&line, &long(field, 100), Vec::new()) && !holds(&line, &long(field, 99), Vec::new()));
    }
    let partial = subject("Content-Type: Message/Partial; id=a; number=1");
    assert!(holds("message/partial\tVirus-Content-Type:\ta", &partial, Vec::new()));
    let typed = "application/x-(a|b)\tVirus-Content-Type:\ta";
    assert!(holds(typed, &subject("Content-Type: application/x-B; name=q"), Vec::new()));
    assert!(!holds(typed, &subject("Content-Type: application/x-c"), Vec::new()));
    assert!(holds(".*@a.example\tVirus-MAILFROM:\ta", &plain(), Vec::new()));
    assert!(holds("[xyz]@.*\tVirus-MAILFROM:\ta", &plain(), Vec::new()));
    assert!(!holds("[abc]@.*\tVirus-MAILFROM:\ta", &plain(), Vec::new()));
    assert!(holds(".*HELL.*\tVirus-Subject:\ta", &plain(), Vec::new()));
    assert!(!holds("hell\tVirus-Subject:\ta", &plain(), Vec::new()), "all of the subject");
    assert!(holds("192.0.2.7\tVirus-TCPREMOTEIP:\ta", &plain(), Vec::new()));
    assert!(!holds("192.0.2.8\tVirus-TCPREMOTEIP:\ta", &plain(), Vec::new()));
    assert!(holds(".*list@.*\tVirus-To:\ta", &subject("To: The List <list@a.example>"), Vec::new()));
    assert!(holds(
        "ann@example.net\tVirus-RCPTTO:\ta",
        &Subject { recipients: plain().recipients[1..].into(), ..plain() },
        Vec::new()
    ));
    assert!(holds(".vbs\t0\ta", &plain(), vec![file("LOVE.TXT.VBS", Kind::Data)]));
    assert!(holds("love.txt\t1000\ta", &plain(), vec![file("Love.txt", Kind::Data)]));
    assert!(!holds("love.txt\t1001\ta", &plain(), vec![file("Love.txt", Kind::Data)]));
}

#[test]
fn the_recommended_list_comes_over_whole_also_where_tabs_became_blanks() {
    let tabs: String = NAMES.iter().map(|(ext, what)| format!(".{ext}\t0\t{what}\n")).collect();
    assert_eq!(became(&tabs).len(), NAMES.len());
    assert_eq!(became(&tabs.replace('\t', " ")), became(&tabs));
    assert_eq!(
        one("message/partial Virus-Content-Type Message/partial MIME"),
        "type=message/partial quarantine \"Message/partial MIME\""
    );
}

#[test]
fn what_has_no_equal_is_told() {
    for (line, why) in [
        ("nonsense", "isn't a pattern, a size or type"),
        (".exe\tbig\tx", "neither a size nor Virus-"),
        ("a(\tVirus-Subject:\tx", "unclosed group"),
        ("(?=a)b\tVirus-Subject:\tx", "look-around"),
        ("10\\.[0-9]+\\..*\tVirus-TCPREMOTEIP:\tx", "client=192.0.2.0/24"),
        ("(a|b)@c.example\tVirus-RCPTTO:\tx", "to=@domain"),
        ("a\tVirus-:\tx", "names no field"),
    ] {
        let done = translate(line.as_bytes()).unwrap();
        assert_eq!(done.rules, [], "{line}");
        assert!(done.left[0].why.contains(why) && done.left[0].source == line, "{done:?}");
    }
    let done = translate(b"# a comment\n\n.exe\t0\tx\r\n.exe\t0\tx\n").unwrap();
    assert_eq!((done.rules.len(), done.rules[0].line, done.left[0].line), (1, 3, 4));
}

#[test]
fn a_file_ends_at_its_limits() {
    assert_eq!(translate(&vec![b'#'; MIGRATE_FILE_MAX + 1]), Err(QmailScannerError::TooLarge));
    assert_eq!(translate(&vec![b'#'; MIGRATE_LINE_MAX + 1]), Err(QmailScannerError::TooLarge));
    assert_eq!(translate(&vec![b'\n'; MIGRATE_LINES_MAX]), Err(QmailScannerError::TooLarge));
    let many = |count: usize| (0..count).map(|n| format!(".x{n}\t0\ta\n")).collect::<String>();
    assert_eq!(translate(many(CONTENT_RULES_MAX).as_bytes()).unwrap().rules.len(), CONTENT_RULES_MAX);
    assert_eq!(translate(many(CONTENT_RULES_MAX + 1).as_bytes()), Err(QmailScannerError::TooMany));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "([.a-z*\\\\^(){}@,0-9 ]{0,12}\t(0|5|Virus-[A-Za-z:]{0,12})\t\\PC{0,20}\n){0,4}") {
        let done = translate(text.as_bytes()).unwrap();
        for became in done.rules {
            prop_assert_eq!(Rule::parse(&became.rule.to_string()), Ok(became.rule));
        }
    }
}
