//! The queue in words and tables. What an outsider wrote is tamed here.

use crate::control::queue::{Answer, Entry, InLane, Recipient, Totals};
use crate::failure::Failure;
use crate::print;
use jiff::tz::TimeZone;
use mailward_core::Timestamp;
use mailward_store::records::{GiveBack, Lane, NotifyOn};
use std::collections::HashMap;

/// Headings of the list.
pub(super) const HEADINGS: [&str; 7] = ["ID", "AGE", "SIZE", "SENDER", "RECIPIENT", "STATE", "LAST ANSWER"];

/// Characters of an answer in a table; `show` tells all of it.
const ANSWER_SHOWN: usize = 70;
/// Characters of a reason in a table.
const REASON_SHOWN: usize = 40;
/// Characters of an address in a table: wider ones would push the rest off the screen.
const ADDRESS_SHOWN: usize = 50;

/// What keeps lanes from being tried.
#[derive(Default)]
pub(super) struct Lanes {
    all_paused: bool,
    known: HashMap<Lane, InLane>,
}

impl Lanes {
    pub(super) fn of(totals: &Totals) -> Self {
        let known = totals.largest.iter().map(|lane| (lane.lane.clone(), lane.clone())).collect();
        Self { all_paused: totals.paused, known }
    }

    /// When a recipient is tried.
    fn next_try(&self, recipient: &Recipient, now: Timestamp) -> String {
        let lane = self.known.get(&recipient.lane);
        when(
            self.all_paused || lane.is_some_and(|lane| lane.paused),
            recipient.next_try,
            lane.and_then(|l| l.rests_until),
            now,
        )
    }
}

/// When something that is due then is tried, if its lane is paused or its host rests until then.
fn when(paused: bool, due: Option<Timestamp>, blocked: Option<Timestamp>, now: Timestamp) -> String {
    match (due, blocked.filter(|until| *until > now)) {
        (None, _) => "-".to_owned(),
        _ if paused => "paused".to_owned(),
        (Some(due), Some(until)) if until > due => format!("host rests, in {}", span(now, until)),
        (Some(due), _) if due > now => format!("in {}", span(now, due)),
        _ => "due".to_owned(),
    }
}

/// From one time to another; nothing if that is past.
fn span(from: Timestamp, to: Timestamp) -> String {
    print::span(u64::try_from(to.secs().saturating_sub(from.secs())).unwrap_or(0))
}

/// A time of day, UTC.
pub(in crate::cli) fn time(at: Timestamp) -> String {
    let zoned = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(TimeZone::UTC));
    zoned.map_or_else(|_| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn path(sender: Option<&impl std::fmt::Display>) -> String {
    sender.map_or_else(|| "<>".to_owned(), ToString::to_string)
}

/// A message's lines of the list, one a recipient.
pub(super) fn rows(message: &Entry, lanes: &Lanes, now: Timestamp) -> Vec<Vec<String>> {
    let row = |recipient: &Recipient| {
        let state = match &recipient.reason {
            Some(reason) => format!("held: {}", print::short(reason, REASON_SHOWN)),
            None if recipient.held => "held".to_owned(),
            None => lanes.next_try(recipient, now),
        };
        vec![
            message.id.to_string(),
            span(message.arrived, now),
            print::bytes(message.size),
            print::short(&path(message.sender.as_ref()), ADDRESS_SHOWN),
            print::short(&recipient.address.to_string(), ADDRESS_SHOWN) + &by_way(recipient),
            state,
            recipient
                .answer
                .as_ref()
                .map_or_else(|| "-".to_owned(), |answer| print::short(&said(answer), ANSWER_SHOWN)),
        ]
    };
    message.recipients.iter().map(row).collect()
}

/// The lane, if it isn't that of the recipient's domain.
fn by_way(recipient: &Recipient) -> String {
    let own = recipient.address.domain().is_some_and(|domain| Lane::from(domain) == recipient.lane);
    if own { String::new() } else { format!(" via {}", recipient.lane) }
}

/// An answer on one line, code first; not tamed yet.
fn said(answer: &Answer) -> String {
    let code = (answer.code != 0).then(|| answer.code.to_string());
    let status = answer.status.clone();
    let host = (!answer.host.is_empty()).then(|| format!("{}:", answer.host));
    // Hosts often say their status twice.
    let text = match &status {
        Some(status) => answer.text.trim().strip_prefix(status.as_str()).unwrap_or(answer.text.trim()).trim_start(),
        None => answer.text.trim(),
    };
    let parts = [code, status, host, Some(text.to_owned()).filter(|text| !text.is_empty())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// One message with all that is known of it.
pub(super) fn message(message: &Entry, lanes: &Lanes, now: Timestamp) -> Result<(), Failure> {
    print::text(&message_text(message, lanes, now))
}

fn message_text(message: &Entry, lanes: &Lanes, now: Timestamp) -> String {
    let mut text = Text::default();
    let sender = message.sender.as_ref().map_or_else(String::new, ToString::to_string);
    text.line(format!("message {}, {}, from <{}>", message.id, print::bytes(message.size), print::tame(&sender)));
    if let Some(user) = &message.submitter {
        text.line(format!("submitted by {}", print::tame(user)));
    }
    if let Some(alias) = &message.forwarded {
        text.line(format!("forwarded from {}", print::tame(&alias.to_string())));
    }
    text.line(format!("came {}, {} ago", time(message.arrived), span(message.arrived, now)));
    if let Some(warn) = message.warn {
        text.line(format!("its sender is told that it is late at {}", time(warn)));
    }
    text.line(match message.expires > now {
        true => format!("given up at {}, in {}", time(message.expires), span(now, message.expires)),
        false => format!("expired at {}", time(message.expires)),
    });
    let needs = message.needs;
    let needs: Vec<&str> = [
        (needs.smtputf8, "SMTPUTF8"),
        (needs.require_tls, "REQUIRETLS"),
        (needs.eight_bit, "8BITMIME"),
        (needs.tls_optional, "TLS-Required: No"),
    ]
    .into_iter()
    .filter_map(|(is, name)| is.then_some(name))
    .collect();
    if !needs.is_empty() {
        text.line(format!("its next host must offer {}", needs.join(", ")));
    }
    if let Some(envid) = &message.envid {
        text.line(format!("envelope id {}", print::tame(envid)));
    }
    if let Some(give_back) = message.give_back {
        let what = if give_back == GiveBack::Full { "the whole message" } else { "the header" };
        text.line(format!("a bounce gives back {what}"));
    }
    if message.trials > 0 {
        text.line(format!("begun {} times without an outcome; after several it is held", message.trials));
    }
    for recipient in &message.recipients {
        recipient_text(&mut text, recipient, lanes, now);
    }
    text.0
}

fn recipient_text(text: &mut Text, recipient: &Recipient, lanes: &Lanes, now: Timestamp) {
    text.line(String::new());
    text.line(format!(
        "recipient {} <{}>, lane {}",
        recipient.number,
        print::tame(&recipient.address.to_string()),
        recipient.lane
    ));
    let state = match &recipient.reason {
        Some(reason) => format!("held: {}", print::tame(reason)),
        None => format!("waiting: {}", lanes.next_try(recipient, now)),
    };
    text.line(format!("  {state}"));
    if let Some(original) = &recipient.original {
        text.line(format!("  originally {}", print::tame(original)));
    }
    if let Some(notify) = recipient.notify {
        text.line(format!("  its sender wants to hear of: {}", wanted(notify)));
    }
    if recipient.warned {
        text.line("  its sender was told that it is late, or needn't be".to_owned());
    }
    let attempts = match recipient.attempts {
        0 => "  no attempt yet".to_owned(),
        1 => "  1 attempt".to_owned(),
        n if (recipient.history.len() as u64) < u64::from(n) => {
            format!("  {n} attempts, the last {}", recipient.history.len())
        }
        n => format!("  {n} attempts"),
    };
    text.line(attempts);
    for attempt in &recipient.history {
        text.line(format!("    {}  {}", time(attempt.at), print::tame(&said(attempt))));
    }
}

fn wanted(notify: NotifyOn) -> String {
    let names: Vec<&str> = [(notify.success, "success"), (notify.failure, "failure"), (notify.delay, "delay")]
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
        .collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Lines.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: String) {
        self.0.push_str(&line);
        self.0.push('\n');
    }
}

/// The queue in numbers.
pub(in crate::cli) fn totals(totals: &Totals) -> Result<(), Failure> {
    use mailward_core::Clock as _;
    let now = mailward_core::SystemClock.now();
    summary(totals, now).into_iter().try_for_each(print::line)?;
    if totals.largest.is_empty() {
        return Ok(());
    }
    print::table(
        &["LANE", "WAITING", "HELD", "OLDEST", "NEXT TRY", "FAILURES", "WHY MOST OF THEM WAIT"],
        &totals.largest.iter().map(|lane| lane_row(lane, totals.paused, now)).collect::<Vec<_>>(),
    )?;
    match totals.lanes.saturating_sub(totals.largest.len() as u64) {
        0 => Ok(()),
        more => print::line(format_args!("and {more} smaller: `mailward queue totals --lanes NUMBER`")),
    }
}

fn summary(totals: &Totals, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if totals.messages == 0 {
        lines.push("queue: empty".to_owned());
    } else {
        let oldest = totals.oldest.map_or_else(String::new, |oldest| format!(", the oldest {} old", span(oldest, now)));
        let messages =
            if totals.messages == 1 { "1 message".to_owned() } else { format!("{} messages", totals.messages) };
        lines.push(format!("queue: {messages}{oldest}; recipients: {} waiting, {} held", totals.waiting, totals.held));
    }
    if totals.paused {
        lines.push("all is paused: nothing is tried before `mailward queue resume`".to_owned());
    }
    if let Some(worst) = &totals.worst {
        let recipients = if worst.recipients == 1 { "recipient" } else { "recipients" };
        lines.push(format!(
            "most at fault, {} {recipients}: {}",
            worst.recipients,
            print::short(&said(&worst.answer), ANSWER_SHOWN)
        ));
    }
    lines
}

fn lane_row(lane: &InLane, all_paused: bool, now: Timestamp) -> Vec<String> {
    let next = if lane.paused { "paused".to_owned() } else { when(all_paused, lane.due, lane.rests_until, now) };
    vec![
        lane.lane.to_string(),
        lane.waiting.to_string(),
        lane.held.to_string(),
        lane.oldest.map_or_else(|| "-".to_owned(), |oldest| span(oldest, now)),
        next,
        lane.failures.to_string(),
        lane.reason.as_ref().map_or_else(|| "-".to_owned(), |reason| print::short(&said(&reason.answer), ANSWER_SHOWN)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::QueueId;
    use mailward_store::records::Needs;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_secs(NOW.secs() + seconds)
    }

    fn answer(host: &str, code: u16, status: Option<&str>, text: &str) -> Answer {
        Answer { at: NOW, host: host.to_owned(), code, status: status.map(str::to_owned), text: text.to_owned() }
    }

    fn recipient() -> Recipient {
        Recipient {
            number: 0,
            address: "ann@example.net".parse().unwrap(),
            lane: Lane::parse("example.net").unwrap(),
            held: false,
            reason: None,
            next_try: Some(after(600)),
            attempts: 0,
            answer: None,
            warned: false,
            notify: None,
            original: None,
            history: Vec::new(),
        }
    }

    fn entry(recipient: Recipient) -> Entry {
        Entry {
            id: QueueId(17),
            size: 2_048,
            sender: None,
            submitter: None,
            forwarded: None,
            arrived: after(-7_200),
            warn: None,
            expires: after(-60),
            envid: None,
            give_back: None,
            needs: Needs::default(),
            trials: 0,
            left: 1,
            recipients: vec![recipient],
        }
    }

    #[test]
    fn an_answer_is_told_code_first_and_its_status_once() {
        assert_eq!(said(&answer("mx.a.example", 451, Some("4.7.1"), "4.7.1 later")), "451 4.7.1 mx.a.example: later");
        assert_eq!(said(&answer("mx.a.example", 451, None, " later ")), "451 mx.a.example: later");
        assert_eq!(said(&answer("", 0, Some("4.4.4"), "no host found")), "4.4.4 no host found");
        assert_eq!(said(&answer("", 0, None, "")), "");
    }

    #[test]
    fn the_next_try_says_what_it_waits_for() {
        assert_eq!(when(false, None, None, NOW), "-");
        assert_eq!(when(false, Some(after(-5)), None, NOW), "due");
        assert_eq!(when(false, Some(after(600)), None, NOW), "in 10 min");
        assert_eq!(when(true, Some(after(600)), Some(after(900)), NOW), "paused");
        assert_eq!(when(false, Some(after(600)), Some(after(900)), NOW), "host rests, in 15 min");
        assert_eq!(when(false, Some(after(600)), Some(after(300)), NOW), "in 10 min");
        assert_eq!(when(false, Some(after(-5)), Some(after(-5)), NOW), "due");
        assert_eq!(
            when(false, Some(Timestamp(i64::MAX)), Some(Timestamp(i64::MIN)), Timestamp(0)),
            "in 106751991167 days"
        );
    }

    #[test]
    fn a_time_that_no_calendar_has_is_no_panic() {
        assert_eq!(time(Timestamp(0)), "1970-01-01 00:00:00Z");
        assert_eq!(time(Timestamp(i64::MAX)), "-");
        assert_eq!(time(Timestamp(i64::MIN)), "-");
    }

    #[test]
    fn a_paused_lane_is_told_with_each_of_its_recipients() {
        let mut totals = Totals { paused: true, ..Totals::default() };
        assert_eq!(rows(&entry(recipient()), &Lanes::of(&totals), NOW)[0][5], "paused");
        totals.paused = false;
        assert_eq!(rows(&entry(recipient()), &Lanes::of(&totals), NOW)[0][5], "in 10 min");
    }

    #[test]
    fn what_is_long_leaves_room_for_the_rest() {
        let mut one = recipient();
        one.answer = Some(answer("mx.example.net", 451, None, &"x".repeat(500)));
        one.held = true;
        one.reason = Some("because ".repeat(30));
        let row = &rows(&entry(one.clone()), &Lanes::default(), NOW)[0];
        assert!(row.iter().all(|cell| cell.chars().count() <= ANSWER_SHOWN), "{row:?}");
        // All of it is in the message's own page.
        one.attempts = 40;
        one.history = vec![answer("mx.example.net", 451, None, &"x".repeat(500))];
        let shown = message_text(&entry(one), &Lanes::default(), NOW);
        assert!(shown.contains(&"x".repeat(500)) && shown.contains(&"because ".repeat(30)), "{shown}");
        assert!(
            shown.contains("  40 attempts, the last 1\n") && shown.contains("\nexpired at 2027-01-15 07:59:00Z\n"),
            "{shown}"
        );
    }

    proptest! {
        /// Attacks F6, H7: what came from outside stays in its line and moves nothing.
        #[test]
        fn no_words_of_an_outsider_leave_their_line(text in "\\PC{0,20}[\\x00-\\x1f\\x7f-\\u{9f}\u{202e}]{0,5}\\PC{0,20}") {
            let mut one = recipient();
            one.answer = Some(answer(&text, 451, Some("4.0.0"), &text));
            one.reason = Some(text.clone());
            one.original = Some(text.clone());
            one.attempts = 1;
            one.history = vec![answer(&text, 451, None, &text)];
            let mut entry = entry(one);
            entry.envid = Some(text);
            let lines = message_text(&entry, &Lanes::default(), NOW);
            prop_assert_eq!(lines.lines().count(), 10);
            let reason = crate::control::queue::Reason { answer: entry.recipients[0].answer.clone().unwrap(), recipients: 1 };
            let totals = Totals { messages: 1, worst: Some(reason), ..Totals::default() };
            let cells = rows(&entry, &Lanes::default(), NOW).concat().concat();
            for shown in [lines, summary(&totals, NOW).concat(), cells] {
                prop_assert!(!shown.chars().any(|c| (c != '\n' && c.is_control()) || c == '\u{202e}'), "{:?}", shown);
            }
        }
    }
}
