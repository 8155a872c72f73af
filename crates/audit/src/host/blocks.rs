//! Whether what is written to a device is encrypted on its way to the disk.

use super::mounts::Mount;
use super::{Host, Missed};
use mailward_core::limits::AUDIT_DEVICE_DEPTH;

/// What is below a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Below {
    /// Every way down goes through dm-crypt.
    Encrypted,
    /// Some way doesn't.
    Plain,
    /// It is kept in memory only.
    Memory,
}

/// What is below a mounted file system.
///
/// # Errors
/// Also where the kernel doesn't say: a network's file system, ZFS, layers of a container.
pub(crate) fn below(host: &Host, mount: &Mount) -> Result<Below, Missed> {
    if mount.kind == "tmpfs" || mount.kind == "ramfs" {
        return Ok(Below::Memory);
    }
    let by_number = format!("/sys/dev/block/{}", mount.device);
    if host.is_there(&by_number)? {
        return of_device(host, &by_number, 0);
    }
    // Btrfs has a number of its own; its source is the device.
    match mount.source.strip_prefix("/dev/") {
        Some(_) => of_source(host, &mount.source),
        None => Err(Missed::Odd(
            mount.point.clone(),
            format!("what is below {} ({}) isn't known to the kernel's block devices", mount.source, mount.kind),
        )),
    }
}

/// What is below a device file such as `/dev/mapper/data` or `/dev/sda2`.
pub(crate) fn of_source(host: &Host, source: &str) -> Result<Below, Missed> {
    let name = source.rsplit('/').next().unwrap_or_default();
    if source.starts_with("/dev/mapper/") {
        for device in host.list("/sys/class/block")? {
            let named = host.text_if_there(&format!("/sys/class/block/{device}/dm/name"))?;
            if named.is_some_and(|named| named.trim() == name) {
                return of_device(host, &format!("/sys/class/block/{device}"), 0);
            }
        }
    }
    let path = format!("/sys/class/block/{name}");
    if name.is_empty() || !host.is_there(&path)? {
        return Err(Missed::Absent(source.to_owned()));
    }
    of_device(host, &path, 0)
}

fn of_device(host: &Host, path: &str, depth: usize) -> Result<Below, Missed> {
    if depth >= AUDIT_DEVICE_DEPTH {
        return Err(Missed::Odd(path.to_owned(), format!("more than {AUDIT_DEVICE_DEPTH} devices lie on each other")));
    }
    if host.text_if_there(&format!("{path}/dm/uuid"))?.is_some_and(|uuid| uuid.starts_with("CRYPT-")) {
        return Ok(Below::Encrypted);
    }
    if path.rsplit('/').next().is_some_and(|name| name.starts_with("zram")) {
        return Ok(Below::Memory);
    }
    let slaves = host.list_if_there(&format!("{path}/slaves"))?;
    for slave in &slaves {
        let slave = format!("/sys/class/block/{slave}");
        if of_device(host, &slave, depth.saturating_add(1))? == Below::Plain {
            return Ok(Below::Plain);
        }
    }
    Ok(if slaves.is_empty() { Below::Plain } else { Below::Encrypted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A device on a device, so many of them, the lowest encrypted.
    fn stacked(devices: usize) -> Result<Below, Missed> {
        let root = tempfile::tempdir().unwrap();
        let block = root.path().join("sys/class/block");
        for number in 0..devices {
            std::fs::create_dir_all(block.join(format!("d{number}/slaves/d{}", number + 1))).unwrap();
        }
        let lowest = block.join(format!("d{devices}/dm"));
        std::fs::create_dir_all(&lowest).unwrap();
        std::fs::write(lowest.join("uuid"), "CRYPT-LUKS2-1\n").unwrap();
        let host = Host::at(root.path(), true, Box::new(BTreeMap::new()));
        of_device(&host, "/sys/class/block/d0", 0)
    }

    #[test]
    fn devices_on_each_other_are_followed_so_far_and_no_farther() {
        assert_eq!(stacked(AUDIT_DEVICE_DEPTH - 1), Ok(Below::Encrypted));
        let missed = stacked(AUDIT_DEVICE_DEPTH).unwrap_err();
        assert!(missed.to_string().contains("lie on each other"), "{missed}");
    }
}
