//! SPF against a DNS that is honest, hostile, slow, or gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

mod costs;
mod servers;
mod told;

use mailward_core::{Address, Domain, SpfResult, Timestamp};
use mailward_dns::Lookup;
use mailward_dns_zone::Records;
use mailward_inspect::spf::{SpfAsked, SpfOutcome, check_hello, check_host};

struct Client<'a> {
    ip: &'a str,
    hello: &'a str,
    from: &'a str,
}

const CLIENT: Client<'static> = Client { ip: "192.0.2.1", hello: "mail.example.org", from: "joe@example.org" };

impl Client<'_> {
    async fn at(&self, lookup: &dyn Lookup) -> SpfOutcome {
        let (sender, us) = (self.sender(), us());
        check_host(lookup, &self.asked(sender.as_ref(), &us)).await
    }
    async fn greeting(&self, lookup: &dyn Lookup) -> SpfOutcome {
        let (sender, us) = (self.sender(), us());
        check_hello(lookup, &self.asked(sender.as_ref(), &us)).await
    }
    fn sender(&self) -> Option<Address> {
        (!self.from.is_empty()).then(|| Address::parse(self.from, true).unwrap())
    }
    fn asked<'a>(&'a self, sender: Option<&'a Address>, us: &'a Domain) -> SpfAsked<'a> {
        SpfAsked { ip: self.ip.parse().unwrap(), hello: self.hello, sender, hostname: us, now: Timestamp::from_secs(7) }
    }
}

fn us() -> Domain {
    Domain::parse("us.example").unwrap()
}

/// Without a network, and with a clock that jumps over every wait.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

fn result(records: &Records) -> SpfResult {
    run(CLIENT.at(records)).result
}

fn one(record: &str) -> Records {
    Records::default().txt("example.org", record)
}
