//! What is written about a message that is kept, so that whoever looks at it knows why.

mod look;

pub use look::{Look, LookedPart, Sight, look};

use crate::subject::Subject;
use crate::verdict::{Action, Check, Finding, Verdict};
use mailward_core::Address;
use mailward_core::config::KeptClass;
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
    /// Some of what was found had no room here.
    #[serde(default)]
    pub cut: bool,
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
                note.cut = true;
            } else if note.findings.len() > 1 {
                note.findings.sort_by_key(|finding| std::cmp::Reverse(finding.action));
                note.findings.truncate(note.findings.len().div_euclid(2));
                note.cut = true;
            } else {
                let administrators = note.administrators;
                return Self { id: note.id, direction: note.direction, administrators, cut: true, ..Self::default() };
            }
        }
    }

    /// Whether its reader is told of it and may release it: if it is kept for these reasons and nothing else. What isn't known in
    /// full, was taken out of a mailbox, or waits for approval is for administrators alone; so is every virus.
    #[must_use]
    pub fn is_for_users(&self, classes: &[KeptClass]) -> bool {
        let mut keeping = self.findings.iter().filter(|finding| keeps(finding)).peekable();
        let is_known = !self.cut && self.direction != "stored" && keeping.peek().is_some();
        is_known
            && keeping.all(|finding| {
                finding.action != Action::Hold && class_of(finding.check).is_some_and(|class| classes.contains(&class))
            })
    }

    /// Why it is kept, in words for its reader, the weightiest first. They may have what its writer wrote.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut keeping: Vec<&Finding> = self.findings.iter().filter(|finding| keeps(finding)).collect();
        keeping.sort_by_key(|finding| std::cmp::Reverse(finding.action));
        let mut reasons = Vec::new();
        for finding in keeping {
            let reason = match finding.check {
                // Its single signs tell its reader nothing.
                Check::Spam => "it looks like spam".to_owned(),
                check if finding.evidence.is_empty() => format!("{}: {}", check.name(), finding.rule),
                _ => finding.evidence.clone(),
            };
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }
}

/// Whether a finding is a reason to keep a message.
fn keeps(finding: &Finding) -> bool {
    let least = if finding.check == Check::Spam { Action::Junk } else { Action::Hold };
    finding.action >= least
}

/// What users may be let to decide on. A forged sender is how phishing comes, and what a milter knows nobody here does.
const fn class_of(check: Check) -> Option<KeptClass> {
    match check {
        Check::Spam => Some(KeptClass::Spam),
        Check::Attachments => Some(KeptClass::Attachments),
        Check::Structure => Some(KeptClass::Structure),
        Check::Content => Some(KeptClass::Content),
        Check::Antivirus | Check::Authentication | Check::Milter => None,
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
    fn users_release_what_policy_lets_them_and_never_a_virus() {
        let of = |check, action| is_dangerous(&[Finding::new(check, "x", action, "")]);
        assert!(of(Check::Antivirus, Action::Quarantine));
        assert!(of(Check::Attachments, Action::Quarantine));
        assert!(of(Check::Authentication, Action::Quarantine));
        assert!(!of(Check::Spam, Action::Quarantine));
        assert!(!of(Check::Attachments, Action::Mark));
        let note = |findings: &[(Check, Action)]| Note {
            findings: findings.iter().map(|(check, action)| Finding::new(*check, "x", *action, "")).collect(),
            ..Note::default()
        };
        let all = KeptClass::ALL;
        assert!(
            note(&[(Check::Spam, Action::Junk), (Check::Attachments, Action::Mark)]).is_for_users(&[KeptClass::Spam])
        );
        assert!(!note(&[(Check::Spam, Action::Junk)]).is_for_users(&[]));
        assert!(!note(&[]).is_for_users(&all), "what nothing is known of");
        for check in [Check::Antivirus, Check::Authentication, Check::Milter] {
            assert!(
                !note(&[(Check::Spam, Action::Reject), (check, Action::Quarantine)]).is_for_users(&all),
                "{check:?}"
            );
        }
        assert!(note(&[(Check::Attachments, Action::Quarantine)]).is_for_users(&all));
        assert!(!note(&[(Check::Attachments, Action::Quarantine)]).is_for_users(&[KeptClass::Spam]));
        assert!(!note(&[(Check::Content, Action::Hold)]).is_for_users(&all), "what waits for approval");
        let spam = note(&[(Check::Spam, Action::Junk)]);
        assert!(!Note { cut: true, ..spam.clone() }.is_for_users(&all), "what isn't known in full");
        assert!(!Note { direction: "stored".to_owned(), ..spam }.is_for_users(&all), "what was taken out of a mailbox");
        let note = Note::read(b"{\"id\":\"\",\"direction\":\"\",\"client\":null,\"hello\":\"\",\"sender\":\"\",\"recipients\":[],\"from\":\"\",\"subject\":\"\",\"findings\":[]}");
        assert!(note.unwrap().administrators, "what nothing is known of");
    }
}
