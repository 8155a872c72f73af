//! What can go wrong.

/// Why the vault did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// `HASHES_WAITING_MAX` wait already; temporary.
    #[error("too many password hashes wait; try again in a moment")]
    Busy,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// The hash function refused; out of memory, most likely.
    #[error("the password hash could not be computed; is there memory left?")]
    Hashing,
    /// What the store kept is not a credential of ours.
    #[error("the stored credential is damaged or of another version; set a new password")]
    Damaged,
    /// The cipher refused; should not happen.
    #[error("the cipher failed; is there memory left?")]
    Cipher,
    /// A key pair could not be made or used.
    #[error("the key could not be made or used; is there memory left?")]
    Key,
    /// A stored secret doesn't open.
    #[error(
        "the stored key can't be opened: it is damaged, or DATA/server.secret isn't the file it was sealed with; put \
         that file back, or make a new key"
    )]
    Sealed,
    /// A password that is too long, not UTF-8, or holds control characters.
    #[error("a password is UTF-8 text without control characters")]
    Unfit,
}

/// Why a SCRAM exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not of the grammar.
    #[error("malformed SCRAM message")]
    Malformed,
    /// Of the grammar, but the proof, the nonce or the channel binding is not right. One word for all three.
    #[error("SCRAM refused")]
    Refused,
    /// The operating system gave no randomness.
    #[error("no randomness")]
    Randomness,
}
