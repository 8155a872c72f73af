//! `mailward gateway`: domains of inside servers that mail is taken and passed on for.

use super::route::{TlsUse, ask, follow, text};
use crate::control::Request;
use crate::control::client::Errand;
use crate::control::routes::Ask;
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand, ValueEnum};
use mailward_core::limits::GATEWAY_LISTED_STEP;
use mailward_core::{Address, Domain, Host, LocalPart};
use mailward_directory::routes::{Gateway, GatewayCheck, Leads, Owner, RouteTls};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// Largest file of recipients, bytes.
const FILE_MAX: u64 = 64 * 1024 * 1024;

/// Take mail for domains of inside servers, and pass it on
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is taken that the inside server refuses: it is asked for each recipient, or a list is kept
here. docs/gateway.md tells more.

Examples:
  mailward gateway add branch.example --to mail.branch.example
  mailward gateway add lists.example --to 192.0.2.7:24 --lmtp --check list
  mailward gateway allow lists.example --file recipients.txt
  mailward gateway list"
)]
pub(crate) struct GatewayVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Take mail for a domain
    #[command(after_help = "Examples:
  mailward gateway add branch.example --to mail.branch.example
  mailward gateway add lists.example --to unix:/run/lists/lmtp --lmtp --check list")]
    Add(About),
    /// Change where a domain's mail is passed on to, or how its recipients are known; what isn't given stays
    #[command(after_help = "Example:\n  mailward gateway change branch.example --check list")]
    Change(About),
    /// Take no more mail for a domain; what waits goes by DNS
    #[command(after_help = "Example:\n  mailward gateway remove branch.example")]
    Remove {
        /// Which
        domain: Domain,
    },
    /// List the domains
    #[command(after_help = "Examples:\n  mailward gateway list\n  mailward gateway list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put recipients on a domain's list
    #[command(after_help = "Examples:
  mailward gateway allow lists.example ann@lists.example
  mailward gateway allow lists.example --file recipients.txt")]
    Allow(Recipients),
    /// Take recipients off a domain's list
    #[command(after_help = "Example:\n  mailward gateway deny lists.example ann@lists.example")]
    Deny(Recipients),
    /// Print a domain's list
    #[command(after_help = "Examples:\n  mailward gateway recipients lists.example --json")]
    Recipients {
        /// Whose
        domain: Domain,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct About {
    /// Whose mail is taken
    domain: Domain,
    /// The inside server: HOST[:PORT], several with commas between, or unix:/path with --lmtp
    #[arg(long, value_name = "HOST")]
    to: Option<String>,
    /// It speaks LMTP [usual port: 24]
    #[arg(long, requires = "to")]
    lmtp: bool,
    /// How TLS is used with it [usual: opportunistic]
    #[arg(long, value_enum, requires = "to")]
    tls: Option<TlsUse>,
    /// How its recipients are known: it is asked, by a list kept here, or not at all [usual: callout]
    #[arg(long, value_enum)]
    check: Option<Check>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Check {
    Callout,
    List,
    None,
}

#[derive(Debug, Args)]
struct Recipients {
    /// Whose list
    domain: Domain,
    /// Addresses of that domain
    addresses: Vec<Address>,
    /// File with one address a line; - is standard input
    #[arg(long)]
    file: Option<PathBuf>,
}

impl From<Check> for GatewayCheck {
    fn from(check: Check) -> Self {
        match check {
            Check::Callout => GatewayCheck::Callout,
            Check::List => GatewayCheck::List,
            Check::None => GatewayCheck::None,
        }
    }
}

impl About {
    fn leads(&self) -> Result<Option<Leads>, Failure> {
        let Some(to) = &self.to else { return Ok(None) };
        let kind = if self.lmtp { "lmtp" } else { "host" };
        let leads = Leads::parse(&[kind.to_owned(), to.clone()], self.tls.map(RouteTls::from), None);
        leads.map(Some).map_err(|e| Failure::Usage(e.to_string()))
    }
}

impl GatewayVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = &place.find()?;
        match self.what {
            What::Add(about) => {
                let leads = about.leads()?.ok_or_else(|| Failure::Usage("say where it leads: --to HOST".to_owned()))?;
                let check = about.check.map_or(GatewayCheck::Callout, GatewayCheck::from);
                let gateway = Gateway { domain: about.domain, leads, check };
                let put = ask(place, Ask::GatewayPut { gateway: gateway.clone(), change: false })?;
                print::line(format!("mail for {} is taken and passed on to {}", gateway.domain, text(&put, "leads")))?;
                warn(&gateway)
            }
            What::Change(about) => change(place, &about),
            What::Remove { domain } => {
                let mut errand = Errand::on(place)?;
                errand.run::<Value>(&Request::Routes { ask: Ask::GatewayRemove { domain: domain.clone() } })?;
                print::line(format!("no more mail is taken for {domain}"))?;
                follow(&mut errand, &Owner::Gateway(domain).lane())
            }
            What::List { json } => list(&ask(place, Ask::GatewayList)?, json),
            What::Allow(recipients) => mark(place, recipients, true),
            What::Deny(recipients) => mark(place, recipients, false),
            What::Recipients { domain, json } => listed(place, &domain, json),
        }
    }
}

fn change(place: &Place, about: &About) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let show = Ask::GatewayShow { domain: about.domain.clone() };
    let mut gateway: Gateway = errand.run(&Request::Routes { ask: show })?;
    gateway.leads = about.leads()?.unwrap_or(gateway.leads);
    gateway.check = about.check.map_or(gateway.check, GatewayCheck::from);
    let put = Ask::GatewayPut { gateway: gateway.clone(), change: true };
    errand.run::<Value>(&Request::Routes { ask: put })?;
    print::line(format!("the gateway for {} changed", about.domain))?;
    warn(&gateway)?;
    follow(&mut errand, &Owner::Gateway(gateway.domain).lane())
}

/// What an administrator has to know of a check.
fn warn(gateway: &Gateway) -> Result<(), Failure> {
    let domain = &gateway.domain;
    match gateway.check {
        GatewayCheck::Callout => Ok(()),
        GatewayCheck::List => print::line(format!("recipients: mailward gateway allow {domain} ADDRESS")),
        GatewayCheck::None => {
            print::note(format!(
                "WARNING: recipients of {domain} are not checked. What the inside server refuses is bounced to whoever \
                 the sender claims to be: mostly people who sent nothing. Other servers block hosts that do so. Use \
                 --check callout or --check list."
            ));
            Ok(())
        }
    }
}

fn list(gateways: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(gateways);
    }
    let row = |gateway: &Value| {
        let listed = gateway.field("listed").as_u64().unwrap_or(0);
        let check = match text(gateway, "check").as_str() {
            "list" => format!("list of {listed}"),
            "none" => "NOT CHECKED".to_owned(),
            other => other.to_owned(),
        };
        vec![text(gateway, "domain"), text(gateway, "leads"), check]
    };
    let rows: Vec<Vec<String>> = gateways.as_array().into_iter().flatten().map(row).collect();
    print::table(&["DOMAIN", "LEADS TO", "RECIPIENTS"], &rows)
}

/// Lists recipients or takes them off, in steps.
fn mark(place: &Place, recipients: Recipients, on: bool) -> Result<(), Failure> {
    let Recipients { domain, mut addresses, file } = recipients;
    if let Some(file) = &file {
        addresses.extend(from_file(file)?);
    }
    if addresses.is_empty() {
        return Err(Failure::Usage("name addresses, or a file with one a line: --file FILE".to_owned()));
    }
    let mut errand = Errand::on(place)?;
    let mut changed = 0u64;
    for some in addresses.chunks(GATEWAY_LISTED_STEP) {
        let ask = Ask::GatewayMark { domain: domain.clone(), recipients: some.to_vec(), on };
        let done: Value = errand.run(&Request::Routes { ask })?;
        changed = changed.saturating_add(done.field("changed").as_u64().unwrap_or(0));
    }
    let what = if on { "listed" } else { "taken off the list" };
    print::line(format!("{changed} recipients of {domain} {what}"))
}

fn from_file(path: &Path) -> Result<Vec<Address>, Failure> {
    let named = |e| Failure::io(path.display(), e);
    let from: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(named)?)
    };
    let mut addresses = Vec::new();
    for (at, line) in BufReader::new(from.take(FILE_MAX)).lines().enumerate() {
        let line = line.map_err(named)?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let address = line.parse().map_err(|e| {
            Failure::Usage(format!("{} line {}: {}: {e}", path.display(), at.saturating_add(1), print::tame(line)))
        })?;
        addresses.push(address);
    }
    Ok(addresses)
}

/// An address as it is written: a local part that isn't a dot-atom in quotes.
fn whole(local: &str, domain: &Domain) -> String {
    let quoted = format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\""));
    LocalPart::parse(&quoted, true).map_or_else(
        |_| format!("{local}@{domain}"),
        |local| Address::new(local, Host::Domain(domain.clone())).to_string(),
    )
}

fn listed(place: &Place, domain: &Domain, json: bool) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let mut all = print::JsonList::default();
    let mut after: Option<String> = None;
    loop {
        let ask = Ask::GatewayRecipients { domain: domain.clone(), after };
        let page: Vec<String> = errand.run(&Request::Routes { ask })?;
        for local in &page {
            let address = whole(local, domain);
            if json {
                all.element(&address)?;
            } else {
                print::line(print::tame(&address))?;
            }
        }
        after = page.into_iter().next_back();
        if after.is_none() {
            break;
        }
    }
    if json { all.end() } else { Ok(()) }
}
