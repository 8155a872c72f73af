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
    /// What it needs to itself while it is answered.
    pub needs: Needs,
}

impl Control {
    /// A question of what is done. Its words, in order: question, why, how it is verified, mend, source. It has no cap and no
    /// parent, and needs what is usual for its kind ([`Needs::usual`]); the methods below say otherwise.
    pub const fn new(
        id: &'static str,
        area: Area,
        weight: u8,
        probe: Probe,
        check: Check,
        [question, why, verified, mend, source]: [&'static str; 5],
    ) -> Self {
        let needs = Needs::usual(probe, &check);
        Self {
            id,
            area,
            dimension: Dimension::What,
            weight,
            cap: None,
            parent: None,
            probe,
            question,
            why,
            verified,
            mend,
            source,
            check,
            needs,
        }
    }

    /// The same without a name and without words, for controls that give them by the names of the fields. They say what they need
    /// as well, if their check is one that asks.
    pub const fn of(area: Area, probe: Probe) -> Self {
        Self::new("", area, 5, probe, Check::Stated { days: 0 }, [""; 5])
    }

    /// Of another of the three questions.
    #[must_use]
    pub const fn about(self, dimension: Dimension) -> Self {
        Self { dimension, ..self }
    }

    /// Its failure caps the total.
    #[must_use]
    pub const fn capped(self, cap: Option<Cap>) -> Self {
        Self { cap, ..self }
    }

    /// Pointless where that one fails.
    #[must_use]
    pub const fn below(self, parent: Option<&'static str>) -> Self {
        Self { parent, ..self }
    }

    /// Needs this to itself.
    #[must_use]
    pub const fn needing(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

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

/// What a control needs to itself while it is answered: no other that needs the same is answered beside it, so that it finds what it
/// would find alone. What waits for the network, for a guard or for the DNS costs next to nothing meanwhile, so that several
/// controls wait at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Needs {
    /// The audit's account: it logs in. Servers count by user which logins fail and let that user's next one wait, whoever makes
    /// it: a login beside a control that guesses finds another server than one alone. This is the longest queue, so it comes first.
    Account,
    /// Both of these.
    AccountAndMail,
    /// The way of mail: it brings messages. What one host may bring at a time is little, and a server whose scanners are busy puts
    /// off what comes beside.
    Mail,
    /// The host's disk and processor: it looks, and doesn't wait. Two walks at once are slower than one after the other.
    Host,
    /// Nothing: it asks and waits, and changes nothing that another control looks at. Logins of made-up users are among them:
    /// each control makes up its own, and what fails is counted for that one.
    Nothing,
    /// All of the server: it takes all places of a door, has an address banned, measures how long an answer takes, or asks for
    /// whichever message is the newest. Nothing is answered beside it, and it comes last.
    Server,
}

impl Needs {
    /// What is usual for a kind: a control at the doors or with messages of its own that doesn't say otherwise is taken to log in
    /// and to bring mail.
    pub const fn usual(probe: Probe, check: &Check) -> Self {
        match (check, probe) {
            (Check::Look(_) | Check::Every(_) | Check::Stated { .. }, _) => Needs::Host,
            (Check::Ask(_), Probe::Names) => Needs::Nothing,
            (Check::Ask(_), _) => Needs::AccountAndMail,
        }
    }

    /// Whether what needs this may be answered beside what needs that.
    pub const fn goes_beside(self, other: Self) -> bool {
        match (self, other) {
            (Needs::Server, _) | (_, Needs::Server) | (Needs::Host, Needs::Host) => false,
            _ => !(self.logs_in() && other.logs_in() || self.brings_mail() && other.brings_mail()),
        }
    }

    const fn logs_in(self) -> bool {
        matches!(self, Needs::Account | Needs::AccountAndMail)
    }

    const fn brings_mail(self) -> bool {
        matches!(self, Needs::Mail | Needs::AccountAndMail)
    }
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
