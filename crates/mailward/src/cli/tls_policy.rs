//! `mailward tls-policy`: what connections to other domains must be like.

use crate::control::trust::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::{Args, Subcommand, ValueEnum};
use mailward_core::{Domain, Timestamp};
use mailward_message::date;
use mailward_sts::{Demand, TlsPolicy as Policy, Whom};
use serde_json::Value;

/// Demand TLS of connections to other domains
#[derive(Debug, Args)]
#[command(
    after_help = "What a domain demands itself, by DANE or MTA-STS, comes first and isn't weakened. A name is that
domain alone, without those below it; '*' is every domain without a policy of its own. See
docs/tls-sending.md.

Examples:
  mailward tls-policy set example.net encrypt
  mailward tls-policy set example.com verify --name mx.example.com
  mailward tls-policy list"
)]
pub(crate) struct TlsPolicy {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say what connections to a domain must be like
    #[command(after_help = "Mail for which it can't be had waits, and `mailward queue` tells why.

Examples:
  mailward tls-policy set example.net encrypt
  mailward tls-policy set example.com verify --name mx.example.com --name mx2.example.com
  mailward tls-policy set '*' encrypt")]
    Set {
        /// For which domain; '*': all others
        domain: Whom,
        /// What is demanded
        level: Level,
        /// With verify: a name that the certificate may stand for [usual: the mail host's]; may be repeated
        #[arg(long = "name", value_name = "HOST")]
        names: Vec<Domain>,
    },
    /// Demand nothing of a domain any more
    #[command(after_help = "Example:\n  mailward tls-policy remove example.net")]
    Remove {
        /// Which; '*': all others
        domain: Whom,
    },
    /// List what is demanded here
    #[command(after_help = "Examples:\n  mailward tls-policy list\n  mailward tls-policy list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what is demanded of a domain: here, and by its MTA-STS policy as it is kept
    #[command(
        after_help = "Examples:\n  mailward tls-policy show example.net\n  mailward tls-policy show example.net --json"
    )]
    Show {
        /// Which
        domain: Domain,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// TLS where it works
    None,
    /// TLS, whatever the certificate
    Encrypt,
    /// TLS with a certificate for the host, or for the names given
    Verify,
}

fn ask(ask: Ask) -> Request {
    Request::Trust { ask }
}

impl TlsPolicy {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::Set { domain, level, names } => {
                let demand = match level {
                    Level::Verify => Demand::Verify { names },
                    _ if !names.is_empty() => {
                        return Err(Failure::Usage("--name goes with verify only".to_owned()));
                    }
                    Level::None => Demand::None,
                    Level::Encrypt => Demand::Encrypt,
                };
                let policy = Policy { domain, demand };
                client::run(&place, &ask(Ask::Set(policy.clone())))?;
                print::line(format!("{}: {}", policy.domain, words(&policy.demand)))
            }
            What::Remove { domain } => {
                client::run(&place, &ask(Ask::Remove(domain.clone())))?;
                print::line(format!("{domain}: nothing is demanded any more"))
            }
            What::List { json } => {
                let policies: Vec<Policy> = client::Errand::on(&place)?.run(&ask(Ask::List))?;
                if json {
                    return print::json(&policies);
                }
                let rows: Vec<Vec<String>> =
                    policies.iter().map(|one| vec![one.domain.to_string(), words(&one.demand)]).collect();
                print::table(&["DOMAIN", "DEMANDED"], &rows)
            }
            What::Show { domain, json } => {
                let shown = client::run(&place, &ask(Ask::Show(domain)))?;
                if json { print::json(&shown) } else { show(&shown) }
            }
        }
    }
}

fn words(demand: &Demand) -> String {
    match demand {
        Demand::None => "nothing: TLS where it works".to_owned(),
        Demand::Encrypt => "TLS, whatever the certificate".to_owned(),
        Demand::Verify { names } if names.is_empty() => "TLS with a certificate for the mail host".to_owned(),
        Demand::Verify { names } => {
            let names: Vec<&str> = names.iter().map(Domain::as_str).collect();
            format!("TLS with a certificate for {}", names.join(" or "))
        }
    }
}

fn show(shown: &Value) -> Result<(), Failure> {
    let ours: Demand =
        serde_json::from_value(shown.field("ours").clone()).map_err(|error| Failure::Bug(error.to_string()))?;
    print::line(format!("here: {}", words(&ours)))?;
    let sts = shown.field("mta_sts");
    if sts.is_null() {
        return print::line("MTA-STS: no policy is kept; it is asked for when mail is sent");
    }
    let policy = sts.field("policy");
    let until = Timestamp(shown.field("mta_sts_until").as_i64().unwrap_or(0));
    let mode = print::tame(policy.field("mode").as_str().unwrap_or_default());
    print::line(format!("MTA-STS: {mode}, until {}", date::format_header(until)))?;
    for host in policy.field("mx").as_array().into_iter().flatten().filter_map(Value::as_str) {
        print::line(format!("  {}", print::tame(host)))?;
    }
    Ok(())
}
