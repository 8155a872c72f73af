//! What apt is told: its settings (apt.conf(5)) and its sources (sources.list(5)).

use super::packages::paragraphs;
use super::{Host, Missed};
use std::collections::BTreeMap;

/// apt's settings, by whole name in lower case: `apt::periodic::unattended-upgrade`. Of lists the last is kept.
pub(crate) fn settings(host: &Host) -> Result<BTreeMap<String, String>, Missed> {
    let mut settings = BTreeMap::new();
    let mut files = host.files_in("/etc/apt/apt.conf.d", &[""])?;
    // Names with another ending are left out (apt.conf(5)).
    files.retain(|path| path.rsplit('/').next().is_some_and(|name| !name.contains('.') || name.ends_with(".conf")));
    files.push("/etc/apt/apt.conf".to_owned());
    for file in files {
        if let Some(text) = host.text_if_there(&file)? {
            parse(&text, &mut settings);
        }
    }
    Ok(settings)
}

/// What stands in a file of settings.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Close,
    End,
}

/// Adds what a file says: `A::B "v";`, `A { B "v"; };`, comments in three forms, `#clear A;`.
pub(crate) fn parse(text: &str, settings: &mut BTreeMap<String, String>) {
    let mut scopes: Vec<String> = Vec::new();
    let mut statement: Vec<Token> = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Open => {
                let name = match statement.first() {
                    Some(Token::Word(name)) => name.to_ascii_lowercase(),
                    _ => String::new(),
                };
                scopes.push(name);
                statement.clear();
            }
            Token::Close | Token::End => {
                finish(&scopes, &statement, settings);
                statement.clear();
                if token == Token::Close {
                    scopes.pop();
                }
            }
            other => statement.push(other),
        }
    }
}

fn finish(scopes: &[String], statement: &[Token], settings: &mut BTreeMap<String, String>) {
    let whole = |name: &str| {
        let parts = scopes.iter().map(String::as_str).chain([name.trim_end_matches("::")]);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::").to_ascii_lowercase()
    };
    match statement {
        [Token::Word(clear), Token::Word(name)] if clear == "#clear" => {
            let name = name.to_ascii_lowercase();
            settings.retain(|key, _| *key != name && !key.starts_with(&format!("{name}::")));
        }
        // An element of the list that the scope is.
        [Token::Quoted(value)] => {
            settings.insert(whole(""), value.clone());
        }
        [Token::Word(name), Token::Word(value) | Token::Quoted(value), ..] => {
            settings.insert(whole(name), value.clone());
        }
        _ => {}
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' => tokens.push(Token::Open),
            '}' => tokens.push(Token::Close),
            ';' => tokens.push(Token::End),
            '"' => tokens.push(Token::Quoted(chars.by_ref().take_while(|c| *c != '"').collect())),
            '/' if chars.peek() == Some(&'/') => chars.by_ref().take_while(|c| *c != '\n').for_each(drop),
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                let mut before = ' ';
                for c in chars.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"{};\"".contains(*c)) {
                    word.push(c);
                }
                if word.starts_with('#') && word != "#clear" && word != "#include" {
                    chars.by_ref().take_while(|c| *c != '\n').for_each(drop);
                } else {
                    tokens.push(Token::Word(word));
                }
            }
        }
    }
    tokens
}

/// One place that packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) uris: String,
    pub(crate) suites: String,
    /// Its signatures aren't asked for.
    pub(crate) trusted_blindly: bool,
}

impl Source {
    /// As evidence: without a password that stands in an address.
    pub(crate) fn shown(&self) -> String {
        let address = |uri: &str| match (uri.split_once("://"), uri.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://(not shown)@{host}"),
            _ => uri.to_owned(),
        };
        let uris: Vec<String> = self.uris.split_whitespace().map(address).collect();
        format!("{} {}", uris.join(" "), self.suites)
    }

    /// Whether a distribution's security updates come from it.
    pub(crate) fn is_security(&self) -> bool {
        self.suites.split_whitespace().any(|suite| suite.ends_with("-security") || suite.ends_with("/updates"))
            || self.uris.contains("security.debian.org")
            || self.uris.contains("debian-security")
    }
}

/// Where packages come from, as all files say.
pub(crate) fn sources(host: &Host) -> Result<Vec<Source>, Missed> {
    let mut found = Vec::new();
    let mut lists = host.files_in("/etc/apt/sources.list.d", &[".list"])?;
    lists.push("/etc/apt/sources.list".to_owned());
    for file in lists {
        found.extend(host.text_if_there(&file)?.unwrap_or_default().lines().filter_map(one_line));
    }
    for file in host.files_in("/etc/apt/sources.list.d", &[".sources"])? {
        found.extend(many_lines(&host.text(&file)?));
    }
    Ok(found)
}

/// `deb [signed-by=…] URI SUITE COMPONENT…`.
pub(crate) fn one_line(line: &str) -> Option<Source> {
    let rest = line.trim().strip_prefix("deb")?;
    let rest = rest.starts_with(char::is_whitespace).then(|| rest.trim_start())?;
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uris, suites) = (words.next()?.to_owned(), words.next()?.to_owned());
    let trusted_blindly = options.split_whitespace().any(|option| {
        let option = option.to_ascii_lowercase();
        option == "trusted=yes" || option == "allow-insecure=yes"
    });
    Some(Source { uris, suites, trusted_blindly })
}

/// Paragraphs of `Types`, `URIs`, `Suites`.
pub(crate) fn many_lines(text: &str) -> Vec<Source> {
    let of = |paragraph: BTreeMap<String, String>| {
        let get = |key: &str| paragraph.get(key).cloned().unwrap_or_default();
        let is_on = !get("enabled").eq_ignore_ascii_case("no") && get("types").split_whitespace().any(|t| t == "deb");
        let trusted_blindly = ["trusted", "allow-insecure"].iter().any(|key| get(key).eq_ignore_ascii_case("yes"));
        is_on.then(|| Source { uris: get("uris"), suites: get("suites"), trusted_blindly })
    };
    paragraphs(text).filter_map(of).collect()
}
