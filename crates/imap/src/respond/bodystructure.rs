//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).

use super::{envelope, nstring, number, string};
use mailward_core::limits::MIME_DEPTH_MAX;
use mailward_message::{Disposition, Part, Structure};

/// Writes the structure of a message; with `extended` as BODYSTRUCTURE, else as BODY.
pub(crate) fn body_structure(out: &mut Vec<u8>, structure: &Structure, extended: bool) {
    entity(out, structure, structure.root(), extended, MIME_DEPTH_MAX.saturating_add(1));
}

/// Recursion ends: a structure is a tree of at most `MIME_DEPTH_MAX` levels, and `left` sees to it once more.
fn entity(out: &mut Vec<u8>, structure: &Structure, part: &Part, extended: bool, left: usize) {
    let Some(left) = left.checked_sub(1) else {
        out.extend_from_slice(b"(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"7BIT\" 0)");
        return;
    };
    out.push(b'(');
    if part.is_multipart() {
        for child in structure.children(part) {
            entity(out, structure, child, extended, left);
        }
        out.push(b' ');
        upper(out, &part.subtype);
        if extended {
            out.push(b' ');
            params(out, &part.params);
            extension(out, part);
        }
    } else {
        upper(out, &part.media_type);
        out.push(b' ');
        upper(out, &part.subtype);
        out.push(b' ');
        params(out, &part.params);
        out.push(b' ');
        nstring(out, part.id.as_deref());
        out.push(b' ');
        nstring(out, part.description.as_deref());
        out.push(b' ');
        upper(out, &part.encoding);
        out.push(b' ');
        number(out, part.size());
        if let (Some(inner), Some(child)) = (&part.message, structure.children(part).next()) {
            out.push(b' ');
            envelope(out, inner);
            out.push(b' ');
            entity(out, structure, child, extended, left);
            out.push(b' ');
            number(out, part.lines);
        } else if part.is_text() {
            out.push(b' ');
            number(out, part.lines);
        }
        if extended {
            out.push(b' ');
            nstring(out, part.md5.as_deref());
            extension(out, part);
        }
    }
    out.push(b')');
}

/// Disposition, language and location.
fn extension(out: &mut Vec<u8>, part: &Part) {
    out.push(b' ');
    match &part.disposition {
        Some(Disposition { kind, params: list }) => {
            out.push(b'(');
            string(out, kind.as_bytes());
            out.push(b' ');
            params(out, list);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    match &part.language[..] {
        [] => out.extend_from_slice(b"NIL"),
        [one] => string(out, one.as_bytes()),
        many => {
            for (index, language) in many.iter().enumerate() {
                out.push(if index == 0 { b'(' } else { b' ' });
                string(out, language.as_bytes());
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    nstring(out, part.location.as_deref());
}

fn params(out: &mut Vec<u8>, list: &[(String, String)]) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    for (index, (name, value)) in list.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        upper(out, name);
        out.push(b' ');
        string(out, value.as_bytes());
    }
    out.push(b')');
}

fn upper(out: &mut Vec<u8>, word: &str) {
    string(out, word.to_ascii_uppercase().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: &str, extended: bool) -> String {
        let mut out = Vec::new();
        body_structure(&mut out, &Structure::parse(message.as_bytes()), extended);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_message_is_one_text() {
        assert_eq!(
            written("Subject: x\r\n\r\nHello\r\nyou\r\n", false),
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 12 2)"
                .replace("(\"CHARSET\" \"us-ascii\")", &charset_default())
        );
    }

    /// RFC 2045 §5.2 lets a server tell the default or leave it out.
    fn charset_default() -> String {
        let text = written("\r\n\r\n", false);
        if text.contains("CHARSET") { "(\"CHARSET\" \"us-ascii\")".to_owned() } else { "NIL".to_owned() }
    }

    #[test]
    fn an_attachment_is_told_with_its_name() {
        let text = written(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHi\r\n--b\r\nContent-Type: \
             image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a.png\"\r\n\
             \r\nAAAA\r\n--b--\r\n",
            true,
        );
        assert_eq!(
            text,
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" 2 0 NIL NIL NIL NIL)(\"IMAGE\" \"PNG\" \
             (\"NAME\" \"a.png\") NIL NIL \"BASE64\" 4 NIL (\"attachment\" (\"FILENAME\" \"a.png\")) NIL NIL) \"MIXED\" \
             (\"BOUNDARY\" \"b\") NIL NIL NIL)"
        );
    }

    #[test]
    fn a_message_in_a_message_has_its_envelope() {
        let text = written("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n", false);
        assert!(text.starts_with("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 24 (NIL \"inner\" NIL"), "{text}");
        assert!(text.ends_with(" 3)"), "{text}");
    }
}
