//! How the server runs, who administers it, and what it does when it is in need.

use super::{Told, days_since, fact, known, lines, settings, shown, some, told, without};
use crate::area::Area;
use crate::control::{Cap, Check, Control};
use crate::finding::{Finding, Verdict};
use crate::host::Missed;
use crate::scene::Scene;

/// Alerts that were brought longer ago say little of today.
const ALERT_DAYS: i64 = 90;
/// Stress that begins later comes when there is no place left to meet it.
const STRESS_MOST: i64 = 90;
/// Hours that RFC 5321 section 4.5.4.1 asks for at least: four to five days.
const QUEUE_HOURS: i64 = 96;
/// Hours after which a sender should have heard that a message is late.
const WARN_HOURS: i64 = 4;
/// Of the host's memory, the part that hashes of passwords may take: one in so many.
const HASH_SHARE: u64 = 4;

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "SVC-23",
        Area::Services,
        5,
        Check::Look(|scene| told(as_on_disk(scene))),
        [
            "Can the configuration file be read, and is what it says in force?",
            "A file that doesn't say what runs is found out at the next start, at night.",
            "The server reads its file again, as `mailward reload` would, and compares every key with what is in force.",
            "`mailward config check` tells what is wrong; `mailward reload`, or a restart for keys that want one.",
            "NIST SP 800-45 version 2; Lynis (mail server configuration)",
        ],
    ),
    Control {
        cap: Some(Cap::Hole),
        ..known(
            "OSA-11",
            Area::Access,
            10,
            Check::Look(|scene| told(administrators(scene))),
            [
                "Can nobody administer the server from the network without a second factor?",
                "Whoever has an administrator's password has all mail and all passwords to come.",
                "Through which doors the server takes commands of administrators; rights on its control socket.",
                "Nothing but the control socket in the data directory may take commands: chmod 600 it, and keep the data directory for the server's user.",
                "NIST SP 800-45 version 2; attacks on other servers' administrator pages",
            ],
        )
    },
    known(
        "OSA-13",
        Area::Access,
        10,
        Check::Look(|scene| told(no_lesser_administrators(scene))),
        [
            "Can nobody but the administrators of the host read others' mail or act as them?",
            "An administrator of one domain who may act as any of its users is one stolen password away from all their mail.",
            "Whom the control socket obeys, and whether any door gives rights over others' mailboxes.",
            "Give the server's user to nobody, and root to few: docs/running.md.",
            "ISO/IEC 27001:2022 A.8 (privileged access rights)",
        ],
    ),
    known(
        "OSA-14",
        Area::Access,
        5,
        Check::Look(|scene| told(api_keys(scene))),
        [
            "Are keys of programs that administer narrow, bound to an address, and over some day?",
            "A key in a script outlives the script, its author, and everybody's memory.",
            "Whether there is a door of the network through which programs administer.",
            "Close the door.",
            "ISO/IEC 27001:2022 A.8 (privileged access rights)",
        ],
    ),
    known(
        "LOG-11",
        Area::Logs,
        10,
        Check::Look(|scene| told(alerts(scene))),
        [
            "Do alerts reach somebody by a way that isn't this server's mail, and has it worked within 90 days?",
            "A mail server that is ill doesn't bring the mail that says so.",
            "Ways of alerts that are configured, when each brought one last, and whether it fails now.",
            "Set webhook, syslog or command under [alerts], restart, and try it: `mailward alert test`; docs/alerts.md.",
            "ISO/IEC 27001:2022 A.8 (monitoring activities)",
        ],
    ),
    known(
        "DOS-10",
        Area::Denial,
        5,
        Check::Look(|scene| told(stress(scene))),
        [
            "Does the server give less time and bear fewer mistakes before its places are all taken?",
            "A few hundred idle connections then keep everybody else out.",
            "limits.stress_enter and limits.stress_leave as they are in force.",
            "limits.stress_enter = 80 and limits.stress_leave = 60 in mailward.toml, and `mailward reload`.",
            "Postfix stress-adaptive behaviour",
        ],
    ),
    known(
        "DOS-14",
        Area::Denial,
        5,
        Check::Look(|scene| told(hashing(scene))),
        [
            "Do hashes of passwords that are computed at once fit into a quarter of the memory?",
            "Hashing costs memory on purpose; whoever logs in a thousand times at once takes it all.",
            "Hashes at once, times the memory of the costliest that is kept, against MemTotal of /proc/meminfo.",
            "Give the host more memory: how many run at once is built in.",
            "CWE-400",
        ],
    ),
    known(
        "STB-08",
        Area::Standby,
        2,
        Check::Look(|scene| told(queue_times(scene))),
        [
            "Is a message tried for at least four days, and does its sender hear within four hours that it is late?",
            "A server elsewhere that is ill over the weekend should cost nobody a message; a sender who hears nothing believes it arrived.",
            "queue.lifetime and queue.warn_after as they are in force.",
            "queue.lifetime = 120 and queue.warn_after = 4 in mailward.toml, and `mailward reload`.",
            "RFC 5321 section 4.5.4.1",
        ],
    ),
];

fn as_on_disk(scene: &Scene) -> Told {
    let file = fact(scene, "its configuration file", |state| state.file.as_ref())?;
    let Some(path) = &file.path else {
        return Ok(Finding::not_applicable("the server was started without a configuration file"));
    };
    if let Some(why) = &file.broken {
        return Ok(Finding::fail(format!("{path} can't be taken as it is")).showing(path, why.as_bytes()));
    }
    Ok(match file.differs.as_slice() {
        [] => Finding::pass(format!("{path} can be read, and what it says is in force")),
        keys => Finding::fail(format!("not in force is what {path} says of {}", some(keys))).showing(path, lines(keys)),
    })
}

/// Who may give orders, in one sentence, and the evidence for it.
fn administrators(scene: &Scene) -> Told {
    let administration = fact(scene, "how it is administered", |state| state.administration.as_ref())?;
    if !administration.doors.is_empty() {
        return Ok(Finding::fail(format!(
            "who has a password alone administers through {}",
            some(&administration.doors)
        )));
    }
    let Some(mode) = administration.mode else {
        return Err(Missed::NotReached(format!("rights on {} aren't known", administration.socket)));
    };
    let seen = format!("mode {mode:04o}, obeys the system users {:?}\n", administration.obeys);
    let finding = if mode & 0o077 == 0 {
        Finding::pass("no door of the network takes an administrator's commands; the control socket is for its owner")
    } else {
        Finding::fail(format!("others than its owner may open the control socket: mode {mode:04o}"))
    };
    Ok(finding.showing(&administration.socket, seen))
}

fn no_lesser_administrators(scene: &Scene) -> Told {
    let administration = fact(scene, "how it is administered", |state| state.administration.as_ref())?;
    let obeys = format!("obeys the system users {:?}\n", administration.obeys);
    let finding = if !administration.doors.is_empty() {
        Finding::fail(format!("there are administrators at {}", some(&administration.doors)))
    } else if administration.obeys.is_empty() || administration.obeys.len() > 2 {
        Finding::fail(format!("the control socket obeys {} system users", administration.obeys.len()))
    } else {
        Finding::pass("there are no administrators but root and the server's own user; no login acts for another")
    };
    Ok(finding.showing(&administration.socket, obeys))
}

fn api_keys(scene: &Scene) -> Told {
    let administration = fact(scene, "how it is administered", |state| state.administration.as_ref())?;
    Ok(match administration.doors.as_slice() {
        [] => Finding::not_applicable("no door of the network is for administering, so no program has a key to one"),
        doors => Finding::fail(format!("there is no bound for what programs may do at {}", some(doors))),
    })
}

fn alerts(scene: &Scene) -> Told {
    let ways = fact(scene, "ways of alerts", |state| state.alert_ways.as_ref())?;
    let beside: Vec<_> = ways.iter().filter(|way| way.beside).collect();
    let seen = lines(ways.iter().map(|way| {
        let at = |at: Option<mailward_core::Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.text());
        format!("{}: brought one {}, failing since {}", way.name, at(way.told), at(way.failing))
    }));
    let works = beside
        .iter()
        .find(|way| way.failing.is_none() && way.told.is_some_and(|told| days_since(told, scene.now) <= ALERT_DAYS));
    let finding = if let Some(way) = works {
        Finding::pass(format!("alerts go by {} as well, and did lately", way.name))
    } else if beside.is_empty() {
        Finding::fail("alerts go by this server's own mail alone, or nowhere")
    } else if beside.iter().all(|way| way.failing.is_some()) {
        Finding::fail("no way but this server's own mail works")
    } else {
        let why = "there is another way than mail, by which nothing was brought within 90 days";
        Finding { verdict: Verdict::Partial(50), ..Finding::fail(why) }
    };
    Ok(finding.showing("mailward alert list", seen))
}

fn stress(scene: &Scene) -> Told {
    let settings = settings(scene)?;
    let (enter, leave) = (settings.number("limits.stress_enter")?, settings.number("limits.stress_leave")?);
    let (input, output) = shown(settings, &["limits.connections", "limits.stress_enter", "limits.stress_leave"]);
    let finding = if enter > STRESS_MOST {
        Finding::fail(format!("it is under stress only when {enter} of 100 places are taken"))
    } else {
        Finding::pass(format!("it is under stress from {enter} of 100 places on, until {leave}"))
    };
    Ok(finding.showing(input, output))
}

fn hashing(scene: &Scene) -> Told {
    const MEMORY: &str = "/proc/meminfo";
    let passwords = fact(scene, "how passwords are kept", |state| state.passwords.as_ref())?;
    let Some(one) = passwords.hashes.iter().map(|hashes| hashes.memory).max() else {
        return Ok(Finding::not_applicable("nobody has a password here"));
    };
    let needs = u64::from(one).saturating_mul(u64::try_from(passwords.at_once).unwrap_or(u64::MAX));
    let text = scene.host.live(MEMORY)?;
    let total = memory_total(&text).ok_or_else(|| Missed::Odd(MEMORY.to_owned(), "it has no MemTotal".to_owned()))?;
    let said = format!("{} hashes at once take {needs} KiB of {total} KiB", passwords.at_once);
    let fits = needs <= total.checked_div(HASH_SHARE).unwrap_or(0);
    let finding = if fits { Finding::pass(said) } else { Finding::fail(said) };
    Ok(finding.showing(MEMORY, format!("MemTotal: {total} kB\n")))
}

/// All memory of the host, KiB.
fn memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn queue_times(scene: &Scene) -> Told {
    let settings = settings(scene)?;
    let (lifetime, warn) = (settings.number("queue.lifetime")?, settings.number("queue.warn_after")?);
    let (input, output) = shown(settings, &["queue.lifetime", "queue.warn_after"]);
    let mut bad = Vec::new();
    if lifetime < QUEUE_HOURS {
        bad.push(format!("given up after {lifetime} hours"));
    }
    if !(1..=WARN_HOURS).contains(&warn) {
        bad.push(if warn == 0 { "never told".to_owned() } else { format!("told after {warn} hours") });
    }
    let well = format!("tried for {lifetime} hours, told of after {warn}");
    Ok(without(&bad, 2, well, "a message that is late is").showing(input, output))
}

#[cfg(test)]
mod tests {
    use super::memory_total;
    use proptest::prelude::*;

    #[test]
    fn the_memory_of_the_host_is_read_or_nothing_is() {
        assert_eq!(memory_total("MemTotal:        8147028 kB\nMemFree: 1 kB\n"), Some(8_147_028));
        for odd in ["", "MemTotal:\n", "MemTotal: x kB", "MemTotal: 12 MB", "MemTotal: -1 kB", "memtotal: 1 kB"] {
            assert_eq!(memory_total(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(MemTotal:)?[ -~\\x00\\x1b\\n]{0,60}") {
            let _read = memory_total(&text);
        }
    }
}
