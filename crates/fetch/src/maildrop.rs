//! A mailbox elsewhere, whatever is spoken there: listed, fetched from, deleted in.

use crate::account::{Protocol, Settings, Tls};
use crate::connect::Net;
use crate::error::Trouble;
use crate::imap::{self, Imap};
use crate::pop3::{self, Pop3};
use crate::wire::Wire;
use mailward_core::Secret;
use std::net::IpAddr;

/// A message as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// What commands name it by: POP3's number in this session, IMAP's UID.
    pub(crate) number: u32,
    /// What it is called as long as it is there, by the server's word.
    pub(crate) id: String,
    /// Its size in bytes, by the server's word.
    pub(crate) size: u64,
}

/// How we are connected, for the trace.
#[derive(Clone, Debug)]
pub(crate) struct Secure {
    pub(crate) peer: IpAddr,
    pub(crate) version: &'static str,
    pub(crate) cipher: &'static str,
}

/// A session, logged in.
pub(crate) enum Maildrop {
    Pop3(Pop3),
    Imap(Imap),
}

impl Maildrop {
    /// Connects, starts TLS, and logs in.
    pub(crate) async fn open(net: &Net, settings: &Settings, password: &Secret) -> Result<(Self, Secure), Trouble> {
        let (stream, peer) = net.connect(&settings.host, settings.port).await?;
        let host = settings.host.to_string();
        let outbound = net.trusting(settings.authority.as_deref())?;
        let (wire, version, cipher) = match settings.tls {
            Tls::Tls => net.secure(&outbound, stream, &host).await?,
            Tls::Starttls => {
                let wire = Wire::new(stream);
                let stream = match settings.protocol {
                    Protocol::Pop3 => pop3::start_tls(wire).await?,
                    Protocol::Imap => imap::start_tls(wire).await?,
                };
                net.secure(&outbound, stream, &host).await?
            }
        };
        let user = settings.user.as_str();
        let session = match settings.protocol {
            Protocol::Pop3 => Self::Pop3(Pop3::login(wire, settings.tls, user, password).await?),
            Protocol::Imap => {
                Self::Imap(Imap::login(wire, settings.tls, (user, password), &settings.mailbox, settings.after).await?)
            }
        };
        Ok((session, Secure { peer, version, cipher }))
    }

    /// All messages, but those that others threw away; `ours` knows those that we did.
    pub(crate) async fn list(&mut self, ours: &(dyn Fn(&str) -> bool + Sync)) -> Result<Vec<Listed>, Trouble> {
        match self {
            Self::Pop3(session) => session.list().await,
            Self::Imap(session) => session.list(ours).await,
        }
    }

    /// A message of at most `most` bytes; `None` if it is gone.
    pub(crate) async fn retrieve(&mut self, message: &Listed, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        match self {
            Self::Pop3(session) => session.retrieve(message.number, most).await,
            Self::Imap(session) => session.retrieve(message.number, most).await,
        }
    }

    /// Has a message deleted when the session ends well.
    pub(crate) async fn delete(&mut self, message: &Listed) -> Result<(), Trouble> {
        match self {
            Self::Pop3(session) => session.delete(message.number).await,
            Self::Imap(session) => session.delete(message.number).await,
        }
    }

    /// Deletes what was to be deleted, and ends the session; `false` if it had to be left marked.
    pub(crate) async fn quit(self) -> Result<bool, Trouble> {
        match self {
            Self::Pop3(session) => session.quit().await.map(|()| true),
            Self::Imap(session) => session.quit().await,
        }
    }
}
