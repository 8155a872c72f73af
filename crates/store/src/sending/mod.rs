//! What users send to other domains: counted in the commit that accepts it, and held there if it is too much.
//!
//! An account and a domain have one row an hour. A message adds to two of them and looks at the last day's: 24 rows at
//! most, whatever was sent. A recipient that an account writes to is remembered by a hash of its address.

mod count;
mod rows;

pub(crate) use count::count_refused;
pub(crate) use rows::{forget_account, forget_domain};

use crate::api::{Pending, SendingStore, StoreError};
use crate::apply::messages::{self, Beyond};
use crate::committer::Placing;
use crate::local::LocalStore;
use crate::records::{Delivery, LimitChanges, Meter, Scope, SenderRecord, SentRecord, Submitted};
use crate::tx::int;
use mailward_core::limits::QUEUE_REASON_MAX;
use mailward_core::{AccountId, Address, PerMeasure};
use rusqlite::params;

impl SendingStore for LocalStore {
    fn accept(&self, message: Delivery, notices: Vec<Delivery>, meter: Option<Meter>) -> Pending<'_, Submitted> {
        let (content, mut places) = message.split();
        let mut contents = vec![content];
        let mut tell = Vec::with_capacity(notices.len());
        for (content, places) in notices.into_iter().map(Delivery::split) {
            contents.push(content);
            tell.push(places);
        }
        self.submit(contents, Placing::Once, move |tx, placed| {
            let (first, rest) = placed.split_first().ok_or(StoreError::Refused("there is no message"))?;
            let mut submitted = Submitted::default();
            if let Some(meter) = meter.filter(|_| !places.queued.is_empty()) {
                count::meter(tx, &meter, &places.queued, &mut submitted)?;
                if let Some(held) = &submitted.held {
                    let reason = held.to_string();
                    for recipient in places.queued.iter_mut().flat_map(|one| &mut one.recipients) {
                        recipient.held.get_or_insert_with(|| reason.clone());
                    }
                }
            }
            submitted.accepted = messages::deliver(tx, first, &places)?;
            for (places, placed) in tell.iter().zip(rest) {
                submitted.told.push(messages::deliver_beyond(tx, placed, places, Beyond::NOTICE)?);
            }
            Ok(submitted)
        })
    }

    fn senders(&self) -> Pending<'_, Vec<SenderRecord>> {
        self.ask(|reader| reader.rows(rows::SENDERS, [], rows::sender))
    }

    fn sender(&self, scope: Scope) -> Pending<'_, SenderRecord> {
        self.ask(move |reader| {
            let (kind, id) = rows::key(scope);
            let found = reader.row(rows::SENDER, params![kind, id], rows::sender)?;
            Ok(found.unwrap_or_else(|| SenderRecord::usual(scope)))
        })
    }

    fn sent(&self, scope: Scope) -> Pending<'_, SentRecord> {
        let hour = count::hour(self.now());
        self.ask(move |reader| {
            let (kind, id) = rows::key(scope);
            Ok(reader.row(rows::SENT, params![kind, id, hour], rows::sent)?.unwrap_or_default())
        })
    }

    fn has_written_to(&self, address: Address) -> Pending<'_, bool> {
        let since = count::known_since(self.now());
        self.ask(move |reader| {
            let found = reader.row(count::WRITTEN_TO, params![count::hash(&address), since], |_| Ok(()))?;
            Ok(found.is_some())
        })
    }

    fn set_send_limits(&self, scope: Scope, change: PerMeasure<Option<Option<u64>>>) -> Pending<'_, LimitChanges> {
        self.change(move |tx| {
            rows::must_exist(tx, scope)?;
            let own = rows::find(tx, scope)?.limits;
            let limits = own.map(|measure, own| change.get(measure).unwrap_or(own));
            let (kind, id) = rows::key(scope);
            tx.execute(
                "INSERT INTO senders (kind, id, messages_hour, messages_day, recipients_hour, recipients_day, new_hour, new_day)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (kind, id) DO UPDATE SET messages_hour = ?3, messages_day = ?4, recipients_hour = ?5,
                 recipients_day = ?6, new_hour = ?7, new_day = ?8",
                params![
                    kind,
                    id,
                    limits.messages_per_hour.map(int),
                    limits.messages_per_day.map(int),
                    limits.recipients_per_hour.map(int),
                    limits.recipients_per_day.map(int),
                    limits.new_per_hour.map(int),
                    limits.new_per_day.map(int)
                ],
            )?;
            rows::tidy(tx, scope)?;
            Ok(limits)
        })
    }

    fn freeze(&self, account: AccountId, why: String) -> Pending<'_, bool> {
        self.change(move |tx| {
            rows::must_exist(tx, Scope::Account(account))?;
            let changed = tx.execute(
                "INSERT INTO senders (kind, id, frozen, why, unfinished) VALUES (0, ?1, ?2, ?3, 1)
                 ON CONFLICT (kind, id) DO UPDATE SET frozen = ?2, why = ?3, unfinished = 1 WHERE frozen IS NULL",
                params![account.0, tx.now.0, crate::queue::cut(&why, QUEUE_REASON_MAX)],
            )?;
            Ok(changed == 1)
        })
    }

    fn froze_all(&self, account: AccountId) -> Pending<'_, ()> {
        self.change(move |tx| {
            tx.execute("UPDATE senders SET unfinished = 0 WHERE kind = 0 AND id = ?1", params![account.0])?;
            Ok(())
        })
    }

    fn unfreeze(&self, account: AccountId) -> Pending<'_, bool> {
        self.change(move |tx| {
            let changed = tx.execute(
                "UPDATE senders SET frozen = NULL, why = NULL, unfinished = 0, beyond = 0
                 WHERE kind = 0 AND id = ?1 AND frozen IS NOT NULL",
                params![account.0],
            )?;
            if changed == 1 {
                tx.execute(
                    "DELETE FROM sent WHERE kind = 0 AND id = ?1 AND hour > ?2",
                    params![account.0, count::yesterday(count::hour(tx.now))],
                )?;
                rows::tidy(tx, Scope::Account(account))?;
            }
            Ok(changed == 1)
        })
    }
}
