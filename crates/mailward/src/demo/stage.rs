//! The directory: authority, certificate, configuration.

use super::DOMAIN;
use crate::control::path::Short;
use crate::failure::Failure;
use crate::place::{CONFIG_NAME, socket_in};
use mailward_core::config::{Config, Listen, Origin};
use mailward_core::{Clock as _, Domain, Listener, SystemClock};
use mailward_tls::{Acceptor, authority};
use std::fs::{DirBuilder, Permissions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

/// Says that a directory is a demo's.
pub(crate) const MARK: &str = "demo.json";
/// The authority's certificate, for clients.
pub(crate) const CA: &str = "tls/ca.pem";
/// A certificate with less than this left is made anew, seconds.
const RENEW_BEFORE: i64 = 30 * 86_400;

/// Refuses a directory in which a server runs: its configuration must not change under it.
pub(crate) fn is_free(data: &Path) -> Result<(), Failure> {
    let socket = Short::of(&socket_in(data)).and_then(|s| std::os::unix::net::UnixStream::connect(s.path()));
    match socket {
        Ok(_) => Err(Failure::Refused(format!(
            "a server runs on {0} already: mailward status --data {0}, or mailward stop --data {0}",
            data.display()
        ))),
        Err(_) => Ok(()),
    }
}

/// Makes what is missing.
pub(crate) fn set(data: &Path, port_base: u16) -> Result<(), Failure> {
    let marked = data.join(MARK).exists();
    if !marked && (data.join(CONFIG_NAME).exists() || data.join("mailward.db").exists()) {
        return Err(Failure::Refused(format!(
            "{} holds a server that is no demo: choose another directory with --data DIR",
            data.display()
        )));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|e| Failure::io(data.display(), e))?;
    std::fs::set_permissions(data, Permissions::from_mode(0o700)).map_err(|e| Failure::io(data.display(), e))?;
    if !marked {
        write(&data.join(MARK), b"{}\n", 0o600)?;
    }
    certificates(data)?;
    write(&data.join(CONFIG_NAME), configuration(port_base)?.commented().as_bytes(), 0o600)
}

fn configuration(port_base: u16) -> Result<Config, Failure> {
    let mut listen = Listen::off();
    for listener in Listener::ALL.into_iter().filter(|l| !matches!(l, Listener::Lmtp | Listener::Http)) {
        let port = port_base.checked_add(listener.usual_port()).filter(|p| *p > 0).ok_or_else(|| {
            Failure::Usage(format!("--port-base {port_base}: {listener} would need a port over 65535"))
        })?;
        *listen.get_mut(listener) = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    }
    let mut config = Config {
        hostname: Domain::parse(&format!("mail.{DOMAIN}")).ok(),
        data: ".".into(),
        user: String::new(),
        listen,
        ..Config::default()
    };
    let pages = config.listen.https.first().map(|address| format!("https://localhost:{}", address.port()));
    config.web.origin = pages.and_then(|origin| Origin::parse(&origin).ok());
    config.log.file = Some("mailward.log".into());
    // Its domain is nobody's, and nothing that is tried in it should reach anybody.
    config.queue.send = false;
    Ok(config)
}

fn certificates(data: &Path) -> Result<(), Failure> {
    let tls = data.join("tls");
    DirBuilder::new().recursive(true).mode(0o700).create(&tls).map_err(|e| Failure::io(tls.display(), e))?;
    let (certificate, key) = (tls.join("certificate.pem"), tls.join("key.pem"));
    let good = Acceptor::from_files(&certificate, &key)
        .is_ok_and(|a| a.expires().secs().saturating_sub(SystemClock.now().secs()) > RENEW_BEFORE);
    if good && data.join(CA).exists() {
        return Ok(());
    }
    let now = SystemTime::now();
    let ca = authority::create(&[DOMAIN], now)?;
    let issued = authority::issue(&ca, &[&format!("mail.{DOMAIN}")], now)?;
    write(&tls.join("ca-key.pem"), ca.key_pem.as_bytes(), 0o600)?;
    write(&key, issued.key_pem.as_bytes(), 0o600)?;
    write(&certificate, issued.chain_pem.as_bytes(), 0o644)?;
    // Last: without it all of them are made anew.
    write(&data.join(CA), ca.certificate_pem.as_bytes(), 0o644)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |e| Failure::io(path.display(), e);
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".new-{}", std::process::id()));
    let mut file =
        std::fs::File::options().write(true).create(true).truncate(true).mode(mode).open(&fresh).map_err(failed)?;
    // The mode given above is cut by the umask, and a file that stood there keeps its own.
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_keeps_certificates_and_the_mark() {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), 10_000).unwrap();
        write(&dir.path().join(MARK), b"kept", 0o600).unwrap();
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let before = (read(CA), read("tls/certificate.pem"), read(MARK));
        set(dir.path(), 20_000).unwrap();
        assert_eq!(before, (read(CA), read("tls/certificate.pem"), read(MARK)));
        let config = Config::load(&dir.path().join(CONFIG_NAME), None).unwrap().config;
        assert_eq!(config.listen.pop3s, ["127.0.0.1:20995".parse().unwrap()]);
    }

    #[test]
    fn a_real_server_s_directory_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mailward.db"), "mail").unwrap();
        assert!(set(dir.path(), 10_000).unwrap_err().to_string().contains("no demo"));
        assert!(!dir.path().join(MARK).exists());
    }

    #[test]
    fn ports_end_at_65535() {
        assert!(configuration(64_540).is_ok());
        assert_eq!(configuration(64_541).unwrap_err().code(), 64);
    }

    #[test]
    fn secrets_are_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), 10_000).unwrap();
        for name in ["tls/key.pem", "tls/ca-key.pem", MARK] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
    }
}
