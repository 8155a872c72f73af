//! Other hosts that take mail for our domains: whether they are as strict as this one. They are asked over the network, at the port of mail.

use super::ask::{Patience, domains, unasked};
use super::asked;
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::knock::{Kind, KnockError, Talk};
use crate::names::{Is, missing, worst};
use crate::scene::{Door, Protocol, Scene};
use futures_util::stream::{self, StreamExt as _};
use mailward_core::Domain;
use mailward_core::limits::KNOCK_SESSION_TIME;
use mailward_dns::LookupError;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use tokio::time::timeout;

pub(in crate::controls) const BESIDE: &[Control] = &[
    asked(
        "FLT-23",
        Area::Filtering,
        10,
        Check::Ask(|scene| Box::pin(async move { each(scene, strict).await })),
        [
            "Are other mail hosts of your domains as strict as this one?",
            "Spam is sent to the second mail host on purpose: it knows less, takes more, and what it hands on comes from a friend.",
            "Every host of an MX record that isn't this server is asked at port 25, without sending anything: a recipient that nobody is, and one in a \
             domain that there can't be, must be refused; STARTTLS must be offered. What it does with a message's content isn't tried.",
            "Take it out of the MX records, or have it run the same server with the same accounts and rules.",
            "mailcow #3014",
        ],
    ),
    asked(
        "STB-07",
        Area::Standby,
        10,
        Check::Ask(|scene| Box::pin(async move { each(scene, knows).await })),
        [
            "Do other mail hosts of your domains know who gets mail here, and who doesn't?",
            "One that takes everything sends back what nobody gets, to senders who were forged; one that knows nobody is no help on the day it is needed.",
            "Every host of an MX record that isn't this server is asked at port 25, without sending anything: postmaster must be taken, and a recipient that \
             nobody is must be refused.",
            "Give it the list of recipients (`mailward user list --json`, `mailward alias list --json`), anew whenever it changes.",
            "mailcow #3014; RFC 5321 section 4.5.1",
        ],
    ),
];

/// Hosts that are asked, all at the same time: nobody has more.
const MOST: usize = 16;

/// A host beside this one, and a domain that it takes mail for.
struct Beside {
    door: Door,
    domain: Domain,
}

type Asking = for<'a> fn(&'a Beside, &'a str) -> crate::doors::Waiting<'a, Result<Is, KnockError>>;

/// Asks each host beside this one.
async fn each(scene: &Scene, ask: Asking) -> Finding {
    let hosts = match Patience::begins().within(beside(scene)).await {
        Ok(Ok(hosts)) => hosts,
        Ok(Err(finding)) => return finding,
        Err(late) => return unasked(late),
    };
    let nobody = format!("nobody-of-this-name-{}", scene.now.0);
    let nobody = nobody.as_str();
    let asked = stream::iter(hosts).map(|host| async move {
        let is = match timeout(KNOCK_SESSION_TIME, ask(&host, nobody)).await {
            Ok(Ok(is)) => is,
            Ok(Err(error)) => Is::Unknown(error.to_string()),
            Err(_late) => Is::Unknown(KnockError::Late.to_string()),
        };
        (format!("{} for {}", host.door.name, host.domain), is)
    });
    let found: Vec<(String, Is)> = asked.buffered(MOST).collect().await;
    worst(found, "no other host takes mail for the domains here")
}

/// Mail hosts of our domains that aren't this server, each once.
async fn beside(scene: &Scene) -> Result<Vec<Beside>, Finding> {
    let lookup = scene.names()?;
    let ours = domains(scene)?;
    let own = scene.state()?.name.as_deref().and_then(|name| Domain::parse_utf8(name).ok());
    let own = own.ok_or_else(|| Finding::not_tested("the server doesn't say its name"))?;
    let here: Vec<IpAddr> = match lookup.addresses(&own).await {
        Ok(found) => found.records,
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => Vec::new(),
        Err(error) => return Err(Finding::not_tested(error.to_string())),
    };
    let mut found: BTreeMap<String, Beside> = BTreeMap::new();
    for domain in ours {
        let hosts = match lookup.mx(&domain).await {
            Ok(hosts) => hosts.records,
            Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => continue,
            Err(error) => return Err(Finding::not_tested(error.to_string())),
        };
        for host in hosts.iter().filter_map(|mx| mx.host_name().ok()) {
            if host == own || found.contains_key(host.as_str()) || found.len() >= MOST {
                continue;
            }
            let addresses = match lookup.addresses(&host).await {
                Ok(addresses) => addresses.records,
                Err(error) => match missing(&error) {
                    // That there is none is another control's to say.
                    Is::Bad(_) | Is::Good(_) => continue,
                    Is::Unknown(why) => return Err(Finding::not_tested(why)),
                },
            };
            if addresses.iter().any(|address| here.contains(address)) {
                continue;
            }
            let first = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first());
            if let Some(address) = first {
                let address = SocketAddr::new(*address, scene.mail_port);
                let door = Door { protocol: Protocol::Smtp, address, name: host.to_string() };
                found.insert(host.to_string(), Beside { door, domain: domain.clone() });
            }
        }
    }
    Ok(found.into_values().collect())
}

/// What it says to recipients of mail from nobody, which isn't sent; and what it offers.
async fn recipients(host: &Beside, wanted: &[(String, Kind)]) -> Result<(Vec<String>, Vec<String>), KnockError> {
    let mut talk = Talk::open(&host.door).await?;
    let features = talk.hello().await?.features();
    let sender = talk.ask("MAIL FROM:<>").await?;
    if sender.kind != Kind::Yes {
        return Err(KnockError::Refused("mail from nobody", sender.text()));
    }
    let mut bad = Vec::new();
    for (address, wanted) in wanted {
        let answer = talk.ask(&format!("RCPT TO:<{address}>")).await?;
        match answer.kind {
            kind if kind == *wanted => {}
            Kind::Yes | Kind::No => bad.push(format!("{address} is answered with {}", answer.text())),
            _ => return Err(KnockError::Refused("an answer for good", answer.text())),
        }
    }
    let _left = talk.ask("QUIT").await;
    Ok((bad, features))
}

fn strict<'a>(host: &'a Beside, nobody: &'a str) -> crate::doors::Waiting<'a, Result<Is, KnockError>> {
    Box::pin(async move {
        let wanted =
            [(format!("{nobody}@{}", host.domain), Kind::No), ("nobody@mailward-audit.invalid".to_owned(), Kind::No)];
        let (mut bad, features) = recipients(host, &wanted).await?;
        if !features.iter().any(|feature| feature == "STARTTLS") {
            bad.push("STARTTLS isn't offered".to_owned());
        }
        Ok(if bad.is_empty() { Is::Good("as strict as this one".to_owned()) } else { Is::Bad(bad.join(", ")) })
    })
}

fn knows<'a>(host: &'a Beside, nobody: &'a str) -> crate::doors::Waiting<'a, Result<Is, KnockError>> {
    Box::pin(async move {
        let wanted =
            [(format!("postmaster@{}", host.domain), Kind::Yes), (format!("{nobody}@{}", host.domain), Kind::No)];
        let (bad, _) = recipients(host, &wanted).await?;
        Ok(if bad.is_empty() { Is::Good("knows who gets mail".to_owned()) } else { Is::Bad(bad.join(", ")) })
    })
}
