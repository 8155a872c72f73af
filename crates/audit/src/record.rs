//! What is kept of one control's run.

use crate::area::{Area, Dimension};
use crate::control::{Cap, Control, Probe};
use crate::finding::{Exhibit, Finding, Verdict};
use aws_lc_rs::digest::{Context, SHA256, digest};
use mailward_core::Timestamp;
use mailward_core::limits::{AUDIT_EXCERPT_MAX, AUDIT_EXHIBITS_MAX};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io;

/// One control, answered, with its evidence: enough to count the points again without the program that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`Control::id`].
    pub id: String,
    /// [`Control::area`].
    pub area: Area,
    /// [`Control::dimension`].
    pub dimension: Dimension,
    /// [`Control::weight`].
    pub weight: u8,
    /// [`Control::cap`].
    pub cap: Option<Cap>,
    /// [`Control::probe`].
    pub probe: Probe,
    /// When it was begun.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// The answer.
    pub verdict: Verdict,
    /// [`Finding::said`].
    pub said: String,
    /// What was seen, at most `limits::AUDIT_EXHIBITS_MAX`.
    pub seen: Vec<Output>,
}

impl Record {
    /// What is kept of a finding.
    pub fn new(control: &Control, began: Timestamp, ended: Timestamp, finding: Finding) -> Self {
        Self {
            id: control.id.to_owned(),
            area: control.area,
            dimension: control.dimension,
            weight: control.weight,
            cap: control.cap,
            probe: control.probe,
            began,
            ended,
            verdict: finding.verdict,
            said: finding.said,
            seen: finding.exhibits.into_iter().take(AUDIT_EXHIBITS_MAX).map(Output::of).collect(),
        }
    }
}

/// An exhibit as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// [`Exhibit::input`].
    pub input: String,
    /// The first `limits::AUDIT_EXCERPT_MAX` bytes of it; what isn't UTF-8 is replaced. Hostile, as it came.
    pub excerpt: String,
    /// How many bytes there were.
    pub bytes: u64,
    /// SHA-256 of all of them, in hexadecimal.
    pub sha256: String,
}

impl Output {
    /// Leaves at most so many bytes of the excerpt.
    pub(crate) fn shorten(&mut self, most: usize) {
        let mut at = most.min(self.excerpt.len());
        while !self.excerpt.is_char_boundary(at) {
            at = at.saturating_sub(1);
        }
        self.excerpt.truncate(at);
    }

    /// What is kept of an exhibit.
    pub(crate) fn of(exhibit: Exhibit) -> Self {
        let cut = exhibit.output.get(..AUDIT_EXCERPT_MAX).unwrap_or(&exhibit.output);
        Self {
            input: exhibit.input,
            excerpt: String::from_utf8_lossy(cut).into_owned(),
            bytes: u64::try_from(exhibit.output.len()).unwrap_or(u64::MAX),
            sha256: sha256(&exhibit.output),
        }
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of all that is read from somewhere, in hexadecimal.
///
/// # Errors
/// What reading failed with.
pub fn sha256_of(mut from: impl io::Read) -> io::Result<String> {
    let (mut context, mut block) = (Context::new(&SHA256), vec![0_u8; 64 * 1024]);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(hex(context.finish().as_ref())),
            read => context.update(block.get(..read).unwrap_or_default()),
        }
    }
}

/// Bytes of hexadecimal digits. Nothing for what isn't hexadecimal: no key and no signature is empty.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.unwrap_or_default();
    pairs
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [high, low] => u8::try_from(high.saturating_mul(16).saturating_add(*low)).ok(),
            _ => None,
        })
        .collect()
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
