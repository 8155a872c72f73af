//! Words to systemd (sd_notify(3)), if it started us.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells systemd a state. Whether it listens is its own affair.
pub(crate) fn tell(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let _unheard = send(name.as_bytes(), state);
}

fn send(name: &[u8], state: &str) -> std::io::Result<usize> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::from_bytes(name)))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_us_on_a_path_and_on_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let there = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str().as_bytes(), "READY=1").unwrap();
        let mut heard = [0; 16];
        assert_eq!(there.recv(&mut heard).unwrap(), 7);

        let name = format!("mailward-test-{}", std::process::id());
        let there = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(format!("@{name}").as_bytes(), "READY=1").unwrap();
        assert_eq!(there.recv(&mut heard).unwrap(), 7);
    }
}
