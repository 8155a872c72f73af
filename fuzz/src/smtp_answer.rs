//! Answers of a server, as our own client reads them: how bytes are cut changes nothing, and what comes out is harmless.

use mailward_core::EnhancedStatus;
use mailward_core::limits::{SMTP_REPLY_KEPT_MAX, SMTP_REPLY_LINES_MAX};
use mailward_smtp::client::{Answer, AnswerReader, INPUT_SIZE, Malformed};
use mailward_smtp::input::Input;

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    let whole = read(rest, 0);
    assert_eq!(whole, read(rest, steer), "how bytes are cut changes nothing");
    let (answers, fault) = whole;
    let mut lines = 0;
    for answer in &answers {
        assert!((200..600).contains(&answer.code()));
        let kept: Vec<&str> = answer.lines().collect();
        lines += kept.len();
        assert!(!kept.is_empty() && kept.len() <= SMTP_REPLY_LINES_MAX);
        assert!(kept.iter().map(|line| line.len()).sum::<usize>() <= SMTP_REPLY_KEPT_MAX);
        assert!(!kept.iter().any(|line| line.contains(char::is_control)));
        let kinds = [answer.is_positive(), answer.is_intermediate(), answer.is_temporary(), answer.is_permanent()];
        assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1);
        if let Some(status) = answer.enhanced() {
            let written = status.to_string();
            assert_eq!(u16::from(status.class()), answer.code() / 100);
            assert_eq!(EnhancedStatus::parse(&written), Some(status));
            assert!(kept[0].split(' ').next() == Some(&written), "{kept:?}");
        }
        // What was kept can be kept again: it is clean and short enough already.
        assert_eq!(Answer::new(answer.code(), &kept.join("\n")).as_ref(), Some(answer));
    }
    if fault.is_none() {
        assert!(lines <= rest.iter().filter(|byte| **byte == b'\n').count(), "a line ends with LF");
    }
}

fn read(data: &[u8], seed: u8) -> (Vec<Answer>, Option<Malformed>) {
    let (mut input, mut reader, mut answers) = (Input::new(INPUT_SIZE), AnswerReader::default(), Vec::new());
    for piece in super::pieces(data, seed) {
        let mut piece = piece;
        while !piece.is_empty() {
            let taken = input.push(piece);
            assert!(taken > 0, "a full buffer is a line too long");
            piece = &piece[taken..];
            loop {
                match reader.read(&mut input, SMTP_REPLY_KEPT_MAX) {
                    Ok(Some(answer)) => answers.push(answer),
                    Ok(None) => break,
                    Err(fault) => return (answers, Some(fault)),
                }
            }
        }
    }
    (answers, None)
}
