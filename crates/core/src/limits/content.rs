//! Limits of rules for what messages hold.

// ---- rules for what messages hold --------------------------------------------------------------------------

/// Such rules that are made at run time: exceptions of a host's domains and users, and what its owner forbids.
pub const CONTENT_RULES_MAX: usize = 2_000;
/// Such rules in `content.rules`.
pub const CONTENT_FILE_MAX: usize = 500;
/// Longest such rule, bytes: some lists of names, two addresses and a reason.
pub const CONTENT_LINE_MAX: usize = 4_096;
/// Conditions of one such rule.
pub const CONTENT_CONDITIONS_MAX: usize = 16;
/// Values of one condition: all names of Appendix B stand in one.
pub const CONTENT_VALUES_MAX: usize = 128;
/// Longest reason of a rule, characters: it is said in a reply, which is one line.
pub const CONTENT_REASON_MAX: usize = 200;
/// Longest name of a rule, bytes: it is a finding's.
pub const CONTENT_NAME_MAX: usize = 64;
/// Most that `at-least` may ask for, and different matches that are counted of one rule.
pub const CONTENT_AT_LEAST_MAX: usize = 1_000;
/// Compiled size of one pattern, bytes. The engine's time is linear in the text for every pattern (attacks E2).
pub const CONTENT_PATTERN_MAX: usize = 1024 * 1024;
/// Memory that a pattern may use while it runs, bytes.
pub const CONTENT_PATTERN_RUNS_MAX: usize = 1024 * 1024;
/// Dictionaries.
pub const CONTENT_DICTIONARIES_MAX: usize = 32;
/// Largest file of a dictionary, bytes.
pub const CONTENT_DICTIONARY_MAX: usize = 1024 * 1024;
/// Words and phrases of one dictionary.
pub const CONTENT_TERMS_MAX: usize = 20_000;
/// Longest word or phrase, bytes.
pub const CONTENT_TERM_MAX: usize = 200;
/// Steps of judging one message: a rule that is asked about a file is one, 64 bytes of text that a pattern looks through
/// are one. 10,000 files with the rules that there are stay below; what goes beyond isn't let through.
pub const CONTENT_STEPS_MAX: u64 = 4_000_000;
/// Days that a rule is still shown after it has expired.
pub const CONTENT_EXPIRED_DAYS: u64 = 30;
