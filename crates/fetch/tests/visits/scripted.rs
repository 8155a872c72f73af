//! Servers that say what a test wants, in clear or under TLS.

use mailward_tls::{Acceptor, Wire};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What a server does after a line.
pub enum Then {
    /// Says this.
    Say(Vec<u8>),
    /// Says this, and closes.
    Close(Vec<u8>),
    /// Says this, and starts TLS.
    Tls(Vec<u8>),
    /// Says this, then the other again and again until nobody reads.
    Forever(Vec<u8>, Vec<u8>),
}

pub fn say(text: impl Into<Vec<u8>>) -> Then {
    Then::Say(text.into())
}

/// A server, and what it was told.
pub struct Scripted {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Greets, and answers each line; the number of the connection comes with it, from 1.
    pub async fn start(
        acceptor: &Acceptor,
        tls: bool,
        greeting: &'static str,
        answer: impl FnMut(usize, &str) -> Then + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (log, acceptor) = (Arc::clone(&heard), acceptor.clone());
        let mut answer = answer;
        tokio::spawn(async move {
            let mut connection = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connection += 1;
                let mut wire = Wire::tcp(stream);
                if tls {
                    // Who doesn't trust the certificate goes away.
                    let Ok(secured) = wire.accept_tls(&acceptor).await else { continue };
                    wire = secured;
                }
                let _gone = converse(wire, &acceptor, greeting, &log, |line| answer(connection, line)).await;
            }
        });
        Self { port, heard }
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub fn heard_any(&self, start: &str) -> bool {
        self.heard().iter().any(|line| line.contains(start))
    }
}

async fn converse(
    mut wire: Wire,
    acceptor: &Acceptor,
    greeting: &str,
    log: &Mutex<Vec<String>>,
    mut answer: impl FnMut(&str) -> Then,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    write(&mut wire, greeting.as_bytes()).await?;
    loop {
        let Some(end) = buffer.iter().position(|b| *b == b'\n') else {
            let mut piece = [0; 4096];
            match wire.read(&mut piece).await? {
                0 => return Ok(()),
                count => buffer.extend_from_slice(&piece[..count]),
            }
            continue;
        };
        let line: Vec<u8> = buffer.drain(..=end).collect();
        let line = String::from_utf8(line).unwrap().trim_end().to_owned();
        log.lock().unwrap().push(line.clone());
        match answer(&line) {
            Then::Say(text) => write(&mut wire, &text).await?,
            Then::Close(text) => {
                write(&mut wire, &text).await?;
                return wire.shutdown().await;
            }
            Then::Tls(text) => {
                write(&mut wire, &text).await?;
                match wire.accept_tls(acceptor).await {
                    Ok(secured) => wire = secured,
                    Err(_) => return Ok(()),
                }
            }
            Then::Forever(text, again) => {
                write(&mut wire, &text).await?;
                loop {
                    write(&mut wire, &again).await?;
                }
            }
        }
    }
}

async fn write(wire: &mut Wire, text: &[u8]) -> std::io::Result<()> {
    wire.write_all(text).await?;
    wire.flush().await
}

/// A POP3 maildrop that keeps its word.
#[derive(Clone, Default)]
pub struct Pop {
    /// Names and messages.
    pub messages: Vec<(String, Vec<u8>)>,
    deleted: Vec<usize>,
}

impl Pop {
    pub fn of(messages: &[(&str, &str)]) -> Self {
        let messages = messages.iter().map(|(id, text)| ((*id).to_owned(), text.as_bytes().to_vec())).collect();
        Self { messages, deleted: Vec::new() }
    }

    pub fn answer(&mut self, line: &str) -> Then {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let at = rest.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let there = self.messages.iter().enumerate();
        match command {
            "CAPA" => {
                self.deleted.clear();
                say("+OK\r\nUIDL\r\nAUTH-RESP-CODE\r\nUSER\r\n.\r\n")
            }
            "LIST" => {
                let lines: String = there.map(|(n, (_, text))| format!("{} {}\r\n", n + 1, text.len())).collect();
                say(format!("+OK\r\n{lines}.\r\n"))
            }
            "UIDL" => {
                let lines: String = there.map(|(n, (id, _))| format!("{} {id}\r\n", n + 1)).collect();
                say(format!("+OK\r\n{lines}.\r\n"))
            }
            "RETR" => say(sent(&self.messages[at.unwrap()].1)),
            "DELE" => {
                self.deleted.push(at.unwrap());
                say("+OK\r\n")
            }
            "QUIT" => {
                let gone = std::mem::take(&mut self.deleted);
                let mut number = 0;
                self.messages.retain(|_| {
                    number += 1;
                    !gone.contains(&(number - 1))
                });
                Then::Close(b"+OK\r\n".to_vec())
            }
            _ => say("+OK\r\n"),
        }
    }
}

/// A message as POP3 sends it.
pub fn sent(message: &[u8]) -> Vec<u8> {
    let mut out = b"+OK\r\n".to_vec();
    let mut line_begins = true;
    for (at, byte) in message.iter().enumerate() {
        if line_begins && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        line_begins = message[..=at].ends_with(b"\r\n");
    }
    if !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
