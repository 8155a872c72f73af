//! The twelve clauses as data.

use super::{Clause, Question};

const fn asked(points: u16, asks: &'static str, controls: &'static [&'static str]) -> Question {
    Question { points, asks, controls }
}

/// The clauses, in the order of the sheet.
pub const CLAUSES: &[Clause] = &[
    Clause {
        title: "Physical security",
        weight: 90,
        who: "The information security officer answers for the machine's physical safety and for who gets to it.",
        why: "All mail passes through this machine and much of it stays there. Whoever can touch it can copy mail, or have it \
              copied, without anybody noticing; fire and water end it.",
        what: &[
            asked(20, "Does the mail server stand where visitors and outsiders can't get to it?", &["PHY-15"]),
            asked(
                10,
                "Is it locked in a room that only the administrator and named persons open, by an electronic lock?",
                &[],
            ),
            asked(10, "Are there smoke detectors, a fire alarm, and an extinguisher nearby?", &[]),
            asked(10, "Does a camera watch what happens at the mail server?", &[]),
        ],
    },
    Clause {
        title: "Network security",
        weight: 90,
        who: "The information security officer and the network administrator answer for it.",
        why: "A mail server has to be reached from the Internet. Badly placed, it is the way into the whole network; so it belongs \
              into a zone of its own, behind a firewall, and watched for attacks.",
        what: &[
            asked(10, "Does the mail server stand in a zone of its own (DMZ)?", &["NET-18"]),
            asked(5, "Do a firewall and an intrusion detection system protect it?", &["NET-03"]),
            asked(
                10,
                "Does the firewall let in nothing but mail protocols from other networks?",
                &["NET-03", "NET-02"],
            ),
            asked(15, "Is the intrusion detection told what suspicious traffic to a mail server looks like?", &[]),
            asked(10, "Does the security officer review firewall and intrusion detection every day?", &[]),
        ],
    },
    Clause {
        title: "Service control",
        weight: 80,
        who: "The information security officer and the mail server's administrator answer for it.",
        why: "Every service that runs and isn't needed is one more way in. A machine that handles mail and nothing else is the \
              easiest to keep safe; all other ports are closed, and somebody looks whether they stay so.",
        what: &[
            asked(10, "Is the machine there for mail alone?", &["SVC-02", "SVC-03"]),
            asked(
                10,
                "Was its operating system hardened before it was put to use, and is there a record of it?",
                &["OSA-10", "NET-05"],
            ),
            asked(15, "Do only services run that are needed?", &["SVC-01", "NET-01"]),
            asked(15, "Are ports and services watched for being opened and closed without leave?", &["NET-02"]),
        ],
    },
    Clause {
        title: "Operating system access control",
        weight: 85,
        who: "The information security officer and the mail server's administrator answer for it.",
        why: "With wrong rights, a user reads or changes other users' mail, or the server's own configuration; an intruder who got \
              in through the mail server owns the machine. So it runs with the least rights there are.",
        what: &[
            asked(10, "Were accounts made for mail users that can do nothing but mail?", &["OSA-07"]),
            asked(
                10,
                "Does the list of accounts show that mail users have no more rights than that?",
                &["OSA-02", "OSA-07"],
            ),
            asked(10, "Do the rights of directories keep each user's mail to that user?", &["FIL-01"]),
            asked(10, "Can only the administrator's addresses reach a shell or copy files?", &["OSA-01"]),
            asked(10, "Does the administrator look at times for users' rights that have changed?", &[]),
        ],
    },
    Clause {
        title: "Auditing of logs",
        weight: 80,
        who: "The information security officer and the mail server's administrator answer for it.",
        why: "Logs tell of attempts to get in, of a configuration that doesn't work, and when the service gets too small. They are \
              worth nothing if nobody reads them, if an intruder can change them, or if they fill the disk when a flood comes.",
        what: &[
            asked(10, "Does something write down all that concerns security?", &["LOG-01"]),
            asked(10, "Is what is written down safe from being read and overwritten?", &["LOG-13"]),
            asked(10, "Are logs sent elsewhere, or taken off the disk when their time is over?", &["LOG-02"]),
            asked(10, "Is there a program that reads and shows logs?", &["LOG-08"]),
            asked(10, "Is disk space watched, so that it doesn't run out?", &["DOS-08"]),
        ],
    },
    Clause {
        title: "Hot fixes and security patches",
        weight: 85,
        who: "The mail server's administrator answers for it.",
        why: "Holes are found in programs every day, and used soon after. Patches have to be there before; but a patch may break \
              things too, so it is tried elsewhere first.",
        what: &[
            asked(10, "Is the mail server's program of its latest version?", &["PAT-06"]),
            asked(10, "Does the administrator follow what is found in it?", &[]),
            asked(15, "Is its latest security patch installed?", &["PAT-01"]),
            asked(15, "Are patches tried on a test machine before they go to the real one?", &["PAT-12"]),
        ],
    },
    Clause {
        title: "Server virus scanning",
        weight: 90,
        who: "The information security officer and the mail server's administrator answer for it.",
        why: "Malicious attachments take over desktops, steal what is on them and spread. What is stopped at the mail server \
              reaches no desktop.",
        what: &[
            asked(10, "Are virus scanners used at the mail server?", &["AVS-01"]),
            asked(
                20,
                "Is everything there that a scanner needs: unpackers, MIME decoding, recognition of file types?",
                &["AVS-03"],
            ),
            asked(20, "Are signatures updated regularly?", &["AVS-02"]),
        ],
    },
    Clause {
        title: "Mail client settings",
        weight: 85,
        who: "The administrator of desktops answers for it.",
        why: "HTML, scripts and programs in mail run on the desktop if the mail program lets them. It has to be set to refuse them, \
              and its users have to know what attachments can do.",
        what: &[
            asked(10, "Is the mail program of its latest version, with its security patches?", &[]),
            asked(20, "Does a virus scanner on the desktop look at attachments?", &[]),
            asked(20, "Are its signatures up to date?", &[]),
        ],
    },
    Clause {
        title: "Secure POP3 and IMAP",
        weight: 75,
        who: "The information security officer and the administrator of desktops answer for it.",
        why: "Users who read mail elsewhere send their password through networks of others. In clear text it is anybody's; and \
              programs that serve mail have had holes that gave root's rights away.",
        what: &[
            asked(10, "Is there a server for secure POP3 and IMAP?", &["POP-02"]),
            asked(10, "Is it of its latest version, without known holes?", &["PAT-06"]),
            asked(10, "Does it do logins that send no password in clear, and TLS?", &["POP-01", "POP-04"]),
            asked(10, "Are mail programs set to use it?", &["CLI-02"]),
            asked(10, "Do users read their mail that way?", &["CLI-05"]),
        ],
    },
    Clause {
        title: "Mail filtering",
        weight: 75,
        who: "The information security officer and the mail server's administrator answer for it.",
        why: "Unwanted mail costs time and can drown the rest; objectionable mail is a matter for courts. What goes out may carry \
              secrets away. And a server that sends for strangers is soon refused everywhere.",
        what: &[
            asked(10, "Does the mail server refuse to relay for other domains?", &["SVC-04"]),
            asked(10, "Is there something that filters mail?", &["FLT-07"]),
            asked(10, "Is it of its latest version, without known holes?", &["PAT-06"]),
            asked(10, "Has the administrator set it up?", &["FLT-01"]),
            asked(10, "Does it tell the administrator of offending mail?", &["FLT-09"]),
        ],
    },
    Clause {
        title: "Encryption and digital signature",
        weight: 70,
        who: "The administrator of desktops and the mail server's administrator answer for it.",
        why: "Mail passes through networks and servers of others, who can read and change it. That can't be prevented there; but \
              what is encrypted and signed can't be read, and not changed unnoticed.",
        what: &[
            asked(10, "Is there a program on the desktop that encrypts mail?", &[]),
            asked(10, "Is it set up to send encrypted mail?", &[]),
            asked(10, "Do users encrypt what they send?", &[]),
            asked(10, "Are users' public keys to be had from public servers?", &["ENC-22"]),
            asked(10, "Does the organisation have a server for keys of its own?", &[]),
        ],
    },
    Clause {
        title: "User awareness",
        weight: 95,
        who: "The information security officer answers for it.",
        why: "All of it fails with a user who opens a program that a stranger sent, leaves a screen unlocked with mail on it, reads \
              mail in a browser without care for what is saved, or answers to everybody what was meant for one.",
        what: &[
            asked(10, "Do users know what protects them at their desk, and how to use it?", &["AWR-02"]),
            asked(10, "Do they look for viruses in what they take from webmail?", &[]),
            asked(10, "Do they have attachments scanned before they save them?", &[]),
            asked(10, "Do they lock their screen when they leave?", &[]),
            asked(10, "Do they know that a copy to everybody goes on to everybody's copies?", &[]),
        ],
    },
];
