//! Batteries of attempts to relay, as data: what is said to a mail server, in order, and which answers are right (attacks
//! A1). Nothing here has a socket: whoever runs one sends what [`Run::next`] gives and tells it what it heard. The tests run
//! them against every listener; an audit may run them against any server at any time.
//!
//! Where a form is to be refused, it must be so everywhere: on every port, by IPv4 and IPv6, before and after TLS, on a
//! second mail server of the domain (number 27 of the catalogue is that rule, and no form).

mod abuse_net;
mod catalogue;

pub use abuse_net::ABUSE_NET;
pub use catalogue::CATALOGUE;

/// Every battery, by name.
pub const BATTERIES: [&Battery; 2] = [&CATALOGUE, &ABUSE_NET];

/// Attempts that belong together.
#[derive(Debug)]
pub struct Battery {
    /// Its name.
    pub name: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Whether all attempts are made in one session, in their order, or each in its own.
    pub one_session: bool,
    /// What begins a session.
    pub opening: &'static [Step],
    /// The attempts.
    pub probes: &'static [Probe],
}

/// One attempt.
#[derive(Debug)]
pub struct Probe {
    /// Its number in the source, with a letter where the source's one is several.
    pub id: &'static str,
    /// What it tries, for people.
    pub says: &'static str,
    /// What is said instead of the battery's opening, if it has an opening of its own.
    pub opening: Option<&'static [Step]>,
    /// What is said, in order.
    pub steps: &'static [Step],
}

/// One line said, and the answer that is right.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The line without its end, with names as in [`Names`]; bytes as they are written, so that a line may hold NUL.
    pub say: &'static str,
    /// What should come of it.
    pub expect: Expect,
}

/// Which answers are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// 2yz, or the attempt can't be made.
    Yes,
    /// Any answer: the attempt goes on.
    Whatever,
    /// 2yz goes on; 5yz refuses the attempt here already, which is as good.
    YesOrRefused,
    /// 220 and then TLS; whoever offers none is asked the rest in clear.
    StartTls,
    /// 5yz: this is what the attempt is about. Anything that is taken is relaying, or a right that was inherited.
    Refused,
    /// One of these: what can't be read as an address is no question of policy.
    Syntax,
}

/// Answers to a line that isn't as the standard has it (RFC 5321 §4.2.3; 553 for a mailbox name; 555 for a parameter).
const SYNTAX: [u16; 5] = [500, 501, 504, 553, 555];

/// What the names in the lines stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `{S}`: a domain or host of the server that is asked.
    pub us: String,
    /// `{I}`: its address as a literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    pub literal: String,
    /// `{T}`: a domain that it has nothing to do with.
    pub third: String,
    /// Whether LMTP is spoken: `{HELO}` and `{EHLO}` are LHLO then.
    pub lmtp: bool,
}

impl Names {
    fn fill(&self, line: &str) -> Vec<u8> {
        let (helo, ehlo) = if self.lmtp { ("LHLO", "LHLO") } else { ("HELO", "EHLO") };
        let filled = line
            .replace("{S}", &self.us)
            .replace("{I}", &self.literal)
            .replace("{T}", &self.third)
            .replace("{HELO}", helo)
            .replace("{EHLO}", ehlo);
        let mut bytes = filled.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Refused for good, as it must be. The line and the code that did it.
    Refused(String, u16),
    /// Taken, or answered as only who understood it would answer: the line and its code.
    Failed(String, u16),
    /// Neither: put off, cut off, or it couldn't be made. The line, and its code if there was one.
    Unclear(String, Option<u16>),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send these bytes, and tell the code of the reply to [`Run::heard`].
    Send(Vec<u8>),
    /// Begin TLS, then ask again.
    StartTls,
    /// It is over.
    Over(Verdict),
}

/// One attempt on its way.
#[derive(Debug)]
pub struct Run<'n> {
    names: &'n Names,
    steps: Vec<Step>,
    at: usize,
    start_tls: bool,
    verdict: Option<Verdict>,
}

impl Battery {
    /// Its attempts with names filled in. Where all are made in one session, only the first has the opening.
    #[must_use]
    pub fn filled<'n>(&self, names: &'n Names) -> Vec<(&'static Probe, Run<'n>)> {
        let runs = self.probes.iter().enumerate().map(|(index, probe)| {
            let opening: &[Step] = if self.one_session && index > 0 { &[] } else { self.opening };
            let opening = probe.opening.unwrap_or(opening);
            let steps = opening.iter().chain(probe.steps).copied().collect();
            (probe, Run { names, steps, at: 0, start_tls: false, verdict: None })
        });
        runs.collect()
    }
}

impl Run<'_> {
    /// What to do now.
    #[must_use]
    pub fn next(&self) -> Next {
        match (&self.verdict, self.steps.get(self.at)) {
            (Some(verdict), _) => Next::Over(verdict.clone()),
            (None, _) if self.start_tls => Next::StartTls,
            (None, Some(step)) => Next::Send(self.names.fill(step.say)),
            // A battery whose attempt asks nothing that can be refused asks nothing.
            (None, None) => Next::Over(Verdict::Unclear(String::new(), None)),
        }
    }

    /// TLS runs.
    pub fn secured(&mut self) {
        self.start_tls = false;
    }

    /// The code that the reply to the last line has; `None` if the peer closed instead.
    pub fn heard(&mut self, code: Option<u16>) {
        let Some(step) = self.steps.get(self.at) else { return };
        let said = || String::from_utf8_lossy(&self.names.fill(step.say)).trim_end().to_owned();
        let Some(code) = code else {
            self.verdict = Some(Verdict::Unclear(said(), None));
            return;
        };
        let (yes, never) = (matches!(code, 200..=299), matches!(code, 500..=599));
        match step.expect {
            Expect::Whatever => {}
            Expect::Yes | Expect::YesOrRefused if yes => {}
            Expect::YesOrRefused if never => self.verdict = Some(Verdict::Refused(said(), code)),
            Expect::StartTls => self.start_tls = code == 220,
            Expect::Refused if never => self.verdict = Some(Verdict::Refused(said(), code)),
            Expect::Syntax if SYNTAX.contains(&code) => self.verdict = Some(Verdict::Refused(said(), code)),
            // 550 to what isn't an address: it was read as one.
            Expect::Syntax if never => self.verdict = Some(Verdict::Failed(said(), code)),
            Expect::Refused | Expect::Syntax if matches!(code, 200..=399) => {
                self.verdict = Some(Verdict::Failed(said(), code));
            }
            _ => self.verdict = Some(Verdict::Unclear(said(), Some(code))),
        }
        self.at = self.at.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn names() -> Names {
        Names { us: "s.example".into(), literal: "[192.0.2.1]".into(), third: "t.example".into(), lmtp: false }
    }

    /// Runs an attempt against a server that answers so.
    fn ran(mut run: Run<'_>, mut answer: impl FnMut(&str) -> Option<u16>) -> (Vec<String>, Verdict) {
        let mut said = Vec::new();
        loop {
            match run.next() {
                Next::Send(bytes) => {
                    let line = String::from_utf8(bytes).unwrap();
                    let code = answer(&line);
                    said.push(line.trim_end().to_owned());
                    run.heard(code);
                }
                Next::StartTls => run.secured(),
                Next::Over(verdict) => return (said, verdict),
            }
        }
    }

    /// Attacks A1.
    #[test]
    fn the_catalogue_has_its_forms_and_the_relay_test_its_seventeen_probes() {
        let numbers: HashSet<&str> =
            CATALOGUE.probes.iter().map(|p| p.id.trim_end_matches(|c: char| c.is_ascii_lowercase())).collect();
        let all: HashSet<String> = (1..=26).map(|n| n.to_string()).collect();
        assert_eq!(numbers, all.iter().map(String::as_str).collect(), "27 is where they are run");
        let ids: Vec<&str> = ABUSE_NET.probes.iter().map(|p| p.id).collect();
        let order: Vec<String> = (1..=17).map(|n| n.to_string()).collect();
        assert_eq!(ids, order.iter().map(String::as_str).collect::<Vec<_>>(), "in their order");
        for battery in BATTERIES {
            let ids: HashSet<&str> = battery.probes.iter().map(|p| p.id).collect();
            assert_eq!(ids.len(), battery.probes.len(), "{}: a number stands twice", battery.name);
        }
    }

    #[test]
    fn every_attempt_asks_what_must_be_refused() {
        let names = names();
        for battery in BATTERIES {
            for (probe, run) in battery.filled(&names) {
                let (said, verdict) = ran(run, |_| Some(250));
                assert!(matches!(verdict, Verdict::Failed(_, 250)), "{} {}: {verdict:?}", battery.name, probe.id);
                assert!(said.iter().all(|line| !line.contains(['{', '}'])), "{said:?}");
                assert!(!probe.says.is_empty());
            }
        }
    }

    #[test]
    fn a_server_that_refuses_recipients_passes_and_one_that_puts_off_isn_t_judged() {
        let names = names();
        for battery in BATTERIES {
            for (probe, run) in battery.filled(&names) {
                let (_, verdict) = ran(run, |line| Some(if line.starts_with("RCPT") { 553 } else { 250 }));
                assert!(
                    matches!(&verdict, Verdict::Refused(line, 553) if line.starts_with("RCPT")),
                    "{} {}: {verdict:?}",
                    battery.name,
                    probe.id
                );
            }
            for (_, run) in battery.filled(&names) {
                let (_, verdict) = ran(run, |line| Some(if line.starts_with("RCPT") { 451 } else { 250 }));
                assert!(matches!(verdict, Verdict::Unclear(_, Some(451))), "{verdict:?}");
            }
            for (_, run) in battery.filled(&names) {
                assert!(matches!(ran(run, |_| None).1, Verdict::Unclear(_, None)));
            }
        }
    }

    #[test]
    fn what_is_no_address_must_not_be_read_as_one() {
        let names = names();
        let (_, run) = CATALOGUE.filled(&names).into_iter().find(|(probe, _)| probe.id == "9").unwrap();
        let (_, verdict) = ran(run, |line| Some(if line.starts_with("RCPT") { 550 } else { 250 }));
        assert!(matches!(verdict, Verdict::Failed(_, 550)), "{verdict:?}");
    }

    /// Attacks A1, word for word.
    #[test]
    fn the_relay_test_says_what_its_transcript_says() {
        let names = Names { third: "abuse.net".to_owned(), ..names() };
        let mut said = Vec::new();
        for (_, run) in ABUSE_NET.filled(&names) {
            said.extend(ran(run, |line| Some(if line.starts_with("RCPT") { 553 } else { 250 })).0);
        }
        let transcript = [
            ("spamtest@abuse.net", "relaytest@abuse.net"),
            ("spamtest", "relaytest@abuse.net"),
            ("", "relaytest@abuse.net"),
            ("spamtest@s.example", "relaytest@abuse.net"),
            ("spamtest@[192.0.2.1]", "relaytest@abuse.net"),
            ("spamtest@s.example", "relaytest%abuse.net@s.example"),
            ("spamtest@s.example", "relaytest%abuse.net@[192.0.2.1]"),
            ("spamtest@s.example", "\"relaytest@abuse.net\""),
            ("spamtest@s.example", "\"relaytest%abuse.net\""),
            ("spamtest@s.example", "relaytest@abuse.net@s.example"),
            ("spamtest@s.example", "\"relaytest@abuse.net\"@s.example"),
            ("spamtest@s.example", "relaytest@abuse.net@[192.0.2.1]"),
            ("spamtest@s.example", "@s.example:relaytest@abuse.net"),
            ("spamtest@s.example", "@[192.0.2.1]:relaytest@abuse.net"),
            ("spamtest@s.example", "abuse.net!relaytest"),
            ("spamtest@s.example", "abuse.net!relaytest@s.example"),
            ("spamtest@s.example", "abuse.net!relaytest@[192.0.2.1]"),
        ];
        let mut wanted = vec!["HELO www.abuse.net".to_owned()];
        for (sender, recipient) in transcript {
            wanted.push("RSET".to_owned());
            wanted.push(format!("MAIL FROM:<{sender}>"));
            wanted.push(format!("RCPT TO:<{recipient}>"));
        }
        assert_eq!(said, wanted);
    }
}
