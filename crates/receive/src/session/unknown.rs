//! Commands that there aren't.

use super::{Host, House};
use mailward_smtp::Reply;
use mailward_smtp::server::UnknownTicket;

impl Host<'_> {
    /// Refuses a command that there isn't, in the words of a milter if one has some for it.
    pub(super) async fn unknown(&mut self, ticket: UnknownTicket<'_, House>) {
        let said = self.filter_unknown(ticket.line()).await;
        ticket.refuse(said.as_ref().unwrap_or(&Reply::UNKNOWN_COMMAND));
    }
}
