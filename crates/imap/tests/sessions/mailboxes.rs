//! LIST and the life of mailboxes.

use crate::harness::House;

#[tokio::test]
async fn mailboxes_are_listed_with_their_use() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let all = client.ask("LIST \"\" \"*\"").await;
    assert!(all.contains(&"* LIST (\\HasNoChildren) \"/\" \"INBOX\"".to_owned()), "{all:?}");
    assert!(all.iter().any(|l| l.starts_with("* LIST (\\HasNoChildren \\Sent) \"/\" ")), "{all:?}");
    client
        .talk(
            "C: a LIST \"\" \"\"
             S: * LIST (\\Noselect) \"/\" \"\"
             S: a OK …
             C: b CREATE Entw&APw-rfe/2024/
             S: b OK …
             C: c LIST \"\" Ent%
             S: * LIST (\\HasChildren) \"/\" \"Entw&APw-rfe\"
             S: c OK …
             C: d LIST Entw&APw-rfe/ %
             S: * LIST (\\HasNoChildren) \"/\" \"Entw&APw-rfe/2024\"
             S: d OK …
             C: e CREATE Entw&APw-rfe
             S: e NO [ALREADYEXISTS] …
             C: f CREATE INBOX
             S: f NO …
             C: g CREATE &bad
             S: g NO [CANNOT] …
             C: h RENAME Entw&APw-rfe Plans
             S: h OK …
             C: i LIST \"\" Plans*
             S: * LIST (\\HasChildren) \"/\" \"Plans\"
             S: * LIST (\\HasNoChildren) \"/\" \"Plans/2024\"
             S: i OK …
             C: j DELETE Plans/2024
             S: j OK …
             C: k DELETE Plans
             S: k OK …
             C: l DELETE Plans
             S: l NO [NONEXISTENT] …
             C: m DELETE INBOX
             S: m NO …
             C: n SELECT Plans
             S: n NO [NONEXISTENT] …
             C: o NAMESPACE
             S: * NAMESPACE ((\"\" \"/\")) ((\"Shared/\" \"/\")) NIL
             S: o OK …",
        )
        .await;
}

#[tokio::test]
async fn a_special_use_is_given_once() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client
        .talk(
            "C: a CREATE Zweitpost (USE (\\Sent))
             S: a NO [USEATTR] …
             C: b CREATE X (USE (\\Odd))
             S: b NO [USEATTR] …",
        )
        .await;
    let special = client.ask("LIST (SPECIAL-USE) \"\" \"*\"").await;
    assert!(special.len() > 1 && special.iter().take(special.len() - 1).all(|l| !l.contains("INBOX")), "{special:?}");
}

#[tokio::test]
async fn subscriptions_are_kept_apart_from_mailboxes() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    for name in client.ask("LSUB \"\" \"*\"").await {
        if let Some((_, name)) = name.rsplit_once(' ').filter(|_| name.starts_with("* LSUB")) {
            client.ask(&format!("UNSUBSCRIBE {name}")).await;
        }
    }
    client
        .talk(
            "C: a CREATE Lists/rust/dev
             S: a OK …
             C: b SUBSCRIBE Lists/rust/dev
             S: b OK …
             C: c SUBSCRIBE Gone
             S: c OK …
             C: d LSUB \"\" \"*\"
             S: * LSUB () \"/\" \"Gone\"
             S: * LSUB () \"/\" \"Lists/rust/dev\"
             S: d OK …
             C: e LSUB \"\" \"%\"
             S: * LSUB () \"/\" \"Gone\"
             S: * LSUB (\\Noselect) \"/\" \"Lists\"
             S: e OK …
             C: f LIST (SUBSCRIBED) \"\" \"*\"
             S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" \"Gone\"
             S: * LIST (\\HasNoChildren \\Subscribed) \"/\" \"Lists/rust/dev\"
             S: f OK …
             C: g LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"
             S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" \"Gone\"
             S: * LIST (\\HasChildren) \"/\" \"Lists\" (\"CHILDINFO\" (\"SUBSCRIBED\"))
             S: g OK …
             C: h LIST \"\" Lists/rust/% RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))
             S: * LIST (\\HasNoChildren \\Subscribed) \"/\" \"Lists/rust/dev\"
             S: * STATUS \"Lists/rust/dev\" (MESSAGES 0 UIDNEXT 1)
             S: h OK …
             C: i UNSUBSCRIBE Gone
             S: i OK …
             C: j LSUB \"\" G*
             S: j OK …",
        )
        .await;
}

#[tokio::test]
async fn a_session_that_deletes_its_mailbox_leaves_it() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("CREATE Short").await;
    client.ask("SELECT Short").await;
    client
        .talk(
            "C: a DELETE Short
             S: * OK [CLOSED] …
             S: a OK …
             C: b FETCH 1 FLAGS
             S: b BAD …
             C: c NOOP
             S: c OK …",
        )
        .await;
}

#[tokio::test]
async fn a_select_that_fails_leaves_nothing_selected() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client
        .talk(
            "C: a SELECT Nowhere
             S: * OK [CLOSED] …
             S: a NO [NONEXISTENT] …
             C: b CHECK
             S: b BAD …",
        )
        .await;
}

#[tokio::test]
async fn one_account_never_sees_another_s() {
    let house = House::new().await;
    let mut alice = house.login("alice").await;
    let mut bob = house.login("bob").await;
    alice.ask("CREATE Private").await;
    assert!(bob.ask("SELECT Private").await.last().unwrap().starts_with("NO [NONEXISTENT]"));
    assert!(!bob.ask("LIST \"\" *").await.iter().any(|l| l.contains("Private")));
}
