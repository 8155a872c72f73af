//! What another server's answer means, in words for people.
//!
//! Answers are written by programs for programs, often in a provider's private language. [`explain`] says what happened
//! and what to do, for the one who sent the message and for the one who runs this server. Known answers of large
//! providers come from a table (`table.rs`), all others are read by their enhanced status (RFC 3463, 5248, 7372) or
//! code (RFC 5321). Nothing of an answer is in an explanation: whoever shows both escapes the answer.

use mailward_core::EnhancedStatus;
use mailward_core::limits::ANSWER_TEXT_MAX;

mod cause;
mod provider;
mod table;

pub use cause::Cause;
pub use provider::Place;

use provider::Provider;
use table::{KNOWN, Known};

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The reply's three digits; 0 if there was no reply: then the status and the text are ours.
    pub code: u16,
    /// Its enhanced status.
    pub status: Option<EnhancedStatus>,
    /// Its text, without the codes, or with them: they make no difference. Lines may end with LF. At most
    /// `limits::ANSWER_TEXT_MAX` bytes of it are read.
    pub text: &'a str,
    /// Who said so, a host name; empty if unknown.
    pub host: &'a str,
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What kind of thing happened.
    pub cause: Cause,
    /// What happened and what to do, for who sent the message. Whole sentences.
    pub for_sender: &'static str,
    /// What to look at, for who runs this server. Whole sentences.
    pub for_administrator: &'static str,
    /// Who can help, if it is known.
    pub where_to_ask: Option<Place>,
}

/// Explains an answer. Work grows with its text, up to the limit.
#[must_use]
pub fn explain(answer: &Answer<'_>) -> Explanation {
    let text = normal(answer.text);
    let provider = Provider::of(answer.host, &text);
    match best(answer, provider, &text) {
        Some(known) => {
            let cause = known.cause;
            let provider = provider.map(Provider::place).filter(|_| cause.is_the_provider_s());
            Explanation {
                cause,
                for_sender: cause.for_sender(),
                for_administrator: known.advice.unwrap_or(cause.for_administrator()),
                where_to_ask: known.place.or(provider),
            }
        }
        None => {
            let cause = Cause::of_codes(answer.code, answer.status);
            Explanation {
                cause,
                for_sender: cause.for_sender(),
                for_administrator: cause.for_administrator(),
                where_to_ask: provider.map(Provider::place).filter(|_| cause.is_the_provider_s()),
            }
        }
    }
}

/// The entry that says most of those that fit.
fn best(answer: &Answer<'_>, provider: Option<Provider>, text: &str) -> Option<&'static Known> {
    KNOWN.iter().filter(|known| known.fits(answer, provider, text)).max_by_key(|known| known.weight())
}

/// A text as the table's words are written: lower case, one blank between words, without the codes that servers repeat
/// on each line.
fn normal(text: &str) -> String {
    let end = text.floor_char_boundary(ANSWER_TEXT_MAX);
    let mut out = String::with_capacity(end);
    for word in text.get(..end).unwrap_or_default().split_whitespace() {
        let after_code = word.split_once('-').filter(|(code, _)| is_code(code)).map_or(word, |(_, rest)| rest);
        if after_code.is_empty() || is_code(word) || EnhancedStatus::parse(after_code).is_some() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&after_code.to_lowercase());
    }
    out
}

fn is_code(word: &str) -> bool {
    word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
