//! Limits of the audit.

use std::time::Duration;

/// Time for one control: the slowest send a message and follow it, or ask fifty times as one user and as another.
pub const AUDIT_CONTROL_TIME: Duration = Duration::from_secs(30);

/// Time for a program that is asked something.
pub const AUDIT_PROGRAM_TIME: Duration = Duration::from_secs(10);

/// Bytes read of one file of the host, or of what a program says. Package lists are the largest that matter: 60 MB for all of a
/// distribution, a tenth of it for its security updates.
pub const AUDIT_FILE_MAX: u64 = 64 * 1024 * 1024;

/// Names read of one directory.
pub const AUDIT_LIST_MAX: usize = 100_000;

/// Bytes kept of one exhibit; the hash is of all of it.
pub const AUDIT_EXCERPT_MAX: usize = 4096;

/// Exhibits kept of one control.
pub const AUDIT_EXHIBITS_MAX: usize = 64;
