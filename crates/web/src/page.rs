//! Pages: HTML that is put together of text. Whatever is given to it is escaped; only its own words are tags.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_message::html::{escaped, escaped_lines};
use std::fmt::Write as _;

/// The one style. It works from the width of a phone on, follows the reader's light or dark, and breaks long words.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif}\
main{max-width:42rem;margin:0 auto;padding:1rem}\
h1{font-size:1.4rem;line-height:1.25;overflow-wrap:anywhere}\
h2{font-size:1.1rem}\
dl{margin:0}\
dt{font-weight:600}\
dd{margin:0 0 .5rem;overflow-wrap:anywhere}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid;border-radius:.4rem;padding:.75rem;font:inherit}\
form{margin:.75rem 0}\
button{font:inherit;width:100%;min-height:3rem;padding:.5rem 1rem}\
.first button{font-weight:700}";

/// As a policy names a style that may be used (CSP Level 3 §8.4).
pub(crate) fn style_source(style: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, style.as_bytes())))
}

/// A page in the making.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    body: String,
}

impl Page {
    pub(crate) fn new(title: &str) -> Self {
        Self { title: escaped(title), body: String::new() }
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        // Writing to a String can't fail.
        let _infallible = writeln!(self.body, "<p>{}</p>", escaped(text));
    }

    pub(crate) fn heading(&mut self, text: &str) {
        let _infallible = writeln!(self.body, "<h2>{}</h2>", escaped(text));
    }

    /// Names with their values.
    pub(crate) fn facts(&mut self, facts: &[(&str, String)]) {
        self.body.push_str("<dl>\n");
        for (name, value) in facts {
            let _infallible = writeln!(self.body, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
        }
        self.body.push_str("</dl>\n");
    }

    /// Text as it was written, line by line. It can be reached by keyboard, as it may be long.
    pub(crate) fn text(&mut self, label: &str, text: &str) {
        let (label, text) = (escaped(label), escaped_lines(text));
        let _infallible =
            writeln!(self.body, "<pre role=\"region\" aria-label=\"{label}\" tabindex=\"0\">{text}</pre>");
    }

    /// A button that acts.
    pub(crate) fn button(&mut self, path: &str, words: &str, is_first: bool) {
        let class = if is_first { " class=\"first\"" } else { "" };
        let _infallible = writeln!(
            self.body,
            "<form method=\"post\" action=\"{}\"{class}><button type=\"submit\">{}</button></form>",
            escaped(path),
            escaped(words)
        );
    }

    pub(crate) fn html(self) -> String {
        let Self { title, body } = self;
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(text: &str) -> String {
        let mut page = Page::new(text);
        page.paragraph(text);
        page.heading(text);
        page.facts(&[(text, text.to_owned())]);
        page.text(text, text);
        page.button(text, text, true);
        page.html()
    }

    proptest! {
        /// Attacks F6.
        #[test]
        fn no_text_becomes_a_tag_or_leaves_its_attribute(text in "(\\PC|[\0-\u{9f}<>\"'&`/=\r\n]){0,80}") {
            let (plain, other) = (made("a"), made(&text));
            for sign in ['<', '>', '"'] {
                prop_assert_eq!(other.matches(sign).count(), plain.matches(sign).count());
            }
        }
    }
}
