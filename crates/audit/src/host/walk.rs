//! One walk over all the host's files, for every control that has to see them all.

use super::{Host, Missed, Stat};
use mailward_core::limits::{AUDIT_WALK_DEPTH, AUDIT_WALK_KEPT, AUDIT_WALK_MAX};
use rustix::fs::FileType;
use std::collections::BTreeSet;

/// What isn't walked: the kernel's own trees, what a restart forgets, and the layers of containers, which are hosts of their own.
const NOT_WALKED: [&str; 7] =
    ["/proc", "/sys", "/dev", "/run", "/var/lib/docker", "/var/lib/containers", "/var/lib/containerd"];

/// File systems that aren't this host's to answer for.
const ELSEWHERE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "glusterfs", "autofs"];

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walked {
    /// Files that run with rights of their owner or group.
    pub(crate) set_id: Vec<String>,
    /// Files that anybody may change.
    pub(crate) writable_files: Vec<String>,
    /// Directories in which anybody may change what is others'.
    pub(crate) writable_directories: Vec<String>,
    /// Files whose owner or group nobody is.
    pub(crate) unowned: Vec<String>,
    /// How many were looked at.
    pub(crate) looked_at: usize,
}

/// What the walk found; it is walked once a scene.
pub(crate) fn walked(host: &Host) -> Result<&Walked, Missed> {
    host.walked()
}

/// Walks.
///
/// # Errors
/// Where a directory can't be read, or there is too much: then nobody can say that there is nothing.
pub(super) fn walk(host: &Host) -> Result<Walked, Missed> {
    let users: BTreeSet<u32> = super::accounts::accounts(host)?.into_iter().map(|account| account.uid).collect();
    let groups: BTreeSet<u32> = super::accounts::groups(host)?.into_iter().collect();
    let mut elsewhere = BTreeSet::new();
    if host.is_running() {
        let mounts = super::mounts::mounts(host)?;
        let others = mounts.into_iter().filter(|mount| {
            ELSEWHERE.contains(&mount.kind.as_str()) || mount.kind.starts_with("fuse")
        });
        elsewhere.extend(others.map(|mount| mount.point));
    }
    let mut walked = Walked::default();
    let mut waiting = vec![(String::new(), 0_usize)];
    while let Some((directory, depth)) = waiting.pop() {
        let listed = if directory.is_empty() { "/" } else { directory.as_str() };
        let names = match host.list(listed) {
            Ok(names) => names,
            // Gone since its parent was read.
            Err(Missed::Absent(_)) => continue,
            Err(other) => return Err(other),
        };
        for name in names {
            walked.looked_at = walked.looked_at.saturating_add(1);
            if walked.looked_at > AUDIT_WALK_MAX {
                return Err(Missed::Odd("/".to_owned(), format!("it has more than {AUDIT_WALK_MAX} files")));
            }
            let path = format!("{directory}/{name}");
            let stat = match host.stat_link(&path) {
                Ok(stat) => stat,
                Err(Missed::Absent(_)) => continue,
                Err(other) => return Err(other),
            };
            walked.note(&path, &stat, users.contains(&stat.uid) && groups.contains(&stat.gid));
            if stat.kind != FileType::Directory || NOT_WALKED.contains(&path.as_str()) || elsewhere.contains(&path) {
                continue;
            }
            if depth >= AUDIT_WALK_DEPTH {
                return Err(Missed::Odd(path, format!("it is deeper than {AUDIT_WALK_DEPTH} directories")));
            }
            waiting.push((path, depth.saturating_add(1)));
        }
    }
    for list in
        [&mut walked.set_id, &mut walked.writable_files, &mut walked.writable_directories, &mut walked.unowned]
    {
        list.sort_unstable();
    }
    Ok(walked)
}

impl Walked {
    fn note(&mut self, path: &str, stat: &Stat, is_owned: bool) {
        let keep = |list: &mut Vec<String>| {
            if list.len() < AUDIT_WALK_KEPT {
                list.push(path.to_owned());
            }
        };
        if !is_owned {
            keep(&mut self.unowned);
        }
        let writable = stat.mode & 0o002 != 0;
        match stat.kind {
            FileType::RegularFile => {
                if stat.mode & 0o6000 != 0 {
                    keep(&mut self.set_id);
                }
                if writable {
                    keep(&mut self.writable_files);
                }
            }
            FileType::Directory if writable && stat.mode & 0o1000 == 0 => keep(&mut self.writable_directories),
            _ => {}
        }
    }
}
