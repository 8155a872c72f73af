//! What becomes of mail: virus scanners, quarantine, whom it is led past checks for, and what proves who it is from.

use super::{DAY, Told, days_since, fact, known, lines, settings, shown, some, told, without};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::{Finding, Verdict};
use crate::host::Missed;
use crate::scene::Scene;
use crate::state::{Engine, Quarantine};

/// Hours after which a virus scanner doesn't know what was sent this morning.
const SIGNATURE_HOURS: i64 = 24;
/// Days that a key signs before there should be another.
const KEY_DAYS: i64 = 365;
/// Days that a rule stands before somebody should ask whether it is still needed.
const RULE_DAYS: i64 = 365;
/// Seconds of waiting that a person who waits for a message bears.
const WAIT_MOST: i64 = 300;
/// A report of a day comes in the days after it: so many days after its end there should be another.
const REPORT_DAYS: i64 = 3;
/// Why a message is kept that no user should let in.
const NOT_FOR_USERS: [&str; 4] = ["virus", "antivirus", "phishing", "authentication"];

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "AVS-01",
        Area::Viruses,
        10,
        Check::Look(|scene| told(engines_work(scene))),
        [
            "Is there a virus scanner, and does every one that is configured answer?",
            "What looks at files can tell that one is dangerous; only a virus scanner knows which are known to be.",
            "Engines of antivirus.engines, and what each answered when it was asked last.",
            "Install one and name it in antivirus.engines, such as \"clamd unix:/run/clamav/clamd.ctl\", restart; `mailward antivirus` tells what is wrong: docs/antivirus.md.",
            "CIS Controls 9.7; Lynis MALW-3284",
        ],
    ),
    Control {
        parent: Some("AVS-01"),
        ..known(
            "AVS-02",
            Area::Viruses,
            10,
            Check::Look(|scene| told(signatures(scene))),
            [
                "Are the signatures of every virus scanner less than a day old?",
                "What is sent around today wasn't known yesterday.",
                "When signatures were made, as each engine says.",
                "Let freshclam run, or what else updates the engine: `systemctl enable --now clamav-freshclam`.",
                "Lynis MALW-3286",
            ],
        )
    },
    Control {
        parent: Some("AVS-01"),
        ..known(
            "AVS-04",
            Area::Viruses,
            10,
            Check::Look(|scene| told(fails_closed(scene))),
            [
                "Does mail wait while no virus scanner answers, rather than pass unseen?",
                "Whoever can make the scanner fall over gets everything past it.",
                "antivirus.when_down as it is in force.",
                "antivirus.when_down = \"defer\" in mailward.toml, and a restart.",
                "NIST SP 800-45 version 2",
            ],
        )
    },
    known(
        "FLT-09",
        Area::Filtering,
        10,
        Check::Look(|scene| told(quarantine_is_read(scene))),
        [
            "Do users hear of what is kept from them, and does the quarantine let go of what is past its time?",
            "Mail that is kept and that nobody hears of is lost.",
            "quarantine.digest as it is in force, and messages that are kept for more than a day beyond their time.",
            "quarantine.digest = \"daily\" in mailward.toml, and `mailward reload`; or read `mailward quarantine list` every day.",
            "flaws of other servers' quarantines",
        ],
    ),
    known(
        "FLT-11",
        Area::Filtering,
        5,
        Check::Look(|scene| told(users_release(scene))),
        [
            "Can users not release what is kept for being a virus, or for not being from whom it says?",
            "Who is told that a message is for them lets it in.",
            "What quarantine.users_release, as it is in force, lets users release; without that setting only administrators can.",
            "quarantine.users_release = [\"spam\"] in mailward.toml, and `mailward reload`.",
            "flaws of other servers' quarantines",
        ],
    ),
    known(
        "FLT-14",
        Area::Filtering,
        5,
        Check::Look(|scene| told(greylisting(scene))),
        [
            "Is mail of strangers put off for at most five minutes?",
            "A code to log in that comes an hour late is over.",
            "gate.greylist_wait as it is in force; who is known isn't put off.",
            "gate.greylist_wait = 60 in mailward.toml, and `mailward reload`.",
            "practice",
        ],
    ),
    known(
        "FLT-15",
        Area::Filtering,
        10,
        Check::Look(|scene| told(trusting(scene))),
        [
            "Does every rule that lets somebody past checks say who made it and why, and was it made within a year?",
            "The partner who was let past checks is taken over years later, and nobody knows that they are let past.",
            "Rules of kind skip and relay: who made them, when, and why. Those in mailward.toml don't say so.",
            "Make it anew with `mailward rules add --comment`, and take it out of mailward.toml; remove what nobody needs.",
            "practice",
        ],
    ),
    known(
        "ENC-04",
        Area::Encryption,
        2,
        Check::Look(|scene| told(keys_change(scene))),
        [
            "Was every key that signs mail made within a year?",
            "A key that leaked unnoticed signs others' mail as yours until it is changed.",
            "When keys that sign now were made.",
            "`mailward dkim rotate DOMAIN`, publish what it prints, then `mailward dkim activate DOMAIN`.",
            "M3AAWG Email Authentication Best Practices",
        ],
    ),
    known(
        "ENC-06",
        Area::Encryption,
        5,
        Check::Look(|scene| told(reports_come(scene))),
        [
            "Do others report, for every mail domain, who sends in its name?",
            "Only those who get the mail see who forges it, and what of your own fails.",
            "The newest report of each domain: of a time that ended at most three days ago.",
            "Publish rua=mailto: with an address here in the DMARC record; `mailward dmarc` shows what came: docs/dmarc-reports.md.",
            "RFC 9990; flaws of other servers' reports",
        ],
    ),
];

fn engines(scene: &Scene) -> Result<&Vec<Engine>, Missed> {
    fact(scene, "its virus scanners", |state| state.engines.as_ref())
}

fn engines_seen(engines: &[Engine]) -> Vec<u8> {
    lines(engines.iter().map(|engine| {
        let works = match engine.works {
            None => "not asked yet",
            Some(true) => "works",
            Some(false) => "doesn't work",
        };
        let made = engine.made.map_or_else(|| "at a time that it doesn't say".to_owned(), |at| at.text());
        let version = engine.version.as_deref().unwrap_or("of a version that it doesn't say");
        format!("{}: {works}, {version}, signatures made {made}", engine.engine)
    }))
}

fn engines_work(scene: &Scene) -> Told {
    let engines = engines(scene)?;
    if engines.is_empty() {
        return Ok(Finding::fail("no virus scanner is asked"));
    }
    if engines.iter().any(|engine| engine.works.is_none()) {
        return Err(Missed::NotReached("not every virus scanner was asked yet".to_owned()));
    }
    let bad: Vec<String> = engines
        .iter()
        .filter(|engine| engine.works != Some(true))
        .map(|engine| format!("{} ({})", engine.engine, engine.why.as_deref().unwrap_or("it doesn't say why")))
        .collect();
    let well = format!("{} answer", engines.len());
    Ok(without(&bad, engines.len(), well, "doesn't work").showing("mailward antivirus", engines_seen(engines)))
}

fn signatures(scene: &Scene) -> Told {
    let engines = engines(scene)?;
    let told: Vec<_> = engines.iter().filter_map(|engine| Some((engine, engine.made?))).collect();
    if told.is_empty() {
        return Err(Missed::NotReached("no virus scanner says how old its signatures are".to_owned()));
    }
    let mut bad = Vec::new();
    for (engine, made) in &told {
        let hours = scene.now.secs().saturating_sub(made.secs()).div_euclid(3_600);
        if hours >= SIGNATURE_HOURS {
            bad.push(format!("{} by {hours} hours", engine.engine));
        }
    }
    let silent = engines.len().saturating_sub(told.len());
    let seen = engines_seen(engines);
    if bad.is_empty() && silent > 0 {
        let said = format!("{silent} of {} don't say how old their signatures are", engines.len());
        return Ok(Finding::of(told.len(), engines.len(), said).showing("mailward antivirus", seen));
    }
    Ok(without(&bad, engines.len(), "all are of today", "old").showing("mailward antivirus", seen))
}

fn fails_closed(scene: &Scene) -> Told {
    let settings = settings(scene)?;
    let when_down = settings.text("antivirus.when_down")?;
    let (input, output) = shown(settings, &["antivirus.when_down"]);
    let finding = if when_down == "defer" {
        Finding::pass("mail waits until a virus scanner answers")
    } else {
        Finding::fail("mail that no virus scanner saw is delivered")
    };
    Ok(finding.showing(input, output))
}

fn quarantine(scene: &Scene) -> Result<&Quarantine, Missed> {
    fact(scene, "its quarantine", |state| state.quarantine.as_ref())
}

fn quarantine_is_read(scene: &Scene) -> Told {
    const KEYS: [&str; 4] =
        ["quarantine.days", "quarantine.digest", "quarantine.administrator_digest", "quarantine.alert"];
    let (settings, quarantine) = (settings(scene)?, quarantine(scene)?);
    let (input, output) = shown(settings, &KEYS);
    let sends = |key: &str| -> Result<bool, Missed> {
        if settings.value(key)?.is_none() {
            return Ok(false);
        }
        Ok(settings.text(key)? != "never")
    };
    let finding = if quarantine.overdue > 0 {
        Finding::fail(format!("{} messages should have been gone for a day", quarantine.overdue))
    } else if sends("quarantine.digest")? {
        Finding::pass(format!("{} messages are kept, and users hear of theirs", quarantine.kept))
    } else if sends("quarantine.administrator_digest")? {
        let said = format!("{} messages are kept, and only administrators hear of them", quarantine.kept);
        Finding { verdict: Verdict::Partial(50), ..Finding::fail(said) }
    } else {
        Finding::fail(format!("{} messages are kept, and nobody hears of them", quarantine.kept))
    };
    Ok(finding.showing(input, output))
}

fn users_release(scene: &Scene) -> Told {
    const KEY: &str = "quarantine.users_release";
    let settings = settings(scene)?;
    let Some(value) = settings.value(KEY)? else {
        return Ok(Finding::pass("only administrators can release anything"));
    };
    let odd = || Missed::Odd(KEY.to_owned(), "the server tells a value of another kind".to_owned());
    // What isn't a list is one word for nothing: nobody may release.
    let classes: Vec<String> = match &value {
        toml::Value::String(_) => Vec::new(),
        toml::Value::Array(all) => {
            all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(odd)?
        }
        _ => return Err(odd()),
    };
    let bad: Vec<String> = classes.iter().filter(|class| NOT_FOR_USERS.contains(&class.as_str())).cloned().collect();
    let (input, output) = shown(settings, &[KEY]);
    let finding = match (bad.is_empty(), classes.is_empty()) {
        (false, _) => Finding::fail(format!("users can release what is kept for: {}", some(&bad))),
        (true, true) => Finding::pass("users can release nothing"),
        (true, false) => Finding::pass(format!("users can release what is kept for: {}", some(&classes))),
    };
    Ok(finding.showing(input, output))
}

fn greylisting(scene: &Scene) -> Told {
    let settings = settings(scene)?;
    let wait = settings.number("gate.greylist_wait")?;
    let (input, output) = shown(settings, &["gate.greylist_at", "gate.greylist_wait"]);
    let finding = match wait {
        0 => Finding::pass("nobody is put off"),
        1..=WAIT_MOST => Finding::pass(format!("strangers who look bad are put off for {wait} seconds")),
        _ => Finding::fail(format!("strangers are put off for {wait} seconds")),
    };
    Ok(finding.showing(input, output))
}

fn trusting(scene: &Scene) -> Told {
    let rules = fact(scene, "its rules", |state| state.trusting.as_ref())?;
    let (mut bad, mut seen) = (Vec::new(), Vec::new());
    for rule in rules {
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        let fault = if !has(&rule.by) {
            Some("doesn't say who made it")
        } else if !has(&rule.why) {
            Some("doesn't say why")
        } else if rule.made.is_none_or(|made| days_since(made, scene.now) > RULE_DAYS) {
            Some("is older than a year")
        } else {
            None
        };
        seen.push(format!("{}: {}: {}", rule.place, rule.rule, fault.unwrap_or("says who made it, and why")));
        if let Some(fault) = fault {
            bad.push(format!("{} {fault}", rule.place));
        }
    }
    let well = format!("{} rules let somebody past checks, and each says who made it and why", rules.len());
    Ok(without(&bad, rules.len(), well, "rules that let somebody past checks")
        .showing("mailward rules list", lines(&seen)))
}

fn keys_change(scene: &Scene) -> Told {
    let keys: Vec<_> =
        scene.state()?.dkim.iter().flat_map(|(domain, keys)| keys.iter().map(move |key| (domain, key))).collect();
    if keys.is_empty() {
        return Ok(Finding::not_applicable("no key signs here"));
    }
    let (mut bad, mut seen) = (Vec::new(), Vec::new());
    for (domain, key) in &keys {
        let name = format!("{}._domainkey.{domain}", key.selector);
        let Some(made) = key.made else {
            return Err(Missed::NotReached(format!("the server doesn't tell when {name} was made")));
        };
        let days = days_since(made, scene.now);
        seen.push(format!("{name} was made {}", made.text()));
        if days > KEY_DAYS {
            bad.push(format!("{name} is {days} days old"));
        }
    }
    let well = format!("{} keys, none older than a year", keys.len());
    Ok(without(&bad, keys.len(), well, "old").showing("mailward dkim list", lines(&seen)))
}

fn reports_come(scene: &Scene) -> Told {
    let heard = fact(scene, "what others report", |state| state.dmarc_heard.as_ref())?;
    if heard.is_empty() {
        return Ok(Finding::not_applicable("there is no domain here yet"));
    }
    let is_late = |ended: &Option<mailward_core::Timestamp>| {
        ended.is_none_or(|ended| scene.now.secs().saturating_sub(ended.secs()) > REPORT_DAYS.saturating_mul(DAY))
    };
    let bad: Vec<String> = heard.iter().filter(|(_, ended)| is_late(ended)).map(|(domain, _)| domain.clone()).collect();
    let seen = lines(heard.iter().map(|(domain, ended)| match ended {
        Some(ended) => format!("{domain}: until {}", ended.text()),
        None => format!("{domain}: none within a week"),
    }));
    let well = format!("others reported lately of {} domains", heard.len());
    Ok(without(&bad, heard.len(), well, "nobody reported lately of").showing("mailward dmarc", seen))
}
