//! POP3: lines to commands, and a whole session without a mailbox behind it.

use mailward_core::{BlobId, Uid, UidValidity};
use mailward_pop3::command;
use mailward_pop3::machine::{CloseReason, Denial, Intent, Machine, WireFacts};
use mailward_pop3::maildrop::Maildrop;

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    let _command = command::parse(rest);
    let _response = command::sasl_response(rest);
    for tls in [false, true] {
        let at_once = session(rest, 0, tls, steer & 1 == 0);
        assert_eq!(at_once, session(rest, steer, tls, steer & 1 == 0), "how bytes are cut changes nothing");
    }
}

/// Everything the server would say.
fn session(data: &[u8], seed: u8, tls: bool, known: bool) -> Vec<u8> {
    let mechanisms = if tls { vec!["PLAIN"] } else { Vec::new() };
    let mut machine = Machine::new(WireFacts { tls, can_start_tls: !tls, mechanisms });
    let mut said = Vec::new();
    let mut pieces = super::pieces(data, seed);
    let mut challenges = 0;
    loop {
        let intent = machine.advance();
        let output = machine.output();
        assert!(output.is_empty() || output.ends_with(b"\r\n"), "replies are whole lines");
        said.append(output);
        match intent {
            Intent::Read => match pieces.next() {
                Some(piece) => machine.feed(piece),
                None => return said,
            },
            Intent::Write => {}
            // Bytes behind STLS would be TLS's; whether any wait depends on how they were cut.
            Intent::StartTls | Intent::Close(CloseReason::StlsInjection) => return Vec::new(),
            Intent::Password { .. } if known => machine.welcome(maildrop()),
            Intent::Password { .. } => machine.deny(Denial::Refused),
            Intent::SaslBegin { .. } | Intent::SaslResponse(_) if challenges < 2 => {
                challenges += 1;
                machine.challenge(b"what?");
            }
            Intent::SaslBegin { .. } | Intent::SaslResponse(_) if known => machine.welcome(maildrop()),
            Intent::SaslBegin { .. } | Intent::SaslResponse(_) => machine.deny(Denial::Malformed),
            Intent::Send { entry, lines: Some(_) } if entry.size > 1 => machine.message_follows(None),
            Intent::Send { entry, lines: None } => machine.message_follows(Some(entry.size)),
            Intent::Send { .. } => machine.message_gone(false),
            Intent::Update(_) => machine.updated(true),
            Intent::Close(reason) => {
                said.extend_from_slice(format!("{reason:?}").as_bytes());
                return said;
            }
        }
    }
}

fn maildrop() -> Maildrop {
    Maildrop::new(UidValidity(7), (1..=3).map(|n| (Uid(n), BlobId(n.into()), n.into())))
}
