//! Forwarding: what others send to an address of ours that leads elsewhere goes on as from there. The sender is rewritten
//! ([`mailward_gate::Srs`]), the message gets an ARC set that tells what was found out about it here (RFC 8617) and a
//! `Delivered-To` field by which a circle of servers is noticed; what its author signed is left as it is.
//!
//! Before it is accepted, [`Forwarder::admit`] sees that all this can be done. Nobody may be forged by way of us: the servers
//! behind us see mail that comes from here, and believe that for our own domains.

mod meters;
mod told;

use bytes::Bytes;
use mailward_core::limits::{HEADER_BYTES_MAX, SIGN_PIECE, SRS_TIME};
use mailward_core::{Address, Domain, Timestamp};
use mailward_directory::{Directory, DirectoryError, Dkim};
use mailward_dns::Lookup;
use mailward_gate::{RelayPermit, Rewritten, Srs};
use mailward_inspect::authenticate::{self, Reading, Results, Verdict};
use mailward_message::Structure;
use mailward_message::arc::ArcChain;
use mailward_message::dkim::{SignedHeader, SignedHeaderFault};
use mailward_message::header::{self, header_end};
use mailward_store::api::{MailStore, ShelfStore, StoreError};
use mailward_store::records::{Content, QueuedMessage, Shelf, ShelfChange, Shelved};
use mailward_vault::dkim::{ArcSeal, SignFault};
use meters::{Counted, Meters};
use std::sync::Arc;

/// What a [`Forwarder`] is made of.
pub struct Parts {
    /// Who rewrites senders.
    pub srs: Srs,
    /// Whose keys seal.
    pub dkim: Arc<Dkim>,
    /// Which domains are ours.
    pub directory: Arc<Directory>,
    /// Where senders are kept that are too long.
    pub shelf: Arc<dyn ShelfStore>,
    /// Where keys of others are looked up.
    pub lookup: Arc<dyn Lookup>,
    /// Who found out what the seal tells.
    pub hostname: Domain,
}

/// Forwards; one for a server.
pub struct Forwarder(Parts, Meters);

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forwarder")
    }
}

/// Why a message isn't forwarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotForwarded {
    /// It went through this address before.
    #[error("it has been forwarded from {0} before: the addresses lead to each other in a circle")]
    Circle(Address),
    /// It can't be sealed.
    #[error("it can't be sealed: {0}")]
    Header(#[from] SignedHeaderFault),
    /// See `limits::HEADER_BYTES_MAX`.
    #[error("its header is too large to be sealed")]
    HeaderTooLarge,
    /// See `limits::ARC_SETS_MAX`.
    #[error("too many servers have forwarded it")]
    TooManySets,
    /// From names nobody, or somebody where nobody can be.
    #[error("its From field doesn't name addresses")]
    Nobody,
    /// It says that it is from one of our domains, and doesn't prove it.
    #[error("it says that it is from {0}, and has no signature of that domain that holds")]
    Forged(Domain),
    /// The same, and it can't be known now.
    #[error("it says that it is from {0}, whose key can't be looked up now")]
    Later(Domain),
    /// See `limits::FORWARDED_PER_ALIAS`, `RETURNED_PER_SENDER` and `RETURNED_PER_HOUR`.
    #[error("{0} has had as much of others' mail as it may for now")]
    TooMuch(String),
}

/// How a forwarded message goes out.
pub(crate) struct Outgoing {
    /// The reverse path.
    pub(crate) sender: Option<Address>,
    /// What stands before its first byte.
    pub(crate) fields: Bytes,
}

/// Fields of a message that was forwarded.
const DELIVERED_TO: &str = "Delivered-To";

impl Forwarder {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(parts, Meters::default())
    }

    /// Who rewrites senders.
    #[must_use]
    pub const fn srs(&self) -> &Srs {
        &self.0.srs
    }

    /// Whether mail to this address of ours can be sealed: its domain has keys.
    pub async fn is_ready(&self, alias: &Address) -> bool {
        let Some(domain) = alias.domain() else { return false };
        matches!(self.0.dkim.signer(domain).await, Ok(Some(_)))
    }

    /// The sender that is kept under a name, if one is.
    ///
    /// # Errors
    /// What the store says.
    pub async fn kept(&self, name: &str) -> Result<Option<Address>, StoreError> {
        let kept = self.0.shelf.shelved(Shelf::Senders, name.to_owned()).await?;
        let text = kept.and_then(|kept| String::from_utf8(kept.value.to_vec()).ok());
        Ok(text.and_then(|text| Address::parse(&text, true).ok()))
    }

    /// Whether a message may be forwarded from these addresses of ours: before it is accepted. `content` is as it will be
    /// stored; `known` is what it proves, if that was found out already. Looks keys up only if it wasn't, and the message says
    /// that it is from us.
    ///
    /// # Errors
    /// [`NotForwarded`].
    pub async fn admit(
        &self,
        content: &Content,
        aliases: &[&Address],
        known: Option<&Results>,
        now: Timestamp,
    ) -> Result<(), NotForwarded> {
        let header = content.bytes.get(..header_end(&content.bytes)).unwrap_or_default();
        for field in header::fields(header).filter(|field| field.is(DELIVERED_TO)) {
            let before = field.value.trim_ascii();
            let circle = aliases.iter().find(|alias| before.eq_ignore_ascii_case(alias.to_string().as_bytes()));
            if let Some(alias) = circle {
                return Err(NotForwarded::Circle((*alias).clone()));
            }
        }
        if header.len() > HEADER_BYTES_MAX {
            return Err(NotForwarded::HeaderTooLarge);
        }
        SignedHeader::forwarded(header)?;
        let chain = ArcChain::of(header);
        if chain.next().is_none() && !matches!(chain, ArcChain::Ended { .. }) {
            return Err(NotForwarded::TooManySets);
        }
        let authors = authors(&content.structure).filter(|authors| !authors.is_empty()).ok_or(NotForwarded::Nobody)?;
        match authors.into_iter().find(|author| self.is_near(author, aliases)) {
            None => Ok(()),
            Some(ours) => match known {
                Some(results) => proves(results, ours),
                None => {
                    let reading = authenticate::read(content.bytes.clone()).await;
                    proves(&reading.verify(&*self.0.lookup, now).await, ours)
                }
            },
        }
    }

    /// Counts a message that is forwarded or comes back, for each of its recipients: just before it is accepted, when nothing
    /// else is against it. All are counted, or none.
    ///
    /// # Errors
    /// [`NotForwarded::TooMuch`].
    pub fn count<'a>(
        &self,
        permits: impl Iterator<Item = &'a RelayPermit>,
        now: Timestamp,
    ) -> Result<(), NotForwarded> {
        let name = |address: &Address| format!("{}@{}", address.local().folded(), address.host());
        let mut all = Vec::new();
        for permit in permits {
            if let Some(sender) = permit.returned() {
                all.extend([Counted::Sender(name(sender)), Counted::Returns]);
            } else if let Some(alias) = permit.forwarded() {
                all.push(Counted::Alias(name(alias)));
            }
        }
        self.1.take(all, now).map_err(|counted| NotForwarded::TooMuch(counted.to_string()))
    }

    /// Whether a domain is one of ours, or above or below one: those behind us might take our sending it for its consent.
    fn is_near(&self, author: &Domain, aliases: &[&Address]) -> bool {
        let mut above = author.as_str();
        loop {
            if Domain::parse(above).is_ok_and(|domain| self.0.directory.is_local_domain(&domain)) {
                return true;
            }
            match above.split_once('.') {
                Some((_, rest)) => above = rest,
                None => break,
            }
        }
        aliases.iter().filter_map(|alias| alias.domain()).any(|ours| is_below(ours, author))
    }

    /// How a queued message that is forwarded from `alias` goes out now; the inner error says why it can't. Reads it in
    /// pieces of `limits::SIGN_PIECE`, and waits for keys of others at most `limits::DKIM_KEYS_TIME`. Keeps its sender first
    /// if that is too long.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn outgoing(
        &self,
        mail: &dyn MailStore,
        message: &QueuedMessage,
        alias: &Address,
        now: Timestamp,
    ) -> Result<Result<Outgoing, String>, StoreError> {
        let Some(domain) = alias.domain() else { return Ok(Err(format!("{alias} has no domain to seal it"))) };
        let signer = match self.0.dkim.signer(domain).await {
            Ok(Some(signer)) => signer,
            Ok(None) => {
                return Ok(Err(format!("{domain} has no DKIM keys to seal it: `mailward dkim rotate {domain}`")));
            }
            Err(DirectoryError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(format!("its keys can't be used to seal it: {error}"))),
        };
        let (mut reading, mut signing) = (Reading::new(), signer.begin_seal(now));
        let unsealed = |fault: SignFault| Ok(Err(format!("it can't be sealed: {fault}")));
        let mut at = 0u64;
        let mut start = Bytes::new();
        loop {
            let piece = mail.read(message.blob, at, at.saturating_add(SIGN_PIECE)).await?;
            reading.push(&piece);
            if at == 0 {
                start = piece.clone();
            }
            if let Err(fault) = signing.push(&piece) {
                return unsealed(fault);
            }
            let length = piece.len() as u64;
            at = at.saturating_add(length);
            if length < SIGN_PIECE {
                break;
            }
        }
        // As it came: a signature may have run out while it waited.
        let results = reading.verify(&*self.0.lookup, message.envelope.arrived).await;
        let mut fields = Vec::new();
        // Behind a seal that says "fail" nobody seals (RFC 8617 §5.1).
        if let Some(instance) = results.arc.next {
            // What was found out when it came says more: who brought it, and whether it is from whom it names.
            let told = told::told(&start, &self.0.hostname, results.arc.status);
            let text = told.unwrap_or_else(|| results.text(&self.0.hostname));
            let arc = ArcSeal { instance, chain: results.arc.status, before: &results.arc.relaxed, results: &text };
            match signing.seal(&arc) {
                Ok(Some(set)) => fields = set,
                Ok(None) => return Ok(Err(format!("{domain} has no RSA key to seal it"))),
                Err(fault) => return unsealed(fault),
            }
        }
        fields.extend_from_slice(format!("{DELIVERED_TO}: {alias}\r\n").as_bytes());
        let sender = match &message.envelope.sender {
            Some(sender) => self.rewritten(sender, domain, now).await?,
            None => None,
        };
        Ok(Ok(Outgoing { sender, fields: fields.into() }))
    }

    /// The sender as from a domain of ours; none if it would have to be kept and too many are already.
    pub(crate) async fn rewritten(
        &self,
        sender: &Address,
        ours: &Domain,
        now: Timestamp,
    ) -> Result<Option<Address>, StoreError> {
        let (address, name) = match self.0.srs.rewrite(sender, ours, now) {
            Rewritten::Whole(address) => return Ok(Some(address)),
            Rewritten::Null => return Ok(None),
            Rewritten::Kept { address, name } => (address, name),
        };
        if self.kept(&name).await?.is_none() && self.1.take(vec![Counted::Kept], now).is_err() {
            return Ok(None);
        }
        let millis = i64::try_from(SRS_TIME.as_millis()).unwrap_or(i64::MAX);
        // A day more, as addresses count whole days.
        let expires = Some(Timestamp(now.0.saturating_add(millis).saturating_add(86_400_000)));
        let value = Bytes::from(sender.to_string().into_bytes());
        let kept = Shelved { key: name, value, expires };
        self.0.shelf.change_shelf(vec![ShelfChange::Put(Shelf::Senders, kept)]).await?;
        Ok(Some(address))
    }
}

/// Whether a message proves that it is from this domain.
fn proves(results: &Results, author: Domain) -> Result<(), NotForwarded> {
    let of_author = |signer: &Domain| is_below(signer, &author) || is_below(&author, signer);
    let has = |verdict: Verdict| {
        let mut found = results.dkim.iter().filter(|dkim| dkim.verdict == verdict);
        found.any(|dkim| dkim.signer.as_ref().is_some_and(|(signer, _)| of_author(signer)))
    };
    if has(Verdict::Pass) {
        Ok(())
    } else if has(Verdict::TempError) {
        Err(NotForwarded::Later(author))
    } else {
        Err(NotForwarded::Forged(author))
    }
}

/// Whether a domain is another or below it.
fn is_below(domain: &Domain, above: &Domain) -> bool {
    domain.as_str().strip_suffix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The domains of all addresses in From; `None` if one of them is none: others might read one in it.
fn authors(structure: &[u8]) -> Option<Vec<Domain>> {
    let envelope = Structure::envelope_from_bytes(structure).ok()?;
    envelope.from.iter().filter_map(|address| address.host).map(|host| Domain::parse(host).ok()).collect()
}
