//! Nobody relays: every attempt of every battery, on every door (attacks A1).

use crate::support::*;
use mailward_gate::battery::{ABUSE_NET, BATTERIES, Names, Next, Run, Verdict};
use nix::sys::signal::Signal;
use rustls::pki_types::pem::PemObject as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A wire that may come under TLS.
struct Wire {
    clear: TcpStream,
    stream: Box<dyn Stream>,
}

impl Wire {
    fn new(clear: TcpStream) -> Self {
        let stream = Box::new(clear.try_clone().unwrap());
        Self { clear, stream }
    }
    fn send(&mut self, bytes: &[u8]) {
        // Who has closed is noticed when reading.
        let _gone = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }
    /// The code of one reply; none if the peer closes.
    fn reply(&mut self) -> Option<u16> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(1) => line.push(byte[0]),
                Ok(_) => return None,
                Err(error) => {
                    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "no answer");
                    return None;
                }
            }
            if line.ends_with(b"\r\n") {
                if line.get(3) == Some(&b' ') {
                    return std::str::from_utf8(&line[..3]).ok()?.parse().ok();
                }
                line.clear();
            }
        }
    }
    fn start_tls(&mut self, config: &Arc<rustls::ClientConfig>) {
        let name = rustls::pki_types::ServerName::try_from("mail.example.org").unwrap();
        let connection = rustls::ClientConnection::new(config.clone(), name).unwrap();
        self.stream = Box::new(rustls::StreamOwned::new(connection, self.clear.try_clone().unwrap()));
    }
}

/// A door, and whom to trust behind it.
struct Door {
    listener: &'static str,
    at: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
}

impl Door {
    fn wire(&self) -> Wire {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut wire = Wire::new(stream);
        if self.listener == "submissions" {
            wire.start_tls(&self.tls);
        }
        assert_eq!(wire.reply(), Some(220));
        wire
    }

    fn names(&self) -> Names {
        Names {
            us: "example.org".into(),
            literal: match self.at.ip() {
                IpAddr::V4(ip) => format!("[{ip}]"),
                IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
            },
            third: "third.example".into(),
            lmtp: self.listener == "lmtp",
        }
    }

    fn run(&self, wire: &mut Wire, mut run: Run<'_>) -> Verdict {
        loop {
            match run.next() {
                Next::Send(bytes) => {
                    wire.send(&bytes);
                    run.heard(wire.reply());
                }
                Next::StartTls => {
                    wire.start_tls(&self.tls);
                    run.secured();
                }
                Next::Over(verdict) => return verdict,
            }
        }
    }

    /// Every attempt that isn't refused as it must be, and how many were made.
    fn relays(&self) -> (usize, Vec<String>) {
        let (mut made, mut found) = (0, Vec::new());
        for battery in BATTERIES {
            let names = self.names();
            let mut kept = battery.one_session.then(|| self.wire());
            for (probe, run) in battery.filled(&names) {
                let mut own = if battery.one_session { None } else { Some(self.wire()) };
                let verdict = self.run(own.as_mut().or(kept.as_mut()).unwrap(), run);
                made += 1;
                if !matches!(verdict, Verdict::Refused(..)) {
                    found.push(format!("{} {} {} ({}): {verdict:?}", self.at, battery.name, probe.id, probe.says));
                }
            }
        }
        (made, found)
    }
}

#[test]
fn every_form_of_every_battery_is_refused_at_every_door_and_an_open_relay_would_be_found() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base) = (path(&dir, "mail"), port_base());
    done(&["setup", "example.org", "--data", &data, "--port-base", &base.to_string(), "--user", ""]);
    let file = Path::new(&data).join("mailward.toml");
    let (mut text, mut section) = (String::new(), String::new());
    for line in fs::read_to_string(&file).unwrap().lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        }
        let name = line.trim_start_matches('#').split(" = ").next().unwrap();
        let port = match name {
            _ if section != "[listen]" => 0,
            "smtp" => 25,
            "submission" => 587,
            "submissions" => 465,
            "lmtp" => 24,
            _ => 0,
        };
        match port {
            0 => text += line,
            port => {
                let port = base + port;
                text += &format!("{name} = [\"127.0.0.1:{port}\", \"[::1]:{port}\"]");
            }
        }
        text.push('\n');
    }
    fs::write(&file, &text).unwrap();
    let mut child = mailward(&["serve", "--data", &data]).stderr(Stdio::piped()).spawn().unwrap();
    appeared(&Path::new(&data).join("control.sock"), &mut child);
    let mut server = Server { child, dir };

    let mut roots = rustls::RootCertStore::empty();
    let ca = Path::new(&data).join("tls/ca.pem");
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let tls = Arc::new(
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    );
    let door = |listener: &'static str, ip: &str, port: u16| Door {
        listener,
        at: SocketAddr::new(ip.parse().unwrap(), base + port),
        tls: tls.clone(),
    };

    let attempts = BATTERIES.iter().map(|battery| battery.probes.len()).sum::<usize>();
    for (listener, port) in [("smtp", 25), ("submission", 587), ("submissions", 465), ("lmtp", 24)] {
        for ip in ["127.0.0.1", "::1"] {
            let (made, found) = door(listener, ip, port).relays();
            assert_eq!(made, attempts);
            assert!(found.is_empty(), "{listener}:\n{}", found.join("\n"));
        }
    }

    // Nothing above is worth anything if an open relay passed as well.
    let opened = text.replacen("#from = \"none\"", "from = [\"127.0.0.1\"]", 1);
    let opened = opened.replacen("#any_sender = false", "any_sender = true", 1);
    assert!(opened != text && opened.contains("any_sender = true"), "{text}");
    fs::write(&file, opened).unwrap();
    done(&["reload", "--data", &data]);
    let (_, found) = door("smtp", "127.0.0.1", 25).relays();
    for id in ["relay-forms 1 ", "relay-forms 2 ", "relay-forms 3 ", "relay-forms 12 ", "relay-forms 24d "] {
        assert!(found.iter().any(|line| line.contains(id)), "{id}isn't among\n{}", found.join("\n"));
    }
    for id in ["1", "3", "4"] {
        let probe = ABUSE_NET.probes.iter().find(|probe| probe.id == id).unwrap();
        assert!(found.iter().any(|line| line.contains(&format!("abuse-net {id} ({})", probe.says))), "{found:?}");
    }
    let (_, found) = door("smtp", "::1", 25).relays();
    assert!(found.is_empty(), "who wasn't let in stays out: {found:?}");
    server.stop(Signal::SIGTERM);
}
