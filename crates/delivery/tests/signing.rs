//! From a stored message to the signatures before it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a helper of tests may stop where something is not as it should be"
)]

use bytes::Bytes;
use mailward_core::limits::SIGN_PIECE;
use mailward_core::{AccountId, BlobId, Domain, MailboxName, Secret, Timestamp};
use mailward_delivery::{SignError, sign, sign_pieces};
use mailward_directory::{Directory, Dkim};
use mailward_store::records::{AccountChange, Content, Delivery, Flags, Target, UidRange};
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options, StoreError};
use mailward_vault::Seal;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_secs(1_764_105_749);

struct House {
    store: Arc<LocalStore>,
    dkim: Dkim,
    account: AccountId,
    _dir: tempfile::TempDir,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let directory = Directory::open(store.clone()).await.unwrap();
    let dkim = Dkim::new(directory, store.clone(), Seal::new(&Secret::new("secret")).unwrap());
    dkim.add_domain(domain("a.example")).await.unwrap();
    let id = store.domains().await.unwrap()[0].id;
    let add = AccountChange::Add {
        domain: id,
        local: "zoe".into(),
        display_name: String::new(),
        credential: [].into(),
        quota_bytes: 0,
        quota_messages: 0,
    };
    let account = store.change_account(add).await.unwrap().id;
    House { store, dkim, account, _dir: dir }
}

impl House {
    async fn stored(&self, message: &str) -> BlobId {
        let content = Content::new(Bytes::from(message.to_owned().into_bytes()), Bytes::from_static(b"s"));
        let targets = vec![Target { account: self.account, mailbox: None, flags: Flags::NONE }];
        let delivered =
            self.store.deliver(Delivery { content, targets, queued: Vec::new(), kept: None }).await.unwrap();
        let inbox = self.store.mailbox(self.account, MailboxName::inbox()).await.unwrap();
        let rows = self.store.messages(inbox.id, vec![UidRange::one(delivered.delivered[0].uid)], 1).await.unwrap();
        rows[0].blob
    }
    async fn signed(&self, blob: BlobId, from: &str) -> Result<Option<Bytes>, SignError> {
        sign(&self.dkim, self.store.as_ref(), blob, &domain(from), NOW).await
    }
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

/// A message of so many bytes, or one or two fewer.
fn message(size: usize) -> String {
    let mut message = "From: zoe@a.example\r\nTo: b@b.example\r\n\r\n".to_owned();
    while message.len() < size - 2 {
        message.push_str("a  few words\t");
        if message.len().is_multiple_of(7) {
            message.push_str("\r\n");
        }
    }
    message.truncate(size - 2);
    // What was cut may end in half a line end.
    format!("{}\r\n", message.trim_end_matches(['\r', '\n']))
}

#[tokio::test]
async fn a_stored_message_of_any_size_is_signed_as_the_same_message_at_hand() {
    let house = house().await;
    let piece = usize::try_from(SIGN_PIECE).unwrap();
    for size in [100, piece - 1, piece, piece + 1, 3 * piece + 5] {
        let message = message(size);
        let blob = house.stored(&message).await;
        let fields = house.signed(blob, "a.example").await.unwrap().unwrap();
        let text = String::from_utf8(fields.to_vec()).unwrap();
        assert_eq!(text.matches("DKIM-Signature: v=1; a=").count(), 2, "{text}");
        assert!(text.contains("d=a.example;") && text.ends_with("\r\n") && !text.contains("\r\n\r\n"), "{text}");
        let pieces = message.as_bytes().chunks(1_000);
        let at_hand = sign_pieces(&house.dkim, pieces, &domain("a.example"), NOW).await.unwrap().unwrap();
        assert_eq!(at_hand, fields, "{size}");
    }
    house.store.close().await;
}

#[tokio::test]
async fn who_isn_t_ours_isn_t_signed_for() {
    let house = house().await;
    let blob = house.stored("From: x@far.example\r\n\r\nbody\r\n").await;
    assert_eq!(house.signed(blob, "far.example").await.unwrap(), None);
    assert_eq!(sign_pieces(&house.dkim, [], &domain("far.example"), NOW).await.unwrap(), None);
    house.store.close().await;
}

#[tokio::test]
async fn what_can_t_be_signed_says_whether_it_is_the_message_or_the_store() {
    let house = house().await;
    let blob = house.stored("Subject: nobody's\r\n\r\nbody\r\n").await;
    let error = house.signed(blob, "a.example").await.unwrap_err();
    assert!(matches!(error, SignError::Message(_)) && error.to_string().contains("0 From fields"), "{error}");
    let error = house.signed(BlobId(9_999), "a.example").await.unwrap_err();
    assert!(matches!(error, SignError::Store(StoreError::NotFound(_))), "{error}");
    house.store.close().await;
    let error = house.signed(blob, "a.example").await.unwrap_err();
    assert!(matches!(error, SignError::Store(_) | SignError::Keys(_)), "{error}");
}
