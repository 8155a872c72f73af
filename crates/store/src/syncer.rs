//! A thread that syncs the pack while the committer commits: a lone message waits for the slower of the two, not
//! for one after the other.

use crate::api::StoreError;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The thread, and the way to it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Syncer {
    files: Sender<Arc<File>>,
    done: Receiver<io::Result<()>>,
    /// Whether an answer is owed.
    busy: bool,
}

impl Syncer {
    pub(crate) fn start() -> Result<Self, StoreError> {
        let (files, waiting) = channel::<Arc<File>>();
        let (answer, done) = channel();
        std::thread::Builder::new()
            .name("store-pack-sync".to_owned())
            .spawn(move || {
                while let Ok(file) = waiting.recv() {
                    if answer.send(file.sync_data()).is_err() {
                        return;
                    }
                }
            })
            .map_err(|e| StoreError::Io("starting a thread".to_owned(), e))?;
        Ok(Self { files, done, busy: false })
    }

    /// Begins to sync a file.
    pub(crate) fn begin(&mut self, file: Arc<File>) -> Result<(), StoreError> {
        self.files.send(file).map_err(|_| StoreError::Closed)?;
        self.busy = true;
        Ok(())
    }

    /// Waits for what was begun, if anything was.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.busy) {
            return Ok(());
        }
        match self.done.recv() {
            Ok(result) => result.map_err(|e| StoreError::Io("syncing a pack".to_owned(), e)),
            Err(_) => Err(StoreError::Closed),
        }
    }
}
