//! What speaks for and against a stranger: signs, their points, and what follows from them all.
//!
//! No sign of its own refuses anybody, but for lists whose weight an administrator chose so. What follows is told with
//! every sign that was seen, so that nobody has to guess (*every verdict explains itself*).

use mailward_core::config::Guard;
use mailward_core::limits::JUDGEMENT_SIGNS_MAX;
use std::fmt;

/// A sign whose points are fixed. Lists have a weight of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Its address has no name.
    NoReverse,
    /// Its address has a name that doesn't lead back.
    Unconfirmed,
    /// Nobody answers for its name.
    ReverseFailed,
    /// Its name is made from its address.
    Generated,
    /// It calls itself as we are called.
    HelloOurs,
    /// It calls itself by an address that isn't its own.
    HelloLiteral,
    /// It calls itself what is no host's name.
    HelloNoName,
    /// The name it gave leads to it.
    HelloConfirmed,
    /// SPF: the sender's domain says that it may not send.
    SpfFail,
    /// SPF: the sender's domain says that it likely may not send.
    SpfSoftFail,
    /// SPF: the sender's domain has a record that can't be understood.
    SpfPermError,
    /// SPF: what the sender's domain says can't be known now.
    SpfTempError,
    /// SPF: the sender's domain says that it may send.
    SpfPass,
    /// It spoke before it was greeted.
    EarlyTalker,
    /// It sent commands behind EHLO without waiting for the answer.
    Hasty,
    /// It asked for many recipients that aren't there.
    UnknownRecipients,
    /// Somebody here wrote to the sender, and the client is proven to be the sender's.
    Correspondent,
}

/// A row of the table: the sign, its word in logs, its points, and why so many.
struct Row(Sign, &'static str, i32, &'static str);

/// Every sign. Two weak ones look bad together; one strong one does alone.
const TABLE: &[Row] = &[
    Row(
        Sign::NoReverse,
        "no-reverse",
        2,
        "mail servers have a name, as others demand one; some honest small ones don't",
    ),
    Row(Sign::Unconfirmed, "reverse-unconfirmed", 1, "often a provider's carelessness"),
    Row(Sign::ReverseFailed, "reverse-failed", 1, "a fault of the DNS, or of its owner's making"),
    Row(Sign::Generated, "reverse-generated", 2, "the name of a customer's line, rarely of a mail server"),
    Row(Sign::HelloOurs, "hello-ours", 5, "nobody else is called so: a lie"),
    Row(Sign::HelloLiteral, "hello-literal", 4, "an address that isn't its own: a lie, or a broken translator"),
    Row(Sign::HelloNoName, "hello-no-name", 2, "RFC 5321 §4.1.4 wants a name; careless set-ups give none"),
    Row(Sign::HelloConfirmed, "hello-confirmed", -1, "a server that somebody looks after"),
    Row(Sign::SpfFail, "spf-fail", 4, "the domain says so; yet forwarding that keeps the sender looks the same"),
    Row(Sign::SpfSoftFail, "spf-softfail", 2, "the domain isn't sure itself"),
    Row(Sign::SpfPermError, "spf-permerror", 1, "nothing is proven by a broken record"),
    Row(
        Sign::SpfTempError,
        "spf-temperror",
        3,
        "who forges a sender can bring it about; an honest one that looks well isn't put off for it",
    ),
    Row(Sign::SpfPass, "spf-pass", -1, "a sender that isn't forged; spammers have domains too"),
    Row(Sign::EarlyTalker, "early-talker", 5, "it doesn't read what it is told; where that isn't refused outright"),
    Row(Sign::Hasty, "hasty", 2, "it doesn't read what EHLO offers (RFC 2920 §3.1)"),
    Row(Sign::UnknownRecipients, "unknown-recipients", 3, "it guesses, or its list is old"),
    Row(Sign::Correspondent, "correspondent", -6, "somebody here wants its mail"),
];

impl Sign {
    /// Every sign.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }
    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.0 == self)
    }
    /// Its word in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.1)
    }
    /// Its points; against the stranger if they are above 0.
    #[must_use]
    pub fn points(self) -> i32 {
        self.row().map_or(0, |row| row.2)
    }
    /// Why it has so many.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.row().map_or("", |row| row.3)
    }
}

/// What was seen, with its points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A sign.
    Sign(Sign),
    /// On a list of addresses or domains: the list's name, and its weight; below 0 it is an allow list.
    Listed {
        /// The list's name.
        list: String,
        /// Its weight.
        weight: i32,
    },
}

impl Evidence {
    /// Its points.
    #[must_use]
    pub fn points(&self) -> i32 {
        match self {
            Self::Sign(sign) => sign.points(),
            Self::Listed { weight, .. } => *weight,
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sign(sign) => write!(f, "{}{:+}", sign.name(), sign.points()),
            Self::Listed { list, weight } => write!(f, "listed:{list}{weight:+}"),
        }
    }
}

/// From how many points on what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Looks bad: greeted late, put off at first.
    pub greylist_at: i32,
    /// Refused.
    pub refuse_at: i32,
}

impl From<&Guard> for Marks {
    fn from(guard: &Guard) -> Self {
        let points = |mark: usize| i32::try_from(mark).unwrap_or(i32::MAX);
        Self { greylist_at: points(guard.greylist_at), refuse_at: points(guard.refuse_at) }
    }
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing.
    Well,
    /// It looks bad.
    Bad,
    /// It is refused.
    Refused,
}

/// What was seen of a stranger so far, each once. The default is nothing, and well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    evidence: Vec<Evidence>,
}

impl Judgement {
    /// Adds what was seen; twice is once. Beyond `limits::JUDGEMENT_SIGNS_MAX` nothing is added.
    pub fn add(&mut self, evidence: Evidence) {
        if self.evidence.len() < JUDGEMENT_SIGNS_MAX && !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
    }
    /// The same for a sign.
    pub fn sign(&mut self, sign: Sign) {
        self.add(Evidence::Sign(sign));
    }
    /// The same for a list.
    pub fn listed(&mut self, list: &str, weight: i32) {
        self.add(Evidence::Listed { list: list.to_owned(), weight });
    }
    /// Everything of another judgement as well.
    pub fn take(&mut self, other: &Self) {
        for evidence in &other.evidence {
            self.add(evidence.clone());
        }
    }
    /// All points together.
    #[must_use]
    pub fn score(&self) -> i32 {
        self.evidence.iter().fold(0i32, |sum, one| sum.saturating_add(one.points()))
    }
    /// What was seen, in the order in which it was.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
    /// Whether a sign was seen.
    #[must_use]
    pub fn has(&self, sign: Sign) -> bool {
        self.evidence.contains(&Evidence::Sign(sign))
    }
    /// Whether an allow list has it.
    #[must_use]
    pub fn is_allow_listed(&self) -> bool {
        self.evidence.iter().any(|one| matches!(one, Evidence::Listed { weight, .. } if *weight < 0))
    }
    /// What speaks most against it, the first of several; `None` if nothing does.
    #[must_use]
    pub fn heaviest(&self) -> Option<&Evidence> {
        let against = self.evidence.iter().rev().filter(|one| one.points() > 0);
        against.max_by_key(|one| one.points())
    }
    /// Whether it is refused for good: also without what may be known soon.
    #[must_use]
    pub fn is_final(&self, marks: Marks) -> bool {
        let passing = if self.has(Sign::SpfTempError) { Sign::SpfTempError.points() } else { 0 };
        self.score().saturating_sub(passing) >= marks.refuse_at
    }
    /// What follows.
    #[must_use]
    pub fn verdict(&self, marks: Marks) -> Verdict {
        match self.score() {
            score if score >= marks.refuse_at => Verdict::Refused,
            score if score >= marks.greylist_at => Verdict::Bad,
            _ => Verdict::Well,
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.evidence.is_empty() {
            return f.write_str("none");
        }
        for (index, one) in self.evidence.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{one}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marks() -> Marks {
        Marks::from(&Guard::default())
    }

    fn judged(signs: &[Sign]) -> Judgement {
        let mut judgement = Judgement::default();
        signs.iter().for_each(|sign| judgement.sign(*sign));
        judgement
    }

    #[test]
    fn no_sign_of_its_own_refuses_and_no_weak_one_puts_off() {
        for sign in Sign::all() {
            assert!(judged(&[sign]).verdict(marks()) < Verdict::Refused, "{}", sign.name());
            assert_eq!(Sign::all().filter(|other| other.name() == sign.name()).count(), 1);
        }
        for weak in [Sign::NoReverse, Sign::Unconfirmed, Sign::Generated, Sign::HelloNoName, Sign::SpfSoftFail] {
            assert_eq!(judged(&[weak]).verdict(marks()), Verdict::Well, "{}", weak.name());
        }
    }

    #[test]
    fn what_comes_together_weighs_together() {
        assert_eq!(judged(&[]).verdict(marks()), Verdict::Well);
        assert_eq!(judged(&[Sign::Generated, Sign::HelloNoName]).verdict(marks()), Verdict::Bad);
        let worst = judged(&[Sign::NoReverse, Sign::HelloOurs, Sign::SpfFail]);
        assert_eq!((worst.score(), worst.verdict(marks())), (11, Verdict::Refused));
        let mut known = judged(&[Sign::Generated, Sign::HelloNoName, Sign::Correspondent]);
        assert_eq!(known.verdict(marks()), Verdict::Well);
        known.listed("bl.example", 7);
        assert_eq!(known.to_string(), "reverse-generated+2,hello-no-name+2,correspondent-6,listed:bl.example+7");
        assert_eq!(known.verdict(marks()), Verdict::Bad);
        assert_eq!(judged(&[]).to_string(), "none");
    }

    #[test]
    fn what_is_seen_twice_counts_once_and_the_heaviest_is_named() {
        let mut judgement = judged(&[Sign::NoReverse, Sign::NoReverse, Sign::SpfFail]);
        judgement.listed("bl.example", 4);
        judgement.listed("bl.example", 4);
        judgement.listed("wl.example", -3);
        assert_eq!(judgement.score(), 7);
        assert_eq!(judgement.heaviest(), Some(&Evidence::Sign(Sign::SpfFail)), "the first of two that weigh the same");
        assert!(judgement.is_allow_listed());
        assert_eq!(judged(&[Sign::SpfPass]).heaviest(), None);
    }

    #[test]
    fn the_page_for_administrators_has_every_sign_as_it_is() {
        let page = include_str!("../../../docs/gate.md");
        for sign in Sign::all() {
            let row = format!("| `{}` | {:+} | {} |", sign.name(), sign.points(), sign.reason());
            assert!(page.contains(&row), "docs/gate.md lacks: {row}");
        }
    }

    proptest! {
        #[test]
        fn lists_without_end_and_of_any_weight_are_weighed(lists in proptest::collection::vec(("[a-z]{1,9}", any::<i32>()), 0..200)) {
            let mut judgement = Judgement::default();
            for (list, weight) in &lists {
                judgement.listed(list, *weight);
            }
            prop_assert!(judgement.evidence().len() <= JUDGEMENT_SIGNS_MAX);
            let _any = (judgement.verdict(marks()), judgement.heaviest(), judgement.to_string());
        }
    }
}
