//! What is done to mail that is stored, and what the audit itself leaves behind.

use super::{DAY, Told, fact, known, lines, settings, shown, some, told};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::Missed;
use crate::scene::Scene;

/// A week, and a day for how long it takes.
const AGAIN_DAYS: i64 = 8;

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        parent: Some("AVS-01"),
        ..known(
            "AVS-11",
            Area::Viruses,
            2,
            Check::Look(|scene| told(looked_again(scene))),
            [
                "Was stored mail looked at again within a week, with what virus scanners know today?",
                "What nobody knew on Monday is in every list on Friday, and lies in the mailbox all the same.",
                "antivirus.rescan as it is in force, and when looking at stored mail was brought to its end last.",
                "antivirus.rescan = \"weekly\" in mailward.toml, and `mailward reload`; `mailward antivirus rescan` does it now.",
                "ISO/IEC 27001:2022 A.8 (protection against malware)",
            ],
        )
    },
    known(
        "CAP-12",
        Area::Corrective,
        5,
        Check::Look(|scene| told(leaves_nothing(scene))),
        [
            "Does the audit itself leave nothing behind: no secret in its evidence, no account of its own?",
            "Evidence is shown around; a password hash in it is one that is given away. An account that was made to try things is a way in.",
            "The newest audit that is kept is searched for private keys and hashes of passwords; accounts of earlier audits that are still there \
             are counted.",
            "Remove what was left: `mailward user list` shows accounts whose name begins with mailward-audit-. A secret in the evidence is a fault: report it, \
             and make the secret anew.",
            "ISO/IEC 27001:2022 A.8 (protection of information systems during audit testing)",
        ],
    ),
];

fn looked_again(scene: &Scene) -> Told {
    let settings = settings(scene)?;
    let every = settings.text("antivirus.rescan")?;
    let (input, output) = shown(settings, &["antivirus.rescan", "antivirus.rescan_hour"]);
    if every == "never" {
        return Ok(Finding::fail("stored mail is never looked at again").showing(input, output));
    }
    let rescan = fact(scene, "what came of looking at stored mail", |state| state.rescan.as_ref())?;
    let Some(done) = rescan.done else {
        return Ok(Finding::fail("stored mail was never looked at to the end").showing(input, output));
    };
    let days = scene.now.secs().saturating_sub(done.secs()).div_euclid(DAY);
    let said = format!(
        "it was looked at {days} days ago: {} messages, of which {} were found out and taken to the quarantine",
        rescan.looked, rescan.found
    );
    let finding = if days <= AGAIN_DAYS { Finding::pass(said) } else { Finding::fail(said) };
    Ok(finding.showing(input, output).showing("mailward antivirus rescan --status", done.text()))
}

fn leaves_nothing(scene: &Scene) -> Told {
    let audits = fact(scene, "its earlier audits", |state| state.audits.as_ref())?;
    if audits.newest.is_none() {
        return Err(Missed::NotReached(
            "there is no audit before this one whose evidence could be searched".to_owned(),
        ));
    }
    let mut bad = Vec::new();
    if !audits.secrets.is_empty() {
        bad.push(format!("secrets in the evidence of {}", some(&audits.secrets)));
    }
    if audits.left > 0 {
        bad.push(format!("{} accounts of earlier audits are still there", audits.left));
    }
    let finding = if bad.is_empty() {
        Finding::pass("no secret is in the evidence, and no account was left")
    } else {
        Finding::fail(bad.join("; "))
    };
    Ok(finding.showing("controls whose evidence has secrets", lines(&audits.secrets)))
}
