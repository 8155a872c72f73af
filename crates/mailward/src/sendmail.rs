//! # sendmail: mail of programs on this host
//!
//! **For**: `mailward sendmail` and the name `sendmail`, which programs call with a message on standard input; and what is
//! handed in while no server runs.
//!
//! **In**: options as sendmail(8) has had them since 4.2BSD, a message with lines as the system has them. **Out**: the
//! message in the server, by its socket, or on the disk in its spool; an exit code as sysexits.h has them.
//!
//! The server asks the kernel whose program it is; neither the program nor its options have a say in it. There is no
//! program with rights of its own: the socket is open to all, and the spool is a directory into which all may put files.
//!
//! **Limits**: `limits::SENDMAIL_*`, `SUBMIT_*`, `SPOOL_*`, `PARCEL_*`.
//!
//! **Failure**: what the server doesn't take now is spooled; 0 means that it is in the server's store or safe in the spool.
//!
//! **Standards**: RFC 5322 (messages), RFC 3461 (what `-N`, `-R` and `-V` ask for), sysexits(3).

pub(crate) mod args;
mod hand_over;
pub(crate) mod pickup;
mod places;
pub(crate) mod spool;
mod text;

use crate::control::path::Short;
use crate::failure::Failure;
use crate::place::{USUAL_CONFIG, Where};
use crate::print;
use args::{Asked, Mode};
use bytes::Bytes;
use hand_over::{Fate, greet, hand_over};
use mailward_core::config::Config;
use mailward_core::limits::SENDMAIL_PIECE;
use mailward_core::{Address, Domain, Host, LocalPart};
use mailward_message::submission::{recipients, with_author};
use mailward_smtp::client::{Recipient, Transaction, parcel};
use mailward_smtp::path::ReversePath;
use nix::unistd::{User, getuid};
use spool::Spool;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Where a server that `setup` made as root has the socket and the spool.
pub(crate) const USUAL_DIRECTORY: &str = "/var/spool/mailward";
/// Names another one, for programs that can't be given options.
const VARIABLE: &str = "MAILWARD_SENDMAIL";
/// Try again later (EX_TEMPFAIL).
const LATER: u8 = 75;

/// Does what a command line asks for.
pub(crate) fn run(asked: Asked, place: &Where) -> Result<(), Failure> {
    match asked.mode {
        Mode::Nothing(why) => {
            print::note(format_args!("sendmail: {why}"));
            Ok(())
        }
        Mode::Queue => crate::cli::queue_for_people(place).map_err(|failure| match failure {
            Failure::Config(_) if !can_read(place) => {
                Failure::Rights("sendmail: only root and the server's own user may see the queue".to_owned())
            }
            other => other,
        }),
        Mode::Smtp => speak(&Spool::in_directory(&directory(place)?)),
        Mode::Send => send(asked, &Spool::in_directory(&directory(place)?)),
    }
}

fn can_read(place: &Where) -> bool {
    let file = place.config.clone().unwrap_or_else(|| PathBuf::from(USUAL_CONFIG));
    std::fs::File::open(file).is_ok()
}

/// The directory of socket and spool. Other users than the server's can't read its configuration: they find the usual one,
/// or the one that the environment names.
fn directory(place: &Where) -> Result<PathBuf, Failure> {
    let off = || Failure::NoServer("sendmail: sendmail.directory is \"off\" in the server's configuration".to_owned());
    if place.config.is_some() || place.data.is_some() {
        return place.find()?.config().sendmail.directory.clone().ok_or_else(off);
    }
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(PathBuf::from(named));
    }
    match Config::load(Path::new(USUAL_CONFIG), None) {
        Ok(loaded) => loaded.config.sendmail.directory.ok_or_else(off),
        Err(_) => Ok(PathBuf::from(USUAL_DIRECTORY)),
    }
}

/// Sends the message on standard input.
fn send(asked: Asked, spool: &Spool) -> Result<(), Failure> {
    let message = text::read(std::io::stdin().lock(), !asked.dots_are_text)?;
    let mut to = asked.recipients;
    if asked.recipients_in_header {
        let named = recipients(&message).map_err(|e| text::wrong(format!("{e}: nothing was sent")))?;
        to.extend(named.into_iter().filter(|one| !to.contains(one)).collect::<Vec<_>>());
    }
    if to.is_empty() {
        return Err(match asked.recipients_in_header {
            true => text::wrong("the message names no recipient in To, Cc or Bcc: nothing was sent".to_owned()),
            false => Failure::Usage("sendmail: no recipient: name one, or give -t".to_owned()),
        });
    }
    let own = own_address()?;
    let sender = asked.sender.unwrap_or_else(|| Some(own.clone()));
    let author = sender.as_ref().unwrap_or(&own);
    let message =
        with_author(message, &asked.name, author).map_err(|fault| text::wrong(format!("{fault}: nothing was sent")))?;
    let mut transaction = Transaction::new(sender.map_or(ReversePath::Null, ReversePath::Address), []);
    transaction.recipients =
        to.into_iter().map(|address| Recipient { address, notify: asked.notify, original: None }).collect();
    transaction.ret = asked.ret;
    transaction.envid = asked.envid.map(String::into_boxed_str);
    transaction.look_at(&message);
    let message = Bytes::from(message);

    let fate = match handed_over(spool, &transaction, &message) {
        Ok(fate) => fate,
        Err(why) => Fate { later: transaction.recipients.clone(), why, ..Fate::default() },
    };
    if asked.verbose && fate.accepted > 0 {
        print::note(format_args!("sendmail: taken for {} recipients: {}", fate.accepted, print::tame(&fate.answer)));
    }
    if !fate.later.is_empty() {
        let rest = Transaction { recipients: fate.later, ..transaction };
        spool.put(&parcel::write(&rest, &message)).map_err(|e| nowhere(spool, &fate.why, &e))?;
        if asked.verbose {
            print::note(format_args!("sendmail: spooled until the server takes it: {}", print::tame(&fate.why)));
        }
    }
    match fate.refused.first() {
        None => Ok(()),
        Some(first) => {
            let words: Vec<String> = fate.refused.iter().map(|no| print::tame(&no.words)).collect();
            let others = if fate.accepted > 0 { "; all others have it" } else { "" };
            Err(Failure::Answered { code: first.code, text: format!("sendmail: {}{others}", words.join("\n")) })
        }
    }
}

/// Neither the server nor the spool took it.
fn nowhere(spool: &Spool, why: &str, error: &std::io::Error) -> Failure {
    Failure::Answered {
        code: LATER,
        text: format!(
            "sendmail: the message is neither sent nor kept. {}: {}; its spool: {error}. Is the server set up for programs \
             of this user (docs/sendmail.md)?",
            spool.socket().display(),
            print::tame(why),
        ),
    }
}

/// Whoever runs this, at this host. The server asks the kernel, so that a lie would help nobody.
fn own_address() -> Result<Address, Failure> {
    let uid = getuid();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let local = name.and_then(|name| LocalPart::parse(&name, false).ok());
    let local = match local {
        Some(local) => local,
        None => LocalPart::parse(&format!("uid-{uid}"), false).map_err(|e| Failure::Bug(e.to_string()))?,
    };
    let host = Domain::parse("localhost").map_err(|e| Failure::Bug(e.to_string()))?;
    Ok(Address::new(local, Host::Domain(host)))
}

/// Gives it to the server; the error is why none took it.
fn handed_over(spool: &Spool, transaction: &Transaction, message: &Bytes) -> Result<Fate, String> {
    let stream = connect(spool).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(stream));
        let mut connection = greet(stream.map_err(|e| e.to_string())?).await?;
        let fate = hand_over(&mut connection, transaction.clone(), message.clone()).await;
        connection.quit().await;
        Ok(fate)
    })
}

fn connect(spool: &Spool) -> std::io::Result<UnixStream> {
    UnixStream::connect(Short::of(&spool.socket())?.path())
}

/// `-bs`: the session is the server's own.
fn speak(spool: &Spool) -> Result<(), Failure> {
    let failed = |e| Failure::io(spool.socket().display(), e);
    let mut server = match connect(spool) {
        Ok(server) => server,
        Err(error) => {
            print::text("421 4.3.2 The mail server doesn't run here; try again later\r\n")?;
            return Err(Failure::Answered {
                code: LATER,
                text: format!("sendmail: {}: {error}", spool.socket().display()),
            });
        }
    };
    let to = server.try_clone().map_err(failed)?;
    // It ends with the process: standard input may never end by itself.
    std::thread::spawn(move || {
        // The session's end tells what is wrong.
        let _ended = pass_on(std::io::stdin().lock(), &to);
        let _closed = to.shutdown(std::net::Shutdown::Write);
    });
    let mut piece = vec![0; SENDMAIL_PIECE];
    let mut out = std::io::stdout().lock();
    loop {
        let count = server.read(&mut piece).map_err(failed)?;
        if count == 0 {
            return Ok(());
        }
        match out.write_all(piece.get(..count).unwrap_or_default()).and_then(|()| out.flush()) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|e| Failure::io("standard output", e))?,
        }
    }
}

/// Passes a session on; lines that end with LF alone get their CR, as programs on this system write them.
fn pass_on(mut from: impl Read, mut to: impl Write) -> std::io::Result<()> {
    let mut piece = vec![0; SENDMAIL_PIECE];
    let mut last = 0;
    let mut out = Vec::new();
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        out.clear();
        for byte in piece.get(..count).unwrap_or_default() {
            if *byte == b'\n' && last != b'\r' {
                out.push(b'\r');
            }
            out.push(*byte);
            last = *byte;
        }
        to.write_all(&out)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_s_lines_end_as_smtp_s_do_wherever_it_is_cut() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
                let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
                self.0 = rest;
                to[0] = *first;
                Ok(1)
            }
        }
        let text = b"EHLO a\nMAIL\r\n\n.\nx";
        let (mut whole, mut dripped) = (Vec::new(), Vec::new());
        pass_on(&text[..], &mut whole).unwrap();
        pass_on(Drip(text), &mut dripped).unwrap();
        assert_eq!(whole, b"EHLO a\r\nMAIL\r\n\r\n.\r\nx");
        assert_eq!(whole, dripped);
    }
}
