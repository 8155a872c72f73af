//! Closing up the process that this is. The order matters: each step takes away what an earlier one needed.

use super::filter;
use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use mailward_core::limits::{SCANNER_CPU_MAX, SCANNER_MEMORY_MAX};
use nix::sys::resource::{Resource, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::fmt::Display;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;

/// The newest of Landlock's versions that is known here; of an older kernel as much as it has.
const LANDLOCK: ABI = ABI::V6;

/// Leaves this process nothing but the socket. Answers what the kernel hasn't got and is done without.
pub(super) fn confine(socket: &UnixStream) -> Result<Vec<String>, String> {
    nix::sys::prctl::set_no_new_privs().map_err(|e| failed("no-new-privileges", e))?;
    nix::sys::prctl::set_dumpable(false).map_err(|e| failed("closing it to other processes", e))?;
    let memory = address_space().map_err(|e| failed("/proc/self/statm", e))?;
    close_all_but(socket.as_raw_fd()).map_err(|e| failed("closing descriptors", e))?;
    let without = without_files()?;
    without_capabilities().map_err(|e| failed("giving up capabilities", e))?;
    let memory = memory.saturating_add(SCANNER_MEMORY_MAX);
    for (what, most) in [
        (Resource::RLIMIT_AS, memory),
        (Resource::RLIMIT_CPU, SCANNER_CPU_MAX),
        (Resource::RLIMIT_NOFILE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_MEMLOCK, 0),
    ] {
        setrlimit(what, most, most).map_err(|e| failed("limits of resources", e))?;
    }
    filter::filter(socket.as_raw_fd())?;
    Ok(without)
}

fn failed(what: &str, why: impl Display) -> String {
    format!("it can't close itself up ({what}): {why}")
}

/// Bytes of address space that this process has.
fn address_space() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').next().unwrap_or_default().parse().map_err(std::io::Error::other)?;
    Ok(pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX)))
}

/// Closes all other descriptors: also those that whoever started the server left open, and standard input, which is the same
/// socket.
fn close_all_but(kept: RawFd) -> std::io::Result<()> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) {
            open.push(number);
        }
    }
    for number in open.into_iter().filter(|number| *number != kept) {
        // The directory that was read is among them, and closed already.
        let _gone = nix::unistd::close(number);
    }
    Ok(())
}

/// No file, no port and no socket of others can be reached by name.
fn without_files() -> Result<Vec<String>, String> {
    let failed = |e: landlock::RulesetError| failed("landlock", e);
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(LANDLOCK)))
        .and_then(|rules| rules.scope(Scope::from_all(LANDLOCK)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.restrict_self())
        .map_err(failed)?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Vec::new(),
        RulesetStatus::PartiallyEnforced => vec!["some of landlock".to_owned()],
        RulesetStatus::NotEnforced => vec!["landlock".to_owned()],
    })
}

fn without_capabilities() -> std::io::Result<()> {
    let none = CapabilitySet::empty();
    let CapabilitySets { effective, permitted, inheritable } = capabilities(None)?;
    // Where there are none, the call itself may be one that this service mustn't make.
    if effective.union(permitted).union(inheritable) == none {
        return Ok(());
    }
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
