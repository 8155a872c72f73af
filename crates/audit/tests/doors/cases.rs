//! Every control: it passes, it fails for each reason there is, and it doesn't say what it can't know.

use crate::house::{Fault, House, Shows};
use crate::old_tls::Manners;
use mailward_audit::{Control, Probe, Protocol, Record, Scene, Verdict, all, find, run};
use mailward_core::limits::{
    AUDIT_CONTROL_TIME, KNOCK_CROWD, KNOCK_JUNK, KNOCK_LOGINS, KNOCK_LOGINS_IN_WORDS, KNOCK_REOPEN_PAUSE,
    KNOCK_REOPEN_TRIES, KNOCK_UNKNOWN_RECIPIENTS,
};
use mailward_core::{SystemClock, shutdown};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All of ours, but those whose failing is no matter of doors.
fn ours() -> Vec<&'static Control> {
    all().into_iter().filter(|control| control.probe == Probe::Doors).collect()
}

async fn asked(id: &str, scene: Scene) -> Record {
    let (_trigger, stop) = shutdown::channel();
    let mut records = run(&[find(id).unwrap()], Arc::new(scene), &SystemClock, &stop, &mut ()).await;
    records.remove(0)
}

/// A house with every kind of door, in which the doors of one kind have a fault.
async fn house(faulty: &[Protocol], faults: &[Fault]) -> House {
    let mut house = House::new();
    for protocol in [
        Protocol::Smtp,
        Protocol::Lmtp,
        Protocol::Submission,
        Protocol::Submissions,
        Protocol::Imap,
        Protocol::Imaps,
        Protocol::Pop3,
        Protocol::Pop3s,
        Protocol::Https,
    ] {
        house.door(protocol, if faulty.contains(&protocol) { faults } else { &[] }).await;
    }
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_control_passes_at_doors_that_have_no_fault() {
    let scene = house(&[], &[]).await.scene();
    let (_trigger, stop) = shutdown::channel();
    let records = run(&ours(), Arc::new(scene), &SystemClock, &stop, &mut ()).await;
    for record in records {
        assert_eq!(record.verdict, Verdict::Pass, "{}: {}", record.id, record.said);
        assert!(!record.seen.is_empty(), "{} shows nothing", record.id);
        let shown: String = record.seen.iter().map(|seen| format!("{}{}", seen.input, seen.excerpt)).collect();
        assert!(!shown.contains(crate::house::PASSWORD), "{}: {shown}", record.id);
    }
}

use Fault::*;
use Protocol::{Https, Imap, Imaps, Lmtp, Pop3, Pop3s, Smtp, Submission, Submissions};

/// Which fault, at which doors, which control has to find, and with which words.
const FAULTS: &[(&str, &[Protocol], Fault, &str)] = &[
    ("SVC-04", &[Smtp], OpenRelay, "attempts came through"),
    ("SVC-04", &[Lmtp], OpenRelay, "attempts came through"),
    ("SVC-05", &[Submission], NoLoginNeeded, "a sender is taken in clear without a login"),
    ("SVC-05", &[Submissions], NoLoginNeeded, "a sender is taken under TLS without a login"),
    ("SVC-06", &[Smtp], AuthInClear, "AUTH PLAIN is offered in clear"),
    ("SVC-06", &[Submission], AuthInClear, "AUTH PLAIN is offered in clear"),
    ("SVC-06", &[Submission], AuthBegunInClear, "a password is asked for in clear"),
    ("SVC-06", &[Smtp], AuthForServers, "AUTH PLAIN is offered at a door for servers"),
    ("SVC-08", &[Smtp], EndsAt(b"\n.\n"), "LF . LF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\n.\r\n"), "LF . CRLF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\r\n.\n"), "CRLF . LF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\r\n.\r"), "CRLF . CR ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\r.\r"), "CR . CR ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\r.\r\n"), "CR . CRLF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\r.\n"), "CR . LF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\n.\r"), "LF . CR ends it"),
    ("SVC-08", &[Smtp], EndsAt(b"\0.\r\n"), "CRLF NUL . CRLF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b".\0\r\n"), "CRLF . NUL CRLF ends it"),
    ("SVC-08", &[Smtp], EndsAt(b".\r\r\n"), "CR CRLF . CR CRLF ends it"),
    ("SVC-10", &[Smtp], InjectsUnderTls, "is answered under TLS"),
    ("SVC-10", &[Smtp], InjectsInClear, "it goes on in clear"),
    ("SVC-10", &[Imap], InjectsUnderTls, "is answered under TLS"),
    ("SVC-10", &[Pop3], InjectsUnderTls, "is answered under TLS"),
    ("SVC-11", &[Smtp], VrfyTells, "VRFY tells who is there"),
    ("SVC-11", &[Smtp], UnknownForever, "120 recipients that aren't there"),
    ("SVC-12", &[Submissions], Xclient, "XCLIENT is offered"),
    ("SVC-13", &[Smtp], Version, "it says 4.96"),
    ("SVC-13", &[Imaps], Version, "it says Dovecot-2.3.19"),
    ("SVC-17", &[Smtp], CountsNoHops, "passed on 101 times is taken"),
    ("SVC-19", &[Https], NoHsts, "no Strict-Transport-Security for a year"),
    ("SVC-19", &[Https], InlineScripts, "keeps scripts out"),
    ("SVC-19", &[Https], InlineStyles, "allows styles inline"),
    ("SVC-19", &[Https], MayBeFramed, "others may frame it"),
    ("SVC-19", &[Https], PlainCookie, "the cookie s isn't Secure"),
    ("SVC-20", &[Https], TrustsHost, "what stands in Host is on the page"),
    ("SVC-21", &[Https], MetricsOpen, "/metrics is answered to nobody with 200"),
    ("SVC-21", &[Https], AdminForUsers, "/admin is answered to a user who is no administrator with 302"),
    ("SVC-22", &[Https], AnySite, "is answered with 404"),
    ("CLI-14", &[Smtp], SizeNotHeld, "a byte more is taken"),
    ("CLI-14", &[Imaps], LiteralsTaken, "more is asked for"),
    ("POP-01", &[Imap], LoginInClear, "LOGINDISABLED isn't named"),
    ("POP-01", &[Pop3], LoginInClear, "USER is offered"),
    ("POP-03", &[Imap], InjectsUnderTls, "is answered under TLS"),
    ("POP-03", &[Pop3], InjectsUnderTls, "is answered under TLS"),
    ("POP-03", &[Imap], Preauth, "the greeting is PREAUTH"),
    ("POP-03", &[Imap], TellsOldFeatures, "LOGINDISABLED is still named"),
    ("POP-04", &[Imaps], CramMd5, "CRAM-MD5 is offered"),
    ("POP-04", &[Pop3s], NoScram, "neither SCRAM-SHA-256 nor OAUTHBEARER"),
    ("POP-05", &[Imaps], BindingIgnored, "bound to another session"),
    ("POP-06", &[Imaps], UnknownUserTold, "refusals differ in words"),
    ("POP-06", &[Imaps], UnknownUserFaster, "the time of a refusal tells"),
    ("POP-11", &[Imaps], LiteralsTaken, "a literal of 1,025 bytes is taken"),
    ("POP-12", &[Imaps], LiteralsTaken, "1,100 literals are taken"),
    ("POP-13", &[Imaps], BracketsTaken, "5,000 brackets are taken"),
    ("POP-14", &[Imaps], BrokenLoginEndsAll, "ends another session"),
    ("POP-17", &[Imaps], ListsOthers, "a mailbox of bob@example.org is listed"),
    ("POP-17", &[Imap], OpensOthers, "Shared/bob@example.org/INBOX opens"),
    ("POP-17", &[Imaps], InboxOpen, "INBOX is open to anyone"),
    ("POP-17", &[Imaps], AnyoneMay, "rights for anonymous are taken"),
    ("POP-20", &[Imaps], PathsAsNames, "is taken"),
    ("ENC-12", &[Smtp], NoStartTls, "STARTTLS isn't offered"),
    ("ENC-12", &[Smtp], StartTlsRefused, "STARTTLS is offered, and refused"),
    ("ENC-15", &[Imaps], EarlyData, "it takes early data"),
    ("ENC-15", &[Imaps], Renegotiates, "it begins anew"),
    ("DOS-11", &[Smtp], NonsenseForever, "XNONSENSE may be said 150 times; NOOP may be said 150 times"),
    ("DOS-11", &[Imap], NonsenseForever, "XNONSENSE may be said 150 times"),
    ("DOS-11", &[Pop3s], NonsenseForever, "XNONSENSE may be said 150 times"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_and_told() {
    let mut wrong = Vec::new();
    for (id, protocols, fault, words) in FAULTS {
        let record = asked(id, house(protocols, &[*fault]).await.scene()).await;
        if record.verdict != Verdict::Fail || !record.said.contains(words) {
            wrong.push(format!("{id} {fault:?} {protocols:?}: {:?} {}", record.verdict, record.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Silence takes time to hear.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_in_silence_is_found() {
    for (id, fault, words) in [
        ("POP-11", LongLinesHeld, "a line of 64 KiB without an end is held"),
        ("POP-18", Unpacks, "a line of 8 MiB is held"),
    ] {
        let mut house = House::new();
        house.door(Imaps, &[fault]).await;
        let record = asked(id, house.scene()).await;
        assert_eq!(record.verdict, Verdict::Fail, "{id}: {}", record.said);
        assert!(record.said.contains(words), "{}", record.said);
    }
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_found() {
    for (shows, words) in [
        (Shows::Expired, "expired"),
        (Shows::OldSoon, "days are left"),
        (Shows::OtherName, "not valid for name"),
        (Shows::Untrusted, "BadSignature"),
        (Shows::Two, "the doors show 2 different certificates"),
    ] {
        let mut house = House::showing(shows);
        house.door(Imaps, &[]).await;
        house.door(Smtp, &[]).await;
        let record = asked("ENC-16", house.scene()).await;
        assert_eq!(record.verdict, Verdict::Fail, "{shows:?}: {}", record.said);
        assert!(record.said.contains(words), "{shows:?}: {}", record.said);
    }
}

#[tokio::test]
async fn old_tls_is_found_in_each_of_its_parts() {
    let good = Manners::good;
    let cases: Vec<(&str, Manners, &str)> = vec![
        (
            "ENC-13",
            Manners { versions: vec![0x0301, 0x0303], suites: vec![0xc013, 0xc02f], ..good() },
            "TLS 1.0 is taken",
        ),
        (
            "ENC-13",
            Manners { versions: vec![0x0300, 0x0303], suites: vec![0x002f, 0xc02f], ..good() },
            "SSL 3.0 is taken",
        ),
        (
            "POP-02",
            Manners { versions: vec![0x0302, 0x0303], suites: vec![0xc013, 0xc02f], ..good() },
            "TLS 1.1 is taken",
        ),
        ("ENC-14", Manners { suites: vec![0xc02f, 0x000a], ..good() }, "TLS_RSA_WITH_3DES_EDE_CBC_SHA is taken"),
        ("ENC-14", Manners { suites: vec![0xc02f, 0x000a], ..good() }, "the client's order counts"),
        ("POP-02", Manners { suites: vec![0xc02f, 0xc013], ..good() }, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is taken"),
        ("ENC-14", Manners { groups: vec![0x0013, 0x001d], ..good() }, "the group secp192r1 is taken"),
        (
            "ENC-14",
            Manners { suites: vec![0x009e], prime_bytes: 128, versions: vec![0x0303], ..good() },
            "a prime of 1024 bits",
        ),
        ("ENC-15", Manners { compresses: true, ..good() }, "it compresses"),
        ("ENC-15", Manners { extended_master_secret: false, ..good() }, "the extended master secret"),
        ("ENC-15", Manners { secure_renegotiation: false, ..good() }, "secure renegotiation"),
        ("ENC-15", Manners { signs_as_told: true, ..good() }, "it signs over SHA-1"),
        ("ENC-24", Manners { groups: vec![0x001d], ..good() }, "X25519MLKEM768 isn't taken"),
        ("ENC-24", Manners { versions: vec![0x0303], ..good() }, "doesn't speak TLS 1.3"),
    ];
    let mut wrong = Vec::new();
    for (id, manners, words) in cases {
        let mut house = House::new();
        house.door_with(Imaps, &[], Some(manners)).await;
        let record = asked(id, house.scene()).await;
        if record.verdict != Verdict::Fail || !record.said.contains(words) {
            wrong.push(format!("{id} {words}: {:?} {}", record.verdict, record.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn nobody_says_of_a_door_that_is_shut_or_unknown_that_it_is_good() {
    let mut house = House::new();
    for protocol in [Smtp, Submission, Submissions, Imap, Imaps, Pop3, Pop3s, Https] {
        house.shut(protocol);
    }
    for control in ours() {
        let shut = asked(control.id, house.scene()).await;
        assert_eq!(shut.verdict, Verdict::NotTested, "{}: {}", shut.id, shut.said);
        let none = asked(control.id, House::new().scene()).await;
        assert_eq!(none.verdict, Verdict::NotTested, "{}: {}", none.id, none.said);
    }
}

#[tokio::test]
async fn what_is_put_off_or_refused_before_is_not_tested() {
    for (id, protocol, fault) in [
        ("SVC-04", Smtp, PutsOff),
        ("SVC-08", Smtp, PutsOff),
        ("SVC-17", Smtp, PutsOff),
        ("POP-06", Imaps, SlowsDown),
        ("DOS-01", Imap, NoCrowdLimit),
        ("POP-16", Imap, NoCrowdLimit),
        ("SVC-19", Https, NoHttp),
        ("SVC-20", Https, NoHttp),
        ("SVC-21", Https, NoHttp),
        ("SVC-22", Https, NoHttp),
        ("SVC-22", Https, NoForms),
        ("POP-17", Imaps, NoList),
    ] {
        let mut house = House::new();
        house.door(protocol, &[fault]).await;
        let record = asked(id, house.scene()).await;
        assert_eq!(record.verdict, Verdict::NotTested, "{id}: {}", record.said);
    }
}

#[tokio::test]
async fn what_needs_a_login_is_not_tested_without_one() {
    for id in ["POP-05", "POP-06", "POP-12", "POP-17", "POP-18", "POP-20", "CLI-14"] {
        let mut house = House::new();
        house.door(Imaps, &[]).await;
        let mut scene = house.scene();
        scene.canary = None;
        let record = asked(id, scene).await;
        assert_eq!(record.verdict, Verdict::NotTested, "{id}: {}", record.said);
        assert!(record.said.contains("needs a login"), "{id}: {}", record.said);
    }
}

#[tokio::test]
async fn a_server_without_such_doors_is_not_asked_and_one_without_clear_doors_takes_no_password_there() {
    let mut house = House::new();
    house.door(Submissions, &[]).await;
    for (id, verdict) in [
        ("SVC-08", Verdict::NotApplicable),
        ("SVC-19", Verdict::NotApplicable),
        ("SVC-20", Verdict::NotApplicable),
        ("SVC-21", Verdict::NotApplicable),
        ("SVC-22", Verdict::NotApplicable),
        ("ENC-12", Verdict::NotApplicable),
        ("POP-02", Verdict::NotApplicable),
        ("POP-01", Verdict::Pass),
        ("POP-03", Verdict::Pass),
    ] {
        assert_eq!(asked(id, house.scene()).await.verdict, verdict, "{id}");
    }
}

#[tokio::test]
async fn nobody_is_trusted_without_anchors_and_that_is_said() {
    let mut house = House::new();
    house.door(Imaps, &[]).await;
    let mut scene = house.scene();
    scene.anchors = mailward_audit::knock::Anchors::default();
    assert_eq!(asked("ENC-16", scene).await.verdict, Verdict::NotTested);
}

/// A control that is in no table is one that nobody has seen fail.
#[test]
fn every_control_is_in_a_table() {
    let mut tables: BTreeSet<&str> = FAULTS.iter().map(|(id, ..)| *id).collect();
    // In tests of their own above; the crowd's failing is judged beside it, as it can't be shown from loopback.
    tables.extend(["POP-02", "POP-18", "ENC-13", "ENC-14", "ENC-16", "ENC-24", "DOS-01", "POP-16"]);
    let missing: Vec<&str> = ours().iter().map(|control| control.id).filter(|id| !tables.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Everything that is said about a control, evidence included.
fn told(record: &Record) -> String {
    let seen = record.seen.iter().map(|seen| seen.excerpt.as_str());
    std::iter::once(record.said.as_str()).chain(seen).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_server_is_asked_for_no_more_than_the_limits_say() {
    for (id, door, fault, says) in [
        ("DOS-11", Pop3s, NonsenseForever, format!("may be said {KNOCK_JUNK} times")),
        ("SVC-11", Smtp, UnknownForever, format!("{KNOCK_UNKNOWN_RECIPIENTS} recipients that aren't there")),
        ("POP-16", Imap, NoCrowdLimit, format!("{KNOCK_CROWD} connections are held")),
        ("POP-06", Imaps, EarlyData, format!("{KNOCK_LOGINS} logins each")),
    ] {
        let mut house = House::new();
        house.door(door, &[fault]).await;
        let record = asked(id, house.scene()).await;
        assert!(told(&record).contains(&says), "{id}: {}", told(&record));
    }
}

#[tokio::test]
async fn a_server_that_takes_long_for_each_refusal_is_not_asked_until_the_time_is_over() {
    let mut house = House::new();
    house.door(Imaps, &[TakesLong]).await;
    let record = asked("POP-06", house.scene()).await;
    assert_eq!(record.verdict, Verdict::NotTested, "{}", record.said);
    assert!(record.said.contains("the words are the same"), "{}", record.said);
    assert!(told(&record).contains(&format!("{KNOCK_LOGINS_IN_WORDS} logins each")), "{}", told(&record));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_full_is_tried_again_a_few_times_and_is_bad() {
    let mut house = House::new();
    house.door(Imap, &[StaysFull]).await;
    let began = tokio::time::Instant::now();
    let record = asked("POP-16", house.scene()).await;
    assert!(record.verdict == Verdict::Fail && record.said.contains("lets nobody in any more"), "{}", record.said);
    let tries = u32::try_from(KNOCK_REOPEN_TRIES).unwrap();
    assert!(began.elapsed() >= KNOCK_REOPEN_PAUSE * tries, "{:?}", began.elapsed());
    assert!(began.elapsed() < AUDIT_CONTROL_TIME, "{:?}", began.elapsed());
}
