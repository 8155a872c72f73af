//! One connection: one request, one answer.

use crate::answer::{Answer, Policy};
use crate::quarantine;
use crate::request::{self, Asked};
use crate::wrong::WrongLinks;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use mailward_core::config::Origin;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    WEB_CONNECTION_TIME, WEB_CONNECTIONS_MAX, WEB_CONNECTIONS_PER_ADDRESS_MAX, WEB_HEADER_BYTES_MAX,
    WEB_HEADER_FIELDS_MAX, WEB_HEADER_TIME,
};
use mailward_core::{Clock, Peer, Shutdown};
use mailward_delivery::digest::Digests;
use mailward_directory::Directory;
use mailward_gate::{Caps, ConnectionPermit, Gate};
use mailward_inspect::spam::Spam;
use mailward_store::api::{MailStore, QuarantineStore};
use mailward_tls::{Carried, Wire};
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;

/// What pages are made of.
pub struct Parts {
    /// Where users reach them.
    pub origin: Origin,
    /// Whose links lead here.
    pub digests: Arc<Digests>,
    /// Bytes of messages.
    pub mail: Arc<dyn MailStore>,
    /// What is kept.
    pub quarantine: Arc<dyn QuarantineStore>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// Who learns of false alarms.
    pub spam: Arc<Spam>,
    /// Where events go.
    pub events: Events,
    /// The word to stop.
    pub shutdown: Shutdown,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// All that connections share.
pub struct Context {
    pub(crate) parts: Parts,
    pub(crate) wrong: WrongLinks,
    policy: Policy,
    /// How many may be here at once; the gate at the door counts those of all doors.
    places: Arc<Gate>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let places = Gate::new(Caps {
            connections: WEB_CONNECTIONS_MAX,
            per_address: WEB_CONNECTIONS_PER_ADDRESS_MAX,
            per_network: WEB_CONNECTIONS_MAX,
            ..Caps::default()
        });
        let policy = Policy::new(parts.origin.is_tls());
        Arc::new(Self { parts, wrong: WrongLinks::default(), policy, places })
    }
}

/// Holds one connection to its end: at most `limits::WEB_CONNECTION_TIME`. Behind a door with TLS the handshake has been made.
/// The permit is given back when this returns.
pub async fn serve(wire: Wire, peer: Peer, mut permit: ConnectionPermit, context: Arc<Context>) {
    let entry = permit.enter(&peer, &context.parts.shutdown);
    let mut shutdown = entry.shutdown();
    // A proxy on this host stands for many.
    let from = peer.address.filter(|address| !address.to_canonical().is_loopback());
    let served = async {
        match context.places.admit(from) {
            Ok(_place) => answer(wire, &peer, &context).await,
            Err(_) => send_away(wire, &context.policy).await,
        }
    };
    tokio::select! {
        biased;
        () = shutdown.fired() => {}
        _late = tokio::time::timeout(WEB_CONNECTION_TIME, served) => {}
    }
}

async fn send_away(mut wire: Wire, policy: &Policy) {
    // Whoever has gone doesn't miss it.
    let _unheard = wire.write_all(&policy.busy()).await;
    let _unheard = wire.shutdown().await;
}

async fn answer(wire: Wire, peer: &Peer, context: &Arc<Context>) {
    let mut builder = Builder::new();
    builder.keep_alive(false).timer(Ticking).header_read_timeout(WEB_HEADER_TIME);
    builder.max_headers(WEB_HEADER_FIELDS_MAX).max_buf_size(WEB_HEADER_BYTES_MAX);
    let service = service_fn(|request| respond(request, peer, context));
    if let Err(error) = builder.serve_connection(Carried(wire), service).await {
        context.parts.events.emit(Event::debug("web.broken").with_peer(peer).with("why", error));
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: &Peer,
    context: &Arc<Context>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = match request::read(request, &context.parts.origin).await {
        Ok(asked) => Box::pin(lead(&asked, peer, context)).await,
        Err(refusal) => *refusal,
    };
    // The path may have a word in it: it is never told.
    let event = Event::debug("web.answered").with_peer(peer).with("status", answer.status.as_u16());
    context.parts.events.emit(event);
    Ok(context.policy.response(answer))
}

/// To the room that has the page.
async fn lead(asked: &Asked, peer: &Peer, context: &Context) -> Answer {
    match asked.path.strip_prefix("/quarantine/") {
        Some(rest) => quarantine::answer(rest, asked.what, peer, context).await,
        None => Answer::nothing(),
    }
}

/// Who is counted for a peer without an address: this host.
pub(crate) fn counted(peer: &Peer) -> IpAddr {
    peer.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Tokio's clock in hyper's words.
#[derive(Clone, Copy, Debug)]
struct Ticking;

struct Sleeping(Pin<Box<tokio::time::Sleep>>);

impl Future for Sleeping {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl hyper::rt::Sleep for Sleeping {}

impl hyper::rt::Timer for Ticking {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleeping(Box::pin(tokio::time::sleep(duration))))
    }
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleeping(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }
}
