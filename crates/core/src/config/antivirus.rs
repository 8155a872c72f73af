//! Virus scanners of others, one a line: `clamd unix:/run/clamav/clamd.ctl`, `icap icap://127.0.0.1:1344/avscan`,
//! `command infected=1 /usr/bin/scanner --stdin`.

use crate::limits::{ANTIVIRUS_LINE_MAX, ANTIVIRUS_SIGNATURES_HOURS, ANTIVIRUS_WORDS_MAX, RESCAN_HOUR};
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Virus scanners that are asked, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Antivirus {
    /// All of them are asked of each message, at the same time. None: none is asked.
    pub engines: Vec<EngineLine>,
    /// What is done with a message that one of them finds something in.
    pub action: OnVirus,
    /// What is done with a message that none of them could look at.
    pub when_down: WhenDown,
    /// Hours after which signatures are old.
    pub signatures_age: u64,
    /// How often stored mail is looked at again.
    pub rescan: RescanEvery,
    /// At which hour of the day, 0 to 23, UTC.
    pub rescan_hour: u8,
}

impl Default for Antivirus {
    fn default() -> Self {
        Self {
            engines: Vec::new(),
            action: OnVirus::Reject,
            when_down: WhenDown::Defer,
            signatures_age: ANTIVIRUS_SIGNATURES_HOURS,
            rescan: RescanEvery::default(),
            rescan_hour: RESCAN_HOUR,
        }
    }
}

/// What is done with a virus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnVirus {
    /// The message isn't taken.
    #[default]
    Reject,
    /// It is kept where its recipients don't see it.
    Quarantine,
}

impl OnVirus {
    /// Both, with their names.
    pub const NAMES: [(&str, Self); 2] = [("reject", Self::Reject), ("quarantine", Self::Quarantine)];
}

/// What is done while no engine answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenDown {
    /// Mail is refused for now; whoever sends it tries again.
    #[default]
    Defer,
    /// Mail is taken, and says that no virus scanner saw it.
    DeliverWithMark,
}

impl WhenDown {
    /// Both, with their names.
    pub const NAMES: [(&str, Self); 2] = [("defer", Self::Defer), ("deliver-with-mark", Self::DeliverWithMark)];
}

/// How often stored mail is looked at again, while there is an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RescanEvery {
    /// Only when an administrator says so.
    Never,
    /// Once a week what came in the last `limits::RESCAN_WEEKLY_DAYS`.
    #[default]
    Weekly,
    /// Once a month all of it.
    Monthly,
}

impl RescanEvery {
    /// All of them, with their names.
    pub const NAMES: [(&str, Self); 3] = [("never", Self::Never), ("weekly", Self::Weekly), ("monthly", Self::Monthly)];
}

/// One virus scanner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineLine {
    /// ClamAV's daemon, or one that speaks its protocol.
    Clamd(EnginePlace),
    /// One that speaks ICAP (RFC 3507): where, and the path of its service with the `/` that it begins with.
    Icap {
        /// Where it listens.
        at: SocketAddr,
        /// Path, and a query if it has one.
        service: String,
    },
    /// A program that reads the message from its standard input and tells by its exit code.
    Command {
        /// Exit codes of a message with nothing in it.
        clean: Vec<u8>,
        /// Exit codes of a message with something in it. Any other one says that it failed.
        infected: Vec<u8>,
        /// The program, an absolute path, and its words.
        words: Vec<String>,
    },
}

/// Where `clamd` listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnginePlace {
    /// An absolute path.
    Unix(PathBuf),
    /// An address of this host.
    Tcp(SocketAddr),
}

/// The port of ICAP (RFC 3507 §4.2).
const ICAP_PORT: u16 = 1344;

impl EngineLine {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > ANTIVIRUS_LINE_MAX || text.chars().any(char::is_control) {
            return Err(format!(
                "an engine is a line of at most {ANTIVIRUS_LINE_MAX} bytes, without control characters"
            ));
        }
        let (kind, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        match kind {
            "clamd" => EnginePlace::parse(rest).map(Self::Clamd),
            "icap" => icap(rest),
            "command" => command(rest),
            _ => Err(format!(
                "{text:?}: an engine begins with clamd, icap or command, such as \"clamd unix:/run/clamav/clamd.ctl\""
            )),
        }
    }
}

impl EnginePlace {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or_default();
        match kind {
            "unix" if Path::new(rest).is_absolute() && !rest.contains(' ') => Ok(Self::Unix(rest.into())),
            "tcp" => of_this_host(rest).map(Self::Tcp),
            _ => Err(format!("{text:?}: write where clamd listens, unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310")),
        }
    }
}

/// Mail goes to no other host in clear text.
fn of_this_host(text: &str) -> Result<SocketAddr, String> {
    let at: SocketAddr = text.parse().map_err(|_| format!("{text:?} is no IP address with a port"))?;
    if !at.ip().is_loopback() || at.port() == 0 {
        return Err(format!(
            "{text}: mail goes to no other host unencrypted; lead a tunnel there, and name its end at 127.0.0.1"
        ));
    }
    Ok(at)
}

fn icap(text: &str) -> Result<EngineLine, String> {
    let wrong = || format!("{text:?}: write the service's address, such as icap://127.0.0.1:1344/avscan");
    let rest = text.strip_prefix("icap://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
    let with_port = host.parse::<SocketAddr>().map_or_else(|_| format!("{host}:{ICAP_PORT}"), |_| host.to_owned());
    let at = of_this_host(&with_port)?;
    if path.is_empty() || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(wrong());
    }
    Ok(EngineLine::Icap { at, service: format!("/{path}") })
}

fn command(text: &str) -> Result<EngineLine, String> {
    let (mut clean, mut infected, mut words) = (None, None, Vec::new());
    for word in text.split_ascii_whitespace() {
        match word.split_once('=').filter(|_| words.is_empty()) {
            Some(("clean", list)) => clean = Some(codes(list)?),
            Some(("infected", list)) => infected = Some(codes(list)?),
            _ => words.push(word.to_owned()),
        }
    }
    let program = words.first().is_some_and(|program| Path::new(program).is_absolute());
    if !program || words.len() > ANTIVIRUS_WORDS_MAX {
        return Err(format!(
            "{text:?}: write the program's whole path and at most {ANTIVIRUS_WORDS_MAX} words, such as \"/usr/bin/scanner --stdin\""
        ));
    }
    // What scanners have in common, clamscan among them.
    let (clean, infected) = (clean.unwrap_or_else(|| vec![0]), infected.unwrap_or_else(|| vec![1]));
    if clean.iter().any(|code| infected.contains(code)) {
        return Err(format!("{text:?}: an exit code can't mean clean and infected"));
    }
    Ok(EngineLine::Command { clean, infected, words })
}

/// Exit codes with commas between.
fn codes(text: &str) -> Result<Vec<u8>, String> {
    let read: Result<Vec<u8>, _> = text.split(',').map(str::parse).collect();
    read.ok().filter(|codes| codes.len() <= 256).ok_or_else(|| format!("{text:?} is no list of exit codes such as 1,2"))
}

impl fmt::Display for EnginePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(at) => write!(f, "tcp:{at}"),
        }
    }
}

/// As it is written in the file.
impl fmt::Display for EngineLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clamd(place) => write!(f, "clamd {place}"),
            Self::Icap { at, service } => write!(f, "icap icap://{at}{service}"),
            Self::Command { clean, infected, words } => {
                let list = |codes: &[u8]| codes.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
                write!(f, "command clean={} infected={} {}", list(clean), list(infected), words.join(" "))
            }
        }
    }
}

impl Serialize for EngineLine {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn engines_are_read_as_they_are_written() {
        for line in [
            "clamd unix:/run/clamav/clamd.ctl",
            "clamd tcp:127.0.0.1:3310",
            "clamd tcp:[::1]:3310",
            "icap icap://127.0.0.1:1344/avscan",
            "icap icap://[::1]:1344/srv_clamav?allow204=on",
            "command clean=0 infected=1,2 /usr/bin/scanner --stdin -",
        ] {
            assert_eq!(EngineLine::parse(line).unwrap().to_string(), line);
        }
        let known = EngineLine::parse("command /usr/bin/clamscan -").unwrap();
        assert_eq!(known.to_string(), "command clean=0 infected=1 /usr/bin/clamscan -");
        assert_eq!(EngineLine::parse("icap icap://127.0.0.1/av").unwrap().to_string(), "icap icap://127.0.0.1:1344/av");
    }

    #[test]
    fn what_is_no_engine_is_refused_with_what_to_write() {
        for (line, why) in [
            ("", "begins with clamd"),
            ("clamav unix:/a", "begins with clamd"),
            ("clamd", "where clamd listens"),
            ("clamd unix:clamd.ctl", "where clamd listens"),
            ("clamd tcp:localhost:3310", "no IP address"),
            ("clamd tcp:127.0.0.1:0", "no other host"),
            ("icap http://127.0.0.1/av", "icap://"),
            ("icap icap://127.0.0.1", "icap://"),
            ("icap icap://127.0.0.1/", "icap://"),
            ("icap icap://127.0.0.1/a b", "icap://"),
            ("command scanner", "whole path"),
            ("command clean=0", "whole path"),
            ("command infected=0 /bin/x", "can't mean"),
            ("command infected=256 /bin/x", "exit codes"),
            ("clamd unix:/a\r\nb", "control characters"),
        ] {
            let refused = EngineLine::parse(line).unwrap_err();
            assert!(refused.contains(why), "{line:?}: {refused}");
        }
        let long = format!("command /bin/x {}", "y".repeat(ANTIVIRUS_LINE_MAX));
        assert!(EngineLine::parse(&long).is_err());
        let words = "command /bin/x ".to_owned() + &"y ".repeat(ANTIVIRUS_WORDS_MAX);
        assert!(EngineLine::parse(&words).is_err());
    }

    /// What never bends: no mail of a user in clear text to another host.
    #[test]
    fn mail_goes_to_no_other_host_in_clear_text() {
        for line in ["clamd tcp:192.0.2.1:3310", "icap icap://10.0.0.1:1344/av", "clamd tcp:[2001:db8::1]:3310"] {
            assert!(EngineLine::parse(line).unwrap_err().contains("unencrypted"), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused_and_what_is_read_is_written_alike(
            line in "(clamd|icap|command)? ?(unix:|tcp:|icap://)?[ -~]{0,40}"
        ) {
            if let Ok(engine) = EngineLine::parse(&line) {
                prop_assert_eq!(EngineLine::parse(&engine.to_string()), Ok(engine));
            }
        }
    }
}
