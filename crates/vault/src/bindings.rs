//! Channel bindings: what ties a login to the TLS session that carries it (attacks B10).

/// What a login may bind to; empty on a connection without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter`, RFC 9266: only with TLS 1.3, where it is unique to the session.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point`, RFC 5929 §4: hash of the server's own certificate. `None` where the certificate's
    /// signature has no hash function of its own (Ed25519).
    pub server_end_point: Option<Vec<u8>>,
    /// What the handshake agreed on, for the log; nothing binds to it. `None` where nobody says.
    pub agreed: Option<Agreed>,
}

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: &'static str,
}
