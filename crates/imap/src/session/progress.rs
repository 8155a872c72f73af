//! Signs of life during a long command (RFC 9585).

use super::io::Io;
use super::reply::Stop;
use crate::respond;
use mailward_core::limits::IMAP_PROGRESS_TIME;
use tokio::time::Instant;

/// What is done of a command, and when it was last said.
pub(super) struct Progress<'a> {
    tag: &'a str,
    total: u32,
    done: u32,
    told: Instant,
}

impl<'a> Progress<'a> {
    pub(super) fn new(tag: &'a str, total: u32) -> Self {
        Self { tag, total, done: 0, told: Instant::now() }
    }

    /// So many more are done; says so now and then.
    pub(super) async fn step(&mut self, io: &mut Io, more: usize) -> Result<(), Stop> {
        self.done = self.done.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        if self.told.elapsed() < IMAP_PROGRESS_TIME {
            return Ok(());
        }
        self.told = Instant::now();
        io.out.extend_from_slice(b"* OK [INPROGRESS (");
        respond::string(&mut io.out, self.tag.as_bytes());
        let counts = format!(" {} {})] still at it", self.done.min(self.total), self.total);
        io.line(&[&counts]);
        io.flush().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::shutdown::channel;
    use mailward_tls::Wire;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test(start_paused = true)]
    async fn it_speaks_when_it_has_been_silent_for_long() {
        let (mut near, far) = tokio::io::duplex(1_000);
        let (_trigger, shutdown) = channel();
        let mut io = Io::new(Wire::memory(far), shutdown);
        let mut progress = Progress::new("a7", 100);
        progress.step(&mut io, 10).await.unwrap();
        assert!(io.out.is_empty());
        tokio::time::advance(IMAP_PROGRESS_TIME).await;
        progress.step(&mut io, 20).await.unwrap();
        let mut told = vec![0; 100];
        let size = near.read(&mut told).await.unwrap();
        assert_eq!(&told[..size], b"* OK [INPROGRESS (\"a7\" 30 100)] still at it\r\n");
        progress.step(&mut io, 500).await.unwrap();
        tokio::time::advance(IMAP_PROGRESS_TIME).await;
        progress.step(&mut io, 1).await.unwrap();
        let size = near.read(&mut told).await.unwrap();
        assert!(told[..size].starts_with(b"* OK [INPROGRESS (\"a7\" 100 100)]"), "never more than there is");
    }
}
