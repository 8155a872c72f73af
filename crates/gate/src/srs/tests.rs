use super::*;
use mailward_core::limits::LOCAL_PART_MAX;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_764_105_749);

fn srs() -> Srs {
    Srs::new(&Secret::new("server secret")).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

fn ours() -> Domain {
    Domain::parse("s.example").unwrap()
}

fn whole(sender: &str) -> Address {
    match srs().rewrite(&address(sender), &ours(), NOW) {
        Rewritten::Whole(address) => address,
        other => panic!("{other:?}"),
    }
}

fn read(text: &str, now: Timestamp) -> Option<Result<Returned, SrsFault>> {
    srs().read(&address(text), now)
}

fn days(days: i64) -> Timestamp {
    Timestamp::from_secs(NOW.secs().saturating_add(days.saturating_mul(86_400)))
}

#[test]
fn a_sender_goes_out_from_us_and_comes_back_as_it_was() {
    let written = whole("Bob.B@t.example");
    let text = written.to_string();
    assert!(text.starts_with("SRS0=") && text.ends_with("=t.example=Bob.B@s.example"), "{text}");
    assert_eq!(text.split('=').map(str::len).take(3).collect::<Vec<_>>(), [4, SRS_HASH_CHARS, 2]);
    assert_eq!(read(&text, NOW), Some(Ok(Returned::Original(address("Bob.B@t.example")))));
    let lower = read(&text.to_lowercase(), NOW);
    assert_eq!(lower, Some(Ok(Returned::Original(address("bob.b@t.example")))), "some servers lose the case");
}

#[test]
fn what_was_rewritten_before_goes_back_to_who_did_it_first() {
    for (sender, wanted, back) in [
        (
            "SRS0=abcd=XY=o.example=u@f.example",
            "=f.example==abcd=XY=o.example=u@s.example",
            "SRS0=abcd=XY=o.example=u@f.example",
        ),
        (
            "srs0+abcd=XY=o.example=u@f.example",
            "=f.example=+abcd=XY=o.example=u@s.example",
            "SRS0+abcd=XY=o.example=u@f.example",
        ),
        (
            "SRS1=zzzz=f.example==ab=XY=o.ex=u@g.example",
            "=f.example==ab=XY=o.ex=u@s.example",
            "SRS0=ab=XY=o.ex=u@f.example",
        ),
    ] {
        let text = whole(sender).to_string();
        assert!(text.starts_with("SRS1=") && text.ends_with(wanted), "{text}");
        for (after, fits) in [(0, true), (21, true), (22, false), (-1, false), (500, false)] {
            let expected = if fits { Ok(Returned::Original(address(back))) } else { Err(SrsFault::Forged) };
            assert_eq!(
                read(&text, days(after)),
                Some(expected),
                "{after} days: no date is in it, and it counts as long"
            );
        }
        assert_eq!(read(&text.replace("f.example", "e.example"), NOW), Some(Err(SrsFault::Forged)));
    }
}

#[test]
fn it_comes_back_for_three_weeks_and_not_longer() {
    let text = whole("bob@t.example").to_string();
    for (after, fits) in [(0, true), (21, true), (22, false), (-1, false), (500, false), (1_024, true)] {
        let outcome = read(&text, days(after)).unwrap();
        assert_eq!(outcome.is_ok(), fits, "{after} days: {outcome:?}");
        assert!(fits || outcome == Err(SrsFault::Expired));
    }
}

#[test]
fn nobody_else_writes_one() {
    let text = whole("bob@t.example").to_string();
    for (from, to) in [("bob", "eve"), ("t.example", "u.example"), ("@s.example", "@r.example"), ("SRS0=", "SRS0=A")] {
        assert_eq!(read(&text.replacen(from, to, 1), NOW), Some(Err(SrsFault::Forged)), "{to}");
    }
    let other = Srs::new(&Secret::new("another secret")).unwrap();
    assert_eq!(other.read(&address(&text), NOW), Some(Err(SrsFault::Forged)));
    // The same hash must not serve another form.
    let hash = text.split('=').nth(1).unwrap();
    let day = text.split('=').nth(2).unwrap();
    let other = format!("SRS1={hash}=t.example=={day}=bob@s.example");
    assert_eq!(read(&other, NOW), Some(Err(SrsFault::Forged)));
    for none in [
        "bob@s.example",
        "SRS0@s.example",
        "SRS0=@s.example",
        "SRS0=a=b@s.example",
        "SRS0=a=!!=b=c@s.example",
        "SRS1=a=b@s.example",
        "srs2=a=AA=c=d@s.example",
    ] {
        assert_eq!(read(none, NOW), None, "{none}");
    }
}

#[test]
fn what_has_no_room_is_kept_under_a_name_that_only_it_has() {
    let long = address(&format!("{}@mail.t.example", "x".repeat(LOCAL_PART_MAX)));
    let Rewritten::Kept { address: written, name } = srs().rewrite(&long, &ours(), NOW) else { panic!("{long}") };
    assert_eq!(srs().read(&written, NOW), Some(Ok(Returned::Kept(name.clone()))));
    assert_eq!(srs().read(&address(&written.to_string().to_lowercase()), NOW), Some(Ok(Returned::Kept(name.clone()))));
    assert!(srs().is_kept(&name, &long));
    assert!(!srs().is_kept(&name, &address("bob@t.example")));
    let name_only = format!("SRS0=AAAAAAAA=AA={KEPT}={name}@s.example");
    assert_eq!(read(&name_only, NOW), Some(Err(SrsFault::Forged)));
    assert_eq!(srs().rewrite(&address("u@[192.0.2.1]"), &ours(), NOW), Rewritten::Null);
}

fn local() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9=+-]{1,20}",
        "[ -~]{1,30}",
        "(SRS[01][=+-])?[A-Za-z0-9=.]{1,20}",
        "[a-zäöü]{1,10}",
        "[a-z]{30,64}"
    ]
    .prop_map(|text| text.replace('\\', "\\\\").replace('"', "\\\""))
}

proptest! {
    #[test]
    fn every_sender_that_goes_out_comes_back(local in local(), domain in "[a-z]{1,10}(\\.[a-z]{2,12}){1,4}") {
        let Ok(sender) = Address::parse(&format!("\"{local}\"@{domain}"), true) else { return Ok(()) };
        let Rewritten::Whole(written) = srs().rewrite(&sender, &ours(), NOW) else { return Ok(()) };
        prop_assert!(written.local().as_str().len() <= LOCAL_PART_MAX);
        let back = srs().read(&written, NOW);
        match shape(sender.local().as_str()) {
            None => prop_assert_eq!(back, Some(Ok(Returned::Original(sender)))),
            Some(_) => prop_assert!(matches!(back, Some(Ok(Returned::Original(_)) | Err(SrsFault::Forged))), "{:?}", back),
        }
    }

    #[test]
    fn a_change_of_one_character_forges_it(at in any::<prop::sample::Index>(), to in "[a-z0-9=.]") {
        let written = whole("bob@t.example");
        let mut local: Vec<char> = written.local().as_str().chars().collect();
        let at = 5usize.saturating_add(at.index(local.len().saturating_sub(5)));
        let Some(place) = local.get_mut(at) else { return Ok(()) };
        let to = to.chars().next().unwrap();
        prop_assume!(!place.eq_ignore_ascii_case(&to));
        *place = to;
        let changed: String = local.into_iter().collect();
        if let Ok(address) = Address::parse(&format!("{changed}@s.example"), false) {
            prop_assert!(!matches!(srs().read(&address, NOW), Some(Ok(_))), "{}", address);
        }
    }

    #[test]
    fn any_address_is_read_or_is_none(local in "\\PC{0,64}") {
        for text in [format!("\"{local}\"@s.example"), format!("SRS0={local}@s.example"), format!("SRS1={local}@s.example")] {
            if let Ok(address) = Address::parse(&text, true) {
                prop_assert!(!matches!(srs().read(&address, NOW), Some(Ok(_))));
            }
        }
    }
}
