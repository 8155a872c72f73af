//! Whether TLS begins, and what certificates prove.

use super::{Grade, Seen, TLS, Waiting, no_such_door};
use crate::finding::Finding;
use crate::knock::{Anchors, Certificate, KnockError, Offer, Shown, Talk, certificate, judge};
use crate::scene::{Door, Scene};
use futures_util::stream::{self, StreamExt as _};
use mailward_core::Timestamp;
use mailward_core::limits::KNOCK_AT_ONCE;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Days that a certificate must be good for yet: time to notice and to mend.
const DAYS_LEFT: i64 = 14;

/// STARTTLS at a door for servers.
pub(crate) async fn begins_tls(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::open(door).await?;
    let features = talk.features().await?;
    if !features.iter().any(|feature| feature == "STARTTLS") {
        return Ok(Seen::bad("STARTTLS isn't offered").heard(door, &talk));
    }
    Ok(match Talk::secured(door).await {
        Ok(mut secured) => {
            let shown = secured.wire().shown().map(|shown| format!("{} {}", shown.version, shown.suite));
            Seen::good(format!("TLS begins: {}", shown.unwrap_or_default())).heard(door, &secured)
        }
        Err(KnockError::Refused("STARTTLS", said)) => {
            Seen::bad(format!("STARTTLS is offered, and refused: {said}")).heard(door, &talk)
        }
        // That we can't agree doesn't tell that nobody can.
        Err(other) => Seen::unknown(other.to_string()).heard(door, &talk),
    })
}

/// Every door's certificate, and whether they are one.
pub(crate) async fn good_everywhere(scene: &Scene) -> Finding {
    if scene.doors.is_empty() {
        return Finding::not_tested("no door is known: the server doesn't run, or couldn't say where it listens");
    }
    let doors = scene.doors(TLS);
    if doors.is_empty() {
        return no_such_door();
    }
    let mut each: Vec<Waiting<'_, (&Door, Result<Shown, KnockError>)>> = Vec::new();
    for door in doors {
        each.push(Box::pin(async move { (door, shown(door).await) }));
    }
    let all: Vec<(&Door, Result<Shown, KnockError>)> = stream::iter(each).buffered(KNOCK_AT_ONCE).collect().await;
    together(&all, &scene.anchors, scene.now)
}

/// Whether what every door shows is good, and the same.
pub(crate) fn together(all: &[(&Door, Result<Shown, KnockError>)], anchors: &Anchors, now: Timestamp) -> Finding {
    if anchors.is_empty() {
        return Finding::not_tested("this host trusts no authority (Debian: apt-get install ca-certificates)");
    }
    let (mut bad, mut unknown, mut good) = (Vec::new(), Vec::new(), Vec::new());
    let (mut serials, mut exhibits) = (BTreeSet::new(), Vec::new());
    for (door, shown) in all {
        let seen = match shown {
            Ok(shown) => judged(anchors, now, door, shown, &mut serials),
            Err(error) => Seen::from(error.clone()),
        };
        let told = format!("{door}: {}", seen.said);
        match seen.grade {
            Grade::Bad => bad.push(told),
            Grade::Unknown => unknown.push(told),
            Grade::Good => good.push(told),
            // A door without TLS shows no certificate; whether it should is another question.
            Grade::Nothing => {}
        }
        exhibits.extend(seen.exhibits);
    }
    if serials.len() > 1 {
        bad.push(format!("the doors show {} different certificates", serials.len()));
    }
    let finding = if !bad.is_empty() {
        Finding::fail(bad.join(" / "))
    } else if !unknown.is_empty() || good.is_empty() {
        unknown.push(if good.is_empty() { "no door began TLS".to_owned() } else { "the others are good".to_owned() });
        Finding::not_tested(unknown.join(" / "))
    } else {
        Finding::pass(good.join(" / "))
    };
    finding.showing_all(exhibits)
}

/// No greeting is needed to see a certificate.
pub(crate) async fn shown(door: &Door) -> Result<Shown, KnockError> {
    let mut wire = Talk::up_to_tls(door).await?;
    wire.start_tls(&door.name, Offer::default()).await.cloned()
}

fn judged(anchors: &Anchors, now: Timestamp, door: &Door, shown: &Shown, serials: &mut BTreeSet<String>) -> Seen {
    let read: Result<Vec<Certificate>, KnockError> = shown.chain.iter().map(|der| certificate(der)).collect();
    let Ok(read) = read else { return Seen::bad("what it shows can't be read as certificates") };
    let Some(own) = read.first() else { return Seen::bad("it shows no certificate") };
    serials.insert(own.serial.clone());
    let mut bad = Vec::new();
    if let Err(why) = judge(&shown.chain, &door.name, anchors, now) {
        bad.push(format!("for {}: {why}", door.name));
    }
    let left = days(now, own.until);
    if left < DAYS_LEFT {
        bad.push(format!("{left} days are left"));
    }
    if !own.key.is_strong() {
        bad.push(format!("its key is {}", own.key));
    }
    // What an authority says of itself is believed because it is ours to believe, not for its signature.
    if !own.is_signed_well() || read.iter().skip(1).rev().skip(1).any(|above| !above.is_signed_well()) {
        bad.push(format!("it is signed with an old algorithm ({})", own.signature));
    }
    let mut list = format!("{} {}\n", shown.version, shown.suite);
    for one in &read {
        let _infallible = writeln!(
            list,
            "serial {} from {} until {} key {} signature {} names {:?}",
            one.serial,
            one.from.text(),
            one.until.text(),
            one.key,
            one.signature,
            one.names
        );
    }
    Seen::unless(&bad, format!("good for {left} days, {}", own.key)).showing(format!("{door}, certificates"), list)
}

/// Whole days from one time to another; less than 0 if that is over.
pub(crate) fn days(from: Timestamp, until: Timestamp) -> i64 {
    until.0.saturating_sub(from.0).div_euclid(86_400_000)
}
