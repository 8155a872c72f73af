//! DKIM: canonical forms against a second, simpler reading of the standard; a message in any pieces.

use mailward_core::limits::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX};
use mailward_core::{Domain, Timestamp};
use mailward_message::dkim::{RelaxedBody, SIGNED_FIELDS, SignedHeader, SignedHeaderFault, relax_field};
use mailward_message::header;
use mailward_vault::dkim::{Algorithm, Key, SignFault, Signer};
use std::sync::{Arc, LazyLock};

static SIGNER: LazyLock<Arc<Signer>> = LazyLock::new(|| {
    let key = Arc::new(Key::generate(Algorithm::Ed25519Sha256).expect("a key"));
    Arc::new(Signer::new(Domain::parse("a.example").expect("a domain"), vec![("s".to_owned(), key)]))
});

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    let body = relaxed(rest, 0);
    assert_eq!(body, relaxed(rest, steer), "how bytes are cut changes nothing");
    assert_eq!(body, plainly(rest));
    assert_eq!(relaxed(&body, 0), body, "once is enough");
    fields(rest);
    let whole = signed(rest, 0);
    assert_eq!(whole, signed(rest, steer), "how a message is cut changes nothing");
    if let Ok(fields) = whole {
        let text = String::from_utf8(fields).expect("what we write is text");
        assert!(text.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; ") && text.ends_with("\r\n"));
        assert!(text.split_terminator("\r\n").skip(1).all(|line| line.starts_with('\t')), "one field: {text}");
        assert!(!is_bare(rest), "a CR or LF that stands alone is never signed");
    }
}

fn relaxed(data: &[u8], seed: u8) -> Vec<u8> {
    let (mut body, mut out) = (RelaxedBody::new(), Vec::new());
    for piece in super::pieces(data, seed) {
        body.push(piece, |bytes| out.extend_from_slice(bytes));
    }
    assert_eq!(body.has_bare_line_ends(), is_bare(data));
    body.finish(|bytes| out.extend_from_slice(bytes));
    out
}

fn signed(data: &[u8], seed: u8) -> Result<Vec<u8>, SignFault> {
    let mut signing = SIGNER.begin(Timestamp(0));
    for piece in super::pieces(data, seed) {
        signing.push(piece)?;
    }
    signing.finish()
}

/// RFC 6376 §3.4.4 with all of it at hand.
fn plainly(data: &[u8]) -> Vec<u8> {
    let mut lines = vec![Vec::new()];
    let mut at = 0;
    while at < data.len() {
        if data[at..].starts_with(b"\r\n") {
            lines.push(Vec::new());
            at += 2;
        } else {
            lines.last_mut().expect("the first").push(data[at]);
            at += 1;
        }
    }
    for line in &mut lines {
        for byte in line.iter_mut().filter(|byte| **byte == b'\t') {
            *byte = b' ';
        }
        line.dedup_by(|next, before| *next == b' ' && *before == b' ');
        if line.last() == Some(&b' ') {
            line.pop();
        }
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect()
}

fn is_bare(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        _ => false,
    })
}

fn fields(data: &[u8]) {
    let head = &data[..header::header_end(data)];
    for field in header::fields(head) {
        let mut line = Vec::new();
        relax_field(&head[field.whole.clone()], &mut line);
        if !is_bare(head) {
            assert!(!line.iter().any(|byte| b"\r\n".contains(byte)) && !line.ends_with(b" "), "{line:?}");
            // What has no name may get one when its lines become one; it is never signed.
            if !field.name.is_empty() {
                let mut again = Vec::new();
                relax_field(&line, &mut again);
                assert_eq!(again, line, "once is enough");
            }
        }
    }
    match SignedHeader::of(head) {
        Ok(signed) => {
            let lines = signed.relaxed.split(|byte| *byte == b'\n').count() - 1;
            assert!(signed.names.len() >= lines && lines <= HEADER_FIELDS_MAX && head.len() <= HEADER_BYTES_MAX);
            assert!(signed.names.len() <= lines + SIGNED_FIELDS.len());
            assert!(signed.names.starts_with(&["From", "From"]), "whoever else was the author would be seen");
        }
        Err(SignedHeaderFault::From(count)) => {
            assert_eq!(header::fields(head).filter(|field| field.is("from")).count(), count);
        }
        Err(SignedHeaderFault::None) => panic!("{head:?} is a header"),
        Err(SignedHeaderFault::BareLineEnd) => assert!(is_bare(head)),
        Err(SignedHeaderFault::TooManyFields) => assert!(header::fields(head).count() > HEADER_FIELDS_MAX),
    }
}
