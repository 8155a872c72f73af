//! Questions to doors, and what is found of them.

use super::doors::{At, Trust};
use super::look::{PortSeen, PortState, RelaySeen, plain};
use super::ports::{Port, Speaks};
use super::time::Until;
use super::web;
use crate::doors::{
    LINES, Looked, SMTP, SUBMISSION, Seen, TLS, Us, Waiting, certificates, ciphers, clear, commands, content, joined,
    no_such_door, relay, secured, settled,
};
use crate::finding::Finding;
use crate::scene::{Door, Protocol};
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::{PROBE_DOORS_AT_ONCE, PROBE_QUESTION_TIME};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Where SMTP is spoken to strangers or users.
const SENDING: &[Protocol] = &[Protocol::Smtp, Protocol::Submission, Protocol::Submissions];
/// Where TLS may begin after something was said in clear.
const IN_CLEAR: &[Protocol] =
    &[Protocol::Smtp, Protocol::Submission, Protocol::Imap, Protocol::Pop3, Protocol::ManageSieve];
/// Where users read, or filter, and TLS may begin after something was said in clear.
const READERS_IN_CLEAR: &[Protocol] = &[Protocol::Imap, Protocol::Pop3, Protocol::ManageSieve];

/// Everything that questions may look at.
pub(super) struct Asked<'a> {
    pub(super) us: Us,
    pub(super) recipients: &'a [String],
    pub(super) trust: Trust<'a>,
    pub(super) ports: &'a [PortSeen],
    /// How long doors are asked.
    pub(super) until: Until,
    /// Whether ports that nobody should reach were among those looked at.
    pub(super) looked_inside: bool,
    pub(super) name: &'a str,
}

/// What is found for the question of this name; nothing for those that aren't about doors.
pub(super) async fn ask(asked: &Asked<'_>, at: &mut [At], question: &str) -> Option<Finding> {
    Some(match question {
        "ports.inside" => inside(asked),
        "ports.alike" => alike(asked.ports),
        "doors.answer" => answer(at),
        "relay.refused" => relay_refused(asked, at).await,
        "submission.login" => {
            each(asked, at, SUBMISSION, no_such_door, |us, door| Box::pin(relay::needs_login(us, door))).await
        }
        "smtp.clear-login" => {
            each(asked, at, SENDING, no_such_door, |_, door| Box::pin(secured::no_login_in_clear(door))).await
        }
        "readers.clear-login" => {
            let none = || Finding::pass("no door for readers begins in clear");
            each(asked, at, READERS_IN_CLEAR, none, |_, door| Box::pin(clear::takes_no_password(door))).await
        }
        "starttls.injection" => {
            each(asked, at, IN_CLEAR, no_such_door, |_, door| Box::pin(secured::forgets_what_was_clear(door))).await
        }
        "smtp.message-end" => to_recipients(asked, at, |us, door| Box::pin(content::ends_once(us, door))).await,
        "smtp.hops" => to_recipients(asked, at, |us, door| Box::pin(content::counts_hops(us, door))).await,
        "tls.starttls" => each(asked, at, SMTP, no_such_door, |_, door| Box::pin(certificates::begins_tls(door))).await,
        "tls.versions" => of_taken(at, |door, taken| {
            let list: Vec<_> = taken
                .iter()
                .map(|one| (one.version, one.suites.first().map_or("no suite that we know", |suite| suite.name)))
                .collect();
            ciphers::judge_versions(door, &list)
        }),
        "tls.suites" => of_taken(at, ciphers::judge_ciphers),
        "tls.manners" => each(asked, at, TLS, no_such_door, |_, door| Box::pin(ciphers::good_manners(door))).await,
        "tls.hybrid" => each(asked, at, TLS, no_such_door, |_, door| Box::pin(ciphers::is_hybrid(door))).await,
        "tls.certificate" => certificate(asked, at),
        "smtp.users" => {
            each(asked, at, SMTP, no_such_door, |us, door| Box::pin(commands::tells_no_users(us, door))).await
        }
        "smtp.commands" => {
            each(asked, at, SENDING, no_such_door, |_, door| Box::pin(commands::offers_little(door))).await
        }
        "banner.versions" => {
            each(asked, at, LINES, no_such_door, |_, door| Box::pin(commands::says_no_version(door))).await
        }
        "web.redirect" => Box::pin(web_redirect(asked)).await,
        _ => return None,
    })
}

type Looks = for<'a> fn(&'a Us, &'a Door) -> Looked<'a>;

/// Asks every door of these protocols, each within its time.
async fn each(asked: &Asked<'_>, at: &[At], protocols: &[Protocol], none: fn() -> Finding, look: Looks) -> Finding {
    let mut looks: Vec<Waiting<'_, (&Door, Seen)>> = Vec::new();
    for at in at.iter().filter(|at| protocols.contains(&at.door.protocol)) {
        looks.push(Box::pin(async move {
            let seen = match speechless(at) {
                Some(seen) => seen,
                None => in_time(asked.until, look(&asked.us, &at.door)).await,
            };
            (&at.door, seen)
        }));
    }
    if looks.is_empty() {
        return none();
    }
    joined(stream::iter(looks).buffered(PROBE_DOORS_AT_ONCE).collect().await)
}

/// What is seen at a door that holds no dialogue: it isn't asked again and again.
fn speechless(at: &At) -> Option<Seen> {
    at.no_dialogue().map(|error| Seen::unknown(error.to_owned()))
}

async fn in_time(until: Until, look: Looked<'_>) -> Seen {
    until.within_and(PROBE_QUESTION_TIME, look).await.map_or_else(Seen::unknown, settled)
}

/// Sends to every recipient that was named, at every door for servers.
async fn to_recipients(asked: &Asked<'_>, at: &[At], look: Looks) -> Finding {
    if asked.recipients.is_empty() {
        return Finding::not_tested("no message is sent unless --recipient names who gets it");
    }
    let mut seen: Vec<(&Door, Seen)> = Vec::new();
    for at in at.iter().filter(|at| SMTP.contains(&at.door.protocol)) {
        for recipient in asked.recipients {
            let us = Us { recipient: recipient.clone(), ..asked.us.clone() };
            let looked = match speechless(at) {
                Some(seen) => seen,
                None => in_time(asked.until, look(&us, &at.door)).await,
            };
            seen.push((&at.door, looked));
        }
    }
    if seen.is_empty() { no_such_door() } else { joined(seen) }
}

/// A door by its place in the list, and the attempts that were made there.
type Tried = (usize, Result<Vec<relay::Made>, Seen>);

/// Makes every attempt at every door, and keeps how many came through.
async fn relay_refused(asked: &Asked<'_>, at: &mut [At]) -> Finding {
    let us = &asked.us;
    let mut tried: Vec<Waiting<'_, Tried>> = Vec::new();
    for (number, at) in at.iter().enumerate().filter(|(_, at)| SENDING.contains(&at.door.protocol)) {
        if speechless(at).is_some() {
            continue;
        }
        tried.push(Box::pin(async move {
            let attempts = Box::pin(relay::attempts(us, &at.door));
            let tried = asked.until.within_and(PROBE_QUESTION_TIME, attempts).await;
            (number, tried.map_or_else(|late| Err(Seen::unknown(late)), |made| made.map_err(Seen::from)))
        }));
    }
    let all: Vec<_> = stream::iter(tried).buffered(PROBE_DOORS_AT_ONCE).collect().await;
    for (number, made) in &all {
        if let (Ok(made), Some(at)) = (made, at.get_mut(*number)) {
            let of = |outcome: relay::Outcome| made.iter().filter(|one| one.outcome() == outcome).count();
            at.seen.relay = Some(RelaySeen {
                attempts: made.len(),
                through: of(relay::Outcome::Through),
                unclear: of(relay::Outcome::Unclear),
            });
        }
    }
    let mut seen: Vec<(&Door, Seen)> = Vec::new();
    for at in at.iter().filter(|at| SENDING.contains(&at.door.protocol)) {
        seen.extend(speechless(at).map(|seen| (&at.door, seen)));
    }
    seen.extend(all.into_iter().filter_map(|(number, made)| {
        let door = &at.get(number)?.door;
        Some((door, made.map_or_else(|seen| seen, |made| relay::told(door, &made))))
    }));
    if seen.is_empty() { no_such_door() } else { joined(seen) }
}

/// Judges what of TLS was found before.
fn of_taken(at: &[At], judge: impl Fn(&Door, &[ciphers::Taken]) -> Seen) -> Finding {
    let seen: Vec<(&Door, Seen)> = at
        .iter()
        .filter_map(|at| {
            let seen = match at.taken.as_ref()? {
                Ok(taken) => judge(&at.door, taken),
                Err(error) => Seen::from(error.clone()),
            };
            Some((&at.door, seen))
        })
        .collect();
    if seen.is_empty() { no_tls(at) } else { joined(seen) }
}

fn certificate(asked: &Asked<'_>, at: &[At]) -> Finding {
    let shown: Vec<_> = at.iter().filter_map(|at| Some((&at.door, at.shown.clone()?))).collect();
    if shown.is_empty() {
        return no_tls(at);
    }
    certificates::together(&shown, asked.trust.anchors, asked.trust.now)
}

/// What is found where no door begins TLS.
fn no_tls(at: &[At]) -> Finding {
    match at.iter().find_map(|at| at.seen.error.clone()) {
        Some(error) => Finding::not_tested(error),
        None => Finding::not_applicable("no door begins TLS"),
    }
}

/// Whether what listens at ports of mail speaks at all.
fn answer(at: &[At]) -> Finding {
    let seen = at.iter().map(|at| {
        let seen = match &at.seen.error {
            Some(error) => Seen::bad(error.clone()),
            None => Seen::good(at.seen.banner.clone().unwrap_or_default()),
        };
        (&at.door, seen)
    });
    let seen: Vec<(&Door, Seen)> = seen.collect();
    if seen.is_empty() { no_such_door() } else { joined(seen) }
}

/// Whether what is for this host alone can be reached.
fn inside(asked: &Asked<'_>) -> Finding {
    if !asked.looked_inside {
        return Finding::not_tested("only ports that --ports lists were looked at, and none of them is such a port");
    }
    let all: Vec<&PortSeen> = asked.ports.iter().filter(|port| port.role.is_none()).collect();
    let list = all.iter().map(|port| format!("{}: {}", socket(port), port.state.word())).collect::<Vec<_>>().join("\n");
    let open: Vec<String> = all
        .iter()
        .filter(|port| port.state == PortState::Open)
        .map(|port| format!("{} is open ({})", socket(port), Port::inside(port.port)))
        .collect();
    let finding = if !open.is_empty() {
        Finding::fail(open.join("; "))
    } else if all.iter().any(|port| port.state == PortState::Untried) {
        Finding::not_tested(asked.until.over())
    } else if asked.ports.iter().all(|port| port.state == PortState::Unreachable) {
        Finding::not_tested("no port can be reached from here")
    } else {
        Finding::pass(format!("none of {} is open", all.len()))
    };
    finding.showing("ports", list)
}

fn socket(port: &PortSeen) -> SocketAddr {
    SocketAddr::new(port.address, port.port)
}

/// Whether every address has the same ports of mail open.
fn alike(ports: &[PortSeen]) -> Finding {
    let mut open: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
    for port in ports {
        let at = open.entry(port.address).or_default();
        if let (Some(role), PortState::Open) = (port.role, port.state) {
            at.insert(role);
        }
    }
    let list = |ports: &BTreeSet<u16>| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let shown =
        open.iter().map(|(address, ports)| format!("{address}: {}", list(ports))).collect::<Vec<_>>().join("\n");
    let everywhere: BTreeSet<u16> = open.values().flatten().copied().collect();
    let mut bad = Vec::new();
    for (address, ports) in &open {
        let missing: BTreeSet<u16> = everywhere.difference(ports).copied().collect();
        if !missing.is_empty() {
            bad.push(format!("{address} doesn't have {}, which another address has", list(&missing)));
        }
    }
    let looked_for_mail = ports.iter().any(|port| port.role == Some(25));
    if looked_for_mail && !everywhere.contains(&25) {
        bad.push("nobody listens at port 25".to_owned());
    }
    let finding = if open.is_empty() {
        Finding::not_tested("no port was looked at")
    } else if ports.iter().any(|port| port.role.is_some() && port.state == PortState::Untried) {
        Finding::not_tested("not every port was tried in time")
    } else if bad.is_empty() {
        Finding::pass(format!("every address has {}", list(&everywhere)))
    } else {
        Finding::fail(bad.join("; "))
    };
    finding.showing("open ports of mail", shown)
}

/// Where plain HTTP leads.
async fn web_redirect(asked: &Asked<'_>) -> Finding {
    let is_http = |port: &&PortSeen| {
        port.state == PortState::Open && Port { number: port.port, role: port.role }.speaks() == Some(Speaks::Http)
    };
    let (mut bad, mut unknown, mut good, mut shown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for port in asked.ports.iter().filter(is_http) {
        let at = socket(port);
        let page = asked.until.within_and(PROBE_QUESTION_TIME, Box::pin(web::in_clear(at, asked.name))).await;
        match page.and_then(|page| page.map_err(|error| error.to_string())) {
            Ok(page) => {
                shown.push(format!("{at}: {}", page.banner()));
                let leads = page.location.as_deref().is_some_and(|to| to.starts_with("https://"));
                match page.status {
                    300..=399 if leads => good.push(format!("{at} leads to HTTPS")),
                    // Nothing is served: as good as a redirection.
                    400..=499 => good.push(format!("{at} serves nothing ({})", page.status)),
                    _ => bad.push(format!("{at} answers {}", page.banner())),
                }
            }
            Err(error) => unknown.push(format!("{at}: {}", plain(&error))),
        }
    }
    let finding = if !bad.is_empty() {
        Finding::fail(bad.join("; "))
    } else if !unknown.is_empty() {
        Finding::not_tested(unknown.join("; "))
    } else if good.is_empty() {
        return Finding::not_applicable("plain HTTP isn't served");
    } else {
        Finding::pass(good.join("; "))
    };
    finding.showing("plain HTTP", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_never_answered_ends_unknown() {
        let before = Instant::now();
        let (until, _) = Until::of(PROBE_QUESTION_TIME * 2, false);
        let seen = in_time(until, Box::pin(std::future::pending())).await;
        assert_eq!(before.elapsed(), PROBE_QUESTION_TIME);
        assert_eq!(seen.grade, crate::doors::Grade::Unknown);
    }
}
