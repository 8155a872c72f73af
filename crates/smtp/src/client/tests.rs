//! The client against servers that say what a test has written down, and against our own.
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test may stop at what it didn't expect")]

mod cut;
mod hello;
mod model;
mod odd;
mod probe;
mod sending;
mod slow;

use super::*;
use crate::path::ReversePath;
use bytes::Bytes;
use mailward_core::Address;
use std::collections::VecDeque;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const MESSAGE: &str = "Subject: x\r\n\r\n.dot\r\n";
const DOTTED: &str = "Subject: x\r\n\r\n..dot\r\n.\r\n";

/// The other side.
struct Peer {
    wire: DuplexStream,
}

impl Peer {
    /// Reads exactly this.
    async fn hear(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        self.wire.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }
    async fn say(&mut self, text: &str) {
        self.wire.write_all(text.as_bytes()).await.unwrap();
    }
    /// Reads exactly this, then says that.
    async fn turn(&mut self, hear: &str, say: &str) {
        self.hear(hear).await;
        self.say(say).await;
    }
    /// Reads to the end.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A client that breaks off may leave the stream in any way.
        let _end = self.wire.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }
}

fn pair() -> (DuplexStream, Peer) {
    let (ours, wire) = tokio::io::duplex(64 * 1024);
    (ours, Peer { wire })
}

/// A connection to a server with these extensions, separated by spaces (`SIZE=10` is `SIZE 10`).
async fn connected(dialect: Dialect, security: Security, extensions: &str) -> (Connection<DuplexStream>, Peer) {
    let (ours, mut peer) = pair();
    let verb = if dialect == Dialect::Lmtp { "LHLO" } else { "EHLO" };
    let mut offer = String::from("250-mx.s.example\r\n");
    for extension in extensions.split(' ').filter(|word| !word.is_empty()) {
        offer.push_str(&format!("250-{}\r\n", extension.replacen('=', " ", 1)));
    }
    offer.push_str("250 HELP\r\n");
    let server = async {
        peer.say("220 mx.s.example\r\n").await;
        peer.turn(&format!("{verb} c.example\r\n"), &offer).await;
    };
    let (connection, ()) = tokio::join!(Connection::greet(ours, dialect, "c.example", security), server);
    (connection.unwrap(), peer)
}

async fn smtp(extensions: &str) -> (Connection<DuplexStream>, Peer) {
    connected(Dialect::Smtp, Security::Clear, extensions).await
}

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

/// From nobody to these at `s.example`, separated by spaces.
fn to(names: &str) -> Transaction {
    let recipients = names.split(' ').map(|name| address(&format!("{name}@s.example")));
    Transaction::new(ReversePath::Null, recipients)
}

fn content(text: &str) -> Whole {
    Whole::new(text.as_bytes().to_vec())
}

/// A message in pieces, of which one may fail.
struct Pieces {
    size: u64,
    pieces: VecDeque<std::io::Result<Bytes>>,
}

impl Pieces {
    fn new(pieces: &[&str]) -> Self {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { size, pieces: pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect() }
    }
}

impl Content for Pieces {
    fn size(&self) -> u64 {
        self.size
    }
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        self.pieces.pop_front().transpose()
    }
}

/// What became of each: `+250`, `4 450`, `5 550`, `?`; a step where it isn't the recipient's own answer.
fn brief(report: &Report) -> Vec<String> {
    let why = |reason: &Reason| match (reason.answer(), reason.at()) {
        (Some(answer), Some(Step::Recipient)) => answer.code().to_string(),
        (Some(answer), Some(at)) => format!("{} at {at}", answer.code()),
        _ => reason.status().to_string(),
    };
    let outcomes = report.outcomes.iter().map(|outcome| match outcome {
        Outcome::Accepted(answer) => format!("+{}", answer.code()),
        Outcome::Temporary(reason) => format!("4 {}", why(reason)),
        Outcome::Permanent(reason) => format!("5 {}", why(reason)),
        Outcome::Unknown(_) => "?".to_owned(),
    });
    outcomes.collect()
}
