//! The way by DNS, against signed and unsigned zones, up to the message that arrives or waits.

use super::house::House;
use super::sink::{Plan, Sink, Tls};
use crate::queue::{Guide as _, Host, MxGuide, Way};
use mailward_core::EnhancedStatus;
use mailward_dns::{Ourselves, Resolver};
use mailward_dns_zone::{Fault, Zone, Zones};
use mailward_store::records::Lane;
use mailward_tls::outbound::Proof;
use std::sync::Arc;

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

async fn guide(zones: &Zones, port: u16) -> MxGuide {
    let resolver = Resolver::new(&zones.config()).unwrap();
    MxGuide::new(Arc::new(resolver), Ourselves { loopback: true, ..Ourselves::default() }, port)
}

async fn way(guide: &MxGuide, lane: &str) -> Way {
    guide.way(&Lane::parse(lane).unwrap()).await
}

async fn only_host(guide: &MxGuide, lane: &str) -> Host {
    match way(guide, lane).await {
        Way::Hosts(hosts) if hosts.len() == 1 => hosts.into_iter().next().unwrap(),
        other => panic!("{lane}: {other:?}"),
    }
}

fn signed(port: u16, tlsa: &str) -> Zone {
    let text = format!(
        "@ 300 IN MX 10 mx.signed.
mx 300 IN A 127.0.0.1
_{port}._tcp.mx 300 IN TLSA {tlsa}
unusable 300 IN MX 10 mx2.signed.
mx2 300 IN A 127.0.0.1
_{port}._tcp.mx2 300 IN TLSA 1 1 1 {DIGEST}
bare 300 IN MX 10 mx3.signed.
mx3 300 IN A 127.0.0.1
nomail 300 IN MX 0 .
lost 300 IN MX 10 gone.signed.
two 300 IN MX 10 mx.signed.
two 300 IN MX 20 mx3.signed.
"
    );
    Zone::signed("signed.", &text)
}

#[tokio::test]
async fn what_a_host_must_prove_is_what_dane_demands() {
    let plain = Zone::plain(
        "plain.",
        &format!("@ 300 IN MX 10 mx.plain.\nmx 300 IN A 127.0.0.1\n_2525._tcp.mx 300 IN TLSA 3 1 1 {DIGEST}\n"),
    );
    let zones = Zones::start(&[signed(2525, &format!("3 1 1 {DIGEST}")), plain]).await;
    let guide = guide(&zones, 2525).await;
    let host = only_host(&guide, "signed").await;
    assert_eq!((host.name.as_str(), host.addresses[0].port()), ("mx.signed", 2525));
    let Proof::Dane(records, names) = host.proof else { panic!("{:?}", host.proof) };
    assert_eq!(records.len(), 1);
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["mx.signed", "signed"]);
    assert_eq!(only_host(&guide, "unusable.signed").await.proof, Proof::Encrypted);
    assert_eq!(only_host(&guide, "bare.signed").await.proof, Proof::Nothing);
    assert_eq!(only_host(&guide, "plain").await.proof, Proof::Nothing, "nothing proves these records");
}

#[tokio::test]
async fn there_is_no_way_for_good_or_none_now() {
    let zones = Zones::start(&[signed(2525, &format!("3 1 1 {DIGEST}"))]).await;
    let guide = guide(&zones, 2525).await;
    for (lane, code) in
        [("nomail.signed", "5.1.10"), ("nothing.signed", "5.1.2"), ("lost.signed", "5.4.4"), ("not.a_domain", "5.1.2")]
    {
        match way(&guide, lane).await {
            Way::Nowhere(status, _) => assert_eq!(status.to_string(), code, "{lane}"),
            other => panic!("{lane}: {other:?}"),
        }
    }
    // Whether the host has something to prove isn't known: it isn't used, and another is.
    zones.fault("_2525._tcp.mx.signed.", None, Fault::ServFail);
    match way(&guide, "signed").await {
        Way::Later(status, _) => assert_eq!(status, EnhancedStatus::of(4, 7, 5)),
        other => panic!("{other:?}"),
    }
    assert_eq!(only_host(&guide, "two.signed").await.name, "mx3.signed");
    zones.fault("bare.signed.", None, Fault::ServFail);
    match way(&guide, "bare.signed").await {
        Way::Later(status, _) => assert_eq!(status, EnhancedStatus::of(4, 4, 3)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_arrives_where_the_certificate_fits_the_dns_and_waits_where_it_does_not() {
    for fits in [true, false] {
        let sink = Sink::start(Plan { tls: Tls::Works, ..Plan::default() }).await;
        let digest = if fits { sink.certificate_digest() } else { DIGEST.to_owned() };
        let zones = Zones::start(&[signed(sink.port(), &format!("3 0 1 {digest}"))]).await;
        let house = House::by(Arc::new(guide(&zones, sink.port()).await)).await;
        house.queue("alice@s.example", &["u@signed"], "Subject: x\r\n\r\n", |_| {}).await;
        house.turn().await;
        if fits {
            assert!(sink.taken()[0].encrypted && house.is_empty().await);
        } else {
            let waiting = house.queued().await;
            let answer = waiting[0].recipients[0].answer.as_ref().unwrap();
            assert_eq!((answer.status, sink.taken().len()), (Some(EnhancedStatus::of(4, 7, 5)), 0));
        }
    }
}
