//! What gives an installation away.

use crate::host::Host;
use crate::scene::Statements;
use crate::state::State;

/// Users of the host that may be people: those of Debian's `adduser`.
const PEOPLE: std::ops::Range<u32> = 1_000..60_000;
/// Those of its packages, who are people only if they can log in.
const SYSTEM: std::ops::Range<u32> = 100..1_000;

/// What has to be known to be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Names of this host, domains it receives mail for, and other installations that it knows by name.
    pub hosts: Vec<String>,
    /// People: addresses, names of accounts, names.
    pub people: Vec<String>,
}

impl Names {
    /// Names of the host and of what it serves, of its users, of those who answered and made rules. `people` and `peers` are those
    /// that the configuration names.
    pub fn of(
        state: &State,
        statements: &Statements,
        people: impl IntoIterator<Item = String>,
        peers: impl IntoIterator<Item = String>,
        host: &Host,
    ) -> Self {
        let mut hosts: Vec<String> = state.name.iter().chain(&state.domains).cloned().chain(peers).collect();
        hosts.push(host.text("/proc/sys/kernel/hostname").unwrap_or_default());
        let mut people: Vec<String> = people.into_iter().collect();
        people.extend(state.accounts.iter().flat_map(|accounts| accounts.keys().cloned()));
        people.extend(state.trusting.iter().flatten().filter_map(|rule| rule.by.clone()));
        people.extend(statements.0.values().map(|statement| statement.who.clone()));
        // What can't be read isn't in the report either: its controls read the same.
        people.extend(host.text("/etc/passwd").unwrap_or_default().lines().filter_map(person));
        Self { hosts, people }
    }
}

/// The name in a line of `/etc/passwd`, if it may be a person's.
fn person(line: &str) -> Option<String> {
    let mut fields = line.split(':');
    let (name, number) = (fields.next()?, fields.nth(1)?.parse::<u32>().ok()?);
    let shell = fields.next_back()?;
    let logs_in = !shell.is_empty() && !shell.ends_with("/nologin") && !shell.ends_with("/false");
    (PEOPLE.contains(&number) || SYSTEM.contains(&number) && logs_in).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn people_are_users_of_the_host_who_log_in() {
        for somebody in ["ada:x:1000:1000:Ada:/home/ada:/bin/sh", "ada:x:998:998::/srv:/bin/bash"] {
            assert_eq!(person(somebody).as_deref(), Some("ada"), "{somebody}");
        }
        for nobody in [
            "root:x:0:0::/root:/bin/sh",
            "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin",
            "nobody:x:65534:65534::/:/bin/false",
            "",
            "a:b",
            "a:x:y:z",
        ] {
            assert_eq!(person(nobody), None, "{nobody}");
        }
    }
}
