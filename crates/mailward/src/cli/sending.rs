//! What users and domains may send: set, told, stopped.

use super::queue::release_user;
use crate::control::care::{Limits, Wish, Wishes};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Place;
use crate::print::{self, Field as _};
use clap::Args;
use mailward_core::limits::SEND_LIMIT_CONFIG_MAX;
use mailward_core::{Address, Measure};
use serde_json::Value;

#[derive(Args, Debug)]
pub(super) struct LimitArgs {
    /// Messages in an hour
    #[arg(long, value_name = "NUMBER", value_parser = most)]
    messages_per_hour: Option<Wish>,
    /// Messages in 24 hours
    #[arg(long, value_name = "NUMBER", value_parser = most)]
    messages_per_day: Option<Wish>,
    /// Recipients in an hour
    #[arg(long, value_name = "NUMBER", value_parser = most)]
    recipients_per_hour: Option<Wish>,
    /// Recipients in 24 hours
    #[arg(long, value_name = "NUMBER", value_parser = most)]
    recipients_per_day: Option<Wish>,
    /// Recipients in an hour who were never written to before
    #[arg(long, value_name = "NUMBER", value_parser = most)]
    new_per_hour: Option<Wish>,
    /// The same in 24 hours
    #[arg(long, value_name = "NUMBER", value_parser = most)]
    new_per_day: Option<Wish>,
    /// All others as configured in mailward.toml
    #[arg(long)]
    usual: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl LimitArgs {
    /// What is to be set.
    pub(super) fn wishes(&self) -> Wishes {
        let given = Wishes {
            messages_per_hour: self.messages_per_hour,
            messages_per_day: self.messages_per_day,
            recipients_per_hour: self.recipients_per_hour,
            recipients_per_day: self.recipients_per_day,
            new_per_hour: self.new_per_hour,
            new_per_day: self.new_per_day,
        };
        given.map(|_, wish| wish.or(self.usual.then_some(Wish::Usual)))
    }
}

/// A limit as people write it.
fn most(text: &str) -> Result<Wish, String> {
    if text == "usual" {
        return Ok(Wish::Usual);
    }
    let number = text.parse().ok().filter(|number| *number <= SEND_LIMIT_CONFIG_MAX);
    let number = number.and_then(|number: usize| u64::try_from(number).ok());
    number.map(Wish::Most).ok_or_else(|| format!("a number up to {SEND_LIMIT_CONFIG_MAX}, 0 for no limit, or usual"))
}

/// Sets limits, or tells them.
pub(super) fn limit(place: &Place, of: &str, request: &Request, json: bool) -> Result<(), Failure> {
    let limits = client::run(place, request)?;
    if json {
        return print::json(&limits);
    }
    print::line(format!("what {of} sends to other domains:"))?;
    tell(&limits)
}

fn tell(limits: &Value) -> Result<(), Failure> {
    let limits: Limits =
        serde_json::from_value(limits.clone()).map_err(|e| Failure::Bug(format!("limits can't be read: {e}")))?;
    print::table(&["COUNTED", "SENT", "LIMIT", ""], &rows(&limits))?;
    if limits.held > 0 {
        print::line(format!("messages held as beyond a limit, in 24 hours: {}", limits.held))?;
    }
    Ok(())
}

fn rows(limits: &Limits) -> Vec<Vec<String>> {
    let row = |measure: Measure| {
        let limit = match limits.limits.get(measure) {
            0 => "none".to_owned(),
            most => most.to_string(),
        };
        let own = if limits.own.get(measure).is_some() { "its own" } else { "as configured" };
        let beyond = if limits.beyond.contains(&measure) { ", exceeded: mail is held" } else { "" };
        vec![measure.to_string(), limits.sent.get(measure).to_string(), limit, format!("{own}{beyond}")]
    };
    Measure::ALL.map(row).to_vec()
}

/// Tells all about a user.
pub(super) fn show(place: &Place, address: Address, json: bool) -> Result<(), Failure> {
    let about = client::run(place, &Request::UserShow { address })?;
    if json {
        return print::json(&about);
    }
    let text = |field| print::tame(about.field(field).as_str().unwrap_or_default());
    let name = text("display_name");
    let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
    print::line(format!("{}{name}: {}", text("address"), super::user::state(&about)))?;
    let frozen = about.field("frozen");
    if !frozen.is_null() {
        print::line(format!("  frozen: {}", print::tame(frozen.field("why").as_str().unwrap_or_default())))?;
        print::line(format!("  what they send is held: `mailward queue list --user {} --held`", text("address")))?;
    }
    let usage = about.field("usage");
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let quota = match count(about.field("quota_bytes")) {
        0 => "no quota".to_owned(),
        bytes => format!("of {}", print::bytes(bytes)),
    };
    print::line(format!(
        "  holds {} messages, {} ({quota})",
        count(usage.field("messages")),
        print::bytes(count(usage.field("bytes")))
    ))?;
    tell(about.field("sending"))
}

/// Freezes a user.
pub(super) fn freeze(place: &Place, address: Address, why: String, json: bool) -> Result<(), Failure> {
    let frozen = client::run(place, &Request::UserFreeze { address: address.clone(), why })?;
    if json {
        return print::json(&frozen);
    }
    print::line(format!("{address} frozen: what they send to other domains is held, what waited is held too"))?;
    for session in frozen.field("sessions").as_array().into_iter().flatten() {
        let text = |field| print::tame(session.field(field).as_str().unwrap_or("-"));
        print::line(format!(
            "  logged in: session {} {} from {}: {}",
            session.field("session"),
            text("listener"),
            text("from"),
            text("client")
        ))?;
    }
    print::line(format!("`mailward user password {address}` ends all sessions and logins with the old password"))
}

/// Lets a user send again.
pub(super) fn unfreeze(place: &Place, address: Address, release: bool) -> Result<(), Failure> {
    client::run(place, &Request::UserUnfreeze { address: address.clone() })?;
    print::line(format!("{address} may send again"))?;
    if release {
        let released = release_user(place, address)?;
        return print::line(format!("recipients of held mail released: {released}"));
    }
    print::line(format!("what was held stays held: `mailward queue release --user {address}` lets it go"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::SendLimits;
    use mailward_store::records::LimitChanges;

    #[test]
    fn a_limit_is_a_number_or_as_usual() {
        assert_eq!((most("0"), most("20"), most("usual")), (Ok(Wish::Most(0)), Ok(Wish::Most(20)), Ok(Wish::Usual)));
        for bad in ["", "-1", "x", "1e3", "1000000001", "99999999999999999999"] {
            assert!(most(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_limit_is_told_with_what_was_sent_and_whose_it_is() {
        let limits = Limits {
            own: LimitChanges { messages_per_day: Some(0), ..LimitChanges::default() },
            limits: SendLimits::of([5, 0, 7, 7, 7, 7]),
            sent: SendLimits::of([6, 6, 6, 6, 0, 0]),
            held: 1,
            beyond: vec![Measure::MessagesPerHour],
        };
        let told = rows(&limits);
        assert_eq!(told[0], ["messages an hour", "6", "5", "as configured, exceeded: mail is held"]);
        assert_eq!(told[1], ["messages a day", "6", "none", "its own"]);
        assert_eq!(told.len(), 6);
    }
}
