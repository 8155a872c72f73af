//! Milters, one a line: `rspamd tcp:127.0.0.1:11332 timeout=60 default=tempfail`.

use crate::limits::{
    MILTER_COMMAND_TIME, MILTER_CONNECT_TIME, MILTER_END_TIME, MILTER_LINE_MAX, MILTER_MACROS_MAX, MILTER_NAME_MAX,
    MILTER_SOCKET_PATH_MAX, MILTER_SYMBOL_MAX, MILTER_TIME_CONFIG_MAX,
};
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Milters that are asked about messages, each list in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Milters {
    /// About mail from other servers.
    pub smtp: Vec<MilterLine>,
    /// About mail that users and programs hand in.
    pub submission: Vec<MilterLine>,
    /// About mail that mail servers of this host deliver by LMTP.
    pub lmtp: Vec<MilterLine>,
}

/// One milter, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MilterLine {
    /// What log and verdicts call it: letters, digits, `-`, `_` and `.`, at most `limits::MILTER_NAME_MAX` bytes.
    pub name: String,
    /// Where it listens.
    pub place: MilterPlace,
    /// Wait for a connection and its terms, whole seconds.
    pub connect: Duration,
    /// Wait for an answer to a command, whole seconds.
    pub command: Duration,
    /// Wait for the verdict once it has the whole message, whole seconds.
    pub timeout: Duration,
    /// What holds if it can't be asked.
    pub default: MilterDefault,
    /// Whether its connections serve one session after the other.
    pub reuse: bool,
    /// Macros whose values are these, whatever is known: names as the protocol has them, `j` or `{daemon_name}`. At most
    /// `limits::MILTER_MACROS_MAX`, each once.
    pub macros: Vec<(String, String)>,
}

/// Where a milter listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MilterPlace {
    /// A Unix socket, by its absolute path.
    Unix(PathBuf),
    /// A port of a host.
    Tcp {
        /// An address, or a name that this host knows.
        host: String,
        /// The port, never 0.
        port: u16,
        /// Which of the name's addresses are tried.
        family: MilterFamily,
    },
}

/// Which addresses of a host are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MilterFamily {
    /// All of them: `tcp:host:port`.
    Any,
    /// IPv4: `inet:port@host`.
    V4,
    /// IPv6: `inet6:port@host`.
    V6,
}

/// What holds where a milter can't be asked: it isn't there, is silent, or talks nonsense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MilterDefault {
    /// What it would be asked about isn't taken now.
    #[default]
    Tempfail,
    /// It is passed over.
    Accept,
    /// What it would be asked about isn't taken.
    Reject,
}

impl MilterDefault {
    /// As a line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tempfail => "tempfail",
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

impl MilterLine {
    /// One with nothing but a name and a place: all else by default.
    #[must_use]
    pub fn new(name: impl Into<String>, place: MilterPlace) -> Self {
        Self {
            name: name.into(),
            place,
            connect: MILTER_CONNECT_TIME,
            command: MILTER_COMMAND_TIME,
            timeout: MILTER_END_TIME,
            default: MilterDefault::default(),
            reuse: false,
            macros: Vec::new(),
        }
    }

    /// Reads one line: name and address, and behind them `default=tempfail|accept|reject`, `timeout=`, `command=` and
    /// `connect=` in seconds, `reuse`, and macros such as `{daemon_name}=ORIGINATING`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MILTER_LINE_MAX {
            return Err(format!("a line of over {MILTER_LINE_MAX} bytes is no milter"));
        }
        let wrong = |why: &str| format!("{text:?}: {why}");
        let mut words = text.split_ascii_whitespace();
        let (Some(name), Some(place)) = (words.next(), words.next()) else {
            return Err(wrong("write name and address, such as \"rspamd tcp:127.0.0.1:11332\""));
        };
        if name.len() > MILTER_NAME_MAX
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        {
            return Err(wrong(&format!("the name is letters, digits, -, _ and ., at most {MILTER_NAME_MAX}")));
        }
        let mut line = Self::new(name, MilterPlace::parse(place).map_err(|why| wrong(&why))?);
        for word in words {
            line.word(word).map_err(|why| wrong(&why))?;
        }
        Ok(line)
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if word == "reuse" {
            self.reuse = true;
            return Ok(());
        }
        let form = "write default=, timeout=, command=, connect=, reuse, or a macro such as {daemon_name}=MTA";
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word:?}: {form}"))?;
        match key {
            "default" => {
                let all = [MilterDefault::Tempfail, MilterDefault::Accept, MilterDefault::Reject];
                let found = all.into_iter().find(|default| default.name() == value);
                self.default = found.ok_or("default= takes tempfail, accept or reject")?;
            }
            "timeout" => self.timeout = seconds(key, value)?,
            "command" => self.command = seconds(key, value)?,
            "connect" => self.connect = seconds(key, value)?,
            _ if is_symbol(key) => {
                if self.macros.iter().any(|(name, _)| name == key) {
                    return Err(format!("the macro {key} is given twice"));
                }
                if self.macros.len() >= MILTER_MACROS_MAX {
                    return Err(format!("a line has at most {MILTER_MACROS_MAX} macros"));
                }
                if !value.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(format!("the value of {key} is printable ASCII without blanks"));
                }
                self.macros.push((key.to_owned(), value.to_owned()));
            }
            _ => return Err(format!("{word:?}: {form}")),
        }
        Ok(())
    }
}

/// Whether this names a macro as the protocol does: one letter, `_`, or a name in braces.
fn is_symbol(text: &str) -> bool {
    match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => {
            (1..=MILTER_SYMBOL_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        }
        None => text.len() == 1 && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_'),
    }
}

fn seconds(key: &str, value: &str) -> Result<Duration, String> {
    let plain = value.bytes().all(|b| b.is_ascii_digit());
    let seconds = value.parse().ok().filter(|seconds| plain && (1..=MILTER_TIME_CONFIG_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{key}= takes 1 to {MILTER_TIME_CONFIG_MAX} seconds"))
}

impl MilterPlace {
    fn parse(text: &str) -> Result<Self, String> {
        let form =
            || format!("{text:?} is no address: write unix:/path, tcp:host:port, inet:port@host or inet6:port@host");
        let (kind, rest) = text.split_once(':').ok_or_else(form)?;
        match kind {
            "unix" | "local" => {
                let path = Path::new(rest);
                if !path.is_absolute() || rest.len() > MILTER_SOCKET_PATH_MAX || rest.chars().any(char::is_control) {
                    return Err(format!(
                        "the path of a socket begins with / and has at most {MILTER_SOCKET_PATH_MAX} bytes"
                    ));
                }
                Ok(Self::Unix(path.to_owned()))
            }
            "tcp" => {
                let (host, port) = rest.rsplit_once(':').ok_or_else(form)?;
                Self::tcp(host, port, MilterFamily::Any).ok_or_else(form)
            }
            "inet" | "inet6" => {
                let family = if kind == "inet" { MilterFamily::V4 } else { MilterFamily::V6 };
                let (port, host) = rest.split_once('@').ok_or_else(form)?;
                Self::tcp(host, port, family).ok_or_else(form)
            }
            _ => Err(form()),
        }
    }

    fn tcp(host: &str, port: &str, family: MilterFamily) -> Option<Self> {
        let port = port.parse().ok().filter(|number| *number > 0 && port.bytes().all(|b| b.is_ascii_digit()))?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = bracketed.unwrap_or(host);
        let host = match bare.parse::<IpAddr>() {
            // In `tcp:` the colons of an address would be taken for the port's.
            Ok(IpAddr::V6(ip)) if family != MilterFamily::V4 && (bracketed.is_some() || family == MilterFamily::V6) => {
                ip.to_string()
            }
            Ok(IpAddr::V4(ip)) if family != MilterFamily::V6 && bracketed.is_none() => ip.to_string(),
            Ok(_) => return None,
            Err(_) => {
                let named = bracketed.is_none()
                    && (1..=253).contains(&bare.len())
                    && bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
                    && bare.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
                    && bare.bytes().any(|b| b.is_ascii_alphabetic());
                named.then(|| bare.to_ascii_lowercase())?
            }
        };
        Some(Self::Tcp { host, port, family })
    }
}

impl fmt::Display for MilterPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port, family: MilterFamily::Any } if host.contains(':') => {
                write!(f, "tcp:[{host}]:{port}")
            }
            Self::Tcp { host, port, family: MilterFamily::Any } => write!(f, "tcp:{host}:{port}"),
            Self::Tcp { host, port, family: MilterFamily::V4 } => write!(f, "inet:{port}@{host}"),
            Self::Tcp { host, port, family: MilterFamily::V6 } => write!(f, "inet6:{port}@{host}"),
        }
    }
}

impl fmt::Display for MilterLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.place)?;
        if self.default != MilterDefault::default() {
            write!(f, " default={}", self.default.name())?;
        }
        let times = [
            ("timeout", self.timeout, MILTER_END_TIME),
            ("command", self.command, MILTER_COMMAND_TIME),
            ("connect", self.connect, MILTER_CONNECT_TIME),
        ];
        for (key, time, default) in times {
            if time != default {
                write!(f, " {key}={}", time.as_secs())?;
            }
        }
        if self.reuse {
            f.write_str(" reuse")?;
        }
        self.macros.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl Serialize for MilterLine {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_read_and_written() {
        for text in [
            "rspamd tcp:127.0.0.1:11332",
            "rspamd tcp:[::1]:11332",
            "clamav unix:/run/clamav/milter.sock default=accept",
            "opendkim inet:8891@localhost default=reject timeout=60 command=5 connect=1 reuse {daemon_name}=ORIGINATING j=a",
            "six inet6:8891@2001:db8::1",
        ] {
            assert_eq!(MilterLine::parse(text).unwrap().to_string(), text);
        }
        let same = [
            (" a   local:/run/a.sock  default=tempfail", "a unix:/run/a.sock"),
            ("a inet:8891@LocalHost timeout=120", "a inet:8891@localhost"),
            ("a inet6:8891@[::1]", "a inet6:8891@::1"),
        ];
        for (text, written) in same {
            assert_eq!(MilterLine::parse(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (text, part) in [
            ("", "name and address"),
            ("rspamd", "name and address"),
            ("rs/pamd unix:/a", "letters, digits"),
            ("a /run/a.sock", "is no address"),
            ("a unix:run/a.sock", "begins with /"),
            ("a pipe:/a", "is no address"),
            ("a tcp:127.0.0.1", "is no address"),
            ("a tcp:127.0.0.1:0", "is no address"),
            ("a tcp:127.0.0.1:65536", "is no address"),
            ("a tcp:127.0.0.1:+5", "is no address"),
            ("a tcp:::1:5", "is no address"),
            ("a tcp:[127.0.0.1]:5", "is no address"),
            ("a tcp:1.2.3:5", "is no address"),
            ("a inet:5@::1", "is no address"),
            ("a inet6:5@127.0.0.1", "is no address"),
            ("a inet:5", "is no address"),
            ("a unix:/a default=maybe", "tempfail, accept or reject"),
            ("a unix:/a timeout=0", "1 to 300"),
            ("a unix:/a timeout=301", "1 to 300"),
            ("a unix:/a command=+3", "1 to 300"),
            ("a unix:/a keep", "write default="),
            ("a unix:/a {}=b", "write default="),
            ("a unix:/a jj=b", "write default="),
            ("a unix:/a j=b j=c", "given twice"),
            ("a unix:/a j=\u{e9}", "printable ASCII"),
        ] {
            let error = MilterLine::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn lines_end_at_their_limits() {
        let line = |length: usize| format!("a unix:/a{}", " ".repeat(length - 9));
        assert!(MilterLine::parse(&line(MILTER_LINE_MAX)).is_ok());
        assert!(MilterLine::parse(&line(MILTER_LINE_MAX + 1)).unwrap_err().contains("over 1024 bytes"));
        let name = |length: usize| format!("{} unix:/a", "a".repeat(length));
        assert!(MilterLine::parse(&name(MILTER_NAME_MAX)).is_ok());
        assert!(MilterLine::parse(&name(MILTER_NAME_MAX + 1)).unwrap_err().contains("at most 32"));
        let path = |length: usize| format!("a unix:/{}", "a".repeat(length - 1));
        assert!(MilterLine::parse(&path(MILTER_SOCKET_PATH_MAX)).is_ok());
        assert!(MilterLine::parse(&path(MILTER_SOCKET_PATH_MAX + 1)).unwrap_err().contains("at most 107"));
        let macros = |count: usize| {
            let all: Vec<_> = (0..count).map(|n| format!("{{m{n}}}=v")).collect();
            format!("a unix:/a {}", all.join(" "))
        };
        assert!(MilterLine::parse(&macros(MILTER_MACROS_MAX)).is_ok());
        assert!(MilterLine::parse(&macros(MILTER_MACROS_MAX + 1)).unwrap_err().contains("at most 16 macros"));
        let symbol = |length: usize| format!("a unix:/a {{{}}}=v", "m".repeat(length));
        assert!(MilterLine::parse(&symbol(MILTER_SYMBOL_MAX)).is_ok());
        assert!(MilterLine::parse(&symbol(MILTER_SYMBOL_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn a_line_that_stands_is_the_same_when_read_again(
            text in "[a-z.]{1,4} (unix:/|tcp:|inet6?:)[a-z0-9.:@\\[\\]/-]{1,24}( (default=(accept|reject)|timeout=[0-9]{1,3}|reuse|\\{[a-z_]{0,3}\\}=[!-~]{0,4}|[a-z_]=[a-z=]{0,3})){0,3}",
        ) {
            if let Ok(line) = MilterLine::parse(&text) {
                prop_assert_eq!(MilterLine::parse(&line.to_string()), Ok(line));
            }
        }

        #[test]
        fn no_text_is_more_than_refused(text in ".{0,1100}") {
            let _either = MilterLine::parse(&text);
        }
    }
}
