//! Reports that may be given away: stand-ins for names and addresses.
//!
//! What is replaced: mail addresses (`address-1`), names of this host, of its domains and of what is below them (`host-1`), IP addresses
//! (`ip-1`) but for those that are the same everywhere, and people whom the server or the host knows (`person-1`). What is left out:
//! what people wrote, and excerpts of evidence. But where a control looks at the files of the host alone, all names of hosts are
//! replaced. In doubt a word is replaced; words of the catalogue itself and names of settings never are.

use super::{Names, Report};
use crate::actions::Action;
use crate::control::Probe;
use crate::controls::{all, find};
use crate::evidence::Run;
use crate::finding::Verdict;
use crate::record::Record;
use mailward_core::config::KEYS;
use mailward_core::limits::AUDIT_EXCERPT_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::LazyLock;

/// In place of what somebody wrote.
const LEFT_OUT: &str = "left out";
/// Bytes of the longest text of an IP address, in a zone or not (RFC 4291 §2.2: eight groups, or six and an IPv4 address).
const IP_MAX: usize = 45;

/// A report with stand-ins.
pub(super) fn anonymous(report: &Report, names: &Names) -> Report {
    let mut people = names.people.clone();
    for action in report.actions.0.values() {
        people.push(action.owner.clone());
        people.extend(action.exception.as_ref().map(|exception| exception.approver.clone()));
    }
    let hosts: Vec<String> = [report.run.name.clone()].into_iter().chain(names.hosts.iter().cloned()).collect();
    let mut stand_ins = StandIns::new(&hosts, &people);
    let run = stand_ins.run(&report.run);
    let before = report.before.as_ref().map(|before| Run {
        name: String::new(),
        records: before.records.iter().map(bare).collect(),
        ..before.clone()
    });
    let mut actions = report.actions.clone();
    actions.0.values_mut().for_each(|action| stand_ins.action(action));
    Report { run, before, actions, is_anonymous: true, history: report.history.clone(), now: report.now }
}

/// A text that has two canaries in it, with what is left of them.
pub(crate) fn given_away(text: &str) -> String {
    let mut stand_ins = StandIns::new(&["canary.example".to_owned()], &["ada@canary.example".to_owned()]);
    let most = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= AUDIT_EXCERPT_MAX / 2).last().unwrap_or(0);
    let (before, after) = text.split_at(most);
    let after = after.get(..after.len().min(AUDIT_EXCERPT_MAX / 4)).unwrap_or_default();
    stand_ins.text(&format!("{before} ada@canary.example 192.0.2.77 {after}"), true)
}

/// A record of which nothing but the answer is left.
fn bare(record: &Record) -> Record {
    Record { said: String::new(), seen: Vec::new(), ..record.clone() }
}

/// Words of the catalogue, in lower case, which give nobody away.
static ORDINARY: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut ordinary = BTreeSet::from(["localhost", "mailward", "root"].map(str::to_owned));
    ordinary.extend(KEYS.iter().map(|key| key.path.to_owned()));
    for control in all() {
        for text in [control.question, control.why, control.verified, control.mend, control.source] {
            // Examples have people of their own.
            let words = text.split_whitespace().filter(|word| !word.contains('@'));
            for piece in words.flat_map(|word| word.split(|c: char| !is_of_a_name(c))) {
                let piece = piece.trim_matches('.').to_lowercase();
                ordinary.extend(piece.split(is_joint).map(str::to_owned));
                ordinary.insert(piece);
            }
        }
    }
    ordinary
});

/// Directories in which each name is a user's.
const HOMES: [&str; 5] =
    ["/home/", "/var/mail/", "/var/spool/mail/", "/var/spool/cron/crontabs/", "/var/lib/systemd/linger/"];

/// How names of files end that the audit speaks of without their directory. None is a name that the DNS gives (RFC 1591).
const FILES: [&str; 10] =
    [".conf", ".json", ".list", ".log", ".pem", ".service", ".socket", ".sock", ".timer", ".toml"];

/// Who stands for whom.
struct StandIns {
    /// In lower case.
    hosts: BTreeSet<String>,
    /// Bytes of the longest of them, and some more, as capitals of some scripts are longer.
    longest: usize,
    /// Whole addresses in lower case.
    addresses: BTreeSet<String>,
    /// Names and parts of them in lower case.
    people: BTreeSet<String>,
    given: BTreeMap<(&'static str, String), usize>,
    counted: BTreeMap<&'static str, usize>,
}

impl StandIns {
    fn new(hosts: &[String], people: &[String]) -> Self {
        let lower = |text: &String| text.trim().trim_matches('.').to_lowercase();
        let mut names = BTreeSet::new();
        for person in people {
            let person = lower(person);
            let local = person.rsplit_once('@').map_or(person.as_str(), |(local, _)| local);
            names.insert(local.to_owned());
            // A letter alone is nobody.
            names.extend(
                local.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 1).map(str::to_owned),
            );
        }
        names.remove("");
        let ours: BTreeSet<String> = hosts
            .iter()
            .map(lower)
            .filter(|host| !host.is_empty() && (host.contains('.') || !ORDINARY.contains(host)))
            .collect();
        let mut stand_ins = Self {
            longest: ours.iter().map(String::len).max().unwrap_or(0).saturating_mul(2),
            hosts: ours,
            addresses: people.iter().map(lower).filter(|person| person.contains('@')).collect(),
            people: names,
            given: BTreeMap::new(),
            counted: BTreeMap::new(),
        };
        // The server itself is the first one in every report.
        for host in hosts.iter().map(lower).filter(|host| stand_ins.hosts.contains(host)).take(1).collect::<Vec<_>>() {
            stand_ins.stand_in("host", &host);
        }
        stand_ins
    }

    /// The same for the same, whatever its case.
    fn stand_in(&mut self, kind: &'static str, of: &str) -> String {
        let counted = self.counted.entry(kind).or_default();
        let number = *self.given.entry((kind, of.to_lowercase())).or_insert_with(|| {
            *counted = counted.saturating_add(1);
            *counted
        });
        format!("{kind}-{number}")
    }

    fn run(&mut self, run: &Run) -> Run {
        let mut told = run.clone();
        if !run.name.is_empty() {
            told.name = self.stand_in("host", &run.name);
        }
        for record in &mut told.records {
            let is_theirs = is_of_people(record.probe, record.verdict);
            let asks_outside = asks_outside(record.probe);
            record.said = if is_theirs { LEFT_OUT.to_owned() } else { self.text(&record.said, asks_outside) };
            for output in &mut record.seen {
                output.excerpt.clear();
                let is_file = record.probe == Probe::Statement;
                output.input =
                    if is_file { "a file that was shown".to_owned() } else { self.text(&output.input, asks_outside) };
            }
        }
        for cap in &mut told.score.caps {
            let of = run.records.iter().position(|record| record.id == cap.id && record.said == cap.why);
            cap.why = match of.and_then(|at| told.records.get(at)) {
                Some(record) => record.said.clone(),
                None => self.text(&cap.why, true),
            };
        }
        told
    }

    fn action(&mut self, action: &mut Action) {
        action.owner = self.person(&action.owner);
        let probe = find(&action.control).map_or(Probe::Statement, |control| control.probe);
        action.said = if is_of_people(probe, Verdict::Fail) {
            LEFT_OUT.to_owned()
        } else {
            self.text(&action.said, asks_outside(probe))
        };
        if let Some(exception) = &mut action.exception {
            exception.reason = LEFT_OUT.to_owned();
            exception.approver = self.person(&exception.approver);
        }
    }

    /// A text that is somebody's name or address, and nothing else.
    fn person(&mut self, text: &str) -> String {
        match text.trim() {
            "" => String::new(),
            address if address.contains('@') => self.stand_in("address", address),
            name => self.stand_in("person", name),
        }
    }

    /// A text with stand-ins. `all_hosts`: names of others' hosts as well. What is longer than an excerpt is cut.
    fn text(&mut self, text: &str, all_hosts: bool) -> String {
        let mut end = text.len().min(AUDIT_EXCERPT_MAX);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let mut out = String::new();
        let mut rest = text.get(..end).unwrap_or_default();
        // Where what was put out ends in what stands before the rest.
        let mut from = 0_usize;
        while let Some(found) = rest.get(from..).and_then(|after| after.find('@')) {
            let at = from.saturating_add(found);
            let (before, after) =
                (rest.get(..at).unwrap_or_default(), rest.get(at.saturating_add(1)..).unwrap_or_default());
            let begin = self.begin_of_address(before, domain_at(after));
            let (local, domain) = (before.get(begin..).unwrap_or_default(), domain_at(after));
            if local.is_empty() || domain.is_empty() {
                from = at.saturating_add(1);
                continue;
            }
            self.words(before.get(..begin).unwrap_or_default(), all_hosts, &mut out);
            let address = format!("{local}@{domain}");
            out.push_str(&self.stand_in("address", &address));
            rest = after.get(domain.len()..).unwrap_or_default();
            from = 0;
        }
        self.words(rest, all_hosts, &mut out);
        out
    }

    /// Where the address begins whose `@` stands behind `before`: of several beginnings one that is known, otherwise the first.
    fn begin_of_address(&self, before: &str, domain: &str) -> usize {
        if let Some(quoted) = before.strip_suffix('"') {
            return quoted.rfind('"').unwrap_or(before.len());
        }
        let far = before.char_indices().rev().take_while(|(_, c)| is_of_a_local_part(*c)).last().map(|(at, _)| at);
        let Some(far) = far else { return before.len() };
        let local = before.get(far..).unwrap_or_default();
        let trimmed = local.trim_start_matches(|c: char| !c.is_alphanumeric());
        let begin = far.saturating_add(local.len().saturating_sub(trimmed.len()));
        let known = trimmed.char_indices().find(|(at, c)| {
            c.is_alphanumeric()
                && trimmed
                    .get(*at..)
                    .is_some_and(|part| self.addresses.contains(&format!("{part}@{domain}").to_lowercase()))
        });
        begin.saturating_add(known.map_or(0, |(at, _)| at))
    }

    /// Text without addresses: words are looked at one by one, what is between them stays.
    fn words(&mut self, text: &str, all_hosts: bool, out: &mut String) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let is_word = is_of_a_word(c);
            let end = rest.find(|other: char| is_of_a_word(other) != is_word).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            if is_word {
                self.word(part, all_hosts, out)
            } else {
                out.push_str(part)
            }
            rest = after;
        }
    }

    /// Letters, digits and what joins them: perhaps IP addresses, with names before and behind.
    fn word(&mut self, word: &str, all_hosts: bool, out: &mut String) {
        let lower = word.to_lowercase();
        if lower.contains(".in-addr.arpa") || lower.contains(".ip6.arpa") {
            out.push_str(&self.stand_in("ip", &lower));
            return;
        }
        // Behind the last one that was put out.
        let mut done = 0_usize;
        let starts = word.char_indices().filter(|(at, _)| begins_at(word, *at)).map(|(at, _)| at).collect::<Vec<_>>();
        for start in starts {
            if start < done {
                continue;
            }
            if let Some((end, ip)) = ip_at(word, start) {
                self.pieces(word.get(done..start).unwrap_or_default(), all_hosts, out);
                let is_everywhere = ip.is_loopback() || ip.is_unspecified();
                let text = if is_everywhere { ip.to_string() } else { self.stand_in("ip", &ip.to_string()) };
                out.push_str(&text);
                done = end;
            }
        }
        self.pieces(word.get(done..).unwrap_or_default(), all_hosts, out);
    }

    fn pieces(&mut self, text: &str, all_hosts: bool, out: &mut String) {
        for (nth, piece) in text.split(':').enumerate() {
            if nth > 0 {
                out.push(':');
            }
            self.piece(piece, all_hosts, out);
        }
    }

    /// Labels with dots between them, or a name.
    fn piece(&mut self, piece: &str, all_hosts: bool, out: &mut String) {
        let mut rest = piece;
        while let Some((prefix, end)) = self.host_in(rest) {
            let (service, host) = rest.get(..end).unwrap_or_default().split_at(prefix);
            out.push_str(service);
            out.push_str(&self.stand_in("host", host));
            rest = rest.get(end..).unwrap_or_default();
        }
        let trimmed = rest.trim_matches('.');
        let is_file = out.ends_with('/') && !out.ends_with("//") || is_file(trimmed);
        if all_hosts && !is_file && looks_like_a_host(trimmed) && !is_ordinary(trimmed) {
            let begin = rest.len().saturating_sub(rest.trim_start_matches('.').len());
            out.push_str(rest.get(..begin).unwrap_or_default());
            out.push_str(&self.stand_in("host", trimmed));
            out.push_str(rest.get(begin.saturating_add(trimmed.len())..).unwrap_or_default());
            return;
        }
        if !trimmed.is_empty()
            && (HOMES.iter().any(|home| out.ends_with(home)) || self.people.contains(&trimmed.to_lowercase()))
            && !is_ordinary(trimmed)
        {
            let name = self.stand_in("person", trimmed);
            out.push_str(&rest.replacen(trimmed, &name, 1));
            return;
        }
        for word in rest.split_inclusive(is_joint) {
            let bare = word.trim_end_matches(is_joint);
            if self.people.contains(&bare.to_lowercase()) && !is_ordinary(bare) {
                out.push_str(&self.stand_in("person", bare));
                out.push_str(word.get(bare.len()..).unwrap_or_default());
            } else {
                out.push_str(word);
            }
        }
    }

    /// The first name of ours in a piece: where it begins behind labels of a service (`_dmarc.`), and where it ends.
    fn host_in(&self, piece: &str) -> Option<(usize, usize)> {
        let starts = piece.char_indices().map(|(at, _)| at).filter(|at| starts_a_label(piece, *at));
        let end = starts.filter_map(|start| self.host_at(piece, start)).next()?;
        let mut prefix = 0_usize;
        for label in piece.get(..end).unwrap_or_default().split_inclusive('.') {
            if !label.starts_with('_') || !label.ends_with('.') {
                break;
            }
            prefix = prefix.saturating_add(label.len());
        }
        Some((prefix, end))
    }

    /// The end of the longest name of ours that begins there.
    fn host_at(&self, piece: &str, start: usize) -> Option<usize> {
        let rest = piece.get(start..)?;
        let ends = rest.char_indices().filter(|(_, c)| is_joint(*c)).map(|(at, _)| at).chain([rest.len()]);
        let near: Vec<usize> = ends.take_while(|end| *end <= self.longest).collect();
        let is_ours = |end: &usize| rest.get(..*end).is_some_and(|name| self.hosts.contains(&name.to_lowercase()));
        near.into_iter().rev().find(is_ours).map(|end| start.saturating_add(end))
    }
}

fn is_file(name: &str) -> bool {
    FILES.iter().any(|end| name.ends_with(end))
}

fn is_ordinary(word: &str) -> bool {
    ORDINARY.contains(&word.to_lowercase())
}

/// Whether what is said are words of people.
const fn is_of_people(probe: Probe, verdict: Verdict) -> bool {
    matches!(probe, Probe::Statement)
        && matches!(verdict, Verdict::Pass | Verdict::Fail | Verdict::Partial(_) | Verdict::NotApplicable)
}

/// Whether names with dots are names of hosts there: what isn't is on the host alone, where most are files and settings of others.
const fn asks_outside(probe: Probe) -> bool {
    !matches!(probe, Probe::Host)
}

/// What names are made of.
fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || is_joint(c)
}

fn is_of_a_word(c: char) -> bool {
    is_of_a_name(c) || c == ':'
}

/// What stands between the parts of a name.
const fn is_joint(c: char) -> bool {
    matches!(c, '.' | '-' | '_')
}

/// RFC 5322 §3.2.3 (`atext`) with dots, and letters of all scripts (RFC 6531).
fn is_of_a_local_part(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

/// The domain that a text begins with, or a literal in brackets.
fn domain_at(text: &str) -> &str {
    if text.starts_with('[') {
        let end = text
            .char_indices()
            .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '[' | ':' | '.' | ']')) || *c == ']');
        return end.filter(|(_, c)| *c == ']').and_then(|(at, _)| text.get(..=at)).unwrap_or_default();
    }
    let end = text.find(|c: char| !is_of_a_name(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_end_matches(is_joint)
}

/// Whether no letter or digit stands right before.
fn starts_a_label(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().chars().next_back();
    before.is_none_or(|c| !c.is_alphanumeric())
}

/// Whether an IP address may begin there: at the beginning, behind what joins, or with a colon.
fn begins_at(word: &str, at: usize) -> bool {
    starts_a_label(word, at) || word.get(at..).is_some_and(|rest| rest.starts_with("::"))
}

/// The longest IP address that begins there: where it ends.
fn ip_at(word: &str, start: usize) -> Option<(usize, IpAddr)> {
    let rest = word.get(start..)?;
    let ends = (2..=rest.len().min(IP_MAX))
        .rev()
        .filter(|end| rest.get(*end..).is_some_and(|after| after.chars().next().is_none_or(|c| !c.is_alphanumeric())));
    ends.filter_map(|end| Some((start.saturating_add(end), rest.get(..end)?.parse().ok()?))).next()
}

/// Two labels at least, the last one of letters.
fn looks_like_a_host(text: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    text.split('.').all(is_label)
        && text.rsplit_once('.').is_some_and(|(_, last)| {
            last.chars().count() > 1 && (last.chars().all(char::is_alphabetic) || last.starts_with("xn--"))
        })
}

#[cfg(test)]
mod tests;
