//! Debian's packages: what is installed, what is newer, whose files are whose.

use super::debian_version::compare;
use super::{Host, Missed};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use super::debian_version::compare as order;

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) architecture: String,
    pub(crate) version: String,
}

const STATUS: &str = "/var/lib/dpkg/status";
const INFO: &str = "/var/lib/dpkg/info";
const LISTS: &str = "/var/lib/apt/lists";

/// Paragraphs of `Key: value` lines, keys in lower case; a line that begins with a blank goes on.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = BTreeMap<String, String>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut last = String::new();
        let mut any = false;
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                if any {
                    break;
                }
                continue;
            }
            any = true;
            if line.starts_with('#') {
            } else if line.starts_with([' ', '\t']) {
                if let Some(value) = fields.get_mut(&last) {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            } else if let Some((key, value)) = line.split_once(':') {
                last = key.to_ascii_lowercase();
                fields.insert(last.clone(), value.trim().to_owned());
            }
        }
        any.then_some(fields)
    })
}

/// What is installed.
pub(crate) fn installed(host: &Host) -> Result<Vec<Package>, Missed> {
    Ok(installed_of(&host.text(STATUS)?))
}

pub(crate) fn installed_of(text: &str) -> Vec<Package> {
    let package = |mut fields: BTreeMap<String, String>| {
        let is_installed = fields.get("status").is_some_and(|status| status.ends_with(" installed"));
        let mut take = |key: &str| fields.remove(key);
        is_installed.then(|| {
            Some(Package { name: take("package")?, architecture: take("architecture")?, version: take("version")? })
        })?
    };
    paragraphs(text).filter_map(package).collect()
}

/// Security updates that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// `name installed → newer`.
    pub(crate) updates: Vec<String>,
    /// The lists they stand in.
    pub(crate) lists: Vec<String>,
    /// When the oldest of the lists was brought here, or said to have changed: seconds since 1970.
    pub(crate) looked: i64,
}

/// What a security archive has that is newer than what is installed.
///
/// # Errors
/// Also where there is no list of such an archive: then nobody can say that nothing waits.
pub(crate) fn pending(host: &Host) -> Result<Pending, Missed> {
    let installed = installed(host)?;
    let lists: Vec<String> =
        host.files_in(LISTS, &["_Packages"])?.into_iter().filter(|path| path.contains("security")).collect();
    if lists.is_empty() {
        let packed = host
            .list_if_there(LISTS)?
            .into_iter()
            .find(|name| name.contains("security") && name.contains("_Packages."));
        if let Some(packed) = packed {
            let why = "it is compressed; set Acquire::GzipIndexes to false in apt's settings and run `apt-get update`";
            return Err(Missed::Odd(format!("{LISTS}/{packed}"), why.to_owned()));
        }
        return Err(Missed::Absent(format!("a list of a security archive in {LISTS} (`apt-get update` brings it)")));
    }
    let mut newest: BTreeMap<(String, String), String> = BTreeMap::new();
    for list in &lists {
        newest_in(&host.text(list)?, &mut newest);
    }
    let mut pending = Pending { lists, looked: last_update(host)?, ..Pending::default() };
    for package in installed {
        for architecture in [package.architecture.as_str(), "all"] {
            if let Some(newer) = newest.get(&(package.name.clone(), architecture.to_owned()))
                && compare(&package.version, newer).is_lt()
            {
                pending.updates.push(format!("{} {} → {newer}", package.name, package.version));
                break;
            }
        }
    }
    Ok(pending)
}

/// Adds the newest version of each package in a list.
pub(crate) fn newest_in(text: &str, newest: &mut BTreeMap<(String, String), String>) {
    for mut fields in paragraphs(text) {
        let (Some(name), Some(architecture), Some(version)) =
            (fields.remove("package"), fields.remove("architecture"), fields.remove("version"))
        else {
            continue;
        };
        let known = newest.entry((name, architecture)).or_insert_with(|| version.clone());
        if compare(known, &version).is_lt() {
            *known = version;
        }
    }
}

/// When apt last brought its lists: its stamp, else the time of their directory. Seconds since 1970.
pub(crate) fn last_update(host: &Host) -> Result<i64, Missed> {
    match host.stat("/var/lib/apt/periodic/update-success-stamp") {
        Ok(stat) => Ok(stat.changed),
        Err(Missed::Absent(_)) => Ok(host.stat(&format!("{LISTS}/partial"))?.changed),
        Err(other) => Err(other),
    }
}

/// The hashes of a package's files, as it was made: `(path, MD5 in hexadecimal)`; `None`: it isn't installed, or has none.
pub(crate) fn hashes(host: &Host, name: &str) -> Result<Option<Vec<(String, String)>>, Missed> {
    let whole = host.text_if_there(&format!("{INFO}/{name}.md5sums"))?;
    let text = match whole {
        Some(text) => Some(text),
        // Of a package for several architectures at once.
        None => match host.list_if_there(INFO)?.into_iter().find(|file| {
            file.strip_prefix(name).is_some_and(|rest| rest.starts_with(':') && rest.ends_with(".md5sums"))
        }) {
            Some(file) => host.text_if_there(&format!("{INFO}/{file}"))?,
            None => None,
        },
    };
    Ok(text.map(|text| hashes_of(&text)))
}

/// `HASH  usr/bin/x` lines.
pub(crate) fn hashes_of(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(hash, path)| (format!("/{}", path.trim_start_matches('/')), hash.to_ascii_lowercase())).collect()
}

/// Every file that some package brought, of those that are asked for.
pub(crate) fn owned(host: &Host, paths: &[String]) -> Result<BTreeSet<String>, Missed> {
    let mut owned = BTreeSet::new();
    for list in host.files_in(INFO, &[".list"])? {
        let text = host.text(&list)?;
        let files: BTreeSet<&str> = text.lines().collect();
        for path in paths {
            // Where /bin is a link to /usr/bin, packages may name either.
            let other = path
                .strip_prefix("/usr")
                .filter(|rest| rest.starts_with("/bin/") || rest.starts_with("/sbin/") || rest.starts_with("/lib"));
            if files.contains(path.as_str()) || other.is_some_and(|other| files.contains(other)) {
                owned.insert(path.clone());
            }
        }
    }
    Ok(owned)
}
