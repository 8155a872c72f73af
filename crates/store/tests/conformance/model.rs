//! Random steps on the store and on a plain model of it, compared after each.

use crate::support::*;
use mailward_core::{ModSeq, Uid};
use mailward_store::records::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Deliver { text: u8 },
    Flag { uid: u32, action: u8, flags: u32 },
    Copy { uid: u32 },
    Move { uid: u32 },
    Expunge { any: bool, uid: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(|text| Step::Deliver { text: text % 5 }),
        (1..12u32, 0..3u8, 0..32u32).prop_map(|(uid, action, flags)| Step::Flag { uid, action, flags }),
        (1..12u32).prop_map(|uid| Step::Copy { uid }),
        (1..12u32).prop_map(|uid| Step::Move { uid }),
        (any::<bool>(), 1..12u32).prop_map(|(any, uid)| Step::Expunge { any, uid }),
    ]
}

/// UID to text and flags, of INBOX and of Archive.
#[derive(Default)]
struct Model {
    inbox: BTreeMap<u32, (String, u32)>,
    archive: BTreeMap<u32, (String, u32)>,
    next: (u32, u32),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_store_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let w = world().await;
            let inbox = w.inbox(w.alice).await.id;
            let archive = w.store.mailbox(w.alice, name("Archive")).await.unwrap().id;
            let mut model = Model { next: (1, 1), ..Model::default() };
            let mut last = ModSeq(0);
            let mut replica = Replica::default();
            for (count, step) in steps.into_iter().enumerate() {
                run(&w, inbox, archive, &mut model, step).await;
                compare(&w, &model, &mut last).await;
                if count % 3 != 0 {
                    replica.follow(&w, inbox, &model.inbox).await;
                }
            }
        });
    }
}

/// Somebody who only ever asks what changed.
#[derive(Default)]
struct Replica {
    since: Option<ModSeq>,
    flags: BTreeMap<u32, u32>,
}

impl Replica {
    async fn follow(&mut self, w: &World, inbox: mailward_core::MailboxId, expect: &BTreeMap<u32, (String, u32)>) {
        let changes = w.store.changes_since(inbox, self.since.unwrap_or(ModSeq(0))).await.unwrap();
        for message in changes.changed {
            self.flags.insert(message.uid.0, message.flags.0);
        }
        for uid in changes.vanished {
            self.flags.remove(&uid.0);
        }
        self.since = changes.mod_seq;
        let expect: BTreeMap<u32, u32> = expect.iter().map(|(uid, (_, flags))| (*uid, *flags)).collect();
        assert_eq!(self.flags, expect, "what changed doesn't lead to what is");
    }
}

async fn run(
    w: &World,
    inbox: mailward_core::MailboxId,
    archive: mailward_core::MailboxId,
    model: &mut Model,
    step: Step,
) {
    let one = |uid: u32| vec![UidRange::one(Uid(uid))];
    match step {
        Step::Deliver { text } => {
            w.deliver(&format!("text {text}"), &[w.alice]).await;
            model.inbox.insert(model.next.0, (format!("text {text}"), 0));
            model.next.0 += 1;
        }
        Step::Flag { uid, action, flags } => {
            let kind = [FlagAction::Add, FlagAction::Remove, FlagAction::Replace][usize::from(action)];
            let change = FlagChange {
                ranges: one(uid),
                action: kind,
                flags: Flags(flags),
                keywords: vec![],
                unchanged_since: None,
            };
            w.store.change_flags(inbox, change).await.unwrap();
            if let Some((_, held)) = model.inbox.get_mut(&uid) {
                *held = match kind {
                    FlagAction::Add => *held | flags,
                    FlagAction::Remove => *held & !flags,
                    FlagAction::Replace => flags,
                };
            }
        }
        Step::Copy { uid } | Step::Move { uid } => {
            let take = matches!(step, Step::Move { .. });
            if take {
                w.store.move_messages(inbox, one(uid), archive).await.unwrap();
            } else {
                w.store.copy(inbox, one(uid), archive).await.unwrap();
            }
            if let Some(message) = model.inbox.get(&uid).cloned() {
                model.archive.insert(model.next.1, message);
                model.next.1 += 1;
                if take {
                    model.inbox.remove(&uid);
                }
            }
        }
        Step::Expunge { any, uid } => {
            let ranges = if any { one(uid) } else { vec![UidRange::ALL] };
            w.store.expunge(inbox, ranges, any).await.unwrap();
            model.inbox.retain(|at, (_, flags)| if any { *at != uid } else { *flags & Flags::DELETED.0 == 0 });
        }
    }
}

async fn compare(w: &World, model: &Model, last: &mut ModSeq) {
    for (mailbox, expect, next) in [("INBOX", &model.inbox, model.next.0), ("Archive", &model.archive, model.next.1)] {
        let record = w.store.mailbox(w.alice, name(mailbox)).await.unwrap();
        let messages = w.store.messages(record.id, vec![UidRange::ALL], usize::MAX).await.unwrap();
        let texts = w.texts(&record).await;
        let held: BTreeMap<u32, (String, u32)> =
            messages.iter().zip(texts).map(|(m, text)| (m.uid.0, (text, m.flags.0))).collect();
        assert_eq!(&held, expect);
        assert_eq!(record.uid_next.0, next);
        let runs = w.store.open(record.id).await.unwrap().uids;
        assert!(runs.windows(2).all(|w| w[0].last.0 + 1 < w[1].first.0), "runs touch: {runs:?}");
        let uids: Vec<u32> = runs.iter().flat_map(|run| run.first.0..=run.last.0).collect();
        assert_eq!(uids, expect.keys().copied().collect::<Vec<_>>(), "known without the messages");
        assert_eq!(record.messages as usize, expect.len());
        assert_eq!(record.unseen as usize, expect.values().filter(|(_, f)| f & Flags::SEEN.0 == 0).count());
        assert_eq!(record.deleted as usize, expect.values().filter(|(_, f)| f & Flags::DELETED.0 != 0).count());
        assert!(messages.iter().all(|m| m.mod_seq <= record.mod_seq));
        if mailbox == "INBOX" {
            assert!(record.mod_seq >= *last, "modification sequences never fall");
            *last = record.mod_seq;
        }
    }
}
