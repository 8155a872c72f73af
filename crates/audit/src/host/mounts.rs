//! What is mounted where.

use super::{Host, Missed};

/// One file system in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is.
    pub(crate) point: String,
    /// Kind of file system.
    pub(crate) kind: String,
    /// What is mounted.
    pub(crate) source: String,
    /// Options, those of the mount and those of the file system.
    pub(crate) options: Vec<String>,
    /// `major:minor`; empty where only `/etc/fstab` is known.
    pub(crate) device: String,
    /// The line.
    pub(crate) line: String,
}

impl Mount {
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|one| one == option)
    }
}

/// What is mounted, of a running host; of another what `/etc/fstab` would mount.
pub(crate) fn mounts(host: &Host) -> Result<Vec<Mount>, Missed> {
    if host.is_running() {
        Ok(host.text("/proc/self/mountinfo")?.lines().filter_map(mounted).collect())
    } else {
        Ok(host.text("/etc/fstab")?.lines().filter_map(to_mount).collect())
    }
}

/// What is mounted where a process looks: its own namespace.
pub(crate) fn of_process(host: &Host, pid: u32) -> Result<Vec<Mount>, Missed> {
    Ok(host.live(&format!("/proc/{pid}/mountinfo"))?.lines().filter_map(mounted).collect())
}

/// The file system that a path is on: the longest mount point above it, the last of those with the same.
pub(crate) fn holding<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| is_below(path, &mount.point)).max_by_key(|mount| mount.point.len())
}

/// Whether a path is a directory or in it.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
pub(crate) fn mounted(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let before: Vec<&str> = before.split_ascii_whitespace().collect();
    let mut after = after.split_ascii_whitespace();
    let (kind, source, of_all) = (after.next()?, after.next()?, after.next().unwrap_or_default());
    let options = before.get(5)?.split(',').chain(of_all.split(',')).map(str::to_owned).collect();
    Some(Mount {
        point: unescaped(before.get(4)?),
        kind: kind.to_owned(),
        source: unescaped(source),
        options,
        device: (*before.get(2)?).to_owned(),
        line: line.to_owned(),
    })
}

/// A line of `/etc/fstab` (fstab(5)).
pub(crate) fn to_mount(line: &str) -> Option<Mount> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split_ascii_whitespace();
    let (source, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
    let options: Vec<String> = fields.next().unwrap_or("defaults").split(',').map(without_secret).collect();
    // As evidence: what mounts shares of others may have passwords in its options.
    let line = format!("{source} {point} {kind} {}", options.join(","));
    let (point, source) = (unescaped(point), unescaped(source));
    Some(Mount { point, kind: kind.to_owned(), source, options, device: String::new(), line })
}

/// `password=…` without what comes after.
fn without_secret(option: &str) -> String {
    match option.split_once('=') {
        Some((key, _)) if key.contains("pass") => format!("{key}=(not shown)"),
        _ => option.to_owned(),
    }
}

/// `\040` is a blank.
fn unescaped(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"].iter().zip([" ", "\t", "\n", "\\"]).fold(
        text.to_owned(),
        |text, (from, to)| {
            if text.contains(from) { text.replace(from, to) } else { text }
        },
    )
}
