//! What each rule says of a message, one by one.

use super::book::{Placed, Rulebook};
use super::evidence;
use super::fit::Facts;
use crate::Subject;
use mailward_core::Domain;
use mailward_scan::Contents;

/// Files of one rule that are told.
const FILES_TOLD: usize = 20;

/// A rule and what it fits, whatever rules before it say.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which.
    pub placed: Placed,
    /// Why it can't fit, whatever the message holds: it is over, or for others.
    pub out: Option<&'static str>,
    /// What it fits, in words; the first of many.
    pub fits: Vec<String>,
}

impl Rulebook {
    /// What every rule says of a message by itself; see [`Rulebook::judge`] for what comes of all.
    #[must_use]
    pub fn explain(&self, subject: &Subject, contents: &Contents, proven: &[Domain]) -> Vec<Told> {
        let snapshot = self.snapshot();
        let mut facts = Facts::new(subject, contents, proven, &snapshot);
        let mut told = Vec::with_capacity(snapshot.rules.len());
        for (at, asked) in snapshot.rules.iter().enumerate() {
            let mut one = Told { placed: asked.placed.clone(), out: None, fits: Vec::new() };
            if asked.placed.rule.is_over(subject.now) {
                one.out = Some("it has expired");
            } else if facts.recipients(at).is_empty() {
                one.out = Some(if asked.placed.rule.asks_proof() {
                    "it is for other people, or nothing proves that the sender is who it says"
                } else {
                    "it is for other people"
                });
            } else if !asked.of_files {
                if facts.of_message(asked) {
                    one.fits.push(evidence::of_message(asked, subject, contents));
                }
            } else {
                for (index, item) in contents.items.iter().enumerate() {
                    if one.fits.len() >= FILES_TOLD || facts.is_tired() {
                        break;
                    }
                    if facts.of_file(asked, index, item) {
                        one.fits.push(evidence::of_file(asked, contents, index, item));
                    }
                }
                if one.fits.is_empty() && asked.of_types_alone {
                    let declared =
                        subject.structure.parts().map(|part| format!("{}/{}", part.media_type, part.subtype));
                    one.fits.extend(
                        declared.filter(|it| facts.of_type(asked, it)).take(1).map(|it| evidence::of_type(&it)),
                    );
                }
            }
            told.push(one);
        }
        told
    }
}
