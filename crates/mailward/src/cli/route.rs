//! `mailward route`: mail that goes another way than by DNS.

use crate::control::client::Errand;
use crate::control::queue::Which;
use crate::control::routes::{Ask, Setting};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use crate::secrets::{self, Carried};
use clap::{Args, Subcommand, ValueEnum};
use mailward_core::{Address, QueueId};
use mailward_directory::routes::{ForWhom, FromWhom, Leads, Owner, Route, RouteName, RouteTls};
use mailward_store::records::{Lane, Steer, Steered};
use serde_json::Value;
use std::path::PathBuf;

/// Send mail another way than by DNS: a smart host, a fixed host, LMTP, a Maildir
#[derive(Debug, Args)]
#[command(
    after_help = "The most specific route decides: for an address, a domain, the longest .domain, then by sender.
docs/routes.md tells more.

Examples:
  mailward route add out --to '*' --user joe --password-file pw smarthost smtp.isp.example
  mailward route add branch --to branch.example host mx1.branch.example mx2.branch.example
  mailward route list
  mailward route test --from joe@example.org --to ann@branch.example"
)]
pub(crate) struct RouteVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a route
    #[command(
        after_help = "WAY is one of: mx | host HOST[:PORT]… | smarthost HOST[:PORT]… | lmtp HOST:PORT | lmtp unix:/path |
discard | error CODE TEXT… | maildir /path

Examples:
  mailward route add out --to '*' --user joe --password-file - smarthost smtp.isp.example
  mailward route add no --to bad.example error 550 5.7.1 we send no mail there
  mailward route add store --from archive@example.org maildir /srv/maildirs/archive"
    )]
    Add {
        /// Its name: lower-case letters, digits and hyphens
        name: RouteName,
        #[command(flatten)]
        about: About,
    },
    /// Change a route; what isn't given stays
    #[command(after_help = "A new WAY comes with its --tls and --user. What waits goes where the route leads now.

Examples:
  mailward route change out --password-file pw
  mailward route change branch host 192.0.2.7
  mailward route change branch --lifetime usual")]
    Change {
        /// Which
        name: RouteName,
        #[command(flatten)]
        about: About,
    },
    /// Remove a route; what waits goes where it leads then
    #[command(after_help = "Example:\n  mailward route remove branch")]
    Remove {
        /// Which
        name: RouteName,
    },
    /// List routes
    #[command(after_help = "Examples:\n  mailward route list\n  mailward route list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one route
    #[command(after_help = "Examples:\n  mailward route show branch\n  mailward route show branch --json")]
    Show {
        /// Which
        name: RouteName,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell which route decides for a message, and what its way is now
    #[command(after_help = "Examples:
  mailward route test --to ann@branch.example
  mailward route test --from joe@example.org --to ann@branch.example --json")]
    Test {
        /// Envelope sender; none: the null path
        #[arg(long)]
        from: Option<Address>,
        /// Recipient
        #[arg(long)]
        to: Address,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct About {
    /// To whom: ann@example.net, example.net, .example.net (it and all under it), or '*' [usual: '*']
    #[arg(long, value_name = "WHOM")]
    to: Option<ForWhom>,
    /// From whom: joe@example.org, example.org, or '*' [usual: '*']
    #[arg(long, value_name = "WHOM")]
    from: Option<FromWhom>,
    /// How TLS is used [usual: starttls for smart hosts, else opportunistic]
    #[arg(long, value_enum)]
    tls: Option<TlsUse>,
    /// User at the smart host
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// File whose first line is that user's password; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How long messages are tried: 30m, 12h, 5d; usual: as the configuration says
    #[arg(long, value_name = "TIME", value_parser = setting)]
    lifetime: Option<Setting>,
    /// When senders hear that they are late; 0s: never
    #[arg(long, value_name = "TIME", value_parser = setting)]
    warn_after: Option<Setting>,
    /// Where it leads
    #[arg(value_name = "WAY")]
    way: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TlsUse {
    Opportunistic,
    Starttls,
    Tls,
}

impl From<TlsUse> for RouteTls {
    fn from(tls: TlsUse) -> Self {
        match tls {
            TlsUse::Opportunistic => RouteTls::Opportunistic,
            TlsUse::Starttls => RouteTls::StartTls,
            TlsUse::Tls => RouteTls::Tls,
        }
    }
}

fn setting(text: &str) -> Result<Setting, String> {
    if text == "usual" {
        return Ok(Setting::Usual);
    }
    super::queue::age(text).map(Setting::Seconds)
}

impl About {
    /// Where it leads, if that is said.
    fn leads(&self) -> Result<Option<Leads>, Failure> {
        if self.way.is_empty() {
            if self.tls.is_some() || self.user.is_some() {
                return Err(Failure::Usage("--tls and --user belong to a way: smarthost HOST".to_owned()));
            }
            return Ok(None);
        }
        let leads = Leads::parse(&self.way, self.tls.map(RouteTls::from), self.user.as_deref());
        leads.map(Some).map_err(|e| Failure::Usage(e.to_string()))
    }

    fn password(&self) -> Result<Option<Carried>, Failure> {
        self.password_file.as_deref().map(secrets::from_file).transpose().map(|password| password.map(Carried))
    }
}

impl RouteVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = &place.find()?;
        match self.what {
            What::Add { name, about } => {
                let leads =
                    about.leads()?.ok_or_else(|| Failure::Usage("say where it leads: mx, host, …".to_owned()))?;
                let password = about.password()?;
                let route = Route {
                    name: name.clone(),
                    to: about.to.unwrap_or(ForWhom::Everybody),
                    from: about.from.unwrap_or(FromWhom::Anybody),
                    leads,
                    lifetime: about.lifetime.and_then(Option::from),
                    warn_after: about.warn_after.and_then(Option::from),
                };
                ask(place, Ask::Add { route, password })?;
                print::line(format!("route {name} added; mail that waits already stays where it is"))?;
                print::line(format!("to bring it there: mailward queue reroute --lane DOMAIN --to route:{name}"))
            }
            What::Change { name, about } => {
                let (leads, password) = (about.leads()?, about.password()?);
                let About { to, from, lifetime, warn_after, .. } = about;
                let change = Ask::Change { name: name.clone(), to, from, leads, password, lifetime, warn_after };
                let mut errand = Errand::on(place)?;
                errand.run::<Value>(&Request::Routes { ask: change })?;
                print::line(format!("route {name} changed"))?;
                follow(&mut errand, &Owner::Route(name).lane())
            }
            What::Remove { name } => {
                let mut errand = Errand::on(place)?;
                errand.run::<Value>(&Request::Routes { ask: Ask::Remove { name: name.clone() } })?;
                print::line(format!("route {name} removed"))?;
                follow(&mut errand, &Owner::Route(name).lane())
            }
            What::List { json } => list(&ask(place, Ask::List)?, json),
            What::Show { name, json } => show(&ask(place, Ask::Show { name })?, json),
            What::Test { from, to, json } => test(&ask(place, Ask::Test { from, to })?, json),
        }
    }
}

pub(super) fn ask(place: &Place, ask: Ask) -> Result<Value, Failure> {
    client::run(place, &Request::Routes { ask })
}

/// Brings what waits in a lane where it leads now, step by step, and lets what stays be tried now.
pub(super) fn follow(errand: &mut Errand<'_>, lane: &Lane) -> Result<(), Failure> {
    let mut progress = print::Progress::new();
    let (mut moved, mut after) = (0u64, None);
    loop {
        let ask = Ask::Settle { lane: lane.clone(), after };
        let step: Steered = errand.run(&Request::Routes { ask })?;
        moved = moved.saturating_add(step.changed);
        let Some(id) = step.next else { break };
        progress.show(format_args!("{moved} recipients moved, looked up to message {id}"));
        after = Some(id);
    }
    drop(progress);
    let which = Which { lane: Some(lane.clone()), ..Which::default() };
    let mut stayed = 0u64;
    let mut after: Option<QueueId> = None;
    loop {
        let request = Request::QueueSteer { which: which.clone(), action: Steer::Retry, after };
        let step: Steered = errand.run(&request)?;
        stayed = stayed.saturating_add(step.changed);
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    match (moved, stayed) {
        (0, 0) => Ok(()),
        (moved, stayed) => print::line(format!(
            "of the recipients that waited there, {moved} go another way now, and {stayed} are tried anew"
        )),
    }
}

fn list(routes: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(routes);
    }
    let rows: Vec<Vec<String>> = routes
        .as_array()
        .into_iter()
        .flatten()
        .map(|route| ["name", "to", "from", "leads"].iter().map(|member| text(route, member)).collect())
        .collect();
    print::table(&["ROUTE", "TO", "FROM", "LEADS TO"], &rows)
}

fn show(route: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(route);
    }
    let time = |member: &str| match route.field(member).as_u64() {
        None => "as the configuration says".to_owned(),
        Some(secs) => format!("{secs} s"),
    };
    print::line(format!("route {}", text(route, "name")))?;
    print::line(format!("to {}, from {}", text(route, "to"), text(route, "from")))?;
    print::line(format!("leads to {}", text(route, "leads")))?;
    print::line(format!("mail waits in lane {}", text(route, "lane")))?;
    print::line(format!("tried for: {}; told as late after: {}", time("lifetime"), time("warn_after")))
}

fn test(found: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(found);
    }
    let by = text(found, "by");
    let way = found.field("way");
    match by.as_str() {
        "directory" => return print::line(format!("{}: delivered here, no route is asked", text(found, "to"))),
        "dns" => print::line("no route decides: by DNS")?,
        by => print::line(format!("{by} decides: {}", text(found, "leads")))?,
    }
    print::line(format!("mail waits in lane {}", text(found, "lane")))?;
    for host in way.field("hosts").as_array().into_iter().flatten() {
        let at: Vec<String> = host
            .field("addresses")
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(print::tame)
            .collect();
        let user = host.field("user").as_str().map_or_else(String::new, |user| format!(", user {}", print::tame(user)));
        print::line(format!("  {} at {}; TLS {}{user}", text(host, "name"), at.join(" "), text(host, "tls")))?;
    }
    match way.field("way").as_str().unwrap_or_default() {
        "hosts" => Ok(()),
        "maildir" => print::line(format!("  into the Maildir {}", text(way, "path"))),
        other => print::line(format!("  {}: {}", print::tame(other), text(way, "why"))),
    }
}

pub(super) fn text(value: &Value, member: &str) -> String {
    print::tame(value.field(member).as_str().unwrap_or_default())
}
