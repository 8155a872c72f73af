//! One walk over all the host's files, for every control that has to see them all.

use super::directory::Buffer;
use super::{Host, Missed, Stat, missed};
use mailward_core::limits::{AUDIT_WALK_DEPTH, AUDIT_WALK_KEPT, AUDIT_WALK_MAX, AUDIT_WALK_TIME};
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// What isn't walked: the kernel's own trees, what a restart forgets, and the layers of containers, which are hosts of their own.
const NOT_WALKED: [&str; 7] =
    ["/proc", "/sys", "/dev", "/run", "/var/lib/docker", "/var/lib/containers", "/var/lib/containerd"];

/// File systems that aren't this host's to answer for.
const ELSEWHERE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "glusterfs", "autofs"];

/// How directories are opened: to be read, and nothing that isn't one.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

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
/// says whether to go into it if it is a directory. What in a name isn't text is shown replaced, and looked at all the same.
///
/// # Errors
/// Where a directory can't be read, it is too deep, or there is more than `most`: then nobody can say that there is nothing.
pub(crate) fn visit(
    host: &Host,
    root: &str,
    most: usize,
    see: impl FnMut(&str, &Stat) -> bool,
) -> Result<usize, Missed> {
    Visit { root, most, time: AUDIT_WALK_TIME, buffer: Buffer::new(), seen: 0, see }.all(host)
}

struct Visit<'a, See> {
    root: &'a str,
    most: usize,
    /// How long it may go on.
    time: Duration,
    buffer: Buffer,
    seen: usize,
    see: See,
}

/// A directory that was read, with those of its own that weren't yet.
struct Open {
    directory: OwnedFd,
    path: String,
    below: Vec<CString>,
}

impl<See: FnMut(&str, &Stat) -> bool> Visit<'_, See> {
    fn all(mut self, host: &Host) -> Result<usize, Missed> {
        let began = Instant::now();
        let root = host.open(self.root, DIRECTORY)?;
        let mut open = vec![self.read(root, self.root.trim_end_matches('/').to_owned())?];
        // Depth first, so that only as many directories are held open as it is deep.
        loop {
            let depth = open.len();
            let Some(last) = open.last_mut() else { break };
            let Some(name) = last.below.pop() else {
                open.pop();
                continue;
            };
            if depth > AUDIT_WALK_DEPTH {
                return Err(self.odd(format!("it is deeper than {AUDIT_WALK_DEPTH} directories")));
            }
            if began.elapsed() > self.time {
                let seconds = self.time.as_secs();
                return Err(self.odd(format!("it has more files than are looked at within {seconds} seconds")));
            }
            let path = format!("{}/{}", last.path, name.to_string_lossy());
            // One step below a directory that is held: whatever is put in its place meanwhile leads nowhere else.
            let flags = DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&last.directory, &name, flags, Mode::empty());
            match opened {
                Ok(directory) => open.push(self.read(directory, path)?),
                // Gone since it was seen, or no directory any more.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(missed(&path, &error.into())),
            }
        }
        Ok(self.seen)
    }

    /// Looks at everything in a directory.
    fn read(&mut self, directory: OwnedFd, mut path: String) -> Result<Open, Missed> {
        let (mut below, length, most) = (Vec::new(), path.len(), self.most);
        let shown = if path.is_empty() { "/".to_owned() } else { path.clone() };
        self.buffer.each(&directory, &shown, |name| {
            let Some(stat) = Stat::below(&directory, name, &shown)? else { return Ok(()) };
            self.seen = self.seen.saturating_add(1);
            if self.seen > most {
                return Err(Missed::Odd(self.root.to_owned(), format!("it has more than {most} files")));
            }
            path.push('/');
            path.push_str(&name.to_string_lossy());
            if (self.see)(&path, &stat) && stat.kind == FileType::Directory {
                below.push(name.to_owned());
            }
            path.truncate(length);
            Ok(())
        })?;
        Ok(Open { directory, path, below })
    }

    fn odd(&self, why: String) -> Missed {
        Missed::Odd(self.root.to_owned(), why)
    }
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
    use mailward_core::limits::AUDIT_DIRECTORY_READ;
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    fn host(root: &tempfile::TempDir) -> Host {
        Host::at(root.path(), false, Box::new(BTreeMap::new()))
    }

    #[test]
    fn too_many_files_are_no_answer() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        assert_eq!(visit(&host(&root), "/", AUDIT_WALK_MAX, |_, _| true), Ok(3));
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
    fn a_walk_has_its_time_and_no_more() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        let visit = |time| {
            let see = |_: &str, _: &Stat| true;
            Visit { root: "/", most: 10, time, buffer: Buffer::new(), seen: 0, see }.all(&host(&root))
        };
        assert_eq!(visit(AUDIT_WALK_TIME), Ok(1));
        let missed = visit(Duration::ZERO).unwrap_err();
        assert!(missed.to_string().contains("more files than are looked at within"), "{missed}");
    }

    #[test]
    fn a_name_that_is_no_text_hides_nothing() {
        let root = tempfile::tempdir().unwrap();
        let hidden = root.path().join(OsStr::from_bytes(b"\xffd"));
        fs::create_dir(&hidden).unwrap();
        fs::write(hidden.join(OsStr::from_bytes(b"\xfef")), "").unwrap();
        let mut seen = Vec::new();
        visit(&host(&root), "/", AUDIT_WALK_MAX, |path, _| {
            seen.push(path.to_owned());
            true
        })
        .unwrap();
        assert_eq!(seen, ["/\u{fffd}d", "/\u{fffd}d/\u{fffd}f"]);
    }

    #[test]
    fn a_directory_that_is_not_read_at_once_is_read_whole() {
        let root = tempfile::tempdir().unwrap();
        let long = "n".repeat(240);
        let files = AUDIT_DIRECTORY_READ / long.len() + 10;
        for number in 0..files {
            fs::write(root.path().join(format!("{long}{number}")), "").unwrap();
        }
        assert_eq!(visit(&host(&root), "/", AUDIT_WALK_MAX, |_, _| true), Ok(files));
        assert_eq!(host(&root).list("/").unwrap().len(), files);
    }

    #[test]
    fn a_link_leads_nowhere() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", root.path().join("all")).unwrap();
        assert_eq!(visit(&host(&root), "/", 10, |_, _| true), Ok(1));
    }
}
