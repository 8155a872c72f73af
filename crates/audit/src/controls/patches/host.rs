//! What of the host is out of date.

use super::support::{self, Support};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::reading::{
    Answer, Demands, apt, base, hash, left_to_its_host, machine, named, packages, processes, tell, units,
};
use crate::host::{Host, Missed};
use crate::scene::{Machine, Scene};
use mailward_core::limits::AUDIT_HASHED_MAX;
use std::collections::{BTreeMap, BTreeSet};

const PATCHES: Control = base(Area::Patches);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "PAT-01",
        weight: 10,
        question: "Are all security updates of the system installed?",
        why: "What an update mends is public from the same hour; hosts that don't have it are looked for.",
        verified: "/var/lib/dpkg/status against the security archives' lists in /var/lib/apt/lists, by Debian's order of versions; the lists are \
                   at most seven days old. What waits counts at once: nothing on the host says since when.",
        mend: "apt-get update; apt-get upgrade; restart what uses what was updated.",
        source: "Lynis PKGS-7392",
        check: Check::Look(|scene| tell(nothing_waits(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-02",
        question: "Do security updates come from a signed archive, and were they looked for within a day?",
        why: "Updates that nobody asks for don't come; those that aren't signed may be anybody's.",
        verified: "apt's sources name a security archive, none is trusted blindly; apt's settings don't allow unsigned ones; the last update is \
                   at most 24 hours old.",
        mend: "Add `deb http://security.debian.org/debian-security CODENAME-security main` to apt's sources; take out trusted=yes; \
               systemctl enable --now apt-daily.timer.",
        source: "Lynis PKGS-7387, PKGS-7388",
        check: Check::Look(|scene| tell(archive_is_asked(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-03",
        question: "Are security updates installed by themselves?",
        why: "Who has other work installs them a week later; who breaks in doesn't wait.",
        verified: "unattended-upgrades is installed and switched on in apt's settings, its timer isn't masked, its last run is at most 48 \
                   hours ago and without an error.",
        mend: "apt-get install unattended-upgrades; dpkg-reconfigure -plow unattended-upgrades; systemctl unmask apt-daily-upgrade.timer.",
        source: "Lynis PKGS-7420",
        check: Check::Look(|scene| tell(updates_come_by_themselves(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-04",
        question: "Does what runs come from what is installed?",
        why: "An update helps once the program that had the fault is started again; until then the old one runs.",
        verified: "The running kernel against the newest in /boot; libraries in /proc/*/maps that were deleted since.",
        mend: "Restart the programs that are named (needrestart lists them), or the host.",
        source: "Lynis KRNL-5830",
        check: Check::Look(|scene| tell(new_code_runs(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-05",
        weight: 10,
        question: "Does the system's release still get security updates?",
        why: "For one that doesn't, every fault that is found from now on stays open.",
        verified: "/etc/os-release against a table of the ends of support.",
        mend: "Upgrade to the next release, as its release notes say.",
        source: "Lynis, database of ends of life",
        check: Check::Look(|scene| tell(release_is_supported(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-08",
        weight: 2,
        question: "Are the processor's known faults worked around?",
        why: "Through them one program reads another's memory, keys among it.",
        verified: "/sys/devices/system/cpu/vulnerabilities: none says Vulnerable.",
        mend: "apt-get install intel-microcode or amd64-microcode, restart; remove mitigations=off from the kernel's command line.",
        source: "Linux kernel, hardware vulnerabilities",
        check: Check::Look(|scene| tell(processor_is_mended(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-10",
        question: "Are the files of the packages that mail depends on as they were made?",
        why: "A changed `ls` or `sshd` is how somebody who broke in stays.",
        verified: "MD5 of the files of coreutils, login, sudo, openssh-server, libc, systemd, nftables and mailward, against dpkg's records. It shows \
                   what broke and what was changed without care.",
        mend: "apt-get install --reinstall PACKAGE; if nobody of yours changed it, treat the host as broken into.",
        source: "Lynis PKGS-7370",
        check: Check::Look(|scene| tell(packages_are_intact(scene))),
        ..PATCHES
    },
    Control {
        id: "PAT-13",
        weight: 2,
        question: "Was the host restarted within a week of asking for it?",
        why: "A new kernel or libc is in force only after a restart.",
        verified: "/run/reboot-required isn't there, or not older than seven days.",
        mend: "Restart the host.",
        source: "Lynis BOOT-5202",
        check: Check::Look(|scene| tell(restart_is_not_late(scene))),
        ..PATCHES
    },
];

const LISTS_DAYS: i64 = 7;

fn days_since(scene: &Scene, at: i64) -> i64 {
    scene.now.secs().saturating_sub(at).div_euclid(86_400)
}

fn nothing_waits(scene: &Scene) -> Answer {
    let pending = packages::pending(&scene.host)?;
    let days = days_since(scene, pending.looked);
    let finding = if !pending.updates.is_empty() {
        Finding::fail(format!("{} security updates wait: {}", pending.updates.len(), named(&pending.updates)))
    } else if days > LISTS_DAYS {
        return Err(Missed::Odd(
            "/var/lib/apt/lists".to_owned(),
            format!("they are {days} days old; run `apt-get update`"),
        ));
    } else {
        Finding::pass("no security update waits")
    };
    Ok(finding.showing(pending.lists.join(", "), pending.updates.join("\n")))
}

fn archive_is_asked(scene: &Scene) -> Answer {
    let host = &scene.host;
    let sources = apt::sources(host)?;
    if sources.is_empty() && !host.is_there("/etc/apt")? {
        return Err(Missed::Absent("/etc/apt".to_owned()));
    }
    let settings = apt::settings(host)?;
    let mut demands = Demands::default();
    demands.ask(sources.iter().any(apt::Source::is_security), "no source has security updates");
    let blind: Vec<String> = sources.iter().filter(|source| source.trusted_blindly).map(apt::Source::shown).collect();
    demands.ask(blind.is_empty(), format!("trusted without a signature: {}", named(&blind)));
    for key in
        ["apt::get::allowunauthenticated", "acquire::allowinsecurerepositories", "acquire::allowweakrepositories"]
    {
        let is_on = settings.get(key).is_some_and(|value| is_yes(value));
        demands.ask(!is_on, format!("{key} is on"));
    }
    let hours = match packages::last_update(host) {
        Ok(at) => Some(scene.now.secs().saturating_sub(at).div_euclid(3600)),
        Err(Missed::Absent(_)) => None,
        Err(other) => return Err(other),
    };
    demands.ask(hours.is_some_and(|hours| hours <= 24), "updates weren't looked for within a day");
    let list: String = sources.iter().map(|source| source.shown() + "\n").collect();
    demands.show("apt's sources", list);
    demands.show("last update", hours.map_or("never".to_owned(), |hours| format!("{hours} hours ago")));
    Ok(demands.finding("security updates come signed, and were looked for"))
}

/// apt's words for yes.
fn is_yes(value: &str) -> bool {
    ["1", "yes", "true", "with", "on", "enable"].contains(&value.to_ascii_lowercase().as_str())
}

const UNATTENDED: &str = "/var/lib/apt/periodic/unattended-upgrades-stamp";

fn updates_come_by_themselves(scene: &Scene) -> Answer {
    let host = &scene.host;
    let installed = packages::installed(host)?;
    if !installed.iter().any(|package| package.name == "unattended-upgrades") {
        return Ok(Finding::fail("nothing installs updates: unattended-upgrades isn't installed")
            .showing("/var/lib/dpkg/status", format!("{} packages, without it", installed.len())));
    }
    let settings = apt::settings(host)?;
    let mut demands = Demands::default();
    // A number of days, or `always` (apt's script of every day).
    let is_on = |key: &str| {
        settings.get(key).is_some_and(|value| {
            value == "always" || value.trim_end_matches(['s', 'm', 'h', 'd']).parse::<u32>().is_ok_and(|days| days > 0)
        })
    };
    demands.ask(settings.get("apt::periodic::enable").is_none_or(|value| value != "0"), "APT::Periodic::Enable is 0");
    demands.ask(is_on("apt::periodic::update-package-lists"), "APT::Periodic::Update-Package-Lists is off");
    demands.ask(is_on("apt::periodic::unattended-upgrade"), "APT::Periodic::Unattended-Upgrade is off");
    for timer in ["apt-daily.timer", "apt-daily-upgrade.timer"] {
        demands.ask(!units::is_masked(host, timer)?, format!("{timer} is masked"));
    }
    let hours = match host.stat(UNATTENDED) {
        Ok(stat) => Some(scene.now.secs().saturating_sub(stat.changed).div_euclid(3600)),
        Err(Missed::Absent(_)) => None,
        Err(other) => return Err(other),
    };
    demands.ask(hours.is_some_and(|hours| hours <= 48), "it didn't run within 48 hours");
    let log = "/var/log/unattended-upgrades/unattended-upgrades.log";
    if let Some(text) = host.text_if_there(log)? {
        let last_begun = text.rfind("Starting unattended upgrades script").unwrap_or(0);
        let last = text.get(last_begun..).unwrap_or_default();
        demands.ask(!last.lines().any(|line| line.contains(" ERROR ")), "its last run had an error");
        demands.show(log, last);
    }
    let shown: String = settings
        .iter()
        .filter(|(key, _)| key.starts_with("apt::periodic"))
        .map(|(key, value)| format!("{key} {value}\n"))
        .collect();
    demands.show("apt's settings", shown);
    demands.show(UNATTENDED, hours.map_or("isn't there".to_owned(), |hours| format!("{hours} hours ago")));
    Ok(demands.finding("security updates are installed by themselves"))
}

fn new_code_runs(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let is_container = matches!(machine(scene), Ok((Machine::Container, _)));
    let running = host.live("/proc/sys/kernel/osrelease")?.trim().to_owned();
    let kernels = host.list_if_there("/boot")?;
    let newest = kernels.iter().filter_map(|name| name.strip_prefix("vmlinuz-")).max_by(|a, b| packages::order(a, b));
    match newest {
        Some(newest) if !is_container => {
            let is_newest = packages::order(&running, newest).is_ge();
            demands.ask(is_newest, format!("kernel {running} runs, {newest} is installed"));
            demands.show("kernels", format!("running {running}, newest {newest}"));
        }
        // A container's kernel is its host's; a host may be started from elsewhere.
        _ => demands.show("kernels", format!("running {running}, none in /boot")),
    }
    let (mut old, mut unseen): (BTreeMap<String, usize>, bool) = (BTreeMap::new(), false);
    for pid in processes::all(host)? {
        match processes::gone(host.live(&format!("/proc/{pid}/maps"))) {
            Ok(Some(maps)) => {
                for library in deleted_libraries(&maps) {
                    let count = old.entry(library.to_owned()).or_default();
                    *count = count.saturating_add(1);
                }
            }
            Ok(None) => {}
            Err(Missed::NoRight(_)) => unseen = true,
            Err(other) => return Err(other),
        }
    }
    let list: Vec<String> = old.iter().map(|(library, count)| format!("{library} in {count} processes")).collect();
    demands.ask(old.is_empty(), format!("libraries that were replaced are still in use: {}", named(&list)));
    demands.show("/proc/*/maps, deleted libraries", list.join("\n"));
    let finding = demands.finding_of_all("what runs is what is installed");
    if unseen && finding.verdict == crate::Verdict::Pass {
        return Err(Missed::NoRight("what other users' processes have loaded".to_owned()));
    }
    Ok(finding)
}

/// The libraries of a process whose files are gone.
fn deleted_libraries(maps: &str) -> BTreeSet<&str> {
    let paths =
        maps.lines().filter_map(|line| line.get(line.find('/')?..)).filter_map(|path| path.strip_suffix(" (deleted)"));
    paths.filter(|path| (path.starts_with("/usr/lib") || path.starts_with("/lib")) && path.contains(".so")).collect()
}

fn release_is_supported(scene: &Scene) -> Answer {
    let text = match scene.host.text("/etc/os-release") {
        Err(Missed::Absent(_)) => scene.host.text("/usr/lib/os-release")?,
        other => other?,
    };
    let now = scene.now.text();
    let finding = match support::of(&text) {
        Support::Until(name, end) if now.get(..10).is_some_and(|today| today <= end.as_str()) => {
            Finding::pass(format!("{name} gets security updates until {end}"))
        }
        Support::Until(name, end) => Finding::fail(format!("{name} has had no security updates since {end}")),
        Support::Unknown(name) => {
            Finding::not_tested(format!("until when {name} gets security updates isn't known here"))
        }
    };
    Ok(finding.showing("/etc/os-release", text))
}

fn processor_is_mended(scene: &Scene) -> Answer {
    let host = &scene.host;
    let directory = "/sys/devices/system/cpu/vulnerabilities";
    if !host.is_running() {
        return Err(Missed::NotRunning(directory.to_owned()));
    }
    let mut demands = Demands::default();
    let mut shown = String::new();
    for name in host.list(directory)? {
        let state = host.live(&format!("{directory}/{name}"))?.trim().to_owned();
        let is_open =
            state.starts_with("Vulnerable") || state.contains("; SMT vulnerable") || state.starts_with("Unknown");
        demands.ask(!is_open, format!("{name}: {state}"));
        shown.push_str(&format!("{name}: {state}\n"));
    }
    if demands.is_empty() {
        return Err(Missed::Odd(directory.to_owned(), "the kernel knows of no faults".to_owned()));
    }
    demands.show(directory, shown);
    Ok(demands.finding("all known faults of the processor are worked around"))
}

/// Packages whose files are compared: what logs people in, what mail runs on, and mail.
const COMPARED: [&str; 9] =
    ["coreutils", "login", "passwd", "sudo", "openssh-server", "libc6", "systemd", "nftables", "mailward"];

fn packages_are_intact(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let (mut wrong, mut bytes) = (Vec::new(), 0_u64);
    for package in COMPARED {
        let Some(hashes) = packages::hashes(host, package)? else { continue };
        let mut compared = 0_usize;
        for (path, hash) in &hashes {
            if path.starts_with("/usr/share/doc/")
                || path.starts_with("/usr/share/locale/")
                || path.starts_with("/usr/share/man/")
            {
                continue;
            }
            match intact(host, path, hash, &mut bytes)? {
                Ok(()) => compared = compared.saturating_add(1),
                Err(why) => wrong.push(format!("{package}: {path} {why}")),
            }
        }
        demands.show(
            format!("/var/lib/dpkg/info/{package}.md5sums"),
            format!("{compared} of {} files are as they were", hashes.len()),
        );
        demands.ask(true, "");
    }
    if demands.is_empty() {
        return Err(Missed::Absent("a record of packages' files in /var/lib/dpkg/info".to_owned()));
    }
    demands.ask(wrong.is_empty(), named(&wrong));
    Ok(demands.finding_of_all("all files that were compared are as they were made"))
}

fn intact(host: &Host, path: &str, hash: &str, bytes: &mut u64) -> Result<Result<(), &'static str>, Missed> {
    match host.stat(path) {
        Err(Missed::Absent(_)) => return Ok(Err("is gone")),
        other => *bytes = bytes.saturating_add(other?.size),
    }
    if *bytes > AUDIT_HASHED_MAX {
        return Err(Missed::Odd(
            "/var/lib/dpkg/info".to_owned(),
            format!("more than {AUDIT_HASHED_MAX} bytes to compare"),
        ));
    }
    Ok(if hash::md5(host, path)? == hash { Ok(()) } else { Err("was changed") })
}

const RESTART_DAYS: i64 = 7;

fn restart_is_not_late(scene: &Scene) -> Answer {
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("/run/reboot-required".to_owned()));
    }
    if let Some(finding) = left_to_its_host(scene, "it is made anew, not restarted")? {
        return Ok(finding);
    }
    host.stat("/run")?;
    for path in ["/run/reboot-required", "/var/run/reboot-required"] {
        match host.stat(path) {
            Ok(stat) => {
                let days = days_since(scene, stat.changed);
                let why = host.text_if_there(&format!("{path}.pkgs"))?.unwrap_or_default();
                let finding = if days <= RESTART_DAYS {
                    Finding::pass(format!("a restart is asked for, for {days} days"))
                } else {
                    Finding::fail(format!("a restart is asked for, for {days} days"))
                };
                return Ok(finding.showing(path, why));
            }
            Err(Missed::Absent(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(Finding::pass("no restart is asked for").showing("/run/reboot-required", "isn't there"))
}
