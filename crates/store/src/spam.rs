//! What was learned of spam: rows.

mod marks;

pub(crate) use marks::{Words, flagged, moved};

use crate::api::{Pending, SpamStore, StoreError};
use crate::local::LocalStore;
use crate::records::{Learned, Learning, Learnt, Lesson, Mark, PendingTokens, SpamOwner, TokenRow};
use crate::tx::{Tx, unsigned};
use mailward_core::limits::{PAGE_ROWS_MAX, SPAM_FOLD_MAX, SPAM_LEARNED_MAX, SPAM_PAGE_MAX, SPAM_TOKENS_MAX};
use mailward_core::{AccountId, Timestamp};
use rusqlite::{Row, params};
use std::collections::BTreeMap;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// As the tables name it: no account is 0.
fn key(owner: Option<AccountId>) -> i64 {
    owner.map_or(0, |account| account.0)
}

/// Bits stay bits: SQLite's numbers have a sign.
const fn row_of(token: u64) -> i64 {
    token.cast_signed()
}

fn lesson(spam: bool) -> Lesson {
    if spam { Lesson::Spam } else { Lesson::Ham }
}

impl SpamStore for LocalStore {
    fn learn(&self, learning: Learning) -> Pending<'_, Learnt> {
        self.change(move |tx| learn(tx, &learning))
    }

    fn learned(&self, owner: Option<AccountId>, message: [u8; 32]) -> Pending<'_, Option<Learned>> {
        self.ask(move |reader| reader.row(LEARNED, params![key(owner), message], learned))
    }

    fn spam_owners(&self) -> Pending<'_, Vec<SpamOwner>> {
        self.ask(|reader| {
            reader.rows("SELECT owner, spam, ham FROM spam_owners ORDER BY owner", [], |row| {
                let owner: i64 = row.get(0)?;
                Ok(SpamOwner {
                    owner: (owner != 0).then_some(AccountId(owner)),
                    spam: unsigned(row.get(1)?),
                    ham: unsigned(row.get(2)?),
                })
            })
        })
    }

    fn spam_tokens(&self, owner: Option<AccountId>, after: Option<u64>, limit: usize) -> Pending<'_, Vec<TokenRow>> {
        let limit = i64::try_from(limit.min(SPAM_PAGE_MAX)).unwrap_or(i64::MAX);
        self.ask(move |reader| match after {
            Some(after) => reader.rows(TOKENS_AFTER, params![key(owner), row_of(after), limit], token),
            None => reader.rows(TOKENS, params![key(owner), limit], token),
        })
    }

    fn pending_tokens(&self, owner: Option<AccountId>) -> Pending<'_, Vec<PendingTokens>> {
        self.ask(move |reader| {
            let rows = reader.rows(
                "SELECT owner, spam, ham, weight, day, tokens, id FROM spam_pending WHERE owner = ?1 ORDER BY id",
                params![key(owner)],
                pending,
            )?;
            Ok(rows.into_iter().map(|(_, _, pending)| pending).collect())
        })
    }

    fn fold_tokens(&self) -> Pending<'_, u64> {
        self.change(fold)
    }

    fn drop_tokens(&self, owner: Option<AccountId>, tokens: Vec<u64>) -> Pending<'_, ()> {
        self.change(move |tx| {
            if tokens.len() > SPAM_TOKENS_MAX {
                return Err(StoreError::Limit("tokens of spam in one commit"));
            }
            for token in tokens {
                tx.execute(
                    "DELETE FROM spam_tokens WHERE owner = ?1 AND token = ?2",
                    params![key(owner), row_of(token)],
                )?;
            }
            Ok(())
        })
    }

    fn forget_spam(&self, owner: Option<AccountId>) -> Pending<'_, ()> {
        self.change(move |tx| forget_all(tx, key(owner)))
    }

    fn spam_marks(&self, limit: usize) -> Pending<'_, Vec<Mark>> {
        let limit = i64::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or(i64::MAX);
        self.ask(move |reader| reader.rows(marks::MARKS, params![limit], marks::mark))
    }

    fn unmark(&self, marks: Vec<i64>) -> Pending<'_, ()> {
        self.change(move |tx| {
            for mark in marks {
                tx.execute("DELETE FROM spam_marks WHERE id = ?1", params![mark])?;
            }
            Ok(())
        })
    }
}

const LEARNED: &str = "SELECT spam, weight, at FROM spam_learned WHERE owner = ?1 AND message = ?2";
const TOKENS: &str = "SELECT token, spam, ham, weight, seen FROM spam_tokens WHERE owner = ?1 ORDER BY token LIMIT ?2";
const TOKENS_AFTER: &str =
    "SELECT token, spam, ham, weight, seen FROM spam_tokens WHERE owner = ?1 AND token > ?2 ORDER BY token LIMIT ?3";

fn learned(row: &Row<'_>) -> rusqlite::Result<Learned> {
    Ok(Learned { lesson: lesson(row.get(0)?), weight: row.get(1)?, at: Timestamp(row.get(2)?) })
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        token: row.get::<_, i64>(0)?.cast_unsigned(),
        spam: row.get(1)?,
        ham: row.get(2)?,
        weight: row.get(3)?,
        seen: row.get(4)?,
    })
}

fn pending(row: &Row<'_>) -> rusqlite::Result<(i64, i64, PendingTokens)> {
    let bytes: Vec<u8> = row.get(5)?;
    let (tokens, _) = bytes.as_chunks::<8>();
    let tokens = tokens.iter().map(|token| u64::from_le_bytes(*token)).collect();
    let pending = PendingTokens { spam: row.get(1)?, ham: row.get(2)?, weight: row.get(3)?, day: row.get(4)?, tokens };
    Ok((row.get(6)?, row.get(0)?, pending))
}

fn learn(tx: &mut Tx<'_>, learning: &Learning) -> Result<Learnt, StoreError> {
    if learning.tokens.len() > SPAM_TOKENS_MAX {
        return Err(StoreError::Limit("tokens of one message"));
    }
    let owner = key(learning.owner);
    if let Some(account) = learning.owner {
        tx.row("SELECT 1 FROM accounts WHERE id = ?1", params![account.0], |_| Ok(()))?
            .ok_or(StoreError::NotFound("account"))?;
    }
    let before = tx.row(LEARNED, params![owner, learning.message], learned)?;
    if before.map(|before| before.lesson) == learning.lesson {
        return Ok(Learnt::Already);
    }
    let count = |which: Lesson, lesson: Option<Lesson>| i32::from(lesson == Some(which));
    let change = |which| count(which, learning.lesson).saturating_sub(count(which, before.map(|one| one.lesson)));
    let (spam, ham) = (change(Lesson::Spam), change(Lesson::Ham));
    let now = if learning.lesson.is_some() { learning.weight } else { 0 };
    let weight = now.saturating_sub(before.map_or(0, |before| before.weight));
    match learning.lesson {
        Some(lesson) => tx.execute(
            "INSERT OR REPLACE INTO spam_learned (owner, message, spam, weight, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![owner, learning.message, lesson == Lesson::Spam, learning.weight, tx.now.0],
        )?,
        None => {
            tx.execute("DELETE FROM spam_learned WHERE owner = ?1 AND message = ?2", params![owner, learning.message])?
        }
    };
    tx.execute(
        "INSERT INTO spam_owners (owner, spam, ham) VALUES (?1, max(?2, 0), max(?3, 0))
         ON CONFLICT (owner) DO UPDATE SET spam = max(spam + ?2, 0), ham = max(ham + ?3, 0)",
        params![owner, spam, ham],
    )?;
    let bytes: Vec<u8> = learning.tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
    tx.execute(
        "INSERT INTO spam_pending (owner, spam, ham, weight, day, tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![owner, spam, ham, weight, tx.now.0.div_euclid(DAY), bytes],
    )?;
    // Two go for one that comes: the table shrinks to its limit, in steps.
    let most = i64::try_from(SPAM_LEARNED_MAX).unwrap_or(i64::MAX);
    tx.execute(
        "DELETE FROM spam_learned WHERE owner = ?1 AND message IN (
             SELECT message FROM spam_learned WHERE owner = ?1
             AND (SELECT spam + ham FROM spam_owners WHERE owner = ?1) > ?2
             AND (SELECT count(*) FROM spam_learned WHERE owner = ?1) > ?2 ORDER BY at LIMIT 2)",
        params![owner, most],
    )?;
    Ok(Learnt::Changed { spam, ham, weight })
}

/// What is added to one token, together.
#[derive(Clone, Copy, Default)]
struct Sum {
    spam: i64,
    ham: i64,
    weight: i64,
    day: u32,
}

fn fold(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let limit = i64::try_from(SPAM_FOLD_MAX).unwrap_or(i64::MAX);
    let rows = tx.rows(
        "SELECT owner, spam, ham, weight, day, tokens, id FROM spam_pending ORDER BY id LIMIT ?1",
        params![limit],
        pending,
    )?;
    // In the order of the rows: neighbours are on one page.
    let mut sums: BTreeMap<(i64, i64), Sum> = BTreeMap::new();
    for (id, owner, pending) in rows {
        for token in pending.tokens {
            let sum = sums.entry((owner, row_of(token))).or_default();
            sum.spam = sum.spam.saturating_add(i64::from(pending.spam));
            sum.ham = sum.ham.saturating_add(i64::from(pending.ham));
            sum.weight = sum.weight.saturating_add(i64::from(pending.weight));
            sum.day = sum.day.max(pending.day);
        }
        tx.execute("DELETE FROM spam_pending WHERE id = ?1", params![id])?;
    }
    for ((owner, token), sum) in sums {
        if (sum.spam, sum.ham, sum.weight) == (0, 0, 0) {
            continue;
        }
        let most = i64::from(u32::MAX);
        let known = tx.row(
            "SELECT token, spam, ham, weight, seen FROM spam_tokens WHERE owner = ?1 AND token = ?2",
            params![owner, token],
            self::token,
        )?;
        let known = known.unwrap_or_default();
        let spam = i64::from(known.spam).saturating_add(sum.spam).clamp(0, most);
        let ham = i64::from(known.ham).saturating_add(sum.ham).clamp(0, most);
        let weight = i64::from(known.weight).saturating_add(sum.weight);
        let weight = weight.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        if spam == 0 && ham == 0 {
            tx.execute("DELETE FROM spam_tokens WHERE owner = ?1 AND token = ?2", params![owner, token])?;
        } else {
            tx.execute(
                "INSERT OR REPLACE INTO spam_tokens (owner, token, spam, ham, weight, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![owner, token, spam, ham, weight, sum.day.max(known.seen)],
            )?;
        }
    }
    let left = tx.row("SELECT count(*) FROM spam_pending", [], |row| row.get(0))?;
    Ok(unsigned(left.unwrap_or(0)))
}

/// An account goes, and what it learned.
pub(crate) fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM spam_marks WHERE account = ?1", params![account.0])?;
    forget_all(tx, account.0)
}

fn forget_all(tx: &mut Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM spam_tokens WHERE owner = ?1", params![owner])?;
    tx.execute("DELETE FROM spam_pending WHERE owner = ?1", params![owner])?;
    tx.execute("DELETE FROM spam_learned WHERE owner = ?1", params![owner])?;
    tx.execute("DELETE FROM spam_owners WHERE owner = ?1", params![owner])?;
    Ok(())
}
