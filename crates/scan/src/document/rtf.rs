//! Rich text: groups, control words, and objects in hexadecimal digits, read as Word does, which forgives nearly everything.

use super::{Look, is_elsewhere, ole, words};
use crate::bytes::{find, from, le32, long, part, until_nul, upto, windows};
use crate::compound;
use crate::contents::{Trait, Wrapping};
use mailward_core::limits::RTF_DEPTH_MAX;

/// Longest control word, letters.
const WORD_MAX: usize = 32;
/// Characters of a field's code or a template's path that are kept.
const CODE_MAX: usize = 4_096;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let mut reader = Reader {
        text: String::new(),
        groups: vec![Into::Text],
        over: 0,
        object: Vec::new(),
        high: None,
        code: String::new(),
        star: false,
        skip: 0,
    };
    reader.run(bytes, look);
    look.text(&reader.text);
}

/// Where characters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Into {
    Text,
    Nothing,
    /// Digits of an object.
    Object,
    /// A field's code.
    Code,
    /// A template's path.
    Template,
    /// An object's class.
    Class,
}

struct Reader {
    text: String,
    groups: Vec<Into>,
    /// Groups deeper than are told apart.
    over: usize,
    object: Vec<u8>,
    high: Option<u8>,
    code: String,
    /// Whether `\*` came: a word that isn't known hides its group.
    star: bool,
    /// Characters to pass over that stand for one that came as a number.
    skip: usize,
}

impl Reader {
    fn run(&mut self, bytes: &[u8], look: &mut Look<'_>) {
        let mut at = 0_usize;
        while let Some(byte) = bytes.get(at) {
            at = at.saturating_add(1);
            match byte {
                b'{' => {
                    self.star = false;
                    let now = self.now();
                    if self.groups.len() < RTF_DEPTH_MAX {
                        self.groups.push(now)
                    } else {
                        self.over = self.over.saturating_add(1)
                    }
                }
                b'}' => self.close(look),
                b'\\' => at = self.control(bytes, at, look),
                b'\r' | b'\n' => {}
                byte => self.character(char::from(*byte)),
            }
        }
        while self.groups.len() > 1 {
            self.over = 0;
            self.close(look);
        }
        self.finish(self.now(), look);
    }

    fn now(&self) -> Into {
        self.groups.last().copied().unwrap_or(Into::Text)
    }

    fn set(&mut self, now: Into) {
        if let Some(last) = self.groups.last_mut() {
            *last = now;
        }
    }

    fn close(&mut self, look: &mut Look<'_>) {
        if self.over > 0 {
            self.over = self.over.saturating_sub(1);
            return;
        }
        if self.groups.len() <= 1 {
            return;
        }
        let was = self.groups.pop().unwrap_or(Into::Text);
        if was != self.now() {
            self.finish(was, look);
        }
    }

    fn finish(&mut self, was: Into, look: &mut Look<'_>) {
        match was {
            Into::Object => {
                let object = std::mem::take(&mut self.object);
                self.high = None;
                embedded(&object, look);
            }
            Into::Code => words::code_of_field(&std::mem::take(&mut self.code), look),
            Into::Template => {
                let target = std::mem::take(&mut self.code);
                look.remark_if(is_elsewhere(&target), Trait::Remote);
                look.text(&target);
            }
            Into::Class => look.text(&std::mem::take(&mut self.code)),
            Into::Text | Into::Nothing => {}
        }
    }

    fn character(&mut self, character: char) {
        if self.skip > 0 {
            self.skip = self.skip.saturating_sub(1);
            return;
        }
        match self.now() {
            Into::Text => self.text.push(character),
            Into::Object => {
                if let Some(digit) = character.to_digit(16).and_then(|d| u8::try_from(d).ok()) {
                    match self.high.take() {
                        Some(high) => self.object.push(high << 4 | digit),
                        None => self.high = Some(digit),
                    }
                }
            }
            Into::Code | Into::Template | Into::Class if self.code.len() < CODE_MAX => self.code.push(character),
            _ => {}
        }
    }

    /// Reads what follows a backslash; where reading goes on.
    fn control(&mut self, bytes: &[u8], at: usize, look: &mut Look<'_>) -> usize {
        let Some(first) = bytes.get(at) else { return at };
        let next = at.saturating_add(1);
        if !first.is_ascii_alphabetic() {
            match first {
                b'*' => self.star = true,
                b'\'' => {
                    // In an object's digits Word passes over it.
                    let digits = part(bytes, next, 2).and_then(|d| std::str::from_utf8(d).ok());
                    if let Some(code) = digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
                        if self.now() != Into::Object {
                            let shown = windows_character(code);
                            self.character(shown);
                        }
                        return next.saturating_add(2);
                    }
                }
                b'\\' | b'{' | b'}' => self.character(char::from(*first)),
                b'~' => self.character(' '),
                b'\r' | b'\n' => self.character('\n'),
                _ => {}
            }
            return next;
        }
        let word = from(bytes, at);
        let len = word.iter().take(WORD_MAX).position(|b| !b.is_ascii_alphabetic()).unwrap_or(word.len().min(WORD_MAX));
        let name = upto(word, 0, len).to_ascii_lowercase();
        let mut after = at.saturating_add(len);
        let sign = usize::from(bytes.get(after) == Some(&b'-'));
        let digits = from(bytes, after.saturating_add(sign)).iter().take(10).take_while(|b| b.is_ascii_digit()).count();
        let number = part(bytes, after, sign.saturating_add(digits))
            .and_then(|n| std::str::from_utf8(n).ok())
            .and_then(|n| n.parse::<i64>().ok());
        if digits > 0 {
            after = after.saturating_add(sign).saturating_add(digits);
        }
        if bytes.get(after) == Some(&b' ') {
            after = after.saturating_add(1);
        }
        let star = std::mem::take(&mut self.star);
        if name == b"bin" {
            let len = usize::try_from(number.unwrap_or_default()).unwrap_or_default();
            let raw = upto(bytes, after, len);
            if self.now() == Into::Object {
                self.object.extend_from_slice(raw);
            }
            return after.saturating_add(raw.len());
        }
        self.word(&name, number, star, look);
        after
    }

    fn word(&mut self, name: &[u8], number: Option<i64>, star: bool, look: &mut Look<'_>) {
        match name {
            b"object" => look.remark(Trait::Object),
            b"objdata" => {
                look.remark(Trait::Object);
                self.set(Into::Object);
            }
            // Its program is started without a click.
            b"objupdate" => look.remark(Trait::Launches),
            b"objclass" => self.set(Into::Class),
            b"fldinst" => self.set(Into::Code),
            b"template" => self.set(Into::Template),
            b"fonttbl"
            | b"colortbl"
            | b"stylesheet"
            | b"info"
            | b"pict"
            | b"themedata"
            | b"colorschememapping"
            | b"datastore"
            | b"generator"
            | b"listtable"
            | b"listoverridetable"
            | b"rsidtbl"
            | b"xmlnstbl"
            | b"filetbl"
            | b"latentstyles"
            | b"objalias"
            | b"objname"
            | b"bkmkstart"
            | b"bkmkend"
            | b"revtbl"
                if self.now() != Into::Object =>
            {
                self.set(Into::Nothing);
            }
            b"par" | b"line" | b"row" | b"sect" | b"page" | b"cell" => self.character('\n'),
            b"tab" => self.character('\t'),
            b"u" if self.now() != Into::Object => {
                let code = number
                    .map(|n| if n < 0 { n.saturating_add(65_536) } else { n })
                    .and_then(|n| u32::try_from(n).ok());
                self.skip = 0;
                self.character(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                self.skip = 1;
            }
            b"htmlrtf" | b"htmltag" | b"mhtmltag" | b"shppict" | b"nonshppict" | b"shpinst" | b"shptxt"
            | b"fldrslt" | b"result" | b"footnote" => {}
            _ if star => self.set(Into::Nothing),
            _ => {}
        }
    }
}

fn windows_character(code: u8) -> char {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[code]).0.chars().next().unwrap_or('\u{fffd}')
}

/// An object as OLE 1 wrote it (\[MS-OLEDS\] §2.2): version, linked or embedded, class, topic, item, its bytes.
fn embedded(object: &[u8], look: &mut Look<'_>) {
    if object.is_empty() {
        return;
    }
    if let Some((class, names, data)) = parse(object) {
        look.text(&class);
        let is_link = le32(object, 4) == Some(1);
        look.remark_if(is_link && names.iter().any(|name| is_elsewhere(name)), Trait::Remote);
        names.iter().for_each(|name| look.text(name));
        if class.eq_ignore_ascii_case("package") {
            ole::native(data, look);
            return;
        }
        if !is_link && !data.is_empty() && !has_compound_elsewhere(data) {
            look.inner(Vec::new(), data.to_vec(), Wrapping::Entry);
            return;
        }
    }
    // Heads are damaged on purpose; what they are before is found all the same.
    let start = find(object, compound::MAGIC).unwrap_or_default();
    look.inner(Vec::new(), from(object, start).to_vec(), Wrapping::Entry);
}

fn has_compound_elsewhere(data: &[u8]) -> bool {
    find(data, compound::MAGIC).is_some_and(|at| at > 0)
}

fn parse(object: &[u8]) -> Option<(String, [String; 2], &[u8])> {
    let mut at = 8_usize;
    let mut string = || {
        let len = long(le32(object, at)?);
        let raw = part(object, at.checked_add(4)?, len)?;
        at = at.checked_add(4)?.checked_add(len)?;
        Some(windows(until_nul(raw)))
    };
    let (class, topic, item) = (string()?, string()?, string()?);
    let len = long(le32(object, at)?);
    Some((class, [topic, item], upto(object, at.checked_add(4)?, len)))
}
