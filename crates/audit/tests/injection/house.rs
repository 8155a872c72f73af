//! A mail server of the test's own, with what it tells of itself; it does things wrong when told.

use crate::pages::{self, Pages};
use crate::session::Session;
use crate::signing;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_audit::knock::Anchors;
use mailward_audit::{Account, Canary, Door, Host, MAIL_PORT, Protocol, Scene, State, Statements};
use mailward_core::{Clock as _, Secret, SystemClock};
use mailward_dns::Lookup;
use mailward_dns_zone::{Data, Records};
use mailward_tls::authority;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) const NAME: &str = "mx.example.org";
pub(crate) const CANARY: &str = "audit-1@example.org";
pub(crate) const PASSWORD: &str = "plum wagon ferry";
/// What forwards, before the @.
pub(crate) const FORWARDING: &str = "audit-1-on";
pub(crate) const REFERENCE: &str = "7K2Q-9XMT";

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Delivers what has this in its marker, whatever it is.
    Delivers(&'static str),
    /// The same into Junk.
    IntoJunk(&'static str),
    PutsOff(&'static str),
    Loses(&'static str),
    Refuses(&'static str),
    Slow(&'static str),
    NoScanner,
    AnySender,
    TakesUnknown,
    PutsRecipientsOff,
    NoAbuse,
    KeepsForged,
    NoResults,
    LogUnreadable,
    LogSilent,
    LogBrief,
    LogsPasswords,
    LogsRaw,
    NoReference,
    RemembersNothing,
    NeverSlows,
    SlowsReadersOnly,
    BansIgnored,
    BansUnknown,
    LocksOut,
    AnyPassword,
    NoLogin,
    StructureKills,
    TellsNothing,
    TakesEverybody,
    NoAliases,
    MarksNothing,
    OneAtATime,
    SendsBareLines,
    TakesBareLines,
    SendsNothing,
    NoSink,
    Unsigned,
    SignedByAnother,
    EnvelopeElsewhere,
    SpfFails,
    LearnsNothing,
    LearnsSpamAlone,
    NoLearning,
    SendsInClear,
    BelievesAnybody,
    SendsNothingSecured,
    NoMove,
    LinkActsWhenOpened,
    LinkActsTwice,
    LinkNeverEnds,
    LinkDoesNothing,
    AnyLink,
    TagsInDigest,
    TagsOnPage,
    NamesNoFile,
    NoPages,
    NoDigest,
    NothingForUsers,
    HoldsNothing,
    NoForwarding,
    ForwardsNothing,
    GoesRound,
    PutsRoundOff,
    Unsealed,
    SealBroken,
    SealedByAnother,
    UsersSeeViruses,
    ReleasesNothing,
    LogsNoRelease,
}

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) faults: Vec<Fault>,
    pub(crate) mail: Mutex<Vec<(String, String, Vec<u8>)>>,
    pub(crate) kept: Mutex<Vec<(String, String)>>,
    pub(crate) log: Mutex<String>,
    pub(crate) sink: Mutex<Option<(u16, bool)>>,
    pub(crate) learned: Mutex<(u64, u64)>,
    pub(crate) failures: Mutex<BTreeMap<String, usize>>,
    pub(crate) pages: Mutex<Pages>,
    /// How often the log was looked at.
    pub(crate) looks: AtomicUsize,
}

fn tls() -> &'static (TlsAcceptor, String) {
    static TLS: OnceLock<(TlsAcceptor, String)> = OnceLock::new();
    TLS.get_or_init(|| {
        let authority = authority::create(&["example.org"], SystemTime::now()).unwrap();
        let issued = authority::issue(&authority, &[NAME], SystemTime::now()).unwrap();
        let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        (TlsAcceptor::from(Arc::new(config)), authority.certificate_pem.clone())
    })
}

/// Runs as long as the test's runtime; the scene that an audit would have of it.
pub(crate) async fn scene(faults: &[Fault]) -> Scene {
    scene_of(&place(faults)).await
}

pub(crate) fn place(faults: &[Fault]) -> Arc<Place> {
    Arc::new(Place {
        faults: faults.to_vec(),
        mail: Mutex::default(),
        kept: Mutex::default(),
        log: Mutex::default(),
        sink: Mutex::default(),
        learned: Mutex::default(),
        failures: Mutex::default(),
        pages: Mutex::default(),
        looks: AtomicUsize::default(),
    })
}

pub(crate) async fn scene_of(place: &Arc<Place>) -> Scene {
    let mut doors = Vec::new();
    for protocol in [Protocol::Smtp, Protocol::Submissions, Protocol::Imaps, Protocol::Https] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        doors.push(Door { protocol, address: listener.local_addr().unwrap(), name: NAME.to_owned() });
        let place = Arc::clone(place);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let place = Arc::clone(&place);
                if protocol == Protocol::Smtp && place.does(Fault::OneAtATime) {
                    place.serve(protocol, stream).await;
                    continue;
                }
                tokio::spawn(async move { place.serve(protocol, stream).await });
            }
        });
    }
    let inside: Option<Arc<dyn Canary>> =
        if place.does(Fault::TellsNothing) { None } else { Some(place.clone() as Arc<dyn Canary>) };
    Scene {
        host: Host::ours(Box::new(BTreeMap::new())),
        doors,
        anchors: Anchors::only(tls().1.as_bytes()),
        canary: Some(Account { address: CANARY.to_owned(), password: Secret::new(PASSWORD), inside }),
        names: Some(names(place)),
        state: Some(State {
            domains: vec!["example.org".to_owned()],
            name: Some(NAME.to_owned()),
            aliases: (!place.does(Fault::NoAliases))
                .then(|| [("everybody@example.org".to_owned(), 10), ("sales@example.org".to_owned(), 9)].into()),
            ..State::default()
        }),
        statements: Statements::default(),
        owners: BTreeMap::new(),
        deputies: BTreeMap::new(),
        peers: mailward_audit::probe::Peers::default(),
        actions: None,
        machine: None,
        mail_port: MAIL_PORT,
        web_port: mailward_audit::WEB_PORT,
        now: SystemClock.now(),
    }
}

/// The DNS of the house.
fn names(place: &Place) -> Arc<dyn Lookup> {
    let spf = if place.does(Fault::SpfFails) { "v=spf1 -all" } else { "v=spf1 mx -all" };
    let records = Records::default()
        .with("example.org", Data::Mx(10, NAME.to_owned()))
        .with(NAME, Data::Address("45.33.32.156".parse().unwrap()))
        .txt("example.org", spf)
        .txt(&format!("s1._domainkey.{}", signing::DOMAIN), &signing::record())
        .txt("s1._domainkey.example.net", &signing::record())
        .txt("arc._domainkey.example.org", &signing::sealing_record())
        .txt("arc._domainkey.example.net", &signing::sealing_record());
    Arc::new(records)
}

/// What is done with a message.
enum Judged {
    Refuse,
    Keep(&'static str),
    Deliver(&'static str),
    PutOff,
    Lose,
}

impl Place {
    pub(crate) fn does(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn has(&self, marker: &str, fault: fn(&'static str) -> Fault) -> bool {
        self.faults.iter().any(|one| {
            let part = match one {
                Fault::Delivers(part)
                | Fault::IntoJunk(part)
                | Fault::PutsOff(part)
                | Fault::Loses(part)
                | Fault::Refuses(part)
                | Fault::Slow(part) => part,
                _ => return false,
            };
            *one == fault(part) && marker.contains(part)
        })
    }

    fn judged(&self, marker: &str) -> Judged {
        if self.has(marker, Fault::Delivers) {
            Judged::Deliver("INBOX")
        } else if self.has(marker, Fault::IntoJunk) {
            Judged::Deliver("Junk")
        } else if self.has(marker, Fault::PutsOff) {
            Judged::PutOff
        } else if self.has(marker, Fault::Loses) {
            Judged::Lose
        } else if self.has(marker, Fault::Refuses) {
            Judged::Refuse
        } else if marker.contains("harmless")
            || marker.contains(".svc-07.a-")
            || marker.contains(".flt-10.")
            || marker.contains(".avs-14.")
        {
            Judged::Deliver("INBOX")
        } else if marker.contains("gtube") || marker.contains("zip-with-a-password") || marker.contains(".avs-06.") {
            Judged::Keep("spam/gtube: 1000 points")
        } else {
            Judged::Refuse
        }
    }

    pub(crate) fn note(&self, text: &str) {
        if self.does(Fault::LogSilent) {
            return;
        }
        let shown: String = match self.does(Fault::LogsRaw) {
            true => text.to_owned(),
            false => text
                .chars()
                .flat_map(|c| if c.is_ascii_graphic() || c == ' ' { vec![c] } else { c.escape_default().collect() })
                .collect(),
        };
        let line = format!("{} {shown}\n", SystemClock.now().text());
        self.log.lock().unwrap().push_str(&line);
    }

    async fn serve(&self, protocol: Protocol, stream: TcpStream) {
        let mut session = Session::new(stream);
        if protocol != Protocol::Smtp && !session.start_tls(&tls().0, false).await {
            return;
        }
        match protocol {
            Protocol::Imaps => self.imap(session).await,
            Protocol::Https => pages::serve(session, self).await,
            _ => self.smtp(session, protocol).await,
        }
    }

    /// Whether the login is taken, after whatever time.
    async fn login(&self, protocol: Protocol, encoded: &str) -> bool {
        let plain = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        let mut parts = plain.split('\0').skip(1);
        let (user, password) = (parts.next().unwrap(), parts.next().unwrap());
        let before = self.failures.lock().unwrap().get(user).copied().unwrap_or(0);
        let right = user == CANARY && password == PASSWORD;
        let locked = self.does(Fault::LocksOut) && before > 2;
        if (right && !locked && !self.does(Fault::NoLogin)) || self.does(Fault::AnyPassword) {
            return true;
        }
        *self.failures.lock().unwrap().entry(user.to_owned()).or_default() += 1;
        let slows =
            !self.does(Fault::NeverSlows) && (protocol == Protocol::Imaps || !self.does(Fault::SlowsReadersOnly));
        if slows && before >= 2 && user != CANARY {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let secret = if self.does(Fault::LogsPasswords) { format!(" password={password}") } else { String::new() };
        let more =
            if self.does(Fault::LogBrief) { "" } else { " from=127.0.0.1 listener=imaps mechanism=PLAIN tls=1.3" };
        self.note(&format!("warn login.failed user={user}{more}{secret}"));
        false
    }

    async fn imap(&self, mut session: Session) {
        session.say("* OK hello").await;
        while let Some(line) = session.line(20_000).await {
            let mut words = line.split(' ');
            let (tag, command) = (words.next().unwrap_or("*").to_owned(), words.next().unwrap_or_default().to_owned());
            match command.as_str() {
                "AUTHENTICATE" => {
                    session.say("+ ").await;
                    let Some(encoded) = session.line(20_000).await else { return };
                    let taken = self.login(Protocol::Imaps, &encoded).await;
                    session.say(&format!("{tag} {}", if taken { "OK in" } else { "NO wrong" })).await;
                }
                "FETCH" if self.does(Fault::StructureKills) => return,
                "UID" if line.contains(" SEARCH ") => {
                    session.say("* SEARCH 1").await;
                    session.say(&format!("{tag} OK done")).await;
                }
                "UID" if self.does(Fault::NoMove) => session.say(&format!("{tag} BAD what")).await,
                "UID" => {
                    self.learns(line.ends_with("Junk"));
                    session.say(&format!("{tag} OK moved")).await;
                }
                _ => session.say(&format!("{tag} OK done")).await,
            }
        }
    }

    fn learns(&self, junk: bool) {
        let mut learned = self.learned.lock().unwrap();
        match junk {
            _ if self.does(Fault::LearnsNothing) => {}
            true => *learned = (learned.0 + 1, learned.1),
            false if self.does(Fault::LearnsSpamAlone) => {}
            false => *learned = (learned.0 - 1, learned.1 + 1),
        }
    }

    async fn smtp(&self, mut session: Session, protocol: Protocol) {
        session.say(&format!("220 {NAME} ESMTP")).await;
        let (mut user, mut to_sink, mut forwards) = (false, false, false);
        while let Some(line) = session.line(20_000).await {
            self.note(&format!("debug said {line}"));
            let upper = line.to_ascii_uppercase();
            let reference = if self.does(Fault::NoReference) { String::new() } else { format!(" (ref {REFERENCE})") };
            let reply = match upper.split(' ').next().unwrap_or_default() {
                "EHLO" | "HELO" | "RSET" => "250 fine".to_owned(),
                "AUTH" => {
                    session.say("334 ").await;
                    let Some(encoded) = session.line(20_000).await else { return };
                    user = self.login(protocol, &encoded).await;
                    if user { "235 in" } else { "535 wrong" }.to_owned()
                }
                "MAIL" if user && !line.contains(CANARY) && !self.does(Fault::AnySender) => "553 not yours".to_owned(),
                "MAIL" if !user && line.contains(CANARY) && !self.has(".flt-01.as", Fault::Delivers) => {
                    "550 not from outside".to_owned()
                }
                "MAIL" => "250 fine".to_owned(),
                "RCPT" if user && line.contains("sink@") => {
                    to_sink = true;
                    "250 fine".to_owned()
                }
                "RCPT" if line.contains(FORWARDING) => {
                    forwards = true;
                    "250 fine".to_owned()
                }
                "RCPT" if self.does(Fault::PutsRecipientsOff) && !line.contains(CANARY) => "451 later".to_owned(),
                "RCPT" if line.contains("nobody") && !self.does(Fault::TakesUnknown) => {
                    format!("550 nobody{reference}")
                }
                "RCPT" if line.contains("everybody@") && !self.does(Fault::TakesEverybody) => {
                    "550 not for strangers".to_owned()
                }
                "RCPT" if line.contains("abuse@") && self.does(Fault::NoAbuse) => "550 nobody".to_owned(),
                "RCPT" => "250 fine".to_owned(),
                "DATA" => {
                    session.say("354 go on").await;
                    let Some(message) = session.until(&[b"\r\n.\r\n"]).await else { return };
                    if forwards {
                        let (reply, onward) = self.forwarded(&message);
                        session.say(reply).await;
                        if let Some(onward) = onward {
                            self.deliver_to_sink("", &onward).await;
                        }
                        continue;
                    }
                    let bare = signing::is_bare(&message);
                    if user && to_sink {
                        let refuses = bare && !self.does(Fault::SendsBareLines) && !self.does(Fault::TakesBareLines);
                        let reply = if refuses { "554 bare line ends" } else { "250 taken" };
                        session.say(reply).await;
                        if !refuses {
                            self.send_on(&message).await;
                        }
                        continue;
                    }
                    self.take(message, &reference).await
                }
                _ => "500 what".to_owned(),
            };
            session.say(&reply).await;
        }
    }

    /// To the audit's own sink, as a server sends.
    async fn send_on(&self, message: &[u8]) {
        let Some((port, demands_tls)) = *self.sink.lock().unwrap() else { return };
        if self.does(Fault::SendsNothing) || (demands_tls && self.does(Fault::SendsNothingSecured)) {
            return;
        }
        let mut message = String::from_utf8_lossy(message).trim_end_matches("\r\n.\r\n").to_owned() + "\r\n";
        if !self.does(Fault::SendsBareLines) {
            message = message.replace("\r\n", "\n").replace(['\r', '\n'], "\n").replace('\n', "\r\n");
        }
        if !self.does(Fault::Unsigned) {
            let domain = if self.does(Fault::SignedByAnother) { "example.net" } else { signing::DOMAIN };
            message = signing::signed(domain, &message);
        }
        let sender = if self.does(Fault::EnvelopeElsewhere) { "bounces@example.net" } else { CANARY };
        let mut session = Session::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        session.line(1_000).await.unwrap();
        if demands_tls && !self.does(Fault::SendsInClear) {
            session.say("EHLO mx.example.org").await;
            let mut offers = false;
            while let Some(line) = session.line(1_000).await {
                offers |= line.ends_with("STARTTLS");
                if line.starts_with("250 ") {
                    break;
                }
            }
            // It believes no certificate of an authority that it doesn't know, unless it is told.
            if !(offers && self.does(Fault::BelievesAnybody)) {
                return;
            }
        }
        hand_over(session, sender, &message).await;
    }

    /// What becomes of a message for an address that forwards.
    fn forwarded(&self, message: &[u8]) -> (&'static str, Option<String>) {
        let text = String::from_utf8_lossy(message).trim_end_matches("\r\n.\r\n").to_owned() + "\r\n";
        let mark = format!("Delivered-To: {FORWARDING}@example.org\r\n");
        let came_before = text.contains(&mark);
        if came_before && !self.does(Fault::GoesRound) {
            return (if self.does(Fault::PutsRoundOff) { "451 later" } else { "554 5.4.6 in a circle" }, None);
        }
        if self.does(Fault::ForwardsNothing) {
            return ("250 taken", None);
        }
        let marked = format!("{mark}{text}");
        let sealed = match () {
            () if self.does(Fault::Unsealed) || came_before => marked,
            () if self.does(Fault::SealedByAnother) => signing::sealed("example.net", &marked),
            () if self.does(Fault::SealBroken) => signing::sealed("example.org", &marked).replace("trial", "trick"),
            () => signing::sealed("example.org", &marked),
        };
        ("250 taken", Some(sealed))
    }

    async fn deliver_to_sink(&self, sender: &str, message: &str) {
        let Some((port, _)) = *self.sink.lock().unwrap() else { return };
        let mut session = Session::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        session.line(1_000).await.unwrap();
        hand_over(session, sender, message).await;
    }

    async fn take(&self, message: Vec<u8>, reference: &str) -> String {
        let head = String::from_utf8_lossy(&message[..message.len().min(2_000)]).into_owned();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        // One whose subject is hostile has it elsewhere alone.
        let named = field("Message-ID: <").split('@').next().unwrap().to_owned();
        let marker = if named.contains(".flt-10.") { named } else { field("Subject: ") };
        if self.has(&marker, Fault::Slow) {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
        let name = format!("id{:09}x", self.mail.lock().unwrap().len());
        // One with a foreign author, of whoever may not say so.
        let foreign = !marker.contains(".svc-07.") || head.contains(&format!("From: Mailward audit <{CANARY}>"));
        let judged = match self.judged(&marker) {
            Judged::Deliver(folder) if foreign || self.does(Fault::Delivers(".svc-07.from")) => Judged::Deliver(folder),
            Judged::Deliver(folder) if !marker.contains(".svc-07.from") => Judged::Deliver(folder),
            Judged::Deliver(_) => Judged::Refuse,
            other => other,
        };
        match judged {
            Judged::Refuse if self.does(Fault::NoScanner) => format!("554 no program{reference}"),
            Judged::Refuse => format!("554 a virus{reference}"),
            Judged::PutOff => "451 later".to_owned(),
            Judged::Lose => "250 taken".to_owned(),
            Judged::Keep(why) => {
                self.kept.lock().unwrap().push((marker, why.to_owned()));
                format!("250 taken {name}")
            }
            Judged::Deliver(folder) => {
                let ours = format!("Authentication-Results: {NAME};\r\n spf=none\r\n");
                let header: String = head.split("\r\n\r\n").next().unwrap_or_default().to_owned();
                let header = match self.does(Fault::KeepsForged) {
                    true => header,
                    false => header
                        .lines()
                        .filter(|line| !line.starts_with("Authentication-Results"))
                        .collect::<Vec<_>>()
                        .join("\r\n"),
                };
                let ours = if self.does(Fault::NoResults) { String::new() } else { ours };
                let odd =
                    marker.contains(".flt-16.") && !marker.contains("harmless") && !self.does(Fault::MarksNothing);
                let mark = if odd { ";\r\n spam/name-is-address=2.50" } else { "" };
                let ours = format!("{ours}Mailward-Verdict: deliver; score=1.00{mark}\r\n");
                self.note(&format!("info message.accepted id={name}"));
                self.mail.lock().unwrap().push((marker, folder.to_owned(), format!("{ours}{header}\r\n").into_bytes()));
                format!("250 taken {name}")
            }
        }
    }
}

/// As a server that has greeted.
async fn hand_over(mut session: Session, sender: &str, message: &str) {
    for command in
        ["EHLO mx.example.org", &format!("MAIL FROM:<{sender}>"), "RCPT TO:<sink@mailward-audit.invalid>", "DATA"]
    {
        session.say(command).await;
        session.line(1_000).await.unwrap();
    }
    session.say(&format!("{}.", message.replace("\r\n.", "\r\n.."))).await;
    session.line(1_000).await.unwrap();
}

impl Place {
    /// Markers of what users are told of.
    pub(crate) fn held(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        let is_told = |why: &str| why.starts_with("the audit") || self.does(Fault::UsersSeeViruses);
        kept.iter().filter(|(_, why)| is_told(why)).map(|(marker, _)| marker.clone()).collect()
    }

    /// Into the mailbox.
    pub(crate) fn let_go(&self, marker: &str) {
        self.kept.lock().unwrap().retain(|(of, _)| of != marker);
        self.mail.lock().unwrap().push((marker.to_owned(), "INBOX".to_owned(), Vec::new()));
    }
}
