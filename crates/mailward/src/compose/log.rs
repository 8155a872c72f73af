//! Where the log goes, and that its last line is written.

use crate::failure::Failure;
use mailward_core::config::{Config, Loaded};
use mailward_core::event::Events;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// The last event of a server; once its line is out, nothing is lost.
const LAST: &[u8] = b" server.stopped";

/// The log, opened before rights are needed no more.
pub(crate) struct Log {
    file: Option<(PathBuf, File)>,
}

/// The log while its thread runs.
pub(crate) struct Started {
    reopen: Reopener,
    last: Receiver<()>,
}

/// Has the log file opened anew before its next line.
#[derive(Clone)]
pub(crate) struct Reopener(Arc<AtomicBool>);

impl Log {
    pub(crate) fn open(loaded: &Loaded) -> Result<Self, Failure> {
        let file = match &loaded.config.log.file {
            None => None,
            Some(path) => Some((
                path.clone(),
                append(path).map_err(|e| loaded.fault("log.file", format!("can't be opened: {e}")))?,
            )),
        };
        Ok(Self { file })
    }
    /// Starts the thread that writes.
    pub(crate) fn start(self, config: &Config) -> (Started, Events) {
        let reopen = Reopener(Arc::new(AtomicBool::new(false)));
        let (tell, last) = sync_channel(1);
        let level = config.log.level.level();
        let events = match self.file {
            Some((path, file)) => {
                let to = Reopening { path, file, reopen: reopen.clone() };
                Events::to_writer(level, Watched { to, tell })
            }
            None => Events::to_writer(level, Watched { to: std::io::stderr(), tell }),
        };
        (Started { reopen, last }, events)
    }
}

impl Started {
    pub(crate) fn reopener(&self) -> Reopener {
        self.reopen.clone()
    }
    /// Waits until the last event is written. A log that can't be written must not hold the stop for long.
    pub(crate) fn last_word(&mut self) {
        let _late = self.last.recv_timeout(Duration::from_millis(500));
    }
}

impl Reopener {
    pub(crate) fn reopen(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    File::options().append(true).create(true).open(path)
}

struct Reopening {
    path: PathBuf,
    file: File,
    reopen: Reopener,
}

impl Write for Reopening {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.reopen.0.swap(false, Ordering::Relaxed) {
            // If the new one can't be opened the old one is better than none.
            if let Ok(file) = append(&self.path) {
                self.file = file;
            }
        }
        self.file.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Tells when the last event went by. The writer gets whole lines in one piece.
struct Watched<W> {
    to: W,
    tell: SyncSender<()>,
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes);
        if bytes.windows(LAST.len()).any(|w| w == LAST) {
            // Full means told already.
            let _told = self.tell.try_send(());
        }
        written
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::event::Event;

    fn logging_to(path: &Path) -> (Started, Events) {
        let mut config = Config::default();
        config.log.file = Some(path.to_owned());
        Log::open(&Loaded::built(config.clone(), "test")).unwrap().start(&config)
    }

    #[test]
    fn the_last_line_is_written_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, events) = logging_to(&path);
        for n in 0..1_000 {
            events.emit(Event::info("test.line").with("n", n));
        }
        events.emit(Event::info("server.stopped"));
        log.last_word();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1_001);
        assert!(text.lines().last().is_some_and(|l| l.ends_with("info server.stopped")));
    }

    #[test]
    fn a_log_that_was_moved_away_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, events) = logging_to(&path);
        std::fs::rename(&path, dir.path().join("log.1")).unwrap();
        log.reopener().reopen();
        events.emit(Event::info("server.stopped"));
        log.last_word();
        assert!(std::fs::read_to_string(&path).unwrap().contains("server.stopped"));
    }
}
