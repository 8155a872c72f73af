//! What may be given away: a world in which every name is a canary, and what of it sings in a report.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

use mailward_audit::actions::{Actions, Exception};
use mailward_audit::evidence::Run;
use mailward_audit::report::{Names, Report};
use mailward_audit::{
    Administration, AlertWay, Area, Audits, Control, DkimKey, Engine, Finding, Host, Newest, Probe, Record, Scene,
    Settings, SettingsFile, State, Statement, Statements, TrustRule, Verdict, Weights, all, run, score,
};
use mailward_core::{SystemClock, Timestamp, shutdown};
use std::collections::BTreeMap;
use std::sync::Arc;

/// In every name of the world, whatever it names.
const SONG: &str = "tirili";

fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

/// What a server says whose every name is a canary.
fn state() -> State {
    let domain = || "tirili.example".to_owned();
    State {
        version: Some("0.1.0".to_owned()),
        name: Some("mx.tirili.example".to_owned()),
        domains: vec![domain(), "beispiel-tirili.example".to_owned()],
        accounts: Some(
            [("tirilia@tirili.example".to_owned(), true), ("tirilib@tirili.example".to_owned(), false)].into(),
        ),
        dkim: [(domain(), vec![DkimKey { selector: "s1".to_owned(), value: String::new(), made: Some(Timestamp(0)) }])]
            .into(),
        settings: Some(Settings(
            [
                ("relay.from", "[\"198.51.100.7/32\", \"2001:db8:7::/48\"]"),
                ("bans.never", "\"198.51.100.8\""),
                ("dns.servers", "[\"198.51.100.9\"]"),
                ("logins.guard", "false"),
                ("quarantine.digest", "\"never\""),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        )),
        file: Some(SettingsFile {
            path: Some("/home/tiriliroot/mailward.toml".to_owned()),
            broken: None,
            differs: vec!["dns.servers".to_owned()],
        }),
        catch_all: Some([(domain(), "tirilic@tirili.example".to_owned())].into()),
        leads_out: Some([("tirilid@tirili.example".to_owned(), vec!["eva@fern-tirili.example".to_owned()])].into()),
        administration: Some(Administration {
            socket: "/home/tiriliroot/control.sock".to_owned(),
            mode: Some(0o666),
            obeys: vec![0, 1000],
            doors: vec!["198.51.100.10:8443".to_owned()],
        }),
        own_limits: Some([("tirilie@tirili.example".to_owned(), [("new_per_hour".to_owned(), 0)].into())].into()),
        trusting: Some(vec![
            rule("rule 1", "*.kunde-tirili.example skip", Some("tirilif"), Some("tirilig said so")),
            rule("rule 2", "198.51.100.11 relay", None, None),
            rule("rules.list 1", "kunde2-tirili.example skip", None, None),
        ]),
        alert_ways: Some(vec![AlertWay {
            name: "mail".to_owned(),
            beside: false,
            told: None,
            failing: Some(Timestamp(0)),
        }]),
        engines: Some(vec![Engine {
            engine: "icap://scan.tirili-intern.example:1344/avscan".to_owned(),
            works: Some(false),
            why: Some("198.51.100.12:1344: no answer from scan.tirili-intern.example".to_owned()),
            ..Engine::default()
        }]),
        aliases: Some([("tirilih@tirili.example".to_owned(), 900)].into()),
        dmarc_heard: Some([(domain(), None)].into()),
        audits: Some(Audits {
            faults: vec!["actions.json has changed since it was sealed".to_owned()],
            newest: Some(Newest {
                number: 1,
                ended: Timestamp(0),
                asked: 3,
                failing: vec!["PHY-15".to_owned()],
                broken: Vec::new(),
            }),
            ..Audits::default()
        }),
        ..State::default()
    }
}

fn rule(place: &str, rule: &str, by: Option<&str>, why: Option<&str>) -> TrustRule {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    TrustRule { place: place.to_owned(), rule: rule.to_owned(), by: owned(by), made: None, why: owned(why) }
}

fn statements() -> Statements {
    let said = |control: &Control| {
        let statement = Statement {
            share: Some(if control.weight > 5 { 0 } else { 100 }),
            says: "Frau Tirili hat den Schlüssel, tel. 0123".to_owned(),
            who: "tirilij@fern-tirili.example".to_owned(),
            at: now(),
            until: None,
            file: Some(("/home/tirilik/Tirili GmbH.pdf".to_owned(), "0".repeat(64))),
        };
        (control.id.to_owned(), statement)
    };
    Statements(all().into_iter().filter(|control| control.probe == Probe::Statement).map(said).collect())
}

/// A host whose every name is a canary.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("proc/sys/kernel/hostname", "tirilihost\n"),
        ("etc/hostname", "tirilihost\n"),
        (
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\ntirilil:x:1000:1000:Tirili:/home/tirilil:/bin/sh\n\
             tirilim:x:900:900::/srv/tirilim:/bin/bash\n",
        ),
        ("etc/shadow", "root:*:1::::::\ntirilil::1::::::\ntirilim:!:1::::::\n"),
        ("etc/group", "root:x:0:\nsudo:x:27:tirilil,tirilim\n"),
        ("etc/sudoers", "root ALL=(ALL) ALL\ntirilil ALL=(ALL) NOPASSWD: ALL\n"),
        ("etc/ssh/sshd_config", "PermitRootLogin yes\nAllowUsers tirilil tirilim\nListenAddress 198.51.100.13\n"),
        ("home/tirilil/.ssh/authorized_keys", "ssh-rsa AAAAB3NzaC1yc2E tirilil@tirilihost\n"),
        ("var/spool/cron/crontabs/tirilin", "* * * * * /home/tirilin/x\n"),
    ] {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

/// An audit of that world, as far as nobody has to be reached for it.
async fn audit() -> (Run, Actions, Names) {
    let root = root();
    let host = Host::at(root.path(), true, Box::new(BTreeMap::new()));
    let people = || ["tirilio@tirili.example", "tirilip@fern-tirili.example"].map(str::to_owned);
    let names = Names::of(&state(), &statements(), people(), ["tiriliwache".to_owned()], &host);
    let owners: BTreeMap<Area, String> = Area::ALL.into_iter().map(|area| (area, people()[0].clone())).collect();
    let deputies = Area::ALL.into_iter().map(|area| (area, people()[1].clone())).collect();
    let (state, statements) = (Some(state()), statements());
    let scene = Scene { state, statements, owners: owners.clone(), deputies, ..Scene::of(host, now()) };
    let asked: Vec<&'static Control> = all()
        .into_iter()
        .filter(|control| matches!(control.probe, Probe::State | Probe::Statement | Probe::Host))
        .collect();
    let (_never, stop) = shutdown::channel();
    let mut records = run(&asked, Arc::new(scene), &SystemClock, &stop, &mut ()).await;
    // What can't be reached from here, as it is said where it is.
    let said = [
        "smtp 198.51.100.20:25: 220 mx.tirili.example ESMTP; the certificate is of tirili2.example, of CN=tirilica.example",
        "tirili.example is at mx2.hoster-tirili.example (198.51.100.21, 2001:db8:21::1), v=spf1 include:_spf.hoster-tirili.example",
        "the peer tiriliwache saw 198.51.100.22:8080 open; 22.100.51.198.in-addr.arpa is host.tirili-isp.example",
        "/home/tiriliq/Maildir, /var/mail/tirilir, /var/spool/cron/crontabs/tirilis and https://tirili3.example/x",
        "\"tirili t\"@tirili.example, tirilit@[198.51.100.23] and <tiriliu@münchen-tirili.example>; tirilil may sudo",
    ];
    let is_asked = |control: &&Control| asked.iter().any(|other| other.id == control.id);
    for (control, said) in all().into_iter().filter(|control| !is_asked(control)).zip(said.into_iter().cycle()) {
        let finding = Finding { verdict: Verdict::Fail, ..Finding::pass(said) }.showing(said, said.as_bytes());
        records.push(Record::new(control, now(), now(), finding));
    }
    let weights = Weights::default();
    let mut actions = Actions::default();
    let mut run = Run {
        number: 1,
        version: "0.1.0".to_owned(),
        name: "mx.tirili.example".to_owned(),
        began: now(),
        ended: now(),
        score: score(&records, &weights, &[]),
        overdue: Vec::new(),
        weights,
        records,
    };
    actions.heard(&run, &owners);
    let late: Vec<String> = actions.0.keys().take(3).cloned().collect();
    for control in &late {
        let (reason, approver) = ("Herr Tirili will es so".to_owned(), "tiriliv@fern-tirili.example".to_owned());
        actions
            .except(
                control,
                Exception { reason, approver, at: now(), until: Timestamp::from_secs(now().secs() + 86_400) },
            )
            .unwrap();
    }
    run.overdue = late;
    run.score = score(&run.records, &run.weights, &run.overdue);
    (run, actions, names)
}

/// Where something of ours is in a text, with what is around it.
fn heard(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for mark in [SONG, "198.51.100.", "100.51.198", "2001:db8", "eva@", "0123", "schlüssel", "will es so"] {
        for (at, _) in lower.match_indices(mark) {
            let from = (0..=at.saturating_sub(60)).rev().find(|at| lower.is_char_boundary(*at)).unwrap_or(0);
            found.push(lower.get(from..).unwrap_or_default().chars().take(120).collect());
        }
    }
    found
}

#[tokio::test]
async fn of_a_world_of_canaries_none_is_heard_unless_it_is_asked_for() {
    let (run, actions, names) = audit().await;
    let before = Run { number: 0, ..run.clone() };
    let report = Report::new(run, Some(before), Vec::new(), actions, now());
    let open = report.data().unwrap().to_string();
    for part in ["tirilid@", "tirilil", "kunde-tirili", "198.51.100.20", "tiriliv@", "tirilij@", "Schlüssel"] {
        assert!(open.contains(part), "{part} is in the world");
    }
    let given = report.without_names(&names);
    assert_eq!(heard(&given.data().unwrap().to_string()), Vec::<String>::new());
    assert_eq!(heard(&given.html()), Vec::<String>::new());
    let text = given.data().unwrap().to_string();
    for stays in ["dns.servers", "rule 2", "PHY-15"] {
        assert!(text.contains(stays), "{stays} gives nobody away");
    }
}
