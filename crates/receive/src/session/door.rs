//! Before the greeting: who is let speak at all, who waits, and who doesn't wait.

use super::rules::reason_of;
use super::stranger::Stranger;
use super::{End, Host};
use mailward_core::event::Event;
use mailward_core::foreign;
use mailward_core::limits::{EARLY_BYTES_MAX, STANDING_WAIT};
use mailward_core::{Listener, is_public};
use mailward_gate::Findings as _;
use mailward_gate::journal::{Stage, Verdict as Noted};
use mailward_gate::score::{Sign, Verdict};
use mailward_smtp::Reply;
use mailward_smtp::input::Input;
use mailward_smtp::server::Closing;
use mailward_tls::Wire;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};

/// What becomes of somebody who connected.
pub(super) enum Door {
    /// It is greeted.
    Open,
    /// It speaks another protocol, and gets no word.
    Silent,
    /// It hears this, and the door shuts.
    Cut(Reply, Closing),
    /// It is gone.
    Gone(End),
}

/// What somebody does while it has to wait.
enum Waited {
    /// It waited.
    Patient,
    /// It spoke.
    Spoke,
    /// It is gone.
    Gone,
    /// The server stops, or the session was ended.
    Stop,
}

impl Host<'_> {
    /// Decides whether a stranger is greeted, and when. Who looks well is greeted as soon as the DNS has answered.
    pub(super) async fn at_the_door(&mut self, wire: &mut Wire, input: &mut Input) -> Door {
        let began = Instant::now();
        let treatment = self.context.rules.at_the_door(self.peer.address, self.peer.listener);
        if let Some(reply) = self.refused_by_rule(&treatment, None, None) {
            let reason = reason_of(&treatment);
            let reply = self.refer(Stage::Connect, Noted::Refused, None, None, &reason, &reply);
            return Door::Cut(reply, Closing::ShutOut);
        }
        let (Some(ip), Listener::Smtp) = (self.peer.address, self.peer.listener) else { return Door::Open };
        if !treatment.is_checked() && !treatment.waits_for_name() {
            return Door::Open;
        }
        if let Some(hit) = self.barred() {
            let reply =
                self.refer(Stage::Connect, Noted::Deferred, None, None, &hit.to_string(), &Reply::TOO_MUCH_AT_ALL);
            return Door::Cut(reply, Closing::ShutOut);
        }
        let Some(guard) = &self.context.guard else { return Door::Open };
        let stranger = Stranger::new(ip, guard, self.context.settings.load().guard.clone());
        let (inquiry, delay) = (stranger.inquiry.clone(), stranger.settings.greeting_delay());
        self.stranger = Some(stranger);
        let standing = inquiry.wait(STANDING_WAIT.min(delay));
        let waited = tokio::select! {
            biased;
            waited = self.interrupted(wire, input) => waited,
            _ = standing => Waited::Patient,
        };
        let waited = match waited {
            Waited::Patient if self.has_to_wait() => {
                let until = sleep_until(began.checked_add(delay).unwrap_or(began));
                tokio::select! {
                    biased;
                    waited = self.interrupted(wire, input) => waited,
                    () = until => Waited::Patient,
                }
            }
            waited => waited,
        };
        match waited {
            Waited::Patient => Door::Open,
            Waited::Gone => Door::Gone(End::Lost),
            Waited::Stop => Door::Cut(self.last_word().clone(), Closing::Shutdown),
            Waited::Spoke => self.early_talker(input),
        }
    }

    /// Whether a stranger is greeted late: it looks bad, or the DNS hasn't told yet how it looks.
    fn has_to_wait(&self) -> bool {
        self.stranger.as_ref().is_some_and(|stranger| {
            let standing = stranger.inquiry.now();
            let is_known = standing.is_whole() || !is_public(stranger.ip);
            !is_known || stranger.at_first_sight(&standing).verdict(stranger.marks) >= Verdict::Bad
        })
    }

    /// Ends when the other side does anything, or the server wants to stop.
    async fn interrupted(&self, wire: &mut Wire, input: &mut Input) -> Waited {
        let mut shutdown = self.shutdown.clone();
        let space = input.space();
        let most = space.len().min(EARLY_BYTES_MAX);
        let Some(space) = space.get_mut(..most) else { return Waited::Gone };
        let read = tokio::select! {
            biased;
            () = shutdown.fired() => return Waited::Stop,
            read = wire.read(space) => read,
        };
        match read {
            Ok(count) if count > 0 => {
                input.filled(count);
                Waited::Spoke
            }
            _ => Waited::Gone,
        }
    }

    fn early_talker(&mut self, input: &Input) -> Door {
        // What it is stands in the log when the session has read it.
        if foreign::recognise(input.unread()).is_some() {
            return Door::Silent;
        }
        let Some(stranger) = &mut self.stranger else { return Door::Open };
        if !stranger.settings.refuse_early_talkers {
            stranger.seen.sign(Sign::EarlyTalker);
            return Door::Open;
        }
        self.context.events.emit(Event::info("client.early").with_peer(self.peer));
        let reply =
            self.refer(Stage::Connect, Noted::Cut, None, None, "spoke before the greeting", &Reply::EARLY_TALKER);
        Door::Cut(reply, Closing::EarlyTalker)
    }
}
