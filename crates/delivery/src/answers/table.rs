//! Answers that are known by their words. Sorted by provider and words; the order decides nothing.

use super::Answer;
use super::cause::Cause;
use super::provider::{Place, Provider};

/// An answer that is known.
#[derive(Debug)]
pub(super) struct Known {
    /// Whose; `None`: many servers say so.
    pub(super) provider: Option<Provider>,
    /// With which codes.
    pub(super) codes: Codes,
    /// What is in its text, all of it; see [`super::normal`] for the form.
    pub(super) words: &'static [&'static str],
    pub(super) cause: Cause,
    /// For the administrator, where there is more to say than the cause does.
    pub(super) advice: Option<&'static str>,
    /// Where to ask, if not at the provider's place.
    pub(super) place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Codes {
    Any,
    /// 4yz
    Temporary,
    /// 5yz
    Permanent,
}

impl Known {
    pub(super) fn fits(&self, answer: &Answer<'_>, provider: Option<Provider>, text: &str) -> bool {
        let code = match self.codes {
            Codes::Any => true,
            Codes::Temporary => (400..500).contains(&answer.code),
            Codes::Permanent => (500..600).contains(&answer.code),
        };
        let provider = self.provider.is_none() || self.provider == provider;
        code && provider && self.words.iter().all(|words| text.contains(words))
    }

    /// How much it says: a provider's own, then more phrases, then who names a list, then longer words.
    pub(super) fn weight(&self) -> (bool, usize, bool, usize) {
        let letters = self.words.iter().map(|w| w.len()).sum();
        (self.provider.is_some(), self.words.len(), self.place.is_some(), letters)
    }
}

/// An entry of a provider.
const fn of(provider: Provider, codes: Codes, words: &'static [&'static str], cause: Cause) -> Known {
    Known { provider: Some(provider), codes, words, cause, advice: None, place: None }
}

/// An entry for everybody.
const fn any(codes: Codes, words: &'static [&'static str], cause: Cause) -> Known {
    Known { provider: None, codes, words, cause, advice: None, place: None }
}

impl Known {
    const fn advice(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    const fn ask(mut self, name: &'static str, url: &'static str) -> Self {
        self.place = Some(Place { name, url });
        self
    }
}

use Codes::{Any, Permanent, Temporary};
use Provider::{
    Apple, Barracuda, Google, MailRu, Microsoft, Mimecast, Orange, Proofpoint, TOnline, UnitedInternet, Yahoo, Yandex,
};

/// Every one. What words stand in an entry is what servers say; what it means and what to do are ours.
pub(super) const KNOWN: &[Known] = &[
    any(Any, &["administrative prohibition"], Cause::Policy),
    any(Any, &["b.barracudacentral.org"], Cause::Blocklisted)
        .ask("Barracuda Central", "https://www.barracudacentral.org/lookups"),
    any(Any, &["bl.spamcop.net"], Cause::Blocklisted).ask("SpamCop", "https://www.spamcop.net/bl.shtml"),
    any(Any, &["blacklist"], Cause::Blocklisted).advice(
        "The answer names the list, or it is the recipient's own: ask their administrator. Find what was \
             sent before asking for removal.",
    ),
    any(Any, &["blocked using"], Cause::Blocklisted).advice(
        "The answer names the list: look this server's address up there. Find what was sent before asking \
             for removal.",
    ),
    any(Any, &["cannot find your hostname"], Cause::ReverseDns),
    any(Any, &["cannot find your reverse hostname"], Cause::ReverseDns),
    any(Any, &["client host rejected", "access denied"], Cause::Reputation).advice(
        "The recipient's administrator has forbidden this server's address by hand, or by a list they don't \
             name: ask them.",
    ),
    any(Any, &["cloudmark.com"], Cause::Blocklisted)
        .ask("Cloudmark sender intelligence", "https://csi.cloudmark.com/en/reset/"),
    any(Any, &["content rejected"], Cause::Spam),
    any(Any, &["denied by policy"], Cause::Policy),
    any(Any, &["dmarc", "policy"], Cause::Authentication),
    any(Any, &["dnsbl.manitu.net"], Cause::Blocklisted).ask("NiX Spam", "https://www.dnsbl.manitu.net/"),
    any(Any, &["does not designate"], Cause::Authentication),
    any(Any, &["domain not found"], Cause::SenderRefused),
    any(Any, &["dynamic ip"], Cause::ReverseDns)
        .advice(
            "The other side takes this server's address for a home connection: by the name in its PTR record, \
             or by a list of such addresses. Give the address a PTR record with the server's own name, and have \
             it taken off the list (Spamhaus PBL).",
        )
        .ask("Spamhaus", "https://check.spamhaus.org/"),
    any(Any, &["exceeds", "size"], Cause::TooLarge),
    any(Any, &["generic", "ptr"], Cause::ReverseDns),
    any(Temporary, &["graylist"], Cause::Greylisted),
    any(Temporary, &["greylist"], Cause::Greylisted),
    any(Permanent, &["invalid recipient"], Cause::UnknownRecipient),
    any(Any, &["mailbox full"], Cause::MailboxFull),
    any(Any, &["mailbox is full"], Cause::MailboxFull),
    any(Any, &["message too large"], Cause::TooLarge),
    any(Permanent, &["no such user"], Cause::UnknownRecipient),
    any(Any, &["not authenticated"], Cause::RecipientRestricted).advice(
        "The other server wants a login for this recipient, or for all of its mail: the domain's MX may \
             name a server that is for its own users.",
    ),
    any(Any, &["not rfc 5322 compliant"], Cause::Content).advice(
        "A field of the header is missing or there twice: From, Date, Subject, Message-ID. See which \
             program wrote the message.",
    ),
    any(Any, &["open resolver", "spamhaus.org"], Cause::ServerTrouble).advice(
        "The recipient's server misuses the Spamhaus list: it asks through a public resolver and takes the \
             refusal for a listing. This server is not listed. Tell the recipient's administrator; the link in \
             the answer explains it to them.",
    ),
    any(Any, &["over quota"], Cause::MailboxFull),
    any(Any, &["quota exceeded"], Cause::MailboxFull),
    any(Permanent, &["recipient", "does not exist"], Cause::UnknownRecipient),
    any(Any, &["relay access denied"], Cause::RelayDenied),
    any(Any, &["relaying denied"], Cause::RelayDenied),
    any(Any, &["reputation"], Cause::Reputation),
    any(Any, &["return mx does not exist"], Cause::SenderRefused),
    any(Any, &["reverse dns"], Cause::ReverseDns),
    any(Any, &["sender verify failed"], Cause::SenderRefused).advice(
        "The other side asked our MX whether the sender's address exists and got no or a bad answer: send a \
             test message to that address from outside.",
    ),
    any(Any, &["sending limit"], Cause::RateLimited),
    any(Any, &["spam detected"], Cause::Spam),
    any(Any, &["spamhaus.org"], Cause::Blocklisted).ask("Spamhaus", "https://check.spamhaus.org/"),
    any(Any, &["spf", "mail is prohibited"], Cause::Authentication),
    any(Any, &["spf check"], Cause::Authentication),
    any(Any, &["talosintelligence.com"], Cause::Reputation)
        .ask("Cisco Talos", "https://talosintelligence.com/reputation_center"),
    any(Any, &["too many", "received"], Cause::Loop),
    any(Any, &["too many", "recipients"], Cause::TooManyRecipients),
    any(Any, &["too many connections"], Cause::RateLimited),
    any(Any, &["trendmicro.com"], Cause::Blocklisted)
        .ask("Trend Micro Email Reputation", "https://servicecentral.trendmicro.com/en-us/ers/ip-lookup/"),
    any(Any, &["uceprotect"], Cause::Blocklisted).ask("UCEPROTECT", "https://www.uceprotect.net/en/rblcheck.php"),
    any(Permanent, &["unknown user"], Cause::UnknownRecipient),
    any(Permanent, &["unrouteable address"], Cause::UnknownRecipient),
    any(Permanent, &["user not found"], Cause::UnknownRecipient),
    any(Permanent, &["user unknown"], Cause::UnknownRecipient),
    any(Any, &["virus"], Cause::Content).advice(
        "See whether the account or its computer was taken over; if the file is good, its makers and the \
             scanner's makers disagree.",
    ),
    of(Apple, Any, &["[cs0"], Cause::Reputation).advice(
        "Apple's filter (by Proofpoint) refuses the server's address, the domain or the content, and \
             doesn't say which. See that SPF, DKIM, DMARC and reverse DNS are right, look the address up at \
             Proofpoint, then write to Apple's postmaster with the answer.",
    ),
    of(Apple, Permanent, &["dmarc policy"], Cause::Authentication),
    of(Apple, Temporary, &["excessive volume"], Cause::RecipientBusy),
    of(Apple, Temporary, &["service unavailable"], Cause::RateLimited),
    of(Apple, Any, &["spamhaus dbl"], Cause::Blocklisted)
        .advice("A domain in the message, of the sender or of a link, is on Spamhaus's list of domains.")
        .ask("Spamhaus", "https://check.spamhaus.org/"),
    of(Apple, Permanent, &["user does not exist"], Cause::UnknownRecipient),
    of(Barracuda, Any, &["barracuda reputation"], Cause::Blocklisted),
    of(Google, Any, &["account", "disabled"], Cause::RecipientDisabled),
    of(Google, Any, &["account", "inactive"], Cause::RecipientDisabled),
    of(Google, Permanent, &["account that you tried to reach does not exist"], Cause::UnknownRecipient),
    of(Google, Any, &["dmarc policy"], Cause::Authentication),
    of(Google, Any, &["fails to pass authentication checks"], Cause::Authentication),
    of(Google, Any, &["ipv6 sending guidelines"], Cause::ReverseDns).advice(
        "The IPv6 address this server sends from needs a PTR record with its own host name that leads back \
             to it, and the message SPF or DKIM. Until it has one, sending over IPv4 helps.",
    ),
    of(Google, Any, &["likely unsolicited mail"], Cause::Spam)
        .advice(
            "Gmail judges the message by its content and the names of domain and address together. Register the \
             domain at Google Postmaster Tools and look at its reputation; see what else is sent under it.",
        )
        .ask("Google Postmaster Tools", "https://postmaster.google.com/"),
    of(Google, Any, &["over quota"], Cause::MailboxFull),
    of(Google, Any, &["potential security issue"], Cause::Content)
        .advice(
            "Gmail takes no programs, not even in archives, no encrypted archives of some kinds, and no \
             documents with dangerous macros.",
        )
        .ask("Gmail: file types that are blocked", "https://support.google.com/mail/answer/6590"),
    of(Google, Any, &["ptr record"], Cause::ReverseDns),
    of(Google, Temporary, &["rate limited", "unusual rate"], Cause::RateLimited),
    of(Google, Any, &["receiving mail", "prevents additional messages"], Cause::RecipientBusy),
    of(Google, Any, &["receiving mail too quickly"], Cause::RecipientBusy),
    of(Google, Any, &["sender is unauthenticated"], Cause::Authentication),
    of(Google, Any, &["spf record with a hard fail"], Cause::Authentication).advice(
        "The domain of the reverse path says in its SPF record that this server's address may not send for \
             it. Add the address to the record.",
    ),
    of(Google, Any, &["tls required"], Cause::TlsRequired),
    of(Google, Any, &["unusual rate of unsolicited mail"], Cause::Reputation),
    of(Google, Any, &["very low reputation of the sending domain"], Cause::Reputation)
        .advice(
            "It is the domain in From or in the signature, not this server's address. A domain that is new has \
             no good name yet: send little and regularly. Register it at Google Postmaster Tools.",
        )
        .ask("Google Postmaster Tools", "https://postmaster.google.com/"),
    of(Google, Any, &["very low reputation of the sending ip"], Cause::Reputation),
    of(Google, Any, &["violates", "email policy"], Cause::RecipientRestricted)
        .advice("The recipient's own administrator made the rule, not Google."),
    of(MailRu, Any, &["dmarc policy"], Cause::Authentication),
    of(MailRu, Any, &["generic dns ptr"], Cause::ReverseDns),
    of(MailRu, Permanent, &["mailbox", "user not found"], Cause::UnknownRecipient),
    of(MailRu, Any, &["mailbox is full"], Cause::MailboxFull),
    of(MailRu, Any, &["spam message"], Cause::Spam)
        .advice("The link in the answer leads to Mail.ru's form for exactly this message."),
    of(Microsoft, Any, &["banned send"], Cause::Blocklisted)
        .advice(
            "Microsoft 365 has this server's address on its own list. The page removes it on request, at once \
             or within a day; find what was sent first.",
        )
        .ask("Microsoft 365 delist portal", "https://sender.office.com/"),
    of(Microsoft, Any, &["block list"], Cause::Blocklisted)
        .advice(
            "Outlook.com has this server's address, or its network, on its own list: neighbours may be the \
             reason, and few messages. Ask for mitigation at the sender support page, and join SNDS to see how \
             the address is judged.",
        )
        .ask("Outlook.com sender support", "https://sendersupport.olc.protection.outlook.com/pm/"),
    of(Microsoft, Any, &["client was not authenticated"], Cause::RecipientRestricted).advice(
        "The recipient's organisation takes mail from logged-in clients only on this server: their MX \
             record is wrong, or their connector.",
    ),
    of(Microsoft, Any, &["does not meet the required authentication level"], Cause::Authentication).advice(
        "Outlook.com wants SPF and DKIM to pass and a DMARC record (at least p=none) for the domain in \
             From. The answer says which of them failed.",
    ),
    of(Microsoft, Any, &["doesn't meet the required authentication level"], Cause::Authentication).advice(
        "Outlook.com wants SPF and DKIM to pass and a DMARC record (at least p=none) for the domain in \
             From. The answer says which of them failed.",
    ),
    of(Microsoft, Permanent, &["mailbox unavailable"], Cause::UnknownRecipient),
    of(Microsoft, Any, &["rate limited due to ip reputation"], Cause::RateLimited).advice(
        "Outlook.com trusts this server's address little: new, quiet or complained about. Send evenly, join \
             SNDS to see how it is judged, and ask for mitigation if it stays.",
    ),
    of(Microsoft, Permanent, &["recipient address rejected: access denied"], Cause::UnknownRecipient).advice(
        "Microsoft 365 says this of addresses that don't exist in the organisation. If the person gets \
             other mail there, their administrator has to look at the domain's settings (directory-based edge \
             blocking).",
    ),
    of(Microsoft, Temporary, &["recipient thread limit exceeded"], Cause::RecipientBusy),
    of(Microsoft, Any, &["recipientnotfound"], Cause::UnknownRecipient),
    of(Microsoft, Any, &["server busy"], Cause::RateLimited).advice(
        "Microsoft 365 takes less from addresses that suddenly send more than before. It ends by itself \
             within days if the amount grows slowly.",
    ),
    of(Microsoft, Any, &["spamhaus"], Cause::Blocklisted).ask("Spamhaus", "https://check.spamhaus.org/"),
    of(Microsoft, Any, &["tenantattribution"], Cause::RelayDenied).advice(
        "A smart host route through Microsoft 365: the connector there doesn't know this server's address \
             or certificate. Or the recipient's domain is no longer in any organisation there.",
    ),
    of(Microsoft, Any, &["traffic not accepted from this ip"], Cause::Reputation)
        .ask("Microsoft 365 delist portal", "https://sender.office.com/"),
    of(Microsoft, Any, &["wrong office 365 region"], Cause::RelayDenied),
    of(Mimecast, Temporary, &["internal resource"], Cause::Greylisted)
        .advice("So Mimecast words its greylisting. It ends with a later attempt from the same address."),
    of(Mimecast, Any, &["sender address blocked"], Cause::RecipientRestricted),
    of(Orange, Any, &["ofr_5"], Cause::Spam),
    of(Proofpoint, Any, &["blocked", "ipcheck.proofpoint.com"], Cause::Reputation).advice(
        "Proofpoint's reputation service refuses this server's address. The judgement changes by itself \
             within days; the page shows it and takes requests. It decides for Apple, too.",
    ),
    of(Proofpoint, Any, &["blocked", "support.proofpoint.com"], Cause::Reputation),
    of(TOnline, Any, &["a problem occurred"], Cause::Reputation).advice(
        "Telekom takes no mail from addresses it doesn't know, new servers first of all. Write to \
             tosa@rx.t-online.de from the domain, with the address and the answer; they want a host name that \
             says who runs the server, a PTR record for it, and a web page under that name with an address to \
             write to.",
    ),
    of(UnitedInternet, Any, &["bad dns ptr"], Cause::ReverseDns),
    of(UnitedInternet, Any, &["ip address is block listed"], Cause::Blocklisted)
        .advice("The link in the answer leads to the list's case and the form for it."),
    of(UnitedInternet, Permanent, &["mailbox unavailable"], Cause::UnknownRecipient),
    of(UnitedInternet, Any, &["rate limit reached"], Cause::RateLimited),
    of(UnitedInternet, Any, &["reject due to policy"], Cause::Reputation).advice(
        "GMX, WEB.DE and IONOS refuse this server's address: many unknown recipients, changing EHLO names, \
             a header that isn't by the rules, or a name in a list. The link in the answer leads to the case \
             and a form.",
    ),
    of(UnitedInternet, Any, &["spf policy"], Cause::Authentication),
    of(UnitedInternet, Any, &["user has exhausted"], Cause::MailboxFull),
    of(UnitedInternet, Any, &["user has too many messages"], Cause::MailboxFull),
    of(Yahoo, Any, &["[bl"], Cause::Blocklisted).ask("Spamhaus", "https://check.spamhaus.org/"),
    of(Yahoo, Any, &["[tss"], Cause::Reputation).advice(
        "Yahoo and AOL slow down addresses that send unevenly or that their users complain about; forwarded \
             spam counts. It ends some hours after the cause does. Join the complaint feedback loop of the \
             domain.",
    ),
    of(Yahoo, Permanent, &["account has been disabled"], Cause::RecipientDisabled),
    of(Yahoo, Any, &["all messages", "permanently deferred"], Cause::Reputation),
    of(Yahoo, Permanent, &["doesn't have a"], Cause::UnknownRecipient),
    of(Yahoo, Any, &["receiving mail too quickly"], Cause::RecipientBusy),
    of(Yahoo, Temporary, &["resources temporarily unavailable"], Cause::ServerTrouble),
    of(Yandex, Any, &["suspicion of spam"], Cause::Spam),
];
