//! IMAP: bytes to commands, and commands to what they ask for.

use bytes::BytesMut;
use mailward_core::limits::{IMAP_LINE_MAX, IMAP_LITERALS_SUM_MAX};
use mailward_imap::frame::{Announced, Bounds, Framer, Refusal, Step, tag_of};
use mailward_imap::parse;

/// What came out, without what depends on how the bytes were cut.
#[derive(Debug, PartialEq)]
enum Out {
    Literal(Announced),
    Command(Vec<u8>),
    Refused(Refusal),
}

const MESSAGE_MAX: u64 = 2_000;

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    for bounds in [Bounds::BEFORE_LOGIN, Bounds::after_login(MESSAGE_MAX)] {
        let at_once = frames(rest, 0, bounds);
        let in_pieces = frames(rest, steer, bounds);
        assert_eq!(at_once, in_pieces, "how bytes are cut changes nothing");
        for out in at_once {
            match out {
                Out::Command(command) => {
                    assert!(command.len() <= IMAP_LINE_MAX + IMAP_LITERALS_SUM_MAX + 2_000);
                    parsed(command);
                }
                Out::Refused(refusal) => assert!(!refusal.text.is_empty()),
                Out::Literal(_) => {}
            }
        }
    }
    parsed(rest.to_vec());
    let _response = parse::sasl_response(rest);
}

fn parsed(command: Vec<u8>) {
    let tag = tag_of(&command);
    let command: bytes::Bytes = command.into();
    let _utf8 = parse::parse(&command, true);
    match parse::parse(&command, false) {
        Ok(tagged) => assert_eq!(Some(tagged.tag), tag),
        Err(e) => {
            // A line that is nothing but a tag has one for the parser only.
            if let (Some(told), Some(tag)) = (e.tag, tag) {
                assert_eq!(told, tag);
            }
        }
    }
}

fn frames(data: &[u8], seed: u8, bounds: Bounds) -> Vec<Out> {
    let mut framer = Framer::default();
    let mut input = BytesMut::new();
    let mut out = Vec::new();
    for piece in super::pieces(data, seed) {
        input.extend_from_slice(piece);
        loop {
            match framer.step(&mut input, bounds) {
                Step::More => break,
                Step::Literal(announced) => {
                    assert!(announced.size <= bounds.literal.max(bounds.message.unwrap_or(0)));
                    out.push(Out::Literal(announced));
                    // Some are refused, as a session short of memory would.
                    if announced.size % 7 == 6 {
                        let refusal = framer.refuse("no memory");
                        let close = refusal.close;
                        out.push(Out::Refused(refusal));
                        if close {
                            return out;
                        }
                    } else {
                        framer.accept();
                    }
                }
                Step::Command(command) => out.push(Out::Command(command.to_vec())),
                Step::Refused(refusal) => {
                    let close = refusal.close;
                    out.push(Out::Refused(refusal));
                    if close {
                        return out;
                    }
                }
            }
        }
        assert!(input.is_empty(), "what can't be used yet is kept in one place");
    }
    out
}
