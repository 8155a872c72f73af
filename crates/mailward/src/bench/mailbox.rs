//! `mailward bench mailbox-size`: what one more message costs in a large mailbox, against an empty one.
//!
//! Both mailboxes live in the same store and are delivered to in turn, so that what drifts drifts for both.

use super::BenchError;
use super::disk::Place;
use super::store::Yard;
use super::timing::{Distribution, Times, ratio};
use mailward_core::AccountId;
use mailward_store::records::{Flags, NewMessage};
use mailward_store::{MailStore as _, StoreError};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Messages of one append while filling.
const FILL_STEP: usize = 1_000;
/// Bytes of a message that only fills.
const FILL_SIZE: usize = 300;
/// Messages that wait together in the second measurement.
const BATCH: usize = 64;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where; a directory of its own is made in it, and removed.
    pub(crate) dir: PathBuf,
    /// Messages in the large mailbox.
    pub(crate) messages: usize,
    /// Bytes of the messages that are timed.
    pub(crate) size: usize,
    /// Deliveries timed into each mailbox, one by one.
    pub(crate) samples: usize,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) filled_messages: usize,
    pub(crate) filled_in_seconds: f64,
    /// One delivery at a time.
    pub(crate) empty_ms: Distribution,
    pub(crate) large_ms: Distribution,
    /// 64 deliveries at once, for all of them.
    pub(crate) empty_batch_ms: Distribution,
    pub(crate) large_batch_ms: Distribution,
    /// Large over empty, medians.
    pub(crate) ratio: f64,
    /// The same for batches.
    pub(crate) batch_ratio: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let line = |what: &str, empty: &Distribution, large: &Distribution, times: f64| {
            format!("{what:<24} empty {:>8.3} ms   large {:>8.3} ms   ratio {times:.2}", empty.p50, large.p50)
        };
        format!(
            "filled with {} messages in {:.1} s\n{}\n{}",
            self.filled_messages,
            self.filled_in_seconds,
            line("one delivery, median", &self.empty_ms, &self.large_ms, self.ratio),
            line("64 at once, median", &self.empty_batch_ms, &self.large_batch_ms, self.batch_ratio)
        )
    }
}

/// Fills one mailbox and measures both.
///
/// # Errors
/// The directory can't be written, or the store refuses.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.samples == 0 {
        return Err(BenchError::Option("there must be at least one sample".to_owned()));
    }
    let place = Place::new(&options.dir)?;
    let yard = Yard::open(&place.0.join("store"), 2)?;
    let [empty, large] = yard.accounts.as_slice() else {
        return Err(StoreError::NotFound("account").into());
    };
    let (empty, large) = (*empty, *large);
    let begin = Instant::now();
    fill(&yard, large, options.messages)?;
    let filled = begin.elapsed();
    let (empty_ms, large_ms) =
        alternate(options.samples, |to_large| yard.deliver_one(if to_large { large } else { empty }, options.size))?;
    let (empty_batch_ms, large_batch_ms) = alternate(options.samples.div_ceil(10), |to_large| {
        yard.deliver_many(if to_large { large } else { empty }, BATCH, options.size)
    })?;
    yard.close()?;
    Ok(Report {
        filled_messages: options.messages,
        filled_in_seconds: filled.as_secs_f64(),
        ratio: ratio(large_ms.p50, empty_ms.p50),
        batch_ratio: ratio(large_batch_ms.p50, empty_batch_ms.p50),
        empty_ms,
        large_ms,
        empty_batch_ms,
        large_batch_ms,
    })
}

fn fill(yard: &Yard, account: AccountId, messages: usize) -> Result<(), BenchError> {
    let mailbox = yard.runtime.block_on(yard.store.mailboxes(account))?;
    let inbox =
        mailbox.iter().find(|m| m.name.as_str() == "INBOX").map(|m| m.id).ok_or(StoreError::NotFound("mailbox"))?;
    let mut left = messages;
    while left > 0 {
        let step = left.min(FILL_STEP);
        let new = (0..step)
            .map(|_| NewMessage {
                content: yard.content(FILL_SIZE),
                flags: Flags::NONE,
                keywords: Vec::new(),
                internal_date: None,
            })
            .collect();
        yard.runtime.block_on(yard.store.append(inbox.into(), new))?;
        left = left.saturating_sub(step);
    }
    Ok(())
}

/// Times into the empty and the large mailbox, taken in turn; who goes first changes each time.
fn alternate(
    samples: usize,
    mut once: impl FnMut(bool) -> Result<Duration, BenchError>,
) -> Result<(Distribution, Distribution), BenchError> {
    let (mut empty, mut large) = (Times::with_capacity(samples), Times::with_capacity(samples));
    for sample in 0..samples {
        let large_first = sample.is_multiple_of(2);
        for to_large in [large_first, !large_first] {
            let time = once(to_large)?;
            if to_large { large.add(time) } else { empty.add(time) }
        }
    }
    Ok((empty.distribution(), large.distribution()))
}
