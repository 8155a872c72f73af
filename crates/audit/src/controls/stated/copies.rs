//! What is copied, kept and stands by: nobody but people can tell, as other programs do it.

use super::stated;
use crate::area::Area;
use crate::control::Control;

pub(in crate::controls) const COPIES: &[Control] = &[
    stated(
        "BKP-03",
        Area::Backup,
        5,
        365,
        [
            "Was one message, one folder and one mailbox had back from the backup, each without touching anything else?",
            "Most often one message is missed. A backup that gives back all or nothing is never used for that.",
            "Restore the backup to another directory, `mailward store verify` it, and copy what is missed from there by IMAP; write down that it worked.",
            "ISO/IEC 27001:2022 A.8 (information backup)",
        ],
    ),
    stated(
        "BKP-08",
        Area::Backup,
        5,
        30,
        [
            "Where mail has to be archived: were messages that were accepted and sent counted against those in the archive, and was none missing?",
            "An archive with gaps proves nothing, and the gap is where somebody will look.",
            "Compare the lines `message.accepted` of the log with the archive's own count, every month. Answer \"not applicable\" \
             where nothing has to be archived.",
            "practice; laws on the keeping of business letters",
        ],
    ),
    stated(
        "BKP-09",
        Area::Backup,
        5,
        365,
        [
            "Where mail has to be archived: was tried that nobody can delete or change there before the time is over, and that it can be given out?",
            "What an administrator can delete an intruder can delete, and a court asks who could have.",
            "Try to delete one and be refused; export one month. Answer \"not applicable\" where nothing has to be archived.",
            "practice; laws on the keeping of business letters",
        ],
    ),
    stated(
        "BKP-10",
        Area::Backup,
        5,
        180,
        [
            "Can the account that writes backups write and nothing else: no shell, no reading, no deleting?",
            "Its key lies on this host. Whoever takes the host has the key, and with it all mail of all years if it can read.",
            "Give it a forced command, or a store that adds only; try to log in with it, and to read what it wrote.",
            "ISO/IEC 27001:2022 A.8 (privileged access rights)",
        ],
    ),
    stated(
        "STB-01",
        Area::Standby,
        10,
        30,
        [
            "Is the standby at most a minute behind, and is that measured?",
            "What the standby hasn't got is lost on the day it is needed; without a number nobody knows how much that is.",
            "Measure it where it is copied, and have an alarm at a minute. Answer \"not applicable\" where nobody promised a standby.",
            "ISO/IEC 27001:2022 A.8 (redundancy)",
        ],
    ),
    stated(
        "STB-02",
        Area::Standby,
        5,
        90,
        [
            "Has the standby the same version and the same configuration as this server?",
            "An older program refuses a newer store, at the very moment when nothing else is left.",
            "Compare `mailward --version` and `mailward config show` on both. Answer \"not applicable\" where nobody promised a standby.",
            "ISO/IEC 27001:2022 A.8 (redundancy)",
        ],
    ),
    stated(
        "STB-04",
        Area::Standby,
        10,
        180,
        [
            "Was tried in a drill that this server and the standby never both serve mail?",
            "Two that both take mail have two truths, and putting them together again loses some of each.",
            "Let the standby start only where it holds a lock or has switched the other off; cut the line between them in a drill and look. \
             Answer \"not applicable\" where nobody promised a standby.",
            "practice: split brain",
        ],
    ),
    stated(
        "STB-05",
        Area::Standby,
        5,
        90,
        [
            "Has the standby valid certificates and keys that sign, an address that SPF names, and a name that leads back to it?",
            "A standby whose mail everybody refuses is none.",
            "Copy tls and keys to it; name its address in SPF, and have its reverse name set. Answer \"not applicable\" where nobody promised a standby.",
            "practice",
        ],
    ),
];
