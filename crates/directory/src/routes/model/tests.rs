use super::*;
use proptest::prelude::*;

fn leads(line: &str, tls: Option<RouteTls>, user: Option<&str>) -> Result<Leads, Malformed> {
    let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Leads::parse(&words, tls, user)
}

#[test]
fn a_way_is_read_and_told_as_it_is_said() {
    for (line, told) in [
        ("mx", "mx"),
        ("host mx1.example:26 192.0.2.1", "host mx1.example:26,192.0.2.1 (opportunistic)"),
        ("lmtp [2001:DB8::1]:24", "lmtp [2001:db8::1]:24 (opportunistic)"),
        ("lmtp unix:/run/lmtp", "lmtp unix:/run/lmtp"),
        ("smarthost Smart.Example", "smarthost smart.example (starttls)"),
        ("discard", "discard"),
        ("error 550 no mail to them", "error 550 no mail to them"),
        ("maildir /srv/mail/archive", "maildir /srv/mail/archive"),
    ] {
        assert_eq!(leads(line, None, None).unwrap().to_string(), told);
    }
    let with_user = leads("smarthost smart.example", Some(RouteTls::Tls), Some("joe")).unwrap();
    assert_eq!(with_user.to_string(), "smarthost smart.example (tls, user joe)");
    assert_eq!(with_user.places().unwrap().1, 465);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let many = format!("host {}", ["a.example"; ROUTE_PLACES_MAX + 1].join(" "));
    let long = format!("error 550 {}", "x".repeat(ROUTE_TEXT_MAX + 1));
    let socket = format!("lmtp unix:/{}", "x".repeat(ROUTE_SOCKET_MAX));
    let path = format!("maildir /{}", "x".repeat(ROUTE_PATH_MAX));
    for line in [
        "",
        "mx a.example",
        "fly",
        "host",
        "host a.example:0",
        "host a.example:99999",
        "host 2001:db8::1",
        "host [192.0.2.1]",
        "host a..example",
        "discard all",
        "error",
        "error 250 ok",
        "error 600 x",
        "error 421 x",
        "error 550",
        "error 550 \u{e9}",
        "maildir",
        "maildir relative",
        "maildir /a/../b",
        "maildir /",
        "maildir /a /b",
        "lmtp unix:run/x",
        "pipe /bin/sh",
        &many,
        &long,
        &socket,
        &path,
    ] {
        assert!(leads(line, None, None).is_err(), "{line}");
    }
    // A password goes under TLS, and to smart hosts.
    assert!(leads("smarthost a.example", Some(RouteTls::Opportunistic), Some("joe")).is_err());
    assert!(leads("host a.example", Some(RouteTls::StartTls), Some("joe")).is_err());
    assert!(leads("smarthost a.example", None, Some(&"x".repeat(ROUTE_USER_MAX + 1))).is_err());
    assert!(leads("discard", Some(RouteTls::Tls), None).is_err());
    assert!(RouteName::parse(&"x".repeat(ROUTE_NAME_MAX + 1)).is_err());
    assert!(ForWhom::parse("u@[192.0.2.1]").is_err());
}

proptest! {
    #[test]
    fn whatever_is_read_comes_back_from_its_own_words(text in "[*.@a-z0-9:,\\[\\]/ -]{0,24}|\\PC{0,12}") {
        if let Ok(found) = ForWhom::parse(&text) {
            prop_assert_eq!(ForWhom::parse(&found.to_string()), Ok(found));
        }
        if let Ok(found) = FromWhom::parse(&text) {
            prop_assert_eq!(FromWhom::parse(&found.to_string()), Ok(found));
        }
        if let Ok(found) = Place::parse(&text) {
            prop_assert_eq!(Place::parse(&found.to_string()), Ok(found));
        }
        if let Ok(found) = RouteName::parse(&text) {
            prop_assert_eq!(found.as_str(), text);
        }
    }

    #[test]
    fn a_way_comes_back_from_the_store_as_it_was(
        kind in "mx|host|smarthost|lmtp|discard|error|maildir",
        rest in "[a-z0-9.:/ ]{0,24}",
    ) {
        if let Ok(found) = leads(&format!("{kind} {rest}"), None, None) {
            prop_assert!(found.check().is_ok());
            let kept = serde_json::to_string(&found).unwrap();
            prop_assert_eq!(serde_json::from_str::<Leads>(&kept).unwrap(), found);
        }
    }
}
