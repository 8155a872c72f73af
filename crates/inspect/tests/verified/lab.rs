//! Who signs and seals.

use crate::common::{domain, now, read};
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;
use mailward_dns_zone::Texts;
use mailward_vault::dkim::{Algorithm, ArcSeal, Key, Signer, record};
use rustls_pki_types::PrivatePkcs8KeyDer;
use std::sync::Arc;

/// Somebody who signs with the other implementation, and two servers of ours that seal.
pub(crate) struct Lab {
    pub(crate) zone: Texts,
    theirs: Vec<u8>,
    ours: Vec<Arc<Signer>>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
        use aws_lc_rs::signature::KeyPair as _;
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let theirs: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let mut records = vec![("k._domainkey.a.example".to_owned(), record(Algorithm::RsaSha256, public.as_ref()))];
        let ours = ["f.example", "g.example", "a.example"].map(|name| {
            let key = Key::generate(Algorithm::RsaSha256).unwrap();
            records.push((format!("s._domainkey.{name}"), record(Algorithm::RsaSha256, &key.public().unwrap())));
            Arc::new(Signer::new(domain(name), vec![("s".to_owned(), Arc::new(key))]))
        });
        let records: Vec<(&str, &str)> = records.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Self { zone: Texts::of(&records), theirs: theirs.as_ref().to_vec(), ours: ours.to_vec() }
    }

    pub(crate) fn key(&self) -> RsaKey<Sha256> {
        RsaKey::from_key_der(PrivatePkcs8KeyDer::from(self.theirs.clone()).into()).unwrap()
    }

    pub(crate) fn sign_others(
        &self,
        message: &str,
        change: impl FnOnce(
            DkimSigner<RsaKey<Sha256>, mail_auth::dkim::Done>,
        ) -> DkimSigner<RsaKey<Sha256>, mail_auth::dkim::Done>,
    ) -> String {
        let key = self.key();
        let signer =
            DkimSigner::from_key(key).domain("a.example").selector("k").headers(["From", "To", "Subject", "From"]);
        change(signer).sign(message.as_bytes()).unwrap().to_header() + message
    }

    /// As a server does that forwards a message.
    pub(crate) fn seal(&self, by: usize, message: &str) -> String {
        let results = read(message, &self.zone);
        let mut signing = self.ours[by].begin_seal(now());
        signing.push(message.as_bytes()).unwrap();
        let seal = ArcSeal {
            instance: results.arc.next.unwrap(),
            chain: results.arc.status,
            before: &results.arc.relaxed,
            results: &results.text(&domain("mx.f.example")),
        };
        String::from_utf8(signing.seal(&seal).unwrap().unwrap()).unwrap() + message
    }

    /// The same, telling what `text` says.
    pub(crate) fn seal_saying(&self, by: usize, message: &str, text: &str) -> String {
        let results = read(message, &self.zone);
        let mut signing = self.ours[by].begin_seal(now());
        signing.push(message.as_bytes()).unwrap();
        let (instance, chain) = (results.arc.next.unwrap(), results.arc.status);
        let seal = ArcSeal { instance, chain, before: &results.arc.relaxed, results: text };
        String::from_utf8(signing.seal(&seal).unwrap().unwrap()).unwrap() + message
    }

    /// As we sign what our users send.
    pub(crate) fn sign(&self, by: usize, message: &str) -> String {
        let mut signing = self.ours[by].begin(now());
        signing.push(message.as_bytes()).unwrap();
        String::from_utf8(signing.finish().unwrap()).unwrap() + message
    }
}
