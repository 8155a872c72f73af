//! A program of this host that hands in mail: with the rights of its user, whom the kernel has named.

use crate::Context;
use crate::submission::mend_and_ask;
use mailward_core::{Address, Timestamp};
use mailward_delivery::Inside;
use mailward_directory::Directory;
use mailward_gate::{
    InsideRules, LocalUser, Recipient, Refusal, RelayPermit, SenderPermit, Sending, ThisHost, at_this_host,
    decide_program, decide_recipient, program_may_be,
};
use mailward_message::submission::Facts;
use mailward_smtp::Reply;
use mailward_store::records::Insider;

/// Its user, and what this host is called.
pub(crate) struct Program {
    user: LocalUser,
    host: ThisHost,
}

impl Program {
    pub(crate) fn new(user: LocalUser, context: &Context) -> Self {
        let host = ThisHost::called(&context.hostname, &context.settings.load().inside);
        Self { user, host }
    }

    /// What `Received` says of it. A login name that passed as a local part may still hold what a comment may not.
    pub(crate) fn trace(&self) -> String {
        let told = self.user.to_string();
        told.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_')).collect()
    }

    /// Against whom its mail counts.
    pub(crate) fn inside(&self) -> Inside {
        Inside { who: Insider::program(self.user.uid()), name: self.trace() }
    }

    /// See [`decide_program`].
    pub(crate) fn decide_sender(
        &self,
        directory: &Directory,
        rules: &InsideRules,
        from: Option<&Address>,
        sending: Sending,
    ) -> Result<SenderPermit, Refusal> {
        decide_program(directory, rules, &self.host, &self.user, from, sending)
    }

    /// Decides where a recipient's mail goes; those at this host itself are looked for in its domain, and mail for root,
    /// which jobs of the system write to, goes to the postmaster if there is no such user.
    pub(crate) fn decide_recipient(
        &self,
        directory: &Directory,
        sender: &SenderPermit,
        recipient: Recipient<'_>,
    ) -> Result<RelayPermit, Refusal> {
        let home = match recipient {
            Recipient::Address(address) => at_this_host(directory, &self.host, address),
            Recipient::Postmaster => None,
        };
        let Some(home) = home else { return decide_recipient(directory, sender, recipient) };
        match decide_recipient(directory, sender, Recipient::Address(&home)) {
            Err(Refusal::UnknownUser) if home.local().folded() == "root" => {
                decide_recipient(directory, sender, Recipient::Postmaster)
            }
            decided => decided,
        }
    }

    /// What it hands in, mended: addresses without a domain are users of this host, and a message that doesn't say who it
    /// is from is from its sender.
    ///
    /// # Errors
    /// The reply that refuses it.
    #[expect(clippy::too_many_arguments, reason = "what a message is mended with, and who is asked")]
    pub(crate) fn mended(
        &self,
        bytes: Vec<u8>,
        trace: usize,
        sender: Option<&Address>,
        directory: &Directory,
        rules: &InsideRules,
        now: Timestamp,
        id: &str,
    ) -> Result<Vec<u8>, Reply> {
        let own = mailward_core::LocalPart::parse(self.user.name(), false)
            .ok()
            .map(|local| Address::new(local, mailward_core::Host::Domain(self.host.name.clone())));
        let author = sender.or(own.as_ref());
        let facts = Facts { date: now, id, hostname: &self.host.name, domain: Some(&self.host.name), author };
        mend_and_ask(bytes, trace, &facts, |claimed| program_may_be(directory, rules, &self.host, &self.user, claimed))
    }
}
