//! Digests by a clock of the test's own.

use super::*;
use crate::alerts::PostmanParts;
use crate::prepare;
use mailward_core::Secret;
use mailward_core::config::DigestPace;
use mailward_directory::{NewPassword, NewUser};
use mailward_inspect::{Action, Check, Finding};
use mailward_message::Structure;
use mailward_message::decode::text_of;
use mailward_store::api::MailStore as _;
use mailward_store::records::{Kept, KeptFor, UidRange, Ways};
use mailward_store::{LocalStore, Options};
use mailward_vault::LinkKey;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

struct Office {
    clock: Arc<Hand>,
    store: Arc<LocalStore>,
    directory: Arc<Directory>,
    digests: Digests,
    joe: AccountId,
    ann: AccountId,
    dir: tempfile::TempDir,
}

fn daily() -> Quarantine {
    Quarantine { digest: DigestPace::Daily, ..Quarantine::default() }
}

impl Office {
    /// Joe and Ann are here; Ann is the postmaster. It is noon of a Monday.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(20_003 * DAY + 12 * HOUR)));
        Self::open(dir, clock, true).await
    }

    async fn open(dir: tempfile::TempDir, clock: Arc<Hand>, is_new: bool) -> Self {
        let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        if is_new {
            directory.add_domain(Domain::parse("s.example").unwrap()).await.unwrap();
            for name in ["joe", "ann"] {
                let user = NewUser {
                    address: format!("{name}@s.example").parse().unwrap(),
                    password: NewPassword::None,
                    display_name: String::new(),
                    quota_bytes: 0,
                    quota_messages: 0,
                };
                directory.add_user(user).await.unwrap();
            }
            let (postmaster, ann) = ("postmaster@s.example".parse().unwrap(), "ann@s.example".parse().unwrap());
            directory.put_alias(&postmaster, vec![ann]).await.unwrap();
        }
        let account = |name: &str| directory.account_id(&format!("{name}@s.example").parse().unwrap()).unwrap();
        let (joe, ann) = (account("joe"), account("ann"));
        let digests = Digests::new(Self::parts(&store, &directory, &clock), &daily());
        Self { clock, store, directory, digests, joe, ann, dir }
    }

    fn parts(store: &Arc<LocalStore>, directory: &Arc<Directory>, clock: &Arc<Hand>) -> Parts {
        let hostname = Domain::parse("s.example").unwrap();
        let key = LinkKey::new(&Secret::new("secret"), link::PURPOSE).unwrap();
        Parts {
            quarantine: store.clone(),
            shelf: store.clone(),
            directory: directory.clone(),
            hostname: hostname.clone(),
            links: Arc::new(Links::new(key, store.clone())),
            origin: Some(Origin::parse("https://mail.s.example").unwrap()),
            postman: Postman::new(PostmanParts {
                mail: store.clone(),
                queue: store.clone(),
                directory: directory.clone(),
                hostname,
                events: Events::nowhere(),
                clock: clock.clone(),
                lifetime: Duration::from_secs(3_600),
            }),
            administrators: Some(None),
            clock: clock.clone(),
            events: Events::nowhere(),
        }
    }

    /// The same house after a restart.
    async fn again(self) -> Self {
        let Self { clock, store, directory, digests, dir, .. } = self;
        store.close().await;
        drop((store, directory, digests));
        Self::open(dir, clock, false).await
    }

    /// Something is kept for these.
    async fn keep(&self, subject: &str, check: Check, whom: &[AccountId]) -> QuarantineId {
        let note = Note {
            subject: subject.to_owned(),
            from: "eve@far.example".to_owned(),
            direction: "incoming".to_owned(),
            findings: vec![Finding::new(check, "x", Action::Quarantine, "bad")],
            ..Note::default()
        };
        let target = |account: &AccountId| Target { account: *account, mailbox: None, flags: Flags::NONE };
        let ways = Ways { targets: whom.iter().map(target).collect(), queued: Vec::new() };
        let expires = Timestamp(self.clock.now().0 + 30 * DAY);
        let kept = Kept { ways, note: note.to_bytes(64_000).into(), expires, source: None };
        let text = format!("Subject: {subject}\r\n\r\ntext\r\n");
        let content = prepare(text.into_bytes(), 0).unwrap();
        let delivery = Delivery { content, targets: Vec::new(), queued: Vec::new(), kept: Some(kept) };
        self.store.deliver(delivery).await.unwrap().kept.unwrap()
    }

    /// At an hour of a day from today on.
    async fn at(&self, days: i64, hour: i64) {
        self.clock.0.store((20_003 + days) * DAY + hour * HOUR, Ordering::Relaxed);
        self.digests.send_due().await.unwrap();
    }

    /// The texts of all mail of somebody.
    async fn inbox(&self, account: AccountId) -> Vec<String> {
        let inbox = self.store.mailbox(account, mailward_core::MailboxName::inbox()).await.unwrap();
        let all = self.store.messages(inbox.id, vec![UidRange::ALL], 1_000).await.unwrap();
        let mut texts = Vec::new();
        for message in all {
            let bytes = self.store.read(message.blob, 0, message.size).await.unwrap();
            let text = text_of(&bytes, &Structure::parse(&bytes));
            texts.push(format!("{}\n{}", text.header, text.body));
        }
        texts
    }
}

/// The words of links in a digest.
fn words(digest: &str) -> Vec<String> {
    let mut words: Vec<String> = digest
        .split("https://mail.s.example/quarantine/")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect())
        .collect();
    words.sort();
    words.dedup();
    words
}

#[tokio::test]
async fn a_user_is_told_at_the_hour_once_and_of_what_is_theirs_alone() {
    let office = Office::new().await;
    office.at(0, 12).await;
    office.keep("for joe", Check::Spam, &[office.joe]).await;
    office.keep("for both", Check::Spam, &[office.joe, office.ann]).await;
    office.keep("a virus", Check::Antivirus, &[office.joe]).await;
    office.keep("forged", Check::Authentication, &[office.joe]).await;
    office.keep("invoice.exe", Check::Attachments, &[office.joe]).await;
    office.at(0, 23).await;
    office.at(1, 5).await;
    assert_eq!(office.inbox(office.joe).await, [""; 0], "not before its hour");
    office.at(1, 6).await;
    let told = office.inbox(office.joe).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("for joe") && told[0].contains("for both") && told[0].contains("it looks like spam"));
    for never in ["a virus", "forged", "invoice.exe"] {
        assert!(!told[0].contains(never), "{never}");
    }
    assert!(told[0].contains("Auto-Submitted: auto-generated"), "{}", told[0]);
    assert_eq!(words(&told[0]).len(), 2, "a word for each message");
    // Ann hears of hers, and of all as the postmaster.
    let ann = office.inbox(office.ann).await;
    assert_eq!(ann.len(), 2);
    let (own, all) = (&ann[0], &ann[1]);
    assert!(own.contains("for both") && !own.contains("for joe"));
    assert!(all.contains("a virus") && all.contains("for joe") && words(all).is_empty());
    // Nothing is new: nothing is told.
    office.at(2, 6).await;
    assert_eq!((office.inbox(office.joe).await.len(), office.inbox(office.ann).await.len()), (1, 2));
    office.keep("later", Check::Spam, &[office.joe]).await;
    office.at(3, 7).await;
    let told = office.inbox(office.joe).await;
    assert!(told.len() == 2 && told[1].contains("later") && !told[1].contains("for joe"));
}

#[tokio::test]
async fn a_restart_repeats_nothing_and_forgets_nothing() {
    let office = Office::new().await;
    office.at(0, 12).await;
    office.keep("one", Check::Spam, &[office.joe]).await;
    office.at(1, 6).await;
    let office = office.again().await;
    office.at(1, 7).await;
    assert_eq!(office.inbox(office.joe).await.len(), 1);
    office.keep("two", Check::Spam, &[office.joe]).await;
    let office = office.again().await;
    // It was down at the hour.
    office.at(2, 15).await;
    let told = office.inbox(office.joe).await;
    assert!(told.len() == 2 && told[1].contains("two"));
}

#[tokio::test]
async fn weekly_is_monday_and_never_is_never() {
    let office = Office::new().await;
    office.digests.set(&Quarantine {
        digest: DigestPace::Weekly,
        administrator_digest: DigestPace::Never,
        ..Quarantine::default()
    });
    office.at(0, 12).await;
    office.keep("one", Check::Spam, &[office.joe]).await;
    for day in 1..7 {
        office.at(day, 6).await;
    }
    assert_eq!(office.inbox(office.joe).await.len(), 0);
    office.at(7, 6).await;
    assert_eq!((office.inbox(office.joe).await.len(), office.inbox(office.ann).await.len()), (1, 0));
    office.digests.set(&Quarantine {
        digest: DigestPace::Never,
        administrator_digest: DigestPace::Never,
        ..Quarantine::default()
    });
    office.keep("two", Check::Spam, &[office.joe]).await;
    assert_eq!(office.digests.send_now().await.unwrap(), Told::default());
    office.at(14, 6).await;
    assert_eq!(office.inbox(office.joe).await.len(), 1);
}

#[tokio::test]
async fn more_than_a_digest_has_room_for_is_counted() {
    let office = Office::new().await;
    for n in 0..DIGEST_MESSAGES_MAX + 3 {
        office.keep(&format!("number {n};"), Check::Spam, &[office.joe]).await;
    }
    assert_eq!(office.digests.send_now().await.unwrap(), Told { users: 1, administrators: true });
    let told = office.inbox(office.joe).await;
    assert_eq!(words(&told[0]).len(), DIGEST_MESSAGES_MAX);
    assert!(told[0].contains("3 more messages are kept") && !told[0].contains("number 2;"), "the newest are told");
    assert_eq!(office.digests.send_now().await.unwrap(), Told::default(), "and nothing twice");
}

#[tokio::test]
async fn a_word_leads_one_user_to_one_message_acts_once_and_ends() {
    let office = Office::new().await;
    let (first, second) = (
        office.keep("first", Check::Spam, &[office.joe]).await,
        office.keep("second", Check::Spam, &[office.joe, office.ann]).await,
    );
    office.digests.send_now().await.unwrap();
    let links = office.digests.links();
    let mut led = Vec::new();
    for word in words(&office.inbox(office.joe).await[0]) {
        // Looking changes nothing, however often.
        for _ in 0..3 {
            assert_eq!(links.follow(&word).await.unwrap().unwrap().account, office.joe);
        }
        led.push(links.follow(&word).await.unwrap().unwrap().message);
        // The store has nothing that could be put into a link.
        let shelf = office.store.shelf(Shelf::Digests, None, 1_000).await.unwrap();
        assert!(shelf.iter().all(|record| !record.key.contains(&word)));
    }
    led.sort();
    assert_eq!(led, [first, second]);
    let word = &words(&office.inbox(office.joe).await[0])[0];
    let followed = links.follow(word).await.unwrap().unwrap();
    let release = || {
        let notes = vec![followed.spend.clone()];
        office.store.release(followed.message, KeptFor::Account(followed.account), notes)
    };
    release().await.unwrap();
    assert!(matches!(release().await, Err(StoreError::NotFound(_))));
    assert!(links.follow(word).await.unwrap().is_none(), "spent");
    let other = &words(&office.inbox(office.joe).await[0])[1];
    assert!(links.follow(other).await.unwrap().is_some());
    let days = mailward_core::limits::LINK_DAYS;
    office.clock.0.fetch_add(days * DAY, Ordering::Relaxed);
    assert!(links.follow(other).await.unwrap().is_none(), "old");
    for wrong in ["", "x", "../../etc/passwd", &"A".repeat(43), &"A".repeat(44)] {
        assert!(links.follow(wrong).await.unwrap().is_none(), "{wrong}");
    }
}

#[tokio::test]
async fn a_trial_tells_one_user_whatever_the_hour_by_links_that_end_and_takes_nothing_from_the_next_digest() {
    let office = Office::new().await;
    office.digests.set(&Quarantine { digest: DigestPace::Never, ..Quarantine::default() });
    let lasts = Duration::from_secs(3);
    assert_eq!(office.digests.tell_for_trial(office.joe, lasts).await.unwrap(), None, "there is nothing to tell");
    office.keep("for both", Check::Spam, &[office.joe, office.ann]).await;
    office.keep("a virus", Check::Antivirus, &[office.joe]).await;
    let id = office.digests.tell_for_trial(office.joe, lasts).await.unwrap().unwrap();
    let told = office.inbox(office.joe).await;
    assert!(told.len() == 1 && told[0].contains(&format!("Message-ID: <{id}@")), "{told:?}");
    assert!(told[0].contains("for both") && !told[0].contains("a virus"), "{}", told[0]);
    assert_eq!(office.inbox(office.ann).await, [""; 0], "nobody else hears of it");
    let (links, word) = (office.digests.links(), words(&told[0]).remove(0));
    office.clock.0.fetch_add(2_999, Ordering::Relaxed);
    assert!(links.follow(&word).await.unwrap().is_some());
    office.clock.0.fetch_add(1, Ordering::Relaxed);
    assert!(links.follow(&word).await.unwrap().is_none(), "three seconds are over");
    office.digests.set(&daily());
    office.digests.send_now().await.unwrap();
    let told = office.inbox(office.joe).await;
    assert!(told.len() == 2 && told[1].contains("for both"), "{told:?}");
}

#[tokio::test]
async fn what_became_of_a_message_is_remembered_with_who_did_it() {
    let office = Office::new().await;
    let id = office.keep("one", Check::Spam, &[office.joe]).await;
    let did = done::Done {
        what: "released".to_owned(),
        by: "joe@s.example".to_owned(),
        how: "link".to_owned(),
        user: Some("joe@s.example".to_owned()),
        at: office.clock.now(),
    };
    office.store.release(id, KeptFor::Account(office.joe), vec![did.note(id)]).await.unwrap();
    assert_eq!(done::done(&*office.store, id).await.unwrap(), [did]);
    assert_eq!(done::done(&*office.store, QuarantineId(id.0 + 1)).await.unwrap(), []);
}
