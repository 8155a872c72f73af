//! What a client may believe of the mailbox that it has selected, and the truth that it is held against.
//!
//! A [`View`] takes the replies of a session one by one and says at the first that can't be so: a number that means
//! another message than before, an EXPUNGE where none may stand (RFC 9051 §7.5.1, RFC 7162 §3.2.10), flags that are
//! not the message's, a modification sequence out of order.

use std::collections::{BTreeMap, BTreeSet};

pub type FlagSet = BTreeSet<String>;
/// What can't be so.
pub type Contradiction = String;

/// A message as it is.
#[derive(Clone, Debug)]
pub struct Message {
    pub uid: u32,
    pub flags: FlagSet,
    /// The step that changed it last.
    pub changed: usize,
}

/// A mailbox as it is.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    pub messages: Vec<Message>,
    pub last_uid: u32,
    /// The step of its last change, expunges counted.
    pub changed: usize,
    /// Lowest and highest modification sequence told of what a step changed.
    told: BTreeMap<usize, (u64, u64)>,
    /// HIGHESTMODSEQ as told after a step.
    highest: BTreeMap<usize, u64>,
}

impl Mailbox {
    pub fn get(&self, uid: u32) -> Option<&Message> {
        self.messages.iter().find(|message| message.uid == uid)
    }

    pub fn add(&mut self, flags: FlagSet, step: usize) -> u32 {
        self.last_uid += 1;
        self.changed = step;
        self.messages.push(Message { uid: self.last_uid, flags, changed: step });
        self.last_uid
    }

    pub fn remove(&mut self, step: usize, gone: impl Fn(&Message) -> bool) {
        let before = self.messages.len();
        self.messages.retain(|message| !gone(message));
        if self.messages.len() < before {
            self.changed = step;
        }
    }

    /// Changes flags; a change that changes nothing is none.
    pub fn change(&mut self, uid: u32, step: usize, change: impl Fn(&FlagSet) -> FlagSet) {
        let Some(message) = self.messages.iter_mut().find(|message| message.uid == uid) else { return };
        let flags = change(&message.flags);
        if flags != message.flags {
            (message.flags, message.changed) = (flags, step);
            self.changed = step;
        }
    }

    /// Each change has a number above those of all changes before it (RFC 7162 §3.1).
    fn number(&mut self, step: usize, mod_seq: u64) -> Result<(), Contradiction> {
        let before = self.told.range(..step).next_back().map_or(0, |(_, (_, last))| *last);
        let before = self.highest.range(..step).next_back().map_or(before, |(_, highest)| before.max(*highest));
        let after = self.told.range(step + 1..).next().map_or(u64::MAX, |(_, (first, _))| *first);
        if mod_seq <= before || mod_seq >= after {
            return Err(format!("MODSEQ {mod_seq} of step {step} isn't between {before} and {after}"));
        }
        let (first, last) = self.told.entry(step).or_insert((mod_seq, mod_seq));
        (*first, *last) = (mod_seq.min(*first), mod_seq.max(*last));
        Ok(())
    }

    /// HIGHESTMODSEQ rises with every change and with nothing else.
    pub fn highest(&mut self, mod_seq: u64) -> Result<(), Contradiction> {
        let before = self.highest.range(..self.changed).next_back().map_or(0, |(_, last)| *last);
        let told = self.told.values().map(|(_, last)| *last).max().unwrap_or(0);
        let same = *self.highest.entry(self.changed).or_insert(mod_seq);
        if mod_seq <= before || mod_seq < told || mod_seq != same {
            return Err(format!("HIGHESTMODSEQ {mod_seq}, after {before}, MODSEQ {told}, and {same} for the same"));
        }
        Ok(())
    }
}

/// What is being answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// FETCH, STORE or SEARCH by numbers: they stand until it is answered.
    pub holds: bool,
    /// FETCH of FLAGS without MODSEQ: what comes needn't have it.
    pub flags_only: bool,
    /// VANISHED (EARLIER) may come.
    pub earlier: bool,
}

/// A message at its number. Its UID is the truth's: a client that is told another one has been lied to.
#[derive(Clone, Debug)]
pub struct Slot {
    pub uid: u32,
    pub flags: Option<FlagSet>,
    /// Told, with the step of the change it was told of.
    pub mod_seq: Option<(u64, usize)>,
    /// FLAGS came with the command that is being answered.
    pub fresh: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub slots: Vec<Slot>,
    pub condstore: bool,
    pub qresync: bool,
    pub uid_validity: u64,
    /// Told as gone by VANISHED (EARLIER).
    pub earlier: BTreeSet<u32>,
    /// The client's copy of HIGHESTMODSEQ, moved by tagged replies only (RFC 7162 §6).
    pub highest: u64,
    /// EXISTS was told.
    pub counted: bool,
    heard: u64,
    code: Option<u64>,
}

impl View {
    pub fn new(condstore: bool, qresync: bool) -> Self {
        Self { condstore, qresync, ..Self::default() }
    }

    /// Takes one untagged reply.
    pub fn take(&mut self, line: &str, asked: Asked, truth: &mut Mailbox) -> Result<(), Contradiction> {
        self.apply(line, asked, truth).map_err(|why| format!("{line:?}: {why}"))
    }

    fn apply(&mut self, line: &str, asked: Asked, truth: &mut Mailbox) -> Result<(), Contradiction> {
        let rest = line.strip_prefix("* ").ok_or("not an untagged reply")?;
        if let Some(set) = rest.strip_prefix("VANISHED (EARLIER) ") {
            return self.vanished_earlier(&numbers(set), asked);
        }
        if let Some(set) = rest.strip_prefix("VANISHED ") {
            return self.vanished(&numbers(set), asked, truth);
        }
        if let Some(code) = rest.strip_prefix("OK [UIDVALIDITY ") {
            self.uid_validity = leading(code);
        }
        if let Some(code) = rest.strip_prefix("OK [HIGHESTMODSEQ ") {
            self.code = Some(leading(code));
        }
        let (number, what) = rest.split_once(' ').unwrap_or((rest, ""));
        let Ok(number) = number.parse::<usize>() else { return Ok(()) };
        match what.split(' ').next().unwrap_or_default() {
            "EXISTS" => self.exists(number, truth),
            "EXPUNGE" if self.qresync => Err("VANISHED takes its place".to_owned()),
            "EXPUNGE" if asked.holds => Err("numbers stand".to_owned()),
            "EXPUNGE" => self.expunged(number, truth),
            "FETCH" => self.fetched(number, what, asked, truth),
            "RECENT" => Ok(()),
            other => Err(format!("{other} isn't known")),
        }
    }

    /// The tagged reply, which moves HIGHESTMODSEQ.
    pub fn answered(&mut self, tagged: &str) {
        if let Some((_, code)) = tagged.split_once("[HIGHESTMODSEQ ") {
            self.code = Some(leading(code));
        }
        self.highest = self.code.take().unwrap_or(self.highest.max(self.heard));
        self.heard = 0;
    }

    fn exists(&mut self, count: usize, truth: &Mailbox) -> Result<(), Contradiction> {
        if count < self.slots.len() {
            return Err(format!("it has been told of {} messages", self.slots.len()));
        }
        self.counted = true;
        let last = self.slots.last().map_or(0, |slot| slot.uid);
        let new = truth.messages.iter().filter(|message| message.uid > last).map(|message| message.uid);
        self.slots.extend(new.map(|uid| Slot { uid, flags: None, mod_seq: None, fresh: false }));
        if self.slots.len() == count {
            Ok(())
        } else {
            Err(format!("there are {} with the new ones", self.slots.len()))
        }
    }

    fn expunged(&mut self, number: usize, truth: &Mailbox) -> Result<(), Contradiction> {
        if number == 0 || number > self.slots.len() {
            return Err("no such number".to_owned());
        }
        let uid = self.slots.remove(number - 1).uid;
        if truth.get(uid).is_some() { Err(format!("UID {uid} is there")) } else { Ok(()) }
    }

    fn vanished(&mut self, uids: &[u32], asked: Asked, truth: &Mailbox) -> Result<(), Contradiction> {
        if !self.qresync || asked.holds {
            return Err("not here".to_owned());
        }
        for uid in uids {
            let at = self.slots.iter().position(|slot| slot.uid == *uid);
            self.expunged(at.ok_or(format!("UID {uid} isn't counted"))? + 1, truth)?;
        }
        Ok(())
    }

    /// Changes no numbers (RFC 7162 §3.2.10.1): EXISTS, told before, counts what is left.
    fn vanished_earlier(&mut self, uids: &[u32], asked: Asked) -> Result<(), Contradiction> {
        if !asked.earlier {
            return Err("nobody asked".to_owned());
        }
        self.earlier.extend(uids);
        match self.slots.iter().find(|slot| self.earlier.contains(&slot.uid)) {
            Some(slot) => Err(format!("UID {} is there", slot.uid)),
            None => Ok(()),
        }
    }

    fn fetched(&mut self, number: usize, what: &str, asked: Asked, truth: &mut Mailbox) -> Result<(), Contradiction> {
        let slot = number.checked_sub(1).and_then(|at| self.slots.get_mut(at)).ok_or("no such number")?;
        if let Some(uid) = item(what, "UID ") {
            let uid = leading(uid);
            if uid != u64::from(slot.uid) {
                return Err(format!("number {number} is UID {}", slot.uid));
            }
        }
        // What is gone is told of as it was, or not at all.
        let now = truth.get(slot.uid).cloned();
        let flags = item(what, "FLAGS (").map(|list| words(list.split(')').next().unwrap_or_default()));
        if let (Some(flags), Some(now)) = (&flags, &now)
            && *flags != now.flags
        {
            return Err(format!("the flags are {:?}", now.flags));
        }
        let mod_seq = item(what, "MODSEQ (").map(leading);
        if self.condstore && flags.is_some() && mod_seq.is_none() && !asked.flags_only {
            return Err("MODSEQ is missing".to_owned());
        }
        if let (Some(mod_seq), Some(now)) = (mod_seq, &now) {
            truth.number(now.changed, mod_seq)?;
            match slot.mod_seq {
                Some((told, at)) if (told == mod_seq) != (at == now.changed) || told > mod_seq => {
                    return Err(format!("it was {told} at step {at}, and the message changed at step {}", now.changed));
                }
                _ => slot.mod_seq = Some((mod_seq, now.changed)),
            }
            self.heard = self.heard.max(mod_seq);
        }
        if flags.is_some() {
            (slot.flags, slot.fresh) = (flags, true);
        }
        Ok(())
    }

    /// The view is the mailbox, but for what is gone and couldn't be told yet.
    pub fn compare(&self, truth: &Mailbox, holds: bool) -> Result<(), Contradiction> {
        let known: Vec<&Slot> = self.slots.iter().filter(|slot| !holds || truth.get(slot.uid).is_some()).collect();
        let uids = |slots: &[&Slot]| slots.iter().map(|slot| slot.uid).collect::<Vec<_>>();
        let there: Vec<u32> = truth.messages.iter().map(|message| message.uid).collect();
        if uids(&known) != there {
            return Err(format!("the view has UIDs {:?}, the mailbox {there:?}", uids(&known)));
        }
        for (slot, message) in known.iter().zip(&truth.messages) {
            if slot.flags.as_ref().is_some_and(|flags| *flags != message.flags) {
                return Err(format!("UID {} is believed {:?} and is {:?}", slot.uid, slot.flags, message.flags));
            }
            if slot.mod_seq.is_some_and(|(_, step)| step != message.changed) {
                return Err(format!(
                    "UID {} was told {:?} and changed at step {}",
                    slot.uid, slot.mod_seq, message.changed
                ));
            }
        }
        Ok(())
    }
}

/// What stands behind a name in a FETCH.
fn item<'a>(what: &'a str, name: &str) -> Option<&'a str> {
    [format!("({name}"), format!(" {name}")].iter().find_map(|name| what.split_once(name)).map(|(_, rest)| rest)
}

fn leading(text: &str) -> u64 {
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

pub fn words(list: &str) -> FlagSet {
    list.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `1:3,5`
pub fn numbers(set: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let last: String = last.chars().take_while(char::is_ascii_digit).collect();
        first.parse().unwrap_or(0)..=last.parse().unwrap_or(0)
    };
    set.split(',').flat_map(range).collect()
}
