//! Who watches logins is asked of every one, and told what came of it, once.

use super::fake::{House, PASSWORD, peer, tls13};
use crate::{Attempt, Authenticator, Before, Directory, Failed, LoginError, LoginWatch, SaslStep};
use mailward_core::limits::{AUTH_FAILURE_DELAY, LOGIN_WAIT_MAX};
use mailward_core::{Peer, Secret};
use mailward_store::DirectoryStore;
use mailward_vault::Hasher;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Writes down what it is told, and says what it is told to say.
struct Watch {
    says: Mutex<(Before, Before)>,
    heard: Mutex<Vec<String>>,
    remembered: Mutex<Vec<bool>>,
}

impl Watch {
    fn hear(&self, what: &str, attempt: &Attempt<'_>) {
        let account = attempt.account.map_or("nobody", |_| "somebody");
        let mark = if attempt.mark.is_some() { "mark" } else { "no mark" };
        self.heard.lock().unwrap().push(format!("{what} {} {account} {mark}", attempt.user));
    }
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
    fn says(&self, before: Before, again: Before) {
        *self.says.lock().unwrap() = (before, again);
    }
}

impl LoginWatch for Watch {
    fn before(&self, attempt: &Attempt<'_>) -> Before {
        self.hear("before", attempt);
        self.remembered.lock().unwrap().push(attempt.remembered);
        self.says.lock().unwrap().0
    }
    fn again(&self, attempt: &Attempt<'_>) -> Before {
        self.hear("again", attempt);
        self.says.lock().unwrap().1
    }
    fn succeeded(&self, attempt: &Attempt<'_>) {
        self.hear("succeeded", attempt);
    }
    fn failed(&self, attempt: &Attempt<'_>, why: Failed) {
        self.hear(&format!("{why:?}"), attempt);
    }
    fn malformed(&self, _: &Peer) {
        self.heard.lock().unwrap().push("malformed".to_owned());
    }
}

struct Watched {
    house: House,
    watch: Arc<Watch>,
    auth: Arc<Authenticator>,
}

async fn watched() -> Watched {
    let house = House::new(&["example.test"]).await;
    house.user_with_password("alice@example.test").await;
    house.user_with_password("bob@example.test").await;
    house.disable("bob@example.test").await;
    let watch = Arc::new(Watch {
        says: Mutex::new((Before::Go, Before::Go)),
        heard: Mutex::default(),
        remembered: Mutex::default(),
    });
    let auth = with(&house, house.directory.clone(), &watch);
    Watched { house, watch, auth }
}

fn with(house: &House, directory: Arc<Directory>, watch: &Arc<Watch>) -> Arc<Authenticator> {
    Authenticator::watched(directory, house.events.clone(), Secret::new("secret"), watch.clone())
}

impl Watched {
    async fn password(&self, user: &str, password: &str) -> Result<(), LoginError> {
        self.auth.password(user, &Secret::new(password), Some(&tls13()), &peer()).await.map(drop)
    }
    async fn sasl(&self, mechanism: &str, messages: &[&[u8]]) -> Result<(), LoginError> {
        let mut sasl = self.auth.begin(mechanism, Some(&tls13()), &peer())?;
        for message in messages {
            if let SaslStep::Done(_) = sasl.step(Some(message)).await? {
                return Ok(());
            }
        }
        panic!("{mechanism} goes on");
    }
    async fn plain(&self, user: &str, password: &str) -> Result<(), LoginError> {
        self.sasl("PLAIN", &[format!("\0{user}\0{password}").as_bytes()]).await
    }
    async fn login(&self, user: &str, password: &str) -> Result<(), LoginError> {
        self.sasl("LOGIN", &[user.as_bytes(), password.as_bytes()]).await
    }
    /// A SCRAM exchange whose proof is made up.
    async fn scram(&self, user: &str) -> Result<(), LoginError> {
        let mut sasl = self.auth.begin("SCRAM-SHA-256", Some(&tls13()), &peer())?;
        let SaslStep::Challenge(first) = sasl.step(Some(format!("n,,n={user},r=mine").as_bytes())).await? else {
            panic!()
        };
        let first = String::from_utf8(first).unwrap();
        let nonce = first.split(',').next().unwrap();
        sasl.step(Some(format!("c=biws,{nonce},p={}", "A".repeat(43) + "=").as_bytes())).await.map(drop)
    }
}

/// Who watches may let pass what was right lately, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_password_that_was_right_lately_is_told_to_who_watches() {
    let w = watched().await;
    w.password("alice@example.test", PASSWORD).await.unwrap();
    w.plain("alice@example.test", PASSWORD).await.unwrap();
    for user in ["alice@example.test", "bob@example.test", "nobody@example.test"] {
        let password = if user.starts_with("alice") { "wrong" } else { PASSWORD };
        assert_eq!(w.password(user, password).await, Err(LoginError::Refused));
    }
    let other = format!("bob@example.test\0alice@example.test\0{PASSWORD}");
    assert_eq!(w.sasl("PLAIN", &[other.as_bytes()]).await, Err(LoginError::Refused));
    assert_eq!(*w.watch.remembered.lock().unwrap(), [false, true, false, false, false, false]);
}

/// No way round it.
#[tokio::test(start_paused = true)]
async fn every_mechanism_asks_first_and_tells_once() {
    let w = watched().await;
    for user in ["alice@example.test", "nobody@example.test", "bob@example.test"] {
        let who = if user.starts_with("nobody") { "nobody" } else { "somebody" };
        let told = |mark: &str| vec![format!("before {user} {who} {mark}"), format!("Wrong {user} {who} {mark}")];
        assert_eq!(w.password(user, "wrong").await, Err(LoginError::Refused));
        assert_eq!(w.watch.heard(), told("mark"));
        assert_eq!(w.plain(user, "wrong").await, Err(LoginError::Refused));
        assert_eq!(w.watch.heard(), told("mark"));
        assert_eq!(w.login(user, "wrong").await, Err(LoginError::Refused));
        assert_eq!(w.watch.heard(), told("mark"));
        assert_eq!(w.scram(user).await, Err(LoginError::Refused));
        assert_eq!(w.watch.heard(), told("no mark"));
    }
    let told = ["before alice@example.test somebody mark", "succeeded alice@example.test somebody mark"];
    assert_eq!(w.password("ALICE", PASSWORD).await, Ok(()));
    assert_eq!(w.watch.heard(), told);
    assert_eq!(w.plain("alice", PASSWORD).await, Ok(()), "remembered, and asked all the same");
    assert_eq!(w.watch.heard(), told);
    let other = format!("bob@example.test\0alice@example.test\0{PASSWORD}");
    assert_eq!(w.sasl("PLAIN", &[other.as_bytes()]).await, Err(LoginError::Refused));
    assert_eq!(w.watch.heard()[1], "Other alice@example.test somebody mark", "the password was right");
}

/// Attacks C8.
#[tokio::test(start_paused = true)]
async fn what_is_malformed_names_nobody() {
    let w = watched().await;
    for (mechanism, messages) in [
        ("PLAIN", vec![b"x".as_slice()]),
        ("LOGIN", vec![b"\xff".as_slice()]),
        ("SCRAM-SHA-256", vec![b"x".as_slice()]),
        ("SCRAM-SHA-256", vec![b"p=tls-exporter,,n=alice,r=x".as_slice()]),
    ] {
        assert!(w.sasl(mechanism, &messages).await.is_err());
        assert_eq!(w.watch.heard(), ["malformed"], "{mechanism}");
    }
    let mut sasl = w.auth.begin("SCRAM-SHA-256", Some(&tls13()), &peer()).unwrap();
    sasl.step(Some(b"n,,n=alice,r=mine")).await.unwrap();
    assert_eq!(w.watch.heard(), [""; 0], "nothing is guessed yet");
    assert_eq!(sasl.step(Some(b"x")).await.err(), Some(LoginError::Malformed));
    assert_eq!(w.watch.heard()[1], "Malformed alice@example.test somebody no mark");
}

/// Attacks A6, C4, C13: refused unseen looks like a wrong password, and costs nothing.
#[tokio::test(start_paused = true)]
async fn who_is_refused_waits_as_long_as_with_a_wrong_password_and_nothing_is_hashed() {
    let mut w = watched().await;
    // No hash is free: whoever gets another answer than this got by without one.
    let store = Arc::clone(&w.house.store) as Arc<dyn DirectoryStore>;
    let busy = Directory::open_with(store, Hasher::with_limits(0, 0)).await.unwrap();
    w.auth = with(&w.house, busy, &w.watch);
    assert_eq!(w.password("alice@example.test", "wrong").await, Err(LoginError::Busy));
    assert_eq!(w.watch.heard()[1], "Undecided alice@example.test somebody mark");
    w.watch.says(Before::Refuse, Before::Refuse);
    for user in ["alice@example.test", "nobody@example.test", "bob@example.test"] {
        for password in [PASSWORD, "wrong"] {
            for way in 0..4 {
                let start = Instant::now();
                let answer = match way {
                    0 => w.password(user, password).await,
                    1 => w.plain(user, password).await,
                    2 => w.login(user, password).await,
                    _ => w.scram(user).await,
                };
                assert_eq!(answer, Err(LoginError::Refused), "{user} {way}");
                assert_eq!(start.elapsed(), AUTH_FAILURE_DELAY, "{user} {way}");
                let heard = w.watch.heard();
                assert!(heard.len() == 2 && heard[1].starts_with("Refused "), "{heard:?}");
            }
        }
    }
    assert!(w.house.events.lines().iter().any(|line| line.contains("reason=guard")));
}

#[tokio::test(start_paused = true)]
async fn who_is_to_wait_waits_and_is_asked_again() {
    let mut w = watched().await;
    let time = Duration::from_secs(4);
    w.watch.says(Before::Wait(time), Before::Go);
    let start = Instant::now();
    assert_eq!(w.password("alice@example.test", PASSWORD).await, Ok(()));
    assert_eq!(start.elapsed(), time);
    assert_eq!(w.watch.heard().len(), 3);
    let start = Instant::now();
    assert_eq!(w.plain("alice@example.test", "wrong").await, Err(LoginError::Refused));
    assert_eq!(start.elapsed(), time + AUTH_FAILURE_DELAY);
    w.watch.says(Before::Wait(Duration::MAX), Before::Wait(time));
    let start = Instant::now();
    assert_eq!(w.scram("alice@example.test").await, Err(LoginError::Refused));
    assert_eq!(start.elapsed(), LOGIN_WAIT_MAX + AUTH_FAILURE_DELAY, "bounded, and a second wait is a refusal");
    w.watch.heard();
    // While it waits it holds no place for hashing, and who goes away then is told apart.
    let store = Arc::clone(&w.house.store) as Arc<dyn DirectoryStore>;
    let one = Directory::open_with(store, Hasher::with_limits(1, 0)).await.unwrap();
    w.auth = with(&w.house, one, &w.watch);
    w.watch.says(Before::Wait(time), Before::Go);
    let mut waiting = Box::pin(w.password("alice@example.test", "wrong"));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err());
    w.watch.says(Before::Go, Before::Go);
    assert_eq!(w.password("alice@example.test", PASSWORD).await, Ok(()));
    w.watch.heard();
    drop(waiting);
    assert_eq!(w.watch.heard(), ["Left alice@example.test somebody mark"]);
}

#[tokio::test]
async fn who_goes_away_while_a_password_is_looked_at_is_told() {
    let w = watched().await;
    let mut going = Box::pin(w.password("alice@example.test", "wrong"));
    // Polled once: the hash has begun.
    assert!(tokio::time::timeout(Duration::ZERO, &mut going).await.is_err());
    drop(going);
    assert_eq!(w.watch.heard()[1], "Abandoned alice@example.test somebody mark");
}
