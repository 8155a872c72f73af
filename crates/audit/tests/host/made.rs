//! A made-up host on which everything is as it should be, for tests to spoil.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use mailward_audit::{
    Check, Door, Drive, Finding, Host, Machine, Program, Protocol, Said, Scene, Space, State, Statement, Statements,
    find,
};
use mailward_core::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 2027-01-15.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const DATA: &str = "/var/lib/mailward";

pub(crate) struct Made {
    root: tempfile::TempDir,
    /// What was there before, beside the host.
    before: tempfile::TempDir,
    /// How the files are put back, the last change first.
    undo: Vec<Undo>,
    pub(crate) said: Spoken,
}

/// What isn't in files.
#[derive(Clone)]
pub(crate) struct Spoken {
    pub(crate) programs: BTreeMap<Program, Said>,
    pub(crate) state: Option<State>,
    pub(crate) doors: Vec<Door>,
    pub(crate) machine: Option<Machine>,
    pub(crate) running: bool,
    pub(crate) spaces: BTreeMap<String, Space>,
    pub(crate) statements: Statements,
}

enum Undo {
    Remove(PathBuf),
    Back(PathBuf, PathBuf),
    Mode(PathBuf, u32),
    Time(PathBuf, SystemTime),
}

impl Made {
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// The same host, after one thing was spoiled and what `then` does; put back as it was.
    pub(crate) fn spoiled<T>(&mut self, spoil: impl FnOnce(&mut Self), then: impl FnOnce(&Scene) -> T) -> T {
        let said = self.said.clone();
        self.undo.clear();
        spoil(self);
        let found = then(&self.scene());
        self.said = said;
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Remove(path) if path.is_dir() && !path.is_symlink() => fs::remove_dir_all(path).unwrap(),
                Undo::Remove(path) => fs::remove_file(path).unwrap(),
                Undo::Back(path, from) => fs::rename(from, path).unwrap(),
                Undo::Mode(path, mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap(),
                Undo::Time(path, at) => fs::File::open(path).unwrap().set_modified(at).unwrap(),
            }
        }
        found
    }

    /// Puts what is there aside.
    fn aside(&mut self, path: &Path) {
        if path.symlink_metadata().is_ok() {
            let kept = self.before.path().join(self.undo.len().to_string());
            fs::rename(path, &kept).unwrap();
            self.undo.push(Undo::Back(path.to_owned(), kept));
        }
    }

    /// Directories that others may look into, whatever the umask of whoever runs this.
    pub(crate) fn directory(&mut self, path: &str) {
        let mut at = self.root.path().to_owned();
        for part in path.trim_start_matches('/').split('/') {
            at.push(part);
            if fs::create_dir(&at).is_ok() {
                fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
                self.undo.push(Undo::Remove(at.clone()));
            }
        }
    }

    pub(crate) fn file(&mut self, path: &str, content: impl AsRef<[u8]>) {
        self.directory(path.rsplit_once('/').unwrap().0);
        let there = self.path(path);
        let mode = there.metadata().map_or(0o644, |found| found.permissions().mode());
        self.aside(&there);
        fs::write(&there, content).unwrap();
        fs::set_permissions(&there, fs::Permissions::from_mode(mode)).unwrap();
        self.undo.push(Undo::Remove(there));
        self.aged(path, 0);
    }

    pub(crate) fn add(&mut self, path: &str, text: &str) {
        let before = fs::read_to_string(self.path(path)).unwrap_or_default();
        self.file(path, before + text);
    }

    pub(crate) fn edit(&mut self, path: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.path(path)).unwrap();
        assert!(before.contains(from), "{path} has no {from:?}");
        self.file(path, before.replace(from, to));
    }

    pub(crate) fn mode(&mut self, path: &str, mode: u32) {
        let path = self.path(path);
        self.undo.push(Undo::Mode(path.clone(), path.metadata().unwrap().permissions().mode()));
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn link(&mut self, path: &str, to: &str) {
        self.directory(path.rsplit_once('/').unwrap().0);
        let there = self.path(path);
        self.aside(&there);
        symlink(to, &there).unwrap();
        self.undo.push(Undo::Remove(there));
    }

    pub(crate) fn remove(&mut self, path: &str) {
        let there = self.path(path);
        assert!(there.symlink_metadata().is_ok(), "{path} isn't there");
        self.aside(&there);
    }

    /// Last changed so many hours ago.
    pub(crate) fn aged(&mut self, path: &str, hours: u64) {
        let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW).unwrap() - hours * 3600);
        let path = self.path(path);
        self.undo.push(Undo::Time(path.clone(), path.metadata().unwrap().modified().unwrap()));
        fs::File::open(path).unwrap().set_modified(at).unwrap();
    }

    pub(crate) fn says(&mut self, program: Program, out: &str) {
        self.said.programs.insert(program, Said { code: 0, out: out.as_bytes().to_vec(), err: Vec::new() });
    }

    pub(crate) fn refuses(&mut self, program: Program) {
        self.said
            .programs
            .insert(program, Said { code: 1, out: Vec::new(), err: b"Operation not permitted\n".to_vec() });
    }

    /// What a program says, changed.
    pub(crate) fn says_otherwise(&mut self, program: Program, from: &str, to: &str) {
        let said = String::from_utf8(self.said.programs[&program].out.clone()).unwrap();
        assert!(said.contains(from), "{program} doesn't say {from:?}");
        self.says(program, &said.replace(from, to));
    }

    pub(crate) fn forgets(&mut self, program: Program) {
        self.said.programs.remove(&program);
    }

    pub(crate) fn stopped(&mut self) {
        self.said.state = None;
        self.said.doors.clear();
    }

    pub(crate) fn process(&mut self, pid: u32, parent: u32, name: &str, words: &[&str], uid: u32) {
        let at = format!("/proc/{pid}");
        self.file(&format!("{at}/status"), format!(
            "Name:\t{name}\nPid:\t{pid}\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\n\
             CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n"
        ));
        self.file(&format!("{at}/cmdline"), words.join("\0") + "\0");
        self.file(&format!("{at}/comm"), format!("{name}\n"));
        self.file(&format!("{at}/environ"), "PATH=/usr/bin\0LC_ALL=C\0");
        self.file(&format!("{at}/maps"), "7f00-7f01 r-xp 00000000 fd:00 1 /usr/lib/x86_64-linux-gnu/libc.so.6\n");
        self.file(&format!("{at}/cgroup"), "0::/system.slice/mailward.service\n");
        self.file(&format!("{at}/attr/current"), "/usr/local/bin/mailward (enforce)\n");
        self.file(
            &format!("{at}/limits"),
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max data size             unlimited            unlimited            bytes     \n\
             Max core file size        0                    0                    bytes     \n\
             Max open files            8192                 8192                 files     \n\
             Max address space         536870912            536870912            bytes     \n",
        );
        self.directory(&format!("{at}/fd"));
        self.link(&format!("{at}/fd/0"), "/dev/null");
        self.link(&format!("{at}/exe"), "/usr/local/bin/mailward");
    }

    /// A socket that listens, held by a process.
    pub(crate) fn socket(&mut self, file: &str, address: [u8; 4], port: u16, inode: u32, pid: u32) {
        let (state, ip) = (if file.starts_with("tcp") { "0A" } else { "07" }, u32::from_ne_bytes(address));
        self.add(
            &format!("/proc/net/{file}"),
            &format!("   0: {ip:08X}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000   998        0 {inode} 1 0\n"),
        );
        self.link(&format!("/proc/{pid}/fd/{inode}"), &format!("socket:[{inode}]"));
    }

    pub(crate) fn scene(&self) -> Scene {
        let Spoken { programs, state, doors, machine, running, spaces, statements } = self.said.clone();
        let host = Host::at(self.root.path(), running, Box::new(programs)).with_spaces(spaces);
        Scene { doors, state, machine, statements, ..Scene::of(host, Timestamp::from_secs(NOW)) }
    }

    /// What one control finds.
    pub(crate) fn finds(&self, id: &str) -> Finding {
        look(&self.scene(), id)
    }
}

pub(crate) fn look(scene: &Scene, id: &str) -> Finding {
    match find(id).unwrap_or_else(|| panic!("there is no {id}")).check {
        Check::Look(look) => look(scene),
        other => panic!("{id} isn't looked at: {other:?}"),
    }
}

/// A public key as `authorized_keys` has it.
pub(crate) fn key(kind: &str, fields: &[&[u8]], comment: &str) -> String {
    let mut blob = Vec::new();
    for field in [&[kind.as_bytes()], fields].concat() {
        blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        blob.extend(field);
    }
    format!("{kind} {} {comment}\n", base64::engine::general_purpose::STANDARD.encode(blob))
}

pub(crate) fn rsa(bytes: usize, comment: &str) -> String {
    let mut modulus = vec![0_u8];
    modulus.extend(vec![0xff; bytes]);
    key("ssh-rsa", &[&[1, 0, 1], &modulus], comment)
}

pub(crate) const SYSCTL: [(&str, &str); 25] = [
    ("net/ipv4/conf/all/rp_filter", "1"),
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_source_route", "0"),
    ("net/ipv4/conf/all/log_martians", "1"),
    ("net/ipv4/tcp_syncookies", "1"),
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/icmp_echo_ignore_broadcasts", "1"),
    ("net/ipv6/conf/all/accept_redirects", "0"),
    ("net/ipv6/conf/default/accept_redirects", "0"),
    ("net/ipv6/conf/all/accept_source_route", "0"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/yama/ptrace_scope", "2"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/randomize_va_space", "2"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_symlinks", "1"),
    ("fs/protected_fifos", "1"),
    ("fs/protected_regular", "2"),
    ("fs/suid_dumpable", "0"),
    ("kernel/osrelease", "6.1.0-30-amd64"),
    ("kernel/cap_last_cap", "40"),
];

pub(crate) const RULES: &str = r#"{"nftables":[{"metainfo":{"version":"1.0.6"}},{"table":{"family":"inet","name":"host"}},
{"chain":{"family":"inet","table":"host","name":"in","type":"filter","hook":"input","prio":0,"policy":"drop"}},
{"rule":{"family":"inet","table":"host","chain":"in","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[25,993]}}},{"accept":null}]}},
{"chain":{"family":"inet","table":"host","name":"out","type":"filter","hook":"output","prio":0,"policy":"accept"}},
{"rule":{"family":"inet","table":"host","chain":"out","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":25}},{"match":{"op":"!=","left":{"meta":{"key":"skuid"}},"right":"mailward"}},{"reject":null}]}}]}"#;

const MOUNTS: &str = "\
20 1 253:0 / / rw,relatime - ext4 /dev/mapper/root rw
21 20 253:1 / /var/lib/mailward rw,nodev,nosuid,noexec - ext4 /dev/mapper/mail rw
22 20 253:2 / /var/log rw,nodev - ext4 /dev/mapper/log rw
23 22 253:3 / /var/log/audit rw,nodev - ext4 /dev/mapper/audit rw
24 20 0:30 / /tmp rw,nodev,nosuid,noexec - tmpfs tmpfs rw
25 20 253:5 / /var/tmp rw,nodev,nosuid,noexec - ext4 /dev/mapper/vartmp rw
26 20 253:6 / /var/lib/aide ro,nodev - ext4 /dev/mapper/aide ro
";

const UNIT: &str = "LoadState=loaded\nUMask=0077\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\n\
MemoryDenyWriteExecute=yes\nRestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\nMemoryMax=2147483648\nTasksMax=512\nLimitNOFILE=8192\n\
SystemCallFilter=read write execve\nNoExecPaths=/\nExecPaths=/usr/local/bin/mailward /usr/lib /lib\nEnvironment=LANG=C\n";

/// A file of the journal that begins so many days ago.
pub(crate) fn journal(days: i64) -> String {
    let micros = (NOW - days * 86_400) * 1_000_000;
    format!("/var/log/journal/9a3c/system@9a3c0bb2b2f94bb5-0000000000000001-{micros:016x}.journal")
}

/// Everything as it should be, on a machine of one's own.
pub(crate) fn good() -> Made {
    let said = Spoken {
        programs: BTreeMap::new(),
        state: Some(State {
            pid: Some(700),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            domains: vec!["example.org".to_owned()],
            accounts: Some([("bob@example.org".to_owned(), true)].into()),
            ..State::default()
        }),
        doors: [(Protocol::Smtp, 25), (Protocol::Imaps, 993)]
            .map(|(protocol, port)| Door {
                protocol,
                address: ([192, 0, 2, 10], port).into(),
                name: "mx.example.org".to_owned(),
            })
            .to_vec(),
        machine: Some(Machine::Metal),
        running: true,
        spaces: ["/var/log", DATA].map(|path| (path.to_owned(), Space { bytes_free: 40, files_free: 90 })).into(),
        statements: Statements([("BKP-05".to_owned(), yes())].into()),
    };
    let (root, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut made = Made { root, before, undo: Vec::new(), said };
    fs::set_permissions(made.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    people(&mut made);
    kernel(&mut made);
    hardware(&mut made);
    services(&mut made);
    packages(&mut made);
    server(&mut made);
    made
}

fn yes() -> Statement {
    let at = Timestamp::from_secs(NOW - 86_400);
    Statement { share: Some(100), says: "yes".to_owned(), who: "Ada".to_owned(), at, until: None, file: None }
}

fn people(made: &mut Made) {
    let mut passwd = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nsync:x:4:65534:sync:/bin:/bin/sync\n\
        sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nmailward:x:998:998::/var/lib/mailward:/usr/sbin/nologin\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n"
        .to_owned();
    let mut group = "root:x:0:\nadm:x:4:\nmailward:x:998:\nada:x:1000:\nnogroup:x:65534:\n".to_owned();
    // Whoever runs this owns the files.
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    if ![0, 1, 4, 100, 998, 1000].contains(&uid) {
        passwd += &format!("tester:x:{uid}:{gid}::/:/usr/sbin/nologin\n");
    }
    group += &format!("testers:x:{gid}:\n");
    made.file("/etc/passwd", passwd);
    made.file("/etc/group", group);
    let today = NOW / 86_400;
    made.file(
        "/etc/shadow",
        format!("root:$y$j9T$secret$hash:{today}:0:99999:7:::\ndaemon:*:{today}::::::\nsync:*:{today}::::::\nsshd:!:{today}::::::\nmailward:!:{today}::::::\nada:$6$secret$hash:{today}::::::\n"),
    );
    made.file("/var/log/lastlog", "");
    made.file("/etc/login.defs", "UMASK\t\t027\nUID_MIN\t\t1000\n");
    made.file("/etc/profile", "# nothing\n");
    made.file("/etc/profile.d/timeout.sh", "readonly TMOUT=900; export TMOUT\n");
    made.file(
        "/etc/pam.d/common-auth",
        "auth required pam_faillock.so preauth\nauth [success=1 default=ignore] pam_unix.so nullok\nauth [default=die] pam_faillock.so authfail\n",
    );
    made.file("/etc/security/faillock.conf", "# deny = 3\ndeny = 5\nunlock_time = 900\n");
    made.file("/usr/bin/sudo", "sudo");
    made.mode("/usr/bin/sudo", 0o4755);
    made.file("/etc/sudoers", "Defaults use_pty\nDefaults\tlogfile=\"/var/log/sudo.log\"\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n");
    made.mode("/etc/sudoers", 0o440);
    made.file("/etc/sudoers.d/backup", "backup ALL=(root) NOPASSWD: /usr/bin/backup\n");
    made.mode("/etc/sudoers.d/backup", 0o440);
    made.file("/usr/sbin/sshd", "sshd");
    made.file(
        "/etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\nX11Forwarding no\nBanner /etc/issue.net\n",
    );
    made.file(
        "/etc/ssh/sshd_config.d/10-mail.conf",
        "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxAuthTries 4\nAllowGroups sudo\nAllowAgentForwarding no\n",
    );
    made.file("/etc/issue.net", "For those who work here only.\n");
    made.file(
        "/home/ada/.ssh/authorized_keys",
        key("ssh-ed25519", &[&[7; 32]], "Ada")
            + &format!("from=\"10.0.0.0/8\",command=\"echo x y\" {}", rsa(384, "Ada's old machine")),
    );
    made.directory("/root");
}

fn kernel(made: &mut Made) {
    for (key, value) in SYSCTL {
        made.file(&format!("/proc/sys/{key}"), format!("{value}\n"));
    }
    made.file("/proc/self/mountinfo", MOUNTS);
    for number in 0..=6 {
        made.file(&format!("/sys/dev/block/253:{number}/dm/uuid"), "CRYPT-LUKS2-0123-mail\n");
    }
    made.file("/sys/class/block/dm-4/dm/uuid", "CRYPT-PLAIN-swap\n");
    made.file(
        "/proc/swaps",
        "Filename\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-4               partition\t1000\t0\t-2\n",
    );
    made.file("/proc/modules", "ext4 983040 2 - Live 0x0000000000000000\n");
    made.file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", [6, 0, 0, 0, 1]);
    made.file("/boot/grub/grub.cfg", "set superusers=\"root\"\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.00\n");
    made.mode("/boot/grub/grub.cfg", 0o600);
    made.file("/boot/vmlinuz-6.1.0-30-amd64", "");
    made.file("/boot/vmlinuz-6.1.0-9-amd64", "");
    made.file("/sys/class/net/eth0/flags", "0x1003\n");
    made.file("/sys/class/net/lo/flags", "0x9\n");
    made.file("/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n");
    made.file("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: Enhanced IBRS\n");
    made.says(Program::NftRuleset, RULES);
}

fn hardware(made: &mut Made) {
    for (name, value) in [
        ("intrusion0_alarm", "0"),
        ("temp1_input", "40000"),
        ("temp1_crit", "100000"),
        ("fan1_input", "1200"),
        ("fan1_min", "300"),
    ] {
        made.file(&format!("/sys/class/hwmon/hwmon0/{name}"), format!("{value}\n"));
    }
    made.says(Program::ApcUps, "STATUS   : ONLINE \nTIMELEFT : 46.0 Minutes\n");
    made.file("/proc/mdstat", "Personalities : [raid1]\nmd0 : active raid1 sda1[0] sdb1[1]\n      1046528 blocks super 1.2 [2/2] [UU]\n\nunused devices: <none>\n");
    made.directory("/sys/block/sda");
    made.directory("/sys/block/dm-0");
    made.says(Program::DriveHealth(Drive::named("sda").unwrap()), r#"{"smart_status":{"passed":true}}"#);
    made.says(
        Program::ManagementAddress,
        "IP Address Source       : Static Address\nIP Address              : 10.0.9.1\n",
    );
    made.directory("/sys/class/tpm/tpm0");
    made.file("/etc/crypttab", "# disks\nmail UUID=1 none luks,tpm2-device=auto\nswap /dev/sda3 /dev/urandom swap\n");
    made.file(
        "/usr/lib/systemd/system/rescue.service",
        "[Service]\nExecStart=-/lib/systemd/systemd-sulogin-shell rescue\n",
    );
    made.file(
        "/usr/lib/systemd/system/emergency.service",
        "[Service]\nExecStart=-/lib/systemd/systemd-sulogin-shell emergency\n",
    );
    made.file("/etc/modprobe.d/no-disks.conf", "install usb-storage /bin/false\ninstall firewire_sbp2 /bin/true\n");
    made.link("/etc/systemd/system/ctrl-alt-del.target", "/dev/null");
}

fn services(made: &mut Made) {
    made.says(Program::EnabledUnits, "mailward.service enabled enabled\nssh.service enabled enabled\n");
    made.file("/etc/mailward/audit/units", "mailward.service # the mail\nssh.service\n");
    made.says(
        Program::ChronyTracking,
        "Reference ID    : C0000201\nSystem time     : 0.000012 seconds slow of NTP time\nLeap status     : Normal\n",
    );
    made.says(Program::ChronySources, "^,*,192.0.2.1,2\n^,+,192.0.2.2,2\n^,-,192.0.2.3,2\n^,?,192.0.2.4,0\n");
    made.file("/usr/sbin/auditd", "");
    made.says(
        Program::AuditRules,
        "-w /etc/mailward -p wa -k mail\n-w /var/lib/mailward/keys -p wa\n-w /usr/local/bin/mailward -p wa\n-w /etc/sudoers -p wa\n-a always,exit -F path=/etc/passwd -F perm=wa\n",
    );
    made.file("/usr/lib/systemd/systemd-journald", "");
    made.file("/etc/systemd/journald.conf", "[Journal]\n#Storage=auto\n");
    made.file("/etc/systemd/journald.conf.d/keep.conf", "[Journal]\nStorage=persistent\n");
    let journal = journal(60);
    made.file(&journal, "");
    made.mode(&journal, 0o640);
    made.file("/etc/machine-id", "9a3c0bb2b2f94bb59e8c8e1b6e0a51d4\n");
    made.aged("/etc/machine-id", 400 * 24);
    made.file(
        "/etc/rsyslog.d/ship.conf",
        "action(type=\"omfwd\" target=\"log.example.org\" port=\"6514\" protocol=\"tcp\"\n  StreamDriver=\"gtls\" StreamDriverMode=\"1\")\n",
    );
    made.directory("/var/log/audit");
    for log in ["/var/log/mail.log", "/var/log/rkhunter.log", "/var/log/aide/aide.log"] {
        made.file(log, "");
        made.mode(log, 0o640);
    }
    made.file("/usr/bin/aide", "");
    made.file("/var/lib/aide/aide.db", "");
    made.file("/usr/sbin/logrotate", "");
    made.file("/var/lib/logrotate/status", "logrotate state -- version 2\n");
    made.directory("/run");
    for place in ["/tmp", "/var/tmp"] {
        made.directory(place);
        made.mode(place, 0o1777);
    }
}

fn packages(made: &mut Made) {
    made.file("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n");
    made.file(
        "/var/lib/dpkg/status",
        "Package: coreutils\nStatus: install ok installed\nArchitecture: amd64\nVersion: 9.1-1\nDescription: tools\n of many kinds\n\n\
         Package: unattended-upgrades\nStatus: install ok installed\nArchitecture: all\nVersion: 2.9.1\n\n\
         Package: telnetd\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 0.17\n\n\
         Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.15-1~deb12u10\n",
    );
    made.file(
        "/var/lib/apt/lists/security.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages",
        "Package: libssl3\nArchitecture: amd64\nVersion: 3.0.15-1~deb12u9\n\nPackage: libssl3\nArchitecture: amd64\nVersion: 3.0.15-1~deb12u10\n",
    );
    made.file(
        "/etc/apt/sources.list.d/debian.sources",
        "# from the installer\nTypes: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
         Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\nComponents: main\n",
    );
    made.file(
        "/etc/apt/apt.conf.d/20auto-upgrades",
        "// written by hand\nAPT::Periodic::Update-Package-Lists \"1\";\nAPT { Periodic { Unattended-Upgrade \"1\"; }; };\n",
    );
    made.file("/var/lib/apt/periodic/update-success-stamp", "");
    made.file("/var/lib/apt/periodic/unattended-upgrades-stamp", "");
    made.says(Program::FirmwareUpdates, "{\"Devices\":[]}\n");
    made.file("/var/lib/fwupd/metadata/lvfs/firmware.xml.gz", "");
    made.file("/usr/bin/ls", "ls");
    // MD5 of `ls`.
    made.file("/var/lib/dpkg/info/coreutils.md5sums", "44ba5ca65651b4f36f1927576dd35436  usr/bin/ls\n");
    made.file("/var/lib/dpkg/info/coreutils.list", "/.\n/usr\n/usr/bin\n/usr/bin/ls\n");
    made.file("/var/lib/dpkg/info/sudo.list", "/usr/bin/sudo\n");
}

fn server(made: &mut Made) {
    made.file("/usr/local/bin/mailward", "the program");
    made.mode("/usr/local/bin/mailward", 0o755);
    let hash: String = digest(&SHA256, b"the program").as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    made.file("/etc/mailward/audit/program", format!("{hash}  /usr/local/bin/mailward\n"));
    made.file("/etc/mailward/mailward.toml", "name = \"mx.example.org\"\n");
    for file in ["mailward.db", "packs/00000001.pack", "keys/tls.pem"] {
        made.file(&format!("{DATA}/{file}"), "x");
        made.mode(&format!("{DATA}/{file}"), 0o600);
    }
    made.mode(DATA, 0o700);
    made.process(1, 0, "systemd", &["/sbin/init"], 0);
    made.process(300, 1, "sshd", &["sshd: /usr/sbin/sshd"], 0);
    made.process(700, 1, "mailward", &["/usr/local/bin/mailward", "serve"], 998);
    made.process(701, 700, "mailward", &["mailward", "scanner"], 997);
    made.process(702, 700, "mailward", &["mailward", "supervise"], 998);
    // Roles that a server may have.
    made.process(703, 700, "mailward", &["mailward", "vault"], 996);
    made.process(704, 700, "mailward", &["mailward", "egress"], 995);
    made.process(310, 1, "rsyslogd", &["/usr/sbin/rsyslogd", "-n"], 0);
    made.edit("/proc/700/status", "CapEff:\t0000000000000000", "CapEff:\t0000000000000400");
    made.file(
        "/proc/700/mountinfo",
        "90 1 253:0 / / ro,noexec,relatime - ext4 /dev/mapper/root rw\n\
         95 90 0:31 / /dev/shm rw,relatime - tmpfs tmpfs rw\n\
         96 95 0:32 / /dev/shm rw,noexec,relatime - tmpfs tmpfs rw\n\
         91 90 253:0 /usr/lib /usr/lib ro,relatime - ext4 /dev/mapper/root rw\n\
         92 90 253:0 /usr/local/bin/mailward /usr/local/bin/mailward ro,relatime - ext4 /dev/mapper/root rw\n\
         93 90 253:0 /usr/bin/systemctl /usr/bin/systemctl ro,relatime - ext4 /dev/mapper/root rw\n",
    );
    for file in ["tcp", "udp"] {
        made.file(
            &format!("/proc/net/{file}"),
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
        );
    }
    made.socket("tcp", [192, 0, 2, 10], 25, 501, 700);
    made.socket("tcp", [192, 0, 2, 10], 993, 502, 700);
    made.socket("tcp", [10, 0, 0, 5], 22, 503, 300);
    made.socket("tcp", [127, 0, 0, 1], 6010, 504, 300);
    made.socket("udp", [0, 0, 0, 0], 68, 505, 1);
    // 10.0.0.5 to 192.0.2.99, port 6514.
    made.add(
        "/proc/net/tcp",
        "   5: 0500000A:C000 630200C0:1972 01 00000000:00000000 00:00000000 00000000     0        0 506 1 0\n",
    );
    made.link("/proc/310/fd/5", "socket:[506]");
    made.file("/sys/fs/cgroup/system.slice/mailward.service/memory.max", "2147483648\n");
    made.file("/sys/fs/cgroup/system.slice/mailward.service/pids.max", "max\n");
    made.file("/sys/fs/cgroup/system.slice/pids.max", "512\n");
    made.says(Program::OurUnit, UNIT);
    made.says(Program::OurExposure, "  NAME DESCRIPTION\n→ Overall exposure level for mailward.service: 1.8 OK :-)\n");
}
