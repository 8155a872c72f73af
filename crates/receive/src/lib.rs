//! # receive: SMTP, submission and LMTP sessions
//!
//! **For**: joining the protocol (`smtp`) with who may send to whom (`gate`), who is who (`directory`) and where
//! mail goes (`delivery`), over a wire.
//!
//! **In**: a wire that somebody connected to, with the place the gate gave it ([`serve`]); one of a program of this host,
//! with the user whom the kernel named ([`serve_program`]). **Out**: messages in mailboxes and in the queue, each answered
//! 250 only when it is on stable storage, and events.
//!
//! A session is one loop: what the protocol asks is decided here from memory, but for logins and commits; replies
//! gather and are written when nothing is left to read, so that a round trip costs one read and one write. A message
//! is read behind its trace fields into the buffer that the store gets.
//!
//! What would make mail unfit to be **forwarded** (a circle, an author who is forged by way of us) is found here, before it is
//! accepted. What users send goes through `delivery::care`, which counts it in the commit and holds what is too much.
//!
//! **Limits**: lines, errors, recipients, messages and sizes in `smtp`; times in `SMTP_COMMAND_TIME`,
//! `SMTP_SESSION_TIME`, `DATA_GRACE_TIME`, `MIN_DATA_RATE`, `DATA_IDLE_TIME`, `WRITE_TIME`; all messages on their way
//! together in `MESSAGE_BYTES_IN_FLIGHT_MAX`; what is forwarded of one message in `FORWARDED_RECIPIENTS_MAX`.
//!
//! **Failure**: what can't be stored now is answered with 4yz and is nowhere; what was answered with 250 is in every
//! mailbox it was for. When the server stops, sessions that wait are told 421, and a commit that runs is answered.
//!
//! **Standards**: RFC 5321, 6409, 2033 and their extensions as listed in `smtp`.

mod budget;
mod context;
mod deadlines;
mod filters;
mod forward;
mod full;
mod guard;
mod ids;
mod program;
mod replies;
mod session;
mod submission;
mod watch;

pub use budget::{Budget, Share};
pub use context::{Context, Dmarc, Parts, Settings};
pub use filters::{AtDoor, Filters};
pub use guard::{Guard, SpfTurns};
pub use ids::MessageIds;

use mailward_core::Peer;
use mailward_core::event::Event;
use mailward_gate::{ConnectionPermit, LocalUser};
use mailward_tls::Wire;
use program::Program;
use session::{End, Host};
use std::sync::Arc;

/// Holds one session, from the greeting to its end. The listener of the peer tells the protocol; on `submissions`
/// the wire must be under TLS already. The permit is given back when this ends.
pub async fn serve(wire: Wire, peer: Peer, permit: ConnectionPermit, context: Arc<Context>) {
    hold(wire, peer, permit, context, None).await;
}

/// The same for a program of this host, whose user the kernel has named: SMTP without TLS and login, and with the rights
/// of that user. The peer has no address.
pub async fn serve_program(wire: Wire, peer: Peer, permit: ConnectionPermit, context: Arc<Context>, user: LocalUser) {
    let program = Program::new(user, &context);
    hold(wire, peer, permit, context, Some(program)).await;
}

async fn hold(wire: Wire, peer: Peer, mut permit: ConnectionPermit, context: Arc<Context>, program: Option<Program>) {
    let entry = permit.enter(&peer, &context.shutdown);
    context.events.emit(Event::debug("connection.opened").with_peer(&peer));
    let mut host = Host::new(&context, &peer, entry, program);
    let end = Box::pin(host.run(wire)).await;
    drop(permit);
    Box::pin(host.leave_filters()).await;
    context.events.emit(match end {
        End::Closed(why) if why.is_hostile() => {
            Event::info("connection.dropped").with_peer(&peer).with("reason", why.name())
        }
        End::Closed(why) => Event::debug("connection.closed").with_peer(&peer).with("reason", why.name()),
        End::Lost => Event::debug("connection.lost").with_peer(&peer),
        End::Tls => Event::debug("connection.closed").with_peer(&peer).with("reason", "tls"),
    });
}
