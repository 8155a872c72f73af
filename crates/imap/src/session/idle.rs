//! IDLE (RFC 2177): news as they come.

use super::reply::{Done, Stop};
use super::{Expunges, Session, State, later};
use mailward_core::limits::IMAP_IDLE_TIME;

/// `DONE` and what may stand around it.
const LINE_MAX: usize = 64;

impl Session {
    pub(super) async fn idle(&mut self) -> Result<Done, Stop> {
        self.io.line(&["+ idling"]);
        let deadline = later(IMAP_IDLE_TIME);
        loop {
            if let Some(line) = self.take_line(LINE_MAX)? {
                if line.eq_ignore_ascii_case(b"DONE") {
                    return Ok(Done::ok("idled"));
                }
                return Ok(Done::bad("IDLE ends with DONE"));
            }
            self.check_welcome()?;
            if let State::Selected(_, view) = &mut self.state {
                if view.has_news() {
                    view.tell_news(&mut self.io, &*self.context.store, self.condstore, Expunges::Tell).await?;
                }
                self.io.flush().await?;
                self.io.rest();
                let mut watch = view.watch.clone();
                let seen = view.mod_seq;
                tokio::select! {
                    biased;
                    read = self.io.read(deadline, false) => read?,
                    // The guard on the value must not live across an await.
                    news = async { watch.wait_for(|now| *now > seen).await.is_ok() } => {
                        if !news {
                            // The store is closing; the word to stop is on its way.
                            self.io.read(deadline, false).await?;
                        }
                    }
                }
            } else {
                self.io.read(deadline, false).await?;
            }
        }
    }
}
