//! `mailward ban`: hosts and networks that get nothing.

use super::queue::age;
use crate::control::bans::{Ask, Time, whom};
use crate::control::client::Errand;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::limits::{BAN_TIME_MAX, BAN_WHY_MAX};
use serde_json::Value;
use std::net::IpAddr;

/// Ban hosts and networks, lift bans, see that they act
#[derive(Debug, Args)]
#[command(after_help = "Who is banned by hand gets nothing at any door: connections are closed without a word, and
open sessions end. Hosts that guess passwords are banned by themselves, where users log in; they may
bring mail. See docs/logins.md.

Examples:
  mailward ban list
  mailward ban add 192.0.2.7 --for 2h --why \"asked for it\"
  mailward ban remove 192.0.2.7
  mailward ban test")]
pub(crate) struct BanVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List bans that run
    #[command(
        after_help = "DOORS: all, or those where users log in. STOPPED: connections that it stopped since the server started.

Examples:\n  mailward ban list\n  mailward ban list --json"
    )]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ban a host or a network
    #[command(
        after_help = "Never banned, but with --force: this host itself, bans.never and relay.from in mailward.toml, and
where you or another administrator worked from within a day.

Examples:
  mailward ban add 192.0.2.7
  mailward ban add 2001:db8::/48 --for 3d --why \"a botnet lives there\"
  mailward ban add 198.51.100.0/24 --for-good"
    )]
    Add {
        /// An address, which in IPv6 stands for its /64, or a network
        #[arg(value_name = "ADDRESS|NETWORK", value_parser = who)]
        who: String,
        /// How long: 90s, 10m, 2h, 3d [usual: bans.time]
        #[arg(long = "for", value_name = "TIME", value_parser = time, conflicts_with = "for_good")]
        time: Option<u64>,
        /// Until you lift it
        #[arg(long)]
        for_good: bool,
        /// Why, for you to read later
        #[arg(long, value_name = "TEXT", default_value = "by hand", value_parser = why)]
        why: String,
        /// Also if it is somebody who is never banned
        #[arg(long)]
        force: bool,
    },
    /// Lift a ban, and forget that there was one
    #[command(after_help = "Examples:\n  mailward ban remove 192.0.2.7\n  mailward ban remove 2001:db8::/48")]
    Remove {
        /// As `mailward ban list` shows it, or an address
        #[arg(value_name = "ADDRESS|NETWORK", value_parser = who)]
        who: String,
    },
    /// Say whether an address is banned; without one, try whether bans act
    #[command(
        after_help = "Without an address the running server bans a spare loopback address for a moment, connects from
there to each of its doors, and looks whether it gets anything. Exit code 1 if it does. With one:
exit code 0 either way.

Examples:
  mailward ban test
  mailward ban test 192.0.2.7 --json"
    )]
    Test {
        /// What happens to this address
        address: Option<IpAddr>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn who(text: &str) -> Result<String, String> {
    whom(text).map(|network| network.to_string()).map_err(|e| e.to_string())
}

fn time(text: &str) -> Result<u64, String> {
    let seconds = age(text)?;
    if (1..=BAN_TIME_MAX.as_secs()).contains(&seconds) {
        return Ok(seconds);
    }
    Err(format!("1s to {}d", BAN_TIME_MAX.as_secs().div_euclid(86_400)))
}

fn why(text: &str) -> Result<String, String> {
    if text.chars().count() > BAN_WHY_MAX || text.chars().any(char::is_control) {
        return Err(format!("at most {BAN_WHY_MAX} characters on one line"));
    }
    Ok(text.to_owned())
}

impl BanVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = &place.find()?;
        match self.what {
            What::List { json } => list(place, json),
            What::Add { who, time, for_good, why, force } => {
                let time = match (time, for_good) {
                    (_, true) => Time::ForGood,
                    (Some(seconds), false) => Time::Seconds(seconds),
                    (None, false) => Time::Usual,
                };
                let ban = ask(place, Ask::Add { who, time, why, force })?;
                print::line(format!("{} is banned {}", text(&ban, "network"), left(&ban)))
            }
            What::Remove { who } => {
                let ban = ask(place, Ask::Remove { who })?;
                print::line(format!("{} is no longer banned", text(&ban, "network")))
            }
            What::Test { address: Some(address), json } => {
                let shown = ask(place, Ask::Show { address })?;
                if json { print::json(&shown) } else { tell(&shown) }
            }
            What::Test { address: None, json } => try_doors(place, json),
        }
    }
}

fn ask(place: &Place, ask: Ask) -> Result<Value, Failure> {
    client::run(place, &Request::Bans { ask })
}

fn text(value: &Value, member: &str) -> String {
    print::tame(value.field(member).as_str().unwrap_or_default())
}

fn left(ban: &Value) -> String {
    match ban.field("seconds_left").as_u64() {
        Some(seconds) => format!("for {}", print::left(seconds)),
        None => "for good".to_owned(),
    }
}

fn list(place: &Place, json: bool) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let (mut all, mut after) = (print::JsonList::default(), None);
    let mut rows = Vec::new();
    loop {
        let page: Vec<Value> = errand.run(&Request::Bans { ask: Ask::List { after } })?;
        for ban in &page {
            if json {
                all.element(ban)?;
            } else {
                rows.push(row(ban));
            }
        }
        after = page.last().and_then(|ban| ban.field("network").as_str()).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if json { all.end() } else { print::table(&["WHO", "LEFT", "BY", "DOORS", "STOPPED", "WHY"], &rows) }
}

fn row(ban: &Value) -> Vec<String> {
    vec![
        text(ban, "network"),
        ban.field("seconds_left").as_u64().map_or_else(|| "for good".to_owned(), print::left),
        text(ban, "by"),
        text(ban, "scope"),
        ban.field("stopped").as_u64().unwrap_or(0).to_string(),
        text(ban, "why"),
    ]
}

fn tell(shown: &Value) -> Result<(), Failure> {
    let (address, ban) = (text(shown, "address"), shown.field("ban"));
    if ban.is_null() {
        print::line(format!("{address} isn't banned"))?;
    } else {
        let [network, by, why] = ["network", "by", "why"].map(|member| text(ban, member));
        let doors = if text(ban, "scope") == "logins" { "the doors with logins" } else { "every door" };
        print::line(format!("{address} is banned {}, with {network}, at {doors}, by {by}: {why}", left(ban)))?;
    }
    match shown.field("never").as_str() {
        Some(never) => print::line(format!("it is never banned by itself: {}", print::tame(never))),
        None => print::line(format!("its failures count with those of {}", text(shown, "host"))),
    }
}

fn try_doors(place: &Place, json: bool) -> Result<(), Failure> {
    place.must_exist()?;
    let doors = client::run_there(place, &Request::Bans { ask: Ask::Try })?;
    let all = || doors.as_array().into_iter().flatten();
    if json {
        print::json(&doors)?;
    } else {
        let row = |door: &Value| ["door", "address", "before", "banned"].map(|member| text(door, member)).to_vec();
        let rows: Vec<Vec<String>> = all().map(row).collect();
        print::table(&["DOOR", "ADDRESS", "BEFORE", "WHILE BANNED"], &rows)?;
    }
    if all().any(|door| door.field("acts").as_bool() == Some(false)) {
        return Err(Failure::Found("a banned address got something: bans don't act at every door".to_owned()));
    }
    Ok(())
}
