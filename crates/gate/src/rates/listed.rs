//! What an administrator sees of the rate guard, and does to it.

use super::source::named_by;
use super::{Beside, RateKind, Rates, Source, judge};
use mailward_core::limits::RATE_LISTED_MAX;
use mailward_core::{RateStep, Timestamp};
use serde::{Deserialize, Serialize};

/// A source that went beyond warn, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateInfo {
    /// What it is.
    pub kind: RateKind,
    /// It, in words. Senders are what somebody wrote.
    pub name: String,
    /// Messages in the window that were let pass.
    pub messages: u64,
    /// Their recipients.
    pub recipients: u64,
    /// Recipients that were refused.
    pub refused: u64,
    /// Messages that were put off or refused for it.
    pub turned_away: u64,
    /// The step that it is beyond now; `None`: it is below all of them again.
    pub step: Option<RateStep>,
    /// When it first went beyond warn.
    pub since: Timestamp,
    /// Everything of it is refused until then.
    pub alarm_until: Option<Timestamp>,
}

/// What was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateReset {
    /// Kinds of sources of this name that were counted.
    pub kinds: Vec<RateKind>,
}

impl Rates {
    /// Sources that went beyond warn since what is counted of them came, and are beyond `over` now if that is said: those that
    /// have most come first, at most `limits::RATE_LISTED_MAX`.
    #[must_use]
    pub fn list(&self, over: Option<RateStep>) -> Vec<RateInfo> {
        let settings = self.settings.load();
        let (now, time) = self.now();
        let mut all = Vec::new();
        for mut part in self.table.parts() {
            for named in part.beside.named.values_mut() {
                let _brought_to_now = named.alarmed_until(time);
            }
            for (number, named) in &part.beside.named {
                let slot = part.look(*number, now.slot).unwrap_or_default();
                let alarm_until = named.alarm.filter(|until| *until > time);
                let limits = settings.of_kind(named.kind);
                let step = judge(&slot.counts, &limits, alarm_until.is_some(), now).map(|judged| judged.step);
                let messages = slot.counts.messages.in_window(now);
                let info = RateInfo {
                    kind: named.kind,
                    name: named.name.clone(),
                    messages,
                    recipients: slot.counts.recipients.in_window(now),
                    refused: slot.counts.refused.in_window(now),
                    turned_away: slot.counts.tried_messages.in_window(now).saturating_sub(messages),
                    step,
                    since: named.since,
                    alarm_until,
                };
                let is_nothing = (info.messages, info.refused, info.turned_away) == (0, 0, 0) && step.is_none();
                if !is_nothing && over.is_none_or(|over| step >= Some(over)) {
                    all.push(info);
                }
            }
        }
        let most = |info: &RateInfo| info.messages.saturating_add(info.turned_away).max(info.refused);
        all.sort_by(|a, b| (b.step, most(b), &a.name).cmp(&(a.step, most(a), &b.name)));
        all.truncate(RATE_LISTED_MAX);
        all
    }

    /// Forgets what was counted of an address (sender and user), a domain, a host or a network, and ends its alarm.
    ///
    /// # Errors
    /// That the text names nothing of these, in words.
    pub fn reset(&self, text: &str) -> Result<RateReset, String> {
        let mut kinds = Vec::new();
        let named_by = named_by(text, &self.key)?;
        let mut numbers = named_by.numbers.clone();
        // What isn't proven counts by networks; those matter here that went beyond warn, which have names.
        for part in self.table.parts() {
            let named = part.beside.named.iter().filter(|(_, named)| named_by.is_unproven(named.kind, &named.name));
            numbers.extend(named.map(|(number, named)| (named.kind, *number)));
        }
        for (kind, number) in numbers {
            let Some(mut part) = self.table.part(number) else { continue };
            let known = part.forget(number);
            let Beside { named, unwritten, kept } = &mut part.beside;
            let was_named = named.remove(&number).is_some();
            kept.retain(|other| *other != number);
            *unwritten = true;
            if (known || was_named) && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        Ok(RateReset { kinds })
    }
}

impl super::Settings {
    /// Steps of a kind, without what a rule says.
    fn of_kind(&self, kind: RateKind) -> mailward_core::RateLimits {
        let config = &self.config;
        match kind {
            RateKind::Address => config.address,
            RateKind::Domain => config.domain,
            RateKind::Host => config.host,
            RateKind::Network => config.network,
            RateKind::Account => config.account,
            RateKind::OwnDomain => config.own_domain,
            RateKind::Client => config.client,
        }
    }

    /// The steps for a source; a rule's own for the host, if it has some.
    pub(super) fn limits(&self, source: &Source<'_>, of: &super::Subjects<'_>) -> mailward_core::RateLimits {
        let limits = self.of_kind(source.kind);
        match source.kind {
            RateKind::Host | RateKind::Client => of.own.instead_of(limits),
            _ => limits,
        }
    }
}
