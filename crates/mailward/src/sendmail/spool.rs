//! The spool: where programs of any user put mail while no server takes it, without a program that has rights of its own.
//!
//! ```text
//! DIRECTORY/            755   the server's user
//!   submit.sock         666   the door for programs
//!   drop/              3733   anybody may put a file here; who can't list it can't find others' files, and may not remove them
//!   later/              700   what the server couldn't deliver wholly, by user
//!   aside/              700   what can't be delivered, each with its reason
//! ```
//! A file is written under a name that nobody can guess, synced, and then named as whole. It gets the group of the
//! directory (set-group-ID) and mode 640, so that the server reads it and other users don't. Whose it is, the kernel says
//! (`st_uid`). What isn't a plain file with one name, of that group, and writable by its owner alone, is put aside: it may
//! have been made elsewhere, by somebody else (attacks H12).

use super::places::{self, ASIDE, DROP, LATER};
use crate::failure::Failure;
use mailward_core::limits::{PARCEL_MAX, SPOOL_UNFINISHED_AGE};
use mailward_vault::new_server_secret;
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Names of files that are whole, and of those that are being written.
const WHOLE: &str = "m.";
const UNFINISHED: &str = "t.";

/// The places in a directory for programs.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    directory: PathBuf,
}

impl Spool {
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }
    /// The door for programs.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("submit.sock")
    }
    pub(super) fn drop_box(&self) -> PathBuf {
        self.directory.join(DROP)
    }
    pub(super) fn later(&self) -> PathBuf {
        self.directory.join(LATER)
    }
    pub(super) fn aside(&self) -> PathBuf {
        self.directory.join(ASIDE)
    }

    /// Makes what is missing and mends what isn't as it should be, for the server's user; with root's rights, or as that user.
    /// Answers what should be known.
    pub(crate) fn make(&self, owner: Option<(Uid, Gid)>) -> Result<Vec<String>, Failure> {
        places::make(&self.directory, owner)
    }

    /// Puts a message into the spool, safe on the disk when this answers.
    pub(crate) fn put(&self, bytes: &[u8]) -> io::Result<()> {
        let place = self.drop_box();
        let directory = std::fs::symlink_metadata(&place)?;
        if !directory.is_dir() {
            return Err(io::Error::other("not a directory"));
        }
        let name = unguessable()?;
        let unfinished = place.join(format!("{UNFINISHED}{name}"));
        let kept = write(&unfinished, bytes, 0o640, |made| {
            // The server must be able to read it.
            if made.gid() == directory.gid() || made.uid() == directory.uid() {
                Ok(())
            } else {
                Err(io::Error::other("its set-group-ID bit is missing: as root, chmod 3733 it"))
            }
        });
        let named = kept.and_then(|file| {
            std::fs::rename(&unfinished, place.join(format!("{WHOLE}{name}")))?;
            // Whoever may not list the directory may not open it to sync it either.
            nix::unistd::syncfs(&file).map_err(io::Error::from)
        });
        if named.is_err() {
            let _gone = std::fs::remove_file(&unfinished);
        }
        named
    }

    /// Keeps for later what is left of a user's message.
    pub(super) fn keep(&self, uid: u32, bytes: &[u8]) -> io::Result<()> {
        let name = format!("{WHOLE}{}.{uid}", unguessable()?);
        put_privately(&self.later(), &name, bytes)
    }

    /// Puts what can't be delivered where an administrator finds it, with the reason; answers its name.
    pub(super) fn write_aside(&self, bytes: &[u8], reason: &str) -> io::Result<String> {
        let name = unguessable()?;
        put_privately(&self.aside(), &format!("{name}.why"), format!("{reason}\n").as_bytes())?;
        if let Err(error) = put_privately(&self.aside(), &name, bytes) {
            let _gone = std::fs::remove_file(self.aside().join(format!("{name}.why")));
            return Err(error);
        }
        Ok(name)
    }

    /// Moves a file there as it is, unread.
    pub(super) fn move_aside(&self, file: &Path, reason: &str) -> io::Result<String> {
        let name = unguessable()?;
        put_privately(&self.aside(), &format!("{name}.why"), format!("{reason}\n").as_bytes())?;
        if let Err(error) = std::fs::rename(file, self.aside().join(&name)) {
            let _gone = std::fs::remove_file(self.aside().join(format!("{name}.why")));
            return Err(error);
        }
        Ok(name)
    }
}

/// A file of the spool that is whole and may be believed.
pub(super) struct Found {
    pub(super) uid: u32,
    pub(super) bytes: Vec<u8>,
    /// When it was spooled; its owner may set it.
    pub(super) since: SystemTime,
}

/// Why a file of the spool isn't read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It isn't for reading: being written, or gone meanwhile.
    NotNow,
    /// It can't be believed, or read.
    Bad(String),
}

/// Reads a file that anybody may have put there, of at most so many bytes.
pub(super) fn read(path: &Path, drop_box: &Metadata, most: u64) -> Result<Found, Unread> {
    match kind(path) {
        Kind::Whole => {}
        Kind::Unfinished => {
            remove_if_old(path);
            return Err(Unread::NotNow);
        }
        Kind::Other => return Err(Unread::Bad("its name isn't one that `mailward sendmail` gives".to_owned())),
    }
    let (file, status) = open(path)?;
    let bad = |what: &str| Err(Unread::Bad(what.to_owned()));
    if !status.is_file() {
        return bad("it isn't a plain file");
    }
    if status.nlink() != 1 {
        return bad("it has more than one name: it may be somebody else's file");
    }
    if status.gid() != drop_box.gid() && status.uid() != drop_box.uid() {
        return bad("it doesn't have the directory's group: it was made elsewhere");
    }
    if status.mode() & 0o022 != 0 {
        return bad("others than its owner may write to it");
    }
    let uid = status.uid();
    contents(file, &status, uid, most)
}

/// Reads a file that we have put there ourselves, for the user in its name.
pub(super) fn read_later(path: &Path) -> Result<Found, Unread> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with(UNFINISHED) {
        remove_if_old(path);
        return Err(Unread::NotNow);
    }
    let uid = name.rsplit_once('.').and_then(|(_, uid)| uid.parse().ok());
    let uid = uid.ok_or_else(|| Unread::Bad("its name doesn't tell its user".to_owned()))?;
    let (file, status) = open(path)?;
    contents(file, &status, uid, u64::try_from(PARCEL_MAX).unwrap_or(u64::MAX))
}

fn open(path: &Path) -> Result<(File, Metadata), Unread> {
    // Not followed, and not waited for: it may be a link, or a pipe that nobody writes to.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits();
    let opened = File::options().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Unread::NotNow,
        _ => Unread::Bad(format!("it can't be opened: {e}")),
    })?;
    let status = file.metadata().map_err(|e| Unread::Bad(format!("it can't be looked at: {e}")))?;
    Ok((file, status))
}

fn contents(file: File, status: &Metadata, uid: u32, most: u64) -> Result<Found, Unread> {
    if status.len() > most {
        return Err(Unread::Bad(format!("it has more than {most} bytes")));
    }
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| Unread::Bad(format!("it can't be read: {e}")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(Unread::Bad("it grew while it was read".to_owned()));
    }
    Ok(Found { uid, bytes, since: status.modified().unwrap_or(SystemTime::UNIX_EPOCH) })
}

enum Kind {
    Whole,
    Unfinished,
    Other,
}

fn kind(path: &Path) -> Kind {
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if name.starts_with(WHOLE) => Kind::Whole,
        Some(name) if name.starts_with(UNFINISHED) => Kind::Unfinished,
        _ => Kind::Other,
    }
}

/// What was never finished is removed after a while: its program heard that it failed, or was killed.
fn remove_if_old(path: &Path) {
    let age = path.symlink_metadata().and_then(|status| status.modified()).ok().and_then(|at| at.elapsed().ok());
    if age.is_some_and(|age| age > SPOOL_UNFINISHED_AGE) {
        let _gone = std::fs::remove_file(path);
    }
}

/// A whole file in a directory that is ours alone.
fn put_privately(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{UNFINISHED}{name}"));
    let named =
        write(&unfinished, bytes, 0o600, |_| Ok(())).and_then(|_| std::fs::rename(&unfinished, directory.join(name)));
    if let Err(error) = named {
        // It is tried again, and each try would take more of the room that is missing.
        let _gone = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    File::open(directory)?.sync_all()
}

/// Writes a new file, synced; `look` says whether it is as it must be, before anything is written.
fn write(path: &Path, bytes: &[u8], mode: u32, look: impl FnOnce(&Metadata) -> io::Result<()>) -> io::Result<File> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    look(&file.metadata()?)?;
    // Past any umask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

/// 128 bits by chance, in hexadecimal.
fn unguessable() -> io::Result<String> {
    let secret = new_server_secret().map_err(|e| io::Error::other(e.to_string()))?;
    Ok(secret.expose().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const MOST: u64 = 1_000;

    fn made() -> (tempfile::TempDir, Spool) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::in_directory(&dir.path().join("sendmail"));
        assert_eq!(spool.make(None).unwrap(), Vec::<String>::new());
        (dir, spool)
    }

    fn names(path: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect()
    }

    fn reason(spool: &Spool, path: &Path) -> String {
        match read(path, &spool.drop_box().metadata().unwrap(), MOST) {
            Err(Unread::Bad(why)) => why,
            Err(Unread::NotNow) => "not now".to_owned(),
            Ok(_) => "read".to_owned(),
        }
    }

    #[test]
    fn a_message_is_whole_and_for_the_server_alone() {
        let (_dir, spool) = made();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&spool.drop_box()), mode(&spool.later()), mode(&spool.aside())), (0o3733, 0o700, 0o700));
        spool.put(b"mail").unwrap();
        let [file] = &names(&spool.drop_box())[..] else { panic!() };
        assert_eq!(mode(file), 0o640);
        assert_eq!(file.file_name().unwrap().len(), 2 + 32);
        let found = read(file, &spool.drop_box().metadata().unwrap(), MOST).unwrap();
        assert_eq!((found.bytes.as_slice(), found.uid), (&b"mail"[..], nix::unistd::geteuid().as_raw()));
        assert_eq!(spool.make(None).unwrap(), Vec::<String>::new(), "what is there stays");
        assert_eq!(names(&spool.drop_box()).len(), 1);
    }

    /// Attacks H12.
    #[test]
    fn what_may_be_somebody_else_s_file_is_not_believed() {
        let (dir, spool) = made();
        let place = spool.drop_box();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "mailward parcel 1\n").unwrap();
        symlink(&secret, place.join("m.link")).unwrap();
        assert!(reason(&spool, &place.join("m.link")).contains("can't be opened"));
        std::fs::hard_link(&secret, place.join("m.hard")).unwrap();
        assert!(reason(&spool, &place.join("m.hard")).contains("more than one name"));
        nix::unistd::mkfifo(&place.join("m.pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        assert!(reason(&spool, &place.join("m.pipe")).contains("plain file"));
        std::fs::create_dir(place.join("m.dir")).unwrap();
        assert!(reason(&spool, &place.join("m.dir")).contains("plain file"));
        std::fs::write(place.join("m.open"), "x").unwrap();
        std::fs::set_permissions(place.join("m.open"), Permissions::from_mode(0o666)).unwrap();
        assert!(reason(&spool, &place.join("m.open")).contains("others than its owner"));
        std::fs::write(place.join("x"), "x").unwrap();
        assert!(reason(&spool, &place.join("x")).contains("its name"));
        std::fs::write(place.join("t.x"), "x").unwrap();
        assert_eq!(reason(&spool, &place.join("t.x")), "not now");
        assert_eq!(reason(&spool, &place.join("m.gone")), "not now");
    }

    #[test]
    fn a_file_over_its_size_is_not_read_to_its_end() {
        let (_dir, spool) = made();
        let path = spool.drop_box().join("m.large");
        let file = File::create(&path).unwrap();
        file.set_len(MOST + 1).unwrap();
        file.set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert!(reason(&spool, &path).contains("more than"));
    }

    #[test]
    fn what_was_never_finished_goes_after_a_day() {
        let (_dir, spool) = made();
        let path = spool.drop_box().join("t.x");
        let file = File::create(&path).unwrap();
        assert_eq!(reason(&spool, &path), "not now");
        assert!(path.exists());
        file.set_modified(SystemTime::now() - SPOOL_UNFINISHED_AGE - std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(reason(&spool, &path), "not now");
        assert!(!path.exists());
    }

    #[test]
    fn what_waits_and_what_is_put_aside_is_ours_alone() {
        let (_dir, spool) = made();
        spool.keep(33, b"rest").unwrap();
        let [file] = &names(&spool.later())[..] else { panic!() };
        let found = read_later(file).unwrap();
        assert_eq!((found.uid, found.bytes.as_slice()), (33, &b"rest"[..]));
        let name = spool.move_aside(file, "no good").unwrap();
        assert_eq!(std::fs::read_to_string(spool.aside().join(format!("{name}.why"))).unwrap(), "no good\n");
        assert_eq!(std::fs::read(spool.aside().join(name)).unwrap(), b"rest");
        assert!(names(&spool.later()).is_empty());
        let bad = spool.later().join("m.nobody");
        std::fs::write(&bad, "x").unwrap();
        assert!(matches!(read_later(&bad), Err(Unread::Bad(_))));
    }
}
