//! A message read, and the other implementation.

use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimResult, MX, MessageAuthenticator, Parameters,
    RecordSet, ResolverCache, Txt, arc::ArcSealer,
};
use mailward_core::{Clock as _, Domain, SystemClock, Timestamp};
use mailward_dns_zone::Texts;
use mailward_inspect::authenticate::{Reading, Results};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

pub(crate) fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn read(message: &str, zone: &Texts) -> Results {
    read_bytes(message.as_bytes(), &[], zone)
}

/// In pieces.
pub(crate) fn read_bytes(message: &[u8], cuts: &[usize], zone: &Texts) -> Results {
    let mut at = [cuts, &[0, message.len()]].concat();
    at.sort_unstable();
    let mut reading = Reading::new();
    for piece in at.windows(2) {
        reading.push(&message[piece[0]..piece[1]]);
    }
    runtime().block_on(reading.verify(zone, now()))
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The other implementation, with nobody to ask but a zone.
pub(crate) struct MailAuth(MessageAuthenticator);

impl MailAuth {
    pub(crate) fn new() -> Self {
        let runtime = runtime();
        let _inside = runtime.enter();
        Self(MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default()).unwrap())
    }

    /// What it says of a chain.
    pub(crate) fn arc(&self, message: &str, zone: &Texts) -> String {
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        match self.output(&parsed, zone).result() {
            DkimResult::Pass => "pass".to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// Adds a set of `a.example`.
    pub(crate) fn seal(&self, message: &str, key: RsaKey<Sha256>, zone: &Texts) -> String {
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let output = self.output(&parsed, zone);
        let results = AuthenticationResults::new("mx.a.example").with_arc_result(&output, "127.0.0.1".parse().unwrap());
        let sealer = ArcSealer::from_key(key).domain("a.example").selector("k").headers(["From", "To", "Subject"]);
        sealer.seal(&parsed, &results, &output).unwrap().to_header() + message
    }

    fn output<'x>(&self, parsed: &'x AuthenticatedMessage<'x>, zone: &Texts) -> ArcOutput<'x> {
        let cache = Cache(
            zone.all()
                .into_iter()
                .map(|(name, text)| {
                    let key = DomainKey::parse(text.as_bytes()).unwrap();
                    (format!("{name}.").into(), Txt::DomainKey(Arc::new(key)))
                })
                .collect(),
        );
        let cache: &'static Cache = Box::leak(Box::new(cache));
        runtime().block_on(self.0.verify_arc(Parameters {
            params: parsed,
            cache_txt: Some(cache),
            cache_mx: None::<&Nothing>,
            cache_ptr: None::<&Nothing>,
            cache_ipv4: None::<&Nothing>,
            cache_ipv6: None::<&Nothing>,
        }))
    }
}

struct Cache(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Cache {
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
