//! `mailward serve`: runs the server.

use crate::compose;
use crate::failure::Failure;
use crate::place::{CONFIG_NAME, Where};
use clap::Args;

/// Run the server until it is told to stop
#[derive(Debug, Args)]
#[command(
    after_help = "Looks at everything that can be wrong first, and says file, line and mend. Started as root, it binds its ports and then becomes the user that the configuration names. SIGHUP takes new certificates and settings, SIGTERM and SIGINT stop cleanly within 5 seconds.

Examples:
  mailward serve
  mailward serve --config /etc/mailward/mailward.toml
  systemctl enable --now mailward       (contrib/mailward.service)"
)]
pub(crate) struct Serve {}

impl Serve {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let found = place.find()?;
        if found.file.is_none() {
            let data = found.data().display();
            return Err(Failure::Usage(format!(
                "there is no {data}/{CONFIG_NAME}: give --config FILE, or make a server with `mailward setup DOMAIN --data {data}`"
            )));
        }
        let prepared = compose::prepare(found)?;
        compose::run(prepared, |_| async { Ok(()) })
    }
}
