//! The pool against workers of any kind, which are threads here. Processes: the binary's tests.

use super::*;
use crate::contents::Item;
use crate::worker::{Hello, hello, serve};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream as Socket;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

const SHORT: Times =
    Times { place: Duration::from_millis(200), start: Duration::from_secs(20), look: Duration::from_secs(20) };

/// What a worker does.
type Play = Box<dyn FnOnce(Socket) + Send>;

/// Workers that do what they are told, the first one the first.
struct Played(Mutex<Vec<Play>>, Arc<AtomicUsize>);

impl Launch for Played {
    fn launch(&self) -> std::io::Result<Launched> {
        let (socket, theirs) = Socket::pair()?;
        self.1.fetch_add(1, Ordering::Relaxed);
        let next = self.0.lock().unwrap().pop();
        std::thread::spawn(move || next.unwrap_or_else(|| Box::new(honest))(theirs));
        Ok(Launched { socket, child: None })
    }
}

fn honest(mut socket: Socket) {
    hello(&mut socket, &Hello::default()).unwrap();
    let _gone = serve(&mut socket, |message, _, room| (seen(message), shows(message, room)), || false);
}

fn seen(message: &[u8]) -> Contents {
    let item = Item { size: message.len() as u64, ..Item::default() };
    Contents { items: vec![item], stopped: Vec::new() }
}

/// As many bytes as are wanted, in two files.
fn shows(message: &[u8], room: usize) -> Shown {
    let files = if room == 0 {
        Vec::new()
    } else {
        vec![Bytes::copy_from_slice(message), Bytes::from(vec![b'y'; room - message.len()])]
    };
    Shown { files, cut: room > 0 }
}

fn pool(workers: usize, times: Times, mut plays: Vec<Play>) -> (Pool, Events, Arc<AtomicUsize>) {
    plays.reverse();
    let (events, launched) = (Events::memory(), Arc::new(AtomicUsize::new(0)));
    let launch = Box::new(Played(Mutex::new(plays), launched.clone()));
    (Pool::with_times(launch, workers, events.clone(), times), events, launched)
}

async fn good(pool: &Pool) {
    assert_eq!(pool.look(Bytes::from_static(b"four"), None).await.unwrap(), seen(b"four"));
}

fn takes_a_message(socket: &mut Socket) {
    hello(socket, &Hello::default()).unwrap();
    let mut lengths = [[0; LENGTH]; 3];
    for length in &mut lengths {
        socket.read_exact(length).unwrap();
    }
    for length in &lengths[..2] {
        socket.read_exact(&mut vec![0; u32::from_le_bytes(*length) as usize]).unwrap();
    }
}

#[tokio::test]
async fn a_worker_looks_at_message_after_message_and_is_replaced_in_time() {
    let (pool, _, launched) = pool(2, SHORT, Vec::new());
    pool.start().await.unwrap();
    for _ in 0..SCANNER_MESSAGES_MAX {
        good(&pool).await;
    }
    assert_eq!(launched.load(Ordering::Relaxed), 1);
    good(&pool).await;
    assert_eq!(launched.load(Ordering::Relaxed), 2);
    assert_eq!(pool.counts(), Counts { looked: SCANNER_MESSAGES_MAX + 1, started: 2, ..Counts::default() });
}

#[tokio::test]
async fn what_virus_scanners_would_not_find_comes_with_the_answer_and_no_more_than_was_asked_for() {
    let greedy = |mut socket: Socket| {
        hello(&mut socket, &Hello::default()).unwrap();
        let _gone = serve(&mut socket, |message, _, room| (seen(message), shows(message, room + 1)), || false);
    };
    let (pool, events, launched) = pool(1, SHORT, vec![Box::new(honest), Box::new(greedy)]);
    let message = Bytes::from_static(b"four");
    let looked = pool.look_and_show(message.clone(), None).await.unwrap();
    assert_eq!(looked, (seen(b"four"), shows(b"four", SCAN_SHOWN_MAX)));
    good(&pool).await;
    pool.idle().clear();
    let looked = pool.look_and_show(message, None).await.unwrap();
    assert_eq!(looked.0.stopped, [Stopped::Lost]);
    assert!(events.lines().iter().any(|line| line.contains("more than was asked for")));
    assert_eq!(launched.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_large_message_comes_whole() {
    let (pool, ..) = pool(1, SHORT, Vec::new());
    let large = Bytes::from(vec![b'x'; 5_000_000]);
    assert_eq!(pool.look(large.clone(), None).await.unwrap(), seen(&large));
}

/// Attacks E3: what a worker says beyond its answer is nobody's answer.
#[tokio::test]
async fn a_worker_that_says_more_than_its_answer_is_not_used_again() {
    let talkative = |mut socket: Socket| {
        takes_a_message(&mut socket);
        let answer = Answer { contents: seen(b"four"), ..Answer::default() };
        let answer = postcard::to_stdvec(&answer).unwrap();
        let length = u32::try_from(answer.len()).unwrap().to_le_bytes();
        // Another answer, in the same piece.
        socket.write_all(&[&length[..], &answer, &length, &answer].concat()).unwrap();
        let _until_dropped = socket.read(&mut [0]);
    };
    let (pool, _, launched) = pool(1, SHORT, vec![Box::new(talkative)]);
    good(&pool).await;
    assert_eq!(pool.look(Bytes::from_static(b"seven b"), None).await.unwrap(), seen(b"seven b"));
    assert_eq!(launched.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_answer_that_is_longer_than_what_is_read_at_once_comes_whole() {
    let long = || Contents {
        items: vec![Item { text: "x".repeat(3 * SCANNER_READ_BYTES + 1), ..Item::default() }],
        stopped: Vec::new(),
    };
    let tells = move |mut socket: Socket| {
        hello(&mut socket, &Hello::default()).unwrap();
        let _gone = serve(&mut socket, |message, _, room| (long(), shows(message, room)), || false);
    };
    let (pool, ..) = pool(1, SHORT, vec![Box::new(tells)]);
    for _ in 0..2 {
        let message = Bytes::from_static(b"four");
        let looked = pool.look_and_show(message, None).await.unwrap();
        assert_eq!(looked, (long(), shows(b"four", SCAN_SHOWN_MAX)));
    }
}

/// Attacks E3: a crash, a lie or a hang of whoever opens attachments is told of this message, and the next one is seen.
#[tokio::test]
async fn a_worker_that_dies_lies_or_breaks_off_costs_its_own_message_alone() {
    let plays: Vec<(&str, Play)> = vec![
        ("it ended", Box::new(|mut socket| takes_a_message(&mut socket))),
        (
            "its answer is none",
            Box::new(|mut socket| {
                takes_a_message(&mut socket);
                socket.write_all(&[3, 0, 0, 0, 0xff, 0xff, 0xff]).unwrap();
            }),
        ),
        (
            "its answer is too long",
            Box::new(|mut socket| {
                takes_a_message(&mut socket);
                socket.write_all(&u32::MAX.to_le_bytes()).unwrap();
                let _until_dropped = socket.read(&mut [0]);
            }),
        ),
        (
            "it ended in the middle of its answer",
            Box::new(|mut socket| {
                takes_a_message(&mut socket);
                socket.write_all(&[9, 0, 0, 0, 1]).unwrap();
            }),
        ),
    ];
    for (how, play) in plays {
        let (pool, events, launched) = pool(1, SHORT, vec![play]);
        let contents = pool.look(Bytes::from_static(b"bad"), None).await.unwrap();
        assert_eq!(contents, Contents { items: Vec::new(), stopped: vec![Stopped::Lost] }, "{how}");
        good(&pool).await;
        assert_eq!((launched.load(Ordering::Relaxed), pool.counts().lost), (2, 1));
        let lines = events.lines();
        assert!(lines.iter().any(|line| line.contains("scanner.lost") && line.contains(how)), "{how}: {lines:?}");
    }
}

/// Attacks E3.
#[tokio::test]
async fn a_worker_that_hangs_is_given_up_and_its_socket_closed() {
    let (closed, is_closed) = mpsc::channel();
    let play = move |mut socket: Socket| {
        takes_a_message(&mut socket);
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0);
        closed.send(()).unwrap();
    };
    let (pool, events, _) = pool(1, Times { look: Duration::from_millis(100), ..SHORT }, vec![Box::new(play)]);
    assert_eq!(pool.look(Bytes::from_static(b"bad"), None).await.unwrap().stopped, [Stopped::Lost]);
    tokio::task::spawn_blocking(move || is_closed.recv().unwrap()).await.unwrap();
    assert!(events.lines().iter().any(|line| line.contains("didn't answer in time")));
}

#[tokio::test]
async fn a_worker_that_died_while_it_waited_is_nobody_s_loss() {
    let (died, has_died) = mpsc::channel();
    let play = move |mut socket: Socket| {
        hello(&mut socket, &Hello::default()).unwrap();
        drop(socket);
        died.send(()).unwrap();
    };
    let (pool, _, launched) = pool(1, SHORT, vec![Box::new(play)]);
    pool.start().await.unwrap();
    has_died.recv().unwrap();
    good(&pool).await;
    assert_eq!((launched.load(Ordering::Relaxed), pool.counts().lost), (2, 0));
}

#[tokio::test]
async fn whoever_finds_all_workers_busy_waits_and_is_told_after_a_while() {
    let (go, gone) = mpsc::channel::<()>();
    let play = move |mut socket: Socket| {
        hello(&mut socket, &Hello::default()).unwrap();
        let _end = serve(
            &mut socket,
            |message, _, _| {
                if message == b"slow" {
                    gone.recv().unwrap();
                }
                (seen(message), Shown::default())
            },
            || false,
        );
    };
    let (pool, ..) = pool(1, SHORT, vec![Box::new(play)]);
    pool.start().await.unwrap();
    let slow = tokio::spawn({
        let pool = pool.clone();
        async move { pool.look(Bytes::from_static(b"slow"), None).await }
    });
    while pool.0.places.free() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.look(Bytes::from_static(b"four"), None).await, Err(ScanError::Busy));
    let waits = tokio::spawn({
        let pool = pool.clone();
        async move { pool.look(Bytes::from_static(b"four"), None).await }
    });
    while pool.0.places.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert_eq!(slow.await.unwrap().unwrap(), seen(b"slow"));
    let waited = waits.await.unwrap();
    assert!(waited == Ok(seen(b"four")) || waited == Err(ScanError::Busy));
    assert_eq!(pool.0.places.waiting(), 0);
}

#[tokio::test]
async fn a_worker_whose_answer_nobody_waits_for_is_not_used_again() {
    let (taken, is_taken) = mpsc::channel();
    let play = move |mut socket: Socket| {
        takes_a_message(&mut socket);
        taken.send(()).unwrap();
        let _until_dropped = socket.read(&mut [0]);
    };
    let (pool, _, launched) = pool(1, SHORT, vec![Box::new(play)]);
    let looking = tokio::spawn({
        let pool = pool.clone();
        async move { pool.look(Bytes::from_static(b"left"), None).await }
    });
    tokio::task::spawn_blocking(move || is_taken.recv().unwrap()).await.unwrap();
    looking.abort();
    let _aborted = looking.await;
    good(&pool).await;
    assert_eq!((launched.load(Ordering::Relaxed), pool.counts().lost), (2, 0));
}

#[tokio::test]
async fn workers_that_can_t_start_are_told_once_and_tried_less_and_less_often() {
    let refuses: Play = Box::new(|mut socket| {
        let refused = Some("no seccomp in this kernel".to_owned());
        hello(&mut socket, &Hello { refused, without: Vec::new() }).unwrap();
    });
    let (pool, events, launched) = pool(1, SHORT, vec![refuses, Box::new(drop)]);
    let Err(ScanError::Unavailable(why)) = pool.start().await else { panic!("it refused") };
    assert!(why.contains("no seccomp"));
    // As if the pause were over, or far from it.
    let pauses_for = |time| {
        let mut trouble = pool.trouble();
        trouble.until = Instant::now().checked_add(time);
        trouble.pause
    };
    assert_eq!(pauses_for(SCANNER_RETRY_TIME_MAX), SCANNER_RETRY_TIME);
    assert_eq!(pool.look(Bytes::from_static(b"four"), None).await, Err(ScanError::Unavailable(why)));
    assert_eq!(launched.load(Ordering::Relaxed), 1);
    pauses_for(Duration::ZERO);
    assert!(pool.look(Bytes::from_static(b"four"), None).await.is_err());
    assert_eq!(launched.load(Ordering::Relaxed), 2);
    assert_eq!(pauses_for(Duration::ZERO), SCANNER_RETRY_TIME * 2);
    good(&pool).await;
    let told: Vec<String> = events.lines().into_iter().filter(|line| line.contains("scanner.")).collect();
    assert!(told[0].contains("scanner.unavailable") && told[1].contains("scanner.recovered"), "{told:?}");
    assert_eq!(told.len(), 2);
}

/// A worker that takes nothing is nobody's fault, but a host where all do so is told instead of being tried for ever.
#[tokio::test]
async fn workers_that_all_end_before_they_take_a_message_are_given_up_after_a_few() {
    let ends = || -> Play {
        Box::new(|mut socket| {
            socket.shutdown(std::net::Shutdown::Read).unwrap();
            hello(&mut socket, &Hello::default()).unwrap();
        })
    };
    let (pool, _, launched) = pool(1, SHORT, (0..SCANNER_GONE_MAX).map(|_| ends()).collect());
    let looked = pool.look(Bytes::from_static(b"four"), None).await;
    assert!(matches!(looked, Err(ScanError::Unavailable(_))), "{looked:?}");
    assert_eq!((launched.load(Ordering::Relaxed), pool.counts().lost), (SCANNER_GONE_MAX, 0));
    good(&pool).await;
}

#[tokio::test]
async fn mail_of_one_host_leaves_workers_for_others() {
    let (go, gone) = mpsc::channel::<()>();
    let slow: Play = Box::new(move |mut socket: Socket| {
        hello(&mut socket, &Hello::default()).unwrap();
        let wait = |message: &[u8], _, _| {
            let _go = gone.recv();
            (seen(message), Shown::default())
        };
        let _end = serve(&mut socket, wait, || false);
    });
    let (pool, ..) = pool(2, SHORT, vec![slow]);
    let greedy = Some("192.0.2.1".parse().unwrap());
    let busy = tokio::spawn({
        let pool = pool.clone();
        async move { pool.look(Bytes::from_static(b"slow"), greedy).await }
    });
    while pool.0.places.free() == 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.look(Bytes::from_static(b"more"), greedy).await, Err(ScanError::Busy));
    let other = Some("198.51.100.1".parse().unwrap());
    assert_eq!(pool.look(Bytes::from_static(b"four"), other).await.unwrap(), seen(b"four"));
    go.send(()).unwrap();
    assert!(busy.await.unwrap().is_ok());
}
