//! Whose a mailbox is, and what the user may do with it (RFC 4314). Mailboxes that others share stand under
//! `Shared/OWNER'S-ADDRESS/` (RFC 2342 §3, other users' namespace).

use super::Session;
use super::io::End;
use super::reply::{Done, Stop};
use mailward_core::{AccountId, Address, MailboxName};
use mailward_store::StoreError;
use mailward_store::records::{MailboxRecord, Rights};

/// The first level of what others share.
pub(super) const SHARED: &str = "Shared";

/// A mailbox as this session reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) record: MailboxRecord,
    /// What may be done there; the owner may do everything.
    pub(crate) rights: Rights,
    /// Its name as this user sees it.
    pub(crate) name: MailboxName,
}

impl Place {
    /// Goes on only with the right to.
    pub(crate) fn require(&self, right: Rights) -> Result<(), Stop> {
        if self.rights.contains(right) { Ok(()) } else { Err(not_allowed().into()) }
    }

    /// Whether it holds messages at all.
    pub(crate) fn require_selectable(&self) -> Result<(), Stop> {
        if self.record.selectable { Ok(()) } else { Err(Done::no("[NONEXISTENT] the name only holds others").into()) }
    }
}

/// RFC 4314 §6, RFC 5530.
pub(super) fn not_allowed() -> Done {
    Done::no("[NOPERM] you have no right to that; its owner can give it")
}

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) owner: AccountId,
    /// As its owner calls it.
    pub(super) name: MailboxName,
    /// It is the user's own.
    pub(super) own: bool,
}

/// Whether a name lies in the part of the tree that is others'.
pub(super) fn is_shared(name: &str) -> bool {
    name.split('/').next() == Some(SHARED)
}

/// A mailbox of another as it is called here.
pub(super) fn shared_name(owner: &Address, name: &str) -> String {
    format!("{SHARED}/{owner}/{name}")
}

impl Session {
    pub(super) fn account(&self) -> Result<AccountId, Stop> {
        match &self.state {
            super::State::Authenticated(user) | super::State::Selected(user, _) => Ok(user.account()),
            super::State::NotAuthenticated { .. } => Err(Done::bad("log in first").into()),
        }
    }

    /// Where a name leads, whether or not there is anything.
    pub(super) fn path(&self, name: &MailboxName) -> Result<Path, Stop> {
        let account = self.account()?;
        if !is_shared(name.as_str()) {
            return Ok(Path { owner: account, name: name.clone(), own: true });
        }
        let missing = || Stop::from(StoreError::NotFound("mailbox"));
        let mut levels = name.as_str().splitn(3, '/').skip(1);
        let (Some(owner), Some(rest)) = (levels.next(), levels.next()) else { return Err(missing()) };
        let owner: Address = owner.parse().map_err(|_| missing())?;
        let owner = self.context.directory.account_id(&owner).filter(|owner| *owner != account);
        let name = MailboxName::parse(rest).map_err(|_| missing())?;
        Ok(Path { owner: owner.ok_or_else(missing)?, name, own: false })
    }

    /// A mailbox by its name. What the user may not even see isn't there (RFC 4314 §6).
    pub(super) async fn place(&self, name: &MailboxName) -> Result<Place, Stop> {
        let path = self.path(name)?;
        let record = self.context.store.mailbox(path.owner, path.name).await?;
        let rights = if path.own { Rights::ALL } else { self.rights_to(&record).await? };
        // INBOX is one name in any case.
        let name = if path.own { record.name.clone() } else { name.clone() };
        Ok(Place { record, rights, name })
    }

    /// The same for what a message is put into (RFC 3501 §6.3.11: TRYCREATE).
    pub(super) async fn target(&self, name: &MailboxName) -> Result<Place, Stop> {
        let place = match self.place(name).await {
            Err(Stop::Store(StoreError::NotFound(_))) => {
                return Err(Done::no("[TRYCREATE] there is no such mailbox").into());
            }
            other => other?,
        };
        if !place.record.selectable {
            return Err(Done::no("[TRYCREATE] the name only holds others").into());
        }
        place.require(Rights::INSERT)?;
        Ok(place)
    }

    async fn rights_to(&self, record: &MailboxRecord) -> Result<Rights, Stop> {
        let account = self.account()?;
        let entries = self.context.store.rights(record.id).await?;
        let mine = entries.iter().find(|(who, _)| *who == account).map_or(Rights::NONE, |(_, rights)| *rights);
        if mine.contains(Rights::LOOKUP) { Ok(mine) } else { Err(StoreError::NotFound("mailbox").into()) }
    }

    /// What others share is theirs to take back: asked again whenever something of the user's changed.
    pub(super) async fn check_rights(&mut self) -> Result<(), Stop> {
        let super::State::Selected(_, view) = &mut self.state else { return Ok(()) };
        let Some(shared) = &mut view.shared else { return Ok(()) };
        if !shared.has_changed().unwrap_or(false) {
            return Ok(());
        }
        shared.borrow_and_update();
        let record = self.context.store.mailbox_by_id(view.mailbox).await?;
        let rights = match self.rights_to(&record).await {
            Ok(rights) if rights.contains(Rights::READ) => rights,
            Ok(_) | Err(Stop::Store(StoreError::NotFound(_))) => {
                return Err(End::Bye("the mailbox is no longer shared with you").into());
            }
            Err(other) => return Err(other),
        };
        if let super::State::Selected(_, view) = &mut self.state {
            view.rights = rights;
        }
        Ok(())
    }
}
