//! Pages over a wire in memory: what a browser, a mail scanner and a stranger get.

use crate::{Context, Parts, serve};
use mailward_core::config::{DigestPace, KeptClass, Origin, Quarantine};
use mailward_core::event::Events;
use mailward_core::limits::{WEB_BODY_MAX, WEB_HEADER_BYTES_MAX, WEB_PATH_MAX, WEB_WRONG_LINKS_MAX};
use mailward_core::{
    AccountId, Clock as _, Domain, Listener, MailboxName, Peer, QuarantineId, Secret, SystemClock, Timestamp, config,
    shutdown,
};
use mailward_delivery::alerts::{Postman, PostmanParts};
use mailward_delivery::digest::link::{Links, PURPOSE};
use mailward_delivery::digest::{self, Digests};
use mailward_delivery::prepare;
use mailward_directory::{Directory, NewPassword, NewUser};
use mailward_gate::{Caps, Gate};
use mailward_inspect::quarantine::Note;
use mailward_inspect::spam::{Spam, SpamParts, token_key};
use mailward_inspect::{Action, Check, Finding};
use mailward_message::Structure;
use mailward_message::decode::text_of;
use mailward_store::api::{MailStore as _, QuarantineStore as _};
use mailward_store::records::{Delivery, Flags, Kept, Target, UidRange, Ways};
use mailward_store::{LocalStore, Options};
use mailward_tls::Wire;
use mailward_vault::LinkKey;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CANARY: &str = "\"><img src=x onerror=alert(1)>";

struct House {
    store: Arc<LocalStore>,
    digests: Arc<Digests>,
    context: Arc<Context>,
    gate: Arc<Gate>,
    joe: AccountId,
    events: Events,
    _stop: mailward_core::ShutdownTrigger,
    _dir: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        directory.add_domain(Domain::parse("s.example").unwrap()).await.unwrap();
        let user = NewUser {
            address: "joe@s.example".parse().unwrap(),
            password: NewPassword::None,
            display_name: String::new(),
            quota_bytes: 0,
            quota_messages: 0,
        };
        directory.add_user(user).await.unwrap();
        let joe = directory.account_id(&"joe@s.example".parse().unwrap()).unwrap();
        let secret = Secret::new("secret");
        let events = Events::memory();
        let hostname = Domain::parse("mx.s.example").unwrap();
        let origin = Origin::parse("https://mail.s.example").unwrap();
        let key = LinkKey::new(&secret, PURPOSE).unwrap();
        let parts = digest::Parts {
            quarantine: store.clone(),
            shelf: store.clone(),
            directory: directory.clone(),
            hostname: hostname.clone(),
            links: Arc::new(Links::new(key, store.clone())),
            origin: Some(origin.clone()),
            postman: Postman::new(PostmanParts {
                mail: store.clone(),
                queue: store.clone(),
                directory: directory.clone(),
                hostname,
                events: events.clone(),
                clock: Arc::new(SystemClock),
                lifetime: Duration::from_secs(60),
            }),
            administrators: None,
            clock: Arc::new(SystemClock),
            events: events.clone(),
        };
        let settings = Quarantine { digest: DigestPace::Daily, ..Quarantine::default() };
        let digests = Arc::new(Digests::new(parts, &settings));
        let names = directory.clone();
        let spam = Spam::open(SpamParts {
            store: store.clone(),
            mail: store.clone(),
            key: token_key(&secret).unwrap(),
            names: Arc::new(move |account| names.address_of(account)),
            links: None,
            settings: config::Spam::default(),
            clock: Arc::new(SystemClock),
            events: events.clone(),
        });
        let (stop, word) = shutdown::channel();
        let context = Context::new(Parts {
            origin,
            digests: digests.clone(),
            mail: store.clone(),
            quarantine: store.clone(),
            directory,
            spam: spam.await.unwrap(),
            events: events.clone(),
            shutdown: word,
            clock: Arc::new(SystemClock),
        });
        Self { store, digests, context, gate: Gate::new(Caps::default()), joe, events, _stop: stop, _dir: dir }
    }

    /// Something is kept for Joe, and he is told; answers its number and the word of its link.
    async fn told(&self, check: Check) -> (QuarantineId, String) {
        let note = Note {
            subject: CANARY.to_owned(),
            from: CANARY.to_owned(),
            direction: "incoming".to_owned(),
            findings: vec![Finding::new(check, "x", Action::Quarantine, CANARY)],
            ..Note::default()
        };
        let targets = vec![Target { account: self.joe, mailbox: None, flags: Flags::NONE }];
        let ways = Ways { targets, queued: Vec::new() };
        let kept = Kept { ways, note: note.to_bytes(64_000).into(), expires: Timestamp(i64::MAX), source: None };
        let text = format!(
            "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n<script>{CANARY}</script>\r\n--b\r\n\
             Content-Disposition: attachment; filename*=utf-8''%22%3E%3Cimg%20onerror%3E.pdf\r\n\r\nx\r\n--b--\r\n"
        );
        let content = prepare(text.into_bytes(), 0).unwrap();
        let delivery = Delivery { content, targets: Vec::new(), queued: Vec::new(), kept: Some(kept) };
        let id = self.store.deliver(delivery).await.unwrap().kept.unwrap();
        let before = self.inbox().await.len();
        assert_eq!(self.digests.send_now().await.unwrap().users, 1);
        let digest = self.inbox().await.swap_remove(before);
        let (_, rest) = digest.split_once("https://mail.s.example/quarantine/").unwrap();
        (id, rest.chars().take(43).collect())
    }

    async fn inbox(&self) -> Vec<String> {
        let inbox = self.store.mailbox(self.joe, MailboxName::inbox()).await.unwrap();
        let mut texts = Vec::new();
        for message in self.store.messages(inbox.id, vec![UidRange::ALL], 1_000).await.unwrap() {
            let bytes = self.store.read(message.blob, 0, message.size).await.unwrap();
            let text = text_of(&bytes, &Structure::parse(&bytes));
            texts.push(format!("{}\n{}", text.header, text.body));
        }
        texts
    }

    /// What these bytes, from an address, are answered.
    async fn sent_from(&self, address: &str, bytes: &[u8]) -> String {
        let (mut ours, theirs) = tokio::io::duplex(1024 * 1024);
        let address: IpAddr = address.parse().unwrap();
        let peer = Peer { session: 1, address: Some(address), port: None, listener: Listener::Https };
        let permit = self.gate.admit(Some(address)).unwrap();
        let served = tokio::spawn(serve(Wire::memory(theirs), peer, permit, self.context.clone()));
        ours.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).await.unwrap();
        served.await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn ask(&self, method: &str, path: &str, fields: &str) -> String {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: mail.s.example\r\n{fields}\r\n");
        let answer = self.sent_from("192.0.2.7", request.as_bytes()).await;
        // RFC 9110 §6.6.1: the one field that changes.
        answer.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
    }

    async fn get(&self, path: &str) -> String {
        self.ask("GET", path, "").await
    }

    async fn post(&self, path: &str) -> String {
        self.ask("POST", path, "Content-Length: 0\r\nOrigin: https://mail.s.example\r\n").await
    }
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

#[tokio::test]
async fn whoever_follows_a_link_changes_nothing_until_a_button_is_pressed() {
    let house = House::new().await;
    let (id, word) = house.told(Check::Spam).await;
    for act in ["", "/release", "/report", "/delete"] {
        for method in ["GET", "HEAD"] {
            let answer = house.ask(method, &format!("/quarantine/{word}{act}"), "").await;
            assert_eq!(status(&answer), "200", "{method} {act}");
        }
    }
    assert!(house.store.quarantined(id).await.unwrap().is_some());
    assert_eq!(house.inbox().await.len(), 1, "the digest alone");
    let page = house.get(&format!("/quarantine/{word}/delete")).await;
    let at = |words: &str| page.find(words).unwrap();
    assert!(at("Delete it</button>") < at("Release it to my inbox</button>"), "what was clicked comes first");
    assert_eq!(status(&house.post(&format!("/quarantine/{word}")).await), "405", "looking is no act");
    assert_eq!(status(&house.ask("DELETE", &format!("/quarantine/{word}/delete"), "").await), "405");
    assert!(house.store.quarantined(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_button_releases_once_into_the_inbox_and_it_is_remembered() {
    let house = House::new().await;
    let (id, word) = house.told(Check::Spam).await;
    let path = format!("/quarantine/{word}/release");
    let answer = house.post(&path).await;
    assert!(status(&answer) == "200" && answer.contains("It is in your inbox"), "{answer}");
    assert!(house.store.quarantined(id).await.unwrap().is_none());
    assert_eq!(house.inbox().await.len(), 2);
    let second = house.post(&path).await;
    assert!(status(&second) == "404" && second.contains("what you asked for is done"), "{second}");
    assert_eq!(house.inbox().await.len(), 2);
    let done = digest::done::done(&*house.store, id).await.unwrap();
    assert_eq!(
        (done[0].what.as_str(), done[0].by.as_str(), done[0].how.as_str()),
        ("released", "joe@s.example", "link")
    );
    let told = house.events.lines().into_iter().find(|line| line.contains("quarantine.released")).unwrap();
    assert!(told.contains("by=joe@s.example how=link") && told.contains("from=192.0.2.7"), "{told}");
    assert!(!house.events.lines().iter().any(|line| line.contains(&word)), "a word is never logged");
}

#[tokio::test]
async fn a_false_alarm_is_released_and_learned_and_what_is_deleted_is_gone() {
    let house = House::new().await;
    let (id, word) = house.told(Check::Spam).await;
    let answer = house.post(&format!("/quarantine/{word}/report")).await;
    assert!(answer.contains("your spam filter has learned from it"), "{answer}");
    assert!(house.store.quarantined(id).await.unwrap().is_none());
    let (id, word) = house.told(Check::Spam).await;
    let before = house.inbox().await.len();
    let answer = house.post(&format!("/quarantine/{word}/delete")).await;
    assert!(answer.contains("gone for good"), "{answer}");
    assert!(house.store.quarantined(id).await.unwrap().is_none());
    assert_eq!(house.inbox().await.len(), before);
}

#[tokio::test]
async fn wrong_old_and_spent_words_look_alike_to_the_last_byte() {
    let house = House::new().await;
    let (_, word) = house.told(Check::Spam).await;
    house.post(&format!("/quarantine/{word}/release")).await;
    let spent = house.get(&format!("/quarantine/{word}")).await;
    assert_eq!(status(&spent), "404");
    let mut other = word.clone();
    other.replace_range(..1, if word.starts_with('A') { "B" } else { "A" });
    for wrong in [other.as_str(), "x", "%00", "..", &"A".repeat(43), &"A".repeat(400)] {
        assert_eq!(house.get(&format!("/quarantine/{wrong}")).await, spent, "{wrong}");
        assert_eq!(house.post(&format!("/quarantine/{wrong}/release")).await, spent, "{wrong}");
    }
}

#[tokio::test]
async fn who_tries_words_is_told_nothing_more_and_nobody_else_is_hit() {
    let house = House::new().await;
    let (_, word) = house.told(Check::Spam).await;
    for _ in 0..WEB_WRONG_LINKS_MAX {
        assert_eq!(status(&house.get("/quarantine/x").await), "404");
    }
    let good = format!("/quarantine/{word}");
    let answer = house.get(&good).await;
    assert!(status(&answer) == "429" && answer.contains("retry-after: 600"), "{answer}");
    let request = format!("GET {good} HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(status(&house.sent_from("192.0.2.8", request.as_bytes()).await), "200");
    assert_eq!(house.events.lines().iter().filter(|line| line.contains("web.wrong_links")).count(), 1);
}

/// Attacks F8.
#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let house = House::new().await;
    let (id, word) = house.told(Check::Spam).await;
    let path = format!("/quarantine/{word}/release");
    for theirs in ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let answer = house.ask("POST", &path, &format!("Content-Length: 0\r\n{theirs}\r\n")).await;
        assert_eq!(status(&answer), "403", "{theirs}");
    }
    assert!(house.store.quarantined(id).await.unwrap().is_some());
    let ours = "Content-Length: 0\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(
        status(&house.ask("POST", &path, ours).await),
        "200",
        "as browsers send it from a page without referrer"
    );
}

#[tokio::test]
async fn every_answer_says_that_nothing_may_run_be_framed_or_kept() {
    let house = House::new().await;
    let (_, word) = house.told(Check::Spam).await;
    let good = format!("/quarantine/{word}");
    let mut answers = vec![house.get(&good).await, house.get("/").await, house.get("/quarantine/x").await];
    answers.push(house.ask("BREW", &good, "").await);
    answers.push(house.ask("POST", &good, "Origin: https://evil.example\r\n").await);
    answers.push(house.ask("POST", &format!("{good}/release"), "Content-Length: 9999999\r\n").await);
    answers.push(house.post(&format!("{good}/release")).await);
    for answer in answers {
        let (head, body) = answer.split_once("\n\n").unwrap();
        for field in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "strict-transport-security: max-age=",
            "cache-control: no-store",
            "connection: close",
        ] {
            assert!(head.contains(field), "{field}: {head}");
        }
        assert!(!body.contains("<script") && !body.contains("<img"), "{body}");
        assert!(!head.contains("set-cookie"));
    }
}

/// Attacks F6, F10.
#[tokio::test]
async fn what_outsiders_wrote_is_text_on_the_page_and_the_host_field_is_nobody_s_word() {
    let house = House::new().await;
    let (_, word) = house.told(Check::Spam).await;
    let request =
        format!("GET /quarantine/{word} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n");
    let page = house.sent_from("192.0.2.7", request.as_bytes()).await;
    assert!(page.contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"), "{page}");
    assert!(page.contains("&quot;&gt;&lt;img onerror&gt;.pdf"), "the name of a file");
    assert!(page.contains("&lt;script&gt;"), "its text");
    assert!(!page.contains("<img") && !page.contains("<script") && !page.contains("evil.example"), "{page}");
    assert_eq!(page.matches("action=\"/quarantine/").count(), 3);
}

#[tokio::test]
async fn policy_decides_when_the_button_is_pressed_and_not_when_the_mail_was_sent() {
    let house = House::new().await;
    let may = |classes: &[KeptClass]| {
        house.digests.set(&Quarantine {
            digest: DigestPace::Daily,
            users_release: classes.to_vec(),
            ..Quarantine::default()
        });
    };
    may(&[KeptClass::Attachments]);
    let (id, word) = house.told(Check::Attachments).await;
    may(&[KeptClass::Spam]);
    for answer in
        [house.get(&format!("/quarantine/{word}")).await, house.post(&format!("/quarantine/{word}/release")).await]
    {
        assert!(status(&answer) == "403" && answer.contains("administrator"), "{answer}");
    }
    assert!(house.store.quarantined(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_message_that_somebody_else_decided_on_is_told_as_such() {
    let house = House::new().await;
    let (id, word) = house.told(Check::Spam).await;
    let done = digest::done::Done {
        what: "released".to_owned(),
        by: "administrator".to_owned(),
        how: "command".to_owned(),
        user: None,
        at: SystemClock.now(),
    };
    let everybody = mailward_store::records::KeptFor::Everybody;
    house.store.release(id, everybody, vec![done.note(id)]).await.unwrap();
    let answer = house.get(&format!("/quarantine/{word}")).await;
    assert!(status(&answer) == "410" && answer.contains("released by your administrator"), "{answer}");
}

/// Attacks F15.
#[tokio::test]
async fn what_is_too_long_or_can_be_read_in_two_ways_is_refused_and_one_request_is_all() {
    let house = House::new().await;
    let (id, word) = house.told(Check::Spam).await;
    let act = format!("/quarantine/{word}/release");
    let long = format!("/{}", "a".repeat(WEB_PATH_MAX));
    assert_eq!(status(&house.get(&long).await), "414");
    let chunked = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n";
    assert_eq!(status(&house.ask("POST", &act, chunked).await), "400");
    let big = format!("Content-Length: {0}\r\n\r\n{1}", WEB_BODY_MAX + 1, "a".repeat(WEB_BODY_MAX + 1));
    assert_eq!(status(&house.ask("POST", &act, &big).await), "413");
    let endless = format!("Transfer-Encoding: chunked\r\n\r\n2000\r\n{}\r\n0\r\n\r\n", "a".repeat(0x2000));
    assert_eq!(status(&house.ask("POST", &act, &endless).await), "400");
    let header = format!("X: {}\r\n", "a".repeat(WEB_HEADER_BYTES_MAX));
    assert_eq!(status(&house.ask("GET", "/", &header).await), "431");
    assert_eq!(status(&house.sent_from("192.0.2.7", b"GET / HTTP/1.1\r\n\r\n").await), "400", "no host");
    let two = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST {act} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(house.sent_from("192.0.2.7", two.as_bytes()).await.matches("HTTP/1.1 ").count(), 1);
    assert!(house.store.quarantined(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let house = House::new().await;
    tokio::time::pause();
    for bytes in
        [&b""[..], b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
    {
        let answer = house.sent_from("192.0.2.7", bytes).await;
        assert!(answer.is_empty() || status(&answer) == "408", "{answer}");
    }
}
