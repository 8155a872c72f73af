//! A server to talk to, and ways to talk.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes longer than this unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary with arguments.
pub(crate) fn mailward(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
    command.args(arguments).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
    command
}

/// Runs to the end; exit code, standard output, standard error.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    finished(mailward(arguments).output().unwrap())
}

/// The same with standard input.
pub(crate) fn run_with(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child =
        mailward(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    finished(child.wait_with_output().unwrap())
}

fn finished(output: Output) -> (i32, String, String) {
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Runs and wants success; standard output.
pub(crate) fn done(arguments: &[&str]) -> String {
    let (code, out, err) = run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {err}");
    out
}

/// Runs and wants success; standard output as JSON.
pub(crate) fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&done(arguments)).unwrap()
}

/// A base at which all usual ports are free now. Bases are two hundreds apart, so that no two share a port, and end below the
/// range from which Linux takes ports of outgoing connections.
pub(crate) fn port_base() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let pid = u16::try_from(std::process::id() % 200).unwrap();
    for _ in 0..400 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = 11_000 + (pid * 37 + step) % 100 * 200;
        let free = |port: u16| TcpListener::bind(("127.0.0.1", base + port)).is_ok();
        if [25, 24, 465, 587, 143, 993, 110, 995, 443].into_iter().all(free) {
            return base;
        }
    }
    panic!("no free ports");
}

/// A server that runs; killed if the test forgets to stop it.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Waits for a file that a program writes.
pub(crate) fn appeared(path: &Path, child: &mut Child) {
    let began = Instant::now();
    while !path.exists() {
        if let Some(status) = child.try_wait().unwrap() {
            let mut err = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                stderr.read_to_string(&mut err).unwrap();
            }
            panic!("it ended with {status}: {err}");
        }
        assert!(began.elapsed() < PATIENCE, "no {}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until it ends by itself; its exit code and how long it took.
pub(crate) fn ended(child: &mut Child) -> (Option<i32>, Duration) {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), began.elapsed());
        }
        assert!(began.elapsed() < PATIENCE, "it doesn't end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

impl Server {
    /// A demo in a directory of its own.
    pub(crate) fn demo() -> (Self, Value) {
        Self::demo_in(tempfile::tempdir().unwrap(), port_base(), &[])
    }
    /// A demo in this directory; what its ready file says.
    pub(crate) fn demo_in(dir: TempDir, base: u16, more: &[&str]) -> (Self, Value) {
        let (data, ready) = (path(&dir, "demo"), path(&dir, "ready.json"));
        let _old = std::fs::remove_file(&ready);
        let base = base.to_string();
        let mut arguments = vec!["demo", "--data", &data, "--port-base", &base, "--ready-file", &ready];
        arguments.extend(more);
        let mut child = mailward(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        appeared(Path::new(&ready), &mut child);
        let told = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        (Self { child, dir }, told)
    }
    /// Its data directory.
    pub(crate) fn data(&self) -> String {
        path(&self.dir, "demo")
    }
    /// Stops it with a signal and wants a clean end within five seconds.
    pub(crate) fn stop(&mut self, with: nix::sys::signal::Signal) {
        signal(&self.child, with);
        let (code, took) = ended(&mut self.child);
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

pub(crate) fn path(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

pub(crate) fn port(ready: &Value, name: &str) -> u16 {
    u16::try_from(ready["ports"][name].as_u64().unwrap()).unwrap()
}

/// A conversation by lines.
pub(crate) struct Talk<S: Read + Write> {
    stream: BufReader<S>,
}

impl Talk<TcpStream> {
    pub(crate) fn plain(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }
}

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

impl Talk<Tls> {
    /// TLS from the first byte, the authority of `ca` trusted and nobody else.
    pub(crate) fn tls(port: u16, ca: &Path) -> Self {
        use rustls::pki_types::pem::PemObject as _;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connection = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(rustls::StreamOwned::new(connection, stream)) }
    }
    /// Reads the greeting, so that the handshake is over.
    pub(crate) fn stir(mut self) -> Self {
        self.until("* OK");
        self
    }
    /// The server's certificate, DER.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.stream.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
    }
}

impl<S: Read + Write> Talk<S> {
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }
    pub(crate) fn say(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.stream.get_mut().flush().unwrap();
    }
    /// Says a command and reads up to the line that starts with `end`; all of it.
    pub(crate) fn ask(&mut self, command: &str, end: &str) -> String {
        self.say(command);
        self.until(end)
    }
    pub(crate) fn until(&mut self, end: &str) -> String {
        let mut all = String::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "closed after {all}");
            all.push_str(&line);
            if line.starts_with(end) {
                return all;
            }
        }
    }
}

/// Logged in by IMAP over TLS, INBOX selected; how many messages there are.
pub(crate) fn imap(ready: &Value, user: usize) -> (Talk<Tls>, usize) {
    let ca = PathBuf::from(ready["ca"].as_str().unwrap());
    let mut talk = Talk::tls(port(ready, "imaps"), &ca);
    talk.until("* OK");
    let (address, password) = (&ready["users"][user]["address"], &ready["users"][user]["password"]);
    let login = format!("a LOGIN {address} {password}");
    let answer = talk.ask(&login, "a ");
    assert!(answer.lines().last().unwrap().starts_with("a OK"), "{answer}");
    let selected = talk.ask("b SELECT INBOX", "b OK");
    let exists = selected.lines().find_map(|l| l.strip_prefix("* ")?.strip_suffix(" EXISTS")).unwrap();
    (talk, exists.parse().unwrap())
}

/// Sends a message by SMTP without TLS and login, as another server would; the last reply.
pub(crate) fn deliver(port: u16, to: &str, text: &str) -> String {
    let mut talk = Talk::plain(port);
    talk.until("220 ");
    talk.ask("EHLO test.example", "250 ");
    talk.ask("MAIL FROM:<someone@example.net>", "250 ");
    talk.say(&format!("RCPT TO:<{to}>"));
    let answer = talk.line();
    if !answer.starts_with("250 ") {
        return answer;
    }
    talk.ask("DATA", "354 ");
    talk.say(&format!("From: <someone@example.net>\r\nSubject: test\r\n\r\n{text}\r\n."));
    talk.line()
}
