//! `mailward bench imap`, `pop3`, `idle`, `imap-fill` and `store-fill`.

use crate::bench::corpus::Corpus;
use crate::bench::wire::{Target, Tls};
use crate::bench::{BenchError, fill, idle, imap, pop3};
use crate::compose::privilege;
use crate::failure::Failure;
use crate::place::Where;
use crate::print;
use crate::secrets;
use clap::{Args, ValueEnum};
use mailward_core::{Address, Secret};
use std::path::PathBuf;
use std::time::Duration;

/// When TLS begins.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TlsWish {
    /// Not at all
    Off,
    /// From the first byte
    Implicit,
    /// By STARTTLS or STLS
    Starttls,
}

/// Which server, and who logs in.
#[derive(Debug, Args)]
struct Access {
    /// Server to read from.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Its port.
    #[arg(long)]
    port: u16,
    /// Who logs in.
    #[arg(long)]
    user: String,
    /// File whose first line is the password; - is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// When TLS begins: off, implicit, or starttls.
    #[arg(long, value_name = "WHEN", default_value = "implicit", hide_possible_values = true)]
    tls: TlsWish,
    /// Authority to trust, PEM; without it any certificate will do.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name that the certificate must have, if --ca is given [default: the host].
    #[arg(long, value_name = "NAME", requires = "ca")]
    tls_name: Option<String>,
    /// Longest silence of the server.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

impl Access {
    fn target(&self) -> Result<Target, BenchError> {
        if self.timeout == 0 {
            return Err(BenchError::Option("--timeout must be more than nothing".to_owned()));
        }
        Ok(Target {
            host: self.host.clone(),
            port: self.port,
            tls: match self.tls {
                TlsWish::Off => Tls::Off,
                TlsWish::Implicit => Tls::Implicit,
                TlsWish::Starttls => Tls::Starttls,
            },
            ca: self.ca.clone(),
            tls_name: self.tls_name.clone(),
            timeout: Duration::from_secs(self.timeout),
        })
    }

    fn password(&self) -> Result<Secret, Failure> {
        secrets::from_file(&self.password_file)
    }
}

/// Do one kind of work on any IMAP server and time it.
///
/// Every answer must be whole. The mailbox must be one made for the purpose, as by imap-fill: flags are set and
/// cleared, and messages come and go.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward bench imap --port 10993 --user alice@example.test --password-file pw --case envelope
  mailward bench imap --port 993 --user joe --password-file pw --case search-text --word mill")]
pub(super) struct Imap {
    #[command(flatten)]
    access: Access,
    /// Mailbox to work on.
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    mailbox: String,
    /// Kind of work; --help tells of each.
    #[arg(long)]
    case: imap::Case,
    /// Rounds after one that isn't measured; the median is shown.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Time of a round of work that is done again and again.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// What to search for.
    #[arg(long, default_value = "")]
    word: String,
    /// How many messages a search must find.
    #[arg(long, value_name = "MESSAGES")]
    expect: Option<u64>,
    /// Bytes of an appended message.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    size: usize,
    /// Sessions at once.
    #[arg(long, default_value_t = 4)]
    sessions: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Imap {
    pub(super) fn run(self) -> Result<(), Failure> {
        let time = Duration::try_from_secs_f64(self.seconds)
            .map_err(|e| BenchError::Option(format!("--seconds {}: {e}", self.seconds)))?;
        let report = imap::run(&imap::Options {
            target: self.access.target()?,
            password: self.access.password()?,
            user: self.access.user,
            mailbox: self.mailbox,
            case: self.case,
            rounds: self.rounds,
            time,
            word: self.word,
            expect: self.expect,
            size: self.size,
            sessions: self.sessions,
        })?;
        if self.json { print::json(&report) } else { print::line(report.text()) }
    }
}

/// Fetch every message of a POP3 maildrop and time it.
///
/// Nothing is deleted. Every byte that STAT tells of must come.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench pop3 --port 10995 --user alice@example.test --password-file pw --case retr")]
pub(super) struct Pop3 {
    #[command(flatten)]
    access: Access,
    /// Kind of work.
    #[arg(long)]
    case: pop3::Case,
    /// Rounds after one that isn't measured; the median is shown.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Pop3 {
    pub(super) fn run(self) -> Result<(), Failure> {
        let report = pop3::run(&pop3::Options {
            target: self.access.target()?,
            password: self.access.password()?,
            user: self.access.user,
            case: self.case,
            rounds: self.rounds,
        })?;
        if self.json { print::json(&report) } else { print::line(report.text()) }
    }
}

/// Hold many IMAP connections in IDLE until standard input ends.
///
/// Each logs in, selects the mailbox and idles; at the end each must still answer.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench idle --port 10993 --user user%d@example.test --users 20 --password-file pw \\
      --connections 2000 --ready-file ready.json")]
pub(super) struct Idle {
    #[command(flatten)]
    access: Access,
    /// How many users %d in --user stands for: 1, 2, … in turn.
    #[arg(long, default_value_t = 1)]
    users: usize,
    /// Mailbox to select.
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    mailbox: String,
    /// Connections to hold.
    #[arg(long, default_value_t = 2_000)]
    connections: usize,
    /// File to write, as JSON, once all are idle.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Idle {
    pub(super) fn run(self) -> Result<(), Failure> {
        let report = idle::run(&idle::Options {
            target: self.access.target()?,
            password: self.access.password()?,
            user: self.access.user,
            users: self.users,
            mailbox: self.mailbox,
            connections: self.connections,
            ready_file: self.ready_file,
        })?;
        if self.json { print::json(&report) } else { print::line(report.text()) }
    }
}

/// Which made-up messages.
#[derive(Clone, Copy, Debug, Args)]
struct Mail {
    /// How many.
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Bytes of one, on the average.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    size: usize,
    /// The same seed makes the same messages, byte for byte.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

impl From<Mail> for Corpus {
    fn from(mail: Mail) -> Self {
        Self { seed: mail.seed, messages: mail.messages, size: mail.size }
    }
}

/// Fill an empty mailbox of any IMAP server with made-up mail.
///
/// Senders, threads, character sets, HTML and attachments as in an office's mailbox; tells which words are where.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench imap-fill --port 10993 --user joe@example.test --password-file pw --messages 10000")]
pub(super) struct ImapFill {
    #[command(flatten)]
    access: Access,
    /// Mailbox to fill; it is made if it isn't there.
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    mailbox: String,
    #[command(flatten)]
    mail: Mail,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ImapFill {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (target, password) = (self.access.target()?, self.access.password()?);
        let report = fill::by_imap(&target, &self.access.user, &password, &self.mailbox, &self.mail.into())?;
        if self.json { print::json(&report) } else { print::line(report.text()) }
    }
}

/// Fill INBOX of an account with made-up mail while no server runs.
///
/// As imap-fill, straight into the store of --data: a million messages in minutes.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench store-fill --data ./mail --user joe@example.org --messages 1000000 --size 1024")]
pub(super) struct StoreFill {
    /// Whose INBOX.
    #[arg(long, value_name = "ADDRESS")]
    user: Address,
    #[command(flatten)]
    mail: Mail,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl StoreFill {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        place.must_exist()?;
        privilege::become_owner_of(place.data())?;
        let report = fill::store(place.data(), &self.user, &self.mail.into())?;
        if self.json { print::json(&report) } else { print::line(report.text()) }
    }
}
