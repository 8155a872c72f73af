//! What sudo is told (sudoers(5)), as far as it is judged: who needs no password for everything, and its defaults.

use super::{Host, Missed};
use mailward_core::limits::{AUDIT_INCLUDE_DEPTH, AUDIT_INCLUDE_FILES};

/// What sudo is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sudo {
    /// Lines that let somebody do everything without a password, with their file.
    pub(crate) free: Vec<String>,
    /// What `Defaults` lines say, word by word.
    pub(crate) defaults: Vec<String>,
    /// The files that were read.
    pub(crate) files: Vec<String>,
}

/// What its files say; `None`: sudo isn't here.
pub(crate) fn settings(host: &Host) -> Result<Option<Sudo>, Missed> {
    let mut sudo = Sudo::default();
    match read(host, "/etc/sudoers", &mut sudo, 0) {
        Err(Missed::Absent(_)) if !host.is_there("/usr/bin/sudo")? => Ok(None),
        Err(other) => Err(other),
        Ok(()) => Ok(Some(sudo)),
    }
}

fn read(host: &Host, path: &str, sudo: &mut Sudo, depth: usize) -> Result<(), Missed> {
    if depth > AUDIT_INCLUDE_DEPTH || sudo.files.len() >= AUDIT_INCLUDE_FILES {
        return Err(Missed::Odd(path.to_owned(), "files include each other without end".to_owned()));
    }
    let text = host.text(path)?;
    sudo.files.push(path.to_owned());
    for included in sudo.take(path, &text) {
        let (directory, is_directory) = match included {
            Included::File(file) => (file, false),
            Included::Directory(directory) => (directory, true),
        };
        let directory = if directory.starts_with('/') { directory } else { format!("/etc/{directory}") };
        if !is_directory {
            read(host, &directory, sudo, depth.saturating_add(1))?;
            continue;
        }
        for name in host.list_if_there(&directory)? {
            // Names with a dot, and backups, are left out (sudoers(5)).
            if !name.contains('.') && !name.ends_with('~') {
                read(host, &format!("{directory}/{name}"), sudo, depth.saturating_add(1))?;
            }
        }
    }
    Ok(())
}

/// What a file includes.
#[derive(Debug)]
pub(crate) enum Included {
    File(String),
    Directory(String),
}

impl Sudo {
    /// Takes what a file says, and returns what it includes.
    pub(crate) fn take(&mut self, path: &str, text: &str) -> Vec<Included> {
        let mut included = Vec::new();
        let mut everything = vec!["ALL".to_owned()];
        for line in joined(text) {
            let line = line.trim();
            if let Some(directory) = line.strip_prefix("@includedir").or_else(|| line.strip_prefix("#includedir")) {
                included.push(Included::Directory(directory.trim().trim_matches('"').to_owned()));
            } else if let Some(file) = line.strip_prefix("@include ").or_else(|| line.strip_prefix("#include ")) {
                included.push(Included::File(file.trim().trim_matches('"').to_owned()));
            } else if line.starts_with('#') {
            } else if let Some(rest) = line.strip_prefix("Defaults") {
                let words: Vec<&str> = words(rest).collect();
                if words.contains(&"!authenticate") {
                    self.free.push(format!("{path}: {line}"));
                }
                self.defaults.extend(words.into_iter().map(str::to_owned));
            } else if let Some((name, value)) = line.strip_prefix("Cmnd_Alias").and_then(|rest| rest.split_once('=')) {
                if words(value).any(|word| everything.iter().any(|all| all == word)) {
                    everything.push(name.trim().to_owned());
                }
            } else if is_free(line, &everything) {
                self.free.push(format!("{path}: {line}"));
            }
        }
        included
    }

    /// Whether `Defaults` say this in any form: `use_pty`, `logfile=…`; what comes last counts.
    pub(crate) fn says(&self, name: &str) -> bool {
        let said = self.defaults.iter().rev().find(|word| {
            let word = word.trim_start_matches('!');
            word == name || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
        });
        said.is_some_and(|word| !word.starts_with('!'))
    }
}

/// Whether everything is among what comes after a `NOPASSWD:`. What can't be told apart is taken as the worse.
fn is_free(line: &str, everything: &[String]) -> bool {
    // Tags stand before each other and before the command: `NOPASSWD:SETENV:ALL`.
    let spaced = line.replace(':', ": ");
    let mut free = false;
    for word in words(&spaced) {
        match word {
            "NOPASSWD:" => free = true,
            "PASSWD:" => free = false,
            word if free && everything.iter().any(|all| all == word) => return true,
            _ => {}
        }
    }
    false
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

/// Lines, those that end with a backslash joined with the next.
pub(crate) fn joined(text: &str) -> Vec<String> {
    let (mut lines, mut begun) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Some(begins) = line.strip_suffix('\\') {
            begun.push_str(begins);
        } else {
            lines.push(std::mem::take(&mut begun) + line);
        }
    }
    if !begun.is_empty() {
        lines.push(begun);
    }
    lines
}
