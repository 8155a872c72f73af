//! SORT and THREAD, as clients see them.

use crate::harness::{House, Plan};
use mailward_imap::SortMemory;

/// A message of these header fields; its bytes as many more as wanted.
fn mail(fields: &str, more: usize) -> String {
    format!("{}\r\n\r\n{}\r\n", fields.replace('|', "\r\n"), "x".repeat(more))
}

/// Five messages of two conversations.
async fn house() -> House {
    let house = House::new().await;
    for (fields, more) in [
        (
            "From: Zoe <carl@x>|To: amy@x|Cc: dan@x|Subject: Lunch|Date: 3 Mar 2020 04:00:00 +0000|Message-ID: <l1@x>",
            300,
        ),
        (
            "From: Bob <bob@x>|To: zoe@x|Subject: Re: Lunch|Date: 4 Mar 2020 10:00:00 +0000|Message-ID: <l2@x>|References: <l1@x>",
            10,
        ),
        (
            "From: =?utf-8?q?=C3=84nne?= <eve@x>|Subject: Budget|Date: 1 Mar 2020 10:00:00 +0000|Message-ID: <\"b1\"@x>",
            200,
        ),
        (
            "From: amy@x|Subject: [staff] AW: x|Date: 2 Mar 2020 23:30:00 -0500|Message-ID: <b2@x>|In-Reply-To: <b1@x> amy@x",
            100,
        ),
        (
            "From: Bob <bob@x>|Subject: lunch|Date: 5 Mar 2020 10:00:00 +0000|Message-ID: <l3@x>|References: <l1@x>|  <l2@x>",
            50,
        ),
    ] {
        house.deliver(None, &mail(fields, more)).await;
    }
    house
}

#[tokio::test]
async fn messages_come_in_the_order_that_is_asked_for() {
    let house = house().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    for (criteria, expected) in [
        ("ARRIVAL", "1 2 3 4 5"),
        ("DATE", "3 1 4 2 5"),
        ("REVERSE DATE", "5 2 4 1 3"),
        ("SIZE", "2 5 4 3 1"),
        ("FROM", "4 2 5 1 3"),
        ("TO", "3 4 5 1 2"),
        ("CC", "2 3 4 5 1"),
        ("SUBJECT", "4 3 1 2 5"),
        ("SUBJECT REVERSE DATE", "4 3 5 2 1"),
        ("DISPLAYFROM", "4 3 2 5 1"),
        ("DISPLAYTO", "3 4 5 1 2"),
    ] {
        let answer = client.ask(&format!("SORT ({criteria}) UTF-8 ALL")).await;
        assert_eq!(answer[0], format!("* SORT {expected}"), "{criteria}");
        assert!(answer[1].starts_with("OK"));
    }
    client.ask("CREATE Old").await;
    for day in [2, 3, 1] {
        let answer = client.ask(&format!("APPEND Old \"{day:2}-Jan-2020 00:00:00 +0000\" {{6+}}\r\na: b\r\n")).await;
        assert!(answer[0].starts_with("OK"), "{answer:?}");
    }
    client.ask("SELECT Old").await;
    assert_eq!(client.ask("SORT (ARRIVAL) UTF-8 ALL").await[0], "* SORT 3 1 2");
    assert_eq!(client.ask("SORT (REVERSE ARRIVAL) UTF-8 ALL").await[0], "* SORT 2 1 3");
    // Without a Date field they were sent when they came.
    assert_eq!(client.ask("SORT (DATE) UTF-8 ALL").await[0], "* SORT 3 1 2");
    client.ask("SELECT INBOX").await;
    client
        .talk(
            "C: a SORT (REVERSE DATE) US-ASCII SUBJECT lunch
             S: * SORT 5 2 1
             S: a OK …
             C: b SORT (DATE) UTF-8 TEXT \"not in the mailbox\"
             S: * SORT
             S: b OK …
             C: c SORT (DATE) KOI8-R ALL
             S: c NO [BADCHARSET (…
             C: d SORT (COLOUR) UTF-8 ALL
             S: d NO [CANNOT] …
             C: e SORT (DATE) UTF-8 9
             S: e BAD …",
        )
        .await;
}

#[tokio::test]
async fn a_sort_returns_what_is_asked_for() {
    let house = house().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ask("EXPUNGE").await;
    // UIDs 2 to 5 are numbers 1 to 4 now.
    client
        .talk(
            "C: a UID SORT (DATE) UTF-8 ALL
             S: * SORT 3 4 2 5
             S: a OK …
             C: b SORT (DATE) UTF-8 ALL
             S: * SORT 2 3 1 4
             S: b OK …
             C: c UID SORT RETURN () (REVERSE DATE) UTF-8 ALL
             S: * ESEARCH (TAG \"c\") UID ALL 5,2,4,3
             S: c OK …
             C: d SORT RETURN (MIN MAX COUNT ALL) (DATE) UTF-8 ALL
             S: * ESEARCH (TAG \"d\") MIN 2 MAX 4 COUNT 4 ALL 2:3,1,4
             S: d OK …
             C: e SORT RETURN (COUNT ALL MIN) (DATE) UTF-8 SEEN
             S: * ESEARCH (TAG \"e\") COUNT 0
             S: e OK …
             C: f SORT (DATE) UTF-8 MODSEQ 1
             S: * OK [HIGHESTMODSEQ …
             S: * SORT 2 3 1 4 (MODSEQ …)
             S: f OK …
             C: g SORT RETURN (MIN) (DATE) UTF-8 MODSEQ 1
             S: * ESEARCH (TAG \"g\") MIN 2 MODSEQ …
             S: g OK …",
        )
        .await;
}

#[tokio::test]
async fn conversations_are_told_as_threads() {
    let house = house().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client
        .talk(
            "C: a THREAD REFERENCES UTF-8 ALL
             S: * THREAD (3 4)(1 2 5)
             S: a OK …
             C: b THREAD ORDEREDSUBJECT UTF-8 ALL
             S: * THREAD (3)(1 (2)(5))(4)
             S: b OK …
             C: c THREAD REFERENCES US-ASCII NOT 1
             S: * THREAD (3 4)(2 5)
             S: c OK …
             C: d THREAD REFERENCES UTF-8 TEXT \"not in the mailbox\"
             S: * THREAD
             S: d OK …
             C: e THREAD REFS UTF-8 ALL
             S: e NO [CANNOT] …",
        )
        .await;
    client.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ask("EXPUNGE").await;
    client
        .talk(
            "C: f UID THREAD REFERENCES UTF-8 ALL
             S: * THREAD (3 4)(2 5)
             S: f OK …
             C: g THREAD REFERENCES UTF-8 ALL
             S: * THREAD (2 3)(1 4)
             S: g OK …",
        )
        .await;
}

/// RFC 5256 §3: numbers stand while SORT and THREAD are answered, and may move with their UID forms.
#[tokio::test]
async fn an_expunge_by_another_waits_for_the_uid_form() {
    let house = house().await;
    let mut one = house.login("alice").await;
    let mut two = house.login("alice").await;
    one.ask("SELECT INBOX").await;
    two.ask("SELECT INBOX").await;
    one.ask("STORE 3,5 +FLAGS.SILENT (\\Deleted)").await;
    one.ask("UID EXPUNGE 3").await;
    two.talk(
        "C: a SORT (DATE) UTF-8 ALL
         S: * SORT 1 4 2 5
         S: * 5 FETCH (UID 5 FLAGS (\\Deleted))
         S: a OK …
         C: b THREAD REFERENCES UTF-8 ALL
         S: * THREAD (1 2 5)(4)
         S: b OK …
         C: c UID SORT (DATE) UTF-8 ALL
         S: * SORT 1 4 2 5
         S: * 3 EXPUNGE
         S: c OK …",
    )
    .await;
    one.ask("EXPUNGE").await;
    two.talk(
        "C: d THREAD ORDEREDSUBJECT UTF-8 ALL
         S: * THREAD (1 2)(3)
         S: d OK …
         C: e UID THREAD REFERENCES UTF-8 ALL
         S: * THREAD (1 2)(4)
         S: * 4 EXPUNGE
         S: e OK …",
    )
    .await;
}

#[tokio::test]
async fn an_empty_mailbox_is_sorted_and_nobody_sorts_without_one() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    assert!(client.ask("SORT (DATE) UTF-8 ALL").await[0].starts_with("BAD"));
    assert!(client.ask("THREAD REFERENCES UTF-8 ALL").await[0].starts_with("BAD"));
    client.ask("SELECT INBOX").await;
    assert_eq!(client.ask("SORT (SUBJECT) UTF-8 ALL").await[0], "* SORT");
    assert_eq!(client.ask("UID THREAD REFERENCES UTF-8 1:*").await[0], "* THREAD");
    let capability = client.ask("CAPABILITY").await[0].clone();
    for word in ["SORT", "SORT=DISPLAY", "ESORT", "THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT"] {
        assert!(capability.split(' ').any(|told| told == word), "{word}");
    }
}

/// More than one page of structures, and an answer longer than the write buffer's half.
#[tokio::test]
async fn a_mailbox_of_several_pages_is_sorted_whole() {
    let house = House::new().await;
    let many = 3 * mailward_core::limits::IMAP_SORT_ROWS + 7;
    for n in 0..many {
        let fields = format!("Subject: s{:04}|Message-ID: <{n}@x>|References: <{}@x>", many - n, n / 2);
        house.deliver(None, &mail(&fields, 0)).await;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let numbers: Vec<String> = (1..=many).rev().map(|n| n.to_string()).collect();
    assert_eq!(client.ask("SORT (SUBJECT) UTF-8 ALL").await[0], format!("* SORT {}", numbers.join(" ")));
    // Every other one: ranges with gaps.
    client.ask("STORE 1:* +FLAGS.SILENT (\\Seen)").await;
    let odd: Vec<String> = (1..=many).step_by(2).map(|n| n.to_string()).collect();
    client.ask(&format!("STORE {} -FLAGS.SILENT (\\Seen)", odd.join(","))).await;
    let backwards: Vec<String> = odd.iter().rev().cloned().collect();
    assert_eq!(client.ask("SORT (SUBJECT) UTF-8 UNSEEN").await[0], format!("* SORT {}", backwards.join(" ")));
    assert_eq!(client.ask("SORT (SIZE ARRIVAL) UTF-8 UNSEEN").await[0].split(' ').count(), 2 + odd.len());
    // A heap: each has two below it. All are there once.
    let threads = client.ask("THREAD REFERENCES UTF-8 ALL").await[0].clone();
    let mut told: Vec<usize> = threads.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    told.sort_unstable();
    assert_eq!(told, (1..=many).collect::<Vec<_>>());
}

/// Attacks G7: what is gathered is bounded, and what is refused harms nothing.
#[tokio::test]
async fn a_sort_that_takes_too_much_memory_is_refused() {
    let house = House::planned(Plan { sort_memory: SortMemory::new(0), ..Plan::default() }).await;
    let long = "y".repeat(300);
    let fields = format!("From: \"{long}\" <{long}@x>|To: \"{long}\" <{long}@x>|Cc: {long}@x|Subject: {long}");
    house.deliver(None, &mail(&fields, 0)).await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    for _doubled in 0..10 {
        client.ask("COPY 1:* INBOX").await;
    }
    // A thousand messages of one and a half KiB of keys each are more than the MiB that everyone has.
    let all = "SORT (SUBJECT FROM TO CC DISPLAYFROM DISPLAYTO DATE ARRIVAL SIZE) UTF-8 ALL";
    let answer = client.ask(all).await;
    assert!(answer.len() == 1 && answer[0].starts_with("NO [INUSE]"), "{answer:?}");
    assert_eq!(client.ask("SORT (ARRIVAL) UTF-8 ALL").await[0].split(' ').count(), 2 + 1024);
    assert!(client.ask("THREAD REFERENCES UTF-8 ALL").await[0].starts_with("* THREAD (("));
}
