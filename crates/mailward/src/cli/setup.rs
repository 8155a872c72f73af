//! `mailward setup`: makes a server for a real host.

use crate::failure::Failure;
use crate::place::Where;
use crate::setup;
use clap::Args;
use mailward_core::Domain;
use std::path::PathBuf;

/// Make a server for a domain: configuration, data, keys, and a postmaster
#[derive(Debug, Args)]
#[command(
    after_help = "Looks at the host first and leaves nothing half-written. As root: /var/lib/mailward and /etc/mailward/mailward.toml with the usual ports. Otherwise: --data DIR, on loopback, ports from 10000 up.

Examples:
  mailward setup example.org
  mailward setup example.org --hostname mx1.example.org \\
      --certificate /etc/ssl/mx1.pem --key /etc/ssl/private/mx1.key
  mailward setup example.org --data ./mail          (to try it without root)"
)]
pub(crate) struct Setup {
    /// Domain to take mail for
    domain: Domain,
    /// Name of this host [default: mail.DOMAIN]
    #[arg(long, value_name = "NAME")]
    hostname: Option<Domain>,
    /// Certificate of this host, PEM [default: one of an own authority]
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// System user to run as, if root starts the server
    #[arg(long, value_name = "USER", default_value = "mailward")]
    user: String,
    /// On loopback, at ports that are this plus the usual ones [default: 10000 without root]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
}

impl Setup {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        setup::run(&setup::Wishes {
            domain: self.domain,
            hostname: self.hostname,
            pair: self.certificate.zip(self.key),
            user: self.user,
            port_base: self.port_base,
            config: place.config.clone(),
            data: place.data.clone(),
        })
    }
}
