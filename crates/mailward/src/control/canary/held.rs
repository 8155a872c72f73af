//! What is kept for the audit's account, and the digest of it: for that account alone.

use super::Marked;
use crate::control::desk::Desk;
use crate::failure::Failure;
use mailward_audit::{Digest, Held};
use mailward_core::config::KeptClass;
use mailward_core::limits::{AUDIT_DIGEST_MAX, AUDIT_RUN_TIME, QUARANTINE_NOTE_MAX};
use mailward_core::{AccountId, Address, Clock as _, SystemClock, Timestamp};
use mailward_inspect::quarantine::Note;
use mailward_inspect::{Action, Check, Finding};
use mailward_message::Structure;
use mailward_message::decode::part_text;
use mailward_store::records::KeptFor;
use mailward_store::{MailStore as _, QuarantineStore as _};
use std::time::Duration;

impl Desk {
    /// As if it had been kept when it came. What is tried is what users are shown of it: no filter has to be hit for that.
    pub(super) async fn canary_hold(
        &self,
        account: AccountId,
        address: &Address,
        marker: &str,
        held: Held,
    ) -> Result<bool, Failure> {
        let check = match (held, self.quarantine_settings().users_release.first()) {
            (Held::ForVirus, _) => Check::Antivirus,
            (Held::ForUsers, None) => return Ok(false),
            (Held::ForUsers, Some(KeptClass::Spam)) => Check::Spam,
            (Held::ForUsers, Some(KeptClass::Attachments)) => Check::Attachments,
            (Held::ForUsers, Some(KeptClass::Structure)) => Check::Structure,
            (Held::ForUsers, Some(KeptClass::Content)) => Check::Content,
        };
        let found = self.canary_messages(account, marker).await?.into_iter().next();
        let Marked { mailbox, message, .. } =
            found.ok_or_else(|| Failure::Refused("no message of the audit has this in its header".to_owned()))?;
        let described = self.store.blobs(vec![message.blob]).await?;
        let envelope = described.first().and_then(|blob| Structure::from_bytes(&blob.structure).ok());
        let envelope = envelope.map(|structure| structure.envelope().clone()).unwrap_or_default();
        let finding = Finding::new(check, "audit", Action::Quarantine, "the audit has it kept");
        let stored = Note::of_stored(&envelope, address, vec![finding]);
        let note = Note { direction: "incoming".to_owned(), administrators: held == Held::ForVirus, ..stored };
        let lasts = i64::try_from(AUDIT_RUN_TIME.as_millis()).unwrap_or(i64::MAX);
        let expires = Timestamp(SystemClock.now().0.saturating_add(lasts));
        let bytes = note.to_bytes(QUARANTINE_NOTE_MAX).into();
        self.store.withdraw(mailbox.id, message.uid, bytes, expires, Vec::new()).await?;
        Ok(true)
    }

    pub(super) async fn canary_release(&self, account: AccountId, marker: &str) -> Result<bool, Failure> {
        let Some(kept) = self.canary_held(account, marker).await?.into_iter().next() else { return Ok(false) };
        self.let_go(kept.id, KeptFor::Everybody, None, "released", None).await?;
        Ok(true)
    }

    pub(super) async fn canary_digest(&self, account: AccountId, lasts: Duration) -> Result<Option<Digest>, Failure> {
        let digests = self.server()?.digests();
        let told = digests.tell_for_trial(account, lasts.min(AUDIT_RUN_TIME)).await;
        let Some(id) = told.map_err(|error| Failure::Refused(error.to_string()))? else { return Ok(None) };
        let found = self.canary_messages(account, &format!("Message-ID: <{id}@")).await?.into_iter().next();
        let Marked { message, .. } =
            found.ok_or_else(|| Failure::Refused("the digest isn't where it was brought".to_owned()))?;
        let bytes = self.store.read(message.blob, 0, message.size.min(AUDIT_DIGEST_MAX)).await?;
        Ok(Some(digest_of(&bytes)))
    }
}

/// What a letter says, decoded.
fn digest_of(bytes: &[u8]) -> Digest {
    let structure = Structure::parse(bytes);
    let of = |subtype: &str| {
        let part = structure.parts().find(|part| part.is_text() && part.subtype.eq_ignore_ascii_case(subtype));
        part.map(|part| part_text(bytes, part)).unwrap_or_default()
    };
    Digest { text: of("plain"), html: of("html") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects")]
    use super::*;
    use mailward_core::Domain;
    use mailward_message::letter::Letter;

    fn letter(text: &str) -> Vec<u8> {
        let (hostname, to) = (Domain::parse("mx.example.test").unwrap(), ["joe@example.test".parse().unwrap()]);
        let letter = Letter {
            hostname: &hostname,
            to: &to,
            subject: "s",
            date: Timestamp(0),
            id: "a.1",
            text,
            html: "<p>x</p>",
        };
        letter.written()
    }

    #[test]
    fn both_parts_of_a_digest_are_read_and_of_a_large_one_as_much_as_is_looked_at() {
        let digest = digest_of(&letter("hello\n"));
        assert_eq!((digest.text.as_str(), digest.html.as_str()), ("hello\r\n", "<p>x</p>"));
        let most = usize::try_from(AUDIT_DIGEST_MAX).unwrap();
        let large = letter(&"hello\n".repeat(most));
        let digest = digest_of(&large[..most]);
        assert!(digest.text.starts_with("hello\r\n") && digest.html.is_empty());
    }
}
