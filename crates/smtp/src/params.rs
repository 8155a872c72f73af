//! ESMTP parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY
//! and ORCPT (RFC 3461), AUTH (RFC 4954 §5), REQUIRETLS (RFC 8689 §4.1).

use crate::reply::Reply;
use crate::xtext;
use mailward_core::limits::SMTP_PARAMETERS_MAX;
use mailward_core::{GiveBack, NotifyOn};

/// Longest ENVID, characters of xtext. RFC 3461 §4.4.
pub(crate) const ENVID_MAX: usize = 100;
/// Longest ORCPT with its type, characters. RFC 3461 §4.2.
pub(crate) const ORCPT_MAX: usize = 500;

/// What came with MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE: what the client thinks the message has, bytes.
    pub size: Option<u64>,
    /// SMTPUTF8: addresses and headers may hold UTF-8.
    pub smtputf8: bool,
    /// BODY=8BITMIME: the client says that there are bytes over 127.
    pub eight_bit: bool,
    /// RET: how much of the message a DSN should give back.
    pub ret: Option<GiveBack>,
    /// ENVID, decoded: the sender's name for this sending.
    pub envid: Option<Box<str>>,
    /// REQUIRETLS: it may only travel encrypted, to hosts that prove who they are.
    pub require_tls: bool,
}

/// What came with RCPT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientParameters {
    /// NOTIFY; `None` if not given.
    pub notify: Option<NotifyOn>,
    /// ORCPT: address type and decoded address. Never an address that anything is sent to.
    pub original: Option<(Box<str>, Box<str>)>,
}

/// Which parameters this listener knows beyond the usual.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// AUTH= is known where AUTH is offered (RFC 4954 §5), and ignored.
    pub auth: bool,
    /// REQUIRETLS is known under TLS only (RFC 8689 §4.1).
    pub require_tls: bool,
}

/// Reads what follows the path of MAIL.
///
/// # Errors
/// The reply to give.
pub fn mail(text: &str, known: Known) -> Result<MailParameters, Reply> {
    let mut parameters = MailParameters::default();
    let (mut body_given, mut auth_given) = (false, false);
    each(text, |key, value| {
        if key.eq_ignore_ascii_case("SIZE") {
            let size = value.filter(|v| v.len() <= 20).and_then(number).ok_or(Reply::PARAMETER_SYNTAX)?;
            once(parameters.size.replace(size).is_none())
        } else if key.eq_ignore_ascii_case("BODY") {
            let value = value.ok_or(Reply::PARAMETER_SYNTAX)?;
            // BINARYMIME (RFC 3030) isn't offered: only CRLF lines are taken.
            parameters.eight_bit = value.eq_ignore_ascii_case("8BITMIME");
            if !parameters.eight_bit && !value.eq_ignore_ascii_case("7BIT") {
                return Err(Reply::PARAMETER_UNKNOWN);
            }
            once(!std::mem::replace(&mut body_given, true))
        } else if key.eq_ignore_ascii_case("SMTPUTF8") && value.is_none() {
            once(!std::mem::replace(&mut parameters.smtputf8, true))
        } else if key.eq_ignore_ascii_case("RET") {
            let ret = match value {
                Some(v) if v.eq_ignore_ascii_case("FULL") => GiveBack::Full,
                Some(v) if v.eq_ignore_ascii_case("HDRS") => GiveBack::Headers,
                _ => return Err(Reply::PARAMETER_SYNTAX),
            };
            once(parameters.ret.replace(ret).is_none())
        } else if key.eq_ignore_ascii_case("ENVID") {
            let envid = value.filter(|v| v.len() <= ENVID_MAX).and_then(xtext::decode);
            let envid = envid.filter(|e| !e.is_empty()).ok_or(Reply::PARAMETER_SYNTAX)?;
            once(parameters.envid.replace(envid.into_boxed_str()).is_none())
        } else if known.require_tls && key.eq_ignore_ascii_case("REQUIRETLS") && value.is_none() {
            once(!std::mem::replace(&mut parameters.require_tls, true))
        } else if known.auth && key.eq_ignore_ascii_case("AUTH") {
            // Who first submitted it is nobody's business to claim: checked for form, then dropped.
            value.and_then(xtext::decode).ok_or(Reply::PARAMETER_SYNTAX)?;
            once(!std::mem::replace(&mut auth_given, true))
        } else {
            Err(Reply::PARAMETER_UNKNOWN)
        }
    })?;
    Ok(parameters)
}

/// Reads what follows the path of RCPT.
///
/// # Errors
/// The reply to give.
pub fn recipient(text: &str) -> Result<RecipientParameters, Reply> {
    let mut parameters = RecipientParameters::default();
    each(text, |key, value| {
        if key.eq_ignore_ascii_case("NOTIFY") {
            let notify = value.and_then(notify).ok_or(Reply::PARAMETER_SYNTAX)?;
            once(parameters.notify.replace(notify).is_none())
        } else if key.eq_ignore_ascii_case("ORCPT") {
            let original = value.filter(|v| v.len() <= ORCPT_MAX).and_then(original).ok_or(Reply::PARAMETER_SYNTAX)?;
            once(parameters.original.replace(original).is_none())
        } else {
            Err(Reply::PARAMETER_UNKNOWN)
        }
    })?;
    Ok(parameters)
}

/// Gives each `key` or `key=value` to `take`, up to the limit. Keys are letters, digits and hyphens, values
/// printable and without `=` (RFC 5321 §4.1.2; AUTH's and ORCPT's xtext can hold none either).
fn each(text: &str, mut take: impl FnMut(&str, Option<&str>) -> Result<(), Reply>) -> Result<(), Reply> {
    let words = text.split(' ').filter(|word| !word.is_empty());
    for (count, word) in words.enumerate() {
        if count >= SMTP_PARAMETERS_MAX {
            return Err(Reply::PARAMETERS_TOO_MANY);
        }
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || value == Some("") {
            return Err(Reply::PARAMETER_SYNTAX);
        }
        take(key, value)?;
    }
    Ok(())
}

const fn once(first: bool) -> Result<(), Reply> {
    if first { Ok(()) } else { Err(Reply::PARAMETER_SYNTAX) }
}

fn notify(value: &str) -> Option<NotifyOn> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(NotifyOn::default());
    }
    let mut notify = NotifyOn::default();
    for word in value.split(',') {
        let flag = if word.eq_ignore_ascii_case("SUCCESS") {
            &mut notify.success
        } else if word.eq_ignore_ascii_case("FAILURE") {
            &mut notify.failure
        } else if word.eq_ignore_ascii_case("DELAY") {
            &mut notify.delay
        } else {
            return None;
        };
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    Some(notify)
}

fn original(value: &str) -> Option<(Box<str>, Box<str>)> {
    let (kind, address) = value.split_once(';')?;
    let named = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let address = xtext::decode(address).filter(|a| !a.is_empty())?;
    named.then(|| (kind.to_ascii_lowercase().into_boxed_str(), address.into_boxed_str()))
}

/// Decimal digits only; no sign, nothing that doesn't fit.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: Known = Known { auth: false, require_tls: false };
    const UNDER_TLS: Known = Known { auth: false, require_tls: true };

    #[test]
    fn what_is_offered_is_read() {
        let given = mail(" SIZE=1000 body=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1", KNOWN).unwrap();
        assert_eq!(given.size, Some(1000));
        assert!(given.smtputf8 && given.eight_bit);
        assert_eq!(given.ret, Some(GiveBack::Headers));
        assert_eq!(given.envid.as_deref(), Some("QQ+1"));
        let given = recipient("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob+2Bx@c.example").unwrap();
        assert_eq!(given.notify, Some(NotifyOn { success: true, failure: false, delay: true }));
        assert_eq!(given.original, Some(("rfc822".into(), "bob+x@c.example".into())));
        assert_eq!(recipient("NOTIFY=NEVER").unwrap().notify, Some(NotifyOn::default()));
    }

    #[test]
    fn what_isn_t_offered_is_said_so() {
        for unknown in ["BODY=BINARYMIME", "XFOO=1", "AUTH=<>", "NOTIFY=NEVER", "SMTPUTF8=1", "HOLDFOR=10"] {
            assert_eq!(mail(unknown, KNOWN), Err(Reply::PARAMETER_UNKNOWN), "{unknown}");
        }
        assert!(mail("AUTH=<>", Known { auth: true, ..KNOWN }).is_ok());
        assert_eq!(recipient("SIZE=1"), Err(Reply::PARAMETER_UNKNOWN));
    }

    #[test]
    fn that_it_must_travel_encrypted_can_be_said_under_tls_only() {
        assert!(mail("SIZE=1 requiretls", UNDER_TLS).unwrap().require_tls);
        assert!(!mail("SIZE=1", UNDER_TLS).unwrap().require_tls);
        assert_eq!(mail("REQUIRETLS", KNOWN), Err(Reply::PARAMETER_UNKNOWN));
        assert_eq!(mail("REQUIRETLS=YES", UNDER_TLS), Err(Reply::PARAMETER_UNKNOWN));
        assert_eq!(mail("REQUIRETLS REQUIRETLS", UNDER_TLS), Err(Reply::PARAMETER_SYNTAX));
    }

    /// Attacks A4: line ends hidden in values; and plain nonsense.
    #[test]
    fn bad_and_repeated_values_are_refused() {
        for bad in [
            "SIZE",
            "SIZE=",
            "SIZE=-1",
            "SIZE=+1",
            "SIZE=18446744073709551616",
            "SIZE=1 SIZE=1",
            "BODY",
            "RET=ALL",
            "RET=FULL RET=HDRS",
            "SMTPUTF8 SMTPUTF8",
            "ENVID=a+0D+0Ab",
            "ENVID=",
            "=1",
            "A:B=1",
            "BODY=7BIT BODY=7BIT",
        ] {
            assert_eq!(mail(bad, KNOWN), Err(Reply::PARAMETER_SYNTAX), "{bad}");
        }
        for bad in [
            "NOTIFY=",
            "NOTIFY=NEVER,SUCCESS",
            "NOTIFY=SUCCESS,SUCCESS",
            "ORCPT=a@b",
            "ORCPT=rfc822;a+0D+0ARCPT",
            "ORCPT=;a",
            "ORCPT=rfc822;",
        ] {
            assert_eq!(recipient(bad), Err(Reply::PARAMETER_SYNTAX), "{bad}");
        }
        assert_eq!(mail(&format!("ENVID={}", "a".repeat(ENVID_MAX + 1)), KNOWN), Err(Reply::PARAMETER_SYNTAX));
        let long = format!("ORCPT=rfc822;{}", "a".repeat(ORCPT_MAX));
        assert_eq!(recipient(&long), Err(Reply::PARAMETER_SYNTAX));
    }

    #[test]
    fn parameters_end_at_their_limit() {
        let many = "X=1 ".repeat(SMTP_PARAMETERS_MAX + 1);
        let mut taken = 0;
        let outcome = each(&many, |_, _| {
            taken += 1;
            Ok(())
        });
        assert_eq!((outcome, taken), (Err(Reply::PARAMETERS_TOO_MANY), SMTP_PARAMETERS_MAX));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,200}", auth in any::<bool>(), require_tls in any::<bool>()) {
            let _ = mail(&text, Known { auth, require_tls });
            let _ = recipient(&text);
        }
    }
}
