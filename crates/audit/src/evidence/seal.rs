//! One line of the chain.

use super::{EvidenceError, Run, kept_for};
use crate::record::{hex, sha256, unhex};
use crate::score::score;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use mailward_core::Timestamp;
use mailward_vault::{EvidenceKey, is_signed};
use serde::{Deserialize, Serialize};

/// What is before the first seal.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A run in one line, that nobody can change unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// SHA-256 of the line before.
    pub before: String,
    /// The public key, in hexadecimal.
    pub key: String,
    /// The signature over everything before it, in hexadecimal.
    pub signature: String,
}

impl Seal {
    pub(super) fn over(
        run: &Run,
        file: String,
        before: Option<&Seal>,
        key: &EvidenceKey,
    ) -> Result<Self, EvidenceError> {
        let failed = run.records.iter().filter(|record| record.verdict.is_failure()).count();
        let mut seal = Self {
            number: run.number,
            at: run.ended,
            total: run.score.total,
            failed: u32::try_from(failed).unwrap_or(u32::MAX),
            file,
            before: before.map_or_else(|| NOTHING.to_owned(), Seal::hash),
            key: hex(key.public()),
            signature: String::new(),
        };
        seal.signature = hex(&key.sign(seal.line()?.as_bytes()));
        Ok(seal)
    }

    /// The line as it is written, with its end.
    pub(super) fn line(&self) -> Result<String, EvidenceError> {
        let mut line = serde_json::to_string(self).map_err(|error| EvidenceError::Odd(error.to_string()))?;
        line.push('\n');
        Ok(line)
    }

    /// `None` for a line that we wouldn't have written so, to the byte.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let seal: Self = serde_json::from_slice(line).ok()?;
        // One way to write a number: a digit in the other case would mean the same and be another byte.
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if ![&seal.file, &seal.before, &seal.key, &seal.signature].into_iter().all(|text| is_hex(text)) {
            return None;
        }
        (seal.line().ok()?.as_bytes() == line).then_some(seal)
    }

    /// The hash that the next seal has, and that people write down.
    pub fn hash(&self) -> String {
        self.line().map(|line| sha256(line.as_bytes())).unwrap_or_default()
    }

    /// Whether its run may be gone.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        now.secs().saturating_sub(self.at.secs()) > kept_for()
    }

    /// What is wrong with it at its place, the `nth` from 1.
    pub(super) fn fault(&self, before: Option<&Seal>, public: Option<&[u8]>, nth: usize) -> Option<String> {
        let unsigned = Self { signature: String::new(), ..self.clone() };
        let text = unsigned.line().ok()?;
        let key = unhex(&self.key);
        if let Some(public) = public
            && verify_slices_are_equal(public, &key).is_err()
        {
            return Some("it is signed with a key that isn't this installation's".to_owned());
        }
        if !is_signed(&key, text.as_bytes(), &unhex(&self.signature)) {
            return Some("its signature doesn't hold".to_owned());
        }
        match before {
            None if nth > 1 => None,
            None if self.before != NOTHING || self.number != 1 => Some("runs before it are gone".to_owned()),
            None => None,
            Some(before) if before.hash() != self.before => {
                Some("what stands before it isn't what stood there".to_owned())
            }
            Some(before) if before.number.checked_add(1) != Some(self.number) => {
                Some("its number doesn't follow".to_owned())
            }
            Some(_) => None,
        }
    }

    /// What is wrong with the run whose file has these bytes. `counted`: what bytes of this hash are worth was counted before.
    pub(super) fn run_fault(&self, bytes: &[u8], counted: bool) -> Option<String> {
        if sha256(bytes) != self.file {
            return Some("its file has changed since it was sealed".to_owned());
        }
        if counted {
            return None;
        }
        let run: Run = match serde_json::from_slice(bytes) {
            Ok(run) => run,
            Err(error) => return Some(format!("its file can't be read: {error}")),
        };
        let again = score(&run.records, &run.weights, &run.overdue);
        if again.total != self.total || again != run.score {
            return Some(format!("its records are worth {} hundredths, its seal says {}", again.total, self.total));
        }
        None
    }
}
