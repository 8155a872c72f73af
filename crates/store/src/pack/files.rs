//! The packs' directory and the open files in it.

use super::{PackKey, file_name, number};
use crate::api::StoreError;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Packs kept open for reading at once.
const OPEN_MAX: usize = 64;

/// The packs' directory; hands out open files.
#[derive(Debug)]
pub(crate) struct PackFiles {
    dir: PathBuf,
    open: Mutex<HashMap<u32, Arc<File>>>,
}

impl PackFiles {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, open: Mutex::default() }
    }
    pub(crate) fn path(&self, pack: u32) -> PathBuf {
        self.dir.join(file_name(pack))
    }
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
    /// An open file to read from.
    pub(crate) fn get(&self, pack: u32) -> Result<Arc<File>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(file) = open.get(&pack) {
            return Ok(Arc::clone(file));
        }
        let path = self.path(pack);
        let file = Arc::new(File::open(&path).map_err(|e| StoreError::Io(path.display().to_string(), e))?);
        if open.len() >= OPEN_MAX {
            // Whoever reads one of them holds it; the others open again when they are asked for.
            open.clear();
        }
        open.insert(pack, Arc::clone(&file));
        Ok(file)
    }
    /// So many bytes of a pack.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it ends before them.
    pub(crate) fn read(&self, pack: u32, at: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let file = self.get(pack)?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        // Into memory as it comes from the allocator: nothing is written there first to be written over.
        while (bytes.len() as u64) < length {
            let next = at.saturating_add(bytes.len() as u64);
            match rustix::io::pread(&*file, rustix::buffer::spare_capacity(&mut bytes), next) {
                Ok(0) => {
                    let path = self.path(pack);
                    return Err(StoreError::Damaged(format!("{} ends before byte {at} + {length}", path.display())));
                }
                Ok(_) => bytes.truncate(usize::try_from(length).unwrap_or(0)),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(StoreError::Io(self.path(pack).display().to_string(), e.into())),
            }
        }
        Ok(bytes)
    }
    /// Forgets a pack and removes its file. Whoever reads it still can.
    pub(crate) fn remove(&self, pack: u32) -> Result<(), StoreError> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&pack);
        let path = self.path(pack);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(StoreError::Io(path.display().to_string(), e)),
        }
    }
    /// The key in a pack's head; `None` if the head is damaged.
    pub(crate) fn key(&self, pack: u32) -> Result<Option<PackKey>, StoreError> {
        let mut head = [0u8; 64];
        match self.get(pack)?.read_exact_at(&mut head, 0) {
            Ok(()) => Ok(PackKey::decode(&head)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(StoreError::Io(self.path(pack).display().to_string(), e)),
        }
    }
    /// Writes a pack's head again if it isn't the one with this key. Answers whether it did.
    pub(crate) fn mend_head(&self, pack: u32, key: PackKey) -> Result<bool, StoreError> {
        if self.key(pack)? == Some(key) {
            return Ok(false);
        }
        let path = self.path(pack);
        let io = |e| StoreError::Io(path.display().to_string(), e);
        let file = std::fs::OpenOptions::new().write(true).open(&path).map_err(io)?;
        file.write_all_at(&key.encode(), 0).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(true)
    }
    /// Numbers of the packs there are, ascending.
    pub(crate) fn list(&self) -> Result<Vec<u32>, StoreError> {
        let shown = self.dir.display().to_string();
        let entries = std::fs::read_dir(&self.dir).map_err(|e| StoreError::Io(shown.clone(), e))?;
        let mut packs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| StoreError::Io(shown.clone(), e))?;
            packs.extend(entry.file_name().to_str().and_then(number));
        }
        packs.sort_unstable();
        Ok(packs)
    }
}

/// Makes a directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| StoreError::Io(dir.display().to_string(), e))
}
