//! The command line: one file a verb.

mod alert;
mod alias;
mod antivirus;
mod audit;
mod ban;
mod bench;
mod config;
mod content;
mod demo;
mod dkim;
mod dmarc;
mod domain;
mod fetch;
mod gateway;
mod greylist;
mod lists;
pub(crate) mod migrate;
mod milter;
mod probe;
mod quarantine;
mod queue;
mod rates;
mod reload;
mod route;
pub(crate) mod rules;
mod scanner;
mod sending;
pub(crate) mod sendmail;
mod serve;
mod sessions;
mod setup;
mod spam;
mod status;
mod stop;
mod store;
mod supervise;
mod tls_policy;
mod tls_report;
mod trace;
mod user;

use crate::failure::Failure;
use crate::place::Where;
use clap::{Parser, Subcommand};

/// A complete, secure mail server in one program.
#[derive(Debug, Parser)]
#[command(
    name = "mailward",
    version,
    max_term_width = 100,
    after_help = "Examples:
  mailward demo                     try it: a whole server on loopback, nothing to configure
  mailward setup example.org        make a real one; `mailward serve` runs it
Every command takes --config FILE or --data DIR. `mailward help VERB` tells more."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Demo),
    Setup(setup::Setup),
    Serve(serve::Serve),
    Status(status::Status),
    Reload(reload::Reload),
    Stop(stop::Stop),
    Sessions(sessions::Sessions),
    Ban(ban::BanVerb),
    Queue(queue::Queue),
    Trace(trace::Trace),
    Quarantine(quarantine::QuarantineVerb),
    Rates(rates::Rates),
    Fetch(Box<fetch::Fetch>),
    Sendmail(sendmail::Sendmail),
    Route(route::RouteVerb),
    Gateway(gateway::GatewayVerb),
    Rules(rules::RulesVerb),
    Content(content::ContentVerb),
    Greylist(greylist::GreylistVerb),
    Lists(lists::Lists),
    Antivirus(antivirus::AntivirusVerb),
    Milter(milter::MilterVerb),
    Spam(spam::SpamVerb),
    Config(config::ConfigVerb),
    Domain(domain::Domain),
    Dkim(dkim::Dkim),
    Dmarc(dmarc::Dmarc),
    User(user::User),
    Alias(alias::Alias),
    TlsPolicy(tls_policy::TlsPolicy),
    TlsReport(tls_report::TlsReport),
    Migrate(migrate::Migrate),
    Store(store::Store),
    Audit(audit::AuditVerb),
    Probe(Box<probe::Probe>),
    Alert(alert::AlertVerb),
    Bench(bench::BenchArgs),
    Supervise(supervise::Supervise),
    Scanner(scanner::Scanner),
}

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let place = &cli.place;
    match cli.verb {
        Verb::Demo(verb) => verb.run(place),
        Verb::Setup(verb) => verb.run(place),
        Verb::Serve(verb) => verb.run(place),
        Verb::Status(verb) => verb.run(place),
        Verb::Reload(verb) => verb.run(place),
        Verb::Stop(verb) => verb.run(place),
        Verb::Sessions(verb) => verb.run(place),
        Verb::Ban(verb) => verb.run(place),
        Verb::Queue(verb) => verb.run(place),
        Verb::Trace(verb) => verb.run(place),
        Verb::Quarantine(verb) => verb.run(place),
        Verb::Rates(verb) => verb.run(place),
        Verb::Fetch(verb) => verb.run(place),
        Verb::Sendmail(verb) => verb.run(place),
        Verb::Route(verb) => verb.run(place),
        Verb::Gateway(verb) => verb.run(place),
        Verb::Rules(verb) => verb.run(place),
        Verb::Content(verb) => verb.run(place),
        Verb::Greylist(verb) => verb.run(place),
        Verb::Lists(verb) => verb.run(place),
        Verb::Antivirus(verb) => verb.run(place),
        Verb::Milter(verb) => verb.run(place),
        Verb::Spam(verb) => verb.run(place),
        Verb::Config(verb) => verb.run(place),
        Verb::Domain(verb) => verb.run(place),
        Verb::Dkim(verb) => verb.run(place),
        Verb::Dmarc(verb) => verb.run(place),
        Verb::User(verb) => verb.run(place),
        Verb::Alias(verb) => verb.run(place),
        Verb::TlsPolicy(verb) => verb.run(place),
        Verb::TlsReport(verb) => verb.run(place),
        Verb::Migrate(verb) => verb.run(place),
        Verb::Store(verb) => verb.run(place),
        Verb::Audit(verb) => verb.run(place),
        Verb::Probe(verb) => verb.run(place),
        Verb::Alert(verb) => verb.run(place),
        Verb::Supervise(verb) => verb.run(place),
        Verb::Scanner(verb) => verb.run(),
        Verb::Bench(verb) => bench::run(verb, place),
    }
}

/// `mailward queue list` of this server.
pub(crate) fn queue_for_people(place: &Where) -> Result<(), Failure> {
    let mut cli = Cli::try_parse_from(["mailward", "queue", "list"]).map_err(|e| Failure::Bug(e.to_string()))?;
    cli.place = place.clone();
    run(cli)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// Every verb and what is under it, by its full name.
    fn every(command: &clap::Command, name: &str, found: &mut Vec<(String, clap::Command)>) {
        for under in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let full = format!("{name} {}", under.get_name());
            every(under, &full, found);
            found.push((full, under.clone()));
        }
    }

    #[test]
    fn the_command_line_hangs_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_verb_s_help_fits_a_screen_and_ends_with_examples() {
        let mut command = Cli::command();
        command.build();
        let mut found = vec![("mailward".to_owned(), command.clone())];
        every(&command, "mailward", &mut found);
        for (name, command) in found {
            // Measuring takes many knobs, which --help tells at length.
            let measuring = name.starts_with("mailward bench ");
            let words = name.split(' ').chain([if measuring { "-h" } else { "--help" }]);
            let help = Cli::command().try_get_matches_from(words).unwrap_err().to_string();
            // The first page lists every verb there is: thirty of them, and what stands around them.
            let most = if name == "mailward" { 54 } else { 36 };
            assert!(help.lines().count() <= most, "{name}: help of {} lines:\n{help}", help.lines().count());
            // What is longer is broken where it comes.
            let written = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut lines = written.lines().peekable();
            let mut long = None;
            while let Some(line) = lines.next() {
                // A paragraph in one line is broken well.
                if line.chars().count() > 100 && lines.peek().is_some_and(|next| !next.is_empty()) {
                    long = Some(line);
                }
            }
            assert!(long.is_none(), "{name}: a line of its help is too long: {long:?}");
            assert!(command.get_about().is_some(), "{name} doesn't say what it does");
            assert!(help.contains("Examples:") || help.contains("Example:"), "{name}: no examples");
        }
    }

    fn sources(under: &std::path::Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(under).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, texts);
            } else if path.extension().is_some_and(|end| end == "rs") {
                texts.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// Whoever is woken by an alert types what it says.
    #[test]
    fn what_alerts_say_to_type_is_understood() {
        let mut mends: Vec<String> = mailward_alert::known().map(|(_, _, mend)| mend.to_owned()).collect();
        let mut texts = Vec::new();
        sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut texts);
        for text in &texts {
            let said = text.split("\"mend\",").chain(text.split(" mend:")).skip(1);
            mends.extend(said.filter_map(|rest| rest.trim().strip_prefix('"')?.split('"').next().map(str::to_owned)));
        }
        let mut typed = 0;
        for mend in mends {
            // A path that ends in the name is no command.
            let told = mend.replace("/mailward ", "/ ");
            for rest in told.split("mailward ").skip(1).filter(|_| !mend.contains("systemctl")) {
                let words = rest.split([',', ';', ':', '`']).next().unwrap().trim();
                let words =
                    words.replace("ADDRESS", "joe@example.org").replace("SOURCE", "192.0.2.7").replace(" ID", " 7");
                let words = std::iter::once("mailward").chain(words.split(' '));
                let read = Cli::try_parse_from(words);
                assert!(read.is_ok(), "{mend}:\n{}", read.unwrap_err());
                typed += 1;
            }
        }
        assert!(typed >= 15, "{typed}");
    }

    #[test]
    fn only_demo_takes_a_password_on_the_command_line() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        every(&command, "mailward", &mut found);
        let takers: Vec<String> = found
            .iter()
            .filter(|(_, c)| c.get_arguments().any(|a| a.get_id() == "password" && a.get_action().takes_values()))
            .map(|(name, _)| name.clone())
            .collect();
        assert_eq!(takers, ["mailward demo"]);
    }
}
