//! Signs: what a header and a body look like that speaks for or against a message, whatever it says.

use super::reading::Reading;
use super::tokens::{is_invisible, page};
use crate::subject::Subject;
use mailward_core::limits::{SPAM_FIELDS_MAX, SPAM_RECIPIENTS_MANY};
use mailward_message::decode::{file_name, header_text};
use mailward_message::header::fields;
use mailward_message::{EnvelopeAddress, Structure, date};
use mailward_scan::{Contents, Trait};

/// Something that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// No Date.
    NoDate,
    /// A Date that is none.
    BadDate,
    /// A Date more than a day ahead.
    DateAhead,
    /// A Date more than a month back.
    DateBack,
    /// No Message-ID.
    NoMessageId,
    /// A Message-ID without a domain.
    BadMessageId,
    /// No Subject, or an empty one.
    NoSubject,
    /// A Subject in capitals.
    SubjectShouts,
    /// A Subject with a hole and something behind it.
    SubjectGap,
    /// The name of who wrote it is an address, and another one.
    NameIsAddress,
    /// A word of the name or subject is of letters of several writings that look alike.
    MixedLetters,
    /// Writing is turned around in name, subject or a file's name.
    TurnedAround,
    /// Answers go to another domain than the author's.
    AnswersElsewhere,
    /// No recipient is named.
    NoRecipient,
    /// Very many recipients are named.
    ManyRecipients,
    /// A page without the same as text.
    PageAlone,
    /// A picture, and next to no text.
    PictureAlone,
    /// Text that isn't seen.
    HiddenText,
    /// Words torn by characters that aren't seen.
    TornWords,
    /// A link to a number instead of a name.
    LinkToNumber,
    /// A link with something before an `@`.
    LinkWithUser,
    /// A link that shows another place than it leads to.
    LinkLies,
    /// A page with a form.
    Form,
    /// It says that Outlook wrote it, which would have said more.
    ForgedMailer,
    /// Nobody here wrote to the sender before.
    FirstContact,
    /// Somebody here wrote to the sender, who is proven to be the sender.
    Correspondent,
}

/// A row of the table: the sign, its word in logs, its points in hundredths, and why so many.
struct Row(Sign, &'static str, i32, &'static str);

/// Every sign. None makes a message junk by itself.
const TABLE: &[Row] = &[
    Row(Sign::NoDate, "no-date", 120, "RFC 5322 §3.6 wants one, and every program writes it"),
    Row(Sign::BadDate, "bad-date", 100, "a program that was made in a hurry"),
    Row(Sign::DateAhead, "date-ahead", 150, "to stand first in the list; or a clock that is wrong"),
    Row(Sign::DateBack, "date-back", 60, "an old list of spam sent again; or a queue that was long"),
    Row(
        Sign::NoMessageId,
        "no-message-id",
        80,
        "programs and servers write one (RFC 5322 §3.6.4); devices and scripts often don't",
    ),
    Row(Sign::BadMessageId, "bad-message-id", 60, "no program in use writes one like that"),
    Row(Sign::NoSubject, "no-subject", 30, "people forget it, too"),
    Row(Sign::SubjectShouts, "subject-shouts", 70, "few people shout; some offices do"),
    Row(Sign::SubjectGap, "subject-gap", 80, "a mark behind blanks, so that no two messages are the same"),
    Row(Sign::NameIsAddress, "name-is-address", 250, "programs that show names alone show another sender"),
    Row(Sign::MixedLetters, "mixed-letters", 200, "a name that looks like another one"),
    Row(Sign::TurnedAround, "turned-around", 200, "what is read isn't what is there"),
    Row(
        Sign::AnswersElsewhere,
        "answers-elsewhere",
        50,
        "newsletters and lists do it; so do those who write in others' names",
    ),
    Row(Sign::NoRecipient, "no-recipient", 40, "many were written to at once; some do so for privacy"),
    Row(Sign::ManyRecipients, "many-recipients", 60, "as above, without the privacy"),
    Row(Sign::PageAlone, "page-alone", 40, "newsletters made without care"),
    Row(Sign::PictureAlone, "picture-alone", 130, "what a filter reads isn't what is seen"),
    Row(Sign::HiddenText, "hidden-text", 100, "text for filters; newsletters hide their first line in this way"),
    Row(Sign::TornWords, "torn-words", 120, "written for filters, not for people"),
    Row(Sign::LinkToNumber, "link-to-number", 120, "whoever has a name uses it"),
    Row(Sign::LinkWithUser, "link-with-user", 180, "what stands before the @ looks like the place, and isn't"),
    Row(
        Sign::LinkLies,
        "link-lies",
        220,
        "it shows one place and leads to another; newsletters that count clicks do so carelessly",
    ),
    Row(Sign::Form, "form", 120, "passwords are asked for in this way"),
    Row(Sign::ForgedMailer, "forged-mailer", 120, "a program that claims to be another"),
    Row(Sign::FirstContact, "first-contact", 30, "every correspondence begins once"),
    Row(Sign::Correspondent, "correspondent", -200, "somebody here wants its mail"),
];

impl Sign {
    /// Every sign.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }
    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.0 == self)
    }
    /// Its word in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.1)
    }
    /// Its points, hundredths; against the message if they are above 0.
    #[must_use]
    pub fn points(self) -> i32 {
        self.row().map_or(0, |row| row.2)
    }
    /// Why it has so many.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.row().map_or("", |row| row.3)
    }
}

/// What was seen of a message, each once, in the order of the table. `contents`: what the scanner found, if it looked.
#[must_use]
pub fn signs(subject: &Subject, reading: &Reading, contents: Option<&Contents>, proven: bool) -> Vec<Sign> {
    let mut seen = Vec::new();
    header(subject, &mut seen);
    body(&subject.structure, reading, &mut seen);
    let form = |one: &Trait| *one == Trait::Form;
    if contents.is_some_and(|contents| contents.items.iter().any(|item| item.traits.iter().any(form))) {
        seen.push(Sign::Form);
    }
    match (subject.correspondent, proven) {
        (true, true) => seen.push(Sign::Correspondent),
        (false, _) if subject.sender.is_some() => seen.push(Sign::FirstContact),
        _ => {}
    }
    seen.sort_unstable();
    seen.dedup();
    seen
}

const DAY: i64 = 24 * 60 * 60 * 1000;

fn header(subject: &Subject, seen: &mut Vec<Sign>) {
    let envelope = subject.structure.envelope();
    match envelope.date.as_ref().map(|written| date::parse(written.as_bytes())) {
        None => seen.push(Sign::NoDate),
        Some(None) => seen.push(Sign::BadDate),
        Some(Some(date)) => {
            let ahead = date.timestamp.0.saturating_sub(subject.now.0);
            if ahead > DAY {
                seen.push(Sign::DateAhead);
            } else if ahead < DAY.saturating_mul(-31) {
                seen.push(Sign::DateBack);
            }
        }
    }
    match envelope.message_id.as_deref().map(str::trim) {
        None | Some("") => seen.push(Sign::NoMessageId),
        Some(id) if !id.contains('@') => seen.push(Sign::BadMessageId),
        Some(_) => {}
    }
    let title = envelope.subject.as_ref().map(|written| header_text(written.as_bytes())).unwrap_or_default();
    let title = title.trim();
    if title.is_empty() {
        seen.push(Sign::NoSubject);
    }
    if shouts(title) {
        seen.push(Sign::SubjectShouts);
    }
    if title.contains("      ") {
        seen.push(Sign::SubjectGap);
    }
    let mut names = vec![title.to_owned()];
    for from in envelope.from.iter().take(4) {
        let Some(name) = &from.name else { continue };
        let name = header_text(name.as_bytes());
        if names_another(&name, from) {
            seen.push(Sign::NameIsAddress);
        }
        names.push(name);
    }
    if names.iter().any(|name| name.split_whitespace().any(is_mixed)) {
        seen.push(Sign::MixedLetters);
    }
    names.extend(subject.structure.parts().filter_map(file_name));
    if names.iter().any(|name| name.contains(['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}'])) {
        seen.push(Sign::TurnedAround);
    }
    let host = |list: &[EnvelopeAddress]| list.first().and_then(|one| one.host.clone()).map(|host| host.to_lowercase());
    if let (Some(author), Some(answers)) = (host(&envelope.from), host(&envelope.reply_to))
        && super::links::registered(&author) != super::links::registered(&answers)
    {
        seen.push(Sign::AnswersElsewhere);
    }
    let named = envelope.to.iter().chain(&envelope.cc).filter(|one| one.host.is_some()).count();
    if named == 0 {
        seen.push(Sign::NoRecipient);
    } else if named > SPAM_RECIPIENTS_MANY {
        seen.push(Sign::ManyRecipients);
    }
    if forged_mailer(subject) {
        seen.push(Sign::ForgedMailer);
    }
}

/// Attacks D15: a name that is an address, and not the author's.
fn names_another(name: &str, from: &EnvelopeAddress) -> bool {
    let host = from.host.as_deref().unwrap_or("").to_lowercase();
    let mut words =
        name.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '"' | ',' | ';' | '\''));
    words.any(|word| {
        let Some((local, domain)) = word.rsplit_once('@') else { return false };
        let domain = domain.trim_end_matches('.').to_lowercase();
        !local.is_empty()
            && domain.contains('.')
            && super::links::registered(&domain) != super::links::registered(&host)
    })
}

fn shouts(title: &str) -> bool {
    let capitals = title.chars().filter(|c| c.is_uppercase()).count();
    capitals >= 10 && !title.chars().any(char::is_lowercase)
}

/// A word of Latin letters and of Cyrillic, Greek or such ones that look like them (UTS 39 §5.1, by the writings that matter).
fn is_mixed(word: &str) -> bool {
    let latin = word.chars().any(|c| c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}'));
    let alike = word.chars().any(|c| {
        matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{530}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}'
            | '\u{1d400}'..='\u{1d7ff}' | '\u{ff21}'..='\u{ff5a}')
    });
    // Greek letters stand in words of science by themselves: µm, Δt.
    latin && alike && word.chars().filter(|c| c.is_alphabetic()).count() >= 4
}

/// Outlook Express and its kin write `X-MimeOLE` wherever they write `X-Mailer`.
fn forged_mailer(subject: &Subject) -> bool {
    let root = &subject.structure.root().header;
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let header = subject.bytes.get(at(root.start)..at(root.end)).unwrap_or_default();
    let (mut claims, mut confirms) = (false, false);
    for field in fields(header).take(SPAM_FIELDS_MAX) {
        if field.is("X-Mailer") {
            claims |= field.value.trim_ascii().starts_with(b"Microsoft Outlook Express");
        }
        confirms |= field.is("X-MimeOLE") || field.is("List-Id");
    }
    claims && !confirms
}

fn body(structure: &Structure, reading: &Reading, seen: &mut Vec<Sign>) {
    let pages = reading.texts.iter().any(|text| text.page.is_some());
    let plain = reading.texts.iter().any(|text| text.page.is_none() && !text.written.trim().is_empty());
    if pages && !plain {
        seen.push(Sign::PageAlone);
    }
    let shown: usize = reading.texts.iter().map(|text| text.shown().split_whitespace().take(40).count()).sum();
    let pictures = structure.parts().any(|part| part.media_type == "image")
        || reading.texts.iter().any(|text| text.page.is_some() && has(&text.written, "<img"));
    if pictures && shown < 12 {
        seen.push(Sign::PictureAlone);
    }
    for text in &reading.texts {
        if torn(text.shown()) {
            seen.push(Sign::TornWords);
        }
        for link in page::each_link(&text.written) {
            if link.host.parse::<std::net::IpAddr>().is_ok() {
                seen.push(Sign::LinkToNumber);
            }
            if link.has_user {
                seen.push(Sign::LinkWithUser);
            }
        }
        if text.page.is_some() {
            if ["font-size:0", "font-size: 0", "font-size:1px", "visibility:hidden"]
                .iter()
                .any(|mark| has(&text.written, mark))
            {
                seen.push(Sign::HiddenText);
            }
            if lies(&text.written) {
                seen.push(Sign::LinkLies);
            }
        }
    }
}

/// In any case of letters.
fn has(text: &str, mark: &str) -> bool {
    let first = mark.as_bytes().first().copied().unwrap_or(b' ');
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), text.as_bytes()).any(|at| {
        let here = text.as_bytes().get(at..at.saturating_add(mark.len()));
        here.is_some_and(|here| here.eq_ignore_ascii_case(mark.as_bytes()))
    })
}

/// Whether at least three words have something inside that isn't seen. Writings of the East need some of those characters.
fn torn(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let is_torn = |word: &str| {
        let inner = word.trim_matches(is_invisible);
        inner.chars().any(is_invisible) && inner.chars().filter(char::is_ascii_alphabetic).count() >= 3
    };
    text.split_whitespace().filter(|word| is_torn(word)).take(3).count() == 3
}

/// Whether a link shows a place of another registered domain than the one it leads to.
fn lies(html: &str) -> bool {
    let mut rest = html;
    let mut left = mailward_core::limits::SPAM_LINKS_MAX;
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"://") {
        left = left.saturating_sub(1);
        if left == 0 {
            return false;
        }
        let before = rest.get(..at).unwrap_or_default();
        let after = rest.get(at.saturating_add(3)..).unwrap_or_default();
        let tag = before.rfind('<').and_then(|start| before.get(start..)).unwrap_or_default();
        let is_anchor = tag.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("<a"))
            && has(tag, "href")
            && !tag.contains('>');
        if is_anchor {
            let target = page::hosts(rest.get(at..).unwrap_or_default()).next().unwrap_or_default();
            let shown =
                after.split_once('>').map_or("", |(_, inner)| inner.split('<').next().unwrap_or_default()).trim();
            if let Some(place) = shown_place(shown)
                && super::links::registered(&place) != super::links::registered(&target.to_lowercase())
            {
                return true;
            }
        }
        rest = after;
    }
    false
}

/// The host in a text that is an address of the web and nothing else.
fn shown_place(text: &str) -> Option<String> {
    let text = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .or_else(|| text.strip_prefix("www.").map(|_| text))?;
    if text.contains(char::is_whitespace) {
        return None;
    }
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    (host.contains('.') && host.is_ascii()).then(|| host.to_ascii_lowercase())
}
