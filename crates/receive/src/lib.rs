//! # receive: SMTP, submission and LMTP sessions

mod budget;
mod context;
mod ids;

pub use budget::{Budget, Share};
pub use context::{Context, Parts, Settings};
pub use ids::MessageIds;

use mailward_core::Peer;
use mailward_gate::ConnectionPermit;
use mailward_tls::Wire;
use std::sync::Arc;

/// Holds one session, from the greeting to its end.
pub async fn serve(wire: Wire, peer: Peer, permit: ConnectionPermit, context: Arc<Context>) {
    drop((wire, peer, permit, context));
}
