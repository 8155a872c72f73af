//! What the ssh server is told (sshd_config(5)): the first value of a keyword counts; `Match` blocks for some only.

use super::{Host, Missed, Program};
use mailward_core::limits::{AUDIT_INCLUDE_DEPTH, AUDIT_INCLUDE_FILES};
use std::collections::BTreeMap;

/// Where the ssh server's program is.
const PROGRAM: &str = "/usr/sbin/sshd";
const FILE: &str = "/etc/ssh/sshd_config";

/// What the ssh server is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sshd {
    /// For everybody, by keyword in lower case.
    pub(crate) all: BTreeMap<String, String>,
    /// In `Match` blocks: criteria, keyword, value.
    pub(crate) some: Vec<(String, String, String)>,
    /// Where it was read.
    pub(crate) read_from: String,
}

impl Sshd {
    /// The value for everybody, or the server's own where nothing is said.
    pub(crate) fn get<'a>(&'a self, keyword: &str, usual: &'a str) -> &'a str {
        self.all.get(keyword).map_or(usual, String::as_str)
    }

    /// Every value that a keyword may have for somebody.
    pub(crate) fn any<'a>(&'a self, keyword: &'a str, usual: &'a str) -> impl Iterator<Item = &'a str> {
        let some = self.some.iter().filter(move |(_, key, _)| key == keyword).map(|(_, _, value)| value.as_str());
        some.chain([self.get(keyword, usual)])
    }
}

/// What it is told: what `sshd -T` says where it can be asked, and what its files say in `Match` blocks, which that leaves out.
/// `None`: there is no ssh server here.
pub(crate) fn settings(host: &Host) -> Result<Option<Sshd>, Missed> {
    if !host.is_there(PROGRAM)? {
        return Ok(None);
    }
    let mut reader = Reader { host, sshd: Sshd { read_from: FILE.to_owned(), ..Sshd::default() }, files: 0 };
    reader.file(FILE, None, 0)?;
    let mut sshd = reader.sshd;
    if let Ok(said) = host.ask(Program::SshdSettings)
        && said.code == 0
    {
        sshd.all = spoken(&String::from_utf8_lossy(&said.out));
        sshd.read_from = Program::SshdSettings.to_string();
    }
    Ok(Some(sshd))
}

/// What `sshd -T` says: `keyword value`, lists as a line each.
pub(crate) fn spoken(text: &str) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        let known = all.entry(key.to_ascii_lowercase()).or_default();
        if !known.is_empty() {
            known.push(' ');
        }
        known.push_str(value.trim());
    }
    all
}

/// One line: keyword in lower case, and arguments without their quotes. Nothing for a comment.
pub(crate) fn line(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{c}');
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at_checked(end)?;
    // One `=` may stand between keyword and arguments.
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let keyword = match keyword.to_ascii_lowercase().as_str() {
        // Its names of before.
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication".to_owned(),
        other => other.to_owned(),
    };
    Some((keyword, words(rest)))
}

/// Words, of which some are in double quotes; a `#` begins a comment.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            '#' if !quoted && !begun => return words,
            c if c.is_ascii_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

struct Reader<'a> {
    host: &'a Host,
    sshd: Sshd,
    files: usize,
}

impl Reader<'_> {
    /// `within`: the criteria of the block in which it is included.
    fn file(&mut self, path: &str, within: Option<&str>, depth: usize) -> Result<(), Missed> {
        if depth > AUDIT_INCLUDE_DEPTH || self.files >= AUDIT_INCLUDE_FILES {
            return Err(Missed::Odd(path.to_owned(), "files include each other without end".to_owned()));
        }
        self.files = self.files.saturating_add(1);
        let mut criteria = within.map(str::to_owned);
        for text in self.host.text(path)?.lines() {
            let Some((keyword, arguments)) = line(text) else { continue };
            match keyword.as_str() {
                "include" => {
                    for pattern in arguments {
                        for file in matching(self.host, &pattern)? {
                            self.file(&file, criteria.as_deref(), depth.saturating_add(1))?;
                        }
                    }
                }
                "match" => {
                    let words = arguments.join(" ");
                    criteria = match (within, words.eq_ignore_ascii_case("all")) {
                        (within, true) => within.map(str::to_owned),
                        (Some(within), false) => Some(format!("{within}, {words}")),
                        (None, false) => Some(words),
                    };
                }
                _ => self.sshd.note(&keyword, &arguments.join(" "), criteria.as_deref()),
            }
        }
        Ok(())
    }
}

impl Sshd {
    fn note(&mut self, keyword: &str, value: &str, criteria: Option<&str>) {
        match criteria {
            Some(criteria) => self.some.push((criteria.to_owned(), keyword.to_owned(), value.to_owned())),
            // These add to each other, line by line.
            None if ["allowgroups", "allowusers", "denygroups", "denyusers"].contains(&keyword) => {
                let known = self.all.entry(keyword.to_owned()).or_default();
                *known = format!("{known} {value}").trim().to_owned();
            }
            None => {
                self.all.entry(keyword.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    }
}

/// The files of a pattern, whose wildcards are in its last part; sorted.
fn matching(host: &Host, pattern: &str) -> Result<Vec<String>, Missed> {
    let whole = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
    let Some((directory, name)) = whole.rsplit_once('/') else { return Ok(Vec::new()) };
    if directory.contains(['*', '?', '[']) || name.contains('[') {
        return Err(Missed::Odd(FILE.to_owned(), format!("Include {pattern:?}: such a pattern isn't followed")));
    }
    let names = host.list_if_there(if directory.is_empty() { "/" } else { directory })?;
    let fits = |one: &String| fits(name.as_bytes(), one.as_bytes()) && (name.starts_with('.') || !one.starts_with('.'));
    Ok(names.into_iter().filter(fits).map(|one| format!("{directory}/{one}")).collect())
}

/// Whether a name fits a pattern of `*` and `?`.
pub(crate) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0_usize, 0_usize, None);
    while n < name.len() {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                p = p.saturating_add(1);
            }
            (Some(a), Some(b)) if *a == b'?' || a == b => (p, n) = (p.saturating_add(1), n.saturating_add(1)),
            _ => match star {
                Some((at, from)) => {
                    p = at.saturating_add(1);
                    n = from.saturating_add(1);
                    star = Some((at, n));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that include each the next, so many of them.
    fn chained(files: usize) -> Result<Option<Sshd>, Missed> {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: String| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("usr/sbin/sshd", String::new());
        write("etc/ssh/sshd_config", "Include /etc/ssh/1\n".to_owned());
        for number in 1..files {
            write(&format!("etc/ssh/{number}"), format!("Include /etc/ssh/{}\n", number + 1));
        }
        write(&format!("etc/ssh/{files}"), "PermitRootLogin no\n".to_owned());
        settings(&Host::at(root.path(), false, Box::new(BTreeMap::new())))
    }

    #[test]
    fn files_that_include_each_other_are_followed_so_far_and_no_farther() {
        let sshd = chained(AUDIT_INCLUDE_DEPTH).unwrap().unwrap();
        assert_eq!(sshd.get("permitrootlogin", "yes"), "no");
        let missed = chained(AUDIT_INCLUDE_DEPTH + 1).unwrap_err();
        assert!(missed.to_string().contains("include each other"), "{missed}");
    }
}
