//! What a session knows, as its milters are told it.

use crate::macros::Macros;
use std::net::IpAddr;

/// Who connected, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address; `None`: a program of this host, on a Unix socket.
    pub address: Option<IpAddr>,
    /// Its port; 0: not known.
    pub port: u16,
    /// Its name, if the DNS has it both ways.
    pub name: Option<String>,
    /// Its name in the DNS, whether or not that leads back.
    pub reverse: Option<String>,
    /// Our name.
    pub hostname: String,
    /// The door's name for milters: sendmail has `MTA` and `MSA`.
    pub daemon: String,
    /// Our address that it connected to.
    pub local: Option<IpAddr>,
    /// What we call ourselves: name and version.
    pub software: String,
}

/// What TLS a client came by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secured {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Bits of its key; 0: not known.
    pub bits: u16,
    /// Of the client's certificate, if it has one.
    pub subject: Option<String>,
}

/// Who logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggedIn {
    /// The mechanism, such as `PLAIN`.
    pub mechanism: String,
    /// The user.
    pub user: String,
}

/// A sender or a recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party<'p> {
    /// The address without brackets; empty: the null path.
    pub address: &'p str,
    /// ESMTP arguments, such as `SIZE=100`.
    pub arguments: &'p [String],
    /// Whether its mail stays here.
    pub is_local: bool,
}

impl Party<'_> {
    /// As the protocol has them: the address in brackets, and the arguments.
    pub(crate) fn texts(&self) -> Vec<Vec<u8>> {
        let mut texts = vec![format!("<{}>", self.address).into_bytes()];
        texts.extend(self.arguments.iter().map(|argument| argument.clone().into_bytes()));
        texts
    }
    fn host(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, host)| host)
    }
    const fn mailer(&self) -> &'static str {
        if self.is_local { "local" } else { "esmtp" }
    }
}

const MAIL: &[&str] = &["{mail_addr}", "{mail_host}", "{mail_mailer}", "{nrcpts}", "i", "{msg_id}"];
const RECIPIENT: &[&str] = &["{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"];
const SECURED: &[&str] = &["{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}"];
const LOGGED_IN: &[&str] = &["{auth_type}", "{auth_authen}", "{auth_ssf}"];

impl Macros {
    pub(crate) fn client(client: &Client) -> Self {
        let bracketed = client.address.map(|address| match address {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        });
        let shown = client.name.clone().or_else(|| bracketed.clone()).unwrap_or_else(|| "localhost".to_owned());
        let address = client.address.map(|address| address.to_string()).unwrap_or_default();
        let both = [Some(shown.clone()).filter(|_| client.name.is_some()), bracketed.clone()];
        let both: Vec<String> = both.into_iter().flatten().collect();
        Self::default()
            .with("j", &*client.hostname)
            .with("_", if both.is_empty() { shown.clone() } else { both.join(" ") })
            .with("{daemon_name}", &*client.daemon)
            .with("{if_addr}", client.local.map(|local| local.to_string()).unwrap_or_default())
            .with("v", &*client.software)
            .with("{client_addr}", address)
            .with("{client_name}", shown)
            .with("{client_ptr}", client.reverse.clone().unwrap_or_else(|| "unknown".to_owned()))
            .with("{client_port}", if client.port == 0 { String::new() } else { client.port.to_string() })
    }

    pub(crate) fn secured(&mut self, secured: Option<&Secured>) {
        self.forget(SECURED);
        if let Some(secured) = secured {
            self.set("{tls_version}", &*secured.version);
            self.set("{cipher}", &*secured.cipher);
            self.set("{cipher_bits}", if secured.bits == 0 { String::new() } else { secured.bits.to_string() });
            self.set("{cert_subject}", secured.subject.clone().unwrap_or_default());
        }
    }

    pub(crate) fn mail(&mut self, sender: &Party<'_>, login: Option<&LoggedIn>) {
        self.forget(MAIL);
        self.forget(LOGGED_IN);
        self.set("{mail_addr}", sender.address);
        self.set("{mail_host}", sender.host());
        self.set("{mail_mailer}", sender.mailer());
        if let Some(login) = login {
            self.set("{auth_type}", &*login.mechanism);
            self.set("{auth_authen}", &*login.user);
            // No layer of SASL's own: TLS protects it.
            self.set("{auth_ssf}", "0");
        }
    }

    /// A recipient, or why it was refused.
    pub(crate) fn recipient(&mut self, recipient: &Party<'_>, refused: Option<&str>) {
        self.forget(RECIPIENT);
        match refused {
            // As sendmail tells of recipients that it refused.
            Some(why) => {
                self.set("{rcpt_mailer}", "error");
                self.set("{rcpt_host}", why.split(' ').nth(1).unwrap_or("5.0.0"));
                self.set("{rcpt_addr}", why);
            }
            None => {
                self.set("{rcpt_mailer}", recipient.mailer());
                self.set("{rcpt_host}", recipient.host());
                self.set("{rcpt_addr}", recipient.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_by_name_and_address() {
        let client = Client {
            address: Some("192.0.2.1".parse().unwrap()),
            port: 4_000,
            name: Some("mx.a.example".into()),
            hostname: "mail.example".into(),
            ..Client::default()
        };
        let macros = Macros::client(&client);
        for (name, value) in [
            ("j", Some("mail.example")),
            ("_", Some("mx.a.example [192.0.2.1]")),
            ("{client_name}", Some("mx.a.example")),
            ("{client_addr}", Some("192.0.2.1")),
            ("{client_port}", Some("4000")),
            ("{client_ptr}", Some("unknown")),
            ("{if_addr}", None),
        ] {
            assert_eq!(macros.get(name), value, "{name}");
        }
        let nameless = Macros::client(&Client { name: None, address: "2001:db8::1".parse().ok(), ..client });
        assert_eq!(nameless.get("_"), Some("[IPv6:2001:db8::1]"));
        assert_eq!(Macros::client(&Client::default()).get("_"), Some("localhost"));
    }

    #[test]
    fn what_was_known_of_one_message_isn_t_told_of_the_next() {
        let mut macros = Macros::default();
        let login = LoggedIn { mechanism: "PLAIN".into(), user: "alice@a.example".into() };
        macros.mail(&Party { address: "alice@a.example", ..Party::default() }, Some(&login));
        macros.set("i", "one");
        assert_eq!(macros.get("{auth_authen}"), Some("alice@a.example"));
        macros.mail(&Party::default(), None);
        assert_eq!((macros.get("{auth_authen}"), macros.get("i"), macros.get("{mail_addr}")), (None, None, None));
        macros.secured(Some(&Secured { version: "TLSv1.3".into(), bits: 256, ..Secured::default() }));
        assert_eq!(macros.get("{cipher_bits}"), Some("256"));
        macros.secured(None);
        assert_eq!(macros.get("{tls_version}"), None);
    }

    #[test]
    fn a_refused_recipient_is_told_as_sendmail_does() {
        let mut macros = Macros::default();
        macros.recipient(&Party { address: "a@b.example", is_local: true, ..Party::default() }, None);
        assert_eq!((macros.get("{rcpt_mailer}"), macros.get("{rcpt_host}")), (Some("local"), Some("b.example")));
        macros.recipient(&Party::default(), Some("550 5.1.1 No such user here"));
        assert_eq!((macros.get("{rcpt_mailer}"), macros.get("{rcpt_host}")), (Some("error"), Some("5.1.1")));
    }
}
