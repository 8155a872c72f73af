//! Who may send as whom to whom. Two questions, asked in this order; the second can't be asked without the answer
//! to the first, and nothing can be delivered without the answer to the second.

use mailward_core::{Address, Listener};
use mailward_directory::{Directory, LocalTarget, Login, Resolution};

/// The right to send as somebody in one transaction; made by [`decide_sender`] only.
#[derive(Clone, Debug)]
pub struct SenderPermit {
    right: Right,
}

/// Why somebody may hand us mail at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// Anybody may bring mail that is for us.
    Stranger,
    /// Proved who they are.
    LoggedIn,
    /// Another mail server of this host hands us what it took for us.
    Local,
}

/// The right to put one message where a recipient's mail goes; made by [`decide_recipient`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPermit {
    targets: Vec<LocalTarget>,
}

impl RelayPermit {
    /// The accounts, each once. Never none.
    #[must_use]
    pub fn targets(&self) -> &[LocalTarget] {
        &self.targets
    }
}

/// Who a recipient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// `<postmaster>` without a domain (RFC 5321 §4.5.1).
    Postmaster,
    /// An address, parsed once: what is decided on is what is delivered to.
    Address(&'a Address),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No mail is taken at this listener.
    #[error("no mail is taken here")]
    NotHere,
    /// Submission without login.
    #[error("authentication required")]
    LoginRequired,
    /// An address that isn't the login's.
    #[error("the login may not send as that address")]
    SenderDenied,
    /// Not ours, from somebody who may only bring what is.
    #[error("relaying denied")]
    RelayDenied,
    /// Not ours, or partly, from somebody who might send it if we could.
    #[error("sending to other domains isn't available")]
    NoSending,
    /// No such user.
    #[error("no such user")]
    UnknownUser,
    /// The user is disabled. Told to nobody but the log: strangers get the words for [`Refusal::UnknownUser`].
    #[error("the user is disabled")]
    Disabled,
    /// Aliases in a circle.
    #[error("aliases lead in a circle")]
    Loop,
}

/// Decides whether `from` (`None` is the null path) may be the sender. A name given in EHLO, an address that we come
/// from and earlier transactions give no right: they aren't asked for.
///
/// # Errors
/// [`Refusal::NotHere`], [`Refusal::LoginRequired`] or [`Refusal::SenderDenied`].
pub fn decide_sender(
    directory: &Directory,
    login: Option<&Login>,
    listener: Listener,
    from: Option<&Address>,
) -> Result<SenderPermit, Refusal> {
    let right = match (listener, login) {
        // A login can't be had on these; were there one, it would give no right.
        (Listener::Smtp, _) => Right::Stranger,
        (Listener::Lmtp, _) => Right::Local,
        (Listener::Submission | Listener::Submissions, None) => return Err(Refusal::LoginRequired),
        (Listener::Submission | Listener::Submissions, Some(login)) => {
            // The null path belongs to nobody: receipts and bounces of clients.
            if from.is_some_and(|from| !directory.may_send_as(login, from)) {
                return Err(Refusal::SenderDenied);
            }
            Right::LoggedIn
        }
        (Listener::Imap | Listener::Imaps | Listener::Pop3 | Listener::Pop3s, _) => return Err(Refusal::NotHere),
    };
    Ok(SenderPermit { right })
}

/// Decides where mail to `recipient` goes, if anywhere.
///
/// # Errors
/// [`Refusal`] says why not.
pub fn decide_recipient(
    directory: &Directory,
    sender: &SenderPermit,
    recipient: Recipient<'_>,
) -> Result<RelayPermit, Refusal> {
    let resolution = match recipient {
        Recipient::Postmaster => directory.resolve_postmaster(),
        Recipient::Address(address) => directory.resolve(address),
    };
    judge(sender.right, resolution)
}

fn judge(right: Right, resolution: Resolution) -> Result<RelayPermit, Refusal> {
    match resolution {
        Resolution::Deliver { local, remote } if remote.is_empty() && !local.is_empty() => {
            Ok(RelayPermit { targets: local })
        }
        // An alias that leads to others' domains, wholly or in part: all or nothing, or some would get it twice
        // when the sender tries again.
        Resolution::Deliver { remote, .. } if !remote.is_empty() => Err(Refusal::NoSending),
        Resolution::Deliver { .. } | Resolution::UnknownUser => Err(Refusal::UnknownUser),
        Resolution::Disabled => Err(Refusal::Disabled),
        Resolution::Loop => Err(Refusal::Loop),
        Resolution::NotLocal => match right {
            Right::LoggedIn => Err(Refusal::NoSending),
            Right::Stranger | Right::Local => Err(Refusal::RelayDenied),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::AccountId;

    const RIGHTS: [Right; 3] = [Right::Stranger, Right::LoggedIn, Right::Local];

    fn target(account: i64) -> LocalTarget {
        LocalTarget { account: AccountId(account), detail: None }
    }

    fn elsewhere() -> Address {
        Address::parse("u@t.example", false).unwrap()
    }

    #[test]
    fn mail_for_us_is_taken_from_everybody() {
        for right in RIGHTS {
            let resolution = Resolution::Deliver { local: vec![target(1), target(2)], remote: Vec::new() };
            let permit = judge(right, resolution).unwrap();
            assert_eq!(permit.targets(), [target(1), target(2)]);
        }
    }

    #[test]
    fn mail_for_others_is_taken_from_nobody() {
        assert_eq!(judge(Right::Stranger, Resolution::NotLocal), Err(Refusal::RelayDenied));
        assert_eq!(judge(Right::Local, Resolution::NotLocal), Err(Refusal::RelayDenied));
        assert_eq!(judge(Right::LoggedIn, Resolution::NotLocal), Err(Refusal::NoSending));
    }

    #[test]
    fn an_alias_that_leads_elsewhere_opens_no_relay() {
        for right in RIGHTS {
            for local in [Vec::new(), vec![target(1)]] {
                let resolution = Resolution::Deliver { local, remote: vec![elsewhere()] };
                assert_eq!(judge(right, resolution), Err(Refusal::NoSending));
            }
        }
    }

    #[test]
    fn a_permit_never_leads_nowhere() {
        let nowhere = Resolution::Deliver { local: Vec::new(), remote: Vec::new() };
        for right in RIGHTS {
            assert_eq!(judge(right, nowhere.clone()), Err(Refusal::UnknownUser));
            assert_eq!(judge(right, Resolution::UnknownUser), Err(Refusal::UnknownUser));
            assert_eq!(judge(right, Resolution::Disabled), Err(Refusal::Disabled));
            assert_eq!(judge(right, Resolution::Loop), Err(Refusal::Loop));
        }
    }
}
