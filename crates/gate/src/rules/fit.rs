//! Whether a rule fits: yes, no, or not known yet.

use mailward_core::rule::{Rule, Who, asks_names, is_below, takes_mail};
use mailward_core::{Address, Domain, Listener};
use std::fmt;
use std::net::IpAddr;

/// What is known of a client.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its address; `None` on a Unix socket.
    pub ip: Option<IpAddr>,
    /// The door it came by.
    pub listener: Listener,
    /// Its name.
    pub name: Name<'a>,
}

/// What is known of a client's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// The reverse DNS gives it, and it leads back to the address.
    Confirmed(&'a Domain),
    /// There is none that does.
    None,
    /// It can't be known, as nobody answers. Rules about names don't fit then, neither those about hosts without one; but where
    /// one of them would refuse, they are put off ([`super::Treatment::is_put_off`]). So whoever makes their own DNS fail gains
    /// nothing by it.
    Failed,
    /// Nobody asks for names here, or for names of such an address. Rules about names don't fit.
    NotAsked,
    /// It isn't known yet, and will be.
    NotYetKnown,
}

/// All that is known at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) client: Client<'a>,
    /// `None`: not known yet. `Some(None)`: the empty sender.
    pub(super) from: Option<Option<&'a Address>>,
    /// `None`: not known yet.
    pub(super) to: Option<&'a Address>,
}

/// Whether a rule fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    No(Miss),
    NotYet(Missing),
}

/// Why a rule doesn't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is for other listeners.
    Listener,
    /// It is for other addresses, or for Unix sockets.
    Address,
    /// It is for other names, or for hosts without one.
    Name,
    /// The name can't be known.
    NameFailed,
    /// Names aren't asked for at this listener, or of such an address.
    NoNames,
    /// There are no senders and recipients at this listener.
    NoEnvelope,
    /// It is for other senders.
    Sender,
    /// It is for other recipients.
    Recipient,
}

/// What has to be known first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The client's name.
    Name,
    /// The sender.
    Sender,
    /// The recipient.
    Recipient,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Miss::Listener => "another listener",
            Miss::Address => "another address",
            Miss::Name => "another name",
            Miss::NameFailed => "the name can't be known",
            Miss::NoNames => "names aren't looked up there",
            Miss::NoEnvelope => "no senders and recipients there",
            Miss::Sender => "another sender",
            Miss::Recipient => "another recipient",
        })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::Name => "the name isn't known yet",
            Missing::Sender => "the sender isn't known yet",
            Missing::Recipient => "the recipient isn't known yet",
        })
    }
}

/// What one rule says to what is known. One condition that isn't met is enough for no, whatever else isn't known.
pub(super) fn fit(rule: &Rule, facts: &Facts<'_>) -> Fit {
    if !rule.at().contains(facts.client.listener) {
        return Fit::No(Miss::Listener);
    }
    let mut answer = Fit::Yes;
    let [from, to] = envelope(rule, facts);
    for condition in [who(rule.who(), &facts.client), from, to] {
        match (condition, answer) {
            (Fit::No(miss), _) => return Fit::No(miss),
            (Fit::NotYet(_), Fit::Yes) => answer = condition,
            _ => {}
        }
    }
    answer
}

/// Whether a rule would fit, if the client had the right name, which can't be known.
pub(super) fn fits_but_for_the_name(rule: &Rule, facts: &Facts<'_>) -> bool {
    rule.at().contains(facts.client.listener)
        && who(rule.who(), &facts.client) == Fit::No(Miss::NameFailed)
        && envelope(rule, facts) == [Fit::Yes, Fit::Yes]
}

/// What a rule says to sender and recipient.
fn envelope(rule: &Rule, facts: &Facts<'_>) -> [Fit; 2] {
    let Facts { client, from, to } = facts;
    [
        match (rule.from(), from) {
            (None, _) => Fit::Yes,
            (Some(_), _) if !takes_mail(client.listener) => Fit::No(Miss::NoEnvelope),
            (Some(_), None) => Fit::NotYet(Missing::Sender),
            (Some(pattern), Some(from)) if pattern.covers(*from) => Fit::Yes,
            (Some(_), Some(_)) => Fit::No(Miss::Sender),
        },
        match (rule.to(), to) {
            (None, _) => Fit::Yes,
            (Some(_), _) if !takes_mail(client.listener) => Fit::No(Miss::NoEnvelope),
            (Some(_), None) => Fit::NotYet(Missing::Recipient),
            (Some(pattern), to) if pattern.covers(*to) => Fit::Yes,
            (Some(_), Some(_)) => Fit::No(Miss::Recipient),
        },
    ]
}

fn who(who: &Who, client: &Client<'_>) -> Fit {
    let when = |fits: bool, miss: Miss| if fits { Fit::Yes } else { Fit::No(miss) };
    match (who, client.ip) {
        (Who::Any, _) => Fit::Yes,
        (Who::Local, ip) => when(ip.is_none(), Miss::Address),
        (_, None) => Fit::No(Miss::Address),
        (Who::Network(network), Some(ip)) => when(network.contains(ip), Miss::Address),
        (Who::Unnamed | Who::Name(_) | Who::Under(_), Some(_)) if !asks_names(client.listener) => {
            Fit::No(Miss::NoNames)
        }
        (Who::Unnamed | Who::Name(_) | Who::Under(_), Some(_)) => match client.name {
            Name::NotYetKnown => Fit::NotYet(Missing::Name),
            Name::Failed => Fit::No(Miss::NameFailed),
            Name::NotAsked => Fit::No(Miss::NoNames),
            Name::None => when(*who == Who::Unnamed, Miss::Name),
            Name::Confirmed(name) => when(
                match who {
                    Who::Name(wanted) => wanted == name,
                    Who::Under(above) => is_below(name, above),
                    _ => false,
                },
                Miss::Name,
            ),
        },
    }
}
