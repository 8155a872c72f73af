//! What clients send within SASL, and what the vault keeps of passwords.

use mailward_vault::{ChannelBindings, Credential, ScramServer, parse_scram_messages, prepare};

/// A credential of the stored form whose password nobody knows.
const STORED: &[u8] = b"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0NTY$\
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
SCRAM-SHA-256$15000:c29tZXNhbHQxMjM0NTY=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

pub fn run(data: &[u8]) {
    parse_scram_messages(data);
    if let Ok(prepared) = prepare(data) {
        assert!(!prepared.is_empty() && !prepared.chars().any(char::is_control));
        if data.is_ascii() {
            assert_eq!(prepared.as_bytes(), data);
        }
    }
    if let Ok(credential) = Credential::from_bytes(data) {
        let kept = credential.to_bytes();
        assert_eq!(Credential::from_bytes(&kept).map(|c| c.to_bytes()).ok(), Some(kept));
    }
    exchange(data);
}

/// A whole exchange with both of a client's messages from outside: the first to the NUL, then the second.
fn exchange(data: &[u8]) {
    let keys = Credential::from_bytes(STORED).expect("it is of the form").scram().clone();
    let mut messages = data.splitn(2, |b| *b == 0);
    let (first, last) = (messages.next().unwrap_or_default(), messages.next().unwrap_or_default());
    let bindings = ChannelBindings { exporter: Some([1; 32]), server_end_point: Some(vec![2; 32]), agreed: None };
    for (plus, advertised) in [(false, false), (false, true), (true, true)] {
        let Ok(known) = ScramServer::new(plus, advertised, bindings.clone()).client_first(first) else { continue };
        assert!(!known.user().contains('\0'));
        let Ok((challenge, due)) = known.challenge(keys.clone()) else { continue };
        assert!(challenge.starts_with(b"r="));
        assert!(due.verify(last).is_err(), "nobody knows the nonce, let alone the password");
    }
}
