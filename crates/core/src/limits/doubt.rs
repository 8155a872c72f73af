//! Limits of what is said about messages that can be read in two ways, and of their other readings (attacks E1, E2).

/// Content-Type and Content-Disposition fields of one part that names are read of; honest mail has one of each.
pub const NAME_FIELDS_MAX: usize = 4;
/// Readings of one part's names that are made, of which `SCAN_NAMES_MAX` are kept.
pub const NAME_READINGS_MAX: usize = 64;
