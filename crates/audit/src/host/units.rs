//! What systemd is told: which units are on, and how ours is closed in.

use super::ini::Ini;
use super::{Host, Missed, Program};
use std::collections::{BTreeMap, BTreeSet};

/// Where units are, the first counting most (systemd.unit(5)).
pub(crate) const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const OURS: &str = "mailward.service";

/// How our unit is set.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    settings: BTreeMap<String, String>,
    /// Where it was read.
    pub(crate) read_from: String,
}

impl Service {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| ["yes", "true", "on", "1"].contains(&value))
    }

    /// These settings, a line each, as evidence.
    pub(crate) fn shown(&self, keys: &[&str]) -> String {
        let line = |key: &&str| format!("{key}={}\n", self.get(key).unwrap_or("(not set)"));
        keys.iter().map(line).collect()
    }
}

/// Our unit: as systemd has it, else as its files say.
pub(crate) fn service(host: &Host) -> Result<Service, Missed> {
    if let Ok(said) = host.ask(Program::OurUnit)
        && said.code == 0
    {
        let settings = shown(&String::from_utf8_lossy(&said.out));
        if settings.get("LoadState").is_some_and(|state| state == "loaded") {
            return Ok(Service { settings, read_from: Program::OurUnit.to_string() });
        }
    }
    let ini = Ini::layered(host, &DIRECTORIES, OURS)?;
    let ini = ini.ok_or_else(|| Missed::Absent(format!("a systemd unit {OURS}")))?;
    let mut settings = BTreeMap::new();
    for key in KEYS {
        let values = ini.all("Service", key);
        let value =
            if LISTS.contains(&key) { values.join(" ") } else { values.last().copied().unwrap_or("").to_owned() };
        if !value.is_empty() {
            settings.insert(key.to_owned(), value);
        }
    }
    Ok(Service { settings, read_from: OURS.to_owned() })
}

/// What is read of a unit's files.
const KEYS: [&str; 20] = [
    "User",
    "UMask",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "RestrictAddressFamilies",
    "CapabilityBoundingSet",
    "SystemCallFilter",
    "NoExecPaths",
    "ExecPaths",
    "MemoryMax",
    "TasksMax",
    "LimitNOFILE",
    "LimitCORE",
    "OOMPolicy",
    "Environment",
    "EnvironmentFile",
];
const LISTS: [&str; 7] = [
    "RestrictAddressFamilies",
    "CapabilityBoundingSet",
    "SystemCallFilter",
    "NoExecPaths",
    "ExecPaths",
    "Environment",
    "EnvironmentFile",
];

/// `Key=value` lines.
pub(crate) fn shown(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The units that are on: as systemd says, else what is linked to be wanted. And where it was read.
pub(crate) fn enabled(host: &Host) -> Result<(BTreeSet<String>, String), Missed> {
    if let Ok(said) = host.ask(Program::EnabledUnits)
        && said.code == 0
    {
        let text = String::from_utf8_lossy(&said.out).into_owned();
        let units = text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
        return Ok((units, Program::EnabledUnits.to_string()));
    }
    let directory = "/etc/systemd/system";
    let mut names = host.list(directory)?;
    names.retain(|name| name.ends_with(".wants") || name.ends_with(".requires"));
    if names.is_empty() {
        return Err(Missed::Absent(format!("a list of units in {directory}")));
    }
    let mut units = BTreeSet::new();
    for name in names {
        units.extend(host.list(&format!("{directory}/{name}"))?);
    }
    Ok((units, format!("{directory}/*.wants")))
}

/// Whether a unit is masked: a link to nothing.
pub(crate) fn is_masked(host: &Host, unit: &str) -> Result<bool, Missed> {
    match host.link(&format!("/etc/systemd/system/{unit}")) {
        Ok(target) => Ok(target == "/dev/null"),
        Err(Missed::Absent(_)) => Ok(false),
        // Not a link.
        Err(Missed::Odd(..)) => Ok(false),
        Err(other) => Err(other),
    }
}
