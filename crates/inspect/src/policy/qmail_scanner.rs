//! # qmail-scanner: `quarantine-attachments.txt`, translated into rules
//!
//! **For**: `mailward migrate qmail-scanner`. **In**: the text that `qmail-scanner-queue.pl -g` compiles: on each line a
//! pattern, a type and a remark, with tabs between. **Out**: rules that want quarantine, and what has no equal.
//!
//! A type is the size of a file (0: any), then the pattern is its name, or what its name ends in; or it is `Virus-` and the
//! name of a field, then the pattern is an expression over all of its value. `Virus-MAILFROM`, `Virus-RCPTTO` and
//! `Virus-TCPREMOTEIP` are of the envelope. Nothing regards case.
//!
//! **Limits**: `limits::MIGRATE_FILE_MAX`, `MIGRATE_LINE_MAX`, `MIGRATE_LINES_MAX`, `CONTENT_RULES_MAX`.
//!
//! **Failure**: a line that isn't understood is told and becomes nothing; a file that is too large is none.

use super::glob::Glob;
use super::rule::{Condition, Options, Peer, Rule, Test};
use super::text::Pattern as Text;
use crate::Action;
use mailward_core::limits::{
    CONTENT_REASON_MAX, CONTENT_RULES_MAX, MIGRATE_FILE_MAX, MIGRATE_LINE_MAX, MIGRATE_LINES_MAX,
};
use mailward_core::rule::Pattern;
use mailward_core::{Domain, Network};
use std::collections::HashSet;

/// What a file becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// In the order of the file.
    pub rules: Vec<Became>,
    /// What has no equal, or needs none.
    pub left: Vec<Left>,
}

/// A line that became a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Became {
    /// Its number, counted from 1.
    pub line: usize,
    /// What it became.
    pub rule: Rule,
}

/// A line that became none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its number, counted from 1.
    pub line: usize,
    /// What stands there.
    pub source: String,
    /// Why.
    pub why: String,
}

/// Why a file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QmailScannerError {
    /// Over `limits::MIGRATE_FILE_MAX`, `MIGRATE_LINES_MAX` or `MIGRATE_LINE_MAX`.
    #[error(
        "is too large: at most {MIGRATE_FILE_MAX} bytes, {MIGRATE_LINES_MAX} lines, {MIGRATE_LINE_MAX} bytes a line"
    )]
    TooLarge,
    /// Over `limits::CONTENT_RULES_MAX`.
    #[error("becomes more than {CONTENT_RULES_MAX} rules")]
    TooMany,
}

/// Translates a file.
///
/// # Errors
/// [`QmailScannerError`].
pub fn translate(bytes: &[u8]) -> Result<Translated, QmailScannerError> {
    if bytes.len() > MIGRATE_FILE_MAX {
        return Err(QmailScannerError::TooLarge);
    }
    let mut done = Translated::default();
    let mut seen: HashSet<String> = HashSet::new();
    for (index, bytes) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = index.saturating_add(1);
        if line > MIGRATE_LINES_MAX || bytes.len() > MIGRATE_LINE_MAX {
            return Err(QmailScannerError::TooLarge);
        }
        let source = String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
        if source.trim_start().is_empty() || source.starts_with('#') {
            continue;
        }
        let mut leave = |why: &str| done.left.push(Left { line, source: source.clone(), why: why.to_owned() });
        match rule(&source) {
            Ok(rule) if seen.contains(&rule.to_string()) => leave("a line before it says the same"),
            Ok(_) if seen.len() >= CONTENT_RULES_MAX => return Err(QmailScannerError::TooMany),
            Ok(rule) => {
                seen.insert(rule.to_string());
                done.rules.push(Became { line, rule });
            }
            Err(why) => leave(&why),
        }
    }
    Ok(done)
}

fn rule(line: &str) -> Result<Rule, String> {
    let [pattern, kind, remark] =
        columns(line).ok_or("isn't a pattern, a size or type, and a remark, with tabs between")?;
    let tests = match kind.strip_prefix("Virus-").or_else(|| kind.strip_prefix("virus-")) {
        Some(field) => vec![of_field(&field.trim_end_matches(':').to_ascii_lowercase(), pattern)?],
        None => {
            let size = kind.parse::<u64>();
            let size =
                size.map_err(|_| "its second column is neither a size nor Virus- with a field's name".to_owned())?;
            let mut tests = vec![of_name(pattern)?];
            tests.extend((size > 0).then_some(Test::Size(size)));
            tests
        }
    };
    let conditions = tests.into_iter().map(|test| Condition { not: false, test }).collect();
    let remark: String = remark.chars().filter(|c| !c.is_control()).take(CONTENT_REASON_MAX).collect();
    let reason = Some(remark.trim().to_owned()).filter(|remark| !remark.is_empty());
    let rule =
        Rule::new(conditions, Action::Quarantine, reason, Options::default()).map_err(|error| error.to_string())?;
    // What can't be written can't be kept.
    Rule::parse(&rule.to_string()).map_err(|error| error.to_string())
}

/// Three columns with tabs between; a copy in which they became blanks is read as it was meant, if only one way is possible.
fn columns(line: &str) -> Option<[&str; 3]> {
    if line.contains('\t') {
        let mut columns = line.split('\t').map(str::trim).filter(|column| !column.is_empty());
        return Some([columns.next()?, columns.next()?, columns.next().unwrap_or_default()]);
    }
    let (pattern, rest) = line.trim_start().split_once(' ')?;
    let rest = rest.trim_start();
    let (kind, remark) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_kind = kind.starts_with("Virus-") || kind.bytes().all(|b| b.is_ascii_digit());
    is_kind.then_some([pattern, kind, remark.trim()])
}

/// A file's name, or what it ends in.
fn of_name(pattern: &str) -> Result<Test, String> {
    let pattern = pattern.to_lowercase();
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if let Some(ext) = pattern.strip_prefix('.').or_else(|| pattern.strip_prefix("*."))
        && !ext.is_empty()
        && plain(ext)
    {
        return Ok(Test::Ext(vec![ext.to_owned()]));
    }
    // A comma parts values here.
    let name = pattern.replace(',', "?");
    let name = if name.starts_with('.') { format!("*{name}") } else { name };
    Glob::new(&name).map(|glob| Test::Name(vec![glob])).ok_or_else(|| "names no file".to_owned())
}

fn of_field(field: &str, pattern: &str) -> Result<Test, String> {
    match field {
        "date" | "mime-version" | "resent-date" => Ok(match at_least(pattern) {
            Some(bytes) => Test::Long(field.to_owned(), bytes),
            None => Test::Header(field.to_owned(), whole(pattern, "")?),
        }),
        "content-type" => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '+');
            let bare = pattern.strip_suffix(".*").unwrap_or(pattern);
            if bare.contains('/') && bare.chars().all(plain) {
                return Ok(Test::Type(Glob::new(bare).into_iter().collect()));
            }
            Ok(Test::Header(field.to_owned(), whole(pattern, "(?:\\s*;.*)?")?))
        }
        "mailfrom" => Ok(match address(pattern) {
            Some(pattern) => Test::From(vec![pattern]),
            None => Test::Sender(whole(pattern, "")?),
        }),
        "rcptto" => address(pattern).map(|pattern| Test::To(vec![pattern])).ok_or_else(|| {
            "recipients are addresses here, or all of a domain: write to=user@domain or to=@domain".to_owned()
        }),
        "tcpremoteip" | "tcpremoteaddr" | "remoteipaddr" => network(pattern)
            .map(|network| Test::Client(vec![Peer::Network(network)]))
            .ok_or_else(|| "clients are addresses and networks here: write client=192.0.2.0/24".to_owned()),
        "subject" => Ok(Test::Subject(whole(pattern, "")?)),
        field if !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            Ok(Test::Header(field.to_owned(), whole(pattern, "")?))
        }
        _ => Err("its second column names no field".to_owned()),
    }
}

/// `.{100,}` is a length.
fn at_least(pattern: &str) -> Option<usize> {
    pattern.trim_end_matches(".*").strip_prefix(".{")?.strip_suffix(",}")?.parse().ok().filter(|bytes| *bytes > 0)
}

/// An expression over all of a value.
fn whole(pattern: &str, behind: &str) -> Result<Text, String> {
    // `?` or `*` at the beginning repeats nothing; people write it as shells have it.
    let pattern = if pattern.starts_with('*') { format!(".{pattern}") } else { pattern.to_owned() };
    Text::parse(&format!("/^(?:{pattern}){behind}$/")).map_err(|error| error.to_string())
}

/// An expression that is one address, or all of a domain.
fn address(pattern: &str) -> Option<Pattern> {
    let plain = unescaped(pattern)?;
    if let Some(domain) =
        plain.strip_prefix(".*@").or_else(|| plain.strip_prefix("*@")).or_else(|| plain.strip_prefix('@'))
    {
        return Domain::parse(domain).ok().map(Pattern::Domain);
    }
    Pattern::parse(&plain).ok().filter(|pattern| matches!(pattern, Pattern::Address(_)))
}

/// An expression that is an address, or its first bytes.
fn network(pattern: &str) -> Option<Network> {
    let plain = unescaped(pattern)?;
    if let Ok(network) = Network::parse_any(&plain) {
        return Some(network);
    }
    let octets = plain.strip_suffix(".*").unwrap_or(&plain).trim_end_matches('.');
    let count = octets.split('.').count();
    let bits = count.checked_mul(8).filter(|_| (1..=3).contains(&count))?;
    let rest = ".0".repeat(4_usize.saturating_sub(count));
    Network::parse_any(&format!("{octets}{rest}/{bits}")).ok()
}

/// Without the backslashes of dots, and of the `@` that Perl wants them for; none if anything else is more than it looks, but
/// for `.*` at either end.
fn unescaped(pattern: &str) -> Option<String> {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    let plain = pattern.replace("\\.", ".").replace("\\@", "@").to_lowercase();
    let inner = plain.strip_prefix(".*").or_else(|| plain.strip_prefix('*')).unwrap_or(&plain);
    let inner = inner.strip_suffix(".*").unwrap_or(inner);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '-' | '_' | ':' | '/' | '=');
    inner.chars().all(good).then_some(plain)
}
