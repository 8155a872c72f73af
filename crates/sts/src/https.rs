//! One HTTPS exchange with a host of the world: no redirects, no cookies, no proxies, a certificate of an authority that
//! is trusted here, and bounds on everything (attacks F11).

use crate::reach::is_public;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::Builder;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use mailward_core::Domain;
use mailward_core::limits::{
    HTTPS_ADDRESSES_TRIED, HTTPS_ANSWER_MAX, HTTPS_FIELDS_MAX, HTTPS_HEADER_MAX, HTTPS_TIME, QUEUE_CONNECT_TIME,
    QUEUE_RACE_TIME, STS_POLICY_MAX,
};
use mailward_dns::Lookup;
use mailward_tls::outbound::{Outbound, Proof};
use mailward_tls::{Carried, TlsError};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Asks hosts of the world.
#[derive(Clone)]
pub struct Https {
    lookup: Arc<dyn Lookup>,
    outbound: Outbound,
    loopback: bool,
    private: bool,
    time: Duration,
}

/// Why there is no answer, or none that counts.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The host's addresses aren't known.
    #[error("{0}")]
    Lookup(#[from] mailward_dns::LookupError),
    /// It has addresses, and none that is the world's.
    #[error("{0} has no public address")]
    NotPublic(Domain),
    /// Nobody listens.
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    /// TLS can't be had, or the certificate doesn't stand for the host.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// Not HTTP, or broken off.
    #[error("its answer can't be understood: {0}")]
    Http(#[from] hyper::Error),
    /// A path that can't be asked for.
    #[error("not a request: {0}")]
    Request(#[from] hyper::http::Error),
    /// It says something else than 200, or for a report 2xx. Redirects aren't followed (RFC 8461 §3.3).
    #[error("it answered {0}")]
    Status(u16),
    /// Not `text/plain` (RFC 8461 §3.3).
    #[error("it is {0:?}, not text/plain")]
    Type(String),
    /// Too large.
    #[error("it has more than {STS_POLICY_MAX} bytes")]
    Large,
    /// Too slow.
    #[error("it wasn't there within {} seconds", HTTPS_TIME.as_secs())]
    Timeout,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").field("loopback", &self.loopback).finish_non_exhaustive()
    }
}

impl Https {
    /// Asks hosts by the addresses that `lookup` tells; their certificates are checked by what `outbound` trusts. `loopback`:
    /// hosts on loopback addresses are asked too, for trials.
    #[must_use]
    pub fn new(lookup: Arc<dyn Lookup>, outbound: Outbound, loopback: bool) -> Self {
        Self { lookup, outbound, loopback, private: false, time: HTTPS_TIME }
    }

    /// The same, also for hosts on this host and on networks of our own: where only an administrator says whom to ask.
    #[must_use]
    pub fn also_inside(self) -> Self {
        Self { private: true, ..self }
    }

    /// The same, with less patience than `limits::HTTPS_TIME`.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// Fetches a plain text, at most `limits::STS_POLICY_MAX` bytes.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub async fn text(&self, host: &Domain, port: u16, path: &str) -> Result<Bytes, HttpsError> {
        let request = self.request(Method::GET, host, port, path, None, Bytes::new())?;
        self.in_time(async {
            self.exchange(host, port, request, async |answer: Response<Incoming>| {
                if answer.status().as_u16() != 200 {
                    return Err(HttpsError::Status(answer.status().as_u16()));
                }
                let kind = answer.headers().get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
                let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
                if !kind.eq_ignore_ascii_case("text/plain") {
                    return Err(HttpsError::Type(kind.chars().take(100).collect()));
                }
                body(answer.into_body(), STS_POLICY_MAX).await
            })
            .await
        })
        .await
    }

    /// Brings a report.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub async fn post(
        &self,
        host: &Domain,
        port: u16,
        path: &str,
        kind: &'static str,
        content: Bytes,
    ) -> Result<(), HttpsError> {
        self.post_signed(host, port, path, kind, content, None).await
    }

    /// The same with one more field in its header, that proves whose it is.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub async fn post_signed(
        &self,
        host: &Domain,
        port: u16,
        path: &str,
        kind: &'static str,
        content: Bytes,
        proof: Option<(&'static str, String)>,
    ) -> Result<(), HttpsError> {
        let mut request = self.request(Method::POST, host, port, path, Some(kind), content)?;
        if let Some((name, value)) = proof {
            let value = HeaderValue::try_from(value).map_err(hyper::http::Error::from)?;
            request.headers_mut().insert(name, value);
        }
        self.in_time(async {
            self.exchange(host, port, request, async |answer: Response<Incoming>| {
                if !answer.status().is_success() {
                    return Err(HttpsError::Status(answer.status().as_u16()));
                }
                // It has it, whatever else it says.
                let _unread = body(answer.into_body(), HTTPS_ANSWER_MAX).await;
                Ok(())
            })
            .await
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, HttpsError>>) -> Result<T, HttpsError> {
        timeout(self.time, work).await.unwrap_or(Err(HttpsError::Timeout))
    }

    fn request(
        &self,
        method: Method,
        host: &Domain,
        port: u16,
        path: &str,
        kind: Option<&'static str>,
        content: Bytes,
    ) -> Result<Request<Full<Bytes>>, HttpsError> {
        let named = if port == 443 { host.to_string() } else { format!("{host}:{port}") };
        let mut request = Request::builder().method(method).uri(path).header(HOST, named);
        request = request.header(USER_AGENT, "mailward").header(hyper::header::CONNECTION, "close");
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        Ok(request.body(Full::new(content))?)
    }

    async fn exchange<T>(
        &self,
        host: &Domain,
        port: u16,
        request: Request<Full<Bytes>>,
        heard: impl AsyncFnOnce(Response<Incoming>) -> Result<T, HttpsError>,
    ) -> Result<T, HttpsError> {
        let stream = self.connect(host, port).await?;
        let proof = Proof::Names(vec![host.to_string()]);
        let (stream, _secured) = self.outbound.connect(stream, host.as_str(), &proof).await?;
        let mut builder = Builder::new();
        builder.max_buf_size(HTTPS_HEADER_MAX).max_headers(HTTPS_FIELDS_MAX);
        let (mut sender, connection) = builder.handshake(Carried(stream)).await?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            heard(answer).await
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            done = &mut exchange => done,
            // What came before it ended is still to be read.
            _ended = connection => exchange.await,
        }
    }

    /// Connects to one of the host's addresses; only to those that were looked at, so that no second answer of the DNS
    /// comes between.
    async fn connect(&self, host: &Domain, port: u16) -> Result<TcpStream, HttpsError> {
        let found = self.lookup.addresses(host).await?;
        let allowed = |address: &&IpAddr| {
            self.private || is_public(**address) || (self.loopback && address.to_canonical().is_loopback())
        };
        let allowed = found.records.iter().filter(allowed).take(HTTPS_ADDRESSES_TRIED);
        let allowed: Vec<SocketAddr> = allowed.map(|address| SocketAddr::new(*address, port)).collect();
        if allowed.is_empty() {
            return Err(HttpsError::NotPublic(host.clone()));
        }
        let connected = mailward_tls::connect(&allowed, QUEUE_RACE_TIME, QUEUE_CONNECT_TIME).await;
        connected.map(|(stream, _)| stream).map_err(HttpsError::Connect)
    }
}

/// All of a body, up to a limit.
async fn body(mut incoming: Incoming, most: usize) -> Result<Bytes, HttpsError> {
    if incoming.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(HttpsError::Large);
    }
    let mut all = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if all.len().saturating_add(data.len()) > most {
            return Err(HttpsError::Large);
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}
