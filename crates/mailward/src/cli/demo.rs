//! `mailward demo`: the first five minutes.

use crate::demo;
use crate::failure::Failure;
use crate::place::Where;
use clap::Args;
use std::path::PathBuf;

/// Run a whole server on loopback, with users and mail in it, nothing to configure
#[derive(Debug, Args)]
#[command(
    after_help = "No root, no configuration. Makes ./mailward-demo (or --data DIR) with a certificate authority of its own, the domain example.test, alice and bob, and a few messages; prints what runs where and what to type. A second start keeps everything. A password given here is taken as it is: nobody but this host can reach the demo.

Examples:
  mailward demo
  mailward demo --data /tmp/demo --port-base 20000 --ready-file /tmp/demo.json
  mailward stop --data ./mailward-demo"
)]
pub(crate) struct Demo {
    /// The ports are this plus the usual ones
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    port_base: u16,
    /// File to write, as JSON, once everything listens
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Password of both users, instead of generated ones
    #[arg(long)]
    password: Option<String>,
}

impl Demo {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        if place.config.is_some() {
            return Err(Failure::Usage(
                "the demo writes its own configuration: give --data DIR instead of --config".to_owned(),
            ));
        }
        demo::run(demo::Wishes {
            data: place.data.clone().unwrap_or_else(|| PathBuf::from("mailward-demo")),
            port_base: self.port_base,
            ready_file: self.ready_file,
            password: self.password,
        })
    }
}
