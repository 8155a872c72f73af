//! What can be known to be wrong before the first connection: told with file, line and mend.

use super::privilege;
use crate::control::rules::REFUSES_EVERYBODY;
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::Domain;
use mailward_core::config::{ConfigError, Loaded};
use mailward_tls::{Acceptor, TlsError};
use nix::unistd::{Uid, geteuid};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Looks at everything that a server needs. Answers its name and its certificates.
pub(crate) fn before_serving(place: &Place) -> Result<(Domain, Acceptor), Failure> {
    let loaded = &place.loaded;
    place.must_exist()?;
    configuration_is_ours(place)?;
    data_is_private(loaded)?;
    if geteuid().is_root() {
        privilege::configured_user(loaded)?;
    }
    let hostname = hostname(loaded)?;
    let acceptor = certificates(loaded)?;
    super::content::book(loaded)?;
    Ok((hostname, acceptor))
}

/// What is possible, and more likely a mistake: each with its line.
pub(crate) fn notes(loaded: &Loaded) -> Vec<String> {
    let rules = loaded.config.rules.list.iter().filter(|rule| rule.shuts_everybody_out());
    rules.map(|rule| loaded.fault("rules.list", format!("{rule}: {REFUSES_EVERYBODY}")).to_string()).collect()
}

/// Looks again, now with the rights that are left: what a reload and the store will need.
pub(crate) fn after_giving_up(place: &Place) -> Result<(), Failure> {
    let loaded = &place.loaded;
    let me = geteuid();
    let owner = metadata(loaded, "data", place.data())?.uid();
    if owner != me.as_raw() && !me.is_root() {
        let name = nix::unistd::User::from_uid(me).ok().flatten().map_or_else(|| me.to_string(), |u| u.name);
        let mend = format!(
            "belongs to another user than {name}, who runs the server: chown -R {name}: {}",
            place.data().display()
        );
        return Err(loaded.fault("data", mend).into());
    }
    for (key, path) in [("tls.key", &loaded.config.tls.key), ("tls.certificate", &loaded.config.tls.certificate)] {
        std::fs::File::open(path)
            .map_err(|e| loaded.fault(key, format!("the server's user can't read {}: {e}", path.display())))?;
    }
    Ok(())
}

/// The certificates that a configuration names, with the rights of their files.
pub(crate) fn certificates(loaded: &Loaded) -> Result<Acceptor, Failure> {
    let tls = &loaded.config.tls;
    nobody_else_reads(loaded, "tls.key", &tls.key)?;
    Acceptor::from_files(&tls.certificate, &tls.key).map_err(|error| {
        let of_key = match &error {
            TlsError::Key { .. } | TlsError::Mismatch { .. } => true,
            TlsError::Read { file, .. } | TlsError::TooLarge { file } => *file == tls.key.display().to_string(),
            _ => false,
        };
        loaded.fault(if of_key { "tls.key" } else { "tls.certificate" }, error).into()
    })
}

/// The name of this host: as configured, or as the system has it.
pub(crate) fn hostname(loaded: &Loaded) -> Result<Domain, Failure> {
    if let Some(name) = &loaded.config.hostname {
        return Ok(name.clone());
    }
    let system = nix::unistd::gethostname().map_err(|e| Failure::sys("this host's name", e))?;
    let system = system.to_string_lossy();
    Domain::parse_utf8(&system).map_err(|e| {
        loaded
            .fault("hostname", format!("the system's name is {system:?}: {e}; write hostname = \"mail.your.domain\""))
            .into()
    })
}

fn metadata(loaded: &Loaded, key: &str, path: &Path) -> Result<std::fs::Metadata, ConfigError> {
    path.metadata().map_err(|e| loaded.fault(key, format!("{}: {e}", path.display())))
}

/// A secret that others can read is none.
pub(crate) fn nobody_else_reads(loaded: &Loaded, key: &str, path: &Path) -> Result<(), ConfigError> {
    let mode = metadata(loaded, key, path)?.permissions().mode();
    if mode & 0o007 != 0 {
        let what =
            format!("anybody on this host can get at it (mode {:03o}): chmod 600 {}", mode & 0o777, path.display());
        return Err(loaded.fault(key, what));
    }
    Ok(())
}

fn data_is_private(loaded: &Loaded) -> Result<(), ConfigError> {
    let data = &loaded.config.data;
    let mode = metadata(loaded, "data", data)?.permissions().mode();
    if mode & 0o007 != 0 {
        let what = format!(
            "anybody on this host can get at the mail in it (mode {:03o}): chmod 700 {}",
            mode & 0o777,
            data.display()
        );
        return Err(loaded.fault("data", what));
    }
    Ok(())
}

/// Root follows no orders that others can write. What counts is the file that was read: its directory may be the server's
/// user's, who could put another one in its place.
pub(crate) fn configuration_is_ours(place: &Place) -> Result<(), Failure> {
    let (Some(file), Some(status)) = (&place.file, &place.loaded.status) else { return Ok(()) };
    let me = geteuid();
    let stranger = status.uid() != me.as_raw() && status.uid() != Uid::from_raw(0).as_raw();
    if status.mode() & 0o002 != 0 || (me.is_root() && (stranger || status.mode() & 0o020 != 0)) {
        return Err(ConfigError {
            line: None,
            file: place.loaded.file.clone(),
            what: format!("others can write it: chown root {0} && chmod go-w {0}", file.display()),
        }
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn orders_that_others_wrote_are_not_followed_though_another_file_lies_there_by_now() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mailward.toml");
        let read = || crate::place::Where { config: Some(file.clone()), data: None }.find().unwrap();
        std::fs::write(&file, "hostname = \"a.example\"\n").unwrap();
        set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        configuration_is_ours(&read()).unwrap();
        set_permissions(&file, Permissions::from_mode(0o602)).unwrap();
        let place = read();
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert!(configuration_is_ours(&place).unwrap_err().to_string().contains("others can write it"));
        // A file of another user's, read as root.
        if geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(61_234), None).unwrap();
            let place = read();
            std::os::unix::fs::chown(&file, Some(0), None).unwrap();
            assert!(configuration_is_ours(&place).is_err());
        }
    }
}
