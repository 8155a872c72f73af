//! Keys of lists in the DNS.

use super::Key;
use crate::config::value::quoted_texts;
use crate::config::{ListKind, ListLine};
use crate::limits::LISTS_MAX;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "lists.hosts",
        form: "list of \"zone weight [codes] [within=SECONDS] [test=none]\", or \"none\"",
        unit: "lists of addresses in the DNS",
        help: "Block lists, and allow lists with a weight below 0, that are asked about the address of who connects: such as\n[\"zen.spamhaus.org 5\", \"list.dnswl.org -3 127.0.*.2-3\"]. Lists have terms of use. See docs/lists.md.",
        reloads: true,
        read: |c, v| {
            let what = "lists such as [\"zen.spamhaus.org 5\"]";
            v.each(what, LISTS_MAX, |text| ListLine::parse(text, ListKind::Hosts)).map(|all| c.lists.hosts = all)
        },
        write: |c| quoted_texts(&c.lists.hosts),
    },
    Key {
        path: "lists.domains",
        form: "list of \"zone weight [codes] [within=SECONDS] [test=DOMAIN|none]\", or \"none\"",
        unit: "lists of domains in the DNS",
        help: "The same for domains: of senders, of greetings, and of the names of addresses. Such as\n[\"dbl.spamhaus.org 4\"].",
        reloads: true,
        read: |c, v| {
            let what = "lists such as [\"dbl.spamhaus.org 4\"]";
            v.each(what, LISTS_MAX, |text| ListLine::parse(text, ListKind::Domains)).map(|all| c.lists.domains = all)
        },
        write: |c| quoted_texts(&c.lists.domains),
    },
    Key {
        path: "lists.links",
        form: "list of \"zone weight [codes] [within=SECONDS] [test=DOMAIN|none]\", or \"none\"",
        unit: "lists of domains in the DNS",
        help: "The same for domains that links in messages lead to; the weight counts as points of the spam filter.\nSuch as [\"dbl.spamhaus.org 4\"].",
        reloads: true,
        read: |c, v| {
            let what = "lists such as [\"dbl.spamhaus.org 4\"]";
            v.each(what, LISTS_MAX, |text| ListLine::parse(text, ListKind::Links)).map(|all| c.lists.links = all)
        },
        write: |c| quoted_texts(&c.lists.links),
    },
];
