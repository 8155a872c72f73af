//! Limits of routes and gateways: ways that an administrator sets, and questions asked of inside hosts.

use std::time::Duration;

// ---- routes and gateways -----------------------------------------------------------------------------------

/// Routes of a server. All are in memory; one that is looked for costs the same, however many there are.
pub const ROUTES_MAX: usize = 1_000;
/// Longest name of a route, characters.
pub const ROUTE_NAME_MAX: usize = 32;
/// Hosts of one route.
pub const ROUTE_PLACES_MAX: usize = 8;
/// Longest text that a route refuses with, bytes: a reply is one line of 512 (RFC 5321 §4.5.3.1.5).
pub const ROUTE_TEXT_MAX: usize = 300;
/// Longest path of a socket that a route leads to, bytes. unix(7): 108 with the zero behind it.
pub const ROUTE_SOCKET_MAX: usize = 107;
/// Longest path of a Maildir that a route leads to, bytes.
pub const ROUTE_PATH_MAX: usize = 1_024;
/// Longest user name at a smart host, bytes.
pub const ROUTE_USER_MAX: usize = 320;
/// Longest life of a message that a route may set, seconds: 30 days, as the configuration.
pub const ROUTE_LIFETIME_MAX: u64 = 30 * 86_400;
/// Domains that mail is passed on for.
pub const GATEWAYS_MAX: usize = 1_000;
/// Recipients that are listed for all gateways together: some servers of 5,000 mailboxes with their aliases. All are in
/// memory, and read anew with each change.
pub const GATEWAY_LISTED_MAX: usize = 20_000;
/// Recipients that are listed or taken off in one step.
pub const GATEWAY_LISTED_STEP: usize = 500;
/// From the connection to the answer when an inside host is asked for a recipient: the sender waits meanwhile, five minutes
/// at least (RFC 5321 §4.5.3.2.3).
pub const CALLOUT_TIME: Duration = Duration::from_secs(30);
/// Questions to inside hosts that are under way at once; more wait for a place (attacks A6). So many gateways can be silent
/// while others are asked, as one that is silent holds one place.
pub const CALLOUTS_AT_ONCE: usize = 100;
/// Questions to the inside hosts of one gateway: a slow one leaves places to the others.
pub const CALLOUTS_PER_GATEWAY: usize = 5;
/// Wait for a place to ask an inside host, before its own time begins.
pub const CALLOUT_PLACE_TIME: Duration = Duration::from_secs(30);
/// All questions for what one address here leads to: within the five minutes that the sender waits, with what else is asked
/// for it. What was answered is remembered, so that the next attempt gets further.
pub const CALLOUT_ALIAS_TIME: Duration = Duration::from_secs(120);
/// How long a yes of an inside host is taken without asking again.
pub const CALLOUT_YES_TIME: Duration = Duration::from_secs(4 * 3_600);
/// How long a yes counts while the inside host can't be asked: longer than a weekend.
pub const CALLOUT_KNOWN_TIME: Duration = Duration::from_secs(7 * 86_400);
/// How long a no is taken without asking again: who is new inside waits no longer for mail from outside.
pub const CALLOUT_NO_TIME: Duration = Duration::from_secs(600);
/// How long a no for now (4xx) is taken without asking again: shorter than the pause before senders come again.
pub const CALLOUT_LATER_TIME: Duration = Duration::from_secs(60);
/// How long nothing is asked after an inside host failed: whoever asks meanwhile hears of that failure.
pub const CALLOUT_REST_TIME: Duration = Duration::from_secs(15);
/// Recipients with a yes that are remembered.
pub const CALLOUT_YES_KEPT: usize = 100_000;
/// Recipients with a no that are remembered, and as many with a no for now: strangers choose them, so they have rooms of
/// their own.
pub const CALLOUT_NO_KEPT: usize = 10_000;
/// Pieces of a message that wait to be written into a Maildir.
pub const MAILDIR_AHEAD: usize = 4;
/// Names in a Maildir that are looked at for a message that may be there already; beyond, it is delivered again.
pub const MAILDIR_LOOK_MAX: usize = 1_000_000;
