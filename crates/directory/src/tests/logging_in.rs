//! Who gets in, and what the others see.

use super::fake::{House, PASSWORD, address, peer, tls13};
use crate::{Authenticator, Directory, DirectoryError, Login, LoginError, NewPassword, SaslStep};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailward_core::Secret;
use mailward_core::limits::{AUTH_FAILURE_DELAY, SASL_LINE_MAX};
use mailward_store::DirectoryStore;
use mailward_vault::{ChannelBindings, Hasher};
use std::sync::Arc;
use tokio::time::Instant;

/// Alice; Bob, disabled; Carol, without a password; an alias.
async fn house() -> House {
    let house = House::new(&["example.test"]).await;
    house.user_with_password("alice@example.test").await;
    house.user_with_password("bob@example.test").await;
    house.disable("bob@example.test").await;
    house.user("carol@example.test").await;
    house.alias("sales@example.test", &["alice@example.test"]).await;
    house
}

async fn password(house: &House, user: &str, password: &str) -> Result<String, LoginError> {
    let secret = Secret::new(password);
    house.auth.password(user, &secret, Some(&tls13()), &peer()).await.map(|login| login.address().to_string())
}

/// Plays an exchange whose messages don't depend on the answers.
async fn play(house: &House, mechanism: &str, messages: &[Option<&[u8]>]) -> Result<Login, LoginError> {
    let mut sasl = house.auth.begin(mechanism, Some(&tls13()), &peer())?;
    let mut last = None;
    for message in messages {
        last = Some(sasl.step(*message).await?);
    }
    match last {
        Some(SaslStep::Done(login)) => Ok(login),
        other => panic!("{mechanism} did not end: {other:?}"),
    }
}

/// A SCRAM client by RFC 5802, which may be told to lie.
struct Scram<'a> {
    mechanism: &'a str,
    header: &'a str,
    bound: &'a [u8],
    user: &'a str,
    password: &'a str,
}

const ALICE: Scram<'static> =
    Scram { mechanism: "SCRAM-SHA-256", header: "n,,", bound: b"", user: "alice@example.test", password: PASSWORD };
const ALICE_PLUS: Scram<'static> =
    Scram { mechanism: "SCRAM-SHA-256-PLUS", header: "p=tls-exporter,,", bound: &[7; 32], ..ALICE };

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

impl Scram<'_> {
    fn first(&self) -> String {
        format!("{}n={},r=clientnonce", self.header, self.user.replace('=', "=3D").replace(',', "=2C"))
    }
    /// The client-final message and the server signature to expect.
    fn last(&self, server_first: &str) -> (String, Vec<u8>) {
        let field = |name: &str| server_first.split(',').find_map(|f| f.strip_prefix(name)).unwrap();
        let mut bound = self.header.as_bytes().to_vec();
        bound.extend_from_slice(self.bound);
        let without_proof = format!("c={},r={}", STANDARD.encode(bound), field("r="));
        let bare = self.first().strip_prefix(self.header).unwrap().to_owned();
        let auth = format!("{bare},{server_first},{without_proof}");
        let mut salted = [0u8; 32];
        let salt = STANDARD.decode(field("s=")).unwrap();
        let rounds = field("i=").parse().unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, self.password.as_bytes(), &mut salted);
        let client_key = sign(&salted, b"Client Key");
        let signature = sign(digest::digest(&digest::SHA256, &client_key).as_ref(), auth.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(k, s)| k ^ s).collect();
        let answer = sign(&sign(&salted, b"Server Key"), auth.as_bytes());
        (format!("{without_proof},p={}", STANDARD.encode(proof)), answer)
    }
    async fn server_first(&self, house: &House, tls: &ChannelBindings) -> Result<(crate::Sasl, String), LoginError> {
        let mut sasl = house.auth.begin(self.mechanism, Some(tls), &peer())?;
        let SaslStep::Challenge(challenge) = sasl.step(Some(self.first().as_bytes())).await? else {
            panic!("SCRAM ended with the first message");
        };
        Ok((sasl, String::from_utf8(challenge).unwrap()))
    }
    async fn play_over(&self, house: &House, tls: &ChannelBindings) -> Result<Login, LoginError> {
        let (mut sasl, server_first) = self.server_first(house, tls).await?;
        let (last, expected) = self.last(&server_first);
        let SaslStep::Challenge(answer) = sasl.step(Some(last.as_bytes())).await? else {
            panic!("SCRAM ended without the server's proof");
        };
        assert_eq!(String::from_utf8(answer).unwrap(), format!("v={}", STANDARD.encode(expected)));
        match sasl.step(Some(b"")).await? {
            SaslStep::Done(login) => Ok(login),
            SaslStep::Challenge(_) => panic!("SCRAM goes on"),
        }
    }
    async fn play(&self, house: &House) -> Result<Login, LoginError> {
        self.play_over(house, &tls13()).await
    }
}

#[tokio::test]
async fn a_user_gets_in_by_every_way_there_is() {
    let house = house().await;
    let message = format!("\0alice@example.test\0{PASSWORD}");
    let plain = message.as_bytes();
    assert!(play(&house, "PLAIN", &[Some(plain)]).await.is_ok());
    assert!(play(&house, "plain", &[None, Some(plain)]).await.is_ok());
    let login: [&[u8]; 2] = [b"alice@example.test", PASSWORD.as_bytes()];
    assert!(play(&house, "LOGIN", &[Some(login[0]), Some(login[1])]).await.is_ok());
    assert!(play(&house, "LOGIN", &[None, Some(login[0]), Some(login[1])]).await.is_ok());
    assert!(ALICE.play(&house).await.is_ok());
    assert!(ALICE_PLUS.play(&house).await.is_ok());
    assert!(password(&house, "alice@example.test", PASSWORD).await.is_ok());
    let lines = house.events.lines();
    assert_eq!(lines.iter().filter(|l| l.starts_with("info login.succeeded")).count(), 7);
    assert!(lines[0].contains("session=7 from=local listener=submission user=alice@example.test mechanism=PLAIN"));
}

/// Who looks for logins that a weak connection carried, or for a program that is too old, finds them in the log.
#[tokio::test]
async fn the_log_tells_what_carried_a_login_whatever_came_of_it() {
    let house = house().await;
    assert!(play(&house, "PLAIN", &[Some(b"\0alice@example.test\0wrong")]).await.is_err());
    assert!(play(&house, "PLAIN", &[Some(b"no message of it")]).await.is_err());
    assert!(password(&house, "nobody@example.test", PASSWORD).await.is_err());
    assert!(password(&house, "alice@example.test", PASSWORD).await.is_ok());
    let lines = house.events.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, mechanism) in lines.iter().zip(["PLAIN", "PLAIN", "password", "password"]) {
        let told = format!("mechanism={mechanism} tls=TLSv1.3 cipher=TLS13_AES_256_GCM_SHA384");
        assert!(line.contains(&told), "{line}");
    }
}

#[tokio::test]
async fn a_name_is_the_same_in_any_case_and_bare_where_there_is_one_domain() {
    let house = house().await;
    for name in ["ALICE@Example.TEST", "alice", "Alice", "\"alice\"@example.test"] {
        assert_eq!(password(&house, name, PASSWORD).await, Ok("alice@example.test".to_owned()), "{name}");
    }
    let bare = Scram { user: "Alice", ..ALICE };
    assert!(bare.play(&house).await.is_ok());
    house.directory.add_domain(super::fake::domain("other.test")).await.unwrap();
    assert_eq!(password(&house, "alice", PASSWORD).await, Err(LoginError::Refused), "which domain's?");
}

/// Attacks A6, C4: one answer, after one delay, whatever the reason.
#[tokio::test(start_paused = true)]
async fn unknown_wrong_and_disabled_look_the_same_and_take_the_same() {
    let house = house().await;
    for (user, secret) in [
        ("alice@example.test", "wrong"),
        ("alice@example.test", ""),
        ("alice@example.test", "wrong\0\r\n"),
        ("bob@example.test", PASSWORD),
        ("bob@example.test", "wrong"),
        ("carol@example.test", PASSWORD),
        ("carol@example.test", ""),
        ("nobody@example.test", PASSWORD),
        ("nobody@elsewhere.test", PASSWORD),
        ("sales@example.test", PASSWORD),
        ("alice+tag@example.test", PASSWORD),
        ("", PASSWORD),
        ("@", PASSWORD),
        ("a@b@c", PASSWORD),
    ] {
        let start = Instant::now();
        assert_eq!(password(&house, user, secret).await, Err(LoginError::Refused), "{user} {secret}");
        assert_eq!(start.elapsed(), AUTH_FAILURE_DELAY, "{user}");
        let plain = format!("\0{user}\0{secret}");
        if let Some((_, u, p)) = crate::parse_sasl_plain(plain.as_bytes()) {
            assert_eq!((u, p), (user, secret.as_bytes()));
            let start = Instant::now();
            assert_eq!(play(&house, "PLAIN", &[Some(plain.as_bytes())]).await.err(), Some(LoginError::Refused));
            assert_eq!(start.elapsed(), AUTH_FAILURE_DELAY, "{user}");
        }
        if !user.is_empty() {
            let start = Instant::now();
            let scram = Scram { user, password: secret, ..ALICE };
            assert_eq!(scram.play(&house).await.err(), Some(LoginError::Refused), "{user}");
            assert_eq!(start.elapsed(), AUTH_FAILURE_DELAY, "{user}");
        }
    }
    assert_eq!(LoginError::Refused.to_string(), "user name or password wrong");
}

/// Attacks C4, C13: nobody gets around the hash, and the hash is not for everybody at once.
#[tokio::test]
async fn every_failing_login_costs_a_hash_and_one_too_many_is_turned_away_at_once() {
    let mut house = house().await;
    let store = Arc::clone(&house.store) as Arc<dyn DirectoryStore>;
    house.directory = Directory::open_with(store, Hasher::with_limits(0, 0)).await.unwrap();
    house.auth = Authenticator::new(Arc::clone(&house.directory), house.events.clone());
    // No hash is free: whoever is answered otherwise got by without one.
    for user in ["alice@example.test", "bob@example.test", "carol@example.test", "nobody@example.test", "a@b@c"] {
        assert_eq!(password(&house, user, "wrong").await, Err(LoginError::Busy), "{user}");
    }
    let refused = house.directory.set_password(&address("carol@example.test"), NewPassword::Generated).await;
    assert!(matches!(refused, Err(DirectoryError::Busy)));
}

/// Attacks A6: a salt that changes, or is missing, would tell who is there.
#[tokio::test]
async fn scram_shows_the_same_of_those_who_are_there_and_those_who_aren_t() {
    let house = house().await;
    let salt = async |user: &str| {
        let (_, first) = Scram { user, ..ALICE }.server_first(&house, &tls13()).await.unwrap();
        let fields: Vec<String> = first.split(',').skip(1).map(str::to_owned).collect();
        (fields[0].clone(), fields[1].clone())
    };
    for user in ["alice@example.test", "bob@example.test", "carol@example.test", "nobody@example.test"] {
        let (one, rounds) = salt(user).await;
        assert_eq!(one.len(), 2 + 24, "{user}: 16 bytes in base64");
        assert_eq!(rounds, "i=15000", "{user}");
        assert_eq!(salt(user).await.0, one, "{user}: the same again");
        assert_eq!(salt(&user.to_uppercase()).await.0, one, "{user}: in capitals");
        let bare = user.split('@').next().unwrap();
        assert_eq!(salt(bare).await.0, one, "{user}: without the domain");
    }
    assert_ne!(salt("nobody@example.test").await, salt("nobody2@example.test").await);
}

/// Attacks B5.
#[tokio::test]
async fn nobody_logs_in_in_clear_text() {
    let house = house().await;
    assert!(house.auth.mechanisms(None).is_empty());
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "nonsense"] {
        assert_eq!(house.auth.begin(mechanism, None, &peer()).err(), Some(LoginError::NeedsTls));
    }
    let secret = Secret::new(PASSWORD);
    let refused = house.auth.password("alice@example.test", &secret, None, &peer()).await;
    assert_eq!(refused.err(), Some(LoginError::NeedsTls));
}

/// Attacks B10: what is advertised is what is taken.
#[tokio::test]
async fn only_what_is_advertised_is_taken() {
    let house = house().await;
    let tls12 = ChannelBindings { exporter: None, server_end_point: Some(vec![9; 32]), agreed: None };
    assert_eq!(house.auth.mechanisms(Some(&tls13())), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]);
    assert_eq!(house.auth.mechanisms(Some(&tls12)), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
    assert_eq!(house.auth.begin("SCRAM-SHA-256-PLUS", Some(&tls12), &peer()).err(), Some(LoginError::UnknownMechanism));
    for unknown in ["", "CRAM-MD5", "ANONYMOUS", "EXTERNAL", "PLAIN ", "SCRAM-SHA-1", "X".repeat(9_999).as_str()] {
        let refused = house.auth.begin(unknown, Some(&tls13()), &peer());
        assert_eq!(refused.err(), Some(LoginError::UnknownMechanism), "{unknown}");
    }
}

/// Attacks B10.
#[tokio::test(start_paused = true)]
async fn a_login_bound_to_another_channel_or_lied_to_is_refused() {
    let house = house().await;
    let relayed = Scram { bound: &[8; 32], ..ALICE_PLUS };
    assert_eq!(relayed.play(&house).await.err(), Some(LoginError::Refused));
    let unbound = Scram { header: "n,,", bound: b"", ..ALICE_PLUS };
    assert_eq!(unbound.play(&house).await.err(), Some(LoginError::Refused));
    let lied_to = Scram { header: "y,,", ..ALICE };
    assert_eq!(lied_to.play(&house).await.err(), Some(LoginError::Refused));
    let not_lied_to = ChannelBindings::default();
    assert!(lied_to.play_over(&house, &not_lied_to).await.is_ok(), "there is no PLUS without a binding");
    let end_point = Scram { header: "p=tls-server-end-point,,", bound: &[9; 32], ..ALICE_PLUS };
    assert!(end_point.play(&house).await.is_ok());
    assert!(house.events.lines().iter().any(|line| line.contains("reason=channel_binding")));
}

#[tokio::test(start_paused = true)]
async fn nobody_acts_as_somebody_else() {
    let house = house().await;
    house.user_with_password("dora@example.test").await;
    let plain = |authorize: &str| format!("{authorize}\0alice@example.test\0{PASSWORD}").into_bytes();
    for same in ["", "alice@example.test", "ALICE@example.test", "alice"] {
        assert!(play(&house, "PLAIN", &[Some(&plain(same))]).await.is_ok(), "{same}");
    }
    for other in ["dora@example.test", "sales@example.test", "nobody", "*", "alice+x@example.test"] {
        assert_eq!(play(&house, "PLAIN", &[Some(&plain(other))]).await.err(), Some(LoginError::Refused), "{other}");
    }
    assert!(Scram { header: "n,a=alice,", ..ALICE }.play(&house).await.is_ok());
    assert_eq!(Scram { header: "n,a=dora,", ..ALICE }.play(&house).await.err(), Some(LoginError::Refused));
}

/// Attacks C9: a user name is a key, never a pattern, template or query.
#[tokio::test(start_paused = true)]
async fn a_user_name_is_never_interpreted() {
    let house = house().await;
    for odd in [
        "%{user}",
        "%u",
        "*)(uid=*",
        "*",
        "alice' OR '1'='1",
        "alice'--",
        "alice@example.test' --",
        "${jndi:ldap://x}",
        "../alice",
        "alice@example.test\0",
        "alice@example.test\r\nalert",
        "a\u{202e}lice@example.test",
        "\u{ff41}lice@example.test",
    ] {
        assert_eq!(password(&house, odd, PASSWORD).await, Err(LoginError::Refused), "{odd:?}");
    }
    assert!(house.events.lines().iter().all(|line| !line.contains(['\r', '\n', '\0', '\u{202e}'])));
    assert!(house.events.lines().iter().all(|line| !line.contains(PASSWORD)));
}

/// Attacks C8: a broken exchange ends, and ends nothing else.
#[tokio::test]
async fn a_malformed_message_ends_its_own_exchange_only() {
    let house = house().await;
    let (mut sasl, server_first) = ALICE.server_first(&house, &tls13()).await.unwrap();
    let long = vec![b'a'; SASL_LINE_MAX + 1];
    for (mechanism, bad) in [
        ("PLAIN", b"".as_slice()),
        ("PLAIN", b"alice"),
        ("PLAIN", b"\0alice"),
        ("PLAIN", b"\0\0x"),
        ("PLAIN", b"\0alice\0"),
        ("PLAIN", b"\0alice\0x\0y"),
        ("PLAIN", b"\0\xff\0x"),
        ("PLAIN", &long),
        ("LOGIN", b"\xff"),
        ("LOGIN", &long),
        ("SCRAM-SHA-256", b""),
        ("SCRAM-SHA-256", b"n,,n=alice"),
        ("SCRAM-SHA-256", &long),
        ("SCRAM-SHA-256-PLUS", b"\0\0\0"),
    ] {
        let mut broken = house.auth.begin(mechanism, Some(&tls13()), &peer()).unwrap();
        assert_eq!(broken.step(Some(bad)).await.err(), Some(LoginError::Malformed), "{mechanism} {bad:?}");
        let good = format!("\0alice@example.test\0{PASSWORD}");
        assert_eq!(broken.step(Some(good.as_bytes())).await.err(), Some(LoginError::Malformed), "it is over");
        assert_eq!(broken.step(None).await.err(), Some(LoginError::Malformed));
    }
    let (last, _) = ALICE.last(&server_first);
    assert!(matches!(sasl.step(Some(last.as_bytes())).await, Ok(SaslStep::Challenge(_))));
    assert_eq!(sasl.step(Some(b"not nothing")).await.err(), Some(LoginError::Malformed));
    assert_eq!(sasl.step(Some(b"")).await.err(), Some(LoginError::Malformed), "no second try");
}

#[tokio::test]
async fn an_exchange_gives_one_login() {
    let house = house().await;
    let mut sasl = house.auth.begin("PLAIN", Some(&tls13()), &peer()).unwrap();
    let message = format!("\0alice\0{PASSWORD}");
    assert!(matches!(sasl.step(Some(message.as_bytes())).await, Ok(SaslStep::Done(_))));
    assert_eq!(sasl.step(Some(message.as_bytes())).await.err(), Some(LoginError::Malformed));
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_or_a_disabled_account_is_not_remembered() {
    let house = house().await;
    assert!(password(&house, "alice", PASSWORD).await.is_ok());
    assert!(password(&house, "alice", PASSWORD).await.is_ok(), "from memory");
    let new = NewPassword::Given(Secret::new("violin copper meadow"));
    house.directory.set_password(&address("alice@example.test"), new).await.unwrap();
    assert_eq!(password(&house, "alice", PASSWORD).await, Err(LoginError::Refused));
    assert!(password(&house, "alice", "violin copper meadow").await.is_ok());
    house.disable("alice@example.test").await;
    assert_eq!(password(&house, "alice", "violin copper meadow").await, Err(LoginError::Refused));
}

/// Attacks C12.
#[tokio::test]
async fn a_login_stands_until_the_account_has_another_password_or_is_disabled_or_gone() {
    let house = house().await;
    let login = async |user: &str| {
        house.auth.password(user, &Secret::new("violin copper meadow"), Some(&tls13()), &peer()).await.unwrap()
    };
    let set = async |user: &str| {
        let new = NewPassword::Given(Secret::new("violin copper meadow"));
        house.directory.set_password(&address(user), new).await.unwrap();
    };
    set("alice@example.test").await;
    let first = login("alice").await;
    assert!(house.directory.stands(&first));
    house.user("dora@example.test").await;
    assert!(house.directory.stands(&first), "what happens to others is nothing to it");
    set("alice@example.test").await;
    assert!(!house.directory.stands(&first), "also if it is the same password");
    let second = login("alice").await;
    assert!(house.directory.stands(&second));
    house.disable("alice@example.test").await;
    assert!(!house.directory.stands(&second));
    set("dora@example.test").await;
    let third = login("dora@example.test").await;
    house.directory.remove_user(&address("dora@example.test")).await.unwrap();
    assert!(!house.directory.stands(&third));
}

#[tokio::test(start_paused = true)]
async fn an_account_disabled_during_the_exchange_stays_out() {
    let house = house().await;
    let (mut sasl, server_first) = ALICE.server_first(&house, &tls13()).await.unwrap();
    let (last, _) = ALICE.last(&server_first);
    assert!(sasl.step(Some(last.as_bytes())).await.is_ok());
    house.disable("alice@example.test").await;
    assert_eq!(sasl.step(Some(b"")).await.err(), Some(LoginError::Refused));
}

/// Attacks C5: two users with the same password stay two users, also in the cache.
#[tokio::test(start_paused = true)]
async fn two_users_with_one_password_are_two_users() {
    let house = house().await;
    house.user_with_password("ali@example.test").await;
    for _ in 0..2 {
        assert_eq!(password(&house, "alice", PASSWORD).await, Ok("alice@example.test".to_owned()));
        assert_eq!(password(&house, "ali", PASSWORD).await, Ok("ali@example.test".to_owned()));
        assert_eq!(password(&house, "ali", &format!("ce{PASSWORD}")).await, Err(LoginError::Refused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_credential_opens_to_nobody_and_is_told() {
    let house = house().await;
    let damage = house.store.change(|tables| {
        tables.accounts[0].credential = b"not a credential".as_slice().into();
        Ok(())
    });
    damage.unwrap();
    house.directory.refresh().await.unwrap();
    assert_eq!(password(&house, "alice", PASSWORD).await, Err(LoginError::Refused));
    assert_eq!(ALICE.play(&house).await.err(), Some(LoginError::Refused));
    assert!(house.events.lines().iter().any(|l| l.starts_with("alert credential.damaged user=alice@example.test")));
}

#[tokio::test]
async fn a_login_sends_as_itself_and_as_aliases_that_list_it() {
    let house = House::new(&["example.test", "other.test"]).await;
    let alice = house.user_with_password("alice@example.test").await;
    house.user("bob@example.test").await;
    house.alias("sales@example.test", &["alice+s@example.test", "bob@example.test"]).await;
    house.alias("me@other.test", &["alice@example.test"]).await;
    house.alias("bobs@example.test", &["bob@example.test", "sales@example.test"]).await;
    house.alias("far@example.test", &["alice@elsewhere.test"]).await;
    let login =
        house.auth.password("alice@example.test", &Secret::new(PASSWORD), Some(&tls13()), &peer()).await.unwrap();
    assert_eq!(login.account(), alice);
    let may = |from: &str| house.directory.may_send_as(&login, &address(from));
    for own in
        ["alice@example.test", "ALICE@example.test", "alice+x@example.test", "sales@example.test", "me@other.test"]
    {
        assert!(may(own), "{own}");
    }
    for other in [
        "bob@example.test",
        "bobs@example.test",
        "far@example.test",
        "alice@other.test",
        "alice@elsewhere.test",
        "nobody@example.test",
        "postmaster@example.test",
        "alice@[127.0.0.1]",
        "\"alice@example.test\"@example.test",
        "alicex@example.test",
    ] {
        assert!(!may(other), "{other}");
    }
    let own: Vec<String> = house.directory.addresses_of(alice).iter().map(ToString::to_string).collect();
    assert_eq!(own, ["alice@example.test", "me@other.test"], "those that lead to nobody else");
    house.disable("alice@example.test").await;
    assert!(!house.directory.may_send_as(&login, &address("alice@example.test")), "not any more");
}
