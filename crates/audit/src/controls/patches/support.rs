//! Until when releases of systems get security updates.

use std::collections::BTreeMap;

/// What is known of a release.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Support {
    /// Its name, and the last day, `2028-06-30`.
    Until(String, String),
    /// Nothing.
    Unknown(String),
}

/// System, release, and the last day of security updates that everybody gets, those of Debian's long-term support included.
/// From the distributions' own pages; a release that isn't here is unknown, never good.
const ENDS: [(&str, &str, &str); 20] = [
    ("debian", "9", "2022-06-30"),
    ("debian", "10", "2024-06-30"),
    ("debian", "11", "2026-08-31"),
    ("debian", "12", "2028-06-30"),
    ("debian", "13", "2030-06-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-31"),
    ("ubuntu", "22.04", "2027-04-30"),
    ("ubuntu", "24.04", "2029-04-30"),
    ("almalinux", "8", "2029-03-01"),
    ("almalinux", "9", "2032-05-31"),
    ("almalinux", "10", "2035-05-31"),
    ("rocky", "8", "2029-05-31"),
    ("rocky", "9", "2032-05-31"),
    ("rocky", "10", "2035-05-31"),
    ("rhel", "7", "2024-06-30"),
    ("rhel", "8", "2029-05-31"),
    ("rhel", "9", "2032-05-31"),
    ("rhel", "10", "2035-05-31"),
    ("centos", "7", "2024-06-30"),
];

/// What an `os-release` file says, by itself (`SUPPORT_END`, os-release(5)) or by the table.
pub(super) fn of(text: &str) -> Support {
    let fields: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim().trim_matches(['"', '\''])))
        .collect();
    let get = |key: &str| fields.get(key).copied().unwrap_or_default();
    let (id, version) = (get("ID"), get("VERSION_ID"));
    let name = if get("PRETTY_NAME").is_empty() { format!("{id} {version}") } else { get("PRETTY_NAME").to_owned() };
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    // Of systems whose releases have points, the first number is the release.
    let of_points = version.split('.').next().unwrap_or_default();
    let known =
        ENDS.iter().find(|(system, release, _)| *system == id && (*release == version || *release == of_points));
    let said = Some(get("SUPPORT_END")).filter(|day| is_day(day));
    match (known.map(|(_, _, end)| *end), said) {
        // The table has long-term support as well.
        (Some(end), Some(said)) => Support::Until(name, end.max(said).to_owned()),
        (Some(end), None) | (None, Some(end)) => Support::Until(name, end.to_owned()),
        (None, None) => Support::Unknown(name),
    }
}

/// `2028-06-30`.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_known_by_the_table_or_by_itself_and_else_not() {
        let until = |text: &str| match of(text) {
            Support::Until(_, end) => end,
            Support::Unknown(name) => name,
        };
        assert_eq!(until("ID=debian\nVERSION_ID=\"12\"\n"), "2028-06-30");
        assert_eq!(until("ID=\"rocky\"\nVERSION_ID=\"9.4\"\n"), "2032-05-31");
        assert_eq!(until("ID=fedora\nVERSION_ID=44\nSUPPORT_END=2027-05-14\n"), "2027-05-14");
        // What the distribution says of itself can't shorten what the table knows, nor make sense of nonsense.
        assert_eq!(until("ID=debian\nVERSION_ID=12\nSUPPORT_END=2026-06-10\n"), "2028-06-30");
        assert_eq!(until("ID=x\nPRETTY_NAME=\"X\x1b[2J 1\"\nSUPPORT_END=9999\n"), "X[2J 1");
    }
}
