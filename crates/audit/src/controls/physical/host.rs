//! What the host tells of where it stands and what it is made of.

use super::hardware;
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::Missed;
use crate::host::reading::{
    Answer, Demands, Ini, base, blocks, holding, left_to_its_host, looks_like, machine, mounts, named, tell, units,
};
use crate::scene::{Machine, Scene};
use std::collections::BTreeSet;

const PHYSICAL: Control = base(Area::Physical);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "PHY-01",
        weight: 2,
        question: "Is it known what kind of machine this is, and does it look like what it is said to be?",
        why: "Half of this area is the provider's on a rented machine, and yours on your own. Who doesn't know takes care of neither.",
        verified: "systemd-detect-virt, /proc/cpuinfo and /sys/class/dmi; what the audit was told counts before them, but for a kind of \
                   which less is asked than of what it looks like.",
        mend: "Say it: audit.machine in mailward.toml is \"metal\", \"virtual\" or \"container\"; then `mailward reload`.",
        source: "Lynis, tests of virtual machines",
        check: Check::Look(|scene| tell(is_known(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-02",
        weight: 10,
        question: "Are mail, queue, database and logs on encrypted disks?",
        why: "Whoever carries a disk away, or buys it used, reads every mail on it.",
        verified: "For the data directory and /var/log: every way down from the mounted file system goes through dm-crypt \
                   (/sys/dev/block, slaves, dm/uuid).",
        mend: "Move the data to a LUKS volume: cryptsetup luksFormat, a line in /etc/crypttab, mount it at the data directory.",
        source: "Lynis CRYP-7930; ISO/IEC 27001 Annex A, storage media and cryptography",
        check: Check::Look(|scene| tell(disks_are_encrypted(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-03",
        question: "Is swap encrypted, or is there none?",
        why: "What was in memory, passwords and keys among it, lies on the disk in clear for as long as nobody writes over it.",
        verified: "Every line of /proc/swaps is below dm-crypt or in compressed memory.",
        mend: "`swapoff -a`, take the line out of /etc/fstab; or give swap a random key in /etc/crypttab: swap DEVICE /dev/urandom swap.",
        source: "Lynis CRYP-7931",
        check: Check::Look(|scene| tell(swap_is_encrypted(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-04",
        question: "Did the firmware check what it started (UEFI, Secure Boot)?",
        why: "Without it, whoever was at the machine once can start a changed kernel that asks for the disk's passphrase and keeps it.",
        verified: "/sys/firmware/efi is there, and the variable SecureBoot is 1.",
        mend: "Turn Secure Boot on in the firmware's settings; Debian's shim and kernel are signed.",
        source: "Lynis BOOT-5116",
        check: Check::Look(|scene| tell(boot_is_secure(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-05",
        question: "Does the boot loader ask for a password before its settings are changed?",
        why: "Otherwise whoever has the keyboard adds `init=/bin/sh` and is root.",
        verified: "password_pbkdf2 in grub.cfg, which nobody but root reads; of systemd-boot, `editor no`.",
        mend: "grub-mkpasswd-pbkdf2; set superusers and password_pbkdf2 in /etc/grub.d/40_custom; update-grub; chmod 600 /boot/grub/grub.cfg.",
        source: "Lynis BOOT-5122, BOOT-5184",
        check: Check::Look(|scene| tell(boot_loader_asks(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-06",
        question: "Does rescue mode ask for root's password?",
        why: "A restart and one word at the console would make anybody root.",
        verified: "rescue.service and emergency.service start sulogin, and nothing forces it to let everybody in.",
        mend: "Remove drop-ins with SYSTEMD_SULOGIN_FORCE or a shell from /etc/systemd/system/rescue.service.d and emergency.service.d.",
        source: "Lynis AUTH-9308, BOOT-5260",
        check: Check::Look(|scene| tell(rescue_asks(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-07",
        question: "Are USB and FireWire disks kept out?",
        why: "A stick in the machine takes the mail along, or brings something.",
        verified: "modprobe's files replace usb-storage and firewire-sbp2 by nothing and neither is in /proc/modules; or usbguard blocks \
                   what it doesn't know.",
        mend: "Write `install usb-storage /bin/false` and `install firewire-sbp2 /bin/false` into /etc/modprobe.d/no-disks.conf; modprobe -r usb-storage.",
        source: "Lynis STRG-1846 and its USB tests; ISO/IEC 27001 Annex A, storage media",
        check: Check::Look(|scene| tell(sticks_are_out(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-08",
        weight: 2,
        question: "Is the console closed to passers-by?",
        why: "A console that logs itself in, that restarts the machine by three keys, or that stays open for days is an open door.",
        verified: "No getty with --autologin, ctrl-alt-del.target masked, TMOUT set for shells.",
        mend: "systemctl mask ctrl-alt-del.target; write `readonly TMOUT=900; export TMOUT` into /etc/profile.d/timeout.sh; remove autologin drop-ins.",
        source: "SCAP Security Guide for Debian",
        check: Check::Look(|scene| tell(console_is_closed(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-09",
        weight: 2,
        question: "Does the chassis notice when it is opened?",
        why: "Somebody who opened the machine may have left something in it, or taken something out.",
        verified: "/sys/class/hwmon/*/intrusion*_alarm, or ipmitool's sensors of physical security.",
        mend: "Look at the machine, then reset the alarm: echo 0 > the file shown. Without a sensor, seal the chassis and answer for it.",
        source: "ISO/IEC 27001 Annex A, physical security monitoring",
        check: Check::Look(|scene| tell(hardware::chassis_is_closed(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-10",
        question: "Does mail outlast a power cut?",
        why: "Without a battery every power cut is a crash, and one in many takes a disk along.",
        verified: "apcaccess or `upsc ups@localhost`: on line, with at least five minutes of battery.",
        mend: "Attach an uninterruptible power supply and install nut or apcupsd; name it `ups` in /etc/nut/ups.conf.",
        source: "ISO/IEC 27001 Annex A, supporting utilities",
        check: Check::Look(|scene| tell(hardware::power_is_kept(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-11",
        weight: 2,
        question: "Are temperature, fans and voltages within their limits?",
        why: "A fan that stands still is a machine that stands still, some days later.",
        verified: "/sys/class/hwmon: no alarm, no temperature at its critical limit, no fan below its least speed.",
        mend: "Clean or replace what is named; keep a history with a monitoring tool.",
        source: "ISO/IEC 27001 Annex A, equipment siting",
        check: Check::Look(|scene| tell(hardware::climate_is_good(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-12",
        weight: 10,
        question: "Are all disks healthy and all arrays whole?",
        why: "An array with one disk left is one fault from losing all mail.",
        verified: "/proc/mdstat, `zpool status -x`, `smartctl -H -j` of every drive.",
        mend: "Replace the disk that is named: mdadm --manage MD --fail and --remove, then --add the new one. Install smartmontools.",
        source: "ISO/IEC 27001 Annex A, equipment maintenance",
        check: Check::Look(|scene| tell(hardware::disks_are_healthy(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-13",
        question: "Is the management processor (BMC, IPMI) away from the Internet?",
        why: "It is a second computer that can do everything to this one, with a history of open doors.",
        verified: "`ipmitool lan print`: its address is a private one.",
        mend: "Give it an address of a network for administrators only: ipmitool lan set 1 ipaddr ADDRESS.",
        source: "ISO/IEC 27001 Annex A, segregation of networks",
        check: Check::Look(|scene| tell(hardware::management_is_private(scene))),
        ..PHYSICAL
    },
    Control {
        id: "PHY-14",
        weight: 2,
        question: "Is the disks' key sealed in this machine's TPM?",
        why: "A key in a file beside the disk is no key; a passphrase that nobody is there to type keeps the machine down.",
        verified: "/sys/class/tpm has one, and every line of /etc/crypttab uses it.",
        mend: "systemd-cryptenroll --tpm2-device=auto DEVICE; add tpm2-device=auto to its line in /etc/crypttab. Or write down who types the passphrase.",
        source: "systemd-cryptenroll; Lynis CRYP-8006",
        check: Check::Look(|scene| tell(key_is_sealed(scene))),
        ..PHYSICAL
    },
];

/// What a container leaves to the host below it.
fn below_us(scene: &Scene) -> Result<Option<Finding>, Missed> {
    left_to_its_host(scene, "its host starts the kernel, and is audited by itself")
}

fn is_known(scene: &Scene) -> Answer {
    let (machine, sign) = machine(scene)?;
    let kind = |machine| match machine {
        Machine::Metal => "a machine of its own",
        Machine::Virtual => "a virtual machine",
        Machine::Container => "a container",
    };
    // What isn't asked there isn't talked away.
    if let Ok((other, sign)) = looks_like(&scene.host)
        && leaves_out(machine) > leaves_out(other)
    {
        let told =
            format!("it is said to be {}, of which less is asked, and looks like {}", kind(machine), kind(other));
        return Ok(Finding::fail(told).showing("kind of machine", sign));
    }
    Ok(Finding::pass(format!("this is {}", kind(machine))).showing("kind of machine", sign))
}

/// How much isn't asked of it.
const fn leaves_out(machine: Machine) -> u8 {
    match machine {
        Machine::Metal => 0,
        Machine::Virtual => 1,
        Machine::Container => 2,
    }
}

fn disks_are_encrypted(scene: &Scene) -> Answer {
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("what file systems are on".to_owned()));
    }
    let mounts = mounts(host)?;
    let mut demands = Demands::default();
    for path in [host.ours_here().data.as_str(), "/var/log"] {
        let mount = holding(&mounts, path).ok_or_else(|| Missed::Absent(format!("what {path} is on")))?;
        let below = blocks::below(host, mount)?;
        demands.ask(below != blocks::Below::Plain, format!("{path} is on {}, which isn't encrypted", mount.source));
        demands.show(path, format!("{} → {below:?}", mount.line));
    }
    Ok(demands.finding("mail and logs are on encrypted devices"))
}

fn swap_is_encrypted(scene: &Scene) -> Answer {
    let host = &scene.host;
    let text = host.live("/proc/swaps")?;
    let mut demands = Demands::default();
    demands.show("/proc/swaps", text.as_str());
    for line in text.lines().skip(1) {
        let mut fields = line.split_whitespace();
        let (Some(name), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let below = if kind == "file" {
            let mounts = mounts(host)?;
            let mount = holding(&mounts, name).ok_or_else(|| Missed::Absent(format!("what {name} is on")))?;
            blocks::below(host, mount)?
        } else {
            blocks::of_source(host, name)?
        };
        demands.ask(below != blocks::Below::Plain, format!("{name} is written to the disk in clear"));
    }
    let good = if demands.is_empty() { "there is no swap" } else { "swap is encrypted" };
    Ok(demands.finding_of_all(good))
}

fn boot_is_secure(scene: &Scene) -> Answer {
    if let Some(finding) = below_us(scene)? {
        return Ok(finding);
    }
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("how it was started".to_owned()));
    }
    if !host.is_there("/sys/firmware/efi")? {
        return Ok(
            Finding::fail("it was started by a BIOS, which checks nothing").showing("/sys/firmware/efi", "isn't there")
        );
    }
    let path = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let value = host.read(path)?;
    // Four bytes of attributes, then the value (UEFI §8.2).
    Ok(match value.get(4) {
        Some(1) => Finding::pass("Secure Boot is on"),
        Some(_) => Finding::fail("Secure Boot is off"),
        None => return Err(Missed::Odd(path.to_owned(), "it is too short".to_owned())),
    }
    .showing(path, format!("{value:?}")))
}

fn boot_loader_asks(scene: &Scene) -> Answer {
    if let Some(finding) = below_us(scene)? {
        return Ok(finding);
    }
    let host = &scene.host;
    let mut demands = Demands::default();
    for path in ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"] {
        let Some(text) = host.text_if_there(path)? else { continue };
        let asks = text.lines().map(str::trim).any(|line| line.starts_with("password_pbkdf2 "));
        let mode = host.stat(path)?.mode;
        demands.ask(asks, format!("{path} has no password_pbkdf2"));
        demands.ask(mode & 0o077 == 0, format!("{path} has mode {mode:04o}, so others read the password's hash"));
        demands.show(path, format!("mode {mode:04o}, password_pbkdf2: {asks}"));
    }
    if demands.is_empty() {
        let path = "/boot/loader/loader.conf";
        let text = host.text(path)?;
        let locked = text.lines().map(str::split_whitespace).any(|mut words| {
            words.next() == Some("editor")
                && words.next().is_some_and(|word| ["no", "0", "false", "off"].contains(&word))
        });
        demands.ask(locked, format!("{path} lets everybody edit how the kernel is started"));
        demands.show(path, text);
    }
    Ok(demands.finding("the boot loader asks for a password"))
}

fn rescue_asks(scene: &Scene) -> Answer {
    if let Some(finding) = below_us(scene)? {
        return Ok(finding);
    }
    let mut demands = Demands::default();
    for unit in ["rescue.service", "emergency.service"] {
        let Some(ini) = Ini::layered(&scene.host, &units::DIRECTORIES, unit)? else {
            return Err(Missed::Absent(unit.to_owned()));
        };
        let starts = ini.all("Service", "ExecStart").join("\n");
        let asks = !starts.is_empty() && starts.lines().all(|line| line.contains("sulogin"));
        let forced = starts.contains("--force")
            || ini.all("Service", "Environment").iter().any(|value| value.contains("SYSTEMD_SULOGIN_FORCE=1"));
        demands.ask(asks && !forced, format!("{unit} lets everybody in"));
        demands.show(unit, starts);
    }
    Ok(demands.finding_of_all("rescue and emergency mode ask for root's password"))
}

const MODPROBE: [&str; 5] =
    ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

fn sticks_are_out(scene: &Scene) -> Answer {
    if let Some(finding) = below_us(scene)? {
        return Ok(finding);
    }
    let host = &scene.host;
    if let Some(text) = host.text_if_there("/etc/usbguard/usbguard-daemon.conf")?
        && text.lines().any(|line| line.trim() == "ImplicitPolicyTarget=block")
        && units::enabled(host)?.0.contains("usbguard.service")
    {
        return Ok(
            Finding::pass("usbguard blocks what it doesn't know").showing("/etc/usbguard/usbguard-daemon.conf", text)
        );
    }
    let mut replaced = BTreeSet::new();
    let mut demands = Demands::default();
    for directory in MODPROBE {
        for path in host.files_in(directory, &[".conf"])? {
            let text = host.text(&path)?;
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let ["install", module, "/bin/false" | "/bin/true" | "/usr/bin/false" | "/usr/bin/true"] =
                    words.as_slice()
                {
                    replaced.insert(module.replace('_', "-"));
                    demands.show(path.as_str(), line);
                }
            }
        }
    }
    let loaded = if host.is_running() { host.live("/proc/modules")? } else { String::new() };
    for module in ["usb-storage", "firewire-sbp2"] {
        let is_loaded = loaded
            .lines()
            .any(|line| line.split_whitespace().next().is_some_and(|name| name.replace('_', "-") == module));
        demands.ask(replaced.contains(module), format!("{module} may be loaded"));
        if is_loaded {
            demands.ask(false, format!("{module} is loaded"));
        }
    }
    Ok(demands.finding("USB and FireWire disks can't be attached"))
}

fn console_is_closed(scene: &Scene) -> Answer {
    if let Some(finding) = below_us(scene)? {
        return Ok(finding);
    }
    let host = &scene.host;
    let mut demands = Demands::default();
    let mut automatic = Vec::new();
    for name in host.list("/etc/systemd/system")? {
        if name.contains("getty@") && name.ends_with(".d") {
            for path in host.files_in(&format!("/etc/systemd/system/{name}"), &[".conf"])? {
                if host.text(&path)?.contains("--autologin") {
                    automatic.push(path);
                }
            }
        }
    }
    demands.ask(automatic.is_empty(), format!("the console logs itself in: {}", named(&automatic)));
    let masked = units::is_masked(host, "ctrl-alt-del.target")?;
    demands.ask(masked, "Ctrl-Alt-Del restarts the machine: ctrl-alt-del.target isn't masked");
    demands.show("ctrl-alt-del.target", if masked { "masked" } else { "not masked" });
    let timeout = crate::controls::access::shell_timeout(host)?;
    demands.ask(timeout.is_some(), "shells stay open forever: TMOUT isn't set, or to more than 15 minutes");
    demands.show("TMOUT", timeout.unwrap_or_default());
    Ok(demands.finding("nobody gets in by the console without a password"))
}

fn key_is_sealed(scene: &Scene) -> Answer {
    if let Some(finding) = below_us(scene)? {
        return Ok(finding);
    }
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("/sys/class/tpm".to_owned()));
    }
    let has_tpm = !host.list_if_there("/sys/class/tpm")?.is_empty();
    let text = host.text_if_there("/etc/crypttab")?.unwrap_or_default();
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    // Swap with a new key at each start needs none to be kept.
    let kept: Vec<&&str> =
        lines.iter().filter(|line| !line.contains("/dev/urandom") && !line.contains("/dev/random")).collect();
    let sealed = kept.iter().filter(|line| line.contains("tpm2-device=")).count();
    let finding = if kept.is_empty() {
        Finding::fail("no disk is unlocked by a key that is kept: /etc/crypttab has none")
    } else if sealed == kept.len() && has_tpm {
        Finding::pass("every disk's key is sealed in the TPM")
    } else if sealed > 0 {
        Finding::of(
            if has_tpm { sealed } else { 0 },
            kept.len(),
            format!("{sealed} of {} disks are unlocked by the TPM", kept.len()),
        )
    } else {
        Finding::not_tested("disks are unlocked by a passphrase or a file; who keeps it can't be seen from here")
    };
    Ok(finding.showing("/sys/class/tpm", if has_tpm { "there is one" } else { "there is none" }))
}
