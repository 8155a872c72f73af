//! From [`Config`] to text: the commented file and the reference, both out of [`KEYS`].

use super::Config;
use super::keys::KEYS;
use std::fmt::Write as _;

/// What a section is about.
const SECTIONS: &[(&str, &str)] = &[
    ("", "This host"),
    ("listen", "Doors: where Mailward listens"),
    ("lmtp", "LMTP on a Unix socket"),
    ("tls", "Certificate"),
    ("limits", "Limits that you may move; all others stand in docs/limits.md"),
    ("queue", "Sending to other servers"),
    ("tls_reports", "Reports to other domains of how TLS went"),
    ("user_limits", "How much one user may send to other domains"),
    ("domain_limits", "How much all users of one domain together may send to other domains"),
    ("gate", "What strangers who bring mail meet"),
    ("rules", "Who may do what, by address"),
    ("attachments", "What files messages may bring: see docs/attachments.md"),
    ("content", "Rules for what messages hold"),
    ("structure", "Messages that can be read in two ways: see docs/ambiguous-mail.md"),
    ("rates", "The rate guard: how much may come from one source in an hour"),
    ("relay", "Hosts of your networks that may send out through this one"),
    ("sendmail", "Mail of programs on this host"),
    ("logins", "Logins that fail"),
    ("bans", "Hosts that get nothing: see `mailward ban`"),
    ("search", "Searching in mail"),
    ("lists", "Lists in the DNS that are asked about who sends, and about links"),
    ("authentication", "Whose word on a message counts"),
    ("dmarc", "Mail that isn't from the domain that it names"),
    ("milters", "Milters: programs beside this one that are asked about messages"),
    ("scanner", "Processes that look into messages"),
    ("antivirus", "Virus scanners of others"),
    ("quarantine", "Messages that were taken and that nobody sees"),
    ("web", "Pages: see docs/web.md"),
    ("spam", "Spam: from how many points on what is done, and from whom the filter learns"),
    ("dns", "Asking the DNS"),
    ("alerts", "Where you are told that you must act"),
    ("audit", "The audit: who answers for what, and when it is looked at"),
    ("log", "The log"),
];

pub(super) fn commented(config: &Config) -> String {
    let mut out = String::from(
        "# Mailward's configuration. Every key is here; those that are commented out stand at their default.\n\
         # `mailward config check` tells what is wrong with it, `mailward reload` takes changes of keys marked\n\
         # (reload), all others need a restart. Domains, users and aliases are kept in the store:\n\
         # `mailward domain`, `mailward user`, `mailward alias`.\n",
    );
    // Writing to a String can't fail.
    for (section, title) in SECTIONS {
        let _infallible = writeln!(out, "\n# ---- {title} ----");
        if !section.is_empty() {
            let _infallible = writeln!(out, "[{section}]");
        }
        for key in KEYS.iter().filter(|k| k.section() == *section) {
            out.push('\n');
            for line in key.help.lines() {
                let _infallible = writeln!(out, "# {line}");
            }
            let reload = if key.reloads { " (reload)" } else { "" };
            let _infallible = writeln!(out, "# {}: {}. Default: {}{reload}", key.unit, key.form, key.default());
            let value = key.value(config);
            let off = if value == key.default() { "#" } else { "" };
            let _infallible = writeln!(out, "{off}{} = {value}", key.name());
        }
    }
    out
}

pub(super) fn reference() -> String {
    let mut out = String::from(
        "# Configuration reference\n\n\
         <!-- Written by `mailward config reference`; a test holds it against the code. Don't edit. -->\n\n\
         One file, `mailward.toml`, says what a host is. Every key has a default: an empty file is a valid one. Unknown keys\n\
         are refused. `mailward config check` tells what is wrong, with the line; `mailward config show` prints what is in\n\
         force; `mailward reload` takes new values of the keys that say so, the others need a restart.\n",
    );
    for (section, title) in SECTIONS {
        let name = if section.is_empty() { "Before the first section".to_owned() } else { format!("`[{section}]`") };
        let _infallible = writeln!(out, "\n## {name}: {title}");
        for key in KEYS.iter().filter(|k| k.section() == *section) {
            let effect = if key.reloads { "on reload" } else { "after a restart" };
            let _infallible = writeln!(
                out,
                "\n### `{}`\n\n{}\n\n- Value: {}\n- Unit: {}\n- Default: `{}`\n- A change works {effect}.",
                key.path,
                key.help,
                key.form,
                key.unit,
                key.default()
            );
        }
    }
    out
}
