//! From where an administrator works: the other end of the ssh session that a command is given in.
//!
//! `sudo` and `su -` take SSH_CONNECTION out of the environment; it still stands in that of a process further up.

use std::io::Read as _;
use std::net::IpAddr;

/// Processes above this one that are looked at: a shell in an editor in a multiplexer in a shell, and more.
const PARENTS: usize = 16;
/// Largest environment that is read, bytes.
const ENVIRONMENT: u64 = 1024 * 1024;

/// The address, if this runs in an ssh session.
pub(super) fn administrator() -> Option<IpAddr> {
    let mut pid = std::process::id();
    for _ in 0..PARENTS {
        if let Some(found) = environment(pid).as_deref().and_then(address) {
            return Some(found);
        }
        pid = parent(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        if pid <= 1 {
            return None;
        }
    }
    None
}

/// `None` if it is somebody else's and we may not look.
fn environment(pid: u32) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let file = std::fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(ENVIRONMENT).read_to_end(&mut all).ok()?;
    Some(all)
}

/// The first word of SSH_CONNECTION or SSH_CLIENT (ssh(1)).
fn address(environment: &[u8]) -> Option<IpAddr> {
    let mut variables = environment.split(|byte| *byte == 0).filter_map(|one| std::str::from_utf8(one).ok());
    let value =
        variables.find_map(|one| one.strip_prefix("SSH_CONNECTION=").or_else(|| one.strip_prefix("SSH_CLIENT=")))?;
    // A link-local address has its link after it.
    let first = value.split([' ', '%']).next()?;
    first.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// The fourth field of /proc/PID/stat (proc(5)). The second is in parentheses and may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_other_end_of_an_ssh_session_is_found_in_an_environment() {
        for (text, found) in [
            ("HOME=/root\0SSH_CONNECTION=192.0.2.7 51234 198.51.100.1 22\0", Some("192.0.2.7")),
            ("SSH_CLIENT=2001:db8::7 51234 22\0X=1", Some("2001:db8::7")),
            ("SSH_CONNECTION=fe80::1%eth0 1 fe80::2%eth0 22", Some("fe80::1")),
            ("SSH_CONNECTION=::ffff:192.0.2.7 1 ::1 22", Some("192.0.2.7")),
            ("XSSH_CONNECTION=192.0.2.7 1 1 1\0", None),
            ("SSH_CONNECTION=\0", None),
            ("", None),
        ] {
            assert_eq!(address(text.as_bytes()), found.map(|ip| ip.parse().unwrap()), "{text:?}");
        }
    }

    #[test]
    fn a_process_whose_name_looks_like_the_rest_of_the_line_has_a_parent() {
        assert_eq!(parent("4711 (bash) S 4242 4711 0\n"), Some(4_242));
        assert_eq!(parent("4711 (a) S 1 (b) S 4242 4711 0\n"), Some(4_242));
        assert_eq!(parent("4711 (bash"), None);
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_eq!(parent(&own), Some(std::os::unix::process::parent_id()));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(SSH_CONNECTION=)?.{0,40}") {
            let _ = (address(text.as_bytes()), parent(&text));
        }
    }
}
