//! Steps of the rate guard and what it ignores, as the configuration says them; and what `mailward trace` and `rates reset` are
//! asked for: what is read comes back from its own words, and steps rise.

use mailward_core::config::{Config, RateIgnored};
use mailward_core::{RateLimits, RateRule, RateStep};
use mailward_gate::journal::{Reference, What};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(rule) = RateRule::parse(text) {
        assert_eq!(RateRule::parse(&rule.to_string()), Ok(rule));
        let steps: Vec<u32> = RateStep::ALL.into_iter().filter_map(|step| rule.steps.get(step)).collect();
        assert!(!steps.is_empty() && steps.is_sorted(), "{rule}");
        let limits = RateLimits::from_rules(&[rule]).unwrap();
        assert_eq!(limits.rules(), [rule]);
    }
    if let Ok(ignored) = RateIgnored::parse(text) {
        assert_eq!(RateIgnored::parse(&ignored.to_string()), Ok(ignored));
    }
    if let Ok(reference) = text.parse::<Reference>() {
        let written = reference.to_string();
        assert!(
            written.len() == 9 && written.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
        );
        assert_eq!(written.parse(), Ok(reference));
    }
    if let Ok(What::Network(network)) = What::parse(text) {
        assert_eq!(What::parse(&network), Ok(What::Network(network)));
    }
    // Lines as strings of a list, in a file.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(['"', '\\'])).collect();
    let file = format!("[rates]\nhost = [\"{}\"]\n", lines.join("\", \""));
    if let Ok(loaded) = Config::parse(&file, "mailward.toml") {
        let limits = loaded.config.rates.host;
        assert_eq!(RateLimits::from_rules(&limits.rules()), Ok(limits));
    }
}
