//! What the host offers beside mail.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::controls::network::{is_ours, our_processes, shown};
use crate::finding::Finding;
use crate::host::reading::{Answer, Demands, Socket, base, listening, named, packages, tell, units};
use crate::host::{Missed, Transport};
use crate::scene::Scene;
use std::collections::BTreeSet;

const SERVICES: Control = base(Area::Services);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "SVC-01",
        question: "Are exactly those services on that were agreed on?",
        why: "What was turned on by an update, or by somebody who was here uninvited, runs until somebody compares.",
        verified: "`systemctl list-unit-files --state=enabled,enabled-runtime` against the list audit/units beside the configuration, which \
                   only root can write.",
        mend: "Look at the list that is shown; write what should be on, one unit a line, to /etc/mailward/audit/units; disable the rest.",
        source: "Lynis BOOT-5177, BOOT-5180",
        check: Check::Look(|scene| tell(agreed_units_are_on(scene))),
        ..SERVICES
    },
    Control {
        id: "SVC-02",
        question: "Is the host free of services that show passwords or have no business beside mail?",
        why: "Telnet, ftp, rsh and their like send passwords in clear, and share them with the mail server's host.",
        verified: "dpkg's status and the units that are on; on a running host the sockets that listen on their ports as well.",
        mend: "apt-get purge the packages that are named.",
        source: "Lynis, tests of insecure services, STRG-1902, STRG-1920",
        check: Check::Look(|scene| tell(nothing_old_is_here(scene))),
        ..SERVICES
    },
    Control {
        id: "SVC-03",
        question: "Is there no other mail server that strangers reach?",
        why: "A second one, forgotten since the installation, has none of this one's rules.",
        verified: "Sockets at 25, 465 and 587 outside loopback, and whose they are.",
        mend: "apt-get purge postfix exim4-base sendmail-bin, whichever is named.",
        source: "CIS Debian Linux Benchmark 2.1.21",
        check: Check::Look(|scene| tell(no_other_mail_server(scene))),
        ..SERVICES
    },
];

fn agreed_units_are_on(scene: &Scene) -> Answer {
    let host = &scene.host;
    let path = host.ours_here().expected("units");
    let (units, from) = units::enabled(host)?;
    let list: String = units.iter().map(|unit| format!("{unit}\n")).collect();
    let Some(text) = host.text_if_there(&path)? else {
        return Ok(Finding::fail(format!("nobody has agreed on anything: there is no {path}")).showing(from, list));
    };
    let stat = host.stat(&path)?;
    let agreed: BTreeSet<String> = expected(&text);
    let mut wrong = Vec::new();
    if stat.mode & 0o022 != 0 || stat.uid != host.root()? {
        wrong.push(format!("others than root can write {path}"));
    }
    wrong.extend(units.difference(&agreed).map(|unit| format!("{unit} is on and isn't in the list")));
    wrong.extend(agreed.difference(&units).map(|unit| format!("{unit} is in the list and isn't on")));
    let finding = if wrong.is_empty() {
        Finding::pass(format!("the {} units of {path} are on, no others", units.len()))
    } else {
        Finding::fail(named(&wrong))
    };
    Ok(finding.showing(from, list).showing(path, text))
}

/// What a list that people keep holds: a thing a line, and comments.
pub(in crate::controls) fn expected(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Packages that offer what nobody should beside mail; those of more than one name by what they begin with.
const OLD_PACKAGES: [&str; 24] = [
    "telnetd",
    "inetutils-telnetd",
    "telnetd-ssl",
    "rsh-server",
    "rsh-redone-server",
    "vsftpd",
    "proftpd-core",
    "proftpd-basic",
    "pure-ftpd",
    "pure-ftpd-common",
    "ftpd",
    "ftpd-ssl",
    "inetutils-ftpd",
    "tftpd",
    "tftpd-hpa",
    "atftpd",
    "rpcbind",
    "nfs-kernel-server",
    "ypserv",
    "nis",
    "talkd",
    "inetutils-inetd",
    "openbsd-inetd",
    "xinetd",
];
/// Their units, where packages aren't Debian's.
const OLD_UNITS: [&str; 10] = [
    "telnet.socket",
    "rsh.socket",
    "rlogin.socket",
    "vsftpd.service",
    "proftpd.service",
    "pure-ftpd.service",
    "tftp.socket",
    "rpcbind.socket",
    "nfs-server.service",
    "ypserv.service",
];
/// Their ports: ftp, telnet, tftp, finger, portmapper, exec, login, shell, NFS.
const OLD_PORTS: [u16; 9] = [21, 23, 69, 79, 111, 512, 513, 514, 2049];

fn nothing_old_is_here(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let installed = packages::installed(host);
    let units = units::enabled(host);
    if let (Err(missed), Err(_)) = (&installed, &units) {
        return Err(missed.clone());
    }
    let mut found: Vec<String> = Vec::new();
    if let Ok(installed) = &installed {
        let old = installed.iter().filter(|package| OLD_PACKAGES.contains(&package.name.as_str()));
        found.extend(old.map(|package| format!("package {}", package.name)));
        demands.show("/var/lib/dpkg/status", format!("{} packages", installed.len()));
    }
    if let Ok((units, from)) = &units {
        found.extend(OLD_UNITS.iter().filter(|unit| units.contains(**unit)).map(|unit| format!("unit {unit}")));
        demands.show(from.as_str(), format!("{} units", units.len()));
    }
    if host.is_running() {
        let sockets = listening(host)?;
        let old = sockets.iter().filter(|socket| {
            // What syslog takes at 514 is UDP.
            OLD_PORTS.contains(&socket.address.port())
                && (socket.transport == Transport::Tcp || socket.address.port() != 514)
        });
        found.extend(old.map(|socket| format!("socket {socket}")));
    }
    demands.ask(found.is_empty(), named(&found));
    Ok(demands.finding_of_all("none of the services that show passwords is here"))
}

fn no_other_mail_server(scene: &Scene) -> Answer {
    let sockets = listening(&scene.host)?;
    let mail: Vec<Socket> = sockets
        .into_iter()
        .filter(|socket| socket.transport == Transport::Tcp && !socket.is_inside())
        .filter(|socket| [25, 465, 587].contains(&socket.address.port()))
        .collect();
    let ours = our_processes(scene)?;
    let (mut others, mut unseen) = (Vec::new(), 0_usize);
    for socket in &mail {
        match is_ours(ours.as_ref(), socket) {
            Some(true) => {}
            Some(false) => others.push(socket.to_string()),
            None => unseen = unseen.saturating_add(1),
        }
    }
    let finding = if !others.is_empty() {
        Finding::fail(format!("somebody else takes mail: {}", named(&others)))
    } else if unseen > 0 {
        return Err(Missed::NoRight("who holds a mail port".to_owned()));
    } else {
        Finding::pass("nobody else takes mail from strangers")
    };
    Ok(finding.showing("/proc/net/tcp, tcp6", shown(&mail)))
}
