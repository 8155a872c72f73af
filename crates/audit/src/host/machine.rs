//! What kind of machine it is.

use super::{Host, Missed, Program};
use crate::finding::Finding;
use crate::scene::{Machine, Scene};

/// What it is said to be, or what it looks like, and by which sign.
pub(crate) fn machine(scene: &Scene) -> Result<(Machine, String), Missed> {
    match scene.machine {
        Some(machine) => Ok((machine, "it is said to be".to_owned())),
        None => looks_like(&scene.host),
    }
}

/// What it looks like, and by which sign.
pub(crate) fn looks_like(host: &Host) -> Result<(Machine, String), Missed> {
    if let Ok(said) = host.ask(Program::DetectVirt) {
        let word = String::from_utf8_lossy(&said.out).trim().to_owned();
        let sign = format!("{}: {word}", Program::DetectVirt);
        match word.as_str() {
            "none" => return Ok((Machine::Metal, sign)),
            "docker" | "podman" | "lxc" | "lxc-libvirt" | "systemd-nspawn" | "openvz" | "rkt" | "wsl" | "proot"
            | "pouch" | "container-other" => return Ok((Machine::Container, sign)),
            "" => {}
            _ => return Ok((Machine::Virtual, sign)),
        }
    }
    for sign in ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"] {
        if host.is_there(sign)? {
            return Ok((Machine::Container, sign.to_owned()));
        }
    }
    let processor = host.live("/proc/cpuinfo")?;
    if processor
        .lines()
        .any(|line| line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "hypervisor"))
    {
        return Ok((Machine::Virtual, "/proc/cpuinfo: hypervisor".to_owned()));
    }
    // Firmware says who made the machine; without it nobody can tell.
    let maker = host.live("/sys/class/dmi/id/sys_vendor")?;
    let virtual_makers = [
        "QEMU",
        "VMware",
        "innotek",
        "Xen",
        "KVM",
        "Parallels",
        "Bochs",
        "Amazon EC2",
        "Google",
        "DigitalOcean",
        "Hetzner",
    ];
    let machine = match virtual_makers.iter().any(|name| maker.contains(name)) {
        true => Machine::Virtual,
        false => Machine::Metal,
    };
    Ok((machine, format!("/sys/class/dmi/id/sys_vendor: {}", maker.trim())))
}

/// In a container what its host has to do doesn't apply, and why. Of files without a running system nobody can tell by looking
/// what they are of; they have what is asked for.
pub(crate) fn left_to_its_host(scene: &Scene, why: &str) -> Result<Option<Finding>, Missed> {
    match machine(scene) {
        Ok((Machine::Container, sign)) => {
            Ok(Some(Finding::not_applicable(format!("this is a container ({sign}): {why}"))))
        }
        Ok(_) | Err(Missed::NotRunning(_) | Missed::Absent(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
