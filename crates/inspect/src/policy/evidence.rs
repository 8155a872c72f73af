//! What rules found, in words.

use super::book::Asked;
use super::fit::kinds;
use super::glob::{extension, readings};
use super::rule::Test;
use super::text::Pattern;
use crate::Subject;
use mailward_scan::{Contents, Family, Item, Kind, Trait, Wrapping};

/// Characters of a name that are shown.
const NAME_SHOWN: usize = 80;
/// Wrappings that are named.
const WRAPPINGS_SHOWN: usize = 3;

/// What a rule found in a file: `invoice.exe in invoices.zip is a Windows program (pe)`.
pub(super) fn of_file(asked: &Asked, contents: &Contents, index: usize, item: &Item) -> String {
    let conditions = asked.placed.rule.conditions().iter().filter(|condition| !condition.not);
    let said: Vec<String> = conditions.filter_map(|condition| file_words(&condition.test, item)).collect();
    let said = if said.is_empty() { "is a file that a rule names".to_owned() } else { said.join(" and ") };
    format!("{} {said}", place(contents, index, item))
}

/// What a rule found in a message.
pub(super) fn of_message(asked: &Asked, subject: &Subject, contents: &Contents) -> String {
    let conditions = asked.placed.rule.conditions().iter().filter(|condition| !condition.not);
    let said: Vec<String> =
        conditions.filter_map(|condition| message_words(&condition.test, subject, contents)).collect();
    if said.is_empty() {
        "the message is one that a rule names".to_owned()
    } else {
        format!("the message {}", said.join(" and "))
    }
}

/// What a rule found in a part.
pub(super) fn of_type(declared: &str) -> String {
    format!("a part is declared as {}", short(declared))
}

/// A file and what it is in.
pub(super) fn place(contents: &Contents, index: usize, item: &Item) -> String {
    let mut words = called(index, item);
    let mut parent = item.parent;
    for depth in 0..=WRAPPINGS_SHOWN {
        let Some(above) = parent.and_then(|at| usize::try_from(at).ok()) else { break };
        let Some(item) = contents.items.get(above) else { break };
        if depth == WRAPPINGS_SHOWN {
            words.push_str(" in others");
            break;
        }
        words.push_str(" in ");
        words.push_str(&called(above, item));
        parent = item.parent;
    }
    words
}

fn called(index: usize, item: &Item) -> String {
    match (item.names.first(), &item.wrapping) {
        (Some(name), _) => short(name),
        (None, Wrapping::Part(part)) => format!("part {part}"),
        (None, Wrapping::Reading(why)) => format!("another reading ({})", short(why)),
        (None, Wrapping::Entry | Wrapping::Inline) => format!("file {}", index.saturating_add(1)),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(NAME_SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A kind with its article.
fn kind_words(kind: Kind) -> &'static str {
    match (kind, kind.family()) {
        (Kind::Pe | Kind::Dos | Kind::Msi | Kind::Msix, _) => "a Windows program",
        (Kind::Elf | Kind::Deb | Kind::Rpm, _) => "a Linux program",
        (Kind::MachO, _) => "a macOS program",
        (Kind::Jar | Kind::JavaClass, _) => "a Java program",
        (Kind::Apk | Kind::Dex, _) => "an Android program",
        (Kind::OneNote, _) => "a OneNote document",
        (Kind::Access, _) => "a database with programs in it",
        (Kind::SheetLink, _) => "a sheet that loads others",
        (Kind::OfficeEncrypted, _) => "an encrypted Office document",
        (_, Family::Executable) => "a program",
        (_, Family::Script) => "a script",
        (_, Family::Shortcut) => "a shortcut",
        (_, Family::DiskImage) => "a disk image",
        (_, Family::Archive) => "an archive",
        (_, Family::Document) => "a document",
        (_, Family::Page) => "a page",
        (_, Family::Message) => "a message",
        (_, Family::Text) => "text",
        (_, Family::Media) => "a picture, sound or film",
        (_, Family::Crypto) => "signed or encrypted",
        (_, Family::Other) => "data",
    }
}

fn trait_words(there: &Trait) -> String {
    match there {
        Trait::Encrypted => "can't be read without a password".to_owned(),
        Trait::MultiVolume => "is one of several volumes".to_owned(),
        Trait::Macro => "has macros".to_owned(),
        Trait::MacroRuns => "has a macro that runs by itself".to_owned(),
        Trait::Remote => "loads something from elsewhere".to_owned(),
        Trait::Dde => "has a formula or field that starts a program".to_owned(),
        Trait::Launches => "starts a program or opens another file".to_owned(),
        Trait::Script => "has a script".to_owned(),
        Trait::Smuggles => "puts a file together and hands it to its reader".to_owned(),
        Trait::Form => "has a form that sends to elsewhere".to_owned(),
        Trait::Object => "has an object of another program in it".to_owned(),
        Trait::Overlaps => "has entries that lie over each other".to_owned(),
        Trait::LeadsOut => "leads out of where it is unpacked".to_owned(),
        Trait::Link => "has a link for an entry".to_owned(),
        Trait::Also(kind) => format!("is {} as well ({})", kind_words(*kind), kind.name()),
        Trait::NameSays(what) => format!("says by its name that it is {}", short(what)),
        Trait::TypeSays => "is declared as what it isn't".to_owned(),
        Trait::NameHides => "has a name that hides what it is".to_owned(),
        Trait::Damaged(what) => format!("is damaged ({})", short(what)),
        Trait::NotOpened(why) => format!("can't be looked into ({})", short(why)),
    }
}

fn file_words(test: &Test, item: &Item) -> Option<String> {
    let kind_among = |wanted: &dyn Fn(Kind) -> bool| {
        let kind = kinds(item).find(|kind| wanted(*kind))?;
        let also = if kind == item.kind { "" } else { "as well " };
        Some(format!("is {also}{} ({})", kind_words(kind), kind.name()))
    };
    match test {
        Test::Kind(all) => kind_among(&|kind| all.contains(&kind)),
        Test::Family(all) => kind_among(&|kind| all.contains(&kind.family())),
        Test::Ext(all) => {
            let names = item.names.iter().flat_map(|name| readings(name));
            let found = names.filter_map(|name| extension(&name).map(str::to_owned)).find(|ext| all.contains(ext));
            found.map(|ext| format!("has a name that ends in .{}", short(&ext)))
        }
        Test::Name(all) => {
            let names = || item.names.iter().flat_map(|name| readings(name));
            let glob = all.iter().find(|glob| names().any(|name| glob.covers(&name)))?;
            Some(format!("has a name like {glob}"))
        }
        Test::Has(all) => item.traits.iter().find(|there| all.contains(&there.name())).map(trait_words),
        Test::Type(_) => Some(format!("is declared as {}", short(&item.declared))),
        Test::Size(_) | Test::Larger(_) | Test::Smaller(_) => Some(format!("has {} bytes", item.size)),
        Test::Text(pattern) | Test::Anywhere(pattern) => Some(format!("has {}", pattern_words(pattern))),
        _ => None,
    }
}

/// What was sought, never what was found: it may be what nobody else should read.
fn pattern_words(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Phrase(_) | Pattern::Expression(_) => format!("what a rule looks for ({pattern})"),
        Pattern::Dictionary(name) => format!("words of the dictionary {name}"),
        Pattern::Card => "numbers of payment cards".to_owned(),
        Pattern::Iban => "numbers of bank accounts".to_owned(),
    }
}

fn message_words(test: &Test, subject: &Subject, contents: &Contents) -> Option<String> {
    let sender = || subject.sender.as_ref().map_or_else(|| "<>".to_owned(), ToString::to_string);
    Some(match test {
        Test::Direction(_) => format!("is {}", subject.direction.name()),
        Test::From(_) | Test::Sender(_) => format!("is from {}", short(&sender())),
        Test::For(_) => "is theirs whom a rule names".to_owned(),
        Test::To(_) => "is to whom a rule names".to_owned(),
        Test::Client(_) => match subject.client {
            Some(ip) => format!("comes from {ip}"),
            None => "comes from this host".to_owned(),
        },
        Test::MessageLarger(_) => format!("has {} bytes", subject.message().len()),
        Test::Subject(pattern) => format!("has in its subject {}", pattern_words(pattern)),
        Test::Header(name, pattern) => format!("has in its field {name} {}", pattern_words(pattern)),
        Test::Long(name, bytes) => format!("has {bytes} bytes or more in its field {name}"),
        Test::Text(pattern) | Test::Anywhere(pattern) => format!("has {}", pattern_words(pattern)),
        Test::Stopped(_) => {
            let what: Vec<String> =
                contents.stopped.iter().map(|stopped| format!("{stopped:?}").to_lowercase()).collect();
            format!("couldn't be looked through to its end ({})", what.join(", "))
        }
        _ => return None,
    })
}
