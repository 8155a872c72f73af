//! A message is handed to the server: by a program through the socket, or by the server itself out of the spool. Both ways
//! are SMTP, judged by the same session.

use bytes::Bytes;
use mailward_core::limits::SENDMAIL_GREETING_TIME;
use mailward_core::{Address, Domain};
use mailward_smtp::client::{
    Connection, Dialect, Failure, Outcome, Reason, Recipient, Security, Step, Transaction, Whole,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// The name that programs give in EHLO.
const OUR_NAME: &str = "localhost";

/// What became of a message.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// How many recipients have it.
    pub(crate) accepted: usize,
    /// The server's words for those who do.
    pub(crate) answer: String,
    /// Recipients that are refused for good.
    pub(crate) refused: Vec<No>,
    /// Recipients that may be taken later, and the server's words for the first.
    pub(crate) later: Vec<Recipient>,
    /// Why.
    pub(crate) why: String,
}

/// A recipient that was refused.
#[derive(Debug)]
pub(crate) struct No {
    pub(crate) recipient: Recipient,
    /// What was said, and to what.
    pub(crate) words: String,
    /// As sysexits.h has it.
    pub(crate) code: u8,
}

/// A connection to the server that has greeted us.
pub(crate) async fn greet<S: AsyncRead + AsyncWrite + Unpin + Send>(stream: S) -> Result<Connection<S>, String> {
    let greeted = Connection::greet(stream, Dialect::Smtp, OUR_NAME, Security::Clear);
    match timeout(SENDMAIL_GREETING_TIME, greeted).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(_) => Err("the server doesn't answer".to_owned()),
    }
}

/// Hands a message over. Where its envelope says `localhost`, it means the host that the server runs on.
pub(crate) async fn hand_over<S: AsyncRead + AsyncWrite + Unpin + Send>(
    connection: &mut Connection<S>,
    transaction: Transaction,
    message: Bytes,
) -> Fate {
    let mut fate = Fate::default();
    let transaction = match Domain::parse(&connection.extensions().name) {
        Ok(host) => transaction.at(&host),
        Err(_) => transaction,
    };
    let most = connection.extensions().recipients().max(1);
    for part in transaction.recipients.chunks(most) {
        let one = Transaction { recipients: part.to_vec(), ..transaction.clone() };
        let report = connection.send(&one, &mut Whole::new(message.clone())).await;
        for (recipient, outcome) in one.recipients.into_iter().zip(report.outcomes) {
            fate.note(recipient, outcome);
        }
    }
    fate
}

impl Fate {
    fn note(&mut self, recipient: Recipient, outcome: Outcome) {
        match outcome {
            Outcome::Accepted(answer) => {
                self.accepted = self.accepted.saturating_add(1);
                self.answer = answer.lines().collect::<Vec<_>>().join(" ");
            }
            Outcome::Permanent(reason) => {
                let (words, code) = (words(&recipient.address, &reason), code(&reason));
                self.refused.push(No { recipient, words, code });
            }
            Outcome::Temporary(reason) => self.wait(recipient, reason.to_string()),
            // Sending it again may make a duplicate, not sending it may lose it.
            Outcome::Unknown(failure) => self.wait(recipient, Failure::to_string(&failure)),
        }
    }

    fn wait(&mut self, recipient: Recipient, why: String) {
        if self.later.is_empty() {
            self.why = why;
        }
        self.later.push(recipient);
    }
}

fn words(recipient: &Address, reason: &Reason) -> String {
    let said = match reason {
        Reason::Refused { answer, .. } => {
            format!("{} {}", answer.code(), answer.lines().collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    };
    match reason.at() {
        Some(Step::Mail | Step::Message) => format!("the message to {recipient} is refused: {said}"),
        _ => format!("{recipient} is refused: {said}"),
    }
}

/// What programs know a refusal by.
fn code(reason: &Reason) -> u8 {
    const DATA: u8 = 65;
    const NO_USER: u8 = 67;
    const NO_HOST: u8 = 68;
    const UNAVAILABLE: u8 = 69;
    const NO_PERMISSION: u8 = 77;
    let status = reason.status().to_string();
    match (status.as_str(), reason.at()) {
        ("5.1.2", _) => NO_HOST,
        (status, _) if status.starts_with("5.7.") => NO_PERMISSION,
        (status, Some(Step::Recipient)) if status.starts_with("5.1.") => NO_USER,
        (status, _) if status.starts_with("5.6.") || status == "5.3.4" => DATA,
        _ => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_smtp::client::Answer;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_doesn_t_greet_is_waited_for_so_long_and_no_longer() {
        let (ours, _silent) = tokio::io::duplex(64);
        let began = tokio::time::Instant::now();
        assert_eq!(greet(ours).await.unwrap_err(), "the server doesn't answer");
        assert_eq!(began.elapsed(), SENDMAIL_GREETING_TIME);
    }

    #[test]
    fn programs_hear_each_refusal_by_its_code() {
        for (at, reply, wanted) in [
            (Step::Mail, (553, "5.7.1 You may not send as that address"), 77),
            (Step::Recipient, (550, "5.1.1 No such user here"), 67),
            (Step::Recipient, (550, "5.1.2 Mail isn't sent to address literals"), 68),
            (Step::Recipient, (550, "5.7.1 This server doesn't send"), 77),
            (Step::Message, (550, "5.7.1 The message says that it is from another"), 77),
            (Step::Message, (550, "5.6.0 It isn't clear who it is from"), 65),
            (Step::Message, (552, "5.3.4 Message too large"), 65),
            (Step::Message, (554, "5.4.6 Too many hops"), 69),
        ] {
            let answer = Answer::new(reply.0, reply.1).unwrap();
            assert_eq!(code(&Reason::Refused { at, answer }), wanted, "{reply:?}");
        }
    }
}
