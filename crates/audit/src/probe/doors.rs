//! What doors say and take, before it is judged: a dialogue in clear, one under TLS, and what of TLS there is.

use super::look::{CertificateSeen, DoorSeen, TlsSeen, VersionSeen, plain, plain_bytes};
use super::time::Until;
use super::web;
use crate::doors::certificates::{days, shown};
use crate::doors::ciphers::{Taken, all_taken};
use crate::knock::{Anchors, Answer, Certificate, Key, KnockError, Shown, Talk, certificate, judge};
use crate::record::sha256;
use crate::scene::{Door, Protocol};
use mailward_core::Timestamp;
use mailward_core::limits::PROBE_FEATURES_MAX;

/// A door, and all that is known of it.
pub(super) struct At {
    pub(super) door: Door,
    pub(super) seen: DoorSeen,
    /// What it showed when TLS began; nothing where TLS wasn't looked at.
    pub(super) shown: Option<Result<Shown, KnockError>>,
    /// What of TLS it takes.
    pub(super) taken: Option<Result<Vec<Taken>, KnockError>>,
}

impl At {
    /// Why no dialogue came about: nothing was heard, or it broke before the server said what it can.
    pub(super) fn no_dialogue(&self) -> Option<&str> {
        self.seen.error.as_deref().filter(|_| self.seen.features.is_none())
    }
}

/// What a look needs to know to judge certificates.
#[derive(Clone, Copy)]
pub(super) struct Trust<'a> {
    pub(super) anchors: &'a Anchors,
    pub(super) now: Timestamp,
    /// How long doors are talked to.
    pub(super) until: Until,
}

/// Talks to a door; `domain` is whose postmaster is asked for.
pub(super) async fn talk_to(door: Door, role: u16, domain: &str, trust: Trust<'_>, looks_at_tls: bool) -> At {
    let mut seen = DoorSeen {
        address: door.address.ip(),
        port: door.address.port(),
        role,
        protocol: door.protocol.word().to_owned(),
        banner: None,
        error: None,
        features: None,
        features_tls: None,
        starttls: None,
        auth_clear: None,
        auth_tls: None,
        vrfy: None,
        expn: None,
        relay: None,
        tls: None,
        certificate: None,
    };
    let until = trust.until;
    let heard = until.within(first_words(&door, domain, &mut seen)).await;
    match heard {
        Some(Ok(())) => {}
        Some(Err(error)) => seen.error = Some(plain(&error.to_string())),
        None => seen.error = Some(until.over()),
    }
    let mut at = At { door, seen, shown: None, taken: None };
    if !looks_at_tls {
        return at;
    }
    // Who says nothing has nothing to show; who offers no TLS neither.
    let is_mute = at.no_dialogue().is_some() && at.door.protocol != Protocol::Https;
    if is_mute || at.seen.starttls == Some(false) {
        return at;
    }
    let late = || KnockError::Tls(until.over());
    let showed = until.within(shown(&at.door)).await.unwrap_or_else(|| Err(late()));
    if let Ok(showed) = &showed {
        at.seen.certificate = certificate_of(showed, &at.door, trust);
    }
    let taken = until.within(all_taken(&at.door)).await.unwrap_or_else(|| Err(late()));
    if let Ok(taken) = &taken {
        at.seen.tls = Some(tls_of(taken));
    }
    (at.shown, at.taken) = (Some(showed), Some(taken));
    at
}

/// What it says to whoever comes.
async fn first_words(door: &Door, domain: &str, seen: &mut DoorSeen) -> Result<(), KnockError> {
    if door.protocol == Protocol::Https {
        seen.banner = Some(web::first_lines(door, &door.name).await?.banner());
        return Ok(());
    }
    dialogue(door, domain, seen).await
}

/// What is said to a stranger, before TLS and after it.
async fn dialogue(door: &Door, domain: &str, seen: &mut DoorSeen) -> Result<(), KnockError> {
    let mut talk = Talk::open(door).await?;
    let first = talk.greeting().lines.first().map(|line| plain_bytes(line));
    seen.banner = first;
    let features = match talk.hello().await {
        Ok(answer) => features_of(&answer),
        // POP3 need not have CAPA (RFC 2449 §1), nor SMTP EHLO.
        Err(KnockError::Refused(..)) => Vec::new(),
        Err(other) => return Err(other),
    };
    let is_smtp = matches!(door.protocol, Protocol::Smtp | Protocol::Submission | Protocol::Submissions);
    let begins_with_tls = door.protocol.begins_with_tls();
    if begins_with_tls {
        seen.auth_tls = Some(logins(door.protocol, &features));
    } else {
        seen.auth_clear = Some(logins(door.protocol, &features));
        seen.starttls = Some(features.iter().any(|one| one == "STARTTLS" || one == "STLS"));
    }
    seen.features = Some(features);
    if is_smtp {
        let postmaster = format!("postmaster@{domain}");
        seen.vrfy = answered(&mut talk, &format!("VRFY {postmaster}")).await?;
        seen.expn = answered(&mut talk, &format!("EXPN {postmaster}")).await?;
    }
    drop(talk);
    if seen.starttls == Some(true) {
        match Talk::secured(door).await {
            Ok(mut talk) => {
                let features = features_of(&talk.hello().await?);
                seen.auth_tls = Some(logins(door.protocol, &features));
                seen.features_tls = Some(features);
            }
            // Whether it should is another question.
            Err(KnockError::Refused("STARTTLS", _) | KnockError::Tls(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// Nothing if it hangs up instead.
async fn answered(talk: &mut Talk, command: &str) -> Result<Option<String>, KnockError> {
    match talk.ask(command).await {
        Ok(answer) => Ok(Some(plain(&answer.text()))),
        Err(KnockError::Closed) => Ok(None),
        Err(other) => Err(other),
    }
}

fn features_of(answer: &Answer) -> Vec<String> {
    answer.features().iter().take(PROBE_FEATURES_MAX).map(|one| plain(one)).collect()
}

/// The ways to log in that features name, upper case.
fn logins(protocol: Protocol, features: &[String]) -> Vec<String> {
    let mut ways: Vec<String> = Vec::new();
    let mut add = |way: &str| {
        if !way.is_empty() && !ways.iter().any(|known| known == way) {
            ways.push(way.to_owned());
        }
    };
    for feature in features {
        match protocol {
            Protocol::Imap | Protocol::Imaps => feature.strip_prefix("AUTH=").into_iter().for_each(&mut add),
            Protocol::Pop3 | Protocol::Pop3s | Protocol::ManageSieve => {
                if feature == "USER" {
                    add("USER");
                }
                feature.strip_prefix("SASL ").into_iter().flat_map(str::split_ascii_whitespace).for_each(&mut add);
            }
            // Some write `AUTH=`, as before there was a standard.
            _ => {
                let list = feature.strip_prefix("AUTH ").or_else(|| feature.strip_prefix("AUTH="));
                list.into_iter().flat_map(str::split_ascii_whitespace).for_each(&mut add);
            }
        }
    }
    let is_imap = matches!(protocol, Protocol::Imap | Protocol::Imaps);
    if is_imap && !features.is_empty() && !features.iter().any(|one| one == "LOGINDISABLED") {
        add("LOGIN");
    }
    ways
}

fn tls_of(taken: &[Taken]) -> TlsSeen {
    let mut seen = TlsSeen::default();
    for one in taken {
        seen.versions.push(VersionSeen {
            version: one.version.name().to_owned(),
            suites: one.suites.iter().map(|suite| suite.name.to_owned()).collect(),
            groups: one.groups.iter().map(|group| (*group).to_owned()).collect(),
            prime_bits: one.prime,
        });
        for suite in one.suites.iter().filter(|suite| !suite.is_good()) {
            if !seen.weak_suites.iter().any(|known| known == suite.name) {
                seen.weak_suites.push(suite.name.to_owned());
            }
        }
    }
    seen
}

fn certificate_of(shown: &Shown, door: &Door, trust: Trust<'_>) -> Option<CertificateSeen> {
    let der = shown.chain.first()?;
    let own: Certificate = certificate(der).ok()?;
    let judged = judge(&shown.chain, &door.name, trust.anchors, trust.now);
    Some(CertificateSeen {
        names: own.names.iter().take(PROBE_FEATURES_MAX).map(|name| plain(name)).collect(),
        serial: own.serial.clone(),
        sha256: sha256(der),
        from: own.from.text(),
        until: own.until.text(),
        days_left: days(trust.now, own.until),
        key: own.key.to_string(),
        key_bits: match own.key {
            Key::Rsa(bits) | Key::Curve(bits) => Some(bits),
            Key::Edwards | Key::Other => None,
        },
        signature: own.signature.clone(),
        self_signed: own.self_signed,
        trusted: judged.is_ok(),
        why: judged.err().map(|why| plain(&why.to_string())),
        chain: shown.chain.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_log_in_are_found_in_each_protocol() {
        let of = |protocol, features: &[&str]| {
            logins(protocol, &features.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of(Protocol::Smtp, &["SIZE 1", "AUTH PLAIN LOGIN", "AUTH=PLAIN"]), ["PLAIN", "LOGIN"]);
        assert_eq!(of(Protocol::Imap, &["IMAP4REV1", "AUTH=PLAIN"]), ["PLAIN", "LOGIN"]);
        assert!(of(Protocol::Imap, &["IMAP4REV1", "LOGINDISABLED"]).is_empty());
        assert_eq!(of(Protocol::Pop3, &["USER", "SASL PLAIN"]), ["USER", "PLAIN"]);
        assert!(of(Protocol::ManageSieve, &["SASL", "STARTTLS"]).is_empty());
        assert_eq!(of(Protocol::ManageSieve, &["SASL PLAIN"]), ["PLAIN"]);
    }
}
