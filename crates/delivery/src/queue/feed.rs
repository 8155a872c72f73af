//! A lane's due messages, a page at a time, for all of its connections.

use mailward_core::limits::QUEUE_FEED;
use mailward_core::{Clock, QueueId};
use mailward_store::api::{QueueStore, StoreError};
use mailward_store::records::{DuePlace, Lane, QueuedMessage};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

pub(crate) struct Feed {
    store: Arc<dyn QueueStore>,
    clock: Arc<dyn Clock>,
    lane: Lane,
    news: watch::Receiver<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<QueuedMessage>,
    /// Given out and not done: answered again by the store, and not given out again.
    out: HashSet<QueueId>,
    /// What comes next in the store's order.
    after: Option<DuePlace>,
    /// The end was reached, when there was so much news.
    dry_at: Option<u64>,
    /// Nothing more is given out.
    ended: bool,
}

impl Feed {
    pub(crate) fn new(store: Arc<dyn QueueStore>, clock: Arc<dyn Clock>, lane: Lane) -> Self {
        let news = store.watch_queue();
        Self { store, clock, lane, news, state: Mutex::default() }
    }

    /// The next message, and whether more are at hand. It is [`Feed::done`] with, or given back. What comes into the queue
    /// meanwhile is found as well.
    pub(crate) async fn next(&self) -> Result<Option<(QueuedMessage, bool)>, StoreError> {
        let mut state = self.state.lock().await;
        loop {
            if let Some(message) = state.ready.pop_front() {
                state.out.insert(message.id);
                return Ok(Some((message, !state.ready.is_empty())));
            }
            let news = *self.news.borrow();
            if state.ended || state.dry_at == Some(news) {
                return Ok(None);
            }
            if state.dry_at.take().is_some() {
                state.after = None;
            }
            let page = self.store.due_in_lane(self.lane.clone(), self.clock.now(), state.after, QUEUE_FEED).await?;
            state.after = page.next;
            if page.next.is_none() {
                // Looked at before the question: what came since then is asked for once more.
                state.dry_at = Some(news);
            }
            let State { ready, out, .. } = &mut *state;
            ready.extend(page.messages.into_iter().filter(|message| !out.contains(&message.id)));
        }
    }

    /// What became of a message is written down.
    pub(crate) async fn done(&self, message: QueueId) {
        self.state.lock().await.out.remove(&message);
    }

    /// Takes back what couldn't be tried.
    pub(crate) async fn give_back(&self, message: QueuedMessage) {
        let mut state = self.state.lock().await;
        state.out.remove(&message.id);
        state.ready.push_front(message);
    }

    /// Ends it: what is at hand is answered, and nothing more is given out.
    pub(crate) async fn drain(&self) -> Vec<QueuedMessage> {
        let mut state = self.state.lock().await;
        state.ended = true;
        std::mem::take(&mut state.ready).into()
    }

    /// Whether something came into some queue since the end was reached.
    pub(crate) async fn has_news(&self) -> bool {
        self.state.lock().await.dry_at != Some(*self.news.borrow())
    }
}
