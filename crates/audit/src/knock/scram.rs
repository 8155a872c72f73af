//! SCRAM-SHA-256 from the client's side (RFC 5802, 7677), with a channel binding that may be told to be wrong.

use super::answer::{Answer, Kind};
use super::{KnockError, Talk};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::KNOCK_SCRAM_ITERATIONS_MAX;
use std::num::NonZeroU32;

/// What the login is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nothing: SCRAM-SHA-256.
    None,
    /// This TLS session, by its exporter (RFC 9266): SCRAM-SHA-256-PLUS.
    Exporter,
    /// Another TLS session than this, as it is where somebody stands between: the server must notice.
    Wrong,
}

/// Logs in by `AUTHENTICATE` (IMAP) or `AUTH` (SMTP, POP3); the answer to the last step.
///
/// # Errors
/// [`KnockError`].
pub async fn login(talk: &mut Talk, user: &str, password: &[u8], binding: Binding) -> Result<Answer, KnockError> {
    let (mechanism, header) = match binding {
        Binding::None => ("SCRAM-SHA-256", "n,,"),
        Binding::Exporter | Binding::Wrong => ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,"),
    };
    let mut bound = header.as_bytes().to_vec();
    if binding != Binding::None {
        let shown = talk.wire().shown().ok_or_else(|| KnockError::Tls("it doesn't run".to_owned()))?;
        let mut exporter = shown.exporter.ok_or(KnockError::Odd("TLS gives nothing to bind to"))?;
        if binding == Binding::Wrong
            && let Some(first) = exporter.first_mut()
        {
            *first ^= 1;
        }
        bound.extend_from_slice(&exporter);
    }
    let mut nonce = [0_u8; 18];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| KnockError::Odd("there is no randomness here"))?;
    let nonce = STANDARD.encode(nonce).replace(',', "");
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let bare = format!("n={user},r={nonce}");

    let begun = talk.begin_sasl(mechanism).await?;
    if begun.kind != Kind::More {
        return Ok(begun);
    }
    let first = talk.reply(&STANDARD.encode(format!("{header}{bare}")), "(SCRAM, first message)").await?;
    if first.kind != Kind::More {
        return Ok(first);
    }
    let challenge = challenge(&first).ok_or(KnockError::Odd("its challenge of SCRAM can't be read"))?;
    let (last, _signature) = answer(&challenge, &nonce, &bare, &bound, password)?;
    let mut last = talk.reply(&STANDARD.encode(last), "(SCRAM, proof)").await?;
    if last.kind == Kind::More {
        // The server's own proof; nothing is left to say.
        last = talk.reply("", "").await?;
    }
    Ok(last)
}

/// What follows `+ ` or `334 `.
fn challenge(answer: &Answer) -> Option<String> {
    let line = answer.lines.last()?;
    let encoded = line.strip_prefix(b"+ ").or_else(|| line.strip_prefix(b"334 "))?;
    String::from_utf8(STANDARD.decode(encoded.trim_ascii()).ok()?).ok()
}

fn answer(
    challenge: &str,
    nonce: &str,
    bare: &str,
    bound: &[u8],
    password: &[u8],
) -> Result<(String, Vec<u8>), KnockError> {
    const BROKEN: KnockError = KnockError::Odd("its challenge of SCRAM can't be read");
    let part = |name: &str| challenge.split(',').find_map(|one| one.strip_prefix(name));
    let both = part("r=").filter(|both| both.starts_with(nonce)).ok_or(BROKEN)?;
    let salt = part("s=").and_then(|salt| STANDARD.decode(salt).ok()).ok_or(BROKEN)?;
    let iterations: u32 = part("i=").and_then(|count| count.parse().ok()).ok_or(BROKEN)?;
    let iterations =
        NonZeroU32::new(iterations).filter(|count| count.get() <= KNOCK_SCRAM_ITERATIONS_MAX).ok_or(BROKEN)?;
    let mut salted = [0_u8; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password, &mut salted);
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let client = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let without_proof = format!("c={},r={both}", STANDARD.encode(bound));
    let all = format!("{bare},{challenge},{without_proof}");
    let signature = sign(stored.as_ref(), all.as_bytes());
    let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    let server = sign(&salted, b"Server Key");
    let server = sign(server.as_ref(), all.as_bytes());
    Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), server.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 §3.
    #[test]
    fn the_example_of_the_standard_comes_out_to_the_letter() {
        let nonce = "rOprNGfwEbeRWgbNEkqO";
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, server) = answer(challenge, nonce, &format!("n=user,r={nonce}"), b"n,,", b"pencil").unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(STANDARD.encode(server), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_challenge_that_asks_for_years_of_work_or_isn_t_ours_is_no_challenge() {
        for challenge in
            ["r=x,s=YQ==,i=1", "r=abc,s=YQ==,i=0", "r=abc,s=YQ==,i=4000000000", "r=abc,s=?,i=1", "", "r=abc"]
        {
            assert!(answer(challenge, "abc", "n=u,r=abc", b"n,,", b"p").is_err(), "{challenge}");
        }
        let much = format!("r=abc,s=YQ==,i={}", KNOCK_SCRAM_ITERATIONS_MAX + 1);
        assert!(answer(&much, "abc", "n=u,r=abc", b"n,,", b"p").is_err());
    }
}
