//! What a server offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1).

use super::answer::Answer;
use crate::params::number;
use mailward_core::limits::{SEND_RECIPIENTS_DEFAULT, SMTP_RECIPIENTS_MAX, SMTP_REPLY_MECHANISMS_MAX};

/// The extensions that matter to us. What isn't known, BINARYMIME too, is passed over. None of it is trusted for more
/// than what the server wants for itself, and all of it is forgotten when TLS starts (attacks B2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The name that the server gives itself; from outside.
    pub name: Box<str>,
    /// SIZE, RFC 1870: bytes of the largest message; `Some(0)` if it sets no limit.
    pub size: Option<u64>,
    /// PIPELINING, RFC 2920.
    pub pipelining: bool,
    /// 8BITMIME, RFC 6152.
    pub eight_bit: bool,
    /// SMTPUTF8, RFC 6531.
    pub smtputf8: bool,
    /// CHUNKING, RFC 3030.
    pub chunking: bool,
    /// DSN, RFC 3461. Where it isn't offered, NOTIFY, ORCPT, RET and ENVID stay with us, and a DSN that was asked for
    /// on success is ours to send (RFC 3461 §5.2.2).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES, RFC 2034.
    pub enhanced_codes: bool,
    /// STARTTLS, RFC 3207.
    pub starttls: bool,
    /// REQUIRETLS, RFC 8689.
    pub requiretls: bool,
    /// AUTH, RFC 4954: its mechanisms in capitals; `limits::SMTP_REPLY_MECHANISMS_MAX` of them at most.
    pub auth: Vec<Box<str>>,
    /// LIMITS RCPTMAX, RFC 9422: recipients of one message.
    pub recipients_max: Option<u32>,
    /// LIMITS RCPTDOMAINMAX, RFC 9422: domains of the recipients in one connection.
    pub recipient_domains_max: Option<u32>,
    /// LIMITS MAILMAX, RFC 9422: messages in one connection.
    pub messages_max: Option<u32>,
}

impl Extensions {
    /// Reads a positive answer to EHLO or LHLO. A keyword that comes twice is offered; of two sizes or limits the
    /// smaller one holds.
    #[must_use]
    pub fn parse(answer: &Answer) -> Self {
        let mut lines = answer.lines();
        let name = lines.next().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let mut extensions = Self { name: name.into(), ..Self::default() };
        for line in lines {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            if let Some(keyword) = words.next() {
                extensions.offer(&keyword.to_ascii_uppercase(), words);
            }
        }
        extensions
    }

    fn offer<'a>(&mut self, keyword: &str, mut words: impl Iterator<Item = &'a str>) {
        match keyword {
            // A number that doesn't fit is no limit that could matter.
            "SIZE" => {
                let size = words.next().and_then(number).unwrap_or(0);
                self.size = Some(match self.size {
                    Some(before) if before != 0 && (size == 0 || before < size) => before,
                    _ => size,
                });
            }
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_codes = true,
            "STARTTLS" => self.starttls = true,
            "REQUIRETLS" => self.requiretls = true,
            "AUTH" => {
                for word in words {
                    let word = word.to_ascii_uppercase().into_boxed_str();
                    if self.auth.len() < SMTP_REPLY_MECHANISMS_MAX && !self.auth.contains(&word) {
                        self.auth.push(word);
                    }
                }
            }
            "LIMITS" => {
                for word in words {
                    self.limit(word);
                }
            }
            _ => {}
        }
    }

    /// RFC 9422 §3: `NAME=VALUE`, one to six digits, not all of them zero.
    fn limit(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        let value = Some(value).filter(|value| value.len() <= 6).and_then(number);
        let Some(value) = value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0) else { return };
        let limit = match name.to_ascii_uppercase().as_str() {
            "RCPTMAX" => &mut self.recipients_max,
            "RCPTDOMAINMAX" => &mut self.recipient_domains_max,
            "MAILMAX" => &mut self.messages_max,
            _ => return,
        };
        *limit = Some(limit.map_or(value, |before| before.min(value)));
    }

    /// Whether AUTH offers a mechanism, which is named in capitals.
    #[must_use]
    pub fn mechanism(&self, name: &str) -> bool {
        self.auth.iter().any(|offered| **offered == *name)
    }

    /// How many recipients one message may have: what the server says, [`SEND_RECIPIENTS_DEFAULT`] if it says nothing,
    /// never more than [`SMTP_RECIPIENTS_MAX`].
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.recipients_max
            .map_or(SEND_RECIPIENTS_DEFAULT, |max| usize::try_from(max).unwrap_or(SMTP_RECIPIENTS_MAX))
            .min(SMTP_RECIPIENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Extensions {
        Extensions::parse(&Answer::new(250, text).unwrap())
    }

    #[test]
    fn what_is_offered_is_known() {
        let all = read(
            "mx.s.example greets you\nsize 1000\nPIPELINING\n8BITMIME\nSMTPUTF8\nCHUNKING\nBINARYMIME\nDSN\n\
             ENHANCEDSTATUSCODES\nSTARTTLS\nREQUIRETLS\nAUTH plain  LOGIN\nAUTH PLAIN\nHELP\n\
             LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1",
        );
        assert_eq!(&*all.name, "mx.s.example");
        assert_eq!(all.size, Some(1000));
        assert!(all.pipelining && all.eight_bit && all.smtputf8 && all.chunking && all.dsn);
        assert!(all.enhanced_codes && all.starttls && all.requiretls);
        assert!(all.mechanism("PLAIN") && all.mechanism("LOGIN") && all.auth.len() == 2);
        assert_eq!((all.recipients(), all.messages_max, all.recipient_domains_max), (20, Some(5), Some(1)));
        assert_eq!(read("x"), Extensions { name: "x".into(), ..Extensions::default() });
        // What stands in the greeting's line is no offer.
        assert!(!read("x PIPELINING").pipelining);
    }

    #[test]
    fn limits_that_make_no_sense_are_none() {
        for nonsense in ["RCPTMAX=0", "RCPTMAX=-1", "RCPTMAX=1000000", "RCPTMAX=", "RCPTMAX", "RCPTMAX=+1", "=1"] {
            assert_eq!(read(&format!("x\nLIMITS {nonsense}")).recipients(), SEND_RECIPIENTS_DEFAULT, "{nonsense}");
        }
        assert_eq!(read("x\nLIMITS RCPTMAX=999999").recipients(), SMTP_RECIPIENTS_MAX);
        for (said, size) in [("SIZE", 0), ("SIZE 0", 0), ("SIZE x", 0), ("SIZE 99999999999999999999999", 0)] {
            assert_eq!(read(&format!("x\n{said}")).size, Some(size), "{said}");
        }
    }

    #[test]
    fn of_two_limits_the_smaller_holds() {
        for sizes in ["SIZE 5\nSIZE 9", "SIZE 9\nSIZE 5", "SIZE 0\nSIZE 5", "SIZE 5\nSIZE"] {
            assert_eq!(read(&format!("x\n{sizes}")).size, Some(5), "{sizes}");
        }
        assert_eq!(read("x\nLIMITS RCPTMAX=5\nLIMITS RCPTMAX=9").recipients(), 5);
    }

    #[test]
    fn mechanisms_end_at_their_limit() {
        let names: Vec<_> = (0..SMTP_REPLY_MECHANISMS_MAX + 9).map(|index| format!("M{index}")).collect();
        assert_eq!(read(&format!("x\nAUTH {}", names.join(" "))).auth.len(), SMTP_REPLY_MECHANISMS_MAX);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(lines in proptest::collection::vec("(SIZE|AUTH|LIMITS|LIMITS RCPTMAX=)?\\PC{0,30}", 0..20)) {
            let read = read(&lines.join("\n"));
            prop_assert!(read.recipients() >= 1 && read.recipients() <= SMTP_RECIPIENTS_MAX);
        }
    }
}
