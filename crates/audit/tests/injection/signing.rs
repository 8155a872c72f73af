//! Signatures of the house's own (RFC 6376 §3.4.1, RFC 8463).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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

/// Whether a CR or an LF stands alone in it.
pub(crate) fn is_bare(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message).replace("\r\n", "");
    text.contains(['\r', '\n'])
}
