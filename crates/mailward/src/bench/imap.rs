//! `mailward bench imap`: one kind of work on any IMAP server, timed.
//!
//! Each case does the same work on every server and fails if an answer isn't whole: every message answered, every byte
//! of every message received, every search with what was expected. The time of a command is from before it is sent
//! until its tagged line is read.

mod cases;
mod client;

use super::BenchError;
use super::timing::{Distribution, Times, cpu_seconds};
use super::wire::{Dialler, Target};
use mailward_core::Secret;
use serde::Serialize;
use std::time::{Duration, Instant};

pub(crate) use cases::at_once;
pub(crate) use client::Client;

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Case {
    /// SELECT, again and again in one session
    Select,
    /// The SELECT of a new session, again and again
    SelectNew,
    /// FETCH 1:* (FLAGS UID ENVELOPE)
    Envelope,
    /// FETCH 1:* (BODY.PEEK[])
    Bodies,
    /// STORE 1:* +FLAGS (\Flagged), then -FLAGS; each counts
    Store,
    /// SEARCH SUBJECT of --word
    SearchSubject,
    /// SEARCH TEXT of --word
    SearchText,
    /// APPENDs of --size bytes to a new mailbox, one by one
    Append,
    /// Connection, LOGIN, SELECT and LOGOUT, --sessions at once
    Sessions,
    /// The first SELECT and the first FETCH 1:* (FLAGS UID ENVELOPE)
    First,
    /// FETCH (FLAGS UID ENVELOPE) of the last 50 messages, again and again
    Last50,
    /// STORE of one flag of one message, again and again
    FlagOne,
    /// From another session's STORE and APPEND to their news in IDLE
    IdleNews,
}

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) mailbox: String,
    pub(crate) case: Case,
    pub(crate) rounds: usize,
    /// How long a round of what is done again and again takes.
    pub(crate) time: Duration,
    /// To search for.
    pub(crate) word: String,
    /// How many messages a search must find; else whatever it finds.
    pub(crate) expect: Option<u64>,
    /// Bytes of an appended message.
    pub(crate) size: usize,
    /// Sessions at once.
    pub(crate) sessions: usize,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Messages in the mailbox.
    pub(crate) messages: u32,
    pub(crate) measured: Vec<Measured>,
    /// Processor seconds the load program itself used.
    pub(crate) cpu_seconds: f64,
}

/// One thing that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Measured {
    pub(crate) what: &'static str,
    /// Milliseconds of one; the median of the rounds.
    pub(crate) ms: f64,
    pub(crate) rounds: Vec<Round>,
}

/// One round of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Round {
    /// Milliseconds of one: the median, or where many run at once or wait in turn, the round's time by their number.
    pub(crate) ms: f64,
    /// How many were done.
    pub(crate) times: u64,
    pub(crate) each_ms: Distribution,
    /// Untagged responses and bytes of the last answer.
    pub(crate) responses: u64,
    pub(crate) bytes: u64,
    /// What the last search found.
    pub(crate) found: Option<u64>,
}

impl Round {
    /// By the median of its times.
    fn by_median(times: &Times, responses: u64, bytes: u64) -> Self {
        let each_ms = times.distribution();
        let done = u64::try_from(times.len()).unwrap_or(u64::MAX);
        Self { ms: each_ms.p50, times: done, each_ms, responses, bytes, found: None }
    }
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} messages", self.messages);
        for measured in &self.measured {
            text.push_str(&format!("\n{:<16} {:>10.3} ms", measured.what, measured.ms));
            if let Some(last) = measured.rounds.last() {
                let seconds = measured.ms / 1_000.0;
                text.push_str(&format!(
                    "  {:>9.1}/s  {} times, p99 {:.3} ms",
                    super::timing::ratio(1.0, seconds),
                    last.times,
                    last.each_ms.p99
                ));
                if last.bytes > 0 {
                    text.push_str(&format!(", {} responses, {} bytes", last.responses, last.bytes));
                }
                if let Some(found) = last.found {
                    text.push_str(&format!(", found {found}"));
                }
            }
        }
        text
    }
}

/// Measures.
///
/// # Errors
/// The server can't be reached, refuses, or answers not the whole.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.rounds == 0 || options.sessions == 0 || options.time.is_zero() {
        return Err(BenchError::Option("rounds, sessions and seconds must be more than nothing".to_owned()));
    }
    let before = cpu_seconds();
    let dialler = Dialler::new(&options.target)?;
    let (messages, measured) = cases::run(&Bench { options, dialler })?;
    let measured = measured
        .into_iter()
        .map(|(what, rounds)| Measured { what, ms: median(rounds.iter().map(|r| r.ms).collect()), rounds })
        .collect();
    Ok(Report { messages, measured, cpu_seconds: cpu_seconds() - before })
}

/// The middle one; of an even number, the higher of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Options, and the way to the server.
struct Bench<'o> {
    options: &'o Options,
    dialler: Dialler,
}

impl Bench<'_> {
    fn login(&self) -> Result<Client, BenchError> {
        Client::open(&self.dialler, &self.options.user, self.options.password.expose())
    }

    /// A session with the mailbox selected, and how many messages that has.
    fn selected(&self) -> Result<(Client, u32), BenchError> {
        let mut client = self.login()?;
        let exists = self.select(&mut client)?.1;
        Ok((client, exists))
    }

    /// Selects; how long it took, and how many messages there are.
    fn select(&self, client: &mut Client) -> Result<(Duration, u32), BenchError> {
        let command = format!("SELECT {}", quoted(&self.options.mailbox)?);
        let begin = Instant::now();
        let answer = client.ask(&command)?;
        let took = begin.elapsed();
        let exists = answer.exists.ok_or_else(|| BenchError::server("SELECT", "no EXISTS in the answer"))?;
        Ok((took, exists))
    }

    /// Does something again and again for the time of a round, once at least.
    fn repeat(&self, mut once: impl FnMut() -> Result<Duration, BenchError>) -> Result<Times, BenchError> {
        let mut times = Times::default();
        let begin = Instant::now();
        while times.len() == 0 || begin.elapsed() < self.options.time {
            times.add(once()?);
        }
        Ok(times)
    }
}

/// A name as a quoted string.
pub(crate) fn quoted(name: &str) -> Result<String, BenchError> {
    let mut out = Vec::new();
    client::quote(name.as_bytes(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests;
