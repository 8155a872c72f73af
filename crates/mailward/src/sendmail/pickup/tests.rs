//! What becomes of files in the spool, whoever takes them.

use super::super::hand_over::No;
use super::*;
use mailward_core::Address;
use mailward_smtp::client::Recipient;
use mailward_smtp::path::ReversePath;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Takes everybody but those whose local part says otherwise.
#[derive(Clone, Default)]
struct Desk {
    /// User and recipient of what was taken.
    taken: Arc<Mutex<Vec<(u32, String)>>>,
    tries: Arc<Mutex<usize>>,
    shut: Arc<Mutex<bool>>,
}

impl Taker for Desk {
    async fn hand_in(&self, uid: u32, transaction: Transaction, _message: Bytes) -> Result<Fate, String> {
        *self.tries.lock().unwrap() += 1;
        if *self.shut.lock().unwrap() {
            return Err("closed".to_owned());
        }
        let mut fate = Fate::default();
        for recipient in transaction.recipients {
            match recipient.address.local().as_str() {
                "never" => {
                    fate.refused.push(No { words: format!("{} is refused", recipient.address), recipient, code: 67 })
                }
                "later" => {
                    fate.why = "mailbox full".to_owned();
                    fate.later.push(recipient);
                }
                _ => {
                    fate.accepted += 1;
                    self.taken.lock().unwrap().push((uid, recipient.address.to_string()));
                }
            }
        }
        Ok(fate)
    }
    fn message_size(&self) -> u64 {
        10_000
    }
}

struct House {
    _dir: tempfile::TempDir,
    desk: Desk,
    events: Events,
    pickup: Pickup<Desk>,
    shutdown: Shutdown,
    _trigger: mailward_core::ShutdownTrigger,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::in_directory(&dir.path().join("sendmail"));
        spool.make(None).unwrap();
        let (trigger, shutdown) = mailward_core::shutdown::channel();
        let (desk, events) = (Desk::default(), Events::memory());
        let pickup = Pickup::new(spool, desk.clone(), events.clone());
        Self { _dir: dir, desk, events, pickup, shutdown, _trigger: trigger }
    }
    fn put(&self, to: &[&str]) {
        let to = to.iter().map(|to| Address::parse(to, false).unwrap());
        self.pickup
            .spool
            .put(&parcel::write(&Transaction::new(ReversePath::Null, to), b"Subject: x\r\n\r\ny\r\n"))
            .unwrap();
    }
    /// Looks at all there is, once.
    async fn look(&mut self) {
        while self.pickup.look(&self.shutdown).await {}
    }
    fn files(&self, place: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(place).unwrap().map(|e| e.unwrap().path()).collect()
    }
    fn dropped(&self) -> usize {
        self.files(&self.pickup.spool.drop_box()).len()
    }
    fn taken(&self) -> Vec<String> {
        let mut taken: Vec<String> = self.desk.taken.lock().unwrap().iter().map(|(_, to)| to.clone()).collect();
        taken.sort();
        taken
    }
    fn logged(&self, name: &str) -> usize {
        self.events.lines().iter().filter(|line| line.contains(name)).count()
    }
}

#[tokio::test]
async fn a_flood_of_names_is_read_in_turns_and_to_its_end() {
    let mut house = House::new();
    let all = SPOOL_NAMES * 2 + 1;
    for n in 0..all {
        if n % 2 == 0 {
            house.put(&["a@t.example"]);
        } else {
            std::fs::write(house.pickup.spool.drop_box().join(format!("t.{n}")), "").unwrap();
        }
    }
    assert!(house.pickup.look(&house.shutdown).await, "one look ends at its limit");
    assert!(*house.desk.tries.lock().unwrap() <= SPOOL_NAMES);
    house.look().await;
    assert_eq!(house.taken().len(), SPOOL_NAMES + 1);
    assert_eq!(house.dropped(), SPOOL_NAMES, "what is being written stays");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_now_is_tried_after_pauses_that_grow() {
    let mut house = House::new();
    *house.desk.shut.lock().unwrap() = true;
    house.put(&["a@t.example"]);
    let mut tries = 0;
    for seconds in SPOOL_RETRY_SECONDS.iter().chain(&[900, 900]) {
        house.look().await;
        house.look().await;
        tries += 1;
        assert_eq!(*house.desk.tries.lock().unwrap(), tries, "once, and then not before its time");
        tokio::time::advance(Duration::from_secs(*seconds)).await;
    }
    *house.desk.shut.lock().unwrap() = false;
    house.look().await;
    assert_eq!((house.taken(), house.dropped()), (vec!["a@t.example".to_owned()], 0));
    assert!(house.pickup.waiting.is_empty());
}

#[tokio::test]
async fn more_that_wait_than_are_remembered_are_tried_at_every_look() {
    let mut house = House::new();
    for n in 0..=SPOOL_WAITING_MAX {
        house.pickup.wait(Path::new(&format!("/nowhere/{n}")), None, "x");
    }
    assert_eq!(house.pickup.waiting.len(), SPOOL_WAITING_MAX);
    house.look().await;
    assert!(house.pickup.waiting.is_empty(), "what isn't there waits for nothing");
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_a_fate_of_its_own_and_the_user_stays_the_same() {
    let mut house = House::new();
    let me = nix::unistd::geteuid().as_raw();
    house.put(&["a@t.example", "never@t.example", "later@t.example"]);
    house.look().await;
    assert_eq!((house.taken(), house.dropped()), (vec!["a@t.example".to_owned()], 0));
    let [kept] = &house.files(&house.pickup.spool.later())[..] else { panic!() };
    assert!(kept.to_str().unwrap().ends_with(&format!(".{me}")), "whose it is");
    let found = parcel::parse(&std::fs::read(kept).unwrap()).unwrap().transaction.recipients;
    assert_eq!(found.iter().map(|r: &Recipient| r.address.to_string()).collect::<Vec<_>>(), ["later@t.example"]);
    let aside = house.files(&house.pickup.spool.aside());
    let why = aside.iter().find(|f| f.extension().is_some()).unwrap();
    assert_eq!(std::fs::read_to_string(why).unwrap(), "never@t.example is refused\n");
    let put = std::fs::read(why.with_extension("")).unwrap();
    assert_eq!(parcel::parse(&put).unwrap().transaction.recipients[0].address.to_string(), "never@t.example");
    assert_eq!(house.logged("alert spool.aside"), 1);
    // What was kept has its own turn, and is given up in the end.
    let file = std::fs::File::options().write(true).open(kept).unwrap();
    file.set_modified(SystemTime::now() - SPOOL_PATIENCE - Duration::from_secs(60)).unwrap();
    tokio::time::advance(Duration::from_secs(900)).await;
    house.look().await;
    assert!(house.files(&house.pickup.spool.later()).is_empty());
    assert_eq!(house.logged("the last answer: mailbox full"), 1, "{:?}", house.events.lines());
    assert_eq!(house.taken().len(), 1);
}

#[tokio::test]
async fn nobody_gets_a_second_copy_because_the_rest_can_t_be_put_away() {
    for gone in [Spool::aside, Spool::later] {
        let mut house = House::new();
        house.put(&["a@t.example", "never@t.example", "later@t.example"]);
        let [file] = &house.files(&house.pickup.spool.drop_box())[..] else { panic!() };
        let gone = gone(&house.pickup.spool);
        std::fs::remove_dir(&gone).unwrap();
        for tries in 1..=3 {
            house.pickup.one(Place::DropBox, file.clone()).await;
            assert_eq!((house.taken(), house.dropped()), (vec!["a@t.example".to_owned()], 1));
            assert_eq!(house.logged("alert spool.stuck"), tries);
        }
        std::fs::create_dir(&gone).unwrap();
        house.pickup.one(Place::DropBox, file.clone()).await;
        let left = |place: PathBuf| house.files(&place).len();
        assert_eq!((house.dropped(), left(house.pickup.spool.later()), left(house.pickup.spool.aside())), (0, 1, 2));
        assert_eq!((house.taken().len(), house.logged("alert spool.aside")), (1, 1), "each part is put away once");
        assert_eq!(*house.desk.tries.lock().unwrap(), 1);
        assert!(house.pickup.stuck.is_empty() && house.pickup.waiting.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn while_many_can_t_be_put_away_no_more_are_handed_in() {
    let mut house = House::new();
    std::fs::remove_dir(house.pickup.spool.aside()).unwrap();
    for _ in 0..=SPOOL_STUCK_MAX {
        house.put(&["a@t.example", "never@t.example"]);
    }
    for seconds in SPOOL_RETRY_SECONDS {
        house.look().await;
        assert_eq!((house.taken().len(), house.dropped()), (SPOOL_STUCK_MAX, SPOOL_STUCK_MAX + 1));
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
    std::fs::create_dir(house.pickup.spool.aside()).unwrap();
    house.look().await;
    tokio::time::advance(Duration::from_secs(900)).await;
    house.look().await;
    assert_eq!((house.taken().len(), house.dropped()), (SPOOL_STUCK_MAX + 1, 0));
}

#[tokio::test(start_paused = true)]
async fn another_file_of_the_same_name_is_handed_in() {
    let mut house = House::new();
    let aside = house.pickup.spool.aside();
    std::fs::remove_dir(&aside).unwrap();
    house.put(&["a@t.example", "never@t.example"]);
    house.look().await;
    let [file] = &house.files(&house.pickup.spool.drop_box())[..] else { panic!() };
    std::fs::File::options().write(true).open(file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    std::fs::create_dir(&aside).unwrap();
    tokio::time::advance(Duration::from_secs(900)).await;
    house.look().await;
    assert_eq!((house.taken().len(), house.dropped()), (2, 0));
}

#[tokio::test]
async fn what_can_t_be_believed_or_read_is_put_aside_once_and_told() {
    let mut house = House::new();
    let place = house.pickup.spool.drop_box();
    std::os::unix::fs::symlink("/etc/hostname", place.join("m.link")).unwrap();
    std::fs::write(place.join("m.junk"), "junk").unwrap();
    std::fs::write(place.join("m.large"), vec![b'x'; 10_001 + PARCEL_ENVELOPE_MAX]).unwrap();
    for name in ["m.junk", "m.large"] {
        std::fs::set_permissions(place.join(name), std::fs::Permissions::from_mode(0o640)).unwrap();
    }
    house.put(&["a@t.example"]);
    house.look().await;
    house.look().await;
    assert_eq!((house.taken().len(), house.dropped()), (1, 0));
    assert_eq!(house.logged("alert spool.aside"), 3, "{:?}", house.events.lines());
    let reasons: Vec<String> = house
        .files(&house.pickup.spool.aside())
        .iter()
        .filter(|f| f.extension().is_some())
        .map(|f| std::fs::read_to_string(f).unwrap())
        .collect();
    for part in ["can't be opened", "isn't a spooled message", "more than"] {
        assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:?}");
    }
}

#[tokio::test]
async fn a_spool_that_is_gone_is_told_once() {
    let mut house = House::new();
    std::fs::remove_dir(house.pickup.spool.drop_box()).unwrap();
    house.look().await;
    house.look().await;
    assert_eq!(house.logged("warn spool.unreadable"), 1);
}
