//! The one entry: what is found out of a message that comes in, what follows, and how it is said.

use crate::common::{domain, now, read};
use crate::lab::Lab;
use bytes::Bytes;
use mailward_core::limits::{ARC_KEYS_MAX, ARC_SETS_MAX, DKIM_SIGNATURES_MAX};
use mailward_core::{Address, Domain, SpfResult};
use mailward_dns::Name;
use mailward_dns_zone::Texts;
use mailward_inspect::authenticate::{Authentication, Policy, Verdict, check, status};
use mailward_inspect::dmarc::DmarcResult;
use mailward_inspect::spf::{Identity, SpfOutcome};
use mailward_inspect::{Action, Direction, Subject, Verdict as All};
use mailward_message::dkim::ChainStatus;
use mailward_message::results::{foreign, parse};
use mailward_message::{Structure, header};
use mailward_vault::dkim::{Algorithm, ArcSeal, Key, Signer, record};
use std::sync::Arc;

const MESSAGE: &str = "From: Zoe <zoe@a.example>\r\nTo: b@b.example\r\nSubject: words\r\n\r\nHello\r\n";
const OURS: &str = "mx.b.example";

fn subject(message: &str) -> Subject {
    let trace = "Received: from x by mx.b.example; now\r\n";
    let bytes = Bytes::from(format!("{trace}{message}"));
    Subject {
        trace: trace.len(),
        structure: Arc::new(Structure::parse(&bytes)),
        bytes,
        id: "1".into(),
        direction: Direction::Incoming,
        client: Some("192.0.2.7".parse().unwrap()),
        hello: "x".into(),
        reverse: None,
        stranger: true,
        sender: Some(Address::parse("zoe@s.example", false).unwrap()),
        recipients: Arc::new([]),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: true,
        now: now(),
    }
}

fn spf(result: SpfResult, name: &str) -> Option<SpfOutcome> {
    let domain = Name::parse(name).ok();
    let (explanation, mechanism, why) = (None, None, "so".to_owned());
    Some(SpfOutcome { result, identity: Identity::MailFrom, domain, explanation, mechanism, why, personal: false })
}

fn checked(subject: &Subject, zone: &Texts, policy: &Policy) -> Authentication {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(check(subject, zone, policy)).unwrap()
}

fn plain(message: &str, zone: &Texts) -> Authentication {
    checked(&subject(message), zone, &Policy::default())
}

fn rules(found: &Authentication) -> Vec<String> {
    found.findings().into_iter().map(|finding| finding.rule).collect()
}

fn action(found: &Authentication) -> Action {
    All { findings: found.findings() }.action_for(0)
}

fn trusting(names: &[&str]) -> Policy {
    Policy { trusted_sealers: names.iter().map(|name| domain(name)).collect(), ..Policy::default() }
}

fn with_policy(lab: &Lab, record: &str) {
    lab.zone.put("_dmarc.a.example", record);
}

#[test]
fn what_its_author_signed_passes_and_is_said_in_one_field() {
    let lab = Lab::new();
    with_policy(&lab, "v=DMARC1; p=reject");
    let signed = lab.sign(2, MESSAGE);
    let mut given = subject(&signed);
    given.spf = spf(SpfResult::Pass, "s.example");
    given.reverse = Some("x.example".into());
    let found = checked(&given, &lab.zone, &Policy::default());
    assert_eq!(found.proven(), Some(&domain("a.example")));
    assert!(found.signed() && found.permitted());
    assert_eq!(
        (rules(&found), action(&found)),
        (vec!["dkim-pass".to_owned(), "dmarc-pass".to_owned()], Action::Deliver)
    );
    let field = found.field(&domain(OURS));
    let start = "Authentication-Results: mx.b.example;\r\n\tiprev=pass policy.iprev=192.0.2.7;\r\n\tspf=pass \
                 smtp.mailfrom=s.example;\r\n\tdkim=pass\r\n\theader.d=a.example header.s=s header.b=\"";
    assert!(field.starts_with(start), "{field}");
    assert!(field.ends_with(
        "\";\r\n\tarc=none;\r\n\tdmarc=pass header.from=a.example polrec.p=reject polrec.domain=a.example\r\n"
    ));
    // It reads as the standard has it, and as ours.
    let stated = parse(header::first(field.as_bytes(), "authentication-results").unwrap()).unwrap();
    assert_eq!(stated.methods.len(), 5);
    assert_eq!(foreign(field.as_bytes(), &domain(OURS)).first(), Some(&(0..field.len())));
    given.client = Some("2001:db8::7".parse().unwrap());
    let field = checked(&given, &lab.zone, &Policy::default()).field(&domain(OURS));
    assert!(field.contains("policy.iprev=\"2001:db8::7\"") && parse(&field.as_bytes()[23..]).is_ok(), "{field}");
}

#[test]
fn what_users_of_ours_send_is_not_asked_about() {
    let zone = Texts::silent();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for direction in [Direction::Outgoing, Direction::Internal] {
        let given = Subject { direction, ..subject(MESSAGE) };
        assert_eq!(runtime.block_on(check(&given, &zone, &Policy::default())), None);
    }
    assert_eq!(zone.asked(), 0);
}

/// Attacks D1.
#[test]
fn a_stranger_s_message_without_one_author_is_refused() {
    let zone = Texts::of(&[]);
    for message in [
        "Subject: x\r\n\r\n",
        "From: a@a.example\r\nFrom: b@b.example\r\n\r\n",
        "From: a@a.example, b@b.example\r\n\r\n",
        "From : a@a.example\r\n\r\n",
        "no header",
        "",
    ] {
        let found = plain(message, &zone);
        assert_eq!(action(&found), Action::Reject, "{message}");
        let refused = found.findings().remove(0);
        assert_eq!(status(&refused.rule), Some((550, "5.6.0")));
        assert!(found.dmarc.is_none());
        let trusted = Subject { stranger: false, ..subject(message) };
        assert_eq!(action(&checked(&trusted, &zone, &Policy::default())), Action::Mark, "{message}");
    }
    assert_eq!(action(&plain(MESSAGE, &zone)), Action::Deliver);
}

#[test]
fn what_a_domain_asks_for_is_done_as_the_administrator_says() {
    let lab = Lab::new();
    for (record, policy, wanted) in [
        ("v=DMARC1; p=reject", Policy::default(), Action::Reject),
        ("v=DMARC1; p=quarantine", Policy::default(), Action::Junk),
        ("v=DMARC1; p=none", Policy::default(), Action::Deliver),
        ("v=DMARC1; p=reject; t=y", Policy::default(), Action::Junk),
        ("v=DMARC1; p=quarantine; t=y", Policy::default(), Action::Deliver),
        ("v=DMARC1; p=reject", Policy { reject: Action::Quarantine, ..Policy::default() }, Action::Quarantine),
        ("v=DMARC1; p=quarantine", Policy { quarantine: Action::Mark, ..Policy::default() }, Action::Mark),
    ] {
        with_policy(&lab, record);
        let found = checked(&subject(MESSAGE), &lab.zone, &policy);
        assert_eq!((action(&found), rules(&found).pop().as_deref()), (wanted, Some("dmarc-fail")), "{record}");
        let trusted = Subject { stranger: false, ..subject(MESSAGE) };
        assert!(action(&checked(&trusted, &lab.zone, &policy)) <= Action::Mark);
    }
    assert_eq!(status("dmarc-fail"), Some((550, "5.7.1")));
}

#[test]
fn spf_counts_for_whom_the_envelope_names() {
    let lab = Lab::new();
    with_policy(&lab, "v=DMARC1; p=reject");
    let mut given = subject(MESSAGE);
    given.spf = spf(SpfResult::Pass, "m.a.example");
    assert_eq!(checked(&given, &lab.zone, &Policy::default()).dmarc.unwrap().result, DmarcResult::Pass);
    // Of a message with a sender the greeting proves nothing.
    given.spf.as_mut().unwrap().identity = Identity::Hello;
    assert_eq!(action(&checked(&given, &lab.zone, &Policy::default())), Action::Reject);
    given.sender = None;
    assert_eq!(action(&checked(&given, &lab.zone, &Policy::default())), Action::Deliver);
}

#[test]
fn what_cannot_be_known_now_comes_again_where_a_failure_would_hinder_it() {
    let lab = Lab::new();
    for (record, wanted) in [
        ("v=DMARC1; p=reject", Action::Defer),
        ("v=DMARC1; p=quarantine", Action::Defer),
        ("v=DMARC1; p=none", Action::Deliver),
        ("v=DMARC1; p=reject; t=y", Action::Defer),
        ("v=DMARC1; p=quarantine; t=y", Action::Deliver),
    ] {
        with_policy(&lab, record);
        let mut given = subject(MESSAGE);
        given.spf = spf(SpfResult::TempError, "a.example");
        let found = checked(&given, &lab.zone, &Policy::default());
        assert_eq!((action(&found), rules(&found).pop().as_deref()), (wanted, Some("dmarc-temperror")));
    }
    assert_eq!(status("dmarc-temperror"), Some((451, "4.7.5")));
    let silent = plain(MESSAGE, &Texts::silent());
    assert_eq!((action(&silent), rules(&silent).pop().as_deref()), (Action::Defer, Some("dmarc-temperror")));
    // Where nothing is done for a failure nothing has to be known.
    let nothing = Policy::default().without_dns();
    assert_eq!(action(&checked(&subject(MESSAGE), &Texts::silent(), &nothing)), Action::Deliver);
    let trusted = Subject { stranger: false, ..subject(MESSAGE) };
    assert!(action(&checked(&trusted, &Texts::silent(), &Policy::default())) <= Action::Mark);
}

/// Attacks D2.
#[test]
fn what_is_put_behind_a_signed_part_proves_nothing() {
    let lab = Lab::new();
    with_policy(&lab, "v=DMARC1; p=reject");
    let signed = lab.sign_others(MESSAGE, |signer| signer.body_length(true));
    for message in
        [signed.clone(), format!("{signed}more\r\n"), format!("{signed}--b\r\nContent-Type: text/html\r\n\r\n")]
    {
        let found = plain(&message, &lab.zone);
        assert_eq!(found.results.dkim[0].verdict, Verdict::Policy);
        assert_eq!((found.proven(), action(&found)), (None, Action::Reject));
    }
    let ours = lab.sign(2, MESSAGE);
    assert!(!ours.contains("l="), "{ours}");
}

/// Attacks D3.
#[test]
fn a_field_that_is_added_to_what_we_signed_breaks_it() {
    let lab = Lab::new();
    let signed = lab.sign(2, MESSAGE);
    assert_eq!(read(&signed, &lab.zone).dkim[0].verdict, Verdict::Pass);
    for added in [
        "From: b@b.example",
        "To: b@b.example",
        "Cc: b@b.example",
        "Subject: y",
        "Date: Thu, 1 Jan 1970 00:00:00 +0000",
        "Reply-To: b@b.example",
        "Content-Type: multipart/mixed; boundary=x",
        "MIME-Version: 1.0",
        "Content-Transfer-Encoding: base64",
        "Message-ID: <x@b.example>",
        "In-Reply-To: <x@b.example>",
    ] {
        let above = read(&format!("{added}\r\n{signed}"), &lab.zone);
        let below = read(&signed.replace("\r\n\r\nHello", &format!("\r\n{added}\r\n\r\nHello")), &lab.zone);
        for results in [above, below] {
            assert_eq!(results.dkim[0].verdict, Verdict::Fail, "{added}");
        }
    }
}

/// Attacks D5: a hundred signatures, weak keys, old hashes, names that lead nowhere.
#[test]
fn signatures_cost_so_much_and_no_more() {
    let lab = Lab::new();
    with_policy(&lab, "v=DMARC1; p=reject");
    let signed = lab.sign(2, MESSAGE);
    let end = signed.find("From: Zoe").unwrap();
    // Its own is behind too many others.
    let many: String = (0..100).map(|n| signed[..end].replace("s=s;", &format!("s=s{n};"))).collect();
    let before = lab.zone.asked();
    let found = plain(&format!("{many}{signed}"), &lab.zone);
    assert_eq!(found.results.dkim.len(), DKIM_SIGNATURES_MAX);
    assert_eq!((found.signed(), action(&found)), (false, Action::Reject));
    assert_eq!(lab.zone.asked() - before, DKIM_SIGNATURES_MAX + 1, "keys and the policy");
    for (from, to) in [("rsa-sha256", "rsa-sha1"), ("a=rsa-sha256", "a=rsa-md5")] {
        let found = plain(&signed.replace(from, to), &lab.zone);
        assert_eq!((found.results.dkim[0].verdict, found.proven()), (Verdict::PermError, None), "{to}");
    }
    // RFC 8301 §3.2; this one has 512 bits.
    let short = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL53gZixaQz3Q/CzxY3FzQBRuJ36xQVAeuFHJXMgvMo6MpmJkAqsZt84JhYj/3e0Kjgylkt8zu7mIiqnxA1fWV8CAwEAAQ==";
    lab.zone.put("s._domainkey.a.example", &format!("v=DKIM1; p={short}"));
    let found = plain(&signed, &lab.zone);
    assert_eq!((found.signed(), action(&found)), (false, Action::Reject));
    lab.zone.put("s._domainkey.a.example", &format!("v=DKIM1; p={}", "A".repeat(60_000)));
    assert_eq!(plain(&signed, &lab.zone).results.dkim[0].why, "the key record is larger than 4096 bytes");
}

/// Attacks D11.
#[test]
fn only_who_is_trusted_vouches() {
    let lab = Lab::new();
    with_policy(&lab, "v=DMARC1; p=reject");
    // A list: it finds out, changes, seals.
    let changed = MESSAGE.replace("Hello", "Hello\r\n-- \r\nthe list");
    let says = |text: &str| lab.seal_saying(0, &changed, &format!("mx.f.example;\r\n\t{text}"));
    let passed = "dmarc=pass header.from=a.example";
    let sealed = says(passed);
    for (policy, message, wanted) in [
        (Policy::default(), &sealed, false),
        (trusting(&["g.example"]), &sealed, false),
        (trusting(&["example"]), &sealed, false),
        (trusting(&["f.example"]), &sealed, true),
        (trusting(&["f.example"]), &says("dkim=pass header.d=a.example; spf=fail smtp.mailfrom=x@a.example"), true),
        (trusting(&["f.example"]), &says("dkim=pass header.i=@a.example"), true),
        (trusting(&["f.example"]), &says("spf=pass smtp.mailfrom=zoe@a.example"), true),
        (trusting(&["f.example"]), &says("dmarc=fail header.from=a.example; dkim=pass header.d=a.example"), false),
        (trusting(&["f.example"]), &says("dmarc=pass header.from=c.example"), false),
        (trusting(&["f.example"]), &says("dmarc=pass"), false),
        (trusting(&["f.example"]), &says("dkim=pass header.d=c.example"), false),
        (trusting(&["f.example"]), &says("dkim=pass header.d=c.example header.i=@a.example"), false),
        (trusting(&["f.example"]), &says("dkim=fail header.d=a.example"), false),
        (trusting(&["f.example"]), &says("arc=pass"), false),
        (trusting(&["f.example"]), &says("none"), false),
        (trusting(&["f.example"]), &sealed.replace("the list", "somebody"), false),
        (trusting(&["f.example"]), &sealed.replace("i=1", "i=2"), false),
    ] {
        let found = checked(&subject(message), &lab.zone, &policy);
        assert_eq!(found.dmarc.as_ref().unwrap().result, DmarcResult::Fail);
        let wanted = if wanted { (Action::Deliver, "dmarc-vouched") } else { (Action::Reject, "dmarc-fail") };
        assert_eq!((action(&found), rules(&found).pop().unwrap().as_str()), wanted, "{message}");
        assert!(parse(&found.field(&domain(OURS)).as_bytes()[23..]).is_ok());
    }
}

/// Attacks D11.
#[test]
fn nobody_untrusted_stands_between_us_and_who_vouches() {
    let lab = Lab::new();
    with_policy(&lab, "v=DMARC1; p=reject");
    let once = lab.seal_saying(0, MESSAGE, "mx.f.example; dmarc=pass header.from=a.example");
    let twice = lab.seal_saying(1, &once, "mx.g.example; dmarc=fail header.from=a.example; arc=pass");
    let acts = |message: &str, names: &[&str]| action(&checked(&subject(message), &lab.zone, &trusting(names)));
    assert_eq!(acts(&twice, &["f.example"]), Action::Reject);
    assert_eq!(acts(&twice, &["g.example"]), Action::Reject);
    assert_eq!(acts(&twice, &["f.example", "g.example"]), Action::Deliver);
    // Who isn't trusted may write what it likes into the sets below.
    let forged = lab.seal_saying(1, MESSAGE, "mx.f.example; dmarc=pass header.from=a.example");
    assert_eq!(acts(&forged, &["f.example"]), Action::Reject);
}

/// Attacks D11: i=50, and a key for each.
#[test]
fn a_chain_of_many_keys_is_not_followed() {
    let zone = Texts::of(&[("_dmarc.a.example", "v=DMARC1; p=reject")]);
    let chain = |sealers: usize, zone: &Texts| {
        let mut message = MESSAGE.to_owned();
        for n in 0..sealers {
            let key = Key::generate(Algorithm::RsaSha256).unwrap();
            let name = format!("h{n}.example");
            zone.put(&format!("s._domainkey.{name}"), &record(Algorithm::RsaSha256, &key.public().unwrap()));
            let signer = Signer::new(Domain::parse(&name).unwrap(), vec![("s".to_owned(), Arc::new(key))]);
            let results = read(&message, zone);
            let mut signing = Arc::new(signer).begin_seal(now());
            signing.push(message.as_bytes()).unwrap();
            let (instance, chain) = (results.arc.next.unwrap(), results.arc.status);
            let text = "mx.f.example; dmarc=pass header.from=a.example";
            let seal = ArcSeal { instance, chain, before: &results.arc.relaxed, results: text };
            message = String::from_utf8(signing.seal(&seal).unwrap().unwrap()).unwrap() + &message;
        }
        message
    };
    let most = chain(ARC_KEYS_MAX, &zone);
    assert_eq!(read(&most, &zone).arc.status, ChainStatus::Pass);
    let more = chain(ARC_KEYS_MAX + 1, &zone);
    let before = zone.asked();
    let found = plain(&more, &zone);
    assert_eq!((found.results.arc.status, action(&found)), (ChainStatus::Fail, Action::Reject));
    assert_eq!(found.results.arc.why, format!("it needs more than {ARC_KEYS_MAX} keys"));
    assert!(zone.asked() - before <= 2);
    let beyond = more.replace("i=17;", &format!("i={};", ARC_SETS_MAX + 1));
    assert_eq!(read(&beyond, &zone).arc.status, ChainStatus::Fail);
}
