//! The report: what people are shown, and what others may see.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

use mailward_audit::actions::{Actions, Exception};
use mailward_audit::evidence::{Archive, Run, Seal};
use mailward_audit::report::{Names, Report};
use mailward_audit::{Area, Control, Finding, Probe, Record, Verdict, Weights, all, find, score};
use mailward_core::{Secret, Timestamp};
use mailward_vault::EvidenceKey;
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

fn at(day: i64) -> Timestamp {
    Timestamp::from_secs(day * DAY)
}

/// A run in which each control has the verdict that is chosen for it, and says `said` with `seen` as evidence.
fn run(day: i64, said: &str, seen: &[u8], verdict: impl Fn(&Control) -> Verdict) -> Run {
    let record = |control: &&'static Control| {
        let finding = Finding { verdict: verdict(control), ..Finding::pass(said) }.showing(said, seen);
        Record::new(control, at(day), at(day), finding)
    };
    let records: Vec<Record> = all().iter().map(record).collect();
    let weights = Weights::default();
    Run {
        number: 0,
        version: "0.1.0".to_owned(),
        name: "mail.example.test".to_owned(),
        began: at(day),
        ended: at(day),
        score: score(&records, &weights, &[]),
        overdue: Vec::new(),
        weights,
        records,
    }
}

/// What is kept of these runs, one a day, with what is to be done after the last of them.
fn kept(runs: Vec<Run>) -> (Vec<Run>, Vec<Seal>, Actions) {
    let data = tempfile::tempdir().unwrap();
    let (archive, key) = (Archive::in_data(data.path()), EvidenceKey::new(&Secret::new("secret")).unwrap());
    let owners: BTreeMap<Area, String> = Area::ALL.iter().map(|area| (*area, "ada@example.test".to_owned())).collect();
    let mut actions = Actions::default();
    let mut kept = Vec::new();
    for run in runs {
        kept.push(archive.keep(run, &Actions::default(), &key).unwrap());
        actions.heard(kept.last().unwrap(), &owners);
    }
    (kept, archive.history().unwrap(), actions)
}

fn report(mut runs: Vec<Run>, history: Vec<Seal>, actions: Actions, day: i64) -> Report {
    let run = runs.pop().unwrap();
    Report::new(run, runs.pop(), history, actions, at(day))
}

/// Two audits: in the first nothing was known, in the second one starred control, all of Who-1 and one small one failed.
fn two(said: &str, seen: &[u8]) -> Report {
    let second = |control: &Control| match control.id {
        "NET-10" => Verdict::Fail,
        id if id.ends_with("-WHO-1") => Verdict::Fail,
        _ if control.id == starred() => Verdict::Fail,
        "CAP-WHY-3" => Verdict::Partial(40),
        _ => Verdict::Pass,
    };
    let (runs, history, actions) = kept(vec![run(0, said, seen, |_| Verdict::NotTested), run(1, said, seen, second)]);
    report(runs, history, actions, 2)
}

fn starred() -> &'static str {
    all().iter().find(|control| control.is_starred()).map_or("none", |control| control.id)
}

#[test]
fn the_change_since_the_last_audit_is_told_with_its_sign() {
    let (runs, history, actions) = kept(vec![
        run(0, "x", b"", |_| Verdict::Pass),
        run(1, "x", b"", |control| if control.id == "PHY-WHO-1" { Verdict::Fail } else { Verdict::Pass }),
    ]);
    let first = Report::new(runs[0].clone(), None, history.clone(), actions.clone(), at(1));
    assert_eq!(first.change(), None);
    assert!(first.html().contains("This is the first audit."));
    let second = report(runs, history, actions, 1);
    let (number, change) = second.change().unwrap();
    assert_eq!(number, 1);
    assert!(change < 0, "{change}");
    assert!(second.html().contains(&format!(
        "That is {} points fewer than in audit number 1.",
        mailward_audit::points(u32::try_from(-change).unwrap())
    )));
}

#[test]
fn that_areas_count_otherwise_than_usual_is_on_the_first_sheet() {
    let mut other = run(0, "x", b"", |_| Verdict::Pass);
    other.weights = Weights([(Area::Logs, 0)].into());
    let (runs, history, actions) = kept(vec![other]);
    assert!(report(runs, history, actions, 0).html().contains("Areas count otherwise than usual: "));
    let (runs, history, actions) = kept(vec![run(0, "x", b"", |_| Verdict::Pass)]);
    assert!(!report(runs, history, actions, 0).html().contains("count otherwise"));
}

#[test]
fn the_worst_risks_are_told_once_each_and_those_that_cap_come_first() {
    let verdict = |control: &Control| match control {
        control if control.id == starred() || control.id.ends_with("-WHO-1") => Verdict::Fail,
        control if control.id.ends_with("-WHY-2") => Verdict::NotTested,
        control if control.id == "PHY-WHO-2" => Verdict::Error,
        control if control.id == "AVS-WHO-3" => Verdict::Partial(99),
        _ => Verdict::Pass,
    };
    let (runs, history, actions) = kept(vec![run(0, "x", b"", verdict)]);
    let report = report(runs, history, actions, 0);
    let worst = report.worst(3);
    let told: Vec<(&str, usize)> = worst.iter().map(|risk| (risk.records[0].id.as_str(), risk.records.len())).collect();
    let rest = [("PHY-WHO-1", 18), ("AVS-WHO-3", 1)];
    match find(starred()) {
        Some(control) => {
            assert_eq!(told, [(control.id, 1), rest[0], rest[1]]);
            assert_eq!((worst[0].why, worst[0].most), (control.why, Some(400)));
        }
        None => assert_eq!(told, rest),
    }
    // What it says is what mending brings, but for a hundredth an area.
    let mended =
        run(0, "x", b"", |control| if control.id.ends_with("-WHO-1") { Verdict::Pass } else { verdict(control) });
    let owners = worst.iter().find(|risk| risk.records.len() == 18).unwrap();
    let gain = mended.score.uncapped - run(0, "x", b"", verdict).score.uncapped;
    assert!(gain > 0 && gain.abs_diff(owners.gain) <= 18, "{gain} {}", owners.gain);
}

#[test]
fn what_is_to_be_done_tells_who_until_when_and_what_is_overdue() {
    let (runs, history, mut actions) =
        kept(vec![run(0, "x", b"", |control| if control.id == "PHY-WHO-1" { Verdict::Fail } else { Verdict::Pass })]);
    let page = |actions: &Actions, day| report(runs.clone(), history.clone(), actions.clone(), day).html();
    let early = page(&actions, 1);
    assert!(early.contains("this was open: 1, of which 0 should be over"), "{early}");
    assert!(early.contains("ada@example.test") && early.contains("1970-01-08") && !early.contains(">overdue<"));
    assert!(page(&actions, 9).contains("<strong class=\"late\">overdue</strong>"));
    let exception = Exception {
        reason: "the board <has> none".to_owned(),
        approver: "bob@example.test".to_owned(),
        at: at(1),
        until: at(100),
    };
    actions.except("PHY-WHO-1", exception).unwrap();
    let excepted = page(&actions, 9);
    assert!(!excepted.contains(">overdue<") && excepted.contains("1970-04-11"), "{excepted}");
    assert!(excepted.contains("May stay as it is: <span dir=\"auto\">the board &lt;has&gt; none</span> (<span dir=\"auto\">bob@example.test</span>)."));
    actions.0.clear();
    assert!(page(&actions, 9).contains("Nothing is to be done."));
}

#[test]
fn every_question_has_its_answer_evidence_and_mend_and_what_it_was_before() {
    let page = two("what was found", b"line one\nline two\n").html();
    for control in all() {
        assert!(page.contains(&format!("<span class=\"id\">{}</span>", control.id)), "{}", control.id);
    }
    assert!(page.contains(">failed</b>, before: not tested"));
    assert!(page.contains(">in part (40 %)</b>"));
    assert!(page.contains("<pre dir=\"auto\">line one\nline two\n</pre>"));
    let hash = mailward_audit::sha256_of(&b"line one\nline two\n"[..]).unwrap();
    assert!(page.contains(&format!(": 18 bytes, SHA-256 <code class=\"hash\">{hash}</code>")));
    let mend = find("PHY-WHO-1").unwrap().mend.replace('"', "&quot;").replace('\'', "&#39;");
    assert!(page.contains(&mend));
}

#[test]
fn the_style_is_the_one_that_the_policy_names_and_nothing_is_fetched() {
    let page = two("x", b"").html();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = {
        use base64::Engine as _;
        let hex = mailward_audit::sha256_of(style.as_bytes()).unwrap();
        let digits: Vec<u8> = hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    assert!(
        page.contains(&format!("content=\"default-src &#39;none&#39;; style-src &#39;sha256-{hash}&#39;; ")),
        "{hash}"
    );
    for no in ["<script", " src=", "http://", "https://", "url(", "@import", " style=", " on"] {
        let ours = elements(&page).unwrap().join(" ");
        assert!(!ours.contains(no), "{no}");
        assert!(!style.contains(no.trim_start()) || no == " on", "{no}");
    }
}

#[test]
fn a_long_excerpt_fills_no_sheet_and_says_that_it_goes_on() {
    let long = "many words\n".repeat(100);
    let page = two("x", long.as_bytes()).html();
    let shown = page.split("<pre dir=\"auto\">").nth(1).unwrap().split("</pre>").next().unwrap();
    assert_eq!(shown.lines().count(), 30);
    assert!(page.contains("It goes on; the archive has more of it."));
}

#[test]
fn others_see_no_names_no_addresses_and_no_evidence() {
    let said = "ada@example.test at 192.0.2.7 may read /home/ada on mail.example.test, as bob says";
    let report = two(said, b"the secret of ada@example.test");
    let names =
        Names { hosts: vec!["example.test".to_owned()], people: vec!["ada@example.test".to_owned(), "bob".to_owned()] };
    let anonymous = report.without_names(&names);
    let (page, data) = (anonymous.html(), serde_json::to_string(&anonymous.data().unwrap()).unwrap());
    for text in [&page, &data] {
        for secret in ["example.test", "192.0.2.7", "the secret", "bob", "/home/ada"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("address-1 at ip-1 may read /home/person-1 on host-1, as person-2 says"));
        assert!(text.contains(&mailward_audit::sha256_of(&b"the secret of ada@example.test"[..]).unwrap()));
    }
    assert!(page.contains("Names, addresses and excerpts of evidence are left out"));
    // What people said are their words.
    let stated =
        all().into_iter().find(|control| control.probe == Probe::Statement && control.id.ends_with("-WHY-1")).unwrap();
    let records = anonymous.data().unwrap()["records"].as_array().unwrap().clone();
    let of = records.iter().find(|record| record["id"] == stated.id).unwrap();
    assert_eq!(
        (of["said"].as_str(), of["seen"][0]["input"].as_str()),
        (Some("left out"), Some("a file that was shown"))
    );
    // And everything is still there for those who may see it.
    assert!(report.html().contains("the secret of ada@example.test"));
}

#[test]
fn what_is_given_away_can_be_counted_again() {
    let report = two("x", b"y").without_names(&Names::default());
    let data = report.data().unwrap();
    let records: Vec<Record> = serde_json::from_value(data["records"].clone()).unwrap();
    let again = score(&records, &Weights::default(), &[]);
    assert_eq!(data["score"]["total"], again.total);
    assert_eq!((data["anonymous"].as_bool(), data["history"].as_array().unwrap().len()), (Some(true), 2));
}

/// The elements of a page, in their order, with their attributes' names: none unless it is well formed.
fn elements(page: &str) -> Result<Vec<String>, String> {
    const EMPTY: [&str; 2] = ["meta", "!doctype"];
    let mut rest = page;
    let (mut all, mut open) = (Vec::new(), Vec::new());
    while let Some((_, tag)) = rest.split_once('<') {
        let (inside, after) = tag.split_once('>').ok_or("an element doesn't end")?;
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            match open.pop() {
                Some(last) if last == name => continue,
                other => return Err(format!("{name} ends within {other:?}")),
            }
        }
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        let mut told = name.to_owned();
        // Names and values in turn: no value has a quotation mark.
        for (nth, part) in attributes.split('"').enumerate() {
            match nth % 2 {
                0 if part.is_empty() || name == "!doctype" => {}
                0 => told.push_str(&format!(" {}", part.trim().strip_suffix('=').ok_or(part)?)),
                _ => {}
            }
        }
        all.push(told);
        if !EMPTY.contains(&name) {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(all) } else { Err(format!("{open:?} never end")) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A hostile text in every place that anybody else writes makes the same page as a harmless one.
    #[test]
    fn whatever_is_said_the_page_has_our_elements_only(
        hostile in "(</|<|>|&|\"|'|pre|script|style|-->|title|\\PC|[\0-\u{1f}\u{7f}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}]){1,40}",
        names: bool,
    ) {
        let page = |text: &str| {
            let mut report = {
                let verdict = |control: &Control| if control.weight > 8 { Verdict::Fail } else { Verdict::Pass };
                let mut only = run(0, text, text.as_bytes(), verdict);
                only.name = text.to_owned();
                only.version = text.to_owned();
                let (runs, history, mut actions) = kept(vec![only]);
                for action in actions.0.values_mut() {
                    action.owner = text.to_owned();
                    let (reason, approver) = (text.to_owned(), text.to_owned());
                    action.exception = Some(Exception { reason, approver, at: at(0), until: at(9) });
                }
                report(runs, history, actions, 0)
            };
            if !names {
                report = report.without_names(&Names::default());
            }
            report.html()
        };
        let (theirs, ours) = (page(&hostile), page("x"));
        prop_assert_eq!(elements(&theirs).map_err(TestCaseError::fail)?, elements(&ours).map_err(TestCaseError::fail)?);
        let raw = theirs.chars().find(|c| {
            (c.is_control() && !matches!(c, '\n' | '\t'))
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{61c}')
        });
        prop_assert_eq!(raw, None);
    }
}
