//! The thin loop: one session on one wire.

use crate::Context;
use crate::session::Session;
use mailward_core::Peer;
use mailward_gate::ConnectionPermit;
use mailward_tls::Wire;
use std::sync::Arc;

/// Speaks IMAP over a wire until either side ends it. TLS that starts before the first byte has started already.
/// The permit is held as long.
pub async fn serve(wire: Wire, peer: Peer, mut permit: ConnectionPermit, context: Arc<Context>) {
    let entry = permit.enter(&peer, &context.shutdown);
    Box::pin(Session::new(wire, peer, entry, context).run()).await;
    drop(permit);
}
