//! Handshakes through memory, and certificates good and bad.

use crate::authority::{Authority, Issued, create, issue};
use crate::client::{Connector, TlsStream, Versions};
use crate::{Acceptor, PEM_FILE_MAX, TlsError, TlsInfo, Wire};
use mailward_core::{Protocol, Timestamp};
use proptest::prelude::*;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const DAY: Duration = Duration::from_secs(86_400);

struct Made {
    authority: Authority,
    issued: Issued,
    acceptor: Acceptor,
}

fn made() -> Made {
    let authority = create(&["example.test"], SystemTime::now()).unwrap();
    let issued = issue(&authority, &["mail.example.test"], SystemTime::now()).unwrap();
    let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    Made { authority, issued, acceptor }
}

/// One for the tests that don't change it: making keys takes time.
fn shared() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(made)
}

type Both = (Result<Wire, TlsError>, Result<TlsStream<DuplexStream>, TlsError>);

async fn handshake(made: &Made, acceptor: &Acceptor, alpn: &[&[u8]], versions: Versions, name: &str) -> Both {
    let connector = Connector::trusting(made.authority.certificate_pem.as_bytes(), alpn, versions).unwrap();
    let (ours, theirs) = duplex(64 * 1024);
    tokio::join!(Wire::memory(ours).accept_tls(acceptor), connector.connect(theirs, name))
}

async fn info(versions: Versions) -> (TlsInfo, TlsStream<DuplexStream>) {
    let (wire, client) = handshake(shared(), &shared().acceptor, &[], versions, "mail.example.test").await;
    (wire.unwrap().tls().unwrap().clone(), client.unwrap())
}

#[tokio::test]
async fn what_one_side_writes_the_other_reads() {
    let made = shared();
    let (wire, client) = handshake(made, &made.acceptor, &[], Versions::Both, "mail.example.test").await;
    let (mut wire, mut client) = (wire.unwrap(), client.unwrap());
    assert!(wire.is_tls());
    let mut read = [0u8; 5];
    client.write_all(b"hello").await.unwrap();
    client.flush().await.unwrap();
    wire.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
    wire.write_all(b"world").await.unwrap();
    wire.flush().await.unwrap();
    client.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"world");
    wire.shutdown().await.unwrap();
    assert_eq!(client.read(&mut read).await.unwrap(), 0, "a clean end, no truncation");
}

#[tokio::test]
async fn a_plain_wire_is_just_the_bytes() {
    let (ours, mut theirs) = duplex(64);
    let mut wire = Wire::memory(ours);
    assert!(!wire.is_tls() && wire.tls().is_none());
    wire.write_all(b"220 hi\r\n").await.unwrap();
    let mut read = [0u8; 8];
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"220 hi\r\n");
}

#[tokio::test]
async fn tcp_and_unix_carry_tls_as_well() {
    let made = shared();
    let connector = Connector::trusting(made.authority.certificate_pem.as_bytes(), &[], Versions::Both).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = listener.accept().await.unwrap().0;
    let (wire, client) =
        tokio::join!(Wire::tcp(server).accept_tls(&made.acceptor), connector.connect(client, "127.0.0.1"));
    assert!(wire.unwrap().is_tls() && client.is_ok());
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let (wire, client) =
        tokio::join!(Wire::unix(ours).accept_tls(&made.acceptor), connector.connect(theirs, "localhost"));
    assert!(wire.unwrap().is_tls() && client.is_ok());
}

#[tokio::test]
async fn both_versions_are_spoken_and_named() {
    let (new, _) = info(Versions::Both).await;
    assert_eq!(new.version, "TLSv1.3");
    assert!(new.cipher.starts_with("TLS_AES_") || new.cipher.starts_with("TLS_CHACHA20_"), "{}", new.cipher);
    assert_eq!(new.sni.as_deref(), Some("mail.example.test"));
    let (old, _) = info(Versions::Tls12).await;
    assert_eq!(old.version, "TLSv1.2");
    assert!(old.cipher.starts_with("TLS_ECDHE_"), "{}", old.cipher);
}

/// Attacks B10: both sides compute the same binding, and every session another.
#[tokio::test]
async fn the_binding_is_the_sessions_own() {
    let (one, client) = info(Versions::Both).await;
    let theirs = client.get_ref().1.export_keying_material([0u8; 32], b"EXPORTER-Channel-Binding", Some(&[])).unwrap();
    assert_eq!(one.bindings.exporter, Some(theirs));
    let (two, _) = info(Versions::Both).await;
    assert_ne!(one.bindings.exporter, two.bindings.exporter);
    let certificate = client.get_ref().1.peer_certificates().unwrap()[0].as_ref();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    assert_eq!(one.bindings.server_end_point.as_deref(), Some(hash.as_ref()), "signed by ECDSA with SHA-256");
    assert_eq!(one.bindings.server_end_point, two.bindings.server_end_point);
}

#[tokio::test]
async fn under_tls_1_2_there_is_no_exporter_to_bind_to() {
    let (old, _) = info(Versions::Tls12).await;
    assert_eq!(old.bindings.exporter, None);
    assert!(old.bindings.server_end_point.is_some());
}

/// Attacks B8.
#[tokio::test]
async fn a_client_that_means_another_protocol_is_refused() {
    let made = shared();
    let all: [(Protocol, &[u8]); 7] = [
        (Protocol::Smtp, b"smtp"),
        (Protocol::Smtp, b"esmtp"),
        (Protocol::Submission, b"smtp"),
        (Protocol::Lmtp, b"smtp"),
        (Protocol::Imap, b"imap"),
        (Protocol::Pop3, b"pop3"),
        (Protocol::Http, b"http/1.1"),
    ];
    for (protocol, id) in all {
        let acceptor = made.acceptor.for_protocol(protocol);
        let (wire, _) = handshake(made, &acceptor, &[], Versions::Both, "localhost").await;
        assert!(wire.is_ok(), "{protocol:?}: who says nothing is served");
        let (wire, client) = handshake(made, &acceptor, &[b"x", id], Versions::Both, "localhost").await;
        assert!(wire.is_ok());
        assert_eq!(client.unwrap().get_ref().1.alpn_protocol(), Some(id));
        for other in [b"http/1.1".as_slice(), b"h2", b"smtp", b"imap", b"pop3", b"ftp"] {
            if !id.ends_with(other) {
                let (wire, client) = handshake(made, &acceptor, &[other], Versions::Both, "localhost").await;
                assert!(matches!(wire, Err(TlsError::Handshake(_))) && client.is_err(), "{protocol:?}");
            }
        }
    }
    let (wire, _) = handshake(made, &made.acceptor, &[b"h2"], Versions::Both, "localhost").await;
    assert!(wire.is_err(), "no mail protocol at all");
    let (wire, _) = handshake(made, &made.acceptor, &[b"imap"], Versions::Both, "localhost").await;
    assert!(wire.is_ok());
}

#[tokio::test]
async fn a_session_goes_on_when_the_certificate_is_replaced() {
    let (old, new) = (made(), made());
    let imap = old.acceptor.for_protocol(Protocol::Imap);
    let (wire, client) = handshake(&old, &imap, &[], Versions::Both, "localhost").await;
    let (mut wire, mut client) = (wire.unwrap(), client.unwrap());
    let serial = old.acceptor.serial();
    old.acceptor.replace(&new.acceptor);
    client.write_all(b"still").await.unwrap();
    let mut read = [0u8; 5];
    wire.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"still");
    // The view that was made before takes the new one too (attacks B11).
    let (_, client) = handshake(&old, &imap, &[], Versions::Both, "localhost").await;
    assert!(client.is_err(), "the old authority did not sign the new certificate");
    let (wire, client) = handshake(&new, &imap, &[], Versions::Both, "localhost").await;
    assert!(wire.is_ok() && client.is_ok());
    assert_ne!(imap.serial(), serial);
    assert_eq!(imap.serial(), new.acceptor.serial());
}

#[tokio::test]
async fn tls_starts_once() {
    let made = shared();
    let (wire, _client) = handshake(made, &made.acceptor, &[], Versions::Both, "localhost").await;
    assert!(matches!(wire.unwrap().accept_tls(&made.acceptor).await, Err(TlsError::AlreadyActive)));
}

/// Attacks H1.
#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_not_waited_for() {
    let (ours, _silent) = duplex(64);
    let error = Wire::memory(ours).accept_tls(&shared().acceptor).await.unwrap_err();
    assert!(matches!(error, TlsError::Timeout));
    let (ours, mut slow) = duplex(64);
    let dripping = async {
        // A byte now and then of a record that never gets whole.
        for byte in [0x16u8, 0x03, 0x01, 0x40, 0x00].into_iter().chain(std::iter::repeat_n(0, 100)) {
            if slow.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    let (error, ()) = tokio::join!(Wire::memory(ours).accept_tls(&shared().acceptor), dripping);
    assert!(matches!(error.unwrap_err(), TlsError::Timeout | TlsError::Handshake(_)));
}

/// Attacks B8, B1: a command where a handshake should be.
#[tokio::test]
async fn plain_text_is_no_handshake() {
    for text in
        [b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n".as_slice(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n\r\n"]
    {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(text).await.unwrap();
        theirs.shutdown().await.unwrap();
        let refused = Wire::memory(ours).accept_tls(&shared().acceptor).await;
        assert!(matches!(refused, Err(TlsError::Handshake(_))));
    }
}

/// A ClientHello by hand: good for TLS 1.2 if the version says so.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7u8; 32]);
    // No session; ECDHE-ECDSA with AES-128-GCM; no compression.
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // Extensions: ECDSA with P-256 and SHA-256; X25519; uncompressed points.
    body.extend([0, 22, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length.saturating_add(4), 1, 0, 0, length];
    record.extend(body);
    record
}

#[tokio::test]
async fn versions_that_are_broken_are_refused() {
    let answer = async |version| {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(&hello(version)).await.unwrap();
        theirs.shutdown().await.unwrap();
        Wire::memory(ours).accept_tls(&shared().acceptor).await.unwrap_err().to_string()
    };
    for old in [[3, 0], [3, 1], [3, 2]] {
        let why = answer(old).await;
        assert!(why.contains("Tls12NotOffered"), "{old:?}: {why}");
    }
    let why = answer([3, 3]).await;
    assert!(why.contains("eof"), "answered, and then there was nobody: {why}");
}

fn refused(chain: &str, key: &str) -> String {
    Acceptor::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_bad_certificate_or_key_is_named_with_the_mend() {
    let (one, two) = (shared(), made());
    let (chain, key) = (&one.issued.chain_pem, &one.issued.key_pem);
    let says = |text: String, part: &str| assert!(text.contains(part), "{text}");
    says(refused("", key), "no certificate in it; it must hold PEM certificates");
    says(refused(key, key), "no certificate in it");
    says(refused(chain, ""), "no private key readable");
    says(refused(chain, chain), "no private key readable");
    says(refused(chain, &two.issued.key_pem), "does not belong to the first certificate");
    let cut: String = chain.lines().take(5).collect::<Vec<_>>().join("\n");
    says(refused(&cut, key), "not readable as PEM");
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    says(refused(junk, key), "the first certificate is broken");
    let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    says(refused(chain, junk), "the private key can't be used");
    // The authority's certificate first: the commonest mistake of all.
    let wrong_way = format!("{}{chain}", one.authority.certificate_pem);
    says(refused(&wrong_way, key), "the server's own certificate first");
}

#[test]
fn a_certificate_out_of_its_time_is_named_with_the_date() {
    let now = SystemTime::now();
    let authority = create(&["example.test"], now).unwrap();
    let old = issue(&authority, &["a.example.test"], now - 821 * DAY).unwrap();
    let text = refused(&old.chain_pem, &old.key_pem);
    assert!(text.contains("expired on") && text.contains("renew it"), "{text}");
    let early = issue(&authority, &["a.example.test"], now + 3 * DAY).unwrap();
    let text = refused(&early.chain_pem, &early.key_pem);
    assert!(text.contains("valid only from") && text.contains("clock"), "{text}");
}

#[test]
fn files_are_named_in_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    let error = Acceptor::from_files(&chain, &key).unwrap_err().to_string();
    assert!(error.contains("chain.pem") && error.contains("check that it exists"), "{error}");
    std::fs::write(&chain, &shared().issued.chain_pem).unwrap();
    std::fs::write(&key, "nonsense").unwrap();
    let error = Acceptor::from_files(&chain, &key).unwrap_err().to_string();
    assert!(error.contains("key.pem") && error.contains("private key"), "{error}");
    std::fs::write(&key, &shared().issued.key_pem).unwrap();
    let acceptor = Acceptor::from_files(&chain, &key).unwrap();
    let later = Timestamp(acceptor.expires().0);
    let error = Acceptor::from_files_at(&chain, &key, later).unwrap_err().to_string();
    assert!(error.contains("chain.pem") && error.contains("expired on"), "{error}");
    std::fs::write(&chain, vec![b' '; usize::try_from(PEM_FILE_MAX).unwrap() + 1]).unwrap();
    let error = Acceptor::from_files(&chain, &key).unwrap_err();
    assert!(matches!(error, TlsError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_authority_of_ours_signs_for_its_domains_and_no_others() {
    let now = SystemTime::now();
    let authority = create(&["example.test"], now).unwrap();
    let issued = issue(&authority, &["mail.example.test", "bank.example"], now).unwrap();
    let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let made = Made { authority, issued, acceptor };
    for name in ["mail.example.test", "bank.example"] {
        let (_, client) = handshake(&made, &made.acceptor, &[], Versions::Both, name).await;
        assert!(client.is_err(), "a certificate with a name outside is no certificate: {name}");
    }
    for name in ["mail.example.test", "localhost", "127.0.0.1", "::1"] {
        let (_, client) = handshake(shared(), &shared().acceptor, &[], Versions::Both, name).await;
        assert!(client.is_ok(), "{name}");
    }
    let (_, client) = handshake(shared(), &shared().acceptor, &[], Versions::Both, "other.example.test").await;
    assert!(client.is_err());
}

#[test]
fn what_is_no_name_can_t_stand_in_a_certificate() {
    assert!(matches!(create(&["not a name"], SystemTime::now()), Err(TlsError::Name(_))));
    assert!(matches!(issue(&shared().authority, &["a\r\nb"], SystemTime::now()), Err(TlsError::Name(_))));
    assert!(matches!(issue(&shared().authority, &["*.example.test"], SystemTime::now()), Err(TlsError::Name(_))));
}

#[test]
fn keys_are_never_printed() {
    let made = shared();
    let text = format!("{:?} {:?} {:?}", made.authority, made.issued, made.acceptor);
    assert!(!text.contains("PRIVATE KEY"));
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let _ = Acceptor::from_pem(&bytes, &bytes);
        let _ = crate::bindings::server_end_point(&bytes);
        let mut chain = shared().issued.chain_pem.clone().into_bytes();
        let at = at.index(chain.len());
        chain[at] = to;
        let _ = Acceptor::from_pem(&chain, shared().issued.key_pem.as_bytes());
    }
}
