//! What the server sends elsewhere, as the other side sees it.

use crate::control::Control;
use crate::doors::our_domain;
use crate::finding::Finding;
use crate::inject::sink::{Kind, Sent, Sink};
use crate::inject::{By, Trial, date, injected};
use crate::scene::Scene;

pub(in crate::controls) const SENT: &[Control] = &[injected!(
    Services,
    "SVC-09",
    10,
    None,
    None,
    "Does no message leave here in which another server sees two?",
    "A bare line feed that this server sends on is the end of a message to some others: what comes behind it is a forged one, in your name.",
    "The audit's account hands in messages with bare line feeds and bare carriage returns for a domain that leads to a sink of the audit's. Each must be \
     refused, or come without them. A harmless message has to come.",
    "Mailward refuses them when they are handed in; if this fails, a milter puts them back: `mailward milter` shows them.",
    "Postfix cleanup_replace_stray_cr_lf; CVE-2023-51764 and its kind; RFC 5321 §2.3.8",
    |scene| line_ends(scene),
)];

/// A whole message of the audit's account.
pub(in crate::controls) fn message(trial: &Trial<'_>, marker: &str, body: &str) -> Vec<u8> {
    let (us, address) = (our_domain(trial.scene, trial.door), &trial.account.address);
    format!(
        "From: Mailward audit <{address}>\r\nTo: <sink@mailward-audit.invalid>\r\nSubject: {marker}\r\nDate: {}\r\n\
         Message-ID: <{marker}@{us}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{body}",
        date(trial.scene.now)
    )
    .into_bytes()
}

async fn line_ends(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::User, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let sink = match Sink::open(&trial, Kind::Plain).await {
        Ok(sink) => sink,
        Err(finding) => return finding,
    };
    let marker = |name: &str| trial.marker("SVC-09", name);
    match sink.catch(&trial, &message(&trial, &marker("harmless"), "A trial of the audit's.\r\n")).await {
        Ok(Sent::Came(_)) => {}
        Ok(other) => return Finding::not_tested(format!("a harmless message doesn't come either: {other:?}")),
        Err(error) => return Finding::not_tested(format!("{}: {error}", trial.door)),
    }
    let (mut bad, mut unknown, mut said) = (Vec::new(), Vec::new(), String::new());
    for (name, body) in [
        ("bare line feeds", "one\n.\nMAIL FROM:<forged@mailward-audit.invalid>\nend\r\n"),
        ("bare carriage returns", "one\r.\rMAIL FROM:<forged@mailward-audit.invalid>\rend\r\n"),
        ("a line feed before the dot", "one\n.\r\ntwo\r\n"),
    ] {
        match sink.catch(&trial, &message(&trial, &marker(name), body)).await {
            Ok(Sent::Refused(why)) => said.push_str(&format!("{name}: refused ({why})\n")),
            Ok(Sent::Came(caught)) if is_clean(&caught.message) => {
                said.push_str(&format!("{name}: came without them\n"))
            }
            Ok(Sent::Came(_)) => bad.push(name),
            Ok(Sent::Left | Sent::Lost) => unknown.push(format!("{name}: taken, and nowhere")),
            // A server may close on such a message, before a word.
            Err(error) => unknown.push(format!("{name}: {error}")),
        }
    }
    let finding = if !bad.is_empty() {
        Finding::fail(format!("sent on with {}", bad.join(", ")))
    } else if !unknown.is_empty() {
        Finding::not_tested(unknown.join("; "))
    } else {
        Finding::pass("messages with bare line ends are refused, or sent without them")
    };
    finding.showing("what became of each", said)
}

/// Whether every CR has its LF, and every LF its CR.
fn is_clean(message: &[u8]) -> bool {
    let text = message.iter().fold((true, false), |(clean, cr), byte| match byte {
        b'\n' => (clean && cr, false),
        b'\r' => (clean && !cr, true),
        _ => (clean && !cr, false),
    });
    text == (true, false)
}

#[cfg(test)]
mod tests {
    use super::is_clean;

    #[test]
    fn a_bare_line_end_is_seen_wherever_it_stands() {
        assert!(is_clean(b"a\r\n\r\nb\r\n") && is_clean(b""));
        for bare in [&b"a\nb\r\n"[..], b"a\rb\r\n", b"\n", b"\r", b"a\r\r\n", b"a\r\n\n"] {
            assert!(!is_clean(bare), "{bare:?}");
        }
    }
}
