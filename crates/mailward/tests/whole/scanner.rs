//! Scanner workers for real: processes of the binary, closed up, killed and replaced.

use bytes::Bytes;
use mailward_core::event::Events;
use mailward_scan::pool::{Launch, Launched, Program};
use mailward_scan::{Contents, Pool, Stopped};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The binary's workers, whose ids are noted, and how much they were sent.
#[derive(Clone)]
struct Noted(Program, Arc<Mutex<Vec<u32>>>, Arc<AtomicUsize>);

impl Launch for Noted {
    fn launch(&self) -> std::io::Result<Launched> {
        let launched = self.0.launch()?;
        self.1.lock().unwrap().extend(launched.child.as_ref().and_then(tokio::process::Child::id));
        let (socket, between) = UnixStream::pair()?;
        let worker = launched.socket;
        let (mut said, mut heard) = (worker.try_clone()?, between.try_clone()?);
        std::thread::spawn(move || {
            let _end = std::io::copy(&mut said, &mut heard);
            let _gone = heard.shutdown(Shutdown::Both);
        });
        let sent = self.2.clone();
        std::thread::spawn(move || pass(between, worker, &sent));
        Ok(Launched { socket, child: launched.child })
    }
}

/// Passes on what the pool says, and counts it.
fn pass(mut from: UnixStream, mut to: UnixStream, sent: &AtomicUsize) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut piece) {
        sent.fetch_add(read, Ordering::Relaxed);
        if read == 0 || to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    let _gone = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

impl Noted {
    fn last(&self) -> Pid {
        Pid::from_raw(i32::try_from(*self.1.lock().unwrap().last().unwrap()).unwrap())
    }
    fn count(&self) -> usize {
        self.1.lock().unwrap().len()
    }
}

fn pool(workers: usize) -> (Pool, Noted, Events) {
    let noted = Noted(Program::new(env!("CARGO_BIN_EXE_mailward"), &["scanner"]), Arc::default(), Arc::default());
    let events = Events::memory();
    (Pool::new(noted.clone(), workers, events.clone()), noted, events)
}

fn letter() -> Bytes {
    Bytes::from_static(b"From: joe@example.org\r\nSubject: hello\r\n\r\nGood morning.\r\n")
}

fn lost() -> Contents {
    Contents { items: Vec::new(), stopped: vec![Stopped::Lost] }
}

async fn good(pool: &Pool) {
    let contents = pool.look(letter(), None).await.unwrap();
    assert_eq!((contents.stopped, contents.items.len()), (Vec::new(), 1));
}

/// Starts to look at a message while its worker stands still, and answers once some of it is on its way.
async fn begun(pool: &Pool, noted: &Noted) -> tokio::task::JoinHandle<Contents> {
    pool.start().await.unwrap();
    kill(noted.last(), Signal::SIGSTOP).unwrap();
    let looking = tokio::spawn({
        let pool = pool.clone();
        async move { pool.look(Bytes::from(vec![b'x'; 8 << 20]), None).await.unwrap() }
    });
    while noted.2.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    looking
}

#[tokio::test]
async fn a_worker_is_closed_up_before_its_first_message() {
    let (pool, noted, events) = pool(1);
    pool.start().await.unwrap();
    let process = format!("/proc/{}", noted.last());
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let field = |name: &str| {
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {status}"));
        line.trim().to_owned()
    };
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Threads:"), "1");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    // Root alone may look into a process that is closed to others.
    if geteuid().is_root() {
        let open: Vec<String> = std::fs::read_dir(format!("{process}/fd"))
            .unwrap()
            .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
            .collect();
        assert!(open.len() == 1 && open[0].starts_with("socket:"), "{open:?}");
        let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
        for none in ["Max file size", "Max core file size", "Max open files", "Max processes"] {
            let line = limits.lines().find_map(|line| line.strip_prefix(none)).unwrap();
            let most: Vec<&str> = line.split_whitespace().take(2).collect();
            assert_eq!(most, ["0", "0"], "{none}");
        }
        let line = limits.lines().find_map(|line| line.strip_prefix("Max address space")).unwrap();
        assert!(!line.contains("unlimited"), "{line}");
        assert_eq!(std::fs::read(format!("{process}/environ")).unwrap(), b"");
    }
    good(&pool).await;
    // What this kernel hasn't got is told, and nothing else of the kind.
    let lines = events.lines();
    assert!(lines.iter().all(|line| !line.contains("confined_less") || line.contains("landlock")), "{lines:?}");
}

/// Attacks E3: a crash while a message is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_in_the_middle_of_a_message_costs_that_message_alone() {
    let (pool, noted, events) = pool(1);
    let looking = begun(&pool, &noted).await;
    kill(noted.last(), Signal::SIGKILL).unwrap();
    assert_eq!(looking.await.unwrap(), lost());
    good(&pool).await;
    assert_eq!(noted.count(), 2);
    let lines = events.lines();
    assert!(lines.iter().any(|line| line.contains("scanner.lost") && line.contains("signal: 9")), "{lines:?}");
}

/// Attacks E3: a hang while a message is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_hangs_is_killed_and_the_next_message_is_seen() {
    let (pool, noted, events) = pool(1);
    let looking = begun(&pool, &noted).await;
    let hung = noted.last();
    assert_eq!(looking.await.unwrap(), lost());
    good(&pool).await;
    assert_ne!(noted.last(), hung);
    let state = || std::fs::read_to_string(format!("/proc/{hung}/stat")).unwrap_or_default();
    while !(state().is_empty() || state().contains(") Z ")) {
        tokio::task::yield_now().await;
    }
    assert!(events.lines().iter().any(|line| line.contains("didn't answer in time")));
}

/// Attacks E3: more memory than a worker may have ends it, and not the host.
#[tokio::test]
async fn a_message_that_takes_more_memory_than_a_worker_may_have_ends_its_worker_alone() {
    let (pool, noted, events) = pool(1);
    let large = usize::try_from(mailward_core::limits::SCANNER_MEMORY_MAX).unwrap() + (1 << 20);
    assert_eq!(pool.look(Bytes::from(vec![b'x'; large]), None).await.unwrap(), lost());
    good(&pool).await;
    assert_eq!(noted.count(), 2);
    let lines = events.lines();
    assert!(lines.iter().any(|line| line.contains("scanner.lost") && line.contains("it ended")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_at_once_share_the_workers_and_a_lost_one_disturbs_none() {
    let (pool, noted, _) = pool(2);
    pool.start().await.unwrap();
    let looking: Vec<_> = (0..40)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { good(&pool).await })
        })
        .collect();
    for one in looking {
        one.await.unwrap();
    }
    assert!(noted.count() <= 2);
    assert_eq!(pool.counts().looked, 40);
}

#[tokio::test]
async fn a_worker_ends_with_its_pool() {
    let (pool, noted, _) = pool(1);
    good(&pool).await;
    let worker = noted.last();
    drop(pool);
    let state = || std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
    while !(state().is_empty() || state().contains(") Z ")) {
        tokio::task::yield_now().await;
    }
}

/// An end by a signal is told as something amiss.
#[tokio::test]
async fn a_worker_whose_server_is_gone_ends_well() {
    let program = Program::new(env!("CARGO_BIN_EXE_mailward"), &["scanner"]);
    let Launched { mut socket, child } = program.launch().unwrap();
    let mut hello = [0; 6];
    socket.read_exact(&mut hello).unwrap();
    drop(socket);
    assert_eq!(child.unwrap().wait().await.unwrap().code(), Some(0));
}

#[test]
fn nobody_starts_a_worker_by_hand() {
    let output = Command::new(env!("CARGO_BIN_EXE_mailward")).arg("scanner").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mailward serve"));
}
