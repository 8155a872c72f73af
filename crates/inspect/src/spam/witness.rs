//! Who in a message says something. Each is heard by itself: a long text would drown the header otherwise, and whoever writes good
//! words into one place would buy the others with them.

/// Where a token stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Witness {
    /// Everything that the others aren't; only its weights are heard.
    Rest,
    /// The subject.
    Subject,
    /// Names and addresses of who wrote it.
    Author,
    /// In which order fields of the header stand.
    Order,
    /// Hosts and networks that it came through.
    Route,
    /// How fields of the header are written.
    Shape,
    /// Words of its texts.
    Text,
    /// Where its links lead.
    Links,
}

/// How many there are.
pub(super) const WITNESSES: usize = 8;
/// Where a token tells whose it is: three bits that the table's places don't depend on.
const BITS_AT: u32 = 48;
const BITS: u64 = 0b111 << BITS_AT;

impl Witness {
    /// A token, as one of its own.
    pub(super) const fn sign(self, token: u64) -> u64 {
        (token & !BITS) | (self as u64) << BITS_AT
    }

    /// The place of a token's witness among [`WITNESSES`].
    pub(super) fn place_of(token: u64) -> usize {
        usize::try_from((token & BITS) >> BITS_AT).unwrap_or(0)
    }
}
