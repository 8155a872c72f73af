//! What the DNS and pages tell others: mail programs, and authorities that certify.

use super::ask::{Patience, domains, in_time, unasked};
use super::asked;
use super::hosts::{NO_DOMAINS, of_each};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::doors::{TLS, certificates};
use crate::finding::Finding;
use crate::names::{self, Is, worst};
use crate::probe::web::Web;
use crate::programs::{self, NOTHING_TOLD, Published, Service, Told};
use crate::scene::{Protocol, Scene};
use mailward_core::Domain;
use mailward_dns::Lookup;

pub(in crate::controls) const TOLD: &[Control] = &[
    asked(
        "NET-15",
        Area::Network,
        2,
        Check::Ask(|scene| Box::pin(in_time(certified(scene)))),
        [
            "May only your own authority certify this server's name, and only for your account?",
            "Whoever can turn traffic to your server aside for a minute has another authority certify the name, and reads mail without a warning.",
            "CAA of the server's name, or of the nearest name above that has any: `issue` names the authority that signed the certificate which the \
             doors show, with accounturi, and nobody else. Which names an authority goes by is known for twelve of the usual ones.",
            "Publish CAA 0 issue \"letsencrypt.org; accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/NUMBER\" for the server's name \
             (`certbot show_account` tells the account's URL; other authorities tell their name and whether they heed accounturi).",
            "RFC 8659; RFC 8657",
        ],
    ),
    asked(
        "CLI-01",
        Area::Clients,
        5,
        Check::Ask(|scene| Box::pin(agree(scene))),
        [
            "Do mail programs of all kinds find their settings, and the same ones?",
            "Who has to type them in guesses, and ends up without TLS, or calls you.",
            "For each domain: SRV records (_imaps, _pop3s, _submissions and the three without TLS), the pages of autoconfig and of autodiscover by HTTPS, \
             asked for the postmaster. All three are there and lead IMAP, POP3 and submission to the same hosts and ports, which this server has where \
             they are its own. Apple's profiles aren't asked for: they have no place of their own.",
            "In the DNS: _imaps._tcp SRV 0 1 993 HOST, _submissions._tcp SRV 0 1 465 HOST. On a web server with certificates for both names: \
             https://autoconfig.DOMAIN/mail/config-v1.1.xml and https://autodiscover.DOMAIN/autodiscover/autodiscover.xml with the same hosts and ports.",
            "RFC 6186; RFC 8314 section 5.1",
        ],
    ),
    asked(
        "CLI-02",
        Area::Clients,
        10,
        Check::Ask(|scene| Box::pin(safe(scene))),
        [
            "Is all that mail programs are told TLS from the first byte, at 993, 995 and 465?",
            "A program that is told of STARTTLS, or of no TLS, can be talked out of TLS by whoever stands in the way, with the password in clear.",
            "Everything that SRV records, autoconfig and autodiscover of each domain tell: port and how TLS begins.",
            "In the pages <socketType>SSL</socketType> and <SSL>on</SSL> with 993, 995 and 465 alone; no SRV records at _imap, _pop3 and _submission \
             but \"0 0 0 .\".",
            "RFC 8314 section 3",
        ],
    ),
    asked(
        "CLI-03",
        Area::Clients,
        2,
        Check::Ask(|scene| Box::pin(no_others(scene))),
        [
            "Does the DNS tell mail programs that there is nothing without TLS from the first byte?",
            "Without it a program that asks for IMAP tries the usual port by itself, and what it finds there may be somebody else's.",
            "SRV of _imap._tcp, _pop3._tcp and _submission._tcp of each domain: one that leads to \".\".",
            "Publish _imap._tcp SRV 0 0 0 . and the same for _pop3._tcp and _submission._tcp.",
            "RFC 6186 section 3.4; RFC 2782",
        ],
    ),
];

async fn no_others(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| programs::says_no_to_others(lookup, domain).await)
}

async fn safe(scene: &Scene) -> Finding {
    of_published(scene, Published::is_safe).await
}

async fn agree(scene: &Scene) -> Finding {
    let fits = |told: &Told| fits(scene, told);
    of_published(scene, |published| Some(published.agrees(&fits))).await
}

/// Judges what programs are told of each domain; where that is nothing, `None`.
async fn of_published(scene: &Scene, judge: impl Fn(&Published) -> Option<Is>) -> Finding {
    let (lookup, names) = match (scene.names(), domains(scene)) {
        (Ok(lookup), Ok(names)) => (lookup, names),
        (Err(missed), _) => return missed.into(),
        (_, Err(finding)) => return finding,
    };
    if names.is_empty() {
        return Finding::not_applicable(NO_DOMAINS);
    }
    let web = Web { lookup, port: scene.web_port, anchors: &scene.anchors, now: scene.now };
    let (patience, mut found, mut shown) = (Patience::begins(), Vec::new(), String::new());
    for domain in &names {
        if let Some(is) = patience.ends() {
            found.push((domain.to_string(), is));
            break;
        }
        let is = match patience.within(Box::pin(Published::of(&web, domain))).await {
            Ok(published) => {
                shown.push_str(&format!("{domain}\n{}\n", published.shown()));
                judge(&published)
            }
            Err(late) => Some(late),
        };
        found.extend(is.map(|is| (domain.to_string(), is)));
    }
    worst(found, NOTHING_TOLD).showing("what mail programs are told", shown)
}

/// Whether the server has the door that programs are led to, where it is the server itself that they are led to.
fn fits(scene: &Scene, told: &Told) -> Option<Result<(), String>> {
    let own = Domain::parse_utf8(scene.state.as_ref()?.name.as_deref()?).ok()?;
    if scene.doors.is_empty() || own.as_str() != told.host || !told.is_good() {
        return None;
    }
    let protocol = match told.service {
        Service::Imap => Protocol::Imaps,
        Service::Pop3 => Protocol::Pop3s,
        Service::Submission => Protocol::Submissions,
    };
    let has = scene.doors.iter().any(|door| door.protocol == protocol);
    Some(if has { Ok(()) } else { Err("the server has no such door".to_owned()) })
}

/// Doors that are asked for their certificate, until one shows it.
const ASKED: usize = 3;

async fn certified(scene: &Scene) -> Finding {
    let lookup: &dyn Lookup = match scene.names() {
        Ok(lookup) => lookup,
        Err(missed) => return missed.into(),
    };
    let name = match scene.state() {
        Ok(state) => state.name.as_deref().and_then(|name| Domain::parse_utf8(name).ok()),
        Err(missed) => return missed.into(),
    };
    let Some(name) = name else { return Finding::not_tested("the server doesn't say its name") };
    let mut shown = None;
    for door in scene.doors(TLS).into_iter().take(ASKED) {
        shown = certificates::shown(door).await.ok();
        if shown.is_some() {
            break;
        }
    }
    let is = names::certified_by(lookup, &name, shown.as_ref()).await;
    worst(vec![(name.to_string(), is)], "")
}
