//! Listening sockets, and whose they are.

use super::{Host, Missed, Transport, processes};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket that waits for strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) inode: u64,
    /// The process that holds it; `None`: this run may not see.
    pub(crate) owner: Option<u32>,
    /// Its name, if it is known.
    pub(crate) name: String,
}

impl Socket {
    /// Whether only this host reaches it.
    pub(crate) fn is_inside(&self) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.address)?;
        match self.owner {
            Some(pid) => write!(f, " ({}, process {pid})", self.name),
            None => Ok(()),
        }
    }
}

/// The sockets that listen, with their owners as far as this run may see them.
pub(crate) fn listening(host: &Host) -> Result<Vec<Socket>, Missed> {
    host.listening()
}

pub(super) fn look(host: &Host) -> Result<Vec<Socket>, Missed> {
    let mut found = Vec::new();
    for (file, transport) in
        [("tcp", Transport::Tcp), ("tcp6", Transport::Tcp), ("udp", Transport::Udp), ("udp6", Transport::Udp)]
    {
        // Without IPv6 there are no such files.
        let Some(text) = processes::gone(host.live(&format!("/proc/net/{file}")))? else { continue };
        let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty());
        for line in lines {
            let socket = socket(line, transport)
                .ok_or_else(|| Missed::Odd(format!("/proc/net/{file}"), "a line that nobody can read".to_owned()))?;
            found.extend(socket);
        }
    }
    let owners = owners(host)?;
    for socket in &mut found {
        if let Some((pid, name)) = owners.get(&socket.inode) {
            (socket.owner, socket.name) = (Some(*pid), name.clone());
        }
    }
    Ok(found)
}

/// Where the TCP connections of a process lead that are established.
pub(crate) fn connected(host: &Host, pid: u32) -> Result<Vec<SocketAddr>, Missed> {
    let held: Vec<u64> = processes::descriptors(host, pid)?.iter().filter_map(|descriptor| inode(descriptor)).collect();
    let mut found = Vec::new();
    for file in ["tcp", "tcp6"] {
        let text = processes::gone(host.live(&format!("/proc/net/{file}")))?.unwrap_or_default();
        found.extend(
            text.lines().skip(1).filter_map(connection).filter(|(inode, _)| held.contains(inode)).map(|(_, to)| to),
        );
    }
    Ok(found)
}

/// A line of `/proc/net/tcp` of a connection that is established (TCP_ESTABLISHED is 1): its inode, and where it leads.
fn connection(line: &str) -> Option<(u64, SocketAddr)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    (*fields.get(3)? == "01").then_some(())?;
    Some((fields.get(9)?.parse().ok()?, address(fields.get(2)?)?))
}

/// A line of `/proc/net/tcp` or its like. `Some(None)`: it doesn't wait for strangers.
pub(crate) fn socket(line: &str, transport: Transport) -> Option<Option<Socket>> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, remote, state) = (fields.get(1)?, fields.get(2)?, fields.get(3)?);
    let waits = match transport {
        // TCP_LISTEN; of UDP a socket without a peer.
        Transport::Tcp => *state == "0A",
        Transport::Udp => *state == "07" && remote.ends_with(":0000"),
    };
    let address = address(local)?;
    let inode = fields.get(9)?.parse().ok()?;
    Some(waits.then(|| Socket { transport, address, inode, owner: None, name: String::new() }))
}

/// `0100007F:0019`: words of 32 bits in the machine's order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let hex = ip.get(at.checked_mul(8)?..at.checked_add(1)?.checked_mul(8)?)?;
        Some(u32::from_str_radix(hex, 16).ok()?.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0_u8; 16];
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            for (to, from) in bytes.iter_mut().zip(words.iter().flatten()) {
                *to = *from;
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Who holds which socket; those of others can't be seen without root's rights.
fn owners(host: &Host) -> Result<BTreeMap<u64, (u32, String)>, Missed> {
    let mut owners = BTreeMap::new();
    for pid in processes::all(host)? {
        let descriptors = match processes::descriptors(host, pid) {
            Err(Missed::NoRight(_)) => continue,
            other => other?,
        };
        let name = || {
            let name = host.live(&format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim().to_owned()
        };
        for descriptor in descriptors {
            if let Some(inode) = inode(&descriptor) {
                owners.entry(inode).or_insert_with(|| (pid, name()));
            }
        }
    }
    Ok(owners)
}

/// The number of `socket:[123]`.
pub(crate) fn inode(descriptor: &str) -> Option<u64> {
    descriptor.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
