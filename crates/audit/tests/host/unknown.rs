//! What can't be known is not tested, never passed.

use crate::made::{Made, good, journal, look};
use crate::of_the_host;
use mailward_audit::{Program, Verdict};
use mailward_core::limits::{AUDIT_HASHED_MAX, AUDIT_INCLUDE_FILES};

/// The control, and what makes that nobody can tell.
pub(crate) type Hide = (&'static str, fn(&mut Made));

pub(crate) const UNKNOWN: &[Hide] = &[
    ("PHY-01", |m| {
        m.said.machine = None;
        m.said.running = false;
    }),
    ("PHY-02", |m| m.remove("/proc/self/mountinfo")),
    ("PHY-02", |m| {
        m.edit(
            "/proc/self/mountinfo",
            "253:1 / /var/lib/mailward rw,nodev,nosuid,noexec - ext4 /dev/mapper/mail",
            "0:50 / /var/lib/mailward rw,nodev,nosuid,noexec - nfs4 files:/mail",
        )
    }),
    ("PHY-02", |m| {
        // Devices that lie on each other in a ring.
        m.remove("/sys/dev/block/253:1/dm/uuid");
        m.directory("/sys/dev/block/253:1/slaves/dm-9");
        m.directory("/sys/class/block/dm-9/slaves/dm-9");
    }),
    ("PHY-03", |m| m.remove("/proc/swaps")),
    ("PHY-04", |m| m.remove("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")),
    ("PHY-05", |m| m.remove("/boot/grub/grub.cfg")),
    ("PHY-06", |m| m.remove("/usr/lib/systemd/system/rescue.service")),
    ("PHY-07", |m| m.remove("/proc/modules")),
    ("PHY-08", |m| {
        m.remove("/etc/profile");
        m.directory("/etc/profile");
    }),
    ("PHY-09", |m| m.said.running = false),
    ("PHY-10", |m| m.forgets(Program::ApcUps)),
    ("PHY-11", |m| m.remove("/sys/class/hwmon/hwmon0")),
    ("PHY-12", |m| m.said.programs.retain(|program, _| !matches!(program, Program::DriveHealth(_)))),
    ("PHY-13", |m| m.forgets(Program::ManagementAddress)),
    ("PHY-14", |m| m.edit("/etc/crypttab", ",tpm2-device=auto", "")),
    ("NET-01", Made::stopped),
    ("NET-01", |m| {
        m.remove("/proc/700/fd/501");
    }),
    ("NET-03", |m| m.refuses(Program::NftRuleset)),
    ("NET-03", |m| m.says(Program::NftRuleset, "{\"nftables\": 7}")),
    ("NET-04", |m| m.forgets(Program::NftRuleset)),
    ("NET-04", Made::stopped),
    ("NET-05", |m| {
        m.remove("/proc/sys/net/ipv4/ip_forward");
        m.directory("/proc/sys/net/ipv4/ip_forward");
    }),
    ("NET-06", |m| m.file("/sys/class/net/eth0/flags", "nothing\n")),
    ("NET-18", Made::stopped),
    ("SVC-01", |m| m.forgets(Program::EnabledUnits)),
    ("SVC-02", |m| m.add("/proc/net/tcp", "a line that nobody can read\n")),
    ("SVC-03", |m| m.remove("/proc/700/fd/501")),
    ("OSA-01", |m| m.remove("/etc/ssh/sshd_config")),
    ("OSA-01", |m| m.add("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config\n")),
    ("OSA-01", |m| {
        let again = "Include sshd_config.d/empty.conf\n".repeat(AUDIT_INCLUDE_FILES);
        m.file("/etc/ssh/sshd_config.d/empty.conf", "");
        m.file("/etc/ssh/sshd_config.d/many.conf", again);
    }),
    ("OSA-02", |m| m.add("/etc/passwd", "what is this\n")),
    ("OSA-03", |m| m.remove("/etc/shadow")),
    ("OSA-04", |m| m.remove("/etc/pam.d/common-auth")),
    ("OSA-05", |m| m.remove("/etc/sudoers")),
    ("OSA-05", |m| m.add("/etc/sudoers.d/backup", "@include /etc/sudoers\n")),
    ("OSA-06", |m| m.remove("/etc/shadow")),
    ("OSA-07", |m| m.said.state.as_mut().unwrap().accounts = None),
    ("OSA-08", |m| {
        m.remove("/etc/login.defs");
        m.directory("/etc/login.defs");
    }),
    ("OSA-09", Made::stopped),
    ("OSA-10", |m| {
        m.remove("/proc/sys/fs/suid_dumpable");
        m.directory("/proc/sys/fs/suid_dumpable");
    }),
    ("OSA-16", |m| m.remove("/var/log/lastlog")),
    ("OSA-17", |m| {
        m.remove("/home/ada/.ssh/authorized_keys");
        m.directory("/home/ada/.ssh/authorized_keys");
    }),
    ("OSA-18", |m| {
        m.remove("/etc/issue.net");
        m.directory("/etc/issue.net");
    }),
    ("LOG-01", |m| {
        m.remove("/etc/systemd/journald.conf");
        m.directory("/etc/systemd/journald.conf");
    }),
    ("LOG-05", |m| m.forgets(Program::ChronyTracking)),
    ("LOG-06", |m| m.refuses(Program::AuditRules)),
    ("LOG-13", |m| m.remove("/var/log")),
    ("LOG-14", |m| m.remove("/proc/self/mountinfo")),
    ("LOG-17", |m| m.said.running = false),
    ("PAT-01", |m| m.remove("/var/lib/apt/lists")),
    ("PAT-01", |m| {
        m.remove("/var/lib/apt/lists");
        m.file("/var/lib/apt/lists/security.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages.lz4", "");
    }),
    ("PAT-01", |m| m.aged("/var/lib/apt/periodic/update-success-stamp", 24 * 9)),
    ("PAT-02", |m| m.remove("/etc/apt")),
    ("PAT-03", |m| m.remove("/var/lib/dpkg/status")),
    ("PAT-04", |m| m.remove("/proc/sys/kernel/osrelease")),
    ("PAT-05", |m| m.file("/etc/os-release", "ID=something\nVERSION_ID=1\n")),
    ("PAT-08", |m| m.remove("/sys/devices/system/cpu/vulnerabilities")),
    ("PAT-10", |m| m.remove("/var/lib/dpkg/info/coreutils.md5sums")),
    ("PAT-10", |m| {
        m.file("/usr/bin/ls", "");
        std::fs::OpenOptions::new()
            .write(true)
            .open(m.path("/usr/bin/ls"))
            .unwrap()
            .set_len(AUDIT_HASHED_MAX + 1)
            .unwrap();
    }),
    ("PAT-13", |m| m.said.running = false),
    ("AVS-12", Made::stopped),
    ("AVS-12", |m| m.remove("/proc/701")),
    ("AVS-13", |m| {
        m.remove("/var/log/rkhunter.log");
        m.link("/var/log/rkhunter.log", "/var/log/rkhunter.log");
    }),
    ("DOS-08", |m| m.said.running = false),
    ("DOS-09", |m| m.file("/proc/700/cgroup", "4:memory:/x\n")),
    ("FIL-01", |m| m.remove("/var/lib/mailward")),
    ("FIL-02", |m| m.remove("/proc/self/mountinfo")),
    ("FIL-03", |m| m.remove("/proc/self/mountinfo")),
    ("FIL-04", |m| m.remove("/etc/mailward/audit/program")),
    ("FIL-05", |m| m.remove("/etc/group")),
    ("FIL-06", |m| m.remove("/etc/group")),
    ("FIL-07", |m| m.remove("/etc/group")),
    ("FIL-09", |m| m.remove("/var/lib/mailward")),
    ("FIL-12", |m| {
        m.stopped();
        m.forgets(Program::OurUnit);
    }),
    ("LOG-02", |m| m.said.running = false),
    ("LOG-02", |m| {
        m.remove("/etc/rsyslog.d/ship.conf");
        m.directory("/etc/rsyslog.d/ship.conf");
    }),
    ("LOG-04", |m| m.remove(&journal(60))),
    ("LOG-04", |m| {
        m.remove(&journal(60));
        m.file(&journal(3), "");
        m.aged("/etc/machine-id", 3 * 24);
    }),
    ("LOG-04", Made::stopped),
    ("PAT-09", |m| m.forgets(Program::FirmwareUpdates)),
    ("PAT-09", |m| m.says(Program::FirmwareUpdates, "\x1b[2Jno JSON")),
    ("PAT-09", |m| m.refuses(Program::FirmwareUpdates)),
    ("ENC-18", Made::stopped),
    ("ENC-18", |m| m.remove("/var/lib/mailward/keys")),
    ("ENC-20", |m| m.remove("/proc/self/mountinfo")),
    ("PRV-05", Made::stopped),
    ("PRV-06", Made::stopped),
    ("PRV-12", |m| m.said.state.as_mut().unwrap().version = None),
    ("PRV-01", Made::stopped),
    ("PRV-02", |m| m.remove("/proc/sys/kernel/cap_last_cap")),
    ("PRV-03", Made::stopped),
    ("PRV-04", |m| m.forgets(Program::OurExposure)),
    ("PRV-07", |m| m.forgets(Program::OurUnit)),
    ("PRV-08", |m| m.remove("/proc/700/mountinfo")),
    ("PRV-08", |m| m.file("/proc/700/mountinfo", "nothing that anybody can read\n")),
    ("PRV-08", |m| {
        m.stopped();
        m.forgets(Program::OurUnit);
    }),
    ("PRV-09", |m| {
        m.said.machine = None;
    }),
    ("PRV-11", Made::stopped),
];

#[test]
fn what_cannot_be_known_is_not_tested_and_says_why() {
    let mut wrong = Vec::new();
    let mut made = good();
    for (at, (id, hide)) in UNKNOWN.iter().enumerate() {
        let finding = made.spoiled(hide, |scene| look(scene, id));
        if finding.verdict != Verdict::NotTested || finding.said.is_empty() {
            wrong.push(format!("{id} (line {at}): {:?}: {}", finding.verdict, finding.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing of it is there: a root without a system, or one that nobody may look into.
#[test]
fn of_a_host_that_is_empty_nobody_can_tell_anything() {
    let mut made = good();
    for directory in ["/etc", "/proc", "/sys", "/var", "/usr", "/boot", "/home", "/root", "/tmp", "/run"] {
        made.remove(directory);
    }
    made.said.programs.clear();
    made.said.machine = None;
    made.said.spaces.clear();
    for mounted in [&[][..], &["/etc", "/proc", "/sys", "/var", "/usr"]] {
        mounted.iter().for_each(|directory| made.directory(directory));
        let scene = made.scene();
        for control in of_the_host() {
            let finding = look(&scene, control.id);
            assert_eq!(finding.verdict, Verdict::NotTested, "{}: {}", control.id, finding.said);
            assert!(!finding.said.is_empty(), "{}", control.id);
        }
    }
}

#[test]
fn what_is_not_there_tells_something_only_where_something_is() {
    let mut made = good();
    made.remove("/sys");
    made.directory("/sys");
    let of = |made: &mut Made, id| look(&made.scene(), id);
    let finding = of(&mut made, "PHY-04");
    assert_eq!((finding.verdict, finding.said.contains("/sys")), (Verdict::NotTested, true), "{}", finding.said);
    made.file("/sys/kernel/notes", "");
    assert_eq!(of(&mut made, "PHY-04").verdict, Verdict::Fail, "a mounted tree without it was begun by a BIOS");
}
