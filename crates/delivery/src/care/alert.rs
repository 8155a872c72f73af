//! What the administrator is told: in the log as an alert, and in the postmaster's mailbox, also when that is full.

use super::Care;
use crate::prepare;
use mailward_core::event::Event;
use mailward_core::limits::LOG_FIELD_MAX;
use mailward_core::{AccountId, Address, Timestamp};
use mailward_directory::Resolution;
use mailward_message::date;
use mailward_store::api::StoreError;
use mailward_store::records::{Delivery, Exceeded, Needs, Scope, Settlement};

/// Longest line of an alert's text, characters. RFC 5322 §2.1.1.
const LINE: usize = 900;

impl Care {
    /// The account's address, or its number if it has none any more.
    pub(super) fn name(&self, account: AccountId) -> String {
        self.directory.address_of(account).map_or_else(|| account.to_string(), |address| address.to_string())
    }

    /// Tells that a limit was met for the first time.
    pub(super) async fn tell_limit(&self, account: AccountId, exceeded: &Exceeded) {
        let user = self.name(account);
        let of = match exceeded.scope {
            Scope::Account(_) | Scope::Insider(_) => user.clone(),
            Scope::Domain(_) => user.rsplit_once('@').map_or_else(|| user.clone(), |(_, domain)| domain.to_owned()),
        };
        let event = Event::alert("sending.limit")
            .with("of", &of)
            .with("user", &user)
            .with("limit", format_args!("{} {}", exceeded.limit, exceeded.measure))
            .with("sent", exceeded.sent);
        self.events.emit(event);
        let verb = match exceeded.scope {
            Scope::Account(_) | Scope::Insider(_) => "user",
            Scope::Domain(_) => "domain",
        };
        let lines = [
            format!("{of} has sent more to other domains than it may: {} {},", exceeded.limit, exceeded.measure),
            format!("and this was number {}, from {user}.", exceeded.sent),
            String::new(),
            "Mail beyond the limit is accepted and held; nothing was bounced. You are told again".to_owned(),
            "when it has been below the limit in between.".to_owned(),
            String::new(),
            format!("Look:                  mailward queue list --user {user} --held"),
            format!("If it is as it should: mailward {verb} limit {of} --help, then"),
            format!("                       mailward queue release --user {user}"),
            format!("If it is abuse:        mailward user freeze {user}"),
            format!("                       mailward user password {user}"),
        ];
        self.tell("Held: more mail than the limit allows", &lines).await;
    }

    /// The same of somebody who sends without a login; `sender` is that of the message at which it was met.
    pub(super) async fn tell_inside_limit(&self, insider: &str, sender: Option<&Address>, exceeded: &Exceeded) {
        let sender = sender.map_or_else(|| "<>".to_owned(), ToString::to_string);
        let of = match exceeded.scope {
            Scope::Domain(_) => sender.rsplit_once('@').map_or(insider, |(_, domain)| domain),
            Scope::Account(_) | Scope::Insider(_) => insider,
        };
        let event = Event::alert("sending.limit")
            .with("of", of)
            .with("insider", insider)
            .with("limit", format_args!("{} {}", exceeded.limit, exceeded.measure))
            .with("sent", exceeded.sent);
        self.events.emit(event);
        let lines = [
            format!("{of} has sent more to other domains than it may: {} {},", exceeded.limit, exceeded.measure),
            format!("and this was number {}, from {insider} as {sender}.", exceeded.sent),
            String::new(),
            "It came without a login: from a program of this host (sendmail), or a host in relay.from or of a rule that lets it relay.".to_owned(),
            "Mail beyond the limit is accepted and held; nothing was bounced. You are told again".to_owned(),
            "when it has been below the limit in between.".to_owned(),
            String::new(),
            format!("Look:                  mailward queue list --sender '{sender}' --held"),
            format!("If it is as it should: mailward queue release --sender '{sender}'"),
            "                       and let it log in as a user, who can have limits of its own".to_owned(),
            "If it is abuse:        take it out of sendmail.users or relay.from, mailward reload (or its rule), then".to_owned(),
            format!("                       mailward queue remove --sender '{sender}' --held"),
        ];
        self.tell("Held: more mail than the limit allows", &lines).await;
    }

    /// Puts a message into the postmaster's mailbox. Lines are cut and tamed here.
    pub(super) async fn tell(&self, subject: &str, lines: &[String]) {
        let result = self.write(subject, lines).await;
        if let Err(error) = result {
            let event = Event::warn("notice.dropped").with("reason", error);
            self.events.emit(event.with("subject", subject));
        }
    }

    async fn write(&self, subject: &str, lines: &[String]) -> Result<(), StoreError> {
        let Some((targets, remote)) = self.writer.postmaster() else {
            return Err(StoreError::NotFound("postmaster"));
        };
        let now = self.clock.now();
        let text = message(&self.writer.hostname.to_string(), &self.writer.id(), now, subject, lines);
        let eight_bit = !text.is_ascii();
        let Ok(content) = prepare(text.into_bytes(), 0) else {
            return Err(StoreError::Refused("the alert can't be a message"));
        };
        let queued = self.writer.to_send(&remote, Needs { eight_bit, ..Needs::default() }, now);
        let tell = vec![Delivery { content, targets, queued: queued.into_iter().collect() }];
        self.queue.settle(Settlement { tell, ..Settlement::default() }).await.map(|_| ())
    }

    /// Whether there is somebody whom alerts reach.
    #[must_use]
    pub fn has_postmaster(&self) -> bool {
        matches!(self.directory.resolve_postmaster(), Resolution::Deliver { .. })
    }
}

/// An alert as a message. The subject is ours and ASCII; lines may have what an outsider wrote.
fn message(hostname: &str, id: &str, now: Timestamp, subject: &str, lines: &[String]) -> String {
    let mut text = format!(
        "From: Mailward <postmaster@{hostname}>\r\nTo: <postmaster@{hostname}>\r\nSubject: {subject}\r\nDate: {}\r\n\
         Message-ID: <{id}@{hostname}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        date::format_header(now)
    );
    for line in lines {
        text.extend(line.chars().take(LINE).map(|c| if c.is_control() || is_bidi(c) { '\u{fffd}' } else { c }));
        text.push_str("\r\n");
    }
    text
}

/// Characters that turn a line around.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

const _: () = assert!(LINE < 998 && LOG_FIELD_MAX > 0, "RFC 5322 §2.1.1");

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_message::header;
    use proptest::prelude::*;

    proptest! {
        /// Attacks A4, F6: what a client says it is stands in the alert.
        #[test]
        fn no_words_of_an_outsider_leave_their_line(said in "(\\PC|[\0-\u{1f}\u{7f}-\u{9f}\u{202e}]){0,60}") {
            let text = message("mx.s.example", "1", Timestamp(0), "Frozen", &[said.clone(), "last".to_owned()]);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            prop_assert_eq!(header::fields(head.as_bytes()).count(), 9);
            let lines: Vec<&str> = body.split("\r\n").collect();
            prop_assert_eq!(lines.len(), 3);
            prop_assert_eq!(lines[1], "last");
            let moves = lines[0].chars().any(|c| c.is_control() || is_bidi(c));
            prop_assert!(!moves);
        }
    }
}
