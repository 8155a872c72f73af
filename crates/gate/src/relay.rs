//! Who may send as whom to whom. Two questions, asked in this order; the second can't be asked without the answer
//! to the first, and nothing can be delivered without the answer to the second.

use crate::rules::Treatment;
use mailward_core::{Address, Listener};
use mailward_directory::{Directory, LocalTarget, Login, Resolution};

/// The right to send as somebody in one transaction; made by [`decide_sender`], [`crate::decide_program`] and
/// [`crate::decide_inside`] only.
#[derive(Clone, Debug)]
pub struct SenderPermit {
    pub(crate) right: Right,
}

impl SenderPermit {
    /// Whether it is the right of somebody who was asked who they are, and who may send to other domains if this server
    /// does.
    #[must_use]
    pub const fn sends_out(&self) -> bool {
        self.right.sends().is_some() || matches!(self.right, Right::Perhaps(_))
    }
    /// Whether it is a host of our networks that sends, be it to some recipients only.
    #[must_use]
    pub const fn is_of_inside_host(&self) -> bool {
        matches!(self.right, Right::Inside(_) | Right::Perhaps(_))
    }
    /// The right towards one recipient, by what the rules say now that it is known.
    #[must_use]
    pub fn toward(&self, treatment: &Treatment) -> Self {
        match self.right {
            Right::Perhaps(sending) if treatment.relays() => Self { right: Right::Inside(sending) },
            right => Self { right },
        }
    }
}

/// Why somebody may hand us mail at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Anybody may bring mail that is for us; what of it leads elsewhere is forwarded, if this server sends.
    Stranger(Sending),
    /// Proved who they are, and may send to other domains, if this server does.
    LoggedIn(Sending),
    /// A program of this host, whose user the kernel named, and that may send to other domains, if this server does.
    Program(Sending),
    /// A host of our networks, likewise.
    Inside(Sending),
    /// A host of which the rules say what it may when they know the recipient; a stranger until then.
    Perhaps(Sending),
    /// Another mail server of this host hands us what it took for us.
    Local,
}

impl Right {
    /// Whether this server sends to other domains, for those who may send there at all.
    const fn sends(self) -> Option<Sending> {
        match self {
            Right::LoggedIn(sending) | Right::Program(sending) | Right::Inside(sending) => Some(sending),
            Right::Stranger(_) | Right::Perhaps(_) | Right::Local => None,
        }
    }
}

/// Whether this server sends to other domains at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It does.
    On,
    /// It doesn't: nothing is taken that would have to be sent.
    Off,
}

/// The right to put one message where a recipient's mail goes; made by [`decide_recipient`] and
/// [`crate::decide_gateway`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPermit {
    targets: Vec<LocalTarget>,
    remote: Vec<Address>,
    via: Via,
}

/// How mail comes to lead elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Via {
    /// It was for there, or it doesn't.
    Itself,
    /// A user of ours wrote to this address of ours.
    Alias(Address),
    /// Somebody else did: it is forwarded.
    Forward(Address),
    /// It comes back to a sender that we wrote as this address.
    Return(Address),
}

impl RelayPermit {
    /// The accounts, each once. Never none of these and none of [`RelayPermit::remote`].
    #[must_use]
    pub fn targets(&self) -> &[LocalTarget] {
        &self.targets
    }
    /// Addresses of other domains that it is sent on to, each once, each with a domain.
    #[must_use]
    pub fn remote(&self) -> &[Address] {
        &self.remote
    }
    /// To an inside server, for [`crate::decide_gateway`] alone.
    pub(crate) fn passed_on(to: Address) -> Self {
        Self { targets: Vec::new(), remote: vec![to], via: Via::Itself }
    }
    /// The address of ours that leads to [`RelayPermit::remote`], if one does.
    #[must_use]
    pub const fn alias(&self) -> Option<&Address> {
        match &self.via {
            Via::Itself => None,
            Via::Alias(address) | Via::Forward(address) | Via::Return(address) => Some(address),
        }
    }
    /// The same if it is somebody else's mail, which is forwarded: the sender is to be rewritten and the message sealed.
    #[must_use]
    pub const fn forwarded(&self) -> Option<&Address> {
        match &self.via {
            Via::Forward(address) | Via::Return(address) => Some(address),
            Via::Itself | Via::Alias(_) => None,
        }
    }
    /// The sender that it comes back to, if it does: whoever knows the address that we wrote may have it sent there.
    #[must_use]
    pub fn returned(&self) -> Option<&Address> {
        match &self.via {
            Via::Return(_) => self.remote.first(),
            Via::Itself | Via::Alias(_) | Via::Forward(_) => None,
        }
    }
    /// To whoever sent what comes back to an address that we wrote: [`crate::decide_bounce`] alone knows that it is.
    pub(crate) fn bounce(written: Address, sender: Address) -> Result<Self, Refusal> {
        sent_on(Vec::new(), vec![sender], Via::Return(written))
    }
}

impl SenderPermit {
    /// Whether it is another mail server of this host, by LMTP.
    pub(crate) const fn is_local(&self) -> bool {
        matches!(self.right, Right::Local)
    }
    /// Whether what comes through this server for others is sent on.
    pub(crate) const fn forwards(&self) -> bool {
        matches!(self.right, Right::Stranger(Sending::On) | Right::Perhaps(Sending::On))
            || matches!(self.right.sends(), Some(Sending::On))
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
    /// From somebody who might send it, if this server sent.
    #[error("this server doesn't send to other domains")]
    NoSending,
    /// One of ours that leads elsewhere, from somebody who hasn't logged in, where this server doesn't send or can't seal.
    #[error("mail from others isn't forwarded to other domains now")]
    NoForwarding,
    /// An address of another domain that names no domain, but a host by its number.
    #[error("mail isn't sent to address literals")]
    Literal,
    /// No such user.
    #[error("no such user")]
    UnknownUser,
    /// The user is disabled. Told to nobody but the log: strangers get the words for [`Refusal::UnknownUser`].
    #[error("the user is disabled")]
    Disabled,
    /// Aliases in a circle.
    #[error("aliases lead in a circle")]
    Loop,
    /// Of a gateway's domain, and the inside server takes no such address.
    #[error("the inside server takes no addresses outside ASCII")]
    NotAscii,
    /// Of a gateway's domain, and the inside server can't be asked now.
    #[error("the inside server can't be asked now")]
    InsideUnknown,
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
    sending: Sending,
) -> Result<SenderPermit, Refusal> {
    let right = match (listener, login) {
        // A login can't be had on these; were there one, it would give no right.
        (Listener::Smtp, _) => Right::Stranger(sending),
        (Listener::Lmtp, _) => Right::Local,
        (Listener::Submission | Listener::Submissions, None) => return Err(Refusal::LoginRequired),
        (Listener::Submission | Listener::Submissions, Some(login)) => {
            // The null path belongs to nobody: receipts and bounces of clients.
            if from.is_some_and(|from| !directory.may_send_as(login, from)) {
                return Err(Refusal::SenderDenied);
            }
            Right::LoggedIn(sending)
        }
        (Listener::Imap | Listener::Imaps | Listener::Pop3 | Listener::Pop3s | Listener::Https | Listener::Http, _) => {
            return Err(Refusal::NotHere);
        }
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
    match recipient {
        Recipient::Postmaster => judge(sender.right, directory.postmaster().as_ref(), directory.resolve_postmaster()),
        Recipient::Address(address) => judge(sender.right, Some(address), directory.resolve(address)),
    }
}

fn judge(right: Right, address: Option<&Address>, resolution: Resolution) -> Result<RelayPermit, Refusal> {
    match (resolution, right.sends()) {
        (Resolution::Deliver { local, remote }, _) if remote.is_empty() && !local.is_empty() => {
            Ok(RelayPermit { targets: local, remote, via: Via::Itself })
        }
        // An alias that leads to others' domains, wholly or in part: all or nothing, or some would get it twice
        // when the sender tries again.
        (Resolution::Deliver { local, remote }, Some(Sending::On)) if !remote.is_empty() => {
            sent_on(local, remote, address.cloned().map_or(Via::Itself, Via::Alias))
        }
        (Resolution::Deliver { remote, .. }, Some(Sending::Off)) if !remote.is_empty() => Err(Refusal::NoSending),
        (Resolution::Deliver { local, remote }, None) if !remote.is_empty() => match (right, address) {
            (Right::Stranger(Sending::On) | Right::Perhaps(Sending::On), Some(alias)) => {
                sent_on(local, remote, Via::Forward(alias.clone()))
            }
            _ => Err(Refusal::NoForwarding),
        },
        (Resolution::Deliver { .. } | Resolution::UnknownUser, _) => Err(Refusal::UnknownUser),
        (Resolution::Disabled, _) => Err(Refusal::Disabled),
        (Resolution::Loop, _) => Err(Refusal::Loop),
        (Resolution::NotLocal, Some(Sending::On)) => {
            sent_on(Vec::new(), address.into_iter().cloned().collect(), Via::Itself)
        }
        (Resolution::NotLocal, Some(Sending::Off)) => Err(Refusal::NoSending),
        (Resolution::NotLocal, None) => Err(Refusal::RelayDenied),
    }
}

/// A lane goes by its domain: what has none can't be sent.
fn sent_on(targets: Vec<LocalTarget>, remote: Vec<Address>, via: Via) -> Result<RelayPermit, Refusal> {
    if remote.iter().any(|address| address.domain().is_none()) {
        return Err(Refusal::Literal);
    }
    if targets.is_empty() && remote.is_empty() {
        return Err(Refusal::UnknownUser);
    }
    Ok(RelayPermit { targets, remote, via })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Client, Name, Rule, RuleBook};
    use mailward_core::AccountId;

    const RIGHTS: [Right; 11] = [
        Right::Stranger(Sending::On),
        Right::Stranger(Sending::Off),
        Right::LoggedIn(Sending::On),
        Right::LoggedIn(Sending::Off),
        Right::Program(Sending::On),
        Right::Program(Sending::Off),
        Right::Inside(Sending::On),
        Right::Inside(Sending::Off),
        Right::Perhaps(Sending::On),
        Right::Perhaps(Sending::Off),
        Right::Local,
    ];

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
            let permit = judge(right, None, resolution).unwrap();
            assert_eq!(permit.targets(), [target(1), target(2)]);
        }
    }

    #[test]
    fn mail_for_others_is_taken_from_those_who_logged_in_and_from_inside_only() {
        let to = elsewhere();
        for right in RIGHTS {
            let sends = judge(right, Some(&to), Resolution::NotLocal).is_ok();
            assert_eq!(
                sends,
                !matches!(right, Right::Stranger(_) | Right::Perhaps(_) | Right::Local)
                    && right.sends() == Some(Sending::On)
            );
        }
        let judged = |right| judge(right, Some(&to), Resolution::NotLocal);
        assert_eq!(judged(Right::Stranger(Sending::On)), Err(Refusal::RelayDenied));
        assert_eq!(judged(Right::Stranger(Sending::Off)), Err(Refusal::RelayDenied));
        assert_eq!(judged(Right::Local), Err(Refusal::RelayDenied));
        assert_eq!(judged(Right::LoggedIn(Sending::Off)), Err(Refusal::NoSending));
        let permit = judged(Right::LoggedIn(Sending::On)).unwrap();
        assert_eq!((permit.targets(), permit.remote()), (&[][..], &[to.clone()][..]));
        let literal = Address::parse("u@[192.0.2.1]", false).unwrap();
        let judged = judge(Right::LoggedIn(Sending::On), Some(&literal), Resolution::NotLocal);
        assert_eq!(judged, Err(Refusal::Literal));
    }

    #[test]
    fn a_right_that_hangs_on_the_recipient_is_none_before() {
        let rules = ["any to u@t.example skip", "10.0.0.1 relay"].map(|text| Rule::parse(text).unwrap());
        let book = RuleBook::new(&rules, &[]);
        let client = Client { ip: "10.0.0.1".parse().ok(), listener: Listener::Smtp, name: Name::None };
        let (to, other) = (elsewhere(), Address::parse("v@t.example", false).unwrap());
        let perhaps = SenderPermit { right: Right::Perhaps(Sending::On) };
        for (recipient, goes) in [(&to, false), (&other, true)] {
            assert_eq!(judge(perhaps.right, Some(recipient), Resolution::NotLocal), Err(Refusal::RelayDenied));
            let toward = perhaps.toward(&book.of(&client, Some(None), Some(recipient)));
            assert_eq!(judge(toward.right, Some(recipient), Resolution::NotLocal).is_ok(), goes);
        }
        let stranger = SenderPermit { right: Right::Stranger(Sending::On) };
        let toward = stranger.toward(&book.of(&client, Some(None), Some(&other)));
        assert!(matches!(toward.right, Right::Stranger(_)), "nobody gains one who hadn't it before");
    }

    #[test]
    fn an_alias_that_leads_elsewhere_opens_no_relay() {
        for local in [Vec::new(), vec![target(1)]] {
            let resolution = Resolution::Deliver { local: local.clone(), remote: vec![elsewhere()] };
            for (right, why) in [
                (Right::Stranger(Sending::Off), Refusal::NoForwarding),
                (Right::Local, Refusal::NoForwarding),
                (Right::LoggedIn(Sending::Off), Refusal::NoSending),
            ] {
                assert_eq!(judge(right, None, resolution.clone()), Err(why));
            }
            let alias = Address::parse("all@s.example", false).unwrap();
            let permit = judge(Right::LoggedIn(Sending::On), Some(&alias), resolution.clone()).unwrap();
            assert_eq!((permit.targets(), permit.remote()), (&local[..], &[elsewhere()][..]));
            assert_eq!((permit.alias(), permit.forwarded()), (Some(&alias), None), "a user's own mail");
            let permit = judge(Right::Stranger(Sending::On), Some(&alias), resolution.clone()).unwrap();
            assert_eq!((permit.targets(), permit.remote()), (&local[..], &[elsewhere()][..]));
            assert_eq!(permit.forwarded(), Some(&alias), "as from there, and never as from its sender");
            assert_eq!(judge(Right::Stranger(Sending::On), None, resolution), Err(Refusal::NoForwarding));
        }
    }

    #[test]
    fn a_permit_never_leads_nowhere() {
        let nowhere = Resolution::Deliver { local: Vec::new(), remote: Vec::new() };
        for right in RIGHTS {
            assert_eq!(judge(right, None, nowhere.clone()), Err(Refusal::UnknownUser));
            assert_eq!(judge(right, None, Resolution::UnknownUser), Err(Refusal::UnknownUser));
            assert_eq!(judge(right, None, Resolution::Disabled), Err(Refusal::Disabled));
            assert_eq!(judge(right, None, Resolution::Loop), Err(Refusal::Loop));
        }
    }
}
