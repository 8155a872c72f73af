//! How keys and mail lie on the disk.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::host::Missed;
use crate::host::reading::{Answer, Demands, base, blocks, holding, mounts, processes, tell};
use crate::scene::Scene;

const ENCRYPTION: Control = base(Area::Encryption);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "ENC-18",
        weight: 10,
        question: "Can nobody read the server's keys, not even what speaks with the network?",
        why: "Who has the key of the certificate is this server to everybody; who has the server's secret reads whatever is sealed with it.",
        verified: "Modes and owners of the key of the certificate, the server's secret and what is in the directory of keys, against the users of the \
                   server's processes in /proc.",
        mend: "chmod 600 the files that are named. That the process which speaks with the network reads them itself can't be changed \
               by a setting.",
        source: "OpenSMTPD, ca.c",
        check: Check::Look(|scene| tell(keys_are_closed(scene))),
        ..ENCRYPTION
    },
    Control {
        id: "ENC-20",
        question: "Is stored mail encrypted, and are backups so with another key?",
        why: "A disk that is sold, and a backup that is lost, are read by whoever finds them; one key for both is lost with either.",
        verified: "The device below the data directory; and that somebody said of BKP-05 that backups are encrypted with a key that isn't here.",
        mend: "Put the data directory on LUKS; encrypt backups to a public key, and say so: `mailward audit answer --who ADDRESS BKP-05 yes`.",
        source: "ISO/IEC 27001:2022 A.8.24",
        check: Check::Look(|scene| tell(mail_is_encrypted(scene))),
        ..ENCRYPTION
    },
];

/// Files that hold keys, in the data directory; of directories every file.
const KEYS: [&str; 3] = ["server.secret", "tls/key.pem", "tls/ca-key.pem"];
const DIRECTORY: &str = "keys";

fn keys_are_closed(scene: &Scene) -> Answer {
    let host = &scene.host;
    let data = host.ours_here().data.as_str();
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    let server = processes::process(host, pid)?.and_then(|process| process.uid());
    let server = server.ok_or_else(|| Missed::NotReached("the server's user isn't known".to_owned()))?;
    let mut paths: Vec<String> = KEYS.iter().map(|name| format!("{data}/{name}")).collect();
    paths.extend(
        host.list_if_there(&format!("{data}/{DIRECTORY}"))?.iter().map(|name| format!("{data}/{DIRECTORY}/{name}")),
    );
    // One that stands elsewhere, if the server says where.
    let elsewhere = scene.state.as_ref().and_then(|state| state.settings.as_ref()?.text("tls.key").ok());
    paths.extend(elsewhere.filter(|path| path.starts_with('/') && !path.starts_with(data)));
    let mut demands = Demands::default();
    for path in paths {
        let stat = match host.stat(&path) {
            Err(Missed::Absent(_)) => continue,
            other => other?,
        };
        demands.ask(stat.mode & 0o077 == 0, format!("{path} has mode {:04o}", stat.mode));
        demands.ask(
            server != 0 && stat.uid != server,
            format!("{path} is open to the process that speaks with the network"),
        );
        demands.show(path, format!("mode {:04o}, owner {}; the server is user {server}", stat.mode, stat.uid));
    }
    if demands.is_empty() {
        return Err(Missed::Absent(format!("a file with a key in {data}")));
    }
    Ok(demands.finding("keys are closed to everybody but who needs them"))
}

fn mail_is_encrypted(scene: &Scene) -> Answer {
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("what mail is stored on".to_owned()));
    }
    let data = host.ours_here().data.as_str();
    let mounts = mounts(host)?;
    let mount = holding(&mounts, data).ok_or_else(|| Missed::Absent(format!("what {data} is on")))?;
    let below = blocks::below(host, mount)?;
    let mut demands = Demands::default();
    demands.ask(below != blocks::Below::Plain, format!("{data} is on {}, which isn't encrypted", mount.source));
    demands.show(data, format!("{} → {below:?}", mount.line));
    let said = crate::scene::stated(scene, "BKP-05", BACKUP_DAYS);
    demands.ask(said.verdict == crate::Verdict::Pass, format!("of backups nobody has said so: {}", said.said));
    demands.show("what was said of BKP-05", said.said);
    Ok(demands.finding("mail is encrypted, and so are backups, with another key"))
}

/// As long as BKP-05 itself holds.
const BACKUP_DAYS: u16 = 180;
