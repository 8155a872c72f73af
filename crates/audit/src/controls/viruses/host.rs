//! How the scanner is closed in, and whether somebody looks for intruders.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::Missed;
use crate::host::reading::{Answer, Demands, base, processes, tell};
use crate::scene::Scene;

const VIRUSES: Control = base(Area::Viruses);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "AVS-12",
        weight: 10,
        question: "Is what opens attachments closed in?",
        why: "Attachments are written to break what opens them. What breaks here must have nothing to take: no network, no files, no rights.",
        verified: "/proc/PID of each scanner worker: a user of its own that isn't root, no capabilities, no-new-privileges, a seccomp filter, a limit of memory, no \
                   socket of the network.",
        mend: "Start the server by its systemd unit, on Linux 5.13 or later; it closes its scanner in by itself. Look into its log for why it couldn't.",
        source: "systemd-analyze security; CVE history of archive and document parsers",
        check: Check::Look(|scene| tell(scanner_is_closed_in(scene))),
        ..VIRUSES
    },
    Control {
        id: "AVS-13",
        question: "Was the host searched for intruders' programs within a week?",
        why: "Who breaks in quietly leaves something to come back with.",
        verified: "The age of the logs of rkhunter, chkrootkit, Lynis or clamscan in /var/log.",
        mend: "apt-get install rkhunter; set CRON_DAILY_RUN=\"true\" in /etc/default/rkhunter.",
        source: "Lynis MALW-3275, MALW-3276, MALW-3280",
        check: Check::Look(|scene| tell(host_is_searched(scene))),
        ..VIRUSES
    },
];

/// The hidden verb of a scanner worker.
const WORKER: &str = "scanner";

fn scanner_is_closed_in(scene: &Scene) -> Answer {
    let host = &scene.host;
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    let family = processes::family(host, pid)?;
    let workers: Vec<_> = family.iter().filter(|process| process.is_worker(WORKER)).collect();
    if workers.is_empty() {
        return Ok(Finding::not_tested("the server has no scanner worker right now"));
    }
    let mut demands = Demands::default();
    for worker in workers {
        let name = worker.name();
        demands.ask(worker.uid().is_some_and(|uid| uid != 0), format!("{name} is root"));
        let own = family.first().is_some_and(|server| server.uid() != worker.uid());
        demands.ask(own, format!("{name} has the server's user, not one of its own"));
        demands.ask(
            worker.mask("CapEff") == Some(0) && worker.mask("CapPrm") == Some(0),
            format!("{name} has capabilities"),
        );
        demands.ask(worker.number("NoNewPrivs") == Some(1), format!("{name} may gain rights"));
        demands.ask(worker.number("Seccomp") == Some(2), format!("{name} may ask the kernel for anything"));
        let limits = host.live(&format!("/proc/{}/limits", worker.pid))?;
        let memory =
            processes::limit(&limits, "Max address space").or_else(|| processes::limit(&limits, "Max data size"));
        demands.ask(memory.is_some(), format!("{name} may take all memory"));
        demands.ask(!has_network(host, worker.pid)?, format!("{name} has a socket of the network"));
        demands.show(format!("/proc/{}/status", worker.pid), status_lines(worker));
        demands.show(format!("/proc/{}/limits", worker.pid), limits);
    }
    Ok(demands.finding("every scanner worker is closed in"))
}

/// The lines of a process's status that are judged.
pub(in crate::controls) fn status_lines(process: &processes::Process) -> String {
    let line = |key: &&str| process.status.get(*key).map(|value| format!("{key}: {value}\n"));
    ["Name", "Uid", "Gid", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"].iter().filter_map(line).collect()
}

/// Whether a process holds a socket of TCP, UDP or raw packets.
pub(in crate::controls) fn has_network(host: &crate::Host, pid: u32) -> Result<bool, Missed> {
    let held: Vec<u64> = processes::descriptors(host, pid)?
        .iter()
        .filter_map(|descriptor| crate::host::sockets::inode(descriptor))
        .collect();
    if held.is_empty() {
        return Ok(false);
    }
    for file in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"] {
        let text = processes::gone(host.live(&format!("/proc/net/{file}")))?.unwrap_or_default();
        // The socket's number is the tenth field, of packet sockets the ninth.
        let at = if file == "packet" { 8 } else { 9 };
        let mut numbers =
            text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().nth(at)?.parse::<u64>().ok());
        if numbers.any(|number| held.contains(&number)) {
            return Ok(true);
        }
    }
    Ok(false)
}

const SEARCH_DAYS: i64 = 7;
const SEARCHES: [&str; 6] = [
    "/var/log/rkhunter.log",
    "/var/log/chkrootkit/log.today",
    "/var/log/chkrootkit.log",
    "/var/log/lynis.log",
    "/var/log/clamav/clamscan.log",
    "/var/log/maldet/event_log",
];

fn host_is_searched(scene: &Scene) -> Answer {
    let mut newest: Option<(i64, &str)> = None;
    for path in SEARCHES {
        match scene.host.stat(path) {
            Ok(stat) => newest = newest.max(Some((stat.changed, path))),
            Err(Missed::Absent(_)) => {}
            Err(other) => return Err(other),
        }
    }
    let Some((changed, path)) = newest else {
        return Ok(Finding::fail("nobody searches: there is no log of rkhunter, chkrootkit, Lynis or clamscan")
            .showing("logs", SEARCHES.join(", ")));
    };
    let days = scene.now.secs().saturating_sub(changed).div_euclid(86_400);
    let said = format!("the last search was {days} days ago");
    let finding = if days <= SEARCH_DAYS { Finding::pass(said) } else { Finding::fail(said) };
    Ok(finding.showing(path, format!("{days} days old")))
}
