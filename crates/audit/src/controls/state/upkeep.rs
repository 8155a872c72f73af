//! Whether the store and the log are looked after.

use super::{Told, days_since, fact, known, lines, settings, some, told};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::Missed;
use crate::scene::{Scene, day};
use crate::state::Silence;
use mailward_core::limits::LOG_ALIVE_EVERY;

/// Days after which a disk may have changed what nobody read.
const CHECK_DAYS: i64 = 30;

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "LOG-12",
        Area::Logs,
        5,
        Check::Look(|scene| told(log_goes_on(scene))),
        [
            "Does the log of the last day go on without a gap?",
            "Who breaks in takes out the lines that tell of it, or stops the log. Then there is silence where there never is any.",
            "The server writes a sign of life into its log every quarter of an hour. From the first one of the last day on, no time of more than \
             three of them may be without a line, unless the lines around it say that the server was stopped and started. What is beyond \
             the last 16 MiB isn't looked at.",
            "See what the server's log and that of the host say around that time: `journalctl --since`. Where the log goes to standard error: \
             log.file = \"mailward.log\" in mailward.toml, and a restart.",
            "ISO/IEC 27001:2022 A.8.16 (monitoring activities)",
        ],
    ),
    known(
        "FIL-10",
        Area::Files,
        5,
        Check::Look(|scene| told(checked(scene))),
        [
            "Was every byte of the store checked within 30 days, with nothing wrong?",
            "Disks forget, silently. What nobody reads is found to be gone on the day that it is needed, and in every backup by then.",
            "When `mailward store verify`, which reads and hashes every message, was done last beside the running server, and what it found.",
            "Write into /etc/cron.d/mailward: `0 3 1 * * root /usr/local/bin/mailward store verify`; do it now by hand. If it finds something: docs/store.md.",
            "practice of databases and file systems that scrub",
        ],
    ),
];

fn log_goes_on(scene: &Scene) -> Told {
    let log =
        fact(scene, "what its log says (it may go to standard error, where the server can't read it)", |state| {
            state.log.as_ref()
        })?;
    let Some((since, until)) = log.since.zip(log.until) else {
        let level = settings(scene)?.text("log.level")?;
        if !matches!(level.as_str(), "info" | "debug") {
            return Ok(Finding::fail(format!("log.level is {level}: there are no signs of life that could be missed")));
        }
        let minutes = LOG_ALIVE_EVERY.as_secs().div_euclid(60);
        return Err(Missed::NotReached(format!(
            "there is no sign of life in the log of the last day: the first is written {minutes} minutes after the server began"
        )));
    };
    let told = |one: &Silence| format!("from {} to {}", one.from.text(), one.to.text());
    let bad: Vec<String> = log.silences.iter().filter(|one| !one.stopped).map(told).collect();
    let rests: Vec<String> = log.silences.iter().filter(|one| one.stopped).map(told).collect();
    let finding = if bad.is_empty() {
        let rests = if rests.is_empty() { String::new() } else { format!("; the server was stopped {}", some(&rests)) };
        Finding::pass(format!("there is no gap from {} to {}{rests}", since.text(), until.text()))
    } else {
        Finding::fail(format!("nothing was written, and the server wasn't stopped: {}", some(&bad)))
    };
    Ok(finding.showing(log.file.clone(), lines(bad.iter().chain(&rests))))
}

fn checked(scene: &Scene) -> Told {
    let verified = fact(scene, "when its store was checked", |state| state.verified.as_ref())?;
    let Some(began) = verified.began else {
        let clients = scene.state()?.clients.as_ref();
        let made = clients.filter(|clients| clients.from_first).and_then(|clients| clients.begun);
        if let Some(made) = made.filter(|made| days_since(*made, scene.now) < CHECK_DAYS) {
            return Err(Missed::NotReached(format!("the store was made on {}, and wasn't checked yet", day(made))));
        }
        return Ok(Finding::fail("the store was never checked"));
    };
    let days = days_since(began, scene.now);
    let said = format!("on {}, {} contents", day(began), verified.contents);
    let finding = match (verified.problems, days) {
        (1.., _) => Finding::fail(format!("{} problems were found {said}", verified.problems)),
        (0, ..=CHECK_DAYS) => Finding::pass(format!("nothing was wrong {said}")),
        (0, _) => Finding::fail(format!("it was checked {days} days ago, {said}")),
    };
    let seen =
        format!("contents = {}\nproblems = {}\nbegan = {}\n", verified.contents, verified.problems, began.text());
    Ok(finding.showing("mailward store verify", seen))
}
