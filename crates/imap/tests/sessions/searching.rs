//! Results that are saved (RFC 5182), shown in windows (RFC 9394).

use crate::harness::{House, mail};

async fn house() -> House {
    let house = House::new().await;
    for n in 1..=9 {
        house.deliver(None, &mail(if n % 2 == 0 { "even" } else { "odd" }, "x")).await;
    }
    house
}

#[tokio::test]
async fn a_saved_result_is_used_by_its_sign() {
    let house = house().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    assert_eq!(client.ask("FETCH $ UID").await.len(), 1, "nothing is saved at first");
    assert_eq!(client.ask("SEARCH RETURN (SAVE) SUBJECT even").await.len(), 1, "only saved, not told");
    assert_eq!(client.ask("FETCH $ UID").await.len(), 5);
    let both = client.ask("UID SEARCH RETURN (SAVE COUNT) UID $ UID 4:9").await;
    assert!(both[0].ends_with("UID COUNT 3"), "{both:?}");
    assert_eq!(client.ask("UID STORE $ +FLAGS.SILENT (\\Deleted)").await.len(), 1);
    assert_eq!(client.ask("SEARCH DELETED").await[0], "* SEARCH 4 6 8");
    client.ask("EXPUNGE").await;
    assert_eq!(client.ask("FETCH $ UID").await.len(), 1, "what is gone is no error");
    // MIN and MAX save what they tell.
    client.ask("SEARCH RETURN (SAVE MIN) ALL").await;
    assert_eq!(client.ask("FETCH $ UID").await[0], "* 1 FETCH (UID 1)");
    // RFC 5182 §2.1: a search that fails saves nothing.
    assert!(client.ask("SEARCH RETURN (SAVE) CHARSET latin-1 ALL").await[0].starts_with("NO [BADCHARSET"));
    assert!(client.ask("SEARCH $ SUBJECT odd").await[0].starts_with("* SEARCH"));
    client.ask("SELECT INBOX").await;
    assert_eq!(client.ask("FETCH $ UID").await.len(), 1, "another selection begins anew");
}

#[tokio::test]
async fn a_window_of_results_is_told() {
    let house = house().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let told = |lines: Vec<String>| lines[0].split(" UID ").nth(1).unwrap_or_default().to_owned();
    assert_eq!(
        told(client.ask("UID SEARCH RETURN (PARTIAL 1:2 COUNT) SUBJECT odd").await),
        "PARTIAL (1:2 1,3) COUNT 5"
    );
    assert_eq!(told(client.ask("UID SEARCH RETURN (PARTIAL -1:-2) SUBJECT odd").await), "PARTIAL (-1:-2 7,9)");
    assert_eq!(told(client.ask("UID SEARCH RETURN (PARTIAL 9:12) SUBJECT odd").await), "PARTIAL (9:12 NIL)");
    assert!(client.ask("SEARCH RETURN (PARTIAL 1:2 ALL) ALL").await[0].starts_with("BAD"), "one or the other");
    let lines = client.ask("UID FETCH 2:* (UID) (PARTIAL -1:-2)").await;
    assert_eq!(lines[..2], ["* 8 FETCH (UID 8)", "* 9 FETCH (UID 9)"]);
}
