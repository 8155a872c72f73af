//! ENVELOPE (RFC 3501 §7.4.2).

use super::{nstring, string};
use mailward_message::{Envelope, EnvelopeAddress};

/// `("date" "subject" ((from)) ((sender)) ((reply-to)) ((to)) NIL NIL NIL "<id>")`
pub(crate) fn envelope<T: AsRef<str>>(out: &mut Vec<u8>, envelope: &Envelope<T>) {
    out.push(b'(');
    nstring(out, envelope.date.as_ref());
    out.push(b' ');
    nstring(out, envelope.subject.as_ref());
    out.push(b' ');
    let from = out.len();
    addresses(out, &envelope.from);
    let from = from..out.len();
    for list in [&envelope.sender, &envelope.reply_to] {
        out.push(b' ');
        if list.is_empty() {
            out.extend_from_within(from.clone());
        } else {
            addresses(out, list);
        }
    }
    for list in [&envelope.to, &envelope.cc, &envelope.bcc] {
        out.push(b' ');
        addresses(out, list);
    }
    for text in [&envelope.in_reply_to, &envelope.message_id] {
        out.push(b' ');
        nstring(out, text.as_ref());
    }
    out.push(b')');
}

fn addresses<T: AsRef<str>>(out: &mut Vec<u8>, list: &[EnvelopeAddress<T>]) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        nstring(out, address.name.as_ref());
        out.push(b' ');
        nstring(out, address.route.as_ref());
        out.push(b' ');
        // Group marks have NIL here; an address that lacks a part has an empty one.
        match (&address.mailbox, &address.host) {
            (None, None) => out.extend_from_slice(b"NIL NIL"),
            (mailbox, None) => {
                nstring(out, mailbox.as_ref());
                out.extend_from_slice(b" NIL");
            }
            (mailbox, Some(host)) => {
                string(out, mailbox.as_ref().map(AsRef::as_ref).unwrap_or_default().as_bytes());
                out.push(b' ');
                string(out, host.as_ref().as_bytes());
            }
        }
        out.push(b')');
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_message::Structure;

    #[test]
    fn the_rfc_s_example_is_written() {
        let message = b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
            From: Terry Gray <gray@cac.washington.edu>\r\n\
            Subject: IMAP4rev1 WG mtg summary and minutes\r\n\
            To: imap@cac.washington.edu\r\n\
            cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
            Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n";
        let mut out = Vec::new();
        envelope(&mut out, Structure::parse(message).envelope());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
             NIL NIL \"<B27397-0100000@cac.washington.edu>\")"
        );
    }

    #[test]
    fn groups_have_their_marks() {
        let mut out = Vec::new();
        envelope(&mut out, Structure::parse(b"To: Us: a@b.example;\r\n\r\n").envelope());
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("((NIL NIL \"Us\" NIL)(NIL NIL \"a\" \"b.example\")(NIL NIL NIL NIL))"), "{text}");
    }
}
