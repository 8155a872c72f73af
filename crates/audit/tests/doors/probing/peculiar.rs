//! Looks at servers that answer in ways of their own: refusals of all codes, sessions cut short, few places, old certificates.

use super::*;

/// A server that greets so, and answers each line as the function says; nothing ends the session. The function is told how many
/// connections there were.
async fn scripted(greeting: fn(usize) -> &'static str, reply: fn(&str, usize) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 1.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let _gone = stream.write_all(format!("{}\r\n", greeting(number)).as_bytes()).await;
                let mut line = String::new();
                for nth in 1.. {
                    line.clear();
                    if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let answer = reply(line.trim_end(), nth);
                    let sent = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
                    if answer.is_empty() || sent.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// A server of SMTP that takes senders, and answers recipients so.
fn smtp_with(line: &str, recipient: &str) -> String {
    let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
    match word.as_str() {
        "EHLO" => "250-mx\r\n250-AUTH\r\n250-\r\n250 SIZE 10".to_owned(),
        "RCPT" => recipient.to_owned(),
        "HELO" | "MAIL" | "RSET" => "250 fine".to_owned(),
        "QUIT" => String::new(),
        _ => "502 no".to_owned(),
    }
}

async fn at_smtp(greeting: fn(usize) -> &'static str, reply: fn(&str, usize) -> String) -> Look {
    let port = scripted(greeting, reply).await;
    let skip = vec![Topic::Tls, Topic::Mail, Topic::Users, Topic::Names];
    looked(&Aim { skip, ..aim(vec![Port { number: port, role: Some(25) }]) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_one_whatever_its_code_and_who_makes_strangers_come_again_has_refused_nothing() {
    let greets = |_: usize| "220 mx ESMTP";
    for (reply, verdict) in [
        ((|line, _| smtp_with(line, "554 5.7.1 <x>: Relay access denied")) as fn(&str, usize) -> String, "pass"),
        // Refused for good, though what was said isn't even an address.
        (|line, _| smtp_with(line, "550 no"), "pass"),
        // Debian's Postfix: relaying is refused for now, so that a mistake loses no mail.
        (|line, _| smtp_with(line, "454 4.7.1 <x>: Relay access denied"), "pass"),
        (|line, _| smtp_with(line, "451 4.7.1 Greylisted, come again"), "not-tested"),
        (|line, _| smtp_with(line, "250 fine"), "fail"),
        // One greeting a session is all that is let: what comes after can't be tried.
        (
            |line, nth| {
                if line.starts_with("EHLO") && nth > 1 { "503 again?".into() } else { smtp_with(line, "550 no") }
            },
            "pass",
        ),
    ] {
        let look = at_smtp(greets, reply).await;
        let found = found(&look, "relay.refused");
        assert_eq!(found.verdict, verdict, "{}", found.said);
        let relay = look.doors[0].relay.unwrap();
        assert_eq!(relay.through > 0, verdict == "fail", "{relay:?}");
        assert_eq!(relay.unclear > 0, verdict == "not-tested", "{relay:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_sessions_after_some_commands_is_asked_the_rest_in_new_ones() {
    let reply = |line: &str, nth: usize| if nth > 9 { String::new() } else { smtp_with(line, "550 no") };
    let look = at_smtp(|_| "220 mx ESMTP", reply).await;
    let relay = look.doors[0].relay.unwrap();
    assert_eq!((relay.through, relay.unclear), (0, 0), "{}", found(&look, "relay.refused").said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_without_a_way_is_no_login_and_an_empty_feature_is_none() {
    let look = at_smtp(|_| "220 mx ESMTP", |line, _| smtp_with(line, "550 no")).await;
    assert_eq!(found(&look, "smtp.clear-login").verdict, "pass", "{}", found(&look, "smtp.clear-login").said);
    assert_eq!(look.doors[0].features.as_deref(), Some(&["AUTH".to_owned(), "SIZE 10".to_owned()][..]));
    let reply = |line: &str, _: usize| match line {
        "CAPA" => "+OK\r\nTOP\r\nSASL\r\n.".to_owned(),
        "QUIT" => String::new(),
        _ => "-ERR no".to_owned(),
    };
    let port = scripted(|_| "+OK ready", reply).await;
    let skip = vec![Topic::Tls, Topic::Names];
    let look = looked(&Aim { skip, ..aim(vec![Port { number: port, role: Some(110) }]) }).await;
    assert_eq!(found(&look, "readers.clear-login").verdict, "pass", "{}", found(&look, "readers.clear-login").said);
    let reply = |line: &str, _: usize| match line {
        "CAPABILITY" => "\"SASL\" \"PLAIN\"\r\n\"STARTTLS\"\r\nOK".to_owned(),
        _ => "NO".to_owned(),
    };
    let port = scripted(|_| "\"SASL\" \"PLAIN\"\r\nOK \"ready\"", reply).await;
    let skip = vec![Topic::Tls, Topic::Names];
    let look = looked(&Aim { skip, ..aim(vec![Port { number: port, role: Some(4190) }]) }).await;
    assert!(found(&look, "readers.clear-login").said.contains("SASL PLAIN is offered"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_full_for_a_moment_is_asked_again() {
    let greets = |number: usize| if number.is_multiple_of(7) { "421 too many at once" } else { "220 mx ESMTP" };
    let look = at_smtp(greets, |line, _| smtp_with(line, "550 no")).await;
    let relay = look.doors[0].relay.unwrap();
    assert_eq!((relay.through, relay.unclear), (0, 0), "{}", found(&look, "relay.refused").said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_has_few_connections_of_ours_at_once() {
    let (open, most) = (Arc::new(Mutex::new(0_usize)), Arc::new(Mutex::new(0_usize)));
    let mut ports = Vec::new();
    for role in [25, 587, 143, 110] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        ports.push(Port { number: listener.local_addr().unwrap().port(), role: Some(role) });
        let (open, most) = (Arc::clone(&open), Arc::clone(&most));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (open, most) = (Arc::clone(&open), Arc::clone(&most));
                tokio::spawn(async move {
                    let now = {
                        let mut open = open.lock().unwrap();
                        *open += 1;
                        *open
                    };
                    let highest = (*most.lock().unwrap()).max(now);
                    *most.lock().unwrap() = highest;
                    let mut stream = BufReader::new(stream);
                    let greeting = if role == 143 {
                        "* OK mx\r\n"
                    } else if role == 110 {
                        "+OK mx\r\n"
                    } else {
                        "220 mx\r\n"
                    };
                    let _gone = stream.write_all(greeting.as_bytes()).await;
                    let mut line = String::new();
                    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                        let tag = line.split(' ').next().unwrap_or_default();
                        let answer = match role {
                            143 => format!("{tag} NO no\r\n"),
                            110 => "-ERR no\r\n".to_owned(),
                            _ => format!("{}\r\n", smtp_with(line.trim_end(), "550 no")),
                        };
                        line.clear();
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                    *open.lock().unwrap() -= 1;
                });
            }
        });
    }
    let skip = vec![Topic::Mail, Topic::Names];
    looked(&Aim { skip, ..aim(ports) }).await;
    // Those that are over count until the server notices; some questions hold two.
    let most = *most.lock().unwrap();
    assert!(most > 1 && most <= PROBE_DOORS_AT_ONCE * PROBE_AT_ONCE * 2, "{most} at once");
}

/// One value of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let mut whole = vec![tag];
    match body.len() {
        0..=127 => whole.push(length[1]),
        _ => whole.extend([0x82, length[0], length[1]]),
    }
    whole.extend(body);
    whole
}

/// A certificate of version 1, which has no place for names: over in 2001.
fn version_1() -> Arc<rustls::sign::CertifiedKey> {
    use rcgen::PublicKeyData as _;
    let key = rcgen::KeyPair::generate().unwrap();
    let algorithm = der(0x30, &[&der(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]])]);
    let common = der(0x30, &[&der(0x06, &[&[0x55, 0x04, 0x03]]), &der(0x0c, &[b"old"])]);
    let name = der(0x30, &[&der(0x31, &[&common])]);
    let validity = der(0x30, &[&der(0x17, &[b"000101000000Z"]), &der(0x17, &[b"010101000000Z"])]);
    let public = key.subject_public_key_info();
    let body = der(0x30, &[&der(0x02, &[&[7]]), &algorithm, &name, &validity, &name, &public]);
    let whole = der(0x30, &[&body, &algorithm, &der(0x03, &[&[0], &[0x30, 0]])]);
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private).unwrap();
    Arc::new(rustls::sign::CertifiedKey::new(vec![whole.into()], signing))
}

#[derive(Debug)]
struct Always(Arc<rustls::sign::CertifiedKey>);

impl rustls::server::ResolvesServerCert for Always {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn old_acceptor() -> tokio_rustls::TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(version_1())));
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// ManageSieve as RFC 5804 has it: it says what it can before anybody asks, and again once TLS runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managesieve_is_spoken_before_tls_and_after_it() {
    const CLEAR: &[u8] = b"\"IMPLEMENTATION\" \"sieve 1.2\"\r\n\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n";
    const SECURED: &[u8] = b"\"IMPLEMENTATION\" {9}\r\nsieve 1.2\r\n\"SASL\" \"PLAIN\"\r\nOK\r\n";
    let acceptor = old_acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let _gone = stream.write_all(CLEAR).await;
                let mut space = [0; 1024];
                loop {
                    let count = stream.read(&mut space).await.unwrap_or(0);
                    if count == 0 {
                        return;
                    }
                    if space.starts_with(b"STARTTLS") {
                        break;
                    }
                    let _gone = stream.write_all(CLEAR).await;
                }
                let _gone = stream.write_all(b"OK\r\n").await;
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _gone = stream.write_all(SECURED).await;
                while stream.read(&mut space).await.is_ok_and(|count| count > 0) {
                    let _gone = stream.write_all(SECURED).await;
                }
            });
        }
    });
    let skip = vec![Topic::Names];
    let look = looked(&Aim { skip, ..aim(vec![Port { number: port, role: Some(4190) }]) }).await;
    let door = &look.doors[0];
    assert_eq!((door.protocol.as_str(), door.error.as_deref()), ("managesieve", None));
    assert_eq!((door.starttls, door.auth_clear.as_deref()), (Some(true), Some(&[][..])));
    assert_eq!(door.auth_tls.as_deref(), Some(&["PLAIN".to_owned()][..]));
    assert!(door.certificate.is_some() && door.tls.is_some());
    assert_eq!(found(&look, "readers.clear-login").verdict, "pass", "{}", found(&look, "readers.clear-login").said);
    assert_eq!(found(&look, "tls.versions").verdict, "pass", "{}", found(&look, "tls.versions").said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_version_1_is_read_and_fails_instead_of_ending_the_look() {
    let acceptor = old_acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _gone = stream.write_all(b"* OK old\r\n").await;
                let mut space = [0; 1024];
                while stream.read(&mut space).await.is_ok_and(|count| count > 0) {
                    let _gone = stream.write_all(b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n").await;
                }
            });
        }
    });
    let house = House::new();
    let skip = vec![Topic::Doors, Topic::Relay, Topic::Mail, Topic::Users, Topic::Names];
    let look =
        looked(&Aim { anchors: house.scene().anchors, skip, ..aim(vec![Port { number: port, role: Some(993) }]) })
            .await;
    assert_eq!(found(&look, "tls.certificate").verdict, "fail", "{}", found(&look, "tls.certificate").said);
    let door = &look.doors[0];
    let certificate = door.certificate.as_ref().unwrap();
    assert!(certificate.self_signed && !certificate.trusted && certificate.days_left < 0, "{certificate:?}");
    assert_eq!(door.error, None);
    assert_eq!(door.banner.as_deref(), Some("* OK old"));
}
