//! # control: one thing done, by a running server or without one
//!
//! **For**: administration. Each administrative verb is a [`Request`]. If a server runs, it travels over the Unix
//! socket `DATA/control.sock`; if none runs, the same function ([`desk::Desk::answer`]) runs in this process, on a
//! store opened under its lock. So both ways check and do the same.
//!
//! **In**: one JSON object on one line. **Out**: one JSON object on one line, [`Response`]. One request a connection.
//!
//! **Limits**: `limits::CONTROL_REQUEST_MAX`, `CONTROL_REQUEST_TIME`, `CONTROL_REQUESTS_AT_ONCE`, `CONTROL_ANSWER_MAX`.
//!
//! **Failure**: the socket has mode 0600 in a directory of mode 0700, and the peer's credentials are asked of the
//! kernel besides (attacks H12): anyone but root and the server's own user is sent away. What can't be read as a
//! request is refused and logged.

pub(crate) mod alerts;
pub(crate) mod antivirus;
pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod canary;
pub(crate) mod care;
pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod desk;
pub(crate) mod dmarc;
pub(crate) mod fetch;
pub(crate) mod greylist;
pub(crate) mod lists;
pub(crate) mod milter;
pub(crate) mod path;
pub(crate) mod quarantine;
pub(crate) mod queue;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod server;
mod sessions;
pub(crate) mod spam;
pub(crate) mod trust;
pub(crate) mod watch;
mod whence;

use crate::failure::Failure;
use crate::secrets::PasswordWish;
use mailward_core::{Address, Domain, Protocol, QueueId};
use mailward_delivery::care::{Schedule, ScheduleFor};
use mailward_store::records::{Lane, Steer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;

/// One thing to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// What runs, where, since when.
    Status,
    /// Read the configuration and certificates anew.
    Reload,
    /// Stop cleanly.
    Stop,
    DomainAdd {
        name: Domain,
    },
    DomainList,
    DomainSet {
        name: Domain,
        enabled: Option<bool>,
        catch_all: CatchAll,
    },
    DomainRemove {
        name: Domain,
    },
    UserAdd {
        address: Address,
        display_name: String,
        password: PasswordWish,
        quota_bytes: u64,
        quota_messages: u64,
    },
    UserList {
        domain: Option<Domain>,
    },
    UserSet {
        address: Address,
        display_name: Option<String>,
        enabled: Option<bool>,
        quota_bytes: Option<u64>,
        quota_messages: Option<u64>,
    },
    UserPassword {
        address: Address,
        password: PasswordWish,
    },
    UserRemove {
        address: Address,
    },
    AliasAdd {
        alias: Address,
        targets: Vec<Address>,
    },
    AliasList {
        domain: Option<Domain>,
    },
    AliasRemove {
        alias: Address,
    },
    /// DKIM keys, of one domain if that is said.
    DkimList {
        domain: Option<Domain>,
    },
    /// Makes a domain's next pair of DKIM keys.
    DkimRotate {
        domain: Domain,
    },
    /// Lets a domain's next pair of DKIM keys sign.
    DkimActivate {
        domain: Domain,
    },
    /// Removes a DKIM key; `now`: even if what it signed may still be verified.
    DkimRemove {
        domain: Domain,
        selector: String,
        now: bool,
    },
    /// Who is connected; of one user or by one protocol if that is said.
    SessionList {
        user: Option<Address>,
        protocol: Option<Protocol>,
    },
    /// Ends one session.
    SessionEnd {
        session: u64,
    },
    /// Ends all sessions of a user.
    SessionEndUser {
        address: Address,
    },
    /// Gives back the space of deleted mail; `all`: also where little is dead.
    StoreCompact {
        all: bool,
    },
    /// What is queued, some of it: see [`queue::Page`].
    QueueList {
        which: queue::Which,
        after: Option<QueueId>,
        /// Messages at most; bounded by `limits::QUEUE_PAGE` too.
        limit: usize,
    },
    /// One queued message with its recipients from a number on: see [`queue::Shown`].
    QueueShow {
        message: QueueId,
        from: u32,
    },
    /// One step of doing something to recipients: see [`mailward_store::records::Steered`].
    QueueSteer {
        which: queue::Which,
        action: Steer,
        after: Option<QueueId>,
    },
    /// One step of giving up recipients, with bounces: see [`care::BounceStep`].
    QueueBounce {
        which: queue::Which,
        /// Words for the senders.
        text: Option<String>,
        after: Option<QueueId>,
    },
    /// How long mail is tried, by sender and domain: see [`care::Scheduled`].
    ScheduleList,
    ScheduleSet {
        of: ScheduleFor,
        schedule: Schedule,
    },
    ScheduleRemove {
        of: ScheduleFor,
    },
    /// All about a user: see [`care::About`].
    UserShow {
        address: Address,
    },
    /// Limits of what a user sends; nothing set: as they are. See [`care::Limits`].
    UserLimit {
        address: Address,
        set: care::Wishes,
    },
    /// The same of all users of a domain.
    DomainLimit {
        name: Domain,
        set: care::Wishes,
    },
    /// Holds what a user sends, whatever it is, and what waits of theirs.
    UserFreeze {
        address: Address,
        why: String,
    },
    /// Lets a user send again.
    UserUnfreeze {
        address: Address,
    },
    /// Pauses or resumes one lane, or all: see [`queue::PauseLeft`].
    QueuePause {
        lane: Option<Lane>,
        paused: bool,
    },
    /// Routes and gateways.
    Routes {
        ask: routes::Ask,
    },
    /// The audit.
    Audit {
        ask: audit::Ask,
    },
    /// Virus scanners.
    Antivirus {
        ask: antivirus::Ask,
    },
    /// Milters of all doors, and how they are.
    Milters,
    /// Lists in the DNS.
    Lists {
        ask: lists::Ask,
    },
    /// Reports of DMARC, and records.
    Dmarc {
        ask: dmarc::Ask,
    },
    /// Accounts elsewhere that mail is fetched from.
    Fetch {
        what: fetch::Ask,
    },
    /// TLS that is demanded, and how it went.
    Trust {
        ask: trust::Ask,
    },
    /// How much comes from whom, and what was refused.
    Watch {
        ask: watch::Ask,
    },
    /// Who was put off and who came back.
    Greylist {
        ask: greylist::Ask,
    },
    /// Address rules.
    Rules {
        ask: rules::Ask,
    },
    /// Rules for what messages hold.
    Content {
        ask: content::Ask,
    },
    /// Alerts: what was told, and a trial.
    Alerts {
        ask: alerts::Ask,
    },
    /// Hosts that get nothing.
    Bans {
        ask: bans::Ask,
    },
    /// The spam filter.
    Spam {
        ask: spam::Ask,
    },
    /// Messages that were accepted and that nobody sees.
    Quarantine {
        ask: quarantine::Ask,
    },
    /// The queue in numbers, with its largest lanes: see [`queue::Totals`].
    QueueTotals {
        largest: usize,
    },
}

/// One thing to do, and from where it is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    #[serde(flatten)]
    pub(crate) request: Request,
    /// The other end of the ssh session that it is asked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) administrator: Option<IpAddr>,
}

impl Call {
    /// From here.
    pub(crate) fn new(request: Request) -> Self {
        Self { request, administrator: whence::administrator() }
    }
}

/// What becomes of a catch-all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CatchAll {
    /// Stays as it is.
    Keep,
    /// Is taken off.
    Off,
    /// Becomes this.
    To(Address),
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Response {
    /// Done; what was asked for.
    Done(Value),
    /// Not done.
    Failed {
        /// Exit code for the command line.
        code: u8,
        /// What was wrong, with what, and what to do.
        text: String,
    },
}

impl Response {
    /// The answer to a result.
    pub(crate) fn of(result: Result<Value, Failure>) -> Self {
        match result {
            Ok(value) => Response::Done(value),
            Err(failure) => Response::Failed { code: failure.code(), text: failure.to_string() },
        }
    }
    /// The other way round.
    pub(crate) fn into_result(self) -> Result<Value, Failure> {
        match self {
            Response::Done(value) => Ok(value),
            Response::Failed { code, text } => Err(Failure::Answered { code, text }),
        }
    }
}

/// Reads a request as it stands on the wire, without its line end.
pub(crate) fn parse(line: &[u8]) -> Result<Call, Failure> {
    serde_json::from_slice(line).map_err(|e| Failure::Usage(format!("not a request: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_comes_back_as_it_was_sent() {
        let request = Call {
            administrator: Some("192.0.2.7".parse().unwrap()),
            request: Request::UserAdd {
                address: "joe@example.org".parse().unwrap(),
                display_name: "Joe".to_owned(),
                password: PasswordWish::Generated,
                quota_bytes: 5,
                quota_messages: 0,
            },
        };
        let text = serde_json::to_string(&request).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::to_string(&parse(text.as_bytes()).unwrap()).unwrap(), text);
    }

    #[test]
    fn unknown_requests_and_fields_are_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            "{\"do\":\"fly\"}",
            "{\"do\":\"domain-add\"}",
            "{\"do\":\"domain-add\",\"name\":\"a\\u000ab\"}",
            "{\"do\":\"domain-add\",\"name\":\"a.example\",\"as\":\"root\"}",
            "{\"do\":\"status\"} {\"do\":\"stop\"}",
            "{\"do\":\"status\",\"administrator\":\"somewhere\"}",
            "{\"do\":\"domain-remove\",\"name\":\"a.example\",\"administrators\":\"192.0.2.7\"}",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"{\"do\":\"status\"}").is_ok());
    }

    #[test]
    fn the_null_path_stays_the_null_path_on_the_wire() {
        let which = queue::Which { sender: Some(queue::Sender::Null), ..queue::Which::default() };
        let request = Request::QueueSteer { which: which.clone(), action: Steer::Remove, after: None };
        let text = serde_json::to_vec(&request).unwrap();
        let Request::QueueSteer { which: found, .. } = parse(&text).unwrap().request else { panic!() };
        assert_eq!(found, which);
        assert!(!found.is_everything());
    }

    #[test]
    fn a_filter_that_isn_t_known_is_refused_and_not_left_out() {
        let line = |filter: &str| {
            format!("{{\"do\":\"queue-steer\",\"which\":{{{filter}}},\"action\":\"remove\",\"after\":null}}")
        };
        assert!(parse(line("\"lane\":\"a.example\"").as_bytes()).is_ok());
        assert!(parse(line("\"lanes\":\"a.example\"").as_bytes()).is_err());
        assert!(parse(line("\"lane\":\"a\\u001b.example\"").as_bytes()).is_err());
    }

    #[test]
    fn a_password_in_a_request_is_never_printed() {
        let line =
            b"{\"do\":\"user-password\",\"address\":\"a@b.example\",\"password\":{\"given\":\"hunter2hunter2\"}}";
        let request = parse(line).unwrap();
        assert!(!format!("{request:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
