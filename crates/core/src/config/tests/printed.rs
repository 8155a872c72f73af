//! Pages of `docs/` that are written from the code, held against it. After a change of keys or limits:
//! `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-core printed`.

use crate::config::Config;
use std::fmt::Write as _;
use std::path::Path;

/// The rooms of `core::limits`, one behind the other, in the order in which the first one names them.
pub(super) fn rooms() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = std::fs::read_to_string(source.join("limits.rs")).unwrap();
    let names: Vec<String> =
        all.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    for name in names {
        all.push_str(&std::fs::read_to_string(source.join(format!("limits/{name}.rs"))).unwrap());
    }
    all
}

fn holds(page: &str, written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let printed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        printed == written,
        "docs/{page} is not what the code says: MAILWARD_WRITE_DOCS=1 cargo test -p mailward-core printed"
    );
}

#[test]
fn the_configuration_reference_is_current() {
    holds("configuration.md", &Config::reference());
}

#[test]
fn the_list_of_limits_is_current() {
    holds("limits.md", &limits(&rooms()));
}

#[test]
fn every_limit_says_why_it_is_there() {
    let constants = rooms().lines().filter(|l| l.starts_with("pub const ")).count();
    let page = limits(&rooms());
    assert_eq!(page.lines().filter(|l| l.starts_with("| `")).count(), constants);
    assert!(!page.contains("|  |"), "a limit without a reason");
}

/// A table for every section of `core::limits`, from its comments.
fn limits(source: &str) -> String {
    let mut page = String::from(
        "# Limits\n\n\
         <!-- Written from crates/core/src/limits.rs and crates/core/src/limits/ by a test of that crate. Don't edit. -->\n\n\
         Mailward loops over, buffers and waits for nothing that comes from outside without one of these. Those that an\n\
         administrator may move are keys of `[limits]` in [mailward.toml](configuration.md#limits-limits-that-you-may-move-all-others-stand-in-docslimitsmd);\n\
         here is their default. *PFX* marks a default that Postfix ships and two decades of the Internet have tested. Those that no\n\
         test of Mailward names stand in `crates/core/src/config/tests/untested_limits.txt`, which may only get shorter.\n",
    );
    let mut reason = String::new();
    for line in source.lines() {
        if let Some(title) = line.strip_prefix("// ---- ") {
            let title = title.trim_end_matches('-').trim_end();
            write!(page, "\n## {title}\n\n| limit | value | why |\n|---|---|---|\n").unwrap();
        } else if let Some(text) = line.strip_prefix("/// ") {
            if !reason.is_empty() {
                reason.push(' ');
            }
            reason.push_str(text);
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, rest) = constant.split_once(':').unwrap();
            let (kind, value) = rest.trim_end_matches(';').split_once('=').unwrap();
            let value = plain(kind.trim(), value.trim(), reason.contains("ytes"));
            let why = without_attacks(&reason).replace('|', "\\|").replace("[`", "`").replace("`]", "`");
            writeln!(page, "| `{name}` | {value} | {why} |").unwrap();
            reason.clear();
        }
    }
    page
}

/// The numbers of attacks are those of a list that readers of the page don't have.
fn without_attacks(reason: &str) -> String {
    let mut text = reason.to_owned();
    for (begin, end, stays) in [(" (attacks ", ')', ""), (", attacks ", ')', ")"), (" Attacks ", '.', "")] {
        while let Some((before, rest)) = text.split_once(begin) {
            text = format!("{before}{stays}{}", rest.split_once(end).unwrap().1);
        }
    }
    text
}

/// `31 * 60` seconds as people say it; KiB and MiB only for bytes.
fn plain(kind: &str, value: &str, bytes: bool) -> String {
    let product = |text: &str| {
        text.split('*')
            .map(|n| n.trim().replace('_', "").parse::<u64>())
            .try_fold(1u64, |all, n| n.map(|n| all.saturating_mul(n)))
    };
    if kind == "Duration" {
        let (unit, number) = value.trim_start_matches("Duration::from_").trim_end_matches(')').split_once('(').unwrap();
        let unit = match unit {
            "secs" => "s",
            "millis" => "ms",
            other => other,
        };
        return format!("{} {unit}", product(number).unwrap());
    }
    match product(value) {
        Ok(n) if bytes && n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        Ok(n) if bytes && n >= 1 << 10 && n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        Ok(n) => n.to_string(),
        Err(_) => format!("`{value}`"),
    }
}
