//! What a route is: whom it is for, and where it leads. Read and written as an administrator says it.

use mailward_core::limits::{
    ROUTE_NAME_MAX, ROUTE_PATH_MAX, ROUTE_PLACES_MAX, ROUTE_SOCKET_MAX, ROUTE_TEXT_MAX, ROUTE_USER_MAX,
};
use mailward_core::{Address, Domain};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Why words are no route. Shown to administrators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) String);

fn bad(text: impl Into<String>) -> Malformed {
    Malformed(text.into())
}

macro_rules! as_text {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                Self::parse(&text)
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
        impl std::str::FromStr for $type {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                Self::parse(text)
            }
        }
    };
}

/// A route's name: 1 to [`ROUTE_NAME_MAX`] lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteName(Arc<str>);

as_text!(RouteName);

impl RouteName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Malformed`] if it holds anything else, or nothing, or too much.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let fits = (1..=ROUTE_NAME_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            return Ok(Self(Arc::from(text)));
        }
        Err(bad(format!("a route's name has 1 to {ROUTE_NAME_MAX} lower-case letters, digits and hyphens")))
    }
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose mail a route is for, by recipient: `*`, `.example.net`, `example.net` or `ann@example.net`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ForWhom {
    /// Everybody.
    Everybody,
    /// A domain and all under it.
    Under(Domain),
    /// A domain.
    Domain(Domain),
    /// One address; the case of its local part doesn't count.
    Address(Address),
}

as_text!(ForWhom);

impl ForWhom {
    /// Reads one of the four forms.
    ///
    /// # Errors
    /// [`Malformed`] if it is none of them, or an address literal: such mail isn't sent.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let why = |e: &dyn fmt::Display| bad(format!("{text:?}: {e}"));
        if text == "*" {
            return Ok(Self::Everybody);
        }
        if let Some(domain) = text.strip_prefix('.') {
            return Domain::parse_utf8(domain).map(Self::Under).map_err(|e| why(&e));
        }
        if text.contains('@') {
            return address(text).map(Self::Address);
        }
        Domain::parse_utf8(text).map(Self::Domain).map_err(|e| why(&e))
    }
}

impl fmt::Display for ForWhom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::Under(domain) => write!(f, ".{domain}"),
            Self::Domain(domain) => domain.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Whose mail a route is for, by envelope sender: `*`, `example.net` or `ann@example.net`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FromWhom {
    /// Anybody, the null path included.
    Anybody,
    /// A domain.
    Domain(Domain),
    /// One address; the case of its local part doesn't count.
    Address(Address),
}

as_text!(FromWhom);

impl FromWhom {
    /// Reads one of the three forms.
    ///
    /// # Errors
    /// [`Malformed`] if it is none of them.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text == "*" {
            return Ok(Self::Anybody);
        }
        if text.contains('@') {
            return address(text).map(Self::Address);
        }
        Domain::parse_utf8(text).map(Self::Domain).map_err(|e| bad(format!("{text:?}: {e}")))
    }
}

impl fmt::Display for FromWhom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("*"),
            Self::Domain(domain) => domain.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

fn address(text: &str) -> Result<Address, Malformed> {
    let address = Address::parse(text, true).map_err(|e| bad(format!("{text:?}: {e}")))?;
    if address.domain().is_none() {
        return Err(bad(format!("{text:?}: a route is for domains, not for IP addresses")));
    }
    Ok(address)
}

/// What a host is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PlaceName {
    /// A name that has A or AAAA records.
    Name(Domain),
    /// An address.
    Address(IpAddr),
}

/// A host, and its port if it isn't the usual one: `mx.example.net:2525`, `192.0.2.1`, `[2001:db8::1]:25`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    /// Which host.
    pub name: PlaceName,
    /// Never 0.
    pub port: Option<u16>,
}

as_text!(Place);

impl Place {
    /// Reads a host.
    ///
    /// # Errors
    /// [`Malformed`] if it is neither name nor address, or the port is none.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let why = |e: &dyn fmt::Display| bad(format!("{text:?}: {e}"));
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, behind) = rest.split_once(']').ok_or_else(|| why(&"a ] is missing"))?;
            let address = address.parse::<Ipv6Addr>().map_err(|_| why(&"in brackets stands an IPv6 address"))?;
            let port = match behind {
                "" => None,
                behind => Some(behind.strip_prefix(':').ok_or_else(|| why(&"behind ] comes :PORT or nothing"))?),
            };
            (PlaceName::Address(IpAddr::V6(address)), port)
        } else {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let name = match host.parse::<IpAddr>() {
                Ok(address) => PlaceName::Address(address),
                Err(_) => PlaceName::Name(Domain::parse_utf8(host).map_err(|e| why(&e))?),
            };
            (name, port)
        };
        let port = match port {
            None => None,
            Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| why(&"a port is 1 to 65535"))?)
            }
            Some(_) => return Err(why(&"a port is 1 to 65535 (an IPv6 address stands in brackets)")),
        };
        Ok(Self { name: host, port })
    }

    /// Reads one or several, with commas between.
    ///
    /// # Errors
    /// [`Malformed`] as [`Place::parse`], or if there are more than [`ROUTE_PLACES_MAX`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Malformed> {
        let places = text.split(',').take(ROUTE_PLACES_MAX.saturating_add(1)).map(Self::parse);
        let places: Vec<Self> = places.collect::<Result<_, _>>()?;
        if places.len() > ROUTE_PLACES_MAX {
            return Err(bad(format!("a route has at most {ROUTE_PLACES_MAX} hosts")));
        }
        Ok(places)
    }

    /// The name without port, as a certificate has it.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.name {
            PlaceName::Name(name) => name.to_string(),
            PlaceName::Address(address) => address.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            PlaceName::Name(name) => name.fmt(f)?,
            PlaceName::Address(IpAddr::V4(address)) => address.fmt(f)?,
            PlaceName::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// How TLS is used with a route's hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteTls {
    /// Taken where it is offered, whatever the certificate; else in clear.
    Opportunistic,
    /// STARTTLS, with a certificate for the host's name, or nothing is sent.
    StartTls,
    /// From the first byte (RFC 8314), with such a certificate.
    Tls,
}

impl RouteTls {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opportunistic => "opportunistic",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        }
    }
}

/// Who we are at a smart host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteLogin {
    /// User name.
    pub user: String,
    /// The password, sealed; empty until it is.
    #[serde(default)]
    pub sealed: Vec<u8>,
}

impl fmt::Debug for RouteLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Hosts on the network, the first one first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// 1 to [`ROUTE_PLACES_MAX`].
    pub hosts: Vec<Place>,
    /// How they are protected.
    pub tls: RouteTls,
    /// Never with [`RouteTls::Opportunistic`], and with smart hosts only.
    #[serde(default)]
    pub login: Option<RouteLogin>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Leads {
    /// By DNS, as without a route: an exception from a wider one.
    Mx,
    /// To these hosts, port 25.
    Host(Places),
    /// To a server that passes on to the world what we hand it, port 587, or 465 with TLS from the first byte.
    Smarthost(Places),
    /// To these hosts by LMTP, port 24.
    Lmtp(Places),
    /// To a program on this host by LMTP over its socket.
    Socket(PathBuf),
    /// Nowhere; nobody is told.
    Discard,
    /// Refused.
    Error {
        /// 400 to 599: for now or for good.
        code: u16,
        /// One line of ASCII.
        text: String,
    },
    /// Into a Maildir on this host.
    Maildir(PathBuf),
}

impl Leads {
    /// Reads how a route is said on a command line: `mx`, `host HOST…`, `smarthost HOST…`, `lmtp HOST…`, `lmtp unix:/path`,
    /// `discard`, `error CODE TEXT…`, `maildir /path`. Several hosts stand behind one another, or with commas between.
    /// `tls` is what was said of it, `user` a smart host's user.
    ///
    /// # Errors
    /// [`Malformed`] says what is missing, or doesn't fit together.
    pub fn parse(words: &[String], tls: Option<RouteTls>, user: Option<&str>) -> Result<Self, Malformed> {
        let (kind, rest) = words.split_first().ok_or_else(|| bad(KINDS))?;
        let hosts = |usual: RouteTls| {
            let hosts = Place::parse_list(&rest.join(","))?;
            let login = user.map(|user| RouteLogin { user: user.to_owned(), sealed: Vec::new() });
            Ok(Places { hosts, tls: tls.unwrap_or(usual), login })
        };
        let alone = |leads| {
            if rest.is_empty() { Ok(leads) } else { Err(bad(format!("{kind} stands alone"))) }
        };
        let path = || match rest {
            [path] => Ok(path.as_str()),
            _ => Err(bad(format!("{kind} takes one path"))),
        };
        let leads = match kind.as_str() {
            "mx" => alone(Self::Mx)?,
            "discard" => alone(Self::Discard)?,
            "host" => Self::Host(hosts(RouteTls::Opportunistic)?),
            "smarthost" => Self::Smarthost(hosts(RouteTls::StartTls)?),
            "lmtp" => match rest {
                [only] if only.starts_with("unix:") => {
                    Self::Socket(PathBuf::from(only.strip_prefix("unix:").unwrap_or_default()))
                }
                _ => Self::Lmtp(hosts(RouteTls::Opportunistic)?),
            },
            "maildir" => Self::Maildir(PathBuf::from(path()?)),
            "error" => {
                let (code, text) = rest.split_first().ok_or_else(|| bad("error takes a code and a text"))?;
                let code = code.parse().map_err(|_| bad("the code of an error is 400 to 599"))?;
                Self::Error { code, text: text.join(" ") }
            }
            other => return Err(bad(format!("{other:?} is no way: {KINDS}"))),
        };
        let hosts = matches!(leads, Self::Host(_) | Self::Smarthost(_) | Self::Lmtp(_));
        if !hosts && (tls.is_some() || user.is_some()) {
            return Err(bad("TLS and user names are for hosts on the network"));
        }
        leads.check()?;
        Ok(leads)
    }

    /// What must hold of it, wherever it comes from.
    ///
    /// # Errors
    /// [`Malformed`] says what doesn't.
    pub fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Mx | Self::Discard => Ok(()),
            Self::Host(places) | Self::Lmtp(places) if places.login.is_some() => {
                Err(bad("a user name is for smart hosts; say smarthost"))
            }
            Self::Host(places) | Self::Smarthost(places) | Self::Lmtp(places) => places.check(),
            Self::Socket(path) => absolute(path, ROUTE_SOCKET_MAX),
            Self::Maildir(path) => absolute(path, ROUTE_PATH_MAX),
            Self::Error { code, text } => {
                if !(400..=599).contains(code) || *code == 421 {
                    return Err(bad("the code of an error is 400 to 599, and not 421, which would end the session"));
                }
                let line = !text.trim().is_empty() && text.bytes().all(|b| matches!(b, b' '..=b'~'));
                if !line || text.len() > ROUTE_TEXT_MAX {
                    return Err(bad(format!(
                        "the text of an error is one line of 1 to {ROUTE_TEXT_MAX} ASCII characters"
                    )));
                }
                Ok(())
            }
        }
    }

    /// The word for its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Host(_) => "host",
            Self::Smarthost(_) => "smarthost",
            Self::Lmtp(_) | Self::Socket(_) => "lmtp",
            Self::Discard => "discard",
            Self::Error { .. } => "error",
            Self::Maildir(_) => "maildir",
        }
    }

    /// Hosts on the network, and the port they usually have.
    #[must_use]
    pub fn places(&self) -> Option<(&Places, u16)> {
        match self {
            Self::Host(places) => Some((places, if places.tls == RouteTls::Tls { 465 } else { 25 })),
            Self::Smarthost(places) => Some((places, if places.tls == RouteTls::Tls { 465 } else { 587 })),
            Self::Lmtp(places) => Some((places, 24)),
            _ => None,
        }
    }

    pub(super) fn login_mut(&mut self) -> Option<&mut RouteLogin> {
        match self {
            Self::Smarthost(places) => places.login.as_mut(),
            _ => None,
        }
    }

    pub(super) fn login(&self) -> Option<&RouteLogin> {
        self.places().and_then(|(places, _)| places.login.as_ref())
    }
}

/// The ways there are, for who said none of them.
const KINDS: &str = "a route leads to one of: mx, host HOST[:PORT], smarthost HOST[:PORT], lmtp HOST:PORT, \
                     lmtp unix:/path, discard, error CODE TEXT, maildir /path";

impl Places {
    fn check(&self) -> Result<(), Malformed> {
        if !(1..=ROUTE_PLACES_MAX).contains(&self.hosts.len()) {
            return Err(bad(format!("a route has 1 to {ROUTE_PLACES_MAX} hosts")));
        }
        let Some(login) = &self.login else { return Ok(()) };
        if self.tls == RouteTls::Opportunistic {
            return Err(bad("a password travels under TLS only: say starttls or tls"));
        }
        let fits = (1..=ROUTE_USER_MAX).contains(&login.user.len()) && !login.user.chars().any(char::is_control);
        if fits { Ok(()) } else { Err(bad(format!("a user name has 1 to {ROUTE_USER_MAX} characters"))) }
    }
}

fn absolute(path: &Path, most: usize) -> Result<(), Malformed> {
    let text = path.to_str().ok_or_else(|| bad("a path is text in UTF-8"))?;
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain || path.parent().is_none() || text.chars().any(char::is_control) {
        return Err(bad(format!("{text:?}: a path begins with / and has no . or .. in it")));
    }
    if text.len() > most {
        return Err(bad(format!("the path has at most {most} bytes")));
    }
    Ok(())
}

impl fmt::Display for Leads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Mx | Self::Discard => Ok(()),
            Self::Host(places) | Self::Smarthost(places) | Self::Lmtp(places) => places.fmt(f),
            Self::Socket(path) => write!(f, " unix:{}", path.display()),
            Self::Error { code, text } => write!(f, " {code} {text}"),
            Self::Maildir(path) => write!(f, " {}", path.display()),
        }
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if at == 0 { ' ' } else { ',' })?;
        }
        write!(f, " ({}", self.tls.name())?;
        if let Some(login) = &self.login {
            write!(f, ", user {}", login.user)?;
        }
        f.write_str(")")
    }
}

/// A route: whose mail, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name.
    pub name: RouteName,
    /// To whom.
    pub to: ForWhom,
    /// And from whom.
    pub from: FromWhom,
    /// Where to.
    pub leads: Leads,
    /// How long a message is tried, seconds; `None`: as the configuration says.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// After how many seconds its sender hears that it is late; 0: never; `None`: as the configuration says.
    #[serde(default)]
    pub warn_after: Option<u64>,
}

#[cfg(test)]
mod tests;
