//! A server that answers whatever a closure says.

use hickory_server::proto::op::Message;
use mailward_core::config::Dns;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

/// What is answered.
pub enum Reply {
    /// A message; its id is made to fit the question. Too large for UDP, it is truncated there and whole over TCP.
    Message(Box<Message>),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// Nothing.
    Silence,
}

/// A server that answers whatever a closure says, until it is dropped.
pub struct Raw {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

type Answers = Arc<dyn Fn(&Message) -> Reply + Send + Sync>;

/// Largest UDP answer, bytes: what resolvers ask for.
const UDP_MAX: usize = 1_232;

impl Raw {
    /// Starts it within a tokio runtime.
    pub async fn start(answers: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let answers: Answers = Arc::new(answers);
        let (udp, tcp, address) = ports().await;
        let tasks = [tokio::spawn(datagrams(udp, Arc::clone(&answers))), tokio::spawn(streams(tcp, answers))];
        Self { address, tasks }
    }

    /// Where it listens, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Configuration of a resolver that asks this server and checks nothing.
    #[must_use]
    pub fn config(&self) -> Dns {
        Dns { servers: vec![self.address], dnssec: false, ..Dns::default() }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A free port of loopback, for both protocols.
pub(crate) async fn ports() -> (UdpSocket, TcpListener, SocketAddr) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = udp.local_addr().unwrap();
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp, address);
        }
    }
    panic!("no port of loopback is free for both UDP and TCP");
}

async fn datagrams(socket: UdpSocket, answers: Answers) {
    let mut buffer = vec![0; 65_535];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        let Some(mut bytes) = bytes(answers(&question), &question) else { continue };
        if bytes.len() > UDP_MAX {
            let mut cut = question.clone().into_response();
            cut.metadata.truncation = true;
            bytes = cut.to_vec().unwrap();
        }
        let _ = socket.send_to(&bytes, from).await;
    }
}

async fn streams(listener: TcpListener, answers: Answers) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(stream_of_questions(stream, Arc::clone(&answers)));
    }
}

async fn stream_of_questions(mut stream: TcpStream, answers: Answers) {
    while let Ok(length) = stream.read_u16().await {
        let mut buffer = vec![0; usize::from(length)];
        if stream.read_exact(&mut buffer).await.is_err() {
            return;
        }
        let Ok(question) = Message::from_vec(&buffer) else { return };
        let Some(bytes) = bytes(answers(&question), &question) else { continue };
        let Ok(length) = u16::try_from(bytes.len()) else { return };
        if stream.write_u16(length).await.is_err() || stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

fn bytes(reply: Reply, question: &Message) -> Option<Vec<u8>> {
    match reply {
        Reply::Message(mut message) => {
            message.metadata.id = question.metadata.id;
            Some(message.to_vec().unwrap())
        }
        Reply::Bytes(bytes) => Some(bytes),
        Reply::Silence => None,
    }
}
