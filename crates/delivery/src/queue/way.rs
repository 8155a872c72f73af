//! Where a lane's mail is brought: asked before each visit, answered by whoever knows DNS and routes.

use mailward_smtp::client::Dialect;
use mailward_store::records::{EnhancedStatus, Lane};
use mailward_tls::outbound::Proof;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

/// A host that may take a lane's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, for the log and reports.
    pub name: String,
    /// The name to ask for under TLS.
    pub tls_name: String,
    /// Where it listens, in the order in which they are to be tried; IPv6 and IPv4 mixed.
    pub addresses: Vec<SocketAddr>,
    /// The language spoken there.
    pub dialect: Dialect,
    /// What it must prove. With [`Proof::Nothing`] TLS is taken where it is offered and works.
    pub proof: Proof,
}

/// The way to a lane's next host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// These, the first one first.
    Hosts(Vec<Host>),
    /// Nowhere, however often it is tried: no such domain, or one that takes no mail (RFC 7505).
    Nowhere(EnhancedStatus, String),
    /// It isn't known now.
    Later(EnhancedStatus, String),
}

/// Who knows the ways.
pub trait Guide: Send + Sync + 'static {
    /// The way for this lane, now.
    fn way<'a>(&'a self, lane: &'a Lane) -> Pin<Box<dyn Future<Output = Way> + Send + 'a>>;
}
