//! What a digest says, as plain text and as HTML. Sender, subject and reasons are what outsiders wrote: they are cut, tamed and
//! escaped here (attacks F6, F10).

use mailward_core::config::Origin;
use mailward_core::event::Words;
use mailward_core::limits::{DIGEST_REASON_MAX, DIGEST_REASONS_MAX, DIGEST_TEXT_MAX};
use mailward_core::{AccountId, Address, Domain, QuarantineId, Timestamp};
use mailward_inspect::quarantine::Note;
use mailward_message::date;
use mailward_message::html::escaped;
use mailward_store::records::Quarantined;
use std::fmt::Write as _;

/// A message that is told of. Nothing in its texts leaves its line.
pub(super) struct Item {
    pub(super) id: QuarantineId,
    pub(super) came: Timestamp,
    pub(super) expires: Timestamp,
    from: String,
    subject: String,
    reasons: Vec<String>,
    /// For whom it is kept, the first of them, and how many more there are.
    accounts: Vec<AccountId>,
    others: usize,
}

/// What a letter says.
pub(super) struct Said {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Recipients that a line names.
const NAMED: usize = 3;

impl Item {
    pub(super) fn of(kept: &Quarantined, note: &Note) -> Self {
        let from = match (note.from.as_str(), note.sender.as_str()) {
            ("", "") => "(nobody)",
            ("", sender) => sender,
            (from, _) => from,
        };
        let subject = if note.subject.is_empty() { "(no subject)" } else { &note.subject };
        let reasons = note.reasons().into_iter().take(DIGEST_REASONS_MAX);
        let all: Vec<AccountId> = kept.ways.targets.iter().map(|target| target.account).collect();
        let elsewhere: usize = kept.ways.queued.iter().map(|queued| queued.recipients.len()).sum();
        let accounts: Vec<AccountId> = all.iter().take(NAMED).copied().collect();
        Self {
            id: kept.id,
            came: kept.came,
            expires: kept.expires,
            from: tamed(from, DIGEST_TEXT_MAX),
            subject: tamed(subject, DIGEST_TEXT_MAX),
            reasons: reasons.map(|reason| tamed(&reason, DIGEST_REASON_MAX)).collect(),
            others: all.len().saturating_sub(accounts.len()).saturating_add(elsewhere),
            accounts,
        }
    }

    fn why(&self) -> String {
        self.reasons.join("; ")
    }
}

/// At most so many characters, none of which acts.
fn tamed(text: &str, most: usize) -> String {
    let mut out: String = text.chars().take(most).map(Words::seen).collect();
    if text.chars().count() > most {
        out.push('…');
    }
    out
}

/// What users can do, by the path of its page, with its words.
const ACTS: [(&str, &str); 4] =
    [("", "Look at it"), ("/release", "Release it"), ("/report", "It is no spam"), ("/delete", "Delete it")];

/// To a user, each message with the word of its link.
pub(super) fn for_user(
    hostname: &Domain,
    origin: &Origin,
    whom: &Address,
    items: &[(Item, String)],
    more: usize,
) -> Said {
    let subject = counted(items.len(), "message is kept from your mailbox", "messages are kept from your mailbox");
    let opening = format!(
        "{hostname} keeps mail to {whom} that looks unwanted. You aren't told of it again. What you do nothing about goes by \
         itself."
    );
    let closing = "Each link works once, for some days, and asks before it does anything. Whoever has this mail can use them: \
                   don't pass it on. This mail was written by a program; nobody reads answers.";
    let mut text = format!("{opening}\n\n");
    let mut html = String::new();
    for (number, (item, word)) in items.iter().enumerate() {
        said(&mut text, &mut html, number, item, &[]);
        html.push_str("<p>");
        for (path, what) in ACTS {
            let link = format!("{origin}/quarantine/{word}{path}");
            // Writing to a String can't fail.
            let _infallible = writeln!(text, "   {what}: {link}");
            let _infallible = write!(html, "<a href=\"{}\">{}</a> &nbsp; ", escaped(&link), escaped(what));
        }
        html.push_str("</p></li>\n");
        text.push('\n');
    }
    if more > 0 {
        let words = format!(
            "{} kept that this mail has no room for; ask your administrator.",
            counted(more, "more message is", "more messages are")
        );
        let _infallible = writeln!(text, "{words}\n");
        let _infallible = writeln!(html, "</ol><p>{}</p><ol>", escaped(&words));
    }
    let _infallible = writeln!(text, "{closing}");
    Said { text, html: page(&subject, &opening, &html, closing), subject }
}

/// To administrators. There is no link in it: a virus isn't released by whoever reads this.
pub(super) fn for_administrators(
    hostname: &Domain,
    items: &[Item],
    more: usize,
    name: impl Fn(AccountId) -> Option<Address>,
) -> Said {
    let subject = format!("{} kept by {hostname}", counted(items.len(), "new message is", "new messages are"));
    let opening = "Their recipients don't see them. Look at one with `mailward quarantine show NUMBER`; `release`, `report` and \
                   `discard` decide. What you do nothing about goes by itself.";
    let closing = "quarantine.administrator_digest says how often this comes.";
    let mut text = format!("{opening}\n\n");
    let mut html = String::new();
    for (number, item) in items.iter().enumerate() {
        let mut whom: Vec<String> =
            item.accounts.iter().filter_map(|account| name(*account)).map(|one| one.to_string()).collect();
        if item.others > 0 {
            whom.push(counted(item.others, "other", "others"));
        }
        let more = [("number", item.id.to_string()), ("for", whom.join(", "))];
        said(&mut text, &mut html, number, item, &more);
        html.push_str("</li>\n");
        text.push('\n');
    }
    if more > 0 {
        let words = format!(
            "{} kept that this mail has no room for: mailward quarantine list",
            counted(more, "more message is", "more messages are")
        );
        let _infallible = writeln!(text, "{words}\n");
        let _infallible = writeln!(html, "</ol><p>{}</p><ol>", escaped(&words));
    }
    let _infallible = writeln!(text, "{closing}");
    Said { text, html: page(&subject, opening, &html, closing), subject }
}

/// One message, in both.
fn said(text: &mut String, html: &mut String, number: usize, item: &Item, more: &[(&str, String)]) {
    let facts = [("from", item.from.clone()), ("came", date::format_header(item.came)), ("why", item.why())];
    let _infallible = writeln!(text, "{}. {}", number.saturating_add(1), item.subject);
    let _infallible = write!(html, "<li><p><strong>{}</strong></p>", escaped(&item.subject));
    for (name, value) in facts.iter().chain(more) {
        let _infallible = writeln!(text, "   {name}: {value}");
        let _infallible = write!(html, "<div>{name}: {}</div>", escaped(value));
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// HTML that loads nothing.
fn page(title: &str, opening: &str, items: &str, closing: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n<body><p>{}</p>\n\
         <ol>\n{items}</ol>\n<p>{}</p></body></html>\n",
        escaped(title),
        escaped(opening),
        escaped(closing),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::BlobId;
    use mailward_inspect::{Action, Check, Finding};
    use mailward_store::records::Ways;
    use proptest::prelude::*;

    fn item(text: &str) -> Item {
        let finding = Finding::new(Check::Attachments, "x", Action::Quarantine, text);
        let note = Note { from: text.to_owned(), subject: text.to_owned(), findings: vec![finding], ..Note::default() };
        let kept = Quarantined {
            id: QuarantineId(7),
            blob: BlobId(1),
            size: 1,
            came: Timestamp(0),
            expires: Timestamp(0),
            ways: Ways::default(),
            note: note.to_bytes(64_000).into(),
        };
        Item::of(&kept, &note)
    }

    fn to_joe(text: &str) -> Said {
        let origin = Origin::parse("https://mail.s.example").unwrap();
        let joe = "joe@s.example".parse().unwrap();
        for_user(&Domain::parse("mx.s.example").unwrap(), &origin, &joe, &[(item(text), "w0rd".to_owned())], 2)
    }

    #[test]
    fn a_tag_in_a_subject_is_text_and_links_begin_with_the_configured_origin() {
        let said = to_joe("\"><img onerror=x>\r\nBcc: x");
        assert!(!said.html.contains("<img") && said.html.contains("&lt;img onerror=x&gt;"), "{}", said.html);
        for (path, what) in ACTS {
            assert!(said.text.contains(&format!("{what}: https://mail.s.example/quarantine/w0rd{path}\n")));
            assert!(said.html.contains(&format!("href=\"https://mail.s.example/quarantine/w0rd{path}\"")));
        }
        assert!(said.text.contains("2 more messages are kept"), "{}", said.text);
        assert_eq!(said.subject, "1 message is kept from your mailbox");
    }

    #[test]
    fn administrators_get_numbers_and_no_link() {
        let said = for_administrators(&Domain::parse("mx.s.example").unwrap(), &[item("a")], 0, |_| None);
        assert!(said.text.contains("number: 7\n") && !said.text.contains("http") && !said.html.contains("href"));
    }

    proptest! {
        #[test]
        fn whatever_an_outsider_wrote_adds_no_line_and_no_tag(text in "(\\PC|[\0-\u{9f}<>\"'&`\u{202e}\r\n]){0,300}") {
            let (plain, other) = (to_joe("a"), to_joe(&text));
            prop_assert_eq!(other.text.lines().count(), plain.text.lines().count());
            let tags = |html: &str| html.matches('<').count();
            prop_assert_eq!(tags(&other.html), tags(&plain.html));
            prop_assert!(!other.text.chars().any(|c| c != '\n' && Words::seen(c) != c));
        }
    }
}
