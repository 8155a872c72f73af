//! What programs and authorities are told: a web server with pages of settings, and a door that shows its certificate.

use super::{World, said};
use mailward_audit::knock::Anchors;
use mailward_audit::probe::{Aim, Look, Port, Topic, look};
use mailward_audit::{Door, Protocol, Verdict};
use mailward_core::SystemClock;
use mailward_core::limits::PROGRAM_SETTINGS_MAX;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Pages by what stands in their path.
pub(crate) type Pages = Vec<(&'static str, String)>;

/// Autoconfig's places: type, host, port, how TLS begins.
fn autoconfig(places: &[(&str, &str, u16, &str)]) -> (&'static str, String) {
    let mut page = "<?xml version=\"1.0\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"example\">".to_owned();
    for (kind, host, port, socket) in places {
        let name = if *kind == "smtp" { "outgoingServer" } else { "incomingServer" };
        page += &format!(
            "<{name} type=\"{kind}\"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType></{name}>"
        );
    }
    ("config-v1.1.xml", page + "</emailProvider></clientConfig>")
}

/// Autodiscover's: type, host, port, whether TLS from the first byte.
fn autodiscover(places: &[(&str, &str, u16, &str)]) -> (&'static str, String) {
    let mut page = "<?xml version=\"1.0\"?><Autodiscover><Response><Account>".to_owned();
    for (kind, host, port, ssl) in places {
        page += &format!(
            "<Protocol><Type>{kind}</Type><Server>{host}</Server><Port>{port}</Port><SSL>{ssl}</SSL></Protocol>"
        );
    }
    ("autodiscover.xml", page + "</Account></Response></Autodiscover>")
}

const THUNDERBIRD: [(&str, &str, u16, &str); 3] =
    [("imap", "mx.%EMAILDOMAIN%", 993, "SSL"), ("pop3", "mx.example", 995, "SSL"), ("smtp", "mx.example", 465, "SSL")];
const OUTLOOK: [(&str, &str, u16, &str); 3] =
    [("IMAP", "mx.example", 993, "on"), ("POP3", "mx.example", 995, "on"), ("SMTP", "MX.example", 465, "on")];

pub(crate) fn good_pages() -> Pages {
    vec![autoconfig(&THUNDERBIRD), autodiscover(&OUTLOOK)]
}

/// What listens.
pub(crate) struct Served {
    pub(crate) port: u16,
    pub(crate) anchors: Anchors,
}

impl Served {
    /// Hands out pages by HTTPS, with a certificate of an authority of this name.
    pub(crate) async fn begins(pages: Pages, authority: &str) -> Self {
        let (key, mut params) = (rcgen::KeyPair::generate().unwrap(), rcgen::CertificateParams::default());
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::OrganizationName, authority);
        let root = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        let names = ["mx.example", "autoconfig.example", "autodiscover.example", "example"].map(str::to_owned);
        let own = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&own, &issuer).unwrap();
        let private = rustls::pki_types::PrivateKeyDer::try_from(own.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, pages) = (acceptor.clone(), pages.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut asked = Vec::new();
                    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                        let mut space = [0; 4096];
                        match stream.read(&mut space).await {
                            Ok(count @ 1..) => asked.extend_from_slice(&space[..count]),
                            _ => return,
                        }
                    }
                    let asked = String::from_utf8_lossy(&asked).into_owned();
                    let path = asked.split(' ').nth(1).unwrap_or_default();
                    let answer = match pages.iter().find(|(part, _)| path.contains(part)) {
                        Some((_, page)) => format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n{page}"),
                        None => "HTTP/1.1 404 Not Found\r\n\r\n".to_owned(),
                    };
                    let _gone = stream.write_all(answer.as_bytes()).await;
                    let _gone = stream.shutdown().await;
                });
            }
        });
        Self { port, anchors: Anchors::only(root.pem().as_bytes()) }
    }

    /// Its doors: they show their certificate, and hold no dialogue.
    pub(crate) fn doors(&self) -> Vec<Door> {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        let all = [Protocol::Imaps, Protocol::Pop3s, Protocol::Submissions];
        all.map(|protocol| Door { protocol, address, name: "mx.example".to_owned() }).into()
    }
}

/// A world whose zone isn't signed, as some lines are left out, with these pages.
fn telling(pages: Pages) -> World {
    World { pages, signed: false, ..World::good() }
}

#[tokio::test]
async fn what_programs_and_authorities_are_told_is_compared_and_found_wrong() {
    let starttls = [("imap", "mx.example", 143, "STARTTLS"), THUNDERBIRD[1], THUNDERBIRD[2]];
    let plain = [OUTLOOK[0], OUTLOOK[1], ("SMTP", "mx.example", 25, "off")];
    let elsewhere = [("imap", "imap.other.example", 993, "SSL"), THUNDERBIRD[1], THUNDERBIRD[2]];
    let pages = |first: &[(&str, &str, u16, &str)]| vec![autoconfig(first), autodiscover(&OUTLOOK)];
    let too_many = vec![THUNDERBIRD[0]; PROGRAM_SETTINGS_MAX + 1];
    let caa = |value: &str| telling(good_pages()).with("IN CAA", value);
    let fail = Verdict::Fail;
    for (id, world, verdict, words) in [
        ("CLI-02", telling(pages(&starttls)), fail, "autoconfig tells of IMAP at mx.example:143 with STARTTLS"),
        ("CLI-02", telling(vec![autodiscover(&plain)]), fail, "submission at mx.example:25 with no TLS"),
        (
            "CLI-02",
            telling(good_pages()).with("_imap._tcp", "_imap._tcp 300 IN SRV 0 0 143 mx.example."),
            fail,
            "SRV tells of IMAP",
        ),
        (
            "CLI-02",
            telling(vec![("xml", "<!DOCTYPE x><clientConfig/>".to_owned())]),
            Verdict::NotTested,
            "can't be read",
        ),
        ("CLI-02", telling(pages(&too_many)), Verdict::NotTested, "can't be read"),
        ("CLI-02", telling(vec![]).with("SRV", ""), Verdict::NotApplicable, "told nothing"),
        (
            "CLI-01",
            telling(pages(&elsewhere)),
            fail,
            "autoconfig leads IMAP to imap.other.example:993, SRV to mx.example:993",
        ),
        (
            "CLI-01",
            telling(vec![autodiscover(&OUTLOOK)]),
            fail,
            "autoconfig: autoconfig.example has no page of settings",
        ),
        ("CLI-01", telling(good_pages()).with("_submissions", ""), fail, "SRV tells of no submission with TLS"),
        (
            "CLI-01",
            telling(good_pages()).with("_pop3s", "_pop3s._tcp 300 IN SRV 0 0 0 ."),
            fail,
            "SRV tells of no POP3",
        ),
        ("CLI-03", telling(good_pages()).with("_pop3._tcp", ""), fail, "_pop3._tcp says nothing"),
        (
            "CLI-03",
            telling(good_pages()).with("_imap._tcp", "_imap._tcp 300 IN SRV 0 0 143 mx.example."),
            fail,
            "_imap._tcp leads to mx.example.:143",
        ),
        ("NET-15", caa(""), fail, "there is no CAA record"),
        ("NET-15", caa("@ 300 IN CAA 0 iodef \"mailto:a@example\""), fail, "name no issuer"),
        ("NET-15", caa("@ 300 IN CAA 0 issue \";\""), fail, "nobody may certify it"),
        ("NET-15", caa("mx 300 IN CAA 0 issue \"pki.goog; accounturi=https://x/1\""), fail, "renewing will fail"),
        ("NET-15", caa("mx 300 IN CAA 0 issue \"letsencrypt.org\""), fail, "no accounturi"),
        (
            "NET-15",
            caa(
                "mx 300 IN CAA 0 issue \"letsencrypt.org; accounturi=https://x/1\"\nmx 300 IN CAA 0 issue \"pki.goog\"",
            ),
            fail,
            "others than Let's Encrypt",
        ),
        ("NET-15", World { authority: "Somebody", ..telling(good_pages()) }, Verdict::NotTested, "isn't known here"),
    ] {
        let (found, said) = world.verdict(id, None).await;
        assert!(found == verdict && said.contains(words), "{id}: {found:?}: {said}, not {words:?}");
    }
}

#[tokio::test]
async fn where_services_can_t_be_asked_for_nothing_is_known_of_programs() {
    for (id, name) in [
        ("CLI-01", "_imaps._tcp.example."),
        ("CLI-02", "_imaps._tcp.example."),
        ("CLI-02", "autoconfig.example."),
        ("CLI-03", "_imap._tcp.example."),
        ("NET-15", "mx.example."),
    ] {
        let (found, said) = World::good().verdict(id, Some(name)).await;
        assert_eq!(found, Verdict::NotTested, "{id}: {said}");
    }
}

async fn looked(world: World, imaps: Option<bool>) -> Look {
    let served = Served::begins(world.pages.clone(), world.authority).await;
    let (_zones, lookup) = world.lookup(None).await;
    let mut ports = vec![Port { number: served.port, role: Some(443) }];
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if let Some(open) = imaps {
        let number = if open { other.local_addr().unwrap().port() } else { 1 };
        ports.push(Port { number, role: Some(993) });
    }
    let aim = Aim {
        addresses: vec!["127.0.0.1".parse().unwrap()],
        ports,
        lookup: Some(lookup),
        anchors: served.anchors.clone(),
        time: std::time::Duration::from_secs(20),
        skip: vec![Topic::Doors, Topic::Relay, Topic::Mail, Topic::Web, Topic::Users],
        ..Aim::at("mx.example")
    };
    look(&aim, &SystemClock, &mut ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_from_outside_compares_what_programs_are_told_with_the_doors() {
    let good = looked(World::good(), None).await;
    for name in ["names.autoconfig", "names.programs", "names.programs-tls", "names.services", "names.caa"] {
        assert_eq!(said(&good, name).0, "pass", "{name}: {}", said(&good, name).1);
    }
    let names = good.names.unwrap();
    assert_eq!(names.caa, ["mx.example: letsencrypt.org for the account https://ca.example/1"]);
    assert!(names.programs[0].contains("IMAP at mx.example:993 with TLS from the first byte"), "{:?}", names.programs);
    let shut = looked(World::good(), Some(false)).await;
    let wanted = ("fail", "mx.example's port 993 is closed at 127.0.0.1");
    assert!(said(&shut, "names.programs").1.contains(wanted.1), "{:?}", said(&shut, "names.programs"));
    assert_eq!(said(&shut, "names.programs").0, wanted.0);
    let nothing = World { pages: Vec::new(), signed: false, ..World::good() }.with("SRV", "");
    let nothing = looked(nothing, None).await;
    assert_eq!(said(&nothing, "names.programs-tls").0, "not-applicable");
    assert_eq!(said(&nothing, "names.programs").0, "fail");
    let weak = [("imap", "mx.example", 143, "plain"), THUNDERBIRD[2]];
    let weak = looked(telling(vec![autoconfig(&weak), autodiscover(&OUTLOOK)]), None).await;
    assert!(
        said(&weak, "names.autoconfig").1.contains("mx.example:143 with no TLS"),
        "{:?}",
        said(&weak, "names.autoconfig")
    );
    assert_eq!(said(&weak, "names.programs-tls").0, "fail");
}
