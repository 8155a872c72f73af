//! What the DNS says: every control passes in a good world, fails where its one thing is spoiled, and doesn't know where nobody answers;
//! and so does a look from outside, with what it has to ask besides.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what it expects")]

mod told;

use mailward_audit::probe::{Aim, Look, Port, Topic, look};
use mailward_audit::{DkimKey, Host, Probe, Scene, Settings, State, Verdict, all, find, run};
use mailward_core::limits::{AUDIT_CONTROL_TIME, AUDIT_NAMES_END, AUDIT_NAMES_MAX, AUDIT_NAMES_TIME, PROBE_TEXTS_MAX};
use mailward_core::{Clock as _, Domain, SystemClock, shutdown};
use mailward_dns::{Answer, CaaRecord, Lookup, Mx, Name, NoDns, Resolver, Srv, TlsaRecord};
use mailward_dns_zone::{Fault, Zone, Zones};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

const KEY: &str = "s1._domainkey 300 IN TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"";

/// A domain that does everything right, below a signed top.
const GOOD: &[&str] = &[
    "@ 300 IN MX 10 mx.example.",
    "mx 300 IN TXT \"v=spf1 a -all\"",
    "mx 300 IN A 45.33.32.156",
    "mx 300 IN AAAA 2600:3c01::f03c:91ff:fe18:bb2f",
    "@ 300 IN TXT \"v=spf1 mx -all\"",
    "_dmarc 300 IN TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@example\"",
    KEY,
    "_mta-sts 300 IN TXT \"v=STSv1; id=20260101\"",
    "_smtp._tls 300 IN TXT \"v=TLSRPTv1; rua=mailto:tls@example\"",
    "_25._tcp.mx 300 IN TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "_imaps._tcp 300 IN SRV 0 1 993 mx.example.",
    "_pop3s._tcp 300 IN SRV 0 1 995 mx.example.",
    "_submissions._tcp 300 IN SRV 0 1 465 MX.example.",
    "_imap._tcp 300 IN SRV 0 0 0 .",
    "_pop3._tcp 300 IN SRV 0 0 0 .",
    "_submission._tcp 300 IN SRV 0 0 0 .",
    "autoconfig 300 IN A 127.0.0.1",
    "autodiscover 300 IN A 127.0.0.1",
    "mx 300 IN CAA 0 issue \"letsencrypt.org; accounturi=https://ca.example/1\"",
];

const REVERSE4: &str = "156.32.33.45.in-addr.arpa. 300 IN PTR mx.example.\n";
const REVERSE6: &str =
    "f.2.b.b.8.1.e.f.f.f.1.9.c.3.0.f.0.0.0.0.0.0.0.0.1.0.c.3.0.0.6.2.ip6.arpa. 300 IN PTR mx.example.\n";

struct World {
    lines: Vec<String>,
    reverse: String,
    signed: bool,
    dnssec: bool,
    servers: &'static str,
    /// Records of a list of hosts, whose zone isn't signed.
    list: &'static str,
    /// The port of other mail hosts.
    port: u16,
    /// Pages that are served.
    pages: told::Pages,
    /// Who certified the server.
    authority: &'static str,
}

impl World {
    fn good() -> Self {
        Self {
            lines: GOOD.iter().map(|line| (*line).to_owned()).collect(),
            reverse: format!("{REVERSE4}{REVERSE6}"),
            signed: true,
            dnssec: true,
            servers: "[\"192.0.2.53:53\", \"192.0.2.54:53\"]",
            list: "2.0.0.127 300 IN A 127.0.0.2\n",
            port: 25,
            pages: told::good_pages(),
            authority: "Let's Encrypt",
        }
    }

    /// With every line that has this text replaced by another; nothing leaves it out.
    fn with(mut self, text: &str, line: &str) -> Self {
        let before = self.lines.len();
        self.lines.retain(|old| !old.contains(text));
        assert!(self.lines.len() < before, "no line has {text}");
        self.lines.extend(line.lines().map(str::to_owned));
        self
    }

    /// A DNS that has it; it answers as long as the first of both is kept.
    async fn lookup(&self, fault: Option<&str>) -> (Zones, Arc<dyn Lookup>) {
        let text = self.lines.join("\n") + "\n";
        let zone = if self.signed { Zone::signed("example.", &text) } else { Zone::plain("example.", &text) };
        let zones = Zones::start(&[
            zone,
            Zone::signed("org.", ""),
            Zone::plain("arpa.", &self.reverse),
            Zone::plain("bl.test.", self.list),
        ])
        .await;
        if let Some(name) = fault {
            zones.fault(name, None, Fault::ServFail);
        }
        let config = mailward_core::config::Dns { dnssec: self.dnssec, ..zones.config() };
        (zones, Arc::new(Resolver::new(&config).unwrap()))
    }

    async fn verdict(&self, id: &str, fault: Option<&str>) -> (Verdict, String) {
        let (_zones, lookup) = self.lookup(fault).await;
        let key = DkimKey {
            selector: "s1".to_owned(),
            value: "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
            made: None,
        };
        let state = State {
            name: Some("mx.example".to_owned()),
            domains: vec!["example".to_owned()],
            dkim: [("example".to_owned(), vec![key])].into(),
            settings: Some(Settings(
                [("dns.servers", self.servers), ("lists.hosts", "[\"bl.test 5\", \"wl.test -3\"]")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            )),
            ..State::default()
        };
        let served = match TOLD.contains(&id) {
            true => Some(told::Served::begins(self.pages.clone(), self.authority).await),
            false => None,
        };
        verdict_at(id, Some(state), Some(lookup), self.port, served).await
    }
}

async fn verdict(id: &str, state: Option<State>, names: Option<Arc<dyn Lookup>>) -> (Verdict, String) {
    verdict_at(id, state, names, 25, None).await
}

async fn verdict_at(
    id: &str,
    state: Option<State>,
    names: Option<Arc<dyn Lookup>>,
    mail_port: u16,
    served: Option<told::Served>,
) -> (Verdict, String) {
    let root = tempfile::tempdir().unwrap();
    let host = Host::at(root.path(), false, Box::new(BTreeMap::new()));
    let mut scene = Scene { names, state, mail_port, ..Scene::of(host, SystemClock.now()) };
    if let Some(served) = served {
        (scene.web_port, scene.doors) = (served.port, served.doors());
        scene.anchors = served.anchors;
    }
    let (_trigger, stop) = shutdown::channel();
    let mut records = run(&[find(id).unwrap()], Arc::new(scene), &SystemClock, &stop, &mut ()).await;
    let record = records.remove(0);
    (record.verdict, record.said)
}

fn ours() -> Vec<&'static str> {
    all().into_iter().filter(|control| control.probe == Probe::Names).map(|control| control.id).collect()
}

#[tokio::test]
async fn everything_passes_in_a_good_world() {
    for id in ours() {
        // Of names that there aren't the test's DNS has no proofs.
        let (found, said) = World { signed: id != "ENC-02", ..World::good() }.verdict(id, None).await;
        // Nobody is beside it.
        let wanted = if BESIDE.contains(&id) { Verdict::NotApplicable } else { Verdict::Pass };
        assert_eq!(found, wanted, "{id}: {said}");
    }
}

/// Controls of what programs and authorities are told.
const TOLD: [&str; 4] = ["NET-15", "CLI-01", "CLI-02", "CLI-03"];

/// Controls that ask other mail hosts.
const BESIDE: [&str; 2] = ["FLT-23", "STB-07"];

/// What another mail host says to each recipient, and whether it offers STARTTLS.
struct Beside {
    to_nobody: &'static str,
    to_elsewhere: &'static str,
    to_postmaster: &'static str,
    offers: bool,
}

impl Beside {
    const fn good() -> Self {
        Self { to_nobody: "550 nobody", to_elsewhere: "550 not here", to_postmaster: "250 fine", offers: true }
    }

    /// Listens on loopback; at which port.
    async fn listens(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 mx2.example\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.as_str() {
                    line if line.starts_with("EHLO") && self.offers => "250-mx2.example\r\n250 STARTTLS",
                    line if line.contains("postmaster@") => self.to_postmaster,
                    line if line.contains(".invalid") => self.to_elsewhere,
                    line if line.contains("nobody-of") => self.to_nobody,
                    _ => "250 fine",
                };
                write.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
            }
        });
        port
    }
}

#[tokio::test]
async fn hosts_beside_this_one_are_asked_and_nothing_is_sent() {
    let good = Beside::good;
    for (id, host, verdict, words) in [
        ("FLT-23", good(), Verdict::Pass, ""),
        ("STB-07", good(), Verdict::Pass, ""),
        ("FLT-23", Beside { to_nobody: "250 fine", ..good() }, Verdict::Fail, "is answered with 250 fine"),
        ("FLT-23", Beside { to_elsewhere: "250 fine", ..good() }, Verdict::Fail, "nobody@mailward-audit.invalid is"),
        ("FLT-23", Beside { offers: false, ..good() }, Verdict::Fail, "STARTTLS isn't offered"),
        ("STB-07", Beside { to_nobody: "250 fine", ..good() }, Verdict::Fail, "is answered with 250 fine"),
        ("STB-07", Beside { to_postmaster: "550 nobody", ..good() }, Verdict::Fail, "postmaster@example is"),
        ("STB-07", Beside { to_nobody: "450 later", ..good() }, Verdict::NotTested, "450 later"),
        ("FLT-23", Beside { to_nobody: "450 later", ..good() }, Verdict::NotTested, "450 later"),
    ] {
        let port = host.listens().await;
        let world = World { port, ..World::good() }
            .with("IN MX", "@ 300 IN MX 10 mx.example.\n@ 300 IN MX 20 mx2.example.\nmx2 300 IN A 127.0.0.1");
        let (found, said) = world.verdict(id, None).await;
        assert!(found == verdict && said.contains(words), "{id}: {found:?}: {said}");
    }
    // Nobody listens there.
    let shut = World { port: 9, ..World::good() }.with("IN MX", "@ 300 IN MX 20 mx2.example.\nmx2 300 IN A 127.0.0.1");
    for id in BESIDE {
        assert_eq!(shut.verdict(id, None).await.0, Verdict::NotTested, "{id}");
        assert_eq!(World::good().verdict(id, Some("example.")).await.0, Verdict::NotTested, "{id}: without the DNS");
    }
}

#[tokio::test]
async fn each_fails_where_its_one_thing_is_spoiled() {
    let good = World::good;
    let long = "v=spf1 ip4:10.0.0.0/8 -all";
    let spoiled: Vec<(&str, World, &str)> = vec![
        ("NET-07", World { dnssec: false, ..good() }, "isn't proven"),
        ("NET-08", World { servers: "[\"192.0.2.53:53\"]", ..good() }, "192.0.2.53:53 is the only one"),
        ("NET-08", World { servers: "[]", ..good() }, "there are none"),
        ("NET-08", World { list: "3.0.0.127 300 IN A 127.0.0.2\n", ..good() }, "hasn't what has to be on it"),
        ("NET-08", World { list: "* 300 IN A 127.0.0.2\n", ..good() }, "has what must not be on it"),
        ("NET-08", World { list: "* 300 IN A 127.255.255.254\n", ..good() }, "doesn't answer us"),
        ("NET-08", World { list: "* 300 IN A 192.0.2.1\n", ..good() }, "doesn't answer us"),
        (
            "NET-16",
            World { list: "2.0.0.127 300 IN A 127.0.0.2\n156.32.33.45 300 IN A 127.0.0.4\n", ..good() },
            "45.33.32.156 at bl.test: is on it",
        ),
        ("ENC-02", World { signed: false, ..good().with("mx 300 IN TXT", "") }, "mx.example: has no SPF record"),
        ("ENC-02", World { signed: false, ..good().with("DMARC1", "") }, "no DMARC record"),
        (
            "ENC-02",
            World { signed: false, ..good() }
                .with("DMARC1", "_dmarc 300 IN TXT \"v=DMARC1; p=reject; np=quarantine; rua=mailto:a@example\""),
            "np=quarantine",
        ),
        ("NET-09", World { signed: false, ..good() }, "isn't signed"),
        ("NET-10", World { signed: false, ..good() }, "isn't signed"),
        ("NET-11", good().with("IN MX", "@ 300 IN MX 10 gone.example."), "no name gone.example"),
        ("NET-11", good().with("IN MX", "@ 300 IN MX 10 a.example.\na 300 IN CNAME mx"), "alias"),
        ("NET-11", good().with("IN A ", "mx 300 IN A 10.1.2.3"), "10.1.2.3"),
        ("NET-12", World { signed: false, ..good().with("AAAA", "") }, "AAAA"),
        ("NET-13", World { reverse: REVERSE4.to_owned(), ..good() }, "no name"),
        (
            "NET-13",
            World { reverse: REVERSE4.replace("mx.example", "other.example") + REVERSE6, ..good() },
            "other.example",
        ),
        ("ENC-01", World { signed: false, ..good().with("spf1", "") }, "no SPF record"),
        ("ENC-01", good().with("spf1", "@ 300 IN TXT \"v=spf1 +all\""), "everybody"),
        ("ENC-01", good().with("spf1", "@ 300 IN TXT \"v=spf1 mx ?all\""), "-all"),
        ("ENC-01", good().with("spf1", "@ 300 IN TXT \"v=spf1 ptr -all\""), "ptr"),
        ("ENC-01", good().with("spf1", &format!("@ 300 IN TXT \"{long}\"")), "too many"),
        ("ENC-01", good().with("spf1", "@ 300 IN TXT \"v=spf1 mx -all\"\n@ 300 IN TXT \"v=spf1 a -all\""), ""),
        ("ENC-03", World { signed: false, ..good().with("_domainkey", "") }, "isn't published"),
        ("ENC-03", good().with("_domainkey", "s1._domainkey 300 IN TXT \"v=DKIM1; k=ed25519; p=AAAA\""), "another key"),
        ("ENC-03", good().with("_domainkey", &format!("{}; t=y\"", KEY.trim_end_matches('"'))), "t=y"),
        ("ENC-05", World { signed: false, ..good().with("DMARC1", "") }, "no DMARC record"),
        ("ENC-05", good().with("DMARC1", "_dmarc 300 IN TXT \"v=DMARC1; p=none; rua=mailto:a@example\""), "p=none"),
        ("ENC-05", good().with("DMARC1", "_dmarc 300 IN TXT \"v=DMARC1; p=reject\""), "rua"),
        ("ENC-05", good().with("DMARC1", "_dmarc 300 IN TXT \"v=DMARC1; p=reject; t=y; rua=mailto:a@example\""), "t=y"),
        ("ENC-08", World { signed: false, ..good().with("STSv1", "") }, "MTA-STS"),
        ("ENC-09", World { signed: false, ..good().with("TLSRPT", "") }, "TLS-RPT"),
        ("ENC-10", World { signed: false, ..good().with("TLSA", "") }, "no name"),
        (
            "ENC-10",
            good().with(
                "TLSA",
                "_25._tcp.mx 300 IN TLSA 0 0 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            "mail",
        ),
    ];
    for id in ours().into_iter().filter(|id| !BESIDE.contains(id) && !TOLD.contains(id)) {
        assert!(spoiled.iter().any(|(spoiled, ..)| *spoiled == id), "nothing spoils {id}");
    }
    for (id, world, says) in spoiled {
        let (found, said) = world.verdict(id, None).await;
        assert!(found == Verdict::Fail && said.contains(says), "{id}: {found:?}: {said}");
    }
}

#[tokio::test]
async fn nobody_knows_where_the_dns_does_not_answer() {
    for (id, name) in [
        ("NET-07", "org."),
        ("NET-08", "2.0.0.127.bl.test."),
        ("NET-09", "example."),
        ("NET-10", "mx.example."),
        ("NET-11", "example."),
        ("NET-12", "mx.example."),
        ("NET-13", "mx.example."),
        ("NET-16", "mx.example."),
        ("NET-16", "156.32.33.45.bl.test."),
        ("NET-16", "2.0.0.127.bl.test."),
        ("ENC-02", "_dmarc.example."),
        ("ENC-01", "example."),
        ("ENC-03", "s1._domainkey.example."),
        ("ENC-05", "_dmarc.example."),
        ("ENC-08", "_mta-sts.example."),
        ("ENC-09", "_smtp._tls.example."),
        ("ENC-10", "_25._tcp.mx.example."),
    ] {
        let (found, said) = World::good().verdict(id, Some(name)).await;
        assert_eq!(found, Verdict::NotTested, "{id}: {said}");
    }
}

#[tokio::test]
async fn nobody_knows_without_a_server_or_without_the_dns() {
    for id in ours() {
        assert_eq!(verdict(id, Some(State::default()), None).await.0, Verdict::NotTested, "{id}");
        if id != "NET-07" {
            let lookup: Arc<dyn Lookup> = Arc::new(mailward_dns::NoDns);
            assert_eq!(verdict(id, None, Some(lookup)).await.0, Verdict::NotTested, "{id}");
        }
    }
}

/// A look at the names of the world's host, whose doors are closed to us; there is one port that is open.
async fn looked(world: &World, fault: Option<&str>, change: impl FnOnce(&mut Aim)) -> Look {
    let (_zones, lookup) = world.lookup(fault).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut aim = Aim {
        addresses: vec!["127.0.0.1".parse().unwrap()],
        ports: vec![Port { number: listener.local_addr().unwrap().port(), role: None }],
        lookup: Some(lookup),
        selectors: vec!["s1".to_owned()],
        skip: vec![Topic::Doors, Topic::Tls, Topic::Relay, Topic::Mail, Topic::Web, Topic::Users],
        ..Aim::at("mx.example")
    };
    change(&mut aim);
    look(&aim, &SystemClock, &mut ()).await.unwrap()
}

fn said<'a>(look: &'a Look, name: &str) -> (&'a str, &'a str) {
    let found = look.findings.iter().find(|found| found.name == name).unwrap();
    (&found.verdict, &found.said)
}

#[tokio::test]
async fn a_look_from_outside_reads_the_names_of_a_good_world() {
    let look = looked(&World::good(), None, |_| {}).await;
    assert_eq!(look.domain.as_deref(), Some("example"), "what is left without the first label has mail hosts");
    for name in ["mx", "host", "spf", "dkim", "dmarc", "tls-rpt", "signed", "host-signed", "ipv6"] {
        let (verdict, said) = said(&look, &format!("names.{name}"));
        assert_eq!(verdict, "pass", "{name}: {said}");
    }
    // 127.0.0.1 isn't an address of the host, there is no page, and no door that could show a certificate.
    assert_eq!(said(&look, "names.reverse").0, "fail");
    assert!(said(&look, "names.mta-sts").1.contains("its policy can't be had"), "{:?}", said(&look, "names.mta-sts"));
    assert!(said(&look, "names.dane").1.contains("could be compared with"), "{:?}", said(&look, "names.dane"));
    assert_eq!(said(&look, "names.lists").0, "not-tested");
    assert_eq!(said(&look, "names.autoconfig").0, "fail");
    let names = look.names.unwrap();
    assert_eq!((names.spf.as_deref(), names.mx.len(), names.tlsa.len()), (Some("v=spf1 mx -all"), 1, 1));
}

#[tokio::test]
async fn a_look_from_outside_finds_what_is_wrong_with_names() {
    let elsewhere = World::good().with("IN MX", "@ 300 IN MX 10 other.example.\nother 300 IN A 45.33.32.157");
    let found = looked(&elsewhere, None, |_| {}).await;
    assert!(said(&found, "names.host").1.contains("mx.example isn't among them"), "{:?}", said(&found, "names.host"));
    let revoked = World::good().with("_domainkey", "s1._domainkey 300 IN TXT \"v=DKIM1; k=ed25519; p=\"");
    let found = looked(&revoked, None, |_| {}).await;
    assert!(said(&found, "names.dkim").1.contains("revoked"), "{:?}", said(&found, "names.dkim"));
    let listed = "1.0.0.127.bl 300 IN A 127.0.0.4\n1.0.0.127.full 300 IN A 127.255.255.254";
    let mut world = World { signed: false, ..World::good() };
    world.lines.extend(listed.lines().map(str::to_owned));
    let lists = |zone: &'static str| move |aim: &mut Aim| aim.lists = vec![zone.parse().unwrap()];
    let found = looked(&world, None, lists("bl.example")).await;
    assert!(said(&found, "names.lists").1.contains("is listed (127.0.0.4)"), "{:?}", said(&found, "names.lists"));
    let found = looked(&world, None, lists("full.example")).await;
    assert_eq!(said(&found, "names.lists").0, "not-tested", "a list that refuses us says nothing of anybody");
    let found = looked(&world, None, lists("none.example")).await;
    assert_eq!(said(&found, "names.lists").0, "pass", "{:?}", said(&found, "names.lists"));
}

#[tokio::test]
async fn a_look_from_outside_does_not_know_where_the_dns_does_not_answer_and_keeps_only_so_much() {
    let found = looked(&World::good(), Some("_dmarc.example."), |_| {}).await;
    assert_eq!(said(&found, "names.dmarc").0, "not-tested");
    let many: Vec<String> =
        (0..PROBE_TEXTS_MAX + 5).map(|number| format!("@ 300 IN MX {number} mx{number}.example.")).collect();
    let flood = World::good().with("IN MX", &many.join("\n"));
    let found = looked(&flood, None, |_| {}).await;
    assert_eq!(found.names.unwrap().mx.len(), PROBE_TEXTS_MAX);
    let nobody = looked(&World::good(), None, |aim| aim.lookup = None).await;
    assert_eq!(said(&nobody, "names.spf"), ("not-tested", "the DNS isn't asked (--dns none)"));
    assert_eq!(nobody.names, None);
}

/// A DNS that knows no name, and takes its time.
#[derive(Default)]
struct Slow {
    takes: Option<Duration>,
    asked: AtomicUsize,
}

impl Slow {
    /// Nothing, after its time; never, if it has none.
    fn nothing<T: Send + 'static>(&self) -> Answer<'_, T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match self.takes {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
            NoDns.mx(&Domain::parse("example").unwrap()).await.map(|_| panic!("there is no DNS"))
        })
    }
}

impl Lookup for Slow {
    fn mx<'a>(&'a self, _: &'a Domain) -> Answer<'a, Mx> {
        self.nothing()
    }
    fn addresses<'a>(&'a self, _: &'a Domain) -> Answer<'a, IpAddr> {
        self.nothing()
    }
    fn tlsa<'a>(&'a self, _: u16, _: &'a Domain) -> Answer<'a, TlsaRecord> {
        self.nothing()
    }
    fn txt<'a>(&'a self, _: &'a Name) -> Answer<'a, Vec<u8>> {
        self.nothing()
    }
    fn ptr(&self, _: IpAddr) -> Answer<'_, Domain> {
        self.nothing()
    }
    fn listed<'a>(&'a self, _: &'a Name) -> Answer<'a, IpAddr> {
        self.nothing()
    }
    fn srv<'a>(&'a self, _: &'a Name) -> Answer<'a, Srv> {
        self.nothing()
    }
    fn caa<'a>(&'a self, _: &'a Name) -> Answer<'a, CaaRecord> {
        self.nothing()
    }
}

/// A server with so many domains, and a key for each.
fn many(domains: usize) -> State {
    let domains: Vec<String> = (0..domains).map(|number| format!("d{number}.example")).collect();
    let key = DkimKey { selector: "s1".to_owned(), value: "v=DKIM1; p=AAAA".to_owned(), made: None };
    let dkim = domains.iter().map(|domain| (domain.clone(), vec![key.clone()])).collect();
    State { name: Some("mx.example".to_owned()), domains, dkim, ..State::default() }
}

#[tokio::test(start_paused = true)]
async fn a_dns_that_never_answers_is_given_up_before_the_control_s_own_time() {
    assert!(AUDIT_NAMES_END < AUDIT_CONTROL_TIME);
    for id in ours() {
        let began = tokio::time::Instant::now();
        let slow = Arc::new(Slow::default());
        let (found, said) = verdict(id, Some(many(150)), Some(slow.clone())).await;
        // One looks at the host first, which doesn't tell here who is asked.
        let is_late = said.contains("in time") || (id == "NET-08" && slow.asked.load(Ordering::SeqCst) == 0);
        assert!(found == Verdict::NotTested && is_late, "{id}: {found:?}: {said}");
        assert!(began.elapsed() <= AUDIT_NAMES_END + Duration::from_secs(1), "{id}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_names_are_asked_for_than_there_is_time_and_room_for() {
    for id in ["NET-09", "NET-11", "ENC-01", "ENC-03", "ENC-08", "ENC-09"] {
        let slow = Arc::new(Slow { takes: Some(Duration::from_secs(1)), ..Slow::default() });
        let (found, said) = verdict(id, Some(many(150)), Some(slow.clone())).await;
        assert!(found != Verdict::Pass && said.contains("not asked any more"), "{id}: {found:?}: {said}");
        let most = usize::try_from(AUDIT_NAMES_TIME.as_secs()).unwrap() + 1;
        assert!(slow.asked.load(Ordering::SeqCst) <= most, "{id}");

        let quick = Arc::new(Slow { takes: Some(Duration::ZERO), ..Slow::default() });
        verdict(id, Some(many(AUDIT_NAMES_MAX + 50)), Some(quick.clone())).await;
        assert_eq!(quick.asked.load(Ordering::SeqCst), AUDIT_NAMES_MAX, "{id}");
    }
}
