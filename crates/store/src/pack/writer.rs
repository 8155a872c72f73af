//! Appending to the current pack. Only the committer does it.

use super::files::{PackFiles, sync_dir};
use super::{HEADER_LEN, Header, PACK_HEAD_LEN, PackKey};
use crate::api::StoreError;
use mailward_core::limits::{PACK_SIZE_MAX, PACK_STEP};
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

/// Records up to this many bytes are gathered and written together.
const GATHER_MAX: usize = 1024 * 1024;

/// Where a record was put: the content begins [`HEADER_LEN`] after `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pack: u32,
    pub(crate) offset: u64,
}

/// Where a pack ends, and its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackEnd {
    pub(crate) pack: u32,
    pub(crate) end: u64,
    pub(crate) key: PackKey,
}

pub(crate) fn random_key() -> Result<PackKey, StoreError> {
    let mut key = [0u8; 32];
    let path = "/dev/urandom";
    File::open(path).and_then(|mut f| f.read_exact(&mut key)).map_err(|e| StoreError::Io(path.to_owned(), e))?;
    Ok(PackKey(key))
}

/// The current pack, open for appending.
#[derive(Debug)]
pub(crate) struct PackWriter {
    files: Arc<PackFiles>,
    pack: u32,
    key: PackKey,
    file: Arc<File>,
    /// Next byte to write, gathered bytes included.
    end: u64,
    /// Bytes gathered for `end - gathered.len()`.
    gathered: Vec<u8>,
    /// Length of the file: what lies between `end` and it are zeros that are on the disk already.
    allocated: u64,
    size_max: u64,
    /// Anything written since the last sync.
    dirty: bool,
    /// Packs closed since somebody asked, with their ends.
    closed: Vec<PackEnd>,
}

impl PackWriter {
    /// Opens the pack to append at `end`; what lies behind is cut off (whoever calls has salvaged it). Without a
    /// key it is begun anew.
    pub(crate) fn open(
        files: Arc<PackFiles>,
        pack: u32,
        resume: Option<(u64, PackKey)>,
        size_max: u64,
    ) -> Result<Self, StoreError> {
        let path = files.path(pack);
        let shown = path.display().to_string();
        let io = |e| StoreError::Io(shown.clone(), e);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let (end, key) = match resume {
            Some((end, key)) => (end.max(PACK_HEAD_LEN), key),
            None => (PACK_HEAD_LEN, random_key()?),
        };
        // Zeros again after the end: a record that was never acknowledged must not be found there later.
        file.set_len(end).map_err(io)?;
        if resume.is_none() {
            file.write_all_at(&key.encode(), 0).map_err(io)?;
        }
        file.sync_all().map_err(io)?;
        sync_dir(files.dir())?;
        Ok(Self {
            files,
            pack,
            key,
            file: Arc::new(file),
            end,
            gathered: Vec::new(),
            allocated: end,
            size_max: size_max.min(PACK_SIZE_MAX),
            dirty: false,
            closed: Vec::new(),
        })
    }

    pub(crate) const fn pack(&self) -> u32 {
        self.pack
    }
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// What the database must know of the current pack.
    pub(crate) const fn end_of_pack(&self) -> PackEnd {
        PackEnd { pack: self.pack, end: self.end, key: self.key }
    }

    /// Packs closed since the last call, with their ends.
    pub(crate) fn take_closed(&mut self) -> Vec<PackEnd> {
        std::mem::take(&mut self.closed)
    }

    /// Appends one record. It is on the disk after [`PackWriter::sync`].
    pub(crate) fn append(&mut self, header: &Header, content: &[u8]) -> Result<Place, StoreError> {
        let size = HEADER_LEN.saturating_add(header.length);
        if self.end > PACK_HEAD_LEN && self.end.saturating_add(size) > self.size_max {
            self.rotate()?;
        }
        let place = Place { pack: self.pack, offset: self.end };
        self.gathered.extend_from_slice(&header.encode(&self.key));
        self.gathered.extend_from_slice(content);
        self.end = self.end.saturating_add(size);
        self.dirty = true;
        if self.gathered.len() >= GATHER_MAX {
            self.flush()?;
        }
        Ok(place)
    }

    fn io(&self, error: std::io::Error) -> StoreError {
        if error.kind() == std::io::ErrorKind::StorageFull || error.kind() == std::io::ErrorKind::QuotaExceeded {
            return StoreError::DiskFull;
        }
        StoreError::Io(self.files.path(self.pack).display().to_string(), error)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let start = self.end.saturating_sub(self.gathered.len() as u64);
        self.grow()?;
        self.file.write_all_at(&self.gathered, start).map_err(|e| self.io(e))?;
        if self.gathered.capacity() > GATHER_MAX.saturating_mul(2) {
            self.gathered = Vec::new();
        } else {
            self.gathered.clear();
        }
        Ok(())
    }

    /// Writes zeros ahead, a step at a time: written blocks need no metadata when they are written again.
    fn grow(&mut self) -> Result<(), StoreError> {
        if self.end <= self.allocated {
            return Ok(());
        }
        let steps = self.end.div_ceil(PACK_STEP).max(1);
        let target = steps.saturating_mul(PACK_STEP);
        let zeros = vec![0u8; 1024 * 1024];
        let mut at = self.allocated;
        while at < target {
            let size = target.saturating_sub(at).min(zeros.len() as u64);
            let piece = usize::try_from(size).ok().and_then(|s| zeros.get(..s)).unwrap_or(&zeros);
            self.file.write_all_at(piece, at).map_err(|e| self.io(e))?;
            at = at.saturating_add(size);
        }
        self.allocated = target;
        Ok(())
    }

    /// Writes everything appended; what still has to be synced for it to be on stable storage, if anything.
    pub(crate) fn written(&mut self) -> Result<Option<Arc<File>>, StoreError> {
        self.flush()?;
        Ok(std::mem::take(&mut self.dirty).then(|| Arc::clone(&self.file)))
    }

    /// Puts everything appended on stable storage.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(file) = self.written()? {
            file.sync_data().map_err(|e| self.io(e))?;
        }
        Ok(())
    }

    /// Takes back everything after a place of the current pack: a batch failed before its sync.
    pub(crate) fn rewind(&mut self, pack: u32, end: u64) {
        if pack == self.pack {
            self.gathered.clear();
            self.end = end;
        }
    }

    /// Closes the current pack (synced, cut to its end) and begins the next.
    pub(crate) fn rotate(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        self.file.set_len(self.end).and_then(|()| self.file.sync_all()).map_err(|e| self.io(e))?;
        let next = self.pack.checked_add(1).ok_or(StoreError::Limit("packs"))?;
        let mut closed = std::mem::take(&mut self.closed);
        closed.push(self.end_of_pack());
        *self = Self { closed, ..Self::open(Arc::clone(&self.files), next, None, self.size_max)? };
        Ok(())
    }
}
