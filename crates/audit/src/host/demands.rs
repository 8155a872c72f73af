//! Demands that are met or not, and the finding that they make together.

use super::Missed;
use crate::area::Area;
use crate::control::{Control, Probe};
use crate::finding::Finding;
use mailward_core::limits::AUDIT_NAMED_MAX;

/// What a control of the host finds.
pub(crate) type Answer = Result<Finding, Missed>;

/// The finding of an answer: what was missed isn't tested.
pub(crate) fn tell(answer: Answer) -> Finding {
    answer.unwrap_or_else(Finding::from)
}

/// What all controls of the host have in common; the rest is each one's own.
pub(crate) const fn base(area: Area) -> Control {
    Control::of(area, Probe::Host)
}

/// Demands, each met or not.
#[derive(Default)]
pub(crate) struct Demands {
    met: usize,
    unmet: Vec<String>,
    seen: Vec<(String, Vec<u8>)>,
}

impl Demands {
    /// One more; `otherwise` says what is wrong if it isn't met.
    pub(crate) fn ask(&mut self, met: bool, otherwise: impl Into<String>) {
        if met {
            self.met = self.met.saturating_add(1);
        } else {
            self.unmet.push(otherwise.into());
        }
    }

    /// What was seen.
    pub(crate) fn show(&mut self, input: impl Into<String>, output: impl Into<Vec<u8>>) {
        self.seen.push((input.into(), output.into()));
    }

    /// Whether none was asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.met == 0 && self.unmet.is_empty()
    }

    /// In part where some are met.
    pub(crate) fn finding(self, good: impl Into<String>) -> Finding {
        let all = self.met.saturating_add(self.unmet.len());
        let met = self.met;
        let said = if self.unmet.is_empty() { good.into() } else { named(&self.unmet) };
        self.shown(Finding::of(met, all, said))
    }

    /// All or nothing.
    pub(crate) fn finding_of_all(self, good: impl Into<String>) -> Finding {
        let finding = if self.unmet.is_empty() { Finding::pass(good) } else { Finding::fail(named(&self.unmet)) };
        self.shown(finding)
    }

    fn shown(self, finding: Finding) -> Finding {
        self.seen.into_iter().fold(finding, |finding, (input, output)| finding.showing(input, output))
    }
}

/// The first of them by name, the rest by number.
pub(crate) fn named<S: AsRef<str>>(things: &[S]) -> String {
    let first: Vec<&str> = things.iter().take(AUDIT_NAMED_MAX).map(AsRef::as_ref).collect();
    match things.len().saturating_sub(first.len()) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_rest_counted() {
        let many: Vec<String> = (0..AUDIT_NAMED_MAX + 3).map(|number| number.to_string()).collect();
        assert!(named(&many).ends_with("; 11; and 3 more"), "{}", named(&many));
        assert_eq!(named(&["a", "b"]), "a; b");
    }
}
