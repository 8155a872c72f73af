//! Passwords on their way through the command line: asked for without echo, carried without being printed.

use crate::failure::Failure;
use crate::print;
use mailward_core::Secret;
use mailward_core::limits::PASSWORD_MAX;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Write as _};
use std::path::Path;

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

/// Reads a password that is the first line of a file; `-` is standard input.
pub(crate) fn from_file(path: &Path) -> Result<Secret, Failure> {
    if path == Path::new("-") {
        return one_line();
    }
    let named = |e| Failure::io(path.display(), e);
    first_line(BufReader::new(File::open(path).map_err(named)?))
        .map_err(named)?
        .ok_or_else(|| Failure::Usage(format!("{}: its first line must be a password, text in UTF-8", path.display())))
}

fn one_line() -> Result<Secret, Failure> {
    first_line(std::io::stdin().lock()).map_err(|e| Failure::io("standard input", e))?.ok_or_else(|| {
        Failure::Usage(
            "no password was given, or none that is text in UTF-8: type one, pipe one line to standard input, or use \
             --generate"
                .to_owned(),
        )
    })
}

/// The first line without its end; `None` if it is empty or no text.
fn first_line(from: impl BufRead) -> std::io::Result<Option<Secret>> {
    let most = u64::try_from(PASSWORD_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let mut line = Vec::new();
    from.take(most).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = !line.is_empty() && std::str::from_utf8(&line).is_ok();
    Ok(text.then(|| Secret::new(line)))
}

/// Prints a password that was generated, where it is meant to be read.
pub(crate) fn tell(generated: &str) -> Result<(), Failure> {
    print::line(format!("password: {generated}"))?;
    print::note("this is the only time it is shown");
    Ok(())
}
