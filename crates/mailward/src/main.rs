//! # mailward: the binary
//!
//! **For**: the command line ([`cli`], one file a verb) and the composition root ([`compose`]), the only place that
//! knows every room.
//!
//! **In**: arguments, `mailward.toml`, signals, requests on the control socket. **Out**: a running server, or one
//! thing done; an exit code as sysexits.h has them, and one line on standard error that says what was wrong, where,
//! and what to do.
//!
//! **Limits**: `limits::CONTROL_REQUEST_MAX`, `STOP_TIME` and those that the rooms below keep.
//!
//! **Failure**: what can be known before the first connection is refused before the first connection. A panic ends
//! its own session and nothing else.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should"))]

mod bench;
mod cli;
mod compose;
mod control;
mod demo;
mod failure;
mod place;
mod print;
mod secrets;
mod setup;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(words) => {
            // Help and version come this way too. A reader that has gone away has seen enough.
            let _lost = words.print();
            return ExitCode::from(if words.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::complain(&failure);
            ExitCode::from(failure.code())
        }
    }
}
