//! The directories of the spool, which root may have to make for the server's user.
//!
//! Root works inside a directory that this user owns, or will: so nothing here goes by a path that it could lead elsewhere
//! meanwhile. Each directory is opened once, not by way of a link, looked at, and changed by its descriptor. The directory
//! above is given away last: what is left when root is killed before is root's still, and is found and mended at the next
//! start.

use crate::failure::Failure;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, mkdirat};
use nix::unistd::{Gid, Uid, fchown, geteuid};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Where programs put mail, where what is left of some waits, and where what can't be delivered is put.
pub(super) const DROP: &str = "drop";
pub(super) const LATER: &str = "later";
pub(super) const ASIDE: &str = "aside";

/// The directory of all: others come through, to the socket and the drop box.
const ALL: u32 = 0o755;
/// How a directory is made, before it is as it should be.
const FRESH: u32 = 0o700;
/// Anybody may put files here, removable by their owners alone, of this directory's group.
const DROPPING: u32 = 0o3733;
const WITHOUT_GROUP: u32 = 0o1733;
const INSIDE: [(&str, u32); 3] = [(DROP, DROPPING), (LATER, 0o700), (ASIDE, 0o700)];

/// Whose a directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The server's user's.
    Servers,
    /// Root's, who has made it for the server's user and not given it away yet.
    ToBeGiven,
    /// Root's, who has let the server's user in.
    Roots,
}

/// A directory that is open.
struct Open {
    path: PathBuf,
    fd: OwnedFd,
    status: FileStat,
    made: bool,
}

/// Makes what is missing and mends what isn't as it should be; for this owner with root's rights, or as who we are. Answers
/// what should be known.
pub(super) fn make(directory: &Path, owner: Option<(Uid, Gid)>) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    let name = directory
        .file_name()
        .ok_or_else(|| Failure::Refused(format!("{}: name a directory of its own", directory.display())))?;
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let above = open(above, flags, Mode::empty()).map_err(|e| Failure::sys(above.display(), e))?;
    // A link may stand here for whoever has no rights to lose.
    let follow = if owner.is_some() { OFlag::O_NOFOLLOW } else { OFlag::empty() };
    let all = enter(&above, Path::new(name), directory, follow)?;
    let whose = all.whose(owner, &[DROP, LATER, ASIDE], true)?;
    if whose == Whose::Servers {
        let mode = all.mode();
        if all.made || (mode & 0o777 == FRESH && all.holds_only(&[])?) {
            all.set_mode(ALL)?;
        } else if mode & 0o022 != 0 {
            all.set_mode(mode & !0o022)?;
            notes.push(format!("{}: others could write to it: its mode was {mode:o}", directory.display()));
        }
    }
    for (name, mode) in INSIDE {
        let place = enter(&all.fd, Path::new(name), &directory.join(name), OFlag::O_NOFOLLOW)?;
        let whose = place.whose(owner, &[], false)?;
        notes.extend(place.be(mode)?);
        if let (Whose::ToBeGiven, Some((uid, gid))) = (whose, owner) {
            place.give(uid, gid)?;
        }
    }
    if let (Whose::ToBeGiven, Some((uid, gid))) = (whose, owner) {
        all.set_mode(ALL)?;
        all.give(uid, gid)?;
    }
    Ok(notes)
}

/// Opens a directory within another, made if it isn't there.
fn enter(above: &OwnedFd, name: &Path, path: &Path, follow: OFlag) -> Result<Open, Failure> {
    let failed = |e| Failure::sys(path.display(), e);
    let made = match mkdirat(above, name, Mode::from_bits_truncate(FRESH)) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(error) => return Err(failed(error)),
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | follow;
    let fd = openat(above, name, flags, Mode::empty()).map_err(|error| match error {
        Errno::ELOOP | Errno::ENOTDIR => Failure::Refused(format!(
            "{0} is a link, or no directory: remove it, or name where it leads in sendmail.directory",
            path.display()
        )),
        error => failed(error),
    })?;
    let status = fstat(&fd).map_err(failed)?;
    Ok(Open { path: path.to_owned(), fd, status, made })
}

impl Open {
    fn failed(&self, error: Errno) -> Failure {
        Failure::sys(self.path.display(), error)
    }
    const fn mode(&self) -> u32 {
        self.status.st_mode & 0o7777
    }

    /// Whose it is; refused if it can't be used. `inside` is what may be in it when it was made by root and not given away.
    fn whose(&self, owner: Option<(Uid, Gid)>, inside: &[&str], outermost: bool) -> Result<Whose, Failure> {
        let server = owner.map_or_else(geteuid, |(uid, _)| uid);
        let is = Uid::from_raw(self.status.st_uid);
        if is == server {
            return Ok(Whose::Servers);
        }
        // Its user can't bring another directory of root's here that looks like one of ours: it would have to be empty.
        if owner.is_some() && is.is_root() && self.mode() & 0o777 == FRESH && self.holds_only(inside)? {
            return Ok(Whose::ToBeGiven);
        }
        if owner.is_none() && is.is_root() && outermost {
            return Ok(Whose::Roots);
        }
        Err(Failure::Refused(format!(
            "{0} belongs to user {is}, not to user {server}, who runs the server: if it is meant for mail of programs, as root: \
             chown {server} {0}",
            self.path.display()
        )))
    }

    /// Whether nothing else is in it.
    fn holds_only(&self, names: &[&str]) -> Result<bool, Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut listed = Dir::openat(&self.fd, ".", flags, Mode::empty()).map_err(|e| self.failed(e))?;
        for entry in listed.iter() {
            let entry = entry.map_err(|e| self.failed(e))?;
            let name = entry.file_name().to_bytes();
            let known = name == b"." || name == b".." || names.iter().any(|known| known.as_bytes() == name);
            if !known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn set_mode(&self, mode: u32) -> Result<(), Failure> {
        fchmod(&self.fd, Mode::from_bits_truncate(mode)).map_err(|e| self.failed(e))
    }

    /// Gives it a mode; what should be known of that.
    fn be(&self, mode: u32) -> Result<Option<String>, Failure> {
        let was = self.mode();
        if was == mode {
            return Ok(None);
        }
        let is = match fchmod(&self.fd, Mode::from_bits_truncate(mode)) {
            Ok(()) => fstat(&self.fd).map_err(|e| self.failed(e))?.st_mode & 0o7777,
            // A service that may not set group IDs: other users' mail can't be made readable for it here.
            Err(Errno::EPERM) if mode == DROPPING => WITHOUT_GROUP,
            Err(error) => return Err(self.failed(error)),
        };
        if mode == DROPPING && is != mode {
            if was != WITHOUT_GROUP {
                self.set_mode(WITHOUT_GROUP)?;
            }
            return Ok(Some(format!(
                "{0}: its set-group-ID bit can't be set here: only programs of the server's own user can spool mail while the \
                 server is down; as root: chmod {DROPPING:o} {0}",
                self.path.display()
            )));
        }
        let mended = !self.made && was & 0o777 != FRESH;
        Ok(mended.then(|| format!("{}: its mode was {was:o} and is {mode:o} again", self.path.display())))
    }

    fn give(&self, uid: Uid, gid: Gid) -> Result<(), Failure> {
        fchown(&self.fd, Some(uid), Some(gid)).map_err(|e| self.failed(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, metadata, set_permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

    /// Somebody who runs a server that root starts; only root can try this.
    const SERVER: (u32, u32) = (61_234, 61_235);

    fn as_root() -> Option<(Uid, Gid)> {
        geteuid().is_root().then_some((Uid::from_raw(SERVER.0), Gid::from_raw(SERVER.1)))
    }

    fn is(path: &Path) -> (u32, u32, u32) {
        let status = metadata(path).unwrap();
        (status.uid(), status.gid(), status.mode() & 0o7777)
    }

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn root_makes_all_of_it_for_the_server_s_user() {
        let Some(owner) = as_root() else { return };
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("mailward");
        for _ in 0..2 {
            assert_eq!(make(&all, Some(owner)).unwrap(), Vec::<String>::new());
            for (name, mode) in INSIDE {
                assert_eq!(is(&all.join(name)), (SERVER.0, SERVER.1, mode), "{name}");
            }
            assert_eq!(is(&all), (SERVER.0, SERVER.1, ALL));
        }
    }

    /// Attacks H12: the server's user, taken over, waits for the next start as root.
    #[test]
    fn root_follows_no_link_out_of_a_directory_that_it_gave_away() {
        let Some(owner) = as_root() else { return };
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        create_dir(&precious).unwrap();
        mode(&precious, 0o700);
        for name in [DROP, LATER, ASIDE] {
            let all = dir.path().join(format!("with-{name}"));
            make(&all, Some(owner)).unwrap();
            std::fs::remove_dir(all.join(name)).unwrap();
            symlink(&precious, all.join(name)).unwrap();
            let error = make(&all, Some(owner)).unwrap_err().to_string();
            assert!(error.contains("is a link"), "{error}");
            assert_eq!(is(&precious), (0, metadata(dir.path()).unwrap().gid(), 0o700), "{name}");
        }
        symlink(&precious, dir.path().join("link")).unwrap();
        assert!(make(&dir.path().join("link"), Some(owner)).unwrap_err().to_string().contains("is a link"));
        assert_eq!(std::fs::read_dir(&precious).unwrap().count(), 0);
    }

    #[test]
    fn what_root_left_when_it_was_killed_is_given_away_at_the_next_start() {
        let Some(owner) = as_root() else { return };
        for made in 0..=INSIDE.len() {
            let dir = tempfile::tempdir().unwrap();
            let all = dir.path().join("mailward");
            create_dir(&all).unwrap();
            mode(&all, FRESH);
            for (name, _) in INSIDE.iter().take(made) {
                create_dir(all.join(name)).unwrap();
                mode(&all.join(name), FRESH);
            }
            assert_eq!(make(&all, Some(owner)).unwrap(), Vec::<String>::new());
            for (name, mode) in INSIDE {
                assert_eq!(is(&all.join(name)), (SERVER.0, SERVER.1, mode), "{name}");
            }
            assert_eq!(is(&all), (SERVER.0, SERVER.1, ALL));
        }
    }

    #[test]
    fn what_may_be_something_else_is_not_given_away() {
        let Some(owner) = as_root() else { return };
        let dir = tempfile::tempdir().unwrap();
        // A directory of root's with other things in it, named by mistake.
        let usual = dir.path().join("usual");
        create_dir(&usual).unwrap();
        mode(&usual, 0o755);
        assert!(make(&usual, Some(owner)).unwrap_err().to_string().contains("belongs to user 0"));
        mode(&usual, 0o700);
        std::fs::write(usual.join("other"), "").unwrap();
        assert!(make(&usual, Some(owner)).unwrap_err().to_string().contains("chown 61234"));
        assert_eq!((is(&usual).0, std::fs::read_dir(&usual).unwrap().count()), (0, 1), "nothing was made in it");
        // One of root's that somebody moved to our name, and one of a third user.
        let all = dir.path().join("mailward");
        make(&all, Some(owner)).unwrap();
        chown(all.join(LATER), Some(0), Some(0)).unwrap();
        std::fs::write(all.join(LATER).join("secret"), "").unwrap();
        assert!(make(&all, Some(owner)).is_err());
        assert_eq!(is(&all.join(LATER)).0, 0);
        chown(all.join(LATER), Some(61_236), None).unwrap();
        assert!(make(&all, Some(owner)).unwrap_err().to_string().contains("belongs to user 61236"));
        assert_eq!(is(&all.join(LATER)).0, 61_236);
    }

    #[test]
    fn rights_that_became_too_wide_are_taken_back_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("mailward");
        make(&all, None).unwrap();
        mode(&all.join(ASIDE), 0o755);
        mode(&all.join(DROP), 0o777);
        mode(&all, 0o777);
        let notes = make(&all, None).unwrap();
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[0].contains("others could write") && notes[2].contains("its mode was 755"), "{notes:?}");
        for (name, mode) in INSIDE {
            assert_eq!(is(&all.join(name)).2, mode, "{name}");
        }
        assert_eq!(is(&all).2, ALL);
        // An administrator may let fewer in.
        mode(&all, 0o750);
        assert_eq!(make(&all, None).unwrap(), Vec::<String>::new());
        assert_eq!(is(&all).2, 0o750);
    }

    #[test]
    fn what_was_left_unfinished_without_root_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("mailward");
        create_dir(&all).unwrap();
        mode(&all, FRESH);
        assert_eq!(make(&all, None).unwrap(), Vec::<String>::new());
        assert_eq!(is(&all).2, ALL);
        std::fs::remove_dir(all.join(DROP)).unwrap();
        create_dir(all.join(DROP)).unwrap();
        mode(&all.join(DROP), FRESH);
        assert_eq!(make(&all, None).unwrap(), Vec::<String>::new());
        assert_eq!(is(&all.join(DROP)).2, DROPPING);
    }
}
