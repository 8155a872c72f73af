//! Text as HTML, for pages and mail of our own: whatever it says, it stays text (attacks F6).

use mailward_core::event::Words;

/// A text as it may stand between tags and in an attribute in quotes: what HTML would read is written as a reference, and a
/// character that acts where it is shown is a mark ([`Words::seen`]); so it is one line.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match Words::seen(c) {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            c => out.push(c),
        }
    }
    out
}

/// The same of a text of several lines, which stay.
#[must_use]
pub fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tag_is_text() {
        assert_eq!(escaped("\"><img onerror='x'>"), "&quot;&gt;&lt;img onerror=&#39;x&#39;&gt;");
        assert_eq!(escaped("a\r\n\u{202e}b&amp;"), "a\u{fffd}\u{fffd}\u{fffd}b&amp;amp;");
        assert_eq!(escaped_lines("a<\r\n\tb\u{1b}"), "a&lt;\n\u{fffd}b\u{fffd}");
    }

    proptest! {
        #[test]
        fn nothing_that_html_reads_is_left(text in "(\\PC|[\0-\u{9f}<>\"'&`]){0,80}") {
            let out = escaped(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'', '`', '\n', '\r']));
            let references = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#96;"];
            for (at, _) in out.match_indices('&') {
                prop_assert!(references.iter().any(|one| out.get(at..).unwrap().starts_with(one)));
            }
        }
    }
}
