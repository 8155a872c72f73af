//! What came of a message: whether it is taken, and what milters changed in it.

use crate::answer::Answer;
use crate::draft::Draft;
use mailward_core::Address;

/// A change of the header. A value is all that stands behind the colon, as the milter gave it; it is made one field when the
/// change is made. Fields are counted as sendmail counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A field behind all others.
    Add {
        /// Printable ASCII without a colon, at most `limits::MILTER_FIELD_NAME_MAX` bytes, as everywhere here.
        name: String,
        /// All behind the colon.
        value: Vec<u8>,
    },
    /// A field at a place: 0 and 1 are the first, 2 stands behind one, and so on; beyond the last it is the last.
    Insert {
        /// The place.
        at: u32,
        /// See [`Edit::Add`].
        name: String,
        /// All behind the colon.
        value: Vec<u8>,
    },
    /// Another value of the nth field of this name, from 1; if there are less, one more field.
    Change {
        /// Which one.
        nth: u32,
        /// See [`Edit::Add`].
        name: String,
        /// All behind the colon.
        value: Vec<u8>,
    },
    /// The nth field of this name is taken away.
    Remove {
        /// Which one.
        nth: u32,
        /// See [`Edit::Add`].
        name: String,
    },
}

impl Edit {
    pub(crate) const fn size(&self) -> usize {
        match self {
            Self::Add { name, value } | Self::Insert { name, value, .. } | Self::Change { name, value, .. } => {
                name.len().saturating_add(value.len())
            }
            Self::Remove { name, .. } => name.len(),
        }
    }
}

/// A refusal, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The milter's name.
    pub milter: String,
    /// What the client is told.
    pub answer: Answer,
    /// Why it couldn't be asked, where the refusal is only its default.
    pub fault: Option<crate::Fault>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may go on.
    Go,
    /// It is refused: at the connection or greeting, all that follows in the session; at MAIL or DATA the transaction; at RCPT
    /// this recipient.
    Refuse(Refusal),
}

/// What becomes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken, with the changes.
    #[default]
    Take,
    /// It is refused.
    Refuse(Refusal),
    /// The client hears that it is taken, and nobody gets it. Who wants that.
    Discard(String),
}

/// Another sender of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSender {
    /// `None`: the null path.
    pub address: Option<Address>,
    /// ESMTP arguments, as the milter gave them.
    pub arguments: String,
}

/// One more recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecipient {
    /// Who wants it.
    pub milter: String,
    /// Who it is. Whether mail may go there is to be decided as for anybody's recipients.
    pub address: Address,
    /// ESMTP arguments, as the milter gave them.
    pub arguments: String,
}

/// What all milters together made of a message. Changes are only here if it is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What becomes of it.
    pub verdict: Verdict,
    /// Changes of the header: milters in their order, and of each the changes in theirs.
    pub edits: Vec<(String, Vec<Edit>)>,
    /// Another body, its lines ended by CRLF.
    pub body: Option<Vec<u8>>,
    /// Another sender, and who wants it.
    pub sender: Option<(String, NewSender)>,
    /// More recipients.
    pub added: Vec<NewRecipient>,
    /// Recipients that don't get it: their places in the order in which they were told and taken. Rising.
    pub removed: Vec<usize>,
    /// Who wants it kept from its recipients, and why. Printable, at most `limits::MILTER_REASON_MAX` characters.
    pub quarantine: Option<(String, String)>,
    /// Milters that couldn't be asked and were passed over, and why.
    pub passed_over: Vec<(String, crate::Fault)>,
}

impl Changes {
    /// Whether the bytes of the message change.
    #[must_use]
    pub fn changes_bytes(&self) -> bool {
        self.body.is_some() || self.edits.iter().any(|(_, edits)| !edits.is_empty())
    }

    /// The message as milters want it. `message` is what was given to [`Session::message`](crate::Session::message).
    #[must_use]
    pub fn apply(&self, message: &[u8]) -> Vec<u8> {
        let mut draft = Draft::of(message);
        for (_, edits) in &self.edits {
            edits.iter().for_each(|edit| draft.edit(edit));
            draft.settle();
        }
        if let Some(body) = &self.body {
            draft.replace_body(body.clone());
        }
        draft.to_bytes()
    }

    pub(crate) fn refuse(refusal: Refusal) -> Self {
        Self { verdict: Verdict::Refuse(refusal), ..Self::default() }
    }

    pub(crate) fn discard(milter: String) -> Self {
        Self { verdict: Verdict::Discard(milter), ..Self::default() }
    }
}
