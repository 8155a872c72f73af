#![allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]

use super::*;
use proptest::prelude::*;

/// Bytes looked at for each byte of the message, rounded up.
fn work_per_byte(message: &str) -> u64 {
    let structure = Structure::parse(message.as_bytes());
    look(message.as_bytes(), &structure).1.div_ceil(message.len() as u64)
}

/// Attacks E2.
#[test]
fn e2_work_grows_with_the_message_only() {
    let header = |n| format!("To: {}a@example.org\r\n\r\nx", "a@example.org,\r\n ".repeat(n));
    let parameters = |n| format!("Content-Type: text/plain{}\r\n\r\nx", "; name*0*=x".repeat(n));
    let words = |n| format!("Subject: {}\r\n\r\nx", "=?utf-8?Q?x?=\r\n ".repeat(n));
    let parts = |n| format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(n));
    let boundaries =
        |n| format!("Content-Type: multipart/mixed{}\r\n\r\n{}", "; boundary=b".repeat(n), "--c\r\n".repeat(n));
    for make in [header as fn(usize) -> String, parameters, words, parts, boundaries] {
        assert!(work_per_byte(&make(100)) <= AMBIGUITY_WORK);
        assert!(work_per_byte(&make(10_000)) <= 8, "{}", work_per_byte(&make(10_000)));
        assert!(work_per_byte(&make(100_000)) <= 8, "{}", work_per_byte(&make(100_000)));
    }
}

/// Attacks E2.
#[test]
fn e2_a_tree_that_is_read_in_many_ways_ends_in_doubt() {
    // Each level has boundaries to be sought in all that lies in it.
    let mut message = String::new();
    for n in 0..MIME_DEPTH_MAX {
        let others: String = (0..20).map(|k| format!("; boundary=o{n}-{k}")).collect();
        message += &format!("Content-Type: multipart/mixed; boundary=\"x{n}-\"{others}\r\n\r\n--x{n}-\r\n");
    }
    message += &"line\r\n".repeat(20_000);
    let structure = Structure::parse(message.as_bytes());
    let (found, work) = look(message.as_bytes(), &structure);
    assert!(work <= message.len() as u64 * AMBIGUITY_WORK + 4096);
    assert!(found.iter().any(|f| f.kind == Kind::TooMuch), "{found:?}");
}

#[test]
fn an_ordinary_message_is_looked_at_a_few_times() {
    let text = "Hello, this is a line of a text.\r\n".repeat(400);
    assert!(work_per_byte(&format!("Subject: x\r\n\r\n{text}")) <= 2);
    let parts = format!(
        "--b\r\nContent-Type: text/plain\r\n\r\n{text}--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{text}--b--\r\n"
    );
    assert!(work_per_byte(&format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}")) <= 4);
}

/// Pieces that matter to what is looked for.
const PIECES: [&str; 40] = [
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "--b",
    "--b--",
    "--bb",
    "--",
    "Content-Type: multipart/mixed; boundary=b",
    "Content-Type: multipart/mixed; boundary=\"bb\"; boundary*0=b",
    "Content-Type: text/html; charset=utf-7",
    "Content-Type: message/rfc822",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Transfer-Encoding: \"x\" y",
    "Content-Disposition: attachment; filename*0=a; filename=\"b",
    "\"",
    ";",
    "=",
    "=C0=80",
    "= \r\n",
    "QUFB",
    "QQ==",
    "!",
    "begin 644 x\r\n",
    "+ADw-",
    "Date: ",
    "MIME-Version: 1.0",
    "(",
    ")",
    ":",
    "boundary=",
    "?=",
    "=?utf-8?Q?b?=",
    "%62",
    "'",
    "\u{e4}\u{202e}",
];

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        pieces in proptest::collection::vec(0..PIECES.len(), 0..60),
    ) {
        let shaped: String = pieces.iter().map(|at| PIECES[*at]).collect();
        let headed = format!("Content-Type: multipart/mixed; boundary=b\r\n{shaped}");
        for message in [bytes.as_slice(), shaped.as_bytes(), headed.as_bytes()] {
            let structure = Structure::parse(message);
            let (found, work) = look(message, &structure);
            prop_assert!(work <= message.len() as u64 * AMBIGUITY_WORK + 4096);
            for doubt in &found {
                prop_assert!(doubt.part < structure.parts.len() && doubt.at <= message.len() as u64);
                prop_assert!(doubt.evidence.len() <= AMBIGUITY_EVIDENCE_MAX && !doubt.evidence.contains(char::is_control));
                let _number = number(&structure, doubt.part);
            }
            let files = readings(message, &structure, &found);
            prop_assert!(files.files.len() <= mailward_core::limits::READINGS_MAX);
            // Another message's structure does no harm.
            let other = Structure::parse(&bytes);
            let _nonsense = readings(message, &other, &find(message, &other));
        }
    }
}
