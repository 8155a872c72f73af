//! What people may say to a question, and who is who.

use crate::control::{Check, Control, Probe};
use crate::scene::Statement;
use mailward_core::Address;
use mailward_core::limits::{AUDIT_PATH_MAX, AUDIT_WORDS_MAX};

/// Digits of a SHA-256 in hexadecimal.
const HASH_DIGITS: usize = 64;

/// Why a statement isn't taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It isn't asked of people.
    #[error("{0} isn't answered by people, but by looking")]
    NotAsked(&'static str),
    /// Nobody can tell who that is.
    #[error("{0:?} isn't an address; who answers is somebody with one, such as ada@example.org")]
    Who(String),
    /// No share.
    #[error("an answer is yes, no, 0 to 100, or na")]
    Share,
    /// Too many words.
    #[error("what is said is one line of at most {AUDIT_WORDS_MAX} characters")]
    Words,
    /// Left out without a word.
    #[error("what doesn't apply needs a reason in says")]
    Reason,
    /// Not to be left out.
    #[error("{0} applies everywhere: it can be answered by no, not by \"not applicable\"")]
    Applies(&'static str),
    /// No name or no hash.
    #[error("a file has a name of at most {AUDIT_PATH_MAX} bytes, and its SHA-256 in hexadecimal")]
    File,
}

impl Statement {
    /// Whether it is an answer to that question.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn check(&self, control: &Control) -> Result<(), StatementError> {
        if control.probe != Probe::Statement {
            return Err(StatementError::NotAsked(control.id));
        }
        Address::parse(&self.who, true).map_err(|_| StatementError::Who(self.who.clone()))?;
        if self.says.chars().count() > AUDIT_WORDS_MAX || self.says.contains(['\n', '\r']) {
            return Err(StatementError::Words);
        }
        match self.share {
            Some(share) if share > 100 => return Err(StatementError::Share),
            Some(_) => {}
            None if !control.may_be_left_out() => return Err(StatementError::Applies(control.id)),
            None if self.says.trim().is_empty() => return Err(StatementError::Reason),
            None => {}
        }
        let is_hash = |hash: &str| hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match &self.file {
            Some((file, hash)) if file.is_empty() || file.len() > AUDIT_PATH_MAX || !is_hash(hash) => {
                Err(StatementError::File)
            }
            _ => Ok(()),
        }
    }
}

impl Control {
    /// Whether somebody may say that it makes no sense here. What every area is asked makes sense everywhere; and what caps the
    /// total isn't talked away.
    pub(crate) const fn may_be_left_out(&self) -> bool {
        matches!(self.check, Check::Stated { .. }) && self.cap.is_none()
    }
}

/// Whether two names are one person's: nobody is somebody else by capitals, by a name in front, or by a detail of their address
/// (RFC 5233).
pub(crate) fn same_person(one: &str, other: &str) -> bool {
    let bare = |name: &str| {
        let lower = name.trim().to_lowercase();
        let address =
            lower.rsplit_once('<').map_or(lower.as_str(), |(_, address)| address.trim_end_matches('>')).trim();
        match address.rsplit_once('@') {
            Some((local, domain)) => {
                let local = local.split('+').next().filter(|local| !local.is_empty()).unwrap_or(local);
                format!("{local}@{}", domain.trim_end_matches('.'))
            }
            None => address.to_owned(),
        }
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::same_person;

    #[test]
    fn nobody_is_somebody_else_by_the_way_they_are_written() {
        let ada = "ada@example.org";
        for same in [
            "Ada@Example.ORG",
            " ada@example.org ",
            "Ada L. <ada@example.org>",
            "ada+approves@example.org",
            "ada@example.org.",
        ] {
            assert!(same_person(ada, same), "{same}");
        }
        for other in ["bob@example.org", "ada@example.net", "ada", "", "+@example.org", "adam@example.org"] {
            assert!(!same_person(ada, other), "{other}");
        }
        assert!(!same_person("+a@example.org", "+b@example.org"));
    }
}
