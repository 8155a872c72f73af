//! Tokens as numbers: SipHash-1-3 with a key of the server's, so that nobody outside can write words that meet others'.

use mailward_core::Secret;
use mailward_vault::{SourceKey, VaultError};

/// The key that words become numbers with. What was learned with one means nothing with another.
#[derive(Clone)]
pub struct TokenKey {
    left: u64,
    right: u64,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// From the server's secret.
    ///
    /// # Errors
    /// If no key can be made from it.
    pub fn new(server: &Secret) -> Result<Self, VaultError> {
        let key = SourceKey::new(server, "spam tokens")?;
        Ok(Self { left: key.number(b"left"), right: key.number(b"right") })
    }

    /// For counting without a store: an evaluation, a test.
    #[must_use]
    pub const fn fixed() -> Self {
        Self { left: 0x6d61_696c_7761_7264, right: 0x746f_6b65_6e73_2e2e }
    }

    /// The number of something of a kind.
    pub(super) fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut state = State {
            a: self.left ^ 0x736f_6d65_7073_6575,
            b: self.right ^ 0x646f_7261_6e64_6f6d,
            c: self.left ^ 0x6c79_6765_6e65_7261,
            d: self.right ^ 0x7465_6462_7974_6573 ^ u64::from(kind),
        };
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state.take(u64::from_le_bytes(*word));
        }
        let mut last = [0u8; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        last[7] = u8::try_from(bytes.len() & 0xff).unwrap_or_default();
        state.take(u64::from_le_bytes(last));
        state.c ^= 0xff;
        (0..3).for_each(|_| state.round());
        state.a ^ state.b ^ state.c ^ state.d
    }

    /// The number of two that stand near each other. Both are secret already: mixing them is enough.
    pub(super) const fn pair(first: u64, second: u64, distance: u32) -> u64 {
        let mixed = first.rotate_left(17).wrapping_add(second ^ (distance as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 29)
    }
}

struct State {
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

impl State {
    const fn take(&mut self, word: u64) {
        self.d ^= word;
        self.round();
        self.a ^= word;
    }
    const fn round(&mut self) {
        self.a = self.a.wrapping_add(self.b);
        self.b = self.b.rotate_left(13) ^ self.a;
        self.a = self.a.rotate_left(32);
        self.c = self.c.wrapping_add(self.d);
        self.d = self.d.rotate_left(16) ^ self.c;
        self.a = self.a.wrapping_add(self.d);
        self.d = self.d.rotate_left(21) ^ self.a;
        self.c = self.c.wrapping_add(self.b);
        self.b = self.b.rotate_left(17) ^ self.c;
        self.c = self.c.rotate_left(32);
    }
}
