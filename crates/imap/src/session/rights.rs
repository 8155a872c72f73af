//! GETACL, SETACL, DELETEACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3).

use super::Session;
use super::access::Place;
use super::reply::{Done, Stop};
use crate::parse::{OLD_CREATE, OLD_DELETE};
use mailward_core::event::Event;
use mailward_core::{AccountId, Address, MailboxName};
use mailward_store::records::{FlagAction, Rights};

impl Session {
    pub(super) async fn get_acl(&mut self, name: &MailboxName) -> Result<Done, Stop> {
        let place = self.administered(name).await?;
        let mut entries = vec![(place.record.account, Rights::ALL)];
        entries.extend(self.context.store.rights(place.record.id).await?);
        self.io.out.extend_from_slice(b"* ACL ");
        self.tell_mailbox(place.name.as_str());
        for (account, rights) in entries {
            // An account that is being removed has no name any more.
            let Some(address) = self.context.directory.address_of(account) else { continue };
            self.io.out.push(b' ');
            crate::respond::string(&mut self.io.out, address.to_string().as_bytes());
            self.io.out.push(b' ');
            self.io.out.extend_from_slice(letters(rights).as_bytes());
        }
        self.io.line(&[]);
        Ok(Done::ok("that is who may"))
    }

    pub(super) async fn set_acl(
        &mut self,
        name: &MailboxName,
        identifier: &str,
        action: FlagAction,
        rights: Rights,
    ) -> Result<Done, Stop> {
        let place = self.administered(name).await?;
        let account = self.identified(identifier)?;
        if account == place.record.account {
            return Ok(Done::no("[CANNOT] the owner keeps all rights"));
        }
        let held = self.context.store.rights(place.record.id).await?;
        let held = held.iter().find(|(who, _)| *who == account).map_or(Rights::NONE, |(_, rights)| *rights);
        let rights = match action {
            FlagAction::Add => held.union(rights),
            FlagAction::Remove => held.without(rights),
            FlagAction::Replace => rights,
        };
        self.context.store.set_rights(place.record.id, account, rights).await?;
        let event = Event::info("imap.shared").with_peer(&self.peer).with("mailbox", &place.name);
        self.context.events.emit(event.with("to", identifier).with("rights", letters(rights)));
        Ok(Done::ok("the rights are set"))
    }

    /// RFC 4314 §3.5: what can't be taken away, then each right that can be given by itself.
    pub(super) async fn list_rights(&mut self, name: &MailboxName, identifier: &str) -> Result<Done, Stop> {
        let place = self.administered(name).await?;
        let owner = self.identified(identifier)? == place.record.account;
        self.io.out.extend_from_slice(b"* LISTRIGHTS ");
        self.tell_mailbox(place.name.as_str());
        self.io.out.push(b' ');
        crate::respond::string(&mut self.io.out, identifier.as_bytes());
        if owner {
            self.io.line(&[" ", &letters(Rights::ALL)]);
        } else {
            self.io.line(&[" \"\" l r s w i p k x t e a c d"]);
        }
        Ok(Done::ok("those are the rights there are"))
    }

    pub(super) async fn my_rights(&mut self, name: &MailboxName) -> Result<Done, Stop> {
        let place = self.place(name).await?;
        self.tell_rights(&place);
        Ok(Done::ok("those are yours"))
    }

    /// `* MYRIGHTS INBOX lrs`
    pub(super) fn tell_rights(&mut self, place: &Place) {
        self.io.out.extend_from_slice(b"* MYRIGHTS ");
        self.tell_mailbox(place.name.as_str());
        self.io.line(&[" ", &letters(place.rights)]);
    }

    async fn administered(&self, name: &MailboxName) -> Result<Place, Stop> {
        let place = self.place(name).await?;
        place.require(Rights::ADMINISTER)?;
        Ok(place)
    }

    /// Rights are given to accounts by their address. `anyone` and negative rights (RFC 4314 §2) would hand a mailbox
    /// to people that its owner doesn't know of (attacks G10), so there are none.
    fn identified(&self, identifier: &str) -> Result<AccountId, Stop> {
        let address: Option<Address> = identifier.parse().ok();
        let account = address.and_then(|address| self.context.directory.account_id(&address));
        account.ok_or_else(|| Done::no("[CANNOT] rights are given to users of this server, by their address").into())
    }
}

/// Letters, with the old ones that their parts stand for (RFC 4314 §2.1.1).
fn letters(rights: Rights) -> String {
    let mut text: String =
        Rights::LETTERS.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, letter)| *letter).collect();
    for (old, letter) in [(OLD_CREATE, 'c'), (OLD_DELETE, 'd')] {
        if Rights::LETTERS.iter().any(|(right, _)| old.contains(*right) && rights.contains(*right)) {
            text.push(letter);
        }
    }
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_letters_go_with_the_new_ones() {
        assert_eq!(letters(Rights::ALL), "lrswipkxteacd");
        assert_eq!(letters(Rights::READ.union(Rights::LOOKUP)), "lr");
        assert_eq!(letters(Rights::EXPUNGE), "ed");
        assert_eq!(letters(Rights::NONE), "\"\"");
    }
}
