//! What a message looks like as a whole: how much of it there is, of what, and how it is written. It holds where words are new.

use super::{Kind, Reading, Sink, page};
use mailward_core::limits::SPAM_FORM_MAX;
use mailward_message::Structure;
use memchr::memchr_iter;

/// Classes of bytes that are counted.
#[derive(Clone, Copy)]
enum Class {
    Other,
    Capital,
    Small,
    Digit,
    Bang,
    Dollar,
    Beyond,
}

/// Each byte's class.
const CLASSES: [u8; 256] = {
    let mut classes = [Class::Other as u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "below 256")]
        {
            classes[byte] = match byte as u8 {
                b'A'..=b'Z' => Class::Capital,
                b'a'..=b'z' => Class::Small,
                b'0'..=b'9' => Class::Digit,
                b'!' => Class::Bang,
                b'$' => Class::Dollar,
                0x80.. => Class::Beyond,
                _ => Class::Other,
            } as u8;
        }
        byte += 1;
    }
    classes
};

/// What was counted.
#[derive(Default)]
struct Counts {
    classes: [usize; 7],
    lines: usize,
    quoted: usize,
}

impl Counts {
    fn of(&self, class: Class) -> usize {
        self.classes.get(class as usize).copied().unwrap_or(0)
    }
    fn read(&mut self, text: &[u8]) {
        for byte in text {
            let class = CLASSES.get(usize::from(*byte)).copied().unwrap_or(0);
            if let Some(count) = self.classes.get_mut(usize::from(class)) {
                *count = count.saturating_add(1);
            }
        }
        if text.is_empty() {
            return;
        }
        let starts = std::iter::once(0).chain(memchr_iter(b'\n', text).map(|at| at.saturating_add(1)));
        for start in starts.filter(|start| *start < text.len()) {
            self.lines = self.lines.saturating_add(1);
            self.quoted = self.quoted.saturating_add(usize::from(text.get(start) == Some(&b'>')));
        }
    }
}

/// Sums and shares, so coarse that messages of a kind have the same.
pub(super) fn form(structure: &Structure, reading: &Reading, sink: &mut Sink<'_>) {
    let sum = |of: fn(&super::Text) -> usize| reading.texts.iter().map(of).fold(0, usize::saturating_add);
    let shown = sum(|text| text.shown().len());
    let written = sum(|text| text.written.len());
    let pages = sum(|text| usize::from(text.page.is_some()));
    let plain = sum(|text| usize::from(text.page.is_none()));
    let mut hosts: Vec<&str> = reading.texts.iter().flat_map(|text| page::hosts(&text.written)).collect();
    let links = hosts.len();
    hosts.sort_unstable();
    hosts.dedup();
    let mut counts = Counts::default();
    let mut room = SPAM_FORM_MAX;
    for text in &reading.texts {
        let text = text.shown().as_bytes();
        let text = text.get(..room).unwrap_or(text);
        room = room.saturating_sub(text.len());
        counts.read(text);
    }
    let (capital, small) = (counts.of(Class::Capital), counts.of(Class::Small));
    let letters = capital.saturating_add(small);
    let (digit, beyond) = (counts.of(Class::Digit), counts.of(Class::Beyond));
    let looked = shown.min(SPAM_FORM_MAX);
    let facts: [(&str, usize); 17] = [
        ("shown", power(shown)),
        ("written", power(written)),
        ("pages", pages.min(3)),
        ("plain", plain.min(3)),
        ("kinds", pages.min(2).saturating_mul(3).saturating_add(plain.min(2))),
        ("parts", structure.parts().take(8).count()),
        ("links", power(links)),
        ("hosts", power(hosts.len())),
        ("capitals", tenths(capital.saturating_mul(2), letters)),
        ("digits", tenths(digit.saturating_mul(3), letters.saturating_add(digit))),
        ("beyond", tenths(beyond, letters.saturating_add(beyond))),
        ("bangs", power(counts.of(Class::Bang))),
        ("dollars", power(counts.of(Class::Dollar))),
        ("lines", power(counts.lines)),
        ("line", power(looked.checked_div(counts.lines).unwrap_or(0))),
        ("quoted", tenths(counts.quoted, counts.lines)),
        ("page", tenths(shown, written)),
    ];
    for (name, value) in facts {
        let mut digits = [0u8; 3];
        sink.text(Kind::Form, &[name, " ", decimal(value, &mut digits)]);
    }
}

/// How many bits a number has: each step is twice as many.
fn power(number: usize) -> usize {
    usize::try_from(usize::BITS.saturating_sub(number.leading_zeros())).unwrap_or(0)
}

fn tenths(part: usize, whole: usize) -> usize {
    part.saturating_mul(10).checked_div(whole.max(1)).unwrap_or(0).min(99)
}

/// A number below 1000, without taking memory for it.
fn decimal(number: usize, room: &mut [u8; 3]) -> &str {
    let mut rest = number.min(999);
    let mut start = room.len();
    loop {
        start = start.saturating_sub(1);
        if let Some(digit) = room.get_mut(start) {
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    room.get(start..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
}
