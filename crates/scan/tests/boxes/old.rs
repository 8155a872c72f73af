//! ZIP's methods from before deflate, packed here as PKZIP 1 did. `unzip` 6.0 reads what is shrunk and imploded here, and the crate `zip` 8.6
//! what is reduced and imploded.

use crate::build::{Zipped, attached, named, not_opened, sha256, zip};
use mailward_scan::Trait;
use std::collections::HashMap;

/// Text with repetitions near and far, the same each time.
fn text(length: usize) -> Vec<u8> {
    let words =
        ["invoice", "of", "the", "day", "and", "line", "after", "payment", "\n", "until", "Monday", "\u{90}", "zz"];
    let mut state = 7_u32;
    let mut text = Vec::new();
    while text.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend(words[(state >> 24) as usize % words.len()].bytes());
        if state & 0x8000 != 0 {
            text.extend([b' ', (state >> 16) as u8]);
        }
    }
    text.truncate(length);
    text
}

/// Bits, the lowest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, count: u32) {
        for at in 0..count {
            if self.held.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((bits >> at & 1) as u8) << (self.held % 8);
            self.held += 1;
        }
    }
}

/// Method 1. `clears` is told how often its table was cleared.
fn shrink(content: &[u8], clears: &mut u32) -> Vec<u8> {
    const FREE: usize = usize::MAX;
    let mut bits = Bits::default();
    let mut width = 9;
    let mut known: HashMap<(usize, u8), usize> = HashMap::new();
    let mut before = vec![FREE; 8_192];
    let mut last = 256;
    let mut emit = |bits: &mut Bits, code: usize| {
        while code >> width != 0 {
            bits.put(256, width);
            bits.put(1, width);
            width += 1;
        }
        bits.put(code as u32, width);
        width
    };
    let mut current = usize::from(content[0]);
    for byte in &content[1..] {
        if let Some(code) = known.get(&(current, *byte)) {
            current = *code;
            continue;
        }
        let width = emit(&mut bits, current);
        let mut free = (last + 1..8_192).find(|code| before[*code] == FREE);
        let is_cleared = free.is_none();
        if is_cleared {
            *clears += 1;
            bits.put(256, width);
            bits.put(2, width);
            let goes_on: Vec<bool> = (0..8_192).map(|code| before.contains(&code)).collect();
            for code in 257..8_192 {
                if !goes_on[code] {
                    before[code] = FREE;
                }
            }
            known.retain(|_, code| before[*code] != FREE);
            free = (257..8_192).find(|code| before[*code] == FREE);
        }
        let free = free.unwrap();
        before[free] = current;
        last = free;
        // What it goes on from may just have been cleared: then it stands for nothing.
        if !is_cleared {
            known.insert((current, *byte), free);
        }
        current = usize::from(*byte);
    }
    emit(&mut bits, current);
    bits.bytes
}

/// The longest piece before a place that is the same as what stands there: how far back, how long.
fn copy(content: &[u8], at: usize, window: usize, most: usize) -> (usize, usize) {
    let length = |distance: usize| {
        (0..most.min(content.len() - at)).take_while(|n| content[at + n] == content[at + n - distance]).count()
    };
    (1..=at.min(window)).map(|distance| (distance, length(distance))).max_by_key(|found| found.1).unwrap_or((0, 0))
}

/// Methods 2 to 5, with a factor of 1 to 4.
fn reduce(content: &[u8], factor: u32) -> Vec<u8> {
    let length_bits = 8 - factor;
    let most = (1_usize << length_bits) - 1;
    let mut inner = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let (distance, length) = copy(content, at, 256 << factor, most + 255 + 3);
        if length < 4 {
            inner.push(content[at]);
            if content[at] == 144 {
                inner.push(0);
            }
            at += 1;
            continue;
        }
        let (told, back) = ((length - 3).min(most), distance - 1);
        // A byte of zero stands for the sign itself.
        let head = (back >> 8) << length_bits | told;
        if head == 0 {
            inner.push(content[at]);
            at += 1;
            continue;
        }
        inner.extend([144, head as u8]);
        if told == most {
            inner.push((length - 3 - most) as u8);
        }
        inner.push(back as u8);
        at += length;
    }
    let mut followers = vec![Vec::new(); 256];
    for pair in inner.windows(2) {
        let of: &mut Vec<u8> = &mut followers[usize::from(pair[0])];
        if !of.contains(&pair[1]) && of.len() < 30 {
            of.push(pair[1]);
        }
    }
    let mut bits = Bits::default();
    for of in followers.iter().rev() {
        bits.put(of.len() as u32, 6);
        of.iter().for_each(|byte| bits.put(u32::from(*byte), 8));
    }
    let mut last = 0_u8;
    for byte in inner {
        let of = &followers[usize::from(last)];
        match of.iter().position(|known| *known == byte) {
            _ if of.is_empty() => bits.put(u32::from(byte), 8),
            Some(index) => {
                bits.put(0, 1);
                bits.put(index as u32, (usize::BITS - (of.len() - 1).leading_zeros()).max(1));
            }
            None => {
                bits.put(1, 1);
                bits.put(u32::from(byte), 8);
            }
        }
        last = byte;
    }
    bits.bytes
}

/// Codes of these lengths, written before what they are used for.
struct Codes(Vec<(u32, u32)>);

impl Codes {
    fn write(bits: &mut Bits, lengths: &[u8]) -> Self {
        let mut runs: Vec<(u8, u8)> = Vec::new();
        for length in lengths {
            match runs.last_mut() {
                Some((known, count)) if known == length && *count < 16 => *count += 1,
                _ => runs.push((*length, 1)),
            }
        }
        bits.put(runs.len() as u32 - 1, 8);
        for (length, count) in runs {
            bits.put(u32::from(length - 1) | u32::from(count - 1) << 4, 8);
        }
        // Ones first to the shortest: the complement of canonical codes.
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|symbol| (lengths[*symbol], *symbol));
        let mut codes = vec![(0, 0); lengths.len()];
        let (mut code, mut before) = (0_u32, lengths[order[0]]);
        for symbol in order {
            code <<= lengths[symbol] - before;
            before = lengths[symbol];
            codes[symbol] = (!code & ((1 << before) - 1), u32::from(before));
            code += 1;
        }
        Self(codes)
    }

    fn put(&self, bits: &mut Bits, symbol: usize) {
        let (code, length) = self.0[symbol];
        (0..length).rev().for_each(|at| bits.put(code >> at & 1, 1));
    }
}

/// Method 6, with these flags.
fn implode(content: &[u8], flags: u16) -> Vec<u8> {
    let (has_literals, low) = (flags & 4 != 0, if flags & 2 == 0 { 6 } else { 7 });
    let least = if has_literals { 3 } else { 2 };
    let mut bits = Bits::default();
    let uneven = [vec![1], vec![6; 31], vec![11; 32]].concat();
    let literals = has_literals.then(|| Codes::write(&mut bits, &[vec![9; 224], vec![5; 16], vec![8; 16]].concat()));
    let lengths = Codes::write(&mut bits, &uneven);
    let distances = Codes::write(&mut bits, &[vec![6; 30], uneven[32..].to_vec(), vec![1], vec![6]].concat());
    let mut at = 0;
    while at < content.len() {
        let (distance, length) = copy(content, at, 64 << low, 63 + 255 + least);
        if length < least.max(3) {
            bits.put(1, 1);
            match &literals {
                Some(codes) => codes.put(&mut bits, usize::from(content[at])),
                None => bits.put(u32::from(content[at]), 8),
            }
            at += 1;
            continue;
        }
        bits.put(0, 1);
        bits.put((distance - 1) as u32 & ((1 << low) - 1), low);
        distances.put(&mut bits, (distance - 1) >> low);
        let told = (length - least).min(63);
        lengths.put(&mut bits, told);
        if told == 63 {
            bits.put((length - least - 63) as u32, 8);
        }
        at += length;
    }
    bits.bytes
}

/// Attacks E3: a method that nobody packs by any more.
#[test]
fn e3_what_old_programs_packed_is_unpacked() {
    let (long, short) = (text(120_000), text(6_000));
    let mut clears = 0;
    let mut entries = vec![Zipped::packed("1", 1, &long, shrink(&long, &mut clears))];
    assert!(clears > 2, "its table was cleared {clears} times");
    for factor in 1..=4 {
        let method = factor as u16 + 1;
        entries.push(Zipped::packed(&format!("{method}"), method, &short, reduce(&short, factor)));
    }
    for flags in [0, 2, 4, 6] {
        let entry = Zipped::packed(&format!("6 {flags}"), 6, &short, implode(&short, flags));
        entries.push(Zipped { flags, ..entry });
    }
    let contents = attached("a.zip", &zip(&entries));
    for entry in &entries {
        let name = String::from_utf8(entry.name.clone()).unwrap();
        let content = if entry.method == 1 { &long } else { &short };
        let [item] = named(&contents, &name)[..] else { panic!("{name}: {contents:?}") };
        assert_eq!((item.hash, item.size), (sha256(content), content.len() as u64), "{name}: {item:?}");
        assert!(item.traits.is_empty(), "{item:?}");
        assert!(entry.packed.len() < content.len() * 9 / 10, "{name} is packed: {}", entry.packed.len());
    }
    assert!(contents.stopped.is_empty());
}

#[test]
fn what_is_wrong_in_old_methods_is_told_and_never_stays_unseen() {
    let short = text(300);
    for (method, packed, why) in [
        (1, vec![0x00, 0x01, 0x02, 0x04], "an order that isn't one"),
        (1, vec![0xff, 0x01, 0x02], "a code before there is one"),
        (2, vec![0; 10], "unexpected end of file"),
        (6, vec![0, 0x05, 0, 0x05], "codes for other symbols"),
        (6, Vec::new(), "unexpected end of file"),
        (6, implode(&short, 0)[..40].to_vec(), "unexpected end of file"),
    ] {
        let contents = attached("a.zip", &zip(&[Zipped::packed("it", method, &short, packed)]));
        let [item] = named(&contents, "it")[..] else { panic!("{method}: {contents:?}") };
        let told = item.traits.iter().any(|found| matches!(found, Trait::Damaged(words) if words.contains(why)));
        assert!(told, "{method}: {why}: {item:?}");
    }
    // Header and directory say different things of how it is to be read: both readings are there.
    let mut entry = Zipped { flags: 2, ..Zipped::packed("it", 6, &short, implode(&short, 2)) };
    let mut bytes = zip(std::slice::from_ref(&entry));
    bytes[6] = 6;
    let contents = attached("a.zip", &bytes);
    assert!(named(&contents, "it").len() == 2, "{contents:?}");
    assert!(named(&contents, "it").iter().any(|item| item.hash == sha256(&short)));
    entry.method = 7;
    entry.local_method = 7;
    assert!(not_opened(&attached("a.zip", &zip(&[entry]))));
}
