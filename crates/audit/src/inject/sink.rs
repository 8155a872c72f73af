//! A mail server of the audit's own, for as long as one message takes: what the server sends elsewhere comes here, and is looked at as the
//! other side sees it.

use super::{Trial, stuffed};
use crate::finding::Finding;
use crate::knock::{Kind as Answered, KnockError};
use mailward_core::limits::{KNOCK_LINE_MAX, KNOCK_TOTAL_MAX};
use mailward_tls::authority;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

/// How long a message may be on its way to it: less than a control has, also for two.
const ON_ITS_WAY: Duration = Duration::from_secs(9);
/// What it calls itself.
const NAME: &str = "sink.mailward-audit.invalid";

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
    /// Somebody came to send it, and left without.
    Left,
    /// It was taken, and nobody came in time.
    Lost,
}

/// How a sink is, and what the server has to demand of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Without TLS, and nothing is demanded.
    Plain,
    /// Without TLS, which is demanded: as if somebody between had taken it out.
    Stripped,
    /// With a certificate of an authority that nobody trusts, where one that is trusted is demanded.
    Untrusted,
}

/// What is spoken with whoever comes, in clear or under TLS.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A sink and the way to it.
pub(crate) struct Sink {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    /// Whose mail comes here.
    recipient: String,
}

impl Sink {
    /// Opens one on loopback, and has the server send one domain's mail there.
    ///
    /// # Errors
    /// What is found then.
    pub(crate) async fn open(trial: &Trial<'_>, kind: Kind) -> Result<Self, Finding> {
        sends(trial)?;
        let acceptor = match kind {
            Kind::Plain | Kind::Stripped => None,
            Kind::Untrusted => {
                Some(untrusted().map_err(|why| Finding::not_tested(format!("no certificate can be made: {why}")))?)
            }
        };
        let (listener, port) = listening().await?;
        let recipient = trial.canary.sink(port, kind != Kind::Plain).await.map_err(Finding::from)?;
        Ok(Self { listener, acceptor, recipient })
    }

    /// The same behind an address of the server that forwards: what strangers send there comes here.
    ///
    /// # Errors
    /// What is found then.
    pub(crate) async fn behind(trial: &Trial<'_>) -> Result<Self, Finding> {
        sends(trial)?;
        let (listener, port) = listening().await?;
        let recipient = trial.canary.forward(port).await.map_err(Finding::from)?;
        Ok(Self { listener, acceptor: None, recipient })
    }

    /// Whom to write to, so that it comes here.
    pub(crate) fn recipient(&self) -> &str {
        &self.recipient
    }

    /// Hands a message in as whoever tries, and catches it. `message` is whole, with its own line ends.
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

    /// The same where it must not be sent here: [`Sent::Left`] once somebody came and left without it.
    pub(crate) async fn turn_away(&self, trial: &Trial<'_>, message: &[u8]) -> Result<Sent, KnockError> {
        if let Some(said) = hand_in(trial, &self.recipient, message).await? {
            return Ok(Sent::Refused(said));
        }
        let visited = async {
            loop {
                if let Ok((stream, _)) = self.listener.accept().await {
                    // Whatever breaks off has left.
                    return served(Box::new(stream), self.acceptor.as_ref()).await.ok().flatten();
                }
            }
        };
        Ok(match timeout(ON_ITS_WAY, visited).await {
            Ok(Some(caught)) => Sent::Came(caught),
            Ok(None) => Sent::Left,
            Err(_late) => Sent::Lost,
        })
    }

    /// Connections one after the other, until one brings a message.
    async fn caught(&self) -> Caught {
        loop {
            // One that breaks off comes again, or doesn't come in time.
            if let Ok((stream, _)) = self.listener.accept().await
                && let Ok(Some(caught)) = served(Box::new(stream), self.acceptor.as_ref()).await
            {
                return caught;
            }
        }
    }
}

/// A server that sends nothing to others sends nothing here.
fn sends(trial: &Trial<'_>) -> Result<(), Finding> {
    let settings = trial.scene.state.as_ref().and_then(|state| state.settings.as_ref());
    match settings.is_some_and(|settings| settings.flag("queue.send") == Ok(false)) {
        true => Err(Finding::not_applicable("the server sends no mail to others: queue.send is false")),
        false => Ok(()),
    }
}

/// A port of loopback.
async fn listening() -> Result<(TcpListener, u16), Finding> {
    let opened = TcpListener::bind(("127.0.0.1", 0)).await;
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    opened
        .and_then(|listener| port(&listener).map(|port| (listener, port)))
        .map_err(|error| Finding::not_tested(format!("no port can be opened on loopback: {error}")))
}

/// TLS with a certificate of an authority that was made for it a moment ago.
fn untrusted() -> Result<TlsAcceptor, String> {
    let now = SystemTime::now();
    let authority = authority::create(&[NAME], now).map_err(|error| error.to_string())?;
    let issued = authority::issue(&authority, &[NAME], now).map_err(|error| error.to_string())?;
    let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| error.to_string())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Hands it in; what was said if it was refused.
async fn hand_in(trial: &Trial<'_>, recipient: &str, message: &[u8]) -> Result<Option<String>, KnockError> {
    let mut talk = trial.session().await?;
    for (step, wanted) in [
        (format!("MAIL FROM:<{}>", trial.plainly().sender), Answered::Yes),
        (format!("RCPT TO:<{recipient}>"), Answered::Yes),
        ("DATA".to_owned(), Answered::More),
    ] {
        let answer = talk.ask(&step).await?;
        if answer.kind != wanted {
            return Err(KnockError::Refused("a message to elsewhere", answer.text()));
        }
    }
    let shown = format!("(a message of {} bytes)\r\n.\r\n", message.len());
    let pushed = talk.wire().send_hidden(&stuffed(message), &shown).await;
    match (talk.answer().await, pushed) {
        (Ok(answer), _) if answer.kind == Answered::Yes => Ok(None),
        (Ok(answer), _) => Ok(Some(answer.text())),
        // Closed instead of an answer: it isn't taken either.
        (Err(KnockError::Closed), _) => Ok(Some("the connection was closed".to_owned())),
        (Err(error), _) => Err(error),
    }
}

/// Serves one client (RFC 5321), with STARTTLS (RFC 3207) if it can, and no other extension; the message that it brought.
async fn served(mut stream: Box<dyn Wire>, acceptor: Option<&TlsAcceptor>) -> io::Result<Option<Caught>> {
    let mut pending = Vec::new();
    let mut sender = String::new();
    stream.write_all(b"220 sink.mailward-audit.invalid ESMTP\r\n").await?;
    loop {
        let Some(line) = taken(&mut stream, &mut pending, b"\r\n", KNOCK_LINE_MAX).await? else { return Ok(None) };
        let line = String::from_utf8_lossy(&line).into_owned();
        let upper = line.to_ascii_uppercase();
        let reply: &[u8] = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if acceptor.is_some() => b"250-sink.mailward-audit.invalid\r\n250 STARTTLS\r\n",
            "EHLO" | "HELO" => b"250 sink.mailward-audit.invalid\r\n",
            "STARTTLS" => match acceptor {
                None => b"502 5.5.1 not here\r\n",
                Some(acceptor) => {
                    stream.write_all(b"220 2.0.0 go on\r\n").await?;
                    pending.clear();
                    stream = Box::new(acceptor.accept(stream).await?);
                    continue;
                }
            },
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
async fn taken(
    stream: &mut Box<dyn Wire>,
    pending: &mut Vec<u8>,
    end: &[u8],
    most: usize,
) -> io::Result<Option<Vec<u8>>> {
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
