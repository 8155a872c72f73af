//! The machine as a peer sees it: bytes in, replies out, with a policy that takes mail for `@s.example` only.
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test may stop at what it didn't expect")]

use super::*;
use mailward_core::limits::{
    AUTH_ATTEMPTS_MAX, SASL_LINE_MAX, SMTP_CHUNKS_MAX, SMTP_COMMAND_LINE_MAX, SMTP_JUNK_BEFORE_HELLO_MAX,
    SMTP_JUNK_COMMANDS_MAX, SMTP_RECIPIENTS_OVER_MAX, SMTP_UNKNOWN_RECIPIENTS_BAD_MAX, SMTP_UNKNOWN_RECIPIENTS_MAX,
};
use proptest::prelude::*;

mod limits;

struct Test;
impl Rights for Test {
    type Login = String;
    type Sasl = ();
    type Sender = ();
    type Recipient = String;
}

struct Talk {
    session: Session<Test>,
    input: Input,
    said: String,
    messages: Vec<(Vec<String>, String)>,
    closed: Option<Closing>,
    tls_asked: usize,
    later: usize,
    unknown: Vec<String>,
}

const MESSAGE_SIZE: u64 = 1_000;

fn settings(dialect: Dialect) -> Settings {
    Settings {
        hostname: "mx.s.example".to_owned(),
        dialect,
        message_size: MESSAGE_SIZE,
        recipients: 3,
        messages: 5,
        tls_available: true,
        tls: None,
    }
}

impl Talk {
    fn new(settings: Settings) -> Self {
        Self {
            session: Session::new(settings),
            input: Input::new(16 * 1024),
            said: String::new(),
            messages: Vec::new(),
            closed: None,
            tls_asked: 0,
            later: 0,
            unknown: Vec::new(),
        }
    }
    fn smtp() -> Self {
        Self::new(settings(Dialect::Smtp))
    }
    fn lmtp() -> Self {
        Self::new(settings(Dialect::Lmtp))
    }
    fn submission_tls() -> Self {
        Self::new(Settings { tls: Some(vec!["PLAIN", "LOGIN"]), ..settings(Dialect::Submission) })
    }

    /// Sends bytes as one segment and gives the replies to them.
    fn send(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let mut rest = bytes.as_ref();
        let before = self.said.len();
        loop {
            let count = self.input.push(rest);
            rest = &rest[count..];
            self.run();
            if self.closed.is_some() || rest.is_empty() {
                return self.said[before..].to_owned();
            }
        }
    }

    fn run(&mut self) {
        loop {
            match self.session.step(&mut self.input) {
                Step::Read => break,
                Step::Mail(ticket) if ticket.path().to_string().starts_with("stopping") => {
                    ticket.refuse(&Reply::SHUTTING_DOWN);
                }
                Step::Mail(ticket) => ticket.accept(()),
                Step::Recipient(ticket) => {
                    let path = ticket.path().to_string();
                    if path.ends_with("@s.example") || path == "postmaster" {
                        ticket.accept(path);
                    } else if path.starts_with("bad-") {
                        ticket.refuse_of(&Reply::RELAY_DENIED, SMTP_UNKNOWN_RECIPIENTS_BAD_MAX);
                    } else if path.starts_with("later-") {
                        assert_eq!(
                            ticket.ends_with(&Reply::GREYLISTED, 1).is_some(),
                            self.later >= SMTP_DEFERRED_RECIPIENTS_MAX
                        );
                        self.later += 1;
                        ticket.refuse(&Reply::GREYLISTED);
                    } else {
                        ticket.refuse(&Reply::RELAY_DENIED);
                    }
                }
                Step::Data(ticket) if ticket.mail().path.to_string().starts_with("nodisk") => {
                    ticket.refuse(&Reply::NO_SPACE);
                }
                Step::Data(ticket) => ticket.accept(b"Trace: x\r\n".to_vec()),
                Step::Message(mut ticket) => {
                    let bytes = ticket.take_bytes();
                    let message = String::from_utf8(bytes).unwrap();
                    let message = message.strip_prefix("Trace: x\r\n").unwrap().to_owned();
                    self.messages.push((ticket.mail().recipients.clone(), message));
                    if let Some(gone) = ticket.mail().recipients.iter().position(|to| to.starts_with("gone")) {
                        ticket.envelope().recipients.remove(gone);
                        ticket.envelope().recipients.push("new@s.example".to_owned());
                        ticket.envelope().recipients.push("newer@s.example".to_owned());
                        ticket.answer_each(&[Reply::OK, Reply::MAILBOX_FULL]);
                    } else if ticket.is_per_recipient() {
                        let recipients = ticket.mail().recipients.iter();
                        let answers: Vec<_> = recipients
                            .map(|r| if r.starts_with("full") { Reply::MAILBOX_FULL } else { Reply::OK })
                            .collect();
                        ticket.answer_each(&answers);
                    } else {
                        ticket.answer(Reply::OK);
                    }
                }
                Step::Refused(..) => {}
                Step::Unknown(ticket) => {
                    self.unknown.push(String::from_utf8(ticket.line().to_vec()).unwrap());
                    let ends = ticket.line() == b"ENDS";
                    ticket.refuse(if ends { &Reply::SHUTTING_DOWN } else { &Reply::UNKNOWN_COMMAND });
                }
                Step::Auth(_, None, ticket) => ticket.challenge((), b"Name"),
                Step::Auth(_, Some(response), ticket) | Step::AuthResponse((), response, ticket) => {
                    if response == b"good" {
                        ticket.done("alice".to_owned())
                    } else {
                        ticket.refuse(&Reply::AUTH_FAILED)
                    }
                }
                Step::StartTls(ticket) => {
                    self.tls_asked += 1;
                    ticket.started(vec!["PLAIN"]);
                }
                Step::Close(why) => {
                    self.closed = Some(why);
                    break;
                }
            }
        }
        self.said.push_str(&String::from_utf8(std::mem::take(self.session.output())).unwrap());
    }

    /// The reply codes to some bytes.
    fn codes(&mut self, bytes: impl AsRef<[u8]>) -> Vec<u16> {
        codes(&self.send(bytes))
    }
}

fn codes(said: &str) -> Vec<u16> {
    let last = said.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-'));
    last.map(|line| line[..3].parse().unwrap()).collect()
}

const HELLO: &str = "EHLO client.example\r\n";
const ENVELOPE: &str = "MAIL FROM:<a@c.example>\r\nRCPT TO:<bob@s.example>\r\n";

#[test]
fn a_message_goes_its_way() {
    let mut talk = Talk::smtp();
    assert!(talk.send("").starts_with("220 mx.s.example ESMTP"));
    let hello = talk.send(HELLO);
    for offered in
        ["PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS"]
    {
        assert!(hello.contains(&format!("250-{offered}\r\n")), "{hello}");
    }
    assert!(hello.contains("250-LIMITS RCPTMAX=3 MAILMAX=5\r\n") && hello.ends_with("250 HELP\r\n"), "{hello}");
    assert!(!hello.contains("AUTH"), "not on port 25");
    assert_eq!(talk.codes(format!("{ENVELOPE}DATA\r\n")), [250, 250, 354]);
    assert_eq!(talk.codes("Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n"), [250, 221]);
    assert_eq!(talk.messages, [(vec!["bob@s.example".to_owned()], "Subject: x\r\n\r\n.dot\r\n".to_owned())]);
    assert_eq!(talk.closed, Some(Closing::Quit));
}

#[test]
fn replies_to_a_pipelined_group_come_together() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.input.push(format!("{ENVELOPE}RCPT TO:<x@t.example>\r\nDATA\r\n").as_bytes());
    let before = talk.said.len();
    let mut writes = 0;
    loop {
        match talk.session.step(&mut talk.input) {
            Step::Mail(ticket) => ticket.accept(()),
            Step::Recipient(ticket) => ticket.accept(String::new()),
            Step::Data(ticket) => ticket.accept(Vec::new()),
            Step::Read => break,
            _ => panic!("asked for something else"),
        }
    }
    if !talk.session.output().is_empty() {
        writes += 1;
        talk.run();
    }
    assert_eq!((writes, codes(&talk.said[before..])), (1, vec![250, 250, 250, 354]));
}

#[test]
fn an_unanswered_question_ends_the_session() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.input.push(b"MAIL FROM:<a@c.example>\r\nNOOP\r\n");
    drop(talk.session.step(&mut talk.input));
    assert!(matches!(talk.session.step(&mut talk.input), Step::Close(Closing::Unanswered)));
}

#[test]
fn commands_have_their_order() {
    let mut talk = Talk::smtp();
    talk.send("");
    assert_eq!(talk.codes("MAIL FROM:<a@c.example>\r\nRCPT TO:<a@s.example>\r\nDATA\r\n"), [503, 503, 503]);
    talk.send(HELLO);
    assert_eq!(talk.codes("RCPT TO:<a@s.example>\r\n"), [503]);
    assert_eq!(talk.codes("MAIL FROM:<>\r\nMAIL FROM:<>\r\n"), [250, 503]);
    assert_eq!(talk.codes("DATA\r\n"), [503]);
    assert_eq!(talk.codes("RCPT TO:<x@t.example>\r\nDATA\r\n"), [550, 503]);
    assert_eq!(talk.codes("RCPT TO:<Postmaster>\r\nSTARTTLS\r\n"), [250, 503]);
    assert_eq!(
        talk.codes("VRFY bob\r\nEXPN list\r\nHELP\r\nNOOP\r\nLHLO x\r\nTURN\r\n"),
        [252, 502, 214, 250, 500, 500]
    );
}

/// Attacks A1.24.
#[test]
fn a_transaction_and_its_rights_end_with_rset_ehlo_and_starttls() {
    for reset in ["RSET\r\n", HELLO, "HELO client.example\r\n"] {
        let mut talk = Talk::smtp();
        talk.send(HELLO);
        talk.send(ENVELOPE);
        assert_eq!(talk.codes(reset), [250]);
        assert_eq!(talk.codes("RCPT TO:<a@s.example>\r\nDATA\r\n"), [503, 503]);
    }
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes("STARTTLS\r\n"), [220]);
    assert_eq!(talk.codes("MAIL FROM:<a@c.example>\r\n"), [503], "EHLO must be said again");
    let again = talk.send(HELLO);
    assert!(!again.contains("STARTTLS"), "{again}");
    assert_eq!(talk.codes("STARTTLS\r\n"), [503]);
}

/// Attacks B1.
#[test]
fn clear_text_behind_starttls_drops_the_session() {
    for (behind, after) in
        [("STARTTLS\r\nRSET\r\n", ""), ("starttls\r\nE", ""), ("NOOP\r\nSTARTTLS\r\nMAIL FROM:<>\r\n", "")]
    {
        let mut talk = Talk::smtp();
        talk.send(HELLO);
        assert_eq!(talk.codes(format!("{behind}{after}")).last(), Some(&554));
        assert_eq!((talk.closed, talk.tls_asked), (Some(Closing::BytesAfterStartTls), 0));
    }
}

/// Attacks H1.
#[test]
fn the_waits_between_chunks_are_the_message_s_time() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes(format!("{ENVELOPE}BDAT 1\r\nx")), [250, 250, 250]);
    assert!(talk.session.is_receiving());
    assert_eq!(talk.codes("BDAT 0 LAST\r\n"), [250]);
    assert!(!talk.session.is_receiving());
}

#[test]
fn a_command_that_there_isn_t_is_asked_about_and_changes_nothing() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(
        talk.codes(format!("{ENVELOPE}XYZ one two\r\nMAIL:\r\nDATA x\r\nDATA\r\n")),
        [250, 250, 500, 500, 501, 354]
    );
    assert_eq!(talk.unknown, ["XYZ one two", "MAIL:"], "what is only wrong isn't one");
    assert_eq!(talk.codes("x\r\n.\r\nENDS\r\n"), [250, 421]);
    assert!(talk.closed.is_some());
}

#[test]
fn junk_before_the_greeting_ends_the_session_soon() {
    let mut talk = Talk::smtp();
    talk.send("");
    for _ in 0..SMTP_JUNK_BEFORE_HELLO_MAX {
        assert_eq!(talk.codes("junk\r\n"), [500]);
    }
    assert_eq!(talk.codes("junk\r\n"), [421]);
    assert!(talk.closed.is_some());
}

/// Attacks A3, on the machine: whatever form is tried, one message comes, or none, and no command from inside.
#[test]
fn nothing_smuggled_in_data_becomes_a_command() {
    let forms: [&[u8]; 11] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r.\r",
        b"\r.\r\n",
        b"\r.\n",
        b"\n.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\r\n.\r\r\n",
    ];
    for form in forms {
        let mut inside = b"Subject: x\r\n\r\nbody".to_vec();
        inside.extend_from_slice(form);
        inside.extend_from_slice(b"MAIL FROM:<evil@t.example>\r\nRCPT TO:<bob@s.example>\r\nDATA\r\nforged\r\n");
        let mut talk = Talk::smtp();
        talk.send(HELLO);
        assert_eq!(talk.codes(format!("{ENVELOPE}DATA\r\n")), [250, 250, 354]);
        let mut data = inside.clone();
        data.extend_from_slice(b"\r\n.\r\n");
        let said = talk.send(&data);
        assert!(said.starts_with("550 5.6.0"), "{:?}: {said}", form.escape_ascii().to_string());
        assert_eq!(codes(&said).len(), 1);
        assert!(talk.messages.is_empty());
        assert_eq!(talk.codes(ENVELOPE), [250, 250], "the session goes on");

        // The same bytes as a chunk.
        let chunk = [format!("BDAT {} LAST\r\n", inside.len()).into_bytes(), inside].concat();
        let said = talk.send(&chunk);
        assert!(said.starts_with("550 5.6.0"), "{:?}: {said}", form.escape_ascii().to_string());
        assert_eq!(codes(&said).len(), 1);
        assert!(talk.messages.is_empty());
    }
}

#[test]
fn a_message_over_the_size_is_read_to_its_end() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes("MAIL FROM:<a@c.example> SIZE=1001\r\n"), [552]);
    talk.send(ENVELOPE);
    let large = "x".repeat(100_000);
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.codes(format!("{large}\r\nRSET\r\n.\r\nNOOP\r\n")), [552, 250]);
    talk.send(ENVELOPE);
    assert_eq!(talk.codes(format!("BDAT 100000 LAST\r\n{large}NOOP\r\n")), [552, 250]);
    talk.send(ENVELOPE);
    assert_eq!(talk.codes(format!("BDAT 100000\r\n{large}BDAT 4 LAST\r\nRSETNOOP\r\n")), [552, 503, 250]);
    assert!(talk.messages.is_empty());
}

#[test]
fn chunks_make_one_message() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    let said = talk.send(format!("{ENVELOPE}BDAT 12\r\nSubject: x\r\nBDAT 0\r\nBDAT 8 LAST\r\n\r\n.\r\nyzQUIT\r\n"));
    assert_eq!(codes(&said), [250, 250, 250, 250, 250, 500], "the Q is the chunk's: {said}");
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    let said = talk.send(format!("{ENVELOPE}BDAT 12\r\nSubject: x\r\nBDAT 0\r\nBDAT 7 LAST\r\n\r\n.\r\nyzQUIT\r\n"));
    assert_eq!(codes(&said), [250, 250, 250, 250, 250, 221], "{said}");
    assert_eq!(talk.messages[0].1, "Subject: x\r\n\r\n.\r\nyz\r\n");
}

/// Attacks B6.
#[test]
fn bytes_of_a_chunk_are_never_commands() {
    let mut talk = Talk::smtp();
    talk.send("");
    assert_eq!(talk.codes("BDAT 6\r\nQUIT\r\n"), [503], "before EHLO");
    talk.send(HELLO);
    assert_eq!(talk.codes("BDAT 10 LAST\r\nSTARTTLS\r\nNOOP\r\n"), [503, 250], "without MAIL");
    assert_eq!(
        talk.codes("MAIL FROM:<bad@@x>\r\nBDAT 10 LAST\r\nSTARTTLS\r\nNOOP\r\n"),
        [501, 503, 250],
        "MAIL failed"
    );
    talk.send("MAIL FROM:<a@c.example>\r\n");
    assert_eq!(talk.codes("RCPT TO:<x@t.example>\r\nBDAT 6 LAST\r\nQUIT\r\n"), [550, 503], "nobody to send it to");
    talk.send("RSET\r\nMAIL FROM:<nodisk@c.example>\r\nRCPT TO:<bob@s.example>\r\n");
    assert_eq!(talk.codes("BDAT 6 LAST\r\nQUIT\r\nRSET\r\n"), [452, 250], "no disk");
    talk.send(ENVELOPE);
    assert_eq!(talk.codes("BDAT 10\r\nSTARTTLS\r\nSTARTTLS\r\nRCPT TO:<bob@s.example>\r\n"), [250, 503, 503]);
    assert_eq!(talk.codes("DATA\r\n"), [503]);
    assert_eq!(talk.codes("MAIL FROM:<>\r\nRSET\r\nBDAT 6\r\nQUIT\r\n"), [503, 250, 503], "given up by RSET");
    assert_eq!((talk.closed, talk.tls_asked), (None, 0));
}

/// Attacks B6.
#[test]
fn chunk_sizes_don_t_overflow() {
    for last in ["", " LAST"] {
        let mut talk = Talk::smtp();
        talk.send(HELLO);
        talk.send(ENVELOPE);
        assert_eq!(talk.codes(format!("BDAT 18446744073709551615{last}\r\nNOOP\r\nQUIT\r\n")), [] as [u16; 0]);
        assert!(talk.session.is_receiving() && talk.closed.is_none());
        for bad in ["18446744073709551616", "-1", "1e3", "", "99999999999999999999999"] {
            let mut talk = Talk::smtp();
            talk.send(HELLO);
            talk.send(ENVELOPE);
            assert_eq!(talk.codes(format!("BDAT {bad}{last}\r\nMAIL FROM:<>\r\n")), [501], "{bad}");
            assert_eq!(talk.closed, Some(Closing::ChunkSize), "what follows can't be told from commands");
        }
    }
}

#[test]
fn chunks_of_a_message_end_at_their_limit() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    talk.send(ENVELOPE);
    for _ in 0..SMTP_CHUNKS_MAX {
        assert_eq!(talk.codes("BDAT 0\r\n"), [250]);
    }
    assert_eq!(talk.codes("BDAT 0\r\n"), [552]);
}

#[test]
fn a_message_sent_without_leave_is_not_read_as_commands() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    let hasty = "MAIL FROM:<a@c.example>\r\nRCPT TO:<x@t.example>\r\nDATA\r\nMAIL FROM:<evil@t.example>\r\n.\r\n";
    assert_eq!(talk.codes(hasty), [250, 550, 503, 421]);
    assert_eq!(talk.closed, Some(Closing::BytesAfterData));
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    let hasty =
        "MAIL FROM:<nodisk@c.example>\r\nRCPT TO:<bob@s.example>\r\nDATA\r\nMAIL FROM:<evil@t.example>\r\n.\r\n";
    assert_eq!(talk.codes(hasty), [250, 250, 452, 421]);
}

#[test]
fn lmtp_answers_each_recipient() {
    let mut talk = Talk::lmtp();
    assert!(talk.send("").contains(" LMTP "));
    assert_eq!(talk.codes("EHLO x\r\nHELO x\r\nLHLO x\r\n"), [500, 500, 250]);
    talk.send("MAIL FROM:<>\r\nRCPT TO:<bob@s.example>\r\nRCPT TO:<full@s.example>\r\nRCPT TO:<al@s.example>\r\n");
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.codes("x\r\n.\r\n"), [250, 452, 250]);
    talk.send("MAIL FROM:<>\r\nRCPT TO:<bob@s.example>\r\nRCPT TO:<al@s.example>\r\n");
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.codes("bare\nlf\r\n.\r\n"), [550, 550], "also when it is refused");
    talk.send("MAIL FROM:<>\r\nRCPT TO:<bob@s.example>\r\nRCPT TO:<gone@s.example>\r\n");
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.codes("x\r\n.\r\n"), [250, 452], "those that were told yes, whoever gets it");
    talk.send("MAIL FROM:<>\r\nRCPT TO:<x@t.example>\r\n");
    assert_eq!(talk.codes("DATA\r\n"), [503], "RFC 2033 §4.2");
    assert_eq!(talk.codes("AUTH PLAIN\r\n"), [503]);
}

/// Attacks B5.
#[test]
fn that_it_must_travel_encrypted_is_offered_and_taken_under_tls_only() {
    let mut talk = Talk::smtp();
    assert!(!talk.send(HELLO).contains("REQUIRETLS"));
    assert_eq!(talk.codes("MAIL FROM:<a@c.example> REQUIRETLS\r\nRSET\r\nSTARTTLS\r\n"), [555, 250, 220]);
    assert!(talk.send(HELLO).contains("250-REQUIRETLS\r\n"));
    assert_eq!(talk.codes("MAIL FROM:<a@c.example> REQUIRETLS\r\n"), [250]);
}

#[test]
fn auth_stands_only_on_submission_under_tls_and_once() {
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(talk.codes("AUTH PLAIN Z29vZA==\r\n"), [503], "port 25");
    let mut talk = Talk::new(settings(Dialect::Submission));
    talk.send(HELLO);
    assert_eq!(talk.codes("AUTH PLAIN Z29vZA==\r\nMAIL FROM:<a@s.example>\r\n"), [530, 530], "before TLS");
    let mut talk = Talk::submission_tls();
    talk.send("");
    assert_eq!(talk.codes("AUTH PLAIN Z29vZA==\r\n"), [503], "before EHLO");
    assert!(talk.send(HELLO).contains("250-AUTH PLAIN LOGIN\r\n"));
    assert_eq!(talk.codes("MAIL FROM:<a@s.example>\r\n"), [530], "before AUTH");
    assert_eq!(talk.codes("AUTH\r\nAUTH PLAIN a b\r\nAUTH PLAIN !!!\r\n"), [501, 501, 501]);
    assert_eq!(talk.codes("AUTH PLAIN =\r\n"), [535], "empty is decoded as empty");
    assert_eq!(talk.send("AUTH LOGIN\r\n"), "334 TmFtZQ==\r\n");
    assert_eq!(talk.codes("*\r\n"), [501]);
    assert_eq!(talk.codes("AUTH LOGIN\r\nnot base64\r\nNOOP\r\n"), [334, 501, 250]);
    // The empty answer that ends SCRAM is an answer, not a line without meaning.
    assert_eq!(talk.codes("AUTH LOGIN\r\n\r\n"), [334, 535]);
    assert_eq!(talk.codes("AUTH LOGIN\r\nZ29vZA==\r\n"), [334, 235]);
    assert_eq!(talk.codes("AUTH PLAIN Z29vZA==\r\n"), [503], "twice");
    assert!(!talk.send(HELLO).contains("AUTH"));
    assert_eq!(talk.codes("MAIL FROM:<a@s.example> AUTH=<>\r\nAUTH PLAIN Z29vZA==\r\n"), [250, 503], "after MAIL");
}

/// Attacks B5.
#[test]
fn sasl_lines_end_at_their_limit() {
    let mut talk = Talk::submission_tls();
    talk.send(HELLO);
    let response = |bytes: usize| "A".repeat(bytes);
    let command = "AUTH PLAIN \r\n".len();
    assert_eq!(talk.codes(format!("AUTH PLAIN {}\r\n", response((SASL_LINE_MAX - command) / 4 * 4))), [535]);
    assert_eq!(talk.codes(format!("AUTH PLAIN {}\r\nNOOP\r\n", response(SASL_LINE_MAX))), [500, 250]);
    let mut talk = Talk::submission_tls();
    talk.send(HELLO);
    assert_eq!(talk.codes(format!("AUTH LOGIN\r\n{}\r\nNOOP\r\n", response(SASL_LINE_MAX))), [334, 500, 250]);
}

#[test]
fn failed_logins_end_the_session_and_give_no_rights() {
    let mut talk = Talk::submission_tls();
    talk.send(HELLO);
    for _ in 0..AUTH_ATTEMPTS_MAX - 1 {
        assert_eq!(talk.codes("AUTH PLAIN YmFk\r\nMAIL FROM:<a@s.example>\r\n"), [535, 530]);
    }
    assert_eq!(talk.codes("AUTH PLAIN YmFk\r\n"), [535, 421]);
    assert_eq!(talk.closed, Some(Closing::AuthFailures));
}

/// Attacks A1 (18, 20 to 22) and A5: what isn't an address by the grammar.
#[test]
fn what_is_no_address_is_refused_as_such() {
    for bad in [
        "a",
        " a@s.example",
        "<a@s.example>",
        "u@t@s.example",
        "u@s.example.",
        "\"u@t\"",
        "u@s.example%00t",
        "a b@s.example",
    ] {
        let mut talk = Talk::smtp();
        talk.send(HELLO);
        assert_eq!(talk.codes(format!("MAIL FROM:<{bad}>\r\n")), [501], "{bad}");
        assert_eq!(talk.codes(format!("MAIL FROM:<>\r\nRCPT TO:<{bad}>\r\n")), [250, 501], "{bad}");
    }
    let mut talk = Talk::smtp();
    talk.send(HELLO);
    assert_eq!(
        talk.codes("MAIL FROM:<>\r\nRCPT TO:<j\u{f6}rg@s.example>\r\nRCPT TO:<u\u{ff20}t>\r\n"),
        [250, 501, 501]
    );
    assert_eq!(talk.codes("RSET\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<j\u{f6}rg@s.example>\r\n"), [250, 250, 250]);
    assert_eq!(talk.codes("RCPT TO:<u\u{ff20}t>\r\n"), [501]);
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_replies_are_the_same(
        words in proptest::collection::vec(prop_oneof![
            Just("EHLO c.example\r\n"), Just("MAIL FROM:<a@c.example>\r\n"), Just("RCPT TO:<bob@s.example>\r\n"),
            Just("BDAT 6\r\nQUIT\r\n"), Just("BDAT 2 LAST\r\n\r\n"), Just("BDAT 0\r\n"), Just("RSET\r\n"), Just("x\n"),
            Just("NOOP\r\n"), Just("junk\r\n"), Just("RCPT TO:<x@t.example>\r\n"), Just("\r\n"), Just(".\r\n"),
        ], 0..30),
        sizes in proptest::collection::vec(1usize..30, 0..60),
    ) {
        let bytes = words.concat().into_bytes();
        let mut whole = Talk::smtp();
        whole.send(&bytes);
        let mut cut = Talk::smtp();
        let mut rest = &bytes[..];
        for size in sizes.into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            cut.send(piece);
            rest = after;
            if cut.closed.is_some() {
                break;
            }
        }
        prop_assert_eq!(&whole.said, &cut.said);
        prop_assert_eq!(&whole.messages, &cut.messages);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        for dialect in [Dialect::Smtp, Dialect::Lmtp, Dialect::Submission] {
            let mut talk = Talk::new(settings(dialect));
            talk.input.push(&bytes);
            while !matches!(talk.session.step(&mut talk.input), Step::Read | Step::Close(_)) {}
        }
    }
}
