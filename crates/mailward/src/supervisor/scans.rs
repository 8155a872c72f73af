//! Virus scanners that are programs: messages that come in pieces, and what runs for them.

use super::command::{self, Ended, Plan};
use super::link::Supervisor;
use super::{Order, Report};
use crate::failure::Failure;
use crate::place::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use mailward_core::limits::{ANTIVIRUS_COMMANDS_AT_ONCE, SUPERVISOR_PIECE, SUPERVISOR_SCANS_MAX};
use mailward_inspect::antivirus::{Commands, NotRan, Ran};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

/// Messages that are held, and what is to be run: the supervisor's side.
pub(super) struct Scans {
    plans: Vec<Option<Plan>>,
    /// Bytes that a message may have.
    most: u64,
    held: Mutex<Held>,
    more: Notify,
}

#[derive(Default)]
struct Held {
    /// What has come of a message; none: it can't be held.
    pieces: HashMap<u64, Option<Vec<u8>>>,
    /// Those that are to be looked at, the first one first.
    whole: VecDeque<(u64, usize, Vec<u8>)>,
}

impl Scans {
    pub(super) fn new(plans: Vec<Option<Plan>>, most: u64) -> Self {
        Self { plans, most, held: Mutex::default(), more: Notify::new() }
    }

    /// Takes some of a message.
    pub(super) fn piece(&self, id: u64, data: &str) {
        let mut held = self.held();
        // Those that can't be held are few, or forgotten: how long each should be tells what is missing.
        if held.pieces.len() >= SUPERVISOR_SCANS_MAX.saturating_mul(2) {
            held.pieces.retain(|_, message| message.is_some());
        }
        let room = held.pieces.len().saturating_add(held.whole.len()) < SUPERVISOR_SCANS_MAX;
        let message = held.pieces.entry(id).or_insert_with(|| room.then(Vec::new));
        let Some(bytes) = message else { return };
        let fits = STANDARD.decode(data).ok().filter(|piece| {
            let length = u64::try_from(bytes.len().saturating_add(piece.len())).unwrap_or(u64::MAX);
            piece.len() <= SUPERVISOR_PIECE && length <= self.most
        });
        match fits {
            Some(piece) => bytes.extend(piece),
            None => *message = None,
        }
    }

    pub(super) fn forget(&self, id: u64) {
        let mut held = self.held();
        held.pieces.remove(&id);
        held.whole.retain(|(of, ..)| *of != id);
    }

    /// Has a program look at what has come of a message, which has so many bytes; what is told if it can't.
    pub(super) fn scan(&self, id: u64, engine: usize, bytes: usize) -> Option<Report> {
        let mut held = self.held();
        let message = held.pieces.remove(&id).unwrap_or_else(|| Some(Vec::new()));
        // What isn't whole isn't looked at.
        let message = message.filter(|message| message.len() == bytes);
        match (message, self.plans.get(engine)) {
            (Some(message), Some(Some(_))) => {
                held.whole.push_back((id, engine, message));
                self.more.notify_one();
                None
            }
            (None, _) => Some(failed(id, "there is no room for the message")),
            (Some(_), _) => Some(failed(id, "no such program is configured")),
        }
    }

    /// Runs what is to be run, so many at once.
    pub(super) async fn run(&self, tell: &Sender<Report>) {
        let most = ANTIVIRUS_COMMANDS_AT_ONCE.saturating_mul(self.plans.len()).max(1);
        let mut running = JoinSet::new();
        loop {
            let next = if running.len() < most { self.held().whole.pop_front() } else { None };
            if let Some((id, engine, message)) = next {
                if let Some(Some(plan)) = self.plans.get(engine).cloned() {
                    running.spawn(async move {
                        let ended = command::run(&plan, message).await;
                        let Ended { code, failed, output, started } = ended;
                        Report::Scanned { id, code, failed, output, started }
                    });
                }
                continue;
            }
            tokio::select! {
                Some(ended) = running.join_next() => {
                    if let Ok(report) = ended
                        && tell.send(report).await.is_err()
                    {
                        return;
                    }
                }
                () = self.more.notified() => {}
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no exit code of a program.
pub(super) fn not_ran(why: Option<String>, started: bool) -> NotRan {
    let why = why.unwrap_or_else(|| "it ended without an exit code".to_owned());
    if started { NotRan::Ended(why) } else { NotRan::Refused(why) }
}

fn failed(id: u64, why: &str) -> Report {
    Report::Scanned { id, code: None, failed: Some(why.to_owned()), output: String::new(), started: false }
}

/// The server's side.
impl Commands for Supervisor {
    fn run(&self, engine: usize, message: Bytes) -> BoxFuture<'_, Result<Ran, NotRan>> {
        Box::pin(async move {
            let gone = || NotRan::Refused("the supervisor, who runs it, is gone: restart the server".to_owned());
            let id = self.0.next.fetch_add(1, Ordering::Relaxed);
            let (answer, answered) = oneshot::channel();
            self.0.scans().insert(id, answer);
            let forget = Forget(self, id);
            for piece in message.chunks(SUPERVISOR_PIECE) {
                let order = Order::Piece { id, data: STANDARD.encode(piece) };
                self.0.pieces.send(order).await.map_err(|_| gone())?;
            }
            self.0.pieces.send(Order::Scan { id, engine, bytes: message.len() }).await.map_err(|_| gone())?;
            let (code, output) = answered.await.map_err(|_| gone())?;
            drop(forget);
            code.map(|code| Ran { code, output })
        })
    }
}

/// Who doesn't wait any more leaves nothing behind.
struct Forget<'a>(&'a Supervisor, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if self.0.0.scans().remove(&self.1).is_some() {
            // Where that can't be said now, the room is given back when the message has come whole.
            let _full = self.0.0.pieces.try_send(Order::Forget { id: self.1 });
        }
    }
}

/// Runs them in this process, for a command of the administrator's.
pub(crate) struct ByHand(Vec<Option<Plan>>);

impl ByHand {
    pub(crate) fn of(place: &Place) -> Result<Self, Failure> {
        Plan::of_engines(place).map(Self)
    }
}

impl Commands for ByHand {
    fn run(&self, engine: usize, message: Bytes) -> BoxFuture<'_, Result<Ran, NotRan>> {
        Box::pin(async move {
            let Some(Some(plan)) = self.0.get(engine) else {
                return Err(NotRan::Refused("no such program is configured".to_owned()));
            };
            let ended = command::run(plan, message).await;
            match ended.code {
                Some(code) => Ok(Ran { code, output: ended.output }),
                None => Err(not_ran(ended.failed, ended.started)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::work;
    use mailward_core::config::Config;
    use mailward_core::event::Events;

    fn scans(script: &str, most: u64) -> Scans {
        Scans::new(vec![None, Some(Plan::script(script))], most)
    }

    fn bring(scans: &Scans, id: u64, message: &[u8]) -> Option<Report> {
        for piece in message.chunks(SUPERVISOR_PIECE) {
            scans.piece(id, &STANDARD.encode(piece));
        }
        scans.scan(id, 1, message.len())
    }

    async fn told(scans: &Scans) -> Report {
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        tokio::select! {
            () = scans.run(&tell) => panic!("it doesn't end"),
            report = told.recv() => report.unwrap(),
        }
    }

    #[tokio::test]
    async fn a_program_gets_the_whole_message_and_its_exit_code_comes_back() {
        let scans = scans("wc -c; exit 7", 1_000_000);
        let message = vec![b'x'; SUPERVISOR_PIECE * 3 + 5];
        assert_eq!(bring(&scans, 4, &message), None);
        let Report::Scanned { id, code, output, .. } = told(&scans).await else { panic!("another report") };
        assert_eq!((id, code, output.trim()), (4, Some(7), message.len().to_string().as_str()));
        assert_eq!(bring(&scans, 5, b""), None);
        let Report::Scanned { output, .. } = told(&scans).await else { panic!("another report") };
        assert_eq!(output.trim(), "0");
    }

    #[test]
    fn what_can_t_be_held_is_told_and_what_is_forgotten_makes_room() {
        let refused = |report: Option<Report>, why: &str| {
            let Some(Report::Scanned { failed: Some(failed), code: None, .. }) = report else { panic!("not refused") };
            assert!(failed.contains(why), "{failed}");
        };
        let scans = scans("true", 100);
        refused(bring(&scans, 1, &[b'x'; 101]), "no room");
        scans.piece(2, "no base64!");
        refused(scans.scan(2, 1, 3), "no room");
        scans.piece(3, "eA==");
        refused(scans.scan(3, 0, 1), "no such program");
        scans.piece(3, "eA==");
        refused(scans.scan(3, 1, 2), "no room");
        refused(scans.scan(4, 9, 0), "no such program");
        refused(scans.scan(4, 1, 1), "no room");
        for id in 10..10 + SUPERVISOR_SCANS_MAX as u64 {
            scans.piece(id, "eA==");
        }
        refused(bring(&scans, 5, b"x"), "no room");
        scans.forget(10);
        assert_eq!(bring(&scans, 6, b"x"), None);
        for id in 100..10_000 {
            scans.piece(id, "eA==");
        }
        assert!(scans.held().pieces.len() <= 2 * SUPERVISOR_SCANS_MAX + 1);
    }

    /// Both sides at once, as they run.
    #[tokio::test]
    async fn the_server_has_programs_look_at_messages_and_hears_why_they_can_t() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let child = std::process::Command::new("/bin/true").spawn().unwrap();
        let (_stop, stopped) = mailward_core::shutdown::channel();
        let made = crate::supervisor::Made { socket: ours, child };
        let (supervisor, _task) = Supervisor::over(made, Events::nowhere(), stopped).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (from, to) = tokio::net::UnixStream::from_std(theirs).unwrap().into_split();
        let scans = scans("if grep -q bad; then echo x: Bad FOUND; exit 1; fi", 1_000_000);
        let working = tokio::spawn(async move { work::serve(from, to, None, &scans, None).await });
        let run = |engine, message: &'static [u8]| Commands::run(&supervisor, engine, Bytes::from_static(message));
        let (bad, good, none) = tokio::join!(run(1, b"a bad one\n"), run(1, b"a good one\n"), run(0, b"any"));
        assert_eq!(bad.unwrap(), Ran { code: 1, output: "x: Bad FOUND\n".to_owned() });
        assert_eq!(good.unwrap(), Ran { code: 0, output: String::new() });
        assert!(none.unwrap_err().contains("no such program"));
        let large = Commands::run(&supervisor, 1, vec![b'x'; 1_000_001].into()).await;
        assert!(large.unwrap_err().contains("no room"));
        working.abort();
        let _ended = working.await;
        assert!(Commands::run(&supervisor, 1, Bytes::from_static(b"x")).await.unwrap_err().contains("is gone"));
    }

    #[test]
    fn the_words_of_a_program_are_the_configuration_s() {
        let line = "[antivirus]\nengines = [\"clamd tcp:127.0.0.1:3310\", \"command /usr/bin/scanner --all -\"]\n";
        let config = Config::parse(line, "m.toml").unwrap().config;
        assert_eq!(config.antivirus.engines[1].to_string(), "command clean=0 infected=1 /usr/bin/scanner --all -");
    }
}
