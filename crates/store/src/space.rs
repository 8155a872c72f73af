//! Free space: no message is accepted when the disk is nearly full.

use crate::api::StoreError;
use mailward_core::limits::{DISK_FREE_MIN, DISK_FREE_MIN_PERCENT};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long an answer of the file system is believed.
const BELIEVED: Duration = Duration::from_millis(250);

/// Watches the file system that the store is on.
#[derive(Debug)]
pub(crate) struct Space {
    dir: PathBuf,
    started: Instant,
    /// Milliseconds since `started` at which it was asked; 0: never.
    asked: AtomicU64,
    /// Bytes that may still be taken before the watermark.
    left: AtomicU64,
}

impl Space {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, started: Instant::now(), asked: AtomicU64::new(0), left: AtomicU64::new(0) }
    }

    /// Whether `size` bytes more keep the file system above its watermark: 256 MiB, or 5 % of a file system
    /// smaller than 5 GiB.
    pub(crate) fn admit(&self, size: u64) -> Result<(), StoreError> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let asked = self.asked.load(Ordering::Relaxed);
        if asked == 0 || now.saturating_sub(asked) > BELIEVED.as_millis().try_into().unwrap_or(u64::MAX) {
            self.left.store(self.ask()?, Ordering::Relaxed);
            self.asked.store(now, Ordering::Relaxed);
        }
        if size < self.left.load(Ordering::Relaxed) { Ok(()) } else { Err(StoreError::DiskFull) }
    }

    /// The next question goes to the file system if the last answer left little.
    pub(crate) fn forget(&self) {
        if self.left.load(Ordering::Relaxed) < DISK_FREE_MIN {
            self.asked.store(0, Ordering::Relaxed);
        }
    }

    fn ask(&self) -> Result<u64, StoreError> {
        let stat = nix::sys::statvfs::statvfs(&self.dir)
            .map_err(|e| StoreError::Io(self.dir.display().to_string(), e.into()))?;
        let unit = stat.fragment_size();
        let free = stat.blocks_available().saturating_mul(unit);
        Ok(free.saturating_sub(watermark(stat.blocks().saturating_mul(unit))))
    }
}

/// Bytes that must stay free on a file system of `total` bytes.
fn watermark(total: u64) -> u64 {
    DISK_FREE_MIN.min(total.div_euclid(100).saturating_mul(DISK_FREE_MIN_PERCENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_is_256_mib_or_5_percent_of_a_small_disk() {
        assert_eq!(watermark(1 << 40), DISK_FREE_MIN);
        assert_eq!(watermark(100 << 20), 5 << 20);
    }

    #[test]
    fn more_than_there_is_isn_t_admitted() {
        let space = Space::new(std::env::temp_dir());
        assert!(space.admit(1).is_ok());
        assert!(matches!(space.admit(u64::MAX), Err(StoreError::DiskFull)));
    }
}
