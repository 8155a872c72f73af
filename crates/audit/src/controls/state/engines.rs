//! What judges mail in this program, tried on names and messages that are made to ask too much of it. The trials run here and not in the
//! server: they say something of a server of the same version alone.

mod signed;

use super::{Told, known, lines, some, told, without};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::fixture::Fixture;
use crate::host::Missed;
use crate::scene::Scene;
use mailward_core::limits::DKIM_SIGNATURES_MAX;
use mailward_core::{Address, Domain, SpfResult};
use mailward_inspect::authenticate::{Reading, Verdict as Signed};
use mailward_inspect::dmarc::{Request, discover};
use mailward_inspect::spf::{SpfAsked, check_host};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "FLT-04",
        Area::Filtering,
        5,
        Check::Ask(|scene| Box::pin(async move { told(spf(scene).await) })),
        [
            "Does looking who may send in a domain's name end, whatever the domain says?",
            "A record can ask for thousands of others. Who looks them all up is slow, and knocks down somebody else's DNS.",
            "The program's own SPF is tried on records in its memory: 11 includes, three names that aren't there, 11 mail hosts and a circle are \
             errors; ten includes aren't; a macro that grows asks for no name of more than 253 bytes. That it ends within 20 seconds isn't tried.",
            "There is nothing to set: it is built in. Report it.",
            "RFC 7208 section 4.6.4",
        ],
    ),
    known(
        "FLT-05",
        Area::Filtering,
        5,
        Check::Ask(|scene| Box::pin(async move { told(dmarc(scene).await) })),
        [
            "Is the policy of a domain found as the standard of today says?",
            "Who looks in other places, or believes a tag that is gone, lets through what its owner wants refused.",
            "The program's own DMARC is tried on names in its memory: at most eight questions for a name of 20 parts; np for a name that isn't there; \
             psd and t are known; pct counts for nothing.",
            "There is nothing to set: it is built in. Report it.",
            "RFC 9989",
        ],
    ),
    known(
        "FLT-06",
        Area::Filtering,
        5,
        Check::Ask(|scene| Box::pin(async move { told(dkim(scene).await) })),
        [
            "Is no signature believed that proves less than it seems to?",
            "Text can be put behind what was signed, a short key can be computed, and a From that isn't signed can be replaced.",
            "The program's own DKIM is tried on messages in its memory: one that is well signed passes; with text behind a length (l=), with a key of \
             512 bits, and with From unsigned it doesn't; and of 100 signatures no more are looked at than the limit says.",
            "There is nothing to set: it is built in. Report it.",
            "RFC 6376; RFC 8301; the length attack of 2024",
        ],
    ),
    known(
        "DOS-03",
        Area::Denial,
        10,
        Check::Look(|scene| told(limits(scene))),
        [
            "Has everything that comes from outside a limit, and every limit a test that passes it?",
            "What has no limit is where somebody sends a million of; a limit that nobody tried may not hold.",
            "The program's own list of limits (docs/limits.md, written from its source), and the list of those that no test names, as they were when \
             it was built. One part in so many of the points is for each.",
            "There is nothing to set: it is built in.",
            "Postfix's defaults; practice",
        ],
    ),
];

/// What is tried here is the server's only if it is of this version.
fn is_ours(scene: &Scene) -> Result<(), Missed> {
    if scene.state()?.version.as_deref() == Some(env!("CARGO_PKG_VERSION")) {
        return Ok(());
    }
    Err(Missed::NotReached("the server that runs is of another version than this program".to_owned()))
}

/// One thing that was tried: what, whether it was as it should be, and what was seen.
struct Trial(&'static str, bool, String);

/// All was well, or these weren't.
fn judged(trials: &[Trial], well: &str) -> Finding {
    let bad: Vec<String> = trials.iter().filter(|one| !one.1).map(|one| format!("{} ({})", one.0, one.2)).collect();
    let seen = trials.iter().map(|one| format!("{}: {}", one.0, one.2));
    without(&bad, trials.len(), well, "not as it should be").showing("trials in memory", lines(seen))
}

/// Something that our own constants always are.
fn made<T, E: std::fmt::Display>(made: Result<T, E>) -> Result<T, Missed> {
    made.map_err(|error| Missed::Odd("a trial of this program".to_owned(), error.to_string()))
}

const SPF_TOP: &str = "spf.mailward-audit.invalid";

async fn spf(scene: &Scene) -> Told {
    is_ours(scene)?;
    let of = |name: &str, text: &str| Fixture::default().text(&format!("{name}.{SPF_TOP}"), text);
    let includes = |count: usize| {
        let mut dns = of(
            "many",
            &format!("v=spf1{} -all", (0..count).map(|n| format!(" include:i{n}.{SPF_TOP}")).collect::<String>()),
        );
        for number in 0..count {
            dns = dns.text(&format!("i{number}.{SPF_TOP}"), "v=spf1 -all");
        }
        dns
    };
    let void = |count: usize| {
        let names: String = (0..count).map(|n| format!(" exists:v{n}.{SPF_TOP}")).collect();
        of("many", &format!("v=spf1{names} -all"))
    };
    let hosts = of("many", &format!("v=spf1 mx:mx.{SPF_TOP} -all"))
        .mail_hosts(&format!("mx.{SPF_TOP}"), (0..11).map(|n| format!("h{n}.{SPF_TOP}")).collect());
    let circle = of("many", &format!("v=spf1 include:many.{SPF_TOP} -all"));
    let grows = of("many", &format!("v=spf1 exists:{}{SPF_TOP} -all", "%{l}.".repeat(8)));
    let long = "a".repeat(64);
    let mut trials = Vec::new();
    for (what, dns, local, wanted) in [
        ("ten includes", includes(10), "a", SpfResult::Fail),
        ("11 includes", includes(11), "a", SpfResult::PermError),
        ("two names that aren't there", void(2), "a", SpfResult::Fail),
        ("three names that aren't there", void(3), "a", SpfResult::PermError),
        ("11 mail hosts", hosts, "a", SpfResult::PermError),
        ("a circle", circle, "a", SpfResult::PermError),
        ("a macro that grows", grows, long.as_str(), SpfResult::Fail),
    ] {
        let sender = made(Address::parse(&format!("{local}@many.{SPF_TOP}"), false))?;
        let hostname = made(Domain::parse(SPF_TOP))?;
        let asked = SpfAsked {
            ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            hello: SPF_TOP,
            sender: Some(&sender),
            hostname: &hostname,
            now: scene.now,
        };
        let outcome = check_host(&dns, &asked).await;
        let names = dns.asked();
        let fits = names.iter().all(|name| name.len() <= 253);
        trials.push(Trial(
            what,
            outcome.result == wanted && fits,
            format!("{:?} after {} questions", outcome.result, names.len()),
        ));
    }
    Ok(judged(&trials, "it ends, whatever a record says"))
}

const DMARC_TOP: &str = "dmarc.mailward-audit.invalid";

async fn dmarc(scene: &Scene) -> Told {
    is_ours(scene)?;
    let of = |text: &str| {
        Fixture::default()
            .text(&format!("_dmarc.{DMARC_TOP}"), text)
            .text(DMARC_TOP, "x")
            .text(&format!("there.{DMARC_TOP}"), "x")
    };
    let mut trials = Vec::new();
    let deep = of("v=DMARC1; p=reject");
    let name = made(Domain::parse(&format!("{}{DMARC_TOP}", "a.".repeat(17))))?;
    let found = discover(&deep, &name).await;
    let walked = deep.asked().iter().filter(|name| name.starts_with("_dmarc.")).count();
    trials.push(Trial("a name of 20 parts", found.is_ok() && walked <= 8, format!("{walked} questions")));
    for (what, text, name, wanted) in [
        (
            "np, for a name that isn't there",
            "v=DMARC1; p=none; sp=none; np=reject",
            format!("gone.{DMARC_TOP}"),
            Request::Reject,
        ),
        (
            "sp, for a name that is there",
            "v=DMARC1; p=none; sp=quarantine; np=reject",
            format!("there.{DMARC_TOP}"),
            Request::Quarantine,
        ),
        ("pct, which is gone", "v=DMARC1; p=reject; pct=0", DMARC_TOP.to_owned(), Request::Reject),
    ] {
        let name = made(Domain::parse(&name))?;
        let found = discover(&of(text), &name).await;
        let request = found.as_ref().ok().and_then(|policy| policy.as_ref()).map(|policy| policy.wanted());
        trials.push(Trial(what, request == Some(wanted), format!("{request:?}")));
    }
    let name = made(Domain::parse(DMARC_TOP))?;
    let tried = discover(&of("v=DMARC1; p=reject; t=y"), &name).await;
    let wanted = tried.as_ref().ok().and_then(|policy| policy.as_ref()).map(|policy| policy.wanted());
    trials.push(Trial("t, a policy that is tried out", wanted == Some(Request::Quarantine), format!("{wanted:?}")));
    // A public suffix with a policy of its own: what is below it and has none is under its sp.
    let suffix = Fixture::default()
        .text(&format!("_dmarc.{DMARC_TOP}"), "v=DMARC1; p=none; sp=reject; psd=y")
        .text(&format!("there.{DMARC_TOP}"), "x");
    let below = made(Domain::parse(&format!("there.{DMARC_TOP}")))?;
    let found = discover(&suffix, &below).await;
    let request = found.as_ref().ok().and_then(|policy| policy.as_ref()).map(|policy| policy.wanted());
    trials.push(Trial("psd, a suffix that is open to all", request == Some(Request::Reject), format!("{request:?}")));
    Ok(judged(&trials, "policies are found as RFC 9989 says"))
}

async fn dkim(scene: &Scene) -> Told {
    use signed::{BODY, FIELDS, GOOD, GOOD_KEY, LENGTH, SIGNER, UNSIGNED, WEAK, WEAK_KEY};
    is_ours(scene)?;
    let keys = || {
        Fixture::default()
            .text(&format!("good._domainkey.{SIGNER}"), GOOD_KEY)
            .text(&format!("weak._domainkey.{SIGNER}"), WEAK_KEY)
    };
    let plain = |signatures: &str, behind: &str| format!("{signatures}{FIELDS}\r\n{BODY}{behind}");
    let mut trials = Vec::new();
    for (what, message, passes) in [
        ("a signature as it should be", plain(GOOD, ""), true),
        ("text behind what it is of", plain(GOOD, "And more.\r\n"), false),
        ("text behind a length", plain(LENGTH, "And more.\r\n"), false),
        ("a key of 512 bits", plain(WEAK, ""), false),
        ("From unsigned", plain(UNSIGNED, ""), false),
    ] {
        let mut reading = Reading::new();
        reading.push(message.as_bytes());
        let results = reading.verify(&keys(), scene.now).await;
        let verdicts: Vec<Signed> = results.dkim.iter().map(|one| one.verdict).collect();
        let passed = verdicts.contains(&Signed::Pass);
        trials.push(Trial(what, passed == passes, format!("{verdicts:?}")));
    }
    let many: String = (0..100).map(|number| GOOD.replace("s=good", &format!("s=k{number}"))).collect();
    let (dns, mut reading) = (keys(), Reading::new());
    reading.push(plain(&many, "").as_bytes());
    let results = reading.verify(&dns, scene.now).await;
    let (looked, asked) = (results.dkim.len(), dns.asked().len());
    let fits = looked <= DKIM_SIGNATURES_MAX && asked <= DKIM_SIGNATURES_MAX;
    trials.push(Trial("100 signatures", fits, format!("{looked} looked at, {asked} keys asked for")));
    Ok(judged(&trials, "no signature is believed that proves less than it seems to"))
}

/// Every limit: rows of a table that a test writes from the source.
const LIMITS: &str = include_str!("../../../../../docs/limits.md");
/// Those that no test names, written by a test as well.
const UNTESTED: &str = include_str!("../../../../core/src/config/tests/untested_limits.txt");

fn limits(scene: &Scene) -> Told {
    is_ours(scene)?;
    Ok(counted(LIMITS, UNTESTED))
}

fn counted(all: &str, untested: &str) -> Finding {
    let all = all.lines().filter(|line| line.starts_with("| `")).count();
    let untested: Vec<&str> = untested.lines().filter(|line| !line.is_empty()).collect();
    let tested = all.saturating_sub(untested.len());
    let said = match untested.as_slice() {
        [] => format!("{all} limits, each of which a test passes"),
        rest => format!("of {all} limits {} are named by no test: {}", rest.len(), some(rest)),
    };
    let finding = if all == 0 { Finding::fail("there are no limits") } else { Finding::of(tested, all, said) };
    finding.showing("limits that no test names", lines(&untested))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn what_is_not_as_it_should_be_is_named_and_costs_its_part() {
        let trials = [Trial("a", true, "x".to_owned()), Trial("b", false, "PermError".to_owned())];
        let found = judged(&trials, "all is well");
        assert_eq!((found.verdict, found.said.as_str()), (Verdict::Partial(50), "not as it should be: b (PermError)"));
        assert_eq!(judged(&trials[..1], "all is well").verdict, Verdict::Pass);
        assert_eq!(judged(&trials[1..], "all is well").verdict, Verdict::Fail);
    }

    #[test]
    fn limits_are_counted_as_their_page_has_them() {
        let table = "## x\n\n| limit | value | why |\n|---|---|---|\n| `A` | 1 | x |\n| `B` | 2 | y |\n";
        assert_eq!(counted(table, "").verdict, Verdict::Pass);
        assert_eq!(counted(table, "B\n").verdict, Verdict::Partial(50));
        assert_eq!(counted(table, "A\nB\n").verdict, Verdict::Fail);
        assert_eq!(counted("", "").verdict, Verdict::Fail);
        let rows = LIMITS.lines().filter(|line| line.starts_with("| `")).count();
        let said = counted(LIMITS, UNTESTED).said;
        assert!(rows > 900 && said.starts_with(&format!("of {rows} limits")), "{said}");
    }
}
