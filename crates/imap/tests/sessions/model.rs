//! Several sessions act at random in two mailboxes, one step at a time; after each, what the session was told is held
//! against a plain model of what the mailboxes are. Some tell lies instead of what the server said: those must be found.

use crate::believing::Contradiction;
use crate::playing::World;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Which messages: the first and how many, by whatever there are.
pub type Which = (u8, u8);

#[derive(Clone, Debug)]
pub enum Step {
    Deliver,
    Append {
        to: usize,
        flags: u8,
    },
    Store {
        uid: bool,
        which: Which,
        sign: u8,
        flags: u8,
        silent: bool,
    },
    /// UNCHANGEDSINCE what this session was told last.
    StoreIf {
        uid: bool,
        which: Which,
        flags: u8,
    },
    Fetch {
        uid: bool,
        which: Which,
    },
    Read {
        uid: bool,
        which: Which,
    },
    Search {
        which: Which,
    },
    Expunge,
    UidExpunge {
        which: Which,
    },
    Copy {
        uid: bool,
        which: Which,
        to: usize,
        remove: bool,
    },
    Noop,
    Idle,
    Select {
        mailbox: usize,
    },
    Leave,
    /// The wire is cut; who can, comes back with what it knew (RFC 7162 §3.2.5).
    Return {
        tells_known: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let which = || (any::<u8>(), any::<u8>());
    prop_oneof![
        3 => Just(Step::Deliver),
        4 => (0..2usize, any::<u8>()).prop_map(|(to, flags)| Step::Append { to, flags }),
        9 => (any::<bool>(), which(), 0..3u8, any::<u8>(), any::<bool>())
            .prop_map(|(uid, which, sign, flags, silent)| Step::Store { uid, which, sign, flags, silent }),
        3 => (any::<bool>(), which(), any::<u8>()).prop_map(|(uid, which, flags)| Step::StoreIf { uid, which, flags }),
        4 => (any::<bool>(), which()).prop_map(|(uid, which)| Step::Fetch { uid, which }),
        2 => (any::<bool>(), which()).prop_map(|(uid, which)| Step::Read { uid, which }),
        2 => which().prop_map(|which| Step::Search { which }),
        5 => Just(Step::Expunge),
        2 => which().prop_map(|which| Step::UidExpunge { which }),
        4 => (any::<bool>(), which(), 0..2usize, any::<bool>())
            .prop_map(|(uid, which, to, remove)| Step::Copy { uid, which, to, remove }),
        3 => Just(Step::Noop),
        1 => Just(Step::Idle),
        1 => (0..2usize).prop_map(|mailbox| Step::Select { mailbox }),
        1 => Just(Step::Leave),
        6 => any::<bool>().prop_map(|tells_known| Step::Return { tells_known }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    // A few at a time, so that a session does something between what others do, and they while it does nothing.
    let some = (0..World::SESSIONS, proptest::collection::vec(step(), 1..6));
    proptest::collection::vec(some, 20).prop_map(|some| {
        some.into_iter().flat_map(|(by, steps)| steps.into_iter().map(move |step| (by, step))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_session_is_told_what_is(steps in steps()) {
        let (_, contradiction) = play(steps, None);
        prop_assert_eq!(contradiction, Ok(()));
    }
}

/// A false word in place of a true one.
#[derive(Clone, Copy, Debug)]
pub enum Lie {
    KeepsAnExpunge,
    ExpungesAnother,
    KeepsExists,
    CountsOneMore,
    LosesAFlag,
    InventsAFlag,
    MeansAnother,
    RepeatsAModSeq,
    SilencesAChange,
    KeepsVanished,
}

const LIES: [Lie; 10] = [
    Lie::KeepsAnExpunge,
    Lie::ExpungesAnother,
    Lie::KeepsExists,
    Lie::CountsOneMore,
    Lie::LosesAFlag,
    Lie::InventsAFlag,
    Lie::MeansAnother,
    Lie::RepeatsAModSeq,
    Lie::SilencesAChange,
    Lie::KeepsVanished,
];

impl Lie {
    /// The false word for a true one, if it is of this kind; nothing at all is an answer too.
    pub fn tell(self, line: &str) -> Option<String> {
        if line.starts_with("* VANISHED ") && !line.contains("EARLIER") {
            return matches!(self, Lie::KeepsVanished).then(String::new);
        }
        let (number, what) = line.strip_prefix("* ")?.split_once(' ')?;
        let number: usize = number.parse().ok()?;
        let other = |number: usize| format!("* {number} {what}");
        match (self, what.split(' ').next()?) {
            (Lie::KeepsAnExpunge, "EXPUNGE") | (Lie::KeepsExists, "EXISTS") => Some(String::new()),
            (Lie::ExpungesAnother, "EXPUNGE") => Some(other(number + 1)),
            (Lie::CountsOneMore, "EXISTS") => Some(other(number + 1)),
            (Lie::LosesAFlag, "FETCH") if what.contains("\\Flagged") => Some(line.replacen("\\Flagged", "", 1)),
            (Lie::InventsAFlag, "FETCH") if what.contains("FLAGS ()") => Some(line.replacen("()", "(\\Flagged)", 1)),
            (Lie::MeansAnother, "FETCH") if what.contains("UID ") => Some(other(number + 1)),
            (Lie::RepeatsAModSeq, "FETCH") if what.contains("MODSEQ (") => {
                let (before, _) = line.split_once("MODSEQ (")?;
                Some(format!("{before}MODSEQ (1))"))
            }
            (Lie::SilencesAChange, "FETCH") if what.contains("UID ") && what.contains("FLAGS (") => Some(String::new()),
            _ => None,
        }
    }
}

/// Who can't find a lie finds no error either.
#[test]
fn no_lie_stays_unnoticed() {
    let mut runner = TestRunner::deterministic();
    for lie in LIES {
        let told = (0..8).any(|_| {
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let (told, contradiction) = play(steps, Some(lie));
            assert!(!told || contradiction.is_err(), "{lie:?} was told and believed");
            told
        });
        let can_be_told = !matches!(lie, Lie::KeepsVanished) || offers_qresync();
        assert!(told || !can_be_told, "{lie:?} was never told");
    }
}

fn offers_qresync() -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { World::new(None).await.offers_qresync() })
}

/// Plays the steps; answers whether the lie was told, and what couldn't be so.
fn play(steps: Vec<(usize, Step)>, lie: Option<Lie>) -> (bool, Result<(), Contradiction>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(lie).await;
        let mut result = Ok(());
        for (at, (by, step)) in steps.into_iter().enumerate() {
            let shown = format!("step {}, session {by}, {step:?}", at + 1);
            result = world.run(at + 1, by, step).await.map_err(|why| format!("{shown}: {why}"));
            if result.is_err() {
                break;
            }
        }
        (world.told, result)
    })
}
