//! Bytes both ways, each wait with its limit. Lines end with CRLF and with nothing else: what a message holds can't end
//! a line that the server didn't.

use crate::error::Trouble;
use mailward_core::limits::{FETCH_IDLE_TIME, READ_BUFFER};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// What carries bytes: TCP, TLS over it, or memory in tests.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection to a server.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were given out.
    start: usize,
    patience: Duration,
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new(), start: 0, patience: FETCH_IDLE_TIME }
    }

    /// The stream, to start TLS on it. What came before TLS and wasn't asked for would count as coming under it.
    ///
    /// # Errors
    /// [`Trouble::Nonsense`] if there is any (attacks B1).
    pub(crate) fn into_stream(self) -> Result<Box<dyn Stream>, Trouble> {
        match self.buffer.get(self.start..) {
            Some([]) | None => Ok(self.stream),
            Some(more) => Err(Trouble::nonsense("bytes in clear behind its answer to STARTTLS", more)),
        }
    }

    /// Bytes that came and weren't read yet.
    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    async fn fill(&mut self) -> Result<(), Trouble> {
        if self.start > 0 {
            self.buffer.drain(..self.start.min(self.buffer.len()));
            self.start = 0;
        }
        self.buffer.reserve(READ_BUFFER);
        let read = timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await;
        match read {
            Err(_) => Err(silent(self.patience)),
            Ok(Ok(0)) => Err(Trouble::Wire("the server closed the connection".to_owned())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(broken(&error)),
        }
    }

    /// The next line behind `line`, without its CRLF, which with it has at most `most` bytes.
    pub(crate) async fn line(&mut self, line: &mut Vec<u8>, most: usize) -> Result<(), Trouble> {
        let mut length = 0usize;
        loop {
            let unread = self.unread();
            // The CR may have come with the bytes before.
            let end = memchr::memmem::find(unread, b"\r\n");
            let taken = match end {
                Some(end) => end.saturating_add(2),
                // A CR at the end stays until it is known what follows.
                None => unread.len().saturating_sub(usize::from(unread.ends_with(b"\r"))),
            };
            length = length.saturating_add(taken);
            if length > most {
                return Err(Trouble::Nonsense(format!("a line of more than {most} bytes")));
            }
            line.extend_from_slice(unread.get(..end.unwrap_or(taken)).unwrap_or_default());
            self.start = self.start.saturating_add(taken);
            if end.is_some() {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Exactly so many bytes more.
    pub(crate) async fn bytes(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<(), Trouble> {
        let mut left = count;
        while left > 0 {
            let unread = self.unread();
            let some = unread.get(..unread.len().min(left)).unwrap_or_default();
            bytes.extend_from_slice(some);
            let took = some.len();
            left = left.saturating_sub(took);
            self.start = self.start.saturating_add(took);
            if left > 0 {
                self.fill().await?;
            }
        }
        Ok(())
    }

    /// Says something. Nothing is said before the answer to what was said last.
    pub(crate) async fn say(&mut self, what: &[u8]) -> Result<(), Trouble> {
        let write = async {
            self.stream.write_all(what).await?;
            self.stream.flush().await
        };
        match timeout(self.patience, write).await {
            Err(_) => Err(silent(self.patience)),
            Ok(done) => done.map_err(|error| broken(&error)),
        }
    }

    /// Waits no longer than this from now on.
    pub(crate) fn hurry(&mut self, patience: Duration) {
        self.patience = patience;
    }
}

fn silent(patience: Duration) -> Trouble {
    Trouble::Wire(format!("the server was silent for {} s", patience.as_secs()))
}

fn broken(error: &io::Error) -> Trouble {
    Trouble::Wire(format!("the connection broke: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::FETCH_LINE_MAX;

    async fn read(pieces: &[&[u8]], most: usize) -> Result<Vec<u8>, Trouble> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::new(ours);
        let mut line = Vec::new();
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        tokio::spawn(async move {
            for piece in pieces {
                theirs.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        wire.line(&mut line, most).await.map(|()| line)
    }

    #[tokio::test]
    async fn only_crlf_ends_a_line_however_it_comes() {
        assert_eq!(read(&[b"+OK a\nb\rc\r\n+OK"], 100).await.unwrap(), b"+OK a\nb\rc");
        assert_eq!(read(&[b"a\r", b"\nb\r\n"], 100).await.unwrap(), b"a");
        assert_eq!(read(&[b"a\r", b"\r", b"\n"], 100).await.unwrap(), b"a\r");
        assert!(read(&[b"a\n"], 100).await.is_err(), "the connection ends before the line does");
    }

    #[tokio::test]
    async fn a_line_ends_at_its_limit() {
        let mut line = vec![b'x'; FETCH_LINE_MAX - 2];
        line.extend_from_slice(b"\r\n");
        assert!(read(&[&line], FETCH_LINE_MAX).await.is_ok());
        let long = vec![b'x'; FETCH_LINE_MAX + 1];
        let error = read(&[&long], FETCH_LINE_MAX).await.unwrap_err().to_string();
        assert!(error.contains("a line of more than"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_wait() {
        let (ours, _theirs) = tokio::io::duplex(100);
        let error = Wire::new(ours).line(&mut Vec::new(), 100).await.unwrap_err().to_string();
        assert!(error.contains("silent for"), "{error}");
    }
}
