//! Addresses as programs write them: on a command line, or in the fields that `sendmail -t` takes recipients from. What
//! has no domain is somebody at this host, which is written `localhost`.

use crate::address_list::{Stop, members};
use crate::bytes::sub;
use crate::header::{fields, header_end};
use mailward_core::limits::SMTP_RECIPIENTS_CONFIG_MAX;
use mailward_core::{Address, Domain, Host, LocalPart};
use std::collections::HashSet;

/// Why nobody can say for sure whom a program means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrittenFault {
    /// Something that isn't an address, or could be read as another one.
    #[error("{0:?} is no address: write local@domain or Name <local@domain>")]
    Address(String),
    /// More than `limits::SMTP_RECIPIENTS_CONFIG_MAX`.
    #[error("there are more than {SMTP_RECIPIENTS_CONFIG_MAX} recipients")]
    TooMany,
}

/// Reads a list of addresses, names and groups allowed. Each comes once.
///
/// # Errors
/// [`WrittenFault`].
pub fn written(value: &[u8]) -> Result<Vec<Address>, WrittenFault> {
    let mut all = Found::default();
    all.read(value)?;
    Ok(all.list)
}

/// The recipients that a message names: in `Resent-To`, `Resent-Cc` and `Resent-Bcc` if there is one of these, else in
/// `To`, `Cc` and `Bcc`.
///
/// # Errors
/// [`WrittenFault`].
pub fn recipients(message: &[u8]) -> Result<Vec<Address>, WrittenFault> {
    let header = sub(message, 0..header_end(message));
    let again = fields(header).any(|field| RESENT.iter().any(|name| field.is(name)));
    let names = if again { RESENT } else { NAMED };
    let mut all = Found::default();
    for field in fields(header) {
        if names.iter().any(|name| field.is(name)) {
            all.read(field.value)?;
        }
    }
    Ok(all.list)
}

const NAMED: [&str; 3] = ["to", "cc", "bcc"];
const RESENT: [&str; 3] = ["resent-to", "resent-cc", "resent-bcc"];

/// Addresses in order, each once.
#[derive(Default)]
struct Found {
    list: Vec<Address>,
    known: HashSet<Address>,
}

impl Found {
    fn read(&mut self, value: &[u8]) -> Result<(), WrittenFault> {
        for member in members(value) {
            if member.end == Stop::GroupStart || member.address.is_none() {
                continue;
            }
            let shown = || String::from_utf8_lossy(value).chars().take(SHOWN_MAX).filter(|c| !c.is_control()).collect();
            let fault = || WrittenFault::Address(shown());
            let text = std::str::from_utf8(sub(value, member.seen.start..member.seen.end)).map_err(|_| fault())?;
            if member.seen.doubt || text.is_empty() {
                return Err(fault());
            }
            let address = if member.seen.at_sign {
                Address::parse(text, true).map_err(|_| fault())?
            } else {
                let local = LocalPart::parse(text, true).map_err(|_| fault())?;
                Address::new(local, Host::Domain(Domain::parse("localhost").map_err(|_| fault())?))
            };
            // One parser: whom the list names and whom the address names must be the same.
            let mailbox = member.address.as_ref().and_then(|read| read.mailbox.as_deref());
            if mailbox != Some(address.local().as_str()) {
                return Err(fault());
            }
            if self.known.contains(&address) {
                continue;
            }
            if self.list.len() >= SMTP_RECIPIENTS_CONFIG_MAX {
                return Err(WrittenFault::TooMany);
            }
            self.known.insert(address.clone());
            self.list.push(address);
        }
        Ok(())
    }
}

/// What an error shows of what can't be read, characters.
const SHOWN_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(value: &str) -> Vec<String> {
        written(value.as_bytes()).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_are_read_as_programs_write_them() {
        assert_eq!(texts("root"), ["root@localhost"]);
        assert_eq!(
            texts("joe, Ann <ann@t.example>,\r\n bob@t.example (Bob)"),
            ["joe@localhost", "ann@t.example", "bob@t.example"]
        );
        assert_eq!(texts("root (Cron Daemon)"), ["root@localhost"]);
        assert_eq!(texts("friends: a@t.example, b@t.example;, a@t.example"), ["a@t.example", "b@t.example"]);
        assert_eq!(texts("undisclosed-recipients:;"), Vec::<String>::new());
        assert_eq!(texts("\"a b\"@t.example"), ["\"a b\"@t.example"]);
        for bad in
            ["Joe User", "a@b@c", "<a@t.example", "a@", "@t.example", "a b@t.example", "<a@t.example> <b@t.example>"]
        {
            assert!(matches!(written(bad.as_bytes()), Err(WrittenFault::Address(_))), "{bad}");
        }
        let many: Vec<String> = (0..=SMTP_RECIPIENTS_CONFIG_MAX).map(|n| format!("u{n}@t.example")).collect();
        assert_eq!(written(many.join(",").as_bytes()), Err(WrittenFault::TooMany));
    }

    #[test]
    fn the_recipients_of_a_message_are_in_its_fields() {
        let all = |message: &str| -> Vec<String> {
            recipients(message.as_bytes()).unwrap().iter().map(ToString::to_string).collect()
        };
        let message = "To: a@t.example\r\nSubject: x\r\nCC: b@t.example\r\nbcc: c@t.example\r\n\r\nTo: d@t.example\r\n";
        assert_eq!(all(message), ["a@t.example", "b@t.example", "c@t.example"]);
        assert_eq!(all(&format!("Resent-To: e@t.example\r\n{message}")), ["e@t.example"]);
        assert_eq!(all("hello\r\nTo: a@t.example\r\n"), Vec::<String>::new(), "there is no header");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_reads_again(value in "[a-c@.,<>()\":; \\\\\r\n\u{e9}]{0,60}") {
            if let Ok(all) = written(value.as_bytes()) {
                for address in all {
                    prop_assert_eq!(written(address.to_string().as_bytes()), Ok(vec![address]));
                }
            }
        }
    }
}
