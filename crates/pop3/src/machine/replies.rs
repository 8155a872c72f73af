//! What is said, and in which language (RFC 2449 §5 and §8, RFC 3206, RFC 6856 §3).

use super::{Intent, Machine, State};

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Wrong, whatever was.
    Refused,
    /// The exchange broke its grammar.
    Malformed,
    /// No such mechanism.
    UnknownMechanism,
    /// Not without TLS.
    NeedsTls,
    /// Later.
    Temporary,
    /// Not before somebody has mended the store.
    Broken,
    /// Another session has the maildrop, or the account has too many sessions.
    InUse,
}

impl Denial {
    /// Only what is wrong with the credentials carries AUTH (RFC 3206 §6).
    pub(super) const fn reply(self) -> &'static str {
        match self {
            Denial::Refused => "-ERR [AUTH] user name or password is wrong\r\n",
            Denial::Malformed => "-ERR the exchange broke off\r\n",
            Denial::UnknownMechanism => "-ERR no such mechanism; CAPA lists those there are\r\n",
            Denial::NeedsTls => "-ERR no login in clear: start TLS first (STLS, or port 995)\r\n",
            Denial::Temporary => "-ERR [SYS/TEMP] no login now, try again later\r\n",
            Denial::Broken => "-ERR [SYS/PERM] the maildrop can't be read, tell your administrator\r\n",
            Denial::InUse => "-ERR [IN-USE] another session has this maildrop\r\n",
        }
    }
}

/// Why there is no message to send, or no size to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Deleted since login, by IMAP or an administrator.
    Elsewhere,
    /// The store doesn't answer now.
    Temporary,
    /// What the store holds isn't what was put in.
    Damaged,
    /// It can't be shown without UTF-8 (RFC 6856 §5).
    NeedsUtf8,
}

impl Gone {
    pub(super) const fn reply(self) -> &'static str {
        match self {
            Gone::Elsewhere => "-ERR that message was deleted elsewhere\r\n",
            Gone::Temporary => "-ERR [SYS/TEMP] that can't be read now\r\n",
            Gone::Damaged => "-ERR [SYS/PERM] that can't be read, tell your administrator\r\n",
            Gone::NeedsUtf8 => "-ERR [UTF8] that message needs UTF8, said before the login\r\n",
        }
    }
}

/// Languages of replies, by tag; the first is the administrator's (`LANG *`). RFC 2277 §4.5 asks for `i-default`.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("i-default", "English, as of old")];

impl Machine {
    pub(super) fn capabilities(&mut self) {
        self.reply("+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nLANG\r\n");
        self.reply("IMPLEMENTATION Mailward\r\n");
        if self.wire.tls {
            // The argument: names and passwords may be UTF-8 (RFC 6856 §2.2).
            self.reply("USER\r\nUTF8 USER\r\n");
        } else if self.wire.can_start_tls {
            self.reply("STLS\r\n");
        }
        if self.wire.tls && !self.wire.mechanisms.is_empty() {
            let mechanisms = self.wire.mechanisms.join(" ");
            self.write(format_args!("SASL {mechanisms}\r\n"));
        }
        self.reply(".\r\n");
    }

    /// LANG. Every language there is says the same, so that none need be remembered.
    pub(super) fn language(&mut self, range: Option<&str>) -> Option<Intent> {
        let Some(range) = range else {
            self.reply("+OK\r\n");
            for (tag, name) in LANGUAGES {
                self.write(format_args!("{tag} {name}\r\n"));
            }
            self.reply(".\r\n");
            return None;
        };
        let known = |range: &str| LANGUAGES.into_iter().find(|(tag, _)| range == "*" || *tag == range);
        // Lookup (RFC 4647 §3.4): of `en-gb` the `en`.
        let ways = std::iter::successors(Some(range), |range| range.rsplit_once('-').map(|(shorter, _)| shorter));
        match ways.into_iter().find_map(known) {
            Some((tag, _)) => {
                self.write(format_args!("+OK {tag} is spoken\r\n"));
                None
            }
            None => self.error("that language is not spoken here; LANG lists those that are"),
        }
    }

    pub(super) fn no_such_message(&mut self) -> Option<Intent> {
        self.reply("-ERR no such message\r\n");
        None
    }

    /// The server stops; the output holds the word for the client.
    pub fn stopping(&mut self) {
        self.reply("-ERR [SYS/TEMP] the server stops, nothing was deleted\r\n");
        self.closed = true;
    }

    /// This session alone is ended; the output holds the word for the client.
    pub fn ended(&mut self) {
        self.reply("-ERR [SYS/TEMP] this session was ended, nothing was deleted\r\n");
        self.closed = true;
    }

    /// The account was disabled or removed; the output holds the word for the client.
    pub fn unwelcome(&mut self) {
        self.reply("-ERR [AUTH] the account was disabled, nothing was deleted\r\n");
        self.closed = true;
    }

    /// Whether somebody is logged in.
    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Transaction(_))
    }
}
