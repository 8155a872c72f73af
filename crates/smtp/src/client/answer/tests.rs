use super::*;
use proptest::prelude::*;

fn read_kept(bytes: &[u8], keep: usize) -> Result<Vec<Answer>, Malformed> {
    let (mut input, mut reader) = (Input::new(INPUT_SIZE), AnswerReader::default());
    let (mut rest, mut answers) = (bytes, Vec::new());
    loop {
        let count = input.push(rest);
        rest = rest.get(count..).unwrap_or_default();
        while let Some(answer) = reader.read(&mut input, keep)? {
            answers.push(answer);
        }
        if rest.is_empty() {
            return Ok(answers);
        }
    }
}

fn read(bytes: impl AsRef<[u8]>) -> Result<Vec<Answer>, Malformed> {
    read_kept(bytes.as_ref(), SMTP_REPLY_KEPT_MAX)
}

fn one(bytes: impl AsRef<[u8]>) -> Answer {
    let mut answers = read(bytes).unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

#[test]
fn lines_become_answers() {
    let answers = read("220 mx.s.example ESMTP\r\n250-one\r\n250-\r\n250\r\n354 go\r\n").unwrap();
    assert_eq!(answers.iter().map(Answer::code).collect::<Vec<_>>(), [220, 250, 354]);
    assert_eq!(answers[1].lines().collect::<Vec<_>>(), ["one", "", ""]);
    assert_eq!(answers[0].to_string(), "220 mx.s.example ESMTP");
    assert_eq!(answers[1].to_string(), "250 one /  / ");
    assert!(answers[0].is_positive() && answers[2].is_intermediate());
    assert!(one("421 x\r\n").is_temporary() && one("599 x\r\n").is_permanent());
    assert_eq!(read("250-one\r\n250 tw"), Ok(vec![]));
}

#[test]
fn enhanced_codes_are_read_strictly() {
    let status = |text: &str| one(format!("{text}\r\n")).enhanced().map(|code| code.to_string());
    assert_eq!(status("550 5.1.1 No such user").as_deref(), Some("5.1.1"));
    assert_eq!(status("550-5.7.999 one\r\n550 5.1.1 two").as_deref(), Some("5.7.999"));
    assert_eq!(status("250 2.0.0").as_deref(), Some("2.0.0"));
    for none in [
        // Another class than the code's: which of the two is meant?
        "550 4.1.1 x",
        "354 3.0.0 x",
        "550 5.1 x",
        "550 5.1.1.1 x",
        "550 5.01.1 x",
        "550 5.1.1000 x",
        "550 5.1.+1 x",
        "550 5.1.1: x",
        "550 5..1 x",
        "550  5.1.1 x",
        "550",
        "550 x 5.1.1",
    ] {
        assert_eq!(status(none), None, "{none}");
    }
    assert_eq!(EnhancedStatus::new(3, 0, 0), None);
    assert_eq!(EnhancedStatus::new(5, 1000, 0), None);
    let code = EnhancedStatus::new(5, 7, 30).unwrap();
    assert_eq!((code.class(), code.subject(), code.detail()), (5, 7, 30));
    assert_eq!(EnhancedStatus::parse("5.7.30"), Some(code));
}

/// Attacks H6, B8: other protocols, and those who hope for a lenient reader.
#[test]
fn what_isn_t_a_reply_is_no_answer() {
    for (bytes, fault) in [
        ("HTTP/1.1 400 Bad Request\r\n", Malformed::NoCode),
        ("+OK ready\r\n", Malformed::NoCode),
        ("\r\n", Malformed::NoCode),
        ("25\r\n", Malformed::NoCode),
        ("+25 x\r\n", Malformed::NoCode),
        ("2500 x\r\n", Malformed::NoCode),
        ("250\tx\r\n", Malformed::NoCode),
        ("250_x\r\n", Malformed::NoCode),
        ("199 x\r\n", Malformed::CodeRange),
        ("000 x\r\n", Malformed::CodeRange),
        ("600 x\r\n", Malformed::CodeRange),
        ("250-x\r\n550 y\r\n", Malformed::CodesDiffer),
        ("250-x\r\n+OK\r\n", Malformed::NoCode),
        ("250 x\n", Malformed::LineEnd),
        ("250 x\ry\r\n", Malformed::LineEnd),
        ("250 x\r\r\n", Malformed::LineEnd),
    ] {
        assert_eq!(read(bytes), Err(fault), "{bytes:?}");
    }
    assert_eq!(read(b"\x16\x03\x01\0\n"), Err(Malformed::LineEnd));
}

/// Attacks H6.
#[test]
fn replies_end_at_their_limits() {
    let line = |length: usize| format!("250 {}\r\n", "x".repeat(length - 6));
    assert!(read(line(SMTP_REPLY_LINE_MAX)).is_ok());
    assert_eq!(read(line(SMTP_REPLY_LINE_MAX + 1)), Err(Malformed::LineTooLong));
    assert_eq!(read("2".repeat(SMTP_REPLY_LINE_MAX)), Err(Malformed::LineTooLong));
    let lines = |count: usize| format!("{}250 x\r\n", "250-x\r\n".repeat(count - 1));
    assert!(read(lines(SMTP_REPLY_LINES_MAX)).is_ok());
    assert_eq!(read(lines(SMTP_REPLY_LINES_MAX + 1)), Err(Malformed::TooManyLines));
    let wide = format!("250-{}\r\n", "x".repeat(1_000)).repeat(SMTP_REPLY_BYTES_MAX / 1_006 + 1);
    assert_eq!(read(wide), Err(Malformed::TooManyBytes));
}

#[test]
fn long_words_are_read_and_not_kept() {
    let long = format!("550-5.1.1 {}\r\n", "ä".repeat(900)).repeat(9) + "550 end\r\n250 next\r\n";
    let answers = read(&long).unwrap();
    let kept: usize = answers[0].lines().map(str::len).sum();
    assert!(kept <= SMTP_REPLY_KEPT_MAX && kept > SMTP_REPLY_KEPT_MAX - 4);
    assert_eq!(answers[1].to_string(), "250 next");
    assert!(answers[0].enhanced().is_some());
    let all = read_kept(long.as_bytes(), SMTP_REPLY_BYTES_MAX).unwrap();
    assert_eq!(all[0].lines().last(), Some("end"));
}

/// Attacks H7.
#[test]
fn words_can_t_harm_a_log_or_a_terminal() {
    let answer = one(b"550 a\x1b[31m\0b\x7f \xe2\x80\xae!\xff\xfe\tc\r\n");
    assert_eq!(answer.to_string(), "550 a?[31m?b? ?!\u{fffd}\u{fffd}?c");
    assert_eq!(Answer::new(550, "a\nb\r\u{202e}").unwrap().to_string(), "550 a / b??");
    assert_eq!(Answer::new(199, "x"), None);
    assert_eq!(Answer::new(600, "x"), None);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_how_bytes_are_cut_changes_nothing(
        lines in proptest::collection::vec("([2-6][0-9]{2}[ -])?([245]\\.[0-9]{1,3}\\.[0-9] )?\\PC{0,40}(\r\n|\n|\r)?", 0..12),
        cut in 1_usize..20,
    ) {
        let bytes = lines.concat().into_bytes();
        let whole = read(&bytes);
        let (mut input, mut reader, mut answers) = (Input::new(INPUT_SIZE), AnswerReader::default(), Vec::new());
        let mut fault = None;
        'all: for piece in bytes.chunks(cut) {
            prop_assert_eq!(input.push(piece), piece.len());
            loop {
                match reader.read(&mut input, SMTP_REPLY_KEPT_MAX) {
                    Ok(Some(answer)) => answers.push(answer),
                    Ok(None) => break,
                    Err(bad) => {
                        fault = Some(bad);
                        break 'all;
                    }
                }
            }
        }
        for answer in &answers {
            prop_assert!((200..600).contains(&answer.code()));
            prop_assert!(answer.lines().all(|line| !line.contains(char::is_control)));
        }
        match whole {
            Ok(whole) => prop_assert_eq!((whole, None), (answers, fault)),
            Err(bad) => prop_assert_eq!(Some(bad), fault),
        }
    }
}
