//! Hosts that mean ill to who looks at them: whatever they do, the look ends, says what it knows, and is told without harm.

use super::{aim, at, found, looked};
use crate::house::{CANARY, House, NAME};
use mailward_audit::Protocol;
use mailward_audit::knock::Anchors;
use mailward_audit::probe::{Aim, Look, Port, PortState, QUESTIONS, Topic, USUAL};
use mailward_core::limits::{PROBE_FEATURES_MAX, PROBE_SAID_MAX, PROBE_TEXT_MAX, PROBE_TEXTS_MAX};
use mailward_dns_zone::{Data, Records};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Listens, and does this with the connection of this number.
async fn listening<F>(does: fn(TcpStream, usize) -> F) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let count = AtomicUsize::new(0);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(does(stream, count.fetch_add(1, Ordering::SeqCst)));
        }
    });
    port
}

/// A byte now and then, and never the end of a line.
async fn trickles(mut stream: TcpStream, _: usize) {
    while stream.write_all(b"2").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing that a terminal acts on, or that isn't seen where it stands, is left of it; and it is no longer than fits anybody's disk.
fn is_tame(look: &Look) {
    let text = serde_json::to_string(look).unwrap();
    for hidden in ["\\u001b", "\\u0007", "\u{202e}", "\u{2066}", "\u{200b}", "\u{9b}"] {
        assert!(!text.contains(hidden), "{hidden:?} is left");
    }
    assert!(text.len() < 2_000_000, "{} bytes", text.len());
    for one in &look.findings {
        assert!(one.said.chars().count() <= PROBE_SAID_MAX, "{}", one.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_port_trickles_the_look_ends_in_time_and_names_are_asked_all_the_same() {
    let mut ports = Vec::new();
    for (role, _) in USUAL {
        ports.push(Port { number: listening(trickles).await, role: Some(role) });
    }
    let dns = Records::default()
        .mx("example.org", "mx.example.org")
        .address("mx.example.org", "192.0.2.1")
        .txt("example.org", "v=spf1 mx -all");
    let look = looked(&Aim { lookup: Some(Arc::new(dns)), time: Duration::from_secs(3), ..aim(ports) }).await;
    assert_eq!(look.findings.len(), QUESTIONS.len(), "every question has an answer");
    assert_eq!(found(&look, "names.spf").verdict, "pass", "{}", found(&look, "names.spf").said);
    for question in QUESTIONS.iter().filter(|one| !matches!(one.topic, Topic::Names | Topic::Ports)) {
        assert_ne!(found(&look, question.name).verdict, "pass", "{}", question.name);
    }
    let late = found(&look, "relay.refused");
    assert!(late.verdict == "not-tested" && late.said.contains("a look takes 3 seconds at most"), "{}", late.said);
    assert_eq!(look.doors.len(), USUAL.len() - 1, "what is known of each door is told");
    is_tame(&look);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_that_weren_t_tried_in_time_are_told_and_aren_t_closed() {
    let open = listening(trickles).await;
    let mut ports = vec![Port { number: open, role: None }];
    ports.extend((1..=50).map(|number| Port { number, role: None }));
    let look = looked(&Aim { rate: 4, time: Duration::from_secs(2), ..aim(ports.clone()) }).await;
    let untried = look.ports.iter().filter(|port| port.state == PortState::Untried).count();
    assert!(untried > 20 && look.ports.len() == ports.len(), "{untried}");
    assert_eq!(found(&look, "ports.inside").verdict, "fail", "what is open is told all the same");
    let mail = vec![Port { number: open, role: Some(25) }, Port { number: 1, role: Some(143) }];
    let look = looked(&Aim { rate: 1, time: Duration::from_millis(500), ..aim(mail) }).await;
    let alike = found(&look, "ports.alike");
    assert_eq!(alike.verdict, "not-tested", "{}", alike.said);
}

/// Agrees to TLS, hears the first flight, and never says anything again.
async fn stalls(mut stream: TcpStream, _: usize) {
    let mut space = [0; 4096];
    while stream.read(&mut space).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_that_stalls_is_left_and_nothing_of_it_passes() {
    let port = listening(stalls).await;
    let ports = vec![Port { number: port, role: Some(993) }, Port { number: port, role: Some(443) }];
    let skip = vec![Topic::Names];
    let anchors = House::new().scene().anchors;
    let look = looked(&Aim { time: Duration::from_secs(3), skip, anchors, ..aim(ports) }).await;
    for name in ["tls.versions", "tls.suites", "tls.manners", "tls.certificate", "tls.hybrid"] {
        assert_eq!(found(&look, name).verdict, "not-tested", "{name}: {}", found(&look, name).said);
    }
}

/// Another server each time, as behind something that spreads connections, or one that knows who looks.
async fn another_each_time(mut stream: TcpStream, number: usize) {
    let mut space = [0; 4096];
    match number % 5 {
        0 => {
            let _gone = stream.write_all(b"220 good\r\n").await;
            while stream.read(&mut space).await.is_ok_and(|count| count > 0) {
                let _gone = stream.write_all(b"550 5.7.1 no relaying\r\n").await;
            }
        }
        1 => {
            let _gone = stream.write_all(b"* OK IMAP4rev1 ready\r\n").await;
            let _ended = stream.read(&mut space).await;
        }
        2 => {
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n<script>alert(1)</script>").await;
        }
        3 => {
            let _gone = stream.write_all(&[0xff; 300]).await;
        }
        _ => {
            let _gone = stream.write_all(b"220 open\r\n").await;
            while stream.read(&mut space).await.is_ok_and(|count| count > 0) {
                let _gone = stream.write_all(b"250 yes\r\n").await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_with_another_server_each_time_is_never_found_to_be_good() {
    for first in 0..5 {
        let port = listening(another_each_time).await;
        for _ in 0..first {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _heard = stream.read(&mut [0; 1]).await;
        }
        let skip = vec![Topic::Names, Topic::Tls];
        let ports = vec![Port { number: port, role: Some(25) }];
        let look = looked(&Aim { time: Duration::from_secs(6), skip, ..aim(ports) }).await;
        let relay = found(&look, "relay.refused");
        assert_ne!(relay.verdict, "pass", "from {first} on: {}", relay.said);
        is_tame(&look);
    }
}

const CANARIES: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J<script>alert(1)</script>\u{202e}\u{2066}\u{200b}\u{9b}2J";

/// What would act on a terminal, or on a page, wherever a server of SMTP may say something.
async fn says_what_acts(mut stream: TcpStream, _: usize) {
    let _gone = stream.write_all(format!("220 {CANARIES}\r\n").as_bytes()).await;
    let mut space = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut space).await {
        let answer = if space[..count].starts_with(b"EHLO") {
            let many = format!("250-{CANARIES}\r\n").repeat(PROBE_FEATURES_MAX * 3);
            format!("{many}250 AUTH {CANARIES} {}\r\n", "X".repeat(PROBE_TEXT_MAX * 2))
        } else {
            format!("550-{CANARIES}\r\n550 5.1.1 {CANARIES}\r\n")
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_acts_on_a_terminal_is_marked_in_banners_features_and_replies() {
    let port = listening(says_what_acts).await;
    let ports = vec![Port { number: port, role: Some(25) }, Port { number: port, role: Some(80) }];
    let recipients = vec![CANARY.to_owned()];
    let look = looked(&Aim { skip: vec![Topic::Names], recipients, ..aim(ports) }).await;
    let door = &look.doors[0];
    assert!(door.banner.as_ref().unwrap().contains("<script>"), "what is harmless on a terminal stays: {door:?}");
    assert_eq!(door.features.as_ref().unwrap().len(), PROBE_FEATURES_MAX);
    is_tame(&look);
}

/// TLS with a certificate of a thousand names that would act wherever they are shown, so many times.
fn many_names(copies: usize) -> tokio_rustls::TlsAcceptor {
    let names = (0..1_000).map(|number| {
        let name = format!("\u{1b}[2J<img src=x onerror=alert(1)>{number}.example");
        rcgen::SanType::DnsName(name.try_into().unwrap())
    });
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = names.collect();
    params.distinguished_name.push(rcgen::DnType::CommonName, CANARIES);
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone(); copies], private)
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// Speaks a little IMAP under it.
async fn under_tls(acceptor: &tokio_rustls::TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let _gone = stream.write_all(b"* OK x\r\n").await;
    let mut space = [0; 1024];
    while stream.read(&mut space).await.is_ok_and(|count| count > 0) {
        let _gone = stream.write_all(b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n").await;
    }
}

async fn shows_much(stream: TcpStream, _: usize) {
    static ACCEPTOR: OnceLock<tokio_rustls::TlsAcceptor> = OnceLock::new();
    under_tls(ACCEPTOR.get_or_init(|| many_names(1)), stream).await;
}

async fn shows_too_much(stream: TcpStream, _: usize) {
    static ACCEPTOR: OnceLock<tokio_rustls::TlsAcceptor> = OnceLock::new();
    under_tls(ACCEPTOR.get_or_init(|| many_names(12)), stream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_certificate_is_cut_or_not_read_and_its_names_act_nowhere() {
    let ports = [(993, listening(shows_much).await), (995, listening(shows_too_much).await)];
    for (role, number) in ports {
        let skip = vec![Topic::Doors, Topic::Relay, Topic::Mail, Topic::Users, Topic::Names];
        let anchors = House::new().scene().anchors;
        let look = looked(&Aim { skip, anchors, ..aim(vec![Port { number, role: Some(role) }]) }).await;
        let judged = found(&look, "tls.certificate");
        if role == 993 {
            let certificate = look.doors[0].certificate.as_ref().unwrap();
            assert!(certificate.names.len() == PROBE_FEATURES_MAX && !certificate.trusted);
            assert_eq!(judged.verdict, "fail", "{}", judged.said);
        } else {
            assert_eq!(judged.verdict, "not-tested", "{}", judged.said);
        }
        is_tame(&look);
    }
}

/// A look at names alone.
async fn names_of(dns: Records) -> Look {
    let mut house = House::new();
    house.door(Protocol::Smtp, &[]).await;
    let skip = vec![Topic::Doors, Topic::Tls, Topic::Relay, Topic::Mail, Topic::Users, Topic::Web];
    let selectors = vec!["s1".to_owned()];
    looked(&Aim { lookup: Some(Arc::new(dns)), skip, selectors, ..at(&house) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_mail_hosts_circles_of_aliases_and_texts_that_act_are_bounded_and_tamed() {
    let mut many = Records::default();
    for number in 0..5_000 {
        many = many.mx("example.org", &format!("{CANARIES}{number}.example."));
    }
    let many = many.txt("example.org", &format!("v=spf1 {CANARIES} {}", "x".repeat(60_000)));
    let many = many.txt("_dmarc.example.org", &format!("v=DMARC1; p={CANARIES}"));
    let many = many.txt("s1._domainkey.example.org", &format!("v=DKIM1; p={CANARIES}"));
    let look = names_of(many.txt("_smtp._tls.example.org", &format!("v=TLSRPTv1; rua=mailto:{CANARIES}"))).await;
    assert_eq!(look.names.as_ref().unwrap().mx.len(), PROBE_TEXTS_MAX);
    for name in ["names.mx", "names.host", "names.spf", "names.dmarc"] {
        assert_ne!(found(&look, name).verdict, "pass", "{name}: {}", found(&look, name).said);
    }
    is_tame(&look);
    let circle = Records::default()
        .mx("example.org", NAME)
        .with(NAME, Data::Alias("b.example.org".to_owned()))
        .with("b.example.org", Data::Alias(NAME.to_owned()));
    let look = names_of(circle).await;
    assert_eq!(found(&look, "names.mx").verdict, "not-tested", "{}", found(&look, "names.mx").said);
    // Nobody's anchors are needed to find that out.
    assert!(Anchors::default().is_empty());
}
