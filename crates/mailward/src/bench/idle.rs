//! `mailward bench idle`: many connections in IDLE, held open while somebody looks at the server.
//!
//! What is held is real at the end as well: every session must still answer DONE.

use super::BenchError;
use super::imap::{Client, at_once, quoted};
use super::wire::{Dialler, Target};
use mailward_core::Secret;
use serde::Serialize;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Threads that open connections.
const OPENERS: usize = 8;

/// What to hold.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// `%d` becomes 1 to `users` in turn.
    pub(crate) user: String,
    pub(crate) users: usize,
    pub(crate) password: Secret,
    pub(crate) mailbox: String,
    pub(crate) connections: usize,
    /// Written as JSON once all are idle.
    pub(crate) ready_file: Option<PathBuf>,
}

/// What was held.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) connections: usize,
    /// Until all were idle.
    pub(crate) seconds: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        format!("{} connections, idle after {:.1} s, all alive at the end", self.connections, self.seconds)
    }
}

/// Opens all connections, and holds them until standard input ends.
///
/// # Errors
/// One can't be opened, or is gone at the end.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.connections == 0 || options.users == 0 {
        return Err(BenchError::Option("connections and users must be at least 1".to_owned()));
    }
    let room = crate::compose::privilege::open_files_for(options.connections, 0);
    if room < options.connections {
        return Err(BenchError::Option(format!("this process may hold {room} connections only (ulimit -n)")));
    }
    let dialler = Dialler::new(&options.target)?;
    let select = format!("SELECT {}", quoted(&options.mailbox)?);
    let begin = Instant::now();
    let next = AtomicUsize::new(0);
    let sessions = at_once(OPENERS, || {
        let mut open = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= options.connections {
                return Ok(open);
            }
            let user = number.checked_rem(options.users).unwrap_or(0).saturating_add(1).to_string();
            let user = options.user.replacen("%d", &user, 1);
            let mut client = Client::open(&dialler, &user, options.password.expose())?;
            client.ask(&select)?;
            let tag = client.idle()?;
            open.push((client, tag));
        }
    })?;
    let report = Report { connections: options.connections, seconds: begin.elapsed().as_secs_f64() };
    if let Some(path) = &options.ready_file {
        let text = serde_json::to_vec(&report).map_err(|e| BenchError::Option(e.to_string()))?;
        // Whole or not at all: somebody waits for the name to appear.
        let unready = path.with_extension("part");
        let written = std::fs::write(&unready, text).and_then(|()| std::fs::rename(&unready, path));
        written.map_err(|source| BenchError::Disk { path: path.clone(), source })?;
    }
    // Nothing is expected there but its end.
    let mut nothing = [0_u8; 64];
    while std::io::stdin().read(&mut nothing).is_ok_and(|bytes| bytes > 0) {}
    for (mut client, tag) in sessions.into_iter().flatten() {
        client.done(tag)?;
    }
    Ok(report)
}
