//! An account elsewhere: where it is, how it is visited, and who gets its mail.

use mailward_core::limits::{
    FETCH_AUTHORITY_MAX, FETCH_EVERY_DEFAULT, FETCH_EVERY_MAX, FETCH_EVERY_MIN, FETCH_FIELD_MAX, FETCH_NAME_MAX,
};
use mailward_core::{Address, Domain};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// What an account elsewhere is called here: 1 to `limits::FETCH_NAME_MAX` small letters, digits, `.`, `_`, `-` and `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// What can't be, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// See [`Name`].
    #[error("a name has 1 to {FETCH_NAME_MAX} small letters, digits, \".\", \"_\", \"-\" or \"@\"")]
    Name,
    /// See [`Server`].
    #[error("{0:?} is no server: write a domain (mail.example.net) or an address (192.0.2.1)")]
    Server(String),
    /// Port 0.
    #[error("a port is 1 to 65535")]
    Port,
    /// A field that is empty, too long, or has characters that can't be.
    #[error("{0} must have 1 to {FETCH_FIELD_MAX} bytes, without control characters{1}")]
    Field(&'static str, &'static str),
    /// How often.
    #[error("visits are {FETCH_EVERY_MIN} to {FETCH_EVERY_MAX} minutes apart")]
    Every,
    /// Certificates of authorities that aren't.
    #[error("the authorities' certificates: {0}")]
    Authority(String),
    /// An address whose mail doesn't stay here.
    #[error("{0}: {1}: fetched mail goes to users here, and never elsewhere")]
    Recipient(Address, String),
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// [`SettingsError::Name`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'@');
        if text.is_empty() || text.len() > FETCH_NAME_MAX || !text.bytes().all(good) {
            return Err(SettingsError::Name);
        }
        Ok(Self(text.to_owned()))
    }
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = SettingsError;
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Name {
    type Error = SettingsError;
    fn try_from(text: String) -> Result<Self, SettingsError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server by its name, or by its address. Its certificate must be for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Server {
    /// Looked up in the DNS.
    Named(Domain),
    /// Connected to as it is.
    Address(IpAddr),
}

impl std::str::FromStr for Server {
    type Err = SettingsError;
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        Domain::parse(text).map(Self::Named).map_err(|_| SettingsError::Server(text.chars().take(100).collect()))
    }
}

impl TryFrom<String> for Server {
    type Error = SettingsError;
    fn try_from(text: String) -> Result<Self, SettingsError> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.to_string()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(domain) => domain.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 1939.
    Pop3,
    /// RFC 3501 or RFC 9051.
    Imap,
}

impl Protocol {
    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pop3 => "POP3",
            Self::Imap => "IMAP",
        }
    }
}

/// When TLS begins. There is no way without it: no setting sends a password or fetches mail in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// With the first byte (RFC 8314 §3).
    #[default]
    Tls,
    /// After STLS or STARTTLS, which the server must offer; nothing it said before counts.
    Starttls,
}

impl Tls {
    /// The port that is usual.
    #[must_use]
    pub const fn port(self, protocol: Protocol) -> u16 {
        match (protocol, self) {
            (Protocol::Pop3, Self::Tls) => 995,
            (Protocol::Pop3, Self::Starttls) => 110,
            (Protocol::Imap, Self::Tls) => 993,
            (Protocol::Imap, Self::Starttls) => 143,
        }
    }
}

/// What becomes there of a message that is safe here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays, and is remembered.
    Keep,
}

/// Who gets the mail. Never anybody elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum To {
    /// One user, or an alias that leads to users here.
    One(Address),
    /// Whom the envelope was for, as the provider noted it in a field of the header: the first field that names somebody
    /// of a domain of ours. Never `To` or `Cc`, which senders write.
    Envelope {
        /// A field to look at before the usual ones.
        header: Option<String>,
        /// Who gets what has no such field.
        otherwise: Address,
    },
}

impl To {
    /// Who gets it in the end.
    #[must_use]
    pub const fn last_resort(&self) -> &Address {
        match self {
            Self::One(address) | Self::Envelope { otherwise: address, .. } => address,
        }
    }
}

/// Everything about an account elsewhere but its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is spoken.
    pub protocol: Protocol,
    /// With whom.
    pub host: Server,
    /// On which port.
    pub port: u16,
    /// When TLS begins.
    pub tls: Tls,
    /// As whom.
    pub user: String,
    /// IMAP: from which mailbox, by the name that the server gives it in its answers (ASCII).
    pub mailbox: String,
    /// Minutes between two visits.
    pub every: u32,
    /// What becomes of a message there.
    pub after: After,
    /// Who gets it.
    pub to: To,
    /// PEM of the authorities that may sign for the server; `None`: those that the system trusts.
    pub authority: Option<String>,
}

/// Changes of [`Settings`]; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::host`].
    pub host: Option<Server>,
    /// See [`Settings::port`].
    pub port: Option<u16>,
    /// See [`Settings::tls`]. Without a new port, a usual one becomes the usual one.
    pub tls: Option<Tls>,
    /// See [`Settings::user`].
    pub user: Option<String>,
    /// See [`Settings::mailbox`].
    pub mailbox: Option<String>,
    /// See [`Settings::every`].
    pub every: Option<u32>,
    /// See [`Settings::after`].
    pub after: Option<After>,
    /// See [`Settings::to`].
    pub to: Option<To>,
    /// See [`Settings::authority`]; empty: those that the system trusts.
    pub authority: Option<String>,
}

impl Settings {
    /// The usual ones.
    #[must_use]
    pub fn new(protocol: Protocol, host: Server, user: String, to: To) -> Self {
        let tls = Tls::default();
        Self {
            protocol,
            host,
            port: tls.port(protocol),
            tls,
            user,
            mailbox: "INBOX".to_owned(),
            every: FETCH_EVERY_DEFAULT,
            after: After::default(),
            to,
            authority: None,
        }
    }

    /// These with some changed.
    #[must_use]
    pub fn with(&self, change: SettingsChange) -> Self {
        let tls = change.tls.unwrap_or(self.tls);
        let usual = self.port == self.tls.port(self.protocol);
        let port = if usual { tls.port(self.protocol) } else { self.port };
        Self {
            protocol: self.protocol,
            host: change.host.unwrap_or_else(|| self.host.clone()),
            port: change.port.unwrap_or(port),
            tls,
            user: change.user.unwrap_or_else(|| self.user.clone()),
            mailbox: change.mailbox.unwrap_or_else(|| self.mailbox.clone()),
            every: change.every.unwrap_or(self.every),
            after: change.after.unwrap_or(self.after),
            to: change.to.unwrap_or_else(|| self.to.clone()),
            authority: match change.authority {
                Some(none) if none.is_empty() => None,
                Some(pem) => Some(pem),
                None => self.authority.clone(),
            },
        }
    }

    /// Looks at everything that can be known to be wrong without the directory.
    ///
    /// # Errors
    /// [`SettingsError`] says what.
    pub fn check(&self) -> Result<(), SettingsError> {
        let text =
            |text: &str| !text.is_empty() && text.len() <= FETCH_FIELD_MAX && !text.chars().any(char::is_control);
        if self.port == 0 {
            return Err(SettingsError::Port);
        }
        if !text(&self.user) {
            return Err(SettingsError::Field("the user name", ""));
        }
        if !text(&self.mailbox) || !self.mailbox.is_ascii() {
            return Err(SettingsError::Field("the mailbox", ", in ASCII as the server lists it"));
        }
        if let To::Envelope { header: Some(header), .. } = &self.to
            && (!text(header) || !header.bytes().all(|b| b.is_ascii_graphic() && b != b':'))
        {
            return Err(SettingsError::Field("the header field", ", blanks and colons"));
        }
        if !(FETCH_EVERY_MIN..=FETCH_EVERY_MAX).contains(&self.every) {
            return Err(SettingsError::Every);
        }
        if let Some(pem) = &self.authority {
            if pem.len() > FETCH_AUTHORITY_MAX {
                return Err(SettingsError::Authority(format!("more than {FETCH_AUTHORITY_MAX} bytes")));
            }
            mailward_tls::outbound::Outbound::trusting(pem.as_bytes())
                .map_err(|e| SettingsError::Authority(e.to_string()))?;
        }
        Ok(())
    }

    /// What its messages' identifications hold for: the same ones mean others elsewhere.
    pub(crate) fn place(&self) -> String {
        let mailbox = match self.protocol {
            Protocol::Pop3 => "",
            Protocol::Imap => self.mailbox.as_str(),
        };
        [self.protocol.name(), &self.host.to_string(), &self.user, mailbox].join("\0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let to = To::One("joe@example.org".parse().unwrap());
        Settings::new(Protocol::Imap, "mail.example.net".parse().unwrap(), "joe".to_owned(), to)
    }

    #[test]
    fn names_are_plain_and_servers_are_domains_or_addresses() {
        for good in ["joe", "joe@example.net", "old-account_2.x"] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "Joe", "a/b", "a b", "a\u{1b}", &"x".repeat(FETCH_NAME_MAX + 1)] {
            assert_eq!(Name::parse(bad), Err(SettingsError::Name), "{bad}");
        }
        for good in ["mail.example.net", "192.0.2.1", "2001:db8::1"] {
            assert_eq!(good.parse::<Server>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "mail.example.net:993", "a/b", "x\r\ny"] {
            assert!(bad.parse::<Server>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_would_leave_its_line_or_is_past_a_limit_is_no_setting() {
        assert_eq!(settings().check(), Ok(()));
        let wrong: [fn(&mut Settings); 9] = [
            |s| s.user = "joe\r\nQUIT".to_owned(),
            |s| s.user = String::new(),
            |s| s.mailbox = "x".repeat(FETCH_FIELD_MAX + 1),
            |s| s.mailbox = "Entw\u{fc}rfe".to_owned(),
            |s| s.every = 0,
            |s| s.every = FETCH_EVERY_MAX + 1,
            |s| s.port = 0,
            |s| s.authority = Some("no certificate".to_owned()),
            |s| {
                let otherwise = s.to.last_resort().clone();
                s.to = To::Envelope { header: Some("X: y".to_owned()), otherwise };
            },
        ];
        for change in wrong {
            let mut wrong = settings();
            change(&mut wrong);
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        let mut long = settings();
        long.authority = Some("x".repeat(FETCH_AUTHORITY_MAX + 1));
        assert!(long.check().unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn a_usual_port_follows_the_way_of_tls_and_another_stays() {
        let starttls = SettingsChange { tls: Some(Tls::Starttls), ..SettingsChange::default() };
        assert_eq!(settings().with(starttls.clone()).port, 143);
        let other = settings().with(SettingsChange { port: Some(2993), ..SettingsChange::default() });
        assert_eq!(other.with(starttls).port, 2993);
        let same = settings().with(SettingsChange::default());
        assert_eq!(same, settings());
    }
}
