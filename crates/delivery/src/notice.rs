//! The words of a bounce, a delay notice or a confirmation: what happened to whom, what to do, what the other server
//! said, and what an administrator looks at. [`mailward_message::report`] puts them into a message.

use crate::answers::{Answer, Explanation, explain};
use mailward_core::limits::ANSWER_SHOWN_MAX;
use mailward_core::{Address, Domain, Timestamp};
use mailward_message::date;
use mailward_message::report::Action;

/// What happened to a recipient.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Whom.
    pub address: &'a Address,
    /// What.
    pub action: Action,
    /// The last answer, if there was one.
    pub answer: Option<Answer<'a>>,
    /// How often it was tried.
    pub attempts: u32,
    /// Until when it is tried on, where it is delayed.
    pub retry_until: Option<Timestamp>,
}

/// The text for people, lines ended with LF, at most 76 characters wide where words allow it. Recipients with the same
/// explanation stand together. What other servers said is shown as one line, at most `limits::ANSWER_SHOWN_MAX`
/// characters, without control characters.
#[must_use]
pub fn text(hostname: &Domain, arrival: Timestamp, told: &[Told<'_>]) -> String {
    let mut out = Text::default();
    out.paragraph("", &format!("This is the mail server {hostname}."));
    for (action, opening) in OPENINGS {
        let of_action: Vec<&Told<'_>> = told.iter().filter(|t| t.action == action).collect();
        if !of_action.is_empty() {
            out.blank();
            out.paragraph("", &opening.replace("{date}", &date::format_header(arrival)));
            out.recipients(&of_action);
        }
    }
    out.advice(told);
    out.out
}

/// How the part about each kind of outcome begins, the worst first.
const OPENINGS: [(Action, &str); 5] = [
    (Action::Failed, "Your message of {date} could not be delivered to the recipients below. We have stopped trying."),
    (
        Action::Delayed,
        "Your message of {date} has not been delivered to the recipients below yet. We keep trying; you need not send it \
         again.",
    ),
    (
        Action::Relayed,
        "Your message of {date} was passed on to a server that does not report whether it delivers it, for:",
    ),
    (Action::Expanded, "Your message of {date} was sent on to all that these addresses stand for:"),
    (Action::Delivered, "Your message of {date} was delivered to:"),
];

/// Widest line, characters. RFC 5322 §2.1.1 (78).
const WIDTH: usize = 76;
const INDENT: &str = "    ";

#[derive(Default)]
struct Text {
    out: String,
}

impl Text {
    /// Recipients of one kind of outcome, those with the same explanation together, in the order they were given.
    fn recipients(&mut self, told: &[&Told<'_>]) {
        let explained: Vec<(&Told<'_>, Option<Explanation>)> = told.iter().map(|t| (*t, explanation(t))).collect();
        let mut shown: Vec<Option<Explanation>> = Vec::new();
        for (_, reason) in &explained {
            if shown.contains(reason) {
                continue;
            }
            shown.push(*reason);
            self.blank();
            for (told, _) in explained.iter().filter(|(_, r)| r == reason) {
                self.recipient(told);
            }
            if let Some(reason) = reason {
                self.paragraph(INDENT, reason.for_sender);
            }
        }
    }

    fn recipient(&mut self, told: &Told<'_>) {
        self.line(&format!("<{}>", told.address));
        if !matches!(told.action, Action::Failed | Action::Delayed) {
            return;
        }
        if let Some(answer) = told.answer {
            let (said, host) = (shown(answer.text), shown(answer.host));
            match (answer.code, host.as_str()) {
                _ if said.is_empty() => {}
                (0, _) => self.paragraph(INDENT, &format!("What happened: {said}")),
                (code, "") => self.paragraph(INDENT, &format!("The other server said: {code} {said}")),
                (code, host) => self.paragraph(INDENT, &format!("The server {host} said: {code} {said}")),
            }
        }
        if told.attempts > 1 {
            self.paragraph(INDENT, &format!("We tried {} times.", told.attempts));
        }
        if let Some(until) = told.retry_until.filter(|_| told.action == Action::Delayed) {
            self.paragraph(INDENT, &format!("We try until {}.", date::format_header(until)));
        }
    }

    /// What administrators look at, once for each kind of thing that happened.
    fn advice(&mut self, told: &[Told<'_>]) {
        let mut given: Vec<Explanation> = Vec::new();
        for reason in told.iter().filter_map(explanation) {
            if given
                .iter()
                .any(|g| (g.for_administrator, g.where_to_ask) == (reason.for_administrator, reason.where_to_ask))
            {
                continue;
            }
            if given.is_empty() {
                self.blank();
                self.paragraph("", "For the administrator:");
            }
            given.push(reason);
            self.blank();
            self.paragraph(INDENT, reason.for_administrator);
            if let Some(place) = reason.where_to_ask {
                self.paragraph(INDENT, &format!("Where to ask: {}, {}", place.name, place.url));
            }
        }
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// Words in lines of bearable width.
    fn paragraph(&mut self, indent: &str, words: &str) {
        let mut width = 0_usize;
        for word in words.split(' ') {
            let length = word.chars().count();
            if width > 0 && width.saturating_add(1).saturating_add(length) > WIDTH {
                self.out.push('\n');
                width = 0;
            }
            if width == 0 {
                self.out.push_str(indent);
                width = indent.len();
            } else {
                self.out.push(' ');
                width = width.saturating_add(1);
            }
            self.out.push_str(word);
            width = width.saturating_add(length);
        }
        self.out.push('\n');
    }
}

/// Only what didn't go well needs one.
fn explanation(told: &Told<'_>) -> Option<Explanation> {
    let answer = told.answer.filter(|_| matches!(told.action, Action::Failed | Action::Delayed))?;
    Some(explain(&answer))
}

/// What another server said, as one line.
fn shown(said: &str) -> String {
    let mut line = String::new();
    let mut characters = 0_usize;
    for word in said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        let length = word.chars().count().saturating_add(usize::from(characters > 0));
        if characters.saturating_add(length) > ANSWER_SHOWN_MAX {
            let left = ANSWER_SHOWN_MAX.saturating_sub(characters).saturating_sub(1);
            line.extend(std::iter::once(' ').filter(|_| characters > 0).chain(word.chars().take(left)));
            line.push_str(" [...]");
            break;
        }
        if characters > 0 {
            line.push(' ');
        }
        line.push_str(word);
        characters = characters.saturating_add(length);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::EnhancedStatus;
    use mailward_core::limits::REPORT_RECIPIENTS_MAX;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text, true).unwrap()
    }

    fn host() -> Domain {
        Domain::parse("mx.s.example").unwrap()
    }

    #[test]
    fn a_bounce_says_what_happened_to_whom_and_what_to_do() {
        let (bob, eve, carl) = (address("b@t.example"), address("e@t.example"), address("c@u.example"));
        let gone = Answer {
            code: 550,
            status: EnhancedStatus::parse("5.1.1"),
            text: "5.1.1 No such user",
            host: "mx.t.example",
        };
        let silent =
            Answer { code: 0, status: EnhancedStatus::parse("4.4.1"), text: "no connection: timed out", host: "" };
        let failed = Told { address: &bob, action: Action::Failed, answer: Some(gone), attempts: 1, retry_until: None };
        let told = [
            failed,
            Told {
                address: &carl,
                action: Action::Delayed,
                answer: Some(silent),
                attempts: 7,
                retry_until: Some(Timestamp::from_secs(86_400)),
            },
            Told { address: &eve, ..failed },
        ];
        let expected = "\
This is the mail server mx.s.example.

Your message of Thu, 1 Jan 1970 00:00:00 +0000 could not be delivered to the
recipients below. We have stopped trying.

<b@t.example>
    The server mx.t.example said: 550 5.1.1 No such user
<e@t.example>
    The server mx.t.example said: 550 5.1.1 No such user
    There is no such mailbox. Check the address for typing errors; if it is
    right, the person may have left.

Your message of Thu, 1 Jan 1970 00:00:00 +0000 has not been delivered to the
recipients below yet. We keep trying; you need not send it again.

<c@u.example>
    What happened: no connection: timed out
    We tried 7 times.
    We try until Fri, 2 Jan 1970 00:00:00 +0000.
    The other server cannot be reached. Check the part of the address after
    the @ for typing errors.

For the administrator:

    Nothing is wrong here. If many such answers come from one account, it
    may send to bought addresses, and the provider will block this server.

    Try to reach the host's port 25 from here. If no host can be reached,
    outgoing port 25 is closed by a firewall or the provider of this server.
";
        assert_eq!(text(&host(), Timestamp(0), &told), expected);
    }

    #[test]
    fn a_confirmation_says_no_more_than_it_must() {
        let bob = address("b@t.example");
        let answer = Answer { code: 250, status: EnhancedStatus::parse("2.0.0"), text: "ok", host: "mx.t.example" };
        let told =
            Told { address: &bob, action: Action::Delivered, answer: Some(answer), attempts: 2, retry_until: None };
        assert_eq!(
            text(&host(), Timestamp(0), &[told]),
            "This is the mail server mx.s.example.\n\nYour message of Thu, 1 Jan 1970 00:00:00 +0000 was delivered to:\n\n<b@t.example>\n"
        );
    }

    #[test]
    fn the_place_to_ask_is_named() {
        let bob = address("b@gmail.com");
        let answer = Answer {
            code: 550,
            status: EnhancedStatus::parse("5.7.25"),
            text: "The IP address sending this message does not have a PTR record setup - gsmtp",
            host: "gmail-smtp-in.l.google.com",
        };
        let told = Told { address: &bob, action: Action::Failed, answer: Some(answer), attempts: 1, retry_until: None };
        let said = text(&host(), Timestamp(0), &[told]);
        assert!(
            said.contains("Where to ask: Gmail sender guidelines,\n    https://support.google.com/mail/answer/81126\n"),
            "{said}"
        );
    }

    #[test]
    fn what_others_said_is_one_line_of_bounded_length() {
        assert_eq!(shown("a\r\n\r\n--b\0c\u{85}d \t e"), "a --b c d e");
        let long = shown(&"x".repeat(ANSWER_SHOWN_MAX * 2));
        assert_eq!(long.chars().count(), ANSWER_SHOWN_MAX + 5);
        assert_eq!(shown(&"x".repeat(ANSWER_SHOWN_MAX)).len(), ANSWER_SHOWN_MAX);
        let words = shown(&"xyz ".repeat(ANSWER_SHOWN_MAX));
        assert!(words.ends_with(" [...]") && words.chars().count() <= ANSWER_SHOWN_MAX + 6);
    }

    #[test]
    fn as_many_as_one_notification_tells_of_fit_into_its_text() {
        let said = "x ".repeat(ANSWER_SHOWN_MAX);
        let addresses: Vec<Address> = (0..REPORT_RECIPIENTS_MAX).map(|i| address(&format!("b{i}@t.example"))).collect();
        let told: Vec<Told<'_>> = addresses
            .iter()
            .map(|address| {
                let answer = Answer { code: 550, status: None, text: &said, host: "mx.t.example" };
                Told { address, action: Action::Failed, answer: Some(answer), attempts: 9, retry_until: None }
            })
            .collect();
        let text = text(&host(), Timestamp(0), &told);
        assert!(text.len() < mailward_core::limits::REPORT_TEXT_MAX, "{} bytes", text.len());
        assert!(text.contains(&format!("<b{}@t.example>", REPORT_RECIPIENTS_MAX - 1)));
    }

    proptest! {
        #[test]
        fn whatever_was_said_is_words_and_nothing_else(said in "(\\PC|[\0-\u{1f}\u{7f}-\u{9f}]){0,200}", code in 0_u16..600, host_said in "\\PC{0,30}") {
            let bob = address("b@t.example");
            let answer = Answer { code, status: None, text: &said, host: &host_said };
            let told = Told { address: &bob, action: Action::Failed, answer: Some(answer), attempts: 1, retry_until: None };
            let text = text(&host(), Timestamp(0), &[told]);
            prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
            let longest = text.lines().filter(|l| l.split_whitespace().count() > 1).map(|l| l.chars().count()).max();
            prop_assert!(longest <= Some(WIDTH));
        }
    }
}
