//! What a host must prove, by who says so: DANE, then MTA-STS, then the administrator, then nobody (RFC 8461 §2: a policy
//! never stands in for DANE where there is some).

use super::way::Fit;
use super::way::{Access, Host, Named, Trust, Watched};
use mailward_core::Domain;
use mailward_dns::{Dane, MailHost, Tlsa};
use mailward_smtp::client::Dialect;
use mailward_store::StoreError;
use mailward_sts::{Demand, Failure, Ledger, Mode, Policy, PolicyKind, Required, ResultType, Sts, Told, Trouble};
use mailward_tls::outbound::{Fault, Proof};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who is asked, beside the DNS, what hosts must prove. Whoever isn't there demands nothing.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// MTA-STS.
    pub sts: Option<Arc<Sts>>,
    /// What the administrator demands.
    pub required: Option<Required>,
    /// Where it is counted how it went.
    pub ledger: Option<Arc<Ledger>>,
}

/// What is demanded of a domain's hosts where DANE doesn't say.
#[derive(Clone, Debug)]
pub(super) struct Demanded {
    sts: Option<Policy>,
    ours: Demand,
}

impl Policies {
    /// Asks them; the domain's own policy only `with_sts`.
    pub(super) async fn demanded(&self, domain: &Domain, with_sts: bool) -> Result<Demanded, StoreError> {
        let mut demanded = Demanded { sts: None, ours: Demand::None };
        if let Some(sts) = self.sts.as_ref().filter(|_| with_sts) {
            let sought = sts.policy(domain).await?;
            if let Some(Trouble { result, why }) = sought.trouble {
                let none = Told::new(PolicyKind::Sts, [], []);
                self.count(domain, &none, Some(Failure::of_policy(result, &why)));
            }
            demanded.sts = sought.policy.filter(|policy| policy.mode != Mode::None);
        }
        if let Some(required) = &self.required {
            demanded.ours = required.demand(domain).await?;
        }
        Ok(demanded)
    }

    /// Counts that a host's TLSA records can't be looked up.
    pub(super) fn dane_unknown(&self, domain: &Domain, host: &Domain, why: &str) {
        let failure = Failure { host: Some(host.to_string()), ..Failure::of_policy(ResultType::DnssecInvalid, why) };
        self.count(domain, &Told::new(PolicyKind::Tlsa, [], [host.to_string()]), Some(failure));
    }

    fn count(&self, domain: &Domain, policy: &Told, failure: Option<Failure>) {
        if let Some(ledger) = &self.ledger {
            ledger.count(domain, policy, failure);
        }
    }
}

/// What a host of a domain must prove; `secure`: DNSSEC proved that it is one of the domain's.
///
/// # Errors
/// In words, why that isn't known now: then the host isn't to be used (RFC 7672 §2.1.2).
pub(super) fn host(
    domain: &Domain,
    host: &MailHost,
    secure: bool,
    port: u16,
    dane: Dane,
    demanded: &Demanded,
) -> Result<Host, String> {
    let name = host.name.to_string();
    let watched = |policy| Some(Arc::new(Watched { domain: domain.clone(), policy }));
    let by_dns = if secure { Named::Proven } else { Named::Forgeable };
    let by_hand = demanded.by_hand(&name);
    let mut trust = Trust { watched: watched(Told::nothing()), name: by_dns, fit: Fit::Fits, by_hand: by_hand.clone() };
    let mut tls_name = name.clone();
    let mut least = Proof::Nothing;
    match dane {
        Dane::Unknown(why) => return Err(why),
        Dane::Required { name: base, records } => {
            trust.watched = watched(told_dane(&host.name, &records));
            trust.name = Named::Proven;
            let proof = Proof::Dane(records, vec![base.clone(), domain.clone()]);
            return Ok(made(host, port, base.to_string(), proof, trust));
        }
        // What the records promise is kept, whatever else there is; more may be demanded.
        Dane::EncryptOnly { name } => {
            least = Proof::Encrypted;
            tls_name = name.to_string();
        }
        Dane::NotOffered => {}
    }
    if let Some(policy) = &demanded.sts {
        trust.watched = watched(told_sts(policy));
        let fits = policy.names(&host.name);
        let why = || format!("{name} is no host of {domain} by its MTA-STS policy");
        match policy.mode {
            Mode::Enforce => {
                trust.name = Named::Proven;
                trust.fit = if fits { Fit::Fits } else { Fit::Unfit(why()) };
                return Ok(made(host, port, name.clone(), Proof::Names(vec![name]), trust));
            }
            _ if !fits => trust.fit = Fit::Doubtful(why()),
            _ => {}
        }
    }
    if let Demand::Verify { names } = &demanded.ours {
        tls_name = name;
        if !names.is_empty() {
            trust.name = Named::Proven;
        }
    }
    Ok(made(host, port, tls_name, by_hand.unwrap_or(least), trust))
}

impl Demanded {
    /// What the administrator demands of a host, if anything.
    fn by_hand(&self, host: &str) -> Option<Proof> {
        match &self.ours {
            Demand::None => None,
            Demand::Encrypt => Some(Proof::Encrypted),
            Demand::Verify { names } if names.is_empty() => Some(Proof::Names(vec![host.to_owned()])),
            Demand::Verify { names } => Some(Proof::Names(names.iter().map(Domain::to_string).collect())),
        }
    }
}

fn made(host: &MailHost, port: u16, tls_name: String, proof: Proof, trust: Trust) -> Host {
    let addresses = host.addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
    Host {
        name: host.name.to_string(),
        tls_name,
        addresses,
        dialect: Dialect::Smtp,
        proof,
        trust,
        access: Access::default(),
    }
}

fn told_sts(policy: &Policy) -> Told {
    Told::new(PolicyKind::Sts, policy.lines(), policy.mx.iter().map(ToString::to_string))
}

/// Records as a zone has them (RFC 8460 §4.4).
fn told_dane(host: &Domain, records: &[Tlsa]) -> Told {
    let lines = records.iter().map(|record| {
        let mut line = format!("{record} ");
        for byte in &record.data {
            // Writing to a String can't fail.
            let _infallible = write!(line, "{byte:02x}");
        }
        line
    });
    Told::new(PolicyKind::Tlsa, lines, [host.to_string()])
}

/// What a certificate's fault is called in reports.
pub(super) const fn result_of(fault: Fault) -> ResultType {
    match fault {
        Fault::Name => ResultType::CertificateHostMismatch,
        Fault::Expired => ResultType::CertificateExpired,
        Fault::Untrusted => ResultType::CertificateNotTrusted,
        Fault::Dane => ResultType::TlsaInvalid,
        Fault::Other => ResultType::ValidationFailure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_dns::{Matching, Selector, Usage};
    use mailward_sts::Pattern;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn judged(dane: Dane, sts: Option<(Mode, &str)>, ours: Demand) -> Host {
        let at = MailHost {
            name: domain("mx.t.example"),
            preference: 10,
            addresses: vec![[192, 0, 2, 1].into()],
            tlsa_names: Vec::new(),
        };
        let sts = sts.map(|(mode, mx)| Policy { mode, mx: vec![Pattern::parse(mx).unwrap()], max_age: 1 });
        host(&domain("t.example"), &at, false, 25, dane, &Demanded { sts, ours }).unwrap()
    }

    fn kind(host: &Host) -> PolicyKind {
        host.trust.watched.as_ref().unwrap().policy.kind
    }

    #[test]
    fn who_says_what_a_host_must_prove_has_its_order() {
        let record = Tlsa {
            usage: Usage::EndEntity,
            selector: Selector::PublicKey,
            matching: Matching::Sha256,
            data: vec![0xab; 32],
        };
        let required = || Dane::Required { name: domain("base.example"), records: vec![record.clone()] };
        let promised = || Dane::EncryptOnly { name: domain("base.example") };
        let by_name = |name: &str| Proof::Names(vec![name.to_owned()]);
        let enforce = Some((Mode::Enforce, "*.t.example"));
        let verify = || Demand::Verify { names: vec![domain("named.example")] };

        for sts in [None, enforce, Some((Mode::Enforce, "else.example")), Some((Mode::Testing, "else.example"))] {
            let host = judged(required(), sts, verify());
            assert!(matches!(host.proof, Proof::Dane(..)), "{sts:?}");
            assert_eq!(
                (host.trust.fit.clone(), kind(&host), host.tls_name.as_str()),
                (Fit::Fits, PolicyKind::Tlsa, "base.example")
            );
            let told = &host.trust.watched.as_ref().unwrap().policy.lines[0];
            assert_eq!(*told, format!("3 1 1 {}", "ab".repeat(32)));
        }
        let host = judged(Dane::NotOffered, enforce, verify());
        assert_eq!(
            (&host.proof, kind(&host), host.trust.name),
            (&by_name("mx.t.example"), PolicyKind::Sts, Named::Proven)
        );
        let host = judged(Dane::NotOffered, Some((Mode::Enforce, "else.example")), Demand::None);
        assert!(matches!(host.trust.fit, Fit::Unfit(_)) && host.proof != Proof::Nothing);
        let host = judged(Dane::NotOffered, Some((Mode::Testing, "else.example")), Demand::None);
        assert!(matches!(host.trust.fit, Fit::Doubtful(_)) && host.proof == Proof::Nothing);
        // On trial it demands nothing, and the administrator may.
        let host = judged(Dane::NotOffered, Some((Mode::Testing, "*.t.example")), verify());
        assert_eq!((&host.proof, kind(&host)), (&by_name("named.example"), PolicyKind::Sts));
        let host = judged(Dane::NotOffered, None, Demand::Verify { names: Vec::new() });
        assert_eq!((&host.proof, host.trust.name), (&by_name("mx.t.example"), Named::Forgeable));
        let host = judged(Dane::NotOffered, None, Demand::None);
        assert_eq!((&host.proof, kind(&host)), (&Proof::Nothing, PolicyKind::NoPolicyFound));
        // What records that can't be used promise is kept; more may be demanded.
        assert_eq!(judged(promised(), None, Demand::None).proof, Proof::Encrypted);
        assert_eq!(judged(promised(), enforce, Demand::None).proof, by_name("mx.t.example"));
        assert_eq!(judged(promised(), Some((Mode::Testing, "*.t.example")), Demand::None).proof, Proof::Encrypted);
    }
}
