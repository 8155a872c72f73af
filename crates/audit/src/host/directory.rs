//! What is in a directory, name by name, as the kernel tells it.

use super::{Missed, missed};
use mailward_core::limits::AUDIT_DIRECTORY_READ;
use rustix::fd::OwnedFd;
use rustix::fs::RawDir;
use std::ffi::CStr;

/// Bytes of a directory, read at once; used again for each.
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(AUDIT_DIRECTORY_READ))
    }

    /// Tells every name but `.` and `..`, in no order. Names are bytes: one that isn't text has to be asked about as it is, or it
    /// would pass for gone.
    ///
    /// # Errors
    /// Where the directory (shown as `path`) can't be read, and what `see` says.
    pub(super) fn each(
        &mut self,
        directory: &OwnedFd,
        path: &str,
        mut see: impl FnMut(&CStr) -> Result<(), Missed>,
    ) -> Result<(), Missed> {
        let mut entries = RawDir::new(directory, self.0.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| missed(path, &error.into()))?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                see(entry.file_name())?;
            }
        }
        Ok(())
    }
}
