//! What the administrator hears of a message that is kept or was refused for a virus, and what is remembered of it.

use super::Host;
use super::inspection::Judgement;
use mailward_core::QuarantineId;
use mailward_core::event::Event;
use mailward_core::limits::{AUDIT_LOCAL, KEPT_FINDINGS_TOLD, KEPT_HEADER_TOLD, KEPT_RECIPIENTS_TOLD};
use mailward_inspect::quarantine::Note;
use mailward_inspect::{Action, Check, Direction, Finding, Subject, Verdict};
use mailward_message::decode::header_text;
use mailward_message::header::{fields, header_end, unfold};

/// What is told of a message, beside what its note says.
pub(super) struct Alert {
    /// Its header, a field a line.
    header: Vec<String>,
    /// What somebody has to look at.
    findings: Vec<Finding>,
}

/// Whether an administrator wants to hear of it: spam is kept all day long, and what rules of theirs hold they ordered.
fn is_worth_telling(finding: &Finding) -> bool {
    matches!(finding.check, Check::Antivirus | Check::Attachments | Check::Structure) && finding.action >= Action::Hold
}

/// Whether it is a virus that a message was refused for: nobody can look at it any more.
fn is_refused_virus(finding: &Finding) -> bool {
    finding.check == Check::Antivirus && finding.action == Action::Reject
}

/// What was found, and by whom, in a word.
pub(super) fn name(finding: &Finding) -> String {
    format!("{}/{}", finding.check.name(), finding.rule)
}

impl Alert {
    /// Of a message that is kept; none if nobody needs to hear of it.
    pub(super) fn of(note: &Note, subject: &Subject) -> Option<Self> {
        Self::about(note, subject, is_worth_telling)
    }

    fn about(note: &Note, subject: &Subject, worth: fn(&Finding) -> bool) -> Option<Self> {
        let findings: Vec<Finding> = note.findings.iter().filter(|found| worth(found)).cloned().collect();
        if findings.is_empty() {
            return None;
        }
        let header = subject.bytes.get(..header_end(&subject.bytes)).unwrap_or_default();
        let line = |name: &[u8], value: &[u8]| {
            format!("{}: {}", String::from_utf8_lossy(name), header_text(&unfold(value)).trim())
        };
        let header = fields(header).take(KEPT_HEADER_TOLD).map(|field| line(field.name, field.value)).collect();
        Some(Self { header, findings })
    }

    fn worst(&self) -> String {
        self.findings.iter().max_by_key(|finding| finding.action).map(name).unwrap_or_default()
    }

    /// The event of a message that is kept, with words for people. Outsiders wrote much of it; the event tames it.
    fn event(&self, note: &Note, id: Option<QuarantineId>) -> Event {
        let worst = self.worst();
        let mut event = self.fields(told("message.quarantined", note), note);
        let number = id.map_or_else(|| "ID".to_owned(), |id| id.to_string());
        if let Some(id) = id {
            event = event.with("quarantine", id);
        }
        let mut lines = vec![
            format!("A message is kept, and its recipients don't see it: {worst}."),
            "Nothing has to be done: it goes by itself when its time is over.".to_owned(),
            String::new(),
        ];
        lines.extend(self.found());
        lines.push(match id {
            Some(id) => format!("Kept as:   message {id} of the quarantine, {} in the log", note.id),
            None => format!("Kept:      in the quarantine, {} in the log", note.id),
        });
        lines.push(String::new());
        lines.extend(envelope(note));
        lines.push(String::new());
        if id.is_none() {
            lines.push("List:      mailward quarantine list".to_owned());
        }
        lines.push(format!("Look:      mailward quarantine show {number}"));
        lines.push(format!("Let it go: mailward quarantine release {number}"));
        lines.push(format!("Remove:    mailward quarantine discard {number}"));
        lines.extend(self.header());
        event.in_words(&format!("Kept: {worst}"), &lines)
    }

    /// The same of a message that nobody has any more.
    fn refused(&self, note: &Note) -> Event {
        let worst = self.worst();
        let mut event = self.fields(told("virus.refused", note), note);
        let mut lines = vec![format!("A message was refused for all its recipients, for a virus: {worst}.")];
        lines.push(if note.direction == Direction::Incoming.name() {
            "Nothing has to be done: nobody here has it.".to_owned()
        } else {
            event = event.with("mend", "look at the device that it came from");
            "It came from somebody here: look at the device that sent it.".to_owned()
        });
        lines.push(String::new());
        lines.extend(self.found());
        lines.push(format!("Named:     {} in the log", note.id));
        lines.push(String::new());
        lines.extend(envelope(note));
        lines.extend(self.header());
        event.in_words(&format!("Refused: {worst}"), &lines)
    }

    fn fields(&self, event: Event, note: &Note) -> Event {
        let recipient = note.recipients.first().map_or("", String::as_str);
        let event = event.with("finding", self.worst()).with("direction", &note.direction);
        let event = event.with("id", &note.id).with("sender", sender(note)).with("recipient", recipient);
        let event = event.with("recipients", note.recipients.len()).with("subject", &note.subject);
        match &note.client {
            Some(client) => event.with("from", client),
            None => event,
        }
    }

    fn found(&self) -> impl Iterator<Item = String> {
        let told = self.findings.iter().take(KEPT_FINDINGS_TOLD);
        told.map(|finding| format!("Found:     {}: {}", name(finding), finding.evidence))
    }

    fn header(&self) -> impl Iterator<Item = String> {
        let head = [String::new(), "Its header:".to_owned()];
        head.into_iter().chain(self.header.iter().map(|line| format!("    {line}")))
    }
}

fn envelope(note: &Note) -> Vec<String> {
    let by = note.client.as_ref().map_or_else(|| "this host".to_owned(), |ip| format!("{ip} ({})", note.hello));
    let mut lines = vec![format!("From host: {by}, {}", note.direction), format!("MAIL FROM: {}", sender(note))];
    let told = note.recipients.iter().take(KEPT_RECIPIENTS_TOLD);
    lines.extend(told.map(|recipient| format!("RCPT TO:   {recipient}")));
    let more = note.recipients.len().saturating_sub(KEPT_RECIPIENTS_TOLD);
    if more > 0 {
        lines.push(format!("           and {more} more"));
    }
    lines
}

fn sender(note: &Note) -> &str {
    if note.sender.is_empty() { "<>" } else { &note.sender }
}

impl Host<'_> {
    /// Tells what became of a message that isn't like any other, now that it is on stable storage.
    pub(super) fn kept(&self, judgement: &Judgement, id: Option<QuarantineId>) {
        if let (Some(verdicts), Some(note)) = (&self.context.verdicts, &judgement.note) {
            verdicts.remember(note, id);
        }
        if let (Some(note), Some(alert)) = (&judgement.note, &judgement.alert) {
            self.context.events.emit(alert.event(note, id));
        }
    }

    /// Tells of a message that was refused for all its recipients, if it was for a virus. Alerts of the kind are gathered, one
    /// an hour, with their number and the names of what was found.
    pub(super) fn refused_for_all(&self, subject: &Subject, verdict: &Verdict) {
        if !self.context.settings.load().quarantine_alert || !verdict.findings.iter().any(is_refused_virus) {
            return;
        }
        let note = Note::of(subject, verdict);
        if let Some(alert) = Alert::about(&note, subject, is_refused_virus) {
            self.context.events.emit(alert.refused(&note));
        }
    }
}

/// An alert; what the audit sends to itself is written down and nobody is called for it.
fn told(name: &'static str, note: &Note) -> Event {
    let is_ours = |recipient: &String| recipient.starts_with(AUDIT_LOCAL);
    let is_audit = !note.recipients.is_empty() && note.recipients.iter().all(is_ours);
    if is_audit { Event::info(name) } else { Event::alert(name) }
}

#[cfg(test)]
mod tests {
    use super::super::sender::tests::subject;
    use super::*;
    use mailward_core::Timestamp;
    use mailward_core::event::Happening;

    fn alert(findings: Vec<Finding>) -> Option<Event> {
        let subject = subject("Subject: a\r\n b\r\nX: y", None);
        let note = Note::of(&subject, &Verdict { findings });
        Alert::of(&note, &subject).map(|alert| alert.event(&note, Some(QuarantineId(7))))
    }

    #[test]
    fn a_virus_is_worth_an_alert_and_spam_and_what_is_only_marked_is_none() {
        let of = |check, action| alert(vec![Finding::new(check, "x", action, "")]);
        for check in [Check::Antivirus, Check::Attachments, Check::Structure] {
            assert!(of(check, Action::Quarantine).is_some() && of(check, Action::Reject).is_some());
            assert!(of(check, Action::Mark).is_none());
        }
        for check in [Check::Spam, Check::Content, Check::Authentication, Check::Milter] {
            assert!(of(check, Action::Quarantine).is_none());
        }
    }

    #[test]
    fn an_alert_tells_what_was_found_and_where_it_is_kept() {
        let spam = Finding::new(Check::Spam, "bayes", Action::Reject, "");
        let event = alert(vec![spam, Finding::new(Check::Antivirus, "Eicar", Action::Quarantine, "in a.zip")]).unwrap();
        let line = event.text();
        for part in ["message.quarantined finding=antivirus/Eicar direction=outgoing", "sender=<>", "quarantine=7"] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn a_virus_that_was_refused_is_told_with_its_envelope_and_header() {
        let subject = subject("Subject: a\r\n b\r\nX: \u{1b}[2J", None);
        let kept = Finding::new(Check::Attachments, "executable", Action::Quarantine, "");
        let virus = Finding::new(Check::Antivirus, "Eicar", Action::Reject, "found by clamd");
        let note = Note::of(&subject, &Verdict { findings: vec![kept, virus] });
        let alert = Alert::about(&note, &subject, is_refused_virus).unwrap();
        assert_eq!(alert.findings.len(), 1, "what it was refused for");
        let event = alert.refused(&note);
        let line = event.text();
        let words = Happening::of(&event, Timestamp(0)).words.unwrap();
        assert!(line.starts_with("alert virus.refused finding=antivirus/Eicar direction=outgoing"), "{line}");
        assert_eq!(words.subject, "Refused: antivirus/Eicar");
        let told = words.lines.join("\n");
        for part in [
            "Found:     antivirus/Eicar: found by clamd",
            "MAIL FROM: <>",
            "    Subject: a b",
            "the device that sent it",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains('\u{1b}'));
        for other in [Check::Spam, Check::Attachments, Check::Content] {
            let note = Note::of(&subject, &Verdict { findings: vec![Finding::new(other, "x", Action::Reject, "")] });
            assert!(Alert::about(&note, &subject, is_refused_virus).is_none());
        }
    }
}
