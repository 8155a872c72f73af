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
mod migrate;
mod place;
mod print;
mod scanner;
mod secrets;
mod sendmail;
mod setup;
mod supervisor;

use clap::Parser as _;
use mailward_core::limits::SENDMAIL_ARGUMENTS_MAX;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().map(PathBuf::from);
    let called = called.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    if cli::sendmail::is_name(called) {
        let words: Vec<OsString> = words.take(SENDMAIL_ARGUMENTS_MAX.saturating_add(1)).collect();
        return ended(cli::sendmail::called(called, &words));
    }
    match cli::Cli::try_parse() {
        Ok(cli) => ended(cli::run(cli)),
        Err(words) => {
            // Help and version come this way too. A reader that has gone away has seen enough.
            let _lost = words.print();
            ExitCode::from(if words.use_stderr() { failure::USAGE } else { 0 })
        }
    }
}

fn ended(result: Result<(), failure::Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::complain(&failure);
            ExitCode::from(failure.code())
        }
    }
}
