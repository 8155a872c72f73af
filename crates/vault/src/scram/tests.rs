//! The exchange, played by an honest client and by others.

use super::*;
use mailward_core::Secret;
use proptest::prelude::*;

const EXPORTER: [u8; 32] = [7; 32];

fn bindings() -> ChannelBindings {
    ChannelBindings { exporter: Some(EXPORTER), server_end_point: Some(vec![9; 32]), agreed: None }
}

fn keys(password: &str) -> ScramKeys {
    ScramKeys::derive(password.as_bytes(), b"salt of 16 bytes", 4_096).unwrap()
}

/// A client by the standard, which may be told to lie.
struct Client<'a> {
    header: &'a str,
    bound: &'a [u8],
    password: &'a str,
}

const PLAIN: Client<'static> = Client { header: "n,,", bound: b"", password: "pencil" };
const BOUND: Client<'static> = Client { header: "p=tls-exporter,,", bound: &EXPORTER, password: "pencil" };

impl Client<'_> {
    fn first(&self) -> String {
        format!("{}n=user,r=clientnonce", self.header)
    }
    fn last(&self, server_first: &str) -> String {
        let mut bound = self.header.as_bytes().to_vec();
        bound.extend_from_slice(self.bound);
        let nonce = server_first.split(',').next().unwrap();
        let without_proof = format!("c={},{nonce}", STANDARD.encode(bound));
        let auth = format!("n=user,r=clientnonce,{server_first},{without_proof}");
        let mut salted = [0u8; 32];
        aws_lc_rs::pbkdf2::derive(
            aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
            4_096.try_into().unwrap(),
            b"salt of 16 bytes",
            self.password.as_bytes(),
            &mut salted,
        );
        let client_key = sign(&salted, b"Client Key");
        let signature = sign(&sha256(&client_key), auth.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(k, s)| k ^ s).collect();
        format!("{without_proof},p={}", STANDARD.encode(proof))
    }
    fn play(&self, server: ScramServer) -> Result<Vec<u8>, ScramError> {
        let (server_first, due) = server.client_first(self.first().as_bytes())?.challenge(keys("pencil"))?;
        due.verify(self.last(std::str::from_utf8(&server_first).unwrap()).as_bytes())
    }
}

fn plus() -> ScramServer {
    ScramServer::new(true, true, bindings())
}

fn without_plus() -> ScramServer {
    ScramServer::new(false, false, ChannelBindings::default())
}

/// RFC 7677 §3: the one example there is.
#[test]
fn the_example_of_the_standard_is_answered_to_the_letter() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let keys = ScramKeys::derive(b"pencil", &salt, 4_096).unwrap();
    let first = without_plus().client_first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
    assert_eq!(first.user(), "user");
    let (challenge, due) = first.challenge_with(keys, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    assert_eq!(
        String::from_utf8(challenge).unwrap(),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last =
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let answer = due.verify(last).unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_client_that_knows_the_password_gets_in() {
    assert!(PLAIN.play(without_plus()).is_ok());
    assert!(PLAIN.play(ScramServer::new(false, true, bindings())).is_ok(), "one that can't bind may do without");
    assert!(BOUND.play(plus()).is_ok());
    let end_point = Client { header: "p=tls-server-end-point,,", bound: &[9; 32], ..BOUND };
    assert!(end_point.play(plus()).is_ok());
    let unaware = Client { header: "y,,", ..PLAIN };
    assert!(unaware.play(without_plus()).is_ok(), "PLUS was not advertised");
    let acting = Client { header: "n,a=user,", ..PLAIN };
    assert!(acting.play(without_plus()).is_ok());
}

#[test]
fn a_client_that_doesn_t_know_the_password_stays_out() {
    let wrong = Client { password: "pencils", ..PLAIN };
    assert_eq!(wrong.play(without_plus()), Err(ScramError::Refused));
    let wrong = Client { password: "pencils", ..BOUND };
    assert_eq!(wrong.play(plus()), Err(ScramError::Refused));
}

/// Attacks B10.
#[test]
fn a_binding_to_another_channel_is_refused() {
    let relayed = Client { bound: &[8; 32], ..BOUND };
    assert_eq!(relayed.play(plus()), Err(ScramError::Refused));
    let empty = Client { bound: b"", ..BOUND };
    assert_eq!(empty.play(plus()), Err(ScramError::Refused));
    let of_other_type = Client { bound: &[9; 32], ..BOUND };
    assert_eq!(of_other_type.play(plus()), Err(ScramError::Refused));
}

/// Attacks B10: the header that was agreed on first is the one that the proof covers.
#[test]
fn a_header_that_changes_on_the_way_is_refused() {
    let (server_first, due) = plus().client_first(BOUND.first().as_bytes()).unwrap().challenge(keys("pencil")).unwrap();
    let server_first = String::from_utf8(server_first).unwrap();
    assert_eq!(due.verify(PLAIN.last(&server_first).as_bytes()), Err(ScramError::Refused));
}

/// Attacks B10: PLUS cut out of the list of mechanisms by somebody in the middle.
#[test]
fn a_client_that_was_told_there_is_no_plus_is_refused_where_there_is() {
    let lied_to = Client { header: "y,,", ..PLAIN };
    assert_eq!(lied_to.play(ScramServer::new(false, true, bindings())), Err(ScramError::Refused));
}

/// Attacks B10.
#[test]
fn plus_without_a_binding_and_a_binding_without_plus_are_refused() {
    assert_eq!(PLAIN.play(plus()), Err(ScramError::Refused));
    assert_eq!(Client { header: "y,,", ..PLAIN }.play(plus()), Err(ScramError::Refused));
    assert_eq!(BOUND.play(ScramServer::new(false, true, bindings())), Err(ScramError::Refused));
    for unknown in ["p=tls-unique,,", "p=TLS-EXPORTER,,", "p=tls-exporter-2,,"] {
        assert_eq!(Client { header: unknown, ..BOUND }.play(plus()), Err(ScramError::Refused), "{unknown}");
    }
    let nothing_to_bind_to = ScramServer::new(true, true, ChannelBindings::default());
    assert_eq!(Client { bound: b"", ..BOUND }.play(nothing_to_bind_to), Err(ScramError::Refused));
}

#[test]
fn a_nonce_is_never_used_twice_and_must_be_the_one_given() {
    let begin = || without_plus().client_first(PLAIN.first().as_bytes()).unwrap().challenge(keys("pencil")).unwrap();
    let ((one, _), (two, due)) = (begin(), begin());
    assert_ne!(one, two);
    // An answer to the first challenge, played again to the second.
    let replayed = PLAIN.last(std::str::from_utf8(&one).unwrap());
    assert_eq!(due.verify(replayed.as_bytes()), Err(ScramError::Refused));
    let (_, due) = begin();
    let only_own = PLAIN.last("r=clientnonce,s=c2FsdCBvZiAxNiBieXRlcw==,i=4096");
    assert_eq!(due.verify(only_own.as_bytes()), Err(ScramError::Refused));
}

#[test]
fn a_decoy_goes_as_many_rounds_and_never_opens() {
    let decoy = crate::Decoy::new(Secret::new("0123456789abcdef"));
    let first = without_plus().client_first(PLAIN.first().as_bytes()).unwrap();
    let (challenge, due) = first.challenge(decoy.scram("user")).unwrap();
    let text = String::from_utf8(challenge).unwrap();
    assert!(text.starts_with("r=clientnonce") && text.contains(",s=") && text.contains(",i="));
    assert_eq!(due.verify(PLAIN.last(&text).as_bytes()), Err(ScramError::Refused));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// An honest exchange opens; the same with any one byte of the client's two messages changed does not.
    #[test]
    fn a_mutated_message_never_opens(in_last in any::<bool>(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut first = BOUND.first().into_bytes();
        if !in_last {
            let at = at.index(first.len());
            prop_assume!(first[at] != to);
            first[at] = to;
        }
        if let Ok(begun) = plus().client_first(&first) {
            let (server_first, due) = begun.challenge(keys("pencil")).unwrap();
            // The client believes that its first message arrived as it was sent.
            let mut last = BOUND.last(std::str::from_utf8(&server_first).unwrap_or("r=x,s=c2FsdA==,i=4096")).into_bytes();
            if in_last {
                let at = at.index(last.len());
                prop_assume!(last[at] != to);
                last[at] = to;
            }
            prop_assert!(due.verify(&last).is_err());
        }
    }

    #[test]
    fn noise_never_opens(first in proptest::collection::vec(any::<u8>(), 0..80), last in "c=biws,r=[!-+--~]{0,40},p=[A-Za-z0-9+/]{43}=") {
        prop_assert!(plus().client_first(&first).and_then(|f| f.challenge(keys("pencil"))).is_err());
        let (_, due) = without_plus().client_first(b"n,,n=user,r=x").unwrap().challenge(keys("pencil")).unwrap();
        prop_assert!(due.verify(last.as_bytes()).is_err());
    }
}
