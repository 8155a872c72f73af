//! What policy, directory and store say, as replies.

use mailward_delivery::{HeaderFault, NotForwarded};
use mailward_directory::LoginError;
use mailward_gate::Refusal;
use mailward_inspect::{Action, Check, Finding};
use mailward_smtp::Reply;
use mailward_store::StoreError;

pub(crate) const fn refusal(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::NotHere => Reply::NOT_IMPLEMENTED,
        Refusal::LoginRequired => Reply::AUTH_FIRST,
        Refusal::SenderDenied => Reply::SENDER_DENIED,
        Refusal::RelayDenied => Reply::RELAY_DENIED,
        Refusal::NoSending => Reply::NO_SENDING,
        Refusal::NoForwarding => Reply::NO_FORWARDING,
        Refusal::Literal => Reply::NO_LITERAL,
        // The same words: who is disabled is nobody's business (attacks A6).
        Refusal::UnknownUser | Refusal::Disabled => Reply::UNKNOWN_USER,
        Refusal::Loop => Reply::ROUTING_LOOP,
        Refusal::NotAscii => Reply::NO_UTF8_ADDRESS,
        Refusal::InsideUnknown => Reply::INSIDE_UNKNOWN,
    }
}

pub(crate) fn not_forwarded(why: &NotForwarded) -> Reply {
    match why {
        NotForwarded::Circle(_) => Reply::ROUTING_LOOP,
        NotForwarded::TooManySets => Reply::TOO_MANY_HOPS,
        NotForwarded::HeaderTooLarge => Reply::HEADER_TOO_LARGE,
        NotForwarded::Header(_) => Reply::BAD_HEADER.with(&why.to_string()),
        NotForwarded::Nobody => Reply::CLAIM_UNCLEAR.with(&why.to_string()),
        NotForwarded::Forged(_) => Reply::NOT_FROM_US.with(&why.to_string()),
        NotForwarded::Later(_) | NotForwarded::TooMuch(_) => Reply::NO_FORWARDING,
    }
}

pub(crate) fn header(fault: HeaderFault) -> Reply {
    match fault {
        HeaderFault::TooLarge | HeaderFault::TooManyFields => Reply::HEADER_TOO_LARGE.with(&fault.to_string()),
        HeaderFault::TooManyHops => Reply::TOO_MANY_HOPS,
    }
}

pub(crate) const fn store(error: &StoreError) -> Reply {
    match error {
        StoreError::OverQuota => Reply::MAILBOX_FULL,
        StoreError::DiskFull | StoreError::QuarantineFull | StoreError::QuarantineShare(_) => Reply::NO_SPACE,
        StoreError::Closed => Reply::SHUTTING_DOWN,
        _ => Reply::LOCAL_ERROR,
    }
}

/// What a message was found to hold, for whoever sent it: never where it was found, nor what else would have been.
pub(crate) fn finding(finding: &Finding) -> Reply {
    if finding.action == Action::Defer {
        return Reply::NOT_JUDGED;
    }
    let reply = match finding.check {
        Check::Authentication if finding.rule == "from" => return Reply::NOT_ONE_AUTHOR.with(&finding.evidence),
        Check::Authentication => Reply::NOT_AUTHENTIC,
        Check::Structure => Reply::AMBIGUOUS,
        Check::Attachments => Reply::ATTACHMENT_REFUSED,
        Check::Antivirus => Reply::VIRUS,
        Check::Content => Reply::CONTENT_REFUSED,
        Check::Spam | Check::Milter => Reply::SPAM,
    };
    reply.with(&finding.rule)
}

pub(crate) const fn login(error: LoginError) -> Reply {
    match error {
        LoginError::Refused => Reply::AUTH_FAILED,
        LoginError::Malformed => Reply::AUTH_MALFORMED,
        LoginError::UnknownMechanism => Reply::AUTH_MECHANISM,
        LoginError::NeedsTls => Reply::TLS_FIRST,
        LoginError::Busy | LoginError::Unavailable => Reply::AUTH_BUSY,
    }
}
