//! `mailward user`: who reads mail.

use super::domain::switched;
use super::sending;
use super::sessions::ended_too;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use crate::secrets::{self, Carried, PasswordWish};
use clap::{Args, Subcommand};
use mailward_core::{Address, Domain};
use serde_json::Value;

/// Add, list, change and remove users
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward user add joe@example.org --generate
  mailward user list --json
  mailward user password joe@example.org
  mailward user set joe@example.org --quota '5 GiB'")]
pub(crate) struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a user
    #[command(after_help = "The password is asked for, or read as one line from standard input if that is no terminal.

Examples:
  mailward user add joe@example.org
  mailward user add joe@example.org --name 'Joe Doe' --quota '5 GiB' --generate
  pass show joe | mailward user add joe@example.org")]
    Add {
        /// Address
        address: Address,
        /// Name of the person
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        quota: Quota,
        #[command(flatten)]
        source: Source,
        /// Set no password: nobody logs in until one is set
        #[arg(long, conflicts_with = "generate")]
        no_password: bool,
    },
    /// List users, with what their mail takes
    #[command(after_help = "Examples:\n  mailward user list\n  mailward user list --domain example.org --json")]
    List {
        /// Those of one domain only
        #[arg(long)]
        domain: Option<Domain>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell all about a user: mail, limits of sending and what was sent, whether frozen
    #[command(
        after_help = "Examples:\n  mailward user show joe@example.org\n  mailward user show joe@example.org --json"
    )]
    Show {
        /// Address
        address: Address,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set how much a user may send to other domains, or tell it
    #[command(
        after_help = "Without an option: tells what is in force and what was sent. 0: no limit; usual: as configured.

Examples:
  mailward user limit news@example.org --messages-per-day 20000 --recipients-per-day 20000
  mailward user limit news@example.org --new-per-hour 0
  mailward user limit news@example.org --usual
  mailward user limit news@example.org --json"
    )]
    Limit {
        /// Address
        address: Address,
        #[command(flatten)]
        limits: sending::LimitArgs,
    },
    /// Hold all that a user sends to other domains, and what waits; logins and mail to them go on
    #[command(after_help = "Nothing is lost: it waits until `mailward user unfreeze`.

Examples:
  mailward user freeze joe@example.org --why 'sends to bought addresses'
  mailward sessions --user joe@example.org           (who uses the account)")]
    Freeze {
        /// Address
        address: Address,
        /// Why, for whoever looks at it
        #[arg(long, value_name = "TEXT", default_value = "frozen by the administrator")]
        why: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a user send again
    #[command(after_help = "What was held meanwhile stays held without --release: look at it first.

Examples:
  mailward queue list --user joe@example.org --held
  mailward user unfreeze joe@example.org --release")]
    Unfreeze {
        /// Address
        address: Address,
        /// Let go all of theirs that is held
        #[arg(long)]
        release: bool,
    },
    /// Change a user
    #[command(after_help = "Examples:
  mailward user set joe@example.org --name 'Joe M. Doe' --quota '10 GiB'
  mailward user set joe@example.org --quota-messages 0     (no limit)
  mailward user set joe@example.org --disable")]
    Set {
        /// Address
        address: Address,
        /// Name of the person
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        quota: Quota,
        /// Let them log in and get mail again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// No logins and no new mail; the mail stays, sessions end
        #[arg(long)]
        disable: bool,
    },
    /// Set a user's password
    #[command(
        after_help = "Sessions of the user end. It is asked for, or read as one line from standard input if that is no terminal.

Examples:
  mailward user password joe@example.org
  mailward user password joe@example.org --generate"
    )]
    Password {
        /// Address
        address: Address,
        #[command(flatten)]
        source: Source,
    },
    /// Remove a user with all their mail
    #[command(after_help = "Example:\n  mailward user remove joe@example.org --yes")]
    Remove {
        /// Address
        address: Address,
        /// Yes, remove all their mail; it can't be brought back
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Quota {
    /// Bytes they may hold, with a unit; 0: no limit
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quota: Option<u64>,
    /// Messages they may hold; 0: no limit
    #[arg(long, value_name = "NUMBER")]
    quota_messages: Option<u64>,
}

#[derive(Debug, Args)]
struct Source {
    /// Make a good password and print it, once
    #[arg(long)]
    generate: bool,
}

impl Source {
    fn wish(&self, address: &Address) -> Result<PasswordWish, Failure> {
        if self.generate {
            return Ok(PasswordWish::Generated);
        }
        Ok(PasswordWish::Given(Carried(secrets::ask(&address.to_string())?)))
    }
}

fn size(text: &str) -> Result<u64, String> {
    mailward_core::config::parse_size(text)
        .ok_or_else(|| "a number with B, KiB, MiB or GiB, such as '5 GiB'".to_owned())
}

impl User {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::Add { address, name, quota, source, no_password } => {
                let password = if no_password { PasswordWish::None } else { source.wish(&address)? };
                let request = Request::UserAdd {
                    address: address.clone(),
                    display_name: name.unwrap_or_default(),
                    password,
                    quota_bytes: quota.quota.unwrap_or(0),
                    quota_messages: quota.quota_messages.unwrap_or(0),
                };
                let added = client::run(&place, &request)?;
                print::line(format!("{address} added"))?;
                generated(&added)
            }
            What::Set { address, name, quota, enable, disable } => {
                let enabled = switched(enable, disable);
                if name.is_none() && quota.quota.is_none() && quota.quota_messages.is_none() && enabled.is_none() {
                    return Err(Failure::Usage("nothing to set: see `mailward user set --help`".to_owned()));
                }
                let request = Request::UserSet {
                    address: address.clone(),
                    display_name: name,
                    enabled,
                    quota_bytes: quota.quota,
                    quota_messages: quota.quota_messages,
                };
                let set = client::run(&place, &request)?;
                print::line(format!("{address} changed"))?;
                ended_too(&set)
            }
            What::Password { address, source } => {
                let password = source.wish(&address)?;
                let set = client::run(&place, &Request::UserPassword { address: address.clone(), password })?;
                print::line(format!("password of {address} set"))?;
                ended_too(&set)?;
                generated(&set)
            }
            What::Remove { address, yes: false } => Err(Failure::Usage(format!(
                "this removes all mail of {address}, for good: say --yes if that is meant, or use `mailward user set {address} --disable`"
            ))),
            What::Remove { address, yes: true } => {
                let removed = client::run(&place, &Request::UserRemove { address: address.clone() })?;
                print::line(format!("{address} removed"))?;
                ended_too(&removed)
            }
            What::Show { address, json } => sending::show(&place, address, json),
            What::Limit { address, limits } => {
                let request = Request::UserLimit { address: address.clone(), set: limits.wishes() };
                sending::limit(&place, &address.to_string(), &request, limits.json)
            }
            What::Freeze { address, why, json } => sending::freeze(&place, address, why, json),
            What::Unfreeze { address, release } => sending::unfreeze(&place, address, release),
            What::List { domain, json } => {
                let users = client::run(&place, &Request::UserList { domain })?;
                if json {
                    return print::json(&users);
                }
                let rows: Vec<Vec<String>> = users.as_array().into_iter().flatten().map(row).collect();
                print::table(&["ADDRESS", "STATE", "MESSAGES", "SIZE", "QUOTA", "NAME"], &rows)
            }
        }
    }
}

fn generated(answer: &Value) -> Result<(), Failure> {
    answer.field("password").as_str().map_or(Ok(()), secrets::tell)
}

/// The word for what may be done with an account.
pub(super) fn state(user: &Value) -> &'static str {
    match (user.field("enabled").as_bool(), user.field("has_password").as_bool()) {
        (Some(false), _) => "disabled",
        _ if !user.field("frozen").is_null() => "frozen",
        (_, Some(false)) => "no password",
        _ => "enabled",
    }
}

fn row(user: &Value) -> Vec<String> {
    let quota = match user.field("quota_bytes").as_u64() {
        None | Some(0) => "-".to_owned(),
        Some(bytes) => print::bytes(bytes),
    };
    vec![
        print::tame(user.field("address").as_str().unwrap_or_default()),
        state(user).to_owned(),
        user.field("usage").field("messages").to_string(),
        print::bytes(user.field("usage").field("bytes").as_u64().unwrap_or(0)),
        quota,
        print::tame(user.field("display_name").as_str().unwrap_or_default()),
    ]
}
