//! A real server: made by `setup`, run by `serve`.

use crate::support::*;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A server that `setup` made, not running.
fn made(dir: &TempDir) -> (String, u16) {
    let (data, base) = (path(dir, "mail"), port_base());
    let told = done(&["setup", "example.org", "--data", &data, "--port-base", &base.to_string(), "--user", ""]);
    for part in ["postmaster@example.org", "IN MX 10 mail.example.org.", "mailward serve --data"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    (data, base)
}

fn started(dir: TempDir, data: &str) -> Server {
    let mut child = mailward(&["serve", "--data", data]).stderr(Stdio::piped()).spawn().unwrap();
    appeared(&Path::new(data).join("control.sock"), &mut child);
    Server { child, dir }
}

/// Adds lines to a section of the configuration.
fn configure(data: &str, from: &str, to: &str) {
    let file = Path::new(data).join("mailward.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn setup_makes_a_server_that_serves() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base) = made(&dir);
    assert!(done(&["config", "check", "--data", &data]).contains("is right"));
    let mut server = started(dir, &data);
    assert!(deliver(base + 25, "postmaster@example.org", "hello").starts_with("250 "));
    assert!(deliver(base + 25, "nobody@example.org", "hello").starts_with("550 5.1.1"));
    assert!(deliver(base + 25, "other@example.net", "hello").starts_with("55"), "no relaying");
    let users = json(&["user", "list", "--json", "--data", &data]);
    assert_eq!(users[0]["usage"]["messages"], 1);
    // What `setup` made is not made twice.
    let (code, _, err) = run(&["setup", "example.org", "--data", &data, "--user", ""]);
    assert!(code == 1 && err.contains("is there already: nothing was changed"), "{err}");
    server.stop(Signal::SIGTERM);
}

#[test]
fn serve_refuses_what_is_wrong_with_file_line_and_mend() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base) = made(&dir);
    let file = Path::new(&data).join("mailward.toml");
    let good = fs::read_to_string(&file).unwrap();
    let refused = |part: &str| {
        for verb in [&["serve", "--data", &data][..], &["config", "check", "--data", &data][..]] {
            let (code, _, err) = run(verb);
            // Ports are bound by `serve` alone.
            if verb[0] == "serve" || !part.contains("another program") {
                assert_eq!(code, 78, "{verb:?}: {err}");
                assert!(err.contains(part), "{verb:?}: {part} in {err}");
            }
        }
        fs::write(&file, &good).unwrap();
    };
    configure(&data, "[limits]", "[limits]\nmesage_size = \"1 MiB\"");
    refused("mesage_size is no key; the nearest is limits.message_size");
    configure(&data, "[tls]", "[tls]\nkey = \"tls/none.pem\"");
    refused("tls.key = \"");
    configure(&data, "[tls]", "[tls]\ncertificate = \"tls/key.pem\"");
    refused("no certificate in it");

    let key = Path::new(&data).join("tls/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused("chmod 600 ");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    refused("chmod 700 ");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    refused("others can write it");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();

    let _taken = std::net::TcpListener::bind(("127.0.0.1", base + 143)).unwrap();
    let line = good.lines().position(|l| l.starts_with("imap = ")).unwrap() + 1;
    refused(&format!(
        "mailward.toml line {line}: listen.imap = [\"127.0.0.1:{}\"]: 127.0.0.1:{}: another program",
        base + 143,
        base + 143
    ));
}

#[test]
fn a_reload_takes_certificates_and_settings_without_dropping_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base) = made(&dir);
    let mut server = started(dir, &data);
    let ca = Path::new(&data).join("tls/ca.pem");
    let mut before = Talk::tls(base + 993, &ca);
    before.until("* OK");
    let mut smtp = Talk::plain(base + 25);
    smtp.until("220 ");

    // A new certificate by the same authority, and a smaller limit.
    let authority = mailward_tls::authority::Authority {
        certificate_pem: fs::read_to_string(&ca).unwrap(),
        key_pem: fs::read_to_string(Path::new(&data).join("tls/ca-key.pem")).unwrap(),
    };
    let new = mailward_tls::authority::issue(&authority, &["mail.example.org"], std::time::SystemTime::now()).unwrap();
    let write = |name: &str, text: &str| fs::write(Path::new(&data).join("tls").join(name), text).unwrap();
    write("key.pem", &new.key_pem);
    // Half of the pair: the old one stays, and why is told.
    let (code, _, err) = run(&["reload", "--data", &data]);
    assert_eq!(code, 78);
    assert!(err.contains("does not belong to"), "{err}");
    assert_eq!(Talk::tls(base + 993, &ca).stir().certificate(), before.certificate());

    write("certificate.pem", &new.chain_pem);
    configure(&data, "[limits]", "[limits]\nmessage_size = \"1 MiB\"");
    configure(&data, "[log]", "[log]\nlevel = \"warn\"\nfile = \"log\"");
    let told = json(&["reload", "--json", "--data", &data]);
    assert_eq!(told["taken"], serde_json::json!(["limits.message_size", "log.level"]));
    assert_eq!(told["needs_restart"], serde_json::json!(["log.file"]));
    assert_ne!(Talk::tls(base + 993, &ca).stir().certificate(), before.certificate());
    let mut after = Talk::plain(base + 25);
    after.until("220 ");
    assert!(after.ask("EHLO x.example", "250 ").contains("SIZE 1048576"));
    // Sessions from before are still there.
    assert!(before.ask("a NOOP", "a ").contains("a OK"));
    assert!(smtp.ask("NOOP", "250 ").starts_with("250 "));

    // A bad file keeps what is in force.
    configure(&data, "[limits]", "[limits]\nnonsense = 1");
    signal(&server.child, Signal::SIGHUP);
    let (code, _, err) = run(&["reload", "--data", &data]);
    assert!(code == 78 && err.contains("limits.nonsense is no key"), "{err}");
    let mut still = Talk::plain(base + 25);
    still.until("220 ");
    assert!(still.ask("EHLO x.example", "250 ").contains("SIZE 1048576"));
    server.stop(Signal::SIGTERM);
}

#[test]
fn started_by_root_it_serves_as_its_user() {
    if !nix::unistd::geteuid().is_root() || nix::unistd::User::from_name("nobody").ok().flatten().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The user must be able to come in.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (data, base) = (path(&dir, "mail"), port_base());
    done(&["setup", "example.org", "--data", &data, "--port-base", &base.to_string(), "--user", "nobody"]);
    let mut server = started(dir, &data);
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let uid = nobody.uid.to_string();
    let line = status.lines().find(|l| l.starts_with("Uid:")).unwrap();
    assert_eq!(line.split_whitespace().skip(1).collect::<Vec<_>>(), [&uid, &uid, &uid, &uid], "every thread, for good");
    assert!(status.contains("NoNewPrivs:\t1"));
    assert!(deliver(base + 25, "postmaster@example.org", "hello").starts_with("250 "));
    done(&["user", "add", "joe@example.org", "--generate", "--data", &data]);
    done(&["reload", "--data", &data]);
    server.stop(Signal::SIGTERM);
    // A command that root gives while no server runs leaves nothing that the server can't read.
    done(&["user", "add", "ann@example.org", "--generate", "--data", &data]);
    let mut left = vec![std::path::PathBuf::from(&data)];
    while let Some(path) = left.pop() {
        let uid = std::os::unix::fs::MetadataExt::uid(&path.metadata().unwrap());
        assert!(uid == nobody.uid.as_raw() || path.ends_with("mailward.toml"), "{}", path.display());
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        }
    }
}

#[test]
fn a_server_without_configuration_is_told_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = run(&["serve", "--data", &path(&dir, "none")]);
    assert!(code == 64 && err.contains("mailward setup DOMAIN --data"), "{err}");
    let (code, _, err) = run(&["user", "list", "--data", &path(&dir, "none")]);
    assert!(code == 78 && err.contains("there is no such directory"), "{err}");
    let (code, _, err) = run(&["config", "show", "--config", &path(&dir, "none.toml")]);
    assert!(code == 78 && err.contains("can't be read"), "{err}");
}

#[test]
fn more_connections_than_allowed_are_sent_away_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base) = made(&dir);
    configure(&data, "[limits]", "[limits]\nconnections_per_address = 3");
    let mut server = started(dir, &data);
    let mut held: Vec<_> = (0..3).map(|_| Talk::plain(base + 25)).collect();
    for talk in &mut held {
        talk.until("220 ");
    }
    assert!(Talk::plain(base + 25).line().starts_with("421 4.7.0 too many connections from your address"));
    assert!(Talk::plain(base + 143).line().starts_with("* BYE "));
    held[0].ask("QUIT", "221 ");
    drop(held.remove(0));
    // The place is free once the session's end is seen.
    let began = std::time::Instant::now();
    while !Talk::plain(base + 25).line().starts_with("220 ") {
        assert!(began.elapsed() < PATIENCE);
    }
    server.stop(Signal::SIGTERM);
}
