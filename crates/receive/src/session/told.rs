//! What the log hears of a session's messages and recipients.

use super::message::Arrival;
use super::{Host, House};
use mailward_core::event::Event;
use mailward_gate::Refusal;
use mailward_smtp::server::{MailGiven, RecipientTicket};
use mailward_store::StoreError;
use std::sync::atomic::Ordering;

impl Host<'_> {
    pub(super) fn recipient_refused(&self, ticket: &RecipientTicket<'_, House>, refusal: Refusal) {
        let event = Event::info("recipient.refused")
            .with_peer(self.peer)
            .with("sender", &ticket.mail().path)
            .with("recipient", ticket.path())
            .with("reason", refusal);
        self.context.events.emit(event);
    }

    /// Tells that there is no disk left, once a minute however many ask.
    pub(super) fn disk_alert(&self, error: &StoreError) {
        let now = self.context.clock.now().secs();
        let last = self.context.last_disk_alert.swap(now, Ordering::Relaxed);
        if last.saturating_add(60) <= now {
            self.context.events.emit(Event::alert("store.refuses").with("reason", error));
        } else {
            self.context.last_disk_alert.store(last, Ordering::Relaxed);
        }
    }

    pub(super) fn accepted(&self, mail: &MailGiven<House>, arrival: &Arrival) {
        let Arrival { id, size, began } = arrival;
        let event = Event::info("message.accepted")
            .with("id", id)
            .with_peer(self.peer)
            .with("sender", &mail.path)
            .with("recipients", mail.recipients.len())
            .with("size", size)
            .with("ms", began.elapsed().as_millis());
        let event = match &self.judged {
            Some(judged) => {
                let spf = judged.spf.as_ref().map_or("none", |outcome| outcome.result.name());
                let event = event.with("score", judged.judgement.score()).with("signs", &judged.judgement);
                let event = event.with("spf", spf);
                let event = match &judged.spf_hello {
                    Some(hello) => event.with("spf_hello", hello.result.name()),
                    None => event,
                };
                match judged.spared() {
                    Some(why) => event.with("spared", why),
                    None => event,
                }
            }
            None => event,
        };
        self.context.events.emit(event);
    }

    pub(super) fn store_failed(&self, mail: &MailGiven<House>, id: &str, error: &StoreError) {
        let event = match error {
            StoreError::OverQuota | StoreError::Closed => Event::info("message.deferred"),
            StoreError::QuarantineShare(network) => {
                let crowded = Event::alert("quarantine.crowded").with("network", network);
                self.context.events.emit(crowded);
                Event::info("message.deferred")
            }
            _ => Event::alert("message.deferred"),
        };
        let event = event.with("id", id).with_peer(self.peer).with("sender", &mail.path);
        self.context.events.emit(event.with("recipients", mail.recipients.len()).with("reason", error));
    }

    pub(super) fn refused(&mut self, mail: &MailGiven<House>, reason: &str) {
        let _given_back = self.share.resize(0);
        self.message = None;
        let event = Event::info("message.refused")
            .with_peer(self.peer)
            .with("sender", &mail.path)
            .with("recipients", mail.recipients.len())
            .with("reason", reason);
        self.context.events.emit(event);
    }
}
