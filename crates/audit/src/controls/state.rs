//! What the server knows of itself. It tells facts ([`crate::State`]); what they are worth is decided here.

mod audits;
mod engines;
mod logins;
mod mail;
mod own;
mod server;
mod upkeep;
mod users;

pub(super) use audits::CONTROLS as AUDITS;
pub(super) use engines::CONTROLS as ENGINES;
pub(super) use logins::CONTROLS as LOGINS;
pub(super) use mail::CONTROLS as MAIL;
pub(super) use own::CONTROLS as OWN;
pub(super) use server::CONTROLS as SERVER;
pub(super) use upkeep::CONTROLS as UPKEEP;
pub(super) use users::CONTROLS as USERS;

use crate::area::Area;
use crate::control::{Check, Control, Probe};
use crate::finding::Finding;
use crate::host::Missed;
use crate::scene::Scene;
use crate::state::{Settings, State};
use mailward_core::Timestamp;

const DAY: i64 = 86_400;

/// A question to the server. Its words, in order: question, why, how it is verified, mend, source.
const fn known(id: &'static str, area: Area, weight: u8, check: Check, words: [&'static str; 5]) -> Control {
    Control::new(id, area, weight, Probe::State, check, words)
}

/// What was found, or why nothing could be.
type Told = Result<Finding, Missed>;

fn told(told: Told) -> Finding {
    told.unwrap_or_else(Finding::from)
}

/// A fact that the server tells; `what` names it for people.
fn fact<'a, T>(scene: &'a Scene, what: &str, of: fn(&'a State) -> Option<&'a T>) -> Result<&'a T, Missed> {
    of(scene.state()?).ok_or_else(|| Missed::NotReached(format!("the server doesn't tell {what}")))
}

/// The settings in force.
fn settings(scene: &Scene) -> Result<&Settings, Missed> {
    fact(scene, "its settings", |state| state.settings.as_ref())
}

/// What was seen of these settings, as the file would have it.
fn shown(settings: &Settings, keys: &[&str]) -> (String, Vec<u8>) {
    let lines = keys.iter().filter_map(|key| settings.0.get(*key).map(|value| format!("{key} = {value}\n")));
    ("the settings in force".to_owned(), lines.collect::<String>().into_bytes())
}

/// One a line, for evidence.
fn lines<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut text = String::new();
    for one in all {
        text.push_str(one.as_ref());
        text.push('\n');
    }
    text.into_bytes()
}

/// Whole days from then to now; none if a clock went back.
const fn days_since(then: Timestamp, now: Timestamp) -> i64 {
    let days = now.secs().saturating_sub(then.secs()).div_euclid(DAY);
    if days < 0 { 0 } else { days }
}

/// Some of many, for a sentence.
fn some<T: AsRef<str>>(all: &[T]) -> String {
    const NAMED: usize = 5;
    let named: Vec<&str> = all.iter().take(NAMED).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// All is well, or these aren't: of `all` things, those in `bad`.
fn without(bad: &[String], all: usize, well: impl Into<String>, ill: &str) -> Finding {
    if bad.is_empty() {
        return Finding::pass(well);
    }
    Finding::of(all.saturating_sub(bad.len()), all, format!("{ill}: {}", some(bad)))
}
