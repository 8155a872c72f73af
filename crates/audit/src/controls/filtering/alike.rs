//! Whether mail that only looks as if it came from a colleague is marked.

use super::injection::fields_named;
use crate::control::Control;
use crate::doors::our_domain;
use crate::finding::{Exhibit, Finding};
use crate::inject::{By, Fate, Followed, Says, Specimen, Trial, injected, specimens};
use crate::scene::Scene;
use std::collections::BTreeSet;

pub(in crate::controls) const ALIKE: &[Control] = &[injected!(
    Filtering,
    "FLT-16",
    5,
    None,
    None,
    "Is mail marked whose sender only looks like somebody of yours?",
    "Most programs show the name alone. \"The boss\" who writes from elsewhere needs no forged address, and passes every proof.",
    "As a stranger, three messages are sent to the audit's account: with an address of yours as the name, with a name of letters of two writings, and from a \
     domain that begins with yours. Each must be refused, kept, filed into Junk, or say something in its header that a harmless message doesn't. \
     One part in three of the points is for each.",
    "`mailward rules add` and docs/rules.md: a rule that marks what you know is written in your names; spam.mark lower (and `mailward reload`) shows more.",
    "practice: orders to pay that a forged boss gave",
    |scene| alike(scene),
)];

async fn alike(scene: &Scene) -> Finding {
    const ID: &str = "FLT-16";
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let plainly = trial.plainly();
    let twin = trial.follow(ID, &specimens::plain(), &plainly).await;
    let Fate::Arrived(harmless) = &twin.fate else {
        let why = format!("a harmless message doesn't arrive, so nothing can be told: {}", twin.fate.words());
        return Finding::not_tested(why).showing(twin.name, twin.transcript);
    };
    let usual: BTreeSet<String> = harmless.iter().flat_map(|one| marks(&one.header)).collect();
    let us = our_domain(scene, trial.door);
    let elsewhere = "boss@mailward-audit.invalid";
    let mut all = Vec::new();
    for (name, from) in [
        ("a colleague's address as the name", format!("\"boss@{us}\" <{elsewhere}>")),
        ("a name of two writings", format!("=?utf-8?q?The_b=D0=BEss?= <{elsewhere}>")),
        ("a domain that begins with ours", format!("The boss <boss@{us}.mailward-audit.invalid>")),
    ] {
        let says = Says { fields: format!("From: {from}\r\n"), ..plainly.clone() };
        all.push(trial.follow(ID, &Specimen { name, ..specimens::plain() }, &says).await);
    }
    let unknown: Vec<String> = all.iter().filter(|one| told(one, &usual).is_none()).map(words).collect();
    if !unknown.is_empty() {
        return Finding::not_tested(format!("of {} nobody can tell: {}", unknown.len(), unknown.join("; ")));
    }
    let bad: Vec<String> = all.iter().filter(|one| told(one, &usual) == Some(false)).map(words).collect();
    let said = match bad.as_slice() {
        [] => "each is kept away, or marked".to_owned(),
        bad => format!("unmarked: {}", bad.join("; ")),
    };
    let shown = all.iter().map(|one| Exhibit { input: one.name.clone(), output: one.fate.words().into_bytes() });
    Finding::of(all.len().saturating_sub(bad.len()), all.len(), said).showing_all(shown)
}

fn words(one: &Followed) -> String {
    format!("{}: {}", one.name, one.fate.words())
}

/// Whether its reader is told; `None`: nobody knows.
fn told(one: &Followed, usual: &BTreeSet<String>) -> Option<bool> {
    match &one.fate {
        Fate::Refused(_) | Fate::Kept(_) | Fate::NotLet(..) => Some(true),
        Fate::Arrived(_) if !one.fate.is_in_inbox() => Some(true),
        Fate::Arrived(all) => Some(all.iter().any(|one| marks(&one.header).any(|mark| !usual.contains(&mark)))),
        _ => None,
    }
}

/// Words that filters write into a header, without their figures.
fn marks(header: &[u8]) -> impl Iterator<Item = String> {
    const FIELDS: [&str; 5] = ["mailward-verdict", "x-spam-status", "x-spam-flag", "x-spamd-result", "x-spam-report"];
    let values: Vec<String> = FIELDS.iter().flat_map(|name| fields_named(header, name)).collect();
    values.into_iter().flat_map(|value| {
        let words =
            value.split([' ', ';', ',', '\t']).map(|word| word.split(['=', '(']).next().unwrap_or_default().to_owned());
        words.filter(|word| word.chars().any(char::is_alphabetic)).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_words_without_their_figures() {
        let header = b"Mailward-Verdict: deliver; score=2.80;\r\n\tspam/first-contact=0.30;\r\n\tspam/name-is-address=2.50\r\nX: y\r\n";
        let all: Vec<String> = marks(header).collect();
        assert_eq!(all, ["deliver", "score", "spam/first-contact", "spam/name-is-address"]);
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_the_reading(header in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _marks = marks(&[b"X-Spam-Status: ".to_vec(), header].concat()).count();
        }
    }
}
