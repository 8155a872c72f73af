//! SMTP and LMTP: command lines, their parameters, and a whole session with a policy that says yes and no.

use mailward_core::limits::{SASL_LINE_MAX, SMTP_PARAMETERS_MAX};
use mailward_smtp::command::{self, Command};
use mailward_smtp::input::Input;
use mailward_smtp::params;
use mailward_smtp::reply::Reply;
use mailward_smtp::server::{Closing, Dialect, Rights, Session, Settings, Step};

const MESSAGE_MAX: u64 = 300;
const PREFIX: &[u8] = b"Received: here\r\n";

struct Policy;

impl Rights for Policy {
    type Login = ();
    type Sasl = u8;
    type Sender = ();
    type Recipient = String;
}

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    if let Ok(Command::Mail(envelope) | Command::Rcpt(envelope)) = command::parse(rest) {
        assert!(!envelope.path.contains(['\r', '\n', '\0']));
        let _parameters = params::recipient(envelope.parameters);
        if let Ok(parameters) = params::mail(envelope.parameters, known(steer)) {
            assert!(envelope.parameters.split_ascii_whitespace().count() <= SMTP_PARAMETERS_MAX, "{parameters:?}");
        }
    }
    for dialect in [Dialect::Smtp, Dialect::Submission, Dialect::Lmtp] {
        let at_once = session(rest, 0, dialect, steer);
        let in_pieces = session(rest, steer, dialect, steer);
        // What stands right behind STARTTLS or a refused DATA ends the session if it is there at that moment.
        let hasty = |end: &Option<Closing>| matches!(end, Some(Closing::BytesAfterData | Closing::BytesAfterStartTls));
        if !hasty(&at_once.end) && !hasty(&in_pieces.end) {
            assert_eq!(at_once, in_pieces, "how bytes are cut changes nothing");
        }
    }
}

fn known(steer: u8) -> params::Known {
    params::Known { auth: steer & 1 == 0, require_tls: steer & 2 == 0 }
}

#[derive(Debug, Default, PartialEq)]
struct Heard {
    /// First digits of the replies, a line each. Which of several faults of a message is told may depend on which
    /// was met first, and that on how the bytes were cut.
    said: Vec<u8>,
    /// Messages that were to be delivered, with how many recipients.
    messages: Vec<(Vec<u8>, usize)>,
    end: Option<Closing>,
}

fn session(data: &[u8], seed: u8, dialect: Dialect, steer: u8) -> Heard {
    let tls = steer & 64 != 0;
    let mut session = Session::<Policy>::new(Settings {
        hostname: "mx.example".to_owned(),
        dialect,
        message_size: MESSAGE_MAX,
        recipients: 3,
        messages: 4,
        tls_available: steer & 32 != 0,
        tls: tls.then(|| vec!["PLAIN", "SCRAM-SHA-256"]),
    });
    let mut input = Input::new(SASL_LINE_MAX + 4_096);
    let mut heard = Heard::default();
    let mut pieces = super::pieces(data, seed);
    let mut waiting: &[u8] = &[];
    loop {
        match session.step(&mut input) {
            Step::Read => {
                take(&mut session, &mut heard);
                assert!(session.held() <= 8 * (MESSAGE_MAX as usize + PREFIX.len()), "{} bytes held", session.held());
                if waiting.is_empty() {
                    let Some(piece) = pieces.next() else { return heard };
                    waiting = piece;
                }
                let pushed = input.push(waiting);
                assert!(pushed > 0, "it asks for bytes and has no room for them");
                waiting = &waiting[pushed..];
            }
            Step::Mail(ticket) => {
                if ticket.path().to_string().contains("refused") {
                    ticket.refuse(&Reply::SYNTAX);
                } else {
                    ticket.accept(());
                }
            }
            Step::Recipient(ticket) => {
                let path = ticket.path().to_string();
                if path.contains("refused") { ticket.refuse(&Reply::SYNTAX) } else { ticket.accept(path) }
            }
            Step::Data(ticket) => {
                assert!(!ticket.mail().recipients.is_empty(), "a message to nobody");
                ticket.accept(PREFIX.to_vec());
            }
            Step::Message(mut ticket) => {
                let bytes = ticket.take_bytes();
                let body = bytes.strip_prefix(PREFIX).expect("the trace comes first");
                assert!(body.len() as u64 <= MESSAGE_MAX + 2 && (body.is_empty() || body.ends_with(b"\r\n")));
                assert!(!body.contains(&0));
                assert!(body.split_inclusive(|b| *b == b'\n').all(|l| l.ends_with(b"\r\n")), "a bare LF");
                assert_eq!(
                    bytes.iter().filter(|b| **b == b'\r').count(),
                    bytes.iter().filter(|b| **b == b'\n').count()
                );
                heard.messages.push((bytes, ticket.mail().recipients.len()));
                ticket.answer(Reply::LOCAL_ERROR);
            }
            Step::Refused(_, mail) => assert!(!mail.recipients.is_empty()),
            Step::Auth(mechanism, initial, ticket) => {
                assert!(tls, "AUTH {mechanism} without TLS");
                match initial {
                    Some(initial) if initial.len() % 2 == 0 => ticket.done(()),
                    Some(_) => ticket.refuse(&Reply::SYNTAX),
                    None => ticket.challenge(1, b"what?"),
                }
            }
            Step::AuthResponse(step, response, ticket) => match (step, response.len() % 2) {
                (3.., _) | (_, 0) => ticket.done(()),
                (step, _) => ticket.challenge(step + 1, &response),
            },
            Step::Unknown(ticket) => {
                assert!(!ticket.line().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "a line of one line");
                ticket.refuse(&Reply::UNKNOWN_COMMAND);
            }
            // What follows would be TLS's.
            Step::StartTls(mut ticket) => {
                assert!(ticket.output().ends_with(b"\r\n"));
                assert!(input.unread().is_empty(), "bytes behind STARTTLS");
                return Heard::default();
            }
            Step::Close(why) => {
                take(&mut session, &mut heard);
                assert_ne!(why, Closing::Unanswered);
                heard.end = Some(why);
                return heard;
            }
        }
    }
}

/// Takes the replies out: whole lines, each a reply code and text, none of it a control character.
fn take(session: &mut Session<Policy>, heard: &mut Heard) {
    let output = std::mem::take(session.output());
    assert!(output.is_empty() || output.ends_with(b"\r\n"));
    for line in output.split_inclusive(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("a reply ends with CRLF");
        assert!(text.len() >= 3 && text[..3].iter().all(u8::is_ascii_digit), "{}", String::from_utf8_lossy(line));
        assert!(text.iter().all(|b| *b >= b' ' && *b != 127), "{}", String::from_utf8_lossy(line));
        assert!(text.len() <= 3_000);
        heard.said.push(text[0]);
    }
}
