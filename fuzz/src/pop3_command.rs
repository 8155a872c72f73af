//! POP3: lines to commands, and a whole session without a mailbox behind it.

use mailward_core::{Uid, UidValidity};
use mailward_pop3::command;
use mailward_pop3::machine::{CloseReason, Denial, Gone, Intent, Machine, WireFacts};
use mailward_pop3::maildrop::Maildrop;
use mailward_store::records::UidRange;

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
            // Pages of two; the third message is gone, and the fourth can't be looked up.
            Intent::Sizes(uids) if uids.first == Uid(8) => {
                if !machine.sizes_failed(Gone::Temporary) {
                    return said;
                }
            }
            Intent::Sizes(uids) => {
                let there = (uids.first.0..=uids.last.0).filter(|uid| *uid != 6).take(2);
                machine.sizes(there.map(|uid| (Uid(uid), uid.into())));
            }
            Intent::Send { number: 3, .. } => machine.message_gone(Gone::Elsewhere),
            Intent::Send { number: 4, .. } if !machine.is_utf8() => machine.message_gone(Gone::NeedsUtf8),
            Intent::Send { lines: Some(_), .. } => machine.message_follows(None),
            Intent::Send { number, .. } => machine.message_follows(Some(number.into())),
            Intent::Update(_) => machine.updated(true),
            Intent::Close(reason) => {
                said.extend_from_slice(format!("{reason:?}").as_bytes());
                return said;
            }
        }
    }
}

fn maildrop() -> Maildrop {
    let run = |first, last| UidRange { first: Uid(first), last: Uid(last) };
    Maildrop::new(UidValidity(7), &[run(2, 3), run(6, 6), run(8, 8)], 19, u32::MAX)
}
