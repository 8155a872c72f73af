//! What servers say of themselves and of their users.

use super::{Seen, Us};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Door, Protocol};
use mailward_core::limits::KNOCK_UNKNOWN_RECIPIENTS;
use std::net::IpAddr;

/// A name that nobody has.
const NOBODY: &str = "nobody-of-this-name-0x2a";

/// VRFY, EXPN, and recipients that aren't there.
pub(crate) async fn tells_no_users(us: &Us, door: &Door) -> Result<Seen, KnockError> {
    let us = &us.domain;
    let mut bad = Vec::new();
    let mut talk = Talk::open(door).await?;
    talk.hello().await?;
    for command in ["VRFY", "EXPN"] {
        let known = talk.ask(&format!("{command} postmaster@{us}")).await?;
        let unknown = talk.ask(&format!("{command} {NOBODY}@{us}")).await?;
        if known.code != unknown.code {
            bad.push(format!("{command} tells who is there: {} / {}", known.text(), unknown.text()));
        } else if matches!(known.code, Some(250 | 251)) {
            bad.push(format!("{command} is answered with {}", known.text()));
        }
    }
    let mut first = Seen::unless(&bad, "").heard(door, &talk);

    let mut talk = Talk::open(door).await?;
    talk.hello().await?;
    let sender = talk.ask("MAIL FROM:<>").await?;
    if sender.kind != Kind::Yes {
        first = first.heard(door, &talk);
        return Ok(if bad.is_empty() {
            Seen { grade: super::Grade::Unknown, said: sender.text(), ..first }
        } else {
            first
        });
    }
    let mut refused = 0_usize;
    let mut ended = false;
    for number in 0..KNOCK_UNKNOWN_RECIPIENTS {
        match talk.ask(&format!("RCPT TO:<{NOBODY}-{number}@{us}>")).await {
            // Who takes everybody tells nothing; that it bounces is another question.
            Ok(answer) if answer.kind == Kind::Yes => break,
            Ok(answer) if answer.code == Some(421) => ended = true,
            Ok(_) => refused = refused.saturating_add(1),
            Err(KnockError::Closed) => ended = true,
            Err(other) => return Err(other),
        }
        if ended {
            break;
        }
    }
    if refused == KNOCK_UNKNOWN_RECIPIENTS {
        bad.push(format!("{refused} recipients that aren't there may be asked for in one session"));
    }
    let good = if ended {
        format!("VRFY and EXPN tell nothing, and the session ends after {refused} unknown recipients")
    } else {
        "VRFY and EXPN tell nothing, and nor do recipients".to_owned()
    };
    let mut found = Seen::unless(&bad, good).heard(door, &talk);
    found.exhibits.append(&mut first.exhibits);
    Ok(found)
}

/// Features that strangers have no use for.
const UNWANTED: [&str; 6] = ["ETRN", "TURN", "ATRN", "XCLIENT", "XFORWARD", "NTLM"];

/// EHLO before and after TLS.
pub(crate) async fn offers_little(door: &Door) -> Result<Seen, KnockError> {
    let mut bad = Vec::new();
    let mut talk = Talk::open(door).await?;
    let mut features = talk.features().await?;
    let mut found = Vec::from([talk.transcript()]);
    if !door.protocol.begins_with_tls() {
        match Talk::secured(door).await {
            Ok(mut secured) => {
                features.extend(secured.features().await?);
                found.push(secured.transcript());
            }
            Err(KnockError::Refused("STARTTLS", _)) => {}
            Err(other) => return Err(other),
        }
    }
    for unwanted in UNWANTED {
        if features.iter().any(|feature| feature.split([' ', '=']).any(|word| word == unwanted)) {
            bad.push(format!("{unwanted} is offered"));
        }
    }
    let seen = Seen::unless(&bad, "none of them is offered");
    Ok(found.into_iter().fold(seen, |seen, transcript| seen.showing(door.to_string(), transcript)))
}

/// Greeting, features, HELP and ID.
pub(crate) async fn says_no_version(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::open(door).await?;
    let mut said = talk.greeting().whole();
    let more = match door.protocol {
        Protocol::Imap | Protocol::Imaps => Some("ID NIL"),
        Protocol::Pop3 | Protocol::Pop3s | Protocol::ManageSieve => None,
        _ => Some("HELP"),
    };
    said.push('\n');
    said.push_str(&talk.hello().await?.whole());
    if let Some(more) = more {
        said.push('\n');
        said.push_str(&talk.ask(more).await?.whole());
    }
    if door.protocol == Protocol::ManageSieve {
        // The version of the protocol, which every server names (RFC 5804 §1.7).
        let is_protocol = |line: &&str| line.get(..9).is_some_and(|name| name.eq_ignore_ascii_case("\"VERSION\""));
        said = said.lines().filter(|line| !is_protocol(line)).collect::<Vec<_>>().join("\n");
    }
    let found: Vec<String> = versions(&said).into_iter().map(|word| format!("it says {word}")).collect();
    Ok(Seen::unless(&found, "no version and no system is named").heard(door, &talk))
}

/// Systems whose name alone says more than strangers need.
const SYSTEMS: [&str; 10] =
    ["debian", "ubuntu", "linux", "freebsd", "openbsd", "windows", "centos", "fedora", "solaris", "darwin"];

/// Words that are versions, or name a system. Addresses and names of hosts aren't, nor names of protocols.
fn versions(said: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut before = "";
    for word in said.split(|c: char| c.is_whitespace() || "()[]<>\",;".contains(c)) {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        // `250 2.0.0`, and `250-2.0.0` where more lines follow.
        let (code, word) = match word.split_once('-') {
            Some((code, rest)) if is_code(code) => (code, rest),
            _ => (before.trim_matches('-'), word),
        };
        let is_status = is_code(code) && word.starts_with(['2', '4', '5']) && is_version(word);
        before = word;
        if is_status || word.parse::<IpAddr>().is_ok() || word.trim_start_matches("IPv6:").parse::<IpAddr>().is_ok() {
            continue;
        }
        let is_version = is_version(word) || word.rsplit(['/', '-', '_']).next().is_some_and(is_version);
        let lower = word.to_ascii_lowercase();
        let is_system = lower.split(|c: char| !c.is_ascii_alphabetic()).any(|part| SYSTEMS.contains(&part));
        // A host may be called after its system: that is a name.
        let is_host = word.contains('.')
            && word.rsplit('.').next().is_some_and(|top| top.len() > 1 && top.chars().all(|c| c.is_ascii_alphabetic()));
        if (is_version || is_system) && !is_host && !found.iter().any(|known| known == word) {
            found.push(word.chars().take(60).collect());
        }
    }
    found
}

/// The code of a reply of SMTP, behind which a status may stand (RFC 2034).
fn is_code(word: &str) -> bool {
    word.len() == 3 && word.chars().all(|c| c.is_ascii_digit())
}

/// `1.2`, `v3.4.1`, `2.90_1`.
fn is_version(word: &str) -> bool {
    let word = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let mut parts = word.split('.');
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let first = parts.next().is_some_and(is_number);
    let second = parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    first && second
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_version_is_told_from_an_address_a_name_and_a_number() {
        for (said, found) in [
            ("220 mx.example.org ESMTP Exim 4.96 ready", vec!["4.96"]),
            ("220 mx.example.org ESMTP Postfix (Debian/GNU)", vec!["Debian/GNU"]),
            ("* OK Dovecot-2.3.19.1 ready", vec!["Dovecot-2.3.19.1"]),
            ("* ID (\"name\" \"x\" \"version\" \"v1.2\")", vec!["v1.2"]),
            ("250-mx.example.org greets [192.0.2.1]\n250-SIZE 1000\n250 LIMITS RCPTMAX=1000", vec![]),
            ("220 debian.example.org ESMTP [IPv6:2001:db8::1]", vec![]),
            ("* CAPABILITY IMAP4rev1 IMAP4rev2 AUTH=SCRAM-SHA-256", vec![]),
            ("250 2.0.0 fine", vec![]),
            ("250 fine 2.0.0", vec!["2.0.0"]),
            ("214-2.0.0 This is smtpd\n214 2.0.0 end", vec![]),
        ] {
            assert_eq!(versions(said), found, "{said}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_searched(said in ".*") {
            for word in versions(&said) {
                prop_assert!(word.chars().count() <= 60);
            }
        }
    }
}
