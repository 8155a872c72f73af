//! Programs that are asked, each with words that are fixed here.

use std::fmt;

/// Programs that are asked, each with words that are fixed here: nothing from outside gets into a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// `nft -j list ruleset`.
    NftRuleset,
    /// `sshd -T`.
    SshdSettings,
    /// `systemd-detect-virt`.
    DetectVirt,
    /// `systemctl list-unit-files --state=enabled,enabled-runtime --no-legend --plain`.
    EnabledUnits,
    /// `systemctl show mailward.service`.
    OurUnit,
    /// `systemd-analyze security --no-pager mailward.service`.
    OurExposure,
    /// `lsblk -J -o NAME,TYPE,MOUNTPOINTS,PKNAME,ROTA,SERIAL`.
    BlockDevices,
    /// `timedatectl show`.
    TimeSettings,
    /// `chronyc -n tracking`.
    ChronyTracking,
    /// `auditctl -l`.
    AuditRules,
    /// `findmnt --json`.
    Mounts,
    /// `chronyc -n -c sources`.
    ChronySources,
    /// `smartctl -H -j` of one drive.
    DriveHealth(Drive),
    /// `zpool status -x`.
    PoolHealth,
    /// `ipmitool sdr type 0x05`: physical security.
    ChassisSensors,
    /// `ipmitool lan print`.
    ManagementAddress,
    /// `apcaccess`.
    ApcUps,
    /// `upsc ups@localhost`: the name that Network UPS Tools' examples give.
    NutUps,
    /// `fwupdmgr get-updates --json --no-unreported-check --no-metadata-check`.
    FirmwareUpdates,
}

impl Program {
    /// Where it is looked for and the words it gets.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Program::NftRuleset => &["nft", "-j", "list", "ruleset"],
            Program::SshdSettings => &["sshd", "-T"],
            Program::DetectVirt => &["systemd-detect-virt"],
            Program::EnabledUnits => {
                &["systemctl", "list-unit-files", "--state=enabled,enabled-runtime", "--no-legend", "--plain"]
            }
            Program::OurUnit => &["systemctl", "show", "mailward.service"],
            Program::OurExposure => &["systemd-analyze", "security", "--no-pager", "mailward.service"],
            Program::BlockDevices => &["lsblk", "-J", "-o", "NAME,TYPE,MOUNTPOINTS,PKNAME,ROTA,SERIAL"],
            Program::TimeSettings => &["timedatectl", "show"],
            Program::ChronyTracking => &["chronyc", "-n", "tracking"],
            Program::AuditRules => &["auditctl", "-l"],
            Program::Mounts => &["findmnt", "--json"],
            Program::ChronySources => &["chronyc", "-n", "-c", "sources"],
            Program::DriveHealth(drive) => drive.words(),
            Program::PoolHealth => &["zpool", "status", "-x"],
            Program::ChassisSensors => &["ipmitool", "sdr", "type", "0x05"],
            Program::ManagementAddress => &["ipmitool", "lan", "print"],
            Program::ApcUps => &["apcaccess"],
            Program::NutUps => &["upsc", "ups@localhost"],
            Program::FirmwareUpdates => {
                &["fwupdmgr", "get-updates", "--json", "--no-unreported-check", "--no-metadata-check"]
            }
        }
    }
}

impl Program {
    /// Whether it has nothing to say where systemd doesn't run the host. `systemctl` would answer all the same, after it looked
    /// through all units' files many times over.
    pub(super) const fn asks_systemd(self) -> bool {
        matches!(self, Program::EnabledUnits | Program::OurUnit | Program::OurExposure | Program::TimeSettings)
    }
}

/// Directories that the asked programs are in, as systems have them.
const PLACES: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// Those that tell something to whoever isn't root: the unit that comes with Mailward lets the server start these for its daily audit.
const FOR_EVERYBODY: [&str; 9] = [
    "systemctl",
    "systemd-analyze",
    "systemd-detect-virt",
    "timedatectl",
    "chronyc",
    "lsblk",
    "findmnt",
    "apcaccess",
    "upsc",
];

/// Whether the file at this path is a program that the server's daily audit asks.
pub(crate) fn is_asked(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(place, name)| PLACES.contains(&place) && FOR_EVERYBODY.contains(&name))
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// A drive that its health is asked of: one of a fixed list, so that its name is no outsider's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Drive(usize);

impl Drive {
    /// The drive of a name in `/sys/block`; `None`: it isn't in the list.
    pub fn named(name: &str) -> Option<Self> {
        DRIVES.iter().position(|(known, _)| *known == name).map(Self)
    }

    const fn words(self) -> &'static [&'static str] {
        // Only `named` makes one, so it is in the list.
        match DRIVES.split_at_checked(self.0) {
            Some((_, [(_, words), ..])) => words,
            _ => &["smartctl"],
        }
    }
}

macro_rules! drives {
    ($($name:literal)*) => { &[$(($name, &["smartctl", "-H", "-j", concat!("/dev/", $name)])),*] };
}

const DRIVES: &[(&str, &[&str])] = drives![
    "sda" "sdb" "sdc" "sdd" "sde" "sdf" "sdg" "sdh" "sdi" "sdj" "sdk" "sdl" "sdm" "sdn" "sdo" "sdp" "sdq" "sdr" "sds" "sdt"
    "sdu" "sdv" "sdw" "sdx" "nvme0n1" "nvme1n1" "nvme2n1" "nvme3n1" "nvme4n1" "nvme5n1" "nvme6n1" "nvme7n1" "nvme8n1"
    "nvme9n1" "nvme10n1" "nvme11n1"
];
