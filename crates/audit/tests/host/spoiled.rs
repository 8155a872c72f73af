//! One thing is spoiled, one verdict changes.

use crate::made::{DATA, Made, good, journal, key, look, rsa};
use crate::of_the_host;
use mailward_audit::{Drive, Program, Space, Verdict};

/// The control, what it has to say, what is spoiled, and what else that has to change.
pub(crate) type Spoil = (&'static str, &'static str, fn(&mut Made), &'static [&'static str]);

pub(crate) const SPOILED: &[Spoil] = &[
    (
        "PHY-01",
        "said to be a container, of which less is asked, and looks like a machine of its own",
        |m| {
            m.said.machine = Some(mailward_audit::Machine::Container);
            m.says(Program::DetectVirt, "none\n");
        },
        &["*"],
    ),
    ("PHY-02", "/var/lib/mailward is on", |m| m.file("/sys/dev/block/253:1/dm/uuid", "LVM-x"), &["ENC-20"]),
    (
        "PHY-02",
        "/var/log is on",
        |m| {
            // One of two disks below isn't encrypted.
            m.file("/sys/dev/block/253:2/dm/uuid", "LVM-x");
            m.file("/sys/class/block/dm-8/dm/uuid", "CRYPT-LUKS2-x");
            m.directory("/sys/class/block/sdb1");
            m.directory("/sys/dev/block/253:2/slaves/dm-8");
            m.directory("/sys/dev/block/253:2/slaves/sdb1");
        },
        &[],
    ),
    (
        "PHY-03",
        "/swapfile",
        |m| {
            m.add("/proc/swaps", "/swapfile file 1000 0 -3\n");
            m.file("/sys/dev/block/253:0/dm/uuid", "LVM-x");
        },
        &[],
    ),
    (
        "PHY-04",
        "off",
        |m| m.file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", [6, 0, 0, 0, 0]),
        &[],
    ),
    ("PHY-04", "BIOS", |m| m.remove("/sys/firmware/efi"), &[]),
    ("PHY-05", "password_pbkdf2", |m| m.edit("/boot/grub/grub.cfg", "password_pbkdf2", "#"), &[]),
    ("PHY-05", "mode 0644", |m| m.mode("/boot/grub/grub.cfg", 0o644), &[]),
    (
        "PHY-06",
        "rescue.service",
        |m| m.file("/etc/systemd/system/rescue.service.d/x.conf", "[Service]\nEnvironment=SYSTEMD_SULOGIN_FORCE=1\n"),
        &[],
    ),
    (
        "PHY-06",
        "emergency.service",
        |m| {
            m.edit(
                "/usr/lib/systemd/system/emergency.service",
                "-/lib/systemd/systemd-sulogin-shell emergency",
                "/bin/sh",
            )
        },
        &[],
    ),
    (
        "PHY-07",
        "usb-storage may be loaded",
        |m| m.edit("/etc/modprobe.d/no-disks.conf", "install usb-storage", "blacklist usb-storage"),
        &[],
    ),
    ("PHY-07", "usb-storage is loaded", |m| m.add("/proc/modules", "usb_storage 81920 0 - Live 0x0\n"), &[]),
    ("PHY-08", "Ctrl-Alt-Del", |m| m.remove("/etc/systemd/system/ctrl-alt-del.target"), &[]),
    (
        "PHY-08",
        "logs itself in",
        |m| {
            m.file(
                "/etc/systemd/system/getty@tty1.service.d/x.conf",
                "[Service]\nExecStart=-/sbin/agetty --autologin root\n",
            )
        },
        &[],
    ),
    ("PHY-09", "was opened", |m| m.file("/sys/class/hwmon/hwmon0/intrusion0_alarm", "1\n"), &[]),
    ("PHY-09", "no sensor", |m| m.remove("/sys/class/hwmon/hwmon0/intrusion0_alarm"), &[]),
    ("PHY-10", "isn't on line", |m| m.says_otherwise(Program::ApcUps, "ONLINE", "ONBATT"), &[]),
    (
        "PHY-10",
        "five minutes",
        |m| {
            m.forgets(Program::ApcUps);
            m.says(Program::NutUps, "ups.status: OL\nbattery.runtime: 120\n");
        },
        &[],
    ),
    ("PHY-11", "temp1_input is 101000", |m| m.file("/sys/class/hwmon/hwmon0/temp1_input", "101000\n"), &[]),
    ("PHY-11", "fan1_input is 0", |m| m.file("/sys/class/hwmon/hwmon0/fan1_input", "0\n"), &[]),
    ("PHY-12", "isn't whole", |m| m.edit("/proc/mdstat", "[2/2] [UU]", "[2/1] [U_]"), &[]),
    (
        "PHY-12",
        "sda says",
        |m| m.says(Program::DriveHealth(Drive::named("sda").unwrap()), r#"{"smart_status":{"passed":false}}"#),
        &[],
    ),
    ("PHY-12", "ZFS", |m| m.says(Program::PoolHealth, "  pool: tank\n state: DEGRADED\n"), &[]),
    ("PHY-13", "198.51.100.7", |m| m.says_otherwise(Program::ManagementAddress, "10.0.9.1", "198.51.100.7"), &[]),
    ("PHY-14", "none", |m| m.remove("/etc/crypttab"), &[]),
    ("NET-01", "0.0.0.0:111", |m| m.socket("tcp", [0, 0, 0, 0], 111, 600, 1), &["SVC-02"]),
    (
        "NET-01",
        "one of our doors",
        |m| {
            m.process(800, 1, "master", &["master"], 0);
            m.socket("tcp", [192, 0, 2, 11], 25, 600, 800);
        },
        &["SVC-03"],
    ),
    ("NET-01", "nobody listens at the door", |m| m.edit("/proc/net/tcp", ":03E1", ":03E2"), &[]),
    (
        "NET-03",
        "no chain",
        |m| m.says_otherwise(Program::NftRuleset, "\"policy\":\"drop\"", "\"policy\":\"accept\""),
        &[],
    ),
    ("NET-03", "IPv6 lets everything in", |m| m.says_otherwise(Program::NftRuleset, "inet", "ip"), &["NET-04"]),
    ("NET-04", "everybody", |m| m.says_otherwise(Program::NftRuleset, "\"mailward\"", "\"nobody\""), &[]),
    ("NET-05", "rp_filter is 0", |m| m.file("/proc/sys/net/ipv4/conf/all/rp_filter", "0\n"), &[]),
    ("NET-06", "eth0", |m| m.file("/sys/class/net/eth0/flags", "0x1103\n"), &[]),
    ("NET-18", "every address", |m| m.edit("/proc/net/tcp", "0500000A:0016", "00000000:0016"), &[]),
    ("NET-18", "mail comes to", |m| m.edit("/proc/net/tcp", "0500000A:0016", "0A0200C0:0016"), &[]),
    (
        "SVC-01",
        "cups.service is on",
        |m| m.says_otherwise(Program::EnabledUnits, "ssh.service", "cups.service enabled\nssh.service"),
        &[],
    ),
    ("SVC-01", "there is no", |m| m.remove("/etc/mailward/audit/units"), &[]),
    ("SVC-01", "others than root", |m| m.mode("/etc/mailward/audit/units", 0o664), &["FIL-01"]),
    (
        "SVC-02",
        "package telnetd",
        |m| m.edit("/var/lib/dpkg/status", "deinstall ok config-files", "install ok installed"),
        &[],
    ),
    (
        "SVC-03",
        "somebody else takes mail",
        |m| {
            m.process(800, 1, "master", &["master"], 0);
            m.socket("tcp", [192, 0, 2, 11], 587, 600, 800);
        },
        &["NET-01"],
    ),
    ("OSA-01", "permitrootlogin is yes", |m| m.remove("/etc/ssh/sshd_config.d/10-mail.conf"), &[]),
    (
        "OSA-01",
        "passwordauthentication is yes",
        |m| m.add("/etc/ssh/sshd_config", "Match User ada\n\tPasswordAuthentication = yes\n"),
        &[],
    ),
    (
        "OSA-01",
        "x11forwarding is yes",
        |m| m.edit("/etc/ssh/sshd_config", "X11Forwarding no", "X11Forwarding \"yes\" # for once"),
        &[],
    ),
    ("OSA-02", "toor", |m| m.add("/etc/passwd", "toor:x:0:0::/root:/usr/sbin/nologin\n"), &[]),
    ("OSA-03", "ada: MD5", |m| m.edit("/etc/shadow", "$6$", "$1$"), &[]),
    ("OSA-03", "ada: no password", |m| m.edit("/etc/shadow", "ada:$6$secret$hash:", "ada::"), &[]),
    ("OSA-04", "counted by nobody", |m| m.file("/etc/pam.d/common-auth", "auth required pam_unix.so\n"), &[]),
    ("OSA-04", "deny", |m| m.edit("/etc/pam.d/common-auth", "preauth", "preauth deny=50"), &[]),
    (
        "OSA-05",
        "everything without a password",
        |m| m.edit("/etc/sudoers.d/backup", "NOPASSWD: /usr/bin/backup", "NOPASSWD:SETENV:ALL"),
        &[],
    ),
    (
        "OSA-05",
        "everything without a password",
        |m| m.edit("/etc/sudoers.d/backup", "NOPASSWD: /usr/bin/backup", "NOPASSWD: /bin/ls, \\\n ALL"),
        &[],
    ),
    ("OSA-05", "log", |m| m.edit("/etc/sudoers", "logfile", "!logfile"), &[]),
    ("OSA-05", "mode 0644", |m| m.mode("/etc/sudoers.d/backup", 0o644), &[]),
    (
        "OSA-06",
        "daemon has /bin/sh",
        |m| m.edit("/etc/passwd", "daemon:/usr/sbin:/usr/sbin/nologin", "daemon:/usr/sbin:/bin/sh"),
        &[],
    ),
    ("OSA-06", "sshd isn't locked", |m| m.edit("/etc/shadow", "sshd:!", "sshd:$y$x"), &[]),
    ("OSA-07", "bob has a mailbox", |m| m.add("/etc/passwd", "bob:x:1001:1001::/home/bob:/bin/sh\n"), &[]),
    ("OSA-08", "umask 022", |m| m.edit("/etc/login.defs", "027", "022"), &[]),
    ("OSA-08", "nothing sets", |m| m.edit("/etc/login.defs", "UMASK\t\t027\n", ""), &[]),
    (
        "OSA-09",
        "mailward serve (process 700) isn't confined",
        |m| m.file("/proc/700/attr/current", "unconfined\n"),
        &[],
    ),
    ("OSA-10", "kptr_restrict is 0", |m| m.file("/proc/sys/kernel/kptr_restrict", "0\n"), &[]),
    ("OSA-10", "ptrace_scope is not set", |m| m.remove("/proc/sys/kernel/yama"), &[]),
    (
        "OSA-16",
        "ada for 100 days",
        |m| {
            let then = super::made::NOW / 86_400 - 100;
            let now = super::made::NOW / 86_400;
            m.edit("/etc/shadow", &format!("ada:$6$secret$hash:{now}"), &format!("ada:$6$secret$hash:{then}"));
        },
        &[],
    ),
    ("OSA-17", "RSA key of 2048 bits", |m| m.add("/home/ada/.ssh/authorized_keys", &rsa(256, "Ada")), &[]),
    ("OSA-17", "DSA", |m| m.add("/home/ada/.ssh/authorized_keys", &key("ssh-dss", &[&[1]], "Ada")), &[]),
    ("OSA-17", "whose it is", |m| m.add("/home/ada/.ssh/authorized_keys", &rsa(512, "")), &[]),
    ("OSA-18", "TMOUT", |m| m.edit("/etc/profile.d/timeout.sh", "TMOUT=900", "TMOUT=9000"), &["PHY-08"]),
    ("OSA-18", "which system", |m| m.file("/etc/issue.net", "Debian GNU/Linux 12\n"), &[]),
    ("LOG-01", "isn't kept", |m| m.edit("/etc/systemd/journald.conf.d/keep.conf", "persistent", "volatile"), &[]),
    ("LOG-01", "nothing writes a log", |m| m.remove("/usr/lib/systemd/systemd-journald"), &[]),
    ("LOG-05", "3", |m| m.says_otherwise(Program::ChronySources, "^,-", "^,?"), &[]),
    ("LOG-05", "off by a second", |m| m.says_otherwise(Program::ChronyTracking, "0.000012", "1.5"), &[]),
    (
        "LOG-06",
        "/etc/sudoers aren't noted",
        |m| m.says_otherwise(Program::AuditRules, "-w /etc/sudoers -p wa", "-w /etc/sudoers -p r"),
        &[],
    ),
    ("LOG-13", "/var/log/mail.log has mode 0644", |m| m.mode("/var/log/mail.log", 0o644), &[]),
    ("LOG-14", "/var/log isn't", |m| m.edit("/proc/self/mountinfo", " /var/log rw", " /srv rw"), &[]),
    (
        "LOG-14",
        "10 % of it are free",
        |m| {
            m.said.spaces.insert("/var/log".to_owned(), Space { bytes_free: 10, files_free: 90 });
        },
        &[],
    ),
    ("LOG-17", "process 300", |m| m.link("/proc/300/fd/9", "/var/log/auth.log (deleted)"), &[]),
    ("LOG-17", "logrotate", |m| m.aged("/var/lib/logrotate/status", 24 * 10), &[]),
    ("PAT-01", "libssl3", |m| m.edit("/var/lib/dpkg/status", "deb12u10", "deb12u9"), &[]),
    (
        "PAT-02",
        "no source",
        |m| {
            m.edit(
                "/etc/apt/sources.list.d/debian.sources",
                "debian-security\nSuites: bookworm-security",
                "debian\nSuites: bookworm",
            )
        },
        &[],
    ),
    (
        "PAT-02",
        "without a signature",
        |m| m.file("/etc/apt/sources.list", "deb [arch=amd64 trusted=yes] http://example.org/ ./\n"),
        &[],
    ),
    ("PAT-02", "within a day", |m| m.aged("/var/lib/apt/periodic/update-success-stamp", 30), &[]),
    ("PAT-03", "isn't installed", |m| m.edit("/var/lib/dpkg/status", "unattended-upgrades", "other"), &[]),
    (
        "PAT-03",
        "Unattended-Upgrade is off",
        |m| m.file("/etc/apt/apt.conf.d/99off", "APT::Periodic::Unattended-Upgrade \"0\";"),
        &[],
    ),
    ("PAT-03", "masked", |m| m.link("/etc/systemd/system/apt-daily-upgrade.timer", "/dev/null"), &[]),
    ("PAT-03", "48 hours", |m| m.aged("/var/lib/apt/periodic/unattended-upgrades-stamp", 50), &[]),
    ("PAT-04", "6.1.0-31-amd64 is installed", |m| m.file("/boot/vmlinuz-6.1.0-31-amd64", ""), &[]),
    ("PAT-04", "libc.so.6", |m| m.edit("/proc/300/maps", "libc.so.6", "libc.so.6 (deleted)"), &[]),
    ("PAT-05", "since 2024-06-30", |m| m.edit("/etc/os-release", "\"12\"", "\"10\""), &[]),
    ("PAT-08", "spectre_v2", |m| m.file("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "Vulnerable\n"), &[]),
    ("PAT-10", "/usr/bin/ls was changed", |m| m.file("/usr/bin/ls", "another"), &[]),
    ("PAT-10", "/usr/bin/ls is gone", |m| m.remove("/usr/bin/ls"), &[]),
    (
        "PAT-13",
        "for 10 days",
        |m| {
            m.file("/run/reboot-required", "");
            m.aged("/run/reboot-required", 240);
        },
        &[],
    ),
    (
        "AVS-12",
        "may take all memory",
        |m| m.edit("/proc/701/limits", "Max address space         536870912", "Max address space         unlimited"),
        &[],
    ),
    ("AVS-12", "the server's user", |m| m.edit("/proc/701/status", "Uid:\t997\t997", "Uid:\t998\t998"), &["PRV-05"]),
    ("AVS-12", "socket of the network", |m| m.link("/proc/701/fd/5", "socket:[501]"), &[]),
    ("AVS-13", "10 days ago", |m| m.aged("/var/log/rkhunter.log", 240), &[]),
    ("AVS-13", "nobody searches", |m| m.remove("/var/log/rkhunter.log"), &[]),
    (
        "DOS-08",
        "4 % of the files",
        |m| {
            m.said.spaces.insert(DATA.to_owned(), Space { bytes_free: 40, files_free: 4 });
        },
        &[],
    ),
    ("DOS-09", "MemoryMax", |m| m.file("/sys/fs/cgroup/system.slice/mailward.service/memory.max", "max\n"), &[]),
    ("FIL-01", "mailward.db has mode 0640", |m| m.mode("/var/lib/mailward/mailward.db", 0o640), &[]),
    ("FIL-01", "mailward.toml has mode 0664", |m| m.mode("/etc/mailward/mailward.toml", 0o664), &[]),
    (
        "FIL-02",
        "noexec",
        |m| {
            m.edit(
                "/proc/self/mountinfo",
                "/var/lib/mailward rw,nodev,nosuid,noexec",
                "/var/lib/mailward rw,nodev,nosuid",
            )
        },
        &[],
    ),
    ("FIL-03", "24 hours", |m| m.aged("/var/log/aide/aide.log", 30), &[]),
    ("FIL-03", "none of AIDE", |m| m.remove("/usr/bin/aide"), &[]),
    (
        "FIL-03",
        "as well",
        |m| {
            m.edit(
                "/proc/self/mountinfo",
                "/var/lib/aide ro,nodev - ext4 /dev/mapper/aide ro",
                "/var/lib/aide rw,nodev - ext4 /dev/mapper/aide rw",
            )
        },
        &[],
    ),
    ("FIL-04", "isn't the one", |m| m.file("/usr/local/bin/mailward", "another"), &[]),
    ("FIL-04", "was replaced", |m| m.link("/proc/700/exe", "/usr/local/bin/mailward (deleted)"), &[]),
    (
        "FIL-05",
        "/usr/bin/backdoor",
        |m| {
            m.file("/usr/bin/backdoor", "");
            m.mode("/usr/bin/backdoor", 0o6755);
        },
        &[],
    ),
    (
        "FIL-06",
        "/srv/shared",
        |m| {
            m.directory("/srv/shared");
            m.mode("/srv/shared", 0o777);
        },
        &[],
    ),
    (
        "FIL-06",
        "/etc/hosts",
        |m| {
            m.file("/etc/hosts", "");
            m.mode("/etc/hosts", 0o646);
        },
        &[],
    ),
    ("FIL-06", "/tmp isn't sticky", |m| m.mode("/tmp", 0o755), &[]),
    (
        "FIL-07",
        "nobody's",
        |m| {
            let text = std::fs::read_to_string(m.path("/etc/group")).unwrap();
            let mine = format!(":{}:", rustix::process::getgid().as_raw());
            m.file(
                "/etc/group",
                text.lines().filter(|l| !l.contains(&mine)).map(|l| format!("{l}\n")).collect::<String>(),
            );
        },
        &[],
    ),
    ("FIL-09", "can be executed", |m| m.mode("/var/lib/mailward/mailward.db", 0o700), &[]),
    (
        "FIL-09",
        "is no pack",
        |m| {
            m.file("/var/lib/mailward/packs/invoice.exe", "");
            m.mode("/var/lib/mailward/packs/invoice.exe", 0o600);
        },
        &[],
    ),
    ("FIL-12", "SMTP_PASSWORD", |m| m.edit("/proc/700/environ", "LC_ALL=C", "SMTP_PASSWORD=x"), &[]),
    ("FIL-12", "--api-token", |m| m.edit("/proc/702/cmdline", "supervise", "supervise\0--api-token=x"), &[]),
    ("FIL-12", "the unit sets", |m| m.says_otherwise(Program::OurUnit, "LANG=C", "LANG=C DB_PASSWORD=x"), &[]),
    (
        "PRV-01",
        "mailward serve (process 700) is root",
        |m| m.edit("/proc/700/status", "Uid:\t998\t998", "Uid:\t0\t0"),
        &["NET-04", "ENC-18"],
    ),
    (
        "PRV-02",
        "0000000000001400",
        |m| m.edit("/proc/700/status", "CapEff:\t0000000000000400", "CapEff:\t0000000000001400"),
        &[],
    ),
    (
        "PRV-02",
        "every capability",
        |m| m.edit("/proc/700/status", "CapBnd:\t0000000000000400", "CapBnd:\t000001ffffffffff"),
        &[],
    ),
    ("PRV-05", "of 3 users", |m| m.edit("/proc/704/status", "Uid:\t995\t995", "Uid:\t998\t998"), &[]),
    ("PRV-06", "has files open", |m| m.link("/proc/703/fd/5", "/var/lib/mailward/mailward.db"), &[]),
    ("PRV-06", "speaks with everybody", |m| m.file("/proc/703/cmdline", "mailward\0other\0"), &[]),
    ("PRV-12", "speaks with everybody", |m| m.file("/proc/704/cmdline", "mailward\0other\0"), &[]),
    (
        "ENC-18",
        "open to the process that speaks with the network",
        |m| m.edit("/proc/700/status", "Uid:\t998\t998", "Uid:\t0\t0"),
        &["NET-04", "PRV-01"],
    ),
    ("ENC-18", "has mode 0644", |m| m.mode(&format!("{DATA}/keys/tls.pem"), 0o644), &["FIL-01"]),
    ("ENC-20", "nobody has said so", |m| m.said.statements.0.clear(), &[]),
    ("ENC-20", "isn't encrypted", |m| m.file("/sys/dev/block/253:1/dm/uuid", "LVM-x"), &["PHY-02"]),
    ("LOG-02", "nobody is told", |m| m.remove("/etc/rsyslog.d/ship.conf"), &[]),
    ("LOG-02", "in clear", |m| m.edit("/etc/rsyslog.d/ship.conf", "Mode=\"1\"", "Mode=\"0\""), &[]),
    ("LOG-02", "has a connection", |m| m.edit("/proc/net/tcp", ":1972 01 ", ":1972 06 "), &[]),
    (
        "LOG-04",
        "reaches back 3 days alone",
        |m| {
            m.remove(&journal(60));
            m.file(&journal(3), "");
            m.mode(&journal(3), 0o640);
        },
        &[],
    ),
    (
        "LOG-04",
        "for 401 days",
        |m| {
            m.file(&journal(401), "");
            m.mode(&journal(401), 0o640);
        },
        &[],
    ),
    (
        "PAT-09",
        "newer for UEFI dbx",
        |m| m.says(Program::FirmwareUpdates, r#"{"Devices":[{"Name":"UEFI dbx","Releases":[{}]},{"Name":"SSD"}]}"#),
        &[],
    ),
    ("PAT-09", "wasn't told for 30 days", |m| m.aged("/var/lib/fwupd/metadata/lvfs/firmware.xml.gz", 31 * 24), &[]),
    ("PRV-03", "may gain rights", |m| m.edit("/proc/702/status", "NoNewPrivs:\t1", "NoNewPrivs:\t0"), &[]),
    ("PRV-03", "for anything", |m| m.edit("/proc/700/status", "Seccomp:\t2", "Seccomp:\t0"), &[]),
    ("PRV-04", "exposure is 4.1", |m| m.says_otherwise(Program::OurExposure, "1.8 OK", "4.1 OK"), &[]),
    ("PRV-07", "ProtectSystem", |m| m.says_otherwise(Program::OurUnit, "strict", "full"), &[]),
    (
        "PRV-07",
        "RestrictAddressFamilies",
        |m| m.says_otherwise(Program::OurUnit, "AF_INET AF_INET6", "~AF_INET AF_INET6"),
        &[],
    ),
    (
        "PRV-08",
        "any program of /usr/bin",
        |m| m.add("/proc/700/mountinfo", "94 90 253:0 /usr/bin /usr/bin ro,relatime - ext4 /dev/mapper/root rw\n"),
        &[],
    ),
    (
        "PRV-08",
        "any program",
        |m| {
            m.stopped();
            m.says_otherwise(Program::OurUnit, "ExecPaths=/usr/local", "ExecPaths=/usr/bin /usr/local");
        },
        &["*"],
    ),
    (
        "PRV-09",
        "privileged",
        |m| {
            m.said.machine = Some(mailward_audit::Machine::Container);
            m.file("/proc/self/uid_map", "0 0 4294967295\n");
            m.edit("/proc/700/status", "CapBnd:\t0000000000000400", "CapBnd:\t000001ffffffffff");
        },
        &["*"],
    ),
    (
        "PRV-11",
        "Max core file size",
        |m| m.edit("/proc/700/limits", "Max core file size        0", "Max core file size        unlimited"),
        &[],
    ),
];

#[test]
fn one_thing_is_spoiled_and_one_verdict_changes() {
    let mut wrong = Vec::new();
    let mut made = good();
    for (id, says, spoil, also) in SPOILED {
        made.spoiled(spoil, |scene| {
            let finding = look(scene, id);
            if !finding.verdict.is_failure() || !finding.said.contains(says) {
                wrong.push(format!("{id} should say {says:?}: {:?}: {}", finding.verdict, finding.said));
            }
            let others = of_the_host().into_iter().filter(|other| other.id != *id && other.id != "PRV-09");
            for other in others.filter(|other| !also.contains(&other.id) && !also.contains(&"*")) {
                let finding = look(scene, other.id);
                if finding.verdict != Verdict::Pass {
                    wrong.push(format!("{id} ({says}) changed {}: {:?}: {}", other.id, finding.verdict, finding.said));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
