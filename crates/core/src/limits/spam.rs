//! Limits of judging whether a message is spam.

/// Different tokens of one message that are learned and looked up. A letter of a page has some 1,500, a newsletter 4,000.
pub const SPAM_TOKENS_MAX: usize = 8_192;
/// Text of one message that tokens are taken from, bytes, decoded. What fills more is no letter; spam that puts its words
/// behind so much would have to send it.
pub const SPAM_TEXT_MAX: usize = 128 * 1024;
/// Fields of a header that are looked at.
pub const SPAM_FIELDS_MAX: usize = 128;
/// Bytes of one field that are looked at.
pub const SPAM_FIELD_MAX: usize = 2_048;
/// Tags of a page that are looked at.
pub const SPAM_TAGS_MAX: usize = 4_096;
/// Links of one text that are looked at.
pub const SPAM_LINKS_MAX: usize = 512;
/// Runs of four letters of a subject, and of each author's name and address, that are tokens.
pub const SPAM_LETTERS_MAX: usize = 100;
/// Bytes of shown text that are counted by their kinds: enough for shares of letters, digits and marks.
pub const SPAM_FORM_MAX: usize = 16 * 1024;

// ---- learning ----------------------------------------------------------------------------------------------

/// Messages of one owner that are remembered as learned. Older ones stay learned and can't be taken back.
pub const SPAM_LEARNED_MAX: usize = 100_000;
/// Messages that users moved or flagged and nobody has learned yet. What is said beyond that isn't noted.
pub const SPAM_MARKS_MAX: usize = 20_000;
/// Messages whose tokens are folded into the table in one commit: some 100,000 rows, a second on a slow disk.
pub const SPAM_FOLD_MAX: usize = 32;
/// Rows of tokens that are read at once.
pub const SPAM_PAGE_MAX: usize = 16_384;
/// Tokens that the server remembers: some 12,000 messages. 24 bytes each in memory, up to 100 MiB all together.
pub const SPAM_TOKENS_SERVER_MAX: usize = 3_500_000;
/// Tokens that one user's table remembers: some 500 messages.
pub const SPAM_TOKENS_USER_MAX: usize = 200_000;
/// Tokens of all users' tables that are in memory; whose tables were needed longest ago are read again when they are needed.
pub const SPAM_TOKENS_USERS_MAX: usize = 2_000_000;
/// Different learned messages whose tokens may wait to be folded.
pub const SPAM_PENDING_MAX: u64 = 256;
/// Messages of each kind that have to be learned, by the server and the user together, before anything is said: a table that
/// knows one kind alone takes everything for it.
pub const SPAM_LEARNED_LEAST: u64 = 10;
/// Messages of each kind after which what a user learned counts in full.
pub const SPAM_USER_LEAST: u64 = 10;

// ---- judging -----------------------------------------------------------------------------------------------

/// Largest mark on the scale of points, hundredths.
pub const SPAM_POINTS_MAX: i32 = 10_000;
/// From so many points on a message is marked, hundredths. See docs/spam.md for what that is in false alarms.
pub const SPAM_MARK_AT: i32 = 400;
/// From so many points on a message is junk, hundredths: high, to come down from.
pub const SPAM_JUNK_AT: i32 = 700;
/// Most points that words alone give, hundredths, and most that they take.
pub const SPAM_WORDS_MAX: i32 = 1_000;
/// Most points that words take away, hundredths: so that nobody writes enough good words to hide a bad link.
pub const SPAM_WORDS_MIN: i32 = -400;
/// Users of one message whose own tables are asked; for others the server's alone is.
pub const SPAM_USERS_MAX: usize = 16;
/// How long a user's table is waited for.
pub const SPAM_USER_TIME: std::time::Duration = std::time::Duration::from_millis(500);
/// Domains of one message's links that lists are asked about. Newsletters link to three or four.
pub const SPAM_LINK_DOMAINS_MAX: usize = 12;
/// How long lists are waited for that are asked about links.
pub const SPAM_LINKS_TIME: std::time::Duration = std::time::Duration::from_secs(5);
/// Recipients of a message's header above which it is sent to many.
pub const SPAM_RECIPIENTS_MANY: usize = 20;
/// Users whose word counts for everybody.
pub const SPAM_TRAINERS_MAX: usize = 100;
/// Addresses that learn what is sent to them.
pub const SPAM_TRAIN_ADDRESSES_MAX: usize = 100;
/// Other filters that are asked.
pub const SPAM_PEERS_MAX: usize = 4;
/// How long another filter is waited for.
pub const SPAM_PEER_TIME: std::time::Duration = std::time::Duration::from_secs(10);
/// Bytes of another filter's answer.
pub const SPAM_PEER_ANSWER_MAX: usize = 64 * 1024;
/// Bytes of a message that are looked at, from its beginning: texts behind larger attachments are rare, and nobody reads so far.
pub const SPAM_READ_MAX: usize = 512 * 1024;
/// What users said is learned so many at a time.
pub const SPAM_MARKS_STEP: usize = 64;
/// How long what was learned may wait to be folded into the table, when nothing more is learned.
pub const SPAM_FOLD_TIME: std::time::Duration = std::time::Duration::from_secs(60);
/// Messages attached to one that was sent to an address that learns.
pub const SPAM_SENT_MAX: usize = 100;
/// Messages that are read at once for teaching or evaluating: their tokens are in memory, some 20 KiB each.
pub const SPAM_CORPUS_MAX: usize = 50_000;
/// Depth of directories that messages are looked for in.
pub const SPAM_CORPUS_DEPTH_MAX: usize = 8;
/// How long another filter that was silent isn't asked.
pub const SPAM_PEER_REST: std::time::Duration = std::time::Duration::from_secs(60);
/// Messages in a row that a filter which takes connections doesn't answer before it rests: one alone may be the message's fault.
pub const SPAM_PEER_LATE_MAX: u32 = 3;
