//! TCP to one of a host's addresses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connects to the first address that answers: one after the other begins every `stagger`, or when one fails (RFC 8305);
/// each has `patience`.
///
/// # Errors
/// What came of the one that failed last; `AddrNotAvailable` if there is none.
pub async fn connect(
    addresses: &[SocketAddr],
    stagger: Duration,
    patience: Duration,
) -> io::Result<(TcpStream, SocketAddr)> {
    let mut waiting = addresses.iter().copied();
    let mut racing = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            racing.spawn(async move {
                let connected = timeout(patience, TcpStream::connect(address)).await;
                (address, connected.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())))
            });
        }
        tokio::select! {
            Some(ended) = racing.join_next() => match ended {
                Ok((address, Ok(stream))) => {
                    // Only a matter of speed; a socket that refuses it still works.
                    let _slower = stream.set_nodelay(true);
                    return Ok((stream, address));
                }
                Ok((_, Err(error))) => last = error,
                Err(_) => {}
            },
            () = sleep(stagger), if more => {}
            else => return Err(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn the_first_that_answers_is_taken() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = there.local_addr().unwrap();
        let (_stream, met) = connect(&[gone, address], LONG, LONG).await.unwrap();
        assert_eq!(met, address);
    }

    #[tokio::test]
    async fn without_an_address_there_is_no_connection() {
        let error = connect(&[], SOON, SOON).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
