//! Every parser of what a host's files and programs say and of what an audit kept, on any bytes: for fuzzing and property tests. A
//! host that was broken into writes what it likes.

use super::{
    Transport, accounts, apt, debian_version, ini, mounts, nft, packages, processes, settings, sockets, sshd, sudo,
    units,
};
use std::collections::BTreeMap;

/// Gives the bytes to all of them, and says what must hold.
///
/// # Panics
/// Where something doesn't hold that must.
pub fn all(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _chains = nft::parse(bytes);
    if let Ok(accounts) = accounts::parse_passwd(&text) {
        assert!(accounts.iter().all(|account| !account.name.is_empty()), "an account without a name");
    }
    let mut known = BTreeMap::new();
    apt::parse(&text, &mut known);
    assert!(known.keys().all(|key| *key == key.to_ascii_lowercase()), "a name that isn't found by its lower case");
    let _sources = apt::many_lines(&text);
    let installed = packages::installed_of(&text);
    assert!(installed.len() <= packages::paragraphs(&text).count(), "more packages than paragraphs");
    packages::newest_in(&text, &mut BTreeMap::new());
    let _hashes = packages::hashes_of(&text);
    let _spoken = sshd::spoken(&text);
    let ini = ini::Ini::parse(&text);
    assert!(ini.all("Service", "Environment").iter().all(|value| !value.is_empty()), "an empty element of a list");
    let mut sudo = sudo::Sudo::default();
    let _included = sudo.take("/etc/sudoers", &text);
    let _settings = (settings::written(&text, "net.ipv4.ip_forward"), units::shown(&text), processes::status(&text));
    let _carriers = (crate::controls::logs::rsyslog(&text), crate::controls::logs::syslog_ng(&text));
    let _firmware = crate::controls::patches::outdated(bytes);
    let _first = crate::controls::logs::first_time(&text);
    crate::evidence::reads(bytes);
    let given = crate::report::given_away(&text);
    // What is part of another word is none.
    for name in ["ada@canary.example", "192.0.2.77"] {
        assert!(given.matches(name).count() <= text.matches(name).count(), "a name that stands for itself");
    }
    if let Some(host) = crate::controls::filtering::linked_host(&text) {
        assert!(!host.contains(['\r', '\n', ' ']), "a host that begins another field");
    }
    for line in text.lines() {
        let _head = crate::controls::logs::head_time(line);
        if let Some(key) = crate::controls::access::ssh::key(line) {
            assert_eq!(
                key.bits.is_some(),
                key.kind == "ssh-rsa",
                "bits of a key that has none, or none of one that has"
            );
        }
        let _mounts = (mounts::mounted(line), mounts::to_mount(line), apt::one_line(line));
        let _scheme = accounts::scheme(line);
        let _socket =
            (sockets::socket(line, Transport::Tcp), sockets::inode(line), processes::limit(line, "Max core file size"));
        if let Some((keyword, _)) = sshd::line(line) {
            assert!(!keyword.chars().any(|c| c.is_ascii_uppercase()), "a keyword that isn't found by its lower case");
        }
        let (half, other) = line.split_at_checked(line.len().div_euclid(2)).unwrap_or((line, ""));
        assert_eq!(debian_version::compare(half, other), debian_version::compare(other, half).reverse(), "no order");
        let _fits = sshd::fits(half.as_bytes(), other.as_bytes());
    }
}
