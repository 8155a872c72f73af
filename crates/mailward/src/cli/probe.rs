//! `mailward probe`: a mail server of one's own, seen from outside.

mod show;

use crate::compose::privilege;
use crate::control::audit::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, ValueEnum};
use mailward_audit::knock::Anchors;
use mailward_audit::probe::{
    Aim, Kept, KeptError, Look, MAY, ProbeError, Topic, Vantage, Watch, changes, look, parse_ports, usual_ports,
};
use mailward_core::limits::{KNOCK_RATE_MAX, PROBE_RATE};
use mailward_core::{Address, Clock as _, Domain, SystemClock, config};
use mailward_dns::{Lookup, Resolver};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Look at a mail server of your own as strangers see it: doors, TLS, relaying, names
#[derive(Debug, Args)]
#[command(after_help = "Best run from elsewhere. Messages go to --recipient alone. docs/probe.md lists what is asked.

Examples:
  mailward probe mx.example.org --i-am-responsible-for mx.example.org
  mailward probe mx.example.org --recipient probe@example.org --json")]
pub(crate) struct Probe {
    /// A host's name, or an address
    host: String,
    /// The first time: the same again; it is yours to look at
    #[arg(long, value_name = "HOST")]
    i_am_responsible_for: Option<String>,
    /// Look here, not where the DNS says; may be given again
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<IpAddr>,
    /// The name that certificates have to prove [usual: HOST]
    #[arg(long)]
    name: Option<Domain>,
    /// Whose mail it takes [usual: HOST, or without its first label]
    #[arg(long)]
    domain: Option<Domain>,
    /// Look at these ports alone: 25=25025,993,8080
    #[arg(long, value_name = "LIST")]
    ports: Option<String>,
    /// Authorities of your own (PEM), trusted besides the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Ask this resolver; `none`: ask none [usual: the system's]
    #[arg(long, value_name = "ADDRESS")]
    dns: Option<String>,
    /// Believe the DNS without proof, if the resolver passes none on
    #[arg(long)]
    no_dnssec: bool,
    /// Keys of DNSSEC instead of the root's, for trials
    #[arg(long, value_name = "FILE", conflicts_with = "no_dnssec")]
    trust_anchor: Option<PathBuf>,
    /// A selector of DKIM; may be given again
    #[arg(long, value_name = "NAME")]
    selector: Vec<String>,
    /// A list of addresses in the DNS; may be given again
    #[arg(long, value_name = "ZONE")]
    dnsbl: Vec<Domain>,
    /// An address that gets trial messages; may be given again
    #[arg(long, value_name = "ADDRESS")]
    recipient: Vec<Address>,
    /// Leave out doors, tls, relay, mail, web, names or users
    #[arg(long, value_enum, value_name = "TOPIC", hide_possible_values = true)]
    skip: Vec<Skip>,
    /// Connections a second at most
    #[arg(long, value_name = "N", default_value_t = PROBE_RATE, value_parser = clap::value_parser!(u32).range(1..=i64::from(KNOCK_RATE_MAX)))]
    rate: u32,
    /// Where the look is kept [usual: DATA/probe/HOST.json]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Keep nothing
    #[arg(long, conflicts_with = "state")]
    forget: bool,
    /// Write what that server's audit reads, signed by the server here
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Skip {
    Doors,
    Tls,
    Relay,
    Mail,
    Web,
    Names,
    Users,
}

impl Skip {
    const fn topic(self) -> Topic {
        match self {
            Skip::Doors => Topic::Doors,
            Skip::Tls => Topic::Tls,
            Skip::Relay => Topic::Relay,
            Skip::Mail => Topic::Mail,
            Skip::Web => Topic::Web,
            Skip::Names => Topic::Names,
            Skip::Users => Topic::Users,
        }
    }
}

impl Probe {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let host = self.host.to_ascii_lowercase();
        if host.parse::<IpAddr>().is_err() && Domain::parse(&host).is_err() {
            return Err(usage(ProbeError::Host(print::tame(&host))));
        }
        let mut aim = self.aim(&host)?;
        // Before the look, which takes a while, and before root becomes the data directory's owner.
        let signer = match &self.sign {
            None => None,
            Some(file) => {
                let opened = OpenOptions::new().write(true).create(true).truncate(false).open(file);
                Some((place.find()?, opened.map_err(|e| Failure::io(file.display(), e))?, file))
            }
        };
        let path = self.place_of_state(&host, place)?;
        let before = match &path {
            Some(path) => Kept::read(path, &host).map_err(unkept)?,
            None => None,
        };
        let mut kept = self.answered_for(&host, before)?;
        let failed = |e| Failure::io("threads can't be started", e);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let found = runtime.block_on(async {
            aim.lookup = self.resolver()?;
            let mut telling = Telling(print::Progress::new());
            Box::pin(look(&aim, &SystemClock, &mut telling)).await.map_err(|error| match error {
                ProbeError::NoAddress { .. } | ProbeError::Nobody(_) => Failure::NoServer(error.to_string()),
                ProbeError::Host(_) | ProbeError::TooMany { .. } => usage(error),
            })
        })?;
        let found = Look { changes: kept.last.as_ref().map(|last| changes(last, &found)), ..found };
        if let Some(path) = &path {
            kept.last = Some(found.clone());
            kept.write(path).map_err(unkept)?;
        }
        if let Some((signer, file, name)) = signer {
            sign(&signer, &found, file, name)?;
        }
        if self.json {
            print::json(&found)?
        } else {
            show::look(&found)?
        }
        let failed: Vec<&str> =
            found.findings.iter().filter(|one| one.is_mandatory_failure()).map(|one| one.name.as_str()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Failure::Found(format!("{} of what is mandatory failed: {}", failed.len(), failed.join(", "))))
    }

    fn aim(&self, host: &str) -> Result<Aim, Failure> {
        let ca = match &self.ca {
            Some(file) => std::fs::read(file).map_err(|e| Failure::io(file.display(), e))?,
            None => Vec::new(),
        };
        Ok(Aim {
            name: self.name.as_ref().map(ToString::to_string),
            domain: self.domain.clone(),
            addresses: self.address.clone(),
            ports: match &self.ports {
                Some(list) => parse_ports(list).map_err(|why| Failure::Usage(format!("--ports: {why}")))?,
                None => usual_ports(),
            },
            anchors: Anchors::system_and(&ca),
            selectors: self.selector.clone(),
            lists: self.dnsbl.clone(),
            recipients: self.recipient.iter().map(ToString::to_string).collect(),
            skip: self.skip.iter().map(|skip| skip.topic()).collect(),
            rate: self.rate,
            by: concat!("mailward ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Aim::at(host)
        })
    }

    /// Who is asked for names.
    fn resolver(&self) -> Result<Option<Arc<dyn Lookup>>, Failure> {
        let servers = match self.dns.as_deref() {
            Some("none") => return Ok(None),
            None => Vec::new(),
            Some(text) => {
                let address = text.parse::<SocketAddr>().ok();
                let address = address.or_else(|| Some(SocketAddr::new(text.parse().ok()?, 53)));
                let why = || Failure::Usage(format!("--dns: {} is no address of a resolver", print::tame(text)));
                vec![address.ok_or_else(why)?]
            }
        };
        let config = config::Dns {
            servers,
            dnssec: !self.no_dnssec,
            trust_anchor: self.trust_anchor.clone(),
            ..config::Dns::default()
        };
        let resolver = Resolver::new(&config).map_err(|error| Failure::Usage(format!("--dns: {error}")))?;
        Ok(Some(Arc::new(resolver)))
    }

    /// Where the look is kept; nothing if it isn't. On a host without a server that is among the user's own files.
    fn place_of_state(&self, host: &str, place: &Where) -> Result<Option<PathBuf>, Failure> {
        if self.forget {
            return Ok(None);
        }
        if let Some(file) = &self.state {
            return Ok(Some(file.clone()));
        }
        let name = format!("{host}.json");
        match place.find() {
            Ok(found) if found.data().is_dir() => {
                privilege::become_owner_of(found.data())?;
                Ok(Some(found.data().join("probe").join(name)))
            }
            Ok(found) if place.config.is_some() || place.data.is_some() => {
                found.must_exist()?;
                Ok(None)
            }
            Err(other) if place.config.is_some() || place.data.is_some() => Err(other),
            Ok(_) | Err(Failure::Usage(_)) => {
                let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
                let own = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
                let own = own.ok_or_else(|| {
                    Failure::Usage(
                        "there is no place to keep the look: --state FILE names one, --forget keeps none".to_owned(),
                    )
                })?;
                Ok(Some(Path::new(&own).join("mailward/probe").join(name)))
            }
            Err(other) => Err(other),
        }
    }

    /// What is kept of the host, once somebody has answered for it.
    fn answered_for(&self, host: &str, before: Option<Kept>) -> Result<Kept, Failure> {
        let said = self.i_am_responsible_for.as_ref().map(|said| said.to_ascii_lowercase());
        match (said, before) {
            (Some(said), _) if said != host => Err(Failure::Usage(format!(
                "--i-am-responsible-for names {}, and {host} is to be looked at",
                print::tame(&said)
            ))),
            (_, Some(before)) => Ok(before),
            (Some(_), None) => Ok(Kept::new(host, SystemClock.now().text())),
            (None, None) => {
                Err(Failure::Usage(format!("{MAY}. If {host} is yours, say --i-am-responsible-for {host}, once")))
            }
        }
    }
}

/// Has the server here sign which ports are open, for the audit of the one that was looked at.
fn sign(signer: &Place, found: &Look, mut file: File, name: &Path) -> Result<(), Failure> {
    let bug = |error: String| Failure::Bug(error);
    let look = Vantage::of(found, SystemClock.now()).line().map_err(bug)?;
    let answer = client::run(signer, &Request::Audit { ask: Ask::Sign { look } })?;
    let text = |name: &str| answer.field(name).as_str().unwrap_or_default().to_owned();
    let written = file.set_len(0).and_then(|()| file.write_all(text("line").as_bytes()));
    written.map_err(|e| Failure::io(name.display(), e))?;
    print::note(format_args!(
        "{} is for DATA/audit/peers/ of {}, whose audit.peers has to name this installation: \"NAME {}\"",
        name.display(),
        print::tame(&found.host),
        print::tame(&text("key"))
    ));
    Ok(())
}

fn usage(error: ProbeError) -> Failure {
    Failure::Usage(error.to_string())
}

fn unkept(error: KeptError) -> Failure {
    match error {
        KeptError::Io { path, error } => Failure::io(path.display(), error),
        odd @ KeptError::Odd { .. } => Failure::Refused(odd.to_string()),
    }
}

/// How far it is.
struct Telling(print::Progress);

impl Watch for Telling {
    fn looks_at(&mut self, what: &str) {
        self.0.show(format_args!("looking: {what}"));
    }
}
