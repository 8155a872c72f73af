//! Rights of the process: as few as do, as early as possible. All of it before the first thread starts, because
//! Linux keeps rights by thread.

use crate::failure::Failure;
use mailward_core::config::Loaded;
use mailward_core::limits::DESCRIPTORS_BESIDES;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, User, getegid, geteuid, initgroups, setgid, setgroups, setuid};
use std::ffi::CString;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What we make is ours alone.
pub(crate) fn private_files() {
    umask(Mode::from_bits_truncate(0o077));
}

/// Raises the limit of open files for the connections that the configuration allows, and answers how many it will
/// be.
pub(crate) fn raise_open_files(loaded: &Loaded, notes: &mut Vec<String>) -> Result<usize, Failure> {
    let wanted = loaded.config.limits.connections;
    let besides = besides(loaded.config.queue.connections);
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(besides);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| Failure::sys("limit of open files", e))?;
    if soft >= needed {
        return Ok(wanted);
    }
    if hard >= needed || geteuid().is_root() {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed));
        if raised.is_ok() {
            return Ok(wanted);
        }
    }
    let got = hard.max(soft);
    if got > soft {
        setrlimit(Resource::RLIMIT_NOFILE, got, hard).map_err(|e| Failure::sys("limit of open files", e))?;
    }
    let fits = usize::try_from(got.saturating_sub(besides)).unwrap_or(wanted).max(1);
    notes.push(
        loaded
            .fault(
                "limits.connections",
                format!("this process may open {got} files only (ulimit -n): {fits} connections at once"),
            )
            .to_string(),
    );
    Ok(fits)
}

/// Files that are open besides connections that come in: connections to other servers, and everything else.
fn besides(outgoing: usize) -> u64 {
    DESCRIPTORS_BESIDES.saturating_add(u64::try_from(outgoing).unwrap_or(u64::MAX))
}

/// Tries for more connections while running, beside so many to other servers, and answers how many there is room for.
pub(crate) fn open_files_for(connections: usize, outgoing: usize) -> usize {
    let besides = besides(outgoing);
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(besides);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1 };
    let got = soft.max(needed.min(hard));
    let raised = got == soft || setrlimit(Resource::RLIMIT_NOFILE, got, hard).is_ok();
    let have = if raised { got } else { soft };
    usize::try_from(have.saturating_sub(besides)).unwrap_or(connections).clamp(1, connections.max(1))
}

/// The user that the configuration names, if it names one.
pub(crate) fn configured_user(loaded: &Loaded) -> Result<Option<User>, Failure> {
    let name = &loaded.config.user;
    if name.is_empty() {
        return Ok(None);
    }
    match User::from_name(name).map_err(|e| Failure::sys(format!("user {name}"), e))? {
        Some(user) if user.uid.is_root() => Err(loaded
            .fault("user", "is root itself; make another: useradd --system --shell /usr/sbin/nologin mailward")
            .into()),
        Some(user) => Ok(Some(user)),
        None => Err(loaded
            .fault("user", format!("there is no such user; make it: useradd --system --shell /usr/sbin/nologin {name}"))
            .into()),
    }
}

/// Whether a path leads through a directory of the user that we will become: it could lead root elsewhere. What is made
/// there is made as this user.
pub(crate) fn leads_through_the_server_s(loaded: &Loaded, path: &Path) -> Result<bool, Failure> {
    if !geteuid().is_root() {
        return Ok(false);
    }
    let Some(user) = configured_user(loaded)? else { return Ok(false) };
    let mut above = path.ancestors().skip(1);
    Ok(above.any(|above| above.metadata().is_ok_and(|status| status.uid() == user.uid.as_raw())))
}

/// Started as root: becomes the configured user, for good. Otherwise nothing changes. Either way no program that
/// we might start could gain rights.
pub(crate) fn give_up(loaded: &Loaded, notes: &mut Vec<String>) -> Result<(), Failure> {
    nix::sys::prctl::set_no_new_privs().map_err(|e| Failure::sys("no-new-privileges", e))?;
    if !geteuid().is_root() {
        return without_network_admin().map_err(|e| Failure::io("giving up CAP_NET_ADMIN", e));
    }
    let Some(user) = configured_user(loaded)? else {
        notes.push("runs as root, because user = \"\" in the configuration says so".to_owned());
        return Ok(());
    };
    let name = CString::new(user.name.as_str()).map_err(|e| Failure::Bug(e.to_string()))?;
    become_user(&name, user.uid, user.gid)
}

/// Who the server is once it has given up its rights.
pub(crate) fn server_user(loaded: &Loaded) -> Result<(Uid, Gid), Failure> {
    let configured = if geteuid().is_root() { configured_user(loaded)? } else { None };
    Ok(configured.map_or_else(|| (geteuid(), getegid()), |user| (user.uid, user.gid)))
}

/// Nobody but root can look into this process, and as one that isn't root it gains no rights. It may have the server's user,
/// and more rights than the server.
pub(crate) fn closed_to_others() -> std::io::Result<()> {
    nix::sys::prctl::set_dumpable(false)?;
    if !geteuid().is_root() {
        nix::sys::prctl::set_no_new_privs()?;
    }
    Ok(())
}

/// Gives up the right to change networks and firewalls, which only the supervisor may have been started with, and programs
/// that this thread starts with it. For good. A root that stays root keeps it.
pub(crate) fn without_network_admin() -> std::io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
    let CapabilitySets { mut effective, mut permitted, mut inheritable } = capabilities(None)?;
    if !permitted.contains(CapabilitySet::NET_ADMIN) && !inheritable.contains(CapabilitySet::NET_ADMIN) {
        return Ok(());
    }
    for set in [&mut effective, &mut permitted, &mut inheritable] {
        set.remove(CapabilitySet::NET_ADMIN);
    }
    // What isn't permitted can't stay ambient (capabilities(7)).
    Ok(set_capabilities(None, CapabilitySets { effective, permitted, inheritable })?)
}

/// A command started as root that works on a data directory becomes its owner, so that the server can read and
/// write what is made.
pub(crate) fn become_owner_of(data: &Path) -> Result<(), Failure> {
    private_files();
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = data.metadata().map_err(|e| Failure::io(data.display(), e))?;
    if owner.uid() == 0 {
        return Ok(());
    }
    let failed = |e| Failure::sys(format!("becoming the owner of {}", data.display()), e);
    setgroups(&[]).map_err(failed)?;
    setgid(Gid::from_raw(owner.gid())).map_err(failed)?;
    setuid(Uid::from_raw(owner.uid())).map_err(failed)
}

fn become_user(name: &CString, uid: Uid, gid: Gid) -> Result<(), Failure> {
    let failed = |e| Failure::sys(format!("becoming user {}", name.to_string_lossy()), e);
    initgroups(name, gid).map_err(failed)?;
    setgid(gid).map_err(failed)?;
    setuid(uid).map_err(failed)?;
    // If there were a way back, all of this would be worth nothing.
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(Failure::Bug("rights of root could be taken back".to_owned()));
    }
    Ok(())
}
