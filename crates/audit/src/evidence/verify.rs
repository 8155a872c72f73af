//! Looks at everything again.

use super::chain::SEALS;
use super::papers::PAPERS;
use super::seal::{Line, Seal};
use super::{Archive, EvidenceError, Found, file_of};
use mailward_core::Timestamp;
use mailward_core::limits::AUDIT_LIST_MAX;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

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
    /// Runs that were ever kept.
    pub seals: usize,
    /// Runs whose file is there.
    pub runs: usize,
    /// Changes of what people said, of what is to be done, and of what was told of it.
    pub papers: usize,
    /// The newest line's hash: to be written down elsewhere.
    pub newest: Option<String>,
    /// What is wrong; nothing if it is empty.
    pub faults: Vec<Fault>,
}

impl Verified {
    fn wrong(&mut self, number: Option<u64>, what: impl Into<String>) {
        self.faults.push(Fault { number, what: what.into() });
    }
}

/// Runs whose records were found to be worth what their seals say, by the hash of their file and that worth: who looks again and
/// finds the same hash has the same bytes, and would count the same.
#[derive(Debug, Default)]
pub struct Counted(BTreeSet<(String, u32)>);

impl Archive {
    /// Looks at everything again: hashes, signatures, the chain, that each score follows from its records, and that what people
    /// said and what is to be done is what was kept last. `public`: the key that has to have signed; `written_down`: the hash
    /// of a line that has to be among them. `now` decides which runs may be gone.
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
        // What is gone from the archive is forgotten, so that this is never longer than it.
        let before_this = Counted(std::mem::take(&mut counted.0));
        let bytes = self.read(SEALS)?.unwrap_or_default();
        let mut verified = Verified { seals: 0, runs: 0, papers: 0, newest: None, faults: Vec::new() };
        let mut before: Option<Line> = None;
        let mut last_run = 0_u64;
        let mut is_written_down = written_down.is_none();
        let mut papers: BTreeMap<String, String> = BTreeMap::new();
        for (nth, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let Some(line) = Line::read(line) else {
                verified.wrong(None, format!("line {nth} of the seals isn't as it was written"));
                before = None;
                continue;
            };
            let fault = line.fault(before.as_ref(), public, nth);
            match &line {
                Line::Run(seal) => {
                    verified.seals = verified.seals.saturating_add(1);
                    if let Some(what) = fault {
                        verified.wrong(Some(seal.number), what);
                    } else if last_run.checked_add(1) != Some(seal.number) && (before.is_some() || nth == 1) {
                        verified.wrong(Some(seal.number), "its number doesn't follow");
                    }
                    last_run = seal.number;
                    self.verify_run(seal, now, &before_this, counted, &mut verified)?;
                }
                Line::Paper(paper) => {
                    verified.papers = verified.papers.saturating_add(1);
                    if let Some(what) = fault {
                        verified.wrong(None, format!("line {nth} of the seals, about {}: {what}", paper.paper));
                    }
                    papers.insert(paper.paper.clone(), paper.file.clone());
                }
            }
            let hash = line.hash();
            is_written_down |= written_down.is_some_and(|wanted| hash.eq_ignore_ascii_case(wanted));
            verified.newest = Some(hash);
            before = Some(line);
        }
        for name in PAPERS {
            match self.find(papers.get(name).map(String::as_str), name)? {
                Found::Nothing | Found::InPlace(_) | Found::Aside(_) => {}
                Found::Gone => verified.wrong(None, format!("{name} is gone")),
                Found::Changed(why) => verified.wrong(None, format!("{name} {why}")),
            }
        }
        for number in self.strangers(last_run)? {
            verified.wrong(Some(number), "it was never sealed");
        }
        if let Some(wanted) = written_down.filter(|_| !is_written_down) {
            verified.wrong(None, format!("no seal has the hash {}", wanted.escape_debug()));
        }
        Ok(verified)
    }

    fn verify_run(
        &self,
        seal: &Seal,
        now: Timestamp,
        before_this: &Counted,
        counted: &mut Counted,
        verified: &mut Verified,
    ) -> Result<(), EvidenceError> {
        match self.find(Some(&seal.file), &file_of(seal.number))? {
            Found::Nothing => {}
            Found::Gone if seal.is_old(now) => {}
            Found::Gone => verified.wrong(Some(seal.number), "its file is gone"),
            Found::Changed(why) => {
                verified.runs = verified.runs.saturating_add(1);
                verified.wrong(Some(seal.number), format!("its file {why}"));
            }
            Found::InPlace(bytes) | Found::Aside(bytes) => {
                verified.runs = verified.runs.saturating_add(1);
                let worth = (seal.file.clone(), seal.total);
                let is_counted = before_this.0.contains(&worth);
                match if is_counted { None } else { seal.run_fault(&bytes) } {
                    Some(what) => verified.wrong(Some(seal.number), what),
                    None => drop(counted.0.insert(worth)),
                }
            }
        }
        Ok(())
    }

    /// Runs that lie in their place without ever having been sealed: whoever is cut off leaves none.
    fn strangers(&self, last_run: u64) -> Result<Vec<u64>, EvidenceError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("", error)),
        };
        let mut strangers = Vec::new();
        for entry in entries.take(AUDIT_LIST_MAX) {
            let name = entry.map_err(|error| self.failed("", error))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok());
            strangers.extend(number.filter(|number| *number > last_run));
        }
        strangers.sort_unstable();
        Ok(strangers)
    }
}
