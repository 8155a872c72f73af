//! ID (RFC 2971): what the client says it is, for the log and the list of sessions. Nothing depends on it: §3.3.

use super::Session;
use mailward_core::event::Event;

impl Session {
    /// Keeps name and version.
    pub(super) fn client_is(&self, pairs: &[(String, Option<String>)]) {
        let value = |name: &str| {
            let pair = pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            pair.and_then(|(_, value)| value.as_deref()).unwrap_or_default()
        };
        let (name, version) = (value("name"), value("version"));
        if name.is_empty() && version.is_empty() {
            return;
        }
        // Clients say it before login and after it, some at every login of theirs.
        if self.entry.client_is(&format!("{name} {version}")) {
            let event = Event::debug("imap.client").with_peer(&self.peer).with("name", name);
            self.context.events.emit(event.with("version", version).with("os", value("os")));
        }
    }
}
