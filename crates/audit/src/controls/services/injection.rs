//! Whose names may be used, and who is let be written to.

use crate::control::{Control, Needs};
use crate::doors::{Grade, our_domain};
use crate::finding::Finding;
use crate::inject::{By, Fate, Followed, Says, Specimen, Trial, injected, specimens, told};
use crate::knock::{Kind, KnockError};
use crate::scene::Scene;
use mailward_core::limits::AUDIT_NAMES_MAX;

pub(in crate::controls) const INJECTION: &[Control] = &[
    injected!(
        Services,
        "SVC-07",
        10,
        None,
        None,
        "Can a user send in their own name only?",
        "One stolen password must not be enough to write as the boss, or as a bank, with your server's good name.",
        "The audit's account logs in where users hand in mail. As the envelope's sender it gives an address elsewhere and the \
         postmaster's: both must be refused. In From it gives each of them: the message must be refused, or arrive with the account's \
         own address there. One in its own name has to arrive.",
        "Give users the addresses they may use as aliases (`mailward alias add`); nothing else has to be allowed.",
        "hMailServer #349; docker-mailserver #2547",
        |scene| own_name_only(scene),
    ),
    injected!(
        Services,
        "SVC-14",
        10,
        None,
        None,
        "Is a recipient refused at once whom nobody is?",
        "A server that takes such mail has to send it back later, mostly to somebody whose address was forged. That gets it onto block \
         lists.",
        "As a stranger, a recipient that nobody is is named in each domain; 5yz must be the answer. The audit's account must be taken. \
         Nothing is sent. What was sent back in the last days isn't counted.",
        "Remove the catch-all of the domain: `mailward domain set DOMAIN --no-catch-all`.",
        "RFC 5321 §3.6.2; the backscatter that servers are listed for",
        |scene| unknown_refused(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Services,
        "SVC-24",
        5,
        None,
        None,
        "Can everybody write to postmaster and abuse of each domain?",
        "Who tells you that your server sends spam writes there. If nobody can, you hear of it from a block list.",
        "As a stranger, postmaster@ and abuse@ of each domain are named as recipients; both must be taken. Nothing is sent. Whether anybody \
         reads it isn't seen.",
        "`mailward alias add abuse@DOMAIN PERSON@DOMAIN`, and the same for postmaster.",
        "RFC 5321 §4.5.1; RFC 2142",
        |scene| offices(scene),
    )
    .needing(Needs::Mail),
];

/// An address that can't be anybody's here.
const ELSEWHERE: &str = "boss@mailward-audit.invalid";

async fn own_name_only(scene: &Scene) -> Finding {
    const ID: &str = "SVC-07";
    let trial = match Trial::by(By::User, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let plainly = trial.plainly();
    let twin = trial.follow(ID, &specimens::plain(), &plainly).await;
    if !matches!(twin.fate, Fate::Arrived(_)) {
        let why = format!("a message in its own name doesn't arrive, so nothing can be told: {}", twin.fate.words());
        return Finding::not_tested(why).showing(twin.name, twin.transcript);
    }
    let colleague = format!("postmaster@{}", our_domain(scene, trial.door));
    let from = |address: &str| format!("From: The boss <{address}>\r\n");
    let cases = [
        ("a sender elsewhere", ELSEWHERE.to_owned(), plainly.fields.clone()),
        ("a colleague as the sender", colleague.clone(), plainly.fields.clone()),
        ("From elsewhere", plainly.sender.clone(), from(ELSEWHERE)),
        ("From a colleague", plainly.sender.clone(), from(&colleague)),
    ];
    let mut all = Vec::new();
    for (name, sender, fields) in cases {
        let specimen = Specimen { name, ..specimens::plain() };
        let sent = trial.follow(ID, &specimen, &Says { sender, fields }).await;
        all.push(rewritten(sent, &trial.account.address));
    }
    told(&all, Fate::not_let_in, "other names are refused, or replaced by the account's own")
}

/// A message that arrived with the account's own address in From is as good as one that was refused in the foreign name.
fn rewritten(mut sent: Followed, own: &str) -> Followed {
    if let Fate::Arrived(all) = &sent.fate
        && sent.name.starts_with("From")
        && all.iter().all(|one| from_is(&one.header, own))
    {
        sent.fate = Fate::Refused("its From was replaced by the account's own".to_owned());
    }
    sent
}

/// Whether From has this address and no other.
fn from_is(header: &[u8], own: &str) -> bool {
    let text = String::from_utf8_lossy(header).to_ascii_lowercase();
    let from: Vec<&str> = text.lines().filter(|line| line.starts_with("from:")).collect();
    match from.as_slice() {
        [line] => line.contains(&own.to_ascii_lowercase()) && line.matches('@').count() == own.matches('@').count(),
        _ => false,
    }
}

/// One recipient, asked for.
struct Asked {
    address: String,
    kind: Kind,
    said: String,
}

/// Asks for these recipients in one session, the audit's account first; what was said to each.
async fn recipients(trial: &Trial<'_>, addresses: &[String]) -> Result<(Vec<Asked>, Vec<u8>), KnockError> {
    let mut talk = trial.session().await?;
    let sender = talk.ask("MAIL FROM:<>").await?;
    if sender.kind != Kind::Yes {
        return Err(KnockError::Refused("the sender that nobody is", sender.text()));
    }
    let mut all = Vec::new();
    for address in std::iter::once(&trial.account.address).chain(addresses) {
        let answer = talk.ask(&format!("RCPT TO:<{address}>")).await?;
        all.push(Asked { address: address.clone(), kind: answer.kind, said: answer.text() });
    }
    // What was begun is left.
    let _left = talk.ask("RSET").await;
    let transcript = talk.transcript();
    Ok((all, transcript))
}

/// Asks, and judges all but the audit's account, which has to be taken.
pub(super) async fn asked(
    scene: &Scene,
    addresses: fn(&str, &Scene) -> Vec<String>,
    wanted: Kind,
    good: &str,
) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let state = match scene.state() {
        Ok(state) => state,
        Err(missed) => return missed.into(),
    };
    let all: Vec<String> =
        state.domains.iter().take(AUDIT_NAMES_MAX).flat_map(|domain| addresses(domain, scene)).collect();
    if all.is_empty() {
        return Finding::not_applicable("the server receives mail for no domain");
    }
    let (mut said, mut transcripts) = (Vec::new(), Vec::new());
    // Few a session: servers end one in which many are refused.
    for some in all.chunks(8) {
        match recipients(&trial, some).await {
            Ok((answers, transcript)) => {
                let (us, others) = match answers.split_first() {
                    Some((us, others)) => (us.kind, others.iter().map(grade(wanted)).collect::<Vec<_>>()),
                    None => (Kind::Odd, Vec::new()),
                };
                if us != Kind::Yes {
                    return Finding::not_tested("the audit's own account isn't taken as a recipient either")
                        .showing(trial.door.to_string(), transcript);
                }
                said.extend(others);
                transcripts.push(transcript);
            }
            Err(error) => return Finding::not_tested(format!("{}: {error}", trial.door)),
        }
    }
    let of = |which: Grade| -> Vec<String> {
        said.iter().filter(|(grade, _)| *grade == which).map(|(_, words)| words.clone()).collect()
    };
    let (bad, unknown) = (of(Grade::Bad), of(Grade::Unknown));
    let finding = if !bad.is_empty() {
        Finding::fail(bad.join("; "))
    } else if !unknown.is_empty() {
        Finding::not_tested(unknown.join("; "))
    } else {
        Finding::pass(format!("{good} ({})", said.len()))
    };
    finding.showing(trial.door.to_string(), transcripts.concat())
}

fn grade(wanted: Kind) -> impl Fn(&Asked) -> (Grade, String) {
    move |one| {
        let grade = match one.kind {
            kind if kind == wanted => Grade::Good,
            Kind::Yes | Kind::No => Grade::Bad,
            _ => Grade::Unknown,
        };
        (grade, format!("{} is answered with {}", one.address, one.said))
    }
}

async fn unknown_refused(scene: &Scene) -> Finding {
    let nobody = |domain: &str, scene: &Scene| vec![format!("nobody-of-this-name-{}@{domain}", scene.now.0)];
    asked(scene, nobody, Kind::No, "recipients that nobody is are refused").await
}

async fn offices(scene: &Scene) -> Finding {
    let both = |domain: &str, _: &Scene| vec![format!("postmaster@{domain}"), format!("abuse@{domain}")];
    asked(scene, both, Kind::Yes, "postmaster and abuse are taken").await
}

#[cfg(test)]
mod tests {
    use super::from_is;

    #[test]
    fn from_is_the_account_s_own_only_if_it_is_there_alone() {
        let own = "audit@a.example";
        assert!(from_is(b"Subject: x\r\nFrom: X <Audit@a.example>\r\n", own));
        for header in [
            &b"From: X <audit@a.example>, <boss@b.example>\r\n"[..],
            b"From: X <boss@b.example>\r\n",
            b"From: <audit@a.example>\r\nFrom: <audit@a.example>\r\n",
            b"",
        ] {
            assert!(!from_is(header, own), "{header:?}");
        }
    }
}
