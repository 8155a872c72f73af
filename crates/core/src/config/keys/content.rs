//! Keys of what messages may hold.

use super::Key;
use crate::config::value::{quoted, quoted_texts};

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "attachments.default",
        form: "\"quarantine\", \"reject\", \"mark\" or \"deliver\"",
        unit: "action",
        help: "What becomes of mail with programs, scripts, shortcuts, disk images, macros that run by themselves and the\nlike, by what a file is and by names; docs/attachments.md has the list. For mail that goes out as well.",
        reloads: true,
        read: |c, v| v.file_care().map(|care| c.attachments.default = care),
        write: |c| quoted(c.attachments.default.name()),
    },
    Key {
        path: "attachments.encrypted",
        form: "\"quarantine\", \"reject\", \"mark\" or \"deliver\"",
        unit: "action",
        help: "What becomes of mail with archives and Office documents that need a password: nobody can look into them.\nEncrypted PDF files have a mark; S/MIME and OpenPGP go their way.",
        reloads: true,
        read: |c, v| v.file_care().map(|care| c.attachments.encrypted = care),
        write: |c| quoted(c.attachments.encrypted.name()),
    },
    Key {
        path: "attachments.macros",
        form: "\"quarantine\", \"reject\", \"mark\" or \"deliver\"",
        unit: "action",
        help: "What becomes of mail with documents whose macros don't run by themselves. Those that do: see default.",
        reloads: true,
        read: |c, v| v.file_care().map(|care| c.attachments.macros = care),
        write: |c| quoted(c.attachments.macros.name()),
    },
    Key {
        path: "content.rules",
        form: "list of rules such as [\"ext=mp4 larger=20MiB hold\"], or \"none\"",
        unit: "rules",
        help: "What messages may hold, in their order; those of `mailward content` are asked before, attachments.* behind.\nCONDITION... ACTION [\"reason\"] [OPTION]...: see docs/attachments.md.",
        reloads: true,
        read: |c, v| v.content_lines().map(|lines| c.content.rules = lines),
        write: |c| quoted_texts(&c.content.rules),
    },
    Key {
        path: "content.dictionaries",
        form: "list such as [\"projects=/etc/mailward/projects\"], or \"none\"",
        unit: "files",
        help: "Files with a word or phrase on each line, which rules look for: text=dictionary:projects.",
        reloads: true,
        read: |c, v| v.dictionaries().map(|files| c.content.dictionaries = files),
        write: |c| quoted_texts(&c.content.dictionaries),
    },
];
