//! What administrators see of a session.

use mailward_directory::{Directory, Login};
use mailward_gate::SessionEntry;
use mailward_message::header;
use mailward_smtp::server::Greeted;
use mailward_tls::Wire;

/// Keeps a session's place in the list true.
pub(crate) struct Watch {
    entry: SessionEntry,
    /// The name given in EHLO is on the list.
    named: bool,
    /// The program that writes the messages is.
    program: bool,
}

impl Watch {
    pub(crate) const fn new(entry: SessionEntry) -> Self {
        Self { entry, named: false, program: false }
    }

    /// TLS runs on this wire, if it does. What was said before is forgotten (RFC 3207 §4.2).
    pub(crate) fn secured(&mut self, wire: &Wire) {
        if let Some(tls) = wire.tls() {
            self.entry.secured(tls.version, tls.cipher);
            self.named = false;
        }
    }

    /// See [`SessionEntry::logged_in`].
    pub(crate) fn logged_in(&self, login: &Login, directory: &Directory) -> bool {
        self.entry.logged_in(login, directory)
    }

    pub(crate) fn works(&self) {
        self.entry.works();
    }

    /// The peer's next word is waited for; so far it has called itself this.
    pub(crate) fn waits(&mut self, greeted: Option<&Greeted>) {
        if !self.named
            && let Some(greeted) = greeted
        {
            self.named = true;
            if !self.program {
                self.entry.client_is(&greeted.name);
            }
        }
        self.entry.waits();
    }

    /// A user's message came. Its header often tells which program wrote it, which says more than a name in EHLO that
    /// is some address behind a translator. No standard has these fields for mail: a guess, and only shown.
    pub(crate) fn submitted(&mut self, message: &[u8]) {
        if self.program {
            return;
        }
        let head = message.get(..header::header_end(message)).unwrap_or_default();
        let field = header::first(head, "User-Agent").or_else(|| header::first(head, "X-Mailer"));
        if let Some(field) = field {
            self.program = true;
            self.entry.client_is(&String::from_utf8_lossy(&header::unfold(field)));
        }
    }
}
