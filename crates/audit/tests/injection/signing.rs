//! Signatures of the house's own (RFC 6376 §3.4.1, RFC 8463).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::{Clock as _, Domain, SystemClock};
use mailward_message::dkim::ChainStatus;
use mailward_vault::dkim::{Algorithm, ArcSeal, Key, Signer};
use std::sync::{Arc, OnceLock};

pub(crate) const DOMAIN: &str = "example.org";

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// What the DNS says of the key.
pub(crate) fn record() -> String {
    format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(key().public_key().as_ref()))
}

/// With a signature over From and Subject, nothing relaxed.
pub(crate) fn signed(domain: &str, message: &str) -> String {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let field = |name: &str| header.split("\r\n").find(|line| line.starts_with(name)).unwrap().to_owned() + "\r\n";
    let hash = STANDARD.encode(digest(&SHA256, body.as_bytes()).as_ref());
    let own = format!(
        "DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d={domain}; s=s1; h=from:subject; bh={hash}; b="
    );
    let input = format!("{}{}{own}", field("From:"), field("Subject:"));
    let signature = key().sign(digest(&SHA256, input.as_bytes()).as_ref());
    format!("{own}{}\r\n{message}", STANDARD.encode(signature.as_ref()))
}

/// A key of RSA, which alone seals (RFC 8617 §4.1.3), made once.
fn sealing() -> &'static Arc<Key> {
    static KEY: OnceLock<Arc<Key>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(Key::generate(Algorithm::RsaSha256).unwrap()))
}

/// What the DNS says of it.
pub(crate) fn sealing_record() -> String {
    mailward_vault::dkim::record(Algorithm::RsaSha256, &sealing().public().unwrap())
}

/// With a seal of ARC, as of a server that forwards.
pub(crate) fn sealed(domain: &str, message: &str) -> String {
    let signer = Arc::new(Signer::new(Domain::parse(domain).unwrap(), vec![("arc".to_owned(), sealing().clone())]));
    let mut signing = signer.begin_seal(SystemClock.now());
    signing.push(message.as_bytes()).unwrap();
    let seal =
        ArcSeal { instance: 1, chain: ChainStatus::None, before: b"", results: "mx.example.org;\r\n\tdkim=none" };
    format!("{}{message}", String::from_utf8(signing.seal(&seal).unwrap().unwrap()).unwrap())
}

/// Whether a CR or an LF stands alone in it.
pub(crate) fn is_bare(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message).replace("\r\n", "");
    text.contains(['\r', '\n'])
}
