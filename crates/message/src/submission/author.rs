//! `From` of a message whose program left it out, with a person's name.

use crate::accept::{self, HeaderFault};
use crate::downgrade::encoded_words;
use mailward_core::Address;
use mailward_core::limits::SENDMAIL_NAME_MAX;

/// Adds `From` before the header, if there is none. An address at `localhost` is written without its domain, which
/// [`super::mend`] completes. A message whose first line is no header field becomes the body.
///
/// # Errors
/// If the header is past a limit.
pub fn with_author(message: Vec<u8>, name: &str, author: &Address) -> Result<Vec<u8>, HeaderFault> {
    let found = accept::check(&message)?;
    if found.from > 0 {
        return Ok(message);
    }
    let mut out = b"From: ".to_vec();
    let local = author.domain().is_some_and(|domain| domain.as_str() == "localhost");
    let address = if local { author.local().to_string() } else { author.to_string() };
    match shown(name) {
        Some(name) => {
            out.extend_from_slice(&name);
            out.extend_from_slice(format!(" <{address}>\r\n").as_bytes());
        }
        None => out.extend_from_slice(format!("{address}\r\n").as_bytes()),
    }
    if !found.starts_with_header {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(&message);
    Ok(out)
}

/// A name as a phrase (RFC 5322 §3.2.5): in quotes, or encoded if it isn't ASCII. What would end the line is left out.
fn shown(name: &str) -> Option<Vec<u8>> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(SENDMAIL_NAME_MAX).collect();
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    if name.is_ascii() && !name.contains("=?") {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        out.extend_from_slice(format!("\"{quoted}\"").as_bytes());
    } else {
        encoded_words(name, &mut out);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::{Facts, claims, mend};
    use super::*;
    use mailward_core::{Domain, Timestamp};
    use proptest::prelude::*;

    fn mended(message: &str, name: &str, author: &str) -> String {
        let message = with_author(message.as_bytes().to_vec(), name, &Address::parse(author, true).unwrap()).unwrap();
        let host = Domain::parse("mx.s.example").unwrap();
        let facts = Facts { date: Timestamp(0), id: "1", hostname: &host, domain: Some(&host), author: None };
        let message = mend(message, 0, &facts).unwrap();
        let claims = claims(&message).unwrap();
        assert_eq!(claims[0].address.to_string(), author.replace("localhost", "mx.s.example"));
        String::from_utf8(message).unwrap()
    }

    #[test]
    fn the_author_is_added_and_completed_and_an_author_that_is_there_stays() {
        assert!(
            mended("Subject: x\r\n\r\ny\r\n", "Joe \"J\" User", "joe@localhost")
                .contains("From: \"Joe \\\"J\\\" User\" <joe@mx.s.example>\r\nSubject")
        );
        assert!(mended("Subject: x\r\n\r\ny\r\n", "", "joe@localhost").contains("From: joe@mx.s.example\r\n"));
        assert!(
            mended("no header\r\n", "J\u{fc}rgen", "a@t.example")
                .ends_with("From: =?utf-8?Q?J=C3=BCrgen?= <a@t.example>\r\n\r\nno header\r\n")
        );
        assert!(!mended("From: root (Cron Daemon)\r\n\r\n", "Cron", "root@localhost").contains("\"Cron\""));
        assert!(
            mended("From: root (Cron Daemon)\r\n\r\n", "", "root@localhost")
                .contains("From: root@mx.s.example (Cron Daemon)\r\n")
        );
    }

    proptest! {
        #[test]
        fn no_name_makes_another_author(name in "\\PC{0,80}|[\"\\\\<>@,;:()\r\n=?a-c]{0,40}") {
            // A name that looks like an address is the claim of another, which the server asks about.
            prop_assume!(!name.contains(['@', '\u{ff20}', '\u{fe6b}']));
            mended("Subject: x\r\n\r\ny\r\n", &name, "joe@localhost");
        }
    }
}
