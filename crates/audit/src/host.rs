//! The host, read through one façade: files below a root, and a few programs. Tests point it at a root of their own.

use directory::Buffer;
use mailward_core::limits::{AUDIT_FILE_MAX, AUDIT_LIST_MAX};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

pub(crate) mod accounts;
pub(crate) mod apt;
mod asking;
pub(crate) mod blocks;
mod debian_version;
pub(crate) mod demands;
mod directory;
pub(crate) mod hash;
pub(crate) mod ini;
pub(crate) mod machine;
pub(crate) mod mounts;
pub(crate) mod nft;
mod ours;
pub(crate) mod packages;
pub(crate) mod processes;
mod program;
pub(crate) mod settings;
pub(crate) mod sockets;
pub(crate) mod sshd;
pub(crate) mod sudo;
pub(crate) mod units;
pub(crate) mod walk;

#[doc(hidden)]
pub mod parsers;
pub(crate) mod reading;

pub use asking::HostPrograms;
pub use ours::{Ours, Transport};
pub use program::{Drive, Program};

/// Why something of the host couldn't be known. Never a reason to pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// There is no such file.
    #[error("{0} isn't there")]
    Absent(String),
    /// There is no such file, and nothing else either where every host has files: a tree that isn't mounted, or a directory that is
    /// no host's. Nothing follows from it.
    #[error("nothing is in {1} here, so that {0} isn't there tells nothing")]
    NoTree(String, String),
    /// It takes more rights than this run has.
    #[error("{0} can't be read without root's rights; run `mailward audit run` as root")]
    NoRight(String),
    /// The files of a host that isn't running: nothing in memory can be read.
    #[error("{0} is known of a running system only")]
    NotRunning(String),
    /// There is no such program here, or it isn't allowed to be asked.
    #[error("the program {0} isn't here")]
    NoProgram(String),
    /// It answered with something that nobody can read.
    #[error("{0}: {1}")]
    Odd(String, String),
    /// A part of the server that should say it isn't reached.
    #[error("{0}")]
    NotReached(String),
}

/// What a program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output, cut at `limits::AUDIT_FILE_MAX`.
    pub out: Vec<u8>,
    /// Standard error, cut likewise.
    pub err: Vec<u8>,
}

/// Who asks programs.
pub trait Programs: Send + Sync {
    /// What it says. It has `limits::AUDIT_PROGRAM_TIME`, no input, and an environment of its own.
    ///
    /// # Errors
    /// [`Missed::NoProgram`], or [`Missed::Odd`] where it took too long.
    fn ask(&self, program: Program) -> Result<Said, Missed>;
}

/// What tests, and roots that don't run, have instead.
impl Programs for BTreeMap<Program, Said> {
    fn ask(&self, program: Program) -> Result<Said, Missed> {
        self.get(&program).cloned().ok_or_else(|| Missed::NoProgram(program.to_string()))
    }
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Kind of file.
    pub kind: FileType,
    /// Rights: the lower twelve bits of the mode.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Time of the last change of its content, seconds since 1970.
    pub changed: i64,
    /// How many names it has.
    pub links: u64,
    /// Which device it is on.
    pub device: u64,
}

impl Stat {
    /// What is known of a name in a directory (shown as `path`), which isn't followed; nothing if it is gone.
    fn below(directory: &OwnedFd, name: &CStr, path: &str) -> Result<Option<Self>, Missed> {
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(Self::of(&found))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(missed(path, &error.into())),
        }
    }

    fn of(found: &rustix::fs::Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(found.st_mode),
            mode: found.st_mode & 0o7777,
            uid: found.st_uid,
            gid: found.st_gid,
            size: u64::try_from(found.st_size).unwrap_or(0),
            changed: found.st_mtime,
            links: found.st_nlink,
            device: found.st_dev,
        }
    }
}

/// A host: the one we run on, or files of another one below a directory.
pub struct Host {
    root: PathBuf,
    running: bool,
    /// The root, once it was opened: a walk asks for every directory below it.
    opened: OnceLock<OwnedFd>,
    programs: Box<dyn Programs>,
    ours: Ours,
    spaces: BTreeMap<String, Space>,
    walked: OnceLock<Result<walk::Walked, Missed>>,
    listening: OnceLock<Result<Vec<sockets::Socket>, Missed>>,
    /// What programs have said: some take seconds, and several controls ask the same.
    asked: Mutex<BTreeMap<Program, Result<Said, Missed>>>,
}

/// How much room a file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Hundredths of its bytes that anybody may still write.
    pub bytes_free: u8,
    /// Hundredths of its files that may still be made; 100 where it doesn't count them.
    pub files_free: u8,
}

impl Host {
    /// The host that this runs on.
    pub fn ours(programs: Box<dyn Programs>) -> Self {
        Self::at("/", true, programs)
    }

    /// The files of a host below `root`. `running`: `/proc`, `/sys` and what programs say are part of it (a test's made-up
    /// host); otherwise whatever is known of a running system only is missing.
    pub fn at(root: impl Into<PathBuf>, running: bool, programs: Box<dyn Programs>) -> Self {
        Self {
            root: root.into(),
            running,
            opened: OnceLock::new(),
            programs,
            ours: Ours::default(),
            spaces: BTreeMap::new(),
            walked: OnceLock::new(),
            listening: OnceLock::new(),
            asked: Mutex::default(),
        }
    }

    /// With other places of the mail server than the usual ones.
    #[must_use]
    pub fn with_ours(mut self, ours: Ours) -> Self {
        self.ours = ours;
        self
    }

    /// With room that is said rather than asked for: a made-up host's is that of the machine that tests it.
    #[must_use]
    pub fn with_spaces(mut self, spaces: BTreeMap<String, Space>) -> Self {
        self.spaces = spaces;
        self
    }

    /// What of the host is the mail server's.
    pub const fn ours_here(&self) -> &Ours {
        &self.ours
    }

    /// Whether it is a running system.
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// A file's bytes, at most `limits::AUDIT_FILE_MAX`. `path` is absolute, as the host sees it; symbolic links lead nowhere
    /// outside the root.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Missed> {
        let file = File::from(self.open(path, OFlags::RDONLY)?);
        let mut bytes = Vec::new();
        file.take(AUDIT_FILE_MAX).read_to_end(&mut bytes).map_err(|error| missed(path, &error))?;
        Ok(bytes)
    }

    /// A file as text; what isn't UTF-8 is replaced.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn text(&self, path: &str) -> Result<String, Missed> {
        self.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// As [`Host::text`], nothing if there is no such file.
    ///
    /// # Errors
    /// [`Missed`], but for [`Missed::Absent`].
    pub fn text_if_there(&self, path: &str) -> Result<Option<String>, Missed> {
        match self.text(path) {
            Ok(text) => Ok(Some(text)),
            Err(Missed::Absent(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The names in a directory, sorted, at most `limits::AUDIT_LIST_MAX`; what in them isn't text is replaced.
    ///
    /// # Errors
    /// [`Missed`]; also where there are more.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Missed> {
        let mut names = self.each(path, |_, name| Ok(Some(name.to_string_lossy().into_owned())))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The names in a directory, sorted, each with what is known of it; what is gone by then is left out.
    ///
    /// # Errors
    /// As [`Host::list`].
    pub(crate) fn entries(&self, path: &str) -> Result<Vec<(String, Stat)>, Missed> {
        let mut entries = self.each(path, |directory, name| {
            Ok(Stat::below(directory, name, path)?.map(|stat| (name.to_string_lossy().into_owned(), stat)))
        })?;
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }

    fn each<T>(
        &self,
        path: &str,
        mut make: impl FnMut(&OwnedFd, &CStr) -> Result<Option<T>, Missed>,
    ) -> Result<Vec<T>, Missed> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut made = Vec::new();
        Buffer::new().each(&directory, path, |name| {
            if made.len() >= AUDIT_LIST_MAX {
                return Err(Missed::Odd(path.to_owned(), format!("more than {AUDIT_LIST_MAX} entries")));
            }
            made.extend(make(&directory, name)?);
            Ok(())
        })?;
        Ok(made)
    }

    /// What is known of a file; a symbolic link is followed.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn stat(&self, path: &str) -> Result<Stat, Missed> {
        self.stat_with(path, OFlags::PATH)
    }

    /// As [`Host::stat`], of a symbolic link itself.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn stat_link(&self, path: &str) -> Result<Stat, Missed> {
        self.stat_with(path, OFlags::PATH | OFlags::NOFOLLOW)
    }

    fn stat_with(&self, path: &str, flags: OFlags) -> Result<Stat, Missed> {
        let found = rustix::fs::fstat(self.open(path, flags)?).map_err(|error| missed(path, &error.into()))?;
        Ok(Stat::of(&found))
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn link(&self, path: &str) -> Result<String, Missed> {
        let link = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        let target = rustix::fs::readlinkat(link, "", Vec::new()).map_err(|error| missed(path, &error.into()))?;
        Ok(String::from_utf8_lossy(target.as_bytes()).into_owned())
    }

    /// How much room there is where a file is.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn space(&self, path: &str) -> Result<Space, Missed> {
        if !self.running {
            return Err(Missed::NotRunning(format!("the room at {path}")));
        }
        if let Some(space) = self.spaces.get(path) {
            return Ok(*space);
        }
        let found =
            rustix::fs::fstatvfs(self.open(path, OFlags::PATH)?).map_err(|error| missed(path, &error.into()))?;
        let share = |free: u64, all: u64| {
            let share = u128::from(free).saturating_mul(100).checked_div(u128::from(all)).unwrap_or(100);
            u8::try_from(share).unwrap_or(100).min(100)
        };
        Ok(Space {
            bytes_free: share(found.f_bavail, found.f_blocks),
            files_free: share(found.f_favail, found.f_files),
        })
    }

    /// What a walk over all of the host's files finds; it is walked once.
    fn walked(&self) -> Result<&walk::Walked, Missed> {
        self.walked.get_or_init(|| walk::walk(self)).as_ref().map_err(Clone::clone)
    }

    /// The sockets that listen; they are looked for once, as the kernel goes through all its connections for it.
    fn listening(&self) -> Result<Vec<sockets::Socket>, Missed> {
        self.listening.get_or_init(|| sockets::look(self)).clone()
    }

    /// Root's number: the owner of `/`. Of a host's files in a directory of somebody else it is theirs.
    pub(crate) fn root(&self) -> Result<u32, Missed> {
        Ok(self.stat("/")?.uid)
    }

    /// Whether there is such a file.
    ///
    /// # Errors
    /// [`Missed`], but for [`Missed::Absent`].
    pub fn is_there(&self, path: &str) -> Result<bool, Missed> {
        match self.stat(path) {
            Ok(_) => Ok(true),
            Err(Missed::Absent(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// As [`Host::list`], nothing if there is no such directory.
    ///
    /// # Errors
    /// [`Missed`], but for [`Missed::Absent`].
    pub fn list_if_there(&self, path: &str) -> Result<Vec<String>, Missed> {
        match self.list(path) {
            Err(Missed::Absent(_)) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The files of a directory with one of these endings, as whole paths, sorted; none if there is no such directory.
    ///
    /// # Errors
    /// [`Missed`], but for [`Missed::Absent`].
    pub fn files_in(&self, directory: &str, endings: &[&str]) -> Result<Vec<String>, Missed> {
        let mut names = self.list_if_there(directory)?;
        names.retain(|name| endings.iter().any(|ending| name.ends_with(ending)));
        Ok(names.into_iter().map(|name| format!("{}/{name}", directory.trim_end_matches('/'))).collect())
    }

    /// A file of a running system only: `/proc`, `/sys`.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn live(&self, path: &str) -> Result<String, Missed> {
        if self.running { self.text(path) } else { Err(Missed::NotRunning(path.to_owned())) }
    }

    /// What a program says; it is asked once.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn ask(&self, program: Program) -> Result<Said, Missed> {
        if !self.running {
            return Err(Missed::NotRunning(program.to_string()));
        }
        // Whoever asks the same meanwhile waits for the answer, as they would for their own.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.entry(program).or_insert_with(|| self.programs.ask(program)).clone()
    }

    /// The path is taken as one below the root by the kernel, whatever links it has.
    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Missed> {
        let root = match self.opened.get() {
            Some(root) => root,
            None => {
                let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let root = rustix::fs::openat(CWD, &self.root, directory, Mode::empty()).map_err(|error| {
                    Missed::Odd(self.root.display().to_string(), io::Error::from(error).to_string())
                })?;
                self.opened.get_or_init(|| root)
            }
        };
        let below = Path::new(path).strip_prefix("/").unwrap_or(Path::new(path));
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        // A pipe that nobody writes to doesn't hold us up; without reading there is nothing to wait for, and the kernel refuses
        // to be told so.
        let flags = if flags.contains(OFlags::PATH) { flags } else { flags | OFlags::NONBLOCK } | OFlags::CLOEXEC;
        rustix::fs::openat2(root, below, flags, Mode::empty(), ResolveFlags::IN_ROOT).map_err(|error| {
            match missed(path, &error.into()) {
                Missed::Absent(path) => absent(root, path),
                other => other,
            }
        })
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("root", &self.root).field("running", &self.running).finish_non_exhaustive()
    }
}

/// Trees in which every host has something: an empty one isn't known.
const TREES: [&str; 5] = ["etc", "proc", "sys", "usr", "var"];

/// What isn't there is a fact only where something else is.
fn absent(root: &OwnedFd, path: String) -> Missed {
    let top = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let Some(tree) = TREES.iter().find(|tree| **tree == top) else { return Missed::Absent(path) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let names = rustix::fs::openat2(root, *tree, flags, Mode::empty(), ResolveFlags::IN_ROOT)
        .and_then(|directory| rustix::fs::Dir::read_from(&directory));
    let is_known = match names {
        Ok(names) => names.filter_map(Result::ok).any(|entry| !matches!(entry.file_name().to_bytes(), b"." | b"..")),
        Err(error) => error == rustix::io::Errno::ACCESS,
    };
    if is_known { Missed::Absent(path) } else { Missed::NoTree(path, format!("/{tree}")) }
}

fn missed(path: &str, error: &io::Error) -> Missed {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Missed::Absent(path.to_owned()),
        io::ErrorKind::PermissionDenied => Missed::NoRight(path.to_owned()),
        // A process that went between opening and reading what is known of it.
        _ if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Missed::Absent(path.to_owned()),
        _ => Missed::Odd(path.to_owned(), error.to_string()),
    }
}
