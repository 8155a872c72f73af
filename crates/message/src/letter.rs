//! Mail of our own for people: the same words as plain text and as HTML (RFC 2046 §5.1.4), marked as written by a program
//! (RFC 3834 §5.1).
//!
//! Both parts are base64, so that no line is too long and nothing in them can look like the line that parts them.

use crate::date;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::event::Words;
use mailward_core::{Address, Domain, Timestamp};
use std::fmt::Write as _;

/// Characters of base64 on a line (RFC 2045 §6.8).
const LINE: usize = 76;

/// A letter.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Our name: it is from `postmaster` there, and its `Message-ID` ends with it.
    pub hostname: &'a Domain,
    /// Its readers, 1 or more.
    pub to: &'a [Address],
    /// One line; what isn't printable ASCII becomes a `?`.
    pub subject: &'a str,
    /// Now.
    pub date: Timestamp,
    /// Names it: letters, digits, `.` and `-`, of ours.
    pub id: &'a str,
    /// As plain text; lines end with LF.
    pub text: &'a str,
    /// As HTML, of ours: what others wrote in it is [`crate::html::escaped`].
    pub html: &'a str,
}

impl Letter<'_> {
    /// The message, lines ended by CRLF. It is ASCII if its readers are.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        let Self { hostname, to, subject, date, id, text, html } = *self;
        let readers = to.iter().map(|address| format!("<{address}>")).collect::<Vec<_>>().join(",\r\n ");
        let Words { subject, .. } = Words::new(subject, &[]);
        // No base64 has it.
        let boundary = "=_letter";
        let mut out = format!(
            "From: Mailward <postmaster@{hostname}>\r\nTo: {readers}\r\nSubject: {subject}\r\nDate: {}\r\n\
             Message-ID: <{id}@{hostname}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n",
            date::format_header(date)
        );
        for (subtype, content) in [("plain", text), ("html", html)] {
            // Writing to a String can't fail.
            let _infallible = write!(
                out,
                "--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n"
            );
            let packed = STANDARD.encode(content.replace("\r\n", "\n").replace('\n', "\r\n"));
            let mut rest = packed.as_str();
            while let Some((line, after)) =
                rest.split_at_checked(rest.len().min(LINE)).filter(|(line, _)| !line.is_empty())
            {
                out.push_str(line);
                out.push_str("\r\n");
                rest = after;
            }
        }
        let _infallible = write!(out, "--{boundary}--\r\n");
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Structure;
    use crate::decode::part_text;
    use crate::header;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_parts_are_read_back_as_they_were_whatever_they_say(text in "(\\PC|[\0-\u{7f}\r\n]|--=_letter){0,80}") {
            let plain = text.replace("\r\n", "\n").replace('\r', "");
            let hostname = Domain::parse("mx.s.example").unwrap();
            let to = ["joe@s.example".parse().unwrap(), "ann@s.example".parse().unwrap()];
            let letter =
                Letter { hostname: &hostname, to: &to, subject: &text, date: Timestamp(0), id: "a.1", text: &plain, html: &plain };
            let bytes = letter.written();
            prop_assert!(bytes.is_ascii());
            prop_assert_eq!(header::fields(&bytes[..header::header_end(&bytes)]).count(), 8);
            let structure = Structure::parse(&bytes);
            let parts: Vec<String> =
                structure.parts().filter(|part| !part.is_multipart()).map(|part| part_text(&bytes, part)).collect();
            prop_assert_eq!(parts.len(), 2);
            for part in parts {
                prop_assert_eq!(part.replace("\r\n", "\n"), plain.clone());
            }
        }
    }
}
