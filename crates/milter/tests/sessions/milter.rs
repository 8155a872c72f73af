//! A milter that says what a test wants.

use mailward_core::config::{MilterLine, MilterPlace};
use mailward_milter::packet::take;
use mailward_milter::terms::{actions, steps};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// What it says to a command: bytes as they go out; `None`: it hangs up.
type Say = dyn Fn(u8, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Letters and what came with them.
type All = Mutex<Vec<(u8, Vec<u8>)>>;

/// A milter at a socket of its own.
pub(crate) struct Milter {
    /// Its line, to be changed before it is used.
    pub(crate) line: MilterLine,
    heard: Arc<All>,
    connections: Arc<Mutex<usize>>,
    socket: PathBuf,
    _directory: TempDir,
}

/// A packet as it goes out.
pub(crate) fn packet(letter: u8, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[letter], data].concat()
}

/// "Go on."
pub(crate) fn go_on() -> Option<Vec<u8>> {
    Some(packet(b'c', b""))
}

/// Terms: version, actions, steps, and lists of macros by stage.
pub(crate) fn terms(version: u32, actions: u32, steps: u32, lists: &[(u32, &str)]) -> Vec<u8> {
    let mut data: Vec<u8> = [version, actions, steps].into_iter().flat_map(u32::to_be_bytes).collect();
    for (stage, list) in lists {
        data.extend(stage.to_be_bytes());
        data.extend(list.as_bytes());
        data.push(0);
    }
    packet(b'O', &data)
}

impl Milter {
    /// One that may change everything, hears of everything, and answers to everything.
    pub(crate) fn new(name: &str, say: impl Fn(u8, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::on_terms(name, terms(6, actions::ALL & !actions::CHOOSE_MACROS, steps::SKIP, &[]), say)
    }

    pub(crate) fn on_terms(
        name: &str,
        terms: Vec<u8>,
        say: impl Fn(u8, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let socket = directory.path().join("socket");
        let line = MilterLine::new(name, MilterPlace::Unix(socket.clone()));
        let milter = Self { line, heard: Arc::default(), connections: Arc::default(), socket, _directory: directory };
        milter.listen(terms, say);
        milter
    }

    /// One whose socket nobody listens at.
    pub(crate) fn absent(name: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let socket = directory.path().join("socket");
        let line = MilterLine::new(name, MilterPlace::Unix(socket.clone()));
        Self { line, heard: Arc::default(), connections: Arc::default(), socket, _directory: directory }
    }

    /// Begins to listen.
    pub(crate) fn listen(&self, terms: Vec<u8>, say: impl Fn(u8, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let (heard, connections) = (Arc::clone(&self.heard), Arc::clone(&self.connections));
        let say: Arc<Say> = Arc::new(say);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                tokio::spawn(serve(stream, terms.clone(), Arc::clone(&say), Arc::clone(&heard)));
            }
        });
    }

    /// What it heard, terms left out: `H mx.example\0`, macros as `D`.
    pub(crate) fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let all = heard.iter().filter(|(letter, _)| *letter != b'O');
        all.map(|(letter, data)| format!("{} {}", char::from(*letter), String::from_utf8_lossy(data))).collect()
    }

    /// The letters of the commands that it heard, without macros.
    pub(crate) fn letters(&self) -> String {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|(letter, _)| char::from(*letter)).filter(|letter| !"OD".contains(*letter)).collect()
    }

    /// Waits until it heard this letter so often.
    pub(crate) async fn hears(&self, letter: char, times: usize) {
        while self.letters().matches(letter).count() < times {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn serve(mut stream: UnixStream, terms: Vec<u8>, say: Arc<Say>, heard: Arc<All>) {
    let mut input = Vec::new();
    loop {
        while let Some((packet, length)) = take(&input, usize::MAX).unwrap() {
            let (letter, data) = (packet.letter, packet.data.to_vec());
            input.drain(..length);
            heard.lock().unwrap().push((letter, data.clone()));
            let answer = match letter {
                b'O' => Some(terms.clone()),
                b'D' | b'A' | b'K' | b'Q' => Some(Vec::new()),
                _ => say(letter, &data),
            };
            let Some(answer) = answer else { return };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
        if !matches!(stream.read_buf(&mut input).await, Ok(count) if count > 0) {
            return;
        }
    }
}
