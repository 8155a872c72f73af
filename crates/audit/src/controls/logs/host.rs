//! What the host writes down, and whether it stays.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::reading::{
    Answer, Demands, Ini, base, holding, left_to_its_host, mounts, named, processes, tell, units, visit,
};
use crate::host::{Host, Missed, Program};
use crate::scene::Scene;
use mailward_core::limits::AUDIT_WALK_MAX;
use rustix::fs::FileType;

const LOGS: Control = base(Area::Logs);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "LOG-01",
        question: "Does the host keep its log over a restart?",
        why: "After a break-in the first thing that happens is often a restart; what was in memory only is gone then.",
        verified: "journald.conf with Storage=persistent, or auto and /var/log/journal; or rsyslog or syslog-ng, which run where the host does.",
        mend: "mkdir -p /var/log/journal; write `[Journal]` and `Storage=persistent` into /etc/systemd/journald.conf.d/keep.conf; systemctl restart systemd-journald.",
        source: "Lynis LOGG-2130, LOGG-2136, LOGG-2230",
        check: Check::Look(|scene| tell(log_is_kept(scene))),
        ..LOGS
    },
    Control {
        id: "LOG-05",
        question: "Is the clock right, and set by three sources or more?",
        why: "Logs of two hosts can't be put together otherwise; signatures, certificates and one-time codes fail.",
        verified: "chronyc tracking and sources, else timedatectl and timesyncd.conf: synchronised, less than a second off, three sources.",
        mend: "apt-get install chrony; `pool 2.debian.pool.ntp.org iburst` in /etc/chrony/chrony.conf has four.",
        source: "Lynis TIME-3104, TIME-3185; ISO/IEC 27001 Annex A, clock synchronization",
        check: Check::Look(|scene| tell(clock_is_right(scene))),
        ..LOGS
    },
    Control {
        id: "LOG-06",
        question: "Does the kernel write down who changes configuration, keys, program and sudoers?",
        why: "Without it a change is found, if at all, and nobody knows who made it.",
        verified: "auditctl -l, else /etc/audit/rules.d: watches for the configuration, the data directory's keys, the program, /etc/sudoers and /etc/passwd.",
        mend: "apt-get install auditd; write `-w /etc/mailward -p wa -k mail`, and such a line for each path that is named, into /etc/audit/rules.d/mail.rules; augenrules --load.",
        source: "Lynis ACCT-9628, ACCT-9630",
        check: Check::Look(|scene| tell(changes_are_noted(scene))),
        ..LOGS
    },
    Control {
        id: "LOG-13",
        question: "Can only those read the logs who have to?",
        why: "Logs say who writes to whom; that is nobody's business who only runs a program here.",
        verified: "Modes below /var/log: nothing that everybody may read or write, but the records of logins that programs need (wtmp, lastlog).",
        mend: "chmod o-rwx the files that are named; in /etc/logrotate.conf: create 0640 root adm.",
        source: "Lynis LOGG-2170",
        check: Check::Look(|scene| tell(logs_are_closed(scene))),
        ..LOGS
    },
    Control {
        id: "LOG-14",
        weight: 2,
        question: "Have logs a file system of their own, with room left?",
        why: "A log that fills the disk stops the mail; mail that fills the disk stops the log.",
        verified: "/proc/self/mountinfo (of a host that doesn't run, /etc/fstab) for /var/log, and /var/log/audit where auditd writes; a fifth of it free.",
        mend: "Make a file system for /var/log and add it to /etc/fstab; remove old logs.",
        source: "SCAP Security Guide for Debian, partitions",
        check: Check::Look(|scene| tell(logs_have_room(scene))),
        ..LOGS
    },
    Control {
        id: "LOG-17",
        weight: 2,
        question: "Are logs rotated, without a program that writes on into a deleted one?",
        why: "What is written into a deleted file takes room and is read by nobody.",
        verified: "Descriptors of all processes that are deleted files below /var/log; the age of /var/lib/logrotate/status.",
        mend: "Restart the program that is named; systemctl enable --now logrotate.timer.",
        source: "Lynis LOGG-2146, LOGG-2190",
        check: Check::Look(|scene| tell(logs_are_rotated(scene))),
        ..LOGS
    },
];

fn log_is_kept(scene: &Scene) -> Answer {
    if let Some(finding) = left_to_its_host(scene, "its log is kept by its host")? {
        return Ok(finding);
    }
    let host = &scene.host;
    for (program, unit) in [("/usr/sbin/rsyslogd", "rsyslog.service"), ("/usr/sbin/syslog-ng", "syslog-ng.service")] {
        if !host.is_there(program)? {
            continue;
        }
        let runs = if host.is_running() { runs(host, program)? } else { units::enabled(host)?.0.contains(unit) };
        if runs {
            return Ok(Finding::pass(format!("{program} writes the log")).showing(program, unit));
        }
    }
    let journald = ["/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"];
    let mut is_here = false;
    for program in journald {
        is_here |= host.is_there(program)?;
    }
    if !is_here {
        return Ok(Finding::fail("nothing writes a log: neither journald nor a syslog daemon is here")
            .showing("programs", journald.join(", ")));
    }
    let ini =
        Ini::layered(host, &["/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/lib/systemd"], "journald.conf")?;
    let storage = ini.as_ref().and_then(|ini| ini.get("Journal", "Storage")).unwrap_or("auto").to_owned();
    let has_directory = host.is_there("/var/log/journal")?;
    let finding = match (storage.as_str(), has_directory) {
        ("persistent", _) | ("auto", true) => Finding::pass("the journal is kept on disk"),
        ("auto", false) => Finding::fail("the journal is in memory only: /var/log/journal isn't there"),
        _ => Finding::fail(format!("the journal isn't kept: Storage={storage}")),
    };
    Ok(finding.showing("journald.conf", format!("Storage={storage}, /var/log/journal: {has_directory}")))
}

/// Whether a process of this program runs.
fn runs(host: &Host, program: &str) -> Result<bool, Missed> {
    for pid in processes::all(host)? {
        let process = processes::process(host, pid)?;
        if process.is_some_and(|process| {
            process.words.first().is_some_and(|word| word == program || program.ends_with(&format!("/{word}")))
        }) {
            return Ok(true);
        }
    }
    Ok(false)
}

const SOURCES: usize = 3;
const OFFSET_SECONDS: f64 = 1.0;

fn clock_is_right(scene: &Scene) -> Answer {
    if let Some(finding) = left_to_its_host(scene, "the clock is its host's")? {
        return Ok(finding);
    }
    let host = &scene.host;
    let mut demands = Demands::default();
    let sources = match host.ask(Program::ChronyTracking) {
        Ok(said) if said.code == 0 => {
            let text = String::from_utf8_lossy(&said.out).into_owned();
            let tracking = processes::status(&text);
            demands.ask(
                tracking.get("Leap status").is_some_and(|value| value == "Normal"),
                "the clock isn't synchronised",
            );
            let offset =
                tracking.get("System time").and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
            demands.ask(
                offset.is_some_and(|offset| offset.abs() < OFFSET_SECONDS),
                "the clock is off by a second or more",
            );
            demands.show(Program::ChronyTracking.to_string(), text);
            let said = host.ask(Program::ChronySources)?;
            let text = String::from_utf8_lossy(&said.out).into_owned();
            // The second field says how a source is; `?` and `x` are of no use.
            let good = text
                .lines()
                .filter(|line| line.split(',').nth(1).is_some_and(|state| ["*", "+", "-"].contains(&state)))
                .count();
            demands.show(Program::ChronySources.to_string(), text);
            good
        }
        Err(other @ Missed::NotRunning(_)) => return Err(other),
        _ => {
            let said = host.ask(Program::TimeSettings)?;
            let text = String::from_utf8_lossy(&said.out).into_owned();
            demands.ask(text.lines().any(|line| line == "NTPSynchronized=yes"), "the clock isn't synchronised");
            demands.show(Program::TimeSettings.to_string(), text);
            let ini = Ini::layered(
                host,
                &["/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/lib/systemd"],
                "timesyncd.conf",
            )?;
            let servers = ini.as_ref().map(|ini| ini.all("Time", "NTP").join(" ")).unwrap_or_default();
            servers.split_whitespace().count()
        }
    };
    demands.ask(sources >= SOURCES, format!("the clock has {sources} named sources, should have {SOURCES}"));
    Ok(demands.finding("the clock is right"))
}

fn changes_are_noted(scene: &Scene) -> Answer {
    if let Some(finding) = left_to_its_host(scene, "the kernel's audit is its host's")? {
        return Ok(finding);
    }
    let host = &scene.host;
    let (rules, from) = match host.ask(Program::AuditRules) {
        Ok(said) if said.code == 0 => {
            (String::from_utf8_lossy(&said.out).into_owned(), Program::AuditRules.to_string())
        }
        Ok(said) => {
            let why = String::from_utf8_lossy(&said.err).trim().chars().take(200).collect();
            return Err(Missed::Odd(Program::AuditRules.to_string(), why));
        }
        Err(Missed::NoProgram(_) | Missed::NotRunning(_)) if !host.is_there("/usr/sbin/auditd")? => {
            return Ok(Finding::fail("nobody notes changes: auditd isn't installed")
                .showing("/usr/sbin/auditd", "isn't there"));
        }
        Err(Missed::NotRunning(_)) => {
            let mut rules = host.text_if_there("/etc/audit/audit.rules")?.unwrap_or_default();
            for file in host.files_in("/etc/audit/rules.d", &[".rules"])? {
                rules.push('\n');
                rules.push_str(&host.text(&file)?);
            }
            (rules, "/etc/audit/rules.d".to_owned())
        }
        Err(other) => return Err(other),
    };
    let watched: Vec<&str> = rules.lines().filter_map(|line| watched(line.trim())).collect();
    let ours = host.ours_here();
    let mut demands = Demands::default();
    for path in
        [ours.configuration.as_str(), &format!("{}/keys", ours.data), &ours.program, "/etc/sudoers", "/etc/passwd"]
    {
        let is_watched = watched.iter().any(|watched| crate::host::mounts::is_below(path, watched));
        demands.ask(is_watched, format!("changes of {path} aren't noted"));
    }
    demands.show(from, rules);
    Ok(demands.finding("changes of what matters are noted"))
}

/// The path that a rule of auditctl(8) watches for writing.
fn watched(rule: &str) -> Option<&str> {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let after =
        |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at.checked_add(1)?)).copied();
    let rights = after("-p").or_else(|| words.iter().find_map(|word| word.strip_prefix("perm="))).unwrap_or("rwxa");
    let path = after("-w")
        .or_else(|| words.iter().find_map(|word| word.strip_prefix("path=").or_else(|| word.strip_prefix("dir="))));
    path.filter(|_| rights.contains('w'))
}

/// Records of logins that programs of everybody read.
const FOR_EVERYBODY: [&str; 6] = ["wtmp", "lastlog", "faillog", "wtmp.db", "lastlog2.db", "README"];

fn logs_are_closed(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut open = Vec::new();
    let looked_at = visit(host, "/var/log", AUDIT_WALK_MAX, |path, stat| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_theirs = FOR_EVERYBODY.contains(&name) || name.starts_with("wtmp.");
        let forbidden = if is_theirs { 0o002 } else { 0o007 };
        if stat.kind == FileType::RegularFile && stat.mode & forbidden != 0 {
            open.push(format!("{path} has mode {:04o}", stat.mode));
        }
        // What is in a directory that is closed to others is closed.
        stat.mode & 0o001 != 0
    })?;
    open.sort_unstable();
    let finding = if open.is_empty() {
        Finding::pass("nobody reads the logs who doesn't have to")
    } else {
        Finding::fail(format!("everybody may read: {}", named(&open)))
    };
    Ok(finding.showing("/var/log", format!("{looked_at} files, {} of them open", open.len())))
}

const LOG_ROOM: u8 = 20;

fn logs_have_room(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mounts = mounts(host)?;
    let mut demands = Demands::default();
    let mut places = vec!["/var/log"];
    if host.is_there("/usr/sbin/auditd")? {
        places.push("/var/log/audit");
    }
    for place in places {
        let mount = holding(&mounts, place);
        let is_own = mount.is_some_and(|mount| mount.point == place);
        demands.ask(is_own, format!("{place} isn't a file system of its own"));
        demands.show(place, mount.map_or("(not known)", |mount| mount.line.as_str()));
    }
    if host.is_running() {
        let space = host.space("/var/log")?;
        demands
            .ask(space.bytes_free >= LOG_ROOM, format!("{} % of it are free, should be {LOG_ROOM}", space.bytes_free));
        demands.show("room at /var/log", format!("{} % free", space.bytes_free));
    }
    Ok(demands.finding("logs have a file system of their own, with room"))
}

/// logrotate runs daily; a week without is a fault.
const ROTATED_DAYS: i64 = 8;

fn logs_are_rotated(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let (mut held, mut unseen) = (Vec::new(), false);
    for pid in processes::all(host)? {
        let descriptors = match processes::descriptors(host, pid) {
            Err(Missed::NoRight(_)) => {
                unseen = true;
                continue;
            }
            other => other?,
        };
        let deleted =
            descriptors.into_iter().filter(|path| path.starts_with("/var/log/") && path.ends_with(" (deleted)"));
        held.extend(deleted.map(|path| format!("process {pid} writes into {path}")));
    }
    demands.ask(held.is_empty(), named(&held));
    if host.is_there("/usr/sbin/logrotate")? {
        let days = match host.stat("/var/lib/logrotate/status") {
            Ok(stat) => Some(scene.now.secs().saturating_sub(stat.changed).div_euclid(86_400)),
            Err(Missed::Absent(_)) => None,
            Err(other) => return Err(other),
        };
        demands.ask(days.is_some_and(|days| days <= ROTATED_DAYS), "logrotate didn't run within eight days");
        demands.show(
            "/var/lib/logrotate/status",
            days.map_or("isn't there".to_owned(), |days| format!("{days} days old")),
        );
    }
    let finding = demands.finding("logs are rotated");
    if unseen && finding.verdict == crate::Verdict::Pass {
        return Err(Missed::NoRight("what other users' processes hold open".to_owned()));
    }
    Ok(finding)
}
