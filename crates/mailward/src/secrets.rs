//! Passwords on their way through the command line: asked for without echo, carried without being printed.

use crate::failure::Failure;
use crate::print;
use mailward_core::Secret;
use mailward_core::limits::PASSWORD_MAX;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

/// A secret within a request on the control socket, which only its owner reads.
#[derive(Clone, Debug)]
pub(crate) struct Carried(pub(crate) Secret);

impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&String::from_utf8_lossy(self.0.expose()))
    }
}

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(text)))
    }
}

/// Where a command gets a password from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PasswordWish {
    /// This one.
    Given(Carried),
    /// A generated one, told once.
    Generated,
    /// None: nobody logs in until one is set.
    None,
}

/// Reads a password: from the terminal without echo and twice, or one line of standard input.
pub(crate) fn ask(whose: &str) -> Result<Secret, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return one_line();
    }
    let first = prompt(&format!("New password for {whose}: "))?;
    let second = prompt("Again: ")?;
    if first.expose() != second.expose() {
        return Err(Failure::Refused("the two passwords differ: nothing was changed".to_owned()));
    }
    Ok(first)
}

fn prompt(text: &str) -> Result<Secret, Failure> {
    let stdin = std::io::stdin();
    let terminal = |e| Failure::sys("terminal", e);
    let before = tcgetattr(&stdin).map_err(terminal)?;
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    let mut err = std::io::stderr().lock();
    // A prompt that can't be shown is no reason to take no password.
    let _lost = write!(err, "{text}").and_then(|()| err.flush());
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &quiet).map_err(terminal)?;
    let line = one_line();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(terminal)?;
    let _lost = writeln!(err);
    line
}

fn one_line() -> Result<Secret, Failure> {
    let most = u64::try_from(PASSWORD_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let mut line = Vec::new();
    std::io::stdin().lock().take(most).read_until(b'\n', &mut line).map_err(|e| Failure::io("standard input", e))?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.is_empty() {
        return Err(Failure::Usage(
            "no password was given: type one, pipe one line to standard input, or use --generate".to_owned(),
        ));
    }
    if std::str::from_utf8(&line).is_err() {
        return Err(Failure::Usage("a password is text in UTF-8".to_owned()));
    }
    Ok(Secret::new(line))
}

/// Prints a password that was generated, where it is meant to be read.
pub(crate) fn tell(generated: &str) -> Result<(), Failure> {
    print::line(format!("password: {generated}"))?;
    print::note("this is the only time it is shown");
    Ok(())
}
