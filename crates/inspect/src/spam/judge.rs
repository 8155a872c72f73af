//! How likely a message is spam, by what was learned.
//!
//! Two readings of the same tokens are added. **Weights**: an online logistic regression, in which each message that is learned
//! moves the weights of its tokens by one step, the same for all of them, as large as the judgement of it was wrong. The step is
//! remembered with the message, so that taking it back is exact. **Counts**: in how many messages of each kind a token was, as
//! naive Bayes reads it. The weights tell kinds apart where they are like each other; the counts hold where mail changes.
//!
//! The weights are read of the whole message. The counts are read of each [`Witness`] by itself, by its own length, and none of them
//! says more than [`LOUDEST`]: what a header tells is a few words beside a text's thousand, and is worth as much.
//!
//! A user's weights are learned on top of the server's: what the server gets right already moves them little.

use super::table::Table;
use super::witness::{WITNESSES, Witness};
use mailward_core::limits::{SPAM_LEARNED_LEAST, SPAM_USER_LEAST};
use mailward_store::records::Lesson;

/// Parts of one unit of a weight.
const UNIT: f64 = 65_536.0;
/// How far one message moves the judgement of itself, if that was quite wrong.
const RATE: f64 = 30.0;
/// A judgement that is wrong by less than this moves nothing: tokens of what is well known don't grow without end.
const KNOWN: f64 = 0.02;
/// How much what the weights say counts.
const WEIGHTS: f64 = 0.15;
/// Most that one witness's counts say, either way.
const LOUDEST: f64 = 1.6;
/// What a token that nobody saw counts for, in messages, before its own count.
const PRIOR: f64 = 0.02;
/// Messages that a token has to be in until half of what it says is believed.
const DOUBT: f64 = 0.5;
/// A token that is nearer to the middle than this says nothing.
const INDIFFERENT: f64 = 0.1;
/// Where fewer honest messages than spam are known: how often a token that none of them has may be in honest mail, in messages as many
/// as those that are known. Most words of honest mail are in none of twenty letters, and many of them in one of five hundred spams.
const UNSEEN: f64 = 0.2;
/// Messages of the rarer kind after which half of what speaks against a message is said.
const GROWN: f64 = 30.0;
/// Fewer tokens than this count as so many: a message of three words proves little.
const TOKENS_LEAST: f64 = 64.0;
/// From the sum to the odds.
const ODDS: f64 = 1.25;

/// How much a witness's counts count, and fewer tokens than what count as so many. A regression over what each said of messages that
/// weren't learned; twice or half as much changes little.
const fn heard(witness: Witness) -> (f64, f64) {
    match witness {
        Witness::Rest => (0.0, 1.0),
        Witness::Subject => (0.07, 16.0),
        Witness::Author => (0.063, 32.0),
        Witness::Order => (0.073, 8.0),
        Witness::Route => (0.128, 8.0),
        Witness::Shape => (0.218, 8.0),
        Witness::Text => (0.027, 64.0),
        Witness::Links => (0.056, 16.0),
    }
}

/// Each at its place.
const ALL: [Witness; WITNESSES] = [
    Witness::Rest,
    Witness::Subject,
    Witness::Author,
    Witness::Order,
    Witness::Route,
    Witness::Shape,
    Witness::Text,
    Witness::Links,
];

/// What is known of a message by its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    /// Below 0 for ham, above for spam; about 0.8 is reached by one honest message in thousands.
    pub margin: f64,
    /// Tokens that are known.
    pub known: usize,
    /// Tokens.
    pub tokens: usize,
}

impl Judged {
    /// How likely it is spam, 0 to 1.
    #[must_use]
    pub fn probability(&self) -> f64 {
        1.0 / (1.0 + (-ODDS * self.margin).exp())
    }
}

/// Judges by the tables there are: the server's, and perhaps a user's. `None`: not enough was learned to say anything.
#[must_use]
pub fn judge(tokens: &[u64], server: &Table, user: Option<&Table>) -> Option<Judged> {
    let learned = |of: fn(&Table) -> u64| of(server).saturating_add(user.map_or(0, of));
    let rarer = learned(|table| table.spam).min(learned(|table| table.ham));
    if rarer < SPAM_LEARNED_LEAST {
        return None;
    }
    let (weights, mut counts) = sums(tokens, server);
    let mut known = counts.known;
    let mut linear = weights;
    if let Some(user) = user {
        let (weights, own) = sums(tokens, user);
        linear += weights * trust(user);
        counts.said.iter_mut().zip(own.said).for_each(|(said, own)| *said += own * trust(user));
        known = known.max(own.known);
    }
    let mut margin = WEIGHTS * scaled(linear, tokens) + together(&counts.said, tokens);
    if margin > 0.0 {
        margin *= small(rarer) / (small(rarer) + GROWN);
    }
    Some(Judged { margin, known, tokens: tokens.len() })
}

/// What the counts of all witnesses say.
fn together(said: &[f64; WITNESSES], tokens: &[u64]) -> f64 {
    let mut lengths = [0u32; WITNESSES];
    for token in tokens {
        if let Some(length) = lengths.get_mut(Witness::place_of(*token)) {
            *length = length.saturating_add(1);
        }
    }
    let each = ALL.into_iter().zip(said).zip(lengths).map(|((witness, said), length)| {
        let (loud, least) = heard(witness);
        (loud * said / f64::from(length).max(least).sqrt()).clamp(-LOUDEST, LOUDEST)
    });
    each.sum()
}

/// How much a user's own table counts: little while they said only one thing of mail, as everything would look like that.
fn trust(user: &Table) -> f64 {
    let least = small(user.spam.min(user.ham).min(SPAM_USER_LEAST));
    0.2 + 0.8 * least / small(SPAM_USER_LEAST)
}

/// By how much the weight of each token is to change for a message to be judged as somebody says, for [`Table`]s that don't know
/// it yet.
#[must_use]
pub fn step(tokens: &[u64], server: &Table, user: Option<&Table>, lesson: Lesson) -> i32 {
    step_without(tokens, server, user, lesson, 0)
}

/// The same for tables that know it with another lesson, by which each of its tokens has this weight.
pub(super) fn step_without(tokens: &[u64], server: &Table, user: Option<&Table>, lesson: Lesson, before: i32) -> i32 {
    let mut linear = sums(tokens, server).0;
    if let Some(user) = user {
        linear += sums(tokens, user).0;
    }
    linear -= f64::from(before) / UNIT * small(u64::try_from(tokens.len()).unwrap_or(u64::MAX));
    let judged = 1.0 / (1.0 + (-scaled(linear, tokens)).exp());
    let wrong = if lesson == Lesson::Spam { 1.0 - judged } else { -judged };
    if wrong.abs() < KNOWN {
        return 0;
    }
    let step = RATE * wrong * UNIT / length(tokens);
    #[expect(clippy::cast_possible_truncation, reason = "at most RATE * UNIT / 8")]
    {
        step as i32
    }
}

#[derive(Clone, Copy, Default)]
struct Counted {
    said: [f64; WITNESSES],
    known: usize,
}

/// Sums over the tokens that a table knows.
fn sums(tokens: &[u64], table: &Table) -> (f64, Counted) {
    let mut linear = 0i64;
    let mut counted = Counted::default();
    let mut odds = Odds::of(table);
    for token in tokens {
        let Some(counts) = table.get(*token) else { continue };
        linear = linear.saturating_add(counts.weight.into());
        counted.known = counted.known.saturating_add(1);
        if let Some(said) = counted.said.get_mut(Witness::place_of(*token)) {
            *said += odds.say(counts.spam, counts.ham);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a sum of some thousand weights")]
    let linear = linear as f64 / UNIT;
    (linear, counted)
}

/// Counts below this are most of them: what they say is worked out once.
const FEW: u32 = 8;

/// What counts of a token say in one table.
struct Odds {
    both: bool,
    per_spam: f64,
    per_ham: f64,
    /// Share of honest messages that a token may be in though none that is known has it.
    unseen: f64,
    few: [Option<f64>; (FEW * FEW) as usize],
}

impl Odds {
    fn of(table: &Table) -> Self {
        let both = table.spam > 0 && table.ham > 0;
        let (per_spam, per_ham) = (1.0 / small(table.spam.max(1)), 1.0 / small(table.ham.max(1)));
        let unseen = UNSEEN * (per_ham - per_spam).max(0.0);
        Self { both, per_spam, per_ham, unseen, few: [None; (FEW * FEW) as usize] }
    }

    /// The logarithm of the odds of a token that was in so many messages of each kind, as far as it is believed.
    fn say(&mut self, spam: u32, ham: u32) -> f64 {
        if !self.both {
            return 0.0;
        }
        if spam >= FEW || ham >= FEW {
            return self.work_out(spam, ham);
        }
        let at = usize::try_from(spam.saturating_mul(FEW).saturating_add(ham)).unwrap_or(usize::MAX);
        if let Some(Some(known)) = self.few.get(at) {
            return *known;
        }
        let said = self.work_out(spam, ham);
        if let Some(place) = self.few.get_mut(at) {
            *place = Some(said);
        }
        said
    }

    fn work_out(&self, spam: u32, ham: u32) -> f64 {
        let (spam, ham) = (f64::from(spam), f64::from(ham));
        let seen = spam + ham;
        if seen <= 0.0 {
            return 0.0;
        }
        let share = spam * self.per_spam / (spam * self.per_spam + ham * self.per_ham + self.unseen);
        let likely = (PRIOR * 0.5 + seen * share) / (PRIOR + seen);
        if (likely - 0.5).abs() < INDIFFERENT {
            return 0.0;
        }
        // What is in both kinds says less than its odds, and what was seen once or twice may be chance.
        let one_sided = 2.0 * share - 1.0;
        (likely / (1.0 - likely)).ln() * one_sided * one_sided * seen / (seen + DOUBT)
    }
}

fn scaled(sum: f64, tokens: &[u64]) -> f64 {
    sum / length(tokens)
}

fn length(tokens: &[u64]) -> f64 {
    small(u64::try_from(tokens.len()).unwrap_or(u64::MAX)).max(TOKENS_LEAST).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages and tokens are below 2^52")]
const fn small(count: u64) -> f64 {
    count as f64
}
