//! The wire's two ends of a session: bytes in, replies out, with their limits in size and time.

use super::deflate::Deflate;
use bytes::BytesMut;
use mailward_core::Shutdown;
use mailward_core::limits::{MIN_DATA_RATE, READ_BUFFER, STOP_GRACE, WRITE_BUFFER_MAX, WRITE_TIME};
use mailward_tls::Wire;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes a session that only waits is ready to read: thousands of them wait at once.
const WAITING_BUFFER: usize = 1024;

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client hung up, or what it wrote can no longer be told apart: nothing more can be said.
    Gone,
    /// The client asked for it and has been answered.
    Logout,
    /// Say BYE with this text.
    Bye(&'static str),
}

impl End {
    /// The server stops, or this session alone is told to end.
    pub(crate) const STOP: End = End::Bye("the server stops; please come back");
}

/// Waits for a client to take what it is sent: `WRITE_TIME` and not past `until`, or a moment once the session is told to
/// end.
async fn patiently<T>(
    shutdown: &mut Shutdown,
    until: Instant,
    sending: impl Future<Output = std::io::Result<T>>,
) -> Option<T> {
    let patience = WRITE_TIME.min(until.saturating_duration_since(Instant::now()));
    shutdown.patiently(patience, STOP_GRACE, sending).await?.ok()
}

/// When so many bytes must have been taken that are sent from now on: at the least rate that we ask of those who send to us,
/// so that nobody holds them by taking one now and then (attacks H1).
fn taken_by(bytes: usize) -> Instant {
    let pace = u64::try_from(bytes).unwrap_or(u64::MAX).checked_div(MIN_DATA_RATE).unwrap_or(0);
    let now = Instant::now();
    now.checked_add(WRITE_TIME.saturating_add(Duration::from_secs(pace))).unwrap_or(now)
}

/// Both directions of a wire.
pub(crate) struct Io {
    wire: Option<Wire>,
    /// Read and not yet used.
    pub(crate) input: BytesMut,
    /// Replies not yet sent.
    pub(crate) out: Vec<u8>,
    pub(crate) shutdown: Shutdown,
    /// Once COMPRESS has been agreed on.
    pub(super) deflate: Option<Box<Deflate>>,
    /// How often replies were sent.
    sent: u64,
}

/// A place in the replies; see [`Io::take_back`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    sent: u64,
    at: usize,
}

impl Io {
    pub(crate) fn new(wire: Wire, shutdown: Shutdown) -> Self {
        Self { wire: Some(wire), input: BytesMut::new(), out: Vec::new(), shutdown, deflate: None, sent: 0 }
    }

    pub(crate) fn wire(&self) -> Option<&Wire> {
        self.wire.as_ref()
    }

    /// Takes the wire for STARTTLS.
    pub(crate) fn take_wire(&mut self) -> Option<Wire> {
        self.wire.take()
    }

    /// Gives it back under TLS.
    pub(crate) fn set_wire(&mut self, wire: Wire) {
        self.wire = Some(wire);
    }

    /// Where the next reply begins.
    pub(crate) fn mark(&self) -> Mark {
        Mark { sent: self.sent, at: self.out.len() }
    }

    /// Takes back what was written since; false if some of it was sent.
    pub(crate) fn take_back(&mut self, mark: Mark) -> bool {
        if self.sent == mark.sent {
            self.out.truncate(mark.at);
        }
        self.sent == mark.sent
    }

    /// A reply line.
    pub(crate) fn line(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// Sends what is due, then reads at least a byte by the deadline. Cancel-safe once the replies are sent.
    pub(crate) async fn read(&mut self, deadline: Instant, within: bool) -> Result<(), End> {
        self.flush().await?;
        let room = if within { READ_BUFFER } else { WAITING_BUFFER };
        loop {
            let input = match &mut self.deflate {
                None => &mut self.input,
                Some(deflate) => {
                    if deflate.unpack(&mut self.input)? {
                        return Ok(());
                    }
                    &mut deflate.raw
                }
            };
            input.reserve(room);
            let Some(wire) = &mut self.wire else { return Err(End::Gone) };
            tokio::select! {
                biased;
                () = self.shutdown.fired() => return Err(End::STOP),
                read = timeout_at(deadline, wire.read_buf(input)) => match read {
                    Ok(Ok(0) | Err(_)) => return Err(End::Gone),
                    Ok(Ok(_)) => {}
                    Err(_late) => return Err(End::Bye("too slow; come back when there is something to say")),
                },
            }
            if self.deflate.is_none() {
                return Ok(());
            }
        }
    }

    /// Sends all replies. A client that reads nothing for `WRITE_TIME`, or less than `MIN_DATA_RATE`, is gone.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.sent = self.sent.wrapping_add(1);
        let Some(wire) = &mut self.wire else { return Err(End::Gone) };
        if let Some(deflate) = &mut self.deflate {
            self.out = deflate.pack(&self.out)?;
        }
        let until = taken_by(self.out.len());
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            match patiently(&mut self.shutdown, until, wire.write(rest)).await {
                Some(n) if n > 0 => rest = rest.get(n..).unwrap_or_default(),
                _ => return Err(End::Gone),
            }
        }
        patiently(&mut self.shutdown, until, wire.flush()).await.ok_or(End::Gone)?;
        self.out.clear();
        self.out.shrink_to(WRITE_BUFFER_MAX);
        Ok(())
    }

    /// Sends the replies if they fill half the buffer: called between tokens, so that what one reply adds fits.
    pub(crate) async fn spill(&mut self) -> Result<(), End> {
        if self.out.len() >= WRITE_BUFFER_MAX / 2 { self.flush().await } else { Ok(()) }
    }

    /// Between two replies of a long answer: sends what is due and obeys the word to stop.
    pub(crate) async fn between(&mut self) -> Result<(), End> {
        if self.shutdown.is_fired() {
            return Err(End::STOP);
        }
        self.spill().await
    }

    /// The last word, and the end of the connection. Nothing can be done about a client that doesn't listen.
    pub(crate) async fn close(&mut self, end: End) {
        if let End::Bye(text) = end {
            let alone = end == End::STOP && self.shutdown.is_fired_alone();
            self.line(&["* BYE ", if alone { "this session was ended; log in again" } else { text }]);
        }
        if end != End::Gone && timeout(STOP_GRACE, self.flush()).await.is_err() {
            return;
        }
        if let Some(wire) = &mut self.wire {
            let _unheard = timeout(STOP_GRACE, wire.shutdown()).await;
        }
    }

    /// Drops everything a waiting session doesn't need.
    pub(crate) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::shutdown::channel;
    use tokio::io::duplex;

    /// Attacks H1: what is asked for must be taken at a pace, too.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_little_now_and_then_is_left() {
        const SENT: usize = 50_000;
        let (mut client, ours) = duplex(1_000);
        let (_trigger, shutdown) = channel();
        let mut io = Io::new(Wire::memory(ours), shutdown);
        io.out = vec![b'x'; SENT];
        let started = Instant::now();
        let reads = tokio::spawn(async move {
            let mut piece = [0; 100];
            // Often enough for every limit on silence; all of it would take hours.
            while client.read(&mut piece).await.is_ok_and(|n| n > 0) {
                tokio::time::sleep(WRITE_TIME / 2).await;
            }
        });
        assert_eq!(io.flush().await, Err(End::Gone));
        let most = WRITE_TIME + Duration::from_secs(u64::try_from(SENT).unwrap() / MIN_DATA_RATE);
        assert!(started.elapsed() <= most && started.elapsed() > WRITE_TIME, "{:?}", started.elapsed());
        drop(io);
        reads.await.unwrap();
    }
}
