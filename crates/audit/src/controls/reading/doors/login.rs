//! Ways to log in.

use super::no_canary;
use crate::doors::Seen;
use crate::knock::{Binding, Kind, KnockError, Talk, scram_login};
use crate::scene::{Door, Scene};

const GOOD: [&str; 3] = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER"];
const OLD: [&str; 3] = ["NTLM", "CRAM-MD5", "DIGEST-MD5"];

/// The mechanisms of SASL that features name.
fn mechanisms(features: &[String]) -> Vec<&str> {
    let imap = features.iter().filter_map(|feature| feature.strip_prefix("AUTH="));
    let pop3 = features.iter().filter_map(|feature| feature.strip_prefix("SASL ")).flat_map(|list| list.split(' '));
    imap.chain(pop3).collect()
}

pub(super) async fn offers_good_ways(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::secured(door).await?;
    let features = talk.features().await?;
    let offered = mechanisms(&features);
    let mut bad = Vec::new();
    if !offered.iter().any(|one| GOOD.contains(one)) {
        bad.push("neither SCRAM-SHA-256 nor OAUTHBEARER is offered".to_owned());
    }
    bad.extend(offered.iter().filter(|one| OLD.contains(one)).map(|one| format!("{one} is offered")));
    let greeting = talk.greeting().whole();
    if greeting.starts_with("+OK") && greeting.contains('<') && greeting.contains('@') {
        bad.push("APOP is offered".to_owned());
    }
    Ok(Seen::unless(&bad, offered.join(" ")).heard(door, &talk))
}

pub(super) async fn looks_at_binding(scene: &Scene, door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::secured(door).await?;
    let features = talk.features().await?;
    if !mechanisms(&features).contains(&"SCRAM-SHA-256-PLUS") {
        return Ok(Seen::nothing("no login that is bound to TLS is offered").heard(door, &talk));
    }
    let Some(account) = &scene.canary else { return Ok(no_canary()) };
    let password = account.password.expose();
    let right = scram_login(&mut talk, &account.address, password, Binding::Exporter).await?;
    if right.kind != Kind::Yes {
        let said = format!("even with the right binding the login is refused: {}", right.text());
        return Ok(Seen::unknown(said).heard(door, &talk));
    }
    let mut other = Talk::secured(door).await?;
    let wrong = match scram_login(&mut other, &account.address, password, Binding::Wrong).await {
        Ok(answer) => answer.kind,
        Err(KnockError::Closed) => Kind::No,
        Err(error) => return Err(error),
    };
    Ok(match wrong {
        Kind::Yes => Seen::bad("a login is taken that is bound to another session"),
        Kind::No => Seen::good("the binding is looked at"),
        _ => Seen::unknown("neither yes nor no to a wrong binding"),
    }
    .heard(door, &talk)
    .heard(door, &other))
}

pub(super) async fn breaks_alone(door: &Door) -> Result<Seen, KnockError> {
    let mut other = Talk::secured(door).await?;
    let features = other.features().await?;
    let mut talk = Talk::secured(door).await?;
    let offered = mechanisms(&features);
    // Whichever asks for something first.
    let Some(mechanism) = ["PLAIN", "LOGIN", "SCRAM-SHA-256"].into_iter().find(|one| offered.contains(one)) else {
        return Ok(Seen::nothing("no login by SASL is offered that can be broken so").heard(door, &other));
    };
    let begun = talk.begin_sasl(mechanism).await?;
    if begun.kind != Kind::More {
        return Ok(Seen::unknown(format!("{mechanism} doesn't begin: {}", begun.text())).heard(door, &talk));
    }
    let broken = match talk.reply("!!!=not base64", "!!!=not base64").await {
        Ok(answer) => answer.kind,
        Err(KnockError::Closed) => Kind::No,
        Err(error) => return Err(error),
    };
    let alive = other.hello().await;
    Ok(match (broken, alive) {
        (_, Err(KnockError::Closed)) => Seen::bad("a broken login ends another session"),
        (_, Err(error)) => return Err(error),
        (Kind::Yes | Kind::More, Ok(_)) => Seen::bad("what isn't base64 is taken"),
        (_, Ok(_)) => Seen::good("a broken login ends at most its own session"),
    }
    .heard(door, &talk)
    .heard(door, &other))
}
