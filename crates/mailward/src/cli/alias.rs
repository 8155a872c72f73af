//! `mailward alias`: addresses that lead to others.

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::{Address, Domain};

/// Add, list and remove addresses that lead to others
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward alias add sales@example.org joe@example.org ann@example.org
  mailward alias list --json
  mailward alias remove sales@example.org")]
pub(crate) struct Alias {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an alias, or give one new targets
    #[command(after_help = "Examples:
  mailward alias add sales@example.org joe@example.org
  mailward alias add sales@example.org joe@example.org ann@example.org partner@example.net")]
    Add {
        /// Its address
        alias: Address,
        /// Addresses that get its mail, here or elsewhere
        #[arg(required = true)]
        targets: Vec<Address>,
    },
    /// List aliases
    #[command(after_help = "Examples:\n  mailward alias list\n  mailward alias list --domain example.org --json")]
    List {
        /// Those of one domain only
        #[arg(long)]
        domain: Option<Domain>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an alias
    #[command(after_help = "Example:\n  mailward alias remove sales@example.org")]
    Remove {
        /// Its address
        alias: Address,
    },
}

impl Alias {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::Add { alias, targets } => {
                client::run(&place, &Request::AliasAdd { alias: alias.clone(), targets })?;
                print::line(format!("{alias} added"))
            }
            What::Remove { alias } => {
                client::run(&place, &Request::AliasRemove { alias: alias.clone() })?;
                print::line(format!("{alias} removed"))
            }
            What::List { domain, json } => {
                let aliases = client::run(&place, &Request::AliasList { domain })?;
                if json {
                    return print::json(&aliases);
                }
                let rows: Vec<Vec<String>> = aliases
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|a| {
                        let targets: Vec<&str> =
                            a.field("targets").as_array().into_iter().flatten().filter_map(|t| t.as_str()).collect();
                        vec![
                            print::tame(a.field("address").as_str().unwrap_or_default()),
                            print::tame(&targets.join(", ")),
                        ]
                    })
                    .collect();
                print::table(&["ALIAS", "LEADS TO"], &rows)
            }
        }
    }
}
