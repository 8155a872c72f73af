//! A look at the host: what will work but not well is told, not refused.

use mailward_core::Domain;
use mailward_core::limits::DISK_FREE_MIN;
use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How long the resolver may think.
const RESOLVER_TIME: Duration = Duration::from_secs(4);

/// What an administrator should know before the first mail.
pub(super) fn notes(hostname: &Domain, data: &Path) -> Vec<String> {
    [disk(data), name(hostname)].into_iter().flatten().collect()
}

/// Under the watermark no mail is taken.
fn disk(data: &Path) -> Option<String> {
    let there = data.ancestors().find(|p| p.exists())?;
    let status = nix::sys::statvfs::statvfs(there).ok()?;
    let free = status.blocks_available().saturating_mul(status.fragment_size());
    // Ten times the watermark is a small mail server's month.
    (free < DISK_FREE_MIN.saturating_mul(10)).then(|| {
        format!(
            "{} has {} left; under {} no mail is taken",
            there.display(),
            crate::print::bytes(free),
            crate::print::bytes(DISK_FREE_MIN)
        )
    })
}

/// Other servers look the name up, and some refuse mail from names that lead nowhere.
fn name(hostname: &Domain) -> Option<String> {
    let (tell, told) = sync_channel(1);
    let question = (hostname.as_str().to_owned(), 0);
    // The system's resolver knows no time limit: whoever waits too long for it goes on without it.
    std::thread::spawn(move || {
        tell.send(question.to_socket_addrs().map(|all| all.map(|a| a.ip()).collect::<Vec<_>>()))
    });
    match told.recv_timeout(RESOLVER_TIME) {
        Ok(Ok(addresses)) if addresses.iter().any(|address| mailward_sts::is_public(*address)) => None,
        Ok(Ok(addresses)) => {
            let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Some(format!("{hostname} leads to {}, which the Internet can't reach", listed.join(", ")))
        }
        Ok(Err(_)) => Some(format!("{hostname} has no address in the DNS yet")),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Some("this host's resolver doesn't answer: see /etc/resolv.conf".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_this_host_alone_is_told() {
        let note = name(&Domain::parse("localhost").unwrap()).unwrap();
        assert!(note.starts_with("localhost leads to "), "{note}");
    }

    #[test]
    fn a_directory_that_isn_t_there_yet_lies_on_some_disk() {
        let dir = tempfile::tempdir().unwrap();
        // Whether there is a note depends on the disk; that there is an answer doesn't.
        let _note = disk(&dir.path().join("a/b/c"));
    }
}
