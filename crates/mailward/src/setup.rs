//! # setup: a server for a real host
//!
//! **For**: one command from nothing to a server that `serve` starts. Looks first (names, ports, user, files that
//! are there already), then writes everything into a directory beside the place where it will be, and renames it
//! there at the end.
//!
//! **In**: a domain, and what of the defaults doesn't fit. **Out**: `mailward.toml`, the data directory with store
//! and keys, the domain, a postmaster whose password is told once, the next steps and the DNS records.
//!
//! **Failure**: whatever goes wrong, the place is as it was before.

mod dns;
mod host;
mod scaffold;

use crate::compose::doors;
use crate::control::desk::Desk;
use crate::demo::stage::write;
use crate::failure::Failure;
use crate::place::{CONFIG_NAME, USUAL_CONFIG, USUAL_DATA};
use crate::print;
use crate::sendmail::USUAL_DIRECTORY;
use crate::sendmail::spool::Spool;
use mailward_core::config::{Config, Listen, Loaded};
use mailward_core::{Address, Domain, Listener, Secret};
use mailward_directory::{DkimInfo, NewPassword, NewUser};
use mailward_inspect::policy::Rulebook;
use mailward_store::{LocalStore, Options};
use mailward_tls::{Acceptor, authority};
use nix::unistd::{User, geteuid};
use scaffold::{Above, Scaffold};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Ports of a server that isn't started by root.
const UNPRIVILEGED_BASE: u16 = 10_000;

/// What the command line asks for.
pub(crate) struct Wishes {
    pub(crate) domain: Domain,
    pub(crate) hostname: Option<Domain>,
    /// Certificate and key.
    pub(crate) pair: Option<(PathBuf, PathBuf)>,
    pub(crate) user: String,
    pub(crate) port_base: Option<u16>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
}

/// What will be made, all of it looked at.
struct Plan {
    domain: Domain,
    hostname: Domain,
    data: PathBuf,
    /// `None`: in the data directory.
    config_file: Option<PathBuf>,
    config: Config,
    owner: Option<User>,
    make_certificate: bool,
}

/// Makes the server and says what comes next.
pub(crate) fn run(wishes: &Wishes) -> Result<(), Failure> {
    print::text(&make(wishes)?)
}

/// Makes the server; answers what is to be said.
fn make(wishes: &Wishes) -> Result<String, Failure> {
    crate::compose::privilege::private_files();
    let plan = plan(wishes)?;
    let scaffold = Scaffold::beside(&plan.data)?;
    if plan.make_certificate {
        certificates(scaffold.path(), &plan)?;
    }
    let (password, keys) = accounts(scaffold.path(), &plan)?;
    let text = plan.config.commented();
    if plan.config_file.is_none() {
        write(&scaffold.path().join(CONFIG_NAME), text.as_bytes(), 0o600)?;
    }
    if let Some(owner) = &plan.owner {
        let file = plan.config_file.is_none().then(|| scaffold.path().join(CONFIG_NAME));
        // Before: what is given away isn't touched again.
        file.iter().try_for_each(|file| roots_own(file, owner))?;
        scaffold.give_to(owner, file.as_deref())?;
    }
    let above = match &plan.config_file {
        Some(file) => Some(configure(file, &text, plan.owner.as_ref())?),
        None => None,
    };
    if let Err(failure) = scaffold.raise(&plan.data) {
        // Half a server is none.
        plan.config_file.iter().for_each(|file| drop(std::fs::remove_file(file)));
        return Err(failure);
    }
    drop(above);
    // A server without it serves all other mail, and `serve` tries again.
    let spool = plan.config.sendmail.directory.as_ref().filter(|directory| directory.is_absolute()).map(|directory| {
        let owner = plan.owner.as_ref().map(|user| (user.uid, user.gid));
        Spool::in_directory(directory).make(owner)
    });
    let programs = match spool {
        None | Some(Ok(_)) => String::new(),
        Some(Err(failure)) => format!("\nNote: programs can't hand in mail yet: {failure}.\n"),
    };
    Ok(told(&plan, &password, &keys, &programs))
}

/// Looks at everything that can be known beforehand.
fn plan(wishes: &Wishes) -> Result<Plan, Failure> {
    let root = geteuid().is_root();
    let usual = root && wishes.data.is_none();
    let data = match &wishes.data {
        Some(data) => std::path::absolute(data).map_err(|e| Failure::io(data.display(), e))?,
        None if root => PathBuf::from(USUAL_DATA),
        None => {
            return Err(Failure::Usage(format!(
                "without root, say where the server shall live: mailward setup {} --data ./mailward-data",
                wishes.domain
            )));
        }
    };
    let config_file = match &wishes.config {
        Some(file) => Some(std::path::absolute(file).map_err(|e| Failure::io(file.display(), e))?),
        None if usual => Some(PathBuf::from(USUAL_CONFIG)),
        None => None,
    };
    nothing_there(&data, config_file.as_deref())?;

    let hostname = match &wishes.hostname {
        Some(hostname) => hostname.clone(),
        None => Domain::parse(&format!("mail.{}", wishes.domain))
            .map_err(|e| Failure::Usage(format!("mail.{}: {e}; give --hostname", wishes.domain)))?,
    };
    let port_base = wishes.port_base.or_else(|| (!root).then_some(UNPRIVILEGED_BASE));
    let mut config = Config {
        hostname: Some(hostname.clone()),
        data: if config_file.is_some() { data.clone() } else { ".".into() },
        user: wishes.user.clone(),
        listen: listen(port_base)?,
        ..Config::default()
    };
    if usual {
        // Where programs of every user reach it.
        config.sendmail.directory = Some(PathBuf::from(USUAL_DIRECTORY));
    }
    let owner = owner(root, &wishes.user)?;
    let make_certificate = wishes.pair.is_none();
    if let Some((certificate, key)) = &wishes.pair {
        config.tls.certificate = std::path::absolute(certificate).map_err(|e| Failure::io(certificate.display(), e))?;
        config.tls.key = std::path::absolute(key).map_err(|e| Failure::io(key.display(), e))?;
        crate::compose::checks::certificates(&Loaded::built(config.clone(), "--certificate and --key"))?;
    }
    // What we write must be what we read.
    Config::parse(&config.commented(), CONFIG_NAME)?;
    ports_are_free(&config.listen)?;
    Ok(Plan { domain: wishes.domain.clone(), hostname, data, config_file, config, owner, make_certificate })
}

fn nothing_there(data: &Path, config_file: Option<&Path>) -> Result<(), Failure> {
    let empty = std::fs::read_dir(data).map_or(true, |mut entries| entries.next().is_none());
    if data.exists() && !(data.is_dir() && empty) {
        return Err(Failure::Refused(format!(
            "{} is there already: nothing was changed; remove it, or choose another with --data DIR",
            data.display()
        )));
    }
    match config_file {
        Some(file) if file.exists() => Err(Failure::Refused(format!(
            "{} is there already: nothing was changed; remove it, or choose another with --config FILE",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Who will own it: the configured user, if root makes it.
fn owner(root: bool, name: &str) -> Result<Option<User>, Failure> {
    if !root || name.is_empty() {
        return Ok(None);
    }
    match User::from_name(name).map_err(|e| Failure::sys(format!("user {name}"), e))? {
        Some(user) => Ok(Some(user)),
        None => Err(Failure::Refused(format!(
            "there is no system user {name} to run the server: make one with\n  useradd --system --shell /usr/sbin/nologin {name}\n\
             or name another with --user"
        ))),
    }
}

/// The usual doors, or those of a trial on loopback.
fn listen(port_base: Option<u16>) -> Result<Listen, Failure> {
    let Some(base) = port_base else { return Ok(Listen::default()) };
    let mut listen = Listen::off();
    for listener in [Listener::Smtp, Listener::Submission, Listener::Submissions, Listener::Imap, Listener::Imaps] {
        let port = base
            .checked_add(listener.usual_port())
            .ok_or_else(|| Failure::Usage(format!("--port-base {base}: {listener} would need a port over 65535")))?;
        *listen.get_mut(listener) = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    }
    Ok(listen)
}

fn ports_are_free(listen: &Listen) -> Result<(), Failure> {
    for listener in Listener::ALL {
        for address in listen.get(listener).iter().filter(|a| a.is_ipv4()) {
            doors::is_free(*address)
                .map_err(|mend| Failure::Refused(format!("{listener} on {address}: {mend}; nothing was changed")))?;
        }
    }
    Ok(())
}

/// An authority of our own, and what it signs.
fn certificates(at: &Path, plan: &Plan) -> Result<(), Failure> {
    let tls = at.join("tls");
    std::fs::create_dir(&tls).map_err(|e| Failure::io(tls.display(), e))?;
    let now = SystemTime::now();
    let ca = authority::create(&[plan.domain.as_str(), plan.hostname.as_str()], now)?;
    let issued = authority::issue(&ca, &[plan.hostname.as_str()], now)?;
    write(&tls.join("ca.pem"), ca.certificate_pem.as_bytes(), 0o644)?;
    write(&tls.join("ca-key.pem"), ca.key_pem.as_bytes(), 0o600)?;
    write(&tls.join("certificate.pem"), issued.chain_pem.as_bytes(), 0o644)?;
    write(&tls.join("key.pem"), issued.key_pem.as_bytes(), 0o600)?;
    Acceptor::from_files(&tls.join("certificate.pem"), &tls.join("key.pem")).map(drop)?;
    Ok(())
}

/// Store, domain with its DKIM keys, and postmaster; answers the password and the keys.
fn accounts(at: &Path, plan: &Plan) -> Result<(Secret, Vec<DkimInfo>), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::io("threads can't be started", e))?;
    runtime.block_on(async {
        let store = LocalStore::open(at, Options::default())?;
        let made = inhabit(&store, at, plan).await;
        store.close().await;
        made
    })
}

async fn inhabit(store: &Arc<LocalStore>, at: &Path, plan: &Plan) -> Result<(Secret, Vec<DkimInfo>), Failure> {
    let desk = Desk::over(store.clone(), at, &Config::default(), Rulebook::default()).await?;
    let (_, keys) = desk.dkim.add_domain(plan.domain.clone()).await?;
    let address: Address =
        format!("postmaster@{}", plan.domain).parse().map_err(|e| Failure::Usage(format!("{}: {e}", plan.domain)))?;
    let user = NewUser {
        address,
        password: NewPassword::Generated,
        display_name: "Postmaster".to_owned(),
        quota_bytes: 0,
        quota_messages: 0,
    };
    let (_, password) = desk.directory.add_user(user).await?;
    let password = password.ok_or_else(|| Failure::Bug("no password was made".to_owned()))?;
    Ok((password, keys))
}

/// Writes the configuration outside the data directory: root's, readable to the server's user.
fn configure(file: &Path, text: &str, owner: Option<&User>) -> Result<Above, Failure> {
    let above = Above::of(file)?;
    write(file, text.as_bytes(), 0o640)?;
    if let Some(owner) = owner {
        roots_own(file, owner)?;
    }
    Ok(above)
}

/// A file that the server's user reads and only root writes: root starts the server by what it says.
fn roots_own(file: &Path, owner: &User) -> Result<(), Failure> {
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o640);
    std::fs::set_permissions(file, mode).map_err(|e| Failure::io(file.display(), e))?;
    nix::unistd::chown(file, Some(nix::unistd::Uid::from_raw(0)), Some(owner.gid))
        .map_err(|e| Failure::sys(file.display(), e))
}

/// What to do next.
fn told(plan: &Plan, password: &Secret, keys: &[DkimInfo], programs: &str) -> String {
    let Plan { domain, hostname, data, config_file, .. } = plan;
    let by = match config_file {
        Some(file) if file.to_str() == Some(USUAL_CONFIG) => String::new(),
        Some(file) => format!(" --config {}", file.display()),
        None => format!(" --data {}", data.display()),
    };
    let config = config_file.clone().unwrap_or_else(|| data.join(CONFIG_NAME));
    let password = String::from_utf8_lossy(password.expose()).into_owned();
    let notes: String = host::notes(hostname, data).iter().map(|note| format!("\nNote: {note}.\n")).collect();
    let certificate = if plan.make_certificate {
        format!(
            "\nThe certificate is of an authority of its own ({}): good for a trial. Put a public\n\
             one into tls.certificate and tls.key, then `mailward reload{by}`.\n",
            data.join("tls/ca.pem").display()
        )
    } else {
        String::new()
    };
    format!(
        "Made {}\n     {}\n{notes}{programs}\n\
         \x20 postmaster@{domain}   password {password}\n\
         \x20 This is the only time it is shown.\n\n\
         Next:\n\
         \x20 mailward config check{by}\n\
         \x20 mailward serve{by}\n\
         \x20 mailward user add you@{domain} --generate{by}\n\
         Programs of this host send mail by `sendmail`: see docs/sendmail.md.\n\
         {certificate}\n\
         DNS records for {domain}:\n{}",
        data.display(),
        config.display(),
        dns::records(domain, hostname, keys),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn wishes(data: &Path) -> Wishes {
        Wishes {
            domain: Domain::parse("example.org").unwrap(),
            hostname: None,
            pair: None,
            user: String::new(),
            port_base: Some(free_base()),
            config: None,
            data: Some(data.to_owned()),
        }
    }

    /// A base at which the usual ports are free now, below those of outgoing connections.
    fn free_base() -> u16 {
        let free = |base: &u16| ports_are_free(&listen(Some(*base)).unwrap()).is_ok();
        let first = u16::try_from(std::process::id() % 200).unwrap();
        (0..200).map(|n| 11_050 + (first + n) % 200 * 100).find(free).unwrap()
    }

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_server_passes_its_own_check() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("mail");
        make(&wishes(&data)).unwrap();
        assert_eq!(entries(dir.path()), ["mail"], "nothing is left beside it");
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        let place = crate::place::Where { config: None, data: Some(data) }.find().unwrap();
        assert_eq!(place.config().hostname.as_ref().map(Domain::as_str), Some("mail.example.org"));
        crate::compose::checks::before_serving(&place).unwrap();
    }

    #[test]
    fn a_place_that_is_taken_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("precious"), "mail").unwrap();
        let error = make(&wishes(dir.path())).unwrap_err().to_string();
        assert!(error.contains("is there already: nothing was changed"), "{error}");
        assert_eq!(entries(dir.path()), ["precious"]);
    }

    #[test]
    fn what_fails_leaves_nothing_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("mail");
        // The configuration can't be written: its directory is a file.
        std::fs::write(dir.path().join("file"), "").unwrap();
        let mut wishes = wishes(&data);
        wishes.config = Some(dir.path().join("file/mailward.toml"));
        assert!(make(&wishes).is_err());
        assert_eq!(entries(dir.path()), ["file"]);
    }

    #[test]
    fn directories_above_are_passable_and_gone_again_after_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let mut wishes = wishes(&dir.path().join("var/lib/mail"));
        wishes.config = Some(dir.path().join("etc/mailward/mailward.toml"));
        make(&wishes).unwrap();
        for made in ["var", "var/lib", "etc", "etc/mailward"] {
            assert_eq!(std::fs::metadata(dir.path().join(made)).unwrap().permissions().mode() & 0o777, 0o755, "{made}");
        }
        assert_eq!(std::fs::metadata(dir.path().join("var/lib/mail")).unwrap().permissions().mode() & 0o777, 0o700);

        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        wishes.data = Some(dir.path().join("var/lib/mail"));
        wishes.config = Some(dir.path().join("file/mailward.toml"));
        assert!(make(&wishes).is_err());
        assert_eq!(entries(dir.path()), ["file"]);
    }

    #[test]
    fn a_key_that_doesn_t_belong_is_refused_before_anything_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("mail");
        let now = SystemTime::now();
        let ca = authority::create(&["example.org"], now).unwrap();
        let one = authority::issue(&ca, &["example.org"], now).unwrap();
        let other = authority::issue(&ca, &["example.org"], now).unwrap();
        write(&dir.path().join("c.pem"), one.chain_pem.as_bytes(), 0o600).unwrap();
        write(&dir.path().join("k.pem"), other.key_pem.as_bytes(), 0o600).unwrap();
        let mut wishes = wishes(&data);
        wishes.pair = Some((dir.path().join("c.pem"), dir.path().join("k.pem")));
        let error = make(&wishes).unwrap_err();
        assert_eq!(error.code(), 78);
        assert!(error.to_string().contains("tls.key"), "{error}");
        assert_eq!(entries(dir.path()), ["c.pem", "k.pem"]);
    }

    #[test]
    fn a_port_in_use_is_told_before_anything_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut wishes = wishes(&dir.path().join("mail"));
        wishes.port_base = Some(port - 25);
        let error = make(&wishes).unwrap_err().to_string();
        assert!(error.starts_with(&format!("smtp on 127.0.0.1:{port}: another program")), "{error}");
        assert!(entries(dir.path()).is_empty());
    }
}
