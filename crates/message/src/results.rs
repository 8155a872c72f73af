//! `Authentication-Results` (RFC 8601): what a server says that it found out of a message, read; and which such fields have to
//! go, as they would speak in our name (§5).

mod foreign;

use mailward_core::Domain;
use mailward_core::limits::{
    RESULTS_BYTES_MAX, RESULTS_COMMENT_DEPTH_MAX, RESULTS_METHODS_MAX, RESULTS_PROPERTIES_MAX,
};

pub use foreign::foreign;

/// A field, read. What outsiders wrote is in every part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Who says so: `authserv-id`, as it stands there.
    pub server: String,
    /// What it says, at most `limits::RESULTS_METHODS_MAX`. Nothing: `none`.
    pub methods: Vec<Method>,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// `dkim`, `spf`, `dmarc` …: lower case.
    pub name: String,
    /// `pass`, `fail` …: lower case.
    pub result: String,
    /// Its `reason=`.
    pub reason: Option<String>,
    /// `header.d=example.org`: type and property in lower case with a dot between, and the value. At most
    /// `limits::RESULTS_PROPERTIES_MAX`.
    pub properties: Vec<(String, String)>,
}

impl Method {
    /// The first value of a property: `header.d`.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The domain that a property names, alone or behind an `@`.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<Domain> {
        let value = self.property(name)?;
        let text = value.rsplit_once('@').map_or(value, |(_, domain)| domain);
        Domain::parse_utf8(text.strip_suffix('.').unwrap_or(text)).ok()
    }
}

/// Why a field can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultsFault {
    /// It isn't as RFC 8601 §2.2 writes it.
    #[error("it isn't written as RFC 8601 says")]
    Syntax,
    /// Another version than 1.
    #[error("it is of another version than 1")]
    Version,
    /// See `limits::RESULTS_*`.
    #[error("it is too long")]
    TooLong,
}

/// Reads a field's value, folding and all (RFC 8601 §2.2).
///
/// # Errors
/// [`ResultsFault`].
pub fn parse(value: &[u8]) -> Result<Stated, ResultsFault> {
    let mut text = Text::of(value)?;
    let server = text.server()?;
    text.blanks()?;
    if text.peek().is_some_and(|c| c.is_ascii_digit()) {
        if text.token()? != "1" {
            return Err(ResultsFault::Version);
        }
        text.blanks()?;
    }
    let methods = text.methods()?;
    Ok(Stated { server, methods })
}

/// The same of an `ARC-Authentication-Results` field, which begins with its number (RFC 8617 §4.1.1).
///
/// # Errors
/// [`ResultsFault`].
pub fn parse_arc(value: &[u8]) -> Result<Stated, ResultsFault> {
    let end = memchr::memchr(b';', value).ok_or(ResultsFault::Syntax)?;
    parse(value.get(end.saturating_add(1)..).unwrap_or_default())
}

/// A value and the place in it.
struct Text<'v> {
    rest: &'v str,
}

impl<'v> Text<'v> {
    fn of(value: &'v [u8]) -> Result<Self, ResultsFault> {
        if value.len() > RESULTS_BYTES_MAX {
            return Err(ResultsFault::TooLong);
        }
        Ok(Self { rest: std::str::from_utf8(value).map_err(|_| ResultsFault::Syntax)? })
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Steps over a character, if it is the next.
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Steps over blanks, line ends and comments.
    fn blanks(&mut self) -> Result<(), ResultsFault> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if self.peek() != Some('(') {
                return Ok(());
            }
            self.comment()?;
        }
    }

    fn comment(&mut self) -> Result<(), ResultsFault> {
        let (mut depth, mut escaped) = (0_usize, false);
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' if depth >= RESULTS_COMMENT_DEPTH_MAX => return Err(ResultsFault::TooLong),
                '(' => depth = depth.saturating_add(1),
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                self.rest = self.rest.get(at.saturating_add(1)..).unwrap_or_default();
                return Ok(());
            }
        }
        Err(ResultsFault::Syntax)
    }

    /// A token of RFC 2045 §5.1; it may have what isn't ASCII (RFC 8616 §5).
    fn token(&mut self) -> Result<&'v str, ResultsFault> {
        self.while_fits(|c| c > ' ' && c != '\x7f' && !r#"()<>@,;:\"/[]?="#.contains(c))
    }

    /// Letters, digits, hyphens and underscores.
    fn keyword(&mut self) -> Result<String, ResultsFault> {
        self.while_fits(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).map(str::to_ascii_lowercase)
    }

    fn while_fits(&mut self, fits: impl Fn(char) -> bool) -> Result<&'v str, ResultsFault> {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).ok_or(ResultsFault::Syntax)?;
        if word.is_empty() {
            return Err(ResultsFault::Syntax);
        }
        self.rest = rest;
        Ok(word)
    }

    fn quoted(&mut self) -> Result<String, ResultsFault> {
        let (mut out, mut escaped) = (String::new(), false);
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => {
                    out.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.rest = self.rest.get(at.saturating_add(1)..).unwrap_or_default();
                    return Ok(out);
                }
                // Folding.
                '\r' | '\n' => {}
                c => out.push(c),
            }
        }
        Err(ResultsFault::Syntax)
    }

    /// A token or a quoted string (RFC 2045 §5.1).
    fn value(&mut self) -> Result<String, ResultsFault> {
        if self.peek() == Some('"') { self.quoted() } else { self.token().map(str::to_owned) }
    }

    /// Who says so.
    fn server(&mut self) -> Result<String, ResultsFault> {
        self.blanks()?;
        self.value()
    }

    /// What follows who says so, up to the end.
    fn methods(&mut self) -> Result<Vec<Method>, ResultsFault> {
        let mut methods = Vec::new();
        while !self.rest.is_empty() {
            if !self.take(';') {
                return Err(ResultsFault::Syntax);
            }
            self.blanks()?;
            // Some end with a semicolon.
            if self.rest.is_empty() {
                break;
            }
            if methods.len() >= RESULTS_METHODS_MAX {
                return Err(ResultsFault::TooLong);
            }
            let name = self.keyword()?;
            self.blanks()?;
            if name == "none" && matches!(self.peek(), None | Some(';')) {
                continue;
            }
            methods.push(self.method(name)?);
        }
        Ok(methods)
    }

    /// What follows a method's name.
    fn method(&mut self, name: String) -> Result<Method, ResultsFault> {
        if self.take('/') {
            self.blanks()?;
            if self.token()? != "1" {
                return Err(ResultsFault::Version);
            }
            self.blanks()?;
        }
        self.equals()?;
        let result = self.keyword()?;
        let mut method = Method { name, result, reason: None, properties: Vec::new() };
        loop {
            self.blanks()?;
            if matches!(self.peek(), None | Some(';')) {
                return Ok(method);
            }
            let kind = self.keyword()?;
            self.blanks()?;
            if kind == "reason" && self.peek() == Some('=') {
                self.equals()?;
                method.reason = Some(self.value()?);
                continue;
            }
            if !self.take('.') {
                return Err(ResultsFault::Syntax);
            }
            self.blanks()?;
            let property = format!("{kind}.{}", self.keyword()?);
            self.blanks()?;
            self.equals()?;
            let value = self.property_value()?;
            if method.properties.len() >= RESULTS_PROPERTIES_MAX {
                return Err(ResultsFault::TooLong);
            }
            method.properties.push((property, value));
        }
    }

    fn equals(&mut self) -> Result<(), ResultsFault> {
        if !self.take('=') {
            return Err(ResultsFault::Syntax);
        }
        self.blanks()
    }

    /// `value` or `[[local-part] "@"] domain-name`; others write more than that without quotes, such as base64, so all up to
    /// a blank or semicolon is taken.
    fn property_value(&mut self) -> Result<String, ResultsFault> {
        let mut out = String::new();
        if self.peek() == Some('"') {
            out = self.quoted()?;
            if self.peek() != Some('@') {
                return Ok(out);
            }
        }
        out.push_str(self.while_fits(|c| c > ' ' && !matches!(c, ';' | '"' | '(' | ')' | '\x7f'))?);
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
