//! What the index answers, and when it says that it can't tell.

use super::support::*;
use mailward_core::BlobId;
use mailward_core::limits::HEADER_BYTES_MAX;
use mailward_message::decode::fold;
use mailward_store::MailStore;

#[tokio::test]
async fn a_rare_word_leads_to_its_message_alone() {
    let mut w = World::new().await;
    let mut rare = BlobId(0);
    for n in 0..40 {
        let blob = w.deliver(text(&format!("message {n} {}", if n == 17 { "Xylophonquartett" } else { "" }))).await;
        rare = if n == 17 { blob } else { rare };
    }
    w.indexed().await;
    for word in ["xylophonquartett", "XYLOPHON", "nquar", "17 XYL"] {
        assert_eq!(w.find(word).await, Some(vec![rare]), "{word}");
    }
    assert_eq!(w.find("xylophonist").await, Some(vec![]));
    assert_eq!(w.find("message").await.unwrap().len(), 40);
    assert_eq!(w.find("bob@example.test").await.unwrap().len(), 40);
    w.close().await;
}

#[tokio::test]
async fn text_is_found_however_it_was_encoded() {
    let mut w = World::new().await;
    let html = "Subject: =?koi8-r?b?0NLJ18XU?=\r\nContent-Type: text/html; charset=windows-1251\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>=CF=F0=E8<b>=E2=E5=F2</b> &Ouml;l</p>";
    let attached = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\u{ff26}\u{ff55}ll w\u{131}dth stra\u{df}e\r\n--b\r\n\
                    Content-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''R%C3%A4tsel.PDF\r\n\r\nhidden\r\n--b--";
    let (html, attached) = (w.deliver(html).await, w.deliver(attached).await);
    w.indexed().await;
    for (sought, blob) in [
        ("ПРИВЕТ ö", html),
        ("subject: привет", html),
        ("привет öl", html),
        ("full width STRASSE".trim_end_matches("STRASSE"), attached),
        ("straẞe", attached),
        ("rätsel.pdf", attached),
        ("RA\u{308}TS", attached),
    ] {
        assert_eq!(w.find(sought).await, Some(vec![blob]), "{sought}");
    }
    assert_eq!(w.find("hidden").await, Some(vec![]), "what is no text isn't searched");
    w.close().await;
}

#[tokio::test]
async fn less_than_three_characters_lead_nowhere() {
    let mut w = World::new().await;
    w.deliver(text("ab 漢字")).await;
    w.indexed().await;
    for short in ["", "a", "ab", "漢字", "\0", "ab\0"] {
        assert_eq!(w.store().find_text(short.to_owned(), w.blobs().await).await.unwrap(), None, "{short:?}");
    }
    assert_eq!(w.find("ab 漢").await.unwrap().len(), 1);
    assert_eq!(w.find("é漢").await, Some(vec![]), "decomposed these are three");
    w.close().await;
}

#[tokio::test]
async fn no_sign_of_a_text_means_anything_to_the_index() {
    let mut w = World::new().await;
    let signs =
        "a\"b\" OR \"c* ^d NEAR(e f) text:g - + { } \\ % _ ' \u{1}\u{fffe}\u{ffff}\u{fffd}\u{1f600}\u{301}\u{301}";
    let blob = w.deliver(text(signs)).await;
    w.deliver(text("nothing of this")).await;
    w.indexed().await;
    let characters: Vec<char> = signs.chars().collect();
    for length in [3, 4, 7, 20] {
        for window in characters.windows(length) {
            let sought: String = window.iter().collect();
            assert!(w.find(&sought).await.unwrap().contains(&blob), "{sought:?}");
        }
    }
    w.close().await;
}

#[tokio::test]
async fn a_long_text_is_looked_for_by_some_of_its_trigrams() {
    let mut w = World::new().await;
    let long: String = (0..2_000).map(|n| format!("{n} ")).collect();
    let blob = w.deliver(text(&long)).await;
    w.deliver(text("10 20 30 40 50 60 70 80 90")).await;
    w.indexed().await;
    assert_eq!(w.find(&long).await, Some(vec![blob]));
    assert!(w.find(&format!("{long}x")).await.unwrap().len() <= 1);
    w.close().await;
}

#[tokio::test]
async fn what_isn_t_indexed_yet_is_named() {
    let mut w = World::new().await;
    let first = w.deliver(text("early apple")).await;
    w.indexed().await;
    w.gate.shut();
    let second = w.deliver(text("late banana")).await;
    assert_eq!(w.find("cherry").await, Some(vec![second]));
    assert_eq!(w.find("apple").await, Some(vec![first, second]));
    assert_eq!(w.stats().index_waiting, 1);
    w.gate.open();
    w.indexed().await;
    assert_eq!(w.find("cherry").await, Some(vec![]));
    assert_eq!(w.find("banana").await, Some(vec![second]));
    w.close().await;
}

#[tokio::test]
async fn where_nothing_is_indexed_the_index_can_t_tell() {
    let mut w = World::new().await;
    w.gate.shut();
    w.deliver(text("apple")).await;
    assert_eq!(w.find("apple").await, None);
    w.gate.open();
    w.indexed().await;
    assert_eq!(w.find("apple").await.unwrap().len(), 1);
    w.close().await;
}

#[tokio::test]
async fn only_what_was_asked_about_is_named() {
    let mut w = World::new().await;
    let mut blobs = Vec::new();
    for n in 0..10 {
        blobs.push(w.deliver(text(&format!("same word {n}"))).await);
    }
    w.indexed().await;
    let among = vec![blobs[7], blobs[2], BlobId(1_000_000), blobs[2], BlobId(-5)];
    let found = w.store().find_text(fold("same word"), among).await.unwrap();
    assert_eq!(found, Some(vec![blobs[2], blobs[7], BlobId(1_000_000)]), "what it doesn't know may hold anything");
    assert_eq!(w.store().find_text(fold("same word"), vec![]).await.unwrap(), None);
    w.close().await;
}

#[tokio::test]
async fn an_index_that_is_off_tells_nothing_and_goes_on_later() {
    let mut w = World::new().await;
    let first = w.deliver(text("apple")).await;
    w.indexed().await;
    w.again(false, |_| {}).await;
    assert_eq!(w.find("apple").await, None);
    w.indexed().await;
    let second = w.deliver(text("apple pie")).await;
    w.again(true, |_| {}).await;
    w.indexed().await;
    assert_eq!(w.find("apple").await, Some(vec![first, second]));
    assert_eq!(w.find("pie").await, Some(vec![second]));
    assert!(!w.told("index."), "{:?}", w.events.lines());
    w.close().await;
}

#[tokio::test]
async fn an_index_is_kept_over_a_restart() {
    let mut w = World::new().await;
    let blob = w.deliver(text("apple")).await;
    w.indexed().await;
    w.again(true, |dir| assert!(!dir.join("index.db-wal").exists())).await;
    w.gate.shut();
    assert_eq!(w.find("apple").await, Some(vec![blob]));
    assert_eq!(w.find("banana").await, Some(vec![]));
    w.gate.open();
    w.close().await;
}

#[tokio::test]
async fn a_header_larger_than_any_that_is_accepted_is_always_read() {
    let mut w = World::new().await;
    w.deliver(text("small")).await;
    let large = w.deliver(format!("Subject: {}\r\n\r\nlarge", "x".repeat(HEADER_BYTES_MAX))).await;
    w.indexed().await;
    assert_eq!(w.find("nowhere to be found").await, Some(vec![large]));
    assert_eq!((w.stats().indexed, w.stats().unindexed), (1, 1));
    w.close().await;
}

#[tokio::test]
async fn attachments_around_the_text_change_nothing() {
    let mut w = World::new().await;
    let filler = "QUJD".repeat(20_000);
    let attachment = format!("--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n{filler}\r\n");
    let message = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{attachment}--b\r\n\r\nfirst apple\r\n{attachment}\
         --b\r\n\r\nsecond banana\r\n--b\r\n\r\nthird cherry\r\n{attachment}--b--\r\n"
    );
    let blob = w.deliver(message).await;
    w.indexed().await;
    for word in ["first apple", "second banana", "third cherry"] {
        assert_eq!(w.find(word).await, Some(vec![blob]));
    }
    assert_eq!(w.find("qujd").await, Some(vec![]));
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}
