//! What milters are asked, and what their answers do.

use crate::milter::{Milter, go_on, packet, terms};
use crate::{MESSAGE, answer, client, envelope, refused, session, to, transaction};
use mailward_core::config::MilterDefault;
use mailward_milter::terms::{actions, steps};
use mailward_milter::{Changes, LoggedIn, Outcome, Party, Secured, Verdict};

#[tokio::test]
async fn a_milter_hears_every_stage_in_its_order() {
    let milter = Milter::new("m", |_, _| go_on());
    let (mut session, milters, events) = session(&[&milter.line]);
    assert_eq!(milter.connections(), 0, "whoever brings nothing costs nothing");
    assert_eq!(transaction(&mut session).await, Changes::default());
    assert_eq!(milter.letters(), "CHMRRTLLLLNBE");
    let heard: Vec<_> = milter.heard().into_iter().filter(|line| !line.starts_with('D')).collect();
    assert_eq!(
        heard,
        [
            "C [192.0.2.1]\x004\x0f\u{fffd}192.0.2.1\0",
            "H mx.a.example\0",
            "M <a@a.example>\0SIZE=100\0",
            "R <b@b.example>\0",
            "R <c@b.example>\0",
            "T ",
            "L From\0a@a.example\0",
            "L To\0b@b.example\0",
            "L Subject\0one\n two\0",
            "L Message-ID\0<m@a.example>\0",
            "N ",
            "B Hello\r\n",
            "E ",
        ]
    );
    session.quit().await;
    milter.hears('Q', 1).await;
    assert_eq!((milters.health()[0].judged, milters.health()[0].failed), (1, 0));
    assert!(events.lines().is_empty(), "{:?}", events.lines());
}

#[tokio::test]
async fn a_session_brings_several_messages() {
    let milter = Milter::new("m", |_, _| go_on());
    let (mut session, ..) = session(&[&milter.line]);
    transaction(&mut session).await;
    session.mail(&to("x@a.example"), None, None).await;
    session.recipient(&to("b@b.example")).await;
    session.abort().await;
    session.abort().await;
    transaction(&mut session).await;
    milter.hears('E', 2).await;
    assert_eq!(milter.letters(), "CHMRRTLLLLNBEMRAHMRRTLLLLNBE");
    assert_eq!(milter.connections(), 1);
}

#[tokio::test]
async fn macros_are_told_with_their_stages() {
    let mut milter = Milter::new("m", |_, _| go_on());
    milter.line.macros = vec![("{daemon_name}".into(), "ORIGINATING".into()), ("{tag}".into(), "x".into())];
    let (mut session, ..) = session(&[&milter.line]);
    let secured = Secured { version: "TLSv1.3".into(), cipher: "C".into(), bits: 256, subject: Some("CN=a".into()) };
    session.hello("mx", Some(&secured)).await;
    let login = LoggedIn { mechanism: "PLAIN".into(), user: "a@a.example".into() };
    session.mail(&Party { address: "a@a.example", ..Party::default() }, Some(&login), Some("id0")).await;
    session.recipient(&to("b@b.example")).await;
    session.data("id1").await;
    session.message(MESSAGE).await;
    let macros: Vec<_> = milter.heard().into_iter().filter(|line| line.starts_with('D')).collect();
    assert_eq!(
        macros,
        [
            "D Cj\0mail.example\0_\0[192.0.2.1]\0{daemon_name}\0ORIGINATING\0v\0Mailward\0{client_addr}\x00192.0.2.1\0\
             {client_name}\0[192.0.2.1]\0{client_ptr}\0unknown\0{client_port}\x004000\0{tag}\0x\0",
            "D H{tls_version}\0TLSv1.3\0{cipher}\0C\0{cipher_bits}\x00256\0{cert_subject}\0CN=a\0",
            "D Mi\0id0\0{auth_type}\0PLAIN\0{auth_authen}\0a@a.example\0{auth_ssf}\x000\0{mail_addr}\0a@a.example\0\
             {mail_host}\0a.example\0{mail_mailer}\0esmtp\0",
            "D Ri\0id0\0{rcpt_addr}\0b@b.example\0{rcpt_host}\0b.example\0{rcpt_mailer}\0local\0",
            "D Ti\0id1\0{nrcpts}\x001\0",
            "D Ni\0id1\0",
            "D Ei\0id1\0{nrcpts}\x001\0",
        ]
    );
}

#[tokio::test]
async fn a_milter_that_chooses_its_macros_gets_those_alone() {
    let lists = [(0, "j"), (2, ""), (5, "{msg_id} i {nothing}")];
    let mut milter = Milter::on_terms("m", terms(6, actions::CHOOSE_MACROS, 0, &lists), |_, _| go_on());
    milter.line.macros = vec![("{tag}".into(), "x".into())];
    let (mut session, ..) = session(&[&milter.line]);
    transaction(&mut session).await;
    let macros: Vec<_> = milter.heard().into_iter().filter(|line| line.starts_with('D')).collect();
    assert_eq!(macros.first().unwrap(), "D Cj\0mail.example\0");
    assert_eq!(macros.last().unwrap(), "D E{msg_id}\0<m@a.example>\0i\0id1\0");
    assert!(!macros.iter().any(|line| line.starts_with("D M")));
}

#[tokio::test]
async fn steps_that_a_milter_does_not_want_are_left_out() {
    for (not, heard) in [
        (steps::NO_CONNECT | steps::NO_HELLO, "MRRTLLLLNBE"),
        (steps::NO_MAIL | steps::NO_RECIPIENTS, "CHTLLLLNBE"),
        (steps::NO_BODY | steps::NO_HEADER, "CHMRRTNE"),
        (steps::NO_HEADER_END | steps::NO_DATA, "CHMRRLLLLBE"),
        (0x37f, "E"),
    ] {
        let milter = Milter::on_terms("m", terms(6, 0, not, &[]), |_, _| go_on());
        let (mut session, ..) = session(&[&milter.line]);
        assert_eq!(transaction(&mut session).await, Changes::default());
        assert_eq!(milter.letters(), heard);
    }
}

#[tokio::test]
async fn a_milter_that_does_not_answer_isn_t_waited_for() {
    let silent = steps::SILENT_CONNECT
        | steps::SILENT_HELLO
        | steps::SILENT_MAIL
        | steps::SILENT_RECIPIENTS
        | steps::SILENT_DATA
        | steps::SILENT_HEADER
        | steps::SILENT_HEADER_END
        | steps::SILENT_BODY;
    let milter =
        Milter::on_terms(
            "m",
            terms(6, 0, silent, &[]),
            |letter, _| {
                if letter == b'E' { go_on() } else { Some(Vec::new()) }
            },
        );
    let (mut session, ..) = session(&[&milter.line]);
    assert_eq!(transaction(&mut session).await, Changes::default());
    assert_eq!(milter.letters(), "CHMRRTLLLLNBE");
}

#[tokio::test]
async fn an_old_milter_hears_what_its_version_knows() {
    let milter = Milter::on_terms("m", terms(2, 0, 0, &[]), |_, _| go_on());
    let (mut session, ..) = session(&[&milter.line]);
    transaction(&mut session).await;
    session.unknown(b"XYZ").await;
    assert_eq!(milter.letters(), "CHMRRLLLLNBE");
    let newer = Milter::on_terms("m", terms(4, 0, 0, &[]), |_, _| go_on());
    let (mut session, ..) = crate::session(&[&newer.line]);
    transaction(&mut session).await;
    assert_eq!(session.unknown(b"XYZ").await, Outcome::Go);
    assert_eq!(newer.letters(), "CHMRRTLLLLNBEU");
}

#[tokio::test]
async fn a_command_that_nobody_knows_is_told_at_its_stage_and_refused_in_a_milter_s_words() {
    let milter = Milter::new("m", |letter, _| {
        Some(if letter == b'U' { packet(b'y', b"502 5.5.1 Not that\0") } else { packet(b'c', b"") })
    });
    let (mut session, milters, _) = session(&[&milter.line]);
    assert_eq!(session.unknown(b"EARLY").await, Outcome::Go, "nobody is connected to for that");
    assert_eq!(milter.connections(), 0);
    assert_eq!(envelope(&mut session).await, Outcome::Go);
    assert_eq!(refused(&session.unknown(b"XYZ a b").await), "m: 502 5.5.1 Not that");
    assert!(milter.heard().contains(&"U XYZ a b\0".to_owned()));
    assert_eq!(session.message(MESSAGE).await, Changes::default(), "the message goes on");
    assert_eq!(milter.letters(), "CHMRRTULLLLNBE");
    assert_eq!(milters.health()[0].refused, 0, "it would have been refused anyway");
}

#[tokio::test]
async fn who_does_not_want_unknown_commands_or_does_not_answer_to_them_keeps_nobody_waiting() {
    for (steps, heard) in [(steps::NO_UNKNOWN, "CHMRRTLLLLNBE"), (steps::SILENT_UNKNOWN, "CHMRRTULLLLNBE")] {
        let milter =
            Milter::on_terms(
                "m",
                terms(6, 0, steps, &[]),
                |letter, _| {
                    if letter == b'U' { Some(Vec::new()) } else { go_on() }
                },
            );
        let (mut session, ..) = session(&[&milter.line]);
        envelope(&mut session).await;
        assert_eq!(session.unknown(b"XYZ").await, Outcome::Go);
        assert_eq!(session.message(MESSAGE).await, Changes::default());
        assert_eq!(milter.letters(), heard);
    }
}

#[tokio::test]
async fn unknown_commands_are_told_to_those_that_are_there() {
    let (mut gone, there) = (Milter::absent("gone"), Milter::new("there", |_, _| go_on()));
    gone.line.default = MilterDefault::Accept;
    let (mut session, ..) = session(&[&gone.line, &there.line]);
    assert_eq!(envelope(&mut session).await, Outcome::Go);
    assert_eq!(session.unknown(b"XYZ").await, Outcome::Go);
    assert_eq!(there.letters(), "CHMRRTU");
}

#[tokio::test]
async fn a_body_goes_in_pieces_of_the_size_agreed() {
    for (steps, pieces) in [(0, 5), (steps::PACKETS_256K, 2), (steps::PACKETS_1M, 1)] {
        let milter = Milter::on_terms("m", terms(6, 0, steps | steps::NO_HEADER, &[]), |_, _| go_on());
        let (mut session, ..) = session(&[&milter.line]);
        envelope(&mut session).await;
        let message = [b"A: b\r\n\r\n".as_slice(), &b"0123456789abcd\r\n".repeat(18_000)].concat();
        assert!(session.message(&message).await.is_taken());
        assert_eq!(milter.letters().matches('B').count(), pieces);
        let body: String =
            milter.heard().into_iter().filter_map(|line| line.strip_prefix("B ").map(str::to_owned)).collect();
        assert_eq!(body.as_bytes(), &message[8..]);
    }
}

#[tokio::test]
async fn the_blank_behind_the_colon_is_shown_where_it_was_agreed() {
    let milter = Milter::on_terms("m", terms(6, 0, steps::LEADING_BLANK, &[]), |_, _| go_on());
    let (mut session, ..) = session(&[&milter.line]);
    transaction(&mut session).await;
    assert!(milter.heard().contains(&"L From\0 a@a.example\0".to_owned()));
}

#[tokio::test]
async fn skip_ends_what_is_skipped() {
    let milter = Milter::new("m", |letter, _| if b"LB".contains(&letter) { Some(packet(b's', b"")) } else { go_on() });
    let (mut session, ..) = session(&[&milter.line]);
    assert!(transaction(&mut session).await.is_taken());
    assert_eq!(milter.letters(), "CHMRRTLNBE");
}

/// The reply of a milter at each stage, and what comes of it.
#[tokio::test]
async fn a_refusal_holds_for_what_was_asked_about() {
    let text = b"554 5.7.1 Go away 100%%\0";
    for (letter, at_mail, at_data) in [
        (b'C', true, true),
        (b'H', true, true),
        (b'M', true, true),
        (b'R', true, true),
        (b'T', false, true),
        (b'L', false, false),
        (b'N', false, false),
        (b'B', false, false),
        (b'E', false, false),
    ] {
        for (reply, data, told) in [
            (b'r', b"".as_slice(), "m: 550 5.7.1 Not accepted here"),
            (b't', b"", "m: 451 4.7.1 Not accepted now; try again later"),
            (b'y', text, "m: 554 5.7.1 Go away 100%"),
            (b'4', b"", "m: 421 4.7.0 Not accepted now; closing"),
        ] {
            let milter =
                Milter::new("m", move |heard, _| if heard == letter { Some(packet(reply, data)) } else { go_on() });
            let (mut session, ..) = session(&[&milter.line]);
            let outcome = envelope(&mut session).await;
            assert_eq!(outcome != Outcome::Go, at_mail || at_data, "{letter}");
            if at_mail || at_data {
                assert_eq!(refused(&outcome), told);
            } else {
                assert_eq!(answer(&session.message(MESSAGE).await.verdict), told);
            }
            // What is said of a session is said again; all else is asked again.
            let asked = milter.letters().matches(char::from(letter)).count();
            let again = envelope(&mut session).await;
            assert_eq!(again != Outcome::Go, at_mail || at_data);
            let now = milter.letters().matches(char::from(letter)).count();
            assert_eq!(now > asked, !matches!(letter, b'C' | b'H') && (at_mail || at_data));
        }
    }
}

#[tokio::test]
async fn one_refused_recipient_leaves_the_others() {
    let milter =
        Milter::new(
            "m",
            |letter, data| {
                if letter == b'R' && data.starts_with(b"<b@") { Some(packet(b'r', b"")) } else { go_on() }
            },
        );
    let (mut session, ..) = session(&[&milter.line]);
    session.mail(&to("a@a.example"), None, None).await;
    assert_ne!(session.recipient(&to("b@b.example")).await, Outcome::Go);
    assert_eq!(session.recipient(&to("c@b.example")).await, Outcome::Go);
    session.data("id").await;
    assert!(milter.heard().contains(&"D Ti\0id\0{nrcpts}\x001\0".to_owned()));
    assert!(session.message(MESSAGE).await.is_taken());
}

#[tokio::test]
async fn a_recipient_that_we_refused_is_told_to_who_wants_to_know() {
    let curious = Milter::on_terms("a", terms(6, 0, steps::REFUSED_RECIPIENTS, &[]), |_, _| go_on());
    let other = Milter::new("b", |_, _| go_on());
    let (mut session, ..) = session(&[&curious.line, &other.line]);
    session.mail(&to("a@a.example"), None, None).await;
    session.refused_recipient(&to("none@b.example"), "550 5.1.1 No such user here").await;
    assert!(curious.heard().contains(&"R <none@b.example>\0".to_owned()));
    assert!(curious.heard().iter().any(|line| line.contains("{rcpt_mailer}\0error\0")));
    assert!(!other.letters().contains('R'));
}

#[tokio::test]
async fn what_a_milter_accepts_it_isn_t_asked_about_again() {
    for (letter, heard, next) in [
        (b'C', "C", ""),
        (b'H', "CH", ""),
        (b'M', "CHM", "HM"),
        (b'R', "CHMR", "HMR"),
        (b'T', "CHMRRT", "HMRRT"),
        (b'L', "CHMRRTL", "HMRRTL"),
        (b'B', "CHMRRTLLLLNB", "HMRRTLLLLNB"),
        (b'E', "CHMRRTLLLLNBE", "HMRRTLLLLNBE"),
    ] {
        let milter = Milter::new("m", move |heard, _| if heard == letter { Some(packet(b'a', b"")) } else { go_on() });
        let (mut session, ..) = session(&[&milter.line]);
        assert_eq!(transaction(&mut session).await, Changes::default());
        assert_eq!(milter.letters(), heard);
        assert_eq!(transaction(&mut session).await, Changes::default());
        assert_eq!(milter.letters(), format!("{heard}{next}"));
    }
}

#[tokio::test]
async fn who_discards_a_message_has_it_thrown_away_and_nobody_else_is_asked() {
    for letter in *b"MRTLNBE" {
        let first = Milter::new("one", move |heard, _| if heard == letter { Some(packet(b'd', b"")) } else { go_on() });
        let second = Milter::new("two", |_, _| go_on());
        let (mut session, ..) = session(&[&first.line, &second.line]);
        assert_eq!(transaction(&mut session).await.verdict, Verdict::Discard("one".into()));
        second.hears('A', 1).await;
        assert!(!second.letters().contains('E'));
        assert_eq!(transaction(&mut session).await.verdict, Verdict::Discard("one".into()));
    }
}

#[tokio::test]
async fn the_first_refusal_is_the_answer_and_the_others_hear_that_it_is_over() {
    let first = Milter::new("one", |_, _| go_on());
    let second = Milter::new("two", |letter, _| if letter == b'T' { Some(packet(b'r', b"")) } else { go_on() });
    let third = Milter::new("three", |_, _| go_on());
    let (mut session, ..) = session(&[&first.line, &second.line, &third.line]);
    assert_eq!(refused(&envelope(&mut session).await), "two: 550 5.7.1 Not accepted here");
    for milter in [&first, &second, &third] {
        milter.hears('A', 1).await;
    }
    assert_eq!((first.letters(), third.letters()), ("CHMRRTA".to_owned(), "CHMRRA".to_owned()));
}

#[tokio::test]
async fn a_program_of_this_host_has_no_address() {
    let milter = Milter::new("m", |_, _| go_on());
    let lines = [milter.line.clone()];
    let milters = mailward_milter::Milters::new(&lines, &mailward_core::event::Events::nowhere());
    let mut session = milters.open(&mailward_milter::Client { address: None, ..client() }, 1_000);
    session.connect().await;
    assert!(milter.heard().contains(&"C localhost\0U".to_owned()));
    let mut session = milters.open(&mailward_milter::Client { address: "2001:db8::1".parse().ok(), ..client() }, 1_000);
    session.connect().await;
    assert!(
        milter.heard().iter().any(|line| line.starts_with("C [2001:db8::1]\x006") && line.ends_with("2001:db8::1\0"))
    );
}

#[tokio::test]
async fn a_transaction_that_was_refused_at_data_stays_so() {
    let milter = Milter::new("m", |letter, _| if letter == b'T' { Some(packet(b'r', b"")) } else { go_on() });
    let (mut session, ..) = session(&[&milter.line]);
    assert_ne!(envelope(&mut session).await, Outcome::Go);
    assert_ne!(session.recipient(&to("b@b.example")).await, Outcome::Go);
    assert_ne!(session.data("id").await, Outcome::Go);
    milter.hears('A', 1).await;
    assert_eq!(milter.letters(), "CHMRRTA");
}
