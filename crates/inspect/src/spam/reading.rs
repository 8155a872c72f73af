//! The texts of a message, decoded once for everything that is found in them.

use mailward_core::limits::SPAM_TEXT_MAX;
use mailward_message::decode::{charset, html_text, part_bytes};
use mailward_message::{Part, Structure};
use std::borrow::Cow;

/// A text of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// As it stands, decoded.
    pub(super) written: String,
    /// Of a page: its text.
    pub(super) page: Option<String>,
}

impl Text {
    /// What a reader sees, more or less.
    pub(super) fn shown(&self) -> &str {
        self.page.as_deref().unwrap_or(&self.written)
    }
}

/// What a message says, up to `limits::SPAM_TEXT_MAX` bytes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub(super) texts: Vec<Text>,
}

impl Reading {
    /// Of a message by its own structure.
    #[must_use]
    pub fn of(message: &[u8], structure: &Structure) -> Self {
        let mut room = SPAM_TEXT_MAX;
        let mut texts = Vec::new();
        for part in structure.parts().filter(|part| part.is_text()) {
            if room == 0 {
                break;
            }
            let bytes = beginning(message, part, room);
            room = room.saturating_sub(bytes.len());
            let written = charset(part.param("charset"), &bytes);
            let page = (part.subtype == "html").then(|| html_text(&written));
            texts.push(Text { written, page });
        }
        Self { texts }
    }
}

/// As many decoded bytes as there is room for.
fn beginning<'m>(message: &'m [u8], part: &Part, room: usize) -> Cow<'m, [u8]> {
    // No encoding makes more than three bytes of one that is kept.
    let most = u64::try_from(room).unwrap_or(u64::MAX).saturating_mul(3);
    let bytes = if part.size() > most {
        let mut here = part.clone();
        here.body.end = part.body.start.saturating_add(most);
        Cow::Owned(part_bytes(message, &here).into_owned())
    } else {
        part_bytes(message, part)
    };
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..room).unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            bytes.truncate(room);
            Cow::Owned(bytes)
        }
    }
}
