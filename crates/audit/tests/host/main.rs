//! The host's controls, on a made-up host on which everything is as it should be, and of which each test spoils one thing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

mod hostile;
mod limits;
mod made;
mod spoiled;
mod unknown;

use made::{good, look};
use mailward_audit::{Control, Machine, Probe, Verdict, all};
use std::collections::BTreeSet;

/// Every control that looks at the host.
fn of_the_host() -> Vec<&'static Control> {
    all().into_iter().filter(|control| control.probe == Probe::Host).collect()
}

#[test]
fn a_good_host_passes_everything_and_shows_what_was_seen() {
    let made = good();
    let scene = made.scene();
    let mut failed = Vec::new();
    for control in of_the_host() {
        let finding = look(&scene, control.id);
        let wanted = if control.id == "PRV-09" { Verdict::NotApplicable } else { Verdict::Pass };
        if finding.verdict != wanted {
            failed.push(format!("{}: {:?}: {}", control.id, finding.verdict, finding.said));
        } else if wanted == Verdict::Pass {
            assert!(!finding.exhibits.is_empty(), "{} shows nothing", control.id);
        }
        assert!(!finding.said.is_empty(), "{} says nothing", control.id);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_control_is_spoiled_once_and_unknown_once() {
    let ids: BTreeSet<&str> = of_the_host().iter().map(|control| control.id).collect();
    let spoiled: BTreeSet<&str> = spoiled::SPOILED.iter().map(|(id, ..)| *id).collect();
    let unknown: BTreeSet<&str> = unknown::UNKNOWN.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids.difference(&spoiled).count(), 0, "{:?}", ids.difference(&spoiled).collect::<Vec<_>>());
    assert_eq!(ids.difference(&unknown).count(), 0, "{:?}", ids.difference(&unknown).collect::<Vec<_>>());
    assert_eq!(spoiled.difference(&ids).count() + unknown.difference(&ids).count(), 0);
    assert!(ids.len() >= 60, "{}", ids.len());
}

#[test]
fn no_secret_of_the_host_is_shown() {
    let mut made = good();
    made.edit("/proc/700/environ", "LC_ALL=C", "SMTP_PASSWORD=hunter2");
    made.edit("/proc/700/cmdline", "serve", "serve\0--api-token=hunter2\0--secret\0hunter2");
    made.edit("/etc/apt/sources.list.d/debian.sources", "http://deb", "http://ada:hunter2@deb");
    made.file("/etc/apt/sources.list", "deb [trusted=yes] https://ada:hunter2@example.org/ ./\n");
    made.edit("/etc/mailward/mailward.toml", "name", "# hunter2\nname");
    let scene = made.scene();
    for control in of_the_host() {
        let finding = look(&scene, control.id);
        for secret in ["hunter2", "$y$j9T", "$6$", "grub.pbkdf2"] {
            assert!(!finding.said.contains(secret), "{} says {secret}", control.id);
            for exhibit in &finding.exhibits {
                assert!(!String::from_utf8_lossy(&exhibit.output).contains(secret), "{} shows {secret}", control.id);
            }
        }
    }
}

#[test]
fn no_secret_of_a_host_that_does_not_run_is_shown() {
    let mut made = good();
    made.said.running = false;
    made.file("/etc/fstab", "//files/mail /var/lib/mailward cifs nodev,username=a,password=hunter2 0 0\n");
    let finding = made.finds("FIL-02");
    assert!(finding.exhibits.iter().all(|exhibit| !String::from_utf8_lossy(&exhibit.output).contains("hunter2")));
    assert!(finding.verdict.is_failure() && !finding.said.contains("hunter2"), "{finding:?}");
}

#[test]
fn what_only_ones_own_metal_has_does_not_apply_elsewhere() {
    for (machine, ids) in [
        (Machine::Virtual, &["PHY-09", "PHY-10", "PHY-11", "PHY-13", "PAT-09", "PRV-09"][..]),
        (
            Machine::Container,
            &[
                "PHY-04", "PHY-05", "PHY-06", "PHY-07", "PHY-08", "PHY-09", "PHY-10", "PHY-11", "PHY-12", "PHY-13",
                "PHY-14", "LOG-01", "LOG-05", "LOG-06", "PAT-09", "PAT-13", "PRV-04", "PRV-07",
            ],
        ),
    ] {
        let mut made = good();
        made.said.machine = Some(machine);
        let scene = made.scene();
        for control in of_the_host() {
            let finding = look(&scene, control.id);
            let applies = finding.verdict != Verdict::NotApplicable;
            assert_eq!(applies, !ids.contains(&control.id), "{} {machine:?}: {}", control.id, finding.said);
            assert!(applies || finding.said.contains("this is"), "{}: {}", control.id, finding.said);
        }
    }
}

#[test]
fn what_is_not_installed_does_not_apply() {
    let mut made = good();
    made.remove("/usr/sbin/sshd");
    assert_eq!(made.finds("OSA-01").verdict, Verdict::NotApplicable);
    let mut made = good();
    made.remove("/usr/bin/sudo");
    made.remove("/etc/sudoers");
    assert_eq!(made.finds("OSA-05").verdict, Verdict::NotApplicable);
}

#[test]
fn of_two_families_of_addresses_the_worse_one_counts() {
    let mut made = good();
    for family in ["ip", "ip6"] {
        for id in ["NET-03", "NET-04"] {
            let spoil =
                |made: &mut made::Made| made.says_otherwise(mailward_audit::Program::NftRuleset, "inet", family);
            let found = made.spoiled(spoil, |scene| look(scene, id));
            assert_eq!(found.verdict, mailward_audit::Verdict::Fail, "{id}, {family} alone: {}", found.said);
        }
    }
}

#[test]
fn a_machine_is_known_by_what_it_looks_like() {
    let mut made = good();
    made.said.machine = None;
    let mut of = |spoil: fn(&mut made::Made)| made.spoiled(spoil, |scene| look(scene, "PHY-01").said);
    use mailward_audit::Program::DetectVirt;
    assert_eq!(of(|made| made.says(DetectVirt, "none\n")), "this is a machine of its own");
    assert_eq!(of(|made| made.says(DetectVirt, "kvm\n")), "this is a virtual machine");
    assert_eq!(of(|made| made.says(DetectVirt, "docker\n")), "this is a container");
    assert_eq!(of(|made| made.file("/.dockerenv", "")), "this is a container");
    assert_eq!(of(|made| made.file("/proc/cpuinfo", "flags\t\t: fpu hypervisor\n")), "this is a virtual machine");
    let with_vendor = of(|made| {
        made.file("/proc/cpuinfo", "flags\t\t: fpu\n");
        made.file("/sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
    });
    assert_eq!(with_vendor, "this is a machine of its own");
}

#[test]
fn a_container_that_is_closed_passes_and_one_that_is_not_fails() {
    let mut made = good();
    made.said.machine = Some(Machine::Container);
    made.edit("/proc/self/mountinfo", "/ / rw,relatime", "/ / ro,relatime");
    made.file("/proc/self/uid_map", "         0     100000      65536\n");
    let mut container = |spoil: fn(&mut made::Made)| made.spoiled(spoil, |scene| look(scene, "PRV-09"));
    let finding = container(|_| ());
    assert_eq!(finding.verdict, Verdict::Pass, "{}", finding.said);
    for (spoil, says) in [
        (
            (|made| made.edit("/proc/700/status", "CapBnd:\t0000000000000400", "CapBnd:\t000001ffffffffff"))
                as fn(&mut made::Made),
            "privileged",
        ),
        (|made| made.file("/run/docker.sock", ""), "docker.sock"),
        (|made| made.edit("/proc/self/mountinfo", "/ / ro", "/ / rw"), "can be written"),
        (|made| made.file("/proc/self/uid_map", "         0          0 4294967295\n"), "namespace"),
    ] {
        let finding = container(spoil);
        assert!(finding.verdict.is_failure() && finding.said.contains(says), "{finding:?}");
    }
}
