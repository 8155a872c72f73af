//! Every control: it passes, it fails for each reason there is, and it doesn't say what it can't know.

use crate::house::Fault::{self, *};
use crate::house::{PASSWORD, scene};
use mailward_audit::{Control, Probe, Record, Scene, Settings, Verdict, all, find, run};
use mailward_core::{SystemClock, shutdown};
use std::collections::BTreeSet;
use std::sync::Arc;

fn ours() -> Vec<&'static Control> {
    all().into_iter().filter(|control| control.probe == Probe::Injection).collect()
}

pub(crate) async fn asked(id: &str, scene: Scene) -> Record {
    let (_trigger, stop) = shutdown::channel();
    let mut records = run(&[find(id).unwrap()], Arc::new(scene), &SystemClock, &stop, &mut ()).await;
    records.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_control_passes_at_a_server_without_fault_and_shows_no_password() {
    let (_trigger, stop) = shutdown::channel();
    let records = run(&ours(), Arc::new(scene(&[]).await), &SystemClock, &stop, &mut ()).await;
    let wrong: Vec<String> = records
        .iter()
        .filter(|record| record.verdict != Verdict::Pass || record.seen.is_empty())
        .map(|record| format!("{} {:?}: {}", record.id, record.verdict, record.said))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for record in &records {
        let shown: String = record.seen.iter().map(|seen| format!("{}{}", seen.input, seen.excerpt)).collect();
        assert!(!shown.contains(PASSWORD), "{}", record.id);
    }
}

/// Which fault which control has to find, and with which words.
const FAULTS: &[(&str, Fault, &str)] = &[
    ("AVS-03", Delivers(".zip-in-zip"), "zip in zip: arrived in INBOX"),
    ("AVS-03", Delivers(".plain"), "1 of 9 came through"),
    ("AVS-03", NoScanner, "but none as a virus"),
    ("AVS-03", IntoJunk(".tnef"), "TNEF: arrived in Junk"),
    ("AVS-05", Delivers(".65-535-files"), "arrived in INBOX"),
    ("AVS-05", Refuses("afterwards"), "a harmless text afterwards: refused"),
    ("AVS-06", Delivers(".one-in-another-zip"), "one in another zip: arrived"),
    ("AVS-07", Delivers(".a-shortcut"), "a shortcut: arrived"),
    ("AVS-09", Delivers(".two-boundaries"), "two boundaries: arrived"),
    ("AVS-10", Delivers(".avs-10.zip"), "zip: arrived"),
    ("FLT-01", Delivers(".flt-01."), "2 of 2 came through"),
    ("FLT-02", Delivers(".two-from"), "two From fields: arrived in INBOX"),
    ("FLT-03", KeepsForged, "is still there"),
    ("FLT-03", NoResults, "0 results"),
    ("FLT-07", Delivers(".gtube"), "GTUBE: arrived in INBOX"),
    ("ENC-11", SendsInClear, "sent all the same: no STARTTLS, a certificate that nobody vouches for"),
    ("ENC-11", BelievesAnybody, "sent all the same: a certificate that nobody vouches for"),
    ("FLT-08", LearnsNothing, "into Junk isn't learned"),
    ("AVS-14", UsersSeeViruses, "a digest gives users links to what is kept for a virus"),
    ("AVS-14", ReleasesNothing, "lets it go, and it doesn't come"),
    ("AVS-14", LogsNoRelease, "who let it go isn't in the log"),
    ("FLT-18", GoesRound, "is forwarded again"),
    ("FLT-18", PutsRoundOff, "is to come again: 451 later"),
    ("ENC-23", Unsealed, "it has no seal"),
    ("ENC-23", SealBroken, "its seal doesn't hold"),
    ("ENC-23", SealedByAnother, "its last seal is of example.net, and not of example.org"),
    ("FLT-22", RemembersNothing, "nothing tells why"),
    ("SVC-07", AnySender, "a sender elsewhere: arrived"),
    ("SVC-07", Delivers(".svc-07.from"), "From a colleague: arrived"),
    ("SVC-14", TakesUnknown, "is answered with 250"),
    ("SVC-09", SendsBareLines, "sent on with bare line feeds, bare carriage returns"),
    ("SVC-16", TakesEverybody, "everybody@example.org is answered with 250"),
    ("DOS-02", OneAtATime, "others were late or turned away"),
    ("SVC-24", NoAbuse, "abuse@example.org is answered with 550"),
    ("LOG-07", LogSilent, "isn't in the log within 5 seconds"),
    ("LOG-09", LogsPasswords, "in the log is the wrong password"),
    ("LOG-10", LogsRaw, "aren't what they should be"),
    ("POP-07", NeverSlows, "as fast as the first"),
    ("POP-07", SlowsReadersOnly, "but not at submissions"),
    ("POP-08", BansIgnored, "who is banned is let in"),
    ("POP-09", LocksOut, "the right password is refused"),
    ("POP-15", AnyPassword, "a longer password is taken"),
    ("DOS-04", Slow(".100-000-to"), "it took"),
    ("DOS-05", Slow(".20-000-pieces"), "it took"),
    ("DOS-04", Refuses("afterwards"), "doesn't arrive any more"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_and_told() {
    let mut wrong = Vec::new();
    for (id, fault, words) in FAULTS {
        let record = asked(id, scene(&[*fault]).await).await;
        if record.verdict != Verdict::Fail || !record.said.contains(words) {
            wrong.push(format!("{id} {fault:?}: {:?} {}", record.verdict, record.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same of links, each of which takes as long as one lasts.
const LINK_FAULTS: &[(Fault, &str)] = &[
    (LinkActsWhenOpened, "the message went when its links were only followed"),
    (LinkActsTwice, "a link that was used is taken again (200 for /release)"),
    (LinkNeverEnds, "a link that is over can be looked at (200); a link that is over can be used"),
    (LinkDoesNothing, "POST (200) doesn't release the message"),
    (AnyLink, "GET of a word that was never given is answered with 200"),
    (TagsInDigest, "the subject is a tag in the digest; the sender's name is a tag in the digest"),
    (TagsOnPage, "a file's name is a tag in its page"),
    (NamesNoFile, "a file's name isn't in its page"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_links_is_found_and_told() {
    let asked_at_once = LINK_FAULTS.iter().map(|(fault, words)| async move {
        let record = asked("FLT-10", scene(&[*fault]).await).await;
        let is_found = record.verdict == Verdict::Fail && record.said.contains(words);
        (!is_found).then(|| format!("{fault:?}: {:?} {}", record.verdict, record.said))
    });
    let wrong: Vec<String> = futures_util::future::join_all(asked_at_once).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_in_part_is_worth_a_part() {
    for (id, fault, share) in [
        ("LOG-07", LogBrief, 33),
        ("LOG-08", NoReference, 66),
        ("LOG-08", RemembersNothing, 33),
        ("FLT-08", LearnsSpamAlone, 50),
        ("ENC-07", Unsigned, 50),
        ("ENC-07", SignedByAnother, 50),
        ("ENC-07", EnvelopeElsewhere, 50),
        ("ENC-07", SpfFails, 50),
    ] {
        let record = asked(id, scene(&[fault]).await).await;
        assert_eq!(record.verdict, Verdict::Partial(share), "{id} {fault:?}: {}", record.said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_message_that_kills_the_session_is_found_and_one_that_is_shown_is_good() {
    let shown = asked("DOS-06", scene(&[Delivers(".200-messages")]).await).await;
    assert_eq!(shown.verdict, Verdict::Pass, "{}", shown.said);
    let killed = asked("DOS-06", scene(&[Delivers(".200-messages"), StructureKills]).await).await;
    assert_eq!(killed.verdict, Verdict::Fail, "{}", killed.said);
    assert!(killed.said.contains("the session ends"), "{}", killed.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_by_two_faults_alone_is_found_and_one_of_them_is_borne() {
    let arrives = Delivers(".flt-16.");
    let marked = asked("FLT-16", scene(&[arrives]).await).await;
    assert_eq!(marked.verdict, Verdict::Pass, "{}", marked.said);
    let unmarked = asked("FLT-16", scene(&[arrives, MarksNothing]).await).await;
    assert_eq!(unmarked.verdict, Verdict::Fail, "{}", unmarked.said);
    assert!(unmarked.said.contains("a name of two writings: arrived in INBOX"), "{}", unmarked.said);
    let taken = asked("SVC-09", scene(&[TakesBareLines]).await).await;
    assert_eq!(taken.verdict, Verdict::Pass, "it sends them on without: {}", taken.said);
    let unproven = asked("ENC-07", scene(&[Unsigned, SpfFails]).await).await;
    assert_eq!(unproven.verdict, Verdict::Fail, "{}", unproven.said);
    for words in ["it has no signature of example.org", "SPF for 45.33.32.156 says fail"] {
        assert!(unproven.said.contains(words), "{}", unproven.said);
    }
    let mut blind = scene(&[]).await;
    blind.names = None;
    assert_eq!(asked("ENC-07", blind).await.verdict, Verdict::NotTested);
    let mut blind = scene(&[]).await;
    blind.names = None;
    assert_eq!(asked("ENC-23", blind).await.verdict, Verdict::NotTested);
}

#[tokio::test]
async fn a_server_that_sends_nothing_to_others_sends_nothing_wrong() {
    for id in ["SVC-09", "ENC-07", "ENC-11", "FLT-18", "ENC-23"] {
        let mut alone = scene(&[]).await;
        let settings = Settings([("queue.send".to_owned(), "false".to_owned())].into());
        alone.state.as_mut().unwrap().settings = Some(settings);
        let record = asked(id, alone).await;
        assert_eq!(record.verdict, Verdict::NotApplicable, "{id}: {}", record.said);
    }
}

#[tokio::test]
async fn few_recipients_are_no_crowd() {
    let mut few = scene(&[]).await;
    few.state.as_mut().unwrap().aliases = Some([("sales@example.org".to_owned(), 9)].into());
    let record = asked("SVC-16", few).await;
    assert_eq!(record.verdict, Verdict::NotApplicable, "{}", record.said);
}

/// Which fault keeps which control from telling.
const BLIND: &[(&str, Fault)] = &[
    ("AVS-03", Refuses("harmless")),
    ("AVS-03", PutsOff(".tnef")),
    ("AVS-03", Loses(".tnef")),
    ("AVS-05", Refuses("harmless-file")),
    ("AVS-06", Refuses("harmless")),
    ("AVS-07", PutsOff(".a-script")),
    ("AVS-09", Refuses("harmless")),
    ("AVS-10", NoLogin),
    ("FLT-01", Refuses("harmless")),
    ("FLT-01", PutsOff("in-from-alone")),
    ("FLT-02", PutsOff(".no-from")),
    ("FLT-03", Refuses(".flt-03.")),
    ("FLT-07", Refuses("harmless")),
    ("AVS-14", Refuses(".avs-14.")),
    ("AVS-14", NoDigest),
    ("AVS-14", LogUnreadable),
    ("FLT-18", NoForwarding),
    ("FLT-18", ForwardsNothing),
    ("ENC-23", NoForwarding),
    ("ENC-23", ForwardsNothing),
    ("FLT-10", Refuses(".flt-10.")),
    ("FLT-10", NoDigest),
    ("FLT-10", HoldsNothing),
    ("FLT-10", NoPages),
    ("FLT-22", Delivers(".flt-22.")),
    ("SVC-07", NoLogin),
    ("SVC-14", PutsRecipientsOff),
    ("SVC-24", PutsRecipientsOff),
    ("SVC-09", NoSink),
    ("SVC-09", SendsNothing),
    ("SVC-09", NoLogin),
    ("SVC-16", PutsRecipientsOff),
    ("SVC-16", NoAliases),
    ("ENC-07", NoSink),
    ("ENC-07", SendsNothing),
    ("FLT-08", Refuses("harmless")),
    ("ENC-11", NoSink),
    ("ENC-11", SendsNothing),
    ("ENC-11", SendsNothingSecured),
    ("FLT-08", NoLearning),
    ("FLT-08", NoMove),
    ("FLT-16", Refuses("harmless")),
    ("FLT-16", PutsOff(".a-name-of")),
    ("LOG-07", LogUnreadable),
    ("LOG-08", LogUnreadable),
    ("LOG-09", LogUnreadable),
    ("LOG-09", LogSilent),
    ("LOG-10", LogUnreadable),
    ("LOG-10", LogSilent),
    ("POP-08", BansUnknown),
    ("POP-09", NoLogin),
    ("POP-15", NoLogin),
    ("DOS-04", Refuses("harmless")),
    ("DOS-05", PutsOff(".20-000-pieces")),
    ("DOS-06", Refuses("harmless")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_refuses_everything_or_tells_nothing_passes_nothing() {
    let mut wrong = Vec::new();
    for (id, fault) in BLIND {
        let record = asked(id, scene(&[*fault]).await).await;
        if record.verdict != Verdict::NotTested {
            wrong.push(format!("{id} {fault:?}: {:?} {}", record.verdict, record.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn without_an_account_or_doors_or_a_word_from_inside_nothing_is_tested() {
    for control in ours() {
        let mut without = scene(&[]).await;
        without.canary = None;
        let mut shut = scene(&[]).await;
        shut.doors.clear();
        for scene in [without, shut, scene(&[TellsNothing]).await] {
            let record = asked(control.id, scene).await;
            assert_eq!(record.verdict, Verdict::NotTested, "{}: {}", record.id, record.said);
        }
    }
}

#[tokio::test]
async fn where_no_digest_has_links_there_is_nothing_to_ask() {
    let nothing = asked("FLT-10", scene(&[NothingForUsers]).await).await;
    assert_eq!(nothing.verdict, Verdict::NotApplicable, "{}", nothing.said);
    let mut without = scene(&[]).await;
    without.doors.retain(|door| door.protocol != mailward_audit::Protocol::Https);
    let without = asked("FLT-10", without).await;
    assert_eq!(without.verdict, Verdict::NotApplicable, "{}", without.said);
}

/// Whoever reads the evidence can't use the links.
#[tokio::test]
async fn no_word_of_a_link_is_evidence() {
    let record = asked("FLT-10", scene(&[]).await).await;
    let shown: String = record.seen.iter().map(|seen| seen.excerpt.as_str()).collect();
    assert!(shown.contains("/quarantine/(word)/release") && !shown.contains(crate::pages::WORD), "{shown}");
}

#[tokio::test]
async fn what_there_is_no_door_for_is_no_question() {
    for id in ["AVS-03", "AVS-10", "SVC-07", "SVC-14", "FLT-01"] {
        let mut scene = scene(&[]).await;
        scene.doors.retain(|door| door.protocol == mailward_audit::Protocol::Imaps);
        assert_eq!(asked(id, scene).await.verdict, Verdict::NotApplicable, "{id}");
    }
}

/// A control that is in no table is one that nobody has seen fail.
#[test]
fn every_control_is_in_both_tables() {
    let mut fails: BTreeSet<&str> = FAULTS.iter().map(|(id, ..)| *id).collect();
    // In tests of their own above.
    fails.extend(["LOG-08", "DOS-06", "FLT-16", "ENC-07", "FLT-10"]);
    let mut blind: BTreeSet<&str> = BLIND.iter().map(|(id, _)| *id).collect();
    // It says nothing of a server that it can't reach: that is in the test of doors.
    blind.extend(["POP-07", "DOS-02"]);
    let missing: Vec<&str> =
        ours().iter().map(|one| one.id).filter(|id| !fails.contains(id) || !blind.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
