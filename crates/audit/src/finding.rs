//! What a control found.

use crate::host::Missed;
use serde::{Deserialize, Serialize};

/// The answer to a control's question. The order is that of how much it worries: the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The check itself broke, or took too long.
    Error,
    /// No.
    Fail,
    /// In part: this many hundredths of its points, 1 to 99.
    Partial(u8),
    /// Its parent failed, so it wasn't asked.
    NotRun,
    /// Nobody can tell from here.
    NotTested,
    /// The question makes no sense here; it leaves the sum.
    NotApplicable,
    /// Yes.
    Pass,
}

impl Verdict {
    /// Which part of its points it is worth, in hundredths; `None`: it leaves the sum.
    pub const fn share(self) -> Option<u8> {
        match self {
            Verdict::Pass => Some(100),
            Verdict::Partial(share) => Some(if share > 99 { 99 } else { share }),
            Verdict::NotApplicable => None,
            Verdict::Error | Verdict::Fail | Verdict::NotRun | Verdict::NotTested => Some(0),
        }
    }

    /// The word for it in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Error => "error",
            Verdict::Fail => "failed",
            Verdict::Partial(_) => "in part",
            Verdict::NotRun => "not run",
            Verdict::NotTested => "not tested",
            Verdict::NotApplicable => "not applicable",
            Verdict::Pass => "passed",
        }
    }

    /// Whether somebody has to do something about it.
    pub const fn is_failure(self) -> bool {
        matches!(self, Verdict::Error | Verdict::Fail | Verdict::Partial(_))
    }
}

/// Something that was seen: what was asked, and what came back, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhibit {
    /// What was read, said or sent: a path, a program with its words, `127.0.0.1:25 SMTP`.
    pub input: String,
    /// What came back. Hostile: whatever shows it escapes it. Cut when it is kept, with the hash of the whole.
    pub output: Vec<u8>,
}

/// What a control found, with what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The answer.
    pub verdict: Verdict,
    /// One sentence: what was found, where; or why it couldn't be.
    pub said: String,
    /// The evidence.
    pub exhibits: Vec<Exhibit>,
}

impl Finding {
    fn new(verdict: Verdict, said: impl Into<String>) -> Self {
        Self { verdict, said: said.into(), exhibits: Vec::new() }
    }

    /// Yes.
    pub fn pass(said: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, said)
    }

    /// No.
    pub fn fail(said: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, said)
    }

    /// `good` of `all` things are as they should be: none fails, all pass.
    pub fn of(good: usize, all: usize, said: impl Into<String>) -> Self {
        let share = good.saturating_mul(100).checked_div(all).unwrap_or(0);
        match (good, all) {
            (0, _) => Self::fail(said),
            _ if good >= all => Self::pass(said),
            _ => Self::new(Verdict::Partial(u8::try_from(share.clamp(1, 99)).unwrap_or(1)), said),
        }
    }

    /// Nobody can tell, and why.
    pub fn not_tested(why: impl Into<String>) -> Self {
        Self::new(Verdict::NotTested, why)
    }

    /// It makes no sense here, and why.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::new(Verdict::NotApplicable, why)
    }

    /// The check broke.
    pub fn error(why: impl Into<String>) -> Self {
        Self::new(Verdict::Error, why)
    }

    /// With something that was seen.
    #[must_use]
    pub fn showing(mut self, input: impl Into<String>, output: impl Into<Vec<u8>>) -> Self {
        self.exhibits.push(Exhibit { input: input.into(), output: output.into() });
        self
    }

    /// With things that were seen.
    #[must_use]
    pub fn showing_all(mut self, exhibits: impl IntoIterator<Item = Exhibit>) -> Self {
        self.exhibits.extend(exhibits);
        self
    }
}

/// What couldn't be read isn't tested.
impl From<Missed> for Finding {
    fn from(missed: Missed) -> Self {
        Self::not_tested(missed.to_string())
    }
}
