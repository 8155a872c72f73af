//! ICAP (RFC 3507): the message is brought as the body of an HTTP answer that a client is about to get (RESPMOD), and the
//! server says whether it may.
//!
//! A server that wishes for a preview (§4.5) gets the beginning of the message first, and has to ask for the rest: one that
//! doesn't, as the message is too large for it or of a kind that it doesn't look into, has not seen it, and what it says is
//! not that it is clean. Without a preview the same server passes such a message on as it would a clean one.
//! 204 says that nothing is to be changed; 200 with the same bytes again says so too. An answer that names a threat, brings
//! another status or other bytes is a finding.

pub mod answer;

use super::wire::{self, Connection};
use super::{Heard, Vital, Why};
use answer::{Copy, Encapsulated, Head, Nonsense};
use mailward_core::limits::{ICAP_BODY_MAX, ICAP_PREVIEW_MAX};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};

/// What is found where the server changes or forbids what it doesn't name a threat in.
const BLOCKED: &str = "blocked";

impl From<Nonsense> for Why {
    fn from(nonsense: Nonsense) -> Self {
        Self::Failed(nonsense.0.to_owned())
    }
}

/// A connection to a server. It is kept only while question and answer are in step.
pub(super) struct Client {
    connection: Connection,
    held: Vec<u8>,
}

impl Client {
    pub(super) async fn open(at: SocketAddr) -> Result<Self, Why> {
        Ok(Self { connection: wire::tcp(at).await?, held: Vec::new() })
    }

    /// What is in a message, and whether the connection can be used again. `preview`: how many bytes the server wishes for to
    /// say whether it wants the rest; `None`: it wishes for all of it at once.
    pub(super) async fn look(
        &mut self,
        at: SocketAddr,
        service: &str,
        preview: Option<usize>,
        message: &[u8],
    ) -> (Result<Heard, Why>, bool) {
        let (mut from, mut to) = split(&mut self.connection);
        let Some(preview) = preview else {
            let asking = async {
                open(&mut to, at, service, None, message.len()).await?;
                bring(&mut to, message).await
            };
            let hearing = hear(&mut from, &mut self.held, message);
            let said = wire::while_asking(asking, hearing).await;
            return self.end(said);
        };
        let (beginning, rest) = message.split_at(preview.min(ICAP_PREVIEW_MAX).min(message.len() / 2));
        let asking = async {
            open(&mut to, at, service, Some(beginning.len()), message.len()).await?;
            bring(&mut to, beginning).await
        };
        match wire::while_asking(asking, hear_of_preview(&mut from, &mut self.held, message)).await {
            (Ok(Wish::Rest), true) => {}
            (Ok(Wish::Said(Heard::Clean, stays)), asked) => {
                let why = "it has the beginning and doesn't want the rest: too large for it, or of a kind that it doesn't open";
                return (Err(Why::Failed(why.to_owned())), stays && asked && self.held.is_empty());
            }
            (Ok(Wish::Said(heard, stays)), asked) => return (Ok(heard), stays && asked && self.held.is_empty()),
            (Ok(Wish::Rest), false) => return (Err(Why::Broken("it answered before it was asked".to_owned())), false),
            (Err(why), _) => return (Err(why), false),
        }
        let hearing = hear(&mut from, &mut self.held, message);
        let said = wire::while_asking(bring(&mut to, rest), hearing).await;
        self.end(said)
    }

    /// What comes of an answer to all of a message, if all of that was said.
    fn end(&self, (heard, asked): (Result<(Heard, bool), Why>, bool)) -> (Result<Heard, Why>, bool) {
        match heard {
            Err(why) => (Err(why), false),
            // It can't know the end of what it says is clean.
            Ok((Heard::Clean, _)) if !asked => {
                (Err(Why::Broken("it answered before it had the message".to_owned())), false)
            }
            Ok((heard, stays)) => (Ok(heard), stays && asked && self.held.is_empty()),
        }
    }

    /// How it is.
    pub(super) async fn vital(&mut self, at: SocketAddr, service: &str) -> (Result<Vital, Why>, bool) {
        let question = format!(
            "OPTIONS icap://{at}{service} ICAP/1.0\r\nHost: {at}\r\nUser-Agent: Mailward\r\nEncapsulated: null-body=0\r\n\r\n"
        );
        let (mut from, mut to) = split(&mut self.connection);
        let held = &mut self.held;
        let hearing = async {
            let head = next_head(&mut from, held, "ICAP").await?;
            if head.status != 200 {
                return Err(Why::Failed(format!("it answers {} to OPTIONS", head.status)));
            }
            let methods = head.field("methods").unwrap_or_default();
            if !methods.split([',', ' ']).any(|method| method.trim().eq_ignore_ascii_case("RESPMOD")) {
                return Err(Why::Failed("its service doesn't do RESPMOD".to_owned()));
            }
            let version = head.field("service").or_else(|| head.field("server")).unwrap_or("ICAP").to_owned();
            let signatures = head.field("istag").map(|tag| tag.trim_matches('"').to_owned());
            let version = signatures.map_or(version.clone(), |tag| format!("{version} ({tag})"));
            let stays = !head.closes() && head.encapsulated()?.body.is_none();
            let preview = head.field("preview").and_then(|bytes| bytes.parse().ok());
            Ok((Vital { version, signatures: None, made: None, preview }, stays))
        };
        let asking = async { to.write_all(question.as_bytes()).await };
        match wire::while_asking(asking, hearing).await {
            (Ok((vital, stays)), asked) => (Ok(vital), stays && asked && self.held.is_empty()),
            (Err(why), _) => (Err(why), false),
        }
    }
}

/// Says what is brought: a message of so many bytes, and how many of them first, if it is a preview.
async fn open(
    to: &mut (impl AsyncWrite + Unpin),
    at: SocketAddr,
    service: &str,
    preview: Option<usize>,
    length: usize,
) -> std::io::Result<()> {
    let request = "GET http://mailward.invalid/message.eml HTTP/1.1\r\nHost: mailward.invalid\r\n\r\n";
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: {length}\r\n\r\n");
    let preview = preview.map(|bytes| format!("Preview: {bytes}\r\n")).unwrap_or_default();
    let head = format!(
        "RESPMOD icap://{at}{service} ICAP/1.0\r\nHost: {at}\r\nUser-Agent: Mailward\r\nAllow: 204\r\n{preview}\
         Encapsulated: req-hdr=0, res-hdr={}, res-body={}\r\n\r\n",
        request.len(),
        request.len().saturating_add(answer.len())
    );
    for text in [&head, request, &answer] {
        to.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

/// Brings a message, or a part of it: in chunks, to their end.
async fn bring(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    for piece in wire::pieces(bytes) {
        to.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        to.write_all(piece).await?;
        to.write_all(b"\r\n").await?;
    }
    to.write_all(b"0\r\n\r\n").await?;
    to.flush().await
}

/// What comes of a preview.
enum Wish {
    /// The rest of it.
    Rest,
    /// Nothing more; what it said, and whether it stays connected.
    Said(Heard, bool),
}

/// Hears whether it wants the rest of a message.
async fn hear_of_preview(from: &mut (impl AsyncRead + Unpin), held: &mut Vec<u8>, message: &[u8]) -> Result<Wish, Why> {
    let head = next_head(from, held, "ICAP").await?;
    if head.status == 100 {
        return Ok(Wish::Rest);
    }
    judged(from, held, &head, message).await.map(|(heard, stays)| Wish::Said(heard, stays))
}

/// Hears what it says of a message, and whether it stays connected.
async fn hear(from: &mut (impl AsyncRead + Unpin), held: &mut Vec<u8>, message: &[u8]) -> Result<(Heard, bool), Why> {
    let head = next_head(from, held, "ICAP").await?;
    judged(from, held, &head, message).await
}

/// What an answer says whose head was read.
async fn judged(
    from: &mut (impl AsyncRead + Unpin),
    held: &mut Vec<u8>,
    head: &Head,
    message: &[u8],
) -> Result<(Heard, bool), Why> {
    let (found, stays) = (head.found(), !head.closes());
    let named = |found: Vec<String>| Heard::Found(found);
    match head.status {
        // What a finding comes with needn't be read.
        _ if !found.is_empty() => Ok((named(found), stays && head.status == 204)),
        204 => Ok((Heard::Clean, stays)),
        200 => {
            let inside = head.encapsulated()?;
            let (same, read) = copy(from, held, inside, message).await?;
            Ok(if same { (Heard::Clean, stays && read) } else { (named(vec![BLOCKED.to_owned()]), false) })
        }
        // It has too much to do (RFC 3507 §4.3.3), whatever the message is.
        503 => Err(Why::Untaken("it answers 503".to_owned())),
        status => Err(Why::Failed(format!("it answers {status}"))),
    }
}

/// Whether the answer within is the message as it was, and whether all of it was read.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    held: &mut Vec<u8>,
    inside: Encapsulated,
    message: &[u8],
) -> Result<(bool, bool), Why> {
    if !inside.http || inside.body.is_none() {
        return Ok((false, false));
    }
    if next_head(from, held, "HTTP").await?.status != 200 {
        return Ok((false, false));
    }
    let most = message.len().saturating_add(ICAP_BODY_MAX);
    let mut copy = Copy::of(message);
    loop {
        let taken = copy.take(held)?;
        held.drain(..taken);
        if copy.is_done() || copy.bytes() > most {
            return Ok((copy.is_the_same(), copy.is_done()));
        }
        wire::more(from, held).await?;
    }
}

async fn next_head(from: &mut (impl AsyncRead + Unpin), held: &mut Vec<u8>, protocol: &str) -> Result<Head, Why> {
    loop {
        if let Some((head, length)) = Head::read(held, protocol)? {
            held.drain(..length);
            return Ok(head);
        }
        wire::more(from, held).await?;
    }
}
