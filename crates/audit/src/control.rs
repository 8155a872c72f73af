//! One control: a question, and what answers it.

use crate::area::{Area, Dimension};
use crate::finding::Finding;
use crate::scene::Scene;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A question of the audit. Manual, score sheet and questionnaire are generated from these.
#[derive(Debug)]
pub struct Control {
    /// `SVC-04`: the area's code and a number; never given to another control. `SVC-WHO-1` for those that every area has.
    pub id: &'static str,
    /// What it is about.
    pub area: Area,
    /// Which of the three questions.
    pub dimension: Dimension,
    /// What it counts for within its area and dimension: 10 mandatory, 5 important, 2 extra. For Who and Why these are points.
    pub weight: u8,
    /// What its failure does to the total.
    pub cap: Option<Cap>,
    /// The control whose failure makes this one pointless: it isn't run then, and is worth nothing.
    pub parent: Option<&'static str>,
    /// Where the answer is found.
    pub probe: Probe,
    /// One sentence that ends with a question mark; yes is good.
    pub question: &'static str,
    /// What happens if the answer is no, for somebody who doesn't run mail servers.
    pub why: &'static str,
    /// How it is verified: what is read, said or sent.
    pub verified: &'static str,
    /// What to do if it fails.
    pub mend: &'static str,
    /// Where the demand comes from: standard and section, or the flaw that taught it.
    pub source: &'static str,
    /// What answers it.
    pub check: Check,
}

impl Control {
    /// Whether its failure caps the total.
    pub const fn is_starred(&self) -> bool {
        matches!(self.cap, Some(Cap::Hole))
    }
}

/// What one control that doesn't pass does to the whole score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cap {
    /// ★: a hole through which others send, read or take over: at most 40 of 100.
    Hole,
    /// Nobody knows whether what was lost could be had back: at most 70 of 100, unless it passes or doesn't apply.
    Restore,
}

impl Cap {
    /// The most that the total can be, of 1,000.
    pub const fn most(self) -> u16 {
        match self {
            Cap::Hole => 400,
            Cap::Restore => 700,
        }
    }
}

/// Where a control looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// The host: files, `/proc`, what its programs say.
    Host,
    /// The server's own doors, by the network.
    Doors,
    /// From elsewhere: a peer's signed result.
    Outside,
    /// The DNS.
    Names,
    /// What the server knows of itself.
    State,
    /// Messages and sessions of its own that are followed to where they end.
    Injection,
    /// What people say, with a name, a date and a file.
    Statement,
}

/// A check that waits for something.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Finding> + Send + 'a>>;

/// What answers a control's question.
#[derive(Clone, Copy)]
pub enum Check {
    /// Looks, and doesn't wait. Run on a thread where reading a disk holds nobody up.
    Look(fn(&Scene) -> Finding),
    /// Asks, and waits for the answer.
    Ask(for<'a> fn(&'a Scene) -> Asked<'a>),
    /// Somebody has said so, not longer ago than this many days, and not beyond the date they gave.
    Stated {
        /// How long a statement holds, in days.
        days: u16,
    },
    /// Every area has it: a look that is told which area.
    Every(fn(&Scene, Area) -> Finding),
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::Look(_) => "Look",
            Check::Ask(_) => "Ask",
            Check::Stated { .. } => "Stated",
            Check::Every(_) => "Every",
        })
    }
}
