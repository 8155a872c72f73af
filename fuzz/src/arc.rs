//! Signatures of others and chains of ARC: what is read holds together; bodies in the simple form against a plainer reading.

use mailward_core::limits::{ARC_SETS_MAX, DKIM_NAMES_MAX};
use mailward_message::arc::{ArcChain, relax_set};
use mailward_message::dkim::{Fields, Form, Kind, Signature, SimpleBody, Tags, unsigned_field};
use mailward_message::header;

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    tags(rest);
    assert_eq!(simple(rest, steer), plainly(rest));
    let head = &rest[..header::header_end(rest)];
    let fields = Fields::of(head);
    for field in header::fields(head) {
        for kind in [Kind::Dkim, Kind::ArcMessage, Kind::ArcSeal] {
            let Ok(read) = Signature::parse(kind, field.value) else { continue };
            assert!(read.names.len() <= DKIM_NAMES_MAX && !read.signature.is_empty());
            assert_eq!(read.names.is_empty(), kind == Kind::ArcSeal);
            assert_eq!(read.instance == 0, kind == Kind::Dkim);
            for form in [Form::Simple, Form::Relaxed] {
                let mut out = Vec::new();
                fields.choose(&read.names, form, &mut out);
                assert!(out.len() <= head.len() + 2 * read.names.len(), "each field once");
                let before = out.len();
                unsigned_field(head, &field, form, &mut out);
                assert!(out.len() > before, "what has a signature has a field");
            }
        }
    }
    chain(head);
}

fn tags(data: &[u8]) {
    let Ok(tags) = Tags::parse(data) else { return };
    for name in ["b", "v", "a", "p"] {
        assert_eq!(tags.get(name).is_some(), tags.place(name).is_some());
        if let (Some(value), Some(place)) = (tags.get(name), tags.place(name)) {
            assert_eq!(data[place].trim_ascii(), value.as_bytes().trim_ascii());
        }
    }
}

fn chain(head: &[u8]) {
    let chain = ArcChain::of(head);
    assert!(chain.next().is_none_or(|next| (1..=ARC_SETS_MAX).contains(&next)));
    let ArcChain::Sets(sets) = &chain else { return };
    for (number, set) in (1..).zip(sets) {
        assert_eq!((set.seal_signature.instance, set.message_signature.instance), (number, number));
        let mut relaxed = Vec::new();
        relax_set(head, set, &mut relaxed);
        assert!(relaxed.starts_with(b"arc-authentication-results:") && relaxed.ends_with(b"\r\n"));
    }
}

fn simple(data: &[u8], seed: u8) -> Vec<u8> {
    let (mut body, mut out) = (SimpleBody::new(), Vec::new());
    for piece in super::pieces(data, seed) {
        body.push(piece, |bytes| out.extend_from_slice(bytes));
    }
    body.finish(|bytes| out.extend_from_slice(bytes));
    out
}

/// RFC 6376 §3.4.3.
fn plainly(mut data: &[u8]) -> Vec<u8> {
    while let Some(shorter) = data.strip_suffix(b"\r\n") {
        data = shorter;
    }
    [data, b"\r\n"].concat()
}
