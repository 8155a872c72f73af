//! MAIL: whether somebody may send as somebody.

use super::rules::reason_of;
use super::stranger::Sender;
use super::{Host, House, refused};
use crate::replies;
use mailward_core::Address;
use mailward_core::event::Event;
use mailward_core::limits::SMTP_EMPTY_MAILS_MAX;
use mailward_directory::Login;
use mailward_gate::journal::Stage;
use mailward_gate::{Refusal, SenderPermit, decide_inside, decide_sender};
use mailward_smtp::Reply;
use mailward_smtp::server::MailTicket;
use mailward_tls::Wire;

impl Host<'_> {
    pub(super) async fn mail(&mut self, ticket: MailTicket<'_, House>, wire: &Wire) {
        if self.shutdown.is_fired() {
            // A session that always has something to say never waits, and must hear it too.
            return ticket.refuse(self.last_word());
        }
        self.judged = None;
        let from = ticket.path().address();
        let treatment = self.treatment(Some(from), None);
        if let Some(reply) = self.refused_by_rule(&treatment, Some(from), None) {
            let reply = self.refer_sender(&ticket, &reason_of(&treatment), &reply);
            return ticket.refuse(&reply);
        }
        if self.stranger.is_some()
            && let Some(hit) = self.barred()
        {
            let reply = self.refer_sender(&ticket, &hit.to_string(), &Reply::TOO_MUCH);
            return ticket.refuse(&reply);
        }
        if self.stranger.is_some() && self.mails.one_more() > SMTP_EMPTY_MAILS_MAX {
            let reason = "MAIL again and again without a recipient";
            let reply = self.refer_sender(&ticket, reason, &Reply::TOO_MUCH_JUNK);
            return ticket.refuse(&reply);
        }
        match self.decide_sender(ticket.login(), from) {
            Ok(permit) => {
                let asked = self.ask_about(&ticket);
                if let Some((reply, reason)) = self.filter_sender(&ticket, wire).await {
                    let event = Event::info("sender.refused").with_peer(self.peer).with("sender", ticket.path());
                    self.context.events.emit(event.with("reason", &reason));
                    let reply = self.refer_sender(&ticket, &reason, &reply);
                    return ticket.refuse(&reply);
                }
                ticket.accept(Sender { permit, asked });
            }
            Err(refusal) => {
                let event = Event::info("sender.refused").with_peer(self.peer).with("sender", ticket.path());
                self.context.events.emit(event.with("reason", refusal));
                let reply = self.refer_sender(&ticket, &refusal.to_string(), &replies::refusal(refusal));
                ticket.refuse(&reply);
            }
        }
    }

    fn refer_sender(&self, ticket: &MailTicket<'_, House>, reason: &str, reply: &Reply) -> Reply {
        let sender = ticket.path().address().map_or_else(String::new, ToString::to_string);
        let hello = Some(&*ticket.greeted().name);
        self.refer_of(Stage::Mail, refused::of(reply), hello, Some(&sender), None, reason, reply)
    }

    /// Asks for the right of whoever this is.
    pub(super) fn decide_sender(&self, login: Option<&Login>, from: Option<&Address>) -> Result<SenderPermit, Refusal> {
        let (directory, settings) = (&self.context.directory, self.context.settings.load());
        let (rules, sending) = (&settings.inside, settings.sending);
        if let Some(program) = &self.program {
            return program.decide_sender(directory, rules, from, sending);
        }
        match decide_inside(directory, rules, &self.treatment(Some(from), None), self.peer, from, sending) {
            Some(permit) => Ok(permit),
            None => decide_sender(directory, login, self.peer.listener, from, sending),
        }
    }
}
