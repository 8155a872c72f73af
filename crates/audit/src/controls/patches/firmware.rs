//! Programs below the operating system.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::reading::{Answer, Demands, base, machine, named, tell};
use crate::host::{Missed, Program};
use crate::scene::{Machine, Scene};
use mailward_core::limits::AUDIT_LIST_MAX;
use serde::Deserialize;

const PATCHES: Control = base(Area::Patches);

pub(in crate::controls) const FIRMWARE: &[Control] = &[Control {
    id: "PAT-09",
    weight: 2,
    question: "Is the firmware up to date, as far as its makers publish it?",
    why: "Whoever is in the firmware survives every new installation.",
    verified: "`fwupdmgr get-updates --json`: no device with something newer; and what fwupd knows of is at most 30 days old.",
    mend: "apt-get install fwupd; fwupdmgr refresh; fwupdmgr update.",
    source: "ISO/IEC 27001 Annex A, technical vulnerabilities; fwupd",
    check: Check::Look(|scene| tell(firmware_is_new(scene))),
    ..PATCHES
}];

/// Where fwupd keeps what it was told, by its version.
const KNOWN: [&str; 2] = ["/var/lib/fwupd/metadata/lvfs", "/var/cache/fwupd/metadata/lvfs"];
const KNOWN_DAYS: i64 = 30;

/// What fwupd says: its devices, each with what is newer.
#[derive(Deserialize)]
struct Devices {
    #[serde(rename = "Devices", default)]
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Releases", default)]
    releases: Vec<serde::de::IgnoredAny>,
}

/// Devices for which something newer is known; `None`: what it says can't be read.
pub(crate) fn outdated(said: &[u8]) -> Option<Vec<String>> {
    let all: Devices = serde_json::from_slice(said).ok()?;
    let old = all.devices.into_iter().take(AUDIT_LIST_MAX).filter(|device| !device.releases.is_empty());
    Some(old.map(|device| device.name).collect())
}

/// fwupd's word for "nothing to do".
const NOTHING: i32 = 2;

fn firmware_is_new(scene: &Scene) -> Answer {
    let (kind, sign) = machine(scene)?;
    if kind != Machine::Metal {
        return Ok(Finding::not_applicable(format!(
            "this is no machine of its own ({sign}): its firmware is its host's"
        )));
    }
    let host = &scene.host;
    let said = host.ask(Program::FirmwareUpdates)?;
    let old = match said.code {
        0 => outdated(&said.out),
        NOTHING => Some(Vec::new()),
        _ => None,
    };
    let program = Program::FirmwareUpdates.to_string();
    let old = old.ok_or_else(|| Missed::Odd(program.clone(), "it says nothing that can be read".to_owned()))?;
    let mut demands = Demands::default();
    demands.ask(old.is_empty(), format!("there is something newer for {}", named(&old)));
    let mut newest = None;
    for place in KNOWN {
        match host.entries(place) {
            Ok(entries) => newest = newest.max(entries.into_iter().map(|(_, stat)| stat.changed).max()),
            Err(Missed::Absent(_)) => {}
            Err(other) => return Err(other),
        }
    }
    let days = newest.map(|at| scene.now.secs().saturating_sub(at).div_euclid(86_400));
    demands.ask(days.is_some_and(|days| days <= KNOWN_DAYS), "fwupd wasn't told for 30 days of what is newer");
    demands.show(program, said.out);
    demands.show(KNOWN.join(", "), days.map_or("nothing".to_owned(), |days| format!("{days} days old")));
    Ok(demands.finding("the firmware is up to date"))
}
