//! What stands behind the colon: `allow,RELAYCLIENT="",RBLSMTPD=""`.

/// As they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instructions {
    deny: bool,
    variables: Vec<(String, String)>,
}

/// What they do to a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Allow,
    Skip,
    Relay,
    /// With something written behind every recipient.
    RelayAs,
    Refuse(Option<String>),
}

/// The most that our own reply takes of a text.
const WORDS_MAX: usize = mailward_core::limits::RULE_WORDS_MAX;

impl Instructions {
    /// As tcprules.c reads them: a variable's value stands between two characters that are alike, whichever.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (deny, mut rest) = match (text.strip_prefix("deny"), text.strip_prefix("allow")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("neither allow nor deny stands behind the colon"),
        };
        let mut variables = Vec::new();
        while !rest.is_empty() {
            let variable = rest.strip_prefix(',').ok_or("a comma is missing")?;
            let (name, value) = variable.split_once('=').ok_or("a variable has no value")?;
            let quote = value.chars().next().ok_or("a variable has no value")?;
            let value = value.strip_prefix(quote).ok_or("a variable has no value")?;
            let (value, behind) = value.split_once(quote).ok_or("a value isn't closed")?;
            variables.push((name.to_owned(), value.to_owned()));
            rest = behind;
        }
        Ok(Self { deny, variables })
    }

    /// The value that a variable has in the end.
    fn value(&self, name: &str) -> Option<&str> {
        self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn meaning(&self) -> Meaning {
        if self.deny {
            return Meaning::Refuse(None);
        }
        match (self.value("RBLSMTPD"), self.value("RELAYCLIENT")) {
            // rblsmtpd takes no mail then; a hyphen makes it say so for good (rblsmtpd(1)).
            (Some(text), _) if !text.is_empty() => Meaning::Refuse(words(text)),
            (_, Some("")) => Meaning::Relay,
            (_, Some(_)) => Meaning::RelayAs,
            (Some(_), None) => Meaning::Skip,
            (None, None) => Meaning::Allow,
        }
    }

    /// Variables that mean nothing here, each once.
    pub(super) fn unknown(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.variables {
            if !self.deny && !matches!(name.as_str(), "RBLSMTPD" | "RELAYCLIENT") && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}

fn words(text: &str) -> Option<String> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let words: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(WORDS_MAX).collect();
    let words = words.trim_start();
    (!words.is_empty()).then(|| words.to_owned())
}
