//! What SEARCH and SORT answer: the plain lists, and ESEARCH (RFC 4731, RFC 5267, RFC 9394).

use super::io::Io;
use super::reply::Stop;
use crate::command::{Partial, SearchReturn};
use crate::respond;
use crate::seq::{ranges_of, write_ordered_set};
use mailward_core::{ModSeq, Uid};
use mailward_store::records::UidRange;

/// A message that a program matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) uid: Uid,
    pub(super) sequence: u32,
    /// Not of a program of nothing but numbers, which isn't asked of the store.
    pub(super) mod_seq: Option<ModSeq>,
}

impl Hit {
    /// What stands for it in an answer.
    pub(super) const fn number(self, uid: bool) -> u32 {
        if uid { self.uid.0 } else { self.sequence }
    }
}

/// What was found, in the order in which it is told.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    /// UIDs are told rather than sequence numbers.
    pub(super) uid: bool,
    /// MODSEQ is told, too (RFC 7162 §3.1.5).
    pub(super) mod_seq: bool,
}

impl Found {
    fn numbers(&self, hits: &[Hit]) -> Vec<u32> {
        hits.iter().map(|hit| hit.number(self.uid)).collect()
    }

    /// Those of a window (RFC 9394 §3.1), in their order.
    fn window(&self, partial: Partial) -> &[Hit] {
        let at = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).min(self.hits.len());
        let (skipped, end) = (at(partial.first.saturating_sub(1)), at(partial.last));
        let window = if partial.from_end {
            self.hits.get(self.hits.len().saturating_sub(end)..self.hits.len().saturating_sub(skipped))
        } else {
            self.hits.get(skipped..end)
        };
        window.unwrap_or_default()
    }

    /// What `$` stands for after it (RFC 5182 §2.4, RFC 9394 §3.2): everything that the answer is about.
    pub(super) fn saved(&self, returns: SearchReturn) -> Vec<UidRange> {
        ranges_of(self.told(returns).into_iter().map(|hit| hit.uid))
    }

    /// The messages that the answer is about.
    fn told(&self, returns: SearchReturn) -> Vec<Hit> {
        if returns.all || returns.count || !(returns.min || returns.max || returns.partial.is_some()) {
            return self.hits.clone();
        }
        let min = self.hits.first().filter(|_| returns.min);
        let max = self.hits.last().filter(|_| returns.max);
        let window = returns.partial.map(|partial| self.window(partial)).unwrap_or_default();
        min.into_iter().chain(max).chain(window).copied().collect()
    }
}

/// The highest of theirs.
fn highest(hits: &[Hit]) -> Option<ModSeq> {
    hits.iter().filter_map(|hit| hit.mod_seq).max()
}

/// `* SEARCH 2 3 6`, or what else the answer is called.
pub(super) async fn write_plain(io: &mut Io, name: &[u8], found: &Found) -> Result<(), Stop> {
    io.out.extend_from_slice(name);
    for number in found.numbers(&found.hits) {
        io.out.push(b' ');
        respond::number(&mut io.out, number.into());
        io.spill().await?;
    }
    if let (true, Some(mod_seq)) = (found.mod_seq, highest(&found.hits)) {
        io.out.extend_from_slice(b" (MODSEQ ");
        respond::number(&mut io.out, mod_seq.0);
        io.out.push(b')');
    }
    io.out.extend_from_slice(b"\r\n");
    Ok(())
}

/// RFC 4731 §3.1, §3.2. The lowest of those found is the first, also where SORT ordered them (RFC 5267 §3.1).
pub(super) fn write_extended(io: &mut Io, found: &Found, returns: SearchReturn, tag: &str) {
    let out = &mut io.out;
    out.extend_from_slice(b"* ESEARCH (TAG ");
    respond::string(out, tag.as_bytes());
    out.push(b')');
    if found.uid {
        out.extend_from_slice(b" UID");
    }
    if let (Some(first), Some(last)) = (found.hits.first(), found.hits.last()) {
        for (name, wanted, hit) in [(" MIN ", returns.min, first), (" MAX ", returns.max, last)] {
            if wanted {
                out.extend_from_slice(name.as_bytes());
                respond::number(out, hit.number(found.uid).into());
            }
        }
    }
    if let Some(partial) = returns.partial {
        write_window(out, found, partial);
    }
    if returns.count {
        out.extend_from_slice(b" COUNT ");
        respond::number(out, u64::try_from(found.hits.len()).unwrap_or(0));
    }
    if returns.all && !found.hits.is_empty() {
        out.extend_from_slice(b" ALL ");
        write_ordered_set(out, &found.numbers(&found.hits));
    }
    if found.mod_seq
        && let Some(mod_seq) = highest(&found.told(returns))
    {
        out.extend_from_slice(b" MODSEQ ");
        respond::number(out, mod_seq.0);
    }
    out.extend_from_slice(b"\r\n");
}

/// ` PARTIAL (-1:-100 23500:24000)`
fn write_window(out: &mut Vec<u8>, found: &Found, partial: Partial) {
    out.extend_from_slice(b" PARTIAL (");
    let sign: &[u8] = if partial.from_end { b"-" } else { b"" };
    out.extend_from_slice(sign);
    respond::number(out, partial.first.into());
    out.push(b':');
    out.extend_from_slice(sign);
    respond::number(out, partial.last.into());
    out.push(b' ');
    match found.window(partial) {
        [] => out.extend_from_slice(b"NIL"),
        hits => write_ordered_set(out, &found.numbers(hits)),
    }
    out.push(b')');
}
