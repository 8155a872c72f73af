//! `mailward queue schedule`: how long mail is tried, by sender and domain.

use crate::control::care::Scheduled;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Place;
use crate::print;
use clap::{Args, Subcommand};
use mailward_core::limits::SCHEDULE_HOURS_MAX;
use mailward_delivery::care::{Schedule as Hours, ScheduleFor};

/// How long mail is tried and when its sender is warned, by sender and domain
#[derive(Args, Debug)]
#[command(after_help = "What a route says (--lifetime, --warn-after) counts first. Else the most specific that says
something counts: from ADDRESS, then to DOMAIN, then from DOMAIN, then mailward.toml. It counts for
mail that comes from then on.

Examples:
  mailward queue schedule list
  mailward queue schedule set --to example.net --lifetime 10d
  mailward queue schedule set --from alerts@example.org --lifetime 4h --warn-after never
  mailward queue schedule remove --to example.net")]
pub(super) struct Schedule {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Set how long mail from somebody or to a domain is tried, and when its sender is warned
    #[command(after_help = "Examples:
  mailward queue schedule set --to example.net --lifetime 10d --warn-after 1d
  mailward queue schedule set --from example.org --warn-after 1h")]
    Set {
        #[command(flatten)]
        whose: Whose,
        /// How long it is tried: 36h, 10d; at most 30d
        #[arg(long, value_name = "TIME", value_parser = hours)]
        lifetime: Option<u32>,
        /// When its sender hears that it is late: 4h, 1d, never
        #[arg(long, value_name = "TIME", value_parser = hours_or_never)]
        warn_after: Option<u32>,
    },
    /// List all schedules
    #[command(after_help = "Examples:\n  mailward queue schedule list\n  mailward queue schedule list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a schedule
    #[command(after_help = "Example:\n  mailward queue schedule remove --from alerts@example.org")]
    Remove {
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Whose {
    /// Mail from this address, or from all addresses of this domain
    #[arg(long, value_name = "ADDRESS|DOMAIN")]
    from: Option<String>,
    /// Mail to this domain
    #[arg(long, value_name = "DOMAIN")]
    to: Option<String>,
}

impl Whose {
    fn named(&self) -> Result<ScheduleFor, Failure> {
        let name = match (&self.from, &self.to) {
            (Some(from), _) => format!("from {from}"),
            (None, Some(to)) => format!("to {to}"),
            (None, None) => String::new(),
        };
        name.parse().map_err(|e| Failure::Usage(format!("{name}: {e}")))
    }
}

/// A number of hours or days.
fn hours(text: &str) -> Result<u32, String> {
    let wrong = || format!("a number with h or d, from 1h to {}d", SCHEDULE_HOURS_MAX.div_euclid(24));
    let (number, factor) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(hours), _) => (hours, 1),
        (_, Some(days)) => (days, 24),
        _ => return Err(wrong()),
    };
    let count = number.parse().ok().and_then(|number: u32| number.checked_mul(factor));
    count.filter(|hours| (1..=SCHEDULE_HOURS_MAX).contains(hours)).ok_or_else(wrong)
}

fn hours_or_never(text: &str) -> Result<u32, String> {
    if text == "never" { Ok(0) } else { hours(text).map_err(|wrong| format!("{wrong}, or never")) }
}

fn told(hours: Option<u32>) -> String {
    match hours {
        None => "-".to_owned(),
        Some(0) => "never".to_owned(),
        Some(hours) if hours % 24 == 0 => format!("{} d", hours.div_euclid(24)),
        Some(hours) => format!("{hours} h"),
    }
}

impl Schedule {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        match self.what {
            What::Set { whose, lifetime, warn_after } => {
                let of = whose.named()?;
                let schedule = Hours { lifetime, warn_after };
                schedule.check().map_err(|e| Failure::Usage(e.to_string()))?;
                client::run(place, &Request::ScheduleSet { of: of.clone(), schedule })?;
                print::line(format!("schedule of mail {of} set, for mail that comes from now on"))
            }
            What::Remove { whose } => {
                let of = whose.named()?;
                client::run(place, &Request::ScheduleRemove { of: of.clone() })?;
                print::line(format!("schedule of mail {of} removed"))
            }
            What::List { json } => {
                let all = client::run(place, &Request::ScheduleList)?;
                if json {
                    return print::json(&all);
                }
                let all: Vec<Scheduled> =
                    serde_json::from_value(all).map_err(|e| Failure::Bug(format!("schedules can't be read: {e}")))?;
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|one| vec![print::tame(&one.of), told(one.schedule.lifetime), told(one.schedule.warn_after)])
                    .collect();
                print::table(&["MAIL", "TRIED FOR", "WARNED AFTER"], &rows)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_a_number_with_a_unit_within_bounds() {
        assert_eq!((hours("36h"), hours("10d"), hours_or_never("never")), (Ok(36), Ok(240), Ok(0)));
        for bad in ["", "h", "0h", "0d", "31d", "721h", "-1h", "1.5d", "10", "never", "99999999999d", "200000000d"] {
            assert!(hours(bad).is_err(), "{bad}");
        }
        assert!(hours_or_never("0h").is_err());
        assert_eq!([told(None), told(Some(0)), told(Some(48)), told(Some(36))], ["-", "never", "2 d", "36 h"]);
    }

    #[test]
    fn mail_is_from_an_address_or_a_domain_or_to_a_domain() {
        let named = |from: Option<&str>, to: Option<&str>| {
            Whose { from: from.map(str::to_owned), to: to.map(str::to_owned) }.named().map(|name| name.to_string())
        };
        assert_eq!(named(Some("Joe@Example.org"), None).unwrap(), "from joe@example.org");
        assert_eq!(named(Some("Example.org"), None).unwrap(), "from example.org");
        assert_eq!(named(None, Some("bücher.example")).unwrap(), "to xn--bcher-kva.example");
        assert!(named(None, Some("joe@example.org")).is_err());
        assert!(named(Some("a b"), None).is_err());
    }
}
