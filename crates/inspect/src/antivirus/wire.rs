//! Connections to engines.

use super::Why;
use mailward_core::limits::{ANTIVIRUS_CHUNK, ANTIVIRUS_CONNECT_TIME};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A stream to an engine.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) type Connection = Box<dyn Stream>;

pub(super) async fn unix(path: &Path) -> Result<Connection, Why> {
    let socket = connected(UnixStream::connect(path)).await?;
    Ok(Box::new(socket))
}

pub(super) async fn tcp(at: SocketAddr) -> Result<Connection, Why> {
    let socket = connected(TcpStream::connect(at)).await?;
    // A question is written in pieces, and its answer waited for.
    let _slower = socket.set_nodelay(true);
    Ok(Box::new(socket))
}

async fn connected<T>(connecting: impl Future<Output = std::io::Result<T>>) -> Result<T, Why> {
    match timeout(ANTIVIRUS_CONNECT_TIME, connecting).await {
        Ok(connected) => connected.map_err(|error| Why::Unreachable(error.to_string())),
        Err(_) => Err(Why::Unreachable("it doesn't take a connection in time".to_owned())),
    }
}

/// Asks while it listens: an engine may answer before it has heard the whole question, and doesn't hear the rest then. What
/// goes wrong with asking alone is for the answer to tell, or for its lack.
pub(super) async fn while_asking<T>(
    asking: impl Future<Output = std::io::Result<()>>,
    hearing: impl Future<Output = Result<T, Why>>,
) -> (Result<T, Why>, bool) {
    tokio::pin!(asking, hearing);
    let mut asked = false;
    loop {
        tokio::select! {
            heard = &mut hearing => return (heard, asked),
            done = &mut asking, if !asked => {
                asked = true;
                if done.is_err() {
                    return (hearing.await, false);
                }
            }
        }
    }
}

/// More bytes of an answer; none is the end.
pub(super) async fn more(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> Result<(), Why> {
    let before = into.len();
    into.resize(before.saturating_add(4 * 1024), 0);
    let read = from.read(into.get_mut(before..).unwrap_or_default()).await;
    into.truncate(before.saturating_add(*read.as_ref().unwrap_or(&0)));
    match read {
        Ok(0) => Err(Why::Broken("it closed the connection before its answer".to_owned())),
        Ok(_) => Ok(()),
        Err(error) => Err(Why::Broken(error.to_string())),
    }
}

/// A message in pieces.
pub(super) fn pieces(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message.chunks(ANTIVIRUS_CHUNK)
}
