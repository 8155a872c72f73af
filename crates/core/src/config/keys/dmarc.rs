//! Keys of authentication and DMARC.

use super::Key;
use crate::config::Obeyed;
use crate::config::value::{quoted, quoted_texts};
use crate::domain::Domain;
use crate::limits::TRUSTED_SEALERS_MAX;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "authentication.trusted_sealers",
        form: "list of domains such as [\"lists.example.org\"], or \"none\"",
        unit: "domains that seal (ARC)",
        help: "Mailing lists and forwarders whose word counts: if they say, under a seal that holds, that a message\nproved its sender when it came to them, DMARC doesn't refuse it here. See docs/authentication.md.",
        reloads: true,
        read: |c, v| {
            let read = |text: &str| Domain::parse_utf8(text).map_err(|error| format!("{text:?}: {error}"));
            v.each("domains such as [\"lists.example.org\"]", TRUSTED_SEALERS_MAX, read)
                .map(|all| c.authentication.trusted_sealers = all)
        },
        write: |c| quoted_texts(&c.authentication.trusted_sealers),
    },
    Key {
        path: "dmarc.reject",
        form: "\"reject\", \"quarantine\", \"junk\" or \"mark\"",
        unit: "action",
        help: "What is done with mail that isn't from the domain that it names, where that domain asks for refusal\n(p=reject). \"mark\" delivers it with the result in its header.",
        reloads: true,
        read: |c, v| v.obeyed(&Obeyed::ALL).map(|way| c.dmarc.reject = way),
        write: |c| quoted(c.dmarc.reject.name()),
    },
    Key {
        path: "dmarc.quarantine",
        form: "\"quarantine\", \"junk\" or \"mark\"",
        unit: "action",
        help: "The same where the domain asks for suspicion (p=quarantine). \"quarantine\" keeps it for the\nadministrator, \"junk\" files it into Junk.",
        reloads: true,
        read: |c, v| v.obeyed(&[Obeyed::Quarantine, Obeyed::Junk, Obeyed::Mark]).map(|way| c.dmarc.quarantine = way),
        write: |c| quoted(c.dmarc.quarantine.name()),
    },
    Key {
        path: "dmarc.reports",
        form: "true or false",
        unit: "yes or no",
        help: "Tell domains that ask for it once a day how mail in their names was authenticated here (RFC 9990). They\nare from `tls_reports.contact`. Nothing is sent where `queue.send` is off.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.dmarc.reports = on),
        write: |c| c.dmarc.reports.to_string(),
    },
];
