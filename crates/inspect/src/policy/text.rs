//! What a rule looks for in a text.

use super::rule::RuleError;
use mailward_core::config::is_name;
use mailward_core::limits::{CONTENT_PATTERN_MAX, CONTENT_PATTERN_RUNS_MAX, CONTENT_TERM_MAX};
use mailward_message::decode::fold;
use regex::{Regex, RegexBuilder};
use std::cmp::Ordering;
use std::fmt;

/// What is sought.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Whole words, whatever their case, accents and blanks.
    Phrase(String),
    /// A regular expression, whatever the case; `^` and `$` are the ends of lines. Between slashes.
    Expression(Expression),
    /// One of the words and phrases of a dictionary: `dictionary:NAME`.
    Dictionary(String),
    /// A number of a payment card: `detect:card`.
    Card,
    /// A number of a bank account (ISO 13616): `detect:iban`.
    Iban,
}

/// A compiled expression, which is the same if it is written the same.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// [`RuleError::Pattern`].
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let bad = |why: &str| RuleError::Pattern(text.to_owned(), why.to_owned());
        if let Some(rest) = text.strip_prefix('/') {
            let source = rest.strip_suffix('/').filter(|source| !source.is_empty());
            let source = source.ok_or_else(|| bad("an expression stands between slashes"))?;
            return Expression::new(source).map(Self::Expression).map_err(|why| bad(&why));
        }
        if let Some(name) = text.strip_prefix("dictionary:") {
            return if is_name(name) {
                Ok(Self::Dictionary(name.to_owned()))
            } else {
                Err(bad("no name of a dictionary"))
            };
        }
        match text.strip_prefix("detect:") {
            Some("card") => return Ok(Self::Card),
            Some("iban") => return Ok(Self::Iban),
            Some(_) => return Err(bad("there are detect:card and detect:iban")),
            None => {}
        }
        if text.len() > CONTENT_TERM_MAX || comparable(text).trim().is_empty() {
            return Err(bad("a word or a phrase stands there, or an expression between slashes"));
        }
        Ok(Self::Phrase(text.to_owned()))
    }
}

impl Expression {
    fn new(source: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(source)
            .case_insensitive(true)
            .multi_line(true)
            .size_limit(CONTENT_PATTERN_MAX)
            .dfa_size_limit(CONTENT_PATTERN_RUNS_MAX)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(most) => format!("it takes more than {most} bytes"),
                // The engine draws the place in several lines; the last says what it is.
                error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            })?;
        Ok(Self { source: source.to_owned(), regex })
    }
    /// The engine for it.
    #[must_use]
    pub const fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl PartialOrd for Expression {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Expression {
    fn cmp(&self, other: &Self) -> Ordering {
        self.source.cmp(&other.source)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Phrase(phrase) => f.write_str(phrase),
            Pattern::Expression(expression) => write!(f, "/{}/", expression.source),
            Pattern::Dictionary(name) => write!(f, "dictionary:{name}"),
            Pattern::Card => f.write_str("detect:card"),
            Pattern::Iban => f.write_str("detect:iban"),
        }
    }
}

/// A text in which phrases are sought: folded, accents and soft hyphens off, every run of blanks one blank.
pub(super) fn comparable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for c in fold(text).chars() {
        match c {
            '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' => {}
            c if c.is_whitespace() => blank = true,
            c => {
                if std::mem::take(&mut blank) {
                    out.push(' ');
                }
                out.push(c);
            }
        }
    }
    if blank {
        out.push(' ');
    }
    out
}

/// Whether what stands from here to there is whole words.
pub(super) fn is_whole(text: &str, from: usize, to: usize) -> bool {
    let within = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let first = text.get(from..).and_then(|rest| rest.chars().next());
    let last = text.get(..to).and_then(|rest| rest.chars().next_back());
    let before = text.get(..from).and_then(|rest| rest.chars().next_back());
    let after = text.get(to..).and_then(|rest| rest.chars().next());
    let cut = (within(before) && within(first)) || (within(last) && within(after));
    !cut
}
