//! What domains and the administrator demand of TLS, up to the message that arrives or waits, and what is counted.

use super::house::House;
use super::sink::{Plan, Sink, Tls, acceptor, trusting};
use crate::queue::{MxGuide, Policies};
use mailward_core::SystemClock;
use mailward_core::event::Events;
use mailward_dns::{Lookup, Ourselves, Resolver};
use mailward_dns_zone::{Fault, Zone, Zones};
use mailward_store::records::{Needs, Shelf};
use mailward_store::{LocalStore, Options, ShelfStore as _};
use mailward_sts::*;
use mailward_tls::Wire;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ALICE: &str = "alice@s.example";
const TO: &str = "ok@t.example";
const TEXT: &str = "Subject: 1\r\n\r\n";
const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A web server that has this policy.
async fn policy_host(policy: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (acceptor, _) = acceptor("mta-sts.t.example");
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut wire) = Wire::tcp(stream).accept_tls(&acceptor).await else { continue };
            let mut request = [0; 4096];
            let _asked = wire.read(&mut request).await;
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", policy.len());
            let _gone = wire.write_all(format!("{head}{policy}").as_bytes()).await;
            let _gone = wire.shutdown().await;
        }
    });
    port
}

/// A domain with one host, its policies, and mail to it.
struct Street {
    sink: Sink,
    house: House,
    zones: Zones,
    required: Required,
    _dir: tempfile::TempDir,
}

#[derive(Default)]
struct Made<'a> {
    plan: Plan,
    /// Mode, and the host it names.
    sts: Option<(&'a str, &'a str)>,
    /// Data of a TLSA record in a signed zone; empty: the host's own.
    tlsa: Option<&'a str>,
    /// A signed zone, without TLSA records.
    signed: bool,
}

impl Street {
    async fn new(made: Made<'_>) -> Self {
        let sink = Sink::start(made.plan).await;
        let mut text = "@ 300 IN MX 10 mx.t.example.\nmx 300 IN A 127.0.0.1\nmta-sts 300 IN A 127.0.0.1\n".to_owned();
        let mut https_port = 1;
        if let Some((mode, mx)) = made.sts {
            https_port = policy_host(format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n")).await;
            text.push_str("_mta-sts 300 IN TXT \"v=STSv1; id=1;\"\n");
        }
        if let Some(digest) = made.tlsa {
            let own = sink.certificate_digest();
            let digest = if digest.is_empty() { &own } else { digest };
            text.push_str(&format!("_{}._tcp.mx 300 IN TLSA 3 0 1 {digest}\n", sink.port()));
        }
        let zone = match made.tlsa.is_some() || made.signed {
            true => Zone::signed("t.example.", &text),
            false => Zone::plain("t.example.", &text),
        };
        let zones = Zones::start(&[zone]).await;
        let dir = tempfile::tempdir().unwrap();
        let shelf = LocalStore::open(dir.path(), Options::default()).unwrap();
        let lookup: Arc<dyn Lookup> = Arc::new(Resolver::new(&zones.config()).unwrap());
        let sts = Sts::new(Parts {
            shelf: shelf.clone(),
            https: Https::new(Arc::clone(&lookup), trusting(), true),
            lookup: Arc::clone(&lookup),
            port: https_port,
            clock: Arc::new(SystemClock),
            events: Events::nowhere(),
        });
        let required = Required::new(shelf.clone());
        let ours = Ourselves { loopback: true, ..Ourselves::default() };
        let house = House::with(async |ledger| {
            let policies =
                Policies { sts: Some(Arc::new(sts)), required: Some(required.clone()), ledger: Some(ledger) };
            Arc::new(MxGuide::new(lookup, ours, sink.port()).with(policies))
        })
        .await;
        Self { sink, house, zones, required, _dir: dir }
    }

    async fn send(&self, needs: Needs) {
        self.house.queue(ALICE, &[TO], TEXT, |queued| queued.envelope.needs = needs).await;
        self.house.turn().await;
    }

    /// Whether it arrived, under TLS or not, or why it waits.
    async fn arrives(&self) -> Result<bool, String> {
        self.send(Needs::default()).await;
        match self.sink.taken().last() {
            Some(taken) => Ok(taken.encrypted),
            None => {
                let waiting = self.house.queued().await;
                let answer = waiting[0].recipients[0].answer.clone().unwrap();
                Err(format!("{} {}", answer.status.unwrap(), answer.text))
            }
        }
    }

    /// What is counted: kind of policy, successes, failures by kind.
    async fn counted(&self) -> Vec<(PolicyKind, u64, Vec<ResultType>)> {
        self.house.ledger.write(&*self.house.store).await.unwrap();
        let kept = self.house.store.shelf(Shelf::TlsReports, None, 10).await.unwrap();
        let Some(kept) = kept.first() else { return Vec::new() };
        let (_, domain, results) = Results::read(kept).unwrap();
        assert_eq!(domain.as_str(), "t.example");
        let told = |counted: &Counted| {
            let kinds = counted.details.iter().map(|(failure, _)| failure.result).collect();
            (counted.policy.kind, counted.success, kinds)
        };
        results.policies.iter().map(told).collect()
    }
}

fn plan(tls: Tls) -> Plan {
    Plan { tls, ..Plan::default() }
}

#[tokio::test]
async fn where_a_policy_is_enforced_only_hosts_that_fit_it_and_prove_it_get_mail() {
    let good =
        Street::new(Made { plan: plan(Tls::Works), sts: Some(("enforce", "*.t.example")), ..Made::default() }).await;
    assert_eq!(good.arrives().await, Ok(true));
    assert_eq!(good.counted().await, [(PolicyKind::Sts, 1, vec![])]);
    for (tls, mx, why, result) in [
        (Tls::OfAnother, "mx.t.example", "4.7.5 the server can't prove who it is", ResultType::CertificateHostMismatch),
        (Tls::No, "mx.t.example", "4.7.5 it doesn't offer TLS", ResultType::StarttlsNotSupported),
        (Tls::Refused, "mx.t.example", "4.7.5 it refused to start TLS", ResultType::StarttlsNotSupported),
        (Tls::Broken, "mx.t.example", "4.7.5 TLS handshake", ResultType::ValidationFailure),
        (
            Tls::Works,
            "mx2.t.example",
            "4.7.5 mx.t.example is no host of t.example by its MTA-STS policy",
            ResultType::ValidationFailure,
        ),
    ] {
        let street = Street::new(Made { plan: plan(tls), sts: Some(("enforce", mx)), ..Made::default() }).await;
        let waits = street.arrives().await.unwrap_err();
        assert!(waits.starts_with(why), "{tls:?}: {waits}");
        assert_eq!(street.counted().await, [(PolicyKind::Sts, 0, vec![result])], "{tls:?}");
    }
}

#[tokio::test]
async fn a_policy_on_trial_stops_nothing_and_is_counted() {
    for (tls, mx, results) in [
        (Tls::Works, "mx.t.example", vec![]),
        (Tls::OfAnother, "mx.t.example", vec![ResultType::CertificateHostMismatch]),
        (Tls::No, "mx.t.example", vec![ResultType::StarttlsNotSupported]),
        (Tls::Works, "mx2.t.example", vec![ResultType::ValidationFailure]),
    ] {
        let street = Street::new(Made { plan: plan(tls), sts: Some(("testing", mx)), ..Made::default() }).await;
        assert_eq!(street.arrives().await, Ok(tls != Tls::No));
        assert_eq!(street.counted().await, [(PolicyKind::Sts, u64::from(results.is_empty()), results)], "{tls:?} {mx}");
    }
}

#[tokio::test]
async fn a_policy_never_stands_in_for_dane() {
    // The records fit, and the policy names another host: DANE decides.
    let sts = Some(("enforce", "mx2.t.example"));
    let fits = Street::new(Made { plan: plan(Tls::Works), sts, tlsa: Some(""), ..Made::default() }).await;
    assert_eq!(fits.arrives().await, Ok(true));
    assert_eq!(fits.counted().await, [(PolicyKind::Tlsa, 1, vec![])]);
    // The other way round.
    let sts = Some(("enforce", "mx.t.example"));
    let made = Made { plan: plan(Tls::Works), sts, tlsa: Some(DIGEST), ..Made::default() };
    let other = Street::new(made).await;
    assert!(other.arrives().await.unwrap_err().starts_with("4.7.5"));
    assert_eq!(other.counted().await, [(PolicyKind::Tlsa, 0, vec![ResultType::TlsaInvalid])]);
    // Records that can't be looked up.
    let unknown = Street::new(Made { plan: plan(Tls::Works), sts, signed: true, ..Made::default() }).await;
    unknown.zones.fault(&format!("_{}._tcp.mx.t.example.", unknown.sink.port()), None, Fault::ServFail);
    assert!(unknown.arrives().await.unwrap_err().starts_with("4.7.5"));
    assert_eq!(unknown.counted().await, [(PolicyKind::Tlsa, 0, vec![ResultType::DnssecInvalid])]);
}

#[tokio::test]
async fn a_policy_that_can_t_be_had_is_counted_and_stops_nothing() {
    let made = Made { plan: plan(Tls::Works), sts: Some(("whatever", "mx.t.example")), ..Made::default() };
    let street = Street::new(made).await;
    assert_eq!(street.arrives().await, Ok(true));
    let counted = [(PolicyKind::Sts, 0, vec![ResultType::StsPolicyInvalid]), (PolicyKind::NoPolicyFound, 1, vec![])];
    assert_eq!(street.counted().await, counted);
}

#[tokio::test]
async fn what_the_administrator_demands_is_had_or_nothing_is_sent() {
    let names = |names: &[&str]| Demand::Verify { names: names.iter().map(|name| name.parse().unwrap()).collect() };
    for (demand, tls, arrives) in [
        (Demand::None, Tls::No, Ok(false)),
        (Demand::None, Tls::OfAnother, Ok(true)),
        (Demand::Encrypt, Tls::OfAnother, Ok(true)),
        (Demand::Encrypt, Tls::No, Err(())),
        (names(&[]), Tls::Works, Ok(true)),
        (names(&[]), Tls::OfAnother, Err(())),
        (names(&["other.example"]), Tls::OfAnother, Ok(true)),
        (names(&["third.example"]), Tls::Works, Err(())),
    ] {
        let street = Street::new(Made { plan: plan(tls), ..Made::default() }).await;
        street.required.set(&TlsPolicy { domain: "t.example".parse().unwrap(), demand: demand.clone() }).await.unwrap();
        let came = street.arrives().await;
        assert!(came.as_ref().err().is_none_or(|why| why.starts_with("4.7.5")), "{came:?}");
        assert_eq!(came.map_err(drop), arrives, "{demand:?} {tls:?}");
    }
}

#[tokio::test]
async fn mail_for_which_tls_needs_not_be_goes_where_other_mail_waits() {
    for (tls, mx) in [(Tls::OfAnother, "mx.t.example"), (Tls::No, "mx.t.example"), (Tls::Works, "mx2.t.example")] {
        let street = Street::new(Made { plan: plan(tls), sts: Some(("enforce", mx)), ..Made::default() }).await;
        street.send(Needs { tls_optional: true, ..Needs::default() }).await;
        assert_eq!(street.sink.taken().len(), 1, "{tls:?}");
        assert!(street.arrives().await.is_ok(), "the last that arrived is the first");
        assert_eq!((street.sink.taken().len(), street.house.queued().await.len()), (1, 1), "other mail waits");
    }
}

#[tokio::test]
async fn mail_for_which_tls_needs_not_be_is_not_let_off_what_the_administrator_demands() {
    let verify = |names: &[&str]| Demand::Verify { names: names.iter().map(|name| name.parse().unwrap()).collect() };
    let sts = Some(("enforce", "mx.t.example"));
    let unfit = Some(("enforce", "mx2.t.example"));
    for (sts, demand, tls, encrypted) in [
        (None, Demand::Encrypt, Tls::No, None),
        (None, Demand::Encrypt, Tls::Broken, None),
        (None, verify(&[]), Tls::OfAnother, None),
        (None, verify(&["third.example"]), Tls::Works, None),
        // What the domain demands beyond that is let off.
        (sts, Demand::Encrypt, Tls::No, None),
        (sts, Demand::Encrypt, Tls::OfAnother, Some(true)),
        (sts, verify(&[]), Tls::OfAnother, None),
        (sts, verify(&["other.example"]), Tls::OfAnother, Some(true)),
        (unfit, verify(&[]), Tls::Works, Some(true)),
        (unfit, verify(&[]), Tls::No, None),
        (sts, Demand::None, Tls::No, Some(false)),
    ] {
        let street = Street::new(Made { plan: plan(tls), sts, ..Made::default() }).await;
        street.required.set(&TlsPolicy { domain: "t.example".parse().unwrap(), demand: demand.clone() }).await.unwrap();
        street.send(Needs { tls_optional: true, ..Needs::default() }).await;
        let taken = street.sink.taken();
        assert_eq!(taken.first().map(|taken| taken.encrypted), encrypted, "{sts:?} {demand:?} {tls:?}");
    }
    // DANE likewise.
    let made = Made { plan: plan(Tls::OfAnother), tlsa: Some(DIGEST), ..Made::default() };
    let street = Street::new(made).await;
    let demand = Demand::Verify { names: Vec::new() };
    street.required.set(&TlsPolicy { domain: "t.example".parse().unwrap(), demand }).await.unwrap();
    street.send(Needs { tls_optional: true, ..Needs::default() }).await;
    assert_eq!((street.sink.taken().len(), street.house.queued().await.len()), (0, 1));
}

#[tokio::test]
async fn mail_for_which_tls_needs_not_be_opens_no_door_for_the_mail_behind_it() {
    let made = Made { plan: plan(Tls::OfAnother), sts: Some(("enforce", "mx.t.example")), ..Made::default() };
    let street = Street::new(made).await;
    let optional = Needs { tls_optional: true, ..Needs::default() };
    street.house.queue(ALICE, &[TO], "Subject: open\r\n\r\n", |queued| queued.envelope.needs = optional).await;
    street.house.queue(ALICE, &[TO], "Subject: closed\r\n\r\n", |_| {}).await;
    street.house.turn().await;
    let taken = street.sink.taken();
    assert!(taken.len() == 1 && taken[0].text.contains("open"), "{taken:?}");
}

#[tokio::test]
async fn what_must_travel_encrypted_goes_to_who_proves_it_and_promises_it() {
    let needs = Needs { require_tls: true, ..Needs::default() };
    let offers = Plan { tls: Tls::Works, offers: "REQUIRETLS", ..Plan::default() };
    let sts = Some(("enforce", "mx.t.example"));
    for made in [
        Made { plan: offers, sts, ..Made::default() },
        Made { plan: offers, tlsa: Some(""), ..Made::default() },
        // DNSSEC says who the host is, its certificate that this is it.
        Made { plan: offers, signed: true, ..Made::default() },
    ] {
        let street = Street::new(made).await;
        street.send(needs).await;
        assert!(street.sink.taken()[0].encrypted);
    }
    for (made, why) in [
        (Made { plan: plan(Tls::Works), sts, ..Made::default() }, "doesn't promise"),
        // Anybody may have told us that this is the host.
        (Made { plan: offers, ..Made::default() }, "can't prove"),
        (Made { plan: plan(Tls::No), ..Made::default() }, "can't prove"),
        (Made { plan: Plan { tls: Tls::OfAnother, ..offers }, signed: true, ..Made::default() }, "can't prove"),
    ] {
        let street = Street::new(made).await;
        street.send(needs).await;
        assert_eq!(street.sink.taken().len(), 0);
        let bounce = street.house.inbox(ALICE).await.remove(0);
        assert!(bounce.contains("Status: 5.7.30") && bounce.replace("\r\n ", " ").contains(why), "{bounce}");
        assert!(!bounce.contains("message/rfc822\r\n"), "its content doesn't come back");
    }
    // Who can't be asked now may be as it has to be: it waits, and the others aren't held up.
    let street = Street::new(Made { plan: Plan { tls: Tls::OfAnother, ..offers }, sts, ..Made::default() }).await;
    street.send(needs).await;
    let waiting = street.house.queued().await;
    assert_eq!(waiting[0].recipients[0].answer.as_ref().unwrap().status.unwrap().to_string(), "4.7.5");
    assert_eq!(street.house.lane("t.example").await.blocked, None);
}
