//! Lines on the socket between the server and the supervisor, both ways.

use mailward_core::limits::SUPERVISOR_LINE_MAX;
use serde::Serialize;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The next line without its end; `None` once the other side is gone. Not to be dropped while it waits.
pub(super) async fn next(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let most = u64::try_from(SUPERVISOR_LINE_MAX).unwrap_or(u64::MAX);
    from.take(most).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len().saturating_add(1) >= SUPERVISOR_LINE_MAX => {
            Err(Error::new(ErrorKind::InvalidData, "a line is too long"))
        }
        // The end, or a line that a crash cut off.
        _ => Ok(None),
    }
}

/// Writes one line.
pub(super) async fn put(to: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    if line.len() > SUPERVISOR_LINE_MAX {
        return Err(Error::new(ErrorKind::InvalidInput, "a line would be too long"));
    }
    to.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    #[tokio::test]
    async fn lines_are_read_one_by_one_and_one_that_is_too_long_ends_it() {
        let mut long = b"one\ntwo\n".to_vec();
        long.extend(vec![b'x'; SUPERVISOR_LINE_MAX + 1]);
        let mut from = BufReader::new(&*long);
        assert_eq!(next(&mut from).await.unwrap(), Some(b"one".to_vec()));
        assert_eq!(next(&mut from).await.unwrap(), Some(b"two".to_vec()));
        assert!(next(&mut from).await.is_err());
        let mut cut = BufReader::new(&b"{\"do\":\"un"[..]);
        assert_eq!(next(&mut cut).await.unwrap(), None);
        assert!(put(&mut Vec::new(), &"x".repeat(SUPERVISOR_LINE_MAX)).await.is_err());
    }
}
