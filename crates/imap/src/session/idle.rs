//! Waiting: between commands, and in IDLE (RFC 2177), where news are told as they come.

use super::io::End;
use super::reply::{Done, Stop};
use super::{Expunges, Session, State, later};
use mailward_core::limits::IMAP_IDLE_TIME;
use mailward_store::StoreError;
use tokio::time::Instant;

/// `DONE` and what may stand around it.
const LINE_MAX: usize = 64;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Bytes,
    News,
}

impl Session {
    pub(super) async fn idle(&mut self) -> Result<Done, Stop> {
        self.io.line(&["+ idling"]);
        self.entry.waits();
        let deadline = later(IMAP_IDLE_TIME);
        loop {
            if let Some(line) = self.take_line(LINE_MAX)? {
                if line.eq_ignore_ascii_case(b"DONE") {
                    return Ok(Done::ok("idled"));
                }
                return Ok(Done::bad("IDLE ends with DONE"));
            }
            self.check_welcome()?;
            self.tell_selected_news(Expunges::Tell).await?;
            self.tell_unasked().await?;
            let selected = self.notify.as_ref().is_none_or(|notify| notify.tells_selected());
            self.woken(deadline, selected).await?;
        }
    }

    /// Waits for the first bytes of a command; who has asked for it by NOTIFY is told what happens meanwhile.
    pub(super) async fn wait(&mut self, deadline: Instant) -> Result<(), End> {
        self.entry.waits();
        let Some(notify) = &self.notify else {
            self.io.flush().await?;
            self.io.rest();
            return self.io.read(deadline, false).await;
        };
        let selected = notify.tells_selected_at_once();
        let expunges = if selected == Some(true) { Expunges::Hold } else { Expunges::Tell };
        loop {
            self.check_welcome()?;
            let told = match selected {
                Some(_) => self.tell_selected_news(expunges).await,
                None => Ok(()),
            };
            let told = match told {
                Ok(()) => self.tell_unasked().await,
                other => other,
            };
            match told {
                Ok(()) => {}
                Err(Stop::Store(StoreError::NotFound(_))) => return Err(End::Bye("the selected mailbox was deleted")),
                Err(stop) => {
                    // A store that fails is asked again with the next command, not over and over.
                    let _logged = self.settle(Err(stop))?;
                    return self.io.read(deadline, false).await;
                }
            }
            if self.woken(deadline, selected.is_some()).await? == Woken::Bytes {
                return Ok(());
            }
        }
    }

    async fn tell_selected_news(&mut self, expunges: Expunges) -> Result<(), Stop> {
        if self.notify.as_ref().is_some_and(|notify| !notify.tells_selected()) {
            return Ok(());
        }
        self.check_rights().await?;
        let State::Selected(_, view) = &mut self.state else { return Ok(()) };
        if !view.has_news_for(expunges) {
            return Ok(());
        }
        let before = view.map.last();
        view.tell_news(&mut self.io, &*self.context.store, self.enabled, expunges).await?;
        self.fetch_new(before).await
    }

    /// Sends what is due and sleeps until bytes come or there may be news, of the selected mailbox if that is wanted and
    /// of what NOTIFY watches.
    async fn woken(&mut self, deadline: Instant, selected: bool) -> Result<Woken, End> {
        self.io.flush().await?;
        self.io.rest();
        let mut watch = match &self.state {
            State::Selected(_, view) if selected => Some((view.watch.clone(), view.mod_seq)),
            _ => None,
        };
        // The guard on a watched value must not live across an await.
        let news_here = async {
            let told = match &mut watch {
                Some((watch, seen)) => watch.wait_for(|now| *now > *seen).await.is_ok(),
                None => false,
            };
            if !told {
                // Nothing is selected; or the store is closing, and the word to stop on its way.
                std::future::pending::<()>().await;
            }
        };
        let notify = &mut self.notify;
        let news_elsewhere = async {
            match notify {
                Some(notify) => notify.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            read = self.io.read(deadline, false) => read.map(|()| Woken::Bytes),
            () = news_here => Ok(Woken::News),
            () = news_elsewhere => Ok(Woken::News),
        }
    }
}
