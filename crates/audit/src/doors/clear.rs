//! What readers' doors take and say before TLS.

use super::secured::forgets_what_was_clear;
use super::{Grade, Seen};
use crate::knock::{Answer, Kind, KnockError, Talk};
use crate::scene::{Door, Protocol};

/// A name that nobody has; no password is ever said with it.
const NOBODY: &str = "nobody@audit.invalid";

/// Every way to log in, before TLS.
pub(crate) async fn takes_no_password(door: &Door) -> Result<Seen, KnockError> {
    let mut bad = Vec::new();
    let mut talk = Talk::open(door).await?;
    let features = talk.features().await?;
    if door.protocol == Protocol::Imap {
        if !features.iter().any(|feature| feature == "LOGINDISABLED") {
            bad.push("LOGINDISABLED isn't named".to_owned());
        }
        bad.extend(features.iter().filter(|one| one.starts_with("AUTH=")).map(|one| format!("{one} is offered")));
        // A server that looks at a password says that it is wrong; one that doesn't says something else.
        match unless_gone(talk.ask(&format!("LOGIN {NOBODY} x")).await)? {
            Some(answer) if answer.kind == Kind::Yes || answer.whole().contains("AUTHENTICATIONFAILED") => {
                bad.push(format!("LOGIN is tried: {}", answer.text()));
            }
            _ => {}
        }
    } else if door.protocol == Protocol::ManageSieve {
        // RFC 5804 §1.7: an empty list where nobody logs in yet.
        let offered = features.iter().filter(|one| one.starts_with("SASL "));
        bad.extend(offered.map(|one| format!("{one} is offered")));
    } else {
        let offered = features.iter().filter(|one| *one == "USER" || one.starts_with("SASL "));
        bad.extend(offered.map(|one| format!("{one} is offered")));
        if talk.greeting().whole().contains('@') && talk.greeting().whole().contains('<') {
            bad.push("APOP is offered".to_owned());
        }
        if let Some(answer) = unless_gone(talk.ask(&format!("USER {NOBODY}")).await)?
            && answer.kind == Kind::Yes
        {
            bad.push(format!("USER is taken: {}", answer.text()));
        }
    }
    // A session of its own: too many refusals may have ended the first.
    let mut sasl = Talk::open(door).await?;
    if let Some(answer) = unless_gone(sasl.begin_sasl("PLAIN").await)?
        && answer.kind == Kind::More
    {
        bad.push(format!("{} PLAIN asks for a password", sasl.sasl()));
    }
    Ok(Seen::unless(&bad, "no way to log in is offered or taken before TLS").heard(door, &talk).heard(door, &sasl))
}

/// `None` if it hangs up instead.
fn unless_gone(answer: Result<Answer, KnockError>) -> Result<Option<Answer>, KnockError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(KnockError::Closed) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Injection, PREAUTH, and features that are told anew.
pub(crate) async fn begins_anew(door: &Door) -> Result<Seen, KnockError> {
    let forgets = forgets_what_was_clear(door).await?;
    if forgets.grade != Grade::Good {
        return Ok(forgets);
    }
    let mut bad = Vec::new();
    let mut talk = Talk::secured(door).await?;
    if talk.greeting().whole().to_ascii_uppercase().contains("* PREAUTH") {
        bad.push("the greeting is PREAUTH".to_owned());
    }
    let features = talk.features().await?;
    for old in ["STARTTLS", "STLS", "LOGINDISABLED"] {
        if features.iter().any(|feature| feature == old) {
            bad.push(format!("{old} is still named under TLS"));
        }
    }
    if !features
        .iter()
        .any(|one| one.starts_with("AUTH=") || one.starts_with("SASL") || one == "USER" || one == "IMAP4REV1")
    {
        bad.push("no way to log in is named under TLS".to_owned());
    }
    let mut found = Seen::unless(&bad, format!("{}; it begins anew under TLS", forgets.said)).heard(door, &talk);
    found.exhibits.extend(forgets.exhibits);
    Ok(found)
}
