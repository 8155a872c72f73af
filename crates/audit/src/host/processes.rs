//! Processes, as `/proc` shows them.

use super::{Host, Missed};
use std::collections::BTreeMap;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// `/proc/PID/status`.
    pub(crate) status: BTreeMap<String, String>,
    /// Its command line, word by word. May hold secrets.
    pub(crate) words: Vec<String>,
}

impl Process {
    /// Who it is in force: the second number of `Uid`.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.status.get("Uid")?.split_whitespace().nth(1)?.parse().ok()
    }

    /// A set of capabilities or signals, in hexadecimal.
    pub(crate) fn mask(&self, key: &str) -> Option<u64> {
        u64::from_str_radix(self.status.get(key)?, 16).ok()
    }

    /// A number.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.status.get(key)?.split_whitespace().next()?.parse().ok()
    }

    /// Its name and number.
    pub(crate) fn name(&self) -> String {
        let name = self.status.get("Name").map_or("?", String::as_str);
        // Workers are started as `/proc/self/exe`, which is then their name; how they are called is ours to say.
        let is_ours = self.words.first().is_some_and(|word| word.rsplit('/').next() == Some("mailward"));
        match self.words.get(1) {
            Some(verb) if is_ours => format!("mailward {verb} (process {})", self.pid),
            _ => format!("{name} (process {})", self.pid),
        }
    }

    /// Whether it is the server's own worker of this kind.
    pub(crate) fn is_worker(&self, verb: &str) -> bool {
        self.words.get(1).is_some_and(|word| word == verb)
    }
}

/// The numbers of all processes.
pub(crate) fn all(host: &Host) -> Result<Vec<u32>, Missed> {
    if !host.is_running() {
        return Err(Missed::NotRunning("/proc".to_owned()));
    }
    Ok(host.list("/proc")?.iter().filter_map(|name| name.parse().ok()).collect())
}

/// One process; `None`: it is gone.
pub(crate) fn process(host: &Host, pid: u32) -> Result<Option<Process>, Missed> {
    let Some(text) = gone(host.live(&format!("/proc/{pid}/status")))? else { return Ok(None) };
    let words = gone(host.live(&format!("/proc/{pid}/cmdline")))?.unwrap_or_default();
    let words = words.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Ok(Some(Process { pid, status: status(&text), words }))
}

/// The server's process and all that it started, the server first.
pub(crate) fn family(host: &Host, server: u32) -> Result<Vec<Process>, Missed> {
    let Some(first) = process(host, server)? else {
        return Err(Missed::NotReached(format!("the server's process {server} is gone")));
    };
    let mut others = Vec::new();
    for pid in all(host)? {
        others.extend(process(host, pid)?);
    }
    let mut family = vec![first];
    // Whoever comes later in the list is a child of somebody before; it grows by those that are still apart.
    let mut at = 0_usize;
    while let Some(parent) = family.get(at).map(|process| u64::from(process.pid)) {
        let (children, apart) = others.into_iter().partition(|process| process.number("PPid") == Some(parent));
        others = apart;
        family.extend::<Vec<Process>>(children);
        at = at.saturating_add(1);
    }
    Ok(family)
}

/// What its descriptors are: `socket:[123]`, `/var/log/x (deleted)`.
pub(crate) fn descriptors(host: &Host, pid: u32) -> Result<Vec<String>, Missed> {
    let directory = format!("/proc/{pid}/fd");
    let mut found = Vec::new();
    for name in gone(host.list(&directory))?.unwrap_or_default() {
        found.extend(gone(host.link(&format!("{directory}/{name}")))?);
    }
    Ok(found)
}

/// A limit of `/proc/PID/limits`: the soft one, `None` where it is unlimited or unknown.
pub(crate) fn limit(limits: &str, name: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// `Key: value` lines, the first of a key counting.
pub(crate) fn status(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().rev().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

/// A process ends whenever it likes: what isn't there any more is none.
pub(crate) fn gone<T>(read: Result<T, Missed>) -> Result<Option<T>, Missed> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(Missed::Absent(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
