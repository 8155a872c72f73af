//! Getting to a host: address after address, TLS as it has to be, until one of a lane's hosts takes mail.

use super::way::Host;
use mailward_core::Domain;
use mailward_core::limits::{QUEUE_ADDRESSES_TRIED, QUEUE_CONNECT_TIME, QUEUE_RACE_TIME};
use mailward_smtp::client::{Cause, Connection, Failure, Security, StartTls, Step};
use mailward_store::records::EnhancedStatus;
use mailward_tls::outbound::{Outbound, Proof, Secured};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What carries the bytes.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Carrier for T {}

type Stream = Box<dyn Carrier>;

/// A host that listens to us.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) connection: Connection<Stream>,
    /// `name[address]`
    pub(crate) host: String,
    pub(crate) tls: Option<Secured>,
    /// It proved who it is, by DNS or by a policy that asked for it: mail that must travel so may go there (RFC 8689).
    pub(crate) proven: bool,
}

impl Visit {
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
}

/// Our side.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) hostname: Domain,
    pub(crate) outbound: Outbound,
}

/// The enhanced codes of RFC 3463 for what happens before anybody answers.
const NO_ANSWER: EnhancedStatus = EnhancedStatus::of(4, 4, 1);
const NOT_SECURE: EnhancedStatus = EnhancedStatus::of(4, 7, 5);

impl Visitor {
    /// Tries hosts in their order; at most [`QUEUE_ADDRESSES_TRIED`] addresses of all together.
    pub(crate) async fn visit(&self, hosts: &[Host]) -> Result<Visit, Unreached> {
        let mut last = Unreached {
            host: hosts.first().map(|host| host.name.clone()).unwrap_or_default(),
            code: 0,
            status: NO_ANSWER,
            text: "none of its hosts has an address".to_owned(),
        };
        let mut left = QUEUE_ADDRESSES_TRIED;
        for host in hosts {
            if let Some(path) = &host.access.socket {
                match self.meet_socket(host, path).await {
                    Ok(visit) => return Ok(visit),
                    Err(unreached) => last = unreached,
                }
            }
            let mut addresses: Vec<SocketAddr> = host.addresses.iter().copied().take(left).collect();
            left = left.saturating_sub(addresses.len());
            while !addresses.is_empty() {
                match self.meet(host, &addresses).await {
                    Ok(visit) => return Ok(visit),
                    Err((unreached, met)) => {
                        last = unreached;
                        // Who answered and won't have us; the others of this host may (RFC 5321 §5.1).
                        addresses.retain(|address| met.is_some_and(|met| met != *address));
                    }
                }
            }
        }
        Err(last)
    }

    /// Talks to the first of a host's addresses that answers; a failure tells which that was, if any did.
    async fn meet(&self, host: &Host, addresses: &[SocketAddr]) -> Result<Visit, (Unreached, Option<SocketAddr>)> {
        let (stream, address) = connect(addresses).await.map_err(|error| {
            let text = format!("no connection: {error}");
            (Unreached { host: host.name.clone(), code: 0, status: NO_ANSWER, text }, None)
        })?;
        self.meet_at(host, stream, address).await.map_err(|unreached| (unreached, Some(address)))
    }

    /// Talks to a program on this host.
    async fn meet_socket(&self, host: &Host, path: &Path) -> Result<Visit, Unreached> {
        let connected = timeout(QUEUE_CONNECT_TIME, UnixStream::connect(path)).await;
        let stream = connected.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
            let text = format!("no connection: {error}");
            Unreached { host: host.name.clone(), code: 0, status: NO_ANSWER, text }
        })?;
        self.talk(host, &host.name, Box::new(stream), true).await.map_err(|stopped| stopped.told(&host.name))
    }

    async fn meet_at(&self, host: &Host, stream: TcpStream, address: SocketAddr) -> Result<Visit, Unreached> {
        let name = format!("{}[{}]", host.name, address.ip());
        match self.talk(host, &name, Box::new(stream), true).await {
            // TLS was worth a try only: mail that needs it isn't sent to a host that can't be told.
            Err(Stopped::Tls(_)) if host.proof == Proof::Nothing => {
                let (stream, _) = connect(&[address]).await.map_err(|error| Unreached {
                    host: name.clone(),
                    code: 0,
                    status: NO_ANSWER,
                    text: format!("no second connection after TLS failed: {error}"),
                })?;
                self.talk(host, &name, Box::new(stream), false).await.map_err(|stopped| stopped.told(&name))
            }
            other => other.map_err(|stopped| stopped.told(&name)),
        }
    }

    /// Greets, secures, and logs in where that is to be.
    async fn talk(&self, host: &Host, name: &str, stream: Stream, with_tls: bool) -> Result<Visit, Stopped> {
        let mut visit = if host.access.tls_first {
            self.greet_in_tls(host, name, stream).await?
        } else {
            self.greet(host, name, stream, with_tls).await?
        };
        if let Some((user, password)) = &host.access.login {
            visit.connection.auth(user, password).await?;
        }
        Ok(visit)
    }

    /// TLS from the first byte.
    async fn greet_in_tls(&self, host: &Host, name: &str, stream: Stream) -> Result<Visit, Stopped> {
        let connected = self.outbound.connect(stream, &host.tls_name, &host.proof).await;
        let (stream, secured) = connected.map_err(|error| Stopped::Tls(error.to_string()))?;
        let stream: Stream = Box::new(stream);
        let connection = Connection::greet(stream, host.dialect, self.hostname.as_str(), Security::Tls).await?;
        Ok(Self::secured(host, name, connection, secured))
    }

    fn secured(host: &Host, name: &str, connection: Connection<Stream>, secured: Secured) -> Visit {
        let proven = !matches!(host.proof, Proof::Nothing | Proof::Encrypted) && secured.proved.is_ok();
        Visit { connection, host: name.to_owned(), tls: Some(secured), proven }
    }

    async fn greet(&self, host: &Host, name: &str, stream: Stream, with_tls: bool) -> Result<Visit, Stopped> {
        let ours = self.hostname.as_str();
        let connection = Connection::greet(stream, host.dialect, ours, Security::Clear).await?;
        let needed = host.proof != Proof::Nothing;
        if !with_tls || !connection.extensions().starttls {
            if needed {
                return Err(Stopped::Tls("it doesn't offer TLS, which it has to".to_owned()));
            }
            return Ok(Visit { connection, host: name.to_owned(), tls: None, proven: false });
        }
        match connection.starttls_begin().await? {
            StartTls::Ready(stream, resume) => {
                let (stream, secured) = self
                    .outbound
                    .connect(stream, &host.tls_name, &host.proof)
                    .await
                    .map_err(|error| Stopped::Tls(error.to_string()))?;
                let connection = resume.starttls_done(Box::new(stream) as Stream).await?;
                Ok(Self::secured(host, name, connection, secured))
            }
            StartTls::Refused(_, answer) if needed => {
                Err(Stopped::Tls(format!("it refused to start TLS, which it has to: {answer}")))
            }
            StartTls::Refused(connection, _) => {
                Ok(Visit { connection: *connection, host: name.to_owned(), tls: None, proven: false })
            }
        }
    }
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
            },
            Self::Tls(text) => Unreached { host: host.to_owned(), code: 0, status: NOT_SECURE, text },
        }
    }
}

/// Connects to the first address that answers: one after the other begins every [`QUEUE_RACE_TIME`], or when one fails
/// (RFC 8305).
async fn connect(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let mut waiting = addresses.iter().copied();
    let mut racing = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            racing.spawn(async move {
                let connected = timeout(QUEUE_CONNECT_TIME, TcpStream::connect(address)).await;
                (address, connected.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())))
            });
        }
        tokio::select! {
            Some(ended) = racing.join_next() => match ended {
                Ok((address, Ok(stream))) => {
                    // Only a matter of speed; a socket that refuses it still works.
                    let _slower = stream.set_nodelay(true);
                    return Ok((stream, address));
                }
                Ok((_, Err(error))) => last = error,
                Err(_) => {}
            },
            () = sleep(QUEUE_RACE_TIME), if more => {}
            else => return Err(last),
        }
    }
}
