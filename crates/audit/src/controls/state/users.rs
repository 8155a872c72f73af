//! Users: their passwords, and what they may send and lead elsewhere.

use super::{Told, fact, known, lines, settings, shown, some, told, without};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::Missed;
use crate::scene::Scene;

/// OWASP's smallest recommendation for Argon2id: 19 MiB, in KiB, and 2 passes.
const MEMORY_LEAST: u32 = 19 * 1024;
/// As above.
const PASSES_LEAST: u32 = 2;

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "SVC-15",
        Area::Services,
        2,
        Check::Look(|scene| told(catch_all(scene))),
        [
            "Does no domain take mail for addresses that nobody has?",
            "Such a mailbox fills with spam to made-up names, and hides that somebody mistyped an address.",
            "Domains with a catch-all, and where it leads.",
            "`mailward domain set DOMAIN --no-catch-all`; where there is a reason for one, have an exception approved.",
            "practice",
        ],
    ),
    known(
        "CLI-06",
        Area::Clients,
        10,
        Check::Look(|scene| told(one_password(scene))),
        [
            "Do mail programs log in with a password of their own, so that the account's own isn't kept in every phone?",
            "Who steals one phone has the password of all the rest, and changing it breaks every program at once.",
            "Accounts whose one password is all that IMAP, POP3 and SMTP ask for.",
            "This version has no passwords for single programs and no second factor: have an exception approved, and see that users have passwords that they use nowhere else.",
            "NIST SP 800-63B; flaws of other servers' application passwords",
        ],
    ),
    known(
        "CLI-09",
        Area::Clients,
        5,
        Check::Look(|scene| told(password_policy(scene))),
        [
            "Are passwords that guessers try first refused when somebody sets them?",
            "A guesser has a thousand tries a day, and begins with what most people choose.",
            "The server judges passwords that are known to be tried first, as it judges those that are set; there is no list of leaked passwords.",
            "Nothing can be set here: report it, with the password of the evidence.",
            "NIST SP 800-63B (memorized secrets)",
        ],
    ),
    known(
        "CLI-12",
        Area::Clients,
        10,
        Check::Look(|scene| told(leads_out(scene))),
        [
            "Does no address here lead mail on to another organisation?",
            "Whoever got into an account once leaves a forward behind, and reads on for years.",
            "Aliases with targets in domains that aren't ours; users can set no forward here.",
            "`mailward alias list` shows them; remove what nobody needs, and have an exception approved for the rest.",
            "practice: business email compromise",
        ],
    ),
    known(
        "FLT-12",
        Area::Filtering,
        10,
        Check::Look(|scene| told(limited(scene, &["messages", "recipients"]))),
        [
            "Is it limited, for every user, how many messages and to how many recipients they send?",
            "A stolen password sends a million messages in a night, and then nobody takes mail from here.",
            "user_limits as they are in force, and those that single users have instead.",
            "Set messages_per_hour and recipients_per_hour under [user_limits] in mailward.toml and `mailward reload`; `mailward user limit` for single users.",
            "practice; attacks on other servers' users",
        ],
    ),
    known(
        "FLT-13",
        Area::Filtering,
        10,
        Check::Look(|scene| told(limited(scene, &["new"]))),
        [
            "Is it noticed, for every user, when they write to many whom they never wrote to before?",
            "That is what a stolen password is used for, and it looks like nothing else.",
            "user_limits.new_per_hour and new_per_day as they are in force, and those that single users have instead; beyond them mail is held, and the administrator told.",
            "new_per_hour = 150 under [user_limits] in mailward.toml and `mailward reload`; `mailward user limit` for single users.",
            "practice; attacks on other servers' users",
        ],
    ),
    known(
        "ENC-19",
        Area::Encryption,
        10,
        Check::Look(|scene| told(hashes(scene))),
        [
            "Are all passwords kept as Argon2id at least as costly as recommended?",
            "A stolen database of cheap hashes is a list of passwords the day after.",
            "Memory and passes of every hash that is kept: at least 19 MiB and 2.",
            "Set the passwords anew, `mailward user password`: hashes are made at today's cost.",
            "OWASP Password Storage Cheat Sheet; RFC 9106",
        ],
    ),
];

fn catch_all(scene: &Scene) -> Told {
    let all = fact(scene, "its domains", |state| state.catch_all.as_ref())?;
    let bad: Vec<String> = all.iter().map(|(domain, to)| format!("@{domain} to {to}")).collect();
    Ok(if bad.is_empty() {
        Finding::pass("no domain takes mail for nobody")
    } else {
        Finding::fail(format!("mail to nobody is taken: {}", some(&bad))).showing("mailward domain list", lines(&bad))
    })
}

fn one_password(scene: &Scene) -> Told {
    let passwords = fact(scene, "how passwords are kept", |state| state.passwords.as_ref())?;
    Ok(match passwords.accounts {
        0 => Finding::not_applicable("no account can log in"),
        accounts => Finding::fail(format!("{accounts} accounts log in with their one password everywhere")),
    })
}

fn password_policy(scene: &Scene) -> Told {
    let tried = &fact(scene, "how passwords are judged", |state| state.passwords.as_ref())?.tried;
    if tried.is_empty() {
        return Err(Missed::NotReached("the server doesn't tell how it judges passwords".to_owned()));
    }
    let bad: Vec<String> = tried.iter().filter(|(_, taken)| **taken).map(|(password, _)| password.clone()).collect();
    let seen = lines(
        tried
            .iter()
            .map(|(password, taken)| format!("{password}: {}", if *taken { "would be taken" } else { "refused" })),
    );
    let well = format!("{} that guessers try first are all refused", tried.len());
    Ok(without(&bad, tried.len(), well, "would be taken").showing("passwords of nobody", seen))
}

fn leads_out(scene: &Scene) -> Told {
    let all = fact(scene, "its aliases", |state| state.leads_out.as_ref())?;
    let bad: Vec<String> = all.iter().map(|(alias, to)| format!("{alias} to {}", some(to))).collect();
    Ok(if bad.is_empty() {
        Finding::pass("no alias leads elsewhere, and users can lead nothing elsewhere")
    } else {
        Finding::fail(format!("mail is led elsewhere: {}", some(&bad))).showing("mailward alias list", lines(&bad))
    })
}

/// Whether each of these kinds is limited in an hour or a day, by the configuration and for every single user.
fn limited(scene: &Scene, kinds: &[&str]) -> Told {
    let settings = settings(scene)?;
    let own = fact(scene, "limits of single users", |state| state.own_limits.as_ref())?;
    let keys: Vec<(String, [String; 2])> = kinds
        .iter()
        .map(|kind| ((*kind).to_owned(), [format!("{kind}_per_hour"), format!("{kind}_per_day")]))
        .collect();
    let (mut bad, mut usual) = (Vec::new(), Vec::new());
    for (kind, two) in &keys {
        let [hour, day] = two;
        let both = (settings.number(&format!("user_limits.{hour}"))?, settings.number(&format!("user_limits.{day}"))?);
        if both.0 <= 0 && both.1 <= 0 {
            bad.push(format!("{kind} of everybody"));
        }
        usual.push(both);
    }
    for (user, limits) in own {
        for ((kind, [hour, day]), usual) in keys.iter().zip(&usual) {
            let in_force = |key: &String, usual: i64| limits.get(key).map_or(usual > 0, |own| *own > 0);
            let is_own = limits.contains_key(hour) || limits.contains_key(day);
            if is_own && !in_force(hour, usual.0) && !in_force(day, usual.1) {
                bad.push(format!("{kind} of {user}"));
            }
        }
    }
    let names: Vec<String> = keys.iter().flat_map(|(_, two)| two).map(|key| format!("user_limits.{key}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (input, output) = shown(settings, &names);
    let finding = if bad.is_empty() {
        Finding::pass(format!("{} are limited for every user", kinds.join(" and ")))
    } else {
        Finding::fail(format!("there is no limit for {}", some(&bad)))
    };
    Ok(finding.showing(input, output))
}

fn hashes(scene: &Scene) -> Told {
    let passwords = fact(scene, "how passwords are kept", |state| state.passwords.as_ref())?;
    let mut all = passwords.unreadable;
    let mut bad = passwords.unreadable;
    let mut seen = Vec::new();
    for hashes in &passwords.hashes {
        all = all.saturating_add(hashes.passwords);
        if hashes.memory < MEMORY_LEAST || hashes.passes < PASSES_LEAST || hashes.lanes == 0 {
            bad = bad.saturating_add(hashes.passwords);
        }
        seen.push(format!(
            "{} passwords: argon2id m={} KiB, t={}, p={}",
            hashes.passwords, hashes.memory, hashes.passes, hashes.lanes
        ));
    }
    if passwords.unreadable > 0 {
        seen.push(format!("{} passwords: can't be read", passwords.unreadable));
    }
    let finding = match (all, bad) {
        (0, _) => Finding::not_applicable("nobody has a password here"),
        (all, 0) => Finding::pass(format!("{all} passwords, all of them costly enough to guess")),
        (all, bad) => Finding::of(
            all.saturating_sub(bad),
            all,
            format!("{bad} of {all} passwords are kept in a way that is cheap to guess, or that nobody can read"),
        ),
    };
    Ok(finding.showing("how passwords are kept", lines(&seen)))
}
