//! The host's accounts: `passwd`, `shadow`, `group`, `login.defs`.

use super::{Host, Missed};
use std::collections::BTreeMap;

/// One line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
    /// The second field: `x` where `/etc/shadow` has the password.
    pub(crate) password: String,
}

impl Account {
    /// Whether it could be used to log in, by its shell alone.
    pub(crate) fn has_shell(&self) -> bool {
        let shell = self.shell.rsplit('/').next().unwrap_or_default();
        // An empty one is `/bin/sh` (passwd(5)). `sync` and its like are programs that do one thing.
        !["nologin", "false", "sync", "shutdown", "halt"].contains(&shell)
    }
}

/// The lines of `/etc/passwd`.
pub(crate) fn accounts(host: &Host) -> Result<Vec<Account>, Missed> {
    parse_passwd(&host.text("/etc/passwd")?).map_err(|line| Missed::Odd("/etc/passwd".to_owned(), line))
}

/// # Errors
/// The first line that nobody can read.
pub(crate) fn parse_passwd(text: &str) -> Result<Vec<Account>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with(['+', '-', '#']));
    lines
        .map(|line| {
            let mut fields = line.split(':');
            let mut next = || fields.next().unwrap_or_default().to_owned();
            let (name, password, uid, _gid, _words, home, shell) =
                (next(), next(), next(), next(), next(), next(), next());
            match uid.parse() {
                Ok(uid) if !name.is_empty() => Ok(Account { name, uid, home, shell, password }),
                _ => Err(format!("a line that isn't an account's: {:?}", line.chars().take(40).collect::<String>())),
            }
        })
        .collect()
}

/// The numbers of `/etc/group`.
pub(crate) fn groups(host: &Host) -> Result<Vec<u32>, Missed> {
    let text = host.text("/etc/group")?;
    Ok(text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect())
}

/// Of each account the password field and the day of its last change, days since 1970. Secret.
pub(crate) fn shadow(host: &Host) -> Result<BTreeMap<String, (String, Option<i64>)>, Missed> {
    let text = host.text("/etc/shadow")?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, field, changed) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
            Some((name.to_owned(), (field.to_owned(), changed.parse().ok())))
        })
        .collect())
}

/// How a password is kept, without it: safe to show.
pub(crate) fn scheme(field: &str) -> &'static str {
    match field {
        "" => "no password at all",
        locked if locked.starts_with(['!', '*']) => "locked",
        field if field.starts_with("$y$") => "yescrypt",
        field if field.starts_with("$gy$") => "gost-yescrypt",
        field if field.starts_with("$7$") => "scrypt",
        field if field.starts_with("$6$") => "SHA-512",
        field if field.starts_with("$5$") => "SHA-256",
        field if field.starts_with("$2") => "bcrypt",
        field if field.starts_with("$1$") => "MD5",
        _ => "an old or unknown scheme",
    }
}

/// A setting of `/etc/login.defs`.
pub(crate) fn login_settings(host: &Host, key: &str) -> Result<Option<String>, Missed> {
    let text = host.text_if_there("/etc/login.defs")?.unwrap_or_default();
    let mut values = text.lines().rev().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(key)).then(|| words.next().unwrap_or_default().to_owned())
    });
    Ok(values.next())
}
