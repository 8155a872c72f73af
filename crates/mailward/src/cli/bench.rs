//! `mailward bench`: measures a mail server, the disk, or the store.

mod readers;

use crate::bench::{BenchError, disk, gate, mailbox, smtp_in};
use crate::failure::Failure;
use crate::place::Where;
use crate::print;
use crate::secrets;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Measure a mail server, the disk, or the store.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward bench smtp-in --port 10025 --to alice@example.test
  mailward bench imap-fill --port 10993 --user alice@example.test --password-file pw
  mailward bench imap --port 10993 --user alice@example.test --password-file pw --case envelope
  mailward bench disk --dir /var/lib
  mailward bench mailbox-size --dir /var/tmp --messages 1000000")]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    SmtpIn(SmtpIn),
    Imap(readers::Imap),
    Pop3(readers::Pop3),
    Idle(readers::Idle),
    ImapFill(readers::ImapFill),
    StoreFill(readers::StoreFill),
    Disk(Disk),
    MailboxSize(MailboxSize),
    Gate(Gate),
}

/// Send made-up messages to any SMTP or LMTP server and time its answers.
///
/// Every message has its own Message-ID. Fails if any message is not accepted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward bench smtp-in --port 10025 --to alice@example.test
  mailward bench smtp-in --port 2525 --sessions 100 --messages 20000 --keep --json")]
struct SmtpIn {
    /// Server to send to.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Its port.
    #[arg(long, default_value_t = 25)]
    port: u16,
    /// A Unix socket to send to instead.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port", "starttls"])]
    socket: Option<PathBuf>,
    /// Sessions at once.
    #[arg(long, default_value_t = 20)]
    sessions: usize,
    /// Bytes of a message, header included.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    size: usize,
    /// Send this message each time, instead of made-up ones.
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    message: Option<PathBuf>,
    /// Name to greet with.
    #[arg(long, value_name = "NAME")]
    hello: Option<String>,
    /// Messages to send, all sessions together.
    #[arg(long, default_value_t = 1_000)]
    messages: u64,
    /// Send many messages in each connection; else one.
    #[arg(long)]
    keep: bool,
    /// Send MAIL, RCPT and DATA together if the server offers PIPELINING.
    #[arg(long)]
    pipeline: bool,
    /// Recipient; %d becomes 1, 2, … up to --users, in turn.
    #[arg(long, default_value = "user%d@example.test")]
    to: String,
    /// How many recipients %d stands for.
    #[arg(long, default_value_t = 100)]
    users: u64,
    /// Envelope sender.
    #[arg(long, default_value = "bench@bench.invalid")]
    from: String,
    /// Speak LMTP.
    #[arg(long)]
    lmtp: bool,
    /// Use STARTTLS; the certificate is not checked.
    #[arg(long)]
    starttls: bool,
    /// User to log in as, after STARTTLS.
    #[arg(long, value_name = "USER", requires = "password_file", requires = "starttls")]
    user: Option<String>,
    /// File whose first line is the password; - is standard input.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Time limit for one message, connecting included.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measure what the disk can do, and the store's share of it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench disk --dir /var/lib")]
struct Disk {
    /// Directory on the disk to measure; what is written there is removed again.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Bytes of a message.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    size: usize,
    /// Messages a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Time for each way of writing, in each round.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    seconds: f64,
    /// Rounds; medians are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measure what one more message costs in a large mailbox, against an empty one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench mailbox-size --dir /var/tmp")]
struct MailboxSize {
    /// Directory to make the store in; it is removed again. A million messages take about 1 GB.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Messages in the large mailbox.
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Bytes of the messages that are timed.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    size: usize,
    /// Deliveries to time into each mailbox.
    #[arg(long, default_value_t = 1_000)]
    samples: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measure what a decision of the rate guard costs, however many sources it remembers.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mailward bench gate --sources 0,1000,100000,10000000")]
struct Gate {
    /// Sources that are remembered, each number a measurement; ten million take about 800 MB.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "0,1000,100000,1000000")]
    sources: Vec<usize>,
    /// Decisions in each round.
    #[arg(long, default_value_t = 100_000)]
    decisions: usize,
    /// Rounds; medians are shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
///
/// # Errors
/// It could not be measured, messages were refused (after the report was printed), or an answer was not whole.
pub(crate) fn run(args: BenchArgs, place: &Where) -> Result<(), Failure> {
    match args.what {
        What::SmtpIn(args) => smtp_in(args),
        What::Imap(args) => args.run(),
        What::Pop3(args) => args.run(),
        What::Idle(args) => args.run(),
        What::ImapFill(args) => args.run(),
        What::StoreFill(args) => args.run(place),
        What::Disk(args) => {
            let time = Duration::try_from_secs_f64(args.seconds)
                .map_err(|e| BenchError::Option(format!("--seconds {}: {e}", args.seconds)))?;
            let options =
                disk::Options { dir: args.dir, size: args.size, batch: args.batch, time, rounds: args.rounds };
            let report = disk::run(&options)?;
            if args.json { print::json(&report) } else { print::line(report.text(&options)) }
        }
        What::Gate(args) => {
            let Gate { sources, decisions, rounds, json } = args;
            let report = gate::run(&gate::Options { sources, decisions, rounds })?;
            if json { print::json(&report) } else { print::line(report.text()) }
        }
        What::MailboxSize(args) => {
            let report = mailbox::run(&mailbox::Options {
                dir: args.dir,
                messages: args.messages,
                size: args.size,
                samples: args.samples,
            })?;
            if args.json { print::json(&report) } else { print::line(report.text()) }
        }
    }
}

fn smtp_in(args: SmtpIn) -> Result<(), Failure> {
    let password = args.password_file.as_deref().map(secrets::from_file).transpose()?;
    let read = |path: &PathBuf| std::fs::read(path).map_err(|e| Failure::io(path.display(), e));
    let message = args.message.as_ref().map(read).transpose()?;
    let report = smtp_in::run(&smtp_in::Options {
        host: args.host,
        port: args.port,
        socket: args.socket,
        sessions: args.sessions,
        size: args.size,
        message,
        hello: args.hello,
        messages: args.messages,
        keep: args.keep,
        pipeline: args.pipeline,
        to: args.to,
        users: args.users,
        from: args.from,
        lmtp: args.lmtp,
        starttls: args.starttls,
        login: args.user.zip(password),
        timeout: Duration::from_secs(args.timeout),
    })?;
    if args.json {
        print::json(&report)?;
    } else {
        print::line(report.text())?;
    }
    if report.failed > 0 {
        return Err(BenchError::Failed { failed: report.failed, messages: args.messages }.into());
    }
    Ok(())
}
