//! What SEARCH compares with, and what an index of it is made from.

use super::fold::fold_within;
use super::{addresses_text, fold, header_text, text_of};
use crate::envelope::Envelope;
use crate::structure::Structure;
use mailward_core::limits::{HEADER_BYTES_MAX, SEARCH_FOLDED_MAX};

/// Raised with every change of what [`searchable`] gives for a message, also by another release of Unicode: an index made
/// from the old text is then made anew. The standard library's release of Unicode counts by itself, it depends on the
/// compiler.
pub const SEARCHABLE_VERSION: i64 = {
    let (major, minor, update) = char::UNICODE_VERSION;
    (3 << 24) | ((major as i64) << 16) | ((minor as i64) << 8) | update as i64
};

/// The text of a message, folded: see [`super::text_of`] and [`super::fold`]. At most `limits::SEARCH_FOLDED_MAX` bytes
/// together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// The header: `name: text` and LF for each field.
    pub header: String,
    /// The body.
    pub body: String,
}

impl Folded {
    /// Of a message. The structure must be its own.
    #[must_use]
    pub fn of(message: &[u8], structure: &Structure) -> Self {
        let text = text_of(message, structure);
        let mut folded = Self::default();
        fold_within(&text.header, SEARCH_FOLDED_MAX, &mut folded.header);
        fold_within(&text.body, SEARCH_FOLDED_MAX.saturating_sub(folded.header.len()), &mut folded.body);
        folded
    }
}

/// A field of the ENVELOPE that SEARCH looks into (RFC 9051 §6.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the fields' own names")]
pub enum EnvelopeField {
    Subject,
    From,
    To,
    Cc,
    Bcc,
}

impl EnvelopeField {
    /// Each of them.
    pub const ALL: [EnvelopeField; 5] = [Self::Subject, Self::From, Self::To, Self::Cc, Self::Bcc];

    /// Its text in an envelope, decoded and folded; addresses as [`super::addresses_text`] writes them.
    #[must_use]
    pub fn folded<T: AsRef<str>>(self, envelope: &Envelope<T>) -> String {
        let list = match self {
            Self::Subject => return folded_subject(envelope.subject.as_ref().map(AsRef::as_ref)),
            Self::From => &envelope.from,
            Self::To => &envelope.to,
            Self::Cc => &envelope.cc,
            Self::Bcc => &envelope.bcc,
        };
        fold(&addresses_text(list))
    }
}

/// A subject as [`EnvelopeField::folded`] gives it.
#[must_use]
pub fn folded_subject(subject: Option<&str>) -> String {
    subject.map(|s| fold(&header_text(s.as_bytes()))).unwrap_or_default()
}

/// One text in which stands, folded, whatever a text key of SEARCH can find in this message: in the envelope, in the value
/// of a header field, in the header, in the body. `None` if there is no such text: of a header larger than any that is
/// accepted, or with more addresses than fit, more may be found than this holds.
#[must_use]
pub fn searchable(message: &[u8], structure: &Structure) -> Option<String> {
    let header = &structure.root().header;
    if header.end.saturating_sub(header.start) > u64::try_from(HEADER_BYTES_MAX).unwrap_or(0) {
        return None;
    }
    let Folded { header: mut text, body } = Folded::of(message, structure);
    let envelope = structure.envelope();
    for found in EnvelopeField::ALL {
        text.push('\n');
        text.push_str(&found.folded(envelope));
    }
    if text.len() > SEARCH_FOLDED_MAX {
        return None;
    }
    text.push('\n');
    text.push_str(&body);
    Some(text)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::super::fold::decomposed;
    use super::*;
    use crate::header::fields;
    use proptest::prelude::*;

    const MESSAGES: [&str; 3] = [
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?q?K=F6ln?=\r\nFrom: =?koi8-r?b?zcnS?= <M@Example.test>\r\n\
         no colon\r\nX-Folded: one\r\n\ttwo\r\n\r\nBody \u{fb01}rst\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=windows-1251\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>=CF=F0=E8=E2=E5=F2 &amp; &Ouml;l&nbsp;<script>x</script>y\r\n--b\r\n\
         Content-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''R%C3%A4t.PDF\r\n\r\nJVBERi\r\n--b\r\n\
         Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--b--\r\n",
        "\r\n\u{d55c}\u{ae00} \u{ff21}\u{0130}\0\u{1c4}",
    ];

    fn of(message: &[u8]) -> Option<String> {
        searchable(message, &Structure::parse(message))
    }

    /// FNV-1a.
    fn digest(texts: impl Iterator<Item = String>) -> u64 {
        let bytes = texts.flat_map(|text| text.into_bytes().into_iter().chain([0xff]));
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// Letters' cases are left out: their release of Unicode is in the version. If it fails: raise the first number of [`SEARCHABLE_VERSION`], then put the new sum here.
    #[test]
    fn the_version_stands_for_the_text() {
        assert_eq!(
            digest(('\0'..=char::MAX).map(|character| decomposed(character).collect())),
            6_407_482_747_479_928_525
        );
        assert_eq!(digest(MESSAGES.iter().filter_map(|message| of(message.as_bytes()))), 4_047_325_105_125_006_662);
    }

    #[test]
    fn a_message_s_searchable_text_is_what_can_be_read_in_it() {
        let all: Vec<String> = MESSAGES.iter().filter_map(|message| of(message.as_bytes())).collect();
        for (index, sought) in [
            (0, "Grüße aus KÖLN"),
            (0, "МИР <m@example.test>"),
            (0, "\nno COLON\n"),
            (0, "ONE\ttwo"),
            (0, "body first"),
            (1, "привет & Öl y"),
            (1, "RÄT.pdf"),
            (1, "Subject: Inner"),
            (1, "inside"),
            (2, "한글 ai\u{307}\u{fffd}dž"),
        ] {
            assert!(all[index].contains(&fold(sought)), "{sought:?} in {:?}", all[index]);
        }
        assert!(!all[1].contains("jvber"));
    }

    #[test]
    fn a_header_larger_than_any_that_is_accepted_has_no_searchable_text() {
        let long = |length: usize| format!("Subject: {}\r\n\r\nbody", "x".repeat(length));
        assert!(of(long(HEADER_BYTES_MAX - 13).as_bytes()).is_some());
        assert_eq!(of(long(HEADER_BYTES_MAX - 12).as_bytes()), None);
    }

    #[test]
    fn the_largest_header_is_there_whole_even_of_what_grows_most() {
        let words = "\u{fdfa}".repeat((HEADER_BYTES_MAX - 30) / 3);
        let text = of(format!("Subject: {words}\r\nX: y\r\n\r\nbody").as_bytes()).unwrap();
        assert!(text.len() > 2 * HEADER_BYTES_MAX && text.contains("\nx: y\n") && text.ends_with("\nbody\n"));
    }

    #[test]
    fn folded_text_is_cut_at_its_limit() {
        let message = format!("Subject: x\r\n\r\n{}", "\u{fdfa}".repeat(1_000_000));
        let folded = Folded::of(message.as_bytes(), &Structure::parse(message.as_bytes()));
        assert!((SEARCH_FOLDED_MAX - 40..SEARCH_FOLDED_MAX + 40).contains(&folded.body.len()));
    }

    proptest! {
        #[test]
        fn every_field_s_text_stands_in_it(
            values in proptest::collection::vec("[ -~]{0,30}|=[?](utf-8|x|koi8-r)[?][bq][?][ -~]{0,20}[?]=|[\u{1}\u{80}-\u{2ff}\t]{0,10}", 0..6),
            names in proptest::collection::vec("[!-~]{0,6}:?", 6),
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut message: Vec<u8> =
                names.iter().zip(&values).flat_map(|(name, value)| format!("{name}: {value}\r\n").into_bytes()).collect();
            message.extend_from_slice(b"X: ");
            message.extend_from_slice(&bytes);
            message.extend_from_slice(b"\r\n\r\nbody");
            let structure = Structure::parse(&message);
            let text = searchable(&message, &structure).unwrap();
            let end = usize::try_from(structure.root().header.end).unwrap();
            for field in fields(&message[..end]) {
                prop_assert!(text.contains(&fold(&header_text(field.value))));
            }
            let Folded { header, body } = Folded::of(&message, &structure);
            prop_assert!(text.contains(&header) && text.contains(&body));
            for found in EnvelopeField::ALL {
                prop_assert!(text.contains(&found.folded(structure.envelope())));
            }
        }
    }
}
