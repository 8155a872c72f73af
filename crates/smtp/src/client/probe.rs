//! Asking a server whether it takes mail for somebody, without sending any.

use super::Connection;
use super::answer::{Answer, Malformed};
use super::connection::State;
use super::outcome::{Cause, Failure, Step};
use mailward_core::Address;
use tokio::io::{AsyncRead, AsyncWrite};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Says MAIL with the null path and RCPT, and takes it back with RSET: the answer is that to RCPT, or to MAIL if that
    /// was refused. Never 421, which is a failure, as is an answer that is neither yes nor no.
    ///
    /// # Errors
    /// [`Failure`]; [`Cause::NotOffered`] for an address outside ASCII and a server without SMTPUTF8.
    pub async fn probe(&mut self, recipient: &Address) -> Result<Answer, Failure> {
        let utf8 = !recipient.is_ascii();
        if utf8 && !self.extensions.smtputf8 {
            return Err(Failure { at: Step::Recipient, cause: Cause::NotOffered("SMTPUTF8") });
        }
        self.reset().await?;
        self.messages = self.messages.saturating_add(1);
        let mail: &[u8] = if utf8 { b"MAIL FROM:<> SMTPUTF8\r\n" } else { b"MAIL FROM:<>\r\n" };
        let answer = self.command(Step::Mail, mail).await?;
        if !answer.is_positive() {
            return self.judged(Step::Mail, answer);
        }
        self.state = State::Begun;
        let line = format!("RCPT TO:<{recipient}>\r\n");
        let answer = self.command(Step::Recipient, line.as_bytes()).await?;
        let answer = self.judged(Step::Recipient, answer)?;
        // What was asked is answered, whatever comes of this; a connection that broke knows it.
        let _taken_back = self.reset().await;
        Ok(answer)
    }

    fn judged(&mut self, at: Step, answer: Answer) -> Result<Answer, Failure> {
        if answer.is_positive() || answer.is_temporary() || answer.is_permanent() {
            return Ok(answer);
        }
        Err(self.over(Failure { at, cause: Malformed::OutOfPlace.into() }))
    }
}
