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
