//! # demo: a whole server on loopback, with people and mail in it
//!
//! **For**: the first five minutes. Makes a data directory with an authority and a certificate of its own, a
//! configuration, the domain `example.test`, two users and a few messages that come in by SMTP like any other.
//!
//! **In**: a directory, a base for the ports, perhaps a password. **Out**: a server that differs from a real one in
//! nothing but its configuration.
//!
//! **Failure**: every step can be done again: a start that was cut short is completed by the next one. A directory
//! that isn't a demo's is not touched.

pub(crate) mod people;
pub(crate) mod ready;
pub(crate) mod samples;
mod send;
pub(crate) mod stage;

use crate::compose::{self, Started};
use crate::failure::Failure;
use crate::place::Where;
use std::path::PathBuf;

/// The domain, reserved for such uses (RFC 2606 §2).
pub(crate) const DOMAIN: &str = "example.test";

/// What the command line asks for.
pub(crate) struct Wishes {
    pub(crate) data: PathBuf,
    pub(crate) port_base: u16,
    pub(crate) ready_file: Option<PathBuf>,
    pub(crate) password: Option<String>,
}

/// Runs the demo until somebody stops it.
pub(crate) fn run(wishes: Wishes) -> Result<(), Failure> {
    let place = Where { config: None, data: Some(wishes.data.clone()) };
    stage::is_free(&wishes.data)?;
    stage::set(&wishes.data, wishes.port_base)?;
    let prepared = compose::prepare(place.find()?)?;
    if let Some(file) = &wishes.ready_file {
        // One that an earlier run left would be believed.
        match std::fs::remove_file(file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Failure::io(file.display(), e)),
            _ => {}
        }
    }
    compose::run(prepared, |started| inhabit(started, wishes))
}

async fn inhabit(started: Started, wishes: Wishes) -> Result<(), Failure> {
    let people = people::settle(&started.desk, &wishes.data, wishes.password.as_deref()).await?;
    samples::deliver(&started, &wishes.data).await?;
    let ready = ready::Ready::of(&started, &wishes.data, people)?;
    if let Some(file) = &wishes.ready_file {
        ready.write(file)?;
    }
    crate::print::text(&ready.screen())
}
