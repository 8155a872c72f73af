//! What can go wrong, with the mend.

use mailward_core::limits::TLS_HANDSHAKE_TIME;

/// Why a certificate was refused or TLS didn't start.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{file}: {source}; check that it exists and that the server's user may read it")]
    Read {
        /// Its path.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is far larger than certificates or keys are.
    #[error("{file} has more than {} bytes: this is no certificate or key file", crate::PEM_FILE_MAX)]
    TooLarge {
        /// Its path.
        file: String,
    },
    /// What should hold certificates holds none, or broken ones.
    #[error(
        "{what}: {why}; it must hold PEM certificates (-----BEGIN CERTIFICATE-----), the server's own first, then those that signed it"
    )]
    Chain {
        /// Its path, or what it is.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// What should hold a private key holds none, or one of a kind that isn't supported.
    #[error(
        "{what}: {why}; it must hold one unencrypted PEM private key (ECDSA P-256/P-384/P-521, Ed25519 or RSA of 2048 bits or more)"
    )]
    Key {
        /// Its path, or what it is.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// The key is not the certificate's.
    #[error(
        "the key in {key} does not belong to the first certificate in {chain}; give the key that the certificate was made with, and the server's own certificate first"
    )]
    Mismatch {
        /// Path of the chain.
        chain: String,
        /// Path of the key.
        key: String,
    },
    /// The certificate is out of date.
    #[error("{what}: the certificate expired on {date}; renew it")]
    Expired {
        /// Its path.
        what: String,
        /// The day it ended.
        date: String,
    },
    /// The certificate's time is still to come.
    #[error("{what}: the certificate is valid only from {date}; check this host's clock, or wait")]
    NotYetValid {
        /// Its path.
        what: String,
        /// The day it begins.
        date: String,
    },
    /// The settings were refused.
    #[error("TLS settings: {0}")]
    Settings(#[from] rustls::Error),
    /// The peer and we could not agree, or the connection broke.
    #[error("TLS handshake: {0}")]
    Handshake(#[source] std::io::Error),
    /// The peer's certificate doesn't prove what it must.
    #[error("the server can't prove who it is: {0}")]
    Unproved(#[from] crate::outbound::Unproved),
    /// The handshake took too long.
    #[error("TLS handshake: not finished within {} seconds", TLS_HANDSHAKE_TIME.as_secs())]
    Timeout,
    /// The connection has TLS already.
    #[error("TLS is active already")]
    AlreadyActive,
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Authority(#[from] rcgen::Error),
    /// A server's certificates don't fit what DANE demands.
    #[error("DANE: {0}")]
    Dane(String),
    /// A name that can't stand in a certificate.
    #[error("{0} can't stand in a certificate: it must be a domain name or an IP address")]
    Name(String),
}
