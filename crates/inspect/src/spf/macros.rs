//! Macros (RFC 7208 §7): read once, with all that can be wrong with them; expanded with what one check knows.

use mailward_core::Timestamp;
use mailward_core::limits::{DOMAIN_MAX, SPF_EXPLANATION_MAX, SPF_MACROS_MAX};
use mailward_dns::Name;
use std::borrow::Cow;
use std::net::IpAddr;

/// Text with macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString {
    source: String,
    parts: Vec<Part>,
    /// What stands behind the last macro.
    tail: usize,
}

/// Where text with macros stands, which says what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name to look up: a `domain-spec`.
    Name,
    /// A modifier that means nothing to us.
    Modifier,
    /// The text of an explanation: blanks, and `c`, `r`, `t`.
    Explanation,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Macro(Macro),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    letter: Letter,
    /// An upper-case letter: escaped as in an URL.
    escaped: bool,
    /// How many parts are kept, from the right.
    keep: usize,
    reversed: bool,
    /// `.` if there are none.
    delimiters: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Sender,
    Local,
    SenderDomain,
    Domain,
    Ip,
    ValidatedName,
    Family,
    Hello,
    ReadableIp,
    Receiver,
    Time,
}

/// Why text with macros can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacroFault {
    /// Outside of visible ASCII.
    #[error("it has a character that can't stand there")]
    Character,
    /// A `%` that starts none.
    #[error("a % that begins no macro")]
    Percent,
    /// Not as RFC 7208 §7.1 writes them.
    #[error("a macro that can't be read")]
    Macro,
    /// `c`, `r` and `t` are for explanations.
    #[error("a macro that only explanations may have")]
    OnlyExplanations,
    /// See `limits::SPF_MACROS_MAX`.
    #[error("more than {SPF_MACROS_MAX} macros")]
    TooMany,
    /// A name has to end with a macro, or with a dot and a label that isn't all digits.
    #[error("it doesn't end as a domain does")]
    NoDomain,
}

/// What macros stand for (RFC 7208 §7.2), in one check.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// `l`: before the sender's `@`, as it is meant.
    pub local: &'a str,
    /// `o`: behind it.
    pub sender_domain: &'a str,
    /// `d`: the domain whose record it is.
    pub domain: &'a str,
    /// `i`, `c`, `v`: the client.
    pub ip: IpAddr,
    /// `p`: a name of the client that leads back to it.
    pub name: Option<&'a str>,
    /// `h`: what the client calls itself.
    pub hello: &'a str,
    /// `r`: who we are.
    pub receiver: &'a str,
    /// `t`.
    pub now: Timestamp,
}

impl MacroString {
    /// Reads a text.
    ///
    /// # Errors
    /// [`MacroFault`].
    pub fn parse(text: &str, place: Place) -> Result<Self, MacroFault> {
        let (mut parts, mut macros) = (Vec::new(), 0_usize);
        let mut rest = text;
        let tail = loop {
            let (plain, after) = rest.split_once('%').map_or((rest, None), |(plain, after)| (plain, Some(after)));
            if !plain.chars().all(|c| matches!(c, '!'..='~') || (c == ' ' && place == Place::Explanation)) {
                return Err(MacroFault::Character);
            }
            if !plain.is_empty() {
                parts.push(Part::Text(plain.to_owned()));
            }
            let Some(after) = after else { break plain.len() };
            macros = macros.saturating_add(1);
            if macros > SPF_MACROS_MAX {
                return Err(MacroFault::TooMany);
            }
            let (part, after) = one(after, place)?;
            parts.push(part);
            rest = after;
        };
        let new = Self { source: text.to_owned(), parts, tail };
        if place == Place::Name && !new.ends_as_domain() {
            return Err(MacroFault::NoDomain);
        }
        Ok(new)
    }

    /// RFC 7208 §7.1, `domain-end`.
    fn ends_as_domain(&self) -> bool {
        let tail = self.source.len().checked_sub(self.tail).and_then(|at| self.source.get(at..)).unwrap_or_default();
        if tail.is_empty() {
            return !self.parts.is_empty();
        }
        let Some((_, label)) = tail.strip_suffix('.').unwrap_or(tail).rsplit_once('.') else { return false };
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let ends = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && inner && ends && !label.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether the validated name (`p`) is in it, which costs lookups.
    #[must_use]
    pub fn wants_name(&self) -> bool {
        self.has(|letter| letter == Letter::ValidatedName)
    }

    /// Whether the sender's local part (`l`, `s`) is in it: one outside ASCII makes no name, and the term matches nothing
    /// (RFC 8616 §4).
    #[must_use]
    pub fn wants_local(&self) -> bool {
        self.has(|letter| matches!(letter, Letter::Local | Letter::Sender))
    }

    fn has(&self, which: impl Fn(Letter) -> bool) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Macro(one) if which(one.letter)))
    }

    /// The name that it stands for. Too long, it loses labels on its left (RFC 7208 §7.3). `None`: what comes out is no name
    /// that the DNS could have.
    #[must_use]
    pub fn name(&self, values: &Values<'_>) -> Option<Name> {
        let whole = self.expanded(values);
        let mut name = whole.strip_suffix('.').unwrap_or(&whole);
        while name.len() > DOMAIN_MAX {
            name = name.split_once('.')?.1;
        }
        Name::of_macros(name).ok()
    }

    /// The text that it stands for, cut at `limits::SPF_EXPLANATION_MAX` bytes. `None`: what comes out isn't all visible
    /// ASCII characters and blanks, or is nothing.
    #[must_use]
    pub fn text(&self, values: &Values<'_>) -> Option<String> {
        let mut text = self.expanded(values);
        if text.trim().is_empty() || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        text.truncate(SPF_EXPLANATION_MAX);
        Some(text)
    }

    fn expanded(&self, values: &Values<'_>) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Cow::Borrowed(text.as_str()),
            Part::Macro(one) => Cow::Owned(one.expanded(values)),
        });
        parts.collect()
    }
}

impl std::fmt::Display for MacroString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)
    }
}

/// What follows a `%`, and what follows that.
fn one(after: &str, place: Place) -> Result<(Part, &str), MacroFault> {
    for (sign, meant) in [('%', "%"), ('_', " "), ('-', "%20")] {
        if let Some(rest) = after.strip_prefix(sign) {
            return Ok((Part::Text(meant.to_owned()), rest));
        }
    }
    let inside = after.strip_prefix('{').ok_or(MacroFault::Percent)?;
    let (inside, rest) = inside.split_once('}').ok_or(MacroFault::Macro)?;
    let read = Macro::parse(inside).ok_or(MacroFault::Macro)?;
    let explains = matches!(read.letter, Letter::ReadableIp | Letter::Receiver | Letter::Time);
    if explains && place == Place::Name {
        return Err(MacroFault::OnlyExplanations);
    }
    Ok((Part::Macro(read), rest))
}

impl Macro {
    /// Reads what stands between the braces.
    fn parse(inside: &str) -> Option<Self> {
        let mut chars = inside.chars();
        let first = chars.next()?;
        let letter = match first.to_ascii_lowercase() {
            's' => Letter::Sender,
            'l' => Letter::Local,
            'o' => Letter::SenderDomain,
            'd' => Letter::Domain,
            'i' => Letter::Ip,
            'p' => Letter::ValidatedName,
            'v' => Letter::Family,
            'h' => Letter::Hello,
            'c' => Letter::ReadableIp,
            'r' => Letter::Receiver,
            't' => Letter::Time,
            _ => return None,
        };
        let rest = chars.as_str();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = rest.strip_suffix(after)?;
        // RFC 7208 §7.1: not zero. What is over any number of labels keeps them all.
        let keep = if digits.is_empty() { usize::MAX } else { digits.parse().unwrap_or(usize::MAX) };
        if keep == 0 {
            return None;
        }
        let delimiters = after.strip_prefix(['r', 'R']);
        let reversed = delimiters.is_some();
        let delimiters = delimiters.unwrap_or(after);
        if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
            return None;
        }
        let delimiters = delimiters.to_owned();
        Some(Self { letter, escaped: first.is_ascii_uppercase(), keep, reversed, delimiters })
    }

    fn expanded(&self, values: &Values<'_>) -> String {
        let value = self.value(values);
        let splits = |c: char| if self.delimiters.is_empty() { c == '.' } else { self.delimiters.contains(c) };
        let mut parts: Vec<&str> = value.split(splits).collect();
        if self.reversed {
            parts.reverse();
        }
        let kept = parts.get(parts.len().saturating_sub(self.keep)..).unwrap_or_default();
        let text = kept.join(".");
        if self.escaped { escaped(&text) } else { text }
    }

    fn value<'v>(&self, values: &Values<'v>) -> Cow<'v, str> {
        let ip = values.ip.to_canonical();
        match self.letter {
            Letter::Sender => Cow::Owned(format!("{}@{}", values.local, values.sender_domain)),
            Letter::Local => Cow::Borrowed(values.local),
            Letter::SenderDomain => Cow::Borrowed(values.sender_domain),
            Letter::Domain => Cow::Borrowed(values.domain),
            Letter::Ip => Cow::Owned(dotted(ip)),
            Letter::ValidatedName => Cow::Borrowed(values.name.unwrap_or("unknown")),
            Letter::Family => Cow::Borrowed(if ip.is_ipv4() { "in-addr" } else { "ip6" }),
            Letter::Hello => Cow::Borrowed(values.hello),
            Letter::ReadableIp => Cow::Owned(ip.to_string()),
            Letter::Receiver => Cow::Borrowed(values.receiver),
            Letter::Time => Cow::Owned(values.now.secs().to_string()),
        }
    }
}

/// An address in parts between dots: bytes, or hexadecimal digits (RFC 7208 §7.3).
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let digits = v6.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
            digits.map(|digit| format!("{digit:X}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// RFC 3986 §2.1, §2.3: all but the unreserved characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 7208 §7.4.
    fn values() -> Values<'static> {
        Values {
            local: "strong-bad",
            sender_domain: "email.example.com",
            domain: "email.example.com",
            ip: "192.0.2.3".parse().unwrap(),
            name: Some("mx.example.org"),
            hello: "mail.example.com",
            receiver: "us.example",
            now: Timestamp::from_secs(1_000),
        }
    }

    fn text(source: &str, values: &Values<'_>) -> Option<String> {
        MacroString::parse(source, Place::Explanation).unwrap().text(values)
    }

    fn fault(source: &str) -> MacroFault {
        MacroString::parse(source, Place::Name).unwrap_err()
    }

    #[test]
    fn the_standard_s_examples_come_out_as_it_says() {
        for (source, meant) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%{c} %{r} %{t} %{p} %{h}%%%-", "192.0.2.3 us.example 1000 mx.example.org mail.example.com%%20"),
        ] {
            assert_eq!(text(source, &values()).as_deref(), Some(meant), "{source}");
        }
        let v6 = Values { ip: "2001:db8::cb01".parse().unwrap(), ..values() };
        let name = MacroString::parse("%{ir}.%{v}._spf.%{d2}", Place::Name).unwrap().name(&v6).unwrap();
        let meant = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com";
        assert_eq!(name.as_str(), meant);
    }

    #[test]
    fn what_is_no_macro_is_an_error() {
        for bad in ["%", "%a.example", "a%", "%(d).example", "%{d.example", "%{}", "%{x}", "%{d0}", "%{dz}", "%{dr2}"] {
            assert!(matches!(fault(bad), MacroFault::Percent | MacroFault::Macro), "{bad}");
        }
        for bad in ["%{c}", "%{r}", "%{T}"] {
            assert_eq!(fault(bad), MacroFault::OnlyExplanations);
            assert!(MacroString::parse(bad, Place::Modifier).is_ok());
        }
        for bad in ["a b.example", "a\0b.example", "\u{e9}.example", "a\t.example"] {
            assert_eq!(fault(bad), MacroFault::Character);
        }
        assert!(MacroString::parse("%{d99999999999999999999}", Place::Name).is_ok());
    }

    #[test]
    fn a_name_ends_as_a_domain_does() {
        for bad in
            ["", "museum", "museum.", "a.123", "192.0.2.1", "a.-com", "a.com-", "a.c_m", "a..", "%{d}com", "%{d}.1"]
        {
            assert_eq!(fault(bad), MacroFault::NoDomain, "{bad}");
        }
        for good in ["a.com", "a.com.", "a.xn--zckzah", "a:b/c.com", "%{d}", "%{d}.com", "a%%", "_x.c0m"] {
            assert!(MacroString::parse(good, Place::Name).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_macros_of_a_term_end_at_their_limit() {
        let many = "%{d}".repeat(SPF_MACROS_MAX);
        assert!(MacroString::parse(&many, Place::Name).is_ok());
        assert_eq!(fault(&format!("{many}%%")), MacroFault::TooMany);
    }

    #[test]
    fn a_name_that_is_too_long_loses_labels_on_its_left() {
        let domain = "d".repeat(60) + ".example";
        let values = Values { domain: &domain, ..values() };
        let name = |source: &str| MacroString::parse(source, Place::Name).unwrap().name(&values);
        let long = name("%{d}.%{d}.%{d}.%{d}").unwrap();
        assert_eq!(long.as_str(), format!("example.{domain}.{domain}.{domain}"));
        let none = "x".repeat(DOMAIN_MAX + 1);
        assert_eq!(MacroString::parse("%{h}", Place::Name).unwrap().name(&Values { hello: &none, ..values }), None);
    }

    #[test]
    fn an_explanation_is_short_and_all_ascii() {
        let hostile = Values { hello: "a\r\n250 ok", ..values() };
        assert_eq!(text("no %{h}", &hostile), None);
        assert_eq!(text("no %{l}", &Values { local: "gr\u{fc}n", ..values() }), None);
        assert_eq!(text(" ", &values()), None);
        let long = "x".repeat(SPF_EXPLANATION_MAX + 1);
        assert_eq!(text(&long, &values()).map(|text| text.len()), Some(SPF_EXPLANATION_MAX));
        let url = Values { local: "~jack&jill=up-a_b3.c\u{fc}", ..values() };
        assert_eq!(text("%{L}", &url).as_deref(), Some("~jack%26jill%3Dup-a_b3.c%C3%BC"));
    }

    proptest! {
        #[test]
        fn what_macros_make_is_a_name_or_a_text_or_nothing(
            source in "([a-z.]{0,3}|%\\{[slodipvhcrtSLDHx][0-9]{0,2}r?[-.+/=]{0,2}\\}|%[%_-]){0,80}",
            hello in ".{0,300}", local in ".{0,64}", any in ".{0,40}",
        ) {
            let values = Values { hello: &hello, local: &local, ..values() };
            for place in [Place::Name, Place::Modifier, Place::Explanation] {
                let _ = MacroString::parse(&any, place);
                let Ok(read) = MacroString::parse(&source, place) else { continue };
                prop_assert_eq!(read.to_string(), source.clone());
                if let Some(name) = read.name(&values) {
                    prop_assert!(name.as_str().len() <= DOMAIN_MAX);
                }
                if let Some(text) = read.text(&values) {
                    prop_assert!(text.len() <= SPF_EXPLANATION_MAX && text.bytes().all(|b| (b' '..=b'~').contains(&b)));
                }
            }
        }
    }
}
