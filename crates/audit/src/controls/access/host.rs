//! Who may do what on the host.

use super::ssh;
use crate::area::Area;
use crate::control::{Check, Control};
use crate::controls::network::{Wanted, kernel};
use crate::finding::Finding;
use crate::host::reading::{
    Answer, Demands, accounts, base, login_settings, named, processes, scheme, shadow, sshd, sudo, tell,
};
use crate::host::{Host, Missed};
use crate::scene::Scene;
use std::collections::BTreeMap;

const ACCESS: Control = base(Area::Access);

pub(in crate::controls) const HOST: &[Control] = &[
    ssh::LOGIN,
    Control {
        id: "OSA-02",
        weight: 10,
        question: "Is root the only one with root's number, and has everybody a number of their own?",
        why: "A second account with number 0 is a second root, with a password that nobody thinks of; it is a common way to come back.",
        verified: "/etc/passwd.",
        mend: "usermod -u NUMBER NAME for each that is named, or userdel NAME.",
        source: "Lynis AUTH-9204, AUTH-9208",
        check: Check::Look(|scene| tell(numbers_are_single(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-03",
        weight: 10,
        question: "Are all passwords of the host kept as yescrypt or SHA-512?",
        why: "An empty password is none; older forms are guessed by the billion a second from a stolen file.",
        verified: "The prefixes in /etc/shadow; the hashes themselves are never shown.",
        mend: "passwd NAME for each that is named, or lock it: passwd -l NAME.",
        source: "Lynis AUTH-9229, AUTH-9283",
        check: Check::Look(|scene| tell(passwords_are_kept_well(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-04",
        question: "Is an account of the host locked for a while after five wrong passwords?",
        why: "Otherwise passwords are tried without end.",
        verified: "pam_faillock before and after pam_unix in PAM's files, and its deny, fail_interval and unlock_time.",
        mend: "Set `deny = 5` in /etc/security/faillock.conf and add pam_faillock to /etc/pam.d/common-auth as faillock(8) shows.",
        source: "SCAP Security Guide for Debian, Set Lockouts for Failed Password Attempts",
        check: Check::Look(|scene| tell(accounts_lock(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-05",
        question: "Does sudo ask for a password, and write down what was done?",
        why: "With NOPASSWD whoever has a user's session has root's; without a log nobody knows who did what.",
        verified: "/etc/sudoers and what it includes: nobody has everything without a password, use_pty, a log; only root writes them.",
        mend: "With visudo: remove NOPASSWD; add `Defaults use_pty` and `Defaults logfile=\"/var/log/sudo.log\"`; chmod 440 the files.",
        source: "Lynis AUTH-9250, AUTH-9252",
        check: Check::Look(|scene| tell(sudo_asks(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-06",
        question: "Can nobody log in as one of the system's own accounts?",
        why: "They own programs and their files; nobody would notice somebody who works as one of them.",
        verified: "/etc/passwd and /etc/shadow: those below UID_MIN have no shell and no password.",
        mend: "usermod -s /usr/sbin/nologin -L NAME for each that is named.",
        source: "Lynis AUTH-9218, AUTH-9284",
        check: Check::Look(|scene| tell(system_accounts_are_shut(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-07",
        question: "Are mail users no users of the host?",
        why: "A stolen mail password would open a shell on the server.",
        verified: "The server's accounts against those of /etc/passwd that have a shell.",
        mend: "userdel NAME, or usermod -s /usr/sbin/nologin NAME, for each that is named and doesn't administer the host.",
        source: "NIST SP 800-45, securing the operating system and the mail server",
        check: Check::Look(|scene| tell(mail_users_are_virtual(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-08",
        weight: 2,
        question: "Are new files closed to others (umask 027 or stricter)?",
        why: "What somebody copies or unpacks on the server could be read by every program on it.",
        verified: "UMASK in /etc/login.defs, umask in /etc/profile and what it reads, umask= of pam_umask.",
        mend: "Set `UMASK 027` in /etc/login.defs, and have `session optional pam_umask.so` in /etc/pam.d/common-session.",
        source: "Lynis AUTH-9328",
        check: Check::Look(|scene| tell(files_are_born_closed(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-09",
        weight: 10,
        question: "Does the kernel confine the mail server (AppArmor or SELinux)?",
        why: "If a fault in it is used, this decides whether its mail is lost, or the host.",
        verified: "/proc/PID/attr/current of the server's processes: a profile that is enforced.",
        mend: "Write a profile for the program into /etc/apparmor.d (aa-easyprof begins one), and: aa-enforce PROGRAM.",
        source: "Lynis MACF-6208, MACF-6234, MACF-6290",
        check: Check::Look(|scene| tell(we_are_confined(scene))),
        ..ACCESS
    },
    Control {
        id: "OSA-10",
        question: "Does the kernel keep what attackers need to itself?",
        why: "These settings turn many faults that would make somebody root into crashes.",
        verified: "/proc/sys/kernel and /proc/sys/fs; of a host that doesn't run, what sysctl's files set.",
        mend: "Write the lines that are named, as `kernel.kptr_restrict = 2`, into /etc/sysctl.d/60-kernel.conf; sysctl --system.",
        source: "Lynis KRNL-6000, KRNL-5820",
        check: Check::Look(kernel_is_hardened),
        ..ACCESS
    },
    Control {
        id: "OSA-16",
        weight: 2,
        question: "Is no account of the host open that wasn't used for 90 days?",
        why: "Nobody notices when a forgotten account is used by somebody else.",
        verified: "/var/log/lastlog for accounts with a shell and a password.",
        mend: "usermod -L -e 1 NAME for each that is named.",
        source: "Lynis AUTH-9282, AUTH-9286",
        check: Check::Look(|scene| tell(unused_accounts_are_shut(scene))),
        ..ACCESS
    },
    ssh::KEYS,
    Control {
        id: "OSA-18",
        weight: 2,
        question: "Do shells close after a while, and are people told whose host this is?",
        why: "An open session on an unwatched screen is everybody's; a notice is what courts ask for.",
        verified: "TMOUT in /etc/profile and /etc/profile.d; a notice that doesn't name the system: ssh's Banner, else /etc/issue.",
        mend: "Write `readonly TMOUT=900; export TMOUT` into /etc/profile.d/timeout.sh, a notice into /etc/issue.net, and `Banner /etc/issue.net` into sshd_config.",
        source: "Lynis, tests of banners",
        check: Check::Look(|scene| tell(shells_close(scene))),
        ..ACCESS
    },
];

fn numbers_are_single(scene: &Scene) -> Answer {
    let accounts = accounts(&scene.host)?;
    let mut by_number: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for account in &accounts {
        by_number.entry(account.uid).or_default().push(&account.name);
    }
    let mut demands = Demands::default();
    demands.ask(by_number.contains_key(&0), "nobody is root");
    let shared: Vec<String> = by_number
        .iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|(uid, names)| format!("{uid}: {}", names.join(", ")))
        .collect();
    demands.ask(shared.is_empty(), format!("a number for more than one: {}", named(&shared)));
    let list: String = accounts.iter().map(|account| format!("{} {}\n", account.name, account.uid)).collect();
    demands.show("/etc/passwd, names and numbers", list);
    Ok(demands.finding_of_all("root is the only one with number 0, and every number is one account's"))
}

fn passwords_are_kept_well(scene: &Scene) -> Answer {
    let shadow = shadow(&scene.host)?;
    if shadow.is_empty() {
        return Err(Missed::Odd("/etc/shadow".to_owned(), "it is empty".to_owned()));
    }
    let mut demands = Demands::default();
    let mut list = String::new();
    for (name, (field, _)) in &shadow {
        let scheme = scheme(field);
        let is_good = ["locked", "yescrypt", "SHA-512"].contains(&scheme);
        demands.ask(is_good, format!("{name}: {scheme}"));
        list.push_str(&format!("{name}: {scheme}\n"));
    }
    for account in accounts(&scene.host)? {
        // A hash here is for everybody to read; an empty field is no password.
        let is_elsewhere = account.password == "x" || account.password.starts_with(['*', '!']);
        demands.ask(is_elsewhere, format!("{}: its password isn't in /etc/shadow", account.name));
    }
    demands.show("/etc/shadow, schemes only", list);
    Ok(demands.finding_of_all("every password is kept as yescrypt or SHA-512, or locked"))
}

/// Most wrong passwords, least seconds within which they count, and least seconds of a lock.
const LOCK: (u64, u64, u64) = (5, 900, 600);

fn accounts_lock(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut lines = Vec::new();
    let mut read = Vec::new();
    for file in ["/etc/pam.d/common-auth", "/etc/pam.d/system-auth", "/etc/pam.d/password-auth"] {
        if let Some(text) = host.text_if_there(file)? {
            let faillock = |line: &&str| !line.starts_with('#') && line.contains("pam_faillock.so");
            lines.extend(text.lines().map(str::trim).filter(faillock).map(str::to_owned));
            read.push(file);
        }
    }
    if read.is_empty() {
        return Err(Missed::Absent("/etc/pam.d/common-auth".to_owned()));
    }
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let text = host.text_if_there("/etc/security/faillock.conf")?.unwrap_or_default();
    for line in
        text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|line| !line.is_empty())
    {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        settings.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    // Words in PAM's file count more than the file's (pam_faillock(8)).
    for word in lines.iter().flat_map(|line| line.split_whitespace()) {
        if let Some((key, value)) = word.split_once('=') {
            settings.insert(key.to_owned(), value.to_owned());
        }
    }
    let number = |key: &str, usual: u64| settings.get(key).map_or(Some(usual), |value| value.parse::<u64>().ok());
    let mut demands = Demands::default();
    let has = |word: &str| lines.iter().any(|line| line.split_whitespace().any(|one| one == word));
    if !has("preauth") && !has("authfail") {
        return Ok(Finding::fail("wrong passwords are counted by nobody: pam_faillock isn't in PAM's files")
            .showing(read.join(", "), lines.join("\n")));
    }
    let (most, within, lock) = LOCK;
    demands.ask(number("deny", 3).is_some_and(|deny| (1..=most).contains(&deny)), format!("deny isn't 1 to {most}"));
    demands.ask(
        number("fail_interval", 900).is_some_and(|secs| secs >= within),
        format!("fail_interval is below {within}"),
    );
    // 0 is until somebody opens it.
    demands.ask(
        number("unlock_time", 600).is_some_and(|secs| secs == 0 || secs >= lock),
        format!("unlock_time is below {lock}"),
    );
    demands.ask(!settings.contains_key("no_log_info"), "no_log_info: a lock isn't written down");
    demands.show(read.join(", "), lines.join("\n"));
    demands.show("/etc/security/faillock.conf", text);
    Ok(demands.finding("an account is locked after at most five wrong passwords"))
}

fn sudo_asks(scene: &Scene) -> Answer {
    let host = &scene.host;
    let Some(sudo) = sudo::settings(host)? else {
        return Ok(Finding::not_applicable("sudo isn't installed"));
    };
    let mut demands = Demands::default();
    demands.ask(sudo.free.is_empty(), format!("everything without a password: {}", named(&sudo.free)));
    demands.ask(sudo.says("use_pty"), "use_pty isn't set");
    demands.ask(sudo.says("logfile") || sudo.says("log_output"), "neither logfile nor log_output is set");
    let mut open = Vec::new();
    for file in &sudo.files {
        let stat = host.stat(file)?;
        if stat.mode & 0o337 != 0 || stat.uid != host.root()? {
            open.push(format!("{file} has mode {:04o} and owner {}", stat.mode, stat.uid));
        }
    }
    demands.ask(open.is_empty(), named(&open));
    demands.show("sudoers: Defaults", sudo.defaults.join(" "));
    demands.show("sudoers: files", sudo.files.join("\n"));
    let is_free = !sudo.free.is_empty();
    let finding = demands.finding("sudo asks, and writes down");
    Ok(if is_free { Finding { verdict: crate::Verdict::Fail, ..finding } } else { finding })
}

fn system_accounts_are_shut(scene: &Scene) -> Answer {
    let host = &scene.host;
    let least = login_settings(host, "UID_MIN")?.and_then(|value| value.parse().ok()).unwrap_or(1000_u32);
    let system: Vec<_> =
        accounts(host)?.into_iter().filter(|account| account.uid != 0 && account.uid < least).collect();
    let with_shell: Vec<String> = system
        .iter()
        .filter(|account| account.has_shell())
        .map(|account| format!("{} has {}", account.name, account.shell))
        .collect();
    let list: String = system.iter().map(|account| format!("{} {}\n", account.name, account.shell)).collect();
    if !with_shell.is_empty() {
        return Ok(Finding::fail(named(&with_shell)).showing("/etc/passwd, accounts of the system", list));
    }
    let shadow = shadow(host)?;
    let open =
        system.iter().filter(|account| shadow.get(&account.name).is_some_and(|(field, _)| scheme(field) != "locked"));
    let open: Vec<String> = open.map(|account| format!("{} isn't locked", account.name)).collect();
    let finding = if open.is_empty() {
        Finding::pass(format!("none of {} accounts of the system can log in", system.len()))
    } else {
        Finding::fail(named(&open))
    };
    Ok(finding.showing("/etc/passwd, accounts of the system", list))
}

fn mail_users_are_virtual(scene: &Scene) -> Answer {
    let state = scene.state()?;
    let users = state
        .accounts
        .as_ref()
        .ok_or_else(|| Missed::NotReached("the server doesn't say which accounts it has".to_owned()))?;
    let both: Vec<String> = accounts(&scene.host)?
        .into_iter()
        .filter(|account| account.uid != 0 && account.has_shell())
        .filter(|account| users.keys().any(|user| user.split('@').next() == Some(&account.name)))
        .map(|account| format!("{} has a mailbox, and the shell {}", account.name, account.shell))
        .collect();
    let counted = format!("{} mail accounts", users.len());
    let finding = if both.is_empty() {
        Finding::pass("no mail user has a shell on the host")
    } else {
        Finding::fail(named(&both))
    };
    Ok(finding.showing("accounts of the server against /etc/passwd", counted))
}

fn files_are_born_closed(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let mut take = |from: &str, value: &str| {
        let is_closed = u32::from_str_radix(value, 8).is_ok_and(|mask| mask & 0o027 == 0o027);
        demands.ask(is_closed, format!("{from}: umask {value}"));
        demands.show(from, value);
    };
    if let Some(value) = login_settings(host, "UMASK")? {
        take("/etc/login.defs", &value);
    }
    for file in profiles(host)? {
        for line in host.text_if_there(&file)?.unwrap_or_default().lines() {
            if let Some(value) = line.trim().strip_prefix("umask ") {
                take(&file, value.trim());
            }
        }
    }
    let session = host.text_if_there("/etc/pam.d/common-session")?.unwrap_or_default();
    for word in session.lines().filter(|line| line.contains("pam_umask")).flat_map(str::split_whitespace) {
        if let Some(value) = word.strip_prefix("umask=") {
            take("/etc/pam.d/common-session", value);
        }
    }
    if demands.is_empty() {
        return Ok(Finding::fail("nothing sets a umask, so the kernel's 022 is in force")
            .showing("/etc/login.defs", "no UMASK"));
    }
    Ok(demands.finding_of_all("new files are closed to others"))
}

fn we_are_confined(scene: &Scene) -> Answer {
    let host = &scene.host;
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    let family = processes::family(host, pid)?;
    let enforcing = host.text_if_there("/sys/fs/selinux/enforce")?.is_some_and(|text| text.trim() == "1");
    let mut demands = Demands::default();
    for process in &family {
        let path = format!("/proc/{}/attr/current", process.pid);
        // Without such a part of the kernel there is no file, or reading it is refused as senseless.
        let label = match host.live(&path) {
            Ok(label) => label.trim_matches(['\0', '\n', ' ']).to_owned(),
            Err(Missed::Absent(_) | Missed::Odd(..)) => String::new(),
            Err(other) => return Err(other),
        };
        let is_confined =
            label.ends_with("(enforce)") || (enforcing && label.contains(':') && !label.contains("unconfined"));
        let shown = if label.is_empty() { "no label" } else { &label };
        demands.ask(is_confined, format!("{} isn't confined ({shown})", process.name()));
        demands.show(path, shown);
    }
    Ok(demands.finding("the server's processes are confined"))
}

const HARDENED: [Wanted; 10] = [
    ("kernel.kptr_restrict", &["1", "2"]),
    ("kernel.dmesg_restrict", &["1"]),
    ("kernel.yama.ptrace_scope", &["1", "2", "3"]),
    ("kernel.unprivileged_bpf_disabled", &["1", "2"]),
    ("kernel.randomize_va_space", &["2"]),
    ("fs.protected_hardlinks", &["1"]),
    ("fs.protected_symlinks", &["1"]),
    ("fs.protected_fifos", &["1", "2"]),
    ("fs.protected_regular", &["1", "2"]),
    ("fs.suid_dumpable", &["0"]),
];

fn kernel_is_hardened(scene: &Scene) -> Finding {
    tell(kernel(scene, &HARDENED, "the kernel keeps to itself what attackers need"))
}

const UNUSED_DAYS: i64 = 90;
/// A record of `lastlog`: time, line, host (`struct lastlog` of glibc).
const LASTLOG_RECORD: usize = 292;

fn unused_accounts_are_shut(scene: &Scene) -> Answer {
    let host = &scene.host;
    let shadow = shadow(host)?;
    let log = host.read("/var/log/lastlog")?;
    let now = scene.now.secs();
    let (mut unused, mut list) = (Vec::new(), String::new());
    for account in accounts(host)?.into_iter().filter(crate::host::accounts::Account::has_shell) {
        let Some((field, changed)) = shadow.get(&account.name) else { continue };
        if scheme(field) == "locked" {
            continue;
        }
        let at = usize::try_from(account.uid).unwrap_or(usize::MAX).saturating_mul(LASTLOG_RECORD);
        let record = log.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
        let last = i64::from(record.map_or(0, u32::from_ne_bytes));
        // A new account wasn't used yet.
        let made = changed.unwrap_or(0).saturating_mul(86_400);
        let days = now.saturating_sub(last.max(made)).div_euclid(86_400);
        list.push_str(&format!("{}: {days} days\n", account.name));
        if days > UNUSED_DAYS {
            unused.push(format!("{} for {days} days", account.name));
        }
    }
    let finding = if unused.is_empty() {
        Finding::pass(format!("every open account was used within {UNUSED_DAYS} days"))
    } else {
        Finding::fail(format!("not used: {}", named(&unused)))
    };
    Ok(finding.showing("/var/log/lastlog and /etc/shadow, days since the last use or new password", list))
}

/// The files that a login shell reads.
fn profiles(host: &Host) -> Result<Vec<String>, Missed> {
    let mut files = vec!["/etc/profile".to_owned(), "/etc/bash.bashrc".to_owned(), "/etc/bashrc".to_owned()];
    files.extend(host.files_in("/etc/profile.d", &[".sh"])?);
    Ok(files)
}

/// Most seconds that an unused shell stays open.
const IDLE_SECONDS: u64 = 900;

/// The line that closes unused shells, if there is a good one.
pub(in crate::controls) fn shell_timeout(host: &Host) -> Result<Option<String>, Missed> {
    for file in profiles(host)? {
        for line in host.text_if_there(&file)?.unwrap_or_default().lines().map(str::trim) {
            let words = line.split(|c: char| c.is_whitespace() || c == ';');
            let value = words.filter_map(|word| word.strip_prefix("TMOUT=")).next_back();
            if !line.starts_with('#')
                && value.is_some_and(|v| v.parse().is_ok_and(|secs: u64| (1..=IDLE_SECONDS).contains(&secs)))
            {
                return Ok(Some(format!("{file}: {line}")));
            }
        }
    }
    Ok(None)
}

fn shells_close(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let timeout = shell_timeout(host)?;
    demands.ask(timeout.is_some(), "shells stay open forever: TMOUT isn't set, or to more than 15 minutes");
    demands.show("TMOUT", timeout.unwrap_or_default());
    let banner = match sshd::settings(host)? {
        Some(sshd) => sshd.get("banner", "none").to_owned(),
        None => "/etc/issue".to_owned(),
    };
    let notice = if banner.starts_with('/') { host.text_if_there(&banner)?.unwrap_or_default() } else { String::new() };
    let tells = ["\\r", "\\v", "\\m", "\\s", "Debian GNU/Linux", "Ubuntu"].iter().any(|word| notice.contains(word));
    if notice.trim().is_empty() {
        demands.ask(false, "nobody is told whose host this is: there is no notice");
    } else {
        demands.ask(!tells, format!("{banner} tells strangers which system this is"));
    }
    demands.show(banner, notice);
    Ok(demands.finding("shells close, and there is a notice"))
}
