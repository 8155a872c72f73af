//! A host that takes mail, refuses it by the recipient's name, and can be made to misbehave.

use crate::queue::way::{Host, Trust};
use base64::Engine as _;
use mailward_smtp::client::Dialect;
use mailward_tls::outbound::{Outbound, Proof};
use mailward_tls::{Acceptor, Wire, authority};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) greeting: &'static str,
    pub(crate) tls: Tls,
    pub(crate) lmtp: bool,
    /// What it offers beside PIPELINING; one keyword with its values.
    pub(crate) offers: &'static str,
    /// Messages it takes in a connection before 421.
    pub(crate) messages: usize,
    /// It hangs up after them, without a word.
    pub(crate) silent: bool,
    /// Connections that are dropped behind the last byte of a message, from the first on.
    pub(crate) drops: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// It isn't offered.
    No,
    Works,
    /// Offered, then refused.
    Refused,
    /// Offered, agreed to, and then nonsense.
    Broken,
    /// With somebody else's certificate.
    OfAnother,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            greeting: "220 sink\r\n",
            tls: Tls::No,
            lmtp: false,
            offers: "HELP",
            messages: usize::MAX,
            silent: false,
            drops: 0,
        }
    }
}

/// What it took.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) text: String,
    pub(crate) encrypted: bool,
}

#[derive(Default)]
struct Seen {
    taken: Vec<Taken>,
    asked: Vec<String>,
    connections: usize,
    open: usize,
    most: usize,
    hung_up: usize,
}

pub(crate) struct Sink {
    address: SocketAddr,
    certificate: Vec<u8>,
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The authority that sinks have their certificates of.
fn certified() -> &'static authority::Authority {
    static AUTHORITY: OnceLock<authority::Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| authority::create(&["example"], SystemTime::now()).unwrap())
}

/// What trusts that authority.
pub(crate) fn trusting() -> Outbound {
    Outbound::trusting(certified().certificate_pem.as_bytes()).unwrap()
}

/// A certificate for a name, to start TLS with, and its DER form.
pub(super) fn acceptor(name: &str) -> (Acceptor, Vec<u8>) {
    let issued = authority::issue(certified(), &[name], SystemTime::now()).unwrap();
    let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let base64: String = issued.chain_pem.lines().skip(1).take_while(|line| !line.starts_with('-')).collect();
    (acceptor, base64::engine::general_purpose::STANDARD.decode(base64).unwrap())
}

impl Sink {
    pub(crate) async fn start(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let (acceptor, certificate) =
            acceptor(if plan.tls == Tls::OfAnother { "other.example" } else { "mx.t.example" });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut seen = shared.lock().unwrap();
                    seen.connections += 1;
                    seen.open += 1;
                    seen.most = seen.most.max(seen.open);
                    seen.connections
                };
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    serve(stream, plan, number, Arc::clone(&shared), acceptor).await;
                    let mut seen = shared.lock().unwrap();
                    seen.open -= 1;
                    seen.hung_up += 1;
                });
            }
        });
        Self { address, certificate, seen, task }
    }

    pub(crate) fn host(&self, proof: Proof) -> Host {
        Host {
            name: "mx.t.example".to_owned(),
            tls_name: "mx.t.example".to_owned(),
            addresses: vec![self.address],
            dialect: Dialect::Smtp,
            proof,
            trust: Trust::default(),
        }
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.seen.lock().unwrap().taken.clone()
    }

    /// How often it was asked for a recipient.
    pub(crate) fn asked(&self, recipient: &str) -> usize {
        self.seen.lock().unwrap().asked.iter().filter(|asked| *asked == recipient).count()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// SHA-256 of its certificate, as a TLSA record has it.
    pub(crate) fn certificate_digest(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Connections that were open at one time, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.seen.lock().unwrap().most
    }

    /// Connections that are over.
    pub(crate) fn hung_up(&self) -> usize {
        self.seen.lock().unwrap().hung_up
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

async fn serve(stream: TcpStream, plan: Plan, number: usize, seen: Arc<Mutex<Seen>>, acceptor: Acceptor) {
    let mut peer = Peer { stream, unread: Vec::new() };
    peer.say(plan.greeting).await;
    let Some(mut peer) = hello_and_tls(peer, plan, &acceptor, &seen, number).await else { return };
    talk(&mut peer, plan, number, &seen, true).await;
}

/// In clear until STARTTLS; answers the peer under TLS, if it came to that.
async fn hello_and_tls(
    mut peer: Peer<TcpStream>,
    plan: Plan,
    acceptor: &Acceptor,
    seen: &Arc<Mutex<Seen>>,
    number: usize,
) -> Option<Peer<Wire>> {
    if plan.tls == Tls::No {
        talk(&mut peer, plan, number, seen, false).await;
        return None;
    }
    loop {
        let line = peer.line().await?;
        if line.starts_with("EHLO") {
            peer.say("250-sink\r\n250 STARTTLS\r\n").await;
        } else if line == "STARTTLS" {
            match plan.tls {
                Tls::Refused => {
                    peer.say("454 not now\r\n").await;
                    talk(&mut peer, plan, number, seen, false).await;
                    return None;
                }
                Tls::Broken => {
                    peer.say("220 go\r\n").await;
                    // Not before it was greeted under TLS: that would look like somebody between.
                    peer.stream.read_u8().await.ok()?;
                    peer.stream.write_all(b"this is no TLS at all, is it? no.\r\n").await.ok()?;
                    return None;
                }
                _ => {
                    peer.say("220 go\r\n").await;
                    let wire = Wire::tcp(peer.stream).accept_tls(acceptor).await.ok()?;
                    return Some(Peer { stream: wire, unread: Vec::new() });
                }
            }
        } else {
            // It goes on without TLS.
            peer.unread = [line.as_bytes(), b"\r\n", &peer.unread].concat();
            talk(&mut peer, plan, number, seen, false).await;
            return None;
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<S>,
    plan: Plan,
    number: usize,
    seen: &Arc<Mutex<Seen>>,
    encrypted: bool,
) {
    let (mut sender, mut recipients, mut messages) = (String::new(), Vec::new(), 0);
    while let Some(line) = peer.line().await {
        let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match line.get(..4).unwrap_or_default() {
            "EHLO" | "LHLO" if plan.lmtp == line.starts_with("LHLO") => {
                peer.say(&format!("250-sink\r\n250-PIPELINING\r\n250 {}\r\n", plan.offers)).await
            }
            "MAIL" if messages >= plan.messages => {
                peer.say("421 enough\r\n").await;
                return;
            }
            "MAIL" => {
                (sender, recipients) = (address, Vec::new());
                peer.say("250 ok\r\n").await;
            }
            "RCPT" => {
                seen.lock().unwrap().asked.push(address.clone());
                match address.split('@').next().unwrap_or_default() {
                    "never" => peer.say("550 5.1.1 never heard of them\r\n").await,
                    "later" => peer.say("450 4.2.1 come again\r\n").await,
                    _ => {
                        recipients.push(address);
                        peer.say("250 ok\r\n").await;
                    }
                }
            }
            "DATA" if recipients.is_empty() => peer.say("503 nobody to take it\r\n").await,
            "DATA" => {
                peer.say("354 go on\r\n").await;
                let Some(text) = peer.data().await else { return };
                let taken = Taken { sender: sender.clone(), recipients: recipients.clone(), text, encrypted };
                seen.lock().unwrap().taken.push(taken);
                if number <= plan.drops {
                    return;
                }
                messages += 1;
                if plan.lmtp {
                    for recipient in &recipients {
                        let full = recipient.starts_with("full@");
                        peer.say(if full { "452 4.2.2 full\r\n" } else { "250 ok\r\n" }).await;
                    }
                } else {
                    peer.say("250 2.0.0 taken\r\n").await;
                }
                if plan.silent && messages >= plan.messages {
                    return;
                }
            }
            "RSET" => peer.say("250 ok\r\n").await,
            "QUIT" => {
                peer.say("221 bye\r\n").await;
                return;
            }
            _ => peer.say("502 what?\r\n").await,
        }
    }
}

struct Peer<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn say(&mut self, text: &str) {
        drop(self.stream.write_all(text.as_bytes()).await);
        drop(self.stream.flush().await);
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=at).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let mut some = [0u8; 4096];
            match self.stream.read(&mut some).await {
                Ok(count) if count > 0 => self.unread.extend_from_slice(&some[..count]),
                _ => return None,
            }
        }
    }

    /// A message, its dots undone.
    async fn data(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                return Some(text);
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
    }
}
