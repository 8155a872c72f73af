use super::*;
use proptest::prelude::*;

/// Answers as servers gave them (addresses and names changed): host, code, text, and the words of the entry that
/// explains them. In the table's order.
const SAMPLES: &[(&str, u16, &str, &[&str])] = &[
    ("mx.t.example", 550, "Administrative prohibition", &["administrative prohibition"]),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using b.barracudacentral.org; http://www.barracudanetworks.com/reputation/?pr=1&ip=203.0.113.5",
        &["b.barracudacentral.org"],
    ),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?203.0.113.5",
        &["bl.spamcop.net"],
    ),
    ("mx.t.example", 550, "5.7.1 Rejecting mail, 203.0.113.5 is blacklisted", &["blacklist"]),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using ix.dnsbl.example",
        &["blocked using"],
    ),
    (
        "mx.t.example",
        450,
        "4.7.1 Client host rejected: cannot find your hostname, [203.0.113.5]",
        &["cannot find your hostname"],
    ),
    (
        "mx.t.example",
        450,
        "4.7.1 Client host rejected: cannot find your reverse hostname, [203.0.113.5]",
        &["cannot find your reverse hostname"],
    ),
    (
        "mail.global.t.example",
        550,
        "<s.example[203.0.113.5]>: Client host rejected: Access Denied",
        &["client host rejected", "access denied"],
    ),
    (
        "mx.t.example",
        550,
        "5.7.1 Mail from 203.0.113.5 refused - see https://csi.cloudmark.com/en/reset/?ip=203.0.113.5",
        &["cloudmark.com"],
    ),
    ("smtp-in.sfr.fr", 550, "5.7.1 Message content rejected", &["content rejected"]),
    ("vip-smtp.t.example", 550, "Denied by policy", &["denied by policy"]),
    ("mx.t.example", 550, "5.7.1 Email rejected per DMARC policy for s.example", &["dmarc", "policy"]),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using ix.dnsbl.manitu.net; Your e-mail service was detected by mx.selfip.biz as spamming",
        &["dnsbl.manitu.net"],
    ),
    (
        "mx.centurylink.net",
        550,
        "SPF Hard Fail: Domain s.example does not designate 203.0.113.5 as permitted sender.",
        &["does not designate"],
    ),
    ("mx.t.example", 550, "5.1.8 <a@s.example>: Sender address rejected: Domain not found", &["domain not found"]),
    ("mx.t.example", 554, "5.7.1 We do not accept mail from dynamic IPs", &["dynamic ip"]),
    ("mx.t.example", 552, "5.3.4 Message size exceeds fixed limit", &["exceeds", "size"]),
    ("mx.t.example", 554, "5.7.1 Refused: generic PTR record for 203.0.113.5", &["generic", "ptr"]),
    ("mx.t.example", 451, "4.7.1 Graylisted, please try again in 300 seconds", &["graylist"]),
    (
        "mx.t.example",
        450,
        "4.2.0 <b@t.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/t.example.html",
        &["greylist"],
    ),
    ("cluster4.us.messagelabs.com", 550, "Invalid recipient <b@t.example> (#5.1.1)", &["invalid recipient"]),
    ("mx.t.example", 552, "5.2.2 Mailbox full", &["mailbox full"]),
    ("mx.t.example", 452, "4.2.2 <b@t.example> Mailbox is full", &["mailbox is full"]),
    ("mx.t.example", 552, "Error: message too large", &["message too large"]),
    ("mx.t.example", 550, "No such user here", &["no such user"]),
    ("t-example.mx.example", 530, "5.7.57 Client not authenticated to send mail", &["not authenticated"]),
    ("mx.t.example", 550, "5.7.1 Message is not RFC 5322 compliant", &["not rfc 5322 compliant"]),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using zen.spamhaus.org; Error: open resolver; https://check.spamhaus.org/returnc/pub/198.51.100.7/",
        &["open resolver", "spamhaus.org"],
    ),
    ("mx.t.example", 552, "5.2.2 Over quota", &["over quota"]),
    ("mx.t.example", 552, "<b@t.example>... Mail quota exceeded", &["quota exceeded"]),
    (
        "mx.quartz.synacor.com",
        550,
        "5.1.1 [R2] Recipient b@t.example does not exist here.",
        &["recipient", "does not exist"],
    ),
    ("mx.t.example", 554, "5.7.1 <b@t.example>: Relay access denied", &["relay access denied"]),
    ("mx.t.example", 550, "5.7.1 <b@t.example>... Relaying denied", &["relaying denied"]),
    ("mx.t.example", 550, "Message rejected due to sender IP reputation ([203.0.113.5])", &["reputation"]),
    ("mx.wp.pl", 554, "sorry, refused mailfrom because return MX does not exist", &["return mx does not exist"]),
    ("mx.t.example", 451, "Bad reverse DNS.", &["reverse dns"]),
    ("mx.t.example", 550, "Sender verify failed", &["sender verify failed"]),
    ("mx.t.example", 550, "5.7.1 Sending limit exceeded", &["sending limit"]),
    ("mx1.free.fr", 550, "spam detected", &["spam detected"]),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/203.0.113.5",
        &["spamhaus.org"],
    ),
    ("mx.t.example", 550, "5.7.1 SPF unauthorized mail is prohibited.", &["spf", "mail is prohibited"]),
    ("mx.t.example", 550, "5.7.23 Message rejected: SPF check failed", &["spf check"]),
    (
        "mx.t.example",
        554,
        "Your access to this mail system has been rejected due to the sending MTA's poor reputation. See https://www.talosintelligence.com/",
        &["talosintelligence.com"],
    ),
    ("mx.t.example", 554, "Too many Received: headers", &["too many", "received"]),
    ("mx.t.example", 452, "4.5.3 Error: too many recipients", &["too many", "recipients"]),
    ("mx.t.example", 421, "4.7.0 mx.t.example Error: too many connections from 203.0.113.5", &["too many connections"]),
    (
        "in.hes.trendmicro.eu",
        550,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using Trend Micro Email Reputation Service. Please see https://servicecentral.trendmicro.com/en-us/ers/ip-lookup/",
        &["trendmicro.com"],
    ),
    (
        "mx.t.example",
        554,
        "5.7.1 Service unavailable; Client host [203.0.113.5] blocked using dnsbl-1.uceprotect.net; IP 203.0.113.5 is UCEPROTECT-Level 1 listed",
        &["uceprotect"],
    ),
    ("mx.t.example", 550, "unknown user", &["unknown user"]),
    ("mx.freenet.de", 550, "unrouteable address", &["unrouteable address"]),
    ("mx.t.example", 550, "User not found: b@t.example", &["user not found"]),
    (
        "mx.t.example",
        550,
        "5.1.1 <b@t.example>: Recipient address rejected: User unknown in virtual mailbox table",
        &["user unknown"],
    ),
    ("mx.t.example", 550, "5.7.1 Virus found: message rejected", &["virus"]),
    (
        "mx01.mail.icloud.com",
        550,
        "5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137",
        &["[cs0"],
    ),
    ("mx01.mail.icloud.com", 550, "5.7.1 Your message was rejected due to s.example DMARC policy.", &["dmarc policy"]),
    (
        "mx02.mail.icloud.com",
        421,
        "4.7.1 Messages to b@icloud.com deferred due to excessive volume. Try again later - https://support.apple.com/en-us/HT204137",
        &["excessive volume"],
    ),
    ("mx02.mail.icloud.com", 451, "4.7.1 Service unavailable - try again later", &["service unavailable"]),
    (
        "mx02.mail.icloud.com",
        550,
        "5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL -- see https://www.spamhaus.org/dbl/",
        &["spamhaus dbl"],
    ),
    ("mx01.mail.icloud.com", 550, "5.1.1 <b@icloud.com>: user does not exist", &["user does not exist"]),
    (
        "d1.a.ess.barracudanetworks.com",
        554,
        "Service unavailable; Client host [203.0.113.5] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=203.0.113.5",
        &["barracuda reputation"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.2.1 The email account that you tried to reach is disabled. Learn more at\n5.2.1  https://support.google.com/mail/?p=DisabledUser x - gsmtp",
        &["account", "disabled"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.2.1 The email account that you tried to reach is inactive. x - gsmtp",
        &["account", "inactive"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.1.1 The email account that you tried to reach does not exist. Please try\n5.1.1 double-checking the recipient's email address for typos or\n5.1.1 unnecessary spaces. Learn more at\n5.1.1  https://support.google.com/mail/?p=NoSuchUser g78si1991081pfe.64 - gsmtp",
        &["account that you tried to reach does not exist"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.26 Unauthenticated email from s.example is not accepted due to\n5.7.26 domain's DMARC policy. Please contact the administrator of\n5.7.26 s.example domain if this was a legitimate mail. x - gsmtp",
        &["dmarc policy"],
    ),
    (
        "aspmx.l.google.com",
        550,
        "5.7.26 This message does not have authentication information or fails to\n5.7.26 pass authentication checks. To best protect our users from spam, the\n5.7.26 message has been blocked. Please visit\n5.7.26  https://support.google.com/mail/answer/81126#authentication for more\n5.7.26 information. x - gsmtp",
        &["fails to pass authentication checks"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.1 [2001:db8::1] Our system has detected that this message does\n5.7.1 not meet IPv6 sending guidelines regarding PTR records and\n5.7.1 authentication. Please review\n5.7.1  https://support.google.com/mail/?p=ipv6_authentication_error for more\n5.7.1 information. x - gsmtp",
        &["ipv6 sending guidelines"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.1 [203.0.113.5      12] Our system has detected that this message is\n5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\n5.7.1 this message has been blocked. Please visit\n5.7.1  https://support.google.com/mail/?p=UnsolicitedMessageError\n5.7.1  for more information. x - gsmtp",
        &["likely unsolicited mail"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        452,
        "4.2.2 The email account that you tried to reach is over quota. Please direct\n4.2.2 the recipient to\n4.2.2  https://support.google.com/mail/?p=OverQuotaTemp x - gsmtp",
        &["over quota"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        552,
        "5.7.0 This message was blocked because its content presents a potential\n5.7.0 security issue. Please visit\n5.7.0  https://support.google.com/mail/?p=BlockedMessage to review our\n5.7.0 message content and attachment content guidelines. x - gsmtp",
        &["potential security issue"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.25 The IP address sending this message does not have a\n5.7.25 PTR record setup, or the corresponding forward DNS entry does not\n5.7.25 point to the sending IP. As a policy, Gmail does not accept messages\n5.7.25 from IPs with missing PTR records. Please visit\n5.7.25  https://support.google.com/mail/answer/81126#ip-practices x - gsmtp",
        &["ptr record"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        421,
        "4.7.28 [203.0.113.5] Our system has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users from spam, mail sent from your IP address has been temporarily rate limited. x - gsmtp",
        &["rate limited", "unusual rate"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        450,
        "4.2.1 The user you are trying to contact is receiving mail at a rate that\n4.2.1 prevents additional messages from being delivered. Please resend your\n4.2.1 message at a later time. x - gsmtp",
        &["receiving mail", "prevents additional messages"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        450,
        "4.2.1 The user you are trying to contact is receiving mail too quickly.\n4.2.1 Please resend your message at a later time. x - gsmtp",
        &["receiving mail too quickly"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.26 This mail has been blocked because the sender is unauthenticated.\n5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n5.7.26 Authentication results: DKIM = did not pass, SPF = did not pass x - gsmtp",
        &["sender is unauthenticated"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.26 This message fails to pass SPF checks for an SPF record with a hard fail policy (-all). To best protect our users from spam and phishing, the message has been blocked. x - gsmtp",
        &["spf record with a hard fail"],
    ),
    ("aspmx.l.google.com", 421, "4.7.0 TLS required for RCPT domain, closing connection. x - gsmtp", &["tls required"]),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.1 [203.0.113.5       1] Our system has detected an unusual rate of\n5.7.1 unsolicited mail originating from your IP address. To protect our\n5.7.1 users from spam, mail sent from your IP address has been blocked.\n5.7.1 Please visit\n5.7.1  https://support.google.com/mail/?p=UnsolicitedIPError to review our\n5.7.1 Bulk Email Senders Guidelines. x - gsmtp",
        &["unusual rate of unsolicited mail"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.1 Our system has detected that this message is\n5.7.1 likely suspicious due to the very low reputation of the sending\n5.7.1 domain. x - gsmtp",
        &["very low reputation of the sending domain"],
    ),
    (
        "gmail-smtp-in.l.google.com",
        550,
        "5.7.1 [2001:db8::1 18] Our system has detected that\n5.7.1 this message is likely suspicious due to the very low reputation of\n5.7.1 the sending IP address. x - gsmtp",
        &["very low reputation of the sending ip"],
    ),
    (
        "aspmx.l.google.com",
        550,
        "5.7.1 This message violates t.example email policy. - gcdp x - gsmtp",
        &["violates", "email policy"],
    ),
    (
        "mxs.mail.ru",
        550,
        "5.7.1 This message was not accepted due to domain (s.example) owner DMARC policy (RFC 7489) https://help.mail.ru/mail-help/postmaster/dmarc",
        &["dmarc policy"],
    ),
    (
        "mxs.mail.ru",
        550,
        "Sorry, we do not accept mail from hosts with dynamic IP or generic DNS PTR-records. Please get a custom reverse DNS name from your ISP for your host 203.0.113.5 or contact abuse@corp.mail.ru in case of error",
        &["generic dns ptr"],
    ),
    (
        "mxs.mail.ru",
        550,
        "Message was not accepted -- invalid mailbox.  Local mailbox b@mail.ru is unavailable: user not found",
        &["mailbox", "user not found"],
    ),
    (
        "mxs.mail.ru",
        550,
        "Message was not accepted -- invalid mailbox.  Local mailbox b@mail.ru is unavailable: mailbox is full",
        &["mailbox is full"],
    ),
    (
        "mxs.mail.ru",
        550,
        "spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=x or report details to abuse@corp.mail.ru. Error code: FD5F4D02. ID: 0000002600006CEB383A2BF4.",
        &["spam message"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        550,
        "5.7.606 Access denied, banned sending IP [203.0.113.5]. To request removal from this list please visit https://sender.office.com/ and follow the directions. For more information please go to http://go.microsoft.com/fwlink/?LinkID=526655 AS(1430)",
        &["banned send"],
    ),
    (
        "eur.olc.protection.outlook.com",
        550,
        "5.7.1 Unfortunately, messages from [203.0.113.5] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [X.eop-EUR04.prod.protection.outlook.com]",
        &["block list"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        530,
        "5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM [X.eurprd07.prod.outlook.com]",
        &["client was not authenticated"],
    ),
    (
        "outlook-com.olc.protection.outlook.com",
        550,
        "5.7.515 Access denied, sending domain s.example does not meet the required authentication level. [X.prod.protection.outlook.com]",
        &["does not meet the required authentication level"],
    ),
    (
        "outlook-com.olc.protection.outlook.com",
        550,
        "5.7.515 Access denied, sending domain [s.example] doesn't meet the required authentication level. Spf=Pass, Dkim=Fail, DMARC=Pass [X.prod.protection.outlook.com]",
        &["doesn't meet the required authentication level"],
    ),
    (
        "eur.olc.protection.outlook.com",
        550,
        "5.5.0 Requested action not taken: mailbox unavailable. [DB5EUR01FT039.eop-EUR01.prod.protection.outlook.com]",
        &["mailbox unavailable"],
    ),
    (
        "eur.olc.protection.outlook.com",
        451,
        "4.7.650 The mail server [203.0.113.5] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S775) [X.prod.protection.outlook.com]",
        &["rate limited due to ip reputation"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        550,
        "5.4.1 [b@t.example]: Recipient address rejected: Access denied [CY1GCC01FT007.eop-gcc01.prod.protection.outlook.com]",
        &["recipient address rejected: access denied"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        432,
        "4.3.2 STOREDRV.Deliver; recipient thread limit exceeded [Hostname=X.eurprd07.prod.outlook.com]",
        &["recipient thread limit exceeded"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        550,
        "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient b@t.example not found by SMTP address lookup [X.prod.outlook.com]",
        &["recipientnotfound"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        451,
        "4.7.500 Server busy. Please try again later from [203.0.113.5]. (AS77712344) [X.prod.protection.outlook.com]",
        &["server busy"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        550,
        "5.7.1 Service unavailable, Client host [203.0.113.5] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/203.0.113.5 (AS16012611) [X.prod.protection.outlook.com]",
        &["spamhaus"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        550,
        "5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of 'mail.s.example' is 'EmptyCertificate'] [X.prod.protection.outlook.com]",
        &["tenantattribution"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        550,
        "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. For more information please go to http://go.microsoft.com/fwlink/?LinkId=526655 AS(7171)",
        &["traffic not accepted from this ip"],
    ),
    (
        "t-example.mail.protection.outlook.com",
        451,
        "4.4.62 Mail sent to the wrong Office 365 region. ATTR35. For more information please go to https://go.microsoft.com/fwlink/?linkid=865268 [X.prod.protection.outlook.com]",
        &["wrong office 365 region"],
    ),
    (
        "eu-smtp-inbound-1.mimecast.com",
        451,
        "Internal resource is temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451 [Aj3QXapeMpqZYaeFwWhjzw.us32]",
        &["internal resource"],
    ),
    (
        "eu-smtp-inbound-1.mimecast.com",
        421,
        "Sender address blocked - https://community.mimecast.com/docs/DOC-1369#421 [x.uk1]",
        &["sender address blocked"],
    ),
    ("smtp-in.orange.fr", 550, "5.2.0 Mail rejete. Mail rejected. ofr_506 [506]", &["ofr_5"]),
    (
        "mx0a-0001.pphosted.com",
        554,
        "Blocked - see https://ipcheck.proofpoint.com/?ip=203.0.113.5",
        &["blocked", "ipcheck.proofpoint.com"],
    ),
    (
        "mx0a-0001.pphosted.com",
        554,
        "5.7.0 Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=203.0.113.5",
        &["blocked", "support.proofpoint.com"],
    ),
    (
        "mx00.t-online.de",
        554,
        "IP=203.0.113.5 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.)",
        &["a problem occurred"],
    ),
    (
        "mx00.emig.gmx.net",
        554,
        "gmx.net (mxgmx016) Nemesis ESMTP Service not available\nNo SMTP service\nBad DNS PTR resource record.\nFor explanation visit http://postmaster.gmx.com/en/error-messages?ip=203.0.113.5&c=rdns",
        &["bad dns ptr"],
    ),
    (
        "mx00.emig.gmx.net",
        554,
        "gmx.net (mxgmx104) Nemesis ESMTP Service not available\nNo SMTP service\nIP address is block listed.\nFor explanation visit https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=198.51.100.42&r=1MNcgj-1ue23t3pyV-00S2YR",
        &["ip address is block listed"],
    ),
    (
        "mx-ha.web.de",
        550,
        "<b@web.de>: Requested action not taken: mailbox unavailable\nFor explanation visit https://postmaster.web.de/en/case?c=r0103",
        &["mailbox unavailable"],
    ),
    ("mx00.kundenserver.de", 421, "Rate limit reached. Please try again later", &["rate limit reached"]),
    (
        "mx00.emig.gmx.net",
        550,
        "Requested action not taken: mailbox unavailable\nReject due to policy restrictions.\nFor explanation visit http://postmaster.gmx.com/en/error-messages?ip=203.0.113.5&c=poli",
        &["reject due to policy"],
    ),
    (
        "mx-ha.web.de",
        550,
        "<b@web.de>: Reject due to SPF policy. The originating IP of the message is not permitted by the domain owner",
        &["spf policy"],
    ),
    (
        "mx-ha.web.de",
        550,
        "Benutzer hat das Speichervolumen ueberschritten. / User has exhausted allowed storage space.",
        &["user has exhausted"],
    ),
    (
        "mx-ha.web.de",
        550,
        "Benutzer hat zuviele Mails auf dem Server. / User has too many messages on the server.",
        &["user has too many messages"],
    ),
    (
        "mta5.am0.yahoodns.net",
        553,
        "5.7.1 [BL21] Connections will not be accepted from 203.0.113.5, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html",
        &["[bl"],
    ),
    (
        "mx-eu.mail.am0.yahoodns.net",
        421,
        "4.7.0 [TSS04] Messages from 203.0.113.5 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
        &["[tss"],
    ),
    (
        "mta5.am0.yahoodns.net",
        554,
        "delivery error: dd Sorry your message to b@yahoo.de cannot be delivered. This account has been disabled or discontinued",
        &["account has been disabled"],
    ),
    (
        "mta5.am0.yahoodns.net",
        421,
        "4.7.1 [TS03] All messages from 203.0.113.5 will be permanently deferred; Retrying will NOT succeed. See https://postmaster.yahooinc.com/error-codes",
        &["all messages", "permanently deferred"],
    ),
    (
        "mta5.am0.yahoodns.net",
        554,
        "delivery error: dd This user doesn't have a yahoo.com account (b@yahoo.com) [0] - mta1.mail.bf1.yahoo.com",
        &["doesn't have a"],
    ),
    ("mta5.am0.yahoodns.net", 450, "User is receiving mail too quickly", &["receiving mail too quickly"]),
    (
        "mta5.am0.yahoodns.net",
        451,
        "mta1.mail.yahoo.com Resources temporarily unavailable. Please try again later [#4.16.1].",
        &["resources temporarily unavailable"],
    ),
    (
        "mx.yandex.ru",
        554,
        "5.7.1 [1] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc",
        &["suspicion of spam"],
    ),
];

fn answer(sample: &(&'static str, u16, &'static str, &[&str])) -> Answer<'static> {
    let (host, code, text, _) = *sample;
    let status = text.split_whitespace().next().and_then(Status::parse);
    Answer { code, status, text, host }
}

#[test]
fn every_entry_explains_the_answer_it_was_made_for() {
    assert_eq!(SAMPLES.len(), KNOWN.len());
    let mut wrong = Vec::new();
    for (sample, known) in SAMPLES.iter().zip(KNOWN) {
        let answer = answer(sample);
        let text = normal(answer.text);
        let found =
            best(&answer, Provider::of(answer.host, &text), &text).unwrap_or_else(|| panic!("nothing fits {text:?}"));
        if (found.provider, found.words) != (known.provider, known.words) || found.words != sample.3 {
            wrong.push(format!("{text:?} is {:?}, not {:?}", found.words, known.words));
            continue;
        }
        let explained = explain(&answer);
        assert_eq!(explained.cause, known.cause);
        assert!(!explained.for_sender.is_empty() && !explained.for_administrator.is_empty());
        assert_eq!(
            explained.where_to_ask.is_some(),
            known.place.is_some() || (known.provider.is_some() && known.cause.is_the_provider_s())
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes at the start of each line, as they stand on the wire, or joined by a log: all the same.
#[test]
fn how_the_codes_stand_in_the_text_makes_no_difference() {
    for sample in SAMPLES {
        let plain = answer(sample);
        let wire: Vec<String> = plain.text.lines().map(|line| format!("{}-{line}", plain.code)).collect();
        for text in [wire.join("\r\n"), wire.join(" "), plain.text.to_uppercase().replace(' ', "  ")] {
            let other = Answer { text: &text, ..plain };
            assert_eq!(explain(&other), explain(&plain), "{text}");
        }
    }
}

#[test]
fn the_table_is_sorted_and_its_words_are_in_normal_form() {
    assert!(KNOWN.is_sorted_by(|a, b| (a.provider, a.words) < (b.provider, b.words)), "sort by provider and words");
    for known in KNOWN {
        assert!(!known.words.is_empty());
        for words in known.words {
            assert_eq!(normal(words), *words);
            assert!(words.len() > 2, "{words:?} is in too many answers");
        }
        assert!(known.place.is_none_or(|place| place.url.starts_with("https://") && !place.name.is_empty()));
    }
}

#[test]
fn an_unknown_answer_is_explained_by_its_status_and_then_by_its_code() {
    let cause = |code, status: &str| {
        explain(&Answer { code, status: Status::parse(status), text: "xyzzy", host: "mx.t.example" }).cause
    };
    for (code, status, expected) in [
        (550, "5.1.1", Cause::UnknownRecipient),
        (550, "5.1.2", Cause::DomainUnknown),
        (556, "5.1.10", Cause::DomainTakesNoMail),
        (550, "5.2.1", Cause::RecipientDisabled),
        (452, "4.2.2", Cause::MailboxFull),
        (552, "5.3.4", Cause::TooLarge),
        (0, "4.4.1", Cause::Unreachable),
        (0, "5.4.4", Cause::DomainUnknown),
        (554, "5.4.6", Cause::Loop),
        (0, "5.4.7", Cause::Expired),
        (452, "4.5.3", Cause::TooManyRecipients),
        (0, "5.6.7", Cause::Utf8Unsupported),
        (550, "5.6.1", Cause::Content),
        (550, "5.7.1", Cause::Policy),
        (550, "5.7.2", Cause::RecipientRestricted),
        (550, "5.7.20", Cause::Authentication),
        (550, "5.7.25", Cause::ReverseDns),
        (421, "4.7.28", Cause::RateLimited),
        (0, "5.7.30", Cause::TlsRequired),
        (550, "5.9.9", Cause::Policy),
        (550, "", Cause::Policy),
        (551, "", Cause::UnknownRecipient),
        (552, "", Cause::MailboxFull),
        (521, "", Cause::DomainTakesNoMail),
        (502, "", Cause::Protocol),
        (421, "", Cause::ServerTrouble),
        (0, "", Cause::Unknown),
        (999, "", Cause::Unknown),
    ] {
        assert_eq!(cause(code, status), expected, "{code} {status}");
    }
}

#[test]
fn an_unknown_answer_of_a_known_provider_still_has_a_place_to_ask() {
    let said = Answer { code: 550, status: Status::parse("5.7.1"), text: "xyzzy", host: "gmail-smtp-in.l.google.com" };
    assert_eq!(explain(&said).where_to_ask.map(|p| p.url), Some("https://support.google.com/mail/answer/81126"));
    let gone = Answer { status: Status::parse("5.1.1"), ..said };
    assert_eq!(explain(&gone).where_to_ask, None, "Google can't help who mistypes an address");
}

#[test]
fn another_server_that_quotes_a_provider_s_words_is_not_the_provider() {
    let said = Answer { code: 550, status: None, text: "mailbox unavailable", host: "mx.t.example" };
    assert_eq!(explain(&said).cause, Cause::Policy, "only Microsoft and GMX mean an unknown user by it");
}

#[test]
fn a_text_is_read_up_to_its_limit() {
    let far = format!("{} user unknown", "x ".repeat(ANSWER_TEXT_MAX));
    let near = format!("{} user unknown", "x ".repeat(ANSWER_TEXT_MAX / 4));
    let cause = |text: &str| explain(&Answer { code: 550, status: None, text, host: "" }).cause;
    assert_eq!((cause(&far), cause(&near)), (Cause::Policy, Cause::UnknownRecipient));
    assert!(normal(&"\u{1e9e}".repeat(ANSWER_TEXT_MAX)).len() <= ANSWER_TEXT_MAX * 2);
}

#[test]
fn every_cause_is_told_in_whole_sentences() {
    for cause in Cause::ALL {
        for text in [cause.for_sender(), cause.for_administrator()] {
            assert!(text.ends_with('.') && !text.contains("  ") && text.is_ascii(), "{text}");
        }
    }
    for known in KNOWN {
        assert!(
            known.advice.is_none_or(|a| a.ends_with('.') && !a.contains("  ") && a.is_ascii()),
            "{:?}",
            known.advice
        );
    }
}

proptest! {
    #[test]
    fn any_answer_has_an_explanation(code in any::<u16>(), text in "\\PC{0,300}", host in "\\PC{0,40}") {
        let explained = explain(&Answer { code, status: None, text: &text, host: &host });
        prop_assert!(!explained.for_sender.is_empty());
        prop_assert_eq!(explained, explain(&Answer { code, status: None, text: &text, host: &host }));
    }
}
