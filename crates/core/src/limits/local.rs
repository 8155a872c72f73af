//! Limits of mail from inside: programs of this host, hosts of our networks.

use std::time::Duration;

// ---- programs of this host ---------------------------------------------------------------------------------

/// Sessions of one local user on the socket for programs at once, root and the server's own user apart. A cron minute
/// starts a dozen; what is sent away is spooled by its program.
pub const SUBMIT_SESSIONS_PER_USER_MAX: usize = 20;
/// Sessions of all local users on the socket for programs at once, so that they leave places for the network.
pub const SUBMIT_SESSIONS_MAX: usize = 200;
/// Names of local users that are remembered with their numbers: the system may ask a network for them.
pub const SUBMIT_NAMES_MAX: usize = 1_000;
/// Time that the name of a local user is remembered: an account that is renamed waits so long.
pub const SUBMIT_NAME_TIME: Duration = Duration::from_secs(60);
/// Wait of a program for the server's socket to take it and to greet; after it, the message is spooled.
pub const SENDMAIL_GREETING_TIME: Duration = Duration::from_secs(10);
/// Bytes of `-bs` that are passed on at a time.
pub const SENDMAIL_PIECE: usize = 16 * 1024;
/// Words of a command line that `sendmail` reads. A kernel passes some 100,000 on.
pub const SENDMAIL_ARGUMENTS_MAX: usize = 20_000;
/// Name of a person that `-F` takes, characters; what follows is cut.
pub const SENDMAIL_NAME_MAX: usize = 200;
/// Largest envelope of a spooled message, bytes: the most recipients there can be, each with its NOTIFY and ORCPT.
pub const PARCEL_ENVELOPE_MAX: usize = 4 * 1024 * 1024;
/// Largest spooled file, bytes: the largest message that any configuration takes, with its envelope.
pub const PARCEL_MAX: usize = 260 * 1024 * 1024;
/// How often the server looks into the spool directory.
pub const SPOOL_LOOK_TIME: Duration = Duration::from_secs(2);
/// Names of the spool directory that are read at a time, so that a flood of them takes turns with everything else.
pub const SPOOL_NAMES: usize = 500;
/// Pauses before a spooled message that wasn't taken for now is tried again, seconds; the last one from there on.
pub const SPOOL_RETRY_SECONDS: [u64; 5] = [5, 15, 60, 300, 900];
/// Spooled messages whose next try is remembered; more are tried at every look.
pub const SPOOL_WAITING_MAX: usize = 10_000;
/// Spooled messages that were handed in but can't be removed (no room for what is left of them, say) and are remembered, so
/// that nobody gets them twice; from there on no more are handed in. Each may have a whole envelope.
pub const SPOOL_STUCK_MAX: usize = 20;
/// How long a spooled message is tried, as what waits in the queue; then it is put aside.
pub const SPOOL_PATIENCE: Duration = Duration::from_secs(5 * 86_400);
/// Age of a file whose writing was never finished, when it is removed from the spool.
pub const SPOOL_UNFINISHED_AGE: Duration = Duration::from_secs(86_400);

// ---- inside hosts ------------------------------------------------------------------------------------------

/// Networks in `relay.from`.
pub const INSIDE_NETWORKS_MAX: usize = 256;
/// Shortest prefix of an IPv4 network in `relay.from`, bits: 10.0.0.0/8 is the largest that one organisation has.
pub const INSIDE_PREFIX_V4_MIN: u8 = 8;
/// Shortest prefix of a public IPv6 network in `relay.from`, bits: what a provider is given for all its customers.
pub const INSIDE_PREFIX_V6_MIN: u8 = 32;
/// Entries of `sendmail.users`.
pub const SENDMAIL_GRANTS_MAX: usize = 1_000;
