//! `mailward bench pop3`: every message of a maildrop fetched, timed.
//!
//! Bytes are counted as they are without dot-stuffing and must be as many as STAT told. Nothing is deleted.

use super::BenchError;
use super::timing::{cpu_seconds, ratio};
use super::wire::{Dialler, Target, Wire, shown};
use mailward_core::Secret;
use serde::Serialize;
use std::time::Instant;

/// Commands of one write in [`Case::RetrPipelined`].
const AT_ONCE: u32 = 32;

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Case {
    /// RETR of every message, one by one
    Retr,
    /// RETR of every message, 32 commands in one write
    RetrPipelined,
}

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) case: Case,
    pub(crate) rounds: usize,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) messages: u32,
    /// As STAT tells.
    pub(crate) bytes: u64,
    /// Milliseconds of one message; the median of the rounds.
    pub(crate) ms: f64,
    pub(crate) per_second: f64,
    /// Milliseconds of one message, a round each.
    pub(crate) rounds: Vec<f64>,
    /// Processor seconds the load program itself used.
    pub(crate) cpu_seconds: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        format!(
            "{} messages, {} bytes: {:.4} ms each, {:.0} messages/s",
            self.messages, self.bytes, self.ms, self.per_second
        )
    }
}

/// Measures: one round unmeasured, then those that count, all in one session.
///
/// # Errors
/// The server can't be reached, refuses, or answers not the whole.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.rounds == 0 {
        return Err(BenchError::Option("rounds must be more than nothing".to_owned()));
    }
    let before = cpu_seconds();
    let mut drop = Maildrop::open(&Dialler::new(&options.target)?, options)?;
    if drop.messages == 0 {
        return Err(BenchError::Option("there must be a message in the maildrop".to_owned()));
    }
    drop.all(options.case)?;
    let mut rounds = Vec::with_capacity(options.rounds);
    for _ in 0..options.rounds {
        let begin = Instant::now();
        drop.all(options.case)?;
        rounds.push(begin.elapsed().as_secs_f64() * 1_000.0 / f64::from(drop.messages));
    }
    drop.say("QUIT")?;
    let mut sorted = rounds.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let ms = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    Ok(Report {
        messages: drop.messages,
        bytes: drop.bytes,
        ms,
        per_second: ratio(1_000.0, ms),
        rounds,
        cpu_seconds: cpu_seconds() - before,
    })
}

/// A session past its login.
struct Maildrop {
    wire: Wire,
    messages: u32,
    bytes: u64,
}

impl Maildrop {
    fn open(dialler: &Dialler, options: &Options) -> Result<Self, BenchError> {
        let mut drop = Self { wire: dialler.connect()?, messages: 0, bytes: 0 };
        drop.expect("greeting")?;
        if dialler.starts_tls() {
            drop.say("STLS")?;
            drop.wire = dialler.secure(drop.wire)?;
        }
        let password = options.password.expose();
        if options.user.bytes().chain(password.iter().copied()).any(|b| matches!(b, b'\r' | b'\n')) {
            return Err(BenchError::Option("a name or password with a line's end in it".to_owned()));
        }
        drop.say(&format!("USER {}", options.user))?;
        let mut command = b"PASS ".to_vec();
        command.extend_from_slice(password);
        command.extend_from_slice(b"\r\n");
        drop.wire.send(&command)?;
        drop.expect("PASS")?;
        let told = drop.say("STAT")?;
        let mut numbers = told.split(' ');
        let wrong = || BenchError::server("STAT", told.clone());
        drop.messages = numbers.next().and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        drop.bytes = numbers.next().and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        Ok(drop)
    }

    /// One command with an answer of one line; what stands behind `+OK`.
    fn say(&mut self, command: &str) -> Result<String, BenchError> {
        self.wire.send(format!("{command}\r\n").as_bytes())?;
        self.expect(command)
    }

    fn expect(&mut self, doing: &str) -> Result<String, BenchError> {
        let line = self.wire.line()?;
        match line.strip_prefix(b"+OK") {
            Some(rest) => Ok(shown(rest).trim_start().to_owned()),
            None => Err(BenchError::server(doing, shown(line))),
        }
    }

    /// Every message.
    fn all(&mut self, case: Case) -> Result<(), BenchError> {
        let step = match case {
            Case::Retr => 1,
            Case::RetrPipelined => AT_ONCE,
        };
        let (mut number, mut bytes) = (1_u32, 0_u64);
        let mut commands = Vec::new();
        while number <= self.messages {
            let end = number.saturating_add(step).min(self.messages.saturating_add(1));
            commands.clear();
            for n in number..end {
                commands.extend_from_slice(format!("RETR {n}\r\n").as_bytes());
            }
            self.wire.send(&commands)?;
            for _ in number..end {
                bytes = bytes.saturating_add(self.message()?);
            }
            number = end;
        }
        if bytes == self.bytes {
            return Ok(());
        }
        Err(BenchError::server("RETR", format!("{bytes} bytes came where STAT told {}", self.bytes)))
    }

    /// One message; its bytes without dot-stuffing (RFC 1939 §3).
    fn message(&mut self) -> Result<u64, BenchError> {
        let line = self.wire.line()?;
        if !line.starts_with(b"+OK") {
            return Err(BenchError::server("RETR", shown(line)));
        }
        let mut bytes = 0_u64;
        loop {
            let line = self.wire.line()?;
            let stuffed = line.first() == Some(&b'.');
            if stuffed && line == b".\r\n" {
                return Ok(bytes);
            }
            let length = u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_sub(stuffed.into());
            bytes = bytes.saturating_add(length);
        }
    }
}
