//! What is measured, case by case.

use super::super::BenchError;
use super::super::timing::{Times, count};
use super::client::{Answer, Client, Response};
use super::{Bench, Case, Round, quoted};
use std::cell::Cell;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Messages of [`Case::Last50`].
const LAST: u32 = 50;
/// Where APPENDs go; made and deleted by the case.
const SCRATCH: &str = "mailward-bench";
/// What everything about a message costs, as mail programs ask for lists.
const ENVELOPE: &str = "(FLAGS UID ENVELOPE)";

/// Name and rounds of what was measured.
type Found = Vec<(&'static str, Vec<Round>)>;

pub(super) fn run(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    match bench.options.case {
        Case::Select => select(bench),
        Case::SelectNew => select_new(bench),
        Case::Envelope => envelope(bench),
        Case::Bodies => bodies(bench),
        Case::Store => store(bench),
        Case::SearchSubject => search(bench, "SUBJECT", "search-subject"),
        Case::SearchText => search(bench, "TEXT", "search-text"),
        Case::Append => append(bench),
        Case::Sessions => sessions(bench),
        Case::First => first(bench),
        Case::Last50 => last50(bench),
        Case::FlagOne => flag_one(bench),
        Case::IdleNews => idle_news(bench),
    }
}

/// One unmeasured, then those that count.
fn rounds(bench: &Bench<'_>, mut round: impl FnMut() -> Result<Round, BenchError>) -> Result<Vec<Round>, BenchError> {
    round()?;
    (0..bench.options.rounds).map(|_| round()).collect()
}

fn timed(client: &mut Client, command: &str, wanted: &[u8], times: &mut Times) -> Result<Answer, BenchError> {
    let begin = Instant::now();
    let answer = client.ask_for(command, wanted)?;
    times.add(begin.elapsed());
    Ok(answer)
}

fn must_be(doing: &str, what: &str, found: u64, expected: u64) -> Result<(), BenchError> {
    if found == expected {
        return Ok(());
    }
    Err(BenchError::server(doing, format!("{found} {what} where {expected} must be")))
}

fn select(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    let mut again = || bench.select(&mut client).map(|(took, _)| took);
    let rounds = rounds(bench, || Ok(Round::by_median(&bench.repeat(&mut again)?, 0, 0)))?;
    Ok((exists, vec![("select", rounds)]))
}

/// Only the SELECT is timed, not how the session came to it. A server that keeps an opened mailbox at hand for the session
/// gains by it in [`select`] and not here.
fn select_new(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let mut exists = 0;
    let mut again = || {
        let mut client = bench.login()?;
        let (took, there) = bench.select(&mut client)?;
        exists = there;
        client.logout()?;
        Ok(took)
    };
    let rounds = rounds(bench, || Ok(Round::by_median(&bench.repeat(&mut again)?, 0, 0)))?;
    Ok((exists, vec![("select-new", rounds)]))
}

fn envelope(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    let rounds = rounds(bench, || envelopes(&mut client, exists))?;
    Ok((exists, vec![("envelope", rounds)]))
}

/// Of everything.
fn envelopes(client: &mut Client, exists: u32) -> Result<Round, BenchError> {
    let mut times = Times::default();
    let answer = timed(client, &format!("FETCH 1:* {ENVELOPE}"), b"ENVELOPE (", &mut times)?;
    must_be("FETCH ENVELOPE", "envelopes", answer.fetches_as_wanted, exists.into())?;
    must_be("FETCH ENVELOPE", "responses", answer.fetches, exists.into())?;
    Ok(Round::by_median(&times, answer.responses, answer.bytes))
}

fn bodies(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    let sizes = client.ask("FETCH 1:* (RFC822.SIZE)")?.sizes;
    let rounds = rounds(bench, || {
        let mut times = Times::default();
        let answer = timed(&mut client, "FETCH 1:* (BODY.PEEK[])", b"BODY[]", &mut times)?;
        must_be("FETCH BODY.PEEK[]", "bodies", answer.fetches_as_wanted, exists.into())?;
        must_be("FETCH BODY.PEEK[]", "bytes", answer.literal_bytes, sizes)?;
        Ok(Round::by_median(&times, answer.responses, answer.literal_bytes))
    })?;
    Ok((exists, vec![("bodies", rounds)]))
}

fn store(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    let rounds = rounds(bench, || {
        let (mut times, mut last) = (Times::default(), Answer::default());
        for (sign, flagged) in [('+', u64::from(exists)), ('-', 0)] {
            let command = format!("STORE 1:* {sign}FLAGS (\\Flagged)");
            last = timed(&mut client, &command, b"\\Flagged", &mut times)?;
            must_be("STORE", "answers", last.fetches, exists.into())?;
            must_be("STORE", "flagged messages", last.fetches_as_wanted, flagged)?;
        }
        let round = Round::by_median(&times, last.responses, last.bytes);
        // Setting and clearing differ: their mean, not one of them.
        Ok(Round { ms: round.each_ms.mean, ..round })
    })?;
    Ok((exists, vec![("store", rounds)]))
}

fn search(bench: &Bench<'_>, key: &str, what: &'static str) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    if bench.options.word.is_empty() {
        return Err(BenchError::Option("a search needs --word".to_owned()));
    }
    let command = format!("SEARCH {key} {}", quoted(&bench.options.word)?);
    let rounds = rounds(bench, || {
        let mut times = Times::default();
        let answer = timed(&mut client, &command, b"", &mut times)?;
        must_be("SEARCH", "messages found", answer.found, bench.options.expect.unwrap_or(answer.found))?;
        let round = Round::by_median(&times, answer.responses, answer.bytes);
        Ok(Round { found: Some(answer.found), ..round })
    })?;
    Ok((exists, vec![(what, rounds)]))
}

fn append(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let mut client = bench.login()?;
    client.must_have_literal_plus()?;
    let name = quoted(SCRATCH)?;
    // What an earlier run that was cut off may have left.
    let _none = client.ask(&format!("DELETE {name}"));
    client.ask(&format!("CREATE {name}"))?;
    let mut serial = 0_u64;
    let mut one = || {
        let message = letter(serial, bench.options.size);
        serial = serial.saturating_add(1);
        let begin = Instant::now();
        let tag = client.say_append(SCRATCH, None, &message)?;
        client.answer(tag, "APPEND", b"")?;
        Ok(begin.elapsed())
    };
    one()?;
    let mut rounds = Vec::new();
    for _ in 0..bench.options.rounds {
        let times = bench.repeat(&mut one)?;
        let round = Round::by_median(&times, 0, 0);
        // One waits for the other: what counts is how many are done in a second, with those that took long.
        rounds.push(Round { ms: round.each_ms.mean, ..round });
    }
    let there = client.ask(&format!("SELECT {name}"))?.exists.unwrap_or(0);
    must_be("APPEND", "messages", there.into(), serial)?;
    client.ask("CLOSE")?;
    client.ask(&format!("DELETE {name}"))?;
    Ok((there, vec![("append", rounds)]))
}

/// A message unlike every other, of about so many bytes.
fn letter(serial: u64, size: usize) -> Vec<u8> {
    let mut out = format!(
        "From: <bench@example.com>\r\nTo: <user@example.test>\r\nSubject: Letter {serial}\r\n\
         Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{serial}.{}@example.com>\r\n\r\n",
        std::process::id()
    )
    .into_bytes();
    while out.len() < size {
        out.extend_from_slice(b"A line of text that is neither short nor long, as people write them.\r\n");
    }
    out
}

fn sessions(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let exists = session(bench)?;
    let mut rounds = Vec::new();
    for _ in 0..bench.options.rounds {
        let times = Mutex::new(Times::default());
        let begin = Instant::now();
        let work = || {
            while begin.elapsed() < bench.options.time {
                let since = Instant::now();
                must_be("SELECT", "messages", session(bench)?.into(), exists.into())?;
                if let Ok(mut times) = times.lock() {
                    times.add(since.elapsed());
                }
            }
            Ok::<_, BenchError>(())
        };
        at_once(bench.options.sessions, work)?;
        let took = begin.elapsed();
        let times = times.into_inner().unwrap_or_default();
        let round = Round::by_median(&times, 0, 0);
        rounds.push(Round { ms: took.as_secs_f64() * 1_000.0 / count(times.len()).max(1.0), ..round });
    }
    Ok((exists, vec![("sessions", rounds)]))
}

/// From connecting to the end of LOGOUT.
fn session(bench: &Bench<'_>) -> Result<u32, BenchError> {
    let (client, exists) = bench.selected()?;
    client.logout()?;
    Ok(exists)
}

/// The same work in so many threads; the first failure of any.
pub(crate) fn at_once<T: Send>(
    threads: usize,
    work: impl Fn() -> Result<T, BenchError> + Sync,
) -> Result<Vec<T>, BenchError> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        let ended = running.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(BenchError::Option("a thread of the load program died".to_owned())))
        });
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

fn first(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let mut client = bench.login()?;
    let (took, exists) = bench.select(&mut client)?;
    let mut times = Times::default();
    times.add(took);
    let found = vec![
        ("first-select", vec![Round::by_median(&times, 0, 0)]),
        ("first-envelope", vec![envelopes(&mut client, exists)?]),
    ];
    Ok((exists, found))
}

fn last50(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    let from = middle(exists).map(|_| exists.saturating_sub(LAST).saturating_add(1))?;
    let command = format!("FETCH {from}:{exists} {ENVELOPE}");
    let mut again = || {
        let begin = Instant::now();
        let answer = client.ask_for(&command, b"ENVELOPE (")?;
        let took = begin.elapsed();
        must_be("FETCH ENVELOPE", "envelopes", answer.fetches_as_wanted, exists.min(LAST).into())?;
        Ok(took)
    };
    let rounds = rounds(bench, || Ok(Round::by_median(&bench.repeat(&mut again)?, 0, 0)))?;
    Ok((exists, vec![("last50", rounds)]))
}

fn flag_one(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut client, exists) = bench.selected()?;
    let number = middle(exists)?;
    let mut set = false;
    let mut again = || {
        set = !set;
        let begin = Instant::now();
        let answer = client.ask_for(&flag(number, set), b"\\Flagged")?;
        let took = begin.elapsed();
        must_be("STORE", "answers", answer.fetches, 1)?;
        must_be("STORE", "flagged messages", answer.fetches_as_wanted, set.into())?;
        Ok(took)
    };
    let rounds = rounds(bench, || Ok(Round::by_median(&bench.repeat(&mut again)?, 0, 0)))?;
    client.ask(&flag(number, false))?;
    Ok((exists, vec![("flag-one", rounds)]))
}

fn flag(number: u32, set: bool) -> String {
    format!("STORE {number} {}FLAGS (\\Flagged)", if set { '+' } else { '-' })
}

fn middle(exists: u32) -> Result<u32, BenchError> {
    match exists {
        0 => Err(BenchError::Option("there must be a message in the mailbox".to_owned())),
        many => Ok((many / 2).max(1)),
    }
}

fn idle_news(bench: &Bench<'_>) -> Result<(u32, Found), BenchError> {
    let (mut writer, exists) = bench.selected()?;
    let (mut reader, _) = bench.selected()?;
    writer.must_have_literal_plus()?;
    let number = middle(exists)?;
    writer.ask(&flag(number, false))?;
    let tag = reader.idle()?;
    let set = Cell::new(false);
    let mut flags = || {
        set.set(!set.get());
        let begin = Instant::now();
        let tag = writer.say(&flag(number, set.get()))?;
        while reader.news(b"\\Flagged")? != Response::Fetch(set.get()) {}
        let took = begin.elapsed();
        writer.answer(tag, "STORE", b"")?;
        Ok(took)
    };
    flags()?;
    let mut rounds = Vec::new();
    for _ in 0..bench.options.rounds {
        rounds.push(Round::by_median(&bench.repeat(&mut flags)?, 0, 0));
    }
    // Left as it was found.
    if set.get() {
        flags()?;
    }
    let mut arrivals = Vec::new();
    let mut serial = 0_u64;
    arrival(bench, &mut writer, &mut reader, exists, &mut serial)?;
    for _ in 0..bench.options.rounds {
        let times = bench.repeat(|| arrival(bench, &mut writer, &mut reader, exists, &mut serial))?;
        arrivals.push(Round::by_median(&times, 0, 0));
    }
    reader.done(tag)?;
    Ok((exists, vec![("idle-flags", rounds), ("idle-arrival", arrivals)]))
}

/// A message comes, is told, and goes again, so that the mailbox stays as it is.
fn arrival(
    bench: &Bench<'_>,
    writer: &mut Client,
    reader: &mut Client,
    exists: u32,
    serial: &mut u64,
) -> Result<Duration, BenchError> {
    *serial = serial.saturating_add(1);
    let message = letter(*serial, bench.options.size);
    let begin = Instant::now();
    let tag = writer.say_append(&bench.options.mailbox, None, &message)?;
    while reader.news(b"")? != Response::Exists(exists.saturating_add(1)) {}
    let took = begin.elapsed();
    let end = writer.answer(tag, "APPEND", b"")?.end;
    // RFC 4315 §3: this message and no other that somebody may have marked.
    let uid = end
        .split_once("[APPENDUID ")
        .and_then(|(_, codes)| codes.split_once(']')?.0.split_once(' '))
        .and_then(|(_, uid)| uid.parse::<u32>().ok())
        .ok_or_else(|| BenchError::server("APPEND", format!("no APPENDUID (RFC 4315): {end}")))?;
    // The writer must have been told of the message before it can name it.
    writer.ask("NOOP")?;
    writer.ask(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"))?;
    writer.ask(&format!("UID EXPUNGE {uid}"))?;
    while reader.news(b"")? != Response::Expunge {}
    Ok(took)
}
