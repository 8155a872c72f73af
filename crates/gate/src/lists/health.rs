//! How well a list is: what its test points said, whether it answers, how often it was asked.

use super::{Said, Silence};
use mailward_core::Timestamp;
use mailward_core::limits::{
    LIST_CHECK_TIME, LIST_HEAL_TIME, LIST_REST_TIME, LIST_REST_TIME_MAX, LIST_RETRY_TIME, LIST_SILENCES_MAX,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Whether a list is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ListState {
    /// Not yet: its test points haven't been looked at.
    #[default]
    Untested,
    /// It is.
    On,
    /// It isn't: its test points are wrong.
    Off {
        /// How.
        why: Fault,
    },
}

/// What is wrong with a list's test points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fault", content = "code")]
pub enum Fault {
    /// It has what must not be on any list.
    AnswersEverything,
    /// It hasn't what must be on every list.
    AnswersNothing,
    /// It answers that it doesn't answer us (127.255.255.0/24).
    Refuses(IpAddr),
    /// It answers with what is no answer of a list.
    Strange(IpAddr),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::AnswersEverything => f.write_str("it lists what must not be on any list: it would list everybody"),
            Fault::AnswersNothing => f.write_str("it doesn't list what must be on every list: it lists nobody"),
            Fault::Refuses(code) => write!(f, "it answers {code}: it doesn't answer this server"),
            Fault::Strange(code) => write!(f, "it answers {code}, which no list answers: it may have been given up"),
        }
    }
}

impl Fault {
    /// What an administrator does about it.
    pub(crate) const fn mend(&self) -> &'static str {
        match self {
            Fault::Refuses(_) => {
                "ask through a resolver of your own (dns.servers), within the list's terms of use, or take it off"
            }
            _ => "look at the list's own pages; take it off lists.hosts or lists.domains if it has ended",
        }
    }
}

/// What is known of a list while the server runs.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) counts: Counts,
    inner: Mutex<Inner>,
}

/// How often it was asked and what came of it, since it was first asked.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) asked: AtomicU64,
    pub(crate) listed: AtomicU64,
    pub(crate) silent: AtomicU64,
    pub(crate) trouble: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    health: Health,
    rest: Rest,
    /// When its test points were looked at last, and whether somebody could say what they are.
    looked: Option<(Instant, bool)>,
    /// It answered strangely since.
    suspect: bool,
    /// What was remembered of it was taken up, or there was nothing.
    recalled: bool,
}

/// What its test points said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) state: ListState,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
    /// When that was seen last.
    pub(crate) checked: Option<Timestamp>,
    /// It lists every IPv6 address, or what must not be on a list at least.
    pub(crate) v6_off: bool,
}

/// That it isn't asked for a while.
#[derive(Debug, Default)]
struct Rest {
    /// In a row.
    silences: u32,
    /// How often it was sent to rest in a row.
    rests: u32,
    began: Option<Instant>,
    until: Option<Instant>,
    /// Told of, once.
    told: bool,
}

/// What an administrator is to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Rests,
    Answers,
}

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> Health {
        self.inner().health.clone()
    }

    /// What was remembered from an earlier run.
    pub(crate) fn recall(&self, health: Health) {
        self.inner().health = health;
    }

    /// Whether what is remembered of it wasn't taken up yet.
    pub(crate) fn is_new(&self) -> bool {
        let inner = self.inner();
        !inner.recalled && inner.looked.is_none()
    }

    /// What was remembered was taken up.
    pub(crate) fn is_recalled(&self) {
        self.inner().recalled = true;
    }

    /// What its test points said; answers what was known before.
    pub(crate) fn settle(&self, state: ListState, v6_off: bool, now: Timestamp) -> Health {
        let mut inner = self.inner();
        let before = inner.health.clone();
        let same = before.state == state && before.v6_off == v6_off;
        let since = if same { before.since } else { Some(now) };
        inner.health = Health { state, since, checked: Some(now), v6_off };
        inner.looked = Some((Instant::now(), true));
        inner.suspect = false;
        before
    }

    /// Nobody could say what its test points are.
    pub(crate) fn unsettled(&self) {
        let mut inner = self.inner();
        inner.looked = Some((Instant::now(), false));
        inner.suspect = false;
    }

    /// When its test points are to be looked at; `None`: at once.
    pub(crate) fn due(&self) -> Option<Instant> {
        let inner = self.inner();
        let (at, known) = inner.looked?;
        let wait = match inner.health.state {
            _ if !known || inner.suspect => LIST_RETRY_TIME,
            ListState::On => LIST_CHECK_TIME,
            ListState::Off { .. } | ListState::Untested => LIST_HEAL_TIME,
        };
        Some(at.checked_add(wait).unwrap_or(at))
    }

    /// Whether it isn't asked at all.
    pub(crate) fn shut(&self, v6: bool) -> Option<Silence> {
        let inner = self.inner();
        match inner.health.state {
            ListState::Untested => Some(Silence::Untested),
            ListState::Off { .. } => Some(Silence::Off),
            ListState::On if v6 && inner.health.v6_off => Some(Silence::Off),
            ListState::On => None,
        }
    }

    /// Whether it rests.
    pub(crate) fn rests(&self) -> bool {
        self.inner().rest.silences >= LIST_SILENCES_MAX
    }

    /// Whether it may be asked now. When its rest is over, one question may, until that is answered.
    pub(crate) fn may_ask(&self, now: Instant, within: Duration) -> bool {
        let rest = &mut self.inner().rest;
        match rest.until {
            Some(until) if rest.silences >= LIST_SILENCES_MAX => {
                if now < until {
                    return false;
                }
                rest.until = now.checked_add(within);
                rest.began = Some(now);
                true
            }
            _ => true,
        }
    }

    /// What came of a question.
    pub(crate) fn heard(&self, said: &Said, started: Instant) {
        let count = match said {
            Said::Yes(..) => &self.counts.listed,
            Said::No(_) => return self.inner().rest.answered(),
            Said::Nothing(Silence::Late | Silence::Failed) => {
                self.inner().rest.silent(started);
                &self.counts.silent
            }
            Said::Nothing(Silence::Trouble(_)) => {
                let mut inner = self.inner();
                inner.suspect = true;
                inner.rest.answered();
                &self.counts.trouble
            }
            // It wasn't asked.
            Said::Nothing(_) => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if matches!(said, Said::Yes(..)) {
            self.inner().rest.answered();
        }
    }

    /// Whether it was sent to rest, or came back, and nobody was told yet.
    pub(crate) fn turn(&self) -> Option<Turn> {
        let rest = &mut self.inner().rest;
        let rests = rest.silences >= LIST_SILENCES_MAX;
        if rests == rest.told {
            return None;
        }
        rest.told = rests;
        Some(if rests { Turn::Rests } else { Turn::Answers })
    }

    /// Whether it answered strangely since its test points were looked at.
    pub(crate) fn is_suspect(&self) -> bool {
        self.inner().suspect
    }
}

impl Rest {
    fn answered(&mut self) {
        (self.silences, self.rests, self.began, self.until) = (0, 0, None, None);
    }

    fn silent(&mut self, started: Instant) {
        if self.silences >= LIST_SILENCES_MAX && self.began.is_some_and(|began| started < began) {
            // Asked before it was sent to rest: what it says is known.
            return;
        }
        self.silences = self.silences.saturating_add(1);
        if self.silences >= LIST_SILENCES_MAX {
            let times = 1_u32.checked_shl(self.rests.min(16)).unwrap_or(u32::MAX);
            let now = Instant::now();
            let rest = LIST_REST_TIME.saturating_mul(times).min(LIST_REST_TIME_MAX);
            self.rests = self.rests.saturating_add(1);
            self.began = Some(now);
            self.until = now.checked_add(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(3);

    fn silent(memory: &Memory) {
        let now = Instant::now();
        memory.heard(&Said::Nothing(Silence::Late), now);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_silent_rests_longer_each_time_and_one_question_wakes_it() {
        let memory = Memory::default();
        for _ in 1..LIST_SILENCES_MAX {
            silent(&memory);
            assert!(memory.may_ask(Instant::now(), WITHIN));
        }
        silent(&memory);
        assert_eq!(memory.turn(), Some(Turn::Rests));
        assert_eq!(memory.turn(), None);
        let mut rest = LIST_REST_TIME;
        for _ in 0..10 {
            tokio::time::advance(rest - Duration::from_millis(1)).await;
            assert!(!memory.may_ask(Instant::now(), WITHIN), "{rest:?}");
            tokio::time::advance(Duration::from_millis(1)).await;
            // One asks, the others don't wait for what comes of it.
            assert!(memory.may_ask(Instant::now(), WITHIN) && !memory.may_ask(Instant::now(), WITHIN));
            silent(&memory);
            rest = (rest * 2).min(LIST_REST_TIME_MAX);
        }
        tokio::time::advance(rest).await;
        assert!(memory.may_ask(Instant::now(), WITHIN));
        memory.heard(&Said::No(Instant::now()), Instant::now());
        assert_eq!(memory.turn(), Some(Turn::Answers));
        assert!(memory.may_ask(Instant::now(), WITHIN) && memory.may_ask(Instant::now(), WITHIN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_never_answered_for_doesnt_hold_the_list_for_ever() {
        let memory = Memory::default();
        (0..LIST_SILENCES_MAX).for_each(|_| silent(&memory));
        tokio::time::advance(LIST_REST_TIME).await;
        assert!(memory.may_ask(Instant::now(), WITHIN) && !memory.may_ask(Instant::now(), WITHIN));
        tokio::time::advance(WITHIN).await;
        assert!(memory.may_ask(Instant::now(), WITHIN));
    }

    #[tokio::test(start_paused = true)]
    async fn silences_of_questions_asked_together_send_it_to_rest_once() {
        let memory = Memory::default();
        let started = Instant::now();
        tokio::time::advance(WITHIN).await;
        for _ in 0..100 {
            memory.heard(&Said::Nothing(Silence::Late), started);
        }
        tokio::time::advance(LIST_REST_TIME).await;
        assert!(memory.may_ask(Instant::now(), WITHIN));
        assert_eq!(memory.counts.silent.load(Ordering::Relaxed), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_were_not_asked_say_nothing_of_it() {
        let memory = Memory::default();
        for _ in 0..100 {
            memory.heard(&Said::Nothing(Silence::NoTurn), Instant::now());
        }
        assert!(!memory.rests() && memory.may_ask(Instant::now(), WITHIN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_looked_at_by_how_it_is() {
        let memory = Memory::default();
        assert_eq!(memory.due(), None);
        let now = Instant::now();
        for (state, wait) in
            [(ListState::On, LIST_CHECK_TIME), (ListState::Off { why: Fault::AnswersNothing }, LIST_HEAL_TIME)]
        {
            memory.settle(state, false, Timestamp(1));
            assert_eq!(memory.due(), Some(now + wait));
        }
        memory.heard(&Said::Nothing(Silence::Trouble("192.0.2.1".parse().unwrap())), now);
        assert_eq!(memory.due(), Some(now + LIST_RETRY_TIME));
        memory.unsettled();
        assert_eq!(memory.due(), Some(now + LIST_RETRY_TIME));
    }
}
