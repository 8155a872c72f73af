//! `mailward bench gate`: what a decision of the rate guard costs, however many sources are remembered.
//!
//! A guard of its own for each number of sources, filled, and then asked in turn, so that what drifts drifts for all. A
//! message has four sources: address, domain, host and network. Those that are asked for are picked from all over what is
//! remembered, so that the processor's caches help as little as they would help a server.

use super::BenchError;
use super::timing::{count, ratio};
use mailward_core::config::Rates as Config;
use mailward_core::event::Events;
use mailward_core::limits::RATE_SOURCES_MAX;
use mailward_core::{Address, Secret, SystemClock};
use mailward_gate::rates::{Rates, Subjects};
use serde::Serialize;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

/// Sources of one message.
const OF_MESSAGE: usize = 4;
/// Most that may be asked for: networks of IPv4 addresses, of which each message has its own.
const SOURCES_MAX: usize = 40_000_000;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How many sources are remembered, each a measurement.
    pub(crate) sources: Vec<usize>,
    /// Decisions a round.
    pub(crate) decisions: usize,
    pub(crate) rounds: usize,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) measured: Vec<Measured>,
}

/// One number of sources.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// Remembered before the measurement.
    pub(crate) sources: usize,
    /// One decision: median of the rounds.
    pub(crate) nanoseconds: f64,
    /// By the first one's; median of the rounds.
    pub(crate) ratio: f64,
    /// What the table takes.
    pub(crate) bytes: usize,
    /// The same by source.
    pub(crate) bytes_each: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text =
            format!("{:>12}  {:>12}  {:>6}  {:>12}  {:>10}", "sources", "ns/decision", "ratio", "KiB", "bytes each");
        for m in &self.measured {
            text.push_str(&format!(
                "\n{:>12}  {:>12.0}  {:>6.2}  {:>12}  {:>10.0}",
                m.sources,
                m.nanoseconds,
                m.ratio,
                m.bytes.div_euclid(1_024),
                m.bytes_each
            ));
        }
        text
    }
}

struct Guard {
    rates: Arc<Rates>,
    messages: usize,
    /// Those that are asked for.
    asked: Vec<Message>,
    nanoseconds: Vec<f64>,
}

struct Message {
    from: Address,
    ip: IpAddr,
}

impl Message {
    /// Its sources are those of no other message of a number below 2²⁴.
    fn new(number: usize) -> Result<Self, BenchError> {
        let from = format!("sender@d{number}.example").parse().map_err(|e| BenchError::Option(format!("{e}")))?;
        let network = u32::try_from(number).unwrap_or(u32::MAX).wrapping_mul(0x9E_3779) << 8;
        Ok(Self { from, ip: IpAddr::V4(Ipv4Addr::from_bits(network | 7)) })
    }

    fn subjects(&self) -> Subjects<'_> {
        Subjects { from: Some(&self.from), proven: true, ip: Some(self.ip), incoming: true, ..Subjects::default() }
    }
}

impl Guard {
    fn new(sources: usize, decisions: usize) -> Result<Self, BenchError> {
        // What a server has, or a quarter more than is remembered.
        let room = sources.saturating_add(sources.div_euclid(4)).max(RATE_SOURCES_MAX);
        let secret = Secret::new("a benchmark's secret");
        let rates = Rates::with_room(room, &Config::default(), Arc::new(SystemClock), Events::nowhere(), &secret)
            .map_err(|e| BenchError::Option(e.to_string()))?;
        let messages = sources.div_euclid(OF_MESSAGE);
        for number in 0..messages {
            let _passed = rates.message(&Message::new(number)?.subjects(), 1);
        }
        // A step that shares no factor with what is likely, so that they come from all over.
        let step = 7_919_usize;
        let asked = (0..decisions.min(messages.max(1)))
            .map(|place| Message::new(place.wrapping_mul(step).checked_rem(messages.max(1)).unwrap_or(0)))
            .collect::<Result<_, _>>()?;
        Ok(Self { rates, messages, asked, nanoseconds: Vec::new() })
    }

    fn measure(&mut self, decisions: usize) {
        let begin = Instant::now();
        for message in self.asked.iter().cycle().take(decisions) {
            black_box(self.rates.message(&message.subjects(), 1));
        }
        let took = begin.elapsed().as_secs_f64() * 1e9;
        self.nanoseconds.push(ratio(took, count(decisions)));
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().div_euclid(2)).copied().unwrap_or(0.0)
}

/// Fills and measures.
///
/// # Errors
/// Options that make no sense.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.decisions == 0 || options.rounds == 0 || options.sources.is_empty() {
        return Err(BenchError::Option(
            "there must be at least one number of sources, one decision, one round".to_owned(),
        ));
    }
    if options.sources.iter().any(|sources| *sources > SOURCES_MAX) {
        return Err(BenchError::Option(format!("sources: at most {SOURCES_MAX}")));
    }
    let mut guards =
        options.sources.iter().map(|sources| Guard::new(*sources, options.decisions)).collect::<Result<Vec<_>, _>>()?;
    for _ in 0..options.rounds {
        guards.iter_mut().for_each(|guard| guard.measure(options.decisions));
    }
    let first: Vec<f64> = guards.first().map(|guard| guard.nanoseconds.clone()).unwrap_or_default();
    let measured = guards.iter().map(|guard| {
        let sources = guard.messages.saturating_mul(OF_MESSAGE);
        let bytes = guard.rates.bytes();
        Measured {
            sources,
            nanoseconds: median(guard.nanoseconds.iter().copied()),
            ratio: median(guard.nanoseconds.iter().zip(&first).map(|(ours, first)| ratio(*ours, *first))),
            bytes,
            bytes_each: ratio(count(bytes), count(sources)),
        }
    });
    Ok(Report { measured: measured.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_measured_and_takes_bounded_memory() {
        let report = run(&Options { sources: vec![0, 1_000, 20_000], decisions: 100, rounds: 3 }).unwrap();
        let sources: Vec<usize> = report.measured.iter().map(|m| m.sources).collect();
        assert_eq!(sources, [0, 1_000, 20_000]);
        assert!(report.measured.iter().all(|m| m.nanoseconds > 0.0));
        assert!(report.measured[2].bytes_each < 250.0, "{}", report.text());
        assert_eq!(report.text().lines().count(), 4);
        assert!(run(&Options { sources: vec![], decisions: 1, rounds: 1 }).is_err());
        assert!(run(&Options { sources: vec![SOURCES_MAX + 1], decisions: 1, rounds: 1 }).is_err());
    }

    #[test]
    fn each_message_has_sources_of_its_own() {
        let hosts: std::collections::HashSet<IpAddr> = (0..100_000).map(|n| Message::new(n).unwrap().ip).collect();
        assert_eq!(hosts.len(), 100_000);
    }
}
