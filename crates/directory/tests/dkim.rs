//! DKIM keys over the real store: made, turned over in two steps, removed; still there after a restart; useless without the
//! server's secret.

#![expect(clippy::unwrap_used, reason = "a helper of tests may stop where something is not as it should be")]

use mailward_core::limits::{DKIM_KEYS_MAX, DKIM_SIGNATURE_TIME, DNS_STRING_MAX};
use mailward_core::{Clock, Domain, Secret, Timestamp};
use mailward_directory::{Directory, DirectoryError, Dkim, DkimInfo};
use mailward_store::records::DkimState;
use mailward_store::{LocalStore, Options};
use mailward_vault::Seal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-11-25, at noon by UTC.
const NOON: i64 = 1_795_608_000;

/// A clock that stands where it is put: the store's and the keys'.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

struct House {
    store: Arc<LocalStore>,
    directory: Arc<Directory>,
    dkim: Dkim,
    clock: Hands,
}

impl House {
    async fn at(dir: &Path, secret: &str) -> Self {
        let clock = Hands(Arc::new(AtomicI64::new(NOON)));
        let options = Options { clock: Arc::new(clock.clone()), ..Options::default() };
        let store = LocalStore::open(dir, options).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        let seal = Seal::new(&Secret::new(secret)).unwrap();
        let dkim = Dkim::with_clock(directory.clone(), store.clone(), seal, Arc::new(clock.clone()));
        Self { store, directory, dkim, clock }
    }
    async fn close(self) {
        drop((self.dkim, self.directory));
        self.store.close().await;
    }
    /// Selectors of those that sign now.
    async fn signing(&self, name: &str) -> Vec<String> {
        let signer = self.dkim.signer(&domain(name)).await.unwrap();
        signer.map(|signer| signer.selectors().map(str::to_owned).collect()).unwrap_or_default()
    }
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn told(keys: &[DkimInfo]) -> Vec<String> {
    keys.iter().map(|key| format!("{} {:?}", key.selector, key.state)).collect()
}

#[tokio::test]
async fn a_domain_s_keys_are_turned_over_in_two_steps() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    let a = domain("a.example");
    let (info, keys) = house.dkim.add_domain(a.clone()).await.unwrap();
    assert_eq!(info.name, a);
    assert_eq!(told(&keys), ["mw-20261125-r Active", "mw-20261125-e Active"], "the first pair signs at once");
    assert_eq!(house.signing("a.example").await, ["mw-20261125-r", "mw-20261125-e"]);
    assert!(matches!(house.dkim.activate(&a).await, Err(DirectoryError::NoNextKey(_))));

    house.clock.0.fetch_add(86_400, Ordering::SeqCst);
    let (keys, made) = house.dkim.rotate(&a).await.unwrap();
    assert!(made);
    assert_eq!(told(&keys)[..2], ["mw-20261126-r Next", "mw-20261126-e Next"]);
    assert_eq!(house.signing("a.example").await, ["mw-20261125-r", "mw-20261125-e"], "DNS has time");
    let (again, made) = house.dkim.rotate(&a).await.unwrap();
    assert!(!made && again == keys, "one pair to come is enough");

    house.clock.0.fetch_add(86_400, Ordering::SeqCst);
    let keys = house.dkim.activate(&a).await.unwrap();
    assert_eq!(house.signing("a.example").await, ["mw-20261126-r", "mw-20261126-e"], "from now on");
    assert_eq!(told(&keys)[2..], ["mw-20261125-r Retiring", "mw-20261125-e Retiring"]);
    let until = keys[2].until.unwrap();
    assert_eq!(until.secs(), NOON + 2 * 86_400 + i64::try_from(DKIM_SIGNATURE_TIME.as_secs()).unwrap());

    let remove = |selector: &'static str, now: bool| house.dkim.remove(&a, selector, now);
    let early = remove("mw-20261125-r", false).await.unwrap_err();
    assert!(matches!(early, DirectoryError::DkimStillVerified(..)), "{early}");
    assert!(early.to_string().contains("2026-12-04"), "{early}");
    assert_eq!(remove("mw-20261125-r", true).await.unwrap().selector, "mw-20261125-r");
    assert!(matches!(remove("mw-20261126-r", true).await, Err(DirectoryError::DkimSigns(..))));
    assert!(matches!(remove("mw-20261125-r", true).await, Err(DirectoryError::NoDkimKey(..))));
    house.clock.0.store(until.secs(), Ordering::SeqCst);
    remove("mw-20261125-e", false).await.unwrap();
    assert_eq!(told(&house.dkim.list(None).await.unwrap()), ["mw-20261126-r Active", "mw-20261126-e Active"]);
    house.close().await;
}

#[tokio::test]
async fn keys_of_one_day_have_a_number_and_a_domain_has_so_many_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    let a = domain("a.example");
    house.dkim.add_domain(a.clone()).await.unwrap();
    for pair in 2..=DKIM_KEYS_MAX / 2 {
        let (keys, _) = house.dkim.rotate(&a).await.unwrap();
        assert_eq!(keys[0].selector, format!("mw-20261125-{pair}-r"));
        house.dkim.activate(&a).await.unwrap();
    }
    assert!(matches!(house.dkim.rotate(&a).await, Err(DirectoryError::DkimFull(_))));
    house.close().await;
}

#[tokio::test]
async fn records_are_what_a_zone_file_needs() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    let (_, keys) = house.dkim.add_domain(domain("a.example")).await.unwrap();
    assert_eq!(keys[0].record.name, "mw-20261125-r._domainkey.a.example");
    assert!(keys[0].record.value.starts_with("v=DKIM1; k=rsa; h=sha256; p="));
    assert_eq!(keys[0].record.strings.concat(), keys[0].record.value);
    assert!(keys[0].record.strings.len() == 2 && keys[0].record.strings[0].len() == DNS_STRING_MAX);
    assert!(keys[1].record.value.starts_with("v=DKIM1; k=ed25519; h=sha256; p="));
    assert_eq!(keys[1].record.strings.len(), 1);
    house.close().await;
}

#[tokio::test]
async fn keys_sign_after_a_restart_and_not_without_the_server_s_secret() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    let (_, keys) = house.dkim.add_domain(domain("a.example")).await.unwrap();
    house.close().await;
    let house = House::at(dir.path(), "secret").await;
    assert_eq!(house.signing("a.example").await, ["mw-20261125-r", "mw-20261125-e"]);
    house.close().await;
    let house = House::at(dir.path(), "another").await;
    let error = house.dkim.signer(&domain("a.example")).await.unwrap_err();
    assert!(matches!(error, DirectoryError::DkimKey(..)), "{error}");
    assert!(error.to_string().contains("server.secret"), "{error}");
    // What is published is known all the same, and new keys help.
    assert_eq!(house.dkim.list(None).await.unwrap(), keys);
    house.dkim.rotate(&domain("a.example")).await.unwrap();
    house.dkim.activate(&domain("a.example")).await.unwrap();
    assert_eq!(house.signing("a.example").await, ["mw-20261125-2-r", "mw-20261125-2-e"]);
    house.close().await;
}

/// A copy of the store's files gives no key away, and what is at rest isn't what a key looks like.
#[tokio::test]
async fn no_private_key_is_in_the_store_s_files() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    house.dkim.add_domain(domain("a.example")).await.unwrap();
    house.close().await;
    // The beginnings of a PKCS#8 file, RSA and Ed25519, after its length.
    let rsa = [0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let ed25519 = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22];
    for entry in std::fs::read_dir(dir.path()).unwrap().filter_map(Result::ok).filter(|e| e.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(rsa.len()).any(|w| w == rsa), "{}", entry.path().display());
        assert!(!bytes.windows(ed25519.len()).any(|w| w == ed25519), "{}", entry.path().display());
    }
}

#[tokio::test]
async fn who_isn_t_ours_has_no_signer_and_a_domain_of_before_gets_keys_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    let (a, stranger) = (domain("a.example"), domain("far.example"));
    house.directory.add_domain(a.clone()).await.unwrap();
    assert!(house.dkim.signer(&a).await.unwrap().is_none());
    assert!(house.dkim.signer(&stranger).await.unwrap().is_none());
    assert!(matches!(house.dkim.rotate(&stranger).await, Err(DirectoryError::NoDomain(_))));
    assert!(matches!(house.dkim.list(Some(&stranger)).await, Err(DirectoryError::NoDomain(_))));
    let (keys, made) = house.dkim.rotate(&a).await.unwrap();
    assert!(made && keys.iter().all(|key| key.state == DkimState::Active), "{keys:?}");
    assert_eq!(house.signing("a.example").await.len(), 2);
    // Removed and added again it is another domain, whose keys are others.
    house.directory.remove_domain(&a).await.unwrap();
    assert!(house.dkim.signer(&a).await.unwrap().is_none());
    let before = keys[0].record.value.clone();
    let (_, keys) = house.dkim.add_domain(a.clone()).await.unwrap();
    assert_ne!(keys[0].record.value, before);
    assert_eq!(house.signing("a.example").await.len(), 2);
    house.close().await;
}

#[tokio::test]
async fn a_signer_is_made_once_as_long_as_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::at(dir.path(), "secret").await;
    let a = domain("a.example");
    house.dkim.add_domain(a.clone()).await.unwrap();
    let one = house.dkim.signer(&a).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&one, &house.dkim.signer(&a).await.unwrap().unwrap()));
    assert_eq!(one.domain(), &a);
    house.close().await;
}
