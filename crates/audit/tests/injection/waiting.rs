//! How long is waited for what the server writes down.

use crate::cases::asked;
use crate::house::{Fault, scene};
use mailward_audit::Verdict;
use mailward_core::limits::{AUDIT_LOG_LOOK, AUDIT_LOG_TIME};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_log_that_tells_nothing_is_looked_at_for_so_long_and_no_longer() {
    let scene = scene(&[Fault::LogSilent]).await;
    let began = Instant::now();
    let record = asked("LOG-07", scene).await;
    assert_eq!(record.verdict, Verdict::Fail, "{}", record.said);
    let took = began.elapsed();
    // The login that fails takes its time as well.
    assert!(took >= AUDIT_LOG_TIME && took < AUDIT_LOG_TIME * 2 + AUDIT_LOG_LOOK, "{took:?}");
}
