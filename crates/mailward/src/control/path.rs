//! Unix sockets at paths of any length: the kernel takes 107 bytes, so a longer one is named by way of its
//! directory's descriptor.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
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
    use std::os::unix::fs::PermissionsExt as _;
    let short = Short::of(path)?;
    if std::os::unix::net::UnixStream::connect(short.path()).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = Short::of(Path::new(&fresh))?;
    let listener = std::os::unix::net::UnixListener::bind(fresh.path())?;
    std::fs::set_permissions(fresh.path(), std::fs::Permissions::from_mode(mode))?;
    std::fs::rename(fresh.path(), short.path())?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

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
