//! What every area is asked: who answers for it, and whether they know why.

use crate::area::{Area, Dimension};
use crate::control::{Check, Control, Probe};
use crate::finding::{Finding, Verdict};
use crate::scene::{Scene, stated};
use crate::statements::same_person;

/// How long somebody's word that they have read an audit holds, in days.
const READ_DAYS: u16 = 30;
/// How long a policy holds before it has to be looked at again.
const POLICY_DAYS: u16 = 365;

/// The six of one area, whose names begin with its code.
macro_rules! six {
    ($($code:literal $area:ident),* $(,)?) => {
        &[$(
            Control::new(
                concat!($code, "-WHO-1"),
                Area::$area,
                8,
                Probe::State,
                Check::Every(owner),
                [
                    "Does one named person with an account of their own answer for this area?",
                    "Everybody thought that somebody would do it, and nobody did.",
                    "`audit.owners` names an address for the area; the account exists, is enabled, and is a person's.",
                    "Add a person to audit.owners in mailward.toml, such as \"all ada@example.org\", and `mailward reload`.",
                    "ISO/IEC 27001:2022 A.5.2; the checklist of 2001, section A",
                ],
            )
            .about(Dimension::Who),
            Control::new(
                concat!($code, "-WHO-2"),
                Area::$area,
                4,
                Probe::State,
                Check::Every(deputy),
                [
                    "Does somebody else stand in for them?",
                    "People are ill, on holiday, or gone.",
                    "`audit.deputies` names another enabled account for the area.",
                    "Add another person to audit.deputies in mailward.toml, and `mailward reload`.",
                    "ISO/IEC 27001:2022 A.5.2",
                ],
            )
            .about(Dimension::Who)
            .below(Some(concat!($code, "-WHO-1"))),
            Control::new(
                concat!($code, "-WHO-3"),
                Area::$area,
                8,
                Probe::Statement,
                Check::Every(has_read),
                [
                    "Has the owner read what the last audits found in this area?",
                    "A finding that nobody reads is not a finding.",
                    "The owner has said so within 30 days.",
                    "The owner reads `mailward audit show` and says so with `mailward audit answer --who ADDRESS`.",
                    "ISO/IEC 27001:2022 A.5.35",
                ],
            )
            .about(Dimension::Who)
            .below(Some(concat!($code, "-WHO-1"))),
            Control::new(
                concat!($code, "-WHY-1"),
                Area::$area,
                12,
                Probe::Statement,
                Check::Every(policy),
                [
                    "Is there a written policy for this area, approved within the last year by somebody other than its owner?",
                    "What isn't written down can't be followed, and what its author approves nobody has approved.",
                    "A statement of somebody who isn't the owner, with the policy's file, not older than a year.",
                    "Write the policy, have it approved, and give it with `mailward audit answer --who ADDRESS`.",
                    "ISO/IEC 27001:2022 A.5.1",
                ],
            )
            .about(Dimension::Why),
            Control::new(
                concat!($code, "-WHY-2"),
                Area::$area,
                10,
                Probe::Statement,
                Check::Every(risks),
                [
                    "Is it written down what threatens here, how likely it is, what it would cost, and which risk is accepted?",
                    "Whoever doesn't know what they are protecting against protects what is easy to protect.",
                    "A statement with the file, not older than a year.",
                    "Write the threats of the area with likelihood, damage and what is accepted; give the file with `mailward audit answer --who ADDRESS`.",
                    "ISO/IEC 27001:2022 A.5.36",
                ],
            )
            .about(Dimension::Why),
            Control::new(
                concat!($code, "-WHY-3"),
                Area::$area,
                8,
                Probe::State,
                Check::Every(decided),
                [
                    "Has everything that failed here an action that isn't overdue, or an exception that somebody approved?",
                    "What is known and left alone is a decision; it has to be somebody's.",
                    "Actions of the area: none overdue, no exception past its date.",
                    "`mailward audit actions` lists them; mend, or have an exception approved.",
                    "ISO/IEC 27001:2022 A.5.36",
                ],
            )
            .about(Dimension::Why),
        )*]
    };
}

pub(super) const CONTROLS: &[Control] = six![
    "PHY" Physical, "NET" Network, "SVC" Services, "OSA" Access, "LOG" Logs, "PAT" Patches,
    "AVS" Viruses, "CLI" Clients, "POP" Reading, "FLT" Filtering, "ENC" Encryption, "AWR" Awareness,
    "DOS" Denial, "BKP" Backup, "STB" Standby, "FIL" Files, "PRV" Privileges, "CAP" Corrective,
];

/// Names that belong to an office and not to a person (RFC 2142, and what installations are full of).
const OFFICES: [&str; 16] = [
    "abuse",
    "admin",
    "administrator",
    "contact",
    "helpdesk",
    "hostmaster",
    "info",
    "it",
    "mail",
    "noc",
    "office",
    "postmaster",
    "root",
    "security",
    "support",
    "webmaster",
];

/// Whether this address is an enabled account of a person.
fn person(scene: &Scene, address: &str) -> Result<Finding, Finding> {
    let state = scene.state()?;
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    if OFFICES.contains(&local.as_str()) {
        return Ok(Finding::fail(format!("{address} is an office's address, not a person's")));
    }
    let Some(accounts) = &state.accounts else {
        return Err(Finding::not_tested("the server doesn't say which accounts it has"));
    };
    Ok(match accounts.get(&address.to_ascii_lowercase()) {
        Some(true) => Finding::pass(format!("{address} answers for it")),
        Some(false) => Finding::fail(format!("the account {address} is disabled")),
        None => Finding::fail(format!("there is no account {address} here")),
    })
}

fn either(found: Result<Finding, Finding>) -> Finding {
    found.unwrap_or_else(|missed| missed)
}

fn owner(scene: &Scene, area: Area) -> Finding {
    match scene.owners.get(&area) {
        None => Finding::fail(format!("audit.owners names nobody for {}", area.key())),
        Some(owner) => either(person(scene, owner)),
    }
}

fn deputy(scene: &Scene, area: Area) -> Finding {
    match (scene.deputies.get(&area), scene.owners.get(&area)) {
        (None, _) => Finding::fail(format!("audit.deputies names nobody for {}", area.key())),
        (Some(deputy), Some(owner)) if same_person(deputy, owner) => {
            Finding::fail(format!("{deputy} is the owner as well"))
        }
        (Some(deputy), _) => either(person(scene, deputy)),
    }
}

fn has_read(scene: &Scene, area: Area) -> Finding {
    let id = format!("{}-WHO-3", area.code());
    let said = stated(scene, &id, READ_DAYS);
    match (scene.statements.of(&id), scene.owners.get(&area)) {
        (Some(statement), Some(owner)) if said.verdict == Verdict::Pass && !same_person(&statement.who, owner) => {
            Finding::fail(format!("{} has said so, and isn't the owner", statement.who))
        }
        _ => said,
    }
}

fn policy(scene: &Scene, area: Area) -> Finding {
    let id = format!("{}-WHY-1", area.code());
    let said = with_file(scene, &id);
    match (scene.statements.of(&id), scene.owners.get(&area)) {
        (Some(statement), Some(owner)) if said.verdict == Verdict::Pass && same_person(&statement.who, owner) => {
            Finding::fail(format!("{owner} owns the area and can't approve its policy"))
        }
        _ => said,
    }
}

fn risks(scene: &Scene, area: Area) -> Finding {
    with_file(scene, &format!("{}-WHY-2", area.code()))
}

fn with_file(scene: &Scene, id: &str) -> Finding {
    let said = stated(scene, id, POLICY_DAYS);
    match scene.statements.of(id) {
        Some(statement) if said.verdict == Verdict::Pass && statement.file.is_none() => {
            Finding::fail("somebody has said so, and shown no file")
        }
        _ => said,
    }
}

fn decided(scene: &Scene, area: Area) -> Finding {
    let Some(actions) = &scene.actions else {
        return Finding::not_tested("no audit was kept before this one, so there are no actions yet");
    };
    let ours: Vec<_> = actions.of(area).filter(|action| action.is_open()).collect();
    let late: Vec<&str> =
        ours.iter().filter(|action| action.is_overdue(scene.now)).map(|action| action.control.as_str()).collect();
    if late.is_empty() {
        return Finding::pass(format!("{} open, none overdue", ours.len()));
    }
    Finding::of(ours.len().saturating_sub(late.len()), ours.len(), format!("overdue: {}", late.join(", ")))
}
