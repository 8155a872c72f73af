//! The store, opened and looked after, and the secret that the server keeps over restarts.

use crate::failure::Failure;
use crate::place::Place;
use mailward_core::Secret;
use mailward_core::event::Events;
use mailward_store::{LocalStore, Options};
use mailward_vault::new_server_secret;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

/// File in the data directory with what the salts of users who don't exist are made from.
const SECRET_NAME: &str = "server.secret";

/// Opens the store of a place under its lock. `log_ahead` as in [`Options::log_ahead`].
pub(crate) fn open_store(place: &Place, events: Events, log_ahead: u64) -> Result<Arc<LocalStore>, Failure> {
    let index = place.config().search.index;
    Ok(LocalStore::open(place.data(), Options { events, log_ahead, index, ..Options::default() })?)
}

/// Reads the server's secret; makes it at the first start. With a new one at each start, a stranger could tell by
/// its changing salts who has no account here.
pub(crate) fn server_secret(data: &Path) -> Result<Secret, Failure> {
    let path = data.join(SECRET_NAME);
    let io = |e| Failure::io(path.display(), e);
    match std::fs::read(&path) {
        Ok(bytes) if bytes.len() == 32 => return Ok(Secret::new(bytes)),
        // A write that was cut off by a crash: nothing depends on the old one but salts of nobody.
        Ok(_) => std::fs::remove_file(&path).map_err(io)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    let secret = new_server_secret().map_err(|e| Failure::Refused(e.to_string()))?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(io)?;
    file.write_all(secret.expose()).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_secret_stays_the_same_and_is_for_us_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = server_secret(dir.path()).unwrap();
        assert_eq!(server_secret(dir.path()).unwrap().expose(), first.expose());
        let path = dir.path().join(SECRET_NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, b"torn").unwrap();
        assert_ne!(server_secret(dir.path()).unwrap().expose(), first.expose());
    }
}
