//! Limits of the rate guard, and of what is remembered of refusals.

use crate::rate::RateLimits;
use std::time::Duration;

// ---- rate guard --------------------------------------------------------------------------------------------

/// Time that counts are for: an hour that ends now. What came in the hour of the clock before counts by the part of it that
/// is in that time, as if it had come evenly.
pub const RATE_WINDOW: Duration = Duration::from_secs(3_600);
/// Sources that are counted; 56 bytes each, which are taken when they come. Beyond, those go of which least is counted.
pub const RATE_SOURCES_MAX: usize = 1_000_000;
/// Sources that one of those that go is chosen from: so many are looked at, however many there are.
pub const RATE_WAYS: usize = 8;
/// Sources that are named, and listed, as they went beyond warn. A name is 370 bytes at most.
pub const RATE_NAMED_MAX: usize = 8_192;
/// Messages, recipients or refusals in an hour from which on a source is written down, to survive a restart.
pub const RATE_KEPT_LEAST: u32 = 20;
/// Sources that are written down: what fits into one record for each part of the memory.
pub const RATE_KEPT_MAX: usize = 51_200;
/// How often they are written; a kill loses what was counted since.
pub const RATE_WRITE_TIME: Duration = Duration::from_secs(30);
/// How long everything of a source is refused after an alarm: the hour that the counts are for.
pub const RATE_ALARM_TIME: Duration = Duration::from_secs(3_600);
/// Most that a step may be: more than any server takes in an hour.
pub const RATE_CONFIG_MAX: u32 = 1_000_000_000;
/// Entries of `rates.ignore`.
pub const RATE_IGNORED_MAX: usize = 1_000;
/// Sources in one answer to `mailward rates list`.
pub const RATE_LISTED_MAX: usize = 1_000;

/// Warn, block and alarm of messages, recipients and refused recipients from one host: default of `rates.host`. A large
/// provider brings 5,000 mailboxes some 20,000 messages an hour from hundreds of hosts. Of 1,000 recipients that are refused,
/// none was a slip of the pen.
#[rustfmt::skip]
pub const RATE_HOST: RateLimits = RateLimits::of([[5_000, 20_000, 100_000], [20_000, 100_000, 500_000], [200, 1_000, 10_000]]);
/// The same of its neighbours: default of `rates.network`. All that a large provider has for 5,000 mailboxes may come from one
/// network, with the recipients that it finds gone.
#[rustfmt::skip]
pub const RATE_NETWORK: RateLimits = RateLimits::of([[20_000, 100_000, 500_000], [100_000, 500_000, 2_000_000], [2_000, 10_000, 100_000]]);
/// The same of a sending address: default of `rates.address`. Notices of one service to all users of a firm have one sender.
#[rustfmt::skip]
pub const RATE_ADDRESS: RateLimits = RateLimits::of([[5_000, 50_000, 200_000], [20_000, 100_000, 500_000], [0, 0, 0]]);
/// The same of a sender's domain: default of `rates.domain`. A large provider's domain sends what its networks do.
#[rustfmt::skip]
pub const RATE_DOMAIN: RateLimits = RateLimits::of([[20_000, 100_000, 500_000], [100_000, 500_000, 2_000_000], [0, 0, 0]]);
/// The same of a user who sends: default of `rates.account`. Mail to other domains is held from `USER_LIMITS` on, ten times
/// less; nobody writes 2,000 messages in an hour, here or elsewhere.
#[rustfmt::skip]
pub const RATE_ACCOUNT: RateLimits = RateLimits::of([[500, 2_000, 10_000], [2_500, 10_000, 50_000], [50, 200, 2_000]]);
/// The same of all users of one domain: default of `rates.own_domain`. Ten of them may run a program at full speed before the
/// others wait for it.
#[rustfmt::skip]
pub const RATE_OWN_DOMAIN: RateLimits = RateLimits::of([[5_000, 20_000, 100_000], [25_000, 100_000, 500_000], [500, 2_000, 20_000]]);
/// The same of a host that users send from: default of `rates.client`. An office of 500 may come from one address.
#[rustfmt::skip]
pub const RATE_CLIENT: RateLimits = RateLimits::of([[2_000, 10_000, 50_000], [10_000, 50_000, 250_000], [200, 1_000, 10_000]]);

// ---- refusals that are remembered --------------------------------------------------------------------------

/// Refusals that are in memory, the newest: some 5 MB.
pub const JOURNAL_RING: usize = 10_000;
/// How long a refusal is remembered: whoever asks why mail didn't come asks within a week.
pub const JOURNAL_TIME: Duration = Duration::from_secs(7 * 86_400);
/// How often refusals are written; a kill loses what came since.
pub const JOURNAL_WRITE_TIME: Duration = Duration::from_secs(5);
/// Refusals that are written in one hour of the clock: with `JOURNAL_TIME` 336,000 at most, some 150 MB, whatever is refused.
/// Beyond, they are in memory only, and counted.
pub const JOURNAL_PER_HOUR: usize = 2_000;
/// Refusals of one host in an hour that are all noted, so that who is refused all day long leaves room for others. Beyond, one
/// of `JOURNAL_SAMPLE` is.
pub const JOURNAL_PER_HOST: u32 = 100;
/// Refusals of all hosts in a second that are all noted. Beyond, one of `JOURNAL_SAMPLE` is.
pub const JOURNAL_PER_SECOND: u32 = 200;
/// One refusal of so many is noted where there are too many; all are counted.
pub const JOURNAL_SAMPLE: u32 = 100;
/// Hosts whose refusals are counted for `JOURNAL_PER_HOST`.
pub const JOURNAL_HOSTS: usize = 65_536;
/// A field of a refusal, bytes; the longest address fits. What is longer is cut.
pub const JOURNAL_FIELD_MAX: usize = 320;
/// Refusals in one answer to `mailward trace`, the newest.
pub const JOURNAL_SHOWN_MAX: usize = 500;
/// Refusals that are read from the store for one answer.
pub const JOURNAL_READ_MAX: usize = 400_000;
