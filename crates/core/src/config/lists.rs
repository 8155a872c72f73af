//! Lists in the DNS (RFC 5782), one a line: `dnsbl.example 3 127.0.0.2-127.0.0.11 within=5`.

use crate::domain::Domain;
use crate::limits::{DOMAIN_MAX, LIST_CODES_MAX, LIST_LINE_MAX, LIST_TIME, LIST_TIME_CONFIG_MAX, LIST_WEIGHT_MAX};
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Lists that are asked about who sends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lists {
    /// About addresses of clients.
    pub hosts: Vec<ListLine>,
    /// About domains of senders, of greetings and of clients' names.
    pub domains: Vec<ListLine>,
    /// About domains that links in messages lead to.
    pub links: Vec<ListLine>,
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListKind {
    /// Addresses.
    Hosts,
    /// Domains.
    Domains,
    /// Domains of links.
    Links,
}

/// One list, or some codes of one: several lines may name a zone, which is asked once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListLine {
    /// Where it is asked: at most 188 bytes for addresses, so that an IPv6 address fits before it.
    pub zone: Domain,
    /// Points for what it lists: below 0 for a list that speaks in favour. Never 0, at most
    /// `limits::LIST_WEIGHT_MAX` to either side.
    pub weight: i32,
    /// Answers that count; none here: each within 127.0.0.0/8 but 127.255.255.0/24. At most `limits::LIST_CODES_MAX`.
    pub codes: Vec<Code>,
    /// How long it is waited for, whole seconds.
    pub within: Duration,
    /// What has to be on it.
    pub test: ListTest,
}

/// Answers of a list that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Each byte one number or a range: `127.0.*.2-3`, a `*` being all.
    Bytes([(u8, u8); 4]),
    /// From one to another: `127.0.0.2-127.0.0.11`.
    Range(Ipv4Addr, Ipv4Addr),
}

/// What has to be on a list for it to be well (RFC 5782 §5). What must not be on it is the standard's, always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListTest {
    /// What the standard says: 127.0.0.2, or the domain `test`.
    Standard,
    /// This domain.
    Domain(Domain),
    /// Nothing is known to be on it.
    Nothing,
}

impl ListLine {
    /// Reads one line: zone, weight, and behind them codes, `within=SECONDS` and `test=`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str, kind: ListKind) -> Result<Self, String> {
        if text.len() > LIST_LINE_MAX {
            return Err(format!("a line of over {LIST_LINE_MAX} bytes is no list"));
        }
        let wrong = |why: &str| format!("{text:?}: {why}");
        let mut words = text.split_ascii_whitespace();
        let (Some(zone), Some(weight)) = (words.next(), words.next()) else {
            return Err(wrong("write zone and weight, such as \"zen.spamhaus.org 5\""));
        };
        let zone = Domain::parse(zone).map_err(|error| wrong(&error.to_string()))?;
        if !zone.as_str().contains('.') || zone.as_str().len() > ZONE_MAX {
            return Err(wrong(&format!("the zone of a list has a dot in it, and at most {ZONE_MAX} bytes")));
        }
        let weight = weight.parse().ok().filter(|weight: &i32| weight.unsigned_abs() <= LIST_WEIGHT_MAX.unsigned_abs());
        let Some(weight) = weight.filter(|weight| *weight != 0) else {
            return Err(wrong(&format!(
                "the weight is a number from 1 to {LIST_WEIGHT_MAX}, or from -1 to -{LIST_WEIGHT_MAX} for a list that speaks in favour"
            )));
        };
        let mut line = Self { zone, weight, codes: Vec::new(), within: LIST_TIME, test: ListTest::Standard };
        for word in words {
            if let Some(seconds) = word.strip_prefix("within=") {
                line.within = within(seconds)
                    .ok_or_else(|| wrong(&format!("within= takes 1 to {LIST_TIME_CONFIG_MAX} seconds")))?;
            } else if let Some(test) = word.strip_prefix("test=") {
                line.test = match (test, kind) {
                    ("none", _) => ListTest::Nothing,
                    (_, ListKind::Hosts) => return Err(wrong("test= takes none here: what is tested is 127.0.0.2")),
                    (name, ListKind::Domains | ListKind::Links) => ListTest::named(name).map_err(|why| wrong(&why))?,
                };
            } else {
                for code in word.split(',') {
                    line.codes.push(Code::parse(code).map_err(|why| wrong(&why))?);
                }
            }
            if line.codes.len() > LIST_CODES_MAX {
                return Err(wrong(&format!("a line has at most {LIST_CODES_MAX} codes")));
            }
        }
        Ok(line)
    }

    /// Whether an answer of the list counts on this line.
    #[must_use]
    pub fn counts(&self, answer: Ipv4Addr) -> bool {
        self.codes.is_empty() || self.codes.iter().any(|code| code.covers(answer))
    }
}

impl fmt::Display for ListLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.zone, self.weight)?;
        for (at, code) in self.codes.iter().enumerate() {
            write!(f, "{}{code}", if at == 0 { ' ' } else { ',' })?;
        }
        if self.within != LIST_TIME {
            write!(f, " within={}", self.within.as_secs())?;
        }
        match &self.test {
            ListTest::Standard => Ok(()),
            ListTest::Domain(domain) => write!(f, " test={domain}"),
            ListTest::Nothing => f.write_str(" test=none"),
        }
    }
}

impl Serialize for ListLine {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl ListTest {
    fn named(name: &str) -> Result<Self, String> {
        let domain = Domain::parse(name).map_err(|error| error.to_string())?;
        Ok(if domain.as_str() == STANDARD_TEST { Self::Standard } else { Self::Domain(domain) })
    }
}

impl Code {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no code such as 127.0.0.2, 127.0.0.2-127.0.0.11 or 127.0.*.2-3");
        let code = match text.split_once('-') {
            Some((first, last)) if first.matches('.').count() == 3 && last.contains('.') => {
                let address = |text: &str| text.parse::<Ipv4Addr>().map_err(|_| wrong());
                let (first, last) = (address(first)?, address(last)?);
                if last < first {
                    return Err(format!("{text:?} goes backwards"));
                }
                Self::Range(first, last)
            }
            _ => {
                let mut bytes = [(0, 0); 4];
                let mut parts = text.split('.');
                for byte in &mut bytes {
                    *byte = parts.next().and_then(range).ok_or_else(wrong)?;
                }
                if parts.next().is_some() {
                    return Err(wrong());
                }
                Self::Bytes(bytes)
            }
        };
        let loopback = match code {
            Self::Range(first, last) => first.is_loopback() && last.is_loopback(),
            Self::Bytes([first, ..]) => first == (127, 127),
        };
        if !loopback {
            return Err(format!("{text:?}: answers of lists are within 127.0.0.0/8 (RFC 5782 §2.1)"));
        }
        Ok(code)
    }

    fn covers(&self, answer: Ipv4Addr) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&answer),
            Self::Bytes(bytes) => {
                bytes.iter().zip(answer.octets()).all(|((first, last), byte)| (*first..=*last).contains(&byte))
            }
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Bytes(bytes) => {
                for (at, (first, last)) in bytes.iter().enumerate() {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    match (first, last) {
                        (0, 255) => f.write_str("*")?,
                        (first, last) if first == last => write!(f, "{first}")?,
                        (first, last) => write!(f, "{first}-{last}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// Longest zone, bytes: 32 nibbles with a dot each go before it.
const ZONE_MAX: usize = DOMAIN_MAX - 64;

/// The domain that every list of domains has (RFC 5782 §5).
const STANDARD_TEST: &str = "test";

/// One byte of a code.
fn range(text: &str) -> Option<(u8, u8)> {
    if text == "*" {
        return Some((0, 255));
    }
    let number = |text: &str| {
        // `parse` would take "+2" and "002".
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse::<u8>().ok().filter(|_| plain)
    };
    match text.split_once('-') {
        Some((first, last)) => Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last),
        None => number(text).map(|one| (one, one)),
    }
}

fn within(seconds: &str) -> Option<Duration> {
    let plain = seconds.bytes().all(|b| b.is_ascii_digit());
    let seconds = seconds.parse().ok().filter(|seconds| plain && (1..=LIST_TIME_CONFIG_MAX).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(text: &str) -> Result<ListLine, String> {
        ListLine::parse(text, ListKind::Hosts)
    }

    #[test]
    fn a_line_is_read_and_written() {
        for text in [
            "zen.spamhaus.org 5",
            "dnsbl.example 3 127.0.0.2-127.0.0.11",
            "list.dnswl.org -3 127.0.*.2-3",
            "key0.zen.example 100 127.0.0.2,127.0.0.4 within=5 test=none",
        ] {
            assert_eq!(host(text).unwrap().to_string(), text);
        }
        let text = "multi.surbl.example 4 test=test.surbl.example";
        assert_eq!(ListLine::parse(text, ListKind::Domains).unwrap().to_string(), text);
        assert_eq!(
            host(" ZEN.Spamhaus.ORG  +5 127.0.0.2 127.0.0.3 within=3").unwrap().to_string(),
            "zen.spamhaus.org 5 127.0.0.2,127.0.0.3"
        );
        let standard = ListLine::parse("a.example 1 test=TEST", ListKind::Domains).unwrap();
        assert_eq!(standard.test, ListTest::Standard);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (text, part) in [
            ("", "zone and weight"),
            ("zen.spamhaus.org", "zone and weight"),
            ("zen.spamhaus.org 0", "from 1 to 100"),
            ("zen.spamhaus.org 101", "from 1 to 100"),
            ("zen.spamhaus.org -2147483648", "from 1 to 100"),
            ("zen.spamhaus.org five", "from 1 to 100"),
            ("zen 5", "has a dot"),
            ("zen_.example 5", "letters, digits"),
            ("192.0.2.1 5", "brackets"),
            ("z.example 5 127.0.0", "is no code"),
            ("z.example 5 127.0.0.2.3", "is no code"),
            ("z.example 5 127.0.0.02", "is no code"),
            ("z.example 5 127.0.0.9-2", "is no code"),
            ("z.example 5 127.0.0.2,", "is no code"),
            ("z.example 5 127.0.0.9-127.0.0.2", "backwards"),
            ("z.example 5 192.0.2.1", "within 127.0.0.0/8"),
            ("z.example 5 126.0.0.2-127.0.0.3", "within 127.0.0.0/8"),
            ("z.example 5 *.0.0.2", "within 127.0.0.0/8"),
            ("z.example 5 within=0", "1 to 15"),
            ("z.example 5 within=16", "1 to 15"),
            ("z.example 5 within=+3", "1 to 15"),
            ("z.example 5 test=192.0.2.1", "takes none here"),
        ] {
            let error = host(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn lines_end_at_their_limits() {
        let codes = |count: usize| format!("z.example 5 {}", vec!["127.0.0.2"; count].join(","));
        assert!(host(&codes(LIST_CODES_MAX)).is_ok());
        assert!(host(&codes(LIST_CODES_MAX + 1)).unwrap_err().contains("at most 16 codes"));
        let zone =
            |length: usize| format!("{}.{}.{}.example 5", "a".repeat(63), "b".repeat(63), "c".repeat(length - 136));
        assert!(host(&zone(ZONE_MAX)).is_ok());
        assert!(host(&zone(ZONE_MAX + 1)).unwrap_err().contains("at most"));
        let line = |length: usize| format!("z.example 5{}", " ".repeat(length - 11));
        assert!(host(&line(LIST_LINE_MAX)).is_ok());
        assert!(host(&line(LIST_LINE_MAX + 1)).unwrap_err().contains("over 512 bytes"));
    }

    #[test]
    fn codes_cover_what_they_say() {
        let line = host("z.example 5 127.0.0.2-127.0.1.3,127.0.*.10-11").unwrap();
        for (answer, counts) in [
            ([127, 0, 0, 1], false),
            ([127, 0, 0, 2], true),
            ([127, 0, 0, 255], true),
            ([127, 0, 1, 3], true),
            ([127, 0, 1, 4], false),
            ([127, 0, 9, 10], true),
            ([127, 0, 9, 12], false),
            ([127, 1, 9, 10], false),
        ] {
            assert_eq!(line.counts(Ipv4Addr::from(answer)), counts, "{answer:?}");
        }
        assert!(host("z.example 5").unwrap().counts(Ipv4Addr::new(127, 9, 9, 9)));
    }

    proptest! {
        #[test]
        fn a_line_that_stands_is_the_same_when_read_again(
            text in "[a-z.]{1,12} -?[0-9]{1,3}( [0-9.*,-]{1,24}){0,2}( within=[0-9]{1,2})?( test=[a-z]{1,5})?",
        ) {
            for kind in [ListKind::Hosts, ListKind::Domains] {
                if let Ok(line) = ListLine::parse(&text, kind) {
                    prop_assert_eq!(ListLine::parse(&line.to_string(), kind), Ok(line));
                }
            }
        }

        #[test]
        fn no_text_is_more_than_refused(text in ".{0,600}") {
            let _either = ListLine::parse(&text, ListKind::Domains);
        }
    }
}
