//! Administration: the same with a running server and without one.

use crate::support::*;
use nix::sys::signal::Signal;

/// Adds, changes, lists and removes everything there is, on the server of this data directory.
fn everything(data: &str) {
    let at = |arguments: &[&str]| -> String {
        let mut all = arguments.to_vec();
        all.extend(["--data", data]);
        done(&all)
    };
    let listed = |what: &str| -> serde_json::Value { serde_json::from_str(&at(&[what, "list", "--json"])).unwrap() };
    let refused = |arguments: &[&str], part: &str| {
        let mut all = arguments.to_vec();
        all.extend(["--data", data]);
        let (code, out, err) = run(&all);
        assert!(code != 0 && out.is_empty() && err.contains(part), "{arguments:?}: {code} {out} {err}");
    };

    at(&["domain", "add", "example.org"]);
    refused(&["domain", "add", "example.org"], "example.org");
    let told = at(&["user", "add", "joe@example.org", "--name", "Joe", "--quota", "1 MiB", "--generate"]);
    let password = told.lines().find_map(|l| l.strip_prefix("password: ")).unwrap();
    assert!(password.len() >= 16, "{told}");
    at(&["user", "add", "ann@example.org", "--no-password"]);
    at(&["alias", "add", "sales@example.org", "joe@example.org", "ann@example.org", "away@example.net"]);
    at(&["domain", "set", "example.org", "--catch-all", "joe@example.org"]);
    at(&["user", "set", "ann@example.org", "--disable", "--quota-messages", "7"]);

    let users = listed("user");
    let joe = users.as_array().unwrap().iter().find(|u| u["address"] == "joe@example.org").unwrap();
    assert_eq!((joe["display_name"].as_str(), joe["quota_bytes"].as_u64()), (Some("Joe"), Some(1 << 20)));
    let ann = users.as_array().unwrap().iter().find(|u| u["address"] == "ann@example.org").unwrap();
    assert_eq!((ann["enabled"].as_bool(), ann["has_password"].as_bool()), (Some(false), Some(false)));
    assert_eq!(ann["quota_messages"], 7);
    assert_eq!(listed("alias")[0]["targets"].as_array().unwrap().len(), 3);
    let domains = listed("domain");
    let domain = domains.as_array().unwrap().iter().find(|d| d["name"] == "example.org").unwrap();
    assert_eq!(domain["catch_all"], "joe@example.org");
    assert!(at(&["user", "list"]).contains("disabled"));

    keys(&at, &refused);
    tls(&at, &refused);

    // Passwords: by standard input, and by the same policy whoever sets them.
    let set = ["user", "password", "joe@example.org", "--data", data];
    let (code, _, err) = run_with(&set, "example.org1\n");
    assert_eq!(code, 1, "{err}");
    let (code, _, err) = run_with(&set, "\n");
    assert_eq!(code, 64, "{err}");
    let (code, _, err) = run_with(&set, "plum wagon ferry ochre\n");
    assert_eq!(code, 0, "{err}");

    refused(&["user", "remove", "joe@example.org"], "--yes");
    refused(&["domain", "remove", "example.org"], "example.org still has");
    refused(&["user", "add", "a b@example.org", "--generate"], "");
    refused(&["user", "set", "joe@example.org"], "nothing to set");
    at(&["domain", "set", "example.org", "--no-catch-all"]);
    at(&["alias", "remove", "sales@example.org"]);
    at(&["user", "remove", "ann@example.org", "--yes"]);
}

/// A domain has keys from the start; they are turned over in two steps.
fn keys(at: &impl Fn(&[&str]) -> String, refused: &impl Fn(&[&str], &str)) {
    let listed = || -> Vec<(String, String)> {
        let keys: serde_json::Value = serde_json::from_str(&at(&["dkim", "list", "example.org", "--json"])).unwrap();
        let text = |key: &serde_json::Value, name: &str| key[name].as_str().unwrap().to_owned();
        keys.as_array().unwrap().iter().map(|key| (text(key, "selector"), text(key, "state"))).collect()
    };
    let first = listed();
    assert_eq!(first.iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(), ["active", "active"]);
    let zone = at(&["dkim", "show", "example.org"]);
    let record = format!("{}._domainkey.example.org.  3600 IN TXT \"v=DKIM1; k=rsa; h=sha256; p=", first[0].0);
    assert!(zone.contains(&record) && zone.contains("; ed25519-sha256, signs since 20"), "{zone}");
    refused(&["dkim", "activate", "example.org"], "mailward dkim rotate example.org");
    refused(&["dkim", "remove", "example.org", &first[0].0], "signs");
    let next = at(&["dkim", "rotate", "example.org"]);
    assert_eq!(next.lines().filter(|line| line.contains(" IN TXT ")).count(), 2, "only theirs: {next}");
    assert_eq!(at(&["dkim", "rotate", "example.org"]), next, "asked again, the same");
    assert!(at(&["dkim", "activate", "example.org"]).contains("retires: leave its record in DNS until 20"));
    let states: Vec<String> = listed().into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["active", "active", "retiring", "retiring"]);
    refused(&["dkim", "remove", "example.org", &first[0].0], "--now");
    assert!(at(&["dkim", "remove", "example.org", &first[0].0, "--now"]).contains("take its record out of DNS"));
    assert_eq!(listed().len(), 3);
    refused(&["dkim", "show", "nowhere.example"], "nowhere.example");
    assert!(at(&["dkim", "list"]).contains("example.test"), "the demo's own has keys, too");
}

/// What is demanded of TLS with other domains, and how it went, of which there is nothing yet.
fn tls(at: &impl Fn(&[&str]) -> String, refused: &impl Fn(&[&str], &str)) {
    at(&["tls-policy", "set", "example.net", "verify", "--name", "mx.example.net", "--name", "mx2.example.net"]);
    at(&["tls-policy", "set", "*", "encrypt"]);
    refused(&["tls-policy", "set", "example.net", "encrypt", "--name", "mx.example.net"], "--name goes with verify");
    refused(&["tls-policy", "set", "a b", "encrypt"], "a b");
    let listed: serde_json::Value = serde_json::from_str(&at(&["tls-policy", "list", "--json"])).unwrap();
    let expected = serde_json::json!([
        { "domain": "*", "level": "encrypt" },
        { "domain": "example.net", "level": "verify", "names": ["mx.example.net", "mx2.example.net"] },
    ]);
    assert_eq!(listed, expected);
    assert!(at(&["tls-policy", "list"]).contains("a certificate for mx.example.net or mx2.example.net"));
    let shown = at(&["tls-policy", "show", "other.example"]);
    assert!(shown.contains("here: TLS, whatever the certificate") && shown.contains("MTA-STS: no policy"), "{shown}");
    at(&["tls-policy", "remove", "*"]);
    refused(&["tls-policy", "remove", "*"], "there is no policy for *");
    assert_eq!(at(&["tls-report", "list", "--json"]).trim(), "[]");
    refused(&["tls-report", "show", "example.net"], "nothing is known of TLS with example.net");
    refused(&["tls-report", "show", "example.net", "--day", "yesterday"], "YYYY-MM-DD");
}

#[test]
fn everything_is_administered_while_the_server_runs() {
    let (mut server, ready) = Server::demo();
    everything(&server.data());
    // It works at once: mail comes in, the new password logs in.
    assert!(deliver(port(&ready, "smtp"), "joe@example.org", "hello").starts_with("250 "));
    assert!(deliver(port(&ready, "smtp"), "ann@example.org", "hello").starts_with("550 5.1.1"));
    let joe = serde_json::json!({ "address": "joe@example.org", "password": "plum wagon ferry ochre" });
    let mut ready = ready;
    ready["users"][0] = joe;
    assert_eq!(imap(&ready, 0).1, 1);
    server.stop(Signal::SIGTERM);
}

#[test]
fn everything_is_administered_while_no_server_runs() {
    let (mut server, _) = Server::demo();
    server.stop(Signal::SIGTERM);
    everything(&server.data());
}

#[test]
fn status_tells_what_runs_and_says_69_if_nothing_does() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    let status = json(&["status", "--json", "--data", &data]);
    assert_eq!(status["pid"], ready["pid"]);
    assert!(status["certificate"]["days_left"].as_i64().unwrap() > 700);
    assert_eq!(status["listeners"].as_array().unwrap().len(), 9);
    assert!(done(&["status", "--data", &data]).contains("imaps"));
    let began = std::time::Instant::now();
    done(&["stop", "--data", &data]);
    assert!(began.elapsed().as_secs() < 5);
    assert_eq!(ended(&mut server.child).0, Some(0));
    let (code, _, err) = run(&["status", "--data", &data]);
    assert_eq!(code, 69, "{err}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_64_and_help_is_0() {
    for wrong in
        [&["frobnicate"][..], &["user", "add"], &["user", "add", "a@@b", "--generate"], &["domain", "add", "a..b"]]
    {
        let (code, out, err) = run(wrong);
        assert!(code == 64 && out.is_empty() && !err.is_empty(), "{wrong:?}: {code} {out} {err}");
    }
    assert!(done(&["--help"]).contains("Examples:"));
    assert!(done(&["--version"]).starts_with("mailward "));
}

#[test]
fn the_store_is_looked_after_beside_the_server_and_without_it() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    assert!(deliver(port(&ready, "smtp"), "alice@example.test", "one more").starts_with("250 "));
    let stats = json(&["store", "stats", "--json", "--data", &data]);
    assert_eq!((stats["messages"].as_u64(), stats["contents"].as_u64()), (Some(10), Some(8)), "{stats}");
    assert!(done(&["store", "stats", "--data", &data]).contains("contents, each once"));
    assert_eq!(json(&["store", "verify", "--json", "--data", &data])["problems"], serde_json::json!([]));
    assert!(done(&["store", "compact", "--data", &data]).contains("packs rewritten"));
    let (code, _, err) = run(&["store", "salvage", "--data", &data]);
    assert_eq!(code, 75, "not while a server runs: {err}");
    server.stop(Signal::SIGTERM);
    done(&["store", "verify", "--data", &data]);
    json(&["store", "compact", "--json", "--data", &data]);
    assert_eq!(json(&["store", "salvage", "--json", "--data", &data])["lost"], serde_json::json!([]));

    // One byte of one message is not what was written.
    let pack = std::fs::read_dir(server.dir.path().join("demo/packs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&pack).unwrap();
    let at = bytes.windows(9).position(|w| w == b"Shall we ").unwrap();
    bytes[at] = b'W';
    std::fs::write(&pack, bytes).unwrap();
    let (code, out, err) = run(&["store", "verify", "--data", &data]);
    assert!(code == 65 && !out.is_empty() && err.contains("mailward store salvage"), "{code} {out} {err}");
    let told = json(&["store", "salvage", "--json", "--data", &data]);
    assert_eq!(told["lost"].as_array().unwrap().len(), 1, "{told}");
    done(&["store", "verify", "--data", &data]);
}

#[test]
fn what_is_no_request_gets_an_answer_and_changes_nothing() {
    use std::io::{BufRead as _, Write as _};
    let (mut server, _) = Server::demo();
    let socket = server.dir.path().join("demo/control.sock");
    for line in [
        "GET / HTTP/1.1\n".to_owned(),
        "{}\n".to_owned(),
        "\n".to_owned(),
        format!("{}\n", "[".repeat(100_000)),
        "x".repeat(2 << 20),
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        // One over the limit may be cut off while it is still being sent.
        let _cut = stream.write_all(line.as_bytes());
        let mut answer = String::new();
        let read = std::io::BufReader::new(stream).read_line(&mut answer);
        if line.len() < 1 << 20 {
            read.unwrap();
            assert!(answer.starts_with("{\"failed\":{\"code\":64,"), "{answer}");
        }
    }
    assert_eq!(run(&["status", "--data", &server.data()]).0, 0);
    server.stop(Signal::SIGTERM);
}

/// Attacks H12: even if the rights of the files were wrong, the kernel tells who calls.
#[test]
fn a_stranger_on_this_host_is_sent_away() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let (mut server, _) = Server::demo();
    let at = |name: &str| server.dir.path().join(name);
    // By a program of its own: a fork of another test would inherit the descriptor and keep the copy from running.
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_mailward")).arg(at("mailward")).status();
    assert!(copied.unwrap().success());
    for (name, mode) in
        [("", 0o755), ("mailward", 0o755), ("demo", 0o755), ("demo/mailward.toml", 0o644), ("demo/control.sock", 0o666)]
    {
        std::fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    let mut command = std::process::Command::new(at("mailward"));
    let output = command.args(["user", "list", "--data", &server.data()]).uid(65_534).gid(65_534).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(77), "{err}");
    assert!(err.contains("only root and the server's own user may administer it"), "{err}");
    assert!(output.stdout.is_empty());
    server.stop(Signal::SIGTERM);
    let log = std::fs::read_to_string(server.dir.path().join("demo/mailward.log")).unwrap();
    assert!(log.contains("control.refused uid=65534"), "{log}");
}

#[test]
fn silent_callers_take_their_places_and_no_more() {
    let (mut server, _) = Server::demo();
    let socket = server.dir.path().join("demo/control.sock");
    let held: Vec<_> = (0..mailward_core::limits::CONTROL_REQUESTS_AT_ONCE + 4)
        .map(|_| std::os::unix::net::UnixStream::connect(&socket).unwrap())
        .collect();
    // It waits for a place, and gets one when they go.
    let mut waiting =
        mailward(&["status", "--data", &server.data()]).stdout(std::process::Stdio::null()).spawn().unwrap();
    drop(held);
    assert_eq!(ended(&mut waiting).0, Some(0));
    server.stop(Signal::SIGTERM);
}
