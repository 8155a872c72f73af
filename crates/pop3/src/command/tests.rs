use super::*;
use proptest::prelude::*;

#[test]
fn verbs_are_read_in_any_case() {
    for line in ["capa", "CAPA", "cApA", "CAPA "] {
        assert!(matches!(parse(line.as_bytes()), Ok(Command::Capa)), "{line}");
    }
    assert!(matches!(parse(b"TOP 3 99999999"), Ok(Command::Top(3, 99_999_999))));
    assert!(matches!(parse(b"list"), Ok(Command::List(None))));
    assert!(matches!(parse(b"uidl 7"), Ok(Command::Uidl(Some(7)))));
}

#[test]
fn a_password_keeps_its_spaces() {
    let Ok(Command::Pass(secret)) = parse(b"PASS  two  words ") else { panic!() };
    assert_eq!(secret.expose(), b" two  words ");
    let Ok(Command::Pass(secret)) = parse("PASS pässe".as_bytes()) else { panic!() };
    assert_eq!(secret.expose(), "pässe".as_bytes());
}

#[test]
fn numbers_past_any_mailbox_are_numbers_still() {
    assert!(matches!(parse(b"RETR 99999999999999999999999999"), Ok(Command::Retr(u32::MAX))));
    assert!(matches!(parse(b"TOP 1 99999999999999999999999999"), Ok(Command::Top(1, u64::MAX))));
    assert!(matches!(parse(b"RETR 0"), Ok(Command::Retr(0))));
}

#[test]
fn what_is_no_command_is_told_from_what_is_badly_written() {
    for unknown in [&b""[..], b" ", b"APOP a b", b"XTND", b"LOGIN", b"STATS", b"\xff\xfe", b"get / HTTP/1.1"] {
        assert_eq!(parse(unknown).err(), Some(CommandError::Unknown), "{unknown:?}");
    }
    for bad in [
        &b"RETR"[..],
        b"RETR one",
        b"RETR -1",
        b"RETR +1",
        b"RETR 1 2",
        b"TOP 1",
        b"TOP 1 2 3",
        b"DELE 0x1",
        b"LIST 1 2",
        b"STAT 1",
        b"USER",
        b"USER ",
        b"USER \xff",
        b"USER a\tb",
        b"PASS",
        b"PASS a\0b",
        b"AUTH",
        b"AUTH PLAIN AA",
        b"AUTH PLAIN = =",
        b"AUTH PL(AIN",
        b"AUTH PLAINPLAINPLAINPLAINPLAIN",
    ] {
        assert!(matches!(parse(bad), Err(CommandError::Usage(_))), "{bad:?}");
    }
}

#[test]
fn a_language_is_a_range_of_letters() {
    for (line, range) in [("LANG", None), ("lang ", None), ("LANG *", Some("*")), ("LANG en-GB", Some("en-gb"))] {
        let Ok(Command::Lang(asked)) = parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(asked.as_deref(), range, "{line}");
    }
    let i_default = parse(b"LANG i-default");
    assert!(matches!(i_default, Ok(Command::Lang(Some(tag))) if tag == "i-default"));
    for bad in [
        "LANG en de",
        "LANG e n",
        "LANG -",
        "LANG en-",
        "LANG -en",
        "LANG *-en",
        "LANG abcdefghi",
        "LANG e1",
        "LANG d\u{e4}",
    ] {
        assert_eq!(parse(bad.as_bytes()).err(), Some(CommandError::Usage("LANG [language]")), "{bad}");
    }
    assert!(matches!(parse(b"utf8"), Ok(Command::Utf8)));
    assert_eq!(parse(b"UTF8 USER").err(), Some(CommandError::Usage("UTF8")));
}

#[test]
fn a_browser_is_known_by_its_verb() {
    for line in [&b"GET / HTTP/1.1"[..], b"POST /x HTTP/1.1", b"OPTIONS *", b"CONNECT a:110 HTTP/1.1"] {
        assert_eq!(parse(line).err(), Some(CommandError::Http));
    }
}

#[test]
fn an_equals_sign_is_an_empty_initial_response() {
    let Ok(Command::Auth { mechanism, initial: Some(initial) }) = parse(b"auth plain =") else { panic!() };
    assert_eq!((mechanism.as_str(), initial.expose()), ("PLAIN", &b""[..]));
    assert!(matches!(parse(b"AUTH SCRAM-SHA-256"), Ok(Command::Auth { initial: None, .. })));
    assert!(matches!(sasl_response(b"*"), Ok(None)));
    assert!(matches!(sasl_response(b""), Ok(Some(_))));
    assert!(sasl_response(b"A===").is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&line);
        let _ = sasl_response(&line);
    }

    #[test]
    fn verbs_with_any_arguments_never_panic(
        verb in "(?i)CAPA|STLS|USER|PASS|AUTH|STAT|LIST|UIDL|RETR|TOP|DELE|RSET|NOOP|QUIT|UTF8|LANG",
        rest in "[ -~\\x00\u{e4}]{0,60}",
    ) {
        let _ = parse(format!("{verb} {rest}").as_bytes());
    }

    #[test]
    fn numbers_round_trip(message in any::<u32>(), lines in any::<u64>()) {
        let command = parse(format!("TOP {message} {lines}").as_bytes());
        prop_assert!(matches!(command, Ok(Command::Top(m, l)) if m == message && l == lines));
    }
}
