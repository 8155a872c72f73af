//! By syslog: a datagram an alert (RFC 5424) to a socket of this host.

use super::{Brought, Way, WayError};
use crate::message::{Item, Message, State};
use mailward_core::Domain;
use mailward_core::event::Event;
use mailward_core::limits::ALERT_SYSLOG_MAX;
use std::path::PathBuf;
use tokio::net::UnixDatagram;

/// Facility mail (2) and severity alert (1), RFC 5424 §6.2.1.
const ALERT: u8 = 2 * 8 + 1;
/// The same with severity notice (5): what is over, and trials.
const NOTICE: u8 = 2 * 8 + 5;

/// See the module.
#[derive(Debug)]
pub struct BySyslog {
    socket: PathBuf,
    hostname: Domain,
}

impl BySyslog {
    /// To this socket.
    #[must_use]
    pub const fn new(socket: PathBuf, hostname: Domain) -> Self {
        Self { socket, hostname }
    }
}

impl Way for BySyslog {
    fn name(&self) -> &'static str {
        "syslog"
    }
    fn leads_to(&self) -> String {
        self.socket.display().to_string()
    }
    fn bring<'a>(&'a self, message: &'a Message) -> Brought<'a> {
        Box::pin(async move {
            let failed = |e: std::io::Error| WayError(format!("{}: {e}", self.socket.display()));
            let from = UnixDatagram::unbound().map_err(failed)?;
            for item in &message.items {
                from.send_to(datagram(self.hostname.as_str(), message, item).as_bytes(), &self.socket)
                    .await
                    .map_err(failed)?;
            }
            Ok(())
        })
    }
}

/// One alert: ASCII, one line, at most [`ALERT_SYSLOG_MAX`] bytes. Fields stand as in the log, and can't leave their place.
fn datagram(host: &str, message: &Message, item: &Item) -> String {
    let priority = if item.state == State::Over || message.test { NOTICE } else { ALERT };
    let fields = item
        .fields
        .iter()
        .fold(String::new(), |fields, (name, value)| fields + " " + name + "=" + &Event::quoted(value));
    // HOSTNAME has at most 255 characters, MSGID 32 (§6).
    let (host, event): (String, String) = (host.chars().take(255).collect(), item.event.chars().take(32).collect());
    let process = std::process::id();
    let (made, title, count) = (item.last.text(), item.title(), item.count);
    let text =
        format!("<{priority}>1 {made} {host} mailward {process} {event} - {title}: {event} count={count}{fields}");
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(ALERT_SYSLOG_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Timestamp;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_an_outsider_wrote_stays_in_its_field_of_one_line(said in "(\\PC|[\0-\u{1f}\u{7f}-\u{9f}\u{202e}\"\\\\]){0,300}") {
            let mut message = Message::trial(Timestamp(0));
            message.items[0].fields = vec![("client".to_owned(), said), ("last".to_owned(), "end".to_owned())];
            let text = datagram("mx.s.example", &message, &message.items[0]);
            prop_assert!(text.len() <= ALERT_SYSLOG_MAX && text.bytes().all(|b| matches!(b, b' '..=b'~')));
            prop_assert!(text.starts_with("<21>1 1970-01-01T00:00:00.000Z mx.s.example mailward "));
            prop_assert_eq!(text.matches(" last=").count(), 1);
            prop_assert!(text.ends_with(" last=end"));
        }
    }

    #[test]
    fn an_alert_that_is_too_long_is_cut() {
        let mut message = Message::trial(Timestamp(0));
        message.items[0].fields = vec![("client".to_owned(), "x".repeat(200)); 20];
        assert_eq!(datagram("mx.s.example", &message, &message.items[0]).len(), ALERT_SYSLOG_MAX);
    }
}
