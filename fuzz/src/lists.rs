//! Lines that name lists in the DNS, greetings, and names of addresses.

use mailward_core::Domain;
use mailward_core::config::{ListKind, ListLine};
use mailward_core::limits::{LIST_CODES_MAX, LIST_TIME_CONFIG_MAX, LIST_WEIGHT_MAX};
use mailward_gate::{Hello, Ours, is_generated, judge_hello};
use std::net::{IpAddr, Ipv4Addr};

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let kind = if steer & 1 == 0 { ListKind::Hosts } else { ListKind::Domains };
    if let Ok(line) = ListLine::parse(text, kind) {
        assert_eq!(ListLine::parse(&line.to_string(), kind).as_ref(), Ok(&line), "{line}");
        assert!(line.weight != 0 && line.weight.abs() <= LIST_WEIGHT_MAX);
        assert!(line.codes.len() <= LIST_CODES_MAX && line.within.as_secs() <= LIST_TIME_CONFIG_MAX);
        assert!(line.codes.is_empty() || !line.counts(Ipv4Addr::new(192, 0, 2, steer)));
    }
    let client = IpAddr::V4(Ipv4Addr::new(198, 51, 100, steer));
    let hostname = Domain::parse("mail.ours.example").expect("a domain");
    let is_local = |domain: &Domain| domain.as_str() == "ours.example";
    let ours = Ours { hostname: &hostname, is_local: &is_local, addresses: &[] };
    if let Hello::Name(name) = judge_hello(text, client, &ours) {
        assert!(name.as_str().contains('.') && name != hostname && !is_local(&name), "{name}");
        let _either = is_generated(&name, client);
    }
    if let Ok(name) = Domain::parse(text) {
        let _either = is_generated(&name, IpAddr::V6(Ipv4Addr::new(192, 0, 2, steer).to_ipv6_compatible()));
    }
}
