//! What the administrator is told of limits: alerts, with words for people.

use super::Care;
use mailward_core::event::Event;
use mailward_core::{AccountId, Address};
use mailward_store::records::{Exceeded, Scope};

impl Care {
    /// The account's address, or its number if it has none any more.
    pub(super) fn name(&self, account: AccountId) -> String {
        self.directory.address_of(account).map_or_else(|| account.to_string(), |address| address.to_string())
    }

    /// Tells that a limit was met for the first time.
    pub(super) fn tell_limit(&self, account: AccountId, exceeded: &Exceeded) {
        let user = self.name(account);
        let of = match exceeded.scope {
            Scope::Account(_) | Scope::Insider(_) => user.clone(),
            Scope::Domain(_) => user.rsplit_once('@').map_or_else(|| user.clone(), |(_, domain)| domain.to_owned()),
        };
        let event = Event::alert("sending.limit")
            .with("of", &of)
            .with("user", &user)
            .with("limit", format_args!("{} {}", exceeded.limit, exceeded.measure))
            .with("sent", exceeded.sent);
        let verb = match exceeded.scope {
            Scope::Account(_) | Scope::Insider(_) => "user",
            Scope::Domain(_) => "domain",
        };
        let lines = [
            format!("{of} has sent more to other domains than it may: {} {},", exceeded.limit, exceeded.measure),
            format!("and this was number {}, from {user}.", exceeded.sent),
            String::new(),
            "Mail beyond the limit is accepted and held; nothing was bounced. You are told again".to_owned(),
            "when it has been below the limit in between.".to_owned(),
            String::new(),
            format!("Look:                  mailward queue list --user {user} --held"),
            format!("If it is as it should: mailward {verb} limit {of} --help, then"),
            format!("                       mailward queue release --user {user}"),
            format!("If it is abuse:        mailward user freeze {user}"),
            format!("                       mailward user password {user}"),
        ];
        self.events.emit(event.in_words("Held: more mail than the limit allows", &lines));
    }

    /// The same of somebody who sends without a login; `sender` is that of the message at which it was met.
    pub(super) fn tell_inside_limit(&self, insider: &str, sender: Option<&Address>, exceeded: &Exceeded) {
        let sender = sender.map_or_else(|| "<>".to_owned(), ToString::to_string);
        let of = match exceeded.scope {
            Scope::Domain(_) => sender.rsplit_once('@').map_or(insider, |(_, domain)| domain),
            Scope::Account(_) | Scope::Insider(_) => insider,
        };
        let event = Event::alert("sending.limit")
            .with("of", of)
            .with("insider", insider)
            .with("limit", format_args!("{} {}", exceeded.limit, exceeded.measure))
            .with("sent", exceeded.sent);
        let lines = [
            format!("{of} has sent more to other domains than it may: {} {},", exceeded.limit, exceeded.measure),
            format!("and this was number {}, from {insider} as {sender}.", exceeded.sent),
            String::new(),
            "It came without a login: from a program of this host (sendmail), or a host in relay.from or of a rule that lets it relay.".to_owned(),
            "Mail beyond the limit is accepted and held; nothing was bounced. You are told again".to_owned(),
            "when it has been below the limit in between.".to_owned(),
            String::new(),
            format!("Look:                  mailward queue list --sender '{sender}' --held"),
            format!("If it is as it should: mailward queue release --sender '{sender}'"),
            "                       and let it log in as a user, who can have limits of its own".to_owned(),
            "If it is abuse:        take it out of sendmail.users or relay.from, mailward reload (or its rule), then".to_owned(),
            format!("                       mailward queue remove --sender '{sender}' --held"),
        ];
        self.events.emit(event.in_words("Held: more mail than the limit allows", &lines));
    }
}
