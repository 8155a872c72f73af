//! `mailward supervise`: what `serve` starts beside itself. Nobody else has a use for it.

use crate::failure::Failure;
use crate::place::Where;
use crate::supervisor;
use clap::Args;

/// Run alerts' command and keep the firewall's set for a server; `mailward serve` starts it
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "It works on a socket that it gets as standard input, and ends when that closes.

Example:
  mailward serve"
)]
pub(crate) struct Supervise {}

impl Supervise {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        supervisor::work(&place.find()?)
    }
}
