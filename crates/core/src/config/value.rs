//! Values of keys: what text may stand after the `=`, and how a value is written back.

use crate::address::Address;
use crate::config::{
    AlertMail, AmbiguousCare, ContentLine, DictionaryFile, FileCare, Grant, Lmtp, LogLevel, Never, Obeyed, Origin,
    RateIgnored, Webhook,
};
use crate::domain::Domain;
use crate::limits::{
    ALERT_ADDRESSES_MAX, ALERT_COMMAND_WORDS_MAX, BANS_NEVER_MAX, CONTENT_DICTIONARIES_MAX, CONTENT_FILE_MAX,
    DNS_SERVERS_MAX, INSIDE_NETWORKS_MAX, LISTEN_ADDRESSES_MAX, RATE_IGNORED_MAX, RULES_FILE_MAX, SENDMAIL_GRANTS_MAX,
};
use crate::network::Network;
use crate::rate::{RateLimits, RateMeasure, RateRule};
use crate::rule::Rule;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A value of the file, cut down to the kinds that keys use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Boolean(bool),
    Texts(Vec<&'a str>),
    /// Anything else, by the name of its kind.
    Other(&'static str),
}

/// Why a value can't stand, without the key and the line.
pub(super) type Refusal = String;

impl<'a> Value<'a> {
    fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Boolean(_) => "true or false",
            Value::Texts(_) => "a list of strings",
            Value::Other(kind) => kind,
        }
    }
    fn text(&self) -> Result<&'a str, Refusal> {
        match self {
            Value::Text(text) if text.chars().any(char::is_control) => {
                Err("a string here has no control characters".to_owned())
            }
            Value::Text(text) => Ok(text),
            other => Err(format!("must be a string in quotes, not {}", other.kind())),
        }
    }

    /// One string.
    pub(super) fn word(&self) -> Result<&'a str, Refusal> {
        self.text()
    }

    /// Addresses with domains: a list, one string, or `"none"`.
    pub(super) fn users(&self, most: usize) -> Result<Vec<Address>, Refusal> {
        self.each("strings such as [\"user@example.org\"]", most, |text| match Address::parse(text, false) {
            Ok(address) if address.domain().is_some() => Ok(address),
            _ => Err(format!("{text:?} is no address such as \"user@example.org\"")),
        })
    }

    pub(super) fn hostname(&self) -> Result<Option<Domain>, Refusal> {
        match self.text()? {
            "" => Ok(None),
            text => Domain::parse_utf8(text).map(Some).map_err(|e| e.to_string()),
        }
    }

    pub(super) fn path(&self) -> Result<PathBuf, Refusal> {
        match self.text()? {
            "" => Err("must name a file or directory".to_owned()),
            text => Ok(PathBuf::from(text)),
        }
    }

    /// A path, or the word that means none.
    pub(super) fn path_or(&self, none: &str) -> Result<Option<PathBuf>, Refusal> {
        match self.text()? {
            text if text == none => Ok(None),
            "" => Err(format!("must name a file, or be \"{none}\"")),
            text => Ok(Some(PathBuf::from(text))),
        }
    }

    /// An address with a domain, ASCII, or the word that means none.
    pub(super) fn address_or(&self, none: &str) -> Result<Option<Address>, Refusal> {
        let text = self.text()?;
        if text == none {
            return Ok(None);
        }
        match Address::parse(text, false) {
            Ok(address) if address.domain().is_some() => Ok(Some(address)),
            Ok(_) => Err("must have a domain".to_owned()),
            Err(error) => Err(format!("must be an address, or \"{none}\": {error}")),
        }
    }

    /// A name as useradd(8) takes it, or nothing.
    pub(super) fn user(&self) -> Result<String, Refusal> {
        let text = self.text()?;
        let first = text.chars().next().is_none_or(|c| c.is_ascii_lowercase() || c == '_');
        let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        if text.len() > 32 || !first || !rest {
            return Err("must be the name of a system user: small letters, digits, - and _, at most 32".to_owned());
        }
        Ok(text.to_owned())
    }

    pub(super) fn level(&self) -> Result<LogLevel, Refusal> {
        let text = self.text()?;
        LogLevel::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| "must be \"debug\", \"info\", \"warn\" or \"alert\"".to_owned())
    }

    /// What becomes of messages that can be read in two ways.
    pub(super) fn ambiguous_care(&self) -> Result<AmbiguousCare, Refusal> {
        let text = self.text()?;
        let care = AmbiguousCare::ALL.into_iter().find(|care| care.name() == text);
        care.ok_or_else(|| "must be \"quarantine\", \"mark\" or \"reject\"".to_owned())
    }

    /// Addresses with ports: a list, one string, or `"off"`.
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>, Refusal> {
        let texts = match self {
            Value::Text("off") => Vec::new(),
            Value::Text(_) => vec![self.text()?],
            Value::Texts(texts) => texts.clone(),
            other => {
                let kind = other.kind();
                return Err(format!(
                    "must be a list such as [\"127.0.0.1:2525\", \"[::1]:2525\"] or \"off\", not {kind}"
                ));
            }
        };
        if texts.len() > LISTEN_ADDRESSES_MAX {
            return Err(format!("has more than {LISTEN_ADDRESSES_MAX} addresses"));
        }
        let mut addresses: Vec<SocketAddr> = Vec::with_capacity(texts.len());
        for text in texts {
            let address = address(text)?;
            if addresses.contains(&address) {
                return Err(format!("{address} stands there twice"));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    /// Resolvers: a list, one string, or `"system"`. Without a port it is the DNS's.
    pub(super) fn servers(&self) -> Result<Vec<SocketAddr>, Refusal> {
        let texts = match self {
            Value::Text("system") => Vec::new(),
            Value::Text(_) => vec![self.text()?],
            Value::Texts(texts) => texts.clone(),
            other => {
                let kind = other.kind();
                return Err(format!("must be a list such as [\"127.0.0.1\", \"[::1]:53\"] or \"system\", not {kind}"));
            }
        };
        if texts.len() > DNS_SERVERS_MAX {
            return Err(format!("has more than {DNS_SERVERS_MAX} servers"));
        }
        let mut servers: Vec<SocketAddr> = Vec::with_capacity(texts.len());
        for text in texts {
            let server = match text.parse::<IpAddr>() {
                Ok(ip) => SocketAddr::new(ip, DNS_PORT),
                Err(_) if text.contains(':') => address(text)?,
                Err(_) => return Err(format!("{text:?} is not an IP address such as 127.0.0.1 or ::1")),
            };
            if servers.contains(&server) {
                return Err(format!("{server} stands there twice"));
            }
            servers.push(server);
        }
        Ok(servers)
    }

    /// Networks: a list, one string, or `"none"`.
    pub(super) fn networks(&self) -> Result<Vec<Network>, Refusal> {
        self.each("networks such as [\"192.0.2.0/24\"]", INSIDE_NETWORKS_MAX, |text| {
            Network::parse(text).map_err(|e| e.to_string())
        })
    }

    /// Address rules: a list, one string, or `"none"`.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, Refusal> {
        self.each("rules such as [\"192.0.2.0/24 refuse\"]", RULES_FILE_MAX, |text| {
            Rule::parse(text).map_err(|e| format!("in {text:?}: {e}"))
        })
    }

    /// What becomes of files of a kind.
    pub(super) fn file_care(&self) -> Result<FileCare, Refusal> {
        let text = self.text()?;
        let care = FileCare::ALL.into_iter().find(|care| care.name() == text);
        care.ok_or_else(|| "must be \"quarantine\", \"reject\", \"mark\" or \"deliver\"".to_owned())
    }

    /// Rules for what messages hold: a list, one string, or `"none"`.
    pub(super) fn content_lines(&self) -> Result<Vec<ContentLine>, Refusal> {
        self.each("rules such as [\"ext=mp4 larger=20MiB hold\"]", CONTENT_FILE_MAX, ContentLine::parse)
    }

    /// Dictionaries: a list, one string, or `"none"`.
    pub(super) fn dictionaries(&self) -> Result<Vec<DictionaryFile>, Refusal> {
        let form = "strings such as [\"projects=/etc/mailward/projects\"]";
        let files = self.each(form, CONTENT_DICTIONARIES_MAX, DictionaryFile::parse)?;
        let twice =
            files.iter().enumerate().find(|(at, file)| files.iter().take(*at).any(|other| other.name == file.name));
        match twice {
            Some((_, file)) => Err(format!("{:?} is the name of two", file.name)),
            None => Ok(files),
        }
    }

    /// What system users may send as: a list, one string, or `"none"`.
    pub(super) fn grants(&self) -> Result<Vec<Grant>, Refusal> {
        self.each("strings such as [\"www-data=shop@example.org\"]", SENDMAIL_GRANTS_MAX, Grant::parse)
    }

    /// Whom alerts reach by mail.
    pub(super) fn alert_mail(&self) -> Result<AlertMail, Refusal> {
        match self {
            Value::Text("off") => return Ok(AlertMail::Off),
            Value::Text("postmaster") => return Ok(AlertMail::Postmaster),
            _ => {}
        }
        let read = |text: &str| match Address::parse(text, false) {
            Ok(address) if address.domain().is_some() => Ok(address),
            Ok(_) => Err(format!("{text:?} must have a domain")),
            Err(error) => Err(format!("{text:?} must be an address: {error}")),
        };
        let all = self.each("addresses such as [\"admin@example.org\"], \"postmaster\"", ALERT_ADDRESSES_MAX, read)?;
        if all.is_empty() {
            return Err("must name somebody, or be \"off\"".to_owned());
        }
        Ok(AlertMail::To(all))
    }

    /// The same, on this host alone.
    pub(super) fn loopback_addresses(&self) -> Result<Vec<SocketAddr>, Refusal> {
        let addresses = self.addresses()?;
        match addresses.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
            Some(address) => {
                Err(format!("{address} isn't on loopback: pages go to other hosts under TLS, by listen.https"))
            }
            None => Ok(addresses),
        }
    }

    /// Where pages are found, or none.
    pub(super) fn origin(&self) -> Result<Option<Origin>, Refusal> {
        match self.text()? {
            "none" => Ok(None),
            text => Origin::parse(text).map(Some),
        }
    }

    /// A place that takes alerts, or none. It isn't repeated: it may be a secret.
    pub(super) fn webhook(&self) -> Result<Option<Webhook>, Refusal> {
        match self.text()? {
            "off" => Ok(None),
            text => Webhook::parse(text).map(Some),
        }
    }

    /// A program with its words, as they will be given to it.
    pub(super) fn command(&self) -> Result<Vec<String>, Refusal> {
        let words = match self {
            Value::Text("off") => return Ok(Vec::new()),
            Value::Texts(words) => words,
            other => return Err(format!("must be a list of a program and its words or \"off\", not {}", other.kind())),
        };
        if words.len() > ALERT_COMMAND_WORDS_MAX {
            return Err(format!("has more than {ALERT_COMMAND_WORDS_MAX} words"));
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err("a word can't have a NUL in it".to_owned());
        }
        match words.first() {
            Some(program) if Path::new(program).is_absolute() => {
                Ok(words.iter().map(|word| (*word).to_owned()).collect())
            }
            Some(program) => {
                Err(format!("{program:?} must be the whole path of a program, such as /usr/local/bin/page-me"))
            }
            None => Err("must name a program, or be \"off\"".to_owned()),
        }
    }

    /// Who is never banned: a list, one string, or `"none"`.
    pub(super) fn never(&self) -> Result<Vec<Never>, Refusal> {
        self.each("strings such as [\"192.0.2.0/24\", \"boss@example.org\"]", BANS_NEVER_MAX, Never::parse)
    }

    /// Steps of the rate guard: a list, one string, or `"none"`.
    pub(super) fn rates(&self) -> Result<RateLimits, Refusal> {
        let form = "strings such as [\"messages warn 300/h, block 1000/h, alarm 5000/h\"]";
        RateLimits::from_rules(&self.each(form, RateMeasure::ALL.len(), RateRule::parse)?)
    }

    /// What the rate guard doesn't count: a list, one string, or `"none"`.
    pub(super) fn rates_ignored(&self) -> Result<Vec<RateIgnored>, Refusal> {
        self.each("strings such as [\"example.org\"]", RATE_IGNORED_MAX, RateIgnored::parse)
    }

    /// A list of things that are written as strings, each once.
    pub(super) fn each<T: PartialEq + std::fmt::Display>(
        &self,
        what: &str,
        most: usize,
        read: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let texts = match self {
            Value::Text("none") => Vec::new(),
            Value::Text(_) => vec![self.text()?],
            Value::Texts(texts) => texts.clone(),
            other => return Err(format!("must be a list of {what} or \"none\", not {}", other.kind())),
        };
        if texts.len() > most {
            return Err(format!("has more than {most} entries"));
        }
        let mut all: Vec<T> = Vec::with_capacity(texts.len());
        for text in texts {
            let one = read(text)?;
            if all.contains(&one) {
                return Err(format!("{one} stands there twice"));
            }
            all.push(one);
        }
        Ok(all)
    }

    /// How a domain's policy is obeyed, one of these.
    pub(super) fn obeyed(&self, ways: &[Obeyed]) -> Result<Obeyed, Refusal> {
        let text = self.text()?;
        Obeyed::parse(text).filter(|way| ways.contains(way)).ok_or_else(|| {
            let names: Vec<String> = ways.iter().map(|way| quoted(way.name())).collect();
            format!("must be one of {}", names.join(", "))
        })
    }

    /// Yes or no.
    pub(super) fn boolean(&self) -> Result<bool, Refusal> {
        match self {
            Value::Boolean(value) => Ok(*value),
            other => Err(format!("must be true or false without quotes, not {}", other.kind())),
        }
    }

    /// A count within a range.
    pub(super) fn count(&self, least: usize, most: usize) -> Result<usize, Refusal> {
        let Value::Integer(number) = self else {
            return Err(format!("must be an integer without quotes, not {}", self.kind()));
        };
        usize::try_from(*number)
            .ok()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| format!("must be {least} to {most}"))
    }

    /// Bytes: an integer, or a string with a unit (`"50 MiB"`).
    pub(super) fn size(&self, least: u64, most: u64) -> Result<u64, Refusal> {
        let bytes = match self {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(text) => Some(parse_size(text).ok_or_else(|| {
                format!("must be a number with a unit (B, KiB, MiB, GiB) such as \"{}\"", write_size(most))
            })?),
            other => return Err(format!("must be a string such as \"50 MiB\", not {}", other.kind())),
        };
        bytes
            .filter(|b| (least..=most).contains(b))
            .ok_or_else(|| format!("must be {} to {}", write_size(least), write_size(most)))
    }
}

fn address(text: &str) -> Result<SocketAddr, Refusal> {
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("{text:?} has no port: write {text}:PORT"))?;
    let ip = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(v6) => v6.parse().map(IpAddr::V6).ok(),
        None => host.parse().map(IpAddr::V4).ok(),
    };
    let Some(ip) = ip else {
        return Err(format!("{host:?} is not an IP address such as 127.0.0.1 or [::1]"));
    };
    // `parse` would take "+25".
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok(SocketAddr::new(ip, number)),
        _ => Err("port must be 1 to 65535".to_owned()),
    }
}

/// Where DNS servers listen (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// Units of sizes, the largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a size as the file and the command line write it: `50 MiB`, `50MiB`, `52428800`. `None` if it is none, or
/// over 64 bits.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Some(number);
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

/// Bytes in the largest unit that needs no fraction.
pub(super) fn write_size(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    match unit {
        Some((name, factor)) => format!("{} {name}", bytes.checked_div(*factor).unwrap_or(bytes)),
        None => format!("{bytes} B"),
    }
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

pub(super) fn quoted_addresses(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return quoted("off");
    }
    let texts: Vec<String> = addresses.iter().map(|a| quoted(&a.to_string())).collect();
    format!("[{}]", texts.join(", "))
}

/// A list of strings; `"none"` if it is empty.
pub(super) fn quoted_texts<T: std::fmt::Display>(all: &[T]) -> String {
    if all.is_empty() {
        return quoted("none");
    }
    let texts: Vec<String> = all.iter().map(|one| quoted(&one.to_string())).collect();
    format!("[{}]", texts.join(", "))
}

pub(super) fn quoted_servers(servers: &[SocketAddr]) -> String {
    if servers.is_empty() { quoted("system") } else { quoted_addresses(servers) }
}

pub(super) fn quoted_socket(lmtp: &Lmtp) -> String {
    lmtp.socket.as_ref().map_or_else(|| quoted("off"), |p| quoted_path(p))
}
