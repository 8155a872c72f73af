//! What holds if nothing is said.

use super::super::defaults::{COUNT, NAMES, rules};
use super::*;
use mailward_core::config::Attachments;
use mailward_scan::Family;

/// What becomes of one file, and by which rule.
fn one(item: Item) -> (Action, String) {
    let found = judge(&with_defaults(&[]), &plain(), vec![item]);
    let first = found.findings.first().map(|finding| finding.rule.clone()).unwrap_or_default();
    (found.action_for(0), first)
}

#[test]
fn every_line_of_the_defaults_is_a_rule_with_a_name_of_its_own() {
    let all = rules(&Attachments::default());
    assert_eq!(all.len(), COUNT);
    for rule in &all {
        assert!(rule.reason().is_some() && rule.options().name.is_some(), "{rule}");
        assert_eq!(Rule::parse(&rule.to_string()).as_ref(), Ok(rule));
    }
    let off = Attachments { default: FileCare::Deliver, encrypted: FileCare::Deliver, macros: FileCare::Deliver };
    assert_eq!(rules(&off), []);
}

#[test]
fn each_name_of_the_recommended_list_is_kept_back_in_each_direction() {
    assert_eq!((NAMES.len(), NAMES[0], NAMES[52].0), (53, ("ade", "Access Project Extension (.ade)"), "wsh"));
    let book = with_defaults(&[]);
    for (ext, what) in NAMES {
        for name in [format!("a.{ext}"), format!("A.B.{}", ext.to_uppercase())] {
            for direction in Direction::ALL {
                let subject = Subject { direction, ..plain() };
                let found = judge(&book, &subject, vec![file(&name, Kind::Data)]);
                assert_eq!(found.action_for(0), Action::Quarantine, "{name}");
                assert_eq!(found.findings[0].rule, format!("name-{ext}"));
                assert!(found.findings[0].evidence.ends_with(what), "{found:?}");
            }
        }
        assert_eq!(action(&book, &plain(), vec![file(&format!("a.{ext}x.pdf"), Kind::Pdf)]), Action::Deliver);
    }
    let book_page = vec![file("a.epub", Kind::Epub), within(0, file("style.css", Kind::PlainText))];
    assert_eq!(action(&book, &plain(), book_page), Action::Deliver);
}

/// Attacks E3.
#[test]
fn each_kind_that_runs_is_kept_back_by_what_it_is_whatever_its_name() {
    for kind in Kind::ALL {
        let (action, rule) = one(file("a.txt", *kind));
        let wanted = match (kind.family(), kind) {
            (Family::Executable, _) => "program",
            (Family::Script, _) => "script",
            (Family::Shortcut, _) => "shortcut",
            (Family::DiskImage, _) => "disk-image",
            (_, Kind::OneNote) => "onenote",
            (_, Kind::Access | Kind::SheetLink) => "active-document",
            (_, Kind::OfficeEncrypted) => "encrypted-document",
            _ => "",
        };
        assert_eq!(rule, wanted, "{}", kind.name());
        assert_eq!(action, if wanted.is_empty() { Action::Deliver } else { Action::Quarantine }, "{}", kind.name());
    }
}

/// Attacks E3.
#[test]
fn each_trait_that_does_harm_is_kept_back_and_others_are_marked() {
    let kept: &[(Kind, Trait, &str)] = &[
        (Kind::Docx, Trait::MacroRuns, "macro-runs"),
        (Kind::Word, Trait::Dde, "starts-program"),
        (Kind::Pdf, Trait::Launches, "starts-program"),
        (Kind::Rtf, Trait::Object, "rtf-object"),
        (Kind::Html, Trait::Smuggles, "smuggling"),
        (Kind::Svg, Trait::Script, "svg-script"),
        (Kind::PlainText, Trait::NameHides, "name-hides"),
        (Kind::Zip, Trait::Overlaps, "archive"),
        (Kind::Tar, Trait::LeadsOut, "archive"),
        (Kind::Tar, Trait::Link, "archive"),
        (Kind::Rar, Trait::MultiVolume, "multi-volume"),
        (Kind::Zip, Trait::Damaged("end".to_owned()), "damaged"),
        (Kind::Zip, Trait::Encrypted, "encrypted"),
        (Kind::Xlsx, Trait::Encrypted, "encrypted-document"),
        (Kind::Ace, Trait::NotOpened("ace".to_owned()), "not-opened"),
        (Kind::Jar, Trait::Encrypted, "program"),
        (Kind::Pdf, Trait::Also(Kind::Pe), "program"),
    ];
    for (kind, there, rule) in kept {
        assert_eq!(one(with(file("a", *kind), std::slice::from_ref(there))), (Action::Quarantine, (*rule).to_owned()));
    }
    let marked: &[(Kind, Trait, &str)] = &[
        (Kind::Docx, Trait::Macro, "macro"),
        (Kind::Pdf, Trait::Encrypted, "encrypted-pdf"),
        (Kind::Docx, Trait::Remote, "remote"),
        (Kind::Pdf, Trait::Script, "pdf-script"),
        (Kind::Html, Trait::Form, "form"),
        (Kind::Image, Trait::Also(Kind::Html), "polyglot"),
        (Kind::Image, Trait::NameSays("pdf".to_owned()), "disagrees"),
        (Kind::Image, Trait::TypeSays, "disagrees"),
    ];
    for (kind, there, rule) in marked {
        assert_eq!(one(with(file("a", *kind), std::slice::from_ref(there))), (Action::Mark, (*rule).to_owned()));
    }
    for (kind, there) in [
        (Kind::Video, Trait::NotOpened("large".to_owned())),
        (Kind::OpenPgp, Trait::Encrypted),
        (Kind::Pkcs7, Trait::Encrypted),
        (Kind::Docx, Trait::Object),
        (Kind::Html, Trait::Remote),
        (Kind::Image, Trait::Damaged("end".to_owned())),
    ] {
        assert_eq!(one(with(file("a", kind), &[there])).0, Action::Deliver, "{}", kind.name());
    }
}

#[test]
fn a_message_in_parts_is_kept_back() {
    let partial = "Content-Type: message/partial; id=\"a\"; number=1; total=2";
    let verdict = judge(&with_defaults(&[]), &subject(partial), Vec::new());
    assert_eq!((verdict.action_for(0), verdict.findings[0].rule.as_str()), (Action::Quarantine, "message-partial"));
    let item = Item { declared: "message/partial".to_owned(), ..file("", Kind::PlainText) };
    assert_eq!(one(item).1, "message-partial");
}

#[test]
fn long_dates_and_mime_versions_are_kept_back_from_their_limit_on() {
    for (field, rule) in
        [("Date", "long-date"), ("MIME-Version", "long-mime-version"), ("Resent-Date", "long-resent-date")]
    {
        let of = |bytes: usize| {
            let verdict =
                judge(&with_defaults(&[]), &subject(&format!("{field}:  {} ", "x".repeat(bytes))), Vec::new());
            (verdict.action_for(0), verdict.findings.first().map(|finding| finding.rule.clone()))
        };
        assert_eq!(of(99), (Action::Deliver, None));
        assert_eq!(of(100), (Action::Quarantine, Some(rule.to_owned())));
        // Folded, and behind one that is as it should be.
        let folded = format!("{field}: ok\r\n{field}: {}\r\n {}", "x".repeat(60), "y".repeat(60));
        assert_eq!(action(&with_defaults(&[]), &subject(&folded), Vec::new()), Action::Quarantine);
    }
}

#[test]
fn three_keys_say_what_is_done() {
    let of = |default, encrypted, macros| {
        let mut config = config(&[]);
        config.attachments = Attachments { default, encrypted, macros };
        let book = book_of(&config);
        let act = |kind, traits: &[Trait]| action(&book, &plain(), vec![with(file("a", kind), traits)]);
        (act(Kind::Pe, &[]), act(Kind::Zip, &[Trait::Encrypted]), act(Kind::Docx, &[Trait::Macro]))
    };
    assert_eq!(
        of(FileCare::Reject, FileCare::Mark, FileCare::Quarantine),
        (Action::Reject, Action::Mark, Action::Quarantine)
    );
    assert_eq!(
        of(FileCare::Mark, FileCare::Deliver, FileCare::Deliver),
        (Action::Mark, Action::Deliver, Action::Deliver)
    );
    assert_eq!(of(FileCare::Deliver, FileCare::Reject, FileCare::Deliver).1, Action::Reject);
}

#[test]
fn ordinary_mail_goes_its_way() {
    let items = vec![
        file("", Kind::PlainText),
        file("", Kind::Html),
        file("Rechnung 5.pdf", Kind::Pdf),
        file("photo.jpg", Kind::Image),
        file("Angebot.docx", Kind::Docx),
        file("a.zip", Kind::Zip),
        within(5, file("list.csv", Kind::PlainText)),
        file("smime.p7s", Kind::Pkcs7),
        file("invite.ics", Kind::Calendar),
    ];
    let header = "Date: Fri, 15 Jan 2027 08:00:00 +0000 (Coordinated Universal Time)\r\nMIME-Version: 1.0 (Apple Message framework v1.0)";
    assert_eq!(judge(&with_defaults(&[]), &subject(header), items).findings, []);
}
