//! What both sides agree on before anything else: version, what the milter may change, which steps it wants to hear of.

use crate::Fault;
use crate::macros::{Asked, Stage};
use crate::packet::{number, texts};
use mailward_core::limits::{MILTER_SYMBOL_MAX, MILTER_SYMBOLS_MAX};

/// The newest version, which is ours; the oldest that we speak is 2.
pub const VERSION: u32 = 6;
const OLDEST: u32 = 2;

/// What a milter may change.
pub mod actions {
    /// Add and insert fields.
    pub const ADD_FIELDS: u32 = 0x1;
    /// Replace the body.
    pub const CHANGE_BODY: u32 = 0x2;
    /// Add recipients.
    pub const ADD_RECIPIENTS: u32 = 0x4;
    /// Take recipients away.
    pub const REMOVE_RECIPIENTS: u32 = 0x8;
    /// Change and take away fields.
    pub const CHANGE_FIELDS: u32 = 0x10;
    /// Quarantine.
    pub const QUARANTINE: u32 = 0x20;
    /// Change the sender.
    pub const CHANGE_SENDER: u32 = 0x40;
    /// Add recipients with ESMTP arguments.
    pub const ADD_RECIPIENTS_WITH: u32 = 0x80;
    /// Choose the macros that it is told.
    pub const CHOOSE_MACROS: u32 = 0x100;
    /// All of them.
    pub const ALL: u32 = 0x1ff;
    /// Those that version 2 knows.
    pub(super) const OLD: u32 = 0x3f;

    /// Each in words.
    const NAMES: [(u32, &str); 9] = [
        (ADD_FIELDS, "add fields"),
        (CHANGE_FIELDS, "change fields"),
        (CHANGE_BODY, "change the body"),
        (ADD_RECIPIENTS, "add recipients"),
        (ADD_RECIPIENTS_WITH, "add recipients with arguments"),
        (REMOVE_RECIPIENTS, "remove recipients"),
        (CHANGE_SENDER, "change the sender"),
        (QUARANTINE, "quarantine"),
        (CHOOSE_MACROS, "choose macros"),
    ];

    /// These in words.
    #[must_use]
    pub fn names(these: u32) -> Vec<&'static str> {
        NAMES.into_iter().filter(|(one, _)| these & one != 0).map(|(_, name)| name).collect()
    }
}

/// What a milter wants to hear of, and answer to.
pub mod steps {
    /// Not the connection.
    pub const NO_CONNECT: u32 = 0x1;
    /// Not the greeting.
    pub const NO_HELLO: u32 = 0x2;
    /// Not the sender.
    pub const NO_MAIL: u32 = 0x4;
    /// Not the recipients.
    pub const NO_RECIPIENTS: u32 = 0x8;
    /// Not the body.
    pub const NO_BODY: u32 = 0x10;
    /// Not the header.
    pub const NO_HEADER: u32 = 0x20;
    /// Not the header's end.
    pub const NO_HEADER_END: u32 = 0x40;
    /// It doesn't answer to fields.
    pub const SILENT_HEADER: u32 = 0x80;
    /// Not commands that nobody knows.
    pub const NO_UNKNOWN: u32 = 0x100;
    /// Not DATA.
    pub const NO_DATA: u32 = 0x200;
    /// It may say that it has heard enough of a kind.
    pub const SKIP: u32 = 0x400;
    /// It wants to hear of recipients that were refused.
    pub const REFUSED_RECIPIENTS: u32 = 0x800;
    /// It doesn't answer to the connection.
    pub const SILENT_CONNECT: u32 = 0x1000;
    /// … to the greeting.
    pub const SILENT_HELLO: u32 = 0x2000;
    /// … to the sender.
    pub const SILENT_MAIL: u32 = 0x4000;
    /// … to recipients.
    pub const SILENT_RECIPIENTS: u32 = 0x8000;
    /// … to DATA.
    pub const SILENT_DATA: u32 = 0x1_0000;
    /// … to commands that nobody knows.
    pub const SILENT_UNKNOWN: u32 = 0x2_0000;
    /// … to the header's end.
    pub const SILENT_HEADER_END: u32 = 0x4_0000;
    /// … to the body.
    pub const SILENT_BODY: u32 = 0x8_0000;
    /// Values of fields with the blank behind the colon, both ways.
    pub const LEADING_BLANK: u32 = 0x10_0000;
    /// Packets of up to 256 KiB.
    pub const PACKETS_256K: u32 = 0x1000_0000;
    /// Packets of up to 1 MiB.
    pub const PACKETS_1M: u32 = 0x2000_0000;
    /// All of them.
    pub const ALL: u32 = 0x301f_ffff;
    /// Those that version 2 knows.
    pub(super) const OLD: u32 = 0x7f;
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// 2 to 6.
    pub version: u32,
    /// [`actions`] that the milter may take.
    pub actions: u32,
    /// [`steps`] of the protocol.
    pub steps: u32,
    /// The macros that it asked for.
    pub asked: Asked,
}

impl Terms {
    /// What we offer: everything.
    #[must_use]
    pub fn offer() -> [u8; 12] {
        let mut offer = [0; 12];
        let numbers = [VERSION, actions::ALL, steps::ALL].map(u32::to_be_bytes);
        offer.iter_mut().zip(numbers.as_flattened()).for_each(|(to, from)| *to = *from);
        offer
    }

    /// Reads what a milter makes of the offer.
    ///
    /// # Errors
    /// [`Fault`]: it can't be read, or wants what wasn't offered.
    pub fn parse(data: &[u8]) -> Result<Self, Fault> {
        let (version, rest) = number(data)?;
        let (wanted, rest) = number(rest)?;
        let (steps, mut rest) = number(rest)?;
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(Fault::Terms("it speaks another version"));
        }
        let (known_actions, known_steps) =
            if version == OLDEST { (actions::OLD, steps::OLD) } else { (actions::ALL, steps::ALL) };
        if wanted & !known_actions != 0 {
            return Err(Fault::Terms("it wants to change what wasn't offered"));
        }
        if steps & !known_steps != 0 {
            return Err(Fault::Terms("it wants steps that weren't offered"));
        }
        let mut asked = Asked::default();
        // A milter that doesn't say that it chooses macros may fill the packet up with anything.
        while wanted & actions::CHOOSE_MACROS != 0 && !rest.is_empty() {
            let (stage, after) = number(rest)?;
            let end = memchr::memchr(0, after).ok_or(Fault::Malformed("a list of macros that no NUL ends"))?;
            let (list, after) = after.split_at_checked(end.saturating_add(1)).unwrap_or((after, &[]));
            rest = after;
            let stage = Stage::of(stage).ok_or(Fault::Terms("it wants macros of a stage that there isn't"))?;
            asked.set(stage, symbols(list)?);
        }
        Ok(Self { version, actions: wanted, steps, asked })
    }

    /// Whether it may change this.
    #[must_use]
    pub const fn may(&self, action: u32) -> bool {
        self.actions & action != 0
    }

    /// Whether this step was agreed.
    #[must_use]
    pub const fn has(&self, step: u32) -> bool {
        self.steps & step != 0
    }

    /// Most bytes behind the letter of a packet that we send.
    #[must_use]
    pub const fn chunk(&self) -> usize {
        if self.has(steps::PACKETS_1M) {
            1024 * 1024 - 1
        } else if self.has(steps::PACKETS_256K) {
            256 * 1024 - 1
        } else {
            // `MILTER_CHUNK_SIZE` of libmilter.
            64 * 1024 - 1
        }
    }
}

/// The names of macros in a list: divided by blanks or commas.
fn symbols(list: &[u8]) -> Result<Vec<String>, Fault> {
    let list = texts(list)?.concat();
    let mut symbols = Vec::new();
    for word in list.split(|byte| byte.is_ascii_whitespace() || *byte == b',').filter(|word| !word.is_empty()) {
        if symbols.len() >= MILTER_SYMBOLS_MAX {
            return Err(Fault::TooMuch("macros that it asks for"));
        }
        // Of other names there is nothing to tell.
        if let Ok(name) = std::str::from_utf8(word)
            && name.len() <= MILTER_SYMBOL_MAX
        {
            symbols.push(name.to_owned());
        }
    }
    Ok(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(version: u32, actions: u32, steps: u32, lists: &[(u32, &[u8])]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [version, actions, steps].into_iter().flat_map(u32::to_be_bytes).collect();
        for (stage, list) in lists {
            bytes.extend(stage.to_be_bytes());
            bytes.extend(*list);
        }
        bytes
    }

    #[test]
    fn the_offer_is_everything_there_is() {
        assert_eq!(Terms::offer(), *b"\0\0\0\x06\0\0\x01\xff\x30\x1f\xff\xff");
        assert!(Terms::parse(&Terms::offer()).is_ok());
    }

    #[test]
    fn a_milter_takes_part_of_the_offer_and_no_more() {
        let terms = Terms::parse(&answer(6, 0x11, steps::NO_BODY, &[])).unwrap();
        assert!(terms.may(actions::ADD_FIELDS) && !terms.may(actions::CHANGE_BODY) && terms.has(steps::NO_BODY));
        assert!(Terms::parse(&answer(2, 0x3f, 0x7f, &[])).is_ok());
        for (version, actions, steps) in
            [(1, 0, 0), (7, 0, 0), (6, 0x200, 0), (6, 0, 0x20_0000), (6, 0, 0x4000_0000), (2, 0x40, 0), (2, 0, 0x80)]
        {
            let refused = Terms::parse(&answer(version, actions, steps, &[]));
            assert!(matches!(refused, Err(Fault::Terms(_))), "{version} {actions} {steps}");
        }
        for length in 0..12 {
            assert!(Terms::parse(&Terms::offer()[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn packets_get_as_large_as_was_agreed() {
        let chunk = |steps: u32| Terms::parse(&answer(6, 0, steps, &[])).unwrap().chunk();
        assert_eq!(chunk(0), 65_535);
        assert_eq!(chunk(steps::PACKETS_256K), 262_143);
        assert_eq!(chunk(steps::PACKETS_1M), 1_048_575);
    }

    #[test]
    fn macros_are_asked_for_by_stage() {
        let lists: &[(u32, &[u8])] = &[(0, b"j {client_addr}\0"), (5, b"i,{msg_id}\0"), (2, b"\0")];
        let terms = Terms::parse(&answer(6, 0x100, 0, lists)).unwrap();
        assert_eq!(terms.asked.names(Stage::Connect), ["j", "{client_addr}"]);
        assert_eq!(terms.asked.names(Stage::End), ["i", "{msg_id}"]);
        assert!(terms.asked.names(Stage::Mail).is_empty(), "none is a choice as well");
        assert!(!terms.asked.names(Stage::Hello).is_empty(), "not chosen: the usual ones");
        for bad in [(9, b"j\0".as_slice()), (0, b"j"), (0, b"")] {
            assert!(Terms::parse(&answer(6, 0x100, 0, &[bad])).is_err());
        }
        assert!(Terms::parse(&answer(6, 0, 0, &[(9, b"j")])).is_ok(), "filling is nobody's business");
    }

    #[test]
    fn macros_are_asked_for_up_to_a_limit() {
        let list = |count: usize| [vec!["j"; count].join(" ").as_bytes(), b"\0"].concat();
        assert!(Terms::parse(&answer(6, 0x100, 0, &[(0, &list(MILTER_SYMBOLS_MAX))])).is_ok());
        assert!(Terms::parse(&answer(6, 0x100, 0, &[(0, &list(MILTER_SYMBOLS_MAX + 1))])).is_err());
        let long = [vec![b'x'; MILTER_SYMBOL_MAX + 1], b" j\0".to_vec()].concat();
        assert_eq!(Terms::parse(&answer(6, 0x100, 0, &[(0, &long)])).unwrap().asked.names(Stage::Connect), ["j"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(terms) = Terms::parse(&bytes) {
                prop_assert!((OLDEST..=VERSION).contains(&terms.version) && terms.actions & !actions::ALL == 0);
            }
        }
    }
}
