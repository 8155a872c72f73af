//! Limits of address rules, and of what is read from other servers' files.

// ---- address rules -----------------------------------------------------------------------------------------

/// Rules that are made at run time: twice what the longest lists of bad senders have that are kept by hand. One that is
/// looked for costs the same, however many there are.
pub const RULES_MAX: usize = 10_000;
/// Rules in `rules.list`.
pub const RULES_FILE_MAX: usize = 1_000;
/// Longest rule, bytes: two addresses, a name and the words of a refusal.
pub const RULE_LINE_MAX: usize = 2_048;
/// Longest words of a refusal, bytes: a reply is one line of 512 (RFC 5321 §4.5.3.1.5).
pub const RULE_WORDS_MAX: usize = 300;
/// Longest comment of a rule, characters.
pub const RULE_COMMENT_MAX: usize = 200;
/// Rules that are made in one step.
pub const RULES_STEP: usize = 500;
/// Most that a limit of a rule's own may be: what `limits.connections` may be.
pub const RULE_COUNT_MAX: u32 = 100_000;

// ---- files of other servers --------------------------------------------------------------------------------

/// Largest file of another server that is read, bytes: a million short lines.
pub const MIGRATE_FILE_MAX: usize = 16 * 1024 * 1024;
/// Longest line of one, bytes.
pub const MIGRATE_LINE_MAX: usize = 4_096;
/// Lines of one that are read.
pub const MIGRATE_LINES_MAX: usize = 100_000;
/// Files of an alias directory that are read.
pub const MIGRATE_ALIASES_MAX: usize = 20_000;
/// Things that a qmail becomes: more than its largest alias directory has, in some domains.
pub const MIGRATE_STEPS_MAX: usize = 50_000;
/// Addresses that one range of a tcprules file may mean: `10.0-255.` is 256.
pub const TCPRULES_RANGE_MAX: usize = 256;
