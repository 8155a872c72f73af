//! What audits found, kept so that nobody can change it unnoticed.
//!
//! A directory holds one file a run (`00000001.json`), and `seals`: a line for each run that was ever kept, with the hash of its
//! file, the hash of the line before, and a signature over both with the installation's key. Runs are deleted when they are old
//! enough; their seals stay. So a byte that changed in a run, in a score or in a seal is found, and so is a run that went
//! missing, or one that was put in between. What can't be found from here is a tail that was cut off whole: every report tells the
//! newest seal, and [`Archive::verify`] takes one that somebody wrote down.

mod seal;
mod secrets;

pub use seal::Seal;

use crate::actions::Actions;
use crate::record::{Record, sha256};
use crate::reminders::Reminders;
use crate::scene::Statements;
use crate::score::{Score, Weights, score};
use mailward_core::Timestamp;
use mailward_core::limits::{AUDIT_EXCERPT_MAX, AUDIT_FILE_MAX, AUDIT_KEEP_DAYS, AUDIT_RUN_MAX, AUDIT_SEALS_MAX};
use mailward_vault::EvidenceKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const STATEMENTS: &str = "statements.json";
const ACTIONS: &str = "actions.json";
const REMINDERS: &str = "reminders.json";

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

/// Something that isn't as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Which run, if it is known.
    pub number: Option<u64>,
    /// What is wrong with it.
    pub what: String,
}

/// What [`Archive::verify`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Seals there are.
    pub seals: usize,
    /// Runs whose file is there.
    pub runs: usize,
    /// The newest seal's hash: to be written down elsewhere.
    pub newest: Option<String>,
    /// What is wrong; nothing if it is empty.
    pub faults: Vec<Fault>,
}

/// Runs whose records were found to be worth what their seals say, by the hash of their file and that worth: who looks again and
/// finds the same hash has the same bytes, and would count the same.
#[derive(Debug, Default)]
pub struct Counted(BTreeSet<(String, u32)>);

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

    /// Keeps a run: its number and its score are given here, as nobody else is believed. Both files are on stable storage when
    /// this returns. A run that is cut off in between leaves a file without a seal, which the next one replaces.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep(&self, mut run: Run, key: &EvidenceKey) -> Result<Run, EvidenceError> {
        self.make()?;
        let seals = self.history()?;
        run.number = seals.last().map_or(1, |seal| seal.number.saturating_add(1));
        run.score = score(&run.records, &run.weights, &run.overdue);
        let bytes = run.to_bytes()?;
        self.write(&file_of(run.number), &bytes)?;
        let seal = Seal::over(&run, sha256(&bytes), seals.last(), key)?;
        let mut lines: Vec<u8> = Vec::new();
        for seal in seals.iter().chain([&seal]) {
            lines.extend_from_slice(seal.line()?.as_bytes());
        }
        self.write("seals", &lines)?;
        Ok(run)
    }

    /// Deletes runs that ended more than `limits::AUDIT_KEEP_DAYS` ago; their seals stay. How many.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn prune(&self, now: Timestamp) -> Result<usize, EvidenceError> {
        let mut gone = 0_usize;
        for seal in self.history()?.iter().filter(|seal| seal.is_old(now)) {
            match fs::remove_file(self.directory.join(file_of(seal.number))) {
                Ok(()) => gone = gone.saturating_add(1),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(&file_of(seal.number), error)),
            }
        }
        Ok(gone)
    }

    /// A run.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn run(&self, number: u64) -> Result<Run, EvidenceError> {
        let bytes = self.read(&file_of(number))?.ok_or(EvidenceError::NoRun(number))?;
        serde_json::from_slice(&bytes).map_err(|error| EvidenceError::Odd(format!("audit number {number}: {error}")))
    }

    /// The newest run that is sealed.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn newest(&self) -> Result<Option<Run>, EvidenceError> {
        self.history()?.last().map(|seal| self.run(seal.number)).transpose()
    }

    /// A line for each run that was ever kept, the oldest first.
    ///
    /// # Errors
    /// [`EvidenceError`]; also where a line isn't as it was written.
    pub fn history(&self) -> Result<Vec<Seal>, EvidenceError> {
        let bytes = self.read("seals")?.unwrap_or_default();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').take(AUDIT_SEALS_MAX);
        lines.map(Seal::read).collect::<Option<_>>().ok_or_else(|| {
            EvidenceError::Odd(
                "the seals of past audits aren't as they were written: `mailward audit verify` tells where; move the directory \
                 audit in the data directory aside to begin anew"
                    .to_owned(),
            )
        })
    }

    /// Looks at everything again: hashes, signatures, the chain, and that each score follows from its records. `public`: the key that
    /// has to have signed; `written_down`: the hash of a seal that has to be among them. `now` decides which runs may be gone.
    ///
    /// # Errors
    /// [`EvidenceError::Io`]; what isn't as it was written is no error but a [`Fault`].
    pub fn verify(
        &self,
        public: Option<&[u8]>,
        written_down: Option<&str>,
        now: Timestamp,
    ) -> Result<Verified, EvidenceError> {
        self.verify_anew(public, written_down, now, &mut Counted::default())
    }

    /// The same, by whoever did so before: what is `counted` isn't counted again, and what is found sound comes to it. Hashes,
    /// signatures and the chain are looked at as ever.
    ///
    /// # Errors
    /// As [`Archive::verify`].
    pub fn verify_anew(
        &self,
        public: Option<&[u8]>,
        written_down: Option<&str>,
        now: Timestamp,
        counted: &mut Counted,
    ) -> Result<Verified, EvidenceError> {
        let before_this = std::mem::take(&mut counted.0);
        let bytes = self.read("seals")?.unwrap_or_default();
        let mut verified = Verified { seals: 0, runs: 0, newest: None, faults: Vec::new() };
        let mut before: Option<Seal> = None;
        let mut hashes = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            verified.seals = verified.seals.saturating_add(1);
            let Some(seal) = Seal::read(line) else {
                let what = format!("line {} of the seals isn't as it was written", verified.seals);
                verified.faults.push(Fault { number: None, what });
                before = None;
                continue;
            };
            let mut wrong = |what: String| verified.faults.push(Fault { number: Some(seal.number), what });
            if let Some(what) = seal.fault(before.as_ref(), public, verified.seals) {
                wrong(what);
            }
            match self.read(&file_of(seal.number))? {
                None if seal.is_old(now) => {}
                None => wrong("its file is gone".to_owned()),
                Some(bytes) => {
                    verified.runs = verified.runs.saturating_add(1);
                    let worth = (seal.file.clone(), seal.total);
                    match seal.run_fault(&bytes, before_this.contains(&worth)) {
                        Some(what) => wrong(what),
                        // What is gone from the archive is forgotten, so that this is never longer than it.
                        None => drop(counted.0.insert(worth)),
                    }
                }
            }
            hashes.push(seal.hash());
            before = Some(seal);
        }
        verified.newest = before.as_ref().map(Seal::hash);
        if let Some(wanted) = written_down.filter(|wanted| !hashes.iter().any(|hash| hash.eq_ignore_ascii_case(wanted)))
        {
            let what = format!("no seal has the hash {}", wanted.escape_debug());
            verified.faults.push(Fault { number: None, what });
        }
        Ok(verified)
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

    /// Whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        let aside = self.directory.join(format!("{name}.new"));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&aside, self.directory.join(name))?;
            File::open(&self.directory)?.sync_all()
        })();
        written.map_err(|error| self.failed(name, error))
    }

    fn failed(&self, name: &str, error: io::Error) -> EvidenceError {
        EvidenceError::Io { path: self.directory.join(name), error }
    }
}

/// What people said and what is to be done: files beside the runs, each replaced whole.
impl Archive {
    /// What people said; nothing before anybody did.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn statements(&self) -> Result<Statements, EvidenceError> {
        self.document(STATEMENTS).map(Option::unwrap_or_default)
    }

    /// Keeps what people said.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep_statements(&self, statements: &Statements) -> Result<(), EvidenceError> {
        self.keep_document(STATEMENTS, statements)
    }

    /// What is to be done; `None` before the first run was kept.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn actions(&self) -> Result<Option<Actions>, EvidenceError> {
        self.document(ACTIONS)
    }

    /// Keeps what is to be done.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep_actions(&self, actions: &Actions) -> Result<(), EvidenceError> {
        self.keep_document(ACTIONS, actions)
    }

    /// What was told of what is to be done; nothing before somebody was reminded.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn reminders(&self) -> Result<Reminders, EvidenceError> {
        self.document(REMINDERS).map(Option::unwrap_or_default)
    }

    /// Keeps what was told.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep_reminders(&self, reminders: &Reminders) -> Result<(), EvidenceError> {
        self.keep_document(REMINDERS, reminders)
    }

    fn document<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, EvidenceError> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        let odd = |error| EvidenceError::Odd(format!("{}: {error}", self.directory.join(name).display()));
        serde_json::from_slice(&bytes).map(Some).map_err(odd)
    }

    fn keep_document<T: Serialize>(&self, name: &str, document: &T) -> Result<(), EvidenceError> {
        self.make()?;
        let mut bytes = serde_json::to_vec_pretty(document).map_err(|error| EvidenceError::Odd(error.to_string()))?;
        bytes.push(b'\n');
        self.write(name, &bytes)
    }
}

fn file_of(number: u64) -> String {
    format!("{number:08}.json")
}

/// Days that a run is kept, in seconds.
pub(crate) const fn kept_for() -> i64 {
    (AUDIT_KEEP_DAYS as i64).saturating_mul(86_400)
}
