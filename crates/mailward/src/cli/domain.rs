//! `mailward domain`: domains that mail is taken for.

use super::sending;
use super::sessions::ended_too;
use crate::control::{CatchAll, Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::{Address, Domain as Name};

/// Add, list, change and remove domains that mail is taken for
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward domain add example.org
  mailward domain list --json
  mailward domain set example.org --catch-all joe@example.org")]
pub(crate) struct Domain {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a domain
    #[command(after_help = "Example:\n  mailward domain add example.org")]
    Add {
        /// Its name
        domain: Name,
    },
    /// List all domains
    #[command(after_help = "Examples:\n  mailward domain list\n  mailward domain list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a domain
    #[command(after_help = "Examples:
  mailward domain set example.org --catch-all joe@example.org
  mailward domain set example.org --no-catch-all
  mailward domain set example.org --disable")]
    Set {
        /// Its name
        domain: Name,
        /// Address that gets mail to nobody
        #[arg(long, value_name = "ADDRESS", conflicts_with = "no_catch_all")]
        catch_all: Option<Address>,
        /// Refuse mail to nobody again
        #[arg(long)]
        no_catch_all: bool,
        /// Take mail for it again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Refuse all mail for it and all logins of its users
        #[arg(long)]
        disable: bool,
    },
    /// Set how much all users of a domain together may send to other domains, or tell it
    #[command(
        after_help = "Without an option: tells what is in force and what was sent. 0: no limit; usual: as configured.

Examples:
  mailward domain limit example.org --messages-per-day 50000
  mailward domain limit example.org --usual
  mailward domain limit example.org --json"
    )]
    Limit {
        /// Its name
        domain: Name,
        #[command(flatten)]
        limits: sending::LimitArgs,
    },
    /// Remove a domain that has no users and aliases left
    #[command(after_help = "Example:\n  mailward domain remove example.org")]
    Remove {
        /// Its name
        domain: Name,
    },
}

impl Domain {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::Add { domain } => {
                client::run(&place, &Request::DomainAdd { name: domain.clone() })?;
                print::line(format!("{domain} added"))?;
                print::line(format!("DNS records of its DKIM keys: mailward dkim show {domain}"))
            }
            What::Set { domain, catch_all, no_catch_all, enable, disable } => {
                let catch_all = match (catch_all, no_catch_all) {
                    (Some(address), _) => CatchAll::To(address),
                    (None, true) => CatchAll::Off,
                    (None, false) => CatchAll::Keep,
                };
                let enabled = switched(enable, disable);
                if matches!(catch_all, CatchAll::Keep) && enabled.is_none() {
                    return Err(Failure::Usage("nothing to set: see `mailward domain set --help`".to_owned()));
                }
                let set = client::run(&place, &Request::DomainSet { name: domain.clone(), enabled, catch_all })?;
                print::line(format!("{domain} changed"))?;
                ended_too(&set)
            }
            What::Remove { domain } => {
                client::run(&place, &Request::DomainRemove { name: domain.clone() })?;
                print::line(format!("{domain} removed"))
            }
            What::Limit { domain, limits } => {
                let request = Request::DomainLimit { name: domain.clone(), set: limits.wishes() };
                sending::limit(&place, domain.as_str(), &request, limits.json)
            }
            What::List { json } => {
                let domains = client::run(&place, &Request::DomainList)?;
                if json {
                    return print::json(&domains);
                }
                let rows: Vec<Vec<String>> = domains
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|d| {
                        vec![
                            d.field("name").as_str().unwrap_or_default().to_owned(),
                            if d.field("enabled").as_bool() == Some(false) { "disabled" } else { "enabled" }.to_owned(),
                            d.field("users").to_string(),
                            d.field("aliases").to_string(),
                            print::tame(d.field("catch_all").as_str().unwrap_or("-")),
                        ]
                    })
                    .collect();
                print::table(&["DOMAIN", "STATE", "USERS", "ALIASES", "CATCH-ALL"], &rows)
            }
        }
    }
}

/// What two switches say together.
pub(crate) fn switched(enable: bool, disable: bool) -> Option<bool> {
    match (enable, disable) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}
