//! Values of events, from outsiders, read back by whoever tells people of them.

use mailward_core::Timestamp;
use mailward_core::event::{Event, Happening, Words};

/// Values that a zero byte separates: each comes back in its own field, with nothing in it that acts.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let values: Vec<&str> = text.split('\0').take(8).collect();
    let event = values.iter().fold(Event::alert("fuzz.event"), |event, value| event.with("key", value));
    let line = event.text();
    assert!(!line.chars().any(char::is_control));
    let heard = Happening::of(&event, Timestamp(0));
    assert_eq!(heard.fields.len(), values.len());
    for ((key, value), given) in heard.fields.iter().zip(&values) {
        assert_eq!(key, "key");
        assert!(value.chars().all(|c| !c.is_control() && Words::seen(c) == c));
        if given.len() <= 100 && given.bytes().all(|b| matches!(b, b' '..=b'~')) {
            assert_eq!(value, given);
        }
    }
    let words = Words::new(&text, &[text.to_string()]);
    assert!(words.subject.is_ascii() && !words.lines[0].chars().any(char::is_control));
}
