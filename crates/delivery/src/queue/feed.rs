//! A lane's due messages, a page at a time, for all of its connections.

use mailward_core::Clock;
use mailward_core::limits::QUEUE_FEED;
use mailward_store::api::{QueueStore, StoreError};
use mailward_store::records::{DuePlace, Lane, QueuedMessage};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Mutex;

pub(crate) struct Feed {
    store: Arc<dyn QueueStore>,
    clock: Arc<dyn Clock>,
    lane: Lane,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<QueuedMessage>,
    /// What comes next in the store's order: what was taken isn't taken again in this visit.
    after: Option<DuePlace>,
    /// There is no more.
    dry: bool,
}

impl Feed {
    pub(crate) fn new(store: Arc<dyn QueueStore>, clock: Arc<dyn Clock>, lane: Lane) -> Self {
        Self { store, clock, lane, state: Mutex::default() }
    }

    /// The next message, and whether more are at hand.
    pub(crate) async fn next(&self) -> Result<Option<(QueuedMessage, bool)>, StoreError> {
        let mut state = self.state.lock().await;
        loop {
            if let Some(message) = state.ready.pop_front() {
                return Ok(Some((message, !state.ready.is_empty())));
            }
            if state.dry {
                return Ok(None);
            }
            let page = self.store.due_in_lane(self.lane.clone(), self.clock.now(), state.after, QUEUE_FEED).await?;
            state.after = page.next;
            state.dry = page.next.is_none();
            state.ready.extend(page.messages);
        }
    }

    /// Takes back what couldn't be tried.
    pub(crate) async fn give_back(&self, message: QueuedMessage) {
        self.state.lock().await.ready.push_front(message);
    }

    /// Ends it: what is at hand is answered, and nothing more is given out.
    pub(crate) async fn drain(&self) -> Vec<QueuedMessage> {
        let mut state = self.state.lock().await;
        state.dry = true;
        std::mem::take(&mut state.ready).into()
    }
}
