//! The lines, in their order.

use super::seal::{Line, Paper, Seal};
use super::{Archive, EvidenceError};
use mailward_core::limits::AUDIT_SEALS_MAX;
use mailward_vault::EvidenceKey;

/// The name of its file.
pub(super) const SEALS: &str = "seals";

/// All lines, each of which is as we would have written it.
#[derive(Debug, Default)]
pub(super) struct Chain(Vec<Line>);

impl Chain {
    fn of(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let read = lines.by_ref().take(AUDIT_SEALS_MAX).map(Line::read).collect::<Option<Vec<Line>>>();
        match read {
            Some(read) if lines.next().is_none() => Ok(Self(read)),
            Some(_) => Err(full()),
            None => Err(EvidenceError::Odd(
                "the seals of past audits aren't as they were written: `mailward audit verify` tells where; move the directory \
                 audit in the data directory aside to begin anew"
                    .to_owned(),
            )),
        }
    }

    /// One more, signed. What is beyond `limits::AUDIT_SEALS_MAX` would never be read again, so it isn't written.
    pub(super) fn add(&mut self, line: Line, key: &EvidenceKey) -> Result<(), EvidenceError> {
        if self.0.len() >= AUDIT_SEALS_MAX {
            return Err(full());
        }
        self.0.push(line.signed(self.0.last(), key)?);
        Ok(())
    }

    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = &Seal> {
        self.0.iter().filter_map(|line| match line {
            Line::Run(seal) => Some(seal),
            Line::Paper(_) => None,
        })
    }

    /// The last line about a paper.
    pub(super) fn paper(&self, name: &str) -> Option<&Paper> {
        self.0.iter().rev().find_map(|line| match line {
            Line::Paper(paper) if paper.paper == name => Some(paper),
            _ => None,
        })
    }

    fn bytes(&self) -> Result<Vec<u8>, EvidenceError> {
        let mut bytes = Vec::new();
        for line in &self.0 {
            bytes.extend_from_slice(line.text()?.as_bytes());
        }
        Ok(bytes)
    }
}

fn full() -> EvidenceError {
    EvidenceError::Odd(format!(
        "past audits and what became of them have {AUDIT_SEALS_MAX} seals, and there can't be more; move the directory audit in the \
         data directory aside to begin anew"
    ))
}

impl Archive {
    pub(super) fn chain(&self) -> Result<Chain, EvidenceError> {
        Chain::of(&self.read(SEALS)?.unwrap_or_default())
    }

    pub(super) fn keep_chain(&self, chain: &Chain) -> Result<(), EvidenceError> {
        self.lay_aside(SEALS, &chain.bytes()?)?;
        self.put_in_place(SEALS)
    }
}
