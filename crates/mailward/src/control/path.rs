//! Unix sockets at paths of any length: the kernel takes 107 bytes, so a longer one is named by way of its
//! directory's descriptor.

use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of a path that fit `sun_path` with its NUL.
const SUN_PATH: usize = 107;

/// A name for the socket that the kernel takes, good as long as this lives.
pub(crate) struct Short {
    path: PathBuf,
    _directory: Option<File>,
}

impl Short {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= SUN_PATH {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not the path of a socket");
        let name = path.file_name().ok_or_else(invalid)?;
        let directory = File::open(path.parent().ok_or_else(invalid)?)?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Listens on a Unix socket with these rights. One that a dead server left behind is taken away; one that somebody
/// listens on is not. The rights are set before anybody can know the name.
pub(crate) fn listen(path: &Path, mode: u32) -> io::Result<std::os::unix::net::UnixListener> {
    let short = Short::of(path)?;
    if std::os::unix::net::UnixStream::connect(short.path()).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = Short::of(Path::new(&fresh))?;
    let listener = std::os::unix::net::UnixListener::bind(fresh.path())?;
    set_mode(fresh.path(), mode)?;
    std::fs::rename(fresh.path(), short.path())?;
    Ok(listener)
}

/// Sets the rights of a socket that we have just made. Whoever owns the directory may have put something else there, and
/// we may be root: it is opened without following a link, and looked at.
fn set_mode(socket: &Path, mode: u32) -> io::Result<()> {
    let flags = (OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits();
    let found = File::options().read(true).custom_flags(flags).open(socket)?;
    let status = found.metadata()?;
    if !status.file_type().is_socket() || status.nlink() != 1 || status.uid() != geteuid().as_raw() {
        return Err(io::Error::other("something else was put in the socket's place"));
    }
    // The mode of what is open by name alone can't be set by its descriptor.
    let by_descriptor = Path::new("/proc/self/fd").join(found.as_raw_fd().to_string());
    std::fs::set_permissions(by_descriptor, std::fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_given_to_our_socket_and_to_nothing_that_was_put_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("secret"), "").unwrap();
        std::fs::set_permissions(at("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
        std::fs::hard_link(at("secret"), at("hard")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::hard_link(at("socket"), at("second")).unwrap();
        for name in ["link", "hard", "second"] {
            assert!(set_mode(&at(name), 0o666).is_err(), "{name}");
        }
        assert_eq!(std::fs::metadata(at("secret")).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(at("second")).unwrap();
        set_mode(&at("socket"), 0o666).unwrap();
        assert_eq!(std::fs::metadata(at("socket")).unwrap().permissions().mode() & 0o777, 0o666);
    }

    #[test]
    fn a_socket_deep_in_the_tree_can_be_reached() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(150));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("control.sock");
        let _listener = listen(&path, 0o600).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::os::unix::net::UnixStream::connect(Short::of(&path).unwrap().path()).is_ok());
    }

    #[test]
    fn a_socket_that_a_dead_server_left_is_taken_over_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        drop(listen(&path, 0o600).unwrap());
        assert!(path.exists());
        let _live = listen(&path, 0o600).unwrap();
        assert_eq!(listen(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
