//! Who gets in by ssh.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::reading::{Answer, Demands, accounts, base, sshd, tell};
use crate::scene::Scene;
use base64::Engine as _;

pub(super) const LOGIN: Control = Control {
    id: "OSA-01",
    weight: 10,
    question: "Does ssh let in only named groups, by keys, and never root?",
    why: "Every host on the Internet has its passwords tried all day. One that works is all mail of everybody.",
    verified: "`sshd -T`, else sshd_config with Include and Match, the first value counting: PermitRootLogin, PasswordAuthentication, \
               KbdInteractiveAuthentication, PermitEmptyPasswords, MaxAuthTries, AllowGroups, X11Forwarding, AllowAgentForwarding.",
    mend: "Write into /etc/ssh/sshd_config.d/10-mail.conf: PermitRootLogin no, PasswordAuthentication no, KbdInteractiveAuthentication no, \
           MaxAuthTries 4, AllowGroups sudo, X11Forwarding no, AllowAgentForwarding no; try it with a second session before you leave the first.",
    source: "Lynis SSH-7408, SSH-7440; SCAP Security Guide for Debian, Disable SSH Root Login",
    check: Check::Look(|scene| tell(ssh_is_strict(scene))),
    ..base(Area::Access)
};

pub(super) const KEYS: Control = Control {
    id: "OSA-17",
    question: "Is every key that opens an account strong, and somebody's?",
    why: "A key of which nobody knows whose it is can't be taken away when they leave; a weak one can be computed.",
    verified: "authorized_keys of every account: no DSA, RSA of 3072 bits or more, and a comment that says whose it is.",
    mend: "Take out what is named; have its owner make an Ed25519 key, and add it with their name as comment.",
    source: "ISO/IEC 27001 Annex A, privileged access rights",
    check: Check::Look(|scene| tell(keys_are_strong(scene))),
    ..base(Area::Access)
};

/// Keyword, what sshd does where nothing is said, and the value that is good.
const SWITCHES: [(&str, &str, &str); 6] = [
    ("permitrootlogin", "prohibit-password", "no"),
    ("passwordauthentication", "yes", "no"),
    ("kbdinteractiveauthentication", "yes", "no"),
    ("permitemptypasswords", "no", "no"),
    ("x11forwarding", "no", "no"),
    ("allowagentforwarding", "yes", "no"),
];
const TRIES: u32 = 4;

fn ssh_is_strict(scene: &Scene) -> Answer {
    let Some(sshd) = sshd::settings(&scene.host)? else {
        return Ok(Finding::not_applicable("there is no ssh server here"));
    };
    let mut demands = Demands::default();
    let mut shown = String::new();
    for (keyword, usual, good) in SWITCHES {
        let bad = sshd.any(keyword, usual).find(|value| !value.eq_ignore_ascii_case(good));
        demands.ask(bad.is_none(), format!("{keyword} is {}", bad.unwrap_or_default()));
        shown.push_str(&format!("{keyword} {}\n", sshd.get(keyword, usual)));
    }
    let most = sshd.any("maxauthtries", "6").filter_map(|value| value.parse::<u32>().ok()).max();
    demands.ask(most.is_some_and(|most| most <= TRIES), format!("maxauthtries is more than {TRIES}"));
    let named = sshd.all.contains_key("allowgroups") || sshd.all.contains_key("allowusers");
    demands.ask(named, "everybody with an account may try: neither AllowGroups nor AllowUsers is set");
    for keyword in ["maxauthtries", "allowgroups", "allowusers"] {
        shown.push_str(&format!("{keyword} {}\n", sshd.get(keyword, "(not set)")));
    }
    for (criteria, keyword, value) in &sshd.some {
        shown.push_str(&format!("Match {criteria}: {keyword} {value}\n"));
    }
    demands.show(sshd.read_from.as_str(), shown);
    Ok(demands.finding("ssh lets in named people, by keys, and never root"))
}

/// Least bits of an RSA key: NIST SP 800-57 for use beyond 2030.
const RSA_BITS: usize = 3072;

fn keys_are_strong(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    for account in accounts(host)?.into_iter().filter(|account| account.has_shell()) {
        for name in [".ssh/authorized_keys", ".ssh/authorized_keys2"] {
            let path = format!("{}/{name}", account.home.trim_end_matches('/'));
            let Some(text) = host.text_if_there(&path)? else { continue };
            let mut kinds = String::new();
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let wrong = match key(line) {
                    None => Some("a line that is no key".to_owned()),
                    Some(key) if key.kind == "ssh-dss" => Some("a DSA key".to_owned()),
                    Some(Key { bits: Some(bits), .. }) if bits < RSA_BITS => Some(format!("an RSA key of {bits} bits")),
                    Some(key) if key.comment.is_empty() => Some("a key of which nobody says whose it is".to_owned()),
                    Some(key) => {
                        kinds.push_str(&format!("{} {}\n", key.kind, key.comment));
                        None
                    }
                };
                demands.ask(wrong.is_none(), format!("{path}: {}", wrong.unwrap_or_default()));
            }
            demands.show(path, kinds);
        }
    }
    let good = if demands.is_empty() { "no key opens an account" } else { "every key is strong, and says whose it is" };
    if demands.is_empty() {
        // Homes that can't be looked into are an error above, so there are none.
        return Ok(Finding::pass(good).showing("authorized_keys of accounts with a shell", "none"));
    }
    Ok(demands.finding(good))
}

/// A public key as OpenSSH writes it.
pub(crate) struct Key {
    pub(crate) kind: String,
    /// Of an RSA key.
    pub(crate) bits: Option<usize>,
    pub(crate) comment: String,
}

/// A line of `authorized_keys` (sshd(8)): options with blanks in quotes only, kind, key, comment.
pub(crate) fn key(line: &str) -> Option<Key> {
    let mut rest = line;
    for _options_or_not in 0..2 {
        let (word, after) = first_word(rest);
        if word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-") {
            let (blob, comment) = first_word(after);
            let blob = base64::engine::general_purpose::STANDARD.decode(blob).ok()?;
            let (kind, of_key) = field(&blob)?;
            if kind != word.as_bytes() {
                return None;
            }
            let bits = (word == "ssh-rsa").then(|| {
                let (_exponent, of_key) = field(of_key)?;
                let (modulus, _) = field(of_key)?;
                let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
                let first = modulus.get(zeros)?;
                let bytes = modulus.len().saturating_sub(zeros);
                Some(bytes.saturating_mul(8).saturating_sub(usize::try_from(first.leading_zeros()).unwrap_or(0)))
            });
            let bits = match bits {
                Some(None) => return None,
                Some(bits) => bits,
                None => None,
            };
            return Some(Key { kind: word.to_owned(), bits, comment: comment.trim().to_owned() });
        }
        rest = after;
    }
    None
}

/// A word, in which blanks between quotes don't count, and what comes after it.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text.char_indices().find(|(_, c)| {
        if *c == '"' {
            quoted = !quoted;
        }
        c.is_ascii_whitespace() && !quoted
    });
    text.split_at_checked(end.map_or(text.len(), |(at, _)| at)).unwrap_or((text, ""))
}

/// A string of SSH: four bytes of length, then so many (RFC 4251 §5).
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
