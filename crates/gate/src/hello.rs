//! How a client calls itself (RFC 5321 §4.1.1.1). What it says is no proof of anything; what can't be true is a sign.

use mailward_core::{Domain, Host};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// What a greeting says of who gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "said")]
pub enum Hello {
    /// Our own name, or a domain of ours: nobody else has it.
    OurName(Domain),
    /// Our own address, in brackets or without.
    OurAddress(IpAddr),
    /// An address that the client doesn't come from.
    OtherAddress(IpAddr),
    /// The address that it comes from, in brackets: allowed where a host has no name (RFC 5321 §4.1.3).
    OwnAddress,
    /// No name that the DNS could have: without a dot, with what no host's name has, `localhost`, an address without
    /// brackets.
    NoName,
    /// A name. Whether it is the client's, the DNS can tell.
    Name(Domain),
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hello::OurName(name) => write!(f, "{name} is this server's name"),
            Hello::OurAddress(ip) => write!(f, "{ip} is this server's address"),
            Hello::OtherAddress(ip) => write!(f, "{ip} isn't the client's address"),
            Hello::OwnAddress => f.write_str("the client's address"),
            Hello::NoName => f.write_str("not a host's name"),
            Hello::Name(name) => name.fmt(f),
        }
    }
}

/// What is ours.
pub struct Ours<'a> {
    /// This server's name.
    pub hostname: &'a Domain,
    /// Whether a domain is one of ours.
    pub is_local: &'a dyn Fn(&Domain) -> bool,
    /// This server's addresses on the network.
    pub addresses: &'a [IpAddr],
}

impl fmt::Debug for Ours<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ours").field("hostname", self.hostname).finish_non_exhaustive()
    }
}

/// Names that every host has for itself, and domains below which nobody has any (RFC 6761 §6.3, RFC 6762 §3).
const NOBODYS: [&str; 3] = ["localhost", "localdomain", "local"];

/// Judges what a client said after EHLO or HELO: the first word, as it came. Pure; the DNS is asked for what
/// [`Hello::Name`] has by [`crate::Reputation::hello`].
///
/// That a client says our name is a sign only if it is a stranger, and comes from another address than ours.
#[must_use]
pub fn judge_hello(said: &str, client: IpAddr, ours: &Ours<'_>) -> Hello {
    let client = client.to_canonical();
    let is_ours = |ip: IpAddr| ours.addresses.iter().any(|own| own.to_canonical() == ip);
    let address = |ip: IpAddr, own: Hello| match ip.to_canonical() {
        ip if ip == client => own,
        ip if is_ours(ip) => Hello::OurAddress(ip),
        ip => Hello::OtherAddress(ip),
    };
    if let Ok(ip) = said.parse::<IpAddr>() {
        // Without brackets it is no literal, whoever's it is.
        return match address(ip, Hello::NoName) {
            Hello::OtherAddress(_) => Hello::NoName,
            other => other,
        };
    }
    match Host::parse(said.strip_suffix('.').unwrap_or(said), false) {
        Ok(Host::Literal(ip)) => address(ip, Hello::OwnAddress),
        Ok(Host::Domain(name)) => {
            let last = name.as_str().rsplit('.').next().unwrap_or_default();
            if name == *ours.hostname || (ours.is_local)(&name) {
                if client.is_loopback() || is_ours(client) { Hello::Name(name) } else { Hello::OurName(name) }
            } else if !name.as_str().contains('.') || NOBODYS.contains(&last) {
                Hello::NoName
            } else {
                Hello::Name(name)
            }
        }
        Err(_) => Hello::NoName,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judge(said: &str, client: &str) -> Hello {
        let hostname = Domain::parse("mail.ours.example").unwrap();
        let addresses = ["192.0.2.25".parse().unwrap(), "2001:db8::25".parse().unwrap()];
        let is_local = |domain: &Domain| domain.as_str() == "ours.example";
        let ours = Ours { hostname: &hostname, is_local: &is_local, addresses: &addresses };
        judge_hello(said, client.parse().unwrap(), &ours)
    }

    fn name(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    #[test]
    fn what_is_ours_is_nobody_elses() {
        let client = "198.51.100.7";
        assert_eq!(judge("mail.ours.example", client), Hello::OurName(name("mail.ours.example")));
        assert_eq!(judge("MAIL.ours.EXAMPLE.", client), Hello::OurName(name("mail.ours.example")));
        assert_eq!(judge("ours.example", client), Hello::OurName(name("ours.example")));
        // A host below our domain may be anybody's whom we know.
        assert_eq!(judge("printer.ours.example", client), Hello::Name(name("printer.ours.example")));
        for said in ["[192.0.2.25]", "192.0.2.25"] {
            assert_eq!(judge(said, client), Hello::OurAddress("192.0.2.25".parse().unwrap()), "{said}");
        }
        for said in ["[IPv6:2001:db8::25]", "2001:db8::25"] {
            assert_eq!(judge(said, client), Hello::OurAddress("2001:db8::25".parse().unwrap()), "{said}");
        }
        // From ourselves it is true.
        assert_eq!(judge("mail.ours.example", "192.0.2.25"), Hello::Name(name("mail.ours.example")));
        assert_eq!(judge("mail.ours.example", "127.0.0.1"), Hello::Name(name("mail.ours.example")));
        assert_eq!(judge("[192.0.2.25]", "192.0.2.25"), Hello::OwnAddress);
    }

    #[test]
    fn an_address_is_theirs_or_it_isnt() {
        assert_eq!(judge("[198.51.100.7]", "198.51.100.7"), Hello::OwnAddress);
        assert_eq!(judge("[198.51.100.7]", "::ffff:198.51.100.7"), Hello::OwnAddress);
        assert_eq!(judge("[IPv6:2001:db8::7]", "2001:db8::7"), Hello::OwnAddress);
        assert_eq!(judge("[198.51.100.8]", "198.51.100.7"), Hello::OtherAddress("198.51.100.8".parse().unwrap()));
        assert_eq!(judge("[127.0.0.1]", "198.51.100.7"), Hello::OtherAddress("127.0.0.1".parse().unwrap()));
        for said in ["198.51.100.7", "198.51.100.8", "2001:db8::7"] {
            assert_eq!(judge(said, "198.51.100.7"), Hello::NoName, "{said}");
        }
    }

    #[test]
    fn what_no_host_is_called_is_no_name() {
        for said in [
            "",
            ".",
            "localhost",
            "localhost.localdomain",
            "pc.local",
            "WIN-ABC",
            "ylmf-pc",
            "a_b.example",
            "-a.example",
            "a..example",
            "mail.example.org..",
            "1.2.3.4.5",
            "[192.0.2.1",
            "[]",
            "[198.51.100.7] ",
            "m\u{fc}nchen.example",
        ] {
            assert_eq!(judge(said, "198.51.100.7"), Hello::NoName, "{said:?}");
        }
        assert_eq!(judge("mx.example.org", "198.51.100.7"), Hello::Name(name("mx.example.org")));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_judged(said in ".{0,80}", client in any::<[u8; 4]>()) {
            let client = IpAddr::from(client).to_string();
            if let Hello::Name(name) = judge(&said, &client) {
                prop_assert!(name.as_str().contains('.'));
            }
        }
    }
}
