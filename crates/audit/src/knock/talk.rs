//! A dialogue at a door: commands and their whole answers, in the protocol that is spoken there.

use super::answer::{self, Answer, Kind};
use super::certificate::Offer;
use super::{KnockError, Wire, pace};
use crate::scene::{Door, Protocol};
use mailward_core::limits::KNOCK_LINES_MAX;

/// A session at a door.
#[derive(Debug)]
pub struct Talk {
    wire: Wire,
    protocol: Protocol,
    name: String,
    greeting: Answer,
    tags: u32,
}

impl Talk {
    /// Connects, begins TLS where it begins with the first byte, and reads the greeting.
    ///
    /// # Errors
    /// [`KnockError`]; [`KnockError::Refused`] if the greeting is a refusal.
    pub async fn open(door: &Door) -> Result<Self, KnockError> {
        Self::open_offering(door, Offer::default()).await
    }

    /// The same from an address of ours, where TLS doesn't begin with the first byte.
    ///
    /// # Errors
    /// As [`Talk::open`].
    pub async fn open_from(ours: Option<std::net::IpAddr>, door: &Door) -> Result<Self, KnockError> {
        let mut talk = Self::over(Wire::connect_from(ours, door.address).await?, door);
        talk.greet().await?;
        Ok(talk)
    }

    /// The same with a choice of what is offered where TLS begins at once.
    ///
    /// # Errors
    /// As [`Talk::open`].
    pub async fn open_offering(door: &Door, offer: Offer) -> Result<Self, KnockError> {
        match Self::open_once(door, offer.clone()).await {
            Err(error) if pace::comes_again(&error).await => Self::open_once(door, offer).await,
            other => other,
        }
    }

    async fn open_once(door: &Door, offer: Offer) -> Result<Self, KnockError> {
        let mut talk = Self::connected(door).await?;
        if door.protocol.begins_with_tls() {
            talk.wire.start_tls(&door.name, offer).await?;
        }
        talk.greet().await?;
        Ok(talk)
    }

    /// The same, and TLS runs and the server was greeted again after it, whichever kind of door it is.
    ///
    /// # Errors
    /// As [`Talk::open`]; [`KnockError::Refused`] if it won't begin TLS.
    pub async fn secured(door: &Door) -> Result<Self, KnockError> {
        Self::secured_offering(door, Offer::default()).await
    }

    /// The same with a choice of what is offered.
    ///
    /// # Errors
    /// As [`Talk::secured`].
    pub async fn secured_offering(door: &Door, offer: Offer) -> Result<Self, KnockError> {
        let mut talk = Self::open_offering(door, offer.clone()).await?;
        if !door.protocol.begins_with_tls() {
            talk.ask_for_tls().await?;
            talk.wire.start_tls(&door.name, offer).await?;
            // RFC 5804 §2.2: there the server says what it can without being asked.
            if talk.protocol.speaks() == Speaks::Sieve {
                talk.greet().await?;
            }
        }
        Ok(talk)
    }

    /// A connection up to where the next byte of ours has to be TLS.
    ///
    /// # Errors
    /// As [`Talk::secured`].
    pub async fn up_to_tls(door: &Door) -> Result<Wire, KnockError> {
        match Self::up_to_tls_once(door).await {
            Err(error) if pace::comes_again(&error).await => Self::up_to_tls_once(door).await,
            other => other,
        }
    }

    async fn up_to_tls_once(door: &Door) -> Result<Wire, KnockError> {
        let mut talk = Self::connected(door).await?;
        if !door.protocol.begins_with_tls() {
            talk.greet().await?;
            talk.ask_for_tls().await?;
        }
        Ok(talk.wire)
    }

    async fn connected(door: &Door) -> Result<Self, KnockError> {
        Ok(Self::over(Wire::connect(door.address).await?, door))
    }

    fn over(wire: Wire, door: &Door) -> Self {
        let greeting = Answer::smtp(Vec::new());
        Self { wire, protocol: door.protocol, name: door.name.clone(), greeting, tags: 0 }
    }

    async fn greet(&mut self) -> Result<(), KnockError> {
        self.greeting = match self.protocol.speaks() {
            Speaks::Imap => Answer::imap(vec![self.wire.line().await?]),
            _ => self.answer().await?,
        };
        match self.greeting.kind {
            Kind::Yes => Ok(()),
            _ => Err(KnockError::Refused("the connection", self.greeting.text())),
        }
    }

    async fn ask_for_tls(&mut self) -> Result<(), KnockError> {
        let answer = match self.protocol.speaks() {
            Speaks::Smtp | Speaks::Lmtp => {
                self.hello().await?;
                self.ask("STARTTLS").await?
            }
            Speaks::Imap | Speaks::Sieve => self.ask("STARTTLS").await?,
            Speaks::Pop3 => self.ask("STLS").await?,
        };
        match answer.kind {
            Kind::Yes => Ok(()),
            _ => Err(KnockError::Refused("STARTTLS", answer.text())),
        }
    }

    /// What it said when we came.
    pub fn greeting(&self) -> &Answer {
        &self.greeting
    }

    /// The connection, for what isn't a command.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// The connection alone.
    pub fn into_wire(self) -> Wire {
        self.wire
    }

    /// What was said.
    pub fn transcript(&self) -> Vec<u8> {
        self.wire.transcript().to_vec()
    }

    /// The name that the door should prove.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says a command, without its end and tag, and reads the whole answer.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn ask(&mut self, command: &str) -> Result<Answer, KnockError> {
        let tag = self.next_tag();
        self.wire.send(format!("{tag}{command}\r\n").as_bytes()).await?;
        self.answer_to(tag.trim_end()).await
    }

    /// The same with a command that the transcript shows as `shown`, as there is a secret in it.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn ask_hidden(&mut self, command: &str, shown: &str) -> Result<Answer, KnockError> {
        let tag = self.next_tag();
        self.wire.send_hidden(format!("{tag}{command}\r\n").as_bytes(), &format!("{tag}{shown}\r\n")).await?;
        self.answer_to(tag.trim_end()).await
    }

    /// Says a line that has no tag, what `More` asked for, and reads the answer to the last command.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn reply(&mut self, line: &str, shown: &str) -> Result<Answer, KnockError> {
        self.wire.send_hidden(format!("{line}\r\n").as_bytes(), &format!("{shown}\r\n")).await?;
        self.answer().await
    }

    /// Sends bytes as they are, and reads one answer.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn ask_raw(&mut self, bytes: &[u8]) -> Result<Answer, KnockError> {
        self.wire.send(bytes).await?;
        self.answer().await
    }

    /// The tag that the next command has to have which is sent as bytes, and a blank; nothing but in IMAP.
    pub fn tag(&mut self) -> String {
        self.next_tag()
    }

    /// Greets (EHLO, LHLO) by our own address, as who has no name does (RFC 5321 §4.1.4), or asks what there is (CAPABILITY, CAPA); the
    /// features it names.
    ///
    /// # Errors
    /// [`KnockError`]; [`KnockError::Refused`] if it doesn't want to say.
    pub async fn features(&mut self) -> Result<Vec<String>, KnockError> {
        Ok(self.hello().await?.features())
    }

    /// The whole answer of [`Talk::features`].
    ///
    /// # Errors
    /// As there.
    pub async fn hello(&mut self) -> Result<Answer, KnockError> {
        let answer = match self.protocol.speaks() {
            Speaks::Smtp => self.ask(&format!("EHLO {}", self.wire.literal())).await?,
            Speaks::Lmtp => self.ask(&format!("LHLO {}", self.wire.literal())).await?,
            Speaks::Imap | Speaks::Sieve => self.ask("CAPABILITY").await?,
            Speaks::Pop3 => self.list("CAPA").await?,
        };
        match answer.kind {
            Kind::Yes => Ok(answer),
            _ => Err(KnockError::Refused("the question for its features", answer.text())),
        }
    }

    /// A command of POP3 whose answer goes on to a line with a dot if it is `+OK`.
    async fn list(&mut self, command: &str) -> Result<Answer, KnockError> {
        let mut answer = self.ask(command).await?;
        if answer.kind != Kind::Yes {
            return Ok(answer);
        }
        loop {
            let line = self.wire.line().await?;
            let over = line == b".";
            answer.lines.push(line);
            if over {
                return Ok(answer);
            }
            bounded(&answer.lines)?;
        }
    }

    /// The command that begins a login by SASL.
    pub const fn sasl(&self) -> &'static str {
        match self.protocol.speaks() {
            Speaks::Imap | Speaks::Sieve => "AUTHENTICATE",
            _ => "AUTH",
        }
    }

    /// Begins a login by SASL, without a first word of ours: [`Kind::More`] if it is asked for.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn begin_sasl(&mut self, mechanism: &str) -> Result<Answer, KnockError> {
        if self.protocol.speaks() != Speaks::Sieve {
            return self.ask(&format!("{} {mechanism}", self.sasl())).await;
        }
        self.wire.send(format!("{} \"{mechanism}\"\r\n", self.sasl()).as_bytes()).await?;
        let line = self.wire.line().await?;
        let line = self.with_literals(line).await?;
        // A string alone is what the server says in the dialogue (RFC 5804 §2.1).
        let quotes = line.iter().filter(|byte| **byte == b'"').count();
        let asks = matches!((line.first(), quotes), (Some(b'"'), 2) | (Some(b'{'), _));
        let answer = Answer::sieve(vec![line]);
        Ok(if asks { Answer { kind: Kind::More, ..answer } } else { answer })
    }

    /// Reads one answer to the last command.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn answer(&mut self) -> Result<Answer, KnockError> {
        let tag = format!("a{}", self.tags);
        self.answer_to(&tag).await
    }

    async fn answer_to(&mut self, tag: &str) -> Result<Answer, KnockError> {
        let mut lines = Vec::new();
        loop {
            bounded(&lines)?;
            let line = self.wire.line().await?;
            match self.protocol.speaks() {
                Speaks::Pop3 => return Ok(Answer::pop3(vec![line])),
                Speaks::Smtp | Speaks::Lmtp => {
                    if answer::smtp_code(&line).is_none() {
                        return Err(KnockError::Odd("what it says is no reply of SMTP"));
                    }
                    let goes_on = line.get(3) == Some(&b'-');
                    lines.push(line);
                    if !goes_on {
                        return Ok(Answer::smtp(lines));
                    }
                }
                Speaks::Sieve => {
                    let line = self.with_literals(line).await?;
                    let over = answer::ends_sieve(&line);
                    lines.push(line);
                    if over {
                        return Ok(Answer::sieve(lines));
                    }
                }
                Speaks::Imap => {
                    let literal = answer::literal(&line);
                    let first = line.split(|byte| *byte == b' ').next().unwrap_or_default();
                    let over = first == tag.as_bytes() || first == b"+";
                    let bye = line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"* BYE"));
                    lines.push(line);
                    if let Some(length) = literal {
                        lines.push(self.wire.bytes(length).await?);
                    } else if over || (bye && self.ended_after().await) {
                        return Ok(Answer::imap(lines));
                    }
                }
            }
        }
    }

    /// A line of ManageSieve to its end: texts in it may be literals (RFC 5804 §4), behind which it goes on.
    async fn with_literals(&mut self, first: Vec<u8>) -> Result<Vec<u8>, KnockError> {
        let (mut whole, mut last) = (Vec::new(), first);
        for _literal in 0..KNOCK_LINES_MAX {
            let literal = answer::literal(&last);
            whole.append(&mut last);
            let Some(length) = literal else { return Ok(whole) };
            whole.extend_from_slice(b"\r\n");
            whole.extend(self.wire.bytes(length).await?);
            last = self.wire.line().await?;
        }
        Err(KnockError::TooMuch("literals"))
    }

    /// Whether nothing more comes after a goodbye; LOGOUT's is followed by an answer.
    async fn ended_after(&mut self) -> bool {
        self.wire.pending().is_empty() && self.wire.fill().await.is_err()
    }

    fn next_tag(&mut self) -> String {
        self.tags = self.tags.saturating_add(1);
        match self.protocol.speaks() {
            Speaks::Imap => format!("a{} ", self.tags),
            _ => String::new(),
        }
    }
}

fn bounded(lines: &[Vec<u8>]) -> Result<(), KnockError> {
    if lines.len() > KNOCK_LINES_MAX { Err(KnockError::TooMuch("lines")) } else { Ok(()) }
}

/// The grammar of a protocol's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Smtp,
    Lmtp,
    Imap,
    Pop3,
    Sieve,
}

impl Protocol {
    /// Whether the first byte is TLS.
    pub const fn begins_with_tls(self) -> bool {
        matches!(self, Protocol::Submissions | Protocol::Imaps | Protocol::Pop3s | Protocol::Https)
    }

    /// The line that ends a session, whoever is logged in.
    pub(super) const fn goodbye(self) -> &'static str {
        match self {
            Protocol::Imap | Protocol::Imaps => "z1 LOGOUT\r\n",
            Protocol::Https => "GET / HTTP/1.0\r\n\r\n",
            Protocol::ManageSieve => "LOGOUT\r\n",
            _ => "QUIT\r\n",
        }
    }

    const fn speaks(self) -> Speaks {
        match self {
            Protocol::Smtp | Protocol::Submission | Protocol::Submissions => Speaks::Smtp,
            Protocol::Lmtp => Speaks::Lmtp,
            Protocol::Imap | Protocol::Imaps => Speaks::Imap,
            Protocol::Pop3 | Protocol::Pop3s => Speaks::Pop3,
            Protocol::ManageSieve => Speaks::Sieve,
            // Nobody holds a dialogue by lines there; it is looked at for its TLS alone.
            Protocol::Https => Speaks::Smtp,
        }
    }
}
