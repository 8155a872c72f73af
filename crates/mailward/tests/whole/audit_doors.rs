//! The audit knocks at the doors of a real server.

use crate::support::*;
use mailward_audit::knock::Anchors;
use mailward_audit::{Account, Control, Door, Host, Probe, Protocol, Record, Scene, State, Verdict, all, find, run};
use mailward_core::{Clock as _, Secret, SystemClock, shutdown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
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
        doors: doors(ready),
        anchors: Anchors::only(&ca),
        canary: Some(Account {
            address,
            password: Secret::new(ready["users"][0]["password"].as_str().unwrap()),
            inside: None,
        }),
        state: Some(State { domains: vec![domain], ..State::default() }),
        ..Scene::of(Host::ours(Box::new(BTreeMap::new())), SystemClock.now())
    }
}

/// Runs these controls; what each found.
fn asked(controls: &[&'static Control], scene: Scene) -> Vec<Record> {
    let (_trigger, stop) = shutdown::channel();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(controls, Arc::new(scene), &SystemClock, &stop, &mut ()))
}

fn told(records: &[Record]) -> String {
    records.iter().map(|one| format!("{} {:?} {}\n", one.id, one.verdict, one.said)).collect()
}

/// Whatever else is found, no hole is: the server is made so that these pass wherever it stands.
#[test]
fn every_hole_that_can_be_seen_at_the_doors_is_shut() {
    let (mut server, ready) = Server::demo();
    let controls: Vec<&'static Control> = all().into_iter().filter(|control| control.probe == Probe::Doors).collect();
    assert!(controls.len() >= 28, "{}", controls.len());
    let records = asked(&controls, scene(&ready));
    let told = told(&records);
    println!("{told}");
    for record in &records {
        assert_ne!(record.verdict, Verdict::Error, "{}\n{told}", record.id);
        if record.cap.is_some() {
            assert_eq!(record.verdict, Verdict::Pass, "{}\n{told}", record.id);
        }
    }
    server.stop(Signal::SIGTERM);
}

/// As an administrator has it: no account for the audit, nobody but the postmaster.
#[test]
fn a_server_that_setup_made_has_no_hole_either() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base) = (path(&dir, "mail"), port_base());
    done(&["setup", "example.org", "--data", &data, "--port-base", &base.to_string(), "--user", ""]);
    let mut child = mailward(&["serve", "--data", &data]).stderr(Stdio::piped()).spawn().unwrap();
    appeared(&Path::new(&data).join("control.sock"), &mut child);
    let mut server = Server { child, dir };
    let door = |(protocol, usual): (Protocol, u16)| Door {
        protocol,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, base + usual)),
        name: "mail.example.org".to_owned(),
    };
    let open = [
        (Protocol::Smtp, 25),
        (Protocol::Submission, 587),
        (Protocol::Submissions, 465),
        (Protocol::Imap, 143),
        (Protocol::Imaps, 993),
    ];
    let scene = || Scene {
        doors: open.map(door).to_vec(),
        anchors: Anchors::only(&std::fs::read(Path::new(&data).join("tls/ca.pem")).unwrap()),
        state: Some(State { domains: vec!["example.org".to_owned()], ..State::default() }),
        ..Scene::of(Host::ours(Box::new(BTreeMap::new())), SystemClock.now())
    };
    let starred: Vec<&'static Control> =
        all().into_iter().filter(|control| control.probe == Probe::Doors && control.is_starred()).collect();
    let records = asked(&starred, scene());
    assert!(records.iter().all(|record| record.verdict == Verdict::Pass), "{}", told(&records));
    // Nothing of what was tried was taken for a message.
    let users = json(&["user", "list", "--json", "--data", &data]);
    assert_eq!(users[0]["usage"]["messages"], 0);

    // None of it would be worth anything if an open relay passed as well.
    let file = Path::new(&data).join("mailward.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let opened = text.replacen("#from = \"none\"", "from = [\"127.0.0.1\"]", 1);
    std::fs::write(&file, opened.replacen("#any_sender = false", "any_sender = true", 1)).unwrap();
    done(&["reload", "--data", &data]);
    let record = asked(&[find("SVC-04").unwrap()], scene()).remove(0);
    assert_eq!(record.verdict, Verdict::Fail, "{}", record.said);
    assert!(record.said.contains("attempts came through, as seen from loopback"), "{}", record.said);
    server.stop(Signal::SIGTERM);
}
