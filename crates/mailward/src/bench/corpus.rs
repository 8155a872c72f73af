//! Made-up mail that looks like mail: the same seed makes the same messages, byte for byte, on every machine.
//!
//! Senders, subjects, threads, character sets, HTML and attachments are mixed as in an office's mailbox. Every message
//! is made from its number alone, so that a million of them need no memory, and whoever searches can be told what must
//! be found ([`Corpus::facts`]).

mod encode;
mod words;

use encode::{base64_lines, encoded_words, quoted_printable};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use words::{
    DOMAINS, FAMILY, FEW, FOREIGN_SUBJECTS, GIVEN, LATIN, MANY, OTHER, PROGRAMS, RARE, SUBJECTS, THINGS, WORDS,
};

/// Longest line of references, and longest way up a thread.
const THREAD_MAX: usize = 12;
/// How far back a reply may look for what it answers.
const REPLY_REACH: u64 = 40;
/// 1 January 2024, UTC: the first message's day.
const FIRST_DAY: u64 = 1_704_067_200;
/// Seconds over which the messages of a corpus are spread.
const SPAN: u64 = 63_000_000;
/// Bytes of a line of text without CRLF.
const LINE: usize = 72;

/// So many messages, from a seed, of about `size` bytes on the average; their headers alone take a thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Corpus {
    pub(crate) seed: u64,
    pub(crate) messages: u64,
    pub(crate) size: usize,
}

/// One of them.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    /// Seconds since 1970: its Date, and its INTERNALDATE.
    pub(crate) date: u64,
}

/// What a search must find.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    pub(crate) few: Known,
    pub(crate) many: Known,
    pub(crate) rare: Known,
}

/// A word, and how many messages have it: in the subject, or (`rare`) in the text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Known {
    pub(crate) word: &'static str,
    pub(crate) messages: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Quoted,
    Base64,
    Latin1,
    Html,
    Attached,
}

impl Corpus {
    /// What a search must find.
    pub(crate) fn facts(&self) -> Facts {
        let (mut few, mut many) = (0_u64, 0_u64);
        for number in 0..self.messages {
            let subject = self.subject(number).to_lowercase();
            few = few.saturating_add(subject.contains(FEW).into());
            many = many.saturating_add(subject.contains(MANY).into());
        }
        let mut rare = self.rare().to_vec();
        rare.retain(|n| *n < self.messages);
        rare.dedup();
        let rare = u64::try_from(rare.len()).unwrap_or(0);
        let known = |word, messages| Known { word, messages };
        Facts { few: known(FEW, few), many: known(MANY, many), rare: known(RARE, rare) }
    }

    /// Message `number`, from 0 on.
    pub(crate) fn message(&self, number: u64) -> Message {
        let mut dice = self.dice(number, 1);
        let date = self.date(number);
        let rare = self.rare().iter().position(|n| *n == number);
        let kind = match rare {
            Some(0) => Kind::Plain,
            Some(1) => Kind::Quoted,
            Some(_) => Kind::Base64,
            None => match dice.below(100) {
                0..62 => Kind::Plain,
                62..70 => Kind::Quoted,
                70..75 => Kind::Base64,
                75..78 => Kind::Latin1,
                78..88 => Kind::Html,
                _ => Kind::Attached,
            },
        };
        let mut out = Vec::with_capacity(self.size.saturating_mul(2));
        self.header(number, date, &mut dice, &mut out);
        // Attachments are large and few, the rest is smaller than the average.
        let wanted = match kind {
            Kind::Attached => self.size.saturating_mul(3),
            _ => self.size.saturating_mul(75).checked_div(100).unwrap_or(0),
        };
        let wanted = wanted.saturating_mul(usize::try_from(dice.between(60, 140)).unwrap_or(100)).saturating_div(100);
        let room = wanted.saturating_sub(out.len()).max(200);
        self.body(kind, room, rare.is_some(), number, &mut dice, &mut out);
        Message { bytes: out, date }
    }

    fn header(&self, number: u64, date: u64, dice: &mut Dice, out: &mut Vec<u8>) {
        let (sender, address) = person(dice);
        let (receiver, to) = person(dice);
        let when = rfc5322(date);
        let domain = address.rsplit('@').next().unwrap_or("example.com");
        let mut text = String::with_capacity(1_500);
        // Writing to memory can't fail, here and below.
        let _infallible = write!(
            text,
            "Return-Path: <{address}>\r\n\
             Received: from mx{}.{domain} (mx{}.{domain} [192.0.2.{}])\r\n\tby mail.example.test with ESMTPS id \
             {:012x}\r\n\tfor <{to}>; {when}\r\n\
             Received: from [198.51.100.{}] by out.{domain} with ESMTPSA\r\n\tid {:010x}; {when}\r\n",
            dice.between(1, 4),
            dice.between(1, 4),
            dice.between(1, 254),
            dice.next() >> 16,
            dice.between(1, 254),
            dice.next() >> 24,
        );
        if dice.below(3) == 0 {
            let mut signature = vec![0_u8; 96];
            dice.fill(&mut signature);
            let signature = base64_lines(&signature).replace("\r\n", "\r\n\t");
            let _infallible = write!(
                text,
                "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=m{};\r\n\th=from:to:subject:date:\
                 message-id;\r\n\tb={}\r\n",
                dice.below(10),
                signature.trim_end()
            );
        }
        let _infallible = write!(
            text,
            "Date: {when}\r\nFrom: {} <{address}>\r\nTo: {} <{to}>\r\n",
            encoded_words(&sender),
            encoded_words(&receiver)
        );
        if dice.below(4) == 0 {
            let (name, cc) = person(dice);
            let _infallible = write!(text, "Cc: {} <{cc}>\r\n", encoded_words(&name));
        }
        let _infallible =
            write!(text, "Subject: {}\r\nMessage-ID: {}\r\n", encoded_words(&self.subject(number)), self.id(number));
        let above = self.above(number);
        if let Some(parent) = above.first() {
            let _infallible = write!(text, "In-Reply-To: {}\r\nReferences:", self.id(*parent));
            for older in above.iter().rev() {
                let _infallible = write!(text, " {}\r\n", self.id(*older));
            }
        }
        let _infallible = write!(text, "User-Agent: {}\r\nMIME-Version: 1.0\r\n", dice.pick(PROGRAMS));
        out.extend_from_slice(text.as_bytes());
    }

    fn body(&self, kind: Kind, room: usize, rare: bool, number: u64, dice: &mut Dice, out: &mut Vec<u8>) {
        let boundary = format!("=_{:016x}", dice.next());
        let mut text = String::with_capacity(room.saturating_mul(2));
        let own = match kind {
            Kind::Attached => room.saturating_div(5),
            Kind::Html => room.saturating_div(3),
            Kind::Base64 => room.saturating_mul(3).saturating_div(4),
            _ => room,
        };
        prose(dice, own, kind, rare.then_some(RARE), self.above(number).is_empty(), &mut text);
        // Writing to memory can't fail.
        let _infallible = match kind {
            Kind::Plain => write!(
                out,
                "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{text}"
            ),
            Kind::Quoted => write!(
                out,
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
                quoted_printable(text.as_bytes())
            ),
            Kind::Base64 => write!(
                out,
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
                base64_lines(text.as_bytes())
            ),
            Kind::Latin1 => {
                let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
                write!(
                    out,
                    "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\
                     \r\n{}",
                    quoted_printable(&latin)
                )
            }
            Kind::Html => write!(
                out,
                "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n\
                 --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{text}\r\n\
                 --{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n--{boundary}--\r\n",
                quoted_printable(html(&text).as_bytes())
            ),
            Kind::Attached => {
                let left = room.saturating_sub(text.len()).saturating_mul(73).saturating_div(100);
                let mut file = vec![0_u8; left];
                dice.fill(&mut file);
                let name = dice.pick(THINGS);
                write!(
                    out,
                    "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n\
                     --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{text}\r\n\
                     --{boundary}\r\nContent-Type: application/pdf; name=\"{name}-{number}.pdf\"\r\n\
                     Content-Disposition: attachment; filename=\"{name}-{number}.pdf\"\r\n\
                     Content-Transfer-Encoding: base64\r\n\r\n{}--{boundary}--\r\n",
                    base64_lines(&file)
                )
            }
        };
    }

    /// Subject as people read it.
    fn subject(&self, number: u64) -> String {
        let above = self.above(number);
        let root = above.last().copied().unwrap_or(number);
        let mut dice = self.dice(root, 2);
        let subject = if dice.below(400) == 0 {
            format!("Noise of the {FEW} at the {}", dice.pick(THINGS))
        } else if dice.below(12) == 0 {
            dice.pick(FOREIGN_SUBJECTS).to_string()
        } else {
            let thing = dice.pick(THINGS);
            dice.pick(SUBJECTS).replace("{}", thing)
        };
        // Upper case in front, as people write.
        let mut letters = subject.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        format!("{}{first}{}", if above.is_empty() { "" } else { "Re: " }, letters.as_str())
    }

    /// What a message answers, what that answers, and so on, the nearest first.
    fn above(&self, number: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let mut at = number;
        while found.len() < THREAD_MAX {
            let mut dice = self.dice(at, 3);
            if at == 0 || dice.below(100) >= 45 {
                break;
            }
            at = at.saturating_sub(dice.between(1, at.min(REPLY_REACH)));
            found.push(at);
        }
        found
    }

    fn id(&self, number: u64) -> String {
        let mut dice = self.dice(number, 4);
        format!("<{:016x}.{number}@{}>", dice.next(), dice.pick(DOMAINS))
    }

    fn date(&self, number: u64) -> u64 {
        let step = SPAN.checked_div(self.messages).unwrap_or(0);
        FIRST_DAY.saturating_add(step.saturating_mul(number)).saturating_add(self.dice(number, 5).below(step.max(1)))
    }

    /// The messages with the rare word.
    fn rare(&self) -> [u64; 3] {
        [1, 2, 4].map(|fifths: u64| self.messages.saturating_mul(fifths).saturating_div(5))
    }

    fn dice(&self, number: u64, purpose: u64) -> Dice {
        Dice(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(8).wrapping_add(purpose))
    }
}

/// A sender or receiver; some write more than others.
fn person(dice: &mut Dice) -> (String, String) {
    let (given, given_ascii) = dice.pick(GIVEN);
    let (family, family_ascii) = dice.pick(FAMILY);
    (format!("{given} {family}"), format!("{given_ascii}.{family_ascii}@{}", dice.pick(DOMAINS)))
}

/// About `bytes` of sentences in lines, with the rare word somewhere if there is one.
fn prose(dice: &mut Dice, bytes: usize, kind: Kind, rare: Option<&str>, first: bool, out: &mut String) {
    let _infallible = write!(out, "Hello {},\r\n\r\n", dice.pick(GIVEN).1);
    let mut column = 0_usize;
    let mut word = |out: &mut String, word: &str| {
        let length = word.chars().count();
        if column > 0 {
            if column.saturating_add(length) >= LINE {
                out.push_str("\r\n");
                column = 0;
            } else {
                out.push(' ');
                column = column.saturating_add(1);
            }
        }
        out.push_str(word);
        column = column.saturating_add(length);
    };
    let mut rare = rare;
    while out.len() < bytes {
        let foreign = match kind {
            Kind::Latin1 if dice.below(3) == 0 => Some(LATIN),
            Kind::Quoted if dice.below(4) == 0 => Some(LATIN),
            Kind::Base64 if dice.below(2) == 0 => Some(OTHER),
            _ => None,
        };
        if let Some(sentences) = foreign {
            dice.pick(sentences).split(' ').for_each(|w| word(out, w));
            continue;
        }
        let words = dice.between(5, 14);
        for n in 0..words {
            let plain = dice.pick(WORDS);
            let plain = if n == 1 { rare.take().unwrap_or(plain) } else { plain };
            let mut shown = plain.to_owned();
            if n == 0 {
                let mut letters = plain.chars();
                shown = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default() + letters.as_str();
            }
            if n.saturating_add(1) == words {
                shown.push('.');
            }
            word(out, &shown);
        }
    }
    let _infallible = write!(out, "\r\n\r\nKind regards\r\n{}\r\n", dice.pick(GIVEN).1);
    if !first {
        let _infallible = write!(out, "\r\n> {} {} {}\r\n", dice.pick(WORDS), dice.pick(WORDS), dice.pick(WORDS));
    }
}

fn html(text: &str) -> String {
    let paragraphs = text.replace("\r\n\r\n", "</p>\r\n<p style=\"margin: 0 0 1em 0\">");
    format!(
        "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head>\r\n\
         <body><p style=\"margin: 0 0 1em 0\">{paragraphs}</p><p>&#8212;&nbsp;sent with care&nbsp;\u{2764}</p>\r\n\
         </body></html>\r\n"
    )
}

/// `Sun, 22 Nov 2026 12:00:00 +0000`
fn rfc5322(seconds: u64) -> String {
    shown(seconds, "%a, %d %b %Y %H:%M:%S +0000")
}

/// `22-Nov-2026 12:00:00 +0000`: IMAP's date-time.
pub(crate) fn imap_date(seconds: u64) -> String {
    shown(seconds, "%d-%b-%Y %H:%M:%S +0000")
}

fn shown(seconds: u64, form: &str) -> String {
    let at = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).unwrap_or_default();
    at.strftime(form).to_string()
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// Both ends included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// One of a list that isn't empty.
    fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let at = self.below(u64::try_from(from.len()).unwrap_or(1));
        usize::try_from(at).ok().and_then(|at| from.get(at)).copied().unwrap_or_default()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            chunk.iter_mut().zip(random).for_each(|(byte, r)| *byte = r);
        }
    }
}

#[cfg(test)]
mod tests;
