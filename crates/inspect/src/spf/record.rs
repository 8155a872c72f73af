//! Records (RFC 7208 §4.5, §4.6, §12): which of a domain's texts is one, and what it says. An error anywhere in it is an
//! error of all of it.

use super::macros::{MacroFault, MacroString, Place};
use mailward_core::SpfResult;
use mailward_core::limits::{SPF_RECORD_MAX, SPF_TERMS_MAX, SPF_WORDS_MAX};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a domain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// In their order; the first one that matches decides.
    pub directives: Vec<Directive>,
    /// Whose record decides if none matches.
    pub redirect: Option<MacroString>,
    /// Where the text is that explains a `fail`.
    pub explanation: Option<MacroString>,
}

/// A mechanism, and what follows if it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// By its qualifier: pass, fail, softfail, neutral.
    pub result: SpfResult,
    /// What is compared.
    pub mechanism: Mechanism,
    /// As it stands there: visible ASCII.
    pub text: String,
}

/// Whom a directive is about (RFC 7208 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Whom another domain lets pass.
    Include(MacroString),
    /// Who has an address of a host.
    A(Hosts),
    /// Who has an address of a domain's mail host.
    Mx(Hosts),
    /// Whose name is within a domain; without one, within the record's own.
    Ptr(Option<MacroString>),
    /// Who is in a network.
    Ip4(Ipv4Addr, u8),
    /// Who is in a network.
    Ip6(Ipv6Addr, u8),
    /// Everybody, if a name has an address.
    Exists(MacroString),
}

/// Hosts, and how many bits of an address have to be theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Without one: the record's own domain.
    pub name: Option<MacroString>,
    /// At most 32.
    pub v4: u8,
    /// At most 128.
    pub v6: u8,
}

/// Why a record can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// A domain has one.
    #[error("several SPF records")]
    Several,
    /// See `limits::SPF_RECORD_MAX`.
    #[error("its SPF record is larger than {SPF_RECORD_MAX} bytes")]
    TooLarge,
    /// See `limits::SPF_TERMS_MAX`.
    #[error("its SPF record has more than {SPF_TERMS_MAX} terms")]
    TooManyTerms,
    /// One term.
    #[error("its SPF record can't be read at {term}: {why}")]
    Term {
        /// As it stands there; what isn't visible ASCII is shown as `?`. Cut at `limits::SPF_WORDS_MAX`.
        term: String,
        /// What is wrong with it.
        why: TermFault,
    },
}

/// What is wrong with a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermFault {
    /// Outside of visible ASCII.
    #[error("it has a character that can't stand there")]
    Character,
    /// None of RFC 7208 §5.
    #[error("no mechanism of that name")]
    Unknown,
    /// It needs one.
    #[error("nothing behind its name")]
    Missing,
    /// It takes none.
    #[error("something behind its name")]
    Argument,
    /// Of `ip4` and `ip6`.
    #[error("not an address")]
    Address,
    /// Not a number of bits, or too many.
    #[error("not a number of bits")]
    Prefix,
    /// `redirect` and `exp` come once (RFC 7208 §6).
    #[error("it is there twice")]
    Twice,
    /// In a name.
    #[error("{0}")]
    Macro(#[from] MacroFault),
}

/// The one record among a domain's texts, behind its version; none, if it has none (RFC 7208 §4.5).
///
/// # Errors
/// [`RecordFault::Several`].
pub fn select(texts: &[Vec<u8>]) -> Result<Option<&[u8]>, RecordFault> {
    let mut records = texts.iter().filter_map(|text| behind_version(text));
    let first = records.next();
    if records.next().is_some() {
        return Err(RecordFault::Several);
    }
    Ok(first)
}

/// What stands behind `v=spf1` and before the first blank is nothing.
fn behind_version(text: &[u8]) -> Option<&[u8]> {
    let (version, rest) = text.split_at_checked(b"v=spf1".len())?;
    let ends = matches!(rest.first(), None | Some(b' '));
    (version.eq_ignore_ascii_case(b"v=spf1") && ends).then_some(rest)
}

impl Record {
    /// Reads what stands behind a record's version.
    ///
    /// # Errors
    /// [`RecordFault`].
    pub fn parse(terms: &[u8]) -> Result<Self, RecordFault> {
        if terms.len() > SPF_RECORD_MAX {
            return Err(RecordFault::TooLarge);
        }
        let mut record = Self { directives: Vec::new(), redirect: None, explanation: None };
        let terms = terms.split(|byte| *byte == b' ').filter(|term| !term.is_empty());
        for (count, term) in terms.enumerate() {
            if count >= SPF_TERMS_MAX {
                return Err(RecordFault::TooManyTerms);
            }
            record.take(term).map_err(|why| RecordFault::Term { term: shown(term), why })?;
        }
        Ok(record)
    }

    fn take(&mut self, term: &[u8]) -> Result<(), TermFault> {
        let term = std::str::from_utf8(term).map_err(|_| TermFault::Character)?;
        if !term.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TermFault::Character);
        }
        let Some((name, value)) = modifier(term) else {
            self.directives.push(Directive::parse(term)?);
            return Ok(());
        };
        let place = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.explanation,
            // Held against the grammar, and ignored (RFC 7208 §6).
            _ => {
                MacroString::parse(value, Place::Modifier)?;
                return Ok(());
            }
        };
        if place.replace(MacroString::parse(value, Place::Name)?).is_some() {
            return Err(TermFault::Twice);
        }
        Ok(())
    }
}

/// A modifier's name and value: `=` stands right behind a name (RFC 7208 §4.6.1).
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(fits)).then_some((name, value))
}

impl Directive {
    fn parse(term: &str) -> Result<Self, TermFault> {
        let (result, rest) = match term.split_at_checked(1) {
            Some(("+", rest)) => (SpfResult::Pass, rest),
            Some(("-", rest)) => (SpfResult::Fail, rest),
            Some(("~", rest)) => (SpfResult::SoftFail, rest),
            Some(("?", rest)) => (SpfResult::Neutral, rest),
            _ => (SpfResult::Pass, term),
        };
        let end = rest.find([':', '/']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end).ok_or(TermFault::Unknown)?;
        let mechanism = Mechanism::parse(&name.to_ascii_lowercase(), after)?;
        Ok(Self { result, mechanism, text: term.to_owned() })
    }
}

impl Mechanism {
    /// `after`: what follows the name, with its `:` or `/`.
    fn parse(name: &str, after: &str) -> Result<Self, TermFault> {
        let argument = after.strip_prefix(':');
        let wanted = || argument.filter(|text| !text.is_empty()).ok_or(TermFault::Missing);
        let spec = || Ok::<_, TermFault>(MacroString::parse(wanted()?, Place::Name)?);
        match name {
            "all" if after.is_empty() => Ok(Self::All),
            "all" => Err(TermFault::Argument),
            "include" => spec().map(Self::Include),
            "exists" => spec().map(Self::Exists),
            "a" => Hosts::parse(after).map(Self::A),
            "mx" => Hosts::parse(after).map(Self::Mx),
            "ptr" if after.is_empty() => Ok(Self::Ptr(None)),
            "ptr" if argument.is_none() => Err(TermFault::Argument),
            "ptr" => spec().map(|name| Self::Ptr(Some(name))),
            "ip4" => {
                let (address, bits) = network(wanted()?, 32)?;
                Ok(Self::Ip4(address.parse().map_err(|_| TermFault::Address)?, bits))
            }
            "ip6" => {
                let (address, bits) = network(wanted()?, 128)?;
                Ok(Self::Ip6(address.parse().map_err(|_| TermFault::Address)?, bits))
            }
            _ => Err(TermFault::Unknown),
        }
    }
}

impl Hosts {
    /// `[":" domain-spec] [dual-cidr-length]`. A slash may be in the name as well: bits are what stands at the end.
    fn parse(after: &str) -> Result<Self, TermFault> {
        let (rest, v6) = match behind(after, "//") {
            Some((rest, digits)) => (rest, bits(digits, 128)?),
            None => (after, 128),
        };
        let (rest, v4) = match behind(rest, "/") {
            Some((rest, digits)) => (rest, bits(digits, 32)?),
            None => (rest, 32),
        };
        let name = match rest.strip_prefix(':') {
            Some("") => return Err(TermFault::Missing),
            Some(name) => Some(MacroString::parse(name, Place::Name)?),
            None if rest.is_empty() => None,
            None => return Err(TermFault::Prefix),
        };
        Ok(Self { name, v4, v6 })
    }
}

/// What stands before a mark and the digits at the end.
fn behind<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
    let rest = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_prefix(rest).filter(|digits| !digits.is_empty())?;
    Some((rest.strip_suffix(mark)?, digits))
}

/// `address [ "/" bits ]`.
fn network(text: &str, most: u8) -> Result<(&str, u8), TermFault> {
    match text.split_once('/') {
        None => Ok((text, most)),
        Some((address, digits)) => Ok((address, bits(digits, most)?)),
    }
}

/// A number of bits without zeros before it.
fn bits(digits: &str, most: u8) -> Result<u8, TermFault> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    let number = digits.parse().ok().filter(|bits| plain && *bits <= most);
    number.ok_or(TermFault::Prefix)
}

fn shown(term: &[u8]) -> String {
    let visible = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
    term.iter().take(SPF_WORDS_MAX).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(terms: &str) -> Result<Record, RecordFault> {
        Record::parse(terms.as_bytes())
    }

    fn fault(term: &str) -> TermFault {
        match read(term) {
            Err(RecordFault::Term { why, .. }) => why,
            other => panic!("{term}: {other:?}"),
        }
    }

    fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn one_text_is_the_record() {
        assert_eq!(select(&texts(&["x", "V=SpF1 -all", "v=spf10", "v=spf2", "v=spf1\t-all"])), Ok(Some(&b" -all"[..])));
        assert_eq!(select(&texts(&["v=spf1"])), Ok(Some(&b""[..])));
        assert_eq!(select(&texts(&["", "v=spf", " v=spf1 -all"])), Ok(None));
        assert_eq!(select(&texts(&["v=spf1 -all", "v=spf1 -all"])), Err(RecordFault::Several));
    }

    #[test]
    fn a_record_is_its_terms_in_order() {
        let record =
            read("  +A:m.example/24//64  ~mx ?ptr:p.example -all moo=%{c} REDIRECT=r.example exp=%{d} ").unwrap();
        let results: Vec<SpfResult> = record.directives.iter().map(|one| one.result).collect();
        assert_eq!(results, [SpfResult::Pass, SpfResult::SoftFail, SpfResult::Neutral, SpfResult::Fail]);
        let Some(Mechanism::A(hosts)) = record.directives.first().map(|one| &one.mechanism) else {
            panic!("{record:?}")
        };
        assert_eq!((hosts.name.as_ref().unwrap().to_string(), hosts.v4, hosts.v6), ("m.example".to_owned(), 24, 64));
        assert_eq!(record.redirect.unwrap().to_string(), "r.example");
        assert_eq!(record.explanation.unwrap().to_string(), "%{d}");
        assert_eq!(record.directives.last().unwrap().text, "-all");
        assert!(read("").unwrap().directives.is_empty());
    }

    #[test]
    fn bits_stand_at_the_end_and_slashes_anywhere() {
        let hosts = |term: &str| match read(term).unwrap().directives.remove(0).mechanism {
            Mechanism::A(hosts) => (hosts.name.map(|name| name.to_string()), hosts.v4, hosts.v6),
            other => panic!("{other:?}"),
        };
        assert_eq!(hosts("a"), (None, 32, 128));
        assert_eq!(hosts("a/0//0"), (None, 0, 0));
        assert_eq!(hosts("a//33"), (None, 32, 33));
        assert_eq!(hosts("a:x/24.example/8"), (Some("x/24.example".to_owned()), 8, 128));
        assert_eq!(hosts("a:%{d/}/8"), (Some("%{d/}".to_owned()), 8, 128));
        for bad in ["a/33", "a//129", "a/024", "a/", "a//", "a/24/64", "a///3", "a/99999999999999999999"] {
            assert_eq!(fault(bad), TermFault::Prefix, "{bad}");
        }
        assert_eq!(fault("a:x.example/24/16"), TermFault::Macro(MacroFault::NoDomain));
    }

    #[test]
    fn what_isnt_in_the_grammar_is_an_error_wherever_it_stands() {
        assert_eq!(fault("-all moo"), TermFault::Unknown);
        for (term, why) in [
            ("all.", TermFault::Unknown),
            ("all:x.example", TermFault::Argument),
            ("ptr/24", TermFault::Argument),
            ("ptr:", TermFault::Missing),
            ("include", TermFault::Missing),
            ("include/24", TermFault::Missing),
            ("exists:", TermFault::Missing),
            ("a:", TermFault::Missing),
            ("ip4", TermFault::Missing),
            ("ip4:1.2.3", TermFault::Address),
            ("ip4:1.2.3.04", TermFault::Address),
            ("ip4:1.2.3.4:25", TermFault::Address),
            ("ip4:::1", TermFault::Address),
            ("ip4:1.2.3.4/33", TermFault::Prefix),
            ("ip4:1.2.3.4/+3", TermFault::Prefix),
            ("ip4:1.2.3.4//32", TermFault::Prefix),
            ("ip6:1.2.3.4", TermFault::Address),
            ("ip6:::1%lo", TermFault::Address),
            ("ip6:::1/129", TermFault::Prefix),
            ("redirect:x.example", TermFault::Unknown),
            ("--all", TermFault::Unknown),
            ("-", TermFault::Unknown),
            ("=all", TermFault::Unknown),
            ("1up=x", TermFault::Unknown),
            ("redirect=", TermFault::Macro(MacroFault::NoDomain)),
            ("moo=%x", TermFault::Macro(MacroFault::Percent)),
            ("exp=a.example exp=a.example", TermFault::Twice),
            ("a:x.example\r\nptr", TermFault::Character),
            ("\u{feff}all", TermFault::Character),
            ("all\0", TermFault::Character),
        ] {
            assert_eq!(fault(term), why, "{term}");
        }
        let shown = Record::parse(b"\xff\x1b[2Jall").unwrap_err().to_string();
        assert_eq!(shown, "its SPF record can't be read at ??[2Jall: it has a character that can't stand there");
    }

    #[test]
    fn records_end_at_their_limits() {
        let terms = "ip4:1.1.1.1".len() + 1;
        assert!(read(&"a ".repeat(SPF_TERMS_MAX)).is_ok());
        assert_eq!(read(&"a ".repeat(SPF_TERMS_MAX + 1)), Err(RecordFault::TooManyTerms));
        assert!(SPF_RECORD_MAX / terms <= SPF_TERMS_MAX, "as many networks as there is room for");
        assert!(read(&" ".repeat(SPF_RECORD_MAX)).is_ok());
        assert_eq!(read(&" ".repeat(SPF_RECORD_MAX + 1)), Err(RecordFault::TooLarge));
        let long = fault_text(&format!("x:{}", "y".repeat(SPF_RECORD_MAX - 2)));
        assert!(long.len() < SPF_WORDS_MAX + 100);
    }

    fn fault_text(term: &str) -> String {
        read(term).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = select(std::slice::from_ref(&bytes));
            let _ = Record::parse(&bytes);
        }

        /// What is read says all of itself: written anew, it is the same record.
        #[test]
        fn a_record_that_is_written_again_is_the_same(
            terms in proptest::collection::vec("[-+~?]?(all|a|mx|ptr|ip4|ip6|exists|include)(:[a-z0-9.:%{}/]{0,12})?(/{0,2}[0-9]{1,3}){0,2}|(exp|redirect|x)=[a-z.%{}]{0,8}", 0..6),
        ) {
            if let Ok(record) = read(&terms.join(" ")) {
                let mut again: Vec<String> = record.directives.iter().map(|one| one.text.clone()).collect();
                again.extend(record.redirect.iter().map(|spec| format!("redirect={spec}")));
                again.extend(record.explanation.iter().map(|spec| format!("exp={spec}")));
                prop_assert_eq!(read(&again.join("  ")), Ok(record));
            }
        }
    }
}
