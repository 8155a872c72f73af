//! What all of it comes to.

use crate::world::*;
use mailward_core::config::{self, SpamPoints};
use mailward_core::{AccountId, Domain};
use mailward_inspect::spam::{Lesson, LinkListed, LinkLists, Sign, SpamPoints as Points};
use mailward_inspect::{Action, Check, Direction, Finding, Verdict};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

async fn found(message: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    let found = w.spam.score(&subject(message.replace('\n', "\r\n").as_bytes(), &[w.alice]), None, &[]).await;
    found.into_iter().map(|one| one.rule).collect()
}

const HEADER: &str = "From: Joe <joe@work.example>\nTo: alice@example.test\nDate: Mon, 02 Nov 2026 10:00:00 +0000\nMessage-ID: <1@work.example>\n";

async fn has(message: &str, sign: Sign) {
    let rules = found(message).await;
    assert!(rules.contains(&sign.name().to_owned()), "{} not in {rules:?}", sign.name());
}

#[tokio::test]
async fn an_ordinary_letter_has_nothing_but_that_it_is_the_first() {
    let plain = format!("{HEADER}Subject: Lunch on Tuesday?\n\nAre you free at noon?\n");
    assert_eq!(found(&plain).await, ["first-contact"]);
    let alternative = format!(
        "{HEADER}Subject: Minutes\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nSee https://work.example/m\n--b\nContent-Type: text/html\n\n<p>See <a href=\"https://www.work.example/m\">work.example</a></p>\n--b--\n"
    );
    assert_eq!(found(&alternative).await, ["first-contact"]);
}

/// Put together here, so that this file can be sent by mail.
fn gtube() -> String {
    ["XJS*C4JDBQADN1.NSBN3*2IDNEN", "*GTUBE-STANDARD-ANTI-UBE-TEST", "-EMAIL*C.34X"].concat()
}

#[tokio::test]
async fn the_text_that_spam_filters_are_tried_with_goes_the_way_of_the_worst_spam() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    let plain = format!("{HEADER}Subject: a trial\n\n{}\n", gtube());
    let quoted = format!(
        "{HEADER}Subject: a trial\nContent-Transfer-Encoding: quoted-printable\n\n{}\n",
        gtube().replace('*', "=2A").replace("-TEST", "-=\nTEST")
    );
    let page = format!("{HEADER}Subject: a trial\nContent-Type: text/html\n\n<p>{}</p>\n", gtube());
    for message in [&plain, &quoted, &page] {
        let of = subject(message.replace('\n', "\r\n").as_bytes(), &[w.alice, w.bob]);
        let verdict = Verdict { findings: w.spam.score(&of, None, &[]).await };
        assert_eq!(verdict.action_for(1), Action::Junk, "{message}: {verdict:?}");
        assert!(verdict.findings.iter().any(|one| one.rule == "gtube" && one.points == 100_000), "{verdict:?}");
    }
    // On two lines it is talked about.
    let broken = format!("{HEADER}Subject: a trial\n\n{}\n", gtube().replace("ANTI", "ANTI\n"));
    assert_eq!(found(&broken).await, ["first-contact"]);
    w.spam.set(&config::Spam { reject: Points(Some(1_500)), ..config::Spam::default() });
    let of = subject(plain.replace('\n', "\r\n").as_bytes(), &[w.alice]);
    let verdict = Verdict { findings: w.spam.score(&of, None, &[]).await };
    assert_eq!(verdict.action_for(0), Action::Reject, "where the worst spam is refused, so is this");
}

#[tokio::test]
async fn signs_of_the_header_are_seen() {
    let body = "\n\nhello\n";
    has(&format!("From: a@b.example\nTo: c@d.example\nSubject: x{body}"), Sign::NoDate).await;
    has(&format!("From: a@b.example\nTo: c@d.example\nSubject: x{body}"), Sign::NoMessageId).await;
    has(&format!("From: a@b.example\nDate: yesterday\nSubject: x{body}"), Sign::BadDate).await;
    has(&format!("From: a@b.example\nDate: Mon, 02 Nov 2026 10:00:00 +0000\nSubject: x{body}"), Sign::NoRecipient)
        .await;
    has(&format!("From: a@b.example\nDate: Thu, 05 Nov 2026 10:00:00 +0000\nSubject: x{body}"), Sign::DateAhead).await;
    has(&format!("From: a@b.example\nDate: Mon, 02 Feb 2026 10:00:00 +0000\nSubject: x{body}"), Sign::DateBack).await;
    has(&format!("From: a@b.example\nMessage-ID: <nowhere>\nSubject: x{body}"), Sign::BadMessageId).await;
    has(&format!("{HEADER}{body}"), Sign::NoSubject).await;
    has(&format!("{HEADER}Subject: BUY NOW OR NEVER{body}"), Sign::SubjectShouts).await;
    has(&format!("{HEADER}Subject: Cheap          xk7f{body}"), Sign::SubjectGap).await;
    has(&format!("{HEADER}Subject: =?utf-8?q?P=D0=B0ypal?= account{body}"), Sign::MixedLetters).await;
    has(&format!("{HEADER}Subject: =?utf-8?q?bill_=E2=80=AEfdp.exe?={body}"), Sign::TurnedAround).await;
    has(&format!("{HEADER}Reply-To: joe@freemail.example\nSubject: x{body}"), Sign::AnswersElsewhere).await;
    let many: Vec<String> = (0..21).map(|n| format!("u{n}@d.example")).collect();
    has(&format!("From: a@b.example\nTo: {}\nSubject: x{body}", many.join(",\n ")), Sign::ManyRecipients).await;
    let mailer = "X-Mailer: Microsoft Outlook Express 6.00.2800.1106\n";
    has(&format!("{HEADER}{mailer}Subject: x{body}"), Sign::ForgedMailer).await;
}

/// Attacks D15: a name that shows another address than the one that is behind it.
#[tokio::test]
async fn a_name_that_is_somebody_else_s_address_is_seen_and_one_s_own_is_not() {
    let from = |from: &str| {
        format!(
            "From: {from}\nTo: c@d.example\nDate: Mon, 02 Nov 2026 10:00:00 +0000\nMessage-ID: <1@x.example>\nSubject: x\n\nhello\n"
        )
    };
    has(&from("\"boss@company.example\" <x@evil.example>"), Sign::NameIsAddress).await;
    has(&from("=?utf-8?q?The_Boss_=3Cboss=40company.example=3E?= <x@evil.example>"), Sign::NameIsAddress).await;
    for honest in ["\"joe@work.example\" <joe@mail.work.example>", "Joe @ Work <joe@work.example>", "joe@work.example"]
    {
        assert_eq!(found(&from(honest)).await, ["first-contact"], "{honest}");
    }
}

#[tokio::test]
async fn signs_of_the_body_are_seen() {
    let html = |page: &str| format!("{HEADER}Subject: x\nContent-Type: text/html; charset=utf-8\n\n{page}\n");
    has(&html("<p>hello</p>"), Sign::PageAlone).await;
    has(&html("<a href=x><img src=cid:1></a>"), Sign::PictureAlone).await;
    has(&html("<span style=\"FONT-SIZE:0px\">good words</span>"), Sign::HiddenText).await;
    has(&html("<a href=\"http://192.0.2.1/login\">here</a>"), Sign::LinkToNumber).await;
    has(&html("<a href=\"http://bank.example@evil.example/\">here</a>"), Sign::LinkWithUser).await;
    has(&html("<a href=\"http://evil.example/\">https://www.bank.example/</a>"), Sign::LinkLies).await;
    let torn = "Via\u{200b}gra pil\u{200b}ls che\u{200b}ap";
    has(&format!("{HEADER}Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{torn}\n"), Sign::TornWords).await;
}

#[test]
fn no_sign_alone_is_enough_and_each_has_its_row_on_the_page() {
    let page = include_str!("../../../../docs/spam.md");
    let junk = config::Spam::default().junk;
    for sign in Sign::all() {
        assert!(!junk.reached(sign.points()) && sign.points() != 0, "{}", sign.name());
        assert_eq!(Sign::all().filter(|other| other.name() == sign.name()).count(), 1);
        let points = format!("{}{}", if sign.points() < 0 { "-" } else { "+" }, Points(Some(sign.points().abs())));
        let row = format!("| `{}` | {points} | {} |", sign.name(), sign.reason());
        assert!(page.contains(&row), "docs/spam.md lacks: {row}");
    }
}

#[tokio::test]
async fn what_follows_is_what_the_points_of_all_come_to_for_each_recipient() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..20).await;
    for number in 500..515 {
        w.spam.learn(Some(w.alice), &mail(Lesson::Spam, number), Some(Lesson::Ham)).await.unwrap();
        w.spam.learn(Some(w.alice), &mail(Lesson::Ham, number), Some(Lesson::Spam)).await.unwrap();
    }
    let spam = subject(&mail(Lesson::Spam, 999), &[w.alice, w.bob]);
    let verdict = |findings| Verdict { findings };
    let judged = verdict(w.spam.score(&spam, None, &[]).await);
    assert_eq!(judged.action_for(0), Action::Deliver, "alice wants it");
    assert!(judged.action_for(1) >= Action::Mark);
    assert!(judged.points_for(1) > judged.points_for(0));
    // What others found counts, and the strongest threshold that is reached.
    let authentication = [Finding::new(Check::Authentication, "dmarc-fail", Action::Deliver, "").worth(2_000)];
    let reject = config::Spam { reject: SpamPoints(Some(1_500)), ..config::Spam::default() };
    w.spam.set(&reject);
    let judged = verdict(w.spam.score(&spam, None, &authentication).await);
    assert_eq!(judged.action_for(1), Action::Reject);
    let score = judged.findings.iter().find(|one| one.rule == "score").unwrap();
    assert!(score.evidence.ends_with("reject from 15 on"), "{}", score.evidence);
    w.spam.set(&config::Spam { mark: SpamPoints(None), junk: SpamPoints(None), ..config::Spam::default() });
    let judged = verdict(w.spam.score(&spam, None, &authentication).await);
    assert_eq!(judged.action_for(1), Action::Deliver);
    let mut own = spam.clone();
    own.direction = Direction::Outgoing;
    assert!(w.spam.score(&own, None, &[]).await.is_empty());
}

#[tokio::test]
async fn what_the_gate_saw_counts_half_and_a_correspondent_only_if_proven() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    let mut letter = subject(&mail(Lesson::Ham, 1), &[w.alice]);
    letter.signs = Arc::from([("no-reverse".to_owned(), 2), ("correspondent".to_owned(), -6), ("hasty".to_owned(), 1)]);
    letter.correspondent = true;
    let found = w.spam.score(&letter, None, &[]).await;
    let points = |found: &[Finding], rule: &str| found.iter().find(|one| one.rule == rule).map(|one| one.points);
    assert_eq!(points(&found, "gate"), Some(150));
    assert_eq!((points(&found, "correspondent"), points(&found, "first-contact")), (None, None));
    let proof = [Finding::new(Check::Authentication, "dmarc-pass", Action::Deliver, "")];
    let found = w.spam.score(&letter, None, &proof).await;
    assert_eq!(points(&found, "correspondent"), Some(-200));
}

/// Lists `bad.example`; of anything else it never answers.
struct Lists;

impl LinkLists for Lists {
    fn listed<'a>(
        &'a self,
        _client: Option<IpAddr>,
        domains: &'a [Domain],
    ) -> Pin<Box<dyn Future<Output = Vec<LinkListed>> + Send + 'a>> {
        Box::pin(async move {
            if domains.iter().any(|domain| domain.as_str() != "bad.example") {
                std::future::pending::<()>().await;
            }
            let one =
                |domain: &Domain| LinkListed { domain: domain.clone(), why: "on bl.example".to_owned(), weight: 4 };
            domains.iter().map(one).collect()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn listed_links_count_and_lists_that_are_silent_don_t() {
    let dir = tempfile::tempdir().unwrap();
    let w = world_with(dir.path(), config::Spam::default(), Some(Arc::new(Lists))).await;
    let with = |link: &str| format!("{HEADER}Subject: x\n\nsee {link}\n").replace('\n', "\r\n");
    let score = async |link: &str, to: AccountId| w.spam.score(&subject(with(link).as_bytes(), &[to]), None, &[]).await;
    let found = score("http://www.bad.example/", w.alice).await;
    let listed = found.iter().find(|one| one.rule == "link-listed").unwrap();
    assert_eq!((listed.points, listed.evidence.as_str()), (400, "a link leads to bad.example: on bl.example"));
    let found = score("http://silent.example/", w.alice).await;
    assert!(found.iter().all(|one| one.rule != "link-listed"));
}
