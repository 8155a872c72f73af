//! HTML as it is written: elements and their attributes are ours, text is anybody's.

use std::fmt::Write as _;

/// Elements within a line; after all others the line ends.
const WITHIN_A_LINE: [&str; 8] = ["a", "b", "code", "span", "strong", "text", "title", "desc"];

/// A page that grows. Only names that stand in this program get between `<` and `>`; what is text or the value of an attribute is
/// escaped here and nowhere else.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Text that is ours, as it is.
    pub(super) fn ours(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// An element with what is in it.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
        inside: impl FnOnce(&mut Self),
    ) {
        self.begin(name, attributes);
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        if !WITHIN_A_LINE.contains(&name) {
            self.0.push('\n');
        }
    }

    /// An element with nothing but text in it.
    pub(super) fn words(&mut self, name: &'static str, attributes: &[(&'static str, &str)], text: &str) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// An element that has no end.
    pub(super) fn void(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.begin(name, attributes);
        self.0.push('\n');
    }

    /// Text in one line: a line end is shown as an escape.
    pub(super) fn text(&mut self, text: &str) {
        escape(text, false, &mut self.0);
    }

    /// Text whose lines are kept.
    pub(super) fn lines(&mut self, text: &str) {
        escape(text, true, &mut self.0);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn begin(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            self.0.push(' ');
            self.0.push_str(attribute);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
    }
}

/// Text for HTML: what could end it is written by name; control characters, and those that turn text around or can't be seen, are
/// shown as `\u{202e}`.
fn escape(text: &str, keeps_lines: bool, out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !c.is_ascii() {
            // All of them together, as a mark belongs to the letter before it.
            let (others, after) = rest.split_at(rest.find(|c: char| c.is_ascii()).unwrap_or(rest.len()));
            out.extend(others.escape_debug());
            rest = after;
            continue;
        }
        rest = rest.get(1..).unwrap_or_default();
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' if keeps_lines => out.push(c),
            '\r' if keeps_lines && rest.starts_with('\n') => {}
            ' '..='~' => out.push(c),
            _ => {
                let _infallible = write!(out, "{}", c.escape_unicode());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, keeps_lines: bool) -> String {
        let mut out = String::new();
        escape(text, keeps_lines, &mut out);
        out
    }

    #[test]
    fn what_could_be_markup_is_text() {
        assert_eq!(
            escaped("</pre><img src='x' onerror=\"a()\">&amp;", true),
            "&lt;/pre&gt;&lt;img src=&#39;x&#39; onerror=&quot;a()&quot;&gt;&amp;amp;"
        );
    }

    #[test]
    fn what_cant_be_seen_is_shown_and_letters_of_all_scripts_stay() {
        assert_eq!(escaped("a\u{1b}[2J\0\u{7f}\u{9b}", false), "a\\u{1b}[2J\\u{0}\\u{7f}\\u{9b}");
        assert_eq!(
            escaped("\u{202e}x\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\u{ad}\u{2028}\u{e0041}", false),
            "\\u{202e}x\\u{2066}\\u{200f}\\u{61c}\\u{200b}\\u{feff}\\u{ad}\\u{2028}\\u{e0041}"
        );
        for plain in ["Zürich", "почта", "メール", "\u{e2a}\u{e27}\u{e31}\u{e2a}\u{e14}\u{e35}", "… – “x”"]
        {
            assert_eq!(escaped(plain, false), plain);
        }
    }

    #[test]
    fn lines_are_kept_only_where_they_are_lines() {
        assert_eq!(escaped("220 a\r\n\tb\rc\n", true), "220 a\n\tb\\u{d}c\n");
        assert_eq!(escaped("a\r\nb\t", false), "a\\u{d}\\u{a}b\\u{9}");
    }
}
