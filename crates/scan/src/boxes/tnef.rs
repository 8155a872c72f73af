//! TNEF (MS-OXTNEF), Outlook's `winmail.dat`: attachments and their names.

mod properties;

use crate::contents::Trait;
use crate::cursor::{Cursor, size32};
use crate::holder::{Body, Entry, Holder, Listing};
use crate::names;
use bytes::Bytes;
use properties::Property;
use std::ops::Range;

/// An attachment's title, bytes, properties; and that one begins (2.1.3.3).
const TITLE: u16 = 0x8010;
const DATA: u16 = 0x800f;
const ATTACHMENT: u16 = 0x9005;
const BEGINS: u16 = 0x9002;
/// The message's own properties.
const MESSAGE: u16 = 0x9003;

/// Properties of an attachment (MS-OXPROPS): its name, its long name, its bytes or the object that it is.
const NAME: u16 = 0x3704;
const LONG_NAME: u16 = 0x3707;
const SHOWN_NAME: u16 = 0x3001;
const OBJECT: u16 = 0x3701;
/// Bodies of a message: text, RTF packed, HTML.
const BODY_HTML: u16 = 0x1013;

#[derive(Default)]
struct Attachment {
    names: Vec<String>,
    data: Option<Range<usize>>,
}

/// None: it isn't one.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut at = Cursor::new(bytes);
    if at.u32()? != 0x223e_9f78 {
        return None;
    }
    at.skip(2)?;
    let mut notes = Vec::new();
    let mut entries = Vec::new();
    let mut open = Attachment::default();
    // A line end behind it is its wrapping's.
    while !at.rest().trim_ascii().is_empty() && entries.len() < most {
        let Some((id, range)) = attribute(&mut at) else {
            notes.push(Trait::Damaged("it ends before its end".to_owned()));
            break;
        };
        let content = bytes.get(range.clone()).unwrap_or_default();
        match id {
            BEGINS => close(&mut open, &mut entries),
            TITLE => {
                for name in names::readings(content.split(|byte| *byte == 0).next().unwrap_or_default(), false) {
                    names::add(&mut open.names, &name);
                }
            }
            DATA => {
                if open.data.is_some() {
                    close(&mut open, &mut entries);
                }
                open.data = Some(range);
            }
            ATTACHMENT => {
                let all = properties::read(content, range.start);
                if all.len() >= properties::PROPERTIES_MAX {
                    notes.push(Trait::NotOpened("more properties than are looked at".to_owned()));
                }
                for property in all {
                    attached(property, &mut open, &mut entries);
                }
            }
            MESSAGE => {
                for property in properties::read(content, range.start) {
                    if property.id == BODY_HTML && property.kind == properties::BINARY {
                        entries.push(entry(Vec::new(), property.value));
                    }
                }
            }
            _ => {}
        }
    }
    close(&mut open, &mut entries);
    Some(Listing::boxed(bytes, notes, entries))
}

/// Level, number, length, value, sum (2.1.3.2).
fn attribute(at: &mut Cursor<'_>) -> Option<(u16, Range<usize>)> {
    at.skip(1)?;
    let id = at.u16()?;
    at.skip(2)?;
    let length = size32(at.u32()?);
    let start = at.position();
    // What is cut at the end is there up to it.
    let there = length.min(at.rest().len());
    at.skip(there)?;
    at.skip(2.min(at.rest().len()))?;
    Some((id, start..start.saturating_add(length)))
}

fn attached(property: Property, open: &mut Attachment, entries: &mut Vec<Entry>) {
    match property.id {
        NAME | LONG_NAME | SHOWN_NAME => {
            if let Some(name) = property.text {
                names::add(&mut open.names, &name);
            }
        }
        // The bytes, or an object after the 16 bytes that name its interface: a message is TNEF again, others are compound
        // files.
        OBJECT if property.kind == properties::OBJECT => {
            let value = property.value.start.saturating_add(16)..property.value.end;
            entries.push(entry(open.names.clone(), value));
        }
        OBJECT if property.kind == properties::BINARY => entries.push(entry(open.names.clone(), property.value)),
        _ => {}
    }
}

fn close(open: &mut Attachment, entries: &mut Vec<Entry>) {
    let Attachment { names, data } = std::mem::take(open);
    if let Some(data) = data {
        entries.push(entry(names, data));
    }
}

fn entry(names: Vec<String>, range: Range<usize>) -> Entry {
    Entry { names, size: u64::try_from(range.len()).ok(), body: Body::Plain(range), ..Entry::default() }
}
