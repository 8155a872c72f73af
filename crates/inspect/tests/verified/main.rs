//! What others sign is verified, what was changed isn't; what we seal, others verify: against the standard's own example and
//! against `mail-auth`, an implementation by others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may stop where something is not as it should be"
)]

mod common;
mod dmarc;
mod entry;
mod lab;

use common::{MailAuth, domain, read};
use lab::Lab;
use mail_auth::dkim::Canonicalization;
use mailward_core::limits::{ARC_SETS_MAX, DKIM_RECORD_MAX, DKIM_SIGNATURES_MAX};
use mailward_dns_zone::Texts;
use mailward_inspect::authenticate::{Results, Verdict};
use mailward_message::dkim::ChainStatus;
use proptest::prelude::*;

/// RFC 8463, appendix A.3.
const STANDARD: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n date : message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\nFrom: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
const ED25519: (&str, &str) =
    ("brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
const RSA_1024: (&str, &str) = (
    "test._domainkey.football.example.com",
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
);

fn verdicts(results: &Results) -> Vec<Verdict> {
    results.dkim.iter().map(|dkim| dkim.verdict).collect()
}

fn why(results: &Results) -> Vec<&str> {
    results.dkim.iter().map(|dkim| dkim.why.as_str()).collect()
}

#[test]
fn the_example_of_the_standard_passes_and_nothing_near_it() {
    let zone = Texts::of(&[ED25519, RSA_1024]);
    let results = read(STANDARD, &zone);
    assert_eq!(verdicts(&results), [Verdict::Pass, Verdict::Pass]);
    assert_eq!(
        results.text(&domain("mx.b.example")),
        "mx.b.example;\r\n\tdkim=pass\r\n\theader.d=football.example.com header.s=brisbane header.b=\"/gCrinpc\";\r\n\
         \tdkim=pass\r\n\theader.d=football.example.com header.s=test header.b=\"F45dVWDf\";\r\n\tarc=none"
    );
    for (from, to) in [
        ("Subject: Is", "Subject: Was"),
        ("Hi.", "Hi!"),
        ("Joe.\r\n", "Joe.\r\nMore\r\n"),
        ("From: Joe", "From: x@y.example\r\nFrom: Joe"),
        ("h=from", "h=cc:from"),
        ("Dw==", "Dg=="),
    ] {
        let results = read(&STANDARD.replace(from, to), &zone);
        assert_eq!(results.dkim[0].verdict, Verdict::Fail, "{to}: {:?}", why(&results));
    }
    assert_eq!(verdicts(&read(&STANDARD.replace("Joe.\r\n", "Joe. \t\r\n\r\n \r\n"), &zone)), [Verdict::Pass; 2]);
    assert!(read("From: a\r\n\r\n", &zone).dkim.is_empty());
    assert_eq!(read("no header", &zone).text(&domain("b.example")), "b.example;\r\n\tdkim=none;\r\n\tarc=none");
}

/// Attacks D5.
#[test]
fn a_key_that_is_not_there_not_ours_or_not_for_this_never_passes() {
    let (name, good) = ED25519;
    let large = format!("{good}; n={}", "x".repeat(DKIM_RECORD_MAX));
    for (record, verdict, reason) in [
        (good.replace("11qY", "11qZ"), Verdict::Fail, "the signature isn't the key's"),
        (good.replace("p=11", "p=; x="), Verdict::PermError, "the key was revoked"),
        (good.replace("p=11", "p=!"), Verdict::PermError, "the key can't be read"),
        (good.replace("ed25519", "rsa"), Verdict::PermError, "the key isn't for such signatures"),
        (good.replace("k=", "h=sha1; k="), Verdict::PermError, "the key isn't for such signatures"),
        (good.replace("k=", "s=tlsrpt; k="), Verdict::PermError, "the key isn't for such signatures"),
        (good.replace("DKIM1", "DKIM2"), Verdict::PermError, "the key record can't be read"),
        ("v=spf1 -all".to_owned(), Verdict::PermError, "the key record can't be read"),
        (large, Verdict::PermError, "the key record is larger than 4096 bytes"),
        (good.replace("k=", "t=y:s; h=sha1:sha256; s=*; k="), Verdict::Pass, ""),
    ] {
        let results = read(STANDARD, &Texts::of(&[(name, &record)]));
        assert_eq!((results.dkim[0].verdict, why(&results)[0]), (verdict, reason), "{record}");
        assert_eq!((results.dkim[1].verdict, why(&results)[1]), (Verdict::PermError, "there is no key"));
    }
    let strict = Texts::of(&[(name, &good.replace("k=", "t=s; k="))]);
    let below = STANDARD.replace("i=@", "i=@sub.");
    assert_eq!(why(&read(&below, &strict))[0], "the key isn't for such signatures");
    let results = read(STANDARD, &Texts::silent());
    assert_eq!(verdicts(&results), [Verdict::TempError; 2]);
    assert_eq!(why(&results), ["the key can't be looked up now"; 2]);
}

/// Attacks D2, D5.
#[test]
fn old_hashes_short_keys_and_parts_of_a_body_never_pass() {
    let zone = Texts::of(&[ED25519, RSA_1024]);
    let old = read(&STANDARD.replace("rsa-sha256", "rsa-sha1"), &zone);
    assert_eq!((old.dkim[1].verdict, why(&old)[1]), (Verdict::PermError, "its algorithm isn't one to believe"));
    let short = STANDARD.replace("Ts=", "").replace("QJ0ysx", "");
    let cut = short.find("b=F45").unwrap()..short.find("From: Joe").unwrap();
    let short = [&short[..cut.start], "b=QUJD\r\n", &short[cut.end..]].concat();
    assert_eq!(why(&read(&short, &zone))[1], "the key has fewer than 1,024 bits");
    let expired = read(&STANDARD.replace("t=1528637909;", "t=1528637909; x=1528637910;"), &zone);
    assert_eq!(why(&expired), ["it has expired"; 2]);

    let lab = Lab::new();
    let signed = lab.sign_others("From: a@a.example\r\n\r\nbody\r\n", |signer| signer.body_length(true));
    let added = read(&format!("{signed}more\r\n"), &lab.zone);
    assert_eq!(verdicts(&added), [Verdict::Policy], "{:?}", why(&added));
    let whole = read(&signed, &lab.zone);
    assert_eq!(
        (verdicts(&whole).as_slice(), why(&whole)[0]),
        (&[Verdict::Policy][..], "l= leaves a part of the body unsigned")
    );
}

/// Attacks D5.
#[test]
fn of_many_signatures_few_are_verified() {
    let zone = Texts::of(&[ED25519, RSA_1024]);
    let one = &STANDARD[..STANDARD.find("DKIM-Signature: v=1; a=rsa").unwrap()];
    let results = read(&format!("{}{STANDARD}", one.repeat(50)), &zone);
    assert_eq!(verdicts(&results), [Verdict::Pass; DKIM_SIGNATURES_MAX]);
    assert_eq!(zone.asked(), 1, "the same key once");
}

const MESSAGE: &str =
    "From: Zoe <zoe@a.example>\r\nTo: b@b.example\r\nSubject:  some \r\n\twords\r\n\r\nHello  there \r\n\r\n";

#[test]
fn what_others_sign_in_any_form_passes() {
    let lab = Lab::new();
    use Canonicalization::{Relaxed, Simple};
    for (header, body) in [(Relaxed, Relaxed), (Relaxed, Simple), (Simple, Relaxed), (Simple, Simple)] {
        let signed =
            lab.sign_others(MESSAGE, |signer| signer.header_canonicalization(header).body_canonicalization(body));
        let results = read(&signed, &lab.zone);
        assert_eq!(verdicts(&results), [Verdict::Pass], "{signed}: {:?}", why(&results));
        let blanks = read(&signed.replace("Hello  there ", "Hello there"), &lab.zone);
        let stands = matches!(body, Relaxed);
        assert_eq!(blanks.dkim[0].verdict == Verdict::Pass, stands, "{signed}");
        let folded = read(&signed.replace("Subject:  some \r\n\t", "subject: some "), &lab.zone);
        assert_eq!(folded.dkim[0].verdict == Verdict::Pass, matches!(header, Relaxed), "{signed}");
    }
}

#[test]
fn a_chain_of_ours_is_verified_by_others_and_by_us() {
    let (lab, others) = (Lab::new(), MailAuth::new());
    let signed = lab.sign_others(MESSAGE, |signer| signer);
    let once = lab.seal(0, &signed);
    assert!(once.starts_with("ARC-Seal: i=1; a=rsa-sha256; t="), "{once}");
    let results = read(&once, &lab.zone);
    assert_eq!((results.arc.status, results.arc.highest), (ChainStatus::Pass, 1), "{:?}", results.arc.why);
    assert_eq!(results.arc.sealer, Some(domain("f.example")));
    assert_eq!(verdicts(&results), [Verdict::Pass], "the author's signature is as it was");
    let twice = lab.seal(1, &format!("Delivered-To: x@g.example\r\nReceived: from f by g; now\r\n{once}"));
    let results = read(&twice, &lab.zone);
    assert_eq!((results.arc.status, results.arc.highest, results.arc.next), (ChainStatus::Pass, 2, Some(3)));
    assert!(twice.contains("ARC-Authentication-Results: i=2; mx.f.example;\r\n\tdkim=pass"), "{twice}");
    assert!(twice.contains("header.d=a.example header.s=k") && twice.contains("arc=pass\r\n"), "{twice}");
    for message in [&once, &twice] {
        assert_eq!(others.arc(message, &lab.zone), "pass");
    }
}

#[test]
fn a_chain_of_others_is_verified_and_goes_on() {
    let (lab, others) = (Lab::new(), MailAuth::new());
    let key = || lab.key();
    let sealed = others.seal(MESSAGE, key(), &lab.zone);
    assert_eq!(
        read(&sealed, &lab.zone).arc.status,
        ChainStatus::Pass,
        "{sealed}: {}",
        read(&sealed, &lab.zone).arc.why
    );
    let twice = lab.seal(0, &sealed);
    assert_eq!(others.arc(&twice, &lab.zone), "pass", "{twice}");
    let thrice = others.seal(&twice, key(), &lab.zone);
    let results = read(&thrice, &lab.zone);
    assert_eq!((results.arc.status, results.arc.highest), (ChainStatus::Pass, 3), "{}", results.arc.why);
}

#[test]
fn a_chain_that_is_broken_is_sealed_as_broken_and_nobody_seals_on() {
    let lab = Lab::new();
    let once = lab.seal(0, MESSAGE);
    let changed = once.replace("Hello", "Bye");
    let results = read(&changed, &lab.zone);
    assert_eq!(
        (results.arc.status, results.arc.why.as_str()),
        (ChainStatus::Fail, "set 1: the body isn't the one that was signed")
    );
    let told = lab.seal(1, &changed);
    assert!(told.starts_with("ARC-Seal: i=2; ") && told.contains("cv=fail"), "{told}");
    let results = read(&told, &lab.zone);
    assert_eq!((results.arc.status, results.arc.next), (ChainStatus::Fail, None));
    for (from, to) in [
        ("dkim=none", "dkim=pass"),
        ("cv=none", "cv=pass"),
        ("ARC-Seal: i=1; a=rsa-sha256; t=", "ARC-Seal: i=1; a=rsa-sha256; t=1"),
        ("d=f.example", "d=g.example"),
        ("ARC-Authentication-Results: i=1", "X: i=1"),
        ("From: Zoe", "From: Eve"),
    ] {
        let results = read(&once.replace(from, to), &lab.zone);
        assert_eq!(results.arc.status, ChainStatus::Fail, "{to}");
    }
    assert_eq!(read(&once, &Texts::silent()).arc.status, ChainStatus::Fail, "what can't be proved is not proved");
}

#[test]
fn the_last_set_that_there_can_be_is_sealed_and_none_after_it() {
    let lab = Lab::new();
    let mut message = MESSAGE.to_owned();
    for _ in 0..ARC_SETS_MAX {
        message = lab.seal(0, &message);
    }
    let results = read(&message, &lab.zone);
    assert_eq!((results.arc.status, results.arc.next), (ChainStatus::Pass, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_change_of_any_byte_that_counts_is_noticed(at in any::<prop::sample::Index>(), to in b'a'..=b'z') {
        let zone = Texts::of(&[ED25519, RSA_1024]);
        let start = STANDARD.find("From: Joe").unwrap();
        let mut bytes = STANDARD.as_bytes().to_vec();
        // Case of names and kinds of blanks don't count.
        let letters: Vec<usize> = (start..bytes.len()).filter(|at| bytes[*at].is_ascii_lowercase()).collect();
        let at = letters[at.index(letters.len())];
        bytes[at] = if to == bytes[at] { b'0' } else { to };
        let results = common::read_bytes(&bytes, &[], &zone);
        prop_assert!(results.dkim.iter().all(|dkim| dkim.verdict == Verdict::Fail), "{:?}", why(&results));
    }

    #[test]
    fn any_bytes_are_read_the_same_wherever_they_are_cut(parts in proptest::collection::vec(0_usize..9, 0..20), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let zone = Texts::of(&[ED25519, RSA_1024]);
        let cut = STANDARD.find("From: Joe").unwrap();
        let pieces = [&STANDARD[..cut], &STANDARD[cut..], "\r\n", "\r\n\r\n", "ARC-Seal: i=1; cv=none\r\n", "DKIM-Signature:", "\n", " b=;", "x"];
        let bytes: Vec<u8> = parts.iter().flat_map(|p| pieces[*p].bytes()).collect();
        let cuts: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
        let whole = common::read_bytes(&bytes, &[], &zone);
        prop_assert_eq!(common::read_bytes(&bytes, &cuts, &zone), whole.clone());
        let text = whole.text(&domain("b.example"));
        prop_assert!(text.split("\r\n").skip(1).all(|line| line.starts_with('\t') && !line.contains(['\r', '\n'])), "{}", text);
    }
}
