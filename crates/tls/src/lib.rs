//! # tls: certificates and the wire sessions speak over
//!
//! **For**: reading the server's certificate and key, replacing them while sessions run, starting TLS on a
//! connection, and telling what authentication may bind to. Also makes an authority and certificates of its own
//! for hosts that have none yet. And the client's side: [`outbound`] for mail to other servers, what their certificates
//! must prove included (DANE), [`client`] for ourselves.
//!
//! **In**: PEM files; TCP, Unix and in-memory connections. **Out**: an [`Acceptor`] and [`Wire`]s, which every
//! protocol room reads and writes without knowing what carries the bytes.
//!
//! **Limits**: a whole handshake has [`limits::TLS_HANDSHAKE_TIME`](mailward_core::limits::TLS_HANDSHAKE_TIME);
//! PEM files have [`PEM_FILE_MAX`].
//!
//! **Failure**: a certificate that is unreadable, expired or not the key's is refused with the file's name and the
//! mend, and the one in use stays. A failed handshake ends its own connection only.
//!
//! **Standards**: TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) and nothing older (RFC 8996); ALPN (RFC 7301) against
//! cross-protocol attacks; channel bindings `tls-exporter` (RFC 9266) and `tls-server-end-point` (RFC 5929 §4).
//! DANE (RFC 6698, 7671, 7672 §3). No renegotiation, no compression, no early data; what can be resumed is forgotten with the process and with the
//! certificate.

mod acceptor;
pub mod authority;
mod bindings;
mod carried;
pub mod client;
pub mod dane;
mod dial;
mod error;
pub mod outbound;
mod wire;

#[cfg(test)]
mod tests;

pub use acceptor::{Acceptor, PEM_FILE_MAX};
pub use carried::Carried;
pub use dial::connect;
pub use error::TlsError;
pub use wire::{TlsInfo, Wire};

pub use mailward_vault::ChannelBindings;

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The one cryptography provider of the house, named wherever a configuration is built, so that no other can slip
/// in by a dependency's default.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// The versions spoken, and no others.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
