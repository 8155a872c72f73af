//! Limits of alerts, of the ways they go, and of the supervisor.

use std::time::Duration;

// ---- alerts ------------------------------------------------------------------------------------------------

/// Alerts that wait to be heard; more are counted, and the count is told.
pub const ALERTS_HEARD_MAX: usize = 1_000;
/// Lines of words that an event carries for people.
pub const ALERT_LINES_MAX: usize = 60;
/// One of these lines, characters. RFC 5322 §2.1.1 allows 998 bytes, and most are ASCII.
pub const ALERT_LINE_MAX: usize = 240;
/// Subject of an event's words, characters.
pub const ALERT_SUBJECT_MAX: usize = 100;
/// Fields of an event that an alert takes along.
pub const ALERT_FIELDS_MAX: usize = 24;
/// Time in which alerts gather that go in one message: what breaks one thing often breaks others with it.
pub const ALERT_GATHER_TIME: Duration = Duration::from_secs(3);
/// Time in which the same alert is counted and not told again, the first time; it doubles while the alert comes again.
pub const ALERT_REPEAT_TIME: Duration = Duration::from_secs(3_600);
/// Longest that it becomes.
pub const ALERT_REPEAT_TIME_MAX: Duration = Duration::from_secs(86_400);
/// Messages of alerts in an hour; what comes beyond is gathered, and goes in one when the hour is over. What strangers can
/// cause is counted by itself: they hold up nothing else.
pub const ALERTS_PER_HOUR: usize = 20;
/// Different alerts that are remembered; the one that came longest ago makes room.
pub const ALERT_TOPICS_MAX: usize = 1_000;
/// Days after which an alert that didn't come again is forgotten.
pub const ALERT_TOPIC_DAYS: u64 = 30;
/// What tells alerts of one kind apart, characters: a name and an address.
pub const ALERT_KEY_MAX: usize = 200;
/// Alerts that one message tells in full.
pub const ALERT_ITEMS_WHOLE: usize = 10;
/// Alerts that one message names; of more it gives the number.
pub const ALERT_ITEMS_MAX: usize = 60;
/// Messages that wait for a way; the oldest is given up for one more.
pub const ALERTS_PENDING_MAX: usize = 50;
/// Tries of one way to bring one message; with the pauses between them some three hours.
pub const ALERT_TRIES: u32 = 6;
/// Pause after the first try that failed; it grows fivefold with each.
pub const ALERT_RETRY_TIME: Duration = Duration::from_secs(10);
/// Longest that it becomes.
pub const ALERT_RETRY_TIME_MAX: Duration = Duration::from_secs(7_200);
/// Time that one way has for one try.
pub const ALERT_WAY_TIME: Duration = Duration::from_secs(30);
/// Shortest time between two notes of what was heard: a flood costs one commit in it.
pub const ALERT_NOTE_TIME: Duration = Duration::from_secs(1);
/// Time at the stop for what was just heard to be told; what isn't is told after the next start.
pub const ALERT_LAST_TIME: Duration = Duration::from_secs(2);
/// One message as a webhook and a command get it, bytes; lines are left out before it grows larger.
pub const ALERT_JSON_MAX: usize = 48 * 1024;
/// One alert as syslog gets it, bytes: what every receiver should take (RFC 5424 §6.1).
pub const ALERT_SYSLOG_MAX: usize = 2_048;
/// Addresses that alerts go to.
pub const ALERT_ADDRESSES_MAX: usize = 10;
/// Longest URL of a webhook, bytes.
pub const ALERT_URL_MAX: usize = 1_024;
/// Largest file of a webhook's secret, bytes.
pub const ALERT_SECRET_MAX: usize = 1_024;
/// Least secret of a webhook, bytes.
pub const ALERT_SECRET_MIN: usize = 16;

// ---- the supervisor ----------------------------------------------------------------------------------------

/// Words of the command that alerts are given to.
pub const ALERT_COMMAND_WORDS_MAX: usize = 32;
/// Time that the command has for one message; then it and what it started is killed.
pub const ALERT_COMMAND_TIME: Duration = Duration::from_secs(20);
/// Output of the command that is kept for the log, bytes.
pub const ALERT_COMMAND_OUTPUT_MAX: usize = 2_048;
/// Output of the command that is read and thrown away, bytes, before it is killed.
pub const ALERT_COMMAND_OUTPUT_READ: usize = 16 * 1024 * 1024;
/// Orders to run the command that wait in the server, and in the supervisor; more are refused.
pub const SUPERVISOR_ORDERS_MAX: usize = 8;
/// One line between the server and the supervisor, bytes.
pub const SUPERVISOR_LINE_MAX: usize = 64 * 1024;
/// Changes of bans that wait in the server for the supervisor to read them, and reports of its own; more wait outside.
pub const SUPERVISOR_QUEUE_MAX: usize = 1_000;
/// Time in which changes of bans gather that go to the firewall at once.
pub const FIREWALL_GATHER_TIME: Duration = Duration::from_millis(100);
/// Time that `nft` has for one change.
pub const FIREWALL_TIME: Duration = Duration::from_secs(10);
/// Pause after a change that failed, before it is tried again.
pub const FIREWALL_RETRY_TIME: Duration = Duration::from_secs(30);
/// Networks that the firewall's sets hold, those that are banned longest; bans beyond act in the server alone.
pub const FIREWALL_NETWORKS_MAX: usize = 20_000;
