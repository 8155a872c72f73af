//! Bytes both ways, with their limits of time. Reads while it writes, so that two sides which both wait for the other
//! to read never stand still (RFC 2920 §3.1), and so that a server's last words are heard before it closes.

use super::answer::{Answer, AnswerReader, INPUT_SIZE, Malformed};
use super::outcome::{Cause, Failure, Step};
use super::transaction::Question;
use crate::input::Input;
use mailward_core::limits::{
    SEND_BLOCK_TIME, SEND_COMMAND_TIME, SEND_DATA_TIME, SEND_END_TIME, SEND_GREETING_TIME, SEND_QUIT_TIME,
    SMTP_REPLY_KEPT_MAX,
};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    input: Input,
    reader: AnswerReader,
    /// Bytes of an answer's words that are kept.
    pub(super) keep: usize,
}

/// What one wait brought.
enum Moved {
    /// So many bytes went out.
    Wrote(usize),
    /// Everything is on its way.
    Flushed,
    /// So many bytes came in; 0: there are no more.
    Read(usize),
    /// Nothing can be written any more. There may still be something to read.
    Unwritable(std::io::ErrorKind),
}

/// Why data stopped.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) cause: Cause,
    /// All bytes were taken off our hands before.
    pub(super) gone: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, input: Input::new(INPUT_SIZE), reader: AnswerReader::default(), keep: SMTP_REPLY_KEPT_MAX }
    }
    pub(super) fn into_stream(self) -> S {
        self.stream
    }
    /// Whether there are bytes that belong to no answer that was asked for.
    pub(super) fn has_unread(&self) -> bool {
        !self.input.unread().is_empty() || self.reader.is_amid()
    }
    pub(super) const fn stream(&self) -> &S {
        &self.stream
    }
    pub(super) const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Writes a group of commands and reads the answers to them, which are put behind `answers` as they come. 421
    /// ends it, and is in the failure.
    pub(super) async fn ask(
        &mut self,
        out: &[u8],
        questions: &[Question],
        deadline: Option<Instant>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Failure> {
        let (mut written, mut flushed, mut unwritable) = (0_usize, out.is_empty(), None);
        let mut open = questions.iter();
        let Some(mut question) = open.next() else { return Ok(()) };
        let mut by = after(time_for(question.step));
        loop {
            let fail = |cause| Failure { at: question.step, cause };
            if let Some(answer) = self.reader.read(&mut self.input, self.keep).map_err(|fault| fail(fault.into()))? {
                if answer.code() == 421 {
                    return Err(fail(Cause::Closing(answer)));
                }
                if written < question.end {
                    return Err(fail(unasked(answer)));
                }
                answers.push(answer);
                let Some(next) = open.next() else { return Ok(()) };
                question = next;
                by = after(time_for(question.step));
                continue;
            }
            let until = deadline.map_or(by, |deadline| deadline.min(by));
            let rest = out.get(written..).filter(|_| unwritable.is_none()).unwrap_or_default();
            let moved = timeout_at(until, poll_fn(|cx| self.poll(cx, rest, flushed))).await;
            match moved.map_err(|_| fail(if until == by { Cause::Timeout } else { Cause::TooSlow }))? {
                Ok(Moved::Wrote(count)) => written = written.saturating_add(count),
                Ok(Moved::Flushed) => flushed = true,
                Ok(Moved::Unwritable(kind)) => {
                    unwritable = Some(Cause::Io(kind));
                    flushed = true;
                }
                Ok(Moved::Read(0)) => return Err(fail(unwritable.unwrap_or(Cause::Closed))),
                Ok(Moved::Read(_)) => {}
                Err(error) => return Err(fail(Cause::Io(error.kind()))),
            }
        }
    }

    /// Writes a part of the message. A negative answer that comes before the part is out stops it, as does any other
    /// that has no business there.
    pub(super) async fn pour(&mut self, out: &[u8], deadline: Instant) -> Result<(), Stopped> {
        let mut written = 0_usize;
        loop {
            let gone = written >= out.len();
            let stop = |cause| Stopped { cause, gone };
            let rest = out.get(written..).unwrap_or_default();
            let block = after(SEND_BLOCK_TIME);
            let until = deadline.min(block);
            let moved = timeout_at(until, poll_fn(|cx| self.poll(cx, rest, false))).await;
            match moved.map_err(|_| stop(if until == block { Cause::Timeout } else { Cause::TooSlow }))? {
                Ok(Moved::Wrote(count)) => written = written.saturating_add(count),
                Ok(Moved::Flushed) => return Ok(()),
                Ok(Moved::Unwritable(kind)) if gone => return Err(stop(Cause::Io(kind))),
                Ok(Moved::Unwritable(kind)) => return Err(stop(self.last_words(Cause::Io(kind)).await)),
                // What comes once everything is out is the answer: it waits for whoever asks for it.
                Ok(Moved::Read(0)) => return Err(stop(Cause::Closed)),
                Ok(Moved::Read(_)) if gone => {}
                Ok(Moved::Read(_)) => match self.reader.read(&mut self.input, self.keep) {
                    Ok(None) => {}
                    Ok(Some(answer)) => return Err(stop(unasked(answer))),
                    Err(fault) => return Err(stop(fault.into())),
                },
                Err(error) => return Err(stop(Cause::Io(error.kind()))),
            }
        }
    }

    /// Looks, without waiting, whether the server has said something that nobody asked for, or has gone.
    pub(super) async fn quiet(&mut self) -> Result<(), Cause> {
        if !self.has_unread() {
            let looked = poll_fn(|cx| match self.poll_read(cx) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                Poll::Pending => Poll::Ready(None),
            });
            match looked.await {
                None => return Ok(()),
                Some(Ok(0)) => return Err(Cause::Closed),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Cause::Io(error.kind())),
            }
        }
        Err(self.last_words(Malformed::Early.into()).await)
    }

    /// Reads what a server that breaks off has left to say; `otherwise` if that is nothing.
    async fn last_words(&mut self, otherwise: Cause) -> Cause {
        let until = after(SEND_QUIT_TIME);
        loop {
            match self.reader.read(&mut self.input, self.keep) {
                Ok(Some(answer)) => return unasked(answer),
                Ok(None) => {}
                Err(fault) => return fault.into(),
            }
            let Ok(Ok(1..)) = timeout_at(until, poll_fn(|cx| self.poll_read(cx))).await else { return otherwise };
        }
    }

    /// Writes if it can, else reads. With nothing left to write it flushes, unless that is done.
    fn poll(&mut self, cx: &mut Context<'_>, out: &[u8], flushed: bool) -> Poll<std::io::Result<Moved>> {
        if !out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Moved::Unwritable(std::io::ErrorKind::WriteZero))),
                Poll::Ready(Ok(count)) => return Poll::Ready(Ok(Moved::Wrote(count))),
                Poll::Ready(Err(error)) => return Poll::Ready(Ok(Moved::Unwritable(error.kind()))),
                Poll::Pending => {}
            }
        } else if !flushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(Moved::Flushed)),
                Poll::Ready(Err(error)) => return Poll::Ready(Ok(Moved::Unwritable(error.kind()))),
                Poll::Pending => {}
            }
        }
        self.poll_read(cx).map_ok(Moved::Read)
    }

    /// Reads into the room there is; waits if there is none.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let space = self.input.space();
        if space.is_empty() {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(space);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                let count = buffer.filled().len();
                self.input.filled(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What an answer means that nobody asked for.
fn unasked(answer: Answer) -> Cause {
    if answer.code() == 421 {
        Cause::Closing(answer)
    } else if answer.is_temporary() || answer.is_permanent() {
        Cause::Refused(answer)
    } else {
        Malformed::Early.into()
    }
}

/// How long the answer to a command may take.
const fn time_for(step: Step) -> Duration {
    match step {
        Step::Greeting => SEND_GREETING_TIME,
        Step::Hello | Step::StartTls | Step::Auth | Step::Reset | Step::Mail | Step::Recipient => SEND_COMMAND_TIME,
        Step::Data => SEND_DATA_TIME,
        Step::Message => SEND_END_TIME,
        Step::Quit => SEND_QUIT_TIME,
    }
}

/// A time from now. Limits are hours at most; should the clock not reach so far, the time is over.
pub(super) fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
