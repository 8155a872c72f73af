//! Where mail of the audit's account goes, and of those who write to it: ports of loopback that the audit listens at.

use crate::control::desk::Desk;
use crate::failure::Failure;
use mailward_core::limits::AUDIT_LOCAL;
use mailward_core::{Address, Domain};
use mailward_directory::DirectoryError;
use mailward_directory::routes::{ForWhom, FromWhom, Leads, Route, RouteName, RouteTls};
use std::net::Ipv4Addr;

/// The domain of those addresses: one that there can't be (RFC 2606 §2).
const ELSEWHERE: &str = "mailward-audit.invalid";
/// What the routes are called that lead there, before a number.
const SINK_ROUTE: &str = "mailward-audit-";
/// How long a message to there is tried, seconds: no longer than an audit waits for it.
const SINK_LIFETIME: u64 = 60;
/// What an alias of the account has behind its local part.
const FORWARDS: &str = "-on";

/// The same as a domain.
pub(super) fn elsewhere() -> Result<Domain, Failure> {
    Domain::parse(ELSEWHERE).map_err(|error| bug(&error))
}

fn bug(error: &dyn std::fmt::Display) -> Failure {
    Failure::Bug(error.to_string())
}

/// Whether an alias is one of the audit's: it leads nowhere but to where there can't be anybody.
pub(crate) fn is_alias(alias: &Address, targets: &[Address]) -> bool {
    let is_elsewhere = |to: &Address| to.domain().is_some_and(|domain| domain.as_str() == ELSEWHERE);
    alias.local().as_str().starts_with(AUDIT_LOCAL) && targets.iter().all(is_elsewhere)
}

impl Desk {
    /// Only what that account writes to that address goes there, whatever other routes say.
    /// Each has a route, and so a lane, of its own: what waits in one is in nobody's way.
    pub(super) async fn canary_sink(&self, from: &Address, port: u16, demands_tls: bool) -> Result<String, Failure> {
        let tls = if demands_tls { RouteTls::StartTls } else { RouteTls::Opportunistic };
        let from = FromWhom::parse(&from.to_string()).map_err(|error| bug(&error))?;
        self.lead_to_sink(from, port, tls).await
    }

    /// What is forwarded has other senders than the account: whoever writes to there is led there.
    pub(super) async fn canary_forward(&self, account: &Address, port: u16) -> Result<String, Failure> {
        let to = self.lead_to_sink(FromWhom::Anybody, port, RouteTls::Opportunistic).await?;
        let to = Address::parse(&to, false).map_err(|error| bug(&error))?;
        let alias = format!("{}{FORWARDS}@{}", account.local().as_str(), account.host());
        let alias = Address::parse(&alias, false).map_err(|error| bug(&error))?;
        Ok(self.directory.put_alias(&alias, vec![to]).await?.address.to_string())
    }

    async fn lead_to_sink(&self, from: FromWhom, port: u16, tls: RouteTls) -> Result<String, Failure> {
        let to = format!("sink-{port}@{ELSEWHERE}");
        let words = ["host".to_owned(), format!("{}:{port}", Ipv4Addr::LOCALHOST)];
        let route = Route {
            name: RouteName::parse(&format!("{SINK_ROUTE}{port}")).map_err(|error| bug(&error))?,
            to: ForWhom::parse(&to).map_err(|error| bug(&error))?,
            from,
            leads: Leads::parse(&words, Some(tls), None).map_err(|error| bug(&error))?,
            lifetime: Some(SINK_LIFETIME),
            warn_after: Some(0),
        };
        self.routes.add(route, None).await?;
        Ok(to)
    }

    /// Takes them away, and what leads to them.
    pub(super) async fn close_sinks(&self) -> Result<(), Failure> {
        for alias in self.directory.list_aliases(None) {
            if is_alias(&alias.address, &alias.targets) {
                self.directory.remove_alias(&alias.address).await?;
            }
        }
        let is_ours = |route: &&Route| route.name.to_string().starts_with(SINK_ROUTE) && is_elsewhere(&route.to);
        let names: Vec<RouteName> =
            self.routes.table().routes().filter(is_ours).map(|route| route.name.clone()).collect();
        for name in names {
            match self.routes.remove(&name).await {
                Ok(()) | Err(DirectoryError::NoRoute(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }
}

/// Whether it is of an address in the domain that the audit writes to.
fn is_elsewhere(to: &ForWhom) -> bool {
    let ForWhom::Address(address) = to else { return false };
    address.domain().is_some_and(|domain| domain.as_str() == ELSEWHERE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::*;

    #[test]
    fn an_alias_that_leads_to_somebody_is_never_the_audit_s() {
        let of = |text: &str| Address::parse(text, false).unwrap();
        let alias = of(&format!("{AUDIT_LOCAL}19c3-on@example.test"));
        let sink = of("sink-25@mailward-audit.invalid");
        assert!(is_alias(&alias, std::slice::from_ref(&sink)));
        assert!(!is_alias(&alias, &[sink.clone(), of("eve@far.example")]));
        assert!(!is_alias(&of("board@example.test"), &[sink]));
    }
}
