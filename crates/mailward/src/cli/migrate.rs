//! `mailward migrate`: files of other servers, read into what they are here.

use super::rules::{self, who_asks};
use crate::control::content;
use crate::control::rules::Ask;
use crate::failure::Failure;
use crate::migrate::{self, files};
use crate::place::Where;
use crate::print;
use clap::{Args, Subcommand};
use mailward_core::Listener;
use mailward_core::rule::Listeners;
use mailward_gate::rules::RulePlace;
use mailward_gate::tcprules::{Translated, translate};
use mailward_inspect::policy::qmail_scanner;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Read files of tcpserver, qmail and qmail-scanner into what they are here
#[derive(Debug, Args)]
#[command(after_help = "Nothing is changed without --apply: it shows what becomes what, and what has no equal and why.
Of the other server nothing is ever changed. docs/migrate-qmail.md tells more.

Examples:
  mailward migrate tcprules /etc/tcp.smtp
  mailward migrate qmail /var/qmail --apply
  mailward migrate qmail-scanner /var/spool/qmailscan/quarantine-attachments.txt")]
pub(crate) struct Migrate {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read what tcprules(1) compiles, as /etc/tcp.smtp
    #[command(
        after_help = "The rules come out in the order in which tcpserver would ask for them, most specific first.
With --apply they go behind the rules that there are, all of them or none.

Examples:
  mailward migrate tcprules /etc/tcp.smtp
  mailward migrate tcprules /etc/tcp.smtp --apply
  mailward migrate tcprules /etc/tcp.pop3 --listener pop3,pop3s --json"
    )]
    Tcprules {
        /// The text, not the .cdb
        file: PathBuf,
        /// Listeners that the rules are for
        #[arg(long, value_name = "LISTENERS", value_delimiter = ',', default_value = "smtp", value_parser = rules::listener)]
        listener: Vec<Listener>,
        #[command(flatten)]
        how: How,
    },
    /// Read the rules of qmail-scanner: quarantine-attachments.txt
    #[command(
        name = "qmail-scanner",
        after_help = "Each line becomes a rule for what messages hold, which wants quarantine. With --apply they go behind
the rules that were made before, all of them or none, and before what holds by default.

Examples:
  mailward migrate qmail-scanner /var/spool/qmailscan/quarantine-attachments.txt
  mailward migrate qmail-scanner quarantine-attachments.txt --apply"
    )]
    QmailScanner {
        /// The text, not the .db
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Read qmail's control files and the aliases of its alias user
    #[command(
        after_help = "With --apply, domains, aliases, routes, gateways and rules are made; lines for mailward.toml are
shown for you to write there. Users aren't read: make those that aliases lead to first.

Examples:
  mailward migrate qmail /var/qmail
  mailward migrate qmail /var/qmail/control --alias /home/alias
  mailward migrate qmail /var/qmail --apply --leave-out"
    )]
    Qmail {
        /// Directory with `control` in it (and `alias`), or the control directory itself
        directory: PathBuf,
        /// Home of the alias user, with .qmail-NAME files [usual: alias in or beside DIRECTORY]
        #[arg(long, value_name = "DIR")]
        alias: Option<PathBuf>,
        /// Make the rest if users are missing that aliases lead to
        #[arg(long, requires = "apply")]
        leave_out: bool,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Args)]
struct How {
    /// Make it so
    #[arg(long)]
    apply: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        match self.what {
            What::Tcprules { file, listener, how } => {
                let bytes = files::read(&file)?;
                let shown = print::tame(&file.display().to_string());
                let translated = translate(&bytes, Listeners::of(&listener))
                    .map_err(|error| Failure::Refused(format!("{shown}: {error}")))?;
                let count = translated.rules.len();
                let mut told = tcprules_told(&translated, &shown);
                if how.apply && count > 0 {
                    let rules = translated.rules.into_iter().map(|became| became.rule).collect();
                    let add =
                        Ask::Add { rules, comment: from(&file), place: RulePlace::Last, by: who_asks(), force: true };
                    rules::ask(&place.find()?, add)?;
                }
                told.applied = how.apply;
                told.print(how.json)
            }
            What::QmailScanner { file, how } => {
                let bytes = files::read(&file)?;
                let shown = print::tame(&file.display().to_string());
                let translated =
                    qmail_scanner::translate(&bytes).map_err(|error| Failure::Refused(format!("{shown}: {error}")))?;
                let mut told = qmail_scanner_told(&translated, &shown);
                if how.apply && !translated.rules.is_empty() {
                    let rules = translated.rules.into_iter().map(|became| became.rule).collect();
                    let ask = content::Ask::Add { rules, comment: from(&file), place: RulePlace::Last, by: who_asks() };
                    super::content::ask(&place.find()?, ask)?;
                }
                told.applied = how.apply;
                told.print(how.json)
            }
            What::Qmail { directory, alias, leave_out, how } => {
                let files = files::read_qmail(&directory, alias.as_deref())?;
                let plan = mailward_directory::qmail::plan(&files).map_err(|error| {
                    Failure::Refused(format!("{}: {error}", print::tame(&directory.display().to_string())))
                })?;
                let mut told = migrate::told(&plan);
                if how.apply {
                    told.notes = migrate::apply(&place.find()?, &plan, leave_out)?;
                    told.applied = true;
                }
                told.print(how.json)
            }
        }
    }
}

/// A comment that says where rules come from.
fn from(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    print::tame(&format!("from {name}")).chars().take(100).collect()
}

fn qmail_scanner_told(translated: &qmail_scanner::Translated, file: &str) -> Told {
    let became = translated.rules.iter().map(|became| ToldStep {
        file: file.to_owned(),
        line: became.line,
        what: "content rule",
        command: format!("mailward content add --last {}", quoted(&became.rule.to_string())),
    });
    let left = translated.left.iter().map(|left| ToldLeft {
        file: file.to_owned(),
        line: left.line,
        source: left.source.replace('\t', " "),
        why: left.why.clone(),
    });
    Told { became: became.collect(), left: left.collect(), ..Told::default() }
}

fn tcprules_told(translated: &Translated, file: &str) -> Told {
    let became = translated.rules.iter().map(|became| ToldStep {
        file: file.to_owned(),
        line: became.line,
        what: "rule",
        command: format!("mailward rules add {}", quoted(&became.rule.to_string())),
    });
    let left = translated.left.iter().map(|left| ToldLeft {
        file: file.to_owned(),
        line: left.line,
        source: left.source.clone(),
        why: left.why.clone(),
    });
    Told { became: became.collect(), left: left.collect(), ..Told::default() }
}

/// What is told of a migration.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) became: Vec<ToldStep>,
    pub(crate) left: Vec<ToldLeft>,
    /// Lines of the configuration.
    pub(crate) toml: Vec<String>,
    pub(crate) applied: bool,
    /// What was done otherwise than said.
    pub(crate) notes: Vec<String>,
}

/// What something becomes.
#[derive(Debug)]
pub(crate) struct ToldStep {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: &'static str,
    /// The command that makes it.
    pub(crate) command: String,
}

/// What becomes nothing.
#[derive(Debug)]
pub(crate) struct ToldLeft {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) source: String,
    pub(crate) why: String,
}

impl Told {
    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return print::json(&self.as_json());
        }
        let at = |file: &str, line: usize| match line {
            0 => print::tame(file),
            line => format!("{} {line}", print::tame(file)),
        };
        if !self.became.is_empty() {
            let rows: Vec<Vec<String>> =
                self.became.iter().map(|step| vec![at(&step.file, step.line), print::tame(&step.command)]).collect();
            print::table(&["FROM", if self.applied { "MADE" } else { "BECOMES" }], &rows)?;
        }
        if !self.toml.is_empty() {
            print::line("\nFor you to write into mailward.toml:\n")?;
            for line in &self.toml {
                print::line(print::tame(line))?;
            }
        }
        if !self.left.is_empty() {
            print::line("\nNo equal, or none needed:\n")?;
            for left in &self.left {
                let source =
                    if left.source.is_empty() { String::new() } else { format!(" {}", print::short(&left.source, 80)) };
                print::line(format!("{}:{source}\n    {}", at(&left.file, left.line), print::tame(&left.why)))?;
            }
        }
        for note in &self.notes {
            print::line(print::tame(note))?;
        }
        if !self.applied && !self.became.is_empty() {
            print::line("\nNothing was changed: --apply makes it so.")?;
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        let became = self
            .became
            .iter()
            .map(|step| json!({ "file": step.file, "line": step.line, "what": step.what, "command": step.command }));
        let left = self
            .left
            .iter()
            .map(|left| json!({ "file": left.file, "line": left.line, "source": left.source, "why": left.why }));
        json!({
            "became": became.collect::<Vec<_>>(),
            "left": left.collect::<Vec<_>>(),
            "toml": self.toml,
            "applied": self.applied,
            "notes": self.notes,
        })
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_means_to_a_shell_what_it_says() {
        assert_eq!(quoted("joe@example.org"), "joe@example.org");
        assert_eq!(quoted("any from <> refuse"), "'any from <> refuse'");
        assert_eq!(quoted("o'neill$(x)@example.org"), "'o'\\''neill$(x)@example.org'");
        assert_eq!(quoted(""), "''");
    }
}
