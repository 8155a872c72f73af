//! What is told once everything listens: a file for programs, a screen for people.

use super::people::Person;
use super::stage::CA;
use crate::compose::Started;
use crate::failure::Failure;
use mailward_core::Listener;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The ready file, and the facts for the screen.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    pid: u32,
    data: PathBuf,
    ca: PathBuf,
    ports: BTreeMap<&'static str, u16>,
    lmtp_socket: Option<PathBuf>,
    users: Vec<Person>,
}

impl Ready {
    pub(crate) fn of(started: &Started, data: &Path, users: Vec<Person>) -> Result<Self, Failure> {
        let data = std::path::absolute(data).map_err(|e| Failure::io(data.display(), e))?;
        let doors = started.running.doors();
        Ok(Self {
            pid: std::process::id(),
            ca: data.join(CA),
            ports: doors.iter().filter_map(|d| d.port.map(|p| (d.listener.name(), p))).collect(),
            lmtp_socket: doors
                .iter()
                .find(|d| d.listener == Listener::Lmtp && d.port.is_none())
                .map(|d| PathBuf::from(&d.address)),
            users,
            data,
        })
    }

    /// For programs: whole or not at all, for its owner only, as it has passwords.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Failure::Bug(e.to_string()))?;
        text.push(b'\n');
        super::stage::write(file, &text, 0o600)
    }

    fn port(&self, listener: Listener) -> u16 {
        self.ports.get(listener.name()).copied().unwrap_or_default()
    }

    /// For people: one screen, with commands to copy.
    pub(crate) fn screen(&self) -> String {
        let port = |listener| self.port(listener);
        let ca = quoted(&near(&self.ca));
        let program = std::env::current_exe().map_or_else(|_| PathBuf::from("mailward"), |p| near(&p));
        let nobody = Person { address: String::new(), password: String::new() };
        let (alice, bob) = (self.users.first().unwrap_or(&nobody), self.users.get(1).unwrap_or(&nobody));
        let mut out = String::new();
        // Writing to a String can't fail.
        let _infallible = write!(
            out,
            "Mailward demo: a whole mail server on loopback. Everything is in {data}\n\n\
             \x20 SMTP {smtp} · submission {submission} (STARTTLS), {submissions} (TLS)\n\
             \x20 IMAP {imap} (STARTTLS), {imaps} (TLS) · POP3 {pop3} (STLS), {pop3s} (TLS) · LMTP {lmtp} · pages {https}\n\n",
            data = near(&self.data).display(),
            smtp = port(Listener::Smtp),
            submission = port(Listener::Submission),
            submissions = port(Listener::Submissions),
            imap = port(Listener::Imap),
            imaps = port(Listener::Imaps),
            pop3 = port(Listener::Pop3),
            pop3s = port(Listener::Pop3s),
            https = port(Listener::Https),
            lmtp = self.lmtp_socket.as_deref().map_or_else(|| PathBuf::from("off"), near).display(),
        );
        for person in &self.users {
            let _infallible = writeln!(out, "  {:<20} password {}", person.address, person.password);
        }
        let login = quoted(Path::new(&format!("{}:{}", bob.address, bob.password)));
        let _infallible = write!(
            out,
            "\nSend a message from Alice to Bob:\n\
             \x20 swaks --server localhost:{submission} --tls --tls-verify --tls-ca-path {ca} \\\n\
             \x20   --auth-user {alice} --auth-password {alice_password} \\\n\
             \x20   --from {alice} --to {bob} --header 'Subject: Hello Bob' --body 'It works.'\n\n\
             Read Bob's newest message, and what is in his INBOX:\n\
             \x20 curl -s --cacert {ca} --user {login} 'imaps://localhost:{imaps}/INBOX;MAILINDEX=*'\n\
             \x20 mutt -n -F /dev/null -e 'set certificate_file={ca} folder=imaps://localhost:{imaps}/' \\\n\
             \x20   -e 'set spoolfile=+INBOX imap_user={bob}' -e {password}\n\n\
             Stop with Ctrl-C, or from elsewhere:\n\
             \x20 {program} stop --data {data}\n",
            submission = port(Listener::Submission),
            imaps = port(Listener::Imaps),
            alice = alice.address,
            alice_password = quoted(Path::new(&alice.password)),
            bob = bob.address,
            password = quoted(Path::new(&format!("set imap_pass=\"{}\"", bob.password))),
            program = quoted(&program),
            data = quoted(&near(&self.data)),
        );
        out
    }
}

/// A path as short as it can be said from here.
fn near(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// For a shell, in quotes only where they are needed.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(password: &str) -> Ready {
        let person = |name: &str| Person { address: format!("{name}@example.test"), password: password.to_owned() };
        Ready {
            pid: 1,
            data: "/d/mailward-demo".into(),
            ca: "/d/mailward-demo/tls/ca.pem".into(),
            ports: Listener::ALL.into_iter().map(|l| (l.name(), 10_000 + l.usual_port())).collect(),
            lmtp_socket: Some("/d/mailward-demo/lmtp.sock".into()),
            users: vec![person("alice"), person("bob")],
        }
    }

    #[test]
    fn everything_fits_one_screen() {
        let screen = ready("correct-horse-battery-staple").screen();
        assert!(screen.lines().count() <= 24, "{screen}");
        for part in ["swaks", "curl", "mutt", "stop", "10025", "10465", "10587", "10143", "10993", "10110", "10995"] {
            assert!(screen.contains(part), "{part}");
        }
    }

    #[test]
    fn odd_passwords_stay_one_word_in_the_shell() {
        let screen = ready("it's $HOME `x`").screen();
        assert!(screen.contains("--auth-password 'it'\\''s $HOME `x`'"), "{screen}");
    }
}
