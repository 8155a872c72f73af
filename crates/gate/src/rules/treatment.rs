//! What the rules say of somebody.

use super::book::Placed;
use mailward_core::rule::{Action, OwnLimits};
use std::sync::Arc;

/// What the rules say; made by [`super::RuleBook`] alone, as it may be a right.
#[derive(Clone, Debug)]
pub struct Treatment {
    action: Action,
    decided: bool,
    fits: Option<Arc<Placed>>,
    possible: Kinds,
    waits_for_name: bool,
    put_off: bool,
}

/// Kinds of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const fn of(action: &Action) -> Self {
        Self(match action {
            Action::Allow => 1,
            Action::Refuse { .. } => 2,
            Action::Relay => 4,
            Action::Skip => 8,
        })
    }
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    const fn contains(self, action: &Action) -> bool {
        self.0 & Self::of(action).0 != 0
    }
}

impl Treatment {
    /// What comes of the first rule that fits for sure (`None`: nobody's), and of those before it that may fit when more is
    /// known.
    pub(super) fn new(fits: Option<Arc<Placed>>, perhaps: Kinds, waits_for_name: bool, put_off: bool) -> Self {
        let action = fits.as_ref().map_or(Action::Allow, |placed| placed.rule.action().clone());
        let possible = perhaps.and(Kinds::of(&action));
        // Whichever of them it will be, the same comes of it.
        let decided = possible == Kinds::of(&action);
        Self { action: if decided { action } else { Action::Allow }, decided, fits, possible, waits_for_name, put_off }
    }

    /// What becomes of them. While that isn't decided, it is [`Action::Allow`]: no rights, and no refusal.
    #[must_use]
    pub const fn action(&self) -> &Action {
        &self.action
    }
    /// Whether nothing that isn't known yet can change it.
    #[must_use]
    pub const fn is_decided(&self) -> bool {
        self.decided
    }
    /// Whether they are refused, whatever else becomes known.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.action, Action::Refuse { .. })
    }
    /// Whether they are put off: a rule about names before the one that decides would refuse them if they had the name that
    /// it is about, or none, and theirs can't be known.
    #[must_use]
    pub const fn is_put_off(&self) -> bool {
        self.put_off && !self.is_refused()
    }
    /// The words of a refusal, if the rule has its own.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match &self.action {
            Action::Refuse { words } => words.as_deref(),
            Action::Allow | Action::Relay | Action::Skip => None,
        }
    }
    /// Whether they are asked for their reputation: not if every rule that may decide skips that, or refuses.
    #[must_use]
    pub const fn is_checked(&self) -> bool {
        self.possible.contains(&Action::Allow)
    }
    /// Whether a name that becomes known may change it: then it is to be asked for, whatever else isn't.
    #[must_use]
    pub const fn waits_for_name(&self) -> bool {
        !self.decided && self.waits_for_name
    }
    /// Whether they may send through us to others. Another place asks by which door they came, and as whom:
    /// [`crate::decide_inside`].
    #[must_use]
    pub const fn relays(&self) -> bool {
        matches!(self.action, Action::Relay)
    }
    /// Whether they may turn out to, when more is known.
    #[must_use]
    pub const fn may_relay(&self) -> bool {
        self.possible.contains(&Action::Relay)
    }
    /// Their own limits: `connections` when they connect, `recipients` when a recipient is known.
    #[must_use]
    pub fn limits(&self) -> OwnLimits {
        self.fits.as_ref().map(|placed| placed.rule.limits()).unwrap_or_default()
    }
    /// The rule that decides, if one does and it is decided.
    #[must_use]
    pub fn rule(&self) -> Option<&Arc<Placed>> {
        self.fits.as_ref().filter(|_| self.decided)
    }
}
