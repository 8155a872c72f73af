//! Whether refusals tell which users there are.

use crate::doors::{IMAP, NO_CANARY, quoted};
use crate::finding::Finding;
use crate::knock::{KnockError, Talk};
use crate::scene::{Door, Scene};
use mailward_core::limits::{KNOCK_LOGINS, KNOCK_LOGINS_IN_WORDS, KNOCK_SESSION_TIME};
use std::time::Duration;
use tokio::time::Instant;

/// Times must differ with less than this probability of chance.
const CHANCE: f64 = 0.01;

/// A login that takes so much longer than the first of all is one that was made to wait.
const SLOWED: u32 = 4;

/// And at least so long.
const SLOWED_AT_LEAST: Duration = Duration::from_millis(900);

/// So many of them are a guard; fewer are a busy host.
const SLOW_ONES: usize = 3;

/// What was measured of one user's refusals, in microseconds.
#[derive(Debug, Default)]
struct Refusals {
    words: Vec<String>,
    times: Vec<f64>,
}

pub(super) async fn tells_nobody_apart(scene: &Scene) -> Finding {
    if scene.doors.is_empty() {
        return Finding::not_tested("no door is known: the server doesn't run, or couldn't say where it listens");
    }
    let doors = scene.doors(IMAP);
    // What refuses is behind all doors; one under TLS from the first byte says no more than is needed.
    let Some(door) = doors.iter().find(|door| door.protocol.begins_with_tls()).or(doors.first()) else {
        return crate::doors::no_such_door();
    };
    let Some(account) = &scene.canary else { return Finding::not_tested(NO_CANARY) };
    let ends = Instant::now().checked_add(KNOCK_SESSION_TIME).unwrap_or_else(Instant::now);
    match rounds(door, &account.address, ends).await {
        Ok(finding) => finding,
        Err(error) => Finding::not_tested(format!("{door}: {error}")),
    }
}

async fn rounds(door: &Door, known: &str, ends: Instant) -> Result<Finding, KnockError> {
    let domain = known.rsplit('@').next().unwrap_or("audit.invalid");
    let unknown = format!("nobody-of-this-name-0x2a@{domain}");
    let mut told = String::new();
    for round in 1..=2 {
        let (there, not_there, slowed) = measured(door, known, &unknown, ends).await?;
        let (a, b) = (there.words.first(), not_there.words.first());
        let same = there.words.iter().chain(&not_there.words).all(|word| Some(word) == a);
        told = format!("{} logins each; refused with {a:?} and {b:?}", there.times.len());
        let finding =
            if same { None } else { Some(Finding::fail(format!("{door}: refusals differ in words: {told}"))) };
        if let Some(finding) = finding {
            return Ok(finding.showing(door.to_string(), told));
        }
        if slowed || there.times.len() < KNOCK_LOGINS {
            let said =
                format!("{door}: the words are the same; the server slows down who fails, so times can't be compared");
            return Ok(Finding::not_tested(said).showing(door.to_string(), told));
        }
        let p = difference(&there.times, &not_there.times);
        told = format!("{told}; p = {p:.4} in round {round}");
        if p > CHANCE {
            let said = format!("{door}: refusals are alike, in words and in time (p = {p:.3})");
            return Ok(Finding::pass(said).showing(door.to_string(), told));
        }
    }
    Ok(Finding::fail(format!("{door}: the time of a refusal tells whether there is such a user"))
        .showing(door.to_string(), told))
}

/// Both in turn, so that what else happens on the host falls on both.
async fn measured(
    door: &Door,
    known: &str,
    unknown: &str,
    ends: Instant,
) -> Result<(Refusals, Refusals, bool), KnockError> {
    let (mut there, mut not_there) = (Refusals::default(), Refusals::default());
    let mut first: Option<Duration> = None;
    let mut slow = 0_usize;
    let mut fastest: Option<Duration> = None;
    for number in 0..KNOCK_LOGINS {
        // One of each in a session: servers end it after a few that fail. Who is first in it may be slower for that alone.
        let mut talk = Talk::secured(door).await?;
        let order = if number % 2 == 0 { [true, false] } else { [false, true] };
        for is_known in order {
            let user = if is_known { known } else { unknown };
            let began = Instant::now();
            let answer = match talk.ask(&format!("LOGIN {} \"wrong-on-purpose\"", quoted(user))).await {
                Ok(answer) => answer,
                // A guard may hang up.
                Err(KnockError::Closed | KnockError::Late) => return Ok((there, not_there, true)),
                Err(other) => return Err(other),
            };
            let took = began.elapsed();
            let usual = *first.get_or_insert(took);
            if took > SLOWED_AT_LEAST && took > usual.saturating_mul(SLOWED) {
                slow = slow.saturating_add(1);
            }
            if slow >= SLOW_ONES || Instant::now() > ends {
                return Ok((there, not_there, true));
            }
            let refusals = if is_known { &mut there } else { &mut not_there };
            fastest = fastest.map(|before| before.min(took)).or(Some(took));
            refusals.words.push(words(&answer.text(), user));
            refusals.times.push(took.as_secs_f64() * 1e6);
        }
        // A server that takes its time for each refusal leaves none for all of them. That is known after the first; a few more
        // are made, as words may change with them.
        let made = there.times.len();
        let left = u32::try_from(KNOCK_LOGINS.saturating_sub(made).saturating_mul(2)).unwrap_or(u32::MAX);
        let needs = fastest.unwrap_or_default().saturating_mul(left);
        if made >= KNOCK_LOGINS_IN_WORDS && needs > ends.saturating_duration_since(Instant::now()) {
            return Ok((there, not_there, true));
        }
    }
    Ok((there, not_there, false))
}

/// A refusal without its tag and without the user's name.
fn words(text: &str, user: &str) -> String {
    let without_tag = text.split_once(' ').map_or(text, |(_, rest)| rest);
    without_tag.replace(user, "(the user)")
}

/// The probability that two samples differ so much by chance: the Mann-Whitney test, by its normal approximation, with ties.
fn difference(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        one.iter().map(|value| (*value, true)).chain(other.iter().map(|value| (*value, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut ties, mut place) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let size = float(same.len());
        // Those that are the same share the middle of their places.
        let rank = place + f64::midpoint(size, 1.0);
        ranks += rank * float(same.iter().filter(|(_, of_one)| *of_one).count());
        ties += size.powi(3) - size;
        place += size;
    }
    let (n, m) = (float(one.len()), float(other.len()));
    let u = ranks - n * (n + 1.0) / 2.0;
    let spread = (n * m / 12.0 * ((n + m + 1.0) - ties / ((n + m) * (n + m - 1.0)))).max(0.0).sqrt();
    if spread == 0.0 || !spread.is_finite() {
        return 1.0;
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / spread;
    both_tails(z)
}

/// Samples are short: every count is exact.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The probability beyond ±z of the normal distribution (Abramowitz and Stegun 7.1.26; off by less than 0.0000002).
fn both_tails(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    sum * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tails_are_those_of_the_table() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.317_31), (1.96, 0.05), (2.575_83, 0.01), (4.0, 0.000_06)] {
            assert!((both_tails(z) - p).abs() < 0.000_02, "{z}: {}", both_tails(z));
        }
    }

    /// An example whose U is known: 2 of 7 and 7, p by the normal approximation with continuity.
    #[test]
    fn samples_apart_differ_and_samples_alike_do_not() {
        let low: Vec<f64> = (0..50).map(f64::from).collect();
        let high: Vec<f64> = (0..50).map(|value| f64::from(value) + 40.0).collect();
        assert!(difference(&low, &high) < 0.000_1);
        assert!(difference(&low, &low) > 0.99);
        let even: Vec<f64> = (0..50).map(|value| f64::from(value) * 2.0).collect();
        let odd: Vec<f64> = (0..50).map(|value| f64::from(value) * 2.0 + 1.0).collect();
        assert!(difference(&even, &odd) > 0.5);
        assert!((difference(&[1.0; 9], &[1.0; 9]) - 1.0).abs() < f64::EPSILON, "all the same");
    }

    proptest! {
        #[test]
        fn it_is_a_probability_whatever_is_measured(
            one in prop::collection::vec(any::<f64>(), 0..60),
            other in prop::collection::vec(any::<f64>(), 0..60),
        ) {
            let p = difference(&one, &other);
            prop_assert!((0.0..=1.000_001).contains(&p), "{}", p);
        }
    }
}
