//! The pages of settings: where they are, and what they say.

use super::{Begins, Service, Source, Told};
use crate::probe::web::{Page, Unfetched, Web, plain};
use mailward_core::Domain;
use mailward_core::limits::{DOMAIN_MAX, PROGRAM_SETTINGS_MAX, PROGRAM_XML_DEPTH_MAX, PROGRAM_XML_PIECES_MAX};
use mailward_inspect::xml::{Bounds, Piece, walk};

const BOUNDS: Bounds = Bounds { pieces: PROGRAM_XML_PIECES_MAX, depth: PROGRAM_XML_DEPTH_MAX, text: DOMAIN_MAX };

/// Reads the page that Thunderbird and others ask for (autoconfig 1.1). `None`: it is none, or has more than
/// `limits::PROGRAM_SETTINGS_MAX` places.
pub fn autoconfig(page: &[u8], domain: &Domain) -> Option<Vec<Told>> {
    let mut reading = Reading::default();
    walk(page, BOUNDS, |piece| match piece {
        Piece::Begins([root, _, server], attributes) if root == "clientConfig" && is_server(server) => {
            let kind = attributes.iter().find(|(name, _)| name == "type").map(|(_, value)| value.to_ascii_lowercase());
            reading.partial = Partial { kind: kind.unwrap_or_default(), ..Partial::default() };
        }
        Piece::Ends([root, _, server, name], value) if root == "clientConfig" && is_server(server) => {
            match name.as_str() {
                "hostname" => reading.partial.host = host(&value.replace("%EMAILDOMAIN%", domain.as_str())),
                "port" => reading.partial.port = value.trim().parse().unwrap_or(0),
                "socketType" => {
                    reading.partial.begins = Some(match value.trim().to_ascii_lowercase().as_str() {
                        "ssl" => Begins::AtOnce,
                        "starttls" => Begins::ByCommand,
                        "plain" => Begins::Never,
                        _ => Begins::Somehow,
                    });
                }
                _ => {}
            }
        }
        Piece::Ends([root, _, server], _) if root == "clientConfig" && is_server(server) => {
            reading.is_over(Begins::Never)
        }
        Piece::Begins([root], _) => reading.is_one = root == "clientConfig",
        _ => {}
    })?;
    reading.told()
}

fn is_server(name: &str) -> bool {
    matches!(name, "incomingServer" | "outgoingServer")
}

/// Reads the page that Outlook asks for (autodiscover's settings of mail, [MS-OXDSCLI] §2.2.4). `None`: it is none, or has more than
/// `limits::PROGRAM_SETTINGS_MAX` places.
pub fn autodiscover(page: &[u8]) -> Option<Vec<Told>> {
    let mut reading = Reading::default();
    walk(page, BOUNDS, |piece| match piece {
        Piece::Begins([root], _) => reading.is_one = root == "Autodiscover",
        Piece::Begins([root, _, _, protocol], _) if root == "Autodiscover" && protocol == "Protocol" => {
            reading.partial = Partial::default();
        }
        Piece::Ends([root, _, _, protocol, name], value) if root == "Autodiscover" && protocol == "Protocol" => {
            let word = value.trim().to_ascii_lowercase();
            match name.as_str() {
                "Type" => reading.partial.kind = word,
                "Server" => reading.partial.host = host(value),
                "Port" => reading.partial.port = word.parse().unwrap_or(0),
                // Where it isn't said, TLS is meant.
                "SSL" if reading.partial.begins.is_none() && word == "off" => {
                    reading.partial.begins = Some(Begins::Never)
                }
                // This one counts, if it is there.
                "Encryption" => {
                    reading.partial.begins = Some(match word.as_str() {
                        "ssl" => Begins::AtOnce,
                        "tls" => Begins::ByCommand,
                        "none" => Begins::Never,
                        _ => Begins::Somehow,
                    });
                }
                _ => {}
            }
        }
        Piece::Ends([root, _, _, protocol], _) if root == "Autodiscover" && protocol == "Protocol" => {
            reading.is_over(Begins::AtOnce);
        }
        _ => {}
    })?;
    reading.told()
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    is_one: bool,
    told: Vec<Told>,
    more: bool,
    partial: Partial,
}

#[derive(Default)]
struct Partial {
    kind: String,
    host: String,
    port: u16,
    begins: Option<Begins>,
}

impl Reading {
    /// A place has been told to its end.
    fn is_over(&mut self, unless_told: Begins) {
        let Partial { kind, host, port, begins } = std::mem::take(&mut self.partial);
        let service = match kind.trim() {
            "imap" => Service::Imap,
            "pop3" => Service::Pop3,
            "smtp" => Service::Submission,
            // What isn't mail, or isn't for all programs.
            _ => return,
        };
        if self.told.len() >= PROGRAM_SETTINGS_MAX {
            self.more = true;
            return;
        }
        self.told.push(Told { service, host, port, begins: begins.unwrap_or(unless_told) });
    }

    fn told(self) -> Option<Vec<Told>> {
        (self.is_one && !self.more).then_some(self.told)
    }
}

/// A host's name as it is told.
pub(super) fn host(text: &str) -> String {
    plain(text.trim()).chars().take(DOMAIN_MAX).collect::<String>().to_lowercase()
}

/// Both places, in the order of programs.
pub(super) async fn ask_autoconfig(web: &Web<'_>, domain: &Domain) -> Source {
    let places = [
        (format!("autoconfig.{domain}"), format!("/mail/config-v1.1.xml?emailaddress=postmaster@{domain}")),
        (domain.to_string(), "/.well-known/autoconfig/mail/config-v1.1.xml".to_owned()),
    ];
    let mut all = Vec::new();
    for (host, path) in &places {
        all.push(told_at(host, web.get(host, path).await, |page| autoconfig(page, domain)));
    }
    first(all)
}

/// Both places, in the order of programs.
pub(super) async fn ask_autodiscover(web: &Web<'_>, domain: &Domain) -> Source {
    let schema = "http://schemas.microsoft.com/exchange/autodiscover/outlook";
    let asking = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"{schema}/requestschema/2006\"><Request>\
         <EMailAddress>postmaster@{domain}</EMailAddress>\
         <AcceptableResponseSchema>{schema}/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>\n"
    );
    let mut all = Vec::new();
    for host in [format!("autodiscover.{domain}"), domain.to_string()] {
        all.push(told_at(&host, web.post(&host, "/autodiscover/autodiscover.xml", &asking).await, autodiscover));
    }
    first(all)
}

/// The first that tells something counts; if none does, the one that is the nearest to it.
fn first(all: Vec<Source>) -> Source {
    let order = |source: &Source| match source {
        Source::Tells(..) => 0,
        Source::Unknown(_) => 1,
        Source::Unusable(_) => 2,
        Source::Nothing(_) => 3,
    };
    all.into_iter().min_by_key(order).unwrap_or_else(|| Source::Nothing("there is no page".to_owned()))
}

fn told_at(host: &str, page: Result<Page, Unfetched>, read: impl FnOnce(&[u8]) -> Option<Vec<Told>>) -> Source {
    let page = match page {
        Ok(page) => page,
        Err(why) => return why.into(),
    };
    match page.status {
        200 => match read(&page.body) {
            Some(told) if !told.is_empty() => Source::Tells(told, Vec::new()),
            Some(_) => Source::Unusable(format!("{host} has a page that tells nothing of mail")),
            // Sites answer so what they don't have.
            None if page.kind == "text/html" => Source::Nothing(format!("{host} has no page of settings")),
            None => Source::Unusable(format!("{host} has a page that can't be read")),
        },
        404 | 410 => Source::Nothing(format!("{host} has no page of settings")),
        401 | 403 => Source::Unusable(format!("{host} wants a login first: {}", page.banner())),
        _ => Source::Unusable(format!("{host} answers {}", page.banner())),
    }
}
