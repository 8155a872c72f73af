//! What the catalogue has and this program doesn't ask yet: told in the reference, so that nobody takes silence for an answer.

/// Names of controls that aren't built, in the order of the catalogue.
pub const NOT_BUILT: &[&str] = &[
    "NET-14", "NET-19", "NET-20", "OSA-15", "LOG-16", "PAT-06", "PAT-07", "PAT-11", "AVS-08", "CLI-04", "CLI-07",
    "CLI-08", "CLI-10", "CLI-11", "CLI-13", "POP-10", "POP-19", "FLT-17", "FLT-19", "FLT-20", "FLT-21", "ENC-17",
    "ENC-21", "ENC-22", "ENC-25", "AWR-06", "AWR-10", "AWR-12", "DOS-07", "DOS-12", "DOS-13", "STB-06", "FIL-08",
    "FIL-11", "PRV-10", "CAP-11",
];
