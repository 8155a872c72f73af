//! Zones and their server.

use crate::raw::ports;
use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_server::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_server::proto::dnssec::{DigestType, DnssecSigner, SigningKey};
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneHandler, ZoneType};
use mailward_core::config::Dns;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Memory = InMemoryZoneHandler<TokioRuntimeProvider>;

/// A zone. Its text has one record a line, as in zone files, without the SOA and NS records of the zone itself; names
/// without a dot at their end are below the zone's own.
#[derive(Clone, Debug)]
pub struct Zone {
    origin: String,
    text: String,
    signing: Signing,
    late: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    None,
    Nsec,
    Nsec3 { iterations: u16 },
}

impl Zone {
    /// A zone without signatures.
    #[must_use]
    pub fn plain(origin: &str, text: &str) -> Self {
        Self { origin: origin.to_owned(), text: text.to_owned(), signing: Signing::None, late: String::new() }
    }
    /// A signed zone; its denials are NSEC records.
    #[must_use]
    pub fn signed(origin: &str, text: &str) -> Self {
        Self { signing: Signing::Nsec, ..Self::plain(origin, text) }
    }
    /// A signed zone; its denials are NSEC3 records, hashed so many times more.
    #[must_use]
    pub fn hashed(origin: &str, text: &str, iterations: u16) -> Self {
        Self { signing: Signing::Nsec3 { iterations }, ..Self::plain(origin, text) }
    }
    /// Adds records after the zone was signed: without a signature, or one that doesn't hold.
    #[must_use]
    pub fn forged(mut self, text: &str) -> Self {
        self.late.push_str(text);
        self
    }
}

/// What happens to questions for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer.
    Silence,
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// A server for zones, until it is dropped.
pub struct Zones {
    address: SocketAddr,
    directory: tempfile::TempDir,
    shared: Arc<Shared>,
    _server: Server<Handler>,
}

#[derive(Default)]
struct Shared {
    questions: AtomicUsize,
    asked: Mutex<Vec<String>>,
    faults: Mutex<HashMap<(String, Option<RecordType>), Fault>>,
}

impl Zones {
    /// Starts a server for a root and these zones, within a tokio runtime.
    pub async fn start(zones: &[Zone]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root_key = Key::new(&Name::root());
        std::fs::write(directory.path().join("root.key"), root_key.anchor()).unwrap();
        let mut delegations = String::new();
        let mut records = Vec::new();
        let mut children = Catalog::new();
        for zone in zones {
            let origin = Name::from_ascii(&zone.origin).unwrap();
            let key = (zone.signing != Signing::None).then(|| Key::new(&origin));
            writeln!(delegations, "{} 3600 IN NS ns.nic.", zone.origin).unwrap();
            if let Some(key) = &key {
                records.push(key.ds(&origin));
            }
            let memory = Arc::new(build(zone, key, Vec::new()));
            children.upsert(LowerName::new(&origin), vec![memory as Arc<dyn ZoneHandler>]);
        }
        delegations.push_str("ns.nic. 3600 IN A 127.0.0.1\n");
        let root: Arc<dyn ZoneHandler> = Arc::new(build(&Zone::signed(".", &delegations), Some(root_key), records));
        let mut parents = Catalog::new();
        for catalog in [&mut children, &mut parents] {
            catalog.upsert(LowerName::new(&Name::root()), vec![Arc::clone(&root)]);
        }
        let shared = Arc::new(Shared::default());
        let origins = zones.iter().map(|zone| Name::from_ascii(&zone.origin).unwrap()).collect();
        let mut server = Server::new(Handler { children, parents, origins, shared: Arc::clone(&shared) });
        let (udp, tcp, address) = ports().await;
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(60), 4096);
        Self { address, directory, shared, _server: server }
    }

    /// Where it listens, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    /// A file with the root's key, for `dns.trust_anchor`.
    #[must_use]
    pub fn trust_anchor(&self) -> std::path::PathBuf {
        self.directory.path().join("root.key")
    }
    /// Configuration of a resolver that asks this server and trusts its root.
    #[must_use]
    pub fn config(&self) -> Dns {
        Dns { servers: vec![self.address], trust_anchor: Some(self.trust_anchor()), ..Dns::default() }
    }
    /// A directory of its own for the test, gone with the server.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
    /// Questions that came so far.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::SeqCst)
    }
    /// Questions that came so far, each as `name. TYPE`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
    /// From now on, questions for a name, of one type or of all, meet a fault.
    pub fn fault(&self, name: &str, kind: Option<RecordType>, fault: Fault) {
        let name = Name::from_ascii(name).unwrap().to_lowercase().to_ascii();
        self.shared.faults.lock().unwrap().insert((name, kind), fault);
    }
    /// From now on, all is well.
    pub fn mend(&self) {
        self.shared.faults.lock().unwrap().clear();
    }
}

/// A zone's key.
struct Key {
    dnskey: DNSKEY,
    signing: Ed25519SigningKey,
    origin: Name,
}

impl Key {
    fn new(origin: &Name) -> Self {
        let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
        let signing = Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
        let dnskey = DNSKEY::from_key(&signing.to_public_key().unwrap());
        Self { dnskey, signing, origin: origin.clone() }
    }
    fn ds(&self, origin: &Name) -> Record {
        let ds = DS::from_key(&self.signing.to_public_key().unwrap(), origin, DigestType::SHA256).unwrap();
        Record::from_rdata(origin.clone(), 3600, RData::DNSSEC(DNSSECRData::DS(ds)))
    }
    /// The line of a trust anchor file.
    fn anchor(&self) -> String {
        format!("{} 3600 IN DNSKEY {}\n", self.origin.to_ascii(), self.dnskey)
    }
    fn signer(self) -> DnssecSigner {
        DnssecSigner::new(self.dnskey, Box::new(self.signing), self.origin, Duration::from_secs(7 * 86_400))
    }
}

fn build(zone: &Zone, key: Option<Key>, records: Vec<Record>) -> Memory {
    let origin = Name::from_ascii(&zone.origin).unwrap();
    let head = "@ 3600 IN SOA ns.nic. hostmaster.nic. 1 3600 600 86400 60\n@ 3600 IN NS ns.nic.\n";
    let parse = |text: &str| Parser::new(format!("{head}{text}\n"), None, Some(origin.clone())).parse().unwrap().1;
    let proof = match zone.signing {
        Signing::None => None,
        Signing::Nsec => Some(NxProofKind::Nsec),
        Signing::Nsec3 { iterations } => {
            Some(NxProofKind::Nsec3 { algorithm: Default::default(), salt: Arc::new([]), iterations, opt_out: false })
        }
    };
    let mut memory =
        Memory::new(origin.clone(), parse(&zone.text), ZoneType::Primary, AxfrPolicy::Deny, proof).unwrap();
    for record in records {
        assert!(memory.upsert_mut(record, 1));
    }
    if let Some(key) = key {
        memory.add_zone_signing_key_mut(key.signer()).unwrap();
        memory.secure_zone_mut().unwrap();
    }
    for (key, set) in parse(&zone.late) {
        if matches!(key.record_type, RecordType::SOA | RecordType::NS) {
            continue;
        }
        for record in set.records_without_rrsigs() {
            memory.upsert_mut(record.clone(), 1);
        }
    }
    memory
}

struct Handler {
    children: Catalog,
    /// The root alone: who delegates answers for what a delegation is proven by.
    parents: Catalog,
    origins: Vec<Name>,
    shared: Arc<Shared>,
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut reply: R) -> ResponseInfo {
        self.shared.questions.fetch_add(1, Ordering::SeqCst);
        let Ok(info) = request.request_info() else {
            return self.children.handle_request::<R, T>(request, reply).await;
        };
        let (name, kind) = (Name::from(info.query.name().clone()), info.query.query_type());
        let text = name.to_ascii();
        self.shared.asked.lock().unwrap().push(format!("{text} {kind}"));
        let fault = {
            let faults = self.shared.faults.lock().unwrap();
            faults.get(&(text.clone(), Some(kind))).or_else(|| faults.get(&(text, None))).copied()
        };
        let code = match fault {
            None if kind == RecordType::DS && self.origins.contains(&name) => {
                return self.parents.handle_request::<R, T>(request, reply).await;
            }
            None => return self.children.handle_request::<R, T>(request, reply).await,
            Some(Fault::Silence) => {
                let metadata = Metadata::response_from_request(&request.metadata);
                return Header { metadata, counts: HeaderCounts::default() }.into();
            }
            Some(Fault::ServFail) => ResponseCode::ServFail,
            Some(Fault::Refused) => ResponseCode::Refused,
        };
        let message = MessageResponseBuilder::from_message_request(request).error_msg(&request.metadata, code);
        reply.send_response(message).await.unwrap()
    }
}
