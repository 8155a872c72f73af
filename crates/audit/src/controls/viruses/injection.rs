//! Whether what is dangerous arrives.

use crate::control::{Cap, Control, Needs};
use crate::finding::Finding;
use crate::inject::{By, Fate, Specimen, Trial, injected, reference, specimens, told};
use crate::scene::Scene;

pub(in crate::controls) const INJECTION: &[Control] = &[
    injected!(
        Viruses,
        "AVS-03",
        10,
        Some(Cap::Hole),
        None,
        "Is a virus stopped however it is wrapped?",
        "Most break-ins begin with a file in a mail. A scanner that isn't there, or that doesn't open what mail programs open, lets it \
         through to everybody.",
        "The harmless file that every virus scanner finds (EICAR) is sent to the audit's account by the door for servers in nine \
         wrappings: plain, base64, quoted-printable, zip, zip in zip, a forwarded message, TNEF, an encoded file name and one by RFC \
         2231. Each must be refused or kept in the quarantine, and a file alone, sent once more, as a virus: rules about kinds of files stop it, too, \
         and know nothing else. A harmless file is sent first and has to arrive.",
        "Install a scanner and name it: `antivirus.engines = [\"clamd unix:/run/clamav/clamd.ctl\"]`, restart, then `mailward antivirus` \
         shows whether it works. It has to have signatures (`freshclam` fetches ClamAV's).",
        "CIS Controls 9.7; mailcow #188",
        |scene| viruses(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Viruses,
        "AVS-05",
        10,
        None,
        None,
        "Do archives that swell without end stay outside, and does the server go on?",
        "A few kilobytes that become gigabytes when they are opened fill the memory of whatever opens them, and mail stands still.",
        "Five archives are sent to the audit's account: one of a high ratio, one nested 24 times, one whose files overlap, one of \
         65,535 files, and 64 bombs in one. Each must be answered in time, and refused or kept; then a harmless message has to \
         arrive.",
        "`mailward content list --all` shows rules for archives that can't be opened to their end; the default keeps them in the \
         quarantine.",
        "CWE-409",
        |scene| bombs(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Viruses,
        "AVS-06",
        5,
        None,
        None,
        "Is an archive kept back that needs a password?",
        "Nobody can look into it. With the password in the text it is how malware is sent past every scanner.",
        "A zip that says that it needs a password, and one such in another zip, are sent to the audit's account. They must be \
         refused or kept. A harmless file has to arrive.",
        "Set `attachments.encrypted = \"quarantine\"`, `mailward reload`, and make exceptions for who needs it (docs/attachments.md).",
        "mailcow #3266",
        |scene| stopped(scene, "AVS-06", By::Stranger, specimens::locked, "archives with a password are kept back"),
    )
    .needing(Needs::Mail),
    injected!(
        Viruses,
        "AVS-07",
        10,
        None,
        None,
        "Are dangerous files known by what they are, whatever they are called?",
        "A program that is called notes.dat is a program. Who looks at names alone is fooled by renaming.",
        "Nine files of dangerous kinds that do nothing (program, shortcut, disc image, virtual disk, notebook, HTML application, \
         script host's job, script, and a program in a zip) are sent under names of other kinds, but for the script. Each must be \
         refused or kept. Documents with macros aren't tried. A harmless file has to arrive.",
        "Leave the rules on attachments on (`mailward content list --all`), or set them back: docs/attachments.md.",
        "mailcow PR #3273, #3851",
        |scene| stopped(
            scene,
            "AVS-07",
            By::Stranger,
            specimens::dangerous,
            "dangerous kinds are stopped whatever their name"
        ),
    )
    .needing(Needs::Mail),
    injected!(
        Viruses,
        "AVS-09",
        10,
        None,
        Some("AVS-03"),
        "Is mail stopped that scanners and mail programs read differently?",
        "A scanner that reads a message in one way passes a virus that a mail program finds in another.",
        "EICAR is sent in eight messages that can be read in two ways: two boundaries, two types, two encodings, comments, padding and \
         strange signs in base64, a file after the end and one before the beginning. Each must be refused or kept. A harmless file \
         has to arrive.",
        "Leave the rules on ambiguous mail on: docs/ambiguous-mail.md.",
        "draft-chen-email-mime-ambiguity-defense-00",
        |scene| stopped(scene, "AVS-09", By::Stranger, specimens::ambiguous, "mail with two readings is stopped"),
    )
    .needing(Needs::Mail),
    injected!(
        Viruses,
        "AVS-10",
        5,
        None,
        Some("AVS-03"),
        "Is mail of your own users looked into as well?",
        "An infected device of yours sends to colleagues first, who trust it, and then to customers.",
        "The audit's account logs in where users hand in mail and sends EICAR to itself, plain and in a zip. Both must be refused or \
         kept. A harmless file has to arrive.",
        "Mailward asks the scanners of all mail; `mailward rules list` and `mailward content list` show exceptions that you made.",
        "mailcow #1834",
        |scene| stopped(scene, "AVS-10", By::User, own, "mail of users is looked into"),
    ),
];

async fn stopped(scene: &Scene, id: &str, by: By, specimens: fn() -> Vec<Specimen>, good: &str) -> Finding {
    let trial = match Trial::by(by, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    trial.ladder(id, specimens(), specimens::harmless(), Fate::stopped, good).await
}

/// The ladder, and who stopped it: without a scanner there is nothing that knows a virus.
async fn viruses(scene: &Scene) -> Finding {
    const ID: &str = "AVS-03";
    let found = stopped(scene, ID, By::Stranger, specimens::viruses, "every wrapping is stopped").await;
    if found.verdict != crate::Verdict::Pass {
        return found;
    }
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let Some(file) = specimens::viruses().into_iter().find(|one| one.name == "base64") else { return found };
    let again = Specimen { name: "a file, once more", ..file };
    let sent = trial.follow(ID, &again, &trial.plainly()).await;
    let mut why = format!("{} {}", sent.fate.words(), sent.said);
    if let Some(name) = reference(&sent.said) {
        match trial.canary.trace(&name).await {
            Ok(told) => why.push_str(&told),
            Err(missed) => return missed.into(),
        }
    }
    if why.to_ascii_lowercase().contains("virus") {
        return found.showing("who stopped it", why);
    }
    Finding::fail(
        "every wrapping is stopped, but none as a virus: rules about kinds of files did it, and no scanner looks",
    )
    .showing_all(found.exhibits)
    .showing("who stopped it", why)
}

/// Two of them: it is another way in, not another scanner.
fn own() -> Vec<Specimen> {
    specimens::viruses().into_iter().filter(|one| ["plain", "zip"].contains(&one.name)).collect()
}

/// Every bomb, and whether mail still comes in after them.
async fn bombs(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let good = "archives that swell are stopped, and the server goes on";
    let found = trial.ladder("AVS-05", specimens::bombs(), specimens::harmless(), Fate::stopped, good).await;
    let after = Specimen { name: "a harmless text afterwards", ..specimens::plain() };
    let after = trial.follow("AVS-05", &after, &trial.plainly()).await;
    if found.verdict == crate::Verdict::Pass && !matches!(after.fate, Fate::Arrived(_)) {
        // Whatever it is, it wasn't so before them.
        return told(&[after], |_| crate::doors::Grade::Bad, good);
    }
    found
}
