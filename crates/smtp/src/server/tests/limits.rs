//! Where a session ends by itself: errors, idling, guessing, numbers.

use super::*;
use mailward_core::foreign::Foreign;

/// Attacks H2.
#[test]
fn a_long_line_is_forgiven_once() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    let fits = format!("NOOP {}\r\n", "x".repeat(SMTP_COMMAND_LINE_MAX - 7));
    assert_eq!(talk.codes(&fits), [250]);
    let long = format!("NOOP {}\r\n", "x".repeat(SMTP_COMMAND_LINE_MAX - 6));
    assert_eq!(talk.codes(&long), [500]);
    assert_eq!(talk.codes("NOOP\r\n"), [250]);
    assert_eq!(talk.codes(&long), [421]);
    // One that never ends takes no memory.
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes("x".repeat(100_000)), [500]);
    assert_eq!(talk.codes("\r\nNOOP\r\n"), [250]);
}

#[test]
fn command_lines_end_with_crlf_only() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes("NOOP\nNOOP\r\n"), [500, 250]);
    assert_eq!(talk.codes("NOOP\rNOOP\r\nNOOP\0\r\n"), [500, 500]);
}

/// Attacks H3.
#[test]
fn errors_end_the_session() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    for _ in 0..SMTP_ERRORS_MAX {
        assert_eq!(talk.codes("RCPT TO:<a@s.example>\r\n"), [503]);
    }
    assert_eq!(talk.codes("RCPT TO:<a@s.example>\r\n"), [421]);
    assert_eq!(talk.closed, Some(Closing::Errors));
}

/// Attacks H3.
#[test]
fn recipients_without_end_end_the_session() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send("MAIL FROM:<a@c.example>\r\n");
    let most = talk.session.settings().recipients;
    let all = most + SMTP_RECIPIENTS_OVER_MAX + SMTP_ERRORS_MAX;
    let codes = talk.codes("RCPT TO:<a@s.example>\r\n".repeat(all));
    assert!(codes.iter().take(most).all(|code| *code == 250) && codes.iter().skip(most).all(|code| *code == 452));
    assert_eq!((codes.len(), talk.closed), (all, None));
    assert_eq!(talk.codes("RCPT TO:<a@s.example>\r\n"), [421]);
    // The next message has its own.
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    for _ in 0..2 {
        talk.send("MAIL FROM:<a@c.example>\r\n");
        talk.send("RCPT TO:<a@s.example>\r\n".repeat(most + SMTP_RECIPIENTS_OVER_MAX));
        talk.send("RSET\r\n");
    }
    assert_eq!(talk.codes("junk\r\n".repeat(SMTP_ERRORS_MAX)).len(), SMTP_ERRORS_MAX);
    assert_eq!(talk.closed, None);
}

/// Attacks H3.
#[test]
fn commands_that_bring_nothing_end_the_session() {
    for junk in ["NOOP\r\n", "RSET\r\n", "VRFY x\r\n", "HELP\r\n", HELLO] {
        let mut talk = Talk::smtp();
        for _ in 0..SMTP_JUNK_COMMANDS_MAX {
            talk.send(junk);
        }
        assert_eq!(talk.closed, None);
        assert_eq!(talk.codes(junk), [421], "{junk}");
    }
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    for _ in 0..2 {
        for _ in 0..SMTP_JUNK_COMMANDS_MAX - 1 {
            assert_eq!(talk.codes("NOOP\r\n"), [250]);
        }
        talk.send(format!("{ENVELOPE}DATA\r\n"));
        assert_eq!(talk.codes("x\r\n.\r\n"), [250], "a message counts anew");
    }
}

/// Attacks A6.
#[test]
fn guessing_recipients_ends_the_session() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send("MAIL FROM:<>\r\n");
    for _ in 0..SMTP_UNKNOWN_RECIPIENTS_MAX {
        assert_eq!(talk.codes("RCPT TO:<guess@t.example>\r\n"), [550]);
    }
    assert_eq!(talk.codes("RCPT TO:<guess@t.example>\r\n"), [421]);
}

/// Attacks A6: who looks bad may guess less.
#[test]
fn whoever_looks_bad_ends_sooner() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send("MAIL FROM:<>\r\n");
    for _ in 0..SMTP_UNKNOWN_RECIPIENTS_BAD_MAX {
        assert_eq!(talk.codes("RCPT TO:<bad-guess@t.example>\r\n"), [550]);
    }
    assert_eq!(talk.codes("RCPT TO:<bad-guess@t.example>\r\n"), [421]);
    assert_eq!(talk.closed, Some(Closing::UnknownRecipients));
}

/// Whoever is put off goes and comes again, and doesn't ask on for an hour.
#[test]
fn recipients_without_end_that_are_put_off_end_the_session() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send("MAIL FROM:<>\r\n");
    for _ in 0..SMTP_DEFERRED_RECIPIENTS_MAX {
        assert_eq!(talk.codes("RCPT TO:<later-x@t.example>\r\n"), [450]);
    }
    assert_eq!(talk.codes("RCPT TO:<later-x@t.example>\r\n"), [421]);
    assert_eq!(talk.closed, Some(Closing::DeferredRecipients));
}

#[test]
fn whoever_doesn_t_wait_for_what_ehlo_offers_is_known_for_it() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send("MAIL FROM:<>\r\nRCPT TO:<bob@s.example>\r\n");
    assert!(!talk.session.is_hasty(), "that is what PIPELINING is for");
    let mut talk = Talk::smtp();
    talk.send(format!("{HELLO}MAIL FROM:<>\r\n"));
    assert!(talk.session.is_hasty());
}

#[test]
fn an_answer_of_421_ends_the_session() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes("MAIL FROM:<stopping@c.example>\r\nRCPT TO:<bob@s.example>\r\n"), [421]);
    assert_eq!(talk.closed, Some(Closing::Shutdown));
}

#[test]
fn recipients_and_messages_end_at_their_limits() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send("MAIL FROM:<>\r\n");
    let rcpt = "RCPT TO:<bob@s.example>\r\n";
    assert_eq!(talk.codes(rcpt.repeat(4)), [250, 250, 250, 452]);
    talk.send("RSET\r\n");
    for _ in 0..5 {
        assert_eq!(talk.codes(format!("{ENVELOPE}BDAT 3 LAST\r\nx\r\n")), [250, 250, 250]);
    }
    assert_eq!(talk.codes("MAIL FROM:<>\r\n"), [421]);
    assert_eq!(talk.closed, Some(Closing::Messages));
}

/// Attacks B8.
#[test]
fn whoever_speaks_another_protocol_is_dropped_without_a_word() {
    let clear: [(&[u8], Foreign); 8] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", Foreign::Http),
        (b"POST /x HTTP/1.1\r\n", Foreign::Http),
        (b"OPTIONS * HTTP/1.1\r\n", Foreign::Http),
        (b"CONNECT t.example:25 HTTP/1.1\r\n", Foreign::Http),
        (b"get / http/1.0\n", Foreign::Http),
        (b"HEAD /", Foreign::Http),
        (b"\x16\x03\x01\x02\x00\x01\x00", Foreign::Tls),
        (b"SSH-2.0-x\r\n", Foreign::Ssh),
    ];
    for (first, what) in clear {
        for mut talk in [Talk::smtp(), Talk::lmtp(), Talk::new(settings(Dialect::Submission))] {
            talk.send("");
            assert_eq!(talk.send(first), "", "{what}");
            assert_eq!(talk.closed, Some(Closing::Foreign(what)));
        }
    }
}

/// Attacks H3.
#[test]
fn under_stress_who_brought_nothing_may_make_one_mistake_and_say_one_idle_word() {
    for (word, code) in [("junk\r\n", 500), ("NOOP\r\n", 250)] {
        let mut talk = Talk::smtp();
        talk.session.hurry(true);
        assert_eq!(talk.codes(HELLO).last(), Some(&250));
        assert_eq!(talk.codes(HELLO).last(), Some(&250), "greetings aren't idle: STARTTLS takes two");
        assert_eq!(talk.codes(word), [code]);
        assert_eq!(talk.codes(word), [421]);
        assert!(talk.closed.is_some());
    }
    let mut talk = Talk::smtp();
    talk.session.hurry(true);
    talk.send(HELLO);
    talk.send(format!("{ENVELOPE}DATA\r\nx\r\n.\r\n"));
    assert_eq!(talk.codes("junk\r\nNOOP\r\njunk\r\nNOOP\r\n"), [500, 250, 500, 250], "who brought a message may");
}
