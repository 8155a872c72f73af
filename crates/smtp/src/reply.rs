//! Every reply the server gives, in one table: code, enhanced code (RFC 3463, RFC 5248), text.
//!
//! A reply is one line. Its text is ours, or made from outside text by [`Reply::with`], which cleans and cuts it.

use std::borrow::Cow;

/// Longest text of a reply line, bytes. RFC 5321 §4.5.3.1.5: 512 with code and CRLF.
const TEXT_MAX: usize = 480;

/// A reply of one line: `550 5.1.1 No such user here`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: &'static str,
    text: Cow<'static, str>,
}

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $code:literal $enhanced:literal $text:literal;)*) => {
        impl Reply {
            $($(#[$doc])* pub const $name: Reply =
                Reply { code: $code, enhanced: $enhanced, text: Cow::Borrowed($text) };)*
            /// The whole table, with names.
            pub const TABLE: &'static [(&'static str, Reply)] = &[$((stringify!($name), Reply::$name)),*];
        }
    };
}

table! {
    // ---- that's well ----
    /// RSET, NOOP.
    OK = 250 "2.0.0" "Ok";
    /// MAIL.
    SENDER_OK = 250 "2.1.0" "Sender ok";
    /// RCPT.
    RECIPIENT_OK = 250 "2.1.5" "Recipient ok";
    /// A chunk that isn't the last.
    CHUNK_OK = 250 "2.0.0" "Chunk received";
    /// VRFY tells nobody who exists (attacks A6).
    VRFY = 252 "2.5.0" "Can't verify a user; send some mail and it will be tried";
    /// HELP.
    HELP = 214 "2.0.0" "This is Mailward; commands are those of RFC 5321";
    /// QUIT.
    BYE = 221 "2.0.0" "Bye";
    /// STARTTLS.
    START_TLS = 220 "2.0.0" "Ready to start TLS";
    /// AUTH, done.
    AUTHENTICATED = 235 "2.7.0" "Authentication succeeded";
    /// DATA. No enhanced code: RFC 2034 §4 gives them to 2yz, 4yz and 5yz only.
    START_DATA = 354 "" "End data with <CR><LF>.<CR><LF>";

    // ---- the syntax ----
    /// No such command.
    UNKNOWN_COMMAND = 500 "5.5.1" "Command not known";
    /// LHLO outside LMTP, EHLO and HELO in it (RFC 2033 §4.1).
    WRONG_DIALECT = 500 "5.5.1" "That greeting isn't of the protocol spoken here";
    /// EXPN.
    NOT_IMPLEMENTED = 502 "5.5.1" "Command not implemented";
    /// Longer than `limits::SMTP_COMMAND_LINE_MAX`, once.
    LINE_TOO_LONG = 500 "5.5.2" "Line too long";
    /// A bare CR or LF, or NUL, or bytes that aren't UTF-8.
    LINE_BYTES = 500 "5.5.2" "A command line is text that ends with CRLF and holds no control characters";
    /// What follows the command isn't what it takes.
    SYNTAX = 501 "5.5.4" "Syntax error in parameters or arguments";
    /// EHLO, HELO or LHLO without a name that can stand in a trace.
    HELLO_NAME = 501 "5.5.4" "Give the name or address literal of your host";
    /// A path without brackets, or what follows them.
    PATH_SYNTAX = 501 "5.5.4" "Write FROM:<address> or TO:<address>";
    /// Reverse path.
    SENDER_SYNTAX = 501 "5.1.7" "Bad sender address syntax";
    /// Forward path.
    RECIPIENT_SYNTAX = 501 "5.1.3" "Bad recipient address syntax";
    /// RFC 6531 §3.5.
    NEEDS_SMTPUTF8 = 501 "5.6.7" "Addresses outside ASCII need SMTPUTF8";
    /// A parameter given twice or with a bad value.
    PARAMETER_SYNTAX = 501 "5.5.4" "Bad or repeated parameter";
    /// More than `limits::SMTP_PARAMETERS_MAX`.
    PARAMETERS_TOO_MANY = 501 "5.5.4" "Too many parameters";
    /// RFC 5321 §4.1.1.11.
    PARAMETER_UNKNOWN = 555 "5.5.4" "Parameter not known";
    /// BDAT whose size can't be read: what follows can't be told from commands.
    CHUNK_SYNTAX = 501 "5.5.4" "Bad chunk size; closing";
    /// A SASL line that isn't base64.
    BAD_BASE64 = 501 "5.5.2" "Not base64";
    /// The client took its AUTH back (RFC 4954 §4).
    AUTH_CANCELLED = 501 "5.7.0" "Authentication cancelled";

    // ---- the order ----
    /// MAIL, RCPT, … before EHLO.
    HELLO_FIRST = 503 "5.5.1" "Say EHLO first";
    /// LMTP.
    LHLO_FIRST = 503 "5.5.1" "Say LHLO first";
    /// MAIL within a transaction.
    NESTED_MAIL = 503 "5.5.1" "Sender given already";
    /// RCPT, DATA or BDAT without MAIL.
    MAIL_FIRST = 503 "5.5.1" "Say MAIL first";
    /// DATA or BDAT without a recipient that was taken.
    NO_RECIPIENTS = 503 "5.5.1" "No valid recipients";
    /// DATA or RCPT after BDAT.
    IN_CHUNKS = 503 "5.5.1" "The message is being sent in chunks";
    /// AUTH or STARTTLS in a transaction.
    IN_TRANSACTION = 503 "5.5.1" "Not in a mail transaction";
    /// STARTTLS within TLS.
    TLS_ALREADY = 503 "5.5.1" "TLS runs already";
    /// STARTTLS where there is no certificate.
    TLS_NOT_OFFERED = 502 "5.5.1" "TLS isn't offered here";
    /// AUTH where it isn't offered.
    AUTH_NOT_OFFERED = 503 "5.5.1" "Authentication isn't offered here; use the submission ports";
    /// AUTH twice.
    AUTH_ALREADY = 503 "5.5.1" "Authenticated already";
    /// AUTH or MAIL on submission before TLS (RFC 3207 §4, RFC 4954 §4).
    TLS_FIRST = 530 "5.7.0" "Say STARTTLS first";
    /// MAIL on submission before AUTH (RFC 6409 §4.3).
    AUTH_FIRST = 530 "5.7.0" "Authentication required";

    // ---- logging in ----
    /// Whatever was wrong: one text.
    AUTH_FAILED = 535 "5.7.8" "Authentication credentials invalid";
    /// Not SASL by its rules.
    AUTH_MALFORMED = 501 "5.5.2" "Malformed authentication response";
    /// Not among those of EHLO.
    AUTH_MECHANISM = 504 "5.5.4" "Authentication mechanism not offered";
    /// Too many hash at once, or the store can't be asked.
    AUTH_BUSY = 454 "4.7.0" "Temporary authentication failure; try again later";

    // ---- who may send what to whom ----
    /// Not ours, and nobody logged in. Forwarding the message isn't ours to do.
    RELAY_DENIED = 550 "5.7.1" "Relaying denied: we don't take mail for that domain";
    /// The sender's domain isn't there, or leads nowhere (RFC 3463 §3.2).
    SENDER_NOWHERE = 550 "5.1.8" "Mail from that domain could not be answered: there is no host for it";
    /// Whether it is can't be found out: no answer is no reason to refuse.
    SENDER_UNKNOWN = 450 "4.1.8" "The sender's domain can't be looked up now; try again later";
    /// RFC 7505 §4.2.
    SENDER_TAKES_NONE = 550 "5.7.27" "Mail from that domain could not be answered: it takes none (null MX)";
    /// A rule about names may refuse (RFC 7372 §3.3), and nobody answers for the client's.
    NAME_UNKNOWN = 450 "4.7.25" "Your host's name can't be looked up now; try again later";
    /// An administrator's rule.
    REFUSED_BY_RULE = 550 "5.7.1" "Refused by a rule of this server";
    /// No such user; the same words for a disabled one.
    UNKNOWN_USER = 550 "5.1.1" "No such user here";
    /// Aliases that lead in circles.
    ROUTING_LOOP = 550 "5.4.6" "That address leads back to itself";
    /// The server is set so.
    NO_SENDING = 550 "5.7.1" "This server doesn't send mail to other domains";
    /// Not for ever: an administrator may let the address lead elsewhere.
    NO_FORWARDING = 451 "4.3.0" "Mail for that address can't be forwarded now";
    /// What is sent on from here would be believed to be ours.
    NOT_FROM_US = 550 "5.7.1" "That address forwards, and the message claims a sender of ours that it doesn't prove";
    /// A host by its number instead of a domain.
    NO_LITERAL = 550 "5.1.2" "Mail isn't sent to address literals; use a domain";
    /// An address that isn't the login's.
    SENDER_DENIED = 553 "5.7.1" "You may not send as that address; use one of your own";
    /// A gateway's inside server can't be asked whether it takes this recipient.
    INSIDE_UNKNOWN = 451 "4.4.1" "The server of that domain can't be asked now; try again later";
    /// A gateway's inside server takes no addresses outside ASCII (RFC 6531 §3.5).
    NO_UTF8_ADDRESS = 553 "5.6.7" "The server of that domain takes no addresses outside ASCII";
    /// A gateway's inside server can't be given what must travel encrypted (RFC 8689 §4.2.1).
    NO_REQUIRETLS = 550 "5.7.30" "REQUIRETLS can't be kept on the way to that recipient";
    /// Somebody's mailbox is full.
    MAILBOX_FULL = 452 "4.2.2" "Mailbox full; try again later";

    // ---- what strangers look like ----
    /// Speaks before it was greeted (RFC 5321 §4.3.1).
    EARLY_TALKER = 554 "5.5.1" "You spoke before you were greeted; closing";
    /// A list has it.
    LISTED = 550 "5.7.1" "Refused, as you are listed";
    /// RFC 7372 §3.2.
    SPF_REFUSED = 550 "5.7.23" "Refused: the sender's domain doesn't let your host send for it (SPF)";
    /// RFC 7208 §8.6.
    SPF_UNKNOWN = 451 "4.4.3" "The sender's domain can't be asked now whether your host may send for it (SPF); try again later";
    /// RFC 7372 §3.3.
    REVERSE_REFUSED = 550 "5.7.25" "Refused: your address has no name of a mail server (reverse DNS)";
    /// What it calls itself can't be true.
    HELLO_REFUSED = 550 "5.7.1" "Refused: the name in your greeting isn't yours";
    /// It doesn't wait for answers, or guesses recipients.
    BEHAVIOUR_REFUSED = 550 "5.7.1" "Refused: your host doesn't behave like a mail server";
    /// RFC 6647 §2.
    GREYLISTED = 450 "4.7.1" "Put off, as your host looks unusual; try again in a few minutes";
    /// The rate guard.
    TOO_MUCH = 450 "4.7.1" "Too much mail from you; try again later";
    /// The same before the greeting.
    TOO_MUCH_AT_ALL = 421 "4.7.1" "Too much mail from your network; try again later";

    // ---- the message ----
    /// SIZE says so, or the bytes did (RFC 1870 §6).
    TOO_LARGE = 552 "5.3.4" "Message too large";
    /// `limits::SMTP_RECIPIENTS_MAX` (RFC 5321 §4.5.3.1.10).
    TOO_MANY_RECIPIENTS = 452 "4.5.3" "Too many recipients; send the message again for the others";
    /// `limits::SMTP_CHUNKS_MAX`.
    TOO_MANY_CHUNKS = 552 "5.3.4" "Too many chunks";
    /// The disk, or the memory for messages on their way.
    NO_SPACE = 452 "4.3.1" "Not enough storage; try again later";
    /// Attacks A3.
    BARE_CR = 550 "5.6.0" "Message holds a CR that doesn't belong to a CRLF";
    /// Attacks A3.
    BARE_LF = 550 "5.6.0" "Message holds an LF that doesn't belong to a CRLF";
    /// RFC 5321 §4.5.2 leaves NUL no meaning.
    HOLDS_NUL = 550 "5.6.0" "Message holds a NUL byte";
    /// A gateway's inside server takes no headers outside ASCII (RFC 6531 §3.5).
    NO_UTF8_HEADER = 554 "5.6.9" "The server of a recipient takes no headers outside ASCII";
    /// A gateway's inside server takes ASCII only (RFC 6152 §3).
    NO_EIGHT_BIT = 554 "5.6.3" "The server of a recipient takes no 8-bit text";
    /// `limits::RECEIVED_HOPS_MAX`.
    TOO_MANY_HOPS = 554 "5.4.6" "Too many hops: the message goes in circles";
    /// `limits::HEADER_BYTES_MAX`, `limits::HEADER_FIELDS_MAX`.
    HEADER_TOO_LARGE = 552 "5.3.4" "Header section too large";
    /// An address in From, Sender or their Resent- forms isn't the login's.
    CLAIM_DENIED = 550 "5.7.1" "The message says that it is from an address that isn't yours";
    /// Nobody can say who it is from.
    CLAIM_UNCLEAR = 550 "5.6.0" "It isn't clear who the message is from";
    /// What `message` refuses.
    BAD_HEADER = 550 "5.6.0" "Header section can't be read";
    /// RFC 5322 §3.6.2, RFC 9989: not one author, or none.
    NOT_ONE_AUTHOR = 550 "5.6.0" "The message has to be from exactly one author";
    /// The author's domain wants it so (RFC 9989, RFC 7372 §3).
    NOT_AUTHENTIC = 550 "5.7.1" "The author's domain doesn't stand for this message (DMARC)";
    /// Attacks E1.
    AMBIGUOUS = 554 "5.6.0" "The message can be read in more than one way";
    /// A rule on attachments.
    ATTACHMENT_REFUSED = 552 "5.7.0" "What is attached isn't taken here";
    /// A virus scanner.
    VIRUS = 554 "5.7.0" "The message holds what looks like a virus";
    /// A rule on what is written.
    CONTENT_REFUSED = 550 "5.7.1" "What the message holds isn't taken here";
    /// The spam filter.
    SPAM = 550 "5.7.1" "The message looks like spam";
    /// Who has to judge it can't now.
    NOT_JUDGED = 451 "4.7.0" "The message can't be examined now; try again later";
    /// The store couldn't; it may later.
    LOCAL_ERROR = 451 "4.3.0" "Local error; try again later";

    // ---- farewells ----
    /// The server stops.
    SHUTTING_DOWN = 421 "4.3.2" "Server is shutting down; try again soon";
    /// The administrator ends this session.
    SESSION_ENDED = 421 "4.3.2" "This session was ended; try again later";
    /// Too slow (attacks H1).
    TIMEOUT = 421 "4.4.2" "Too slow; closing";
    /// `limits::SMTP_ERRORS_MAX`.
    TOO_MANY_ERRORS = 421 "4.7.0" "Too many errors; closing";
    /// `limits::SMTP_JUNK_COMMANDS_MAX`.
    TOO_MUCH_JUNK = 421 "4.7.0" "Too many commands without a message; closing";
    /// `limits::SMTP_UNKNOWN_RECIPIENTS_MAX`.
    TOO_MANY_UNKNOWN = 421 "4.7.0" "Too many refused recipients; closing";
    /// `limits::SMTP_DEFERRED_RECIPIENTS_MAX`.
    TOO_MANY_PUT_OFF = 421 "4.7.0" "Too many recipients put off; closing";
    /// `limits::SMTP_MESSAGES_PER_SESSION_MAX`.
    TOO_MANY_MESSAGES = 421 "4.7.0" "Enough messages for one session; connect again";
    /// `limits::AUTH_ATTEMPTS_MAX`.
    TOO_MANY_AUTHS = 421 "4.7.0" "Too many failed logins; closing";
    /// A second line over the limit (attacks H2).
    LINES_TOO_LONG = 421 "4.7.0" "Lines too long; closing";
    /// Attacks B1: clear text behind STARTTLS.
    BYTES_AFTER_STARTTLS = 554 "5.5.1" "Bytes after STARTTLS in clear; closing";
    /// A body sent without waiting for 354 that was never given.
    BYTES_AFTER_DATA = 421 "4.5.0" "Message sent without leave; closing";
    /// The gate is shut.
    TOO_MANY_CONNECTIONS = 421 "4.7.0" "Too many connections; try again later";
}

impl Reply {
    /// Three digits.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }
    /// `class.subject.detail`; empty for those that have none.
    #[must_use]
    pub const fn enhanced(&self) -> &'static str {
        self.enhanced
    }
    /// Text without codes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
    /// Whether it says yes.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }
    /// Whether it says never.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }
    /// The same reply with more words, which may hold what came from outside: everything but printable ASCII
    /// becomes `?`, and the line is cut at 512 bytes.
    #[must_use]
    pub fn with(&self, more: &str) -> Reply {
        let mut text = String::with_capacity(self.text.len().saturating_add(more.len()).saturating_add(2));
        text.push_str(&self.text);
        text.push_str(": ");
        text.extend(more.chars().take(TEXT_MAX).map(|c| if matches!(c, ' '..='~') { c } else { '?' }));
        text.truncate(TEXT_MAX);
        Reply { code: self.code, enhanced: self.enhanced, text: Cow::Owned(text) }
    }
    /// The same reply with the name under which it can be found again, `(ref 7K3MNPQR)`. Words are cut for it if they must be.
    #[must_use]
    pub fn referring(&self, reference: &str) -> Reply {
        let end = format!(" (ref {reference})");
        // Text is ASCII: by the table, or as it was cleaned.
        let room = TEXT_MAX.saturating_sub(end.len());
        let mut text: String = self.text.chars().take(room).collect();
        text.push_str(&end);
        Reply { code: self.code, enhanced: self.enhanced, text: Cow::Owned(text) }
    }
    /// A refusal of an administrator's own: 400 to 599 (what isn't becomes 550, as does 421, which would end the session),
    /// and text that is cleaned and cut as by [`Reply::with`].
    #[must_use]
    pub fn refusing(code: u16, text: &str) -> Reply {
        let code = if matches!(code, 400..=420 | 422..=599) { code } else { 550 };
        let text: String = text.chars().take(TEXT_MAX).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
        Reply { code, enhanced: if code >= 500 { "5.7.1" } else { "4.7.1" }, text: Cow::Owned(text) }
    }
    /// A refusal in words of a filter: a code of 400 to 599 (what isn't becomes 550; 421 ends the session), its enhanced code,
    /// which stands in the text here, and text that is cleaned and cut as by [`Reply::with`].
    #[must_use]
    pub fn chosen(code: u16, (class, subject, detail): (u8, u16, u16), text: &str) -> Reply {
        let code = if matches!(code, 400..=599) { code } else { 550 };
        let words = format!("{class}.{subject}.{detail} {text}");
        let text = words.chars().take(TEXT_MAX).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
        Reply { code, enhanced: "", text: Cow::Owned(text) }
    }
    /// Writes the line with CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&digits(self.code));
        out.push(b' ');
        if !self.enhanced.is_empty() {
            out.extend_from_slice(self.enhanced.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// A code as three digits.
fn digits(code: u16) -> [u8; 3] {
    let digit = |unit: u16| {
        let digit = code.checked_div(unit).unwrap_or(0).checked_rem(10).unwrap_or(0);
        b'0'.saturating_add(u8::try_from(digit).unwrap_or(0))
    };
    [digit(100), digit(10), digit(1)]
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.enhanced.is_empty() {
            return write!(f, "{} {}", self.code, self.text);
        }
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_of_the_table_is_one_line_and_its_codes_agree() {
        for (name, reply) in Reply::TABLE {
            let mut line = Vec::new();
            reply.write(&mut line);
            let text = String::from_utf8(line).unwrap();
            assert!(text.ends_with("\r\n") && text.len() <= 512, "{name}");
            assert!(text.trim_end().chars().all(|c| matches!(c, ' '..='~')), "{name}");
            let class = reply.code() / 100;
            if class == 3 {
                assert_eq!(reply.enhanced(), "", "{name}");
            } else {
                assert!(reply.enhanced().starts_with(&format!("{class}.")), "{name}: classes differ");
                assert_eq!(reply.enhanced().split('.').count(), 3, "{name}");
            }
            assert_eq!(text.trim_end(), reply.to_string());
        }
    }

    #[test]
    fn a_reference_stands_at_the_end_however_long_the_words_are() {
        assert_eq!(Reply::UNKNOWN_USER.referring("7K3MNPQR").to_string(), "550 5.1.1 No such user here (ref 7K3MNPQR)");
        let mut line = Vec::new();
        Reply::BAD_HEADER.with(&"y".repeat(5_000)).referring("7K3MNPQR").write(&mut line);
        assert!(line.len() <= 512 && line.ends_with(b"y (ref 7K3MNPQR)\r\n"));
    }

    #[test]
    fn words_from_outside_can_t_leave_their_line() {
        let reply = Reply::BAD_HEADER.with("x\r\n250 2.0.0 Ok\u{10a}\0");
        assert_eq!(reply.text(), "Header section can't be read: x??250 2.0.0 Ok??");
        let long = Reply::BAD_HEADER.with(&"y".repeat(5_000));
        let mut line = Vec::new();
        long.write(&mut line);
        assert!(line.len() <= 512);
    }
}
