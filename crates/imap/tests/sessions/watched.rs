//! What administrators see of sessions, and how they end them.

use crate::harness::{House, PASSWORD, mail};
use mailward_core::Secret;
use mailward_directory::NewPassword;
use mailward_gate::{Activity, SessionInfo};
use std::time::Duration;

/// The one session there is, once it is as expected.
async fn seen(house: &House, expected: impl Fn(&SessionInfo) -> bool) -> SessionInfo {
    let look = async {
        loop {
            match house.context.gate.sessions().as_slice() {
                [session] if expected(session) => return session.clone(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("it is seen in time")
}

fn clients(house: &House) -> Vec<String> {
    house.context.events.lines().into_iter().filter(|line| line.contains("imap.client")).collect()
}

#[tokio::test]
async fn a_session_is_seen_with_its_client_its_user_and_its_mailbox() {
    let house = House::new().await;
    let mut client = house.plain().await;
    let guest = seen(&house, |s| s.activity == Activity::Greeting).await;
    assert_eq!((guest.user, guest.client, guest.tls, guest.mailbox), (None, None, None, None));
    client.ask("STARTTLS").await;
    house.start_tls(&mut client).await;
    client.ask("ID (\"name\" \"Pigeon Post\" \"version\" \"7.1\" \"os\" NIL)").await;
    client.ask(&format!("LOGIN alice@example.test {PASSWORD}")).await;
    client.ask("SELECT INBOX").await;
    let session = seen(&house, |s| s.activity == Activity::Idle && s.mailbox.is_some()).await;
    assert_eq!(session.user.as_deref(), Some("alice@example.test"));
    assert_eq!(session.client.as_deref(), Some("Pigeon Post 7.1"));
    assert_eq!(session.mailbox.as_deref(), Some("INBOX"));
    assert_eq!(session.tls.unwrap().0, "TLSv1.3");
    // Left, entered again, left with the user.
    client.ask("UNSELECT").await;
    seen(&house, |s| s.mailbox.is_none()).await;
    client.ask("SELECT INBOX").await;
    client.ask("SELECT Nowhere").await;
    seen(&house, |s| s.mailbox.is_none()).await;
    client.ask("SELECT INBOX").await;
    seen(&house, |s| s.mailbox.is_some()).await;
    client.ask("UNAUTHENTICATE").await;
    seen(&house, |s| s.user.is_none() && s.mailbox.is_none()).await;
    client.ask("LOGOUT").await;
    client.session.await.unwrap();
    assert!(house.context.gate.sessions().is_empty());
}

/// RFC 2971; attacks F6, H7.
#[tokio::test]
async fn what_a_client_says_it_is_is_logged_once_and_can_t_leave_its_place() {
    let house = House::new().await;
    let mut client = house.plain().await;
    client.ask("ID NIL").await;
    client.ask("ID (\"support-url\" \"http://example.net\")").await;
    assert!(clients(&house).is_empty());
    client.send(b"a ID (\"NAME\" {11+}\r\nx\x1b[2J\r\nb \"y \"version\" NIL)\r\n").await;
    assert!(client.line().await.starts_with("* ID"));
    client.line().await;
    client.ask(&format!("ID (\"name\" \"{}\")", "n".repeat(3_000))).await;
    let session = seen(&house, |s| s.client.as_ref().is_some_and(|client| client.starts_with("nnn"))).await;
    assert!(session.client.unwrap().chars().count() < 100);
    let told = clients(&house);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("name=\"x\\u{1b}[2J\\u{d}\\u{a}b \\\"y\" version=\"\""), "{told:?}");
}

#[tokio::test]
async fn one_session_is_ended_while_it_idles_and_the_others_go_on() {
    let house = House::new().await;
    let mut other = house.login("alice").await;
    let mut idle = house.login("alice").await;
    idle.ask("SELECT INBOX").await;
    idle.talk("C: a IDLE\nS: + …").await;
    let number = house.context.gate.sessions().iter().find(|s| s.mailbox.is_some()).unwrap().peer.session;
    house.context.gate.end_session(number).unwrap();
    assert_eq!(idle.ends().await, ["* BYE this session was ended; log in again"]);
    assert!(other.ask("NOOP").await[0].starts_with("OK"));
    house.trigger.fire();
    assert_eq!(other.ends().await, ["* BYE the server stops; please come back"]);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_ended_all_the_same() {
    let house = House::new().await;
    house.deliver(None, &mail("large", &"x".repeat(150_000))).await;
    let mut client = house.tls_wire(4 * 1024).await;
    client.ask(&format!("LOGIN alice@example.test {PASSWORD}")).await;
    client.ask("SELECT INBOX").await;
    client.send("a FETCH 1 BODY[]\r\n").await;
    seen(&house, |s| s.activity == Activity::Working).await;
    assert_eq!(house.context.gate.end_sessions(|_, address| address == "alice@example.test").len(), 1);
    client.session.await.unwrap();
    assert!(house.context.gate.sessions().is_empty());
}

/// Attacks C12: a login that was proved while the password was being changed.
#[tokio::test]
async fn a_login_that_no_longer_stands_opens_no_session() {
    let house = House::new().await;
    let mut permit = house.context.gate.admit(None).unwrap();
    let peer = mailward_core::Peer { session: 9, address: None, port: None, listener: mailward_core::Listener::Imaps };
    let entry = permit.enter(&peer, &house.context.shutdown);
    let directory = &house.context.directory;
    let (auth, secret) = (&house.context.auth, Secret::new(PASSWORD));
    let login = auth
        .password("alice@example.test", &secret, Some(&mailward_tls::ChannelBindings::default()), &peer)
        .await
        .unwrap();
    assert!(entry.logged_in(&login, directory));
    let new = NewPassword::Given(Secret::new("violin copper meadow"));
    directory.set_password(login.address(), new).await.unwrap();
    assert_eq!(house.context.gate.end_sessions(|id, _| id == login.account()).len(), 1);
    assert!(!entry.logged_in(&login, directory), "and it isn't listed as hers either");
    assert_eq!(house.context.gate.sessions()[0].user, None);
}
