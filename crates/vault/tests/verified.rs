//! What we sign, an implementation by others verifies: `mail-auth`, with the records that we would publish, and no network.

#![expect(clippy::unwrap_used, reason = "a helper of tests may stop where something is not as it should be")]

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{
    AuthenticatedMessage, DkimResult, MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt,
};
use mailward_core::{Clock as _, Domain, SystemClock};
use mailward_vault::dkim::{Algorithm, Key, Signer, record};
use proptest::prelude::*;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

/// What DNS would answer; nobody else is asked.
struct Zone(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        self.0.get(name).cloned()
    }
    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }
    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// A cache of what is never asked for.
struct Nothing;

macro_rules! nothing {
    ($key:ty, $value:ty) => {
        impl ResolverCache<$key, $value> for Nothing {
            fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<$value>
            where
                $key: Borrow<Q>,
            {
                None
            }
            fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<$value>
            where
                $key: Borrow<Q>,
            {
                None
            }
            fn insert(&self, _: $key, _: $value, _: Instant) {}
        }
    };
}
nothing!(Box<str>, RecordSet<MX>);
nothing!(Box<str>, RecordSet<Ipv4Addr>);
nothing!(Box<str>, RecordSet<Ipv6Addr>);
nothing!(IpAddr, RecordSet<Box<str>>);

struct House {
    signer: Arc<Signer>,
    zone: Zone,
    runtime: tokio::runtime::Runtime,
    verifier: MessageAuthenticator,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let mut zone = HashMap::new();
    let mut keys = Vec::new();
    for (selector, algorithm) in [("mw-1-r", Algorithm::RsaSha256), ("mw-1-e", Algorithm::Ed25519Sha256)] {
        let key = Key::generate(algorithm).unwrap();
        let text = record(algorithm, &key.public().unwrap());
        let published = DomainKey::parse(text.as_bytes()).unwrap();
        zone.insert(format!("{selector}._domainkey.a.example.").into(), Txt::DomainKey(Arc::new(published)));
        keys.push((selector.to_owned(), Arc::new(key)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    House {
        signer: Arc::new(Signer::new(Domain::parse("a.example").unwrap(), keys)),
        zone: Zone(zone),
        // With nobody to ask.
        verifier: MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default()).unwrap(),
        runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
    }
});

fn signed(message: &[u8]) -> Vec<u8> {
    let mut signing = HOUSE.signer.begin(SystemClock.now());
    signing.push(message).unwrap();
    [signing.finish().unwrap().as_slice(), message].concat()
}

/// What the verifier says of each signature, and why.
fn verdicts(message: &[u8]) -> Vec<String> {
    let parsed = AuthenticatedMessage::parse(message).unwrap();
    let asked = Parameters {
        params: &parsed,
        cache_txt: Some(&HOUSE.zone),
        cache_mx: None::<&Nothing>,
        cache_ptr: None::<&Nothing>,
        cache_ipv4: None::<&Nothing>,
        cache_ipv6: None::<&Nothing>,
    };
    let told = HOUSE.runtime.block_on(HOUSE.verifier.verify_dkim(asked));
    told.iter()
        .map(|output| match output.result() {
            DkimResult::Pass => "pass".to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

fn passes(message: &[u8]) -> bool {
    verdicts(message) == ["pass", "pass"]
}

const HEADER: &str = "Received: from x by y; now\r\nFrom: Zoe <zoe@a.example>\r\nTo: b@b.example,\r\n\tc@c.example\r\n\
    Subject:   several  blanks \r\n \t and lines \r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@a.example>\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nList-Id: <l.a.example>\r\n\
    List-Unsubscribe: <https://a.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nX-Other: 1\r\n";

#[test]
fn both_signatures_of_a_message_pass() {
    for body in
        ["", "\r\n", "Hello\r\n", "Hello", "two  blanks \t\r\n\r\n inner\r\n\r\n\r\n", "äöü €\r\n", ".\r\n..\r\n"]
    {
        let message = signed(format!("{HEADER}\r\n{body}").as_bytes());
        assert_eq!(verdicts(&message), ["pass", "pass"], "{body:?}");
    }
}

/// What is done on the way to a message, and whether the signatures stand it.
#[test]
fn what_was_added_or_changed_on_the_way_is_noticed() {
    let message = String::from_utf8(signed(format!("{HEADER}\r\nHello there\r\n").as_bytes())).unwrap();
    for added in [
        "From: boss@a.example\r\n",
        "To: victim@b.example\r\n",
        "Cc: victim@b.example\r\n",
        "Subject: urgent\r\n",
        "Reply-To: thief@c.example\r\n",
        "Content-Type: multipart/mixed; boundary=x\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "List-Unsubscribe: <https://evil.example/>\r\n",
    ] {
        assert!(!passes(format!("{added}{message}").as_bytes()), "{added}");
        let below = message.replacen("X-Other: 1\r\n", added, 1);
        assert!(!passes(below.as_bytes()), "{added} below");
    }
    for (was, becomes) in [
        ("several  blanks", "several blanks and more"),
        ("Hello", "Hallo"),
        ("there\r\n", "there\r\nmore\r\n"),
        ("b@b.example", "d@b.example"),
        ("x=", "x=9"),
    ] {
        assert!(!passes(message.replacen(was, becomes, 1).as_bytes()), "{was} → {becomes}");
    }
    // What honest relays and lists do.
    for added in
        ["Received: from a by b; now\r\n", "Sender: list@c.example\r\n", "List-Archive: <https://l/>\r\n", "X: y\r\n"]
    {
        assert!(passes(format!("{added}{message}").as_bytes()), "{added}");
    }
    assert!(passes(message.replacen("several  blanks ", "several blanks", 1).as_bytes()), "blanks are relaxed");
    assert!(passes(format!("{message}\r\n\r\n").as_bytes()), "empty lines at the end are, too");
}

fn text(line_ends: bool) -> impl Strategy<Value = String> {
    let ends = if line_ends { "\r\n" } else { " " };
    let part = prop_oneof![3 => Just(ends), 2 => Just(" "), 1 => Just("\t"), 1 => Just("."), 3 => Just("word"), 1 => Just("ü:;=")];
    proptest::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
}

/// A body whose last lines hold only blanks is hashed as RFC 6376 §3.4.4 says by us (`dkim::signer`'s own tests), not by
/// the verifier of this version; the same body without them is, to the standard, the same body.
fn without_blank_lines_at_the_end(body: &str) -> String {
    let cut = body.trim_end_matches([' ', '\t', '\r', '\n']);
    if cut.is_empty() { String::new() } else { format!("{cut}\r\n") }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_passes(subject in text(false), body in text(true)) {
        let header = format!("From: zoe@a.example\r\nSubject: {subject}\r\n{HEADER}").replacen("From: Zoe <zoe@a.example>\r\n", "", 1);
        let header = header.replacen("Subject:   several  blanks \r\n \t and lines \r\n", "", 1);
        let message = format!("{header}\r\n{body}");
        let whole = signed(message.as_bytes());
        let fields = whole.strip_suffix(message.as_bytes()).unwrap();
        let same = [fields, header.as_bytes(), b"\r\n", without_blank_lines_at_the_end(&body).as_bytes()].concat();
        prop_assert_eq!(verdicts(&same), ["pass", "pass"]);
    }
}

/// Holds the verifier to its known mistake: once it is mended, what goes round it can go.
#[test]
fn the_verifier_still_takes_lines_of_blanks_at_the_end_for_text() {
    let ours = signed(format!("{HEADER}\r\nbody\r\n \r\n").as_bytes());
    assert!(!passes(&ours));
    let cut = String::from_utf8(ours).unwrap().replacen("body\r\n \r\n", "body\r\n", 1);
    assert!(passes(cut.as_bytes()));
}
