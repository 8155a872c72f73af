//! The look that is kept, and who said to be responsible for the host.

use super::look::{FORMAT, Look};
use mailward_core::limits::PROBE_STATE_MAX;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What a host's file is called, with the version of its shape.
const STATE: &str = "mailward-probe-state/1";

/// The sentence that refuses a host that nobody said to be responsible for.
pub const MAY: &str = "a look opens hundreds of connections and tries what attackers try: only at one's own servers";

/// What is kept of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    format: String,
    /// The host.
    pub host: String,
    /// When somebody said that it is theirs to look at, RFC 3339.
    pub responsible: String,
    /// The last look.
    pub last: Option<Look>,
}

/// Why nothing is kept, or can't be read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The disk.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It isn't what we wrote.
    #[error("{}: {why}; remove it to begin anew", path.display())]
    Odd {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Kept {
    /// Nothing was looked at yet; at `when` somebody said that it is theirs.
    pub fn new(host: &str, when: String) -> Self {
        Self { format: STATE.to_owned(), host: host.to_owned(), responsible: when, last: None }
    }

    /// Reads what bytes hold.
    ///
    /// # Errors
    /// In words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > PROBE_STATE_MAX {
            return Err(format!("it has more than {PROBE_STATE_MAX} bytes"));
        }
        let kept: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if kept.format != STATE || kept.last.as_ref().is_some_and(|last| last.format != FORMAT) {
            return Err("it is of another version".to_owned());
        }
        Ok(kept)
    }

    /// Reads a host's file; nothing if there is none.
    ///
    /// # Errors
    /// [`KeptError`], also for a file of another host.
    pub fn read(path: &Path, host: &str) -> Result<Option<Self>, KeptError> {
        let io = |error| KeptError::Io { path: path.to_owned(), error };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let most = u64::try_from(PROBE_STATE_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(io)?;
        let odd = |why: String| KeptError::Odd { path: path.to_owned(), why };
        let kept = Self::parse(&bytes).map_err(odd)?;
        if kept.host != host {
            return Err(odd(format!("it is a look at {:?}, not at {host}", kept.host)));
        }
        Ok(Some(kept))
    }

    /// Writes it, whole or not at all, for its owner alone. Of a look that would be longer than `limits::PROBE_STATE_MAX` the
    /// evidence is cut shorter.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn write(&self, path: &Path) -> Result<(), KeptError> {
        let io = |error| KeptError::Io { path: path.to_owned(), error };
        let bytes = self.to_bytes().map_err(|why| KeptError::Odd { path: path.to_owned(), why })?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(io)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
        written.map_err(|error| {
            // What is left of it is in nobody's way.
            let _left = fs::remove_file(&beside);
            io(error)
        })
    }

    /// As it is written: one line of JSON.
    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut kept = self.clone();
        let mut most = mailward_core::limits::AUDIT_EXCERPT_MAX;
        loop {
            let mut bytes = serde_json::to_vec(&kept).map_err(|error| error.to_string())?;
            bytes.push(b'\n');
            if bytes.len() <= PROBE_STATE_MAX {
                return Ok(bytes);
            }
            if most == 0 {
                return Err(format!("a look of more than {PROBE_STATE_MAX} bytes isn't kept"));
            }
            most = most.checked_div(2).unwrap_or(0);
            for output in kept.last.iter_mut().flat_map(|look| &mut look.findings).flat_map(|found| &mut found.evidence)
            {
                output.shorten(most);
            }
        }
    }
}
