//! What becomes of mail that is forwarded: whether others can believe what is said of it, and whether it goes round.

use crate::control::{Control, Needs};
use crate::doors::made_so;
use crate::finding::Finding;
use crate::inject::sink::{Caught, Sent, Sink};
use crate::inject::{By, Trial, injected, specimens};
use crate::names::{Is, texts};
use crate::scene::Scene;
use mailward_core::{Address, Domain};
use mailward_dns::Lookup;
use mailward_inspect::authenticate::Reading;

pub(in crate::controls) const FORWARDED: &[Control] = &[
    injected!(
        Filtering,
        "FLT-18",
        5,
        None,
        None,
        "Does mail that two servers forward to each other end at once?",
        "Two addresses that lead to each other send one message round and round, until disks and lines of both are full of it.",
        "A stranger's message to an address that leads to a sink of the audit's is forwarded. The sink gives it back to that address, as a server does that \
         forwards as well: it must be refused for good. There is no Sieve in this version, whose limits would be tried here, too.",
        made_so!("Mailward marks what it forwards with Delivered-To, and refuses what has its own mark (docs/forwarding.md)"),
        "RFC 5228 section 10.1; RFC 5321 section 6.3",
        |scene| ends(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Encryption,
        "ENC-23",
        2,
        None,
        None,
        "Is mail that is forwarded sealed, by a seal that others can verify?",
        "Forwarding breaks what proves who a message is from. Without a seal that holds, large providers take forwarded mail for forged.",
        "A stranger's message to an address that leads to a sink of the audit's is forwarded. At the sink it must have a chain of ARC that holds, by the keys in \
         the DNS, whose last seal is of the address's domain.",
        "Publish what `mailward dkim show` prints for the address's domain; docs/forwarding.md.",
        "RFC 8617; M3AAWG Email Authentication Best Practices",
        |scene| sealed(scene),
    )
    .needing(Needs::Mail),
];

/// A message that was forwarded, and where it came from.
struct Forwarded<'a> {
    trial: Trial<'a>,
    sink: Sink,
    caught: Caught,
}

async fn forwarded<'a>(scene: &'a Scene, id: &str) -> Result<Forwarded<'a>, Finding> {
    let trial = Trial::by(By::Stranger, scene)?;
    let sink = Sink::behind(&trial).await?;
    let plain = specimens::plain();
    let marker = trial.marker(id, plain.name);
    let message = trial.message(&marker, &marker, &trial.plainly(), &plain.content);
    match sink.catch(&trial, &message).await {
        Ok(Sent::Came(caught)) => Ok(Forwarded { trial, sink, caught }),
        Ok(other) => Err(Finding::not_tested(format!("a harmless message isn't forwarded: {other:?}"))),
        Err(error) => Err(Finding::not_tested(format!("{}: {error}", trial.door))),
    }
}

async fn ends(scene: &Scene) -> Finding {
    let Forwarded { trial, sink, caught } = match forwarded(scene, "FLT-18").await {
        Ok(forwarded) => forwarded,
        Err(finding) => return finding,
    };
    let finding = match sink.catch(&trial, &caught.message).await {
        Ok(Sent::Refused(said)) if said.starts_with('5') => {
            Finding::pass(format!("what was forwarded before is refused: {said}"))
        }
        Ok(Sent::Came(_)) => Finding::fail("what was forwarded before is forwarded again"),
        Ok(Sent::Refused(said)) => Finding::fail(format!("what was forwarded before is to come again: {said}")),
        Ok(Sent::Left | Sent::Lost) => {
            Finding::not_tested("what was forwarded before is taken, and doesn't come again in time")
        }
        Err(error) => Finding::not_tested(format!("{}: {error}", trial.door)),
    };
    finding.showing("the header as it was forwarded", header(&caught.message))
}

async fn sealed(scene: &Scene) -> Finding {
    let lookup = match scene.names() {
        Ok(lookup) => lookup,
        Err(missed) => return missed.into(),
    };
    let Forwarded { sink, caught, .. } = match forwarded(scene, "ENC-23").await {
        Ok(forwarded) => forwarded,
        Err(finding) => return finding,
    };
    let ours = Address::parse(sink.recipient(), false).ok().and_then(|address| address.domain().cloned());
    let Some(ours) = ours else { return Finding::error("the address that forwards has no domain") };
    holds(scene, lookup, &caught, &ours).await.showing("the header as it was forwarded", header(&caught.message))
}

async fn holds(scene: &Scene, lookup: &dyn Lookup, caught: &Caught, ours: &Domain) -> Finding {
    // A key that can't be looked up now makes no seal a bad one.
    let keys = scene.state.as_ref().and_then(|state| state.dkim.get(ours.as_str()));
    for key in keys.into_iter().flatten() {
        if let Err(Is::Unknown(why)) = texts(lookup, &format!("{}._domainkey", key.selector), ours).await {
            return Finding::not_tested(why);
        }
    }
    let mut reading = Reading::new();
    reading.push(&caught.message);
    let chain = reading.verify(lookup, scene.now).await.arc;
    match (chain.highest, chain.sealer) {
        (0, _) => Finding::fail("it has no seal"),
        // Nobody, unless the chain holds.
        (_, None) => Finding::fail(format!("its seal doesn't hold: {}", chain.why)),
        (_, Some(sealer)) if sealer == *ours => Finding::pass(format!("a seal of {ours} holds")),
        (_, Some(sealer)) => Finding::fail(format!("its last seal is of {sealer}, and not of {ours}")),
    }
}

fn header(message: &[u8]) -> Vec<u8> {
    let lines = message.split_inclusive(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    lines.flatten().copied().collect()
}
