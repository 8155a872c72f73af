//! The supervisor's making, by the server, in the one thread there is and with all the rights it was started with.

use crate::failure::Failure;
use crate::place::Place;
use mailward_core::config::EngineLine;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// This program, also when another file has come in its place since.
const OURSELVES: &str = "/proc/self/exe";
/// The verb, which no help names.
pub(crate) const VERB: &str = "supervise";

/// A supervisor that runs.
pub(crate) struct Made {
    pub(super) socket: UnixStream,
    pub(super) child: Child,
}

/// Makes one, if there is something for it to do.
pub(crate) fn make(place: &Place) -> Result<Option<Made>, Failure> {
    let config = place.config();
    let programs = config.antivirus.engines.iter().any(|engine| matches!(engine, EngineLine::Command { .. }));
    if config.alerts.command.is_empty() && !config.bans.firewall && !programs {
        return Ok(None);
    }
    let failed = |e| Failure::io("the supervisor can't be started", e);
    let (socket, theirs) = UnixStream::pair().map_err(failed)?;
    let child = Command::new(OURSELVES)
        .arg(VERB)
        .args(place.words().map_err(failed)?)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A key that ends the server on its terminal isn't meant for it: it ends with the server.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    Ok(Some(Made { socket, child }))
}
