//! What is forwarded, on the wire: from whom, what stands before it, what its signatures are worth then, and what comes back.

use super::house::{House, LANE};
use super::sink::{Plan, Sink};
use crate::{Forwarder, ForwarderParts};
use mailward_core::limits::{LOCAL_PART_MAX, SRS_KEPT_PER_DAY};
use mailward_core::{Address, Domain, Secret, Timestamp};
use mailward_directory::Dkim;
use mailward_dns_zone::Texts;
use mailward_gate::Srs;
use mailward_inspect::authenticate::{Reading, Verdict};
use mailward_message::dkim::ChainStatus;
use mailward_store::records::Queued;
use mailward_vault::Seal;
use mailward_vault::dkim::{Algorithm, Key, Signer, record};
use std::sync::Arc;

const ALIAS: &str = "out@s.example";
/// When the house stands.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn forwarded(queued: &mut Queued) {
    queued.envelope.forwarded = Some(Address::parse(ALIAS, false).unwrap());
    queued.envelope.needs.signature = false;
}

/// A house that forwards, and the DNS that has its keys.
async fn forwarding() -> (House, Arc<Texts>) {
    let (mut house, dns, secret) = (House::new().await, Arc::new(Texts::default()), Secret::new("server secret"));
    let (directory, shelf) = (house.directory.clone(), house.store.clone());
    let dkim = Dkim::new(directory.clone(), shelf.clone(), Seal::new(&secret).unwrap());
    for key in dkim.rotate(&Domain::parse("s.example").unwrap()).await.unwrap().0 {
        dns.put(&key.record.name, &key.record.value);
    }
    let forwarder = Forwarder::new(ForwarderParts {
        srs: Srs::new(&secret).unwrap(),
        dkim: Arc::new(dkim),
        directory,
        shelf,
        lookup: dns.clone(),
        hostname: Domain::parse("mx.s.example").unwrap(),
    });
    Arc::get_mut(&mut house.runner.shared).unwrap().forwarder = Some(Arc::new(forwarder));
    (house, dns)
}

/// A message that `c.example` signed, and its key.
fn signed(dns: &Texts) -> String {
    let key = Key::generate(Algorithm::RsaSha256).unwrap();
    dns.put("k._domainkey.c.example", &record(Algorithm::RsaSha256, &key.public().unwrap()));
    let signer = Arc::new(Signer::new(Domain::parse("c.example").unwrap(), vec![("k".to_owned(), Arc::new(key))]));
    let message = "From: ann@c.example\r\nSubject: x\r\n\r\nbody\r\n";
    let mut signing = signer.begin(NOW);
    signing.push(message.as_bytes()).unwrap();
    String::from_utf8(signing.finish().unwrap()).unwrap() + message
}

async fn read(text: &str, dns: &Texts) -> mailward_inspect::authenticate::Results {
    let mut reading = Reading::new();
    reading.push(text.as_bytes());
    reading.verify(dns, NOW).await
}

#[tokio::test]
async fn it_goes_out_from_us_sealed_and_as_its_author_signed_it() {
    let (house, dns) = forwarding().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    let text = format!("Return-Path: <ann@c.example>\r\nReceived: by us; now\r\n{}", signed(&dns));
    house.queue("ann@c.example", &["ok@t.example"], &text, forwarded).await;
    house.turn().await;
    let taken = sink.taken();
    let (sender, sent) = (&taken[0].sender, &taken[0].text);
    assert!(sender.starts_with("SRS0=") && sender.ends_with("=c.example=ann@s.example"), "{sender}");
    assert!(
        sent.starts_with("ARC-Seal: i=1; a=rsa-sha256; t=") && sent.contains("; cv=none;\r\n\td=s.example; s="),
        "{sent}"
    );
    let found =
        "ARC-Authentication-Results: i=1; mx.s.example;\r\n\tdkim=pass\r\n\theader.d=c.example header.s=k header.b=\"";
    assert!(sent.contains(found), "{sent}");
    assert!(
        sent.contains("\r\n\tarc=none\r\nDelivered-To: out@s.example\r\nReceived: by us; now\r\nDKIM-Signature:"),
        "{sent}"
    );
    assert!(
        !sent.contains("Return-Path") && sent.matches("DKIM-Signature: ").count() == 1,
        "its author isn't ours: {sent}"
    );
    let results = read(sent, &dns).await;
    assert_eq!(
        (results.dkim[0].verdict, results.arc.status),
        (Verdict::Pass, ChainStatus::Pass),
        "{}",
        results.arc.why
    );
    assert_eq!(results.arc.sealer, Some(Domain::parse("s.example").unwrap()));
    assert!(house.is_empty().await);
    // A signature that has run out while the message waited held when it came, and that is told.
    house
        .queue("ann@c.example", &["ok@t.example"], &text, |queued| {
            forwarded(queued);
            queued.envelope.expires = Timestamp(NOW.0 + 30 * 86_400_000);
            queued.recipients[0].due = Timestamp(NOW.0 + 8 * 86_400_000);
        })
        .await;
    house.forward(8 * 86_400_000);
    house.turn().await;
    assert!(sink.taken()[1].text.contains(found), "{}", sink.taken()[1].text);
}

#[tokio::test]
async fn a_chain_goes_on_and_ends_where_it_was_broken() {
    let (house, dns) = forwarding().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue("ann@c.example", &["ok@t.example"], &signed(&dns), forwarded).await;
    house.turn().await;
    let once = sink.taken()[0].text.clone();
    house.queue("ann@c.example", &["ok@t.example"], &once, forwarded).await;
    house.turn().await;
    let twice = sink.taken()[1].text.clone();
    assert!(twice.starts_with("ARC-Seal: i=2; ") && twice.contains("cv=pass"), "{twice}");
    assert_eq!(read(&twice, &dns).await.arc.status, ChainStatus::Pass);
    house.queue("ann@c.example", &["ok@t.example"], &twice.replace("body", "buddy"), forwarded).await;
    house.turn().await;
    let broken = sink.taken()[2].text.clone();
    assert!(broken.starts_with("ARC-Seal: i=3; ") && broken.contains("cv=fail"), "{broken}");
    assert!(broken.contains("dkim=fail reason=") && broken.contains("arc=fail reason="), "{broken}");
    house.queue("ann@c.example", &["ok@t.example"], &broken, forwarded).await;
    house.turn().await;
    assert!(sink.taken()[3].text.starts_with("Delivered-To: out@s.example\r\nARC-Seal: i=3; "), "nobody seals on");
}

#[tokio::test]
async fn what_bounces_goes_to_the_sender_and_not_to_where_it_was_rewritten() {
    let (house, dns) = forwarding().await;
    let (sink, senders) = (Sink::start(Plan::default()).await, Sink::start(Plan::default()).await);
    house.leads_to(LANE, &sink);
    house.leads_to("c.example", &senders);
    house.queue("ann@c.example", &["never@t.example"], &signed(&dns), forwarded).await;
    house.turn().await;
    house.turn().await;
    let bounces = senders.taken();
    assert_eq!((bounces.len(), bounces[0].sender.as_str()), (1, ""));
    assert_eq!(bounces[0].recipients, ["ann@c.example"]);
    assert!(bounces[0].text.contains("never heard of"), "{}", bounces[0].text);
    // Nobody has proved that they are the sender: what a stranger wrote isn't sent to them.
    assert!(bounces[0].text.contains("Subject: x") && !bounces[0].text.contains("body"), "{}", bounces[0].text);
}

#[tokio::test]
async fn a_bounce_that_comes_back_has_no_sender_and_a_long_sender_is_kept() {
    let (house, dns) = forwarding().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue("", &["ok@t.example"], &signed(&dns), forwarded).await;
    house.turn().await;
    assert_eq!(sink.taken()[0].sender, "");
    let long = format!("{}@c.example", "x".repeat(LOCAL_PART_MAX));
    house.queue(&long, &["ok@t.example"], &signed(&dns), forwarded).await;
    house.turn().await;
    let sender = sink.taken()[1].sender.clone();
    assert!(sender.starts_with("SRS0=") && sender.contains("=kept.invalid="), "{sender}");
    let name = sender.split(['=', '@']).nth(4).unwrap();
    let kept = house.runner.shared.forwarder.as_ref().unwrap().kept(name).await.unwrap();
    assert_eq!(kept.map(|kept| kept.to_string()), Some(long));
    assert_eq!(house.runner.shared.forwarder.as_ref().unwrap().kept("ABC").await.unwrap(), None);
}

#[tokio::test]
async fn without_keys_it_is_held_and_not_sent_unsealed() {
    let (house, dns) = forwarding().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house
        .queue("ann@c.example", &["ok@t.example"], &signed(&dns), |queued| {
            queued.envelope.forwarded = Some(Address::parse("out@bare.example", false).unwrap());
        })
        .await;
    house.turn().await;
    assert!(sink.taken().is_empty() && house.told("message.held"));
    let none = House::new().await;
    none.leads_to(LANE, &sink);
    none.queue("ann@c.example", &["ok@t.example"], &signed(&dns), forwarded).await;
    none.turn().await;
    assert!(sink.taken().is_empty() && none.told("message.held"), "nobody forwards there");
}

#[tokio::test]
async fn no_more_long_senders_are_kept_in_a_day_than_the_limit() {
    let (house, _dns) = forwarding().await;
    let forwarder = house.runner.shared.forwarder.clone().unwrap();
    let ours = Domain::parse("s.example").unwrap();
    let long = |number: u64| Address::parse(&format!("{number:0>LOCAL_PART_MAX$}@c.example"), false).unwrap();
    let rewritten = async |number, now| forwarder.rewritten(&long(number), &ours, now).await.unwrap();
    for number in 0..SRS_KEPT_PER_DAY {
        assert!(rewritten(number, NOW).await.is_some());
    }
    assert_eq!(rewritten(SRS_KEPT_PER_DAY, NOW).await, None, "it goes out from the null path");
    assert!(rewritten(0, NOW).await.is_some(), "who is kept already is no more to keep");
    let tomorrow = Timestamp::from_secs(NOW.secs() + 86_400);
    assert!(rewritten(SRS_KEPT_PER_DAY, tomorrow).await.is_some());
}
