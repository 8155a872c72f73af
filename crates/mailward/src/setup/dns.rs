//! What the domain's DNS must say.

use mailward_core::Domain;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Records to copy into a zone file.
pub(super) fn records(domain: &Domain, hostname: &Domain) -> String {
    let mut out = format!("  {domain}.  3600 IN MX 10 {hostname}.\n");
    let addresses: Vec<IpAddr> = ["192.0.2.1:9", "[2001:db8::1]:9"].iter().filter_map(|to| outgoing(to)).collect();
    if !addresses.iter().any(IpAddr::is_ipv4) {
        out.push_str(&format!("  {hostname}.  3600 IN A <this host's public IPv4 address>\n"));
    }
    for address in addresses {
        let (kind, note) = match address {
            IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() || v4.is_loopback() => {
                ("A", "   ; private: write the address that the Internet sees")
            }
            IpAddr::V4(_) => ("A", ""),
            IpAddr::V6(_) => ("AAAA", ""),
        };
        out.push_str(&format!("  {hostname}.  3600 IN {kind} {address}{note}\n"));
    }
    out.push_str(&format!("The address should resolve back to {hostname}: ask your provider for the PTR record.\n"));
    out
}

/// The address this host would use towards another; nothing is sent.
fn outgoing(to: &str) -> Option<IpAddr> {
    let to: SocketAddr = to.parse().ok()?;
    let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_gets_an_mx_and_an_address() {
        let text = records(&Domain::parse("example.org").unwrap(), &Domain::parse("mx.example.org").unwrap());
        assert!(text.contains("example.org.  3600 IN MX 10 mx.example.org."));
        assert!(text.contains("mx.example.org.  3600 IN A "));
    }
}
