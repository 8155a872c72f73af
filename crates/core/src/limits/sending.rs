//! Limits of sending: the client's side of SMTP, the DNS, signatures, the queue.

use std::time::Duration;

// ---- sending by SMTP and LMTP ------------------------------------------------------------------------------

/// Lines of one reply that our own client reads (attacks H6).
pub const SMTP_REPLY_LINES_MAX: usize = 100;
/// Longest line of a reply that our own client reads, bytes with CRLF. RFC 5321 §4.5.3.1.5 allows 512; some say more.
pub const SMTP_REPLY_LINE_MAX: usize = 2_048;
/// All lines of one reply, bytes (attacks H6): 100 of what RFC 5321 §4.5.3.1.5 allows, and some.
pub const SMTP_REPLY_BYTES_MAX: usize = 64 * 1024;
/// Words of one reply that are kept, bytes; what is longer is read and dropped. A thousand recipients may have one each.
pub const SMTP_REPLY_KEPT_MAX: usize = 1_024;
/// AUTH mechanisms of a server that our own client remembers. There are some forty, RFC 4422's registry.
pub const SMTP_REPLY_MECHANISMS_MAX: usize = 32;
/// Wait for a server's greeting. RFC 5321 §4.5.3.2.1 (5 minutes).
pub const SEND_GREETING_TIME: Duration = Duration::from_secs(300);
/// Wait for the whole reply to EHLO, STARTTLS, AUTH, MAIL, RCPT or RSET. RFC 5321 §4.5.3.2.2 and §4.5.3.2.3
/// (5 minutes).
pub const SEND_COMMAND_TIME: Duration = Duration::from_secs(300);
/// Wait for the reply to DATA. RFC 5321 §4.5.3.2.4 (2 minutes).
pub const SEND_DATA_TIME: Duration = Duration::from_secs(120);
/// Wait for a server to take some bytes of the message, and the grace before [`MIN_DATA_RATE`] is asked of it.
/// RFC 5321 §4.5.3.2.5 (3 minutes).
pub const SEND_BLOCK_TIME: Duration = Duration::from_secs(180);
/// Wait for the reply to the end of a message. RFC 5321 §4.5.3.2.6 (10 minutes): shorter ones make duplicates.
pub const SEND_END_TIME: Duration = Duration::from_secs(600);
/// Wait for all replies to the end of a message together, in LMTP, where each recipient has one.
pub const SEND_END_ALL_TIME: Duration = Duration::from_secs(1_800);
/// From MAIL to the reply to DATA, however many recipients (attacks H6): [`SEND_RECIPIENTS_DEFAULT`] at 18 seconds each.
pub const SEND_ENVELOPE_TIME: Duration = Duration::from_secs(1_800);
/// Wait for the reply to QUIT, or for the last words of a server that breaks off: nothing depends on them.
pub const SEND_QUIT_TIME: Duration = Duration::from_secs(10);
/// Recipients of one message where the server doesn't say how many it takes. RFC 5321 §4.5.3.1.8 demands 100.
pub const SEND_RECIPIENTS_DEFAULT: usize = 100;
/// Bytes of a message that are gathered for one write to a server.
pub const SEND_BUFFER: usize = 64 * 1024;

// ---- DNS ---------------------------------------------------------------------------------------------------

/// Wait for a server's answer to one question: default of `dns.timeout`. The usual one of resolv.conf(5).
pub const DNS_TRY_TIME: Duration = Duration::from_secs(5);
/// Times that a question is asked anew when it failed.
pub const DNS_RETRIES: usize = 2;
/// Wait for a whole lookup, its aliases and the keys that prove it included (attacks D13). After it: a temporary failure.
pub const DNS_LOOKUP_TIME: Duration = Duration::from_secs(25);
/// Lookups that are on their way at once; more wait, within their own time.
pub const DNS_LOOKUPS_AT_ONCE: usize = 256;
/// The same for what strangers cause: their names, lists, SPF. As many as [`super::LIST_LOOKUPS_AT_ONCE`], twice
/// [`super::NAME_LOOKUPS_AT_ONCE`], [`super::SPF_LOOKUPS_AT_ONCE`], [`super::SPF_HELLO_LOOKUPS_AT_ONCE`], [`super::INSPECT_LOOKUPS_AT_ONCE`] and
/// [`super::INSPECT_POLICIES_AT_ONCE`] together:
/// nobody whose turn it is waits here again.
pub const DNS_STRANGERS_AT_ONCE: usize = 384;
/// Questions that one lookup may cost, keys and delegations of every zone on the way included (attacks D13). A name of
/// four signed zones takes some 15.
pub const DNS_QUESTIONS_MAX: usize = 100;
/// Records of one answer, signatures included; more are a failure. A UDP answer has room for some 40 of the shortest.
pub const DNS_ANSWER_RECORDS_MAX: usize = 512;
/// Rounds of hashing (NSEC3 iterations) beyond which a proof isn't one. RFC 9276 §3.2; CVE-2023-50868 (attacks D13).
pub const DNS_HASH_ROUNDS_MAX: u16 = 100;
/// Aliases (CNAME) that are followed from one name. The root's resolvers and Unbound go as far (attacks D13).
pub const DNS_ALIASES_MAX: usize = 8;
/// Answers kept in memory: default of `dns.cache`.
pub const DNS_CACHE_MAX: usize = 10_000;
/// Most that `dns.cache` may be: some 500 bytes each.
pub const DNS_CACHE_CONFIG_MAX: usize = 1_000_000;
/// Shortest time that records are used: a burst of messages to one domain asks once, whatever its zone says.
pub const DNS_TTL_MIN: Duration = Duration::from_secs(1);
/// Longest time that records are used. A day would be usual; a domain that moves its mail waits for us no longer than this.
pub const DNS_TTL_MAX: Duration = Duration::from_secs(3_600);
/// Longest time that "there is none" is believed. RFC 2308 §5 allows 1 to 3 hours; a record that was forgotten and added
/// is wanted sooner.
pub const DNS_NEGATIVE_TTL_MAX: Duration = Duration::from_secs(600);
/// Time that a failure is told again without asking. RFC 9520 §3.2 asks for 1 second at least, 5 minutes at most.
pub const DNS_FAILURE_TTL: Duration = Duration::from_secs(5);
/// Longest time that keys and delegations are used before they are asked for anew; they are checked each time.
pub const DNS_KEYS_TTL_MAX: Duration = Duration::from_secs(300);
/// Servers in `dns.servers`. Three is what resolv.conf(5) takes.
pub const DNS_SERVERS_MAX: usize = 8;
/// CAA records of one name that are read; more aren't looked at, and that is told. Three are many.
pub const CAA_RECORDS_MAX: usize = 32;
/// Parameters of one CAA record: with more it can't be read.
pub const CAA_PARAMETERS_MAX: usize = 16;
/// Names, each a label shorter, at which CAA records are looked for.
pub const CAA_LABELS_MAX: usize = 16;
/// Mail hosts of one domain that are looked at, the best ones (MX bombs). Large providers have five.
pub const ROUTE_HOSTS_MAX: usize = 20;
/// Addresses of one mail host that are looked at.
pub const HOST_ADDRESSES_MAX: usize = 10;
/// Addresses of all mail hosts of one domain.
pub const ROUTE_ADDRESSES_MAX: usize = 60;
/// TLSA records of one host; with more, mail waits. A host needs two, four while its keys change.
pub const TLSA_RECORDS_MAX: usize = 32;

// ---- DKIM --------------------------------------------------------------------------------------------------

/// Time that a DKIM signature of ours holds (`x=`): longer than mail waits in a queue (5 days), and not long, so that a
/// signed message is of no use to whoever sends copies of it (attacks D4). RFC 6376 §3.5.
pub const DKIM_SIGNATURE_TIME: Duration = Duration::from_secs(7 * 86_400);
/// Bytes of a stored message that are read at a time to be signed.
pub const SIGN_PIECE: u64 = 256 * 1024;
/// DKIM keys of one domain, two a pair: one that signs, one to come, some that retire.
pub const DKIM_KEYS_MAX: usize = 12;
/// One string of a DNS TXT record, bytes. RFC 1035 §3.3.
pub const DNS_STRING_MAX: usize = 255;

// ---- queue -------------------------------------------------------------------------------------------------

/// Recipients of one message in the queue; whoever has more queues several.
pub const QUEUE_RECIPIENTS_MAX: usize = 1_000;
/// Messages that one delivery puts into the queue: it is one commit, and others wait for it.
pub const QUEUE_ENVELOPES_MAX: usize = 100;
/// Name of a lane, bytes: a domain or a route's host with its port.
pub const QUEUE_LANE_MAX: usize = 300;
/// ENVID that the queue keeps, bytes. RFC 3461 §4.4.
pub const QUEUE_ENVID_MAX: usize = 100;
/// ORCPT that the queue keeps, bytes. RFC 3461 §4.2.
pub const QUEUE_ORIGINAL_MAX: usize = 500;
/// Name of a host that the queue keeps of an attempt, bytes: a domain and an address; longer is cut.
pub const QUEUE_HOST_MAX: usize = 320;
/// Words of an answer that the queue keeps of an attempt, bytes; longer is cut (attacks H6, F6).
pub const QUEUE_TEXT_MAX: usize = 500;
/// Why a recipient is held, bytes; longer is cut.
pub const QUEUE_REASON_MAX: usize = 300;
/// Attempts that the queue remembers of one recipient, the last ones.
pub const QUEUE_ATTEMPTS_KEPT: u32 = 30;
/// Recipients after which one answer of the queue ends, or one step of steering; their message comes whole.
pub const QUEUE_PAGE: usize = 1_000;
/// Recipients that are looked at for one page of the queue, so that a filter that nothing fits ends.
pub const QUEUE_SCAN_ROWS: usize = 20_000;
/// Recipients of a message that are shown with their histories in one answer: each may have thirty attempts of a KiB,
/// six bytes a character in JSON at worst, and the answer stays below `CONTROL_ANSWER_MAX`.
pub const QUEUE_SHOW_PAGE: usize = 200;
/// Lanes of one answer.
pub const QUEUE_LANES_PAGE: usize = 1_000;
/// Recipients of one settlement: it is one commit, and others wait for it.
pub const QUEUE_SETTLE_MAX: usize = 10_000;
/// Recipients of a lane whose last answers are compared to tell the one most at fault.
pub const QUEUE_SAMPLE: usize = 500;

// ---- sending -----------------------------------------------------------------------------------------------

/// Pauses before a recipient is tried again, minutes; the last one from there on. The first ones fit greylists, which
/// let in who comes again after one to ten minutes. RFC 5321 §4.5.4.1 asks for half an hour in general, sooner at first.
pub const QUEUE_RETRY_MINUTES: [u64; 8] = [1, 4, 10, 15, 30, 60, 120, 180];
/// Pauses before a host is tried again that can't be reached or ends sessions, minutes; the last one from there on.
pub const QUEUE_HOST_MINUTES: [u64; 6] = [1, 2, 5, 10, 20, 30];
/// How long a message is tried. RFC 5321 §4.5.4.1: at least four to five days.
pub const QUEUE_LIFETIME: Duration = Duration::from_secs(5 * 86_400);
/// After this time the sender of a message that isn't delivered yet is told.
pub const QUEUE_WARN_AFTER: Duration = Duration::from_secs(4 * 3_600);
/// Connections to other hosts at once, all lanes together. PFX `default_process_limit`.
pub const QUEUE_CONNECTIONS: usize = 100;
/// Connections of one lane at once, and to one host (an IPv4 address, an IPv6 /64) of all lanes together, so that many domains
/// that name one silent host don't take all there are. PFX `default_destination_concurrency_limit`.
pub const QUEUE_CONNECTIONS_PER_LANE: usize = 20;
/// Connections that a lane may have before anything is known of it. PFX `initial_destination_concurrency` 5.
pub const QUEUE_CONNECTIONS_AT_FIRST: u32 = 4;
/// Lanes whose number of connections is remembered.
pub const QUEUE_ALLOWANCES_KEPT: usize = 10_000;
/// Lanes that are visited at once: each waits for DNS and hosts, which costs little.
pub const QUEUE_LANES_AT_ONCE: usize = 500;
/// Recipients that a lane's connections take from the store at a time.
pub const QUEUE_FEED: usize = 100;
/// Addresses of a lane's hosts that are tried in one visit. RFC 5321 §5.1: at least two. Attacks H6.
pub const QUEUE_ADDRESSES_TRIED: usize = 8;
/// Time to connect to an address. PFX `smtp_connect_timeout`.
pub const QUEUE_CONNECT_TIME: Duration = Duration::from_secs(30);
/// Time for all hosts of a visit together until one is ready for mail: the longest greeting that RFC 5321 §4.5.3.2.1 allows,
/// and as much for the others. Who is silent at each of [`QUEUE_ADDRESSES_TRIED`] addresses holds a place no longer.
pub const QUEUE_REACH_TIME: Duration = Duration::from_secs(600);
/// Pause of a lane whose host has as many connections as it may, at least; twice as long at most. Each look costs a commit.
pub const QUEUE_BUSY_PAUSE: Duration = Duration::from_secs(10);
/// Head start of one address before the next is tried beside it. RFC 8305 §5.
pub const QUEUE_RACE_TIME: Duration = Duration::from_millis(250);
/// Bytes of a message that are read from the store at a time when it is sent.
pub const QUEUE_PIECE: u64 = 64 * 1024;
/// How often a message may end the task that sends it before it is held.
pub const QUEUE_TRIALS_MAX: u32 = 3;
/// How long after the start a message that may have ended the process waits, for each time that it may have: all others
/// go before it, also where the process ends again and again.
pub const QUEUE_SUSPECT_PAUSE: Duration = Duration::from_secs(10);
/// Pause after the store couldn't answer.
pub const QUEUE_HICCUP_TIME: Duration = Duration::from_secs(15);
/// Time in which news of the queue is gathered for one look at it.
pub const QUEUE_GATHER_TIME: Duration = Duration::from_millis(10);
/// How long a connection to another host waits for more to send. PFX `smtp_connection_cache_time_limit`.
pub const QUEUE_LINGER_TIME: Duration = Duration::from_secs(2);
/// How often a connection that waits for more looks whether there is any, or others wait for a connection.
pub const QUEUE_LINGER_LOOK: Duration = Duration::from_millis(50);
/// Shortest sleep of the queue's runner, unless there is news: what is late and being sent is asked for again.
pub const QUEUE_SLEEP_MIN: Duration = Duration::from_millis(500);
/// Longest sleep without a look at the queue: for clocks that jump.
pub const QUEUE_SLEEP_MAX: Duration = Duration::from_secs(60);
