//! Looks from outside: at a server that does everything right, at one that does one thing wrong, and at hostile hosts.

mod hostile;
mod peculiar;

use crate::house::{CANARY, Fault, House, NAME, PASSWORD, Shows};
use crate::knocking::saying;
use crate::old_tls::Manners;
use mailward_audit::Protocol;
use mailward_audit::knock::Anchors;
use mailward_audit::probe::{
    Aim, Found, Kept, KeptError, Look, Port, PortState, ProbeError, QUESTIONS, Topic, changes, look,
};
use mailward_core::SystemClock;
use mailward_core::limits::{
    PROBE_ADDRESSES_MAX, PROBE_AT_ONCE, PROBE_CHANGES_MAX, PROBE_DOORS_AT_ONCE, PROBE_FEATURES_MAX, PROBE_NAMES_MAX,
    PROBE_RATE, PROBE_STATE_MAX, PROBE_TEXT_MAX,
};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

const ALL: [Protocol; 8] = [
    Protocol::Smtp,
    Protocol::Submission,
    Protocol::Submissions,
    Protocol::Imap,
    Protocol::Imaps,
    Protocol::Pop3,
    Protocol::Pop3s,
    Protocol::ManageSieve,
];

const fn role(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Smtp | Protocol::Lmtp => 25,
        Protocol::Submission => 587,
        Protocol::Submissions => 465,
        Protocol::Imap => 143,
        Protocol::Imaps => 993,
        Protocol::Pop3 => 110,
        Protocol::Pop3s => 995,
        Protocol::Https => 443,
        Protocol::ManageSieve => 4190,
    }
}

fn aim(ports: Vec<Port>) -> Aim {
    Aim {
        addresses: vec!["127.0.0.1".parse().unwrap()],
        domain: Some("example.org".parse().unwrap()),
        ports,
        rate: 200,
        by: "a test".to_owned(),
        ..Aim::at(NAME)
    }
}

/// A look at a house, whose authority is trusted.
fn at(house: &House) -> Aim {
    let ports = house.doors.iter().map(|door| Port { number: door.address.port(), role: Some(role(door.protocol)) });
    Aim { anchors: house.scene().anchors, ..aim(ports.collect()) }
}

async fn looked(aim: &Aim) -> Look {
    look(aim, &SystemClock, &mut ()).await.unwrap()
}

fn found<'a>(look: &'a Look, name: &str) -> &'a Found {
    look.findings.iter().find(|found| found.name == name).unwrap_or_else(|| panic!("nothing is said of {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_everything_right_passes_whatever_is_asked_at_its_doors() {
    let mut house = House::new();
    for protocol in ALL {
        house.door(protocol, &[]).await;
    }
    let look = looked(&Aim { recipients: vec![CANARY.to_owned()], ..at(&house) }).await;
    assert_eq!(look.findings.len(), QUESTIONS.len(), "every question has an answer");
    for question in QUESTIONS.iter().filter(|one| !matches!(one.topic, Topic::Names | Topic::Web)) {
        let found = found(&look, question.name);
        let wanted = if question.name == "ports.inside" { "not-tested" } else { "pass" };
        assert_eq!(found.verdict, wanted, "{}: {}", question.name, found.said);
    }
    assert_eq!(found(&look, "web.redirect").verdict, "not-applicable");
    assert_eq!(found(&look, "names.spf").verdict, "not-tested");
    assert_eq!(look.summary["mandatory_failed"], 0);
    assert_eq!(look.doors.len(), ALL.len());
    let smtp = look.doors.iter().find(|door| door.role == 25).unwrap();
    assert_eq!(smtp.starttls, Some(true));
    assert!(smtp.tls.as_ref().unwrap().versions.iter().any(|one| one.version == "TLS 1.3"));
    let certificate = smtp.certificate.as_ref().unwrap();
    assert!(certificate.trusted && !certificate.self_signed, "{certificate:?}");
    assert_eq!(certificate.names[0], NAME);
    let relay = smtp.relay.unwrap();
    assert!(relay.attempts > 30 && relay.through == 0 && relay.unclear == 0, "{relay:?}");
    assert!(look.connections > 100);
    assert!(!serde_json::to_string(&look).unwrap().contains(PASSWORD));
}

/// Which fault, at which door, which question finds, with which words.
const FAULTS: &[(&str, Protocol, Fault, &str)] = &[
    ("relay.refused", Protocol::Smtp, Fault::OpenRelay, "attempts came through"),
    ("submission.login", Protocol::Submission, Fault::NoLoginNeeded, "without a login"),
    ("smtp.clear-login", Protocol::Smtp, Fault::AuthInClear, "AUTH PLAIN is offered in clear"),
    ("readers.clear-login", Protocol::Imap, Fault::LoginInClear, "LOGINDISABLED isn't named"),
    ("starttls.injection", Protocol::Smtp, Fault::InjectsUnderTls, "is answered under TLS"),
    ("starttls.injection", Protocol::ManageSieve, Fault::InjectsUnderTls, "is answered under TLS"),
    ("starttls.injection", Protocol::ManageSieve, Fault::NoNoop, "is answered under TLS"),
    ("starttls.injection", Protocol::ManageSieve, Fault::InjectsInClear, "it goes on in clear"),
    ("readers.clear-login", Protocol::ManageSieve, Fault::LoginInClear, "SASL PLAIN is offered"),
    ("readers.clear-login", Protocol::ManageSieve, Fault::AuthBegunInClear, "AUTHENTICATE PLAIN asks for a password"),
    ("banner.versions", Protocol::ManageSieve, Fault::Version, "it says 1.2.3"),
    ("smtp.message-end", Protocol::Smtp, Fault::EndsAt(b"\n.\n"), "ends it"),
    ("smtp.hops", Protocol::Smtp, Fault::CountsNoHops, "times is taken"),
    ("smtp.users", Protocol::Smtp, Fault::VrfyTells, "VRFY tells who is there"),
    ("smtp.commands", Protocol::Smtp, Fault::Xclient, "XCLIENT is offered"),
    ("banner.versions", Protocol::Smtp, Fault::Version, "it says 4.96"),
    ("tls.starttls", Protocol::Smtp, Fault::NoStartTls, "STARTTLS isn't offered"),
    ("tls.manners", Protocol::Imaps, Fault::Renegotiates, "it begins anew"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_found_by_its_question_with_evidence_and_a_mend() {
    for (name, protocol, fault, words) in FAULTS {
        let mut house = House::new();
        house.door(*protocol, &[*fault]).await;
        let topic = QUESTIONS.iter().find(|question| question.name == *name).unwrap().topic;
        let skip = [Topic::Doors, Topic::Tls, Topic::Relay, Topic::Mail, Topic::Users, Topic::Names];
        let skip = skip.into_iter().filter(|other| *other != topic).collect();
        let look = looked(&Aim { recipients: vec![CANARY.to_owned()], skip, ..at(&house) }).await;
        let found = found(&look, name);
        assert_eq!(found.verdict, "fail", "{name}: {}", found.said);
        assert!(found.said.contains(words), "{name}: {}", found.said);
        assert!(!found.evidence.is_empty() && !found.mend.is_empty(), "{name}");
        let others = look.findings.iter().filter(|one| one.verdict == "pass" && one.weight > 5).count();
        assert!(look.findings[0].verdict == "fail", "what failed comes first ({others} passed)");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_tls_and_certificates_that_prove_nothing_are_told_with_their_facts() {
    let only_tls = vec![Topic::Doors, Topic::Relay, Topic::Mail, Topic::Users, Topic::Names];
    let mut house = House::new();
    let manners = Manners { versions: vec![0x0301, 0x0303], suites: vec![0xc013, 0xc02f], ..Manners::good() };
    house.door_with(Protocol::Imaps, &[], Some(manners)).await;
    let look = looked(&Aim { skip: only_tls.clone(), ..at(&house) }).await;
    assert!(found(&look, "tls.versions").said.contains("TLS 1.0 is taken"), "{:?}", found(&look, "tls.versions").said);
    let weak = &look.doors[0].tls.as_ref().unwrap().weak_suites;
    assert_eq!(weak, &["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"]);
    assert_eq!(found(&look, "tls.suites").verdict, "fail");

    for (shows, words) in [(Shows::Expired, "days are left"), (Shows::Untrusted, ""), (Shows::OtherName, "")] {
        let mut house = House::showing(shows);
        house.door(Protocol::Imaps, &[]).await;
        let look = looked(&Aim { skip: only_tls.clone(), ..at(&house) }).await;
        let found = found(&look, "tls.certificate");
        assert_eq!(found.verdict, "fail", "{shows:?}: {}", found.said);
        assert!(found.said.contains(words), "{}", found.said);
        let certificate = look.doors[0].certificate.as_ref().unwrap();
        assert!(!certificate.trusted && certificate.why.is_some(), "{certificate:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_tls_whose_only_certificate_nobody_trusts_is_not_trusted_without_anchors() {
    let mut house = House::new();
    house.door(Protocol::Imaps, &[]).await;
    let skip = vec![Topic::Doors, Topic::Relay, Topic::Mail, Topic::Users, Topic::Names];
    let look = looked(&Aim { anchors: Anchors::default(), skip, ..at(&house) }).await;
    assert_eq!(found(&look, "tls.certificate").verdict, "not-tested");
}

/// A server that says yes to everything, and remembers what was said to it.
async fn sink() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let _gone = stream.write_all(b"220 \x1b]0;sink\x07 says yes\r\n").await;
                loop {
                    let mut line = Vec::new();
                    if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                    let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
                    heard.lock().unwrap().push(line);
                    let reply: &[u8] = match word.as_str() {
                        "STARTTLS" => b"502 no\r\n",
                        "DATA" => b"354 go on\r\n",
                        "QUIT" => {
                            let _gone = stream.write_all(b"221 bye\r\n").await;
                            return;
                        }
                        _ => b"250 yes\r\n",
                    };
                    if stream.write_all(reply).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_relay_is_found_and_no_message_is_begun_and_nobody_real_is_named() {
    let (port, heard) = sink().await;
    let look = looked(&aim(vec![Port { number: port, role: Some(25) }])).await;
    let relay = found(&look, "relay.refused");
    assert_eq!((relay.verdict.as_str(), relay.hole), ("fail", true), "{}", relay.said);
    assert!(look.doors[0].relay.unwrap().through > 30);
    assert!(look.summary["mandatory_failed"] >= 1);
    for asked in ["smtp.message-end", "smtp.hops"] {
        assert_eq!(found(&look, asked).verdict, "not-tested", "{asked}");
    }
    let heard = heard.lock().unwrap();
    assert!(!heard.iter().any(|line| line.to_ascii_uppercase().starts_with("DATA")), "a message was begun");
    assert!(!heard.iter().any(|line| line.to_ascii_uppercase().starts_with("BDAT")), "a message was begun");
    for line in heard.iter().filter(|line| line.to_ascii_uppercase().starts_with("RCPT")) {
        // Ours by name or by address, or a domain that nobody has.
        let lower = line.to_ascii_lowercase();
        let is_ours = ["example.org", "127.0.0.1"].iter().any(|ours| lower.contains(ours));
        let is_reserved = [".example", ".invalid"].iter().any(|reserved| lower.contains(reserved));
        assert!(is_ours || is_reserved || !lower.contains('@'), "{line}");
    }
    let text = serde_json::to_value(&look).unwrap().to_string();
    assert!(!text.contains('\u{1b}') && !text.contains("\\u001b"), "what acts on a terminal is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_to_the_named_recipient_and_to_nobody_else() {
    let (port, heard) = sink().await;
    let skip = vec![Topic::Doors, Topic::Tls, Topic::Relay, Topic::Users, Topic::Names];
    let recipients = vec!["probe@example.org".to_owned()];
    let look = looked(&Aim { skip, recipients, ..aim(vec![Port { number: port, role: Some(25) }]) }).await;
    assert_eq!(found(&look, "smtp.message-end").verdict, "fail", "it answers every line of a message");
    let heard = heard.lock().unwrap();
    let named: Vec<&String> = heard.iter().filter(|line| line.starts_with("RCPT TO:")).collect();
    assert!(!named.is_empty() && named.iter().all(|line| *line == "RCPT TO:<probe@example.org>"), "{named:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_accepts_and_says_nothing_and_one_that_never_ends_a_line_pass_nothing() {
    let (silent, endless) = (saying(Vec::new()).await.port(), saying(vec![b'x'; 200_000]).await.port());
    let ports = [(25, silent), (143, endless)].map(|(role, number)| Port { number, role: Some(role) });
    let look = looked(&aim(ports.to_vec())).await;
    assert_eq!(found(&look, "doors.answer").verdict, "fail");
    for name in ["relay.refused", "smtp.clear-login", "readers.clear-login", "starttls.injection", "smtp.users"] {
        assert_eq!(found(&look, name).verdict, "not-tested", "{name}: {}", found(&look, name).said);
    }
    for name in ["tls.starttls", "tls.versions", "tls.certificate", "banner.versions"] {
        assert_ne!(found(&look, name).verdict, "pass", "{name}: {}", found(&look, name).said);
    }
    // The rate is the usual one unless told otherwise.
    assert_eq!(Aim::at(NAME).rate, PROBE_RATE);
}

#[tokio::test]
async fn a_host_without_an_open_port_is_nobody_and_too_much_is_refused() {
    let mut house = House::new();
    house.shut(Protocol::Smtp);
    let nobody = look(&at(&house), &SystemClock, &mut ()).await;
    assert_eq!(nobody, Err(ProbeError::Nobody(NAME.to_owned())));
    for (what, aim) in [
        ("addresses", Aim { addresses: vec!["127.0.0.1".parse().unwrap(); PROBE_ADDRESSES_MAX + 1], ..at(&house) }),
        ("selectors", Aim { selectors: vec!["s".to_owned(); PROBE_NAMES_MAX + 1], ..at(&house) }),
        ("recipients", Aim { recipients: vec!["a@b".to_owned(); PROBE_NAMES_MAX + 1], ..at(&house) }),
        ("lists", Aim { lists: vec!["l.example".parse().unwrap(); PROBE_NAMES_MAX + 1], ..at(&house) }),
    ] {
        match look(&aim, &SystemClock, &mut ()).await {
            Err(ProbeError::TooMany { what: said, .. }) => assert_eq!(said, what),
            other => panic!("{what}: {other:?}"),
        }
    }
    let unnamed = look(&Aim::at("no such host"), &SystemClock, &mut ()).await;
    assert!(matches!(unnamed, Err(ProbeError::Host(_))));
    let unasked = look(&Aim::at("mx.example.org"), &SystemClock, &mut ()).await;
    assert!(matches!(unasked, Err(ProbeError::NoAddress { .. })));
}

/// A look at one door that is quickly made.
async fn quick(faults: &[Fault], inside: Option<u16>) -> Look {
    let mut house = House::new();
    house.door(Protocol::Smtp, faults).await;
    let skip = vec![Topic::Tls, Topic::Relay, Topic::Users, Topic::Names];
    let mut aim = Aim { skip, ..at(&house) };
    aim.ports.extend(inside.map(|number| Port { number, role: None }));
    looked(&aim).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_nobody_should_reach_is_found_open() {
    let inside = saying(Vec::new()).await.port();
    let look = quick(&[], Some(inside)).await;
    let found = found(&look, "ports.inside");
    assert_eq!(found.verdict, "fail");
    assert!(found.said.contains(&format!("127.0.0.1:{inside} is open")), "{}", found.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_other_than_the_last_time_is_told_and_nothing_else() {
    let before = quick(&[], None).await;
    assert!(changes(&before, &before).is_empty());
    let mut now = before.clone();
    now.ports[0].state = PortState::Closed;
    now.findings.iter_mut().find(|found| found.name == "relay.refused").unwrap().verdict = "fail".to_owned();
    now.addresses.push("2001:db8::1".parse().unwrap());
    now.seconds += 5;
    let port = before.ports[0].port;
    let told = changes(&before, &now);
    let told: Vec<(&str, Option<&str>, Option<&str>)> =
        told.iter().map(|one| (one.what.as_str(), one.was.as_deref(), one.is.as_deref())).collect();
    let port = format!("127.0.0.1 port {port}");
    assert_eq!(
        told,
        [
            (port.as_str(), Some("open"), Some("closed")),
            ("address 2001:db8::1", None, Some("there")),
            ("relay.refused", Some("not-tested"), Some("fail")),
        ]
    );
    let many = (0..PROBE_CHANGES_MAX + 10).map(|n| Port { number: 1, role: Some(u16::try_from(n).unwrap()) });
    let mut much = before.clone();
    for port in many {
        let mut seen = before.ports[0].clone();
        seen.port = port.role.unwrap();
        much.ports.push(seen);
    }
    assert_eq!(changes(&before, &much).len(), PROBE_CHANGES_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_is_kept_for_its_owner_alone_and_read_back_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("probe/mx.example.org.json");
    assert_eq!(Kept::read(&path, NAME).unwrap(), None);
    let mut kept = Kept::new(NAME, "2026-01-01T00:00:00.000Z".to_owned());
    kept.last = Some(quick(&[], None).await);
    kept.write(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Kept::read(&path, NAME).unwrap(), Some(kept.clone()));
    assert!(matches!(Kept::read(&path, "other.example.org"), Err(KeptError::Odd { .. })), "it is another host's");
    // Evidence gives way where there is too much of it.
    let mut fat = kept.clone();
    let found = fat.last.as_mut().unwrap().findings.iter_mut().find(|found| !found.evidence.is_empty()).unwrap();
    let mut one = found.evidence[0].clone();
    one.excerpt = "x".repeat(4096);
    found.evidence = vec![one; PROBE_STATE_MAX / 4096 + 10];
    fat.write(&path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() <= PROBE_STATE_MAX as u64);
    let read = Kept::read(&path, NAME).unwrap().unwrap();
    assert_eq!(read.last.unwrap().ports, kept.last.unwrap().ports);
    std::fs::write(&path, vec![b' '; PROBE_STATE_MAX + 1]).unwrap();
    assert!(matches!(Kept::read(&path, NAME), Err(KeptError::Odd { why, .. }) if why.contains("more than")));
    std::fs::write(&path, "{}").unwrap();
    assert!(Kept::read(&path, NAME).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_and_texts_without_end_are_cut() {
    let mut words = b"220 mx ".to_vec();
    words.extend(vec![b'y'; PROBE_TEXT_MAX * 3]);
    words.extend(b"\r\n");
    for _ in 0..PROBE_FEATURES_MAX * 2 {
        words.extend(b"250-FEATURE\r\n");
    }
    words.extend(b"250 END\r\n252 x\r\n252 x\r\n");
    let port = saying(words).await.port();
    let skip = vec![Topic::Doors, Topic::Tls, Topic::Relay, Topic::Users, Topic::Names];
    let look = looked(&Aim { skip, ..aim(vec![Port { number: port, role: Some(25) }]) }).await;
    let door = &look.doors[0];
    assert_eq!(door.banner.as_ref().unwrap().chars().count(), PROBE_TEXT_MAX);
    assert_eq!(door.features.as_ref().unwrap().len(), PROBE_FEATURES_MAX);
}

#[test]
fn the_page_lists_every_question_with_its_control_and_weight() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/probe.md")).unwrap();
    for question in &QUESTIONS {
        let star = if question.is_hole() { " ★" } else { "" };
        let row =
            format!("| `{}` | {} | {}{star} |", question.name, question.control.unwrap_or_default(), question.weight())
                .replace("|  |", "| |");
        assert!(page.contains(&row), "docs/probe.md has no {row}");
    }
}

proptest! {
    #[test]
    fn whatever_a_kept_look_holds_it_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _read = Kept::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes).replace(['"', '\\'], "");
        let shaped = format!("{{\"format\":\"mailward-probe-state/1\",\"host\":{text:?},\"responsible\":\"\",\"last\":null}}");
        if let Ok(kept) = Kept::parse(shaped.as_bytes()) {
            prop_assert_eq!(kept.last, None);
        }
    }
}
