//! Whether mail that has to be sent under TLS isn't sent without.

use crate::control::Control;
use crate::controls::services::message;
use crate::finding::Finding;
use crate::inject::sink::{Kind, Sent, Sink};
use crate::inject::{By, Trial, injected};
use crate::scene::Scene;

pub(in crate::controls) const DEMANDED: &[Control] = &[injected!(
    Encryption,
    "ENC-11",
    10,
    None,
    None,
    "Is mail for which TLS is demanded kept back where there is none, or where nobody vouches for the other side?",
    "Whoever sits between takes STARTTLS out, or shows a certificate of their own. A server that sends all the same sends it to them.",
    "The audit's account sends to sinks of the audit's to which TLS with a certificate that holds is demanded: one without STARTTLS, and one with a certificate \
     of an authority that nobody knows. The server has to come and to leave without a word of the message. A message for which nothing is demanded has to come. \
     DANE and MTA-STS aren't tried: they need names in the DNS.",
    "Mailward keeps it back by itself: `mailward tls-policy list` and `mailward route list` show what you demand; docs/tls-sending.md.",
    "RFC 7672; RFC 8461; docker-mailserver #3592",
    |scene| kept_back(scene),
)];

async fn kept_back(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::User, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let text = |name: &str| message(&trial, &trial.marker("ENC-11", name), "A trial of the audit's.\r\n");
    let twin = match Sink::open(&trial, Kind::Plain).await {
        Ok(sink) => sink.catch(&trial, &text("harmless")).await,
        Err(finding) => return finding,
    };
    match twin {
        Ok(Sent::Came(_)) => {}
        Ok(other) => {
            return Finding::not_tested(format!(
                "a message for which nothing is demanded doesn't come either: {other:?}"
            ));
        }
        Err(error) => return Finding::not_tested(format!("{}: {error}", trial.door)),
    }
    let (mut bad, mut unknown, mut said) = (Vec::new(), Vec::new(), String::new());
    for (name, kind) in [("no STARTTLS", Kind::Stripped), ("a certificate that nobody vouches for", Kind::Untrusted)] {
        let sink = match Sink::open(&trial, kind).await {
            Ok(sink) => sink,
            Err(finding) => return finding,
        };
        match sink.turn_away(&trial, &text(name)).await {
            Ok(Sent::Left) => said.push_str(&format!("{name}: it came, and left\n")),
            Ok(Sent::Came(_)) => bad.push(name),
            Ok(Sent::Refused(why)) => unknown.push(format!("{name}: refused ({why})")),
            Ok(Sent::Lost) => unknown.push(format!("{name}: nobody came")),
            Err(error) => unknown.push(format!("{name}: {error}")),
        }
    }
    let finding = if !bad.is_empty() {
        Finding::fail(format!("sent all the same: {}", bad.join(", ")))
    } else if !unknown.is_empty() {
        Finding::not_tested(unknown.join("; "))
    } else {
        Finding::pass("what has to be sent under TLS is kept back where that can't be")
    };
    finding.showing("what became of each", said)
}
