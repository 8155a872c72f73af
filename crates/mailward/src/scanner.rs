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
use mailward_scan::{Budget, Contents, Shown, open_and_show};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use rustix::param::page_size;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    let _ready = look(b"Subject: none\r\n\r\nnone\r\n", Vec::new(), 1);
    match confine::confine(&socket) {
        Ok(without) => hello(&mut socket, &Hello { refused: None, without }).map_err(failed)?,
        Err(why) => {
            hello(&mut socket, &Hello { refused: Some(why.clone()), without: Vec::new() }).map_err(failed)?;
            return Err(Failure::Refused(why));
        }
    }
    let served = catch_unwind(AssertUnwindSafe(|| serve(&mut socket, look, worn)));
    // Closing the socket is one of the calls that it mustn't make: the kernel does that.
    std::process::exit(match served {
        Ok(Ok(())) => 0,
        Ok(Err(_)) => 1,
        Err(_) => 101,
    })
}

/// Whether it has worked so much, or had so much memory, that another one should take its place.
fn worn() -> bool {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return true };
    let seconds = usage.user_time().tv_sec().saturating_add(usage.system_time().tv_sec());
    let time = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
    // By the pages that it touched first: what it has at most counts what the server had when it made it.
    let pages = u64::try_from(usage.minor_page_faults()).unwrap_or(u64::MAX);
    let memory = pages.saturating_mul(u64::try_from(page_size()).unwrap_or(u64::MAX));
    time >= SCANNER_CPU_WORN || memory >= SCANNER_MEMORY_WORN
}

fn look(message: &[u8], readings: Vec<Reading>, room: usize) -> (Contents, Shown) {
    let began = processor_time();
    let elapsed = move || processor_time().saturating_sub(began);
    open_and_show(message, readings, Budget::within_limits(&elapsed), room)
}

/// What this process has had of processors: a message that is looked at slowly on a busy host is no bomb.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};

    /// What the process that this test starts of itself tries once it is closed up.
    const TRIES: &str = "MAILWARD_CONFINED_TRIES";

    /// Attacks E3: whoever takes a worker over reaches no file, no network, no program and no other process.
    #[test]
    fn a_process_that_is_closed_up_ends_by_whatever_it_may_not_do() {
        if let Ok(what) = std::env::var(TRIES) {
            let (socket, _theirs) = UnixStream::pair().unwrap();
            confine::confine(&socket).unwrap();
            match what.as_str() {
                "memory" => drop(std::hint::black_box(vec![1_u8; 1 << 20])),
                "open" => drop(std::fs::File::open("/etc/passwd")),
                "list" => drop(std::fs::read_dir("/")),
                "udp" => drop(std::net::UdpSocket::bind("127.0.0.1:0")),
                "tcp" => drop(std::net::TcpStream::connect("127.0.0.1:25")),
                "pair" => drop(UnixStream::pair()),
                "run" => drop(Command::new("/bin/true").spawn()),
                "thread" => drop(std::thread::Builder::new().spawn(|| {})),
                "kill" => drop(nix::sys::signal::kill(nix::unistd::getppid(), None)),
                "other" => drop(nix::unistd::write(std::io::stdout(), b"x")),
                _ => {}
            }
            std::process::exit(0);
        }
        let ended = |what: &str| {
            let name = "scanner::tests::a_process_that_is_closed_up_ends_by_whatever_it_may_not_do";
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", name, "--nocapture"]).env(TRIES, what);
            again.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
        };
        for allowed in ["nothing", "memory"] {
            assert_eq!(ended(allowed).code(), Some(0), "{allowed}");
        }
        for what in ["open", "list", "udp", "tcp", "pair", "run", "thread", "kill", "other"] {
            assert_eq!(ended(what).signal(), Some(nix::libc::SIGSYS), "{what}");
        }
    }
}
