//! A message on its way through: from its pieces to what is to be verified, from that and the DNS to what it proves.

use super::key::{KeyFault, record};
use super::results::{Arc, Dkim, Results, Told, Verdict};
use aws_lc_rs::digest::{Context, SHA256};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mailward_core::Timestamp;
use mailward_core::limits::{ARC_KEYS_MAX, DKIM_KEYS_TIME, DKIM_SIGNATURES_MAX, HEADER_BYTES_MAX};
use mailward_dns::{Lookup, LookupError, Name};
use mailward_message::arc::{ArcChain, ArcSet, relax_set};
use mailward_message::dkim::{
    ChainStatus, Fields, Form, Kind, RelaxedBody, Scheme, Signature, SignatureFault, SimpleBody, relax_field,
    unsigned_field,
};
use mailward_message::header::{self, Field};
use std::collections::{HashMap, HashSet};
use tokio::time::Instant;

/// A message being read. Holds its header, what is signed of it, and a few kilobytes.
#[derive(Debug)]
pub struct Reading {
    part: Part,
}

enum Part {
    Header(Vec<u8>),
    Body(Box<Body>),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Header(_) => "Header",
            Part::Body(_) => "Body",
        })
    }
}

/// A signature and what it is computed over.
#[derive(Debug)]
struct Due {
    signature: Signature,
    input: Vec<u8>,
}

/// What is to be verified.
struct Body {
    dkim: Vec<Result<Due, SignatureFault>>,
    chain: Chain,
    relaxed: Option<(RelaxedBody, Context)>,
    simple: Option<(SimpleBody, Context)>,
}

/// A chain and what is to be verified of it.
enum Chain {
    /// That it holds or not is known already.
    Known(Arc),
    /// The newest signature of the message, and all seals.
    Sets { message: Box<Due>, seals: Vec<Due>, next: Option<u32>, relaxed: Vec<u8>, results: Vec<Vec<u8>> },
}

impl Default for Reading {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// Before the first piece.
    #[must_use]
    pub const fn new() -> Self {
        Self { part: Part::Header(Vec::new()) }
    }

    /// Takes the next piece of the message as it came, with CRLF line ends, not dot-stuffed.
    pub fn push(&mut self, piece: &[u8]) {
        match &mut self.part {
            Part::Header(seen) => {
                // Where an empty line may begin that this piece ends.
                let from = seen.len().saturating_sub(3);
                // Past the limit nothing is a header any more.
                let room = HEADER_BYTES_MAX.saturating_sub(seen.len());
                let (taken, rest) = piece.split_at(piece.len().min(room));
                seen.extend_from_slice(taken);
                let end = header_end(seen, from);
                if end.is_none() && seen.len() < HEADER_BYTES_MAX {
                    return;
                }
                let (header, first) = seen.split_at_checked(end.unwrap_or(seen.len())).unwrap_or((seen, &[]));
                let mut body = Body::of(header);
                body.take(first);
                body.take(rest);
                self.part = Part::Body(Box::new(body));
            }
            Part::Body(body) => body.take(piece),
        }
    }

    /// Takes the end of the message, and verifies: asks for all keys at once, and waits for them at most
    /// `limits::DKIM_KEYS_TIME`.
    pub async fn verify(self, lookup: &dyn Lookup, now: Timestamp) -> Results {
        let body = match self.part {
            Part::Header(seen) => Box::new(Body::of(&seen)),
            Part::Body(body) => body,
        };
        body.verify(lookup, now).await
    }
}

/// Where the body starts, if the empty line before it has come; it isn't before `from`.
fn header_end(seen: &[u8], from: usize) -> Option<usize> {
    if seen.starts_with(b"\r\n") {
        return Some(2);
    }
    let near = seen.get(from..)?;
    memchr::memmem::find(near, b"\r\n\r\n").map(|at| from.saturating_add(at).saturating_add(4))
}

impl Body {
    fn of(header: &[u8]) -> Self {
        let fields = Fields::of(header);
        let dkim: Vec<Result<Due, SignatureFault>> = header::fields(header)
            .filter(|field| field.is("dkim-signature"))
            .take(DKIM_SIGNATURES_MAX)
            .map(|field| Signature::parse(Kind::Dkim, field.value).map(|s| of_message(header, &fields, &field, s)))
            .collect();
        let chain = Chain::of(header, &fields);
        let of_chain = match &chain {
            Chain::Sets { message, .. } => Some(message.signature.body_form),
            Chain::Known(_) => None,
        };
        let forms = || dkim.iter().flatten().map(|due| due.signature.body_form).chain(of_chain);
        let relaxed = forms().any(|form| form == Form::Relaxed).then(|| (RelaxedBody::new(), Context::new(&SHA256)));
        let simple = forms().any(|form| form == Form::Simple).then(|| (SimpleBody::new(), Context::new(&SHA256)));
        Self { dkim, chain, relaxed, simple }
    }

    fn take(&mut self, piece: &[u8]) {
        if let Some((body, hash)) = &mut self.relaxed {
            body.push(piece, |bytes| hash.update(bytes));
        }
        if let Some((body, hash)) = &mut self.simple {
            body.push(piece, |bytes| hash.update(bytes));
        }
    }

    async fn verify(self, lookup: &dyn Lookup, now: Timestamp) -> Results {
        let Self { dkim, chain, relaxed, simple } = self;
        let relaxed = relaxed.map(|(body, mut hash)| {
            body.finish(|bytes| hash.update(bytes));
            hash.finish()
        });
        let simple = simple.map(|(body, mut hash)| {
            body.finish(|bytes| hash.update(bytes));
            hash.finish()
        });
        let of_chain: Vec<&Signature> = match &chain {
            Chain::Known(_) => Vec::new(),
            Chain::Sets { message, seals, .. } => {
                seals.iter().map(|due| &due.signature).chain([&message.signature]).collect()
            }
        };
        let keys = Keys::ask(lookup, dkim.iter().flatten().map(|due| &due.signature).chain(of_chain)).await;
        let judge = Judge {
            keys,
            relaxed: relaxed.as_ref().map_or(&[], |hash| hash.as_ref()),
            simple: simple.as_ref().map_or(&[], |hash| hash.as_ref()),
            now: u64::try_from(now.secs()).unwrap_or(0),
        };
        Results { dkim: dkim.into_iter().map(|due| judge.dkim(due)).collect(), arc: judge.arc(chain) }
    }
}

/// What a signature of a message is computed over, but for the body.
fn of_message(header: &[u8], fields: &Fields<'_>, field: &Field<'_>, signature: Signature) -> Due {
    let mut input = Vec::new();
    fields.choose(&signature.names, signature.header_form, &mut input);
    unsigned_field(header, field, signature.header_form, &mut input);
    Due { signature, input }
}

impl Chain {
    fn of(header: &[u8], fields: &Fields<'_>) -> Self {
        let chain = ArcChain::of(header);
        let next = chain.next();
        let arc = |status, why: String, highest| Arc {
            status,
            why,
            highest,
            next,
            relaxed: Vec::new(),
            sealer: None,
            told: Vec::new(),
        };
        let known = |status, why: String, highest| Self::Known(arc(status, why, highest));
        let sets = match chain {
            ArcChain::None => return known(ChainStatus::None, String::new(), 0),
            ArcChain::Ended { highest } => {
                return known(ChainStatus::Fail, "it was broken before".to_owned(), highest);
            }
            ArcChain::Broken { highest, why } => return known(ChainStatus::Fail, why.to_string(), highest),
            ArcChain::Sets(sets) => sets,
        };
        let mut relaxed = Vec::new();
        let mut seals = Vec::new();
        let mut results = Vec::new();
        for set in &sets {
            results.push(set.results.value.to_vec());
            seals.push(Due { signature: set.seal_signature.clone(), input: of_seal(header, set, &relaxed) });
            relax_set(header, set, &mut relaxed);
        }
        let Some(last) = sets.last() else { return known(ChainStatus::None, String::new(), 0) };
        let message = Box::new(of_message(header, fields, &last.message, last.message_signature.clone()));
        if keys_of(&seals, &message) > ARC_KEYS_MAX {
            let why = format!("it needs more than {ARC_KEYS_MAX} keys");
            return known(ChainStatus::Fail, why, last.seal_signature.instance);
        }
        Self::Sets { message, seals, next, relaxed, results }
    }
}

/// How many keys a chain needs.
fn keys_of(seals: &[Due], message: &Due) -> usize {
    let all = seals.iter().chain([message]).map(|due| (&due.signature.domain, &due.signature.selector));
    all.collect::<HashSet<_>>().len()
}

/// What a seal is computed over (RFC 8617 §5.1.1).
fn of_seal(header: &[u8], set: &ArcSet<'_>, before: &[u8]) -> Vec<u8> {
    let mut input = before.to_vec();
    for field in [&set.results, &set.message] {
        relax_field(header.get(field.whole.clone()).unwrap_or_default(), &mut input);
        input.extend_from_slice(b"\r\n");
    }
    unsigned_field(header, &set.seal, Form::Relaxed, &mut input);
    input
}

/// Records by name, as the DNS answered.
struct Keys(HashMap<Name, Result<Vec<Vec<u8>>, LookupError>>);

impl Keys {
    async fn ask<'s>(lookup: &dyn Lookup, signatures: impl Iterator<Item = &'s Signature>) -> Self {
        let mut answers = HashMap::new();
        let mut names: Vec<Name> = signatures.filter_map(|signature| name_of(signature).ok()).collect();
        names.sort_unstable();
        names.dedup();
        let mut asking: FuturesUnordered<_> =
            names.iter().map(|name| async move { (name, lookup.txt(name).await.map(|found| found.records)) }).collect();
        let end = Instant::now().checked_add(DKIM_KEYS_TIME).unwrap_or_else(Instant::now);
        while let Ok(Some((name, answer))) = tokio::time::timeout_at(end, asking.next()).await {
            answers.insert(name.clone(), answer);
        }
        Self(answers)
    }
}

fn name_of(signature: &Signature) -> Result<Name, mailward_dns::NameError> {
    Name::under(&format!("{}._domainkey", signature.selector), &signature.domain)
}

/// What signatures are held against.
struct Judge<'a> {
    keys: Keys,
    relaxed: &'a [u8],
    simple: &'a [u8],
    now: u64,
}

/// Smallest signature of an RSA key that is believed, bytes: as long as its modulus (RFC 8301 §3.2).
const RSA_SIGNATURE_MIN: usize = 1_024 / 8;

impl Judge<'_> {
    fn dkim(&self, due: Result<Due, SignatureFault>) -> Dkim {
        let due = match due {
            Ok(due) => due,
            Err(fault) => {
                return Dkim { verdict: Verdict::PermError, why: fault.to_string(), signer: None, mark: String::new() };
            }
        };
        let (verdict, why) = match self.message(&due) {
            // Whoever has the message may put anything behind what is signed (attacks D2).
            Ok(()) if due.signature.partial => (Verdict::Policy, "l= leaves a part of the body unsigned".to_owned()),
            Ok(()) => (Verdict::Pass, String::new()),
            Err(failed) => failed,
        };
        let signature = due.signature;
        Dkim { verdict, why, signer: Some((signature.domain, signature.selector)), mark: signature.mark }
    }

    fn arc(&self, chain: Chain) -> Arc {
        let (message, seals, next, relaxed, results) = match chain {
            Chain::Known(arc) => return arc,
            Chain::Sets { message, seals, next, relaxed, results } => (message, seals, next, relaxed, results),
        };
        let highest = u32::try_from(seals.len()).unwrap_or(u32::MAX);
        let failed = |why| Arc {
            status: ChainStatus::Fail,
            why,
            highest,
            next,
            relaxed: Vec::new(),
            sealer: None,
            told: Vec::new(),
        };
        if message.signature.partial {
            return failed(format!("set {highest}: l= leaves a part of the body unsigned"));
        }
        if let Err((_, why)) = self.message(&message) {
            return failed(format!("set {highest}: {why}"));
        }
        // The newest first: it is the likeliest to be wrong (RFC 8617 §5.2).
        for due in seals.iter().rev() {
            if let Err((_, why)) = self.signed(due) {
                return failed(format!("seal {}: {why}", due.signature.instance));
            }
        }
        let told: Vec<Told> = seals
            .into_iter()
            .zip(results)
            .rev()
            .map(|(due, results)| Told { sealer: due.signature.domain, results })
            .collect();
        let sealer = told.first().map(|told| told.sealer.clone());
        Arc { status: ChainStatus::Pass, why: String::new(), highest, next, relaxed, sealer, told }
    }

    /// A signature of header and body.
    fn message(&self, due: &Due) -> Result<(), (Verdict, String)> {
        if due.signature.expires.is_some_and(|expires| expires < self.now) {
            return Err((Verdict::Fail, "it has expired".to_owned()));
        }
        let body = match due.signature.body_form {
            Form::Relaxed => self.relaxed,
            Form::Simple => self.simple,
        };
        // With `l=` the body may be longer than what was hashed: only that it isn't believed is known of it.
        if !due.signature.partial && due.signature.body_hash != body {
            return Err((Verdict::Fail, "the body isn't the one that was signed".to_owned()));
        }
        self.signed(due)
    }

    /// A signature by the key of its signer.
    fn signed(&self, due: &Due) -> Result<(), (Verdict, String)> {
        let signature = &due.signature;
        let wrong = |why: &str| Err((Verdict::PermError, why.to_owned()));
        if signature.scheme == Scheme::RsaSha256 && signature.signature.len() < RSA_SIGNATURE_MIN {
            return wrong("the key has fewer than 1,024 bits");
        }
        let Ok(name) = name_of(signature) else { return wrong("the key's name can't be asked for") };
        let records = match self.keys.0.get(&name) {
            Some(Ok(records)) => records,
            Some(Err(error)) if !error.is_temporary() => return wrong("there is no key"),
            Some(Err(LookupError::Bogus { .. })) => {
                return Err((Verdict::TempError, "DNSSEC doesn't prove the key".to_owned()));
            }
            Some(Err(_)) | None => return Err((Verdict::TempError, "the key can't be looked up now".to_owned())),
        };
        // Others may have texts of theirs at the name; of several keys the first counts (RFC 6376 §3.6.2.2 has one).
        let mut fault = KeyFault::Syntax;
        for text in records {
            match record(text, signature) {
                Ok(key) if key.verifies(&due.input, &signature.signature) => return Ok(()),
                Ok(_) => return Err((Verdict::Fail, "the signature isn't the key's".to_owned())),
                Err(KeyFault::Syntax) => {}
                Err(other) => fault = other,
            }
        }
        wrong(&fault.to_string())
    }
}
