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
