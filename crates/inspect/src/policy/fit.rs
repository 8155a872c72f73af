//! Whether a rule fits a message or a file of it.

use super::bits::Bits;
use super::book::{Asked, Seek, Snapshot};
use super::detect;
use super::glob::{extension, readings};
use super::rule::{Peer, Place, Stop, Test};
use super::text::{comparable, is_whole};
use crate::spf::Identity;
use crate::{Direction, Subject};
use mailward_core::limits::{CONTENT_AT_LEAST_MAX, CONTENT_STEPS_MAX};
use mailward_core::rule::{Pattern, is_below};
use mailward_core::{Domain, SpfResult};
use mailward_message::decode::header_text;
use mailward_message::header::{fields, header_end, unfold};
use mailward_scan::{Contents, Item, Kind, Stopped, Trait};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// A text that is looked through more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Subject,
    Names(usize),
    Text(usize),
}

/// One message while it is judged.
pub(super) struct Facts<'m> {
    pub(super) subject: &'m Subject,
    pub(super) contents: &'m Contents,
    proven: &'m [Domain],
    snapshot: &'m Snapshot,
    /// Places of recipients; at least one, so that what holds for nobody is judged as well.
    pub(super) everybody: Bits,
    whom: Vec<Option<Bits>>,
    /// Of the file that is asked about.
    names: Option<(usize, Rc<Names>)>,
    headers: HashMap<String, Rc<Vec<String>>>,
    found: HashMap<Of, Rc<BTreeSet<u32>>>,
    steps: u64,
}

/// All readings of a file's names.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    fn of(item: &Item) -> Self {
        let mut all = Vec::new();
        for reading in item.names.iter().flat_map(|name| readings(name)) {
            if !all.contains(&reading) {
                all.push(reading);
            }
        }
        Self(all)
    }
    pub(super) fn extensions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|reading| extension(reading))
    }
}

impl<'m> Facts<'m> {
    pub(super) fn new(
        subject: &'m Subject,
        contents: &'m Contents,
        proven: &'m [Domain],
        snapshot: &'m Snapshot,
    ) -> Self {
        let everybody = Bits::all(subject.recipients.len().max(1));
        let whom = vec![None; snapshot.rules.len()];
        let (headers, found) = (HashMap::new(), HashMap::new());
        Self { subject, contents, proven, snapshot, everybody, whom, names: None, headers, found, steps: 0 }
    }

    /// Whether more would have had to be done than is.
    pub(super) const fn is_tired(&self) -> bool {
        self.steps > CONTENT_STEPS_MAX
    }

    fn step(&mut self, bytes: usize) {
        let more = u64::try_from(bytes / 64).unwrap_or(u64::MAX).saturating_add(1);
        self.steps = self.steps.saturating_add(more);
    }

    /// The rules that may fit a file, in their order.
    pub(super) fn candidates(&mut self, index: usize, item: &Item) -> Vec<usize> {
        let names = Names::of(item);
        let mut rules = self.snapshot.any_file.clone();
        for ext in names.extensions() {
            rules.extend(self.snapshot.by_ext.get(ext).into_iter().flatten());
        }
        for kind in kinds(item) {
            rules.extend(self.snapshot.by_kind.get(&kind).into_iter().flatten());
        }
        rules.sort_unstable();
        rules.dedup();
        self.names = Some((index, Rc::new(names)));
        rules
    }

    /// The recipients that a rule is for, by itself.
    pub(super) fn recipients(&mut self, at: usize) -> Bits {
        if let Some(Some(known)) = self.whom.get(at) {
            return known.clone();
        }
        let found = self.snapshot.rules.get(at).map(|asked| self.recipients_of(asked)).unwrap_or_default();
        if let Some(place) = self.whom.get_mut(at) {
            *place = Some(found.clone());
        }
        found
    }

    fn recipients_of(&mut self, asked: &Asked) -> Bits {
        let rule = &asked.placed.rule;
        let nobody = Bits::of(self.subject.recipients.len().max(1), |_| false);
        if rule.is_over(self.subject.now) || (rule.asks_proof() && !self.is_proven()) {
            return nobody;
        }
        let mut left = self.everybody.clone();
        for condition in rule.conditions() {
            let some = match &condition.test {
                Test::To(patterns) => self.covered(patterns, |_| true),
                Test::For(patterns) => self.owners(patterns),
                _ => continue,
            };
            if condition.not { left.remove(&some) } else { left = left.and(&some) }
        }
        left
    }

    fn covered(&self, patterns: &[Pattern], wanted: impl Fn(&crate::Recipient) -> bool) -> Bits {
        let recipients = &self.subject.recipients;
        Bits::of(recipients.len().max(1), |place| {
            recipients.get(place).is_some_and(|recipient| {
                let address = recipient.address.as_ref();
                wanted(recipient) && address.is_some() && patterns.iter().any(|pattern| pattern.covers(address))
            })
        })
    }

    /// Whose mail it is: what somebody here sends is theirs, whoever gets it.
    fn owners(&self, patterns: &[Pattern]) -> Bits {
        let sender = self.subject.sender.as_ref();
        let ours = self.subject.direction != Direction::Incoming;
        if ours && sender.is_some() && patterns.iter().any(|pattern| pattern.covers(sender)) {
            return self.everybody.clone();
        }
        // Of what comes in, whoever gets it is somebody here, also where an address leads elsewhere.
        self.covered(patterns, |recipient| !ours || !recipient.accounts.is_empty())
    }

    /// Whether the sender is who it says: anybody can write any name (RFC 7208 §1).
    fn is_proven(&self) -> bool {
        let Subject { direction, sender, spf, stranger, .. } = self.subject;
        if *direction != Direction::Incoming || !stranger {
            return true;
        }
        let Some(domain) = sender.as_ref().and_then(|sender| sender.domain()) else { return false };
        let by_spf =
            spf.as_ref().is_some_and(|spf| spf.result == SpfResult::Pass && spf.identity == Identity::MailFrom);
        by_spf || self.proven.iter().any(|proven| proven == domain || is_below(domain, proven))
    }

    /// Whether a rule fits the message; of what it asks of files nothing is asked here.
    pub(super) fn of_message(&mut self, asked: &Asked) -> bool {
        self.step(0);
        self.message_is(asked) && self.finds(asked, None)
    }

    /// Whether a rule fits a file, and the message.
    pub(super) fn of_file(&mut self, asked: &Asked, index: usize, item: &Item) -> bool {
        self.step(0);
        for condition in asked.placed.rule.conditions() {
            if condition.test.is_of_files() && self.file_has(&condition.test, index, item) == condition.not {
                return false;
            }
        }
        self.message_is(asked) && self.finds(asked, Some(index))
    }

    /// What a rule asks of the message, but for texts, and for recipients: `recipients_of` asks those.
    fn message_is(&mut self, asked: &Asked) -> bool {
        let mut all = asked.placed.rule.conditions().iter();
        all.all(|condition| {
            let other = condition.test.is_of_files() || matches!(condition.test, Test::For(_) | Test::To(_));
            other || condition.test.text().is_some() || self.message_has(&condition.test) != condition.not
        })
    }

    /// Whether a declared type is one that a rule asks for, which asks nothing else of files.
    pub(super) fn of_type(&mut self, asked: &Asked, declared: &str) -> bool {
        let fits = asked.placed.rule.conditions().iter().all(|condition| match &condition.test {
            Test::Type(globs) => globs.iter().any(|glob| glob.covers(declared)) != condition.not,
            _ => true,
        });
        fits && self.of_message(asked)
    }

    fn message_has(&mut self, test: &Test) -> bool {
        let subject = self.subject;
        match test {
            Test::Direction(all) => all.contains(&subject.direction),
            Test::From(patterns) => patterns.iter().any(|pattern| pattern.covers(subject.sender.as_ref())),
            Test::Client(all) => all.iter().any(|peer| match (peer, subject.client) {
                (Peer::Local, client) => client.is_none(),
                (Peer::Network(network), Some(ip)) => network.contains(ip.to_canonical()),
                (Peer::Network(_), None) => false,
            }),
            Test::MessageLarger(bytes) => u64::try_from(subject.message().len()).unwrap_or(u64::MAX) > *bytes,
            Test::Long(name, bytes) => {
                let message = subject.message();
                let header = message.get(..header_end(message)).unwrap_or_default();
                self.step(header.len());
                fields(header)
                    .filter(|field| field.is(name))
                    .any(|field| unfold(field.value).trim_ascii().len() >= *bytes)
            }
            Test::Stopped(all) => self.contents.stopped.iter().any(|stopped| {
                all.iter().any(|stop| {
                    matches!(
                        (stop, stopped),
                        (Stop::Any, _)
                            | (Stop::Depth, Stopped::Depth)
                            | (Stop::Items, Stopped::Items)
                            | (Stop::Bytes, Stopped::Bytes)
                            | (Stop::Ratio, Stopped::Ratio)
                            | (Stop::Time, Stopped::Time)
                            | (Stop::Lost, Stopped::Lost)
                    )
                })
            }),
            _ => false,
        }
    }

    fn file_has(&mut self, test: &Test, index: usize, item: &Item) -> bool {
        match test {
            Test::Name(globs) => {
                let names = self.names_of(index, item);
                let bytes: usize = names.0.iter().map(String::len).sum();
                self.step(bytes.saturating_mul(globs.len()));
                names.0.iter().any(|name| globs.iter().any(|glob| glob.covers(name)))
            }
            Test::Ext(all) => {
                let names = self.names_of(index, item);
                names.extensions().any(|ext| all.iter().any(|wanted| wanted == ext))
            }
            Test::Kind(all) => kinds(item).any(|kind| all.contains(&kind)),
            Test::Family(all) => kinds(item).any(|kind| all.contains(&kind.family())),
            Test::Has(all) => item.traits.iter().any(|there| all.contains(&there.name())),
            Test::Type(globs) => globs.iter().any(|glob| glob.covers(&item.declared)),
            Test::Within(all) => {
                let parent = item.parent.and_then(|at| self.contents.items.get(usize::try_from(at).ok()?));
                all.iter().any(|place| match (place, parent) {
                    (Place::Message, parent) => parent.is_none(),
                    (Place::Kind(kind), Some(parent)) => parent.kind == *kind,
                    (Place::Family(family), Some(parent)) => parent.kind.family() == *family,
                    (_, None) => false,
                })
            }
            Test::Size(bytes) => item.size == *bytes,
            Test::Larger(bytes) => item.size > *bytes,
            Test::Smaller(bytes) => item.size < *bytes,
            _ => true,
        }
    }

    fn names_of(&self, index: usize, item: &Item) -> Rc<Names> {
        match &self.names {
            Some((at, names)) if *at == index => names.clone(),
            _ => Rc::new(Names::of(item)),
        }
    }

    /// Whether what a rule seeks is there: in a file, or in all of the message.
    fn finds(&mut self, asked: &Asked, file: Option<usize>) -> bool {
        let least = asked.placed.rule.options().at_least;
        let mut count: usize = 0;
        let mut seeks_some = false;
        for (condition, seek) in asked.placed.rule.conditions().iter().zip(&asked.seeks) {
            let Some(seek) = seek else { continue };
            let most = if condition.not { 1 } else { least.min(CONTENT_AT_LEAST_MAX) };
            let found = self.count(&condition.test, seek, file, most);
            if condition.not {
                if found > 0 {
                    return false;
                }
                continue;
            }
            if found == 0 {
                return false;
            }
            seeks_some = true;
            count = count.saturating_add(found);
        }
        !seeks_some || count >= least
    }

    /// Different matches, not many more than `most`.
    fn count(&mut self, test: &Test, seek: &Seek, file: Option<usize>, most: usize) -> usize {
        let mut found = Matches { strings: BTreeSet::new(), terms: BTreeSet::new() };
        match test {
            Test::Sender(_) => {
                let sender = self.subject.sender.as_ref().map(ToString::to_string).unwrap_or_default();
                self.look_through(&sender, None, seek, most, &mut found);
            }
            Test::Subject(_) => self.look(Of::Subject, seek, most, &mut found),
            Test::Header(name, _) => {
                for value in self.header(name).iter() {
                    self.look_through(value, None, seek, most, &mut found);
                }
            }
            _ => {
                let anywhere = matches!(test, Test::Anywhere(_));
                if anywhere && file.is_none() {
                    self.look(Of::Subject, seek, most, &mut found);
                }
                let files = file.map_or(0..self.contents.items.len(), |index| index..index.saturating_add(1));
                for index in files {
                    if anywhere {
                        self.look(Of::Names(index), seek, most, &mut found);
                    }
                    self.look(Of::Text(index), seek, most, &mut found);
                    if found.count() >= most || self.is_tired() {
                        break;
                    }
                }
            }
        }
        found.count()
    }

    fn look(&mut self, of: Of, seek: &Seek, most: usize, found: &mut Matches) {
        match of {
            Of::Subject => {
                for (at, value) in self.header("subject").iter().enumerate() {
                    // A second one isn't kept, as there shouldn't be any.
                    self.look_through(value, (at == 0).then_some(of), seek, most, found);
                }
            }
            Of::Names(index) => {
                let names = self.contents.items.get(index).map(|item| item.names.join("\n")).unwrap_or_default();
                self.look_through(&names, Some(of), seek, most, found);
            }
            Of::Text(index) => {
                let contents = self.contents;
                let text = contents.items.get(index).map_or("", |item| item.text.as_str());
                self.look_through(text, Some(of), seek, most, found);
            }
        }
    }

    fn look_through(&mut self, text: &str, of: Option<Of>, seek: &Seek, most: usize, found: &mut Matches) {
        if text.is_empty() || self.is_tired() {
            return;
        }
        match seek {
            Seek::Terms(wanted) => {
                let there = self.terms_in(text, of);
                found.terms.extend(there.iter().filter(|term| wanted.contains(term)));
            }
            Seek::Expression(regex) => {
                self.step(text.len());
                for matched in regex.find_iter(text) {
                    found.strings.insert(matched.as_str().to_lowercase());
                    if found.strings.len() >= most {
                        break;
                    }
                }
            }
            Seek::Card => {
                self.step(text.len());
                found.strings.extend(detect::cards(text, CONTENT_AT_LEAST_MAX));
            }
            Seek::Iban => {
                self.step(text.len());
                found.strings.extend(detect::ibans(text, CONTENT_AT_LEAST_MAX));
            }
        }
    }

    /// All words and phrases of rules that a text has, found in one pass, once.
    fn terms_in(&mut self, text: &str, of: Option<Of>) -> Rc<BTreeSet<u32>> {
        if let Some(known) = of.and_then(|of| self.found.get(&of)) {
            return known.clone();
        }
        self.step(text.len());
        let mut there = BTreeSet::new();
        if let Some(terms) = &self.snapshot.terms {
            let text = comparable(text);
            for matched in terms.find_overlapping_iter(&text) {
                if is_whole(&text, matched.start(), matched.end()) {
                    there.insert(matched.pattern().as_u32());
                }
            }
        }
        let there = Rc::new(there);
        if let Some(of) = of {
            self.found.insert(of, there.clone());
        }
        there
    }

    /// Values of all fields of a name (lower case), decoded.
    fn header(&mut self, name: &str) -> Rc<Vec<String>> {
        if let Some(known) = self.headers.get(name) {
            return known.clone();
        }
        let message = self.subject.message();
        let header = message.get(..header_end(message)).unwrap_or_default();
        self.step(header.len());
        let values =
            fields(header).filter(|field| field.is(name)).map(|field| header_text(unfold(field.value).trim_ascii()));
        let values = Rc::new(values.collect::<Vec<_>>());
        self.headers.insert(name.to_owned(), values.clone());
        values
    }
}

#[derive(Debug)]
struct Matches {
    strings: BTreeSet<String>,
    terms: BTreeSet<u32>,
}

impl Matches {
    fn count(&self) -> usize {
        self.strings.len().saturating_add(self.terms.len())
    }
}

/// Whatever a file is.
pub(super) fn kinds(item: &Item) -> impl Iterator<Item = Kind> {
    let also = item.traits.iter().filter_map(|there| match there {
        Trait::Also(kind) => Some(*kind),
        _ => None,
    });
    std::iter::once(item.kind).chain(also)
}
