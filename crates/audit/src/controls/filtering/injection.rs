//! Whether forged and unwanted mail is known.

use crate::canary::Arrived;
use crate::control::{Control, Needs};
use crate::doors::Grade;
use crate::finding::Finding;
use crate::inject::{By, Fate, Followed, Says, Specimen, Trial, injected, reference, specimens, told};
use crate::scene::Scene;

pub(in crate::controls) const INJECTION: &[Control] = &[
    injected!(
        Filtering,
        "FLT-01",
        10,
        None,
        None,
        "Is mail refused that comes from outside in your own name?",
        "\"From the boss, to accounting: please pay at once.\" Colleagues trust a colleague's address.",
        "As a stranger, without a login, messages to the audit's account are sent in its own name: as the envelope's sender, and in From \
         alone. Both must be refused or kept. What other domains ask for isn't tried: it needs names in the DNS. A harmless message \
         has to arrive.",
        "Publish SPF and DMARC for your domains, with p=reject in the end, and set `dmarc.reject = \"reject\"`, `mailward reload`: \
         docs/authentication.md.",
        "RFC 9989; M3AAWG Email Authentication BCP",
        |scene| own_name(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Filtering,
        "FLT-02",
        10,
        None,
        None,
        "Is mail without an author, or with two, not taken for proven?",
        "What one program checks as the author another doesn't show. Two From fields make a forged one look proven.",
        "Messages without From and with two From fields are sent to the audit's account. They must be refused, kept, or filed into Junk. \
         A harmless message has to arrive.",
        "Mailward refuses them; `mailward content list` and `mailward rules list` show exceptions that you made.",
        "Chen et al. (USENIX Security 2020); Shen et al. (USENIX Security 2021); RFC 5322 §3.6",
        |scene| authors(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Filtering,
        "FLT-03",
        5,
        None,
        None,
        "Are results that a stranger wrote in your server's name taken out?",
        "Mail programs and rules believe what your server says of a message. So does whoever writes it there.",
        "A message with an Authentication-Results field in the server's own name is sent to the audit's account. As it arrives there must be \
         one such field in that name, and not the one that was sent.",
        "Mailward does so by itself; if this fails, a milter puts it back: `mailward milter` shows them.",
        "RFC 8601 §5",
        |scene| results(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Filtering,
        "FLT-07",
        5,
        None,
        None,
        "Does the test message of spam filters stay out of the inbox?",
        "A spam filter that doesn't run is noticed when users drown.",
        "GTUBE is sent to the audit's account. It must be refused, kept, or filed into Junk. A harmless message has to arrive.",
        "Train the spam filter (docs/spam.md), or have another one asked as well: `spam.peers`, `mailward reload`.",
        "GTUBE, the test string of SpamAssassin and rspamd",
        |scene| gtube(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Filtering,
        "FLT-22",
        5,
        None,
        None,
        "Can an administrator find out why a message was held back?",
        "\"Where is my mail?\" Without the rule and what it saw nobody can answer, nor mend a rule that is wrong.",
        "A zip that needs a password is sent to the audit's account. The quarantine, or the trace by the name that the reply gave, or the verdict in the \
         header of what was filed into Junk, must tell what was found. The version of the rules isn't looked for.",
        "Mailward tells it by itself: `mailward trace NAME`, `mailward quarantine show NUMBER`.",
        "Stalwart #470, #471; Mailu #357",
        |scene| explained(scene),
    )
    .needing(Needs::Mail),
];

/// A harmless message first; then these, each said by somebody else.
async fn said(
    trial: &Trial<'_>,
    id: &str,
    cases: Vec<(&'static str, Says)>,
    judge: fn(&Fate) -> Grade,
    good: &str,
) -> Finding {
    let twin = trial.follow(id, &specimens::plain(), &trial.plainly()).await;
    if !matches!(twin.fate, Fate::Arrived(_)) {
        return unarrived(twin);
    }
    let mut all = Vec::new();
    for (name, says) in cases {
        let specimen = Specimen { name, ..specimens::plain() };
        all.push(trial.follow(id, &specimen, &says).await);
    }
    told(&all, judge, good)
}

fn unarrived(twin: Followed) -> Finding {
    let why = format!("a harmless message doesn't arrive, so nothing can be told: {}", twin.fate.words());
    Finding::not_tested(why).showing(twin.name, twin.transcript)
}

async fn own_name(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let us = &trial.account.address;
    let from = |name: &str| format!("From: {name} <{us}>\r\n");
    let cases = vec![
        ("as the envelope's sender", Says { sender: us.clone(), fields: from("A colleague") }),
        ("in From alone", Says { sender: String::new(), fields: from("A colleague") }),
    ];
    said(&trial, "FLT-01", cases, kept_outside, "mail in your own name is refused").await
}

/// Greylisting puts off a sender whose SPF fails. What it puts off comes again and is judged as the other message is, which
/// nobody's SPF speaks against: that is the one that tells. Whatever else is put off tells nothing.
fn kept_outside(fate: &Fate) -> Grade {
    match fate {
        Fate::PutOff(said) if said.starts_with("450 ") => Grade::Nothing,
        other => other.not_let_in(),
    }
}

async fn authors(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let plainly = trial.plainly();
    let twice = format!("{}From: The boss <boss@mailward-audit.invalid>\r\n", plainly.fields);
    let cases = vec![
        ("no From", Says { fields: String::new(), ..plainly.clone() }),
        ("two From fields", Says { fields: twice, ..plainly }),
    ];
    said(&trial, "FLT-02", cases, Fate::kept_from_inbox, "mail without an author, or with two, isn't trusted").await
}

async fn results(scene: &Scene) -> Finding {
    const FORGED: &str = "spf=pass smtp.mailfrom=forged.mailward-audit.invalid";
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let ours = match scene.state.as_ref().and_then(|state| state.name.clone()) {
        Some(name) => name,
        None => return Finding::not_tested("the server doesn't say by which name it writes results"),
    };
    let plainly = trial.plainly();
    let fields = format!("Authentication-Results: {ours}; {FORGED}\r\n{}", plainly.fields);
    let sent = trial.follow("FLT-03", &specimens::plain(), &Says { fields, ..plainly }).await;
    let Fate::Arrived(all) = &sent.fate else {
        let why = format!("the message doesn't arrive: {}", sent.fate.words());
        return Finding::not_tested(why).showing(sent.name, sent.transcript);
    };
    let Some(Arrived { header, .. }) = all.first() else {
        return Finding::not_tested("the message arrived nowhere");
    };
    let found = fields_named(header, "authentication-results");
    let in_ours = found.iter().filter(|value| is_in_name(value, &ours)).count();
    let forged = found.iter().any(|value| value.contains("forged.mailward-audit.invalid"));
    let finding = match (forged, in_ours) {
        (true, _) => Finding::fail("the result that a stranger wrote in the server's name is still there"),
        (false, 1) => Finding::pass("what a stranger wrote is gone, and the server's own results are there once"),
        (false, count) => Finding::fail(format!("there are {count} results in the server's name, instead of one")),
    };
    finding.showing("Authentication-Results as they arrived", found.join("\n"))
}

/// Values of the fields of this name, unfolded.
pub(super) fn fields_named(header: &[u8], name: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(header).replace("\r\n", "\n");
    let mut found: Vec<String> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            if let (true, Some(last)) = (within, found.last_mut()) {
                last.push(' ');
                last.push_str(line.trim());
            }
            continue;
        }
        within = line.split_once(':').is_some_and(|(field, _)| field.trim().eq_ignore_ascii_case(name));
        if within {
            found.push(line.split_once(':').map_or("", |(_, value)| value).trim().to_owned());
        }
    }
    found
}

/// Whether results are in this server's name (RFC 8601 §2.2): the first word.
fn is_in_name(value: &str, ours: &str) -> bool {
    let first = value.split(|c: char| c == ';' || c.is_whitespace()).find(|word| !word.is_empty());
    first.is_some_and(|word| word.trim_end_matches('.').eq_ignore_ascii_case(ours))
}

async fn gtube(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let good = "the test message of spam filters stays out of the inbox";
    trial.ladder("FLT-07", vec![specimens::spam()], specimens::plain(), Fate::kept_from_inbox, good).await
}

async fn explained(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let sent = trial.follow("FLT-22", &specimens::held_back(), &trial.plainly()).await;
    let why = match &sent.fate {
        Fate::Kept(why) => Ok(why.clone()),
        Fate::Refused(_) | Fate::NotLet(..) => match reference(&sent.said) {
            Some(name) => trial.canary.trace(&name).await,
            None => Ok(String::new()),
        },
        Fate::Arrived(all) if !sent.fate.is_in_inbox() => Ok(verdicts(all)),
        other => {
            let why = format!("an archive with a password wasn't held back: {}", other.words());
            return Finding::not_tested(why).showing(sent.name, sent.transcript);
        }
    };
    match why {
        Err(missed) => missed.into(),
        Ok(why) if why.trim().is_empty() => {
            Finding::fail("nothing tells why a message was held back").showing(sent.name, sent.transcript)
        }
        Ok(why) => Finding::pass(format!("it is told why: {}", first_line(&why))).showing("what is told", why),
    }
}

/// What a header tells of a verdict.
fn verdicts(all: &[Arrived]) -> String {
    let names = ["mailward-verdict", "x-spam-status", "x-spam-flag", "x-spamd-result"];
    let values = all.iter().flat_map(|one| names.iter().flat_map(|name| fields_named(&one.header, name)));
    values.collect::<Vec<_>>().join("\n")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_fields_are_one_and_others_are_none_of_them() {
        let header =
            b"Authentication-Results: a.example;\r\n spf=pass\r\nSubject: x\r\n y\r\nauthentication-results:b\r\n";
        assert_eq!(fields_named(header, "authentication-results"), ["a.example; spf=pass", "b"]);
        assert!(is_in_name("a.example; spf=pass", "A.example"));
        assert!(!is_in_name("aa.example; spf=pass", "a.example"));
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_the_reading(header in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _fields = fields_named(&header, "authentication-results");
        }
    }
}
