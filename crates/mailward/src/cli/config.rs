//! `mailward config`: look at the configuration.

use crate::compose::checks;
use crate::failure::Failure;
use crate::place::Where;
use crate::print;
use clap::{Args, Subcommand};
use mailward_core::config::{Config, KEYS};

/// Check, show or explain the configuration
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward config check --config ./mailward.toml
  mailward config show
  mailward config reference | less")]
pub(crate) struct ConfigVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell everything that is wrong with it, each with its line
    #[command(after_help = "Examples:
  mailward config check
  mailward config check --config /tmp/new.toml && mailward reload")]
    Check,
    /// Print what is in force: every key with its value
    #[command(after_help = "Examples:
  mailward config show
  mailward config show --json")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the reference of every key, or a commented file
    #[command(after_help = "Examples:
  mailward config reference
  mailward config reference --file > mailward.toml")]
    Reference {
        /// Print a configuration file with every key, its comment and its default instead
        #[arg(long)]
        file: bool,
    },
}

impl ConfigVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        match self.what {
            What::Check => {
                let place = place.find()?;
                checks::before_serving(&place)?;
                checks::notes(&place.loaded).into_iter().for_each(print::note);
                print::line(format!("{} is right", place.loaded.file))
            }
            What::Show { json: true } => print::json(place.find()?.config()),
            What::Show { json: false } => {
                let place = place.find()?;
                print::line(format!("# {}", place.loaded.file))?;
                for key in KEYS.iter() {
                    let source = match place.loaded.line(key.path) {
                        Some(line) => format!("line {line}"),
                        None => "default".to_owned(),
                    };
                    print::line(format!("{} = {}  # {source}", key.path, key.value(place.config())))?;
                }
                Ok(())
            }
            What::Reference { file: false } => print::text(&Config::reference()),
            What::Reference { file: true } => print::text(&Config::default().commented()),
        }
    }
}
