//! Letting people in: the gate is asked, a task is made, and whatever happens there happens to one session.

pub(crate) mod programs;

use super::gate::Strangers;
use super::running::Settings;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{ACCEPT_PAUSE, STRESS_COMMAND_TIME, TLS_HANDSHAKE_TIME};
use mailward_core::{Clock as _, Domain, Listener, Peer, Protocol, Shutdown, SystemClock};
use mailward_delivery::Forwarder;
use mailward_delivery::care::Care;
use mailward_directory::{Authenticator, Directory};
use mailward_gate::journal::{Reference, Refused as JournalEntry, Stage, Verdict};
use mailward_gate::rules::{RuleBook, Treatment};
use mailward_gate::{ConnectionPermit, Gate, GateError, Inside};
use mailward_inspect::Inspector;
use mailward_receive::Filters;
use mailward_store::LocalStore;
use mailward_tls::{Acceptor, TlsError, Wire};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Notify;

/// What is told where the rule has no words of its own.
const REFUSED_BY_RULE: &str = "Refused by a rule of this server";

/// The rooms that sessions are held in. A clone is the same.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

struct Inner {
    receive: Arc<mailward_receive::Context>,
    imap: Arc<mailward_imap::Context>,
    pop3: Arc<mailward_pop3::Context>,
    smtp_tls: Acceptor,
    imap_tls: Acceptor,
    pop3_tls: Acceptor,
    http_tls: Acceptor,
    /// None: there is no door for them.
    web: Option<Arc<mailward_web::Context>>,
    gate: Arc<Gate>,
    rules: RuleBook,
    events: Events,
    refused: Refused,
    numbers: AtomicU64,
}

/// What rooms are made of.
pub(crate) struct Parts {
    pub(crate) hostname: Domain,
    pub(crate) store: Arc<LocalStore>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) inside: Arc<dyn Inside>,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) forwarder: Option<Arc<Forwarder>>,
    pub(crate) acceptor: Acceptor,
    pub(crate) gate: Arc<Gate>,
    pub(crate) rules: RuleBook,
    pub(crate) strangers: Strangers,
    pub(crate) settings: Settings,
    pub(crate) care: Arc<Care>,
    pub(crate) inspector: Arc<Inspector>,
    pub(crate) dmarc: Option<mailward_receive::Dmarc>,
    pub(crate) filters: Arc<Filters>,
    pub(crate) web: Option<Arc<mailward_web::Context>>,
    pub(crate) events: Events,
    pub(crate) shutdown: Shutdown,
}

impl Rooms {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            hostname,
            store,
            directory,
            inside,
            auth,
            forwarder,
            acceptor,
            gate,
            rules,
            strangers,
            settings,
            care,
            inspector,
            dmarc,
            filters,
            web,
            events,
            shutdown,
        } = parts;
        let smtp_tls = acceptor.for_protocol(Protocol::Smtp);
        let imap_tls = acceptor.for_protocol(Protocol::Imap);
        let pop3_tls = acceptor.for_protocol(Protocol::Pop3);
        let http_tls = acceptor.for_protocol(Protocol::Http);
        let receive = mailward_receive::Context::new(mailward_receive::Parts {
            hostname: hostname.clone(),
            store: store.clone(),
            directory: directory.clone(),
            inside,
            auth: auth.clone(),
            forwarder,
            acceptor: Some(smtp_tls.clone()),
            gate: gate.clone(),
            rules: rules.clone(),
            guard: Some(strangers.guard),
            rates: Some(strangers.rates),
            journal: Some(strangers.journal),
            verdicts: Some(strangers.verdicts),
            events: events.clone(),
            shutdown: shutdown.clone(),
            settings: settings.receive,
            clock: Arc::new(SystemClock),
            care: Some(care),
            inspector: Some(inspector),
            dmarc,
            filters,
        });
        let imap = Arc::new(mailward_imap::Context {
            hostname,
            store: store.clone(),
            directory: directory.clone(),
            auth: auth.clone(),
            acceptor: Some(imap_tls.clone()),
            gate: gate.clone(),
            events: events.clone(),
            shutdown: shutdown.clone(),
            settings: settings.imap,
            clock: Arc::new(SystemClock),
            memory: mailward_imap::AppendMemory::default(),
            compressed: mailward_imap::CompressedSessions::default(),
            sort_memory: mailward_imap::SortMemory::default(),
        });
        let pop3 = Arc::new(mailward_pop3::Context {
            store,
            directory,
            auth,
            acceptor: Some(pop3_tls.clone()),
            gate: gate.clone(),
            locks: mailward_pop3::Locks::default(),
            events: events.clone(),
            shutdown,
        });
        Self(Arc::new(Inner {
            receive,
            imap,
            pop3,
            smtp_tls,
            imap_tls,
            pop3_tls,
            http_tls,
            web,
            gate,
            rules,
            events,
            refused: Refused::default(),
            numbers: AtomicU64::new(0),
        }))
    }

    /// Who came by a door; `None`: by a Unix socket.
    fn peer(&self, listener: Listener, from: Option<SocketAddr>) -> Peer {
        let session = self.0.numbers.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        // An IPv4 client that came through an IPv6 socket is an IPv4 client.
        let address = from.map(|from| from.ip().to_canonical());
        Peer { session, address, port: from.map(|from| from.port()), listener }
    }

    /// Tells an address that the rules refuse, whatever it would say; nothing more is asked of it.
    fn refuse(&self, stream: &TcpStream, from: SocketAddr, listener: Listener, treatment: &Treatment) {
        let why = treatment.rule().map_or_else(|| "a rule".to_owned(), ToString::to_string);
        if !listener.implicit_tls() {
            let words = treatment.words().unwrap_or(REFUSED_BY_RULE);
            let reference = self.note(from, listener, &why, words);
            let _unheard = stream.try_write(refusal_by_rule(listener, words, reference.as_ref()).as_bytes());
        }
        self.0.refused.tell(&self.0.events, listener, Some(from.ip()), &why);
    }

    /// Notes that a rule shuts out who brings mail, so that whoever asks can be answered.
    fn note(&self, from: SocketAddr, listener: Listener, why: &str, words: &str) -> Option<Reference> {
        if !matches!(listener.protocol(), Protocol::Smtp | Protocol::Submission) {
            return None;
        }
        let peer = self.peer(listener, Some(from));
        let refused = JournalEntry {
            stage: Stage::Connect,
            peer: &peer,
            hello: None,
            sender: None,
            recipient: None,
            verdict: Verdict::Refused,
            reason: why,
            code: 554,
            reply: &format!("5.7.1 {words}"),
        };
        self.0.receive.journal.as_ref().map(|journal| journal.note(&refused))
    }

    fn acceptor(&self, protocol: Protocol) -> &Acceptor {
        match protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => &self.0.smtp_tls,
            Protocol::Imap => &self.0.imap_tls,
            Protocol::Pop3 => &self.0.pop3_tls,
            Protocol::Http => &self.0.http_tls,
        }
    }

    /// Holds one session to its end.
    async fn hold(self, wire: Wire, peer: Peer, permit: ConnectionPermit, mut shutdown: Shutdown) {
        let protocol = peer.listener.protocol();
        let wire = if peer.listener.implicit_tls() {
            let patience = if self.0.gate.is_under_stress() { STRESS_COMMAND_TIME } else { TLS_HANDSHAKE_TIME };
            let accepted = tokio::select! {
                biased;
                () = shutdown.fired() => return,
                () = tokio::time::sleep(patience) => Err(TlsError::Timeout),
                accepted = wire.accept_tls(self.acceptor(protocol)) => accepted,
            };
            match accepted {
                Ok(wire) => wire,
                Err(e) => {
                    self.0.events.emit(Event::info("tls.failed").with_peer(&peer).with("why", e));
                    return;
                }
            }
        } else {
            wire
        };
        match protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                Box::pin(mailward_receive::serve(wire, peer, permit, self.0.receive.clone())).await;
            }
            Protocol::Imap => Box::pin(mailward_imap::serve(wire, peer, permit, self.0.imap.clone())).await,
            Protocol::Pop3 => Box::pin(mailward_pop3::serve(wire, peer, permit, self.0.pop3.clone())).await,
            Protocol::Http => {
                if let Some(web) = self.0.web.clone() {
                    Box::pin(mailward_web::serve(wire, peer, permit, web)).await;
                }
            }
        }
    }
}

/// Sessions that are open, so that a stop can wait for them. A clone counts the same.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Count>);

#[derive(Default)]
struct Count {
    open: AtomicUsize,
    ended: Notify,
}

impl Sessions {
    /// One more, until what this answers is dropped.
    fn begin(&self, events: &Events, peer: &Peer) -> Life {
        self.0.open.fetch_add(1, Ordering::AcqRel);
        Life { sessions: self.clone(), events: events.clone(), peer: peer.clone() }
    }
    /// How many.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::Acquire)
    }
    /// Waits until there is none.
    pub(crate) async fn ended(&self) {
        loop {
            let mut next = pin!(self.0.ended.notified());
            next.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            next.await;
        }
    }
}

/// One session's life. Ends with it however it ends, and tells if that was a panic: attacks H11.
struct Life {
    sessions: Sessions,
    events: Events,
    peer: Peer,
}

impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.events.emit(Event::alert("session.panicked").with_peer(&self.peer));
        }
        self.sessions.0.open.fetch_sub(1, Ordering::AcqRel);
        self.sessions.0.ended.notify_waiters();
    }
}

/// Connections sent away: each is counted, one a second is told (attacks H8).
#[derive(Default)]
struct Refused {
    second: AtomicI64,
    untold: AtomicU64,
}

impl Refused {
    fn tell(&self, events: &Events, listener: Listener, address: Option<IpAddr>, why: &dyn std::fmt::Display) {
        let now = SystemClock.now().secs();
        if self.second.swap(now, Ordering::Relaxed) == now {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut event = Event::warn("connection.refused").with("listener", listener).with("why", why);
        if let Some(address) = address {
            event = event.with("from", address);
        }
        events.emit(event.with("untold_before", self.untold.swap(0, Ordering::Relaxed)));
    }
}

/// Lets in by TCP until the server stops.
pub(crate) async fn accept_tcp(
    socket: TcpListener,
    listener: Listener,
    rooms: Rooms,
    sessions: Sessions,
    mut shutdown: Shutdown,
) {
    let for_sessions = shutdown.clone();
    let mut stopped = pin!(shutdown.fired());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let treatment = rooms.0.rules.at_the_door(Some(from.ip()), listener);
                match rooms.0.gate.admit_at(listener, Some(from.ip()), &treatment) {
                    // Its place is free again at once.
                    Ok(_permit) if treatment.is_refused() => rooms.refuse(&stream, from, listener, &treatment),
                    Ok(permit) => {
                        // Replies are written in one piece each; without it they would wait for acknowledgements.
                        let _slower = stream.set_nodelay(true);
                        let peer = rooms.peer(listener, Some(from));
                        begin(&rooms, &sessions, Wire::tcp(stream), peer, permit, &for_sessions);
                    }
                    Err(why) => {
                        if why == GateError::Banned {
                            // Not even a goodbye, and nothing of it stays here.
                            let _closed = stream.set_zero_linger();
                        } else {
                            send_away(&stream, listener, why);
                        }
                        rooms.0.refused.tell(&rooms.0.events, listener, Some(from.ip()), &why);
                    }
                }
            }
            Err(e) => trouble(&rooms, listener, &e).await,
        }
    }
}

/// Lets in by a Unix socket until the server stops.
pub(crate) async fn accept_unix(
    socket: UnixListener,
    listener: Listener,
    rooms: Rooms,
    sessions: Sessions,
    mut shutdown: Shutdown,
) {
    let for_sessions = shutdown.clone();
    let mut stopped = pin!(shutdown.fired());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match rooms.0.gate.admit(None) {
                Ok(permit) => {
                    let peer = rooms.peer(listener, None);
                    begin(&rooms, &sessions, Wire::unix(stream), peer, permit, &for_sessions);
                }
                Err(why) => {
                    let _unheard = stream.try_write(refusal(listener, why).as_bytes());
                    rooms.0.refused.tell(&rooms.0.events, listener, None, &why);
                }
            },
            Err(e) => trouble(&rooms, listener, &e).await,
        }
    }
}

fn begin(
    rooms: &Rooms,
    sessions: &Sessions,
    wire: Wire,
    peer: Peer,
    mut permit: ConnectionPermit,
    shutdown: &Shutdown,
) {
    let life = sessions.begin(&rooms.0.events, &peer);
    // Before the handshake: whoever is let in is on the list.
    let entry = permit.enter(&peer, shutdown);
    let session = rooms.clone().hold(wire, peer, permit, entry.shutdown());
    tokio::spawn(async move {
        session.await;
        drop(life);
    });
}

/// A word before the door shuts, where the protocol has one before TLS. It fits the empty send buffer or is lost.
fn send_away(stream: &TcpStream, listener: Listener, why: GateError) {
    if !listener.implicit_tls() {
        let _unheard = stream.try_write(refusal(listener, why).as_bytes());
    }
}

fn refusal(listener: Listener, why: GateError) -> String {
    match listener.protocol() {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => format!("421 4.7.0 {why}\r\n"),
        Protocol::Imap => format!("* BYE [UNAVAILABLE] {why}\r\n"),
        Protocol::Pop3 => format!("-ERR [SYS/TEMP] {why}\r\n"),
        Protocol::Http => http_refusal("503 Service Unavailable"),
    }
}

/// For good: whoever speaks the protocol doesn't come again with it (RFC 5321 §3.1, RFC 3206 §4).
fn refusal_by_rule(listener: Listener, words: &str, reference: Option<&Reference>) -> String {
    match listener.protocol() {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
            let reference = reference.map_or_else(String::new, |reference| format!(" (ref {reference})"));
            format!("554 5.7.1 {words}{reference}\r\n")
        }
        Protocol::Imap => format!("* BYE {words}\r\n"),
        Protocol::Pop3 => format!("-ERR [SYS/PERM] {words}\r\n"),
        Protocol::Http => http_refusal("403 Forbidden"),
    }
}

/// An answer to a request that isn't read, without a page (RFC 9112 §9.6).
fn http_refusal(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")
}

/// The listener lives on, whatever one accept said.
async fn trouble(rooms: &Rooms, listener: Listener, error: &io::Error) {
    let out = matches!(
        error.raw_os_error().map(nix::errno::Errno::from_raw),
        Some(
            nix::errno::Errno::EMFILE
                | nix::errno::Errno::ENFILE
                | nix::errno::Errno::ENOBUFS
                | nix::errno::Errno::ENOMEM
        )
    );
    rooms.0.refused.tell(&rooms.0.events, listener, None, error);
    if out {
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer { session: 1, address: None, port: None, listener: Listener::Smtp }
    }

    #[tokio::test]
    async fn a_stop_waits_for_every_session() {
        let sessions = Sessions::default();
        let life = sessions.begin(&Events::nowhere(), &peer());
        assert_eq!(sessions.open(), 1);
        let waiting = tokio::spawn({
            let sessions = sessions.clone();
            async move { sessions.ended().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(life);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_ends_one_session_and_is_told() {
        let events = Events::memory();
        let sessions = Sessions::default();
        let life = sessions.begin(&events, &peer());
        let task = tokio::spawn(async move {
            let _life = life;
            panic!("as a test");
        });
        assert!(task.await.is_err());
        sessions.ended().await;
        assert_eq!(events.lines(), ["alert session.panicked session=1 from=local listener=smtp"]);
    }

    #[test]
    fn who_is_sent_away_is_told_in_the_protocol_s_words() {
        assert!(refusal(Listener::Smtp, GateError::Full).starts_with("421 4.7.0 "));
        assert!(refusal(Listener::Imap, GateError::Full).starts_with("* BYE "));
        assert!(refusal(Listener::Pop3, GateError::AddressFull).starts_with("-ERR [SYS/TEMP] "));
    }

    #[test]
    fn whom_a_rule_refuses_is_told_for_good_in_the_protocol_s_words() {
        let book = RuleBook::new(&["any refuse \"not you\"".parse().unwrap()], &[]);
        let told = |listener, reference| {
            let treatment = book.at_the_door("192.0.2.1".parse().ok(), listener);
            refusal_by_rule(listener, treatment.words().unwrap(), reference)
        };
        let reference = "7K2Q-91M0".parse().ok();
        assert!(reference.is_some());
        assert_eq!(told(Listener::Submission, reference.as_ref()), "554 5.7.1 not you (ref 7K2Q-91M0)\r\n");
        let told = |listener| told(listener, None);
        assert_eq!(told(Listener::Submission), "554 5.7.1 not you\r\n");
        assert_eq!(told(Listener::Imap), "* BYE not you\r\n");
        assert_eq!(told(Listener::Pop3), "-ERR [SYS/PERM] not you\r\n");
    }

    #[test]
    fn a_flood_of_refusals_is_one_line_a_second() {
        let events = Events::memory();
        let refused = Refused::default();
        for _ in 0..1_000 {
            refused.tell(&events, Listener::Smtp, None, &GateError::Full);
        }
        assert!(events.lines().len() <= 2, "{:?}", events.lines());
    }
}
