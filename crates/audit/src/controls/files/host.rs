//! Who can change which file of the host.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::controls::services::expected;
use crate::finding::Finding;
use crate::host::reading::{
    Answer, Demands, base, hash, holding, mounts, named, packages, processes, tell, units, visit, walked,
};
use crate::host::{Host, Missed, Stat};
use crate::scene::Scene;
use mailward_core::limits::AUDIT_WALK_MAX;
use rustix::fs::FileType;
use std::collections::BTreeSet;

const FILES: Control = base(Area::Files);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "FIL-01",
        weight: 10,
        question: "Can nobody but the server touch its mail, keys and configuration?",
        why: "Whoever can write there can put mail into mailboxes, or make themselves an administrator; whoever can read, reads.",
        verified: "Every file of the data directory: one owner, nothing for group and others; the configuration: nobody but root and the server writes it.",
        mend: "chown -R mailward: DATA; chmod -R go-rwx DATA; chmod go-w the configuration's files.",
        source: "Lynis FILE-7524",
        check: Check::Look(|scene| tell(only_we_touch_it(scene))),
        ..FILES
    },
    Control {
        id: "FIL-02",
        question: "Is mail on a file system of its own, on which nothing runs?",
        why: "A program that somebody gets into the data directory can't be started there, and mail can't fill the system's disk.",
        verified: "/proc/self/mountinfo (of a host that doesn't run, /etc/fstab): the data directory's own mount, nodev, nosuid, noexec.",
        mend: "Make a file system for the data directory; in /etc/fstab: DEVICE DATA ext4 nodev,nosuid,noexec 0 2.",
        source: "Lynis FILE-6374; NIST SP 800-45, securing the mail server's content",
        check: Check::Look(|scene| tell(mail_is_apart(scene))),
        ..FILES
    },
    Control {
        id: "FIL-03",
        question: "Does something notice when the system's files change?",
        why: "Who breaks in changes a program to come back by; it is found by comparing, or never.",
        verified: "AIDE, Tripwire or Samhain: its program, its database, a run within 24 hours; the database is elsewhere or on a file system that is \
                   read only.",
        mend: "apt-get install aide; aideinit; copy aide.db elsewhere and name it by database_in=https://… in /etc/aide/aide.conf.",
        source: "Lynis FINT-4316, FINT-4350",
        check: Check::Look(|scene| tell(changes_are_noticed(scene))),
        ..FILES
    },
    Control {
        id: "FIL-04",
        weight: 10,
        question: "Is the mail server's program the one that was installed?",
        why: "A changed one does whatever its changer wants with all mail.",
        verified: "SHA-256 of the program against audit/program beside the configuration, or MD5 against the package's record; the process runs that file.",
        mend: "Install it anew; then: sha256sum PROGRAM > /etc/mailward/audit/program, and keep a copy elsewhere.",
        source: "Lynis FINT-4339, FINT-4341",
        check: Check::Look(|scene| tell(program_is_ours(scene))),
        ..FILES
    },
    Control {
        id: "FIL-05",
        question: "Do only known programs run with the rights of their owner (SUID, SGID)?",
        why: "One more of them is the usual way to stay root.",
        verified: "A walk over all files, against audit/suid beside the configuration; without that list, every one belongs to a package.",
        mend: "chmod u-s,g-s the files that are named, or write them into /etc/mailward/audit/suid.",
        source: "qmail, security guarantee: as little as possible in setuid programs",
        check: Check::Look(|scene| tell(set_id_is_known(scene))),
        ..FILES
    },
    Control {
        id: "FIL-06",
        question: "Can nobody change what isn't theirs, and is nothing started from /tmp?",
        why: "A file that everybody may change is changed by whoever got in as nobody.",
        verified: "A walk over all files: none that everybody may write, no such directory without the sticky bit; /tmp and /var/tmp are sticky and noexec.",
        mend: "chmod o-w the files that are named; in /etc/fstab: tmpfs /tmp tmpfs nodev,nosuid,noexec 0 0, and so for /var/tmp.",
        source: "Lynis FILE-6362, FILE-6363",
        check: Check::Look(|scene| tell(nothing_is_everybodys(scene))),
        ..FILES
    },
    Control {
        id: "FIL-07",
        weight: 2,
        question: "Has every file an owner and a group that exist?",
        why: "The next account that is made gets the number, and the files with it.",
        verified: "A walk over all files, against /etc/passwd and /etc/group.",
        mend: "chown root:root the files that are named, or remove them.",
        source: "CIS Debian Linux Benchmark",
        check: Check::Look(|scene| tell(everything_is_owned(scene))),
        ..FILES
    },
    Control {
        id: "FIL-09",
        question: "Is what outsiders sent kept without their names, and never as a program?",
        why: "A file that is called as its sender liked, or that can be started, is half an attack.",
        verified: "The data directory: no file may be executed, and packs of messages have numbers for names.",
        mend: "chmod a-x the files that are named; move what isn't the server's elsewhere.",
        source: "practice: content-addressed stores",
        check: Check::Look(|scene| tell(blobs_are_opaque(scene))),
        ..FILES
    },
    Control {
        id: "FIL-12",
        question: "Are secrets in no environment, command line or unit?",
        why: "Every program of the host reads command lines, and every child inherits the environment.",
        verified: "/proc/PID/environ and cmdline of the server's processes, Environment= of its unit; values are never shown.",
        mend: "Put the secret into a file that only the server reads, and name that in the configuration.",
        source: "CWE-214",
        check: Check::Look(|scene| tell(secrets_are_hidden(scene))),
        ..FILES
    },
];

/// A directory and everything below it.
fn tree(host: &Host, root: &str) -> Result<Vec<(String, Stat)>, Missed> {
    let mut found = vec![(root.to_owned(), host.stat(root)?)];
    visit(host, root, AUDIT_WALK_MAX, |path, stat| {
        found.push((path.to_owned(), *stat));
        true
    })?;
    Ok(found)
}

fn only_we_touch_it(scene: &Scene) -> Answer {
    let host = &scene.host;
    let ours = host.ours_here();
    let data = tree(host, &ours.data)?;
    let owner = host.stat(&ours.data)?.uid;
    let mut wrong = Vec::new();
    for (path, stat) in &data {
        if stat.kind == FileType::Symlink {
            continue;
        }
        // What is in a directory that is closed is closed; sockets ask who comes.
        let forbidden = match stat.kind {
            FileType::Directory if path == &ours.data => 0o027,
            FileType::Directory => 0o022,
            FileType::RegularFile => 0o077,
            _ => 0,
        };
        if stat.uid != owner {
            wrong.push(format!("{path} is user {}'s, not {owner}'s", stat.uid));
        } else if stat.mode & forbidden != 0 {
            wrong.push(format!("{path} has mode {:04o}", stat.mode));
        }
    }
    let root = host.root()?;
    for (path, stat) in tree(host, &ours.configuration)? {
        let is_theirs = stat.uid != root && stat.uid != owner;
        if stat.kind != FileType::Symlink && (stat.mode & 0o022 != 0 || is_theirs) {
            wrong.push(format!("{path} has mode {:04o} and user {}", stat.mode, stat.uid));
        }
    }
    let finding = if wrong.is_empty() {
        Finding::pass("nobody but the server touches its mail, keys and configuration")
    } else {
        Finding::fail(named(&wrong))
    };
    Ok(finding.showing(
        format!("{} and {}", ours.data, ours.configuration),
        format!("{} files, owner {owner}, {} wrong", data.len(), wrong.len()),
    ))
}

fn mail_is_apart(scene: &Scene) -> Answer {
    let host = &scene.host;
    let data = &host.ours_here().data;
    let mounts = mounts(host)?;
    let mut demands = Demands::default();
    let own = holding(&mounts, data).filter(|mount| mount.point != "/");
    demands.ask(own.is_some(), format!("{data} is on the system's file system"));
    for option in ["nodev", "nosuid", "noexec"] {
        demands.ask(own.is_some_and(|mount| mount.has(option)), format!("{data} isn't mounted {option}"));
    }
    demands.show(data.as_str(), own.map_or("on /", |mount| mount.line.as_str()));
    Ok(demands.finding("mail has a file system of its own, on which nothing runs"))
}

/// Program, database, and where its last run shows.
const WATCHERS: [(&str, &str, &[&str]); 3] = [
    ("/usr/bin/aide", "/var/lib/aide/aide.db", &["/var/log/aide/aide.log", "/var/log/aide/aide.report.log"]),
    ("/usr/sbin/tripwire", "/var/lib/tripwire", &["/var/lib/tripwire/report"]),
    ("/usr/sbin/samhain", "/var/lib/samhain/samhain_file", &["/var/log/samhain/samhain.log", "/var/log/samhain.log"]),
];

fn changes_are_noticed(scene: &Scene) -> Answer {
    let host = &scene.host;
    for (program, database, logs) in WATCHERS {
        if !host.is_there(program)? {
            continue;
        }
        let mut demands = Demands::default();
        let settings = host.text_if_there("/etc/aide/aide.conf")?.unwrap_or_default();
        let is_elsewhere = settings.lines().map(str::trim).any(|line| {
            line.split_once('=').is_some_and(|(key, value)| {
                ["database", "database_in"].contains(&key.trim())
                    && ["http:", "https:", "ftp:"].iter().any(|scheme| value.trim().starts_with(scheme))
            })
        });
        let has_database = host.is_there(database)?;
        if !has_database && !is_elsewhere {
            return Ok(Finding::fail(format!("{program} has nothing to compare with: {database} isn't there"))
                .showing(program, "is there"));
        }
        let mut newest = None;
        for log in logs {
            if let Some(stat) = processes::gone(host.stat(log))? {
                newest = newest.max(Some(stat.changed));
            }
        }
        let hours = newest.map(|at: i64| scene.now.secs().saturating_sub(at).div_euclid(3600));
        demands.ask(true, "");
        demands.ask(hours.is_some_and(|hours| hours <= 24), format!("{program} didn't compare within 24 hours"));
        let is_read_only = mounts(host)?.iter().any(|mount| {
            mount.point != "/" && crate::host::mounts::is_below(database, &mount.point) && mount.has("ro")
        });
        demands.ask(is_elsewhere || is_read_only, format!("who changes files can change {database} as well"));
        demands.show(program, hours.map_or("never ran".to_owned(), |hours| format!("ran {hours} hours ago")));
        return Ok(demands.finding("changes of files are noticed"));
    }
    let programs: Vec<&str> = WATCHERS.iter().map(|(program, ..)| *program).collect();
    Ok(Finding::fail("nothing notices changes: none of AIDE, Tripwire and Samhain is installed")
        .showing("programs", programs.join(", ")))
}

fn program_is_ours(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut program = host.ours_here().program.clone();
    let mut demands = Demands::default();
    if let Some(pid) = scene.state().ok().and_then(|state| state.pid) {
        let runs = host.link(&format!("/proc/{pid}/exe"))?;
        demands.ask(!runs.ends_with(" (deleted)"), format!("the file that runs was replaced: {runs}"));
        demands.show(format!("/proc/{pid}/exe"), runs.as_str());
        program = runs.trim_end_matches(" (deleted)").to_owned();
    }
    let path = host.ours_here().expected("program");
    let stat = host.stat(&program)?;
    demands.ask(stat.mode & 0o022 == 0 && stat.uid == host.root()?, format!("others than root can write {program}"));
    let has = hash::sha256(host, &program)?;
    demands.show(format!("SHA-256 of {program}"), has.as_str());
    if let Some(text) = host.text_if_there(&path)? {
        let should = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        demands.ask(should == has, format!("{program} isn't the one that {path} says"));
        demands.show(path, text);
    } else if let Some(hashes) = packages::hashes(host, "mailward")?
        && let Some((_, should)) = hashes.iter().find(|(file, _)| *file == program)
    {
        demands.ask(hash::md5(host, &program)? == *should, format!("{program} isn't the one that its package brought"));
        demands.show("/var/lib/dpkg/info/mailward.md5sums", should.as_str());
    } else {
        let finding = demands.finding_of_all("");
        return match finding.verdict {
            crate::Verdict::Pass => Err(Missed::Absent(format!("what {program} should be: {path}"))),
            _ => Ok(finding),
        };
    }
    Ok(demands.finding_of_all("the program is the one that was installed"))
}

fn set_id_is_known(scene: &Scene) -> Answer {
    let host = &scene.host;
    let walked = walked(host)?;
    let path = host.ours_here().expected("suid");
    let (known, by): (BTreeSet<String>, &str) = match host.text_if_there(&path)? {
        Some(text) => (expected(&text), path.as_str()),
        None => match packages::owned(host, &walked.set_id)? {
            owned if owned.is_empty() && !walked.set_id.is_empty() && !host.is_there("/var/lib/dpkg/info")? => {
                return Err(Missed::Absent(path));
            }
            owned => (owned, "packages"),
        },
    };
    let unknown: Vec<&String> = walked.set_id.iter().filter(|file| !known.contains(*file)).collect();
    let ours = walked.set_id.iter().filter(|file| **file == host.ours_here().program).count();
    let finding = if ours > 0 {
        Finding::fail("our own program has SUID, which it never needs")
    } else if unknown.is_empty() {
        Finding::pass(format!("{} programs have SUID or SGID, all known by {by}", walked.set_id.len()))
    } else {
        Finding::fail(format!("not known by {by}: {}", named(&unknown)))
    };
    Ok(finding.showing(format!("{} files", walked.looked_at), walked.set_id.join("\n")))
}

fn nothing_is_everybodys(scene: &Scene) -> Answer {
    let host = &scene.host;
    let walked = walked(host)?;
    let mut demands = Demands::default();
    demands.ask(walked.writable_files.is_empty(), format!("everybody may write {}", named(&walked.writable_files)));
    demands.ask(
        walked.writable_directories.is_empty(),
        format!("without the sticky bit: {}", named(&walked.writable_directories)),
    );
    let mounts = match mounts(host) {
        Err(Missed::Absent(_)) => Vec::new(),
        other => other?,
    };
    for place in ["/tmp", "/var/tmp"] {
        let stat = host.stat(place)?;
        demands.ask(stat.mode & 0o1000 != 0, format!("{place} isn't sticky"));
        let mount = holding(&mounts, place);
        let is_closed = mount.is_some_and(|mount| mount.point != "/" && mount.has("noexec"));
        demands.ask(is_closed, format!("programs can be started from {place}: it isn't mounted noexec"));
        demands.show(place, mount.map_or("on /", |mount| mount.line.as_str()));
    }
    demands.show(
        format!("{} files", walked.looked_at),
        [walked.writable_files.as_slice(), &walked.writable_directories].concat().join("\n"),
    );
    Ok(demands.finding("nobody can change what isn't theirs"))
}

fn everything_is_owned(scene: &Scene) -> Answer {
    let walked = walked(&scene.host)?;
    let finding = if walked.unowned.is_empty() {
        Finding::pass("every file has an owner and a group")
    } else {
        Finding::fail(format!("nobody's: {}", named(&walked.unowned)))
    };
    Ok(finding.showing(format!("{} files", walked.looked_at), walked.unowned.join("\n")))
}

fn blobs_are_opaque(scene: &Scene) -> Answer {
    let host = &scene.host;
    let data = &host.ours_here().data;
    let mut wrong = Vec::new();
    let files = tree(host, data)?;
    for (path, stat) in files.iter().filter(|(_, stat)| stat.kind == FileType::RegularFile) {
        if stat.mode & 0o111 != 0 {
            wrong.push(format!("{path} can be executed"));
        }
        let name = path.strip_prefix(&format!("{data}/packs/"));
        let is_number = |name: &str| {
            name.strip_suffix(".pack")
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if name.is_some_and(|name| !is_number(name)) {
            wrong.push(format!("{path} is no pack"));
        }
    }
    let finding = if wrong.is_empty() {
        Finding::pass("what outsiders sent has no name of theirs, and can't be started")
    } else {
        Finding::fail(named(&wrong))
    };
    Ok(finding.showing(data.as_str(), format!("{} files", files.len())))
}

/// What a name of a secret has in it.
const SECRET: [&str; 7] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "PRIVATE_KEY"];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    SECRET.iter().any(|word| name.contains(word)) && !name.ends_with("_FILE")
}

fn secrets_are_hidden(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut wrong = Vec::new();
    let mut shown = String::new();
    let unit = units::service(host);
    if let Ok(unit) = &unit {
        let names =
            unit.get("Environment").unwrap_or_default().split_whitespace().filter_map(|word| word.split_once('='));
        for (name, _) in names.filter(|(name, value)| is_secret(name) && !value.is_empty()) {
            wrong.push(format!("the unit sets {}", name.trim_matches('"')));
        }
        shown.push_str(&format!("{}\n", unit.read_from));
    }
    match scene.state().ok().and_then(|state| state.pid) {
        Some(pid) => {
            for process in processes::family(host, pid)? {
                let name = process.name();
                let environment =
                    processes::gone(host.live(&format!("/proc/{}/environ", process.pid)))?.unwrap_or_default();
                for (key, _) in environment
                    .split('\0')
                    .filter_map(|one| one.split_once('='))
                    .filter(|(key, value)| is_secret(key) && !value.is_empty())
                {
                    wrong.push(format!("{name} has {key} in its environment"));
                }
                let words = process.words.iter().filter_map(|word| word.split_once('='));
                let in_words = words.filter(|(key, value)| key.starts_with('-') && is_secret(key) && !value.is_empty());
                wrong.extend(in_words.map(|(key, _)| format!("{name} has {key}=… in its command line")));
                let pairs = process.words.iter().zip(process.words.iter().skip(1));
                let after = pairs.filter(|(key, value)| {
                    key.starts_with("--") && !key.contains('=') && is_secret(key) && !value.starts_with('-')
                });
                wrong.extend(after.map(|(key, _)| format!("{name} has {key} … in its command line")));
                shown.push_str(&format!("{name}\n"));
            }
        }
        // Nothing runs, and nothing would start it.
        None => drop(unit?),
    }
    let finding = if wrong.is_empty() {
        Finding::pass("no secret is in an environment, a command line or the unit")
    } else {
        Finding::fail(named(&wrong))
    };
    Ok(finding.showing("environment and command line, names only", shown))
}
