//! How it is said in a message's header (RFC 8601).

use super::check::Authentication;
use mailward_core::Domain;

impl Authentication {
    /// What stands behind the colon of `Authentication-Results`, folded, without line end; the same may be sealed (ARC).
    #[must_use]
    pub fn text(&self, server: &Domain) -> String {
        let mut text = server.to_string();
        let mut add = |part: &str| {
            text.push_str(";\r\n\t");
            text.push_str(part);
        };
        if let Some(address) = self.reverse {
            add(&format!("iprev=pass policy.iprev={}", quoted_if_v6(address)));
        }
        if let Some(spf) = &self.spf {
            add(&spf.text());
        }
        self.results.write_dkim(&mut text);
        self.results.write_arc(&mut text);
        if let Some(dmarc) = &self.dmarc {
            text.push_str(";\r\n\t");
            text.push_str(&dmarc.text());
            if let Some(sealer) = &self.vouched {
                text.push_str(&format!("\r\n\t(vouched for by {sealer} under its seal)"));
            }
        }
        text
    }

    /// The whole field, with its line end. Fields of others in this name have to go: [`mailward_message::results::foreign`].
    #[must_use]
    pub fn field(&self, server: &Domain) -> String {
        format!("Authentication-Results: {}\r\n", self.text(server))
    }
}

/// A colon can't stand in a token (RFC 2045 §5.1).
fn quoted_if_v6(address: std::net::IpAddr) -> String {
    let address = address.to_canonical();
    if address.is_ipv6() { format!("\"{address}\"") } else { address.to_string() }
}
