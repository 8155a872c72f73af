//! A directory beside the place where it will be: raised there whole, or taken away.

use crate::failure::Failure;
use nix::unistd::{User, fchownat};
use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Made, not yet in its place. Dropped before [`Scaffold::raise`], it is gone with all that is in it.
pub(super) struct Scaffold {
    path: PathBuf,
    _above: Above,
}

/// Directories that had to be made above something, everybody's to pass through. Dropped, those that are empty are
/// gone again.
pub(super) struct Above(Vec<PathBuf>);

impl Above {
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let missing: Vec<&Path> =
            path.ancestors().skip(1).take_while(|a| !a.as_os_str().is_empty() && !a.exists()).collect();
        let mut made = Self(Vec::new());
        for directory in missing.into_iter().rev() {
            let failed = |e| Failure::io(directory.display(), e);
            std::fs::create_dir(directory).map_err(failed)?;
            made.0.push(directory.to_owned());
            // The umask keeps others out of what we make; the server's user has to come through here.
            std::fs::set_permissions(directory, Permissions::from_mode(0o755)).map_err(failed)?;
        }
        Ok(made)
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        for directory in self.0.iter().rev() {
            // One that has something in it by now stays.
            let _stays = std::fs::remove_dir(directory);
        }
    }
}

impl Scaffold {
    pub(super) fn beside(place: &Path) -> Result<Self, Failure> {
        let parent =
            place.parent().ok_or_else(|| Failure::Usage(format!("{} can't be a data directory", place.display())))?;
        let above = Above::of(place)?;
        let mut name = std::ffi::OsString::from(".");
        name.push(place.file_name().unwrap_or_default());
        name.push(format!(".new-{}", std::process::id()));
        let path = parent.join(name);
        // Not recursive: one that exists is not ours.
        DirBuilder::new().mode(0o700).create(&path).map_err(|e| Failure::io(path.display(), e))?;
        Ok(Self { path, _above: above })
    }
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
    /// Makes a user the owner of all of it but `except`, which lies in it. Until the end nobody but root gets in: a directory
    /// goes after what is in it, so that the user can't put anything in the way.
    pub(super) fn give_to(&self, user: &User, except: Option<&Path>) -> Result<(), Failure> {
        for path in self.inner_first()?.iter().filter(|path| Some(path.as_path()) != except) {
            // Not followed: a link can't lead out of it.
            fchownat(
                nix::fcntl::AT_FDCWD,
                path,
                Some(user.uid),
                Some(user.gid),
                nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
            )
            .map_err(|e| Failure::sys(path.display(), e))?;
        }
        Ok(())
    }
    /// All of it, each directory after what is in it.
    fn inner_first(&self) -> Result<Vec<PathBuf>, Failure> {
        let (mut left, mut found) = (vec![self.path.clone()], Vec::new());
        while let Some(path) = left.pop() {
            let failed = |e| Failure::io(path.display(), e);
            if path.symlink_metadata().map_err(failed)?.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(failed)? {
                    left.push(entry.map_err(failed)?.path());
                }
            }
            found.push(path);
        }
        found.reverse();
        Ok(found)
    }
    /// Puts it where it belongs, for good: an empty directory there makes way, anything else doesn't.
    pub(super) fn raise(mut self, place: &Path) -> Result<(), Failure> {
        std::fs::rename(&self.path, place).map_err(|e| Failure::io(place.display(), e))?;
        self.path = PathBuf::new();
        let parent = place.parent().unwrap_or(Path::new("/"));
        File::open(parent).and_then(|d| d.sync_all()).map_err(|e| Failure::io(parent.display(), e))
    }
}

impl Drop for Scaffold {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // If even this fails, its name tells what it was.
            let _left = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn with_files() -> (tempfile::TempDir, Scaffold) {
        let dir = tempfile::tempdir().unwrap();
        let scaffold = Scaffold::beside(&dir.path().join("mail")).unwrap();
        std::fs::create_dir_all(scaffold.path().join("a/b")).unwrap();
        for name in ["a/b/file", "a/file", "roots"] {
            std::fs::write(scaffold.path().join(name), "").unwrap();
        }
        (dir, scaffold)
    }

    /// The user may already run programs that wait for it.
    #[test]
    fn nothing_is_touched_in_a_directory_that_was_given_away() {
        let (_dir, scaffold) = with_files();
        let order = scaffold.inner_first().unwrap();
        assert_eq!(order.len(), 6);
        for (at, path) in order.iter().enumerate() {
            assert!(order[at + 1..].iter().all(|later| !later.starts_with(path)), "{} isn't last", path.display());
        }
    }

    #[test]
    fn all_is_the_user_s_but_what_root_starts_by() {
        let Some(mut user) = User::from_uid(nix::unistd::geteuid()).unwrap().filter(|user| user.uid.is_root()) else {
            return;
        };
        (user.uid, user.gid) = (61_234.into(), 61_235.into());
        let (_dir, scaffold) = with_files();
        let roots = scaffold.path().join("roots");
        scaffold.give_to(&user, Some(&roots)).unwrap();
        for path in scaffold.inner_first().unwrap() {
            let status = path.metadata().unwrap();
            let expected = if path == roots { 0 } else { 61_234 };
            assert_eq!(status.uid(), expected, "{}", path.display());
        }
    }
}
