//! What audits found, kept so that nobody can change it unnoticed.
//!
//! A directory holds one file a run (`00000001.json`); what people said, what is to be done and what was told of it, each in one
//! file; and `seals`: a line for each run that was ever kept and for each change of the others, with the hash of the file, the hash
//! of the line before, and a signature over both with the installation's key. Runs are deleted when they are old enough; their
//! seals stay. Whatever is written lies aside first (`00000001.json.new`); then comes its line, and only then it takes its place.
//! Whoever is cut off before the line has changed nothing; whoever is cut off after it has, and what lies aside is read. So a byte that changed in a run, in a score, in an answer, in an exception or in a seal is found, and so is a run
//! that went missing, or one that was put in between. What isn't as it was sealed is never used, and never sealed again. What can't be
//! found from here is a whole directory as it once was, with all that came later cut off: every report tells the newest seal, and
//! [`Archive::verify`] takes one that somebody wrote down.

mod chain;
mod papers;
mod seal;
mod secrets;
mod verify;
mod whole;

pub(crate) use seal::reads;
pub use seal::{Link, Seal};
pub use verify::{Counted, Fault, Verified};

use crate::actions::Actions;
use crate::record::{Record, sha256};
use crate::score::{Score, Weights, score};
use mailward_core::Timestamp;
use mailward_core::limits::{AUDIT_EXCERPT_MAX, AUDIT_FILE_MAX, AUDIT_KEEP_DAYS, AUDIT_RUN_MAX};
use mailward_vault::EvidenceKey;
use papers::ACTIONS;
use seal::Line;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// One audit: what was found, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// 1 for the first of this installation.
    pub number: u64,
    /// The program that made it.
    pub version: String,
    /// The name of the server that was looked at.
    pub name: String,
    /// When it was begun.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// What areas counted for.
    pub weights: Weights,
    /// Mandatory controls whose corrective actions were overdue then.
    pub overdue: Vec<String>,
    /// What it is worth.
    pub score: Score,
    /// Each control, in the order of the catalogue.
    pub records: Vec<Record>,
}

impl Run {
    /// As it is kept: one line of JSON with its end. Of a run that would be longer than `limits::AUDIT_RUN_MAX`, excerpts are cut
    /// shorter, all alike; the hashes are of all that there was.
    fn to_bytes(&self) -> Result<Vec<u8>, EvidenceError> {
        let mut run = self.clone();
        let mut most = AUDIT_EXCERPT_MAX;
        loop {
            let mut bytes = serde_json::to_vec(&run).map_err(|error| EvidenceError::Odd(error.to_string()))?;
            bytes.push(b'\n');
            if bytes.len() <= AUDIT_RUN_MAX || most == 0 {
                return Ok(bytes);
            }
            most = most.checked_div(2).unwrap_or(0);
            for output in run.records.iter_mut().flat_map(|record| &mut record.seen) {
                output.shorten(most);
            }
        }
    }
}

/// Why evidence can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The disk.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It isn't what we wrote.
    #[error("{0}")]
    Odd(String),
    /// There is no such run.
    #[error("there is no audit number {0}; `mailward audit history` lists them")]
    NoRun(u64),
}

/// Where the bytes are that were sealed.
enum Found {
    /// Nothing was sealed, and nothing is there.
    Nothing,
    /// In their place.
    InPlace(Vec<u8>),
    /// Beside it: whoever kept them was cut off.
    Aside(Vec<u8>),
    /// Nowhere.
    Gone,
    /// Nowhere: what is in their place is something else, and why.
    Changed(&'static str),
}

/// The directory.
#[derive(Clone, Debug)]
pub struct Archive {
    directory: PathBuf,
}

impl Archive {
    /// Below a data directory; made when the first run is kept.
    pub fn in_data(data: &Path) -> Self {
        Self { directory: data.join("audit") }
    }

    /// Keeps a run and what is to be done after it: the run's number and its score are given here, as nobody else is believed. All of
    /// it is on stable storage when this returns. Whoever is cut off in between has kept both or neither.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep(&self, mut run: Run, actions: &Actions, key: &EvidenceKey) -> Result<Run, EvidenceError> {
        self.make()?;
        let mut chain = self.chain()?;
        run.number = chain.runs().next_back().map_or(1, |seal| seal.number.saturating_add(1));
        run.score = score(&run.records, &run.weights, &run.overdue);
        if let Some(seal) = chain.runs().next_back()
            && let Found::Aside(_) = self.find(Some(&seal.file), &file_of(seal.number))?
        {
            self.put_in_place(&file_of(seal.number))?;
        }
        let is_changed = self.add_paper(&mut chain, ACTIONS, actions, run.ended, key)?;
        let (bytes, file) = (run.to_bytes()?, file_of(run.number));
        chain.add(Line::of_run(&run, sha256(&bytes)), key)?;
        self.lay_aside(&file, &bytes)?;
        self.keep_chain(&chain)?;
        self.put_in_place(&file)?;
        if is_changed {
            self.put_in_place(ACTIONS)?;
        }
        Ok(run)
    }

    /// Deletes runs that ended more than `limits::AUDIT_KEEP_DAYS` ago; their seals stay. How many.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn prune(&self, now: Timestamp) -> Result<usize, EvidenceError> {
        let mut gone = 0_usize;
        for seal in self.chain()?.runs().filter(|seal| seal.is_old(now)) {
            match fs::remove_file(self.directory.join(file_of(seal.number))) {
                Ok(()) => gone = gone.saturating_add(1),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(&file_of(seal.number), error)),
            }
        }
        Ok(gone)
    }

    /// A run, as it was sealed.
    ///
    /// # Errors
    /// [`EvidenceError`]; also if its file isn't the one that was sealed.
    pub fn run(&self, number: u64) -> Result<Run, EvidenceError> {
        let chain = self.chain()?;
        let seal = chain.runs().find(|seal| seal.number == number).ok_or(EvidenceError::NoRun(number))?;
        self.run_of(seal)
    }

    /// The newest run.
    ///
    /// # Errors
    /// As [`Archive::run`].
    pub fn newest(&self) -> Result<Option<Run>, EvidenceError> {
        self.chain()?.runs().next_back().map(|seal| self.run_of(seal)).transpose()
    }

    fn run_of(&self, seal: &Seal) -> Result<Run, EvidenceError> {
        let number = seal.number;
        let odd = |what: String| EvidenceError::Odd(format!("audit number {number}: {what}"));
        let bytes = match self.find(Some(&seal.file), &file_of(number))? {
            Found::InPlace(bytes) | Found::Aside(bytes) => bytes,
            Found::Nothing | Found::Gone => return Err(EvidenceError::NoRun(number)),
            Found::Changed(why) => {
                return Err(odd(format!("its file {why}; `mailward audit verify` looks at all of them")));
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| odd(error.to_string()))
    }

    /// The seal of each run that was ever kept, the oldest first.
    ///
    /// # Errors
    /// [`EvidenceError`]; also where a line isn't as it was written.
    pub fn history(&self) -> Result<Vec<Seal>, EvidenceError> {
        Ok(self.chain()?.runs().cloned().collect())
    }

    fn make(&self) -> Result<(), EvidenceError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|error| self.failed("", error))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, EvidenceError> {
        let mut bytes = Vec::new();
        match File::open(self.directory.join(name)) {
            Ok(file) => file.take(AUDIT_FILE_MAX).read_to_end(&mut bytes).map_err(|error| self.failed(name, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(name, error)),
        };
        Ok(Some(bytes))
    }

    /// Looks for the bytes whose hash is `sealed`.
    fn find(&self, sealed: Option<&str>, name: &str) -> Result<Found, EvidenceError> {
        let there = self.read(name)?;
        let Some(sealed) = sealed else {
            return Ok(there.map_or(Found::Nothing, |_| Found::Changed("was never sealed")));
        };
        let is_changed = match there {
            Some(bytes) if sha256(&bytes) == sealed => return Ok(Found::InPlace(bytes)),
            there => there.is_some(),
        };
        Ok(match self.read(&aside(name))?.filter(|bytes| sha256(bytes) == sealed) {
            Some(bytes) => Found::Aside(bytes),
            None if is_changed => Found::Changed("has changed since it was sealed"),
            None => Found::Gone,
        })
    }

    /// Writes what is to be a file, beside its place. It is on stable storage when this returns.
    fn lay_aside(&self, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        let written = (|| {
            let aside = self.directory.join(aside(name));
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            File::open(&self.directory)?.sync_all()
        })();
        written.map_err(|error| self.failed(name, error))
    }

    /// What was laid aside becomes the file, whole or not at all.
    fn put_in_place(&self, name: &str) -> Result<(), EvidenceError> {
        let (from, to) = (self.directory.join(aside(name)), self.directory.join(name));
        let moved = fs::rename(from, to).and_then(|()| File::open(&self.directory)?.sync_all());
        moved.map_err(|error| self.failed(name, error))
    }

    fn failed(&self, name: &str, error: io::Error) -> EvidenceError {
        EvidenceError::Io { path: self.directory.join(name), error }
    }
}

/// Where something lies before it takes its place.
fn aside(name: &str) -> String {
    format!("{name}.new")
}

fn file_of(number: u64) -> String {
    format!("{number:08}.json")
}

/// Days that a run is kept, in seconds.
pub(crate) const fn kept_for() -> i64 {
    (AUDIT_KEEP_DAYS as i64).saturating_mul(86_400)
}
