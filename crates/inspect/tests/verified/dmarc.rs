//! The same cases of DMARC (RFC 9989) to us and to `mail-auth`, which asks a DNS server of the case. Where the two differ,
//! the case says which section of the standard decides, and what the other one says.

use crate::common::{domain, runtime};
use mail_auth::dkim::Signature;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DmarcResult as Theirs, MessageAuthenticator, SpfOutput, SpfResult as TheirSpf,
};
use mailward_core::SpfResult;
use mailward_dns::Name;
use mailward_dns_zone::{Records, Zone, Zones};
use mailward_inspect::authenticate::{Dkim, Verdict, author};
use mailward_inspect::dmarc::{DmarcResult, evaluate};
use mailward_inspect::spf::{Identity, SpfOutcome};
use std::fmt::Write as _;

/// What a message proves.
#[derive(Clone, Copy)]
enum Proof {
    Nothing,
    /// SPF passes for this domain.
    Spf(&'static str),
    /// A signature of this domain holds.
    Dkim(&'static str),
}

struct Case {
    /// DMARC records, without `_dmarc.`; all below `example`, which is the one top-level domain of the DNS.
    texts: &'static [(&'static str, &'static str)],
    /// The author's domain, or a whole header if it has a colon.
    from: &'static str,
    proof: Proof,
    /// What is right: the result, with what follows if it fails.
    right: &'static str,
    /// What the other implementation says where that differs, and what decides.
    differs: Option<(&'static str, &'static str)>,
}

const fn case(
    texts: &'static [(&'static str, &'static str)],
    from: &'static str,
    proof: Proof,
    right: &'static str,
) -> Case {
    Case { texts, from, proof, right, differs: None }
}

impl Case {
    const fn theirs(self, says: &'static str, because: &'static str) -> Self {
        Self { differs: Some((says, because)), ..self }
    }
}

/// What isn't right in a record counts as not there; the rest of it counts.
const ERRORS: &str = "§4.7: syntax errors are discarded in favour of defaults";
/// Nobody can say whose policy it would be, and such mail is refused before any is asked for.
const NO_AUTHOR: &str = "§5.3.1 leaves it to the receiver, RFC 5322 §3.6.2 wants one author or a Sender field";

const RELAXED: &[(&str, &str)] = &[("o.example", "v=DMARC1; p=reject")];
const STRICT: &[(&str, &str)] = &[("o.example", "v=DMARC1; p=reject; adkim=s; aspf=s")];
const BELOW: &[(&str, &str)] = &[("o.example", "v=DMARC1; p=none; sp=quarantine; np=reject")];
const SUFFIX: &[(&str, &str)] = &[("co.example", "v=DMARC1; p=quarantine; sp=reject; psd=y")];
const IN_SUFFIX: &[(&str, &str)] = &[
    ("co.example", "v=DMARC1; p=reject; psd=y"),
    ("a.co.example", "v=DMARC1; p=none; sp=quarantine"),
    ("x.a.co.example", "v=DMARC1; p=quarantine"),
];
const APART: &[(&str, &str)] = &[("o.example", "v=DMARC1; p=reject"), ("b.o.example", "v=DMARC1; p=quarantine; psd=n")];
/// The records of names in between.
const MIDDLE: &[(&str, &str)] = &[("o.example", "v=DMARC1; p=reject"), ("b.o.example", "v=DMARC1; p=none")];

use Proof::{Dkim as D, Nothing as N, Spf as S};

const CASES: &[Case] = &[
    // Who is aligned with whom: §4.4, §4.10.2.
    case(RELAXED, "o.example", S("o.example"), "pass"),
    case(RELAXED, "o.example", S("m.o.example"), "pass"),
    case(RELAXED, "m.o.example", S("o.example"), "pass"),
    case(RELAXED, "a.o.example", D("b.o.example"), "pass"),
    case(RELAXED, "o.example", D("p.example"), "fail reject"),
    case(RELAXED, "o.example", D("evilo.example"), "fail reject"),
    case(RELAXED, "o.example", S("example"), "fail reject"),
    case(RELAXED, "O.Example", D("o.example"), "pass"),
    case(STRICT, "o.example", S("o.example"), "pass"),
    case(STRICT, "o.example", S("m.o.example"), "fail reject"),
    case(STRICT, "m.o.example", D("o.example"), "fail reject"),
    case(STRICT, "m.o.example", D("m.o.example"), "pass"),
    // By the list of public suffixes `o.example` is the organisation; by the walk whoever says so is.
    case(APART, "o.example", D("x.b.o.example"), "fail reject"),
    case(APART, "x.b.o.example", D("b.o.example"), "pass"),
    case(APART, "x.b.o.example", D("o.example"), "fail quarantine"),
    case(SUFFIX, "a.co.example", S("b.co.example"), "fail reject"),
    case(SUFFIX, "x.a.co.example", S("m.a.co.example"), "pass"),
    case(SUFFIX, "a.co.example", S("co.example"), "fail reject"),
    case(SUFFIX, "co.example", S("co.example"), "pass"),
    case(IN_SUFFIX, "x.a.co.example", D("a.co.example"), "pass"),
    // Without a record at the suffix two customers of it are one organisation if it has a policy: §11.
    case(&[("co.example", "v=DMARC1; p=reject")], "a.co.example", S("b.co.example"), "pass"),
    // Whose policy it is: §4.10.1.
    case(&[], "o.example", S("o.example"), "none"),
    case(RELAXED, "p.example", N, "none"),
    case(RELAXED, "a.b.c.d.e.f.g.h.o.example", N, "fail reject"),
    case(MIDDLE, "x.b.o.example", N, "fail reject"),
    case(MIDDLE, "b.o.example", N, "fail none"),
    case(APART, "x.b.o.example", N, "fail quarantine"),
    case(SUFFIX, "co.example", N, "fail quarantine"),
    case(SUFFIX, "x.a.co.example", N, "fail reject"),
    case(IN_SUFFIX, "y.a.co.example", N, "fail quarantine"),
    case(IN_SUFFIX, "x.a.co.example", N, "fail quarantine"),
    case(IN_SUFFIX, "other.co.example", N, "fail reject"),
    // sp, np: §4.7, §3.2.13. `there` has a text, `mail` a host; nothing else below o.example is there.
    case(BELOW, "o.example", N, "fail none"),
    case(BELOW, "there.o.example", N, "fail quarantine"),
    case(BELOW, "mail.o.example", N, "fail quarantine"),
    case(BELOW, "gone.o.example", N, "fail reject"),
    case(&[("o.example", "v=DMARC1; p=reject; sp=none")], "gone.o.example", N, "fail none"),
    case(&[("o.example", "v=DMARC1; p=quarantine; np=reject")], "there.o.example", N, "fail quarantine"),
    // t: §4.7.
    case(&[("o.example", "v=DMARC1; p=reject; t=y")], "o.example", N, "fail quarantine"),
    case(&[("o.example", "v=DMARC1; p=quarantine; t=y")], "o.example", N, "fail none"),
    case(&[("o.example", "v=DMARC1; p=none; t=y")], "o.example", N, "fail none"),
    case(&[("o.example", "v=DMARC1; p=reject; t=n")], "o.example", N, "fail reject"),
    case(&[("o.example", "v=DMARC1; p=none; np=reject; t=y")], "gone.o.example", N, "fail quarantine"),
    // What is left of DMARC of 2015: §4.7, unknown tags.
    case(&[("o.example", "v=DMARC1; p=reject; pct=0; ri=1; rf=afrf")], "o.example", N, "fail reject"),
    // What isn't right: §4.7, §4.10.1.
    case(&[("o.example", "v=DMARC1; rua=mailto:a@o.example")], "o.example", N, "fail none"),
    case(&[("o.example", "v=DMARC1;")], "o.example", N, "none"),
    case(&[("o.example", "v=DMARC1; p=rejected; rua=mailto:a@o.example")], "o.example", N, "fail none")
        .theirs("permerror", "§4.10.1: a policy that is not valid is none where reports are wanted"),
    case(&[("o.example", "v=DMARC1; p=reject; sp=x; rua=mailto:a@o.example")], "o.example", N, "fail none")
        .theirs("permerror", "§4.10.1: the same for sp and np"),
    case(&[("o.example", "v=DMARC1; p=rejected")], "o.example", N, "none")
        .theirs("permerror", "§4.10.1: no DMARC for such a message"),
    case(&[("o.example", "v=DMARC1; p=reject; adkim=x")], "o.example", N, "fail reject").theirs("permerror", ERRORS),
    case(&[("o.example", "v=dmarc1; p=reject")], "o.example", N, "none")
        .theirs("fail reject", "§4.7, §4.8: the version is matched precisely, %s\"DMARC1\""),
    case(&[("o.example", "v=DMARC2; p=reject")], "o.example", N, "none"),
    case(&[("o.example", "p=reject; v=DMARC1")], "o.example", N, "none"),
    case(&[("o.example", "v=spf1 -all"), ("o.example", "v=DMARC1; p=reject")], "o.example", N, "fail reject"),
    case(&[("o.example", "v=DMARC1; p=reject"), ("o.example", "v=DMARC1; p=reject; fo=1")], "o.example", N, "none")
        .theirs("fail reject", "§4.10: of several records all are discarded"),
    // Who the author is: §5.3.1. We refuse what hasn't one, whatever a policy says (RFC 5322 §3.6.2).
    case(RELAXED, "From: a@o.example, b@p.example", N, "no author").theirs("none", NO_AUTHOR),
    case(RELAXED, "From: a@o.example, b@o.example", S("o.example"), "no author").theirs("pass", NO_AUTHOR),
    case(RELAXED, "From: a@o.example\r\nFrom: b@p.example", N, "no author").theirs("none", NO_AUTHOR),
    case(RELAXED, "Subject: x", S("o.example"), "no author").theirs("none", NO_AUTHOR),
    case(RELAXED, "From: ", S("o.example"), "no author").theirs("none", NO_AUTHOR),
    case(RELAXED, "From: <>", N, "no author").theirs("none", NO_AUTHOR),
    case(RELAXED, "From: A:;", N, "no author").theirs("none", NO_AUTHOR),
    case(RELAXED, "From: \"b@p.example\" <a@o.example>", N, "fail reject"),
];

/// Names below o.example that are there without a DMARC record of their own.
const THERE: [(&str, &str); 2] = [("there", "TXT \"there\""), ("mail", "MX 10 mx.o.example.")];

#[test]
fn cases_of_the_standard_are_as_another_implementation_has_them_or_the_standard_decides() {
    let mut faults = String::new();
    for case in CASES {
        let header = if case.from.contains(':') { case.from.to_owned() } else { format!("From: a@{}", case.from) };
        let message = format!("{header}\r\nTo: b@b.example\r\n\r\nHello\r\n");
        let (ours, theirs) = runtime().block_on(async { (ours(case, &message).await, theirs(case, &message).await) });
        let (said, because) = case.differs.unwrap_or((case.right, ""));
        if (ours.as_str(), theirs.as_str()) != (case.right, said) {
            let texts = case.texts;
            writeln!(
                faults,
                "{header}: {texts:?}\n  ours {ours}, theirs {theirs}, right {}, {said} {because}",
                case.right
            )
            .unwrap();
        }
        assert_eq!(case.differs.is_some(), !because.is_empty(), "a difference without a reason");
    }
    assert!(faults.is_empty(), "{faults}");
}

async fn ours(case: &Case, message: &str) -> String {
    let Ok(author) = author(message.as_bytes()) else { return "no author".to_owned() };
    let mut zone = Records::default().txt("there.o.example", "there").mx("mail.o.example", "mx.o.example");
    for (name, text) in case.texts {
        zone = zone.txt(&format!("_dmarc.{name}"), text);
    }
    let spf = if let S(name) = case.proof { Some(passes(name)) } else { None };
    let signer = if let D(name) = case.proof { Some((domain(name), "s".to_owned())) } else { None };
    let dkim = Dkim { verdict: Verdict::Pass, why: String::new(), signer, mark: String::new() };
    let outcome = evaluate(&zone, &author.domain, spf.as_ref(), &[dkim]).await;
    match outcome.result {
        DmarcResult::Fail => format!("fail {}", outcome.disposition),
        other => other.to_string(),
    }
}

fn passes(name: &str) -> SpfOutcome {
    SpfOutcome {
        result: SpfResult::Pass,
        identity: Identity::MailFrom,
        domain: Name::parse(name).ok(),
        explanation: None,
        mechanism: None,
        why: String::new(),
        personal: false,
    }
}

async fn theirs(case: &Case, message: &str) -> String {
    let mut text = String::new();
    for (name, data) in THERE {
        writeln!(text, "{name}.o 60 IN {data}").unwrap();
    }
    for (name, record) in case.texts {
        let name = name.strip_suffix(".example").unwrap();
        writeln!(text, "_dmarc.{name} 60 IN TXT \"{record}\"").unwrap();
    }
    let zones = Zones::start(&[Zone::plain("example.", &text)]).await;
    let mut server = NameServerConfig::udp_and_tcp(zones.address().ip());
    server.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].into();
    for connection in &mut server.connections {
        connection.port = zones.address().port();
    }
    let config = ResolverConfig::from_name_servers(vec![server]);
    let authenticator = MessageAuthenticator::new(config, ResolverOpts::default()).unwrap();
    let Some(parsed) = AuthenticatedMessage::parse(message.as_bytes()) else { return "unreadable".to_owned() };
    let (spf_domain, spf) = match case.proof {
        S(name) => (name, TheirSpf::Pass),
        _ => ("", TheirSpf::None),
    };
    let spf = SpfOutput::new(spf_domain.to_owned()).with_result(spf);
    let signature =
        Signature { d: if let D(name) = case.proof { name.to_owned() } else { String::new() }, ..Signature::default() };
    let dkim = [DkimOutput::pass().with_signature(&signature)];
    let dkim = if matches!(case.proof, D(_)) { &dkim[..] } else { &[] };
    let output = authenticator.verify_dmarc(DmarcParameters::new(&parsed, dkim, spf_domain, &spf)).await;
    match output.result() {
        Theirs::Pass => "pass".to_owned(),
        Theirs::None => "none".to_owned(),
        Theirs::TempError(_) => "temperror".to_owned(),
        Theirs::PermError(_) => "permerror".to_owned(),
        Theirs::Fail(_) => match output.policy() {
            Policy::Reject => "fail reject".to_owned(),
            Policy::Quarantine => "fail quarantine".to_owned(),
            Policy::None | Policy::Unspecified => "fail none".to_owned(),
        },
    }
}
