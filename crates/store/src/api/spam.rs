//! What was learned of spam.

use super::Pending;
use crate::records::{Learned, Learning, Learnt, Mark, PendingTokens, SpamOwner, TokenRow};
use mailward_core::AccountId;

/// What was learned of spam, by the server and by each account, and what users said by moving and flagging. The rooms
/// above make tokens and alone interpret them. Every write is durable when it answers.
///
/// An owner of `None` is the server. What an account learned goes with it.
pub trait SpamStore: Send + Sync + 'static {
    /// Learns a message, or with no lesson forgets it. What it was learned as before is taken back in the same commit; learned
    /// twice it counts once. Of more than `limits::SPAM_LEARNED_MAX` messages of an owner the oldest can't be taken back any
    /// more. [`super::StoreError::Limit`] beyond `limits::SPAM_TOKENS_MAX`, [`super::StoreError::NotFound`] if there is no such
    /// account.
    fn learn(&self, learning: Learning) -> Pending<'_, Learnt>;
    /// What a message was learned as.
    fn learned(&self, owner: Option<AccountId>, message: [u8; 32]) -> Pending<'_, Option<Learned>>;

    /// Who learned how much.
    fn spam_owners(&self) -> Pending<'_, Vec<SpamOwner>>;
    /// Tokens after one in the order of their rows, at most `limit` (and never more than `limits::SPAM_PAGE_MAX`), without what is
    /// [`SpamStore::pending_tokens`].
    fn spam_tokens(&self, owner: Option<AccountId>, after: Option<u64>, limit: usize) -> Pending<'_, Vec<TokenRow>>;
    /// What has to be added to them.
    fn pending_tokens(&self, owner: Option<AccountId>) -> Pending<'_, Vec<PendingTokens>>;
    /// Adds what is pending to the tokens, the oldest first, that of at most `limits::SPAM_FOLD_MAX` messages; answers how many
    /// messages' are left. Of a token that nothing is left of, the row goes.
    fn fold_tokens(&self) -> Pending<'_, u64>;
    /// Takes out tokens, at most `limits::SPAM_TOKENS_MAX`: the table is too large.
    fn drop_tokens(&self, owner: Option<AccountId>, tokens: Vec<u64>) -> Pending<'_, ()>;
    /// Takes out everything that somebody learned.
    fn forget_spam(&self, owner: Option<AccountId>) -> Pending<'_, ()>;

    /// What users said and nobody has learned yet, the oldest first, at most `limit` (and never more than
    /// `limits::PAGE_ROWS_MAX`). A change of the shelf `Trained` tells that there is something.
    ///
    /// A message that is moved or copied from elsewhere into a mailbox with the special use `\Junk` is said to be spam, one that
    /// is taken out of it ham, unless it goes to the `\Trash`. A keyword `$Junk` or `Junk` that is set says spam, `$NotJunk` or
    /// `NonJunk` ham; taken away without the other, that they don't say so any more. A delivery says nothing. Beyond
    /// `limits::SPAM_MARKS_MAX` that wait, what is said isn't noted.
    fn spam_marks(&self, limit: usize) -> Pending<'_, Vec<Mark>>;
    /// They are learned.
    fn unmark(&self, marks: Vec<i64>) -> Pending<'_, ()>;
}
