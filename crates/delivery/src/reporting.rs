//! What reports to other domains have in common: they are signed by our own keys, queued for one place, and only so many are
//! brought to one destination.

use crate::prepare;
use crate::sign::{SignError, sign_pieces};
use bytes::Bytes;
use mailward_core::{Address, Domain, Timestamp};
use mailward_directory::{Directory, Dkim, Resolution};
use mailward_store::records::{Delivery, Envelope, Flags, Needs, NewRecipient, NotifyOn, Queued, Target};
use mailward_sts::Day;
use std::collections::HashMap;
use std::time::Duration;

/// By whom a report by mail goes out, and how.
pub(crate) struct Post<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) dkim: Option<&'a Dkim>,
    /// Whom it is from.
    pub(crate) contact: &'a Address,
    /// What it must not wait for, or go without.
    pub(crate) needs: Needs,
    /// How long it is tried.
    pub(crate) lifetime: Duration,
}

impl Post<'_> {
    /// A report as it is put into the queue or a mailbox, signed. Nobody waits for it, so nobody is told what becomes of it.
    ///
    /// # Errors
    /// What the store says; inside why it can't be sent now.
    pub(crate) async fn delivery(
        &self,
        message: &[u8],
        to: &Address,
        now: Timestamp,
    ) -> Result<Result<Delivery, String>, SignError> {
        let signatures = match self.signatures(message, now).await {
            Ok(Some(signatures)) => signatures,
            Ok(None) => return Ok(Err(format!("{} has no DKIM key: mailward dkim rotate", self.contact))),
            Err(SignError::Store(error)) => return Err(SignError::Store(error)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let content = match prepare([&signatures, message].concat(), 0) {
            Ok(content) => content,
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        let (local, remote) = match self.directory.resolve(to) {
            Resolution::Deliver { local, remote } => (local, remote),
            Resolution::NotLocal => (Vec::new(), vec![to.clone()]),
            Resolution::UnknownUser | Resolution::Disabled | Resolution::Loop => {
                return Ok(Err(format!("{to} isn't here")));
            }
        };
        let targets =
            local.into_iter().map(|to| Target { account: to.account, mailbox: None, flags: Flags::NONE }).collect();
        let table = self.directory.routes().table();
        let recipients: Vec<NewRecipient> = remote
            .into_iter()
            .filter_map(|address| {
                let lane = table.lane(Some(self.contact), &address)?;
                let notify = Some(NotifyOn::default());
                Some(NewRecipient { address, notify, original: None, lane, due: now, held: None })
            })
            .collect();
        let lifetime = i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX);
        let envelope = Envelope {
            sender: Some(self.contact.clone()),
            give_back: None,
            envid: None,
            needs: self.needs,
            submitter: None,
            forwarded: None,
            arrived: now,
            warn: None,
            expires: Timestamp(now.0.saturating_add(lifetime)),
        };
        let queued = if recipients.is_empty() { Vec::new() } else { vec![Queued { envelope, recipients }] };
        Ok(Ok(Delivery { content, targets, queued, kept: None }))
    }

    /// By the keys of the contact's domain, or of one above it: our host's name is often below.
    async fn signatures(&self, message: &[u8], now: Timestamp) -> Result<Option<Bytes>, SignError> {
        let (Some(dkim), Some(domain)) = (self.dkim, self.contact.domain()) else { return Ok(None) };
        let mut next = Some(domain.as_str());
        while let Some(name) = next {
            if let Ok(domain) = Domain::parse(name)
                && let Some(signatures) = sign_pieces(dkim, [message], &domain, now).await?
            {
                return Ok(Some(signatures));
            }
            next = name.split_once('.').map(|(_, above)| above);
        }
        Ok(None)
    }
}

/// What was brought, by the day that it is of and by destination.
pub(crate) struct Tried {
    /// When it was counted what is in the store.
    pub(crate) today: Option<Day>,
    pub(crate) counts: HashMap<(Day, Domain), usize>,
    most: usize,
    destinations: usize,
}

impl Tried {
    /// At most so many for each day to one destination, and to so many.
    pub(crate) fn new(today: Option<Day>, most: usize, destinations: usize) -> Self {
        Self { today, counts: HashMap::new(), most, destinations }
    }

    /// Counts one more; `false`: there were enough.
    pub(crate) fn count(&mut self, day: Day, host: Option<&Domain>) -> bool {
        let Some(host) = host else { return true };
        if self.counts.len() >= self.destinations && !self.counts.contains_key(&(day, host.clone())) {
            return false;
        }
        let count = self.counts.entry((day, host.clone())).or_default();
        let some = *count < self.most;
        *count = count.saturating_add(usize::from(some));
        some
    }

    /// It didn't leave this house.
    pub(crate) fn count_back(&mut self, day: Day, host: Option<&Domain>) {
        let count = host.and_then(|host| self.counts.get_mut(&(day, host.clone())));
        count.into_iter().for_each(|count| *count = count.saturating_sub(1));
    }
}
