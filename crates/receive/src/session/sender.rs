//! What a sender who is here is told of a message that waits, is kept, or goes its way with a doubt.

use super::kept::name;
use mailward_core::limits::{KEPT_FINDINGS_TOLD, KEPT_RECIPIENTS_TOLD};
use mailward_delivery::care::Telling;
use mailward_inspect::{Action, Subject, Verdict};
use mailward_message::decode::header_text;
use mailward_message::header::{first, header_end, unfold};

/// What becomes of it for some recipients.
struct Part {
    actions: &'static [Action],
    subject: &'static str,
    says: &'static [&'static str],
}

/// The strictest first.
const PARTS: [Part; 3] = [
    Part {
        actions: &[Action::Reject, Action::Quarantine],
        subject: "Your message was kept",
        says: &["was kept. It doesn't arrive unless an administrator lets it go. For:"],
    },
    Part {
        actions: &[Action::Hold],
        subject: "Your message waits for approval",
        says: &["waits until an administrator has approved it. You needn't send it again.", "It waits for:"],
    },
    Part {
        actions: &[Action::Warn],
        subject: "Your message was sent, and something was found in it",
        says: &["was sent. You are told because of what was found in it. It went to:"],
    },
];

/// What is told, if something is. Never of a message that has no sender or was written by a program by itself: a notice isn't answered
/// by a notice (RFC 3834 §2).
pub(super) fn telling(subject: &Subject, verdict: &Verdict) -> Option<Telling> {
    subject.sender.as_ref()?;
    let header = subject.bytes.get(..header_end(&subject.bytes)).unwrap_or_default();
    let automatic =
        first(header, "auto-submitted").is_some_and(|value| !value.trim_ascii().eq_ignore_ascii_case(b"no"));
    if automatic {
        return None;
    }
    let about = first(header, "subject").map(|value| header_text(&unfold(value))).unwrap_or_default();
    let mut lines = vec!["Your message".to_owned(), format!("    {}", about.trim())];
    let mut title = None;
    for part in &PARTS {
        let places: Vec<usize> =
            (0..subject.recipients.len()).filter(|place| part.actions.contains(&verdict.action_for(*place))).collect();
        if places.is_empty() {
            continue;
        }
        if title.is_some() {
            lines.push(String::new());
            lines.push("It".to_owned());
        }
        title = title.or(Some(part.subject));
        lines.extend(part.says.iter().map(|line| (*line).to_owned()));
        for recipient in places.iter().take(KEPT_RECIPIENTS_TOLD).filter_map(|place| subject.recipients.get(*place)) {
            let address = recipient.address.as_ref().map_or_else(|| "postmaster".to_owned(), ToString::to_string);
            lines.push(format!("    {address}"));
        }
        let more = places.len().saturating_sub(KEPT_RECIPIENTS_TOLD);
        if more > 0 {
            lines.push(format!("    and {more} more"));
        }
        lines.push("Why:".to_owned());
        let mut reasons: Vec<String> = Vec::new();
        for found in places.iter().flat_map(|place| verdict.reasons(*place)) {
            let reason = format!("    {}: {}", name(found), found.evidence);
            if reasons.len() < KEPT_FINDINGS_TOLD && !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        lines.extend(reasons);
    }
    lines.push(String::new());
    lines.push(format!("If you have questions, your administrator finds it by its name: {}", subject.id));
    title.map(|title| Telling { subject: title.to_owned(), lines })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bytes::Bytes;
    use mailward_core::{Address, Timestamp};
    use mailward_inspect::{Check, Direction, Finding, Recipient};
    use mailward_message::Structure;
    use std::sync::Arc;

    pub(in crate::session) fn subject(header: &str, sender: Option<&str>) -> Subject {
        let bytes = Bytes::from(format!("{header}\r\n\r\nbody\r\n"));
        let address = |text: &str| text.parse::<Address>().unwrap();
        let to = |text: &str| Recipient { address: Some(address(text)), accounts: Vec::new() };
        Subject {
            structure: Arc::new(Structure::parse(&bytes)),
            bytes,
            trace: 0,
            id: Arc::from("3kc1v5y0r0000"),
            direction: Direction::Outgoing,
            client: None,
            hello: Arc::from(""),
            reverse: None,
            stranger: false,
            sender: sender.map(address),
            recipients: Arc::from([to("a@far.example"), to("b@far.example")]),
            login: None,
            spf: None,
            signs: Arc::from([]),
            correspondent: false,
            now: Timestamp(0),
        }
    }

    fn verdict(findings: &[(Action, Option<usize>)]) -> Verdict {
        let of = |(action, only): &(Action, Option<usize>)| {
            let finding = Finding::new(Check::Content, action.name(), *action, "why");
            match only {
                Some(place) => finding.only_for(vec![*place]),
                None => finding,
            }
        };
        Verdict { findings: findings.iter().map(of).collect() }
    }

    #[test]
    fn a_sender_here_is_told_what_becomes_of_it_for_whom_and_why() {
        let one = subject("Subject: =?utf-8?Q?gr=C3=BC=C3=9Fe?=", Some("joe@s.example"));
        let told = telling(&one, &verdict(&[(Action::Hold, Some(0)), (Action::Warn, Some(1))])).unwrap();
        assert_eq!(told.subject, "Your message waits for approval");
        assert_eq!(
            told.lines.join("\n"),
            "Your message\n    grüße\nwaits until an administrator has approved it. You needn't send it again.\n\
             It waits for:\n    a@far.example\nWhy:\n    content/hold: why\n\nIt\n\
             was sent. You are told because of what was found in it. It went to:\n    b@far.example\n\
             Why:\n    content/warn: why\n\n\
             If you have questions, your administrator finds it by its name: 3kc1v5y0r0000"
        );
        let kept = telling(&one, &verdict(&[(Action::Quarantine, None)])).unwrap();
        assert_eq!(kept.subject, "Your message was kept");
    }

    #[test]
    fn nobody_is_told_where_there_is_nothing_to_tell_or_nobody_to_hear_it() {
        let held = verdict(&[(Action::Hold, None)]);
        let of = |header: &str, sender: Option<&str>| telling(&subject(header, sender), &held);
        assert!(of("Subject: x", None).is_none());
        assert!(of("Auto-Submitted: auto-replied\r\nSubject: x", Some("joe@s.example")).is_none());
        assert!(of("Auto-Submitted: No\r\nSubject: x", Some("joe@s.example")).is_some());
        let plain = subject("Subject: x", Some("joe@s.example"));
        assert!(telling(&plain, &verdict(&[(Action::Mark, None), (Action::Junk, None)])).is_none());
    }
}
