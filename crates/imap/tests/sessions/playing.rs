//! The world of the model test: a house, sessions with what they believe, and the mailboxes as they are.

use crate::believing::{Asked, Contradiction, FlagSet, Mailbox, Message, Slot, View, numbers, words};
use crate::harness::{Client, House, mail};
use crate::model::{Lie, Step, Which};

const NAMES: [&str; 2] = ["INBOX", "Other"];
const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "Todo", "$Label1"];

struct Session {
    client: Client,
    /// The mailbox it has selected, and what it was told of it.
    selected: Option<(usize, View)>,
    condstore: bool,
    qresync: bool,
}

pub struct World {
    house: House,
    mailboxes: [Mailbox; 2],
    sessions: Vec<Session>,
    step: usize,
    lie: Option<Lie>,
    /// The lie was told.
    pub told: bool,
}

impl World {
    pub const SESSIONS: usize = 3;

    pub fn offers_qresync(&self) -> bool {
        self.sessions.iter().any(|session| session.qresync)
    }

    pub async fn new(lie: Option<Lie>) -> Self {
        let house = House::new().await;
        let mut first = house.login("alice").await;
        first.ask("CREATE Other").await;
        let mut world =
            World { house, mailboxes: Default::default(), sessions: Vec::new(), step: 0, lie: None, told: false };
        for by in 0..Self::SESSIONS {
            let session = world.enter(by).await;
            world.sessions.push(session);
            world.select(by, 0, None).await.unwrap();
        }
        world.lie = lie;
        world
    }

    /// One session is plain, one knows CONDSTORE, one QRESYNC where it is offered.
    async fn enter(&self, by: usize) -> Session {
        let mut client = self.house.login("alice").await;
        let capable = client.ask("CAPABILITY").await[0].split(' ').any(|word| word == "QRESYNC");
        let (condstore, qresync) = (by > 0, by > 1 && capable);
        if condstore {
            let enabled = client.ask(if qresync { "ENABLE QRESYNC" } else { "ENABLE CONDSTORE" }).await;
            assert!(enabled[0].starts_with("* ENABLED "), "{enabled:?}");
        }
        Session { client, selected: None, condstore, qresync }
    }

    /// One step of one session.
    pub async fn run(&mut self, at: usize, by: usize, step: Step) -> Result<(), Contradiction> {
        self.step = at;
        match step {
            Step::Deliver => {
                let uid = self.house.deliver(None, &mail(&at.to_string(), "x")).await.0;
                expect_uid(uid, self.mailboxes[0].add(FlagSet::new(), at))
            }
            Step::Append { to, flags } => self.append(by, to, flags).await,
            Step::Select { mailbox } => self.select(by, mailbox, None).await,
            Step::Leave => {
                if self.sessions[by].selected.take().is_some() {
                    expect_ok(&self.sessions[by].client.ask("UNSELECT").await)?;
                }
                Ok(())
            }
            Step::Return { tells_known } => self.come_back(by, tells_known).await,
            Step::Noop => self.plain(by, "NOOP").await,
            Step::Idle => self.plain(by, "IDLE\r\nDONE").await,
            Step::Expunge | Step::UidExpunge { .. } => self.expunge(by, step).await,
            Step::Store { uid, which, sign, flags, silent } => {
                let sign = [Sign::Add, Sign::Remove, Sign::Replace][usize::from(sign)];
                self.store(by, uid, which, Change { sign, flags: chosen(flags), silent }).await
            }
            Step::StoreIf { uid, which, flags } => self.store_if(by, uid, which, &chosen(flags)).await,
            Step::Fetch { uid, which } => self.fetch(by, uid, which).await,
            Step::Read { uid, which } => self.read(by, uid, which).await,
            Step::Search { which } => self.search(by, which).await,
            Step::Copy { uid, which, to, remove } => self.copy(by, uid, which, to, remove).await,
        }
    }

    /// The messages that a session means: their UIDs and the set that says so. None if it knows of no message.
    fn meant(&self, by: usize, uid: bool, which: Which) -> Option<(usize, Vec<u32>, String)> {
        let (mailbox, view) = self.sessions[by].selected.as_ref()?;
        if view.slots.is_empty() {
            return None;
        }
        let first = usize::from(which.0) % view.slots.len();
        let slots: Vec<&Slot> = view.slots.iter().skip(first).take(1 + usize::from(which.1) % 4).collect();
        let uids: Vec<u32> = slots.iter().map(|slot| slot.uid).collect();
        let last = first + slots.len();
        let set = if uid { format!("{}:{}", uids[0], uids[uids.len() - 1]) } else { format!("{}:{last}", first + 1) };
        Some((*mailbox, uids, set))
    }

    /// Asks in a session; its own view has to take every reply, some of which may be lies.
    async fn ask(&mut self, by: usize, command: &str) -> Vec<String> {
        let mut lines = self.sessions[by].client.ask(command).await;
        if let Some(lie) = self.lie
            && !self.told
            && let Some((at, false_word)) = lines.iter().enumerate().rev().find_map(|(at, l)| Some((at, lie.tell(l)?)))
            && !(false_word.is_empty() && self.is_no_loss(by, &lines, at))
        {
            self.told = true;
            lines[at] = false_word;
            lines.retain(|line| !line.is_empty());
        }
        lines
    }

    /// Whether a reply may be left out: others tell of the same number, or it is of flags that weren't known before.
    fn is_no_loss(&self, by: usize, lines: &[String], at: usize) -> bool {
        let number = lines[at].split(' ').nth(1);
        let again = lines.iter().enumerate().any(|(other, line)| other != at && line.split(' ').nth(1) == number);
        let uid = lines[at].split_once("UID ").map(|(_, rest)| numbers(rest.split(' ').next().unwrap_or_default())[0]);
        let known = self.sessions[by].selected.iter().flat_map(|(_, view)| &view.slots);
        again || uid.is_some_and(|uid| known.filter(|slot| slot.uid == uid).all(|slot| slot.flags.is_none()))
    }

    /// Gives the replies of a command to the session's view, and holds it against the truth.
    fn take(&mut self, by: usize, lines: &[String], asked: Asked) -> Result<(), Contradiction> {
        let Some((mailbox, view)) = self.sessions[by].selected.as_mut() else { return Ok(()) };
        let truth = &mut self.mailboxes[*mailbox];
        let (tagged, untagged) = lines.split_last().ok_or("no answer")?;
        for line in untagged.iter().filter(|line| line.starts_with("* ")) {
            view.take(line, asked, truth).map_err(|why| format!("{why} of {untagged:?}"))?;
        }
        view.answered(tagged);
        Ok(())
    }

    fn compare(&mut self, by: usize, holds: bool) -> Result<(), Contradiction> {
        let Some((mailbox, view)) = self.sessions[by].selected.as_mut() else { return Ok(()) };
        view.slots.iter_mut().for_each(|slot| slot.fresh = false);
        view.compare(&self.mailboxes[*mailbox], holds)
    }

    async fn plain(&mut self, by: usize, command: &str) -> Result<(), Contradiction> {
        let lines = self.ask(by, command).await;
        expect_ok(&lines)?;
        self.take(by, &lines, Asked::default())?;
        self.compare(by, false)
    }

    async fn append(&mut self, by: usize, to: usize, flags: u8) -> Result<(), Contradiction> {
        let (flags, text) = (chosen(flags), mail(&self.step.to_string(), "x"));
        let command = format!("APPEND {} ({}) {{{}+}}\r\n{text}", NAMES[to], list(&flags), text.len());
        let lines = self.ask(by, &command).await;
        expect_ok(&lines)?;
        let uid = self.mailboxes[to].add(flags, self.step);
        let told = lines.last().and_then(|tagged| tagged.split_once(']')).and_then(|(code, _)| code.rsplit_once(' '));
        expect_uid(told.map_or(0, |(_, told)| numbers(told)[0]), uid)?;
        self.take(by, &lines, Asked::default())?;
        self.compare(by, false)
    }

    async fn store(&mut self, by: usize, uid: bool, which: Which, change: Change) -> Result<(), Contradiction> {
        let Some((mailbox, uids, set)) = self.meant(by, uid, which) else { return self.plain(by, "NOOP").await };
        let command = format!("{}STORE {set} {}", if uid { "UID " } else { "" }, change.words());
        let lines = self.ask(by, &command).await;
        let missing = uids.iter().any(|uid| self.mailboxes[mailbox].get(*uid).is_none());
        expect_done(&lines, missing && !uid)?;
        for uid in &uids {
            self.mailboxes[mailbox].change(*uid, self.step, |flags| change.of(flags));
        }
        let holds = !uid;
        self.take(by, &lines, Asked { holds, ..Asked::default() })?;
        self.answered_for(by, &uids, Some(&change))?;
        self.compare(by, holds)
    }

    /// Every message that is there was told of; of a silent change, the client knows what it did.
    fn answered_for(&mut self, by: usize, uids: &[u32], change: Option<&Change>) -> Result<(), Contradiction> {
        let Some((mailbox, view)) = self.sessions[by].selected.as_mut() else { return Ok(()) };
        let truth = &self.mailboxes[*mailbox];
        for slot in view.slots.iter_mut().filter(|slot| uids.contains(&slot.uid) && !slot.fresh) {
            match change {
                Some(change) if change.silent => slot.flags = slot.flags.as_ref().map(|flags| change.of(flags)),
                _ if truth.get(slot.uid).is_some() => return Err(format!("UID {} wasn't told of", slot.uid)),
                _ => {}
            }
        }
        Ok(())
    }

    /// RFC 7162 §3.1.3: what others changed since it was told stays as it is.
    async fn store_if(&mut self, by: usize, uid: bool, which: Which, flags: &FlagSet) -> Result<(), Contradiction> {
        let which = (which.0, 0);
        let Some((mailbox, uids, set)) = self.meant(by, uid, which) else { return self.plain(by, "NOOP").await };
        let view = self.sessions[by].selected.as_ref().map(|(_, view)| view);
        let known = view.and_then(|view| view.slots.iter().find(|slot| slot.uid == uids[0])?.mod_seq);
        let Some((since, at)) = known else { return self.plain(by, "NOOP").await };
        let command =
            format!("{}STORE {set} (UNCHANGEDSINCE {since}) +FLAGS ({})", if uid { "UID " } else { "" }, list(flags));
        let lines = self.ask(by, &command).await;
        let now = self.mailboxes[mailbox].get(uids[0]).map(|message| message.changed);
        expect_done(&lines, now.is_none() && !uid)?;
        let modified = lines.last().is_some_and(|tagged| tagged.contains("[MODIFIED "));
        if modified != now.is_some_and(|changed| changed > at) {
            return Err(format!("told at step {at}, changed at {now:?}, answered {:?}", lines.last()));
        }
        if !modified {
            let change = Change { sign: Sign::Add, flags: flags.clone(), silent: false };
            self.mailboxes[mailbox].change(uids[0], self.step, |flags| change.of(flags));
        }
        self.take(by, &lines, Asked { holds: !uid, ..Asked::default() })?;
        self.answered_for(by, if modified { &[] } else { &uids }, None)?;
        self.compare(by, !uid)
    }

    async fn fetch(&mut self, by: usize, uid: bool, which: Which) -> Result<(), Contradiction> {
        let Some((mailbox, uids, set)) = self.meant(by, uid, which) else { return self.plain(by, "NOOP").await };
        let flags_only = which.1.is_multiple_of(2) || !self.sessions[by].condstore;
        let items = if flags_only { "(FLAGS)" } else { "(UID FLAGS MODSEQ)" };
        let lines = self.ask(by, &format!("{}FETCH {set} {items}", if uid { "UID " } else { "" })).await;
        let missing = uids.iter().any(|uid| self.mailboxes[mailbox].get(*uid).is_none());
        expect_done(&lines, missing && !uid)?;
        self.take(by, &lines, Asked { holds: !uid, flags_only, ..Asked::default() })?;
        self.answered_for(by, &uids, None)?;
        self.compare(by, !uid)
    }

    /// Reading marks as seen.
    async fn read(&mut self, by: usize, uid: bool, which: Which) -> Result<(), Contradiction> {
        let Some((mailbox, uids, set)) = self.meant(by, uid, which) else { return self.plain(by, "NOOP").await };
        let lines = self.ask(by, &format!("{}FETCH {set} BODY[TEXT]", if uid { "UID " } else { "" })).await;
        let missing = uids.iter().any(|uid| self.mailboxes[mailbox].get(*uid).is_none());
        expect_done(&lines, missing && !uid)?;
        let seen = Change { sign: Sign::Add, flags: words("\\Seen"), silent: false };
        for uid in &uids {
            self.mailboxes[mailbox].change(*uid, self.step, |flags| seen.of(flags));
        }
        self.take(by, &lines, Asked { holds: !uid, ..Asked::default() })?;
        self.compare(by, !uid)
    }

    async fn search(&mut self, by: usize, which: Which) -> Result<(), Contradiction> {
        let Some((mailbox, _, set)) = self.meant(by, false, which) else { return self.plain(by, "NOOP").await };
        let lines = self.ask(by, &format!("SEARCH {set} UNKEYWORD Todo")).await;
        expect_ok(&lines)?;
        let found = lines.iter().find_map(|line| line.strip_prefix("* SEARCH")).ok_or("no answer")?;
        let found: Vec<u32> = found.split_whitespace().map(|number| numbers(number)[0]).collect();
        let Some((_, view)) = self.sessions[by].selected.as_ref() else { return Ok(()) };
        for (slot, number) in view.slots.iter().zip(1..) {
            // What is gone and couldn't be told may be found or not.
            let Some(message) = self.mailboxes[mailbox].get(slot.uid) else { continue };
            let wanted = numbers(&set).contains(&number) && !message.flags.contains("Todo");
            if found.contains(&number) != wanted {
                return Err(format!("SEARCH found {found:?}; number {number} is {message:?}"));
            }
        }
        self.take(by, &lines, Asked { holds: true, ..Asked::default() })?;
        self.compare(by, true)
    }

    async fn expunge(&mut self, by: usize, step: Step) -> Result<(), Contradiction> {
        let Some((mailbox, _)) = &self.sessions[by].selected else { return Ok(()) };
        let mailbox = *mailbox;
        let (uids, command) = match step {
            Step::UidExpunge { which } => match self.meant(by, true, which) {
                Some((_, uids, set)) => (uids, format!("UID EXPUNGE {set}")),
                None => return self.plain(by, "NOOP").await,
            },
            // All that is marked goes, also what this session hasn't been told of.
            _ => (self.mailboxes[mailbox].messages.iter().map(|message| message.uid).collect(), "EXPUNGE".to_owned()),
        };
        let lines = self.ask(by, &command).await;
        expect_ok(&lines)?;
        let marked = |message: &Message| message.flags.contains("\\Deleted") && uids.contains(&message.uid);
        self.mailboxes[mailbox].remove(self.step, marked);
        self.take(by, &lines, Asked::default())?;
        self.compare(by, false)
    }

    async fn copy(&mut self, by: usize, uid: bool, which: Which, to: usize, remove: bool) -> Result<(), Contradiction> {
        let Some((mailbox, uids, set)) = self.meant(by, uid, which) else { return self.plain(by, "NOOP").await };
        let verb = if remove { "MOVE" } else { "COPY" };
        let lines = self.ask(by, &format!("{}{verb} {set} {}", if uid { "UID " } else { "" }, NAMES[to])).await;
        let there: Vec<(u32, FlagSet)> = uids
            .iter()
            .filter_map(|uid| self.mailboxes[mailbox].get(*uid).map(|message| (*uid, message.flags.clone())))
            .collect();
        expect_done(&lines, there.len() < uids.len())?;
        let code = lines.iter().find_map(|line| line.split_once("[COPYUID ")).map(|(_, code)| code);
        if let Some(code) = code {
            let sets: Vec<&str> = code.split([' ', ']']).collect();
            let copies: Vec<u32> =
                there.iter().map(|(_, flags)| self.mailboxes[to].add(flags.clone(), self.step)).collect();
            let sources: Vec<u32> = there.iter().map(|(uid, _)| *uid).collect();
            if (numbers(sets[1]), numbers(sets[2])) != (sources.clone(), copies.clone()) {
                return Err(format!("COPYUID {code:?} isn't {sources:?} to {copies:?}"));
            }
            if remove {
                self.mailboxes[mailbox].remove(self.step, |message| sources.contains(&message.uid));
            }
        } else if there.len() == uids.len() {
            return Err("no COPYUID".to_owned());
        }
        self.take(by, &lines, Asked::default())?;
        self.compare(by, false)
    }

    async fn select(&mut self, by: usize, mailbox: usize, kept: Option<(View, bool)>) -> Result<(), Contradiction> {
        let session = &self.sessions[by];
        let view = View::new(session.condstore, session.qresync);
        let mut command = format!("SELECT {}", NAMES[mailbox]);
        if let Some((kept, tells_known)) = &kept {
            command.push_str(&format!(" (QRESYNC ({} {}", kept.uid_validity, kept.highest));
            let uids: Vec<String> = kept.slots.iter().map(|slot| slot.uid.to_string()).collect();
            if *tells_known && !uids.is_empty() {
                command.push_str(&format!(" {}", uids.join(",")));
            }
            command.push_str("))");
        }
        let mut lines = self.ask(by, &command).await;
        expect_ok(&lines)?;
        // What was open before is told of until it is closed.
        if let Some(closed) = lines.iter().position(|line| line.starts_with("* OK [CLOSED]")) {
            lines.drain(..=closed);
        } else if self.sessions[by].selected.is_some() {
            return Err("no CLOSED".to_owned());
        }
        self.sessions[by].selected = Some((mailbox, view));
        self.take(by, &lines, Asked { earlier: kept.is_some(), ..Asked::default() })?;
        if let Some((kept, tells_known)) = kept {
            self.remember(by, &kept, tells_known)?;
        }
        let Some((_, view)) = self.sessions[by].selected.as_ref() else { return Ok(()) };
        if !view.counted {
            return Err("no EXISTS".to_owned());
        }
        self.mailboxes[mailbox].highest(view.highest)?;
        self.compare(by, false)
    }

    /// Puts what was kept beside what was told since.
    fn remember(&mut self, by: usize, kept: &View, tells_known: bool) -> Result<(), Contradiction> {
        let Some((mailbox, view)) = self.sessions[by].selected.as_mut() else { return Ok(()) };
        for old in &kept.slots {
            match view.slots.iter_mut().find(|slot| slot.uid == old.uid) {
                Some(slot) if !slot.fresh => (slot.flags, slot.mod_seq) = (old.flags.clone(), old.mod_seq),
                Some(_) => {}
                None if view.earlier.contains(&old.uid) => {}
                None => return Err(format!("UID {} is gone, and nobody said so", old.uid)),
            }
        }
        let new = view.slots.iter().find(|slot| kept.slots.iter().all(|old| old.uid != slot.uid) && !slot.fresh);
        match new {
            Some(slot) if !tells_known => Err(format!("UID {} of mailbox {mailbox} is new and wasn't told", slot.uid)),
            _ => Ok(()),
        }
    }

    async fn come_back(&mut self, by: usize, tells_known: bool) -> Result<(), Contradiction> {
        let Some((mailbox, view)) = self.sessions[by].selected.take() else { return Ok(()) };
        self.sessions[by] = self.enter(by).await;
        let kept = self.sessions[by].qresync.then_some((view, tells_known));
        self.select(by, mailbox, kept).await
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Add,
    Remove,
    Replace,
}

struct Change {
    sign: Sign,
    flags: FlagSet,
    silent: bool,
}

impl Change {
    fn of(&self, before: &FlagSet) -> FlagSet {
        match self.sign {
            Sign::Add => before | &self.flags,
            Sign::Remove => before - &self.flags,
            Sign::Replace => self.flags.clone(),
        }
    }

    fn words(&self) -> String {
        let sign = ["+", "-", ""][self.sign as usize];
        format!("{sign}FLAGS{} ({})", if self.silent { ".SILENT" } else { "" }, list(&self.flags))
    }
}

fn chosen(bits: u8) -> FlagSet {
    FLAGS.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, flag)| (*flag).to_owned()).collect()
}

fn list(flags: &FlagSet) -> String {
    flags.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn expect_uid(told: u32, wanted: u32) -> Result<(), Contradiction> {
    if told == wanted { Ok(()) } else { Err(format!("the new UID is {told} and should be {wanted}")) }
}

fn expect_ok(lines: &[String]) -> Result<(), Contradiction> {
    expect_done(lines, false)
}

/// OK, or NO because messages are gone where they may be.
fn expect_done(lines: &[String], gone: bool) -> Result<(), Contradiction> {
    match lines.last() {
        Some(tagged) if tagged.starts_with("OK ") => Ok(()),
        Some(tagged) if gone && tagged.starts_with("NO [EXPUNGEISSUED]") => Ok(()),
        other => Err(format!("answered {other:?}")),
    }
}
