//! Getting to a host: address after address, TLS as it has to be, until one of a lane's hosts takes mail.

use super::places::{Place, Places};
use super::trust::result_of;
use super::way::{Fit, Host, Named, Trust};
use mailward_core::Domain;
use mailward_core::limits::{QUEUE_ADDRESSES_TRIED, QUEUE_CONNECT_TIME, QUEUE_RACE_TIME, QUEUE_REACH_TIME};
use mailward_smtp::client::{Cause, Connection, Failure, Security, StartTls, Step};
use mailward_store::records::{EnhancedStatus, Needs};
use mailward_sts::{Failure as Counted, Ledger, PolicyKind, ResultType};
use mailward_tls::TlsError;
use mailward_tls::outbound::{Outbound, Proof, Secured, Unproved};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// What carries the bytes.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Carrier for T {}

type Stream = Box<dyn Carrier>;

/// Our address and the other side's, where there are any.
type Ends = Option<(IpAddr, IpAddr)>;

/// A host that listens to us.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) connection: Connection<Stream>,
    /// `name[address]`
    pub(crate) host: String,
    pub(crate) tls: Option<Secured>,
    /// It proved who it is, by DNS or by a policy that asked for it: mail that must travel so may go there (RFC 8689).
    pub(crate) proven: bool,
    /// It was let off what it should have proved.
    pub(crate) relaxed: bool,
    /// It and so many hosts before it have been tried.
    pub(crate) passed: usize,
    /// It took a message in this connection: that it doesn't take another one may be the connection's fault.
    pub(crate) used: bool,
    /// Its host's place for a connection; programs on this host have none.
    pub(crate) place: Option<Place>,
}

/// What a message wants of the host that it is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// What its domain demands.
    Usual,
    /// That it proved who it is, and promises to ask the same of others: REQUIRETLS (RFC 8689 §4.2.1).
    Proven,
    /// Nothing of what its domain demands, if nothing else can be had: `TLS-Required: No` (RFC 8689 §5).
    Any,
}

impl Wish {
    pub(crate) const fn of(needs: &Needs) -> Self {
        match (needs.require_tls, needs.tls_optional) {
            (true, _) => Self::Proven,
            (false, true) => Self::Any,
            (false, false) => Self::Usual,
        }
    }
}

impl Visit {
    fn new(connection: Connection<Stream>, host: &str, tls: Option<Secured>, proven: bool) -> Self {
        Self { connection, host: host.to_owned(), tls, proven, relaxed: false, passed: 0, used: false, place: None }
    }

    /// Whether a message that wishes this may be given to it.
    pub(crate) fn suits(&self, wish: Wish) -> bool {
        match wish {
            Wish::Any => true,
            Wish::Usual => !self.relaxed,
            Wish::Proven => !self.relaxed && self.proven && self.connection.extensions().requiretls,
        }
    }

    /// How it is protected, for the log.
    pub(crate) fn protection(&self) -> String {
        match &self.tls {
            None => "none".to_owned(),
            Some(tls) if tls.proved.is_ok() => format!("{} {}, proved", tls.version, tls.cipher),
            Some(tls) => format!("{} {}, not proved", tls.version, tls.cipher),
        }
    }
}

/// Why nobody listened: what the last one that was tried said or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreached {
    /// `name[address]`, or the name alone.
    pub(crate) host: String,
    /// Its reply code; 0 if there was none.
    pub(crate) code: u16,
    pub(crate) status: EnhancedStatus,
    pub(crate) text: String,
    /// Some host wasn't asked as it has as many connections as it may: nobody's fault.
    pub(crate) busy: bool,
}

/// Our side.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) hostname: Domain,
    pub(crate) outbound: Outbound,
    /// Where it is counted how TLS went.
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// How many connections hosts have.
    pub(crate) places: Arc<Places>,
}

/// The enhanced codes of RFC 3463 for what happens before anybody answers.
const NO_ANSWER: EnhancedStatus = EnhancedStatus::of(4, 4, 1);
const NOT_SECURE: EnhancedStatus = EnhancedStatus::of(4, 7, 5);
/// RFC 8689 §4.2.1 and §8: no host is there that may have it.
pub(crate) const REQUIRE_TLS_MISSED: EnhancedStatus = EnhancedStatus::of(5, 7, 30);

impl Visitor {
    /// Tries hosts in their order until one is as a message wishes it. For [`Wish::Proven`] the status is
    /// [`REQUIRE_TLS_MISSED`] if all could be reached and none is. Hosts that take their time have [`QUEUE_REACH_TIME`]
    /// together.
    pub(crate) async fn visit(&self, hosts: &[Host], wish: Wish) -> Result<Visit, Unreached> {
        timeout(QUEUE_REACH_TIME, self.rounds(hosts, wish)).await.unwrap_or_else(|_late| {
            Err(Unreached {
                host: hosts.first().map(|host| host.name.clone()).unwrap_or_default(),
                code: 0,
                status: NO_ANSWER,
                text: format!("none of its hosts was ready for mail in {} minutes", QUEUE_REACH_TIME.as_secs() / 60),
                busy: false,
            })
        })
    }

    async fn rounds(&self, hosts: &[Host], wish: Wish) -> Result<Visit, Unreached> {
        match self.round(hosts, wish).await {
            Err(unreached) if wish == Wish::Any && unreached.status == NOT_SECURE && !unreached.busy => {
                let relaxed: Vec<Host> = hosts.iter().filter_map(let_off).collect();
                if relaxed.is_empty() {
                    return Err(unreached);
                }
                self.round(&relaxed, wish).await.map(|visit| Visit { relaxed: true, ..visit })
            }
            other => other,
        }
    }

    /// At most [`QUEUE_ADDRESSES_TRIED`] addresses of all hosts together.
    async fn round(&self, hosts: &[Host], wish: Wish) -> Result<Visit, Unreached> {
        let mut last = Unreached {
            host: hosts.first().map(|host| host.name.clone()).unwrap_or_default(),
            code: 0,
            status: NO_ANSWER,
            text: "none of its hosts has an address".to_owned(),
            busy: false,
        };
        let mut busy = false;
        let mut left = QUEUE_ADDRESSES_TRIED;
        // Who couldn't be asked may be as it is wished.
        let mut unasked = None;
        for (at, host) in hosts.iter().enumerate() {
            if let Some(path) = &host.access.socket {
                match self.meet_socket(host, path, wish).await {
                    Ok(visit) => return Ok(Visit { passed: at.saturating_add(1), ..visit }),
                    Err(unreached) => {
                        if unreached.status != REQUIRE_TLS_MISSED {
                            unasked = Some(unreached.clone());
                        }
                        last = unreached;
                        continue;
                    }
                }
            }
            if let Fit::Unfit(why) = &host.trust.fit {
                self.count(host, None, Some((ResultType::ValidationFailure, why)));
                let (name, text) = (host.name.clone(), why.clone());
                last = Unreached { host: name, code: 0, status: NOT_SECURE, text, busy: false };
                unasked = Some(last.clone());
                continue;
            }
            let mut addresses: Vec<SocketAddr> = host.addresses.iter().copied().take(left).collect();
            left = left.saturating_sub(addresses.len());
            while !addresses.is_empty() {
                match self.meet(host, &addresses, wish).await {
                    Ok(visit) => return Ok(Visit { passed: at.saturating_add(1), ..visit }),
                    Err((unreached, met)) => {
                        busy |= unreached.busy;
                        if unreached.status != REQUIRE_TLS_MISSED {
                            unasked = Some(unreached.clone());
                        }
                        last = unreached;
                        // Who answered and won't have us; the others of this host may (RFC 5321 §5.1).
                        addresses.retain(|address| met.is_some_and(|met| met != *address));
                    }
                }
            }
        }
        Err(Unreached { busy, ..unasked.unwrap_or(last) })
    }

    /// Talks to the first of a host's addresses that answers; a failure tells which that was, if any did.
    async fn meet(
        &self,
        host: &Host,
        addresses: &[SocketAddr],
        wish: Wish,
    ) -> Result<Visit, (Unreached, Option<SocketAddr>)> {
        let mut busy = false;
        let connected = connect(addresses, Some(&self.places), &mut busy).await;
        let (stream, address, place) = connected.map_err(|error| {
            let text = format!("no connection: {error}");
            (Unreached { host: host.name.clone(), code: 0, status: NO_ANSWER, text, busy }, None)
        })?;
        match self.meet_at(host, stream, address).await.map(|visit| Visit { place, ..visit }) {
            Ok(visit) if wish == Wish::Proven && !visit.suits(wish) => {
                let unreached = Unreached { busy, ..visit.unfit() };
                visit.connection.quit().await;
                Err((unreached, Some(address)))
            }
            met => met.map_err(|unreached| (Unreached { busy, ..unreached }, Some(address))),
        }
    }

    /// Talks to a program on this host.
    async fn meet_socket(&self, host: &Host, path: &Path, wish: Wish) -> Result<Visit, Unreached> {
        let connected = timeout(QUEUE_CONNECT_TIME, UnixStream::connect(path)).await;
        let stream = connected.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
            let text = format!("no connection: {error}");
            Unreached { host: host.name.clone(), code: 0, status: NO_ANSWER, text, busy: false }
        })?;
        let visit = self.talk(host, &host.name, Box::new(stream), None, true).await;
        match visit.map_err(|stopped| stopped.told(&host.name)) {
            Ok(visit) if wish == Wish::Proven && !visit.suits(wish) => Err(visit.unfit()),
            met => met,
        }
    }

    async fn meet_at(&self, host: &Host, stream: TcpStream, address: SocketAddr) -> Result<Visit, Unreached> {
        let name = format!("{}[{}]", host.name, address.ip());
        let ends = stream.local_addr().ok().zip(stream.peer_addr().ok()).map(|(ours, its)| (ours.ip(), its.ip()));
        match self.talk(host, &name, Box::new(stream), ends, true).await {
            // TLS was worth a try only: mail that needs it isn't sent to a host that can't be told.
            Err(Stopped::Tls(_)) if host.proof == Proof::Nothing => {
                // In the place of the first one, which is over.
                let again = connect(&[address], None, &mut false).await;
                let (stream, ..) = again.map_err(|error| Unreached {
                    host: name.clone(),
                    code: 0,
                    status: NO_ANSWER,
                    text: format!("no second connection after TLS failed: {error}"),
                    busy: false,
                })?;
                self.talk(host, &name, Box::new(stream), ends, false).await.map_err(|stopped| stopped.told(&name))
            }
            other => other.map_err(|stopped| stopped.told(&name)),
        }
    }

    /// Greets, secures, and logs in where that is to be.
    async fn talk(
        &self,
        host: &Host,
        name: &str,
        stream: Stream,
        ends: Ends,
        with_tls: bool,
    ) -> Result<Visit, Stopped> {
        let mut visit = if host.access.tls_first {
            self.greet_in_tls(host, name, stream, ends).await?
        } else {
            self.greet(host, name, stream, ends, with_tls).await?
        };
        if let Some((user, password)) = &host.access.login {
            visit.connection.auth(user, password).await?;
        }
        Ok(visit)
    }

    /// TLS from the first byte.
    async fn greet_in_tls(&self, host: &Host, name: &str, stream: Stream, ends: Ends) -> Result<Visit, Stopped> {
        let connected = self.outbound.connect(stream, &host.tls_name, &host.proof).await;
        self.count_tls(host, ends, connected.as_ref().map(|(_, secured)| secured));
        let (stream, secured) = connected.map_err(|error| Stopped::Tls(error.to_string()))?;
        let stream: Stream = Box::new(stream);
        let connection = Connection::greet(stream, host.dialect, self.hostname.as_str(), Security::Tls).await?;
        Ok(Self::secured(host, name, connection, secured))
    }

    fn secured(host: &Host, name: &str, connection: Connection<Stream>, secured: Secured) -> Visit {
        let asked = !matches!(host.proof, Proof::Nothing | Proof::Encrypted);
        let proven = secured.proved.is_ok()
            && match host.trust.name {
                Named::Unsaid => asked,
                Named::Proven => true,
                Named::Forgeable => false,
            };
        Visit::new(connection, name, Some(secured), proven)
    }

    async fn greet(
        &self,
        host: &Host,
        name: &str,
        stream: Stream,
        ends: Ends,
        with_tls: bool,
    ) -> Result<Visit, Stopped> {
        let ours = self.hostname.as_str();
        let connection = Connection::greet(stream, host.dialect, ours, Security::Clear).await?;
        let needed = host.proof != Proof::Nothing;
        if !with_tls || !connection.extensions().starttls {
            if with_tls {
                self.count(host, ends, Some((ResultType::StarttlsNotSupported, "")));
            }
            if needed {
                return Err(Stopped::Tls("it doesn't offer TLS, which it has to".to_owned()));
            }
            return Ok(Visit::new(connection, name, None, false));
        }
        match connection.starttls_begin().await? {
            StartTls::Ready(stream, resume) => {
                let connected = self.outbound.connect(stream, &host.tls_name, &host.proof).await;
                self.count_tls(host, ends, connected.as_ref().map(|(_, secured)| secured));
                let (stream, secured) = connected.map_err(|error| Stopped::Tls(error.to_string()))?;
                let connection = resume.starttls_done(Box::new(stream) as Stream).await?;
                Ok(Self::secured(host, name, connection, secured))
            }
            StartTls::Refused(_, answer) if needed => {
                self.count(host, ends, Some((ResultType::StarttlsNotSupported, "refused")));
                Err(Stopped::Tls(format!("it refused to start TLS, which it has to: {answer}")))
            }
            StartTls::Refused(connection, _) => {
                self.count(host, ends, Some((ResultType::StarttlsNotSupported, "refused")));
                Ok(Visit::new(*connection, name, None, false))
            }
        }
    }

    /// Counts a session, or why there was none, for the report to the host's domain.
    fn count(&self, host: &Host, ends: Ends, failure: Option<(ResultType, &str)>) {
        let (Some(ledger), Some(watched)) = (&self.ledger, &host.trust.watched) else { return };
        let failure = failure.map(|(result, why)| Counted {
            sending_ip: ends.map(|(ours, _)| ours),
            host: Some(host.name.clone()),
            receiving_ip: ends.map(|(_, its)| its),
            reason: if why.is_empty() { None } else { Counted::of_policy(result, why).reason },
            ..Counted::of_policy(result, "")
        });
        ledger.count(&watched.domain, &watched.policy, failure);
    }

    /// Counts what came of TLS. What a certificate doesn't prove tells against a host only where a policy asks for it.
    fn count_tls(&self, host: &Host, ends: Ends, came: Result<&Secured, &TlsError>) {
        let testing = host.trust.watched.as_ref().is_some_and(|watched| watched.policy.kind == PolicyKind::Sts);
        match came {
            Err(TlsError::Unproved(Unproved { fault, why })) => self.count(host, ends, Some((result_of(*fault), why))),
            Err(error) => self.count(host, ends, Some((ResultType::ValidationFailure, &error.to_string()))),
            Ok(secured) => {
                let failure = match (&host.trust.fit, &secured.proved) {
                    (Fit::Doubtful(why), _) => Some((ResultType::ValidationFailure, why.as_str())),
                    (_, Err(Unproved { fault, why })) if testing => Some((result_of(*fault), why.as_str())),
                    _ => None,
                };
                self.count(host, ends, failure);
            }
        }
    }
}

impl Visit {
    /// Why mail that must travel encrypted isn't given to it.
    fn unfit(&self) -> Unreached {
        let what = if self.proven { "doesn't promise to pass it on so (REQUIRETLS)" } else { "can't prove who it is" };
        let text = format!(
            "the sender asked that the message travels encrypted to hosts that prove who they are; this one {what}"
        );
        Unreached { host: self.host.clone(), code: 0, status: REQUIRE_TLS_MISSED, text, busy: false }
    }
}

/// A host let off what its domain demands (RFC 8689 §5). `None`: it has to prove as much as before.
fn let_off(host: &Host) -> Option<Host> {
    // A password is another matter: no message's header lets it go to whoever.
    if host.access.login.is_some() {
        return None;
    }
    let proof = host.trust.by_hand.clone().unwrap_or(Proof::Nothing);
    if proof == host.proof && !matches!(host.trust.fit, Fit::Unfit(_)) {
        return None;
    }
    Some(Host { proof, tls_name: host.name.clone(), trust: Trust::default(), ..host.clone() })
}

/// What ended a talk before mail could be sent.
enum Stopped {
    Failed(Failure),
    /// TLS has to be and can't, or doesn't work.
    Tls(String),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        match failure {
            // Between the two nothing can be told apart from an attack (attacks B2).
            Failure { at: Step::StartTls, cause: Cause::BytesBeforeTls } => Self::Failed(failure),
            Failure { at: Step::StartTls, .. } => Self::Tls(failure.to_string()),
            _ => Self::Failed(failure),
        }
    }
}

impl Stopped {
    fn told(self, host: &str) -> Unreached {
        match self {
            Self::Failed(failure) => Unreached {
                host: host.to_owned(),
                code: failure.answer().map_or(0, mailward_smtp::client::Answer::code),
                status: failure.status(),
                text: failure.to_string(),
                busy: false,
            },
            Self::Tls(text) => Unreached { host: host.to_owned(), code: 0, status: NOT_SECURE, text, busy: false },
        }
    }
}

/// Connects to the first address that answers. Each has to have a place, if there are any; those that have none are passed
/// over, and it is `busy`.
async fn connect(
    addresses: &[SocketAddr],
    places: Option<&Arc<Places>>,
    busy: &mut bool,
) -> io::Result<(TcpStream, SocketAddr, Option<Place>)> {
    let mut open = Vec::with_capacity(addresses.len());
    for address in addresses {
        let place = places.and_then(|places| places.take(*address));
        if places.is_some() && place.is_none() {
            *busy = true;
        } else {
            open.push((*address, place));
        }
    }
    if open.is_empty() && *busy {
        return Err(io::Error::other("the host has as many from us as it may have"));
    }
    let tried: Vec<SocketAddr> = open.iter().map(|(address, _)| *address).collect();
    let (stream, met) = mailward_tls::connect(&tried, QUEUE_RACE_TIME, QUEUE_CONNECT_TIME).await?;
    let place = open.into_iter().find(|(address, _)| *address == met).and_then(|(_, place)| place);
    Ok((stream, met, place))
}
