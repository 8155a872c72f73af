//! What the catalogue has and this program doesn't ask yet: told in the reference, so that nobody takes silence for an answer.

/// Names of controls that aren't built, in the order of the catalogue.
pub const NOT_BUILT: &[&str] = &[
    "PHY-01", "PHY-02", "PHY-03", "PHY-04", "PHY-05", "PHY-06", "PHY-07", "PHY-08", "PHY-09", "PHY-10", "PHY-11",
    "PHY-12", "PHY-13", "PHY-14", "NET-01", "NET-02", "NET-03", "NET-04", "NET-05", "NET-06", "NET-08", "NET-14",
    "NET-15", "NET-16", "NET-17", "NET-19", "NET-20", "SVC-01", "SVC-02", "SVC-03", "SVC-04", "SVC-05", "SVC-06",
    "SVC-07", "SVC-08", "SVC-09", "SVC-10", "SVC-11", "SVC-12", "SVC-13", "SVC-14", "SVC-16", "SVC-17", "SVC-18",
    "SVC-19", "SVC-20", "SVC-21", "SVC-22", "SVC-24", "OSA-01", "OSA-02", "OSA-03", "OSA-04", "OSA-05", "OSA-06",
    "OSA-07", "OSA-08", "OSA-09", "OSA-10", "OSA-12", "OSA-15", "OSA-16", "OSA-17", "OSA-18", "LOG-01", "LOG-02",
    "LOG-04", "LOG-05", "LOG-06", "LOG-07", "LOG-08", "LOG-09", "LOG-10", "LOG-12", "LOG-13", "LOG-14", "LOG-16",
    "LOG-17", "PAT-01", "PAT-02", "PAT-03", "PAT-04", "PAT-05", "PAT-06", "PAT-07", "PAT-08", "PAT-09", "PAT-10",
    "PAT-11", "PAT-13", "AVS-03", "AVS-05", "AVS-06", "AVS-07", "AVS-08", "AVS-09", "AVS-10", "AVS-11", "AVS-12",
    "AVS-13", "AVS-14", "CLI-01", "CLI-02", "CLI-03", "CLI-04", "CLI-05", "CLI-07", "CLI-08", "CLI-10", "CLI-11",
    "CLI-13", "CLI-14", "POP-01", "POP-02", "POP-03", "POP-04", "POP-05", "POP-06", "POP-08", "POP-09", "POP-10",
    "POP-11", "POP-12", "POP-13", "POP-14", "POP-15", "POP-16", "POP-17", "POP-18", "POP-19", "POP-20", "FLT-01",
    "FLT-02", "FLT-03", "FLT-04", "FLT-05", "FLT-06", "FLT-07", "FLT-08", "FLT-10", "FLT-16", "FLT-17", "FLT-18",
    "FLT-19", "FLT-20", "FLT-21", "FLT-23", "ENC-02", "ENC-07", "ENC-11", "ENC-12", "ENC-13", "ENC-14", "ENC-15",
    "ENC-16", "ENC-17", "ENC-18", "ENC-20", "ENC-21", "ENC-22", "ENC-23", "ENC-24", "ENC-25", "AWR-05", "AWR-06",
    "AWR-07", "AWR-08", "AWR-09", "AWR-10", "AWR-12", "DOS-01", "DOS-02", "DOS-03", "DOS-04", "DOS-05", "DOS-06",
    "DOS-07", "DOS-08", "DOS-09", "DOS-11", "DOS-12", "DOS-13", "BKP-03", "BKP-08", "BKP-09", "BKP-10", "STB-01",
    "STB-02", "STB-04", "STB-05", "STB-06", "STB-07", "FIL-01", "FIL-02", "FIL-03", "FIL-04", "FIL-05", "FIL-06",
    "FIL-07", "FIL-08", "FIL-09", "FIL-10", "FIL-11", "FIL-12", "PRV-01", "PRV-02", "PRV-03", "PRV-04", "PRV-05",
    "PRV-06", "PRV-07", "PRV-08", "PRV-09", "PRV-10", "PRV-11", "PRV-12", "CAP-11", "CAP-12",
];
