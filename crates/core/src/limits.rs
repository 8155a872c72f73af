//! Every limit of the house: name, unit, reason, source. Nothing in the house loops, buffers or waits on outside
//! data without one of these. Those an administrator may move are defaults here and keys in `mailward.toml`.
//!
//! PFX marks a default that Postfix ships and two decades of the Internet have tested.

mod alerts;
mod antivirus;
mod audit;
mod authentication;
mod boxes;
mod care;
mod content;
mod doubt;
mod fetching;
mod forwarding;
mod gate;
mod guard;
mod kinds;
mod lists;
mod local;
mod logins;
mod milters;
mod quarantine;
mod rates;
mod routes;
mod rules;
mod scanner;
mod scanning;
mod sending;
mod shown;
mod slow;
mod spam;
mod spf;
mod trust;
mod web;

pub use alerts::*;
pub use antivirus::*;
pub use audit::*;
pub use authentication::*;
pub use boxes::*;
pub use care::*;
pub use content::*;
pub use doubt::*;
pub use fetching::*;
pub use forwarding::*;
pub use gate::*;
pub use guard::*;
pub use kinds::*;
pub use lists::*;
pub use local::*;
pub use logins::*;
pub use milters::*;
pub use quarantine::*;
pub use rates::*;
pub use routes::*;
pub use rules::*;
pub use scanner::*;
pub use scanning::*;
pub use sending::*;
pub use shown::*;
pub use slow::*;
pub use spam::*;
pub use spf::*;
pub use trust::*;
pub use web::*;

use std::time::Duration;

// ---- connections -------------------------------------------------------------------------------------------

/// Connections open at once, all listeners together. A process has 1,024 descriptors by default on Debian's
/// login shells; `serve` raises the soft limit to fit this.
pub const CONNECTIONS_MAX: usize = 4_000;
/// Connections open at once from one address (IPv4) or one /64 (IPv6). A household or small office behind one
/// NAT address with several phones each holding several IMAP sessions stays below.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 200;
/// Bytes read from a socket in one call.
pub const READ_BUFFER: usize = 16 * 1024;
/// Bytes of replies kept for a peer that doesn't read before the session waits for it.
pub const WRITE_BUFFER_MAX: usize = 64 * 1024;
/// Whole TLS handshake. Slowloris (attacks H1).
pub const TLS_HANDSHAKE_TIME: Duration = Duration::from_secs(30);
/// Certificates of a server that are compared with its TLSA records. Public servers send two to four.
pub const TLS_CHAIN_MAX: usize = 10;

// ---- SMTP commands -----------------------------------------------------------------------------------------

/// Longest SMTP command line, bytes with CRLF. RFC 5321 §4.5.3.1.4 asks for 512; RFC 4954 and long ESMTP
/// parameters need more. PFX `line_length_limit` 2048.
pub const SMTP_COMMAND_LINE_MAX: usize = 2_048;
/// Longest line of a SASL exchange, bytes with CRLF. RFC 4954 §4 (12,288).
pub const SASL_LINE_MAX: usize = 12_288;
/// Messages in one SMTP session. After it, 421: a client starts anew and limits count anew.
pub const SMTP_MESSAGES_PER_SESSION_MAX: usize = 10_000;
/// Recipients of one message. RFC 5321 §4.5.3.1.8 demands at least 100. PFX `smtpd_recipient_limit`.
pub const SMTP_RECIPIENTS_MAX: usize = 1_000;
/// Refused recipients in one session before 421 (directory harvest, attacks A6).
pub const SMTP_UNKNOWN_RECIPIENTS_MAX: usize = 50;
/// Errors in one session before 421. PFX `smtpd_hard_error_limit`.
pub const SMTP_ERRORS_MAX: usize = 20;
/// Lines that are no command before the greeting, until 421: whoever speaks so speaks another protocol (attacks B8).
pub const SMTP_JUNK_BEFORE_HELLO_MAX: usize = 3;
/// Commands that bring nothing forward (NOOP, RSET, VRFY, HELP, EHLO) between two messages. PFX
/// `smtpd_junk_command_limit`.
pub const SMTP_JUNK_COMMANDS_MAX: usize = 100;
/// ESMTP parameters of one MAIL or RCPT.
pub const SMTP_PARAMETERS_MAX: usize = 16;
/// BDAT chunks of one message: 1-byte chunks cost a reply each.
pub const SMTP_CHUNKS_MAX: usize = 10_000;
/// Time to send one whole command line. RFC 5321 §4.5.3.2.7 asks for 5 minutes between commands.
pub const SMTP_COMMAND_TIME: Duration = Duration::from_secs(300);
/// Time an unauthenticated or silent peer may hold a session that has given no message.
pub const SMTP_SESSION_TIME: Duration = Duration::from_secs(3_600);
/// Grace of message data before [`MIN_DATA_RATE`] is asked.
pub const DATA_GRACE_TIME: Duration = Duration::from_secs(60);
/// Slowest rate of message data, bytes a second, on the average since it began. PFX `smtpd_min_data_rate`.
pub const MIN_DATA_RATE: u64 = 500;
/// Longest silence within message data. RFC 5321 §4.5.3.2.5 (3 minutes).
pub const DATA_IDLE_TIME: Duration = Duration::from_secs(180);
/// How often a session that waits looks at its deadlines: they are met this much late at most.
pub const DEADLINE_TICK: Duration = Duration::from_secs(5);
/// AUTH attempts in one session, every protocol.
pub const AUTH_ATTEMPTS_MAX: usize = 3;
/// Wait before the answer to a failed login.
pub const AUTH_FAILURE_DELAY: Duration = Duration::from_secs(1);

// ---- messages ----------------------------------------------------------------------------------------------

/// Largest message, bytes: default of `limits.message_size`. Advertised by SIZE and APPENDLIMIT.
pub const MESSAGE_SIZE_MAX: u64 = 50 * 1024 * 1024;
/// Message bytes held in memory by all sessions together while they arrive; more wait with 452.
pub const MESSAGE_BYTES_IN_FLIGHT_MAX: usize = 256 * 1024 * 1024;
/// Bytes reserved for a message because its sender announced so many; more only as they come.
pub const MESSAGE_RESERVE_MAX: usize = 64 * 1024;
/// Messages from this size on, bytes, are checked and described on a thread of their own: some milliseconds a
/// megabyte that other sessions would wait.
pub const BLOCKING_PREPARE_BYTES: usize = 1024 * 1024;
/// Accounts remembered as over quota, so that on the next try only they are refused.
pub const FULL_ACCOUNTS_MAX: usize = 10_000;
/// Header section of a message, bytes. Dovecot CVE-2024-23185.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Header fields of a message. Dovecot CVE-2024-23184.
pub const HEADER_FIELDS_MAX: usize = 1_000;
/// Longest name that a message's first header field may have, bytes; a longer one makes the line text, and the
/// message has no header. RFC 5322 §2.1.1 allows lines of 998.
pub const HEADER_NAME_MAX: usize = 998;
/// `Received` fields before a message is held to loop. PFX `hopcount_limit`; RFC 5321 §6.3.
pub const RECEIVED_HOPS_MAX: usize = 50;
/// Nesting of MIME entities that is described; deeper parts are served as opaque bytes of their parent.
pub const MIME_DEPTH_MAX: usize = 50;
/// MIME parts of a message that are described; what follows belongs to the last one. Dovecot CVE-2020-25275.
pub const MIME_PARTS_MAX: usize = 1_000;
/// Parameters of one Content-Type or Content-Disposition. Dovecot CVE-2026-27859.
pub const MIME_PARAMETERS_MAX: usize = 64;
/// Longest boundary we honour, bytes. RFC 2046 §5.1.1 says 70; some senders write more.
pub const MIME_BOUNDARY_MAX: usize = 256;
/// Addresses of one header field that ENVELOPE lists. Dovecot CVE-2024-23184.
pub const ENVELOPE_ADDRESSES_MAX: usize = 1_000;
/// Addresses of all ENVELOPEs of one message together, those of messages inside it counted: a few bytes of header
/// make a hundred of memory each, and a message may hold hundreds of messages.
pub const ENVELOPE_ADDRESSES_SUM_MAX: usize = 10_000;
/// One ENVELOPE or BODYSTRUCTURE string, bytes; longer is cut.
pub const ENVELOPE_STRING_MAX: usize = 8 * 1024;
/// Decoded text of one message that SEARCH looks through, bytes of UTF-8; what follows is not searched.
pub const SEARCH_TEXT_MAX: usize = 8 * 1024 * 1024;
/// Longest message id that is one, bytes without its brackets: it fits a line (RFC 5322 §2.1.1).
pub const MESSAGE_ID_MAX: usize = 998;
/// Message ids of one References field that THREAD follows: the first and the last ones of more. Programs that
/// answer keep 20 to 100 of them.
pub const REFERENCES_MAX: usize = 200;
/// Longest PREVIEW, characters. RFC 8970 §3.3 says 200, and never more than 256.
pub const PREVIEW_CHARACTERS_MAX: usize = 200;
/// Bytes of one part, as it stands in the message, that a PREVIEW is made of: an HTML mail's style sheet comes first.
pub const PREVIEW_BYTES_MAX: usize = 64 * 1024;
/// Parts that are tried until one has text for a PREVIEW.
pub const PREVIEW_PARTS_MAX: usize = 4;
/// Addresses that a submitted message may claim to be from, `From`, `Sender` and their like together: each is looked up
/// (attacks A2, E2).
pub const SUBMISSION_CLAIMS_MAX: usize = 50;
/// Recipients that one delivery status notification tells of; a message to more gets several.
pub const REPORT_RECIPIENTS_MAX: usize = 100;
/// Message from which on, bytes, a delivery status notification gives back its header only, and the most of that (attacks
/// A7).
pub const REPORT_RETURNED_MAX: usize = 100 * 1024;
/// Text for people in a delivery status notification, bytes of UTF-8; what follows is cut.
pub const REPORT_TEXT_MAX: usize = 64 * 1024;
/// One field of a delivery status notification, bytes of UTF-8 before folding; what follows is cut. A reply of a few
/// lines of 512 bytes (RFC 5321 §4.5.3.1.5) fits.
pub const REPORT_FIELD_MAX: usize = 2_000;
/// What is read of another server's answer to explain it, bytes.
pub const ANSWER_TEXT_MAX: usize = 4 * 1024;
/// What is shown of another server's answer in words for people, characters: its lines are for programs.
pub const ANSWER_SHOWN_MAX: usize = 300;
/// The same text folded for comparison, bytes of UTF-8: Hangul grows to three times its length, no other script to more.
/// What follows is not searched.
pub const SEARCH_FOLDED_MAX: usize = 3 * SEARCH_TEXT_MAX;

// ---- addresses and names -----------------------------------------------------------------------------------

/// Local part, bytes. RFC 5321 §4.5.3.1.1.
pub const LOCAL_PART_MAX: usize = 64;
/// Domain, bytes in ASCII form. RFC 5321 §4.5.3.1.2 says 255 with the root dot; 253 fit the DNS.
pub const DOMAIN_MAX: usize = 253;
/// DNS label, bytes. RFC 1035 §2.3.4.
pub const LABEL_MAX: usize = 63;
/// A whole path, bytes. RFC 5321 §4.5.3.1.3.
pub const PATH_MAX: usize = 256;
/// Hosts of a source route that are read (and ignored).
pub const SOURCE_ROUTE_MAX: usize = 20;
/// Mailbox name, bytes of UTF-8.
pub const MAILBOX_NAME_MAX: usize = 1_000;
/// Levels of a mailbox name.
pub const MAILBOX_LEVELS_MAX: usize = 20;
/// Targets of one alias.
pub const ALIAS_TARGETS_MAX: usize = 1_000;
/// Name of a person, characters: what fits a header line with its encoding.
pub const DISPLAY_NAME_MAX: usize = 200;
/// Aliases that point at aliases, so that circles end (attacks A7).
pub const ALIAS_DEPTH_MAX: usize = 10;

// ---- readers' protocols ------------------------------------------------------------------------------------

/// Longest IMAP command line between literals, bytes. RFC 7162 §4 asks for at least 8,192.
pub const IMAP_LINE_MAX: usize = 64 * 1024;
/// One literal of a command other than APPEND, bytes (before and after login).
pub const IMAP_LITERAL_MAX: usize = 64 * 1024;
/// One literal before login, bytes: a user name or a password.
pub const IMAP_LITERAL_PREAUTH_MAX: usize = 1024;
/// Literals of one command, and their sum in bytes. Cyrus CVE-2024-34055.
pub const IMAP_LITERALS_MAX: usize = 1_000;
/// Sum of the literals of one command, bytes, APPEND's message apart.
pub const IMAP_LITERALS_SUM_MAX: usize = 1024 * 1024;
/// Nesting of parentheses. Dovecot CVE-2026-27857.
pub const IMAP_DEPTH_MAX: usize = 20;
/// Ranges of one sequence set.
pub const IMAP_SET_RANGES_MAX: usize = 10_000;
/// Keys of one SEARCH.
pub const IMAP_SEARCH_KEYS_MAX: usize = 1_000;
/// Texts of one SEARCH that the store's index is asked for; others are looked for by reading.
pub const IMAP_SEARCH_INDEXED_MAX: usize = 16;
/// Bytes of structures and messages that a SEARCH holds at a time.
pub const IMAP_SEARCH_PAGE_BYTES: usize = 512 * 1024;
/// Messages from which on a SEARCH asks the store's index: fewer are read as fast.
pub const IMAP_SEARCH_INDEXED_FROM: usize = 16;
/// Bad commands in one session before BYE.
pub const IMAP_ERRORS_MAX: usize = 20;
/// Bad commands before login before BYE: another protocol's client speaks (ALPACA, attacks B8).
pub const IMAP_PREAUTH_ERRORS_MAX: usize = 3;
/// Tag of an IMAP command, bytes. Clients use up to 20.
pub const IMAP_TAG_MAX: usize = 64;
/// Pairs of one ID. RFC 2971 §3.3.
pub const IMAP_ID_PAIRS_MAX: usize = 30;
/// What is read of the name of a pair of ID, bytes. RFC 2971 §3.3.
pub const IMAP_ID_NAME_MAX: usize = 30;
/// What is read of the value of a pair of ID, bytes. RFC 2971 §3.3.
pub const IMAP_ID_VALUE_MAX: usize = 1_024;
/// Items of one FETCH; one for each part of a message fits.
pub const IMAP_FETCH_ITEMS_MAX: usize = 1_000;
/// Part numbers of one section (`BODY[1.2.3]`).
pub const IMAP_SECTION_DEPTH_MAX: usize = MIME_DEPTH_MAX * 2;
/// Patterns of one LIST (RFC 5258).
pub const IMAP_LIST_PATTERNS_MAX: usize = 20;
/// Messages that one FETCH looks up at a time; fewer where their structures and bytes fill a write buffer.
pub const IMAP_FETCH_ROWS: usize = 1_000;
/// Messages that one SORT or THREAD looks up at a time when their envelopes or headers are needed.
pub const IMAP_SORT_ROWS: usize = 64;
/// Criteria of one SORT: each of the nine both ways, with room to spare.
pub const IMAP_SORT_CRITERIA_MAX: usize = 32;
/// Longest text that one SORT criterion compares, bytes after folding; what follows decides nothing.
pub const IMAP_SORT_KEY_MAX: usize = 256;
/// Memory for the keys of one SORT or the ids, subjects and threads of one THREAD, bytes; a mailbox that needs more
/// is refused with NO [LIMIT]. Some 200 bytes a message: a million messages fit (attacks G7).
pub const IMAP_SORT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The same for all sessions together, bytes; more is refused with NO [INUSE].
pub const IMAP_SORT_BYTES_SUM_MAX: usize = 512 * 1024 * 1024;
/// Of these, bytes that each SORT and THREAD may take without being counted: mailboxes of some thousand messages.
pub const IMAP_SORT_BYTES_FREE: usize = 1024 * 1024;
/// Messages of one APPEND (RFC 3502), or one commit would hold up others for long.
pub const IMAP_APPEND_MESSAGES_MAX: usize = 100;
/// Groups of mailboxes in one NOTIFY (RFC 5465).
pub const IMAP_NOTIFY_GROUPS_MAX: usize = 20;
/// Mailboxes named by one group of a NOTIFY.
pub const IMAP_NOTIFY_MAILBOXES_MAX: usize = 100;
/// Shortest time between two looks at all of an account's mailboxes for one NOTIFY.
pub const IMAP_NOTIFY_PAUSE: Duration = Duration::from_millis(500);
/// Messages that one commit copies, moves or expunges for a session; MOVE and EXPUNGE of more take several, COPY of more
/// is refused, as it is all or nothing (RFC 3501 §6.4.7).
pub const IMAP_COPY_MAX: usize = 100_000;
/// Time between two signs of life during a long command (RFC 9585 §3).
pub const IMAP_PROGRESS_TIME: Duration = Duration::from_secs(10);
/// Sessions that use COMPRESS=DEFLATE at once: each holds a third of a megabyte for it.
pub const IMAP_COMPRESSED_MAX: usize = 500;
/// Time before login.
pub const IMAP_PREAUTH_TIME: Duration = Duration::from_secs(60);
/// Silence after login. RFC 9051 §5.4 demands at least 30 minutes.
pub const IMAP_IDLE_TIME: Duration = Duration::from_secs(31 * 60);
/// Time for one whole command line or literal once begun.
pub const IMAP_COMMAND_TIME: Duration = Duration::from_secs(300);
/// Longest silence of a peer that should read what it asked for.
pub const WRITE_TIME: Duration = Duration::from_secs(120);
/// IMAP and POP3 sessions of one account at once.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 100;
/// Mailboxes of one account.
pub const MAILBOXES_MAX: usize = 10_000;
/// Keywords of one mailbox: they are bits of one integer.
pub const KEYWORDS_MAX: usize = 63;
/// One keyword, bytes.
pub const KEYWORD_LEN_MAX: usize = 128;
/// People that one mailbox is shared with (attacks G10).
pub const ACL_ENTRIES_MAX: usize = 100;
/// Annotations of one mailbox by one account, and of it shared by all (attacks G10).
pub const METADATA_ENTRIES_MAX: usize = 100;
/// Name of an annotation below `/private` or `/shared`, bytes.
pub const METADATA_NAME_MAX: usize = 256;
/// One annotation's value, bytes. RFC 5464 §4.1 asks for at least 1,024.
pub const METADATA_VALUE_MAX: usize = 16 * 1024;
/// Longest POP3 line, bytes with CRLF. RFC 2449 §4 says 255; SASL asks for more ([`SASL_LINE_MAX`]).
pub const POP3_LINE_MAX: usize = 512;
/// Bad commands in one POP3 session.
pub const POP3_ERRORS_MAX: usize = 20;
/// Time before a POP3 login, TLS handshake and pauses included.
pub const POP3_PREAUTH_TIME: Duration = Duration::from_secs(60);
/// Messages that one POP3 session is shown: the oldest. What is beyond shows once these are fetched and deleted.
pub const POP3_MESSAGES_MAX: u32 = 1_000_000;
/// Silence in a POP3 session. RFC 1939 §3 (10 minutes). A maildrop's lock lives no longer without a word.
pub const POP3_IDLE_TIME: Duration = Duration::from_secs(600);
/// Pause after which a POP3 session gives back the buffers that it doesn't need while it waits.
pub const POP3_PAUSE_TIME: Duration = Duration::from_secs(1);
/// Wait of a POP3 login for the session that has the maildrop (attacks G11): one whose line was cut is gone in this time.
pub const POP3_LOCK_WAIT: Duration = Duration::from_secs(3);
/// Bytes that a POP3 session reads in one call; its commands are short.
pub const POP3_READ_BUFFER: usize = 4 * 1024;
/// Bytes of messages that are read ahead for a POP3 client that asks for one after the other.
pub const POP3_AHEAD_MAX: u64 = 64 * 1024;
/// Messages that are read ahead.
pub const POP3_AHEAD_MESSAGES: usize = 64;
/// Bytes of a message that is too large to be read ahead which TOP reads at a time: most ask for the header.
pub const POP3_TOP_PIECE: u64 = 8 * 1024;
/// Messages whose sizes LIST and STAT look up at a time.
pub const POP3_LIST_ROWS: usize = 1_000;
/// Bytes of rewritten headers of one message that is shown to a client without UTF-8 (RFC 6858); past it the client is
/// told that it needs UTF-8.
pub const POP3_SURROGATE_MAX: usize = 1024 * 1024;

// ---- passwords ---------------------------------------------------------------------------------------------

/// Longest password, bytes.
pub const PASSWORD_MAX: usize = 1_024;
/// Shortest password, characters.
pub const PASSWORD_MIN: usize = 10;
/// Password hashes computed at once (attacks C13): each takes 19 MiB.
pub const HASHES_AT_ONCE: usize = 2;
/// Logins that wait for their hash; one more is refused with a temporary error.
pub const HASHES_WAITING_MAX: usize = 100;
/// Verified credentials remembered, and for how long.
pub const CREDENTIAL_CACHE_MAX: usize = 10_000;
/// Time a verified credential is remembered.
pub const CREDENTIAL_CACHE_TIME: Duration = Duration::from_secs(600);
/// SCRAM iterations. RFC 7677 §4 asks for at least 4,096.
pub const SCRAM_ITERATIONS: u32 = 15_000;

// ---- store -------------------------------------------------------------------------------------------------

/// A pack is closed when it has grown past this, bytes.
pub const PACK_SIZE_MAX: u64 = 256 * 1024 * 1024;
/// Packs grow by this, bytes, ahead of the writes.
pub const PACK_STEP: u64 = 8 * 1024 * 1024;
/// The database's write-ahead log is grown to this when a server opens it, bytes: what it holds when its pages are
/// moved into the database, and a large batch more.
pub const LOG_AHEAD: u64 = 20 * 1024 * 1024;
/// Requests that one commit takes at most; more wait for the next.
pub const BATCH_REQUESTS_MAX: usize = 512;
/// Message bytes that one commit takes at most (one larger message goes alone).
pub const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Requests that wait for the committer; more wait in their sessions.
pub const COMMIT_QUEUE_MAX: usize = 2_048;
/// Threads that read the database.
pub const READERS: usize = 3;
/// Free space under which no message is accepted, bytes. OpenSMTPD's watermark is 5 %.
pub const DISK_FREE_MIN: u64 = 256 * 1024 * 1024;
/// Free space under which no message is accepted, parts of 100, where the file system is smaller than
/// 20 × [`DISK_FREE_MIN`]'s worth of it; see `store::space`.
pub const DISK_FREE_MIN_PERCENT: u64 = 5;
/// Share of dead bytes at which a closed pack is rewritten, parts of 100.
pub const PACK_DEAD_PERCENT: u64 = 50;
/// Rows that one read answers at most; more is asked for in pages.
pub const PAGE_ROWS_MAX: usize = 10_000;
/// Contents that have just gone and that whoever is in the middle of them reads to the end. Some hundred kilobytes.
pub const DEPARTED_MAX: usize = 4_096;
/// Longest key of a record on a shelf, bytes: two addresses and a date.
pub const SHELF_KEY_MAX: usize = 768;
/// Largest record on a shelf, bytes: the largest MTA-STS policy (RFC 8461 §3.3).
pub const SHELF_VALUE_MAX: usize = 64 * 1024;
/// Expired records of a shelf that one change takes out: more than it puts in, so that they never gather.
pub const SHELF_SWEEP: usize = 32;
/// Changes of shelves in one commit.
pub const SHELF_CHANGES_MAX: usize = 1_000;
/// Messages that the search index takes in one transaction.
pub const INDEX_BATCH_BLOBS: usize = 256;
/// Text after which a transaction of the search index takes no more, bytes; one message's may be larger
/// ([`SEARCH_FOLDED_MAX`]).
pub const INDEX_BATCH_TEXT: usize = 1024 * 1024;
/// How many times as long as it worked the search index rests while mail is committed.
pub const INDEX_REST: u32 = 3;
/// Time without a commit after which the search index doesn't rest.
pub const INDEX_CALM: Duration = Duration::from_secs(1);
/// Times that the search index tries to read a message before it goes on without.
pub const INDEX_READ_TRIES: u32 = 3;
/// Pause of the search index after an error: a full disk, one that can't be read.
pub const INDEX_RETRY_TIME: Duration = Duration::from_secs(60);
/// Threads that ask the search index.
pub const INDEX_READERS: usize = 2;
/// Trigrams of a text that the search index is asked for: a line of text has about as many.
pub const INDEX_TRIGRAMS_MAX: usize = 64;
/// Entries of the search index that are compared with the messages there are in one transaction.
pub const INDEX_SWEEP_ROWS: usize = 1_000;
/// Share of messages gone since the last time at which their entries are removed from the search index, parts of 100.
pub const INDEX_GONE_PERCENT: i64 = 10;
/// Pages of the search index that are merged at a time to give back the space of removed entries.
pub const INDEX_MERGE_PAGES: i64 = 500;
/// Entries of the search index that `store verify` compares with their messages, about.
pub const INDEX_VERIFY_SAMPLE: i64 = 100;
/// Contents that are only in the queue and that the search index leaves out; more are indexed like all others.
pub const INDEX_OWED_MAX: usize = 100_000;

// ---- the process -------------------------------------------------------------------------------------------

/// Time sessions have to end on a clean stop.
pub const STOP_TIME: Duration = Duration::from_secs(4);
/// Time for what is being written to a session that is told to end.
pub const STOP_GRACE: Duration = Duration::from_secs(1);
/// What the list of sessions keeps of one thing that a client says of itself, characters. Attacks F6, H7.
pub const SESSION_FIELD_MAX: usize = 64;
/// Longest field of a log line that came from outside, characters. Attacks H7.
pub const LOG_FIELD_MAX: usize = 256;
/// Time in which log lines are gathered for one write.
pub const LOG_GATHER_TIME: Duration = Duration::from_millis(10);
/// Log lines that wait to be written; more are counted and dropped (attacks H8).
pub const LOG_QUEUE_MAX: usize = 10_000;
/// Longest request on the control socket, bytes.
pub const CONTROL_REQUEST_MAX: usize = 1024 * 1024;
/// Time to send one request on the control socket.
pub const CONTROL_REQUEST_TIME: Duration = Duration::from_secs(10);
/// Requests of the control socket that are worked on at once; more wait.
pub const CONTROL_REQUESTS_AT_ONCE: usize = 16;
/// Longest answer that the command line reads from the control socket, bytes: a listing of 100,000 users.
pub const CONTROL_ANSWER_MAX: u64 = 64 * 1024 * 1024;
/// Connections that wait to be accepted; the kernel cuts it at net.core.somaxconn.
pub const LISTEN_BACKLOG: i32 = 1_024;
/// Pause in accepting when the system has no descriptor left: sessions that end free some.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Descriptors asked for besides those of connections: store, log, listeners.
pub const DESCRIPTORS_BESIDES: u64 = 256;

// ---- configuration -----------------------------------------------------------------------------------------

/// Largest `mailward.toml`, bytes: a hundred times what all keys with their comments take.
pub const CONFIG_SIZE_MAX: usize = 1024 * 1024;
/// Errors of one file that are told; the first ones are the useful ones.
pub const CONFIG_ERRORS_MAX: usize = 20;
/// Addresses of one door.
pub const LISTEN_ADDRESSES_MAX: usize = 32;
/// Least that `limits.message_size` may be, bytes. RFC 5321 §4.5.3.1.7 asks for at least 64 K octets.
pub const MESSAGE_SIZE_CONFIG_MIN: u64 = 64 * 1024;
/// Most that `limits.message_size` may be, bytes: what [`MESSAGE_BYTES_IN_FLIGHT_MAX`] lets in at all.
pub const MESSAGE_SIZE_CONFIG_MAX: u64 = 256 * 1024 * 1024;
/// Least that `limits.recipients` may be. RFC 5321 §4.5.3.1.8.
pub const SMTP_RECIPIENTS_CONFIG_MIN: usize = 100;
/// Most that `limits.recipients` may be: each is a row of one commit.
pub const SMTP_RECIPIENTS_CONFIG_MAX: usize = 10_000;
/// Most that `limits.connections` may be: descriptors of one process.
pub const CONNECTIONS_CONFIG_MAX: usize = 100_000;
