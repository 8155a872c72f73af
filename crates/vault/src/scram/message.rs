//! The grammar of the two messages a client sends, RFC 5802 §7.

use crate::error::ScramError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::SASL_LINE_MAX;

/// `gs2-cbind-flag`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BindingFlag<'a> {
    /// `n`: the client can't bind.
    NotSupported,
    /// `y`: the client can, and thinks that we can't.
    NotOffered,
    /// `p=name`: the client binds by this.
    Used(&'a str),
}

/// `client-first-message`.
#[derive(Debug)]
pub(super) struct FirstMessage<'a> {
    pub(super) binding: BindingFlag<'a>,
    pub(super) authorize: Option<String>,
    pub(super) gs2_header: &'a str,
    pub(super) bare: &'a str,
    pub(super) user: String,
    pub(super) nonce: &'a str,
}

/// `client-final-message`.
#[derive(Debug)]
pub(super) struct FinalMessage<'a> {
    pub(super) bound: Vec<u8>,
    pub(super) nonce: &'a str,
    pub(super) without_proof: &'a str,
    pub(super) proof: [u8; 32],
}

impl<'a> FirstMessage<'a> {
    /// Total over any bytes.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        Self::read(text(message)?).ok_or(ScramError::Malformed)
    }

    fn read(text: &'a str) -> Option<Self> {
        let (flag, after_flag) = text.split_once(',')?;
        let binding = match flag {
            "n" => BindingFlag::NotSupported,
            "y" => BindingFlag::NotOffered,
            _ => BindingFlag::Used(flag.strip_prefix("p=").filter(|name| is_binding_name(name))?),
        };
        let (authorize, bare) = after_flag.split_once(',')?;
        let authorize = match authorize {
            "" => None,
            given => Some(saslname(given.strip_prefix("a=")?)?),
        };
        // Where the bare message begins is where the header, its last comma included, ends.
        let gs2_header = text.strip_suffix(bare)?;

        // A mandatory extension (`m=`) would come first; there is none that we know, and then it must fail.
        let mut fields = bare.split(',');
        let user = saslname(fields.next()?.strip_prefix("n=")?)?;
        let nonce = fields.next()?.strip_prefix("r=").filter(|n| is_nonce(n))?;
        fields.all(is_extension).then_some(Self { binding, authorize, gs2_header, bare, user, nonce })
    }
}

impl<'a> FinalMessage<'a> {
    /// Total over any bytes.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        Self::read(text(message)?).ok_or(ScramError::Malformed)
    }

    fn read(text: &'a str) -> Option<Self> {
        // The proof is the last field, and no field has a comma in it.
        let (without_proof, proof) = text.rsplit_once(',')?;
        let proof = STANDARD.decode(proof.strip_prefix("p=")?).ok()?.try_into().ok()?;
        let mut fields = without_proof.split(',');
        let bound = STANDARD.decode(fields.next()?.strip_prefix("c=")?).ok()?;
        let nonce = fields.next()?.strip_prefix("r=").filter(|n| is_nonce(n))?;
        fields.all(is_extension).then_some(Self { bound, nonce, without_proof, proof })
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > SASL_LINE_MAX {
        return Err(ScramError::Malformed);
    }
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed)
}

/// `saslname`: a comma is written `=2C`, an equals sign `=3D`, and no other `=` stands.
fn saslname(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else {
            name.push('=');
            name.push_str(part.strip_prefix("3D")?);
        }
    }
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

/// `cb-name`, RFC 5056 §7.
fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// `printable`: ASCII without the comma, which ended the field already.
fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|b| b.is_ascii_graphic())
}

/// `attr-val` of an extension: ignored, but signed.
fn is_extension(field: &str) -> bool {
    let mut chars = field.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() && c != 'm')
        && chars.next() == Some('=')
        && !chars.as_str().is_empty()
        && !field.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_unescaped_once() {
        assert_eq!(saslname("a=2Cb=3Dc"), Some("a,b=c".to_owned()));
        assert_eq!(saslname("=3D2C"), Some("=2C".to_owned()));
        for bad in ["", "=", "a=", "a=2c", "a=2", "a==3D", "a\0"] {
            assert_eq!(saslname(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_of_the_grammar_is_malformed() {
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,r=nonce,n=user",
            "n,,n=user,r=",
            "n,,n=,r=nonce",
            "n,,n=user,r=no nonce",
            "n,,n=user,r=nonce,",
            "n,,n=user,r=nonce,x",
            "n,,n=user,r=nonce,x=",
            "n,,m=ext,n=user,r=nonce",
            "n,,n=user,r=nonce,m=ext",
            "x,,n=user,r=nonce",
            "p,,n=user,r=nonce",
            "p=,,n=user,r=nonce",
            "p=tls exporter,,n=user,r=nonce",
            "n,b=x,n=user,r=nonce",
            "n,a=,n=user,r=nonce",
            "n,n=user,r=nonce",
            "n,,n=us=er,r=nonce",
            "n,,n=us\0er,r=nonce",
        ] {
            assert!(FirstMessage::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let proof = STANDARD.encode([0; 32]);
        assert!(FinalMessage::parse(format!("c=biws,r=n,x=1,p={proof}").as_bytes()).is_ok());
        for bad in [
            String::new(),
            "c=biws,r=n".to_owned(),
            format!("c=biws,p={proof}"),
            format!("r=n,c=biws,p={proof}"),
            format!("c=bi ws,r=n,p={proof}"),
            format!("c=biws,r=n,p={proof},x=1"),
            format!("c=biws,r=n,p={proof}\0"),
            format!("c=biws,r=n,m=1,p={proof}"),
            "c=biws,r=n,p=AAAA".to_owned(),
        ] {
            assert!(FinalMessage::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(FirstMessage::parse(b"n,,n=\xff,r=nonce").is_err());
    }

    #[test]
    fn a_message_ends_at_its_limit() {
        let long = |n: usize| format!("n,,n=user,r={}", "r".repeat(n - 12));
        assert!(FirstMessage::parse(long(SASL_LINE_MAX).as_bytes()).is_ok());
        assert!(FirstMessage::parse(long(SASL_LINE_MAX + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[nycparm=,A-Za-z0-9+/\\PC]{0,60}") {
            crate::parse_scram_messages(&bytes);
            crate::parse_scram_messages(text.as_bytes());
        }

        #[test]
        fn what_is_read_is_what_was_written(text in "(n|y|p=tls-exporter),(a=[a-z=2C3D]{1,9})?,n=[a-z@=2C3D]{1,9},r=[!-+--~]{1,20}(,x=[a-z]{1,4})?") {
            if let Ok(first) = FirstMessage::parse(text.as_bytes()) {
                prop_assert_eq!(format!("{}{}", first.gs2_header, first.bare), text.clone());
                prop_assert_eq!(first.bare.split(',').nth(1).and_then(|f| f.strip_prefix("r=")), Some(first.nonce));
                prop_assert!(!first.user.contains('\0'));
            }
        }
    }
}
