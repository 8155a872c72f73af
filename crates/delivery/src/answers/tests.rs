use super::*;
use proptest::prelude::*;
use samples::SAMPLES;

mod samples;

fn answer(sample: &(&'static str, u16, &'static str, &[&str])) -> Answer<'static> {
    let (host, code, text, _) = *sample;
    let status = text.split_whitespace().next().and_then(EnhancedStatus::parse);
    Answer { code, status, text, host }
}

#[test]
fn every_entry_explains_the_answer_it_was_made_for() {
    assert_eq!(SAMPLES.len(), KNOWN.len());
    let mut wrong = Vec::new();
    for (sample, known) in SAMPLES.iter().zip(KNOWN) {
        let answer = answer(sample);
        let text = normal(answer.text);
        let found =
            best(&answer, Provider::of(answer.host, &text), &text).unwrap_or_else(|| panic!("nothing fits {text:?}"));
        if (found.provider, found.words) != (known.provider, known.words) || found.words != sample.3 {
            wrong.push(format!("{text:?} is {:?}, not {:?}", found.words, known.words));
            continue;
        }
        let explained = explain(&answer);
        assert_eq!(explained.cause, known.cause);
        assert!(!explained.for_sender.is_empty() && !explained.for_administrator.is_empty());
        assert_eq!(
            explained.where_to_ask.is_some(),
            known.place.is_some() || (known.provider.is_some() && known.cause.is_the_provider_s())
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes at the start of each line, as they stand on the wire, or joined by a log: all the same.
#[test]
fn how_the_codes_stand_in_the_text_makes_no_difference() {
    for sample in SAMPLES {
        let plain = answer(sample);
        let wire: Vec<String> = plain.text.lines().map(|line| format!("{}-{line}", plain.code)).collect();
        for text in [wire.join("\r\n"), wire.join(" "), plain.text.to_uppercase().replace(' ', "  ")] {
            let other = Answer { text: &text, ..plain };
            assert_eq!(explain(&other), explain(&plain), "{text}");
        }
    }
}

#[test]
fn the_table_is_sorted_and_its_words_are_in_normal_form() {
    assert!(KNOWN.is_sorted_by(|a, b| (a.provider, a.words) < (b.provider, b.words)), "sort by provider and words");
    for known in KNOWN {
        assert!(!known.words.is_empty());
        for words in known.words {
            assert_eq!(normal(words), *words);
            assert!(words.len() > 2, "{words:?} is in too many answers");
        }
        assert!(known.place.is_none_or(|place| place.url.starts_with("https://") && !place.name.is_empty()));
    }
}

#[test]
fn an_unknown_answer_is_explained_by_its_status_and_then_by_its_code() {
    let cause = |code, status: &str| {
        explain(&Answer { code, status: EnhancedStatus::parse(status), text: "xyzzy", host: "mx.t.example" }).cause
    };
    for (code, status, expected) in [
        (550, "5.1.1", Cause::UnknownRecipient),
        (550, "5.1.2", Cause::DomainUnknown),
        (556, "5.1.10", Cause::DomainTakesNoMail),
        (550, "5.2.1", Cause::RecipientDisabled),
        (452, "4.2.2", Cause::MailboxFull),
        (552, "5.3.4", Cause::TooLarge),
        (0, "4.4.1", Cause::Unreachable),
        (0, "5.4.4", Cause::DomainUnknown),
        (554, "5.4.6", Cause::Loop),
        (0, "5.4.7", Cause::Expired),
        (452, "4.5.3", Cause::TooManyRecipients),
        (0, "5.6.7", Cause::Utf8Unsupported),
        (550, "5.6.1", Cause::Content),
        (550, "5.7.1", Cause::Policy),
        (550, "5.7.2", Cause::RecipientRestricted),
        (550, "5.7.20", Cause::Authentication),
        (550, "5.7.25", Cause::ReverseDns),
        (421, "4.7.28", Cause::RateLimited),
        (0, "5.7.30", Cause::TlsRequired),
        (550, "5.9.9", Cause::Policy),
        (550, "", Cause::Policy),
        (551, "", Cause::UnknownRecipient),
        (552, "", Cause::MailboxFull),
        (521, "", Cause::DomainTakesNoMail),
        (502, "", Cause::Protocol),
        (421, "", Cause::ServerTrouble),
        (0, "", Cause::Unknown),
        (999, "", Cause::Unknown),
    ] {
        assert_eq!(cause(code, status), expected, "{code} {status}");
    }
}

#[test]
fn an_unknown_answer_of_a_known_provider_still_has_a_place_to_ask() {
    let said =
        Answer { code: 550, status: EnhancedStatus::parse("5.7.1"), text: "xyzzy", host: "gmail-smtp-in.l.google.com" };
    assert_eq!(explain(&said).where_to_ask.map(|p| p.url), Some("https://support.google.com/mail/answer/81126"));
    let gone = Answer { status: EnhancedStatus::parse("5.1.1"), ..said };
    assert_eq!(explain(&gone).where_to_ask, None, "Google can't help who mistypes an address");
}

#[test]
fn another_server_that_quotes_a_provider_s_words_is_not_the_provider() {
    let said = Answer { code: 550, status: None, text: "mailbox unavailable", host: "mx.t.example" };
    assert_eq!(explain(&said).cause, Cause::Policy, "only Microsoft and GMX mean an unknown user by it");
}

#[test]
fn a_text_is_read_up_to_its_limit() {
    let far = format!("{} user unknown", "x ".repeat(ANSWER_TEXT_MAX));
    let near = format!("{} user unknown", "x ".repeat(ANSWER_TEXT_MAX / 4));
    let cause = |text: &str| explain(&Answer { code: 550, status: None, text, host: "" }).cause;
    assert_eq!((cause(&far), cause(&near)), (Cause::Policy, Cause::UnknownRecipient));
    assert!(normal(&"\u{1e9e}".repeat(ANSWER_TEXT_MAX)).len() <= ANSWER_TEXT_MAX * 2);
}

#[test]
fn every_cause_is_told_in_whole_sentences() {
    for cause in Cause::ALL {
        for text in [cause.for_sender(), cause.for_administrator()] {
            assert!(text.ends_with('.') && !text.contains("  ") && text.is_ascii(), "{text}");
        }
    }
    for known in KNOWN {
        assert!(
            known.advice.is_none_or(|a| a.ends_with('.') && !a.contains("  ") && a.is_ascii()),
            "{:?}",
            known.advice
        );
    }
}

proptest! {
    #[test]
    fn any_answer_has_an_explanation(code in any::<u16>(), text in "\\PC{0,300}", host in "\\PC{0,40}") {
        let explained = explain(&Answer { code, status: None, text: &text, host: &host });
        prop_assert!(!explained.for_sender.is_empty());
        prop_assert_eq!(explained, explain(&Answer { code, status: None, text: &text, host: &host }));
    }
}
