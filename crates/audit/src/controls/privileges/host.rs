//! What the server's processes may do once they are somebody else's.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::controls::viruses::{has_network, status_lines};
use crate::finding::Finding;
use crate::host::reading::{
    Answer, Demands, Mount, Process, base, is_asked, is_below, left_to_its_host, machine, mounts, named, processes,
    setting, tell, units,
};
use crate::host::{Missed, Program};
use crate::scene::{Machine, Scene};
use std::collections::BTreeSet;

const PRIVILEGES: Control = base(Area::Privileges);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "PRV-01",
        weight: 10,
        question: "Is no process that talks to the network root?",
        why: "A fault in one that is gives the whole host away, not just the mail.",
        verified: "/proc/PID/status of the server and all it started that hold a socket of the network.",
        mend: "Start the server by its unit with User=mailward, or set `user` in its configuration.",
        source: "qmail, security guarantee",
        check: Check::Look(|scene| tell(nobody_is_root(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-02",
        weight: 10,
        parent: Some("PRV-01"),
        question: "Has the server no right of root's but to open low ports?",
        why: "Each of root's rights that is left is a way to become root.",
        verified: "CapEff and CapBnd in /proc/PID/status: at most CAP_NET_BIND_SERVICE, and a reduced bounding set.",
        mend: "In the unit: AmbientCapabilities=CAP_NET_BIND_SERVICE, CapabilityBoundingSet=CAP_NET_BIND_SERVICE.",
        source: "capabilities(7)",
        check: Check::Look(|scene| tell(capabilities_are_few(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-03",
        weight: 10,
        question: "Can the server's processes gain nothing, and ask the kernel only for what they need?",
        why: "Most ways from a broken program to root go through a system call that it never needed.",
        verified: "NoNewPrivs is 1 and Seccomp is 2 for each of the server's processes.",
        mend: "In the unit: NoNewPrivileges=yes, SystemCallFilter=@system-service.",
        source: "systemd-analyze security",
        check: Check::Look(|scene| tell(nothing_is_gained(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-04",
        question: "Does systemd call the server's unit well closed in (exposure 2.5 or less)?",
        why: "It counts in one number what the unit leaves open.",
        verified: "systemd-analyze security mailward.service.",
        mend: "Use the unit that comes with Mailward; systemd-analyze security names what is open.",
        source: "systemd-analyze security",
        check: Check::Look(|scene| tell(exposure_is_low(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-07",
        question: "Does the unit keep the server off everything that isn't its own?",
        why: "What it can't see it can't take, and can't change.",
        verified: "`systemctl show`, else the unit's files: ProtectSystem, ProtectHome, PrivateTmp, PrivateDevices, MemoryDenyWriteExecute, \
                   RestrictAddressFamilies, UMask.",
        mend: "Use the unit that comes with Mailward, or add what is named by `systemctl edit mailward`.",
        source: "systemd-analyze security",
        check: Check::Look(|scene| tell(unit_is_closed(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-08",
        question: "Can the server start no other program?",
        why: "Whoever takes it over wants a shell first.",
        verified: "/proc/PID/mountinfo of the running server: every file system is mounted noexec, but for the server itself, libraries, and \
                   those programs that its daily audit asks. Else the unit: SystemCallFilter without execve, or NoExecPaths=/ with \
                   nothing more in ExecPaths.",
        mend: "Use the unit that comes with Mailward, with NoExecPaths=/ and the ExecPaths that it has; take out what was added for alerts or \
               scanners that are commands, if nobody needs it.",
        source: "qmail, security guarantee: programs and files are not addresses",
        check: Check::Look(|scene| tell(nothing_is_started(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-09",
        question: "Is the container closed?",
        why: "A privileged container, or one with the runtime's socket, is the host.",
        verified: "The server's capabilities, /proc/self/mountinfo and uid_map: not privileged, no docker.sock, no CAP_NET_ADMIN, a read-only root, users of its own.",
        mend: "Run it with --read-only --cap-drop ALL --cap-add NET_BIND_SERVICE, in a user namespace, and without the runtime's socket.",
        source: "CIS Docker Benchmark",
        check: Check::Look(|scene| tell(container_is_closed(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-11",
        question: "Does the server's memory, with its keys, stay its own?",
        why: "A core dump or a debugger has every key and every password that is being checked.",
        verified: "/proc/PID/limits: no core file; the process is not dumpable (its files in /proc are root's), or the kernel forbids debuggers.",
        mend: "In the unit: LimitCORE=0; in /etc/sysctl.d/60-kernel.conf: kernel.yama.ptrace_scope = 2.",
        source: "Lynis KRNL-5820",
        check: Check::Look(|scene| tell(memory_is_its_own(scene))),
        ..PRIVILEGES
    },
];

/// The server's processes, itself first.
fn family(scene: &Scene) -> Result<Vec<Process>, Missed> {
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    processes::family(&scene.host, pid)
}

/// Those of them that talk to the network; one whose sockets can't be seen is taken for one that does.
fn on_the_network(scene: &Scene) -> Result<Vec<Process>, Missed> {
    let mut found = Vec::new();
    for (at, process) in family(scene)?.into_iter().enumerate() {
        let talks = match has_network(&scene.host, process.pid) {
            Err(Missed::NoRight(_)) => true,
            other => other?,
        };
        if at == 0 || talks {
            found.push(process);
        }
    }
    Ok(found)
}

fn show(demands: &mut Demands, process: &Process) {
    demands.show(format!("/proc/{}/status", process.pid), status_lines(process));
}

fn nobody_is_root(scene: &Scene) -> Answer {
    let mut demands = Demands::default();
    for process in on_the_network(scene)? {
        demands.ask(process.uid().is_some_and(|uid| uid != 0), format!("{} is root", process.name()));
        show(&mut demands, &process);
    }
    Ok(demands.finding_of_all("no process that talks to the network is root"))
}

/// Bits of capabilities(7).
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_ADMIN: u64 = 1 << 12;
const SYS_ADMIN: u64 = 1 << 21;

fn capabilities_are_few(scene: &Scene) -> Answer {
    let host = &scene.host;
    let last: u32 = host.live("/proc/sys/kernel/cap_last_cap")?.trim().parse().unwrap_or(40);
    let every = 1_u64.checked_shl(last.saturating_add(1)).unwrap_or(0).wrapping_sub(1);
    let mut demands = Demands::default();
    for process in on_the_network(scene)? {
        let name = process.name();
        let effective =
            process.mask("CapEff").ok_or_else(|| Missed::Odd(name.clone(), "it has no CapEff".to_owned()))?;
        demands.ask(effective & !NET_BIND_SERVICE == 0, format!("{name} has the capabilities {effective:016x}"));
        let bounding = process.mask("CapBnd").unwrap_or(every);
        demands.ask(bounding & every != every, format!("{name} could get every capability"));
        show(&mut demands, &process);
    }
    Ok(demands.finding("the server has no right of root's but to open low ports"))
}

fn nothing_is_gained(scene: &Scene) -> Answer {
    let mut demands = Demands::default();
    for process in family(scene)? {
        let name = process.name();
        demands.ask(process.number("NoNewPrivs") == Some(1), format!("{name} may gain rights"));
        demands.ask(process.number("Seccomp") == Some(2), format!("{name} may ask the kernel for anything"));
        show(&mut demands, &process);
    }
    Ok(demands.finding("the server's processes gain nothing, and ask only for what they need"))
}

fn exposure_is_low(scene: &Scene) -> Answer {
    if let Some(finding) = left_to_its_host(scene, "it has no systemd, and its runtime closes it in")? {
        return Ok(finding);
    }
    let said = scene.host.ask(Program::OurExposure)?;
    let text = String::from_utf8_lossy(&said.out).into_owned();
    let level = text.lines().find(|line| line.contains("exposure level for")).and_then(|line| {
        // `… for mailward.service: 1.8 OK :-)`
        line.split_once(".service:")?.1.split_whitespace().next()?.parse::<f64>().ok()
    });
    let finding = match level {
        None => return Err(Missed::Odd(Program::OurExposure.to_string(), "it says no level".to_owned())),
        Some(level) if level <= 2.5 => Finding::pass(format!("the unit's exposure is {level}")),
        Some(level) => Finding::fail(format!("the unit's exposure is {level}, should be 2.5 or less")),
    };
    Ok(finding.showing(Program::OurExposure.to_string(), text))
}

const CLOSED: [&str; 7] = [
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "MemoryDenyWriteExecute",
    "RestrictAddressFamilies",
    "UMask",
];

fn unit_is_closed(scene: &Scene) -> Answer {
    if let Some(finding) = left_to_its_host(scene, "it has no systemd, and its runtime closes it in")? {
        return Ok(finding);
    }
    let unit = units::service(&scene.host)?;
    let mut demands = Demands::default();
    demands.ask(unit.get("ProtectSystem") == Some("strict"), "ProtectSystem isn't strict");
    let home = unit.is_on("ProtectHome") || unit.get("ProtectHome") == Some("tmpfs");
    demands.ask(home, "ProtectHome is off");
    for key in ["PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute"] {
        demands.ask(
            unit.is_on(key) || (key == "PrivateTmp" && unit.get(key) == Some("disconnected")),
            format!("{key} is off"),
        );
    }
    let families = unit.get("RestrictAddressFamilies").unwrap_or_default();
    // A `~` begins a list of what is forbidden: everything else is allowed.
    let few = !families.is_empty() && !families.starts_with('~') && !families.contains("AF_PACKET");
    demands.ask(few, "RestrictAddressFamilies allows what mail doesn't need");
    let mask = unit.get("UMask").and_then(|mask| u32::from_str_radix(mask, 8).ok());
    demands.ask(mask.is_some_and(|mask| mask & 0o077 == 0o077), "UMask isn't 0077");
    demands.show(unit.read_from.as_str(), unit.shown(&CLOSED));
    Ok(demands.finding("the unit keeps the server off what isn't its own"))
}

fn nothing_is_started(scene: &Scene) -> Answer {
    let unit = units::service(&scene.host);
    let Some(pid) = scene.state.as_ref().and_then(|state| state.pid) else {
        let unit = unit?;
        let nowhere = unit.get("NoExecPaths").unwrap_or_default().split_whitespace().any(|path| path == "/");
        let mut allowed = unit.get("ExecPaths").unwrap_or_default().split_whitespace();
        let few = allowed.all(|path| may_be_started(scene, path.trim_start_matches(['-', '+'])));
        return Ok(started(!may_exec(&unit) || (nowhere && few), "")
            .showing(unit.read_from.as_str(), unit.shown(&["SystemCallFilter", "NoExecPaths", "ExecPaths"])));
    };
    // The unit says nothing of a server that was started by hand: what runs is asked itself.
    let process = processes::process(&scene.host, pid)?;
    if let (Ok(unit), Some(process)) = (&unit, &process)
        && !may_exec(unit)
        && process.number("Seccomp") == Some(2)
    {
        return Ok(started(true, "").showing(unit.read_from.as_str(), unit.shown(&["SystemCallFilter"])));
    }
    let path = format!("/proc/{pid}/mountinfo");
    let mounts = mounts::of_process(&scene.host, pid)?;
    if mounts.is_empty() {
        return Err(Missed::Odd(path, "it has no mounts".to_owned()));
    }
    let may: Vec<&Mount> = seen(&mounts).into_iter().filter(|mount| !mount.has("noexec")).collect();
    let open: Vec<&str> =
        may.iter().filter(|mount| !may_be_started(scene, &mount.point)).map(|mount| mount.point.as_str()).collect();
    let shown: String = may.iter().map(|mount| mount.line.clone() + "\n").collect();
    Ok(started(open.is_empty(), &named(&open)).showing(format!("{path}, what isn't noexec"), shown))
}

/// Of several at one place the last one is what is seen there.
fn seen(mounts: &[Mount]) -> Vec<&Mount> {
    let mut places = BTreeSet::new();
    mounts.iter().rev().filter(|mount| places.insert(mount.point.as_str())).collect()
}

fn started(nothing: bool, places: &str) -> Finding {
    match (nothing, places) {
        (true, _) => Finding::pass("the server can start no other program"),
        (false, "") => Finding::fail("the server may start any program"),
        (false, places) => Finding::fail(format!("the server may start any program of {places}")),
    }
}

/// The server itself, what it is linked with, and what its audit asks.
fn may_be_started(scene: &Scene, path: &str) -> bool {
    const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
    path == scene.host.ours_here().program
        || LIBRARIES.iter().any(|libraries| is_below(path, libraries))
        || is_asked(path)
}

/// Whether the unit's filter lets the server start programs.
fn may_exec(unit: &units::Service) -> bool {
    let calls = unit.get("SystemCallFilter").unwrap_or_default();
    // systemd shows the calls; a unit's file may name groups, of which those with execve are @process and what has it in it.
    calls.is_empty()
        || calls.starts_with('~')
        || calls
            .split_whitespace()
            .any(|call| ["execve", "execveat", "@process", "@system-service", "@default"].contains(&call))
}

fn container_is_closed(scene: &Scene) -> Answer {
    let (kind, sign) = machine(scene)?;
    if kind != Machine::Container {
        return Ok(Finding::not_applicable(format!("this is no container ({sign})")));
    }
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("how the container is run".to_owned()));
    }
    let server = match scene.state().ok().and_then(|state| state.pid) {
        Some(pid) => processes::process(host, pid)?,
        // The first process of a container is what it is for.
        None => processes::process(host, 1)?,
    };
    let server = server.ok_or_else(|| Missed::NotReached("the container's process is gone".to_owned()))?;
    let bounding = server.mask("CapBnd").ok_or_else(|| Missed::Odd(server.name(), "it has no CapBnd".to_owned()))?;
    let mounts = mounts(host)?;
    let mut demands = Demands::default();
    demands.ask(bounding & SYS_ADMIN == 0, "the container is privileged: it could have CAP_SYS_ADMIN");
    demands.ask(bounding & NET_ADMIN == 0, "the container could have CAP_NET_ADMIN");
    let mut sockets: Vec<&str> = mounts
        .iter()
        .map(|mount| mount.point.as_str())
        .filter(|point| {
            point.ends_with("docker.sock") || point.ends_with("containerd.sock") || point.ends_with("podman.sock")
        })
        .collect();
    for path in ["/run/docker.sock", "/var/run/docker.sock"] {
        if host.is_there(path)? {
            sockets.push(path);
        }
    }
    demands.ask(sockets.is_empty(), format!("the runtime's socket is in it: {}", sockets.join(", ")));
    let root = mounts.iter().rfind(|mount| mount.point == "/");
    demands.ask(root.is_some_and(|mount| mount.has("ro")), "its root can be written");
    let map = host.live("/proc/self/uid_map")?;
    let is_whole = map.split_whitespace().collect::<Vec<_>>() == ["0", "0", "4294967295"];
    demands.ask(!is_whole, "its users are the host's: no user namespace");
    demands.show("uid_map", map);
    demands.show("mount of /", root.map_or("(not known)", |mount| mount.line.as_str()));
    show(&mut demands, &server);
    Ok(demands.finding("the container is closed"))
}

fn memory_is_its_own(scene: &Scene) -> Answer {
    let host = &scene.host;
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    let limits = host.live(&format!("/proc/{pid}/limits"))?;
    let cores = processes::limit(&limits, "Max core file size");
    // The files of a process that isn't dumpable are root's, whoever it is (proc(5)).
    let stat = host.stat(&format!("/proc/{pid}/environ"))?;
    let process = processes::process(host, pid)?.ok_or_else(|| Missed::NotReached(format!("process {pid} is gone")))?;
    let is_dumpable = stat.uid != host.root()? || process.uid() == Some(0);
    let scope =
        setting(host, "kernel.yama.ptrace_scope")?.and_then(|(value, _)| value.parse::<u32>().ok()).unwrap_or(0);
    let mut demands = Demands::default();
    demands.ask(cores == Some(0), "a crash writes its memory to a file: Max core file size isn't 0");
    demands.ask(!is_dumpable || scope >= 2, "its user's programs can read its memory");
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    demands.show(format!("/proc/{pid}/limits"), line);
    demands.show(format!("owner of /proc/{pid}/environ, kernel.yama.ptrace_scope"), format!("{}, {scope}", stat.uid));
    Ok(demands.finding("the server's memory stays its own"))
}
