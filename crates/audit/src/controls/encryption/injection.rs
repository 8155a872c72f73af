//! Whether what is sent proves that it is ours.

use crate::control::Control;
use crate::controls::services::message;
use crate::finding::Finding;
use crate::inject::sink::{Caught, Kind, Sent, Sink};
use crate::inject::{By, Trial, injected};
use crate::scene::Scene;
use mailward_core::{Address, Domain, SpfResult};
use mailward_dns::Lookup;
use mailward_inspect::authenticate::{Reading, Verdict};
use mailward_inspect::spf::{SpfAsked, check_host};
use mailward_sts::is_public;
use std::net::IpAddr;

pub(in crate::controls) const INJECTION: &[Control] = &[injected!(
    Encryption,
    "ENC-07",
    10,
    None,
    None,
    "Does mail that is sent prove by SPF and by a signature that it is of its author's domain?",
    "Large providers refuse what proves neither, and treat what proves one alone as a stranger's the day it is forwarded.",
    "The audit's account sends a message to a sink of the audit's. A signature of the author's own domain must hold, by the key in the DNS; and SPF of the \
     envelope's domain, which has to be the author's, must pass for every public address of the server's name.",
    "Publish what `mailward dkim show` prints, and an SPF record that names this server: `mailward setup` prints one.",
    "sender requirements of large providers, 2024 and 2025; RFC 9989",
    |scene| proven(scene),
)];

async fn proven(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::User, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let lookup = match scene.names() {
        Ok(lookup) => lookup,
        Err(missed) => return missed.into(),
    };
    let sink = match Sink::open(&trial, Kind::Plain).await {
        Ok(sink) => sink,
        Err(finding) => return finding,
    };
    let sent = message(&trial, &trial.marker("ENC-07", "harmless"), "A trial of the audit's.\r\n");
    let caught = match sink.catch(&trial, &sent).await {
        Ok(Sent::Came(caught)) => caught,
        Ok(other) => return Finding::not_tested(format!("a message to elsewhere doesn't come: {other:?}")),
        Err(error) => return Finding::not_tested(format!("{}: {error}", trial.door)),
    };
    let header = caught.message.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let header: Vec<u8> = header.flat_map(|line| [line, b"\n"].concat()).collect();
    let Ok(author) = Address::parse(&trial.account.address, false) else {
        return Finding::error("the audit's account has no address");
    };
    let Some(author) = author.domain().cloned() else { return Finding::error("the audit's account has no domain") };
    let (dkim, spf) =
        (signed(scene, lookup, &caught, &author).await, sent_by_us(scene, lookup, &caught, &author).await);
    let finding = match (&dkim, &spf) {
        (Is::Unknown(why), _) | (_, Is::Unknown(why)) => Finding::not_tested(why.clone()),
        _ => {
            let good = [&dkim, &spf].iter().filter(|is| matches!(is, Is::Good(_))).count();
            Finding::of(good, 2, format!("{}; {}", dkim.words(), spf.words()))
        }
    };
    finding.showing("the header as it came", header)
}

/// What one proof is worth.
enum Is {
    Good(String),
    Bad(String),
    Unknown(String),
}

impl Is {
    fn words(&self) -> &str {
        match self {
            Is::Good(words) | Is::Bad(words) | Is::Unknown(words) => words,
        }
    }
}

async fn signed(scene: &Scene, lookup: &dyn Lookup, caught: &Caught, author: &Domain) -> Is {
    let mut reading = Reading::new();
    reading.push(&caught.message);
    let results = reading.verify(lookup, scene.now).await;
    let own: Vec<_> =
        results.dkim.iter().filter(|one| one.signer.as_ref().is_some_and(|(domain, _)| domain == author)).collect();
    if own.iter().any(|one| one.verdict == Verdict::Pass) {
        return Is::Good(format!("a signature of {author} holds"));
    }
    match own.first() {
        None => Is::Bad(format!("it has no signature of {author}")),
        Some(one) if own.iter().any(|one| one.verdict == Verdict::TempError) => {
            Is::Unknown(format!("its signature: {}", one.why))
        }
        Some(one) => Is::Bad(format!("no signature of {author} holds: {}", one.why)),
    }
}

async fn sent_by_us(scene: &Scene, lookup: &dyn Lookup, caught: &Caught, author: &Domain) -> Is {
    let Ok(sender) = Address::parse(&caught.sender, false) else {
        return Is::Bad(format!("its envelope is of nobody ({})", caught.sender.escape_debug()));
    };
    if sender.domain() != Some(author) {
        return Is::Bad(format!("its envelope is of another domain than its author's: {sender}"));
    }
    let own = scene.state.as_ref().and_then(|state| Domain::parse_utf8(state.name.as_deref()?).ok());
    let Some(own) = own else { return Is::Unknown("the server doesn't say its name".to_owned()) };
    let addresses: Vec<IpAddr> = match lookup.addresses(&own).await {
        Ok(found) => found.records.into_iter().filter(|address| is_public(*address)).collect(),
        Err(error) => return Is::Unknown(error.to_string()),
    };
    if addresses.is_empty() {
        return Is::Unknown(format!("{own} has no public address that mail could come from"));
    }
    for ip in &addresses {
        let asked = SpfAsked { ip: *ip, hello: own.as_str(), sender: Some(&sender), hostname: &own, now: scene.now };
        let outcome = check_host(lookup, &asked).await;
        match outcome.result {
            SpfResult::Pass => {}
            SpfResult::TempError => return Is::Unknown(format!("SPF for {ip}: {}", outcome.why)),
            other => return Is::Bad(format!("SPF for {ip} says {other}: {}", outcome.why)),
        }
    }
    Is::Good(format!("SPF passes for {} addresses", addresses.len()))
}
