//! How long is waited for what the server writes down.

use crate::cases::asked;
use crate::house::{Fault, scene};
use mailward_audit::Verdict;
use mailward_core::limits::AUDIT_LOG_TIME;

#[tokio::test]
async fn a_log_that_tells_nothing_is_looked_at_for_its_time_and_then_it_is_said() {
    let record = asked("LOG-07", scene(&[Fault::LogSilent]).await).await;
    let within = format!("isn't in the log within {} seconds", AUDIT_LOG_TIME.as_secs());
    assert!(record.verdict == Verdict::Fail && record.said.contains(&within), "{}", record.said);
}
