//! The audit knocks at the doors of a real server.

use crate::support::*;
use mailward_audit::knock::Anchors;
use mailward_audit::{Account, Control, Door, Host, Probe, Protocol, Scene, State, Statements, Verdict, all, run};
use mailward_core::{Clock as _, Secret, SystemClock, shutdown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The doors that the demo has open.
fn doors(ready: &Value) -> Vec<Door> {
    let listed = [
        ("smtp", Protocol::Smtp),
        ("submission", Protocol::Submission),
        ("submissions", Protocol::Submissions),
        ("imap", Protocol::Imap),
        ("imaps", Protocol::Imaps),
        ("pop3", Protocol::Pop3),
        ("pop3s", Protocol::Pop3s),
    ];
    let door = |(name, protocol)| Door {
        protocol,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port(ready, name))),
        name: "localhost".to_owned(),
    };
    listed.into_iter().map(door).collect()
}

fn scene(ready: &Value) -> Scene {
    let address = ready["users"][0]["address"].as_str().unwrap().to_owned();
    let domain = address.rsplit('@').next().unwrap().to_owned();
    let ca = std::fs::read(ready["ca"].as_str().unwrap()).unwrap();
    Scene {
        host: Host::ours(Box::new(BTreeMap::new())),
        doors: doors(ready),
        anchors: Anchors::only(&ca),
        canary: Some(Account { address, password: Secret::new(ready["users"][0]["password"].as_str().unwrap()) }),
        names: None,
        state: Some(State { domains: vec![domain], ..State::default() }),
        statements: Statements::default(),
        machine: None,
        now: SystemClock.now(),
    }
}

/// Whatever else is found, no hole is: the server is made so that these pass wherever it stands.
#[test]
fn every_hole_that_can_be_seen_at_the_doors_is_shut() {
    let (mut server, ready) = Server::demo();
    let controls: Vec<&'static Control> = all().into_iter().filter(|control| control.probe == Probe::Doors).collect();
    assert!(controls.len() >= 28, "{}", controls.len());
    let scene = Arc::new(scene(&ready));
    let (_trigger, stop) = shutdown::channel();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let records = runtime.block_on(run(&controls, scene, &SystemClock, &stop, &mut ()));
    let mut told = String::new();
    for record in &records {
        told += &format!("{} {:?} {}\n", record.id, record.verdict, record.said);
    }
    println!("{told}");
    for record in &records {
        assert_ne!(record.verdict, Verdict::Error, "{}: {}\n{told}", record.id, record.said);
        if record.cap.is_some() {
            assert_eq!(record.verdict, Verdict::Pass, "{}: {}\n{told}", record.id, record.said);
        }
    }
    server.stop(Signal::SIGTERM);
}
