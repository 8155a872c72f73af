//! A web server that says what a test wants, in the certificate that it wants.

use mailward_tls::{Acceptor, Wire, authority};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// The authority that is trusted.
pub fn authority() -> &'static authority::Authority {
    static AUTHORITY: OnceLock<authority::Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| authority::create(&["plain"], SystemTime::now()).unwrap())
}

pub fn trusting() -> mailward_tls::outbound::Outbound {
    mailward_tls::outbound::Outbound::trusting(authority().certificate_pem.as_bytes()).unwrap()
}

#[derive(Clone, Debug)]
pub enum Say {
    /// This, then the end.
    Bytes(Vec<u8>),
    /// A header, then a byte of a body now and then, until nobody listens.
    Drip,
    /// A body without end.
    Endless,
}

pub struct Web {
    pub port: u16,
    say: Arc<Mutex<Say>>,
    asked: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Web {
    /// With a certificate for a name.
    pub async fn start(name: &str, say: Say) -> Self {
        Self::signed(authority(), name, say).await
    }

    pub async fn signed(authority: &authority::Authority, name: &str, say: Say) -> Self {
        let issued = authority::issue(authority, &[name], SystemTime::now()).unwrap();
        let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (say, asked) = (Arc::new(Mutex::new(say)), Arc::new(AtomicUsize::new(0)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (said, counter, seen) = (Arc::clone(&say), Arc::clone(&asked), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, counter) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&counter));
                let say = said.lock().unwrap().clone();
                tokio::spawn(async move {
                    let Ok(mut wire) = Wire::tcp(stream).accept_tls(&acceptor).await else { return };
                    let request = read(&mut wire).await;
                    counter.fetch_add(1, Ordering::SeqCst);
                    seen.lock().unwrap().push(request);
                    answer(&mut wire, say).await;
                });
            }
        });
        Self { port, say, asked, requests, task }
    }

    pub fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }
    /// Requests that came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }
}

/// A request with its body.
async fn read(wire: &mut Wire) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            if all.len() >= end + 4 + length.unwrap_or(0_usize) {
                return all;
            }
        }
        match wire.read(&mut piece).await {
            Ok(count) if count > 0 => all.extend_from_slice(&piece[..count]),
            _ => return all,
        }
    }
}

async fn answer(wire: &mut Wire, say: Say) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    match say {
        Say::Bytes(bytes) => {
            let _gone = wire.write_all(&bytes).await;
        }
        Say::Drip => {
            let _gone = wire.write_all(head).await;
            // As slow as it likes: it waits for whoever listens to go away.
            let _gone = wire.write_all(b"v").await;
            let _gone = wire.flush().await;
            let mut piece = [0; 1];
            let _end = wire.read(&mut piece).await;
        }
        Say::Endless => {
            let _gone = wire.write_all(head).await;
            while wire.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    }
    let _gone = wire.flush().await;
    let _gone = wire.shutdown().await;
}

/// A good answer with a policy.
pub fn policy(text: &str) -> Say {
    plain("200 OK", "text/plain", text)
}

pub fn plain(status: &str, kind: &str, text: &str) -> Say {
    let length = text.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{text}");
    Say::Bytes(head.into_bytes())
}
