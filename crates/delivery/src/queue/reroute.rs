//! Mail that waits where it no longer leads.

use mailward_core::limits::QUEUE_PAGE;
use mailward_core::{QueueId, Timestamp};
use mailward_directory::routes::RouteTable;
use mailward_store::api::{QueueStore, StoreError};
use mailward_store::records::{Lane, Outcome, QueueFilter, QueuedMessage, Settled, Settlement, Steered};

/// Those recipients of a message that lead elsewhere now, and where to. Held ones stay held there.
pub(crate) fn moves(table: &RouteTable, message: &QueuedMessage, now: Timestamp) -> Vec<Settled> {
    // As when it was queued: what is forwarded goes out from the alias.
    let sender = message.envelope.forwarded.as_ref().or(message.envelope.sender.as_ref());
    let moved = message.recipients.iter().filter_map(|recipient| {
        let lane = table.lane(sender, &recipient.address).filter(|lane| *lane != recipient.lane)?;
        Some(Settled {
            message: message.id,
            number: recipient.number,
            outcome: Outcome::Rerouted(lane, now),
            attempt: None,
            refused: false,
            warned: false,
        })
    });
    moved.collect()
}

/// A step of bounded size, of bringing what waits in a lane where it leads by routes as they are now: each is due there at
/// once. One commit. Ask again from `next` until there is none.
///
/// # Errors
/// What the store says.
pub async fn reroute_step(
    queue: &dyn QueueStore,
    table: &RouteTable,
    lane: Lane,
    after: Option<QueueId>,
    now: Timestamp,
) -> Result<Steered, StoreError> {
    let filter = QueueFilter { lane: Some(lane), ..QueueFilter::default() };
    let page = queue.queue_page(filter, after, QUEUE_PAGE).await?;
    let recipients: Vec<Settled> = page.messages.iter().flat_map(|message| moves(table, message, now)).collect();
    let changed = u64::try_from(recipients.len()).unwrap_or(u64::MAX);
    if changed > 0 {
        queue.settle(Settlement { recipients, ..Settlement::default() }).await?;
    }
    Ok(Steered { changed, next: page.next })
}
