//! Versions, suites, groups and manners of TLS.

use super::Seen;
use crate::knock::KnockError;
use crate::knock::tls::{
    Exchange, GROUPS, HYBRID, Heard, Hello, Renegotiation, ServerHello, Version, Want, ask, groups, has_order,
    renegotiates,
    suites::{self, Suite},
    taken, takes, takes_early_data, takes_group,
};
use crate::scene::{Door, Protocol};
use std::fmt::Write as _;

/// SHA-1 first, then what is good (RFC 8446 §4.2.3).
const WEAK_FIRST: [u16; 9] = [0x0201, 0x0203, 0x0401, 0x0403, 0x0501, 0x0503, 0x0804, 0x0805, 0x0807];

/// Groups that are too small (RFC 9325 §4.2.1).
const SMALL: [&str; 2] = ["secp192r1", "secp224r1"];

/// Which of the five versions are taken.
async fn versions(door: &Door) -> Result<Vec<(Version, ServerHello)>, KnockError> {
    let mut found = Vec::new();
    for version in Version::ALL {
        if let Some(hello) = takes(door, version).await? {
            found.push((version, hello));
        }
    }
    if found.is_empty() {
        return Err(KnockError::Odd("no version of TLS that we know is taken"));
    }
    Ok(found)
}

/// ENC-13, and half of POP-02.
pub(crate) async fn good_versions(door: &Door) -> Result<Seen, KnockError> {
    let found = versions(door).await?;
    let list: Vec<(Version, &str)> = found.iter().map(|(version, hello)| (*version, suite(hello))).collect();
    Ok(judge_versions(door, &list))
}

fn suite(hello: &ServerHello) -> &'static str {
    suites::find(hello.suite).map_or("an unknown suite", |suite| suite.name)
}

/// Whether these versions, each with a suite, are good.
pub(crate) fn judge_versions(door: &Door, found: &[(Version, &str)]) -> Seen {
    let names: Vec<&str> = found.iter().map(|(version, _)| version.name()).collect();
    let old = found.iter().filter(|(version, _)| !version.is_good());
    let mut bad: Vec<String> = old.map(|(version, _)| format!("{} is taken", version.name())).collect();
    if !found.iter().any(|(version, _)| version.is_good()) {
        bad.push("neither TLS 1.2 nor 1.3 is taken".to_owned());
    }
    let list: Vec<String> = found.iter().map(|(version, suite)| format!("{}: {suite}", version.name())).collect();
    Seen::unless(&bad, names.join(", ")).showing(format!("{door}, versions"), list.join("\n"))
}

/// What a door takes in one version.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// The version.
    pub(crate) version: Version,
    /// The suites, in the order in which the server picks them.
    pub(crate) suites: Vec<&'static Suite>,
    /// The groups.
    pub(crate) groups: Vec<&'static str>,
    /// The length of the prime of its DHE suites, in bits.
    pub(crate) prime: Option<usize>,
    /// Whether the client's order counts, where some of the suites are weak.
    client_picks: bool,
}

/// What a door takes, in every version that it takes.
///
/// # Errors
/// As [`crate::knock::tls::ask`].
pub(crate) async fn all_taken(door: &Door) -> Result<Vec<Taken>, KnockError> {
    let mut all = Vec::new();
    for (version, _) in versions(door).await? {
        let suites = taken(door, version).await?;
        // Among suites that are all good a client may choose: its processor knows best.
        let client_picks =
            suites.iter().any(|suite| !suite.is_good()) && has_order(door, version, &suites).await? == Some(false);
        let groups = groups(door, version).await?;
        let has_prime = suites.iter().any(|suite| suite.name.starts_with("TLS_DHE_"));
        let prime = if has_prime { prime(door, version).await? } else { None };
        all.push(Taken { version, suites, groups, prime, client_picks });
    }
    Ok(all)
}

/// ENC-14, and the other half of POP-02.
pub(crate) async fn good_ciphers(door: &Door) -> Result<Seen, KnockError> {
    Ok(judge_ciphers(door, &all_taken(door).await?))
}

/// Whether what is taken is good.
pub(crate) fn judge_ciphers(door: &Door, all: &[Taken]) -> Seen {
    let (mut bad, mut list, mut count) = (Vec::new(), String::new(), 0_usize);
    for Taken { version, suites, groups, prime, client_picks } in all {
        count = count.saturating_add(suites.len());
        let _infallible = writeln!(list, "{}:", version.name());
        for suite in suites {
            let _infallible = writeln!(list, "  {}", suite.name);
        }
        bad.extend(suites.iter().filter(|suite| !suite.is_good()).map(|suite| format!("{} is taken", suite.name)));
        if *client_picks {
            bad.push(format!("in {} the client's order counts, among suites of which some are weak", version.name()));
        }
        let _infallible = writeln!(list, "  groups: {}", groups.join(", "));
        bad.extend(
            groups.iter().filter(|group| SMALL.contains(group)).map(|group| format!("the group {group} is taken")),
        );
        if let Some(bits) = prime {
            let _infallible = writeln!(list, "  prime: {bits} bits");
            if *bits < 2048 {
                bad.push(format!("a prime of {bits} bits"));
            }
        }
    }
    Seen::unless(&bad, format!("{count} suites, all good")).showing(format!("{door}, suites"), list)
}

/// The length of the prime of a door's DHE suites.
async fn prime(door: &Door, version: Version) -> Result<Option<usize>, KnockError> {
    let mut wanted = suites::of(version);
    wanted.retain(|id| suites::find(*id).is_some_and(|suite| suite.name.starts_with("TLS_DHE_")));
    // Curves only: a server that agrees on primes by name has those that are good.
    let curves: Vec<u16> = GROUPS.iter().map(|(id, _)| *id).filter(|id| *id < 0x0100).collect();
    let mut hello = Hello::new(version, &wanted);
    hello.groups = &curves;
    hello.want = Want::Exchange;
    Ok(match ask(door, &hello).await?.agreed(version).and_then(|agreed| agreed.exchange) {
        Some(Exchange::Prime { bits, .. }) => Some(bits),
        _ => None,
    })
}

/// ENC-15.
pub(crate) async fn good_manners(door: &Door) -> Result<Seen, KnockError> {
    let found = versions(door).await?;
    let mut bad = Vec::new();
    let mut list = Vec::new();
    for (version, _) in found.iter().filter(|(version, _)| *version < Version::TLS13) {
        let wanted = suites::of(*version);
        let mut hello = Hello::new(*version, &wanted);
        // RFC 3749: DEFLATE, offered first.
        hello.compression = &[1, 0];
        hello.signatures = &WEAK_FIRST;
        hello.want = Want::Exchange;
        let agreed = match ask(door, &hello).await? {
            Heard::Agreed(agreed) => *agreed,
            // It knows what it doesn't want to hear, which is as good; the rest is asked without.
            Heard::Refused(_) => {
                hello.compression = &[0];
                ask(door, &hello)
                    .await?
                    .agreed(*version)
                    .ok_or(KnockError::Odd("it refuses what it took a moment ago"))?
            }
        };
        list.push(format!("{}: {agreed:?}", version.name()));
        if agreed.compression != 0 {
            bad.push(format!("in {} it compresses", version.name()));
        }
        // SSL 3.0 has no extensions to say it in, and is bad enough alone.
        if *version != Version::SSL3 {
            if !agreed.secure_renegotiation {
                bad.push(format!("in {} it doesn't know secure renegotiation", version.name()));
            }
            if !agreed.extended_master_secret {
                bad.push(format!("in {} it doesn't know the extended master secret", version.name()));
            }
        }
        let signature = match agreed.exchange {
            Some(Exchange::Curve { signature, .. } | Exchange::Prime { signature, .. }) => signature,
            None => None,
        };
        // The upper byte is the hash of the older numbers: 1 is MD5, 2 is SHA-1.
        if signature.is_some_and(|signature| signature.to_be_bytes().first().is_some_and(|hash| *hash <= 2)) {
            bad.push(format!("in {} it signs over SHA-1 or MD5", version.name()));
        }
    }
    let mut unknown = Vec::new();
    match renegotiates(door).await {
        Ok(Renegotiation::Begun) => bad.push("it begins anew when a client asks for it".to_owned()),
        Ok(Renegotiation::None | Renegotiation::Refused) => {}
        Err(error) => unknown.push(format!("whether it begins anew when a client asks for it: {error}")),
    }
    // A web server's dialogue isn't ours to hold: there its tickets are not seen.
    if door.protocol != Protocol::Https && found.iter().any(|(version, _)| *version == Version::TLS13) {
        match takes_early_data(door).await {
            Ok(true) => bad.push("it takes early data".to_owned()),
            Ok(false) => {}
            Err(error) => unknown.push(format!("whether it takes early data: {error}")),
        }
    }
    let seen = match (bad.is_empty(), unknown.is_empty()) {
        (true, false) => Seen::unknown(unknown.join("; ")),
        _ => Seen::unless(&bad, "no compression, no renegotiation by clients, no early data"),
    };
    Ok(seen.showing(format!("{door}, manners"), list.join("\n")))
}

/// ENC-24.
pub(crate) async fn is_hybrid(door: &Door) -> Result<Seen, KnockError> {
    if takes(door, Version::TLS13).await?.is_none() {
        return Ok(Seen::bad("it doesn't speak TLS 1.3, which this needs"));
    }
    let agreed = takes_group(door, Version::TLS13, HYBRID).await?;
    let said = if agreed { "X25519MLKEM768 is taken" } else { "X25519MLKEM768 isn't taken" };
    let seen = if agreed { Seen::good(said) } else { Seen::bad(said) };
    Ok(seen.showing(format!("{door}, TLS 1.3 with one group alone"), said))
}
