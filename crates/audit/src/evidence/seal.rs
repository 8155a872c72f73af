//! One line of the chain.

use super::{EvidenceError, Run, kept_for};
use crate::record::{hex, sha256, unhex};
use crate::score::score;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use mailward_core::Timestamp;
use mailward_vault::{EvidenceKey, is_signed};
use serde::{Deserialize, Serialize};

/// What is before the first line.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What holds a line in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// SHA-256 of the line before.
    pub before: String,
    /// The public key, in hexadecimal.
    pub key: String,
    /// The signature over everything before it, in hexadecimal.
    pub signature: String,
}

/// A run in one line, that nobody can change unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The run's number.
    pub number: u64,
    /// When it was over.
    pub at: Timestamp,
    /// What it was worth, in hundredths of a point of 1,000.
    pub total: u32,
    /// Controls that failed.
    pub failed: u32,
    /// SHA-256 of the run's file.
    pub file: String,
    /// Its place in the chain.
    #[serde(flatten)]
    pub link: Link,
}

/// A change of what people said, of what is to be done, or of what was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paper {
    /// The name of its file.
    pub(super) paper: String,
    /// When it was changed.
    pub(super) at: Timestamp,
    /// SHA-256 of the whole file since then.
    pub(super) file: String,
    /// Its place in the chain.
    #[serde(flatten)]
    pub(super) link: Link,
}

/// A line: no two kinds have the same members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Run(Seal),
    Paper(Paper),
}

impl Line {
    pub(super) fn of_run(run: &Run, file: String) -> Self {
        Self::Run(Seal {
            number: run.number,
            at: run.ended,
            total: run.score.total,
            failed: failed(run),
            file,
            link: Link::default(),
        })
    }

    pub(super) fn of_paper(paper: &str, file: String, at: Timestamp) -> Self {
        Self::Paper(Paper { paper: paper.to_owned(), at, file, link: Link::default() })
    }

    /// The same behind the line `before`, signed.
    pub(super) fn signed(mut self, before: Option<&Line>, key: &EvidenceKey) -> Result<Self, EvidenceError> {
        let before = before.map_or_else(|| NOTHING.to_owned(), Line::hash);
        *self.link_mut() = Link { before, key: hex(key.public()), signature: String::new() };
        let signature = hex(&key.sign(self.text()?.as_bytes()));
        self.link_mut().signature = signature;
        Ok(self)
    }

    /// As it is written, with its end.
    pub(super) fn text(&self) -> Result<String, EvidenceError> {
        let mut line = serde_json::to_string(self).map_err(|error| EvidenceError::Odd(error.to_string()))?;
        line.push('\n');
        Ok(line)
    }

    /// `None` for a line that we wouldn't have written so, to the byte.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let line: Self = serde_json::from_slice(bytes).ok()?;
        // One way to write a number: a digit in the other case would mean the same and be another byte.
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (file, Link { before, key, signature }) = (line.file(), line.link());
        if ![file, before, key, signature].into_iter().all(is_hex) {
            return None;
        }
        (line.text().ok()?.as_bytes() == bytes).then_some(line)
    }

    /// The hash that the next line has, and that people write down.
    pub(super) fn hash(&self) -> String {
        self.text().map(|line| sha256(line.as_bytes())).unwrap_or_default()
    }

    /// What is wrong with it at its place, the `nth` from 1.
    pub(super) fn fault(&self, before: Option<&Line>, public: Option<&[u8]>, nth: usize) -> Option<&'static str> {
        let mut unsigned = self.clone();
        unsigned.link_mut().signature.clear();
        let text = unsigned.text().ok()?;
        let key = unhex(&self.link().key);
        if let Some(public) = public
            && verify_slices_are_equal(public, &key).is_err()
        {
            return Some("it is signed with a key that isn't this installation's");
        }
        if !is_signed(&key, text.as_bytes(), &unhex(&self.link().signature)) {
            return Some("its signature doesn't hold");
        }
        match before {
            // The line before can't be read; that was told.
            None if nth > 1 => None,
            None if self.link().before != NOTHING => Some("what stood before it is gone"),
            None => None,
            Some(before) if before.hash() != self.link().before => Some("what stands before it isn't what stood there"),
            Some(_) => None,
        }
    }

    fn file(&self) -> &str {
        match self {
            Self::Run(Seal { file, .. }) | Self::Paper(Paper { file, .. }) => file,
        }
    }

    fn link(&self) -> &Link {
        match self {
            Self::Run(Seal { link, .. }) | Self::Paper(Paper { link, .. }) => link,
        }
    }

    fn link_mut(&mut self) -> &mut Link {
        match self {
            Self::Run(Seal { link, .. }) | Self::Paper(Paper { link, .. }) => link,
        }
    }
}

impl Seal {
    /// The hash that the next line has, and that people write down.
    pub fn hash(&self) -> String {
        Line::Run(self.clone()).hash()
    }

    /// Whether its run may be gone.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        now.secs().saturating_sub(self.at.secs()) > kept_for()
    }

    /// What is wrong with the run in these bytes, whose hash is that of its file.
    pub(super) fn run_fault(&self, bytes: &[u8]) -> Option<String> {
        let run: Run = match serde_json::from_slice(bytes) {
            Ok(run) => run,
            Err(error) => return Some(format!("its file can't be read: {error}")),
        };
        if (run.number, run.ended, failed(&run)) != (self.number, self.at, self.failed) {
            return Some("its file is another audit's than its seal says".to_owned());
        }
        let again = score(&run.records, &run.weights, &run.overdue);
        if again.total != self.total || again != run.score {
            return Some(format!("its records are worth {} hundredths, its seal says {}", again.total, self.total));
        }
        None
    }
}

/// Reads a line of any bytes, which is the one that would be written or none, and a run.
///
/// # Panics
/// Where that isn't so.
pub(crate) fn reads(bytes: &[u8]) {
    if let Some(line) = Line::read(bytes) {
        assert!(line.text().is_ok_and(|text| text.as_bytes() == bytes), "another line means the same");
        assert!(line.fault(None, None, 1).is_some() || line.link().before == NOTHING, "a first line behind another");
    }
    if let Ok(run) = serde_json::from_slice::<Run>(bytes) {
        let again = score(&run.records, &run.weights, &run.overdue);
        assert!(again.total <= again.uncapped && again.uncapped <= 100_000, "more than there is");
    }
}

/// Controls that failed.
fn failed(run: &Run) -> u32 {
    let failed = run.records.iter().filter(|record| record.verdict.is_failure()).count();
    u32::try_from(failed).unwrap_or(u32::MAX)
}
