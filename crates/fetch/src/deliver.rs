//! A fetched message, delivered: trace before it, recipients found, one commit with the note that it was taken.

use crate::account::{Name, Settings, To};
use crate::accounts::stays_here;
use crate::clean::clean;
use crate::envelope;
use crate::error::Trouble;
use crate::judgement::{self, Judge, Judgement};
use crate::maildrop::Secure;
use crate::noted::{Digest, Key, Noted};
use crate::waiting::Wait;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{BLOCKING_PREPARE_BYTES, SHELF_CHANGES_MAX};
use mailward_core::{AccountId, Address, Clock, Domain};
use mailward_delivery::{Fate, Looked};
use mailward_directory::Directory;
use mailward_gate::RelayPermit;
use mailward_message::date;
use mailward_store::records::{Content, ShelfChange};
use mailward_store::{MailStore, ShelfStore, StoreError};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// Where fetched mail goes.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) mail: Arc<dyn MailStore>,
    pub(crate) shelf: Arc<dyn ShelfStore>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) hostname: Domain,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) judge: Option<Judge>,
}

/// Where a message comes from.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a Name,
    pub(crate) settings: &'a Settings,
    pub(crate) secure: &'a Secure,
}

/// Why a message stays where it is.
#[derive(Debug)]
pub(crate) enum Left {
    /// For good: it can't be kept here as it is.
    Refused(String),
    /// For now: a mailbox is full, and which, if it is known.
    Later(String, Option<Wait>),
    /// Nothing goes.
    Trouble(Trouble),
}

impl Source<'_> {
    /// What our trace says of this account.
    fn mark(&self, hostname: &Domain) -> String {
        format!("by {hostname} (Mailward, {} account {})", self.settings.protocol.name(), self.name)
    }

    /// `Return-Path` and `Received` (RFC 5321 §4.4). No `with`: the registry of RFC 3848 has names for SMTP and LMTP only,
    /// and none of them was spoken; the comment says what was.
    fn trace(&self, desk: &Desk, sender: Option<&Address>, id: &str) -> Vec<u8> {
        let mut out = String::new();
        let sender = sender.map(Address::to_string).unwrap_or_default();
        let (peer, host) = (literal(self.secure.peer), &self.settings.host);
        let host = host.to_string().parse::<IpAddr>().map_or_else(|_| host.to_string(), literal);
        // Writing to a String can't fail.
        let _infallible = write!(
            out,
            "Return-Path: <{sender}>\r\nReceived: from {host} ({peer})\r\n\t{}\r\n\t({} {})\r\n\tid {id};\r\n\t{}\r\n",
            self.mark(&desk.hostname),
            self.secure.version,
            self.secure.cipher,
            date::format_header(desk.clock.now()),
        );
        out.into_bytes()
    }
}

fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// How it is noted what comes of a message.
pub(crate) struct Noting<'a> {
    /// That all whom it is for have it.
    pub(crate) all: ShelfChange,
    /// Who of them has it already, and where that is noted.
    pub(crate) noted: &'a Noted,
    pub(crate) key: Key,
    pub(crate) digest: Digest,
    /// As the server lists it.
    pub(crate) size: u64,
}

/// Some of those whom a message is for have it now.
pub(crate) struct Partly {
    pub(crate) got: Vec<AccountId>,
    /// What the others wait for.
    pub(crate) wait: Wait,
}

/// Delivers a message, and notes in the same commit that it was taken: after a crash both are so, or neither. If a mailbox
/// is full, to the others, and notes of each that they have it: one full mailbox keeps nothing from anybody else.
pub(crate) async fn deliver(
    desk: &Desk,
    source: &Source<'_>,
    raw: &[u8],
    noting: Noting<'_>,
) -> Result<Option<Partly>, Left> {
    if envelope::came_back(raw, &source.mark(&desk.hostname)) {
        return Err(Left::Refused("it was fetched from this account before, and came back: mail loop".to_owned()));
    }
    let sender = envelope::sender(raw);
    let recipients = recipients(desk, source.settings, raw)?;
    let id = format!("{:x}.{}", desk.clock.now().0, blake3::hash(raw).to_hex().get(..12).unwrap_or_default());
    let mut bytes = source.trace(desk, sender.as_ref(), &id);
    let trace = bytes.len();
    bytes.reserve(raw.len().saturating_add(raw.len() / 8));
    clean(raw, &mut bytes).map_err(|unclean| Left::Refused(unclean.to_string()))?;
    let size = bytes.len().saturating_sub(trace);
    desk.mail.admit(u64::try_from(size).unwrap_or(u64::MAX)).map_err(|error| Left::Trouble(error.into()))?;
    let looked = look(desk, bytes, trace).await?;
    let Noting { all, noted, key, digest, size: listed } = noting;
    let mut accounts = mailward_delivery::accounts(recipients.iter().map(|(_, permit)| permit));
    accounts.retain(|account| !noted.has(&key, *account, &digest));
    if accounts.is_empty() {
        // Those who hadn't it are no longer among them.
        desk.shelf.change_shelf(vec![all]).await.map_err(|error| Left::Trouble(error.into()))?;
        return Ok(None);
    }
    let judgement = judgement::of(desk, source, &looked, &id, sender.as_ref(), &recipients).await?;
    let content = judgement.content(looked).await.map_err(|error| Left::Trouble(error.into()))?;
    let mut count = accounts.len();
    let partly = match desk.shelf.deliver_noted(judgement.delivery(&content, &accounts), vec![all]).await {
        Ok(_) => None,
        Err(error @ StoreError::OverQuota) => {
            let (got, wait) = who_has_room(desk, accounts, &content, &judgement).await?;
            let later = || Left::Later(error.to_string(), wait);
            let wait = wait.filter(|_| !got.is_empty() && got.len() <= SHELF_CHANGES_MAX).ok_or_else(later)?;
            let notes = got.iter().map(|account| noted.having(&key, *account, digest, listed)).collect();
            match desk.shelf.deliver_noted(judgement.delivery(&content, &got), notes).await {
                Ok(_) => {}
                // One more was filled meanwhile.
                Err(StoreError::OverQuota) => return Err(later()),
                Err(error) => return Err(Left::Trouble(error.into())),
            }
            count = got.len();
            Some(Partly { got, wait })
        }
        Err(error) => return Err(Left::Trouble(error.into())),
    };
    let event = Event::info("fetch.delivered").with("account", source.name).with("id", &id);
    let event = event.with("sender", sender.map_or_else(|| "<>".to_owned(), |sender| sender.to_string()));
    desk.events.emit(event.with("recipients", count).with("size", size));
    Ok(partly)
}

/// Checks and describes a message: on a thread of its own if other tasks would feel it.
async fn look(desk: &Desk, bytes: Vec<u8>, trace: usize) -> Result<Looked, Left> {
    let (hostname, is_small) = (desk.hostname.clone(), bytes.len() < BLOCKING_PREPARE_BYTES);
    let look = move || mailward_delivery::look(bytes, trace, Some(&hostname));
    let looked = if is_small {
        look()
    } else {
        tokio::task::spawn_blocking(look).await.map_err(|_| Left::Trouble(StoreError::Closed.into()))?
    };
    looked.map_err(|fault| Left::Refused(fault.to_string()))
}

/// Which accounts a message fits, and what the first of the others waits for; none if it fits all after all.
async fn who_has_room(
    desk: &Desk,
    accounts: Vec<AccountId>,
    content: &Content,
    judgement: &Judgement,
) -> Result<(Vec<AccountId>, Option<Wait>), Left> {
    let size = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
    let (mut room, mut wait) = (Vec::new(), None);
    for account in accounts {
        let usage = desk.mail.usage(account).await.map_err(|error| Left::Trouble(error.into()))?;
        // What is kept fills no mailbox.
        if usage.admits(size) || judgement.fate(account) == Fate::Kept {
            room.push(account);
        } else {
            wait = wait.or(Some(Wait { account, size }));
        }
    }
    Ok((room, wait))
}

/// Who gets it, and by which address: users here, whatever the message says.
fn recipients(desk: &Desk, settings: &Settings, raw: &[u8]) -> Result<Vec<(Address, RelayPermit)>, Left> {
    if let To::Envelope { header, .. } = &settings.to {
        for field in envelope::recipients(raw, header.as_deref()) {
            let ours = field
                .into_iter()
                .filter(|address| address.domain().is_some_and(|domain| desk.directory.is_local_domain(domain)));
            let permits: Vec<(Address, RelayPermit)> = ours
                .filter_map(|address| stays_here(&desk.directory, &address).ok().map(|permit| (address, permit)))
                .collect();
            if !permits.is_empty() {
                return Ok(permits);
            }
        }
    }
    let last = settings.to.last_resort();
    stays_here(&desk.directory, last)
        .map(|permit| vec![(last.clone(), permit)])
        .map_err(|error| Left::Trouble(Trouble::Settings(error.to_string())))
}
