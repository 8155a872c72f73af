//! `mailward trace`: what was refused or put off, and why; what was found in a message that was taken.

use super::queue::{age, time};
use crate::control::watch::{Ask, Taken};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print;
use clap::Args;
use mailward_core::{Clock as _, SystemClock, Timestamp};
use mailward_gate::journal::{Asked, Entry, Found, What};
use mailward_inspect::{Action, hundredths};
use std::fmt::Write as _;

/// Find out why mail was refused, put off or kept
#[derive(Debug, Args)]
#[command(
    after_help = "A refusal's reply ends with a reference, as 7K2Q-9XMT. Refusals are remembered for a week; of a host
that is refused without end only some are, which is said. The reply to a message that was taken
ends with its name: what was found in it is remembered as long. WHAT may also be the number of a
message in the queue, which leads to `mailward queue show`. See docs/trace.md.

Examples:
  mailward trace 7K2Q-9XMT
  mailward trace 3kc1v5y0r0000
  mailward trace ann@sender.example
  mailward trace 192.0.2.0/24 --since 2h
  mailward trace --put-off --json"
)]
pub(crate) struct Trace {
    /// Reference, name of a message, address of a sender or recipient, domain, IP address or network
    /// [usual: all]
    what: Option<String>,
    /// What greylisting put off only
    #[arg(long)]
    put_off: bool,
    /// Of so long ago at most, as 30m, 2h, 3d
    #[arg(long, value_name = "AGE", value_parser = age)]
    since: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Trace {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let what = match self.what.as_deref() {
            None => What::All,
            Some(text) if is_number(text) => {
                return Err(Failure::Usage(format!(
                    "{text} is the number of a message that was accepted: `mailward queue show {text}` tells how it stands"
                )));
            }
            Some(text) if is_name_of_accepted(text) => return accepted(place, text, self.json),
            Some(text) => What::parse(text).map_err(Failure::Usage)?,
        };
        let since = self.since.map(|seconds| {
            let millis = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
            Timestamp(SystemClock.now().0.saturating_sub(millis))
        });
        let asked = Asked { what, put_off: self.put_off, since };
        let found = client::run(&place.find()?, &Request::Watch { ask: Ask::Trace { asked: asked.clone() } })?;
        if self.json {
            return print::json(&found);
        }
        let found: Found =
            serde_json::from_value(found).map_err(|e| Failure::Bug(format!("the answer can't be read: {e}")))?;
        print::text(&told(&found, &asked.what))
    }
}

/// Tells what was found in a message that was taken.
fn accepted(place: &Where, id: &str, json: bool) -> Result<(), Failure> {
    let found = client::run(&place.find()?, &Request::Watch { ask: Ask::Taken { id: id.to_owned() } })?;
    if json {
        return print::json(&found);
    }
    let taken: Option<Taken> =
        serde_json::from_value(found).map_err(|e| Failure::Bug(format!("the answer can't be read: {e}")))?;
    match taken {
        Some(taken) => print::text(&told_of_taken(&taken)),
        None => print::line(format!(
            "{id} is the name of a message that was accepted, and nothing that was found in it is remembered: it was \
             delivered like any other, or it is more than a week ago. It stands in the log (id={id}) and in its Received \
             field; what waits for other hosts is in `mailward queue list`"
        )),
    }
}

/// What was found in a message, in a few lines. Whatever somebody else wrote is tamed.
fn told_of_taken(taken: &Taken) -> String {
    let (remembered, note) = (&taken.remembered, &taken.remembered.note);
    let tame = |text: &str| print::tame(text);
    let from = note.client.as_deref().map_or("this host", |client| client);
    let became = match remembered.action {
        Action::Deliver | Action::Mark => "delivered with a mark",
        Action::Warn => "delivered, and its sender told",
        Action::Junk if note.direction == "incoming" => "filed as junk",
        Action::Junk => "delivered with a mark",
        Action::Hold => "kept until it is approved",
        Action::Quarantine | Action::Reject | Action::Defer => "kept in the quarantine",
    };
    let mut text = format!(
        "{}  {}  {became} ({}), {}, by {} ({})\n",
        time(remembered.at),
        tame(&note.id),
        remembered.action.name(),
        tame(&note.direction),
        tame(from),
        tame(&note.hello)
    );
    // Writing to a String can't fail.
    let _infallible = writeln!(text, "    from <{}> to {}", tame(&note.sender), tame(&note.recipients.join(", ")));
    let _infallible = writeln!(text, "    subject: {}", tame(&note.subject));
    for found in &note.findings {
        let _infallible = writeln!(
            text,
            "    found: {}/{}: {} ({}{})",
            found.check.name(),
            tame(&found.rule),
            tame(&found.evidence),
            found.action.name(),
            match found.points {
                0 => String::new(),
                points => format!(", {} points", hundredths(points)),
            }
        );
    }
    let _infallible = match (remembered.quarantine, taken.is_kept) {
        (Some(id), true) => writeln!(text, "    message {id} of the quarantine: `mailward quarantine show {id}`"),
        (Some(id), false) => writeln!(text, "    it was message {id} of the quarantine, and isn't there any more"),
        (None, _) => Ok(()),
    };
    text
}

/// Whether a text looks as numbers of messages do.
fn is_number(text: &str) -> bool {
    (1..8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a text looks as names of accepted messages do: 12 or more small letters and digits.
fn is_name_of_accepted(text: &str) -> bool {
    text.len() >= 12 && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

/// What was found, the newest last, where a terminal's reader looks.
fn told(found: &Found, what: &What) -> String {
    let mut text = String::new();
    for entry in found.entries.iter().rev() {
        text.push_str(&one(entry));
    }
    // Writing to a String can't fail.
    if found.entries.is_empty() {
        let of = match what {
            What::Reference(_) => "nothing is noted under this reference",
            _ => "nothing that was refused fits",
        };
        let _infallible = writeln!(text, "{of}; what was refused before {} is forgotten", time(found.remembered_since));
    }
    if found.more {
        let _infallible = writeln!(text, "there are more, older ones: ask for one host or address, or with --since");
    }
    if found.left_out > 0 {
        let _infallible = writeln!(
            text,
            "{} more refusals of that time were counted and not noted, as there were too many of one host or in one hour",
            found.left_out
        );
    }
    text
}

/// One refusal in a few lines. Whatever somebody else wrote is tamed.
fn one(entry: &Entry) -> String {
    let tame = |text: &str| print::tame(text);
    let from = entry.ip.map_or_else(|| "this host".to_owned(), |ip| ip.to_string());
    let hello = entry.hello.as_deref().map(|hello| format!(" ({})", tame(hello))).unwrap_or_default();
    let mut text = format!(
        "{}  {}  {} at {} by {from}{hello}, {}, session {}\n",
        time(entry.at),
        entry.reference,
        entry.verdict.name(),
        entry.stage.name(),
        entry.listener.name(),
        entry.session
    );
    // Writing to a String can't fail.
    if let Some(sender) = &entry.sender {
        let to = entry.recipient.as_deref().map(|to| format!(" to <{}>", tame(to))).unwrap_or_default();
        let _infallible = writeln!(text, "    from <{}>{to}", tame(sender));
    }
    let _infallible = writeln!(text, "    because: {}", tame(&entry.reason));
    let _infallible = match entry.code {
        0 => writeln!(text, "    without a reply"),
        code => writeln!(text, "    reply: {code} {}", tame(&entry.reply)),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Listener;
    use mailward_core::QuarantineId;
    use mailward_gate::journal::{Stage, Verdict};
    use mailward_inspect::quarantine::Note;
    use mailward_inspect::remembered::Remembered;
    use mailward_inspect::{Check, Finding};

    #[test]
    fn a_refusal_is_told_with_all_that_is_known_and_nothing_moves_the_terminal() {
        let entry = Entry {
            reference: "7K2Q9XMT".parse().unwrap(),
            at: Timestamp::from_secs(1_764_115_200),
            stage: Stage::Recipient,
            listener: Listener::Smtp,
            session: 17,
            ip: Some("192.0.2.7".parse().unwrap()),
            hello: Some("a\u{1b}[2J.example".to_owned()),
            sender: Some(String::new()),
            recipient: Some("joe@example.org".to_owned()),
            verdict: Verdict::PutOff,
            reason: "greylisted: no reverse DNS".to_owned(),
            code: 450,
            reply: "4.7.1 Try again".to_owned(),
        };
        let remembered_since = Timestamp::from_secs(0);
        let found = Found { entries: vec![entry], more: true, left_out: 3, remembered_since };
        assert_eq!(
            told(&found, &What::All),
            "2025-11-26 00:00:00Z  7K2Q-9XMT  put-off at recipient by 192.0.2.7 (a\u{fffd}[2J.example), smtp, session 17\n    \
             from <> to <joe@example.org>\n    \
             because: greylisted: no reverse DNS\n    \
             reply: 450 4.7.1 Try again\n\
             there are more, older ones: ask for one host or address, or with --since\n\
             3 more refusals of that time were counted and not noted, as there were too many of one host or in one hour\n"
        );
        let nothing = Found { entries: Vec::new(), more: false, left_out: 0, remembered_since };
        let told = told(&nothing, &What::Reference("7K2Q9XMT".parse().unwrap()));
        assert!(
            told.starts_with("nothing is noted under this reference; what was refused before 1970-01-01"),
            "{told}"
        );
    }

    #[test]
    fn what_was_found_in_a_message_is_told_and_nothing_moves_the_terminal() {
        let finding = Finding::new(Check::Attachments, "program", Action::Quarantine, "in a\u{1b}[2J.exe");
        let note = Note {
            id: "3kc1v5y0r0000".to_owned(),
            direction: "incoming".to_owned(),
            client: Some("192.0.2.7".to_owned()),
            hello: "a.example\u{9b}".to_owned(),
            sender: "ann@a.example".to_owned(),
            recipients: vec!["joe@example.org".to_owned()],
            subject: "x\u{202e}y".to_owned(),
            findings: vec![Finding::new(Check::Spam, "bayes", Action::Mark, "").worth(250), finding],
            ..Note::default()
        };
        let quarantine = Some(QuarantineId(17));
        let remembered = Remembered { at: Timestamp(0), action: Action::Quarantine, quarantine, note };
        let taken = Taken { remembered, is_kept: true };
        assert_eq!(
            told_of_taken(&taken),
            "1970-01-01 00:00:00Z  3kc1v5y0r0000  kept in the quarantine (quarantine), incoming, by 192.0.2.7 (a.example\u{fffd})\n    \
             from <ann@a.example> to joe@example.org\n    \
             subject: x\u{fffd}y\n    \
             found: spam/bayes:  (mark, 2.50 points)\n    \
             found: attachments/program: in a\u{fffd}[2J.exe (quarantine)\n    \
             message 17 of the quarantine: `mailward quarantine show 17`\n"
        );
    }

    #[test]
    fn names_of_accepted_messages_lead_elsewhere() {
        assert!(is_name_of_accepted("3kc1v5y0r0000"));
        assert!(!is_name_of_accepted("7k2q9xmt") && !is_name_of_accepted("sender.example"));
        assert!(is_number("1") && is_number("1234567") && !is_number("") && !is_number("12345678"));
        assert!(What::parse("").is_err_and(|error| error.starts_with("\"\" is no reference")));
    }
}
