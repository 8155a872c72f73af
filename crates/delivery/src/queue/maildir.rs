//! Delivery into a Maildir: one file a message and recipient, written to `tmp`, synced, linked into `new`.
//!
//! No symbolic link is followed below the directory that the administrator opened to routes. A file's name is its
//! recipient's place in the queue, which is never given again: delivered twice after a crash, it is there once, as long as
//! whoever reads the Maildir hasn't taken it out.

use bytes::Bytes;
use mailward_core::limits::{MAILDIR_AHEAD, MAILDIR_LOOK_MAX};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, linkat, unlinkat};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
/// For its owner: whoever else reads it has rights by access lists.
const PRIVATE: Mode = Mode::S_IRWXU;

/// A Maildir that is open.
#[derive(Debug)]
pub(crate) struct Maildir {
    tmp: OwnedFd,
    new: OwnedFd,
    cur: OwnedFd,
}

impl Maildir {
    /// Opens it, and makes what is missing of it below `root`, which must be there.
    ///
    /// # Errors
    /// What the system says; a symbolic link on the way is [`Errno::ELOOP`] or [`Errno::ENOTDIR`].
    pub(crate) fn open(root: &Path, path: &Path) -> io::Result<Self> {
        // The administrator's own directory may be a link; nothing below it may.
        let mut at = open(root, OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC), Mode::empty())?;
        for part in path.components() {
            let Component::Normal(name) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
            at = enter(&at, Path::new(name))?;
        }
        Ok(Self {
            tmp: enter(&at, Path::new("tmp"))?,
            new: enter(&at, Path::new("new"))?,
            cur: enter(&at, Path::new("cur"))?,
        })
    }

    /// Whether a message of this name is there, read or unread.
    pub(crate) fn has(&self, name: &str) -> io::Result<bool> {
        self.has_among(name, MAILDIR_LOOK_MAX)
    }

    fn has_among(&self, name: &str, most: usize) -> io::Result<bool> {
        match fstatat(&self.new, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => return Ok(true),
            Err(Errno::ENOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let cur = openat(&self.cur, ".", DIRECTORY, Mode::empty())?;
        for entry in Dir::from_fd(cur)?.iter().take(most) {
            let entry = entry?;
            // Behind a colon stand the flags that a reader has given it.
            if entry.file_name().to_bytes().split(|byte| *byte == b':').next() == Some(name.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        match openat(&self.tmp, name, flags, mode) {
            // Left by a crash: the name is nobody else's.
            Err(Errno::EEXIST) => {
                unlinkat(&self.tmp, name, UnlinkatFlags::NoRemoveDir)?;
                Ok(File::from(openat(&self.tmp, name, flags, mode)?))
            }
            created => Ok(File::from(created?)),
        }
    }

    /// Makes a written file a message: durable when this answers.
    fn publish(&self, name: &str, file: &File) -> io::Result<()> {
        file.sync_all()?;
        match linkat(&self.tmp, name, &self.new, name, AtFlags::empty()) {
            // It is there already, from before a crash.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        fsync(&self.new)?;
        // Were it to stay, it would be an old file in tmp, which readers clear away.
        let _left = unlinkat(&self.tmp, name, UnlinkatFlags::NoRemoveDir);
        Ok(())
    }
}

/// A directory within another, made if it isn't there.
fn enter(at: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    match openat(at, name, DIRECTORY, Mode::empty()) {
        Err(Errno::ENOENT) => {
            match mkdirat(at, name, PRIVATE) {
                Ok(()) => fsync(at)?,
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(openat(at, name, DIRECTORY, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}

/// A message that is being written, on a thread that may wait for the disk.
pub(crate) struct Writing {
    pieces: mpsc::Sender<Bytes>,
    thread: JoinHandle<io::Result<()>>,
}

impl Writing {
    /// Begins. With `look` it isn't written if it is there already: it may have been before a crash.
    pub(crate) fn begin(maildir: Maildir, name: String, look: bool) -> Self {
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(MAILDIR_AHEAD);
        let thread = tokio::task::spawn_blocking(move || {
            if look && maildir.has(&name)? {
                while waiting.blocking_recv().is_some_and(|piece| !piece.is_empty()) {}
                return Ok(());
            }
            let mut file = maildir.create(&name)?;
            let mut ends = LineEnds::default();
            loop {
                match waiting.blocking_recv() {
                    Some(piece) if piece.is_empty() => break,
                    Some(piece) => file.write_all(&ends.local(&piece))?,
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
            maildir.publish(&name, &file)
        });
        Self { pieces, thread }
    }

    /// A piece of the message. Why one isn't taken is told at the end.
    pub(crate) async fn write(&self, piece: Bytes) {
        if !piece.is_empty() {
            let _ended = self.pieces.send(piece).await;
        }
    }

    /// The end; answers once it is durable.
    pub(crate) async fn end(self) -> io::Result<()> {
        // Nothing marks the whole of it: a sender that is dropped without this has left in the middle.
        let _ended = self.pieces.send(Bytes::new()).await;
        self.thread.await.map_err(io::Error::other)?
    }
}

/// CRLF to LF, as programs that read Maildirs expect it.
#[derive(Default)]
struct LineEnds {
    /// The last byte was a CR that isn't written yet.
    cr: bool,
}

impl LineEnds {
    fn local(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len().saturating_add(1));
        for byte in piece {
            if std::mem::take(&mut self.cr) && *byte != b'\n' {
                out.push(b'\r');
            }
            if *byte == b'\r' {
                self.cr = true;
            } else {
                out.push(*byte);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    async fn deliver(root: &Path, path: &str, name: &str, look: bool, pieces: &[&str]) -> io::Result<()> {
        let writing = Writing::begin(Maildir::open(root, Path::new(path))?, name.to_owned(), look);
        for piece in pieces {
            writing.write(Bytes::copy_from_slice(piece.as_bytes())).await;
        }
        writing.end().await
    }

    #[tokio::test]
    async fn a_message_is_one_file_in_new_and_nothing_is_left_in_tmp() {
        let root = tempfile::tempdir().unwrap();
        deliver(root.path(), "a/b", "1.Q1N0.mx", false, &["Subject: x\r", "\n\r\nbody\r\n"]).await.unwrap();
        let dir = root.path().join("a/b");
        assert_eq!(fs::read_to_string(dir.join("new/1.Q1N0.mx")).unwrap(), "Subject: x\n\nbody\n");
        assert!(fs::read_dir(dir.join("tmp")).unwrap().next().is_none() && dir.join("cur").is_dir());
        assert_eq!(fs::metadata(dir.join("new/1.Q1N0.mx")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn after_a_crash_it_is_there_once_read_or_not() {
        let root = tempfile::tempdir().unwrap();
        deliver(root.path(), "a", "n", false, &["one\r\n"]).await.unwrap();
        deliver(root.path(), "a", "n", true, &["one\r\n"]).await.unwrap();
        let dir = root.path().join("a");
        assert_eq!(fs::read_dir(dir.join("new")).unwrap().count(), 1);
        fs::rename(dir.join("new/n"), dir.join("cur/n:2,S")).unwrap();
        deliver(root.path(), "a", "n", true, &["one\r\n"]).await.unwrap();
        assert_eq!(fs::read_dir(dir.join("new")).unwrap().count(), 0);
        // What a crash left half-written is written anew.
        fs::write(dir.join("tmp/m"), "ha").unwrap();
        deliver(root.path(), "a", "m", true, &["half\r\n"]).await.unwrap();
        assert_eq!(fs::read_to_string(dir.join("new/m")).unwrap(), "half\n");
    }

    #[tokio::test]
    async fn a_long_message_comes_in_pieces_and_a_long_directory_is_looked_at_to_its_limit() {
        let root = tempfile::tempdir().unwrap();
        let pieces = vec!["line\r\n"; 10 * MAILDIR_AHEAD];
        deliver(root.path(), "a", "n", false, &pieces).await.unwrap();
        let dir = root.path().join("a");
        assert_eq!(fs::read_to_string(dir.join("new/n")).unwrap(), "line\n".repeat(10 * MAILDIR_AHEAD));
        fs::rename(dir.join("new/n"), dir.join("cur/n:2,S")).unwrap();
        let maildir = Maildir::open(root.path(), Path::new("a")).unwrap();
        // The directory itself and the one above are names in it as well.
        assert!(maildir.has_among("n", 3).unwrap() && !maildir.has_among("n", 0).unwrap());
    }

    #[tokio::test]
    async fn what_isn_t_written_to_its_end_is_no_message() {
        let root = tempfile::tempdir().unwrap();
        let writing = Writing::begin(Maildir::open(root.path(), Path::new("a")).unwrap(), "n".to_owned(), false);
        writing.write(Bytes::from_static(b"half")).await;
        drop(writing.pieces);
        assert!(writing.thread.await.unwrap().is_err());
        assert_eq!(fs::read_dir(root.path().join("a/new")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn no_link_leads_out_of_the_directory() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), root.path().join("link")).unwrap();
        assert!(deliver(root.path(), "link", "n", false, &["x\r\n"]).await.is_err());
        assert!(deliver(root.path(), "link/deep", "n", false, &["x\r\n"]).await.is_err());
        assert!(deliver(root.path(), "../x", "n", false, &["x\r\n"]).await.is_err());
        fs::create_dir(root.path().join("box")).unwrap();
        symlink(outside.path(), root.path().join("box/new")).unwrap();
        assert!(deliver(root.path(), "box", "n", false, &["x\r\n"]).await.is_err());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(deliver(&root.path().join("not there"), "a", "n", false, &["x\r\n"]).await.is_err());
    }

    proptest! {
        #[test]
        fn line_ends_are_the_same_however_the_pieces_fall(text in "[a\r\n]{0,40}", cut in 0usize..40) {
            let text = text.into_bytes();
            let (first, second) = text.split_at(cut.min(text.len()));
            let mut ends = LineEnds::default();
            let mut found = ends.local(first);
            found.extend(ends.local(second));
            if std::mem::take(&mut ends.cr) {
                found.push(b'\r');
            }
            let wanted = String::from_utf8(text).unwrap().replace("\r\n", "\n");
            prop_assert_eq!(String::from_utf8(found).unwrap(), wanted);
        }
    }
}
