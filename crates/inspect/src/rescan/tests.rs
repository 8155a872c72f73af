//! Stored mail, an engine that this test plays, and a server that is killed.

use super::*;
use crate::antivirus::tests::clamd::{command, honest, message};
use crate::antivirus::tests::{BAD, is_bad, played};
use crate::policy::{Dictionaries, Rulebook};
use crate::quarantine::Note;
use crate::spam::{Spam, SpamParts, token_key};
use bytes::Bytes;
use mailward_core::config::{self, Config, EngineLine};
use mailward_core::limits::{RESCAN_NAMES_MAX, RESCAN_PAGE};
use mailward_core::{
    BlobId, MailboxId, MailboxName, QuarantineId, Secret, ShutdownTrigger, SystemClock, Uid, shutdown,
};
use mailward_message::Structure;
use mailward_scan::pool::{Launch, Launched};
use mailward_scan::worker::{Hello, hello, serve};
use mailward_scan::{Contents, Pool, Shown};
use mailward_store::records::{
    Accepted, AccountChange, Content, Destination, DomainChange, DomainRecord, Flags, KeptFor, NewMessage, Quarantined,
    ShelfChange, UidRange,
};
use mailward_store::{DirectoryStore as _, LocalStore, Options};
use std::future::Future;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A worker that finds nothing.
struct Blind;

impl Launch for Blind {
    fn launch(&self) -> std::io::Result<Launched> {
        let (socket, mut theirs) = UnixStream::pair()?;
        std::thread::spawn(move || {
            // Whoever made it may be gone already.
            let _gone = hello(&mut theirs, &Hello::default());
            let _gone = serve(&mut theirs, |_: &[u8], _, _| (Contents::default(), Shown::default()), || false);
        });
        Ok(Launched { socket, child: None })
    }
}

/// A store with two users.
struct House {
    store: Arc<LocalStore>,
    domain: DomainRecord,
    users: Vec<(AccountId, Address)>,
    _dir: tempfile::TempDir,
}

/// A server that looks at their mail.
struct Server {
    rescan: Arc<Rescan>,
    events: Events,
    task: JoinHandle<()>,
    trigger: ShutdownTrigger,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let domain = store.change_domain(DomainChange::Add { name: "a.example".parse().unwrap() }).await.unwrap();
    let mut house = House { store, domain, users: Vec::new(), _dir: dir };
    house.user("joe").await;
    house.user("ann").await;
    house
}

fn letter(text: &[u8]) -> Vec<u8> {
    [b"From: x@far.example\r\nSubject: hello\r\n\r\n", text, b"\r\n"].concat()
}

impl House {
    async fn user(&mut self, local: &str) {
        let added = self.store.change_account(AccountChange::Add {
            domain: self.domain.id,
            local: local.to_owned(),
            display_name: String::new(),
            credential: Arc::from(&b"credential"[..]),
            quota_bytes: 0,
            quota_messages: 0,
        });
        let id = added.await.unwrap().id;
        self.users.push((id, format!("{local}@a.example").parse().unwrap()));
    }

    async fn mailbox(&self, user: usize, name: &str) -> MailboxId {
        self.store.mailbox(self.users[user].0, MailboxName::parse(name).unwrap()).await.unwrap().id
    }

    async fn has(&self, user: usize, mailbox: &str, text: &[u8]) {
        self.has_many(user, mailbox, text, 1).await;
    }

    async fn has_many(&self, user: usize, mailbox: &str, text: &[u8], many: usize) {
        let bytes = letter(text);
        let structure = Structure::parse(&bytes).to_bytes();
        let content = Content::new(Bytes::from(bytes), Bytes::from(structure));
        let one = NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        let to = Destination::Mailbox(self.mailbox(user, mailbox).await);
        self.store.append(to, vec![one; many]).await.unwrap();
    }

    async fn texts(&self, user: usize, mailbox: &str) -> Vec<Vec<u8>> {
        let mailbox = self.mailbox(user, mailbox).await;
        let mut texts = Vec::new();
        for message in self.store.messages(mailbox, vec![UidRange::ALL], 10_000).await.unwrap() {
            texts.push(self.store.read(message.blob, 0, u64::MAX).await.unwrap().to_vec());
        }
        texts
    }

    async fn kept(&self) -> Vec<(Quarantined, Note)> {
        let kept = self.store.quarantine(None, None, 500).await.unwrap();
        kept.into_iter().map(|one| (Note::read(&one.note).unwrap(), one)).map(|(note, one)| (one, note)).collect()
    }

    /// With an engine that answers so.
    async fn server<F, R>(&self, play: F) -> (Server, Arc<AtomicUsize>)
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let (at, count) = played(play).await;
        (self.server_at(&format!("clamd tcp:{at}"), self.store.clone()).await, count)
    }

    async fn server_at(&self, engine: &str, quarantine: Arc<dyn QuarantineStore>) -> Server {
        let events = Events::memory();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engines = vec![EngineLine::parse(engine).unwrap()];
        let engines = config::Antivirus { engines, ..config::Antivirus::default() };
        let antivirus = Antivirus::new(&engines, None, Arc::clone(&clock), events.clone());
        let spam = SpamParts {
            store: self.store.clone(),
            mail: self.store.clone(),
            key: token_key(&Secret::new("server secret")).unwrap(),
            names: Arc::new(|_| None),
            links: None,
            settings: config::Spam::default(),
            clock: Arc::clone(&clock),
            events: events.clone(),
        };
        // Whatever the hour is, nothing is due by itself.
        let settings = Settings { rescan: config::RescanEvery::Never, ..Settings::default() };
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let inspector = Inspector::new(crate::Parts {
            lookup: None,
            scanner: Pool::new(Blind, 1, events.clone()),
            antivirus: antivirus.clone(),
            rules: Rulebook::new(&Config::default(), Dictionaries::new()).unwrap(),
            spam: Spam::open(spam).await.unwrap(),
            settings: Arc::clone(&settings),
        });
        let users = self.users.clone();
        let parts = Parts {
            mail: self.store.clone(),
            quarantine,
            shelf: self.store.clone(),
            inspector,
            antivirus,
            accounts: Arc::new(move |whose| {
                let mut users = users.clone();
                users.retain(|(_, address)| match whose {
                    Whose::All | Whose::Domain(_) => true,
                    Whose::User(one) => one == address,
                });
                users
            }),
            quarantine_days: Arc::new(|| 30),
            settings,
            clock,
            events: events.clone(),
        };
        let rescan = Rescan::open(parts).await.unwrap();
        let (trigger, shutdown) = shutdown::channel();
        let task = tokio::spawn(Arc::clone(&rescan).keep(shutdown));
        Server { rescan, events, task, trigger }
    }
}

impl Server {
    /// Waits until nothing is under way; what came of it.
    async fn over(&self) -> Run {
        loop {
            if self.rescan.running().is_none()
                && let Some(run) = last(self.rescan.parts.shelf.clone()).await.unwrap().last
            {
                return run;
            }
            tokio::task::yield_now().await;
        }
    }

    fn told(&self, name: &str) -> Vec<String> {
        self.events.lines().into_iter().filter(|line| line.contains(&format!(" {name} "))).collect()
    }
}

fn all() -> Scope {
    Scope { whose: Whose::All, folder: None, since: None }
}

#[tokio::test]
async fn a_virus_that_got_a_name_meanwhile_is_taken_out_of_mailboxes_and_told_once() {
    let house = house().await;
    for (user, mailbox, text) in
        [(0, "INBOX", &b"good"[..]), (0, "INBOX", BAD), (0, "Sent", b"sent"), (1, "INBOX", BAD), (1, "Trash", b"gone")]
    {
        house.has(user, mailbox, text).await;
    }
    let (server, _) = house.server(honest).await;
    let begun = server.rescan.begin(all(), By::Administrator).await.unwrap();
    assert_eq!((begun.total, begun.engines[0].signatures), (5, Some(27_456)));
    let run = server.over().await;
    assert_eq!((run.looked, run.found, run.unscannable, run.end), (5, 2, 0, Some(End::Done)));
    assert_eq!(run.names, ["Test.Bad"]);
    assert_eq!(house.texts(0, "INBOX").await, [letter(b"good")]);
    assert_eq!((house.texts(1, "INBOX").await.len(), house.texts(0, "Sent").await.len()), (0, 1));
    let kept = house.kept().await;
    assert_eq!(kept.len(), 2);
    for (_, note) in &kept {
        assert_eq!((note.direction.as_str(), note.administrators, note.subject.as_str()), ("stored", true, "hello"));
        assert_eq!(note.findings[0].rule, "Test.Bad");
    }
    let alerts = server.told("antivirus.rescan_found");
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].contains("finding=Test.Bad") && alerts[0].contains("found=2"), "{alerts:?}");
    assert_eq!(server.told("quarantine.withdrawn").len(), 2);
    let known = last(house.store.clone()).await.unwrap();
    assert_eq!(known.whole.unwrap().engines[0].version.as_deref(), Some("ClamAV 1.4.3"));
    house.store.release(kept[0].0.id, KeptFor::Everybody, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn only_what_is_meant_is_looked_at() {
    let house = house().await;
    for (user, mailbox) in [(0, "INBOX"), (0, "Sent"), (1, "INBOX")] {
        house.has(user, mailbox, BAD).await;
    }
    let (server, _) = house.server(honest).await;
    let joe = Whose::User(house.users[0].1.clone());
    let folder = Some(MailboxName::parse("Sent").unwrap());
    let of = |folder: &Option<MailboxName>, since| Scope { whose: joe.clone(), folder: folder.clone(), since };
    let tomorrow = Timestamp(SystemClock.now().0 + 86_400_000);
    for (scope, found) in [(of(&None, Some(tomorrow)), 0), (of(&folder, None), 1), (of(&None, None), 1)] {
        server.rescan.begin(scope, By::Administrator).await.unwrap();
        let run = server.over().await;
        assert_eq!((run.found, run.end), (found, Some(End::Done)), "{}", run.scope);
    }
    assert_eq!(house.texts(1, "INBOX").await.len(), 1, "another's");
    assert_eq!(last(house.store.clone()).await.unwrap().whole, None);
}

#[tokio::test]
async fn a_server_that_was_killed_goes_on_where_it_was_and_counts_nothing_twice() {
    let house = house().await;
    for text in [&b"one"[..], BAD, b"two", b"hang", BAD, b"three"] {
        house.has(0, "INBOX", text).await;
    }
    let hung = Arc::new(AtomicUsize::new(0));
    let here = Arc::clone(&hung);
    // As honest as the other one, but that it says nothing of one message.
    let hanging = move |mut stream: TcpStream| {
        let here = Arc::clone(&here);
        async move {
            assert_eq!(command(&mut stream).await.as_deref(), Some("zIDSESSION"));
            let mut number = 0;
            while let Some(command) = command(&mut stream).await {
                number += 1;
                let said = match command.as_str() {
                    "zVERSION" => "ClamAV 1.4.3/27456/Thu Jan  1 10:20:30 2026",
                    _ => {
                        let message = message(&mut stream).await.unwrap();
                        if message.windows(4).any(|piece| piece == b"hang") {
                            here.fetch_add(1, Ordering::SeqCst);
                            std::future::pending::<()>().await;
                        }
                        if is_bad(&message) { "stream: Test.Bad FOUND" } else { "stream: OK" }
                    }
                };
                stream.write_all(format!("{number}: {said}\0").as_bytes()).await.unwrap();
            }
        }
    };
    let (server, _) = house.server(hanging).await;
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    while hung.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // Nothing of it is noted any more.
    server.task.abort();
    let _gone = server.task.await;
    assert_eq!(house.kept().await.len(), 1);
    let (server, _) = house.server(honest).await;
    let run = server.over().await;
    assert_eq!((run.total, run.passed, run.looked, run.found), (6, 6, 6, 2), "{run:?}");
    assert_eq!((house.kept().await.len(), house.texts(0, "INBOX").await.len()), (2, 4));
    assert_eq!(server.told("antivirus.rescan_begins").len(), 1);
    assert!(server.told("antivirus.rescan_begins")[0].contains("looked=2"), "from the last note");
    drop(server.trigger);
    server.task.await.unwrap();
    let (server, _) = house.server(honest).await;
    tokio::task::yield_now().await;
    assert_eq!(server.rescan.running(), None, "what is over isn't begun again");
}

#[tokio::test]
async fn what_is_moved_to_where_it_was_already_is_looked_at_all_the_same() {
    let house = house().await;
    house.has(0, "INBOX", b"first").await;
    house.has(0, "Trash", b"second").await;
    house.has(0, "Trash", BAD).await;
    let (inbox, trash) = (house.mailbox(0, "INBOX").await, house.mailbox(0, "Trash").await);
    assert!(inbox < trash, "in the order that they are looked at");
    let store = house.store.clone();
    // While it looks into the second mailbox, its reader moves what is further behind into the first one.
    let moving = move |mut stream: TcpStream| {
        let store = store.clone();
        async move {
            assert_eq!(command(&mut stream).await.as_deref(), Some("zIDSESSION"));
            let mut number = 0;
            while let Some(command) = command(&mut stream).await {
                number += 1;
                let said = match command.as_str() {
                    "zVERSION" => "ClamAV 1.4.3",
                    _ => {
                        let message = message(&mut stream).await.unwrap();
                        if message.windows(6).any(|piece| piece == b"second") {
                            store.move_messages(trash, vec![UidRange::one(Uid(2))], inbox).await.unwrap();
                        }
                        if is_bad(&message) { "stream: Test.Bad FOUND" } else { "stream: OK" }
                    }
                };
                stream.write_all(format!("{number}: {said}\0").as_bytes()).await.unwrap();
            }
        }
    };
    let (server, _) = house.server(moving).await;
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    let run = server.over().await;
    assert_eq!((run.found, run.end.as_ref()), (1, Some(&End::Done)), "{run:?}");
    assert_eq!(house.texts(0, "INBOX").await, [letter(b"first")]);
}

#[tokio::test]
async fn what_an_administrator_released_stays_released_until_something_else_is_found() {
    let house = house().await;
    house.has(0, "INBOX", BAD).await;
    let (server, _) = house.server(honest).await;
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    server.over().await;
    let [(kept, note)] = house.kept().await.try_into().unwrap();
    let change = let_go(kept.blob, &note, SystemClock.now()).unwrap();
    house.store.change_shelf(vec![change]).await.unwrap();
    house.store.release(kept.id, KeptFor::Everybody, Vec::new()).await.unwrap();
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    let run = server.over().await;
    assert_eq!((run.looked, run.found, run.let_go), (1, 0, 1));
    assert_eq!(house.texts(0, "INBOX").await.len(), 1);
    let other = Note {
        findings: vec![crate::Finding::new(crate::Check::Antivirus, "Other", crate::Action::Reject, "")],
        ..note
    };
    house.store.change_shelf(vec![let_go(kept.blob, &other, SystemClock.now()).unwrap()]).await.unwrap();
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    assert_eq!(server.over().await.found, 1, "it was released for something else");
    assert!(let_go(BlobId(1), &Note::default(), SystemClock.now()).is_none());
}

#[tokio::test]
async fn a_large_mailbox_is_looked_at_to_its_end_and_what_many_have_once() {
    let house = house().await;
    house.has_many(0, "INBOX", b"what everybody has", RESCAN_PAGE + 1).await;
    house.has(0, "INBOX", BAD).await;
    let (server, _) = house.server(honest).await;
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    let run = server.over().await;
    let many = u64::try_from(RESCAN_PAGE).unwrap() + 2;
    assert_eq!((run.total, run.passed, run.looked, run.found), (many, many, many, 1));
    assert_eq!(server.rescan.parts.antivirus.states()[0].asked, 2);
}

#[tokio::test]
async fn it_is_done_once_at_a_time_and_stops_when_it_is_told() {
    let house = house().await;
    house.has(0, "INBOX", b"one").await;
    let nowhere = house.server_at("clamd unix:/nonexistent/clamd.ctl", house.store.clone()).await;
    nowhere.rescan.begin(all(), By::Administrator).await.unwrap();
    let again = nowhere.rescan.begin(all(), By::Administrator).await;
    assert!(matches!(again, Err(RescanError::Busy)));
    assert!(nowhere.rescan.stop());
    let run = nowhere.over().await;
    assert_eq!((run.looked, run.end), (0, Some(End::Stopped)), "what nobody could look at isn't clean");
    assert!(!nowhere.rescan.stop(), "there is nothing to stop any more");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_look_it_waits_and_then_breaks_off_and_says_where() {
    let house = house().await;
    house.has(0, "INBOX", b"one").await;
    let server = house.server_at("clamd unix:/nonexistent/clamd.ctl", house.store.clone()).await;
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    let run = loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        if let Some(run) = last(house.store.clone()).await.unwrap().last {
            break run;
        }
    };
    let Some(End::Broken(why)) = &run.end else { panic!("{run:?}") };
    assert!(["clamd", "attachments", "scanner worker"].iter().any(|who| why.contains(who)), "{why}");
    assert_eq!((run.looked, run.told_place()), (0, "the beginning"));
    assert_eq!(server.told("antivirus.rescan_broken").len(), 1);
}

/// A quarantine that has no room.
struct Full;

impl QuarantineStore for Full {
    fn quarantine(
        &self,
        _: Option<AccountId>,
        _: Option<QuarantineId>,
        _: usize,
    ) -> mailward_store::Pending<'_, Vec<Quarantined>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn quarantined(&self, _: QuarantineId) -> mailward_store::Pending<'_, Option<Quarantined>> {
        Box::pin(async { Ok(None) })
    }
    fn release(&self, _: QuarantineId, _: KeptFor, _: Vec<ShelfChange>) -> mailward_store::Pending<'_, Accepted> {
        Box::pin(async { Err(StoreError::NotFound("message in the quarantine")) })
    }
    fn discard(&self, _: QuarantineId, _: KeptFor, _: Vec<ShelfChange>) -> mailward_store::Pending<'_, ()> {
        Box::pin(async { Err(StoreError::NotFound("message in the quarantine")) })
    }
    fn quarantine_accounts(
        &self,
        _: Option<AccountId>,
        _: usize,
    ) -> mailward_store::Pending<'_, Vec<(AccountId, QuarantineId)>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn sweep_quarantine(&self) -> mailward_store::Pending<'_, usize> {
        Box::pin(async { Ok(0) })
    }
    fn withdraw(
        &self,
        _: MailboxId,
        _: Uid,
        _: Bytes,
        _: Timestamp,
        _: Vec<ShelfChange>,
    ) -> mailward_store::Pending<'_, QuarantineId> {
        Box::pin(async { Err(StoreError::QuarantineFull) })
    }
    fn quarantine_size(&self) -> mailward_store::Pending<'_, u64> {
        Box::pin(async { Ok(0) })
    }
    fn watch_quarantine(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
}

#[tokio::test]
async fn where_the_quarantine_is_full_it_breaks_off_before_what_it_found() {
    let house = house().await;
    house.has(0, "INBOX", b"one").await;
    house.has(0, "INBOX", BAD).await;
    let (at, _) = played(honest).await;
    let server = house.server_at(&format!("clamd tcp:{at}"), Arc::new(Full)).await;
    server.rescan.begin(all(), By::Administrator).await.unwrap();
    let run = server.over().await;
    assert_eq!((run.found, run.end.clone()), (0, Some(End::Broken("the quarantine is full".to_owned()))));
    assert_eq!(run.told_place(), "joe@a.example, mailbox INBOX, UID 1");
    assert_eq!((server.told("antivirus.rescan_broken").len(), server.told("antivirus.rescan_found").len()), (1, 0));
}

#[test]
fn names_of_what_is_found_are_remembered_up_to_a_limit() {
    let mut run = Run::new(all(), By::Schedule, Timestamp(0));
    for number in 0..RESCAN_NAMES_MAX * 3 {
        run.name(&format!("V{}", number / 2));
    }
    assert_eq!((run.names.len(), run.names[1].as_str()), (RESCAN_NAMES_MAX, "V1"));
}
