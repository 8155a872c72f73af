//! `mailward scanner`: what `serve` starts to look into messages. Nobody else has a use for it.

use crate::failure::Failure;
use crate::scanner;
use clap::Args;

/// Look into messages for a server; `mailward serve` starts it
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "It works on a socket that it gets as standard input, closes itself up before the first message,
and ends when that closes.

Example:
  mailward serve"
)]
pub(crate) struct Scanner {}

impl Scanner {
    /// It needs no place: it reads no configuration.
    pub(crate) fn run(self) -> Result<(), Failure> {
        scanner::work()
    }
}
