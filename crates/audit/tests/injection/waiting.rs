//! How long is waited for what the server writes down.

use crate::cases::asked;
use crate::house::{Fault, place, scene_of};
use mailward_audit::Verdict;
use mailward_core::limits::{AUDIT_LOG_LOOK, AUDIT_LOG_TIME};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_log_that_tells_nothing_is_looked_at_for_its_time_and_then_it_is_said() {
    let place = place(&[Fault::LogSilent]);
    let record = asked("LOG-07", scene_of(&place).await).await;
    let within = format!("isn't in the log within {} seconds", AUDIT_LOG_TIME.as_secs());
    assert!(record.verdict == Verdict::Fail && record.said.contains(&within), "{}", record.said);
    // As often as there is a pause between two looks, and no oftener.
    let most = usize::try_from(AUDIT_LOG_TIME.as_millis() / AUDIT_LOG_LOOK.as_millis()).unwrap() + 1;
    let looks = place.looks.load(Ordering::Relaxed);
    assert!(looks > 1 && looks <= most, "{looks} of {most}");
}
