//! Keys of milters.

use super::Key;
use crate::config::MilterLine;
use crate::config::value::quoted_texts;
use crate::limits::MILTERS_MAX;

const FORM: &str = "list of \"name address [default=…] [timeout=SECONDS] …\", or \"none\"";
const WHAT: &str = "milters such as [\"rspamd unix:/run/rspamd/milter.sock\"]";

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "milters.smtp",
        form: FORM,
        unit: "milters",
        help: "Milters that are asked about mail from other servers, in this order, such as\n\
               [\"rspamd tcp:127.0.0.1:11332\", \"clamav unix:/run/clamav/milter.sock default=accept\"].\n\
               One that can't be asked means \"try again later\" by default. See docs/milters.md.",
        reloads: true,
        read: |c, v| v.each(WHAT, MILTERS_MAX, MilterLine::parse).map(|all| c.milters.smtp = all),
        write: |c| quoted_texts(&c.milters.smtp),
    },
    Key {
        path: "milters.submission",
        form: FORM,
        unit: "milters",
        help: "The same for mail that users and programs of this host hand in. Such as\n\
               [\"opendkim inet:8891@127.0.0.1 {daemon_name}=ORIGINATING\"].",
        reloads: true,
        read: |c, v| v.each(WHAT, MILTERS_MAX, MilterLine::parse).map(|all| c.milters.submission = all),
        write: |c| quoted_texts(&c.milters.submission),
    },
    Key {
        path: "milters.lmtp",
        form: FORM,
        unit: "milters",
        help: "The same for mail that mail servers of this host deliver by LMTP: for those that ask none themselves.",
        reloads: true,
        read: |c, v| v.each(WHAT, MILTERS_MAX, MilterLine::parse).map(|all| c.milters.lmtp = all),
        write: |c| quoted_texts(&c.milters.lmtp),
    },
];
