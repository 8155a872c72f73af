//! One message to its recipients: the envelope, the data, the answers, and what they mean together.

use super::Dialect;
use super::answer::{Answer, Malformed};
use super::connection::{Connection, State};
use super::content::{Content, ContentFault, Form, Lines};
use super::outcome::{Cause, Failure, Need, Outcome, Reason, Report, Step};
use super::transaction::{Group, Plan, Question, Transaction};
use super::wire::{Stopped, after};
use bytes::Bytes;
use mailward_core::limits::{
    MIN_DATA_RATE, SEND_BLOCK_TIME, SEND_BUFFER, SEND_END_ALL_TIME, SEND_ENVELOPE_TIME, SMTP_REPLY_LINE_MAX,
};
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Sends a message. Every recipient gets an outcome, whatever happens; nothing here is an error of the call.
    ///
    /// A connection that isn't broken afterwards ([`Report::broken`]) takes the next message. If the future is dropped
    /// before it is ready, the connection is of no more use, and the message may or may not have been taken.
    pub async fn send<C: Content>(&mut self, transaction: &Transaction, content: &mut C) -> Report {
        let size = content.size();
        let mut plan = Plan::new(transaction, size, &self.extensions, self.security());
        let mut ledger = Ledger::new(std::mem::take(&mut plan.outcomes), plan.need);
        let broken = if plan.tried.is_empty() {
            match &self.state {
                State::Over(failure) => Some(failure.clone()),
                _ => None,
            }
        } else {
            self.transact(transaction, &plan, &mut ledger, content, size).await.err()
        };
        ledger.report(broken)
    }

    /// Fails if the connection is over. What that means for the recipients is in the ledger either way.
    async fn transact<C: Content>(
        &mut self,
        transaction: &Transaction,
        plan: &Plan,
        ledger: &mut Ledger,
        content: &mut C,
        size: u64,
    ) -> Result<(), Failure> {
        let before = match self.begin(Step::Mail) {
            Ok(before) => before,
            Err(failure) => return Err(self.broke(ledger, failure)),
        };
        if self.is_exhausted() {
            return Err(self.broke(ledger, Failure { at: Step::Mail, cause: Cause::Exhausted }));
        }
        let first = match first_piece(content, transaction.eight_bit, size).await {
            Ok(first) => first,
            Err(fault) => {
                // Nothing was said yet: the connection is as good as before.
                self.state = before;
                ledger.rest(Outcome::failed(Failure { at: Step::Message, cause: Cause::Content(fault) }));
                return Ok(());
            }
        };
        self.messages = self.messages.saturating_add(1);
        let heard = self.envelope(transaction, plan, size, &before).await;
        match self.judge(heard, plan, ledger).await? {
            Some(taken) => self.message(transaction, ledger, &taken, first, content, size).await,
            None => Ok(()),
        }
    }

    /// Says RSET if needed, MAIL, RCPT and DATA, together or one by one. One by one it stops where the rest would be
    /// senseless.
    async fn envelope(&mut self, transaction: &Transaction, plan: &Plan, size: u64, before: &State) -> Heard {
        let mut group = Group::default();
        if matches!(before, State::Begun) {
            group.plain(Step::Reset, "RSET");
        }
        group.mail(transaction, plan, size, &self.extensions);
        for recipient in plan.tried.iter().filter_map(|index| transaction.recipients.get(*index)) {
            group.recipient(recipient, &self.extensions);
        }
        if self.form() == Form::Dotted {
            group.plain(Step::Data, "DATA");
        }
        let deadline = after(SEND_ENVELOPE_TIME);
        let mut answers = Vec::with_capacity(group.questions.len());
        let asked = if self.extensions.pipelining {
            self.ask_group(group.text.as_bytes(), &group.questions, deadline, &mut answers).await
        } else {
            self.ask_singly(&group, deadline, &mut answers).await
        };
        Heard::new(&group.questions, answers, asked.err())
    }

    async fn ask_group(
        &mut self,
        out: &[u8],
        questions: &[Question],
        deadline: Instant,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Failure> {
        let at = questions.first().map_or(Step::Mail, |question| question.step);
        self.wire.quiet().await.map_err(|cause| Failure { at, cause })?;
        self.wire.ask(out, questions, Some(deadline), answers).await
    }

    async fn ask_singly(&mut self, group: &Group, deadline: Instant, answers: &mut Vec<Answer>) -> Result<(), Failure> {
        let (mut begin, mut taken) = (0, 0_usize);
        for question in &group.questions {
            if question.step == Step::Data && taken == 0 {
                break;
            }
            let line = group.text.as_bytes().get(begin..question.end).unwrap_or_default();
            let single = [Question { step: question.step, end: line.len() }];
            self.ask_group(line, &single, deadline, answers).await?;
            begin = question.end;
            let yes = answers.last().is_some_and(Answer::is_positive);
            match question.step {
                Step::Recipient if yes => taken = taken.saturating_add(1),
                Step::Mail | Step::Reset if !yes => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// What the answers to the envelope mean. `Some` if a message is to follow, with the recipients that were taken.
    async fn judge(&mut self, heard: Heard, plan: &Plan, ledger: &mut Ledger) -> Result<Option<Vec<usize>>, Failure> {
        let out_of_place = |at| Failure { at, cause: Malformed::OutOfPlace.into() };
        if let Some(reset) = heard.reset.filter(|answer| !answer.is_positive()) {
            return Err(self.broke(ledger, Failure { at: Step::Reset, cause: Cause::Refused(reset) }));
        }
        let go = heard.data.as_ref().is_some_and(|answer| answer.code() == 354);
        let mail_refused = heard.mail.filter(|answer| !answer.is_positive());
        if mail_refused.as_ref().is_some_and(Answer::is_intermediate) {
            return Err(self.broke(ledger, out_of_place(Step::Mail)));
        }
        if let Some(mail) = mail_refused {
            ledger.rest(Outcome::refused(Step::Mail, mail, false));
            if let Some(failure) = heard.failure {
                return Err(self.broke(ledger, failure));
            }
            // Recipients without a sender: the server knows something that we don't. It gets no message.
            let begun = heard.recipients.iter().any(Answer::is_positive);
            self.state = if begun { State::Begun } else { State::Ready };
            return if go { self.end_empty(ledger, begun).await.map(|()| None) } else { Ok(None) };
        }
        let mut taken = Vec::with_capacity(plan.tried.len());
        for (index, answer) in plan.tried.iter().zip(heard.recipients) {
            if answer.is_positive() {
                taken.push(*index);
            } else if answer.is_intermediate() {
                return Err(self.broke(ledger, out_of_place(Step::Recipient)));
            } else {
                ledger.decide(*index, Outcome::refused(Step::Recipient, answer, !taken.is_empty()));
            }
        }
        if let Some(failure) = heard.failure {
            return Err(self.broke(ledger, failure));
        }
        self.state = State::Begun;
        if taken.is_empty() && go {
            return self.end_empty(ledger, false).await.map(|()| None);
        }
        match heard.data {
            Some(answer) if answer.is_temporary() || answer.is_permanent() => {
                ledger.rest(Outcome::refused(Step::Data, answer, false));
                Ok(None)
            }
            Some(_) if !go => Err(self.broke(ledger, out_of_place(Step::Data))),
            _ => Ok(Some(taken).filter(|taken| !taken.is_empty())),
        }
    }

    /// The server took nobody and asks for data all the same: it gets an empty message, which goes to nobody
    /// (RFC 2920 §3.1). In LMTP nothing would answer it, and where it might go to somebody, the connection ends.
    async fn end_empty(&mut self, ledger: &mut Ledger, somebody: bool) -> Result<(), Failure> {
        if somebody || self.dialect() == Dialect::Lmtp {
            return Err(self.broke(ledger, Failure { at: Step::Data, cause: Malformed::OutOfPlace.into() }));
        }
        match self.command(Step::Message, b".\r\n").await {
            Ok(answer) if !answer.is_intermediate() => {
                self.state = State::Ready;
                Ok(())
            }
            Ok(_) => Err(self.broke(ledger, Failure { at: Step::Message, cause: Malformed::OutOfPlace.into() })),
            Err(failure) => Err(self.broke(ledger, failure)),
        }
    }

    /// The data and the answers to its end.
    async fn message<C: Content>(
        &mut self,
        transaction: &Transaction,
        ledger: &mut Ledger,
        taken: &[usize],
        first: Bytes,
        content: &mut C,
        size: u64,
    ) -> Result<(), Failure> {
        self.state = State::Busy;
        let form = self.form();
        match self.pour_message(transaction, form, first, content, size).await {
            // Once all of it is out, only an answer tells what became of it, and that may be here already.
            Ok(()) | Err(Stopped { gone: true, .. }) => {}
            Err(Stopped { cause, gone: false }) => {
                let failure = Failure { at: Step::Message, cause };
                if let Cause::Refused(answer) = &failure.cause {
                    let refused = Outcome::refused(Step::Message, answer.clone(), false);
                    match (self.dialect(), taken.first()) {
                        (Dialect::Lmtp, Some(first)) => ledger.decide(*first, refused),
                        _ => ledger.rest(refused),
                    }
                }
                return Err(self.broke(ledger, failure));
            }
        }
        let count = if self.dialect() == Dialect::Lmtp { taken.len() } else { 1 };
        let questions = vec![Question { step: Step::Message, end: 0 }; count];
        let mut answers = Vec::with_capacity(count);
        let asked = self.wire.ask(&[], &questions, Some(after(SEND_END_ALL_TIME)), &mut answers).await;
        self.settle(ledger, taken, form, answers, asked)
    }

    /// What the answers to the end of a message mean.
    fn settle(
        &mut self,
        ledger: &mut Ledger,
        taken: &[usize],
        form: Form,
        answers: Vec<Answer>,
        asked: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let each = self.dialect() == Dialect::Lmtp;
        let mut open = taken.iter();
        let mut refused = false;
        for answer in answers {
            if answer.is_intermediate() {
                let failure = Failure { at: Step::Message, cause: Malformed::OutOfPlace.into() };
                ledger.rest(Outcome::Unknown(failure.clone()));
                return Err(self.over(failure));
            }
            refused |= !answer.is_positive();
            let outcome = |answer: Answer| match answer.is_positive() {
                true => Outcome::Accepted(answer),
                false => Outcome::refused(Step::Message, answer, false),
            };
            if !each {
                ledger.rest(outcome(answer));
            } else if let Some(index) = open.next() {
                ledger.decide(*index, outcome(answer));
            }
        }
        if let Err(failure) = asked {
            // 421 is an answer, and a no. The recipients behind it have none.
            match (&failure.cause, open.next()) {
                (Cause::Closing(_), Some(index)) if each => ledger.decide(*index, Outcome::failed(failure.clone())),
                (Cause::Closing(_), _) => ledger.rest(Outcome::failed(failure.clone())),
                _ => {}
            }
            ledger.rest(Outcome::Unknown(failure.clone()));
            return Err(self.over(failure));
        }
        // RFC 3030 §2: after a BDAT that failed the transaction's state isn't known.
        self.state = if refused && form == Form::Counted { State::Begun } else { State::Ready };
        Ok(())
    }

    /// The data. Its end goes out only when all of it was read and found good, and the server hasn't said anything.
    async fn pour_message<C: Content>(
        &mut self,
        transaction: &Transaction,
        form: Form,
        first: Bytes,
        content: &mut C,
        size: u64,
    ) -> Result<(), Stopped> {
        let stop = |cause| Stopped { cause, gone: false };
        let bad = |fault| stop(Cause::Content(fault));
        let seconds = size.checked_div(MIN_DATA_RATE).unwrap_or(0);
        let deadline = after(SEND_BLOCK_TIME.saturating_add(Duration::from_secs(seconds)));
        let room = usize::try_from(size).unwrap_or(SEND_BUFFER).min(SEND_BUFFER);
        let mut out = Vec::with_capacity(room.saturating_add(SMTP_REPLY_LINE_MAX));
        if form == Form::Counted {
            // All in one chunk, as its size is known. Writing to a Vec can't fail.
            let _infallible = write!(out, "BDAT {size} LAST\r\n");
        }
        let mut lines = Lines::new(form);
        let mut sent = 0_u64;
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            if !transaction.eight_bit && !bytes.is_ascii() {
                return Err(bad(ContentFault::EightBit));
            }
            for slice in bytes.chunks(SEND_BUFFER) {
                sent = sent.saturating_add(u64::try_from(slice.len()).unwrap_or(u64::MAX));
                if sent > size {
                    return Err(bad(ContentFault::Size));
                }
                lines.feed(slice, &mut out).map_err(bad)?;
                // The last byte of a chunk is its end.
                if out.len() >= SEND_BUFFER && !(form == Form::Counted && sent == size) {
                    self.wire.pour(&out, deadline).await.map_err(|stopped| stop(stopped.cause))?;
                    out.clear();
                }
            }
            piece = timeout_at(deadline, content.next())
                .await
                .map_err(|_| bad(ContentFault::Unreadable(std::io::ErrorKind::TimedOut)))?
                .map_err(|error| bad(ContentFault::Unreadable(error.kind())))?;
        }
        if sent != size {
            return Err(bad(ContentFault::Size));
        }
        lines.finish(&mut out).map_err(bad)?;
        self.wire.quiet().await.map_err(stop)?;
        self.wire.pour(&out, deadline).await
    }

    /// BDAT where it is offered. Not in LMTP: how many answers there are to a BDAT that is refused as such isn't said by
    /// RFC 2033 and RFC 3030 together, while DATA has one before the message and one for each recipient behind it.
    fn form(&self) -> Form {
        if self.extensions.chunking && self.dialect() == Dialect::Smtp { Form::Counted } else { Form::Dotted }
    }

    /// Notes that the connection is over, and that this is why the rest of the recipients have nothing.
    fn broke(&mut self, ledger: &mut Ledger, failure: Failure) -> Failure {
        ledger.rest(Outcome::failed(failure.clone()));
        self.over(failure)
    }
}

/// The first piece that isn't empty, or an empty one if there is none. Most messages are one piece, and then all of it
/// is known to be good before the server hears of it.
async fn first_piece<C: Content>(content: &mut C, eight_bit: bool, size: u64) -> Result<Bytes, ContentFault> {
    let deadline = after(SEND_BLOCK_TIME);
    loop {
        let piece = timeout_at(deadline, content.next())
            .await
            .map_err(|_| ContentFault::Unreadable(std::io::ErrorKind::TimedOut))?
            .map_err(|error| ContentFault::Unreadable(error.kind()))?;
        let Some(piece) = piece else { return Ok(Bytes::new()) };
        if piece.is_empty() {
            continue;
        }
        Lines::check(&piece, eight_bit)?;
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if length > size {
            return Err(ContentFault::Size);
        }
        if length == size && piece.ends_with(b"\r") {
            return Err(ContentFault::BareCr);
        }
        return Ok(piece);
    }
}

/// The answers to the envelope, each at its place, as far as they came.
#[derive(Debug, Default)]
struct Heard {
    reset: Option<Answer>,
    mail: Option<Answer>,
    recipients: Vec<Answer>,
    data: Option<Answer>,
    failure: Option<Failure>,
}

impl Heard {
    fn new(questions: &[Question], answers: Vec<Answer>, failure: Option<Failure>) -> Self {
        let mut heard = Self { failure, ..Self::default() };
        for (question, answer) in questions.iter().zip(answers) {
            match question.step {
                Step::Reset => heard.reset = Some(answer),
                Step::Recipient => heard.recipients.push(answer),
                Step::Data => heard.data = Some(answer),
                _ => heard.mail = Some(answer),
            }
        }
        heard
    }
}

/// Who has which outcome so far.
#[derive(Debug)]
struct Ledger {
    outcomes: Vec<Option<Outcome>>,
    whole: Option<Reason>,
}

impl Ledger {
    fn new(outcomes: Vec<Option<Outcome>>, need: Option<Need>) -> Self {
        Self { outcomes, whole: need.map(Reason::Needs) }
    }
    fn decide(&mut self, index: usize, outcome: Outcome) {
        if let Some(place) = self.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }
    /// For all that aren't decided.
    fn rest(&mut self, outcome: Outcome) {
        let mut any = false;
        for place in self.outcomes.iter_mut().filter(|place| place.is_none()) {
            *place = Some(outcome.clone());
            any = true;
        }
        if any && self.whole.is_none() {
            self.whole = match outcome {
                Outcome::Temporary(reason) | Outcome::Permanent(reason) => Some(reason),
                Outcome::Unknown(failure) => Some(Reason::Failed(failure)),
                Outcome::Accepted(_) => None,
            };
        }
    }
    fn report(self, broken: Option<Failure>) -> Report {
        // Every way through a transaction decides all; should one not, the message wasn't taken.
        let undecided = || Outcome::failed(Failure { at: Step::Mail, cause: Cause::Abandoned });
        let outcomes = self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(undecided)).collect();
        Report { outcomes, whole: self.whole, broken }
    }
}
