//! What an administrator is told of the quarantine, up to its limits.

use super::*;
use crate::control::{Call, Request};
use crate::secrets::PasswordWish;
use bytes::Bytes;
use mailward_core::config::Config;
use mailward_core::limits::{CONTROL_ANSWER_MAX, FINDING_EVIDENCE_MAX};
use mailward_core::{AccountId, Domain};
use mailward_inspect::policy::Rulebook;
use mailward_store::records::{
    Content, Delivery, Envelope, Flags, Kept, Lane, Needs, NewRecipient, Queued, Target, Ways,
};
use mailward_store::{LocalStore, Options};

struct House {
    desk: Desk,
    joe: AccountId,
    _dir: tempfile::TempDir,
}

fn joe() -> Address {
    "joe@a.example".parse().unwrap()
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let desk = Desk::over(store, dir.path(), &Config::default(), Rulebook::default()).await.unwrap();
    let name = Domain::parse("a.example").unwrap();
    desk.answer_call(Call::new(Request::DomainAdd { name })).await.unwrap();
    let added = Request::UserAdd {
        address: joe(),
        display_name: String::new(),
        password: PasswordWish::None,
        quota_bytes: 0,
        quota_messages: 0,
    };
    desk.answer_call(Call::new(added)).await.unwrap();
    let joe = desk.account(&joe()).unwrap();
    House { desk, joe, _dir: dir }
}

impl House {
    async fn keeps(&self, message: &[u8], note: &Note, queued: Vec<Queued>) -> QuarantineId {
        let structure = Structure::parse(message).to_bytes();
        let targets = vec![Target { account: self.joe, mailbox: None, flags: Flags::NONE }];
        let kept = Kept {
            ways: Ways { targets, queued },
            note: note.to_bytes(QUARANTINE_NOTE_MAX).into(),
            expires: Timestamp(i64::MAX),
            source: None,
        };
        let content = Content::new(Bytes::copy_from_slice(message), Bytes::from(structure));
        let delivery = Delivery { content, targets: Vec::new(), queued: Vec::new(), kept: Some(kept) };
        self.desk.store.deliver(delivery).await.unwrap().kept.unwrap()
    }
}

/// Something that is owed to so many addresses elsewhere.
fn queued(many: usize) -> Queued {
    let to = |number: usize| NewRecipient {
        address: format!("r{number}@far.example").parse().unwrap(),
        notify: None,
        original: None,
        lane: Lane::parse("far.example").unwrap(),
        held: None,
        due: Timestamp(0),
    };
    let envelope = Envelope {
        sender: None,
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: None,
        forwarded: None,
        arrived: Timestamp(0),
        warn: None,
        expires: Timestamp(i64::MAX),
    };
    Queued { envelope, recipients: (0..many).map(to).collect() }
}

#[tokio::test]
async fn a_page_of_the_list_has_its_limit_and_fits_an_answer_whatever_the_notes_are() {
    let house = house().await;
    let finding =
        |n: usize| Finding::new(Check::Spam, "x", Action::Junk, format!("{n:0>w$}", w = FINDING_EVIDENCE_MAX));
    let note = Note {
        id: "M1".to_owned(),
        recipients: vec!["somebody.with.a.long.name@far.example".to_owned(); 100],
        findings: (0..2_000).map(finding).collect(),
        ..Note::default()
    };
    assert!(note.to_bytes(usize::MAX).len() > QUARANTINE_NOTE_MAX);
    for number in 0..=QUARANTINE_LISTED {
        house.keeps(format!("Subject: {number}\r\n\r\n").as_bytes(), &note, Vec::new()).await;
    }
    let list = |before| Call::new(Request::Quarantine { ask: Ask::List { user: None, before, limit: usize::MAX } });
    let answer = house.desk.answer_call(list(None)).await.unwrap();
    assert!(u64::try_from(serde_json::to_vec(&answer).unwrap().len()).unwrap() < CONTROL_ANSWER_MAX / 2);
    let page: Page = serde_json::from_value(answer).unwrap();
    assert_eq!(page.messages.len(), QUARANTINE_LISTED);
    let next = page.next.unwrap();
    assert_eq!(next, page.messages.last().unwrap().id);
    let page: Page = serde_json::from_value(house.desk.answer_call(list(Some(next))).await.unwrap()).unwrap();
    assert_eq!((page.messages.len(), page.next), (1, None));
}

#[tokio::test]
async fn a_list_names_some_recipients_and_counts_all_and_show_names_all() {
    let house = house().await;
    let many = QUARANTINE_LISTED_RECIPIENTS + 5;
    let recipients = (0..many).map(|number| format!("r{number}@far.example")).collect();
    let id = house.keeps(b"Subject: a\r\n\r\n", &Note { recipients, ..Note::default() }, vec![queued(many)]).await;
    let page = house.desk.kept_list(None, None, 9).await.unwrap();
    let [entry] = page.messages.as_slice() else { panic!("{page:?}") };
    assert_eq!((entry.users.as_slice(), entry.recipients), ([joe()].as_slice(), many + 1));
    assert_eq!(
        (entry.elsewhere.len(), entry.note.recipients.len()),
        (QUARANTINE_LISTED_RECIPIENTS, QUARANTINE_LISTED_RECIPIENTS)
    );
    let shown = house.desk.kept_shown(id).await.unwrap();
    assert_eq!((shown.entry.elsewhere.len(), shown.entry.note.recipients.len()), (many, many));
    assert!(!shown.look.cut);
}

#[tokio::test]
async fn what_is_shown_of_a_message_has_limits_and_says_that_there_is_more() {
    let house = house().await;
    let head = format!("Subject: a\r\nX-Long: {}\r\n", "y ".repeat(400));
    let header = format!("{}\r\ntext\r\n", head.repeat(2 * QUARANTINE_HEADER_SHOWN_MAX / head.len()));
    let text = format!("Subject: a\r\n\r\n{}", lines(2 * QUARANTINE_TEXT_MAX));
    let mut parts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
    for number in 0..=QUARANTINE_PARTS_SHOWN_MAX {
        parts.push_str(&format!("--b\r\nContent-Type: application/pdf; name={number}.pdf\r\n\r\nx\r\n"));
    }
    parts.push_str("--b--\r\n");
    // Its text is short, and what it holds begins where nobody reads on.
    let large = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: a/b\r\n\r\n{}\r\n\
         --b\r\nContent-Type: c/d\r\n\r\nlast\r\n--b--\r\n",
        lines(QUARANTINE_READ_MAX)
    );
    for message in [&header, &text, &parts, &large] {
        let id = house.keeps(message.as_bytes(), &Note::default(), Vec::new()).await;
        let shown = house.desk.kept_shown(id).await.unwrap();
        assert!(shown.look.cut, "{}", message.chars().take(60).collect::<String>());
        assert!(shown.look.header.len() <= QUARANTINE_HEADER_SHOWN_MAX && shown.look.text.len() <= QUARANTINE_TEXT_MAX);
        assert!(shown.look.parts.len() <= QUARANTINE_PARTS_SHOWN_MAX);
        let answer = serde_json::to_vec(&shown).unwrap();
        assert!(u64::try_from(answer.len()).unwrap() < CONTROL_ANSWER_MAX / 2);
    }
    let id = house
        .keeps(
            parts.replace("--b\r\nContent-Type: application/pdf; name=0.pdf\r\n\r\nx\r\n", "").as_bytes(),
            &Note::default(),
            Vec::new(),
        )
        .await;
    let shown = house.desk.kept_shown(id).await.unwrap();
    assert_eq!(
        (shown.look.parts.len(), shown.look.cut),
        (QUARANTINE_PARTS_SHOWN_MAX, false),
        "as many as there may be"
    );
    let id = house.keeps(b"Subject: a\r\n\r\nhello\r\n", &Note::default(), Vec::new()).await;
    let shown = house.desk.kept_shown(id).await.unwrap();
    assert!(!shown.look.cut && shown.look.text.contains("hello"));
}

#[tokio::test]
async fn a_message_is_brought_in_pieces_to_its_last_byte() {
    let house = house().await;
    let piece = usize::try_from(QUARANTINE_PIECE).unwrap();
    let message = "x".repeat(piece + 1);
    let id = house.keeps(message.as_bytes(), &Note::default(), Vec::new()).await;
    let mut sizes = Vec::new();
    for from in [0, QUARANTINE_PIECE, u64::MAX] {
        let read = house.desk.kept_piece(id, from).await.unwrap();
        sizes.push((STANDARD.decode(&read.bytes).unwrap().len(), read.last));
    }
    assert_eq!(sizes, [(piece, false), (1, true), (0, true)]);
}

/// So many bytes of text in lines, or a few more.
fn lines(bytes: usize) -> String {
    let line = format!("{}\r\n", "word ".repeat(12).trim_end());
    line.repeat(bytes / line.len() + 1)
}
