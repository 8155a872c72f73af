//! One walk over all the host's files, for every control that has to see them all.

use super::{Host, Missed, Stat};
use mailward_core::limits::{AUDIT_WALK_DEPTH, AUDIT_WALK_KEPT, AUDIT_WALK_MAX, AUDIT_WALK_TIME};
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::time::Instant;

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

/// Visits everything below a directory, and returns how much that was. `see` is told each path and what is known of it, and
/// says whether to go into it if it is a directory.
///
/// # Errors
/// Where a directory can't be read, it is too deep, or there is more than `most`: then nobody can say that there is nothing.
pub(crate) fn visit(
    host: &Host,
    root: &str,
    most: usize,
    mut see: impl FnMut(&str, &Stat) -> bool,
) -> Result<usize, Missed> {
    let began = Instant::now();
    let odd = |why: String| Missed::Odd(root.to_owned(), why);
    let mut seen = 0_usize;
    let mut waiting = vec![(root.trim_end_matches('/').to_owned(), 0_usize)];
    while let Some((directory, depth)) = waiting.pop() {
        let listed = if directory.is_empty() { "/" } else { directory.as_str() };
        let entries = match host.entries(listed) {
            // Gone since its parent was read; the root has to be there.
            Err(Missed::Absent(_)) if depth > 0 => continue,
            other => other?,
        };
        if began.elapsed() > AUDIT_WALK_TIME {
            return Err(odd(format!(
                "it has more files than are looked at within {} seconds",
                AUDIT_WALK_TIME.as_secs()
            )));
        }
        for (name, stat) in entries {
            seen = seen.saturating_add(1);
            if seen > most {
                return Err(odd(format!("it has more than {most} files")));
            }
            let path = format!("{directory}/{name}");
            if see(&path, &stat) && stat.kind == FileType::Directory {
                if depth >= AUDIT_WALK_DEPTH {
                    return Err(odd(format!("it is deeper than {AUDIT_WALK_DEPTH} directories")));
                }
                waiting.push((path, depth.saturating_add(1)));
            }
        }
    }
    Ok(seen)
}

/// Walks over all of a host.
pub(super) fn walk(host: &Host) -> Result<Walked, Missed> {
    let users: BTreeSet<u32> = super::accounts::accounts(host)?.into_iter().map(|account| account.uid).collect();
    let groups: BTreeSet<u32> = super::accounts::groups(host)?.into_iter().collect();
    let mut elsewhere = BTreeSet::new();
    if host.is_running() {
        let is_elsewhere = |kind: &str| ELSEWHERE.contains(&kind) || kind.starts_with("fuse");
        let others = super::mounts::mounts(host)?.into_iter().filter(|mount| is_elsewhere(&mount.kind));
        elsewhere.extend(others.map(|mount| mount.point));
    }
    let mut walked = Walked::default();
    walked.looked_at = visit(host, "/", AUDIT_WALK_MAX, |path, stat| {
        walked.note(path, stat, users.contains(&stat.uid) && groups.contains(&stat.gid), AUDIT_WALK_KEPT);
        !NOT_WALKED.contains(&path) && !elsewhere.contains(path)
    })?;
    for list in [&mut walked.set_id, &mut walked.writable_files, &mut walked.writable_directories, &mut walked.unowned]
    {
        list.sort_unstable();
    }
    Ok(walked)
}

impl Walked {
    fn note(&mut self, path: &str, stat: &Stat, is_owned: bool, most: usize) {
        let keep = |list: &mut Vec<String>| {
            if list.len() < most {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    fn host(root: &tempfile::TempDir) -> Host {
        Host::at(root.path(), false, Box::new(BTreeMap::new()))
    }

    #[test]
    fn too_many_files_are_no_answer() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        assert_eq!(visit(&host(&root), "/", 3, |_, _| true), Ok(3));
        let missed = visit(&host(&root), "/", 2, |_, _| true).unwrap_err();
        assert!(missed.to_string().contains("more than 2 files"), "{missed}");
    }

    #[test]
    fn what_is_too_deep_is_no_answer() {
        let root = tempfile::tempdir().unwrap();
        let deep = |depth: usize| root.path().join(vec!["d"; depth].join("/"));
        fs::create_dir_all(deep(AUDIT_WALK_DEPTH)).unwrap();
        assert_eq!(visit(&host(&root), "/", 1000, |_, _| true), Ok(AUDIT_WALK_DEPTH));
        fs::create_dir_all(deep(AUDIT_WALK_DEPTH + 1)).unwrap();
        let missed = visit(&host(&root), "/", 1000, |_, _| true).unwrap_err();
        assert!(missed.to_string().contains("deeper"), "{missed}");
    }

    #[test]
    fn only_so_much_is_kept_and_the_rest_counted_on() {
        let mut walked = Walked::default();
        let stat = Stat {
            kind: FileType::RegularFile,
            mode: 0o4777,
            uid: 0,
            gid: 0,
            size: 0,
            changed: 0,
            links: 1,
            device: 0,
        };
        for _ in 0..AUDIT_WALK_KEPT + 5 {
            walked.note("/x", &stat, false, AUDIT_WALK_KEPT);
        }
        for list in [&walked.set_id, &walked.writable_files, &walked.unowned] {
            assert_eq!(list.len(), AUDIT_WALK_KEPT);
        }
    }

    #[test]
    fn a_link_leads_nowhere() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", root.path().join("all")).unwrap();
        assert_eq!(visit(&host(&root), "/", 10, |_, _| true), Ok(1));
    }
}
