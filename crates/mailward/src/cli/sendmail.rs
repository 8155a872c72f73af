//! `mailward sendmail`, and the same by the names `sendmail`, `mailq` and `newaliases`.

use crate::failure::Failure;
use crate::place::Where;
use crate::sendmail::{self, args};
use clap::Args;
use std::ffi::OsString;

/// Send a message from standard input, as programs do that call `sendmail`
#[derive(Debug, Args)]
#[command(
    after_help = "Options are those of sendmail(8): -t (recipients from the header), -i (a lone dot ends nothing), -f
ADDR (sender), -F NAME, -bs (SMTP on standard input), -bp (the queue), -N, -R, -V (what to hear of
it), -v, --. Users send as themselves at this host, and as what sendmail.users grants them. While
the server is down, mail waits in its spool. docs/sendmail.md has the exit codes and how to link
/usr/sbin/sendmail.

Examples:
  echo 'Disk is full' | mailward sendmail root
  mailward sendmail -t -i < message.eml
  ln -s /usr/local/bin/mailward /usr/sbin/sendmail"
)]
pub(crate) struct Sendmail {
    /// Options and recipients
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION|ADDRESS")]
    words: Vec<OsString>,
}

impl Sendmail {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        sendmail::run(args::parse("sendmail", &self.words)?, place)
    }
}

/// The other names of this program, by which it is `sendmail`.
pub(crate) fn is_name(called: &str) -> bool {
    matches!(called, "sendmail" | "mailq" | "newaliases")
}

/// Called by one of them: every word is sendmail's, so that what programs pass on of strangers names no other server.
pub(crate) fn called(name: &str, words: &[OsString]) -> Result<(), Failure> {
    sendmail::run(args::parse(name, words)?, &Where::default())
}
