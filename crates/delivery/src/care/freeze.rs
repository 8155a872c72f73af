//! Freezing: a user whose pattern breaks sends nothing more until an administrator has looked.

use super::Care;
use mailward_core::AccountId;
use mailward_core::event::Event;
use mailward_core::limits::{
    FREEZE_HELD_MESSAGES, FREEZE_HISTORY_HOURS, FREEZE_NEW_RECIPIENTS, FREEZE_NEW_TIMES, FREEZE_REFUSED_PART,
    FREEZE_REFUSED_RECIPIENTS, FREEZE_SESSIONS_TOLD,
};
use mailward_store::api::{QueueStore, SendingStore, StoreError};
use mailward_store::records::{QueueFilter, Scope, SentRecord, Steer, Withheld};
use std::sync::Arc;

/// Beside what is held of a frozen user.
#[must_use]
pub fn frozen_words(why: &str) -> String {
    Withheld::Frozen(why.to_owned()).to_string()
}

/// Why a user who sent so much is to be frozen, if so.
fn reason(sent: &SentRecord) -> Option<String> {
    if sent.held >= FREEZE_HELD_MESSAGES {
        return Some(format!("{} messages beyond its limits in a day", sent.held));
    }
    let new = sent.sent.new_per_hour;
    // Whoever has just begun knows nobody yet: for them there are the limits.
    if new >= FREEZE_NEW_RECIPIENTS
        && sent.hours >= FREEZE_HISTORY_HOURS
        && new >= sent.busiest.saturating_mul(FREEZE_NEW_TIMES)
    {
        return Some(format!("{new} new recipients in an hour, where {} was the most in four weeks", sent.busiest));
    }
    let all = sent.sent.recipients_per_day;
    if sent.refused >= FREEZE_REFUSED_RECIPIENTS && sent.refused.saturating_mul(FREEZE_REFUSED_PART) >= all {
        return Some(format!("{} recipients refused for good in an hour, of {all} in a day", sent.refused));
    }
    None
}

impl Care {
    /// Looks at what an account sent, and freezes it if its pattern breaks.
    pub async fn look_at(self: &Arc<Self>, account: AccountId) {
        if let Err(error) = self.try_look_at(account).await {
            let event = Event::warn("user.unwatched").with("user", self.name(account));
            self.events.emit(event.with("reason", error));
        }
    }

    async fn try_look_at(self: &Arc<Self>, account: AccountId) -> Result<(), StoreError> {
        let sent = self.sending.sent(Scope::Account(account)).await?;
        match reason(&sent) {
            Some(why) if self.sending.freeze(account, why.clone()).await? => {
                self.froze(account, &why);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tells that an account was frozen, and begins to hold what waits of it.
    pub fn froze(self: &Arc<Self>, account: AccountId, why: &str) {
        let user = self.name(account);
        let sessions = self.sessions(&user);
        let told = if sessions.is_empty() { "none".to_owned() } else { sessions.join("; ") };
        let event = Event::alert("user.frozen").with("user", &user).with("why", why).with("sessions", told);
        let mut lines = vec![
            format!("{user} is frozen: {why}."),
            String::new(),
            "What the user sends to other domains is accepted and held from now on, and what".to_owned(),
            "waited in the queue is held too. Mail from others and between users here is not affected.".to_owned(),
            String::new(),
            "Logged in now:".to_owned(),
        ];
        let none = sessions.is_empty().then(|| "nobody".to_owned());
        lines.extend(sessions.into_iter().chain(none).map(|session| format!("  {session}")));
        lines.extend([
            String::new(),
            format!("Look:                   mailward queue list --user {user} --held"),
            format!("If a password was lost: mailward user password {user}     (ends all sessions)"),
            format!("                        mailward queue remove --user {user} --held"),
            format!("Then, or if all is well: mailward user unfreeze {user} --release"),
        ]);
        self.events.emit(event.in_words("A user is frozen", &lines));
        let care = Arc::clone(self);
        let why = why.to_owned();
        tokio::spawn(async move { care.hold_rest(account, &why).await });
    }

    /// Sessions of a user, a line each.
    fn sessions(&self, user: &str) -> Vec<String> {
        let all = self.gate.sessions();
        let own = all.iter().filter(|session| session.user.as_deref() == Some(user));
        let mut lines: Vec<String> = own
            .map(|session| {
                let client = session.client.as_deref().unwrap_or("unknown client");
                let listener = session.peer.listener;
                format!("session {} {listener} from {}: {client}", session.peer.session, session.peer.address_text())
            })
            .collect();
        let count = lines.len();
        lines.truncate(FREEZE_SESSIONS_TOLD);
        if count > lines.len() {
            lines.push(format!("and {} more: mailward sessions --user {user}", count.saturating_sub(lines.len())));
        }
        lines
    }

    /// Holds what waits of a frozen account, and says so if it can't.
    async fn hold_rest(&self, account: AccountId, why: &str) {
        if let Err(error) = hold_waiting(&*self.queue, &*self.sending, account, why).await {
            let event = Event::alert("user.unfinished").with("user", self.name(account)).with("reason", error);
            self.events.emit(event.with("mend", "a restart goes on with it, or mailward queue hold --user ADDRESS"));
        }
    }

    /// Goes on with what a stop or a crash broke off: holds what waits of accounts that were frozen. For the start.
    pub async fn resume(self: &Arc<Self>) {
        let senders = match self.sending.senders().await {
            Ok(senders) => senders,
            Err(error) => {
                self.events.emit(Event::alert("user.unfinished").with("reason", error));
                return;
            }
        };
        for sender in senders {
            if let (Scope::Account(account), Some(frozen)) = (sender.scope, sender.frozen)
                && frozen.unfinished
            {
                self.hold_rest(account, &frozen.why).await;
            }
        }
    }
}

/// Holds what waits of a frozen account, step by step, and notes that it is done.
///
/// # Errors
/// What the store says; then [`Care::resume`] goes on with it at the next start.
pub async fn hold_waiting(
    queue: &dyn QueueStore,
    sending: &dyn SendingStore,
    account: AccountId,
    why: &str,
) -> Result<(), StoreError> {
    let filter = QueueFilter { submitter: Some(account), held: Some(false), ..QueueFilter::default() };
    let mut after = None;
    loop {
        let step = queue.steer(filter.clone(), Steer::Hold(frozen_words(why)), after).await?;
        after = step.next;
        if after.is_none() {
            return sending.froze_all(account).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::SendLimits;

    fn sent(recipients: u64, new: u64) -> SentRecord {
        let sent = SendLimits { recipients_per_day: recipients, new_per_hour: new, ..SendLimits::default() };
        SentRecord { sent, hours: FREEZE_HISTORY_HOURS, ..SentRecord::default() }
    }

    #[test]
    fn each_rule_begins_at_its_limit() {
        assert_eq!(reason(&SentRecord::default()), None);
        for (held, frozen) in [(FREEZE_HELD_MESSAGES - 1, false), (FREEZE_HELD_MESSAGES, true)] {
            assert_eq!(reason(&SentRecord { held, ..SentRecord::default() }).is_some(), frozen);
        }
        for (new, busiest, hours, frozen) in [
            (FREEZE_NEW_RECIPIENTS, 5, FREEZE_HISTORY_HOURS, true),
            (FREEZE_NEW_RECIPIENTS - 1, 0, FREEZE_HISTORY_HOURS, false),
            (FREEZE_NEW_RECIPIENTS, FREEZE_NEW_RECIPIENTS / FREEZE_NEW_TIMES + 1, FREEZE_HISTORY_HOURS, false),
            (FREEZE_NEW_RECIPIENTS, 5, FREEZE_HISTORY_HOURS - 1, false),
        ] {
            let sent = SentRecord { busiest, hours, ..sent(new, new) };
            assert_eq!(reason(&sent).is_some(), frozen, "{sent:?}");
        }
        let most = FREEZE_REFUSED_RECIPIENTS * FREEZE_REFUSED_PART;
        for (refused, all, frozen) in [
            (FREEZE_REFUSED_RECIPIENTS, most, true),
            (FREEZE_REFUSED_RECIPIENTS, most + 1, false),
            (FREEZE_REFUSED_RECIPIENTS - 1, 30, false),
        ] {
            assert_eq!(reason(&SentRecord { refused, ..sent(all, 0) }).is_some(), frozen);
        }
    }
}
