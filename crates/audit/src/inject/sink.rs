//! A mail server of the audit's own, for as long as one message takes: what the server sends elsewhere comes here, and is looked at as the
//! other side sees it.

use super::{Trial, logged_in, stuffed};
use crate::finding::Finding;
use crate::knock::{Kind, KnockError};
use mailward_core::limits::{KNOCK_LINE_MAX, KNOCK_TOTAL_MAX};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};

/// How long a message may be on its way to it: less than a control has.
const ON_ITS_WAY: Duration = Duration::from_secs(15);

/// A message as it was sent to the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    /// Who it is from, by its envelope.
    pub(crate) sender: String,
    /// Its bytes, as they came between DATA and the dot, dots taken out. Hostile in part.
    pub(crate) message: Vec<u8>,
}

/// What became of a message that was handed in to be sent elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Refused when it was handed in.
    Refused(String),
    /// It came.
    Came(Caught),
    /// It was taken, and didn't come in time.
    Lost,
}

/// A sink and the way to it.
pub(crate) struct Sink {
    listener: TcpListener,
    /// Whose mail comes here.
    recipient: String,
}

impl Sink {
    /// Opens one on loopback, and has the server send one domain's mail there.
    ///
    /// # Errors
    /// What is found then.
    pub(crate) async fn open(trial: &Trial<'_>) -> Result<Self, Finding> {
        let opened = TcpListener::bind(("127.0.0.1", 0)).await;
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        let (listener, port) = match opened.and_then(|listener| port(&listener).map(|port| (listener, port))) {
            Ok(opened) => opened,
            Err(error) => return Err(Finding::not_tested(format!("no port can be opened on loopback: {error}"))),
        };
        let recipient = trial.canary.sink(port).await.map_err(Finding::from)?;
        Ok(Self { listener, recipient })
    }

    /// Hands a message in as the audit's account, and catches it. `message` is whole, with its own line ends.
    pub(crate) async fn catch(&self, trial: &Trial<'_>, message: &[u8]) -> Result<Sent, KnockError> {
        let handed = hand_in(trial, &self.recipient, message).await?;
        if let Some(said) = handed {
            return Ok(Sent::Refused(said));
        }
        match timeout(ON_ITS_WAY, self.caught()).await {
            Ok(caught) => Ok(Sent::Came(caught)),
            Err(_late) => Ok(Sent::Lost),
        }
    }

    /// Connections one after the other, until one brings a message.
    async fn caught(&self) -> Caught {
        loop {
            // One that breaks off comes again, or doesn't come in time.
            if let Ok((stream, _)) = self.listener.accept().await
                && let Ok(Some(caught)) = served(stream).await
            {
                return caught;
            }
        }
    }
}

/// Hands it in; what was said if it was refused.
async fn hand_in(trial: &Trial<'_>, recipient: &str, message: &[u8]) -> Result<Option<String>, KnockError> {
    let mut talk = logged_in(trial.door, trial.account).await?;
    for (step, wanted) in [
        (format!("MAIL FROM:<{}>", trial.account.address), Kind::Yes),
        (format!("RCPT TO:<{recipient}>"), Kind::Yes),
        ("DATA".to_owned(), Kind::More),
    ] {
        let answer = talk.ask(&step).await?;
        if answer.kind != wanted {
            return Err(KnockError::Refused("a message to elsewhere", answer.text()));
        }
    }
    let shown = format!("(a message of {} bytes)\r\n.\r\n", message.len());
    let pushed = talk.wire().send_hidden(&stuffed(message), &shown).await;
    match (talk.answer().await, pushed) {
        (Ok(answer), _) if answer.kind == Kind::Yes => Ok(None),
        (Ok(answer), _) => Ok(Some(answer.text())),
        // Closed instead of an answer: it isn't taken either.
        (Err(KnockError::Closed), _) => Ok(Some("the connection was closed".to_owned())),
        (Err(error), _) => Err(error),
    }
}

/// Serves one client (RFC 5321), without TLS and without extensions; the message that it brought.
async fn served(mut stream: TcpStream) -> io::Result<Option<Caught>> {
    let mut pending = Vec::new();
    let mut sender = String::new();
    stream.write_all(b"220 sink.mailward-audit.invalid ESMTP\r\n").await?;
    loop {
        let Some(line) = taken(&mut stream, &mut pending, b"\r\n", KNOCK_LINE_MAX).await? else { return Ok(None) };
        let line = String::from_utf8_lossy(&line).into_owned();
        let upper = line.to_ascii_uppercase();
        let reply: &[u8] = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "HELO" => b"250 sink.mailward-audit.invalid\r\n",
            "MAIL" => {
                let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
                inner.map_or("", |(inner, _)| inner).clone_into(&mut sender);
                b"250 2.1.0 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                // An empty message is its end alone; what is looked for begins with the line end before it.
                let mut with_end = b"\r\n".to_vec();
                with_end.append(&mut pending);
                let Some(data) = taken(&mut stream, &mut with_end, b"\r\n.\r\n", KNOCK_TOTAL_MAX).await? else {
                    return Ok(None);
                };
                stream.write_all(b"250 2.0.0 caught\r\n").await?;
                return Ok(Some(Caught { sender, message: plain(&data) }));
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(None);
            }
            "RCPT" | "RSET" | "NOOP" => b"250 2.0.0 ok\r\n",
            _ => b"500 5.5.1 what\r\n",
        };
        stream.write_all(reply).await?;
    }
}

/// What comes up to an end, which is taken as well; `None`: it ends before.
async fn taken(stream: &mut TcpStream, pending: &mut Vec<u8>, end: &[u8], most: usize) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(at) = pending.windows(end.len()).position(|window| window == end) {
            let rest = pending.split_off(at.saturating_add(end.len()));
            let mut whole = std::mem::replace(pending, rest);
            whole.truncate(at);
            return Ok(Some(whole));
        }
        if pending.len() > most {
            return Ok(None);
        }
        let mut space = [0; 8_192];
        let count = stream.read(&mut space).await?;
        if count == 0 {
            return Ok(None);
        }
        pending.extend_from_slice(space.get(..count).unwrap_or_default());
    }
}

/// Without the line end that was put before it, and without the dots that were put before dots (RFC 5321 §4.5.2).
fn plain(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        let (line, after) = rest.split_at_checked(at.saturating_add(2)).unwrap_or((rest, &[]));
        out.extend_from_slice(line);
        rest = after.strip_prefix(b".").unwrap_or(after);
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\r\n");
    out.split_off(2.min(out.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes through the sink when it is sent like this.
    fn through(sent: &[u8]) -> Vec<u8> {
        let wire = stuffed(sent);
        let end = wire.len().saturating_sub(5);
        let mut data = b"\r\n".to_vec();
        data.extend_from_slice(&wire[..end]);
        plain(&data)
    }

    #[test]
    fn what_was_sent_is_what_is_caught() {
        for message in [&b"A: b\r\n\r\n.\r\n..x\r\nend\r\n"[..], b"\r\n", b"A: b\r\n\r\nbare\nand\rbare\r\n"] {
            assert_eq!(through(message), message, "{}", String::from_utf8_lossy(message));
        }
    }

    proptest! {
        #[test]
        fn no_message_comes_changed(lines in proptest::collection::vec("[.a-z\\r\\n]{0,12}", 1..6)) {
            let message = lines.iter().map(|line| line.replace("\r\n", "x") + "\r\n").collect::<String>();
            // A bare LF before a dot is stuffed by the sender, and is no line's end to the one who takes it out.
            prop_assume!(!message.contains("\n.") || message.split("\r\n").all(|line| !line.contains("\n.")));
            prop_assert_eq!(through(message.as_bytes()), message.into_bytes());
        }
    }
}
