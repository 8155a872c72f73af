//! The steps of a session, and what the protocol says of each.

use crate::macros::Stage;
use crate::packet::command;
use crate::terms::steps;

/// One kind of command.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) letter: u8,
    /// For people.
    pub(crate) name: &'static str,
    /// Which macros are told with it.
    pub(crate) stage: Stage,
    /// The terms by which a milter doesn't hear of it.
    pub(crate) not: u32,
    /// The terms by which it doesn't answer.
    pub(crate) silent: u32,
    /// The first version that has it.
    pub(crate) since: u32,
    /// Whether "skip" is an answer.
    pub(crate) skips: bool,
    /// Whether "discard" is an answer.
    pub(crate) discards: bool,
    /// Whether an answer holds for the session.
    pub(crate) of_session: bool,
}

/// What most have in common.
const USUAL: Step = Step {
    letter: 0,
    name: "",
    stage: Stage::Other,
    not: 0,
    silent: 0,
    since: 2,
    skips: false,
    discards: true,
    of_session: false,
};

pub(crate) const CONNECT: Step = Step {
    letter: command::CONNECT,
    name: "the connection",
    stage: Stage::Connect,
    not: steps::NO_CONNECT,
    silent: steps::SILENT_CONNECT,
    discards: false,
    of_session: true,
    ..USUAL
};
pub(crate) const HELLO: Step = Step {
    letter: command::HELLO,
    name: "the greeting",
    stage: Stage::Hello,
    not: steps::NO_HELLO,
    silent: steps::SILENT_HELLO,
    discards: false,
    of_session: true,
    ..USUAL
};
pub(crate) const MAIL: Step = Step {
    letter: command::MAIL,
    name: "the sender",
    stage: Stage::Mail,
    not: steps::NO_MAIL,
    silent: steps::SILENT_MAIL,
    ..USUAL
};
pub(crate) const RECIPIENT: Step = Step {
    letter: command::RECIPIENT,
    name: "a recipient",
    stage: Stage::Recipient,
    not: steps::NO_RECIPIENTS,
    silent: steps::SILENT_RECIPIENTS,
    ..USUAL
};
pub(crate) const DATA: Step = Step {
    letter: command::DATA,
    name: "DATA",
    stage: Stage::Data,
    not: steps::NO_DATA,
    silent: steps::SILENT_DATA,
    since: 4,
    ..USUAL
};
pub(crate) const UNKNOWN: Step = Step {
    letter: command::UNKNOWN,
    name: "an unknown command",
    not: steps::NO_UNKNOWN,
    silent: steps::SILENT_UNKNOWN,
    since: 3,
    discards: false,
    ..USUAL
};
pub(crate) const HEADER: Step = Step {
    letter: command::HEADER,
    name: "a field",
    not: steps::NO_HEADER,
    silent: steps::SILENT_HEADER,
    skips: true,
    ..USUAL
};
pub(crate) const HEADER_END: Step = Step {
    letter: command::HEADER_END,
    name: "the header's end",
    stage: Stage::HeaderEnd,
    not: steps::NO_HEADER_END,
    silent: steps::SILENT_HEADER_END,
    ..USUAL
};
pub(crate) const BODY: Step = Step {
    letter: command::BODY,
    name: "a piece of the body",
    not: steps::NO_BODY,
    silent: steps::SILENT_BODY,
    skips: true,
    ..USUAL
};
/// It is always told, and always answered.
pub(crate) const END: Step =
    Step { letter: command::BODY_END, name: "the end of the message", stage: Stage::End, ..USUAL };
