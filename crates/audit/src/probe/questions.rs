//! What a look asks: names that stay, what each counts for, and what to do if the answer is no.

use crate::controls;

/// What can be left out of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Which ports are open; always looked at.
    Ports,
    /// What is said and taken in clear.
    Doors,
    /// TLS and certificates.
    Tls,
    /// Relaying, and handing in without a login.
    Relay,
    /// Messages to recipients that are named for it.
    Mail,
    /// Plain HTTP, and pages.
    Web,
    /// The DNS.
    Names,
    /// Whether users can be found out; last, as servers end it with a ban.
    Users,
}

/// One question.
#[derive(Debug)]
pub struct Question {
    /// Its name, which stays.
    pub name: &'static str,
    /// What it belongs to.
    pub topic: Topic,
    /// The control that asks the same of one's own server.
    pub control: Option<&'static str>,
    /// What it counts for, whether it is a hole, and its words, where no control of the catalogue says so.
    own: Option<(u8, bool, &'static str)>,
    /// What to do, whichever server it is.
    pub mend: &'static str,
}

impl Question {
    /// 10 mandatory, 5 important, 2 extra.
    pub fn weight(&self) -> u8 {
        self.told().0
    }
    /// Whether its failure is a hole through which others send, read or take over.
    pub fn is_hole(&self) -> bool {
        self.told().1
    }
    /// Its words.
    pub fn words(&self) -> &'static str {
        self.told().2
    }

    fn told(&self) -> (u8, bool, &'static str) {
        let control = self.control.and_then(controls::find);
        let from_control = control.map(|control| (control.weight, control.is_starred(), control.question));
        self.own.or(from_control).unwrap_or((0, false, ""))
    }

    /// The question of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        QUESTIONS.iter().find(|question| question.name == name)
    }
}

const fn asks(name: &'static str, topic: Topic, control: &'static str, mend: &'static str) -> Question {
    Question { name, topic, control: Some(control), own: None, mend }
}

const fn of_its_own(
    name: &'static str,
    topic: Topic,
    control: Option<&'static str>,
    own: (u8, bool, &'static str),
    mend: &'static str,
) -> Question {
    Question { name, topic, control, own: Some(own), mend }
}

/// All of them.
pub const QUESTIONS: [Question; 38] = [
    asks(
        "ports.inside",
        Topic::Ports,
        "NET-17",
        "Let the program listen on 127.0.0.1, or close the port in the firewall.",
    ),
    of_its_own(
        "ports.alike",
        Topic::Ports,
        Some("NET-02"),
        (5, false, "Are the same ports of mail open at every address, and port 25 at each?"),
        "Let the server listen at every address that the DNS has for the host, or take the address out of the DNS.",
    ),
    asks(
        "relay.refused",
        Topic::Relay,
        "SVC-04",
        "Let the server pass on mail for its own domains and for users who have logged in, and for nobody else. Postfix: \
         mynetworks holds nothing but this host, smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated \
         reject_unauth_destination. Exim: relay_from_hosts. OpenSMTPD: no `match from any for any action` that relays.",
    ),
    asks(
        "submission.login",
        Topic::Relay,
        "SVC-05",
        "Demand a login at 465 and 587 before MAIL. Postfix: smtpd_client_restrictions = permit_sasl_authenticated reject.",
    ),
    asks(
        "smtp.clear-login",
        Topic::Doors,
        "SVC-06",
        "Offer AUTH under TLS and at 465 and 587 alone. Postfix: smtpd_tls_auth_only = yes, and smtpd_sasl_auth_enable in the \
         submission services of master.cf only. Exim: auth_advertise_hosts with tls_in_cipher.",
    ),
    asks(
        "readers.clear-login",
        Topic::Doors,
        "POP-01",
        "Close 110 and 143, or demand TLS before a login. Dovecot: ssl = required and auth_allow_cleartext = no \
         (disable_plaintext_auth = yes before 2.4).",
    ),
    asks(
        "starttls.injection",
        Topic::Doors,
        "SVC-10",
        "Update the server; closing the ports that begin in clear (110, 143, 587) leaves port 25 alone with it.",
    ),
    asks(
        "smtp.message-end",
        Topic::Mail,
        "SVC-08",
        "Update the server. Postfix: smtpd_forbid_bare_newline = normalize, or reject.",
    ),
    asks("tls.starttls", Topic::Tls, "ENC-12", "Give port 25 a certificate. Postfix: smtpd_tls_security_level = may."),
    asks(
        "tls.versions",
        Topic::Tls,
        "ENC-13",
        "Allow TLS 1.2 and 1.3 alone. Postfix: smtpd_tls_protocols = >=TLSv1.2. Dovecot: ssl_min_protocol = TLSv1.2. Exim: \
         openssl_options, or tls_require_ciphers with GnuTLS.",
    ),
    asks(
        "tls.suites",
        Topic::Tls,
        "ENC-14",
        "Allow suites with AEAD and forward secrecy alone. Postfix: smtpd_tls_mandatory_ciphers = high, tls_high_cipherlist. \
         Dovecot: ssl_cipher_list. Exim: tls_require_ciphers.",
    ),
    asks(
        "tls.manners",
        Topic::Tls,
        "ENC-15",
        "Update the server and its TLS library. Postfix: tls_ssl_options = NO_RENEGOTIATION, NO_COMPRESSION.",
    ),
    asks(
        "tls.certificate",
        Topic::Tls,
        "ENC-16",
        "Have a public authority certify the server's name, give the server the whole chain, renew in time and restart or reload \
         every program that shows it.",
    ),
    asks("tls.hybrid", Topic::Tls, "ENC-24", "Use a TLS library that has X25519MLKEM768 (OpenSSL 3.5, for one)."),
    asks(
        "smtp.users",
        Topic::Users,
        "SVC-11",
        "Switch VRFY and EXPN off, and end sessions after some unknown recipients. Postfix: disable_vrfy_command = yes, \
         smtpd_hard_error_limit. Exim: no acl_smtp_vrfy and acl_smtp_expn.",
    ),
    asks(
        "smtp.commands",
        Topic::Doors,
        "SVC-12",
        "Switch them off for strangers. Postfix: smtpd_discard_ehlo_keywords = etrn, smtpd_authorized_xclient_hosts empty.",
    ),
    asks("smtp.hops", Topic::Mail, "SVC-17", "Limit the number of Received fields. Postfix: hopcount_limit = 50."),
    asks(
        "banner.versions",
        Topic::Doors,
        "SVC-13",
        "Take the version out of the greeting. Postfix: smtpd_banner = $myhostname ESMTP. Exim: smtp_banner. Dovecot: login_greeting.",
    ),
    of_its_own(
        "web.redirect",
        Topic::Web,
        None,
        (2, false, "Does plain HTTP lead to HTTPS and to nothing else?"),
        "Let the web server answer with a redirection to https:// at port 80, or close it.",
    ),
    asks("names.mx", Topic::Names, "NET-11", "Let each MX name a host that has an A or AAAA record of its own."),
    of_its_own(
        "names.host",
        Topic::Names,
        None,
        (5, false, "Is this host one of the domain's mail hosts?"),
        "Name it in an MX record, or look at the host that the MX names.",
    ),
    asks(
        "names.reverse",
        Topic::Names,
        "NET-13",
        "Have the provider of the addresses set their reverse name to the host's name.",
    ),
    asks("names.spf", Topic::Names, "ENC-01", "Publish a TXT record such as \"v=spf1 mx -all\"."),
    asks("names.dkim", Topic::Names, "ENC-03", "Publish the public key at SELECTOR._domainkey, without t=y."),
    asks(
        "names.dmarc",
        Topic::Names,
        "ENC-05",
        "Publish a record at _dmarc such as \"v=DMARC1; p=reject; rua=mailto:…\"; begin with p=none until the reports are clean.",
    ),
    asks(
        "names.mta-sts",
        Topic::Names,
        "ENC-08",
        "Publish the record at _mta-sts, and at https://mta-sts.DOMAIN/.well-known/mta-sts.txt a policy with mode: enforce that names \
         every MX.",
    ),
    asks("names.tls-rpt", Topic::Names, "ENC-09", "Publish \"v=TLSRPTv1; rua=mailto:…\" at _smtp._tls."),
    asks(
        "names.dane",
        Topic::Names,
        "ENC-10",
        "In a signed zone, publish \"3 1 1\" of the key that port 25 shows, and the next one's before it is replaced.",
    ),
    asks(
        "names.signed",
        Topic::Names,
        "NET-09",
        "Switch DNSSEC on where the zone is kept, and hand the DS record to the registrar.",
    ),
    asks("names.host-signed", Topic::Names, "NET-10", "Sign the zone of the host, or name a host in a signed one."),
    asks("names.ipv6", Topic::Names, "NET-12", "Add an AAAA record for a public address on which the server listens."),
    of_its_own(
        "names.lists",
        Topic::Names,
        Some("NET-08"),
        (5, false, "Is no address of the host on a list of senders of spam?"),
        "Find out what was sent (the list's page says why), stop it, and ask the list to take the address out.",
    ),
    of_its_own(
        "names.autoconfig",
        Topic::Names,
        Some("CLI-01"),
        (2, false, "Do mail programs find their settings, with TLS from the first byte alone?"),
        "Serve mail/config-v1.1.xml by HTTPS at autoconfig.DOMAIN.",
    ),
    asks(
        "names.programs",
        Topic::Names,
        "CLI-01",
        "Let the SRV records, the page at autoconfig.DOMAIN and the one at autodiscover.DOMAIN name the same hosts and ports, which are open.",
    ),
    asks(
        "names.programs-tls",
        Topic::Names,
        "CLI-02",
        "Tell programs of 993, 995 and 465 with TLS from the first byte alone (SSL in both pages), and take STARTTLS and plain out.",
    ),
    asks(
        "names.services",
        Topic::Names,
        "CLI-03",
        "Publish \"_imap._tcp SRV 0 0 0 .\", and the same for _pop3._tcp and _submission._tcp.",
    ),
    asks(
        "names.caa",
        Topic::Names,
        "NET-15",
        "Publish CAA 0 issue \"AUTHORITY; accounturi=ACCOUNT\" for the host's name, with the authority's own words for both.",
    ),
    of_its_own(
        "doors.answer",
        Topic::Doors,
        None,
        (5, false, "Does every open port of mail speak its protocol?"),
        "Find out which program listens there, or close the port.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_a_weight_words_and_a_name_of_its_own() {
        for (at, question) in QUESTIONS.iter().enumerate() {
            assert!([2, 5, 10].contains(&question.weight()), "{}", question.name);
            assert!(question.words().ends_with('?'), "{}", question.name);
            assert!(question.mend.ends_with('.'), "{}", question.name);
            assert!(QUESTIONS.iter().skip(at + 1).all(|other| other.name != question.name), "{}", question.name);
        }
    }
}
