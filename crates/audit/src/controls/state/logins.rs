//! What users' programs log in over, and doors that nobody logs in at.

use super::{Told, days_since, fact, known, lines, some, told};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::doors::made_so;
use crate::finding::Finding;
use crate::host::Missed;
use crate::scene::{Scene, day};
use crate::state::{Clients, Logins};
use mailward_core::Timestamp;
use mailward_core::limits::{CLIENT_DAYS, CLIENT_MONTH};

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "CLI-05",
        Area::Clients,
        10,
        Check::Look(|scene| told(secured(scene))),
        [
            "Did every program that logged in within 30 days do so under TLS 1.2 or 1.3?",
            "One old scanner in the office that logs in without TLS tells the password to everybody on its way.",
            "The server's own count of logins by day, door and version of TLS, this host's own without TLS left out. What it doesn't know of the \
             30 days isn't taken for good: where counting began later, it has to have begun before anybody could log in.",
            made_so!(
                "Mailward lets nobody log in without TLS, nor under less than 1.2; `login.succeeded` in the log names who did, with `tls=`"
            ),
            "NIST SP 800-45 version 2; RFC 8996",
        ],
    ),
    known(
        "SVC-18",
        Area::Services,
        5,
        Check::Look(|scene| told(doors_are_used(scene))),
        [
            "Is every protocol for users one by which somebody logged in within 90 days?",
            "A door that nobody needs is one more that somebody can break in by, and nobody would notice.",
            "Protocols for which the server has a door for users (POP3, IMAP, submission, each with TLS from the first byte or begun later), and the \
             server's own count of logins by day and door; the audit's own don't count.",
            "Close its doors in mailward.toml (such as listen.pop3 = \"off\" and listen.pop3s = \"off\"), and restart the server.",
            "NIST SP 800-45 version 2",
        ],
    ),
    known(
        "AWR-08",
        Area::Awareness,
        5,
        Check::Look(|scene| told(nobody_is_gone(scene))),
        [
            "Is every account that nobody used for 90 days disabled?",
            "The mailbox of somebody who left is read by whoever has the password, and nobody is there to notice.",
            "Enabled accounts with a password: when each was made, and the day of its last login as the server counts them. What it doesn't know of \
             the 90 days isn't taken for good.",
            "`mailward user set ADDRESS --disable`; `--enable` undoes it. Have an exception approved for accounts that only get mail for others.",
            "ISO/IEC 27001:2022 A.5.18 (access rights)",
        ],
    ),
];

fn clients(scene: &Scene) -> Result<(&Clients, Timestamp), Missed> {
    let clients = fact(scene, "what its users log in over", |state| state.clients.as_ref())?;
    let begun =
        clients.begun.ok_or_else(|| Missed::NotReached("the server doesn't tell since when it counts".into()))?;
    if begun.secs() > scene.now.secs() {
        let why = format!("it counts since {}, which is still to come: the clock was set back", day(begun));
        return Err(Missed::Odd("the count of logins".to_owned(), why));
    }
    Ok((clients, begun))
}

fn seen(clients: &Clients, begun: Timestamp) -> Vec<u8> {
    let first = if clients.from_first { ", before anybody could log in" } else { "" };
    let begun = format!("counted since {}{first}", begun.text());
    let line = |one: &Logins| {
        let whence = if one.here { " from this host itself" } else { "" };
        let Logins { door, carrier, logins, last, .. } = one;
        format!("{door}, TLS: {carrier}{whence}: {logins} within {CLIENT_MONTH} days, last on {last}")
    };
    lines(std::iter::once(begun).chain(clients.logins.iter().map(line)))
}

const SEEN: &str = "the server's count of logins";

fn secured(scene: &Scene) -> Told {
    let (clients, begun) = clients(scene)?;
    let is_good = |one: &Logins| match one.carrier.as_str() {
        "TLSv1.3" | "TLSv1.2" => true,
        "none" => one.here,
        _ => false,
    };
    let of_month = || clients.logins.iter().filter(|one| one.logins > 0);
    let what = |one: &Logins| {
        let over =
            if one.carrier == "none" { "without TLS".to_owned() } else { format!("under TLS ({})", one.carrier) };
        format!("{} at {} {over}, the last on {}", one.logins, one.door, one.last)
    };
    let bad: Vec<String> = of_month().filter(|one| !is_good(one)).map(what).collect();
    let sum = |carrier: &str| {
        of_month().filter(|one| one.carrier == carrier).fold(0_u64, |sum, one| sum.saturating_add(one.logins))
    };
    let since = days_since(begun, scene.now);
    let finding = if !bad.is_empty() {
        Finding::fail(format!("logins that weren't safe: {}", some(&bad)))
    } else if since < CLIENT_MONTH && !clients.from_first {
        let why = format!("logins are counted since {}; what was before nobody knows", day(begun));
        return Ok(Finding::not_tested(why).showing(SEEN, seen(clients, begun)));
    } else if of_month().next().is_none() {
        Finding::not_applicable(format!("nobody logged in {}", within(since, begun)))
    } else {
        let (newer, older, here) = (sum("TLSv1.3"), sum("TLSv1.2"), sum("none"));
        let here = if here > 0 { format!(", {here} from this host itself without TLS") } else { String::new() };
        Finding::pass(format!("{newer} logins under TLS 1.3, {older} under TLS 1.2{here}, {}", within(since, begun)))
    };
    Ok(finding.showing(SEEN, seen(clients, begun)))
}

/// No more is claimed than was counted.
fn within(since: i64, begun: Timestamp) -> String {
    if since >= CLIENT_MONTH {
        format!("within {CLIENT_MONTH} days")
    } else {
        format!("since {}, when the server began to count, before anybody could log in", day(begun))
    }
}

/// Protocols of doors for users, by the names of their doors.
const FOR_USERS: [(&str, [&str; 2]); 3] =
    [("POP3", ["pop3", "pop3s"]), ("IMAP", ["imap", "imaps"]), ("submission", ["submission", "submissions"])];

fn doors_are_used(scene: &Scene) -> Told {
    let (clients, begun) = clients(scene)?;
    if scene.doors.is_empty() {
        return Err(Missed::NotReached(
            "no door is known: the server doesn't run, or couldn't say where it listens".into(),
        ));
    }
    let is_open = |doors: &[&str; 2]| scene.doors.iter().any(|door| doors.contains(&door.protocol.word()));
    let open: Vec<&(&str, [&str; 2])> = FOR_USERS.iter().filter(|(_, doors)| is_open(doors)).collect();
    if open.is_empty() {
        return Ok(Finding::not_applicable("the server has no door for users"));
    }
    let is_used = |doors: &[&str; 2]| clients.logins.iter().any(|one| doors.contains(&one.door.as_str()));
    let unused: Vec<&str> = open.iter().filter(|(_, doors)| !is_used(doors)).map(|(name, _)| *name).collect();
    let since = days_since(begun, scene.now);
    let finding = if unused.is_empty() {
        Finding::pass(format!("somebody logged in by each of {} protocols", open.len()))
    } else if since < CLIENT_DAYS {
        let why =
            format!("nobody logged in yet by {}, but logins are counted for {since} days alone", unused.join(", "));
        Finding::not_tested(why)
    } else {
        let said = format!("nobody logged in within {CLIENT_DAYS} days by: {}", unused.join(", "));
        Finding::of(open.len().saturating_sub(unused.len()), open.len(), said)
    };
    Ok(finding.showing(SEEN, seen(clients, begun)))
}

fn nobody_is_gone(scene: &Scene) -> Told {
    let (_, begun) = clients(scene)?;
    let logins = fact(scene, "when its users logged in", |state| state.last_logins.as_ref())?;
    if logins.accounts.is_empty() {
        return Ok(Finding::not_applicable("there is no account that anybody could log in as"));
    }
    let counted = days_since(begun, scene.now);
    let is_recent = |at: Timestamp| days_since(at, scene.now) <= CLIENT_DAYS;
    let (mut gone, mut unknown) = (Vec::new(), 0_usize);
    for (address, account) in &logins.accounts {
        match account.last {
            Some(last) if is_recent(last) => {}
            _ if is_recent(account.made) => {}
            Some(last) => gone.push(format!("{address} (since {})", day(last))),
            // It is older than 90 days, and so is the count.
            None if counted > CLIENT_DAYS && !logins.is_full => gone.push(format!("{address} (never)")),
            None => unknown = unknown.saturating_add(1),
        }
    }
    let all = logins.accounts.len();
    let finding = if !gone.is_empty() {
        let said = format!("nobody logged in for {CLIENT_DAYS} days as {} of {all}: {}", gone.len(), some(&gone));
        Finding::of(all.saturating_sub(gone.len()), all, said)
    } else if unknown > 0 {
        let why = if logins.is_full {
            "not all have room".to_owned()
        } else {
            format!("logins are counted since {}", day(begun))
        };
        Finding::not_tested(format!("when somebody last logged in as {unknown} of {all} isn't known: {why}"))
    } else {
        Finding::pass(format!("each of {all} accounts was used within {CLIENT_DAYS} days, or is younger"))
    };
    Ok(finding.showing("accounts that nobody used", lines(&gone)))
}
