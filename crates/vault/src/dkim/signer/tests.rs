use super::*;
use crate::dkim::Algorithm;
use aws_lc_rs::digest::digest;
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use mailward_core::limits::HEADER_FIELDS_MAX;
use proptest::prelude::*;
use std::sync::LazyLock;

static SIGNER: LazyLock<Arc<Signer>> = LazyLock::new(|| {
    let key = |selector: &str, algorithm| (selector.to_owned(), Arc::new(Key::generate(algorithm).unwrap()));
    let keys = vec![key("mw-1-r", Algorithm::RsaSha256), key("mw-1-e", Algorithm::Ed25519Sha256)];
    Arc::new(Signer::new(Domain::parse("a.example").unwrap(), keys))
});
const NOW: Timestamp = Timestamp::from_secs(1_764_105_749);
const HEADER: &str = "From: Zoë <zoe@a.example>\r\nTo: b@b.example\r\nSubject:  a \r\n\tb\r\nX-No: 1\r\n";

fn sign(pieces: &[&[u8]]) -> Result<String, SignFault> {
    let mut signing = SIGNER.begin(NOW);
    for piece in pieces {
        signing.push(piece)?;
    }
    signing.finish().map(|fields| String::from_utf8(fields).unwrap())
}

/// The two fields, each a line once unfolded.
fn fields(of: &str) -> Vec<String> {
    of.replace("\r\n\t", "\n\t").split_terminator("\r\n").map(|f| f.replace("\n\t", "\r\n\t")).collect()
}

fn tag(field: &str, name: &str) -> String {
    let plain: String = field.chars().filter(|c| !c.is_whitespace()).collect();
    let tags = plain.strip_prefix("DKIM-Signature:").unwrap();
    let value = tags.split(';').find_map(|t| t.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')));
    value.unwrap_or_else(|| panic!("no {name} in {field}")).to_owned()
}

#[test]
fn a_message_gets_a_signature_of_each_key() {
    let message = format!("{HEADER}\r\nbody \r\n\r\n");
    let signed = sign(&[message.as_bytes()]).unwrap();
    let signed = fields(&signed);
    assert_eq!(signed.len(), 2, "{signed:?}");
    for (field, (algorithm, selector)) in signed.iter().zip([("rsa-sha256", "mw-1-r"), ("ed25519-sha256", "mw-1-e")]) {
        for (name, value) in [
            ("v", "1"),
            ("a", algorithm),
            ("c", "relaxed/relaxed"),
            ("d", "a.example"),
            ("s", selector),
            ("t", "1764105749"),
            ("x", "1764710549"),
            ("bh", &STANDARD.encode(digest(&SHA256, b"body\r\n"))),
        ] {
            assert_eq!(tag(field, name), value);
        }
        assert!(tag(field, "h").starts_with("From:From:To:To:Cc:Subject:Subject:Date:"), "{field}");
        for never in ["; l=", "; i=", "\tl=", "\ti="] {
            assert!(!field.contains(never), "{field}");
        }
        assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
    }
}

/// By hand, as RFC 6376 §3.7 has it, for a message whose canonical form is known.
#[test]
fn the_signatures_are_over_what_the_standard_says() {
    let signed = sign(&[format!("{HEADER}\r\n").as_bytes()]).unwrap();
    let known = "from:Zoë <zoe@a.example>\r\nto:b@b.example\r\nsubject:a b\r\n";
    for (field, (_, key)) in fields(&signed).iter().zip(&SIGNER.keys) {
        assert_eq!(tag(field, "bh"), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "of nothing");
        let (before, signature) = field.rsplit_once("\tb=").unwrap();
        let own = format!("{before}\tb=").replace("\r\n\t", " ").replace("DKIM-Signature: ", "dkim-signature:");
        // A continuation of `h=` begins with two blanks, which become one.
        let input = format!("{known}{}", own.replace("  ", " "));
        let signature: String = signature.chars().filter(|c| !c.is_whitespace()).collect();
        let signature = STANDARD.decode(signature).unwrap();
        let public = key.public().unwrap();
        match key.algorithm() {
            Algorithm::RsaSha256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
                .verify(input.as_bytes(), &signature)
                .unwrap(),
            Algorithm::Ed25519Sha256 => UnparsedPublicKey::new(&ED25519, public)
                .verify(digest(&SHA256, input.as_bytes()).as_ref(), &signature)
                .unwrap(),
        }
    }
}

#[test]
fn lines_of_blanks_at_the_end_of_a_body_count_as_none() {
    let hash = |body: &str| tag(&sign(&[HEADER.as_bytes(), b"\r\n", body.as_bytes()]).unwrap(), "bh");
    for body in ["body", "body\r\n", "body\r\n \r\n", "body \r\n\t\r\n\r\n", "body\r\n \t"] {
        assert_eq!(hash(body), STANDARD.encode(digest(&SHA256, b"body\r\n")), "{body:?}");
    }
    assert_eq!(hash(" \r\n"), hash(""));
}

#[test]
fn what_can_t_be_signed_is_told_why() {
    let of = |message: &str| sign(&[message.as_bytes()]).unwrap_err();
    assert_eq!(of("Subject: x\r\n\r\n"), SignFault::Header(SignedHeaderFault::From(0)));
    assert_eq!(of("\r\nFrom: a\r\n"), SignFault::Header(SignedHeaderFault::From(0)), "a body");
    assert_eq!(of("no header at all"), SignFault::Header(SignedHeaderFault::None));
    assert_eq!(of("junk\r\nFrom: a\r\n\r\n"), SignFault::Header(SignedHeaderFault::None));
    assert_eq!(of(""), SignFault::Header(SignedHeaderFault::From(0)));
    assert_eq!(of("From: a\n\nbody\r\n"), SignFault::Header(SignedHeaderFault::BareLineEnd));
    assert_eq!(of("From: a\r\n\r\na\nb\r\n"), SignFault::BareLineEnd);
    assert_eq!(of("From: a\r\n\r\na\r"), SignFault::BareLineEnd);
    assert!(sign(&[b"From: a\r\n"]).is_ok(), "without a body");
}

#[test]
fn headers_end_at_their_limits() {
    let of = |header: &str| sign(&[header.as_bytes(), b"\r\nbody\r\n"]).map(drop);
    let exactly = |size: usize| format!("From: a\r\nX: {}\r\n", "y".repeat(size - 14));
    // The empty line belongs to it.
    assert_eq!(of(&exactly(HEADER_BYTES_MAX - 2)), Ok(()));
    assert_eq!(of(&exactly(HEADER_BYTES_MAX + 1)), Err(SignFault::HeaderTooLarge));
    let many = |count: usize| format!("From: a\r\n{}", "X: y\r\n".repeat(count - 1));
    assert_eq!(of(&many(HEADER_FIELDS_MAX)), Ok(()));
    assert_eq!(of(&many(HEADER_FIELDS_MAX + 1)), Err(SignFault::Header(SignedHeaderFault::TooManyFields)));
}

/// A message with the largest header there may be, all of it signed, is signed without much ado.
#[test]
fn a_header_of_signed_fields_only_is_signed() {
    let message = format!("From: a\r\n{}\r\nbody\r\n", "To: x@y.example\r\n".repeat(HEADER_FIELDS_MAX - 1));
    let signed = sign(&[message.as_bytes()]).unwrap();
    assert_eq!(tag(&signed, "h").matches("To:").count(), HEADER_FIELDS_MAX + 2, "and Reply-To, In-Reply-To");
}

#[test]
fn a_clock_before_1970_signs_too() {
    let mut signing = SIGNER.begin(Timestamp(-5));
    signing.push(b"From: a\r\n\r\n").unwrap();
    assert_eq!(tag(&String::from_utf8(signing.finish().unwrap()).unwrap(), "t"), "0");
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\t".to_vec()),
        proptest::collection::vec(any::<u8>().prop_filter("a line end", |b| !b"\r\n".contains(b)), 0..6),
    ];
    proptest::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn how_a_message_is_cut_changes_nothing(body in body(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let message = [HEADER.as_bytes(), b"\r\n", &body].concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len().saturating_add(1))).collect();
        at.extend([0, message.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &message[w[0]..w[1]]).collect();
        let bytes: Vec<&[u8]> = message.chunks(1).collect();
        let whole = sign(&[&message]).unwrap();
        prop_assert_eq!(&sign(&pieces).unwrap(), &whole);
        prop_assert_eq!(&sign(&bytes).unwrap(), &whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = sign(&[&bytes]);
        let _ = sign(&[b"From: a\r\n\r\n", &bytes]);
    }
}

fn sealed(chain: ChainStatus, before: &[u8]) -> String {
    let mut signing = SIGNER.begin_seal(NOW);
    signing.push(format!("DKIM-Signature: v=1\r\n{HEADER}\r\nbody\r\n").as_bytes()).unwrap();
    let seal = ArcSeal { instance: 3, chain, before, results: "mx.a.example;\r\n\tdkim=pass" };
    String::from_utf8(signing.seal(&seal).unwrap().unwrap()).unwrap()
}

#[test]
fn a_seal_is_over_the_chain_unless_the_chain_is_broken() {
    let set = sealed(ChainStatus::Pass, b"before\r\n");
    let fields = fields(&set);
    assert!(
        fields[0].starts_with("ARC-Seal: i=3; a=rsa-sha256; t=1764105749; cv=pass;\r\n\td=a.example; s=mw-1-r;"),
        "{set}"
    );
    assert!(
        fields[1].starts_with("ARC-Message-Signature: i=3; a=rsa-sha256; c=relaxed/relaxed; d=a.example;"),
        "{set}"
    );
    assert!(fields[1].contains("DKIM-Signature;\r\n\tbh="), "others' signatures are signed, too: {set}");
    assert_eq!(fields[2], "ARC-Authentication-Results: i=3; mx.a.example;\r\n\tdkim=pass");
    assert!(set.lines().all(|line| line.len() <= 90), "{set}");
    assert_ne!(sealed(ChainStatus::Pass, b"other\r\n"), set);
    // RFC 8617 §5.1.2. The signature of RSA is the same for the same.
    assert_eq!(sealed(ChainStatus::Fail, b"before\r\n"), sealed(ChainStatus::Fail, b""));
}
