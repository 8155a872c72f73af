//! A mail server of the test's own, which does things wrong when told.

use crate::old_tls::{self, Manners};
use crate::session::Session;
use crate::{http, imap, pop3, sieve, smtp};
use mailward_audit::knock::Anchors;
use mailward_audit::{Account, Door, Host, Protocol, Scene, State};
use mailward_core::{Clock as _, Secret, SystemClock};
use mailward_tls::authority::{self, Authority};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) const NAME: &str = "mx.example.org";
pub(crate) const CANARY: &str = "canary@example.org";
pub(crate) const PASSWORD: &str = "plum wagon ferry";

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    OpenRelay,
    PutsOff,
    NoLoginNeeded,
    AuthInClear,
    AuthBegunInClear,
    AuthForServers,
    EndsAt(&'static [u8]),
    InjectsUnderTls,
    InjectsInClear,
    VrfyTells,
    UnknownForever,
    Xclient,
    Version,
    CountsNoHops,
    NoStartTls,
    StartTlsRefused,
    SizeNotHeld,
    NonsenseForever,
    NoCrowdLimit,
    LoginInClear,
    Preauth,
    TellsOldFeatures,
    CramMd5,
    NoScram,
    BindingIgnored,
    UnknownUserTold,
    UnknownUserFaster,
    SlowsDown,
    TakesLong,
    StaysFull,
    LongLinesHeld,
    LiteralsTaken,
    BracketsTaken,
    BrokenLoginEndsAll,
    Unpacks,
    PathsAsNames,
    EarlyData,
    Renegotiates,
    NoHttp,
    NoHsts,
    InlineScripts,
    InlineStyles,
    MayBeFramed,
    PlainCookie,
    TrustsHost,
    MetricsOpen,
    AdminForUsers,
    AnySite,
    NoForms,
    ListsOthers,
    NoList,
    InboxOpen,
    AnyoneMay,
    NoNoop,
    OpensOthers,
}

/// Which certificate it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    Good,
    Expired,
    OldSoon,
    OtherName,
    Untrusted,
    /// Another one, good as well, at one door.
    Two,
}

/// What every session of a door knows.
pub(crate) struct Place {
    pub(crate) protocol: Protocol,
    pub(crate) faults: Vec<Fault>,
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) manners: Option<Manners>,
    pub(crate) broken: tokio::sync::Notify,
    pub(crate) failures: AtomicUsize,
    open: AtomicUsize,
}

impl Place {
    pub(crate) fn does(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

/// A server that runs as long as the test's runtime.
pub(crate) struct House {
    authority: Authority,
    shows: Shows,
    pub(crate) doors: Vec<Door>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::showing(Shows::Good)
    }

    pub(crate) fn showing(shows: Shows) -> Self {
        let authority = authority::create(&["example.org"], SystemTime::now()).unwrap();
        Self { authority, shows, doors: Vec::new() }
    }

    /// Opens a door.
    pub(crate) async fn door(&mut self, protocol: Protocol, faults: &[Fault]) {
        self.door_with(protocol, faults, None).await;
    }

    /// The same with TLS of another kind, as far as the first flight goes.
    pub(crate) async fn door_with(&mut self, protocol: Protocol, faults: &[Fault], manners: Option<Manners>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let place = Arc::new(Place {
            protocol,
            faults: faults.to_vec(),
            acceptor: self.acceptor(faults),
            manners,
            broken: tokio::sync::Notify::new(),
            failures: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let place = Arc::clone(&place);
                tokio::spawn(async move {
                    let most = if place.does(Fault::NoCrowdLimit) { usize::MAX } else { 100 };
                    if place.open.fetch_add(1, Ordering::SeqCst) < most {
                        serve(stream, &place).await;
                    }
                    if !place.does(Fault::StaysFull) {
                        place.open.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        self.doors.push(Door { protocol, address, name: NAME.to_owned() });
    }

    /// A door at which nobody listens.
    pub(crate) fn shut(&mut self, protocol: Protocol) {
        let address: SocketAddr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        self.doors.push(Door { protocol, address, name: NAME.to_owned() });
    }

    fn acceptor(&self, faults: &[Fault]) -> TlsAcceptor {
        let day = Duration::from_secs(86_400);
        let now = SystemTime::now();
        let (authority, name, at) = match self.shows {
            Shows::Good => (self.authority.clone(), NAME, now),
            Shows::Two => (self.authority.clone(), NAME, now),
            Shows::Expired => (self.authority.clone(), NAME, now - day * 900),
            Shows::OldSoon => (self.authority.clone(), NAME, now - day * 815),
            Shows::OtherName => (self.authority.clone(), "other.example.org", now),
            Shows::Untrusted => (authority::create(&["example.org"], now).unwrap(), NAME, now),
        };
        let issued = match self.shows {
            // One certificate for all doors.
            Shows::Good => self.issued(),
            _ => {
                let issued = authority::issue(&authority, &[name], at).unwrap();
                (issued.chain_pem, issued.key_pem)
            }
        };
        let chain = CertificateDer::pem_slice_iter(issued.0.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(issued.1.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        if faults.contains(&Fault::EarlyData) {
            config.max_early_data_size = 1_000;
        }
        TlsAcceptor::from(Arc::new(config))
    }

    fn issued(&self) -> (String, String) {
        static ISSUED: std::sync::Mutex<BTreeMap<String, (String, String)>> = std::sync::Mutex::new(BTreeMap::new());
        let mut all = ISSUED.lock().unwrap();
        let made = all.entry(self.authority.certificate_pem.clone()).or_insert_with(|| {
            let issued = authority::issue(&self.authority, &[NAME], SystemTime::now()).unwrap();
            (issued.chain_pem, issued.key_pem)
        });
        made.clone()
    }

    /// The scene that an audit would have of it.
    pub(crate) fn scene(&self) -> Scene {
        Scene {
            doors: self.doors.clone(),
            anchors: Anchors::only(self.authority.certificate_pem.as_bytes()),
            canary: Some(Account { address: CANARY.to_owned(), password: Secret::new(PASSWORD), inside: None }),
            state: Some(State {
                domains: vec!["example.org".to_owned()],
                accounts: Some([(CANARY.to_owned(), true), ("bob@example.org".to_owned(), true)].into()),
                ..State::default()
            }),
            ..Scene::of(Host::ours(Box::new(BTreeMap::new())), SystemClock.now())
        }
    }
}

async fn serve(stream: TcpStream, place: &Place) {
    let mut session = Session::new(stream);
    if place.protocol.begins_with_tls() && !start_tls(&mut session, place).await {
        return;
    }
    match place.protocol {
        Protocol::Imap | Protocol::Imaps => imap::serve(session, place).await,
        Protocol::Pop3 | Protocol::Pop3s => pop3::serve(session, place).await,
        Protocol::Https => http::serve(session, place).await,
        Protocol::ManageSieve => sieve::serve(session, place).await,
        _ => smtp::serve(session, place).await,
    }
}

/// Whether the session goes on under TLS. What came with the command, and wasn't cleared, stays: that is the fault.
pub(crate) async fn start_tls(session: &mut Session, place: &Place) -> bool {
    if let Some(manners) = &place.manners
        && old_tls::plays(session, manners).await
    {
        return false;
    }
    session.start_tls(&place.acceptor, place.does(Fault::Renegotiates)).await
}
