//! What the server says of itself to an audit: facts, from the parts that have them.

use crate::control::canary;
use crate::control::desk::Desk;
use crate::failure::Failure;
use mailward_audit::{
    Administration, AlertWay, Audits, DkimKey, Engine, Hashes, Passwords, Quarantine, Rescan, Settings, SettingsFile,
    State, TrustRule,
};
use mailward_core::limits::{
    AUDIT_NAMES_MAX, DMARC_REPORT_PAGE, HASHES_AT_ONCE, QUARANTINE_MESSAGES_MAX, QUARANTINE_PAGE,
};
use mailward_core::rule::Action;
use mailward_core::{Address, Clock as _, Listener, Secret, SystemClock, Timestamp};
use mailward_delivery::dmarc_reports::Heard;
use mailward_directory::Resolution;
use mailward_gate::rules::{KeptRule, Source};
use mailward_inspect::antivirus::Health;
use mailward_inspect::quarantine::Note;
use mailward_inspect::rescan::{self, End, Last, Run, Whose};
use mailward_store::records::{AccountRecord, DkimState, Scope, Shelf};
use mailward_store::{DirectoryStore as _, QuarantineStore as _, SendingStore as _, ShelfStore as _, StoreError};
use mailward_sts::Day;
use mailward_vault::{Credential, Subject, check_password};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt as _;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Days in which reports of others are looked for.
const REPORT_DAYS: i64 = 7;

/// Passwords of nobody that guessers begin with: long enough to be taken for their length alone, and found in every list of
/// what leaks.
const GUESSED_FIRST: [&str; 6] =
    ["password1234", "qwertyuiop12", "1q2w3e4r5t6y", "iloveyou1234", "administrator", "1234567890ab"];

/// Whether somebody administers through a door. A new kind of door has to say.
const fn administers(listener: Listener) -> bool {
    match listener {
        Listener::Smtp
        | Listener::Submission
        | Listener::Submissions
        | Listener::Imap
        | Listener::Imaps
        | Listener::Pop3
        | Listener::Pop3s
        | Listener::Lmtp
        // Pages for users alone: what links in the quarantine's digest lead to.
        | Listener::Https
        | Listener::Http => false,
    }
}

impl Desk {
    /// All of it. What can't be told is left out.
    pub(super) async fn audit_state(&self) -> Result<State, Failure> {
        let (server, seen) = (self.server.as_ref(), self.watch.clients.seen());
        let mut users = self.directory.list_users(None, None).await?;
        // The audit's own account is nobody's.
        users.retain(|user| !canary::is_one(user));
        let accounts = users.into_iter().map(|user| (user.address.to_string().to_lowercase(), user.enabled));
        let mut dkim: BTreeMap<String, Vec<DkimKey>> = BTreeMap::new();
        for key in self.dkim.list(None).await?.into_iter().filter(|key| key.state == DkimState::Active) {
            let key_of = DkimKey { selector: key.selector, value: key.record.value, made: Some(key.created) };
            dkim.entry(key.domain.to_string()).or_default().push(key_of);
        }
        let domains = self.directory.list_domains();
        let catch_all =
            domains.iter().filter_map(|domain| Some((domain.name.to_string(), domain.catch_all.as_ref()?.to_string())));
        Ok(State {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            pid: server.map(|_| std::process::id()),
            name: server.map(|server| server.hostname().to_string()),
            catch_all: Some(catch_all.collect()),
            domains: domains.iter().map(|domain| domain.name.to_string()).collect(),
            accounts: Some(accounts.collect()),
            dkim,
            settings: server.map(|server| Settings(server.settings())),
            file: server.map(|server| self.settings_file(server)),
            leads_out: Some(self.leads_out()),
            administration: server.map(administration),
            passwords: self.passwords().await,
            own_limits: self.own_limits().await.ok(),
            trusting: Some(self.trusting().await),
            alert_ways: self.alert_ways().await,
            engines: server.map(|_| self.virus_scanners()),
            rescan: self.rescanned().await.ok(),
            aliases: Some(self.aliases()),
            quarantine: self.quarantined().await.ok(),
            dmarc_heard: self.dmarc_heard().await.ok(),
            audits: self.audits().await,
            clients: Some(self.clients(&seen)),
            last_logins: self.last_logins(&seen).await.ok(),
            log: self.log_of_day().await,
            verified: self.verified().await,
        })
    }

    fn settings_file(&self, server: &crate::compose::Running) -> SettingsFile {
        let path = server.settings_file().map(|path| path.display().to_string());
        let (broken, differs) = match path.as_ref().map(|_| server.differs()) {
            None => (None, Vec::new()),
            Some(Ok(keys)) => (None, keys.into_iter().map(str::to_owned).collect()),
            Some(Err(failure)) => (Some(failure.to_string()), Vec::new()),
        };
        SettingsFile { path, broken, differs }
    }

    fn leads_out(&self) -> BTreeMap<String, Vec<String>> {
        let is_out = |target: &&Address| !target.domain().is_some_and(|domain| self.directory.is_local_domain(domain));
        self.directory
            .list_aliases(None)
            .into_iter()
            .filter(|alias| !canary::is_alias(&alias.address, &alias.targets))
            .map(|alias| {
                (alias.address.to_string(), alias.targets.iter().filter(is_out).map(Address::to_string).collect())
            })
            .filter(|(_, out): &(String, Vec<String>)| !out.is_empty())
            .collect()
    }

    /// The last time that all users' mail was looked at to the end, or what of it came lately.
    async fn rescanned(&self) -> Result<Rescan, StoreError> {
        let Last { last, whole } = rescan::last(self.store.clone()).await?;
        let done = |run: &Run| {
            let is_all = run.scope.whose == Whose::All && run.scope.folder.is_none();
            is_all && run.end == Some(End::Done)
        };
        let newest = last.into_iter().chain(whole).filter(done).max_by_key(|run| run.ended);
        Ok(newest.map_or_else(Rescan::default, |run| Rescan { done: run.ended, looked: run.looked, found: run.found }))
    }

    fn aliases(&self) -> BTreeMap<String, usize> {
        let led = |address: &Address| match self.directory.resolve(address) {
            Resolution::Deliver { local, .. } => local.len(),
            _ => 0,
        };
        let aliases = self.directory.list_aliases(None).into_iter();
        aliases.map(|alias| (alias.address.to_string(), led(&alias.address))).collect()
    }

    async fn passwords(&self) -> Option<Passwords> {
        let accounts = self.store.accounts().await.ok()?;
        // Judging takes a moment each.
        tokio::task::spawn_blocking(move || passwords(&accounts)).await.ok()
    }

    async fn own_limits(&self) -> Result<BTreeMap<String, BTreeMap<String, u64>>, StoreError> {
        let mut all = BTreeMap::new();
        for sender in self.store.senders().await? {
            let Scope::Account(account) = sender.scope else { continue };
            let Some(address) = self.directory.address_of(account) else { continue };
            // By the names of the configuration, which these have as well.
            let Ok(Value::Object(limits)) = serde_json::to_value(sender.limits) else { continue };
            let set = limits.into_iter().filter_map(|(name, value)| Some((name, value.as_u64()?)));
            let set: BTreeMap<String, u64> = set.collect();
            if !set.is_empty() {
                all.insert(address.to_string(), set);
            }
        }
        Ok(all)
    }

    async fn trusting(&self) -> Vec<TrustRule> {
        let kept = self.rules.list().await;
        let kept: HashMap<u32, &KeptRule> = kept.iter().map(|kept| (kept.id, kept)).collect();
        let all = self.rules.book().all();
        let trusting = all.iter().filter(|placed| matches!(placed.rule.action(), Action::Skip | Action::Relay));
        trusting
            .filter(|placed| placed.source != Source::BuiltIn)
            .map(|placed| {
                let kept = match placed.source {
                    Source::Kept(id) => kept.get(&id),
                    Source::File(_) | Source::RelayFrom | Source::BuiltIn => None,
                };
                TrustRule {
                    place: placed.source.to_string(),
                    rule: placed.rule.to_string(),
                    by: kept.map(|kept| kept.by.clone()),
                    made: kept.map(|kept| kept.made),
                    why: kept.map(|kept| kept.comment.clone()),
                }
            })
            .collect()
    }

    async fn alert_ways(&self) -> Option<Vec<AlertWay>> {
        let ways = self.alerts.as_ref()?.ways();
        let told = mailward_alert::told(&*self.store).await.ok()?;
        let way = |name: &str| {
            let state = told.ways.iter().find(|(known, _)| known == name).map(|(_, state)| state);
            AlertWay {
                name: name.to_owned(),
                beside: name != "mail",
                told: state.and_then(|state| state.told),
                failing: state.and_then(|state| state.failing),
            }
        };
        Some(ways.iter().map(|(name, _)| way(name)).collect())
    }

    fn virus_scanners(&self) -> Vec<Engine> {
        let states = self.scanning.antivirus.states();
        states
            .into_iter()
            .map(|state| Engine {
                engine: state.engine,
                works: match state.health {
                    Health::Untested => None,
                    Health::Good | Health::Old => Some(true),
                    Health::Failing => Some(false),
                },
                why: state.why,
                version: state.version,
                made: state.made,
            })
            .collect()
    }

    async fn quarantined(&self) -> Result<Quarantine, StoreError> {
        let (mut found, mut before, now) = (Quarantine::default(), None, SystemClock.now());
        while found.kept < QUARANTINE_MESSAGES_MAX {
            let page = self.store.quarantine(None, before, QUARANTINE_PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for kept in &page {
                found.kept = found.kept.saturating_add(1);
                if kept.expires.0.saturating_add(DAY) < now.0 {
                    found.overdue = found.overdue.saturating_add(1);
                }
                if Note::read(&kept.note).is_none_or(|note| note.findings.is_empty()) {
                    found.unexplained = found.unexplained.saturating_add(1);
                }
            }
        }
        Ok(found)
    }

    async fn dmarc_heard(&self) -> Result<BTreeMap<String, Option<Timestamp>>, StoreError> {
        let since = Day::of(Timestamp(SystemClock.now().0.saturating_sub(DAY.saturating_mul(REPORT_DAYS))));
        let mut all = BTreeMap::new();
        for domain in self.directory.list_domains().into_iter().filter(|domain| domain.enabled).take(AUDIT_NAMES_MAX) {
            // Keys are domain, day, and what tells reports of a day apart.
            let (ours, from) = (format!("{}/", domain.name), format!("{}/{since}", domain.name));
            let page = self.store.shelf(Shelf::DmarcHeard, Some(from), DMARC_REPORT_PAGE).await?;
            let ends = page
                .iter()
                .take_while(|one| one.key.starts_with(&ours))
                .filter_map(|one| serde_json::from_slice::<Heard>(&one.value).ok())
                .map(|heard| Timestamp::from_secs(heard.report.end));
            all.insert(domain.name.to_string(), ends.max());
        }
        Ok(all)
    }

    async fn audits(&self) -> Option<Audits> {
        let desk = self.audit.clone();
        let past = tokio::task::spawn_blocking(move || desk.past()).await.ok()?.ok()?;
        // This one's account is made after it was told.
        let left = self.directory.list_users(None, None).await.ok()?.iter().filter(|user| canary::is_one(user)).count();
        Some(Audits { left, ..past })
    }
}

fn administration(server: &crate::compose::Running) -> Administration {
    let socket = server.socket();
    let mode = std::fs::metadata(&socket).ok().map(|found| found.permissions().mode() & 0o7777);
    let mut obeys = vec![0, nix::unistd::geteuid().as_raw()];
    obeys.dedup();
    let doors = server.doors().iter().filter(|door| administers(door.listener));
    Administration {
        socket: socket.display().to_string(),
        mode,
        obeys,
        doors: doors.map(|door| format!("{} {}", door.listener, door.address)).collect(),
    }
}

/// Of all accounts: how passwords are kept, and how new ones are judged. No hash leaves this.
fn passwords(accounts: &[AccountRecord]) -> Passwords {
    let mut found = Passwords { at_once: HASHES_AT_ONCE, ..Passwords::default() };
    let mut kinds: BTreeMap<(u32, u32, u32), usize> = BTreeMap::new();
    for account in accounts.iter().filter(|account| !account.credential.is_empty()) {
        if account.enabled {
            found.accounts = found.accounts.saturating_add(1);
        }
        match Credential::from_bytes(&account.credential) {
            Ok(credential) => {
                let count = kinds.entry(credential.costs()).or_default();
                *count = count.saturating_add(1);
            }
            Err(_) => found.unreadable = found.unreadable.saturating_add(1),
        }
    }
    let hashes = |((memory, passes, lanes), passwords)| Hashes { memory, passes, lanes, passwords };
    found.hashes = kinds.into_iter().map(hashes).collect();
    let nobody = Subject { local: "nobody", domain: "example.org", display_name: "" };
    for password in GUESSED_FIRST {
        let taken = check_password(&Secret::new(password.as_bytes().to_vec()), nobody).is_ok();
        found.tried.insert(password.to_owned(), taken);
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::*;
    use mailward_core::{AccountId, DomainId};
    use std::sync::Arc;

    const KEPT: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
                        SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\
                        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn account(credential: &str, enabled: bool) -> AccountRecord {
        AccountRecord {
            id: AccountId(1),
            domain: DomainId(1),
            local: "ada".to_owned(),
            display_name: String::new(),
            enabled,
            credential: Arc::from(credential.as_bytes()),
            quota_bytes: 0,
            quota_messages: 0,
            created: Timestamp(0),
        }
    }

    #[test]
    fn passwords_are_counted_by_their_cost_and_none_is_told() {
        let dear = KEPT.replace("m=19456", "m=65536");
        let accounts = [
            account(KEPT, true),
            account(KEPT, false),
            account(&dear, true),
            account("{SHA1}x", true),
            account("", true),
        ];
        let found = passwords(&accounts);
        let of = |memory, passwords| Hashes { memory, passes: 2, lanes: 1, passwords };
        assert_eq!(found.hashes, [of(19_456, 2), of(65_536, 1)]);
        assert_eq!((found.accounts, found.unreadable), (3, 1));
        assert!(!serde_json::to_string(&found).unwrap().contains("AAAA"));
    }

    #[test]
    fn what_guessers_try_first_is_refused() {
        let found = passwords(&[]);
        assert_eq!(found.tried.len(), GUESSED_FIRST.len());
        assert!(found.tried.values().all(|taken| !taken), "{:?}", found.tried);
    }

    #[test]
    fn nobody_administers_through_a_door_of_mail() {
        assert!(!Listener::ALL.into_iter().any(administers));
    }
}
