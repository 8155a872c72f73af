//! What is written about a message that is kept, so that whoever looks at it knows why.

use crate::subject::Subject;
use crate::verdict::{Action, Check, Finding, Verdict};
use mailward_core::Address;
use mailward_message::decode::header_text;
use mailward_message::{Envelope, EnvelopeAddress};
use serde::{Deserialize, Serialize};

/// What is known of a message in the quarantine beside its bytes. Outsiders wrote much of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its name in the log and in the reply that took it.
    pub id: String,
    /// `incoming`, `outgoing`, `internal`, or `stored` for one that was found in a mailbox.
    pub direction: String,
    /// Who brought it.
    pub client: Option<String>,
    /// What that called itself.
    pub hello: String,
    /// The envelope's sender; empty: nobody.
    pub sender: String,
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// Who it says that it is from.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Whether only an administrator may release it: what no user should be able to let in. Without it nobody else may.
    #[serde(default = "yes")]
    pub administrators: bool,
    /// Somebody said that it shouldn't be here: who.
    #[serde(default)]
    pub disputed: Option<String>,
}

impl Note {
    /// Of a message that was judged.
    #[must_use]
    pub fn of(subject: &Subject, verdict: &Verdict) -> Self {
        let named =
            |address: &Option<Address>| address.as_ref().map_or_else(|| "postmaster".to_owned(), Address::to_string);
        Self {
            id: subject.id.to_string(),
            direction: subject.direction.name().to_owned(),
            client: subject.client.map(|ip| ip.to_string()),
            hello: subject.hello.to_string(),
            sender: subject.sender.as_ref().map_or_else(String::new, Address::to_string),
            recipients: subject.recipients.iter().map(|recipient| named(&recipient.address)).collect(),
            findings: verdict.findings.clone(),
            administrators: is_dangerous(&verdict.findings),
            ..Self::written(subject.structure.envelope())
        }
    }

    /// Of a message that was in a mailbox of somebody here.
    #[must_use]
    pub fn of_stored(envelope: &Envelope, whose: &Address, findings: Vec<Finding>) -> Self {
        Self {
            direction: "stored".to_owned(),
            recipients: vec![whose.to_string()],
            administrators: is_dangerous(&findings),
            findings,
            ..Self::written(envelope)
        }
    }

    /// What the message says of itself.
    fn written(envelope: &Envelope) -> Self {
        Self {
            from: envelope.from.first().map(named_address).unwrap_or_default(),
            subject: envelope.subject.as_deref().map(|text| header_text(text.as_bytes())).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Whether the spam filter had to do with it being kept.
    #[must_use]
    pub fn is_of_spam(&self) -> bool {
        self.findings.iter().any(|finding| finding.check == Check::Spam && finding.action >= Action::Junk)
    }

    /// Reads one back.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// As bytes, at most so many: what is least telling goes first.
    #[must_use]
    pub fn to_bytes(&self, most: usize) -> Vec<u8> {
        // Texts and numbers can always be written.
        serde_json::to_vec(&self.within(most)).unwrap_or_default()
    }

    /// As much of it as takes at most so many bytes.
    pub(crate) fn within(&self, most: usize) -> Self {
        let mut note = self.clone();
        loop {
            if serde_json::to_vec(&note).is_ok_and(|bytes| bytes.len() <= most) {
                return note;
            }
            if note.subject.len() > 64 || note.from.len() > 64 {
                note.subject = note.subject.chars().take(16).collect();
                note.from = note.from.chars().take(16).collect();
            } else if note.recipients.len() > 20 {
                note.recipients.truncate(20);
            } else if note.findings.len() > 8 {
                note.findings.sort_by_key(|finding| std::cmp::Reverse(finding.action));
                note.findings.truncate(8);
            } else if note.findings.len() > 1 {
                note.findings.sort_by_key(|finding| std::cmp::Reverse(finding.action));
                note.findings.truncate(note.findings.len().div_euclid(2));
            } else {
                let administrators = note.administrators;
                return Self { id: note.id, direction: note.direction, administrators, ..Self::default() };
            }
        }
    }

    /// Whether only an administrator may release it.
    #[must_use]
    pub const fn is_for_administrators(&self) -> bool {
        self.administrators
    }
}

const fn yes() -> bool {
    true
}

/// Whether anything that was found is worse than spam.
fn is_dangerous(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| !matches!(finding.check, Check::Spam) && finding.action >= Action::Hold)
}

/// A name and an address, decoded.
fn named_address(address: &EnvelopeAddress) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let name = address.name.as_deref().map(|name| header_text(name.as_bytes())).unwrap_or_default();
    let address = format!("{}@{}", part(&address.mailbox), part(&address.host));
    if name.is_empty() { address } else { format!("{name} <{address}>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_fits_its_limit_whatever_is_in_it() {
        let finding = Finding::new(Check::Spam, "x", Action::Junk, "e".repeat(400));
        let note = Note {
            id: "1A".to_owned(),
            recipients: vec!["somebody@far.example".to_owned(); 1_000],
            subject: "s".repeat(20_000),
            findings: vec![finding; 500],
            ..Note::default()
        };
        let bytes = note.to_bytes(8_192);
        assert!(bytes.len() <= 8_192);
        let read = Note::read(&bytes).unwrap();
        assert_eq!((read.id.as_str(), read.recipients.len(), read.findings.len()), ("1A", 20, 8));
        assert_eq!(Note::read(&note.to_bytes(200)).unwrap().id, "1A");
        assert_eq!(Note::read(&note.to_bytes(usize::MAX)).unwrap(), note);
    }

    #[test]
    fn users_release_what_may_be_spam_and_nothing_worse() {
        let of = |check, action| is_dangerous(&[Finding::new(check, "x", action, "")]);
        assert!(of(Check::Antivirus, Action::Quarantine));
        assert!(of(Check::Attachments, Action::Quarantine));
        assert!(of(Check::Authentication, Action::Quarantine));
        assert!(!of(Check::Spam, Action::Quarantine));
        assert!(!of(Check::Attachments, Action::Mark));
        let note = Note::read(b"{\"id\":\"\",\"direction\":\"\",\"client\":null,\"hello\":\"\",\"sender\":\"\",\"recipients\":[],\"from\":\"\",\"subject\":\"\",\"findings\":[]}");
        assert!(note.unwrap().is_for_administrators(), "what nothing is known of");
    }
}
