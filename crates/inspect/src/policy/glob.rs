//! Patterns of names: `*` for anything, `?` for one character, whatever the case.

use std::fmt;

/// A pattern in small letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(String);

impl Glob {
    /// A pattern; any text that isn't empty is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_lowercase()))
    }

    /// Whether it is all of a text in small letters. In the time of the product of both lengths at most.
    #[must_use]
    pub fn covers(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), text.chars());
        // Behind the last star, and the text that it hasn't eaten yet.
        let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            let mut ahead = pattern.clone();
            match (ahead.next(), rest.clone().next()) {
                (Some('*'), _) => {
                    pattern = ahead;
                    star = Some((pattern.clone(), rest.clone()));
                    continue;
                }
                (None, None) => return true,
                (Some(wanted), Some(there)) if wanted == there || wanted == '?' => {
                    pattern = ahead;
                    rest.next();
                    continue;
                }
                _ => {}
            }
            let Some((behind, left)) = &mut star else { return false };
            if left.next().is_none() {
                return false;
            }
            (pattern, rest) = (behind.clone(), left.clone());
        }
    }

    /// What follows its last dot, if that is all letters and digits: whatever it covers ends so.
    pub(super) fn extension(&self) -> Option<&str> {
        let (_, last) = self.0.rsplit_once('.')?;
        (!last.is_empty() && last.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ways in which a name may be taken, in small letters: with its path, the last of it, and that as Windows opens it,
/// without what isn't seen, blanks and dots at the end, and streams.
pub(super) fn readings(name: &str) -> Vec<String> {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim_matches(['.', ' ']).is_empty()).unwrap_or(name);
    let plain = last.to_lowercase();
    let seen: String = plain.chars().filter(|c| !c.is_control() && !is_unseen(*c)).collect();
    // NTFS: `x.exe::$DATA` is `x.exe`.
    let file = seen.find("::$").map_or(seen.as_str(), |at| seen.get(..at).unwrap_or_default());
    let opened = file.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).to_owned();
    let whole = name.to_lowercase();
    let mut all = Vec::with_capacity(3);
    all.extend((whole != plain).then_some(whole));
    let same = opened == plain || opened.is_empty();
    all.push(plain);
    all.extend((!same).then_some(opened));
    all
}

/// What takes no place or turns the order of what is around it.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What follows the last dot of a reading.
pub(super) fn extension(reading: &str) -> Option<&str> {
    reading.rsplit_once('.').map(|(_, extension)| extension.trim()).filter(|extension| !extension.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks_stand_for_what_they_do() {
        let covers = |pattern: &str, text: &str| Glob::new(pattern).unwrap().covers(text);
        assert!(covers("*.EXE", "a.exe") && covers("*.exe", ".exe") && !covers("*.exe", "a.exe.txt"));
        assert!(covers("a*b*c", "axxbyybc") && !covers("a*b*c", "axxbyyb"));
        assert!(covers("rech?ung*", "rechnung 5.pdf") && covers("*", "") && !covers("?", ""));
        assert!(covers("ä?.x", "äö.x") && !covers("**a", "b"));
        assert!(!covers(&"*a".repeat(200), &"a".repeat(199)), "no backtracking without end");
    }

    #[test]
    fn a_name_is_what_windows_opens() {
        let last = |name: &str| readings(name).last().map(|name| extension(name).unwrap_or("").to_owned()).unwrap();
        for name in
            ["a.EXE", "x/y/a.exe", "x\\a.exe", "a.exe. .", "a.ex\u{200b}e", "a.exe::$DATA", "a.exe\u{a0}", "a.txt .exe"]
        {
            assert_eq!(last(name), "exe", "{name:?}");
        }
        assert_eq!(last("evil\u{202e}fdp.exe"), "exe");
        assert_eq!(readings("a.exe/"), ["a.exe/", "a.exe"]);
        assert_eq!(readings("..."), ["..."]);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(pattern in "\\PC{1,20}", text in "\\PC{0,40}") {
            let glob = Glob::new(&pattern).unwrap();
            let _any = glob.covers(&text);
            let _all = readings(&text);
            let literal = pattern.replace(['*', '?'], "x").to_lowercase();
            let behind = Glob::new(&format!("*{literal}")).unwrap();
            let covers = behind.covers(&format!("y{literal}"));
            prop_assert!(covers);
        }
    }
}
