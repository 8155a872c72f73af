//! The kernel's settings: what is in force where the host runs, else what its files would set.

use super::{Host, Missed};

/// Where files with settings are, the first counting most (sysctl.d(5)).
const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// The value of a setting (`net.ipv4.ip_forward`) and where it was read. On a running host that is the value in force,
/// whatever its files say: they may have come later, or been overruled. Of one that doesn't run only the files are known; what
/// none of them sets depends on the kernel, so it is `None`.
pub(crate) fn setting(host: &Host, key: &str) -> Result<Option<(String, String)>, Missed> {
    if host.is_running() {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        return Ok(host.text_if_there(&path)?.map(|value| (value.trim().to_owned(), path)));
    }
    let mut files: Vec<(String, String)> = Vec::new();
    for directory in DIRECTORIES {
        for path in host.files_in(directory, &[".conf"])? {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            if !files.iter().any(|(known, _)| *known == name) {
                files.push((name, path));
            }
        }
    }
    files.sort();
    let mut found = None;
    for path in files.into_iter().map(|(_, path)| path).chain(["/etc/sysctl.conf".to_owned()]) {
        if let Some(value) = host.text_if_there(&path)?.and_then(|text| written(&text, key)) {
            found = Some((value, path));
        }
    }
    Ok(found)
}

/// The last value that a file gives a key: `key = value`, with dots or slashes, after a `-` that forgives errors.
pub(crate) fn written(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().rev().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let mut values = lines.filter_map(|line| line.split_once('=')).filter_map(|(name, value)| {
        let name = name.trim().trim_start_matches('-').replace('/', ".");
        (name == key).then(|| value.trim().to_owned())
    });
    values.next()
}
