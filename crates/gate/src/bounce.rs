//! What comes back to a sender that we rewrote: who may send it, and to whom it goes.

use crate::relay::{Recipient, Refusal, RelayPermit, SenderPermit, decide_recipient};
use crate::srs::{Returned, Srs};
use mailward_core::{Address, Timestamp};
use mailward_directory::{Directory, Resolution};

/// The right to send a bounce on; made by [`decide_bounce`] only.
#[derive(Clone, Debug)]
pub enum Bounce {
    /// To this sender.
    Permitted(RelayPermit),
    /// To the sender that is kept under a name.
    Kept(KeptBounce),
}

/// A bounce whose sender is to be looked up.
#[derive(Clone, Debug)]
pub struct KeptBounce {
    name: String,
    written: Address,
    sender: SenderPermit,
}

impl KeptBounce {
    /// The name under which the sender is kept.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The right to send it to whom was found. What is found proves itself: the name is a hash of it.
    ///
    /// # Errors
    /// [`Refusal::UnknownUser`] if it isn't the one, and what [`decide_bounce`] says.
    pub fn found(self, directory: &Directory, srs: &Srs, sender: &Address) -> Result<RelayPermit, Refusal> {
        if !srs.is_kept(&self.name, sender) {
            return Err(Refusal::UnknownUser);
        }
        permit(directory, &self.sender, self.written, sender)
    }
}

/// Decides about mail to an address of ours that has the form of a rewritten sender; `None` for all others, which
/// [`crate::decide_recipient`] decides about. Only what has no sender itself is taken (`from`): bounces and the like
/// (RFC 5321 §4.5.5). A forged or an old address is nobody's.
///
/// # Errors
/// [`Refusal::UnknownUser`], [`Refusal::NoForwarding`] where this server doesn't send.
pub fn decide_bounce(
    directory: &Directory,
    srs: &Srs,
    sender: &SenderPermit,
    from: Option<&Address>,
    recipient: &Address,
    now: Timestamp,
) -> Option<Result<Bounce, Refusal>> {
    match directory.resolve(recipient) {
        Resolution::NotLocal | Resolution::Disabled => return None,
        // Somebody may have such a name.
        Resolution::Deliver { .. } if directory.account_id(recipient).is_some() => return None,
        Resolution::Deliver { .. } | Resolution::UnknownUser | Resolution::Loop => {}
    }
    let read = srs.read(recipient, now)?;
    if from.is_some() {
        return Some(Err(Refusal::UnknownUser));
    }
    let Ok(returned) = read else { return Some(Err(Refusal::UnknownUser)) };
    if !sender.forwards() {
        return Some(Err(Refusal::NoForwarding));
    }
    Some(match returned {
        Returned::Original(original) => permit(directory, sender, recipient.clone(), &original).map(Bounce::Permitted),
        Returned::Kept(name) => {
            Ok(Bounce::Kept(KeptBounce { name, written: recipient.clone(), sender: sender.clone() }))
        }
    })
}

fn permit(
    directory: &Directory,
    sender: &SenderPermit,
    written: Address,
    original: &Address,
) -> Result<RelayPermit, Refusal> {
    match directory.resolve(original) {
        Resolution::NotLocal => RelayPermit::bounce(written, original.clone()),
        // Somebody of ours, who could have been written to straight.
        _ => decide_recipient(directory, sender, Recipient::Address(original)),
    }
}
