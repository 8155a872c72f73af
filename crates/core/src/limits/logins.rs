//! Limits of logins that fail, and of bans.

use std::time::Duration;

// ---- bans --------------------------------------------------------------------------------------------------

/// Hosts and networks that are banned, or remembered for having been, at once: large botnets have some 100,000 addresses. One
/// more puts out the one that ends soonest.
pub const BANS_MAX: usize = 100_000;
/// Minutes of a first ban: default of `bans.time`. Password guessers go elsewhere; a person who mistyped waits that long at most.
pub const BAN_MINUTES: usize = 10;
/// Most minutes of a first ban that `bans.time` takes: a week.
pub const BAN_MINUTES_CONFIG_MAX: usize = 7 * 24 * 60;
/// How many times the first ban's time the second, third, and every further one take: with ten minutes an hour, six hours, a day.
pub const BAN_TIMES: [u32; 4] = [1, 6, 36, 144];
/// After the end of a ban its host is remembered for so long: a ban that comes meanwhile is longer.
pub const BAN_MEMORY: Duration = Duration::from_secs(7 * 86_400);
/// Longest time of a ban that is to end, by hand too: a year.
pub const BAN_TIME_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Words that say why somebody is banned, characters.
pub const BAN_WHY_MAX: usize = 200;
/// Networks and accounts in `bans.never`.
pub const BANS_NEVER_MAX: usize = 100;
/// How long the address is spared that an administrator's command came from, or a login of an account in `bans.never`: who works
/// here today is here tomorrow.
pub const BAN_SPARED_TIME: Duration = Duration::from_secs(86_400);
/// After this part of it a spared address is noted anew, so that most commands write nothing for it.
pub const BAN_SPARED_NOTE: Duration = Duration::from_secs(3_600);
/// Addresses spared that way at once; one more puts out the one that was seen the longest ago.
pub const BAN_SPARED_MAX: usize = 256;
/// Changes of bans that a listener may be behind before it has to look at all of them.
pub const BAN_NEWS_MAX: usize = 1_024;
/// Bans in one answer to `mailward ban list`.
pub const BANS_PAGE: usize = 1_000;
/// Bans whose end is told at once; the others' is told the next second.
pub const BANS_ENDED_AT_ONCE: usize = 1_000;
/// Time of the ban that `mailward ban test` tries the doors with.
pub const BAN_TEST_TIME: Duration = Duration::from_secs(60);
/// How long that test waits for a door to do something.
pub const BAN_TEST_WAIT: Duration = Duration::from_secs(5);

// ---- what is kept ------------------------------------------------------------------------------------------

/// Between two tries to write to a shelf what the store didn't take.
pub const KEEP_PAUSE: Duration = Duration::from_secs(5);
/// Records that wait to be written to a shelf: twice [`BANS_MAX`]. Only a store that takes nothing lets them come to that.
pub const KEEP_UNWRITTEN_MAX: usize = 200_000;

// ---- logins that fail --------------------------------------------------------------------------------------

/// Sources, users and passwords that failed, remembered at once, each kind. The oldest are forgotten first: 100 bytes each.
pub const LOGINS_REMEMBERED_MAX: usize = 100_000;
/// Time in which failures count together: what is usual for a person's mistakes, and longer than a guesser likes to wait.
pub const LOGIN_WINDOW: Duration = Duration::from_secs(3_600);
/// Failures of one host in [`LOGIN_WINDOW`] before it is banned. A person has three tries at three devices and gives up.
pub const LOGIN_HOST_FAILURES: u32 = 10;
/// The same of a host that somebody logged in from lately: a household or office behind one address.
pub const LOGIN_SHARED_FAILURES: u32 = 40;
/// Users that such a host must have failed as before it is banned as a whole: more than live in a household.
pub const LOGIN_SHARED_USERS: usize = 6;
/// Failures of neighbours (/24, /48) together before their network is banned.
pub const LOGIN_NEIGHBOUR_FAILURES: u32 = 60;
/// Hosts of that network that must have failed: one alone is banned alone.
pub const LOGIN_NEIGHBOUR_HOSTS: usize = 4;
/// Failures of one user from strange hosts before the user is under attack: strange devices are refused.
pub const LOGIN_USER_FAILURES: u32 = 20;
/// Most failures that are counted of one user: so many minutes after an attack ends strange devices are let in again, as they
/// fade away within [`LOGIN_WINDOW`].
pub const LOGIN_USER_FAILURES_MAX: u32 = 30;
/// Users that one host or network has failed as before it is spraying.
pub const LOGIN_SPRAY_USERS: usize = 6;
/// Users that one password was tried on, from [`LOGIN_SPRAY_HOSTS`] hosts, before it is sprayed.
pub const LOGIN_SPRAYED_USERS: usize = 6;
/// Hosts that it came from.
pub const LOGIN_SPRAY_HOSTS: usize = 3;
/// How many times a failure counts that tries a password which is being sprayed.
pub const LOGIN_SPRAY_WEIGHT: u32 = 3;
/// Users that fail for the first time within [`LOGIN_WINDOW`] before it is credential stuffing, if they come from
/// [`LOGIN_STUFFING_HOSTS`] hosts that fail for the first time too.
pub const LOGIN_STUFFING_USERS: u32 = 60;
/// See [`LOGIN_STUFFING_USERS`].
pub const LOGIN_STUFFING_HOSTS: u32 = 30;
/// Different users and hosts that are remembered of each other: more than any of the thresholds above.
pub const LOGIN_DIFFERENT_MAX: usize = 8;
/// Wrong passwords of one user from one host that are known again: an old phone has one, a household a few.
pub const LOGIN_WRONG_MAX: usize = 4;
/// So many times the same wrong password from the same host count as one failure more: nothing is guessed by it, and yet it
/// costs work.
pub const LOGIN_SAME_WRONG: u32 = 20;
/// A wrong password that comes again counts only beyond so many at a time, ...
pub const LOGIN_SAME_AT_ONCE: u32 = 12;
/// ... of which so many are forgotten in an hour: an office full of phones with old passwords asks once a minute each.
pub const LOGIN_SAME_PER_HOUR: u32 = 60;
/// The first wrong password of a user at a host counts this part of a failure for the host while nobody else tries the same and the
/// user tries no other: on the day of a move an office has as many old passwords as users.
pub const LOGIN_OWN_WRONG: u32 = 4;
/// Bits of the network that one IPv6 customer has at most, counted before the neighbours are (RFC 6177 §2).
pub const LOGIN_SITE_PREFIX_V6: u8 = 56;
/// While a user is under attack, one try in that time for all strange hosts together at which nothing failed.
pub const LOGIN_STRANGER_PAUSE: Duration = Duration::from_secs(60);
/// The same for all hosts near the user's own: neighbours of known devices, and hosts that others logged in from lately.
pub const LOGIN_NEAR_PAUSE: Duration = Duration::from_secs(15);
/// Logins of one user from one host that are looked at together; more of them wait.
pub const LOGINS_AT_ONCE_PER_PAIR: u32 = 16;
/// Logins of one user from one host that wait, once some failed or where nobody is known; more of them are refused. Elsewhere
/// so many times [`LOGINS_AT_ONCE_PER_PAIR`].
pub const LOGIN_WAITING_PER_PAIR: u32 = 4;
/// One user is refused at one host for so long after [`LOGIN_SHARED_FAILURES`] different wrong passwords there; by [`BAN_TIMES`]
/// longer each further time.
pub const LOGIN_PAIR_TIME: Duration = Duration::from_secs(600);
/// So long it is remembered that one user was refused at one host.
pub const LOGIN_PAIR_MEMORY: Duration = Duration::from_secs(2 * 86_400);
/// Passwords of one user from one host, refused unseen within [`LOGIN_WINDOW`], before one that was found right lately is refused
/// as well: to let it pass tells who guesses that it is right.
pub const LOGIN_UNSEEN_MAX: u32 = 40;
/// Failures of a device before its next try waits.
pub const LOGIN_FREE_FAILURES: u32 = 3;
/// Longest wait before a password is looked at: three of them fit the time before login (`IMAP_PREAUTH_TIME`).
pub const LOGIN_WAIT_MAX: Duration = Duration::from_secs(15);
/// Logins of one host that nobody logged in from lately that are looked at together; more of them wait for what comes of those.
pub const LOGINS_AT_ONCE_PER_HOST: u32 = 16;
/// Logins of one known device with failures that are looked at together; more of them are refused.
pub const LOGINS_AT_ONCE_PER_DEVICE: u32 = 4;
/// A device is known for so long after its last login.
pub const DEVICE_TIME: Duration = Duration::from_secs(30 * 86_400);
/// Devices that are known of one account: places where one reads mail in a month, those of a phone on its way included. One more
/// puts out the one that was used the longest ago.
pub const DEVICES_PER_ACCOUNT: usize = 32;
/// After so long it is noted anew that a known device logged in, so that most logins write nothing for it.
pub const DEVICE_NOTE: Duration = Duration::from_secs(86_400);
/// An owner's account is told to be under attack once in that time.
pub const ACCOUNT_TOLD: Duration = Duration::from_secs(86_400);

// ---- what logins came over ---------------------------------------------------------------------------------

/// Days before today whose logins are summed up by door and version of TLS: what an audit asks for.
pub const CLIENT_MONTH: i64 = 30;
/// Days before today of which is known what was logged in over, so that a door that nobody needs is found.
pub const CLIENT_DAYS: i64 = 90;
/// Days that have a record of it: those, today, and some that a clock which was wrong made up. One more puts out the oldest.
pub const CLIENT_RECORDS_MAX: usize = 100;
/// Accounts whose last login is known; of one more it isn't, and that is told. 100 bytes each.
pub const CLIENT_ACCOUNTS_MAX: usize = 200_000;
/// Days that an account's last login is remembered: longer than anybody asks back.
pub const CLIENT_LAST_DAYS: i64 = 800;
/// How often what was counted is written: what a kill forgets at most.
pub const CLIENTS_WRITE_TIME: Duration = Duration::from_secs(10);
