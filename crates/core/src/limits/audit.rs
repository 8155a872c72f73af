//! Limits of the audit.

use std::time::Duration;

/// Time for one control: the slowest send a message and follow it, or ask fifty times as one user and as another.
pub const AUDIT_CONTROL_TIME: Duration = Duration::from_secs(30);

/// Hundredths of one processor that a run may have had when it goes on to look at the host. What its walk over all files takes
/// depends on how many there are; everything else is less than this.
pub const AUDIT_SHARE: u32 = 4;
/// Time over which a run spreads what it does, where that share would take longer: whoever waits for it gets it within a minute.
pub const AUDIT_SPREAD: Duration = Duration::from_secs(50);

/// Controls that are answered at a time. Most of them wait, for a guard that slows down who fails or for the DNS; what can't be
/// answered beside others says so by itself.
pub const AUDIT_AT_ONCE: usize = 6;

/// Time for a program that is asked something.
pub const AUDIT_PROGRAM_TIME: Duration = Duration::from_secs(10);

/// Bytes read of one file of the host, or of what a program says. Package lists are the largest that matter: 60 MB for all of a
/// distribution, a tenth of it for its security updates.
pub const AUDIT_FILE_MAX: u64 = 64 * 1024 * 1024;

/// Names read of one directory.
pub const AUDIT_LIST_MAX: usize = 100_000;

/// Bytes kept of one exhibit; the hash is of all of it.
pub const AUDIT_EXCERPT_MAX: usize = 4096;

/// Bytes of a whole run: it travels over the control socket as one request, as a string of JSON.
pub const AUDIT_RUN_MAX: usize = 400 * 1024;

/// Seals that are read: a run a day, with a change of what is to be done, for half a century.
pub const AUDIT_SEALS_MAX: usize = 40_000;

/// Days that a run is kept; its seal is kept for ever. A year, and a month to look back from its end.
pub const AUDIT_KEEP_DAYS: u16 = 400;

/// What a clock may be put back during a run that is kept: as much as a host is wrong by that has kept no time for a day or two.
pub const AUDIT_CLOCK_SLACK: Duration = Duration::from_secs(60);

/// Bytes of the name of a file that somebody showed: Linux's longest path.
pub const AUDIT_PATH_MAX: usize = 4096;

/// Exhibits kept of one control.
pub const AUDIT_EXHIBITS_MAX: usize = 64;

// ---- doors that are knocked at --------------------------------------------------------------------------------

/// Time for a connection to come about, or for TLS to begin.
pub const KNOCK_CONNECT_TIME: Duration = Duration::from_secs(5);
/// Silence that ends a wait for an answer. Servers make strangers wait for a greeting: it is longer than that.
pub const KNOCK_ANSWER_TIME: Duration = Duration::from_secs(12);
/// Time for one connection in all: below [`AUDIT_CONTROL_TIME`], so that a control still says what it saw.
pub const KNOCK_SESSION_TIME: Duration = Duration::from_secs(25);
/// Bytes of one line that a server says; IMAP's lines are the longest that are usual.
pub const KNOCK_LINE_MAX: usize = 64 * 1024;
/// Lines of one answer.
pub const KNOCK_LINES_MAX: usize = 1_000;
/// Bytes read of one connection in all.
pub const KNOCK_TOTAL_MAX: usize = 1024 * 1024;
/// Bytes kept of what was said on one connection, both ways.
pub const KNOCK_TRANSCRIPT_MAX: usize = 32 * 1024;
/// Connections to one door at a time, where nothing is asked of their number: far below what servers grant to one address.
pub const KNOCK_AT_ONCE: usize = 8;
/// Bytes of a server's first flight of TLS: a chain of certificates is most of it.
pub const KNOCK_FLIGHT_MAX: usize = 128 * 1024;
/// Certificates of one chain that are looked at.
pub const KNOCK_CHAIN_MAX: usize = 16;
/// Iterations of SCRAM that a server may ask of us: ten times what is usual.
pub const KNOCK_SCRAM_ITERATIONS_MAX: u32 = 1_000_000;
/// Connections held at once to see whether a server counts them by address: more than any of them grants on purpose.
pub const KNOCK_CROWD: usize = 260;
/// How often, after those are gone, it is tried whether the server lets somebody in again, ...
pub const KNOCK_REOPEN_TRIES: usize = 50;
/// ... and how long after each other.
pub const KNOCK_REOPEN_PAUSE: Duration = Duration::from_millis(100);
/// Commands that mean nothing, said until a server has had enough.
pub const KNOCK_JUNK: usize = 150;
/// Recipients that aren't there, asked for until a server has had enough.
pub const KNOCK_UNKNOWN_RECIPIENTS: usize = 120;
/// Logins that fail, of each of the two users whose refusals are compared.
pub const KNOCK_LOGINS: usize = 50;
/// The same where a server takes so long for each that fifty can't be made: beyond the failures after which servers are known to
/// say something else.
pub const KNOCK_LOGINS_IN_WORDS: usize = 6;
/// Days that an exception lasts at most.
pub const AUDIT_EXCEPTION_DAYS: u16 = 365;

/// Characters of a reason, and of what somebody says to a question.
pub const AUDIT_WORDS_MAX: usize = 1_000;

/// Time for all of a daily audit: far more than it takes, so that one that hangs is told of.
pub const AUDIT_RUN_TIME: Duration = Duration::from_secs(1_800);

/// Domains, and mail hosts of theirs, that are asked about in the DNS.
pub const AUDIT_NAMES_MAX: usize = 100;

// ---- messages that are followed -------------------------------------------------------------------------------

/// Bytes of the log that are looked at: what a busy server writes in some minutes.
pub const AUDIT_LOG_MAX: u64 = 16 * 1024 * 1024;

/// Time in which the log has to tell what happened.
pub const AUDIT_LOG_TIME: Duration = Duration::from_secs(5);

/// Time between two looks at the log.
pub const AUDIT_LOG_LOOK: Duration = Duration::from_millis(100);

/// Messages of the audit's account, of each mailbox and of the quarantine, that are looked at for one that was sent.
pub const AUDIT_FOLLOWED_MAX: usize = 500;

/// Bytes of a header of such a message that are looked at.
pub const AUDIT_HEADER_MAX: u64 = 64 * 1024;

/// Bytes of a directory that are read at once, some thousand names; a name has 255 bytes at most.
pub const AUDIT_DIRECTORY_READ: usize = 64 * 1024;
/// How often a server writes a sign of life into its log, so that silence can be told from lines that were taken out.
pub const LOG_ALIVE_EVERY: Duration = Duration::from_secs(900);

/// How far back the log is looked at for silence: a day, seconds.
pub const AUDIT_SILENCE_BACK: i64 = 86_400;

/// Times of silence that are told of a log.
pub const AUDIT_SILENCES_MAX: usize = 20;

/// Bytes of a digest of the quarantine that are looked at: it tells of a few messages.
pub const AUDIT_DIGEST_MAX: u64 = 256 * 1024;

/// How long links last that are to be seen ending: enough to follow one, and little of [`AUDIT_CONTROL_TIME`].
pub const AUDIT_LINK_ENDS: Duration = Duration::from_secs(4);

/// How long links last that are to be followed.
pub const AUDIT_LINK_TIME: Duration = Duration::from_secs(120);

/// Files and directories looked at in one walk over a host: twice what a large server has beside its mail.
pub const AUDIT_WALK_MAX: usize = 2_000_000;

/// Time for one walk: less than a control has ([`AUDIT_CONTROL_TIME`]), so that it says why it has no answer.
pub const AUDIT_WALK_TIME: Duration = Duration::from_secs(25);

/// How deep a walk over a host goes.
pub const AUDIT_WALK_DEPTH: usize = 64;

/// What a walk keeps of each kind of thing it looks for.
pub const AUDIT_WALK_KEPT: usize = 10_000;

/// How deep configuration files of a host include each other: OpenSSH's own limit.
pub const AUDIT_INCLUDE_DEPTH: usize = 16;

/// How many files a configuration of a host may include.
pub const AUDIT_INCLUDE_FILES: usize = 1_000;

/// How many block devices lie on each other below a file system.
pub const AUDIT_DEVICE_DEPTH: usize = 16;

/// Bytes of packages' files that are hashed by one control.
pub const AUDIT_HASHED_MAX: u64 = 256 * 1024 * 1024;

/// Failures that a finding names; the rest are counted.
pub const AUDIT_NAMED_MAX: usize = 12;

/// Time after which no more names are asked for one control: what a question takes at most is left of
/// [`AUDIT_CONTROL_TIME`].
pub const AUDIT_NAMES_TIME: Duration = Duration::from_secs(4);

/// Time after which a control about names says what it knows, whatever it still waits for.
pub const AUDIT_NAMES_END: Duration = Duration::from_secs(20);

/// How often the server is told that an audit goes on.
pub const AUDIT_ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Silence after which the server takes an audit for gone, and lets another one begin: some of the pauses between its words, as a
/// busy host may lose one.
pub const AUDIT_ALIVE_TIME: Duration = Duration::from_secs(30);

/// Days before an action is due at which its owner is reminded.
pub const AUDIT_REMIND_DAYS: u16 = 7;

/// What the names of accounts begin with that an audit makes for itself, before a number: such as `mailward-audit-19c3@`.
pub const AUDIT_LOCAL: &str = "mailward-audit-";

// ---- looks from outside ---------------------------------------------------------------------------------------

/// Connections a second of one look, at most.
pub const KNOCK_RATE_MAX: u32 = 200;
/// Connections a second of one look, unless told otherwise: below what servers take for an attack.
pub const PROBE_RATE: u32 = 40;
/// Ports of one address that are tried at once.
pub const PROBE_PORTS_AT_ONCE: usize = 32;
/// Doors that are looked at at once, ...
pub const PROBE_DOORS_AT_ONCE: usize = 3;
/// ... and connections to each: some servers let a single address have little more than a dozen.
pub const PROBE_AT_ONCE: usize = 3;
/// How long a server that has too many connections is left alone before it is asked once more.
pub const PROBE_AGAIN_PAUSE: Duration = Duration::from_secs(1);
/// Ports of one look.
pub const PROBE_PORTS_MAX: usize = 200;
/// Addresses of a host that are looked at.
pub const PROBE_ADDRESSES_MAX: usize = 16;
/// Selectors, lists, recipients and addresses that may be named, of each.
pub const PROBE_NAMES_MAX: usize = 20;
/// Time for a whole look, whatever the host does: what isn't asked by then isn't tested. Most take less than five minutes.
pub const PROBE_LOOK_TIME: Duration = Duration::from_secs(1_800);
/// How much of it is kept for names, so that a host that answers slowly at its doors can't hide what the DNS says; percent.
pub const PROBE_NAMES_PERCENT: u32 = 20;
/// Characters of what is said of one finding: one that is at many doors says so of each.
pub const PROBE_SAID_MAX: usize = 8_000;
/// Time for one question at one door: slow servers make strangers wait a second for each mistake.
pub const PROBE_QUESTION_TIME: Duration = Duration::from_secs(120);
/// Time for what is asked of one name in the DNS, all its questions together.
pub const PROBE_NAMES_TIME: Duration = Duration::from_secs(30);
/// Features that are kept of one answer, ...
pub const PROBE_FEATURES_MAX: usize = 100;
/// ... and characters of one text of others.
pub const PROBE_TEXT_MAX: usize = 300;
/// Texts that are kept of one name.
pub const PROBE_TEXTS_MAX: usize = 50;
/// Bytes of a web server's answer that are read: a policy of MTA-STS is the longest that matters.
pub const PROBE_PAGE_MAX: usize = 80 * 1024;
/// Places of mail programs that one source tells of: more can't be read. Three are usual, large providers have six.
pub const PROGRAM_SETTINGS_MAX: usize = 32;
/// Elements inside one another in a page of settings, ...
pub const PROGRAM_XML_DEPTH_MAX: usize = 12;
/// ... and pieces of it: beginnings and ends of elements, texts, comments.
pub const PROGRAM_XML_PIECES_MAX: usize = 5_000;
/// Bytes of a look that is kept, and of a peer's that is read.
pub const PROBE_STATE_MAX: usize = 4 * 1024 * 1024;
/// Files of peers that are read.
pub const PROBE_PEERS_MAX: usize = 64;
/// Days that a peer's look counts.
pub const PROBE_VANTAGE_DAYS: u16 = 30;
/// Differences between two looks that are told.
pub const PROBE_CHANGES_MAX: usize = 500;
