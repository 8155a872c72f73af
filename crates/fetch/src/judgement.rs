//! What is thought of a fetched message before it is delivered: nobody else looked at it for us.

use crate::deliver::{Desk, Left, Source};
use bytes::Bytes;
use mailward_core::event::Event;
use mailward_core::limits::{BLOCKING_PREPARE_BYTES, INSPECT_TIME, QUARANTINE_NOTE_MAX};
use mailward_core::{AccountId, Address, MailboxName, Network, Timestamp};
use mailward_delivery::{Fate, JUNK, Keeping, Looked};
use mailward_gate::RelayPermit;
use mailward_inspect::quarantine::Note;
use mailward_inspect::{Action, Direction, Finding, Inspector, Recipient, Subject, verdict_field};
use mailward_store::StoreError;
use mailward_store::records::{Content, Delivery, Flags, Kept, Target, Ways};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Who judges fetched messages.
#[derive(Clone)]
pub struct Judge {
    /// As those that come by SMTP.
    pub inspector: Arc<Inspector>,
    /// How long what is kept from its recipients is kept, days, as it is at the moment.
    pub quarantine_days: Arc<dyn Fn() -> usize + Send + Sync>,
}

/// What becomes of a message.
#[derive(Default)]
pub(crate) struct Judgement {
    /// For each account, the strictest; those that aren't there get it as it is.
    fates: HashMap<AccountId, Fate>,
    keeping: Option<Keeping>,
    /// Whole header fields.
    fields: Vec<u8>,
}

/// Judges a message: as one from elsewhere, brought by somebody who is trusted. Who brought it to them isn't known.
///
/// # Errors
/// It can't be judged now: it stays where it is until the next visit.
pub(crate) async fn of(
    desk: &Desk,
    source: &Source<'_>,
    looked: &Looked,
    id: &str,
    sender: Option<&Address>,
    recipients: &[(Address, RelayPermit)],
) -> Result<Judgement, Left> {
    let Some(judge) = &desk.judge else { return Ok(Judgement::default()) };
    let accounts = |permit: &RelayPermit| permit.targets().iter().map(|target| target.account).collect::<Vec<_>>();
    let subject = Subject {
        bytes: looked.bytes.clone(),
        trace: looked.trace,
        structure: Arc::clone(&looked.structure),
        id: Arc::from(id),
        direction: Direction::Incoming,
        client: Some(source.secure.peer),
        hello: Arc::from(source.settings.host.to_string()),
        reverse: None,
        stranger: false,
        sender: sender.cloned(),
        recipients: recipients
            .iter()
            .map(|(address, permit)| Recipient { address: Some(address.clone()), accounts: accounts(permit) })
            .collect(),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: false,
        now: desk.clock.now(),
    };
    let now = Instant::now();
    let inspected = judge.inspector.inspect(&subject, now.checked_add(INSPECT_TIME).unwrap_or(now)).await;
    let verdict = &inspected.verdict;
    let mut fates = HashMap::new();
    let mut strongest = Action::Deliver;
    for (place, (_, permit)) in recipients.iter().enumerate() {
        let action = verdict.action_for(place);
        strongest = strongest.max(action);
        let fate = match action {
            Action::Deliver | Action::Mark | Action::Warn => Fate::Goes,
            Action::Junk => Fate::Junk,
            // Nobody could hear a refusal: the server that has it took it long ago.
            Action::Hold | Action::Quarantine | Action::Reject => Fate::Kept,
            Action::Defer => {
                let why: Vec<String> = verdict.reasons(place).map(Finding::to_string).collect();
                return Err(Left::Later(format!("it can't be judged now: {}", why.join("; ")), None));
            }
        };
        for account in accounts(permit) {
            let known = fates.entry(account).or_insert(fate);
            *known = fate.max(*known);
        }
    }
    if strongest > Action::Deliver {
        let found = verdict.findings.iter().filter(|finding| finding.action != Action::Deliver);
        let found: Vec<String> = found.map(Finding::to_string).collect();
        let event = Event::info("message.judged").with("account", source.name).with("id", id);
        let event = event.with("direction", subject.direction.name()).with("action", strongest.name());
        desk.events.emit(event.with("found", found.join("; ")));
    }
    let keeping = fates.values().any(|fate| *fate == Fate::Kept).then(|| {
        let days = u64::try_from((judge.quarantine_days)()).unwrap_or(u64::MAX);
        let time = Duration::from_secs(days.saturating_mul(86_400));
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let note = Note::of(&subject, verdict).to_bytes(QUARANTINE_NOTE_MAX);
        Keeping {
            note: Bytes::from(note),
            expires: Timestamp(subject.now.0.saturating_add(time)),
            // Who sends there what is kept here can't be known; that it doesn't take the room of all can be.
            source: Some(Network::neighbours(source.secure.peer)),
        }
    });
    Ok(Judgement { fates, keeping, fields: verdict_field(&inspected, &desk.hostname).into_bytes() })
}

impl Judgement {
    pub(crate) fn fate(&self, account: AccountId) -> Fate {
        self.fates.get(&account).copied().unwrap_or_default()
    }

    /// The message with what was found before it.
    pub(crate) async fn content(&self, looked: Looked) -> Result<Content, StoreError> {
        let fields = self.fields.clone();
        if looked.bytes.len() < BLOCKING_PREPARE_BYTES {
            return Ok(looked.content(&fields));
        }
        tokio::task::spawn_blocking(move || looked.content(&fields)).await.map_err(|_| StoreError::Closed)
    }

    /// Everything that becomes of it for these accounts.
    pub(crate) fn delivery(&self, content: &Content, accounts: &[AccountId]) -> Delivery {
        let places = |fate: Fate, mailbox: Option<MailboxName>| -> Vec<Target> {
            let theirs = accounts.iter().filter(|account| self.fate(**account) == fate);
            theirs.map(|account| Target { account: *account, mailbox: mailbox.clone(), flags: Flags::NONE }).collect()
        };
        let mut targets = places(Fate::Goes, None);
        targets.extend(places(Fate::Junk, MailboxName::parse(JUNK).ok()));
        let ways = Ways { targets: places(Fate::Kept, None), queued: Vec::new() };
        let kept = self.keeping.as_ref().filter(|_| !ways.is_empty()).map(|keeping| Kept {
            ways,
            note: keeping.note.clone(),
            expires: keeping.expires,
            source: keeping.source,
        });
        Delivery { content: content.clone(), targets, queued: Vec::new(), kept }
    }
}
