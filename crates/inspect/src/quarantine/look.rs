//! A message of the quarantine, looked at: its header, what it is made of, and its text as text.

use mailward_message::Structure;
use mailward_message::decode::{file_name, text_of};
use mailward_message::preview::preview;
use serde::{Deserialize, Serialize};

/// How much of a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Bytes of its header.
    pub header: usize,
    /// Bytes of its text.
    pub text: usize,
    /// Parts that are named.
    pub parts: usize,
}

/// What is seen. All of it is what outsiders wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Its header, decoded.
    pub header: String,
    /// What it is made of.
    pub parts: Vec<LookedPart>,
    /// Its first words, in one line.
    pub preview: String,
    /// Its text, HTML as text.
    pub text: String,
    /// Whether header, text or parts were more than is shown.
    pub cut: bool,
}

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedPart {
    /// As it calls itself.
    pub media_type: String,
    /// The name of its file.
    pub name: Option<String>,
    /// Bytes, as it is encoded.
    pub size: u64,
}

/// Looks at a message, or at its first bytes.
#[must_use]
pub fn look(message: &[u8], sight: Sight) -> Look {
    let structure = Structure::parse(message);
    let read = text_of(message, &structure);
    let mut parts: Vec<LookedPart> = structure
        .parts()
        .filter(|part| !part.is_multipart())
        .take(sight.parts.saturating_add(1))
        .map(|part| LookedPart {
            media_type: format!("{}/{}", part.media_type, part.subtype),
            name: file_name(part),
            size: part.size(),
        })
        .collect();
    let mut is_cut = parts.len() > sight.parts;
    parts.truncate(sight.parts);
    let (mut header, mut text) = (read.header, read.body);
    is_cut |= cut(&mut header, sight.header);
    is_cut |= cut(&mut text, sight.text);
    Look { header, parts, preview: preview(message, &structure), text, cut: is_cut }
}

/// Cut to so many bytes, whole characters; whether something was cut.
fn cut(text: &mut String, most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_stays_text() {
        let mut text = "aä".to_owned();
        assert!(!cut(&mut text, 3));
        assert!(cut(&mut text, 2));
        assert_eq!(text, "a");
        assert!(cut(&mut text, 0));
        assert_eq!(text, "");
    }

    #[test]
    fn no_more_is_seen_than_was_asked_for() {
        let message = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\
            Content-Type: text/html\r\n\r\n<p>second</p>\r\n--b\r\nContent-Disposition: attachment; filename=x.exe\r\n\r\nMZ\r\n--b--\r\n";
        let all = look(message, Sight { header: 1_000, text: 1_000, parts: 3 });
        assert_eq!((all.parts.len(), all.cut, all.parts[2].name.as_deref()), (3, false, Some("x.exe")));
        assert!(all.text.contains("first") && all.text.contains("second") && !all.text.contains('<'), "{}", all.text);
        let some = look(message, Sight { header: 4, text: 4, parts: 2 });
        assert_eq!((some.header.len(), some.text.len(), some.parts.len(), some.cut), (4, 4, 2, true));
    }
}
