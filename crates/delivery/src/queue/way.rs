//! Where a lane's mail is brought: asked before each visit, answered by whoever knows DNS and routes.

use mailward_core::{Domain, Secret};
use mailward_smtp::client::Dialect;
use mailward_store::records::{EnhancedStatus, Lane};
use mailward_sts::Told;
use mailward_tls::outbound::Proof;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

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
    /// What only a route says.
    pub access: Access,
    /// How it was found, and who wants to know how it went.
    pub trust: Trust,
}

/// How a host was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Under which policy it is counted how it went; none: it isn't.
    pub watched: Option<Arc<Watched>>,
    /// Whether its name could have been forged on the way to us.
    pub name: Named,
    /// Whether its domain's policy has it.
    pub fit: Fit,
    /// What the administrator demands of it, whatever its domain does; `None`: nothing. No message's header lets it off that.
    pub by_hand: Option<Proof>,
}

/// A domain and a policy, to count under (RFC 8460).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose mail it is.
    pub domain: Domain,
    /// The policy in force.
    pub policy: Told,
}

/// Where a host's name comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Named {
    /// It isn't said: what the host proves for [`Host::proof`] is all that is asked.
    #[default]
    Unsaid,
    /// Nobody could forge it: from the administrator, proved by DNSSEC, or by a policy in force.
    Proven,
    /// From a DNS that proves nothing.
    Forgeable,
}

/// Whether a domain's policy has a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Yes, or there is none.
    #[default]
    Fits,
    /// No, and the policy is there for testing only. Why, in words.
    Doubtful(String),
    /// No: nothing is sent there, unless TLS needs not be (RFC 8689 §5). Why, in words.
    Unfit(String),
}

/// How a host is got into, beyond what the DNS tells.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// TLS runs from the first byte (RFC 8314); [`Host::proof`] is asked for as ever.
    pub tls_first: bool,
    /// Who we are there, and the password: for hosts that prove who they are only.
    pub login: Option<(String, Secret)>,
    /// A socket of this host instead of [`Host::addresses`].
    pub socket: Option<PathBuf>,
}

impl PartialEq for Access {
    /// Passwords aren't compared.
    fn eq(&self, other: &Self) -> bool {
        let user = |access: &Self| access.login.as_ref().map(|(user, _)| user.clone());
        self.tls_first == other.tls_first && user(self) == user(other) && self.socket == other.socket
    }
}

impl Eq for Access {}

/// The way to a lane's next host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// These, the first one first.
    Hosts(Vec<Host>),
    /// Nowhere, however often it is tried: no such domain, or one that takes no mail (RFC 7505).
    Nowhere(EnhancedStatus, String),
    /// It isn't known now.
    Later(EnhancedStatus, String),
    /// Taken, and thrown away; the words say by what.
    Discard(String),
    /// Into the Maildir at this path below the directory that is open to routes.
    Maildir {
        /// The directory, which the administrator names.
        root: PathBuf,
        /// Below it.
        path: PathBuf,
    },
    /// The lane's route is gone: each recipient goes where it leads now.
    Elsewhere,
}

/// Who knows the ways.
pub trait Guide: Send + Sync + 'static {
    /// The way for this lane, now.
    fn way<'a>(&'a self, lane: &'a Lane) -> Pin<Box<dyn Future<Output = Way> + Send + 'a>>;
}
