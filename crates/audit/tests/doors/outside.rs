//! Controls that a peer's look answers: it passes, it fails for each reason, and it isn't told where nobody looked.

use crate::house::House;
use mailward_audit::probe::{Aim, INSIDE, Look, Peers, Port, PortSeen, PortState, Topic, Vantage, look};
use mailward_audit::{Check, Door, Finding, Host, Probe, Protocol, Scene, State, Verdict, all, find};
use mailward_core::limits::PROBE_VANTAGE_DAYS;
use mailward_core::{Clock as _, SystemClock, Timestamp};
use std::collections::BTreeMap;

const HOST: &str = "mx.example.org";
const ADDRESS: &str = "192.0.2.1";

fn seen(port: u16, role: Option<u16>, state: PortState) -> PortSeen {
    PortSeen { address: ADDRESS.parse().unwrap(), port, role, state, why: None }
}

/// A look in which 25 and 993 are open, and nothing else is.
async fn good() -> Look {
    let mut house = House::new();
    house.door(Protocol::Smtp, &[]).await;
    let ports = house.doors.iter().map(|door| Port { number: door.address.port(), role: Some(25) }).collect();
    let skip = vec![Topic::Doors, Topic::Tls, Topic::Relay, Topic::Mail, Topic::Users, Topic::Names];
    let aim = Aim { addresses: vec!["127.0.0.1".parse().unwrap()], ports, skip, rate: 200, ..Aim::at(HOST) };
    let mut look = look(&aim, &SystemClock, &mut ()).await.unwrap();
    look.addresses = vec![ADDRESS.parse().unwrap()];
    look.ports = INSIDE.iter().map(|(number, _)| seen(*number, None, PortState::Closed)).collect();
    look.ports.push(seen(25, Some(25), PortState::Open));
    look.ports.push(seen(993, Some(993), PortState::Open));
    look
}

fn at(look: &Look, days: i64) -> (String, Vantage) {
    let at = Timestamp(SystemClock.now().0 - days * 86_400_000);
    ("second".to_owned(), Vantage::of(look, at))
}

fn scene(looks: Vec<(String, Vantage)>) -> Scene {
    let door = |protocol, port| Door { protocol, address: ([127, 0, 0, 1], port).into(), name: HOST.to_owned() };
    Scene {
        peers: Peers { looks, refused: Vec::new() },
        state: Some(State { name: Some(HOST.to_owned()), ..State::default() }),
        doors: vec![door(Protocol::Smtp, 25), door(Protocol::Imaps, 993)],
        ..Scene::of(Host::ours(Box::new(BTreeMap::new())), SystemClock.now())
    }
}

fn asked(id: &str, scene: &Scene) -> Finding {
    match &find(id).unwrap().check {
        Check::Look(look) => look(scene),
        other => panic!("{id} is no look: {other:?}"),
    }
}

const OURS: [&str; 2] = ["NET-02", "NET-17"];

#[tokio::test]
async fn a_peer_that_saw_nothing_wrong_lets_them_pass() {
    for id in OURS {
        let found = asked(id, &scene(vec![at(&good().await, 1)]));
        assert_eq!(found.verdict, Verdict::Pass, "{id}: {}", found.said);
        assert!(!found.exhibits.is_empty(), "{id}");
    }
}

#[tokio::test]
async fn what_a_peer_found_open_or_shut_makes_them_fail() {
    let mut inside = good().await;
    inside.ports[0].state = PortState::Open;
    let mut strange = good().await;
    strange.ports.push(seen(995, Some(995), PortState::Open));
    let mut deaf = good().await;
    deaf.ports.retain(|port| port.port != 25);
    for (id, look, words) in [
        ("NET-17", &inside, "port 23 open (telnet)"),
        ("NET-02", &inside, "port 23 open, which is no door"),
        ("NET-02", &strange, "port 995 open, which is no door"),
        ("NET-02", &deaf, "can't bring mail to 192.0.2.1"),
    ] {
        // One peer that saw it is enough.
        let found = asked(id, &scene(vec![at(&good().await, 2), at(look, 1)]));
        assert_eq!(found.verdict, Verdict::Fail, "{id}: {}", found.said);
        assert!(found.said.contains(words), "{id}: {}", found.said);
    }
    // Another port than doors have is a matter of NET-02 alone.
    assert_eq!(asked("NET-17", &scene(vec![at(&strange, 1)])).verdict, Verdict::Pass);
}

#[tokio::test]
async fn nobody_knows_without_a_look_that_is_new_whole_and_about_this_host() {
    let mut other = good().await;
    (other.host, other.name) = ("mx.example.com".to_owned(), "mx.example.com".to_owned());
    let mut part = good().await;
    part.ports.retain(|port| port.role.is_some());
    let refused = Scene { peers: Peers { looks: Vec::new(), refused: vec!["a.json: no".to_owned()] }, ..scene(vec![]) };
    let nameless = Scene { state: Some(State::default()), ..scene(vec![at(&good().await, 1)]) };
    for id in OURS {
        for (scene, words) in [
            (&scene(vec![]), "no look from outside"),
            (&scene(vec![at(&good().await, i64::from(PROBE_VANTAGE_DAYS) + 1)]), "at most 30 days count"),
            (&scene(vec![at(&good().await, -1)]), "the newest look"),
            (&scene(vec![at(&other, 1)]), "no look from outside"),
            (&scene(vec![at(&part, 1)]), "no look from outside tried all"),
            (&refused, "a.json: no"),
            (&nameless, "doesn't say what it is called"),
            (&Scene { state: None, ..scene(vec![at(&good().await, 1)]) }, "doesn't run"),
        ] {
            let found = asked(id, scene);
            assert_eq!(found.verdict, Verdict::NotTested, "{id}: {}", found.said);
            assert!(found.said.contains(words), "{id}: {}", found.said);
        }
    }
    let doorless = Scene { doors: Vec::new(), ..scene(vec![at(&good().await, 1)]) };
    assert_eq!(asked("NET-02", &doorless).verdict, Verdict::NotTested);
}

#[test]
fn every_control_from_elsewhere_is_asked_here() {
    let ids: Vec<&str> =
        all().into_iter().filter(|control| control.probe == Probe::Outside).map(|control| control.id).collect();
    assert_eq!(ids, OURS);
}
