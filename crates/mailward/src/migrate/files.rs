//! Files of other servers, as they are on the disk.

use crate::failure::Failure;
use crate::print;
use mailward_core::limits::{MIGRATE_ALIASES_MAX, MIGRATE_FILE_MAX};
use mailward_directory::qmail::{CONTROL_FILES, Files};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

fn shown(path: &Path) -> String {
    print::tame(&path.display().to_string())
}

/// Reads a file of another server; one byte more than is taken, so that whoever parses it says that it is too large.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at_most(path, MIGRATE_FILE_MAX)
}

/// Reads a file; one byte more than `most` if it has more.
pub(crate) fn read_at_most(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::io(shown(path), error);
    // A pipe in the place of a file would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path);
    let file = file.map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Failure::Refused(format!("{} is no file", shown(path))));
    }
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Reads what of a qmail is asked for.
pub(crate) fn read_qmail(directory: &Path, alias: Option<&Path>) -> Result<Files, Failure> {
    let inner = directory.join("control");
    let (control, around) =
        if inner.is_dir() { (inner, Some(directory)) } else { (directory.to_owned(), directory.parent()) };
    if !["me", "rcpthosts", "locals"].iter().any(|name| control.join(name).is_file()) {
        let mend = "name the directory that has `control` in it, or the control directory";
        return Err(Failure::Refused(format!("{} has no me, rcpthosts or locals: {mend}", shown(&control))));
    }
    let alias: Option<PathBuf> = match alias {
        Some(alias) if alias.is_dir() => Some(alias.to_owned()),
        Some(alias) => return Err(Failure::Refused(format!("{} is no directory", shown(alias)))),
        None => around.map(|around| around.join("alias")).filter(|alias| alias.is_dir()),
    };
    let mut files = Files::default();
    for name in names(&control)? {
        // What isn't asked for is named and not read: it may hold secrets.
        let is_read = CONTROL_FILES.contains(&name.as_str());
        let path = control.join(&name);
        if path.is_file() {
            files.control.insert(name, if is_read { read(&path)? } else { Vec::new() });
        }
    }
    if let Some(alias) = alias {
        files.alias = aliases(&alias)?;
    }
    Ok(files)
}

fn aliases(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    for name in names(directory)?.into_iter().filter(|name| name.starts_with(".qmail")) {
        let path = directory.join(&name);
        if path.is_file() {
            files.insert(name, read(&path)?);
        }
    }
    Ok(files)
}

/// Names in a directory; those that are no text can't be anybody's.
fn names(directory: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::io(shown(directory), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        if names.len() > MIGRATE_ALIASES_MAX {
            return Err(Failure::Refused(format!("{} has more than {MIGRATE_ALIASES_MAX} files", shown(directory))));
        }
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
