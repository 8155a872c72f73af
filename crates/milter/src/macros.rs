//! Macros: what milters are told beside the commands, by names of sendmail's.

use mailward_core::limits::MILTER_VALUE_MAX;

/// When macros are told. The numbers are those of the protocol (`mfapi.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection.
    Connect,
    /// The greeting.
    Hello,
    /// The sender.
    Mail,
    /// A recipient.
    Recipient,
    /// DATA.
    Data,
    /// The end of the message.
    End,
    /// The end of the header.
    HeaderEnd,
    /// A field, a piece of the body, or a command that nobody knows: nothing is told with it unless a line says so.
    Other,
}

/// Stages that milters choose macros for.
const STAGES: usize = 7;

impl Stage {
    pub(crate) const fn of(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Connect),
            1 => Some(Self::Hello),
            2 => Some(Self::Mail),
            3 => Some(Self::Recipient),
            4 => Some(Self::Data),
            5 => Some(Self::End),
            6 => Some(Self::HeaderEnd),
            _ => None,
        }
    }

    const fn place(self) -> Option<usize> {
        match self {
            Self::Connect => Some(0),
            Self::Hello => Some(1),
            Self::Mail => Some(2),
            Self::Recipient => Some(3),
            Self::Data => Some(4),
            Self::End => Some(5),
            Self::HeaderEnd => Some(6),
            Self::Other => None,
        }
    }

    /// What is told to a milter that doesn't choose: what sendmail and Postfix tell.
    const fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &[
                "j",
                "_",
                "{daemon_name}",
                "{if_addr}",
                "v",
                "{client_addr}",
                "{client_name}",
                "{client_ptr}",
                "{client_port}",
            ],
            Self::Hello => &["{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}"],
            Self::Mail => {
                &["i", "{auth_type}", "{auth_authen}", "{auth_ssf}", "{mail_addr}", "{mail_host}", "{mail_mailer}"]
            }
            Self::Recipient => &["i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"],
            Self::Data | Self::End => &["i", "{nrcpts}"],
            Self::HeaderEnd => &["i"],
            Self::Other => &[],
        }
    }
}

/// What a milter asked to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked([Option<Vec<String>>; STAGES]);

impl Asked {
    pub(crate) fn set(&mut self, stage: Stage, names: Vec<String>) {
        if let Some(slot) = stage.place().and_then(|place| self.0.get_mut(place)) {
            *slot = Some(names);
        }
    }

    /// Whether the milter chose for this stage.
    pub(crate) fn is_chosen(&self, stage: Stage) -> bool {
        stage.place().and_then(|place| self.0.get(place)).is_some_and(Option::is_some)
    }

    /// The names that are told at a stage: those it asked for, or the usual ones.
    #[must_use]
    pub fn names(&self, stage: Stage) -> Vec<&str> {
        match stage.place().and_then(|place| self.0.get(place)).and_then(Option::as_ref) {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => stage.usual().to_vec(),
        }
    }
}

/// Values of macros, by their names as the protocol has them: `j`, `{client_addr}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Macros(Vec<(&'static str, String)>);

impl Macros {
    /// Gives a macro a value, in place of the one it had. What is longer than `limits::MILTER_VALUE_MAX` is cut, and what is
    /// empty isn't told.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        let mut value = value.into();
        if value.len() > MILTER_VALUE_MAX {
            let cut = (0..=MILTER_VALUE_MAX).rev().find(|at| value.is_char_boundary(*at));
            value.truncate(cut.unwrap_or_default());
        }
        value.retain(|c| !c.is_control());
        self.0.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.0.push((name, value));
        }
    }

    /// The same, to be chained.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// The value, if there is one. `{j}` is `j`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let bare = plain(name);
        self.0.iter().find(|(known, _)| plain(known) == bare).map(|(_, value)| value.as_str())
    }

    /// Forgets these.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        self.0.retain(|(known, _)| !names.contains(known));
    }
}

/// A name without its braces, if it is one letter or more.
pub(crate) fn plain(name: &str) -> &str {
    name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macro_has_one_value_that_stays_in_its_text() {
        let mut macros = Macros::default().with("j", "a.example").with("{client_name}", "x\r\n\0y");
        macros.set("j", "b.example");
        assert_eq!(macros.get("j"), Some("b.example"));
        assert_eq!(macros.get("{j}"), Some("b.example"));
        assert_eq!(macros.get("{client_name}"), Some("xy"));
        macros.set("j", "");
        assert_eq!(macros.get("j"), None);
    }

    #[test]
    fn a_value_is_cut_at_its_limit_between_characters() {
        let macros = Macros::default().with("i", "é".repeat(MILTER_VALUE_MAX));
        assert_eq!(macros.get("i").map(str::len), Some(MILTER_VALUE_MAX));
        let macros = Macros::default().with("i", format!("x{}", "é".repeat(MILTER_VALUE_MAX)));
        assert_eq!(macros.get("i").map(str::len), Some(MILTER_VALUE_MAX - 1));
    }
}
