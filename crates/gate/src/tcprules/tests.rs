//! Stories about files of tcprules, and the translation against what tcpserver does.

use super::*;
use crate::rules::{Client, Name, RuleBook};
use mailward_core::{Domain, Listener};
use proptest::prelude::*;

fn smtp() -> Listeners {
    Listeners::of(&[Listener::Smtp])
}

fn became(text: &str) -> Vec<String> {
    let done = translate(text.as_bytes(), smtp()).unwrap();
    done.rules.iter().map(|became| became.rule.to_string().replace(" at smtp", "")).collect()
}

fn left(text: &str) -> Vec<String> {
    let done = translate(text.as_bytes(), smtp()).unwrap();
    done.left.iter().map(|left| format!("{}: {}", left.line, left.why)).collect()
}

#[test]
fn a_usual_file_becomes_what_it_means() {
    let text = "# who may relay\n127.:allow,RELAYCLIENT=\"\"\n192.168.1.:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\n\
                10.0.0.7:deny\n203.0.113.:allow,RBLSMTPD=\"-go away\"\n198.51.100.9:allow,RBLSMTPD=''\n:allow\n";
    assert_eq!(
        became(text),
        [
            "10.0.0.7 refuse",
            "198.51.100.9 skip",
            "192.168.1.0/24 relay",
            "203.0.113.0/24 refuse \"go away\"",
            "127.0.0.0/8 relay",
        ],
        "the most specific first, whatever the order of the lines"
    );
    assert_eq!(left(text), ["7: is what happens without a rule"]);
}

#[test]
fn ranges_become_networks() {
    assert_eq!(became("1.2.3.4-9:deny"), ["1.2.3.4/30 refuse", "1.2.3.8/31 refuse"]);
    assert_eq!(became("10.0-255.:deny"), ["10.0.0.0/8 refuse"]);
    assert_eq!(became("1.2-3.:deny"), ["1.2.0.0/15 refuse"]);
    assert_eq!(became("1-2.:deny"), ["1.0.0.0/8 refuse", "2.0.0.0/8 refuse"]);
    assert_eq!(became("1.2.3.9-4:deny"), [""; 0], "none at all, as there");
    assert_eq!(became("1.2.3.250-999:deny"), ["1.2.3.250/31 refuse", "1.2.3.252/30 refuse"]);
    assert_eq!(became("1.2.3.5:allow\n1.2.3.4-7:deny"), ["1.2.3.5 allow", "1.2.3.4 refuse", "1.2.3.6/31 refuse"]);
}

#[test]
fn hosts_stand_where_tcpserver_asks_for_them() {
    let text =
        ":deny\n=:allow\n=.example.net:deny\n1.2.:allow\n=.a.example.net:allow\n=mx.a.example.net:deny\n1.2.3.4:deny\n";
    assert_eq!(
        became(text),
        [
            "1.2.3.4 refuse",
            "mx.a.example.net refuse",
            "1.2.0.0/16 allow",
            "*.a.example.net allow",
            "*.example.net refuse",
            "unnamed refuse",
            "any allow",
        ]
    );
    assert_eq!(became("=:deny"), ["unnamed allow", "any refuse"]);
}

#[test]
fn what_has_no_equal_is_told_and_gives_no_rights() {
    let text = "=mx.example.net:allow,RELAYCLIENT=\"\"\n:allow,RELAYCLIENT=\"\"\n1.2.3.4:allow,RELAYCLIENT=\"@fix.me\"\n\
                joe@1.2.3.4:deny\n1.2.3:deny\n1.2.3.04:deny\n1.2.3.4:deny\n5.6.7.8:allow,QMAILQUEUE=\"/bin/x\",QMAILQUEUE=\"y\",DATABYTES=\"5\"\n\
                =localhost:deny\n";
    assert_eq!(became(text), ["1.2.3.4 allow", "5.6.7.8 allow", "mx.example.net allow", "any allow"]);
    assert_eq!(
        left(text),
        [
            "1: relay is for addresses and networks only: whoever owns an address can give it any name",
            "2: relay is for addresses and networks only: whoever owns an address can give it any name",
            "3: a RELAYCLIENT that is written behind every recipient has no equal: they may not relay",
            "4: what a client's ident says isn't asked here",
            "5: isn't written as tcpserver writes addresses: it never fits",
            "6: isn't written as tcpserver writes addresses: it never fits",
            "7: a line before it has the same address: tcpserver never comes here",
            "8: QMAILQUEUE, DATABYTES has no equal",
            "9: is no name that a host in the DNS can have",
        ]
    );
}

#[test]
fn where_no_names_are_looked_up_hosts_have_no_equal_and_nobody_gains_by_it() {
    let at = Listeners::of(&[Listener::Pop3, Listener::Pop3s]);
    let done = translate(b"=.a.example:deny\n=:allow\n1.2.:allow,RELAYCLIENT=''\n:deny\n", at).unwrap();
    let rules: Vec<String> = done.rules.iter().map(|became| became.rule.to_string()).collect();
    assert_eq!(rules, ["1.2.0.0/16 at pop3,pop3s allow", "any at pop3,pop3s refuse"]);
    let left: Vec<(usize, &str)> = done.left.iter().map(|left| (left.line, left.why.as_str())).collect();
    let names = "names aren't looked up at pop3: write addresses or networks";
    assert_eq!(left, [(1, names), (2, names), (3, "relay is for the listener smtp: users log in at the others")]);
}

#[test]
fn what_tcprules_doesn_t_take_is_no_file() {
    for (text, what) in [
        (":maybe", "neither allow nor deny"),
        (":allow,X", "has no value"),
        (":allow,X=", "has no value"),
        (":allow,X=\"y", "isn't closed"),
        (":allow;", "a comma is missing"),
        ("1.2.3.x-5:deny", "isn't made of numbers"),
        ("1.2.3.4:deny\r\n:allow\x07", "control characters"),
    ] {
        let error = translate(text.as_bytes(), smtp()).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("line "), "{text:?}: {error}");
    }
    assert!(translate(b"\xff:deny", smtp()).is_err());
    assert!(translate(b"no colon\n\n#:x\n", smtp()).unwrap().rules.is_empty());
}

#[test]
fn files_end_at_their_limits() {
    let line = |bytes: usize| format!("#{}", "x".repeat(bytes - 1));
    assert!(translate(line(MIGRATE_LINE_MAX).as_bytes(), smtp()).is_ok());
    assert_eq!(translate(line(MIGRATE_LINE_MAX + 1).as_bytes(), smtp()), Err(TcprulesError::TooLarge));
    assert!(translate("\n".repeat(MIGRATE_LINES_MAX - 1).as_bytes(), smtp()).is_ok());
    assert_eq!(translate("\n".repeat(MIGRATE_LINES_MAX).as_bytes(), smtp()), Err(TcprulesError::TooLarge));
    assert_eq!(translate(&vec![b'#'; MIGRATE_FILE_MAX + 1], smtp()), Err(TcprulesError::TooLarge));
    let rules =
        |count: usize| (0..count).fold(String::new(), |all, n| format!("{all}1.{}.{}.7:deny\n", n / 256, n % 256));
    assert_eq!(translate(rules(RULES_MAX).as_bytes(), smtp()).unwrap().rules.len(), RULES_MAX);
    assert_eq!(translate(rules(RULES_MAX + 1).as_bytes(), smtp()), Err(TcprulesError::TooMany));
}

/// What tcpserver does, word for word: keys in the order of its manual, the first record of each.
fn tcpserver(lines: &[(String, String)], ip: [u8; 4], host: Option<&str>) -> String {
    let [a, b, c, d] = ip;
    let mut keys = vec![format!("{a}.{b}.{c}.{d}")];
    keys.extend(host.map(|host| format!("={host}")));
    keys.extend([format!("{a}.{b}.{c}."), format!("{a}.{b}."), format!("{a}.")]);
    if let Some(host) = host {
        keys.extend(host.match_indices('.').filter_map(|(at, _)| host.get(at..)).map(|behind| format!("={behind}")));
        keys.push("=".to_owned());
    }
    keys.push(String::new());
    let found = keys.iter().find_map(|key| lines.iter().find(|(known, _)| known == key));
    found.map_or_else(|| "allow".to_owned(), |(_, does)| does.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_first_rule_that_fits_says_what_tcpserver_would_do(
        lines in proptest::collection::vec((
            prop_oneof!["1\\.[12]\\.[12]\\.[1-3]", "1\\.[12]\\.[12]\\.", "1\\.[12]\\.", "1\\.", Just(String::new()), "=\\.?([ab]\\.)?c\\.example", Just("=".to_owned())],
            prop_oneof![Just(("allow", "allow")), Just(("deny", "refuse")), Just(("allow,RBLSMTPD=\"\"", "skip")), Just(("allow,RBLSMTPD=\"-no\"", "refuse \"no\""))],
        ), 0..10),
        ip in ([Just(1_u8)], 1_u8..3, 1_u8..3, 1_u8..5),
        host in proptest::option::of("([ab]\\.)?[cd]\\.example"),
    ) {
        let text: String = lines.iter().map(|(key, (does, _))| format!("{key}:{does}\n")).collect();
        let lines: Vec<(String, String)> = lines.into_iter().map(|(key, (_, means))| (key, means.to_owned())).collect();
        let rules: Vec<Rule> = translate(text.as_bytes(), smtp()).unwrap().rules.into_iter().map(|became| became.rule).collect();
        let book = RuleBook::new(&rules, &[]);
        let ip = [ip.0[0], ip.1, ip.2, ip.3];
        let domain = host.as_deref().map(|host| Domain::parse(host).unwrap());
        let client = Client { ip: Some(ip.into()), listener: Listener::Smtp, name: domain.as_ref().map_or(Name::None, Name::Confirmed) };
        prop_assert_eq!(book.of(&client, None, None).action().to_string(), tcpserver(&lines, ip, host.as_deref()), "{}", text);
    }

    #[test]
    fn nothing_makes_it_panic(text in "[-0-9.=@:,a-z\"\n]{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = translate(text.as_bytes(), Listeners::ALL);
        let _ = translate(&bytes, smtp());
    }
}
