//! Kinds of things that happen to mail, and what to do.

use mailward_core::EnhancedStatus;

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $name:ident: $sender:literal, $administrator:literal;)*) => {
        /// What kind of thing happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($(#[doc = $doc])* $name,)*
        }

        impl Cause {
            /// Every one.
            pub const ALL: &'static [Cause] = &[$(Cause::$name),*];

            /// For who sent the message: what happened, and what to do. Whole sentences.
            #[must_use]
            pub const fn for_sender(self) -> &'static str {
                match self { $(Cause::$name => $sender,)* }
            }

            /// For who runs this server: what to look at. Whole sentences.
            #[must_use]
            pub const fn for_administrator(self) -> &'static str {
                match self { $(Cause::$name => $administrator,)* }
            }

            /// Its name, for programs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Cause::$name => stringify!($name),)* }
            }
        }
    };
}

causes! {
    /// SPF, DKIM or DMARC.
    Authentication:
        "The other server could not verify that the message is really from your domain. Your administrator can mend this; \
         show them this message.",
        "Look at the domain's SPF, DKIM and DMARC records: this server's address must be in SPF, the DKIM key must be \
         published, and one of both must be of the domain in From. Mail that was forwarded to us and on may fail this as well.";
    /// On a public list of addresses or domains.
    Blocklisted:
        "The other server refuses mail from ours because a blocklist names it. It is not about what you wrote. Your \
         administrator can have it removed; show them this message.",
        "Look the address and the domain up on the list's page. Find what was sent before asking for removal: a taken \
         account, a form on a web site, forwarded spam.";
    /// A virus, a file of a forbidden kind, a link.
    Content:
        "The other server does not accept what is in the message: a file of a kind it forbids, a dangerous link, or a form \
         it cannot handle. Send the file in another way, or without it.",
        "Look at the attachments' types and the links; if nothing is wrong with them, ask the recipient's administrator.";
    /// There is no such domain, or nothing of it takes mail.
    DomainUnknown:
        "The part of the address after the @ does not exist or has no mail server. Check it for typing errors.",
        "Look the domain's MX and A records up from this host. If others find them, look at the resolver.";
    /// Its domain says that it takes no mail (RFC 7505).
    DomainTakesNoMail:
        "The domain in the address says that it accepts no mail at all. Check the address, or reach the person in another \
         way.",
        "The domain publishes a null MX, or its server answers 521 or 556. Nothing is wrong here.";
    /// It was tried until its time was over.
    Expired:
        "The message could not be delivered in the time that we try, and we gave up. The other side may have been out of \
         order for days. Send it again later, or reach the person in another way.",
        "See the history of attempts for what was said each time.";
    /// Refused for now, as all unknown senders are.
    Greylisted:
        "The other server asks all new senders to come back a little later, which we do. If we have stopped trying, send the \
         message again.",
        "Greylisting ends with a later attempt from the same address. If it doesn't, see whether attempts come from \
         different addresses of this host.";
    /// The same mail came again and again.
    Loop:
        "The message went in circles between mail servers. The recipient's forwarding is probably set up wrongly; tell them \
         in another way.",
        "Look at the Received fields: which two servers pass it to each other. Aliases and forwards on one of them point \
         back.";
    /// The quota is used up.
    MailboxFull:
        "The recipient's mailbox is full. Tell them in another way, and send the message again when they have made room.",
        "Nothing is wrong here. The recipient has to make room.";
    /// The other server doesn't say more than no.
    Policy:
        "The other server refused the message by a rule of its own and does not say which. Ask the recipient in another way \
         to have you allowed.",
        "Ask the recipient's administrator which rule it was; give them the answer's words, the time and this server's \
         address.";
    /// Two programs that don't understand each other.
    Protocol:
        "Our server and the other one did not understand each other. Show this message to your administrator.",
        "See the history of attempts for the command that was refused. A firewall that changes SMTP between both is a \
         common reason.";
    /// Too much in too short a time.
    RateLimited:
        "The other server takes no more mail from ours at this moment. If we have stopped trying, send the message again \
         later.",
        "Look at how much goes to this provider, and whether an account sends more than usual.";
    /// It exists and is closed.
    RecipientDisabled:
        "The recipient's mailbox exists but is closed. Reach the person in another way.",
        "Nothing is wrong here. The recipient's administrator can open the mailbox.";
    /// Many write to them at once.
    RecipientBusy:
        "The recipient gets more mail at this moment than their provider allows. If we have stopped trying, send the message \
         again later.",
        "Nothing is wrong here, unless much of that mail is ours.";
    /// Only some may write to them.
    RecipientRestricted:
        "The recipient accepts mail only from certain senders, and you are not one of them. Ask them in another way to have \
         you allowed.",
        "The recipient's administrator decides who may write to this address.";
    /// They don't take mail for that domain.
    RelayDenied:
        "The server that is named for the recipient's domain says it is not responsible for it. Their domain is probably \
         set up wrongly; check the address, and tell them in another way.",
        "Look at the domain's MX records and at our own route for it: one of both names a server that doesn't know the \
         domain.";
    /// A bad name with the provider.
    Reputation:
        "The other server distrusts ours and refuses its mail. It is not about what you wrote. Show this message to your \
         administrator.",
        "Find what was sent from this address: a taken account, a form on a web site, forwarded spam. See that SPF, DKIM, \
         DMARC and reverse DNS are right, then ask the provider.";
    /// The address's name isn't what they want.
    ReverseDns:
        "The other server refuses ours because the name of its network address is missing or does not match. Your \
         administrator can mend this; show them this message.",
        "The address this server sends from needs a PTR record with its own host name, and that name must lead back to the \
         address. Whoever assigned the address sets it. For IPv6 as well.";
    /// They don't believe in the reverse path.
    SenderRefused:
        "The other server does not accept your address as a sender. Your administrator can find out why; show them this \
         message.",
        "The sender's domain must have MX or A records that the other side can see, and the address must accept mail. See \
         whether it is blocked by the recipient.";
    /// Out of order over there.
    ServerTrouble:
        "The other server has a problem. If we have stopped trying, send the message again later, or reach the person in \
         another way.",
        "Nothing is wrong here, unless it happens with many servers.";
    /// It looks like spam.
    Spam:
        "The other server took the message for spam. Write it in another way: fewer links, a clear subject, no attachments; \
         or reach the person in another way.",
        "See whether the account was taken over. If the message was honest, look at links in it and in the signature, and \
         at SPF, DKIM and DMARC, then ask the provider.";
    /// They want encryption, and there was none, or not good enough.
    TlsRequired:
        "The message may only be sent encrypted, and that did not work. Show this message to your administrator.",
        "See whether the other server offers STARTTLS and with which certificate, and which policy asks for it: DANE, \
         MTA-STS, a rule of ours, or the sender's wish (REQUIRETLS).";
    /// Past a size.
    TooLarge:
        "The message is larger than the other server accepts. Send large files in another way, or in several messages.",
        "Nothing is wrong here. The other server's limit is in its answer to EHLO.";
    /// More recipients than it takes.
    TooManyRecipients:
        "The message has more recipients than the other server accepts at once. Send it to fewer.",
        "Nothing is wrong here, if it was tried again with fewer in one transaction.";
    /// Nobody of that name.
    UnknownRecipient:
        "There is no such mailbox. Check the address for typing errors; if it is right, the person may have left.",
        "Nothing is wrong here. If many such answers come from one account, it may send to bought addresses, and the \
         provider will block this server.";
    /// No connection.
    Unreachable:
        "The other server cannot be reached. Check the part of the address after the @ for typing errors.",
        "Try to reach the host's port 25 from here. If no host can be reached, outgoing port 25 is closed by a firewall or \
         the provider of this server.";
    /// It can't do UTF-8 (RFC 6531).
    Utf8Unsupported:
        "An address or header of the message has letters that the other server cannot handle. Use an address in plain \
         Latin letters.",
        "The other server doesn't offer SMTPUTF8.";
    /// Nobody knows.
    Unknown:
        "The other server did not accept the message. Its own words may say why.",
        "See the history of attempts for the words of each answer.";
}

impl Cause {
    /// By codes alone, where the words aren't known: RFC 3463 §3, RFC 5248, 6531, 7372, 7504, 7505; then RFC 5321 §4.2.
    #[must_use]
    pub fn of_codes(code: u16, status: Option<EnhancedStatus>) -> Self {
        status.and_then(Self::of_status).unwrap_or(Self::of_code(code))
    }

    fn of_status(status: EnhancedStatus) -> Option<Self> {
        Some(match (status.subject(), status.detail()) {
            (1, 2) | (4, 4) => Self::DomainUnknown,
            (1, 1 | 3 | 4 | 6) => Self::UnknownRecipient,
            (1, 7..=9) | (7, 27) => Self::SenderRefused,
            (1, 10) => Self::DomainTakesNoMail,
            (2, 1) => Self::RecipientDisabled,
            (2, 2) => Self::MailboxFull,
            (2, 3) | (3, 4) => Self::TooLarge,
            (2, 4) | (3, 0 | 1 | 2 | 5) | (4, 5) => Self::ServerTrouble,
            (3, 3) | (5, 0 | 1 | 2 | 4 | 5 | 6) => Self::Protocol,
            (4, 1..=3) => Self::Unreachable,
            (4, 6) => Self::Loop,
            (4, 7) => Self::Expired,
            (5, 3) => Self::TooManyRecipients,
            (6, 7..=10) => Self::Utf8Unsupported,
            (6, _) => Self::Content,
            (7, 2) => Self::RecipientRestricted,
            (7, 4 | 5 | 10 | 30) => Self::TlsRequired,
            (7, 20..=24 | 26 | 29) => Self::Authentication,
            (7, 25) => Self::ReverseDns,
            (7, 28) => Self::RateLimited,
            (7, _) => Self::Policy,
            _ => return None,
        })
    }

    const fn of_code(code: u16) -> Self {
        match code {
            421 | 430..=459 => Self::ServerTrouble,
            500..=509 | 555 => Self::Protocol,
            521 | 556 => Self::DomainTakesNoMail,
            530 | 535 => Self::RecipientRestricted,
            551 | 553 => Self::UnknownRecipient,
            552 => Self::MailboxFull,
            550 | 554 | 571 => Self::Policy,
            _ => Self::Unknown,
        }
    }

    /// Whether the provider's postmaster can do something about it, rather than the recipient.
    #[must_use]
    pub const fn is_the_provider_s(self) -> bool {
        matches!(
            self,
            Self::Authentication
                | Self::Blocklisted
                | Self::Policy
                | Self::RateLimited
                | Self::Reputation
                | Self::ReverseDns
                | Self::SenderRefused
                | Self::Spam
        )
    }
}
