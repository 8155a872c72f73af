//! What the domain's DNS must say.

use crate::print::txt_record;
use mailward_core::Domain;
use mailward_directory::DkimInfo;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Records to copy into a zone file.
pub(super) fn records(domain: &Domain, hostname: &Domain, keys: &[DkimInfo]) -> String {
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
    for key in keys {
        let strings: Vec<&str> = key.record.strings.iter().map(String::as_str).collect();
        out.push_str(&format!("  {}\n", txt_record(&key.record.name, &strings)));
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
    use mailward_core::Timestamp;
    use mailward_directory::TxtRecord;
    use mailward_store::records::DkimState;

    #[test]
    fn a_zone_gets_an_mx_an_address_and_keys() {
        let domain = Domain::parse("example.org").unwrap();
        let strings = ["v=DKIM1; k=rsa; ", "p=AAAA"].map(str::to_owned).to_vec();
        let name = "mw-1-r._domainkey.example.org".to_owned();
        let key = DkimInfo {
            domain: domain.clone(),
            selector: "mw-1-r".to_owned(),
            algorithm: "rsa-sha256".to_owned(),
            state: DkimState::Active,
            created: Timestamp(0),
            since: Timestamp(0),
            until: None,
            record: TxtRecord { name, value: strings.concat(), strings },
        };
        let text = records(&domain, &Domain::parse("mx.example.org").unwrap(), &[key]);
        assert!(text.contains("example.org.  3600 IN MX 10 mx.example.org."));
        assert!(
            text.contains("  mw-1-r._domainkey.example.org.  3600 IN TXT \"v=DKIM1; k=rsa; \" \"p=AAAA\"\n"),
            "{text}"
        );
        assert!(text.contains("mx.example.org.  3600 IN A "));
    }
}
