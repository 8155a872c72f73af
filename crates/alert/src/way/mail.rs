//! By mail: into mailboxes here, also full ones, and by the queue to others.

use super::{Brought, Way, WayError};
use crate::message::Message;
use mailward_core::Address;
use mailward_delivery::alerts::{Letter, Postman};

/// See the module.
pub struct ByMail {
    postman: Postman,
    to: Option<Vec<Address>>,
}

impl ByMail {
    /// To these, or to the postmaster.
    #[must_use]
    pub const fn new(postman: Postman, to: Option<Vec<Address>>) -> Self {
        Self { postman, to }
    }
}

impl Way for ByMail {
    fn name(&self) -> &'static str {
        "mail"
    }
    fn leads_to(&self) -> String {
        match &self.to {
            None => "postmaster".to_owned(),
            Some(to) => to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }
    }
    fn bring<'a>(&'a self, message: &'a Message) -> Brought<'a> {
        Box::pin(async move {
            let letter =
                Letter { id: &message.id, made: message.made, subject: &message.subject(), lines: &message.lines() };
            self.postman.bring(self.to.as_deref(), &letter).await.map_err(|error| WayError(error.to_string()))?;
            for (who, own) in message.own_letters() {
                if self.to.as_ref().is_some_and(|to| to.contains(&who)) {
                    continue;
                }
                let letter = Letter { id: &own.id, made: own.made, subject: &own.subject(), lines: &own.lines() };
                self.postman.bring_also(&who, &letter).await;
            }
            Ok(())
        })
    }
}
