//! Which rule decides, and why none before it does.

use super::book::{Placed, RuleBook};
use super::fit::{Client, Facts, Fit, Miss, Missing, fit};
use super::treatment::Treatment;
use mailward_core::Address;
use std::sync::Arc;

/// Rules that were walked past, and what comes of it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Every rule up to the one that fits, or all.
    pub passed: Vec<Passed>,
    /// The answer.
    pub treatment: Treatment,
    /// The first rule that fits for sure, also where one before it may fit yet.
    pub fits: Option<Arc<Placed>>,
}

/// A rule that didn't fit, or may fit when more is known.
#[derive(Clone, Debug)]
pub struct Passed {
    /// Which.
    pub placed: Arc<Placed>,
    /// Why it didn't, or what isn't known.
    pub why: Result<Miss, Missing>,
}

impl RuleBook {
    /// The same as [`RuleBook::of`], told rule by rule; it asks all of them.
    #[must_use]
    pub fn explain(&self, client: &Client<'_>, from: Option<Option<&Address>>, to: Option<&Address>) -> Explained {
        let facts = Facts { client: *client, from, to };
        let (mut passed, mut fits) = (Vec::new(), None);
        for placed in self.all() {
            let why = match fit(&placed.rule, &facts) {
                Fit::Yes => {
                    fits = Some(placed);
                    break;
                }
                Fit::No(miss) => Ok(miss),
                Fit::NotYet(missing) => Err(missing),
            };
            passed.push(Passed { placed, why });
        }
        Explained { passed, treatment: self.of(client, from, to), fits }
    }
}
