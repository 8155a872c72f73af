//! What becomes of a message that is kept for a virus and is none.

use crate::canary::Held;
use crate::control::{Control, Needs};
use crate::finding::Finding;
use crate::host::Missed;
use crate::inject::{By, Fate, Trial, injected, specimens};
use crate::scene::Scene;
use mailward_core::limits::{AUDIT_LINK_TIME, AUDIT_LOG_LOOK, AUDIT_LOG_TIME};
use mailward_core::{Clock as _, SystemClock, Timestamp};
use tokio::time::{Instant, sleep};

pub(in crate::controls) const RELEASED: &[Control] = &[injected!(
    Viruses,
    "AVS-14",
    5,
    None,
    None,
    "Can an administrator, and nobody else, let go what is kept for a virus and is none, and is it in the log?",
    "A virus scanner errs. Where users can let in what it keeps, they let in viruses; where nobody can, an order is lost.",
    "Two harmless messages are kept for the audit's account: one as for a reason that users may decide on, one as for a virus. A digest for that account has to \
     tell of the first and not of the second. Let go as an administrator does, the second has to be in a mailbox, and the log has to have it within \
     5 seconds. Whether the maker of the scanner is told isn't looked at.",
    "`mailward quarantine release NUMBER`; `log.file = \"mailward.log\"`, and a restart, so that the log can be read. `mailward quarantine show NUMBER` \
     tells which scanner found what: report a false alarm to its maker.",
    "Modoboa #218",
    |scene| false_alarm(scene),
)
.needing(Needs::Mail)];

async fn false_alarm(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    tried(&trial).await.unwrap_or_else(Finding::from)
}

async fn tried(trial: &Trial<'_>) -> Result<Finding, Missed> {
    let mut markers = Vec::new();
    for (name, held) in [("for users", Held::ForUsers), ("for a virus", Held::ForVirus)] {
        let marker = trial.marker("AVS-14", name);
        let message = trial.message(&marker, &marker, &trial.plainly(), &specimens::plain().content);
        let sent = trial.bring(name, &marker, &trial.plainly().sender, &message).await;
        if !matches!(sent.fate, Fate::Arrived(_)) {
            let why = format!("a harmless message doesn't arrive: {}", sent.fate.words());
            return Ok(Finding::not_tested(why).showing(sent.name, sent.transcript));
        }
        // Where users may decide on nothing, no digest tells of anything.
        let may_decide = trial.canary.hold(&marker, held).await?;
        markers.push((marker, may_decide));
    }
    let [(twin, may_decide), (virus, _)] = markers.as_slice() else { return Ok(Finding::error("two were sent")) };
    let mut bad = Vec::new();
    let digest = trial.canary.digest(AUDIT_LINK_TIME).await?.map(|digest| digest.text).unwrap_or_default();
    if digest.contains(virus) {
        bad.push("a digest gives users links to what is kept for a virus".to_owned());
    } else if *may_decide && !digest.contains(twin) {
        return Ok(Finding::not_tested("no digest tells of anything, so that it isn't known what one would tell"));
    }
    let since = SystemClock.now();
    let was_kept = trial.canary.release(virus).await?;
    if !was_kept || !trial.canary.quarantined(virus).await?.is_empty() || trial.canary.arrived(virus).await?.len() != 1
    {
        bad.push("an administrator lets it go, and it doesn't come".to_owned());
    }
    let line = told(trial, since).await?;
    if line.is_none() {
        bad.push("who let it go isn't in the log within 5 seconds".to_owned());
    }
    let finding = match bad.as_slice() {
        [] => Finding::pass("only administrators can let go what is kept for a virus, and it is in the log"),
        bad => Finding::fail(bad.join("; ")),
    };
    Ok(finding.showing("the line in the log", line.unwrap_or_default()))
}

/// The line of the log that says so.
async fn told(trial: &Trial<'_>, since: Timestamp) -> Result<Option<String>, Missed> {
    let began = Instant::now();
    loop {
        let log = trial.canary.log(since).await?;
        let text = String::from_utf8_lossy(&log);
        let says = |line: &&str| line.contains(" quarantine.released ") && line.contains(" by=administrator");
        match text.lines().find(says) {
            Some(line) => return Ok(Some(line.to_owned())),
            None if began.elapsed() >= AUDIT_LOG_TIME => return Ok(None),
            None => sleep(AUDIT_LOG_LOOK).await,
        }
    }
}
