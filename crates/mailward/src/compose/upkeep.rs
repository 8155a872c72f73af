//! The store, opened and looked after, and the secret that the server keeps over restarts.

use crate::failure::Failure;
use crate::place::Place;
use mailward_core::Secret;
use mailward_core::event::Events;
use mailward_directory::routes::Routes;
use mailward_directory::{Directory, Dkim};
use mailward_store::{LocalStore, Options};
use mailward_vault::{Seal, new_server_secret};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

/// File in the data directory with what the salts of users who don't exist are made from, and the key that private keys in
/// the store are sealed with.
const SECRET_NAME: &str = "server.secret";

/// Opens the store of a place under its lock. `log_ahead` as in [`Options::log_ahead`].
pub(crate) fn open_store(place: &Place, events: Events, log_ahead: u64) -> Result<Arc<LocalStore>, Failure> {
    let index = place.config().search.index;
    Ok(LocalStore::open(place.data(), Options { events, log_ahead, index, ..Options::default() })?)
}

/// Reads the server's secret; makes it at the first start, under the store's lock. With a new one at each start, a stranger
/// could tell by its changing salts who has no account here, and keys that were sealed with the old one would be lost.
pub(crate) fn server_secret(data: &Path) -> Result<Secret, Failure> {
    let path = data.join(SECRET_NAME);
    let io = |e| Failure::io(path.display(), e);
    match std::fs::read(&path) {
        Ok(bytes) if bytes.len() == 32 => return Ok(Secret::new(bytes)),
        Ok(bytes) => {
            return Err(Failure::Refused(format!(
                "{}: it has {} bytes where 32 belong: put it back from a backup, or remove it; then a new one is made at \
                 the next start, and DKIM keys have to be made anew (mailward dkim rotate DOMAIN)",
                path.display(),
                bytes.len()
            )));
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    let secret = new_server_secret().map_err(|e| Failure::Refused(e.to_string()))?;
    // Beside its place first: a crash leaves all of it or nothing.
    let beside = data.join(format!("{SECRET_NAME}.new"));
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(io)?;
    file.write_all(secret.expose()).and_then(|()| file.sync_all()).map_err(io)?;
    std::fs::rename(&beside, &path).map_err(io)?;
    std::fs::File::open(data).and_then(|directory| directory.sync_all()).map_err(io)?;
    Ok(secret)
}

/// The DKIM keys of a store, which the server's secret opens.
pub(crate) fn dkim(directory: &Arc<Directory>, store: &Arc<LocalStore>, secret: &Secret) -> Result<Arc<Dkim>, Failure> {
    let seal = Seal::new(secret).map_err(|e| Failure::Refused(e.to_string()))?;
    Ok(Arc::new(Dkim::new(directory.clone(), store.clone(), seal)))
}

/// Routes and gateways of a store; the server's secret opens their passwords.
pub(crate) async fn routes(store: &Arc<LocalStore>, secret: &Secret) -> Result<Arc<Routes>, Failure> {
    let seal = Seal::new(secret).map_err(|e| Failure::Refused(e.to_string()))?;
    Ok(Routes::open(store.clone(), seal).await?)
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
        // One that isn't whole is never quietly replaced: keys may hang on the one that was.
        std::fs::write(&path, b"torn").unwrap();
        let error = server_secret(dir.path()).unwrap_err().to_string();
        assert!(error.contains("4 bytes where 32 belong"), "{error}");
        std::fs::remove_file(&path).unwrap();
        // What a crash left of an attempt is in nobody's way.
        std::fs::write(dir.path().join("server.secret.new"), b"torn").unwrap();
        assert_ne!(server_secret(dir.path()).unwrap().expose(), first.expose());
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [SECRET_NAME]);
    }
}
