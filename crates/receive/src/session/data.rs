//! DATA and the first BDAT: whether a message may come now.

use super::{Host, House, OnItsWay, recipient, refused};
use crate::program::Program;
use crate::replies;
use mailward_core::event::Event;
use mailward_core::limits::MESSAGE_RESERVE_MAX;
use mailward_delivery::{Trace, With};
use mailward_gate::journal::{Stage, Verdict};
use mailward_smtp::Reply;
use mailward_smtp::server::DataTicket;
use mailward_tls::Wire;
use tokio::time::Instant;

impl Host<'_> {
    pub(super) async fn data(&mut self, ticket: DataTicket<'_, House>, wire: &Wire) {
        let announced = ticket.announced();
        if let Err(error) = self.context.store.admit(announced) {
            self.disk_alert(&error);
            return ticket.refuse(&replies::store(&error));
        }
        let reserve = usize::try_from(announced).unwrap_or(usize::MAX).min(MESSAGE_RESERVE_MAX);
        if !self.share.resize(reserve) {
            let event = Event::info("message.deferred").with_peer(self.peer).with("sender", &ticket.mail().path);
            self.context.events.emit(event.with("reason", "no memory for messages on their way"));
            return ticket.refuse(&Reply::NO_SPACE);
        }
        let account = recipient::account(ticket.login());
        let counted = self.counted(account.as_deref(), ticket.mail());
        if let Err(hit) = &counted {
            let _given_back = self.share.resize(0);
            let event = Event::info("message.deferred").with_peer(self.peer).with("sender", &ticket.mail().path);
            self.context.events.emit(event.with("reason", hit));
            let reply = self.refer(
                Stage::Data,
                Verdict::Deferred,
                Some(ticket.mail()),
                None,
                &hit.to_string(),
                &Reply::TOO_MUCH,
            );
            return ticket.refuse(&reply);
        }
        let id = self.context.ids.next();
        if let Some((reply, reason)) = self.filter_data(&id).await {
            let _given_back = self.share.resize(0);
            let event = Event::info("message.refused").with_peer(self.peer).with("sender", &ticket.mail().path);
            self.context.events.emit(event.with("reason", &reason));
            let reply = self.refer(Stage::Data, refused::of(&reply), Some(ticket.mail()), None, &reason, &reply);
            return ticket.refuse(&reply);
        }
        let mail = ticket.mail();
        let program = self.program.as_ref().map(Program::trace);
        let trace = Trace {
            right: program.as_deref().or_else(|| mail.sender.permit.is_of_inside_host().then_some("inside")),
            sender: mail.path.address(),
            hello: &mail.greeted.name,
            peer: self.peer.address,
            hostname: &self.context.hostname,
            with: With {
                protocol: self.peer.listener.protocol(),
                extended: mail.greeted.extended,
                utf8: mail.parameters.smtputf8,
                tls: wire.is_tls(),
                authenticated: ticket.login().is_some(),
            },
            tls: wire.tls().map(|tls| (tls.version, tls.cipher)),
            id: &id,
            recipient: match mail.recipients.as_slice() {
                [only] => only.address.as_ref(),
                _ => None,
            },
            time: self.context.clock.now(),
        };
        let prefix = trace.fields(reserve);
        let counted = counted.unwrap_or_default();
        self.message = Some(OnItsWay { id, trace: prefix.len(), began: Instant::now(), counted });
        ticket.accept(prefix);
    }
}
