//! Digests of the test's server, and what their links lead to.

use crate::house::Fault::*;
use crate::house::Place;
use crate::session::Session;
use mailward_audit::Digest;
use mailward_core::limits::{AUDIT_LINK_ENDS, AUDIT_LINK_TIME};
use std::time::{Duration, Instant};

/// What words begin with.
pub(crate) const WORD: &str = "Zk3vQ8w1Yh7bXn5c";

/// A link that was given.
#[derive(Debug)]
struct Given {
    word: String,
    marker: String,
    until: Instant,
    used: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Pages(Vec<Given>);

const TAGS: [&str; 3] = ["<img src=x onerror=a1>", "<img src=x onerror=a2>", "<img src=x onerror=a3>"];

fn shown(tags: &[&str], raw: bool) -> String {
    let text = tags.join(" ");
    if raw { text } else { text.replace('<', "&lt;").replace('>', "&gt;") }
}

pub(crate) fn digest(place: &Place, lasts: Duration) -> Digest {
    assert!([AUDIT_LINK_ENDS, AUDIT_LINK_TIME].contains(&lasts), "{lasts:?}");
    let mut pages = place.pages.lock().unwrap();
    let mut text = String::new();
    for marker in place.held() {
        let word = format!("{WORD}{:08}", pages.0.len());
        text.push_str(&format!("1. {marker}\n   Look at it: https://mx.example.org/quarantine/{word}\n"));
        pages.0.push(Given { word, marker, until: Instant::now() + lasts, used: false });
    }
    Digest { text, html: shown(&TAGS[..2], place.does(TagsInDigest)) }
}

/// One request, one answer.
pub(crate) async fn serve(mut session: Session, place: &Place) {
    let Some(head) = session.until(&[b"\r\n\r\n"]).await else { return };
    if place.does(NoPages) {
        return;
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let mut path = target.strip_prefix("/quarantine/").unwrap_or_default().split('/');
    let (word, act) = (path.next().unwrap(), path.next());
    let (status, content) = answer(place, method, word, act);
    session.say(&format!("HTTP/1.1 {status} X\r\n\r\n{content}")).await;
}

fn answer(place: &Place, method: &str, word: &str, act: Option<&str>) -> (u16, String) {
    let page = || {
        let tags = if place.does(NamesNoFile) { &TAGS[..2] } else { &TAGS };
        shown(tags, place.does(TagsOnPage))
    };
    let mut pages = place.pages.lock().unwrap();
    let Some(given) = pages.0.iter_mut().find(|given| given.word == word) else {
        return if place.does(AnyLink) { (200, page()) } else { (404, String::new()) };
    };
    let is_over = given.until <= Instant::now() && !place.does(LinkNeverEnds);
    if is_over || (given.used && !place.does(LinkActsTwice)) {
        return (404, String::new());
    }
    let acts = method == "POST" || place.does(LinkActsWhenOpened);
    if acts && act == Some("release") && !place.does(LinkDoesNothing) {
        given.used = true;
        place.let_go(&given.marker);
    }
    (200, page())
}
