//! A host that uses up its own turns at the DNS forges nothing by it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests may stop at what isn't as it should be"
)]

use bytes::Bytes;
use mailward_core::limits::{
    INSPECT_LOOKUPS_AT_ONCE, INSPECT_LOOKUPS_PER_HOST_MAX, INSPECT_POLICIES_AT_ONCE, INSPECT_POLICIES_PER_HOST_MAX,
    LOOKUP_TURN_TIME,
};
use mailward_core::{Address, Network, Timestamp};
use mailward_dns::{InTurn, Turns};
use mailward_dns_zone::Records;
use mailward_inspect::authenticate::{Authentication, Lookups, Policy, check_by};
use mailward_inspect::{Action, Direction, Subject, Verdict};
use mailward_message::Structure;
use std::sync::Arc;
use std::time::Duration;

fn subject(message: &str) -> Subject {
    let bytes = Bytes::from(message.to_owned());
    Subject {
        trace: 0,
        structure: Arc::new(Structure::parse(&bytes)),
        bytes,
        id: "1".into(),
        direction: Direction::Incoming,
        client: Some("192.0.2.7".parse().unwrap()),
        hello: "x".into(),
        reverse: None,
        stranger: true,
        sender: Some(Address::parse("zoe@s.example", false).unwrap()),
        recipients: Arc::new([]),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: true,
        now: Timestamp(1_800_000_000_000),
    }
}

fn action(found: &Authentication) -> Action {
    Verdict { findings: found.findings() }.action_for(0)
}

/// Attacks D8: messages before name keys in zones of the attacker's, which answer after a long time; then policies there.
#[tokio::test(start_paused = true)]
async fn a_host_that_uses_up_its_own_turns_forges_no_domain_that_wants_refusal() {
    let zone = Records::default().txt("_dmarc.bank.example", "v=DMARC1; p=reject");
    let keys = Turns::new(INSPECT_LOOKUPS_AT_ONCE, INSPECT_LOOKUPS_PER_HOST_MAX);
    let policies = Turns::new(INSPECT_POLICIES_AT_ONCE, INSPECT_POLICIES_PER_HOST_MAX);
    let host = Network::host("192.0.2.7".parse().unwrap());
    let forged = subject("From: ceo@bank.example\r\nSubject: pay\r\n\r\nNow.\r\n");
    let found = async || {
        let in_turn = |turns| InTurn::new(&zone, turns, host, LOOKUP_TURN_TIME);
        let lookups = Lookups { keys: &in_turn(&keys), policies: &in_turn(&policies) };
        check_by(&forged, lookups, &Policy::default()).await.unwrap()
    };
    assert_eq!(action(&found().await), Action::Reject);
    let mut held = Vec::new();
    for _ in 0..INSPECT_LOOKUPS_PER_HOST_MAX {
        held.push(keys.take(Some(host), Duration::ZERO).await.unwrap());
    }
    assert_eq!(action(&found().await), Action::Reject, "policies don't wait for keys");
    for _ in 0..INSPECT_POLICIES_PER_HOST_MAX {
        held.push(policies.take(Some(host), Duration::ZERO).await.unwrap());
    }
    let busy = found().await;
    assert_eq!(action(&busy), Action::Defer, "it comes again");
    let finding = busy.findings().into_iter().find(|finding| finding.action == Action::Defer).unwrap();
    assert_eq!(finding.rule, "dmarc-temperror");
    held.clear();
    assert_eq!(action(&found().await), Action::Reject);
}
