//! The audit's own account: made for a run, asked about, and taken away with all that it left.

mod held;
mod sinks;

pub(crate) use sinks::is_alias;

use super::desk::{Desk, shown};
use crate::compose::bans::{spare, try_doors};
use crate::failure::Failure;
use mailward_audit::Held;
use mailward_core::limits::{
    AUDIT_ALIVE_TIME, AUDIT_FOLLOWED_MAX, AUDIT_HEADER_MAX, AUDIT_LOCAL, AUDIT_LOG_MAX, AUDIT_RUN_TIME,
};
use mailward_core::rule::Rule;
use mailward_core::{AccountId, Address, Clock as _, Secret, SystemClock, Timestamp};
use mailward_directory::{NewPassword, NewUser, UserInfo};
use mailward_gate::journal::{Asked, What};
use mailward_gate::rules::{NewRule, RulePlace};
use mailward_inspect::quarantine::Note;
use mailward_store::records::{KeptFor, MailboxRecord, MessageRecord, Quarantined, QueueFilter, Steer, UidRange};
use mailward_store::{MailStore as _, QuarantineStore as _, QueueStore as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// What is asked of it. Only accounts that were made here can be meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Makes one: see [`Made`]; nothing while another audit goes on. It goes by itself after `limits::AUDIT_RUN_TIME`.
    Make,
    /// The audit goes on: said every `limits::AUDIT_ALIVE_EVERY`.
    Alive { address: Address },
    /// Messages in its mailboxes whose header has this text: a list of [`Found`].
    Arrived { address: Address, marker: String },
    /// The same of what is kept for it in the quarantine: a list of what was found in each.
    Kept { address: Address, marker: String },
    /// What is remembered by the name that a reply gave, in words.
    Trace { reference: String },
    /// The log from this time on.
    Log { since: Timestamp },
    /// How many messages the spam filter learned from it: as spam, and as none.
    Learned { address: Address },
    /// Sends what it writes to one address elsewhere to this port of loopback; the address.
    Sink { address: Address, port: u16, demands_tls: bool },
    /// Has what strangers send to an alias of its go on to this port of loopback; the alias.
    Forward { address: Address, port: u16 },
    /// Takes a message of it into the quarantine; whether users may decide on what is kept there for such a reason.
    Hold { address: Address, marker: String, held: Held },
    /// Lets one go that is kept for it, as `mailward quarantine release` does; whether there was one.
    Release { address: Address, marker: String },
    /// Makes a digest for it alone, by links that end after so many milliseconds: a [`Digest`], or nothing.
    Digest { address: Address, milliseconds: u64 },
    /// Takes it away.
    Forget { address: Address },
}

/// An account that was made.
#[derive(Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) address: String,
    pub(crate) password: String,
    /// Whoever comes from there is a stranger, as long as the account is there.
    pub(crate) stranger: IpAddr,
}

/// Whose turn it is. Two audits at once would fill the doors for each other and count each other's failures, so only one has an
/// account; another waits until it is over, or wasn't heard of for `limits::AUDIT_ALIVE_TIME`, as its process was killed.
#[derive(Debug, Default)]
pub(crate) struct Turn(tokio::sync::Mutex<Option<Holder>>);

#[derive(Debug)]
struct Holder {
    address: Address,
    heard: Instant,
}

impl Holder {
    fn is_alive(&self) -> bool {
        self.heard.elapsed() < AUDIT_ALIVE_TIME
    }
}

impl Turn {
    /// It goes on.
    async fn alive(&self, address: &Address) {
        if let Some(holder) = self.0.lock().await.as_mut().filter(|holder| holder.address == *address) {
            holder.heard = Instant::now();
        }
    }
}

/// A message in a mailbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) folder: String,
    pub(crate) header: String,
}

/// The same with where it is.
struct Marked {
    mailbox: MailboxRecord,
    message: MessageRecord,
    header: String,
}

/// How such an account is called. Together with the name before the @ nobody else is.
const NAME: &str = "Mailward audit, for this run only";

/// Whether a user is one of these: it is no user's.
pub(crate) fn is_one(user: &UserInfo) -> bool {
    user.display_name == NAME && user.address.local().as_str().starts_with(AUDIT_LOCAL)
}

impl Desk {
    /// Does it.
    pub(crate) async fn canary(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::Make => shown(self.make_canary().await?),
            Ask::Arrived { address, marker } => {
                let account = self.canary_account(&address).await?;
                shown(self.canary_mail(account, &marker).await?)
            }
            Ask::Kept { address, marker } => {
                let account = self.canary_account(&address).await?;
                shown(self.canary_kept(account, &marker).await?)
            }
            Ask::Trace { reference } => shown(self.canary_trace(&reference).await?),
            Ask::Log { since } => shown(self.log_since(since).await?),
            Ask::Alive { address } => {
                self.audit.turn.alive(&address).await;
                Ok(Value::Null)
            }
            Ask::Learned { address } => {
                let account = self.canary_account(&address).await?;
                let known = self.spam_filter().await?.knowledge(Some(account));
                shown((known.spam, known.ham))
            }
            Ask::Sink { address, port, demands_tls } => {
                self.canary_account(&address).await?;
                shown(self.canary_sink(&address, port, demands_tls).await?)
            }
            Ask::Forward { address, port } => {
                self.canary_account(&address).await?;
                shown(self.canary_forward(&address, port).await?)
            }
            Ask::Hold { address, marker, held } => {
                let account = self.canary_account(&address).await?;
                shown(self.canary_hold(account, &address, &marker, held).await?)
            }
            Ask::Release { address, marker } => {
                let account = self.canary_account(&address).await?;
                shown(self.canary_release(account, &marker).await?)
            }
            Ask::Digest { address, milliseconds } => {
                let account = self.canary_account(&address).await?;
                shown(self.canary_digest(account, Duration::from_millis(milliseconds)).await?)
            }
            Ask::Forget { address } => {
                self.canary_account(&address).await?;
                self.end_turn(&address).await?;
                Ok(Value::Null)
            }
        }
    }

    /// What every door does with an address that is banned.
    pub(crate) async fn canary_bans(&self) -> Result<Value, Failure> {
        shown(try_doors(&self.bans, self.server()?.doors()).await?)
    }

    /// Nothing while another audit goes on.
    async fn make_canary(&self) -> Result<Option<Made>, Failure> {
        let mut turn = self.audit.turn.0.lock().await;
        if turn.as_ref().is_some_and(Holder::is_alive) {
            return Ok(None);
        }
        *turn = None;
        self.forget_canaries().await?;
        let domains = self.directory.list_domains();
        let domain = domains.iter().find(|domain| domain.enabled);
        let domain = domain.ok_or_else(|| Failure::Refused("there is no domain for the audit's account".to_owned()))?;
        let now = SystemClock.now();
        let address = Address::parse(&format!("{AUDIT_LOCAL}{:x}@{}", now.0, domain.name), false)
            .map_err(|error| Failure::Bug(error.to_string()))?;
        let user = NewUser {
            address: address.clone(),
            password: NewPassword::Generated,
            display_name: NAME.to_owned(),
            quota_bytes: 0,
            quota_messages: 0,
        };
        let (_user, password) = self.directory.add_user(user).await?;
        let password = password.ok_or_else(|| Failure::Bug("no password was generated".to_owned()))?;
        // This host is let off what strangers meet; a loopback address that nobody uses gives that up.
        let stranger = spare(&self.bans)?;
        let rule = Rule::parse(&format!("{stranger} allow")).map_err(|error| Failure::Bug(error.to_string()))?;
        let rule = NewRule { rule, comment: NAME.to_owned() };
        self.rules.add(vec![rule], RulePlace::First, "the audit", now).await?;
        // Whoever asked for it may be gone before it is done.
        let (desk, whose) = (self.clone(), address.clone());
        tokio::spawn(async move {
            tokio::time::sleep(AUDIT_RUN_TIME).await;
            if desk.directory.account_id(&whose).is_some() {
                let _gone_already = desk.end_turn(&whose).await;
            }
        });
        *turn = Some(Holder { address: address.clone(), heard: Instant::now() });
        Ok(Some(Made { address: address.to_string(), password: text_of(&password), stranger }))
    }

    /// Takes one away, and with it whatever is left of others, if no other audit goes on meanwhile.
    async fn end_turn(&self, address: &Address) -> Result<(), Failure> {
        let mut turn = self.audit.turn.0.lock().await;
        if turn.as_ref().is_some_and(|holder| holder.address != *address && holder.is_alive()) {
            return self.forget_canary(address).await;
        }
        *turn = None;
        self.forget_canaries().await
    }

    /// Takes away what earlier runs left that were killed.
    pub(crate) async fn forget_canaries(&self) -> Result<(), Failure> {
        for user in self.directory.list_users(None, None).await?.iter().filter(|user| is_one(user)) {
            self.forget_canary(&user.address).await?;
        }
        for kept in self.rules.list().await.iter().filter(|kept| kept.comment == NAME) {
            self.rules.remove(kept.id).await?;
        }
        self.close_sinks().await?;
        Ok(())
    }

    async fn forget_canary(&self, address: &Address) -> Result<(), Failure> {
        if let Some(account) = self.directory.account_id(address) {
            self.forget_kept(account).await?;
            self.forget_sent().await?;
            self.directory.remove_user(address).await?;
            super::sessions::end_of_account(self.server.as_ref(), account, super::sessions::Why::Removed);
        }
        Ok(())
    }

    /// What is in the quarantine for it, a page at a time: as many pages as a run can fill, and more.
    async fn forget_kept(&self, account: AccountId) -> Result<(), Failure> {
        for _page in 0..AUDIT_FOLLOWED_MAX {
            let page = self.store.quarantine(Some(account), None, AUDIT_FOLLOWED_MAX).await?;
            if page.is_empty() {
                break;
            }
            for kept in page {
                self.store.discard(kept.id, KeptFor::Account(account), Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// What still waits to be sent elsewhere is nobody's, and nobody is to hear that it failed.
    async fn forget_sent(&self) -> Result<(), Failure> {
        let domain = Some(sinks::elsewhere()?);
        // What others sent to its alias is nobody's, and nobody else sends there.
        let filter = QueueFilter { domain, ..QueueFilter::default() };
        let mut after = None;
        for _step in 0..AUDIT_FOLLOWED_MAX {
            let steered = self.store.steer(filter.clone(), Steer::Remove, after).await?;
            after = steered.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn canary_account(&self, address: &Address) -> Result<AccountId, Failure> {
        let users = self.directory.list_users(None, None).await?;
        if !users.iter().any(|user| user.address == *address && is_one(user)) {
            return Err(Failure::Refused(format!("{address} is no account of the audit")));
        }
        self.account(address)
    }

    async fn canary_mail(&self, account: AccountId, marker: &str) -> Result<Vec<Found>, Failure> {
        let found = self.canary_messages(account, marker).await?;
        Ok(found.into_iter().map(|one| Found { folder: one.mailbox.name.to_string(), header: one.header }).collect())
    }

    /// Messages in its mailboxes whose header has this text.
    async fn canary_messages(&self, account: AccountId, marker: &str) -> Result<Vec<Marked>, Failure> {
        let mut found = Vec::new();
        for mailbox in self.store.mailboxes(account).await? {
            for message in self.store.messages(mailbox.id, vec![UidRange::ALL], AUDIT_FOLLOWED_MAX).await? {
                let bytes = self.store.read(message.blob, 0, message.size.min(AUDIT_HEADER_MAX)).await?;
                let header = header(&bytes);
                if header.contains(marker) {
                    found.push(Marked { mailbox: mailbox.clone(), message, header });
                }
            }
        }
        Ok(found)
    }

    async fn canary_kept(&self, account: AccountId, marker: &str) -> Result<Vec<String>, Failure> {
        let found = self.canary_held(account, marker).await?;
        let why = |kept: Quarantined| {
            let findings = Note::read(&kept.note).map(|note| note.findings).unwrap_or_default();
            findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        Ok(found.into_iter().map(why).collect())
    }

    /// What is kept for it and has this text in its header.
    async fn canary_held(&self, account: AccountId, marker: &str) -> Result<Vec<Quarantined>, Failure> {
        let mut found = Vec::new();
        for kept in self.store.quarantine(Some(account), None, AUDIT_FOLLOWED_MAX).await? {
            let bytes = self.store.read(kept.blob, 0, kept.size.min(AUDIT_HEADER_MAX)).await?;
            if header(&bytes).contains(marker) {
                found.push(kept);
            }
        }
        Ok(found)
    }

    async fn canary_trace(&self, reference: &str) -> Result<String, Failure> {
        let mut told = Vec::new();
        if let Ok(what @ What::Reference(_)) = What::parse(reference) {
            let asked = Asked { what, put_off: false, since: None };
            for entry in self.watch.journal.find(&asked).await?.entries {
                told.push(shown(entry)?.to_string());
            }
        }
        if let Some(remembered) = self.watch.verdicts.find(reference).await? {
            told.extend(remembered.note.findings.iter().map(ToString::to_string));
        }
        Ok(told.join("\n"))
    }

    async fn log_since(&self, since: Timestamp) -> Result<String, Failure> {
        let file = self.server()?.log_file();
        let file = file.ok_or_else(|| {
            Failure::Refused("the log goes to standard error, where the audit can't read it: set log.file".to_owned())
        })?;
        let read = tokio::task::spawn_blocking(move || end_of(&file, since)).await;
        read.map_err(|error| Failure::Bug(error.to_string()))?
    }
}

fn text_of(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// A message's bytes up to its first empty line.
fn header(bytes: &[u8]) -> String {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at.saturating_add(2));
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// The log from the first line on that is of this time or later, whatever the lines behind it look like.
pub(super) fn end_of(path: &Path, since: Timestamp) -> Result<String, Failure> {
    let failed = |error| Failure::io(path.display(), error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let from = length.saturating_sub(AUDIT_LOG_MAX);
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(AUDIT_LOG_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    // Where it was cut the first line isn't whole.
    let whole = if from > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    let since = since.text();
    let mut at = 0_usize;
    for line in whole.split_inclusive('\n') {
        if line.get(..since.len()).is_some_and(|time| is_time(time) && time >= since.as_str()) {
            return Ok(whole.get(at..).unwrap_or_default().to_owned());
        }
        at = at.saturating_add(line.len());
    }
    Ok(String::new())
}

fn is_time(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with('Z')
}

#[cfg(test)]
mod tests;
