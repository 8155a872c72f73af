//! The text that every spam filter knows (GTUBE, the generic test for unsolicited bulk email of 2003): with it anybody can see that the
//! filter runs and what it does. It isn't weighed with the rest but is worth more than all else together.

use super::reading::Reading;
use crate::verdict::{Action, Check, Finding};

/// The 68 bytes of it, in three pieces: a source that holds them in one could not be sent by mail.
const PIECES: [&str; 3] = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-ANTI-UBE", "-TEST-EMAIL*C.34X"];

/// What it is worth, in hundredths: 1,000 points, as SpamAssassin gives it. No threshold that tells mail apart is above that.
const POINTS: i32 = 100_000;

/// What follows from it; `None` where it isn't in a text of the message, on one line as its definition wants.
pub(super) fn found(reading: &Reading) -> Option<Finding> {
    let mut texts = reading.texts.iter().flat_map(|text| [Some(text.written.as_str()), text.page.as_deref()]);
    texts.any(|text| text.is_some_and(holds)).then(|| {
        Finding::new(Check::Spam, "gtube", Action::Deliver, "the text with which spam filters are tried").worth(POINTS)
    })
}

fn holds(text: &str) -> bool {
    let [first, rest @ ..] = PIECES;
    text.match_indices(first).any(|(at, _)| {
        let after = text.get(at.saturating_add(first.len())..).unwrap_or_default();
        rest.into_iter().try_fold(after, |text, piece| text.strip_prefix(piece)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_what_its_definition_says_and_nothing_less() {
        let whole = PIECES.concat();
        assert_eq!(whole.len(), 68);
        assert!(holds(&whole) && holds(&format!("XJS*C4 {whole}!")) && holds(&format!("{}{whole}", PIECES[0])));
        for less in [
            whole.to_lowercase(),
            whole.replace("-UBE", "-UBE\r\n"),
            whole.trim_end_matches('X').to_owned(),
            String::new(),
        ] {
            assert!(!holds(&less), "{less}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_it_that_hasnt_all_of_it(text in "(XJS\\*C4JDBQADN1\\.NSBN3\\*2IDNEN\\*|GTUBE|[ -~é]){0,9}") {
            prop_assert!(!holds(&text));
        }
    }
}
