//! The eighteen areas, and the three questions that are asked of each.

use serde::{Deserialize, Serialize};

/// What a control is about. The first twelve are those of a checklist of 2001 (docs/audit.md), the last six what its author
/// left to those who came after him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Where the machine stands, and what it is made of.
    Physical,
    /// What of the network reaches it, and its names in the DNS.
    Network,
    /// What it offers, and to whom.
    Services,
    /// Who may do what on the host.
    Access,
    /// What is written down, kept and read.
    Logs,
    /// What is out of date.
    Patches,
    /// What is done about malicious software in mail.
    Viruses,
    /// What users' programs are told and allowed.
    Clients,
    /// How users read their mail.
    Reading,
    /// What is done about forged, unwanted and leaking mail.
    Filtering,
    /// What protects mail on its way and proves who it is from.
    Encryption,
    /// What people know.
    Awareness,
    /// What happens when somebody asks for too much.
    Denial,
    /// What is there when a disk isn't.
    Backup,
    /// What takes over.
    Standby,
    /// Who can change which file, and who notices.
    Files,
    /// What a process may do once it is somebody else's.
    Privileges,
    /// What becomes of what an audit found.
    Corrective,
}

impl Area {
    /// In the order of the score sheet.
    pub const ALL: [Area; 18] = [
        Area::Physical,
        Area::Network,
        Area::Services,
        Area::Access,
        Area::Logs,
        Area::Patches,
        Area::Viruses,
        Area::Clients,
        Area::Reading,
        Area::Filtering,
        Area::Encryption,
        Area::Awareness,
        Area::Denial,
        Area::Backup,
        Area::Standby,
        Area::Files,
        Area::Privileges,
        Area::Corrective,
    ];

    /// Its number on the score sheet, 1 to 18.
    pub const fn number(self) -> u8 {
        (self as u8).saturating_add(1)
    }

    /// What its controls' names begin with.
    pub const fn code(self) -> &'static str {
        self.words().0
    }

    /// Its name on the score sheet.
    pub const fn title(self) -> &'static str {
        self.words().1
    }

    /// Its name in the configuration: one of `mailward_core::config::AUDIT_AREAS`.
    pub const fn key(self) -> &'static str {
        self.words().2
    }

    /// What it counts for if the configuration doesn't say otherwise, in hundredths. The twelve have the weights of the
    /// checklist of 2001, which sum to 10.
    pub const fn weight(self) -> u16 {
        self.words().3
    }

    const fn words(self) -> (&'static str, &'static str, &'static str, u16) {
        match self {
            Area::Physical => ("PHY", "Physical security", "physical", 90),
            Area::Network => ("NET", "Network security", "network", 90),
            Area::Services => ("SVC", "Service control", "services", 80),
            Area::Access => ("OSA", "Operating system access control", "access", 85),
            Area::Logs => ("LOG", "Auditing of logs", "logs", 80),
            Area::Patches => ("PAT", "Hot fixes and security patches", "patches", 85),
            Area::Viruses => ("AVS", "Server virus scanning", "viruses", 90),
            Area::Clients => ("CLI", "Mail client settings", "clients", 85),
            Area::Reading => ("POP", "Secure POP3 and IMAP", "reading", 75),
            Area::Filtering => ("FLT", "Mail filtering", "filtering", 75),
            Area::Encryption => ("ENC", "Encryption and digital signature", "encryption", 70),
            Area::Awareness => ("AWR", "User awareness", "awareness", 95),
            Area::Denial => ("DOS", "Protection from denial of service", "denial", 85),
            Area::Backup => ("BKP", "Backup", "backup", 90),
            Area::Standby => ("STB", "Standby mail server", "standby", 70),
            Area::Files => ("FIL", "Protection of files", "files", 80),
            Area::Privileges => ("PRV", "Operating system privileges", "privileges", 90),
            Area::Corrective => ("CAP", "Corrective action", "corrective", 85),
        }
    }
}

/// Which of the three questions a control answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    /// Who answers for the area: 20 points.
    Who,
    /// Whether they know what is at stake: 30 points.
    Why,
    /// Whether what is done is enough: 50 points.
    What,
}

impl Dimension {
    /// In the order of the score sheet.
    pub const ALL: [Dimension; 3] = [Dimension::Who, Dimension::Why, Dimension::What];

    /// What all of it is worth in one area.
    pub const fn points(self) -> u16 {
        match self {
            Dimension::Who => 20,
            Dimension::Why => 30,
            Dimension::What => 50,
        }
    }

    /// Its name on the score sheet.
    pub const fn title(self) -> &'static str {
        match self {
            Dimension::Who => "Who",
            Dimension::Why => "Why",
            Dimension::What => "What",
        }
    }
}
