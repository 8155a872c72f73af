//! Whether the parts of the server that must not trust each other can't reach each other.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::controls::viruses::{has_network, status_lines};
use crate::finding::Finding;
use crate::host::Missed;
use crate::host::reading::{Answer, Demands, Process, base, processes, tell};
use crate::scene::Scene;
use mailward_sts::is_public;
use std::collections::BTreeSet;
use std::net::IpAddr;

const PRIVILEGES: Control = base(Area::Privileges);

/// Listener and parser, logins and keys, store and queue, scanner and fetcher.
const ROLES: usize = 4;
/// The verb of a process that has the keys and nothing else.
const KEEPER: &str = "vault";
/// The verb of a process through which all goes that is fetched elsewhere.
const FETCHER: &str = "egress";

pub(in crate::controls) const ROLES_APART: &[Control] = &[
    Control {
        id: "PRV-05",
        weight: 10,
        question: "Are the server's parts processes of four users or more, so that one that is taken over has nothing of the others?",
        why: "In a server of one user a fault in what reads strangers' bytes is a fault in what has the passwords.",
        verified: "/proc/PID/status of the server and all it started: how many users there are that aren't root. One in four of the points is for each.",
        mend: "Start the server so that its workers get users of their own (docs/scanning.md); Mailward keeps mail, logins and protocols in \
               one process so far.",
        source: "qmail, security guarantee; OpenSMTPD's processes",
        check: Check::Look(|scene| tell(users_are_many(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-06",
        weight: 10,
        question: "Are keys and passwords with a process that has no network and no files?",
        why: "A stolen key outlives every repair: with it others are this server, and read what was written down of its past.",
        verified: "/proc/PID of the process `mailward vault`: a user of its own, a seccomp filter, no socket of the network, no file open.",
        mend: "There is nothing to set: Mailward has no such process so far.",
        source: "OpenSMTPD, ca.c",
        check: Check::Look(|scene| tell(keys_are_apart(scene))),
        ..PRIVILEGES
    },
    Control {
        id: "PRV-12",
        weight: 10,
        question: "Does what fetches something elsewhere have a process of its own, and no way to addresses inside?",
        why: "Strangers name the hosts that are asked for policies and reports. One that is inside is asked with this server's rights there.",
        verified: "/proc/PID: a process `mailward egress`. And of 24 addresses that aren't public, in all their forms, none may be taken for one \
                   that is by the function that the server asks before it fetches, in this program of the same version.",
        mend: "There is nothing to set: Mailward fetches with the process that speaks with everybody, to public addresses alone.",
        source: "CVE-2026-48843 and its kind; RFC 6890",
        check: Check::Look(|scene| tell(fetching_is_apart(scene))),
        ..PRIVILEGES
    },
];

fn family(scene: &Scene) -> Result<Vec<Process>, Missed> {
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    processes::family(&scene.host, pid)
}

fn users_are_many(scene: &Scene) -> Answer {
    let family = family(scene)?;
    let users: BTreeSet<u32> = family.iter().filter_map(Process::uid).filter(|uid| *uid != 0).collect();
    let said = format!("{} processes of {} users that aren't root", family.len(), users.len());
    let shown: String = family.iter().map(|one| format!("{}: user {:?}\n", one.name(), one.uid())).collect();
    Ok(Finding::of(users.len().min(ROLES), ROLES, said).showing("/proc/PID/status", shown))
}

fn keys_are_apart(scene: &Scene) -> Answer {
    let host = &scene.host;
    let family = family(scene)?;
    let Some(keeper) = family.iter().find(|process| process.is_worker(KEEPER)) else {
        let shown: String = family.iter().map(|one| format!("{}\n", one.name())).collect();
        return Ok(Finding::fail("keys and passwords are with the process that speaks with everybody")
            .showing("the server's processes", shown));
    };
    let name = keeper.name();
    let mut demands = Demands::default();
    let own = family.iter().filter(|other| other.pid != keeper.pid).all(|other| other.uid() != keeper.uid());
    demands.ask(own, format!("{name} has no user of its own"));
    demands.ask(keeper.number("Seccomp") == Some(2), format!("{name} may ask the kernel for anything"));
    demands.ask(!has_network(host, keeper.pid)?, format!("{name} has a socket of the network"));
    let files: Vec<String> = processes::descriptors(host, keeper.pid)?
        .into_iter()
        .filter(|file| file.starts_with('/') && file != "/dev/null")
        .collect();
    demands.ask(files.is_empty(), format!("{name} has files open: {}", files.len()));
    demands.show(format!("/proc/{}/status", keeper.pid), status_lines(keeper));
    Ok(demands.finding("keys are with a process that has no network and no files"))
}

/// Addresses that nobody outside has, as forged names lead there (RFC 6890, RFC 4291 §2.5.5, RFC 6052 §2.1, RFC 3056).
const INSIDE: [&str; 24] = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
];

fn fetching_is_apart(scene: &Scene) -> Answer {
    let family = family(scene)?;
    let version = scene.state()?.version.as_deref();
    if version != Some(env!("CARGO_PKG_VERSION")) {
        return Err(Missed::NotReached("the server that runs is of another version than this program".to_owned()));
    }
    let mut demands = Demands::default();
    let apart = family.iter().any(|process| process.is_worker(FETCHER));
    demands.ask(apart, "what fetches is the process that speaks with everybody");
    let taken: Vec<&str> = INSIDE.iter().copied().filter(|text| text.parse::<IpAddr>().is_ok_and(is_public)).collect();
    demands.ask(taken.is_empty(), format!("taken for public: {}", taken.join(", ")));
    demands.show("the server's processes", family.iter().map(|one| format!("{}\n", one.name())).collect::<String>());
    demands.show("addresses that aren't public", INSIDE.join("\n"));
    Ok(demands.finding("what fetches is apart, and fetches nothing inside"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_the_list_is_one() {
        for text in INSIDE {
            assert!(text.parse::<IpAddr>().is_ok(), "{text}");
        }
    }
}
