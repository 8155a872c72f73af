//! What only people know: each answer has a name, a date, an end, and a file where one shows it.

mod copies;
mod people;

pub(super) use copies::COPIES;
pub(super) use people::PEOPLE;

use crate::area::Area;
use crate::control::{Cap, Check, Control, Probe};

/// A question of what is done that people answer. Its words, in order: question, why, mend, source.
const fn stated(
    id: &'static str,
    area: Area,
    weight: u8,
    days: u16,
    [question, why, mend, source]: [&'static str; 4],
) -> Control {
    let verified = "Somebody has said so, and what they said isn't too old; the hash of what they showed is kept.";
    Control::new(id, area, weight, Probe::Statement, Check::Stated { days }, [question, why, verified, mend, source])
}

pub(super) const CONTROLS: &[Control] = &[
    stated(
        "PHY-15",
        Area::Physical,
        10,
        365,
        [
            "Is the machine in a locked room with a list of who may enter, looked through within a year, or at a provider with a certificate that holds?",
            "Whoever can touch the machine can copy all mail, and nobody sees it in a log.",
            "Lock the room, write the list, look through it once a year; of a provider, keep the certificate's number and end.",
            "ISO/IEC 27001:2022 A.7 (physical controls); the checklist of 2001, 1.C",
        ],
    ),
    stated(
        "PHY-16",
        Area::Physical,
        5,
        365,
        [
            "Is there a record for every disk that left the house, that it was wiped or destroyed?",
            "Old disks with mail on them are sold, thrown away and read.",
            "Keep a list of serial numbers with what became of each disk.",
            "ISO/IEC 27001:2022 A.7 (disposal of equipment)",
        ],
    ),
    stated(
        "LOG-15",
        Area::Logs,
        10,
        7,
        [
            "Has a person looked through the logs within a week, and written down how much they looked at and what they found?",
            "Alerts find what somebody thought of; people find the rest.",
            "Read `mailward trace`, refusals and logins of the week; write down what was looked at and found.",
            "NIST SP 800-45 version 2; the checklist of 2001, 5.C",
        ],
    ),
    stated(
        "PAT-12",
        Area::Patches,
        2,
        180,
        [
            "Was the last update tried elsewhere first, or could it have been taken back?",
            "An update that breaks the server at noon is an outage of one's own making.",
            "Try updates on a second machine, or take a snapshot before.",
            "NIST SP 800-45 version 2; the checklist of 2001, 6.C.4",
        ],
    ),
    stated(
        "CLI-15",
        Area::Clients,
        2,
        365,
        [
            "Do users have a guide to setting up their mail programs that names this server and isn't older than a year?",
            "Users who guess choose the settings that work, not those that are safe.",
            "Give them docs/clients.md with your host's name in it.",
            "ISO/IEC 27001:2022 A.8 (user endpoint devices)",
        ],
    ),
    stated(
        "AWR-01",
        Area::Awareness,
        10,
        365,
        [
            "Have at least 95 of 100 users acknowledged the mail policy as it stands?",
            "A rule that nobody has seen can't be followed, nor enforced.",
            "Send the policy, collect names; answer with the share of users who did.",
            "ISO/IEC 27001:2022 A.6.2 and A.5.10",
        ],
    ),
    stated(
        "AWR-02",
        Area::Awareness,
        10,
        365,
        [
            "Were at least 90 of 100 users trained within a year in what mail can do to them?",
            "Most break-ins begin with a message that somebody opened.",
            "Train them, keep the list of who was there; answer with the share.",
            "ISO/IEC 27001:2022 A.6.3",
        ],
    ),
    stated(
        "AWR-03",
        Area::Awareness,
        5,
        365,
        [
            "Were the administrators trained within a year in running a mail server safely?",
            "What the administrator doesn't know nobody does.",
            "Give them time to learn, and keep the record.",
            "NIST SP 800-45 version 2",
        ],
    ),
    stated(
        "AWR-04",
        Area::Awareness,
        10,
        180,
        [
            "Was there an exercise in recognising phishing within half a year, in which at most 5 of 100 gave their password away?",
            "People learn from what happened to them, and it had better be an exercise.",
            "Hold one, count who reported and who gave a password; answer with how well it went.",
            "ISO/IEC 27001:2022 A.6.3",
        ],
    ),
    stated(
        "AWR-11",
        Area::Awareness,
        5,
        180,
        [
            "Were those who pay and those who decide told within half a year how forged orders to pay look?",
            "One forged order to pay costs more than all else that comes by mail.",
            "Tell them: call back on a number that you know, never on one in the message.",
            "practice",
        ],
    ),
    stated(
        "BKP-01",
        Area::Backup,
        10,
        7,
        [
            "Was everything backed up within the time whose mail you can lose: mail, database, queue, configuration, keys, quarantine and evidence?",
            "A disk that dies takes all mail with it; a backup without the keys or the configuration restores a heap of bytes.",
            "Back up the whole data directory and the configuration as docs/running.md says, every night.",
            "ISO/IEC 27001:2022 A.8 (information backup)",
        ],
    ),
    Control {
        cap: Some(Cap::Restore),
        ..stated(
            "BKP-02",
            Area::Backup,
            10,
            90,
            [
                "Was a mailbox restored from the backup within 90 days, and did all its messages have the same content?",
                "A backup that was never restored is a hope.",
                "Restore a mailbox to another directory, `mailward store verify` it, compare; do it every month.",
                "ISO/IEC 27001:2022 A.8 (information backup)",
            ],
        )
    },
    stated(
        "BKP-04",
        Area::Backup,
        10,
        90,
        [
            "Is there a copy elsewhere that can't be changed or deleted from here for at least 30 days?",
            "Whoever takes over the host deletes the backups that it can reach first.",
            "Copy to a place that only adds, with an account that can't delete.",
            "practice: ransomware",
        ],
    ),
    stated(
        "BKP-05",
        Area::Backup,
        10,
        180,
        [
            "Are backups encrypted with a key that isn't on this host, and was the copy of that key tried?",
            "A backup in clear is all mail in one file; one whose key burned with the host is nothing.",
            "Encrypt to a public key; keep the private one elsewhere, twice, and try it.",
            "ISO/IEC 27001:2022 A.8.24",
        ],
    ),
    stated(
        "BKP-06",
        Area::Backup,
        5,
        7,
        [
            "Was the backup's own consistency checked within a week?",
            "Backups rot unnoticed.",
            "Let the backup program check its repository every week.",
            "practice",
        ],
    ),
    stated(
        "BKP-07",
        Area::Backup,
        5,
        180,
        [
            "Is it known how long a whole restore takes, and is that short enough?",
            "How long the organisation is without mail shouldn't be found out on the day.",
            "Measure it with the drill, and write down what is allowed.",
            "ISO/IEC 27001:2022 A.5.30",
        ],
    ),
    stated(
        "STB-03",
        Area::Standby,
        10,
        180,
        [
            "Was taking over by the standby tried within half a year, and the result written down?",
            "A standby that never took over doesn't.",
            "Hold the drill and write down what didn't work.",
            "ISO/IEC 27001:2022 A.5.30",
        ],
    ),
    stated(
        "STB-09",
        Area::Standby,
        2,
        365,
        [
            "Is there a list on paper of whom to call, and what to do when mail is down?",
            "When mail is down, what is in the mail is down.",
            "Print it, and hang it up.",
            "ISO/IEC 27001:2022 A.5.29",
        ],
    ),
    stated(
        "CAP-09",
        Area::Corrective,
        5,
        365,
        [
            "Has somebody from outside reviewed or attacked the mail service within a year, and is what they found among the actions?",
            "One doesn't find one's own mistakes.",
            "Have it done; mend what they find.",
            "ISO/IEC 27001:2022 A.5.35",
        ],
    ),
    stated(
        "CAP-10",
        Area::Corrective,
        5,
        365,
        [
            "Are there written steps for an account taken over, being on a blocklist, an expired certificate, ransomware and a leaked key, practised within a year?",
            "At three in the morning nobody invents a good plan.",
            "Write them, one page each, and practise one a quarter.",
            "ISO/IEC 27001:2022 A.5.24 to A.5.26",
        ],
    ),
];
