//! What is known of alerts by their names: a sentence for people, what to do, what they are about, and what they end.

use mailward_core::event::Level;

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// One sentence without its full stop.
    pub(crate) says: &'static str,
    /// What to do; an event that says it itself (`mend`) knows better.
    pub(crate) mend: &'static str,
    /// Fields that tell one from another of this kind.
    pub(crate) by: &'static [&'static str],
    /// The field that differs among what is one alert all the same; its values are told together.
    pub(crate) gathers: Option<&'static str>,
    /// The field that has the address of whoever it is about: a mail of it alone goes to them, too. We write it, nobody else.
    pub(crate) who: Option<&'static str>,
    /// Whether strangers can cause as many different ones as they like.
    pub(crate) strangers: bool,
    /// The alert that it is the end of.
    pub(crate) ends: Option<&'static str>,
}

/// Fields that tell alerts of an unknown name apart: what belongs to us and isn't another one each time.
const USUAL: &[&str] = &[
    "user", "account", "of", "list", "domain", "gateway", "insider", "way", "pack", "socket", "lane", "network", "file",
];

const fn alert(name: &'static str, by: &'static [&'static str], says: &'static str, mend: &'static str) -> Kind {
    Kind { name, says, mend, by, gathers: None, who: None, strangers: false, ends: None }
}

/// One that strangers can cause in any number: where all of a kind is one topic, they can't.
const fn strange(kind: Kind) -> Kind {
    Kind { strangers: true, ..kind }
}

const fn end(name: &'static str, by: &'static [&'static str], ends: &'static str, says: &'static str) -> Kind {
    Kind { name, says, mend: "", by, gathers: None, who: None, strangers: false, ends: Some(ends) }
}

const LOG: &str = "see the log";

/// In the order of their names.
const KINDS: &[Kind] = &[
    Kind {
        gathers: Some("user"),
        ..alert(
            "account.attacked",
            &[],
            "Passwords of users are guessed at",
            "nothing: devices that are known go on working",
        )
    },
    alert("alert.failing", &["way"], "A way that alerts go doesn't work", "mailward alert test, once it is mended"),
    alert("alert.lost", &[], "More alerts came than could be heard", "see the log, which has more of them"),
    end("alert.recovered", &["way"], "alert.failing", "A way that alerts go works again"),
    alert("alert.test", &[], "This is a test: nothing is wrong", "nothing"),
    alert(
        "antivirus.down",
        &[],
        "No virus scanner answers, and mail is dealt with as antivirus.when_down says",
        "mailward antivirus",
    ),
    alert("antivirus.failing", &["engine"], "A virus scanner doesn't work", "mailward antivirus"),
    alert("antivirus.old", &["engine"], "A virus scanner's signatures are old", "see to what renews them: freshclam"),
    end("antivirus.recovered", &["engine"], "antivirus.failing", "A virus scanner works again"),
    end("antivirus.renewed", &["engine"], "antivirus.old", "A virus scanner's signatures are new again"),
    alert(
        "antivirus.rescan_broken",
        &[],
        "Looking at stored mail again broke off before its end",
        "mailward antivirus",
    ),
    Kind {
        gathers: Some("finding"),
        ..alert(
            "antivirus.rescan_found",
            &[],
            "A virus was found in stored mail, which is in the quarantine now",
            "mailward quarantine list",
        )
    },
    end("antivirus.up", &[], "antivirus.down", "A virus scanner answers again"),
    Kind {
        gathers: Some("control"),
        ..alert("audit.failed", &[], "The audit found what it didn't find before", "mailward audit actions")
    },
    Kind {
        who: Some("who"),
        ..alert(
            "audit.reminder",
            &["who"],
            "What an audit found is to be mended soon, or overdue",
            "mailward audit actions",
        )
    },
    alert("audit.stopped", &[], "The daily audit can't be made", "mailward audit run, which tells more"),
    alert("ban.unreadable", &[], "A ban can't be read", LOG),
    alert("ban.unwritten", &[], "Bans can't be written: they act, and a restart forgets them", "see to the disk"),
    alert(
        "clients.unreadable",
        &[],
        "A count of logins can't be read, and counting begins anew: audits know less for a while",
        LOG,
    ),
    alert("config.refused", &[], "A reload was refused, and the old settings stay", "mailward config check"),
    alert("credential.damaged", &["user"], "A stored password can't be read", "mailward user password ADDRESS"),
    alert("device.unreadable", &[], "A device of a user can't be read, and isn't known any more", LOG),
    alert(
        "device.unwritten",
        &[],
        "Devices of users can't be written: a restart forgets the new ones",
        "see to the disk",
    ),
    alert("directory.stale", &[], "Changes of domains and users can't be read", LOG),
    alert("fetch.crashed", &["account"], "Fetching mail of an account broke off by a fault", LOG),
    alert("fetch.failing", &["account"], "Mail of an account elsewhere can't be fetched", "mailward fetch list"),
    alert("fetch.stopped", &["account"], "Mail of an account isn't fetched any more", "mailward fetch list"),
    alert("fetch.stuck", &["account"], "Fetching mail can't go on", LOG),
    alert(
        "firewall.failing",
        &[],
        "The firewall doesn't take bans, which act in the server alone",
        "see docs/alerts.md",
    ),
    alert(
        "firewall.full",
        &[],
        "More networks are banned than the firewall's set holds; the rest is banned in the server",
        "mailward ban list",
    ),
    end("firewall.has_room", &[], "firewall.full", "The firewall's set holds all banned networks again"),
    end("firewall.recovered", &[], "firewall.failing", "The firewall takes bans again"),
    alert("gateways.stopped", &[], "Mail for gateways is refused for now", LOG),
    alert("imap.fault", &[], "A session met an error of the store", "mailward store verify"),
    alert(
        "index.damaged",
        &[],
        "The search index was damaged and is made anew",
        "nothing: searches read until it is done",
    ),
    alert("list.ipv6_off", &["list"], "A DNS list isn't asked about IPv6, as it answers what it shouldn't", "nothing"),
    alert(
        "list.switched_off",
        &["list"],
        "A DNS list is switched off, as it answers what it shouldn't",
        "see its pages",
    ),
    end("list.switched_on", &["list"], "list.switched_off", "A DNS list is asked again"),
    strange(alert(
        "logins.sprayed",
        &["password", "network"],
        "Many users' logins are tried, with one password or by one host",
        "mailward ban list",
    )),
    alert("logins.stuffed", &[], "Passwords that were lost elsewhere are tried here", "mailward ban list"),
    alert(
        "message.crashed",
        &[],
        "A message is held: the server broke off each time it was sent",
        "mailward queue show ID",
    ),
    alert("message.deferred", &[], "Mail is refused for now", LOG),
    alert("message.held", &[], "A message is held", "mailward queue list --held"),
    Kind {
        gathers: Some("finding"),
        ..strange(alert(
            "message.quarantined",
            &["direction"],
            "Mail with a virus or an attachment that isn't let through was kept",
            "mailward quarantine list",
        ))
    },
    alert("milter.down", &["milter", "at"], "A milter can't be asked, and its default holds", "mailward milter"),
    end("milter.recovered", &["milter", "at"], "milter.down", "A milter can be asked again"),
    alert("programs.shut", &["socket"], "Programs of this host can't hand in mail", LOG),
    strange(alert(
        "quarantine.crowded",
        &["network"],
        "One network fills its part of the quarantine, and more of its mail is refused for now",
        "mailward quarantine list",
    )),
    alert("queue.crashed", &[], "Sending broke off by a fault and goes on", LOG),
    alert("queue.stuck", &["lane"], "The queue can't be read or written", "mailward store verify"),
    strange(alert(
        "rate.alarm",
        &["kind", "source"],
        "So much comes from one source that all of it is refused",
        "mailward rates list",
    )),
    alert("routes.stale", &[], "Changes of routes can't be read", LOG),
    strange(alert(
        "scanner.lost",
        &[],
        "A message brought down what looks into attachments, and counts as unscannable",
        "please report it, with the lines of the log",
    )),
    end("scanner.recovered", &[], "scanner.unavailable", "Attachments can be looked into again"),
    alert("scanner.unavailable", &[], "Attachments can't be looked into, and mail is refused for now", LOG),
    alert("schedule.unreadable", &["key"], "A schedule of sending can't be read", "mailward queue schedule list"),
    alert(
        "sending.limit",
        &["of", "limit"],
        "More mail was sent than a limit allows, and is held",
        "mailward queue list --held",
    ),
    alert("server.stopped", &[], "The server stopped by itself", LOG),
    alert(
        "session.panicked",
        &[],
        "A session ended by a fault of the program",
        "please report it, with the lines of the log",
    ),
    alert("spool.aside", &[], "Mail of a program couldn't be taken and was put aside", LOG),
    alert("spool.stuck", &["file"], "Mail of a program waits in the spool and can't be taken", LOG),
    alert(
        "store.closed",
        &[],
        "The store takes nothing more, and mail is refused for now",
        "see to the disk, then restart",
    ),
    alert("store.damaged", &["pack"], "Damage was found in the store", "mailward store verify"),
    alert("store.failed", &[], "The store can't write, and mail is refused for now", "see to the disk"),
    alert("store.head_mended", &["pack"], "The head of a pack was damaged and is mended", "mailward store verify"),
    alert("store.pack_short", &["pack"], "A pack is shorter than it was", "mailward store verify"),
    alert("store.refuses", &[], "The store refuses messages", "see to the disk"),
    alert("stress.entered", &[], "The server is under pressure, and gives clients less time", "mailward sessions"),
    end("stress.left", &[], "stress.entered", "The server isn't under pressure any more"),
    alert(
        "supervisor.ended",
        &[],
        "The supervisor is gone: no command runs, and bans act in the server alone",
        "start the server anew: systemctl restart mailward",
    ),
    alert("user.frozen", &["user"], "A user is frozen", "mailward user show ADDRESS"),
    alert(
        "user.unfinished",
        &["user"],
        "What a frozen user sent could not all be held",
        "mailward queue hold --user ADDRESS",
    ),
    Kind {
        gathers: Some("finding"),
        ..strange(alert(
            "virus.refused",
            &["direction"],
            "Mail with a virus was refused for all its recipients",
            "nothing: nobody here has it",
        ))
    },
];

const GENERIC: Kind = alert("", USUAL, "Something needs you", LOG);

/// What is known of a name; of one that isn't known, what is usual.
pub(crate) fn of(name: &str) -> Kind {
    KINDS.iter().find(|kind| kind.name == name).copied().unwrap_or(GENERIC)
}

/// Every alert that is known, in the order of names: its name, what it says, and what to do.
pub fn known() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    KINDS.iter().filter(|kind| kind.ends.is_none()).map(|kind| (kind.name, kind.says, kind.mend))
}

/// Whether an event is one that [`crate::Runner`] is to hear. Quick: it is asked for each event that the server tells.
#[must_use]
pub fn wanted(level: Level, name: &str) -> bool {
    level == Level::Alert
        || matches!(
            name,
            "alert.recovered"
                | "antivirus.recovered"
                | "antivirus.renewed"
                | "antivirus.up"
                | "firewall.has_room"
                | "firewall.recovered"
                | "list.switched_on"
                | "milter.recovered"
                | "scanner.recovered"
                | "stress.left"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

    fn place(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
    }

    fn sources(under: &Path, all: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(under).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests"))
            {
                all.push(path);
            }
        }
    }

    /// Names that the program gives to alerts, as they stand in its text.
    #[test]
    fn every_alert_that_is_told_anywhere_is_known() {
        let mut all = Vec::new();
        for one in std::fs::read_dir(place("crates")).unwrap() {
            sources(&one.unwrap().path().join("src"), &mut all);
        }
        let mut found = 0;
        for path in all {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let complaints = text.split("Complaint {").skip(1).filter_map(|rest| rest.trim().strip_prefix("event: \""));
            for rest in text.split("Event::alert(\"").skip(1).chain(complaints) {
                let name = rest.split('"').next().unwrap();
                assert_eq!(of(name).name, name, "{} tells an alert that kinds.rs doesn't know", path.display());
                found += 1;
            }
        }
        assert!(found > 50, "{found}");
    }

    const BEGIN: &str = "<!-- Written by `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-alert printed`. -->\n";
    const END: &str = "<!-- To here. -->\n";

    #[test]
    fn the_printed_list_of_alerts_is_current() {
        let path = place("docs/running.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, behind) = rest.split_once(END).unwrap();
        let mut table = "| alert | means | what to do |\n|---|---|---|\n".to_owned();
        for (name, says, mend) in known() {
            writeln!(table, "| `{name}` | {says} | {mend} |").unwrap();
        }
        let written = format!("{before}{BEGIN}{table}{END}{behind}");
        if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page == written, "docs/running.md: MAILWARD_WRITE_DOCS=1 cargo test -p mailward-alert printed");
    }

    #[test]
    fn every_end_is_heard_and_ends_what_is_known() {
        for kind in KINDS {
            match kind.ends {
                Some(ended) => {
                    assert!(wanted(Level::Info, kind.name), "{}", kind.name);
                    assert_eq!(of(ended).by, kind.by, "{}", kind.name);
                    assert_eq!(of(ended).name, ended);
                }
                None => {
                    assert!(!wanted(Level::Warn, kind.name) && wanted(Level::Alert, kind.name), "{}", kind.name);
                    assert!(!kind.mend.is_empty(), "{}", kind.name);
                }
            }
        }
    }

    #[test]
    fn names_stand_in_their_order_and_once() {
        assert!(KINDS.windows(2).all(|two| two[0].name < two[1].name));
        assert!(KINDS.iter().all(|kind| kind.says.is_ascii() && kind.says.len() <= 90 && kind.mend.is_ascii()));
    }
}
