//! What is meant, as it stands on the command line.

use crate::control::queue::{Sender, Which};
use clap::Args;
use mailward_core::limits::QUEUE_TEXT_MAX;
use mailward_core::{Address, Domain, QueueId, Timestamp};
use mailward_store::records::Lane;

/// Messages by number.
#[derive(Args, Debug)]
pub(super) struct Ids {
    /// Numbers of messages, as `mailward queue list` tells them
    #[arg(value_name = "ID", value_parser = id)]
    pub(super) ids: Vec<QueueId>,
}

/// Recipients by what is known of them.
#[derive(Args, Debug)]
pub(super) struct Filter {
    /// That came before then: 30m, 2h, 3d, 1w
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<u64>,
    /// At this domain
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    domain: Option<Domain>,
    /// In this lane
    #[arg(long, value_name = "LANE", value_parser = lane)]
    lane: Option<Lane>,
    /// To this address
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<Address>,
    /// From this address; '<>' for bounces
    #[arg(long, value_name = "ADDRESS", value_parser = sender)]
    sender: Option<Sender>,
    /// Submitted by this user
    #[arg(long, value_name = "ADDRESS")]
    user: Option<Address>,
    /// Held ones only
    #[arg(long, conflicts_with = "waiting")]
    held: bool,
    /// Those only that aren't held
    #[arg(long)]
    waiting: bool,
    /// Whose last answer has this text: host, code, status or words
    #[arg(long, value_name = "TEXT", value_parser = answer)]
    answer: Option<String>,
}

impl Filter {
    /// What is meant at a time.
    pub(super) fn which(self, now: Timestamp) -> Which {
        let before = self.older_than.map(|seconds| {
            let millis = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
            Timestamp(now.0.saturating_sub(millis))
        });
        Which {
            all: false,
            messages: Vec::new(),
            before,
            lane: self.lane,
            domain: self.domain,
            recipient: self.recipient,
            sender: self.sender,
            user: self.user,
            held: match (self.held, self.waiting) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            answer: self.answer,
        }
    }
}

/// Number of a message.
pub(super) fn id(text: &str) -> Result<QueueId, String> {
    let number = text.parse().ok().filter(|number| *number > 0).map(QueueId);
    number.ok_or_else(|| "a number, as the column ID of `mailward queue list` has it".to_owned())
}

/// A number with a unit; seconds.
pub(in crate::cli) fn age(text: &str) -> Result<u64, String> {
    let wrong = || "a number with s, m, h, d or w: 30m, 2h, 3d".to_owned();
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at_checked(end).ok_or_else(wrong)?;
    let factor: u64 = match unit.trim_start() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    number.parse().ok().and_then(|number: u64| number.checked_mul(factor)).ok_or_else(wrong)
}

fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse_utf8(text).map_err(|e| e.to_string())
}

/// A lane by its name. A domain may be given in its own script; the rest is lower case but in an address literal.
pub(super) fn lane(text: &str) -> Result<Lane, String> {
    if let Ok(domain) = Domain::parse_utf8(text) {
        return Ok(Lane::from(&domain));
    }
    let name = if text.contains('[') { text.to_owned() } else { text.to_ascii_lowercase() };
    Lane::parse(&name).map_err(|e| e.to_string())
}

/// A reverse path with or without its angle brackets.
fn sender(text: &str) -> Result<Sender, String> {
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    match bare {
        Some("") => Ok(Sender::Null),
        _ => bare.unwrap_or(text).parse().map(Sender::Address).map_err(|e: mailward_core::AddressError| e.to_string()),
    }
}

/// Text to look for. An empty one would fit whatever was tried at all, which nobody means.
fn answer(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > QUEUE_TEXT_MAX {
        return Err(format!("1 to {QUEUE_TEXT_MAX} bytes of text"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        ids: Ids,
        #[command(flatten)]
        filter: Filter,
    }

    fn which(words: &[&str]) -> Result<Which, String> {
        let words = std::iter::once(&"x").chain(words);
        Line::try_parse_from(words)
            .map(|line| Which { messages: line.ids.ids, ..line.filter.which(Timestamp::from_secs(1_000_000)) })
            .map_err(|e| e.to_string())
    }

    #[test]
    fn an_age_is_a_number_with_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90 s", 90), ("30m", 1_800), ("30min", 1_800), ("2h", 7_200), ("3d", 259_200)]
        {
            assert_eq!(age(text), Ok(seconds), "{text}");
        }
        for text in ["", "2", "h", "2 hours", "-2h", "2.5h", "2h30m", "99999999999999999999h", "9999999999999999999w"] {
            assert!(age(text).is_err(), "{text}");
        }
        assert_eq!(which(&["--older-than", "2h"]).unwrap().before, Some(Timestamp::from_secs(992_800)));
        // Older than anything can be: nothing fits, and nothing overflows.
        assert!(which(&["--older-than", "18446744073709551615s"]).unwrap().before.unwrap() < Timestamp(0));
    }

    #[test]
    fn the_null_path_is_a_sender_and_an_empty_word_is_none() {
        assert_eq!(which(&["--sender", "<>"]).unwrap().sender, Some(Sender::Null));
        let joe = || Some(Sender::Address("joe@example.org".parse().unwrap()));
        assert_eq!(which(&["--sender", "joe@example.org"]).unwrap().sender, joe());
        assert_eq!(which(&["--sender", "<joe@example.org>"]).unwrap().sender, joe());
        for bad in ["", "<", ">", "<<>>", "joe", "<joe@example.org"] {
            assert!(which(&["--sender", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lane_is_found_however_its_domain_is_written() {
        assert_eq!(lane("Example.NET").unwrap().as_str(), "example.net");
        assert_eq!(lane("bücher.example").unwrap().as_str(), "xn--bcher-kva.example");
        assert_eq!(lane("Smart.Example.Net:587").unwrap().as_str(), "smart.example.net:587");
        assert_eq!(lane("[IPv6:2001:db8::1]").unwrap().as_str(), "[IPv6:2001:db8::1]");
        assert!(lane("").is_err());
        assert!(lane("a b").is_err());
        assert!(lane("a\u{1b}[2J").is_err());
    }

    #[test]
    fn ids_are_numbers_from_one() {
        assert_eq!(which(&["17", "18"]).unwrap().messages, [QueueId(17), QueueId(18)]);
        for bad in ["0", "-1", "x", "1x", "99999999999999999999"] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn held_and_waiting_are_not_asked_for_together() {
        assert_eq!(which(&["--held"]).unwrap().held, Some(true));
        assert_eq!(which(&["--waiting"]).unwrap().held, Some(false));
        assert_eq!(which(&[]).unwrap().held, None);
        assert!(which(&["--held", "--waiting"]).is_err());
    }

    #[test]
    fn every_filter_leaves_something_out() {
        assert!(which(&[]).unwrap().is_everything());
        for filter in [
            &["1"][..],
            &["--older-than", "0s"],
            &["--domain", "example.net"],
            &["--lane", "example.net"],
            &["--recipient", "a@example.net"],
            &["--sender", "<>"],
            &["--user", "a@example.net"],
            &["--held"],
            &["--waiting"],
            &["--answer", "451"],
        ] {
            assert!(!which(filter).unwrap().is_everything(), "{filter:?}");
        }
        assert!(which(&["--answer", ""]).is_err());
        assert!(which(&["--answer", &"x".repeat(QUEUE_TEXT_MAX + 1)]).is_err());
    }

    proptest! {
        #[test]
        fn no_words_make_it_panic(text in ".{0,40}") {
            let _ = (age(&text), lane(&text), sender(&text), id(&text), domain(&text), answer(&text));
        }
    }
}
