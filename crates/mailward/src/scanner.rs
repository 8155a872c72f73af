//! # scanner: a process that opens attachments and can reach nothing
//!
//! **For**: looking into messages where it can do no harm. The server makes as many of these processes as it needs
//! ([`mailward_scan::Pool`]), of its own binary, by a hidden verb.
//!
//! **In**: messages, over the socket that is standard input. **Out**: what is in them ([`mailward_scan::worker`]).
//!
//! Before the first message the process closes itself up ([`confine`]): no other descriptor than the socket, no
//! capabilities, no way to gain rights, little memory, no files, no network, and of the kernel's calls only those that work on
//! memory and on that socket. Whoever takes it over by a message has the messages that come after it, and nothing else; that
//! few come is the pool's.
//!
//! **Limits**: `limits::SCANNER_MEMORY_MAX`, `SCANNER_CPU_MAX`.
//!
//! **Failure**: where it can't close itself up it says why and ends, and the server takes no mail that it would have to look
//! into. Landlock alone is done without, where the kernel hasn't got it: seccomp allows nothing that it would forbid.

mod confine;
mod filter;

use crate::failure::Failure;
use mailward_core::limits::{SCANNER_CPU_WORN, SCANNER_MEMORY_WORN};
use mailward_scan::pool::Program;
use mailward_scan::worker::{Hello, Reading, hello, serve};
use mailward_scan::{Budget, Contents, open_with};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The verb, which no help names.
const VERB: &str = "scanner";
/// This program, also when another file has come in its place since.
const OURSELVES: &str = "/proc/self/exe";

/// How the server makes one.
pub(crate) fn program() -> Program {
    Program::new(OURSELVES, &[VERB])
}

/// Works on the socket that is standard input until the server is gone.
pub(crate) fn work() -> Result<(), Failure> {
    let not_ours = || Failure::Usage("this is for `mailward serve` to start".to_owned());
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(not_ours());
    }
    let failed = |e| Failure::io("the scanner's socket", e);
    // A second descriptor would stay open beside it.
    let mut socket = UnixStream::from(stdin.as_fd().try_clone_to_owned().map_err(failed)?);
    socket.peer_addr().map_err(|_| not_ours())?;
    // What it panics about it has read in a message, and nobody reads what it writes.
    std::panic::set_hook(Box::new(|_| {}));
    // Whatever is made ready by the first use, and may need what is given up now.
    let _ready = look(b"Subject: none\r\n\r\nnone\r\n", Vec::new());
    match confine::confine(&socket) {
        Ok(without) => hello(&mut socket, &Hello { refused: None, without }).map_err(failed)?,
        Err(why) => {
            hello(&mut socket, &Hello { refused: Some(why.clone()), without: Vec::new() }).map_err(failed)?;
            return Err(Failure::Refused(why));
        }
    }
    serve(&mut socket, look, worn).map_err(failed)
}

/// Whether it has worked so much, or had so much memory, that another one should take its place.
fn worn() -> bool {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return true };
    let seconds = usage.user_time().tv_sec().saturating_add(usage.system_time().tv_sec());
    let time = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
    // Kilobytes (getrusage(2)).
    let memory = u64::try_from(usage.max_rss()).unwrap_or(u64::MAX).saturating_mul(1024);
    time >= SCANNER_CPU_WORN || memory >= SCANNER_MEMORY_WORN
}

fn look(message: &[u8], readings: Vec<Reading>) -> Contents {
    let began = processor_time();
    let elapsed = move || processor_time().saturating_sub(began);
    open_with(message, readings, Budget::within_limits(&elapsed))
}

/// What this process has had of processors: a message that is looked at slowly on a busy host is no bomb.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}
