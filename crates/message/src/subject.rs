//! Base subjects (RFC 5256 §2.1): what is left of a subject without the marks of replies, forwards and lists, so that
//! an answer sorts beside what it answers. Work grows with the subject's length; nothing is recursive.

/// A subject without its marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseSubject {
    /// What is left, case as written, blanks made single spaces. Never longer than the subject.
    pub text: String,
    /// Whether a `Re:`, `Fwd:`, `(fwd)` or `[fwd: …]` was taken away (RFC 5256 §3).
    pub is_reply_or_forward: bool,
}

/// Takes the marks from a subject whose encoded words are decoded ([`crate::decode::header_text`]). The steps are
/// numbered as in the RFC.
#[must_use]
pub fn base_subject(decoded: &str) -> BaseSubject {
    let folded = single_spaces(decoded);
    let mut rest = folded.as_str();
    let mut marked = false;
    loop {
        (rest, marked) = without_trailers(rest, marked);
        (rest, marked) = without_leaders(rest, marked);
        // (6): a whole message was forwarded. Both ends are gone, so both are looked at again.
        let inside = after_word(rest, "[fwd:").and_then(|inside| inside.strip_suffix(']'));
        let Some(inside) = inside else { break };
        rest = inside;
        marked = true;
    }
    BaseSubject { text: rest.to_owned(), is_reply_or_forward: marked }
}

/// (1): tabs and folding are spaces, and several spaces are one.
fn single_spaces(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        if !matches!(character, ' ' | '\t' | '\r' | '\n') {
            folded.push(character);
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded
}

/// (2): `subj-trailer = "(fwd)" / WSP`, as often as they stand there.
fn without_trailers(mut rest: &str, mut marked: bool) -> (&str, bool) {
    loop {
        rest = rest.trim_end_matches(' ');
        let before = rest.len().checked_sub("(fwd)".len()).and_then(|at| rest.split_at_checked(at));
        match before {
            Some((before, end)) if end.eq_ignore_ascii_case("(fwd)") => {
                rest = before;
                marked = true;
            }
            _ => return (rest, marked),
        }
    }
}

/// (3) to (5): leaders and blobs, until there are none. Blobs in a row are stepped over once: either a `Re:` follows
/// them and takes them along, or they go one by one, all but one that would leave nothing.
fn without_leaders(mut rest: &str, mut marked: bool) -> (&str, bool) {
    loop {
        rest = rest.trim_start_matches(' ');
        let (mut after, mut last) = (rest, rest);
        while let Some(next) = after_blob(after) {
            last = after;
            after = next;
        }
        match after_refwd(after) {
            Some(next) => {
                rest = next;
                marked = true;
            }
            None => return (if after.is_empty() { last } else { after }, marked),
        }
    }
}

/// `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn after_refwd(rest: &str) -> Option<&str> {
    let word = after_word(rest, "re").or_else(|| after_word(rest, "fwd")).or_else(|| after_word(rest, "fw"))?;
    let word = word.trim_start_matches(' ');
    after_blob(word).unwrap_or(word).strip_prefix(':')
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`: anything but brackets between brackets.
fn after_blob(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('[')?;
    let (_, end) = inside.split_at_checked(memchr::memchr2(b'[', b']', inside.as_bytes())?)?;
    end.strip_prefix(']').map(|after| after.trim_start_matches(' '))
}

/// What follows a word, in any case (RFC 5234 §2.3).
fn after_word<'s>(rest: &'s str, word: &str) -> Option<&'s str> {
    let (start, after) = rest.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_go_as_rfc_5256_says() {
        for (subject, text, marked) in [
            ("", "", false),
            ("Gr\u{fc}\u{df}e", "Gr\u{fc}\u{df}e", false),
            ("  two\t\t words\r\n  folded ", "two words folded", false),
            ("Re: x", "x", true),
            ("RE:x", "x", true),
            ("re : x", "x", true),
            ("Re[2]: x", "x", true),
            ("Re [2] : x", "x", true),
            ("Fw: x", "x", true),
            ("fwd: Re: FWD:x", "x", true),
            ("x (fwd)", "x", true),
            ("x(FWD) (fwd)  ", "x", true),
            ("[list] x", "x", false),
            ("[list] [other] x", "x", false),
            ("[list] Re: x", "x", true),
            ("Re: [list] Re: [list] x", "x", true),
            ("[a][b] re: [c] x", "x", true),
            // A blob that is all there is, is the subject.
            ("[list]", "[list]", false),
            ("[a] [list]", "[list]", false),
            ("Re: [list] ", "[list]", true),
            ("[list] (fwd)", "[list]", true),
            // A whole message forwarded, within and without.
            ("[fwd: x]", "x", true),
            ("[Fwd: Re: [fwd: x (fwd)]]", "x", true),
            ("Re: [fwd: [list] x] (fwd)", "x", true),
            ("[fwd: x] y", "y", false),
            ("[fwd:]", "", true),
            ("[fwd: [a][b]]", "[b]", true),
            // What is left when there is nothing but marks.
            ("Re:", "", true),
            ("(fwd)", "", true),
            ("Re: (fwd)", "", true),
            // What only looks like one.
            ("Re x", "Re x", false),
            ("Reply: x", "Reply: x", false),
            ("Re[2] x", "Re[2] x", false),
            ("Re[[2]]: x", "Re[[2]]: x", false),
            ("Fwdd: x", "Fwdd: x", false),
            ("AW: x", "AW: x", false),
            ("[a x", "[a x", false),
            ("a] x", "a] x", false),
            ("[a [b] c", "[a [b] c", false),
            ("x (fwd) y", "x (fwd) y", false),
            ("\u{2003}Re: x", "\u{2003}Re: x", false),
        ] {
            let base = base_subject(subject);
            assert_eq!((base.text.as_str(), base.is_reply_or_forward), (text, marked), "{subject:?}");
        }
    }

    /// Attacks H11: what a quadratic or recursive reader would choke on.
    #[test]
    fn long_rows_of_marks_are_read_once() {
        let times = 100_000;
        for (subject, text) in [
            ("[a]".repeat(times) + "x", "x"),
            ("[a]".repeat(times), "[a]"),
            ("[".repeat(times) + "x", ""),
            ("Re: [a] ".repeat(times) + "x", "x"),
            ("re[".repeat(times), ""),
            ("[fwd:".repeat(times) + "x" + &"]".repeat(times), "x"),
            ("x".to_owned() + &" (fwd)".repeat(times), "x"),
            ("[fwd:".repeat(times) + "x" + &" (fwd)]".repeat(times), "x"),
        ] {
            let base = base_subject(&subject);
            assert_eq!(base.text, if text.is_empty() { &subject } else { text });
        }
    }

    /// The RFC's steps as they are written, one match at a time.
    fn by_the_letter(decoded: &str) -> BaseSubject {
        let mut text = single_spaces(decoded);
        let mut marked = false;
        let blob = |text: &str| {
            let inside = text.strip_prefix('[')?;
            let end = inside.find(['[', ']'])?;
            inside.get(end..)?.strip_prefix(']').map(|t| t.trim_start_matches(' ').to_owned())
        };
        let refwd = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let word = ["re", "fwd", "fw"].into_iter().find(|word| lower.starts_with(word))?;
            let rest = text.get(word.len()..)?.trim_start_matches(' ');
            blob(rest).unwrap_or_else(|| rest.to_owned()).strip_prefix(':').map(str::to_owned)
        };
        let leader = |text: &str| {
            if let Some(rest) = text.strip_prefix(' ') {
                return Some((rest.to_owned(), false));
            }
            let mut after = text.to_owned();
            loop {
                if let Some(rest) = refwd(&after) {
                    return Some((rest, true));
                }
                after = blob(&after)?;
            }
        };
        loop {
            loop {
                let lower = text.to_ascii_lowercase();
                if lower.ends_with(' ') {
                    text.truncate(text.len().saturating_sub(1));
                } else if lower.ends_with("(fwd)") {
                    text.truncate(text.len().saturating_sub(5));
                    marked = true;
                } else {
                    break;
                }
            }
            loop {
                if let Some((rest, reply)) = leader(&text) {
                    text = rest;
                    marked |= reply;
                } else if let Some(rest) = blob(&text).filter(|rest| !rest.is_empty()) {
                    text = rest;
                } else {
                    break;
                }
            }
            let lower = text.to_ascii_lowercase();
            if !(lower.starts_with("[fwd:") && lower.ends_with(']')) {
                return BaseSubject { text, is_reply_or_forward: marked };
            }
            text = text.get(5..text.len().saturating_sub(1)).unwrap_or_default().to_owned();
            marked = true;
        }
    }

    /// Subjects out of what means something to the rules.
    fn subject_soup() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "re", "RE", "Fw", "fwd", "d", ":", "[", "]", "[a]", "[fwd:", "(fwd)", "(FWD", ")", " ", "\t", "\r\n ", "x",
            "\u{e4}", "(",
        ]);
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn it_does_what_the_letter_says(subject in subject_soup()) {
            prop_assert_eq!(base_subject(&subject), by_the_letter(&subject));
        }

        #[test]
        fn a_base_subject_is_its_own(subject in prop_oneof![subject_soup(), ".{0,60}"]) {
            let base = base_subject(&subject);
            prop_assert!(base.text.len() <= subject.len());
            let again = base_subject(&base.text);
            prop_assert_eq!(&again.text, &base.text);
            prop_assert!(!again.is_reply_or_forward);
        }

        #[test]
        fn an_answer_has_the_subject_of_what_it_answers(subject in subject_soup(), mark in "(Re|Fw|FWD) ?(\\[[0-9]\\])?: ?") {
            let answer = base_subject(&format!("{mark}{subject}"));
            prop_assert_eq!(answer.text, base_subject(&subject).text);
            prop_assert!(answer.is_reply_or_forward);
        }
    }
}
