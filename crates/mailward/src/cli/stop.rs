//! `mailward stop`: stops the running server.

use crate::control::client;
use crate::failure::Failure;
use crate::place::Where;
use clap::Args;

/// Stop the running server cleanly, and wait until it is gone
#[derive(Debug, Args)]
#[command(
    after_help = "No new connections; messages on their way in are committed; every session is told. At most 5 seconds.

Examples:
  mailward stop
  mailward stop --data ./mailward-demo"
)]
pub(crate) struct Stop {}

impl Stop {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        client::stop(&place.find()?)
    }
}
