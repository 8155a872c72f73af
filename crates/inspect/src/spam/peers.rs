//! Other filters, asked as well: SpamAssassin's daemon (SPAMC 1.5, `SYMBOLS`) and rspamd (`POST /checkv2`).
//!
//! One that is silent says nothing. One that takes no connection rests for a while, so that no message waits for it twice in
//! vain; one that takes them and doesn't answer does so after some messages in a row, as one alone may be the reason itself. To rspamd HTTP/1.0 is
//! spoken, one message a connection: its answer is a head and JSON up to the end, and nothing more of HTTP is needed.
//!
//! What each has to know of who brings the message it gets as it expects it. rspamd is told beside the message, and takes a trace of ours
//! for one more host on the way: it gets the message as it came. SpamAssassin reads the topmost Received, with the client's name in the
//! DNS, which ours doesn't have: it gets one that is written for it.

use crate::subject::Subject;
use crate::verdict::{Action, Check, Finding};
use futures_util::future::join_all;
use mailward_core::config::{SpamPeer, SpamPeerKind, SpamPeerPlace};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    SPAM_PEER_ANSWER_MAX, SPAM_PEER_LATE_MAX, SPAM_PEER_REST, SPAM_PEER_TIME, SPAM_PEERS_MAX, SPAM_READ_MAX,
    SPAM_WORDS_MAX,
};
use mailward_message::date::format_header;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

/// Those that were silent, by their names.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<BTreeMap<String, Silence>>);

/// How silent one is.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    /// Messages in a row that it didn't answer.
    late: u32,
    /// Until when it rests.
    until: Option<Instant>,
}

/// What it was silent to.
enum Silent {
    /// It takes no connection, which no message is the reason of.
    Connection(Error),
    /// It has had the message, or some of it.
    Message(Error),
}

/// What a filter said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// Its points, by its own scale.
    pub(super) points: f64,
    /// What it found.
    pub(super) symbols: Vec<String>,
}

impl Peers {
    /// What other filters say, all asked at once. Messages of more than `limits::SPAM_READ_MAX` bytes aren't shown to them.
    pub(super) async fn ask(&self, peers: &[SpamPeer], subject: &Subject, events: &Events) -> Vec<Finding> {
        if peers.is_empty() || subject.bytes.len() > SPAM_READ_MAX {
            return Vec::new();
        }
        let asked = peers.iter().filter(|peer| !self.rests(peer)).map(|peer| async move {
            match ask(peer, subject).await {
                Ok(said) => {
                    self.silences().remove(&peer.to_string());
                    Some(finding(peer, &said))
                }
                Err(silent) => {
                    let rests = self.note(peer, &silent).as_secs();
                    let (Silent::Connection(error) | Silent::Message(error)) = silent;
                    let silent = Event::warn("spam.peer_silent").with("peer", peer).with("error", error);
                    events.emit(silent.with("rests_seconds", rests));
                    None
                }
            }
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    fn rests(&self, peer: &SpamPeer) -> bool {
        let silences = self.silences();
        let until = silences.get(&peer.to_string()).and_then(|silence| silence.until);
        until.is_some_and(|until| until > Instant::now())
    }

    /// Notes that it was silent; how long it rests.
    fn note(&self, peer: &SpamPeer, silent: &Silent) -> Duration {
        let mut silences = self.silences();
        let name = peer.to_string();
        // Those of former configurations are forgotten.
        if silences.len() >= SPAM_PEERS_MAX.saturating_mul(2) && !silences.contains_key(&name) {
            silences.clear();
        }
        let silence = silences.entry(name).or_default();
        silence.late = silence.late.saturating_add(1);
        if matches!(silent, Silent::Message(_)) && silence.late < SPAM_PEER_LATE_MAX {
            return Duration::ZERO;
        }
        *silence = Silence { late: 0, until: Instant::now().checked_add(SPAM_PEER_REST) };
        SPAM_PEER_REST
    }

    fn silences(&self) -> MutexGuard<'_, BTreeMap<String, Silence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Points of a filter in ours, as many as words may have at most.
fn finding(peer: &SpamPeer, said: &Said) -> Finding {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float ends at the type's ends")]
    let points = (said.points * f64::from(peer.weight)).round() as i32;
    let points = points.clamp(SPAM_WORDS_MAX.saturating_neg(), SPAM_WORDS_MAX);
    let name = match peer.kind {
        SpamPeerKind::Spamd => "spamd",
        SpamPeerKind::Rspamd => "rspamd",
    };
    let evidence = format!("{:.1} points there: {}", said.points, said.symbols.join(", "));
    Finding::new(Check::Spam, name, Action::Deliver, evidence).worth(points)
}

/// What it says, within `limits::SPAM_PEER_TIME`.
async fn ask(peer: &SpamPeer, subject: &Subject) -> std::result::Result<Said, Silent> {
    let end = Instant::now().checked_add(SPAM_PEER_TIME).unwrap_or_else(Instant::now);
    match &peer.place {
        SpamPeerPlace::Tcp(address) => told(peer.kind, TcpStream::connect(address), subject, end).await,
        SpamPeerPlace::Unix(path) => told(peer.kind, UnixStream::connect(path), subject, end).await,
    }
}

async fn told<S: AsyncRead + AsyncWrite + Unpin>(
    kind: SpamPeerKind,
    connecting: impl Future<Output = Result<S>>,
    subject: &Subject,
    end: Instant,
) -> std::result::Result<Said, Silent> {
    let late = |_| Err(ErrorKind::TimedOut.into());
    let stream = timeout_at(end, connecting).await.unwrap_or_else(late).map_err(Silent::Connection)?;
    let said = timeout_at(end, talk(kind, stream, subject)).await;
    said.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(Silent::Message)
}

async fn talk(kind: SpamPeerKind, mut stream: impl AsyncRead + AsyncWrite + Unpin, subject: &Subject) -> Result<Said> {
    let head = match kind {
        SpamPeerKind::Spamd => spamd_head(subject),
        SpamPeerKind::Rspamd => rspamd_head(subject),
    };
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(subject.message()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let most = u64::try_from(SPAM_PEER_ANSWER_MAX).unwrap_or(u64::MAX);
    stream.take(most).read_to_end(&mut answer).await?;
    let read = match kind {
        SpamPeerKind::Spamd => spamd_answer(&answer),
        SpamPeerKind::Rspamd => rspamd_answer(&answer),
    };
    read.ok_or_else(|| Error::new(ErrorKind::InvalidData, "it answered something that can't be understood"))
}

/// The question to SpamAssassin's daemon, and the trace that stands before the message: without a Received of ours where nobody
/// came over the network, as there is no host to ask about.
fn spamd_head(subject: &Subject) -> String {
    let mut trace = format!("Return-Path: <{}>\r\n", sender(subject));
    if let Some(client) = subject.client {
        let name = subject.reverse.as_deref().map(plain).unwrap_or_default();
        let blank = if name.is_empty() { "" } else { " " };
        trace.push_str(&format!(
            "Received: from {} ({name}{blank}[{client}])\r\n\tby mailward.invalid (Mailward) with ESMTP id {};\r\n\t{}\r\n",
            plain(&subject.hello),
            plain(&subject.id),
            format_header(subject.now)
        ));
    }
    let length = trace.len().saturating_add(subject.message().len());
    format!("SYMBOLS SPAMC/1.5\r\nContent-length: {length}\r\n\r\n{trace}")
}

fn sender(subject: &Subject) -> String {
    subject.sender.as_ref().map(|sender| plain(&sender.to_string())).unwrap_or_default()
}

/// What a client said, cut down to what a field may hold.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(256).collect()
}

/// What rspamd wants to know beside the message.
fn rspamd_head(subject: &Subject) -> String {
    let mut head = format!("POST /checkv2 HTTP/1.0\r\nContent-Length: {}\r\n", subject.message().len());
    let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {}\r\n", plain(value)));
    if let Some(client) = subject.client {
        add("IP", &client.to_string());
    }
    add("Helo", &subject.hello);
    if let Some(reverse) = &subject.reverse {
        add("Hostname", reverse);
    }
    add("From", &sender(subject));
    for recipient in subject.recipients.iter().filter_map(|one| one.address.as_ref()).take(100) {
        add("Rcpt", &recipient.to_string());
    }
    add("Queue-Id", &subject.id);
    head.push_str("\r\n");
    head
}

/// A head and what is behind it.
fn parted(answer: &[u8]) -> Option<(&str, &[u8])> {
    let at = memchr::memmem::find(answer, b"\r\n\r\n")?;
    Some((std::str::from_utf8(answer.get(..at)?).ok()?, answer.get(at.saturating_add(4)..)?))
}

/// `SPAMD/1.1 0 EX_OK`, `Spam: True ; 15.0 / 5.0`, and the names of what was found, with commas.
pub(super) fn spamd_answer(answer: &[u8]) -> Option<Said> {
    let (head, body) = parted(answer)?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split_ascii_whitespace();
    if !first.next()?.starts_with("SPAMD/") || first.next()? != "0" {
        return None;
    }
    let spam = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Spam").then_some(value)
    })?;
    let points = spam.split(';').nth(1)?.split('/').next()?.trim();
    let body = String::from_utf8_lossy(body);
    let symbols = body.split([',', '\r', '\n']).map(str::trim).filter(|one| !one.is_empty()).take(40);
    Some(Said { points: finite(points.parse().ok()?)?, symbols: symbols.map(tamed).collect() })
}

#[derive(Deserialize)]
struct Checked {
    score: f64,
    #[serde(default)]
    symbols: BTreeMap<String, Symbol>,
}

#[derive(Deserialize)]
struct Symbol {
    #[serde(default)]
    score: f64,
}

/// JSON with `score` and `symbols`.
pub(super) fn rspamd_answer(answer: &[u8]) -> Option<Said> {
    let (head, body) = parted(answer)?;
    let mut first = head.split("\r\n").next()?.split_ascii_whitespace();
    if !first.next()?.starts_with("HTTP/1.") || first.next()? != "200" {
        return None;
    }
    let checked: Checked = serde_json::from_slice(body.trim_ascii()).ok()?;
    // Most of them say what a message is like and are worth nothing: those that made the score come first.
    let mut symbols: Vec<(&String, f64)> = checked.symbols.iter().map(|(name, symbol)| (name, symbol.score)).collect();
    symbols.sort_by(|(_, one), (_, other)| other.abs().total_cmp(&one.abs()));
    let worth = symbols.iter().take_while(|(_, score)| *score != 0.0).count();
    symbols.truncate(if worth == 0 { 40 } else { worth.min(40) });
    let symbols = symbols.into_iter().map(|(name, _)| tamed(name)).collect();
    Some(Said { points: finite(checked.score)?, symbols })
}

fn finite(points: f64) -> Option<f64> {
    points.is_finite().then_some(points)
}

fn tamed(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_graphic).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_other_filters_answer_is_read() {
        let spamd =
            b"SPAMD/1.1 0 EX_OK\r\nContent-length: 27\r\nSpam: True ; 15.3 / 5.0\r\n\r\nBAYES_99,HTML_MESSAGE\r\n";
        let said = spamd_answer(spamd).unwrap();
        assert_eq!((said.points, said.symbols.join(" ").as_str()), (15.3, "BAYES_99 HTML_MESSAGE"));
        let rspamd = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"is_skipped\":false,\"score\":-1.5,\"symbols\":{\"ARC_NA\":{\"score\":0.0},\"R_SPF_ALLOW\":{\"score\":-0.2},\"Z\":{\"score\":1}},\"action\":\"no action\"}";
        let said = rspamd_answer(rspamd).unwrap();
        assert_eq!((said.points, said.symbols.join(" ").as_str()), (-1.5, "Z R_SPF_ALLOW"));
        // One that alone decides is worth nothing by itself.
        let decided = b"HTTP/1.1 200 OK\r\n\r\n{\"score\":15.0,\"symbols\":{\"GTUBE\":{\"score\":0.0}}}";
        assert_eq!(rspamd_answer(decided).unwrap().symbols, ["GTUBE"]);
        for wrong in [
            &b""[..],
            b"SPAMD/1.1 76 Bad header line\r\n\r\n",
            b"SPAMD/1.1 0 EX_OK\r\n\r\n",
            b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; inf / 5.0\r\n\r\n",
        ] {
            assert_eq!(spamd_answer(wrong), None);
        }
        for wrong in [
            &b"HTTP/1.1 500 No\r\n\r\n{\"score\":1}"[..],
            b"HTTP/1.1 200 OK\r\n\r\n{\"scores\":1}",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert_eq!(rspamd_answer(wrong), None);
        }
    }

    #[test]
    fn the_points_of_a_filter_count_by_its_weight_and_no_more_than_words() {
        let peer = SpamPeer::parse("spamd tcp:127.0.0.1:783 0.5").unwrap();
        let points = |points| finding(&peer, &Said { points, symbols: Vec::new() }).points;
        assert_eq!(
            (points(6.0), points(-2.0), points(1e300), points(-1e300)),
            (300, -100, SPAM_WORDS_MAX, -SPAM_WORDS_MAX)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_that_a_filter_is_late_with_silences_it_for_no_other() {
        let (peers, peer) = (Peers::default(), SpamPeer::parse("spamd tcp:127.0.0.1:783 0.5").unwrap());
        let late = || Silent::Message(ErrorKind::TimedOut.into());
        for _ in 1..SPAM_PEER_LATE_MAX {
            assert_eq!(peers.note(&peer, &late()), Duration::ZERO);
            assert!(!peers.rests(&peer));
        }
        assert_eq!(peers.note(&peer, &late()), SPAM_PEER_REST);
        assert!(peers.rests(&peer));
        tokio::time::advance(SPAM_PEER_REST).await;
        assert!(!peers.rests(&peer));
        // What takes no connection rests at once.
        assert_eq!(peers.note(&peer, &Silent::Connection(ErrorKind::ConnectionRefused.into())), SPAM_PEER_REST);
        assert!(peers.rests(&peer));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (spamd_answer(&bytes), rspamd_answer(&bytes));
        }
    }
}
