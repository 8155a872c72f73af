//! What peers saw of this server from elsewhere.

use crate::area::Area;
use crate::control::{Cap, Check, Control, Probe};
use crate::finding::{Exhibit, Finding};
use crate::host::Transport;
use crate::probe::{Port, PortSeen, PortState, Vantage};
use crate::scene::{Protocol, Scene, day};
use mailward_core::limits::PROBE_VANTAGE_DAYS;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(in crate::controls) const OUTSIDE: &[Control] = &[
    Control {
        id: "NET-02",
        weight: 10,
        question: "Are the ports that can be reached from outside exactly those that the server means to have?",
        why: "What a firewall or a provider lets through is seen from outside alone: a port too many is a program that nobody watches, one \
              too few is mail that doesn't come.",
        verified: "A peer's signed look of the last 30 days: every port that is open there must be a door of the server, or be allowed \
                   on this host; and port 25 must be open at each address, if the server has that door.",
        mend: "Close what is open too much in the firewall; open 25 at every address that the DNS has. Then have the peer look again: \
               `mailward probe HOST --sign FILE`, and put the file into DATA/audit/peers/.",
        source: "NIST SP 800-45, network infrastructure",
        check: Check::Look(as_declared),
        ..Control::of(Area::Network, Probe::Outside)
    },
    Control {
        id: "NET-17",
        weight: 10,
        cap: Some(Cap::Hole),
        question: "Can nobody outside reach databases, administration, metrics or control sockets?",
        why: "Such programs trust whoever can reach them: one that is open hands over the mail of all users, or the host.",
        verified: "A peer's signed look of the last 30 days, in which the ports where such programs usually listen were tried at every \
                   address of this server: none may be open.",
        mend: "Let the program listen on 127.0.0.1, or close the port in the firewall. Then have the peer look again: \
               `mailward probe HOST --sign FILE`, and put the file into DATA/audit/peers/.",
        source: "advice to CVE-2026-27856",
        check: Check::Look(nothing_inside),
        ..Control::of(Area::Network, Probe::Outside)
    },
];

/// Looks of peers at this server that are new enough.
fn looks(scene: &Scene) -> Result<Vec<&(String, Vantage)>, Finding> {
    let state = scene.state()?;
    let Some(name) = &state.name else {
        return Err(Finding::not_tested(
            "the server doesn't say what it is called, so no look is known to be about it",
        ));
    };
    let oldest = scene.now.secs().saturating_sub(i64::from(PROBE_VANTAGE_DAYS).saturating_mul(86_400));
    let ours: Vec<&(String, Vantage)> = scene
        .peers
        .looks
        .iter()
        .filter(|(_, look)| look.host.eq_ignore_ascii_case(name) || look.name.eq_ignore_ascii_case(name))
        .collect();
    let fresh: Vec<&(String, Vantage)> =
        ours.iter().copied().filter(|(_, look)| (oldest..=scene.now.secs()).contains(&look.at.secs())).collect();
    if !fresh.is_empty() {
        return Ok(fresh);
    }
    let mut why = "no look from outside: docs/probe.md tells how a peer makes one".to_owned();
    if let Some((peer, look)) = ours.iter().max_by_key(|(_, look)| look.at) {
        why = format!(
            "the newest look from outside, by {peer}, is of {}; at most {PROBE_VANTAGE_DAYS} days count",
            day(look.at)
        );
    }
    for refused in &scene.peers.refused {
        let _infallible = write!(why, "; {refused}");
    }
    Err(Finding::not_tested(why))
}

fn exhibits(looks: &[&(String, Vantage)]) -> Vec<Exhibit> {
    let list = |look: &Vantage| {
        let lines = look.ports.iter().map(|port| format!("{} {}: {}", port.address, port.port, port.state.word()));
        lines.collect::<Vec<_>>().join("\n")
    };
    let shown = looks.iter().map(|(peer, look)| Exhibit {
        input: format!("as {peer} saw it on {}", day(look.at)),
        output: list(look).into_bytes(),
    });
    shown.collect()
}

fn open(look: &Vantage) -> impl Iterator<Item = &PortSeen> {
    look.ports.iter().filter(|port| port.state == PortState::Open)
}

fn nothing_inside(scene: &Scene) -> Finding {
    let looks = match looks(scene) {
        Ok(looks) => looks,
        Err(finding) => return finding,
    };
    let mut bad = Vec::new();
    for (peer, look) in &looks {
        let inside = open(look).filter(|port| port.role.is_none());
        bad.extend(inside.map(|port| {
            format!("{peer} found {} port {} open ({})", port.address, port.port, Port::inside(port.port))
        }));
    }
    let finding = if !bad.is_empty() {
        Finding::fail(bad.join("; "))
    } else if !looks.iter().any(|(_, look)| look.is_whole()) {
        Finding::not_tested("no look from outside tried all ports where such programs listen, at every address")
    } else {
        Finding::pass(format!("none is open, as {} looks from outside show", looks.len()))
    };
    finding.showing_all(exhibits(&looks))
}

fn as_declared(scene: &Scene) -> Finding {
    let looks = match looks(scene) {
        Ok(looks) => looks,
        Err(finding) => return finding,
    };
    if scene.doors.is_empty() {
        return Finding::not_tested("no door is known: the server doesn't run, or couldn't say where it listens");
    }
    let allowed = &scene.host.ours_here().allowed;
    let is_declared = |number: u16| {
        scene.doors.iter().any(|door| door.address.port() == number) || allowed.contains(&(Transport::Tcp, number))
    };
    let takes_mail = scene.doors.iter().any(|door| door.protocol == Protocol::Smtp && door.address.port() == 25);
    let mut bad = Vec::new();
    for (peer, look) in &looks {
        bad.extend(
            open(look)
                .filter(|port| !is_declared(port.port))
                .map(|port| format!("{peer} found {} port {} open, which is no door", port.address, port.port)),
        );
        let reached: BTreeSet<_> = open(look).filter(|port| port.port == 25).map(|port| port.address).collect();
        let missing = look.addresses.iter().filter(|address| takes_mail && !reached.contains(address));
        bad.extend(missing.map(|address| format!("{peer} can't bring mail to {address}: port 25 isn't open")));
    }
    let finding = if !bad.is_empty() {
        Finding::fail(bad.join("; "))
    } else if !looks.iter().any(|(_, look)| look.is_whole()) {
        Finding::not_tested("no look from outside tried all ports, at every address")
    } else {
        Finding::pass(format!("only doors of the server are open, as {} looks from outside show", looks.len()))
    };
    finding.showing_all(exhibits(&looks))
}
