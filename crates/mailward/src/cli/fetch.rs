//! `mailward fetch`: mail of accounts elsewhere, fetched and delivered to users here.

mod tell;

use crate::control::fetch::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use crate::secrets::{self, Carried};
use clap::{Args, Subcommand};
use mailward_core::limits::{FETCH_AUTHORITY_MAX, FETCH_EVERY_DEFAULT};
use mailward_core::{Address, Secret};
use mailward_fetch::{After, Name, Protocol, Server, Settings, SettingsChange, Tls, To};
use serde_json::Value;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Fetch mail from accounts elsewhere, by POP3 or IMAP
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward fetch add old --imap mail.example.net --user joe@example.net --to joe@example.org
  mailward fetch list
  mailward fetch show old
  mailward fetch now old")]
pub(crate) struct Fetch {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an account; it is visited at once
    #[command(after_help = "The password is asked for, or read as one line from standard input if that is no terminal.

Examples:
  mailward fetch add old --imap mail.example.net --user joe@example.net --to joe@example.org
  mailward fetch add all --pop3 pop.example.net --user box --by-envelope joe@example.org --every 1")]
    Add(Box<Add>),
    /// Change an account; it is visited at once, also if its login had been refused
    #[command(after_help = "Examples:
  mailward fetch change old --new-password
  mailward fetch change old --every 15 --keep
  mailward fetch change old --authority system")]
    Change(Box<Change>),
    /// Remove an account and forget what was fetched from it; what it holds stays there
    #[command(after_help = "Example:\n  mailward fetch remove old")]
    Remove {
        /// Which
        name: Name,
    },
    /// List accounts and how their visits go
    #[command(after_help = "Examples:\n  mailward fetch list\n  mailward fetch list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one account
    #[command(after_help = "Examples:\n  mailward fetch show old\n  mailward fetch show old --json")]
    Show {
        /// Which
        name: Name,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Visit an account as soon as can be, also if its login had been refused
    #[command(
        after_help = "Messages that couldn't be taken are tried again, too.\n\nExample:\n  mailward fetch now old"
    )]
    Now(One),
    /// Don't visit an account until it is resumed
    #[command(after_help = "Example:\n  mailward fetch pause old")]
    Pause(One),
    /// Visit an account again, at once
    #[command(after_help = "Example:\n  mailward fetch resume old")]
    Resume(One),
}

#[derive(Debug, Args)]
struct One {
    /// Which
    name: Name,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Add {
    /// What to call it here
    name: Name,
    /// Server that speaks POP3
    #[arg(long, value_name = "HOST", conflicts_with_all = ["imap", "mailbox"])]
    pop3: Option<Server>,
    /// Server that speaks IMAP
    #[arg(long, value_name = "HOST")]
    imap: Option<Server>,
    /// TLS after STARTTLS; without, from the first byte. There is no way without TLS
    #[arg(long)]
    starttls: bool,
    /// User name there
    #[arg(long)]
    user: String,
    #[command(flatten)]
    to: ToWhom,
    /// Leave mail there, and remember what was fetched; without, it is deleted once it is safe here
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    common: Common,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Change {
    /// Which
    name: Name,
    /// Server
    #[arg(long)]
    host: Option<Server>,
    /// TLS after STARTTLS
    #[arg(long)]
    starttls: bool,
    /// TLS from the first byte
    #[arg(long, conflicts_with = "starttls")]
    tls: bool,
    /// User name there
    #[arg(long)]
    user: Option<String>,
    /// Ask for another password, or read it as one line from standard input
    #[arg(long, conflicts_with = "password_file")]
    new_password: bool,
    #[command(flatten)]
    to: ToWhom,
    /// Leave mail there
    #[arg(long)]
    keep: bool,
    /// Delete mail there once it is safe here
    #[arg(long, conflicts_with = "keep")]
    delete: bool,
    #[command(flatten)]
    common: Common,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Common {
    /// Port, if it isn't the usual one
    #[arg(long)]
    port: Option<u16>,
    /// IMAP mailbox, INBOX if none is said
    #[arg(long)]
    mailbox: Option<String>,
    /// Minutes between two visits, 5 if none are said
    #[arg(long, value_name = "MINUTES")]
    every: Option<u32>,
    /// File of PEM certificates that may sign for the server, or `system`
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// File whose first line is the password; -: standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ToWhom {
    /// User here who gets it
    #[arg(long, value_name = "ADDRESS", conflicts_with = "by_envelope")]
    to: Option<Address>,
    /// Whom Delivered-To and the like name gets it; this user gets the rest
    #[arg(long, value_name = "ADDRESS")]
    by_envelope: Option<Address>,
    /// Field that names them, before the usual ones
    #[arg(long, value_name = "FIELD")]
    header: Option<String>,
}

impl ToWhom {
    fn wish(self) -> Result<Option<To>, Failure> {
        match self {
            Self { by_envelope: Some(otherwise), header, .. } => Ok(Some(To::Envelope { header, otherwise })),
            Self { header: Some(_), .. } => Err(Failure::Usage("--header goes with --by-envelope".to_owned())),
            Self { to, .. } => Ok(to.map(To::One)),
        }
    }
}

impl Common {
    /// PEM of the file; empty: the system's.
    fn authority(&self) -> Result<Option<String>, Failure> {
        match &self.authority {
            None => Ok(None),
            Some(path) if path == Path::new("system") => Ok(Some(String::new())),
            Some(path) => {
                let named = |e| Failure::io(path.display(), e);
                let most = u64::try_from(FETCH_AUTHORITY_MAX).unwrap_or(u64::MAX).saturating_add(1);
                let mut pem = String::new();
                std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut pem)).map_err(named)?;
                Ok(Some(pem))
            }
        }
    }
}

impl Fetch {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::Add(add) => add.run(&place),
            What::Change(change) => change.run(&place),
            What::Remove { name } => {
                ask(&place, Ask::Remove { name: name.clone() })?;
                print::line(format!("{name} removed; what it holds stays there"))
            }
            What::List { json } => {
                let all = ask(&place, Ask::List)?;
                if json { print::json(&all) } else { tell::list(&all) }
            }
            What::Show { name, json } => {
                let answer = ask(&place, Ask::Show { name })?;
                if json { print::json(answer.field("account")) } else { tell::account(answer.field("account")) }
            }
            What::Now(One { name, json }) => steer(&place, Ask::Now { name: name.clone() }, &name, "is visited", json),
            What::Pause(One { name, json }) => {
                let answer = ask(&place, Ask::Pause { name: name.clone(), paused: true })?;
                if json {
                    return print::json(answer.field("account"));
                }
                print::line(format!("{name} is paused"))
            }
            What::Resume(One { name, json }) => {
                let ask = Ask::Pause { name: name.clone(), paused: false };
                steer(&place, ask, &name, "is resumed, and visited", json)
            }
        }
    }
}

impl Add {
    fn run(self, place: &Place) -> Result<(), Failure> {
        let Self { name, pop3, imap, starttls, user, to, keep, common, json } = self;
        let (protocol, host) = match (pop3, imap) {
            (Some(host), _) => (Protocol::Pop3, host),
            (None, Some(host)) => (Protocol::Imap, host),
            (None, None) => return Err(Failure::Usage("say --pop3 HOST or --imap HOST".to_owned())),
        };
        let to = to.wish()?.ok_or_else(|| Failure::Usage("say who gets it: --to or --by-envelope".to_owned()))?;
        let tls = if starttls { Tls::Starttls } else { Tls::Tls };
        let usual = Settings::new(protocol, host, user, to);
        let settings = Settings {
            tls,
            port: common.port.unwrap_or_else(|| tls.port(protocol)),
            mailbox: common.mailbox.clone().unwrap_or_else(|| usual.mailbox.clone()),
            every: common.every.unwrap_or(FETCH_EVERY_DEFAULT),
            after: if keep { After::Keep } else { After::Delete },
            authority: common.authority()?.filter(|pem| !pem.is_empty()),
            ..usual
        };
        let password = match &common.password_file {
            Some(path) => secrets::from_file(path)?,
            None => secrets::ask(&format!("{} at {}", print::tame(&settings.user), settings.host))?,
        };
        let ask = Ask::Add { name: name.clone(), settings: Box::new(settings), password: Carried(password) };
        steer(place, ask, &name, "is added, and visited", json)
    }
}

impl Change {
    fn run(self, place: &Place) -> Result<(), Failure> {
        let Self { name, host, starttls, tls, user, new_password, to, keep, delete, common, json } = self;
        let tls = match (starttls, tls) {
            (true, _) => Some(Tls::Starttls),
            (false, true) => Some(Tls::Tls),
            (false, false) => None,
        };
        let after = match (keep, delete) {
            (true, _) => Some(After::Keep),
            (false, true) => Some(After::Delete),
            (false, false) => None,
        };
        let authority = common.authority()?;
        let Common { port, mailbox, every, password_file, .. } = common;
        let change = SettingsChange { host, port, tls, user, mailbox, every, after, to: to.wish()?, authority };
        let password: Option<Secret> = match &password_file {
            Some(path) => Some(secrets::from_file(path)?),
            None if new_password => Some(secrets::ask(name.as_str())?),
            None => None,
        };
        if change == SettingsChange::default() && password.is_none() {
            return Err(Failure::Usage("nothing to change: see `mailward fetch change --help`".to_owned()));
        }
        let password = password.map(Carried);
        let ask = Ask::Change { name: name.clone(), change: Box::new(change), password };
        steer(place, ask, &name, "is changed, and visited", json)
    }
}

fn ask(place: &Place, what: Ask) -> Result<Value, Failure> {
    client::run(place, &Request::Fetch { what })
}

/// Does it, and says when a visit follows.
fn steer(place: &Place, what: Ask, name: &Name, done: &str, json: bool) -> Result<(), Failure> {
    let answer = ask(place, what)?;
    if json {
        return print::json(answer.field("account"));
    }
    let when = if answer.field("served").as_bool() == Some(true) { "now" } else { "when the server runs" };
    print::line(format!("{name} {done} {when}; see: mailward fetch show {name}"))
}
